"""Words of English and Korean text: tokens, light stems, particles, stop words. No dependency knows both."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from autoagent.language import PARTICLES, without_inflection, without_particle
from autoagent.models.offline.verbs import VERBS

Language = Literal["en", "ko"]

TOKEN = re.compile(r"[가-힣]+|\d+(?:[.,:/-]\d+)*|[^\W\d_가-힣]+(?:['’][a-z]{1,2}\b)?")
_HANGUL = re.compile("[가-힣]")
_BROKEN = re.compile(r"(?<=[^\W\d_])[-\u00ad]\n(?=[a-zà-ÿ])")
_BROKEN_KO = re.compile(r"(?<=[가-힣])\n(?=[가-힣])")


def vocabulary(*lines: str) -> frozenset[str]:
    """The words of some lines, to look up."""
    return frozenset(word for line in lines for word in line.split())


def _longest_first(*lines: str) -> list[str]:
    return sorted(vocabulary(*lines), key=lambda word: (-len(word), word))


_ENDINGS = _longest_first(
    "하였습니까 했습니까 합니까 됩니까 입니까 습니까 인가요 하나요 되나요 했나요 됐나요 지나요 있나요 인지 는지 나요",
    "한가요 은가요 까요 한가 인가 는가 니까 주세요",
)
_STOP_KO = vocabulary(
    "무엇 무슨 누구 누가 언제 어디 어디서 어떤 어느 어떻게 왜 얼마 얼마나 몇 있 없 하 되 이 그 저 것 수 등 및",
    "또는 그리고 대해 대한 대하여 관해 관한 따르면 따라 때 문서 문서들 파일 폴더 자료 내용 설명 알려 알려줘 말해",
    "말해줘 찾아 줘 주 주세요 해 해줘 정해져 나와 나오 적혀 뭐 뭔 뭐라 있습 입 요 모두 전체 며칠 안 알려야 우리",
    "저희 각각 경우 위해 위한 통해 있는 하는 있다 한다 했다 된다 이다 있었다 였다 시간 오늘 지금 은 는 가 을 를",
    "에 의 에서 에게 으로 까지 부터 에서는 에는 에서의 로 와 과 도 만",
)
_AUXILIARY_KO = vocabulary(  # in a question: they ask, but name nothing
    "쓸 쓰 써 써야 할 해야 하려 하려면 될 되 돼 돼야 되어 있을 없을 가능 최대 최소 최장 최고 보통 대략 총 며칠 얼마",
)
_ADVERBS_KO = vocabulary(
    "자주 많이 오래 빨리 멀리 주로 혹시 좀 조금 정확히 도대체 대체 다 전부 실제로 얼마큼 얼마쯤 언제쯤 하루 한번",
    "않 않았 않은 못하 못했 못한",
)
_INTERROGATIVE_KO = re.compile(  # 누구야, 얼마예요, 언제였지, 뭐였어
    "(?:누구|누가|얼마|언제|어디|무엇|뭐|뭘|며칠|어때|어떻|왜)(?:에서|까지|부터|쯤|나)?"
    "(?:이|인|일|예|에|였|이었)?"
    "(?:야|요|지|죠|니|냐|가|까|임|어|어요|지요|더라|던가|는지|건가|건가요|데|고|고요|며|면서|든|든지|라고)?"
)
_SPOKEN = re.compile(  # how the last word of a spoken question ends, where no other ending was known
    r"(?<=[가-힣])(?:[하했되됐돼걸열있]?(?:어요?|여요?|아요?|해요?|돼요?|려요?|니|냐|야|죠|지요)|해|돼)$"
)
_DOES = re.compile(r"(?<=[가-힣]{2})(?:한다|했다|합니다|하는|하기|된다|됐다|되는|되기)(?:고|면|는데)?$")  # 개학한다
_ONE_SYLLABLE = re.compile("[가-힣][은을이]")  # 값은: a stem keeps two syllables
_MODIFIES = re.compile(
    "[가-힣][은는던된한진린긴난낸킨온간] (?:이유|원인|까닭)|[가-힣]지 [않못]"
)  # 늦어진 이유, 가지 않
_STOP_EN = vocabulary(
    "a an the this that these those is are was were be been being am do does did done have has had having can",
    "could will would shall should may might must need of in on at to for from by with about into onto over under",
    "after before between during and or but not no nor if then than so as it its they them their there here he",
    "she his her we us our you your i me my mine who whom whose what which when where why how many much long",
    "often old far please tell say says said state states mention mentions according document documents doc docs",
    "file files folder text texts workspace paper papers give given get know find out any all some each every",
    "only also just very more most other such same own up down again s t d ll m re ve got gets make makes made",
    "take takes took gave go goes went come comes came happen happened use used time today now tomorrow thing",
    "things way kind per via each within without upon until till since while because whether than else quite exactly",
    "currently actually really roughly",
)


def language_of(text: str) -> Language:
    return "ko" if _HANGUL.search(text) else "en"


def is_hangul(word: str) -> bool:
    return bool(word) and "가" <= word[0] <= "힣"


_SUFFIX = re.compile(r"(?<=\w{4})(?:[ai]bility|[ai]ble|[ai]bly|ations?|ate|at|ion|ment|ly)$")


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """Lower case without a plural, -ing, -ed, -ion or particle: enough to match, not a dictionary form."""
    if is_hangul(word):
        return without_particle(word)
    word = word.casefold().replace("’", "'").removesuffix("'s")
    if not word.isalpha() or len(word) < 4:
        return word
    word = without_inflection(word)
    word = _SUFFIX.sub("", word) if len(word) > 6 else word
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def without_ending(word: str) -> str:
    """얼마인가요 → 얼마; empty where the word is an ending alone."""
    return word.removesuffix(next((end for end in _ENDINGS if is_hangul(word) and word.endswith(end)), ""))


def particle_variants(word: str) -> list[str]:
    """The word as it stands, then without each particle that it may end in, longest first."""
    return [word, *(word.removesuffix(end) for end in PARTICLES if word.endswith(end) and word != end)]


def tokens(text: str) -> Iterator[str]:
    return (found[0] for found in TOKEN.finditer(text))


def stems(text: str) -> list[str]:
    """The stems of all words that carry meaning, in order, repeated as they are."""
    return [stem(word) for word in tokens(_BROKEN.sub("", text)) if not is_stop(word)]


def whole_words(text: str) -> str:
    """The text as it stands and, where a line's end breaks words, also with those joined: to look words up in."""
    joined = _BROKEN_KO.sub("", _BROKEN.sub("", text)) if "\n" in text else text
    return text if joined == text else f"{text}\n{joined}"


