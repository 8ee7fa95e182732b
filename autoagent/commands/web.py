"""Search the web and read pages: text from outside, which taints a run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from autoagent.env import Env, Excerpt, Found, WebAddress
from autoagent.errors import CommandError
from autoagent.loaders.document import Document
from autoagent.passages import beginning, excerpt, fits, scores
from autoagent.registry import command

HITS = 10  # results of a search unless told
MOST_HITS = 30
LINE_CHARS = 2_000  # of one line; read_observation shows no more
LINKS_FOUND, LINKS_FIRST = 10, 5  # shown of those with the question's words, and of the others
CLOSING_TOKENS = 60  # for what stands behind an excerpt: where the whole is


@command("reads", outside=True)
def web_search(env: Env, query: str, limit: int = HITS) -> str:
    """Search the web: title, address and extract of the best results, at most 30. Read what matters with browse."""
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
    page = _page(came.url, load(came.url, came.content, content_type=came.content_type))
    return Excerpt(_matter(page, question, env.share_tokens - CLOSING_TOKENS, env.count), str(page))


@dataclass(frozen=True)
class _Page:
    """What a page is shown as. No line of its text stands above the first empty line but its title and its date."""

    head: str
    body: str
    links: tuple[str, ...]  # as they are listed, with their numbers

    def __str__(self) -> str:
        listed = "\n".join(["Links:", *self.links]) if self.links else ""
        return "\n\n".join(part for part in (self.head, self.body, listed) if part)


def _page(address: str, document: Document) -> _Page:
    """Lines that no page of read_observation could show are broken."""
    head, body, links = _parts(document)
    said = [address, f"Kind: {document.kind}", *(f"Note: {note}" for note in document.notes), *head]
    lines = [part for line in body.split("\n") for part in _broken(line)]
    return _Page("\n".join(" ".join(line.split()) for line in said), "\n".join(lines), links)


def _parts(document: Document) -> tuple[list[str], str, tuple[str, ...]]:
    """Title and date, text, links: loaders.html writes them around the text of a page."""
    from autoagent.loaders.html import KIND

    if document.kind != KIND:
        return [], document.text, ()
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
    links = _links_that_matter(page.links, question, limit // 6, count)
    around = _Page(head, "…", links)
    room = limit - count(str(around))
    while room > 0:
        text = str(_Page(head, excerpt(page.body, question, room, count), links))
        if (over := count(text) - limit) <= 0:
            return text
        room -= over
    return beginning(str(page), limit, count)


def _links_that_matter(
    links: tuple[str, ...], question: str, limit: int, count: Callable[[str], int]
) -> tuple[str, ...]:
    """Those that hold the question's words, the best first, then the first ones; each keeps its number."""
    scored = scores([unquote(line) for line in links], question)
    best = sorted((at for at, score in enumerate(scored) if score > 0), key=lambda at: -scored[at])[:LINKS_FOUND]
    others = [at for at in range(len(links)) if at not in best][:LINKS_FIRST]
    shown: list[str] = []
    for at in (*best, *others):
        limit -= count(links[at]) + 1
        if limit < 0:
            break
        shown.append(links[at])
    left_out = len(links) - len(shown)
    return (*shown, *([f"[… {left_out:,} more links …]"] if left_out and shown else []))
