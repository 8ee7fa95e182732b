"""The text of a web page: what it is about, with headings, lists, code, tables and links, and nothing around it."""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

from autoagent.loaders.blocks import Block, blocks_of, plain, words_of
from autoagent.loaders.charset import decode_page
from autoagent.loaders.document import Document
from autoagent.loaders.page_head import date_of, title_of
from autoagent.loaders.tree import FIELDS, SCRIPTED, Node, body_of, drop, drop_hidden, parse

KIND = "HTML page"
LINKS = 200
MENU = 60  # links of a page's navigation
SHELL = 200  # characters; a page with scripts and less text than that is built by them
_ADDRESS = 1_500  # characters of a link; those of a longer one are data
_MARKS = range(0xF0000, 0xFFFFE)  # private characters, one for each block, that come out of trafilatura as they went in
_MAIN = ("article", "main")
_DEEP = 200  # elements within each other: beyond, trafilatura is slow or recurses too far
_LONG = 400_000  # characters; beyond, trafilatura does without its slow comparisons
_VERY_LONG = 3_000_000  # beyond, its verdict takes too long
_ONWARD = re.compile(
    r"(?:next|next page|older(?: posts)?|다음|다음 ?페이지|次へ|次のページ|下一页|下一頁)\W*", re.IGNORECASE
)
_CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\U000f0000-\U0010ffff]")
_UNSEEN = re.compile(  # tags, zero-width, direction marks, and joiners or selectors that join or select nothing
    "[\U000e0000-\U000e0fff\u200b\u2060-\u2064\u206a-\u206f\u180e\u202a-\u202e\u2066-\u2069]"
    "|(?<![^\\x00-\\x7f\\s])[\u200c\u200d\ufe00-\ufe0e]|[\u200c\u200d](?![^\\x00-\\x7f\\s])"
)
_SOFT = re.compile("[\u00ad\ufeff\u200e\u200f]")  # of ordinary typography, and not to be seen either


def read(content: bytes, *, name: str, content_type: str) -> Document:
    """`name` is the page's address where it has one; links are resolved against it.

    The text is `Title:`, `Date:`, the main text, and numbered under `Links:` where it leads to; the links of what
    stands around it follow under `Menu:`. Where the text itself has none, those stand under `Links:`.
    """
    root, cut = parse(_CONTROL.sub(" ", decode_page(content, content_type)))
    body, base = body_of(root), _base(root, name)
    head = [("Title", title_of(root)), ("Date", date_of(root, name))]
    scripted = next(root.iter("script"), None) is not None
    spoken = " ".join(plain(element) for element in body.iter("noscript"))
    style = "\n".join(element.text or "" for element in root.iter("style"))
    drop(root, *SCRIPTED, *FIELDS)
    hidden = drop_hidden(body, style)

    blocks, onward = blocks_of(body), list(_leading_on(body))
    shown = _main(blocks, body)
    own = _links(_links_in(shown), base)
    links = _links([*(own or _links(_links_in(blocks), base))[:LINKS], *onward], base)
    menu = _menu(blocks, {*own, *links}, base) if own else []
    listed = [f"{n}. {words} — {url}" for n, (words, url) in enumerate([*links, *menu], 1)]
    listed[len(links) : len(links)] = ["Menu:"] if menu else []
    stated, unseen = _seen("\n".join(f"{what}: {said}" for what, said in head if said))
    text, unseen_in_text = _seen(_joined(shown) or spoken)
    text = re.sub(r"^Links:(?=\s*$)", " Links:", text, flags=re.MULTILINE)  # ours stand below
    leads, unseen_in_links = _seen("\n".join(["Links:", *listed]) if links else "")

    size = _weight(blocks)
    shell = size < SHELL and scripted and (not size or "script" in spoken.lower() or _is_shell(body))
    unseen += unseen_in_text + unseen_in_links
    notes = {
        "the page is built by a script; it holds almost no text itself": shell,
        f"{hidden:,} characters that the page hides are left out": hidden > max(500, size),
        "the page nests too deeply; what stands beneath is left out": cut,
        f"{unseen:,} invisible characters, which can hide words from a reader, are removed": unseen > 0,
    }
    whole = "\n\n".join(part for part in (stated, text, leads) if part)
    return Document(whole, KIND, tuple(note for note, holds in notes.items() if holds))


def _seen(text: str) -> tuple[str, int]:
    """What a reader sees of a text, and how many characters could have hidden words from them."""
    return _UNSEEN.subn("", _SOFT.sub("", _CONTROL.sub(" ", text)))


def _main(blocks: Sequence[Block], body: Node) -> Sequence[Block]:
    """The blocks that the page is about.

    trafilatura finds where the main text stands; within that place all is taken but what looks like navigation, since
    it leaves out definitions, nested lists or names. Where it finds little, all that does not look like navigation.
    """
    candidates = [block for block in blocks if block.noise < 3]
    quiet = [block for block in candidates if not block.noise]
    chosen = _chosen_by_trafilatura(blocks, body)
    place = set(_place(chosen, body).iter())
    if _weight(block for block in chosen if not block.noise) * 2 > _weight(chosen):
        chosen = [block for block in chosen if not block.noise]  # else it is a page of links
    found = frozenset(map(id, chosen))
    main = [block for block in candidates if id(block) in found or (not block.noise and block.where in place)]
    if _weight(main) * 3 < _weight(quiet):
        main = quiet
    index = [block for block in candidates if block.noise < 2]
    if _weight(main) * 10 < _weight(index):
        main = index
    kept = frozenset(map(id, main))
    title = next((block for block in candidates if block.text.startswith("# ")), None)
    return [block for block in candidates if id(block) in kept or block is title] or candidates or blocks


