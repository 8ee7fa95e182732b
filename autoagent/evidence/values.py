"""Figures by their value: numbers as English, Korean and continental texts write them, and dates in their forms."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple
from unicodedata import normalize

DIGITS = r"\d+(?:[.,]\d+)*"
_THIN = "\u00a0\u2009\u202f'’"  # between thousands
_KOREAN = {"백": 100, "천": 1_000, "만": 10**4, "억": 10**8, "조": 10**12}
_SCALES = {
    "thousand": 10**3, "k": 10**3, "million": 10**6, "mn": 10**6, "m": 10**6, "billion": 10**9, "bn": 10**9,
    "b": 10**9, "trillion": 10**12, "tn": 10**12,
}  # fmt: skip
_LONGEST = 1_000  # characters of a number that is reckoned with; a longer one is compared by its letters
_MAYBE = ("k", "m", "b")  # may also be the letter of a unit
_SMALL = "[천백](?![가-힣])|[천백](?=[원명개건대톤달여년])"
NUMBER = re.compile(
    rf"(?<![A-Za-z\d])(?<!\d[.,])(?P<first>\d{{1,3}}(?:[{_THIN}]\d{{3}})+(?:[.,]\d+)?|{DIGITS})"
    rf"(?:(?P<korean>[ ]?(?:[백천]?[만억조](?!큼)|{_SMALL})"
    rf"(?:[ ]?{DIGITS}(?:[백천]?[만억조]|[백천](?:(?=[ ]?\d)|(?![가-힣])|(?=[원명개건대톤달여년]))))*"
    rf"(?:{DIGITS}(?![\d%]))?)"
    rf"|(?P<scale>[ -]?(?:thousand|million|billion|trillion)\b|[ ]?(?:mn|bn|tn)\b|[kKMBm](?!\w)))?"
    rf"(?P<percent>\s?(?:[%％]|percent\b|per cent\b|퍼센트))?",
    re.IGNORECASE,
)
_KOREAN_PART = re.compile(rf"({DIGITS})?\s?([백천]?)([만억조]?)")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_POINTS = re.compile(r"\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|\d{1,3}(?:\.\d{3})+,\d+")  # 1.234.567, 1.234,50
_ONE_POINT = re.compile(r"[1-9]\d{0,2}\.\d{3}")  # 15.600: 15.6, or 15,600 in a continental text
_COMMA = re.compile(r"\d+,\d+")


class Number(NamedTuple):
    """What a number may mean. `places` counts the digits behind its decimal point, less those its scale takes.

    `figures` counts its significant digits.
    """

    values: frozenset[Decimal]
    places: int
    figures: int
    percent: bool
    scaled: bool


_NO_NUMBER = Number(frozenset(), 0, 0, percent=False, scaled=False)


@lru_cache(maxsize=200_000)
def number(raw: str) -> Number:
    """A number as it is written, with scale and per cent sign: what NUMBER matches."""
    if len(raw) > _LONGEST:
        return _NO_NUMBER
    if raw.isascii() and raw.isdecimal():
        return Number(frozenset((Decimal(raw),)), 0, len(raw.lstrip("0")), percent=False, scaled=False)
    found = NUMBER.fullmatch(raw if raw.isascii() else normalize("NFKC", re.sub(f"[{_THIN}]", "'", raw)))
    if found is None:
        return _NO_NUMBER
    first = re.sub(f"[{_THIN}]", "", found["first"]) if "'" in raw or not raw.isascii() else found["first"]
    plain, percent = _plain(first), bool(found["percent"])
    if not plain:
        return _NO_NUMBER
    digits = first.replace(",", "").replace(".", "").lstrip("0")
    places = _places(first)
    if found["korean"]:
        value = _korean(first + found["korean"])
        values = {value, *plain} if re.fullmatch(r"\s?[조천백]", found["korean"]) else {value}
        exact = any(char.isdecimal() for char in found["korean"])
        places = 0 if exact else places - _korean(f"1{found['korean']}").adjusted()
        return Number(frozenset(values), places, len(digits), percent, scaled=True)
    if scale := (found["scale"] or "").strip(" -").lower():
        scaled = {value * _SCALES[scale] for value in plain}
        values = scaled | plain if scale in _MAYBE else scaled
        power = len(str(_SCALES[scale])) - 1
        return Number(frozenset(values), places - power, len(digits), percent, scaled=True)
    return Number(frozenset(plain), places, len(digits), percent, scaled=False)


def without_points(raw: str) -> Decimal | None:
    """What a number may mean besides its value: 15,600 for 15.600."""
    return Decimal(raw.replace(".", "")) if _ONE_POINT.fullmatch(raw) else None


def plain_value(raw: str) -> Decimal | None:
    """The value of what most numbers are: digits, with a point, commas between thousands, or a per cent sign."""
    if not raw.isascii():
        return None
    raw = raw.removesuffix("%")
    if "," in raw and _THOUSANDS.fullmatch(raw):
        raw = raw.replace(",", "")
    return Decimal(raw) if raw.replace(".", "", 1).isdecimal() else None


def _plain(raw: str) -> set[Decimal]:
    """The values of digits with points and commas; none where it is a version or a list."""
    if _THOUSANDS.fullmatch(raw):
        return {Decimal(raw.replace(",", ""))}
    if _POINTS.fullmatch(raw):
        return {Decimal(raw.replace(".", "").replace(",", "."))}
    if _COMMA.fullmatch(raw):
        return {Decimal(raw.replace(",", "."))}
    try:
        return {Decimal(raw)}
    except InvalidOperation:
        return set()


def _places(raw: str) -> int:
    """Of _plain's value."""
    if _POINTS.fullmatch(raw) or (_COMMA.fullmatch(raw) and not _THOUSANDS.fullmatch(raw)):
        return len(raw.partition(",")[2])
    return len(raw.partition(".")[2])


