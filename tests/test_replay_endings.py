"""`replay` of what ends a run: criteria, checks, evidence, reviews, hand-overs: all from the record, nothing runs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import KEY, World, finish, yes

from autoagent import build
from autoagent.criteria import Criterion
from autoagent.events import Event, ModelCalled
from autoagent.journal import read
from autoagent.masking import Mask
from autoagent.places import new_run_folder
from autoagent.replay import replay
from autoagent.state import State
from autoagent.testing import ModelServer, done, thought

WRITE = thought(commands=[("write_file", {"path": "report.md", "text": "Acme costs 49 euros.\n"})])
JUDGED = Criterion(text="the price of Acme is given", by="person")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("AUTOAGENT_REVIEW", "auto")
    monkeypatch.setenv("AUTOAGENT_EVIDENCE", "mark")
    return World(tmp_path, monkeypatch)


def verdict(said: str, passage: str) -> dict[str, Any]:
    item = {"criterion": 1, "passage": passage, "source": "report.md", "why": "because", "verdict": said}
    return {"verdicts": [item]}


def run_with(world: World, script: list[Any], *criteria: Criterion, **flags: Any) -> State:
    with ModelServer(script) as server:
        settings = world.settings(server, {name.replace("__", "."): value for name, value in flags.items()})
        setup, limits = build.make_setup(settings, build.choose_model(settings), world.workspace)
        journal = build.start_run(new_run_folder(), setup, limits, ["Go"], criteria=criteria, notify=world.notes.append)
        return finish(world.agent(journal, settings, yes, ()))


def is_the_same(world: World) -> bool:
    marker = world.workspace / "ran-again"
    found = replay(world.folder)
    assert found.difference is None, found.difference
    return found.whole and not marker.exists()


def test_a_check_that_failed_and_then_held_is_not_run_again(world: World) -> None:
    check = Criterion(text="tests", command="test -e ran && touch ran-again; grep -q Acme report.md", by="person")
    state = run_with(world, [done("all done"), WRITE, done("now it is")], check, review="off", evidence="off")
    assert (state.status, [one.state for one in state.verdicts]) == ("reached", ["met"])
    (world.workspace / "ran").touch()
    assert is_the_same(world)


def test_a_review_that_says_no_and_then_yes_replays(world: World) -> None:
    script = [
        done("I think so"),
        verdict("not met", ""),
        WRITE,
        done("It is 49 euros."),
        verdict("met", "Acme costs 49"),
    ]
    state = run_with(world, script, JUDGED, evidence="off")
    assert (state.status, state.reviews) == ("reached", 2)
    assert [event.purpose for event in read(world.folder) if isinstance(event, ModelCalled)].count("acceptance") == 2
    assert is_the_same(world)


def test_claims_without_evidence_that_go_back_once_replay(world: World) -> None:
    state = run_with(world, [WRITE, done("It costs 77 dollars."), done("It costs 77 dollars.")], review="off")
    assert state.evidence
    assert state.evidence.without
    assert is_the_same(world)


def test_what_only_a_person_decides_replays_with_their_answer(world: World) -> None:
    script = [WRITE, done("49 euros"), verdict("only a person", "")]
    assert run_with(world, script, JUDGED, evidence="off", approve="acts").status == "reached"
    assert is_the_same(world)


def test_criteria_that_the_model_drafts_replay(world: World) -> None:
    first = json.loads(json.dumps(WRITE))
    first["criteria"] = [{"text": "there is a report", "command": None, "file": "report.md", "pattern": None}]
    assert run_with(world, [first | {"needs": None}, done("ok")], evidence="off", review="off").status == "reached"
    assert [event.by for event in world.events("criteria_set")] == ["model"]
    assert is_the_same(world)


def test_a_hand_over_at_a_limit_and_going_on_from_it_replay(world: World) -> None:
    handover = {"done": ["a report"], "open": ["the rest"], "next": "go on", "files": ["report.md"]}
    state = run_with(world, [WRITE, handover], limits__steps=1, review="off", evidence="off")
    assert state.status == "limit"
    assert world.events("handover_written")
    with ModelServer([done("ok")]) as server:
        assert world.run_again(world.folder, server, limits__steps=3).status == "reached"
    assert is_the_same(world)


def test_a_run_of_a_fresh_process_replays_in_another_one(world: World) -> None:
    """Its first request may be bounded by bytes, since the tokenizer still loads; in ours it is there."""
    with ModelServer([WRITE, done("ok")]) as server:
        flags = ["-c", "-m", "test-model", "--base-url", server.base_url, "--context-tokens", "9000", "Go"]
        command = [sys.executable, "-m", "autoagent", "run", *flags]
        environ = os.environ | {"AUTOAGENT_REVIEW": "off", "AUTOAGENT_EVIDENCE": "off"}
        ran = subprocess.run(command, cwd=world.workspace, env=environ, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert is_the_same(world)


# What a record can't hold, and records of others


def test_a_thought_that_was_refused_for_a_secret_replays_though_no_record_holds_it(world: World) -> None:
    leaking = thought(commands=[("write_file", {"path": "a.txt", "text": f"key {KEY}"})])
    with ModelServer([leaking, done("ok")]) as server:
        agent = world.start(server, review="off", evidence="off")
        agent.journal.mask = Mask((KEY,))
        assert finish(agent).status == "reached"
    assert KEY not in (world.folder / "journal.jsonl").read_text()
    assert "kept secret" in world.events("model_replied")[0].problem
    assert is_the_same(world)


def test_a_run_at_work_replays_as_far_as_it_is(world: World) -> None:
    with ModelServer([WRITE, done("ok")]) as server:
        agent = world.start(server, review="off", evidence="off")
        seen: list[tuple[bool, int]] = []

        def look(event: Event, _: State) -> None:
            if event.type == "command_finished":
                found = replay(agent.journal.folder)
                seen.append((found.whole, found.state.seq))

        agent.journal.observers.append(look)
        finish(agent)
    assert seen == [(True, 5)]


RECORDINGS = sorted(path.parent for path in Path(__file__).parents[1].glob("examples/recordings/*/recording.json"))


@pytest.mark.parametrize("folder", RECORDINGS, ids=[folder.name for folder in RECORDINGS])
def test_a_recording_of_ours_replays_without_state_settings_or_network(world: World, folder: Path) -> None:
    again = f"record it: python scripts/record.py examples/recordings/{folder.name}"
    assert (folder / "run/journal.jsonl").is_file(), again
    found = replay(folder / "run")
    assert found.difference is None, f"{again} ({found.difference})"
    assert found.whole
    assert not world.state.exists()
