"""What a command changes in a workspace: kept before, seen after, put back; whatever the files are."""

import ctypes
import errno
import hashlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from autoagent.events import CommandFinished, CommandStarted, FileChange, FilesChanged, FilesUndone
from autoagent.history import Presence, WorkspaceHistory, not_covered
from autoagent.history.changes import Deed, back_to, brought_back, deeds, net, plan, without_step
from autoagent.history.differences import difference
from autoagent.history.looks import UNSURE_NS
from autoagent.history.scan import Covered
from autoagent.thoughts import CommandCall

ORDINARY_USER = 1001
SMALL = Covered(file_bytes=1_000, total_bytes=10_000, names=50)


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    folder = tmp_path / "ws"
    folder.mkdir()
    return folder


@pytest.fixture
def history(tmp_path: Path, ws: Path) -> Iterator[WorkspaceHistory]:
    made = WorkspaceHistory(tmp_path / "run" / "undo", ws)
    yield made
    made.close()


def again(tmp_path: Path, ws: Path) -> WorkspaceHistory:
    """As a process that goes on with the run finds it."""
    return WorkspaceHistory(tmp_path / "run" / "undo", ws)


def tree(folder: Path) -> dict[str, tuple[str, int, bytes]]:
    """Everything in a folder: kind, mode and content."""
    found: dict[str, tuple[str, int, bytes]] = {}
    for path in sorted(folder.rglob("*")):
        status, name = path.lstat(), str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", 0, os.fsencode(path.readlink()))
        elif path.is_dir():
            found[name] = ("folder", stat.S_IMODE(status.st_mode), b"")
        elif path.is_file():
            found[name] = ("file", stat.S_IMODE(status.st_mode), path.read_bytes())
    return found


def words(changes: Sequence[FileChange]) -> list[str]:
    return [f"{change.path}: {change.before.kind} > {change.after.kind}" for change in changes]


def run(history: WorkspaceHistory, ws: Path, script: str, call_id: str = "1.1") -> tuple[FileChange, ...]:
    """What a shell does to the workspace."""
    history.begin(call_id, None)
    subprocess.run(["sh", "-ec", script], cwd=ws, check=True)
    return history.end(call_id)


def kept_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


# What is seen, and put back


def test_whatever_a_program_did_is_seen_and_taken_back_whole(history: WorkspaceHistory, ws: Path) -> None:
    (ws / "a.txt").write_text("one\n")
    (ws / "gone.bin").write_bytes(bytes(range(256)) * 20)
    (ws / "한글.txt").write_text("값\n")
    (ws / "mode.sh").write_text("#!/bin/sh\n")
    (ws / "docs/old").mkdir(parents=True)
    (ws / "docs/old/b.md").write_text("b\n")
    (ws / "empty").mkdir()
    (ws / "link").symlink_to("a.txt")
    before = tree(ws)
    changes = run(
        history,
        ws,
        "echo two >> a.txt; rm gone.bin; mv 한글.txt 새.txt; chmod 755 mode.sh; mv docs/old docs/new;"
        "rmdir empty; ln -sf mode.sh link; mkdir -p x/y; echo new > x/y/z; ln -s ../a.txt x/l",
    )
    assert words(changes) == [
        "a.txt: file > file",
        "docs/new: absent > folder",
        "docs/new/b.md: absent > file",
        "docs/old: folder > absent",
        "docs/old/b.md: file > absent",
        "empty: folder > absent",
        "gone.bin: file > absent",
        "link: link > link",
        "mode.sh: file > file",
        "x: absent > folder",
        "x/l: absent > link",
        "x/y: absent > folder",
        "x/y/z: absent > file",
        "새.txt: absent > file",
        "한글.txt: file > absent",
    ]
    after = tree(ws)
    history.restore(changes)
    assert tree(ws) == before
    history.restore([FileChange(path=c.path, before=c.after, after=c.before) for c in changes])
    assert tree(ws) == after


def test_nothing_is_reported_where_nothing_changed_in_the_end(history: WorkspaceHistory, ws: Path) -> None:
    (ws / "a").write_text("x")
    assert run(history, ws, "cp -p a b; rm a; mv b a; mkdir d; rmdir d; touch a") == ()


