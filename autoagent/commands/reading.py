"""Read many files of the workspace at once: the passages in them that matter for a question."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import PurePosixPath

from autoagent.commands.files import read_content
from autoagent.commands.pages import KEPT_CHARS
from autoagent.commands.results import CLOSING_TOKENS
from autoagent.commands.side_by_side import side_by_side
from autoagent.env import ABSENT, Env, Excerpt, Files, WorkspacePath, fingerprint
from autoagent.errors import CommandError, SandboxError
from autoagent.loaders import load
from autoagent.loaders.document import Document
from autoagent.passages import Gathered, Source, absent, beginning, fits, gather
from autoagent.policy import is_secret
from autoagent.registry import command

FILES = 200  # read at once
MOST_TOKENS = 8_000  # of passages, however large the share is
MOST_CHARS = 8_000_000  # of all files together
READ_S = 60.0  # for all files together
AT_ONCE, THREADS = 16, 4
NAMED = 20  # files that are named in one line
FIRST_CHARS = 100  # of a file's first line
NOBODY = "No passage holds the question's words: ask in their words and language. How each begins:"
_MAGIC = re.compile(r"[*?\[]")


@command("reads")
def read_many(env: Env, paths: list[WorkspacePath], question: str) -> Excerpt:
    """Read many files at once: the passages that matter for the question, each line after its number, by file.

    `paths`: files, folders or globs such as notes/**/*.md; text, PDF, DOCX, XLSX, CSV, HTML, at most 200 files.
    """
    if not question.strip():
        raise CommandError("The question is empty. Say what you want to know of the files.")
    chosen = _chosen(env.files, paths)
    if not chosen.names:
        raise CommandError(f"There is no file to read. {' '.join(chosen.notes)}".strip())
    files, unread = _read(env.files, chosen.names)
    for file in files:
        env.saw(file.real_name, file.fingerprint)
    notes = [*([f"not read: {_listed(unread, '; ')}"] if unread else []), *chosen.notes]
    return _matter(env, question, files, notes)


# -- which files -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Chosen:
    names: tuple[str, ...]
    notes: tuple[str, ...]


def _chosen(files: Files, paths: Sequence[str]) -> _Chosen:
    """Each file once, in the order of the paths; no glob or folder leads to a secret or to what Git keeps."""
    names: dict[str, None] = {}
    secrets, notes = set[str](), list[str]()
    for path in paths:
        found = list(_meant(files, path))
        if not found:
            notes.append(f"{path} leads to no file{'' if '/' in path else f'; **/{path} looks into folders too'}.")
        for name in found:
            if name != path and is_secret(name):
                secrets.add(name)
            else:
                names[str(PurePosixPath(name))] = None
    if secrets:
        notes.append(f"skipped, since they may hold secrets: {_amount(len(secrets), 'file')}.")
    if len(names) > FILES:
        notes.append(f"{len(names) - FILES:,} more files are not read: at most {FILES} at once. Narrow the paths.")
    return _Chosen(tuple(names)[:FILES], tuple(notes))


def _meant(files: Files, path: str) -> Iterator[str]:
    """What is beneath a folder, what a glob leads to, else the path itself, whether or not it is there."""
    if files.is_folder(path):
        return _beneath(files, path)
    return _matching(files, path) if _MAGIC.search(path) and not _is_there(files, path) else iter((path,))


def _is_there(files: Files, path: str) -> bool:
    try:
        return files.fingerprint(path) != ABSENT
    except SandboxError:
        return False


def _beneath(files: Files, folder: str) -> Iterator[str]:
    for entry in files.entries(folder, recursive=True):
        if entry.kind == "file" and not entry.path.startswith(".git/") and "/.git/" not in entry.path:
            yield entry.path


def _matching(files: Files, pattern: str) -> Iterator[str]:
    """Files that a glob leads to, in order; `*` stays within one folder, `**` goes through any number of them."""
    steps = pattern.split("/")
    fixed = next(at for at, step in enumerate(steps) if _MAGIC.search(step))
    folder = files.real_name("/".join(steps[:fixed]) or ("/" if fixed else "."))
    if not files.is_folder(folder):
        return
    wanted = [step for step in steps[fixed:] if step not in ("", ".")]
    start = "" if folder == "." else f"{folder}/"
    for name in _beneath(files, folder):
        if _fits(wanted, name.removeprefix(start).split("/")):
            yield name


def _fits(steps: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether a glob leads to a path, told by all the steps that may come next after each part."""
    following = _after({0}, steps)
    for part in parts:
        stays = {at for at in following if at < len(steps) and steps[at] == "**"}
        goes = {at + 1 for at in following - stays if at < len(steps) and fnmatchcase(part, steps[at])}
        following = _after(stays | goes, steps)
    return len(steps) in following


def _after(places: set[int], steps: Sequence[str]) -> set[int]:
    """With those behind each `**`, which may stand for no folder at all."""
    found = set(places)
    for at, step in enumerate(steps):
        if at in found and step == "**":
            found.add(at + 1)
    return found


