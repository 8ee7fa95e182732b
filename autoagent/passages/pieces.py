"""The pieces of a text: headings, sentences of a paragraph, list items, rows of a table, blocks of code."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_SENTENCES_OVER = 400  # characters; a line that is longer is taken by its sentences
_LONGEST = 800  # characters of a sentence
_CODE_LINES = 25  # of a block of code that stay together
_FENCE = re.compile("`{3,}")
_HEADING_LINE = re.compile(r"#{1,6} \S")
_MARK_LINE = re.compile(r"\[(?:page|sheet|slide) [^\]\n]*\]")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=\S)|(?<=[。！？])(?=\S)")


class Passage(NamedTuple):
    """`text[start:end]`; what it stands beneath by places in the list: a mark such as `[page 3]`, heading, header row.

    `score` is 0 where it holds none of the question's words and no heading above does. `rare` is where those of them
    stand in the text that few pieces hold.
    """

    start: int
    end: int
    mark: int | None = None
    heading: int | None = None
    header: int | None = None
    score: float = 0.0
    rare: tuple[int, ...] = ()


def pieces_of(text: str) -> Iterator[Passage]:
    mark = heading = header = None
    at = number = 0
    row_before = False
    while at < len(text):
        end = _end_of_line(text, at)
        line = text[at:end]
        row = False
        if not line or line.isspace():
            found = []
        elif line.startswith("```") and (fence := _FENCE.match(line)):
            found = [Passage(start, stop, mark, heading) for start, stop in _code(text, at, fence[0])]
            end = found[-1].end
        elif " | " in line or line.find("\t") > 0:
            row, header = True, header if row_before else number
            found = [Passage(at, end, mark, heading, None if header == number else header)]
        elif line[0] == "#" and _HEADING_LINE.match(line):
            found, heading = [Passage(at, end, mark)], number
        elif line[0] == "[" and _MARK_LINE.fullmatch(line):
            found, mark, heading = [Passage(at, end)], number, None
        elif len(line) <= _SENTENCES_OVER:
            found = [Passage(at, end, mark, heading)]
        else:
            found = [Passage(start, stop, mark, heading) for start, stop in _sentences(text, at, end)]
        yield from found
        row_before = row
        number += len(found)
        at = end + 1


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _code(text: str, start: int, fence: str) -> Iterator[tuple[int, int]]:
    """A block of code up to its closing fence, some lines at a time."""
    closing = text.find(f"\n{fence}", start)
    last = len(text) if closing < 0 else _end_of_line(text, closing + 1)
    at = began = start
    lines = 0
    while at < last:
        end = _end_of_line(text, at)
        lines += 1
        if lines == _CODE_LINES or end + 1 >= last:
            yield began, end
            began, lines = end + 1, 0
        at = end + 1


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentences of a long line; short ones stay together, and one without an end is cut at a space."""
    began = start
    for stop in (*(found.end() for found in _SENTENCE_END.finditer(text, start, end)), end):
        while stop - began > _LONGEST:
            space = text.rfind(" ", began, began + _LONGEST)
            cut = space + 1 if space > began else began + _LONGEST
            yield began, cut
            began = cut
        if stop - began >= _SENTENCES_OVER // 2 or (stop == end and began < end):
            yield began, stop
            began = stop
