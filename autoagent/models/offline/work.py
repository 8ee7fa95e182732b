"""Doing a task on the documents that were read: sections for the report, and the result in words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from autoagent.models.offline.answering import Answer, answer
from autoagent.models.offline.calculating import calculated
from autoagent.models.offline.columns import Calculate
from autoagent.models.offline.documents import Document, Passage
from autoagent.models.offline.finding import find
from autoagent.models.offline.goals import Ask, CountFiles, Find, Summarise, Task
from autoagent.models.offline.outcome import Outcome
from autoagent.models.offline.recheck import of_files, of_search
from autoagent.models.offline.reports import quote, table
from autoagent.models.offline.say import count, pick
from autoagent.models.offline.summarising import Shape, Summary, summarise
from autoagent.models.offline.words import (
    SAID_OF_A_REPORT,
    SAID_OF_A_SUMMARY,
    Language,
    is_hangul,
    is_stop,
    stem,
    tokens,
)

LINES = 300  # quoted of a search; the count is of all
LINES_TOLD = 10
NAMED = 20  # documents that were not read
_OF_PAGES = {"페이지", "웹페이지", "기사", "링크", "사이트", "주소", "글", "웹", "블로그"}  # what an address leads to


@dataclass(frozen=True)
class Material:
    """What a task has to work on; `part` names files of which not everything could be read.

    `unread` are those passed over, and why; `failed` those of them that should have been read; `own` earlier reports.
    `folder` is the one whose files `paths` all are.
    """

    documents: tuple[Document, ...]
    unread: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...]
    part: tuple[str, ...]
    named: frozenset[str]
    paths: tuple[str, ...]
    own: tuple[tuple[str, str], ...] = ()
    folder: str = ""

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """What is missing in documents that were read."""
        return tuple((document.path, note) for document in self.documents for note in document.notes)


def done(task: Task, material: Material, language: Language) -> Outcome:
    """What came of a task. One that names an address which can't be read is not reached, whatever else was."""
    lost = [(url, why) for url, why in material.failed if url in task.scope.addresses]
    if lost and not material.documents:
        return Outcome(False, _lost(lost, language))
    outcome = _done(task, material, language)
    if lost and outcome.reached:
        return replace(outcome, lacking=_lost(lost, language))
    return outcome


def _lost(lost: Sequence[tuple[str, str]], language: Language) -> str:
    told = [f"{url} ({' '.join(why.split())[:300].rstrip('.')})" for url, why in lost]
    return pick(language, f"Could not be read: {'; '.join(told)}.", f"읽지 못했습니다: {'; '.join(told)}.")


def _done(task: Task, material: Material, language: Language) -> Outcome:
    deed = task.deed
    match deed:
        case Summarise():
            return _summarised(task, deed, material, language)
        case Ask():
            return _answered(deed, material, language)
        case Find():
            return _found(deed, material, language)
        case CountFiles():
            return _counted(task, deed, material, language)
        case Calculate():
            outcome = calculated(deed, material.documents, material.part, language, material.failed)
            if outcome.reached or not task.otherwise:
                return outcome
            return _answered_in_words(task.otherwise, material, language) or outcome


def _summarised(task: Task, deed: Summarise, material: Material, language: Language) -> Outcome:
    topic = _topic(task, material)
    summaries = summarise(material.documents, topic, deed.sentences)
    told = [summary for summary in summaries if summary.told]
    quoted = [passage for summary in summaries for passage in (*summary.headers, *summary.quotes)]
    if not told:
        about = f" ({', '.join(topic)})" if topic else ""
        looked = _looked_in(material, language)
        reason = pick(language, f"Nothing to quote{about}. {looked}", f"인용할 내용이 없습니다{about}. {looked}")
        return Outcome(False, reason)
    sections = [_section(summary, language) for summary in summaries]
    result = pick(
        language,
        f"quotes from {_paths_of(told)}",
        f"{_paths_of(told)}에서 인용",
    )
    if material.failed:
        named = _named(material.failed)
        result += pick(language, f"; not read: {named}", f"; 읽지 못한 문서: {named}")
    return Outcome(True, result, tuple(sections), pick(language, "Summary", "요약"), quoted=tuple(quoted))


def _paths_of(told: Sequence[Summary]) -> str:
    """No count of them: the result only says what can be looked up."""
    return ", ".join(summary.path for summary in told[:NAMED]) + (", …" if len(told) > NAMED else "")


