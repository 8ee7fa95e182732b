"""Putting files, links and folders into a given state, each in one step, never through a link."""

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from autoagent.env import fingerprint
from autoagent.events import FileChange, FileState
from autoagent.history.copies import Copies
from autoagent.history.scan import LIST, PASS, parent_of, parts_of

_NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Failure:
    """A path that could not be put back, and why in a few words."""

    path: str
    reason: str


def put_back(root: int, copies: Copies, changes: Sequence[FileChange]) -> tuple[Failure, ...]:
    """Bring each path to its state `before`. Folders that would have to go stay where something else is in them.

    First what is in the way goes, the deepest first; then folders are made, from the top; then files come back, each
    written beside and renamed in: hard links to what is there now keep that. At last folders get their modes, which
    may forbid writing in them. All of it is on disk when this returns.
    """
    if not changes:
        return ()
    failures: dict[str, str] = {}

    def tried(change: FileChange, act: "_Act") -> None:
        if change.path in failures:
            return
        try:
            act(root, copies, change.path, change.before)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            failures[change.path] = "something else is in it" if error.errno in _NOT_EMPTY else reason

    outer_first = sorted(changes, key=lambda change: change.path.count("/"))
    folders = [change for change in outer_first if change.before.kind == "folder"]
    for change in folders:
        tried(change, _open_up)
    for change in reversed(outer_first):
        tried(change, _clear)
    for change in folders:
        tried(change, _make_folder)
    files = [change for change in changes if change.before.kind in ("file", "link")]
    for change in files:
        tried(change, _write_beside)
    _sync(root)
    for change in files:
        tried(change, _swap_in)
    for change in reversed(folders):
        tried(change, _set_mode)
    _sync(root)
    return tuple(Failure(path, reason) for path, reason in failures.items())


_Act = Callable[[int, Copies, str, FileState], None]


def _open_up(root: int, copies: Copies, path: str, state: FileState) -> None:
    """Let its owner write in a folder that is there, until its mode is set."""
    with suppress(FileNotFoundError, NotADirectoryError), parent_of(root, path) as (folder, name):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode) and status.st_mode & 0o700 != 0o700:
            _chmod(folder, name, stat.S_IMODE(status.st_mode) | 0o700)


def _clear(root: int, copies: Copies, path: str, state: FileState) -> None:
    """Remove what is there, where it is not to be there or is of another kind."""
    if not state.kept:
        raise OSError(0, "what was there is not kept")
    with suppress(FileNotFoundError, NotADirectoryError), parent_of(root, path) as (folder, name):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            if state.kind != "folder":
                os.rmdir(name, dir_fd=folder)
        elif state.kind in ("absent", "folder"):
            os.unlink(name, dir_fd=folder)


def _make_folder(root: int, copies: Copies, path: str, state: FileState) -> None:
    _make_parents(root, path)
    _make_here(root, path)


def _write_beside(root: int, copies: Copies, path: str, state: FileState) -> None:
    """The file or link as it is to be, under a name that another try finds again."""
    _make_parents(root, path)
    with parent_of(root, path) as (folder, name):
        temporary = _beside(name)
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        try:
            if state.kind == "link":
                return os.symlink(copies.read(state.sha256), temporary, dir_fd=folder)
            descriptor = os.open(temporary, _WRITE, 0o600, dir_fd=folder)
            with os.fdopen(descriptor, "wb") as file:
                copies.pour(state.sha256, file.write)
                _leave_to_owner(folder, name, descriptor)
                os.fchmod(descriptor, state.mode)  # last: a new owner takes bits of it away
        except OSError:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise


def _swap_in(root: int, copies: Copies, path: str, state: FileState) -> None:
    with parent_of(root, path) as (folder, name):
        try:
            os.rename(_beside(name), name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            with suppress(OSError):
                os.unlink(_beside(name), dir_fd=folder)
            raise


def _set_mode(root: int, copies: Copies, path: str, state: FileState) -> None:
    with parent_of(root, path) as (folder, name):
        _chmod(folder, name, state.mode)


def _make_parents(root: int, path: str) -> None:
    parts = parts_of(path)
    for end in range(1, len(parts)):
        _make_here(root, "/".join(parts[:end]))


def _make_here(root: int, path: str) -> None:
    with parent_of(root, path) as (folder, name), suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
        made = os.open(name, LIST, dir_fd=folder)
        try:
            _leave_to_owner(folder, name, made)
        finally:
            os.close(made)


def _leave_to_owner(folder: int, name: str, made: int) -> None:
    """Where root puts back: it belongs to whom it belonged, or its folder belongs, and not to root."""
    if os.geteuid() != 0:
        return
    here = os.fstat(folder)
    with suppress(FileNotFoundError):
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
        here = here if os.path.samestat(there, os.fstat(made)) else there
    os.fchown(made, here.st_uid, here.st_gid)


def _chmod(folder: int, name: str, mode: int) -> None:
    """The mode of a folder that is there now, also one that may not be read; never of what a link leads to."""
    descriptor = os.open(name, PASS, dir_fd=folder)
    try:
        if sys.platform == "linux":  # fchmod takes no descriptor that may only be passed through
            Path(f"/proc/self/fd/{descriptor}").chmod(mode)
        else:
            os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _beside(name: str) -> str:
    return f".{fingerprint(name.encode())[:16]}.autoagent"


def _sync(root: int) -> None:
    """One call for any number of files and folders."""
    if sys.platform != "linux":
        return os.sync()
    if ctypes.CDLL(None, use_errno=True).syncfs(root) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
