"""Lines typed by the person at the terminal: edited with prompt_toolkit, or read plainly where nothing may be drawn."""

import asyncio
import codecs
import contextlib
import importlib
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Generator
from typing import TextIO

from autoagent.terminal.look import Look

SILENCE_S, BELL_AFTER_S, POLL_S = 0.3, 5.0, 0.2
PROMPT = "> "


class Keyboard:
    """The terminal as a place to read from; `file` is stdin, or /dev/tty where stdin brought the goal.

    `line` raises EOFError for Ctrl-D or a terminal that is gone, KeyboardInterrupt for Ctrl-C.
    """

    def __init__(self, look: Look, file: TextIO):
        self.look, self.file = look, file
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.bell_after_s = BELL_AFTER_S
        self._left = ""  # typed after the line that was read

    @classmethod
    def open(cls, look: Look) -> "Keyboard | None":
        """The person's keyboard; None where nobody could type or see what is asked."""
        if not look.stream.isatty():
            return None
        with contextlib.suppress(OSError, ValueError):
            if sys.stdin.isatty():
                return cls(look, sys.stdin)
        try:
            return cls(look, open("/dev/tty", encoding="utf-8", errors="replace"))  # noqa: PTH123  # kept open
        except OSError:
            return None

    def settle(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Drop what was typed before now and wait for 300 ms without a key."""
        if self.look.rich:
            importlib.import_module("prompt_toolkit")  # takes a while; keys of that time are dropped too
        self._left = ""
        fd = self.file.fileno()
        with contextlib.suppress(termios.error, OSError), _silent(fd):
            termios.tcflush(fd, termios.TCIFLUSH)
            while not stop() and select.select([fd], [], [], SILENCE_S)[0]:
                if not os.read(fd, 4096):
                    return
            termios.tcflush(fd, termios.TCIFLUSH)

    def drop(self) -> bool:
        """Whether a line lies there that nobody read; what was typed is gone: a shell would take it for a command."""
        fd, lies_there = self.file.fileno(), False
        with contextlib.suppress(termios.error, OSError):
            lies_there = bool(select.select([fd], [], [], 0)[0])
            termios.tcflush(fd, termios.TCIFLUSH)
        return lies_there

    def line(
        self, prompt: str = PROMPT, *, default: str = "", until: Callable[[], bool] = lambda: False, bell: bool = False
    ) -> str | None:
        """One line, without its newline; None as soon as `until` holds. `default` stands there to be edited.

        With `bell` it rings once after `bell_after_s` without an answer. In the plain style a default is not shown.
        """
        return self._edited(prompt, default, until, bell=bell) if self.look.rich else self._plain(prompt, until)

    def _edited(self, prompt: str, default: str, until: Callable[[], bool], *, bell: bool) -> str | None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.data_structures import Size
        from prompt_toolkit.input import create_input
        from prompt_toolkit.output.vt100 import Vt100_Output

        async def watch() -> None:
            rings_at = time.monotonic() + self.bell_after_s if bell else None
            while not until():
                await asyncio.sleep(POLL_S)
                if rings_at and time.monotonic() >= rings_at:
                    self.look.bell()
                    rings_at = None
            with contextlib.suppress(Exception):  # answered here in the same moment
                session.app.exit(result=None)

        def size() -> Size:
            return Size(rows=24, columns=self.look.columns)

        # the terminal is asked nothing: an answer that comes late would be taken for keys
        output = Vt100_Output(self.look.stream, size, term=os.environ.get("TERM"), enable_cpr=False)
        session: PromptSession[str | None] = PromptSession(input=create_input(self.file), output=output)

        def start() -> None:
            session.app.create_background_task(watch())

        return session.prompt(prompt, default=default, pre_run=start, handle_sigint=False)

    def _plain(self, prompt: str, until: Callable[[], bool]) -> str | None:
        self.look.prompt(prompt)
        fd = self.file.fileno()
        while "\n" not in self._left:
            if until():
                self.look.prompt("\n")
                return None
            if select.select([fd], [], [], POLL_S)[0]:
                try:
                    got = os.read(fd, 65_536)
                except OSError:
                    raise EOFError from None
                if not got:
                    raise EOFError
                self._left += self._decoder.decode(got)
        typed, _, self._left = self._left.partition("\n")
        return typed


@contextlib.contextmanager
def _silent(fd: int) -> Generator[None]:
    """Keys are seen one by one and not echoed."""
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
