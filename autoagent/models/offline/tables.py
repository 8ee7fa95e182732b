"""A CSV file or a sheet as a header and rows, each with its line; nothing is dropped on the way."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from autoagent.models.offline.documents import Document
from autoagent.models.offline.numbers import Amount, Mark, amount, decimal_mark
from autoagent.models.offline.sheets import SheetRow
from autoagent.models.offline.words import vocabulary

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 200
_TOTALS = vocabulary("total totals sum subtotal grandtotal 합계 총계 소계 총합계 계 전체합계")


@dataclass(frozen=True)
class Row:
    line: int
    cells: tuple[str, ...]

    def cell(self, column: int) -> str:
        return self.cells[column].strip() if column < len(self.cells) else ""

    @property
    def is_total(self) -> bool:
        """The row sums up the ones above it, so it must not be counted with them."""
        first = next((cell for cell in self.cells if cell.strip()), "")
        return re.sub(r"[\s:_.-]", "", first).casefold() in _TOTALS


@dataclass(frozen=True)
class Column:
    """One column as numbers; `amounts` holds an Amount for each row, or None where there is no number."""

    name: str
    index: int
    mark: Mark
    amounts: tuple[Amount | None, ...]

    @cached_property
    def numeric(self) -> bool:
        found = sum(one is not None for one in self.amounts)
        return found * 2 >= len(self.amounts) and found > 0

    @cached_property
    def units(self) -> list[str]:
        return list(dict.fromkeys(one.unit for one in self.amounts if one and one.unit))


@dataclass(frozen=True)
class Table:
    """`odd` are the rows with more cells than the header has names for: their cells can't be trusted.

    `sheet` is the one of a workbook that holds the table, "" for a CSV file.
    """

    document: Document
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    odd: tuple[Row, ...]
    totals: tuple[Row, ...]
    sheet: str = ""
    header_line: int = 1
    delimiter: str = ","

    @property
    def path(self) -> str:
        return self.document.path

    @property
    def title(self) -> str:
        """`goods.csv`, or a workbook's table by the cell where its header begins: `goods.xlsx#Stock!A1`."""
        return f"{self.path}{self.document.place(self.header_line)}" if self.sheet else self.path

    def place(self, row: Row, column: int = 0) -> str:
        """A row within its file: "7", or the cell "C7" of a sheet."""
        return self.document.place(row.line, column).rpartition("!")[2] if self.sheet else str(row.line)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        return tuple(self._column(index, name) for index, name in enumerate(self.names))

    def _column(self, index: int, name: str) -> Column:
        cells = [row.cell(index) for row in self.rows]
        mark = decimal_mark(cells)
        filled = tuple(amount(cell, mark) for cell in cells)
        return Column(name, index, mark, filled)


def tables_of(document: Document) -> list[Table]:
    """The table of a CSV file, or those of a workbook's sheets.

    None where there is no header of at least one name, or the text can't be read as a table.
    """
    if document.kind != "workbook":
        table = _table_of_text(document)
        return [table] if table else []
    parts = [(sheet, region) for sheet in document.sheets for region in sheet.regions()]
    return [_table_of_rows(document, sheet.name, part.header, part.rows) for sheet, part in parts if part.header]


def _table_of_rows(document: Document, sheet: str, header: SheetRow, below: Sequence[SheetRow]) -> Table:
    """No row is odd: what stands beside the table is in columns without a name."""
    width = max(len(row.cells) for row in (header, *below))
    names = tuple(name.strip() for name in (*header.cells, *[""] * (width - len(header.cells))))
    body = [Row(row.line, row.cells) for row in below]
    totals = tuple(row for row in body if row.is_total)
    return Table(document, names, tuple(row for row in body if not row.is_total), (), totals, sheet, header.line)


def _table_of_text(document: Document) -> Table | None:
    lines = list(document.lines)
    if lines:
        lines[0] = lines[0].removeprefix("\ufeff")
    delimiter = _delimiter(lines)
    try:
        rows = _rows(lines, delimiter)
    except csv.Error:
        return None
    if not rows:
        return None
    names = tuple(name.strip() for name in rows[0].cells)
    if not any(names) or all(amount(name, ".") for name in names if name):
        return None
    body = [row for row in rows[1:] if any(cell.strip() for cell in row.cells)]
    odd = tuple(row for row in body if any(cell.strip() for cell in row.cells[len(names) :]))
    totals = tuple(row for row in body if row.is_total and row not in odd)
    left_out = {row.line for row in (*odd, *totals)}
    rows_in = tuple(row for row in body if row.line not in left_out)
    return Table(document, names, rows_in, odd, totals, delimiter=delimiter)


def _rows(lines: list[str], delimiter: str) -> list[Row]:
    reader = csv.reader((line + "\n" for line in lines), delimiter=delimiter, skipinitialspace=True)
    rows: list[Row] = []
    line = 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            rows.append(Row(line, tuple(cells)))
        line = reader.line_num + 1
    return rows


def _delimiter(lines: list[str]) -> str:
    """The delimiter under which most of the first rows are as wide as the first, and the widest of those."""
    sample = [line for line in lines if line.strip()][:_SAMPLE_LINES]

    def fit(delimiter: str) -> tuple[float, int]:
        try:
            rows = _rows(sample, delimiter)
        except csv.Error:
            return 0.0, 0
        width = len(rows[0].cells) if rows else 0
        return (sum(len(row.cells) == width for row in rows) / len(rows), width) if width > 1 else (0.0, 0)

    return max(_DELIMITERS, key=fit)
