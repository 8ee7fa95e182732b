"""The first results of a search, read at once: what in their pages matters for the query, each with its address."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from autoagent.commands.side_by_side import side_by_side
from autoagent.commands.web_page import WebPage, fetch_page
from autoagent.env import Env, Excerpt, Found, Hit
from autoagent.errors import CommandError
from autoagent.passages import NOTHING, Gathered, Source, absent, beginning, gather
from autoagent.sandbox.addresses import read_url
from autoagent.search.hits import one_line

EACH_TOKENS = 1_600  # of a page at most, together: what is left of a short one is the others'
POOR_TOKENS = 80  # of a page that holds none of the query's words
READ_S = 45.0  # for all pages together
WHY_CHARS = 300
CLOSING_TOKENS = 60  # for what stands behind an excerpt: where the whole is
_OURS = re.compile(r"^(?=(?:Read|Redirected from): )", re.MULTILINE)  # taint.py reads these lines; a page has none


@dataclass(frozen=True)
class _Read:
    """A result that was to be read: what is shown above its text, and its page, None where it is not shown."""

    hit: Hit
    head: str
    page: WebPage | None = None

    @property
    def whole(self) -> str:
        if self.page is None:
            return self.head
        return "\n\n".join([self.head, *(part for part in (self.text, _without_our_lines(self.page.lists)) if part)])

    @property
    def text(self) -> str:
        return _without_our_lines(self.page.body) if self.page else ""


def read_results(env: Env, query: str, found: Found, read: int) -> Excerpt:
    """The first `read` results of a search with what matters in them, then the others; the whole has all their text.

    Pages that hold more of what is asked for get more of the room.
    """
    hits = found.hits[:read]
    came = side_by_side([partial(_fetched, env, hit) for hit in hits], threads=read, within_s=READ_S)
    results = _each_once(hits, came)
    others = [_listed(number, hit) for number, hit in enumerate(found.hits[read:], read + 1)]
    pages = sum(isinstance(page, WebPage) for page in came)
    amount = "1 result" if len(found.hits) == 1 else f"{len(found.hits)} results"
    top = "\n".join([f"{amount} of {found.by}, {pages} read", *found.notes])
    shown = _shown(env, query, top, results, others)
    return Excerpt(shown, "\n\n".join([top, *(result.whole for result in results), *others]))


def _fetched(env: Env, hit: Hit) -> WebPage:
    if hit.barred:
        raise CommandError(f"{hit.barred}.")
    return fetch_page(env.web, hit.url, within_s=READ_S)


def _each_once(hits: Sequence[Hit], came: Sequence[WebPage | Exception]) -> list[_Read]:
    """Each text once, whatever addresses it has; one that could not be read with the reason."""
    first: dict[str, int] = {}
    results: list[_Read] = []
    for number, (hit, page) in enumerate(zip(hits, came, strict=True), 1):
        if isinstance(page, Exception):
            results.append(_Read(hit, f"{_listed(number, hit)}\n   not read: {_why(page)}"))
            continue
        text = " ".join(page.body.split())
        same = first.setdefault(text, number) if text else number
        if same == number:
            results.append(_Read(hit, _head(number, hit, page), page))
        else:
            head = _head(number, hit, replace(page, about=()))
            results.append(_Read(hit, f"{head}\nThe same text as result {same}."))
    return results


def _why(error: Exception) -> str:
    """In one line, in which no address stands."""
    return one_line(str(error) if isinstance(error, CommandError) else f"{type(error).__name__}: {error}", WHY_CHARS)


def _listed(number: int, hit: Hit) -> str:
    return f"{number}. {hit.title}\n   {hit.url}\n   {hit.snippet}"


def _head(number: int, hit: Hit, page: WebPage) -> str:
    """Only what was really fetched stands behind "Read:" and "Redirected from:"."""
    from autoagent.loaders.html import KIND

    moved = [f"Redirected from: {page.moved_from}"] if page.moved_from else []
    kind = [f"Kind: {page.kind}"] if page.kind != KIND else []
    about = [line for line in page.about if line != f"Title: {hit.title}"]
    address = page.address if page.moved_from else read_url(hit.url).url
    return "\n".join([f"{number}. {hit.title}", f"Read: {address}", *moved, *kind, *about])


def _shown(env: Env, query: str, top: str, results: Sequence[_Read], others: Sequence[str]) -> str:
    """All of it within the share: where room is short, other results are left out first."""
    most = env.share_tokens - CLOSING_TOKENS
    sources = _sources(top, results)
    top = "\n".join([top, *_not_there(query, sources)])
    heads = [top, *(result.head for result in results)]
    others = _that_fit(env, heads, others, most // 2)
    fixed = env.count("\n".join([*heads, *others]))
    limit = min(most, fixed + EACH_TOKENS * sum(result.page is not None for result in results))
    room = limit - fixed
    while room > 0:
        gathered = gather(sources, query, room, env.count)
        shown = [_filled(*one, room, env) for one in zip(results, sources, gathered, strict=True)]
        text = "\n".join([top, *shown, *others])
        if (over := env.count(text) - limit) <= 0:
            return text
        room -= over + 1
    return beginning("\n".join([*heads, *others]), most, env.count)


def _not_there(query: str, sources: Sequence[Source]) -> list[str]:
    """Words of the query that no page holds. They are the model's own, so they stand in no text that is kept whole."""
    words = absent(sources, query) if any(source.text for source in sources) else []
    return [f"No page that was read holds: {', '.join(words)}"] if words else []


def _that_fit(env: Env, heads: Sequence[str], others: Sequence[str], limit: int) -> list[str]:
    """The first of the other results, as many as fit with the heads."""
    listed: list[str] = []
    for shown in range(len(others), -1, -1):
        left_out = len(others) - shown
        listed = [*others[:shown], *([f"[{left_out} more left out: no room]"] if left_out else [])]
        if env.count("\n".join([*heads, *listed])) <= limit:
            break
    return listed


def _sources(top: str, results: Sequence[_Read]) -> list[Source]:
    """The texts with the lines at which they begin in the whole; an empty one for a page that is not shown."""
    sources: list[Source] = []
    line = top.count("\n") + 3
    for result in results:
        name, text = (f"{result.hit.title} {result.page.title}", result.text) if result.page else ("", "")
        sources.append(Source(name, text, line + result.head.count("\n") + 2))
        line += result.whole.count("\n") + 2
    return sources


def _filled(result: _Read, source: Source, gathered: Gathered, room: int, env: Env) -> str:
    """A result with what of its page is shown."""
    if result.page is None:
        return result.head
    if gathered.text:
        return f"{result.head}\n{_without_our_lines(gathered.text)}"
    if gathered.answers:
        return f"{result.head}\n[its passages: no room]"
    if not source.text.strip():
        return f"{result.head}\n(no text)"
    start = beginning(source.text, min(POOR_TOKENS, room // 2), env.count, first_line=source.first_line)
    return f"{result.head}\n{NOTHING}\n{_without_our_lines(start)}"


def _without_our_lines(text: str) -> str:
    return _OURS.sub(" ", text)
