"""Which names of a workspace programs may not change, and which they may not even see."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoagent.policy import is_secret, is_trusted_file

MOST_NAMES = 300_000  # looked at; what lies beyond is left as it is
_LEAVES = frozenset({"node_modules", ".venv", "venv", "__pycache__"})  # installed, not the user's: not looked into


@dataclass(frozen=True)
class Protected:
    """Absolute paths that exist, the outermost only."""

    read_only: tuple[Path, ...]
    hidden: tuple[Path, ...]


def protected(workspace: Path, forbidden: Sequence[Path] = ()) -> Protected:
    """What other programs obey is read-only, secrets and `forbidden` folders are hidden.

    A folder counts as a whole where everything in it would. Links are left: what they lead to has a name of its own.
    """
    inside = [path for path in forbidden if path.is_relative_to(workspace)]
    read_only, hidden = list[Path](), [path for path in inside if path.exists()]
    for name, is_folder in _names(workspace, {str(path) for path in inside}):
        if is_secret(f"{name}/any") if is_folder else is_secret(name):
            hidden.append(workspace / name)
        elif is_trusted_file(f"{name}/any") if is_folder else is_trusted_file(name):
            read_only.append(workspace / name)
    return Protected(tuple(read_only), tuple(hidden))


def _names(workspace: Path, without: set[str]) -> Iterator[tuple[str, bool]]:
    """Names of files and folders, relative, each folder before what is in it; not what is in a protected one."""
    pending, seen = [""], 0
    while pending and seen < MOST_NAMES:
        folder = pending.pop()
        try:
            with os.scandir(workspace / folder) as found:
                entries = [(entry.name, entry.is_dir(follow_symlinks=False), entry.is_symlink()) for entry in found]
        except OSError:  # unreadable for programs as well, or gone meanwhile
            continue
        seen += len(entries)
        for name, is_folder, is_link in entries:
            path = f"{folder}/{name}" if folder else name
            if is_link or str(workspace / path) in without:
                continue
            yield path, is_folder
            if is_folder and name not in _LEAVES and not _is_protected_whole(path):
                pending.append(path)


def _is_protected_whole(folder: str) -> bool:
    return is_secret(f"{folder}/any") or is_trusted_file(f"{folder}/any")
