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
    room = _Room(text, found, limit, count, first_line)
    for at in range(_head_size(text, found)):
        room.take(at)
    rare = [at for at in best if found[at].rare]
    for at in (best[0], *rare, *_answering_headings(found, rare)):
        room.take(at)
    room.take(_first_paragraph(text, found), part=4)
    for at in (*best, *_introduced(text, found, best)):
        room.take(at)
    for at in best:
        for beside in (at + 1, at - 1):
            if 0 <= beside < len(found) and found[beside].heading in (at, found[at].heading):
                room.take(beside)
    return room.shown()


def _that_answer(text: str, found: Sequence[Passage], most: int) -> list[int]:
    """The pieces that hold what is asked for, the best first."""
    least = max((passage.score for passage in found), default=0.0) * _LEAST
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
                stems[word] = _without_again(stem(re.sub(rf"[{_HANGUL}{_CJK}]+$", "", word)), terms)
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


def _without_again(stemmed: str, terms: _Terms) -> str:
    """recalibrate → calibrate, where that is asked for."""
    shorter = stemmed.removeprefix("re")
    return shorter if stemmed not in terms.stems and shorter in terms.stems else stemmed


def _kept_by_stem(word: str) -> str:
    """What every word of this stem begins with."""
    return word[:-1] if word.endswith(("i", "y")) and len(word) > 3 else word


# -- what is shown ---------------------------------------------------------------------------------------------------


class _Room:
    """The passages that are shown, as far as they fit."""

    def __init__(self, text: str, found: Sequence[Passage], limit: int, count: Count, first_line: int):
        self._text, self._found, self._limit, self._count, self._first_line = text, found, limit, count, first_line
        self._order: list[tuple[int, ...]] = []
        self._taken: set[int] = set()
        self._left = limit - 2 * _GAP_TOKENS
        self._tries = _TRIES

    def take(self, at: int, *, part: int = 1) -> None:
        """Show a passage with its heading and header, where it takes no more than one part of what is left."""
        if not 0 <= at < len(self._found) or at in self._taken or not self._tries:
            return
        passage = self._found[at]
        above = (passage.mark, passage.heading, passage.header)
        group = tuple(one for one in (*above, at) if one is not None and one not in self._taken)
        size = sum(self._size(one) for one in group)
        if size > self._left // part:
            self._tries -= part == 1
            return
        self._left -= size
        self._taken.update(group)
        self._order.append(group)

    def _size(self, at: int) -> int:
        """Tokens, with those of a mark where nothing beside it is shown."""
        passage = self._found[at]
        alone = not {at - 1, at + 1} & self._taken
        return self._count(self._text[passage.start : passage.end]) + 1 + _GAP_TOKENS * alone

    def shown(self) -> str:
        """Counted as a whole, for parts may count a little less than what they make together."""
        while self._order:
            for named in (self._rare_left_out(), []):
                shown = self._assembled(named)
                if self._count(shown) <= self._limit:
                    return shown
            self._taken.difference_update(self._order.pop())
        return beginning(self._text, self._limit, self._count, first_line=self._first_line)

    def _rare_left_out(self) -> list[int]:
        return sorted(place for at, piece in enumerate(self._found) if at not in self._taken for place in piece.rare)

    def _assembled(self, named: Sequence[int]) -> str:
        parts: list[str] = []
        last = 0
        for at in sorted(self._taken):
            passage = self._found[at]
            parts += [self._between(last, passage.start, named), self._text[passage.start : passage.end]]
            last = passage.end
        rest = self._between(last, len(self._text), named)
        return "".join([*parts, rest.rstrip() if rest.strip() else ""])

    def _between(self, start: int, end: int, named: Sequence[int]) -> str:
        """The space between two passages, or the mark for a gap; on a line of its own unless it lies within a line."""
        gap = self._text[start:end]
        if not gap.strip():
            return gap
        if "\n" not in gap:
            return "[…] "
        words: dict[str, int] = {}
        for place in named[bisect_left(named, start) : bisect_left(named, end)]:
            if len(words) < _NAMED and (word := _WORD.match(self._text, place)):
                words.setdefault(word[0].casefold(), self._first_line + self._text.count("\n", 0, place))
        mark = _mark(*_lines(self._text, start, end, self._first_line), words)
        return f"\n{mark}\n" if start else f"{mark}\n"


def _lines(text: str, start: int, end: int, first_line: int) -> tuple[int, int]:
    """The numbers of the first and the last line of a part, without the space around it."""
    gap = text[start:end]
    start, end = end - len(gap.lstrip()), start + len(gap.rstrip())
    first = first_line + text.count("\n", 0, start)
    return first, first + text.count("\n", start, end)


def _mark(first: int, last: int, words: Mapping[str, int] | None = None) -> str:
    """What is left out: its lines, and where words stand in it that were asked for."""
    lines = f"line {first}" if last <= first else f"lines {first}-{last}"
    named = ", ".join(f'"{word}" in line {line}' for word, line in (words or {}).items())
    return f"[… {lines} left out{f'; {named}' if named else ''} …]"


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
