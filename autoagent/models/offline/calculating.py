"""The numbers of a calculation as a Markdown table, with every row that is not in them named."""

from collections.abc import Sequence
from decimal import Decimal

from autoagent.models.offline.columns import Calculate, Columns, Function, NoColumn, choose
from autoagent.models.offline.documents import TABLE_SUFFIXES, Document, Passage
from autoagent.models.offline.groups import Calculation, Group, calculate
from autoagent.models.offline.numbers import written
from autoagent.models.offline.outcome import Outcome
from autoagent.models.offline.recheck import of_table
from autoagent.models.offline.reports import quote, table
from autoagent.models.offline.say import count, pick
from autoagent.models.offline.tables import Row, Table, tables_of
from autoagent.models.offline.words import Language

NAMED = 20  # rows that are named one by one
QUOTED = 20  # rows of a ranking
HIDDEN = "hidden in the file: sheet "  # as read_file notes it
_KOREAN: dict[Function, str] = {
    "total": "합계",
    "average": "평균",
    "minimum": "최소",
    "maximum": "최대",
    "count": "개수",
}


def calculated(
    asked: Calculate,
    documents: Sequence[Document],
    part: Sequence[str],
    language: Language,
    failed: Sequence[tuple[str, str]] = (),
) -> Outcome:
    """The calculation on every file that has the columns; the reason where none has.

    `failed` are the files that could not be read, and why.
    """
    files = [document for document in documents if document.is_table]
    lost = [(path, why) for path, why in failed if path.casefold().endswith(TABLE_SUFFIXES) and path not in part]
    if not files and not lost:
        return Outcome(False, pick(language, "There is no CSV file or workbook to calculate from.",
                                   "계산할 CSV 파일이나 엑셀 파일이 없습니다."))  # fmt: skip
    problems = [_unreadable(path, why, language) for path, why in lost]
    done: list[Calculation] = []
    for document in files:
        if document.path in part:
            problems.append(pick(language, f"{document.path}: could not be read whole, so no number is given.",
                                 f"{document.path}: 다 읽지 못해 수를 제시하지 않습니다."))  # fmt: skip
            continue
        found = _of_document(asked, document, language)
        if isinstance(found, Calculation):
            done.append(found)
        else:
            problems += found
    if not done:
        return Outcome(False, " ".join(problems))
    told = [_told(one, language).rstrip() for one in done]
    meant = [_rows_meant(one) for one in done]
    quoted = [[quote(passage) for passage in rows] for rows in meant]
    sections = [f"{text}\n" + "".join(f"\n{row}" for row in rows) for text, rows in zip(told, quoted, strict=True)]
    rows = [passage for one, rows in zip(done, meant, strict=True) for passage in rows or _rows_ranked(one)]
    worked_out = [one for one in done if not (one.ranked and one.label is None)]
    rechecks = [of_table(one) for one in worked_out]
    return Outcome(
        True,
        "\n\n".join(told),
        tuple(sections),
        pick(language, "Calculation", "계산"),
        quoted=tuple(rows),
        rechecks=tuple(one for one in rechecks if one),
        unchecked=tuple(one.table.path for one, check in zip(worked_out, rechecks, strict=True) if check is None),
    )


def _unreadable(path: str, why: str, language: Language) -> str:
    told = f"{path} ({' '.join(why.split()).rstrip('.')})"
    return pick(language, f"Could not be read, so no number is given: {told}.",
                f"읽지 못해 수를 제시하지 않습니다: {told}.")  # fmt: skip


def _of_document(asked: Calculate, document: Document, language: Language) -> Calculation | list[str]:
    """On the one table that has the columns, else why there is none, or which ones have them."""
    tables = tables_of(document)
    if not tables:
        return [pick(language, f"{document.path}: no table with a header.",
                     f"{document.path}: 머리글이 있는 표가 아닙니다.")]  # fmt: skip
    chosen = [(table, choose(asked, table)) for table in tables]
    fitting = [(table, columns) for table, columns in chosen if isinstance(columns, Columns)]
    shown = [(table, columns) for table, columns in fitting if table.sheet not in _hidden(document)]
    match shown or fitting:
        case [(table, columns)]:
            return calculate(asked, table, columns)
        case []:
            return [_why(columns, language) for _, columns in chosen if isinstance(columns, NoColumn)]
        case several:
            names = ", ".join(table.title.rpartition("#")[2] for table, _ in several)
            return [pick(language, f"{document.path}: several sheets have these columns: {names}. Name one.",
                         f"{document.path}: 해당 열이 여러 시트에 있습니다: {names}. 하나를 고르세요.")]  # fmt: skip


