"""What undo costs in a workspace of 10,000 files of 8 KB. Prints Markdown.

    .venv/bin/python benchmarks/undo.py            about a minute; nothing but a temporary folder is used

Each figure is what a command waits for: `begin` before it acts, `end` after it. Copies are on disk when they return.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from autoagent.events import FileChange
from autoagent.history import Presence, WorkspaceHistory, not_covered

FOLDERS, FILES, BYTES = 100, 100, 8_000
ROUNDS = 15


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        workspace = folder / "workspace"
        make_files(workspace)
        print(f"{FOLDERS * FILES:,} files of {BYTES:,} bytes; {ROUNDS} rounds, median (least to most).\n")
        print("| what | figure |\n| --- | --- |")
        start(folder, workspace)
        steps(folder, workspace)
        undo(folder, workspace)
        neighbours(workspace)


def make_files(workspace: Path) -> None:
    for number in range(FOLDERS):
        (workspace / f"d{number}").mkdir(parents=True)
        for other in range(FILES):
            (workspace / f"d{number}/f{other}").write_bytes(os.urandom(BYTES))


def start(folder: Path, workspace: Path) -> None:
    print(f"| what is not covered, said before a run starts | {shown(rounds(lambda: not_covered(workspace)))} |")
    alone: list[float] = []
    for number in range(5):  # each beside no other
        history = WorkspaceHistory(folder / f"alone{number}/1/undo", workspace)
        alone.append(took(lambda history=history: history.begin("1.1", None)))
        history.close()
    print(f"| the first program of the first run: all is copied | {shown(alone)} |")
    print(f"| room that its copies take | {taken(folder / 'alone0/1')} of {FOLDERS * FILES * BYTES / 10**6:.0f} MB |")
    later: list[float] = []
    for number in range(5):
        history = WorkspaceHistory(folder / f"runs/{number}/undo", workspace)
        later.append(took(lambda history=history: history.begin("1.1", None)))
        history.close()
    print(f"| the first program of a later run in the workspace | {shown(later[1:])} |")
    print(f"| room that its copies take beside the first's | {taken(folder / 'runs/4')} |")


def taken(run: Path) -> str:
    """What is in no other run as well."""
    found = [path.stat() for path in run.rglob("*") if path.is_file()]
    return f"{sum(status.st_size for status in found if status.st_nlink == 1) / 10**6:.0f} MB"


def steps(folder: Path, workspace: Path) -> None:
    history, number = WorkspaceHistory(folder / "runs/0/undo", workspace), 1

    def step(paths: list[str] | None, changed: int) -> tuple[float, float]:
        nonlocal number
        number += 1
        call_id = f"{number}.1"
        before = took(lambda: history.begin(call_id, paths))
        for other in range(changed):
            (workspace / f"d{other}/f0").write_bytes(os.urandom(BYTES))
        return before, took(lambda: history.end(call_id))

    for what, paths, changed in (
        ("a program that changes nothing", None, 0),
        ("a program that changes 10 files", None, 10),
        ("a command that writes one file", ["d0/f0"], 1),
    ):
        pairs = [step(paths, changed) for _ in range(ROUNDS)]
        print(f"| {what}: before it | {shown([a for a, _ in pairs])} |")
        print(f"| {what}: after it | {shown([b for _, b in pairs])} |")
    history.close()


def undo(folder: Path, workspace: Path) -> None:
    history, found = WorkspaceHistory(folder / "runs/0/undo", workspace), list[float]()
    for number in range(ROUNDS):
        history.begin(f"{1_000 + number}.1", None)
        for other in range(100):
            (workspace / f"d{other}/f1").write_bytes(os.urandom(BYTES))
        changes = history.end(f"{1_000 + number}.1")
        found.append(took(lambda changes=changes: taken_back(history, changes)))
    history.close()
    print(f"| 100 files put back | {shown(found)} |")


def taken_back(history: WorkspaceHistory, changes: tuple[FileChange, ...]) -> None:
    history.now([change.path for change in changes], keep=True)
    history.restore(changes)


def neighbours(workspace: Path) -> None:
    with Presence(workspace, "0001") as alone:
        print(f"| is another run in this workspace? none | {shown(rounds(alone.others))} |")
        with Presence(workspace, "0002"):
            print(f"| the same, one | {shown(rounds(alone.others))} |")


def rounds(act: Callable[[], object]) -> list[float]:
    return [took(act) for _ in range(ROUNDS)]


def took(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def shown(seconds: list[float]) -> str:
    middle = statistics.median(seconds)
    unit, factor = ("ms", 1_000) if middle < 1 else ("s", 1)
    return f"{middle * factor:.2f} {unit} ({min(seconds) * factor:.2f} to {max(seconds) * factor:.2f})"


if __name__ == "__main__":
    main()
