"""Acceptance criteria that follow from a goal: what the report has to hold, as the program can check it by itself."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from autoagent.criteria import MOST, Criterion, Draft, Needs
from autoagent.models.offline.columns import Calculate
from autoagent.models.offline.goals import Ask, CountFiles, Find, Summarise, Task
from autoagent.models.offline.say import pick
from autoagent.models.offline.words import Language

SHOWN = 80  # characters of a task in a criterion
_QUOTE = r"^> .+\n— \S"


@dataclass(frozen=True)
class Part:
    """A task, its report, and the documents of the workspace that it is about."""

    task: Task
    output: str
    paths: tuple[str, ...]

    @property
    def said(self) -> str:
        text = " ".join(self.task.text.split())
        return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def draft(parts: Sequence[Part], language: Language, programs: tuple[str, ...] = ()) -> Draft:
    """One criterion a task, as many as a run may have; where there is room, one for each document of a summary too."""
    criteria = list(dict.fromkeys(_criterion(part, language) for part in parts))
    for part in parts:
        each = _of_documents(part, language)
        criteria += each if len(criteria) + len(each) <= MOST else []
    hosts = [urlsplit(url).hostname or "" for part in parts for url in part.task.scope.addresses]
    reports = tuple(dict.fromkeys(part.output for part in parts))  # no more than these: one yes covers what is named
    named = tuple(dict.fromkeys(filter(None, hosts)))
    needs = Needs(hosts=named, programs=programs, folders=reports)
    return Draft(criteria=tuple(criteria[:MOST]), needs=needs)


def _criterion(part: Part, language: Language) -> Criterion:
    output = part.output
    match part.task.deed:
        case Summarise():
            text = pick(language, f"{output} holds quotes, each with where it stands",
                        f"{output}에 출처가 있는 인용이 있음")  # fmt: skip
            return Criterion(text=text, file=output, pattern=_QUOTE)
        case Ask(question=question):
            text = pick(language, f"{output} answers with quotes: {question}",
                        f"{output}에 인용으로 답이 있음: {question}")  # fmt: skip
            return Criterion(text=text, file=output, pattern=rf"^## {_literal(question)}\n+> ")
        case Find(needles=needles):
            words = ", ".join(f"“{needle}”" for needle in needles)
            either = ", ".join(f"[“`]{_literal(needle)}[”`]" for needle in needles)
            text = pick(language, f"{output} says how often {words} occurs, and where",
                        f"{output}에 {words}의 횟수와 위치가 있음")  # fmt: skip
            return Criterion(text=text, file=output, pattern=rf"{either}: [\d,]+(?: times?|번)")
        case CountFiles():
            text = pick(language, f"{output} gives the number of files: {part.said}",
                        f"{output}에 파일 수가 있음: {part.said}")  # fmt: skip
            return Criterion(text=text, file=output, pattern=r"^[\d,]+ files?\b|^파일 [\d,]+개")
        case Calculate():
            text = pick(language, f"{output} holds the figures asked for: {part.said}",
                        f"{output}에 찾는 수가 있음: {part.said}")  # fmt: skip
            return Criterion(text=text, file=output, pattern=rf"^\|.*\d.*\|$|{_QUOTE}")


def _of_documents(part: Part, language: Language) -> list[Criterion]:
    """None may be passed over in silence: it has its section, or stands among what was not read, and why."""
    if not isinstance(part.task.deed, Summarise):
        return []
    return [
        Criterion(
            text=pick(language, f"{part.output} covers {path}, or says why not",
                      f"{part.output}에 {path} 인용이나 인용하지 못한 까닭이 있음"),
            file=part.output,
            pattern=rf"^(?:##|-) {_literal(path)}",
        )
        for path in part.paths
    ]  # fmt: skip


def _literal(text: str) -> str:
    """As `re.escape`, without what only a verbose pattern needs: a person reads it too."""
    return re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", text)
