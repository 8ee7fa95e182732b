"""What a question asks for: stems of its words, numbers, identifiers, and strings of scripts without spaces."""

import re
from dataclasses import dataclass

from autoagent.language import unified, without_inflection, without_particle

_PART = 0.2  # of the weight of an identifier such as E-27 goes to what it is made of
HANGUL = "가-힣"
CJK = "\u3005-\u3007\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
_ID = r"(?:[A-Za-z]+-)*[A-Za-z]+-?\d[A-Za-z\d]*(?:-[A-Za-z\d]+)*"  # E-27, ISO-9001, NS400
TOKEN = re.compile(
    rf"{_ID}(?![^\W_{HANGUL}{CJK}])|[{HANGUL}]+|[{CJK}]+|\d+(?:[.,:/-]\d+)*"
    rf"|[^\W\d_{HANGUL}{CJK}][^\W_{HANGUL}{CJK}]*"
)
_HIRAGANA = re.compile("[\u3041-\u309f]+")


def _words(*lines: str) -> list[str]:
    return [word for line in lines for word in line.split()]


_STOP = frozenset(
    _words(
        "a an the this that these those is are was were be been being am do does did done has have had having can",
        "could will would shall should may might must of in on at to for from by with about into onto over under after",
        "before between during and or but not no nor if then than so as it its they them their there here he she his",
        "her we us our you your i me my who whom whose what which when where why how often many much please tell say",
        "says said give find know get any all some each every only also just very more most other such own page",
        "article website text according information info s t d ll m re ve",
        "무엇 무슨 누구 누가 언제 언제부터 언제까지 어디 어디서 어떤 어느 어떻게 왜 얼마 얼마나 몇 며칠 이 그 저 것 수",
        "등 및 또는 그리고 대해 대한 대하여 관해 관한 따르면 내용 설명 알려 알려줘 말해 말해줘 찾아 찾아줘 줘 해 해줘",
        "뭐 뭔 있 없 하 되 있는 하는 되는 있나 인가 페이지 문서 글 기사 위해 위한 통해 모두 전체",
    )
)
_ENDINGS = _words(
    "하였습니까 했습니까 합니까 됩니까 입니까 습니까 인가요 하나요 되나요 했나요 됐나요 있나요 한가요 은가요 이에요",
    "주세요 인지 는지 나요 까요 한가 인가 는가 니까 이야 예요 하는 되는",
)


@dataclass(frozen=True)
class Terms:
    """What to look for, with its weight: stems of words, whole numbers, strings that may stand within words.

    `ids` are identifiers, each with the pattern of its spellings.
    """

    stems: dict[str, float]
    numbers: dict[str, float]
    strings: dict[str, float]
    ids: dict[str, str]

    def weights(self) -> dict[str, float]:
        return {**self.stems, **self.numbers, **self.strings, **dict.fromkeys(self.ids, 1.0)}


def tokens(text: str) -> list[str]:
    """Its words and numbers, in one form of their characters."""
    return TOKEN.findall(unified(text).text)


def terms_of(question: str) -> Terms:
    terms = Terms({}, {}, {}, {})
    for token in tokens(question):
        if "가" <= token[0] <= "힣":
            _add_korean(token, terms.strings)
        elif re.match(f"[{CJK}]", token):
            _add_cjk(token, terms.strings)
        elif token[0].isdigit():
            terms.numbers[token] = 1.0
        elif re.fullmatch(_ID, token):
            _add_id(token, terms)
        elif token.casefold() not in _STOP and (len(token) > 1 or token.isupper()):
            terms.stems[stem(token)] = 1.0
    return terms


def _add_id(token: str, terms: Terms) -> None:
    """NS-400 is one word, also as NS400 and NS 400; its parts say little: 27 is not E-27."""
    terms.ids[token.casefold()] = r"[-_ \u2010-\u2013]?".join(re.findall(r"[A-Za-z]+|\d+", token))
    for part in token.split("-") if "-" in token else ():
        if part.isdigit():
            terms.numbers.setdefault(part, _PART)
        elif len(part) > 1:
            terms.stems.setdefault(stem(part), _PART)


def _add_korean(token: str, strings: dict[str, float]) -> None:
    """계약을 → 계약 in full, and 약관동의 also by its pairs: compounds are written with and without a space."""
    if token in _STOP:
        return
    base = without_particle(_without_ending(token))
    if not base or base in _STOP:
        return
    strings[base] = max(strings.get(base, 0.0), 1.0)
    if len(base) > 2:
        for at in range(len(base) - 1):
            strings.setdefault(base[at : at + 2], 0.3)


def _add_cjk(run: str, strings: dict[str, float]) -> None:
    """Pairs of characters; those of hiragana alone are grammar."""
    pairs = [run[at : at + 2] for at in range(len(run) - 1)] or [run]
    for pair in pairs:
        if not _HIRAGANA.fullmatch(pair):
            strings[pair] = 0.5 if _HIRAGANA.search(pair) else 1.0


def _without_ending(word: str) -> str:
    ending = next((ending for ending in _ENDINGS if word.endswith(ending) and len(word) > len(ending)), "")
    return word.removesuffix(ending) if ending else word


def stem(word: str) -> str:
    """An English word in lower case without plural, -ing, -ed, -ly or -ion: enough to compare."""
    word = word.casefold()
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    word = without_inflection(word)
    if len(word) > 6:
        word = re.sub(r"(?<=\w{4})(?:ations?|ate?|ion|ment|ly|able|ible|al)$", "", word)
    return word[:-1] if word.endswith(("e", "y")) and len(word) > 4 else word
