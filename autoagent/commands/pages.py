"""A part of a long text by its lines, as much as an observation may hold."""

from autoagent.env import Env, Excerpt
from autoagent.errors import CommandError

LINES = 200  # shown unless told
LINE_CHARS = 2_000  # of one line that are shown
KEPT_CHARS = 1 << 20  # of the lines asked for that do not fit and are kept


def page(name: str, text: str, offset: int, limit: int, env: Env, note: str, *, numbered: bool = True) -> Excerpt:
    """Lines from `offset`, as many as fit into the share, each behind its number and a tab where `numbered`.

    Its `whole` has all the lines that were asked for.
    """
    if offset < 1 or limit < 1:
        raise CommandError("offset and limit count lines from 1.")
    if not text:
        return Excerpt(f"{name} is empty{note}.", "")
    lines = text.split("\n")
    if lines[-1] == "" and len(lines) > 1:
        lines.pop()
    if offset > len(lines):
        raise CommandError(f"{name} has {len(lines):,} lines; line {offset:,} is beyond its end.")
    asked = [
        _cut(line, number if numbered else None)
        for number, line in enumerate(lines[offset - 1 : offset - 1 + limit], offset)
    ]
    room = env.share_tokens - 60  # for the head and the last line
    fits = 0
    for line in asked:
        room -= len(line) // 3 + 1 if room > env.share_tokens // 2 else env.count(line) + 1
        if room < 0 and fits:
            break
        fits += 1
    shown = fitting(asked[:fits], env)

    def page(of: list[str]) -> str:
        last = offset + len(of) - 1
        more = f"\n[… more: offset={last + 1}]" if last < len(lines) else ""
        return f"{name}, lines {offset}-{last} of {len(lines)}{note}\n" + "\n".join(of) + more

    keeps = len(asked) > len(shown) and sum(map(len, asked)) <= KEPT_CHARS
    return Excerpt(page(shown), page(asked) if keeps else "")


def _cut(line: str, number: int | None) -> str:
    """A line as it is shown: behind its number, where it has one, and not beyond what a screenful holds."""
    prefix = "" if number is None else f"{number}\t"
    cut = f" [… {len(line) - LINE_CHARS:,} more characters in this line]" if len(line) > LINE_CHARS else ""
    return f"{prefix}{line[:LINE_CHARS]}{cut}"


def fitting(lines: list[str], env: Env) -> list[str]:
    """The first lines that fit into the share together; at least one."""
    while len(lines) > 1 and env.count("\n".join(lines)) > env.share_tokens - 60:
        lines = lines[: max(1, len(lines) * 4 // 5)]
    return lines
