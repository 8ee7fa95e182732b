"""The checks of `autoagent doctor`, side by side and within a bounded time."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoagent import build, settings
from autoagent.cli import checks
from autoagent.cli.checks import Check, Status
from autoagent.errors import ConfigError
from autoagent.masking import Mask, secrets_in

WITHIN_S = 11.0  # all that waits, side by side


def all_checks(workspace: Path, flags: dict[str, str | None], *, call: bool) -> Iterator[Check]:
    """Every check, without a secret, in an order that can be read: what waits for others comes last."""
    mask = Mask(secrets_in(os.environ))
    for check in _checks(workspace, flags, mask, call=call):
        yield Check(check.name, check.status, mask(check.fact), mask(check.mend))


def _checks(workspace: Path, flags: dict[str, str | None], mask: Mask, *, call: bool) -> Iterator[Check]:
    local = [
        _start("tokenizer", "warning", checks.check_tokenizer),
        _start("workspace", "warning", lambda: checks.check_workspace(workspace)),
        _start("state", "failed", checks.check_state),
        _start("web", "warning", checks.check_web),
        _start("documents", "warning", checks.check_documents),
        _start("sandbox", "warning", checks.check_sandbox),
    ]
    until = time.monotonic() + WITHIN_S
    chosen: build.Chosen | None = None
    try:
        found = settings.load(workspace, flags)
        mask.learn((found.api_key, *found.secrets))
        yield checks.check_settings(found)
    except ConfigError as error:
        yield checks.broken_settings(error)
        found = settings.Settings({}, {}, os.environ.get(settings.KEY, ""))
    waiting = [
        _start("plugins", "warning", lambda: checks.check_plugins(found)),
        _start("search", "warning", lambda: checks.check_search(found, ask=call)),
    ]
    setup = None
    try:
        chosen = build.choose_model(found)
        model, setup = checks.check_model(found, chosen, workspace)
    except ConfigError as error:
        model = Check("model", "failed", str(error), checks.CONNECT)
    yield checks.check_key(found, chosen)
    yield model
    if setup and setup.model != build.OFFLINE:
        asked = setup
        waiting.append(_start("endpoint", "failed", lambda: checks.check_answers(found, asked, call=call)))
    for running in [*local, *waiting]:
        yield from _wait(running, until)
    yield checks.check_network(os.environ)


@dataclass(frozen=True)
class _Running:
    """Checks that work on a thread of their own; `late` is told of one that does not end."""

    name: str
    late: Status
    done: threading.Event
    found: list[Check]


def _start(name: str, late: Status, check: Callable[[], Check | Sequence[Check]]) -> _Running:
    running = _Running(name, late, threading.Event(), [])

    def work() -> None:
        try:
            found = check()
            running.found.extend([found] if isinstance(found, Check) else found)
        except Exception as error:  # noqa: BLE001  # one check that breaks must not hide the others
            running.found.append(Check(name, late, f"could not be checked: {type(error).__name__}: {error}"))
        finally:
            running.done.set()

    threading.Thread(target=work, name=f"check {name}", daemon=True).start()
    return running


def _wait(running: _Running, until: float) -> Sequence[Check]:
    if running.done.wait(max(0.0, until - time.monotonic())):
        return running.found
    return [
        Check(running.name, running.late, f"no answer within {WITHIN_S:.0f} s", "check the network, then try again")
    ]
