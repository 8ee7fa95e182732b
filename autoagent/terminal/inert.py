"""Foreign text made harmless: what a terminal would obey, or a reader could not see, is shown escaped."""

import re

_EMOJI = "\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SELECTABLE = f"0-9#*\u00a9\u00ae\u2000-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff{_IDEOGRAPHS}"
_MISPLACED = re.compile(
    f"(?<![{_EMOJI}\ufe0f])\u200d|\u200d(?![{_EMOJI}])"  # joins no emoji
    f"|(?<![{_SELECTABLE}])[\ufe00-\ufe0f]|(?<![{_IDEOGRAPHS}])[\U000e0100-\U000e01ef]"  # selects no form
)
_BLANKS = "\u00a0\u202f\u3000"  # of ordinary typography; all other unusual spaces are shown
_INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"  # letters and marks to Unicode


def inert(text: str, *, newlines: bool = True) -> str:
    """`text` with only printable characters, tabs and newlines; the rest escaped as `\\x1b`, `\\r` or `\\u{202e}`.

    Emoji sequences keep their joiners and selectors. With `newlines` False a newline is shown as `\\n` too.
    """
    if not text.isascii():
        text = _MISPLACED.sub(lambda found: _escape(found[0]), text)
    text = text.translate(_SHOWN)
    return text if newlines else text.replace("\n", "\\n")


class _Shown(dict[int, str]):
    """A translation table that is filled as characters are met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        shown = char if _passes(char) else _escape(char)
        self[code] = shown
        return shown


_SHOWN = _Shown()


def _passes(char: str) -> bool:
    if char in _INVISIBLE:
        return False
    emoji_of_tomorrow = "\U0001f000" <= char <= "\U0001faff"
    return char.isprintable() or char in "\n\t" or char in _BLANKS or char == "\u200d" or emoji_of_tomorrow


def _escape(char: str) -> str:
    code = ord(char)
    if char == "\r":
        return "\\r"
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:x}}}"


def json_escaped(text: str) -> str:
    """JSON text with the characters that `inert` would show as JSON escapes, so that it can be edited and read back."""
    return "".join(char if char == "\n" or inert(char) == char else _json_escape(char) for char in text)


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
