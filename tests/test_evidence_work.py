"""A look-up ends: only so much is looked at, for a quote as for a figure, and a claim says where it was too little."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from evidence_runs import Run, new_run

from autoagent.claims import Claim
from autoagent.evidence import quotes
from autoagent.evidence.checking import NOT_READ, UNSEARCHED
from autoagent.evidence.folding import Folded
from autoagent.evidence.work import Work

ROWS = "\n".join(f"row {number}: value {number * 37 % 9973} and some words" for number in range(2_000))
HOSTILE = f"{'row … ' * 300}value"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = new_run(tmp_path / "run")
    yield made
    made.journal.close()


def test_a_search_stops_where_its_work_is_spent() -> None:
    folded, work = Folded(ROWS), Work(100_000)

    assert list(quotes.places(HOSTILE, folded, work)) == []
    assert work.is_spent
    assert -100_000 < work.left <= 0
    assert list(quotes.places("row 7: value 259", folded, work)) == []


def test_a_quote_that_could_not_be_searched_to_its_end_says_so_and_the_others_are_found(run: Run) -> None:
    for number in range(20):
        run.reads(f"f{number}.txt", ROWS)
    claims = [Claim(text="It is so", source="1.1", quote=f"{HOSTILE} {number}") for number in range(20)]
    true = Claim(text="It is 259", source="3.1", quote="row 7: value 259 and some words")
    false = Claim(text="It is 259", source="3.1", quote="row 7: value 260 and some words")
    *hostile, found, absent = run.look_up("", *claims, true, false).claims

    assert {claim.problem for claim in hostile} == {UNSEARCHED}
    assert (found.found, found.problem) == (True, "")
    assert absent.problem.startswith(NOT_READ)


def test_spaces_and_dots_without_number_hold_up_no_look_up(run: Run) -> None:
    run.reads("a.txt", ROWS)

    assert not run.holds(f"row{' ' * 50_000}none{'. ' * 50_000}such", f"[{' ' * 50_000}1.1]")
    assert len(run.loose("1" * 100_000)) == 1


def test_many_names_that_almost_stand_everywhere_are_looked_up_to_an_end(run: Run) -> None:
    for number in range(40):
        run.reads(f"f{number}.txt", ROWS)
    names = [f"“{name} {number}”" for number in range(100) for name in ("alu", "om", "ord")]

    assert len(run.loose(" ".join(names))) == len(names)
