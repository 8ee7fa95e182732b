"""`replay` of a record with holes: whatever is missing is the first difference, and never the same result."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support import World, finish

from autoagent import build
from autoagent.cli.replay import replay as replay_command
from autoagent.criteria import Criterion
from autoagent.events import CriteriaJudged, Event, EvidenceChecked, ModelCalled, ModelReplied, RunEnded, RunResumed
from autoagent.journal import read, seal
from autoagent.places import new_run_folder
from autoagent.replay import Difference, replay
from autoagent.testing import Failure, ModelServer, done, thought

WRITE = thought(
    commands=[("write_file", {"path": "report.md", "text": "the price is low, and it stays low for long.\n"})]
)
CRITERIA = (
    Criterion(text="there is a report", file="report.md", by="person"),
    Criterion(text="what it costs is said", by="person"),
)


def verdict(said: str) -> dict[str, Any]:
    item = {
        "criterion": 2,
        "passage": "the price is low, and it stays low for long.",
        "source": "report.md",
        "why": "so",
        "verdict": said,
    }
    return {"verdicts": [item]}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("AUTOAGENT_REVIEW", "auto")
    monkeypatch.setenv("AUTOAGENT_EVIDENCE", "mark")
    return World(tmp_path, monkeypatch)


def proven(
    world: World, *criteria: Criterion, script: tuple[Any, ...] = (WRITE, done("it is written"), verdict("met"))
) -> None:
    with ModelServer(list(script)) as server:
        settings = world.settings(server, {})
        setup, limits = build.make_setup(settings, build.choose_model(settings), world.workspace)
        journal = build.start_run(new_run_folder(), setup, limits, ["Go"], criteria=criteria, notify=world.notes.append)
        assert finish(world.agent(journal, settings, None, ())).status == "reached"


def without(world: World, *missing: int) -> list[Event]:
    """The record of the only run as somebody else would have written it, without these events."""
    events = [event for event in read(world.folder) if event.seq not in missing]
    written(world, events)
    return events


def written(world: World, events: list[Event]) -> None:
    lines = [seal(event.model_copy(update={"seq": number})) for number, event in enumerate(events, 1)]
    (world.folder / "journal.jsonl").write_bytes(b"".join(lines))


def missed(world: World) -> Difference:
    found = replay(world.folder)
    assert found.difference
    assert not found.whole
    return found.difference


def numbers(world: World, kind: type[Event], **fields: str) -> list[int]:
    events = [event for event in read(world.folder) if isinstance(event, kind)]
    return [event.seq for event in events if all(getattr(event, name) == value for name, value in fields.items())]


def test_each_event_that_is_missing_is_noticed(world: World) -> None:
    proven(world, *CRITERIA)
    whole = list(read(world.folder))
    assert replay(world.folder).whole
    for event in whole[2:-1]:  # those of the start and the end are what a record begins and ends with
        written(world, [other for other in whole if other is not event])
        found = replay(world.folder)
        assert found.difference, f"nobody missed {event.seq} {event.type}"


def test_checks_evidence_and_reviews_that_are_missing_are_named(world: World) -> None:
    proven(world, *CRITERIA)
    whole = list(read(world.folder))
    checked, reviewed = numbers(world, CriteriaJudged)
    told = {
        checked: "criteria_judged 2.1: criterion 1 is checked first",
        numbers(world, EvidenceChecked)[0]: "evidence_checked 2.1: the result is looked up first",
        reviewed: "criteria_judged 2.1: criterion 2 is reviewed first",
    }
    for number, words in told.items():
        without(world, number)
        assert (missed(world).event, missed(world).now) == ("run_ended", words)
        written(world, whole)


def test_verdicts_of_a_review_that_nobody_was_asked_for_are_no_review(world: World) -> None:
    proven(world, *CRITERIA)
    (called,) = numbers(world, ModelCalled, purpose="acceptance")
    (replied,) = numbers(world, ModelReplied, purpose="acceptance")
    without(world, called, replied)
    assert (missed(world).event, missed(world).now) == ("criteria_judged", "model_called acceptance")


def test_the_goal_is_judged_where_nobody_said_what_has_to_be_true(world: World) -> None:
    judged = {"verdicts": [verdict("met")["verdicts"][0] | {"criterion": 1}]}
    proven(world, script=(WRITE, done("it is written"), judged))
    events = list(read(world.folder))
    by_goal = next(event for event in events if event.type == "criteria_set")
    later = [
        event for event in events if event.seq >= by_goal.seq and not isinstance(event, RunEnded | EvidenceChecked)
    ]
    without(world, *(event.seq for event in later))
    assert missed(world).now == "criteria_set: the goal itself is judged"


@pytest.mark.parametrize("state", ["unmet", "unclear", "person"])
def test_a_criterion_that_is_not_met_reaches_nothing(world: World, state: str) -> None:
    proven(world, *CRITERIA)
    events = list(read(world.folder))
    at = numbers(world, CriteriaJudged)[1] - 1
    judged = events[at]
    assert isinstance(judged, CriteriaJudged)
    verdicts = tuple(one.model_copy(update={"state": state}) for one in judged.verdicts)
    written(world, [*events[:at], judged.model_copy(update={"verdicts": verdicts}), *events[at + 1 :]])
    assert missed(world).now == f"not reached: criterion 2 is {state}"


def test_who_gives_up_reaches_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOAGENT_REVIEW", "off")
    monkeypatch.setenv("AUTOAGENT_EVIDENCE", "off")
    with ModelServer([thought(commands=[("give_up", {"reason": "no"})])]) as server:
        assert world.run(server).status == "unreached"
    events = list(read(world.folder))
    ended = [e.model_copy(update={"status": "reached"}) if isinstance(e, RunEnded) else e for e in events]
    written(world, ended)
    assert (missed(world).field, missed(world).now) == ("status", "unreached")


def test_a_reply_that_is_missing_is_named_and_the_exit_code_is_3(world: World) -> None:
    proven(world, *CRITERIA)
    without(world, numbers(world, ModelReplied, purpose="step")[1])
    assert missed(world).now == "model_replied or model_failed"
    result = CliRunner().invoke(replay_command, ["last", "-q"], standalone_mode=False)
    assert result.return_value == 3
    assert "None" not in result.output
    told = CliRunner().invoke(replay_command, ["last", "--json"], standalone_mode=False)
    assert json.loads(told.stdout)["same"] is False


def test_a_run_that_stood_and_went_on_needs_what_says_so(world: World) -> None:
    with ModelServer([Failure(400)]) as server:
        assert world.run(server, review="off", evidence="off").status == "unavailable"
    with ModelServer([done("ok")]) as server:
        assert world.run_again(world.folder, server).status == "reached"
    assert replay(world.folder).whole
    (resumed,) = numbers(world, RunResumed)
    without(world, resumed)
    assert missed(world).event == "model_called"


def test_a_record_that_ends_early_is_the_same_as_far_as_it_goes(world: World) -> None:
    proven(world, *CRITERIA)
    whole = list(read(world.folder))
    for length in range(1, len(whole)):
        written(world, whole[:length])
        found = replay(world.folder)
        assert (found.difference, found.whole, found.state.seq) == (None, True, length)


def test_checks_that_are_reviewed_as_well_need_that_review(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOAGENT_REVIEW", "always")
    easy = verdict("met")["verdicts"]
    proven(world, *CRITERIA, script=(WRITE, done("it is written"), {"verdicts": [*easy, easy[0] | {"criterion": 1}]}))
    assert replay(world.folder).whole
    without(world, numbers(world, CriteriaJudged)[1])
    assert missed(world).now == "criteria_judged 2.1: criterion 2 is reviewed first"
