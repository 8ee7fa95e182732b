"""What programs must do and must not do, on whatever layer holds them: the file that imports this gives `layer`."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autoagent.errors import CommandError
from autoagent.programs import CODE, Layer, Program, Progress, Ran
from autoagent.sandbox.process import ProgramLimits, SandboxedPrograms
from autoagent.sandbox.reach import Reach, interpreter_folders

LIMITS = ProgramLimits(grace_s=0.5)
AGENT = """
import sys
from pathlib import Path
from autoagent.programs import Program
from autoagent.sandbox.process import ProgramLimits, SandboxedPrograms
from autoagent.sandbox.reach import Reach, interpreter_folders
folder, workspace, layer, line = sys.argv[1:]
reach = Reach(Path(workspace), interpreters=interpreter_folders(Path(workspace)))
programs = SandboxedPrograms(Path(folder), layer, lambda: reach, limits=ProgramLimits(grace_s=0.5))
programs.run("1.1", Program(("sh", "-c", line), line, 60.0), lambda progress: True)
"""


def go_on(_: Progress) -> bool:
    return True


class Box:
    """A workspace and the programs of one run in it."""

    def __init__(self, root: Path, layer: Layer, limits: ProgramLimits = LIMITS):
        self.workspace, self.folder, self.layer, self._calls = root / "ws", root / "spool", layer, 0
        self.workspace.mkdir(exist_ok=True)
        self.reach = Reach(self.workspace, interpreters=interpreter_folders(self.workspace))
        self.programs = SandboxedPrograms(self.folder, layer, lambda: self.reach, limits=limits)

    def reach_the_network(self) -> None:
        self.programs = SandboxedPrograms(self.folder, self.layer, lambda: self.reach, limits=LIMITS, network=True)

    def call_id(self) -> str:
        self._calls += 1
        return f"{self._calls}.1"

    def run(self, *argv: str, timeout_s: float = 30, watch: Callable[[Progress], bool] = go_on, **more: Any) -> Ran:
        return self.programs.run(self.call_id(), Program(argv, " ".join(argv), timeout_s, **more), watch)

    def sh(self, line: str, timeout_s: float = 30, **more: Any) -> Ran:
        return self.run("bash", "-c", line, timeout_s=timeout_s, **more)

    def python(self, code: str, timeout_s: float = 30, **more: Any) -> Ran:
        return self.run("python3", CODE, timeout_s=timeout_s, code=code, **more)


@pytest.fixture
def box(tmp_path: Path, layer: Layer) -> Iterator[Box]:
    made = Box(tmp_path.resolve(), layer)
    yield made
    made.programs.close()


def marked(mark: str) -> list[int]:
    """Processes with this in their command line, wherever they are in the tree."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def wait_until(condition: Callable[[], Any], timeout_s: float = 10) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.01)


