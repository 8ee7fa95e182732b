"""Run a goal from Python: the same runs as on the command line, in the same folder, with the same limits."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autoagent import build, rules, settings
from autoagent.asked import criteria, protected
from autoagent.claims import Evidence
from autoagent.criteria import Criterion, Verdict
from autoagent.errors import ConfigError, JournalError
from autoagent.events import Event
from autoagent.inbox import InboxMessage, send
from autoagent.journal import Journal, read
from autoagent.masking import Mask
from autoagent.places import find_run, new_run_folder, runs_folder
from autoagent.registry import Command
from autoagent.rules import Action
from autoagent.signals import Signals, Unattended
from autoagent.state import State, Status

OnEvent = Callable[[Event], None]
_notify = logging.getLogger("autoagent").warning


@dataclass(frozen=True)
class Run:
    """A run as it stands. All but `reached` can be resumed."""

    folder: Path
    state: State = field(repr=False)

    @property
    def id(self) -> str:
        return self.state.run_id

    @property
    def status(self) -> Status:
        """One of reached, unreached, stalled, limit, waiting, paused, unavailable, error."""
        return self.state.status

    @property
    def result(self) -> str:
        """What `task_complete` gave; "" where the goal was not reached."""
        return self.state.result

    @property
    def reason(self) -> str:
        """Why the run stands, where it has not reached its goal."""
        return self.state.reason

    @property
    def files(self) -> tuple[str, ...]:
        """The files that the result names, relative to the workspace."""
        return self.state.files

    @property
    def criteria(self) -> tuple[tuple[Criterion, Verdict | None], ...]:
        """What had to be true, each with what came of it; None where that was never looked at."""
        found = {verdict.criterion: verdict for verdict in self.state.verdicts}
        return tuple((one, found.get(number)) for number, one in enumerate(self.state.criteria, 1))

    @property
    def evidence(self) -> Evidence | None:
        """What came of looking up the newest result; None where none was."""
        return self.state.evidence

    @property
    def cost_usd(self) -> float | None:
        """None where a price is unknown."""
        return None if self.state.usage.unpriced_calls else self.state.usage.cost_usd

    def events(self) -> Iterator[Event]:
        """Everything that happened, in order. Raises JournalCorrupt."""
        return read(self.folder)


def run(
    goal: str | Sequence[str],
    *,
    workspace: str | Path = ".",
    model: str | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    max_steps: int | None = None,
    max_cost: float | None = None,
    max_tokens: int | None = None,
    max_time: float | str | None = None,
    done_when: str | Sequence[str] = (),
    check: str | Sequence[str] = (),
    expect: str | Sequence[str] = (),
    protect: str | Sequence[str] = (),
    allow: str | Sequence[str] = (),
    deny: str | Sequence[str] = (),
    commands: Sequence[Command[..., Any]] = (),
    on_event: OnEvent | None = None,
    **others: Any,
) -> Run:
    """Work on a goal until it is reached or a limit is, without questions (`approve="acts"` leaves it waiting instead).

    What is not given comes from the environment and the user's settings, as on the command line; `others` are
    settings by name, with a double underscore for a dot. `done_when`, `check` and `expect` say what has to be true at
    the end, `protect` which files the run may not change; a single text needs no list. `commands` are offered beside
    the built-in ones, `on_event` is called after each event. Raises ConfigError where the run can't start and
    JournalError where it can't be recorded; a KeyboardInterrupt leaves it resumable.
    """
    given = {"model": model, "base_url": base_url, "limits.steps": max_steps, "limits.cost": max_cost,
             "limits.tokens": max_tokens, "limits.time": max_time}  # fmt: skip
    folder = Path(workspace).resolve()
    if not folder.is_dir():
        raise ConfigError(f"workspace {workspace}: there is no such folder")
    if wrong := next((one for one in commands if not hasattr(one, "effect")), None):
        raise ConfigError(f'{wrong!r} is no command. Make it one: @autoagent.command("reads")')
    goals = [text for text in _each(goal) if text.strip()]
    if not goals:
        raise ConfigError("the goal is empty")
    found = _settings(folder, {"approve": "never"} | _dotted(others) | given, api_key)
    setup, limits = build.make_setup(found, build.choose_model(found), folder)
    wanted = criteria(_each(done_when), _each(check), _each(expect))
    kinds: tuple[tuple[Action, Sequence[str]], ...] = (("deny", _each(deny)), ("allow", _each(allow)))
    try:
        kept: list[tuple[Action, str]] = [(action, rules.check(rule)) for action, given in kinds for rule in given]
    except ValueError as error:
        raise ConfigError(str(error)) from None
    started = build.start_run(
        new_run_folder(),
        setup.model_copy(update={"protect": protected(_each(protect))}),
        limits,
        goals,
        rules=kept,
        criteria=wanted,
        commands=commands,
        mask=_mask(found),
        untrusted=bool(found.refused),
        notify=_notify,
    )
    with started as journal:
        return _work(journal, found, commands, on_event)


def resume(
    run_id: str,
    *,
    message: str | None = None,
    api_key: str | None = None,
    commands: Sequence[Command[..., Any]] = (),
    on_event: OnEvent | None = None,
    **changed: Any,
) -> Run:
    """Go on with a run by its id, the start of it, or "last"; `commands` as it was started with.

    `changed` are settings that are to be others from now on, such as `limits__steps=100`. Raises as `run`.
    """
    folder = find_run(runs_folder(), run_id)
    with Journal(folder) as journal:
        if journal.state.setup is None:
            raise JournalError(f"run {folder.name} never started")
        kept = journal.state.setup
        found = _settings(Path(kept.workspace), _dotted(changed), api_key, safe_mode=kept.safe_mode)
        journal.mask = _mask(found)
        setup, limits = build.changed_setup(journal.state, found)
        if message:
            send(folder, InboxMessage(kind="say", by="api", text=message))
        build.resume_run(journal, setup, limits, _notify, commands)
        return _work(journal, found, commands, on_event)


def _work(
    journal: Journal, found: settings.Settings, commands: Sequence[Command[..., Any]], on_event: OnEvent | None
) -> Run:
    if on_event:
        journal.observers.append(lambda event, _: on_event(event))
    people = Unattended(journal.folder, Signals())
    agent = build.make_agent(journal, people, found, _notify, commands)
    try:
        return Run(journal.folder, agent.run())
    finally:
        agent.close()


def _settings(
    workspace: Path, flags: Mapping[str, Any], api_key: str | None, *, safe_mode: bool = False
) -> settings.Settings:
    if unknown := flags.keys() - set(settings.names()):
        raise ConfigError(f"unknown setting {min(unknown)!r}. Settings: {', '.join(settings.names())}")
    found = settings.load(workspace, flags, safe_mode=safe_mode)
    for warning in found.warnings:
        _notify(warning)
    return replace(found, api_key=api_key) if api_key else found


def _each(texts: str | Sequence[str]) -> tuple[str, ...]:
    """A single text is one, not its letters."""
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _mask(found: settings.Settings) -> Mask:
    return Mask([*found.secrets, found.api_key])


def _dotted(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in given.items() if value is not None}
