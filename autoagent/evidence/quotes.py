"""A quote looked up in a text: word for word, whatever became of its spaces, line breaks, dashes and quotation marks.

Letters and digits are found first (folding.py). Then what lies between them decides: a word is neither cut nor joined
(but for hyphens), no decimal point is dropped, and a sign, a currency or a per cent sign must be the same. Upper and
lower case are not told apart. `…` in a quote stands for what is left out of one passage.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple
from unicodedata import combining, normalize

from autoagent.evidence.folding import KEPT, Folded, reduced
from autoagent.evidence.work import Work

LEAST = 8  # letters and digits of a quote; a syllable or ideograph counts as two
LEAST_MIXED = 5  # where there are letters and digits
PASSAGE = 1_500  # characters from the beginning of the first to the end of the last part of a quote with `…`
_NEAR = 12  # characters around a place in which its signs may stand
_TRIES = 200  # places at which the letters of one quote are looked at
_FOUND_FAST = 100  # letters that are searched as fast as one is looked at
_PLACED = 4_096  # characters that are looked at to find a place again in the original
MOST = 8_000_000  # characters that are looked at for one quote where nothing else is told
_LEFT_OUT = re.compile(r"\s*[\[(]?\s*(?:…|⋯|\.{3,}|(?:\. ){2,}\.)\s*[\])]?\s*")
_LINE_NUMBERS = re.compile(r"^\d+(?:\t| {1,6})", re.MULTILINE)
_RUN = re.compile(f"{KEPT}+")
_NO_WIDTH = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
_FLEXIBLE = re.compile("[-\u2010-\u2015\u2212'’‘`´\u00ad_/*~\u30fb\ufeff\u200b-\u200d\u2060]")
_SYMBOLS = re.compile("[%‰°€$£¥₩₽₹=≤≥≠±×÷@]|[<>+](?=\\s*$)|(?:(?<=[\\s(\\[|:,$€£])|^)[-−](?=$)")
_RULE = re.compile(r"={3,}")
_CSV_CELL = re.compile(r"(?:^|(?<=[,;\t]))(?:\"(?P<quoted>(?:[^\"\n]|\"\")*)\"(?=[,;\t\r]|$)|[^,;\t\n\r]+)")
_EDGE = re.compile(r"[\t|│┃]|\n")  # of a cell
_WIDE = (
    "[\u1100-\u11ff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]"  # letters without word spaces
)
_WIDE_LETTER = re.compile(_WIDE)
_FRACTION = re.compile("[¼-¾⅐-⅟↉]")
_RAISED = "¹²³⁰⁴-⁹₀-₉¼-¾⅐-⅟↉"  # digits that are no part of the number beside them
_BESIDE_RAISED = re.compile(rf"(?<=\d)(?=[{_RAISED}])|(?<=[{_RAISED}])(?=\d)")
_BETWEEN_THOUSANDS = "[\u00a0\u2009\u202f'’]"


class Place(NamedTuple):
    """`text[start:end]`."""

    start: int
    end: int


def too_short(quote: str) -> bool:
    """Whether it says so little that it shows nothing, but where it is the whole of a cell."""
    text = "".join(_RUN.findall(normalize("NFKC", quote)))
    weight = len(text) + len(_WIDE_LETTER.findall(text))
    mixed = any(char.isdecimal() for char in text) and not text.isdecimal()
    return weight < (LEAST_MIXED if mixed else LEAST)


def places(quote: str, folded: Folded, work: Work | None = None) -> Iterator[Place]:
    """Where the quote stands in a text, the first place first; those that are found before `work` is spent."""
    work = work or Work(MOST)
    whole = _in_one(quote, folded, work)
    found = next(whole, None)
    if found is not None:
        yield found
        yield from whole
        return
    parts = _parts(quote)
    if len(parts) > 1 and all(len(reduced(part)) > 2 for part in parts):
        yield from _in_parts(parts, folded, work)
    if folded.numbered and (bare := _without_numbers(quote)) != quote:
        yield from places(bare, folded, work)


@lru_cache(maxsize=256)
def _without_numbers(quote: str) -> str:
    return _LINE_NUMBERS.sub("", quote)


@lru_cache(maxsize=256)
def _parts(quote: str) -> tuple[str, ...]:
    """What stands between the `…` of a quote."""
    return tuple(part for part in _LEFT_OUT.split(" ".join(quote.split())) if reduced(part))


def is_whole_cell(place: Place, text: str, *, commas: bool = False) -> bool:
    """Whether nothing else stands in its line, or in its cell of a table. `commas` end cells, as in CSV."""
    start = max(text.rfind("\n", 0, place.start) + 1, place.start - 2_000)
    line = text[start : place.start + 2_000].partition("\n")[0]
    first, last = place.start - start, place.end - start
    for found in _CSV_CELL.finditer(line):
        if found.start() <= first and last <= found.end() and (commas or found["quoted"] is not None):
            beside = line[found.start() : first] + line[last : found.end()]
            return not _RUN.search(beside)
    before, after = text[max(0, place.start - 40) : place.start], text[place.end : place.end + 40]
    left = _EDGE.split(before)[-1] if place.start > 40 or _EDGE.search(before) else before
    right = _EDGE.split(after)[0]
    return not _RUN.search(left) and not _RUN.search(right)


def _in_one(quote: str, folded: Folded, work: Work) -> Iterator[Place]:
    letters = _letters(quote)
    if not letters or not work.spend(len(letters) + len(folded.letters) // _FOUND_FAST):
        return
    at, tries = folded.letters.find(letters), 0
    while at >= 0 and tries < _TRIES and work.spend(min(len(folded.text), _PLACED) + len(letters)):
        start, end = folded.place(at, at + len(letters))
        wanted = _between(quote)
        if _stands(wanted, folded, start, end):
            yield _with_signs(wanted, folded.text, start, end)
        at, tries = folded.letters.find(letters, at + 1), tries + 1


def _with_signs(wanted: "_Between", text: str, start: int, end: int) -> Place:
    """The place with the currency before and the per cent sign behind it, where the quote has them."""
    for sign in reversed(_symbols(wanted.first, wanted.letters[0])):
        at = text.rfind(sign, max(0, start - len(wanted.first) - _NEAR), start)
        start = at if at >= 0 else start
    for sign in _symbols(wanted.last, ""):
        end = max(end, text.find(sign, end, end + len(wanted.last) + _NEAR) + 1)
    return Place(start, end)


def _in_parts(parts: Sequence[str], folded: Folded, work: Work) -> Iterator[Place]:
    """The parts in their order, with no more than a passage between the first and the last."""
    for first in _in_one(parts[0], folded, work):
        end = first.end
        for part in parts[1:]:
            rest = Folded(folded.text[end : first.start + PASSAGE], numbered=folded.numbered)
            work.spend(len(rest.text))
            following = next(_in_one(part, rest, work), None)
            if following is None:
                break
            end += following.end
        else:
            yield Place(first.start, end)


class _Between:
    """What lies between the letters of a text, by how many letters stand before it."""

    def __init__(self, text: str, unseen: re.Pattern[str] | None = None):
        text = _with_fractions_apart(unseen.sub("\n", text) if unseen else text)
        self.gaps, runs, length, end = dict[int, str](), list[str](), 0, 0
        for run in _RUN.finditer(text):
            self.gaps[length] = text[end : run.start()]
            letters = reduced(run[0])
            runs.append(letters)
            length, end = length + len(letters), run.end()
        self.letters = "".join(runs)
        self.first, self.last = self.gaps.pop(0, ""), text[end:]

    @cached_property
    def symbols(self) -> list[tuple[int, str]]:
        return [(at, symbol) for at, gap in self.gaps.items() for symbol in _symbols(gap, self.letters[at])]


def _with_fractions_apart(text: str) -> str:
    """3½ as 3^1⁄2 and 10² as 10^², so that neither is 312 or 102."""
    if text.isascii():
        return text
    return _FRACTION.sub(lambda found: normalize("NFKD", found[0]), _BESIDE_RAISED.sub("^", text))


def _symbols(gap: str, after: str) -> list[str]:
    """The signs in a gap that mean something; a sign or comparison only where a digit follows."""
    gap = _RULE.sub("", normalize("NFKC", gap)) if not gap.isascii() else _RULE.sub("", gap)
    found = _SYMBOLS.findall(gap)
    signs = ("<", ">", "+", "-", "−")
    return ["-" if one == "−" else one for one in found if one not in signs or after[:1].isdecimal()]


_between, _letters = lru_cache(maxsize=256)(_Between), lru_cache(maxsize=256)(reduced)  # of quotes
_SEEN_IN = re.compile(r"^\d+\t(?:\[(?:page|slide) [^\]\n]*\]$)?|^\[(?:page|slide) [^\]\n]*\]$", re.MULTILINE)
_SEEN_PLAIN = re.compile(r"^\[(?:page|slide) [^\]\n]*\]$", re.MULTILINE)


def _stands(wanted: _Between, folded: Folded, start: int, end: int) -> bool:
    """Whether the same lies between the same letters, and the letters are whole words of the text."""
    text = folded.text
    found = _Between(text[start:end], _SEEN_IN if folded.numbered else _SEEN_PLAIN)
    if found.letters != wanted.letters:  # a mark is cut off its letter
        return False
    if found.symbols != wanted.symbols:
        return False
    for at in wanted.gaps.keys() | found.gaps.keys():
        if not _alike(wanted.letters[at - 1], wanted.letters[at], wanted.gaps.get(at), found.gaps.get(at)):
            return False
    return _is_whole(wanted, text, start, end)


def _alike(left: str, right: str, one: str | None, other: str | None) -> bool:
    """Whether two gaps between the same letters say the same; None where there is none."""
    if left.isdecimal() and right.isdecimal():
        return _joint(one) == _joint(other)
    if _WIDE_LETTER.match(left) or _WIDE_LETTER.match(right) or left.isdecimal() or right.isdecimal():
        return True
    if one is None and other is None:
        return True
    gap = other if one is None else one
    if one is not None and other is not None:
        return True
    assert gap is not None
    return not _NO_WIDTH.sub("", gap) or bool(_FLEXIBLE.search(gap))


def _joint(gap: str | None) -> str:
    """How two digits hang together: as one number, by a point, or not."""
    gap = _NO_WIDTH.sub("", gap or "")
    if not gap:
        return ""
    return "." if gap.strip(" \t\n*_") == "." else "|"


def _is_whole(wanted: _Between, text: str, start: int, end: int) -> bool:
    """Whether no word or number is cut at either end, and what the quote has beyond its letters stands there too."""
    before = text[max(0, start - len(wanted.first) - _NEAR) : start]
    after = text[end : end + len(wanted.last) + _NEAR]
    first, last = wanted.letters[0], wanted.letters[-1]
    if _is_cut_before(before[-1:], first) or _is_cut_behind(after[:1], last):
        return False
    if first.isdecimal() and re.search(r"\d[.,]$", before) and _continues(before, text, start):
        return False
    if last.isdecimal() and re.match(r"\.\d|,\d{3}(?!\d)", after):
        return False
    if _cuts_thousands(text, start, end):
        return False
    lead, trail = _symbols(wanted.first, first), _symbols(wanted.last, "")
    near, behind = _symbols(_tail(before), first), _symbols(_head(after), "")
    if first.isdecimal() and re.search(r"(?:^|[\s(\[|:,$€£])[-−]$", before) and "-" not in lead:
        return re.search(r"\n[-−]$", before) is not None  # a list's mark
    return near[len(near) - len(lead) :] == lead and behind[: len(trail)] == trail


def _continues(before: str, text: str, start: int) -> bool:
    """Whether the digits at `start` go on with a number: behind a point, or as thousands."""
    return before.endswith(".") or re.match(r"\d{3}(?!\d)", text[start : start + 4]) is not None


def _cuts_thousands(text: str, start: int, end: int) -> bool:
    """Whether a number goes on beyond the quote, as thousands set apart: 1 234 of 1 234 567.

    A plain space sets thousands apart only where it does so within the quote: else it is one between two numbers.
    """
    before, head = text[max(0, start - _NEAR) : start], text[start : start + _NEAR]
    tail, after = text[max(start, end - _NEAR) : end], text[end : end + _NEAR]
    return bool(
        (_GROUP_AFTER.match(after) and _GROUP.search(tail))
        or (_SPACED_AFTER.match(after) and _SPACED_GROUP.search(tail))
        or (_GROUP_BEFORE.search(before) and _WHOLE_GROUP.match(head))
        or (_SPACED_BEFORE.search(before) and _TWO_GROUPS.match(head))
    )


_GROUP_AFTER, _SPACED_AFTER = re.compile(rf"{_BETWEEN_THOUSANDS}\d{{3}}(?!\d)"), re.compile(r" \d{3}(?!\d)")
_GROUP, _SPACED_GROUP = re.compile(r"(?<!\d)\d{1,3}$"), re.compile(r"(?<!\d)\d{1,3} \d{3}$")
_GROUP_BEFORE = re.compile(rf"(?<!\d)\d{{1,3}}{_BETWEEN_THOUSANDS}$")
_SPACED_BEFORE = re.compile(r"(?<!\d)\d{1,3} $")
_WHOLE_GROUP, _TWO_GROUPS = re.compile(r"\d{3}(?!\d)"), re.compile(r"\d{3} \d{3}(?!\d)")
_HANGUL = re.compile("[\u1100-\u11ff\uac00-\ud7af]")
_IN_A_SYLLABLE = re.compile("[\u1160-\u11ff]")  # vowels and last consonants, of Hangul in parts


def _is_cut_before(beside: str, letter: str) -> bool:
    """Whether a word begins before the quote: 불가능 before 가능 says the opposite. What has no spaces may."""
    if not beside or not reduced(beside):
        return False
    if _HANGUL.match(normalize("NFKC", beside)):
        return _HANGUL.match(letter) is not None
    return not (_WIDE_LETTER.match(beside) or _WIDE_LETTER.match(letter))


def _is_cut_behind(beside: str, letter: str) -> bool:
    """Whether a word goes on behind the quote, as a Korean one may, with its particles, but never within a syllable."""
    if not beside or not reduced(beside):
        return False
    if combining(beside) or _IN_A_SYLLABLE.match(beside):
        return True
    return not (_WIDE_LETTER.match(beside) or _WIDE_LETTER.match(letter))


def _tail(before: str) -> str:
    runs = list(_RUN.finditer(before))
    return before[runs[-1].end() :] if runs else before


def _head(after: str) -> str:
    run = _RUN.search(after)
    return after[: run.start()] if run else after
