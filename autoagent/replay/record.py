"""The journal of a replay: what the loop writes is compared with what was recorded, and nothing is kept."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from autoagent.errors import JournalCorrupt
from autoagent.events import (
    ApprovalGiven,
    CriteriaSet,
    Event,
    FilesUndone,
    ModelCalled,
    ModelReplied,
    NetworkAllowed,
    PersonSaid,
    ReviewAsked,
    RuleKept,
    RunPaused,
    RunResumed,
    RunStarted,
)
from autoagent.journal import Journal
from autoagent.replay.difference import Difference, difference_of
from autoagent.state import State, apply

SECRET = "that is kept secret here"  # part of what a model is told of a thought with a known secret
COST = "cost limit: "
_BETWEEN = (RunStarted, RunResumed, FilesUndone)  # written while no loop is at work
_BY_LOOP = ("model", "the goal")
_SAID = (PersonSaid, ApprovalGiven, ReviewAsked, RuleKept, NetworkAllowed)


class Over(BaseException):
    """The replay goes no further: the record ends, its process ended here, or now it is another run.

    No Exception, so that nothing on the way takes it for a failure of a command or a model.
    """

    def __init__(self, difference: Difference | None = None):
        super().__init__()
        self.difference = difference


class Record(Journal):
    """Journal of a replay. After a comparison the recorded event is what counts, with its times.

    `until` is the step after which it is over.
    """

    def __init__(self, folder: Path, events: Sequence[Event], *, until: int | None = None):
        self.folder, self.path = folder, folder / "journal.jsonl"
        self.observers: list[Callable[[Event, State], None]] = []
        self.mask: Callable[[str], str] = str  # it was masked when it was recorded
        self.state = State()
        self._events, self._until = events, until
        self._file = self._lock = -1  # none is held

    @property
    def next(self) -> Event | None:
        """The recorded event that is to come."""
        seq = self.state.seq
        return self._events[seq] if seq < len(self._events) else None

    @property
    def before(self) -> Sequence[Event]:
        """All that was recorded up to now."""
        return self._events[: self.state.seq]

    @property
    def is_done(self) -> bool:
        """Whether it is over: at the end of the record, or after the step that was asked for."""
        until = self._until is not None and self.state.step >= self._until and self.state.pending is None
        return until or self.next is None

    @property
    def at(self) -> int:
        """The step that the next event belongs to."""
        return self.state.step + (self.state.pending is None and self.state.status == "running")

    def after(self) -> Event | None:
        """The one after the next."""
        seq = self.state.seq + 1
        return self._events[seq] if seq < len(self._events) else None

    def append(self, event: Event) -> State:
        """Compare what happens now with the record. Raises Over."""
        recorded = self.expected()
        found = difference_of(self.at, recorded, event)
        if found and not self._cannot_be_known(recorded, event):
            raise Over(found)
        return self.take()

    def take(self) -> State:
        """The recorded event as it is."""
        event = self.expected(between=True)
        try:
            self.state = apply(self.state, event)
        except JournalCorrupt as error:
            raise JournalCorrupt(f"{self.path}: {error}") from None
        for observer in self.observers:
            observer(event, self.state)
        return self.state

    def expected(self, *, between: bool = False) -> Event:
        """The recorded event that is to come. Raises Over where there is none, or the process that wrote it ended."""
        event = self.next
        if event is None or self.is_done or (self.is_between and not between):
            raise Over
        return event

    @property
    def is_between(self) -> bool:
        return isinstance(self.next, _BETWEEN)

    @property
    def is_said(self) -> bool:
        """Whether the next event is what a person sent, or what a command line gave."""
        event = self.next
        given = isinstance(event, CriteriaSet) and event.by not in _BY_LOOP
        return given or isinstance(event, _SAID) or bool(getattr(event, "message_id", ""))

    def keep(self, text: str) -> str:
        """The name that the text would have."""
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def differs(self, now: str, note: str = "") -> Over:
        """For raising: what happens now is nothing like the record."""
        event = self.expected()
        return Over(Difference(self.at, event.seq, event.type, "", event.type, now, note))

    def _cannot_be_known(self, recorded: Event, now: Event) -> bool:
        """What hangs on the moment or the price of the first call, or on secrets, which no journal holds."""
        match recorded, now:
            case RunPaused(status="limit"), RunPaused(status="limit") if self.state.step == 0:
                return recorded.reason.startswith(COST) and now.reason.startswith(COST)
            case ModelCalled(purpose="step"), ModelCalled(purpose="step") if self.state.step == 0:
                # the tokenizer may still have been loading: then bytes bounded the tokens
                same = (recorded.model, recorded.tail) == (now.model, now.tail)
                return same and recorded.estimated_tokens >= now.estimated_tokens
            case ModelReplied(), ModelReplied():
                return SECRET in recorded.problem
            case _:
                return False
