"""The passages of a long text that matter for a question, chosen without a model.

A text falls into pieces: headings, sentences of a paragraph, list items, rows of a table, blocks of code. Each is
scored by BM25 (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009) against the question's words.
English words are compared by a light stem, Korean ones without their particles and by pairs of syllables, Chinese and
Japanese ones by pairs of characters.
"""

import math
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
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
_GAP_TOKENS = 12  # of "[… 34 lines …]"
_TRIES = 50  # passages that do not fit before no more are tried
_LEAST = 0.25  # of the best score; what has less holds only words that are everywhere
_NEAR = 2  # pieces before and after one that is shown
_FEW, _NEAR_BEST = 3, 10  # the best few, and how many around them where there is room left
_HEAD_LINES = 6  # at the start of a text, as long as they are of the form "Title: …"

_HANGUL = "가-힣"
_CJK = "\u3005-\u3007\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_HANGUL}]+|[{_CJK}]+|\d+(?:[.,:/-]\d+)*|[^\W\d_{_HANGUL}{_CJK}][^\W_{_HANGUL}{_CJK}]*")
_HIRAGANA = re.compile("[\u3041-\u309f]+")
_HEAD_LINE = re.compile(r"(?:Title|Date|Kind|Note|Author|Subject|From|To|Source): |https?://\S+$")
_FENCE = re.compile("`{3,}")
_HEADING_LINE = re.compile(r"#{1,6} \S")
_MARK_LINE = re.compile(r"\[(?:page|sheet|slide) [^\]\n]*\]")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=\S)|(?<=[。！？])(?=\S)")


def _words(*lines: str) -> list[str]:
    return [word for line in lines for word in line.split()]


