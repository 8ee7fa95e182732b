"""`autoagent undo` takes back what a run changed in its workspace; `autoagent diff` shows it."""

import contextlib
import os
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import click

from autoagent.cli.asking import says_yes
from autoagent.cli.completion import complete_run
from autoagent.cli.page import Page
from autoagent.errors import AutoagentError, ConfigError, JournalError
from autoagent.events import CommandFinished, CommandStarted, Event, FileChange, FileState, FilesUndone
from autoagent.history import Failure, Presence, WorkspaceHistory
from autoagent.history.changes import (
    INLINE,
    Deed,
    Plan,
    Wanted,
    back_to,
    brought_back,
    changes_json,
    deeds,
    net,
    plan,
    step_of,
    within,
    without_step,
)
from autoagent.history.differences import as_text, difference
from autoagent.journal import Journal, artifact, read
from autoagent.masking import Mask
from autoagent.places import config_folder, find_run, is_live, plain, runs_folder, state_folder
from autoagent.sandbox.process import ended_ns
from autoagent.state import State, fold
from autoagent.terminal.calls import diff_lines
from autoagent.terminal.inert import inert
from autoagent.terminal.layout import Line, Piece, labelled, line
from autoagent.terminal.words import counted, joined

SHOWN = 40  # paths of one kind
NAMED = 5  # in a question
DONE, PARTLY = 0, 3
WEB = ("browse", "web_search", "download_file")


@click.command("undo")
@click.argument("run", metavar="RUN", shell_complete=complete_run)
@click.argument("files", nargs=-1, metavar="[FILE…]")
@click.option("--step", type=click.IntRange(min=1), metavar="N", help="Take this step alone back.")
@click.option("--to-step", type=click.IntRange(min=0), metavar="N", help="Back to the state after this step.")
@click.option("--redo", is_flag=True, help="Bring back what the last undo took.")
@click.option("--dry-run", is_flag=True, help="Show what would happen; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask. Needed where there is no terminal.")
@click.option("--overwrite", is_flag=True, help="Also files that somebody else changed too; their content is kept.")
def undo(
    run: str,
    files: Sequence[str],
    step: int | None,
    to_step: int | None,
    redo: bool,
    dry_run: bool,
    yes: bool,
    overwrite: bool,
) -> int:
    """Take back what a run changed in its workspace. With FILE, only those files or folders.

    \b
    autoagent undo last --dry-run
    autoagent undo 7f3a --step 4
    autoagent undo 7f3a --redo

    What others changed as well is left, unless you say so. Exit code 3 where something was left.
    """
    if (step is not None) + (to_step is not None) + redo > 1:
        raise ConfigError("--step, --to-step and --redo are three ways: choose one")
    folder = find_run(runs_folder(), run)
    if not (yes or dry_run or sys.stdin.isatty()):
        raise ConfigError("without a terminal undo needs --yes; --dry-run shows what would happen")
    with _told(), Journal(folder) as journal, _history(folder, journal.state) as history:
        journal.mask = click.get_current_context().ensure_object(Mask)
        events = list(read(folder))
        done = [*deeds(events, lambda name: artifact(folder, name)), *_interrupted(folder, journal.state, history)]
        wanted = _only(journal.state, _chosen(journal.state, done, step, to_step, redo=redo), files)
        found = plan(wanted, history.now([one.path for one in wanted], keep=False))
        page = _page(journal.state)
        page.print(*_plan_lines(found, journal.state, _neighbours(journal.state), overwrite=overwrite))
        if not redo:
            page.print(*_beyond_undo(events))
        if dry_run:
            return DONE
        acts = _agreed(found, page.mask, yes=yes, overwrite=overwrite)
        failed: tuple[Failure, ...] = ()
        if acts is None:
            page.print("Nothing was changed.")
        elif acts or found.already:
            failed = _take_back(journal, history, acts, found.already, redo=redo)
            page.print(*_end_lines(journal.state, acts, failed, redo=redo))
        whole = acts is not None and len(acts) == len(found.acts) + len(found.theirs)
        return DONE if whole and not failed and not found.lost else PARTLY


