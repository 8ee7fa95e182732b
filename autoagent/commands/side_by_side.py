"""Several things fetched or read at once, in threads nobody waits for longer than they are given together."""

import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

from autoagent.errors import CommandError
from autoagent.waiting import next_of

T = TypeVar("T")


def side_by_side(tasks: Sequence[Callable[[], T]], *, threads: int, within_s: float) -> list[T | Exception]:
    """What each task returned or raised, in their order; a CommandError for one that was not ready in time.

    What is not begun by then never is.
    """
    if not tasks:
        return []
    until = time.monotonic() + within_s
    waiting, done = SimpleQueue[int](), SimpleQueue[tuple[int, T | Exception]]()
    for at in range(len(tasks)):
        waiting.put(at)

    def work() -> None:
        while time.monotonic() < until:
            try:
                at = waiting.get_nowait()
            except Empty:
                return
            try:
                done.put((at, tasks[at]()))
            except Exception as error:  # noqa: BLE001  # handed to whoever waits
                done.put((at, error))
            except BaseException as error:  # noqa: BLE001  # it ends the task, not whoever waits
                done.put((at, CommandError(f"{type(error).__name__}: {error}")))

    for number in range(min(threads, len(tasks))):
        threading.Thread(target=work, daemon=True, name=f"side by side {number}").start()
    found: dict[int, T | Exception] = {}
    try:
        while len(found) < len(tasks):
            at, result = next_of(done, until - time.monotonic())
            found[at] = result
    except Empty:
        pass
    late = CommandError("it was not ready in the time that there is for all of them")
    return [found.get(at, late) for at in range(len(tasks))]
