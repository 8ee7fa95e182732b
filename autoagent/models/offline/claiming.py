"""The claims of a result: each quote with the place where it stands, each figure that a program came to."""

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest

from autoagent.claims import Claim
from autoagent.models.offline.documents import Passage

MOST = 40  # quotes that are claimed one by one; the report's figures and names are looked up all the same


def claims_of(quoted: Sequence[Passage], worked_out: Iterable[Claim] = ()) -> list[Claim]:
    """`worked_out` first, then the quotes: of many documents the first of each, before the second of any."""
    by_document: dict[str, list[Passage]] = {}
    for passage in dict.fromkeys(quoted):
        by_document.setdefault(passage.path, []).append(passage)
    in_turn = [passage for passage in chain(*zip_longest(*by_document.values())) if passage]
    chosen = set(in_turn[:MOST])
    told = [Claim(text=_in_one_line(one.text), source=one.source, quote=one.text) for one in quoted if one in chosen]
    return [*worked_out, *dict.fromkeys(told)]


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
