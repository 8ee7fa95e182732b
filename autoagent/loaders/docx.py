"""DOCX: paragraphs and tables in the order of the document, then footnotes and comments."""

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from autoagent.errors import CommandError
from autoagent.loaders.archive import check_unpacked_size
from autoagent.loaders.document import Document, amount, joined

UNPACKED = 400 << 20  # bytes: all of it is held as a tree

_WRAPPERS = ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag", "AlternateContent", "Choice")
_LEFT_OUT = ("del", "moveFrom", "Fallback", "instrText", "pPr", "rPr", "sdtPr", "tblPr", "trPr", "tcPr")


def read(content: bytes, *, name: str, content_type: str = "") -> Document:
    from docx.opc.package import OpcPackage

    check_unpacked_size(content, name, limit=UNPACKED)
    package: Any = OpcPackage.open(io.BytesIO(content))
    try:
        parts = _related(package.main_document_part)
    except KeyError:
        raise CommandError(f"{name} is damaged or no Word document: it has no main part.") from None
    styles = {_get(style, "styleId"): style for part in parts.get("styles", []) for style in _below(part, "style")}
    document = _Words(_headings(styles), _lists(styles), _numbering(parts))
    notes: list[str] = []
    text = joined(_lines(document, _root(package.main_document_part), parts), notes)
    if document.hidden:
        notes.append(f"{amount(document.hidden, 'character')} of hidden text left out")
    if not text.strip():
        notes.append("The document holds no text.")
    return Document(text, f"DOCX, {amount(document.paragraphs, 'paragraph')}", tuple(notes))


def _lines(document: "_Words", root: Any, parts: dict[str, list[Any]]) -> Iterator[str]:
    for kind in ("header", "footer"):
        shown = dict.fromkeys(" / ".join(line for line in document.lines(part) if line) for part in parts.get(kind, []))
        yield from (f"[{kind}] {line}" for line in shown if line)
    yield from (line for body in root if _tag(body) == "body" for line in document.lines(body))
    for kind, element in (("footnotes", "footnote"), ("endnotes", "endnote")):
        notes = [
            note for part in parts.get(kind, []) for note in part if _tag(note) == element and not _get(note, "type")
        ]
        yield from ([f"[{kind}]"] if notes else [])
        yield from (f"[^{_get(note, 'id')}] {document.one_line(note)}" for note in notes)
    comments = [comment for part in parts.get("comments", []) for comment in part if _tag(comment) == "comment"]
    yield from (["[comments]"] if comments else [])
    yield from (f"{_get(comment, 'author')}: {document.one_line(comment)}" for comment in comments)


@dataclass
class _Level:
    """One level of a list: `text` such as `%1.%2.`, or "" for bullets."""

    text: str
    start: int


@dataclass
class _Words:
    """Turns blocks of a document into lines; counts paragraphs, what is hidden, and the items of its lists."""

    headings: dict[str, int]  # style id → level
    lists: dict[str, Any]  # style id → its `numPr`
    levels: dict[tuple[str, str], _Level]  # list id, level
    counters: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    paragraphs: int = 0
    hidden: int = 0  # characters

    def lines(self, parent: Any) -> Iterator[str]:
        for block in parent:
            match _tag(block):
                case "p":
                    self.paragraphs += 1
                    text = self.text(block).strip("\n")
                    yield from (self._mark(block) + text if text.strip() else "").split("\n")
                case "tbl":
                    yield from self._rows(block)
                case tag if tag in _WRAPPERS:
                    yield from self.lines(block)
                case _:
                    pass

    def one_line(self, parent: Any) -> str:
        return " / ".join(line.strip() for line in self.lines(parent) if line.strip())

    def text(self, node: Any) -> str:
        parts: list[str] = []
        for child in node:
            match _tag(child):
                case "t":
                    parts.append(child.text or "")
                case "tab":
                    parts.append("\t")
                case "br" | "cr":
                    parts.append("" if _get(child, "type") in ("page", "column") else "\n")
                case "noBreakHyphen":
                    parts.append("-")
                case "footnoteReference" | "endnoteReference":
                    parts.append(f"[^{_get(child, 'id')}]")
                case "txbxContent":
                    parts.append("\n" + "\n".join(self.lines(child)) + "\n")
                case "r" if _is_hidden(child):
                    self.hidden += len(self.text(child))
                case tag if tag in _LEFT_OUT:
                    pass
                case _:
                    parts.append(self.text(child))
        return "".join(parts)

    def _rows(self, table: Any) -> Iterator[str]:
        for row in _below(table, "tr"):
            cells = [self._cell(cell) for cell in _below(row, "tc")]
            if any(cells):
                yield " | ".join(cells)

    def _cell(self, cell: Any) -> str:
        """One line; a table within it stands in brackets."""
        found: list[str] = []
        for block in _below(cell, "p", "tbl"):
            if _tag(block) == "tbl":
                found.append(f"[{' / '.join(self._rows(block))}]")
            elif line := " / ".join(line.strip() for line in self.text(block).splitlines() if line.strip()):
                found.append(self._mark(block) + line)
        return " / ".join(found)

    def _mark(self, paragraph: Any) -> str:
        """What stands before the text: `## ` of a heading, `- ` or `3. ` of a list's item."""
        properties = _child(paragraph, "pPr")
        if properties is None:
            return ""
        style = _value(properties, "pStyle")
        outline = _value(properties, "outlineLvl")
        level = int(outline) + 1 if outline.isdigit() and int(outline) < 9 else self.headings.get(style, 0)
        if level:
            return "#" * level + " "
        numbered = _child(properties, "numPr")
        if numbered is None:
            numbered = self.lists.get(style)
        if numbered is None:
            return ""
        list_id, depth = _value(numbered, "numId"), _value(numbered, "ilvl") or "0"
        indent = "  " * min(int(depth) if depth.isdigit() else 0, 9)
        return f"{indent}{self._number(list_id, depth)} " if list_id != "0" else ""

    def _number(self, list_id: str, depth: str) -> str:
        level = self.levels.get((list_id, depth))
        if level is None or not level.text:
            return "-"
        self.counters[list_id, depth] += 1
        for key in [key for key in self.counters if key[0] == list_id and key[1] > depth]:
            del self.counters[key]
        shown = level.text
        for above in range(int(depth) + 1):
            start = self.levels.get((list_id, str(above)), level).start
            count = max(1, self.counters[list_id, str(above)])
            shown = shown.replace(f"%{above + 1}", str(start + count - 1))
        return shown


