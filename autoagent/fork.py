"""A new run that begins where another stood after a step, in a copy of its workspace as it was then.

Its journal is the other's up to that step. What undo keeps is put back in the copy: what the run changed later. What
undo does not cover (node_modules and the like, very large files), and what others changed, is as it is now.
"""

import errno
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from autoagent.errors import ConfigError, JournalError
from autoagent.events import Compacted, Event, FileChange, ModelCalled, RunPaused, RunResumed, RunStarted, Setup
from autoagent.history import WorkspaceHistory
from autoagent.history.changes import Deed, deeds, net, step_of
from autoagent.history.looks import Looks
from autoagent.journal import Journal, artifact, make_folder, read, replace_file, seal
from autoagent.places import config_folder, new_run_folder, state_folder
from autoagent.sandbox.process import ended_ns
from autoagent.state import State, apply

_KEPT = re.compile(rb'"([0-9a-f]{64})"')  # what may name an artifact
_SPECIAL = "no file, folder or link"
_CLONE = 0x40049409  # FICLONE of linux/fs.h
_NOT_IN_KERNEL = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class Fork:
    """The new run. `missing` are paths that are not as they were at that step, each with the reason."""

    folder: Path
    workspace: Path
    state: State
    missing: tuple[tuple[str, str], ...] = ()


def fork(folder: Path, step: int, workspace: Path | None = None) -> Fork:
    """Make a run that stands after `step` of the one in `folder`; nothing is started.

    `workspace` is its new folder, beside the old one unless given; it must not hold anything yet. Raises JournalLocked
    where the run is at work, ConfigError where it has no such step or there is no place, JournalError where the disk
    does not do its part; then nothing of the new run is left.
    """
    with Journal(folder) as journal:
        setup = journal.state.setup
        if setup is None:
            raise ConfigError(f"run {folder.name} never started. Delete it: autoagent runs delete {folder.name}")
        events = list(read(folder))
        cut = _end_of(events, step)
        old, new = Path(setup.workspace), new_run_folder()
        if old.is_symlink():  # whoever made it one would have us copy what the run never saw
            raise ConfigError(f"the workspace {old} of run {journal.state.run_id} is a link now, no folder of its own")
        if not old.is_dir():
            raise ConfigError(f"the workspace {old} of run {journal.state.run_id} is not there")
        target = _free_folder(old, workspace, new.name)
        is_made = not target.exists()
        try:
            return _make(journal, events, cut, step, new, old, target)
        except BaseException as error:
            shutil.rmtree(new, ignore_errors=True)
            _empty(target, remove=is_made)
            if isinstance(error, OSError):
                raise JournalError(f"{error.filename or target}: {error.strerror}. Nothing was made.") from error
            raise


def _make(journal: Journal, events: Sequence[Event], cut: int, step: int, new: Path, old: Path, target: Path) -> Fork:
    """Workspace first and journal last: a run is one from the moment that it is whole."""
    missing = list(_copy_tree(old, target))
    later = [*deeds(events, lambda name: artifact(journal.folder, name)), *_interrupted(journal, old)]
    later = later[len(deeds(events[:cut], lambda name: artifact(journal.folder, name))) :]
    _take_copies(journal.folder / "undo", new / "undo")
    missing += _put_back(new, target, net(later))
    state = _write_journal(journal.folder, new, events[:cut], step, target)
    return Fork(new, target, state, tuple(sorted(missing)))


# Where it is cut


def _end_of(events: Sequence[Event], step: int) -> int:
    """How many events there are up to the end of a step; 0 is what stood before the first. Raises ConfigError."""
    state = State()
    for at, event in enumerate(events, 1):
        if not step and isinstance(event, ModelCalled | Compacted):
            return at - 1
        state = apply(state, event)
        if step and state.step == step and state.pending is None:
            if state.status == "reached":
                before = f"autoagent fork {state.run_id} --at {step - 1}"
                raise ConfigError(f"step {step} reached the goal of run {state.run_id}. Fork before it: {before}")
            return at
    if not step:
        return len(events)
    if state.step < step:
        raise ConfigError(f"run {state.run_id} has no step {step}; its last is {state.step}")
    before = f"autoagent fork {state.run_id} --at {step - 1}"
    raise ConfigError(
        f"step {step} of run {state.run_id} is not done: a command of it is to run. Fork before: {before}"
    )