@click.command("diff")
@click.argument("run", metavar="RUN", shell_complete=complete_run)
@click.argument("files", nargs=-1, metavar="[FILE…]")
@click.option("--step", type=click.IntRange(min=1), metavar="N", help="Only what this step changed.")
def diff(run: str, files: Sequence[str], step: int | None) -> None:
    """Show what a run changed in its workspace. RUN may be at work; with FILE, only those files or folders."""
    folder = find_run(runs_folder(), run)
    with contextlib.ExitStack() as opened:
        opened.enter_context(_told())
        live = is_live(folder)
        state = fold(read(folder)) if live else opened.enter_context(Journal(folder)).state
        history = opened.enter_context(_history(folder, state, reader=live))
        done = deeds(read(folder), lambda name: artifact(folder, name))
        done += [] if live else _interrupted(folder, state, history)
        if step:
            _require_step(state, step)
            done = [deed for deed in done if deed.step == step and not deed.by_person]
        changes = net(done)
        names = {one.path for one in _only(state, [Wanted(one.path, one.before, one.after) for one in changes], files)}
        page = _page(state)
        if not changes:
            page.print(f"Run {state.run_id} changed no files{f' in step {step}' if step else ''}.")
        for change in changes:
            if change.path in names:
                page.print(*_diff(change, history))


@contextmanager
def _told() -> Generator[None]:
    """What the system says of a disk or folder, in one line for a person."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # of standard output, whose reader may be gone: not for us to tell
            raise
        where = f"{error.filename}: " if error.filename else ""
        raise JournalError(f"{where}{error.strerror or error}. Run it again when that is settled.") from error


@contextmanager
def _history(folder: Path, state: State, *, reader: bool = False) -> Generator[WorkspaceHistory]:
    if state.setup is None:
        raise ConfigError(f"run {folder.name} never started. Delete it: autoagent runs delete {folder.name}")
    workspace = Path(state.setup.workspace)
    if not workspace.is_dir():
        raise ConfigError(f"the workspace {plain(workspace)} of run {state.run_id} is not there")
    forbidden = [state_folder().resolve(), config_folder().resolve()]
    with closing(WorkspaceHistory(folder / "undo", workspace, forbidden=forbidden, reader=reader)) as history:
        yield history


def _interrupted(folder: Path, state: State, history: WorkspaceHistory) -> list[Deed]:
    """What a command did in whose midst the run died. Also keeps what the last command left, if that is to do."""
    call_id = history.unfinished()
    changed = history.end(call_id, ended_ns(folder / "programs" / call_id)) if call_id else ()
    begun = state.pending.calls if state.pending else ()
    return [Deed(step_of(call_id), changed) for call in begun if call.id == call_id and call.started and changed]


def _page(state: State) -> Page:
    """Masks what the settings of this workspace hold as secrets."""
    from autoagent import settings

    page = Page()
    mask = click.get_current_context().ensure_object(Mask)
    with contextlib.suppress(AutoagentError):
        found = settings.load(Path(state.setup.workspace if state.setup else "."), {})
        mask.learn((found.api_key, *found.secrets))
    page.mask = mask
    return page


def _neighbours(state: State) -> tuple[str, ...]:
    with Presence(Path(state.setup.workspace if state.setup else "."), state.run_id) as presence:
        return presence.others()


def _chosen(state: State, done: Sequence[Deed], step: int | None, to_step: int | None, *, redo: bool) -> list[Wanted]:
    if redo:
        found = brought_back(done)
        if not found:
            raise ConfigError(f"there is no undo of run {state.run_id} to take back")
        return found
    if step is None:
        return back_to(done, _require_step(state, to_step) if to_step else 0)
    wanted, later = without_step(done, _require_step(state, step))
    if later:
        told = ", ".join(f"{path} (step {at})" for path, at in list(later.items())[:NAMED])
        more = f" and {len(later) - NAMED:,} more" if len(later) > NAMED else ""
        undo = f"autoagent undo {state.run_id} --to-step {step - 1}"
        raise ConfigError(f"later steps changed files of step {step} again: {told}{more}. Take those back too: {undo}")
    return wanted


def _require_step(state: State, step: int) -> int:
    if step > state.step:
        raise ConfigError(f"run {state.run_id} has no step {step}; its last is {state.step}")
    return step


def _named(state: State, file: str) -> str:
    """The workspace's name for what a person typed: relative to the workspace, or to where they are in it."""
    workspace = Path(state.setup.workspace if state.setup else ".").resolve()
    here = Path(os.path.abspath(file))  # noqa: PTH100  # a link is meant itself
    inside = here.parent.resolve() / here.name
    if inside.is_relative_to(workspace):
        return inside.relative_to(workspace).as_posix()
    if Path(file).is_absolute():
        raise ConfigError(f"{file} is not in the workspace {workspace} of run {state.run_id}")
    return os.path.normpath(file)


