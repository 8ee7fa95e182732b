"""One step in full: all that was said, asked, run and seen in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autoagent.budget import Usage
from autoagent.cli.page import when
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
    FilesUndone,
    HandoverWritten,
    ModelCalled,
    ModelFailed,
    ModelReplied,
    NetworkAllowed,
    PersonSaid,
    ReviewAsked,
    RuleKept,
    RunEnded,
    RunPaused,
    RunResumed,
    RunStarted,
)
from autoagent.history import changes
from autoagent.history.changes import deeds, net
from autoagent.journal import artifact
from autoagent.places import is_live
from autoagent.state import Observation, PendingCall, State
from autoagent.taint import host_of
from autoagent.terminal import criteria
from autoagent.terminal.calls import call_lines, diff_lines
from autoagent.terminal.figures import price
from autoagent.terminal.layout import Line, Piece, foreign, labelled, line
from autoagent.terminal.question import offers
from autoagent.terminal.steps import file_words, kept_words, noted_words, put_back_lines, what_changed
from autoagent.terminal.words import counted, duration, is_planned, joined, thousands
from autoagent.thoughts import CommandCall, plan_mark

LABEL = 11  # columns
_GUARD = "network guard"  # the control that lets no request go out


@dataclass(frozen=True)
class Moment:
    """An event, the step that it belongs to, and the states around it.

    A step begins with the first call of the model for it, or with the compaction that it needed; 0 is the start.
    """

    event: Event
    step: int
    before: State
    after: State

    @property
    def used(self) -> Usage:
        """What the event adds to the run's usage."""
        before, after = self.before.usage, self.after.usage
        return Usage.model_construct(**{name: value - getattr(before, name) for name, value in after})


def step_lines(folder: Path, chosen: Sequence[Moment], step: int, state: State) -> list[Line]:
    """Everything of a step: what was said, asked, run and seen, whole."""
    usage = sum((moment.used for moment in chosen), Usage())
    began = when(chosen[0].event.at)
    title = joined(
        f"Run {state.run_id}", f"step {step} of {state.step}", f"{began.day} {began:%b %H:%M:%S}", price(usage)
    )
    lines = [line(title, rest=2)]
    for moment in chosen:
        lines += _event_lines(folder, moment)
    finished = {m.event.call_id for m in chosen if isinstance(m.event, CommandFinished)}
    observations, left = came_of(state, step)
    for observation in observations:
        if observation.call and observation.id not in finished:
            lines += [
                line(),
                *_observation_lines(observation.id, observation.call, observation.outcome, observation.text),
            ]
    lines += [line(f"{call.id} {call.call.name}: {how_far(call, live=is_live(folder))}") for call in left]
    blank = line()
    return [one for one, before in zip(lines, [None, *lines], strict=False) if one != blank or before != blank]


def came_of(state: State, number: int) -> tuple[Sequence[Observation], Sequence[PendingCall]]:
    """Observations of a step, and its calls that have none yet."""
    if state.pending and state.pending.step.number == number:
        return state.pending.step.observations, state.pending.calls
    return next((step.observations for step in state.steps if step.number == number), ()), ()


def how_far(call: PendingCall, *, live: bool) -> str:
    if call.started:
        return "running" if live else "interrupted, outcome unknown"
    if call.asked and call.allowed is None:
        return "waits for an answer"
    return "not run yet"


def kept(event: Compacted) -> str:
    """What a compaction left as it was; journals say "1 newest steps"."""
    return f"kept {event.kept}".replace(" 1 newest steps", " 1 newest step")