_STOP = frozenset(
    _words(
        "a an the this that these those is are was were be been being am do does did done has have had having can",
        "could will would shall should may might must of in on at to for from by with about into onto over under after",
        "before between during and or but not no nor if then than so as it its they them their there here he she his",
        "her we us our you your i me my who whom whose what which when where why how many much please tell say says",
        "said give find know get any all some each every only also just very more most other such own page article",
        "website site text according information info s t d ll m re ve",
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

    `score` is 0 where it holds none of the question's words and no heading above does.
    """

    start: int
    end: int
    mark: int | None = None
    heading: int | None = None
    header: int | None = None
    score: float = 0.0


def excerpt(text: str, question: str, limit: int, count: Count) -> str:
    """`text` where it fits `limit` tokens, else the passages that matter, in order, with marks for what is left out.

    Its first lines and, where there is room, its first paragraph are kept. A passage keeps its heading and a row its
    header. Where no passage holds the question's words, the beginning, which is said.
    """
    if fits(text, limit, count):
        return text
    found = passages(text, question)
    least = max((passage.score for passage in found), default=0.0) * _LEAST
    scored = (at for at, passage in enumerate(found) if passage.score > least)
    best = _different(text, found, sorted(scored, key=lambda at: -found[at].score)[: max(0, limit)])
    if not best:
        return _beginning_for_nothing(text, limit, count)
    room = _Room(text, found, limit, count)
    for at in range(_head_size(text, found)):
        room.take(at)
    room.take(best[0])
    room.take(_first_paragraph(text, found), part=4)
    for at in best[1:]:
        room.take(at)
    for around, reach in ((best, _NEAR), (best[:_FEW], _NEAR_BEST)):
        for distance in range(1, reach + 1):
            for at in around:
                room.take(at + distance)
                room.take(at - distance)
    return room.shown()


def _different(text: str, found: Sequence[Passage], order: Iterable[int]) -> list[int]:
    """Each of several passages that say the same beneath headings that say the same only once: pages repeat."""
    said: dict[tuple[str, str], int] = {}
    for at in order:
        passage = found[at]
        above = "" if passage.heading is None else text[found[passage.heading].start : found[passage.heading].end]
        said.setdefault((above, text[passage.start : passage.end]), at)
    return list(said.values())


def _beginning_for_nothing(text: str, limit: int, count: Count) -> str:
    rest = limit - count(f"{NOTHING}\n")
    return f"{NOTHING}\n{beginning(text, rest, count)}" if rest > limit // 3 else beginning(text, limit, count)


def passages(text: str, question: str) -> list[Passage]:
    """All pieces of a text in their order, scored against the question."""
    found = list(_pieces(text))
    own = _bm25(text, [piece.start for piece in found], [piece.end for piece in found], _terms(question))
    beneath: defaultdict[int, int] = defaultdict(int)
    for at, piece in enumerate(found):
        score = own[at]
        if score and piece.header is not None:
            score += own[piece.header]  # which is shown with it
        if piece.heading is not None and own[piece.heading]:
            beneath[piece.heading] += 1
            score += own[piece.heading] * _HEADING / (1 if own[at] else beneath[piece.heading])
        if score:
            found[at] = piece._replace(score=score)
    return found


def scores(texts: Sequence[str], question: str) -> list[float]:
    """How well each text answers to the question's words, compared with the others; 0 where it holds none."""
    starts, at = list[int](), 0
    for text in texts:
        starts.append(at)
        at += len(text) + 1
    whole = "\n".join(texts)
    return _bm25(
        whole, starts, [start + len(text) for start, text in zip(starts, texts, strict=True)], _terms(question)
    )


def fits(text: str, limit: int, count: Count) -> bool:
    """Whether a text takes no more than `limit` tokens, told by its beginning where that is too long already."""
    start = max(0, limit) * 12
    if len(text) > start and count(text[:start]) > limit:
        return False
    return count(text) <= limit


def beginning(text: str, limit: int, count: Count) -> str:
    """The first lines, as many as fit, and a mark for the rest."""
    if fits(text, limit, count):
        return text
    size = min(len(text), max(0, limit) * 8)
    while size > 0:
        shorter = text[:size]
        cut = max(shorter.rfind("\n"), shorter.rfind(" ") if "\n" not in shorter.strip() else -1)
        shorter = shorter[:cut] if cut > 0 else shorter
        shown = f"{shorter}\n{_mark(text[len(shorter) :])}"
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
    """What to look for: stems of words, whole numbers, and strings that may stand within words, with their weights."""

    stems: frozenset[str]
    numbers: frozenset[str]
    strings: dict[str, float]


def _terms(question: str) -> _Terms:
    stems, numbers, strings = set[str](), set[str](), dict[str, float]()
    for token in _TOKEN.findall(question):
        if "가" <= token[0] <= "힣":
            _add_korean(token, strings)
        elif re.match(f"[{_CJK}]", token):
            _add_cjk(token, strings)
        elif token[0].isdigit():
            numbers.add(token)
        elif token.casefold() not in _STOP and (len(token) > 1 or token.isupper()):
            stems.add(stem(token))
    return _Terms(frozenset(stems), frozenset(numbers), strings)


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
        word = re.sub(r"(?<=\w{4})(?:ations?|ate|ion|ment|ly|able|ible|al)$", "", word)
    return word[:-1] if word.endswith(("e", "y")) and len(word) > 4 else word


# -- scores ----------------------------------------------------------------------------------------------------------


def _bm25(text: str, starts: Sequence[int], ends: Sequence[int], terms: _Terms) -> list[float]:
    """One look through the text finds the question's words; what is no word of it costs nothing."""
    tallies: list[dict[str, int]] = [{} for _ in starts]
    for term, at in _hits(text, terms):
        piece = bisect_right(starts, at) - 1
        if piece >= 0 and at < ends[piece]:
            tallies[piece][term] = tallies[piece].get(term, 0) + 1
    frequency: dict[str, int] = defaultdict(int)
    for tally in tallies:
        for term in tally:
            frequency[term] += 1
    pieces = len(starts)
    mean = max(1.0, sum(ends[at] - starts[at] for at in range(pieces)) / max(1, pieces))
    wanted = sum(weight for weight in terms.strings.values() if weight == 1.0) + len(terms.stems) + len(terms.numbers)
    scored: list[float] = []
    for at, tally in enumerate(tallies):
        length = (1 - _B + _B * (ends[at] - starts[at]) / mean) * _K1
        score = full = 0.0
        for term, times in tally.items():
            weight = terms.strings.get(term, 1.0)
            rarity = math.log(1 + (pieces - frequency[term] + 0.5) / (frequency[term] + 0.5))
            score += weight * rarity * times * (_K1 + 1) / (times + length)
            full += weight
        scored.append(score * (0.5 + 0.5 * min(1.0, full / max(1.0, wanted))))
    return scored


def _hits(text: str, terms: _Terms) -> Iterator[tuple[str, int]]:
    """Each occurrence of a term and where it stands."""
    if terms.stems:
        beginnings = sorted({re.escape(_kept_by_stem(word)) for word in terms.stems})
        words = re.compile(rf"(?<![^\W_])(?:{'|'.join(beginnings)})[^\W_]*", re.IGNORECASE)
        stems: dict[str, str] = {}
        for found in words.finditer(text):
            word = found[0]
            if word not in stems:
                stems[word] = stem(re.sub(rf"[{_HANGUL}{_CJK}]+$", "", word))
            if stems[word] in terms.stems:
                yield stems[word], found.start()
    if terms.numbers:
        numbers = "|".join(sorted(map(re.escape, terms.numbers)))
        for found in re.finditer(rf"(?<![\d])(?<!\d[.,])(?:{numbers})(?!\d|[.,]\d)", text):
            yield found[0], found.start()
    for string in terms.strings:
        at = text.find(string)
        while at >= 0:
            yield string, at
            at = text.find(string, at + 1)


def _kept_by_stem(word: str) -> str:
    """What every word of this stem begins with."""
    return word[:-1] if word.endswith(("i", "y")) and len(word) > 3 else word


# -- what is shown ---------------------------------------------------------------------------------------------------


class _Room:
    """The passages that are shown, as far as they fit."""

    def __init__(self, text: str, found: Sequence[Passage], limit: int, count: Count):
        self._text, self._found, self._limit, self._count = text, found, limit, count
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
        while True:
            shown = self._assembled()
            if self._count(shown) <= self._limit:
                return shown
            if not self._order:
                return beginning(self._text, self._limit, self._count)
            self._taken.difference_update(self._order.pop())

    def _assembled(self) -> str:
        parts: list[str] = []
        last = 0
        for at in sorted(self._taken):
            passage = self._found[at]
            gap = self._text[last : passage.start]
            parts += [gap if not gap.strip() else _left_out(gap), self._text[passage.start : passage.end]]
            last = passage.end
        rest = self._text[last:]
        return "".join([*parts, _left_out(rest).rstrip() if rest.strip() else ""])


def _left_out(gap: str) -> str:
    """The mark for a gap; on a line of its own unless the gap lies within a line."""
    if "\n" not in gap:
        return "[…] "
    return f"{'' if not gap else chr(10)}{_mark(gap)}\n"


def _mark(gap: str) -> str:
    lines = sum(1 for line in gap.split("\n") if line.strip())
    return f"[… {lines:,} line{'' if lines == 1 else 's'} …]"


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
