"""A page as a tree of what a person would see of it: without scripts, comments, form fields and hidden elements."""

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Protocol

SCRIPTED = ("script", "style", "template", "noscript", "iframe", "object", "embed", "canvas", "svg", "audio", "video")
FIELDS = ("button", "select", "textarea", "input", "datalist", "progress", "meter")
_HIDING = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|opacity:0(?:\.0*)?(?![.\d])|font-size:0(?![.\d]*[1-9])"
    r"|(?:text-indent|left|right|top|bottom|margin-left):-\d{4,}|clip:rect\(0|clip-path:inset\((?:50|100)%"
    r"|(?<![-\w])(?:width|height):0(?:px)?(?:;.*)?overflow:hidden",
    re.IGNORECASE,
)
_RULE = re.compile(r"([^{}@;]+)\{([^{}]*)\}")
_NAME = re.compile(r"\s*(\w*)([.#])([\w-]+)\s*")


class Node(Protocol):
    """What is used of an lxml element, which has no types of its own; also a key of a dict."""

    tag: str
    text: str | None
    tail: str | None

    def get(self, name: str, default: str, /) -> str: ...
    def iter(self, *tags: str) -> Iterator["Node"]: ...
    def iterancestors(self, *tags: str) -> Iterator["Node"]: ...
    def iterchildren(self, *tags: str) -> Iterator["Node"]: ...
    def itertext(self) -> Iterator[str]: ...
    def getparent(self) -> "Node | None": ...
    def getprevious(self) -> "Node | None": ...
    def find(self, path: str, /) -> "Node | None": ...
    def drop_tree(self) -> None: ...
    def __len__(self) -> int: ...


def parse(text: str) -> tuple[Node, bool]:
    """The root, and whether the page ends where it nests deeper than 2,048 elements.

    Nothing is fetched and no entity of a document type is read: it is HTML, whatever the page says that it is.
    """
    html = import_module("lxml.html")
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    root = html.document_fromstring((text if text.strip() else "<html/>").encode("utf-8", "replace"), parser=parser)
    return root, any("Excessive depth" in error.message for error in parser.error_log)


def body_of(root: Node) -> Node:
    found = root.find("body")
    return root if found is None else found


def walk(root: Node) -> Any:
    """Events "start" and "end" with each element, without recursion; `skip_subtree` as lxml has it."""
    return import_module("lxml.etree").iterwalk(root, events=("start", "end"))


def drop(body: Node, *tags: str) -> None:
    for element in list(body.iter(*tags)):
        if element is not body:
            element.drop_tree()


def drop_hidden(body: Node, style: str) -> int:
    """Take out what the page hides, by attribute or by a plain rule of its style; the characters that went.

    The body itself is never hidden: pages hide it until their script has run.
    """
    names = _hidden_names(style)
    hidden: set[Node] = set()
    dropped = 0
    for element in list(body.iter()):
        if element.getparent() in hidden:
            hidden.add(element)
        elif element is not body and _is_hidden(element, names):
            hidden.add(element)
            dropped += sum(len(text.strip()) for text in element.itertext())
            element.drop_tree()
    return dropped


def _is_hidden(element: Node, names: frozenset[tuple[str, str]]) -> bool:
    if element.get("hidden", "shown") != "shown" or element.get("aria-hidden", "").strip().lower() == "true":
        return True
    style = element.get("style", "")
    if style and _hides(style):
        return True
    if not names:
        return False
    classes = element.get("class", "").split()
    return ("#", element.get("id", "")) in names or any((".", name) in names for name in classes)


def _hides(style: str) -> bool:
    return _HIDING.search(re.sub(r"\s+|/\*.*?\*/|!important", "", style)) is not None


def _hidden_names(style: str) -> frozenset[tuple[str, str]]:
    """Classes and ids that a rule with that selector alone hides; what stands in @media is for other screens."""
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    style = re.sub(r"@[^{;]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "}", style)
    found: set[tuple[str, str]] = set()
    for selectors, rule in _RULE.findall(style):
        if _hides(rule):
            found |= {(m[2], m[3]) for s in selectors.split(",") if (m := _NAME.fullmatch(s))}
    return frozenset(found)
