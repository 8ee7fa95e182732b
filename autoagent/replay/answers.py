"""What answers from the record in the place of a model, of the commands, and of people."""

import contextlib
import math
from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from autoagent.budget import Usage
from autoagent.errors import ContextTooLong, ModelUnavailable
from autoagent.events import (
    ApprovalAsked,
    CommandFinished,
    CommandStarted,
    CriteriaJudged,
    CriteriaSet,
    Event,
    EvidenceChecked,
    FilesChanged,
    HandoverWritten,
    ModelCalled,
    ModelFailed,
    ModelReplied,
    RunEnded,
    RunPaused,
    Setup,
)
from autoagent.inbox import InboxMessage
from autoagent.memory import FRAMING_TOKENS, Count
from autoagent.models import Hear, Heard, Message, Pricing, Reply, unheard
from autoagent.programs import Progress
from autoagent.registry import Registry
from autoagent.replay import ending
from autoagent.replay.difference import Difference
from autoagent.replay.record import Over, Record
from autoagent.state import Pending, PendingCall, State

_OF_COMMANDS = (ApprovalAsked, CommandStarted, CommandFinished, FilesChanged)
_OF_ENDINGS = (*_OF_COMMANDS, CriteriaSet, CriteriaJudged, EvidenceChecked, RunEnded, ModelCalled, HandoverWritten)
_GIVES_UP = "give_up"


class Counter(Protocol):
    def count(self, text: str) -> int: ...
    def bound(self, text: str) -> int: ...


@dataclass(frozen=True)
class RecordedModel:
    """A Model whose replies and failures are those of the record. `known` holds counts that another version made.

    `loading`: the tokenizer was not there yet when the first request was built.
    """

    name: str
    record: Record
    counter: Counter
    price: Pricing | None
    loading: bool = False
    known: dict[str, int] = field(default_factory=dict[str, int])

    def count(self, text: str) -> int:
        found = self.known.get(text)
        return self.counter.count(text) if found is None else found

    def bound(self, text: str) -> int:
        return len(text.encode("utf-8", "surrogatepass")) if self.loading else self.count(text)

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: dict[str, Any],
        reply_tokens: int,
        timeout_s: float | None,
        hear: Hear = unheard,
    ) -> Reply:
        """What came then. Raises Over where nobody knows: the process died, or the record has a hole."""
        match self.record.expected():
            case ModelReplied() as replied:
                return Reply(replied.reply, replied.usage, replied.finish_reason, replied.usage_estimated)
            case ModelFailed(too_long=True) as failed:
                raise ContextTooLong(failed.problem)
            case ModelFailed(problem="cancelled"):
                if isinstance(self.record.after(), RunPaused):
                    raise KeyboardInterrupt  # which people's wish to stop explains
                self.record.take()
                raise Over
            case ModelFailed() as failed:
                again = failed.wait_s is not None
                raise ModelUnavailable(failed.problem, retryable=again, may_be_billed=failed.may_be_billed)
            case _:
                raise self.record.differs("model_replied or model_failed")

    def close(self) -> None: ...


