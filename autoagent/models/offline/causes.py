"""Where a document says why: what is quoted after the passages that a why-question found."""

import re
from collections.abc import Sequence

from autoagent.models.offline.documents import Passage
from autoagent.models.offline.words import stem, tokens

QUOTED = 5
NEAR = 3  # passages from the one that was found, of its section, within which a "because" is taken to be about it
_ASKS = re.compile(
    r"\bwhy\b|\bhow come\b|\b(?:what|which|who)\b.*\b(?:causes?d?|reasons?)\b"
    r"|\b(?:causes?|reasons?) (?:of|for|behind)\b"
    r"|(?<![가-힣])왜(?![가-힣])|원인|이유|까닭|때문",
    re.I | re.S,
)
_NAMED = re.compile(r"\b(?:causes?|reasons?)\b|원인|이유|까닭|사유", re.I)  # in a heading
_WHY = re.compile(r"\bwhy\b|(?<![가-힣])왜(?![가-힣])", re.I)
_DAY = (
    r"\d|then\b|last\b|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)(?:[a-z]*ary|ch|il|ust|[a-z]*ber)?\b"
)
_SAYS = re.compile(
    rf"\bbecause\b|\bsince\b(?!\s+(?:{_DAY}))|\b(?:due|owing|thanks) to\b|\b(?:caus|result)(?:es?|ed|ing)\b"
    r"|\breasons?\b|\bled to\b|\btherefore\b|때문|원인|이유|탓에|바람에|으로 인해|로 인한|[가-힣]므로",
    re.I,
)
WORDS = frozenset({"caus", "cause", "reason", "why", "원인", "이유", "까닭", "때문"})  # stems that ask for a cause


def asks_why(question: str) -> bool:
    return bool(_ASKS.search(question))


def asks_only_why(word: str) -> bool:
    """The word asks for the cause, which need not be called one."""
    return stem(word) in WORDS


def causes(found: Sequence[Passage], chosen: Sequence[int], about: frozenset[str]) -> list[Passage]:
    """Of `found`, in its order: sections that name a cause and sentences that give one, by the `chosen` passages.

    `about` are the stems of the question: a heading "Why …" names the cause only where it shares one.
    """
    ranked: list[tuple[bool, int, int]] = []
    for at, passage in enumerate(found):
        same = [other for other in chosen if found[other].path == passage.path]
        if not same or at in chosen or passage.kind in ("header", "label"):
            continue
        headed, distance = _is_headed(passage.heading, about), min(abs(at - other) for other in same)
        near = any(abs(at - other) <= NEAR and found[other].heading == passage.heading for other in same)
        if headed or (near and _SAYS.search(passage.text)):
            ranked.append((not headed, distance, at))
    return [found[at] for at in sorted(at for _, _, at in sorted(ranked)[:QUOTED])]


def _is_headed(heading: str, about: frozenset[str]) -> bool:
    if _NAMED.search(heading):
        return True
    return bool(_WHY.search(heading)) and any(stem(word) in about for word in tokens(heading))
