"""Title and date that a page states of itself. A date is never inferred: one that stands nowhere is worse than none."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from email.utils import parsedate
from typing import Any, cast

from autoagent.loaders.blocks import plain
from autoagent.loaders.tree import Node

_PUBLISHED = frozenset(
    {"article:published_time", "og:published_time", "datepublished", "date", "pubdate", "publishdate", "publish_date"}
    | {"publish-date", "dc.date", "dc.date.issued", "dcterms.issued", "dcterms.created", "dcterms.date"}
    | {"parsely-pub-date", "sailthru.date", "citation_publication_date", "citation_date", "article.published"}
)
_CHANGED = frozenset(
    {"article:modified_time", "og:updated_time", "datemodified", "dcterms.modified", "last-modified", "revised"}
)
_ISO = re.compile(r"\s*((?:19|20)\d\d)([-/.]?)(\d\d?)\2(\d\d?)(?!\d)")
_IN_ADDRESS = re.compile(r"/((?:19|20)\d\d)[/-](\d\d)[/-](\d\d)(?:[/-]|$)")
_NESTED = ("mainEntity", "mainEntityOfPage")


def title_of(root: Node) -> str:
    """As a page names itself to others, else its title, else its first heading."""
    metas = _metas(root)
    title = root.find(".//title")
    heading = root.find(".//h1")
    candidates = (
        metas.get("og:title", ""),
        "" if title is None else " ".join("".join(title.itertext()).split()),
        metas.get("twitter:title", ""),
        "" if heading is None else plain(heading),
    )
    return next((candidate[:500] for candidate in candidates if candidate), "")


def date_of(root: Node, address: str) -> str:
    """`2024-03-18`, or "" where the page states none: when it was published, else when it was last changed."""
    metas = _metas(root)
    said = list(_said(root))
    candidates = (
        *(day for name, day in metas.items() if name in _PUBLISHED),
        *(value for key, value in said if key in ("datePublished", "dateCreated")),
        *_times(root),
        *("-".join(found) for found in _IN_ADDRESS.findall(address)),
        *(day for name, day in metas.items() if name in _CHANGED),
        *(value for key, value in said if key == "dateModified"),
    )
    return next((day for candidate in candidates if (day := _day(candidate))), "")


def _metas(root: Node) -> dict[str, str]:
    """The first of each name, property or itemprop, which are lower-cased."""
    found: dict[str, str] = {}
    for meta in root.iter("meta"):
        for kind in ("property", "name", "itemprop", "http-equiv"):
            if name := meta.get(kind, "").strip().lower():
                found.setdefault(name, " ".join(meta.get("content", "").split()))
    return found


def _said(root: Node) -> Iterator[tuple[str, str]]:
    """What JSON-LD says of the page itself: not of what it links to or quotes."""
    for script in root.iter("script"):
        if script.get("type", "").strip().lower() != "application/ld+json" or not script.text:
            continue
        try:
            said = json.loads(script.text)
        except (ValueError, RecursionError):
            continue
        things = _things(said)
        if len([thing for thing in things if "datePublished" in thing]) > 1:
            continue  # a list of articles
        for thing in things:
            yield from ((str(key), value) for key, value in thing.items() if isinstance(value, str))


def _things(said: Any) -> list[dict[str, Any]]:
    found = cast(list[Any], said if isinstance(said, list) else [said])
    things = [cast(dict[str, Any], thing) for thing in found if isinstance(thing, dict)]
    graphs = [cast(list[Any], thing["@graph"]) for thing in things if isinstance(thing.get("@graph"), list)]
    things += [cast(dict[str, Any], thing) for graph in graphs for thing in graph if isinstance(thing, dict)]
    nested = [thing[key] for thing in things for key in _NESTED if isinstance(thing.get(key), dict)]
    return things + [cast(dict[str, Any], thing) for thing in nested]


def _times(root: Node) -> list[str]:
    """The time elements that say when the page was published, or the first of an article that stands alone."""
    times = list(root.iter("time"))
    marked = [
        element
        for element in times
        if element.get("itemprop", "").lower() in ("datepublished", "datecreated") or element.get("pubdate", "-") != "-"
    ]
    if not marked:
        articles = list(root.iter("article"))
        outer = articles if len(articles) == 1 else [] if articles else list(root.iter("main"))[:1]
        marked = [element for element in times for home in element.iterancestors("article", "main") if home in outer]
    return [element.get("datetime", "") or plain(element) for element in marked[:1]]


def _day(text: str) -> str:
    if found := _ISO.match(text):
        year, month, day = int(found[1]), int(found[3]), int(found[4])
    elif parsed := parsedate(text):
        year, month, day = parsed[:3]
    else:
        return ""
    try:
        stated = date(year, month, day)
    except ValueError:
        return ""
    return stated.isoformat() if 1900 <= year <= datetime.now(UTC).year + 1 else ""
