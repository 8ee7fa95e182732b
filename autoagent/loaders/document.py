"""A file as lines of text, whatever its kind."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

TEXT_LIMIT = 32_000_000  # characters
NO_TEXT = re.compile(  # control characters, halves of characters, and what nobody sees: zero width, directions, tags
    "[\0-\x08\x0b-\x1f\x7f\ud800-\udfff\u200b\u2060-\u2064\ufeff\u202a-\u202e\u2066-\u2069\U000e0000-\U000e0fff]"
)


@dataclass(frozen=True)
class Document:
    r"""A file as lines of text; `kind` in words for people, such as "PDF, 12 pages".

    Marks stand on lines of their own: `[page 3]` before each page of a PDF, `[sheet NAME]` before each sheet of a
    workbook, whose rows are `A2\tcell\tcell…` with the address of the first cell. `notes` say what is missing.
    """

    text: str
    kind: str
    notes: tuple[str, ...] = ()


def joined(lines: Iterable[str], notes: list[str]) -> str:
    """The lines, as many as fit into TEXT_LIMIT; what is left out is said in `notes`."""
    kept: list[str] = []
    room = TEXT_LIMIT
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            kept.append(line[: max(0, room + len(line))])
            notes.append(f"Only the first {TEXT_LIMIT:,} characters are shown.")
            break
        kept.append(line)
    return "\n".join(kept)


def ranges(numbers: Iterable[int]) -> str:
    """`1-3, 7` for ascending numbers."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in spans]
    return ", ".join([*shown[:20], *(["…"] if len(shown) > 20 else [])])


def amount(count: int, one: str) -> str:
    return f"{count:,} {one}{'' if count == 1 else 's'}"
