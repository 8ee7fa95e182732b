"""What a goal asks for, read by rules; what they don't know for certain is Unplannable."""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

from autoagent.models.offline.addresses import MASK, without_addresses
from autoagent.models.offline.clauses import MAX_GOAL_CHARS, clauses_of, does_something_else, without_courtesy
from autoagent.models.offline.columns import Calculate
from autoagent.models.offline.documents import TABLE_SUFFIXES
from autoagent.models.offline.measures import calculate_in
from autoagent.models.offline.mentions import with_paths_marked
from autoagent.models.offline.needles import counts, needles_in
from autoagent.models.offline.paths import Scope, mask_paths, output_in, scope_in
from autoagent.models.offline.speech import language_spoken
from autoagent.models.offline.words import stem, tokens


@dataclass(frozen=True)
class Summarise:
    sentences: int | None = None


@dataclass(frozen=True)
class Ask:
    """`words` is the question without the paths that say where to look."""

    question: str
    words: str


@dataclass(frozen=True)
class Find:
    """Lines that hold any of `needles`; `count` where the number is what was asked for."""

    needles: tuple[str, ...]
    count: bool


@dataclass(frozen=True)
class CountFiles:
    """`suffixes` is empty for files of any kind."""

    suffixes: tuple[str, ...] = ()


Deed = Summarise | Ask | Find | CountFiles | Calculate


@dataclass(frozen=True)
class Task:
    """One thing to do; `otherwise` is tried where no table has the columns. `output` is "" where none is named.

    `bare` is the text without its paths.
    """

    text: str
    bare: str
    deed: Deed
    scope: Scope
    output: str = ""
    otherwise: Ask | None = None


@dataclass(frozen=True)
class Unplannable:
    text: str


_SUMMARISES = re.compile(
    r"^(?:summari[sz]e|sum up|recap"
    r"|(?:(?:give|show|write|make|create|prepare|draft)(?: me| us)? )?(?:an? |the )?(?:short |brief |quick )?"
    r"(?:summary|summaries|overview|digest)(?=\s*$|[,.:]|\s+(?:of|for|from|in|into|on|to|with)\b))(?![\w-])"
    r"|^what(?:['’]s| is) about\W*$"
    r"|요약(?:하|해|본|문|을|\s*부탁|\s*좀|\s*$|\.)|간추려|간추리",
    re.I,
)
_PUTS_TOGETHER = re.compile(  # 요약.md 파일로 정리해 줘; without a file it may mean to tidy up
    r"정리(?:하|해|본|\s*부탁|\s*좀|\s*$|\.)"
)
_READS = re.compile(  # "Read … and tell me", which every task on a page does
    r"^\W*(?:please\s+)?(?:read|open|visit|fetch|browse|look at|go to|check)\s+(?:the\s+)?"
    r"(?:page|article|site|document)?\s*(https?://\S+?),?\s+(?:and\s+then|and|then)\s+",
    re.I,
)
_LENGTH = re.compile(r"(\d{1,2})\s*(?:sentences|points|bullets|lines|quotes|문장|줄)", re.I)
_COUNTS_FILES = re.compile(
    r"\b(?:count|how many|number of)\b(?:\W+[\w.]+){0,4}?\W+(?:files|documents|docs)\b"
    r"(?!\s*(?:mention|contain|with|that|which|hold))"
    r"|(?:파일|문서)\S*\s*(?:모두\s*|전부\s*|총\s*)?(?:몇\s*(?:개|건)|수를|수는|개수|갯수|세어|세 ?줘)",
    re.I,
)
_KINDS = {
    "markdown": (".md", ".markdown"),
    "마크다운": (".md", ".markdown"),
    "csv": (".csv",),
    "pdf": (".pdf",),
    "json": (".json",),
    "python": (".py",),
    "log": (".log",),
    "html": (".html", ".htm"),
    "excel": (".xlsx", ".xls"),
    "엑셀": (".xlsx", ".xls"),
    "word": (".docx", ".doc"),
    "워드": (".docx", ".doc"),
}
_ASKS = re.compile(
    r"^(?:according to [^,?]+,\s*)?"
    r"(?:(?:tell me|find out|check|answer|say|look up|i want to know|do you know|in [^,?]+,)\W*)*"
    r"(?:who|whom|whose|what|which|when|where|why|how|whether|if)(?:['’]s)?\b"
    r"|^(?:is|are|was|were|does|do|did|has|have|had|can|may|must|should|will)\b.*\?\s*$",
    re.I | re.S,
)
_ASKS_KO = re.compile(
    r"[?？]\s*$|(?:나요|까요|니까|인가요|는가|인지|는지|은지|무엇|누구|언제|어디|얼마)\S*\s*(?:\S+\s*){0,3}$"
)


