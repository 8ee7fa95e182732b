"""A person's folders, and the command line in them: at a terminal that asks, or in a script."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pexpect
import pytest
from support import UNPROVEN

AUTOAGENT = [sys.executable, "-m", "autoagent"]
KEY = "sk-canary-0123456789abcdef"
_CODES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\r")


class Home:
    """What is called in `workspace` finds this person's state and settings; so does the test itself."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch):
        self.workspace, self.state = root / "work", root / "state/autoagent"
        self.workspace.mkdir()
        self.environ = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "HOME": str(root),
            **UNPROVEN,
            "XDG_STATE_HOME": str(root / "state"),
            "XDG_CONFIG_HOME": str(root / "config"),
            "OPENAI_API_KEY": KEY,
            "PYTHONWARNINGS": "error",
        }
        for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            monkeypatch.setenv(name, self.environ[name])

    def script(self, *args: str, stdout: bool = False) -> str:
        """What a script that calls `autoagent` reads on its error output, or on its output, as words."""
        ended = subprocess.run(
            [*AUTOAGENT, *args], cwd=self.workspace, env=self.environ, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, encoding="utf-8", timeout=30,
        )  # fmt: skip
        return " ".join((ended.stdout if stdout else ended.stderr).split())

    def terminal(self, *args: str, answers: Sequence[str] = (), **environ: str) -> tuple[int, str]:
        """The exit code and the screen of `autoagent` at a terminal, where each y/N gets its answer."""
        child: Any = pexpect.spawn(
            AUTOAGENT[0], [*AUTOAGENT[1:], *args], cwd=str(self.workspace), env=self.environ | environ,
            dimensions=(60, 100), encoding="utf-8", timeout=20,
        )  # fmt: skip
        child.delaybeforesend = None
        child.logfile_read = log = io.StringIO()
        for answer in answers:
            child.expect("y/N")
            if environ.get("TERM"):
                child.expect(r"\x1b\[\?25h")  # prompt_toolkit reads now
            child.send(answer)
        child.expect(pexpect.EOF)
        child.close()
        return child.exitstatus, " ".join(_CODES.sub("", log.getvalue()).split())
