"""Read, write, change, list and search files of the workspace."""

import difflib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatch

from autoagent.commands.differences import difference
from autoagent.commands.pages import LINE_CHARS, LINES, fitting, page
from autoagent.env import ABSENT, Change, Env, Excerpt, Files, WorkspacePath, fingerprint
from autoagent.errors import CommandError, SandboxError
from autoagent.loaders import WITHIN_S, load
from autoagent.loaders.kinds import is_named_as_document, kind_of
from autoagent.loaders.opening import verbatim
from autoagent.loaders.text import Text, decode, encode
from autoagent.policy import is_secret
from autoagent.registry import command

LISTED = 1_000
MATCHES = 200
SEARCH_S = 5.0  # for a regular expression
SEARCHED_BYTES = 8 << 20  # larger files are passed over, and said
DOCUMENT_BYTES = 64 << 20
DOCUMENTS_S = 5.0  # in which a search of a folder reads documents
MIN_S = 0.5  # of them that one document is given at least
SOURCE = "This is the text of the page. To edit it, read it with source=true first."
COMPARED_LINES = 2_000  # for a near miss


@command("reads")
def read_file(env: Env, path: WorkspacePath, offset: int = 1, limit: int = LINES, source: bool = False) -> Excerpt:
    """Read a text file, PDF, DOCX, XLSX or e-mail: `limit` lines from line `offset` (from 1), each after its number.

    `source`: a web page or JSON as it stands in the file, to change it.
    """
    content = read_content(env.files, path)
    env.saw(env.files.real_name(path), fingerprint(content))
    document = verbatim(decode(content)) if source else load(path, content)
    notes = [*document.notes, *([SOURCE] if not source and kind_of(path, content) == "html" else [])]
    kind = f", {document.kind}".removeprefix(", text")
    rest = replace(env, share_tokens=max(100, env.share_tokens - env.count("\n".join([kind, *notes]))))
    shown = page(path, document.text, offset, limit, rest, kind)
    whole = _with_notes(shown.whole, notes) if shown.whole else ""
    return Excerpt(_with_notes(shown.text, notes), whole, says_more=True)


def _with_notes(page: str, notes: list[str]) -> str:
    """Below the first line, which names the file."""
    head, *lines = page.split("\n", 1)
    return "\n".join([head, *notes, *lines])


@command("reads")
def read_observation(env: Env, id: str, offset: int = 1, limit: int = LINES) -> str:
    """Read an earlier observation in parts: `limit` lines from line `offset`. Its id, such as 3.1, stands above it."""
    return page(f"observation {id}", env.observation(id), offset, limit, env, "", numbered=False).text


@command("writes")
def write_file(env: Env, path: WorkspacePath, text: str) -> Change:
    """Write a file: a new one, or all of an existing one, whose encoding and line ends are kept."""
    old, before = _existing(env, path)
    _unchanged(env, path, before)
    content = encode(text, old) if old else text.encode()
    verb = "written" if before == ABSENT else "replaced"
    summary = f"{path} {verb}: {_amount(_line_count(text), 'line')}, {len(content):,} bytes."
    return Change(
        env.files.real_name(path),
        before,
        content,
        summary,
        difference(env.files.real_name(path), old.text if old else "", text),
    )


@command("writes")
def append_file(env: Env, path: WorkspacePath, text: str) -> Change:
    """Add text at the end of a file, which is made if it is not there. Begin with a line break where you need one."""
    old, before = _existing(env, path)
    whole = (old.text if old else "") + text
    content = encode(whole, old) if old else whole.encode()
    summary = f"{path}: {len(text):,} characters added; now {len(content):,} bytes."
    return Change(
        env.files.real_name(path),
        before,
        content,
        summary,
        difference(env.files.real_name(path), old.text if old else "", whole),
    )


