"""CSV: the lines as they stand, and their shape in words."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from autoagent.loaders.document import Document, amount
from autoagent.loaders.text import Text

_DELIMITERS = ",;\t|"
_NAMES = {"\t": "tab"}
_SAMPLE = 200  # rows
_SHOWN = 500  # characters of the names of columns
_VALUE = re.compile(r"[-+]?[\d.,:/% -]*\d[\d.,:/% -]*")  # a number, a date, a time


def read(text: Text, *, tabbed: bool = False) -> Document:
    """`tabbed` where the name says so; else the delimiter is the one that gives the most even rows."""
    plain = text.text.replace("\r\n", "\n").replace("\r", "\n") if text.newline == "mixed" else text.text
    told = re.match(r"sep=(.)(?:\n|$)", plain)  # as Excel writes it
    rows = plain[told.end() :] if told else plain
    delimiter = told[1] if told else "\t" if tabbed else _delimiter(rows)
    notes: tuple[str, ...] = ()
    try:
        shape = _shape(rows, delimiter)
    except csv.Error as error:
        shape, notes = [], (f"The rows cannot be counted: {error}.",)
    named = f"delimiter {_NAMES.get(delimiter) or repr(delimiter)}"
    encoding = [] if text.encoding == "utf-8" else [f"encoding {text.encoding}"]
    return Document(text.text, ", ".join(["CSV", *shape, named, *encoding]), notes)


def _shape(text: str, delimiter: str) -> list[str]:
    rows = (row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row)
    first = next(rows, list[str]())
    others = sum(1 for _ in rows)
    columns = amount(len(first), "column")
    if not _is_header(first):
        return [amount(others + bool(first), "row"), f"{columns} without a header"]
    shown = "; ".join(" ".join(cell.split())[:60] for cell in first)
    return [amount(others, "row"), f"{columns}: {shown[:_SHOWN]}{' …' if len(shown) > _SHOWN else ''}"]


def _is_header(row: Sequence[str]) -> bool:
    return bool(row) and len(set(row)) == len(row) and not any(_VALUE.fullmatch(cell.strip()) for cell in row)


def _delimiter(text: str) -> str:
    return max(_DELIMITERS, key=lambda delimiter: _evenness(text, delimiter))


def _evenness(text: str, delimiter: str) -> tuple[float, int]:
    """How many of the first rows have as many columns as most, and how many these are; none where it is one."""
    try:
        widths = [len(row) for row in islice(csv.reader(io.StringIO(text), delimiter=delimiter), _SAMPLE) if row]
    except csv.Error:
        return 0.0, 0
    (width, count) = Counter(widths).most_common(1)[0] if widths else (1, 0)
    return (count / len(widths), width) if width > 1 else (0.0, 0)