def children() -> list[int]:
    tasks = Path(f"/proc/{os.getpid()}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def test_what_it_writes_and_its_exit_code_come_back(box: Box) -> None:
    ran = box.sh("echo out; echo err >&2; echo 한글; exit 3")
    assert (ran.ended, ran.code, ran.output, ran.dropped) == ("exited", 3, "out\nerr\n한글\n", 0)


def test_it_starts_in_the_workspace_and_may_change_it(box: Box) -> None:
    assert box.sh("pwd; echo x > new; mkdir -p a/b; mv new a/b/").output == f"{box.workspace}\n"
    assert (box.workspace / "a/b/new").read_text() == "x\n"


def test_code_is_given_as_a_file_that_is_not_in_the_workspace(box: Box) -> None:
    ran = box.run("python3", CODE, "a b", code="import sys; print(sys.argv[1:], '한')")
    assert (ran.ended, ran.code, ran.output) == ("exited", 0, "['a b'] 한\n")
    assert not list(box.workspace.iterdir())


@pytest.mark.parametrize("line", ["while True: pass", "import time; time.sleep(10_000)"])
def test_time_is_limited_and_what_it_wrote_is_kept(box: Box, line: str) -> None:
    ran = box.python(f"print('begun', flush=True)\n{line}", timeout_s=0.6)
    assert (ran.ended, ran.output) == ("timed_out", "begun\n")
    assert ran.seconds < 5


def test_kill_follows_where_term_is_ignored(box: Box) -> None:
    ran = box.sh("trap '' TERM; echo deaf; while :; do sleep 0.1; done", timeout_s=0.5)
    assert (ran.ended, ran.code, ran.output) == ("timed_out", 9, "deaf\n")


def test_term_lets_it_clean_up(box: Box) -> None:
    ran = box.sh("trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done", timeout_s=0.4)
    assert ran.ended == "timed_out"
    assert ran.output.endswith("bye\n")


def test_a_fork_bomb_is_ended(tmp_path: Path, layer: Layer) -> None:
    box = Box(tmp_path.resolve(), layer, ProgramLimits(processes=60, grace_s=0.5))
    ran = box.python("import os, time\nfor _ in range(200):\n    if not os.fork(): time.sleep(60)\ntime.sleep(60)")
    assert ran.ended == "signalled" or "BlockingIOError" in ran.output  # by count, or by the kernel's own limit
    assert ran.seconds < 20
    assert not children()


def test_memory_is_limited(box: Box) -> None:
    ran = box.python("try:\n    bytearray(4 << 30)\nexcept MemoryError:\n    print('no')")
    assert ran.output == "no\n"


def test_processor_time_is_limited(tmp_path: Path, layer: Layer) -> None:
    ran = Box(tmp_path.resolve(), layer, ProgramLimits(cpu_s=1)).python("while True: pass")
    assert (ran.ended, ran.code) == ("signalled", 24)


def test_much_output_is_kept_as_head_and_tail(box: Box) -> None:
    ran = box.sh("echo first; head -c 100000000 /dev/zero; echo last")
    assert (ran.ended, ran.output[:6], ran.output[-5:]) == ("exited", "first\n", "last\n")
    assert len(ran.output) == 1 << 20
    assert ran.dropped == 100_000_000 + 11 - (1 << 20)
    assert sum(file.stat().st_size for file in (box.folder / "1.1").glob("output.*")) <= 3 << 19


def test_endless_output_is_ended_by_time(box: Box) -> None:
    ran = box.run("yes", timeout_s=0.5)
    assert ran.ended == "timed_out"
    assert ran.output.startswith("y\ny\n")
    assert len(ran.output) <= 1 << 20


def test_standard_input_is_empty(box: Box) -> None:
    assert "EOFError" in box.python("input()").output


def test_there_is_no_terminal(box: Box) -> None:
    assert box.sh("read x < /dev/tty").code != 0


@pytest.mark.parametrize(
    "line", ["setsid sleep 987{mark} & ", "(sleep 987{mark} &); ", "(setsid sh -c 'sleep 987{mark} & ' &); "]
)
def test_nothing_is_left_of_what_hides(box: Box, line: str) -> None:
    mark = f"{os.getpid()}"
    ran = box.sh(line.format(mark=mark) + "sleep 0.1; echo done")
    assert (ran.ended, ran.output) == ("exited", "done\n")
    assert not marked(f"987{mark}")


def test_it_ends_though_a_child_holds_its_output(box: Box) -> None:
    began = time.monotonic()
    assert box.sh("sleep 999 & echo out; exit 0").output == "out\n"
    assert time.monotonic() - began < 5


def test_a_signal_is_told_from_an_exit(box: Box) -> None:
    ran = box.sh("kill -SEGV $$")
    assert (ran.ended, ran.code) == ("signalled", 11)


@pytest.mark.parametrize("argv", [("bash", "-c", "no-such-program"), ("no-such-program",)])
def test_a_missing_program_is_told(box: Box, argv: tuple[str, ...]) -> None:
    ran = box.run(*argv)
    assert (ran.ended, ran.code) == ("exited", 127)
    assert "no-such-program" in ran.output


def test_the_workspace_is_where_the_next_one_starts_whatever_the_last_removed(box: Box) -> None:
    box.sh("mkdir sub; cd sub; rmdir ../sub")
    assert box.sh("pwd").output == f"{box.workspace}\n"


def test_a_huge_command_is_refused_in_words_or_run(box: Box) -> None:
    with pytest.raises(CommandError, match="Write it to a file"):
        box.sh("#" * 200_000)
    assert box.python("#" * 200_000 + "\nprint('ran')").output == "ran\n"


def test_a_nul_is_refused_in_words(box: Box) -> None:
    with pytest.raises(CommandError, match="NUL"):
        box.sh("echo \0")


def test_a_file_can_only_grow_so_far(tmp_path: Path, layer: Layer) -> None:
    box = Box(tmp_path.resolve(), layer, ProgramLimits(file=1 << 20))
    box.sh("head -c 5000000 /dev/zero > large")
    assert (box.workspace / "large").stat().st_size == 1 << 20


def test_bytes_that_are_no_text_are_replaced(box: Box) -> None:
    assert box.sh(r"printf 'a\xffb\0'").output == "a�b\0"
    assert len(box.sh("cat /bin/ls").output) > 10_000


def test_two_run_at_once(box: Box) -> None:
    results: dict[str, Ran] = {}

    def one(word: str, other: str) -> None:
        line = f"touch {word}; until [ -e {other} ]; do sleep 0.02; done; echo {word}"
        results[word] = box.programs.run(word, Program(("sh", "-c", line), line, 20), go_on)

    threads = [threading.Thread(target=one, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {word: ran.output for word, ran in results.items()} == {"a": "a\n", "b": "b\n"}


def test_only_three_files_are_open_in_it(box: Box) -> None:
    with (box.workspace.parent / "held").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        ran = box.python("import os\nprint(sorted(os.listdir('/proc/self/fd'))[:-1])")  # the last is of the listing
    assert ran.output == "['0', '1', '2']\n"


def test_nothing_of_the_environment_but_what_it_needs(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    ran = box.sh("env; cat /proc/$PPID/environ | tr '\\0' '\\n'")
    assert "sk-canary" not in ran.output
    assert "PATH=" in ran.output


def test_git_commits(box: Box) -> None:
    ran = box.sh(
        "git init -q . && echo a > a && git add a && git commit -qm first && git status --short && git log --format=%an"
    )
    assert (ran.code, ran.output) == (0, "autoagent\n")


def test_node_runs(box: Box) -> None:
    if not shutil.which("node", path="/usr/local/bin:/usr/bin:/bin"):
        pytest.skip("node is not installed")
    assert box.run("node", "-e", "console.log(6 * 7)").output == "42\n"


def test_a_virtual_environment_of_the_workspace_comes_first(box: Box) -> None:
    if box.layer == "none":
        pytest.skip("where nothing holds programs, none of the workspace stands in for one that was allowed by name")
    assert box.run("python3", "-m", "venv", "--without-pip", ".venv").code == 0
    box.reach = Reach(box.workspace, interpreters=interpreter_folders(box.workspace))
    assert box.sh("python3 -c 'import sys; print(sys.prefix)'").output == f"{box.workspace}/.venv\n"


def test_what_it_last_said_is_shown_while_it_runs(box: Box) -> None:
    seen: list[Progress] = []

    def watch(progress: Progress) -> bool:
        seen.append(progress)
        return progress.last_line != "한글 100%"

    ran = box.sh("echo begun; echo '한글 100%'; sleep 60", watch=watch)
    assert (ran.ended, ran.output) == ("stopped", "begun\n한글 100%\n")
    assert seen[-1].timeout_s == 30


def test_an_interrupt_ends_it(box: Box) -> None:
    mark = f"986{os.getpid()}"

    def watch(progress: Progress) -> bool:
        if progress.last_line == "up":
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        box.sh(f"setsid sleep {mark} & echo up; wait", watch=watch)
    assert not marked(mark)
    outcome = box.programs.outcome("1.1")
    assert outcome
    assert outcome.ended == "stopped"


def test_what_never_started_is_known(box: Box) -> None:
    assert box.programs.outcome("9.9") is None


def test_what_ended_is_known_until_it_is_forgotten(box: Box) -> None:
    ran = box.sh("echo x; exit 4")
    again = SandboxedPrograms(box.folder, box.layer, lambda: box.reach)
    assert again.outcome("1.1") == ran
    again.forget("1.1")
    assert again.outcome("1.1") is None


def _agent(box: Box, line: str) -> "subprocess.Popen[bytes]":
    argv = (sys.executable, "-c", AGENT, str(box.folder), str(box.workspace), box.layer, line)
    agent = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    wait_until(lambda: (box.workspace / "up").exists())
    return agent


def test_a_killed_agent_leaves_no_process_and_the_end_is_known(box: Box) -> None:
    mark = f"985{os.getpid()}"
    agent = _agent(box, f"setsid sleep {mark} & echo begun; touch up; sleep {mark}")
    agent.kill()
    agent.wait()
    outcome = box.programs.outcome("1.1")
    assert outcome
    assert (outcome.ended, outcome.output) == ("stopped", "begun\n")
    assert not marked(mark)


def test_where_the_shim_was_killed_too_nobody_knows(box: Box) -> None:
    mark = f"984{os.getpid()}"
    agent = _agent(box, f"echo begun; touch up; exec sleep {mark}")
    wait_until(lambda: (box.folder / "1.1/output.0").read_text() == "begun\n")
    os.kill(int((box.folder / "1.1/started").read_text().split()[0]), 9)
    agent.kill()
    agent.wait()
    outcome = box.programs.outcome("1.1")
    assert outcome
    assert (outcome.ended, outcome.output) == ("lost", "begun\n")
    wait_until(lambda: not marked(mark))


def test_many_in_a_row_leave_nothing(box: Box) -> None:
    box.sh("true")
    before = (len(os.listdir("/proc/self/fd")), threading.active_count(), children())  # noqa: PTH208
    for _ in range(8):
        box.sh("sleep 9 & true")
    assert (len(os.listdir("/proc/self/fd")), threading.active_count(), children()) == before  # noqa: PTH208


@pytest.mark.slow
def test_hundreds_in_a_row_leave_nothing(box: Box) -> None:
    before = (len(os.listdir("/proc/self/fd")), threading.active_count(), children())  # noqa: PTH208
    for _ in range(300):
        assert box.sh("sleep 9 & true").ended == "exited"
    assert (len(os.listdir("/proc/self/fd")), threading.active_count(), children()) == before  # noqa: PTH208
    zombies = [one for one in marked("") if _state(one) == "Z" and _parent(one) == os.getpid()]
    assert not zombies


def _stat(process: int) -> list[str]:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["", "0"]


def _state(process: int) -> str:
    return _stat(process)[0]


def _parent(process: int) -> int:
    return int(_stat(process)[1])
