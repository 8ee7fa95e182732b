"""What a search engine is to a run: it answers, also with nothing, or says why it gave no answer."""

from typing import Protocol

from autoagent.env import Found
from autoagent.errors import Unanswered


class Provider(Protocol):
    """One search engine. Plugins bring more through the entry point group `autoagent.search`."""

    @property
    def name(self) -> str:
        """In words for people: "DuckDuckGo"."""
        ...

    def search(self, query: str, limit: int, timeout_s: float) -> Found:
        """Its best results; more than `limit` where they cost nothing more, as they are kept for the next call.

        No hits only where the engine answered that there are none; raises Unanswered for everything else.
        Called from several threads at once. Neither name nor notes hold the query.
        """
        ...


def silent() -> Unanswered:
    return Unanswered("did not answer in time")


def unreachable() -> Unanswered:
    return Unanswered("could not be reached", rest=False)  # known at once, so asking again costs no time


def refusal(status: int, retry_after: str = "") -> Unanswered:
    """What a status other than 200 means; `retry_after` as the header came."""
    words = f"blocks searches ({status})" if status in _BLOCKS else f"answered with an error ({status})"
    wait = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0
    return Unanswered(words, retry_after_s=min(wait, _LONGEST_WAIT_S))


_BLOCKS = {202, 401, 402, 403, 418, 429, 451}
_LONGEST_WAIT_S = 86_400
