"""Whose words stand in which file, as a run goes on: the model's where it wrote them, however they got there."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from posixpath import basename, normpath, splitext

from pydantic import JsonValue, TypeAdapter

from autoagent.events import CommandFinished, CommandStarted, FileChange, FilesChanged, FilesUndone
from autoagent.evidence.own_words import NOTHING, THROUGHOUT, Own, Written, joined, joined_ends, words_of
from autoagent.evidence.reach import ANY, reach_of
from autoagent.evidence.spoken import spoken
from autoagent.thoughts import CommandCall

_MADE = ("write_file", "append_file", "edit_file", "move_file", "copy_file", "delete_file", "make_folder")
WRITES = frozenset((*_MADE, "download_file", "extract_archive"))
_EDITS = re.compile(r"\b(?:sed|perl|ruby|gawk)\b[^|;&\n]*\s-\w*i|\b(?:patch|ed|ex)\s")
_SCRIPTS = (".py", ".sh", ".js", ".mjs", ".ts", ".rb", ".pl", ".r", ".lua", ".php")  # may be named without their ending
_UNWATCHED = {"node_modules", ".venv", "venv", "__pycache__", ".tox", ".nox"}  # what programs make there nobody sees
_CHANGES: TypeAdapter[tuple[FileChange, ...]] = TypeAdapter(tuple[FileChange, ...])


@dataclass(frozen=True)
class _Content:
    """What of a file is the model's: for who reads it, and its words one by one, for a program that does.

    `first` and `last` are the digits that its texts begin and end with; `whole`: nobody else wrote a word of it.
    """

    own: Own = NOTHING
    words: frozenset[str] = frozenset()
    first: frozenset[str] = frozenset()
    last: frozenset[str] = frozenset()
    whole: bool = False

    def __or__(self, other: "_Content") -> "_Content":
        whole = self.whole and other.whole
        own, words = self.own | other.own, self.words | other.words
        return _Content(own, words, self.first | other.first, self.last | other.last, whole)


_CLEAN = _Content()


class Authorship:
    """A fold over what commands and programs do to files. `text_of` gives a text that is kept beside the journal."""

    def __init__(self, text_of: Callable[[str], str]):
        self._text_of = text_of
        self.written = Written()  # into files, or in the arguments of programs that made some
        self.names = Written()  # of files
        self._files: dict[str, _Content] = {}  # touched in this run
        self._contents: dict[str, _Content] = {}  # by SHA-256
        self._background: frozenset[str] = frozenset()
        self._ran = False  # a program

    def own_of(self, path: str, sha256: str, at: int) -> Own:
        """Whose words a file holds that is read at a moment."""
        known = self._contents.get(sha256, _CLEAN) if sha256 else self._files.get(path, _CLEAN)
        if known.whole:  # by what it is now, where that is told: a person may have changed it since
            return THROUGHOUT
        if path in self._files:
            return self._files[path].own
        own = known.own
        if not own and self._ran and not _UNWATCHED.isdisjoint(path.split("/")):
            return Own(elsewhere=((self.written, at),))
        return own

    def own_of_output(self, call: CommandCall, at: int) -> Own:
        """Whose words a program says: those of its arguments, one by one, and of the model's files that it may read."""
        words = self._background | self._words(call) if self._background else self._words(call)
        reach = ANY if self._background else reach_of(call)
        if reach.any:
            return Own(elsewhere=((self.written, at),), words=words)
        read = [content.own for path, content in self._files.items() if reach.holds(path)]
        return Own(elsewhere=tuple(dict.fromkeys(one for own in read for one in own.moments)), words=words)

    def saw(self, seen: Mapping[str, str]) -> None:
        """What was read has a known content: a copy of it is read, too. One that nobody is known to have written may
        hold what a person added.
        """
        for path, sha256 in seen.items():
            self._contents.setdefault(sha256, replace(self._files.get(path, _CLEAN), whole=False))

    def wrote(self, call: CommandCall, event: CommandFinished, started: CommandStarted | None, *, local: bool) -> None:
        """A command of ours wrote. `local`: it downloaded what this machine, so maybe a program of the run, serves."""
        args = {name: value for name, value in call.args.items() if isinstance(value, str)}
        changes = self._changes(event)
        path = event.wrote or (started.path if started else "")
        path = path or normpath(args.get("path") or args.get("target", ""))
        self.names.add(path, event.seq)
        match call.name:
            case "write_file" | "append_file" | "edit_file":
                self._files[path] = self._text(call.name, path, args, started, event.seq)
            case "move_file" | "copy_file":
                source = (started.source if started else "") or normpath(args.get("source", ""))
                known = self._contents.get(started.after, _CLEAN) if started else _CLEAN
                self._files[path] = self._files.get(source, _CLEAN) | known
            case "extract_archive":
                of_archive = self._files.get(normpath(args.get("path", "")), _CLEAN)
                return self._are_now(changes, of_archive)
            case "download_file":
                made = _Content(Own(elsewhere=((self.written, event.seq),))) if local else _CLEAN
                self._files[path] = made
                return self._are_now(changes, made)
            case _:
                self._files.pop(path, None)
                return None
        digests = [started.after if started else "", *(one.after.sha256 for one in changes if one.path == path)]
        for sha256 in filter(None, digests):
            self._contents.setdefault(sha256, self._files[path])
        return None

    def ran(self, call: CommandCall, event: CommandFinished) -> None:
        """A program ran. What it made may hold what the model wrote by then, unless it is what is known."""
        self._ran = True
        words, changes = self._words(call), self._changes(event)
        if call.args.get("background"):
            self._background |= words
            for text in texts_of(call):
                self.written.add(text, event.seq)
        self._named(changes, words_of(texts_of(call)), event.seq)
        if changes:
            for text in texts_of(call):
                self.written.add(text, event.seq)
            made = _Content(Own(elsewhere=((self.written, event.seq + 1),), words=words), words)
            edits = any(map(_EDITS.search, texts_of(call)))
            self._are_now(changes, made, edited=edits)

    def drifted(self, event: FilesChanged) -> None:
        """Programs in the background changed files."""
        made = Own(elsewhere=((self.written, event.seq),), words=self._background)
        self._are_now(self._changes(event), _Content(made, self._background))

    def _named(self, changes: Sequence[FileChange], said: frozenset[str], at: int) -> None:
        """Files that came into being by a name which stands in what made them."""
        for change in changes:
            if change.before.kind == "absent" and words_of([basename(change.path)]) <= said:
                self.names.add(change.path, at)

    def undone(self, event: FilesUndone) -> None:
        self._are_now(self._changes(event), _CLEAN)

    def _text(self, name: str, path: str, args: Mapping[str, str], started: CommandStarted | None, at: int) -> _Content:
        text = args.get("new" if name == "edit_file" else "text", "")
        slipped = _slipped_in(started.diff if started else "") if name != "write_file" else []
        for words in (text, *slipped):
            self.written.add(words, at)
        first, last = _ends(text)
        words = words_of([text, *slipped]) | joined([text])
        made = _Content(Own(((Written([text, *slipped]), 1),)), words, first, last, whole=True)
        is_new = name == "write_file" or (started is not None and started.before == "absent")
        return made if is_new else self._files.get(path, _CLEAN) | made

    def _are_now(self, changes: Sequence[FileChange], made: _Content, *, edited: bool = False) -> None:
        """`edited`: in place, so that what stands there now may be what was there, doctored."""
        for change in changes:
            before = self._files.get(change.path, _CLEAN)
            if edited and change.before.kind == "file":
                before = replace(before, own=before.own | THROUGHOUT)
            if change.before.sha256:
                self._contents.setdefault(change.before.sha256, before)
            if change.after.kind == "absent":
                self._files.pop(change.path, None)
            elif change.after.kind == "file":
                known = self._contents.setdefault(change.after.sha256, before | made) if change.after.sha256 else None
                self._files[change.path] = known or before | made

    def _words(self, call: CommandCall) -> frozenset[str]:
        """The words of a program's arguments, of the model's files that these name, of those that they name, …"""
        texts = texts_of(spoken(call))
        words, left = words_of(texts) | joined(texts), dict(self._files)
        first, last = frozenset[str](), frozenset[str]()
        wild = any(sign in text for text in texts for sign in ("*", "?", "["))
        while named := [path for path, content in left.items() if content.words and _names(words, path, wild=wild)]:
            for content in map(left.pop, named):
                words |= content.words
                first, last = first | content.first, last | content.last
        return words | joined_ends(last, first)

    def _changes(self, event: CommandFinished | FilesChanged | FilesUndone) -> tuple[FileChange, ...]:
        return changes_of(event, self._text_of)


