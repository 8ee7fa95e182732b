"""What of several texts is shown: the best of each, then more of the better ones, within tokens together."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from typing import NamedTuple

from autoagent.passages.choosing import LEAST, answering, answering_headings, introduced, neighbours
from autoagent.passages.pieces import Passage, pieces_of
from autoagent.passages.room import Budget, Count, Room
from autoagent.passages.scoring import Scored, bm25, hits, scores, with_scores
from autoagent.passages.terms import terms_of, tokens

_OF_NAME = 0.5  # of the score of a text's name goes to each of its passages that hold a word of the question
_OF_ITS_NAME = 6  # first pieces of a text that answers by its name alone
_FADES = 0.95  # what each further passage of one text counts, against those of others
_WITH_NEIGHBOURS = 3  # passages of a text beside which more is shown
_HEARD = 20  # of the best texts that are shown with one passage each before any is with more
_AKIN = 2  # passages of a text that are shown for what they share with the best ones
_AKIN_CHARS = 2_000_000  # of all texts; in more it takes too long


class Source(NamedTuple):
    """One of several texts. What `name` says counts for all of it; `first_line` is the number of its first line."""

    name: str
    text: str
    first_line: int = 1


class Gathered(NamedTuple):
    """What is shown of one of several texts; `answers` and no text: there was no room for what it holds."""

    text: str
    answers: bool


def gather(
    sources: Sequence[Source], question: str, limit: int, count: Count, *, numbered: bool = False
) -> list[Gathered]:
    """The passages of several texts that matter, in order, within `limit` tokens together.

    They are scored against each other: a word that stands in every text says little. The best texts are each heard
    with a passage; the rest of the room is the better ones', where each further passage of one text counts less.
    With `numbered` each line stands behind its number.
    """
    found, best = _answers(sources, question, limit)
    budget = Budget(limit)
    rooms = [
        Room(source.text, pieces, budget, count, source.first_line, numbered=numbered)
        for source, pieces in zip(sources, found, strict=True)
    ]
    turns: list[Room] = []
    for at, piece in _in_order_of_worth(sources, found, best):
        if rooms[at].take(piece):
            turns.append(rooms[at])
    for room in rooms:
        turns += [room for piece in room.in_short_gaps() if room.take(piece)]
    shown = _all_within(rooms, turns, limit, count)
    return [Gathered(text, bool(pieces)) for text, pieces in zip(shown, best, strict=True)]


def _answers(sources: Sequence[Source], question: str, most: int) -> tuple[list[list[Passage]], list[list[int]]]:
    """Of each text all pieces, and the places of those that answer, the best first."""
    found = _scored_together(sources, question)
    named = scores([source.name for source in sources], question)
    for pieces, worth in zip(found, named, strict=True):
        pieces[:] = [piece._replace(score=piece.score + worth * _OF_NAME * (piece.score > 0)) for piece in pieces]
    least = max((piece.score for pieces in found for piece in pieces), default=0.0) * LEAST
    best = [answering(source.text, pieces, least, most) for source, pieces in zip(sources, found, strict=True)]
    for at, pieces in enumerate(found):
        if not best[at] and named[at] and named[at] == max(named):
            best[at] = list(range(min(_OF_ITS_NAME, len(pieces))))
    return found, best


def _scored_together(sources: Sequence[Source], question: str) -> list[list[Passage]]:
    found = [list(pieces_of(source.text)) for source in sources]
    begins = list(accumulate((len(source.text) + 1 for source in sources), initial=0))
    starts = [begin + piece.start for begin, pieces in zip(begins, found, strict=False) for piece in pieces]
    ends = [begin + piece.end for begin, pieces in zip(begins, found, strict=False) for piece in pieces]
    own = iter(bm25("\n".join(source.text for source in sources), starts, ends, terms_of(question)))
    return [
        with_scores(pieces, [_moved(scored, begin) for scored in islice(own, len(pieces))])
        for begin, pieces in zip(begins, found, strict=False)
    ]


def _moved(scored: Scored, begin: int) -> Scored:
    return scored._replace(rare=tuple(place - begin for place in scored.rare)) if scored.rare else scored


def _in_order_of_worth(
    sources: Sequence[Source], found: Sequence[Sequence[Passage]], best: Sequence[Sequence[int]]
) -> Iterator[tuple[int, int]]:
    """Texts and their pieces as room is given: the best of each, what is rare, the others, then what stands beside."""
    ranked = [
        (found[at][piece].score * _FADES**rank, at, piece)
        for at, pieces in enumerate(best)
        for rank, piece in enumerate(pieces)
    ]
    ranked.sort(key=lambda one: -one[0])
    order = [(at, piece) for _, at, piece in ranked]
    texts = list(dict.fromkeys(at for at, _ in order))
    rare = [(at, piece) for at, piece in order if found[at][piece].rare]
    yield from ((at, best[at][0]) for at in texts[:_HEARD])
    for at, piece in rare:
        yield at, piece
        yield from ((at, answer) for answer in answering_headings(found[at], [piece]))
    yield from order
    yield from _akin(sources, found, best)
    for at in texts:
        yield from ((at, piece) for piece in introduced(sources[at].text, found[at], best[at]))
    for at, piece in order:
        if piece in best[at][:_WITH_NEIGHBOURS]:
            yield from ((at, beside) for beside in neighbours(found[at], piece))


def _akin(
    sources: Sequence[Source], found: Sequence[Sequence[Passage]], best: Sequence[Sequence[int]]
) -> Iterator[tuple[int, int]]:
    """What may say the same in other words: of texts that answer, pieces with words that the best ones share.

    The words that the best passages of two texts hold are asked for in turn (pseudo-relevance feedback; Rocchio 1971).
    """
    shared: defaultdict[str, set[int]] = defaultdict(set)
    for at, pieces in enumerate(best):
        for piece in pieces[:_WITH_NEIGHBOURS]:
            for token in tokens(sources[at].text[found[at][piece].start : found[at][piece].end]):
                shared[token].add(at)
    words = " ".join(token for token, texts in shared.items() if len(texts) > 1 and not token[0].isdigit())
    if not words or sum(len(source.text) for source in sources) > _AKIN_CHARS:
        return
    again = _scored_together(sources, words)
    least = max((piece.score for pieces in again for piece in pieces), default=0.0) * LEAST
    for at, pieces in enumerate(again):
        if best[at]:
            new = [piece for piece in answering(sources[at].text, pieces, least, len(pieces)) if piece not in best[at]]
            yield from ((at, piece) for piece in new[:_AKIN])


def _all_within(rooms: Sequence[Room], turns: list[Room], limit: int, count: Count) -> list[str]:
    """What the rooms hold; where it is too much together, without what was taken last."""
    for named in (True, False):
        shown = [room.shown(named=named) if room.order else "" for room in rooms]
        if sum(count(text) + 1 for text in shown) <= limit:
            return shown
    sizes = [count(text) + 1 for text in shown]
    while turns and sum(sizes) > limit:
        room = turns.pop()
        room.drop_last()
        at = next(place for place, one in enumerate(rooms) if one is room)
        shown[at] = room.shown(named=False) if room.order else ""
        sizes[at] = count(shown[at]) + 1
    return shown


def absent(sources: Sequence[Source], question: str) -> list[str]:
    """The words of a question that stand in none of the texts: a text may say them in others."""
    there = {term for source in sources for term, _ in hits(source.text, terms_of(question))}
    asked = {token: terms_of(token).weights() for token in tokens(question)}
    return [token for token, terms in asked.items() if terms and there.isdisjoint(terms)]
