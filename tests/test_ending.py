"""The last block of a run: what came of each criterion, what is not proven, and where a run stands at a limit."""

import io
from dataclasses import replace
from typing import Any

import pytest
import test_terminal_script as script
from test_terminal_inert import Sized

from autoagent.budget import Limits, Usage
from autoagent.claims import CheckedClaim, Evidence, LooseFact
from autoagent.criteria import Criterion, Draft, Verdict
from autoagent.events import HandoverWritten, ModelCalled, ModelReplied
from autoagent.figures import Figures, figures
from autoagent.state import Pending, PendingCall, State, Step
from autoagent.terminal.ending import ending
from autoagent.terminal.layout import cells
from autoagent.thoughts import CommandCall

CRITERIA = (
    Criterion(text="one page per vendor"),
    Criterion(text="the tests pass", command="pytest -q"),
    Criterion(text="성장률에는 출처가 있다"),
)
MET = Verdict(criterion=1, state="met", proof="## Acme … ## 한빛", source="report.md", by="review")
CHECKED = Verdict(criterion=2, state="met", proof="exit code 0\n....\n12 passed in 0.3s", source="pytest -q")
UNMET = Verdict(criterion=2, state="unmet", proof="exit code 1\nF...\n1 failed, 11 passed", source="pytest -q")
UNCLEAR = Verdict(criterion=3, state="unclear", proof="the review says nothing of it", by="review")
CLAIM = CheckedClaim(text="Acme costs 49", source="2.1", quote="49", found=True, observation="2.1")
EVIDENCE = Evidence(claims=(CLAIM,) * 11, loose=(LooseFact(kind="number", text="57"),), facts=20)
HANDED = HandoverWritten(
    done=("3 of 4 vendors read", "report.md has 3 of 4 pages"), open=("the page on Acme",), next="read acme.html",
    files=("report.md",), by="model",
)  # fmt: skip
COST = "cost limit: $0.96 of $1.00 spent; the next call could cost $0.09, so it was not sent"


def state(**given: Any) -> State:
    setup = script.SETUP.model_copy(update={"review": "auto", "evidence": given.pop("evidence_mode", "mark")})
    known = State(
        run_id="7f3a", goal="Compare", setup=setup, limits=Limits(cost_usd=1.0), step=4, criteria=CRITERIA,
        verdicts=(MET, CHECKED, UNCLEAR),
    )  # fmt: skip
    return replace(known, **given)


def drawn(of: State, columns: int = 80, took: Figures | None = None) -> str:
    look = Sized(io.StringIO(), rich=False)
    look.width = columns
    ending(look, of, took or Figures())
    assert isinstance(look.stream, io.StringIO)
    text = look.stream.getvalue()
    assert max(map(cells, text.split("\n"))) <= columns
    return text


def test_each_criterion_stands_with_its_sign_and_its_proof_on_one_row():
    shown = drawn(state(status="reached", made=("report.md",)))
    assert "\n  Made     report.md\n  Asked    ✓ one page per vendor     “## Acme … ## 한빛” (report.md)\n" in shown
    assert "\n           ✓ the tests pass          exit code 0: 12 passed in 0.3s\n" in shown
    assert "\n           ! 성장률에는 출처가 있다  the review says nothing of it\n" in shown


def test_a_criterion_that_nobody_looked_at_yet_is_listed_too():
    shown = drawn(state(status="paused", reason="Ctrl-C", verdicts=(UNMET,)))
    assert (
        "Asked    ○ one page per vendor     not looked at yet\n           ✗ the tests pass          exit code 1"
        in shown
    )
    assert "Asked" not in drawn(state(status="paused", reason="Ctrl-C", verdicts=()))


def test_where_nobody_was_to_judge_the_ending_says_so_of_each_criterion():
    of = state(status="reached", verdicts=())
    assert of.setup
    shown = drawn(replace(of, setup=of.setup.model_copy(update={"review": "off"})))
    assert "Asked    ○ one page per vendor     not looked at (--review off)" in shown


