"""Text reduced to its letters and digits, and the way back from there to a place in the original.

White space, line breaks, hyphens at line ends, quotation marks, dashes, table bars and Markdown marks fall away; what
is left is compared without case and in one Unicode form (NFKD), so that half-width katakana, full-width digits and
Hangul in parts are what they stand for. Each character is reduced by itself, so that a part of a text stays a part.
"""

import re
from bisect import bisect_right
from functools import cached_property
from unicodedata import normalize

_MARKS = (  # written above, below or behind a letter, and no letters to `re`
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u0900-\u0963\u0966-\u0dff\u0e31-\u0e3a\u0e47-\u0e4e\u3099\u309a\ufe20-\ufe2f"
)
_SIGNS = "\u2100-\u214f\u24b6-\u24e9\u3200-\u33ff"  # that stand for letters: ㎏, ℃, ㈜
KEPT = rf"(?:[^\W_]|[{_MARKS}{_SIGNS}])"
_DROPPED = re.compile(rf"[^\w{_MARKS}{_SIGNS}]+|_+")
_PAGE = r"\[(?:page|slide) [^\]\n]*\]"  # a line of the loaders', where a page begins
_UNSEEN = re.compile(rf"^{_PAGE}$", re.MULTILINE)
_UNSEEN_NUMBERED = re.compile(rf"^\d+\t(?:{_PAGE}$)?", re.MULTILINE)  # what read_file puts before each line
_RUN = re.compile(rf"(?P<unseen>^{_PAGE}$)|{KEPT}+", re.MULTILINE)
_RUN_NUMBERED = re.compile(rf"(?P<unseen>^\d+\t(?:{_PAGE}$)?)|{KEPT}+", re.MULTILINE)


def reduced(text: str) -> str:
    """The letters, digits and marks of a text, in their one form."""
    if text.isascii():
        return _DROPPED.sub("", text.casefold())
    text = normalize("NFKD", normalize("NFKD", _DROPPED.sub("", text)).casefold())
    return _DROPPED.sub("", text)


_PLAIN = re.compile(r"[A-Za-z,](?=[A-Za-z,])")
_BLOCK = 4_096  # characters of a text that are reduced together, to the end of their line


class Folded:
    """A text and its letters. `numbered`: each line stands behind its number and a tab, which are no part of it."""

    def __init__(self, text: str, *, numbered: bool = False):
        self.text, self.numbered = text, numbered

    @property
    def letters(self) -> str:
        return self._blocks[0]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Where `letters[start:end]`, which must not be empty, stands in the text."""
        return self._at(start), self._at(end - 1) + 1

    @cached_property
    def _blocks(self) -> tuple[str, list[int], list[int]]:
        """All letters, and where each block begins: in the letters, and in the text."""
        unseen = _UNSEEN_NUMBERED if self.numbered else _UNSEEN
        made, offsets, starts, length, start = list[str](), list[int](), list[int](), 0, 0
        while start < len(self.text):
            end = self._end_of_block(start)
            letters = reduced(unseen.sub("", self.text[start:end]))
            made.append(letters)
            offsets.append(length)
            starts.append(start)
            length, start = length + len(letters), end
        return "".join(made), offsets, [*starts, len(self.text)]

    def _end_of_block(self, start: int) -> int:
        """Behind a line's end where one is near, else before a space, so that nothing seems to begin a line there."""
        line = self.text.find("\n", start + _BLOCK, start + 2 * _BLOCK)
        if line >= 0 or len(self.text) <= start + 2 * _BLOCK:
            return line + 1 or len(self.text)
        space = self.text.rfind(" ", start + _BLOCK, start + 2 * _BLOCK)
        if space >= 0:
            return space
        plain = _PLAIN.search(self.text, start + _BLOCK)
        return plain.start() + 1 if plain else len(self.text)

    def _at(self, letter: int) -> int:
        _, offsets, starts = self._blocks
        block = bisect_right(offsets, letter) - 1
        left, base = letter - offsets[block], starts[block]
        text = self.text[base : starts[block + 1]]
        for run in (_RUN_NUMBERED if self.numbered else _RUN).finditer(text):
            if run["unseen"] is not None:
                continue
            size = len(reduced(run[0]))
            if left < size:
                return base + run.start() + _within(run[0], left)
            left -= size
        return base + len(text)


def _within(run: str, letter: int) -> int:
    """The character that a letter of the reduced run comes from."""
    if run.isascii():
        return letter
    for at, char in enumerate(run):
        letter -= len(reduced(char))
        if letter < 0:
            return at
    return len(run) - 1
