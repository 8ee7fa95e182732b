"""How lines reach the terminal: rich, where the last line moves, or plain, without a single control byte."""

import contextlib
import os
import threading
from collections.abc import Callable, Mapping
from typing import TextIO

from autoagent.terminal.layout import Line, Piece, Style, cut, rows

NARROW = 64  # columns; below it the short forms are drawn
_STYLES: dict[Style, str] = {"bold": "bold", "dim": "dim", "good": "green", "warn": "yellow", "bad": "red"}
_SPINNER, _ASCII_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
_ASCII = str.maketrans(
    {
        "✓": "ok",
        "✗": "x",
        "⏸": "||",
        "●": ">",
        "○": "o",
        "·": "-",
        "─": "-",
        "→": "->",
        "…": "...",
        "×": "x",
        "—": "-",
    }
)


class Look:
    """The one place that writes to the person's terminal; whatever passes it is inert.

    `rich` allows colour and a last line that is replaced in place. A terminal that is gone does not end the run.
    `mask` takes known secrets out, before a line is wrapped or cut.
    """

    def __init__(self, stream: TextIO, *, rich: bool, encoding: str = "utf-8"):
        self.stream, self.rich, self.encoding = stream, rich, encoding
        self.mask: Callable[[str], str] = str
        self._lock = threading.RLock()
        self._live = ""

    @property
    def columns(self) -> int:
        with contextlib.suppress(OSError, ValueError):
            if found := os.get_terminal_size(self.stream.fileno()).columns:
                return max(30, found)
        return 80

    @property
    def narrow(self) -> bool:
        return self.columns < NARROW

    def write(self, *lines: Line) -> None:
        """Lines for good, above the live one."""
        columns = self.columns
        text = "".join(self._row(row) for of in lines for row in rows(self._spelled(of), columns))
        with self._lock:
            self._put(f"\r\x1b[K{text}" if self._live else text)
            self._live = ""

    def live(self, text: str) -> None:
        """Replace the last line; "" takes it away. Nothing in the plain style."""
        if not self.rich or not (text or self._live):
            return
        with self._lock:
            text = cut(self._encodable(self.mask(text)), self.columns - 1)
            self._put(f"\r{self._styled(Piece(text, 'dim'))}\x1b[K")
            self._live = text

    def bell(self) -> None:
        if self.rich:
            self._put("\a")

    def spinner(self, tick: int) -> str:
        signs = _SPINNER if self.encoding == "utf-8" else _ASCII_SPINNER
        return signs[tick % len(signs)]

    def prompt(self, text: str) -> None:
        """Our own words, without a newline, before a plain line is read."""
        self._put(self.mask(text))

    def _spelled(self, of: Line) -> Line:
        if self.encoding == "utf-8" and self.mask is str:
            return of
        pieces = tuple(Piece(self._encodable(self.mask(text)), style) for text, style in of.pieces)
        return Line(pieces, of.first, of.rest)

    def _encodable(self, text: str) -> str:
        if self.encoding == "utf-8":
            return text
        return text.translate(_ASCII).encode(self.encoding, "backslashreplace").decode(self.encoding)

    def _row(self, pieces: list[Piece]) -> str:
        return "".join(map(self._styled, pieces)).rstrip(" ") + "\n"

    def _styled(self, piece: Piece) -> str:
        if not self.rich or not piece.style:
            return piece.text
        from rich.color import ColorSystem
        from rich.style import Style as RichStyle

        return RichStyle.parse(_STYLES[piece.style]).render(piece.text, color_system=ColorSystem.STANDARD)

    def _put(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(text)
            self.stream.flush()


def choose_look(stream: TextIO, environ: Mapping[str, str], *, plain: bool = False) -> Look:
    """Rich on a terminal that can; plain for `--plain`, NO_COLOR, TERM=dumb and everything that is no terminal."""
    dumb = environ.get("TERM", "dumb") == "dumb" or bool(environ.get("NO_COLOR"))
    return Look(stream, rich=not plain and not dumb and stream.isatty(), encoding=_encoding(stream, environ))


def _encoding(stream: TextIO, environ: Mapping[str, str]) -> str:
    """ASCII where the locale says C in so many words: Python itself would write UTF-8 even then."""
    encoding = (stream.encoding or "ascii").lower()
    if encoding.replace("-", "") != "utf8" or environ.get("PYTHONIOENCODING") or environ.get("PYTHONUTF8") == "1":
        return "utf-8" if encoding.replace("-", "") == "utf8" else encoding
    language, kind = environ.get("LANG", ""), environ.get("LC_CTYPE", "")
    coerced = kind in ("C.UTF-8", "C.utf8", "UTF-8") and language in ("C", "POSIX")  # by Python, PEP 538
    locale = environ.get("LC_ALL") or ("" if coerced else kind) or language
    return "ascii" if locale in ("C", "POSIX") else "utf-8"