def test_a_file_and_a_folder_may_take_each_others_place(history: WorkspaceHistory, ws: Path) -> None:
    (ws / "a").write_text("file")
    (ws / "b").mkdir()
    (ws / "b/inner").write_text("inner")
    before = tree(ws)
    changes = run(history, ws, "rm -r a b; mkdir a; echo x > a/x; echo y > b")
    history.restore(changes)
    assert tree(ws) == before


def test_a_hard_link_to_what_is_there_keeps_it(history: WorkspaceHistory, ws: Path) -> None:
    (ws / "a").write_text("one")
    changes = run(history, ws, "printf two > a; ln a other")
    history.restore([change for change in changes if change.path == "a"])
    assert ((ws / "a").read_text(), (ws / "other").read_text()) == ("one", "two")


def test_a_change_of_the_same_size_within_a_tick_of_the_clock_is_seen(history: WorkspaceHistory, ws: Path) -> None:
    path = ws / "a"
    for number in range(50):
        path.write_bytes(b"%03d" % number)
        history.begin(f"{number}.1", None)
        status = path.stat()
        with path.open("r+b") as file:
            file.write(b"x")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert words(history.end(f"{number}.1")) == ["a: file > file"]


def test_what_others_did_between_two_commands_is_not_the_runs(history: WorkspaceHistory, ws: Path) -> None:
    run(history, ws, "echo a > a", "1.1")
    (ws / "a").write_text("a person's")
    (ws / "theirs").write_text("a person's")
    (change,) = run(history, ws, "rm a", "2.1")
    history.restore([change])
    assert (ws / "a").read_text() == "a person's"


def test_a_file_command_costs_a_look_at_its_own_paths_only(history: WorkspaceHistory, ws: Path) -> None:
    (ws / "other").write_text("x")
    history.begin("1.1", ["new/deep/a.txt"])
    (ws / "new/deep").mkdir(parents=True)
    (ws / "new/deep/a.txt").write_text("a")
    (ws / "other").write_text("y")
    changes = history.end("1.1")
    assert words(changes) == ["new: absent > folder", "new/deep: absent > folder", "new/deep/a.txt: absent > file"]
    history.restore(changes)
    assert list(tree(ws)) == ["other"]


def test_a_folder_that_holds_something_of_a_persons_stays(history: WorkspaceHistory, ws: Path) -> None:
    changes = run(history, ws, "mkdir d; echo a > d/a")
    (ws / "d/theirs").write_text("x")
    (failure,) = history.put_back(changes)
    assert (failure.path, failure.reason) == ("d", "something else is in it")
    assert list(tree(ws)) == ["d", "d/theirs"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes files for others")
def test_what_root_puts_back_belongs_to_its_owner(history: WorkspaceHistory, ws: Path) -> None:
    (ws / "d").mkdir()
    for name in ("d/gone", "d/changed"):
        (ws / name).write_text("x")
    for path in (ws, *ws.rglob("*")):
        os.chown(path, ORDINARY_USER, ORDINARY_USER)
    changes = run(history, ws, "echo y > d/changed; mv d e; rm -r e/gone")
    history.restore(changes)
    assert {path.stat().st_uid for path in ws.rglob("*")} == {ORDINARY_USER}
    assert list(tree(ws)) == ["d", "d/changed", "d/gone"]


def test_a_large_file_is_copied_and_put_back(history: WorkspaceHistory, ws: Path) -> None:
    content = os.urandom(3 * 2**20 + 17)
    (ws / "big").write_bytes(content)
    changes = run(history, ws, "printf x >> big")
    history.restore(changes)
    assert (ws / "big").read_bytes() == content


def test_fifos_sockets_and_names_that_are_no_text_hold_nobody_up(history: WorkspaceHistory, ws: Path) -> None:
    os.mkfifo(ws / "fifo")
    (ws / "a").write_text("a")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(ws / "s"))
        Path(os.fsdecode(os.fsencode(ws) + b"/\xff")).write_text("x")
        changes = run(history, ws, "rm a; mkfifo a")
    assert words(changes) == ["a: file > absent"]
    history.restore(changes)
    assert (ws / "a").read_text() == "a"
    assert not_covered(ws).in_words() == "not covered by undo: 1 file whose names are no UTF-8"


