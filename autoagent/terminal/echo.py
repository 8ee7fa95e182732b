"""Keys typed while the live line moves: not written into it by the terminal."""

import atexit
import contextlib
import os
import signal
import termios
import threading
from types import FrameType

from autoagent.terminal.look import Look

_LOCAL = 3  # the place of the local modes in what tcgetattr returns


class Echo:
    """Whether the terminal shows what is typed. `off` holds until `on`, the end of the program, or Ctrl-Z.

    Only that one mode is ever touched: Ctrl-C stays Ctrl-C, and what another program set meanwhile stays as well.
    """

    def __init__(self, look: Look):
        self._look = look
        self._off = self._installed = False

    def off(self) -> None:
        if not self._look.rich:
            return
        if not self._installed:
            self._installed = True
            atexit.register(self.on)
            self._catch_suspension()
        if self._set(echo=False):
            self._off = True

    def on(self) -> None:
        if self._off:
            self._off = False
            self._set(echo=True)

    def _set(self, *, echo: bool) -> bool:
        """Whether it was the other way before."""
        with contextlib.suppress(OSError, ValueError, termios.error):
            fd = self._look.stream.fileno()
            if os.tcgetpgrp(fd) != os.getpgrp():
                return False  # in the background: the terminal is another program's, and asking for it would stop us
            modes = termios.tcgetattr(fd)
            if bool(modes[_LOCAL] & termios.ECHO) == echo:
                return False
            modes[_LOCAL] ^= termios.ECHO
            termios.tcsetattr(fd, termios.TCSANOW, modes)
            return True
        return False

    def _catch_suspension(self) -> None:
        """Ctrl-Z gives the terminal back as it was; `fg` goes on as before."""
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, self._suspend)

    def _suspend(self, number: int, _: FrameType | None) -> None:
        was_off = self._off
        self.on()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # stands here until SIGCONT
        signal.signal(number, self._suspend)
        if was_off:
            self.off()
