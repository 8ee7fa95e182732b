"""What is in a workspace: names and their status, gone through by descriptor, never through a link."""

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

MAX_DEPTH = 100  # folders
IGNORED = frozenset(
    {
        "node_modules",
        ".venv",
        "venv",
        "__pycache__",
        ".tox",
        ".nox",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
    }
)

LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
PASS = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)


@dataclass(frozen=True)
class Covered:
    """What undo covers: not what is in `ignored` folders, which are installed or made again, nor what is too much."""

    ignored: frozenset[str] = IGNORED
    file_bytes: int = 64 * 2**20
    total_bytes: int = 2 * 2**30
    names: int = 100_000


# Nobody may look, or it is not what it was a moment ago: told apart from a disk that fails.
OUT_OF_SIGHT = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.ENXIO)
COVERED = Covered()


@dataclass
class Walk:
    """How far a walk came. `unlisted` are folders in which it could not look, or did not: they are ignored or too deep.

    `whole`: no name was left out because there are too many. `unnamed` counts names that are no UTF-8.
    """

    unlisted: set[str] = field(default_factory=set[str])
    whole: bool = True
    unnamed: int = 0
    names: int = 0


Visit = Callable[[str, int, str, os.stat_result], bool]
"""Is given a path, the open folder it is in, its name there, and its status; False ends the walk."""


class Forbidden:
    """Folders inside a workspace that are neither looked into nor named, under whatever name they are met."""

    def __init__(self, workspace: Path, folders: Iterable[Path]):
        root = workspace.resolve()
        self._inside = [path for path in (path.resolve() for path in folders) if path.is_relative_to(root)]
        self._names = frozenset(path.relative_to(root).as_posix() for path in self._inside)

    def now(self) -> Callable[[str, os.stat_result], bool]:
        """The check for one walk: what these folders are at this moment is asked once."""
        same: set[tuple[int, int]] = set()
        for path in self._inside:
            with suppress(OSError):
                status = path.stat()
                same.add((status.st_dev, status.st_ino))
        return lambda path, status: path in self._names or (status.st_dev, status.st_ino) in same

    def holds(self, path: str) -> bool:
        return any(path == name or path.startswith(f"{name}/") for name in self._names)


def open_workspace(workspace: Path) -> int:
    """The root, links in its own path followed."""
    return os.open(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def walk(root: int, visit: Visit, *, covered: Covered, is_forbidden: Callable[[str, os.stat_result], bool]) -> Walk:
    """Visit files, links and folders beneath an open folder, by name, each folder before what is in it."""
    done = Walk()

    def go(folder: int, prefix: str, depth: int) -> bool:
        """False: the walk is over."""
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            if error.errno not in OUT_OF_SIGHT:
                raise
            done.unlisted.add(prefix.rstrip("/"))
            return True
        for entry in entries:
            name = entry.name
            if not is_text(name):
                done.unnamed += 1
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:  # gone meanwhile
                continue
            path, mode = prefix + name, status.st_mode
            if done.names >= covered.names:
                done.whole = False
                return False
            if stat.S_ISDIR(mode):
                if is_forbidden(path, status):
                    continue
                done.names += 1
                if not visit(path, folder, name, status):
                    return False
                if name in covered.ignored or depth >= MAX_DEPTH:
                    done.unlisted.add(path)
                elif not into(folder, name, path, depth):
                    return False
            elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                done.names += 1
                if not visit(path, folder, name, status):
                    return False
        return True

    def into(folder: int, name: str, path: str, depth: int) -> bool:
        try:
            inner = os.open(name, LIST, dir_fd=folder)
        except OSError as error:  # or it is no folder any more
            if error.errno not in OUT_OF_SIGHT:
                raise
            done.unlisted.add(path)
            return True
        try:
            if is_forbidden(path, os.fstat(inner)):  # it took that name a moment ago
                return True
            return go(inner, f"{path}/", depth + 1)
        finally:
            os.close(inner)

    listed = os.open(".", LIST, dir_fd=root)
    try:
        go(listed, "", 1)
    finally:
        os.close(listed)
    return done


@contextmanager
def parent_of(root: int, path: str) -> Generator[tuple[int, str]]:
    """The open folder that holds `path`, and its name there. Raises OSError where a link is on the way."""
    *folders, name = parts_of(path)
    descriptor = os.open(".", PASS, dir_fd=root)
    try:
        for folder in folders:
            inner = os.open(folder, PASS, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor, name
    finally:
        os.close(descriptor)


def parts_of(path: str) -> Sequence[str]:
    """The parts of a workspace name. Raises OSError for what is none, such as one with `..`."""
    parts = path.split("/")
    if len(parts) > MAX_DEPTH or any(part in ("", ".", "..") or "\0" in part for part in parts) or not is_text(path):
        raise OSError(0, f"{path!r} is no name in a workspace")
    return parts


def is_text(name: str) -> bool:
    """Whether the name is UTF-8: no other can stand in a journal."""
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
