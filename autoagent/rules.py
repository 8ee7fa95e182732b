"""A person's rules about what is asked: their grammar, what each covers, which are offered. Pure.

A rule is text: `shell:git status`, `host:example.org`, `write:docs/**`, the NAME of a command, `NAME:ARG=GLOB`, or
`exact:NAME {…}` for one command word for word.
"""

import difflib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from autoagent import shell

Action = Literal["allow", "ask", "deny"]
Scope = Literal["run", "workspace", "all"]
SCOPES: dict[Scope, str] = {"run": "this run", "workspace": "this workspace", "all": "all runs"}  # for people

LONGEST = 4_000  # characters of a rule that is offered
_HOST = re.compile(r"(\*\.)?[\w-]+(\.[\w-]+)*\.?|[0-9a-f]*:[0-9a-f:.]*:[0-9a-f.]*")
_NAME = re.compile(r"[^\s:={}\"'\\*-][^\s:={}\"'\\*]*")
_SHELL_WORD = re.compile(r"[\w@%+=:,./-]+")
_RUN_ANYTHING = ("run_shell", "run_python")  # by name they are what an interpreter is among programs


class Rule(BaseModel):
    """One line of a person's: what it covers and what happens then."""

    model_config = ConfigDict(frozen=True)

    action: Action
    text: str
    scope: Scope = "run"


