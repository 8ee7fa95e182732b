"""Archives (zip, tar, also packed by gzip, bzip2 or xz): their files one after the other, in bounded memory.

An archive is told by its content, not by its name. What could do harm where it is unpacked refuses the whole of it,
by the entry's name: paths that lead out, links, devices, and more than anybody packs.
"""

import bz2
import gzip
import io
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, BinaryIO, cast

from autoagent.errors import CommandError, SandboxError
from autoagent.sandbox.workspace import printable

ENTRIES = 10_000
UNPACKED = 2**30  # bytes
RATIO, RATIO_FROM = 100, 100 * 2**20  # times its own size, and from how many bytes on that is looked at
NAME_BYTES = 255
FOLDERS = 100  # in one another
HEADERS = 8 * 2**20  # bytes before one entry of a tar, or of the directory of a zip
CHUNK = 2**18  # bytes

_PACKERS: dict[bytes, Callable[[BinaryIO], IO[bytes]]] = {
    b"\x1f\x8b": lambda packed: cast(BinaryIO, gzip.GzipFile(fileobj=packed)),
    b"BZh": lambda packed: cast(BinaryIO, bz2.BZ2File(packed)),
    b"\xfd7zXZ\0": lambda packed: lzma.LZMAFile(packed),  # noqa: SIM115  # it only reads memory
}
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # a file first, or none at all
_DRIVE = re.compile(r"[A-Za-z]:")
_HANGUL = re.compile("[\u1100-\u11ff\uac00-\ud7a3]")
_ENCRYPTED, _UTF_8 = 0x1, 0x800  # flags of an entry of a zip
_DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error,
    EOFError, OSError, ValueError, IndexError, KeyError, OverflowError, RecursionError,
    NotImplementedError,
)  # fmt: skip  # what the readers raise for bytes that are no archive


@dataclass(frozen=True)
class Member:
    """A file or folder of an archive: a relative path without "." or "..", and its content, read before the next."""

    path: str
    is_folder: bool
    chunks: Iterator[bytes]


def members(content: bytes, given: str) -> Iterator[Member]:
    """What is in an archive. Raises CommandError, naming the entry, for one that may not be unpacked.

    Only after the last member is it known that the whole of it may.
    """
    gauge = _Gauge(given, len(content))
    found = _of_zip(content, given) if content.startswith(_ZIP) else _of_tar(content, given)
    seen = dict[str, bool]()
    for raw in found:
        if not (path := _checked(raw, given)):
            continue  # the root itself
        if len(seen) >= ENTRIES:
            raise CommandError(f"{given!r} holds more than {ENTRIES:,} entries, the limit. Nothing was unpacked.")
        if seen.get(path) is not None and not (seen[path] and raw.is_folder):
            raise _refused(given, path, "is in it twice")
        seen[path] = raw.is_folder
        chunks = _read_whole(raw.chunks, given)
        yield Member(path, raw.is_folder, gauge.count(chunks))
        for _ in gauge.count(chunks):
            pass
    folders = {path[:at] for path in seen for at, char in enumerate(path) if char == "/"}
    if both := next((path for path in folders if seen.get(path) is False), ""):
        raise _refused(given, both, "is both a file and a folder")


def _read_whole(chunks: Iterator[bytes], given: str) -> Iterator[bytes]:
    """Here, since it is not within the reader of the archive that damage in a file's content is met."""
    with _told(given):
        yield from chunks


@dataclass(frozen=True)
class _Raw:
    """An entry as the archive has it; `refused` says why it can't be unpacked, "" where it can."""

    name: str
    is_folder: bool
    refused: str
    chunks: Iterator[bytes]


