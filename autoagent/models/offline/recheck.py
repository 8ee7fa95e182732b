"""Programs that work figures out anew from the file itself, so that no figure stands on the planner's word alone.

They hold no digits: what a program prints only counts as computed where it does not stand in the program.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from autoagent.models.offline.documents import Document
from autoagent.models.offline.finding import Found
from autoagent.models.offline.groups import Calculation, Group
from autoagent.models.offline.numbers import with_places
from autoagent.models.offline.tables import Table

WHOLE = "all rows"
LEFT_OUT = "left out"
WHOLE_SEARCH = "all files"
MOST_FILES = 200
_PACKED = (".xlsx", ".xlsm", ".xltx")  # workbooks of XML
_WHEN = re.compile(r"\d{4}-\d\d-\d\d|\d+:\d\d")  # a date or time, as the loader shows it
_PRINTED = re.compile(r"^(?P<key>.*): (?P<figures>[a-z]+ [^\s,]+(?:, [a-z]+ [^\s,]+)*)$")
_FIGURE = re.compile(r"([a-z]+) ([^\s,]+)")
_TEXT_OF = """\
def text_of(file):
    data = Path(file).read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("uhc")
    return text.lstrip("\\ufeff")
"""
_SEARCH = """\
import re
from pathlib import Path

FILES = [{files}]
NEEDLES = [{needles}]

{text_of}
choice = "|".join(map(re.escape, sorted(NEEDLES, key=len, reverse=True)))
place = re.compile(choice, re.IGNORECASE)
word = re.compile(rf"(?<!\\w)(?:{{choice}})(?!\\w)", re.IGNORECASE)
times, words, holding = {{}}, [], []
for file in FILES:
    for line in re.split("\\r?\\n", text_of(file)):
        if places := place.findall(line):
            times[file] = times.get(file, False) + len(places)
            words += word.findall(line)
            holding.append(line)
for file, found in times.items():
    print(f"{{file}}: times {{found}}")
total = f"times {{sum(times.values())}}, words {{len(words)}}, lines {{len(holding)}}"
print(f"{whole}: {{total}}, files {{len(times)}}, searched {{len(FILES)}}")
"""
_FILES = """\
from collections import Counter
from pathlib import Path

FOLDER, ENDS, NONE = {folder}, [{ends}], {none}

def counts(path):
    hidden = any(part.startswith(".") for part in path.parts)
    wanted = not ENDS or path.name.casefold().endswith(tuple(ENDS))
    return wanted and not hidden and path.is_file() and not path.is_symlink()

def kind(path):
    *_, last = path.name.casefold().rpartition(".")
    return "." + last if "." in path.name else NONE

kinds = Counter(map(kind, filter(counts, Path(FOLDER).rglob("*"))))
print(f"all files: files {{sum(kinds.values())}}")
for name, found in kinds.items():
    print(f"{{name}}: files {{found}}")
"""
_CSV = """\
import csv, re
from decimal import Decimal
from pathlib import Path

FILE, DELIMITER = {place}
{text_of}
def table():
    lines = text_of(FILE).splitlines(keepends=True)
    rows = csv.reader(lines, delimiter=DELIMITER, skipinitialspace=True)
    return [row for row in rows if any(map(str.strip, row))]
"""
_XLSX = """\
import posixpath, re, sys
from decimal import Decimal
from xml.etree import ElementTree
from zipfile import ZipFile

FILE = {file}
NAMES = [{names}]
HEX = r"[\\da-fA-F]"
ESCAPED = f"_x(?P<code>{{HEX}}{{HEX}}{{HEX}}{{HEX}})_"
book = ZipFile(FILE)

def attribute(element, name):
    return next((value for key, value in element.items() if key.endswith(name)), "")

def sheets():
    related = ElementTree.fromstring(book.read("xl/_rels/workbook.xml.rels"))
    targets = {{attribute(one, "Id"): attribute(one, "Target") for one in related}}
    for one in ElementTree.fromstring(book.read("xl/workbook.xml")).iterfind("{{*}}sheets/{{*}}sheet"):
        target = posixpath.join("/xl", targets[attribute(one, "}}id")])
        yield list(rows_of(book.open(posixpath.normpath(target).lstrip("/"))))

def one_line(text):
    return text if text.isprintable() else " / ".join(text.splitlines()).replace("\\t", " ")

def written(item):
    text = "".join(part.text or "" for way in ("{{*}}t", "{{*}}r/{{*}}t") for part in item.iterfind(way))
    return re.sub(ESCAPED, lambda found: chr(int.from_bytes(bytes.fromhex(found["code"]), "big")), text)