@command("writes")
def edit_file(env: Env, path: WorkspacePath, old: str, new: str) -> Change:
    """Replace `old`, which must stand exactly once in the file, by `new`. Copy `old` without the line numbers."""
    text, before = _existing(env, path)
    if is_secret(env.files.real_name(path)) and (text is None or text.text.count(old) != 1):
        raise CommandError(f"`old` does not stand exactly once in {path!r}, whose text is not shown.")
    if text is None:
        raise CommandError(f"{path!r} does not exist. Use write_file to make it.")
    _unchanged(env, path, before)
    if not old:
        raise CommandError("`old` is empty. Copy the text to be replaced from the file.")
    at = text.text.find(old)
    if at < 0:
        raise CommandError(
            f"`old` does not stand in {path!r}{_nearest(text.text, old)}. Copy it exactly from the file{_from(path)}."
        )
    if text.text.find(old, at + 1) >= 0:
        raise CommandError(
            f"`old` stands more than once in {path!r}{_places(text.text, old)}. Take more lines around it."
        )
    whole = text.text.replace(old, new)
    line = text.text.count("\n", 0, at) + 1
    summary = f"{path}: replaced at line {line}; now {_amount(_line_count(whole), 'line')}."
    return Change(
        env.files.real_name(path),
        before,
        encode(whole, text),
        summary,
        difference(env.files.real_name(path), text.text, whole),
    )


@command("reads")
def list_files(env: Env, path: WorkspacePath = ".", pattern: str = "*") -> str:
    """List files and folders below a folder, with sizes. `pattern` is a glob on the name or the path, such as *.md."""
    lines: list[str] = []
    counts = {"file": 0, "folder": 0}
    more = 0
    for entry in env.files.entries(path, recursive=True):
        name = entry.path.rpartition("/")[2]
        if entry.kind == "folder" and pattern != "*":
            continue
        if not (fnmatch(name, pattern) or fnmatch(entry.path, pattern)):
            continue
        counts["folder" if entry.kind == "folder" else "file"] += 1
        if len(lines) >= LISTED:
            more += 1
        elif entry.kind == "folder":
            lines.append(f"{entry.path}/")
        else:
            kind = "" if entry.kind == "file" else f" ({entry.kind})"
            lines.append(f"{entry.path}\t{entry.size} bytes{kind}")
    if more:
        lines.append(f"… and {more:,} more; list a folder, or give a pattern")
    head = f"{path}: {_amount(counts['file'], 'file')}, {_amount(counts['folder'], 'folder')}"
    return "\n".join([head, *lines])


@command("reads")
def search_files(env: Env, query: str, path: WorkspacePath = ".", regex: bool = False) -> str:
    """Find the lines that hold `query` in a text file, or in all below a folder; upper and lower case are the same.

    With `regex` it is a regular expression, in which case matters; it sees the first 2,000 characters of a line.
    """
    search = _expression(query) if regex else _plain(query)
    found: list[str] = []
    counts: dict[str, int] = {}
    searched, passed_over = 0, list[str]()
    until = time.monotonic() + DOCUMENTS_S
    for file in _text_files(env.files, path, passed_over):
        name, lines = _lines_of(env.files, file, passed_over, until + (WITHIN_S if file == path else 0))
        searched += 1
        matches = [(n, line, at) for n, line in lines if (at := search(line)) >= 0]
        if matches:
            counts[name] = len(matches)
        found += [f"{name}:{n}\t{_around(line, at)}" for n, line, at in matches[: max(0, MATCHES - len(found))]]
    if not counts:
        head = f"0 matches: no line holds {query!r} ({_amount(searched, 'file')} searched)"
    else:
        head = f"{_amount(sum(counts.values()), 'match', 'matches')} in {_amount(len(counts), 'file')}"
    shown = fitting(found, env)
    if left := sum(counts.values()) - len(shown):
        most = ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda c: -c[1])[:12])
        shown.append(f"… and {left:,} more; search one file or a rarer word. Most matches: {most}")
    if passed_over:
        shown.append(f"Not searched: {', '.join(passed_over[:20])}{' …' if len(passed_over) > 20 else ''}")
    return "\n".join([head, *shown])


def _plain(query: str) -> Callable[[str], int]:
    wanted = re.compile(re.escape(query), re.IGNORECASE)
    return lambda line: found.start() if (found := wanted.search(line)) else -1