def _topic(task: Task, material: Material) -> list[str]:
    """What the summary is to be about: the words of the goal that are neither its verb nor its place."""
    text = re.sub(r"\bfor (?:my|the|our|a|an|me|us)(?: \w+)?|\b\d+\b", " ", task.bare, flags=re.I)
    known = {stem(word) for word in material.named}
    known |= {stem(word) for path in task.scope.paths for word in tokens(path)}
    known |= _OF_PAGES if task.scope.addresses else set()
    words = [word for word in tokens(text) if not is_stop(word) and stem(word) not in known]
    return list(
        dict.fromkeys(stem(w) for w in words if not SAID_OF_A_REPORT.match(w) and w.casefold() not in SAID_OF_A_SUMMARY)
    )


def _section(summary: Summary, language: Language) -> str:
    lines = [f"## {summary.path}\n"]
    for shape in summary.shapes:
        lines += _shape(shape, language)
    if not summary.quotes and not summary.shapes:
        lines.append(pick(language, "Nothing in it to quote.\n", "인용할 내용이 없습니다.\n"))
    heading = ""
    for passage in summary.quotes:
        if passage.heading != heading:
            heading = passage.heading
            lines.append(f"### {heading}\n")
        lines.append(quote(passage))
    return "\n".join(lines)


def _shape(shape: Shape, language: Language) -> list[str]:
    if not shape.sheet:
        told = pick(language, f"### Table: header and {shape.rows:,} lines\n", f"### 표: 머리글과 {shape.rows:,}줄\n")
    elif shape.ends:
        first, last = shape.ends  # no number of rows: what is said has to stand in what was read
        told = pick(language, f"### Sheet {shape.sheet}: rows {first} to {last}\n",
                    f"### 시트 {shape.sheet}: {first} 행부터 {last} 행까지\n")  # fmt: skip
    else:
        told = pick(language, f"### Sheet {shape.sheet}: empty\n", f"### 시트 {shape.sheet}: 비어 있음\n")
    return [told, *([quote(shape.header)] if shape.header else [])]


def _answered(deed: Ask, material: Material, language: Language) -> Outcome:
    found = answer(deed.words, material.documents, tuple(material.named))
    looked = _looked_in(material, language)
    if not found.quotes:
        return Outcome(False, f"“{deed.question}”: {_not_found(deed, found, language)}{looked}")
    sections = [f"## {deed.question}\n", *(quote(passage) for passage in found.quotes)]
    told = list(map(_told, found.quotes))
    if found.causes:
        named = pick(language, "Where the same document speaks of causes", "같은 문서에서 원인을 말하는 곳")
        sections += [f"### {named}\n", *(quote(passage) for passage in found.causes)]
        told += [f"{named}:", *map(_told, found.causes)]
    head = pick(language, "From the documents, most relevant first:", "문서에서, 관련이 큰 순서로:")
    title = pick(language, "Answer", "답변")
    return Outcome(True, "\n\n".join([head, *told]), tuple(sections), title, quoted=(*found.quotes, *found.causes))


def _not_found(deed: Ask, found: Answer, language: Language) -> str:
    """What was looked for and what comes nearest: rules that miss a word can't say that there is no answer."""
    words = ", ".join(found.wanted) or deed.question
    told = pick(
        language, f"I found no sentence with all of: {words}", f"다음 낱말이 모두 있는 문장을 찾지 못했습니다: {words}"
    )
    unseen = ", ".join(found.unknown)
    seen = pick(language, f"Seen nowhere: {unseen}. ", f"어디에서도 보지 못한 낱말: {unseen}. ") if unseen else ""
    if found.nearest is None:
        return f"{told}. {seen}"
    near = pick(language, "the nearest passage", "가장 가까운 구절")
    return f"{told}; {near}:\n\n{_told(found.nearest)}\n\n{seen}"


def _answered_in_words(deed: Ask, material: Material, language: Language) -> Outcome | None:
    """The answer where a calculation failed: of no table's rows; None where the tables' own reason says more."""
    if not material.documents:
        return None
    prose = tuple(one for one in material.documents if not one.is_table)
    outcome = _answered(deed, replace(material, documents=prose), language)
    return outcome if outcome.reached or len(prose) == len(material.documents) else None


