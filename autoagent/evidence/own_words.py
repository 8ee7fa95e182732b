"""The model's own words in what it reads: what it wrote, or gave to a program, shows nothing as it comes back.

Of a file that it wrote: a *stretch* of three words that stands in what it wrote, or a whole line of fewer. Of what a
program says: each word and figure by itself of its arguments and of the model's files that they name, and figures that
adjoin there as one, since code puts them together anew; of any other file a stretch of three words, and the figures of
a line all of whose words are there. *Throughout*: all, also what a loader makes of it, of a file that nobody else wrote
a word of, and of kept facts.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from unicodedata import normalize

from autoagent.evidence.values import number

STRETCH = 3  # words
AROUND = 120  # characters that are looked at on both sides of a place
_MOST_JOINED, _LEAST_DIGITS = 4, 3  # figures that adjoin, and their digits: 1 and 2 make no 12 that anybody claims
_MOST_PAIRS = 2_500  # of texts that a program may have put one behind another
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
Gram = tuple[str, ...]


class Token(NamedTuple):
    start: int
    end: int
    word: str
    line: int = 0

    @property
    def is_figure(self) -> bool:
        return self.word[:1] == "#"


class Written:
    """Words that the model wrote, each with the moment from which on they are its own."""

    def __init__(self, texts: Iterable[str] = ()):
        self._stretches: dict[Gram, int] = {}
        self._words: dict[str, int] = {}
        for text in texts:
            self.add(text, 0)

    def add(self, text: str, at: int) -> None:
        words = [token.word for token in tokens(text)]
        for start in range(len(words) - STRETCH + 1):
            self._stretches.setdefault(tuple(words[start : start + STRETCH]), at)
        for line in text.split("\n"):
            short = tuple(token.word for token in tokens(line))
            if 0 < len(short) < STRETCH:
                self._stretches.setdefault(short, at)
        for word in words:
            self._words.setdefault(word, at)

    def holds(self, stretch: Gram, before: int) -> bool:
        """Whether it is three words that follow each other, or a whole line of fewer."""
        return self._stretches.get(stretch, before) < before

    def holds_all(self, words: Iterable[str], before: int) -> bool:
        return all(self._words.get(word, before) < before for word in words)

    def __bool__(self) -> bool:
        return bool(self._words)


Moments = tuple[tuple[Written, int], ...]  # what was written before which moment


@dataclass(frozen=True)
class Own:
    """Which words of a text are the model's: see above for the three measures."""

    written: Moments = ()  # into this very file
    elsewhere: Moments = ()  # into any that a program may have read
    words: frozenset[str] = field(default_factory=frozenset[str])
    throughout: bool = False

    @property
    def moments(self) -> Moments:
        return (*self.written, *self.elsewhere)

    def __bool__(self) -> bool:
        return self.throughout or bool(self.words) or any(written for written, _ in (*self.written, *self.elsewhere))

    def __or__(self, other: "Own") -> "Own":
        written = tuple(dict.fromkeys((*self.written, *other.written)))
        elsewhere = tuple(dict.fromkeys((*self.elsewhere, *other.elsewhere)))
        return Own(written, elsewhere, self.words | other.words, self.throughout or other.throughout)

    def flags(self, found: Sequence[Token]) -> list[bool]:
        """For each of the tokens, which follow each other in a text, whether it is the model's."""
        if self.throughout:
            return [True] * len(found)
        own = [token.word in self.words for token in found]
        words = [token.word for token in found]
        for size in range(1, STRETCH + 1):
            where = (*self.written, *self.elsewhere) if size == STRETCH else self.written
            for start in range(len(words) - size + 1 if where else 0):
                stretch = tuple(words[start : start + size])
                if any(written.holds(stretch, before) for written, before in where):
                    own[start : start + size] = [True] * size
        for line in _lines(found) if self.elsewhere else ():
            self._flag_line(found, line, own)
        return own

    def _flag_line(self, found: Sequence[Token], line: range, own: list[bool]) -> None:
        """Of a line that may be put together of words written elsewhere: its figures, and all of it where it is one."""
        words = [found[at].word for at in line]
        for written, before in self.elsewhere:
            whole = written.holds(tuple(words), before)
            if whole or written.holds_all((word for at, word in zip(line, words, strict=True) if not own[at]), before):
                for at in line:
                    own[at] = own[at] or whole or found[at].is_figure


def _lines(found: Sequence[Token]) -> Iterator[range]:
    start = 0
    for at in range(1, len(found) + 1):
        if at == len(found) or found[at].line != found[start].line:
            yield range(start, at)
            start = at


NOTHING, THROUGHOUT = Own(), Own(throughout=True)


def tokens(text: str, start: int = 0, end: int | None = None) -> Iterator[Token]:
    """Words and figures of a text; a figure is `#` and its value."""
    for found in _TOKEN.finditer(text, start, len(text) if end is None else end):
        yield Token(found.start(), found.end(), _word(found[0]))


def words_of(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(token.word for text in texts for token in tokens(text))


def joined(texts: Iterable[str]) -> frozenset[str]:
    """The figures that those which adjoin in a text make if they are printed without anything between them."""
    made = set[str]()
    for text in texts:
        found, run = list(tokens(text)), list[str]()
        for token in found:
            raw = text[token.start : token.end]
            run = [*run[1 - _MOST_JOINED :], raw] if raw.isdecimal() else []
            made.update(filter(None, (_figure(run[at:]) for at in range(len(run) - 1))))
    return frozenset(made)


def joined_ends(before: AbstractSet[str], behind: AbstractSet[str]) -> frozenset[str]:
    """The figures that texts make where one follows another, by the digits at their ends and at their beginnings.

    None of very many texts, which would make nearly every figure.
    """
    if len(before) * len(behind) > _MOST_PAIRS:
        return frozenset()
    return frozenset(filter(None, (_figure([one, other]) for one in before for other in behind)))


def _figure(digits: Sequence[str]) -> str:
    whole = "".join(digits)
    return _word(whole) if len(whole) >= _LEAST_DIGITS and whole[0] != "0" else ""


def window(text: str, start: int, end: int) -> list[Token]:
    """The tokens of the lines of a place, as far as they are near, and those that may belong to a stretch with them."""
    first, last = _space(text, max(0, start - AROUND), -1), _space(text, min(len(text), end + AROUND), 1)
    found, line, at = list[Token](), 0, first
    for token in tokens(text, first, last):
        line, at = line + text.count("\n", at, token.start), token.start
        found.append(token._replace(line=line))
    begin, stop = text.count("\n", first, start), text.count("\n", first, end)
    before = sum(token.line < begin for token in found)
    behind = sum(token.line > stop for token in found)
    return found[max(0, before - STRETCH + 1) : len(found) - max(0, behind - STRETCH + 1)]


def _space(text: str, at: int, step: int) -> int:
    """The next place in a direction where no word stands, not far away."""
    for _ in range(100):
        if not 0 < at < len(text) or not (text[at - 1].isalnum() and text[at].isalnum()):
            break
        at += step
    return at


@lru_cache(maxsize=100_000)
def _word(raw: str) -> str:
    word = raw.casefold() if raw.isascii() else normalize("NFKC", raw).casefold()
    if not word[:1].isdecimal():
        return word
    values = sorted(number(word).values)
    return f"#{values[0].normalize() if values else word}"
