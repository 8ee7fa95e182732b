"""What a question, its rules, a program's end and the first lines of a run say, at 50 and 80 columns."""

import io
from pathlib import Path
from typing import Any

import pytest
import test_terminal_script as script
from test_terminal_inert import Sized, draw

from autoagent.events import (
    ApprovalAsked,
    CommandFinished,
    CommandStarted,
    Event,
    FileChange,
    FilesChanged,
    RuleKept,
    Setup,
)
from autoagent.state import State
from autoagent.terminal import header
from autoagent.terminal.layout import Line, cells
from autoagent.terminal.question import Question, always_lines, offers, question_lines
from autoagent.thoughts import CommandCall, Thought

DELETE = CommandCall(name="delete_file", args={"path": "data/prices.csv"})
DOWNLOAD = CommandCall(name="download_file", args={"url": "https://example.org/a.csv", "path": "a.csv"})
PLAIN = {"sandbox": "none", "unsandboxed": True}
NETWORK = {"sandbox_network": True}
UNHELD = "unsandboxed: nothing holds it, it can do on this machine whatever you can."


def question(call: CommandCall, *, reason: str = "acts", outside: str = "", by: str = "", **setup: Any) -> Question:
    asked = ApprovalAsked(call_id="2.1", call=call, reason=reason, decided_by=by or reason, digest="d")
    return Question(asked, State(setup=script.SETUP.model_copy(update=setup), outside=outside))


def rows(*lines: Line, columns: int = 80) -> list[str]:
    look = Sized(io.StringIO(), rich=False)
    look.width = columns
    look.write(*lines)
    assert isinstance(look.stream, io.StringIO)
    found = look.stream.getvalue().split("\n")
    assert max(map(cells, found)) <= columns
    return found


def words(asked: Question, columns: int = 80) -> str:
    return " ".join(" ".join(rows(*question_lines(asked, narrow=columns < 64), columns=columns)).split())


@pytest.mark.parametrize(
    ("call", "reason", "enter"),
    [
        (script.WRITE, "acts", True),
        (script.WRITE, "every command", True),
        (script.WRITE, "Other programs obey data/prices.csv.", False),
        (script.WRITE, "rule: ask write:data/**", False),
        (script.SHELL, "acts", False),  # what a program does can't be read from its line
        (DELETE, "acts", False),
        (script.BROWSE, "acts", False),
        (script.SEND, "acts", False),  # a plugin's
    ],
)
def test_enter_alone_is_a_yes_only_where_a_file_is_written_that_can_be_put_back(
    call: CommandCall, reason: str, enter: bool
):
    asked = question(call, reason=reason)
    assert asked.enter_is_yes is enter
    assert ("y or Enter" in words(asked), "y or Enter" in words(asked, 50)) == (enter, enter)


@pytest.mark.parametrize("columns", [50, 80])
@pytest.mark.parametrize(
    ("call", "setup", "told"),
    [
        (script.SHELL, {}, "in the sandbox (bubblewrap): no network"),
        (script.SHELL, {"sandbox": "landlock"}, "in the sandbox (landlock): no network"),
        (script.SHELL, NETWORK, "what it reads can be sent anywhere"),
        (script.SHELL, NETWORK, "undo: the files yes, requests no"),
        (script.SHELL, PLAIN, f"! {UNHELD}"),
        (script.SHELL, PLAIN, "undo: only what it changes in the workspace"),
        (script.BROWSE, {}, "undo: no request can be taken back"),
        (script.SEND, {}, "undo: only what it changes in the workspace"),
    ],
)
def test_a_question_says_what_holds_the_act_and_what_cannot_be_undone(
    call: CommandCall, setup: dict[str, Any], told: str, columns: int
):
    reason = UNHELD if setup is PLAIN else "acts"
    assert told in words(question(call, reason=reason, **setup), columns)


def test_that_nothing_holds_a_program_is_said_whatever_else_is_the_reason():
    assert "! unsandboxed: nothing holds it" in words(question(script.SHELL, reason="rule: ask shell:git", **PLAIN))


def test_what_can_be_undone_and_is_held_says_no_word_of_it():
    told = words(question(script.WRITE)) + words(question(script.SHELL))
    assert "undo:" not in told
    assert "!" not in told


