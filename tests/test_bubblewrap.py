"""The shared suite in bubblewrap, and what only bubblewrap holds or offers."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from programs_suite import *  # noqa: F403 - the tests of every layer
from programs_suite import AGENT, Box, marked, wait_until

from autoagent.errors import CommandError
from autoagent.programs import Layer
from autoagent.sandbox import bubblewrap
from autoagent.sandbox.reach import Reach, interpreter_folders

pytestmark = pytest.mark.skipif(bool(bubblewrap.works()), reason=bubblewrap.works())


@pytest.fixture
def layer() -> Layer:
    return "bubblewrap"


def test_nothing_outside_is_seen(box: Box) -> None:
    secret = box.workspace.parent / "secret"
    secret.write_text("hidden words")
    ran = box.sh(f"cat {secret}; ls {box.folder}; ls -a $HOME; ls /home; ln -s {secret} s; cat s; ln {secret} h")
    assert "hidden words" not in ran.output
    assert ran.output.count("No such file") == 5, ran.output


def test_nothing_but_the_workspace_and_scratch_can_be_written(box: Box) -> None:
    ran = box.sh("for x in / /usr /etc /dev /opt /proc; do touch $x/new; done; touch /tmp/x $HOME/x ./x && echo done")
    assert ran.output.endswith("done\n")
    assert ran.output.count("touch: cannot") == 6, ran.output


def test_trusted_files_are_read_only_and_secrets_hidden(box: Box) -> None:
    for name in (".git/hooks", "keys"):
        (box.workspace / name).mkdir(parents=True)
    (box.workspace / ".env").write_text("KEY=1")
    (box.workspace / "keys/id").write_text("KEY=2")
    (box.workspace / "Makefile").write_text("all:")
    made = [box.workspace / name for name in (".git/hooks", "Makefile", ".env", "keys")]
    box.reach = Reach(box.workspace, tuple(made[:2]), tuple(made[2:]))
    ran = box.sh(  # the folder above a read-only one can't be moved away either
        "touch .git/hooks/x; echo x > Makefile; rm Makefile; mv .git g; cat .env; echo x > .env; mv keys k; ls -A keys"
    )
    assert "KEY" not in ran.output
    assert (box.workspace / ".env").read_text() == "KEY=1"
    assert (box.workspace / "keys/id").read_text() == "KEY=2"
    assert (box.workspace / "Makefile").read_text() == "all:"
    assert not list((box.workspace / ".git/hooks").iterdir())


def test_no_socket_of_this_machine_is_reached(box: Box) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0autoagent-{os.getpid()}")
        abstract.listen()
        code = f"""
import socket
tcp, abstract = ("127.0.0.1", {tcp.getsockname()[1]}), "\\0autoagent-{os.getpid()}"
for kind, address in ((socket.AF_INET, tcp), (socket.AF_UNIX, abstract)):
    try:
        socket.socket(kind).connect(address)
        print("reached")
    except OSError:
        print("no")
