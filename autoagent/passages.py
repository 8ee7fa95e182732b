"""The passages of a long text that matter for a question, chosen without a model.

A text falls into pieces: headings, sentences of a paragraph, list items, rows of a table, blocks of code. Each is
scored by BM25 (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009) against the question's words, and
each that holds a rare one of them comes before any that only stands beside a hit. English words are compared by a
light stem, Korean ones without their particles and by pairs of syllables, Chinese and Japanese ones by pairs of
characters.
"""

import math
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from typing import NamedTuple

from autoagent.language import without_inflection, without_particle

Count = Callable[[str], int]

NOTHING = "(no passage holds the question's words; the beginning:)"
_SENTENCES_OVER = 400  # characters; a line that is longer is taken by its sentences
_LONGEST = 800  # characters of a sentence
_CODE_LINES = 25  # of a block of code that stay together
_K1, _B = 1.2, 0.5  # how soon more of a word adds nothing, how much a long piece has to hold more
_HEADING = 0.4  # of its heading's score goes to what stands beneath; it fades for what holds no word
_GAP_TOKENS = 14  # of "[… lines 1,062-1,365 left out …]"
_OF_NAME = 0.5  # of the score of a text's name goes to each of its passages that hold a word of the question
_OF_ITS_NAME = 6  # first pieces of a text that answers by its name alone
_FADES = 0.95  # what each further passage of one text counts, against those of others
_WITH_NEIGHBOURS = 3  # passages of a text beside which more is shown
_HEARD = 20  # of the best texts that are shown with one passage each before any is with more
_AKIN = 2  # passages of a text that are shown for what they share with the best ones
_AKIN_CHARS = 2_000_000  # of all texts; in more it takes too long
_NUMBER_TOKENS = 3  # of a line's number and the tab behind it
_TRIES = 50  # passages that do not fit before no more are tried
_LEAST = 0.25  # of the best score; what has less holds only words that are everywhere
_RARE = 8  # pieces; a word that no more of them hold is rare
_PART = 0.2  # of the weight of an identifier such as E-27 goes to what it is made of
_INTRODUCED = 25  # pieces that follow a heading, or one that ends with a colon
_NAMED = 3  # rare words that a mark names, of those it leaves out
_HEAD_LINES = 6  # at the start of a text, as long as they are of the form "Title: …"

_HANGUL = "가-힣"
_CJK = "\u3005-\u3007\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
_ID = r"(?:[A-Za-z]+-)*[A-Za-z]+-?\d[A-Za-z\d]*(?:-[A-Za-z\d]+)*"  # E-27, ISO-9001, NS400
_TOKEN = re.compile(
    rf"{_ID}(?![^\W_{_HANGUL}{_CJK}])|[{_HANGUL}]+|[{_CJK}]+|\d+(?:[.,:/-]\d+)*"
    rf"|[^\W\d_{_HANGUL}{_CJK}][^\W_{_HANGUL}{_CJK}]*"
)
_HIRAGANA = re.compile("[\u3041-\u309f]+")
_HEAD_LINE = re.compile(r"(?:Title|Date|Kind|Note|Author|Subject|From|To|Source): |https?://\S+$")
_FENCE = re.compile("`{3,}")
_HEADING_LINE = re.compile(r"#{1,6} \S")
_MARK_LINE = re.compile(r"\[(?:page|sheet|slide) [^\]\n]*\]")
_WORD = re.compile(r"[^\W_]{1,30}(?:-[^\W_]{1,30}){0,3}")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=\S)|(?<=[。！？])(?=\S)")


def _words(*lines: str) -> list[str]:
    return [word for line in lines for word in line.split()]


_STOP = frozenset(
    _words(
        "a an the this that these those is are was were be been being am do does did done has have had having can",
        "could will would shall should may might must of in on at to for from by with about into onto over under after",
        "before between during and or but not no nor if then than so as it its they them their there here he she his",
        "her we us our you your i me my who whom whose what which when where why how often many much please tell say",
        "says said give find know get any all some each every only also just very more most other such own page",
        "article website text according information info s t d ll m re ve",
        "무엇 무슨 누구 누가 언제 언제부터 언제까지 어디 어디서 어떤 어느 어떻게 왜 얼마 얼마나 몇 며칠 이 그 저 것 수",
        "등 및 또는 그리고 대해 대한 대하여 관해 관한 따르면 내용 설명 알려 알려줘 말해 말해줘 찾아 찾아줘 줘 해 해줘",
        "뭐 뭔 있 없 하 되 있는 하는 되는 있나 인가 페이지 문서 글 기사 위해 위한 통해 모두 전체",
    )
)
_ENDINGS = _words(
    "하였습니까 했습니까 합니까 됩니까 입니까 습니까 인가요 하나요 되나요 했나요 됐나요 있나요 한가요 은가요 이에요",
    "주세요 인지 는지 나요 까요 한가 인가 는가 니까 이야 예요 하는 되는",
)