def test_a_name_out_of_the_workspace_is_refused(history: WorkspaceHistory, ws: Path) -> None:
    (ws.parent / "outside").write_text("x")
    for name in ("../outside", "/etc/hostname", "a/../../outside", "a//b", ""):
        with pytest.raises(OSError, match="no name in a workspace"):
            history.begin("1.1", [name])
    state = run(history, ws, "echo a > a")[0]
    failures = history.put_back([FileChange(path="../outside", before=state.before, after=state.after)])
    assert [failure.path for failure in failures] == ["../outside"]
    assert (ws.parent / "outside").read_text() == "x"


# Private, and only what it should see


def test_copies_are_private_and_folders_of_autoagents_own_are_never_in_them(tmp_path: Path, ws: Path) -> None:
    own = ws / "state"
    own.mkdir()
    (own / "secret").write_text("our own words")
    (ws / "a").write_text("a")
    with_own = WorkspaceHistory(own / "undo", ws, forbidden=[own])
    try:
        old_umask = os.umask(0)
        try:
            assert words(run(with_own, ws, "echo b > a; echo more >> state/secret")) == ["a: file > file"]
        finally:
            os.umask(old_umask)
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (own / "undo").rglob("*") if path.is_file()}
        assert modes == {0o600}
        assert stat.S_IMODE((own / "undo").stat().st_mode) == 0o700
        assert b"our own words" not in kept_bytes(own / "undo")
        assert "state" not in not_covered(ws, forbidden=[own]).in_words()
    finally:
        with_own.close()


def exchange(one: Path, other: Path) -> None:
    """Both names at once, so that neither is ever missing."""
    here, swapped = -100, 2
    if ctypes.CDLL(None).renameat2(here, os.fsencode(one), here, os.fsencode(other), swapped) != 0:
        pytest.skip("this file system exchanges no names")


def test_a_folder_and_a_link_that_change_places_lead_nobody_outside(tmp_path: Path, ws: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("a secret of the person's")
    (ws / "d").mkdir()
    (ws / "d/f").write_text("inside")
    (ws / "link").symlink_to(outside)
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            exchange(ws / "d", ws / "link")

    exchange(ws / "d", ws / "link")
    exchange(ws / "d", ws / "link")
    history, thread = WorkspaceHistory(tmp_path / "undo", ws), threading.Thread(target=swap)
    try:
        history.begin("0.1", ["d/f"])
        (ws / "d/f").write_text("changed")
        changes = history.end("0.1")
        thread.start()
        until = time.monotonic() + 1
        number = 0
        while time.monotonic() < until:
            number += 1
            history.begin(f"{number}.1", None)
            history.end(f"{number}.1")
            history.now(["d/f"], keep=True)
            history.put_back(changes)
    finally:
        over.set()
        thread.join()
        history.close()
    assert number > 10
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"f": "a secret of the person's"}
    assert b"a secret of the person's" not in kept_bytes(tmp_path / "undo")


# What is not covered


def test_ignored_folders_are_left_and_said_at_the_start(history: WorkspaceHistory, ws: Path) -> None:
    (ws / "web/node_modules/x").mkdir(parents=True)
    (ws / "web/node_modules/x/i.js").write_text("x")
    (ws / "venv").write_text("a file of that name is covered")
    assert not_covered(ws).in_words() == "not covered by undo: web/node_modules/"
    changes = run(history, ws, "echo y > web/node_modules/x/i.js; rm venv; mkdir .venv; echo z > .venv/z")
    assert words(changes) == ["venv: file > absent"]  # what a tool makes for itself is no change to take back
    assert b"z\n" not in kept_bytes(history._folder)  # pyright: ignore[reportPrivateUsage]  # where its copies are


def test_a_file_that_a_command_names_is_kept_also_in_an_ignored_folder(history: WorkspaceHistory, ws: Path) -> None:
    (ws / "node_modules").mkdir()
    (ws / "node_modules/a.js").write_text("one")
    history.begin("1.1", ["node_modules/a.js"])
    (ws / "node_modules/a.js").write_text("two")
    assert words(history.end("1.1")) == ["node_modules/a.js: file > file"]
    changes = run(history, ws, "echo three > node_modules/a.js", "2.1")
    assert words(changes) == ["node_modules/a.js: file > file"]