# The workspace


def _free_folder(old: Path, given: Path | None, run: str) -> Path:
    target = given.absolute() if given else old.parent / f"{old.name}-{run}"
    if target.resolve().is_relative_to(old.resolve()):
        raise ConfigError(f"{target} is in the workspace {old} itself. Name a folder outside of it: --workspace DIR")
    try:
        taken = target.is_symlink() or (target.exists() and any(target.iterdir()))
    except OSError as error:
        raise ConfigError(f"--workspace {target}: {error.strerror}") from None
    if taken:
        raise ConfigError(f"{target} is not empty. Name a new folder: --workspace DIR")
    try:
        if not target.exists():
            target.mkdir()
            target.rmdir()  # that it can be made is known before anything is
    except OSError as error:
        raise ConfigError(f"{target}: {error.strerror}. Name another folder: --workspace DIR") from None
    return target


def _copy_tree(source: Path, target: Path) -> Iterator[tuple[str, str]]:
    """Copy all that can be read, links as links, with modes and times; what could not be copied, and why.

    Our own state and settings are never copied, also where they lie in the workspace.
    """
    own = {folder.resolve() for folder in (state_folder(), config_folder())}

    def walk(folder: Path, name: str) -> Iterator[tuple[str, str]]:
        there = target / name
        there.mkdir(exist_ok=True)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except PermissionError as error:
            entries = []
            yield name, _reason(error)
        for entry in entries:
            path = f"{name}/{entry.name}" if name else entry.name
            if entry.is_dir(follow_symlinks=False):
                if Path(entry.path).resolve() not in own:
                    yield from walk(Path(entry.path), path)
            else:
                yield from _copied(Path(entry.path), target / path, path)
        _same_status(folder, there)

    return walk(source, "")


