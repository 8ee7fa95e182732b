"""The loop guard in whole runs: the real agent, files, programs and command line; only the model is scripted."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from support import World, observations, outcomes

from autoagent.stall import REPEATED
from autoagent.state import State
from autoagent.terminal.steps import loop_lines
from autoagent.testing import ModelServer, Repeat, done, thought


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def server_of(*calls: tuple[str, Mapping[str, Any]]) -> ModelServer:
    """A model that asks for these in turn for ever, whatever it is told."""
    turns: Iterator[tuple[str, Mapping[str, Any]]] = cycle(calls)
    return ModelServer([Repeat(lambda _: thought(commands=[next(turns)]))])


def tails(server: ModelServer) -> list[str]:
    """The last message of each request."""
    return [str(request.body["messages"][-1]["content"]) for request in server.requests if request.body]


def test_a_run_is_told_at_the_third_refused_after_the_fifth_and_ended_at_the_eighth(world: World) -> None:
    world.file("a.txt", "one\n")
    world.file("b.txt", "two\n")
    with server_of(("read_file", {"path": "a.txt"})) as server:
        state = world.run(server)
        told = ["Warning: " in tail for tail in tails(server)]
    assert state.status == "stalled"
    assert state.reason == "read_file was asked for 8 times with the same result"
    assert told == [False] * 3 + [True] * 5
    assert outcomes(state) == [("read_file", "ok")] * 5 + [("read_file", "refused")] * 3
    assert observations(state)[5].text.startswith(f"{REPEATED} its result would be that of observation 5.1")
    assert not world.events("approval_asked")


def test_a_loop_in_other_spellings_ends_the_same_way(world: World) -> None:
    world.file("d/a.txt", "one\n")
    with server_of(*(("read_file", {"path": path}) for path in ("d/a.txt", "./d/a.txt", "d//a.txt"))) as server:
        state = world.run(server)
    assert (state.status, state.step) == ("stalled", 8)


def test_two_commands_in_turn_are_called_a_circle_and_end(world: World) -> None:
    world.file("a.txt", "one\n")
    with server_of(("read_file", {"path": "a.txt"}), ("list_files", {})) as server:
        state = world.run(server)
        assert any("You go in a circle, 3 times now: read_file, list_files" in tail for tail in tails(server))
    assert state.status == "stalled"
    assert state.step <= 16


def test_files_searched_in_other_words_for_the_same_line_end(world: World) -> None:
    world.file("계약서.md", "마감일, 곧 종료 기한은 5월 3일이다.\n")
    words = [("search_files", {"query": word}) for word in ("마감일", "종료", "기한", "5월 3일")]
    with server_of(*words) as server:
        state = world.run(server)
        assert any("search_files brought the same hits 3 times" in tail for tail in tails(server))
    assert (state.status, state.step) == ("stalled", 8)


def test_one_content_written_again_and_again_ends_and_stays_written(world: World) -> None:
    with server_of(("write_file", {"path": "out.md", "text": "# Report\n"})) as server:
        state = world.run(server)
    assert (state.status, state.step) == ("stalled", 8)
    assert world.text("out.md") == "# Report\n"


def test_an_end_that_is_never_accepted_ends_as_stalled(world: World) -> None:
    with ModelServer([Repeat(done("It is in the report.", ["report.pdf"]))]) as server:
        state = world.run(server)
    assert state.status == "stalled"


def test_edits_and_tests_that_fail_the_same_way_go_on(world: World) -> None:
    world.file("a.txt", "0")
    script: list[Any] = []
    for n in range(10):
        script.append(thought(commands=[("edit_file", {"path": "a.txt", "old": f"{n}", "new": f"{n + 1}"})]))
        script.append(thought(commands=[("read_file", {"path": "none"})]))
    with ModelServer([*script, done("ok")]) as server:
        state = world.run(server)
        assert not any("Warning: " in tail for tail in tails(server))
    assert state.status == "reached"


def test_what_the_screen_says_of_a_loop(world: World) -> None:
    world.file("a.txt", "one\n")
    shown: dict[int, str] = {}
    with server_of(("read_file", {"path": "a.txt"})) as server:
        state = world.run(server)
    for step in range(1, state.step + 1):
        of = State(steps=state.steps[:step])
        shown[step] = "".join(piece.text for line in loop_lines(of) for piece in line.pieces)
    assert shown[2] == ""
    assert shown[3] == "! same read_file 3 times, same result · told to change plan"
    assert shown[5] == "! same read_file 5 times, same result · not run again, told to review the plan"
    assert shown[8] == "! same read_file 8 times, same result · ended as stalled"


def test_the_command_line_ends_with_exit_code_3(world: World) -> None:
    with server_of(("list_files", {})) as server:
        argv = [str(Path(sys.executable).parent / "autoagent"), "run", "-c", "--base-url", server.base_url]
        ran = subprocess.run(
            [*argv, "-m", "test-model", "Look"], cwd=world.workspace, capture_output=True, text=True, check=False
        )
    assert ran.returncode == 3
    assert "list_files was asked for 8 times with the same result" in ran.stderr + ran.stdout


def test_a_file_that_somebody_else_changes_is_read_again_however_often_it_was_the_same(world: World) -> None:
    path = world.file("status.txt", "starting\n")
    look = thought(commands=[("read_file", {"path": "status.txt"})])

    def reply(body: dict[str, Any]) -> Any:
        if "This is step 6" in body["messages"][-1]["content"]:
            path.write_text("ready\n")
        return done("ready") if "This is step 7" in body["messages"][-1]["content"] else look

    with ModelServer([Repeat(reply)]) as server:
        state = world.run(server)
    assert state.status == "reached"
    assert observations(state)[5].text.endswith("ready")
