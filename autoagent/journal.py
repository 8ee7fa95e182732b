"""The journal: an append-only file of events, one JSON object a line. The only truth of a run."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydantic import ValidationError

from autoagent.errors import JournalCorrupt, JournalError, JournalLocked, JournalTooNew
from autoagent.events import EVENT, FORMAT, TYPES, Event
from autoagent.state import State, apply

_CRC = b',"crc":"'
_CRC_LENGTH = len(_CRC) + 8 + 2  # eight hex digits and `"}`
_NAME = re.compile(r"[0-9a-f]{64}")  # of an artifact
MOST_BYTES = 1 << 30  # of an artifact, or of a line


def seal(event: Event) -> bytes:
    """The event's line: JSON that closes with the CRC-32 of all bytes before that field."""
    return _sealed(event.model_dump_json())


def _sealed(line: str) -> bytes:
    body = line.encode()[:-1]
    return body + _CRC + b'%08x"}\n' % zlib.crc32(body)


def _masked(event: Event, mask: Callable[[str], str]) -> Event:
    """The event without known secrets in its texts."""

    def without(value: Any) -> Any:
        match value:
            case str():
                return mask(value)
            case list():
                return [without(item) for item in cast(list[Any], value)]
            case dict():
                return {without(key): without(item) for key, item in cast(dict[str, Any], value).items()}
            case _:
                return value

    return EVENT.validate_python(without(event.model_dump(mode="json")) | {"type": event.type}, strict=False)