def _copied(source: Path, target: Path, path: str) -> Iterator[tuple[str, str]]:
    mode = source.lstat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        yield path, _SPECIAL
        return
    try:
        if stat.S_ISREG(mode):
            _copy_content(source, target)
        else:
            target.symlink_to(source.readlink())
        _same_status(source, target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        yield path, _reason(error)


def _copy_content(source: Path, target: Path) -> None:
    """As a clone that shares its blocks where the file system makes those; else only what is no hole."""
    reading = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    making = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with (
        os.fdopen(os.open(source, reading), "rb") as old,
        os.fdopen(os.open(target, making, 0o600), "wb") as new,  # nobody else's to read until it has its own mode
    ):
        try:
            fcntl.ioctl(new.fileno(), _CLONE, old.fileno())
        except OSError:
            size = os.fstat(old.fileno()).st_size
            for start, end in _filled(old.fileno(), size):
                _copy_range(old.fileno(), new.fileno(), start, end)
            new.truncate(size)


def _filled(file: int, size: int) -> Iterator[tuple[int, int]]:
    """Where a file holds content, from each hole's end to the next hole; all of it where holes can't be seen."""
    at = 0
    while at < size:
        try:
            start = os.lseek(file, at, os.SEEK_DATA)
            at = os.lseek(file, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno != errno.ENXIO:  # which says that the rest is a hole
                yield at, size
            return
        yield start, min(at, size)


def _copy_range(old: int, new: int, at: int, end: int) -> None:
    """In the kernel where it can do that between these two; a file that became shorter meanwhile just ends."""
    while at < end:
        try:
            copied = os.copy_file_range(old, new, end - at, at, at)
        except OSError as error:
            if error.errno not in _NOT_IN_KERNEL:
                raise
            copied = os.pwrite(new, os.pread(old, min(end - at, _CHUNK), at), at)
        if not copied:
            return
        at += copied


def _same_status(source: Path, target: Path) -> None:
    shutil.copystat(source, target, follow_symlinks=False)
    _same_owner(source, target)


def _same_owner(source: Path, target: Path) -> None:
    """Where root forks: the copy belongs to whom the workspace belongs."""
    if os.geteuid() == 0:
        status = source.lstat()
        os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            target.chmod(stat.S_IMODE(status.st_mode))  # a new owner takes bits of it away


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _interrupted(journal: Journal, workspace: Path) -> list[Deed]:
    """What a command did in whose midst the run died: the journal does not tell it."""
    pending = journal.state.pending
    with closing(WorkspaceHistory(journal.folder / "undo", workspace, forbidden=_own_folders())) as history:
        call_id = history.unfinished()
        begun = pending is not None and any(call.id == call_id and call.started for call in pending.calls)
        changed = history.end(call_id, ended_ns(journal.folder / "programs" / call_id)) if begun else ()
    return [Deed(step_of(call_id), changed)] if changed else []


def _take_copies(old: Path, new: Path) -> None:
    """The kept contents, by hard links where that is possible: a file of copies never changes."""
    make_folder(new.parent)
    if not (old / "looks.sqlite").exists():
        return
    with closing(Looks(old / "looks.sqlite")) as looks:
        _, places, _ = looks.load()
    make_folder(new / "copies")
    for file in {place.file for place in places.values()}:
        _link(old / "copies" / file, new / "copies" / file)
    with closing(Looks(new / "looks.sqlite")) as looks:
        looks.save({}, places, None)


def _put_back(new: Path, target: Path, changes: Sequence[FileChange]) -> Iterator[tuple[str, str]]:
    """What later steps changed, as it was; the paths where that is not possible."""
    acts = [change for change in changes if change.before.kept]
    yield from ((change.path, "its content at that step was not kept") for change in changes if not change.before.kept)
    if acts:
        with closing(WorkspaceHistory(new / "undo", target, forbidden=_own_folders())) as history:
            yield from ((failure.path, failure.reason) for failure in history.put_back(acts))


def _own_folders() -> list[Path]:
    return [state_folder().resolve(), config_folder().resolve()]


def _empty(target: Path, *, remove: bool) -> None:
    if remove:
        return shutil.rmtree(target, ignore_errors=True)
    for entry in target.iterdir():
        shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    return None


# The journal


def _write_journal(old: Path, new: Path, events: Sequence[Event], step: int, workspace: Path) -> State:
    origin = events[0].run_id if isinstance(events[0], RunStarted) else old.name
    paused = RunPaused(seq=len(events) + 1, status="paused", reason=f"forked from {origin} after step {step}")
    made = [*(_moved(event, new.name, workspace, f"{origin} step {step}", len(events)) for event in events), paused]
    lines = [seal(event) for event in made]
    named = {name.decode() for line in lines for name in _KEPT.findall(line)}
    for name in sorted(named):
        path = old / "artifacts" / name
        if path.is_file() and not path.is_symlink():
            make_folder(new / "artifacts")
            _link(old / "artifacts" / name, new / "artifacts" / name)
    replace_file(new / "journal.jsonl", b"".join(lines))
    state = State()
    for event in made:
        state = apply(state, event)
    return state


def _moved(event: Event, run: str, workspace: Path, origin: str, shared: int) -> Event:
    """The event as the new run has it: its own name and workspace, the same place in time."""

    def moved(setup: Setup | None) -> Setup | None:
        return setup.model_copy(update={"workspace": str(workspace)}) if setup else None

    match event:
        case RunStarted():
            told = {"run_id": run, "forked_from": origin, "shared_events": shared}
            return event.model_copy(update={**told, "setup": moved(event.setup)})
        case RunResumed():
            return event.model_copy(update={"setup": moved(event.setup)})
        case _:
            return event


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copyfile(source, target)
        target.chmod(0o600)
