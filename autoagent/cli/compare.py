"""`autoagent compare`: two runs side by side: what they took, what came of them, and where they part."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click

from autoagent.cli.completion import complete_run
from autoagent.cli.outcome import with_marks
from autoagent.cli.page import NO_LIMIT, Page, print_json, table
from autoagent.errors import ConfigError
from autoagent.events import Event, FileChange, ModelReplied, RunStarted
from autoagent.history.changes import deeds, net
from autoagent.journal import artifact, read
from autoagent.places import find_run, is_live, runs_folder
from autoagent.runs import call_in_short
from autoagent.state import State, Step, fold
from autoagent.terminal.figures import price
from autoagent.terminal.layout import Line, Piece, cells, foreign, line, one_line, rows
from autoagent.terminal.words import counted, duration, joined
from autoagent.thoughts import Thought

GAP = 2  # columns between the two
SHOWN = 20  # files


@dataclass(frozen=True)
class Compared:
    """A run as it is compared. `thoughts` are what its replies said, by step; None for one that could not be read."""

    state: State
    status: str
    forked_from: str
    thoughts: Mapping[int, Thought | None]
    steps: Mapping[int, Step]
    changed: Mapping[str, FileChange]

    @property
    def name(self) -> str:
        return self.state.run_id


@dataclass(frozen=True)
class Parting:
    """The first step that is not the same in both; `what` says in which part of it."""

    step: int
    what: str


@click.command("compare")
@click.argument("first", metavar="RUN", shell_complete=complete_run)
@click.argument("second", metavar="RUN", shell_complete=complete_run)
@click.option("--json", "as_json", is_flag=True, help="Both as JSON.")
def compare(first: str, second: str, as_json: bool) -> None:
    """Two runs side by side: steps, cost, tokens, time, criteria, claims, files and results.

    \b
    autoagent compare 7f3a a41c
    autoagent compare 7f3a last --json

    Where one is a fork of the other, or both began alike, the first step that differs is named.
    """
    both = (_compared(find_run(runs_folder(), first)), _compared(find_run(runs_folder(), second)))
    parting = _parting(*both)
    if as_json:
        print_json(_as_json(both, parting))
        return
    page = Page()
    page.print(*_lines(both, parting, page.columns, narrow=page.narrow))


def _compared(folder: Path) -> Compared:
    events = list(read(folder))
    state = fold(events)
    if state.setup is None or not isinstance(events[0], RunStarted):
        raise ConfigError(f"run {folder.name} never started. Delete it: autoagent runs delete {folder.name}")
    interrupted = state.status == "running" and not is_live(folder)
    changed = net(deeds(events, lambda name: artifact(folder, name)))
    return Compared(
        state=state,
        status="paused" if interrupted else state.status,
        forked_from=events[0].forked_from,
        thoughts=_thoughts(events),
        steps={step.number: step for step in state.steps if step.number},
        changed={change.path: change for change in changed if change.after.kind != "folder"},
    )


def _thoughts(events: Sequence[Event]) -> dict[int, Thought | None]:
    replies = (event for event in events if isinstance(event, ModelReplied) and event.purpose == "step")
    return {number: reply.thought for number, reply in enumerate(replies, 1)}


def _parting(one: Compared, other: Compared) -> Parting | None:
    """Where the two are no longer the same; None where they are to the last step."""
    for step in range(1, max(one.state.step, other.state.step) + 1):
        for run, longer in ((one, other), (other, one)):
            if step not in run.thoughts:
                return Parting(step, f"only {longer.name} has it")
        if one.thoughts[step] != other.thoughts[step]:
            return Parting(step, "the thought")
        if _observed(one, step) != _observed(other, step):
            return Parting(step, "what came of it")
    return None


def _observed(run: Compared, step: int) -> list[tuple[str, str]]:
    found = run.steps.get(step)
    return [(o.outcome, o.text) for o in found.observations] if found else []


def _lines(
    both: tuple[Compared, Compared], parting: Parting | None, columns: int, *, narrow: bool
) -> Iterator[Line | str]:
    heads = ["", *(run.name for run in both)]
    yield from table([heads, *_figures(both)], columns, right=(), flexible=2)
    for run in both:
        if run.forked_from:
            yield line(f"{run.name} was forked from {run.forked_from}")
    yield line()
    yield from _parting_lines(both, parting)
    if files := list(_files(both)):
        yield line()
        yield from table(files[:SHOWN], columns, right=(), flexible=0)
        if len(files) > SHOWN:
            yield line(f"and {len(files) - SHOWN:,} more", first=2)
    yield line()
    apart = narrow or columns == NO_LIMIT
    yield from _one_by_one(both) if apart else _side_by_side(both, columns)


def _figures(both: Sequence[Compared]) -> list[tuple[str, str, str]]:
    found = [_figures_of(run) for run in both]
    return [(name, found[0][name], found[1][name]) for name in found[0] if found[0][name] or found[1][name]]


def _figures_of(run: Compared) -> dict[str, str]:
    state, usage, evidence = run.state, run.state.usage, run.state.evidence
    met = sum(verdict.state == "met" for verdict in state.verdicts)
    share = 100 * usage.cached_tokens // usage.input_tokens if usage.input_tokens else 0
    return {
        "Status": run.status,
        "Model": state.setup.model if state.setup else "",
        "Steps": f"{state.step:,}",
        "Cost": price(usage) or "no call",
        "Calls": f"{usage.calls:,}",
        "Tokens in": joined(f"{usage.input_tokens:,}", f"{share} % cached" if share else ""),
        "Tokens out": f"{usage.output_tokens:,}",
        "Time": duration(state.worked_s),
        "Criteria": f"{met} of {len(state.criteria)} met" if state.criteria else "",
        "Claims": evidence.in_words() if evidence else "",
        "Files": counted(len(run.changed), "file") if run.changed else "",
    }


def _parting_lines(both: tuple[Compared, Compared], parting: Parting | None) -> Iterator[Line]:
    if parting is None:
        yield line(f"The same in all {counted(both[0].state.step, 'step')}.")
        return
    alike = parting.step - 1
    before = f"The same up to step {alike}. " if alike else ""
    yield line(f"{before}Step {parting.step} is the first that differs: {parting.what}.")
    width = max(len(run.name) for run in both)
    for run in both:
        if parting.step in run.thoughts:
            yield line(Piece(run.name.ljust(width), "bold"), "  ", _step_words(run, parting), first=2, rest=4 + width)


def _step_words(run: Compared, parting: Parting) -> str:
    """What a run did in that step, in a line."""
    thought = run.thoughts[parting.step]
    if thought is None:
        return "a reply that could not be read"
    if parting.what == "what came of it":
        return "; ".join(one_line(f"{outcome}: {text}", 100) for outcome, text in _observed(run, parting.step))
    calls = ", ".join(call_in_short(call) for call in thought.commands)
    return joined(one_line(thought.text, 200), one_line(calls, 100))


def _files(both: tuple[Compared, Compared]) -> Iterator[tuple[str, str]]:
    one, other = (run.changed for run in both)
    for path in sorted({*one, *other}):
        if path not in other:
            yield path, f"only {both[0].name}"
        elif path not in one:
            yield path, f"only {both[1].name}"
        else:
            yield path, "the same in both" if one[path].after == other[path].after else "differs"


def _result(run: Compared) -> str:
    return with_marks(run.state.result, run.state) or run.state.reason or "no result yet"


def _one_by_one(both: Sequence[Compared]) -> Iterator[Line]:
    if _result(both[0]) == _result(both[1]):
        yield line(Piece("Both", "bold"))
        yield from foreign(_result(both[0]))
        return
    for run in both:
        yield line(Piece(run.name, "bold"))
        yield from foreign(_result(run))


def _side_by_side(both: Sequence[Compared], columns: int) -> Iterator[Line]:
    """Each result in its half; one that both have over the whole width."""
    if _result(both[0]) == _result(both[1]):
        yield from _one_by_one(both)
        return
    half = (columns - GAP) // 2
    left, right = ([run.name, *_wrapped(_result(run), half)] for run in both)
    for one, other in zip_longest(left, right, fillvalue=""):
        yield line(f"{one}{' ' * (half - cells(one) + GAP) if other else ''}{other}", rest=0)


def _wrapped(text: str, width: int) -> Iterator[str]:
    for part in foreign(text, indent=0):
        for row in rows(part, width):
            yield "".join(piece.text for piece in row)


def _as_json(both: tuple[Compared, Compared], parting: Parting | None) -> dict[str, Any]:
    return {
        "runs": [_run_as_json(run) for run in both],
        "same_steps": parting.step - 1 if parting else both[0].state.step,
        "first_difference": {"step": parting.step, "what": parting.what} if parting else None,
        "files": [{"path": path, "comes_to": came} for path, came in _files(both)],
    }


def _run_as_json(run: Compared) -> dict[str, Any]:
    state, usage, evidence = run.state, run.state.usage, run.state.evidence
    return {
        "run": run.name,
        "forked_from": run.forked_from,
        "status": run.status,
        "goal": state.goal,
        "model": state.setup.model if state.setup else "",
        "steps": state.step,
        "cost_usd": None if usage.unpriced_calls else round(usage.cost_usd, 8),
        "usage": usage.model_dump(),
        "seconds": round(state.worked_s, 3),
        "criteria": len(state.criteria),
        "criteria_met": sum(verdict.state == "met" for verdict in state.verdicts),
        "claims": evidence.total if evidence else 0,
        "claims_without_evidence": evidence.without if evidence else 0,
        "result": with_marks(state.result, state),
        "reason": state.reason,
    }
