"""A person at a real terminal: what they see, and what their keys put into the run's inbox."""

import io
import json
import os
import re
import select
import shlex
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest

from autoagent import inbox, journal
from autoagent.history import Presence
from autoagent.inbox import InboxMessage
from autoagent.sandbox.probe import choose_layer
from autoagent.terminal.keyboard import Keyboard
from autoagent.terminal.layout import cells
from autoagent.terminal.look import Look
from autoagent.testing import Drip, ModelServer, done, thought

SCRIPT = Path(__file__).with_name("test_terminal_script.py")
ROOT = SCRIPT.parent.parent
QUIET_S = 0.1  # after a prompt is drawn, until it reads
PROMPT = r"\x1b\[\?7h\x1b\[0m\x1b\[\?12l\x1b\[\?25h|\n> "  # as prompt_toolkit ends a drawing, or plainly


def env(**changes: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "NO_COLOR", "VISUAL", "EDITOR"))}
    return {**clean, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "TERM": "xterm-256color", **changes}


class Terminal:
    """The script on a pty."""

    def __init__(
        self,
        folder: Path,
        scene: str,
        *flags: str,
        columns: int = 80,
        stdin: str | None = None,
        shell: bool = False,
        **changes: str,
    ):
        self.folder = folder
        command = shlex.join([sys.executable, str(SCRIPT), str(folder), scene, *filter(None, flags)])
        script = f"{stdin} | {command}" if stdin else f"exec {command}"
        self.child: Any = pexpect.spawn(
            "/bin/sh", ["-i"] if shell else ["-c", script], env=env(PS1="$ ", **changes),
            cwd=str(ROOT), dimensions=(60, columns), encoding="utf-8", timeout=8,
        )  # fmt: skip
        self.child.delaybeforesend = None
        self.child.logfile_read = self.log = io.StringIO()
        if shell:
            self.child.expect_exact("$ ")
            self.child.sendline(command)

    def ask(self) -> "Terminal":
        """Wait until the question stands and takes keys."""
        self.child.expect("more|leaves")
        self.child.expect(PROMPT)
        time.sleep(QUIET_S)
        return self

    def type(self, text: str, shows: str) -> None:
        """Type a line that is answered here with `shows` and another prompt."""
        self.child.send(f"{text}\r")
        self.child.expect(shows)
        self.child.expect(PROMPT)
        time.sleep(QUIET_S)

    def answer(self, text: str) -> dict[str, Any]:
        """Type the last line; what it came to."""
        self.child.send(f"{text}\r")
        return self.outcome()

    def outcome(self) -> dict[str, Any]:
        self.child.expect(r'(\{"waited".*\})\r\n')
        return json.loads(self.child.match[1])

    def message(self, text: str) -> dict[str, Any]:
        messages = self.answer(text)["messages"]
        assert len(messages) == 1
        return messages[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def test_yes_for_this_and_the_next_four(folder: Path):
    sent = Terminal(folder, "write").ask().message("y 5")
    assert (sent["kind"], sent["allowed"], sent["more"], sent["by"], sent["call_id"]) == (
        "answer", True, 4, "terminal", "1.1",
    )  # fmt: skip


def test_the_question_stays_until_it_is_answered(folder: Path):
    terminal = Terminal(folder, "write").ask()
    terminal.type("?", "this and the next 4")
    terminal.type("d", "vendor,price")
    sent = terminal.message("ㅜ 다른 파일")
    assert (sent["kind"], sent["allowed"], sent["text"]) == ("answer", False, "다른 파일")


def test_after_a_resume_the_question_is_read_from_the_journal(folder: Path):
    terminal = Terminal(folder, "write", RESUMED="1").ask()
    assert "+Acme,49" in terminal.log.getvalue()
    assert terminal.message("y")["call_id"] == "1.1"


@pytest.mark.parametrize("style", ["", "plain"])
def test_the_answer_comes_from_the_terminal_where_stdin_brought_the_goal(folder: Path, style: str):
    terminal = Terminal(folder, "shell", style, stdin="echo the goal").ask()
    assert terminal.message("y")["allowed"] is True


def test_ctrl_c_while_a_command_runs_says_what_it_waits_for(folder: Path):
    terminal = Terminal(folder, "story", PACE="0.6")
    terminal.child.expect("read_file.*Ctrl-C pauses")
    terminal.child.send("\x03")
    terminal.child.expect("Pausing after this command .*Ctrl-C again stops it now")


def test_a_bare_no_asks_for_its_reason(folder: Path):
    terminal = Terminal(folder, "shell").ask()
    terminal.type("n", "Why?")
    assert terminal.message("use csv")["text"] == "use csv"


def test_always_shows_the_rules_and_keeps_the_chosen_one(folder: Path):
    terminal = Terminal(folder, "write").ask()
    terminal.type("a", "2  writes in data/")
    terminal.type("", "y or Enter")
    terminal.type("ㅁ", "Enter to go back")
    sent = terminal.message("2")
    assert (sent["kind"], sent["rule"], sent["call_id"]) == ("keep_rule", "write:data/**", "1.1")
    assert sent["scope"] == "run"


def test_a_number_that_is_not_offered_is_said_with_those_that_are(folder: Path):
    terminal = Terminal(folder, "write").ask()
    for typed in ("9", "0", "x"):
        terminal.type("a", "Enter to go back")
        terminal.type(typed, rf"There is no {typed} here, 1 to \d\. Nothing was kept\.")
    assert terminal.message("y")["allowed"] is True


def test_a_rule_for_the_workspace_is_in_the_persons_own_file_before_the_run_hears_of_it(folder: Path, tmp_path: Path):
    scopes = json.dumps(["shell:git status\nshell:head", 'exact:run_shell {"command": "git status"}'])
    terminal = Terminal(folder, "shell", SCOPES=scopes, XDG_CONFIG_HOME=str(tmp_path)).ask()
    terminal.type("a", "3  git status, and head")
    sent = terminal.message("3")
    assert (sent["rule"], sent["scope"]) == ("shell:git status\nshell:head", "workspace")
    kept = json.loads((tmp_path / "autoagent/rules.json").read_text())
    assert kept["workspaces"] == {"/w": ["allow shell:head", "allow shell:git status"]}


def test_a_workspace_rule_that_cannot_be_written_is_kept_for_the_run_and_that_is_said(folder: Path, tmp_path: Path):
    (tmp_path / "autoagent").mkdir()
    (tmp_path / "autoagent/rules.json").write_text("damaged")
    terminal = Terminal(folder, "shell", SCOPES='["shell:git status"]', XDG_CONFIG_HOME=str(tmp_path)).ask()
    terminal.type("a", "Enter to go back")
    assert terminal.message("2")["scope"] == "run"
    assert "kept for this run only" in terminal.log.getvalue()
    assert (tmp_path / "autoagent/rules.json").read_text() == "damaged"


@pytest.mark.parametrize("style", ["", "plain"])
def test_enter_is_a_yes_where_a_file_is_written_that_can_be_put_back(folder: Path, style: str):
    terminal = Terminal(folder, "write", style).ask()
    assert "y or Enter" in terminal.log.getvalue()
    assert terminal.message("")["allowed"] is True


def test_enter_alone_is_no_answer_to_a_program(folder: Path):
    terminal = Terminal(folder, "shell").ask()
    terminal.type("", "y yes")
    assert terminal.message("n no")["allowed"] is False


@pytest.mark.parametrize(("typed", "kind"), [("only EU data centres", "say"), ("ㄴ", "review"), ("q", "stop")])
def test_other_answers(folder: Path, typed: str, kind: str):
    sent = Terminal(folder, "shell").ask().message(typed)
    assert sent["kind"] == kind
    assert sent["text"] == {"say": typed, "review": "", "stop": "paused by you"}[kind]


def test_ctrl_c_pauses_and_ctrl_d_leaves(folder: Path):
    terminal = Terminal(folder, "shell").ask()
    terminal.child.send("\x03")
    outcome = terminal.outcome()
    assert (outcome["stop"], outcome["messages"]) == ("Ctrl-C", [])
    terminal = Terminal(folder.with_name("other"), "shell", NO_COLOR="1").ask()
    terminal.child.send("\x04")
    assert terminal.outcome()["messages"][0]["kind"] == "stop"


def test_ctrl_c_pauses_in_the_plain_style(folder: Path):
    terminal = Terminal(folder, "shell", TERM="dumb").ask()
    terminal.child.send("\x03")
    assert terminal.outcome()["stop"] == "Ctrl-C"


@pytest.mark.parametrize("style", ["", "plain"])
def test_keys_typed_before_the_question_are_dropped(folder: Path, style: str):
    terminal = Terminal(folder, "shell", style, BEFORE="0.5")
    terminal.child.expect("Limits")
    terminal.child.send("y\ry")
    terminal.child.expect("more")
    terminal.child.send("y\r")  # within the 300 ms
    terminal.child.expect(PROMPT)
    time.sleep(QUIET_S)
    assert terminal.message("n no")["allowed"] is False


def test_a_pasted_yes_does_not_answer(folder: Path):
    terminal = Terminal(folder, "shell").ask()
    terminal.child.send("\x1b[200~y\n\x1b[201~")
    assert terminal.child.expect(["waited", pexpect.TIMEOUT], timeout=0.6) == 1
    terminal.child.send("\x15n no\r")
    assert terminal.outcome()["messages"][0]["allowed"] is False


def test_a_pasted_yes_does_not_answer_in_the_plain_style(folder: Path):
    terminal = Terminal(folder, "shell", NO_COLOR="1").ask()
    terminal.child.send("\x1b[200~y\n")
    terminal.child.expect("Run it?")
    assert terminal.message("n no")["allowed"] is False


@pytest.mark.parametrize("style", ["", "plain"])
def test_an_answer_from_elsewhere_ends_the_question_and_is_named(folder: Path, style: str):
    terminal = Terminal(folder, "shell", style).ask()
    inbox.send(folder, InboxMessage(kind="answer", by="slack", call_id="1.1", allowed=True))
    assert terminal.outcome()["messages"][0]["by"] == "slack"
    terminal.child.expect("slack: yes")


def test_the_arguments_are_edited_in_the_persons_editor(folder: Path, tmp_path: Path):
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/git status/git log/' \"$1\"\n")
    editor.chmod(0o700)
    sent = Terminal(folder, "shell", EDITOR=str(editor)).ask().message("e")
    assert sent["allowed"] is True
    assert sent["args"] == {"command": "git log", "timeout_s": 60}


def test_an_editor_that_changes_nothing_leaves_the_question(folder: Path):
    terminal = Terminal(folder, "shell", VISUAL="true").ask()
    terminal.type("e", "Nothing was changed")
    assert terminal.message("y")["args"] is None


def test_the_arguments_are_edited_on_the_line(folder: Path):
    terminal = Terminal(folder, "shell").ask()
    terminal.type("e", r"git status")
    time.sleep(QUIET_S)
    terminal.type("\x7f, }", "no JSON")
    sent = terminal.message('\x15{"command": "git diff"}')
    assert sent["args"] == {"command": "git diff"}


def test_the_arguments_are_typed_anew_in_the_plain_style(folder: Path):
    terminal = Terminal(folder, "shell", NO_COLOR="1").ask()
    terminal.type("e", '{"command": "git status", "timeout_s": 60}')
    assert terminal.message('{"command": "ls"}')["args"] == {"command": "ls"}


def test_the_models_own_question_takes_a_free_line(folder: Path):
    terminal = Terminal(folder, "person").ask()
    terminal.type("", "q alone")
    sent = terminal.message("no, 한빛 🙂")
    assert (sent["kind"], sent["text"]) == ("answer", "no, 한빛 🙂")


def test_the_bell_rings_once_when_a_question_waits(folder: Path):
    terminal = Terminal(folder, "shell", BELL="0.5").ask()
    terminal.child.expect("\a")
    assert terminal.child.expect(["\a", pexpect.TIMEOUT], timeout=0.5) == 1


def test_a_goal_is_asked_for_and_edited(folder: Path):
    terminal = Terminal(folder, "goal").ask()
    terminal.type("compare 4 vendors", "Looks into: compare 4 vendors")
    shown = len(terminal.log.getvalue())
    terminal.type("?", r"Enter +start[^\n]*\n[^\n]*e +edit name[^\n]*\n[^\n]*q +leave[^\n]*\n[^\n]*other +words")
    assert "Scout" not in terminal.log.getvalue()[shown:]
    terminal.type("e", "Name")
    terminal.type("\x15Boss", "Role")
    terminal.type("", "Goal 1")
    terminal.type("\x15-", "Goal 2")
    terminal.type("", r"\+ Goal")
    terminal.type("세 번째", r"\+ Goal")
    terminal.type("", "other words")
    terminal.child.send("\r")
    terminal.child.expect(r'(\["Boss".*\])\r\n')
    assert json.loads(terminal.child.match[1]) == [
        "Boss", "Looks into: compare 4 vendors", "Write report.md", "세 번째",
    ]  # fmt: skip


@pytest.mark.parametrize("style", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"LANG": "C", "NO_COLOR": "1"}])
def test_a_plain_terminal_gets_no_control_byte(folder: Path, style: dict[str, str]):
    terminal = Terminal(folder, "write", **style).ask()
    terminal.type("?", "any other text")
    terminal.message("y")
    terminal.child.expect(pexpect.EOF)
    shown = terminal.log.getvalue().encode()
    assert not re.search(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]", shown)  # the tty itself adds \r


