"""Facts that runs kept for later runs: one SQLite file, a truth of its own, shared by all runs of a person."""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from autoagent.env import Memory
from autoagent.errors import JournalError
from autoagent.journal import make_folder
from autoagent.recall.index import add, make_index, remove, search
from autoagent.recall.words import query_of

WAIT_S = 10.0  # for another run that writes
TAGS_WEIGH = 2.0  # they are few, and hold the words that a later question may use
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_COLUMNS = "id, text, tags, at, run, source, workspace, outside"
T = TypeVar("T")


class FoundMemory(NamedTuple):
    """A fact that answers a query; `covered` counts the terms of it that the fact holds, `tags` those it names whole.

    `score` is at most 1, that of the best one.
    """

    memory: Memory
    score: float
    covered: float
    tags: int


class Store:
    """The facts in one file, which need not be there. Safe with several runs at once, from any thread.

    What is kept is on disk when `keep` returns. A damaged file is set aside, with what can still be read of it taken
    over, and `notify` told in one line. Raises JournalError where the file can't be read or written.
    """

    def __init__(self, path: Path, notify: Callable[[str], None]):
        self.path, self._notify = path, notify

    def keep(self, fact: Memory, key: str) -> Memory:
        """Keep a fact, whose `id` and `at` are given here. What was kept under this key stays, and is returned."""

        def work(db: sqlite3.Connection) -> Memory:
            known = db.execute(f"SELECT {_COLUMNS} FROM memories WHERE key = ?", (key,)).fetchone()
            return _memory(known) if known else _insert(db, fact, key)

        return self._write(work)

    def all(self, workspace: str | None = None) -> list[Memory]:
        """The newest first: every one, or those that a run in `workspace` may use."""

        def work(db: sqlite3.Connection) -> list[Memory]:
            return [_memory(row) for row in _usable(db, workspace)]

        return self._read(work, [])

    def get(self, id: str) -> Memory | None:
        def work(db: sqlite3.Connection) -> Memory | None:
            row = db.execute(f"SELECT {_COLUMNS} FROM memories WHERE id = ?", (_number(id),)).fetchone()
            return _memory(row) if row else None

        return self._read(work, None)

    def search(self, text: str, limit: int, workspace: str | None = None) -> list[FoundMemory]:
        """Those that hold words of `text`, the best first; of several that say the same, the first."""
        query = query_of(text)
        asked = " ".join((*query.words, *query.runs))

        def work(db: sqlite3.Connection) -> list[FoundMemory]:
            known = {row[0]: _memory(row) for row in _usable(db, workspace)}
            said: dict[str, FoundMemory] = {}
            for one in search(db, query, known.__contains__, tags_weigh=TAGS_WEIGH):
                if len(said) >= limit:
                    break
                memory = known[one.row]
                named = sum(_is_asked_for(tag, asked) for tag in memory.tags)
                covered = query.covered(f"{memory.text}\n{' '.join(memory.tags)}")
                said.setdefault(_same(memory.text), FoundMemory(memory, one.score, covered, named))
            return list(said.values())

        return self._read(work, [])

    def forget(self, id: str) -> bool:
        """Remove a fact for good. False where there is none."""

        def work(db: sqlite3.Connection) -> bool:
            gone = db.execute("DELETE FROM memories WHERE id = ?", (_number(id),)).rowcount == 1
            if gone:
                remove(db, _number(id))
            return gone

        return self._is_there() and self._write(work)

    def forget_all(self) -> int:
        """Remove every fact for good; how many there were."""

        def work(db: sqlite3.Connection) -> int:
            gone = db.execute("DELETE FROM memories").rowcount
            db.execute("DROP TABLE stems")
            make_index(db)
            return gone

        return self._write(work) if self._is_there() else 0

    def _read(self, work: Callable[[sqlite3.Connection], T], absent: T) -> T:
        return self._do(work) if self._is_there() else absent

    def _is_there(self) -> bool:
        try:
            return self.path.exists()
        except OSError as error:
            raise JournalError(f"{self.path}: {error.strerror}") from error

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            make_folder(self.path.parent)
        except OSError as error:
            raise JournalError(f"{self.path.parent}: {error.strerror}") from error

        def whole(db: sqlite3.Connection) -> T:
            db.execute("BEGIN IMMEDIATE")  # two runs that read first and then both write would block each other
            with db:
                return work(db)

        return self._do(whole)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        for _ in range(3):
            inode = 0
            try:
                inode = _touch(self.path)
                with closing(_open(self.path)) as db:
                    _make_tables(db)
                    return work(db)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise JournalError(f"{self.path}: {error}") from error
                self._set_aside(inode)
            except OSError as error:
                raise JournalError(f"{self.path}: {error.strerror}") from error
        raise JournalError(f"{self.path}: is damaged, and can't be set aside")

    def _set_aside(self, inode: int) -> None:
        """Give the damaged file another name, unless another run did so by now, and begin a new one."""
        try:
            with _holding(self.path.parent):
                if not self.path.exists() or self.path.stat().st_ino != inode:
                    return
                stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
                aside = self.path.with_name(f"{self.path.name}.damaged-{stamp}")
                for ending in ("-journal", "-wal", "-shm", ""):  # what is half written belongs to it, not to a new one
                    with contextlib.suppress(FileNotFoundError):
                        self.path.with_name(self.path.name + ending).rename(f"{aside}{ending}")
        except OSError as error:
            raise JournalError(f"{self.path}: is damaged and can't be set aside: {error.strerror}") from error
        taken = self._take_over(aside)
        told = f"{taken} of its facts could be read and are kept as from outside" if taken else "none could be read"
        self._notify(f"{self.path.name} was damaged: set aside as {aside.name}; {told}")

    def _take_over(self, aside: Path) -> int:
        """Keep what can be read of a damaged file. Nobody knows what else changed in it: it may be anybody's words."""
        taken = 0
        _touch(self.path)
        with contextlib.suppress(sqlite3.Error, OSError), closing(_open(self.path)) as db:
            _make_tables(db)
            db.execute("BEGIN IMMEDIATE")
            with db:
                for key, *row in _readable(aside):
                    with contextlib.suppress(sqlite3.IntegrityError):
                        _insert(db, replace(_memory(row), outside=True), key)
                        taken += 1
        return taken


