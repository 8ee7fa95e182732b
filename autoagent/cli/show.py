"""`autoagent show`: which run, which part of it, and in which of its views."""

import sys
from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path

import click

from autoagent.cli.claims import claims_page
from autoagent.cli.completion import complete_run
from autoagent.cli.cost import print_cost
from autoagent.cli.outcome import with_marks
from autoagent.cli.page import NO_LIMIT, Page, print_bytes, when
from autoagent.cli.prompt import print_prompt
from autoagent.cli.step import LABEL, Moment, Undoable, step_lines, undo_of
from autoagent.cli.story import story_table
from autoagent.cli.why import print_why
from autoagent.errors import ConfigError
from autoagent.events import Compacted, ModelCalled, RunStarted
from autoagent.figures import figures
from autoagent.journal import read
from autoagent.places import find_run, is_live, runs_folder
from autoagent.state import State, apply
from autoagent.terminal.criteria import WRITERS, done_when_lines, handover_lines
from autoagent.terminal.ending import ending
from autoagent.terminal.inert import json_escaped
from autoagent.terminal.layout import Line, foreign, labelled, line, one_line
from autoagent.terminal.words import counted, is_planned, joined, spent


@click.command("show")
@click.argument("run", metavar="RUN", shell_complete=complete_run)
@click.option("--step", type=click.IntRange(min=1), metavar="N", help="One step in full: thought, commands, results.")
@click.option("--prompt", is_flag=True, help="What the model saw in that step, to the byte, and tokens by section.")
@click.option("--why", type=click.IntRange(min=1), metavar="N", help="Why each command of a step ran or did not.")
@click.option("--claims", is_flag=True, help="Each claim of the result with the passage that shows it, in context.")
@click.option("--cost", is_flag=True, help="Every call of a model: tokens in, cached, out, dollars.")
@click.option("--json", "as_json", is_flag=True, help="The events as the journal has them, one JSON object a line.")
def show(run: str, step: int | None, prompt: bool, why: int | None, claims: bool, cost: bool, as_json: bool) -> None:
    """Show what a run did, step by step. RUN may be the start of its id, or `last`; it may be at work.

    \b
    autoagent show last
    autoagent show 7f3a --step 4
    autoagent show 7f3a --step 4 --prompt
    autoagent show 7f3a --why 4
    autoagent show 7f3a --claims
    """
    pages = [
        name for name, asked in (("--why", why), ("--prompt", prompt), ("--claims", claims), ("--cost", cost)) if asked
    ]
    if len(pages) > 1:
        raise ConfigError(f"{' and '.join(pages)} are {len(pages)} pages: ask for one of them")
    if why and step not in (None, why):
        raise ConfigError(f"--why {why} and --step {step} name two steps: give one")
    folder = find_run(runs_folder(), run)
    if claims and step:
        raise ConfigError("--claims is of the whole run: leave --step out")
    story = moments(folder)
    if not story:
        raise ConfigError(f"run {folder.name} never started. Delete it: autoagent runs delete {folder.name}")
    step = why or step
    chosen = _of_step(story, step) if step else story
    if why:
        print_why(folder, chosen, why, story[-1].after, as_json=as_json)
    elif prompt:
        print_prompt(folder, chosen, as_json=as_json)
    elif claims:
        claims_page(folder, again=False, as_json=as_json)
    elif cost:
        print_cost(chosen, whole=not step, as_json=as_json)
    elif as_json:
        _print_events(folder, {moment.event.seq for moment in chosen})
    elif step:
        page = Page()
        page.print(*step_lines(folder, chosen, step, story[-1].after))
    else:
        _print_story(folder, story)


def moments(folder: Path) -> list[Moment]:
    """All that happened, in order. Raises JournalCorrupt."""
    found: list[Moment] = []
    state, step = State(), 0
    for event in read(folder):
        before, state = state, apply(state, event)
        handover = isinstance(event, ModelCalled) and event.purpose == "handover"  # of the step before it
        if isinstance(event, ModelCalled | Compacted) and before.pending is None and not handover:
            step = before.step + 1
        found.append(Moment(event, step, before, state))
    return found


