"""What two commands, and what came of them, are compared by: the same in other spelling, order or words is the same."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from pydantic import JsonValue

from autoagent.state import Observation
from autoagent.thoughts import CommandCall

REPEATED = "Not run again:"  # how a refusal of the loop guard begins
_LINES_READ = 200  # by read_file unless told
_LINES = 400  # of an observation that are compared
_CHARS = 2_000  # of an error, and of arguments: what is looked for there may take the square of it
_SAME_HITS = 0.8  # of two searches' hits, shared, for them to be one
_ALIKE_SEARCH, _ALIKE_CALL = 0.6, 0.8  # of two calls' words, shared

AGAIN = "read_observation"
_EXCERPTS = frozenset({"browse", "read_many"})
PROGRAMS = frozenset({"run_shell", "run_python"})
SEARCHES = frozenset({"web_search", "search_files", "list_files", "recall"})
WRITES = frozenset(
    {"write_file", "append_file", "edit_file", "move_file", "copy_file", "delete_file", "make_folder", "remember"}
)
ENDS = frozenset({"task_complete", "give_up"})
_WATCHES = frozenset({"read_program", "list_programs"})
_EXACT = frozenset({"text", "old", "new", "code"})  # arguments in which space and case matter
_NAMES = frozenset({"path", "source", "target", "url", "id"})
_LEFT_OUT: dict[str, JsonValue] = {
    "offset": 1, "path": ".", "pattern": "*", "regex": False, "source": False, "background": False,
}  # fmt: skip
_ASIDE = re.compile(r"^\[(?:Clipped\.|Changed: |Put back |… more: ).*\]$|^\(no output\)$|^exit code \d+$", re.MULTILINE)
NUMBERS = re.compile(
    r"(?<![\w./-])\d[\d.,:]{0,30}(?![\w/-])(?!\s*(?:%|of\b|failed|passed|errors?\b|ready|done|tests?\b))"
)
_HEX = re.compile(r"\b0x[0-9a-fA-F]+\b|\b[0-9a-f]{12,}\b")
_TOOK = re.compile(r"\b(in|took|after|real|user|sys)(\s+)(?:\d+m)?\d+(?:\.\d+)?\s?(?:s|ms|sec|seconds)\b")
_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`|“[^”\n]*”|‘[^’\n]*’")
_PATH = re.compile(r"\b[a-z]+://\S+|(?<!\w)[\w.~-]*/[\w./~-]+|\b[\w-]+\.\w{1,5}\b")
_HEAD = re.compile(r", lines (\d+)-(\d+) of (\d+)")  # `notes.md, lines 1-20 of 80`
_LINE_NUMBER = re.compile(r"^\d+\t")
_HIT = re.compile(r"^(?:\d+\. .*\n)?[ \t]*(https?://\S+)$|^(.+?:\d+)\t|^(.+?\t\d+ bytes.*)|^(\S.*/)$", re.MULTILINE)
_READS_A_FILE = re.compile(r"\s*(?:cat|head|tail|less|more)(?:\s+-\S+(?:\s+\d+)?)*\s+([^\s|;&<>]+)\s*")
_SLEEPS = re.compile(r"\bsleep[\s(]")
_FAILED_NETWORK = re.compile(
    r"did not answer|be reached|refuses connections|looked up now|too slow|is silent|blocks searches|broke off"
    r"|connection (?:refus|reset|abort|clos|timed)|timed? ?out|temporar|unavailable|resolve host|unreachable"
    r"|\b(?:429|50[234])\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
T = TypeVar("T")


@dataclass(frozen=True)
class Mark:
    """What two calls and their results are compared by.

    `call` is the command with its arguments in one spelling, `words` are those of the arguments, `target` is the file
    or page that is read. `unrun`: it has no result, since it is only asked for, or the loop guard refused it.
    `result` is the text without what differs each time; of a failure `loose` is it without names too. `lines` is what
    it shows of the world: of a search its hits.
    """

    name: str
    call: str
    words: frozenset[str]
    target: str = ""
    span: tuple[int, int, int] = (0, 0, 0)  # the first and last line that it shows or asks for, of how many
    fine: bool = False
    unrun: bool = False
    wrote: bool = False
    waits: bool = False
    network: bool = False
    telling: bool = False  # an error that says more than that there is one
    result: str = ""
    loose: str = ""
    lines: frozenset[str] = frozenset()


class Same(Generic[T]):
    """A thing compared by identity: states and observations never change, and their texts are long."""

    __slots__ = ("it",)

    def __init__(self, it: T):
        self.it = it

    def __hash__(self) -> int:
        return id(self.it)

    def __eq__(self, other: object) -> bool:
        return getattr(other, "it", None) is self.it


def goes_otherwise(like: Mark, old: Mark) -> bool:
    """Whether the same call came to something else, or a command that fails now did its work."""
    if old.unrun or old.name != like.name:
        return False
    return old.call == like.call or (old.fine and not like.fine and like.name not in PROGRAMS)


def is_same(new: Mark, old: Mark) -> bool:
    """Whether a call came to what an earlier one came to."""
    if new.fine != old.fine:
        return False
    if not new.fine:
        return new.name == old.name and _is_same_error(new, old)
    if new.target and new.target == old.target and new.call != old.call:
        return bool(new.lines) and new.lines <= old.lines
    if new.name in SEARCHES and new.name == old.name:
        return _is_same_search(new, old)
    if new.call != old.call:
        return False
    clipped = new.span[2] and new.span[2] == old.span[2] and new.lines <= old.lines  # there was less room for it
    return bool(clipped) or new.result == old.result or new.name in WRITES


def _is_same_error(new: Mark, old: Mark) -> bool:
    if new.result == old.result:
        return new.telling or new.call == old.call
    return new.loose == old.loose and _share(new.words, old.words) >= _ALIKE_SEARCH


def _is_same_search(new: Mark, old: Mark) -> bool:
    if new.name == "list_files" or (new.call == old.call and new.name != "web_search"):  # polled, it may grow
        return new.result == old.result or (bool(new.lines) and new.lines == old.lines)
    if new.lines and old.lines:
        return _share(new.lines, old.lines) >= _SAME_HITS
    return not new.lines and not old.lines and _are_like_queries(new, old)


def would_repeat(asked: Mark, old: Mark) -> bool:
    """Whether a call whose result is not known asks for what an earlier one did."""
    if asked.name != old.name:
        return False
    if asked.call == old.call:
        return True
    if asked.name in SEARCHES:
        return _are_like_queries(asked, old)
    if old.fine and old.target:
        return asked.target == old.target and (asked.name in _EXCERPTS or _lies_within(asked, old))
    return not old.fine and not old.unrun and _share(asked.words, old.words) >= _ALIKE_CALL


def _lies_within(asked: Mark, old: Mark) -> bool:
    """Whether the lines that are asked for are among those that were shown."""
    (first, last, _), (shown_first, shown_last, of) = asked.span, old.span
    return bool(of) and shown_first <= first and min(last, of) <= shown_last


def _are_like_queries(a: Mark, b: Mark) -> bool:
    """In another order, or with a few other words; another number asks for something else."""
    other = a.words ^ b.words
    return _share(a.words, b.words) >= _ALIKE_SEARCH and not any(char.isdigit() for word in other for char in word)


def _share(a: frozenset[str], b: frozenset[str]) -> float:
    """What two sets have in common, from 0 to 1."""
    return len(a & b) / len(a | b) if a or b else 1.0


def asked(call: CommandCall) -> Mark:
    """Of a call that has no result yet."""
    offset, limit = (call.args.get(name) for name in ("offset", "limit"))
    first = offset if isinstance(offset, int) else 1
    last = first + (limit if isinstance(limit, int) else _LINES_READ) - 1
    target = _target(call)
    return Mark(call.name, _spelled(call), _words(call), target=target, span=(first, last, 0), unrun=True)


@lru_cache(maxsize=1_024)
def mark_of(same: Same[Observation]) -> Mark:
    """Of what came of a command; worked out once."""
    observation, call = same.it, same.it.call
    assert call is not None
    text, fine = observation.text, observation.outcome == "ok"
    if observation.outcome == "refused" and text.startswith(REPEATED):
        return asked(call)
    result = _without_what_differs(call.name, text if fine else _head_and_tail(text), fine=fine)
    return Mark(
        call.name,
        _spelled(call),
        _words(call),
        target=_target(call) if fine else "",
        span=_span(text) if fine else (0, 0, 0),
        fine=fine,
        wrote=bool(observation.wrote),
        waits=call.name in _WATCHES or bool(_SLEEPS.search(_line(call))),
        network=not fine and bool(_FAILED_NETWORK.search(text[:_CHARS])),
        telling=len(_WORD.findall(result[:200])) > 2,
        result=result if fine else f"{observation.outcome}: {result}",
        loose="" if fine else _PATH.sub("…", _QUOTED.sub("…", result)),
        lines=frozenset(_shown(call, result, text)) if fine or call.name in PROGRAMS else frozenset(),
    )


def _without_what_differs(name: str, text: str, *, fine: bool) -> str:
    """Without notes of ours and the time that it took; of a failure without numbers, but not those that count."""
    text = _TOOK.sub(r"\1\2#", _ASIDE.sub("", text).strip())
    if name == "browse" and fine:
        return text.partition("\n")[2]  # a page begins with its address, as it was given
    if name == "list_programs":
        return re.sub(r"\t\d+ s\t", "\t", text)
    return text if fine else NUMBERS.sub("#", _HEX.sub("#", text))


def _head_and_tail(text: str) -> str:
    return text if len(text) <= _CHARS else text[: _CHARS // 2] + text[-_CHARS // 2 :]


def _shown(call: CommandCall, result: str, text: str) -> Iterator[str]:
    """What an observation shows of the world, in lines: of a search its hits."""
    if call.name in SEARCHES and call.name != "recall" and not call.args.get("read"):
        hits = ("".join(found.groups("")) for found in _HIT.finditer(text))
        yield from (hit.rstrip("/") for hit, _ in zip(hits, range(_LINES), strict=False))
    elif call.name != "recall" or not text.startswith("Nothing "):
        lines = result.split("\n", _LINES)[:_LINES]
        bare = (_LINE_NUMBER.sub("", line).strip() for line in lines)
        yield from (line for line in bare if line and not _HEAD.search(line))


def _span(text: str) -> tuple[int, int, int]:
    """The first and the last line that a page of a text shows, and how many the text has."""
    found = _HEAD.search(text[:_CHARS].partition("\n")[0])
    return (int(found[1]), int(found[2]), int(found[3])) if found else (0, 0, 0)


def _target(call: CommandCall) -> str:
    """The file or page that a reading call shows; "" for any other."""
    if named := {"read_file": "path", "read_many": "paths", "browse": "url", AGAIN: "id"}.get(call.name):
        return str(one_spelling(named, call.args.get(named)))
    if call.name == "run_shell" and (found := _READS_A_FILE.fullmatch(_line(call))):
        return str(one_spelling("path", found[1]))
    return ""


def _line(call: CommandCall) -> str:
    """What a program is to do."""
    given = call.args.get("command") or call.args.get("code") or ""
    return given if isinstance(given, str) and call.name in PROGRAMS else ""


def _spelled(call: CommandCall) -> str:
    """The command and its arguments in one spelling: without what is left out as well, and what changes no result."""
    args = {name: one_spelling(name, value) for name, value in sorted(call.args.items()) if name != "timeout_s"}
    args = {name: value for name, value in args.items() if value is not None and value != _LEFT_OUT.get(name)}
    return f"{call.name} {json.dumps(args, ensure_ascii=False)}"


def one_spelling(name: str, value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return [one_spelling(name, item) for item in value]
    if isinstance(value, dict):
        return {key: one_spelling(key, item) for key, item in sorted(value.items())}
    if not isinstance(value, str):
        return value
    if name in _EXACT:
        return "\n".join(line.rstrip() for line in value.strip().split("\n"))
    value = " ".join(value.split())
    if name == "command":
        return value
    value = value.casefold().strip("'\"` ")
    if name in _NAMES:
        value = re.sub(r"(?<!:)/{2,}", "/", value.partition("#")[0])
        value = re.sub(r"(?:^|(?<=/))(?:\./)+", "", value).rstrip("/") or "."
    return value


def _words(call: CommandCall) -> frozenset[str]:
    """Of all texts among the arguments; of scripts without spaces between words, each two letters."""
    found: set[str] = set()
    for word in _WORD.findall(" ".join(_texts(call.args))[:_CHARS].casefold()):
        found.update([word] if word.isascii() or len(word) < 3 else (word[i : i + 2] for i in range(len(word) - 1)))
    return frozenset(found)


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
