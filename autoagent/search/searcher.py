"""The engines of one run, asked in order until one answers: slowly, never twice the same, and with patience."""

import math
import threading
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from autoagent.env import Found
from autoagent.errors import CommandError
from autoagent.search.hits import JOINERS, clean, one_line
from autoagent.search.provider import Provider, Unanswered, silent

PAUSE_S = 1.0  # between two queries of a run, whoever asks
EACH_S, WHOLE_S = 20.0, 45.0  # for one engine, for one search
FIRST_REST_S, LONGEST_REST_S = 30.0, 600.0  # of an engine that blocks; doubled each time
GRACE_S = 0.5  # for an engine to say itself that the time is up
QUERY = 500  # characters; engines refuse more


class Searcher:
    """Safe to use from several threads. `clock` gives seconds and `sleep` waits for some."""

    def __init__(
        self,
        providers: Sequence[Provider],
        notify: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._engines = [_Asked(provider) for provider in providers]
        self._notify, self._clock, self._sleep = notify, clock, sleep
        self._lock = threading.Lock()  # of everything below
        self._next = -math.inf  # when the next query may be sent
        self._lines: dict[str, threading.Lock] = {}  # one a query, so that equal ones wait for one answer
        self._kept: dict[str, tuple[int, Found]] = {}  # by query, with the limit it was asked with

    def search(self, query: str, limit: int) -> Found:
        """The best `limit` results. Raises CommandError, in words for the model, where no engine answered."""
        query = plain(query)
        if not query:
            raise CommandError("The query is empty. Say in a few words what to search for.")
        if len(query) > QUERY:
            raise CommandError(f"The query has {len(query)} characters; engines take at most {QUERY}. Use fewer words.")
        with self._lock:
            line = self._lines.setdefault(query, threading.Lock())
        with line:
            asked, found = self._kept.get(query, (0, None))
            if found is None or (asked < limit and len(found.hits) == asked):
                found = self._ask(query, limit)
                self._kept[query] = limit, found
        return replace(found, hits=found.hits[:limit])

    def _ask(self, query: str, limit: int) -> Found:
        if not self._engines:
            raise CommandError("No search engine is set up. Browse a page you know.")
        until = self._clock() + WHOLE_S
        mute: list[str] = []  # who gave no answer and why
        left_for = ""  # the reason to go on to another engine, until it is told
        for engine in self._engines:
            if self._rests(engine) or not self._wait_turn(until) or self._rests(engine):
                mute.append(self._why_not(engine))
                continue
            if left_for:
                self._notify(f"{left_for}; asking {engine.name} instead")
                left_for = ""
            try:
                found = engine.search(query, limit, min(EACH_S, until - self._clock()))
            except Unanswered as error:
                self._let_rest(engine, error)
                left_for = f"{engine.name} {engine.because}"
                mute.append(left_for)
            else:
                with self._lock:
                    engine.refused, engine.rests_until = 0, -math.inf
                return replace(found, notes=(*mute, *found.notes))
        raise CommandError(self._nobody(mute))

    def _rests(self, engine: "_Asked") -> bool:
        with self._lock:
            return engine.rests_until > self._clock()

    def _wait_turn(self, until: float) -> bool:
        """Wait until a query may be sent; False where that is too late."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            if turn >= until:
                return False
            self._next = turn + PAUSE_S
        if turn > now:
            self._sleep(turn - now)
        return True

    def _let_rest(self, engine: "_Asked", error: Unanswered) -> None:
        now = self._clock()
        with self._lock:
            engine.because = one_line(str(error), 200)
            if not error.rest or engine.rests_until > now:  # two threads met the same block
                return
            wait = min(FIRST_REST_S * 2**engine.refused, LONGEST_REST_S)
            engine.refused = min(engine.refused + 1, 10)
            engine.rests_until = now + max(wait, error.retry_after_s)

    def _why_not(self, engine: "_Asked") -> str:
        with self._lock:
            rests = engine.rests_until > self._clock()
        return f"{engine.name} {engine.because}" if rests else f"{engine.name} was not asked, the time was up"

    def _nobody(self, mute: Sequence[str]) -> str:
        with self._lock:
            waits = [engine.rests_until - self._clock() for engine in self._engines]
        soonest = min(waits)
        again = f"in {math.ceil(soonest)} s" if soonest > 0 else "later"
        return (
            f"No search engine answered: {', '.join(mute)}. This does NOT mean that nothing exists. "
            f"Try again {again}, or browse a page you know."
        )


@dataclass
class _Asked:
    """A provider and how it fared: how often it refused in a row, and until when it is left alone."""

    provider: Provider
    refused: int = 0
    rests_until: float = -math.inf
    because: str = ""

    @property
    def name(self) -> str:
        return one_line(self.provider.name, 60)

    def search(self, query: str, limit: int, timeout_s: float) -> Found:
        try:
            found = _in_time(lambda: self.provider.search(query, limit, timeout_s), timeout_s + GRACE_S)
            hits, notes = clean(found.hits), tuple(one_line(note, 300) for note in found.notes)
        except Unanswered:
            raise
        except Exception as error:  # a plugin raises anything
            raise Unanswered(f"failed ({type(error).__name__})", rest=False) from error
        if found.hits and not hits:
            raise Unanswered("gave results without a web address", rest=False)
        return Found(hits, self.name, notes)


def _in_time(call: Callable[[], Found], timeout_s: float) -> Found:
    """What `call` returns or raises. It is left to itself where it takes longer: a lookup of a name can't be cut."""
    done: SimpleQueue[Found | Exception] = SimpleQueue()

    def run() -> None:
        try:
            done.put(call())
        except Exception as error:  # noqa: BLE001  # raised where it is waited for
            done.put(error)

    threading.Thread(target=run, daemon=True, name="search").start()
    try:
        result = done.get(timeout=timeout_s)
    except Empty as error:
        raise silent() from error
    if isinstance(result, Exception):
        raise result
    return result


def plain(query: str) -> str:
    """The query as it is sent and remembered: one spelling of each letter, on one line."""
    spaced = "".join(" " if unicodedata.category(char)[0] == "C" and char not in JOINERS else char for char in query)
    return " ".join(unicodedata.normalize("NFC", spaced).split())
