"""Read, write, change, list and search files of the workspace."""

import difflib
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatch
from itertools import takewhile

from autoagent.env import ABSENT, Change, Env, Excerpt, Files, WorkspacePath, fingerprint
from autoagent.errors import CommandError, SandboxError
from autoagent.loaders import WITHIN_S, load
from autoagent.loaders.kinds import is_named_as_document, kind_of
from autoagent.loaders.opening import verbatim
from autoagent.loaders.text import Text, decode, encode
from autoagent.policy import is_secret
from autoagent.registry import command

LINES = 200  # shown unless told
LISTED = 1_000
MATCHES = 200
SEARCH_S = 5.0  # for a regular expression
LINE_CHARS = 2_000  # of one line that are shown
SEARCHED_BYTES = 8 << 20  # larger files are passed over, and said
DOCUMENT_BYTES = 64 << 20
DOCUMENTS_S = 5.0  # in which a search of a folder reads documents
MIN_S = 0.5  # of them that one document is given at least
SOURCE = "This is the text of the page. Its source, which edit_file changes: source=true."
KEPT_CHARS = 1 << 20  # of the lines asked for that do not fit and are kept
DIFF_LINES = 400
COMPARED_LINES = 2_000  # for a near miss
COMPARED = 10_000_000  # pairs of lines: under a second
SHOWN_APART = 150  # lines of each side where they are not compared


@command("reads")
def read_file(env: Env, path: WorkspacePath, offset: int = 1, limit: int = LINES, source: bool = False) -> Excerpt:
    """Read a text file, PDF, DOCX, XLSX or e-mail: `limit` lines from line `offset` (from 1), each after its number.

    `source`: a web page or JSON as it stands in the file, to change it.
    """
    content = _content(env.files, path)
    env.saw(env.files.real_name(path), fingerprint(content))
    document = verbatim(decode(content)) if source else load(path, content)
    notes = [*document.notes, *([SOURCE] if not source and kind_of(path, content) == "html" else [])]
    kind = f", {document.kind}".removeprefix(", text")
    rest = replace(env, share_tokens=max(100, env.share_tokens - env.count("\n".join([kind, *notes]))))
    page = _page(path, document.text, offset, limit, rest, kind)
    whole = _with_notes(page.whole, notes) if page.whole else ""
    return Excerpt(_with_notes(page.text, notes), whole, says_more=True)


def _with_notes(page: str, notes: list[str]) -> str:
    """Below the first line, which names the file."""
    head, *lines = page.split("\n", 1)
    return "\n".join([head, *notes, *lines])


@command("reads")
def read_observation(env: Env, id: str, offset: int = 1, limit: int = LINES) -> str:
    """Read an earlier observation in parts: `limit` lines from line `offset`. Its id, such as 3.1, stands above it."""
    return _page(f"observation {id}", env.observation(id), offset, limit, env, "", numbered=False).text


@command("writes")
def write_file(env: Env, path: WorkspacePath, text: str) -> Change:
    """Write a file: a new one, or all of an existing one, whose encoding and line ends are kept."""
    old, before = _existing(env, path)
    _unchanged(env, path, before)
    content = encode(text, old) if old else text.encode()
    verb = "written" if before == ABSENT else "replaced"
    summary = f"{path} {verb}: {_amount(_line_count(text), 'line')}, {len(content):,} bytes."
    return Change(env.files.real_name(path), before, content, summary, _diff(path, old.text if old else "", text))


@command("writes")
def append_file(env: Env, path: WorkspacePath, text: str) -> Change:
    """Add text at the end of a file, which is made if it is not there. Begin with a line break where you need one."""
    old, before = _existing(env, path)
    whole = (old.text if old else "") + text
    content = encode(whole, old) if old else whole.encode()
    summary = f"{path}: {len(text):,} characters added; now {len(content):,} bytes."
    return Change(env.files.real_name(path), before, content, summary, _diff(path, old.text if old else "", whole))


@command("writes")
def edit_file(env: Env, path: WorkspacePath, old: str, new: str) -> Change:
    """Replace `old`, which must stand exactly once in the file, by `new`. Copy `old` without the line numbers."""
    text, before = _existing(env, path)
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
    return Change(env.files.real_name(path), before, encode(whole, text), summary, _diff(path, text.text, whole))


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
    shown = _fitting(found, env)
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


