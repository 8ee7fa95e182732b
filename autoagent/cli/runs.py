"""`autoagent runs`: the list of runs, and `runs delete`."""

import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from autoagent.cli.completion import complete_run
from autoagent.cli.page import NO_LIMIT, Page, age, print_json, table
from autoagent.errors import ConfigError, JournalLocked
from autoagent.places import find_run, runs_folder
from autoagent.runs import INTERRUPTED, RunSummary, list_runs
from autoagent.terminal.layout import cells, cut, one_line

SHOWN = 30  # runs; the others with --all
NARROW_CELLS = 12  # that a goal keeps beside its question
_UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


@click.group("runs", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="All runs and all that is known of each, as a JSON array.")
@click.option("--all", "show_all", is_flag=True, help=f"Not only the newest {SHOWN}.")
@click.pass_context
def runs(ctx: click.Context, as_json: bool, show_all: bool) -> None:
    """List runs: those that wait for you first, then those at work, then the newest.

    AGE is how long a run is in its state. A cost of ? is one that nobody knows. A run whose process died is
    shown as paused: resume goes on with it.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = list_runs(runs_folder())
    if as_json:
        print_json([_as_json(run) for run in found])
    elif not found:
        sys.stderr.write('No runs yet. Start one: autoagent run "Summarise ./notes with sources"\n')
    else:
        page = Page()
        shown = found if show_all else [run for i, run in enumerate(found) if i < SHOWN or run.status == "waiting"]
        page.print(
            *runs_lines(shown, page.columns, narrow=page.narrow), *_footer(found, len(found) - len(shown), page.columns)
        )


@runs.command("delete")
@click.argument("names", nargs=-1, metavar="[RUN…]", shell_complete=complete_run)
@click.option("--older-than", metavar="TIME", help="All runs without a change for so long: 90m, 12h, 30d, 8w.")
@click.option("--yes", is_flag=True, help="Do not ask. Needed where there is no terminal.")
def delete(names: Sequence[str], older_than: str | None, yes: bool) -> None:
    """Delete runs for good: their journal, texts and questions, and their undo. Files in the workspace stay as they
    are: what a deleted run changed can't be taken back any more.

    RUN may be the start of an id, or `last`. A run that is at work is not deleted.
    """
    if bool(names) == bool(older_than):
        raise ConfigError("say which runs: autoagent runs delete RUN…, or --older-than 30d")
    from autoagent.journal import delete_run

    folder = runs_folder()
    wanted = list(dict.fromkeys(find_run(folder, name) for name in names))
    if older_than:
        before_ns = time.time_ns() - _seconds(older_than) * 10**9
        wanted = [folder / run.run for run in list_runs(folder) if run.changed_ns < before_ns]
    if not wanted:
        sys.stderr.write(f"No run is older than {older_than}.\n")
        return
    if not yes and not _agreed(wanted):
        Page().print("Nothing was deleted.")
        return
    live: list[str] = []
    for run in wanted:
        try:
            delete_run(run)
        except JournalLocked:
            live.append(run.name)
            continue
        Page().print(f"deleted {run.name}")
    list_runs(folder)  # forgets them in the index too
    if live:
        them = "it is" if len(live) == 1 else "they are"
        raise JournalLocked(f"not deleted: {', '.join(live)}: {them} at work. First: autoagent stop {live[0]}")


def _agreed(wanted: Sequence[Path]) -> bool:
    """Whether a person says yes to what goes. Raises ConfigError where nobody can be asked."""
    from autoagent.cli.asking import can_ask, says_yes
    from autoagent.terminal.words import counted

    names = {run.name for run in wanted}
    waiting = [run.run for run in list_runs(wanted[0].parent) if run.run in names and run.status == "waiting"]
    waits = f", {len(waiting):,} of which wait{'s' if len(waiting) == 1 else ''} for you" if waiting else ""
    if len(wanted) == 1:
        waits = ", which waits for you" if waiting else ""
    what = f"{counted(len(wanted), 'run') if len(wanted) > 1 else f'run {wanted[0].name}'}{waits}"
    if not can_ask():
        raise ConfigError(f"this deletes {what}, and the undo of what was changed. Without a terminal it needs --yes")
    return says_yes(f"Delete {what}? What was changed stays, but its undo goes with it. y/N")


def runs_lines(found: Sequence[RunSummary], columns: int, *, narrow: bool) -> list[str]:
    """The table; narrow without a head, STEPS and AGE. Where nothing is cut the goal stands last."""
    now = time.time()
    if narrow:
        width, states = max(len(run.run) for run in found), max(len(_state(run)) for run in found)
        rows = [
            (f"{run.run.ljust(width)} {_state(run).ljust(states)}", _what(run, columns, narrow=True), run.cost)
            for run in found
        ]
        return table(rows, columns, right=(2,), flexible=1)
    facts = [
        (run.run, _state(run), str(run.steps) if not run.problem else "", run.cost, _age_of(run, now)) for run in found
    ]
    facts = [("RUN", "STATE", "STEPS", "COST", "AGE"), *facts]
    if columns == NO_LIMIT:  # nothing is cut, so nothing can stand in line behind a goal
        goals = ["GOAL", *(_what(run, columns, narrow=False) for run in found)]
        return table(
            [(*row, goal) for row, goal in zip(facts, goals, strict=True)], columns, right=(2, 3, 4), flexible=5
        )
    others = sum(max(map(len, column)) for column in zip(*facts, strict=True)) + 2 * 5
    goals = ["GOAL", *(_what(run, columns - others, narrow=False) for run in found)]
    rows = [(*row[:2], goal, *row[2:]) for row, goal in zip(facts, goals, strict=True)]
    return table(rows, columns, right=(3, 4, 5), flexible=2)


def _state(run: RunSummary) -> str:
    return run.problem.partition(":")[0] if run.problem else run.status


def _what(run: RunSummary, room: int, *, narrow: bool) -> str:
    """The goal, and beside it what a person should know."""
    if run.problem:
        return one_line(run.problem.partition(": ")[2])
    goal = one_line(run.goal)
    beside = one_line(run.question) if run.status == "waiting" else run.note
    if not beside:
        return goal
    if narrow:
        return beside if run.status == "waiting" else goal
    return f"{goal if room == NO_LIMIT else cut(goal, max(NARROW_CELLS, room - cells(beside) - 3))} · {beside}"


def _age_of(run: RunSummary, now: float) -> str:
    try:
        since = datetime.fromisoformat(run.since).timestamp()
    except ValueError:
        since = run.changed_ns / 10**9
    return age(now - since)


def _footer(found: Sequence[RunSummary], hidden: int, columns: int) -> list[str]:
    """Sums and what to do, on as few lines as hold the parts whole."""
    waiting = [run.run for run in found if run.status == "waiting"]
    interrupted = [run.run for run in found if run.note == INTERRUPTED]
    parts = [f"{len(found)} run{'s' if len(found) != 1 else ''}", _sum(found)]
    if waiting:
        verb = "waits" if len(waiting) == 1 else "wait"
        parts.append(f"{len(waiting)} {verb} for you: autoagent answer {waiting[0]}")
    if interrupted:
        verb = "was" if len(interrupted) == 1 else "were"
        parts.append(f"{len(interrupted)} {verb} interrupted: autoagent resume {interrupted[0]}")
    if hidden:
        parts.append(f"{hidden} more: autoagent runs --all")
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]} · {part}" if lines else part
        lines = [*lines[:-1], joined] if not lines or len(joined) <= columns else [*lines, part]
    return lines


def _sum(found: Sequence[RunSummary]) -> str:
    known = sum(run.own_cost_usd for run in found)
    unknown = sum(bool(run.unpriced_calls or run.problem) for run in found)
    if unknown == len(found) and not known:
        return "price unknown"
    amount = "less than $0.01" if 0 < known < 0.005 else f"${known:.2f}"
    return f"{amount} + {unknown} of unknown price" if unknown else amount


def _as_json(run: RunSummary) -> dict[str, Any]:
    """`cost_usd` is null where it is not known; `status` is "error" where the journal can't be read."""
    unknown = bool(run.unpriced_calls or run.problem)
    return {
        "run": run.run,
        "status": run.status,
        "note": run.problem or run.note,
        "goal": run.goal,
        "name": run.name,
        "question": run.question,
        "steps": run.steps,
        "tokens": run.tokens,
        "cost_usd": None if unknown else round(run.cost_usd, 8),
        "unpriced_calls": run.unpriced_calls,
        "model": run.model,
        "workspace": run.workspace,
        "started_at": run.started_at,
        "since": run.since,
        "changed_at": datetime.fromtimestamp(run.changed_ns / 10**9, UTC)
        .isoformat(timespec="seconds")
        .replace("+00:00", "Z"),
    }


def _seconds(text: str) -> int:
    found = re.fullmatch(r"(\d{1,9})\s*([mhdw])", text.strip())
    if not found:
        raise ConfigError(f"--older-than {text}: say a number and m, h, d or w, such as 30d")
    return int(found[1]) * _UNITS[found[2]]
