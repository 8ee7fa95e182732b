"""Drafts, reviews and runs with criteria, for the tests of what ends a run."""

import json
from typing import Any

from support import World, finish, no, yes

from autoagent import build
from autoagent.criteria import Criterion
from autoagent.places import new_run_folder
from autoagent.state import State
from autoagent.testing import ModelServer, thought

WRITES = [("write_file", {"path": "report.md", "text": "Acme costs 49 euros.\n"})]
WRITE = thought(commands=WRITES)
TEXT, FILE = {"text": "the price of Acme is given"}, {"text": "there is a report", "file": "report.md"}


def drafting(*criteria: dict[str, Any], commands: list[Any]) -> dict[str, Any]:
    return json.loads(json.dumps(thought(commands=commands))) | {"criteria": list(criteria), "needs": None}


def verdicts(*given: tuple[int, str, str]) -> dict[str, Any]:
    """A reviewer's reply: the criterion, what it says, the passage; the same of the one after it, which is the goal."""
    given = (*given, (given[-1][0] + 1, *given[-1][1:]))
    items = [
        {"criterion": number, "passage": passage, "source": "", "why": "because", "verdict": said}
        for number, said, passage in given
    ]
    return {"verdicts": items}


def asked_by(world: World, script: list[Any], *criteria: Criterion, **flags: Any) -> tuple[State, list[Any]]:
    """A run whose person gave criteria, and the requests that came."""
    with ModelServer(script) as server:
        settings = world.settings(server, {name.replace("__", "."): value for name, value in flags.items()})
        setup, limits = build.make_setup(settings, build.choose_model(settings), world.workspace)
        started = build.start_run(new_run_folder(), setup, limits, ["Go"], criteria=criteria, notify=world.notes.append)
        answer = {"yes": yes, "no": no, "": None}[flags.get("person", "")] if "person" in flags else None
        state = finish(world.agent(started, settings, answer, ()))
        return state, [request.body for request in server.requests]


def check(command: str, *, by: Any = "person") -> Criterion:
    return Criterion(text=command, command=command, by=by)