class Passage(NamedTuple):
    """`text[start:end]`; what it stands beneath by places in the list: a mark such as `[page 3]`, heading, header row.

    `score` is 0 where it holds none of the question's words and no heading above does. `rare` is where those of them
    stand in the text that few pieces hold.
    """

    start: int
    end: int
    mark: int | None = None
    heading: int | None = None
    header: int | None = None
    score: float = 0.0
    rare: tuple[int, ...] = ()


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
    room = _Room(text, found, _Budget(limit), count, first_line)
    for at in range(_head_size(text, found)):
        room.take(at)
    rare = [at for at in best if found[at].rare]
    for at in (best[0], *rare, *_answering_headings(found, rare)):
        room.take(at)
    room.take(_first_paragraph(text, found), part=4)
    for at in (*best, *_introduced(text, found, best)):
        room.take(at)
    for at in best:
        for beside in _beside(found, at):
            room.take(beside)
    return _within(room, limit) or beginning(text, limit, count, first_line=first_line)


def _within(room: "_Room", limit: int) -> str:
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
    return _above(text, found, max((passage.score for passage in found), default=0.0) * _LEAST, most)


def _above(text: str, found: Sequence[Passage], least: float, most: int) -> list[int]:
    """The pieces with a rare word of the question, or a score above `least`, the best first."""
    answering = (at for at, piece in enumerate(found) if piece.rare or piece.score > least)
    return _different(text, found, sorted(answering, key=lambda at: -found[at].score)[:most])


def _answering_headings(found: Sequence[Passage], headings: Sequence[int]) -> list[int]:
    """The best piece beneath each of the headings, or its first."""
    answering = dict.fromkeys(headings, -1)
    for at, piece in enumerate(found):
        if piece.heading in answering:
            before = answering[piece.heading]
            if before < 0 or piece.score > found[before].score:
                answering[piece.heading] = at
    return [at for at in answering.values() if at >= 0]


def _introduced(text: str, found: Sequence[Passage], best: Iterable[int]) -> Iterator[int]:
    """What follows a heading with a rare word, or a piece that ends with a colon, up to the next heading."""
    for at in best:
        colon = text[found[at].start : found[at].end].rstrip().endswith((":", "："))
        for after in range(at + 1, min(at + 1 + _INTRODUCED, len(found))):
            beneath = found[after].heading == at and bool(found[at].rare)
            if not beneath and not (colon and _section(found[after]) == _section(found[at])):
                break
            yield after


def _beside(found: Sequence[Passage], at: int) -> Iterator[int]:
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


def passages(text: str, question: str) -> list[Passage]:
    """All pieces of a text in their order, scored against the question."""
    found = list(_pieces(text))
    own = _bm25(text, [piece.start for piece in found], [piece.end for piece in found], _terms(question))
    return _with_scores(found, own)


def _with_scores(found: list[Passage], own: Sequence["_Scored"]) -> list[Passage]:
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
    return [scored.score for scored in _bm25(whole, starts, ends, _terms(question))]


# -- several texts ---------------------------------------------------------------------------------------------------


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
    budget = _Budget(limit)
    rooms = [
        _Room(source.text, pieces, budget, count, source.first_line, numbered=numbered)
        for source, pieces in zip(sources, found, strict=True)
    ]
    turns: list[_Room] = []
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
    least = max((piece.score for pieces in found for piece in pieces), default=0.0) * _LEAST
    best = [_above(source.text, pieces, least, most) for source, pieces in zip(sources, found, strict=True)]
    for at, pieces in enumerate(found):
        if not best[at] and named[at] and named[at] == max(named):
            best[at] = list(range(min(_OF_ITS_NAME, len(pieces))))
    return found, best