@dataclass(frozen=True)
class Asked:
    """A call as rules see it. `writes`: the names of each path that is written, as it is given and last its real one.

    `lines` are the shell lines among its arguments.
    """

    name: str
    args: Mapping[str, Any]
    effect: str
    hosts: tuple[str, ...] = ()
    writes: tuple[Sequence[str], ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What the rules say of a call, and the rule that said it: of several that allow its parts, the first part's."""

    action: Action
    rule: Rule


def check(text: str) -> str:
    """A rule as a person gave it, in the form in which it is kept. Raises ValueError with what is allowed."""
    kind, colon, rest = text.strip().partition(":")
    head = text.strip()[:6].lower()
    if head == "exact:":
        found = _checked_exact(rest)
    elif head == "shell:":
        found = _checked_words(rest)
    elif head == "write:":
        found = _checked_path(rest)
    elif kind.lower() == "host":
        name = rest.lower().strip().removeprefix("[").removesuffix("]") if colon else ""
        found = f"host:{name.rstrip('.')}" if _HOST.fullmatch(name) else ""
    elif not _NAME.fullmatch(kind):
        found = ""
    else:
        argument, equals, _ = rest.partition("=")
        found = text.strip() if not colon or (equals and argument.isidentifier() and rest.isprintable()) else ""
    if not found:
        raise ValueError(
            f"{text!r} is no rule. It looks like shell:git status, host:example.org or host:*.example.org, without a "
            "port, write:docs/**, the name of a command, or NAME:ARG=PATTERN"
        )
    return found


def named(text: str) -> str:
    """The command that a rule names; "" where it names a host, a path or a program."""
    kind, colon, rest = text.partition(":")
    if kind == "exact" and colon:
        return rest.partition(" ")[0]
    return "" if colon and kind in ("shell", "write", "host") else kind


def check_named(text: str, known: Mapping[str, Collection[str]]) -> None:
    """Raises ValueError where a rule names a command, or an argument of one, that is not `known`: it would never hold.

    `known` gives the arguments of each command.
    """
    name = named(text)
    if not name:
        return
    if name not in known:
        plugin = "A plugin's command is known once its plugin is enabled, by the setting `plugins`"
        raise ValueError(f"there is no command {name!r}.{_near(name, known)} See: autoagent commands. {plugin}")
    argument = text.removeprefix(f"{name}:").partition("=")[0] if text.startswith(f"{name}:") else ""
    if argument and argument not in known[name]:
        takes = f"It takes {', '.join(known[name])}" if known[name] else "It takes none"
        raise ValueError(f"{name} has no argument {argument!r}.{_near(argument, known[name])} {takes}")


def in_words(text: str) -> str:
    """A rule in words for a person, without its action."""
    kind, colon, pattern = text.partition(":")
    if not colon:
        return f"every {kind}"
    match kind:
        case "exact":
            return "this command, word for word"
        case "shell":
            return pattern
        case "host":
            return f"requests to {pattern}"
        case "write" if pattern == "**":
            return "any write in the workspace"
        case "write":
            return f"writes in {pattern[:-3]}/" if pattern.endswith("/**") else f"writes to {pattern}"
        case _:
            argument, _, glob = pattern.partition("=")
            return f"{kind} where {argument} is {glob}"


def judge(rules: Sequence[Rule], asked: Asked) -> Verdict | None:
    """What a person's rules say of a call; None where they say nothing.

    Each of its parts (a host, a written path, a simple command of a line) is looked at alone. A denial of any part, in
    any scope, wins. Else the first rule that covers a part, in the order run, workspace, all, decides for that part:
    the call is allowed where each part is, and asked where one is.
    """
    ordered = sorted(rules, key=lambda rule: get_args(Scope).index(rule.scope))
    found = [*_parts(asked)]
    for rule in ordered:
        if rule.action == "deny" and any(_touches(rule.text, part, asked) for part in found):
            return Verdict("deny", rule)
    decided = [next((rule for rule in ordered if _decides(rule, part, asked)), None) for part in found]
    for rule in decided:
        if rule and rule.action == "ask":
            return Verdict("ask", rule)
    first = decided[0]
    return Verdict("allow", first) if first and all(decided) else None


def offered(asked: Asked) -> tuple[tuple[str, ...], ...]:
    """What "always" offers for a call, the narrowest first: each offer is one or more rules that together cover it."""
    if asked.lines:
        return _offered_for_lines(asked)
    hosts = tuple(f"host:{host}" for host in dict.fromkeys(asked.hosts))
    if asked.effect in _FETCHES and (hosts or asked.writes):
        return _usable([(*hosts, *paths) for paths in _offered_paths(asked)])
    if asked.effect == "executes":
        return _usable([(exact(asked),)])
    return () if asked.name in _RUN_ANYTHING else _usable([(asked.name,)])


def exact(asked: Asked) -> str:
    """The rule for this call alone, word for word."""
    return f"exact:{asked.name} {_canonical(dict(asked.args))}"


# Grammar


def _near(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(name.lower(), names, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _checked_words(text: str) -> str:
    words = text.split()
    if len(words) > 1 and words[-1] == "*":
        words.pop()
    return f"shell:{' '.join(words)}" if words and all(map(_SHELL_WORD.fullmatch, words)) else ""


def _checked_path(text: str) -> str:
    path = text.strip()
    steps = path.split("/")
    if not path or path.startswith(("/", "~")) or ".." in steps or not path.isprintable():
        return ""
    folder, everything = (path[:-2], "**") if path == "**" or path.endswith("/**") else (path, "")
    if "*" in folder or (folder.endswith("/") and not everything):
        return ""
    name = str(PurePosixPath(folder)) if folder else ""
    if name in ("", "."):
        return f"write:{everything}" if everything else ""
    return f"write:{name}/{everything}" if everything else f"write:{name}"


def _checked_exact(text: str) -> str:
    name, _, args = text.strip().partition(" ")
    try:
        found = json.loads(args)
    except (ValueError, RecursionError):
        return ""
    return f"exact:{name} {_canonical(found)}" if _NAME.fullmatch(name) and args.startswith("{") else ""


def _canonical(value: Any) -> str:
    return json.dumps(value, default=_plain, sort_keys=True, separators=(",", ":"))  # in ASCII: no letter hides another


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


# What a rule covers

_FETCHES = ("reads", "writes")  # effects of commands whose requests send nothing but an address


@dataclass(frozen=True)
class _Part:
    """One thing that a call touches; `words` is None for a shell line that can't be read. Empty: the call as such."""

    host: str = ""
    names: Sequence[str] = ()
    line: str = ""
    words: shell.Words | None = None


def _parts(asked: Asked) -> Iterator[_Part]:
    yield from (_Part(host=host) for host in asked.hosts)
    yield from (_Part(names=names) for names in asked.writes)
    for line in asked.lines:
        found = shell.parts(line)
        if found is None:
            yield _Part(line=line)
        else:
            yield from (_Part(line=line, words=words) for words in found)
    if not (asked.hosts or asked.writes or asked.lines):
        yield _Part()


def _decides(rule: Rule, part: _Part, asked: Asked) -> bool:
    match rule.action:
        case "allow":
            return _allows(rule.text, part, asked)
        case "ask":
            return _touches(rule.text, part, asked)
        case "deny":
            return False


def _allows(text: str, part: _Part, asked: Asked) -> bool:
    """Whether the rule covers all of the part."""
    kind, _, pattern = text.partition(":")
    match kind:
        case "host":
            return bool(part.host) and asked.effect in _FETCHES and _is_host(pattern, part.host)
        case "write":
            named = part.names[-1] if part.names else ""
            is_folder = asked.name == "make_folder" and f"{named}/**" == pattern
            return bool(named) and asked.effect == "writes" and (is_folder or _is_path(pattern, named))
        case "shell":
            return part.words is not None and _starts_with(part.words, tuple(pattern.split()))
        case _:  # a pattern is no way to tell what a line runs
            return _is_call(text, asked) and (":" not in text or kind == "exact" or not asked.lines)


def _touches(text: str, part: _Part, asked: Asked) -> bool:
    """Whether anything of the part may be what the rule names: for rules that hold back."""
    kind, _, pattern = text.partition(":")
    match kind:
        case "host":
            return bool(part.host) and _is_host(pattern, part.host)
        case "write":
            return any(_is_path(pattern, name) for name in part.names)
        case "shell" if part.words is not None:
            return shell.may_run(part.words, tuple(pattern.split()))
        case "shell":
            return bool(part.line) and shell.may_mention(part.line, tuple(pattern.split()))
        case _:
            return _is_call(text, asked)


def _is_host(pattern: str, host: str) -> bool:
    return host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def _is_path(pattern: str, name: str) -> bool:
    if pattern == "**" or pattern.endswith("/**"):
        return name.startswith(pattern[:-2])
    return name == pattern


def _starts_with(words: shell.Words, rule: shell.Words) -> bool:
    """At word boundaries. What follows the rule's own words must stay in the workspace."""
    rest = words[len(rule) :]
    return bool(rule) and words[: len(rule)] == rule and shell.is_plain(words) and not any(map(shell.leads_out, rest))


def _is_call(text: str, asked: Asked) -> bool:
    name, colon, pattern = text.partition(":")
    if not colon:
        return name == asked.name
    if name == "exact":
        return text == exact(asked)
    argument, _, glob = pattern.partition("=")
    if name != asked.name or argument not in asked.args:
        return False
    value = asked.args[argument]
    return fnmatchcase(value if isinstance(value, str) else _canonical(value), glob)


# What is offered


def _offered_paths(asked: Asked) -> Iterator[tuple[str, ...]]:
    """The files, their folders, the whole workspace."""
    real = [names[-1] for names in asked.writes]
    if not real:
        yield ()
        return
    yield tuple(dict.fromkeys(f"write:{path}" for path in real))
    folders = [str(PurePosixPath(path).parent) for path in real]
    if "." not in folders:
        yield tuple(dict.fromkeys(f"write:{folder}/**" for folder in folders))
    yield ("write:**",)


def _offered_for_lines(asked: Asked) -> tuple[tuple[str, ...], ...]:
    """A rule for each part, together, where each has one; then the command word for word."""
    if any(map(shell.is_never_offered, asked.lines)):
        return ()
    found: list[str | None] = []
    for line in asked.lines:
        found += [shell.offered(words) for words in shell.parts(line) or ()] or [None]
    together = tuple(dict.fromkeys(f"shell:{words}" for words in found if words))
    return _usable([together if None not in found else (), (exact(asked),)])


def _usable(offers: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Those that can be kept as they are: what a person is offered must hold afterwards."""
    return tuple(offer for offer in offers if offer and all(map(_is_kept_as_it_is, offer)))


def _is_kept_as_it_is(text: str) -> bool:
    try:
        return len(text) <= LONGEST and check(text) == text
    except ValueError:
        return False