def test_the_rule_that_asks_is_told_in_words():
    assert "! a rule of yours asks: git push" in words(question(script.SHELL, reason="rule: ask shell:git push"))


@pytest.mark.parametrize("columns", [50, 80])
def test_the_rules_are_offered_for_the_run_and_but_for_the_exact_one_for_the_workspace(columns: int):
    scopes = ("shell:git status\nshell:head", 'exact:run_shell {"command": "git status | head"}')
    drawn = rows(*always_lines(offers(scopes), narrow=columns < 64), columns=columns)
    wide = [
        "  Always, in this run:        1  git status, and head",
        "                              2  this command, word for word",
        "  Always, in this workspace:  3  git status, and head",
        "",
    ]
    narrow = [
        "  Always, in this run:",
        "    1  git status, and head",
        "    2  this command, word for word",
        "  Always, in this workspace:",
        "    3  git status, and head",
        "",
    ]
    assert drawn == (wide if columns == 80 else narrow)
    assert [(offer.text, offer.scope) for offer in offers(scopes)] == [
        (scopes[0], "run"), (scopes[1], "run"), (scopes[0], "workspace"),
    ]  # fmt: skip


@pytest.mark.parametrize("columns", [50, 80])
def test_what_programs_did_is_shown_with_the_end_of_their_output(tmp_path: Path, columns: int):
    shown = draw(script.programs(), tmp_path, columns)
    assert "✓ run_shell 1.2 s · exit code 0 · 9 tokens\n    On branch 한글 🙂\n" in shown
    assert "✗ run_shell 3.2 s · exit code 1 · changed 3 files" in shown
    assert "\n    test 40\n    1 failed\n    a.py, b.py (new), c.txt (gone) · undoable\n" in shown
    assert "[Changed" not in shown
    assert "! put back as it was, since other programs obey" in shown
    assert "    text from outside: 1.4 browse" in shown


def test_long_output_is_counted_and_shown_where_it_failed(tmp_path: Path):
    output = "\n".join(f"line {n}" for n in range(40))
    shown = draw(ran("ok", f"exit code 0\n{output}"), tmp_path, 80, verbose=False)
    assert "exit code 0 · 40 lines\n" in shown
    assert "line 39" not in shown
    failed = draw(
        ran("failed", f"stopped after 60.0 s: its time limit of 60 s. What it wrote until then:\n{output}"),
        tmp_path / "b",
        80,
        verbose=False,
    )
    assert (
        "· stopped after 60.0 s: its time limit of 60 s\n    [34 more lines: autoagent show 7f3a --step 1]\n" in failed
    )
    assert "    line 39\n" in failed


def test_a_change_that_cannot_be_undone_is_named(tmp_path: Path):
    lost = script.FILE.model_copy(update={"kept": False})
    changed = FileChange(path="data.bin", before=lost, after=script.FILE)
    shown = draw(ran("ok", "exit code 0\n(no output)\n[Changed: data.bin]", changed=(changed,)), tmp_path, 80)
    assert "exit code 0 · changed 1 file · no output" in shown
    assert "    data.bin · 1 file not undoable: data.bin\n" in shown


def test_a_program_that_runs_on_is_not_said_to_have_no_output(tmp_path: Path):
    shown = draw(ran("ok", "program p1 runs in the background"), tmp_path, 80)
    assert "✓ run_shell 0.0 s · program p1 runs in the background · 9 tokens\n" in shown


def test_what_a_program_with_an_unknown_end_changed_is_told_all_the_same(tmp_path: Path):
    changed = FileChange(path="a.py", before=script.FILE, after=script.FILE.model_copy(update={"size": 4}))
    text = "OUTCOME UNKNOWN: it had started.\n[Put back as it was, since other programs obey it: .envrc]"
    shown = draw(ran("unknown", text, changed=(changed,), put_back=(".envrc",)), tmp_path, 80)
    assert "! run_shell: interrupted, outcome unknown. Look first.\n    a.py · undoable\n! put back as it was" in shown


