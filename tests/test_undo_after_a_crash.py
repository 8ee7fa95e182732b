"""What a person changes in the folder while a run is dead is theirs: no undo, diff or ending takes it for the run's."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import UNPROVEN

from autoagent import build
from autoagent.testing import ModelServer, done, thought

pytestmark = pytest.mark.skipif(build.sandbox_layer() == "none", reason="nothing here can hold a program")
AUTOAGENT = [sys.executable, "-m", "autoagent"]
WORKS = thought(commands=[("run_shell", {"command": "echo made > made.txt; echo up > up; sleep 60"})])


class Home:
    def __init__(self, root: Path):
        self.root, self.workspace = root, root / "work"
        self.workspace.mkdir()
        (self.workspace / "thesis.md").write_text("old\n")
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environ = kept | UNPROVEN | {
            "HOME": str(root), "XDG_STATE_HOME": str(root / "state"), "XDG_CONFIG_HOME": str(root / "config"),
        }  # fmt: skip

    def call(self, *args: str) -> str:
        ran = subprocess.run(
            [*AUTOAGENT, *args], cwd=self.workspace, env=self.environ, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip
        return ran.stdout + ran.stderr

    def killed_at_work(self, server: ModelServer) -> None:
        """A run that is killed while its program runs, and has written made.txt."""
        argv = [*AUTOAGENT, "run", "-c", "-q", "--base-url", server.base_url, "-m", "test-model", "Work"]
        with subprocess.Popen(argv, cwd=self.workspace, env=self.environ) as process:
            until = time.monotonic() + 20
            while not (self.workspace / "up").exists():
                assert time.monotonic() < until
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        (run,) = (path for path in (self.root / "state/autoagent/runs").iterdir() if path.is_dir())
        until = time.monotonic() + 20
        while not (run / "programs/1.1/exit").exists():  # what watched over the program has ended it
            assert time.monotonic() < until
            time.sleep(0.01)

    def writes(self) -> None:
        """A person does, a moment later than any clock of the file system can be wrong."""
        time.sleep(0.05)
        with (self.workspace / "thesis.md").open("a") as thesis:
            thesis.write("my new chapter\n")
        (self.workspace / "mine.txt").write_text("mine\n")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_what_a_person_wrote_while_the_run_was_dead_is_not_the_runs_after_resume(home: Home) -> None:
    with ModelServer([WORKS, done("ok")]) as server:
        home.killed_at_work(server)
        home.writes()
        told = home.call("resume", "last", "-c")
    shown = home.call("diff", "last")
    home.call("undo", "last", "--yes")

    assert "made.txt" in told
    assert "mine.txt" not in told + shown
    assert "my new chapter" not in shown
    assert (home.workspace / "thesis.md").read_text() == "old\nmy new chapter\n"
    assert (home.workspace / "mine.txt").exists()
    assert not (home.workspace / "made.txt").exists()


def test_nor_where_it_is_taken_back_without_going_on(home: Home) -> None:
    with ModelServer([WORKS]) as server:
        home.killed_at_work(server)
    home.writes()
    home.call("undo", "last", "--yes")

    assert (home.workspace / "thesis.md").read_text() == "old\nmy new chapter\n"
    assert (home.workspace / "mine.txt").exists()
    assert not (home.workspace / "made.txt").exists()


def test_a_file_that_both_changed_is_named_and_left_until_a_person_says_so(home: Home) -> None:
    ruins = thought(commands=[("run_shell", {"command": "echo ruined > thesis.md; echo up > up; sleep 60"})])
    with ModelServer([ruins]) as server:
        home.killed_at_work(server)
    home.writes()
    told = home.call("undo", "last", "--yes")
    left = (home.workspace / "thesis.md").read_text()
    home.call("undo", "last", "--yes", "--overwrite")

    assert "thesis.md" in told
    assert left == "ruined\nmy new chapter\n"
    assert (home.workspace / "thesis.md").read_text() == "old\n"


def test_what_a_person_only_allowed_or_linked_is_still_the_runs(home: Home) -> None:
    ruins = thought(commands=[("run_shell", {"command": "echo ruined > thesis.md; echo up > up; sleep 60"})])
    with ModelServer([ruins]) as server:
        home.killed_at_work(server)
    time.sleep(0.05)
    (home.workspace / "thesis.md").chmod(0o600)
    home.call("undo", "last", "--yes")

    assert (home.workspace / "thesis.md").read_text() == "old\n"