def _related(main: Any) -> dict[str, list[Any]]:
    """The parts beside the main one by the last word of their relationship, as trees."""
    parts: dict[str, list[Any]] = {}
    for relation in main.rels.values():
        kind = relation.reltype.rpartition("/")[2]
        if not relation.is_external and kind in (
            "styles", "numbering", "header", "footer", "footnotes", "endnotes", "comments",
        ):  # fmt: skip
            parts.setdefault(kind, []).append(_root(relation.target_part))
    return parts


def _root(part: Any) -> Any:
    from docx.oxml.parser import parse_xml

    found = getattr(part, "element", None)
    return parse_xml(part.blob) if found is None else found


def _headings(styles: dict[str, Any]) -> dict[str, int]:
    """The level of each style that is a heading, or is based on one."""
    levels: dict[str, int] = {}
    for style_id in styles:
        for style in _based_on(styles, style_id):
            if level := _level(style):
                levels[style_id] = level
                break
    return levels


def _lists(styles: dict[str, Any]) -> dict[str, Any]:
    """The `numPr` of each style that numbers its paragraphs."""
    numbered: dict[str, Any] = {}
    for style_id in styles:
        for style in _based_on(styles, style_id):
            properties = _child(style, "pPr")
            found = None if properties is None else _child(properties, "numPr")
            if found is not None:
                numbered[style_id] = found
                break
    return numbered


def _based_on(styles: dict[str, Any], style_id: str) -> Iterator[Any]:
    """The style and what it is based on; a damaged file may have a circle."""
    for _ in range(10):
        if (style := styles.get(style_id)) is None:
            return
        yield style
        style_id = _value(style, "basedOn")


def _level(style: Any) -> int:
    name = _value(style, "name").lower()
    if name == "title":
        return 1
    number = name.removeprefix("heading ")
    if number != name and number.isdigit():
        return min(int(number), 9)
    properties = _child(style, "pPr")
    outline = _value(properties, "outlineLvl") if properties is not None else ""
    return int(outline) + 1 if outline.isdigit() and int(outline) < 9 else 0


def _numbering(parts: dict[str, list[Any]]) -> dict[tuple[str, str], _Level]:
    found: dict[tuple[str, str], _Level] = {}
    for part in parts.get("numbering", []):
        kinds = {_get(kind, "abstractNumId"): kind for kind in _below(part, "abstractNum")}
        for number in _below(part, "num"):
            for level in _below(kinds.get(_value(number, "abstractNumId"), ()), "lvl"):
                text = "" if _value(level, "numFmt") in ("bullet", "none") else _value(level, "lvlText")
                start = _value(level, "start")
                found[_get(number, "numId"), _get(level, "ilvl")] = _Level(text, int(start) if start.isdigit() else 1)
    return found


def _below(parent: Any, *tags: str) -> Iterator[Any]:
    """Children with one of these tags, also where a content control or an insertion wraps them."""
    for child in parent:
        if _tag(child) in tags:
            yield child
        elif _tag(child) in _WRAPPERS:
            yield from _below(child, *tags)


def _is_hidden(run: Any) -> bool:
    properties = _child(run, "rPr")
    vanish = None if properties is None else _child(properties, "vanish")
    return vanish is not None and _get(vanish, "val") not in ("0", "false", "off")


def _tag(node: Any) -> str:
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""  # a comment's is a function


def _child(node: Any, tag: str) -> Any:
    return next((child for child in node if _tag(child) == tag), None)


def _value(node: Any, tag: str) -> str:
    """The attribute `val` of a child, "" where there is none."""
    child = _child(node, tag)
    return "" if child is None else _get(child, "val")


def _get(node: Any, attribute: str) -> str:
    return next((str(value) for key, value in node.items() if key.rpartition("}")[2] == attribute), "")
