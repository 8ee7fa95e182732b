"""What every test may rely on, however the tests were started."""

import os
import signal

import hypothesis
import pytest
from support import UNPROVEN

# The same examples each time: what only some find would fail whoever comes next. --hypothesis-profile=default explores.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("steady")


def pytest_configure(config: pytest.Config) -> None:
    """A shell starts what runs in its background with Ctrl-C ignored, and programs would inherit that."""
    os.environ |= UNPROVEN
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the sweep of kills came to, by system call."""
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.getreports(kind) if one.when == "call"]
    if rows := [row for one in reports for name, rows in one.user_properties if name == "kills" for row in rows]:
        from crash_harness import table

        terminalreporter.write_line("\n".join(table(rows)))
