"""The workspace: every path is opened beneath its root by descriptor, never resolved first and opened later."""

import errno
import hashlib
import os
import stat
import sys
import unicodedata
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Self

from autoagent.env import ABSENT, Entry
from autoagent.errors import ConfigError, SandboxError
from autoagent.sandbox.beneath import FOLDER, has_openat2, open_beneath, rename_to_free_name

READ_LIMIT = 32 * 2**20  # bytes
HASH_LIMIT = 2**30  # bytes
MAX_DEPTH = 100
MAX_LINKS = 40  # as the Linux kernel

_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # a FIFO must not hold us
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_REASONS = {
    errno.ENOENT: "{} does not exist.",
    errno.EEXIST: "{} exists. Choose another name, or delete it first.",
    errno.ENOTEMPTY: "{} is not empty.",
    errno.ENOTDIR: "{} uses a file as if it were a folder.",
    errno.EISDIR: "{} is a folder, not a file.",
    errno.EACCES: "{} cannot be used: permission denied.",
    errno.ELOOP: "{} goes through too many links, or one that may not be followed.",
    errno.ENAMETOOLONG: "{} is too long: a name may have at most 255 bytes.",
    errno.ENXIO: "{} is a FIFO, socket or device, not a regular file.",
    errno.EOPNOTSUPP: "{} is a FIFO, socket or device, not a regular file.",  # what macOS says of a socket
    errno.EXDEV: "{} is outside the workspace. Paths are relative to the workspace and stay in it.",
    errno.ENOSPC: "The disk is full: {} was not written.",
}


