"""A goal taken apart: one clause for each thing to do, and whether a clause asks for what no rule can do."""

import re

MAX_GOAL_CHARS = 4_000  # a longer one says more than rules can tell
QUOTED = re.compile(
    r"(?<!\w)'([^'\n]+)'(?![A-Za-z0-9])|\"([^\"\n]+)\"|“([^”\n]+)”|‘([^’\n]+)’|「([^」\n]+)」|`([^`\n]+)`"
)
_COURTESY = re.compile(
    r"^(?:(?:please|kindly|now|then|and|also|finally|first|next)\b[,\s]*"
    r"|(?:can|could|would|will) you (?:please )?(?=[a-z])"
    r"|i(?:'d| would)? (?:want|like|need)(?: you)? to (?=[a-z]))+",
    re.I,
)
_KNOWN = (
    r"summari[sz]e|sum up|recap|find|search|look for|locate|list|show|count|how often|how many|grep|collect"
    r"|total|sum|add up|average|mean|top \d+|bottom \d+|rank|calculate|compute"
)
_OTHER = (
    r"translate|rewrite|paraphrase|e-?mail|send|post|publish|tweet|install|run|execute|fix|refactor|implement|deploy"
    r"|download|upload|delete|remove|rename|move|copy|buy|order|book|draw|plot|chart|browse|google|build|develop"
    r"|code|program|design|predict|forecast|compare|recommend|play|sing|call|train|convert|generate|draft|compose"
    r"|improve|correct|proofread|edit|merge|analy[sz]e|explain|write|create|make|prepare|search the (?:web|internet)"
)
_JOINT = re.compile(
    rf"(?:,?\s+and(?:\s+then)?|,?\s+then|;|,|(?<=\w)[.!])\s+(?:also\s+|please\s+)?(?=(?:{_KNOWN}|{_OTHER})\b)", re.I
)
_JOINT_KO = re.compile(r"(?:(?<=요약하고)|(?<=찾고)|(?<=세고)|(?<=계산하고)|(?<=주고))[,\s]+")
_SAVES = re.compile(
    r"(?:save|write|store|put|output|record|create|make|prepare)\s+"
    r"(?:(?:in)?to\b|(?:it|them|this|that|everything|all"
    r"|(?:(?:the|your|a|an) )?(?:markdown )?"
    r"(?:results?|reports?|summary|summaries|answers?|tables?|findings?|output))\b)",
    re.I,
)
_OTHER_KO = re.compile(
    r"(?:번역|메일|전송|삭제|배포|설치|실행|수정|구현|개발|다운로드|업로드|예약|구매|주문|비교|추천|예측|분석|변환"
    r"|교정|보내|지워|고쳐|그려|바꿔|옮겨|만들어|써)\S*\s*(?:해|하여|하고)?\s*"
    r"(?:줘|주세요|주십시오|주라|줄래|줄 수|달라|바랍니다|바람|하라|해라)"
)
_REPORTS_KO = re.compile(r"(?:요약문|요약본|보고서|요약)\S*\s*(?:을|를)?\s*(?:만들어|써|작성해)")
_WEB = re.compile(r"https?://|\bwww\.|\b(?:web|internet|online)\b|웹에서|인터넷", re.I)


def clauses_of(goal: str) -> list[str]:
    """Numbered or bulleted lines are clauses of their own, and so are sentences joined by "and" before a verb."""
    pieces = re.split(r"(?m)^\s*(?:\d{1,2}[.)]|[-*•])\s+", goal.strip())
    if len(pieces) > 2 and pieces[0].strip().endswith((":", "：")):
        del pieces[0]
    parts = [part for piece in pieces for part in _split(" ".join(piece.split()))]
    return [part.strip(" ,;") for part in parts if part.strip(" ,;.")]


def without_courtesy(text: str) -> str:
    return _COURTESY.sub("", text).strip()


def does_something_else(said: str, *, summarises: bool) -> bool:
    """The clause asks to search the web, or for a deed that takes understanding or acts on the world.

    `said` holds no address any more: to read one that is named is no search.
    """
    if _WEB.search(said) or (not summarises and re.match(rf"(?:{_OTHER})\b", said, re.I)):
        return True
    return bool(_OTHER_KO.search(_REPORTS_KO.sub("", said)))


def _split(text: str) -> list[str]:
    """Cut before each further verb, but not inside quotation marks and not before "save it"."""
    masked = QUOTED.sub(lambda found: "\uffff" * len(found[0]), text)
    cuts = [found.span() for found in _JOINT_KO.finditer(masked)]
    cuts += [found.span() for found in _JOINT.finditer(masked) if not _SAVES.match(masked, found.end())]
    parts: list[str] = []
    begin = 0
    for start, end in sorted(cuts):
        parts.append(text[begin:start])
        begin = max(begin, end)
    return [*parts, text[begin:]]
