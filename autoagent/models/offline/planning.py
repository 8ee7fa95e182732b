"""The next step towards a goal: list, read, write the report, end. A function of the messages and nothing else."""

import posixpath
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from autoagent.criteria import Draft
from autoagent.models import Message
from autoagent.models.offline.addresses import almost_address, completed
from autoagent.models.offline.claiming import claims_of
from autoagent.models.offline.confirming import confirmed
from autoagent.models.offline.documents import TABLE_SUFFIXES, Document, kind_of
from autoagent.models.offline.drafting import Part, draft
from autoagent.models.offline.goals import Calculate, CountFiles, Find, Task, Unplannable, tasks_of
from autoagent.models.offline.outcome import Outcome
from autoagent.models.offline.paths import REPORT, REPORT_SUFFIXES
from autoagent.models.offline.progress import Listing, Progress, Reading, progress_of
from autoagent.models.offline.reports import HEAD, SEARCH, Written, gaps, not_read, report, written_by_a_run
from autoagent.models.offline.say import count, pick
from autoagent.models.offline.sources import GLOBS, Sources, sources_of, text_bytes, workspace
from autoagent.models.offline.speech import language_spoken
from autoagent.models.offline.words import Language, particle_variants
from autoagent.models.offline.work import Material, done
from autoagent.thoughts import MAX_COMMANDS, CommandCall, Thought

READ_LINES = 100_000
_KOREAN_WHY = {"a link": "링크", "not text": "글이 아님", "not a document": "문서가 아님"}
_FIGURES = (Calculate, CountFiles, Find)  # their figures are worked out anew by a program
NOT_MET = "The run goes on, because not every criterion is met"  # as the program says it
LISTED_CHARS = 1_000  # of names, in the reason that a path is missing
MEANT = 5  # paths of which one may be meant
PAGED = 4  # long pages that are read on at once
BROWSES, PAGES_ON, CALCULATES, SEARCHES = "browse", "read_observation", "run_python", "search_files"
_BY_RUNS = (*REPORT_SUFFIXES, ".html")  # what a run writes, or what is exported of it
_PROGRAMS = frozenset((CALCULATES, "run_shell"))  # where there is no shell, Python reaches no files
ROOM_BYTES = 1_500_000  # of one reply's observations: each gets an equal part of a quarter of the window


def next_thought(goal: str, messages: Sequence[Message], commands: Collection[str] | None = None) -> Thought:
    """What to do now. A goal that the rules don't know ends here and now.

    `commands` are those of the run, None where they are not known.
    """
    language = language_spoken(goal)
    tasks = tasks_of(goal)
    if almost := _almost_address(goal, tasks):
        return _no_address(almost, language)
    if isinstance(tasks, Unplannable):
        return _cannot_plan(tasks.text, language)
    addresses = [url for task in tasks for url in task.scope.addresses]
    if addresses and commands is not None and BROWSES not in commands:
        return _cannot_browse(addresses, language)
    progress = progress_of(messages)
    listing = workspace(progress)
    known = tasks_of(goal, listing.sizes, listing.folders)
    can_run = commands is not None and set(commands) >= _PROGRAMS
    can_search = commands is not None and SEARCHES in commands
    chosen = tasks if isinstance(known, Unplannable) else known
    return _Run(chosen, progress, language, can_run, can_search).next_thought()


