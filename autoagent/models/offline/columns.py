"""Totals, averages and ranks of a table's columns: what a goal asks for, which columns it means, the numbers."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from autoagent.models.offline.numbers import average, total
from autoagent.models.offline.tables import Column, Row, Table
from autoagent.models.offline.words import is_hangul, is_stop, stem, tokens

Function = Literal["total", "average", "minimum", "maximum", "count"]


@dataclass(frozen=True)
class Calculate:
    """`measure` and `group` are the goal's words for columns; `top` N rows, from the bottom where it is negative."""

    functions: tuple[Function, ...]
    measure: str
    group: str = ""
    top: int = 0


@dataclass(frozen=True)
class Group:
    key: str
    numbers: tuple[Decimal, ...]
    rows: int

    def value(self, function: Function) -> Decimal | None:
        if function == "count":
            return Decimal(self.rows)
        if not self.numbers:
            return None
        match function:
            case "total":
                return total(self.numbers)
            case "average":
                return average(list(self.numbers))
            case "minimum":
                return min(self.numbers)
            case "maximum":
                return max(self.numbers)


@dataclass(frozen=True)
class Calculation:
    """The groups in their order, with everything that was left out of them; `measure` is None for a count of rows."""

    table: Table
    functions: tuple[Function, ...]
    measure: Column | None
    label: Column | None
    groups: tuple[Group, ...]
    whole: Group
    empty: tuple[Row, ...]
    no_number: tuple[Row, ...]
    ranked: bool


@dataclass(frozen=True)
class NoColumn:
    """Why the table can't answer: `words` are what it has no column for, or `choices` which columns they may mean."""

    table: Table
    words: str
    choices: tuple[str, ...] = ()
    reason: Literal["missing", "ambiguous", "mixed units", "no numbers", "too wide"] = "missing"


_FUNCTIONS: tuple[tuple[Function, str], ...] = (
    ("total", r"\b(?:grand )?totals?\b|\bsums?\b(?! up)|\badd up\b|합계|총합|총액|총계|합산|더해|더한|(?<=\s)합(?=[을은이\s]|$)"),
    ("average", r"\baverages?\b|\bmean\b|\bavg\b|평균"),
    ("minimum", r"\bminimum\b|\bmin\b|\blowest\b|\bsmallest\b|최소|최솟값|최저|가장 (?:작|낮|적)[은을]?"),
    ("maximum", r"\bmaximum\b|\bmax\b|\bhighest\b|\blargest\b|\bbiggest\b|최대|최댓값|최고|가장 (?:큰|높|많)[은을]?"),
    ("count", r"\bcounts?\b|\bnumber of\b|\bhow many\b|개수|갯수|건수|행 수|몇 (?:건|개|행)"),
)
_NUMBER_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_N = rf"(?P<n>\d{{1,4}}|{'|'.join(_NUMBER_WORDS)})"
_RANKS = [re.compile(pattern, re.I) for pattern in (
    rf"\b(?P<way>top|bottom|highest|largest|biggest|lowest|smallest|best|worst) {_N}\b",
    rf"\b{_N} (?P<way>highest|largest|biggest|lowest|smallest|best|worst)\b",
    r"(?P<way>상위|하위)\s*(?P<n>\d{1,4})\s*(?:개|건|명|곳|위|행)?(?:의|를|을|만)?",
    r"가장 (?P<way>큰|높은|많은|작은|낮은|적은)\s*(?P<n>\d{1,4})\s*(?:개|건|명|곳|행)(?:의|를|을)?",
)]  # fmt: skip
_RANK_ALL = re.compile(r"\brank(?:ing|ed)?\b|순위", re.I)
_UPWARD = ("bottom", "lowest", "smallest", "worst", "하위", "작은", "낮은", "적은")
_GROUPED = re.compile(r"\b(?:(?:grouped )?by|per|for each|for every|in each|of each)\s+(.+)$", re.I)
_GROUPED_KO = re.compile(r"(\S+?)\s?별(?:로|의)?(?=\s|$)")
_TABLE_WORD = re.compile(r"\b(?:csv|tsv|columns?|spreadsheet)\b|컬럼|칼럼|(?:^|\s)열(?:의|을|에서)?\s|스프레드시트", re.I)
_FILLER = frozenset(
    "column columns value values field fields csv tsv table tables row rows record records data result results report "
    "markdown show calculate compute list sheet spreadsheet save write put store make create rank ranking ranked sort sorted "
    "sum total average entry entries item items each grand overall please output together group grouped "
    "컬럼 칼럼 열 값 값들 표 계산 구하 구해 구해줘 보여 보여줘 보여주세요 기준 기준으로 순 순위 순서 개 행 건 데이터 저장 저장해 "
    "보고서 정리 정리해 결과 계산해 계산해줘 계산하 내 각 합 합계 평균 항목 뽑아 뽑아줘 알려줘 부탁 부탁해 해주세요 매겨".split()
)
EVERY = 10_000