# -- what is in them -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _File:
    name: str
    real_name: str
    fingerprint: str
    document: Document

    @property
    def lines(self) -> list[str]:
        """As read_file counts them."""
        lines = self.document.text.split("\n")
        return lines[:-1] if len(lines) > 1 and not lines[-1] else lines

    @property
    def head(self) -> str:
        """Its name, how long it is, what it is, and what is to be known of it."""
        kind = f", {self.document.kind}".removeprefix(", text")
        return "\n".join([f"{self.name}, {_amount(len(self.lines), 'line')}{kind}", *self.document.notes])

    @property
    def numbered(self) -> str:
        """All of it behind the numbers of its lines."""
        return "\n".join([self.head, *(f"{number}\t{line}" for number, line in enumerate(self.lines, 1))])

    @property
    def first_line(self) -> str:
        return next((line for line in self.document.text.split("\n") if line.strip()), "")[:FIRST_CHARS]


def _read(files: Files, names: Sequence[str]) -> tuple[list[_File], list[str]]:
    """The files, and which could not be read and why; a few at a time, so that no more text than allowed is held."""
    found, unread = list[_File](), list[str]()
    room, until = MOST_CHARS, time.monotonic() + READ_S
    for start in range(0, len(names), AT_ONCE):
        batch = names[start : start + AT_ONCE]
        tasks = [partial(_opened, files, name, until) for name in batch]
        came = side_by_side(tasks, threads=THREADS, within_s=until - time.monotonic())
        for name, file in zip(batch, came, strict=True):
            if isinstance(file, Exception):
                unread.append(f"{name}: {_why(file, name)}")
            elif len(file.document.text) > room:
                unread.append(f"{name}: too much text for one reading, read it alone")
            else:
                room -= len(file.document.text)
                found.append(file)
    return found, unread


def _opened(files: Files, name: str, until: float) -> _File:
    """As read_file reads it."""
    content = read_content(files, name)
    document = load(name, content, within_s=max(1.0, until - time.monotonic()))
    return _File(name, files.real_name(name), fingerprint(content), document)


def _why(error: Exception, name: str) -> str:
    """In one line, without the name, which stands beside it."""
    told = str(error) if isinstance(error, CommandError) else f"{type(error).__name__}: {error}"
    return " ".join(told.split()).removeprefix(f"{name!r} ").removeprefix(f"{name} ").rstrip(".")


def _matter(env: Env, question: str, files: Sequence[_File], notes: Sequence[str]) -> Excerpt:
    """What is shown, within the share, and the files that answer with all their lines, within a bound.

    All of it where it fits: what answers may be said in other words, or in another language.
    """
    sources = [Source(f"{file.name} {file.first_line}", file.document.text) for file in files]
    limit = min(env.share_tokens - CLOSING_TOKENS, MOST_TOKENS)
    missing, room = absent(sources, question), limit
    if files and sum(len(source.text) for source in sources) <= KEPT_CHARS:
        top = f"{_amount(len(files), 'file')}, shown whole"
        text = "\n".join([top, *(file.numbered for file in files), *_not_there(missing), *notes])
        if fits(text, limit, env.count):
            return Excerpt(text, _whole(files))
    while room > 0:
        gathered = gather(sources, question, room, env.count, numbered=True)
        text = _in_words(files, gathered, missing, notes)
        if (over := env.count(text) - limit) <= 0:
            return Excerpt(text, _whole([file for file, one in zip(files, gathered, strict=True) if one.answers]))
        room -= over + 1
    return Excerpt(beginning("\n".join([f"{_amount(len(files), 'file')} read: no room", *notes]), limit, env.count), "")


def _in_words(
    files: Sequence[_File], gathered: Sequence[Gathered], missing: Sequence[str], notes: Sequence[str]
) -> str:
    """The words that are missing are the model's own: they stand only where another text is kept whole."""
    both = list(zip(files, gathered, strict=True))
    answering = [file for file, one in both if one.answers]
    if files and not answering:
        firsts = [f"{file.name}: {file.first_line}" for file in files[:NAMED]]
        return "\n".join([f"{_amount(len(files), 'file')} read. {NOBODY}", *firsts, *_more(files), *notes])
    shown = [f"{file.head}\n{one.text}" for file, one in both if one.text]
    no_room = [file.name for file, one in both if one.answers and not one.text]
    others = [file.name for file, one in both if not one.answers]
    holds, it = ("holds", "it") if len(others) == 1 else ("hold", "they")
    without = f"{holds} none of the question's words ({it} may say it in others): "
    rest = [("no room for what these hold: ", no_room), (without, others)]
    lines = [f"{words}{_listed(names, ', ')}" for words, names in rest if names]
    top = f"{len(answering):,} of {_amount(len(files), 'file')} answer to the question"
    return "\n".join([top, *shown, *lines, *(_not_there(missing) if files else []), *notes])


def _not_there(words: Sequence[str]) -> list[str]:
    return [f"in none of these files: {', '.join(words)}. They may use other words."] if words else []


def _more(files: Sequence[_File]) -> list[str]:
    return [f"… and {len(files) - NAMED:,} more"] if len(files) > NAMED else []


def _whole(files: Sequence[_File]) -> str:
    """All lines of the files behind their numbers, as many as are kept."""
    found: list[str] = []
    room = KEPT_CHARS
    for file in files:
        room -= len(file.numbered) + 1
        if room < 0:
            found.append(f"[… {file.name} and what comes after it: read it with read_file …]")
            break
        found.append(file.numbered)
    return "\n".join(found)


def _listed(names: Sequence[str], between: str) -> str:
    more = f"{between}… and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{between.join(names[:NAMED])}{more}"


def _amount(count: int, one: str) -> str:
    return f"{count:,} {one}{'' if count == 1 else 's'}"
