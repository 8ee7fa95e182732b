"""What a run really read or computed, from its journal alone.

What counts: text of files, pages, search results, downloads, programs' output, people's words. What never does: the
goal, what the program told the model, observations of commands that only act or end, and the model's own words wherever
they come back: read from a file that it wrote, printed by a program whose code holds them. What `recall` shows never
counts by itself: what this run read stands where it was read, and a kept fact is words of a model.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from posixpath import normpath
from urllib.parse import parse_qsl, urlsplit

from autoagent.events import (
    ApprovalGiven,
    CommandFinished,
    CommandStarted,
    Event,
    FilesChanged,
    FilesUndone,
    ModelReplied,
    Outcome,
    PersonSaid,
    RunStarted,
)
from autoagent.evidence.authorship import WRITES, Authorship, texts_of
from autoagent.evidence.folding import Folded
from autoagent.evidence.own_words import AROUND, NOTHING, THROUGHOUT, Own, Token, Written, tokens, window, words_of
from autoagent.thoughts import CommandCall

SILENT = WRITES | {"remember", "task_complete", "give_up", "list_programs"}  # what they say is ours
PROGRAMS = ("run_shell", "run_python")
_EDITED = "\nThe person changed arguments before it ran. Now: "
_MOST_CHARS = 400  # of a command that a source is of
_LOOPBACK = re.compile(r"localhost|127\.[\d.]+|0\.0\.0\.0|\[?::1\]?|.*\.localhost")
_FLAGGED = 8  # times as slow as to look at a character
_HEAD = re.compile(r"^(?P<path>[^\n\t]+?), [\d,]+ lines?(?=,|$)", re.MULTILINE)  # of a file in read_many
_MATCH = re.compile(r"^(?P<path>[^\n]+?)(?: \(source\))?:(?P<line>\d+)\t", re.MULTILINE)  # in search_files
_ABSENT = re.compile(r"^(?:in none of these files|No page that was read holds): [^\n]*", re.MULTILINE)
_LINE_NUMBER = re.compile(r"^(\d+)\t", re.MULTILINE)
_OF_FILE = re.compile(r"^\d+\t|\A[^\n]*?, lines \d+-\d+(?= of \d)", re.MULTILINE)
_OF_SEARCH = re.compile(r"(?<=:)\d+\t")


@dataclass(frozen=True)
class Region:
    """A part of a source in which some words may be the model's."""

    start: int
    end: int
    own: Own


@dataclass(frozen=True)
class Source:
    """One thing that was read or computed. `of` is a path, an address, or the command that was shown.

    `text` is the whole of it. `first_line` is the number of the first line that stands behind its number (`read_file`,
    `read_many`); 0 where lines have none.
    """

    id: str
    command: str
    of: str
    text: str
    first_line: int
    outcome: Outcome
    regions: tuple[Region, ...] = ()

    @cached_property
    def folded(self) -> Folded:
        return Folded(self.text, numbered=bool(self.first_line))

    @cached_property
    def bare(self) -> str:
        """The text with blanks where the numbers of lines stand: figures of ours."""
        pattern = _OF_FILE if self.first_line else _OF_SEARCH if self.command == "search_files" else None
        return pattern.sub(lambda found: " " * len(found[0]), self.text) if pattern else self.text

    @cached_property
    def head_end(self) -> int:
        """Where its first numbered line begins; 0 where no line has a number."""
        found = _LINE_NUMBER.search(self.text) if self.first_line else None
        return found.start() if found else 0

    def flags(self, start: int, end: int) -> list[tuple[int, bool]]:
        """The words at a place, by where each begins, and whether it is the model's own."""
        if not self.regions:
            return [(token.start, False) for token in tokens(self.bare, start, end)]
        return [
            (token.start, own) for token, own in self._flagged(start, end) if token.start < end and token.end > start
        ]

    def weight(self, start: int, end: int) -> int:
        """How many characters it is like to look at, to tell whose words stand at a place."""
        return (end - start + 2 * AROUND) * (_FLAGGED + len(self.regions)) if self.regions else end - start

    def owns(self, raw: str) -> bool:
        """Whether a figure, as it is written, is the model's own wherever it stands in the text."""
        whole = [region.own for region in self.regions if region.start == 0 and region.end >= len(self.text)]
        return any(own.throughout or word in own.words for own in whole for word in words_of([raw]))

    def shows_line(self, number: str) -> bool:
        """Whether a line of that number was shown."""
        if self.command not in ("read_file", "read_many", "search_files"):
            return False
        return re.search(rf"(?:^|:){re.escape(number)}\t", self.text, re.MULTILINE) is not None

    def part(self, at: int) -> tuple[str, int]:
        """The file that a place of several is from, and the number of its line; the address for a search's result.

        "" and 0 where that is not known.
        """
        begin = self.text.rfind("\n", 0, at) + 1
        number = _LINE_NUMBER.match(self.text, begin)
        match self.command:
            case "search_files":
                found = _MATCH.match(self.text, begin)
                return (found["path"], int(found["line"])) if found else ("", 0)
            case "read_many":
                heads = list(_HEAD.finditer(self.text, 0, at))
                return (heads[-1]["path"], int(number[1]) if number else 0) if heads else ("", 0)
            case "web_search":
                addresses = re.findall(r"^(?:Read: |   )(https?://\S+)$", self.text[:at], re.MULTILINE)
                return (addresses[-1], 0) if addresses else ("", 0)
            case _:
                return self.of, int(number[1]) if number and self.first_line else 0

    def _flagged(self, start: int, end: int) -> Iterable[tuple[Token, bool]]:
        around = window(self.bare, start, end)
        own = [False] * len(around)
        for region in self.regions:
            if region.start < end and region.end > start:
                within = [at for at, token in enumerate(around) if region.start <= token.start < region.end]
                flags = region.own.flags([around[at] for at in within])
                for at, flag in zip(within, flags, strict=True):
                    own[at] = own[at] or flag
        return zip(around, own, strict=True)


