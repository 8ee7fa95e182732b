"""A workbook's lines as sheets, and the tables in a sheet: a header, and the rows below it."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from autoagent.models.offline.numbers import amount

_SHEET = re.compile(r"\[sheet (.*)\]")
_ROW = re.compile(r"([A-Z]{1,3})(\d{1,7})\t(.*)", re.S)
_YEAR = re.compile(r"(?:19|20)\d\d")
WIDE = 0.75  # part of a table's usual width that its header fills


@dataclass(frozen=True)
class SheetRow:
    """`line` is where it is shown, `number` and `column` (from 0) where it begins in the sheet."""

    line: int
    number: int
    column: int
    cells: tuple[str, ...]

    def address(self, cell: int) -> str:
        return f"{letters(self.column + cell)}{self.number}"

    @property
    def first(self) -> int:
        """The first cell that holds something."""
        return next((at for at, cell in enumerate(self.cells) if cell.strip()), 0)

    @property
    def filled(self) -> list[str]:
        return [cell for cell in self.cells if cell.strip()]

    @property
    def names(self) -> bool:
        """Every cell is text, or a year beside text, so it may be a header."""
        texts = [cell for cell in self.filled if amount(cell, ".") is None]
        return bool(texts) and all(cell in texts or _YEAR.fullmatch(cell.strip()) for cell in self.filled)


@dataclass(frozen=True)
class Region:
    """Rows that belong together; `header` is None where none of them names the columns."""

    header: SheetRow | None
    rows: tuple[SheetRow, ...]


@dataclass
class Sheet:
    name: str
    line: int
    rows: list[SheetRow] = field(default_factory=list[SheetRow])

    def row(self, line: int) -> SheetRow | None:
        """The row that a line shows: rows follow the sheet's own line, one a line."""
        at = line - self.line - 1
        return self.rows[at] if 0 <= at < len(self.rows) and self.rows[at].line == line else None

    def regions(self) -> list[Region]:
        return [_region(rows) for rows in _apart(self.rows)]


def sheets_in(lines: Sequence[str]) -> Iterator[Sheet]:
    sheet: Sheet | None = None
    for number, line in enumerate(lines, 1):
        if found := _ROW.fullmatch(line):
            if sheet:
                row = SheetRow(number, int(found[2]), _column(found[1]), tuple(found[3].split("\t")))
                sheet.rows.append(row)
        elif named := _SHEET.fullmatch(line):
            if sheet:
                yield sheet
            sheet = Sheet(named[1], number)
    if sheet:
        yield sheet


def letters(column: int) -> str:
    """`A` for 0, `AA` for 26."""
    found = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        found = chr(ord("A") + rest) + found
    return found


def _column(name: str) -> int:
    column = 0
    for letter in name:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1


def _apart(rows: Sequence[SheetRow]) -> Iterator[list[SheetRow]]:
    """Rows cut where, below an empty row, a new header stands with numbers beneath it."""
    part: list[SheetRow] = []
    for at, row in enumerate(rows):
        below = rows[at + 1] if at + 1 < len(rows) else None
        begins = row.names and len(row.filled) > 1 and below is not None and not below.names
        if begins and part and row.number > part[-1].number + 1 and any(not earlier.names for earlier in part):
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def _region(rows: Sequence[SheetRow]) -> Region:
    """The header is the first row of names as wide as the table usually is; titles above it are narrower."""
    widths = Counter(len(row.filled) for row in rows)
    usual = max(widths, key=lambda width: (widths[width] if width > 1 else 0, width))
    for at, row in enumerate(rows):
        if len(row.filled) < usual * WIDE:
            continue
        if not row.names or at + 1 == len(rows) or (usual == 1 and row.filled[0].rstrip()[-1] in ".!?다"):
            break
        return Region(row, tuple(rows[at + 1 :]))
    return Region(None, tuple(rows))