def _page(name: str, text: str, offset: int, limit: int, env: Env, note: str, *, numbered: bool = True) -> Excerpt:
    """Lines from `offset`, as many as fit into the share, each behind its number and a tab where `numbered`.

    Its `whole` has all the lines that were asked for.
    """
    if offset < 1 or limit < 1:
        raise CommandError("offset and limit count lines from 1.")
    if not text:
        return Excerpt(f"{name} is empty{note}.", "")
    lines = text.split("\n")
    if lines[-1] == "" and len(lines) > 1:
        lines.pop()
    if offset > len(lines):
        raise CommandError(f"{name} has {len(lines):,} lines; line {offset:,} is beyond its end.")
    asked = [
        _cut(line, number if numbered else None)
        for number, line in enumerate(lines[offset - 1 : offset - 1 + limit], offset)
    ]
    room = env.share_tokens - 60  # for the head and the last line
    fits = 0
    for line in asked:
        room -= len(line) // 3 + 1 if room > env.share_tokens // 2 else env.count(line) + 1
        if room < 0 and fits:
            break
        fits += 1
    shown = _fitting(asked[:fits], env)

    def page(of: list[str]) -> str:
        last = offset + len(of) - 1
        more = f"\n[… more: offset={last + 1}]" if last < len(lines) else ""
        return f"{name}, lines {offset}-{last} of {len(lines)}{note}\n" + "\n".join(of) + more

    keeps = len(asked) > len(shown) and sum(map(len, asked)) <= KEPT_CHARS
    return Excerpt(page(shown), page(asked) if keeps else "")


def _cut(line: str, number: int | None) -> str:
    """A line as it is shown: behind its number, where it has one, and not beyond what a screenful holds."""
    prefix = "" if number is None else f"{number}\t"
    cut = f" [… {len(line) - LINE_CHARS:,} more characters in this line]" if len(line) > LINE_CHARS else ""
    return f"{prefix}{line[:LINE_CHARS]}{cut}"


def _fitting(lines: list[str], env: Env) -> list[str]:
    """The first lines that fit into the share together; at least one."""
    while len(lines) > 1 and env.count("\n".join(lines)) > env.share_tokens - 60:
        lines = lines[: max(1, len(lines) * 4 // 5)]
    return lines


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


def _diff(path: str, old: str, new: str) -> str:
    lines = list(_hunks(path, _lines(old), _lines(new)))
    cut = len(lines) - DIFF_LINES
    return "\n".join([*lines[:DIFF_LINES], *([f"… {cut:,} more lines of difference"] if cut > 0 else [])])


def _lines(text: str) -> list[str]:
    """Lines for a difference; a last one that no line break ends says so, for that may be all that changes."""
    *lines, rest = text.split("\n")
    return [*lines, f"{rest}\n\\ No newline at end of file"] if rest else lines


def _hunks(path: str, old: list[str], new: list[str]) -> Iterator[str]:
    """A unified difference; where comparing would take long, what was there and what is to be, each cut."""
    before = _equal(zip(old, new, strict=False))
    after = _equal(zip(reversed(old[before:]), reversed(new[before:]), strict=False))
    removed, added = old[before : len(old) - after], new[before : len(new) - after]
    if len(removed) * len(added) <= COMPARED:
        yield from difflib.unified_diff(old, new, path, path, lineterm="", n=2)
        return
    yield from (f"--- {path}", f"+++ {path}", f"@@ -{before + 1},{len(removed)} +{before + 1},{len(added)} @@")
    for mark, lines in (("-", removed), ("+", added)):
        yield from (mark + line for line in lines[:SHOWN_APART])
        if len(lines) > SHOWN_APART:
            yield f"{mark}… {len(lines) - SHOWN_APART:,} more lines"


def _equal(pairs: Iterable[tuple[str, str]]) -> int:
    """How many pairs are equal before the first that is not."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


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
        content = _content(files, name)
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


def _content(files: Files, name: str) -> bytes:
    return files.read_bytes(name, limit=DOCUMENT_BYTES) if is_named_as_document(name) else files.read_bytes(name)