def shared():
    if "xl/sharedStrings.xml" not in book.namelist():
        return []
    return [written(item) for item in ElementTree.fromstring(book.read("xl/sharedStrings.xml")).iterfind("{{*}}si")]

def shown(cell):
    kind, value = cell.get("t", "n"), cell.findtext("{{*}}v")
    if kind == "inlineStr":
        return "".join(map(written, cell.iterfind("{{*}}is")))
    if not value:
        return "(formula)" if cell.find("{{*}}f") is not None and kind != "str" else ""
    if kind == "s":
        return TEXTS[int(value)]
    if kind == "b":
        return "TRUE" if int(value) else "FALSE"
    return f"{{float(value):.{{sys.float_info.dig}}g}}" if kind == "n" else value

def rows_of(part):
    for _, row in ElementTree.iterparse(part):
        if row.tag.endswith("}}row"):
            cells = {{re.sub(r"\\d", "", cell.get("r")): one_line(shown(cell)) for cell in row}}
            if any(cells.values()):
                yield cells
            row.clear()

def table():
    for rows in sheets():
        columns = sorted(set().union(*rows), key=lambda letters: (len(letters), letters))
        rows = [[row.get(column, "") for column in columns] for row in rows]
        for at, row in enumerate(rows):
            if set(NAMES) <= set(map(str.strip, row)):
                return rows[at:]

TEXTS = shared()
"""
_FIGURES = """\

LABEL, MEASURE, POINT, COMMA = {given}
TOTALS = "total totals sum subtotal grandtotal 합계 총계 소계 총합계 계 전체합계".split()
UNITS = r"[\\s$€£¥₩￦₽₹%]|USD|EUR|KRW|GBP|JPY|CHF|만원|천원|원|달러|유로|엔"

def amount(cell):
    text = re.sub(UNITS, "", cell.translate(str.maketrans("−–’", "--'")), flags=re.IGNORECASE)
    minus = text.startswith("(") and text.endswith(")")
    text = text.strip("()") if minus else text
    comma, point = re.escape(COMMA), re.escape(POINT)
    whole = rf"\\d?\\d?\\d(?:[{{comma}}']\\d\\d\\d)+|\\d+"
    if not re.fullmatch(rf"[-+]?(?:(?:{{whole}})(?:{{point}}\\d*)?|{{point}}\\d+)", text):
        return None
    value = Decimal(text.replace(COMMA, "").replace("'", "").replace(POINT, "."))
    return -value if minus else value

def told(key, rows, numbers):
    line = f"{{key}}: rows {{rows}}"
    if numbers:
        line += f", total {{sum(numbers)}}, average {{sum(numbers) / len(numbers)}}"
        line += f", minimum {{min(numbers)}}, maximum {{max(numbers)}}"
    print(line)

names, *rows = [[cell.strip() for cell in row] for row in table()]
groups, whole, empty, other, wide, totals = {{}}, [], [], [], [], []
for row in rows:
    first = re.sub(r"[\\s:_.-]", "", next(filter(None, row), "")).casefold()
    cells = dict(zip(names, row))
    cell = cells.get(MEASURE, "")
    value = amount(cell) if MEASURE else None
    if any(row[len(names):]):
        wide.append(row)
    elif first in TOTALS:
        totals.append(row)
    elif MEASURE and not cell:
        empty.append(row)
    elif MEASURE and value is None and not {counted}:
        other.append(row)
    else:
        whole.append(value)
        groups.setdefault(cells.get(LABEL, ""), []).append(value)
for key, values in groups.items() if LABEL else ():
    told(" ".join(key.split()), len(values), [one for one in values if one is not None])
told("{whole}", len(whole), [one for one in whole if one is not None])
print(f"{left}: empty {{len(empty)}}, other {{len(other)}}, wide {{len(wide)}}, totals {{len(totals)}}")
"""


@dataclass(frozen=True)
class Recheck:
    """A program for run_python, and the figures that it should come to: by group or file, by what they are.

    `of` is the file that it reads, "" where there are several.
    """

    code: str
    of: str
    expected: tuple[tuple[str, tuple[tuple[str, Decimal], ...]], ...]

    def lines(self, printed: str) -> list[str] | None:
        """The lines that hold the figures, in the order of the groups; None where one is missing or is another."""
        found = {match["key"]: match for line in printed.split("\n") if (match := _PRINTED.match(line))}
        lines: list[str] = []
        for key, figures in self.expected:
            match = found.get(key)
            told = dict(_FIGURE.findall(match["figures"])) if match else {}
            if match is None or not all(_same(told.get(name), value) for name, value in figures):
                return None
            lines.append(match[0])
        return lines


def of_search(needles: Sequence[str], documents: Sequence[Document], found: Found) -> Recheck | None:
    """None where a document is not plain text of the workspace, which a small program can't read."""
    plain = all(document.kind in ("text", "csv") and not document.is_page for document in documents)
    if not documents or not plain or len(documents) > MOST_FILES:
        return None
    files = _written([document.path for document in documents])
    code = _SEARCH.format(files=files, needles=_written(needles), text_of=_TEXT_OF, whole=WHOLE_SEARCH)
    told = {
        "times": found.times, "words": found.as_word, "lines": len(found.lines), "files": len(found.by_file),
        "searched": len(documents),
    }  # fmt: skip
    by_file = tuple((path, (("times", Decimal(times)),)) for path, times in found.by_file.items())
    whole = (WHOLE_SEARCH, tuple((name, Decimal(figure)) for name, figure in told.items()))
    return Recheck(code, "", (whole, *by_file))


