"""The number that a question asks for: which passages may hold it, and which most likely do."""

import re
from dataclasses import dataclass

from autoagent.models.offline.words import stem

GAIN = 1.25  # of a passage with a figure
UNIT_GAIN = 2.0  # of one with a figure of the unit that was asked for
_ASKS = re.compile(r"\b(?:how (?:much|many|long|often|old|far)|when)\b|얼마|몇|며칠|언제", re.I)
_COUNT = re.compile(
    r"\bhow many (?:of (?:the|our|my) )?(?P<english>[a-z]+)|(?P<days>며칠)"
    r"|몇\s*(?P<korean>개월|시간|가지|군데|[가-힣])",
    re.I,
)
_ALIKE = ("개|곳|가지|군데|건", "명|분|사람|인")  # Korean counters that stand for one another
_NUMBER = (
    r"(?:\d[\d,.]*|\b(?:no|none|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand"
    r"|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty)\b"
    r"|(?<![가-힣])(?:한|두|세|네|다섯|여섯|일곱|여덟|아홉|열|스무)(?=\s?[가-힣]))"
)
_FIGURE = re.compile(_NUMBER, re.I)
_NEGATED = re.compile(r"\b(?:not|never|without|unpaid|no)\b|n['’]t\b|(?<![가-힣])[안못]\s|지 ?않|없", re.I)


@dataclass(frozen=True)
class Figure:
    """`unit` finds a number of what was asked for; `count`: nothing else is an answer."""

    unit: re.Pattern[str] | None = None
    count: bool = False
    negated: bool = False

    def allows(self, text: str) -> bool:
        if self.negated and not _NEGATED.search(text):
            return False
        return not self.count or self._has_unit(text)

    def gain(self, text: str) -> float:
        if self._has_unit(text):
            return UNIT_GAIN
        return GAIN if _FIGURE.search(text) else 1.0

    def _has_unit(self, text: str) -> bool:
        return bool(self.unit and self.unit.search(text))


def figure_asked(question: str) -> Figure | None:
    """None where no number or date is asked for."""
    if not _ASKS.search(question):
        return None
    asked = _COUNT.search(question)
    if asked is None:
        return Figure()
    return Figure(_unit(asked), count=not asked["days"], negated=bool(_NEGATED.search(question)))


def _unit(asked: re.Match[str]) -> re.Pattern[str]:
    """A number before its unit ("five more books", "15일"), or after it in English ("books: 5")."""
    if asked["english"]:
        unit = re.escape(stem(asked["english"]))
        return re.compile(
            rf"{_NUMBER}\W+(?:\w+\W+){{0,2}}{unit}|\b{unit}\w*\W+(?:(?:is|are|was|were)\W+)?{_NUMBER}", re.I
        )
    counter = asked["korean"]
    unit = "일(?!요일)" if asked["days"] else next((alike for alike in _ALIKE if counter in alike.split("|")), counter)
    return re.compile(rf"(?<!월)(?<!월 )(?<!\d){_NUMBER}\s*(?:{unit})")