def calculate_in(text: str, *, has_table: bool) -> Calculate | None:
    """What the goal asks to calculate, or None where it doesn't."""
    top, rest = _rank_in(text)
    functions = tuple(function for function, pattern in _FUNCTIONS if re.search(pattern, rest, re.I))
    if not functions and not top:
        return None
    begins = any(re.match(rf"(?:\W*(?:calculate|compute|show|give me|get|list|find|the)\s+)*(?:{pattern})", rest, re.I) for _, pattern in _FUNCTIONS)  # noqa: E501
    ends = any(re.search(rf"(?:{pattern})\S{{0,2}}(?:\s+(?:좀\s*)?(?:알려|구해|계산|보여)\S*(?:\s*\S+)?)?\s*$", rest, re.I) for _, pattern in _FUNCTIONS)  # noqa: E501
    grouped = _GROUPED_KO.search(rest) or _GROUPED.search(rest)
    said = has_table or bool(_TABLE_WORD.search(rest)) or bool(grouped) or top
    if functions == ("count",) and not (has_table or _TABLE_WORD.search(rest) or grouped):
        return None
    if not (said or begins or ends):
        return None
    count_noun = r"\b(?:number of|counts?(?: of)?|how many)\s+(?!(?:by|per|in|for|of|column)\b)[^\W\d]+" if functions == ("count",) else r"\uffff"
    group = ""
    if korean := _GROUPED_KO.search(rest):
        group, rest = korean[1], rest[: korean.start()] + " " + rest[korean.end() :]
    elif grouped and not top:
        group, rest = re.split(r"\b(?:in|from|into|of the|using|and save|with)\b", grouped[1])[0], rest[: grouped.start()] + " " + _after(grouped[1])
    rest = re.sub(count_noun, " ", rest, flags=re.I)
    for _, pattern in _FUNCTIONS:
        rest = re.sub(pattern, " ", rest, flags=re.I)
    return Calculate(functions or ("total",), rest, group, top)


def _after(phrase: str) -> str:
    """What follows the group's name: "by region in 2024" leaves "2024", which no column may know."""
    return " ".join(re.split(r"\b(?:in|from|into|of the|using|and save|with)\b", phrase)[1:])


def _rank_in(text: str) -> tuple[int, str]:
    for pattern in _RANKS:
        if found := pattern.search(text):
            number = _NUMBER_WORDS.get(found["n"].casefold()) or int(found["n"])
            rest = f"{text[: found.start()]} {text[found.end() :]}"
            return (-number if found["way"].casefold() in _UPWARD else number), rest
    if found := _RANK_ALL.search(text):
        return EVERY, f"{text[: found.start()]} {text[found.end() :]}"
    return 0, text


def calculate(asked: Calculate, table: Table) -> Calculation | NoColumn:
    """The numbers, or which column is missing, ambiguous or mixed. No word of the goal is passed over."""
    words = _words(asked.measure, table)
    label: Column | None = None
    if asked.group.strip():
        label = _best(_words(asked.group, table), table.columns, table) if _words(asked.group, table) else None
        if not isinstance(label, Column):
            return label or NoColumn(table, asked.group.strip())
        words = [word for word in words if not _same_as_any(word, label.name)]
    others = [column for column in table.columns if column is not label]
    rows_only = asked.functions == ("count",) and not words
    measure: Column | NoColumn | None = None
    if not rows_only:
        measure = _best(words, [column for column in others if column.numeric], table)
        if measure is None and asked.functions == ("count",):
            measure = _best(words, others, table)
        measure = measure or _only_numeric(words, others, table)
        if isinstance(measure, NoColumn):
            return measure
        words = [word for word in words if not _same_as_any(word, measure.name)]
    if asked.top and label is None and words:
        label = _best(words, [column for column in others if column is not measure], table)
        if isinstance(label, NoColumn):
            return label
        words = [word for word in words if not (label and _same_as_any(word, label.name))]
    if words:
        return NoColumn(table, " ".join(words))
    if measure and len(measure.units) > 1:
        return NoColumn(table, measure.name, tuple(measure.units), "mixed units")
    return _calculation(asked, table, measure, label)