@pytest.mark.parametrize("columns", [50, 80, 200])
def test_a_run_at_any_width(folder: Path, columns: int):
    terminal = Terminal(folder, "story", columns=columns)
    terminal.child.expect(pexpect.EOF)
    shown = re.sub(r"\x1b\[[\d;]*[mK]", "", terminal.child.before)
    assert "\x1b" not in shown
    assert "한글 🙂" in shown
    assert ("1 of 50 steps" in shown) == (columns > 50)
    assert "Goal reached" in shown


@pytest.mark.parametrize("changes", [{"LANG": "C"}, {"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"LANG": "POSIX"}])
def test_a_terminal_without_utf8_gets_words_and_ascii_signs(folder: Path, changes: dict[str, str]):
    shown = piped(folder, "story", **changes)
    assert shown.isascii()
    assert b"ok Goal reached" in shown
    assert b"x run_shell" in shown
    assert b"\\ud55c\\uae00" in shown


def test_a_pipe_gets_no_control_byte(folder: Path):
    shown = piped(folder, "story", TERM="xterm-256color")
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", shown)
    assert "✓ Goal reached".encode() in shown


def test_hostile_text_reaches_a_pipe_inert(folder: Path, tmp_path: Path):
    bad = tmp_path / "bad"
    bad.write_text("\x1b]52;c;aGk=\x07\x9b2J\rhidden\u202e\nerror: forged")
    shown = piped(folder, "hostile", BAD_TEXT=str(bad)).decode()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
    assert "\nerror: forged" not in shown


def test_quiet_leaves_errors_and_the_ending(folder: Path):
    shown = piped(folder, "story", "quiet").decode()
    assert "Step 1" not in shown
    assert "error: " in shown
    assert "✓ Goal reached" in shown


def test_verbose_adds_tokens(folder: Path):
    assert "18,000 tokens in (12k from cache)" in piped(folder, "story", "verbose").decode()


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("limit", "autoagent resume 7f3a --max-cost 2"),
        ("unavailable", "refused the key"),
        ("gave up", "✗ Goal not reached"),
    ],
)
def test_each_ending_names_the_run_and_the_command_that_goes_on(folder: Path, end: str, told: str):
    shown = piped(folder, "story", END=end).decode()
    assert told in shown
    assert "autoagent resume 7f3a" in shown


def test_the_loop_guard_is_said(folder: Path):
    assert "! same run_shell 3 times, same result · told to change plan" in piped(folder, "repeated").decode()


def test_the_first_line_comes_before_anything_heavy_is_loaded():
    code = (
        "import os, sys\n"
        "from autoagent.terminal.header import header\n"
        "from autoagent.terminal.look import choose_look\n"
        "header(choose_look(sys.stderr, os.environ), run_id='7f3a', workspace='~/x')\n"
        "print(sorted({'pydantic', 'rich.console', 'prompt_toolkit', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == "autoagent 0.1.0 · run 7f3a · workspace ~/x\n"


class Watched(Terminal):
    """The script with a program that writes lines."""

    def __init__(self, folder: Path, lines: list[str], *flags: str, columns: int = 80, **changes: str):
        told = folder.with_name("parts.json")
        told.write_text(json.dumps(lines))
        super().__init__(folder, "watch", *flags, columns=columns, PARTS=str(told), **changes)

    def shown(self) -> list[str]:
        return re.findall(r"\r(?:\x1b\[2m)?([^\r\n]*?)(?:\x1b\[0m)?\x1b\[K", self.log.getvalue())

    def end(self) -> None:
        self.child.send("\r")
        self.child.expect("the end")
        self.child.expect(pexpect.EOF)


def test_the_last_line_of_a_program_stands_in_the_live_line(folder: Path):
    terminal = Watched(folder, ["test_login \x1b[32mPASSED\x1b[0m"])
    terminal.child.expect_exact("run_shell 0 s of 60 · last line: test_login PASSED")
    terminal.end()


def test_what_a_program_writes_stays_inert_and_on_one_row(folder: Path):
    terminal = Watched(folder, ["10 %\r\x1b]0;t\x07한국어 \x9b2J\u202e " * 20, "done"], columns=50, PACE="0.6")
    terminal.child.expect_exact("of 60 · done")
    terminal.end()
    assert max(map(cells, terminal.shown())) < 50
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202e]", "".join(terminal.shown()))


class Reply(Terminal):
    """The script with a reply that arrives part by part; `shown` are the rows of the live line so far."""

    def __init__(
        self, folder: Path, parts: list[Any], *flags: str, columns: int = 80, shell: bool = False, **changes: str
    ):
        told = folder.with_name("parts.json")
        told.write_text(json.dumps(parts))
        super().__init__(folder, "reply", *flags, columns=columns, shell=shell, PARTS=str(told), **changes)

    def shown(self) -> list[str]:
        return re.findall(r"\r(?:\x1b\[2m)?([^\r\n]*?)(?:\x1b\[0m)?\x1b\[K", self.log.getvalue())

    def end(self) -> str:
        self.child.send("\r")
        self.child.expect("the end")
        self.child.expect(pexpect.EOF)
        return self.log.getvalue()


@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_thought_is_shown_while_it_arrives(folder: Path, ascii_only: bool):
    reply = json.dumps({"thoughts": {"text": "한글 🙂 sources"}}, ensure_ascii=ascii_only)
    terminal = Reply(folder, list(reply[:-3]))
    terminal.child.expect(r"thinking \d s · ~\d+ tokens out · 한글 🙂 sources…")
    terminal.end()


def test_a_long_thought_moves_by_its_end(folder: Path):
    terminal = Reply(folder, ['{"thoughts": {"text": "', "word " * 200, "the newest words"])
    terminal.child.expect("tokens out · …[^\r]*the newest words")
    terminal.end()


def test_prose_is_shown_as_it_is(folder: Path):
    terminal = Reply(folder, ['Read {"a": 1} of', " the files"], PURPOSE="summary")
    terminal.child.expect(re.escape('summarising older steps 0 s · ~7 tokens out · Read {"a": 1} of the files'))
    terminal.end()


@pytest.mark.parametrize("columns", [50, 80])
def test_the_live_line_stays_one_row(folder: Path, columns: int):
    terminal = Reply(
        folder, ['{"thoughts": {"text": "', *["한국어 👩\u200d💻 문장, "] * 60], columns=columns, PACE="0.02"
    )
    terminal.child.expect("said all")
    terminal.end()
    assert max(map(cells, terminal.shown())) < columns
    assert any("~" in row for row in terminal.shown())


def test_the_narrow_form_keeps_percent_and_tokens(folder: Path):
    terminal = Reply(folder, ['{"thoughts": {"text": "', "a" * 400], columns=50)
    terminal.child.expect(r"thinking \d s · ~1\d\d out · 32 %")
    terminal.end()


def test_what_arrives_is_inert(folder: Path):
    terminal = Reply(folder, ['{"thoughts": {"text": "', "\\u001b]52;c;aGk=\\u0007 \x9b2J \x1b[2K"])
    terminal.child.expect(re.escape(r"\x1b]52;c;aGk=\x07 \x9b2J \x1b[2K"))
    terminal.end()


def test_it_redraws_at_most_four_times_a_second(folder: Path):
    terminal = Reply(folder, ['{"thoughts": {"text": "', *["word "] * 150], PACE="0.01")
    began = time.monotonic()
    terminal.child.expect("said all")
    terminal.end()
    assert 3 <= len(terminal.shown()) <= 4 * (time.monotonic() - began) + 3


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (80, "! nothing received for 4[56] s · gives up at 120 s, then tries again"),
        (50, "! nothing for 4[56] s · gives up at 120 s"),
    ],
)
def test_silence_is_told_with_its_seconds(folder: Path, columns: int, told: str):
    terminal = Reply(folder, ['{"thoughts', {"silent_s": 45.0, "patience_s": 120.0}], columns=columns)
    terminal.child.expect(told)
    terminal.child.expect("for 4[67] s")
    terminal.end()