@dataclass(frozen=True)
class Reads:
    """Everything that counts, in order. `aliases`: ids of observations that only show others again.

    `acts`: ids of those that say what a command did, which shows nothing. `goal` is for what only repeats it.
    """

    sources: tuple[Source, ...]
    aliases: dict[str, str]
    acts: frozenset[str] = frozenset()
    goal: str = ""

    @cached_property
    def by_id(self) -> dict[str, Source]:
        return {source.id: source for source in self.sources}

    def source(self, id: str) -> Source | None:
        return self.by_id.get(self.aliases.get(id, id))


def reads(events: Iterable[Event], text_of: Callable[[str], str]) -> Reads:
    """What counts of a run. `text_of` gives a text that is kept beside the journal, by its artifact's name."""
    reading = _Reading(text_of)
    for event in events:
        reading.take(event)
    return Reads(tuple(reading.sources), reading.aliases, frozenset(reading.acts), reading.goal)


class _Reading:
    """The fold over a run's events."""

    def __init__(self, text_of: Callable[[str], str]):
        self.text_of, self.authorship = text_of, Authorship(text_of)
        self.sources: list[Source] = []
        self.aliases: dict[str, str] = {}
        self.calls: dict[str, CommandCall] = {}
        self.started: dict[str, CommandStarted] = {}
        self.edited: set[str] = set()
        self.acts: set[str] = set()
        self.goal = ""
        self.step = 0

    def take(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.goal = event.goal
            case ModelReplied():
                self._take_reply(event)
            case ApprovalGiven() if event.args is not None and event.call_id in self.calls:
                self.calls[event.call_id] = self.calls[event.call_id].model_copy(update={"args": event.args})
                self.edited.add(event.call_id)
            case CommandStarted():
                self.calls[event.call_id], self.started[event.call_id] = event.call, event
            case CommandFinished():
                self._take_result(event)
            case FilesChanged():
                self.authorship.drifted(event)
            case FilesUndone():
                self.authorship.undone(event)
            case PersonSaid():
                self.sources.append(Source(f"p{event.seq}", "person", event.by, event.text, 0, "ok"))
            case _:
                pass

    def _take_reply(self, event: ModelReplied) -> None:
        if event.purpose != "step":
            return
        self.step += 1
        if event.thought is None:
            return
        for number, call in enumerate(event.thought.commands, 1):
            self.calls[f"{self.step}.{number}"] = call

    def _take_result(self, event: CommandFinished) -> None:
        call, started = self.calls.get(event.call_id), self.started.get(event.call_id)
        if call is None:
            return
        is_program = call.name in PROGRAMS or (started is not None and bool(started.sandbox))
        if call.name in WRITES:
            if event.outcome in ("ok", "unknown"):
                self.authorship.wrote(call, event, started, local=_is_local(call))
        elif is_program or event.changed or event.changed_artifact:
            self.authorship.ran(call, event)
        self.authorship.saw(event.seen)
        if call.name == "read_observation" and event.outcome == "ok":
            asked = str(call.args.get("id", ""))
            self.aliases[event.call_id] = self.aliases.get(asked, asked)
            return
        counts = event.outcome == "ok" or (is_program and event.outcome in ("failed", "unknown"))
        if call.name in SILENT:
            self.acts.add(event.call_id)
        elif counts:
            self._add_source(call, event)

    def _add_source(self, call: CommandCall, event: CommandFinished) -> None:
        text = self.text_of(event.artifact) if event.artifact else event.text
        if event.call_id in self.edited and _EDITED in text:
            text = text[: text.rindex(_EDITED)]
        of = next(iter(event.seen), _subject(call)) if call.name == "read_file" else _subject(call)
        numbered = _LINE_NUMBER.search(text) if call.name in ("read_file", "read_many") else None
        command = "person" if call.name == "ask_person" else call.name
        regions = tuple(region for region in self._regions(call, event, text) if region.own)
        first_line = int(numbered[1]) if numbered else 0
        self.sources.append(Source(event.call_id, command, of, text, first_line, event.outcome, regions))

    def _regions(self, call: CommandCall, event: CommandFinished, text: str) -> list[Region]:
        """Where in the text which words may be the model's."""
        whole, head = len(text), text.find("\n") if "\n" in text else len(text)
        names, asked = Own(((self.authorship.names, event.seq),)), Own(words=words_of(texts_of(call)))
        absent = [Region(*found.span(), asked) for found in _ABSENT.finditer(text)]
        match call.name:
            case "ask_person":
                return []
            case "web_search":
                return absent
            case "browse" if _is_local(call):
                return [Region(0, whole, self.authorship.own_of_output(call, event.seq))]
            case "browse":
                return [Region(0, head, asked), Region(head, whole, _asked_of_server(call))]
            case "read_file":
                own = NOTHING
                for path, sha256 in event.seen.items():
                    own |= self.authorship.own_of(path, sha256, event.seq)
                return [Region(0, head, names), Region(0, whole, own)]
            case "search_files":
                return [Region(0, head, asked), Region(0, whole, names), *self._of_files(_MATCH, event, text)]
            case "read_many":
                return [*absent, *self._of_files(_HEAD, event, text)]
            case "list_files":
                return [Region(0, whole, names)]
            case "recall":
                return [Region(0, whole, THROUGHOUT)]
            case _:
                return [Region(0, whole, self.authorship.own_of_output(call, event.seq)), Region(0, whole, names)]

    def _of_files(self, pattern: re.Pattern[str], event: CommandFinished, text: str) -> list[Region]:
        """The parts of a text that are of files, each with whose words that file holds."""
        found = list(pattern.finditer(text))
        regions: list[Region] = []
        for one, end in zip(found, [*(one.start() for one in found[1:]), len(text)], strict=False):
            path = normpath(one["path"])
            own = self.authorship.own_of(path, event.seen.get(path, ""), event.seq)
            regions.append(Region(one.start(), end, own))
        return regions


def _subject(call: CommandCall) -> str:
    """What an observation is of, in one line."""
    for name in ("path", "url", "command", "code", "query", "question", "paths", "id"):
        value = call.args.get(name)
        if isinstance(value, str) and value:
            return " ".join(value.split())[:_MOST_CHARS]
        if isinstance(value, list) and value:
            return ", ".join(map(str, value))[:_MOST_CHARS]
    return ""


def _is_local(call: CommandCall) -> bool:
    """Whether an address is of this machine, where a program of the run itself may answer."""
    try:
        return _LOOPBACK.fullmatch((urlsplit(str(call.args.get("url", ""))).hostname or "").lower()) is not None
    except ValueError:
        return False


def _asked_of_server(call: CommandCall) -> Own:
    """What an address carries to its server, which may say it back."""
    try:
        query = urlsplit(str(call.args.get("url", ""))).query
    except ValueError:
        return NOTHING
    asked = Written(value for _, value in parse_qsl(query) if len(value) > 1)
    return Own(((asked, 1),))
