"""Commands that only read: side by side, cut without loss, bounded by the run's time; text from outside taints."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import HANDOVER, World, by_step, finish, observations, outcomes

from autoagent.env import Env, Excerpt
from autoagent.registry import Command, command
from autoagent.testing import ModelServer, Repeat, done, thought


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


@pytest.fixture
def handlers() -> Iterator[None]:
    """Puts back what a test installs for signals."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def waiting_read(reached: threading.Event, go_on: threading.Event) -> Command[..., Any]:
    @command("reads")
    def look() -> str:
        """Look, for as long as it takes."""
        reached.set()
        go_on.wait(20)
        return "seen"

    return look


@pytest.mark.usefixtures("handlers")
def test_a_wish_to_stop_cuts_a_read_which_is_made_again_when_the_run_goes_on(world: World) -> None:
    reached, go_on = threading.Event(), threading.Event()
    script = [thought(commands=[("look", {}), ("list_files", {})]), done("ok")]
    with ModelServer([Repeat(by_step(script))]) as server:
        agent = world.start(server, commands=[waiting_read(reached, go_on)])
        stopped_when(reached, world)
        state = finish(agent)
        assert (state.status, outcomes(state)) == ("paused", [])
        go_on.set()
        state = world.run_again(world.folder, server, commands=[waiting_read(reached, go_on)])
    assert state.status == "reached"
    assert outcomes(state)[:2] == [("look", "ok"), ("list_files", "ok")]


def stopped_when(reached: threading.Event, world: World) -> None:
    """As a person's Ctrl-C once the command is under way."""
    assert world.person is not None
    signals = world.person.signals
    signals.install()
    threading.Thread(target=lambda: reached.wait(20) and signals.wake("stopped by a test"), daemon=True).start()


def test_the_time_limit_cuts_a_read(world: World) -> None:
    reached, never = threading.Event(), threading.Event()
    with ModelServer([thought(commands=[("look", {})]), HANDOVER]) as server:
        state = world.run(server, commands=[waiting_read(reached, never)], limits__time=0.5)
    never.set()
    assert state.status == "limit"
    assert outcomes(state) == [("look", "failed")]
    assert "time limit" in observations(state)[0].text


@command("reads", outside=True)
def fetch_page(env: Env, words: int) -> Excerpt:
    """A page from outside."""
    whole = "https://example.org/next " + "word " * words
    return Excerpt(f"part for {env.share_tokens}", whole)


def test_an_excerpt_is_shown_and_its_whole_is_kept(world: World) -> None:
    script = [
        thought(commands=[("fetch_page", {"words": 3})]),
        thought(commands=[("read_observation", {"id": "1.1"})]),
        done("ok"),
    ]
    with ModelServer([*script]) as server:
        state = world.run(server, commands=[fetch_page])
    page, whole = observations(state)[:2]
    assert page.text.startswith("part for ")
    assert "read_observation 1.1" in page.text
    assert "https://example.org/next word word word" in whole.text


def test_text_from_outside_taints_the_run_from_then_on(world: World) -> None:
    script = [thought(commands=[("list_files", {})]), thought(commands=[("fetch_page", {"words": 1})]), done("ok")]
    with ModelServer([*script]) as server:
        state = world.run(server, commands=[fetch_page])
    assert state.outside == "2.1"


def test_what_comes_from_outside_is_asked_for_once_and_gets_an_equal_part(world: World) -> None:
    asked: list[int] = []

    @command("reads", outside=True)
    def fetch(env: Env, number: int) -> str:
        """A page."""
        asked.append(number)
        text = "x " * env.share_tokens
        while env.count(text) > env.share_tokens:
            text = text[: len(text) * 9 // 10]
        return text

    calls = [("fetch", {"number": number}) for number in (1, 2, 3)]
    with ModelServer([thought(commands=calls), done("ok")]) as server:
        state = world.run(server, commands=[fetch])
    assert sorted(asked) == [1, 2, 3]
    assert all("left out here" not in o.text for o in observations(state)[:3])
