"""A search engine without a key, read by ddgs: hits, an honest nothing, or the reason why there is neither."""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from autoagent.env import Found, Hit
from autoagent.search.engines import ENGINES, Engine, region
from autoagent.search.hits import clean
from autoagent.search.provider import Unanswered
from autoagent.search.proxy import environment_proxy


class Keyless:
    """The engine of that name in ENGINES. `addresses` puts others in its place: a mirror, or a test's server."""

    def __init__(self, engine: str, addresses: Mapping[str, str] | None = None):
        self._key, self._engine = engine, ENGINES[engine]
        self._address = (addresses or {}).get(engine, "")

    @property
    def name(self) -> str:
        return self._engine.name

    def search(self, query: str, limit: int, timeout_s: float) -> Found:
        """The engine's first page: asking for a second without what a browser would send is what they block for."""
        from autoagent.search.below_ddgs import ask, moved_to

        reading = ask(
            self._key,
            query,
            site=self._engine.site,
            region=region(query, self._key),
            empty=_empty_page(self._engine, query),
            timeout_s=timeout_s,
            proxy=environment_proxy(self._address or f"https://{self._engine.site}"),
            move=moved_to(self._address),
        )
        if self._engine.kind == "encyclopedia":
            return Found(_articles(reading.hits), self.name)
        hits = clean(reading.hits)
        if not hits and reading.wall:
            raise Unanswered("blocks searches (it shows a captcha or consent page)")
        if not hits and not reading.empty:
            raise Unanswered("sent a page that could not be understood", rest=False)
        return Found(hits, self.name)


def _empty_page(engine: Engine, query: str) -> str:
    """XPath of what only the page without results has; words of the query, which pages repeat, prove nothing."""
    words = engine.empty_words
    if not words:
        return engine.empty
    return "" if words.lower() in query.lower() else f"//p[starts-with(normalize-space(.), '{words}')]"


def _articles(hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
    """ddgs decodes the addresses of these, and a title may hold `?` or `#`. That there is none says little."""
    found = clean(replace(hit, url=quote(hit.url, safe="/:,()!*@=~;&$+")) for hit in hits)
    if not found:
        raise Unanswered("has no article of that title", rest=False)
    return found