def of_files(suffixes: Sequence[str], folder: str, kinds: Mapping[str, int], no_suffix: str) -> Recheck:
    """`kinds` are the numbers of files by suffix."""
    code = _FILES.format(folder=_written([folder]), ends=_written(suffixes), none=_written([no_suffix]))
    each = tuple((kind, (("files", Decimal(number)),)) for kind, number in kinds.items())
    return Recheck(code, "", ((WHOLE_SEARCH, (("files", Decimal(sum(kinds.values()))),)), *each))


def of_table(done: Calculation) -> Recheck | None:
    """None where its columns have no names of their own, or no small program reads the table as it was shown."""
    document, measure, label = done.table.document, done.measure, done.label
    columns = [column.name for column in (measure, label) if column]
    if document.is_page or any(done.table.names.count(name) != 1 for name in columns):
        return None
    if done.ranked and label is None:
        return None  # its rows stand in the file as they are
    reading = _reading_of_sheet(done, columns) if done.table.sheet else _reading_of_csv(done.table)
    if reading is None:
        return None
    mark = measure.mark if measure else "."
    given = (label.name if label else "", measure.name if measure else "", mark, "," if mark == "." else ".")
    counted = measure is not None and not measure.numeric
    code = reading + _FIGURES.format(given=_written(given), whole=WHOLE, left=LEFT_OUT, counted=counted)
    groups = [(" ".join(group.key.split()), group) for group in done.groups if group.rows] if label else []
    if len({key for key, _ in groups}) < len(groups):
        return None  # what is printed would not tell them apart
    whole = [] if done.ranked else [(WHOLE, done.whole)]
    left_out = {"empty": done.empty, "other": done.no_number, "wide": done.table.odd, "totals": done.table.totals}
    counts = tuple((name, Decimal(len(rows))) for name, rows in left_out.items())
    expected = (*((key, _figures(group, done)) for key, group in [*groups, *whole]), (LEFT_OUT, counts))
    return Recheck(code, document.path, expected)


def _reading_of_csv(table: Table) -> str:
    return _CSV.format(place=_written([table.path, table.delimiter]), text_of=_TEXT_OF)


def _reading_of_sheet(done: Calculation, columns: Sequence[str]) -> str | None:
    """None where the table is not the first with these names, does not go on to its sheet's end, or holds dates.

    A date is kept as a number; only the format of its cell says that it is one.
    """
    table = done.table
    names = set(columns or filter(None, table.names))
    rows = [row for sheet in table.document.sheets for row in sheet.rows]
    first = next((row.line for row in rows if names <= {cell.strip() for cell in row.cells}), 0)
    sheet = next(one for one in table.document.sheets if one.row(table.header_line))
    last = max(row.line for row in (*table.rows, *table.totals))
    used = [column.index for column in (done.measure, done.label) if column]
    dated = any(_WHEN.match(row.cell(at)) for row in table.rows for at in used)
    alone = first == table.header_line and last == sheet.rows[-1].line
    if not table.path.casefold().endswith(_PACKED) or not alone or dated:
        return None
    return _XLSX.format(file=_written([table.path]), names=_written(sorted(names)))


def _written(values: Sequence[str]) -> str:
    return ", ".join(json.dumps(value, ensure_ascii=False) for value in values)


def _figures(group: Group, done: Calculation) -> tuple[tuple[str, Decimal], ...]:
    found = [(name, done.value(group, name)) for name in done.functions if name != "count"]
    return (("rows", Decimal(group.rows)), *((name, value) for name, value in found if value is not None))


def _same(printed: str | None, value: Decimal) -> bool:
    """Rounded as the value is."""
    exponent = value.as_tuple().exponent
    if printed is None or not isinstance(exponent, int):
        return False
    try:
        return with_places(Decimal(printed), max(0, -exponent)) == value
    except InvalidOperation:
        return False