def test_a_word_ends_the_silence(folder: Path):
    silence = {"silent_s": 45.0, "patience_s": 120.0}
    terminal = Reply(folder, ['{"a": "', silence, silence, silence, "words"], PACE="0.2")
    terminal.child.expect("nothing received")
    terminal.child.expect("tokens out · words")
    terminal.end()


def test_without_a_live_line_silence_is_told_once_and_nothing_streams(folder: Path):
    silence = {"silent_s": 50.0, "patience_s": 120.0}
    terminal = Reply(folder, ['{"a": "hello', *[silence] * 8], "plain", PACE="0.1")
    terminal.child.expect("said all")
    shown = terminal.end()
    assert shown.count("! nothing received for 50 s · gives up at 120 s, then tries again\r\n") == 1
    assert "hello" not in shown


def test_keys_typed_meanwhile_are_not_written_into_the_live_line(folder: Path):
    terminal = Reply(folder, ['{"a": "hello'])
    terminal.child.expect("hello")
    terminal.child.send("zzz")
    terminal.child.expect("thinking 1 s")
    assert "zzz" not in terminal.end()


def test_the_terminal_shows_keys_again_at_the_end(folder: Path):
    terminal = Reply(folder, ['{"a": "hello'])
    terminal.child.expect("hello")
    assert not _echoes(terminal)
    terminal.end()
    assert _echoes(terminal)


