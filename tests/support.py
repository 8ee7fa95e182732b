"""A workspace, a state folder and people for tests that run an agent against the test server."""

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from autoagent import build, inbox
from autoagent import settings as settings_module
from autoagent.agent import Agent
from autoagent.env import Env
from autoagent.events import Event
from autoagent.inbox import InboxMessage
from autoagent.journal import Journal, read
from autoagent.places import new_run_folder
from autoagent.registry import Command
from autoagent.settings import Settings
from autoagent.signals import Signals, Unattended
from autoagent.state import Observation, State
from autoagent.testing import ModelServer

HANDOVER = {"done": ["looked"], "open": ["the rest"], "next": "go on"}  # what a model writes as a limit ends a run
UNPROVEN = {"AUTOAGENT_REVIEW": "off", "AUTOAGENT_EVIDENCE": "off"}  # in tests that are about something else
KEY = "sk-test-0123456789abcdefghij"


class _Untouched:
    """Stands where a part of the world does that the command under test has no business with."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the command reaches for {name}")


_UNTOUCHED: Any = _Untouched()


def env_with(
    *,
    files: Any = _UNTOUCHED,
    web: Any = _UNTOUCHED,
    observation: Callable[[str], str] = str,
    seen: dict[str, str] | None = None,
    share_tokens: int = 4_000,
    count: Callable[[str], int] = len,
) -> Env:
    """What a command may touch; `seen` keeps what it read of files, by path."""
    kept = {} if seen is None else seen
    return Env(
        files=files,
        web=web,
        programs=_UNTOUCHED,
        memories=_UNTOUCHED,
        observation=observation,
        last_seen=kept.get,
        saw=kept.__setitem__,
        share_tokens=share_tokens,
        count=count,
    )


class Person(Unattended):
    """Answers each question through the inbox, as any face does; waiting for the model takes no time."""

    def __init__(self, folder: Path, answer: "Callable[[State], InboxMessage | None] | None" = None):
        super().__init__(folder, Signals())
        self.answer = answer
        self.slept: list[float] = []
        self.asked: list[str] = []

    def wait(self, state: State) -> bool:
        assert state.question is not None
        self.asked.append(state.question.id)
        message = self.answer(state) if self.answer else None
        if message is None:
            return False
        inbox.send(self.folder, message)
        return True

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def yes(_: State) -> InboxMessage:
    return InboxMessage(kind="answer", by="test", allowed=True)


def no(_: State) -> InboxMessage:
    return InboxMessage(kind="answer", by="test", allowed=False, text="not today")


def in_turn(*messages: InboxMessage) -> Callable[[State], InboxMessage | None]:
    """A person who sends these, one a question, and then is gone."""
    left = list(messages)
    return lambda _: left.pop(0) if left else None


class World:
    """One temporary home: every run in it has `workspace` and sees no settings but its flags."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch):
        self.root, self.workspace, self.state = root, root / "ws", root / "state"
        self.workspace.mkdir(exist_ok=True)
        self.notes: list[str] = []
        self.person: Person | None = None
        monkeypatch.setenv("XDG_STATE_HOME", str(self.state))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(root / "config"))
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.delenv("OPENAI_BASE_URL", raising=False)

    def file(self, name: str, content: str) -> Path:
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    def text(self, name: str) -> str:
        return (self.workspace / name).read_text(encoding="utf-8")

    def files(self) -> dict[str, bytes]:
        """Every file of the workspace with its content."""
        found = sorted(path for path in self.workspace.rglob("*") if path.is_file())
        return {str(path.relative_to(self.workspace)): path.read_bytes() for path in found}

    def settings(self, server: ModelServer | str, flags: dict[str, Any]) -> Settings:
        given = {"model": "test-model", "base_url": address(server), "approve": "never"} | flags
        return settings_module.load(self.workspace, given)

    def start(
        self,
        server: ModelServer | str,
        *,
        goal: str = "Do it",
        answer: "Callable[[State], InboxMessage | None] | None" = None,
        commands: Sequence[Command[..., Any]] = (),
        journal: type[Journal] = Journal,
        **flags: Any,
    ) -> Agent:
        """A new run; `flags` are settings with `__` for a dot."""
        settings = self.settings(server, dotted(flags))
        setup, limits = build.make_setup(settings, build.choose_model(settings), self.workspace)
        started = build.start_run(new_run_folder(), setup, limits, [goal], notify=self.notes.append)
        if journal is not Journal:
            started.close()
            started = journal(started.folder)
        return self.agent(started, settings, answer, commands)

    def resume(
        self,
        folder: Path,
        server: ModelServer | str,
        *,
        answer: "Callable[[State], InboxMessage | None] | None" = None,
        commands: Sequence[Command[..., Any]] = (),
        journal: type[Journal] = Journal,
        **flags: Any,
    ) -> Agent:
        """The run goes on as it was set up, with the limits of `flags` where they give some."""
        opened = journal(folder)
        settings = settings_module.load(self.workspace, dotted(flags))
        setup, limits = build.changed_setup(opened.state, settings)
        base_url = address(server)
        build.resume_run(opened, setup.model_copy(update={"base_url": base_url}), limits, self.notes.append)
        return self.agent(opened, settings, answer, commands)

    def agent(
        self,
        journal: Journal,
        settings: Settings,
        answer: "Callable[[State], InboxMessage | None] | None",
        commands: Sequence[Command[..., Any]],
    ) -> Agent:
        self.person = Person(journal.folder, answer)
        return build.make_agent(journal, self.person, settings, self.notes.append, commands)

    def run(self, server: ModelServer | str, **options: Any) -> State:
        """A new run from its start to wherever it stands still."""
        return finish(self.start(server, **options))

    def run_again(self, folder: Path, server: ModelServer | str, **options: Any) -> State:
        return finish(self.resume(folder, server, **options))

    @property
    def folder(self) -> Path:
        """The folder of the only run."""
        (folder,) = (self.state / "autoagent/runs").iterdir()
        return folder

    def events(self, *types: str) -> list[Any]:
        """What the only run's journal holds, of these types where some are named."""
        return [event for event in read(self.folder) if not types or event.type in types]


@functools.cache
def window(room: int) -> int:
    """A window that holds so many tokens beside rules, commands and schema, however long these are today."""
    given = {"model": "test-model", "base_url": "http://127.0.0.1:1/v1", "approve": "never"}
    found = settings_module.load(Path(), given)
    setup, _ = build.make_setup(found, build.choose_model(found), Path())
    return build.needs_tokens(setup) - build.SHORT_REPLY + room


def finish(agent: Agent) -> State:
    try:
        return agent.run()
    finally:
        close(agent)


def close(agent: Agent) -> None:
    agent.journal.close()
    agent.close()


def address(server: ModelServer | str) -> str:
    return server if isinstance(server, str) else server.base_url


def dotted(flags: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in flags.items()}


def observations(state: State) -> list[Observation]:
    return [observation for step in state.steps for observation in step.observations]


def outcomes(state: State) -> list[tuple[str, str]]:
    """The name and the outcome of every command, in order."""
    return [(o.call.name, o.outcome) for o in observations(state) if o.call]


def types(events: Iterable[Event]) -> list[str]:
    return [event.type for event in events]


def by_step(script: Sequence[Any], summary: str = "What was done so far.") -> Callable[[dict[str, Any]], Any]:
    """A model that says the same at the same step, however often it is asked; None in `script` is never asked for."""

    def reply(body: dict[str, Any]) -> Any:
        tail = body["messages"][-1]["content"]
        found = re.search(r"This is step (\d+)", tail)
        return script[int(found[1]) - 1] if found else summary

    return reply