def _event_lines(folder: Path, moment: Moment) -> list[Line]:
    event = moment.event
    match event:
        case ModelReplied():
            return [line(), *_reply_lines(moment, event)]
        case ModelFailed():
            again = "" if event.wait_s is None else f"tried again after {duration(event.wait_s)}"
            return [line(), line(joined(f"! no reply: {event.problem}", again, price(moment.used)), rest=2)]
        case Compacted():
            sizes = f"compacted {thousands(event.tokens_before)} to {thousands(event.tokens_after)} tokens"
            gone = f"steps up to {event.upto} are" if event.upto > 1 else "step 1 is"
            told = joined(sizes, f"by {event.by}", kept(event), f"{gone} now this summary")
            return [line(), line(told, rest=2), *foreign(event.summary)]
        case ApprovalAsked():
            offered = [offer for offer in offers(event.scopes) if offer.scope == "run"]
            scopes = [labelled("Offered", f"always: {offer.words}", width=LABEL) for offer in offered]
            head = line(f"{event.call_id} {event.call.name}: asked at {when(event.at):%H:%M:%S} ({event.reason})")
            return [line(), head, *diff_lines(event.preview, full=True)[: None if event.preview else 0], *scopes]
        case ApprovalGiven():
            more = f"and the next {event.more}" if event.more else ""
            edited = "with edited arguments" if event.args is not None else ""
            told = joined(f"{event.call_id}: {'yes' if event.allowed else 'no'}, by {event.by}", edited, more)
            args = call_lines(CommandCall(name="edited", args=event.args), full=True) if event.args is not None else []
            return [line(told, rest=2), *args, *(foreign(event.reason) if event.reason else [])]
        case CommandFinished():
            text = artifact(folder, event.artifact) if event.artifact else event.text
            call = next((call.call for call in _pending(moment.before) if call.id == event.call_id), None)
            facts = joined(
                _took(event.seconds), counted(event.tokens, "token"), f"wrote {event.wrote}" if event.wrote else ""
            )
            lines = [line(), *_observation_lines(event.call_id, call, event.outcome, text, facts)]
            return [*lines, *_detail_lines(event), *_changed_lines(changes_of(folder, event))]
        case CommandStarted():
            began = f"{event.call_id} {event.call.name}: started at {when(event.at):%H:%M:%S}"
            held = f", {held_words(event.sandbox)}" if event.sandbox else ""
            return [line(f"{began}, allowed by {event.allowed_by}{held}", rest=2)]
        case PersonSaid():
            return [line(), line(f"{event.by} said"), *foreign(event.text)]
        case ReviewAsked():
            return [line(f"{event.by} asked for a critic")]
        case CriteriaSet():
            return [
                line(),
                line(f"what has to be true, by {whose(event, moment.after)}"),
                *criteria.done_when_lines(event.criteria),
            ]
        case CriteriaJudged():
            return [line(), *criteria.judged_in_full(event, moment.after)]
        case EvidenceChecked():
            lines = criteria.evidence_lines(event.evidence) or [line("nothing is claimed", first=2)]
            return [line(), line(f"evidence looked up ({counted(event.evidence.facts, 'figure or name')})"), *lines]
        case HandoverWritten():
            return [line(), line(f"hand-over, by {criteria.WRITERS[event.by]}"), *criteria.handover_lines(event)]
        case NetworkAllowed():
            return [line(f"{event.by}: programs may reach the network", rest=2)]
        case RuleKept():
            return [line(f"{event.by}: {kept_words(event)}", rest=2)]
        case FilesChanged():
            what = noted_words(event) or what_changed(moment.before)
            told = line(f"{what}, seen at {when(event.at):%H:%M:%S}", rest=2)
            return [line(), told, *_changed_lines(changes_of(folder, event))]
        case FilesUndone():
            told = f"{event.by} {undone_words(folder, event)} at {when(event.at):%H:%M:%S}"
            return [line(), line(told, rest=2), *_changed_lines(changes_of(folder, event))]
        case RunPaused():
            return [line(), line(f"{event.status}: {event.reason}", rest=2)]
        case RunEnded():
            claimed = [line("the result that was given and not accepted:"), *foreign(event.claimed)]
            return [line(), line(f"ended: {event.status}"), *foreign(event.result), *(claimed if event.claimed else [])]
        case RunResumed():
            changed = f" · changed by others: {', '.join(event.changed)}" if event.changed else ""
            return [line(), line(f"resumed at {when(event.at):%H:%M:%S}{changed}", rest=2)]
        case RunStarted() | ModelCalled():
            return []


def whose(event: CriteriaSet, state: State) -> str:
    """Who gave the criteria: `terminal`, `model`, or `planner` where rules are behind that."""
    return "planner" if event.by == "model" and is_planned(state.setup) else event.by


def held_words(sandbox: str) -> str:
    """`held by bubblewrap, no network`, of what a CommandStarted says."""
    layer, _, network = sandbox.partition(", ")
    if layer == "none":
        return "unsandboxed"
    return f"held by {layer}, {'with the network' if network else 'no network'}"


def changes_of(folder: Path, event: CommandFinished | FilesChanged | FilesUndone) -> Sequence[FileChange]:
    return changes.changes_of(event, lambda name: artifact(folder, name))


@dataclass(frozen=True)
class Undoable:
    """What a run changed in the workspace and what can be taken back: how many files, and all of it in words."""

    files: int = 0
    words: str = ""


