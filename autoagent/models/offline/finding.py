"""Every place where some words stand, upper and lower case alike."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from autoagent.models.offline.documents import Document, Passage

WINDOW = 400  # characters of a long line that are quoted


@dataclass(frozen=True)
class Found:
    """`times` counts every place, also inside longer words; `as_word` those that stand alone."""

    times: int
    as_word: int
    by_file: dict[str, int]
    lines: tuple[Passage, ...]


def find(needles: Sequence[str], documents: Sequence[Document]) -> Found:
    """In a PDF also where a line ends within the words."""
    times = as_word = 0
    by_file: dict[str, int] = {}
    lines: list[Passage] = []
    for document in documents:
        choice = _choice(needles, broken=document.kind == "pdf")
        pattern = re.compile(choice, re.IGNORECASE)
        word = re.compile(rf"(?<!\w)(?:{choice})(?!\w)", re.IGNORECASE)
        for number, text in _texts(document):
            places = list(pattern.finditer(text))
            if not places:
                continue
            times += len(places)
            as_word += len(word.findall(text))
            by_file[document.path] = by_file.get(document.path, 0) + len(places)
            lines += _quoted(document, number, text, places)
    return Found(times, as_word, by_file, tuple(lines))


def _choice(needles: Sequence[str], *, broken: bool) -> str:
    longest_first = sorted(needles, key=len, reverse=True)
    return "|".join(_across_lines(needle) if broken else re.escape(needle) for needle in longest_first)


def _across_lines(needle: str) -> str:
    """The words with a line's end for a space, within Hangul, or behind a hyphen within a word."""
    parts: list[str] = []
    for word in needle.split():
        broken = [re.escape(word[0])]
        for before, letter in pairwise(word):
            both = before + letter
            gap = r"\n?" if re.fullmatch("[가-힣]{2}", both) else r"(?:[-\u00ad]\n)?" if both.isalpha() else ""
            broken.append(gap + re.escape(letter))
        parts.append("".join(broken))
    return r"\s+".join(parts)


def _texts(document: Document) -> Iterator[tuple[int, str]]:
    """What is searched: each line, or in a PDF each page, with its first line's number; no marks, no addresses."""
    if document.kind == "pdf":
        for begin, end in pairwise([*document.pages.values(), len(document.lines) + 1]):
            lines = range(begin + 1, end)
            yield begin + 1, "\n".join("" if n in document.marks else document.lines[n - 1] for n in lines)
        return
    cells = {row.line: "\t".join(row.cells) for sheet in document.sheets for row in sheet.rows}
    for number, line in enumerate(document.lines, 1):
        if number not in document.marks:
            yield number, cells.get(number, line)


def _quoted(document: Document, first: int, text: str, places: Sequence[re.Match[str]]) -> Iterator[Passage]:
    """The lines that hold the places, each once, each with its own source."""
    until = -1
    for place in places:
        if place.start() < until:
            continue
        start = text.rfind("\n", 0, place.start()) + 1
        until = text.find("\n", place.end())
        until = until if until >= 0 else len(text)
        number = first + text.count("\n", 0, start)
        shown = text[start:until]
        column = text.count("\t", 0, place.start()) if document.kind == "workbook" else 0
        source = document.source(number, column)
        at = place.start() - start
        yield Passage(document.path, number, _window(shown, at), "sentence", source=source)


def _window(line: str, at: int) -> str:
    """The line, or the words around its first place where it is very long."""
    if len(line) <= WINDOW:
        return line.strip()
    start = max(0, at - WINDOW // 2)
    end = start + WINDOW
    if start and (space := line.find(" ", start, at)) >= 0:
        start = space
    if end < len(line) and (space := line.rfind(" ", at, end)) > at:
        end = space
    return line[start:end].strip()