@dataclass(frozen=True)
class _Run:
    tasks: tuple[Task, ...]
    progress: Progress
    language: Language
    can_run: bool
    can_search: bool

    def next_thought(self) -> Thought:
        if self.progress.compacted:
            return self._give_up(self._say("The documents I read no longer fit the window. Name fewer files.",
                                           "읽은 문서가 창에 다 들어가지 않습니다. 파일을 줄여 주세요."))  # fmt: skip
        if asked := self._to_list():
            return self._thought(0, self._say("I look at what is there.", "무엇이 있는지 봅니다."), asked)
        if problem := self._root().problem:
            return self._give_up(problem)
        listing = workspace(self.progress)
        sources = [sources_of(task, listing) for task in self.tasks]
        for one in sources:
            if one.missing:
                return self._give_up(self._missing(one.missing, listing))
            if one.empty:
                return self._give_up(self._say(f"The folder “{one.empty}” is empty.",
                                               f"“{one.empty}” 폴더는 비어 있습니다."))  # fmt: skip
        if asked := self._to_look_for_reports(sources):
            text = self._say("I look which files are reports of earlier runs.", "전에 쓴 보고서가 있는지 찾아봅니다.")
            return self._thought(1, text, asked)
        if asked := self._to_read(sources, listing):
            return self._thought(1, self._reads(asked), asked, self._draft(sources, listing))
        outcomes = [
            done(task, self._material(task, one), self.language) for task, one in zip(self.tasks, sources, strict=True)
        ]
        if asked := self._to_work_out(outcomes):
            text = self._say("I have a program work the figures out anew.", "프로그램으로 수를 다시 계산합니다.")
            return self._thought(1, text, asked, self._draft(sources, listing))
        programs = {str(program.args.get("code")): program for program in self.progress.programs}
        told = [confirmed(outcome, programs, self.language) for outcome in outcomes]
        return self._write_or_end(told, sources, listing)

    def _say(self, english: str, korean: str) -> str:
        return pick(self.language, english, korean)

    def _root(self) -> Listing:
        return self.progress.listings[".", "*"]

    def _to_list(self) -> list[CommandCall]:
        """The workspace; where that is more than one listing shows, also the folders and kinds of files that matter."""
        if (".", "*") not in self.progress.listings:
            return [_call("list_files", path=".")]
        if not self._root().cut:
            return []
        named = [folder for task in self.tasks for path in task.scope.paths for folder in _may_be_folder(path)]
        wanted = [(path, "*") for path in dict.fromkeys(named)] + [(".", glob) for glob in GLOBS]
        missing = [key for key in wanted if key not in self.progress.listings][:MAX_COMMANDS]
        return [
            _call("list_files", path=path) if glob == "*" else _call("list_files", path=path, pattern=glob)
            for path, glob in missing
        ]

    def _sees_all(self, task: Task) -> bool:
        """False where the workspace, or a folder that the task names, has more entries than one listing shows."""
        folders = [folder for path in task.scope.paths for folder in _may_be_folder(path)]
        listed = [self.progress.listings.get((folder, "*")) for folder in folders]
        return not self._root().cut or (bool(task.scope.paths) and not any(one.cut for one in listed if one))

    def _to_look_for_reports(self, sources: Sequence[Sources]) -> list[CommandCall]:
        """One search, before files are read that the goal doesn't name one by one: what is read counts as evidence.

        None where it might go through more than was listed; then a report of a run is known once it is read.
        """
        if not self.can_search or self.progress.by_runs is not None:
            return []
        chosen = [path for task, one in zip(self.tasks, sources, strict=True) for path in _chosen(task, one)]
        paths = [path for path in chosen if path.casefold().endswith(_BY_RUNS) and path not in self._outputs()]
        folder = posixpath.commonpath([posixpath.dirname(path) for path in paths]) if paths else ""
        if not paths or (self._root().cut and not folder):
            return []
        return [_call(SEARCHES, query=SEARCH, path=folder or ".", regex=True)]

    def _by_a_run(self, path: str, reading: Reading | None) -> Written | None:
        known = (self.progress.by_runs or {}).get(path)
        return known or (written_by_a_run(_document(path, reading)) if reading else None)

    def _to_read(self, sources: Sequence[Sources], listing: Listing) -> list[CommandCall]:
        """The next parts to read, as many at once as give each file room for all of it; none where that must end.

        Of a report that is there already its head comes first, and nothing more of it where a run wrote it.
        """
        if self._must_end():
            return []
        asked = self._to_browse()
        if any(call.name == PAGES_ON for call in asked):
            return asked
        wanted = [path for task, one in zip(self.tasks, sources, strict=True) for path in _read_for(task, one)]
        heads = [path for path in self._outputs() if path in listing.sizes and path not in self.progress.readings]
        widest = 0
        for path in dict.fromkeys([*heads, *wanted]):
            reading = self.progress.readings.get(path)
            if (reading and (reading.problem or reading.complete)) or self._by_a_run(path, reading):
                continue
            widest = max(widest, 0 if path in heads else text_bytes(path, listing.sizes.get(path, 0)))
            if len(asked) >= MAX_COMMANDS or (asked and widest * (len(asked) + 1) > ROOM_BYTES):
                break
            offset = len(reading.lines) + 1 if reading else 1
            asked.append(_call("read_file", path=path, offset=offset, limit=HEAD if path in heads else READ_LINES))
        return asked

    def _must_end(self) -> bool:
        """Whether window or steps hold no more than to write each report and to end. Something is read in any case."""
        if not (self.progress.readings or self.progress.pages):
            return False
        left = self.progress.steps_left
        return self.progress.full or (left is not None and left <= 2 * len(self._outputs()) + 1)

    def _to_browse(self) -> list[CommandCall]:
        """First the pages that were clipped, in whole; else the addresses of the goal that are not read yet."""
        clipped = [page for page in self.progress.pages.values() if page.whole and not (page.problem or page.complete)]
        if clipped:
            parts = [(page.whole, len(page.lines) + 1) for page in clipped[:PAGED]]
            return [_call(PAGES_ON, id=id, offset=offset, limit=READ_LINES) for id, offset in parts]
        asked = {url: task.text for task in reversed(self.tasks) for url in task.scope.addresses}
        wanted = [url for task in self.tasks for url in task.scope.addresses if url not in self.progress.pages]
        return [_call(BROWSES, url=url, question=asked[url]) for url in dict.fromkeys(wanted)][:MAX_COMMANDS]

    def _reads(self, asked: Sequence[CommandCall]) -> str:
        files = sum(call.name == "read_file" for call in asked)
        pages = len(asked) - files
        parts = [count(files, "file")] * bool(files) + [count(pages, "page")] * bool(pages)
        korean = [f"파일 {files}개"] * bool(files) + [f"웹 페이지 {pages}개"] * bool(pages)
        return self._say(f"I read {' and '.join(parts)}.", f"{', '.join(korean)}를 읽습니다.")

    def _outputs(self) -> list[str]:
        return list(dict.fromkeys(task.output or REPORT for task in self.tasks))

    def _material(self, task: Task, sources: Sources) -> Material:
        documents: list[Document] = []
        failed: list[tuple[str, str]] = []
        own: list[tuple[str, str]] = []
        part = list(sources.too_much)
        for path, reading in self._readings(task, sources):
            if reading.problem and not reading.lines:
                failed.append((path, reading.problem.removeprefix(f"{path} ")))
                continue
            document = _document(path, reading)
            if by_a_run := self._by_a_run(path, reading):
                own.append((path, self._own(by_a_run)))
                continue
            if not reading.lines and not document.complete:
                part.append(path)
                failed.append((path, self._say("no room or no step was left", "자리나 단계가 남지 않음")))
                continue
            documents.append(document)
            if not document.complete:
                part.append(document.path)
                failed.append((path, reading.problem or self._say("only in part", "일부만 읽음")))
        unread = [(path, self._say(why, _KOREAN_WHY.get(why, why))) for path, why in sources.unread]
        unread += [(path, self._say("too much for one run", "한 번에 읽기에 너무 많음")) for path in sources.too_much]
        if not self._sees_all(task):
            part.append(self._say("a folder with too many entries", "항목이 너무 많은 폴더"))
            unread.append((".", self._say("more entries than one listing shows", "항목이 목록 하나보다 많음")))
        whole = (*unread, *failed)
        own = [(path, why) for path, why in own if path not in self._outputs()]
        return Material(
            tuple(documents),
            whole,
            tuple(failed),
            tuple(part),
            sources.named,
            sources.paths,
            tuple(own),
            sources.folder,
        )

    def _own(self, written: Written) -> str:
        if written == "report":
            return self._say("an earlier report of this planner", "이 플래너가 전에 쓴 보고서")
        return self._say("the record of a run", "실행 기록을 내보낸 파일")

    def _readings(self, task: Task, sources: Sources) -> list[tuple[str, Reading]]:
        """What came of each page and file of a task; an empty reading where it was not begun."""
        begun, pages = self.progress.readings, self.progress.pages
        unknown = Reading(total=1)
        found = [(url, pages.get(url, unknown)) for url in task.scope.addresses]
        return found + [(path, begun.get(path, unknown)) for path in _read_for(task, sources)]

    def _draft(self, sources: Sequence[Sources], listing: Listing) -> Draft | None:
        """What has to be true at the end; None where that stands, or it is open which report is to be written."""
        if self.progress.has_criteria:
            return None
        paths: dict[str, str] = {}
        for output in self._outputs():
            named = any(task.output == output for task in self.tasks)
            path = self._free(output, listing, named=named)
            if not named and path in listing.sizes and path not in self.progress.readings:
                return None
            paths[output] = path
        written = {*paths, *paths.values()}
        parts: list[Part] = []
        for task, one in zip(self.tasks, sources, strict=True):
            read = tuple(path for path in _read_for(task, one) if path not in written)
            parts.append(Part(task, paths[task.output or REPORT], read))
        programs = ("python3",) if self.can_run and any(isinstance(t.deed, _FIGURES) for t in self.tasks) else ()
        return draft(parts, self.language, programs)

    def _to_work_out(self, outcomes: Sequence[Outcome]) -> list[CommandCall]:
        """The programs that are to check figures and did not run yet, where programs can run and steps are left."""
        left, ran = self.progress.steps_left, self.progress.programs
        if not self.can_run or (left is not None and left < len(self._outputs()) + 2):
            return []
        codes = list(dict.fromkeys(check.code for outcome in outcomes for check in outcome.rechecks))
        known = {program.args.get("code") for program in ran}
        return [_call(CALCULATES, code=code) for code in codes[len(ran) :] if code not in known][:MAX_COMMANDS]

    def _write_or_end(self, outcomes: list[Outcome], sources: list[Sources], listing: Listing) -> Thought:
        """Write each report that is not there yet; then say the result, or what was not reached."""
        written: list[str] = []
        parts = list(zip(self.tasks, outcomes, sources, strict=True))
        for output in self._outputs():
            reached = [part for part in parts if (part[0].output or REPORT) == output and part[1].reached]
            if not reached:
                continue
            path = self._free(output, listing, named=any(task.output for task, _, _ in reached))
            tried = self.progress.written.get(path)
            if tried is None:
                if path in listing.sizes and path not in self.progress.readings:
                    text = self._say(f"{path} is there: I look whose it is.", f"{path} 파일이 이미 있어 살펴봅니다.")
                    return self._thought(1, text, [_call("read_file", path=path, offset=1, limit=HEAD)])
                drafted = self._draft(sources, listing)
                text = self._report(reached)
                said = self._say(f"I write {path}.", f"{path} 파일을 씁니다.")
                return self._thought(2, said, [_call("write_file", path=path, text=text)], drafted)
            if tried.outcome != "ok":
                problem = self._say(
                    f"{path} could not be written: {tried.text}", f"{path} 파일을 쓰지 못했습니다: {tried.text}"
                )
                return self._give_up("\n\n".join([problem, *(outcome.result for outcome in outcomes)]))
            written.append(path)
        return self._end(outcomes, written)

    def _report(self, reached: list[tuple[Task, Outcome, Sources]]) -> str:
        sections: list[str] = []
        unread: dict[str, str] = {}
        notes: dict[tuple[str, str], None] = {}
        for task, outcome, one in reached:
            sections += outcome.sections
            material = self._material(task, one)
            unread |= dict((*material.unread, *material.own))
            notes |= dict.fromkeys(material.notes)
        title = reached[0][1].title if len(reached) == 1 else self._say("Report", "보고서")
        passed_over = not_read(list(unread.items()), self.language)
        return report(title, [*sections, *gaps(list(notes), self.language), *passed_over], self.language)

    def _free(self, output: str, listing: Listing, *, named: bool) -> str:
        """The report's path; one that holds somebody's own text is only overwritten where the goal names it."""
        path, number = output, 2
        while not named and path in listing.sizes and path in self.progress.readings:
            if self._by_a_run(path, self.progress.readings[path]) == "report":
                break
            stem, dot, suffix = output.rpartition(".")
            path, number = f"{stem}-{number}{dot}{suffix}", number + 1
        return path

    def _end(self, outcomes: list[Outcome], written: list[str]) -> Thought:
        files = ", ".join(written)
        told = "\n\n".join(part for outcome in outcomes for part in (outcome.result, outcome.lacking) if part)
        if not all(outcome.reached and not outcome.lacking for outcome in outcomes):
            also = self._say(f"\n\nWritten: {files}.", f"\n\n쓴 파일: {files}.") if written else ""
            return self._give_up(told + also)
        short = "\n" not in told
        result = f"{files}: {told}" if short else f"{told}\n\n{self._say('Written', '쓴 파일')}: {files}"
        return self._end_with(result, written, outcomes)

    def _end_with(self, result: str, written: list[str], outcomes: Sequence[Outcome]) -> Thought:
        """Once more where only evidence was missing, which is then marked; nothing can be mended of what is not met."""
        sent_back = self.progress.sent_back
        if len(sent_back) > 1 or any(told.startswith(NOT_MET) for told in sent_back):
            return self._give_up("\n\n".join([_items(sent_back[-1]), result]))
        claims = claims_of(
            [passage for outcome in outcomes for passage in outcome.quoted],
            [claim for outcome in outcomes for claim in outcome.worked_out],
        )
        text = self._say("The report is written.", "보고서를 썼습니다.")
        if sent_back:
            text = self._say("I have no other evidence: what has none is to be marked.",
                             "다른 근거가 없습니다. 근거 없는 것은 그렇게 표시됩니다.")  # fmt: skip
        call = _call("task_complete", result=result, files=written, claims=[one.model_dump() for one in claims])
        return self._thought(3, text, [call])

    def _missing(self, path: str, listing: Listing) -> str:
        there = [*(f"{folder}/" for folder in sorted(listing.folders)), *sorted(listing.sizes)]
        shown = _listed([name for name in there if not name.startswith(".")])
        hint = self._say(" Put a path with spaces in quotes.", " 공백이 있는 경로는 따옴표로 묶어 주세요.")
        meant = ", ".join(_namesakes(path, there))
        told = self._say(f"There is no file or folder “{path}”.", f"“{path}”에 해당하는 파일이나 폴더가 없습니다.")
        holds = self._say(f" The workspace holds: {shown}.", f" 작업 폴더에 있는 것: {shown}.")
        if meant:
            return told + self._say(f" Did you mean {meant}?", f" 혹시 {meant}인가요?") + holds
        return told + holds + ("" if " " in path else hint)

    def _give_up(self, reason: str) -> Thought:
        done = sum(bool(there) for there in (self.progress.listings, self.progress.readings, self.progress.written))
        return self._thought(done, self._say("I end here.", "여기서 끝냅니다."), [_call("give_up", reason=reason)])

    def _thought(self, at: int, text: str, commands: list[CommandCall], draft: Draft | None = None) -> Thought:
        """`at` is the stage of the plan that these commands belong to."""
        outputs = ", ".join(self._outputs())
        stages = (
            self._say("List the workspace", "작업 폴더 목록 보기"),
            self._say("Read the files in question", "해당 파일 읽기"),
            self._say(f"Write {outputs}", f"{outputs} 쓰기"),
            self._say("Say the result", "결과 말하기"),
        )
        plan = tuple(f"[{'x' if n < at else '>' if n == at else ' '}] {stage}" for n, stage in enumerate(stages))
        doubt = self._say("Rules choose by words, not by meaning.", "규칙은 뜻이 아니라 낱말로 고릅니다.")
        if self.progress.advised:
            doubt += self._say(" I can't follow messages on the way.", " 도중에 보낸 말은 따를 수 없습니다.")
        why = self._say("The rules for such a goal: list, read, quote or count, report.",
                        "이런 목표의 규칙: 목록, 읽기, 인용 또는 세기, 보고.")  # fmt: skip
        calls = tuple(commands)
        return Thought(text=text, reasoning=why, plan=plan, criticism=doubt, speak=text, commands=calls, draft=draft)


