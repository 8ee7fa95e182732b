"""What a change of a file is shown as: a unified difference, cut where it is long."""

import difflib
from collections.abc import Iterable, Iterator
from itertools import takewhile

from autoagent.errors import CommandError
from autoagent.loaders.text import decode
from autoagent.policy import is_secret

DIFF_LINES = 400
COMPARED = 10_000_000  # pairs of lines: under a second
SHOWN_APART = 150  # lines of each side where they are not compared


def difference(path: str, old: str, new: str) -> str:
    """A unified difference of two texts; of a file that may hold secrets only how long it is."""
    if is_secret(path):
        return f"{path}: {_count(old)} before, {_count(new)} after; its text is not shown"
    lines = list(_hunks(path, _lines(old), _lines(new)))
    cut = len(lines) - DIFF_LINES
    return "\n".join([*lines[:DIFF_LINES], *([f"… {cut:,} more lines of difference"] if cut > 0 else [])])


def _count(text: str) -> str:
    lines = len(text.splitlines())
    return f"{lines:,} line{'' if lines == 1 else 's'}"


def difference_of_contents(path: str, old: bytes, new: bytes) -> str:
    """As `difference`; of what is no text the sizes."""
    try:
        texts = [decode(content).text for content in (old, new)]
    except CommandError:
        return f"{path}: no text, {len(old):,} bytes -> {len(new):,} bytes"
    return difference(path, *texts)


def _lines(text: str) -> list[str]:
    """Lines for a difference; a last one that no line break ends says so, for that may be all that changes."""
    *lines, rest = text.split("\n")
    return [*lines, f"{rest}\n\\ No newline at end of file"] if rest else lines


def _hunks(path: str, old: list[str], new: list[str]) -> Iterator[str]:
    """A unified difference; where comparing would take long, what was there and what is to be, each cut."""
    before = _equal(zip(old, new, strict=False))
    after = _equal(zip(reversed(old[before:]), reversed(new[before:]), strict=False))
    removed, added = old[before : len(old) - after], new[before : len(new) - after]
    if len(removed) * len(added) <= COMPARED:
        yield from difflib.unified_diff(old, new, path, path, lineterm="", n=2)
        return
    yield from (f"--- {path}", f"+++ {path}", f"@@ -{before + 1},{len(removed)} +{before + 1},{len(added)} @@")
    for mark, lines in (("-", removed), ("+", added)):
        yield from (mark + line for line in lines[:SHOWN_APART])
        if len(lines) > SHOWN_APART:
            yield f"{mark}… {len(lines) - SHOWN_APART:,} more lines"


def _equal(pairs: Iterable[tuple[str, str]]) -> int:
    """How many pairs are equal before the first that is not."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
