"""`autoagent replay`: a run played again from its record, or what other prompts would have sent."""

import difflib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autoagent.cli.completion import complete_run
from autoagent.cli.page import Page, print_json, table
from autoagent.errors import ConfigError
from autoagent.masking import Mask
from autoagent.terminal.layout import Line, Piece, Style, foreign, line
from autoagent.terminal.look import Look, choose_look
from autoagent.terminal.words import counted, joined, spent

if TYPE_CHECKING:
    from autoagent.events import Event
    from autoagent.replay import Difference, Replayed
    from autoagent.replay.other_prompts import Request

SAME, DIFFERS = 0, 3
CONTEXT = 2  # lines around what differs in a prompt
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_STYLES: dict[str, Style] = {"-": "bad", "+": "good", "@": "dim"}


@click.command("replay")
@click.argument("run", metavar="RUN | PATH", shell_complete=complete_run)
@click.option("--until", type=click.IntRange(min=1), metavar="STEP", help="Only up to the end of this step.")
@click.option("--prompts", type=_FOLDER, metavar="DIR", help="Show what the prompts in DIR would have sent there.")
@click.option("-q", "--quiet", is_flag=True, help="Only what came of it.")
@click.option("--plain", is_flag=True, help="No colour, no control codes.")
@click.option("--json", "as_json", is_flag=True, help="What came of it as JSON.")
def replay(run: str, until: int | None, prompts: Path | None, quiet: bool, plain: bool, as_json: bool) -> int:
    """Play a run again from its record: no network, no cost, nothing is changed. Exit code 3 where it is not the same.

    \b
    autoagent replay last
    autoagent replay examples/recordings/mend
    autoagent replay 7f3a --prompts ./my-prompts --until 4

    PATH is a folder or .zip with a journal.jsonl and its artifacts. Contexts are built, replies read and limits
    decided anew; the model, the commands and people answer as they did. With --prompts the steps stay as they were,
    and what system.md, summary.md or review.md of DIR would have sent is shown beside what was sent.
    """
    from autoagent.replay import open_recording

    with open_recording(run) as folder:
        if prompts:
            return _other_prompts(folder, prompts, until, as_json=as_json)
        return _replay(folder, until, quiet=quiet or as_json, plain=plain, as_json=as_json)


def _replay(folder: Path, until: int | None, *, quiet: bool, plain: bool, as_json: bool) -> int:
    from autoagent.cli.step import changes_of
    from autoagent.events import RunStarted
    from autoagent.replay import replay as play
    from autoagent.terminal.screen import Screen

    look = choose_look(sys.stderr, os.environ, plain=plain)
    look.mask = click.get_current_context().ensure_object(Mask)
    screen = Screen(look, quiet=quiet, changed=lambda event: changes_of(folder, event))

    def begin(event: "Event", _: object) -> None:
        if isinstance(event, RunStarted) and not quiet:
            told = f"replay of run {event.run_id}: nothing is sent, nothing is changed"
            look.write(line(Piece(told, "bold")), *foreign(event.goal))

    try:
        found = play(folder, until=until, observers=(begin, screen.observe), notify=lambda text: _warn(look, text))
    finally:
        screen.idle()
    if as_json:
        print_json(_as_json(found))
    else:
        page = Page()
        page.print(*_verdict(found, until))
    return DIFFERS if found.difference else SAME


def _warn(look: Look, text: str) -> None:
    look.write(line(Piece("! ", "warn"), text))


def _verdict(found: "Replayed", until: int | None) -> Iterator[Line]:
    """`✓ replayed: 23 steps, the same result · $0.00, no network`, or the first difference."""
    state, steps = found.state, counted(found.state.step, "step")
    yield from (line(Piece("! ", "warn"), note) for note in found.notes)
    if found.difference:
        yield from _difference_lines(found.difference)
        return
    same = "the same result" if state.status == "reached" else "the same all the way"
    end = f"it stands as recorded: {state.status}" if found.whole and state.status not in ("reached", "running") else ""
    end = end or ("" if state.status == "reached" else "as far as it goes" if found.whole else f"up to step {until}")
    cost = spent(state.usage, type(state.limits)(steps=None))
    took = f"the run itself took {cost}" if cost else ""
    yield line(Piece("✓ ", "good"), joined(f"replayed {state.run_id}: {steps}, {same}", end, "$0.00, no network", took))


