"""What a typed line means as an answer to a question. Pure."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

Kind = Literal["yes", "no", "edit", "always", "critic", "details", "help", "pause", "advice", "unclear"]

_WORDS: dict[str, Kind] = {
    "y": "yes", "yes": "yes", "ok": "yes", "okay": "yes", "네": "yes", "예": "yes",
    "n": "no", "no": "no", "아니오": "no", "아니요": "no",
    "e": "edit", "edit": "edit", "a": "always", "always": "always", "s": "critic", "critic": "critic",
    "d": "details", "diff": "details", "details": "details", "?": "help", "h": "help", "help": "help",
    "q": "pause", "quit": "pause", "exit": "pause", "pause": "pause",
}  # fmt: skip
# the 2-set keyboard: compatibility jamo in Unicode's order and the keys that type them
_KEYS = (
    "r R rt s sw sg e E f fr fa fq ft fx fv fg a q Q qt t T d w W c z x v g "
    "k o i O j p u P h hk ho hl y n nj np nl b m ml l"
)
_JAMO = dict(zip(map(chr, range(0x3131, 0x3164)), _KEYS.split(), strict=True))
_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_FINALS = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"


@dataclass(frozen=True)
class Answer:
    """`text` is a reason or advice, `more` how many further commands a yes allows."""

    kind: Kind
    text: str = ""
    more: int = 0


def read_answer(typed: str) -> Answer:
    """The meaning of a line. Anything that is no key or word of ours is advice, so nothing runs by mistake.

    Understands keys of a keyboard left in Korean (ㅛ, ㅛㄷㄴ) and full-width letters. A line with a control
    character, such as a paste into a plain terminal, means nothing.
    """
    if any(unicodedata.category(char) in ("Cc", "Cs") and char != "\t" and char != "\n" for char in typed):
        return Answer("unclear")
    text = typed.strip()
    first, _, rest = text.partition(" ")
    rest = rest.strip()
    kind = _word(first)
    if kind == "yes":
        return _yes(rest) or Answer("advice", text)
    if kind == "no":
        return Answer("no", rest)
    if kind and not rest:
        return Answer(kind)
    if attached := re.fullmatch(r"[yYㅛ](-?\d+)", text):
        return _yes(attached[1]) or Answer("unclear")
    return Answer("advice", text) if len(text) > 1 else Answer("unclear")


def _yes(rest: str) -> Answer | None:
    """`y 5`, or `y -5`, is for this command and the next four; other words after a yes make it advice."""
    if not rest:
        return Answer("yes")
    number = re.fullmatch(r"-?(\d{1,4})", rest)
    if not number:
        return None
    return Answer("yes", more=int(number[1]) - 1) if int(number[1]) else Answer("unclear")


def _word(typed: str) -> Kind | None:
    narrow = "".join(chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else c for c in unicodedata.normalize("NFC", typed))
    word = narrow.lower()
    if len(word) > 1:
        word = word.rstrip(".!,")
    return _WORDS.get(word) or _WORDS.get(latin_keys(narrow).lower())


def latin_keys(text: str) -> str:
    """The keys that were pressed to type Hangul on a 2-set keyboard: ㅛㄷㄴ is "yes"."""
    return "".join(_JAMO.get(jamo, jamo) for char in text for jamo in _jamo(char))


def _jamo(char: str) -> str:
    code = ord(char) - 0xAC00
    if not 0 <= code < 11_172:
        return _compatible(char)
    initial, vowel, final = code // 588, code % 588 // 28, code % 28
    return _INITIALS[initial] + chr(0x314F + vowel) + (_FINALS[final - 1] if final else "")


def _compatible(char: str) -> str:
    """The compatibility letter of a conjoining one."""
    code = ord(char)
    if 0x1100 <= code <= 0x1112:
        return _INITIALS[code - 0x1100]
    if 0x1161 <= code <= 0x1175:
        return chr(0x314F + code - 0x1161)
    return _FINALS[code - 0x11A8] if 0x11A8 <= code <= 0x11C2 else char