def _hidden(document: Document) -> set[str]:
    return {note.removeprefix(HIDDEN) for note in document.notes if note.startswith(HIDDEN)}


def _rows_meant(done: Calculation) -> list[Passage]:
    """The rows of a sheet that a ranking chose, or that hold the smallest or largest number, as they stand."""
    if not done.table.sheet or done.measure is None or done.label is not None:
        return []
    lines = [int(group.key) for group in done.groups[:QUOTED]] if done.ranked else _extremes(done)
    rows = {row.line: row for row in done.table.rows}
    document = done.table.document
    return [
        Passage(
            document.path,
            line,
            "\t".join(rows[line].cells).strip(),
            "row",
            source=document.source(line, done.measure.index),
        )
        for line in lines
    ]


def _rows_ranked(done: Calculation) -> list[Passage]:
    """The rows of a CSV file that a ranking chose, each where it stands on one line."""
    if done.table.sheet or not done.ranked or done.label is not None:
        return []
    document = done.table.document
    lines = [int(group.key) for group in done.groups[:QUOTED]]
    by_line = {row.line: row for row in done.table.rows}
    texts = {line: document.lines[line - 1].strip() for line in lines}
    whole = [line for line in lines if all(cell.strip() in texts[line] for cell in by_line[line].cells)]
    return [Passage(document.path, line, texts[line], "row", source=document.source(line)) for line in whole]


def _extremes(done: Calculation) -> list[int]:
    assert done.measure is not None
    wanted = [done.whole.value(function) for function in done.functions if function in ("minimum", "maximum")]
    amounts = list(zip(done.table.rows, done.measure.amounts, strict=True))
    found = [next((row.line for row, one in amounts if one and one.value == value), 0) for value in wanted]
    return [line for line in dict.fromkeys(found) if line]


def _why(problem: NoColumn, language: Language) -> str:
    names = ", ".join(problem.table.names)
    choices = ", ".join(problem.choices)
    path = problem.table.title
    match problem.reason:
        case "missing":
            told = pick(language, f"{path}: no column for “{problem.words}”. Its columns: {names}.",
                        f"{path}: “{problem.words}”에 맞는 열이 없습니다. 있는 열: {names}.")  # fmt: skip
            filters = pick(language, " It stands in the rows, but choosing rows by a value (filters) is not supported.",
                           " 행에 있는 값이지만, 값으로 행을 고르는 것(필터)은 지원하지 않습니다.")  # fmt: skip
            return told + filters if problem.is_value else told
        case "ambiguous" if not problem.words:
            return pick(language, f"{path}: which column? Its columns of numbers: {choices}. Name one.",
                        f"{path}: 어느 열인지 알 수 없습니다. 수로 된 열: {choices}. 하나를 적어 주세요.")  # fmt: skip
        case "ambiguous":
            return pick(language, f"{path}: “{problem.words}” may mean several columns: {choices}. Name one.",
                        f"{path}: “{problem.words}”에 맞는 열이 여럿입니다: {choices}. 하나를 고르세요.")  # fmt: skip
        case "mixed units":
            return pick(language, f"{path}: the column {problem.words} mixes {choices}; a total would mean nothing.",
                        f"{path}: {problem.words} 열에 {choices} 단위가 섞여 있어 더할 수 없습니다.")  # fmt: skip
        case "condition":
            return pick(language, f"{path}: rows can't be counted by “{problem.words}”: filters are not supported.",
                        f"{path}: “{problem.words}” 조건으로 행을 세는 것(필터)은 지원하지 않습니다.")  # fmt: skip
        case "no numbers":
            return pick(language, f"{path}: no column of numbers. Its columns: {names}.",
                        f"{path}: 수로 된 열이 없습니다. 있는 열: {names}.")  # fmt: skip


