"""The difference between two contents in lines of text, however long they are. Pure."""

import difflib
import re
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile

COMPARED = 4_000_000  # pairs of lines; comparing more takes seconds
CONTEXT = 3  # lines
_HUNK = re.compile(r"([-+])(\d+)")


def as_text(content: bytes) -> str | None:
    """None for what is no text."""
    if b"\0" in content:
        return None
    try:
        return content.decode("utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else "utf-8")
    except UnicodeDecodeError:
        return None


def difference(before: str, after: str) -> Iterator[str]:
    """Hunks of a unified difference; where comparing would take long, all that was there and all that is."""
    old, new = _lines(before), _lines(after)
    head = _equal(old, new)
    tail = _equal(old[head:][::-1], new[head:][::-1])
    start, end = max(0, head - CONTEXT), max(0, tail - CONTEXT)
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    if len(old) * len(new) > COMPARED:
        yield f"@@ -{start + 1},{len(old)} +{start + 1},{len(new)} @@"
        yield from (f"-{text}" for text in old)
        yield from (f"+{text}" for text in new)
        return
    for hunk in islice(difflib.unified_diff(old, new, lineterm="", n=CONTEXT), 2, None):  # without the two names
        yield _HUNK.sub(lambda found: f"{found[1]}{int(found[2]) + start}", hunk) if hunk.startswith("@@") else hunk


def _lines(text: str) -> list[str]:
    """A last line that no line break ends says so, for that may be all that changes."""
    *lines, rest = text.split("\n")
    return [*lines, f"{rest}\n\\ No newline at end of file"] if rest else lines


def _equal(old: Sequence[str], new: Sequence[str]) -> int:
    """How many lines are equal before the first that is not."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
