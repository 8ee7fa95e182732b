"""What a workspace was at the last look, kept in a small file so that a run that goes on can compare with it."""

import contextlib
import os
import stat
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from autoagent.env import fingerprint
from autoagent.events import FileChange, FileState
from autoagent.history.copies import Place

if TYPE_CHECKING:
    import sqlite3

Kind = Literal["file", "folder", "link"]
UNSURE_NS = 20_000_000  # two changes of a file within a tick of the kernel's clock have one time
_INODE = 2**63 - 1  # SQLite's largest integer
_TABLES = """
    CREATE TABLE IF NOT EXISTS looks (
        path TEXT PRIMARY KEY, kind TEXT, mode INTEGER, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER,
        inode INTEGER, sha256 TEXT, kept INTEGER) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS copies (sha256 TEXT PRIMARY KEY, file TEXT, place INTEGER, size INTEGER) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""


class Look(NamedTuple):
    """What was at a path; the times tell whether it is still that. `ctime_ns` 0: they can't, it was just changed."""

    kind: Kind
    mode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    sha256: str
    kept: bool

    def is_still(self, status: os.stat_result) -> bool:
        if self.kind == "folder":
            return stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == self.mode
        return self.kind == kind_of(status) and (
            self.ctime_ns == status.st_ctime_ns
            and self.mtime_ns == status.st_mtime_ns
            and self.size == status.st_size
            and self.inode == status.st_ino & _INODE
            and (self.kind == "link" or self.mode == stat.S_IMODE(status.st_mode))
        )

    def is_younger_than(self, moment_ns: int) -> bool:
        """Whether it came to be after that moment; False where its times can't tell, or nobody knows the moment: 0."""
        changed_ns = self.ctime_ns or time.time_ns() - UNSURE_NS
        return self.kind != "folder" and moment_ns > 0 and moment_ns + UNSURE_NS < changed_ns

    def was_written_after(self, moment_ns: int) -> bool:
        """Whether its content is younger. Another mode or a second name is no other content."""
        return self.kind == "file" and moment_ns > 0 and moment_ns + UNSURE_NS < self.mtime_ns

    @property
    def state(self) -> FileState:
        """Where no content is kept, size and time tell one content from another."""
        if self.kind == "folder":
            return FileState(kind="folder", mode=self.mode, kept=self.kept)
        sha256 = self.sha256 or fingerprint(f"{self.size} {self.mtime_ns}".encode())
        return FileState(kind=self.kind, sha256=sha256, mode=self.mode, size=self.size, kept=self.kept)


def kind_of(status: os.stat_result) -> Kind | None:
    """None for a FIFO, socket or device."""
    if stat.S_ISREG(status.st_mode):
        return "file"
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    return "link" if stat.S_ISLNK(status.st_mode) else None


def look_of(kind: Kind, status: os.stat_result, sha256: str = "", *, kept: bool) -> Look:
    """The look at what had this status before its content was read."""
    if kind == "folder":
        return Look(kind, stat.S_IMODE(status.st_mode), 0, 0, 0, 0, "", kept)
    mode = 0 if kind == "link" else stat.S_IMODE(status.st_mode)
    ctime = 0 if status.st_ctime_ns > time.time_ns() - UNSURE_NS else status.st_ctime_ns
    return Look(kind, mode, status.st_size, status.st_mtime_ns, ctime, status.st_ino & _INODE, sha256, kept)


class Call(BaseModel):
    """The command that was begun last. `changed` is what it did, once it ended or was looked at.

    `unlisted` and `whole` tell what its first look did not see; `paths` None: it looked everywhere.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    paths: tuple[str, ...] | None
    began_ns: int
    is_open: bool = True
    changed: tuple[FileChange, ...] = ()
    unlisted: frozenset[str] = frozenset()
    whole: bool = True


class Looks:
    """The file. Every method raises OSError."""

    def __init__(self, path: Path):
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def load(self) -> tuple[dict[str, Look], dict[str, Place], Call | None]:
        with self._reaching() as db:
            rows = db.execute("SELECT path, kind, mode, size, mtime_ns, ctime_ns, inode, sha256, kept FROM looks")
            looks = {row[0]: Look(*row[1:8], kept=bool(row[8])) for row in rows}
            places = {row[0]: Place(*row[1:]) for row in db.execute("SELECT sha256, file, place, size FROM copies")}
            found = db.execute("SELECT value FROM facts WHERE name = 'call'").fetchone()
        return looks, places, Call.model_validate_json(found[0]) if found else None

    def save(self, changed: Mapping[str, Look | None], places: Mapping[str, Place], call: Call | None) -> None:
        """Durable when this returns: all of it or nothing."""
        with self._reaching() as db, db:
            db.executemany("DELETE FROM looks WHERE path = ?", [(path,) for path, look in changed.items() if not look])
            db.executemany(
                "INSERT OR REPLACE INTO looks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                ((path, *look) for path, look in changed.items() if look),
            )
            db.executemany(
                "INSERT OR REPLACE INTO copies VALUES (?, ?, ?, ?)", ((name, *at) for name, at in places.items())
            )
            if call:
                db.execute("INSERT OR REPLACE INTO facts VALUES ('call', ?)", (call.model_dump_json(),))

    def close(self) -> None:
        if self._connection:
            with self._reaching():
                self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _reaching(self) -> "Generator[sqlite3.Connection]":
        import sqlite3  # not before a command acts: it costs 5 ms of every start

        try:
            if self._connection is None:
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite's would be 0644
                self._connection = sqlite3.connect(self._path, timeout=5, check_same_thread=False)
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.executescript(_TABLES)
            yield self._connection
        except sqlite3.Error as error:
            raise OSError(0, f"{self._path}: {error}") from error
