"""Acceptance criteria: what has to be true at the end of a run, how it is checked, and what came of it."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict

MOST = 7  # of a run
STATES = {"met": "✓", "unmet": "✗", "unclear": "!", "person": "?"}  # for people; what was not looked at yet has none


class Criterion(BaseModel):
    """One thing that has to be true. With none of `command`, `file` it is judged; else the runtime checks it.

    `command` is a shell line that ends with exit code 0 in the sandbox. `file` exists and is not empty; with `pattern`,
    a regular expression, its text also holds that.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    command: str = ""
    file: str = ""
    pattern: str = ""
    by: Literal["person", "model"] = "model"

    @property
    def checkable(self) -> bool:
        """Whether the runtime can decide it, without a judgement."""
        return bool(self.command or self.file)


class Needs(BaseModel):
    """What a plan expects to touch beyond reading the workspace: one yes of a person's covers exactly that list."""

    model_config = ConfigDict(frozen=True)

    hosts: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


class Draft(BaseModel):
    """What the model proposes in its first reply, before the first act."""

    model_config = ConfigDict(frozen=True)

    criteria: tuple[Criterion, ...]
    needs: Needs = Needs()


class Verdict(BaseModel):
    """What came of one criterion, numbered from 1. `person`: only a person can decide it.

    `proof` is what shows it: the outcome of a check, or a passage; `source` names where the passage stands.
    """

    model_config = ConfigDict(frozen=True)

    criterion: int
    state: Literal["met", "unmet", "unclear", "person"]
    proof: str = ""
    source: str = ""
    by: Literal["check", "review", "person"] = "check"


def check_words(criterion: Criterion) -> str:
    """How the runtime decides it, in words; "" where somebody has to judge."""
    found = [f"`{criterion.command}` ends with exit code 0"] if criterion.command else []
    if criterion.file and criterion.pattern:
        found.append(f"{criterion.file} holds “{criterion.pattern}”")
    elif criterion.file:
        found.append(f"{criterion.file} exists and is not empty")
    return " and ".join(found)


