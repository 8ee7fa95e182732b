"""Every place where some words stand, upper and lower case alike."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from autoagent.models.offline.documents import Document, Passage

WINDOW = 400  # characters of a long line that are quoted


@dataclass(frozen=True)
class Found:
    """`times` counts every place, also inside longer words; `as_word` those that stand alone."""

    times: int
    as_word: int
    by_file: dict[str, int]
    lines: tuple[Passage, ...]


def find(needles: Sequence[str], documents: Sequence[Document]) -> Found:
    choice = "|".join(re.escape(needle) for needle in sorted(needles, key=len, reverse=True))
    pattern = re.compile(choice, re.IGNORECASE)
    word = re.compile(rf"(?<!\w)(?:{choice})(?!\w)", re.IGNORECASE)
    times = as_word = 0
    by_file: dict[str, int] = {}
    lines: list[Passage] = []
    for document in documents:
        for number, line in enumerate(document.lines, 1):
            places = pattern.findall(line)
            if not places:
                continue
            times += len(places)
            as_word += len(word.findall(line))
            by_file[document.path] = by_file.get(document.path, 0) + len(places)
            lines.append(Passage(document.path, number, _window(line, pattern), "sentence"))
    return Found(times, as_word, by_file, tuple(lines))


def _window(line: str, pattern: re.Pattern[str]) -> str:
    """The line, or what stands around its first place where it is very long."""
    if len(line) <= WINDOW:
        return line.strip()
    found = pattern.search(line)
    start = max(0, (found.start() if found else 0) - WINDOW // 2)
    return line[start : start + WINDOW].strip()
