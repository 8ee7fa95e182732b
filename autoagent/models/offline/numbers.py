"""Numbers as people write them in tables: thousands separators, decimal commas, currency signs, percent."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Literal

Mark = Literal[".", ","]

_CURRENCY = r"[$€£¥₩￦₽₹]|\b(?:USD|EUR|KRW|GBP|JPY|CHF)\b|만원|천원|원|달러|유로|엔"
_UNIT = re.compile(rf"%|{_CURRENCY}", re.I)
_SPACES = re.compile(r"[\s\u00a0\u2009\u202f]+")
_PLAIN = re.compile(r"[-+]?(?:\d[\d.,']*|[.,]\d+)")
_COMMA_SURE = re.compile(r"\d{1,3}(?:\.\d{3})+,\d+|\d*,(?:\d{1,2}|\d{4,})|\d{4,},\d+|0,\d+|\d{1,3}(?:\.\d{3}){2,}")
_POINT_SURE = re.compile(r"\d{1,3}(?:[,']\d{3})+\.\d+|\d*\.(?:\d{1,2}|\d{4,})|\d{4,}\.\d+|0\.\d+|\d{1,3}(?:,\d{3}){2,}")
_SHAPES: dict[Mark, re.Pattern[str]] = {
    ".": re.compile(r"(?:\d{1,3}(?:[,']\d{3})+|\d+)(?:\.\d*)?|\.\d+"),
    ",": re.compile(r"(?:\d{1,3}(?:[.']\d{3})+|\d+)(?:,\d*)?|,\d+"),
}
PRECISION = 100  # digits; sums of any table stay exact


@dataclass(frozen=True)
class Amount:
    """A number and the sign that stood with it: a currency as written, "%", or ""."""

    value: Decimal
    unit: str = ""


def decimal_mark(cells: Iterable[str]) -> Mark:
    """The mark that a column uses; a point where no cell decides it (1,234 is then a thousand and more)."""
    bare = [_bare(cell)[0].lstrip("+-") for cell in cells]
    commas = sum(bool(_COMMA_SURE.fullmatch(cell)) for cell in bare)
    points = sum(bool(_POINT_SURE.fullmatch(cell)) for cell in bare)
    return "," if commas > points else "."


def amount(cell: str, mark: Mark) -> Amount | None:
    """The number in a cell, or None where it holds none or anything else beside it."""
    bare, unit = _bare(cell)
    negative = bare.startswith("(") and bare.endswith(")")
    bare = bare[1:-1] if negative else bare
    if not _PLAIN.fullmatch(bare):
        return None
    sign, digits = (bare[0], bare[1:]) if bare[0] in "+-" else ("", bare)
    if not _SHAPES[mark].fullmatch(digits) or len(digits) > PRECISION // 2:
        return None
    thousands = "," if mark == "." else "."
    value = Decimal(digits.replace(thousands, "").replace("'", "").replace(mark, "."))
    return Amount(-value if negative or sign == "-" else value, unit)


def _bare(cell: str) -> tuple[str, str]:
    """The cell without spaces and one sign of currency or percent, and that sign."""
    text = _SPACES.sub("", cell.replace("−", "-").replace("–", "-").replace("’", "'"))
    found = _UNIT.search(text)
    if not found:
        return text, ""
    unit = found[0].upper() if found[0].isascii() else found[0]
    return text[: found.start()] + text[found.end() :], unit


def total(values: Iterable[Decimal]) -> Decimal:
    with localcontext(prec=PRECISION):
        return sum(values, Decimal(0))


def average(values: list[Decimal]) -> Decimal:
    """Not rounded to any number of places yet."""
    with localcontext(prec=2 * PRECISION):
        return total(values) / len(values)


def places_of(values: Iterable[Decimal]) -> int:
    """The most decimals that a value has."""
    exponents = (value.as_tuple().exponent for value in values)
    return max((-exponent for exponent in exponents if isinstance(exponent, int)), default=0)


def with_places(value: Decimal, places: int) -> Decimal:
    """Rounded half up, or filled with zeros: a column is read by its decimal points."""
    with localcontext(prec=2 * PRECISION):
        return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def written(value: Decimal, unit: str = "") -> str:
    """1,234.50 with its unit where a reader expects it."""
    text = f"{value:,f}"
    if not unit:
        return text
    if unit == "%" or "가" <= unit[0] <= "힣":
        return text + unit
    return f"{text} {unit}" if len(unit) > 1 else (f"-{unit}{text[1:]}" if text.startswith("-") else unit + text)
