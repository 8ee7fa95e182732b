"""What a goal wants found: words in quotation marks, or what stands after "mentions of" and the like."""

import re
from collections.abc import Sequence

from autoagent.language import without_particle
from autoagent.models.offline.clauses import QUOTED
from autoagent.models.offline.paths import mask_paths
from autoagent.models.offline.speech import language_spoken
from autoagent.models.offline.words import is_hangul, is_stop

_UNTIL = (
    r"(?=\s+(?:in|from|under|within|across|throughout|inside|appears?|occurs?|are|is|into|exist)\b|\s*[?.!,:;]?\s*$)"
)
_WORD = r"\s+(?:the (?:word|term|phrase|name)\s+)?(\S.*?)"
_VERB = r"(?:find|search(?:\s+(?:\S+\s+){0,3}?for)?|look for|locate|count(?!\s+of\b)|grep(?: for)?)"
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
        rf"^{_VERB}\s+the (?:word|term|phrase|name)\s+(\S.*?){_UNTIL}",
    )
]
_AFTER_VERB = re.compile(rf"^{_VERB}(?:\s+(?:all|every|each|any))?{_WORD}{_UNTIL}", re.I)
_AFTER_FIND = re.compile(rf"^(?!count){_VERB}\s+(\S+){_UNTIL}", re.I)  # one word, whatever it is
_FINDS = re.compile(
    r"^(?:find|search|look for|locate|list|show|count|grep|collect)\b"
    r"|^(?:where (?:is|are|does|do)|which (?:files|documents|lines))\b"
    r"|\b(?:how often|how many times|number of (?:times|mentions|occurrences)|how many (?:files|documents|lines))\b"
    r"|^(?:every|all) (?:mention|occurrence|line)s?\b",
    re.I,
)
_FINDS_KO = re.compile(
    r"찾|세어|세 ?줘|세고|세라|셔|몇\s*(?:번|회|줄)|횟수|언급|검색|나오는|등장|들어\s*있는|포함"
    r"|얼마나\s*(?:자주|많이)\s*(?:나오|쓰)"
    r"|(?:단어|낱말)\S*\s*[개갯]수"
)
_WORD_KO = r"(?:단어|낱말|문자열|표현|글자|용어)"
_NAMED_KO = re.compile(rf"(?<!\S)(\S+?)(\s*(?:이라는|라는|이란|란)\s*)(?:{_WORD_KO}|말|이름)")
_LATIN_BEFORE = re.compile(r"(?:[^\s가-힣]+\s+)+$")  # the first words of "Black tea라는 말"
_HOW_KO = r"(?:모두|전부|총|다|얼마나|자주|많이|어디에|어디서|각각)"
_BEFORE_KO = re.compile(
    rf"(?<!\S)(\S+?)(?:이라는|라는|이란|란)?\s*(?:{_WORD_KO}|말)?(?:이|가|을|를|은|는|의)?\s+(?:{_HOW_KO}\s*)*"
    r"(?:몇\s*번|몇\s*회|언급|포함|들어|있는\s*(?:줄|행|문장|곳)|나오|등장|찾아|검색|개수|횟수)"
)
_WORDS_COUNTED_KO = re.compile(rf"(?<!\S)(\S+)\s+{_WORD_KO}(?:을|를|은|는)?\s+(?:{_HOW_KO}\s*)*(?:세|셔)")
_NO_NEEDLE_KO = re.compile(
    rf"(?:{_WORD_KO}|말|이름|이?라는|이?란|{_HOW_KO}|가장|제일|수|줄|행)(?:[이가을를은는의]|들\S?)?"
)
_SAYS_WHERE_KO = re.compile(r"(?:에서는?|에|의|안|속|중|은|는|이|가|을|를|로|와|과|도|고|서|줘|[,:])$")
_NO_NEEDLE = re.compile(
    r"(?:every|all)?\s*(?:files?|documents?|lines?|it|them|everything|rows?(?:\s+(?:by|per)\b.*)?"
    r"|(?:the )?(?:number of )?(?:words?|terms?|names?|sentences?|pages?|characters?|letters|paragraphs?|columns?"
    r"|mentions?|occurrences?|folders?))",
    re.I,
)
_COUNTS = re.compile(
    r"\b(?:count|how often|how many|number of)\b|세어|세 ?줘|세고|세라|셔|몇\s*(?:번|회|줄)|횟수"
    r"|얼마나\s*(?:자주|많이)|(?:단어|낱말)\S*\s*[개갯]수",
    re.I,
)


def needles_in(said: str, *, has_path: bool, not_a_needle: Sequence[str]) -> tuple[str, ...] | None:
    """Empty where the goal is not about finding words, None where it is but no rule tells which.

    A bare object of several words ("find the Acme papers"), or one that is counted, needs a path beside it.
    """
    bare = mask_paths(said)
    korean = language_spoken(bare) == "ko"
    if not (_FINDS_KO.search(bare) if korean else _FINDS.search(said)):
        return ()
    quoted = [next(filter(None, found.groups())) for found in QUOTED.finditer(said)]
    if needles := tuple(quote for quote in quoted if quote not in not_a_needle and quote.strip()):
        return needles
    if korean:
        return _korean(bare)
    patterns = [*_AFTER, _AFTER_VERB if has_path else _AFTER_FIND]
    found = next(filter(None, (pattern.search(bare) for pattern in patterns)), None)
    words = re.sub(r"^(?:the|a|an)\s+", "", found[1].strip(" .,:;?!")) if found else ""
    return () if not words or _NO_NEEDLE.fullmatch(words) else (words,)


def counts(bare: str) -> bool:
    return bool(_COUNTS.search(bare))


def _korean(bare: str) -> tuple[str, ...] | None:
    """The word that is named as one ("office라는 낱말"), else what stands before the verb."""
    if named := _NAMED_KO.search(bare):
        return _named(named)
    found = _WORDS_COUNTED_KO.search(bare)
    candidates = [found[1]] if found else [found[1] for found in _BEFORE_KO.finditer(bare)]
    needles = [_noun(word) for word in candidates if not is_stop(word) and not _NO_NEEDLE_KO.fullmatch(word)]
    if needles := [word for word in needles if word]:
        return (needles[0],)
    return None if candidates and re.search("단어|낱말", bare) else ()


def _named(found: re.Match[str]) -> tuple[str, ...] | None:
    """None where the word before belongs to it as likely as not ("부산 지점이라는 말")."""
    word, before = found[1], found.string[: found.start()]
    if _closed(word[-1]) is False and found[2].startswith("이"):
        word += "이"  # 나이라는: the particle is 라는, since a vowel goes before
    if latin := _LATIN_BEFORE.search(before):
        return (" ".join(f"{latin[0]}{word}".split()),)
    last = before.split()[-1:]
    unclear = last and not is_stop(last[0]) and not _SAYS_WHERE_KO.search(last[0])
    return None if unclear and is_hangul(word) else (word,)


def _closed(letter: str) -> bool | None:
    """Whether a Hangul syllable ends in a consonant; None of any other letter."""
    return (ord(letter) - ord("가")) % 28 != 0 if "가" <= letter <= "힣" else None


def _noun(word: str) -> str:
    return without_particle(word) if is_hangul(word) else re.sub(r"[가-힣]+$", "", word)
