"""Long texts cut to what a page has room for, the head and the tail kept; pure."""

from collections.abc import Sequence

MOST, LEAST = 12_000, 400  # bytes of one text
ROOM = 700_000  # bytes of all of them
TAIL = 0.2  # of what is kept


def limit_for(sizes: Sequence[int]) -> int:
    """The bytes that one text may take so that all of these fit the room; short ones leave theirs to the others."""
    left, room = sorted(sizes), ROOM
    while left:
        share = room // len(left)
        if left[0] > share:
            return max(LEAST, min(MOST, share))
        room -= left.pop(0)
    return MOST


def clip(text: str, limit: int) -> tuple[str, int]:
    """At most about `limit` bytes of a text, with a note of what is missing; and how many characters that is."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size <= limit:
        return text, 0
    keep = max(1, limit * len(text) // size)
    tail = int(keep * TAIL)
    left = len(text) - keep
    return f"{text[: keep - tail]}\n[… {left:,} more characters …]\n{text[len(text) - tail :]}", left