def _found(deed: Find, material: Material, language: Language) -> Outcome:
    found = find(deed.needles, material.documents)
    marks = "“”" if found.times else "``"  # what stands in quotation marks is to be found in a document
    words = ", ".join(f"{marks[0]}{needle}{marks[1]}" for needle in deed.needles)
    where = len(found.by_file)
    files = len(material.documents)
    lines = len(found.lines)
    alone = all(not is_hangul(needle[-1:]) for needle in deed.needles)  # a particle makes no other word
    as_word = pick(language, f" ({found.as_word:,} as a word of its own)", f"(낱말 그대로는 {found.as_word:,}번)")
    times = pick(language, count(found.times, "time"), f"{found.times:,}번") + (as_word if alone else "")
    amount = pick(
        language,
        f"{words}: {times} in {count(lines, 'line')} of {count(where, 'file')}; {count(files, 'file')} searched",
        f"{words}: {times}, 파일 {where}개의 {lines:,}줄; 찾아본 파일 {files}개",
    )
    if material.part:
        part = ", ".join(material.part[:20])
        reason = pick(language, f"No full count: not read whole: {part}. In what was read: {amount}.",
                      f"전체를 세지 못했습니다. 다 읽지 못한 파일: {part}. 읽은 부분에서: {amount}.")  # fmt: skip
        return Outcome(False, reason)
    header = pick(language, "File|Times", "파일|횟수").split("|")
    sections = [f"## {words}\n", amount + ".\n"]
    if where:
        sections.append(table(header, [(path, f"{times:,}") for path, times in found.by_file.items()]))
    sections += [quote(line) for line in found.lines[:LINES]]
    if len(found.lines) > LINES:
        more = len(found.lines) - LINES
        sections.append(
            pick(
                language,
                f"{more:,} more lines are counted but not quoted.\n",
                f"{more:,}줄은 세었으나 인용하지 않았습니다.\n",
            )
        )
    told = [_told(line) for line in found.lines[:LINES_TOLD]]
    title = pick(language, "Places", "찾은 곳")
    check = of_search(deed.needles, material.documents, found)
    rechecks, unchecked = ((check,), ()) if check else ((), ("",))
    return Outcome(
        True,
        "\n\n".join([amount, *told]),
        tuple(sections),
        title,
        quoted=found.lines[:LINES],
        rechecks=rechecks,
        unchecked=unchecked,
    )


def _counted(task: Task, deed: CountFiles, material: Material, language: Language) -> Outcome:
    paths = [path for path in material.paths if not deed.suffixes or path.casefold().endswith(deed.suffixes)]
    kinds: dict[str, int] = {}
    no_suffix = pick(language, "no suffix", "확장자 없음")
    for path in paths:
        name = path.rpartition("/")[2]
        kind = f".{name.rpartition('.')[2].casefold()}" if "." in name else no_suffix
        kinds[kind] = kinds.get(kind, 0) + 1
    which = f" ({', '.join(deed.suffixes)})" if deed.suffixes else ""
    if material.part:
        reason = pick(language, "No full count: the workspace holds more entries than one listing shows.",
                      "전체를 세지 못했습니다. 작업 폴더의 항목이 목록 하나보다 많습니다.")  # fmt: skip
        return Outcome(False, reason)
    result = pick(
        language,
        f"{count(len(paths), 'file')}{which}, hidden ones not counted",
        f"파일 {len(paths):,}개{which}, 숨김 파일 제외",
    )
    header = pick(language, "Kind|Files", "종류|파일 수").split("|")
    rows = table(header, [(kind, f"{number:,}") for kind, number in sorted(kinds.items())])
    title = pick(language, "Files", "파일")
    check = of_files(deed.suffixes, material.folder, kinds, no_suffix) if material.folder else None
    sections = (f"## {task.text}\n", result + ".\n", rows)
    return Outcome(True, result, sections, title, rechecks=(check,) if check else (), unchecked=() if check else ("",))


def _told(passage: Passage) -> str:
    return quote(passage).rstrip()


def _looked_in(material: Material, language: Language) -> str:
    names = [document.path for document in material.documents]
    shown = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
    looked = pick(language, f"Looked in {count(len(names), 'file')}", f"찾아본 파일 {len(names)}개") + (
        f": {shown}." if names else "."
    )
    if material.unread:
        unread = _named(material.unread)
        looked += pick(language, f" Not read: {unread}.", f" 읽지 않은 파일: {unread}.")
    if material.notes:
        missing = "; ".join(f"{path}: {note.rstrip('.')}" for path, note in material.notes[:20])
        looked += pick(language, f" Missing in what was read: {missing}.", f" 읽은 문서에서 빠진 부분: {missing}.")
    return looked


def _named(unread: Sequence[tuple[str, str]]) -> str:
    named = [f"{path} ({' '.join(why.split())[:200].rstrip('.')})" for path, why in unread[:NAMED]]
    return "; ".join(named) + (f"; … (+{len(unread) - NAMED:,})" if len(unread) > NAMED else "")
