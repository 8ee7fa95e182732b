"""The live line: what the run does now, replaced in place by a small thread that never keeps the program alive."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from autoagent.terminal.layout import line
from autoagent.terminal.look import Look
from autoagent.terminal.words import duration, joined

TICK_S = 0.25
WORTH_A_LINE_S = 30.0  # without a live line


@dataclass(frozen=True)
class Doing:
    """What goes on: "thinking", since when, and more words for wide and for narrow terminals."""

    what: str
    wide: tuple[str, ...] = ()
    narrow: tuple[str, ...] = ()
    of_s: float | None = None  # how long it lasts, where that is known
    why: str = ""
    since: float = field(default_factory=time.monotonic)

    def words(self, *, narrow: bool) -> str:
        lasted = time.monotonic() - self.since
        of = f" of {self.of_s:.0f} s" if self.of_s is not None else ""
        took = f"{lasted:.0f}{of}" if of else duration(lasted) if lasted >= 60 else f"{lasted:.0f} s"
        return joined(f"{self.what} {took}{self.why}", *(self.narrow if narrow else self.wide))


class LiveLine:
    """Shows what is `now`, at most four times a second; in the plain style once, when it has lasted 30 s."""

    def __init__(self, look: Look, stop_reason: Callable[[], str]):
        self.look, self.stop_reason = look, stop_reason
        self.now: Doing | None = None
        self._said = self._pausing = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def show(self, now: Doing | None) -> None:
        with self._lock:
            self.now, self._said = now, False
            if now is None:
                self.look.live("")
        if now and self._thread is None:
            self._thread = threading.Thread(target=self._tick, name="live line", daemon=True)
            self._thread.start()

    def _tick(self) -> None:
        tick = 0
        while True:
            with self._lock:
                if self.now:
                    self._draw(self.now, tick)
            tick += 1
            time.sleep(TICK_S)

    def _draw(self, now: Doing, tick: int) -> None:
        words = now.words(narrow=self.look.narrow)
        if self.stop_reason():
            lasted = duration(time.monotonic() - now.since)
            words = f"Pausing after this command ({lasted}) … Ctrl-C again stops it now."
        if self.look.rich:
            self.look.live(f"  {self.look.spinner(tick)} {words}")
        elif self.stop_reason() and not self._pausing:
            self._pausing = True
            self.look.write(line(words, first=2))
        elif time.monotonic() - now.since >= WORTH_A_LINE_S and not self._said:
            self._said = True
            self.look.write(line(words, first=2))