class _Gauge:
    """Counts what really comes out, whatever the archive says about itself."""

    def __init__(self, given: str, packed: int):
        self._given, self._packed, self._size = given, packed, 0

    def add(self, size: int) -> None:
        self._size += size
        if self._size > UNPACKED:
            raise _too_much(self._given, f"{UNPACKED >> 20:,} MB, the limit")
        if self._size > max(RATIO_FROM, RATIO * self._packed):
            raise _too_much(self._given, f"{RATIO} times its size, as no honest one does")

    def count(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.add(len(chunk))
            yield chunk


def _checked(raw: _Raw, given: str) -> str:
    """The path that an entry is unpacked to, "" for the root."""
    parts = [part for part in raw.name.split("/") if part not in ("", ".")]
    if raw.refused:
        problem = raw.refused
    elif raw.name.startswith("/") or _DRIVE.match(raw.name) or ".." in parts:
        problem = "leads out of the folder"
    elif printable(raw.name) != raw.name:
        problem = "holds characters that no name should hold"
    elif any(len(part.encode()) > NAME_BYTES for part in parts):
        problem = f"is too long: a name may have at most {NAME_BYTES} bytes"
    elif len(parts) > FOLDERS:
        problem = f"is too deep: at most {FOLDERS} folders"
    elif not parts and not raw.is_folder:
        problem = "has no name"
    else:
        return "/".join(parts)
    raise _refused(given, raw.name, problem)


def _of_zip(content: bytes, given: str) -> Iterator[_Raw]:
    with _told(given), zipfile.ZipFile(_Directory(content)) as archive:
        for entry in archive.infolist():
            name = _spelled(entry).replace("\\", "/")
            is_folder = name.endswith("/")
            yield _Raw(name, is_folder, _refused_of_zip(entry), iter(()) if is_folder else _of_entry(archive, entry))


def _of_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(entry) as file:
        yield from _read(file)


class _Directory(io.BytesIO):
    """A zip whose directory is read in one piece, so that it must be no larger than it needs to be."""

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        if len(piece) > HEADERS:
            raise zipfile.BadZipFile("its directory is too large")
        return piece


def _refused_of_zip(entry: zipfile.ZipInfo) -> str:
    mode = entry.external_attr >> 16
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if stat.S_ISLNK(mode):
        return "is a link"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is no file"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others unpack without bounds
        return "is packed in another way than deflate"
    return ""


def _spelled(entry: zipfile.ZipInfo) -> str:
    """The name, also where a program packed it without saying how it writes names, as in Korea many do."""
    if entry.flag_bits & _UTF_8 or entry.orig_filename.isascii():
        return entry.orig_filename
    raw = entry.orig_filename.encode("cp437")
    utf_8, korean = _decoded(raw, "utf-8"), _decoded(raw, "cp949")
    if utf_8 and _HANGUL.search(utf_8):
        return utf_8
    if korean and _HANGUL.search(korean):
        return korean
    return utf_8 or entry.orig_filename


def _decoded(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _of_tar(content: bytes, given: str) -> Iterator[_Raw]:
    packed = io.BytesIO(content)
    unpacked = next((unpack(packed) for magic, unpack in _PACKERS.items() if content.startswith(magic)), packed)
    with _told(given):
        stream = _Stream(unpacked, _Gauge(given, len(content)))
        with _open_tar(stream, given) as archive:
            while entry := archive.next():
                data = archive.extractfile(entry) if entry.isreg() else None
                stream.in_header = False
                yield _Raw(entry.name, entry.isdir(), _refused_of_tar(entry), _read(data) if data else iter(()))
                stream.begin_header()
        stream.in_header = False
        while rest := stream.read(CHUNK):  # what is packed has its checksum at the end
            if rest.strip(b"\0"):
                raise tarfile.ReadError("more after the end")


def _open_tar(stream: "_Stream", given: str) -> tarfile.TarFile:
    try:
        return tarfile.open(mode="r|", fileobj=cast(BinaryIO, stream), tarinfo=_Header, encoding="utf-8")
    except tarfile.ReadError as error:
        raise CommandError(f"{given!r} is no zip or tar archive, or is damaged.") from error


def _read(data: IO[bytes]) -> Iterator[bytes]:
    while chunk := data.read(CHUNK):
        yield chunk


class _Header(tarfile.TarInfo):
    """A header that is damaged is an error; tarfile would take it for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if any(buf):
                raise tarfile.ReadError("damaged header") from error
            raise


class _Stream:
    """What a tar is read from: however it is packed, and whatever its headers ask for, no more than bounds allow."""

    def __init__(self, raw: IO[bytes], gauge: _Gauge):
        self._raw, self._gauge = raw, gauge
        self._header = 0
        self.in_header = True

    def begin_header(self) -> None:
        """Of the next entry: what is read ahead for small files must not add up to a header too large."""
        self._header, self.in_header = 0, True

    def read(self, size: int) -> bytes:
        piece = self._raw.read(size)
        self._gauge.add(len(piece))
        self._header = self._header + len(piece) if self.in_header else 0
        if self._header > HEADERS:
            raise tarfile.ReadError("a header is too large")
        return piece


def _refused_of_tar(entry: tarfile.TarInfo) -> str:
    if entry.issym() or entry.islnk():
        return "is a link"
    if entry.isfifo():
        return "is a FIFO"
    if entry.isdev():
        return "is a device"
    if not (entry.isreg() or entry.isdir()) or entry.size < 0:
        return "is no file"
    return ""


@contextmanager
def _told(given: str) -> Generator[None, None, None]:
    try:
        yield
    except _DAMAGE as error:
        raise CommandError(f"{given!r} is damaged or cut short, or no archive. Nothing was unpacked.") from error


def _refused(given: str, entry: str, problem: str) -> SandboxError:
    shown = printable(entry if len(entry) <= NAME_BYTES else entry[:NAME_BYTES] + "…")
    return SandboxError(f"{given!r} is not unpacked: its entry '{shown}' {problem}.", control="archive")


def _too_much(given: str, what: str) -> SandboxError:
    return SandboxError(f"{given!r} unpacks to more than {what}.", control="archive")
