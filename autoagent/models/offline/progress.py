"""What a run has seen and done so far, read out of its messages alone: the planner itself remembers nothing."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from autoagent.models import Message
from autoagent.models.offline.reports import SEARCH, Written, found_by_search

_OBSERVATION = re.compile(
    r"^Observation (?P<id>\d+\.(?P<number>\d+)), (?P<name>\w+): "
    r"(?:(?P<refused>refused)\. (?P<why>.*)|(?P<outcome>\w+)\n<<<(?P<mark>[0-9a-f]{8})\n)", re.M,
)  # fmt: skip  # a refusal is in words of the program, so nothing is set apart
_LISTED = re.compile(r"^(.*)\t([\d,]+) bytes?(?: \((\w+)\))?$")
_CUT_LINE = re.compile(r" \[… [\d,]+ more characters in this line\]$")
_READ = re.compile(r"(.*?), lines (\d+)-(\d+) of (\d+)(?:, (.*))?")
_EMPTY = re.compile(r"(.*?) is empty(?:, (.*))?\.")
_CLIPPED = "[Clipped. The whole text: read_observation "
_STEP = re.compile(r"^This is step (\d+) of (\d+)", re.M)
_FULL = "Older steps are summarised soon ("
_CRITERIA = "What has to be true at the end"
FOR_A_MODEL = ("edit_file", "source=true")  # a note that names one is on how to edit, not on what is missing
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
    id: str = ""

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
    """The first lines of a file or page, without a gap; `total` is how many it has.

    `cut` are lines too long to see whole; `kind` and `notes` are told by the command. A page that was clipped has to be
    read as the observation `whole`.
    """

    lines: list[str] = field(default_factory=list[str])
    total: int = 0
    cut: list[int] = field(default_factory=list[int])
    problem: str = ""
    kind: str = ""
    notes: tuple[str, ...] = ()
    whole: str = ""

    @property
    def complete(self) -> bool:
        return len(self.lines) >= self.total


@dataclass
class Progress:
    listings: dict[tuple[str, str], Listing] = field(default_factory=dict[tuple[str, str], Listing])
    readings: dict[str, Reading] = field(default_factory=dict[str, Reading])
    written: dict[str, Observed] = field(default_factory=dict[str, Observed])
    pages: dict[str, Reading] = field(default_factory=dict[str, Reading])
    by_runs: dict[str, Written] | None = None  # files that a search found a run's mark in; None where none was made
    programs: list[Observed] = field(default_factory=list[Observed])
    sent_back: list[str] = field(default_factory=list[str])  # what was said of a result that was not accepted
    has_criteria: bool = False
    compacted: bool = False
    advised: bool = False
    steps_left: int | None = None
    full: bool = False


def progress_of(messages: Sequence[Message]) -> Progress:
    """Every listing, reading and writing that the messages tell of, and what is left of the run's limits.

    What failed before a person's last word is as if it had not been tried: they may have mended it.

    `steps_left` counts the one that is to be planned; `full`: the window has little room for more.
    """
    progress = Progress()
    last = str(messages[-1]["content"]) if messages and messages[-1]["role"] == "user" else ""
    if not last.startswith("Observation ") and (step := _STEP.search(last)):
        progress.steps_left = int(step[2]) - int(step[1]) + 1
        progress.full = _FULL in last
        progress.has_criteria = last.startswith(_CRITERIA)
    said = 0  # by the person, the last time
    for at, message in enumerate(messages):
        if message["role"] != "user":
            continue
        progress.compacted |= message["content"].startswith("Summary of the steps before these:\n")
        if message["content"].startswith("Message from the person who gave the goal:\n"):
            progress.advised, said = True, at
    for at, observed in _observations(messages):
        again = at < said and observed.outcome != "ok" and observed.name != "run_python"
        if observed.outcome not in _TRIED or again:
            continue
        match observed.name:
            case "list_files":
                progress.listings[observed.path, str(observed.args.get("pattern", "*"))] = _listing(observed)
            case "read_file":
                _read_on(progress.readings, observed)
            case "browse":
                _browsed(progress.pages, observed)
            case "read_observation":
                _paged(progress.pages, observed)
            case "search_files" if observed.args.get("query") == SEARCH:
                progress.by_runs = found_by_search(observed.text) if observed.outcome == "ok" else {}
            case "write_file":
                progress.written[observed.path] = observed
            case "run_python":
                progress.programs.append(observed)
            case "task_complete":
                progress.sent_back.append(observed.text)
            case _:
                pass
    return progress


def _observations(messages: Sequence[Message]) -> Iterator[tuple[int, Observed]]:
    """Each observation and which message holds it, with its call; text between the marks is never taken for one."""
    calls: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        if message["role"] == "assistant":
            calls = _calls(message["content"])
            continue
        at, content = 0, message["content"] if message["role"] == "user" else ""
        while head := _OBSERVATION.search(content, at):
            number = int(head["number"]) - 1
            call = calls[number] if number < len(calls) and calls[number].get("name") == head["name"] else {}
            args: dict[str, Any] = call.get("args") or {}
            if head["refused"]:
                yield index, Observed(head["name"], args, "refused", head["why"], head["id"])
                at = head.end()
                continue
            end = content.find(f"\n{head['mark']}>>>", head.end() - 1)
            end = max(end if end >= 0 else len(content), head.end())
            yield index, Observed(head["name"], args, head["outcome"], content[head.end() : end], head["id"])
            at = end


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
    told = head.removeprefix(observed.path)
    found, empty = _READ.match(told if observed.path else head), _EMPTY.match(told if observed.path else head)
    reading = readings.setdefault(observed.path or (found[1] if found else ""), Reading())
    if observed.outcome != "ok":
        reading.problem = observed.text
        return
    before = len(reading.lines)
    notes: list[str] = []
    numbered = False
    for line in body.split("\n"):
        number = _NUMBERED.match(line)
        if number and int(number[1]) == len(reading.lines) + 1:
            numbered = True
            text = line[number.end() :]
            if len(text) > SHOWN_LINE_CHARS and _CUT_LINE.search(text, SHOWN_LINE_CHARS):
                reading.cut.append(int(number[1]))
                text = text[:SHOWN_LINE_CHARS]
            reading.lines.append(text)
        elif not numbered and line and not line.startswith("[") and not any(one in line for one in FOR_A_MODEL):
            notes.append(line)
    reading.kind = (found[5] if found else empty[2] if empty else "") or ""
    reading.notes = tuple(dict.fromkeys((*reading.notes, *notes)))
    reading.total = int(found[4]) if found else len(reading.lines)
    if len(reading.lines) == before and not reading.complete:
        reading.problem = f"line {before + 1} and what follows could not be read"


def _browsed(pages: dict[str, Reading], observed: Observed) -> None:
    """A page as it is shown; of one that is clipped nothing counts but that it has to be read whole."""
    url = str(observed.args.get("url", ""))
    if observed.outcome != "ok":
        pages[url] = Reading(problem=observed.text)
        return
    lines = observed.text.split("\n")
    if lines[-1].startswith(_CLIPPED):
        pages[url] = Reading(total=1, whole=observed.id)
    else:
        pages[url] = _known(Reading(lines, len(lines)))


def _paged(pages: dict[str, Reading], observed: Observed) -> None:
    """Lines of a page that was clipped, as many as the head says."""
    page = next((page for page in pages.values() if page.whole and page.whole == observed.args.get("id")), None)
    if page is None:
        return
    head, _, body = observed.text.partition("\n")
    found = _READ.match(head)
    if observed.outcome != "ok" or not found or int(found[2]) != len(page.lines) + 1:
        page.problem = observed.text
        return
    count = int(found[3]) - int(found[2]) + 1
    page.lines += body.split("\n")[:count]
    page.total = int(found[4])
    _known(page)


def _known(page: Reading) -> Reading:
    """The page with its kind and notes, which stand in its head."""
    head = page.lines[: next((at for at, line in enumerate(page.lines) if not line), len(page.lines))]
    page.kind = next((line.removeprefix("Kind: ") for line in head if line.startswith("Kind: ")), "")
    page.notes = tuple(line.removeprefix("Note: ") for line in head if line.startswith("Note: "))
    return page
