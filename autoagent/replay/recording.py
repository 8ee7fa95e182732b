"""Where a record lies: the folder of a run, a folder that somebody gave away, or a .zip of one."""

import contextlib
import errno
import lzma
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Generator
from pathlib import Path

from autoagent.errors import ConfigError, JournalCorrupt, JournalTooNew
from autoagent.places import find_run, runs_folder

JOURNAL = "journal.jsonl"
MOST_BYTES = 2 << 30  # that a .zip may come to
_ENCRYPTED = 1  # the bit in an entry's flags
_NEEDED = re.compile(r"(?:.*/)?(journal\.jsonl|artifacts/[0-9a-f]{64})")


@contextlib.contextmanager
def open_recording(name: str) -> Generator[Path]:
    """The folder with the journal of a run of one's own, or of a path. Raises NoSuchRun or ConfigError."""
    path = Path(name)
    if path.is_file() and (path.suffix == ".zip" or zipfile.is_zipfile(path)):
        with tempfile.TemporaryDirectory(prefix="autoagent-replay-") as folder, _told_of(path, folder):
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


@contextlib.contextmanager
def _told_of(path: Path, folder: str) -> Generator[None]:
    """What is wrong with a record is told of the archive: nobody knows the folder that it was unpacked into."""
    try:
        yield
    except (ConfigError, JournalCorrupt, JournalTooNew) as error:
        raise type(error)(str(error).replace(folder, str(path))) from None


def _unpack(path: Path, folder: Path) -> None:
    """The journal and its texts, and nothing else that an archive may hold."""
    try:
        with zipfile.ZipFile(path) as archive:
            wanted = [(entry, found[1]) for entry in archive.infolist() if (found := _NEEDED.fullmatch(entry.filename))]
            if sum(name == JOURNAL for _, name in wanted) != 1:
                raise ConfigError(f"{path}: it holds not exactly one {JOURNAL}")
            if sum(entry.file_size for entry, _ in wanted) > MOST_BYTES:
                raise ConfigError(f"{path}: it comes to more than {MOST_BYTES >> 30} GB")
            (folder / "artifacts").mkdir()
            for entry, name in wanted:
                _unpack_one(archive, entry, folder / name, path)
    except zipfile.BadZipFile:
        raise JournalCorrupt(f"{path}: it is no whole .zip") from None


def _unpack_one(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, path: Path) -> None:
    """Raises ConfigError for what can't be opened here, JournalCorrupt for what is damaged."""
    where = f"{path}: {entry.filename}"
    if entry.flag_bits & _ENCRYPTED:
        raise ConfigError(f"{where}: it is encrypted. Give a .zip without a password")
    with target.open("wb") as file:
        try:
            with archive.open(entry) as packed:
                shutil.copyfileobj(packed, file)  # zipfile gives no more than the size that was checked
        except NotImplementedError as error:
            raise ConfigError(f"{where}: {error}") from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ConfigError(f"{target}: {error.strerror}") from None
            raise JournalCorrupt(f"{where}: the .zip is damaged ({error.strerror or error})") from None
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError) as error:
            told = str(error) or "it is cut short"
            raise JournalCorrupt(f"{where}: the .zip is damaged ({told})") from None
