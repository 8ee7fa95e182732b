"""JSON: as it stands where it has lines, else set in lines without a change to any number or text."""

import json
import re
from collections.abc import Iterator

from autoagent.loaders.document import Document, joined

_ONE_LINE = 2_000  # characters of a line that are shown in one piece
_INDENTS = 40  # deeper ones stand no further right: the depth may be anything
_PIECE = re.compile(  # a key perhaps, then a value, or a bracket that opens or closes one, then a comma perhaps
    r'\s*(?:("(?:[^"\\]|\\.)*+")\s*:\s*)?(?:("(?:[^"\\]|\\.)*+"|[^\]\[{},:"\s]+)|([\[{])|([\]}]))\s*(,?)'
)


def read(text: str) -> Document | None:
    """None where the text is to be shown as it stands: it has lines, is short, or is no JSON."""
    stripped = text.strip()
    if len(stripped) <= _ONE_LINE or stripped[0] not in "[{" or "\n" in stripped:
        return None
    notes = ["The file is JSON on one line; these lines are not those of the file."]
    try:
        return Document(joined(_lines(stripped), notes), "JSON", tuple(notes))
    except ValueError:
        return None


def _lines(text: str) -> Iterator[str]:
    """Raises ValueError where it is no JSON, or not all of it."""
    line, opened, at, empty = "", list[str](), 0, False
    while found := _PIECE.match(text, at):
        key, value, opens, closes, comma = found.groups()
        at = found.end()
        if closes:
            if key or not opened or opened.pop() != closes:
                raise ValueError("brackets do not match")
            if empty:
                line += closes + comma
                empty = False
                continue
        if line:
            yield line
        indent = "  " * min(len(opened), _INDENTS)
        line = f"{indent}{_readable(key) + ': ' if key else ''}{opens or closes or _readable(value)}{comma}"
        if opens:
            opened.append("]" if opens == "[" else "}")
        empty = bool(opens)
    yield line
    if opened or text[at:].strip():
        raise ValueError("it ends too early, or holds something else")


def _readable(token: str) -> str:
    r"""The token with characters instead of `\uac00`, as long as it means the same."""
    if "\\u" not in token:
        return token
    shown = json.dumps(json.loads(token), ensure_ascii=False)
    return shown if shown.isprintable() else token
