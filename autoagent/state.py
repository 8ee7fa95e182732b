"""The state of a run: a fold over its events. Pure; the same events always give the same state."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Literal

from autoagent.budget import Limits, Usage
from autoagent.claims import Evidence
from autoagent.criteria import Criterion, Draft, Verdict
from autoagent.env import ABSENT
from autoagent.errors import JournalCorrupt
from autoagent.events import (
    ApprovalAsked,
    ApprovalGiven,
    CommandFinished,
    CommandStarted,
    Compacted,
    CriteriaJudged,
    CriteriaSet,
    Event,
    EvidenceChecked,
    FileChange,
    FilesChanged,
    FileState,
    FilesUndone,
    HandoverWritten,
    ModelCalled,
    ModelFailed,
    ModelReplied,
    NetworkAllowed,
    Outcome,
    PersonSaid,
    ReviewAsked,
    RuleKept,
    RunEnded,
    RunPaused,
    RunResumed,
    RunStarted,
    Setup,
)
from autoagent.rules import Rule
from autoagent.thoughts import CommandCall, Thought

GRANTED = "granted before"  # who allowed what a "y N" covers
REVIEWED = "Not run: a critic looked first. Think again; where it agrees, give the same commands again."
UNREADABLE_IN_A_ROW = 3  # replies; they end a run
NAMED = 20  # paths in a note
ENDED_CHARS = 1_000  # of why a result was not accepted
COUNTED = 3  # replies whose counts are believed together
MOST_CALIBRATION = 4.0  # no tokenizer needs more; an endpoint that says so miscounts
# None needs less: then it left out what it had cached, or our count was the bound by bytes.
LEAST_CALIBRATION = 1 / 3
SHRINKS = 0.8  # of the count before, though more was sent: more than two texts differ by

Status = Literal[
    "new", "running", "reached", "unreached", "stalled", "limit", "waiting", "paused", "unavailable", "error"
]


@dataclass(frozen=True)
class Observation:
    """What came of one command. `id` is "STEP.NUMBER"; what a person said has an id that starts with "p"."""

    id: str
    call: CommandCall | None
    outcome: Outcome
    text: str
    tokens: int
    artifact: str = ""
    wrote: str = ""
    outside: bool = False


@dataclass(frozen=True)
class Step:
    """What the model said and what came of it; the unit that memory keeps or drops whole.

    `number` is 0 for a message from a person between two steps.
    """

    number: int
    said: str
    tokens: int
    observations: tuple[Observation, ...]

    @property
    def total_tokens(self) -> int:
        return self.tokens + sum(o.tokens for o in self.observations)


@dataclass(frozen=True)
class PendingCall:
    """A command that has no observation yet, and how far it has come."""

    id: str
    call: CommandCall
    asked_for: CommandCall | None = None  # by the model, where a person edited it
    asked: str = ""  # digest of what was shown
    allowed: bool | None = None
    approved: str = ""  # digest of what was allowed
    by: str = ""
    reason: str = ""
    started: CommandStarted | None = None
    checked: bool = False  # of the end of a run: the runtime's own checks were made
    evidence: Evidence | None = None  # and the claims looked up
    reviewed: bool = False  # and what no command decides was judged


@dataclass(frozen=True)
class Pending:
    """The step under way: calls still to do, observations made so far, in order."""

    step: Step
    calls: tuple[PendingCall, ...]
    review: bool = False

    @property
    def question(self) -> PendingCall | None:
        """The call that waits for a person's answer, if one does."""
        call = self.calls[0]
        return call if call.asked and call.allowed is None else None


@dataclass(frozen=True)
class Counted:
    """What the API counted of one model's newest requests: `ratios` to our counts; of the last, both counts."""

    ratios: tuple[float, ...] = ()
    estimated: int = 0
    input_tokens: int = 0