def _expression(query: str) -> Callable[[str], int]:
    """Where the expression matches in a line, or -1; one that backtracks for ever is cut off."""
    import regex

    try:
        wanted = regex.compile(query)
    except regex.error as error:
        raise CommandError(f"The regular expression {query!r} is not valid: {error}.") from None
    until = time.monotonic() + SEARCH_S

    def search(line: str) -> int:
        try:
            found = wanted.search(line[:LINE_CHARS], timeout=max(0.001, until - time.monotonic()))
        except TimeoutError:
            raise CommandError(f"The regular expression {query!r} takes too long. Use a simpler one.") from None
        return found.start() if found else -1

    return search


def _from(path: str) -> str:
    """Where its exact words are shown, for a file that is read as something else."""
    shown_otherwise = path.lower().endswith((".html", ".htm", ".xhtml", ".json", ".eml"))
    return ": read it with source=true" if shown_otherwise else ""


def _places(text: str, old: str) -> str:
    """The lines in which it begins, in words."""
    lines = [text.count("\n", 0, found.start()) + 1 for found in re.finditer(f"(?={re.escape(old)})", text)]
    return f" (lines {', '.join(map(str, lines[:5]))}{' …' if len(lines) > 5 else ''})"


def _around(line: str, at: int) -> str:
    """The part of a line that is shown for a match at `at`."""
    start = at - 100 if at > 200 else 0
    return f"{'…' if start else ''}{line[start : start + 300]}{'…' if len(line) > start + 300 else ''}"


def _nearest(text: str, wanted: str) -> str:
    """The line of a file that is most like the first line of what was not found, in words, or ""."""
    first = next((line for line in wanted.split("\n") if line.strip()), "")[:LINE_CHARS]
    lines = text.split("\n")[:COMPARED_LINES]
    near = difflib.get_close_matches(first, lines, n=1, cutoff=0.7)
    return f". Most like its first line is line {lines.index(near[0]) + 1}: {near[0][:200]!r}" if near else ""


def _amount(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _line_count(text: str) -> int:
    return text.count("\n") + (bool(text) and not text.endswith("\n"))


def _existing(env: Env, path: str) -> tuple[Text | None, str]:
    """The file as text and its fingerprint; None and "absent" where it is not there."""
    before = env.files.fingerprint(path)
    if before == ABSENT:
        return None, before
    content = env.files.read_bytes(path)
    return decode(content), fingerprint(content)


def _unchanged(env: Env, path: str, now: str) -> None:
    seen = env.last_seen(env.files.real_name(path))
    if seen is not None and seen != now:
        raise CommandError(f"{path!r} was changed since you last read it. Read it again first.")


def _text_files(files: Files, path: str, passed_over: list[str]) -> Iterator[str]:
    """Names of the readable files below `path`, or `path` itself where it is a file; secrets are left out."""
    try:
        entries = list(files.entries(path, recursive=True))
    except SandboxError:
        if files.fingerprint(path) == ABSENT:
            raise
        yield path
        return
    for entry in entries:
        if entry.kind != "file" or entry.path.startswith(".git/") or "/.git/" in entry.path:
            continue
        if entry.size > SEARCHED_BYTES or is_secret(entry.path):
            passed_over.append(entry.path)
        else:
            yield entry.path


def _lines_of(files: Files, name: str, passed_over: list[str], until: float) -> tuple[str, list[tuple[int, str]]]:
    """The lines as read_file numbers them, and how the file is named beside them; a page's are those of its source."""
    try:
        content = read_content(files, name)
        kind = kind_of(name, content)
        if kind == "html":
            return f"{name} (source)", _numbered(decode(content).text)
        within_s = until - time.monotonic()
        if kind in ("pdf", "docx", "workbook", "eml") and within_s < MIN_S:
            passed_over.append(f"{name} (documents take long: read it)")
            return name, []
        return name, _numbered(load(name, content, within_s=max(MIN_S, within_s)).text)
    except CommandError:
        passed_over.append(name)
        return name, []


def _numbered(text: str) -> list[tuple[int, str]]:
    return list(enumerate(text.split("\n"), start=1))


def read_content(files: Files, name: str) -> bytes:
    """A file, which may be larger where it is a document."""
    return files.read_bytes(name, limit=DOCUMENT_BYTES) if is_named_as_document(name) else files.read_bytes(name)