def unseal(line: bytes, where: str) -> Event:
    """The event in a line. Raises JournalCorrupt, or JournalTooNew where only a newer version can read it."""
    body, mark, rest = line[:-_CRC_LENGTH], line[-_CRC_LENGTH:-10], line[-10:]
    if mark != _CRC or rest != b'%08x"}' % zlib.crc32(body):
        raise JournalCorrupt(f"{where}: the line is damaged (its checksum does not fit). Nothing was changed.")
    try:
        data: dict[str, Any] = json.loads(body + b"}")
    except (ValueError, RecursionError):
        raise JournalCorrupt(f"{where}: the line is no JSON. Nothing was changed.") from None
    version, kind = data.get("v", FORMAT), data.get("type")
    known = isinstance(kind, str) and kind in TYPES
    if not known or not isinstance(version, int) or version > FORMAT:
        raise JournalTooNew(f"{where}: written by a newer autoagent. Update autoagent to open this run.")
    try:
        return EVENT.validate_python(data, strict=False)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise JournalCorrupt(f"{where}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None


def read(folder: Path, after: int = 0) -> Iterator[Event]:
    """Events of a run with seq > after. What follows the last newline was never promised: dropped."""
    path = folder / "journal.jsonl"
    with _open_to_read(path) as file:
        for number, line in enumerate(iter(lambda: file.readline(MOST_BYTES), b""), start=1):
            if len(line) == MOST_BYTES:
                raise JournalCorrupt(f"{path}: line {number}: is longer than {MOST_BYTES >> 30} GB")
            if not line.endswith(b"\n"):
                return
            event = unseal(line[:-1], f"{path}: line {number}")
            if event.seq != number:
                raise JournalCorrupt(f"{path}: line {number}: has sequence number {event.seq}. Nothing was changed.")
            if event.seq > after:
                yield event


def state_of(folder: Path) -> State:
    """The state that the events of a run add up to. Raises JournalCorrupt with the line."""
    state = State()
    for event in read(folder):
        state = apply(state, event)
    return state


class Journal:
    """One writer, any number of readers. `append` returns only when the event is on disk."""

    def __init__(self, folder: Path):
        self.folder, self.path = folder, folder / "journal.jsonl"
        self.observers: list[Callable[[Event, State], None]] = []
        self.mask: Callable[[str], str] = str  # takes known secrets out of whatever is kept
        self._file, self._broken = -1, False
        try:
            make_folder(folder)
            self._lock = _lock(folder / "lock")
        except OSError as error:
            raise JournalError(f"{folder}: {error.strerror}. The run needs this folder to keep its journal.") from error
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self.state = state_of(folder)  # first, so that a journal that can't be read stays as it is
            self._drop_torn_tail()
            _sync_folder(folder)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise JournalError(f"{self.path}: {error.strerror}") from error
            raise

    def append(self, event: Event) -> State:
        """Number the event, put it on disk, tell the observers; the state after it.

        Raises JournalError where it is not on disk; the journal then takes nothing more.
        """
        if self._broken:
            raise JournalError(f"{self.path}: an earlier write did not end well; nothing more is written")
        event = event.model_copy(update={"seq": self.state.seq + 1})
        text = event.model_dump_json()
        if self.mask(text) != text:
            event = _masked(event, self.mask)
            text = event.model_dump_json()
        state, line = apply(self.state, event), _sealed(text)
        self._broken = True  # until it is done: also where a signal ends it half-way
        try:
            if os.write(self._file, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file)
        except OSError as error:  # after a failed fsync nobody knows what is on disk
            with contextlib.suppress(OSError):
                self._drop_torn_tail()
            raise JournalError(f"{self.path}: {error.strerror}. Nothing was done after it.") from error
        self.state, self._broken = state, False
        for observer in self.observers:
            observer(event, state)
        return state

    def keep(self, text: str) -> str:
        """Store a long text durably before the event that names it; its name is its SHA-256."""
        content = self.mask(text).encode("utf-8", "surrogatepass")
        name = hashlib.sha256(content).hexdigest()
        target = self.folder / "artifacts" / name
        try:
            if not target.exists():
                make_folder(target.parent)
                replace_file(target, content)
        except OSError as error:
            raise JournalError(f"{target}: {error.strerror}. Nothing was done after it.") from error
        return name

    def close(self) -> None:
        for fd in (self._file, self._lock):
            if fd >= 0:
                os.close(fd)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drop_torn_tail(self) -> None:
        """Take back what follows the last newline, however long it is."""
        size = os.fstat(self._file).st_size
        start, end = size, 0
        while start and not end:
            stop, start = start, max(0, start - (1 << 20))
            found = os.pread(self._file, stop - start, start).rfind(b"\n")
            end = start + found + 1 if found >= 0 else 0
        if end < size:
            os.ftruncate(self._file, end)


def artifact(folder: Path, name: str) -> str:
    """A text kept with `Journal.keep`. Raises JournalCorrupt where it is missing or damaged."""
    if not _NAME.fullmatch(name):
        raise JournalCorrupt(f"{folder / 'journal.jsonl'}: it names a kept text {name[:80]!r}, which is no SHA-256")
    path = folder / "artifacts" / name
    try:
        with _open_to_read(path) as file:
            if os.fstat(file.fileno()).st_size > MOST_BYTES:
                raise JournalCorrupt(f"{path}: is larger than {MOST_BYTES >> 30} GB")
            content = file.read()
    except OSError as error:
        raise JournalCorrupt(f"{path}: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != name:
        raise JournalCorrupt(f"{path}: is damaged (its content does not fit its name)")
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise JournalCorrupt(f"{path}: is no text") from None


def _open_to_read(path: Path) -> BinaryIO:
    """A record may be a stranger's: what is no file would block, or never end. Raises JournalCorrupt for that."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise JournalCorrupt(f"{path}: is no file")
    return file


def delete_run(folder: Path) -> None:
    """Remove a run for good. Raises JournalLocked where it is live."""
    fd = _lock(folder / "lock")
    try:
        shutil.rmtree(folder)
    finally:
        os.close(fd)


def make_folder(path: Path) -> None:
    """Create a private folder and its parents; each new name is made durable."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    _sync_folder(path.parent)


def replace_file(target: Path, content: bytes) -> None:
    """Write beside, sync, rename, sync the folder: the file is old or new, never half. Mode 0600."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(target)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _lock(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_for_lock(fd)
    except BlockingIOError:
        holder = os.pread(fd, 100, 0).decode(errors="replace").strip()
        os.close(fd)
        raise JournalLocked(f"run {path.parent.name} is held by another process ({holder or 'unknown'})") from None
    except OSError as error:
        os.close(fd)
        reason = f"{error.strerror}: this file system has no working locks"
        raise JournalError(f"{path}: {reason}. Set XDG_STATE_HOME to a local folder.") from None
    os.ftruncate(fd, os.pwrite(fd, f"pid {os.getpid()}".encode(), 0))
    return fd


def _wait_for_lock(fd: int) -> None:
    """A moment only: somebody may be looking whether the run is live, or be about to write its pid."""
    for _ in range(4):
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel frees it if we die; the file stays
        time.sleep(0.02)
    return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync_folder(path: Path) -> None:
    """Make the names in a folder as durable as the files' content."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
