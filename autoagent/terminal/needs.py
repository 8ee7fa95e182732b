"""What a plan needs as the rules that one yes of a person's keeps, and what is asked each time all the same. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from autoagent import rules, shell
from autoagent.criteria import Draft, is_read_by, read_by_checks
from autoagent.policy import is_secret, is_trusted_file
from autoagent.taint import host_of
from autoagent.terminal.layout import Line, Piece, line

MOST_RULES = 12  # of each kind: a list that nobody reads is no yes
WORKSPACE = "the whole workspace"
_HEADS = {"host": "requests to ", "shell": "programs ", "write": "writes in "}


@dataclass(frozen=True)
class Envelope:
    """`rules` are what one yes covers; `asked` are needs that no rule may cover, as the model names them.

    The whole workspace, which it names ".", is told in words.
    """

    rules: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


def envelope(draft: Draft, protect: Sequence[str] = ()) -> Envelope:
    """Never a rule for what is never offered in a question: bare interpreters, `rm`, `sudo`, files that others obey.

    Nor for a folder of files that a check reads: `protect` are a person's patterns of such.
    """
    needs, read = draft.needs, read_by_checks(draft.criteria, protect)
    kept, asked = list[str](), list[str]()
    kinds: tuple[tuple[Sequence[str], Callable[[str], str], Callable[[str], str]], ...] = (
        (needs.hosts, _host_rule, str),
        (needs.programs, _program_rule, str),
        (needs.folders, lambda folder: _write_rule(folder, read), _folder_words),
    )
    for names, rule_for, named in kinds:
        found = list[str]()
        for name in filter(None, map(str.strip, names)):
            rule = rule_for(name)
            kept_too = rule and (rule in found or len(found) < MOST_RULES)
            (found if kept_too else asked).append(rule if kept_too else named(name))
        kept += dict.fromkeys(found)
    return Envelope(tuple(kept), tuple(dict.fromkeys(asked)))


def envelope_lines(found: Envelope) -> list[Line]:
    """`requests to example.org`, one line for each kind; then what is asked each time."""
    lines: list[Line] = []
    for kind, head in _HEADS.items():
        words = [_words(rule) for rule in found.rules if rule.startswith(f"{kind}:")]
        if words:
            lines.append(line(head, ", ".join(words), first=4, rest=6))
    if found.asked:
        more = f" and {len(found.asked) - MOST_RULES} more" if len(found.asked) > MOST_RULES else ""
        told = ", ".join(found.asked[:MOST_RULES]) + more
        lines.append(line(Piece("asked each time: ", "dim"), Piece(told, "dim"), first=4, rest=6))
    return lines


def _words(rule: str) -> str:
    """A host in letters that pass for others also as it is looked up."""
    kind, _, pattern = rule.partition(":")
    match kind:
        case "host" if not pattern.isascii():
            return f"{pattern} ({_looked_up(pattern)})"
        case "write" if pattern == "**":
            return WORKSPACE
        case "write":
            return pattern.removesuffix("**")
        case _:
            return pattern


def _looked_up(host: str) -> str:
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return "in other letters than it seems"


def _host_rule(name: str) -> str:
    host = host_of(name if "://" in name else f"//{name}")
    if host.startswith("*.") and host.count(".") < 2:
        return ""  # a whole top level
    return _checked(f"host:{host}")


def _program_rule(name: str) -> str:
    parts = shell.parts(name)
    words = shell.offered(parts[0]) if parts and len(parts) == 1 else None
    return _checked(f"shell:{words}") if words else ""


def _write_rule(name: str, read: Sequence[str]) -> str:
    """For a folder and all in it; for one file where the name looks like one. Nothing that a check reads."""
    path = name.rstrip("*").rstrip("/") or "."
    rule = _checked(f"write:{path}" if _is_file(name) else f"write:{path}/**")
    place = rule.removeprefix("write:").removesuffix("**").rstrip("/")
    obeyed = any(is_trusted_file(one) or is_secret(one) for one in _within(place))
    everything = not place and bool(read)
    return "" if obeyed or everything or any(is_read_by(read, one) for one in _within(place)) else rule


def _folder_words(name: str) -> str:
    return f"{_HEADS['write']}{WORKSPACE}" if name.rstrip("*/") in ("", ".") else name


def _is_file(name: str) -> bool:
    return bool(PurePosixPath(name).suffix) and not name.endswith(("/", "*"))


def _within(place: str) -> Iterator[str]:
    if place:
        yield place
        yield f"{place}/x"


def _checked(text: str) -> str:
    """The rule as it is kept; "" where it is none."""
    try:
        return rules.check(text) if len(text) <= rules.LONGEST else ""
    except ValueError:
        return ""