def test_the_terminal_shows_keys_again_after_a_crash(folder: Path):
    terminal = Reply(folder, ['{"a": "hello'])
    terminal.child.expect("hello")
    terminal.child.send("\x03")
    terminal.child.expect("Pausing")
    terminal.child.send("\x03")  # a KeyboardInterrupt that nobody catches
    terminal.child.expect("Traceback")
    terminal.child.expect(pexpect.EOF)
    assert _echoes(terminal)


def test_ctrl_z_gives_the_terminal_back_and_takes_it_again(folder: Path):
    terminal = Reply(folder, ['{"a": "hello'], shell=True)
    terminal.child.expect("hello")
    terminal.child.send("\x1a")
    terminal.child.expect("Stopped|Suspended")
    terminal.child.expect_exact("$ ")
    assert _echoes(terminal)
    terminal.child.sendline("fg")
    terminal.child.expect("tokens out · hello")
    assert not _echoes(terminal)
    terminal.child.send("\r")
    terminal.child.expect("the end")
    terminal.child.sendline("exit")
    terminal.child.expect(pexpect.EOF)


def _echoes(terminal: Terminal) -> bool:
    return bool(termios.tcgetattr(terminal.child.child_fd)[3] & termios.ECHO)


def test_a_run_shows_its_thought_while_the_model_writes_it(tmp_path: Path):
    slow = Drip(done("Nothing had to be done."), every_s=0.02, chunk=16)
    with ModelServer([slow]) as server:
        child: Any = pexpect.spawn(
            sys.executable,
            ["-m", "autoagent", "run", "-c", "--base-url", server.base_url, "-m", "test-model", "Do nothing"],
            env=env(XDG_STATE_HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path)), cwd=str(tmp_path),
            dimensions=(40, 100), encoding="utf-8", timeout=8,
        )  # fmt: skip
        child.expect(r"thinking \d s · ~\d+ tokens out · ")
        child.expect("Goal reached")
        child.expect(pexpect.EOF)
        child.close()
    assert child.exitstatus == 0