def _only_numeric(words: list[str], columns: list[Column], table: Table) -> Column | NoColumn:
    """The one column of numbers, where the goal names none."""
    numeric = [column for column in columns if column.numeric]
    if words:
        return NoColumn(table, " ".join(words))
    if len(numeric) == 1:
        return numeric[0]
    reason = "ambiguous" if numeric else "no numbers"
    return NoColumn(table, "", tuple(column.name for column in numeric), reason)


def _words(phrase: str, table: Table) -> list[str]:
    """The words of a phrase that must name columns; the file's own name says nothing about one."""
    file_words = {stem(word) for word in tokens(table.path)}
    found = [word for word in tokens(phrase) if not is_stop(word) and word.casefold() not in _FILLER and stem(word) not in _FILLER]
    named = {word for column in table.columns for word in found if _same_as_any(word, column.name)}
    return [word for word in dict.fromkeys(found) if word in named or stem(word) not in file_words]


def _name_words(name: str) -> list[str]:
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [stem(word) for word in tokens(re.sub(r"[(\[].*?[)\]]", " ", split))] or [stem(word) for word in tokens(split)]


def _same(word: str, name_word: str) -> bool:
    base = stem(word)
    if base == name_word or word == name_word:
        return True
    korean = is_hangul(base) and is_hangul(name_word) and min(len(base), len(name_word)) >= 2
    return korean and (base.startswith(name_word) or name_word.startswith(base))


def _same_as_any(word: str, name: str) -> bool:
    return any(_same(word, name_word) for name_word in _name_words(name))


def _best(words: list[str], columns: list[Column] | tuple[Column, ...], table: Table) -> Column | NoColumn | None:
    """The column whose name the words cover best; two as good are ambiguous; None where no word fits."""
    scored: list[tuple[float, int, Column]] = []
    for column in columns:
        names = _name_words(column.name)
        hits = sum(any(_same(word, name) for word in words) for name in names)
        exact = sum(any(stem(word) == name for word in words) for name in names)
        if hits:
            scored.append(((hits + exact) / len(names), hits, column))
    if not scored:
        return None
    best = max((ratio, hits) for ratio, hits, _ in scored)
    winners = [column for ratio, hits, column in scored if (ratio, hits) == best]
    if len(winners) > 1:
        return NoColumn(table, " ".join(words), tuple(column.name for column in winners), "ambiguous")
    return winners[0]


def _calculation(asked: Calculate, table: Table, measure: Column | None, label: Column | None) -> Calculation:
    ranked_rows = bool(asked.top) and label is None
    numbers: dict[str, list[Decimal]] = {}
    rows: dict[str, int] = {}
    empty: list[Row] = []
    no_number: list[Row] = []
    counts_text = measure is not None and not measure.numeric and asked.functions == ("count",)
    for at, row in enumerate(table.rows):
        key = f"{row.line}" if ranked_rows else (row.cell(label.index) if label else "")
        one = measure.amounts[at] if measure else None
        if measure and not row.cell(measure.index):
            empty.append(row)
        elif measure and one is None and not counts_text:
            no_number.append(row)
        else:
            rows[key] = rows.get(key, 0) + 1
            numbers.setdefault(key, []).extend([one.value] if one else [])
            continue
        rows.setdefault(key, 0)
    groups = [Group(key, tuple(numbers.get(key, ())), count) for key, count in rows.items()]
    if ranked_rows:
        groups = [group for group in groups if group.rows]
    whole = Group("", tuple(value for group in groups for value in group.numbers), sum(group.rows for group in groups))
    if asked.top:
        first = asked.functions[0]
        known = [group for group in groups if group.value(first) is not None]
        known.sort(key=lambda group: group.value(first) or Decimal(0), reverse=asked.top > 0)
        groups = known[: abs(asked.top)]
    return Calculation(
        table, asked.functions, measure, label, tuple(groups), whole, tuple(empty), tuple(no_number), bool(asked.top)
    )
