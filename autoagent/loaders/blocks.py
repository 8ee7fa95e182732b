"""The blocks of text that a page shows, in order: headings, paragraphs, list items, code as it stands, tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from autoagent.loaders.tree import Node, walk

Kind = Literal["heading", "paragraph", "item", "code", "table"]

_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl"}
    | {"dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr"}
    | {"legend", "li", "main", "menu", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot"}
    | {"th", "thead", "tr", "ul"}
)
_HEADINGS = {"h1": "# ", "h2": "## ", "h3": "### ", "h4": "#### ", "h5": "##### ", "h6": "###### ", "summary": "### "}
_NOISY_TAGS = ("nav", "aside", "footer", "menu", "dialog")
_NOISY_ROLES = ("navigation", "complementary", "contentinfo", "banner", "search", "dialog", "alertdialog", "menu")
_NAMED = ("div", "section", "ul", "ol", "p", "span", "table", "td", "form")
_ADVERTS = re.compile(
    r"(?:^|[\s_-])(?:ads?|adsby\w+|adslot|advert\w*|sponsor\w*|promo\w*|cookies?|consent|gdpr|newsletter|subscribe"
    r"|social|share|sharing|taboola|outbrain)(?:$|[\s_-])",
    re.IGNORECASE,
)
_NAVIGATION = re.compile(
    r"(?:^|[\s_-])(?:nav\w*|\w*nav|navbar|menu|\w*sidebar|breadcrumbs?|related\w*|recommend\w*|footer"
    r"|copy(?:right)?|toc|skip|toolbar|linklist|popular)(?:$|[\s_-])",
    re.IGNORECASE,
)
_PAGES = re.compile(r"(?:^|[\s_-])(?:pagination|pager|paging)", re.IGNORECASE)  # the next part of the text
_PERMALINKS = frozenset("¶#§🔗")
_LINK = 400  # beginnings and ends of elements in a link
_WIDEST = 1_000  # columns of a table
_TALLEST = 100  # rows that a cell may go down
_CELL = 1_000  # characters; a cell that holds more is layout


@dataclass(frozen=True, eq=False)
class Block:
    """`noise`: 0 for text, 1 for links close together, 2 for what is navigation and 3 for an advert by tag or name.

    `where` is the element whose text begins the block, or whose tail does (`in_tail`); `links` are texts with
    addresses as the page writes them.
    """

    kind: Kind
    text: str
    noise: int
    where: Node
    in_tail: bool
    links: list[tuple[str, str]]


@dataclass(frozen=True)
class Sizes:
    """Characters of text in each element, how many links with how many characters, and which hold a main heading."""

    text: dict[Node, int]
    links: dict[Node, tuple[int, int]]
    headed: set[Node]


def sizes_of(body: Node) -> Sizes:
    text: dict[Node, int] = {}
    links: dict[Node, tuple[int, int]] = {}
    headed: set[Node] = set()
    for element in reversed(list(body.iter())):
        text[element] = size = text.get(element, 0) + _size(element.text)
        links[element] = (1, size) if element.tag == "a" and element.get("href", "") else links.get(element, (0, 0))
        parent = element.getparent()
        if element is not body and parent is not None:
            text[parent] = text.get(parent, 0) + size + _size(element.tail)
            if element.tag == "h1" or element in headed:
                headed.add(parent)
            count, linked = links.get(parent, (0, 0))
            links[parent] = (count + links[element][0], linked + links[element][1])
    return Sizes(text, links, headed)


def blocks_of(body: Node) -> list[Block]:
    """Without recursion, for a page may nest as deep as its writer likes."""
    gathering = _Gathering(body)
    events = walk(body)
    for event, element in events:
        if event == "end":
            gathering.end(element)
        elif gathering.start(element):
            events.skip_subtree()
    return gathering.blocks


def words_of(anchor: Node) -> str:
    """Its text in one line; only the beginning, for links within links would be read again and again."""
    return plain(anchor, most=_LINK)


def plain(element: Node, *, most: int | None = None) -> str:
    """Its text in one line, a space where a block begins; of the first `most` beginnings and ends of elements."""
    if not len(element):
        return " ".join((element.text or "").split())
    parts: list[str] = []
    for event, inner in islice(walk(element), most):
        if inner.tag in _BLOCKS or inner.tag == "br":
            parts.append(" ")
        text = inner.text if event == "start" else "" if inner is element else inner.tail
        parts.append(text or "")
    return " ".join("".join(parts).split())


@dataclass
class _Line:
    """The text of one block as it is gathered."""

    parts: list[str] = field(default_factory=list[str])
    links: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    where: tuple[Node, bool] | None = None

    def add(self, text: str | None, element: Node, *, in_tail: bool) -> None:
        if text:
            self.parts.append(re.sub(r"\s+", " ", text))
            if self.where is None and not text.isspace():
                self.where = (element, in_tail)

    @property
    def text(self) -> str:
        lines = (" ".join(line.split()) for line in "".join(self.parts).split("\n"))
        return "\n".join(line for line in lines if line)


class _Gathering:
    def __init__(self, body: Node):
        self.body, self.blocks = body, list[Block]()
        self._sizes = sizes_of(body)
        self._line = _Line()
        self._noise: list[tuple[Node, int]] = []
        self._lists: list[int | None] = []  # the number of the last item; None where they have bullets
        self._marker = self._heading = ""
        self._definitions = self._quotes = 0

    def start(self, element: Node) -> bool:
        """True where the element is taken as a whole."""
        tag = element.tag
        if tag in _BLOCKS:
            self._flush()
        if noise := self._noise_of(element):
            self._noise.append((element, noise))
        if tag == "pre":
            self._take("code", _code(element), element)
            return True
        if tag == "table" and _is_data(element):
            caption = element.find("caption")
            if caption is not None and (title := plain(caption)):
                self._take("paragraph", title, caption)
            self._take("table", "\n".join(_rows(element)), element)
            return True
        if tag == "a" and _is_permalink(element):
            return True
        self._open(element)
        self._line.add(element.text, element, in_tail=False)
        return False

    def end(self, element: Node) -> None:
        tag = element.tag
        if tag in _BLOCKS:
            self._flush()
        if self._noise and self._noise[-1][0] is element:
            self._noise.pop()
        if tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif tag == "li":
            self._marker = ""
        elif tag in _HEADINGS:
            self._heading = ""
        elif tag == "dd":
            self._definitions -= 1
        elif tag == "blockquote":
            self._quotes -= 1
        if element is not self.body:
            self._line.add(element.tail, element, in_tail=True)

    def _open(self, element: Node) -> None:
        match element.tag:
            case "br":
                self._line.parts.append("\n")
            case "a":
                before = element.getprevious()
                if before is not None and before.tag == "a" and not before.tail:
                    self._line.parts.append(" ")
                self._line.links += _links(element)
            case "ul" | "ol":
                self._lists.append(_number(element.get("start", ""), 1) - 1 if element.tag == "ol" else None)
            case "li":
                number = self._lists[-1] if self._lists else None
                if number is not None:
                    self._lists[-1] = number + 1
                self._marker = "- " if number is None else f"{number + 1}. "
            case "dd":
                self._definitions += 1
            case "blockquote":
                self._quotes += 1
            case "summary" if not _is_question(element):
                pass
            case tag if tag in _HEADINGS:
                self._heading = _HEADINGS[tag]
            case _:
                pass

    def _flush(self) -> None:
        line = self._line
        text = line.text
        if not text:
            self._line = _Line(links=line.links)  # of a link around blocks: the next has its text
            return
        assert line.where is not None
        kind: Kind = "heading" if self._heading else "item" if self._lists or self._definitions else "paragraph"
        self._append(kind, self._heading + text.replace("\n", " ") if self._heading else text, *line.where, line.links)
        self._line = _Line()

    def _take(self, kind: Kind, text: str, element: Node) -> None:
        if text and (where := _first_text(element)):
            links = [link for inner in element.iter("a") for link in _links(inner)]
            self._append(kind, text, *where, links)

    def _append(self, kind: Kind, text: str, where: Node, in_tail: bool, links: list[tuple[str, str]]) -> None:
        margin = "> " * min(self._quotes, 5)
        if kind in ("item", "paragraph"):
            margin += "  " * min(max(0, len(self._lists) - 1) + self._definitions, 10)
            if self._lists and kind == "item":
                first, self._marker = self._marker or "  ", ""
                text = first + text.replace("\n", f"\n{' ' * len(first)}")
        if margin:
            text = margin + text.replace("\n", f"\n{margin}")
        noise = max((noise for _, noise in self._noise), default=0)
        self.blocks.append(Block(kind, text, noise, where, in_tail, links))

    def _noise_of(self, element: Node) -> int:
        tag, size = element.tag, self._sizes.text[element]
        if tag in _NOISY_TAGS or element.get("role", "") in _NOISY_ROLES:
            return 2
        if tag == "header" and next(element.iterancestors("main", "article"), None) is None:
            return 0 if element in self._sizes.headed else 2
        classes = element.get("class", "")
        section = tag == "section" or "section" in classes  # its id is made of its heading: "editing-and-navigation"
        names = classes if section else f"{classes} {element.get('id', '')}".strip()
        if names and tag in _NAMED and size * 3 < self._sizes.text[self.body]:
            if _PAGES.search(names):
                return 0
            advert, navigation = _ADVERTS.search(names), _NAVIGATION.search(names)
            if (advert or navigation) and element not in self._sizes.headed:
                return 3 if advert else 2
        count, linked = self._sizes.links[element]
        dense = count >= 3 and linked * 4 > size * 3 and linked < 60 * count
        return 1 if dense and tag in _NAMED else 0


def _size(text: str | None) -> int:
    return len(text.strip()) if text else 0


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else otherwise


def _first_text(element: Node) -> tuple[Node, bool] | None:
    for inner in element.iter():
        if _size(inner.text):
            return inner, False
        if inner is not element and _size(inner.tail):
            return inner, True
    return None


def _links(anchor: Node) -> Iterator[tuple[str, str]]:
    href = anchor.get("href", "").strip()
    image = anchor.find(".//img")
    text = words_of(anchor) or ("" if image is None else image.get("alt", ""))
    if href and text:
        yield text, href


def _is_question(summary: Node) -> bool:
    """Whether it says what follows; one such as "History" or "Show more" is a switch."""
    text = plain(summary)
    return "?" in text or "？" in text or len(text) >= 20


def _is_permalink(anchor: Node) -> bool:
    text = (anchor.text or "").strip()
    return anchor.get("href", "").startswith("#") and (text in _PERMALINKS or "headerlink" in anchor.get("class", ""))


def _code(pre: Node) -> str:
    """The code as it stands, between fences; "" for a column of line numbers."""
    parts: list[str] = []
    for event, inner in walk(pre):
        if event == "start":
            apart = inner.tag == "br" or (inner.tag == "code" and "".join(parts[-1:]).strip())
            parts += ["\n" if apart else "", inner.text or ""]
        elif inner is not pre:
            parts.append(inner.tail or "")
    code = re.sub(r"\A(?:[ \t]*\n)+|\s+\Z", "", "".join(parts).replace("\r\n", "\n"))
    if not code.strip("0123456789 \n"):
        return ""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`{3,}", code)), 3)
    return f"{fence}\n{code}\n{fence}"


def _is_data(table: Node) -> bool:
    """Rows and columns of short cells; a table that lays out a page is walked like any other element."""
    if table.get("role", "") in ("presentation", "none") or table.find(".//table") is not None:
        return False
    rows = [list(row.iterchildren("td", "th")) for row in table.iter("tr")]
    if len(rows) < 2 or max(len(row) for row in rows) < 2:
        return False
    if next(table.iter("pre", "h1", "h2", "article"), None) is not None:
        return False
    return all(sum(map(len, cell.itertext())) <= _CELL for row in rows for cell in row)


def _rows(table: Node) -> Iterator[str]:
    """`cell | cell`; a cell over several rows stands in each of them, one over several columns in the first."""
    down: dict[int, tuple[int, str]] = {}  # column: how many more rows, what stands in them
    for row in table.iter("tr"):
        cells: list[str] = []
        for cell in row.iterchildren("td", "th"):
            _fill(cells, down)
            text = plain(cell) or _image_text(cell)
            rows = min(_number(cell.get("rowspan", ""), 1), _TALLEST)
            columns = _number(cell.get("colspan", ""), 1)
            if rows > 1:
                down[len(cells)] = (rows - 1, text)
            cells += [text, *[""] * (min(columns, _WIDEST - len(cells)) - 1)]
            if len(cells) >= _WIDEST:
                break
        _fill(cells, down)
        if any(cells):
            yield " | ".join(cells)


def _fill(cells: list[str], down: dict[int, tuple[int, str]]) -> None:
    while (above := down.pop(len(cells), None)) is not None:
        rows, text = above
        if rows > 1:
            down[len(cells)] = (rows - 1, text)
            cells.append(text)
        else:
            cells.append(text)


def _image_text(cell: Node) -> str:
    image = cell.find(".//img")
    return "" if image is None else image.get("alt", "")