def run_at_a_terminal(tmp_path: Path, server: ModelServer, *args: str) -> Any:
    """`autoagent run` on a pty, in a workspace of its own."""
    (tmp_path / "ws").mkdir()
    return pexpect.spawn(
        sys.executable, ["-m", "autoagent", "run", "--base-url", server.base_url, "-m", "test-model", *args],
        env=env(XDG_STATE_HOME=str(tmp_path / "s"), XDG_CONFIG_HOME=str(tmp_path / "c")), cwd=str(tmp_path / "ws"),
        dimensions=(40, 100), encoding="utf-8", timeout=8,
    )  # fmt: skip


@pytest.mark.skipif(choose_layer() == "none", reason="nothing holds programs on this machine")
@pytest.mark.parametrize(("typed", "allowed"), [("y", True), ("", False)])
def test_the_network_of_programs_is_asked_for_once_and_only_a_yes_is_one(tmp_path: Path, typed: str, allowed: bool):
    with ModelServer([done("Nothing had to be done.")]) as server:
        child = run_at_a_terminal(tmp_path, server, "--sandbox-network", "Do nothing")
        child.expect("Allow it[?] y/N")
        child.expect(PROMPT)
        time.sleep(QUIET_S)
        child.send(f"{typed}\r")
        child.expect("with the network" if allowed else "no network")
        child.expect("Goal reached")
        child.expect(pexpect.EOF)
    (run,) = (tmp_path / "s/autoagent/runs").iterdir()
    started = next(event for event in journal.read(run) if event.type == "run_started")
    assert started.setup.sandbox_network is allowed


