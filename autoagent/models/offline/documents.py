"""A document as passages: sentences, list items and table rows, each verbatim and with its line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["sentence", "item", "row", "header"]
ITEM_CHARS = 300
TABLE_SUFFIXES = (".csv", ".tsv")

_FENCE = re.compile(r"^\s{0,3}(```+|~~~+)")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$")
_ARTICLE = re.compile(r"^제\s*\d+\s*[조장절]\b.{0,40}$")
_ITEM = re.compile(
    r"^\s*(?:[-*+•◦▪○□■●▶ㅇ※–]|\(?\d{1,3}[.)]|[①-⑳]|[가나다라마바사아자차카타파하][.)])\s+(?:\[[ xX]\]\s+)?"
)
_BULLET = re.compile(r"^\s*(?!\d+[.)])" + _ITEM.pattern.removeprefix(r"^\s*"))
_RULE = re.compile(r"[-=_*~+#|:.\s]+")
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


@dataclass(frozen=True)
class Document:
    """`lines` are the file's, from line 1 on, as far as they were read."""

    path: str
    lines: tuple[str, ...]
    complete: bool = True


@dataclass(frozen=True)
class Passage:
    """`text` is verbatim; where it goes over several lines, each is a part of its line of the file."""

    path: str
    line: int
    text: str
    kind: Kind
    heading: str = ""
    header: str = ""
    first: bool = False


def passages(document: Document) -> list[Passage]:
    """Everything worth quoting. Front matter, code, comments, rules and boilerplate are passed over."""
    if document.path.casefold().endswith(TABLE_SUFFIXES):
        return list(_rows(document))
    found: list[Passage] = []
    heading, fresh = "", True
    for block in _blocks(document.lines):
        if block.kind == "heading":
            heading, fresh = block.text, True
            continue
        for line, text in _pieces(block):
            if len(text) > 1 and not _BOILERPLATE.search(text):
                kind = "sentence" if block.kind == "paragraph" else block.kind
                found.append(Passage(document.path, line, text, kind, heading, block.header, fresh))
                fresh = False
    return found


@dataclass(frozen=True)
class _Block:
    kind: Literal["heading", "paragraph", "item", "row", "header"]
    line: int
    text: str
    header: str = ""


def _rows(document: Document) -> Iterator[Passage]:
    filled = [(number, line) for number, line in enumerate(document.lines, 1) if line.strip()]
    header = filled[0][1] if filled else ""
    for number, line in filled:
        first = number == filled[0][0]
        yield Passage(document.path, number, line.strip(), "header" if first else "row", "", header, first)


def _blocks(lines: tuple[str, ...]) -> Iterator[_Block]:
    """Headings, paragraphs, list items and table rows in the order in which they stand."""
    open_kind: Literal["paragraph", "item"] = "paragraph"
    gathered: list[str] = []
    start = table_header = 0

    def close() -> Iterator[_Block]:
        if gathered:
            yield _Block(open_kind, start, "\n".join(gathered))
            gathered.clear()

    for number, line in _outside_code(lines):
        bare = re.sub(r"^\s*(?:>\s?)+", "", line)
        heading = _heading(lines, number, bare)
        is_row = bare.lstrip().startswith("|") and bare.count("|") > 1
        if not bare.strip() or heading is not None or is_row or _RULE.fullmatch(bare):
            yield from close()
            if is_row and not _RULE.fullmatch(bare):
                table_header = table_header or number
                header = lines[table_header - 1] if number != table_header else ""
                ruled = number < len(lines) and "-" in lines[number] and bool(_RULE.fullmatch(lines[number]))
                yield _Block("row" if header or not ruled else "header", number, bare.strip(), header)
            elif heading:
                yield _Block("heading", number, heading)
            if not is_row:
                table_header = 0
            continue
        table_header = 0
        if marker := _ITEM.match(bare):
            yield from close()
            open_kind, start = "item", number
            gathered.append(bare[marker.end() :].rstrip())
            continue
        if not gathered:
            open_kind, start = "paragraph", number
        elif number != start + len(gathered):
            yield from close()
            open_kind, start = "paragraph", number
        gathered.append(bare.strip())
    yield from close()


def _outside_code(lines: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Numbered lines without front matter, fenced code and HTML comments; a blank line stands for each."""
    fence, comment = "", False
    skip_to = 0
    if lines and lines[0].strip() == "---":
        skip_to = next((n for n, line in enumerate(lines[1:60], 2) if line.strip() in ("---", "...")), 0)
    for number, line in enumerate(lines, 1):
        mark = _FENCE.match(line)
        if number <= skip_to:
            yield number, ""
        elif fence:
            fence = "" if mark and mark[1].startswith(fence) and not line.strip(" `~") else fence
            yield number, ""
        elif mark:
            fence = mark[1]
            yield number, ""
        elif comment or "<!--" in line:
            comment = "-->" not in line
            yield number, ""
        else:
            yield number, line


def _heading(lines: tuple[str, ...], number: int, line: str) -> str | None:
    """The heading that this line is; a short line that stands alone before text is one in plain text."""
    if len(line) < 300 and (found := _HEADING.match(line)):
        return found[1]
    text = line.strip()
    if _ARTICLE.match(text):
        return text
    if not text or len(text) > 70 or _BULLET.match(line) or text[-1] in ".!?:;,。다요|":
        return None
    before = lines[number - 2].strip() if number > 1 else ""
    after = lines[number].strip() if number < len(lines) else ""
    if after and not after.strip("=-") and len(after) >= 3:
        return text
    return text if not before and not after and number < len(lines) else None


def _pieces(block: _Block) -> Iterator[tuple[int, str]]:
    """The sentences of a block with their lines; a row and a short item stay whole."""
    if block.kind in ("row", "header") or (block.kind == "item" and len(block.text) <= ITEM_CHARS):
        yield block.line, block.text
        return
    begin, line = 0, block.line
    for end in [*_sentence_ends(block.text), len(block.text)]:
        piece = block.text[begin:end]
        if text := piece.strip():
            yield line + piece[: len(piece) - len(piece.lstrip())].count("\n"), text
        begin, line = end, line + piece.count("\n")


def _sentence_ends(text: str) -> Iterator[int]:
    for found in _END.finditer(text):
        before = text[max(0, found.start() - 12) : found.start() + 1]
        if not (found[0].startswith(".") and _ABBREVIATED.search(before.rpartition("\n")[2])):
            yield found.end()
