"""Which columns of a table a goal's words mean; no word is passed over, and two columns as good are ambiguous."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autoagent.models.offline.tables import Column, Table
from autoagent.models.offline.words import (
    is_hangul,
    is_stop,
    particle_variants,
    stem,
    tokens,
    vocabulary,
    without_ending,
)

Function = Literal["total", "average", "minimum", "maximum", "count"]


@dataclass(frozen=True)
class Calculate:
    """`measure` and `group` are the goal's words for columns; `top` N rows, from the bottom where it is negative.

    `whole_rows`: the rows themselves are ranked, though the words name a further column. `counts_rows`: how many there
    are was asked, so words that are left are a condition, no column.
    """

    functions: tuple[Function, ...]
    measure: str
    group: str = ""
    top: int = 0
    whole_rows: bool = False
    counts_rows: bool = False


@dataclass(frozen=True)
class Columns:
    """The column of the numbers, None to count rows, and the one to group by."""

    measure: Column | None
    label: Column | None


@dataclass(frozen=True)
class NoColumn:
    """Why the table can't answer: `words` are what it has no column for, or `choices` which columns they may mean."""

    table: Table
    words: str
    choices: tuple[str, ...] = ()
    reason: Literal["missing", "ambiguous", "mixed units", "no numbers", "condition"] = "missing"

    @property
    def is_value(self) -> bool:
        """One of the words is what a cell holds, so the goal wants rows chosen by it."""
        wanted = {variant.casefold() for word in self.words.split() for variant in particle_variants(word)}
        return any(cell.strip().casefold() in wanted for row in self.table.rows for cell in row.cells)


_FILLER = vocabulary(
    "column columns value values field fields csv tsv table tables row rows record records data result results",
    "report markdown show calculate compute list sheet spreadsheet save write put store make create rank ranking",
    "ranked sort sorted sum total average entry entries item items each grand overall please output together group",
    "grouped 컬럼 칼럼 열 값 값들 표 계산 구하 구해 구해줘 보여 보여줘 보여주세요 기준 순 순위 순서 개 행 건 데이터",
    "저장 저장해 보고서 정리 정리해 결과 계산해 계산해줘 계산하 내 각 합 합계 평균 항목 뽑아 뽑아줘 알려줘 부탁",
    "부탁해 해주세요 매겨 excel xlsx workbook worksheet tab 엑셀 시트 워크시트 워크북 통합문서",
)


def choose(asked: Calculate, table: Table) -> Columns | NoColumn:
    """The columns that the goal means in this table, or why it has none for them."""
    numeric = [column for column in table.columns if column.numeric]
    words = _words(asked.measure, table) or _named(asked.measure, numeric)
    label: Column | None = None
    if asked.group:
        group_words = _words(asked.group, table) or _named(asked.group, table.columns)
        found = _best(group_words, table.columns, table)
        if not isinstance(found, Column):
            return found or NoColumn(table, asked.group.strip())
        label, words = found, _without([*words, *group_words], found)
    if asked.counts_rows and words:
        return NoColumn(table, " ".join(words), reason="condition")
    others = [column for column in table.columns if column is not label]
    measure: Column | None = None
    if words or asked.functions != ("count",):
        found = _measure(words, others, table, text_too=asked.functions == ("count",))
        if isinstance(found, NoColumn):
            return found
        measure, words = found, _without(words, found)
    if asked.top and label is None and words:
        found = _best(words, [column for column in others if column is not measure], table)
        if isinstance(found, NoColumn):
            return found
        label, words = None if asked.whole_rows else found, _without(words, found) if found else words
    if words:
        return NoColumn(table, " ".join(words))
    if measure and len(measure.units) > 1:
        return NoColumn(table, measure.name, tuple(measure.units), "mixed units")
    return Columns(measure, label)


def _measure(words: list[str], columns: Sequence[Column], table: Table, *, text_too: bool) -> Column | NoColumn:
    """The named column of numbers (or of text, to count its cells); the only one where none is named."""
    numeric = [column for column in columns if column.numeric]
    found = _best(words, numeric, table) or (_best(words, columns, table) if text_too else None)
    if found:
        return found
    if words:
        return NoColumn(table, " ".join(words))
    if len(numeric) == 1:
        return numeric[0]
    names = tuple(column.name for column in numeric)
    return NoColumn(table, "", names, "ambiguous" if numeric else "no numbers")


def _best(words: Sequence[str], columns: Sequence[Column], table: Table) -> Column | NoColumn | None:
    """The column whose name the words cover best; None where no word fits."""
    scored: list[tuple[float, int, Column]] = []
    for column in columns:
        names = _name_words(column.name)
        hits = sum(any(_same(word, name) for word in words) for name in names)
        exact = sum(any(stem(word) == name for word in words) for name in names)
        if hits and names:
            scored.append(((hits + exact) / len(names), hits, column))
    if not scored:
        return None
    best = max(score[:2] for score in scored)
    winners = [column for *score, column in scored if tuple(score) == best]
    if len(winners) > 1:
        return NoColumn(table, " ".join(words), tuple(column.name for column in winners), "ambiguous")
    return winners[0]


def _words(phrase: str, table: Table) -> list[str]:
    """The words of a phrase that must name columns; the names of the file and its sheet say nothing about one."""
    file_words = {stem(word) for word in tokens(f"{table.path} {table.sheet}")}
    said = [base for word in tokens(phrase) if (base := without_ending(word))]
    found = [word for word in said if not is_stop(word) and not _is_filler(word)]
    names = [name for column in table.columns for name in _name_words(column.name)]
    return [
        word
        for word in dict.fromkeys(found)
        if stem(word) not in file_words or any(_same(word, name) for name in names)
    ]


def _named(phrase: str, columns: Sequence[Column]) -> list[str]:
    """The words of a phrase that are a column's very name, though elsewhere they ask or say nothing: "by who"."""
    names = {name for column in columns for name in (column.name.strip().casefold(), *_name_words(column.name))}
    said = [variant for word in tokens(phrase) for variant in (word, without_ending(word)) if variant]
    return list(dict.fromkeys(word for word in said if {word.casefold(), stem(word)} & names))


def _is_filler(word: str) -> bool:
    bare = re.sub("(?<=[가-힣])[은는이가을를로]$", "", word)  # 행은: a stem keeps two syllables
    return bool({word.casefold(), stem(word), bare} & _FILLER)


def _without(words: Sequence[str], column: Column) -> list[str]:
    names = _name_words(column.name)
    return [word for word in words if not any(_same(word, name) for name in names)]


def _name_words(name: str) -> list[str]:
    """Stems of a column's name: unitPrice and unit_price are two words, and (KRW) is none."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ")
    return [stem(word) for word in tokens(re.sub(r"[(\[].*?[)\]]", " ", split))] or [
        stem(word) for word in tokens(split)
    ]


def _same(word: str, name: str) -> bool:
    base = stem(word)
    if name in (base, word):
        return True
    korean = is_hangul(base) and is_hangul(name) and min(len(base), len(name)) >= 2
    return korean and (base.startswith(name) or name.startswith(base))
