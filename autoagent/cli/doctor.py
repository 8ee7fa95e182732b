"""`autoagent doctor`: is everything there that a run needs? Each check with what it found and how to mend it."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autoagent import __version__
from autoagent.cli.page import Page, print_json
from autoagent.terminal.layout import line

if TYPE_CHECKING:
    from autoagent.cli.checks import Check

CAN_START, CANNOT_START = 0, 2
SIGNS = {"ok": "✓", "warning": "!", "failed": "✗"}
LABEL = 13  # cells before a fact


@click.command("doctor")
@click.option("-w", "-C", "--workspace", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
              default=Path(), help="The folder that a run would work in; here unless given.")  # fmt: skip
@click.option("-m", "--model", metavar="NAME", help="The model that a run would take.")
@click.option("--base-url", metavar="URL", help="The endpoint that a run would take.")
@click.option("--no-call", is_flag=True, help="Ask neither the model nor a search engine.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def doctor(workspace: Path, model: str | None, base_url: str | None, no_call: bool, as_json: bool) -> int:
    """Check the setup: settings, key, model, search, folders, plugins, network.

    It asks the model one short question, about 100 tokens (less than a cent), and a search engine one too;
    --no-call leaves both out. Exit code 0: a run can start; 2: something must be mended first.
    """
    from autoagent.cli.checkup import all_checks

    workspace = workspace.resolve()
    found: list[Check] = []
    page = None if as_json else Page()
    if page:
        about = f"autoagent {__version__} · Python {platform.python_version()} · {platform.system()}"
        page.print(line(about), "")
    for check in all_checks(workspace, {"model": model, "base_url": base_url}, call=not no_call):
        found.append(check)
        if page:
            _print(page, check)
    failed = [check.name for check in found if check.status == "failed"]
    if page:
        page.print("", line(_summary(found)))
    else:
        print_json({"version": __version__, "can_start": not failed, "checks": [asdict(check) for check in found]})
    return CANNOT_START if failed else CAN_START


def _print(page: Page, check: "Check") -> None:
    page.print(line(f"{SIGNS[check.status]} {check.name.ljust(LABEL - 3)} {check.fact}", rest=LABEL))
    if check.mend:
        page.print(line(f"mend: {check.mend}", first=LABEL, rest=LABEL + 2))


def _summary(found: "Sequence[Check]") -> str:
    failed = list(dict.fromkeys(check.name for check in found if check.status == "failed"))
    warnings = sum(check.status == "warning" for check in found)
    told = f", {warnings} warning{'s' if warnings > 1 else ''}" if warnings else ""
    if failed:
        return f"{SIGNS['failed']} A run can't start as it is: {', '.join(failed)}{told}"
    return f"{SIGNS['ok']} A run can start{told}"
