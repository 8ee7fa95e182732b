"""The passages that are shown, within tokens, with marks for what is left out."""

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from autoagent.passages.pieces import Passage

Count = Callable[[str], int]

_GAP_TOKENS = 14  # of "[… lines 1,062-1,365 left out …]"
_NUMBER_TOKENS = 3  # of a line's number and the tab behind it
_TRIES = 50  # passages that do not fit before no more are tried
_NAMED = 3  # rare words that a mark names, of those it leaves out
_WORD = re.compile(r"[^\W_]{1,30}(?:-[^\W_]{1,30}){0,3}")


def fits(text: str, limit: int, count: Count) -> bool:
    """Whether a text takes no more than `limit` tokens, told by its beginning where that is too long already."""
    start = max(0, limit) * 12
    if len(text) > start and count(text[:start]) > limit:
        return False
    return count(text) <= limit


def beginning(text: str, limit: int, count: Count, *, first_line: int = 1) -> str:
    """The first lines, as many as fit, and a mark for the rest, which names its lines."""
    if fits(text, limit, count):
        return text
    size = min(len(text), max(0, limit) * 8)
    while size > 0:
        shorter = text[:size]
        cut = max(shorter.rfind("\n"), shorter.rfind(" ") if "\n" not in shorter.strip() else -1)
        shorter = shorter[:cut] if cut > 0 else shorter
        shown = f"{shorter}\n{_mark(*_lines(text, len(shorter), len(text), first_line))}"
        if count(shown) <= limit:
            return shown
        size = min(len(shorter) - 1, int(size * 0.8))
    return ""


class Budget:
    """Tokens that one or several rooms share."""

    def __init__(self, limit: int):
        self.left = limit - 2 * _GAP_TOKENS
        self.tries = _TRIES


class Room:
    """The passages of one text that are shown, as far as they fit.

    `numbered`: each line stands behind its number, as read_file shows it; blank lines and marks of lines are left out.
    """

    def __init__(
        self,
        text: str,
        found: Sequence[Passage],
        budget: Budget,
        count: Count,
        first_line: int,
        *,
        numbered: bool = False,
    ):
        self._text, self._found, self._budget, self.count = text, found, budget, count
        self._first_line, self._numbered = first_line, numbered
        self.order: list[tuple[int, ...]] = []
        self.taken: set[int] = set()

    def take(self, at: int, *, part: int = 1) -> bool:
        """Show a passage with its heading and header, where it takes no more than one part of what is left."""
        budget = self._budget
        if not 0 <= at < len(self._found) or at in self.taken or not budget.tries:
            return False
        passage = self._found[at]
        above = (passage.mark, passage.heading, passage.header)
        group = tuple(one for one in (*above, at) if one is not None and one not in self.taken)
        size = sum(self._size(one) for one in group)
        if size > budget.left // part:
            budget.tries -= part == 1
            return False
        budget.left -= size
        self.taken.update(group)
        self.order.append(group)
        return True

    def drop_last(self) -> None:
        self.taken.difference_update(self.order.pop())

    def in_short_gaps(self) -> list[int]:
        """What takes no more room than a mark that it is left out."""
        taken = sorted(self.taken)
        gaps = (range(before + 1, after) for before, after in pairwise(taken) if after - before > 1)
        return [at for gap in gaps if sum(map(self._size, gap)) <= _GAP_TOKENS * 2 for at in gap]

    def _size(self, at: int) -> int:
        """Tokens, with those of a mark where nothing beside it is shown."""
        passage = self._found[at]
        alone = not {at - 1, at + 1} & self.taken
        tokens = self.count(self._text[passage.start : passage.end])
        if self._numbered:
            return tokens + _NUMBER_TOKENS * (1 + self._text.count("\n", passage.start, passage.end)) + alone
        return tokens + 1 + _GAP_TOKENS * alone

    def shown(self, *, named: bool) -> str:
        """With the marks naming the rare words that are left out, where that is wanted."""
        rare = [place for at, piece in enumerate(self._found) if at not in self.taken for place in piece.rare]
        return self._assembled(sorted(rare) if named else [])

    def _assembled(self, named: Sequence[int]) -> str:
        parts: list[str] = []
        last, line = 0, self._first_line
        for at in sorted(self.taken):
            passage = self._found[at]
            line += self._text.count("\n", last, passage.start)
            piece = self._text[passage.start : passage.end]
            if self._numbered:
                parts.append(self._before_a_number(last, passage.start, line, named))
                piece = _behind_numbers(piece, line)
            else:
                parts.append(self._between(last, passage.start, named))
            parts.append(piece)
            line += self._text.count("\n", passage.start, passage.end)
            last = passage.end
        rest = self._between(last, len(self._text), named)
        return "".join([*parts, rest.rstrip() if rest.strip() else ""])

    def _before_a_number(self, last: int, start: int, line: int, named: Sequence[int]) -> str:
        """What stands between two passages, and the number of a line that begins with the second."""
        gap = self._text[last:start]
        if last and "\n" not in gap:
            return self._between(last, start, named)
        above, _, before = gap.rpartition("\n")
        mark = self._mark(last, last + len(above), named) if above.strip() else ""
        begun = "[…] " if before.strip() else ""
        return "\n".join([*([""] if last else []), *([mark] if mark else []), f"{line}\t{begun}"])

    def _between(self, start: int, end: int, named: Sequence[int]) -> str:
        """The space between two passages, or the mark for a gap; on a line of its own unless it lies within a line."""
        gap = self._text[start:end]
        if not gap.strip():
            return gap
        if "\n" not in gap:
            return "[…] "
        mark = self._mark(start, end, named)
        return f"\n{mark}\n" if start else f"{mark}\n"

    def _mark(self, start: int, end: int, named: Sequence[int]) -> str:
        words: dict[str, int] = {}
        for place in named[bisect_left(named, start) : bisect_left(named, end)]:
            if len(words) < _NAMED and (word := _WORD.match(self._text, place)):
                words.setdefault(word[0].casefold(), self._first_line + self._text.count("\n", 0, place))
        if self._numbered:
            return f"[… {_naming(words)} …]" if words else "…"
        return _mark(*_lines(self._text, start, end, self._first_line), words)


def _behind_numbers(piece: str, line: int) -> str:
    """Its further lines behind their numbers; the first one has its own already."""
    first, *rest = piece.split("\n")
    return "\n".join([first, *(f"{number}\t{text}" for number, text in enumerate(rest, line + 1))])


def _lines(text: str, start: int, end: int, first_line: int) -> tuple[int, int]:
    """The numbers of the first and the last line of a part, without the space around it."""
    gap = text[start:end]
    start, end = end - len(gap.lstrip()), start + len(gap.rstrip())
    first = first_line + text.count("\n", 0, start)
    return first, first + text.count("\n", start, end)


def _mark(first: int, last: int, words: Mapping[str, int] | None = None) -> str:
    """What is left out: its lines, and where words stand in it that were asked for."""
    lines = f"line {first}" if last <= first else f"lines {first}-{last}"
    return f"[… {lines} left out{f'; {_naming(words)}' if words else ''} …]"


def _naming(words: Mapping[str, int]) -> str:
    return ", ".join(f'"{word}" in line {line}' for word, line in words.items())
