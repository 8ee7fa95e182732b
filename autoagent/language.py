"""What words have in common with their other forms: characters in one form, endings and particles taken off by rules.

One form of characters is Unicode's NFKC, as far as it is about letters and digits: Korean in parts and accents beside
their letter (NFD, as macOS writes names), full-width digits and letters, half-width katakana.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple
from unicodedata import normalize

_FIRST, _MIDDLE, _LAST = "\u1100-\u115f\ua960-\ua97f", "\u1160-\u11a7\ud7b0-\ud7c6", "\u11a8-\u11ff\ud7cb-\ud7fb"
_BEHIND = rf"\u0300-\u036f\u3099\u309a{_MIDDLE}{_LAST}"  # what belongs to the character before
_HALF_KATAKANA, _HALF_MARKS, _WIDE_DIGITS = "\uff66-\uff9d", "\uff9e\uff9f", "\uff10-\uff19"
_OTHER_FORM = re.compile(
    rf"[{_FIRST}{_BEHIND}{_HALF_KATAKANA}{_HALF_MARKS}{_WIDE_DIGITS}\uff21-\uff3a\uff41-\uff5a]+"
    rf"(?:[\uff0c-\uff0f\uff1a][{_WIDE_DIGITS}]+)*"
)
_LETTER = rf"(?:[{_FIRST}]{{1,3}}[{_MIDDLE}]{{0,3}}[{_LAST}]{{0,3}}|[{_HALF_KATAKANA}][{_HALF_MARKS}]?|.)"
_ONE = re.compile(rf"{_LETTER}[{_BEHIND}]{{0,30}}", re.DOTALL)
_SEVERAL = re.compile(f"(?:{_ONE.pattern}){{1,64}}", re.DOTALL)  # no text makes one of them slow
_IS_BEHIND = re.compile(f"[{_BEHIND}]")

_LONGEST_FIRST = (
    "으로부터 에서부터 에서는 에서의 에게서 이라는 으로는 에서 에게 으로 까지 부터 마다 보다 처럼 만큼 하고 이나 라는 "
    "에는 에도 와의 과의 로서 로써 은 는 이 가 을 를 에 의 로 와 과 도 만"
)
PARTICLES = tuple(_LONGEST_FIRST.split())


class Unified(NamedTuple):
    """A text in one form, and the way back to the `original`.

    From each of `places` on it stands at one of `origins`, in turn as it was and in another form.
    """

    text: str
    original: str
    places: Sequence[int] = (0,)
    origins: Sequence[int] = (0,)

    def origin(self, place: int) -> int:
        """Where a character of it stands in the original."""
        at = bisect_right(self.places, place) - 1
        left, start = place - self.places[at], self.origins[at]
        if at % 2 == 0:
            return start + left
        for one in _ONE.finditer(self.original, start, self.origins[at + 1]):
            left -= len(normalize("NFKC", one[0]))
            if left < 0:
                return one.start()
        return self.origins[at + 1]


def unified(text: str) -> Unified:
    """A text with each of its letters and digits in one form; nearly at once where they are."""
    if text.isascii() or not _OTHER_FORM.search(text):
        return Unified(text, text)
    made, places, origins, done, length = list[str](), [0], [0], 0, 0
    for found in _OTHER_FORM.finditer(text):
        start, end = found.span()
        start = max(done, start - 1) if _IS_BEHIND.match(text, start) else start
        made.append(text[done:start])
        length += start - done
        for several in _SEVERAL.finditer(text, start, end):
            made.append(normalize("NFKC", several[0]))
            places += (length, length := length + len(made[-1]))
            origins += several.span()
        done = end
    return Unified("".join((*made, text[done:])), text, places, origins)


def without_particle(word: str) -> str:
    """계약을 → 계약; a word of which one syllable would be left keeps a particle of one syllable (회의)."""
    for particle in PARTICLES:
        if word.endswith(particle) and len(word) - len(particle) >= (1 if len(particle) > 1 else 2):
            return word[: -len(particle)]
    return word


def without_inflection(word: str) -> str:
    """A lower-case English word without plural, -ing or -ed: enough to compare, not a dictionary form."""
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("ches", "shes", "xes", "zes", "sses")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for suffix in ("ing", "ed"):
        if word.endswith(suffix) and len(word) >= len(suffix) + 3 and re.search("[aeiouy]", word[: -len(suffix)]):
            return re.sub(r"([bdgmnprt])\1$", r"\1", word[: -len(suffix)])
    return word