def test_a_file_that_is_too_large_is_seen_but_not_kept(tmp_path: Path, ws: Path) -> None:
    (ws / "big").write_bytes(b"x" * 2_000)
    assert "1 file over 0 MB (big)" in not_covered(ws, covered=SMALL).in_words()
    history = WorkspaceHistory(tmp_path / "undo", ws, covered=SMALL)
    try:
        (change,) = run(history, ws, "printf y >> big")
        assert (change.before.kept, change.after.kept, change.after.size) == (False, False, 2_001)
        with pytest.raises(OSError, match="not kept") as raised:
            history.restore([change])
        assert raised.value.strerror
    finally:
        history.close()


def test_in_a_workspace_with_too_many_names_no_file_of_a_persons_is_taken_for_new(tmp_path: Path, ws: Path) -> None:
    for number in range(60):
        (ws / f"f{number:02}").write_text(str(number))
    assert "beyond the first 50 names" in not_covered(ws, covered=SMALL).in_words()
    history = WorkspaceHistory(tmp_path / "undo", ws, covered=SMALL)
    try:
        until = time.time_ns() + 2 * UNSURE_NS
        while time.time_ns() < until:  # the clock tells then that the files were there before
            os.sched_yield()
        changes = run(history, ws, "rm f00 f01 f02; echo new >> f59")
        assert words(changes) == ["f00: file > absent", "f01: file > absent", "f02: file > absent"]
        changes = run(history, ws, "for i in 3 4 5 6 7 8 9; do rm f0$i; done; echo more >> f59", "2.1")
        assert [change.before.kept for change in changes if change.path == "f59"] in ([False], [])
        assert not any(change.before.kind == "absent" for change in changes)
    finally:
        history.close()


def test_looking_for_what_is_not_covered_stops_in_time(ws: Path) -> None:
    for number in range(100):
        (ws / f"f{number}").touch()
    assert "could not be looked through in time" in not_covered(ws, within_s=0).in_words()


AS_ORDINARY_USER = f"""
import os, sqlite3, sys, time
from pathlib import Path
from autoagent.history import WorkspaceHistory
if os.getuid() == 0:
    os.setgid({ORDINARY_USER})
    os.setuid({ORDINARY_USER})
"""


def as_ordinary_user(script: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Python code as somebody who is not root; what it imports may be root's alone."""
    argv = [sys.executable, "-c", AS_ORDINARY_USER + script, *args]
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True, cwd="/")