@dataclass(frozen=True)
class State:
    """Everything that is true of a run. `summarized` counts the first steps that `summary` stands for."""

    run_id: str = ""
    goal: str = ""
    name: str = ""
    role: str = ""
    setup: Setup | None = None
    limits: Limits = Limits()
    system: str = ""
    nonce: str = ""
    status: Status = "new"
    reason: str = ""
    result: str = ""
    claimed: str = ""  # a result that was not accepted
    files: tuple[str, ...] = ()
    step: int = 0
    steps: tuple[Step, ...] = ()
    thought: Thought | None = None
    plan: tuple[str, ...] = ()  # the last one that the model gave
    criteria: tuple[Criterion, ...] = ()
    draft: Draft | None = None  # of criteria, that is not settled yet
    settled: bool = False  # the criteria are: also where there are none
    verdicts: tuple[Verdict, ...] = ()  # the newest of each criterion, by its number
    reviews: int = 0  # rounds
    evidence: Evidence | None = None  # of the newest result that was looked up
    gaps: int = 0  # results in which something had no evidence
    noted: tuple[str, ...] = ()  # reports that say at their end what of them has no evidence
    unused: ModelReplied | None = None  # of a review or a hand-over, that nothing came of yet
    acted: bool = False  # a command was started that does more than read
    handover: HandoverWritten | None = None
    handed_over: int = 0  # the step after which it was written
    handover_told: bool = False  # the model has read it
    pending: Pending | None = None
    summary: str = ""
    summary_tokens: int = 0
    summarized: int = 0
    usage: Usage = Usage()
    at_most: int = 0  # calls whose reply nobody saw: they count as all that was reserved for them
    last_step: Usage = Usage()  # what the newest reply took
    open_call: ModelCalled | None = None
    worked_s: float = 0.0
    counted: dict[str, Counted] = field(default_factory=dict[str, Counted])  # by model
    too_long: int = 0  # context overflows in a row
    failures: int = 0  # failed tries of the model in a row
    unreadable: int = 0  # replies in a row
    rules: tuple[Rule, ...] = ()
    granted: int = 0  # commands allowed beforehand by "y N"
    seen: dict[str, str] = field(default_factory=dict[str, str])  # path: fingerprint when last read or written
    wrote: tuple[str, ...] = ()
    made: tuple[str, ...] = ()  # those of them that were not there before
    removed: tuple[str, ...] = ()  # that the run had not made
    put_back: tuple[str, ...] = ()  # files that a program had changed and might not
    moved: tuple[tuple[str, str], ...] = ()  # names of files before and after, where the run only moved them
    outside: str = ""  # id of the first observation that came from outside the workspace, or what it started among
    guarded_from: int = 0  # steps before this one no longer count as repetitions
    messages: frozenset[str] = frozenset()  # ids of inbox messages already in the journal
    started_at: str = ""
    seq: int = 0

    @property
    def question(self) -> PendingCall | None:
        return self.pending.question if self.pending else None


def fold(events: Iterable[Event], start: State = State()) -> State:
    return reduce(apply, events, start)


def apply(state: State, event: Event) -> State:
    """The state after `event`. Raises JournalCorrupt for an event that can't follow."""
    state = replace(state, seq=event.seq, messages=_taken(state, event))
    match event:
        case RunStarted() | RunResumed() | RunPaused() | RunEnded():
            return _apply_to_run(state, event)
        case ModelCalled():
            return replace(state, usage=state.usage + _lost(state), at_most=_unseen(state), open_call=event)
        case ModelReplied():
            return _apply_reply(state, event)
        case ModelFailed():
            usage = state.usage + (_lost(state) if event.may_be_billed else Usage())
            state = replace(state, at_most=_unseen(state) if event.may_be_billed else state.at_most)
            worked = state.worked_s + event.seconds + (event.wait_s or 0)
            if event.too_long and state.open_call:  # what it counted before is not believed any more
                state = replace(state, counted=state.counted | {state.open_call.model: Counted()})
            too_long, failures = state.too_long + event.too_long, state.failures + 1
            return replace(state, usage=usage, open_call=None, worked_s=worked, too_long=too_long, failures=failures)
        case NetworkAllowed():
            return state
        case CriteriaSet():
            return replace(state, criteria=event.criteria, draft=None, settled=True)
        case CriteriaJudged() | EvidenceChecked():
            return _apply_to_ending(state, event)
        case HandoverWritten():
            return replace(state, handover=event, handed_over=state.step, handover_told=False, unused=None)
        case RuleKept():
            return replace(state, rules=(*state.rules, Rule(action=event.action, text=event.rule)))
        case PersonSaid():
            return _apply_message(state, event)
        case Compacted():
            return replace(state, summary=event.summary, summary_tokens=event.tokens, summarized=event.upto)
        case FilesChanged():
            noted = (*state.noted, *(change.path for change in event.changed if event.note))
            return _wrote(_with_put_back(replace(state, noted=noted), event.put_back), event.changed)
        case FilesUndone():
            return _tell_of_undo(state, event)
        case ReviewAsked() | ApprovalAsked() | ApprovalGiven() | CommandStarted() | CommandFinished():
            return _apply_to_pending(state, event)


def _taken(state: State, event: Event) -> frozenset[str]:
    message_id = getattr(event, "message_id", "")
    return state.messages | {message_id} if message_id else state.messages


def _lost(state: State) -> Usage:
    """What a call without a recorded reply may have cost: all that was reserved for it."""
    return state.open_call.reserved if state.open_call else Usage()