def _touch(path: Path) -> int:
    """Make the file where it is not there, for nobody else to read; its inode."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return os.fstat(fd).st_ino
    finally:
        os.close(fd)


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", timeout=WAIT_S, isolation_level=None, uri=True)
    try:
        db.execute("PRAGMA synchronous = EXTRA")  # a fact that was kept is on disk, and so is the end of its journal
        db.execute("PRAGMA secure_delete = ON")  # what is forgotten is gone
    except sqlite3.Error:
        db.close()
        raise
    return db


def _make_tables(db: sqlite3.Connection) -> None:
    (there,) = db.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('memories', 'stems')").fetchone()
    if there == 2:
        return
    db.execute("BEGIN IMMEDIATE")
    with db:
        db.execute(
            "CREATE TABLE IF NOT EXISTS memories (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE, text TEXT,"
            " tags TEXT, at TEXT, run TEXT, source TEXT, workspace TEXT, outside INTEGER)"
        )
        make_index(db)


def _insert(db: sqlite3.Connection, fact: Memory, key: str) -> Memory:
    at = fact.at or datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    tags = "\n".join(fact.tags)
    row = db.execute(
        "INSERT INTO memories (key, text, tags, at, run, source, workspace, outside) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (key, fact.text, tags, at, fact.run, fact.source, fact.workspace, fact.outside),
    ).lastrowid
    assert row is not None
    add(db, row, fact.text, " ".join(fact.tags))
    return _memory((row, fact.text, tags, at, fact.run, fact.source, fact.workspace, fact.outside))


def _usable(db: sqlite3.Connection, workspace: str | None) -> sqlite3.Cursor:
    """The newest first: every one, or those that a run in `workspace` may use."""
    return db.execute(
        f"SELECT {_COLUMNS} FROM memories WHERE ? IS NULL OR workspace IN ('', ?) ORDER BY id DESC",
        (workspace, workspace),
    )


def _memory(row: Any) -> Memory:
    number, text, tags, at, run, source, workspace, outside = row
    labels = tuple(filter(None, str(tags).split("\n")))
    strange = outside != 0  # also where nobody can say
    return Memory(f"m{number}", str(text), labels, str(at), str(run), str(source), str(workspace), strange)


def _readable(path: Path) -> Generator[tuple[Any, ...]]:
    """The rows up to the first that can't be read."""
    with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=WAIT_S)) as db:
        yield from db.execute(f"SELECT key, {_COLUMNS} FROM memories ORDER BY id")


def _is_asked_for(tag: str, text: str) -> bool:
    """Whether all words of a tag stand in a query."""
    words = query_of(tag)
    return len(words) > 0 and words.covered(text) >= len(words)


def _same(text: str) -> str:
    """Of two facts that say the same, however they are spaced, the same."""
    return " ".join(text.casefold().split())


def _number(id: str) -> int:
    """m12 → 12; -1 for what is no id."""
    digits = id.strip().removeprefix("m")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 16 else -1


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


@contextlib.contextmanager
def _holding(folder: Path) -> Generator[None]:
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