def _items(told: str) -> str:
    """What is missing, without the program's advice around it."""
    items = [line for line in told.split("\n") if re.match(r"(?:\d+\.|-) ", line)]
    return "\n".join(items) or told


def _may_be_folder(path: str) -> list[str]:
    """The names under which the goal may mean a folder; a name with a suffix is a file's."""
    return [] if re.search(r"\.\w+$", path) else [name for name in particle_variants(path.rstrip("/")) if name]


def _namesakes(path: str, there: Sequence[str]) -> list[str]:
    """What has the path's last name elsewhere, a few of them."""
    last = path.rstrip("/").rpartition("/")[2]
    names = {variant.casefold() for variant in particle_variants(last) if variant}
    return [name for name in there if name.rstrip("/").rpartition("/")[2].casefold() in names][:MEANT]


def _listed(names: Sequence[str]) -> str:
    """As many whole names as a message has room for."""
    ends = accumulate(len(name) + 2 for name in names)
    shown = sum(end <= LISTED_CHARS for end in ends) or min(1, len(names))
    more = f" … (+{len(names) - shown:,})" if shown < len(names) else ""
    return ", ".join(names[:shown]) + more if names else "–"


def _read_for(task: Task, sources: Sources) -> tuple[str, ...]:
    """What has to be read for a task: nothing to count files, tables alone to calculate."""
    match task.deed:
        case CountFiles():
            return ()
        case Calculate() if task.otherwise is None:
            return tuple(path for path in sources.paths if path.casefold().endswith(TABLE_SUFFIXES))
        case _:
            return sources.paths


