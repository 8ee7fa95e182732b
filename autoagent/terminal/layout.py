"""Lines of styled text, wrapped to any width by the cells that characters take."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from autoagent.terminal.inert import inert

Style = Literal["", "bold", "dim", "good", "warn", "bad"]
GUTTER = 2
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # may be broken anywhere; Hangul has spaces
_WORD = re.compile(f"[ \u3000]+|[{_CJK}][、。」）！？]*|[^ \u3000{_CJK}]+")
_ROOM_FOR_A_PART = 10  # cells; with less a word that needs several rows starts on the next one


class Piece(NamedTuple):
    text: str
    style: Style = ""


@dataclass(frozen=True)
class Line:
    """`first` and `rest` are the cells left empty before the first row and before those it wraps to."""

    pieces: tuple[Piece, ...]
    first: int = 0
    rest: int = GUTTER


def line(*pieces: str | Piece, first: int = 0, rest: int | None = None) -> Line:
    made = tuple(Piece(piece) if isinstance(piece, str) else piece for piece in pieces)
    return Line(made, first, max(first, GUTTER) if rest is None else rest)


def foreign(text: str, *, indent: int = GUTTER, style: Style = "") -> list[Line]:
    """Text from outside, every line of it behind the gutter, so that none can pass for one of ours."""
    return [line(Piece(part, style), first=indent, rest=indent) for part in text.rstrip("\n").split("\n")]


def labelled(label: str, text: str | Piece, *, width: int = 9, style: Style = "dim") -> Line:
    """`  Why    the goal asks…`, wrapped under the text; `width` is where the text starts."""
    name = Piece(label.ljust(width - GUTTER), style)
    return line(name, text, first=GUTTER, rest=width)


def one_line(text: str, most: int = 400) -> str:
    """Prose from outside on one line, at most so many characters."""
    text = " ".join(text[: most * 4].split())
    return text if len(text) <= most else text[: most - 1] + "…"


def cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """`text` in at most `width` cells."""
    text = inert(text, newlines=False).expandtabs(4)
    if cells(text) <= width:
        return text
    return _head(text, max(1, width - 1)) + "…"


def rows(of: Line, columns: int) -> Iterator[list[Piece]]:
    """The rows of a line: inert, indented, none wider than `columns`."""
    pieces = [Piece(inert(text, newlines=False).expandtabs(4), style) for text, style in of.pieces]
    text = "".join(piece.text for piece in pieces)
    indent = of.first
    rest = min(of.rest, columns // 2)
    for start, end in _spans(text, columns - indent, columns - rest):
        yield [Piece(" " * indent), *_between(pieces, start, end)]
        indent = rest


def _spans(text: str, room: int, rest: int) -> Iterator[tuple[int, int]]:
    start = used = 0
    for word in _WORD.finditer(text):
        size = cells(word[0])
        if used + size <= room:
            used += size
            continue
        if word[0].isspace() and used:
            yield start, word.start()
            start, used, room = word.end(), 0, rest
            continue
        if used and not (size > rest and room - used >= _ROOM_FOR_A_PART):
            yield start, _before_spaces(text, start, word.start())
            start, used, room = word.start(), 0, rest
        at, left = word.start(), room - used
        while at < word.end() and (part := _head(text[at : word.end()], left)) and at + len(part) < word.end():
            at += len(part)
            yield start, at
            start, left, room = at, rest, rest
        used = cells(text[start : word.end()])
    yield start, _before_spaces(text, start, len(text))


def _head(text: str, width: int) -> str:
    """As much of `text` as fits `width` cells, at least one character."""
    from rich.cells import chop_cells

    parts = [part for part in chop_cells(text[: 8 * width + 8], width) if part]
    return parts[0] if parts else text[:1]


def _before_spaces(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1] == " ":
        end -= 1
    return end


def _between(pieces: list[Piece], start: int, end: int) -> Iterator[Piece]:
    at = 0
    for text, style in pieces:
        part = text[max(0, start - at) : max(0, end - at)]
        at += len(text)
        if part:
            yield Piece(part, style)
