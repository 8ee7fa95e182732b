"""Figures of the goal that a result only repeats: of what was looked for and is not there, and bounds that were asked.

The goal never counts as read, so that a false premise is no fact. But "not found: the head in 2031" states nothing of
2031, and "sales over 9,000" nothing of 9,000.
"""

import re

from autoagent.evidence.facts import Fact

_ABSENT = re.compile(
    r"\b(?:no|not|none|nothing|nobody|never|cannot|unknown|without)\b|n['’]t\b"
    r"|없(?:음|다|습|었|는|어|이|고|으)|않(?:습|다|음|았|는|고)|못(?:했|함|하|한)|알 수 없|모름|미확인|아니",
    re.IGNORECASE,
)
_BOUND_BEFORE = re.compile(
    r"(?:\b(?:over|above|under|below|than|least|most|up to|exceed(?:s|ing|ed)?|between|and|until|by|before|after|since)"
    r"|[<>≤≥]=?)\s*(?:[$€£¥₩]|[A-Z]{3})?\s?$",
    re.IGNORECASE,
)
_BOUND_BEHIND = re.compile(
    r"\s?(?:[%원명개건회일년월]|킬로그램|달러|유로|kg|km|euros?|dollars?|won|EUR|USD|KRW)?\s?"
    r"(?:이상|이하|초과|미만|넘는|넘은|까지|부터|이후|이전|전까지|or (?:more|less)|(?:or|and) (?:above|below|more))",
)
_SENTENCE = re.compile(r"[.!?。](?=\s|$)|\n|;")
_NEAR = 40  # characters


def is_restated(fact: Fact, text: str, asked: frozenset[tuple[str, str]]) -> bool:
    """Whether a fact of the goal (`asked` are their keys) stands in a sentence that says that something is not there,
    or as a bound of what was asked for."""
    if fact.key not in asked:
        return False
    if _BOUND_BEFORE.search(text[max(0, fact.start - _NEAR) : fact.start]):
        return True
    if _BOUND_BEHIND.match(text, fact.end):
        return True
    begin = max((found.end() for found in _SENTENCE.finditer(text, 0, fact.start)), default=0)
    end = _SENTENCE.search(text, fact.end)
    return _ABSENT.search(text, begin, end.start() if end else len(text)) is not None