def _only(state: State, wanted: list[Wanted], files: Sequence[str]) -> list[Wanted]:
    """Those that were asked for. Raises ConfigError for a file that is none of them."""
    names = [_named(state, file) for file in files]
    for file, name in zip(files, names, strict=True):
        if not within(wanted, [name]):
            raise ConfigError(f"{file}: nothing of run {state.run_id} is there. See: autoagent diff {state.run_id}")
    return within(wanted, names)


def _plan_lines(found: Plan, state: State, others: Sequence[str], *, overwrite: bool) -> Iterator[Line]:
    for other in others:
        yield line(Piece("! ", "warn"), f"run {other} works in this workspace now")
    if not (found.acts or found.theirs or found.lost):
        yield line(f"Run {state.run_id}: nothing to do, all is as it is to be already.")
    yield from _listed([(f"{_act(change):<10} ", change) for change in found.acts])
    if found.theirs:
        told = "taken back all the same" if overwrite else "left as they are"
        yield line(f"Changed by somebody else as well, {told}:")
        yield from _listed([(f"{_act(change) if overwrite else 'leave':<10} ", change) for change in found.theirs])
    if found.lost:
        yield line("Not kept, so these can't be put back:")
        yield from (line(Piece(path), first=2) for path in found.lost[:SHOWN])
        yield from _more(len(found.lost))


def _listed(changes: Sequence[tuple[str, FileChange]]) -> Iterator[Line]:
    for verb, change in changes[:SHOWN]:
        slash = "/" if "folder" in (change.before.kind, change.after.kind) else ""
        forever = "" if change.after.kept else "  (its content is not kept: it can't be brought back)"
        yield line(verb, change.path, slash, forever, first=2, rest=13)
    yield from _more(len(changes))


def _more(amount: int) -> Iterator[Line]:
    if amount > SHOWN:
        yield line(f"and {amount - SHOWN:,} more", first=2)


def _act(change: FileChange) -> str:
    if change.before.kind == "absent":
        return "remove"
    return "bring back" if change.after.kind == "absent" else "put back"


def _beyond_undo(events: Sequence[Event]) -> Iterator[Line]:
    """What the run did that no file tells of."""
    started = {event.call_id: event for event in events if isinstance(event, CommandStarted)}
    finished = {event.call_id for event in events if isinstance(event, CommandFinished)}
    ran = [event for call_id, event in started.items() if call_id in finished]
    web = sum(event.call.name in WEB for event in ran)
    free = sum(event.sandbox.startswith("none") for event in ran)
    online = sum("network" in event.sandbox and not event.sandbox.startswith("none") for event in ran)
    parts = [
        counted(web, "web request") if web else "",
        f"{counted(online, 'program')} with the network" if online else "",
        f"{counted(free, 'program')} that nothing held" if free else "",
    ]
    if any(parts):
        yield line(f"Can't be undone: {', '.join(part for part in parts if part)}")