def _of_step(story: Sequence[Moment], step: int) -> list[Moment]:
    found = [moment for moment in story if moment.step == step]
    if not found:
        run, last = story[-1].after.run_id, story[-1].step
        raise ConfigError(f"run {run} has no step {step}; " + (f"its last is {last}" if last else "it has none yet"))
    return found


def _print_story(folder: Path, story: Sequence[Moment]) -> None:
    page, live, state = Page(), is_live(folder), story[-1].after
    undo = undo_of(folder, (moment.event for moment in story))
    page.print(*_head(story, live=live, columns=page.columns), "")
    page.print(*story_table(story, page.columns, live=live, narrow=page.narrow))
    if state.criteria and not state.verdicts:
        page.print("", *done_when_lines(state.criteria, in_short=is_planned(state.setup)))
    if state.status == "reached":
        page.print("", line("Result"), *foreign(with_marks(state.result, state)))
    elif state.claimed:
        page.print("", line("Result, not accepted"), *foreign(with_marks(state.claimed, state)))
    if state.handover and state.status == "limit":
        page.print("", line(f"Hand-over, by {WRITERS[state.handover.by]}"), *handover_lines(state.handover))
    if live and state.status == "running":
        page.print("", labelled("Stop", f"autoagent stop {state.run_id}", width=LABEL))
    else:
        told_above = replace(state, claimed="", handover=None)
        ending(page, told_above, figures(moment.event for moment in story), undo=undo.words)
    page.print(*_see(state, undo, width=LABEL - page.narrow))


def _head(story: Sequence[Moment], *, live: bool, columns: int) -> list[Line]:
    state = story[-1].after
    status = state.status if live or state.status != "running" else "paused (was interrupted)"
    goal = one_line(state.goal, 2_000 if columns == NO_LIMIT else 400)
    began, ended = when(story[0].event.at), when(story[-1].event.at)
    day = "" if ended.date() == began.date() else f"{ended.day} {ended:%b} "
    until = f"-{day}{ended:%H:%M}" if f"{ended:%d%H%M}" != f"{began:%d%H%M}" else ""
    time = f"{began.day} {began:%b %H:%M}{until}"
    model = state.setup.model if state.setup else ""
    start = story[0].event
    forked = f"forked from {start.forked_from}" if isinstance(start, RunStarted) and start.forked_from else ""
    told = joined(time, model, spent(state.usage, state.limits), counted(state.step, "step"), forked)
    return [line(joined(f"Run {state.run_id}", status, state.name, goal), rest=2), line(told, rest=2)]


def _see(state: State, undo: Undoable, *, width: int) -> list[Line]:
    """What else there is to look at, by commands that exist."""
    if not state.step:
        return []
    run = f"autoagent show {state.run_id}"
    return [
        labelled("See", f"{run} --step {state.step}", width=width),
        labelled("", f"{run} --step {state.step} --prompt", width=width),
        labelled("", f"{run} --why {state.step}", width=width),
        *([labelled("", f"{run} --claims", width=width)] if state.evidence and state.evidence.total else []),
        labelled("", f"{run} --cost   or  --json", width=width),
        *([labelled("Undo", f"autoagent undo {state.run_id}", width=width)] if undo.files else []),
    ]


def _print_events(folder: Path, wanted: Container[int]) -> None:
    """The journal's own lines; on a terminal what it would obey is escaped, which keeps the JSON but not its bytes."""
    escaped = sys.stdout.isatty()
    with (folder / "journal.jsonl").open("rb") as file:
        for number, text in enumerate(file, 1):
            if number in wanted:
                print_bytes(json_escaped(text.decode()).encode() if escaped else text)
