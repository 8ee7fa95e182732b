"""The story of a run, step by step: thoughts, commands and what came of them, what people said, compactions. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from autoagent.budget import Usage
from autoagent.criteria import check_words
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
)
from autoagent.export.parts import Block, Chapter, Entry, Kind, Row
from autoagent.history.changes import changes_of
from autoagent.runs import call_in_short
from autoagent.state import Observation, State, apply
from autoagent.terminal.figures import price
from autoagent.terminal.steps import file_words, kept_words, noted_words
from autoagent.terminal.words import counted, duration, joined, thousands
from autoagent.thoughts import CommandCall, Thought, plan_mark

VERDICTS = {"met": "met", "unmet": "not met", "unclear": "cannot tell", "person": "a person decides"}
Artifact = Callable[[str], str]  # reads a text that is kept beside the journal


@dataclass
class _Open:
    """A chapter that is being told."""

    number: int
    at: str = ""
    usage: Usage = Usage()
    entries: list[Entry] = field(default_factory=list[Entry])


def chapters(events: Sequence[Event], artifact: Artifact) -> tuple[list[Chapter], State]:
    """What happened, and the state that it came to."""
    found: dict[int, _Open] = {}
    state, step = State(), 0
    told = _Teller(artifact, {event.call_id for event in events if isinstance(event, CommandStarted) and event.path})
    for event in events:
        before, state = state, apply(state, event)
        if isinstance(event, ModelCalled | Compacted) and before.pending is None:
            step = before.step + 1
        chapter = found.setdefault(step, _Open(step, event.at))
        chapter.usage += _used(before.usage, state.usage)
        chapter.entries += told.entries(event, before)
    for number, entry in _without_end(state, told.finished):
        found.setdefault(number, _Open(number)).entries.append(entry)
    made = [Chapter(one.number, at_words(one.at), price(one.usage), tuple(one.entries)) for one in found.values()]
    return [chapter for chapter in made if chapter.entries], state


def at_words(at: str) -> str:
    """`2026-11-29 18:44:35 UTC`, the same wherever it is made."""
    return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M:%S} UTC" if at else ""


def _used(before: Usage, after: Usage) -> Usage:
    return Usage.model_construct(**{name: value - getattr(before, name) for name, value in after})


class _Teller:
    """Turns events into entries; remembers what a command was until its end is known."""

    def __init__(self, artifact: Artifact, writes: set[str]):
        self.artifact, self.writes = artifact, writes  # ids of commands whose difference is shown with its file
        self.finished: set[str] = set()
        self._started: dict[str, CommandStarted] = {}

    def entries(self, event: Event, before: State) -> Iterable[Entry]:
        match event:
            case ModelReplied():
                return _reply(event, before)
            case ModelFailed():
                again = "" if event.wait_s is None else f"tried again after {duration(event.wait_s)}"
                return [Entry("problem", f"No reply: {event.problem}", again)]
            case CommandStarted():
                self._started[event.call_id] = event
                return []
            case CommandFinished():
                self.finished.add(event.call_id)
                return [self._command(event, before)]
            case ApprovalAsked():
                preview = "" if event.call_id in self.writes else event.preview
                shown = _blocks(("what was shown", preview, "diff", True))
                return [Entry("note", f"{event.call_id} {event.call.name}: asked", event.reason, shown)]
            case ApprovalGiven():
                return [_answer(event)]
            case FilesChanged():
                told = noted_words(event) or "Changed by programs in the background"
                return [Entry("note", f"{told[:1].upper()}{told[1:]}", self._changed(event))]
            case FilesUndone():
                verb = "brought changes back" if event.redo else "took changes back"
                return [Entry("person", f"{event.by} {verb}", self._changed(event))]
            case _:
                return _between(event)

    def _command(self, event: CommandFinished, before: State) -> Entry:
        """A command with what came of it, the observation whole."""
        started = self._started.get(event.call_id)
        pending = before.pending.calls if before.pending else ()
        call = started.call if started else next((one.call for one in pending if one.id == event.call_id), None)
        text = self.artifact(event.artifact) if event.artifact else event.text
        facts = joined(
            event.outcome,
            counted(event.tokens, "token") if event.tokens else "",
            duration(event.seconds) if event.seconds >= 0.05 else "",
            "from outside the workspace" if event.outside else "",
            f"allowed by {started.allowed_by}" if started else "",
            started.sandbox if started else "",
            self._changed(event),
        )
        given = _arguments(call) if call else ""
        blocks = _blocks(("arguments", given, "lines", True), ("observed", text, "lines", True))
        return Entry(
            "command", _head(event.call_id, call), facts, (*blocks, *_blocks(("detail", event.detail, "lines", True)))
        )

    def _changed(self, event: CommandFinished | FilesChanged | FilesUndone) -> str:
        changed = changes_of(event, self.artifact)
        more = f"and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        return ", ".join(filter(None, (*map(file_words, changed[:_NAMED]), more)))


_NAMED = 12  # files in a line


def _blocks(*wanted: tuple[str, str, Kind, bool]) -> tuple[Block, ...]:
    """Blocks of the texts that say something."""
    return tuple(Block(label, text, kind, folded) for label, text, kind, folded in wanted if text.strip())


def _head(call_id: str, call: CommandCall | None) -> str:
    return f"{call_id} {call_in_short(call)}" if call else call_id


def _arguments(call: CommandCall) -> str:
    """Each argument by its name; "" where the head of the command says all."""
    given = {name: value for name, value in call.args.items() if value is not None}
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in given.items()
    }
    if call_in_short(call) == f"{call.name} {' '.join(texts.values())}".strip():
        return ""
    return "\n".join(f"{name}:{_indented(text)}" for name, text in texts.items())


def _indented(text: str) -> str:
    return f" {text}" if "\n" not in text else "\n" + "\n".join(f"  {line}" for line in text.split("\n"))


def _reply(event: ModelReplied, before: State) -> Iterator[Entry]:
    """A step's thought, or why it can't be used, or what a critic said; other calls are told by what came of them."""
    called, usage = before.open_call, event.usage
    cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
    facts = joined(
        called.model if called else "",
        f"{counted(usage.input_tokens, 'token')} in{cached}, {usage.output_tokens:,} out",
        "estimated" if event.usage_estimated else "",
        duration(event.seconds) if event.seconds >= 0.05 else "",
        price(usage),
    )
    if event.purpose == "step" and event.thought:
        yield Entry("thought", "Thought", facts, tuple(_thought(event.thought)))
    elif event.purpose == "step":
        yield Entry(
            "problem",
            f"The reply can't be used: {event.problem}",
            facts,
            _blocks(("reply", event.reply, "lines", True)),
        )
    elif event.purpose == "review":
        yield Entry("note", "A critic looked", facts, _blocks(("critic", event.reply, "prose", False)))


def _thought(thought: Thought) -> Iterator[Block]:
    plan = "\n".join(f"[{mark}] {text}" for mark, text in map(plan_mark, thought.plan))
    yield from _blocks(
        ("", thought.text, "prose", False),
        ("why", thought.reasoning, "prose", False),
        ("plan", plan, "lines", False),
        ("doubt", thought.criticism, "prose", False),
        ("says", thought.speak, "prose", False),
    )


def _answer(event: ApprovalGiven) -> Entry:
    word = "yes" if event.allowed else "no"
    facts = joined(
        "with edited arguments" if event.args is not None else "",
        f"and the next {event.more}" if event.more else "",
    )
    edited = json.dumps(event.args, ensure_ascii=False, indent=2) if event.args is not None else ""
    blocks = _blocks(("", event.reason, "prose", False), ("edited arguments", edited, "lines", True))
    return Entry("person" if event.by != "policy" else "note", f"{event.call_id}: {word}, by {event.by}", facts, blocks)


def _between(event: Event) -> Iterator[Entry]:
    """What is no step and no command."""
    match event:
        case PersonSaid():
            yield Entry("person", f"{event.by} said", "", _blocks(("", event.text, "prose", False)))
        case ReviewAsked():
            yield Entry("person", f"{event.by} asked for a critic")
        case RuleKept():
            yield Entry("person", f"{event.by}: {kept_words(event)}")
        case NetworkAllowed():
            yield Entry("person", f"{event.by}: programs may reach the network")
        case Compacted():
            yield _compaction(event)
        case CriteriaSet():
            texts = "\n".join(
                f"{i}. {criterion_words(one.text, check_words(one))}" for i, one in enumerate(event.criteria, 1)
            )
            yield Entry("note", f"Criteria set by {event.by}", "", _blocks(("", texts, "prose", False)))
        case CriteriaJudged():
            by = f"Criteria reviewed, round {event.round}" if event.round else "Criteria checked"
            texts = "\n".join(
                f"{one.criterion}. {VERDICTS[one.state]}: {one.proof}".rstrip(": ") for one in event.verdicts
            )
            yield Entry("note", by, "", _blocks(("", texts, "prose", False)))
        case EvidenceChecked():
            yield Entry("note", "Evidence looked up", event.evidence.in_words() or "nothing claimed")
        case HandoverWritten():
            texts = "\n".join(f"{label}: {text}" for label, text in handover_rows(event))
            yield Entry("note", f"Hand-over written by the {event.by}", "", _blocks(("", texts, "prose", False)))
        case RunPaused():
            yield Entry("note", f"Stopped: {event.status}", event.reason)
        case RunResumed():
            changed = f"changed by others: {', '.join(event.changed)}" if event.changed else ""
            yield Entry("note", "Resumed", changed)
        case RunEnded():
            reason = "" if event.status == "reached" else event.result
            yield Entry("note", f"Ended: {event.status}", "", _blocks(("", reason, "prose", False)))
        case _:
            return


def _compaction(event: Compacted) -> Entry:
    sizes = f"{thousands(event.tokens_before)} to {thousands(event.tokens_after)} tokens"
    steps = f"steps up to {event.upto} are now a summary" if event.upto > 1 else "step 1 is now a summary"
    facts = joined(f"by {event.by}", steps, f"kept {event.kept}")
    return Entry("note", f"Compacted {sizes}", facts, _blocks(("summary", event.summary, "prose", True)))


def criterion_words(text: str, how: str) -> str:
    return f"{text} ({how})" if how and how != text else text


def handover_rows(event: HandoverWritten) -> list[Row]:
    rows = [*(("Done", text) for text in event.done), *(("Open", text) for text in event.open)]
    rows += [("Next", event.next)] if event.next else []
    return [*rows, *([("Files", ", ".join(event.files))] if event.files else [])]


def _without_end(state: State, finished: set[str]) -> Iterator[tuple[int, Entry]]:
    """Commands whose end no event tells: the rest of a batch that was not run, and those still to do."""
    steps = [*state.steps, *([state.pending.step] if state.pending else [])]
    for step in steps:
        for one in step.observations:
            if one.call and one.id not in finished:
                yield step.number, _observed(one)
    for call in state.pending.calls if state.pending else ():
        how = (
            "started, its end is not known" if call.started else "waits for an answer" if call.asked else "not run yet"
        )
        number = state.pending.step.number if state.pending else 0
        yield (
            number,
            Entry(
                "command", _head(call.id, call.call), how, _blocks(("arguments", _arguments(call.call), "lines", True))
            ),
        )


def _observed(one: Observation) -> Entry:
    arguments = _arguments(one.call) if one.call else ""
    blocks = _blocks(("arguments", arguments, "lines", True), ("observed", one.text, "lines", True))
    return Entry("command", _head(one.id, one.call), one.outcome, blocks)