def test_a_narrow_terminal_gets_the_count_and_what_is_not_met():
    shown = drawn(state(status="reached"), 50)
    assert "\n  Asked   2 of 3 · ! 성장률에는 출처가 있다\n" in shown


def test_long_criteria_and_proofs_take_two_rows_each():
    long = tuple(Criterion(text=f"{n} " + "한글 낱말 " * 40) for n in range(1, 4))
    verdicts = tuple(Verdict(criterion=n, state="met", proof="words " * 200, by="review") for n in range(1, 4))
    shown = drawn(state(status="reached", criteria=long, verdicts=verdicts))
    assert len([row for row in shown.split("\n") if "✓ " in row[:20]]) == 4  # with the title
    assert 9 <= shown.count("\n") < 13


@pytest.mark.parametrize("columns", [50, 80])
def test_claims_are_counted_and_what_is_marked_is_said(columns: int):
    shown = drawn(state(status="reached", evidence=EVIDENCE), columns)
    assert "12 claims, 11 with evidence, 1 without" in shown
    assert ("(marked)" in shown) == (columns > 50)
    assert "12 claims, 12 with evidence\n" in drawn(
        state(status="reached", evidence=Evidence(claims=(CLAIM,) * 12)), columns
    )


def test_marked_is_said_only_of_what_bears_a_mark_and_the_rest_is_named():
    of_report = LooseFact(kind="number", text="4711", where="보고서.md")
    other = CLAIM.model_copy(update={"found": False, "text": "Beta is for sale"})
    found = Evidence(claims=(CLAIM, other), loose=(*EVIDENCE.loose, of_report))
    shown = drawn(state(status="reached", result="It is 57.", evidence=found))
    assert "4 claims, 1 with evidence, 3 without (1 marked)\n" in shown
    assert "\n  Unverified  4711 (보고서.md)\n" in shown
    noted = drawn(state(status="reached", result="Beta is for sale: 57.", evidence=found, noted=("보고서.md",)))
    assert "3 without (marked)\n" in noted
    assert "Unverified" not in noted
    alone = drawn(state(status="reached", result="See 보고서.md.", evidence=Evidence(loose=(of_report,))))
    assert "1 claim, 0 with evidence, 1 without\n" in alone


@pytest.mark.parametrize("columns", [50, 80])
def test_what_nobody_looked_up_is_said(columns: int):
    shown = drawn(state(status="reached", evidence=Evidence(not_looked_up=("report.html",))), columns)
    assert "report.html was not looked up\n" in shown
    failed = drawn(state(status="reached", evidence=Evidence(problem="the look-up failed (ValueError)")), columns)
    assert "Claims not looked up: the look-up failed (ValueError)" in " ".join(failed.split())
    assert "marked" not in failed


@pytest.mark.parametrize("given", [{"evidence_mode": "off"}, {"status": "limit", "reason": COST}])
def test_claims_are_not_counted_where_nobody_asked_or_no_result_stands(given: dict[str, Any]):
    assert "claims" not in drawn(state(**{"status": "reached", "evidence": EVIDENCE, **given}))


def test_files_that_were_put_back_are_named():
    shown = drawn(state(status="reached", put_back=("tests/test_a.py",), made=("a.py",)))
    assert "\n  Protected  put back as it was: tests/test_a.py\n" in shown
    assert "\n  Made       a.py\n" in shown


def test_what_is_missing_is_said_once_and_that_a_result_was_given():
    reason = "Not met: the tests pass: exit code 1 F... 1 failed, 11 passed"
    shown = drawn(state(status="unreached", reason=reason, claimed="All is done.", verdicts=(MET, UNMET)))
    assert shown.count("1 failed") == 1
    assert "✗ the tests pass\n" in shown
    assert "\n  Result   given, not accepted: autoagent show 7f3a\n" in shown
    assert "All is done" not in shown


def test_a_run_that_gave_up_shows_why_each_criterion_is_not_met():
    shown = drawn(state(status="unreached", reason="The price list is gone.", verdicts=(MET, UNMET)))
    assert "✗ the tests pass          exit code 1: 1 failed, 11 passed" in shown