def _chosen(task: Task, sources: Sources) -> list[str]:
    """What is read for a task though the goal doesn't name the file itself."""
    return [path for path in _read_for(task, sources) if path not in sources.explicit]


def _document(path: str, reading: Reading) -> Document:
    """A page stands by the address where it was found in the end; of its head only title and date are its text."""
    lines, address = reading.lines, path
    if path.casefold().startswith(("http://", "https://")) and lines:
        address = lines[0]
        end = next((at for at, line in enumerate(lines) if not line), len(lines))
        said = [line for line in lines[:end] if line.startswith(("Title: ", "Date: "))]
        lines = [*said, *([""] if said else []), *lines[end + 1 :]]
    kind = kind_of(reading.kind, path)
    return Document(address, tuple(lines), reading.complete and not reading.cut, kind, reading.notes)


def _almost_address(goal: str, tasks: tuple[Task, ...] | Unplannable) -> str:
    """What the goal has for an address and is none; words to be found may be anything."""
    if isinstance(tasks, Unplannable):
        return almost_address(goal)
    return next(
        (found for task in tasks if not isinstance(task.deed, Find) and (found := almost_address(task.text))), ""
    )


def _no_address(almost: str, language: Language) -> Thought:
    meant = completed(almost)
    reason = pick(
        language,
        f"“{almost}” is no address that can be read: an address needs http:// or https:// in front. "
        f"Did you mean {meant}?",
        f"“{almost}”은(는) 읽을 수 있는 주소가 아닙니다. 주소 앞에는 http:// 또는 https://가 있어야 합니다. "
        f"{meant} 주소를 뜻하셨나요?",
    )
    return _ends_at_once(reason, pick(language, "I can't read this address.", "이 주소는 읽을 수 없습니다."), language)