class Workspace:
    """Files beneath `root`; `forbidden` paths are neither read, written nor listed, even inside it.

    Links are followed as long as they stay inside; an absolute link is refused even where it points inside.
    `openat2` None takes the system call where the kernel has it; tests choose. Threads may share a workspace;
    close it when none uses it any more.
    """

    def __init__(self, root: Path, *, forbidden: Sequence[Path] = (), openat2: bool | None = None):
        real_root = root.resolve()
        inside = [path for path in (path.resolve() for path in forbidden) if path.is_relative_to(real_root)]
        if real_root in inside:
            raise ConfigError(f"{root} is a folder of autoagent's own. Choose another workspace.")
        self._forbidden = [(path, path.relative_to(real_root).parts) for path in inside]
        self._roots = [root.absolute().parts[1:], real_root.parts[1:]]
        try:
            self._root = os.open(real_root, FOLDER)
        except OSError as error:
            raise ConfigError(f"The workspace {root} cannot be opened: {error.strerror}.") from error
        # openat2 doesn't tell which folders it went through: what is forbidden inside needs the walk.
        self._openat2 = not inside and (has_openat2(self._root) if openat2 is None else openat2)

    def close(self) -> None:
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def real_name(self, path: str) -> str:
        parts = self._parts(path)
        with _explained(path):
            for known in range(len(parts), -1, -1):  # what does not exist yet holds no links
                rest = tuple(part for part in parts[known:] if part not in ("", "."))
                if ".." in rest:
                    break
                with suppress(FileNotFoundError), self._walk(path, parts[:known]) as place:
                    name = "/".join((*place.real, *rest)) or "."
                    if not _can_be_a_path(name):
                        raise SandboxError(f"{_quoted(path)} leads to a name that is not valid UTF-8.")
                    return name
        raise _refusal(path, errno.ENOENT)

    def read_bytes(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        with _explained(path):
            return b"".join(_chunks(self._open(path, self._parts(path), _READ), path, limit=limit))

    def fingerprint(self, path: str, *, follow: bool = True) -> str:
        if not follow:
            with _explained(path), self._last_part(path) as place:
                return _fingerprint_at(place, path) if place else ABSENT
        with _explained(path):
            try:
                return _sha256(self._open(path, self._parts(path), _READ), path)
            except FileNotFoundError:
                return ABSENT

    def remove(self, path: str, *, expect: str) -> None:
        with _explained(path), self._last_part(path) as place:
            if place is None:
                raise _refusal(path, errno.ENOENT)
            _require_unchanged(place, path, expect)
            os.unlink(place.name, dir_fd=place.folder)
            _sync(place.folder)

    def rename(self, source: str, target: str, *, expect: str) -> None:
        if printable(target) != target:
            raise SandboxError(f"{_quoted(target)} holds a control character. Choose a name without one.")
        parts = self._parts(target)
        if not parts or parts[-1] in ("", ".", ".."):
            raise _refusal(target, errno.EISDIR)
        with _explained(source), self._last_part(source) as old:
            if old is None:
                raise _refusal(source, errno.ENOENT)
            _require_unchanged(old, source, expect)
            with _explained(target), self._walk(target, parts, make_folders=True) as new:
                if new.by_link:
                    raise _refusal(target, errno.EEXIST)
                rename_to_free_name(old.folder, old.name, new.folder, new.name)
                _sync(new.folder)
            _sync(old.folder)

    def is_folder(self, path: str) -> bool:
        with suppress(OSError), self._walk(path, self._parts(path)) as place:
            status = _status(place.name, place.folder)
            return status is not None and stat.S_ISDIR(status.st_mode)
        return False

    def make_folder(self, path: str) -> bool:
        if printable(path) != path:
            raise SandboxError(f"{_quoted(path)} holds a control character. Choose a name without one.")
        with _explained(path), self._walk(path, self._parts(path.rstrip("/") or path), make_folders=True) as place:
            if place.name == ".":
                return False
            if place.by_link and _status(place.name, place.folder) is None:
                raise SandboxError(f"{_quoted(path)} is a link to something that does not exist.")
            try:
                os.mkdir(place.name, dir_fd=place.folder)
            except FileExistsError:
                status = _status(place.name, place.folder)
                if status is None or not stat.S_ISDIR(status.st_mode):
                    raise SandboxError(f"{_quoted(path)} exists and is no folder. Choose another name.") from None
                return False
            _sync(place.folder)
            return True

    def write_bytes(self, path: str, content: bytes, *, expect: str | None = None) -> None:
        parts = self._parts(path)
        if printable(path) != path:
            raise SandboxError(f"{_quoted(path)} holds a control character. Choose a name without one.")
        if not parts or parts[-1] in ("", ".", ".."):
            raise _refusal(path, errno.EISDIR)
        with _explained(path), self._walk(path, parts, make_folders=True) as place:
            _replace(place, content, path, expect=expect)

    def remove_folder(self, path: str) -> None:
        with _explained(path), self._last_part(path.rstrip("/")) as place:
            if place is None:
                raise _refusal(path, errno.ENOENT)
            os.rmdir(place.name, dir_fd=place.folder)
            _sync(place.folder)

    @contextmanager
    def new_file(self, path: str) -> Generator[BinaryIO, None, None]:
        parts = self._parts(path)
        if printable(path) != path:
            raise SandboxError(f"{_quoted(path)} holds a control character. Choose a name without one.")
        if not parts or parts[-1] in ("", ".", ".."):
            raise _refusal(path, errno.EISDIR)
        with _explained(path), self._walk(path, parts, follow=False, make_folders=True) as place:
            if _status(place.name, place.folder) is not None:
                raise _refusal(path, errno.EEXIST)
            with _temporary(place) as (file, temporary):
                yield file
                file.flush()
                os.fsync(file.fileno())
                rename_to_free_name(place.folder, temporary, place.folder, place.name)
            _sync(place.folder)

    def entries(self, path: str = ".", *, recursive: bool = False) -> Iterator[Entry]:
        real = self.real_name(path)
        with _explained(path):
            found = self._list(path, () if real == "." else tuple(real.split("/")))
        return self._entries(found, recursive=recursive)

    def _entries(self, found: "list[_Found]", *, recursive: bool) -> Iterator[Entry]:
        pending = found[::-1]
        while pending:
            parts, entry = pending.pop()
            yield entry
            if recursive and entry.kind == "folder" and len(parts) < MAX_DEPTH:
                with suppress(OSError, SandboxError):  # unreadable, or gone meanwhile
                    pending += self._list(entry.path, parts)[::-1]

    def _list(self, given: str, folder: tuple[str, ...]) -> "list[_Found]":
        found: list[_Found] = []
        with _closing(self._open(given, folder, _LIST, follow=False)) as descriptor:
            for name in _names(descriptor):
                with suppress(FileNotFoundError):
                    status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    parts = (*folder, name)
                    if not self._is_forbidden(parts, status):
                        found.append((parts, Entry(printable("/".join(parts)), _kind(status), status.st_size)))
        return found

    def _parts(self, path: str) -> tuple[str, ...]:
        """The parts beneath the root, with an empty last one for a final slash; nothing is looked up."""
        if not path:
            raise SandboxError("The path is empty. Give one inside the workspace, like notes/a.md.")
        if not _can_be_a_path(path):
            raise SandboxError(f"{_quoted(path)} holds a character that no path can hold.")
        parts = tuple(part for part in path.split("/") if part)
        if path.startswith("/"):
            root = next((root for root in self._roots if parts[: len(root)] == root), None)
            if root is None:
                raise _refusal(path, errno.EXDEV)
            parts = parts[len(root) :]
        if any(len(os.fsencode(part)) > 255 for part in parts):
            raise _refusal(path, errno.ENAMETOOLONG)
        if len(parts) > MAX_DEPTH or sum(len(os.fsencode(part)) + 1 for part in parts) > 4000:
            raise SandboxError(f"{_quoted(path)} is too deep: at most {MAX_DEPTH} folders and 4,000 bytes.")
        return (*parts, "") if path.endswith("/") else parts

    def _open(self, given: str, parts: Sequence[str], flags: int, *, follow: bool = True) -> int:
        if self._openat2:
            with suppress(BlockingIOError, InterruptedError):  # a rename met a "..": the walk doesn't mind
                return open_beneath(self._root, "/".join(parts) or ".", flags, follow=follow)
        with self._walk(given, parts, follow=follow) as place:
            return os.open(place.name, flags | os.O_NOFOLLOW, dir_fd=place.folder)

    @contextmanager
    def _walk(
        self, given: str, parts: Sequence[str], *, follow: bool = True, make_folders: bool = False
    ) -> "Generator[_Place, None, None]":
        """Go down one folder at a time by descriptor and follow links by their text; ".." goes back a descriptor.

        Folders that were made are removed again when the caller fails.
        """
        pending = [(part, False) for part in reversed(parts)]
        folders, real, links, by_link = [os.dup(self._root)], list[str](), 0, False
        made: list[tuple[int, str]] = []
        try:
            while pending:
                part, by_link = pending.pop()
                if part in ("", "."):
                    continue
                if part == "..":
                    if not real:
                        raise _refusal(given, errno.EXDEV)
                    real.pop()
                    os.close(folders.pop())
                    continue
                link = _link_text(part, folders[-1])
                if link is not None:
                    links += 1
                    if links > MAX_LINKS or not follow:
                        raise _refusal(given, errno.ELOOP)
                    if link.startswith("/"):
                        raise _refusal(given, errno.EXDEV)
                    pending += [(part, True) for part in reversed(link.split("/"))]
                    continue
                if self._forbidden and self._is_forbidden((*real, part), _status(part, folders[-1])):
                    raise SandboxError(f"{_quoted(given)} belongs to autoagent itself. Use another path.")
                if not pending:
                    yield _Place(folders[-1], part, (*real, part), by_link)
                    return
                if len(real) >= MAX_DEPTH:
                    raise _refusal(given, errno.ENAMETOOLONG)
                may_make = make_folders and not by_link and ".." not in (part for part, _ in pending)
                if may_make and _make_folder(part, folders[-1]):
                    made.append((folders[-1], part))
                folders.append(os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=folders[-1]))
                real.append(part)
            yield _Place(folders[-1], ".", tuple(real), by_link)
        except BaseException:
            for parent, name in reversed(made):
                with suppress(OSError):
                    os.rmdir(name, dir_fd=parent)
            raise
        finally:
            for folder in folders:
                os.close(folder)

    @contextmanager
    def _last_part(self, path: str) -> "Generator[_Place | None, None, None]":
        """Where a name stands, itself and not what it leads to where it is a link; None where nothing has it."""
        parts = self._parts(path)
        if not parts or parts[-1] in ("", ".", ".."):
            raise _refusal(path, errno.EISDIR)
        try:
            with self._walk(path, parts[:-1]) as above:
                folder = os.open(above.name, FOLDER | os.O_NOFOLLOW, dir_fd=above.folder)
        except FileNotFoundError:
            yield None
            return
        with _closing(folder):
            real = () if above.name == "." else above.real
            status = _status(parts[-1], folder)
            if status and self._is_forbidden((*real, parts[-1]), status):
                raise SandboxError(f"{_quoted(path)} belongs to autoagent itself. Use another path.")
            yield _Place(folder, parts[-1], (*real, parts[-1]), by_link=False) if status else None

    def _is_forbidden(self, parts: tuple[str, ...], status: os.stat_result | None) -> bool:
        for path, forbidden in self._forbidden:
            if parts[: len(forbidden)] == forbidden:
                return True
            with suppress(OSError):  # the same folder under another name or spelling
                if status and os.path.samestat(status, path.stat()):
                    return True
        return False