def _scored_together(sources: Sequence[Source], question: str) -> list[list[Passage]]:
    found = [list(_pieces(source.text)) for source in sources]
    begins = list(accumulate((len(source.text) + 1 for source in sources), initial=0))
    starts = [begin + piece.start for begin, pieces in zip(begins, found, strict=False) for piece in pieces]
    ends = [begin + piece.end for begin, pieces in zip(begins, found, strict=False) for piece in pieces]
    own = iter(_bm25("\n".join(source.text for source in sources), starts, ends, _terms(question)))
    return [
        _with_scores(pieces, [_moved(scored, begin) for scored in islice(own, len(pieces))])
        for begin, pieces in zip(begins, found, strict=False)
    ]


def _moved(scored: "_Scored", begin: int) -> "_Scored":
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
        yield from ((at, answer) for answer in _answering_headings(found[at], [piece]))
    yield from order
    yield from _akin(sources, found, best)
    for at in texts:
        yield from ((at, piece) for piece in _introduced(sources[at].text, found[at], best[at]))
    for at, piece in order:
        if piece in best[at][:_WITH_NEIGHBOURS]:
            yield from ((at, beside) for beside in _beside(found[at], piece))


def _akin(
    sources: Sequence[Source], found: Sequence[Sequence[Passage]], best: Sequence[Sequence[int]]
) -> Iterator[tuple[int, int]]:
    """What may say the same in other words: of texts that answer, pieces with words that the best ones share.

    The words that the best passages of two texts hold are asked for in turn (pseudo-relevance feedback; Rocchio 1971).
    """
    shared: defaultdict[str, set[int]] = defaultdict(set)
    for at, pieces in enumerate(best):
        for piece in pieces[:_WITH_NEIGHBOURS]:
            for token in _TOKEN.findall(sources[at].text, found[at][piece].start, found[at][piece].end):
                shared[token].add(at)
    words = " ".join(token for token, texts in shared.items() if len(texts) > 1 and not token[0].isdigit())
    if not words or sum(len(source.text) for source in sources) > _AKIN_CHARS:
        return
    again = _scored_together(sources, words)
    least = max((piece.score for pieces in again for piece in pieces), default=0.0) * _LEAST
    for at, pieces in enumerate(again):
        if best[at]:
            new = [piece for piece in _above(sources[at].text, pieces, least, len(pieces)) if piece not in best[at]]
            yield from ((at, piece) for piece in new[:_AKIN])


def _all_within(rooms: Sequence["_Room"], turns: list["_Room"], limit: int, count: Count) -> list[str]:
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
    there = {term for source in sources for term, _ in _hits(source.text, _terms(question))}
    asked = {token: _terms(token).weights() for token in _TOKEN.findall(question)}
    return [token for token, terms in asked.items() if terms and there.isdisjoint(terms)]


# -- what fits -------------------------------------------------------------------------------------------------------


def fits(text: str, limit: int, count: Count) -> bool:
    """Whether a text takes no more than `limit` tokens, told by its beginning where that is too long already."""
    start = max(0, limit) * 12
    if len(text) > start and count(text[:start]) > limit:
        return False
    return count(text) <= limit


def beginning(text: str, limit: int, count: Count, *, first_line: int = 1) -> str:
    """The first lines, as many as fit, and a mark for the rest, which names its lines."""
    if fits(text, limit, count):
        return text
    size = min(len(text), max(0, limit) * 8)
    while size > 0:
        shorter = text[:size]
        cut = max(shorter.rfind("\n"), shorter.rfind(" ") if "\n" not in shorter.strip() else -1)
        shorter = shorter[:cut] if cut > 0 else shorter
        shown = f"{shorter}\n{_mark(*_lines(text, len(shorter), len(text), first_line))}"
        if count(shown) <= limit:
            return shown
        size = min(len(shorter) - 1, int(size * 0.8))
    return ""


# -- the pieces of a text --------------------------------------------------------------------------------------------


