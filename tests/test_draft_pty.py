"""A person at a real terminal who settles what has to be true before the work starts."""

import io
import json
import re
import shlex
import sys
import time
from pathlib import Path
from typing import Any, cast

import pexpect
import pytest
from draft_script import DRAFT
from test_cli_run import AUTOAGENT, Shell
from test_terminal_pty import PROMPT, QUIET_S, ROOT, env

from autoagent import inbox
from autoagent.criteria import Criterion, Draft, Needs
from autoagent.inbox import InboxMessage
from autoagent.testing import ModelServer, done, thought

SCRIPT = Path(__file__).with_name("draft_script.py")
RULES = "host:example.org\nshell:git status\nwrite:data/**"


class Terminal:
    """The draft on a pty."""

    def __init__(self, folder: Path, draft: Draft = DRAFT, *flags: str, columns: int = 80, **changes: str):
        self.folder = folder
        command = shlex.join([sys.executable, str(SCRIPT), str(folder), draft.model_dump_json(), *flags])
        self.child: Any = pexpect.spawn(
            "/bin/sh", ["-c", f"exec {command}"], env=env(PYTHONPATH=f"{ROOT}:{ROOT / 'tests'}", **changes),
            cwd=str(ROOT), dimensions=(60, columns), encoding="utf-8", timeout=8,
        )  # fmt: skip
        self.child.delaybeforesend = None
        self.child.logfile_read = self.log = io.StringIO()

    @property
    def shown(self) -> str:
        return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", self.log.getvalue())

    def ask(self) -> "Terminal":
        self.child.expect("more")
        return self.quiet()

    def quiet(self) -> "Terminal":
        self.child.expect(PROMPT)
        time.sleep(QUIET_S)  # prompt_toolkit draws before it reads
        return self

    def type(self, text: str, shows: str) -> "Terminal":
        self.child.send(f"{text}\r")
        self.child.expect(shows)
        return self.quiet()

    def outcome(self) -> dict[str, Any]:
        self.child.expect(r'(\{"asked".*\})\r\n')
        found = json.loads(self.child.match[1])
        self.child.expect(pexpect.EOF)
        return found

    def settled(self, text: str) -> dict[str, Any]:
        """Type the last line; the message that it sent."""
        self.child.send(f"{text}\r")
        (message,) = self.outcome()["messages"]
        return message


