"""`autoagent undo` and `autoagent diff`: what a run changed is seen, taken back, and brought back again."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from support import HANDOVER, World, close

from autoagent.cli.undo import diff, undo
from autoagent.env import Env
from autoagent.errors import AutoagentError, ConfigError, JournalError, JournalLocked, NoSuchRun
from autoagent.events import FilesUndone
from autoagent.history import Presence
from autoagent.journal import Journal, read, state_of
from autoagent.registry import Command, command
from autoagent.terminal.layout import cells
from autoagent.testing import ModelServer, done, thought

AUTOAGENT = [str(Path(sys.executable).parent / "autoagent")]
MAIN = "import sys; from autoagent.cli.undo import undo, diff; sys.exit(undo(standalone_mode=False) or 0)"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def writing(path: str, text: str) -> Any:
    return thought("I write.", commands=[("write_file", {"path": path, "text": text})])


def doing(act: Callable[[Path], None], world: World) -> Command[..., Any]:
    """A command that does anything to the workspace, as a program does."""

    @command("writes")
    def act_freely(env: Env) -> str:
        """Do it."""
        act(world.workspace)
        return "done"

    return act_freely


ACT = thought("I act.", commands=[("act_freely", {})])


def played(world: World, *steps: Any, act: Callable[[Path], None] | None = None) -> str:
    """Run these steps; the run's id."""
    commands = [doing(act, world)] if act else []
    with ModelServer([*steps, done("ok")]) as server:
        state = world.run(server, commands=commands)
    assert state.status == "reached", state.reason
    return state.run_id


def called(run: click.Command, *args: str, code: int = 0, columns: int = 80) -> str:
    result = CliRunner().invoke(run, args, env={"COLUMNS": str(columns)}, standalone_mode=False)
    if isinstance(result.exception, AutoagentError):
        raise result.exception
    assert result.exception is None, result.exc_info
    assert (result.return_value or 0) == code, result.output
    return result.stdout


def undone(*args: str, code: int = 0) -> str:
    return called(undo, "last", *args, "--yes", code=code)


def shown(*args: str, columns: int = 80) -> str:
    return called(diff, "last", *args, columns=columns)


def test_a_run_that_is_not_there_is_said_before_a_yes_is_wanted(world: World) -> None:
    with pytest.raises(NoSuchRun):
        called(undo, "nope")


# The whole run


def test_a_run_is_taken_back_whole_and_brought_back(world: World) -> None:
    world.file("old.txt", "one\n")
    before = world.files()

    def act(ws: Path) -> None:
        (ws / "docs").mkdir()
        (ws / "docs/made").write_text("x")
        (ws / "old.txt").chmod(0o755)

    played(world, writing("old.txt", "two\n"), writing("sub/new.txt", "new\n"), ACT, act=act)
    after = world.files()
    told = undone()
    assert "put back   old.txt" in told
    assert "remove     sub/new.txt" in told
    assert "Taken back: 5 changes" in told
    assert world.files() == before
    assert not (world.workspace / "docs").exists()
    assert not os.access(world.workspace / "old.txt", os.X_OK)
    assert "all is as it is to be already" in undone()
    undone("--redo")
    assert world.files() == after
    assert os.access(world.workspace / "old.txt", os.X_OK)
    with pytest.raises(ConfigError, match="no undo of run"):
        undone("--redo")
    undone()
    assert world.files() == before
    assert [event.redo for event in world.events("files_undone")] == [False, True, False]


def test_back_to_a_step_and_a_step_alone(world: World) -> None:
    played(world, writing("a", "1\n"), writing("b", "1\n"), writing("a", "2\n"))
    with pytest.raises(ConfigError, match=r"later steps changed files of step 1 again: a \(step 3\)"):
        undone("--step", "1")
    undone("--step", "2")
    assert world.files() == {"a": b"2\n"}
    undone("--to-step", "2")
    assert world.files() == {"a": b"1\n", "b": b"1\n"}
    with pytest.raises(ConfigError, match="has no step 9"):
        undone("--to-step", "9")
    with pytest.raises(ConfigError, match="choose one"):
        undone("--to-step", "1", "--redo")