def _pieces(text: str) -> Iterator[Passage]:
    mark = heading = header = None
    at = number = 0
    row_before = False
    while at < len(text):
        end = _end_of_line(text, at)
        line = text[at:end]
        row = False
        if not line or line.isspace():
            found = []
        elif line.startswith("```") and (fence := _FENCE.match(line)):
            found = [Passage(start, stop, mark, heading) for start, stop in _code(text, at, fence[0])]
            end = found[-1].end
        elif " | " in line or line.find("\t") > 0:
            row, header = True, header if row_before else number
            found = [Passage(at, end, mark, heading, None if header == number else header)]
        elif line[0] == "#" and _HEADING_LINE.match(line):
            found, heading = [Passage(at, end, mark)], number
        elif line[0] == "[" and _MARK_LINE.fullmatch(line):
            found, mark, heading = [Passage(at, end)], number, None
        elif len(line) <= _SENTENCES_OVER:
            found = [Passage(at, end, mark, heading)]
        else:
            found = [Passage(start, stop, mark, heading) for start, stop in _sentences(text, at, end)]
        yield from found
        row_before = row
        number += len(found)
        at = end + 1


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _code(text: str, start: int, fence: str) -> Iterator[tuple[int, int]]:
    """A block of code up to its closing fence, some lines at a time."""
    closing = text.find(f"\n{fence}", start)
    last = len(text) if closing < 0 else _end_of_line(text, closing + 1)
    at = began = start
    lines = 0
    while at < last:
        end = _end_of_line(text, at)
        lines += 1
        if lines == _CODE_LINES or end + 1 >= last:
            yield began, end
            began, lines = end + 1, 0
        at = end + 1


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentences of a long line; short ones stay together, and one without an end is cut at a space."""
    began = start
    for stop in (*(found.end() for found in _SENTENCE_END.finditer(text, start, end)), end):
        while stop - began > _LONGEST:
            space = text.rfind(" ", began, began + _LONGEST)
            cut = space + 1 if space > began else began + _LONGEST
            yield began, cut
            began = cut
        if stop - began >= _SENTENCES_OVER // 2 or (stop == end and began < end):
            yield began, stop
            began = stop


# -- the words of a question -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Terms:
    """What to look for, with its weight: stems of words, whole numbers, strings that may stand within words.

    `ids` are identifiers, each with the pattern of its spellings.
    """

    stems: dict[str, float]
    numbers: dict[str, float]
    strings: dict[str, float]
    ids: dict[str, str]

    def weights(self) -> dict[str, float]:
        return {**self.stems, **self.numbers, **self.strings, **dict.fromkeys(self.ids, 1.0)}


def _terms(question: str) -> _Terms:
    terms = _Terms({}, {}, {}, {})
    for token in _TOKEN.findall(question):
        if "가" <= token[0] <= "힣":
            _add_korean(token, terms.strings)
        elif re.match(f"[{_CJK}]", token):
            _add_cjk(token, terms.strings)
        elif token[0].isdigit():
            terms.numbers[token] = 1.0
        elif re.fullmatch(_ID, token):
            _add_id(token, terms)
        elif token.casefold() not in _STOP and (len(token) > 1 or token.isupper()):
            terms.stems[stem(token)] = 1.0
    return terms


def _add_id(token: str, terms: _Terms) -> None:
    """NS-400 is one word, also as NS400 and NS 400; its parts say little: 27 is not E-27."""
    terms.ids[token.casefold()] = r"[-_ \u2010-\u2013]?".join(re.findall(r"[A-Za-z]+|\d+", token))
    for part in token.split("-") if "-" in token else ():
        if part.isdigit():
            terms.numbers.setdefault(part, _PART)
        elif len(part) > 1:
            terms.stems.setdefault(stem(part), _PART)


def _add_korean(token: str, strings: dict[str, float]) -> None:
    """계약을 → 계약 in full, and 약관동의 also by its pairs: compounds are written with and without a space."""
    if token in _STOP:
        return
    base = without_particle(_without_ending(token))
    if not base or base in _STOP:
        return
    strings[base] = max(strings.get(base, 0.0), 1.0)
    if len(base) > 2:
        for at in range(len(base) - 1):
            strings.setdefault(base[at : at + 2], 0.3)


def _add_cjk(run: str, strings: dict[str, float]) -> None:
    """Pairs of characters; those of hiragana alone are grammar."""
    pairs = [run[at : at + 2] for at in range(len(run) - 1)] or [run]
    for pair in pairs:
        if not _HIRAGANA.fullmatch(pair):
            strings[pair] = 0.5 if _HIRAGANA.search(pair) else 1.0


def _without_ending(word: str) -> str:
    ending = next((ending for ending in _ENDINGS if word.endswith(ending) and len(word) > len(ending)), "")
    return word.removesuffix(ending) if ending else word


def stem(word: str) -> str:
    """An English word in lower case without plural, -ing, -ed, -ly or -ion: enough to compare."""
    word = word.casefold()
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    word = without_inflection(word)
    if len(word) > 6:
        word = re.sub(r"(?<=\w{4})(?:ations?|ate?|ion|ment|ly|able|ible|al)$", "", word)
    return word[:-1] if word.endswith(("e", "y")) and len(word) > 4 else word


# -- scores ----------------------------------------------------------------------------------------------------------


class _Scored(NamedTuple):
    score: float
    rare: tuple[int, ...]  # where the rare ones of the question's words stand


def _bm25(text: str, starts: Sequence[int], ends: Sequence[int], terms: _Terms) -> list[_Scored]:
    """One look through the text finds the question's words; what is no word of it costs nothing."""
    pieces, weights = len(starts), terms.weights()
    tallies: list[dict[str, int]] = [{} for _ in starts]
    places: defaultdict[str, list[int]] = defaultdict(list)  # the first in each piece
    for term, at in _hits(text, terms):
        piece = bisect_right(starts, at) - 1
        if piece >= 0 and at < ends[piece]:
            if term not in tallies[piece]:
                places[term].append(at)
            tallies[piece][term] = tallies[piece].get(term, 0) + 1
    rarity = {term: math.log(1 + (pieces - len(at) + 0.5) / (len(at) + 0.5)) for term, at in places.items()}
    wanted = sum(rare for term, rare in rarity.items() if weights[term] == 1.0)
    mean = max(1.0, sum(ends[at] - starts[at] for at in range(pieces)) / max(1, pieces))
    scored: list[_Scored] = []
    for at, tally in enumerate(tallies):
        if not tally:
            scored.append(_Scored(0.0, ()))
            continue
        length = (1 - _B + _B * (ends[at] - starts[at]) / mean) * _K1
        score = full = 0.0
        for term, times in tally.items():
            worth = weights[term] * rarity[term]
            score += worth * times * (_K1 + 1) / (times + length)
            full += worth
        rare = (term for term in tally if weights[term] == 1.0 and len(places[term]) <= _RARE)
        where = (places[term][bisect_left(places[term], starts[at])] for term in rare)
        scored.append(_Scored(score * (0.5 + 0.5 * min(1.0, full / max(wanted, 1e-9))), tuple(where)))
    return scored


