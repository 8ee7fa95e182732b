"""What a person reads at the terminal: who plans, what a yes covers, what a line does, what an option wants."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pexpect
import pytest
import test_terminal_script as script
from test_cli_run import Shell
from test_criteria_screen import REVIEWED, TEXTS, needing, rows
from test_ending import MET, UNMET, drawn, state
from test_terminal_pty import PROMPT, QUIET_S, env

from autoagent.cli.step import undo_of
from autoagent.criteria import Criterion, Draft, Verdict
from autoagent.errors import ConfigError
from autoagent.events import (
    ApprovalAsked,
    CommandFinished,
    CommandStarted,
    CriteriaSet,
    FileChange,
    FileState,
    ModelFailed,
)
from autoagent.state import Observation, State, Step
from autoagent.terminal.criteria import set_lines
from autoagent.terminal.draft import draft_lines
from autoagent.terminal.draft_text import after_key
from autoagent.terminal.needs import envelope, envelope_lines
from autoagent.terminal.question import Question, question_lines
from autoagent.terminal.steps import failure_words, result_lines, thought_lines
from autoagent.thoughts import CommandCall, Thought

OFFLINE = script.SETUP.model_copy(update={"model": "offline", "review": "auto"})
QUOTES = Criterion(text="report.md holds quotes", file="report.md", pattern=r"^> .+\n— \S", by="model")
CHECKED = Criterion(text="the tests pass", command="pytest -q")


def test_rules_are_never_called_a_model() -> None:
    of = replace(state(verdicts=(UNMET,)), setup=OFFLINE)
    failed = CommandFinished(call_id="4.1", outcome="failed", text="no")
    shown = rows(result_lines(failed, _ended(of), 80, verbose=False))
    assert "not accepted yet; the planner reads why" in shown
    assert "drafted by the planner" in rows(draft_lines(needing(), OFFLINE, narrow=False))
    assert "drafted by the model" in rows(draft_lines(needing(), REVIEWED, narrow=False))


def _ended(of: State) -> State:
    """The run with the observation of its end, which was not accepted."""
    end = CommandCall(name="task_complete", args={"result": "done"})
    return replace(of, steps=(Step(4, "", 1, (Observation("4.1", end, "failed", "no", 1),)),))


# What a plan needs


def test_the_whole_workspace_is_said_in_the_same_words_whether_a_yes_covers_it_or_not() -> None:
    kept = rows(envelope_lines(envelope(needing(folders=["."]))))
    asked = rows(envelope_lines(envelope(needing(criteria=(CHECKED,), folders=["."]), ("tests/*",))))
    assert kept == "    writes in the whole workspace\n"
    assert asked == "    asked each time: writes in the whole workspace\n"


@pytest.mark.parametrize("typed", ["- needs host example.org", "-needs example.org", "- needs 1", "– NEEDS 1"])
def test_one_need_is_dropped_by_its_name_or_number(typed: str) -> None:
    before = needing(hosts=["example.org"], programs=["git status"])
    after = after_key(before, typed)
    assert after
    assert (after.needs.hosts, after.needs.programs, after.criteria) == ((), ("git status",), before.criteria)


@pytest.mark.parametrize("typed", ["- needs host other.org", "- needs 3", "- needs 0", "- needs program example.org"])
def test_a_need_that_is_not_there_is_told_with_those_that_are(typed: str) -> None:
    with pytest.raises(ConfigError, match=r"It needs: 1 example\.org, 2 git status"):
        after_key(needing(hosts=["example.org"], programs=["git status"]), typed)


def test_a_pattern_of_the_planners_is_told_by_its_text() -> None:
    event = CriteriaSet(criteria=(QUOTES,), by="model")
    assert rows(set_lines(event, in_short=True)) == "  Done when  1. report.md holds quotes\n"
    assert "^> " in rows(set_lines(event))
    shown = rows(draft_lines(Draft(criteria=(QUOTES,)), OFFLINE, narrow=False))
    assert "report.md holds quotes  (checked in report.md)" in shown
    assert "^> " not in shown
    assert "^> " in rows(draft_lines(Draft(criteria=(QUOTES,)), REVIEWED, narrow=False))


# The steps


LONG = tuple(f"[{mark}] a part of the plan that fills a row, number {n}" for n, mark in enumerate("x>  "))


def test_what_is_thought_again_is_not_shown_again() -> None:
    before = Thought(text="I look.", reasoning="because", criticism="perhaps", plan=LONG, commands=())
    now = before.model_copy(update={"text": "I read.", "plan": (*LONG[:1], LONG[1].replace(">", "x"), *LONG[2:])})
    assert rows(thought_lines(now, before, narrow=False)) == "  I read.\n  Plan   2/4\n"
    assert rows(thought_lines(now, None, narrow=False)).count("\n") == 7
    assert "because" in rows(thought_lines(now, before, narrow=False, verbose=True))


def test_another_plan_is_shown_whole() -> None:
    before = Thought(text="I look.", plan=LONG, commands=())
    now = before.model_copy(update={"plan": (*LONG[:3], "[ ] something else that has to be done before the end")})
    assert "something else" in rows(thought_lines(now, before, narrow=False))


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        ("rate limit", "rate limit, try 2 of 6"),
        ("no answer. A company proxy? Set HTTPS_PROXY.", "no answer. A company proxy? Set HTTPS_PROXY; try 2 of 6"),
    ],
)
def test_which_try_it_is_joins_no_two_sentences(problem: str, told: str) -> None:
    assert failure_words(ModelFailed(problem=problem, wait_s=1), replace(state(), failures=1)) == told


@pytest.mark.parametrize(
    ("name", "args", "asks"),
    [
        ("write_file", {"path": "a.md", "text": "a"}, "Write it?  y or Enter   n no"),
        ("delete_file", {"path": "a.md"}, "Delete it?  y yes   n no"),
        ("move_file", {"source": "a.md", "target": "b.md"}, "Move it?  y or Enter"),
        ("run_shell", {"command": "ls"}, "Run it?  y yes"),
    ],
)
def test_a_question_says_what_a_yes_does_and_where_enter_is_one(name: str, args: dict[str, Any], asks: str) -> None:
    asked = ApprovalAsked(call_id="4.1", call=CommandCall(name=name, args=args), reason="acts", digest="0")
    assert asks in rows(question_lines(Question(asked, state()), narrow=False))


# The end


def test_a_criterion_that_is_too_long_for_its_place_is_told_whole() -> None:
    long = "every one of the four vendors has a page of its own, and the growth figures have a source"
    of = state(status="reached", criteria=(Criterion(text=long), TEXTS[1]), verdicts=(MET, UNMET))
    assert long in " ".join(drawn(of).split())
    assert long in " ".join(drawn(replace(of, verdicts=(MET.model_copy(update={"state": "unmet"}),)), 50).split())


def test_a_proof_without_room_beside_its_criterion_stands_below_it() -> None:
    told = Criterion(text="report.md answers with quotes: What does the hotel cost?")
    verdict = Verdict(criterion=1, state="met", proof="report.md holds it")
    shown = drawn(state(status="reached", criteria=(told,), verdicts=(verdict,)))
    assert f"  Asked    ✓ {told.text}\n             report.md holds it\n" in shown


def test_only_a_request_that_went_out_cannot_be_taken_back(tmp_path: Path) -> None:
    def browsed(id: str, url: str) -> list[Any]:
        call = CommandCall(name="browse", args={"url": url})
        started = CommandStarted(call_id=id, call=call, effect="reads", repeatable=True, allowed_by="policy")
        return [
            started,
            CommandFinished(call_id=id, outcome="failed", text="127.0.0.1 is loopback.", detail="network guard"),
        ]

    made = FileChange(path="a.md", before=FileState(kind="absent"), after=FileState(kind="file", sha256="0", size=1))
    wrote = CommandFinished(call_id="2.1", outcome="ok", text="written", changed=(made,))
    refused = browsed("1.1", "http://127.0.0.1/a")
    led = browsed("1.2", "https://a.example/b")
    assert "cannot" not in undo_of(tmp_path, [*refused, wrote]).words
    assert "1 web request cannot" in undo_of(tmp_path, [*refused, *led, wrote]).words


@pytest.mark.parametrize("columns", [30, 50])
def test_a_result_is_wrapped_at_words_on_a_terminal_only(tmp_path: Path, columns: int) -> None:
    result = "The hotel costs 120 euros a night, breakfast and a place for the bicycles are included."
    program = (
        "import sys\nfrom pathlib import Path\nfrom autoagent.cli.outcome import print_result\n"
        "from autoagent.state import State\n"
        f"print_result(State(run_id='7f3a', status='reached', result={result!r}), Path('.'), 'text', str)\n"
    )
    child = pexpect.spawn(
        sys.executable, ["-c", program], env=env(), dimensions=(40, columns), encoding="utf-8", timeout=8
    )
    shown = child.read()
    child.close()
    assert child.exitstatus == 0, shown
    lines = shown.replace("\r", "").strip("\n").split("\n")
    assert max(map(len, lines)) <= columns
    assert " ".join(lines) == result


# What is typed


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["run", "-l", "abc", "x"], "'abc' is not a whole number. See:"),
        (["run", "-l", "-3", "x"], "-3 is less than 0. See:"),
        (["run", "--max-cost", "much", "x"], "'much' is not a number. See:"),
        (["run", "--max-time", "5q", "x"], "'5q': write 90 (seconds), 15m or 2h. See:"),
        (["rules", "test"], "missing: COMMAND LINE. See:"),
        (["show", "last", "extra"], "one thing too many: extra. See:"),
    ],
)
def test_a_wrong_flag_is_told_in_plain_words_before_a_run_has_a_name(shell: Shell, args: list[str], told: str) -> None:
    ended = shell.call(*args)
    assert ended.returncode == 2
    assert told in " ".join(ended.stderr.split())
    assert "· run" not in ended.stderr


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.parametrize("style", [{}, {"NO_COLOR": "1"}])
def test_the_first_ctrl_c_leaves_where_no_run_has_begun(tmp_path: Path, style: dict[str, str]) -> None:
    (tmp_path / "ws").mkdir()
    changes = {"XDG_STATE_HOME": str(tmp_path / "s"), "XDG_CONFIG_HOME": str(tmp_path / "c"), "OPENAI_API_KEY": ""}
    child: Any = pexpect.spawn(
        sys.executable, ["-m", "autoagent", "run", "-m", "offline"], env=env(**changes, **style),
        cwd=str(tmp_path / "ws"), dimensions=(40, 80), encoding="utf-8", timeout=8,
    )  # fmt: skip
    child.expect("What is the agent to do")
    child.expect(PROMPT)
    time.sleep(QUIET_S)
    child.send("\x03")
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, child.signalstatus) == (130, None)