def _korean(raw: str) -> Decimal:
    """1억 2,000만, 3만 5천, 2천만."""
    total, group = Decimal(0), None
    for digits, small, large in _KOREAN_PART.findall(raw):
        if digits or small:
            value = next(iter(_plain(digits)), Decimal(1)) if digits else Decimal(1)
            group = (group or 0) + value * _KOREAN.get(small, 1)
        if large:
            total, group = total + (Decimal(1) if group is None else group) * _KOREAN[large], None
    return total + (group or 0)


def parts(raw: str) -> Iterator[Decimal]:
    """The numbers of a list without spaces, as CSV has them: none for what is one number."""
    if re.fullmatch(rf"{DIGITS}", raw) and ("," in raw or raw.count(".") > 1) and not _is_one(raw):
        for part in re.split(",", raw) if raw.count(".") <= 1 or "," in raw else re.split(r"\.", raw):
            yield from _plain(part)


def _is_one(raw: str) -> bool:
    return bool(_THOUSANDS.fullmatch(raw) or _POINTS.fullmatch(raw))


class Day(NamedTuple):
    """A date, 0 for what it leaves open."""

    year: int
    month: int
    day: int


_MONTHS = {
    name: number
    for number, names in enumerate(
        ("january jan januar", "february feb februar", "march mar märz", "april apr", "may mai", "june jun juni",
         "july jul juli", "august aug", "september sep sept", "october oct oktober okt", "november nov",
         "december dec dezember dez"), 1)
    for name in names.split()
}  # fmt: skip
_MONTH = rf"(?P<{{}}>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\b\.?"
_Y, _M, _D = r"(?P<{}>(?:1[5-9]|20|21)\d\d)", r"(?P<{}>1[0-2]|0?[1-9])", r"(?P<{}>3[01]|[12]\d|0?[1-9])"
_WEEKDAY_KO = r"\s?\((?:[월화수목금토일](?:요일)?)\)"
_FROM_DIGITS = (
    rf"{_Y.format('y1')}(?P<s1>[-/])(?:{_M.format('m1')})(?P=s1)(?:{_D.format('d1')})(?!\d)",
    rf"{_Y.format('y2')}\.\s?{_M.format('m2')}\.\s?{_D.format('d2')}(?!\d)\.?",
    rf"{_Y.format('y3')}\s?[년年]\s?{_M.format('m3')}\s?[월月]\s?{_D.format('d3')}\s?[일日]",
    rf"{_Y.format('y4')}\s?[년年]\s?{_M.format('m4')}\s?[월月]",
    rf"{_M.format('m5')}\s?[월月]\s?{_D.format('d5')}\s?[일日]",
    rf"{_D.format('d6')}(?:st|nd|rd|th|\.)?\s(?:of\s)?{_MONTH.format('n6')}(?:,?\s{_Y.format('y6')}(?!\d))?",
    rf"(?P<a9>[0-3]?\d)(?P<s9>[/.-])(?P<b9>[0-3]?\d)(?P=s9){_Y.format('y9')}(?!\d)",
    rf"{_Y.format('y0')}-(?P<m0>1[0-2]|0[1-9])(?![\d-])",
    rf"(?P<yk>[0-3]\d)\.\s?{_M.format('mk')}\.\s?{_D.format('dk')}\.?(?={_WEEKDAY_KO})",  # else a version
    r"(?<![A-Za-z/])(?!24/7)(?P<first>[0-3]?\d)/(?P<second>[0-3]?\d)(?![\d/%]|[.,]\d)",  # a fraction?
)
_FROM_A_NAME = (
    rf"{_MONTH.format('n7')}\s{_D.format('d7')}(?:st|nd|rd|th)?(?!\d|\.\d|,\d{{3}}(?!\d))(?:,?\s{_Y.format('y7')}(?!\d))?",
    rf"{_MONTH.format('n8')},?\s{_Y.format('y8')}(?!\d)",
)
_SOON = "jan|feb|m[aä]r|apr|ma[yi]|jun|jul|aug|sep|o[ck]t|nov|de[cz]"  # how the names begin; looked for first
_DATE = re.compile(
    rf"(?=\d)(?<![\d.])(?<!\d[-/])(?:{'|'.join(_FROM_DIGITS)})"
    rf"|\b(?={_SOON})(?:{'|'.join(_FROM_A_NAME)})",
    re.IGNORECASE,
)


