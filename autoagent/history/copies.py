"""Copies of contents, each known by its SHA-256: small ones packed in one file, large ones in files of their own.

Packed, because making 10,000 files takes ten times as long as writing what is in them. A file of copies never changes
once another process may read it, so that the next run in a workspace takes it over by a hard link.
"""

import hashlib
import os
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from autoagent.journal import make_folder

_CHUNK = 2**18  # bytes; what is less is small
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Unreadable(Exception):
    """The content can't be read, or is longer than may be kept; what is kept already stays as it is."""


class CopyFailed(OSError):
    """The disk takes no more, or fails: a copy was not made."""


class Place(NamedTuple):
    """Where a copy is: in which file, named by chance for many copies and by its SHA-256 for a large one."""

    file: str
    offset: int
    size: int


class Copies:
    """Copies in `folder`, to which only one process adds at a time.

    A copy counts once its place is recorded: `places` holds those that are, `unrecorded` those that are to be, after
    `sync`. What a crash left without a record takes room and nothing else.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._pack, self._pack_name, self._end = -1, "", 0  # the one that this process fills
        self._unsynced = False
        self.places: dict[str, Place] = {}
        self.unrecorded: dict[str, Place] = {}

    def prepare(self) -> None:
        """Make the folder; remove what a crash left half written."""
        make_folder(self._folder)
        for part in self._folder.glob(".*"):
            part.unlink()

    def close(self) -> None:
        if self._pack >= 0:
            os.close(self._pack)
            self._pack = -1

    def take_over(self, other: "Copies", names: Collection[str]) -> None:
        """These copies of another store are in this one too, as far as that is possible."""
        wanted = {name: other.places[name] for name in names if name in other.places}
        taken: set[str] = set()
        for file in {place.file for place in wanted.values()}:
            with suppress(OSError):
                os.link(other._folder / file, self._folder / file, follow_symlinks=False)
                taken.add(file)
        self.unrecorded |= {name: place for name, place in wanted.items() if place.file in taken}
        self._unsynced = True

    def keep(self, content: bytes) -> str:
        """Store a content; its name. Raises CopyFailed."""
        name = hashlib.sha256(content).hexdigest()
        if not self._has(name):
            with _making():
                self._add(name, content)
        return name

    def keep_file(self, source: int, limit: int) -> str:
        """Store what an open file holds. Raises CopyFailed, or Unreadable: also where it grows beyond `limit`."""
        first = _read(source, _CHUNK)
        if len(first) < _CHUNK:
            return self.keep(first)
        digest, size = hashlib.sha256(), 0
        with _making(), self._part() as (part, path):
            for chunk in _up_to(limit, first, source):
                size += len(chunk)
                digest.update(chunk)
                _write(part, chunk)
            name = digest.hexdigest()
            if not self._has(name):
                os.fsync(part)
                path.rename(self._folder / name)
                self.unrecorded[name] = Place(name, 0, size)
                self._unsynced = True
        return name

    def sync(self) -> None:
        """All that is unrecorded is on disk when this returns."""
        if not self._unsynced:
            return
        if self._pack >= 0:
            os.fsync(self._pack)
        descriptor = os.open(self._folder, _READ | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._unsynced = False

    def recorded(self) -> None:
        self.places |= self.unrecorded
        self.unrecorded = {}

    def read(self, name: str) -> bytes:
        """A whole content. Raises OSError where it is not kept, or its copy is damaged."""
        found: list[bytes] = []
        self.pour(name, found.append)
        return b"".join(found)

    def pour(self, name: str, into: Callable[[bytes], object]) -> None:
        """Give a content to `into` piece by piece. Raises OSError, at the end where the copy is damaged."""
        place = self.unrecorded.get(name) or self.places.get(name)
        if place is None:
            raise OSError(0, "its content is not kept")
        digest = hashlib.sha256()
        for chunk in self._pieces(place):
            digest.update(chunk)
            into(chunk)
        if digest.hexdigest() != name:
            raise OSError(0, "the kept copy is damaged")

    def _pieces(self, place: Place) -> Iterator[bytes]:
        descriptor = os.open(self._folder / place.file, _READ)
        try:
            at, end = place.offset, place.offset + place.size
            while at < end and (piece := os.pread(descriptor, min(_CHUNK, end - at), at)):
                yield piece
                at += len(piece)
        finally:
            os.close(descriptor)

    def _add(self, name: str, content: bytes) -> None:
        """To the pack, at a place that is known: what a failed write left behind stays unused."""
        if self._pack < 0:
            self._pack_name, self._end = os.urandom(8).hex(), 0
            self._pack = os.open(self._folder / self._pack_name, _CREATE, 0o600)
        rest, at = memoryview(content), self._end
        while rest:
            written = os.pwrite(self._pack, rest, at)
            rest, at = rest[written:], at + written
        self.unrecorded[name] = Place(self._pack_name, self._end, len(content))
        self._end, self._unsynced = at, True

    def _has(self, name: str) -> bool:
        return name in self.places or name in self.unrecorded

    @contextmanager
    def _part(self) -> Generator[tuple[int, Path]]:
        path = self._folder / f".{os.urandom(8).hex()}"
        part = os.open(path, _CREATE, 0o600)
        try:
            yield part, path
        finally:
            os.close(part)
            path.unlink(missing_ok=True)


@contextmanager
def _making() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise CopyFailed(error.errno, error.strerror) from error


def fingerprint_of(source: int, limit: int) -> str:
    """The SHA-256 of what an open file holds, without keeping it. Raises Unreadable."""
    digest = hashlib.sha256()
    for chunk in _up_to(limit, _read(source, _CHUNK), source):
        digest.update(chunk)
    return digest.hexdigest()


def _up_to(limit: int, first: bytes, source: int) -> Iterator[bytes]:
    chunk, size = first, 0
    while chunk:
        size += len(chunk)
        if size > limit:
            raise Unreadable
        yield chunk
        chunk = _read(source, _CHUNK)


def _read(source: int, size: int) -> bytes:
    """As many bytes as there are, at most `size`."""
    try:
        part = os.read(source, size)
        while 0 < len(part) < size and (more := os.read(source, size - len(part))):
            part += more
    except OSError as error:
        raise Unreadable from error
    return part


def _write(target: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(target, rest) :]