def _chosen_by_trafilatura(blocks: Sequence[Block], body: Node) -> list[Block]:
    """The blocks, known by a mark in their text; none where the page is too large or nests too deep for it."""
    if len(blocks) > len(_MARKS) or _weight(blocks) > _VERY_LONG or _depth(body) > _DEEP:
        return []
    for name in ("trafilatura", "justext", "readability"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # the screen is not theirs
    for mark, block in zip(_MARKS, blocks, strict=False):
        if block.in_tail:
            block.where.tail = chr(mark) + (block.where.tail or "")
        else:
            block.where.text = chr(mark) + (block.where.text or "")
    root = body.getparent()
    page = cast(Any, body if root is None else root)
    try:
        import trafilatura

        found = cast(Any, trafilatura).bare_extraction(
            page, favor_recall=True, include_comments=True, include_tables=True, fast=_weight(blocks) > _LONG
        )
    except Exception:  # noqa: BLE001  # its many rules raise anything on odd trees; it only advises
        return []
    if found is None:
        return []
    parts = [found.body, found.commentsbody]
    text = "".join(piece for part in parts if part is not None for piece in part.itertext())
    return [blocks[at] for at in sorted({ord(c) - _MARKS[0] for c in text if ord(c) in _MARKS}) if at < len(blocks)]


def _place(chosen: Iterable[Block], body: Node) -> Node:
    """The innermost element that holds four fifths of what was chosen, or the article or main part that it is in."""
    weight: dict[Node, int] = {}
    for block in chosen:
        weight[block.where] = weight.get(block.where, 0) + len(block.text)
    whole = sum(weight.values())
    place = body
    for element in reversed(list(body.iter())):
        parent = element.getparent()
        if element is not body and parent is not None and element in weight:
            weight[parent] = weight.get(parent, 0) + weight[element]
    while whole:
        inner = next((child for child in place.iterchildren() if weight.get(child, 0) * 5 > whole * 4), None)
        if inner is None:
            break
        place = inner
    around = [place, *place.iterancestors()] if whole else []
    return next((outer for outer in around if outer.tag in _MAIN or outer.get("role", "") == "main"), place)


def _weight(blocks: Iterable[Block]) -> int:
    return sum(len(block.text) for block in blocks)


def _depth(body: Node) -> int:
    depths = {body: 0}
    for element in body.iter():
        parent = element.getparent()
        if parent is not None and element is not body:
            depths[element] = depths[parent] + 1
    return max(depths.values())


def _is_shell(body: Node) -> bool:
    """Whether it has the empty element with an id that a script fills."""
    return any(element.get("id", "") and not len(element) and not element.text for element in body.iter("div", "main"))


def _joined(blocks: Iterable[Block]) -> str:
    parts: list[str] = []
    last = None
    for block in blocks:
        if last is not None:
            parts.append("\n" if last.kind == block.kind == "item" else "\n\n")
        parts.append(block.text)
        last = block
    return "".join(parts)


def _base(root: Node, name: str) -> str:
    """The address that links are relative to; "" where there is none."""
    address = name if _is_web(name) else ""
    element = next(root.iter("base"), None)
    href = "" if element is None else element.get("href", "").strip()
    resolved = _resolved(address, href) if href else ""
    return resolved or address


def _links_in(blocks: Iterable[Block]) -> Iterator[tuple[str, str]]:
    return (link for block in blocks for link in block.links)


def _links(links: Iterable[tuple[str, str]], base: str) -> list[tuple[str, str]]:
    """Text and address of each link, once, without those into the page itself."""
    found: dict[str, tuple[str, str]] = {}
    for words, href in links:
        url = "" if href.startswith("#") else _resolved(base, href)
        page = url.partition("#")[0]
        if page and page != base.partition("#")[0]:
            found.setdefault(page, (words.replace(" — ", " - ")[:150], url))
    return list(found.values())


def _menu(blocks: Sequence[Block], listed: Iterable[tuple[str, str]], base: str) -> list[tuple[str, str]]:
    """The links around the text that are not listed yet, without adverts; those of a footer come last."""
    around = [block for block in blocks if block.links and block.noise < 3]
    around.sort(key=lambda block: next(block.where.iterancestors("footer"), None) is not None)
    known = {url.partition("#")[0] for _, url in listed}
    found = _links(_links_in(around), base)
    return [(words, url) for words, url in found if url.partition("#")[0] not in known][:MENU]


def _leading_on(body: Node) -> Iterator[tuple[str, str]]:
    """Links to the next part of a text or list, which stand beside it."""
    for anchor in body.iter("a"):
        if "next" in anchor.get("rel", "").lower().split() or _ONWARD.fullmatch(words_of(anchor)):
            yield words_of(anchor) or "Next", anchor.get("href", "").strip()


def _resolved(base: str, href: str) -> str:
    """An http(s) address in one line without spaces, or ""."""
    try:
        url = urljoin(base, re.sub(r"[\t\r\n]", "", href))
    except ValueError:
        return ""
    url = _UNSEEN.sub("", _SOFT.sub("", url))
    return re.sub(r"\s", "%20", url) if _is_web(url) and len(url) <= _ADDRESS else ""


def _is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)