def printable(name: str) -> str:
    r"""The name with control characters, line breaks and bytes that are no UTF-8 escaped, as in `\xff`."""
    if name.isprintable():
        return name
    return "".join(_escaped(c) if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in name)


@dataclass(frozen=True)
class _Place:
    """Where a path leads: `name`, which is no link, in an open `folder`; "." is the folder itself."""

    folder: int
    name: str
    real: tuple[str, ...]
    by_link: bool


_Found = tuple[tuple[str, ...], Entry]  # the parts as the disk spells them, and what is shown


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python carries a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def _quoted(path: str) -> str:
    return f"'{printable(path if len(path) <= 200 else path[:200] + '…')}'"


def _can_be_a_path(path: str) -> bool:
    try:
        return b"\0" not in path.encode() and bool(os.fsencode(path))
    except UnicodeEncodeError:
        return False


def _refusal(path: str, code: int) -> SandboxError:
    return SandboxError(_REASONS.get(code, "{} cannot be used: " + os.strerror(code) + ".").format(_quoted(path)))


@contextmanager
def _explained(path: str) -> Generator[None, None, None]:
    """Turn what the system says into words for the model."""
    try:
        yield
    except OSError as error:
        raise _refusal(path, error.errno or 0) from error


def _kind(status: os.stat_result) -> Literal["file", "folder", "link", "special"]:
    if stat.S_ISREG(status.st_mode):
        return "file"
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    return "link" if stat.S_ISLNK(status.st_mode) else "special"


