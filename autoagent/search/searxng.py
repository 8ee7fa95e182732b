"""A SearXNG instance of the user's, asked for JSON."""

import json
import time
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urljoin, urlsplit

from autoagent.env import Found, Hit
from autoagent.errors import ConfigError
from autoagent.search.engines import language
from autoagent.search.hits import clean, one_line
from autoagent.search.provider import Unanswered, refusal, silent, unreachable
from autoagent.search.proxy import environment_proxy

if TYPE_CHECKING:
    from requests import Response, Session

ANSWER_BYTES = 4_000_000
HOPS = 3
_HEADERS = {  # its limiter turns away clients that send none of these, or the library's name
    "User-Agent": "autoagent",
    "Accept": "application/json, text/html;q=0.5",
    "Accept-Language": "en",
}
_NO_JSON = "does not give JSON ({}): enable `json` under search.formats in its settings.yml"


class SearXNG:
    """The instance at `address`, which is the user's own setting and may be on this machine.

    Raises ConfigError where it is no http(s) address.
    """

    def __init__(self, address: str):
        self._url = f"{check_address(address).rstrip('/').removesuffix('/search')}/search"

    @property
    def name(self) -> str:
        return f"SearXNG at {urlsplit(self._url).netloc.rpartition('@')[2]}"

    def search(self, query: str, limit: int, timeout_s: float) -> Found:
        answer = _answer(self._get(query, time.monotonic() + timeout_s))
        hits = clean(_hits(answer.get("results")))
        unresponsive = _unresponsive(answer.get("unresponsive_engines"))
        if unresponsive and not hits:
            raise Unanswered(f"found nothing, but not all of its engines answered: {unresponsive}", rest=False)
        return Found(hits, self.name, (f"{self.name} had no answer of {unresponsive}",) if unresponsive else ())

    def _get(self, query: str, deadline: float) -> bytes:
        import requests

        with requests.Session() as session:
            session.trust_env = False  # neither .netrc nor its own reading of the proxies
            try:
                session.headers.update(_HEADERS)
                return self._follow(session, {"q": query, "format": "json", "language": language(query)}, deadline)
            except requests.Timeout as error:
                raise silent() from error
            except requests.RequestException as error:
                raise unreachable() from error

    def _follow(self, session: "Session", params: dict[str, str], deadline: float) -> bytes:
        from urllib3.exceptions import HTTPError, ReadTimeoutError

        url = self._url
        for _ in range(HOPS + 1):
            left = deadline - time.monotonic()
            if left <= 0:
                raise silent()
            proxy = environment_proxy(url)
            with session.get(
                url,
                params=params,
                timeout=left,
                stream=True,
                allow_redirects=False,
                proxies={"http": proxy, "https": proxy} if proxy else None,
            ) as response:
                location = response.headers.get("location", "") if response.is_redirect else ""
                if not location:
                    _check(response)
                    try:
                        return _body(response, deadline)
                    except ReadTimeoutError as error:
                        raise silent() from error
                    except (HTTPError, OSError) as error:
                        raise Unanswered("broke off its answer", rest=False) from error
            target = urljoin(url, location)
            if urlsplit(target).netloc != urlsplit(url).netloc:
                raise Unanswered("redirects to another host: is its address right?")
            url, params = target, {}
        raise Unanswered("redirects in circles: is its address right?")


def check_address(text: str) -> str:
    """The address, if it is one. Raises ConfigError."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"search: {text!r} is no address. One of SearXNG looks like http://127.0.0.1:8888")
    return text


def _check(response: "Response") -> None:
    if response.status_code == 403:
        raise Unanswered(_NO_JSON.format(403))
    if response.status_code != 200:
        raise refusal(response.status_code, response.headers.get("retry-after", ""))


def _body(response: "Response", deadline: float) -> bytes:
    """Read as it comes, since a read of a whole block would wait past the deadline for a body that drips."""
    body = bytearray()
    while chunk := response.raw.read1(1 << 16, decode_content=True):
        body += chunk
        if len(body) > ANSWER_BYTES:
            raise Unanswered(f"sent more than {ANSWER_BYTES // 1_000_000} MB")
        if time.monotonic() > deadline:
            raise silent()
    return bytes(body)


def _answer(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        if body.lstrip()[:1] == b"<":
            raise Unanswered(_NO_JSON.format("it sent a page")) from error
        raise _no_searxng() from error
    fields = cast(dict[str, Any], answer) if isinstance(answer, dict) else {}
    if not isinstance(fields.get("results"), list):
        raise _no_searxng()
    return fields


def _no_searxng() -> Unanswered:
    return Unanswered("sent something else than results: is this the address of a SearXNG?", rest=False)


def _hits(results: Any) -> list[Hit]:
    rows = [cast(dict[str, Any], row) for row in results if isinstance(row, dict)]
    return [Hit(*(text if isinstance(text := row.get(key), str) else "" for key in _FIELDS)) for row in rows]


_FIELDS = ("title", "url", "content")


def _unresponsive(engines: Any) -> str:
    """`[["google", "CAPTCHA"], …]` in words, "" where all answered."""
    if not isinstance(engines, list):
        return ""
    entries = [cast(list[Any], entry) for entry in cast(list[Any], engines) if isinstance(entry, list)]
    return one_line(", ".join(" ".join(str(part) for part in entry) for entry in entries), 200)