def test_what_may_not_be_read_is_neither_taken_for_gone_nor_for_new(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for folder in (home, *home.parents[:-2]):
        if folder.owner() != "root" or os.getuid() == 0:
            folder.chmod(0o777 if folder == home else folder.stat().st_mode | 0o711)
    told = as_ordinary_user(
        """
home = Path(sys.argv[1]); ws = home / "ws"; (ws / "shut").mkdir(parents=True); (ws / "open").mkdir()
(ws / "shut/a").write_text("a"); (ws / "open/b").write_text("b"); (ws / "c").write_text("c")
(ws / "shut").chmod(0); (ws / "c").chmod(0)
history = WorkspaceHistory(home / "undo", ws)
until = time.time() + 0.05
while time.time() < until: pass
history.begin("1.1", None)
(ws / "shut").chmod(0o755); (ws / "open").chmod(0); (ws / "c").chmod(0o600); (ws / "c").write_text("x")
changes = history.end("1.1")
print([(c.path, c.before.kind, c.after.kind, c.before.kept) for c in changes])
history.put_back(changes)
print(oct((ws / "shut").stat().st_mode & 0o777), (ws / "open/b").read_text())
(ws / "shut").chmod(0o700); history.close()
""",
        str(home),
    ).stdout.splitlines()
    assert told == [
        "[('c', 'file', 'file', False), ('open', 'folder', 'folder', True), ('shut', 'folder', 'folder', True)]",
        "0o0 b",
    ]


def test_a_run_whose_copies_cant_be_kept_is_told_before_the_command(tmp_path: Path, ws: Path) -> None:
    (tmp_path / "undo").write_text("a file where its folder should be")
    with pytest.raises(OSError, match="Not a directory"):
        WorkspaceHistory(tmp_path / "undo", ws).begin("1.1", None)


# The next run


def test_the_next_run_in_a_workspace_takes_over_what_is_unchanged(tmp_path: Path, ws: Path) -> None:
    def held(folder: Path) -> set[int]:
        return {path.stat().st_ino for path in (folder / "undo/copies").iterdir()}

    for number in range(20):
        (ws / f"f{number}").write_bytes(b"%d" % number * 5_000)
    (ws / "large").write_bytes(os.urandom(400_000))
    until = time.time_ns() + 2 * UNSURE_NS
    while time.time_ns() < until:  # from then on times tell that a file is unchanged
        os.sched_yield()
    first = WorkspaceHistory(tmp_path / "runs/aaaa/undo", ws)
    run(first, ws, "echo 1 > f1")
    first.close()
    (ws / "f2").write_text("a person's")
    before = tree(ws)
    second = WorkspaceHistory(tmp_path / "runs/bbbb/undo", ws)
    other = WorkspaceHistory(tmp_path / "runs/cccc/undo", tmp_path / "runs")
    try:
        changes = run(second, ws, "rm f1 f2 f3 large")
        assert len(held(tmp_path / "runs/aaaa") & held(tmp_path / "runs/bbbb")) == 2
        own = held(tmp_path / "runs/bbbb") - held(tmp_path / "runs/aaaa")
        new = [path for path in (tmp_path / "runs/bbbb/undo/copies").iterdir() if path.stat().st_ino in own]
        assert sum(path.stat().st_size for path in new) < 200
        shutil.rmtree(tmp_path / "runs/aaaa")
        second.restore(changes)
        assert tree(ws) == before
        other.begin("1.1", ["x"])
        assert not held(tmp_path / "runs/cccc")
    finally:
        second.close()
        other.close()


# Crashes


def test_a_process_that_goes_on_knows_the_first_look(tmp_path: Path, ws: Path) -> None:
    (ws / "a").write_text("before")
    first = again(tmp_path, ws)
    first.begin("3.1", None)
    (ws / "a").write_text("half")
    second = again(tmp_path, ws)  # the first was killed
    second.begin("3.1", None)
    (ws / "b").write_text("b")
    assert words(second.end("3.1")) == ["a: file > file", "b: absent > file"]
    second.close()
    first.close()
    third = again(tmp_path, ws)
    changes = third.end("3.1")  # the end was seen, but not recorded
    assert words(changes) == ["a: file > file", "b: absent > file"]
    third.restore(changes)
    assert list(tree(ws)) == ["a"]
    assert (ws / "a").read_text() == "before"
    assert third.end("3.1") == ()
    third.close()


KILLED = """
import sys
from pathlib import Path
from autoagent.history import WorkspaceHistory
history = WorkspaceHistory(Path(sys.argv[1]), Path(sys.argv[2]))
print("begins", flush=True)
history.begin("1.1", None)
print("begun", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("part", [0, 2])
def test_killed_in_the_midst_of_a_look_the_next_one_is_whole(tmp_path: Path, ws: Path, part: int) -> None:
    for number in range(400):
        (ws / f"f{number}").write_bytes(b"%d" % number * 2_000)
    before = tree(ws)
    argv = [sys.executable, "-c", KILLED, str(tmp_path / "run/undo"), str(ws)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        copies, wanted = tmp_path / "run/undo/copies", part * 700_000
        until = time.monotonic() + 10
        while time.monotonic() < until and sum(path.stat().st_size for path in copies.glob("*")) < wanted:
            pass
        process.send_signal(signal.SIGKILL)
    history = again(tmp_path, ws)
    changes = run(history, ws, "rm f*; echo x > x")
    history.restore(changes)
    history.close()
    assert tree(ws) == before


def test_a_damaged_copy_is_never_put_back(tmp_path: Path, ws: Path) -> None:
    (ws / "a").write_text("what was there")
    history = again(tmp_path, ws)
    (change,) = run(history, ws, "echo b > a")
    (pack,) = [path for path in (tmp_path / "run/undo/copies").iterdir() if b"was" in path.read_bytes()]
    pack.write_bytes(pack.read_bytes().replace(b"was", b"is "))
    (failure,) = history.put_back([change])
    history.close()
    assert failure.reason == "the kept copy is damaged"
    assert (ws / "a").read_text() == "b\n"
    assert list(tree(ws)) == ["a"]


def test_damaged_looks_stop_the_command_and_nothing_is_guessed(tmp_path: Path, ws: Path) -> None:
    first = again(tmp_path, ws)
    run(first, ws, "echo a > a")
    first.close()
    (tmp_path / "run/undo/looks.sqlite").write_bytes(b"no database" * 1_000)
    second = again(tmp_path, ws)
    with pytest.raises(OSError, match="database") as raised:
        second.begin("2.1", None)
    second.close()
    assert raised.value.strerror


# Step by step


def change(path: str, before: str, after: str) -> FileChange:
    """States by one letter each; "" for nothing there."""

    def state(letter: str) -> dict[str, str]:
        return {"kind": "file", "sha256": hashlib.sha256(letter.encode()).hexdigest()} if letter else {}

    return FileChange.model_validate({"path": path, "before": state(before), "after": state(after)})


def made(*steps: tuple[int, str, str, str]) -> list[Deed]:
    return [Deed(step, (change(path, before, after),)) for step, path, before, after in steps]


def test_what_a_program_in_the_background_changed_belongs_to_the_step_before() -> None:
    call = CommandCall(name="run_shell", args={})
    found = deeds(
        [
            CommandStarted(call_id="3.1", call=call, allowed_by="test", sandbox="bubblewrap"),
            CommandFinished(call_id="3.1", outcome="ok", text="", changed=(change("a", "", "1"),)),
            FilesChanged(changed=(change("b", "", "1"),)),
            CommandStarted(call_id="4.1", call=call, allowed_by="test", sandbox="bubblewrap"),
            FilesUndone(changed=(change("c", "half", ""), change("a", "1", "")), by="test"),
        ],
        lambda _: "",
    )
    assert [(deed.step, deed.undid, [one.path for one in deed.changed]) for deed in found] == [
        (3, False, ["a"]),
        (3, False, ["b"]),
        (4, False, ["c"]),  # of a command whose end is not recorded
        (4, True, ["c", "a"]),
    ]
    assert [one.path for one in back_to(found, 0)] == ["b"]


def test_back_to_a_step_is_the_state_after_it() -> None:
    done = made((1, "a", "", "1"), (2, "a", "1", "2"), (3, "b", "x", "y"), (4, "a", "2", "4"))
    assert [(one.path, one.target) for one in back_to(done, 2)] == [
        ("a", change("a", "", "2").after),
        ("b", change("b", "", "x").after),
    ]
    assert [one.target.kind for one in back_to(done, 0)] == ["absent", "file"]
    assert back_to(done, 4) == []


def test_a_step_alone_says_which_later_step_stands_in_the_way() -> None:
    done = made((1, "a", "", "1"), (1, "b", "", "1"), (3, "a", "1", "3"))
    wanted, later = without_step(done, 1)
    assert ([one.path for one in wanted], later) == (["b"], {"a": 3})
    assert without_step(done, 3)[1] == {}


def test_what_a_later_step_put_back_itself_does_not_stand_in_the_way() -> None:
    done = made((1, "a", "", "1"), (2, "a", "1", "2"), (3, "a", "2", "1"))
    wanted, later = without_step(done, 1)
    assert ([one.path for one in wanted], later) == (["a"], {})


def test_a_copy_that_a_full_disk_did_not_keep_makes_nobody_else_of_the_run() -> None:
    full, later = made((1, "a", "x", "y"), (2, "a", "y", "z"))
    (one,) = full.changed
    lost = one.model_copy(update={"after": one.after.model_copy(update={"kept": False})})
    (wanted,) = back_to([Deed(1, (lost,)), later], 0)
    assert not wanted.others
    assert plan([wanted], {"a": wanted.left}).acts


def test_an_undo_is_taken_back_once() -> None:
    done = [*made((1, "a", "x", "y")), Deed(1, (change("a", "y", "x"),), undid=True)]
    assert net(done) == ()
    assert back_to(done, 0) == []
    assert [one.target for one in brought_back(done)] == [change("a", "", "y").after]
    done.append(Deed(1, (change("a", "x", "y"),), redid=True))
    assert brought_back(done) == []
    assert [one.path for one in back_to(done, 0)] == ["a"]


def test_after_an_undo_a_step_can_be_gone_back_to() -> None:
    done = [*made((1, "a", "", "1"), (2, "a", "1", "2")), Deed(2, (change("a", "2", ""),), undid=True)]
    assert [one.target for one in back_to(done, 1)] == [change("a", "", "1").after]
    assert [one.target for one in back_to(done, 2)] == [change("a", "", "2").after]


def test_what_others_changed_between_two_steps_is_theirs() -> None:
    done = made((1, "a", "", "1"), (2, "a", "person", "2"))
    (whole,) = back_to(done, 0)
    assert whole.others
    (one,) = back_to(done, 1)
    assert (one.target, one.others) == (change("a", "", "person").after, False)
    found = plan([whole], {"a": whole.left})
    assert [change.path for change in found.theirs] == ["a"]


# Differences


def test_a_difference_is_what_the_standard_library_says_with_lines_numbered_right() -> None:
    old = "".join(f"line {n}\n" for n in range(1, 3_001))
    new = old.replace("line 2000\n", "LINE\n")
    assert next(difference(old, new)) == "@@ -1997,7 +1997,7 @@"
    assert [text for text in difference(old, new) if text[0] in "+-"] == ["-line 2000", "+LINE"]
    assert list(difference("a", "a\n")) == ["@@ -1 +1 @@", "-a\n\\ No newline at end of file", "+a"]


def test_a_difference_of_large_texts_takes_no_long_time() -> None:
    old, new = ("".join(f"{n * k % 9_973}\n" for n in range(20_000)) for k in (3, 7))
    began = time.monotonic()
    assert sum(1 for _ in difference(old, new)) > 30_000
    assert time.monotonic() - began < 2


# Neighbours


def test_live_runs_of_one_workspace_or_of_nested_ones_see_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "ws/inner").mkdir(parents=True)
    (tmp_path / "wsx").mkdir()
    (tmp_path / "other").symlink_to("ws")
    with Presence(tmp_path / "ws", "aaaa") as first, Presence(tmp_path / "wsx", "dddd") as apart:
        assert first.others() == ()
        with Presence(tmp_path / "other", "bbbb") as same, Presence(tmp_path / "ws/inner", "cccc") as inner:
            assert first.others() == ("bbbb", "cccc")
            assert same.others() == ("aaaa", "cccc")
            assert inner.others() == ("aaaa", "bbbb")
            assert apart.others() == ()
        assert first.others() == ()


def test_what_a_dead_run_left_is_no_neighbour_and_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    script = (
        "import sys; from pathlib import Path; from autoagent.history import Presence\n"
        "held = Presence(Path(sys.argv[1]), 'dead'); print('there', flush=True); sys.stdin.readline()"
    )
    with Presence(tmp_path, "aaaa") as mine:
        argv = [sys.executable, "-c", script, str(tmp_path)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            assert mine.others() == ("dead",)
            process.send_signal(signal.SIGKILL)
        assert mine.others() == ()
        assert [path.name for path in (tmp_path / "state/autoagent/workspaces").iterdir()] == ["aaaa"]


def test_the_system_says_why_a_disk_is_full(tmp_path: Path, ws: Path) -> None:
    """As much as this process may write at most; the file that does not fit leaves nothing half kept."""
    (ws / "a").write_bytes(os.urandom(300_000))
    script = (
        "import resource, signal, sys; from pathlib import Path; from autoagent.history import WorkspaceHistory\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "history = WorkspaceHistory(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "try: history.begin('1.1', None)\n"
        "except OSError as error: print(error.errno)"
    )
    argv = [sys.executable, "-c", script, str(tmp_path / "run/undo"), str(ws)]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip() == str(errno.EFBIG)
    history = again(tmp_path, ws)
    before = tree(ws)
    history.restore(run(history, ws, "rm a"))
    history.close()
    assert tree(ws) == before
