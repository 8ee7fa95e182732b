"""Which numbers of a table a goal asks for: the functions, the words for the columns, how many rows."""

import re

from autoagent.models.offline.columns import Calculate, Function

EVERY = 10_000  # rows of a ranking without a number
_FUNCTIONS: dict[Function, str] = {
    "total": r"\b(?:grand )?totals?\b|\bsums?\b(?! up)|\badd up\b"
    r"|합계|총합|총액|총계|합산|더해|더한|(?<=\s)합(?=[을은이\s]|$)",
    "average": r"\baverages?\b|\bmean\b|\bavg\b|평균",
    "minimum": r"\bminimum\b|\bmin\b|\blowest\b|\bsmallest\b|최소|최솟값|최저|가장 (?:작|낮|적)[은을]?",
    "maximum": r"\bmaximum\b|\bmax\b|\bhighest\b|\blargest\b|\bbiggest\b|최대|최댓값|최고|가장 (?:큰|높|많)[은을]?",
    "count": r"\bcounts?\b|\bnumber of\b|\bhow many\b|개수|갯수|건수|행 수|몇 (?:건|개|행)",
}
_ANY = "|".join(_FUNCTIONS.values())
_BEGINS = re.compile(rf"(?:\W*(?:calculate|compute|show|give me|get|list|find|the)\s+)*(?:{_ANY})", re.I)
_ENDS = re.compile(rf"(?:{_ANY})\S{{0,2}}(?:\s+(?:좀\s*)?(?:알려|구해|계산|보여)\S*(?:\s*\S+)?)?\s*$", re.I)
_COUNTED = re.compile(r"\b(?:number of|counts?(?: of)?|how many)\s+(?!(?:by|per|in|for|of|column)\b)[^\W\d]+", re.I)
_HOW_MANY = re.compile(r"\b(?:how many|number of)\b|몇 (?:건|개|행)", re.I)
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_N = rf"(?P<n>\d{{1,4}}|{'|'.join(_NUMBERS)})"
_RANKS = [
    re.compile(pattern, re.I)
    for pattern in (
        rf"\b(?P<way>top|bottom|highest|largest|biggest|lowest|smallest|best|worst) {_N}\b",
        rf"\b{_N} (?P<way>highest|largest|biggest|lowest|smallest|best|worst)\b",
        r"(?P<way>상위|하위)\s*(?P<n>\d{1,4})\s*(?:개|건|명|곳|위|행)?(?:의|를|을|만)?",
        r"가장 (?P<way>큰|높은|많은|작은|낮은|적은)\s*(?P<n>\d{1,4})\s*(?:개|건|명|곳|행)(?:의|를|을)?",
    )
]
_FIRST = re.compile(  # the one row with the largest number: "금액이 가장 큰 품목", "which item has the highest price"
    r"(?<=[이가])\s+(?:가장|제일) (?P<way>큰|높은|많은|작은|낮은|적은)(?=\s+[가-힣])"
    r"|\b(?:has|had|with) the (?P<english>highest|largest|biggest|lowest|smallest)\b",
    re.I,
)
_COLUMN_COUNT = re.compile(  # the total of count: a column of that name
    r"\b(?:of|for)\s+(?:the\s+)?(?:column\s+)?[\"'“]?count\b"
    r"|\bcount[\"'”]?\s*(?:열|값)?(?:의)?\s*(?:합계|합|평균|총합|최대|최소|최댓값|최솟값)",
    re.I,
)
_RANK_ALL = re.compile(r"\brank(?:ing|ed)?\b|순위", re.I)
_UPWARD = ("bottom", "lowest", "smallest", "worst", "하위", "작은", "낮은", "적은")
_GROUP = re.compile(
    r"\b(?:(?:grouped )?by|per|for each|for every|in each|of each)\s+"
    r"(.+?)(?=\b(?:in|from|into|of the|using|and save|with|for)\b|$)",
    re.I,
)
_GROUP_KO = re.compile(r"(\S+?)\s?별(?:로|의)?(?=\s|$)")
_TABLE_WORD = re.compile(
    r"\b(?:csv|tsv|columns?|spreadsheet|(?:work)?sheet|workbook|excel)\b|엑셀|시트|컬럼|칼럼|(?:^|\s)열(?:의|을|에서)?\s|스프레드시트",
    re.I,
)


def calculate_in(text: str, *, has_table: bool) -> Calculate | None:
    """What the goal asks to calculate, or None where it doesn't. `has_table`: it names a table's file."""
    top, rest = _rank_in(text)
    first = None if top else _FIRST.search(rest)
    if first:
        top = -1 if (first["way"] or first["english"]).casefold() in _UPWARD else 1
        rest = f"{rest[: first.start()]} {rest[first.end() :]}"
    functions: tuple[Function, ...] = tuple(
        name for name, pattern in _FUNCTIONS.items() if re.search(pattern, rest, re.I)
    )
    names_count = len(functions) > 1 and "count" in functions and _COLUMN_COUNT.search(rest) is not None
    if names_count:
        functions = tuple(name for name in functions if name != "count")
    group = _GROUP_KO.search(rest) or (None if top else _GROUP.search(rest))
    certain = has_table or bool(_TABLE_WORD.search(rest)) or bool(group)
    if not functions and not top:
        return None
    if not certain and (functions == ("count",) or not (top or _BEGINS.match(rest) or _ENDS.search(rest))):
        return None
    if top and not group and functions == ("count",):  # a column of that name: one row holds no more rows than another
        return Calculate(("total",), rest, "", top, whole_rows=bool(first))
    if group:
        rest = f"{rest[: group.start()]} {rest[group.end() :]}"
    counts_rows = functions == ("count",) and bool(_HOW_MANY.search(rest))
    if functions == ("count",):
        rest = _COUNTED.sub(" ", rest)  # rows are counted, whatever they are called
    spoken = "|".join(_FUNCTIONS[name] for name in functions) if names_count else _ANY
    words = re.sub(spoken, " ", rest, flags=re.I)
    by = group[1] if group else ""
    return Calculate(functions or ("total",), words, by, top, whole_rows=bool(first), counts_rows=counts_rows)


def _rank_in(text: str) -> tuple[int, str]:
    """How many rows of the ranking, negative from the bottom, and the text without these words."""
    for pattern in _RANKS:
        if found := pattern.search(text):
            words = found["n"].casefold()
            number = _NUMBERS.index(words) + 1 if words in _NUMBERS else int(words)
            rest = f"{text[: found.start()]} {text[found.end() :]}"
            return (-number if found["way"].casefold() in _UPWARD else number), rest
    if found := _RANK_ALL.search(text):
        return EVERY, f"{text[: found.start()]} {text[found.end() :]}"
    return 0, text
