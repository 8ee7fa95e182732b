"""Waiting for another thread so that a signal is noticed: one that comes just before a wait begins ends no wait."""

import time
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")
WAKE_S = 0.5  # after which a signal that was missed is handled


def next_of(queue: "SimpleQueue[T]", timeout_s: float | None) -> T:
    """The next thing in the queue. Raises Empty where none comes in time; None waits for ever."""
    until = None if timeout_s is None else time.monotonic() + max(0.0, timeout_s)
    while True:
        left_s = WAKE_S if until is None else max(0.0, until - time.monotonic())
        try:
            return queue.get(timeout=min(left_s, WAKE_S))
        except Empty:
            if until is not None and time.monotonic() >= until:
                raise
