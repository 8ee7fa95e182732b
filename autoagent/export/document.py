"""What is shown of a run, built once out of its events for every form that it is exported in. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePath
from urllib.parse import urlsplit

from autoagent import __version__
from autoagent.budget import Limits, dollars
from autoagent.claims import CheckedClaim, Evidence
from autoagent.criteria import check_words
from autoagent.events import ApprovalAsked, CommandStarted, Event, FileChange, RunStarted, Setup
from autoagent.evidence import Source, marked, passage, reads
from autoagent.evidence.marking import UNVERIFIED, UNVERIFIED_KO
from autoagent.evidence.quotes import places
from autoagent.export.clipping import clip, limit_for
from autoagent.export.parts import Block, Chapter, Document, Piece, Row, ShownClaim, ShownCriterion, ShownFile
from autoagent.export.story import Artifact, at_words, chapters, handover_rows
from autoagent.figures import Figures, figures
from autoagent.history.changes import deeds, net, step_of
from autoagent.masking import SHOWN
from autoagent.state import State
from autoagent.terminal.figures import cached_share, price
from autoagent.terminal.words import counted, duration, joined

TITLES = {
    "reached": "Goal reached",
    "unreached": "Goal not reached",
    "stalled": "Stalled: it went in circles",
    "limit": "Paused: a limit is reached",
    "waiting": "Waits for a person",
    "paused": "Paused",
    "unavailable": "Paused: the model did not answer",
    "error": "Stopped by an error",
    "running": "At work",
    "interrupted": "Interrupted: its process ended",
}
PURPOSES = {
    "step": "Steps",
    "summary": "Compaction",
    "review": "Criticism",
    "acceptance": "Acceptance review",
    "handover": "Hand-over",
    "goals": "Proposing goals",
}


def document(events: Sequence[Event], artifact: Artifact, *, live: bool) -> Document:
    """All of a run that is shown. `artifact` reads a kept text; the events and it are masked already.

    `live`: a process holds the run now. The events begin with the run's start.
    """
    story, state = chapters(events, artifact)
    files = _files(events, artifact)
    limit = limit_for([_size(text) for text in _long_texts(story, files)])
    clipped = _Clipped(limit)
    story, files = [clipped.chapter(one) for one in story], [clipped.file(one) for one in files]
    status = "interrupted" if state.status == "running" and not live else state.status
    found = {verdict.criterion: verdict for verdict in state.verdicts}
    return Document(
        run=state.run_id,
        goal=state.goal,
        status=status,
        told=joined(TITLES.get(status, status), counted(state.step, "step"), duration(state.worked_s)),
        result=_result(state),
        criteria=tuple(
            ShownCriterion(one, check_words(one), found.get(number)) for number, one in enumerate(state.criteria, 1)
        ),
        evidence=state.evidence.in_words() if state.evidence else "",
        claims=tuple(_claims(events, state.evidence, artifact)),
        loose=state.evidence.loose if state.evidence else (),
        handover=tuple(handover_rows(state.handover)) if state.handover else (),
        story=tuple(story),
        files=tuple(files),
        figures=tuple(_figures(figures(events), state)),
        facts=tuple(_facts(events, state)),
        left_out=tuple(_left_out(clipped)),
    )


def _result(state: State) -> tuple[Piece, ...]:
    """What the run came to, each fact without evidence marked; where it reached nothing, why."""
    if state.status != "reached":
        return (Piece(state.reason),) if state.reason.strip() else ()
    text = marked(state.result, state.evidence, state.goal) if state.evidence else state.result
    return tuple(Piece(part, mark=part in _MARKS) for part in _MARK.split(text) if part)


_MARKS = (UNVERIFIED, UNVERIFIED_KO)
_MARK = re.compile(f"({'|'.join(map(re.escape, _MARKS))})")


def _claims(events: Sequence[Event], evidence: Evidence | None, artifact: Artifact) -> Iterable[ShownClaim]:
    if not evidence or not evidence.claims:
        return
    read = reads(events, artifact)
    for claim in evidence.claims:
        source = read.source(claim.observation) if claim.found else None
        place = _place(claim, source) if source else None
        if source is None or place is None:
            yield ShownClaim(claim)
            continue
        around = passage(source.text, *place)
        before, quote, after = _in_three(around.text, around.start, around.end)
        step = step_of(source.id) if source.id[:1].isdigit() else 0
        yield ShownClaim(claim, step, before, quote, after)


def _place(claim: CheckedClaim, source: Source) -> tuple[int, int] | None:
    """Where the quote stands; looked for again where a masked secret before it may have moved it."""
    if SHOWN not in source.text:
        return claim.start, claim.end
    found = next(places(claim.quote, source.folded), None)
    return (found.start, found.end) if found else None


def _in_three(text: str, start: int, end: int) -> tuple[str, str, str]:
    return text[:start], text[start:end], text[end:]


def _files(events: Sequence[Event], artifact: Artifact) -> list[ShownFile]:
    """What became of each file, with the differences that the journal holds: none is read off a kept copy."""
    asked = {event.call_id: event.preview for event in events if isinstance(event, ApprovalAsked)}
    diffs: dict[str, list[tuple[int, str]]] = {}
    for event in events:
        if isinstance(event, CommandStarted) and event.path:
            text = event.diff or asked.get(event.call_id, "")
            diffs.setdefault(event.path, []).append((step_of(event.call_id), text))
    done = deeds(events, artifact)
    steps: dict[str, dict[int, None]] = {}
    for deed in done:
        for change in deed.changed if not deed.by_person else ():
            steps.setdefault(change.path, {})[deed.step] = None
    return [
        ShownFile(
            one.path,
            _became(one),
            tuple(steps.get(one.path, ())),
            tuple((step, text) for step, text in diffs.get(one.path, ()) if text.strip()),
        )
        for one in net(done)
        if {one.before.kind, one.after.kind} != {"folder", "absent"}
    ]


def _became(change: FileChange) -> str:
    if change.after.kind == "absent":
        return "removed"
    made = "made" if change.before.kind == "absent" else "changed"
    return f"{made}, {counted(change.after.size, 'byte')}" if change.after.kind == "file" else made


def _figures(took: Figures, state: State) -> Iterable[Row]:
    usage = took.usage
    yield "Calls of models", f"{usage.calls:,}"
    if took.lost:
        yield "No reply", f"{counted(took.lost, 'call')}, each counted with all that was reserved for it"
    cached = f", {cached_share(took)} of them from the provider's cache" if usage.cached_tokens else ""
    yield "Tokens in", f"{usage.input_tokens:,}{cached}"
    hidden = f", {usage.reasoning_tokens:,} of them hidden reasoning" if usage.reasoning_tokens else ""
    yield "Tokens out", f"{usage.output_tokens:,}{hidden}"
    yield "Dollars", price(usage) or "none"
    by_purpose = took.by_purpose
    for purpose, used in by_purpose.items() if len(by_purpose) > 1 else ():
        yield PURPOSES[purpose], joined(counted(used.calls, "call"), counted(used.tokens, "token"), price(used))
    yield "Time of the model", duration(took.model_s)
    yield "Time of commands", duration(took.commands_s)
    if took.checks_s:
        yield "Time of checks", duration(took.checks_s)
    if took.paused_s:
        yield "Waited for the model", duration(took.paused_s)
    yield "Limits", _limits(state.limits, state)


def _limits(limits: Limits, state: State) -> str:
    told = [
        f"{state.step} of {counted(limits.steps, 'step')}" if limits.steps is not None else "",
        f"{dollars(state.usage.cost_usd)} of {dollars(limits.cost_usd)}" if limits.cost_usd is not None else "",
        f"{state.usage.tokens:,} of {counted(limits.tokens, 'token')}" if limits.tokens is not None else "",
        f"{duration(state.worked_s)} of {duration(limits.time_s)}" if limits.time_s is not None else "",
    ]
    return joined(*told) or "none"


def _facts(events: Sequence[Event], state: State) -> Iterable[Row]:
    """How the run was set up. Of its address and folder only the names: the rest is nobody else's."""
    started, setup = events[0], state.setup
    if not isinstance(started, RunStarted) or setup is None:
        return
    rows = [
        ("Run", state.run_id),
        ("Name", state.name),
        ("Role", state.role),
        ("Started", at_words(started.at)),
        ("Last event", at_words(events[-1].at)),
        ("Model", setup.model),
        *_other_models(setup),
        ("Endpoint", _host(setup.base_url)),
        ("Workspace", PurePath(setup.workspace).name),
        (
            "Asked before",
            {"every": "every command", "acts": "acts", "sandboxed": "what no sandbox holds", "never": "nothing"}[
                setup.approve
            ],
        ),
        ("Programs held by", setup.sandbox),
        ("Review", setup.review),
        ("Evidence", setup.evidence),
        ("Text from outside", f"since {state.outside}" if state.outside else "none"),
        ("Written by", f"autoagent {started.version}"),
        ("Exported by", f"autoagent {__version__}"),
    ]
    yield from (row for row in rows if row[1])


