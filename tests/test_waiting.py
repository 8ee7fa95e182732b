"""A wait for another thread ends with a signal, also with one that the waiting thread slept through."""

import os
import signal
import threading
import time
from queue import Empty, SimpleQueue
from types import FrameType

import pytest

from autoagent.commands.side_by_side import side_by_side
from autoagent.waiting import next_of


class Noticed(Exception): ...


def notice(_number: int, _frame: FrameType | None) -> None:
    raise Noticed


@pytest.mark.parametrize("timeout_s", [30, None])
def test_a_signal_that_ends_no_sleep_is_noticed(timeout_s: float | None) -> None:
    """Another thread takes the signal, as if it had come just before the wait."""
    before = signal.signal(signal.SIGUSR1, notice)
    go = threading.Event()
    other = threading.Thread(target=lambda: (go.wait(), time.sleep(0.05), os.kill(os.getpid(), signal.SIGUSR1)))
    other.start()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    began = time.monotonic()
    try:
        go.set()
        with pytest.raises(Noticed):
            next_of(SimpleQueue[int](), timeout_s)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        signal.signal(signal.SIGUSR1, before)
        other.join()
    assert time.monotonic() - began < 5


def test_what_comes_is_given_and_what_does_not_come_in_time_is_empty() -> None:
    queue = SimpleQueue[int]()
    queue.put(7)
    assert next_of(queue, 0) == 7
    with pytest.raises(Empty):
        next_of(queue, 0.01)


def test_a_task_that_wants_to_exit_ends_alone() -> None:
    def leave() -> str:
        raise SystemExit("enough")

    left, stayed = side_by_side([leave, lambda: "read"], threads=1, within_s=5)
    assert (str(left), stayed) == ("SystemExit: enough", "read")
