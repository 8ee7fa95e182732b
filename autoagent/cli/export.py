"""`autoagent export`: one file of a run to give away."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Literal

import click

from autoagent.cli.completion import complete_run
from autoagent.cli.page import Page, print_bytes
from autoagent.errors import AutoagentError, ConfigError
from autoagent.events import Event, RunStarted
from autoagent.export.bundle import as_zip
from autoagent.export.document import document
from autoagent.export.html import as_html
from autoagent.export.markdown import as_markdown
from autoagent.export.masked import masked_events, masked_texts
from autoagent.journal import artifact, read
from autoagent.masking import Mask
from autoagent.places import find_run, is_live, runs_folder
from autoagent.terminal.layout import line
from autoagent.terminal.words import joined

Form = Literal["html", "md", "zip"]
STANDARD_OUTPUT = "-"


@click.command("export")
@click.argument("run", metavar="RUN", shell_complete=complete_run)
@click.option("--html", is_flag=True, help="A page that needs no network (the default).")
@click.option("--md", is_flag=True, help="The same as Markdown.")
@click.option("--zip", "as_archive", is_flag=True, help="Both, with the journal and its texts: what replay plays.")
@click.option("-o", "--output", metavar="FILE", help="Where to (RUN.html, .md or .zip in this folder); - is stdout.")
@click.option("--overwrite", is_flag=True, help="Also where the file is already there.")
def export(run: str, html: bool, md: bool, as_archive: bool, output: str | None, overwrite: bool) -> None:
    """Write a run to one file to give away: result, criteria, evidence, story, files, figures.

    \b
    autoagent export last
    autoagent export 7f3a --md -o -
    autoagent export 7f3a --zip

    Known secrets are masked. The page says at its end what is left out.
    """
    asked: dict[Form, bool] = {"html": html, "md": md, "zip": as_archive}
    form = _one_of([name for name, is_asked in asked.items() if is_asked])
    folder = find_run(runs_folder(), run)
    if output == STANDARD_OUTPUT and form == "zip" and sys.stdout.isatty():
        raise ConfigError("a zip is nothing for a terminal. Give a file: -o FILE")
    target = _target(folder.name, form, output)
    if target and target.exists() and not overwrite:
        raise ConfigError(f"{target} is already there. Give another name with -o, or --overwrite")
    content = _made(folder, form)
    if target is None:
        print_bytes(content)
        return
    _write(target, content, overwrite=overwrite)
    page = Page()
    page.print(line(joined(f"Exported run {folder.name} to {target}", _size(len(content))), rest=2))


def _one_of(forms: list[Form]) -> Form:
    if len(forms) > 1:
        told = " and ".join(f"--{form}" for form in forms)
        raise ConfigError(f"{told} are {len(forms)} files: ask for one of them")
    return forms[0] if forms else "html"


def _made(folder: Path, form: Form) -> bytes:
    """The run in one form. Raises JournalCorrupt where its journal, or a kept text that is needed, is damaged."""
    events = list(read(folder))
    if not events:
        raise ConfigError(f"run {folder.name} never started. Delete it: autoagent runs delete {folder.name}")
    mask, live = _mask(events), is_live(folder)
    if form != "zip":
        shown = document(masked_events(events, mask), lambda name: mask(artifact(folder, name)), live=live)
        return (as_html(shown) if form == "html" else as_markdown(shown)).encode()
    texts, names = masked_texts(events, lambda name: artifact(folder, name), mask)
    events = masked_events(events, mask, names)
    shown = document(events, lambda name: texts[name].decode("utf-8", "surrogatepass"), live=live)
    pages = {f"{folder.name}.html": as_html(shown), f"{folder.name}.md": as_markdown(shown)}
    return as_zip(events, texts, {name: page.encode() for name, page in pages.items()})


def _mask(events: list[Event]) -> Mask:
    """Secrets in the environment, and those that the settings of the run's workspace hold now."""
    from autoagent import settings

    mask, started = click.get_current_context().ensure_object(Mask), events[0]
    with contextlib.suppress(AutoagentError, OSError, ValueError):  # the folder may be gone, its name no name
        found = settings.load(Path(started.setup.workspace if isinstance(started, RunStarted) else "."), {})
        mask.learn((found.api_key, *found.secrets))
    return mask


def _target(run: str, form: Form, output: str | None) -> Path | None:
    """None is standard output; in a folder the file is named after the run."""
    if output == STANDARD_OUTPUT:
        return None
    path = Path(output or ".")
    return path / f"{run}.{form}" if path.is_dir() else path


def _write(target: Path, content: bytes, *, overwrite: bool) -> None:
    """Whole or not at all; what somebody else put there since is not overwritten either."""
    place = target.with_name(f".{target.name}.{os.getpid()}") if overwrite else target
    try:
        with place.open("xb") as file:
            try:
                file.write(content)
                file.flush()
                place.replace(target)
            except BaseException:
                place.unlink(missing_ok=True)
                raise
    except FileExistsError:
        raise ConfigError(f"{target} is already there. Give another name with -o, or --overwrite") from None
    except OSError as error:
        raise ConfigError(f"{target}: {error.strerror}. Give another place with -o") from None


def _size(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB" if count >= 1_000_000 else f"{max(1, round(count / 1_000))} kB"