def _agreed(found: Plan, mask: Callable[[str], str], *, yes: bool, overwrite: bool) -> tuple[FileChange, ...] | None:
    """What a person wants to happen; None where they said no."""
    if found.theirs and not yes and not overwrite:
        names = ", ".join(inert(mask(change.path), newlines=False) for change in found.theirs[:NAMED])
        more = f" and {len(found.theirs) - NAMED:,} more" if len(found.theirs) > NAMED else ""
        overwrite = says_yes(f"Take back too what somebody else changed as well ({names}{more})? It is kept. y/N")
    acts = found.acts + (found.theirs if overwrite else ())
    if not acts or yes or says_yes(f"{counted(len(acts), 'change')}: go on? y/N"):
        return acts
    return None


def _take_back(
    journal: Journal,
    history: WorkspaceHistory,
    acts: Sequence[FileChange],
    already: Sequence[FileChange],
    *,
    redo: bool,
) -> tuple[Failure, ...]:
    """Do it, then record it; what is there is kept first. Where it is cut short, the next undo finishes it."""
    kept = history.now([change.path for change in acts], keep=True)
    moved = tuple(Failure(one.path, "it has just been changed") for one in acts if kept[one.path] != one.after)
    failed = moved + history.put_back([change for change in acts if kept[change.path] == change.after])
    paths = {failure.path for failure in failed}
    changed = [
        FileChange(path=change.path, before=change.after, after=change.before)
        for change in (*acts, *already)
        if change.path not in paths
    ]
    if changed:
        kept_apart = journal.keep(changes_json(changed)) if len(changed) > INLINE else ""
        inline = () if kept_apart else tuple(changed)
        journal.append(FilesUndone(changed=inline, changed_artifact=kept_apart, redo=redo, by="undo"))
    return failed


def _end_lines(state: State, acts: Sequence[FileChange], failed: Sequence[Failure], *, redo: bool) -> Iterator[Line]:
    for failure in failed[:SHOWN]:
        yield line(Piece("! ", "bad"), f"{failure.path}: left as it is ({failure.reason})", rest=4)
    yield from _more(len(failed))
    amount = len(acts) - len(failed)
    told = "Brought back" if redo else "Taken back"
    yield line(f"{told}: {counted(amount, 'change')} of run {state.run_id}.")
    if amount:
        way = f"autoagent undo {state.run_id}" + ("" if redo else " --redo")
        yield labelled("Undo this", Piece(way, "bold"), width=12)


def _diff(change: FileChange, history: WorkspaceHistory) -> Iterator[Line]:
    """One path: what became of it, and for text the lines that differ."""
    yield line(
        Piece(f"{change.path}{'/' if 'folder' in (change.before.kind, change.after.kind) else ''}", "bold"),
        f"  {_became(change)}",
        rest=4,
    )
    before, after = (_content(change.path, state, history) for state in (change.before, change.after))
    if change.before.sha256 == change.after.sha256:
        return
    if before is None or after is None:
        yield line("not kept, so not shown", first=4)
        return
    old, new = as_text(before), as_text(after)
    if old is None or new is None:
        yield line(f"no text: {len(before):,} bytes, then {len(after):,}", first=4)
    else:
        yield from diff_lines("\n".join(difference(old, new)), full=True)


def _content(path: str, state: FileState, history: WorkspaceHistory) -> bytes | None:
    """What a file held, or where a link led; nothing of what holds nothing, None where it is not kept."""
    if state.kind not in ("file", "link"):
        return b""
    if not state.kept:
        return None
    with contextlib.suppress(OSError):
        return history.content(path, state)
    return None


def _became(change: FileChange) -> str:
    before, after = change.before, change.after
    if before.kind == "absent":
        return joined(f"new {after.kind}", "" if after.kept else "not covered by undo")
    if after.kind == "absent":
        return f"{before.kind} removed"
    if before.kind != after.kind:
        return f"{before.kind}, now a {after.kind}"
    mode = f"mode {before.mode:o}, now {after.mode:o}" if before.mode != after.mode else ""
    return joined("changed" if before.sha256 != after.sha256 else "", mode)
