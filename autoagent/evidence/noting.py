"""The note at the end of a report about what in it stands in nothing that was read."""

import re
from collections.abc import Sequence

_NOTE = {
    "en": "Unverified, found in nothing that was read or computed: {}",
    "ko": "확인 안 됨(읽거나 계산한 어떤 자료에도 없음): {}",
}


def note(facts: Sequence[str], report: str) -> str:
    """What to add to a report, in its language."""
    hangul, latin = len(re.findall("[가-힣]", report)), len(re.findall("[A-Za-z]", report))
    told = _NOTE["ko" if hangul * 2 > latin else "en"].format(", ".join(facts))
    gap = "\n" if report.endswith("\n") else "\n\n"
    return f"{gap}> {told}\n"
