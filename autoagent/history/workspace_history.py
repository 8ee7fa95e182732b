"""What one run changes in its workspace: looked at and kept before each command, compared after it."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from autoagent.env import fingerprint
from autoagent.events import FileChange, FileState
from autoagent.history.copies import Copies, CopyFailed, Unreadable, fingerprint_of
from autoagent.history.looks import UNSURE_NS, Call, Look, Looks, kind_of, look_of
from autoagent.history.put_back import Failure, put_back
from autoagent.history.scan import COVERED, OUT_OF_SIGHT, Covered, Forbidden, open_workspace, parent_of, parts_of, walk

ABSENT = FileState()
_LOOKS = "looks.sqlite"
_UNKNOWN = FileState(kind="file", kept=False)  # it was there, but out of sight
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC  # a FIFO must not hold us


class WorkspaceHistory:
    """Keeps contents in `folder`, private, made at first use; `forbidden` folders are not looked into.

    A look holds for what commands do between `begin` and `end`; what others did before is no change of the run's.
    What `begin` and `end` kept is durable when they return. All methods raise OSError where the disk does not do its
    part; the command must not act then. A `reader` only asks for contents, while another process holds the run.
    """

    def __init__(
        self,
        folder: Path,
        workspace: Path,
        *,
        forbidden: Sequence[Path] = (),
        covered: Covered = COVERED,
        reader: bool = False,
    ):
        self._folder, self._workspace, self._covered = folder, workspace, covered
        self._reader = reader
        self._forbidden = Forbidden(workspace, forbidden)
        self._copies, self._file = Copies(folder / "copies"), Looks(folder / _LOOKS)
        self._looks: dict[str, Look] = {}
        self._unsaved: dict[str, Look | None] = {}
        self._call: Call | None = None
        self._is_open = False

    def begin(self, call_id: str, paths: Sequence[str] | None) -> None:
        """Keep what is at `paths`, or everywhere for None, before a command acts.

        A call that was begun already and goes on after a crash is compared with its first look.
        """
        self._open()
        given = None if paths is None else tuple(paths)
        if self._call and self._call.id == call_id and self._call.paths == given:
            self._call = self._call.model_copy(update={"is_open": True})
            return self._save()
        began_ns = time.time_ns()
        found = self._look(given, keep="always")
        self._take(found)
        self._call = Call(
            id=call_id, paths=given, began_ns=began_ns, unlisted=frozenset(found.unlisted), whole=found.whole
        )
        return self._save()

    def end(self, call_id: str, ended_ns: int = 0) -> tuple[FileChange, ...]:
        """What the command changed, by path. Empty for a call that never began.

        `ended_ns`: when it had ended, where that was long before. What changed since then somebody else did.
        """
        if not self._is_there():
            return ()
        self._open()
        call = self._call
        if call is None or call.id != call_id:
            return ()
        if call.is_open:
            found = self._look(call.paths, keep="where it fits")
            changed = joined(call.changed, self._differences(found, call, ended_ns))
            self._take(found)
            call = self._call = call.model_copy(update={"is_open": False, "changed": changed})
            if found.looks:  # else the next look at the open call finds the same: nothing
                self._save()
        return call.changed

    def drift(self) -> tuple[FileChange, ...]:
        """What is different since the last look, though no command of the run was at work."""
        if not self._is_there():
            return ()
        self._open()
        if self._call is None:
            return ()
        found = self._look(None, keep="where it fits")
        changed = self._differences(found, self._call)
        self._take(found)
        return changed

    def unfinished(self) -> str:
        """The call that was begun last; "" where there is none. Whether its end was recorded, the journal knows."""
        if not self._is_there():
            return ""
        self._open()
        return self._call.id if self._call else ""

    def restore(self, changes: Sequence[FileChange]) -> None:
        """Bring each path back to its state `before`. Raises OSError for the first that could not be."""
        for failure in self.put_back(changes):
            raise OSError(0, failure.reason, failure.path)

    def put_back(self, changes: Sequence[FileChange]) -> tuple[Failure, ...]:
        """As `restore`; those that could not be put back, while the others are."""
        self._open()
        refused = {change.path for change in changes if self._forbidden.holds(change.path)}
        root = open_workspace(self._workspace)
        try:
            failures = put_back(root, self._copies, [change for change in changes if change.path not in refused])
        finally:
            os.close(root)
        failures += tuple(Failure(path, "it belongs to autoagent itself") for path in sorted(refused))
        failed = {failure.path for failure in failures}
        done = {change.path for change in changes if change.path not in failed}
        self._take(self._look(sorted(done), keep="where it fits"))
        if self._call:
            left = tuple(change for change in self._call.changed if change.path not in done)
            self._call = self._call.model_copy(update={"changed": left})
        return failures

    def now(self, paths: Iterable[str], *, keep: bool) -> dict[str, FileState]:
        """What is at these paths at this moment; with `keep` durably kept, so that it may be replaced."""
        wanted = tuple(paths)
        if keep:
            self._open()
            self._take(self._look(wanted, keep="always"))
            self._save()
            return {path: self._looks[path].state if path in self._looks else ABSENT for path in wanted}
        looks = self._look(wanted, keep="never").looks
        return {path: look.state if (look := looks.get(path, self._looks.get(path))) else ABSENT for path in wanted}

    def content(self, path: str, state: FileState) -> bytes:
        """What a file or link held in that state. Raises OSError where it is not kept or its copy is damaged."""
        if self._is_there():
            self._open()
        with suppress(OSError):
            return self._copies.read(state.sha256)
        return self._content_now(path, state)

    def _content_now(self, path: str, state: FileState) -> bytes:
        """The content of a file that is still in that state: a run at work records it with its next command."""
        root = open_workspace(self._workspace)
        try:
            with parent_of(root, path) as (folder, name), os.fdopen(os.open(name, _READ, dir_fd=folder), "rb") as file:
                content = file.read(self._covered.file_bytes)
        finally:
            os.close(root)
        if state.kind != "file" or fingerprint(content) != state.sha256:
            raise OSError(0, "its content is not kept")
        return content

    def close(self) -> None:
        try:
            if self._is_open and self._unsaved:
                self._save()
        finally:
            self._file.close()
            self._copies.close()
            self._is_open = False

    def _is_there(self) -> bool:
        return self._is_open or (self._folder / _LOOKS).exists()

    def _open(self) -> None:
        if self._is_open:
            return
        is_new = not self._is_there()
        if not self._reader:
            self._copies.prepare()
        self._looks, self._copies.places, self._call = self._file.load()
        if is_new:
            self._take_over()
        self._is_open = True

    def _take_over(self) -> None:
        """Begin with what the last run in this workspace knew, so that unchanged files are not copied once more."""
        key = fingerprint(os.fsencode(self._workspace.resolve()))
        others: list[tuple[int, Path]] = []
        for marked in self._folder.parent.parent.glob(f"*/{self._folder.name}/{key}"):
            with suppress(OSError):
                others.append(((marked.parent / _LOOKS).stat().st_mtime_ns, marked.parent))
        (self._folder / key).touch(mode=0o600)
        if not others:
            return
        other, copies = max(others)[1], Copies(max(others)[1] / "copies")
        theirs = Looks(other / _LOOKS)
        try:
            looks, copies.places, _ = theirs.load()
        except OSError:  # it is being deleted, or damaged
            return
        finally:
            theirs.close()
        self._copies.take_over(copies, {look.sha256 for look in looks.values() if look.kept and look.sha256})
        known = {path: look for path, look in looks.items() if look.sha256 in self._copies.unrecorded}
        self._looks, self._unsaved = known, dict(known)

    def _save(self) -> None:
        self._copies.sync()
        self._file.save(self._unsaved, self._copies.unrecorded, self._call)
        self._copies.recorded()
        self._unsaved = {}

    def _take(self, found: "_Found") -> None:
        """From now on this is the last look."""
        for path, look in found.looks.items():
            if look:
                self._looks[path] = look
            else:
                self._looks.pop(path, None)
        self._unsaved |= found.looks

    def _look(self, paths: Sequence[str] | None, *, keep: "_Keep") -> "_Found":
        """Whatever is no longer as the last look has it."""
        found = _Found()
        root = open_workspace(self._workspace)
        try:
            if paths is None:
                self._look_everywhere(root, found, keep)
            else:
                for path in _with_folders(paths):
                    if not self._forbidden.holds(path):
                        self._look_at(root, path, found, keep)
        finally:
            os.close(root)
        return found

    def _look_everywhere(self, root: int, found: "_Found", keep: "_Keep") -> None:
        seen: set[str] = set()
        total = 0

        def visit(path: str, folder: int, name: str, status: os.stat_result) -> bool:
            nonlocal total
            old = self._looks.get(path)
            if old is None or not old.is_still(status):
                old = self._read(folder, name, status, keep, room=self._covered.total_bytes - total)
                if old is None:
                    return True
                found.looks[path] = old
            seen.add(path)
            total += old.size if old.kept else 0
            return True

        done = walk(root, visit, covered=self._covered, is_forbidden=self._forbidden.now())
        found.unlisted, found.whole = done.unlisted, done.whole
        for path in [path for path in self._looks if path not in seen]:
            if not done.whole or _is_within(path, done.unlisted):  # it was met elsewhere than on a walk
                self._look_at(root, path, found, keep)
            else:
                found.looks[path] = None

    def _look_at(self, root: int, path: str, found: "_Found", keep: "_Keep") -> None:
        """One path. Where nobody may look, the last look stands."""
        old = self._looks.get(path)
        look: Look | None = None
        try:
            with parent_of(root, path) as (folder, name):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if old and old.is_still(status):
                    return
                look = self._read(folder, name, status, keep, room=self._covered.total_bytes)
        except CopyFailed:
            raise
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            if error.errno not in OUT_OF_SIGHT:
                raise
            return
        if look != old:
            found.looks[path] = look

    def _read(self, folder: int, name: str, status: os.stat_result, keep: "_Keep", *, room: int) -> Look | None:
        """What is there, its content kept. None: it is gone meanwhile, or nothing that has a content."""
        kind = kind_of(status)
        if kind is None:
            return None
        if kind == "folder":
            return look_of(kind, status, kept=name not in self._covered.ignored)
        if kind == "link":
            return self._read_link(folder, name, status, keep)
        limit = min(self._covered.file_bytes, room)
        try:
            source = os.open(name, _READ, dir_fd=folder)
        except FileNotFoundError:
            return None
        except OSError as error:  # or it was a file a moment ago
            if error.errno not in OUT_OF_SIGHT:
                raise
            return look_of(kind, status, kept=False)
        try:
            status = os.fstat(source)
            if kind_of(status) != "file":
                return None
            if status.st_size > limit:
                return look_of(kind, status, kept=False)
            sha256, kept = self._kept(source, limit, keep)
            return look_of(kind, status, sha256, kept=kept)
        except Unreadable:
            return look_of(kind, status, kept=False)
        finally:
            os.close(source)

    def _kept(self, source: int, limit: int, keep: "_Keep") -> tuple[str, bool]:
        """The SHA-256 of an open file, and whether its content is kept."""
        if keep == "never":
            return fingerprint_of(source, limit), True
        try:
            return self._copies.keep_file(source, limit), True
        except CopyFailed:
            if keep == "always":
                raise
            os.lseek(source, 0, os.SEEK_SET)  # what is there after a command is only needed to bring it back again
            return fingerprint_of(source, limit), False

    def _read_link(self, folder: int, name: str, status: os.stat_result, keep: "_Keep") -> Look | None:
        try:
            target = os.fsencode(os.readlink(name, dir_fd=folder))
        except OSError:
            return None
        sha256 = fingerprint(target) if keep == "never" else self._copies.keep(target)
        return look_of("link", status, sha256, kept=True)

    def _differences(self, found: "_Found", call: Call, ended_ns: int = 0) -> tuple[FileChange, ...]:
        changes: list[FileChange] = []
        for path, look in found.looks.items():
            old = self._looks.get(path)
            if (old is None and look is None) or (old is None and look and look.is_younger_than(ended_ns)):
                continue
            before = old.state if old else ABSENT
            if old is None and look and look.kind == "folder" and not look.kept:
                continue  # a cache that some tool made for itself: nothing that anybody wants back
            if old is None and look and (not call.whole or _is_within(path, call.unlisted)):
                if 0 < look.ctime_ns < call.began_ns - UNSURE_NS:  # it was there all the time
                    continue
                before = _UNKNOWN
            after = look.state if look else ABSENT
            if old and look and look.was_written_after(ended_ns):
                after = _UNKNOWN  # what was the command's of it nobody can tell: undo asks before it overwrites it
            if before != after:
                changes.append(FileChange(path=path, before=before, after=after))
        return tuple(sorted(changes, key=lambda change: change.path))


_Keep = Literal["always", "where it fits", "never"]


@dataclass
class _Found:
    """What is not as it was; None: it is gone."""

    looks: dict[str, Look | None] = field(default_factory=dict[str, Look | None])
    unlisted: set[str] = field(default_factory=set[str])
    whole: bool = True


def joined(first: Sequence[FileChange], then: Sequence[FileChange]) -> tuple[FileChange, ...]:
    """Both changes as one; a path that is again as it was is in none."""
    found: Mapping[str, FileChange] = {change.path: change for change in first}
    result = dict(found)
    for change in then:
        before = found[change.path].before if change.path in found else change.before
        result[change.path] = FileChange(path=change.path, before=before, after=change.after)
    return tuple(sorted((c for c in result.values() if c.before != c.after), key=lambda change: change.path))


def _with_folders(paths: Iterable[str]) -> list[str]:
    """The paths and the folders they are in, each folder before what is in it. Raises OSError for what is no name."""
    found: dict[str, None] = {}
    for path in paths:
        parts = parts_of(path)
        for end in range(1, len(parts) + 1):
            found["/".join(parts[:end])] = None
    return list(found)


def _is_within(path: str, folders: Iterable[str]) -> bool:
    known = folders if isinstance(folders, set | frozenset) else set(folders)
    if not known:
        return False
    if "" in known:  # the root itself
        return True
    at = path.find("/")
    while at >= 0:
        if path[:at] in known:
            return True
        at = path.find("/", at + 1)
    return False