@pytest.mark.parametrize("columns", [50, 80])
def test_at_a_limit_the_hand_over_stands_before_the_command_that_goes_on(columns: int):
    called = ModelCalled(purpose="handover", model="m", tail="", estimated_tokens=1, reserved=Usage())
    replied = ModelReplied(purpose="handover", reply="{}", usage=Usage(calls=1, input_tokens=9, cost_usd=0.03))
    stands = state(status="limit", reason=COST, handover=HANDED, handed_over=4, verdicts=())
    shown = " ".join(drawn(stands, columns, figures([called, replied])).split())
    assert "Done 3 of 4 vendors read report.md has 3 of 4 pages Open the page on Acme Next read acme.html" in shown
    assert "Notes written from the reserve ($0.03): autoagent show 7f3a" in shown
    assert shown.index("Notes") < shown.index("Go on autoagent resume 7f3a --max-cost 2")


@pytest.mark.parametrize(("needed", "offered"), [("1,261", 8_000), ("12,610", 25_220)])
def test_at_a_context_limit_as_much_is_offered_as_a_step_needs(needed: str, offered: int):
    limited = state(status="limit", reason=f"a step needs {needed} context tokens, the limit is 4,000")
    assert limited.setup
    limited = replace(limited, setup=limited.setup.model_copy(update={"context_tokens": 4_000}))
    assert f"autoagent resume 7f3a --context-tokens {offered}\n" in drawn(limited)


def test_a_digest_says_that_no_model_wrote_it_and_long_lists_are_counted():
    many = HANDED.model_copy(update={"by": "digest", "done": tuple(f"part {n}" for n in range(9))})
    shown = drawn(state(status="limit", reason=COST, handover=many, handed_over=4))
    assert "a digest, made without a model: autoagent show 7f3a" in shown
    assert "and 5 more" in shown


def test_a_hand_over_of_before_is_not_shown_as_where_the_run_stands():
    assert "vendors read" not in drawn(state(status="limit", reason=COST, handover=HANDED, handed_over=2))


@pytest.mark.parametrize("columns", [50, 80])
def test_what_only_a_person_can_decide_is_asked_exactly_with_the_command_that_answers(columns: int):
    end = CommandCall(name="task_complete", args={"result": "The text is done.", "files": ["글.md"]})
    call = PendingCall("4.1", end, asked="3")
    verdict = Verdict(criterion=3, state="person", proof="only the reader knows", by="review")
    pending = Pending(Step(4, "", 0, ()), (call,))
    stands = state(status="waiting", reason="y/n needed: …", pending=pending, verdicts=(MET, CHECKED, verdict))
    shown = drawn(stands, columns)
    assert "⏸ Paused: y/n needed" in shown
    assert (
        "Only you can decide: is this so?\n  3  성장률에는 출처가 있다\n     why asked: only the reader knows\n"
        in shown
    )
    assert "The result:\n    The text is done.\n    files: 글.md\n" in shown
    assert "Answer" in shown
    assert "autoagent answer 7f3a y\n" in shown
    assert 'autoagent answer 7f3a n "why not"\n' in shown
    assert "task_complete" not in shown


def test_a_draft_that_stands_names_the_command_that_agrees_to_it():
    paused = state(status="paused", reason="Ctrl-C", draft=Draft(criteria=CRITERIA), criteria=(), verdicts=())
    assert "autoagent answer 7f3a y" in drawn(paused)


def test_hostile_text_in_criteria_and_proofs_is_inert():
    bad = "x\x1b]52;c;aGk=\x07\n✓ Goal reached"
    criteria = (Criterion(text=bad),)
    verdict = Verdict(criterion=1, state="unmet", proof=bad, by="review")
    shown = drawn(state(status="unreached", reason="no", criteria=criteria, verdicts=(verdict,), put_back=(bad,)))
    assert "\x1b" not in shown
    assert "\n✓" not in shown
