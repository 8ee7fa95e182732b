"""Criteria and evidence for a person and for a program: what a yes covers, what a check came to, what ends a run."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import test_terminal_script as script
from test_cli_run import Shell
from test_terminal_inert import Sized

from autoagent.claims import CheckedClaim, Evidence, LooseFact
from autoagent.cli.answer import parse_answer
from autoagent.criteria import Criterion, Draft, Needs, Verdict
from autoagent.errors import ConfigError
from autoagent.events import ApprovalAsked, CriteriaJudged, CriteriaSet
from autoagent.state import Pending, PendingCall, State, Step
from autoagent.terminal import criteria
from autoagent.terminal.draft import draft_lines
from autoagent.terminal.draft_text import after_key, as_text, from_text
from autoagent.terminal.layout import Line, cells
from autoagent.terminal.needs import MOST_RULES, envelope, envelope_lines
from autoagent.terminal.question import Question, question_lines
from autoagent.testing import ModelServer, thought
from autoagent.thoughts import CommandCall

TEXTS = (Criterion(text="one page per vendor"), Criterion(text="the tests pass", command="pytest -q"))
REVIEWED = script.SETUP.model_copy(update={"review": "auto"})


def rows(lines: Sequence[Line], columns: int = 80) -> str:
    look = Sized(io.StringIO(), rich=False)
    look.width = columns
    look.write(*lines)
    assert isinstance(look.stream, io.StringIO)
    text = look.stream.getvalue()
    assert max(map(cells, text.split("\n"))) <= columns
    return text


def needing(*, criteria: tuple[Criterion, ...] = TEXTS[:1], **needs: Any) -> Draft:
    return Draft(criteria=criteria, needs=Needs.model_validate({name: tuple(given) for name, given in needs.items()}))


# What one yes covers


@pytest.mark.parametrize(
    ("needs", "kept"),
    [
        ({"hosts": ["Example.org", "https://docs.example.org:80/a"]}, ["host:example.org", "host:docs.example.org"]),
        ({"hosts": ["*.example.org"]}, ["host:*.example.org"]),
        ({"programs": ["pytest -q", "git status", "npm run build", "make test"]}, [
            "shell:pytest", "shell:git status", "shell:npm run build", "shell:make test",
        ]),
        ({"folders": ["data/", "docs/**", "./out", "report.md"]}, [
            "write:data/**", "write:docs/**", "write:out/**", "write:report.md",
        ]),
        ({"folders": ["."]}, ["write:**"]),
        ({"folders": ["자료"], "hosts": [" "]}, ["write:자료/**"]),
    ],
)  # fmt: skip
def test_what_the_plan_needs_becomes_the_rules_that_a_question_would_offer(needs: dict[str, Any], kept: Sequence[str]):
    found = envelope(needing(**needs))
    assert (list(found.rules), found.asked) == (kept, ())


@pytest.mark.parametrize(
    "needs",
    [
        {"hosts": ["*.com", "*", "file:///etc/passwd", "a b"]},
        {
            "programs": [
                "python3",
                "bash",
                "rm",
                "rm -rf build",
                "sudo ls",
                "git",
                "curl",
                "npx",
                "./run.sh",
                "a; b",
                "*",
            ]
        },
        {"folders": ["/etc", "../up", "~/x", ".git/hooks", ".ssh", ".env", ".github/workflows"]},
    ],
)
def test_what_is_never_offered_is_asked_each_time_whatever_the_plan_says(needs: dict[str, Any]):
    found = envelope(needing(**needs))
    assert (found.rules, list(found.asked)) == ((), [name for names in needs.values() for name in names])
    assert "asked each time: " in rows(envelope_lines(found), 50)


@pytest.mark.parametrize("folder", [".", "tests", "tests/unit/", "tests/test_a.py"])
def test_no_yes_opens_what_a_check_reads(folder: str):
    assert envelope(needing(criteria=TEXTS, folders=[folder])).rules == ()
    assert envelope(needing(folders=["gold"]), protect=["gold/*"]).rules == ()
    assert envelope(needing(criteria=TEXTS, folders=["src"])).rules == ("write:src/**",)


def test_a_list_that_nobody_reads_is_no_yes():
    hosts = [f"h{n}.example.org" for n in range(40)]
    found = envelope(needing(hosts=hosts))
    assert (len(found.rules), len(found.asked)) == (MOST_RULES, 40 - MOST_RULES)
    assert "and 16 more" in rows(envelope_lines(found))


def test_a_host_in_letters_that_pass_for_others_is_shown_as_it_is_looked_up():
    found = envelope(needing(hosts=["ex\u0430mple.org"]))
    assert "xn--exmple-4nf.org" in rows(envelope_lines(found))


# The draft


@pytest.mark.parametrize("columns", [50, 80])
def test_a_draft_says_how_each_line_is_checked_and_what_a_yes_covers(columns: int):
    draft = needing(criteria=(*TEXTS, Criterion(text="가격표", file="가격.csv", pattern=r"\d+")), hosts=["example.org"])
    shown = " ".join(rows(draft_lines(draft, REVIEWED, narrow=columns < 64), columns).split())
    assert "1 one page per vendor (judged by a review)" in shown
    assert "2 the tests pass (`pytest -q` ends with exit code 0)" in shown
    assert "3 가격표 (가격.csv holds" in shown
    assert "One yes covers these checks and exactly this list; everything else is asked." in shown
    assert "? more" in shown


def test_a_check_that_nothing_holds_is_said():
    plain = REVIEWED.model_copy(update={"sandbox": "none"})
    draft = needing(criteria=TEXTS)
    assert "you decide: nothing here can hold `pytest -q`" in rows(draft_lines(draft, plain, narrow=False))
    unheld = plain.model_copy(update={"unsandboxed": True})
    assert "! the checks run unsandboxed" in rows(draft_lines(draft, unheld, narrow=False))


def test_a_command_is_shown_whole_however_long_it_is():
    long = Criterion(text="ok", command=f"true {' ' * 300}&& touch ~/x {'a' * 900} END")
    assert "END` ends with" in " ".join(rows(draft_lines(needing(criteria=(long,)), REVIEWED, narrow=True), 50).split())


def test_a_draft_as_text_reads_back_as_it_was():
    criteria = (
        *TEXTS,
        Criterion(text="check: rm -rf ~", command=""),
        Criterion(text="# no comment"),
        Criterion(text="needs host evil.example"),
        Criterion(text="both", command='printf "a\nb"\x07', file="a b.md", pattern=r"x ~ \d"),
    )
    draft = needing(criteria=criteria, hosts=["example.org"], programs=["git status"], folders=["data/"])
    read = from_text(as_text(draft))
    assert read.needs == draft.needs
    assert [one.model_copy(update={"by": "model"}) for one in read.criteria] == list(criteria)
    assert "\x07" not in as_text(draft)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "at least one thing"),
        ("check:", "nothing stands behind the colon"),
        ("expect: ../up", "give a file of the workspace"),
        ("expect: a.md ~ [", "no regular expression"),
        ("a\n  check: b\n  check: c", "has one already"),
        ("\n".join("abcdefgh"), "8 criteria; at most 7"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, told: str):
    with pytest.raises(ConfigError, match=told):
        from_text(text)


def test_keys_drop_and_add_lines_but_never_the_last_or_an_eighth():
    draft = needing(criteria=TEXTS)
    assert after_key(draft, "advice in words") is None
    assert [one.text for one in (after_key(draft, "-1") or draft).criteria] == ["the tests pass"]
    with pytest.raises(ConfigError, match="one line has to stay"):
        after_key(needing(), "-1")
    with pytest.raises(ConfigError, match="at most 7"):
        after_key(needing(criteria=TEXTS[:1] * 7), "+ one more")


# While a run works


def judged(*verdicts: Verdict, round: int = 0) -> str:
    event = CriteriaJudged(call_id="3.1", verdicts=verdicts, round=round)
    return rows(criteria.judged_lines(event, State(criteria=TEXTS)))


def test_a_failing_check_shows_how_it_ended_and_its_first_and_last_lines():
    output = "\n".join(["exit code 1", "F....", "=== FAILURES ===", *map(str, range(30)), "assert 1 == 2", "1 failed"])
    shown = judged(
        Verdict(criterion=1, state="met", proof="report.md is there"),
        Verdict(criterion=2, state="unmet", proof=output, source="pytest -q"),
    )
    assert shown == (
        "  checked: 1 of 2 hold\n"
        "  ✗ the tests pass  exit code 1\n"
        "      F....\n"
        "      === FAILURES ===\n"
        "      [… 30 more lines …]\n"
        "      assert 1 == 2\n"
        "      1 failed\n"
    )


def test_a_review_shows_what_it_found_missing():
    shown = judged(Verdict(criterion=1, state="unmet", proof="no page on Acme", by="review"), round=1)
    assert shown == "  reviewed: 0 of 1 met\n  ✗ one page per vendor  no page on Acme\n"


def test_what_a_person_just_agreed_to_is_not_listed_again():
    assert rows(criteria.set_lines(CriteriaSet(criteria=TEXTS, by="terminal"))) == "✓ 2 criteria to hold at the end\n"
    listed = rows(criteria.set_lines(CriteriaSet(criteria=TEXTS, by="model")))
    assert "  Done when  1. one page per vendor\n" in listed


def test_what_has_no_evidence_is_listed_and_counted():
    claim = CheckedClaim(text="Acme costs 57", source="2.1", quote="57 €", found=False, problem="It is not in 2.1")
    loose = tuple(LooseFact(kind="number", text=str(n), where="report.md") for n in range(8))
    shown = rows(criteria.evidence_lines(Evidence(claims=(claim,), loose=loose, facts=9)))
    assert shown.startswith("  9 claims, 0 with evidence, 9 without\n  ! It is not in 2.1: “57 €”\n")
    assert "number not found in what was read: 0 (in report.md)" in shown
    assert "… and 3 more" in shown


# The question that only a person can answer


def asked_of_person() -> State:
    call = PendingCall(
        "4.1", CommandCall(name="task_complete", args={"result": "\n".join(map(str, range(40)))}), asked="1"
    )
    verdict = Verdict(criterion=1, state="person", proof="a matter of taste", by="review")
    return State(
        run_id="7f3a", setup=REVIEWED, criteria=TEXTS, verdicts=(verdict,), pending=Pending(Step(4, "", 0, ()), (call,))
    )


@pytest.mark.parametrize("columns", [50, 80])
def test_the_question_shows_the_criterion_why_it_is_asked_and_the_result(columns: int):
    state = asked_of_person()
    assert state.question
    asked = ApprovalAsked(
        call_id="4.1", call=state.question.call, reason="one page per vendor — a matter of taste", digest="1",
        decided_by="criteria",
    )  # fmt: skip
    question = Question(asked, state)
    shown = rows(question_lines(question, narrow=columns < 64), columns)
    assert "Only you can decide: is this so?\n  1  one page per vendor\n     why asked: a matter of taste\n" in shown
    assert "[… 27 more lines: d shows all …]" in shown
    assert "    39\n" in shown
    assert "d all" in shown
    assert ("e edit" in shown, "task_complete" in shown) == (False, False)
    assert (question.enter_is_yes, question.is_for_a_person) == (False, False)


@pytest.mark.parametrize(
    ("typed", "kind", "allowed"),
    [("y", "answer", True), ("ㅜ 두 쪽뿐이다", "answer", False), ("add Acme", "say", False)],
)
def test_it_is_answered_from_any_terminal(typed: str, kind: str, allowed: bool):
    sent = parse_answer(asked_of_person(), typed)
    assert (sent.kind, sent.allowed) == (kind, allowed)


@pytest.mark.parametrize("typed", ["s", "y 5"])
def test_what_fits_only_a_command_is_refused(typed: str):
    with pytest.raises(ConfigError, match="y or n TEXT"):
        parse_answer(asked_of_person(), typed)


def test_a_standing_draft_takes_a_yes_and_says_where_it_is_changed():
    standing = State(run_id="7f3a", setup=REVIEWED, draft=Draft(criteria=TEXTS), status="paused")
    assert parse_answer(standing, "y").allowed
    with pytest.raises(ConfigError, match="autoagent resume 7f3a"):
        parse_answer(standing, "n")


# To the end


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    found = Shell(tmp_path)
    found.environ |= {"AUTOAGENT_REVIEW": "auto", "AUTOAGENT_EVIDENCE": "mark"}
    return found


def ends(result: str) -> dict[str, Any]:
    return thought(commands=[("task_complete", {"result": result, "files": [], "claims": None})])


def test_a_run_waits_with_exactly_the_question_and_an_answer_ends_it_with_proofs(shell: Shell) -> None:
    first = thought(
        "I write.", commands=[("write_file", {"path": "out.txt", "text": "hello, dear reader of this file\n"})]
    )
    first["criteria"] = [{"text": "out.txt greets", "file": "out.txt", "pattern": "hello"}, {"text": "it is kind"}]
    verdict = {"criterion": 2, "passage": "", "source": "", "why": "taste", "verdict": "only a person"}
    goal = {
        "criterion": 3,
        "passage": "dear reader of this file",
        "source": "out.txt",
        "why": "it greets",
        "verdict": "met",
    }
    script = [first, ends("It costs 49 euros."), ends("It costs 49 euros."), json.dumps({"verdicts": [verdict, goal]})]
    with ModelServer(script) as server:
        waiting = shell.call("run", "-c", "Greet in out.txt", server=server)
    assert waiting.returncode == 5
    assert "checked: 1 of 1 hold" in waiting.stderr
    assert "Only you can decide: is this so?\n  2  it is kind\n     why asked: taste\n" in waiting.stderr
    assert f"Answer   autoagent answer {shell.run_id} y\n" in waiting.stderr
    ended = shell.call("answer", shell.run_id, "y", "--resume", "--output-format", "json")
    assert ended.returncode == 0
    found = json.loads(ended.stdout)
    assert found["criteria"][:2] == [
        {
            "text": "out.txt greets", "check": "out.txt holds “hello”", "state": "met", "proof": "out.txt holds it",
            "source": "out.txt", "by": "check",
        },
        {"text": "it is kind", "check": "", "state": "met", "proof": "yes, by answer", "source": "", "by": "person"},
    ]  # fmt: skip
    assert (found["claims"], [fact["text"] for fact in found["loose"]]) == ([], ["49"])
    assert (found["evidence"], found["handover"]) == ("1 claim, 0 with evidence, 1 without", None)
    assert found["result"] == "It costs 49 [unverified] euros."
    shown = shell.call("show", shell.run_id)
    assert "not accepted" in shown.stdout
    assert "reviewed: 1 of 2 met" in shown.stdout
    assert "It costs 49 [unverified] euros." in shown.stdout


def test_a_result_that_is_not_accepted_is_named_and_shown(shell: Shell) -> None:
    shell.environ["AUTOAGENT_EVIDENCE"] = "require"
    script = [ends("It costs 49."), ends("It costs 49.")]
    shell.environ["AUTOAGENT_REVIEW"] = "off"
    with ModelServer(script) as server:
        ended = shell.call("run", "-c", "-o", str(shell.home / "result"), "What does it cost?", server=server)
    assert (ended.returncode, ended.stdout, (shell.home / "result").exists()) == (3, "", False)
    assert f"Result   given, not accepted: autoagent show {shell.run_id}" in ended.stderr
    shown = shell.call("show", shell.run_id).stdout
    assert "Result, not accepted\n  It costs 49 [unverified].\n" in shown
    assert "goal reached" not in shown


def test_evidence_off_marks_nothing(shell: Shell) -> None:
    shell.environ |= {"AUTOAGENT_EVIDENCE": "off", "AUTOAGENT_REVIEW": "off"}
    with ModelServer([ends("It costs 49.")]) as server:
        ended = shell.call("run", "-c", "-o", str(shell.home / "result"), "What does it cost?", server=server)
    assert (ended.stdout, (shell.home / "result").read_text()) == ("It costs 49.\n", "It costs 49.\n")
    assert "Claims" not in ended.stderr
