"""Search the web and read pages: text from outside, which taints a run."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote

from autoagent.commands.results import CLOSING_TOKENS, read_results
from autoagent.commands.web_page import WebPage, fetch_page
from autoagent.env import Env, Excerpt, Found, WebAddress
from autoagent.errors import CommandError
from autoagent.passages import beginning, excerpt, fits, scores
from autoagent.registry import command

HITS = 10  # results of a search unless told
MOST_HITS = 30
MOST_READ = 5
LONGEST_QUERY = 300  # characters; it is words to look for, and no way to carry off what was read
LINKS_FOUND, LINKS_FIRST, MENU_FIRST = 10, 5, 12  # shown of those with the question's words, and of the others
LIST_TOKENS = 24  # for "Links:", "Menu:" and how many are left out


@command("reads", outside=True)
def web_search(env: Env, query: str, limit: int = HITS, read: int = 0) -> Excerpt:
    """Search the web: title, address and extract of the best results, at most 30.

    `read`: so many of the first results, at most 5, are read at once; shown is what in them matters for the query.
    """
    if len(query) > LONGEST_QUERY:
        raise CommandError(f"A query has at most {LONGEST_QUERY} characters. Search for fewer words.")
    found = env.web.search(query, max(1, min(limit, MOST_HITS)))
    if not found.hits:
        return Excerpt("\n".join([f"{found.by} found nothing.", *found.notes]), "")
    if read > 0:
        return read_results(env, query, found, min(read, MOST_READ))
    listed = (_listing(found, shown) for shown in range(len(found.hits), 0, -1))
    return Excerpt(next((text for text in listed if env.count(text) <= env.share_tokens), _listing(found, 0)), "")


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
    if not question.strip():
        raise CommandError("The question is empty. Say what you want to know of the page.")
    page = fetch_page(env.web, url)
    return Excerpt(_matter(page, question, env.share_tokens - CLOSING_TOKENS, env.count), str(page))


def _matter(page: WebPage, question: str, limit: int, count: Callable[[str], int]) -> str:
    """The page within `limit` tokens: the passages and the links that matter."""
    if fits(str(page), limit, count):
        return str(page)
    head = page.head if count(page.head) < limit // 2 else beginning(page.head, limit // 2, count)
    bare = f"{head}\n\n{page.body}"
    spare = limit - count(bare) if fits(bare, limit, count) else 0
    links, menu = _links_that_matter(page, question, max(spare - LIST_TOKENS, limit // 6), count)
    lists = replace(page, links=links, menu=menu).lists
    room = limit - count("\n\n".join([head, "…", lists]))
    first_line = page.head.count("\n") + 3  # of the text, in the whole
    while room > 0:
        body = excerpt(page.body, question, room, count, first_line=first_line)
        text = "\n\n".join(part for part in (head, body, lists) if part)
        if (over := count(text) - limit) <= 0:
            return text
        room -= over
    return beginning(str(page), limit, count)


def _links_that_matter(
    page: WebPage, question: str, limit: int, count: Callable[[str], int]
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
