"""What a goal asks for, read by rules; what they don't know for certain is Unplannable."""

import re
from dataclasses import dataclass

from autoagent.models.offline.columns import Calculate, calculate_in
from autoagent.models.offline.paths import Scope, mask_paths, output_in, scope_in
from autoagent.models.offline.words import is_hangul, is_stop, language_of, without_particle


@dataclass(frozen=True)
class Summarise:
    sentences: int | None = None


@dataclass(frozen=True)
class Ask:
    question: str


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
    """One thing to do; `otherwise` is tried where no table has the columns. `output` is "" where none is named."""

    text: str
    deed: Deed
    scope: Scope
    output: str = ""
    otherwise: Ask | None = None


@dataclass(frozen=True)
class Unplannable:
    text: str


_POLITE = re.compile(
    r"^(?:(?:please|kindly|now|then|and|also|finally|first|next)\b[,\s]*|(?:can|could|would|will) you (?:please )?(?=[a-z])"
    r"|i(?:'d| would)? (?:want|like|need)(?: you)? to (?=[a-z]))+", re.I,
)  # fmt: skip
_SUMMARISE = r"(?:summari[sz]e|sum up|recap|give (?:me )?an? (?:short |brief )?(?:summary|overview|digest)|(?:write|make|create|prepare) an? (?:short |brief )?(?:summary|overview|digest)|(?:an? )?(?:short |brief )?summary of)"  # noqa: E501
_FINDING = r"(?:find|search|look for|locate|list|show|count|how often|how many|grep|collect|where (?:is|are))"
_CALCULATING = r"(?:total|sum|add up|average|mean|top \d+|bottom \d+|rank|calculate|compute)"
_OTHER = (
    r"(?:translate|rewrite|paraphrase|e-?mail|send|post|publish|tweet|install|run|execute|fix|refactor|implement|deploy|"
    r"download|upload|delete|remove|rename|move|copy|buy|order|book|draw|plot|chart|browse|google|build|develop|code|"
    r"program|design|predict|forecast|compare|recommend|play|sing|call|train|convert|generate|draft|compose|improve|"
    r"correct|proofread|edit|merge|analy[sz]e|explain|write|create|make|prepare|"
    r"search the (?:web|internet))"
)
_SAVES = re.compile(
    r"(?:save|write|store|put|output|record|create|make|prepare)\s+(?:(?:in)?to\b|(?:it|them|this|that|everything|all|(?:(?:the|your|a|an) )?"
    r"(?:markdown )?(?:results?|reports?|summary|summaries|answers?|tables?|findings?|output))\b)", re.I,
)  # fmt: skip
_JOINT = re.compile(
    rf"(?:,?\s+and(?:\s+then)?|,?\s+then|;|,|(?<=\w)[.!]|\n)\s+(?:also\s+|please\s+)?"
    rf"(?=(?:{_SUMMARISE}|{_FINDING}|{_CALCULATING}|{_OTHER})\b)", re.I,
)  # fmt: skip
_JOINT_KO = re.compile(r"(?<=요약하고)[,\s]+|(?<=찾고)[,\s]+|(?<=세고)[,\s]+|(?<=계산하고)[,\s]+|(?<=주고)[,\s]+")
_OTHER_KO = re.compile(
    r"(?:번역|메일|전송|삭제|배포|설치|실행|수정|구현|개발|다운로드|업로드|예약|구매|주문|비교|추천|예측|분석|변환|교정|보내|지워|고쳐"
    r"|그려|바꿔|옮겨|만들어|써)\S*\s*(?:해|하여|하고)?\s*(?:줘|주세요|주십시오|주라|줄래|줄 수|달라|바랍니다|바람|하라|해라)"
)
_WEB = re.compile(r"https?://|\bwww\.|\b(?:web|internet|online)\b|웹에서|인터넷", re.I)
_QUOTED = re.compile(r"'([^'\n]+)'(?!\w)|\"([^\"\n]+)\"|“([^”\n]+)”|‘([^’\n]+)’|「([^」\n]+)」|`([^`\n]+)`")
_UNTIL = r"(?=\s+(?:in|from|under|within|across|throughout|inside|appears?|occurs?|are|is|into|exist)\b|\s*[?.!,:;]?\s*$)"
_NEEDLES = [re.compile(pattern + _UNTIL, re.I) for pattern in (
    r"\b(?:mentions?|occurrences?|instances?|uses?|references?|appearances?)\s+(?:of|to)\s+(?:the (?:word|term|phrase|name)\s+)?(\S.*?)",  # noqa: E501
    r"\b(?:lines?|places?|passages?|sentences?|files?|documents?)\s+(?:with|containing|including|mentioning|matching|that (?:contain|mention|have|hold|include)s?|which (?:contain|mention|have|hold|include)s?|contain|mention)\s+(?:the (?:word|term|phrase|name)\s+)?(\S.*?)",  # noqa: E501
    r"\bhow (?:often|many times)\s+(?:is|are|was|were|does|do|did)\s+(?:the (?:word|term|phrase|name)\s+)?(\S.*?)\s+(?:appear(?:s|ed)?|occur(?:s|red)?|mentioned|used|found|come up|show up)",  # noqa: E501
    r"\bwhere (?:is|are|does|do)\s+(?:the (?:word|term|phrase|name)\s+)?(\S.*?)\s+(?:mentioned|appear|occur)",
)]  # fmt: skip
_NEEDLE_WITH_PATH = re.compile(
    r"^(?:find|search for|look for|locate|count|grep(?: for)?)\s+(?:all|every|each|any)?\s*(?:the (?:word|term|phrase|name)\s+)?(\S.*?)" + _UNTIL, re.I  # noqa: E501
)  # fmt: skip
_FINDS = re.compile(rf"^{_FINDING}\b|\b(?:how often|how many times|number of (?:times|mentions|occurrences))\b|^(?:every|all) (?:mention|occurrence|line)s?\b|^which (?:files|documents|lines)\b", re.I)  # noqa: E501
_FINDS_KO = re.compile(r"찾|세어|세 ?줘|세고|세라|셔|몇\s*(?:번|회|줄)|횟수|언급|검색|나오는|등장|들어\s*있는|포함")
_NEEDLE_KO = re.compile(
    r"(\S+?)(?:이라는|라는|이란|란)?\s*(?:단어|말|낱말|문자열|표현)?(?:이|가|을|를|은|는|의)?\s+"
    r"(?:모두\s*|전부\s*|총\s*)?(?:몇\s*번|몇\s*회|언급|포함|들어|있는\s*(?:줄|행|문장|곳)|나오|등장|찾아|검색|개수|횟수)"
)
_COUNTS = re.compile(r"\b(?:count|how often|how many|number of)\b|세어|세 ?줘|세고|세라|셔|몇\s*(?:번|회|줄)|횟수", re.I)
_COUNT_FILES = re.compile(r"\b(?:count|how many|number of)\b(?:\W+[\w.]+){0,4}?\W+(?:files|documents|docs)\b(?!\s*(?:mention|contain|with|that|which|hold))", re.I)  # noqa: E501
_COUNT_FILES_KO = re.compile(r"(?:파일|문서)\S*\s*(?:모두\s*|전부\s*|총\s*)?(?:몇\s*(?:개|건)|수를|수는|개수|갯수|세어|세 ?줘)")
_KINDS = {
    "markdown": (".md", ".markdown"), "마크다운": (".md", ".markdown"), "csv": (".csv",), "pdf": (".pdf",),
    "json": (".json",), "python": (".py",), "log": (".log",), "html": (".html", ".htm"),
    "excel": (".xlsx", ".xls"), "엑셀": (".xlsx", ".xls"), "word": (".docx", ".doc"), "워드": (".docx", ".doc"),
}  # fmt: skip
_ASKS = re.compile(
    r"^(?:according to [^,?]+,\s*)?(?:(?:tell me|find out|check|answer|say|look up|i want to know|do you know|in [^,?]+,)\W*)*"
    r"(?:who|whom|whose|what|which|when|where|why|how|whether|if)(?:['’]s)?\b", re.I,
)  # fmt: skip
_YES_NO = re.compile(r"^(?:is|are|was|were|does|do|did|has|have|had|can|may|must|should|will)\b.*\?\s*$", re.I | re.S)
_ASKS_KO = re.compile(r"[?？]\s*$|(?:나요|까요|니까|인가요|는가|인지|는지|은지|무엇|누구|언제|어디|얼마)\S*\s*(?:\S+\s*){0,3}$")
_SUMMARISE_KO = re.compile(r"요약(?:하|해|본|문|을|\s*부탁|\s*좀|\s*$|\.)|간추려|간추리")


