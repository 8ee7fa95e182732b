"""The same loop over a record: contexts are built, replies read, limits decided anew; all else answers from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from autoagent import __version__, build, prompts
from autoagent.agent import Agent
from autoagent.errors import CommandError, ConfigError, JournalCorrupt
from autoagent.events import Event, ModelCalled, RunStarted
from autoagent.executor import Executor
from autoagent.journal import artifact, read
from autoagent.memory import FRAMING_TOKENS
from autoagent.registry import Command
from autoagent.replay.answers import Counter, RecordedExecutor, RecordedModel, RecordedPeople, price_of
from autoagent.replay.difference import Difference
from autoagent.replay.record import Over, Record
from autoagent.replay.recording import is_own
from autoagent.state import State, fold

Observer = Callable[[Event, State], None]


@dataclass(frozen=True)
class Replayed:
    """How far it came: `state` is what stood there. `whole`: to the end of the record, and the same all the way."""

    state: State
    difference: Difference | None
    whole: bool
    notes: tuple[str, ...] = ()


def replay(
    folder: Path,
    *,
    until: int | None = None,
    observers: Sequence[Observer] = (),
    commands: Sequence[Command[..., Any]] = (),
    notify: build.Notify = lambda _: None,
) -> Replayed:
    """Play the record in `folder` up to its end, the step `until`, or the first difference.

    Nothing is sent, run or written. `commands` are those that were given to the run beside the built-in ones.
    Raises JournalCorrupt or JournalTooNew for a record that can't be read, ConfigError for one without a start.
    """
    events = list(read(folder))
    if not events or not isinstance(events[0], RunStarted):
        raise ConfigError(f"{folder}: the record holds no start of a run")
    started, told = events[0], 0

    def observe(event: Event, state: State) -> None:
        nonlocal told
        if event.seq > told:  # the start may be played twice
            told = event.seq
            for observer in observers:
                observer(event, state)

    def play(*, loading: bool) -> Replayed:
        record = Record(folder, events, until=until)
        record.observers.append(observe)
        player = _Player(record, events, loading=loading, commands=commands, notify=notify)
        difference = player.play()
        return Replayed(record.state, difference, whole=difference is None and record.next is None)

    played = play(loading=False)
    if played.difference and not played.state.step:  # bytes bounded the first request, perhaps
        again = play(loading=True)
        played = again if again.state.seq > played.state.seq else played
    notes = list[str]()
    if started.version != __version__:
        notes.append(f"recorded by autoagent {started.version}; this is {__version__}")
    return replace(played, notes=tuple(notes))


@dataclass
class _Player:
    record: Record
    events: Sequence[Event]
    loading: bool
    commands: Sequence[Command[..., Any]]
    notify: build.Notify

    def play(self) -> Difference | None:
        """One loop after another, as the run was resumed; what differs, if anything."""
        try:
            while self.record.next is not None:
                while self.record.is_between:
                    self.record.take()
                self._work()
        except Over as over:
            return over.difference
        return None

    def _work(self) -> None:
        """One process's part of the run. Raises Over where the record does not go on as it does now."""
        before, agent = self.record.state.seq, self._agent()
        try:
            agent.run()
        except Over as over:
            if over.difference:
                raise Over(replace(over.difference, note=self._why(agent, over.difference))) from None
            if self.record.is_done:
                raise
            if not self.record.is_between:  # nothing of a run goes on after its process ended, until it is resumed
                raise self.record.differs("run_resumed") from None
            return
        if self.record.next is not None and self.record.state.seq == before and not self.record.is_between:
            raise self.record.differs(f"the run stands: {self.record.state.status} {self.record.state.reason}".strip())

    def _agent(self) -> Agent:
        state, record = self.record.state, self.record
        setup = state.setup
        assert setup is not None
        own = is_own(record.folder)
        known = setup if own else setup.model_copy(update={"plugins": ()})  # nothing of ours is loaded for a stranger
        registry = build.make_registry(known, self.notify, self.commands)
        model = self._model(setup.model)
        writes_prose = setup.model != build.OFFLINE
        can_judge = writes_prose or bool(setup.review_model)
        executor = RecordedExecutor(record, registry, setup, model.count, can_judge)
        own_prompts = build.own_prompts(setup) if own else None
        agent = Agent(
            record,
            model,
            cast(Executor, executor),  # it does all that the loop asks of one
            RecordedPeople(record),
            prompts=prompts.Prompts(
                system=artifact(record.folder, state.system),
                summary=prompts.load("summary", own_prompts),
                review=prompts.load("review", own_prompts),
                acceptance=prompts.load("acceptance", own_prompts),
                handover=prompts.load("handover", own_prompts),
            ),
            text_of=_not_read,
            fast_model=self._other(setup.fast_model),
            review_model=self._other(setup.review_model),
            escalate_model=self._other(setup.escalate_model),
            writes_prose=writes_prose,
        )
        self._know_fixed_part(agent, model)
        return agent

    def _other(self, name: str) -> RecordedModel | None:
        return self._model(name) if name else None

    def _model(self, name: str) -> RecordedModel:
        price = price_of(self.events, name, self.record)
        return RecordedModel(name, self.record, counter(name), price, self.loading)

    def _know_fixed_part(self, agent: Agent, model: RecordedModel) -> None:
        """Another version had other commands and another schema: what they took then is what counts."""
        start = self.events[0]
        if isinstance(start, RunStarted) and start.version != __version__:
            tokens = fixed_tokens(self.events, self.record.state.system, agent.model)
            if tokens is not None:
                model.known[agent.fixed_text] = tokens

    def _why(self, agent: Agent, found: Difference) -> str:
        """What is behind a count that differs, where it is what stands before the steps."""
        if (found.event, found.field) != ("model_called", "estimated_tokens"):
            return ""
        then, now = (
            fixed_tokens(self.events, self.record.state.system, agent.model),
            agent.model.count(agent.fixed_text),
        )
        if then is None or then == now:
            return ""
        told = "The commands or the form of a reply are other ones now than when it was recorded."
        return f"Rules, commands, goal and the form of a reply took {then:,} tokens, and take {now:,} now. {told}"


def fixed_tokens(events: Sequence[Event], system: str, model: Counter) -> int | None:
    """What rules, commands and the reply's schema took, as the first exact count of a step tells; None without one."""
    state = State()
    for event in events:
        if isinstance(event, ModelCalled) and event.purpose == "step" and state.step and state.system == system:
            steps = sum(step.total_tokens for step in state.steps[state.summarized :])
            return event.estimated_tokens - steps - state.summary_tokens - model.count(event.tail) - 2 * FRAMING_TOKENS
        try:
            state = fold([event], state)
        except JournalCorrupt:  # a record with a hole, which is told where the loop comes to it
            return None
    return None


def _not_read(path: str) -> str:
    raise CommandError(f"{path} is not read again: what came of it is in the record")


def counter(model: str) -> Counter:
    """What counts this model's tokens; needs no network and no key."""
    if model == build.OFFLINE:
        from autoagent.models.offline import OfflinePlanner

        return OfflinePlanner()
    from autoagent.models.tokens import TokenCounter

    return TokenCounter(model)
