"""Reports in Markdown: a heading, how it was made, then quotes with their sources or a table."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from autoagent.models.offline.documents import Document, Passage
from autoagent.models.offline.say import pick
from autoagent.models.offline.words import Language

MARKERS = (
    "_Put together by rules (offline planner, no language model). Every quote is verbatim, its source below it._",
    "_규칙으로 만든 보고서입니다(오프라인 플래너, 언어 모델 없음). 모든 인용은 원문이며 출처가 아래에 있습니다._",
)
EXPORTED = "exported by autoagent"  # in the first line of an export as Markdown, at the end of a page's title
HEAD = 3  # lines that show whether a run wrote it, and hold no figure
_OWN_LINES, _EXPORT_LINES = 8, 3  # in which a mark counts
_EXPORT = f"<!-- {EXPORTED} -->"
_SOURCE = rf"<title>(?:Run .* · {EXPORTED})</title>"  # as the page of an export stands in its file
_LITERAL = [re.sub(r"[().]", r"\\\g<0>", line) for line in (*MARKERS, _EXPORT)]  # a person reads it too
SEARCH = "|".join(f"^{line}$" for line in (*_LITERAL, _SOURCE))
_FOUND = re.compile(r"(?P<path>.+?)(?: \(source\))?:(?P<number>\d+)\t(?P<line>.+)")  # as search_files shows a line
MAX_CHARS = 300_000  # of one report, so that the reply that writes it stays whole in the context
NAMED = 50  # files that are named one by one


Written = Literal["report", "export"]


def written_by_a_run(document: Document) -> Written | None:
    """An earlier report of ours, or the export of a run: no source, since what it quotes stands elsewhere."""
    if any(marker in document.lines[:_OWN_LINES] for marker in MARKERS):
        return "report"
    marks = (_EXPORT, f" · {EXPORTED}")
    heads = [line for line in document.lines[:_EXPORT_LINES] if line.startswith(("Title: Run ", _EXPORT))]
    return "export" if any(line.endswith(marks) for line in heads) else None


def found_by_search(told: str) -> dict[str, Written]:
    """What runs wrote, by path, in what search_files tells of `SEARCH`: so its figures are not read with it."""
    found: dict[str, Written] = {}
    for line in told.split("\n"):
        match = _FOUND.fullmatch(line)
        if match and match["line"] in MARKERS and int(match["number"]) <= _OWN_LINES:
            found[match["path"]] = "report"
        elif match and (re.fullmatch(_SOURCE, match["line"]) or int(match["number"]) <= _EXPORT_LINES):
            found[match["path"]] = "export"
    return found


def report(title: str, sections: Iterable[str], language: Language) -> str:
    head = f"# {title}\n\n{MARKERS[1] if language == 'ko' else MARKERS[0]}\n"
    text = "\n".join([head, *sections])
    if len(text) > MAX_CHARS:
        cut = text.rfind("\n\n", 0, MAX_CHARS)
        more = pick(language, "The report would be longer than one reply can hold; the rest is left out.",
                    "보고서가 한 번의 답변에 담기에 너무 길어 나머지는 생략했습니다.")  # fmt: skip
        text = f"{text[:cut]}\n\n{more}\n"
    return text


def quote(passage: Passage) -> str:
    """A block of the verbatim lines, then the source: where the first one stands."""
    lines = "\n".join(f"> {line}" for line in passage.text.split("\n"))
    return f"{lines}\n— {passage.source}\n"


def not_read(unread: Sequence[tuple[str, str]], language: Language) -> list[str]:
    """A section that names what was passed over and why, or nothing."""
    if not unread:
        return []
    title = pick(language, "Not read", "읽지 않은 파일")
    lines = [f"- {path}: {' '.join(why.split())[:300]}" for path, why in unread[:NAMED]]
    if len(unread) > NAMED:
        more = len(unread) - NAMED
        lines.append(pick(language, f"- and {more:,} more", f"- 그 밖에 {more:,}개"))
    return [f"## {title}\n\n" + "\n".join(lines) + "\n"]


def gaps(notes: Sequence[tuple[str, str]], language: Language) -> list[str]:
    """A section with what is missing in documents that were read, or nothing."""
    if not notes:
        return []
    title = pick(language, "Missing in what was read", "읽은 문서에서 빠진 부분")
    lines = [f"- {path}: {' '.join(note.split())[:300]}" for path, note in notes[:NAMED]]
    return [f"## {title}\n\n" + "\n".join(lines) + "\n"]


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right_from: int = 1) -> str:
    """A Markdown table whose columns from `right_from` on are numbers."""
    marks = ["---" if at < right_from else "---:" for at in range(len(header))]
    lines = [header, marks, *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