def undo_of(folder: Path, events: Iterable[Event]) -> Undoable:
    """`3 files can be put back; 1 web request cannot`; no words where the run changed no file, or all is put back."""
    acting = CommandStarted | CommandFinished | FilesChanged | FilesUndone
    events = [event for event in events if isinstance(event, acting)]
    started = {event.call_id: event for event in events if isinstance(event, CommandStarted)}
    finished = {event.call_id: event for event in events if isinstance(event, CommandFinished)}
    requests = sum(_went_out(event, finished.get(id)) for id, event in started.items())
    unheld = sum(event.sandbox == "none" or "network" in event.sandbox for event in started.values())
    changed = [one for one in net(deeds(events, lambda name: artifact(folder, name))) if not _is_folder(one)]
    if not changed:
        return Undoable()
    lost = sum(not one.before.kept for one in changed)
    counts = (("file", lost), ("web request", requests), ("program", unheld))
    cannot = ", ".join(counted(count, noun) for noun, count in counts if count)
    can = f"{counted(len(changed) - lost, 'file')} can be put back"
    return Undoable(len(changed) - lost, f"{can}; {cannot} cannot" if cannot else can)


def _went_out(started: CommandStarted, finished: CommandFinished | None) -> bool:
    """Whether it sent a request: what is refused for its own address did not, for one that a page led to it did."""
    if started.call.name not in REQUESTS:
        return False
    host = host_of(str(started.call.args.get("url", "")))
    return not (host and finished and finished.detail == _GUARD and host in finished.text)


def _is_folder(change: FileChange) -> bool:
    return {change.before.kind, change.after.kind} <= {"folder", "absent"}


REQUESTS = ("browse", "web_search", "download_file")


def undone_words(folder: Path, event: FilesUndone) -> str:
    count = counted(len(changes_of(folder, event)), "file")
    return f"{'brought back' if event.redo else 'took back'} {count}"


def _detail_lines(event: CommandFinished) -> list[Line]:
    """The control that stopped it or put something back, or what is for people only, such as a traceback."""
    if not event.detail:
        return []
    if event.outcome == "refused":
        return [labelled("Control", event.detail, width=LABEL)]
    return put_back_lines(event) or foreign(event.detail, indent=4)


def _changed_lines(changed: Sequence[FileChange]) -> list[Line]:
    if not changed:
        return []
    lost = [change.path for change in changed if not change.before.kept]
    told = joined(", ".join(map(file_words, changed)), f"not undoable: {', '.join(lost)}" if lost else "undoable")
    return [labelled("Changed", told, width=LABEL)]


def _took(seconds: float) -> str:
    return duration(seconds) if seconds >= 0.05 else ""


def _pending(state: State) -> Sequence[PendingCall]:
    return state.pending.calls if state.pending else ()


def _reply_lines(moment: Moment, event: ModelReplied) -> list[Line]:
    """A reply with its price: the thought and its commands, or why it could not be read, a summary, a review."""
    called, usage = moment.before.open_call, event.usage
    cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
    tokens = f"{counted(usage.input_tokens, 'token')} in{cached}, {usage.output_tokens:,} out"
    about = "estimated" if event.usage_estimated else ""
    facts = joined(called.model if called else "", tokens, about, _took(event.seconds), price(usage))
    lines = [labelled("Model", facts, width=LABEL)]
    if event.purpose != "step":
        text = foreign(event.reply) if event.purpose == "review" else []  # another event tells what came of the rest
        return [line(_PURPOSES[event.purpose]), *lines, *text]
    thought = event.thought
    if thought is None:
        return [*lines, line(f"! the reply can't be used: {event.problem}", rest=2), *foreign(event.reply, indent=4)]
    said = (
        ("Thought", thought.text),
        ("Why", thought.reasoning),
        ("Doubt", thought.criticism),
        ("Says", thought.speak),
    )
    plan = "\n".join(f"[{mark}] {text}" for mark, text in map(plan_mark, thought.plan))
    for label, text in (*said[:2], ("Plan", plan), *said[2:]):
        if text.strip():
            first, *more = text.strip().split("\n")
            lines += [
                labelled(label, first, width=LABEL),
                *foreign("\n".join(more), indent=LABEL)[: None if more else 0],
            ]
    for i, call in enumerate(thought.commands, 1):
        name, *args = call_lines(call, full=True)
        lines += [line(), replace(name, pieces=(Piece(f"{moment.step}.{i}  "), *name.pieces)), *args]
    return [*lines, line()]


_PURPOSES = {
    "summary": "A summary by the model",
    "review": "A review by the model",
    "acceptance": "A review of the result, by the model",
    "handover": "A hand-over by the model",
}


def _observation_lines(id: str, call: CommandCall | None, outcome: str, text: str, facts: str = "") -> list[Line]:
    head = joined(f"{id} {call.name if call else 'command'}: {outcome}", facts)
    return [line(head, rest=2), *foreign(text, indent=4)]