@dataclass(frozen=True)
class RecordedPrice:
    """What the record says that a call cost; by the rates that follow from it where it says nothing of that call.

    Without any rate a call that is not in the record was too dear.
    """

    record: Record
    rates: tuple[float, float] | None  # of a token in and out

    def cost(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> float:
        event = self.record.next
        usage = event.reserved if isinstance(event, ModelCalled) else getattr(event, "usage", None)
        asked = (input_tokens, cached_tokens, output_tokens)
        if isinstance(usage, Usage) and (usage.input_tokens, usage.cached_tokens, usage.output_tokens) == asked:
            return usage.cost_usd
        if self.rates is None:
            return math.inf if isinstance(event, RunPaused) else 0.0
        return input_tokens * self.rates[0] + output_tokens * self.rates[1]


@dataclass(frozen=True)
class RecordedExecutor:
    """Stands for the Executor: what came of commands is taken from the record, nothing runs.

    What was found out at the end of a run (checks, evidence, a review) was found out in the world: that too. Whether
    it was enough for the end is decided anew. Without `can_judge` nothing but a person reviewed.
    """

    record: Record
    registry: Registry
    setup: Setup
    count: Count
    can_judge: bool

    def act(self, pending: Pending) -> None:
        """The recorded events of the next command, or of those that ran side by side."""
        call = pending.calls[0]
        command = self.registry.get(call.call.name)
        ends = command is not None and command.effect == "ends"
        mine = _OF_ENDINGS if ends else _OF_COMMANDS
        event = self.record.expected()
        if isinstance(event, RunPaused) and event.status in ("waiting", *(["limit"] if ends else [])):
            self.record.take()
            return
        if not isinstance(event, mine):
            raise self.record.differs(f"{call.id} {call.call.name} runs")
        self._take(event, call)
        while self._in_the_middle():
            event = self.record.expected()
            if not isinstance(event, (*mine, ModelReplied, ModelFailed)):
                return  # a stop, which people explain
            self._take(event, call)

    def answer(self, call: PendingCall, text: str, message_id: str) -> None:
        self.record.take()

    def asks_person(self, call: PendingCall) -> bool:
        return isinstance(self.record.next, CommandFinished)

    def end_programs(self) -> None:
        while isinstance(self.record.next, FilesChanged):
            self.record.take()

    def close(self) -> None: ...

    def _take(self, event: Event, call: PendingCall) -> None:
        if isinstance(event, CommandFinished) and event.tokens:
            self._compare("tokens", event, str(event.tokens), str(self.count(event.text) + FRAMING_TOKENS))
        if isinstance(event, CommandFinished) and event.outcome == "ok" and not self._has_begun(event.call_id):
            raise self.record.differs(f"command_started {event.call_id}")
        if isinstance(event, RunEnded) and event.status == "reached":
            self._reaches(event, call)
        if isinstance(event, CriteriaJudged) and ending.unasked(event, self.record.before):
            raise self.record.differs("model_called acceptance")
        self.record.take()

    def _reaches(self, event: RunEnded, call: PendingCall) -> None:
        """Raises Over where this call does not end the run as reached."""
        if call.call.name == _GIVES_UP:
            self._compare("status", event, event.status, "unreached")
        self._compare("result", event, event.result, str(call.call.args.get("result", event.result)))
        if lacks := ending.missing(self.record.state, self.record.before, call.id, can_judge=self.can_judge):
            raise self.record.differs(lacks)

    def _compare(self, name: str, event: Event, recorded: str, now: str) -> None:
        if recorded != now:
            raise Over(Difference(self.record.at, event.seq, event.type, name, recorded, now))

    def _has_begun(self, call_id: str) -> bool:
        pending = self.record.state.pending
        return pending is not None and any(call.started for call in pending.calls if call.id == call_id)

    def _in_the_middle(self) -> bool:
        """A command has begun and not ended, a reviewer is asked, or what it said was not judged yet."""
        state, event = self.record.state, self.record.next
        begun = state.pending is not None and any(call.started for call in state.pending.calls)
        return begun or state.open_call is not None or isinstance(event, CriteriaJudged)


@dataclass(frozen=True)
class RecordedPeople:
    """People whose answers, advice and wish to stop come when they came."""

    record: Record

    def messages(self) -> Iterable[InboxMessage]:
        while self.record.is_said:
            self.record.take()
        return ()

    def taken(self, message: InboxMessage) -> None: ...

    def wait(self, state: State) -> bool:
        return True

    def edit_criteria(self, state: State) -> bool:
        return self.record.is_said or bool(self.stop_reason)

    def sleep(self, seconds: float) -> None: ...

    def hear(self, heard: Heard, /) -> None: ...

    def watch(self, progress: Progress, /) -> None: ...

    @property
    def stop_reason(self) -> str:
        event = self.record.next
        return event.reason if isinstance(event, RunPaused) and event.status == "paused" else ""

    def interruptible(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()


def price_of(events: Iterable[Event], model: str, record: Record) -> RecordedPrice | None:
    """The price of a model as its recorded calls tell; None where nobody knew it."""
    found: list[Usage] = []
    called = ""
    for event in events:
        match event:
            case ModelCalled():
                called = event.model
                usage = event.reserved
            case ModelReplied():
                usage = event.usage
            case _:
                continue
        if called == model and usage.unpriced_calls:
            return None
        if called == model and not usage.cached_tokens:
            found.append(usage)
    return RecordedPrice(record, next(_rates(found), None))


def _rates(found: Sequence[Usage]) -> Generator[tuple[float, float]]:
    """Of a token in and out, from two calls that are not alike."""
    for one in found[:1]:
        for other in found[1:]:
            size = one.input_tokens * other.output_tokens - other.input_tokens * one.output_tokens
            if size:
                a = (one.cost_usd * other.output_tokens - other.cost_usd * one.output_tokens) / size
                b = (one.input_tokens * other.cost_usd - other.input_tokens * one.cost_usd) / size
                yield a, b
