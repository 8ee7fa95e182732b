"""How well pieces of text answer to a question: BM25 over the words that are asked for."""

import math
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from autoagent.language import unified
from autoagent.passages.pieces import Passage, pieces_of
from autoagent.passages.terms import CJK, HANGUL, Terms, stem, terms_of

_K1, _B = 1.2, 0.5  # how soon more of a word adds nothing, how much a long piece has to hold more
_HEADING = 0.4  # of its heading's score goes to what stands beneath; it fades for what holds no word
_RARE = 8  # pieces; a word that no more of them hold is rare


class Scored(NamedTuple):
    score: float
    rare: tuple[int, ...]  # where the rare ones of the question's words stand


def bm25(text: str, starts: Sequence[int], ends: Sequence[int], terms: Terms) -> list[Scored]:
    """One look through the text finds the question's words; what is no word of it costs nothing."""
    pieces, weights = len(starts), terms.weights()
    tallies: list[dict[str, int]] = [{} for _ in starts]
    places: defaultdict[str, list[int]] = defaultdict(list)  # the first in each piece
    for term, at in hits(text, terms):
        piece = bisect_right(starts, at) - 1
        if piece >= 0 and at < ends[piece]:
            if term not in tallies[piece]:
                places[term].append(at)
            tallies[piece][term] = tallies[piece].get(term, 0) + 1
    rarity = {term: math.log(1 + (pieces - len(at) + 0.5) / (len(at) + 0.5)) for term, at in places.items()}
    wanted = sum(rare for term, rare in rarity.items() if weights[term] == 1.0)
    mean = max(1.0, sum(ends[at] - starts[at] for at in range(pieces)) / max(1, pieces))
    scored: list[Scored] = []
    for at, tally in enumerate(tallies):
        if not tally:
            scored.append(Scored(0.0, ()))
            continue
        length = (1 - _B + _B * (ends[at] - starts[at]) / mean) * _K1
        score = full = 0.0
        for term, times in tally.items():
            worth = weights[term] * rarity[term]
            score += worth * times * (_K1 + 1) / (times + length)
            full += worth
        rare = (term for term in tally if weights[term] == 1.0 and len(places[term]) <= _RARE)
        where = (places[term][bisect_left(places[term], starts[at])] for term in rare)
        scored.append(Scored(score * (0.5 + 0.5 * min(1.0, full / max(wanted, 1e-9))), tuple(where)))
    return scored


def hits(text: str, terms: Terms) -> Iterator[tuple[str, int]]:
    """Each occurrence of a term, in whatever form, and where it stands; those of one term in the order of the text."""
    one_form = unified(text)
    found = _hits(one_form.text, terms)
    yield from found if one_form.text == text else ((term, one_form.origin(at)) for term, at in found)


def _hits(text: str, terms: Terms) -> Iterator[tuple[str, int]]:
    if terms.stems:
        again = (f"re{re.escape(word)}at" for word in terms.stems if len(word) > 4)
        beginnings = sorted({*again, *(re.escape(_kept_by_stem(word)) for word in terms.stems)})
        words = re.compile(rf"(?<![^\W_])(?:{'|'.join(beginnings)})[^\W_]*", re.IGNORECASE)
        stems: dict[str, str] = {}
        for found in words.finditer(text):
            word = found[0]
            if word not in stems:
                stems[word] = _as_asked_for(stem(re.sub(rf"[{HANGUL}{CJK}]+$", "", word)), terms)
            if stems[word] in terms.stems:
                yield stems[word], found.start()
    if terms.numbers:
        numbers = "|".join(sorted(map(re.escape, terms.numbers)))
        for found in re.finditer(rf"(?<![\d])(?<!\d[.,])(?:{numbers})(?!\d|[.,]\d)", text):
            yield found[0], found.start()
    for term, spellings in terms.ids.items():
        for found in re.finditer(rf"(?<![A-Za-z\d]){spellings}(?![A-Za-z\d])", text, re.IGNORECASE):
            yield term, found.start()
    for string in terms.strings:
        at = text.find(string)
        while at >= 0:
            yield string, at
            at = text.find(string, at + 1)


def _as_asked_for(stemmed: str, terms: Terms) -> str:
    """recalibrate → calibrate, louder and loudest → loud, where those are asked for."""
    if stemmed in terms.stems:
        return stemmed
    base = re.match(r"(.{4,}?)(?:er|est)$", stemmed)
    return next(
        (word for word in (stemmed.removeprefix("re"), stem(base[1]) if base else "") if word in terms.stems), stemmed
    )


def _kept_by_stem(word: str) -> str:
    """What every word of this stem begins with."""
    return word[:-1] if word.endswith(("i", "y")) and len(word) > 3 else word


def passages(text: str, question: str) -> list[Passage]:
    """All pieces of a text in their order, scored against the question."""
    found = list(pieces_of(text))
    own = bm25(text, [piece.start for piece in found], [piece.end for piece in found], terms_of(question))
    return with_scores(found, own)


def with_scores(found: list[Passage], own: Sequence[Scored]) -> list[Passage]:
    """What a piece holds itself, and a part of what its heading and its header row hold."""
    beneath: defaultdict[int, int] = defaultdict(int)
    for at, piece in enumerate(found):
        score, rare = own[at]
        if score and piece.header is not None:
            score += own[piece.header].score  # which is shown with it
        if piece.heading is not None and own[piece.heading].score:
            beneath[piece.heading] += 1
            score += own[piece.heading].score * _HEADING / (1 if own[at].score else beneath[piece.heading])
        if score:
            found[at] = piece._replace(score=score, rare=rare)
    return found


def scores(texts: Sequence[str], question: str) -> list[float]:
    """How well each text answers to the question's words, compared with the others; 0 where it holds none."""
    starts, at = list[int](), 0
    for text in texts:
        starts.append(at)
        at += len(text) + 1
    whole = "\n".join(texts)
    ends = [start + len(text) for start, text in zip(starts, texts, strict=True)]
    return [scored.score for scored in bm25(whole, starts, ends, terms_of(question))]
