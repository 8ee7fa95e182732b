"""The live line: what the run does now, replaced in place by a small thread that never keeps the program alive."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from autoagent.effects import readable
from autoagent.models import Heard
from autoagent.programs import Progress
from autoagent.terminal.arriving import Arriving
from autoagent.terminal.echo import Echo
from autoagent.terminal.layout import cells, line
from autoagent.terminal.look import Look
from autoagent.terminal.words import duration, joined, thousands

TICK_S = 0.25
WORTH_A_LINE_S = 30.0  # without a live line
SILENCE_S = 45.0  # without a byte of a reply: worth a warning
_BESIDE = 5  # cells of the line that its words don't have: gutter, spinner, a blank, the last column
_WORTH_READING = 10  # cells; a shorter end of a reply is not shown


@dataclass(frozen=True)
class Doing:
    """What goes on: "thinking", since when, and more words for wide and for narrow terminals.

    `reply` says what is heard meanwhile: the JSON of a thought, prose, or nothing.
    """

    what: str
    wide: tuple[str, ...] = ()
    narrow: tuple[str, ...] = ()
    of_s: float | None = None  # how long it lasts, where that is known
    why: str = ""
    reply: Literal["", "thought", "prose"] = ""
    since: float = field(default_factory=time.monotonic)

    def words(self, *, narrow: bool) -> str:
        return joined(self.begin(), *(self.narrow if narrow else self.wide))

    def begin(self) -> str:
        lasted = time.monotonic() - self.since
        of = "" if self.of_s is None else f" of {self.of_s:.0f}" if self.of_s < 600 else f" of {duration(self.of_s)}"
        took = duration(lasted) if lasted >= 100 else f"{lasted:.0f} s"
        return f"{self.what} {took}{of}{self.why}"


class Listening:
    """What was heard of one reply, from whichever thread."""

    def __init__(self, kind: Literal["", "thought", "prose"] = ""):
        self._lock = threading.Lock()
        self._awaited = bool(kind)
        self._reply = Arriving(prose=kind == "prose")
        self._silent_since: float | None = None
        self._patience_s = 0.0

    def hear(self, heard: Heard) -> None:
        if not self._awaited:
            return
        with self._lock:
            self._reply.add(heard.text)
            self._silent_since = time.monotonic() - heard.silent_s if heard.silent_s else None
            self._patience_s = heard.patience_s

    def words(self, now: Doing, columns: int, mask: Callable[[str], str], *, narrow: bool) -> str:
        """The line of a reply under way: seconds, about how many tokens, and the newest words."""
        with self._lock:
            tokens = self._reply.tokens
            if not tokens:
                return now.words(narrow=narrow)
            out = f"~{thousands(tokens)} out" if narrow else f"~{thousands(tokens)} tokens out"
            begun = joined(now.begin(), out, *(now.narrow if narrow else ()))
            room = columns - _BESIDE - cells(f"{begun} · ")
            newest = self._reply.tail(room, mask) if room >= _WORTH_READING else ""
        return joined(begun, newest) if newest or narrow else joined(begun, *now.wide)

    def silence(self, *, narrow: bool) -> str:
        """The warning where nothing has come for long; else ""."""
        with self._lock:
            since, patience_s = self._silent_since, self._patience_s
        silent_s = time.monotonic() - since if since is not None else 0.0
        if silent_s < SILENCE_S:
            return ""
        if narrow:
            return f"! nothing for {silent_s:.0f} s · gives up at {patience_s:.0f} s"
        return f"! nothing received for {silent_s:.0f} s · gives up at {patience_s:.0f} s, then tries again"


class LiveLine:
    """Shows what is `now`, at most four times a second; in the plain style once, when it has lasted 30 s."""

    def __init__(self, look: Look, stop_reason: Callable[[], str]):
        self.look, self.stop_reason = look, stop_reason
        self.now: Doing | None = None
        self._said = self._said_silence = self._pausing = False
        self._listening = Listening()
        self._progress: Progress | None = None
        self._echo = Echo(look)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def show(self, now: Doing | None) -> None:
        with self._lock:
            self.now, self._said, self._said_silence = now, False, False
            self._listening = Listening(now.reply if now else "")
            self._progress = None
            if now is None:
                self.look.live("")
        if now is None:
            return self._echo.on()
        self._echo.off()
        if self._thread is None:
            self._thread = threading.Thread(target=self._tick, name="live line", daemon=True)
            self._thread.start()

    def hear(self, heard: Heard) -> None:
        """From another thread, as often as it likes: nothing is drawn here."""
        self._listening.hear(heard)

    def watch(self, progress: Progress) -> None:
        """Of a program that runs, as often as it likes: nothing is drawn here, and no lock is waited for."""
        self._progress = progress

    def _tick(self) -> None:
        tick = 0
        while True:
            with self._lock:
                if self.now:
                    self._draw(self.now, tick)
            tick += 1
            time.sleep(TICK_S)

    def _draw(self, now: Doing, tick: int) -> None:
        if self.stop_reason():
            lasted = duration(time.monotonic() - now.since)
            words = f"Pausing after this command ({lasted}) … Ctrl-C again stops it now."
            if self.look.narrow:
                words = f"Pausing ({lasted}) … Ctrl-C again: stop now"
            silence = ""
        elif progress := self._progress:
            words, silence = _program_words(now, progress, narrow=self.look.narrow), ""
        else:
            words = self._listening.words(now, self.look.columns, self.look.mask, narrow=self.look.narrow)
            silence = self._listening.silence(narrow=self.look.narrow)
        if self.look.rich:
            self.look.live(f"  {silence or f'{self.look.spinner(tick)} {words}'}")
        else:
            self._say_once(now, words, silence)

    def _say_once(self, now: Doing, words: str, silence: str) -> None:
        if self.stop_reason():
            if not self._pausing:
                self._pausing = True
                self.look.write(line(words, first=2))
        elif silence and not self._said_silence:
            self._said = self._said_silence = True
            self.look.write(line(silence, first=2))
        elif time.monotonic() - now.since >= WORTH_A_LINE_S and not self._said:
            self._said = True
            self.look.write(line(now.words(narrow=self.look.narrow), first=2))


def _program_words(now: Doing, progress: Progress, *, narrow: bool) -> str:
    """`run_shell 8 s of 60 · last line: test_api.py::test_login PASSED`; it is cut where it is drawn."""
    last = readable(progress.last_line).strip()
    if not progress.timeout_s:  # a download: how much has come
        return joined(now.begin(), last, *(now.narrow if narrow else now.wide))
    begun = replace(now, of_s=progress.timeout_s).begin()
    if not last:
        return joined(begun, *(now.narrow if narrow else now.wide))
    return joined(begun, last if narrow else f"last line: {last}")
