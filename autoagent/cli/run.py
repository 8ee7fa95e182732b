"""`autoagent run` and `autoagent resume`: start a run or go on with one, and draw it until it ends."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from autoagent.cli.completion import complete_run
from autoagent.cli.foreground import Foreground
from autoagent.cli.goal import collect
from autoagent.cli.help import Command, option
from autoagent.cli.options import Options, with_options

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    "run",
    cls=Command,
    examples=(
        'autoagent run "Summarise ./notes with sources"',
        'autoagent run -c --max-cost 1 --goal "Compare the offers" --goal "Write a.md"',
        'autoagent run --base-url http://localhost:11434/v1 -m qwen3 "…"',
        'autoagent run -m offline "total of amount by region in sales.csv"',
    ),
)
@click.argument("words", nargs=-1, metavar="[GOAL… | -]")
@option("Goal", "--goal", "goals", multiple=True, metavar="TEXT", help="The goal; may be given several times.")
@option("Goal", "--goal-file", type=_FILE, metavar="FILE", rare=True, help="The goal, from a file.")
@option("Goal", "--ai-settings", type=_FILE, metavar="FILE", rare=True, help="AutoGPT's ai_settings.yaml.")
@option("Goal", "--name", default="", metavar="NAME", rare=True, help="The agent's name.")
@option("Goal", "--role", default="", metavar="TEXT", rare=True, help="One sentence: what the agent is.")
@option(
    "Goal",
    "-w",
    "-C",
    "--workspace",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    default=Path(),
    help="The folder it works in; here unless given.",
)
@option("Goal", "--done-when", multiple=True, metavar="TEXT|@FILE", help="What must be true at the end; repeatable.")
@option("Goal", "--check", "checks", multiple=True, metavar="COMMAND", help="Must end with exit code 0 at the end.")
@option("Goal", "--expect", multiple=True, metavar="FILE", help="Must be there: report.md or 'report.md ~ REGEX'.")
@option("Goal", "--protect", multiple=True, metavar="PATTERN", rare=True, help="Files that the run may not change.")
@with_options
def run(
    words: Sequence[str] = (),
    goals: Sequence[str] = (),
    goal_file: Path | None = None,
    ai_settings: Path | None = None,
    name: str = "",
    role: str = "",
    workspace: Path = Path(),
    done_when: Sequence[str] = (),
    checks: Sequence[str] = (),
    expect: Sequence[str] = (),
    protect: Sequence[str] = (),
    *,
    options: Options,
) -> int:
    """Work on a goal until it is reached, or a limit is. In a terminal it asks before it changes anything.
    `-` reads the goal from standard input.
    """
    goal = collect(words, goals, goal_file, ai_settings, name, role)
    if done_when or checks or expect:
        from autoagent.asked import criteria

        goal = replace(goal, criteria=criteria(done_when, checks, expect))
    if protect:
        from autoagent.asked import protected

        goal = replace(goal, protect=protected(protect))
    return Foreground.open(options).start(goal, workspace.resolve())


@click.command(
    "resume",
    cls=Command,
    examples=(
        "autoagent resume last",
        "autoagent resume 7f3a --max-cost 2",
        'autoagent resume 7f3a --message "only EU data centres please"',
        "autoagent resume 7f3a -c --max-time 30m",
    ),
)
@click.argument("run_id", metavar="RUN", shell_complete=complete_run)
@option("Goal", "--message", metavar="TEXT", help="Say something to the run first.")
@with_options
def resume(run_id: str, message: str | None, options: Options) -> int:
    """Go on with a run: after a kill, a pause, a used-up limit (with a higher one), or an end as unreached.
    What an option does not change stays as it was. RUN may be the start of the id, or `last`.
    """
    return resume_run(run_id, options, message=message)


def resume_run(run_id: str, options: Options, *, message: str | None) -> int:
    return Foreground.open(options).resume(run_id, message)
