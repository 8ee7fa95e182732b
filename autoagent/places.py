"""Where things are kept: runs, settings, the user's own prompts. Nothing heavy is imported for it."""

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path

from autoagent.errors import JournalError, NoSuchRun


def config_folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "autoagent"


def state_folder() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "autoagent"


def runs_folder() -> Path:
    return state_folder() / "runs"


def memories_file() -> Path:
    """Facts that runs kept for later runs."""
    return state_folder() / "memories.sqlite"


def prompts_folder() -> Path:
    return config_folder() / "prompts"


@contextlib.contextmanager
def reaching(folder: Path) -> Generator[None]:
    """Raises JournalError where the folder may not be read: it is another user's."""
    try:
        yield
    except (PermissionError, NotADirectoryError) as error:
        raise JournalError(f"{folder}: {error.strerror}. Set XDG_STATE_HOME to a folder of your own.") from error


def new_run_folder() -> Path:
    """A free folder for a run, not yet made: four hex digits, more where those are taken."""
    runs = runs_folder()
    for length in (4, 4, 4, 4, 5, 6, 8, 12):
        folder = runs / os.urandom(6).hex()[:length]
        with reaching(runs):
            if not folder.exists():
                return folder
    raise JournalError(f"{runs}: no free name for a new run")


def find_run(runs: Path, name: str) -> Path:
    """The folder of the run whose id starts with `name`, or of the newest one for "last". Raises NoSuchRun."""
    folders = run_folders(runs)
    if name == "last" and folders:
        return folders[0]
    found = [folder for folder in folders if folder.name == name] or [f for f in folders if f.name.startswith(name)]
    if len(found) == 1 and name:
        return found[0]
    if found:
        raise NoSuchRun(
            f"{len(found)} runs start with {name!r}: {', '.join(f.name for f in found[:5])}. Type more of it."
        )
    raise NoSuchRun(f"there is no run {name!r}. See: autoagent runs")


def run_folders(runs: Path) -> list[Path]:
    """Folders of all runs, the newest first."""
    dated: list[tuple[int, Path]] = []
    with reaching(runs):
        for folder in runs.iterdir() if runs.is_dir() else ():
            with contextlib.suppress(OSError):
                dated.append(((folder / "journal.jsonl").stat().st_mtime_ns, folder))
    return [folder for _, folder in sorted(dated, key=lambda pair: (-pair[0], pair[1].name))]


def plain(path: Path) -> Path:
    """The path as a person is shown it: without `..`, whose meaning a link before it decides."""
    return path.resolve() if ".." in path.parts else path


def is_live(folder: Path) -> bool:
    """Whether a process holds the run now."""
    try:
        fd = os.open(folder / "lock", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False
