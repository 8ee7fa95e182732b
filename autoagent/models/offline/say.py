"""What the planner says in the goal's language."""

from autoagent.models.offline.words import Language


def pick(language: Language, english: str, korean: str) -> str:
    return korean if language == "ko" else english


def count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
