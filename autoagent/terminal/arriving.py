"""A reply while it arrives: what a person can read of JSON that is not whole yet."""

import re
from collections.abc import Callable
from typing import Literal

from autoagent.masking import Mask
from autoagent.terminal.inert import inert
from autoagent.terminal.layout import cells

KEPT_CHARS = 1_200  # of the newest text; more than any terminal is wide
BETWEEN = " · "
BYTES_A_TOKEN = 4  # roughly, in English as in Korean
_PART_FOR_A_WORD = 6  # of the width may go so that a cut text starts with a whole word
_MARKS = re.compile(r"[{}\[\]\"',:]")
_ENDS = {'"': re.compile(r'["\\]'), "'": re.compile(r"['\\]")}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_LOST = "\ufffd"  # half a surrogate pair


class Arriving:
    """The readable part of a reply so far: of a JSON object its texts in the order in which they are written.

    What is no JSON, such as a summary, is readable as it is. A new part is looked at once, whatever came before.
    """

    def __init__(self, *, prose: bool = False):
        self._prose = prose
        self._bytes = 0
        self._text = ""
        self._where: Literal["outside", "object", "string"] = "outside"
        self._open: list[str] = []  # brackets
        self._quote = ""
        self._is_key = False
        self._escape = ""  # one that is not whole yet
        self._high = 0  # the first half of a surrogate pair

    @property
    def tokens(self) -> int:
        """About as many as came so far."""
        return -(-self._bytes // BYTES_A_TOKEN)

    def add(self, part: str) -> None:
        self._bytes += len(part.encode("utf-8", "surrogatepass"))
        at = 0
        while at < len(part):
            match self._where:
                case "outside":
                    at = self._read_outside(part, at)
                case "object":
                    at = self._read_object(part, at)
                case "string" if self._escape:
                    at = self._read_escape(part, at)
                case "string":
                    at = self._read_string(part, at)

    def tail(self, width: int, mask: Callable[[str], str] = str) -> str:
        """The newest text, inert, on one line of at most `width` cells; "" where there is nothing to read yet.

        Secrets go before it is cut, and what may become one waits until it is whole.
        """
        text = mask(self._text.removesuffix(BETWEEN))
        text = " ".join((mask.finished(text) if isinstance(mask, Mask) else text).split())
        text = inert(text, newlines=False)
        if not text or cells(text) < width:
            return text and f"{text}…"
        start = max(0, len(text) - width)
        while (over := cells(text[start:]) - (width - 1)) > 0:
            start += max(1, over // 2)
        while start < len(text) and not cells(text[start]):
            start += 1  # a mark that belongs to what is cut off
        space = text.find(" ", start, start + width // _PART_FOR_A_WORD)
        return f"…{text[space + 1 if space >= 0 else start :]}"

    def _read_outside(self, part: str, at: int) -> int:
        start = -1 if self._prose else part.find("{", at)
        if start < 0:
            self._show(part[at:])
            return len(part)
        self._text = ""  # a fence, or words before the thought
        self._open, self._is_key, self._where = ["{"], True, "object"
        return start + 1

    def _read_object(self, part: str, at: int) -> int:
        found = _MARKS.search(part, at)
        if found is None:
            return len(part)
        match mark := found[0]:
            case "{" | "[":
                self._open.append(mark)
                self._is_key = mark == "{"
            case "}" | "]":
                self._open.pop()
                self._where = "object" if self._open else "outside"
            case ":":
                self._is_key = False
            case ",":
                self._is_key = self._open[-1] == "{"
            case _:
                self._quote, self._where = mark, "string"
                if not self._is_key and self._text and not self._text.endswith(BETWEEN):
                    self._show(BETWEEN)
        return found.end()

    def _read_string(self, part: str, at: int) -> int:
        found = _ENDS[self._quote].search(part, at)
        end = found.start() if found else len(part)
        if end > at:
            self._show(part[at:end])
        if found is None:
            return len(part)
        if found[0] == "\\":
            self._escape = "\\"
        else:
            self._show("")
            self._where = "object"
        return found.end()

    def _read_escape(self, part: str, at: int) -> int:
        self._escape += part[at]
        kind = self._escape[1]
        if kind == "u" and len(self._escape) < 6:
            return at + 1
        escape, self._escape = self._escape, ""
        if kind == "u":
            self._show_unit(escape[2:])
        else:
            self._show(_ESCAPES.get(kind, kind))
        return at + 1

    def _show_unit(self, digits: str) -> None:
        """A UTF-16 unit as JSON spells it."""
        try:
            unit = int(digits, 16)
        except ValueError:
            return self._show(_LOST)
        if 0xDC00 <= unit <= 0xDFFF and self._high:
            high, self._high = self._high, 0
            return self._show(chr(0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00)))
        if 0xD800 <= unit <= 0xDBFF:
            self._show("")
            self._high = unit
            return None
        return self._show(_LOST if 0xDC00 <= unit <= 0xDFFF else chr(unit))

    def _show(self, text: str) -> None:
        if self._high:
            self._high, text = 0, _LOST + text
        if self._where == "string" and self._is_key:
            return
        self._text += text[-KEPT_CHARS:]
        if len(self._text) > 2 * KEPT_CHARS:
            self._text = self._text[-KEPT_CHARS:]