def _hits(text: str, terms: _Terms) -> Iterator[tuple[str, int]]:
    """Each occurrence of a term and where it stands; those of one term in the order of the text."""
    if terms.stems:
        again = (f"re{re.escape(word)}at" for word in terms.stems if len(word) > 4)
        beginnings = sorted({*again, *(re.escape(_kept_by_stem(word)) for word in terms.stems)})
        words = re.compile(rf"(?<![^\W_])(?:{'|'.join(beginnings)})[^\W_]*", re.IGNORECASE)
        stems: dict[str, str] = {}
        for found in words.finditer(text):
            word = found[0]
            if word not in stems:
                stems[word] = _as_asked_for(stem(re.sub(rf"[{_HANGUL}{_CJK}]+$", "", word)), terms)
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


def _as_asked_for(stemmed: str, terms: _Terms) -> str:
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


# -- what is shown ---------------------------------------------------------------------------------------------------


class _Budget:
    """Tokens that one or several rooms share."""

    def __init__(self, limit: int):
        self.left = limit - 2 * _GAP_TOKENS
        self.tries = _TRIES


class _Room:
    """The passages of one text that are shown, as far as they fit.

    `numbered`: each line stands behind its number, as read_file shows it; blank lines and marks of lines are left out.
    """

    def __init__(
        self,
        text: str,
        found: Sequence[Passage],
        budget: _Budget,
        count: Count,
        first_line: int,
        *,
        numbered: bool = False,
    ):
        self._text, self._found, self._budget, self.count = text, found, budget, count
        self._first_line, self._numbered = first_line, numbered
        self.order: list[tuple[int, ...]] = []
        self.taken: set[int] = set()

    def take(self, at: int, *, part: int = 1) -> bool:
        """Show a passage with its heading and header, where it takes no more than one part of what is left."""
        budget = self._budget
        if not 0 <= at < len(self._found) or at in self.taken or not budget.tries:
            return False
        passage = self._found[at]
        above = (passage.mark, passage.heading, passage.header)
        group = tuple(one for one in (*above, at) if one is not None and one not in self.taken)
        size = sum(self._size(one) for one in group)
        if size > budget.left // part:
            budget.tries -= part == 1
            return False
        budget.left -= size
        self.taken.update(group)
        self.order.append(group)
        return True

    def drop_last(self) -> None:
        self.taken.difference_update(self.order.pop())

    def in_short_gaps(self) -> list[int]:
        """What takes no more room than a mark that it is left out."""
        taken = sorted(self.taken)
        gaps = (range(before + 1, after) for before, after in pairwise(taken) if after - before > 1)
        return [at for gap in gaps if sum(map(self._size, gap)) <= _GAP_TOKENS * 2 for at in gap]

    def _size(self, at: int) -> int:
        """Tokens, with those of a mark where nothing beside it is shown."""
        passage = self._found[at]
        alone = not {at - 1, at + 1} & self.taken
        tokens = self.count(self._text[passage.start : passage.end])
        if self._numbered:
            return tokens + _NUMBER_TOKENS * (1 + self._text.count("\n", passage.start, passage.end)) + alone
        return tokens + 1 + _GAP_TOKENS * alone

    def shown(self, *, named: bool) -> str:
        """With the marks naming the rare words that are left out, where that is wanted."""
        rare = [place for at, piece in enumerate(self._found) if at not in self.taken for place in piece.rare]
        return self._assembled(sorted(rare) if named else [])

    def _assembled(self, named: Sequence[int]) -> str:
        parts: list[str] = []
        last, line = 0, self._first_line
        for at in sorted(self.taken):
            passage = self._found[at]
            line += self._text.count("\n", last, passage.start)
            piece = self._text[passage.start : passage.end]
            if self._numbered:
                parts.append(self._before_a_number(last, passage.start, line, named))
                piece = _behind_numbers(piece, line)
            else:
                parts.append(self._between(last, passage.start, named))
            parts.append(piece)
            line += self._text.count("\n", passage.start, passage.end)
            last = passage.end
        rest = self._between(last, len(self._text), named)
        return "".join([*parts, rest.rstrip() if rest.strip() else ""])

    def _before_a_number(self, last: int, start: int, line: int, named: Sequence[int]) -> str:
        """What stands between two passages, and the number of a line that begins with the second."""
        gap = self._text[last:start]
        if last and "\n" not in gap:
            return self._between(last, start, named)
        above, _, before = gap.rpartition("\n")
        mark = self._mark(last, last + len(above), named) if above.strip() else ""
        begun = "[…] " if before.strip() else ""
        return "\n".join([*([""] if last else []), *([mark] if mark else []), f"{line}\t{begun}"])

    def _between(self, start: int, end: int, named: Sequence[int]) -> str:
        """The space between two passages, or the mark for a gap; on a line of its own unless it lies within a line."""
        gap = self._text[start:end]
        if not gap.strip():
            return gap
        if "\n" not in gap:
            return "[…] "
        mark = self._mark(start, end, named)
        return f"\n{mark}\n" if start else f"{mark}\n"

    def _mark(self, start: int, end: int, named: Sequence[int]) -> str:
        words: dict[str, int] = {}
        for place in named[bisect_left(named, start) : bisect_left(named, end)]:
            if len(words) < _NAMED and (word := _WORD.match(self._text, place)):
                words.setdefault(word[0].casefold(), self._first_line + self._text.count("\n", 0, place))
        if self._numbered:
            return f"[… {_naming(words)} …]" if words else "…"
        return _mark(*_lines(self._text, start, end, self._first_line), words)


def _behind_numbers(piece: str, line: int) -> str:
    """Its further lines behind their numbers; the first one has its own already."""
    first, *rest = piece.split("\n")
    return "\n".join([first, *(f"{number}\t{text}" for number, text in enumerate(rest, line + 1))])


def _lines(text: str, start: int, end: int, first_line: int) -> tuple[int, int]:
    """The numbers of the first and the last line of a part, without the space around it."""
    gap = text[start:end]
    start, end = end - len(gap.lstrip()), start + len(gap.rstrip())
    first = first_line + text.count("\n", 0, start)
    return first, first + text.count("\n", start, end)


def _mark(first: int, last: int, words: Mapping[str, int] | None = None) -> str:
    """What is left out: its lines, and where words stand in it that were asked for."""
    lines = f"line {first}" if last <= first else f"lines {first}-{last}"
    return f"[… {lines} left out{f'; {_naming(words)}' if words else ''} …]"


def _naming(words: Mapping[str, int]) -> str:
    return ", ".join(f'"{word}" in line {line}' for word, line in words.items())


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
