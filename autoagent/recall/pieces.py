"""A text that was read, in pieces of about a paragraph: sentences, list items, or table rows that stand together."""

from collections.abc import Iterator
from typing import NamedTuple

from autoagent.passages import Passage, passages

PIECE_CHARS = 600


class Piece(NamedTuple):
    """`line` is the first line of `text` in the whole, from 1; `above` are its mark, heading and header row."""

    text: str
    line: int
    above: str


def pieces(text: str) -> Iterator[Piece]:
    """All of a text. What stands beneath one heading is joined up to a piece's size; a long sentence is cut."""
    found = passages(text, "")
    line, counted, at = 1, 0, 0
    while at < len(found):
        last = _last_beside(found, at)
        start, end = found[at].start, found[last].end
        line, counted = line + text.count("\n", counted, start), start
        yield Piece(text[start:end].rstrip(), line, _above(text, found, at))
        at = last + 1


def _last_beside(found: list[Passage], at: int) -> int:
    """The last of the passages from `at` on that make one piece with it; a heading goes with what follows."""
    last = at
    for after in range(at + 1, len(found)):
        beside = found[after].heading == at or _place(found[after]) == _place(found[at])
        if not beside or found[after].end - found[at].start > PIECE_CHARS or _is_heading_of(found, after):
            break
        last = after
    return last


def _place(piece: Passage) -> tuple[int | None, int | None]:
    return piece.mark, piece.heading


def _is_heading_of(found: list[Passage], at: int) -> bool:
    return at + 1 < len(found) and found[at + 1].heading == at


def _above(text: str, found: list[Passage], at: int) -> str:
    above = (found[at].mark, found[at].heading, found[at].header)
    return "\n".join(text[found[one].start : found[one].end].strip() for one in above if one is not None)