def _cannot_browse(addresses: Sequence[str], language: Language) -> Thought:
    """Say that the run has no command to read a web page, and how it gets one."""
    named = ", ".join(dict.fromkeys(addresses))
    reason = pick(
        language,
        f"{named}: this run can't read the web: it has no command {BROWSES}. Either it is disabled in the settings, or "
        "the libraries for it are not installed: pip install '.[web]'",
        f"{named}: 이 실행에는 웹을 읽는 명령({BROWSES})이 없습니다. 설정에서 꺼져 있거나 라이브러리가 설치되지 "
        "않았습니다: pip install '.[web]'",
    )
    said = pick(language, "I can't read the web here.", "여기서는 웹을 읽을 수 없습니다.")
    return _ends_at_once(reason, said, language)


def _cannot_plan(text: str, language: Language) -> Thought:
    """Say at once what the planner can do, and how to connect a language model that can do the rest."""
    shown = text if len(text) <= 200 else f"{text[:200]}…"
    reason = pick(
        language,
        f"The offline planner works by rules, without a language model, and has none for this: “{shown}”. It can "
        "summarise files, folders or web addresses with quotes, answer a question from them, find and count words or "
        "files, and total, average, or rank columns of a CSV file or workbook. It can't search the web. For the rest "
        "connect a language model: "
        'export OPENAI_API_KEY=…, or autoagent run --base-url http://localhost:11434/v1 -m NAME "GOAL".',
        "오프라인 플래너는 언어 모델 없이 규칙으로만 일하며, 이 목표에 맞는 규칙이 없습니다: "
        f"“{shown}”. 할 수 있는 일: 파일, 폴더, 웹 주소를 인용으로 요약하기, 그 안에서 질문에 답하기, 낱말이나 "
        "파일을 찾아 세기, CSV 파일이나 엑셀 파일의 열을 합계·평균·순위로 계산하기. 웹 검색은 하지 못합니다. 그 밖의 "
        "일에는 언어 모델을 연결해 주세요: export OPENAI_API_KEY=… 또는 "
        'autoagent run --base-url http://localhost:11434/v1 -m NAME "목표".',
    )
    said = pick(language, "I can't plan this goal.", "이 목표는 계획할 수 없습니다.")
    return _ends_at_once(reason, said, language)


def _ends_at_once(reason: str, said: str, language: Language) -> Thought:
    plan = (f"[>] {pick(language, 'Say so and name what helps', '그렇다고 말하고 방법 알리기')}",)
    doubt = pick(language, "A language model may well manage it.", "언어 모델이라면 할 수 있을지 모릅니다.")
    why = pick(language, "No rule fits, and guessing would be worse.", "맞는 규칙이 없고, 짐작은 더 나쁩니다.")
    return Thought(
        text=said, reasoning=why, plan=plan, criticism=doubt, speak=said, commands=(_call("give_up", reason=reason),)
    )


def _call(name: str, **args: Any) -> CommandCall:
    return CommandCall(name=name, args=args)
