"""A draft of criteria as plain text that a person edits, one thing a line, and read back from it. Pure."""

import json
import re

from autoagent import asked
from autoagent.criteria import MOST, Criterion, Draft, Needs
from autoagent.errors import ConfigError
from autoagent.terminal.inert import inert, json_escaped

HEAD = """\
# What has to be true at the end, one thing a line, at most 7. Lines with # do not count.
#   TEXT                       judged by a review
#   check: COMMAND             ends with exit code 0
#   expect: FILE               exists and is not empty
#   expect: FILE ~ REGEX       and its text holds this
# A check or expect that is indented belongs to the text above it.
#   needs host NAME, needs program NAME, needs folder NAME: not asked again
"""
_KEYED = re.compile(r"(check|expect|text):\s*(.*)", re.IGNORECASE)
_NEED = re.compile(r"needs\s+(host|program|folder)s?:?\s+(\S.*)", re.IGNORECASE)
_KINDS = {"host": "hosts", "program": "programs", "folder": "folders"}


def as_text(draft: Draft) -> str:
    """All of the draft, with what each kind of line means above it."""
    lines = [text for criterion in draft.criteria for text in lines_of(criterion)]
    needs = [
        f"needs {kind} {_on_a_line(name)}"
        for kind, field in _KINDS.items()
        for name in getattr(draft.needs, field)
        if name.strip()
    ]
    return "\n".join([HEAD.rstrip("\n"), "", *lines, *([""] if needs else []), *needs]) + "\n"


def lines_of(criterion: Criterion) -> list[str]:
    """One line, or the text and below it, indented, how it is checked."""
    how = [f"check: {_on_a_line(criterion.command)}"] if criterion.command else []
    if criterion.file:
        pattern = f" ~ {_on_a_line(criterion.pattern)}" if criterion.pattern else ""
        how.append(f"expect: {_on_a_line(criterion.file)}{pattern}")
    if how and says_no_more(criterion):
        return how
    text = inert(" ".join(criterion.text.split()))
    plain = not (text.startswith("#") or _KEYED.match(text) or _NEED.match(text))
    return [text if plain else f"text: {text}", *(f"  {one}" for one in how)]


def says_no_more(criterion: Criterion) -> bool:
    """Whether the words of a criterion are only how it is checked."""
    if criterion.command and criterion.file:
        return False
    file, pattern = criterion.file, criterion.pattern
    return criterion.text in (criterion.command, file, f"{file} is there", f"{file} holds {pattern}")


def from_text(text: str) -> Draft:
    """What a person wrote, theirs. Raises ConfigError with the line that can't be read."""
    criteria = list[Criterion]()
    needs: dict[str, list[str]] = {field: [] for field in _KINDS.values()}
    for written in text.splitlines():
        stripped = written.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if need := _NEED.fullmatch(stripped):
            needs[_KINDS[need[1].lower()]].append(_read(need[2]))
            continue
        found = _criterion(stripped)
        if written[0].isspace() and found.checkable and criteria:
            criteria[-1] = _with_check(criteria[-1], found, stripped)
        else:
            criteria.append(found)
    if not criteria:
        raise ConfigError("at least one thing has to be true at the end")
    if len(criteria) > MOST:
        raise ConfigError(f"{len(criteria)} criteria; at most {MOST} in one run")
    return Draft(criteria=tuple(criteria), needs=Needs(**{field: tuple(names) for field, names in needs.items()}))


def after_key(draft: Draft, typed: str) -> Draft | None:
    """The draft after `-2`, `- needs …` or `+ TEXT`; else None. Raises ConfigError where it can't be done."""
    if need := re.fullmatch(r"[-−–]\s*(needs\b.*)", typed, re.IGNORECASE):
        return _without_need(draft, need[1])
    if dropped := re.fullmatch(r"[-−–]\s*(\d{1,2})", typed):
        number = int(dropped[1])
        if not 0 < number <= len(draft.criteria):
            raise ConfigError(f"there is no line {number}")
        if len(draft.criteria) == 1:
            raise ConfigError("one line has to stay: it is what the end is held against")
        return draft.model_copy(update={"criteria": (*draft.criteria[: number - 1], *draft.criteria[number:])})
    if not typed.startswith("+"):
        return None
    added = from_text(typed[1:].strip()) if not _NEED.fullmatch(typed[1:].strip()) else _need(typed[1:].strip())
    if len(draft.criteria) + len(added.criteria) > MOST:
        raise ConfigError(f"at most {MOST} in one run; drop one first")
    needs = {field: (*getattr(draft.needs, field), *getattr(added.needs, field)) for field in _KINDS.values()}
    return Draft(criteria=(*draft.criteria, *added.criteria), needs=Needs(**needs))


def _without_need(draft: Draft, text: str) -> Draft:
    """By kind and name, by the name alone, or by its number in the order in which they are listed."""
    needs = [(field, name) for field in _KINDS.values() for name in getattr(draft.needs, field)]
    kind = _NEED.fullmatch(text)
    said = _read(kind[2] if kind else text[len("needs") :].strip())
    number = int(said) if said.isdecimal() and len(said) < 3 and not kind else 0
    fits = [need for need in needs if need[1] == said and (not kind or need[0] == _KINDS[kind[1].lower()])]
    dropped = needs[number - 1 : number] if number else fits
    if not dropped:
        listed = ", ".join(f"{at} {name}" for at, (_, name) in enumerate(needs, 1))
        raise ConfigError(f"the plan does not need that. It needs: {listed or 'nothing'}")
    left = {
        field: tuple(name for name in getattr(draft.needs, field) if (field, name) not in dropped)
        for field in _KINDS.values()
    }
    return Draft(criteria=draft.criteria, needs=Needs(**left))


def _need(text: str) -> Draft:
    found = _NEED.fullmatch(text)
    assert found
    return Draft(criteria=(), needs=Needs.model_validate({_KINDS[found[1].lower()]: (_read(found[2]),)}))


def _criterion(text: str) -> Criterion:
    keyed = _KEYED.fullmatch(text)
    if not keyed:
        return Criterion(text=text, by="person")
    key, rest = keyed[1].lower(), keyed[2].strip()
    if not rest:
        raise ConfigError(f"{text!r}: nothing stands behind the colon")
    if key == "text":
        return Criterion(text=rest, by="person")
    if key == "check":
        return asked.criteria((), (_read(rest),), ())[0]
    try:
        return asked.criteria((), (), (" ~ ".join(map(_read, rest.split(" ~ ", 1))),))[0]
    except ConfigError as error:
        raise ConfigError(str(error).replace("--expect ", "expect: ")) from None


def _with_check(criterion: Criterion, found: Criterion, written: str) -> Criterion:
    """The criterion, checked by this too."""
    if (found.command and criterion.command) or (found.file and criterion.file):
        raise ConfigError(f"{written!r}: the line above it has one already; give it a line of its own")
    update = {"command": found.command} if found.command else {"file": found.file, "pattern": found.pattern}
    return criterion.model_copy(update=update)


def _on_a_line(text: str) -> str:
    """As it is, or as a JSON string where a line can't hold it, or an editor would show something else."""
    if text == text.strip() and inert(text, newlines=False) == text:
        return text
    return json_escaped(json.dumps(text, ensure_ascii=False))


def _read(text: str) -> str:
    """What `_on_a_line` wrote; whatever else is in quotation marks is a person's own."""
    if not (text.startswith('"') and text.endswith('"')):
        return text
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, str) and _on_a_line(found) == text else text
