"""What a person asks for beside the goal: what has to be true at the end, and files that may not change for it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from autoagent.criteria import MOST, Criterion
from autoagent.errors import ConfigError


def criteria(done_when: Sequence[str], checks: Sequence[str], expected: Sequence[str]) -> tuple[Criterion, ...]:
    """The criteria that are given with a goal. Raises ConfigError for one that can never hold, or too many."""
    found = [
        *(Criterion(text=text, by="person") for given in done_when for text in _texts(given)),
        *(Criterion(text=_given(line, "--check"), command=line.strip(), by="person") for line in checks),
        *map(_expected, expected),
    ]
    if len(found) > MOST:
        raise ConfigError(f"{len(found)} criteria (--done-when, --check, --expect); at most {MOST} in one run")
    return tuple(found)


def protected(patterns: Sequence[str]) -> tuple[str, ...]:
    """The files that a run may not change, as they are given. Raises ConfigError for an empty pattern."""
    return tuple(_given(pattern, "--protect") for pattern in patterns)


def of_goals(goals: Sequence[str]) -> tuple[Criterion, ...]:
    """The goals of AutoGPT's settings file as criteria; those beyond the most that a run has stand in the last one."""
    texts = [*goals[: MOST - 1], "; ".join(goals[MOST - 1 :])] if len(goals) > MOST else goals
    return tuple(Criterion(text=text, by="person") for text in texts)


def _texts(given: str) -> Iterator[str]:
    """One criterion, or with @FILE one for each line that is not empty."""
    if not given.startswith("@"):
        yield _given(given, "--done-when")
        return
    path = Path(given[1:])
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--done-when {given}: {getattr(error, 'strerror', None) or 'is no UTF-8 text'}") from None
    texts = [re.sub(r"^\s*(?:[-*]|\d+[.)])\s+", "", line).strip() for line in lines]
    if not any(texts):
        raise ConfigError(f"--done-when {given}: holds no criterion")
    yield from filter(None, texts)


def _given(text: str, flag: str) -> str:
    if not text.strip():
        raise ConfigError(f"{flag} is empty")
    return text.strip()


def _expected(given: str) -> Criterion:
    file, tilde, pattern = (part.strip() for part in given.partition(" ~ "))
    path = PurePosixPath(file)
    if not file or path.is_absolute() or ".." in path.parts:
        raise ConfigError(f"--expect {given!r}: give a file of the workspace, as in: --expect 'report.md ~ Total'")
    if tilde and not pattern:
        raise ConfigError(f"--expect {given!r}: nothing stands behind the ~")
    import regex

    try:
        regex.compile(pattern)
    except regex.error as error:
        raise ConfigError(f"--expect {given!r}: {pattern!r} is no regular expression ({error})") from None
    text = f"{file} holds {pattern}" if pattern else f"{file} is there"
    return Criterion(text=text, file=file, pattern=pattern, by="person")
