"""A run as Markdown that loads nothing where it is drawn: longer texts of others are fenced, short ones escaped."""

import re
from collections.abc import Iterable, Iterator, Sequence

from autoagent.criteria import STATES
from autoagent.export.parts import (
    Block,
    Chapter,
    Document,
    Entry,
    Row,
    ShownClaim,
    ShownCriterion,
    ShownFile,
    source_words,
)
from autoagent.export.story import VERDICTS, criterion_words
from autoagent.models.offline.reports import EXPORTED
from autoagent.terminal.inert import inert
from autoagent.terminal.layout import one_line
from autoagent.terminal.words import joined

_ACTIVE = re.compile(r"[\\`*_\[\]<>!|~#$]|&(?=#?\w+;)")
_ACTIVE_FIRST = re.compile(r"^(\s*)([-+=:]|\d{1,9}(?=[.)]))")


def as_markdown(shown: Document) -> str:
    goal = one_line(shown.goal, 300)
    parts = [f"<!-- {EXPORTED} -->", f"# {_plain(goal)}", _plain(shown.told)]
    parts += [] if goal == shown.goal.strip() else [_fenced(shown.goal)]
    for title, body in _sections(shown):
        parts += [f"## {title}", *body] if body else []
    return "\n\n".join(parts) + "\n"


def _sections(shown: Document) -> Iterator[tuple[str, list[str]]]:
    yield "Result" if shown.status == "reached" else "Why it ended", _result(shown)
    yield "Criteria", [_criterion(number, one) for number, one in enumerate(shown.criteria, 1)]
    yield "Evidence", list(_evidence(shown))
    yield "Hand-over", _rows(shown.handover)
    yield "Files", [part for file in shown.files for part in _file(file)]
    yield "Story", [part for chapter in shown.story for part in _chapter(chapter)]
    yield "Figures", _rows(shown.figures)
    yield "Setup", _rows(shown.facts)
    yield "Left out", _list(_plain(text) for text in shown.left_out)


def _result(shown: Document) -> list[str]:
    text = "".join(piece.text for piece in shown.result)
    return [_fenced(text)] if text else []


def _criterion(number: int, one: ShownCriterion) -> str:
    verdict = one.verdict
    sign = f"{STATES[verdict.state]} {VERDICTS[verdict.state]}" if verdict else "○ not looked at"
    lines = [f"{number}. **{sign}**: {_plain(criterion_words(one.criterion.text, one.how))}"]
    if verdict and verdict.proof:
        lines += [_quoted(verdict.proof), f"   {_plain(joined(verdict.source, f'by {verdict.by}'))}"]
    return "\n\n".join(lines)


def _evidence(shown: Document) -> Iterator[str]:
    if shown.evidence:
        yield _plain(shown.evidence)
    yield from map(_claim, shown.claims)
    if shown.loose:
        yield "Figures and names without a source:"
        yield from _list(f"{_plain(fact.kind)} **{_plain(fact.text)}** in {_plain(fact.where)}" for fact in shown.loose)


def _claim(one: ShownClaim) -> str:
    claim = one.claim
    sign = "✓ found" if claim.found else "✗ not found"
    quote = f"{one.before}{one.quote}{one.after}" if one.quote else claim.quote
    lines = [f"- **{sign}**: {_plain(claim.text)}", *([_quoted(quote)] if quote.strip() else [])]
    told = joined(source_words(claim), claim.problem)
    return "\n\n".join([*lines, f"   — {_plain(told)}"] if told else lines)


def _file(file: ShownFile) -> Iterator[str]:
    steps = f"step{'s' if len(file.steps) > 1 else ''} {', '.join(map(str, file.steps))}" if file.steps else ""
    yield f"- {_plain(file.path)}: {_plain(joined(file.became, steps))}"
    for step, text in file.diffs:
        yield f"Difference of step {step}:"
        yield _fenced(text, "diff")


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield f"### {f'Step {chapter.number}' if chapter.number else 'Before the first step'}"
    if told := joined(chapter.at, chapter.facts):
        yield _plain(told)
    for entry in chapter.entries:
        yield from _entry(entry)


def _entry(entry: Entry) -> Iterator[str]:
    yield joined(f"**{_plain(entry.head)}**", _plain(entry.facts))
    for block in entry.blocks:
        if block.label:
            yield f"{_plain(block.label)}:"
        yield _block(block)


def _block(block: Block) -> str:
    return _quoted(block.text, indent="") if block.kind == "prose" else _fenced(block.text, block.kind)


def _rows(rows: Sequence[Row]) -> list[str]:
    return _list(f"{_plain(label)}: {_plain(text)}" for label, text in rows)


def _list(items: Iterable[str]) -> list[str]:
    body = "\n".join(f"- {item}" for item in items)
    return [body] if body else []


def _quoted(text: str, indent: str = "   ") -> str:
    """A quote whose lines stay lines."""
    return "  \n".join(f"{indent}> {_plain(line)}" for line in text.strip("\n").split("\n"))


def _fenced(text: str, kind: str = "text") -> str:
    """The text as it is, between fences longer than any in it."""
    text = inert(text).strip("\n")
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{'diff' if kind == 'diff' else 'text'}\n{text}\n{fence}"


def _plain(text: str) -> str:
    """On one line, with whatever Markdown or HTML would act on escaped."""
    text = _ACTIVE.sub(lambda found: f"\\{found[0]}", inert(" ".join(text.split()), newlines=False))
    return _ACTIVE_FIRST.sub(lambda found: f"{found[1]}\\{found[2]}" if not found[2].isdigit() else found[0], text)