@pytest.mark.skipif(choose_layer() == "none", reason="nothing holds programs on this machine")
def test_a_program_is_watched_while_it_runs_and_its_changes_can_be_undone(tmp_path: Path):
    slow = thought("I run it.", commands=[("run_shell", {"command": "echo first; sleep 1; echo x > made.txt"})])
    with ModelServer([slow, done("ok")]) as server:
        child = run_at_a_terminal(tmp_path, server, "-c", "Make a file")
        child.expect("Sandbox .* no network")
        child.expect_exact("s of 120 · last line: first")
        child.expect_exact("exit code 0 · changed 1 file")
        child.expect(r"made.txt \(new\) · undoable")
        child.expect("Undo .*1 file can be put back")
        child.expect("autoagent undo")
        child.expect(pexpect.EOF)


def test_another_run_in_the_workspace_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    look = thought("I look.", commands=[("list_files", {})])
    with ModelServer([look, look, done("ok")]) as server, Presence(tmp_path / "ws", "beef"):
        child = run_at_a_terminal(tmp_path, server, "-c", "--plain", "Look")
        child.expect(pexpect.EOF)
    assert child.before.count("! run beef works in this workspace too") == 1


def piped(folder: Path, scene: str, *flags: str, **changes: str) -> bytes:
    """What the script writes to a stderr that is no terminal."""
    command = [sys.executable, str(SCRIPT), str(folder), scene, *flags]
    return subprocess.run(command, env=env(**changes), cwd=ROOT, capture_output=True, check=True).stderr


def test_what_is_typed_while_a_run_works_is_left_to_no_shell():
    person, terminal = os.openpty()
    with os.fdopen(terminal) as keys:
        keyboard = Keyboard(Look(sys.stderr, rich=False), keys)
        assert not keyboard.drop()
        os.write(person, b"rm -r precious\n")
        assert select.select([keys], [], [], 10)[0]
        assert keyboard.drop()
        assert not select.select([keys], [], [], 0)[0]
    os.close(person)
