"""A document as passages: sentences, list items and table rows, each verbatim and with its place."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from autoagent.models.offline.documents import Document, Passage
from autoagent.models.offline.lines import ITEM, Line, lines_of

ITEM_CHARS = 300
STATEMENT_WORDS = 4  # of a workbook's only cell in a row, for it to be more than a name

_ABBREVIATED = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|Mr|Mrs|Ms|Dr|Prof|St|No|Nos|Inc|Ltd|Co|Corp|Fig|[A-Z])|^\d+)\.$"
)
_END = re.compile(
    r"(?<![.!?。！？])[.!?。！？]+[\"'”’)\]»*_]*(?=\s|$)"
    r"|(?<=[다요까죠음함됨임])[.!?](?=[가-힣A-Z\"'“‘(])"
    r"|(?<=[다요음함됨임])(?=\n)"
)
_BOILERPLATE = re.compile(
    r"all rights reserved|©|^\W*copyright\b|^\W*page \d+|^\W*\d+\W*$|table of contents"
    r"|^\W*목차\W*$|무단 ?(?:전재|복제)",
    re.I,
)


def passages(document: Document) -> list[Passage]:
    """Everything worth quoting. Front matter, code, comments, rules, marks and boilerplate are passed over."""
    match document.kind:
        case "csv":
            return list(_rows(document))
        case "workbook":
            return list(_cells(document))
        case _:
            return list(_written(document))


def _written(document: Document) -> Iterator[Passage]:
    heading, fresh = "", True
    for block in _blocks(lines_of(document)):
        if block.kind == "heading":
            heading, fresh = block.text, True
            continue
        for line, text in _pieces(block, wrapped=document.kind == "pdf"):
            if len(text) > 1 and not _BOILERPLATE.search(text):
                kind = "sentence" if block.kind == "paragraph" else block.kind
                source = document.source(line)
                yield Passage(document.path, line, text, kind, heading, block.header, fresh, source)
                fresh = False


@dataclass(frozen=True)
class _Block:
    kind: Literal["heading", "paragraph", "item", "row", "header", "label"]
    line: int
    text: str
    header: str = ""


def _rows(document: Document) -> Iterator[Passage]:
    filled = [(number, line) for number, line in enumerate(document.lines, 1) if line.strip()]
    header = filled[0][1] if filled else ""
    for number, line in filled:
        first = number == filled[0][0]
        source = document.source(number)
        yield Passage(document.path, number, line.strip(), "header" if first else "row", "", header, first, source)


def _cells(document: Document) -> Iterator[Passage]:
    """The rows of each sheet; a statement that stands alone in a row is a sentence."""
    for sheet in document.sheets:
        headers = {region.header.line: region.header for region in sheet.regions() if region.header}
        header = ""
        for at, row in enumerate(sheet.rows):
            text = "\t".join(row.cells).strip()
            if row.line in headers:
                header = text
            alone = len(row.filled) == 1 and len(text.split()) >= STATEMENT_WORDS
            kind = "header" if row.line in headers else "sentence" if alone else "row"
            source = document.source(row.line, row.first)
            yield Passage(document.path, row.line, text, kind, sheet.name, header, at == 0, source)


def _blocks(lines: Iterable[Line]) -> Iterator[_Block]:
    """Headings, paragraphs, list items and table rows in the order in which they stand."""
    open_kind: Literal["paragraph", "item"] = "paragraph"
    gathered: list[str] = []
    start = 0
    header = ""

    def close() -> Iterator[_Block]:
        if gathered:
            yield _Block(open_kind, start, "\n".join(gathered))
            gathered.clear()

    for number, line, kind in lines:
        if kind != "text" or not line.strip():
            yield from close()
            if kind in ("row", "header"):
                yield _Block(kind, number, line, header)
                header = header or line
                continue
            header = ""
            if kind in ("heading", "label") and line:
                yield _Block(kind, number, line)
            continue
        header = ""
        if marker := ITEM.match(line):
            yield from close()
            open_kind, start = "item", number
            gathered.append(line[marker.end() :].rstrip())
            continue
        if not gathered:
            open_kind, start = "paragraph", number
        elif number != start + len(gathered):
            yield from close()
            open_kind, start = "paragraph", number
        gathered.append(line.strip())
    yield from close()


def _pieces(block: _Block, *, wrapped: bool) -> Iterator[tuple[int, str]]:
    """The sentences of a block with their lines; a row, a label and a short item stay whole.

    `wrapped`: lines end where the page does, so their ends say nothing.
    """
    if block.kind in ("row", "header", "label") or (block.kind == "item" and len(block.text) <= ITEM_CHARS):
        yield block.line, block.text
        return
    begin, line = 0, block.line
    for end in [*_sentence_ends(block.text, wrapped=wrapped), len(block.text)]:
        piece = block.text[begin:end]
        if text := piece.strip():
            yield line + piece[: len(piece) - len(piece.lstrip())].count("\n"), text
        begin, line = end, line + piece.count("\n")


def _sentence_ends(text: str, *, wrapped: bool) -> Iterator[int]:
    for found in _END.finditer(text):
        before = text[max(0, found.start() - 12) : found.start() + 1]
        if not found[0] and wrapped:
            continue
        if not (found[0].startswith(".") and _ABBREVIATED.search(before.rpartition("\n")[2])):
            yield found.end()
