"""Standard output as commands write it: lines of a page, tables, JSON, bytes."""

import io
import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from autoagent.terminal.inert import inert, json_escaped
from autoagent.terminal.layout import Line, cells, cut, line
from autoagent.terminal.look import Look, choose_look

NO_LIMIT = 1 << 20  # columns of what is no terminal: nothing is cut or wrapped
_PADDED = 60  # columns to which the flexible one is padded where nothing is cut


class Page(Look):
    """Standard output as a page: lines wrapped to the terminal's width, whole where it goes elsewhere."""

    def __init__(self) -> None:
        super().__init__(io.StringIO(), rich=False, encoding=choose_look(sys.stdout, os.environ, plain=True).encoding)
        told = os.environ.get("COLUMNS", "")
        self._width = NO_LIMIT
        if told.isdecimal() and int(told):
            self._width = max(30, int(told))
        elif sys.stdout.isatty():
            self._width = max(30, os.get_terminal_size(sys.stdout.fileno()).columns or 80)

    @property
    def columns(self) -> int:
        return self._width

    def print(self, *lines: Line | str) -> None:
        """A string is inert and fits already. Raises OSError where standard output can't take it."""
        for one in lines:
            if isinstance(one, str) and self.encoding == "utf-8":
                self.stream.write(f"{one}\n")
            else:
                self.write(one if isinstance(one, Line) else line(one))
        text = self.stream.getvalue()
        self.stream = io.StringIO()
        sys.stdout.write(text)
        sys.stdout.flush()


def print_json(value: Any) -> None:
    """One JSON value; on a terminal what it would obey is escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    text = json_escaped(text) if sys.stdout.isatty() else text
    print_bytes(text.encode("utf-8", "backslashreplace") + b"\n")


def print_bytes(content: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def table(
    rows: Sequence[Sequence[str]], columns: int, *, right: Iterable[int], flexible: int, gap: int = 2
) -> list[str]:
    """Rows of cells as inert lines; the `flexible` column is cut to what the others leave of `columns`."""
    right = set(right)
    rows = [[inert(text, newlines=False).expandtabs(4) for text in row] for row in rows]
    widths = [max(map(_cells, column)) for column in zip(*rows, strict=True)]
    others = sum(widths) - widths[flexible] + gap * (len(widths) - 1)
    most = _PADDED if columns == NO_LIMIT else max(8, columns - others)
    widths[flexible] = min(widths[flexible], most)
    lines: list[str] = []
    for row in rows:
        made: list[str] = []
        for i, (text, width) in enumerate(zip(row, widths, strict=True)):
            text = cut(text, width) if _cells(text) > width and columns != NO_LIMIT else text
            fill = " " * max(0, width - _cells(text))
            made.append(fill + text if i in right else text + fill)
        lines.append((" " * gap).join(made).rstrip())
    return lines


def age(seconds: float) -> str:
    """How long ago, roughly: 40 s, 4 min, 3 h, 12 d."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def when(at: str) -> datetime:
    """A moment of the journal by the person's clock."""
    return datetime.fromisoformat(at).astimezone()


def _cells(text: str) -> int:
    return len(text) if text.isascii() else cells(text)
