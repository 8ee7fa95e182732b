"""Server-sent events out of bytes, cut anywhere: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import re

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class EventStream:
    """Feed it the bytes as they come; it gives the data of each event that is complete.

    Comments, other fields and events without data give nothing. Its work grows with the bytes, however they are cut.
    """

    def __init__(self) -> None:
        self._line: list[bytes] = []  # the parts of the line under way
        self._data: list[bytes] = []  # the data lines of the event under way
        self._first = True
        self._after_cr = False  # a LF that comes now belongs to the line end before

    def feed(self, part: bytes) -> list[str]:
        if not part:
            return []
        if self._after_cr and part.startswith(b"\n"):
            part = part[1:]
        self._after_cr = part.endswith(b"\r")
        *ended, rest = _LINE_END.split(part)
        events: list[str] = []
        for line in ended:
            self._line.append(line)
            events += self._end_line()
        if rest:
            self._line.append(rest)
        return events

    def end(self) -> list[str]:
        """What stood there without the blank line that ends an event, when no more bytes come."""
        events = self._end_line()
        return events + self._end_line()

    def _end_line(self) -> list[str]:
        line = b"".join(self._line)
        self._line.clear()
        if self._first:
            self._first, line = False, line.removeprefix(_BOM)
        if line:
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
            return []
        if not self._data:
            return []
        data, self._data = b"\n".join(self._data), []
        return [data.decode("utf-8", "replace")]
