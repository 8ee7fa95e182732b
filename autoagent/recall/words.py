"""The words of a query, and texts as the index takes them: runs of Korean, Japanese and Chinese cut into pairs.

SQLite's tokenizers take such a run for one word, or cut it into three characters, where most words of these languages
have two: 계약기간 is kept as 계약 약기 기간, and found by each of them, and by all as a phrase. Query
and text are in one form of Unicode.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from autoagent.language import unified, without_particle
from autoagent.passages import stem
from autoagent.passages.terms import CJK, HANGUL

MOST_TERMS = 60  # of a query; a goal may be a page long
_PART = 0.5  # of what a Korean word is worth, all its pairs together
_RUN = re.compile(f"[{HANGUL}]+|[{CJK}]+")
_TERM = re.compile(rf"[{HANGUL}]+|[{CJK}]+|[^\W_{HANGUL}{CJK}]+(?:[-.:/][^\W_{HANGUL}{CJK}]+)*")
_GRAMMAR = re.compile("[\u3041-\u309f]{1,2}")  # hiragana alone


def _split(*lines: str) -> list[str]:
    return [word for line in lines for word in line.split()]


_STOP = frozenset(
    _split(
        "a an the this that these those is are was were be been being am do does did done has have had having can",
        "could will would shall should may might must of in on at to for from by with about into onto over under",
        "after before between during and or but not no nor if then than so as it its they them their there here he",
        "she his her we us our you your i me my who whom whose what which when where why how often many much please",
        "tell say says said find know get any all some each every only also just very more most other such own s t",
        "d ll m re ve up out 무엇 무슨 누구 누가 언제 언제부터 언제까지 어디 어디서 어떤 어느 어떻게 왜 얼마 얼마나",
        "몇 며칠 이 그 저 것 수 등 및 또는 그리고 대해 대한 관한 알려줘 말해줘 찾아줘 줘 해 해줘 뭐 뭔 있 없 하 되",
        "있는 하는 되는 위해 통해 우리 제 내",
    )
)
_ENDINGS = _split(
    "하였습니까 했습니까 합니까 됩니까 입니까 습니까 인가요 하나요 되나요 했나요 됐나요 있나요 한가요 이에요 주세요",
    "인지 는지 나요 까요 한가 인가 는가 니까 이야 예요",
)


class Term(NamedTuple):
    """Something to look for in the index, and what finding it is worth, at most 1."""

    match: str
    weight: float


@dataclass(frozen=True)
class Query:
    """What is looked for: words as they stand (`words`), and runs of Korean, Japanese or Chinese (`runs`)."""

    words: tuple[str, ...]
    runs: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.words) + len(self.runs)

    def terms(self) -> Iterator[Term]:
        """Each of them as the index takes it. A Korean word is also looked for by its pairs, since compounds are
        written with and without a space; Japanese and Chinese have no spaces at all.
        """
        for word in self.words:
            yield Term(f'"{word}"', 1.0)
        for run in self.runs:
            pairs = [pair for pair in _pairs(run) if not _GRAMMAR.fullmatch(pair)]
            korean = "가" <= run[0] <= "힣"
            if len(run) == 1:
                yield Term(f'"{run}" *', 1.0)  # the first of a pair
            elif korean and len(run) > 2:
                yield Term(f'"{" ".join(pairs)}"', 1.0)
            whole = not korean or len(run) == 2
            for pair in pairs if len(run) > 1 else ():
                yield Term(f'"{pair}"', 1.0 if whole else _PART / len(pairs))

    def covered(self, text: str) -> float:
        """How many of its terms stand in a text; of a run part of whose pairs do, that part."""
        text = unified(text).text
        stems = {stem(word) for word in re.findall(rf"[^\W_{HANGUL}{CJK}]+", text)}
        return sum(self._holds(word, stems) for word in self.words) + sum(_part_of(run, text) for run in self.runs)

    def _holds(self, word: str, stems: set[str]) -> bool:
        return all(stem(part) in stems for part in re.split("[-.:/]", word))


def query_of(text: str) -> Query:
    """The words of a question or goal that say what it is about, each once."""
    words, runs = dict[str, None](), dict[str, None]()
    for match in _TERM.finditer(unified(text).text):
        found = match[0]
        if len(words) + len(runs) >= MOST_TERMS:
            break
        if "가" <= found[0] <= "힣":
            base = without_particle(_without_ending(found))
            if base and not {found, base} & _STOP:
                runs[base] = None
        elif _RUN.match(found):
            runs.update(dict.fromkeys([found] if not _GRAMMAR.fullmatch(found) else []))
        elif (word := found.casefold()) not in _STOP and (len(word) > 1 or word.isdigit()):
            words[word] = None
    return Query(tuple(words), tuple(runs))


def cut_up(text: str) -> str:
    """A text as the index keeps it."""
    return _RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", unified(text).text)


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def _part_of(run: str, text: str) -> float:
    if run in text:
        return 1.0
    pairs = _pairs(run)
    return sum(pair in text for pair in pairs if not _GRAMMAR.fullmatch(pair)) / len(pairs)


def _without_ending(word: str) -> str:
    ending = next((ending for ending in _ENDINGS if word.endswith(ending) and len(word) > len(ending)), "")
    return word.removesuffix(ending) if ending else word
