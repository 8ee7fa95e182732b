"""Figures of the goal in a sentence that says that what was looked for is not there: those state nothing.

The goal never counts as read, so that a false premise is no fact. But "the head in 2031: not found" says nothing of
2031.
"""

import re

from autoagent.evidence.facts import Fact

_NOT_THERE = re.compile(
    r"\bnot (?:be )?(?:found|given|stated|named|mentioned|listed|available|known|in (?:the|any|this|these))\b"
    r"|\bno (?!doubt|question|more|less|fewer)[^.;,\n]{0,60}?\b(?:found|named|given|listed|mentioned)\b"
    r"|\bthere (?:are|is|were|was) no (?!doubt|question|more|less|fewer|longer)"
    r"|\b(?:nothing|none)\b[^.;,\n]{0,40}?\b(?:found|listed|named|says?|mentions?)\b|\bcould not find\b"
    r"|찾을 수 없|찾지 못|나오지 않|나와 있지 않|적혀 있지 않|확인(?:할 수 없|되지 않)|알 수 없|에 없(?:습|다|음|어)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[.!?。](?=\s|$)|,(?=\s)|[;\n]|\s(?:but|although|though|whereas|while)\s", re.IGNORECASE)
_NEAR = 200  # characters of a clause on each side


def is_restated(fact: Fact, text: str, asked: frozenset[tuple[str, str]]) -> bool:
    """Whether a fact of the goal (`asked` are their keys) stands in such a clause."""
    if fact.key not in asked:
        return False
    before, behind = text[max(0, fact.start - _NEAR) : fact.start], text[fact.end : fact.end + _NEAR]
    begin = max((found.end() for found in _CLAUSE.finditer(before)), default=0)
    end = _CLAUSE.search(behind)
    clause = f"{before[begin:]}{text[fact.start : fact.end]}{behind[: end.start()] if end else behind}"
    return _NOT_THERE.search(clause) is not None
