"""A run that is killed, or whose disk fails, at any system call: nothing happens twice, nothing is hidden."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from crash_harness import (
    FILES,
    PROGRAMS,
    Bench,
    Case,
    Fault,
    Row,
    Server,
    Whose,
    World,
    shell,
    spread,
    table,
    tree,
)
from support import by_step

from autoagent.build import sandbox_layer
from autoagent.journal import state_of
from autoagent.testing import ModelServer, Repeat


def why_not() -> str:
    """Why nothing can be killed at a system call here; "" where it can."""
    if not shutil.which("strace"):
        return "strace is not installed"
    said = subprocess.run(("strace", "-f", "-o", os.devnull, "true"), capture_output=True, text=True, check=False)
    return f"strace can't trace here: {said.stderr.strip()[-200:]}" if said.returncode else ""


REASON = why_not()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)
CASES = {"files": FILES, "programs": PROGRAMS}
WRITING = ("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "renameat", "renameat2", "openat")
MAKING = ("openat2", "mkdir", "mkdirat", "linkat", "symlinkat", "unlink", "unlinkat", "fchmod")


@pytest.fixture(scope="module")
def server() -> Generator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def bench(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Generator[Callable[[str], Bench]]:
    """One bench a case, made when it is first asked for."""
    made: dict[str, Bench] = {}
    models: list[ModelServer] = []

    def get(name: str) -> Bench:
        if name == "programs" and sandbox_layer() == "none":
            pytest.skip("nothing here can hold a program")
        if name not in made:
            models.append(ModelServer([Repeat(by_step(CASES[name].script))]))
            models[-1].start()
            made[name] = Bench(tmp_path_factory.mktemp(name), CASES[name], server, models[-1])
        return made[name]

    yield get
    for model in models:
        model.close()


def sound(rows: list[Row]) -> None:
    wrong = [str(row) for row in rows if row.violations]
    assert not wrong, "\n".join(wrong)


# A few points in the ordinary suite


@pytest.mark.parametrize(("name", "whose"), [("files", "agent"), ("programs", "any")])
def test_a_kill_at_a_system_call_never_repeats_or_hides_an_effect(
    bench: Callable[[str], Bench], name: str, whose: Whose
) -> None:
    used = bench(name)
    most = {call: times for call, times in used.most(whose).items() if call in ("renameat", "fsync", "vfork", "poll")}
    rows = [used.disturb(Fault(call, when, whose=whose)) for call, when in spread(most, 5)]
    sound(rows)
    assert any(row.fired for row in rows)


def test_a_disk_that_takes_no_more_stops_the_run_before_the_act_and_it_goes_on_when_there_is_room(
    bench: Callable[[str], Bench],
) -> None:
    used = bench("files")
    rows = [used.disturb(Fault("fsync", when, "EIO")) for when in (9, 14)]
    sound(rows)
    assert all(row.fired for row in rows)


# The sweep

RUNS = 20  # of each chunk: 600 in all, of which at least 500 are really killed
KILLS: tuple[tuple[str, Whose, int], ...] = (
    ("files", "agent", 15),
    ("files", "container", 6),
    ("programs", "agent", 2),
    ("programs", "container", 3),
    ("programs", "any", 4),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "whose", "chunk", "chunks"),
    [(name, whose, chunk, chunks) for name, whose, chunks in KILLS for chunk in range(chunks)],
)
def test_no_kill_at_any_system_call_repeats_or_hides_an_effect(
    bench: Callable[[str], Bench],
    name: str,
    whose: Whose,
    chunk: int,
    chunks: int,
    record_property: Callable[[str, object], None],
) -> None:
    used = bench(name)
    points = spread(used.most(whose), chunks * RUNS)[chunk::chunks]
    rows = [used.disturb(Fault(call, when, whose=whose)) for call, when in points]
    record_property("kills", [row.counted for row in rows])
    sound(rows)
    assert sum(row.fired for row in rows) >= 0.9 * RUNS, "\n".join(table([row.counted for row in rows]))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_second_kill_while_the_run_goes_on_changes_nothing(bench: Callable[[str], Bench], name: str) -> None:
    used = bench(name)
    kills = [Fault(call, when) for call, when in spread(used.most("agent"), 24)]
    rows = [used.disturb(kill, Fault(kill.syscall, max(1, kill.when // 2))) for kill in kills]
    sound(rows)
    assert sum(row.fired for row in rows) >= 1.5 * len(rows), "\n".join(table([row.counted for row in rows]))


@pytest.mark.slow
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize(("name", "whose"), [("files", "agent"), ("programs", "any")])
def test_a_disk_that_fails_at_any_call_never_repeats_or_hides_an_effect(
    bench: Callable[[str], Bench], name: str, whose: Whose, error: str
) -> None:
    used = bench(name)
    opens = {"openat"} if whose == "any" else set[str]()  # that number of the agent is a file of a package
    points = used.touching(whose, [call for call in (*WRITING, *MAKING) if call not in opens])
    rows = [used.disturb(Fault(call, when, error, whose)) for call, when in points[:: 1 + len(points) // 16]]
    sound(rows)
    assert sum(row.fired for row in rows) >= 0.9 * len(rows), "\n".join(table([row.counted for row in rows]))


@pytest.mark.slow
def test_the_harness_sees_it_when_a_command_of_unknown_outcome_is_run_again(bench: Callable[[str], Bench]) -> None:
    used = bench("programs")
    times = used.most("container")["fsync"]
    kills = [Fault("fsync", when, whose="container") for when in range(times // 3, times, 2)]
    careless = [used.disturb(kill, resume="resume carelessly") for kill in kills]
    assert any("took effect 2 times" in violation for row in careless for violation in row.violations)
    sound([used.disturb(kill) for kill in kills])


# Signals

ENDLESS = Case({}, ((shell("echo begun >> effects; sleep 300", token="begun"),),))
RUN = ("run", "--continuous", "--model", "test-model", "--base-url")


@pytest.fixture
def endless(tmp_path: Path) -> Generator[World]:
    if sandbox_layer() == "none":
        pytest.skip("nothing here can hold a program")
    with ModelServer([Repeat(by_step(ENDLESS.script))]) as model:
        world = World(tmp_path, ENDLESS, model.base_url)
        ENDLESS.lay_out(world.workspace)
        yield world


def until(happened: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def has_begun(world: World) -> bool:
    return (world.workspace / "effects").read_text() == "begun\n"


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), [([signal.SIGTERM], 5), ([signal.SIGINT] * 2, 130)])
@pytest.mark.parametrize("alone", [False, True], ids=["a process", "process 1"])
def test_a_signal_while_a_program_runs_ends_both_at_once_and_the_run_can_go_on(
    server: Server, endless: World, sent: list[signal.Signals], code: int, alone: bool
) -> None:
    running = server.start(endless, "typed", (*RUN, endless.base_url, "Do it"), alone=alone)
    until(lambda: has_begun(endless))
    began = time.monotonic()
    for number in sent:
        os.kill(running.process, number)
        server.has_more_to_say(0.5)
    while not server.has_more_to_say(3.0):  # on a busy machine two that come close together are one
        os.kill(running.process, sent[-1])
    assert server.finish(running).code == code, running.said
    assert time.monotonic() - began < 10
    assert server.left() == []
    assert endless.folder
    assert state_of(endless.folder).status == "paused"
    server.do(endless, "resume")
    assert state_of(endless.folder).status == "reached"
    assert tree(endless.workspace)["effects"][2] == "begun\n"
