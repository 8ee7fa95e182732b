"""Runs that work in the same workspace at the same time, so that each can warn of the other."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Self

from autoagent.errors import JournalError
from autoagent.journal import make_folder
from autoagent.places import state_folder


class Presence:
    """While it is open, other runs in this workspace, above or below it can see that this one is live.

    One file a run that holds the workspace's path, under `flock`: the kernel lets go of it when the process dies.
    """

    def __init__(self, workspace: Path, run_id: str):
        self._workspace, self._folder = workspace.resolve(), state_folder() / "workspaces"
        self._run_id, self._held = run_id, -1
        try:
            make_folder(self._folder)
            while self._held < 0:
                self._held = self._announce()
        except OSError as error:
            raise JournalError(
                f"{self._folder}: {error.strerror}. Runs tell each other there that they work."
            ) from error

    def others(self) -> tuple[str, ...]:
        """Ids of live runs of this workspace, or of one that holds it or lies in it. What dead runs left is removed."""
        names = [name for name in os.listdir(self._folder) if name != self._run_id]  # noqa: PTH208  # half the time
        return tuple(sorted(name for name in names if self._is_near(self._folder / name)))

    def close(self) -> None:
        if self._held >= 0:
            (self._folder / self._run_id).unlink(missing_ok=True)
            os.close(self._held)
            self._held = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _announce(self) -> int:
        """The locked file; -1 where another run took it for a dead one's and removed it meanwhile."""
        held = os.open(self._folder / self._run_id, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.truncate(held, os.pwrite(held, os.fsencode(self._workspace), 0))
            fcntl.flock(held, fcntl.LOCK_EX)
            if os.fstat(held).st_nlink:
                return held
        except BaseException:
            os.close(held)
            raise
        os.close(held)
        return -1

    def _is_near(self, path: Path) -> bool:
        """Whether the run is live and its workspace holds this one, or lies in it."""
        try:
            other = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # it has just ended
            return False
        try:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
                return False
            workspace = Path(os.fsdecode(os.pread(other, 65_536, 0)))
        finally:
            os.close(other)
        return workspace.is_relative_to(self._workspace) or self._workspace.is_relative_to(workspace)
