"""A stronger model, where one is given, is asked only while the run goes in circles."""

from pathlib import Path
from typing import Any

import pytest
from support import World

from autoagent.testing import ModelServer, done, thought

LOOK = thought(commands=[("list_files", {})])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def models(server: ModelServer) -> list[Any]:
    return [request.body["model"] for request in server.requests]


def test_the_stronger_model_is_asked_once_the_plan_has_to_change_and_no_longer_after_that(world: World) -> None:
    other = thought(commands=[("write_file", {"path": "a.txt", "text": "a"})])
    with ModelServer([*[LOOK] * 5, other, done("ok")]) as server:
        state = world.run(server, escalate_model="strong-model")
    assert state.status == "reached"
    assert models(server) == ["test-model"] * 5 + ["strong-model", "test-model"]


def test_without_one_the_run_ends_as_stalled_with_its_own_model(world: World) -> None:
    with ModelServer([LOOK] * 8) as server:
        state = world.run(server)
    assert (state.status, set(models(server))) == ("stalled", {"test-model"})


def test_the_price_of_the_stronger_model_has_to_be_known_where_a_cost_limit_holds(world: World) -> None:
    from autoagent.errors import ConfigError

    prices = {"test-model": {"input": 1, "output": 1}}
    with ModelServer([]) as server, pytest.raises(ConfigError, match="strong-model"):
        world.run(
            server, escalate_model="strong-model", prices=prices, limits__cost=1.0, base_url="http://example.invalid/v1"
        )
