"""What a run has seen and done so far, read out of its messages alone: the planner itself remembers nothing."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from autoagent.models import Message

_OBSERVATION = re.compile(r"^Observation (\d+)\.(\d+), (\w+): (\w+)\n<<<([0-9a-f]{8})\n", re.M)
_LISTED = re.compile(r"^(.*)\t([\d,]+) bytes?(?: \((\w+)\))?$")
_CUT_LINE = re.compile(r" \[… [\d,]+ more characters in this line\]$")
_READ = re.compile(r"^(.*), lines? ([\d,]+)(?:-([\d,]+))? of ([\d,]+)")
_NUMBERED = re.compile(r"^(\d+)\t")
SHOWN_LINE_CHARS = 2_000  # read_file shows no more of one line
_TRIED = ("ok", "failed", "refused", "unknown")


@dataclass(frozen=True)
class Observed:
    """One command and what came of it; `args` is empty where the reply that asked for it was clipped."""

    name: str
    args: dict[str, Any]
    outcome: str
    text: str

    @property
    def path(self) -> str:
        return str(self.args.get("path", ""))


@dataclass
class Listing:
    """What a folder holds, with paths from the workspace's root; `problem` says why it could not be listed."""

    sizes: dict[str, int] = field(default_factory=dict[str, int])
    folders: set[str] = field(default_factory=set[str])
    links: set[str] = field(default_factory=set[str])
    cut: bool = False
    problem: str = ""


@dataclass
class Reading:
    """The first lines of a file, without a gap; `total` is how many it has, `cut` which were too long to see whole."""

    lines: list[str] = field(default_factory=list[str])
    total: int = 0
    cut: list[int] = field(default_factory=list[int])
    problem: str = ""

    @property
    def complete(self) -> bool:
        return len(self.lines) >= self.total


@dataclass
class Progress:
    listings: dict[tuple[str, str], Listing] = field(default_factory=dict[tuple[str, str], Listing])
    readings: dict[str, Reading] = field(default_factory=dict[str, Reading])
    written: dict[str, Observed] = field(default_factory=dict[str, Observed])
    compacted: bool = False
    advised: bool = False


def progress_of(messages: Sequence[Message]) -> Progress:
    """Every listing, reading and writing that the messages tell of."""
    progress = Progress()
    for message in messages:
        if message["role"] != "user":
            continue
        progress.compacted |= message["content"].startswith("Summary of the steps before these:\n")
        progress.advised |= message["content"].startswith("Message from the person who gave the goal:\n")
    for observed in _observations(messages):
        if observed.outcome not in _TRIED:
            continue
        match observed.name:
            case "list_files":
                progress.listings[observed.path, str(observed.args.get("pattern", "*"))] = _listing(observed)
            case "read_file":
                _read_on(progress.readings, observed)
            case "write_file":
                progress.written[observed.path] = observed
            case _:
                pass
    return progress


def _observations(messages: Sequence[Message]) -> Iterator[Observed]:
    """Each observation with the call of the reply before it; text between the marks is never taken for one."""
    calls: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "assistant":
            calls = _calls(message["content"])
            continue
        at, content = 0, message["content"] if message["role"] == "user" else ""
        while head := _OBSERVATION.search(content, at):
            end = content.find(f"\n{head[5]}>>>", head.end() - 1)
            end = end if end >= 0 else len(content)
            number = int(head[2]) - 1
            call = calls[number] if number < len(calls) and calls[number].get("name") == head[3] else {}
            yield Observed(head[3], call.get("args") or {}, head[4], content[head.end() : max(end, head.end())])
            at = max(end, head.end())


def _calls(said: str) -> list[dict[str, Any]]:
    try:
        return cast(list[dict[str, Any]], json.loads(said)["commands"])
    except (ValueError, KeyError, TypeError):
        return []


def _listing(observed: Observed) -> Listing:
    if observed.outcome != "ok":
        return Listing(problem=observed.text)
    listing = Listing()
    for line in observed.text.split("\n")[1:]:
        if found := _LISTED.match(line):
            if found[3]:
                listing.links.add(_plain(found[1]))
            else:
                listing.sizes[_plain(found[1])] = int(found[2].replace(",", ""))
        elif line.startswith(("…", "[")):
            listing.cut = True
        elif line.endswith("/"):
            listing.folders.add(_plain(line))
    return listing


def _plain(path: str) -> str:
    return path.removeprefix("./").rstrip("/")


def _read_on(readings: dict[str, Reading], observed: Observed) -> None:
    """Add the lines that follow on those already there; a part that adds none ends the reading with a problem."""
    head, _, body = observed.text.partition("\n")
    found = _READ.match(head)
    path = observed.path or (found[1] if found else "")
    reading = readings.setdefault(path, Reading())
    if observed.outcome != "ok":
        reading.problem = observed.text
        return
    before = len(reading.lines)
    for line in body.split("\n"):
        number = _NUMBERED.match(line)
        if number and int(number[1]) == len(reading.lines) + 1:
            text = line[number.end() :]
            if len(text) > SHOWN_LINE_CHARS and _CUT_LINE.search(text, SHOWN_LINE_CHARS):
                reading.cut.append(int(number[1]))
                text = text[:SHOWN_LINE_CHARS]
            reading.lines.append(text)
    reading.total = int(found[4].replace(",", "")) if found else len(reading.lines)
    if len(reading.lines) == before and not reading.complete:
        reading.problem = f"line {before + 1} and what follows could not be read"
