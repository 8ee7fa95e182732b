"""The parts of ddgs below its API, which says the same for a block as for nothing found; all that is private is here.

An engine of ddgs builds the request and reads the page. In place of its HTTP client stands one that keeps what came.
"""

import codecs
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from autoagent.env import Hit
from autoagent.search.engines import WALL, WALL_ADDRESS
from autoagent.search.hits import web_address
from autoagent.search.provider import Unanswered, refusal, silent, unreachable

PAGE_BYTES = 4_000_000
HOPS = 3  # redirects within the engine's own site
_MOVED = {301, 302, 303, 307, 308}


@dataclass
class _Row:
    """A result as it stands in the page: ddgs' own class decodes addresses, which changes where they lead."""

    title: str = ""
    href: str = ""
    body: str = ""


@dataclass(frozen=True)
class Page:
    """What ddgs reads of a response."""

    status_code: int
    text: str


@dataclass
class Client:
    """In place of ddgs' HttpClient: bounded in time and size, redirected within the site only, and a block raises.

    `client` is primp's, on which engines set cookies; `move` puts another address in an engine's place.
    """

    client: Any
    site: str
    deadline: float
    move: Callable[[str], str]
    pages: list[str] = field(default_factory=list[str])

    def request(self, method: str, url: str, **content: Any) -> Page:
        address = self.move(url)
        for _ in range(HOPS + 1):
            status, headers, body = self._ask(method, address, content)
            location = headers.get("location", "")
            if status not in _MOVED or not location:
                if status != 200:
                    raise refusal(status, headers.get("retry-after", ""))
                text = decode(body, headers.get("content-type", ""))
                self.pages.append(text)
                return Page(status, text)
            address = self._followed(address, urljoin(address, location))
            if status not in (307, 308):
                method, content = "GET", {}
            else:
                content.pop("params", None)
        raise Unanswered("blocks searches (it redirects in circles)")

    def _followed(self, address: str, target: str) -> str:
        here, there = urlsplit(address), urlsplit(target)
        if WALL_ADDRESS.search(f"{there.netloc}{there.path}"):
            raise Unanswered("blocks searches (it redirects to a consent or captcha page)")
        host = there.hostname or ""
        own = there.netloc == here.netloc or host == self.site or host.endswith(f".{self.site}")
        if not own or there.scheme not in (here.scheme, "https"):
            raise Unanswered("blocks searches (it redirects to another site)")
        return target if there.netloc == here.netloc else self.move(target)

    def _ask(self, method: str, url: str, content: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        from ddgs.http_client import primp  # pyright: ignore[reportPrivateImportUsage]  # whose errors the client raises

        left = self.deadline - time.monotonic()
        if left <= 0:
            raise silent()
        try:
            response = self.client.request(
                method, url, **content, follow_redirects=False, stream=True, timeout=left, read_timeout=left
            )
            try:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return response.status_code, headers, self._body(response)
            finally:
                response.close()
        except primp.TimeoutError as error:
            raise silent() from error
        except primp.ConnectError as error:
            raise unreachable() from error
        except primp.DNSError as error:
            raise unreachable() from error
        except primp.PrimpError as error:
            raise Unanswered("broke off its answer", rest=False) from error

    def _body(self, response: Any) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > PAGE_BYTES:
                raise Unanswered(f"sent more than {PAGE_BYTES // 1_000_000} MB")
            if time.monotonic() > self.deadline:
                raise silent()
        return bytes(body)


@dataclass(frozen=True)
class Reading:
    """What ddgs made of a page: its links, and whether the page is a wall or says that there is nothing."""

    hits: tuple[Hit, ...]
    wall: bool = False
    empty: bool = False


def ask(
    engine: str,
    query: str,
    *,
    site: str,
    region: str,
    empty: str,
    timeout_s: float,
    proxy: str | None,
    move: Callable[[str], str],
) -> Reading:
    """Search with one engine of ddgs. Raises Unanswered where no page came that can be read.

    `empty` is an XPath that only the page without results matches.
    """
    from ddgs.base import BaseSearchEngine
    from ddgs.engines import ENGINES

    deadline = time.monotonic() + timeout_s
    found: type[BaseSearchEngine[Any]] = ENGINES["text"][engine]
    exact: Any = type(found.__name__, (found,), {"result_type": property(lambda _: _Row)})
    try:
        asked = exact(proxy=proxy, timeout=max(1, round(timeout_s)))
    except Exception as error:
        raise Unanswered("cannot be asked through the proxy that the environment names", rest=False) from error
    client = asked.http_client = Client(asked.http_client.client, site, deadline, move)
    try:
        rows = asked.search(query, region=region)
    except Unanswered:
        raise
    except Exception as error:  # a page that is no HTML or JSON, or of another shape: whatever its parser raises
        raise _not_understood() from error
    hits = tuple(Hit(row.title, row.href, row.body) for row in rows or ())
    if any(web_address(hit.url) for hit in hits) or not client.pages or _is_json(client.pages[0]):
        return Reading(hits)
    try:
        tree = asked.extract_tree(asked.pre_process_html(client.pages[-1]))
    except Exception as error:
        raise _not_understood() from error
    return Reading(hits, wall=bool(tree.xpath(WALL)), empty=bool(empty and tree.xpath(empty)))


def _not_understood() -> Unanswered:
    return Unanswered("sent a page that could not be understood", rest=False)


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in ("[", "{")


def moved_to(address: str) -> Callable[[str], str]:
    """Puts the scheme, host and folder of `address` in the place of an engine's scheme and host."""
    if not address:
        return str
    to = urlsplit(address)

    def move(url: str) -> str:
        parts = urlsplit(url)
        return urlunsplit((to.scheme, to.netloc, to.path.rstrip("/") + parts.path, parts.query, ""))

    return move


def decode(body: bytes, content_type: str) -> str:
    """UTF-8 where it is valid, which no other encoding is by chance; else as the header says."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        named = re.search(r"charset=[\"']?([\w.:-]+)", content_type)
        try:
            charset = codecs.lookup(named[1]).name if named else "utf-8"
            return body.decode(charset, "replace")
        except (LookupError, ValueError):
            return body.decode("utf-8", "replace")