@lru_cache(maxsize=200_000)
def is_stop(word: str) -> bool:
    if is_hangul(word):
        return word in _STOP_KO or without_particle(word) in _STOP_KO
    return word.casefold() in _STOP_EN


SAID_OF_A_REPORT = re.compile(
    "(?:요약|정리|간추|저장|작성|출처|인용|핵심|주요|간단|짧게|보고서|파일|표시|포함|부탁|문장)"
    "|읽[고어]|살펴|(?:한국어|영어|모든|현재|작업|이름)|(?:줄|로|써|함께|달아|붙여|남겨|해주세요|하고)$"
)


SAID_OF_A_SUMMARY = vocabulary(
    "summarise summarize sum summary summaries recap overview digest source sources quote quotes citation citations",
    "cite short brief briefly concise quick key main important point points report save write put store result results",
    "markdown note sentence sentences bullet bullets line lines md txt csv english korean one two three four five",
    "single make create prepare draft show contents content everything output named called new using reference",
    "references page pages url urls link links address addresses site website article articles",
)


@dataclass(frozen=True)
class Term:
    """A stem that an answer should hold, as the question has it; the form of a predicate it will rarely share.

    A Korean predicate is known by its ending, by its place at the end, before "reason" or before "not".
    """

    stem: str
    word: str
    predicate: bool

    @property
    def named(self) -> str:
        """The word to tell a person, without a particle."""
        if not is_hangul(self.word):
            return self.word
        return (not self.stem.endswith("이") and _one_syllable(self.stem)) or self.stem


def question_terms(question: str) -> list[Term]:
    terms: dict[str, Term] = {}
    words = list(tokens(question))
    for at, word in enumerate(words, 1):
        base = without_ending(word)
        if base == word and at == len(words) and is_hangul(word):
            base = _SPOKEN.sub("", word)
        base = _DOES.sub("", base)
        ending = base != word or bool(_MODIFIES.search(" ".join(words[at - 1 : at + 1])))
        if not base or is_stop(base) or _only_asks(base) or (ending and len(base) < 2):
            continue
        terms.setdefault(stem(base), Term(stem(base), base, ending))
    return list(terms.values())


def _only_asks(word: str) -> bool:
    """The word asks, or says how, and names nothing that an answer should hold."""
    known = {word, without_particle(word)}
    return bool(known & (_AUXILIARY_KO | _ADVERBS_KO)) or bool(_INTERROGATIVE_KO.fullmatch(word))


def _one_syllable(word: str) -> str:
    """값은 → 값, 책을 → 책, and 종이 → 종; "" for any other word, such as 마을: these particles follow a consonant."""
    return word[0] if _ONE_SYLLABLE.fullmatch(word) and (ord(word[0]) - ord("가")) % 28 else ""


@lru_cache(maxsize=10_000)
def _of_same_verb(term: str) -> frozenset[str]:
    """The stems of an irregular verb's other forms: sit → sat; none of another word's."""
    verbs = [frozenset(map(stem, verb)) for verb in VERBS]
    return frozenset[str]().union(*(verb for verb in verbs if term in verb))


def bigrams(word: str) -> list[str]:
    return [word[i : i + 2] for i in range(len(word) - 1)] or [word]


class Bag:
    """The words of one passage, to ask whether a term is among them."""

    __slots__ = ("stems", "text")

    def __init__(self, text: str):
        self.text = whole_words(text)
        self.stems = {stem(word) for word in tokens(self.text)}
        self.stems |= set(filter(None, map(_one_syllable, self.stems)))

    def holds(self, term: str) -> bool:
        """In any form of an irregular verb. Korean writes compounds with and without a space: pairs are compared."""
        if term in self.stems or _of_same_verb(term) & self.stems:
            return True
        if not is_hangul(term) or len(term) < 2:
            return False
        if _one_syllable(term) in self.stems or (len(term) > 2 and term[-1] in "일날" and term[:-1] in self.text):
            return True  # 개학일: the day on which 개학 is
        pairs = bigrams(term)
        found = sum(pair in self.text for pair in pairs)
        return found == len(pairs) or (len(pairs) >= 3 and found >= 0.75 * len(pairs))
