"""`autoagent verify`: the claims and figures of a result, looked up again from the journal alone."""

import click

from autoagent.cli.claims import claims_page
from autoagent.cli.completion import complete_run
from autoagent.places import find_run, runs_folder

SUPPORTED, NOT_SUPPORTED = 0, 3


@click.command("verify")
@click.argument("run", metavar="RUN", shell_complete=complete_run)
@click.option("--json", "as_json", is_flag=True, help="One JSON object: claims with their passages, loose facts.")
def verify(run: str, as_json: bool) -> int:
    """Look up each claim and figure of a run's last result again, in what it read. RUN may be `last`.

    Nothing but the run's journal is read: no file of the workspace, no network. Exit code 0 where all is supported, 3
    where something is not.
    """
    found = claims_page(find_run(runs_folder(), run), again=True, as_json=as_json)
    return NOT_SUPPORTED if found.without else SUPPORTED
