"""Reaching a limit is never "done": from what is kept of it a hand-over is written, from which a run goes on."""

import json
from pathlib import Path
from typing import Any

import pytest
from support import World

from autoagent.budget import KEPT, KEPT_S, Limits
from autoagent.testing import Failure, Hang, ModelServer, Reply, done, thought

PRICES = {"test-model": {"input": 1.0, "output": 10.0}}  # dollars per million tokens
NOTES = {"done": ["read a.md: 49 euros (a.md:3)"], "open": ["Beta's price"], "next": "read b.md"}
PLAN = ["[x] read a.md", "[>] read b.md", "[ ] write the report"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def step(number: int = 0) -> dict[str, Any]:
    return thought(plan=PLAN, commands=[("write_file", {"path": "f", "text": str(number)})])


def spending(input_tokens: int, output_tokens: int = 0) -> dict[str, int]:
    return {"prompt_tokens": input_tokens, "completion_tokens": output_tokens}


def test_at_a_step_limit_the_model_writes_what_is_done_and_open_and_that_is_no_step(world: World) -> None:
    with ModelServer([step(1), step(2), NOTES]) as server:
        state = world.run(server, limits__steps=2)
        shown = server.requests[2].body["messages"]
    assert (state.status, state.step) == ("limit", 2)
    assert state.handover is not None
    assert (state.handover.done, state.handover.next, state.handover.by) == (tuple(NOTES["done"]), "read b.md", "model")
    assert state.handover.files == ("f",)
    assert "read b.md" in shown[1]["content"]
    assert len(json.dumps(shown)) < 8_000


def test_a_resumed_run_starts_from_the_hand_over_and_reads_it_once(world: World) -> None:
    with ModelServer([step(1), NOTES]) as server:
        world.run(server, limits__steps=1)
    with ModelServer([step(2), done("x")]) as server:
        state = world.run_again(world.folder, server, limits__steps=5)
        told = [json.dumps(request.body["messages"]).count("Beta's price") for request in server.requests]
    assert state.status == "reached"
    assert told == [1, 1]


def test_a_limit_that_is_still_used_up_on_resume_makes_no_call(world: World) -> None:
    with ModelServer([step(1), NOTES]) as server:
        world.run(server, limits__steps=1)
    with ModelServer([]) as server:
        state = world.run_again(world.folder, server)
        assert server.requests == []
    assert (state.status, state.handover is not None) == ("limit", True)


def test_a_tenth_of_the_money_is_kept_for_it_and_the_whole_limit_still_holds(world: World) -> None:
    usage = spending(6_000)
    with ModelServer(
        [Reply(step(n), usage=usage) for n in range(3)] + [Reply(NOTES, usage=spending(400, 80))]
    ) as server:
        state = world.run(server, prices=PRICES, limits__cost=0.0285, reply_tokens=100)
        assert len(server.requests) == 4
    assert state.handover is not None
    assert (state.status, state.handover.by) == ("limit", "model")
    assert "so it was not sent" in state.reason
    assert state.usage.cost_usd <= 0.0285


def test_where_even_the_hand_over_does_not_fit_a_digest_stands_for_it(world: World) -> None:
    with ModelServer([Reply(step(1), usage=spending(11_900))]) as server:
        state = world.run(server, prices=PRICES, limits__cost=0.012, reply_tokens=100)
        assert len(server.requests) == 1
    assert state.handover is not None
    assert (state.handover.by, state.handover.done) == ("digest", ("read a.md",))
    assert state.handover.open == ("read b.md", "write the report")


@pytest.mark.parametrize("answer", [Failure(500), Failure(401), "nothing of use", {"done": [], "open": [], "next": ""}])
def test_a_hand_over_that_comes_to_nothing_is_tried_once_and_the_run_still_ends_at_its_limit(
    world: World, answer: Any
) -> None:
    with ModelServer([step(1), answer]) as server:
        state = world.run(server, limits__steps=1)
        assert len(server.requests) == 2
    assert (state.status, state.handover and state.handover.by) == ("limit", "digest")


def test_a_hand_over_is_written_within_the_time_that_is_left(world: World) -> None:
    with ModelServer([step(1), Hang(), Hang()]) as server:
        state = world.run(server, limits__time=1.0)
    assert state.status == "limit"
    assert state.handover is not None
    assert state.worked_s < 3


def test_no_hand_over_is_written_before_there_is_anything_to_hand_over(world: World) -> None:
    with ModelServer([]) as server:
        state = world.run(server, limits__steps=0)
        assert server.requests == []
    assert (state.status, state.handover) == ("limit", None)


def test_killed_between_the_hand_over_and_the_pause_it_is_not_written_twice(world: World) -> None:
    with ModelServer([step(1), NOTES]) as server:
        world.run(server, limits__steps=1)
    path = world.folder / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    assert b"run_paused" in lines[-1]
    path.write_bytes(b"".join(lines[:-1]))
    with ModelServer([]) as server:
        state = world.run_again(world.folder, server)
    assert (state.status, len(world.events("handover_written"))) == ("limit", 1)


@pytest.mark.parametrize(("time_s", "work"), [(10.0, 9.0), (600.0, 570.0), (None, None)])
def test_a_tenth_of_the_time_at_most_half_a_minute_is_kept(time_s: float | None, work: float | None) -> None:
    assert (KEPT, KEPT_S) == (0.1, 30.0)
    assert Limits(time_s=time_s).working_s == work