def changes_of(
    event: CommandFinished | FilesChanged | FilesUndone, text_of: Callable[[str], str]
) -> tuple[FileChange, ...]:
    """What it did to files, also where that is a list beside the journal."""
    if not event.changed_artifact:
        return event.changed
    return _CHANGES.validate_json(text_of(event.changed_artifact), strict=False)


def texts_of(call: CommandCall) -> list[str]:
    """Every string among the arguments."""
    found: list[str] = []
    left: list[JsonValue] = [*call.args.values()]
    while left:
        value = left.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += value.values()
    return found


def _names(words: frozenset[str], path: str, *, wild: bool) -> bool:
    """Whether a text of these words may name the file: by its name, a script by its stem, or by a pattern."""
    stem, ending = splitext(basename(path))
    if ending.lower() in _SCRIPTS and words_of([stem]) <= words:
        return True
    return words_of([ending if wild and ending else f"{stem}{ending}"]) <= words


def _ends(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The digits that a text begins and ends with."""
    first, last = re.match(r"\s*(\d+)", text), re.search(r"(\d+)$", text.rstrip()[-40:])
    return frozenset(first.groups() if first else ()), frozenset(last.groups() if last else ())


def _slipped_in(diff: str) -> list[str]:
    """The lines that an edit made of what was there and what is new: a word less, and a line says the contrary."""
    lines = diff.split("\n")
    old = {line[1:] for line in lines if line.startswith("-")}
    return [line[1:] for line in lines if line.startswith("+") and not line.startswith("+++") and line[1:] not in old]