def tasks_of(goal: str) -> tuple[Task, ...] | Unplannable:
    """The tasks of a goal, in order, each with its own scope; or the part that can't be planned."""
    tasks: list[Task] = []
    for part in _parts(goal):
        task = _task(part)
        if isinstance(task, Unplannable):
            return task
        tasks.append(task)
    return tuple(tasks) if tasks else Unplannable(goal.strip())


def _parts(goal: str) -> list[str]:
    """Numbered or bulleted lines are tasks of their own, and so are sentences joined by "and" before a verb."""
    pieces = re.split(r"(?m)^\s*(?:\d{1,2}[.)]|[-*•])\s+", goal.strip())
    if len(pieces) > 2 and pieces[0].strip().endswith((":", "：")):
        del pieces[0]
    parts = [part for piece in pieces for part in _split_joint(" ".join(piece.split()))]
    return [part.strip(" ,;") for part in parts if part.strip(" ,;.")]


def _split_joint(text: str) -> list[str]:
    """Cut before each further verb, but not inside quotation marks and not before "save it"."""
    masked = _QUOTED.sub(lambda found: "\uffff" * len(found[0]), text)
    cuts = [found.span() for found in _JOINT_KO.finditer(masked)]
    cuts += [found.span() for found in _JOINT.finditer(masked) if not _SAVES.match(masked, found.end())]
    parts: list[str] = []
    begin = 0
    for start, end in sorted(cuts):
        parts.append(text[begin:start])
        begin = max(begin, end)
    return [*parts, text[begin:]]


