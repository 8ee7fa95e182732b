"""Search results made fit to read: clean text, and only addresses that the engine itself gave."""

import html
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import parse_qs, quote, urlsplit

from autoagent.env import Hit

SNIPPET = 400  # characters
TITLE = 200
ADDRESS = 2_000
JOINERS = "\u200c\u200d"  # of Persian and of emoji
_SCHEME = re.compile(r"https?:/+", re.IGNORECASE)
_ADS = ("duckduckgo.com/y.js", "www.bing.com/aclick")
_UNSAFE = "<>\"'`|\\^{} "  # would end the address for whoever reads it in a text


def clean(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    """The hits that have a web address, each address once."""
    found: dict[str, Hit] = {}
    for hit in hits:
        url = web_address(hit.url)
        if url and url not in found:
            title = one_line(hit.title, TITLE) or urlsplit(url).hostname or ""
            found[url] = Hit(title, url, one_line(hit.snippet, SNIPPET))
    return tuple(found.values())


def one_line(text: str, longest: int) -> str:
    """`text` decoded and on one line. No address stands in it, since its words may be those that were asked for.

    What is taken out leaves a space: joining the text on both sides could make an address too.
    """
    decoded = html.unescape(text)
    shown = "".join(" " if unicodedata.category(char)[0] == "C" and char not in JOINERS else char for char in decoded)
    line = " ".join(_SCHEME.sub(" ", shown).split())
    if len(line) <= longest:
        return line
    kept, _, rest = line[: longest - 1].rpartition(" ")
    return f"{kept if len(rest) < longest // 4 else line[: longest - 1]}…"


def web_address(url: str) -> str:
    """The http(s) address that a link of a result leads to, or "" where it has none or is an advertisement."""
    try:
        return _web_address(url.strip())
    except ValueError:
        return ""


def _web_address(url: str) -> str:
    if url.startswith("//"):
        url = f"https:{url}"
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if f"{host}{parts.path}".startswith(_ADS):
        return ""
    if parts.path.rstrip("/") == "/l" and (host == "duckduckgo.com" or host.endswith(".duckduckgo.com")):
        target = parse_qs(parts.query).get("uddg", [""])[0]
        return _web_address(target) if len(target) < len(url) else ""
    if parts.scheme.lower() not in ("http", "https") or not host or "@" in parts.netloc or len(url) > ADDRESS:
        return ""
    _ = parts.port  # raises where it is none
    if any(unicodedata.category(char)[0] == "C" for char in url) or any(char in _UNSAFE for char in parts.netloc):
        return ""
    return "".join(quote(char) if char in _UNSAFE or char.isspace() else char for char in url)