def tasks_of(goal: str, files: Collection[str] = (), folders: Collection[str] = ()) -> tuple[Task, ...] | Unplannable:
    """The tasks of a goal, in order, each with its own scope; or the part that can't be planned.

    `files` and `folders` are those known to be there: names that only they tell to be paths.
    """
    tasks: list[Task] = []
    for clause in clauses_of(_READS.sub(r"\1 ", goal)) if len(goal) <= MAX_GOAL_CHARS else ():
        task = _task(clause, files, folders)
        if task is None:
            return Unplannable(clause)
        tasks.append(task)
    return tuple(tasks) if tasks else Unplannable(goal.strip())


def _task(clause: str, files: Collection[str], folders: Collection[str]) -> Task | None:
    plain, addresses = without_addresses(clause)
    plain = plain.strip()
    finds = bool(needles_in(without_courtesy(plain), has_path=False, not_a_needle=()))
    asks = _asks(mask_paths(without_courtesy(plain)))
    text = with_paths_marked(plain, files, folders, finds=finds, asks=asks)
    said = without_courtesy(text)
    bare = mask_paths(said).lstrip(" :,;-–—")
    output = output_in(text)
    summarises = _SUMMARISES.search(bare)
    if output is None or does_something_else(said, summarises=bool(summarises)):
        return None
    scope = scope_in(text, output, addresses)
    if summarises:
        limit = _LENGTH.search(bare)
        return Task(clause, bare, Summarise(int(limit[1]) if limit else None), scope, output)
    has_path = bool(scope.paths or addresses)
    needles = needles_in(said.replace(MASK, " "), has_path=has_path, not_a_needle=scope.paths)
    if needles is None:
        return None
    if needles:
        words = _places_beside(needles, scope.words, bare)
        return Task(clause, bare, Find(needles, counts(bare)), replace(scope, words=words), output)
    if _COUNTS_FILES.search(bare) and not addresses:
        kinds = [ends for word, ends in _KINDS.items() if word in bare.casefold()]
        return Task(clause, bare, CountFiles(kinds[0] if kinds else scope.suffixes), scope, output)
    ask = Ask(clause, bare) if _asks(bare) else None
    has_table = any(path.casefold().endswith(TABLE_SUFFIXES) for path in (*scope.paths, *addresses))
    if calculate := calculate_in(bare, has_table=has_table):
        return Task(clause, bare, calculate, scope, output, otherwise=ask)
    if ask:
        return Task(clause, bare, ask, scope_in(text, output, addresses, question=True), output)
    puts_together = output and not needles_in(said, has_path=has_path, not_a_needle=())
    return Task(clause, bare, Summarise(), scope, output) if puts_together and _PUTS_TOGETHER.search(bare) else None


def _places_beside(needles: tuple[str, ...], words: tuple[str, ...], bare: str) -> tuple[str, ...]:
    """The words that may say where, without those to be found: "office" is sought in all folders, not in office/."""
    said = Counter(stem(word) for word in tokens(bare))
    sought = Counter(stem(word) for needle in needles for word in tokens(needle))
    return tuple(word for word in words if stem(word) not in sought or said[stem(word)] > sought[stem(word)])


def _asks(bare: str) -> bool:
    return bool(_ASKS.search(bare) or (language_spoken(bare) == "ko" and _ASKS_KO.search(bare)))
