"""The model behind one small protocol: messages in, text and usage out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypedDict

from autoagent.budget import Usage


class Message(TypedDict):
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Reply:
    """`finish_reason` in the words of the OpenAI API; `usage` counts tokens, its cost is not set here."""

    text: str
    usage: Usage
    finish_reason: str = "stop"
    usage_estimated: bool = False


@dataclass(frozen=True)
class Heard:
    """A sign of a reply under way: the next part of its text, or how long nothing at all came, of how long that may be.

    Only for people: a reply counts when it is whole.
    """

    text: str = ""
    silent_s: float = 0.0
    patience_s: float = 0.0


Hear = Callable[[Heard], None]  # may be called from another thread


def unheard(_: Heard, /) -> None:
    """Nobody watches."""


class Pricing(Protocol):
    """What tokens cost; `input_tokens` includes the cached ones."""

    def cost(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> float: ...


class Model(Protocol):
    """One model at one endpoint."""

    @property
    def name(self) -> str: ...

    @property
    def price(self) -> Pricing | None:
        """None where nobody knows it."""
        ...

    def count(self, text: str) -> int:
        """Tokens of `text`, exact or a safe estimate."""
        ...

    def bound(self, text: str) -> int:
        """At least as many tokens as `text` can have; never waits for a tokenizer to load."""
        ...

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: dict[str, Any],
        reply_tokens: int,
        timeout_s: float | None,
        hear: Hear = unheard,
    ) -> Reply:
        """One try, no retry. Raises ModelUnavailable or ContextTooLong; a KeyboardInterrupt cancels it at once."""
        ...

    def close(self) -> None:
        """Give back what is kept for the next call."""
        ...


PLAIN_TEXT: dict[str, Any] = {}  # the schema of a reply that is prose: a summary, a review
