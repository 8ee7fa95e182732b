"""A command as it is shown: its name, every argument, and its diff."""

import json

from pydantic import JsonValue

from autoagent.terminal.layout import Line, Piece, Style, foreign, line
from autoagent.thoughts import CommandCall

ARGUMENT_ROWS, DIFF_ROWS = (8, 3), (16, 6)  # lines shown from the head and from the tail
_LONG, _HEAD, _TAIL = 700, 480, 160  # characters of one line
_FIRST = ("path", "command", "url", "query", "question", "source", "code", "id")


def call_lines(call: CommandCall, *, preview: str = "", full: bool = False) -> list[Line]:
    """`  run_shell  git status`; further arguments one a line, each with its name; nothing runs off the screen.

    A long one is shown by its first and last lines and the count of those between, unless `full`; beside its diff
    by the count alone.
    """
    keep = None if full else ARGUMENT_ROWS
    args = {name: value for name, value in call.args.items() if value is not None}
    main = next((name for name in _FIRST if isinstance(args.get(name), str)), "")
    value = args.get(main)
    if not isinstance(value, str) or "\n" in value or not value.strip():
        main = ""
    name = Piece(call.name, "bold")
    drawn = [line(name, *(("  ", _clipped(str(args.pop(main)), full=full)) if main else ()), first=2, rest=9)]
    for key, value in args.items():
        drawn += _argument(key, value, keep)[: 1 if preview and not full else None]
    return drawn


def diff_lines(diff: str, *, full: bool = False) -> list[Line]:
    """A diff, `+` green and `-` red, or the head and the tail of a long one."""
    shown = _head_and_tail(diff.rstrip("\n").split("\n"), None if full else DIFF_ROWS)
    return [line(Piece(_clipped(text, full=full), _diff_style(text)), first=4, rest=6) for text in shown]


def _argument(key: str, value: JsonValue, keep: tuple[int, int] | None) -> list[Line]:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    parts = text.rstrip("\n").split("\n") if text.strip() else [json.dumps(text, ensure_ascii=False)]
    label = Piece(f"{key}  ", "dim")
    full = keep is None
    if len(parts) == 1:
        return [line(label, _clipped(parts[0], full=full), first=4, rest=6)]
    amount = Piece(f"{len(parts):,} lines, {len(text):,} characters", "dim")
    shown = "\n".join(_clipped(part, full=full) for part in _head_and_tail(parts, keep))
    return [line(label, amount, first=4), *foreign(shown, indent=6)]


def _head_and_tail(parts: list[str], keep: tuple[int, int] | None) -> list[str]:
    if keep is None or len(parts) <= sum(keep) + 1:
        return parts
    head, tail = keep
    between = f"[… {len(parts) - head - tail:,} more lines, {len(parts):,} in all …]"
    return [*parts[:head], between, *parts[len(parts) - tail :]]


def _clipped(text: str, *, full: bool) -> str:
    if full or len(text) <= _LONG:
        return text
    return f"{text[:_HEAD]} [… {len(text) - _HEAD - _TAIL:,} more characters …] {text[-_TAIL:]}"


def _diff_style(text: str) -> Style:
    if text.startswith(("+++", "---", "@@", "[…")):
        return "dim"
    return "good" if text.startswith("+") else "bad" if text.startswith("-") else ""