def _task(text: str) -> Task | Unplannable:
    said = _POLITE.sub("", text).strip()
    if _WEB.search(text) or re.match(rf"{_OTHER}\b", said, re.I) and not re.match(_SUMMARISE, said, re.I):
        return Unplannable(text)
    if _OTHER_KO.search(re.sub(r"(?:요약문|요약본|보고서|요약)\S*\s*(?:을|를)?\s*(?:만들어|써|작성해)", "", mask_paths(text))):
        return Unplannable(text)
    output = output_in(text)
    if output is None:
        return Unplannable(text)
    scope = scope_in(text, output)
    bare = mask_paths(said)
    if re.search(rf"^{_SUMMARISE}\b", said, re.I) or _SUMMARISE_KO.search(bare):
        limit = re.search(r"(\d{1,2})\s*(?:sentences|points|bullets|lines|quotes|문장|줄)", bare)
        return Task(text, Summarise(int(limit[1]) if limit else None), scope, output)
    needles = _needles(said, bare, scope)
    if not needles and (_COUNT_FILES.search(bare) or _COUNT_FILES_KO.search(bare)):
        kinds = [ends for word, ends in _KINDS.items() if word in bare.casefold()]
        return Task(text, CountFiles(kinds[0] if kinds else tuple(scope.suffixes)), scope, output)
    asks = _ASKS.search(said) or _YES_NO.search(said) or (language_of(said) == "ko" and _ASKS_KO.search(bare))
    ask = Ask(said) if asks else None
    if needles:
        return Task(text, Find(needles, bool(_COUNTS.search(bare))), scope, output)
    if calculate := calculate_in(bare, has_table=any(p.casefold().endswith((".csv", ".tsv")) for p in scope.paths)):
        return Task(text, calculate, scope, output, otherwise=ask)
    return Task(text, ask, scope, output) if ask else Unplannable(text)


def _needles(said: str, bare: str, scope: Scope) -> tuple[str, ...]:
    """What to look for: quoted words first, then what stands after "mentions of" and the like."""
    korean = language_of(bare) == "ko"
    if not (_FINDS_KO.search(bare) if korean else _FINDS.search(said)):
        return ()
    quoted = [next(filter(None, found.groups())) for found in _QUOTED.finditer(said)]
    if needles := tuple(quote for quote in quoted if quote not in scope.paths and quote.strip()):
        return needles
    if korean:
        candidates = [found[1] for found in _NEEDLE_KO.finditer(bare)]
        return tuple(word for word in map(_noun, candidates) if word and not is_stop(word))[:1]
    patterns = [*_NEEDLES, *([_NEEDLE_WITH_PATH] if scope.paths else [])]
    found = next(filter(None, (pattern.search(bare) for pattern in patterns)), None)
    words = re.sub(r"^(?:the|a|an)\s+", "", found[1].strip(" .,:;?!")) if found else ""
    if not words or re.fullmatch(r"(?:every|all)?\s*(?:files?|documents?|lines?|it|them|everything)", words, re.I):
        return ()
    return (words,)


def _noun(word: str) -> str:
    return without_particle(word) if is_hangul(word[:1]) else re.sub(r"[가-힣]+$", "", word)
