"""Ctrl-C and SIGTERM as a wish to pause, and the people around a run that nobody watches."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a person sees the first line before pydantic is imported
    from autoagent.inbox import InboxMessage
    from autoagent.models import Heard
    from autoagent.programs import Progress
    from autoagent.state import State

CTRL_C, TERMINATED, HUNG_UP = "Ctrl-C", "SIGTERM", "the terminal was closed"


WATCH_S = 0.3


class Signals:
    """The first Ctrl-C, SIGTERM or SIGHUP asks for a pause after the act; a second Ctrl-C leaves at once.

    Where the act can be cut without loss (`interruptible`), also the first one ends it, by KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.stop_reason = ""
        self._interruptible = False
        self._woken = False
        self._installed = False

    def install(self) -> None:
        self._installed = True
        signal.signal(signal.SIGINT, self._handle)
        signal.signal(signal.SIGTERM, self._handle)
        signal.signal(signal.SIGHUP, self._handle)

    def _handle(self, number: int, _: FrameType | None) -> None:
        woken, self._woken = self._woken, False
        again = bool(self.stop_reason) and number == signal.SIGINT and not woken
        reasons = {signal.SIGINT: CTRL_C, signal.SIGTERM: TERMINATED, signal.SIGHUP: HUNG_UP}
        self.stop_reason = self.stop_reason or reasons[signal.Signals(number)]
        if self._interruptible or again:
            self._interruptible = False
            raise KeyboardInterrupt

    def wake(self, reason: str) -> None:
        """From another thread: as the first Ctrl-C, for another reason. Only what is interruptible is cut."""
        self.stop_reason, self._woken = self.stop_reason or reason, True
        main = threading.main_thread().ident
        if main is not None and self._installed:  # else the loop sees the wish after this act
            signal.pthread_kill(main, signal.SIGINT)  # a real signal ends what the main thread waits for

    @contextlib.contextmanager
    def interruptible(self) -> Generator[None]:
        self._interruptible = True
        try:
            if self.stop_reason:
                raise KeyboardInterrupt
            yield
        finally:
            self._interruptible = False


class Unattended:
    """People who can only be reached through the run's inbox: nobody is waited for."""

    def __init__(
        self,
        folder: Path,
        signals: Signals,
        hear: "Callable[[Heard], None]" = lambda heard: None,
        watch: "Callable[[Progress], None]" = lambda progress: None,
    ):
        self.folder, self.signals, self.hear, self.watch = folder, signals, hear, watch

    @property
    def stop_reason(self) -> str:
        return self.signals.stop_reason

    @contextlib.contextmanager
    def interruptible(self) -> Generator[None]:
        """As the signals', and also a `stop` in the inbox cuts what goes on."""
        over = threading.Event()
        threading.Thread(target=self._watch, args=(over,), name="inbox", daemon=True).start()
        try:
            with self.signals.interruptible():
                yield
        finally:
            over.set()

    def _watch(self, over: threading.Event) -> None:
        from autoagent import inbox

        while not over.wait(WATCH_S):
            stop = next((message for message in inbox.waiting(self.folder) if message.kind == "stop"), None)
            if stop and not over.is_set():
                return self.signals.wake(stop.text or f"stopped by {stop.by}")

    def messages(self) -> "Iterable[InboxMessage]":
        from autoagent import inbox

        return inbox.waiting(self.folder)

    def taken(self, message: "InboxMessage") -> None:
        from autoagent import inbox

        inbox.remove(self.folder, message)

    def wait(self, state: "State") -> bool:
        return False

    def edit_criteria(self, state: "State") -> bool:
        return False

    def sleep(self, seconds: float) -> None:
        """Ends early when a message comes: a person may want to stop the run."""
        from autoagent import inbox

        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and next(iter(inbox.waiting(self.folder)), None) is None:
            time.sleep(min(left, 0.2))
