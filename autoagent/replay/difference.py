"""The first place where a replay and its record differ, in words and lines for a person. Pure."""

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from autoagent.events import Event

MAY_DIFFER = {"seq", "at", "seconds"}  # where and when it happened, and how long it took
CONTEXT, LONGEST = 1, 24  # lines
_SHORT = 60  # characters of a value that needs no lines of its own
_ABSENT = "(nothing)"


@dataclass(frozen=True)
class Difference:
    """`event` is the type of the recorded one, `field` "" where it is another event altogether."""

    step: int
    seq: int
    event: str
    field: str
    recorded: str
    now: str
    note: str = ""

    def lines(self) -> list[str]:
        """What is different: short values side by side, texts as the lines that differ."""
        if max(len(self.recorded), len(self.now)) <= _SHORT and "\n" not in self.recorded + self.now:
            return [f"- {self.recorded}", f"+ {self.now}"]
        found = difflib.unified_diff(self.recorded.split("\n"), self.now.split("\n"), n=CONTEXT, lineterm="")
        shown = [text for text in found if not text.startswith(("---", "+++"))]
        left_out = len(shown) - LONGEST
        return shown[:LONGEST] + ([f"… {left_out} more lines"] if left_out > 0 else [])


def difference_of(step: int, recorded: Event, now: Event) -> Difference | None:
    """What is not the same in two events; None where only that differs which may."""
    if recorded.type != now.type:
        return Difference(step, recorded.seq, recorded.type, "", _told(recorded), _told(now))
    before, after = _fields(recorded), _fields(now)
    for name in dict.fromkeys((*after, *before)):
        if name not in MAY_DIFFER and before.get(name) != after.get(name):
            field, one, other = _deepest(name, before.get(name), after.get(name))
            return Difference(step, recorded.seq, recorded.type, field, _text(one), _text(other))
    return None


def _fields(event: Event) -> dict[str, Any]:
    fields = event.model_dump(mode="json")
    if "wait_s" in fields and fields["wait_s"] is not None:
        fields["wait_s"] = "a while"  # chance is in it
    return fields


def _deepest(name: str, recorded: Any, now: Any) -> tuple[str, Any, Any]:
    """The innermost value that differs, with its path."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        one, other = cast(Mapping[str, Any], recorded), cast(Mapping[str, Any], now)
        for key in dict.fromkeys((*one, *other)):
            if one.get(key) != other.get(key):
                return _deepest(f"{name}.{key}", one.get(key), other.get(key))
    if isinstance(recorded, list) and isinstance(now, list):
        pairs = zip(cast(list[Any], recorded), cast(list[Any], now), strict=False)
        for at, (first, second) in enumerate(pairs, 1):
            if first != second:
                return _deepest(f"{name}.{at}", first, second)
    return name, cast(Any, recorded), cast(Any, now)


def _text(value: Any) -> str:
    if value is None:
        return _ABSENT
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


def _told(event: Event) -> str:
    """An event in a line: its type and what tells it from others of that type."""
    parts = [part for part in _facts(event) if part]
    return " ".join([event.type, *parts])


def _facts(event: Event) -> Iterator[str]:
    for name in ("purpose", "status", "call_id", "reason", "problem"):
        yield str(getattr(event, name, ""))
