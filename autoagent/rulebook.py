"""A person's lasting rules: for a workspace or for all runs, in their own file and never in a repository."""

import contextlib
import fcntl
import json
import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from autoagent.errors import ConfigError
from autoagent.journal import make_folder, replace_file
from autoagent.places import config_folder
from autoagent.rules import Action, Rule, Scope, check


@dataclass(frozen=True)
class _Book:
    """Texts such as "deny shell:git push", the newest first; `workspaces` by real absolute path."""

    everywhere: tuple[str, ...] = ()
    workspaces: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def of(self, scope: Scope, workspace: Path) -> tuple[str, ...]:
        if scope == "all":
            return self.everywhere
        return dict(self.workspaces).get(_key(workspace), ())

    def with_texts(self, scope: Scope, workspace: Path, texts: tuple[str, ...]) -> "_Book":
        if scope == "all":
            return _Book(texts, self.workspaces)
        kept = {path: kept for path, kept in self.workspaces if path != _key(workspace)}
        return _Book(self.everywhere, tuple(sorted((kept | ({_key(workspace): texts} if texts else {})).items())))


def book_path() -> Path:
    return config_folder() / "rules.json"


def rules_of(workspace: Path) -> tuple[Rule, ...]:
    """The rules for runs in a workspace: its own, then those for all. Raises ConfigError for a damaged file."""
    book = _read()
    return (
        *from_settings(book.of("workspace", workspace), "workspace"),
        *from_settings(book.everywhere, "all"),
    )


def add(scope: Scope, workspace: Path, action: Action, text: str) -> None:
    """Keep a rule, before the older ones: the newest word of a person counts. Raises ConfigError or OSError."""
    with _changing():
        book = _read()
        added = f"{action} {_checked(text)}"
        texts = (added, *(one for one in book.of(scope, workspace) if one != added))
        _write(book.with_texts(scope, workspace, texts))


def remove(scope: Scope, workspace: Path, action: Action, text: str) -> bool:
    """Whether there was such a rule. Raises ConfigError or OSError."""
    with _changing():
        book = _read()
        gone, texts = f"{action} {_checked(text)}", book.of(scope, workspace)
        if gone not in texts:
            return False
        _write(book.with_texts(scope, workspace, tuple(one for one in texts if one != gone)))
        return True


def from_settings(texts: Sequence[str], scope: Scope) -> tuple[Rule, ...]:
    """Rules of lines such as "deny shell:git push". Raises ConfigError."""
    return tuple(parse(text, scope) for text in texts)


def parse(line: str, scope: Scope) -> Rule:
    """A rule of an action and a text, as people write it. Raises ConfigError."""
    word, _, text = line.strip().partition(" ")
    action = next((one for one in get_args(Action) if one == word), None)
    if action is None:
        raise ConfigError(f"{line!r} is no rule: it begins with allow, ask or deny, such as: deny shell:git push")
    return Rule(action=action, text=_checked(text), scope=scope)


def _checked(text: str) -> str:
    try:
        return check(text)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _key(workspace: Path) -> str:
    return str(workspace.resolve())


def _read() -> _Book:
    """What can't be read is an error and never nothing: a denial would be lost."""
    path = book_path()
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return _Book()
    except OSError as error:
        raise ConfigError(f"{path}: your rules can't be read: {error.strerror}") from None
    try:
        return _book(json.loads(content.decode("utf-8", "surrogateescape")))
    except (ValueError, RecursionError, ConfigError) as error:
        told = " ".join(str(error).split())
        raise ConfigError(f"{path}: your rules can't be read: {told}. Repair the file, or delete it") from None


def _book(data: Any) -> _Book:
    """Raises ValueError or ConfigError."""
    if not isinstance(data, dict) or cast(dict[str, Any], data).keys() != {"all", "workspaces"}:
        raise ValueError('it holds {"all": […], "workspaces": {FOLDER: […]}} and nothing else')
    workspaces = cast(dict[str, Any], data["workspaces"])
    if not isinstance(data["workspaces"], dict):
        raise ValueError("workspaces are an object: {FOLDER: […]}")
    kept = tuple((folder, _texts(texts)) for folder, texts in workspaces.items())
    return _Book(_texts(data["all"]), kept)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in cast(list[Any], value)):
        raise ValueError("rules are a list of texts")
    return tuple(f"{rule.action} {rule.text}" for rule in from_settings(cast(list[str], value), "all"))


@contextlib.contextmanager
def _changing() -> Generator[None]:
    """One writer at a time; the folder itself is the lock, so that nothing is left behind."""
    folder = config_folder()
    make_folder(folder)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _write(book: _Book) -> None:
    data = {"all": book.everywhere, "workspaces": dict(book.workspaces)}
    content = json.dumps(data, ensure_ascii=False, indent=1).encode("utf-8", "surrogateescape")
    replace_file(book_path().resolve(), content)  # a link to where a person keeps such files stays one
