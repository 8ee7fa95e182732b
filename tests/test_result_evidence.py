"""A result is looked up in what the run really read before it counts: sent back once, then marked and counted."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support import World, outcomes

from autoagent.testing import ModelServer, done, thought

READ = thought(commands=[("read_file", {"path": "a.txt"})])
CLAIM = {"text": "Acme costs 49 euros", "source": "1.1", "quote": "Acme costs 49 euros a month"}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("AUTOAGENT_EVIDENCE", "mark")
    made = World(tmp_path, monkeypatch)
    made.file("a.txt", "Acme costs 49 euros a month.\nBeta is not for sale.\n")
    return made


def ends(result: str, *claims: dict[str, str], files: list[str] | None = None) -> dict[str, Any]:
    return thought(commands=[("task_complete", {"result": result, "files": files, "claims": list(claims)})])


def test_a_result_whose_claims_stand_in_what_was_read_ends_the_run_at_once(world: World) -> None:
    with ModelServer([READ, ends("Acme costs 49 euros a month.", CLAIM)]) as server:
        state = world.run(server)
    assert state.status == "reached"
    assert state.evidence is not None
    assert state.evidence.in_words() == "1 claim, 1 with evidence"
    assert state.evidence.claims[0].observation == "1.1"


def test_what_has_no_support_goes_back_once_itemised_and_what_still_has_none_is_counted(world: World) -> None:
    invented = CLAIM | {"quote": "Acme costs 39 euros a month", "text": "Acme costs 39 euros"}
    script = [READ, ends("Acme costs 39 euros.", invented), ends("Acme costs 39 euros.", invented)]
    with ModelServer(script) as server:
        state = world.run(server)
        told = json.dumps(server.requests[2].body["messages"], ensure_ascii=False)
    assert "39" in told
    assert "read it first" in told or "word for word" in told
    assert outcomes(state)[1] == ("task_complete", "failed")
    assert state.status == "reached"
    assert state.evidence is not None
    assert state.evidence.without == 1


def test_with_require_a_result_without_evidence_ends_unreached_and_is_kept(world: World) -> None:
    script = [READ, ends("Beta costs 77 euros."), ends("Beta costs 77 euros.")]
    with ModelServer(script) as server:
        state = world.run(server, evidence="require")
    assert (state.status, state.claimed) == ("unreached", "Beta costs 77 euros.")
    assert "without evidence" in state.reason


def test_with_off_nothing_is_looked_up(world: World) -> None:
    with ModelServer([READ, ends("Beta costs 77 euros.")]) as server:
        state = world.run(server, evidence="off")
    assert (state.status, state.evidence) == ("reached", None)


def test_what_a_program_computed_is_evidence_and_what_the_model_made_it_print_is_not(world: World) -> None:
    computes = thought(commands=[("run_shell", {"command": "expr 49 '*' 12"})])
    with ModelServer([READ, computes, ends("A year of Acme is 588 euros.")]) as server:
        state = world.run(server)
    assert (state.status, state.evidence and state.evidence.without) == ("reached", 0)
    prints = thought(commands=[("run_shell", {"command": "echo 591"})])
    with ModelServer([READ, prints, ends("A year is 591 euros."), ends("A year is 591 euros.")]) as server:
        state = world.run(server)
    assert (state.status, state.evidence and state.evidence.without) == ("reached", 1)


def test_a_report_with_figures_from_nowhere_says_so_at_its_end_and_that_can_be_taken_back(world: World) -> None:
    report = thought(
        commands=[("write_file", {"path": "report.md", "text": "# Prices\n\nAcme: 49 euros. Beta: 77 euros.\n"})]
    )
    end = ends("See report.md.", files=["report.md"])
    with ModelServer([READ, report, end, end]) as server:
        state = world.run(server)
    assert state.status == "reached"
    last = world.text("report.md").splitlines()[-1]
    assert last.startswith("> Unverified")
    assert "77" in last
    assert "49" not in last
    assert [change.path for change in world.events("files_changed")[0].changed] == ["report.md"]


def test_a_korean_result_is_looked_up_too(world: World) -> None:
    world.file("계약.txt", "계약 기간은 2026년 3월 1일부터 24개월입니다.\n")
    read = thought(commands=[("read_file", {"path": "계약.txt"})])
    claim = {"text": "기간은 24개월", "source": "계약.txt:1", "quote": "2026년 3월 1일부터 24개월입니다"}
    with ModelServer([read, ends("계약 기간은 24개월이고 2026-03-01에 시작합니다.", claim)]) as server:
        state = world.run(server)
    assert (state.status, state.evidence and state.evidence.without) == ("reached", 0)


def test_a_plain_answer_claims_nothing_and_is_not_held_up(world: World) -> None:
    with ModelServer([done("The file says what Acme asks for.")]) as server:
        state = world.run(server)
        assert len(server.requests) == 1
    assert state.status == "reached"


def test_a_number_in_words_supports_its_figure_and_no_other(world: World) -> None:
    world.file("a.txt", "We are eight people. 우리는 일곱 명입니다.\n")
    with ModelServer([READ, ends("There are 8 people, or 7명.")]) as server:
        assert world.run(server).status == "reached"
    script = [READ, ends("There are 9 people."), ends("There are 9 people.")]
    with ModelServer(script) as server:
        state = world.run(server)
    assert state.evidence is not None
    assert [fact.text for fact in state.evidence.loose] == ["9"]


def test_the_day_of_today_needs_no_evidence_and_a_report_is_looked_up_also_where_the_result_does_not_name_it(
    world: World,
) -> None:
    today = datetime.now(UTC).astimezone().strftime("%d %B %Y")
    with ModelServer([READ, ends(f"As of {today} Acme costs 49 euros.")]) as server:
        assert world.run(server).status == "reached"
    report = thought(commands=[("write_file", {"path": "r.md", "text": "Beta costs 77 euros."})])
    with ModelServer([READ, report, ends("Written."), ends("Written.")]) as server:
        state = world.run(server)
    assert state.evidence is not None
    assert [(fact.text, fact.where) for fact in state.evidence.loose] == [("77", "r.md")]
