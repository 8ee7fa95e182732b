"""What a person says while a result is checked is read by the model before the run can end as reached."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import Person, World, finish, outcomes

from autoagent import build, inbox
from autoagent.criteria import Criterion
from autoagent.inbox import InboxMessage
from autoagent.journal import Journal
from autoagent.places import new_run_folder
from autoagent.state import State
from autoagent.testing import ModelServer, done, thought


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def advised(world: World, when: Callable[[Any], bool], script: list[Any], **flags: Any) -> tuple[State, list[str]]:
    """A run to whom a person says something right behind an event, and what the model read."""

    class Says(Journal):
        said = False

        def append(self, event: Any) -> State:
            state = super().append(event)
            if not Says.said and when(event):
                Says.said = True
                inbox.send(self.folder, InboxMessage(kind="say", by="answer", text="The price must be in dollars"))
            return state

    with ModelServer(script) as server:
        settings = world.settings(server, {"review": "off", "evidence": "mark", **flags})
        setup, limits = build.make_setup(settings, build.choose_model(settings), world.workspace)
        criteria = (Criterion(text="r", file="r.md", by="person"),)
        started = build.start_run(new_run_folder(), setup, limits, ["Go"], criteria=criteria, notify=print)
        started.close()
        state = finish(world.agent(Says(started.folder), settings, None, ()))
        return state, [json.dumps(request.body) for request in server.requests]


@pytest.mark.parametrize("kind", ["model_replied", "criteria_judged", "evidence_checked"])
def test_advice_that_comes_while_a_result_is_checked_is_read_before_the_run_ends(world: World, kind: str) -> None:
    def when(event: Any) -> bool:
        return event.type == kind and (kind != "model_replied" or event.thought.commands[0].name == "task_complete")

    write = thought(commands=[("write_file", {"path": "r.md", "text": "Acme is fine\n"})])
    script = [write, done("written"), done("in dollars")]
    state, read_by_model = advised(world, when, script)
    assert (state.status, state.result) == ("reached", "in dollars")
    assert outcomes(state)[1] == ("task_complete", "failed")
    assert ["in dollars" in body for body in read_by_model] == [False, False, True]


def test_advice_that_comes_at_the_last_moment_is_read_too(world: World) -> None:
    class Late(Person):
        said = False

        def messages(self) -> Iterable[InboxMessage]:
            if not self.said:
                self.said = True
                inbox.send(self.folder, InboxMessage(kind="say", by="answer", text="The price must be in dollars"))
            return super().messages()

    with ModelServer([done("written"), done("in dollars")]) as server:
        agent = world.start(server, review="off", evidence="off")
        agent.acceptance = replace(agent.acceptance, people=Late(agent.journal.folder))
        state = finish(agent)
    assert (state.status, state.result) == ("reached", "in dollars")
