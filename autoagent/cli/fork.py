"""`autoagent fork`: a new run where another stood after a step, and the command that goes on with it."""

import shlex
from pathlib import Path

import click

from autoagent.cli.completion import complete_run
from autoagent.cli.page import Page, print_json
from autoagent.masking import Mask
from autoagent.places import find_run, plain, runs_folder
from autoagent.terminal.layout import Piece, labelled, line, one_line
from autoagent.terminal.words import joined, spent

SHOWN = 20  # paths that are not as they were
LABEL = 12


@click.command("fork")
@click.argument("run", metavar="RUN", shell_complete=complete_run)
@click.option(
    "--at",
    "step",
    required=True,
    type=click.IntRange(min=0),
    metavar="STEP",
    help="After this step; 0: before the first.",
)
@click.option("--message", metavar="TEXT", help="Say something to the new run; it reads it before its next step.")
@click.option("-m", "--model", metavar="NAME", help="Go on with this model.")
@click.option(
    "-w",
    "--workspace",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Its new folder; beside the old one unless given.",
)
@click.option("--json", "as_json", is_flag=True, help="What was made as JSON.")
def fork(run: str, step: int, message: str | None, model: str | None, workspace: Path | None, as_json: bool) -> None:
    """Begin a new run where RUN stood after a step: with its memory and its workspace as they were then.

    \b
    autoagent fork 7f3a --at 14
    autoagent fork 7f3a --at 14 --message "Only EU data centres" -m gpt-5

    The workspace is copied beside the old one and taken back to that step; RUN and its workspace stay as they are.
    Nothing is started: the command that goes on is printed. Folders that undo does not cover, and what others
    changed, are copied as they are now.
    """
    from autoagent.fork import fork as make_fork
    from autoagent.inbox import InboxMessage, send

    folder = find_run(runs_folder(), run)
    made = make_fork(folder, step, workspace)
    if message:
        mask = click.get_current_context().ensure_object(Mask)
        send(made.folder, InboxMessage(kind="say", by="fork", text=mask(message)))
    words = ["autoagent", "resume", made.state.run_id, *(["-m", model] if model else [])]
    resume = shlex.join(words)
    if as_json:
        print_json(
            {
                "run": made.state.run_id,
                "forked_from": folder.name,
                "step": step,
                "workspace": str(made.workspace),
                "resume": resume,
                "not_as_it_was": [{"path": path, "reason": reason} for path, reason in made.missing],
            }
        )
        return
    page = Page()
    told = joined(
        f"run {made.state.run_id} forked from {folder.name} after step {step}",
        spent(made.state.usage, made.state.limits),
    )
    page.print(line(Piece("✓ ", "good"), told))
    page.print(labelled("Workspace", str(plain(made.workspace)), width=LABEL))
    for path, reason in made.missing[:SHOWN]:
        page.print(line(Piece("! ", "warn"), f"{path}: not as it was at that step ({reason})", rest=4))
    if len(made.missing) > SHOWN:
        page.print(line(f"and {len(made.missing) - SHOWN:,} more", first=2))
    if message:
        page.print(labelled("Message", one_line(message), width=LABEL))
    page.print(labelled("Go on", Piece(resume, "bold"), width=LABEL))