def _other_models(setup: Setup) -> list[Row]:
    return [
        ("Fast model", setup.fast_model),
        ("Review model", setup.review_model),
        ("Escalation model", setup.escalate_model),
    ]


def _host(base_url: str) -> str:
    try:
        return urlsplit(base_url).hostname or ""
    except ValueError:
        return ""


class _Clipped:
    """Cuts long texts to a limit, and counts what is left out."""

    def __init__(self, limit: int):
        self.limit = limit
        self.texts, self.characters = 0, 0

    def chapter(self, chapter: Chapter) -> Chapter:
        entries = (replace(entry, blocks=tuple(map(self._block, entry.blocks))) for entry in chapter.entries)
        return replace(chapter, entries=tuple(entries))

    def file(self, file: ShownFile) -> ShownFile:
        return replace(file, diffs=tuple((step, self._text(text)) for step, text in file.diffs))

    def _block(self, block: Block) -> Block:
        return replace(block, text=self._text(block.text)) if block.kind != "prose" else block

    def _text(self, text: str) -> str:
        shown, left = clip(text, self.limit)
        self.texts += bool(left)
        self.characters += left
        return shown


def _long_texts(story: Sequence[Chapter], files: Sequence[ShownFile]) -> Iterable[str]:
    for chapter in story:
        for entry in chapter.entries:
            yield from (block.text for block in entry.blocks if block.kind != "prose")
    for file in files:
        yield from (text for _, text in file.diffs)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _left_out(clipped: _Clipped) -> Iterable[str]:
    yield "Copies of files from before the run, that undo keeps: they are never exported."
    yield "The files of the workspace themselves, but for the differences above."
    if clipped.texts:
        yield (
            f"{clipped.characters:,} characters of {counted(clipped.texts, 'long text')}, "
            f"each cut to {clipped.limit / 1_000:.1f} kB: whole in the zip (autoagent export RUN --zip)."
        )
    yield "What the model was sent word for word: in the zip's journal."
    yield "Known secrets: *** stands where one was."
