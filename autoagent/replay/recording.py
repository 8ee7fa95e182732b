"""Where a record lies: the folder of a run, a folder that somebody gave away, or a .zip of one."""

import contextlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Generator
from pathlib import Path

from autoagent.errors import ConfigError
from autoagent.places import find_run, runs_folder

JOURNAL = "journal.jsonl"
MOST_BYTES = 2 << 30  # that a .zip may come to
_NEEDED = re.compile(r"(?:.*/)?(journal\.jsonl|artifacts/[0-9a-f]{64})")


@contextlib.contextmanager
def open_recording(name: str) -> Generator[Path]:
    """The folder with the journal of a run of one's own, or of a path. Raises NoSuchRun or ConfigError."""
    path = Path(name)
    if path.is_file() and zipfile.is_zipfile(path):
        with tempfile.TemporaryDirectory(prefix="autoagent-replay-") as folder:
            _unpack(path, Path(folder))
            yield Path(folder)
        return
    path = path.parent if path.name == JOURNAL and path.is_file() else path
    places = [path, path / "run"] if "/" in name or path.is_dir() else []
    found = next((place for place in places if (place / JOURNAL).is_file()), None)
    if found is None and "/" in name:
        raise ConfigError(f"{name}: there is no {JOURNAL}. Name a run, or a folder or .zip that holds one")
    yield found or find_run(runs_folder(), name)


def is_own(folder: Path) -> bool:
    """Whether it is a run of this person's, and not a record from elsewhere."""
    return folder.resolve().parent == runs_folder().resolve()


def _unpack(path: Path, folder: Path) -> None:
    """The journal and its texts, and nothing else that an archive may hold."""
    with zipfile.ZipFile(path) as archive:
        wanted = [(entry, found[1]) for entry in archive.infolist() if (found := _NEEDED.fullmatch(entry.filename))]
        if sum(name == JOURNAL for _, name in wanted) != 1:
            raise ConfigError(f"{path}: it holds not exactly one {JOURNAL}")
        if sum(entry.file_size for entry, _ in wanted) > MOST_BYTES:
            raise ConfigError(f"{path}: it comes to more than {MOST_BYTES >> 30} GB")
        (folder / "artifacts").mkdir()
        for entry, name in wanted:
            with archive.open(entry) as packed, (folder / name).open("wb") as file:
                shutil.copyfileobj(packed, file)  # zipfile gives no more than the size that was checked
