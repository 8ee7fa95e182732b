"""The web addresses that a goal holds: no other is ever fetched."""

import re

from autoagent.models.offline.clauses import MAX_GOAL_CHARS, QUOTED

MASK = "\ue010"  # stands for an address where rules look at the words around it
_AFTER = ".,;:!?)]}»”’*_"  # what stands behind an address in a sentence and is no part of it
_ADDRESS = re.compile(
    r"(?P<open>[<\"'`“‘「])?(?P<address>https?://[^\s<>\"'`|\\^{}“”‘’「」]+)(?(open)[>\"'`”’」]?)", re.IGNORECASE
)
_PARTICLE = re.compile(  # behind a Korean noun only what no noun ends in
    r"(?:(?<=[가-힣]{2})(?:에서는?|의|에|을|를)|(?<![가-힣])(?:에서는?|에는?|이랑|랑|와|과|하고|이|가|은|는|을|를|의|도|로))$"
)
_HOST = r"(?:localhost|\d{1,3}(?:\.\d{1,3}){3}|(?:[a-z0-9][a-z0-9-]*\.)+[a-z]{2,})"
_ALMOST = re.compile(
    rf"(?<![\w/.:@-])(?!https?://|file:)(?:(?P<scheme>[a-z]{{2,8}}:/{{1,3}}){_HOST}|www\.{_HOST}|{_HOST}:(?:80|443|\d{{4,5}})(?!\d))"
    r"(?:[:/?#][^\s<>\"'`]*)?",
    re.IGNORECASE,
)


def almost_address(text: str) -> str:
    """The first thing outside quotation marks that would be an address with http:// in front, or ""."""
    found = _ALMOST.search(QUOTED.sub(" ", without_addresses(text[:MAX_GOAL_CHARS])[0]))
    return _bare(found[0]) if found else ""


def completed(almost: str) -> str:
    """The address that an almost_address most likely is."""
    return "http://" + re.sub(r"^[A-Za-z]{2,8}:/{1,3}", "", almost)


def without_addresses(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with a mask for each address, and the addresses in their order, each once."""
    found: list[str] = []

    def masked(match: re.Match[str]) -> str:
        address = _bare(match["address"])
        found.append(address)
        return f" {MASK} {match['address'][len(address) :]}"

    text = _ADDRESS.sub(masked, text)
    return text, tuple(dict.fromkeys(found))


def _bare(address: str) -> str:
    """Without the sentence's punctuation, a bracket that it does not open, and a Korean particle behind it.

    "…/a를" and "…/서울을" lose one, "…/가을" does not.
    """
    while True:
        last = address[-1]
        opened = {")": "(", "]": "["}.get(last)
        if last in _AFTER and not (opened and address.count(opened) >= address.count(last)):
            address = address[:-1]
        elif _PARTICLE.search(address):
            address = _PARTICLE.sub("", address)
        else:
            return address
