"""What English and Korean words have in common with their other forms: endings and particles taken off, by rules."""

import re

_LONGEST_FIRST = (
    "으로부터 에서부터 에서는 에서의 에게서 이라는 으로는 에서 에게 으로 까지 부터 마다 보다 처럼 만큼 하고 이나 라는 "
    "에는 에도 와의 과의 로서 로써 은 는 이 가 을 를 에 의 로 와 과 도 만"
)
PARTICLES = tuple(_LONGEST_FIRST.split())


def without_particle(word: str) -> str:
    """계약을 → 계약; a word of which one syllable would be left keeps a particle of one syllable (회의)."""
    for particle in PARTICLES:
        if word.endswith(particle) and len(word) - len(particle) >= (1 if len(particle) > 1 else 2):
            return word[: -len(particle)]
    return word


def without_inflection(word: str) -> str:
    """A lower-case English word without plural, -ing or -ed: enough to compare, not a dictionary form."""
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("ches", "shes", "xes", "zes", "sses")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for suffix in ("ing", "ed"):
        if word.endswith(suffix) and len(word) >= len(suffix) + 3 and re.search("[aeiouy]", word[: -len(suffix)]):
            return re.sub(r"([bdgmnprt])\1$", r"\1", word[: -len(suffix)])
    return word
