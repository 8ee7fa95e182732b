"""Read, write, change, list and search files of the workspace."""

import difflib
import re
from collections.abc import Iterator
from fnmatch import fnmatch

from autoagent.env import ABSENT, Change, Env, Files, WorkspacePath, fingerprint
from autoagent.errors import CommandError, SandboxError
from autoagent.loaders.text import Text, decode, encode
from autoagent.policy import is_secret
from autoagent.registry import command

LINES = 200  # shown unless told
LISTED = 1_000
MATCHES = 200
LINE_CHARS = 2_000  # of one line that are shown; the rest is read with offset and limit on a longer one
SEARCHED_BYTES = 8 << 20  # larger files are passed over, and said
DIFF_LINES = 400


@command("reads")
def read_file(env: Env, path: WorkspacePath, offset: int = 1, limit: int = LINES) -> str:
    """Read a text file in any usual encoding: `limit` lines from line `offset` (from 1), each after its number."""
    content = env.files.read_bytes(path)
    env.saw(env.files.real_name(path), fingerprint(content))
    text = decode(content)
    note = "" if text.encoding == "utf-8" else f", encoding {text.encoding}"
    return _page(path, text.text, offset, limit, env, note)


@command("reads")
def read_observation(env: Env, id: str, offset: int = 1, limit: int = LINES) -> str:
    """Read an earlier observation whole, in lines like read_file. Its id, such as 3.1, stands above it."""
    return _page(f"observation {id}", env.observation(id), offset, limit, env, "")


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
    found = text.text.count(old)
    if found != 1:
        hint = "Read the file again and copy it exactly." if not found else "Take more lines around it."
        raise CommandError(f"`old` stands {found} times in {path!r}; it must stand once. {hint}")
    whole = text.text.replace(old, new)
    line = text.text[: text.text.index(old)].count("\n") + 1
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
    """Find the lines that hold `query` in a text file, or in all below a folder. Upper and lower case are the same."""
    try:
        wanted = re.compile(query if regex else re.escape(query), re.IGNORECASE)
    except re.error as error:
        raise CommandError(f"The regular expression {query!r} is not valid: {error}.") from None
    found: list[str] = []
    total, hits, passed_over = 0, 0, list[str]()
    for name in _text_files(env.files, path, passed_over):
        lines = _lines_of(env.files, name, passed_over)
        matches = [(n, line) for n, line in lines if wanted.search(line[:LINE_CHARS])]
        hits += bool(matches)
        total += len(matches)
        found += [f"{name}:{n}\t{line[:300]}" for n, line in matches[: max(0, MATCHES - len(found))]]
    head = f"{_amount(total, 'match', 'matches')} in {_amount(hits, 'file')}"
    if total > len(found):
        found.append(f"… and {total - len(found):,} more; search a smaller folder or a rarer word")
    if passed_over:
        found.append(f"Not searched: {', '.join(passed_over[:20])}{' …' if len(passed_over) > 20 else ''}")
    return "\n".join([head, *found])


def _page(name: str, text: str, offset: int, limit: int, env: Env, note: str) -> str:
    """Lines from `offset`, as many as fit into the share, each behind its number and a tab."""
    if offset < 1 or limit < 1:
        raise CommandError("offset and limit count lines from 1.")
    lines = text.split("\n")
    if lines[-1] == "" and len(lines) > 1:
        lines.pop()
    if offset > len(lines):
        raise CommandError(f"{name} has {len(lines):,} lines; line {offset:,} is beyond its end.")
    shown: list[str] = []
    room = env.share_tokens - 60  # for the head and the last line
    for number, line in enumerate(lines[offset - 1 : offset - 1 + limit], start=offset):
        cut = f" [… {len(line) - LINE_CHARS:,} more characters in this line]" if len(line) > LINE_CHARS else ""
        numbered = f"{number}\t{line[:LINE_CHARS]}{cut}"
        room -= len(numbered) // 3 + 1 if room > env.share_tokens // 2 else env.count(numbered) + 1
        if room < 0 and shown:
            break
        shown.append(numbered)
    shown = _fitting(shown, env)
    last = offset + len(shown) - 1
    more = f"\n[… more: offset={last + 1}]" if last < len(lines) else ""
    return f"{name}, lines {offset}-{last} of {len(lines)}{note}\n" + "\n".join(shown) + more


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
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), path, path, lineterm="", n=2))
    cut = len(lines) - DIFF_LINES
    return "\n".join([*lines[:DIFF_LINES], *([f"… {cut:,} more lines of difference"] if cut > 0 else [])])


def _text_files(files: Files, path: str, passed_over: list[str]) -> Iterator[str]:
    """Names of the readable files below `path`, or `path` itself where it is a file; secrets are left out."""
    try:
        entries = list(files.entries(path, recursive=True))
    except SandboxError:
        files.fingerprint(path)  # a file, or an error that says what is wrong
        yield path
        return
    for entry in entries:
        if entry.kind != "file" or entry.path.startswith(".git/") or "/.git/" in entry.path:
            continue
        if entry.size > SEARCHED_BYTES or is_secret(entry.path):
            passed_over.append(entry.path)
        else:
            yield entry.path


def _lines_of(files: Files, name: str, passed_over: list[str]) -> list[tuple[int, str]]:
    try:
        return list(enumerate(decode(files.read_bytes(name)).text.split("\n"), start=1))
    except CommandError:
        passed_over.append(name)
        return []
