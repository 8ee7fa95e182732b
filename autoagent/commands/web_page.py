"""A page of the web as it is shown: fetched within the run's limits, without what nobody sees, in lines."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from autoagent.env import Web
from autoagent.loaders import WITHIN_S
from autoagent.loaders.document import NO_TEXT, Document
from autoagent.sandbox.addresses import read_url

MOST_CHARS = 2_000_000  # of a page
LINE_CHARS = 2_000  # of one line; read_observation shows no more
_LISTS = re.compile(r"^(?:Links|Menu):$", re.MULTILINE)  # a page's own line is none of ours


@dataclass(frozen=True)
class WebPage:
    """No line of a page's text stands above the first empty line but its title and its date.

    `address` is where it was found, `moved_from` the one asked for where that led here, else "". `about` are lines on
    what it is; `links` and `menu` are as they are listed, with their numbers.
    """

    address: str
    moved_from: str
    kind: str
    about: tuple[str, ...]
    body: str
    links: tuple[str, ...] = ()
    menu: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Its own, "" where it has none."""
        return next((line.removeprefix("Title: ") for line in self.about if line.startswith("Title: ")), "")

    @property
    def head(self) -> str:
        moved = [f"Redirected from: {self.moved_from}"] if self.moved_from else []
        return "\n".join([self.address, f"Kind: {self.kind}", *moved, *self.about])

    @property
    def lists(self) -> str:
        return "\n".join([*_headed("Links:", self.links), *_headed("Menu:", self.menu)])

    def __str__(self) -> str:
        return "\n\n".join(part for part in (self.head, self.body, self.lists) if part)


def fetch_page(web: Web, url: str, *, within_s: float = WITHIN_S) -> WebPage:
    """Lines that no page of read_observation could show are broken. Raises CommandError.

    To read what came takes at most `within_s`; to fetch it has limits of its own.
    """
    from autoagent.loaders import load

    came = web.fetch(url)
    document = _readable(load(came.url, came.content, content_type=came.content_type, within_s=within_s))
    head, body, listed = _parts(document)
    menu_at = listed.index("Menu:") if "Menu:" in listed else len(listed)
    return WebPage(
        address=" ".join(came.url.split()),
        moved_from=" ".join(url.split()) if _leads_elsewhere(url, came.url) else "",
        kind=" ".join(document.kind.split()),
        about=tuple(" ".join(line.split()) for line in (*(f"Note: {note}" for note in document.notes), *head)),
        body="\n".join(part for line in body.split("\n") for part in _broken(line)),
        links=listed[:menu_at],
        menu=listed[menu_at + 1 :],
    )


def _headed(heading: str, lines: tuple[str, ...]) -> tuple[str, ...]:
    return (heading, *lines) if lines else ()


def _readable(document: Document) -> Document:
    """Without what nobody sees, which can hide words from a reader, and no longer than anybody reads."""
    text, notes = NO_TEXT.sub("", document.text[:MOST_CHARS]), [*document.notes]
    if unseen := min(len(document.text), MOST_CHARS) - len(text):
        notes.append(f"{unseen:,} invisible characters, which can hide words from a reader, are removed")
    if len(document.text) > MOST_CHARS:
        notes.append(f"cut: the first {MOST_CHARS:,} of {len(document.text):,} characters")
    return replace(document, text=text, notes=tuple(notes))


def _leads_elsewhere(asked: str, came: str) -> bool:
    """Whether an answer is of another address than the one asked for, beyond spelling, fragment and final slash."""
    return read_url(asked).url.rstrip("/") != came.partition("#")[0].rstrip("/")


def _parts(document: Document) -> tuple[list[str], str, tuple[str, ...]]:
    """Title and date, text, lines of the links: loaders.html writes them around the text of a page."""
    from autoagent.loaders.html import KIND

    if document.kind != KIND:
        return [], _LISTS.sub(r" \g<0>", document.text), ()
    text, mark, listed = f"\n\n{document.text}".rpartition("\n\nLinks:\n")
    text, links = (text[2:], tuple(listed.split("\n"))) if mark else (document.text, ())
    first, _, rest = text.partition("\n\n")
    if all(line.startswith(("Title: ", "Date: ")) for line in first.split("\n")):
        return first.split("\n"), rest, links
    return [], text, links


def _broken(line: str) -> Iterator[str]:
    """A long line in parts, at spaces where it has some."""
    start = 0
    while len(line) - start > LINE_CHARS:
        space = line.rfind(" ", start + 1, start + LINE_CHARS)
        end = space if space > 0 else start + LINE_CHARS
        yield line[start:end]
        start = end + (space > 0)
    yield line[start:]
