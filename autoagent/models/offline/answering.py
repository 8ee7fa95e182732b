"""The passages that answer a question, or none: better "not in the documents" than a quote beside the point."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autoagent.models.offline.causes import asks_only_why, asks_why, causes
from autoagent.models.offline.documents import Document, Passage
from autoagent.models.offline.figures import figure_asked
from autoagent.models.offline.passages import passages
from autoagent.models.offline.words import Bag, is_hangul, is_stop, question_terms, stem, tokens

ENOUGH = 0.7  # of the weight of a question's words must be found; all of it where it has two words or fewer
DIRECT, HEADING, NAME, NEIGHBOUR = 1.0, 0.9, 0.9, 0.6  # how far a word counts by where it stands
QUOTES = 5
K, B = 1.2, 0.6  # BM25's saturation and length normalisation
AVERAGE_CHARS = 120
PREDICATE = 0.4  # a verb's weight: its form in the answer is mostly another
LONGEST = 1_200
SUBJECT_WORDS = 3  # a Korean subject stands among the first
SUBJECT = 1.5  # what a passage gains that begins with a noun of the question


@dataclass(frozen=True)
class Answer:
    """Quotes, most relevant first; `unknown` are the question's words that were seen in no document, in no form.

    Without quotes: the words that one of them should have held, and the `nearest` passage, with most of those.
    `causes`: what the same documents say of causes, where the question is why.
    """

    quotes: tuple[Passage, ...]
    unknown: tuple[str, ...]
    causes: tuple[Passage, ...] = ()
    wanted: tuple[str, ...] = ()
    nearest: Passage | None = None


def answer(question: str, documents: Sequence[Document], ignored: Sequence[str] = ()) -> Answer:
    """`ignored` are words of the question that only said where to look. No header of a table is an answer."""
    skip = {stem(word) for word in ignored}
    asked = [term for term in question_terms(question) if term.stem not in skip]
    why = asks_why(question)
    if why:
        asked = [term for term in asked if not asks_only_why(term.word)] or asked
    terms = {term.stem: term.predicate for term in asked}
    found = [passage for document in documents for passage in passages(document) if _quotable(passage)]
    direct = [_holding(terms, passage.text) for passage in found]
    around = [_holding(terms, f"{passage.heading}\n{passage.header}") for passage in found]
    names = {document.path: _holding(terms, " ".join(tokens(document.path))) for document in documents}
    weights = {
        term: _idf(len(found), sum(term in held for held in direct)) * (PREDICATE if predicate else 1.0)
        for term, predicate in terms.items()
    }
    everywhere = set[str]().union(*direct, *around, *names.values())
    figure = figure_asked(question)
    nouns = {term for term, predicate in terms.items() if not predicate}
    scored: list[tuple[float, int]] = []
    for at, passage in enumerate(found):
        if not direct[at] or (figure and not figure.allows(passage.text)):
            continue
        near = _neighbours(found, direct, at)
        credit = {term: _credit(term, direct[at], around[at], names[passage.path], near) for term in terms}
        if _enough(credit, weights, terms) and _own(direct[at], weights):
            length = K * (1 - B + B * len(passage.text) / AVERAGE_CHARS)
            gain = figure.gain(passage.text) if figure else 1.0
            gain *= SUBJECT if _subject(passage.text) in nouns else 1.0
            score = gain * sum(weights[term] * credit[term] for term in terms) * (1 + K) / (1 + length)
            scored.append((score, at))
    scored.sort(key=lambda pair: (-pair[0], pair[1]))
    best = scored[0][0] if scored else 0.0
    chosen = [at for score, at in scored if score >= 0.6 * best][:QUOTES]
    reasons = causes(found, chosen, frozenset(terms)) if why else []
    unknown = tuple(term.named for term in asked if term.stem not in everywhere)
    wanted = tuple(term.named for term in asked)
    near = None if chosen else _nearest(direct, weights)
    nearest = None if near is None else found[near]
    return Answer(tuple(found[at] for at in chosen), unknown, tuple(reasons), wanted, nearest)


def _nearest(direct: Sequence[set[str]], weights: dict[str, float]) -> int | None:
    """The first passage that itself holds most of the question, by weight; None where each holds nothing of it."""
    held = [sum(weights[term] for term in terms) for terms in direct]
    best = max(held, default=0.0)
    return held.index(best) if best else None


def _quotable(passage: Passage) -> bool:
    return passage.kind != "header" and len(passage.text) <= LONGEST


def _subject(text: str) -> str:
    """The stem of the first noun; in Korean the first word with a subject's particle, what is before modifies it."""
    words = [word for word in tokens(text) if not is_stop(word)][:SUBJECT_WORDS]
    if words and is_hangul(words[0]):
        words = [word for word in words if word[-1] in "은는이가"]
    return stem(words[0]) if words else ""


def _holding(terms: dict[str, bool], text: str) -> set[str]:
    if not terms:
        return set()
    bag = Bag(text)
    return {term for term in terms if bag.holds(term)}


def _idf(passages_count: int, holding: int) -> float:
    return math.log(1 + (passages_count - holding + 0.5) / (holding + 0.5))


def _neighbours(found: list[Passage], direct: list[set[str]], at: int) -> set[str]:
    """Words of the passages just before and after in the same section."""
    here = found[at]
    near: set[str] = set()
    for other in (at - 1, at + 1):
        if 0 <= other < len(found) and (found[other].path, found[other].heading) == (here.path, here.heading):
            near |= direct[other] if here.kind != "row" else set()
    return near


def _credit(term: str, direct: set[str], around: set[str], name: set[str], near: set[str]) -> float:
    for credit, held in ((DIRECT, direct), (HEADING, around), (NAME, name), (NEIGHBOUR, near)):
        if term in held:
            return credit
    return 0.0


def _enough(credit: dict[str, float], weights: dict[str, float], terms: dict[str, bool]) -> bool:
    nouns = [term for term, predicate in terms.items() if not predicate] or list(terms)
    if len(nouns) <= 2:
        return all(credit[term] >= NEIGHBOUR for term in nouns)
    covered = sum(credit[term] * weights[term] for term in terms)
    return covered >= ENOUGH * sum(weights.values())


def _own(direct: set[str], weights: dict[str, float]) -> bool:
    """At least a third of the question stands in the passage itself, not only in its heading or file name."""
    return sum(weights[term] for term in direct) * 3 >= sum(weights.values())