"""
        assert box.python(code).output == "no\nno\n"


def test_with_the_network_it_reaches_what_the_user_reaches(box: Box) -> None:
    box.reach_the_network()
    with socket.create_server(("127.0.0.1", 0)) as server:
        line = f"import socket; socket.create_connection(('localhost', {server.getsockname()[1]})); print('reached')"
        assert box.run("python3", "-c", line).output == "reached\n"
    assert not box.programs.containment.holds


def test_the_whole_machine_is_no_workspace(box: Box) -> None:
    box.reach = Reach(Path("/"))
    with pytest.raises(CommandError, match="whole machine"):
        box.sh("true")


def test_no_user_namespace_and_no_capabilities_in_it(box: Box) -> None:
    assert box.sh("unshare -Ur id").code != 0
    assert "CapEff:\t0000000000000000\n" in box.sh("grep CapEff /proc/self/status").output


def test_other_processes_are_not_seen(box: Box) -> None:
    assert str(os.getpid()) not in box.sh("ls /proc").output.split()
    assert len(box.sh("ls -d /proc/[0-9]*").output.split()) == 2  # bubblewrap and what it started


def test_folders_named_like_options_and_with_spaces(box: Box) -> None:
    workspace = box.workspace / "--bind a\nb 한"
    workspace.mkdir()
    box.reach = Reach(workspace)
    assert box.sh("touch x; ls").output == "x\n"


def test_the_home_folder_may_be_the_workspace(tmp_path: Path, layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "ws"))
    box = Box(tmp_path.resolve(), layer)
    assert box.sh("echo $HOME; ls -A").output == f"{bubblewrap.HOME}\n"


def test_too_many_protected_files_are_refused_in_words(box: Box) -> None:
    box.reach = Reach(box.workspace, tuple(box.workspace / str(number) for number in range(4_000)))
    with pytest.raises(CommandError, match="protected files"):
        box.sh("true")


def test_later_programs_reach_a_server_in_the_background_and_no_other(box: Box) -> None:
    (box.workspace / "page").write_text("words of the page")
    started = box.run("python3", "-u", "-m", "http.server", "8000", "--bind", "127.0.0.1", background=True)
    assert (started.ended, started.id) == ("background", "p1"), started
    fetch = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/page').read().decode())"
    assert box.run("python3", "-c", fetch).output == "words of the page\n"
    with socket.create_server(("127.0.0.1", 0)) as outside:
        line = f"import socket; socket.create_connection(('127.0.0.1', {outside.getsockname()[1]}))"
        assert "refused" in box.run("python3", "-c", line).output
    assert box.sh("unshare -Ur id").code != 0
    assert "GET /page" in box.programs.output("p1")
    assert [(one.id, one.ended) for one in box.programs.running()] == [("p1", "")]
    assert box.programs.stop("p1").ended == "stopped"
    assert [(one.id, one.ended) for one in box.programs.running()] == [("p1", "stopped")]


def test_a_background_program_that_fails_at_once_is_told(box: Box) -> None:
    ran = box.sh("echo broken; exit 5", background=True)
    assert (ran.ended, ran.code, ran.output) == ("exited", 5, "broken\n")
    assert not box.programs.running()


def test_a_background_program_outlives_the_thread_that_started_it(box: Box) -> None:
    thread = threading.Thread(
        target=box.sh, args=("while :; do echo x; sleep 0.02; done",), kwargs={"background": True}
    )
    thread.start()
    thread.join()
    seen = len(box.programs.output("p1"))
    wait_until(lambda: len(box.programs.output("p1")) > seen)


def test_close_ends_what_runs_in_the_background(box: Box) -> None:
    mark = f"983{os.getpid()}"
    box.sh(f"setsid sleep {mark} & sleep {mark}", background=True)
    box.programs.forget("1.1")
    box.programs.close()
    assert not marked(mark)
    assert not box.programs.running()
    assert not (box.folder / "1.1").exists()
    with pytest.raises(CommandError, match="no program 'p1'"):
        box.programs.output("p1")


def test_a_killed_agent_leaves_nothing_in_the_background(box: Box) -> None:
    mark = f"982{os.getpid()}"
    line = f"touch up; sleep {mark}"
    agent = AGENT.replace("60.0)", "60.0, background=True)") + "import time; time.sleep(60)"
    argv = (sys.executable, "-c", agent, str(box.folder), str(box.workspace), box.layer, line)
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as process:
        wait_until(lambda: (box.workspace / "up").exists())
        process.kill()
    wait_until(lambda: not marked(mark) and not marked(str(box.folder)))
    outcome = box.programs.outcome("1.1")
    assert outcome
    assert outcome.ended == "stopped"


def test_a_workspace_cannot_have_a_folder_of_secrets_taken_for_an_interpreter(tmp_path: Path) -> None:
    (tmp_path / "secrets/bin").mkdir(parents=True)
    (tmp_path / "secrets/bin/python").write_text("")
    (tmp_path / "ws/.venv/bin").mkdir(parents=True)
    (tmp_path / "ws/.venv/pyvenv.cfg").write_text(f"home = {tmp_path}/secrets/bin\n")
    (tmp_path / "ws/.venv/bin/python").symlink_to(tmp_path / "secrets/bin/python")
    assert not any(path.is_relative_to(tmp_path) for path in interpreter_folders(tmp_path / "ws"))