def _unseen(state: State) -> int:
    return state.at_most + (state.open_call is not None)


def _apply_to_ending(state: State, event: CriteriaJudged | EvidenceChecked) -> State:
    """What was found out of a result that is to end the run."""
    state = replace(state, worked_s=state.worked_s + event.seconds)
    match event:
        case EvidenceChecked():
            gaps = state.gaps + bool(event.evidence.without)
            state = replace(state, evidence=event.evidence, gaps=gaps, noted=())
            found = {"evidence": event.evidence}
        case CriteriaJudged():
            new = {verdict.criterion: verdict for verdict in event.verdicts}
            kept = {verdict.criterion: verdict for verdict in state.verdicts} | new
            reviews = max(state.reviews, event.round)
            verdicts = tuple(kept[number] for number in sorted(kept))
            state = replace(state, verdicts=verdicts, reviews=reviews, unused=None if event.round else state.unused)
            found = {"reviewed" if event.round else "checked": True}
    pending = state.pending
    if pending is None:
        return state
    calls = tuple(replace(call, **found) if call.id == event.call_id else call for call in pending.calls)
    return replace(state, pending=replace(pending, calls=calls))


def _apply_to_run(state: State, event: RunStarted | RunResumed | RunPaused | RunEnded) -> State:
    match event:
        case RunStarted():
            return replace(
                state,
                run_id=event.run_id,
                goal=event.goal,
                name=event.name,
                role=event.role,
                setup=event.setup,
                limits=event.limits,
                system=event.system,
                nonce=event.nonce,
                usage=event.usage,
                started_at=event.at,
                outside=event.outside,
                status="running",
            )
        case RunResumed():
            state = _tell_of_handover(_tell_of_changes(state, event), event)
            moved = bool(event.setup and state.setup and event.setup.base_url != state.setup.base_url)
            return replace(
                state,
                counted={} if moved else state.counted,
                setup=event.setup or state.setup,
                limits=event.limits or state.limits,
                system=event.system or state.system,
                usage=state.usage + _lost(state),
                at_most=_unseen(state),
                open_call=None,
                status="running",
                reason="",
                failures=0,
                unreadable=0,
                too_long=0,
                granted=0,
                guarded_from=len(state.steps),
                reviews=0 if state.status in ("unreached", "stalled") else state.reviews,  # a person begins anew
            )
        case RunPaused():
            return replace(state, status=event.status, reason=event.reason, worked_s=state.worked_s + event.seconds)
        case RunEnded():
            told = (
                f"Your result was not accepted. {event.result[:ENDED_CHARS]}"
                if event.claimed
                else "You ended the run here."
            )
            state = _close(state, "ok", told, len(told) // 2 + 80)
            text = {"result" if event.status == "reached" else "reason": event.result}
            text |= {"claimed": event.claimed}
            return replace(state, status=event.status, files=event.files, granted=0, **text)


def _tell_of_changes(state: State, event: RunResumed) -> State:
    """The model reads which files are no longer as it saw them, unless a command is under way that finds out itself."""
    if not event.changed or state.pending:
        return state
    changed = ", ".join(event.changed)
    text = f"While the run stood still, others changed: {changed}. Read them again before you use them."
    note = Observation(f"n{event.seq}", None, "ok", text, len(text) // 3 + 20)
    return replace(state, steps=(*state.steps, Step(0, "", 0, (note,))))


def _tell_of_handover(state: State, event: RunResumed) -> State:
    """The model reads where the run stood, unless a command is under way that comes first."""
    if state.handover is None or state.handover_told or state.pending:
        return state
    text = handover_words(state.handover)
    note = Observation(f"n{event.seq}h", None, "ok", text, len(text) // 2 + 20)
    return replace(state, handover_told=True, steps=(*state.steps, Step(0, "", 0, (note,))))


def handover_words(event: HandoverWritten) -> str:
    """A hand-over as the model reads it when the run goes on."""
    parts = [("Done", "; ".join(event.done)), ("Open", "; ".join(event.open)), ("Next", event.next)]
    parts.append(("Files written so far", ", ".join(event.files[:NAMED])))
    lines = [f"{label}: {text}" for label, text in parts if text]
    return "\n".join(["The run stood still at a limit and goes on now. Where it stood:", *lines])


def _tell_of_undo(state: State, event: FilesUndone) -> State:
    """The model reads which of its changes are gone, and no longer counts as having seen these files."""
    paths = [change.path for change in event.changed]
    state = replace(state, seen={path: seen for path, seen in state.seen.items() if path not in paths})
    state = _wrote(state, event.changed) if event.redo else _without(state, {*paths})
    if state.pending:
        return state
    shown = ", ".join(paths[:NAMED]) + (f" and {len(paths) - NAMED} more" if len(paths) > NAMED else "")
    verb = "brought back" if event.redo else "took back"
    text = f"A person {verb} changes of this run: {shown or 'many files'}. Read files again before you use them."
    note = Observation(f"n{event.seq}", None, "ok", text, len(text) // 3 + 20)
    return replace(state, steps=(*state.steps, Step(0, "", 0, (note,))))


def _apply_reply(state: State, event: ModelReplied) -> State:
    called = state.open_call
    state = replace(
        state,
        usage=state.usage + event.usage,
        open_call=None,
        worked_s=state.worked_s + event.seconds,
        failures=0,
        too_long=0,
    )
    if event.purpose == "review":
        told = f"{REVIEWED}\n{event.said}"
        return _close(state, "skipped", told, event.tokens + 80)
    if event.purpose != "step":
        return replace(state, unused=event) if event.purpose in ("acceptance", "handover") else state
    if called and not event.usage_estimated:
        state = _calibrate(state, called, event.usage.input_tokens)
    state = replace(state, last_step=event.usage)
    number = state.step + 1
    if event.thought is None:
        problem = Observation(f"{number}.1", None, "failed", event.problem, event.tokens)
        step = Step(number, event.said, 0, (problem,))
        return replace(state, step=number, steps=(*state.steps, step), unreadable=state.unreadable + 1)
    calls = tuple(PendingCall(f"{number}.{i}", call) for i, call in enumerate(event.thought.commands, 1))
    step = Step(number, event.said, event.tokens, ())
    plan = event.thought.plan or state.plan
    if event.thought.draft and not state.settled and not state.acted:  # what has to be true is said before the work
        state = replace(state, draft=event.thought.draft)
    return replace(state, step=number, thought=event.thought, plan=plan, pending=Pending(step, calls), unreadable=0)


def _calibrate(state: State, called: ModelCalled, input_tokens: int) -> State:
    """A count that can't be of all that was sent (an endpoint leaves out what it had cached) is as if it were ours."""
    estimated = called.estimated_tokens
    ratio = min(MOST_CALIBRATION, input_tokens / max(1, estimated))
    before = state.counted.get(called.model, Counted())
    shrank = before.estimated <= estimated and input_tokens < SHRINKS * before.input_tokens
    if ratio < LEAST_CALIBRATION or shrank:
        ratio = max(1.0, ratio)
    counted = Counted((*before.ratios, ratio)[-COUNTED:], estimated, input_tokens)
    return replace(state, counted=state.counted | {called.model: counted})


def _apply_message(state: State, event: PersonSaid) -> State:
    said = Observation(f"p{event.seq}", None, "ok", event.text, event.tokens)
    if state.pending is None:
        return replace(state, steps=(*state.steps, Step(0, "", 0, (said,))))
    if state.question:
        state = _close(state, "skipped", "Not run: the person gave advice instead. Read it and think again.")
        return replace(state, steps=(*state.steps, Step(0, "", 0, (said,))))
    return replace(state, pending=_observe(state.pending, said))


def _observe(pending: Pending, observation: Observation) -> Pending:
    step = replace(pending.step, observations=(*pending.step.observations, observation))
    return replace(pending, step=step)


def _close(state: State, outcome: Outcome, text: str, tokens: int = 80) -> State:
    """End the step under way: every call that is still to do gets the same observation.

    `tokens` bounds `text` and its framing.
    """
    pending = state.pending
    if pending is None:
        return state
    for call in pending.calls:
        pending = _observe(pending, Observation(call.id, call.call, outcome, text, tokens))
        text, tokens = "Not run, for the same reason.", 60
    return replace(state, pending=None, steps=(*state.steps, pending.step))


def _apply_to_pending(
    state: State, event: ReviewAsked | ApprovalAsked | ApprovalGiven | CommandStarted | CommandFinished
) -> State:
    pending = state.pending
    if pending is None:
        raise JournalCorrupt(f"event {event.seq}: {event.type}, but no command is pending")
    if isinstance(event, ReviewAsked):
        return replace(state, pending=replace(pending, review=True))
    at = next((i for i, call in enumerate(pending.calls) if call.id == event.call_id), None)
    if at is None:
        raise JournalCorrupt(f"event {event.seq}: {event.type} for {event.call_id}, which is not pending")
    call = pending.calls[at]
    match event:
        case ApprovalAsked():
            call = replace(call, asked=event.digest, allowed=None, approved="")
        case ApprovalGiven():
            edited = call.call if event.args is None else call.call.model_copy(update={"args": event.args})
            state = replace(state, granted=max(event.more if event.allowed else 0, state.granted))
            if event.args is not None:
                call = replace(call, asked_for=call.asked_for or call.call)
            call = replace(
                call, call=edited, allowed=event.allowed, approved=event.digest, by=event.by, reason=event.reason
            )
        case CommandStarted():
            acted = state.acted or bool(event.path or event.sandbox or not event.repeatable)
            state = replace(state, granted=state.granted - (event.allowed_by == GRANTED), acted=acted)
            call = replace(call, started=event)
        case CommandFinished():
            return _apply_finish(state, pending, at, event)
    calls = (*pending.calls[:at], call, *pending.calls[at + 1 :])
    return replace(state, pending=replace(pending, calls=calls))


def _change_of_old(event: CommandFinished, call: PendingCall) -> tuple[FileChange, ...]:
    """What a journal says that is from before changes were kept."""
    if not event.wrote or event.changed_artifact:
        return ()
    before = "absent" if call.started and call.started.before == ABSENT else "file"
    return (FileChange(path=event.wrote, before=FileState(kind=before), after=FileState(kind="file")),)


def _wrote(state: State, changed: Sequence[FileChange]) -> State:
    """Files that the run wrote or made and that are still there; those of a command with many changes aren't named."""
    state, changed = _moved(state, changed)
    gone = {change.path for change in changed if change.after.kind == "absent"}
    files = [change for change in changed if change.after.kind == "file"]
    if not files and not gone:
        return state
    there = {change.path for change in files}
    removed = [path for path in state.removed if path not in there]
    removed += sorted(c.path for c in changed if c.path in gone - {*state.made} and c.before.kind == "file")
    state = replace(state, removed=tuple(dict.fromkeys(removed)))
    known = tuple(path for path in state.wrote if path not in gone)
    made = tuple(path for path in state.made if path not in gone)
    new = [change for change in files if change.path not in known]
    wrote = (*known, *(change.path for change in new))
    return replace(state, wrote=wrote, made=(*made, *(c.path for c in new if c.before.kind == "absent")))


def _with_put_back(state: State, paths: Sequence[str]) -> State:
    return replace(state, put_back=tuple(dict.fromkeys((*state.put_back, *paths)))) if paths else state


def _without(state: State, paths: set[str]) -> State:
    """As if the run had done nothing to these files."""
    return replace(
        state,
        wrote=tuple(path for path in state.wrote if path not in paths),
        made=tuple(path for path in state.made if path not in paths),
        removed=tuple(path for path in state.removed if path not in paths),
        moved=tuple(pair for pair in state.moved if paths.isdisjoint(pair)),
    )


def _moved(state: State, changed: Sequence[FileChange]) -> tuple[State, Sequence[FileChange]]:
    """Without files that only have another name now, unless the run had written them."""
    gone = {c.before.sha256: c.path for c in changed if c.before.kind == "file" and c.after.kind == "absent"}
    moves: dict[str, str] = {}
    for change in changed:
        source = gone.get(change.after.sha256) if change.after.kind == "file" else None
        if source and change.before.kind == "absent" and source not in state.wrote:
            moves[source] = change.path
    if not moves:
        return state, changed
    first = {target: source for source, target in state.moved}
    kept = tuple((source, target) for source, target in state.moved if target not in moves)
    again = tuple((first.get(source, source), target) for source, target in moves.items())
    named = {*moves, *moves.values()}
    left = [change for change in changed if change.path not in named]
    return replace(state, moved=(*kept, *((a, b) for a, b in again if a != b))), left


def _apply_finish(state: State, pending: Pending, at: int, event: CommandFinished) -> State:
    pending_call = pending.calls[at]
    call = pending_call.call
    wrote = event.wrote or (event.changed[0].path if event.changed else "")
    observation = Observation(
        event.call_id, call, event.outcome, event.text, event.tokens, event.artifact, wrote, event.outside
    )
    state = replace(state, outside=state.outside or (event.call_id if event.outside else ""))
    pending = replace(_observe(pending, observation), calls=(*pending.calls[:at], *pending.calls[at + 1 :]))
    state = replace(state, pending=pending, worked_s=state.worked_s + event.seconds, seen=state.seen | event.seen)
    changed = event.changed or _change_of_old(event, pending_call)
    state = _wrote(_with_put_back(state, event.put_back), changed)
    if not pending.calls:
        return replace(state, pending=None, steps=(*state.steps, pending.step))
    if event.ends_batch:
        return _close(state, "skipped", "Not run, because the command before it did not succeed.")
    return state