def test_only_some_files_or_folders(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    played(world, writing("a", "1\n"), writing("d/b", "1\n"), writing("d/c", "1\n"))
    undone("d")
    assert world.files() == {"a": b"1\n"}
    undone("--redo")
    monkeypatch.chdir(world.workspace / "d")
    undone("b")
    assert set(world.files()) == {"a", "d/c"}
    undone(str(world.workspace / "a"))
    assert set(world.files()) == {"d/c"}
    with pytest.raises(ConfigError, match="nothing of run"):
        undone("none")
    with pytest.raises(ConfigError, match="is not in the workspace"):
        undone("/etc/hostname")


def test_a_dry_run_says_all_and_changes_nothing(world: World) -> None:
    played(world, writing("a", "1\n"))
    journal = (world.folder / "journal.jsonl").read_bytes()
    told = called(undo, "last", "--dry-run")
    assert "remove     a" in told
    assert world.files() == {"a": b"1\n"}
    assert (world.folder / "journal.jsonl").read_bytes() == journal


def test_many_changes_stand_in_an_artifact(world: World) -> None:
    def act(ws: Path) -> None:
        for number in range(120):
            (ws / f"f{number:03}").write_text("x")

    played(world, ACT, act=act)
    told = undone()
    assert "and 80 more" in told
    (event,) = world.events("files_undone")
    assert (event.changed, bool(event.changed_artifact)) == ((), True)
    undone("--redo")
    assert len(world.files()) == 120


# What belongs to others


def test_what_a_person_changed_since_is_left_and_named(world: World) -> None:
    world.file("a", "first\n")
    played(world, writing("a", "run\n"), writing("b", "run\n"))
    world.file("a", "a person's\n")
    told = undone(code=3)
    assert "leave      a" in told
    assert world.files() == {"a": b"a person's\n"}
    undone("--overwrite")
    assert world.files() == {"a": b"first\n"}
    undone("--redo")
    assert world.files() == {"a": b"a person's\n"}


def test_what_a_person_changed_between_two_steps_is_not_lost_unasked(world: World) -> None:
    with ModelServer([writing("a", "run\n"), HANDOVER]) as server:
        world.run(server, limits__steps=1)
    world.file("a", "person\n")
    with ModelServer([ACT, done("ok")]) as server:
        act = doing(lambda ws: (ws / "a").write_text("person, run\n") and None, world)
        world.run_again(world.folder, server, limits__steps=9, commands=[act])
    assert "leave      a" in undone(code=3)
    undone("--to-step", "1")
    assert world.text("a") == "person\n"


def test_a_folder_in_which_a_person_put_something_stays(world: World) -> None:
    played(world, writing("d/a", "1\n"))
    world.file("d/theirs", "x")
    told = undone(code=3)
    assert "d: left as it is (something else is in it)" in told
    assert world.files() == {"d/theirs": b"x"}


def test_a_run_at_work_is_not_touched_but_can_be_looked_at(world: World) -> None:
    played(world, writing("a", "1\n"))
    with Journal(world.folder):
        with pytest.raises(JournalLocked):
            undone()
        assert "+1" in shown()


def test_another_run_in_the_workspace_is_told_of(world: World) -> None:
    played(world, writing("a", "1\n"))
    with Presence(world.workspace, "51c0"):
        assert "! run 51c0 works in this workspace now" in called(undo, "last", "--dry-run")


def test_what_can_not_be_undone_is_counted(world: World) -> None:
    address = "http://127.0.0.1:9/x"
    with ModelServer(
        [thought("I look.", commands=[("browse", {"url": address, "question": "What?"})]), done("ok")]
    ) as server:
        world.run(server, goal=f"Read {address}", allow_local_network=True)
    assert "Can't be undone: 1 web request" in called(undo, "last", "--dry-run")


def test_a_workspace_that_is_gone_is_one_line(world: World) -> None:
    played(world, writing("a", "1\n"))
    world.workspace.rename(world.root / "elsewhere")
    with pytest.raises(ConfigError, match="is not there"):
        undone()


def test_a_copy_that_is_gone_is_named_and_nothing_else_suffers(world: World) -> None:
    world.file("a", "old a\n")
    world.file("b", "old b\n")
    played(world, writing("a", "new a\n"), writing("b", "new b\n"))
    (pack,) = [path for path in (world.folder / "undo/copies").iterdir() if b"old a" in path.read_bytes()]
    pack.write_bytes(pack.read_bytes().replace(b"old a", b"xxx a"))
    told = undone(code=3)
    assert "! a: left as it is (the kept copy is damaged)" in told
    assert world.files() == {"a": b"new a\n", "b": b"old b\n"}


# Questions


def test_without_a_terminal_it_needs_a_yes(world: World) -> None:
    played(world, writing("a", "1\n"))
    with pytest.raises(ConfigError, match="without a terminal undo needs --yes"):
        called(undo, "last")
    assert world.files() == {"a": b"1\n"}


def at_a_terminal(args: Sequence[str], *answers: tuple[str, str]) -> tuple[int, str]:
    """Each answer once its question stands; exit code and screen."""
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-c", MAIN, *args]
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        screen, until = "", time.monotonic() + 30
        left = list(answers)
        while time.monotonic() < until:
            try:
                screen += os.read(ours, 4_096).decode()
            except OSError:
                break
            if left and left[0][0] in screen:
                os.write(ours, left.pop(0)[1].encode())
        code = process.wait()
    os.close(ours)
    return code, screen


def test_at_a_terminal_it_asks_and_no_is_no(world: World) -> None:
    played(world, writing("a", "1\n"), writing("b", "1\n"))
    world.file("b", "a person's\n")
    code, screen = at_a_terminal(["last"], ("as well (b)", "n\n"), ("1 change: go on?", "n\n"))
    assert (code, "Nothing was changed" in screen) == (3, True)
    assert set(world.files()) == {"a", "b"}
    code, _ = at_a_terminal(["last"], ("as well (b)", "y\n"), ("2 changes: go on?", "y\n"))
    assert (code, world.files()) == (0, {})


# Crashes


@pytest.mark.parametrize("moment", ["written beside", "renamed"])
def test_killed_in_the_midst_the_next_undo_finishes(world: World, moment: str) -> None:
    names = [f"f{number:03}" for number in range(150)]
    for name in names:
        world.file(name, "before\n")
    before = world.files()

    def act(ws: Path) -> None:
        for name in names:
            (ws / name).write_text("after\n")

    def has_come() -> bool:
        if moment == "renamed":
            return world.text("f000") == "before\n"
        return any(name.endswith(".autoagent") for name in os.listdir(world.workspace))  # noqa: PTH208  # it is quick

    played(world, ACT, act=act)
    with subprocess.Popen([sys.executable, "-c", MAIN, "last", "--yes"], stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 30
        while time.monotonic() < until and not has_come():
            pass
        process.send_signal(signal.SIGKILL)
    undone()
    assert world.files() == before
    undone("--redo")
    assert set(world.files().values()) == {b"after\n"}


def test_what_a_killed_command_did_so_far_is_taken_back(world: World) -> None:
    world.file("a", "before\n")

    def act(ws: Path) -> None:
        (ws / "a").write_text("half\n")
        (ws / "b").write_text("half\n")
        raise KeyboardInterrupt  # the process dies with it

    with ModelServer([writing("c", "1\n"), ACT]) as server:
        agent = world.start(server, commands=[doing(act, world)])
        with pytest.raises(KeyboardInterrupt):
            agent.run()
        close(agent)
    assert state_of(world.folder).pending
    assert "half" in shown()
    undone()
    assert world.files() == {"a": b"before\n"}
    undone("--redo")
    assert world.files() == {"a": b"half\n", "b": b"half\n", "c": b"1\n"}
    undone("--to-step", "1")
    assert world.files() == {"a": b"before\n", "c": b"1\n"}
    with ModelServer([done("ok")]) as server:
        world.run_again(world.folder, server)
    undone()
    assert world.files() == {"a": b"before\n"}


def test_a_resumed_run_is_told_and_its_later_steps_can_be_undone(world: World) -> None:
    with ModelServer([writing("a", "1\n"), HANDOVER]) as server:
        world.run(server, limits__steps=1)
    undone()
    with ModelServer([writing("b", "1\n"), done("ok")]) as server:
        world.run_again(world.folder, server, limits__steps=9)
        told = str(server.requests[0].body)
    assert "A person took back changes of this run: a" in told
    undone("--to-step", "1")
    assert set(world.files()) == set()
    undone("--redo")
    assert set(world.files()) == {"b"}


# The difference


def test_a_difference_in_words_and_lines(world: World) -> None:
    world.file("text", "one\ntwo\nthree\n")
    (world.workspace / "bin").write_bytes(b"\0\1\2")
    (world.workspace / "gone").write_text("bye\n")

    def act(ws: Path) -> None:
        (ws / "bin").write_bytes(b"\0\1\2\3")
        (ws / "gone").unlink()
        (ws / "text").chmod(0o600)
        (ws / "link").symlink_to("text")
        (ws / "한글").mkdir()

    played(world, writing("text", "one\n2\nthree\n"), ACT, act=act)
    (world.workspace / "text").write_text("a person's\n")
    told = shown()
    assert "bin  changed\n    no text: 3 bytes, then 4\n" in told
    assert "gone  file removed\n    @@ -1 +0,0 @@\n    -bye\n" in told
    assert "link  new link\n" in told
    assert "+text" in told
    assert "    -two\n    +2\n" in told
    assert "now 600" in told
    assert "한글/  new folder" in told
    assert "gone" not in shown("--step", "1")
    assert shown("gone").count("\n") == 3
    with pytest.raises(ConfigError, match="has no step 7"):
        shown("--step", "7")


def test_nothing_of_a_files_content_reaches_the_terminal_as_a_command(world: World) -> None:
    played(world, ACT, act=lambda ws: (ws / "a\x1b[2Jb").write_text("x\x1b]0;title\x07\r\u202e한" * 9 + "\n") and None)
    told = shown(columns=40)
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(told)
    assert all(cells(row) <= 40 for row in told.splitlines())
    assert "\\x1b]0;title" in told.replace("\n    ", "").replace("\n      ", "")


def test_known_secrets_are_masked(world: World) -> None:
    world.file(".env", "MY_API_TOKEN=tok-0a1b2c3d4e5f6071\n")
    played(world, ACT, act=lambda ws: (ws / "a").write_text("it is tok-0a1b2c3d4e5f6071\n") and None)
    assert "+it is ***" in shown()


def test_a_run_that_changed_nothing_says_so(world: World) -> None:
    played(world)
    assert "changed no files" in shown()
    assert "already" in undone()


def test_the_journal_holds_one_event_an_undo(world: World) -> None:
    played(world, writing("a", "1\n"))
    undone()
    (event,) = [event for event in read(world.folder) if isinstance(event, FilesUndone)]
    assert [(change.path, change.before.kind, change.after.kind) for change in event.changed] == [
        ("a", "file", "absent")
    ]
    assert event.by == "undo"


def test_a_damaged_journal_is_not_undone(world: World) -> None:
    played(world, writing("a", "1\n"))
    journal = world.folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"write_file", b"write_fila", 1))
    with pytest.raises(JournalError, match="damaged"):
        undone()
    assert world.files() == {"a": b"1\n"}


def test_the_note_at_the_end_of_a_report_is_of_the_step_that_gave_the_result(world: World) -> None:
    given = done("Acme costs 4711 euros.")
    with ModelServer([writing("a.md", "Acme costs 4711 euros.\n"), given, given]) as server:
        world.run(server, review="off", evidence="mark")
    assert "Unverified" in world.text("a.md")
    assert "Unverified" not in shown("--step", "1")
    assert "Unverified" in shown("--step", "3")
    undone("--step", "3")
    assert world.text("a.md") == "Acme costs 4711 euros.\n"
