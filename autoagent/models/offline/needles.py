"""What a goal wants found: words in quotation marks, or what stands after "mentions of" and the like."""

import re
from collections.abc import Sequence

from autoagent.language import without_particle
from autoagent.models.offline.clauses import QUOTED
from autoagent.models.offline.paths import mask_paths
from autoagent.models.offline.words import is_hangul, is_stop, language_of

_UNTIL = (
    r"(?=\s+(?:in|from|under|within|across|throughout|inside|appears?|occurs?|are|is|into|exist)\b|\s*[?.!,:;]?\s*$)"
)
_WORD = r"\s+(?:the (?:word|term|phrase|name)\s+)?(\S.*?)"
_HOLDING = r"(?:contain|mention|have|hold|include)s?"
_AFTER = [
    re.compile(pattern, re.I)
    for pattern in (
        rf"\b(?:mentions?|occurrences?|instances?|uses?|references?|appearances?)\s+(?:of|to){_WORD}{_UNTIL}",
        rf"\b(?:lines?|places?|passages?|sentences?|files?|documents?)\s+"
        rf"(?:with|containing|including|mentioning|matching|(?:that|which) {_HOLDING}|contain|mention){_WORD}{_UNTIL}",
        r"\bhow (?:often|many times)(?:\s+(?:is|are|was|were|does|do|did))?"
        rf"{_WORD}\s+(?:appear(?:s|ed)?|occur(?:s|red)?|mentioned|used|found|come up|show up)",
        rf"\bwhere (?:is|are|does|do){_WORD}\s+(?:mentioned|appear|occur)",
    )
]
_AFTER_VERB = re.compile(
    rf"^(?:find|search for|look for|locate|count(?!\s+of\b)|grep(?: for)?)(?:\s+(?:all|every|each|any))?"
    rf"{_WORD}{_UNTIL}",
    re.I,
)
_FINDS = re.compile(
    r"^(?:find|search|look for|locate|list|show|count|grep|collect)\b"
    r"|^(?:where (?:is|are|does|do)|which (?:files|documents|lines))\b"
    r"|\b(?:how often|how many times|number of (?:times|mentions|occurrences)|how many (?:files|documents|lines))\b"
    r"|^(?:every|all) (?:mention|occurrence|line)s?\b",
    re.I,
)
_FINDS_KO = re.compile(r"찾|세어|세 ?줘|세고|세라|셔|몇\s*(?:번|회|줄)|횟수|언급|검색|나오는|등장|들어\s*있는|포함")
_BEFORE_KO = re.compile(
    r"(\S+?)(?:이라는|라는|이란|란)?\s*(?:단어|말|낱말|문자열|표현)?(?:이|가|을|를|은|는|의)?\s+"
    r"(?:모두\s*|전부\s*|총\s*)?"
    r"(?:몇\s*번|몇\s*회|언급|포함|들어|있는\s*(?:줄|행|문장|곳)|나오|등장|찾아|검색|개수|횟수)"
)
_NO_NEEDLE = re.compile(
    r"(?:every|all)?\s*(?:files?|documents?|lines?|it|them|everything|rows?(?:\s+(?:by|per)\b.*)?)", re.I
)
_COUNTS = re.compile(
    r"\b(?:count|how often|how many|number of)\b|세어|세 ?줘|세고|세라|셔|몇\s*(?:번|회|줄)|횟수", re.I
)


def needles_in(said: str, *, has_path: bool, not_a_needle: Sequence[str]) -> tuple[str, ...]:
    """Empty where the goal is not about finding words. A bare object ("find Acme") needs a path beside it."""
    bare = mask_paths(said)
    korean = language_of(bare) == "ko"
    if not (_FINDS_KO.search(bare) if korean else _FINDS.search(said)):
        return ()
    quoted = [next(filter(None, found.groups())) for found in QUOTED.finditer(said)]
    if needles := tuple(quote for quote in quoted if quote not in not_a_needle and quote.strip()):
        return needles
    if korean:
        candidates = [_noun(found[1]) for found in _BEFORE_KO.finditer(bare)]
        return tuple(word for word in candidates if word and not is_stop(word))[:1]
    patterns = [*_AFTER, *([_AFTER_VERB] if has_path else [])]
    found = next(filter(None, (pattern.search(bare) for pattern in patterns)), None)
    words = re.sub(r"^(?:the|a|an)\s+", "", found[1].strip(" .,:;?!")) if found else ""
    return () if not words or _NO_NEEDLE.fullmatch(words) else (words,)


def counts(bare: str) -> bool:
    return bool(_COUNTS.search(bare))


def _noun(word: str) -> str:
    return without_particle(word) if is_hangul(word) else re.sub(r"[가-힣]+$", "", word)
