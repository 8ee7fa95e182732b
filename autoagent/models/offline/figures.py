"""The number that a question asks for: which passages may hold it, and which most likely do."""

import re
from dataclasses import dataclass

from autoagent.models.offline.words import stem

GAIN = 1.25  # of a passage with a figure
UNIT_GAIN = 2.0  # of one with a figure of the unit that was asked for
_ASKS = re.compile(r"\b(?:how (?:much|many|long|often|old|far)|when)\b|얼마|몇|며칠|언제", re.I)
_COUNT = re.compile(r"\bhow many (?P<english>[a-z]+)|(?P<days>며칠)|몇\s*(?P<korean>개월|시간|가지|[가-힣])", re.I)
_NUMBER = (
    r"(?:\d[\d,.]*|\b(?:no|none|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand)\b"
    r"|(?<![가-힣])(?:한|두|세|네|다섯|여섯|일곱|여덟|아홉|열|스무)(?=\s?[가-힣]))"
)
_FIGURE = re.compile(_NUMBER, re.I)
_NEGATED = re.compile(r"\b(?:not|never|without|unpaid|no)\b|n['’]t\b|(?<![가-힣])[안못]\s|지 ?않|없", re.I)


@dataclass(frozen=True)
class Figure:
    """`count`: how many was asked, so only a number answers; `unit` finds one with what was counted."""

    count: bool
    negated: bool
    unit: re.Pattern[str] | None

    def allows(self, text: str) -> bool:
        if self.negated and not _NEGATED.search(text):
            return False
        return not self.count or bool(_FIGURE.search(text))

    def gain(self, text: str) -> float:
        if self.unit and self.unit.search(text):
            return UNIT_GAIN
        return GAIN if _FIGURE.search(text) else 1.0


def figure_asked(question: str) -> Figure | None:
    """None where no number or date is asked for."""
    if not _ASKS.search(question):
        return None
    count = _COUNT.search(question)
    return Figure(bool(count), bool(count and _NEGATED.search(question)), _unit(count) if count else None)


def _unit(count: re.Match[str]) -> re.Pattern[str]:
    if english := count["english"]:
        return re.compile(rf"{_NUMBER}\W+(?:\w+\W+)?{re.escape(stem(english))}", re.I)
    unit = "일(?!요일)|days?" if count["days"] else re.escape(count["korean"])
    return re.compile(rf"(?<!월)(?<!월 )(?<!\d){_NUMBER}\s*(?:{unit})", re.I)