_ID, _NAME = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.])"), re.compile(r"[\w./#:-]{1,80}")


def listed(criteria: Sequence[Criterion], verdicts: Sequence[Verdict]) -> list[str]:
    """Each criterion with its state and where that is from, one a line, for the model.

    No proof: that is a page's or a program's words, and it stands, fenced, in the observation that told of it.
    """
    found = {verdict.criterion: verdict for verdict in verdicts}
    lines: list[str] = []
    for number, criterion in enumerate(criteria, 1):
        verdict, how = found.get(number), check_words(criterion)
        how = f" (the program checks: {how})" if how and how != criterion.text else ""
        came = f" — {_WORDS[verdict.state]}{_from(verdict)}" if verdict else ""
        lines.append(f"{number}. {criterion.text}{how}{came}")
    return lines


def _from(verdict: Verdict) -> str:
    """Where a review found it, as far as that is a name: a reviewer may copy a page's words there too."""
    source = verdict.source.strip() if verdict.by == "review" else ""
    ids = _ID.findall(source)
    named = ", ".join(ids[:3]) or (source if _NAME.fullmatch(source) else "")
    return f" ({named})" if named else ""


_WORDS = {"met": "met", "unmet": "not met", "unclear": "cannot tell", "person": "a person decides"}


GOAL = "The goal is reached in full, and what the result says of it is shown by what was read or made."
GOAL_IN_KOREAN = "목표를 빠짐없이 이루었고, 결과가 말하는 것은 읽거나 만든 것이 보여 준다."
GOALS = (GOAL, GOAL_IN_KOREAN)
_TESTS = (
    "test_*.py", "*_test.py", "tests/*", "test/*", "__tests__/*", "*.test.*", "*.spec.*", "*_test.go", "*_spec.rb",
    "*Test.java",
)  # fmt: skip  # as pytest, jest, go, rspec and JUnit find them
_STEERING = (
    "conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "pytest.py", "unittest.py",
    "sitecustomize.py", "usercustomize.py", "GNUmakefile",
)  # fmt: skip  # what decides for others wherever it appears
_NEEDED = {  # what a program does nothing without: a new one takes the place of none
    "make": ("Makefile",), "npm": ("package.json",), "npx": ("package.json",), "yarn": ("package.json",),
    "pnpm": ("package.json",), "jest": ("package.json",), "vitest": ("package.json",), "cargo": ("Cargo.toml",),
}  # fmt: skip
_OBEYED = {  # what tells a program that runs without it, or comes before another: a new one says what was not said
    "make": ("makefile", "*.mk"),
    "pytest": ("pyproject.toml", "tox.ini", "setup.cfg"),
    "tox": ("tox.ini", "pyproject.toml", "setup.cfg"),
    "jest": ("jest.config.*",), "vitest": ("vite*.config.*",),
}  # fmt: skip
_CHECKS = re.compile(r"test|check|verif|spec", re.IGNORECASE)
_WORD = re.compile(r"[^\s;&|()<>'\"`$]+")


def read_by_checks(criteria: Sequence[Criterion], protect: Sequence[str]) -> tuple[str, ...]:
    """Patterns of files that decide what a check comes to: a run that could change them could make itself pass.

    Those a person named, and where a command checks, test files, scripts that the command names, and settings of the
    programs that it runs. A list of names and no proof: the code under test may bring its own ways to pass.
    """
    words = _words(criteria)
    found = [pattern for name in protect for pattern in _with_what_is_beneath(name)]
    found += [*(_TESTS if words else ()), *steering(criteria)]
    for word in words:
        found += _NEEDED.get(word.rpartition("/")[2], ())
        if word.endswith(".sh") or ("/" in word and _CHECKS.search(word)) or ("." in word and _CHECKS.search(word)):
            found += [*_with_what_is_beneath(word), f"{word.replace('.', '/')}.py", f"{word.replace('.', '/')}/*"]
    return tuple(dict.fromkeys(found))


def steering(criteria: Sequence[Criterion]) -> tuple[str, ...]:
    """Those of the patterns that also a new file steers a check by: nothing need be changed for it to pass."""
    words = _words(criteria)
    found = [pattern for word in words for pattern in _OBEYED.get(word.rpartition("/")[2], ())]
    return (*_STEERING, *found) if words else ()


_SHARED = ("pyproject.toml", "setup.cfg", "tox.ini")  # they hold settings of many programs
_SAY_TO_TESTS = re.compile(r"(?:tool:)?(?:pytest|tox|testenv)")


def is_shared(path: str) -> bool:
    """Whether a settings file is for many programs: only what it says to one that checks can steer a check."""
    return path.rpartition("/")[2] in _SHARED


def steers(path: str, text: str) -> bool:
    """Whether such a file says something to a program that runs tests; one that can't be parsed may."""
    import tomllib  # neither is needed where nobody writes such a file
    from configparser import Error, RawConfigParser

    try:
        if path.endswith(".toml"):
            return _steers_by_tables(tomllib.loads(text))
        settings = RawConfigParser(strict=False, allow_no_value=True)
        settings.read_string(text)
    except (ValueError, Error, RecursionError):
        return True
    return any(_SAY_TO_TESTS.match(section.strip()) for section in settings.sections())


def _steers_by_tables(settings: Mapping[str, Any]) -> bool:
    tools, project = settings.get("tool", {}), settings.get("project", {})
    if not isinstance(tools, dict) or not isinstance(project, dict):
        return True
    told = any(_SAY_TO_TESTS.match(str(name)) for name in cast("dict[str, Any]", tools))
    return told or "pytest11" in str(cast("dict[str, Any]", project).get("entry-points", ""))


def _words(criteria: Sequence[Criterion]) -> list[str]:
    return [word for one in criteria for word in _WORD.findall(one.command)]


def _with_what_is_beneath(name: str) -> tuple[str, ...]:
    plain = name.strip().removeprefix("./").rstrip("/")
    return (plain, f"{plain}/*") if plain else ()


def is_read_by(patterns: Sequence[str], path: str) -> bool:
    """Whether a path of the workspace, in any folder, is one of these; `*` also stands for slashes."""
    return any(fnmatchcase(path, pattern) or fnmatchcase(path, f"*/{pattern}") for pattern in patterns)


def with_goal(criteria: Sequence[Criterion], goal: str) -> tuple[Criterion, ...]:
    """The model's own criteria, and the goal beside them: what it drafts for itself may be too easy."""
    text = GOAL_IN_KOREAN if re.search("[가-힣]", goal) else GOAL
    if any(one.by == "person" or one.text == text for one in criteria):
        return tuple(criteria)
    return (*criteria, Criterion(text=text))
