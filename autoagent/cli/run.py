"""`autoagent run` and `autoagent resume`: start a run or go on with one, and draw it until it ends."""

from collections.abc import Sequence
from pathlib import Path

import click

from autoagent.cli.foreground import Foreground
from autoagent.cli.goal import collect
from autoagent.cli.options import Options, with_options


@click.command("run")
@click.argument("words", nargs=-1, metavar="[GOAL… | -]")
@click.option("--goal", "goals", multiple=True, metavar="TEXT", help="The goal; may be given several times.")
@click.option(
    "--goal-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The goal, from a file.",
)
@click.option("--ai-settings", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="AutoGPT's ai_settings.yaml.")  # fmt: skip
@click.option("--name", default="", metavar="NAME", help="The agent's name.")
@click.option("--role", default="", metavar="TEXT", help="One sentence: what the agent is.")
@click.option("-w", "-C", "--workspace", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
              default=Path(), help="The folder it works in; here unless given.")  # fmt: skip
@with_options
def run(
    words: Sequence[str] = (),
    goals: Sequence[str] = (),
    goal_file: Path | None = None,
    ai_settings: Path | None = None,
    name: str = "",
    role: str = "",
    workspace: Path = Path(),
    *,
    options: Options,
) -> int:
    """Work on a goal until it is reached, or a limit is.

    In a terminal each command that changes something is asked first; --continuous asks nothing. The limits
    hold in both. `-` reads the goal from standard input.

    \b
    autoagent run "Summarise ./notes with sources"
    autoagent run -c --max-cost 1 --goal "Compare the three offers" --goal "Write offer.md"
    autoagent run --base-url http://localhost:11434/v1 -m qwen3 "…"
    autoagent run -m offline "total of amount by region in sales.csv"
    """
    goal = collect(words, goals, goal_file, ai_settings, name, role)
    return Foreground.open(options).start(goal, workspace.resolve())


@click.command("resume")
@click.argument("run_id", metavar="RUN")
@click.option("--message", metavar="TEXT", help="Say something to the run first.")
@with_options
def resume(run_id: str, message: str | None, options: Options) -> int:
    """Go on with a run: after a kill, a pause, a used-up limit (with a higher one), or an end as unreached.

    It keeps its model, workspace, mode and limits unless an option says otherwise. RUN may be the start of
    the id, or `last`.
    """
    return resume_run(run_id, options, message=message)


def resume_run(run_id: str, options: Options, *, message: str | None) -> int:
    return Foreground.open(options).resume(run_id, message)