def test_changes_of_programs_in_the_background_are_told(tmp_path: Path):
    changed = FileChange(path="log.txt", before=script.FILE, after=script.FILE.model_copy(update={"size": 4}))
    shown = draw([FilesChanged(changed=(changed,))], tmp_path, 80)
    assert "  programs in the background changed:\n    log.txt · undoable\n" in shown


def test_a_note_at_the_end_of_a_report_is_told_as_what_it_is(tmp_path: Path):
    changed = FileChange(path="보고서.md", before=script.FILE, after=script.FILE.model_copy(update={"size": 4}))
    shown = draw([FilesChanged(changed=(changed,), note=True)], tmp_path, 80)
    assert "  a note at the end of 보고서.md names what has no evidence · undoable\n" in shown


def ran(outcome: Any, text: str, **more: Any) -> list[Event]:
    return [
        script.CALLED,
        script.call(Thought(text="I run it.", commands=()), script.SHELL),
        CommandStarted(call_id="1.1", call=script.SHELL, allowed_by="the sandbox", sandbox="bubblewrap"),
        CommandFinished(call_id="1.1", outcome=outcome, text=text, tokens=9, **more),
    ]


@pytest.mark.parametrize(("approve", "told"), [("acts", "needs your yes"), ("never", "is refused")])
@pytest.mark.parametrize("columns", [50, 80])
def test_the_first_text_from_outside_is_told_once_with_what_it_means(
    tmp_path: Path, approve: Any, told: str, columns: int
):
    browsed = CommandFinished(call_id="1.1", outcome="ok", text="A page", outside=True)
    again = browsed.model_copy(update={"call_id": "1.2"})
    events = [
        script.CALLED,
        script.call(Thought(text="I look.", commands=()), script.BROWSE, script.BROWSE),
        browsed,
        again,
    ]
    setup = script.SETUP.model_copy(update={"approve": approve})
    shown = " ".join(draw(events, tmp_path, columns, setup=setup).split())
    assert shown.count("read (1.1 browse https://example.org/page)") == 1
    assert f"from here on what could send data out {told}" in shown


def test_a_question_that_foreign_text_caused_names_it():
    reason = "It acts on the world, and text from outside was read (this folder)."
    told = words(question(script.SEND, reason=reason, by="outside text", outside="this folder, which nobody trusts"))
    assert "! text from outside: this folder, which nobody trusts" in told


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        (RuleKept(rule="host:example.org", by="terminal"), "✓ kept for this run: requests to example.org"),
        (RuleKept(rule="shell:git", scope="workspace", by="slack"), "✓ slack: kept for this workspace: git"),
        (RuleKept(rule="shell:git", scope="all", action="deny", by="terminal"), "✓ kept for all runs: never: git"),
    ],
)
def test_a_rule_that_is_kept_is_told_with_where_to_see_it(tmp_path: Path, kept: RuleKept, told: str):
    assert f"{told}  (autoagent rules list 7f3a)" in draw([kept], tmp_path, 80)


@pytest.mark.parametrize(
    ("setup", "told"),
    [
        ({}, "  Sandbox bubblewrap · no network"),
        (NETWORK, "! programs reach the network: what they read can be sent anywhere"),
        ({"sandbox": "none"}, '! no sandbox: each program is asked "unsandboxed"'),
        ({"sandbox": "none", "approve": "never"}, "programs are refused"),
        ({**PLAIN, "approve": "never"}, "no sandbox, as you wanted"),
    ],
)
@pytest.mark.parametrize("columns", [50, 80])
def test_the_first_lines_say_what_holds_programs(setup: dict[str, Any], told: str, columns: int):
    look = Sized(io.StringIO(), rich=False)
    look.width = columns
    header.sandbox_line(look, Setup.model_validate(script.SETUP.model_dump() | setup))
    assert isinstance(look.stream, io.StringIO)
    assert " ".join(told.split()) in " ".join(look.stream.getvalue().split())


def test_what_undo_does_not_cover_is_said_and_nothing_where_it_covers_all():
    look = Sized(io.StringIO(), rich=False)
    header.undo_line(look, "")
    header.undo_line(look, "not covered by undo: node_modules/")
    assert isinstance(look.stream, io.StringIO)
    assert look.stream.getvalue() == "  Undo    not covered: node_modules/\n"
