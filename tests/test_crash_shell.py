"""An agent that dies while a program of it is on its way: it starts once, whoever starts it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autoagent.programs import Program, Ran
from autoagent.sandbox.process import SandboxedPrograms
from autoagent.sandbox.reach import Reach

AGENT = """
import sys
from pathlib import Path
from autoagent.programs import Program
from autoagent.sandbox.process import SandboxedPrograms
from autoagent.sandbox.reach import Reach
folder, workspace, line = sys.argv[1:]
programs = SandboxedPrograms(Path(folder), "none", lambda: Reach(Path(workspace)))
programs.run("1.1", Program(("sh", "-c", line), line, 60.0), lambda progress: print("waits", flush=True) or True)
"""
LINE = "echo once >> effects"


def wait_for(what: Callable[[], Any], seconds: float = 20) -> Any:
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until
        time.sleep(0.0005)
    return found


def children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for task in found for child in task.read_text().split()]


def is_a_shim(process: int) -> bool:
    """Not before it was executed: until then the agent stands still with it."""
    return b"marshal" in Path(f"/proc/{process}/cmdline").read_bytes()


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def stopped_on_its_way(folder: Path, workspace: Path) -> int:
    """The shim of an agent that was killed before the shim could start the program; the shim stands still."""
    argv = (sys.executable, "-c", AGENT, str(folder), str(workspace), LINE)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as agent:
        (shim,) = wait_for(lambda: [child for child in children(agent.pid) if is_a_shim(child)])
        os.kill(shim, signal.SIGSTOP)
        assert agent.stdout
        assert agent.stdout.readline() == "waits\n"  # the shim has its order from now on
        agent.kill()
    return shim


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_program_that_was_on_its_way_when_its_agent_died_does_not_start_beside_the_one_that_is_started_again(
    tmp_path: Path,
) -> None:
    workspace, folder = tmp_path / "ws", tmp_path / "programs"
    workspace.mkdir()
    shim = stopped_on_its_way(folder, workspace)
    programs = SandboxedPrograms(folder, "none", lambda: Reach(workspace))
    known = programs.outcome("1.1")
    ran: Ran | None = None
    if known is None:
        ran = programs.run("1.1", Program(("sh", "-c", LINE), LINE, 60.0), lambda progress: True)
    os.kill(shim, signal.SIGCONT)
    wait_for(lambda: not is_alive(shim))
    assert known is None, "the shim was not stopped early enough"
    assert ran
    assert (ran.ended, ran.code) == ("exited", 0)
    assert (workspace / "effects").read_text() == "once\n"
    again = SandboxedPrograms(folder, "none", lambda: Reach(workspace)).outcome("1.1")
    assert again == ran
