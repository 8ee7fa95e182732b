"""A document as it was read: lines, the kind that says how to read them, and where each of them stands."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from autoagent.models.offline.sheets import Sheet, sheets_in

Kind = Literal["text", "csv", "workbook", "pdf", "docx", "html", "email"]
PassageKind = Literal["sentence", "item", "row", "header", "label"]
CSV_SUFFIXES = (".csv", ".tsv", ".tab")
TABLE_SUFFIXES = (*CSV_SUFFIXES, ".xlsx", ".xlsm", ".xltx", ".xlsb", ".xls", ".ods")
_KINDS: tuple[tuple[str, Kind], ...] = (  # how read_file and browse name them
    ("CSV", "csv"), ("XLS", "workbook"), ("ODS", "workbook"), ("PDF", "pdf"), ("DOCX", "docx"),
    ("HTML", "html"), ("e-mail", "email"),
)  # fmt: skip
_MARKS: dict[Kind, frozenset[str]] = {
    "pdf": frozenset({"[form]"}),
    "docx": frozenset({"[footnotes]", "[endnotes]", "[comments]"}),
    "email": frozenset({"[attachments]"}),
}


def kind_of(told: str, path: str) -> Kind:
    """From the words that stand in the observation; a file of which nothing is said is text, or CSV by its name."""
    for word, kind in _KINDS:
        if told.startswith(word):
            return kind
    return "csv" if not told and path.casefold().endswith(CSV_SUFFIXES) else "text"


@dataclass(frozen=True)
class Document:
    """`path` is the file's or the page's address; `lines` are those shown, from line 1 on, as far as they were read.

    `notes` say what is missing in it.
    """

    path: str
    lines: tuple[str, ...]
    complete: bool = True
    kind: Kind = "text"
    notes: tuple[str, ...] = ()

    @property
    def is_page(self) -> bool:
        """It was read from the web."""
        return self.path.casefold().startswith(("http://", "https://"))

    @property
    def is_table(self) -> bool:
        return self.kind in ("csv", "workbook")

    def source(self, line: int, column: int = 0) -> str:
        """Where a line stands, as a report cites it; of a page that is its address, whatever it is a page of."""
        return self.path if self.is_page else f"{self.path}{self.place(line, column)}"

    def place(self, line: int, column: int = 0) -> str:
        """`:7`, or `#p2` of a PDF, or `#Sheet!B4` of a workbook; `column` counts the cells of its row."""
        if self.kind == "pdf":
            return f"#p{max(1, bisect_right(list(self.pages.values()), line))}"
        for sheet in self.sheets:
            if row := sheet.row(line):
                return f"#{sheet.name}!{row.address(column)}"
        return f":{line}"

    @cached_property
    def sheets(self) -> tuple[Sheet, ...]:
        return tuple(sheets_in(self.lines)) if self.kind == "workbook" else ()

    @cached_property
    def pages(self) -> dict[int, int]:
        """The line of each page's mark; none but of a PDF."""
        found: dict[int, int] = {}
        for number, line in enumerate(self.lines, 1) if self.kind == "pdf" else ():
            if line == f"[page {len(found) + 1}]":
                found[len(found) + 1] = number
        return found

    @cached_property
    def marks(self) -> frozenset[int]:
        """The lines that only say what follows, and those of a page's links: no text of the document."""
        marks = {n for n, line in enumerate(self.lines, 1) if line in _MARKS.get(self.kind, ())}
        marks |= {sheet.line for sheet in self.sheets} | set(self.pages.values())
        return frozenset(marks | set(self._links))

    @property
    def _links(self) -> range:
        """The last "Links:" beneath a blank line, and what follows: where a page leads to. Mail may be a page too."""
        at = len(self.lines) if self.kind in ("html", "email") else 0
        while at > 1 and (self.lines[at - 1] != "Links:" or self.lines[at - 2]):
            at -= 1
        if at <= 1 or (self.kind == "email" and not "".join(self.lines[at : at + 1]).startswith("1. ")):
            return range(0)
        end = next((n for n in range(at, len(self.lines)) if not self.lines[n]), len(self.lines))
        return range(at, end + 1)


@dataclass(frozen=True)
class Passage:
    """`text` is verbatim; where it goes over several lines, each is a part of its line of the document.

    A label is no statement: a head line of a mail, a running head, a part of a sentence. `source` is where it stands.
    """

    path: str
    line: int
    text: str
    kind: PassageKind
    heading: str = ""
    header: str = ""
    first: bool = False
    source: str = ""
