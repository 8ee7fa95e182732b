"""XLSX and its relatives: each row that holds something is one line, behind the address of its first cell."""

import datetime
import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from html import unescape
from itertools import zip_longest
from typing import Any
from xml.etree import ElementTree

from autoagent.errors import CommandError
from autoagent.loaders.archive import check_unpacked_size
from autoagent.loaders.document import Document, amount, joined

Cells = dict[int, dict[int, str]]  # row from 1, column from 0 → what is shown

_CHUNK = 1 << 20
_ROWS = 1 << 20  # that a sheet can have
_ROW_BYTES = 64 << 20  # of one row, or what pretends to be one
_NAMED = 10  # cells that a note names
# A cell that is an error, or a formula: `calamine` gives "" for both where there is no other value.
_CELL = re.compile(
    rb'<(?:\w+:)?c\b(?=[^<>]*?\br="([A-Z]{1,3})(\d{1,7})")([^<>]*[^/<>])>\s*'
    rb"(?:<(?:\w+:)?f\b([^<>]*?)(?:/>|>([^<]*)</(?:\w+:)?f>))?\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>([^<]*)</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_WANTED = re.compile(rb'<(?:\w+:)?f\b|t="e"')
_TYPE = re.compile(rb'\bt="(\w+)"')


def read(content: bytes, *, name: str, content_type: str = "") -> Document:
    import python_calamine

    if content.startswith(b"PK"):
        check_unpacked_size(content, name)
    try:
        book: Any = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    except python_calamine.PasswordError:
        raise CommandError(f"{name} is locked with a password. Ask for a copy without one.") from None
    sheets = [sheet for sheet in book.sheets_metadata if sheet.typ == python_calamine.SheetTypeEnum.WorkSheet]
    hidden = [sheet.name for sheet in sheets if sheet.visible != python_calamine.SheetVisibleEnum.Visible]
    notes = [f"hidden in the file: sheet {_one_line(sheet)}" for sheet in hidden[:_NAMED]]
    if not content.startswith(b"PK") or _format(content) == "ODS":
        notes.append(f"cells with an error, such as #DIV/0!, are shown empty in {_format(content)} files")
    if others := len(book.sheets_metadata) - len(sheets):
        notes.append(f"not shown: {amount(others, 'sheet')} of charts or macros")
    text = joined(_lines(book, [sheet.name for sheet in sheets], _Parts(content), notes), notes)
    return Document(text, f"{_format(content)}, {amount(len(sheets), 'sheet')}", tuple(notes))


def _lines(book: Any, names: list[str], parts: "_Parts", notes: list[str]) -> Iterator[str]:
    for name in names:
        yield f"[sheet {_one_line(name)}]"
        more, formulas = parts.formulas_and_errors(name)
        if formulas:
            shown = ", ".join(formulas[:_NAMED]) + (" …" if len(formulas) > _NAMED else "")
            notes.append(
                f"never calculated, so shown as (formula): {amount(len(formulas), 'cell')} of sheet "
                f"{_one_line(name)}: {shown}"
            )
        sheet = book.get_sheet_by_name(name)
        if sheet.start and sheet.end[0] >= _ROWS:
            raise CommandError(f"The workbook is damaged: its sheet {_one_line(name)} has cells below row {_ROWS:,}.")
        yield from _rows(sheet, more)


def _rows(sheet: Any, more: Cells) -> Iterator[str]:
    """All begin at the leftmost column of the sheet that holds anything, so that columns align."""
    left = sheet.start[1] if sheet.start else 0
    rows: Iterator[list[Any]] = sheet.iter_rows() if sheet.start else iter(())
    columns = ([left] if sheet.start else []) + [column for row in more.values() for column in row]
    first = min(columns, default=0)
    address = _letters(first)
    for number, (row, _) in enumerate(zip_longest(rows, range(max(more, default=-1) + 1)), start=1):
        cells = [""] * (left - first) + [_shown(value) for value in row or ()]
        for column, shown in more.get(number, {}).items():
            cells += [""] * (column - first + 1 - len(cells))
            cells[column - first] = shown
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield f"{address}{number}\t" + "\t".join(cells)


def _shown(value: Any) -> str:
    match value:
        case str():
            return _one_line(value)
        case bool():
            return "TRUE" if value else "FALSE"
        case float():
            short = f"{value:.15g}"  # the digits that a spreadsheet has
            return short if "e" in short else short.removesuffix(".0")
        case datetime.datetime():
            return value.isoformat(" ", "seconds")
        case datetime.timedelta():
            seconds = round(value.total_seconds())
            return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        case datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            return str(value)


def _one_line(text: str) -> str:
    return " / ".join(text.splitlines()).replace("\t", " ") if not text.isprintable() else text


def _letters(column: int) -> str:
    """`A` for 0, `AA` for 26."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _column(letters: bytes) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + letter - ord("A") + 1
    return column - 1


def _format(content: bytes) -> str:
    if not content.startswith(b"PK"):
        return "XLS"
    return "ODS" if b"opendocument.spreadsheet" in content[:200] else "XLSX"


class _Parts:
    """The parts of an XLSX, for what calamine leaves out; none in a workbook of another format."""

    def __init__(self, content: bytes):
        self._archive: zipfile.ZipFile | None = None
        self._paths: dict[str, str] = {}
        if content.startswith(b"PK"):
            self._archive = zipfile.ZipFile(io.BytesIO(content))
            if "xl/workbook.xml" in self._archive.namelist():
                self._paths = _sheet_paths(self._archive)

    def formulas_and_errors(self, sheet: str) -> tuple[Cells, list[str]]:
        """What to show in cells without a value, and the addresses of those that were never calculated."""
        more: Cells = {}
        uncalculated: list[str] = []
        for cell in self._cells(self._paths.get(sheet, "")):
            letters, row, attributes, formula_attributes, formula, value = cell.groups()
            kind = found[1] if (found := _TYPE.search(attributes)) else b""
            if kind == b"e":
                shown = (value or b"").decode("utf-8", "replace")
            elif formula_attributes is not None and not value and kind != b"str":  # that is text, of no characters
                shown = f"={unescape((formula or b'').decode('utf-8', 'replace')) or '…'} (formula)"
                uncalculated.append(f"{letters.decode()}{row.decode()}")
            else:
                continue
            if int(row) <= _ROWS:
                more.setdefault(int(row), {})[_column(letters)] = _one_line(shown)
        return more, uncalculated

    def _cells(self, path: str) -> Iterator[re.Match[bytes]]:
        if self._archive is None or path not in self._archive.namelist():
            return
        rest = b""
        with self._archive.open(path) as part:
            while chunk := part.read(_CHUNK):
                whole, _, rest = (rest + chunk).rpartition(b"row>")
                if len(rest) > _ROW_BYTES:
                    return
                if _WANTED.search(whole):  # most parts of most sheets hold plain values only
                    yield from _CELL.finditer(whole)
        yield from _CELL.finditer(rest)


def _sheet_paths(archive: zipfile.ZipFile) -> dict[str, str]:
    """The part of each sheet by its name."""
    related = {
        str(relation.get("Id")): posixpath.normpath(posixpath.join("/xl", str(relation.get("Target"))))[1:]
        for relation in ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    }
    sheets = ElementTree.fromstring(archive.read("xl/workbook.xml")).iterfind("{*}sheets/{*}sheet")
    ids = {str(sheet.get("name")): [v for key, v in sheet.items() if key.endswith("}id")] for sheet in sheets}
    return {name: related[found[0]] for name, found in ids.items() if found and found[0] in related}