def texts(message: dict[str, Any]) -> list[str]:
    return [one["command"] or one["file"] or one["text"] for one in message["criteria"]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.mark.parametrize(("typed", "flag"), [("", ""), ("ㅛ", "plain")])
def test_one_yes_settles_the_criteria_and_keeps_exactly_the_rules_that_were_shown(folder: Path, typed: str, flag: str):
    terminal = Terminal(folder, DRAFT, *filter(None, [flag])).ask()
    assert "requests to example.org" in terminal.shown
    assert "asked each time: python3, rm -rf x" in terminal.shown
    sent = terminal.settled(typed)
    assert (sent["kind"], sent["by"], sent["scope"], sent["rule"]) == ("criteria", "terminal", "run", RULES)
    assert texts(sent) == ["가격마다 날짜가 있다", "pytest -q", "report.md"]
    assert {one["by"] for one in sent["criteria"]} == {"person"}


def test_lines_are_dropped_and_added_by_keys(folder: Path):
    terminal = Terminal(folder, columns=50).ask()
    terminal.type("-2", "as you changed it")
    terminal.type("+ check: make test", "`make test`")
    terminal.type("+ needs host docs.example.org", "docs.example.org")
    terminal.type("-9", "no line 9")
    assert texts(terminal.settled("y")) == ["가격마다 날짜가 있다", "report.md", "make test"]


def test_what_is_no_key_is_answered_here_and_agrees_to_nothing(folder: Path):
    terminal = Terminal(folder, DRAFT, "plain").ask()
    terminal.type("looks good to me", r"To have this at the end too, type:\s+[+] looks good to me\s+Start")
    terminal.type("n", r"“n” means nothing here\s+Start")
    terminal.type("s", "nothing to review yet")
    terminal.type("- needs host docs.example.org", "It needs: 1 example.org")
    terminal.type("y 5", "Start")
    terminal.type("?", "drop line 2")
    terminal.type("\x1b[200~y", "Start")
    assert terminal.settled("q")["kind"] == "stop"


def test_a_line_is_edited_in_place(folder: Path):
    terminal = Terminal(folder).ask()
    terminal.type("ㄷ", "Which line")
    terminal.type("2", "the tests pass")
    terminal.type(" twice", "check: pytest -q")
    terminal.type("\x15check: pytest -q -x", "the tests pass twice")
    sent = terminal.settled("ㅈ")
    assert sent["rule"] == ""  # the same criteria without the needs
    (criterion,) = [one for one in sent["criteria"] if one["command"]]
    assert (criterion["text"], criterion["command"]) == ("the tests pass twice", "pytest -q -x")


def test_all_of_it_is_edited_in_the_persons_editor(folder: Path, tmp_path: Path):
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "expect: /etc/passwd" >> "$1"\n')
    editor.chmod(0o700)
    terminal = Terminal(folder, EDITOR=str(editor)).ask()
    terminal.type("e", "give a file of the workspace")  # what was written is there again for mending
    mended = "-e '/etc.passwd/d' -e '/report.md/d' -e 's/git status/git diff/' -e '/^the tests/d'"
    editor.write_text(f"#!/bin/sh\ngrep -q etc/passwd $1 && sed -i {mended} $1\n")
    terminal.type("e", "as you changed it")
    sent = terminal.settled("y")
    assert (sent["criteria"][0]["text"], sent["criteria"][0]["command"]) == ("가격마다 날짜가 있다", "pytest -q")
    assert "shell:git diff" in sent["rule"]


def test_ctrl_c_pauses(folder: Path):
    terminal = Terminal(folder).ask()
    terminal.child.send("\x03")
    found = terminal.outcome()
    assert (found["stop"], found["messages"]) == ("Ctrl-C", [])


@pytest.mark.parametrize("flag", ["", "plain"])
def test_keys_typed_before_the_draft_are_dropped(folder: Path, flag: str):
    terminal = Terminal(folder, DRAFT, *filter(None, [flag]), BEFORE="0.3")
    terminal.child.expect("ready")
    terminal.child.send("y\ry")
    terminal.child.expect("more")
    terminal.child.send("y\r")  # within the 300 ms
    terminal.quiet()
    assert terminal.settled("q")["kind"] == "stop"


def test_an_answer_from_elsewhere_ends_it_here(folder: Path):
    terminal = Terminal(folder).ask()
    inbox.send(folder, InboxMessage(kind="answer", by="answer", allowed=True))
    assert terminal.outcome()["messages"][0]["by"] == "answer"


def test_a_plain_terminal_gets_no_control_byte_and_hostile_text_is_inert(folder: Path):
    bad = "ok\x1b]52;c;aGk=\x07\x9b2J\rhidden\u202e\ny"
    hostile = Draft(criteria=(Criterion(text=bad, command=bad),), needs=Needs(hosts=(bad,), folders=(bad,)))
    terminal = Terminal(folder, hostile, NO_COLOR="1").ask()
    assert terminal.settled("y")["rule"] == ""
    assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", terminal.log.getvalue().rpartition("{")[0])


def test_what_only_a_person_can_decide_is_answered_by_yes_or_no_and_by_nothing_else(folder: Path):
    terminal = Terminal(folder, DRAFT, "plain", "question").ask()
    assert "Only you can decide: is this so?\r\n  1  가격마다 날짜가 있다" in terminal.shown
    for typed in ("", "y 5", "e", "a", "s"):
        terminal.type(typed, "Is it so")
    sent = terminal.settled("ㅜ 2024년 것뿐")
    assert (sent["kind"], sent["allowed"], sent["text"], sent["call_id"]) == ("answer", False, "2024년 것뿐", "2.1")


def test_a_run_pauses_at_its_draft_and_goes_on_after_a_yes_from_elsewhere(tmp_path: Path):
    shell = Shell(tmp_path)
    first = thought("I look.", commands=[("list_files", {})])
    first["criteria"] = [{"text": "the workspace is empty", "command": 'test -z "$(ls)"'}]
    first["needs"] = {"hosts": ["example.org"], "programs": [], "folders": []}
    with ModelServer([first, done("It is empty.")]) as server:
        argv = ["run", "--base-url", server.base_url, "-m", "test-model", "Look"]
        child = cast(Any, pexpect.spawn)(
            AUTOAGENT[0], [*AUTOAGENT[1:], *argv], env=env(**shell.environ, PYTHONPATH=str(ROOT)),
            cwd=str(shell.workspace), dimensions=(40, 80), encoding="utf-8", timeout=20,
        )  # fmt: skip
        child.expect("more")
        child.expect(PROMPT)
        time.sleep(QUIET_S)
        child.send("\x03")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 130
        assert "1 criterion to hold at the end: your yes, or your own" in child.before
        answered = shell.call("answer", shell.run_id, "y")
        assert "what the plan needs is asked each time" in answered.stderr
        ended = shell.call("resume", shell.run_id, "--output-format", "json")
    assert json.loads(ended.stdout)["criteria"][0]["state"] == "met"
    (settled,) = [event for event in shell.events() if event["type"] == "criteria_set"]
    assert settled["by"] == "answer"
    assert not [event for event in shell.events() if event["type"] == "rule_kept"]