def _require_file(status: os.stat_result, given: str) -> None:
    if _kind(status) != "file":
        raise _refusal(given, errno.EISDIR if _kind(status) == "folder" else errno.ENXIO)


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as found:
        return sorted((entry.name for entry in found), key=os.fsencode)


def _status(name: str, folder: int) -> os.stat_result | None:
    with suppress(FileNotFoundError):
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    return None


def _make_folder(name: str, parent: int) -> bool:
    """False where something has that name already."""
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:
        return False
    _sync(parent)
    return True


def _link_text(name: str, folder: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):  # no link, or nothing there
            return None
        raise


@contextmanager
def _closing(descriptor: int) -> Generator[int, None, None]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _chunks(descriptor: int, given: str, *, limit: int) -> Iterator[bytes]:
    """The content of a regular file of at most `limit` bytes, even if it grows meanwhile. Closes the descriptor."""
    with _closing(descriptor):
        status = os.fstat(descriptor)
        _require_file(status, given)
        size, done = status.st_size, 0
        while size <= limit and (chunk := os.read(descriptor, 2**18)):
            yield chunk
            done += len(chunk)
            size = max(size, done)
        if size > limit:
            raise SandboxError(f"{_quoted(given)} has {size:,} bytes, more than the {limit:,} that fit here.")


def _sha256(descriptor: int, given: str) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(descriptor, given, limit=HASH_LIMIT):
        digest.update(chunk)
    return digest.hexdigest()


def _replace(place: _Place, content: bytes, given: str, *, expect: str | None) -> None:
    """Write beside the file and rename over it, so that a reader, a crash or a hard link sees the old one whole."""
    old = _status(place.name, place.folder)
    if old is None and place.by_link:
        raise SandboxError(f"{_quoted(given)} is a link to something that does not exist.")
    if old is not None:
        _require_file(old, given)
        if not old.st_mode & 0o222:
            raise SandboxError(f"{_quoted(given)} is read-only.")
        if sys.platform == "darwin" and place.name not in _names(place.folder):
            raise SandboxError(f"{_quoted(given)} exists with another spelling. List the folder and use that one.")
    with _temporary(place, 0o600 if old else 0o666) as (file, temporary):
        file.write(content)
        file.flush()
        if old is not None:
            os.fchmod(file.fileno(), old.st_mode & 0o777)
        os.fsync(file.fileno())
        if expect is not None and expect != _fingerprint_at(place, given):
            raise SandboxError(f"{_quoted(given)} is not as it was last seen. Read it again, then decide.")
        os.rename(temporary, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    _sync(place.folder)


@contextmanager
def _temporary(place: "_Place", mode: int = 0o666) -> Generator[tuple[BinaryIO, str], None, None]:
    """A new file and its name, to be renamed; gone where the block ends with an error.

    The name is always the same beside one file: what a kill left of it is replaced when the write is made again.
    """
    folder, name = place.folder, f".{hashlib.sha256(os.fsencode(place.name)).hexdigest()[:16]}.autoagent"
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
    descriptor = os.open(name, _CREATE, mode, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file, name
    except BaseException:
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise


def _require_unchanged(place: _Place, given: str, expect: str) -> None:
    if _fingerprint_at(place, given) != expect:
        raise SandboxError(f"{_quoted(given)} is not as it was last seen. Look again, then decide.")


def _fingerprint_at(place: _Place, given: str) -> str:
    """Of a link that of its target's name, of anything else of its content."""
    link = _link_text(place.name, place.folder)
    if link is not None:
        return f"link:{hashlib.sha256(os.fsencode(link)).hexdigest()}"
    try:
        return _sha256(os.open(place.name, _READ | os.O_NOFOLLOW, dir_fd=place.folder), given)
    except FileNotFoundError:
        return ABSENT


def _sync(folder: int) -> None:
    with _closing(os.open(".", _LIST, dir_fd=folder)) as descriptor:  # O_PATH itself cannot be synced
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # a network disk that syncs no folders
                raise