def _told(done: Calculation, language: Language) -> str:
    """Heading, table, and notes on what was left out."""
    unit = done.measure.units[0] if done.measure and done.measure.units else ""
    functions = [pick(language, function, _KOREAN[function]) for function in _shown(done)]
    measure = done.measure.name if done.measure else pick(language, "rows", "행")
    title = f"{', '.join(functions)}: {measure}"
    if done.ranked and done.label is None:
        way = pick(language, "highest" if done.top > 0 else "lowest", "큰" if done.top > 0 else "작은")
        title = pick(language, f"the rows with the {way} {measure}", f"{measure} 값이 가장 {way} 행")
    elif done.label:
        title += pick(language, f" by {done.label.name}", f" ({done.label.name}별)")
    rows_word = pick(language, "rows", "행 수")
    if done.ranked and done.label is None:
        by_line = {str(row.line): row for row in done.table.rows}
        names = list(done.table.names)
        line_word = pick(language, "where", "위치")
        at_column = done.measure.index if done.measure else 0
        body = [
            [
                _place(done.table, by_line[group.key], at_column, language),
                *(by_line[group.key].cell(at) for at in range(len(names))),
            ]
            for group in done.groups
        ]
        shown = table([line_word, *names], body, right_from=len(names) + 1)
    else:
        key = [done.label.name] if done.label else []
        shown_rows = "count" not in _shown(done)
        header = [
            *key,
            *(f"{name} {measure}" if done.measure else name for name in functions),
            *([rows_word] if shown_rows else []),
        ]
        body = [
            _row(group, done, unit, [group.key or pick(language, "(empty)", "(빈 칸)")] if key else [])
            for group in done.groups
        ]
        if key and not done.ranked:
            body.append(_row(done.whole, done, unit, [pick(language, "All", "전체")]))
        if not key:
            body = [_row(done.whole, done, unit, [])]
        shown = table(header, body, right_from=len(key))
    return "\n".join([f"## {done.table.title}: {title}\n", shown, *_notes(done, language)])


def _shown(done: Calculation) -> tuple[Function, ...]:
    """Beside others a count has no column of its own: the rows stand there anyway, and a column may be called so."""
    return tuple(function for function in done.functions if function != "count") or done.functions


def _row(group: Group, done: Calculation, unit: str, key: list[str]) -> list[str]:
    values = [_value(done.value(group, function), function, unit) for function in _shown(done)]
    rows = [] if "count" in _shown(done) else [f"{group.rows:,}"]
    return [*key, *values, *rows]


def _value(value: Decimal | None, function: Function, unit: str) -> str:
    return "–" if value is None else written(value, "" if function == "count" else unit)


def _notes(done: Calculation, language: Language) -> list[str]:
    measure = done.measure
    name = measure.name if measure else ""
    notes: list[str] = []
    if done.empty:
        notes.append(pick(language, f"Left out, {name} is empty: {_lines(done, done.empty, language)}.",
                          f"제외, {name} 빈 칸: {_lines(done, done.empty, language)}."))  # fmt: skip
    if done.no_number and measure:
        named = _lines(done, done.no_number, language, measure.index)
        notes.append(
            pick(language, f"Left out, {name} is not a number: {named}.", f"제외, {name} 값이 수가 아님: {named}.")
        )
    if done.table.odd:
        named = _lines(done, done.table.odd, language)
        notes.append(
            pick(language, f"Left out, more cells than columns: {named}.", f"제외, 열보다 칸이 많음: {named}.")
        )
    if done.table.totals:
        named = _lines(done, done.table.totals, language)
        notes.append(pick(language, f"Left out, a row of totals: {named}.", f"제외, 합계 행: {named}."))
    if measure and measure.mark == ",":
        notes.append(
            pick(
                language,
                f"In {name} the comma was read as the decimal mark.",
                f"{name} 열의 쉼표는 소수점으로 읽었습니다.",
            )
        )
    if "average" in done.functions:
        notes.append(pick(language, "Averages are rounded half up.", "평균은 반올림했습니다."))
    if done.table.sheet and measure:
        notes.append(_range(done.table, measure.index, language))
    return [f"{note}\n" for note in notes]


def _range(table: Table, column: int, language: Language) -> str:
    """Where the numbers stand: the rows left out are named beside it."""
    first, last = (_place(table, row, column, language) for row in (table.rows[0], table.rows[-1]))
    return pick(language, f"From the cells {first} to {last}.", f"셀 {first}부터 {last}까지.")


def _place(table: Table, row: Row, column: int, language: Language) -> str:
    """Said so that nobody takes it for a figure of the file."""
    place = table.place(row, column)
    return f"{table.path}#{table.sheet}!{place}" if table.sheet else pick(language, f"line {place}", f"{place}번째 줄")


def _lines(done: Calculation, rows: Sequence[Row], language: Language, column: int | None = None) -> str:
    """2 rows (line 7: “n/a”, line 12: “–”), or the cells of a sheet: 1 row (goods.xlsx#Stock!C7: “n/a”)"""
    named = [
        _place(done.table, row, column or 0, language) + ("" if column is None else f": “{row.cell(column)[:40]}”")
        for row in rows[:NAMED]
    ]
    more = " …" if len(rows) > NAMED else ""
    return f"{pick(language, count(len(rows), 'row'), f'{len(rows):,}행')} ({', '.join(named)}{more})"
