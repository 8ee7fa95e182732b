"""The lines of a document by what they are: text, headings, rows of a table, labels; "" where something ends."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from autoagent.models.offline.documents import Document

LineKind = Literal["text", "heading", "row", "header", "label"]
ITEM = re.compile(
    r"^\s*(?:[-*+•◦▪○□■●▶ㅇ※–]|\(?\d{1,3}[.)]|[①-⑳]|[가나다라마바사아자차카타파하][.)])\s+(?:\[[ xX]\]\s+)?"
)
HEAD = 8  # lines among which a page's title and date stand
_RULE = re.compile(r"[-=_*~+#|:.\s]+")
SHORT = 0.6  # of a PDF's width: a line that ends earlier ends a paragraph
REPEATED = 3  # pages that begin or end with the same line, page numbers aside
_FENCE = re.compile(r"^\s{0,3}(```+|~~~+)")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$")
_ARTICLE = re.compile(r"^제\s*\d+\s*[조장절]\b.{0,40}$")
_BULLET = re.compile(r"^\s*(?!\d+[.)])" + ITEM.pattern.removeprefix(r"^\s*"))
_RUNNING = re.compile(r"\[(?:header|footer)\] ")
_CLOSED = ".!?:;,。다요|"


class Line(NamedTuple):
    """`number` is where it stands in the document; of a heading or label `text` is what it says."""

    number: int
    text: str
    kind: LineKind = "text"


def lines_of(document: Document) -> Iterator[Line]:
    match document.kind:
        case "pdf":
            yield from _of_pages(document)
        case "docx":
            yield from _of_paragraphs(document)
        case "email":
            yield from _of_mail(document)
        case "html":
            yield from _of_markdown(document, columns=True)
        case _:
            yield from _of_markdown(document)


def _of_markdown(document: Document, *, columns: bool = False) -> Iterator[Line]:
    """`columns`: rows of a table are `cell | cell`."""
    lines = document.lines
    in_table = False
    for number, line in _outside_code(lines):
        bare = re.sub(r"^\s*(?:>\s?)+", "", line)
        is_row = (bare.lstrip().startswith("|") and bare.count("|") > 1) or (columns and " | " in bare)
        ruled = bool(_RULE.fullmatch(bare))
        if number in document.marks or (ruled and not is_row):
            yield Line(number, "")
            in_table = False
        elif columns and line.startswith(("Title: ", "Date: ")) and number <= HEAD:
            yield Line(number, line, "label")
        elif is_row:
            below = lines[number] if number < len(lines) else ""
            if not ruled:
                titled = not in_table and "-" in below and bool(_RULE.fullmatch(below))
                yield Line(number, bare.strip(), "header" if titled else "row")
                in_table = True
        elif (heading := _heading(lines, number, bare)) is not None:
            yield Line(number, heading, "heading")
            in_table = False
        else:
            yield Line(number, bare)
            in_table = False


def _of_paragraphs(document: Document) -> Iterator[Line]:
    """Each line is a paragraph of its own."""
    for number, line in enumerate(document.lines, 1):
        if number in document.marks:
            yield Line(number, "")
        elif running := _RUNNING.match(line):
            yield Line(number, line[running.end() :], "label")
        elif heading := _HEADING.match(line):
            yield Line(number, heading[1], "heading")
        elif " | " in line:
            yield Line(number, line, "row")
        else:
            yield Line(number, line)
            yield Line(number, "")


def _of_mail(document: Document) -> Iterator[Line]:
    """The subject is the heading of what the message says."""
    attached = next((n for n in document.marks if document.lines[n - 1] == "[attachments]"), len(document.lines) + 1)
    head = next((n for n, line in enumerate(document.lines) if not line), len(document.lines))
    for number, line in enumerate(document.lines[:head], 1):
        yield Line(number, line, "label")
    for number, line in enumerate(document.lines[:head], 1):
        if line.startswith("Subject: "):
            yield Line(number, line.removeprefix("Subject: "), "heading")
    for number, line in enumerate(document.lines[head:], head + 1):
        if number >= attached:
            yield Line(number, "" if number == attached else line, "text" if number == attached else "label")
        else:
            yield Line(number, "" if number in document.marks else line)


def _of_pages(document: Document) -> Iterator[Line]:
    """A short line ends a paragraph where no small letter follows; one that stands above a long line is its heading."""
    passed_over = document.marks | _running_heads(document)
    lines = {n: "" if n in passed_over else line.strip() for n, line in enumerate(document.lines, 1)}
    widths = sorted(_width(line) for line in lines.values() if line)
    short = SHORT * widths[len(widths) * 9 // 10] if widths else 0.0
    ended = True
    for number, line in lines.items():
        below = lines.get(number + 1, "")
        ends = _width(line) < short and not below[:1].islower()
        if ended and ends and len(line) < 70 and _width(below) >= short and _titles(line):
            yield Line(number, line, "heading")
            continue
        yield Line(number, line)
        ended = ends
        if ended:
            yield Line(number, "")


def _width(line: str) -> int:
    """Hangul and the like are twice as wide as a letter."""
    return sum(2 if letter >= "\u1100" else 1 for letter in line)


def _titles(line: str) -> bool:
    """It may be a heading: no end of a sentence, no bullet, no figures but a number before it."""
    if not line or line[-1] in _CLOSED or _BULLET.match(line):
        return False
    return not re.search(r"\d", line.lstrip("0123456789. "))


def _running_heads(document: Document) -> frozenset[int]:
    """The first and the last line of each page where most pages share it, page numbers aside."""
    edges: dict[int, str] = {}
    for begin, end in pairwise([*document.pages.values(), len(document.lines) + 1]):
        filled = [number for number in range(begin + 1, end) if document.lines[number - 1].strip()]
        edges |= {number: re.sub(r"\d+", "#", document.lines[number - 1]) for number in (*filled[:1], *filled[-1:])}
    often = Counter(edges.values())
    enough = max(REPEATED, len(document.pages) / 2)
    return frozenset(number for number, line in edges.items() if often[line] >= enough)


def _outside_code(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
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


def _heading(lines: Sequence[str], number: int, line: str) -> str | None:
    """The heading that this line is; a short line that stands alone before text is one in plain text."""
    if len(line) < 300 and (found := _HEADING.match(line)):
        return found[1]
    text = line.strip()
    if _ARTICLE.match(text):
        return text
    if not text or len(text) > 70 or _BULLET.match(line) or text[-1] in _CLOSED:
        return None
    before = lines[number - 2].strip() if number > 1 else ""
    after = lines[number].strip() if number < len(lines) else ""
    if after and not after.strip("=-") and len(after) >= 3:
        return text
    return text if not before and not after and number < len(lines) else None
