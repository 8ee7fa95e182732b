"""What of one text is shown: the passages that answer, what they stand beneath, what stands beside them."""

import re
from collections.abc import Iterable, Iterator, Sequence

from autoagent.passages.pieces import Passage
from autoagent.passages.room import Budget, Count, Room, beginning, fits
from autoagent.passages.scoring import passages

NOTHING = "(no passage holds the question's words; the beginning:)"
LEAST = 0.25  # of the best score; what has less holds only words that are everywhere
_INTRODUCED = 25  # pieces that follow a heading, or one that ends with a colon
_HEAD_LINES = 6  # at the start of a text, as long as they are of the form "Title: …"
_HEAD_LINE = re.compile(r"(?:Title|Date|Kind|Note|Author|Subject|From|To|Source): |https?://\S+$")


def excerpt(text: str, question: str, limit: int, count: Count, *, first_line: int = 1) -> str:
    """`text` where it fits `limit` tokens, else the passages that matter, in order, with marks for what is left out.

    Its first lines and, where there is room, its first paragraph are kept. A passage keeps its heading and a row its
    header. Where no passage holds the question's words, the beginning, which is said. The marks name lines, of which
    the text's first is `first_line`.
    """
    if fits(text, limit, count):
        return text
    found = passages(text, question)
    best = _that_answer(text, found, max(0, limit))
    if not best:
        return _beginning_for_nothing(text, limit, count, first_line)
    room = Room(text, found, Budget(limit), count, first_line)
    for at in range(_head_size(text, found)):
        room.take(at)
    rare = [at for at in best if found[at].rare]
    for at in (best[0], *rare, *answering_headings(found, rare)):
        room.take(at)
    room.take(_first_paragraph(text, found), part=4)
    for at in (*best, *introduced(text, found, best)):
        room.take(at)
    for at in best:
        for beside in neighbours(found, at):
            room.take(beside)
    return _within(room, limit) or beginning(text, limit, count, first_line=first_line)


def _within(room: Room, limit: int) -> str:
    """What a room holds, counted as a whole: parts may count a little less than what they make together."""
    while room.order:
        for named in (True, False):
            shown = room.shown(named=named)
            if room.count(shown) <= limit:
                return shown
        room.drop_last()
    return ""


def _that_answer(text: str, found: Sequence[Passage], most: int) -> list[int]:
    """The pieces that hold what is asked for, the best first."""
    return answering(text, found, max((passage.score for passage in found), default=0.0) * LEAST, most)


def answering(text: str, found: Sequence[Passage], least: float, most: int) -> list[int]:
    """The pieces with a rare word of the question, or a score above `least`, the best first."""
    places = (at for at, piece in enumerate(found) if piece.rare or piece.score > least)
    return _different(text, found, sorted(places, key=lambda at: -found[at].score)[:most])


def answering_headings(found: Sequence[Passage], headings: Sequence[int]) -> list[int]:
    """The best piece beneath each of the headings, or its first."""
    answering = dict.fromkeys(headings, -1)
    for at, piece in enumerate(found):
        if piece.heading in answering:
            before = answering[piece.heading]
            if before < 0 or piece.score > found[before].score:
                answering[piece.heading] = at
    return [at for at in answering.values() if at >= 0]


def introduced(text: str, found: Sequence[Passage], best: Iterable[int]) -> Iterator[int]:
    """What follows a heading with a rare word, or a piece that ends with a colon, up to the next heading."""
    for at in best:
        colon = text[found[at].start : found[at].end].rstrip().endswith((":", "："))
        for after in range(at + 1, min(at + 1 + _INTRODUCED, len(found))):
            beneath = found[after].heading == at and bool(found[at].rare)
            if not beneath and not (colon and _section(found[after]) == _section(found[at])):
                break
            yield after


def neighbours(found: Sequence[Passage], at: int) -> Iterator[int]:
    """What stands behind and before a piece under the same heading."""
    for beside in (at + 1, at - 1):
        if 0 <= beside < len(found) and found[beside].heading in (at, found[at].heading):
            yield beside


def _section(piece: Passage) -> tuple[int | None, int | None]:
    return piece.mark, piece.heading


def _different(text: str, found: Sequence[Passage], order: Iterable[int]) -> list[int]:
    """Each of several passages that say the same beneath headings that say the same only once: pages repeat."""
    said: dict[tuple[str, str], int] = {}
    for at in order:
        passage = found[at]
        above = "" if passage.heading is None else text[found[passage.heading].start : found[passage.heading].end]
        said.setdefault((above, text[passage.start : passage.end]), at)
    return list(said.values())


def _beginning_for_nothing(text: str, limit: int, count: Count, first_line: int) -> str:
    rest = limit - count(f"{NOTHING}\n")
    if rest <= limit // 3:
        return beginning(text, limit, count, first_line=first_line)
    return f"{NOTHING}\n{beginning(text, rest, count, first_line=first_line)}"


def _head_size(text: str, found: Sequence[Passage]) -> int:
    """How many of the first passages are its head: title, date and the like."""
    size = 0
    while size < min(_HEAD_LINES, len(found)) and _HEAD_LINE.match(text, found[size].start):
        size += 1
    return size


def _first_paragraph(text: str, found: Sequence[Passage]) -> int:
    """The first passage of several words that is no heading."""
    first = range(_head_size(text, found), min(len(found), 12))
    long = (at for at in first if text[found[at].start] != "#" and found[at].end - found[at].start >= 60)
    return next(long, -1)