def _difference_lines(found: "Difference") -> Iterator[Line]:
    where = f"step {found.step}, event {found.seq}, {found.event}" + (f", {found.field}" if found.field else "")
    yield line(Piece("✗ ", "bad"), f"not the same from {where} on:")
    yield line("- recorded   + now", first=2)
    yield from _diff(found.lines())
    if found.note:
        yield line(found.note, first=2)


def _diff(lines: list[str]) -> Iterator[Line]:
    for text in lines:
        yield line(Piece(text, _STYLES.get(text[:1], "")), first=2, rest=4)


def _as_json(found: "Replayed") -> dict[str, Any]:
    state, other = found.state, found.difference
    told = {
        "run": state.run_id,
        "same": other is None,
        "whole": found.whole,
        "steps": state.step,
        "status": state.status,
        "result": state.result,
        "cost_usd": 0.0,
        "notes": list(found.notes),
    }
    if other is None:
        return told | {"difference": None}
    names = ("step", "seq", "event", "field", "recorded", "now")
    return told | {"difference": {name: getattr(other, name) for name in names}}


def _other_prompts(folder: Path, own: Path, until: int | None, *, as_json: bool) -> int:
    from autoagent.journal import read
    from autoagent.replay.other_prompts import requests
    from autoagent.state import fold

    events = list(read(folder))
    last = fold(events).step
    if not last:
        raise ConfigError("the run has no step yet")
    found = requests(folder, events, own, until or last)
    chosen = [one for one in found if one.step == found[-1].step]
    if as_json:
        print_json([_request_as_json(one) for one in chosen])
        return SAME
    page = Page()
    for request in chosen:
        page.print(*_request_lines(request, page.columns))
    if too_long := next((one for one in found if not one.fits), None):
        told = f"from step {too_long.step} on it would not have fit as it is: older steps would be summarised earlier"
        page.print(line(Piece("! ", "warn"), told))
    return SAME


def _request_lines(request: "Request", columns: int) -> "Iterator[Line | str]":
    called, sent, now = request.called, request.sent, request.now
    purpose = "" if called.purpose == "step" else called.purpose
    yield line(joined(f"step {request.step}", purpose, called.model, "what the prompts would have sent"), rest=2)
    rows = [("SECTION", "SENT", "NOW")]
    rows += [(name, f"{sent.sections[name]:,}", f"{tokens:,}") for name, tokens in now.sections.items()]
    rows.append(("together", f"{sent.estimated:,}", f"{now.estimated:,}"))
    yield from (f"  {text}" for text in table(rows, columns - 2, right=(1, 2), flexible=0))
    changed = request.changed()
    if not changed:
        yield line("  the same to the byte")
    for number, before, after in changed:
        yield line()
        yield line(f"--- {number} of {len(now.messages)} · {after['role']} · - sent   + now ---")
        one, other = before["content"].split("\n"), after["content"].split("\n")
        found = difflib.unified_diff(one, other, n=CONTEXT, lineterm="")
        yield from _diff([text for text in found if not text.startswith(("---", "+++"))])


def _request_as_json(request: "Request") -> dict[str, Any]:
    def told(context: Any) -> dict[str, Any]:
        return {"sections": context.sections, "tokens": context.estimated, "messages": context.messages}

    return {
        "step": request.step,
        "purpose": request.called.purpose,
        "model": request.called.model,
        "fits": request.fits,
        "sent": told(request.sent),
        "now": told(request.now),
    }
