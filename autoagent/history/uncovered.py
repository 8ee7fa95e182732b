"""What of a workspace undo does not cover, found quickly and said before a run starts."""

import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoagent.history.scan import COVERED, Covered, Forbidden, open_workspace, walk

NAMED = 4  # of each kind
WITHIN_S = 0.3


@dataclass(frozen=True)
class Uncovered:
    """Workspace names. `unnamed` counts names that are no UTF-8; `beyond` says which limit for all is passed.

    `whole` False: there was no time to see all.
    """

    folders: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    large: tuple[str, ...] = ()
    large_bytes: int = 0  # from which on a file is too large
    unnamed: int = 0
    beyond: str = ""
    whole: bool = True

    def in_words(self) -> str:
        """`not covered by undo: node_modules/, 2 files over 64 MB (data.bin, b.iso)`; "" where all is."""
        parts = [f"{folder}/" for folder in self.folders[:NAMED]]
        if len(self.folders) > NAMED:
            parts.append(f"{len(self.folders) - NAMED:,} more such folders")
        if self.large:
            parts.append(f"{_files(len(self.large))} over {self.large_bytes // 2**20} MB ({_named(self.large)})")
        if self.unreadable:
            parts.append(f"{len(self.unreadable):,} that can't be read ({_named(self.unreadable)})")
        if self.unnamed:
            parts.append(f"{_files(self.unnamed)} whose names are no UTF-8")
        if self.beyond:
            parts.append(f"what lies beyond {self.beyond}")
        if not parts:
            return (
                ""
                if self.whole
                else "what undo does not cover here could not be looked through in time: this folder is large"
            )
        return f"not covered by undo: {'' if self.whole else 'at least '}{', '.join(parts)}"


def not_covered(
    workspace: Path, *, forbidden: Sequence[Path] = (), covered: Covered = COVERED, within_s: float = WITHIN_S
) -> Uncovered:
    """Look at names and sizes only, for so long. Raises OSError where the workspace can't be opened."""
    large: list[str] = []
    total, until = 0, time.monotonic() + within_s

    def visit(path: str, folder: int, name: str, status: os.stat_result) -> bool:
        nonlocal total
        if stat.S_ISREG(status.st_mode):
            if status.st_size > covered.file_bytes:
                large.append(path)
            else:
                total += status.st_size
        return time.monotonic() < until

    root = open_workspace(workspace)
    try:
        done = walk(root, visit, covered=covered, is_forbidden=Forbidden(workspace, forbidden).now())
    finally:
        os.close(root)
    beyond = "" if done.whole else f"the first {covered.names:,} names"
    if not beyond and total > covered.total_bytes:
        beyond = f"the first {covered.total_bytes / 2**30:.0f} GB"
    ignored = {path for path in done.unlisted if path.rpartition("/")[2] in covered.ignored}
    return Uncovered(
        folders=tuple(sorted(ignored)),
        unreadable=tuple(sorted(path or "." for path in done.unlisted - ignored)),
        large=tuple(large),
        large_bytes=covered.file_bytes,
        unnamed=done.unnamed,
        beyond=beyond,
        whole=time.monotonic() < until,
    )


def _files(amount: int) -> str:
    return f"{amount:,} file" if amount == 1 else f"{amount:,} files"


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
