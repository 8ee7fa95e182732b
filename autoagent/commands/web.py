"""Search the web and read pages: text from outside, which taints a run."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import unquote

from autoagent.env import Env, Excerpt, Found, WebAddress
from autoagent.errors import CommandError
from autoagent.loaders.document import NO_TEXT, Document
from autoagent.passages import beginning, excerpt, fits, scores
from autoagent.registry import command
from autoagent.sandbox.addresses import read_url

HITS = 10  # results of a search unless told
MOST_HITS = 30
LONGEST_QUERY = 300  # characters; it is words to look for, and no way to carry off what was read
MOST_CHARS = 2_000_000  # of a page
_LISTS = re.compile(r"^(?:Links|Menu):$", re.MULTILINE)  # a page's own line is none of ours
LINE_CHARS = 2_000  # of one line; read_observation shows no more
LINKS_FOUND, LINKS_FIRST, MENU_FIRST = 10, 5, 12  # shown of those with the question's words, and of the others
LIST_TOKENS = 24  # for "Links:", "Menu:" and how many are left out
CLOSING_TOKENS = 60  # for what stands behind an excerpt: where the whole is


@command("reads", outside=True)
def web_search(env: Env, query: str, limit: int = HITS) -> str:
    """Search the web: title, address and extract of the best results, at most 30. Read what matters with browse."""
    if len(query) > LONGEST_QUERY:
        raise CommandError(f"A query has at most {LONGEST_QUERY} characters. Search for fewer words.")
    found = env.web.search(query, max(1, min(limit, MOST_HITS)))
    if not found.hits:
        return "\n".join([f"{found.by} found nothing.", *found.notes])
    listed = (_listing(found, shown) for shown in range(len(found.hits), 0, -1))
    return next((text for text in listed if env.count(text) <= env.share_tokens), _listing(found, 0))


def _listing(found: Found, shown: int) -> str:
    """The first `shown` results. The query is not repeated: no address may stand here that no engine gave."""
    results = "1 result" if len(found.hits) == 1 else f"{len(found.hits)} results"
    lines = [f"{n}. {hit.title}\n   {hit.url}\n   {hit.snippet}" for n, hit in enumerate(found.hits[:shown], 1)]
    left_out = len(found.hits) - shown
    tail = [f"[{left_out} more left out: no room]"] if left_out else []
    return "\n".join([f"{results} of {found.by}", *found.notes, *lines, *tail])


@command("reads", outside=True)
def browse(env: Env, url: WebAddress, question: str) -> Excerpt:
    """Read a page or document of the web: what matters for the question, with title, date and links."""
    from autoagent.loaders import load

    if not question.strip():
        raise CommandError("The question is empty. Say what you want to know of the page.")
    came = env.web.fetch(url)
    asked = url if _leads_elsewhere(url, came.url) else ""
    page = _page(came.url, asked, _readable(load(came.url, came.content, content_type=came.content_type)))
    return Excerpt(_matter(page, question, env.share_tokens - CLOSING_TOKENS, env.count), str(page))


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


@dataclass(frozen=True)
class _Page:
    """What a page is shown as. No line of its text stands above the first empty line but its title and its date.

    `links` and `menu` are as they are listed, with their numbers.
    """

    head: str
    body: str
    links: tuple[str, ...] = ()
    menu: tuple[str, ...] = ()

    def __str__(self) -> str:
        listed = "\n".join([*_headed("Links:", self.links), *_headed("Menu:", self.menu)])
        return "\n\n".join(part for part in (self.head, self.body, listed) if part)


def _headed(heading: str, lines: tuple[str, ...]) -> tuple[str, ...]:
    return (heading, *lines) if lines else ()


def _page(address: str, asked: str, document: Document) -> _Page:
    """Lines that no page of read_observation could show are broken; `asked` is the address that was redirected here."""
    head, body, listed = _parts(document)
    menu_at = listed.index("Menu:") if "Menu:" in listed else len(listed)
    moved = [f"Redirected from: {asked}"] if asked else []
    notes = (f"Note: {note}" for note in document.notes)
    said = [address, f"Kind: {document.kind}", *moved, *notes, *head]
    lines = [part for line in body.split("\n") for part in _broken(line)]
    return _Page(
        "\n".join(" ".join(line.split()) for line in said),
        "\n".join(lines),
        listed[:menu_at],
        listed[menu_at + 1 :],
    )


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


def _matter(page: _Page, question: str, limit: int, count: Callable[[str], int]) -> str:
    """The page within `limit` tokens: the passages and the links that matter."""
    if fits(str(page), limit, count):
        return str(page)
    head = page.head if count(page.head) < limit // 2 else beginning(page.head, limit // 2, count)
    bare = str(_Page(head, page.body))
    spare = limit - count(bare) if fits(bare, limit, count) else 0
    links, menu = _links_that_matter(page, question, max(spare - LIST_TOKENS, limit // 6), count)
    room = limit - count(str(_Page(head, "…", links, menu)))
    first_line = page.head.count("\n") + 3  # of the text, in the whole
    while room > 0:
        body = excerpt(page.body, question, room, count, first_line=first_line)
        text = str(_Page(head, body, links, menu))
        if (over := count(text) - limit) <= 0:
            return text
        room -= over
    return beginning(str(page), limit, count)


def _links_that_matter(
    page: _Page, question: str, limit: int, count: Callable[[str], int]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those of the text and the menu that hold the question's words, the best first, then the first ones of the text.

    Of the menu, the first ones. Each keeps its number.
    """
    lines, text = (*page.links, *page.menu), len(page.links)
    scored = scores([unquote(line) for line in lines], question)
    best = sorted((at for at, score in enumerate(scored) if score > 0), key=lambda at: -scored[at])[:LINKS_FOUND]
    others = [at for at in range(text) if at not in best][:LINKS_FIRST]
    rest = [at for at in range(text, len(lines)) if at not in best][:MENU_FIRST]
    shown: list[int] = []
    for at in (*best, *others, *rest):
        limit -= count(lines[at]) + 1
        if limit < 0:
            break
        shown.append(at)
    left_out = len(lines) - len(shown)
    links = tuple(lines[at] for at in shown if at not in rest)
    menu = tuple(lines[at] for at in shown if at in rest)
    more = (f"[… {left_out:,} more links …]",) if left_out and shown else ()
    return (links, (*menu, *more)) if menu else ((*links, *more), ())