_FULL_WIDTH = re.compile("[０-９．／－（）]")
_PLAIN_WIDTH = str.maketrans("０１２３４５６７８９．／－（）", "0123456789./-()")
_DAY_BEHIND_KO = re.compile(rf"{_WEEKDAY_KO}|일(?:에|까지|부터|은|이|자)?(?![가-힣])|\s\d{{1,2}}시")
_DAY_BEHIND = re.compile(r"\s?\((?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?\)|\s\d{1,2}:\d\d", re.IGNORECASE)
_MAYBE_BEHIND_KO = re.compile(
    r"(?:까지|부터|에|은|는|이|가|로|의|자|경|이다|입니다|이며|이고|이었다)(?:는|도|의|만)?(?![가-힣])"
)
_MAYBE_BEFORE = re.compile(r"\b(?:on|by|until|till|due|before|after|since|from|through|dated?)\s$", re.IGNORECASE)
_MOST_BEFORE = 8  # characters of such a word, and the space


@dataclass(frozen=True)
class Dated:
    """A date in a text: its place, and what it may mean (11/1/2026 may be two days)."""

    start: int
    end: int
    days: frozenset[Day]


def dates(text: str) -> Iterator[Dated]:
    """The dates of a text that say at least a month and a day, or a month and a year."""
    plain = text.translate(_PLAIN_WIDTH) if _FULL_WIDTH.search(text) else text
    for found in _DATE.finditer(plain):
        if days := _days(found):
            yield Dated(found.start(), found.end(), frozenset(days))


def _days(found: re.Match[str]) -> set[Day]:
    groups = {name: value for name, value in found.groupdict().items() if value is not None}
    if "first" in groups:
        return _days_of_slash(found)
    if "a9" in groups:
        first, second, year = int(groups["a9"]), int(groups["b9"]), int(groups["y9"])
        return _real({(second, first)} if groups["s9"] == "." else {(first, second), (second, first)}, year)
    said = {name[0]: value for name, value in groups.items()}
    month, year = _MONTHS[said["n"].lower()] if "n" in said else int(said["m"]), int(said.get("y", 0))
    return {Day(year + 2000 if "yk" in groups else year, month, int(said.get("d", 0)))}


def _days_of_slash(found: re.Match[str]) -> set[Day]:
    """11/3(화), 11/3까지, by 11/3: none where it may be a fraction. In Korean the month stands first."""
    text, start, end = found.string, found.start(), found.end()
    first, second = int(found["first"]), int(found["second"])
    is_fraction = first <= second <= 12
    if _DAY_BEHIND_KO.match(text, end) or (not is_fraction and _MAYBE_BEHIND_KO.match(text, end)):
        return _real({(first, second)})
    before = _MAYBE_BEFORE.search(text, max(0, start - _MOST_BEFORE), start)
    if _DAY_BEHIND.match(text, end) or (before and not is_fraction):
        return _real({(first, second), (second, first)})
    return set()


def _real(pairs: Iterable[tuple[int, int]], year: int = 0) -> set[Day]:
    """Those of months and days that there are."""
    return {Day(year, month, day) for month, day in pairs if 1 <= month <= 12 and 1 <= day <= 31}
