"""`autoagent run`, `resume`, `answer`, `stop` as real processes against a real server: what scripts rely on."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support import HANDOVER, UNPROVEN

from autoagent.testing import Failure, Hang, ModelServer, Repeat, Reply, done, thought

AUTOAGENT = [sys.executable, "-m", "autoagent"]
WRITE = thought("I write.", commands=[("write_file", {"path": "out.txt", "text": "hello\n"})])
KEY = "sk-canary-0123456789abcdef"


class Shell:
    """A user's folder and environment, in which `autoagent` is called."""

    def __init__(self, folder: Path):
        self.home, self.workspace = folder, folder / "work"
        self.workspace.mkdir()
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environ = kept | {
            "HOME": str(folder),
            **UNPROVEN,
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PYTHONWARNINGS": "error",
        }

    def start(self, *args: str, server: ModelServer | None = None) -> subprocess.Popen[str]:
        at = ["--base-url", server.base_url, "-m", "test-model"] if server else []
        return subprocess.Popen(
            [*AUTOAGENT, *args, *at],
            cwd=self.workspace,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *args: str, server: ModelServer | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
        at = ["--base-url", server.base_url, "-m", "test-model"] if server else []
        argv = [*AUTOAGENT, *args, *at]
        return subprocess.run(
            argv, cwd=self.workspace, env=self.environ, input=stdin, capture_output=True, text=True, timeout=60
        )

    @property
    def run_folder(self) -> Path:
        return next(path for path in (self.home / "state/autoagent/runs").iterdir() if path.is_dir())

    @property
    def run_id(self) -> str:
        return self.run_folder.name

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.run_folder / "journal.jsonl").read_text().splitlines()]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()  # one left behind would fail an innocent test later, by its warning
        process.communicate()
        raise
    return process.returncode, out, err


def test_the_result_alone_is_on_standard_output_and_no_control_byte_anywhere(shell: Shell) -> None:
    with ModelServer([WRITE, done("out.txt is \x1b[31mwritten", ["out.txt"])]) as server:
        ended = shell.call("run", "-c", "Write out.txt", server=server)
    assert ended.returncode == 0
    assert ended.stdout == "out.txt is \x1b[31mwritten\n"  # a pipe gets the result as it is
    assert "\x1b" not in ended.stderr
    assert "\r" not in ended.stderr
    assert "✓ Goal reached" in ended.stderr
    assert (shell.workspace / "out.txt").read_text() == "hello\n"


def test_stream_json_is_the_journal_line_by_line(shell: Shell) -> None:
    with ModelServer([WRITE, done("written")]) as server:
        ended = shell.call("run", "-c", "--json", "-q", "Write out.txt", server=server)
    assert ended.stdout == (shell.run_folder / "journal.jsonl").read_text()
    assert json.loads(ended.stdout.splitlines()[-1])["type"] == "run_ended"


def test_json_is_one_object_with_the_status_and_the_exit_code(shell: Shell) -> None:
    with ModelServer([WRITE, done("written", ["out.txt"])]) as server:
        ended = shell.call("run", "-c", "--output-format", "json", "Write out.txt", server=server)
    found = json.loads(ended.stdout)
    assert (found["status"], found["exit_code"], found["result"], found["files"]) == (
        "reached",
        0,
        "written",
        ["out.txt"],
    )
    assert found["steps"] == 2
    assert found["input_tokens"] > 0


def test_the_result_is_also_written_to_a_file_and_a_bad_file_is_said_before_anything_is_spent(shell: Shell) -> None:
    with ModelServer([done("42")]) as server:
        assert shell.call("run", "-c", "-o", "result.txt", "Answer", server=server).returncode == 0
        assert (shell.workspace / "result.txt").read_text() == "42\n"
        refused = shell.call("run", "-c", "-o", "no/such/folder/result.txt", "Answer", server=server)
        assert refused.returncode == 2
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("args", "stdin", "expected"),
    [
        (["Count", "the", "files"], "", "Count the files"),
        (["--goal", "First", "--goal", "Second"], "", "1. First\n2. Second"),
        (["--goal-file", "goal.txt"], "", "세 공급사를 비교해 줘"),
        (["-"], "From standard input\n", "From standard input"),
        (["--ai-settings", "ai_settings.yaml"], "", "1. Find it\n2. Write it"),
    ],
    ids=["positional", "several", "file in CP949", "standard input", "AutoGPT's settings"],
)
def test_a_goal_comes_in_many_ways(shell: Shell, args: Sequence[str], stdin: str, expected: str) -> None:
    (shell.workspace / "goal.txt").write_bytes("세 공급사를 비교해 줘\n".encode("cp949"))
    (shell.workspace / "ai_settings.yaml").write_text(
        "ai_name: Finder\nai_role: an agent that finds\nai_goals:\n- Find it\n- Write it\napi_budget: 0.0\n"
    )
    with ModelServer([done("x")]) as server:
        ended = shell.call("run", "-c", *args, server=server, stdin=stdin)
        assert ended.returncode == 0, ended.stderr
        system = server.requests[0].body["messages"][0]["content"]
    assert system.rstrip().endswith(f"# Goal\n\n{expected}")
    if "--ai-settings" in args:
        assert system.startswith("You are Finder, an autonomous agent. an agent that finds")


@pytest.mark.parametrize("flag", ["--goal-file", "--ai-settings"])
def test_a_binary_file_for_a_goal_is_told_by_its_name(shell: Shell, flag: str) -> None:
    (shell.workspace / "goal.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xfe")
    ended = shell.call("run", "-c", "-m", "offline", flag, "goal.png")
    assert ended.returncode == 2
    assert " ".join(ended.stderr.split()).startswith("error: goal.png: The file looks binary (PNG image, 18 bytes)")


def test_autogpts_budget_is_a_hard_limit_and_needs_a_price(shell: Shell) -> None:
    (shell.workspace / "ai.yaml").write_text("ai_name: A\nai_role: r\nai_goals: [g]\napi_budget: 0.5\n")
    config = shell.home / "config/autoagent"
    config.mkdir(parents=True)
    (config / "config.toml").write_text('[prices."test-model"]\ninput = 1.0\noutput = 2.0\n')
    with ModelServer([done("x")]) as server:
        ended = shell.call("run", "-c", "--ai-settings", "ai.yaml", server=server)
    assert "$0.50" in ended.stderr


@pytest.mark.parametrize("format", ["text", "json", "stream-json"])
@pytest.mark.parametrize("last", [(done("ok"), 0), (thought("no", commands=[("give_up", {"reason": "none"})]), 3)])
def test_a_reader_who_leaves_neither_stops_a_run_nor_changes_its_exit_code(
    shell: Shell, format: str, last: tuple[Any, int]
) -> None:
    ending, code = last
    with ModelServer([WRITE, ending]) as server:
        argv = [*AUTOAGENT, "run", "-c", "--output-format", format, "-o", "result.txt", "Write out.txt"]
        argv += ["--base-url", server.base_url, "-m", "test-model"]
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as screen:
            ended = subprocess.run(
                argv, cwd=shell.workspace, env=shell.environ, stdin=subprocess.DEVNULL, stdout=screen, stderr=screen,
                timeout=60,
            )  # fmt: skip
    assert ended.returncode == code
    assert (shell.workspace / "out.txt").read_text() == "hello\n"
    assert (shell.workspace / "result.txt").exists() == (code == 0)


def test_without_a_goal_or_with_an_empty_one_nothing_starts(shell: Shell) -> None:
    for args in (["run", "-c"], ["run", "-c", "  "], [], ["run", "-c", "-"]):
        ended = shell.call(*args)
        assert ended.returncode == 2
        assert ended.stderr.startswith("error: ")
    assert not (shell.home / "state/autoagent/runs").exists()


def test_a_command_that_acts_waits_for_an_answer_where_nobody_sits(shell: Shell) -> None:
    with ModelServer([WRITE, done("written")]) as server:
        ended = shell.call("run", "Write out.txt", server=server)
        assert ended.returncode == 5
        assert f"autoagent answer {shell.run_id} y" in ended.stderr
        assert not (shell.workspace / "out.txt").exists()
        assert shell.call("answer", shell.run_id, "y").returncode == 0
        resumed = shell.call("resume", shell.run_id)
    assert (resumed.returncode, resumed.stdout) == (0, "written\n")
    assert (shell.workspace / "out.txt").exists()


def test_a_no_and_advice_reach_the_model_and_nothing_runs(shell: Shell) -> None:
    with ModelServer([WRITE, WRITE, done("stopped")]) as server:
        shell.call("run", "Write out.txt", server=server)
        assert shell.call("answer", "last", "n", "use", "another", "name", "--resume").returncode == 5
        assert "use another name" in server.requests[1].body["messages"][-2]["content"]
        ended = shell.call("answer", "last", "only look at the folder", "--resume")
        assert "only look at the folder" in server.requests[2].body["messages"][-2]["content"]
    assert ended.returncode == 0
    assert not (shell.workspace / "out.txt").exists()


def test_an_answer_that_answers_nothing_is_refused(shell: Shell) -> None:
    with ModelServer([thought(commands=[("give_up", {"reason": "no way"})])]) as server:
        assert shell.call("run", "-c", "Try", server=server).returncode == 3
    assert shell.call("answer", "last", "y").returncode == 2
    refused = shell.call("resume", "last")
    assert refused.returncode == 2
    assert "--message" in refused.stderr


def test_an_unreached_run_goes_on_with_a_message(shell: Shell) -> None:
    with ModelServer([thought(commands=[("give_up", {"reason": "no file"})]), done("found")]) as server:
        assert shell.call("run", "-c", "Try", server=server).returncode == 3
        ended = shell.call("resume", "last", "--message", "it is in ./b")
        assert "it is in ./b" in json.dumps(server.requests[1].body["messages"])
    assert (ended.returncode, ended.stdout) == (0, "found\n")


def test_a_reached_run_is_not_run_again(shell: Shell) -> None:
    with ModelServer([done("42")]) as server:
        shell.call("run", "-c", "Answer", server=server)
        size = (shell.run_folder / "journal.jsonl").stat().st_size
        ended = shell.call("resume", "last")
        assert (ended.returncode, ended.stdout) == (0, "42\n")
        assert len(server.requests) == 1
    assert (shell.run_folder / "journal.jsonl").stat().st_size == size


def test_a_step_limit_stops_the_run_and_a_higher_one_goes_on(shell: Shell) -> None:
    look = thought("I look.", commands=[("list_files", {})])
    with ModelServer([look, look, HANDOVER, done("done")]) as server:
        ended = shell.call("run", "-c", "-l", "2", "Look", server=server)
        assert ended.returncode == 4
        assert "--max-steps 4" in ended.stderr
        assert shell.call("resume", "last").returncode == 4
        assert len(server.requests) == 3
        assert shell.call("resume", "last", "--max-steps", "4").returncode == 0


def test_a_cost_limit_of_zero_sends_nothing(shell: Shell) -> None:
    config = shell.home / "config/autoagent"
    config.mkdir(parents=True)
    (config / "config.toml").write_text('[prices."test-model"]\ninput = 1.0\noutput = 2.0\n')
    with ModelServer([]) as server:
        assert shell.call("run", "-c", "--max-cost", "0", "Look", server=server).returncode == 4
        assert not server.requests


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--max-cost", "-1"], "-1 is less than 0"),
        (["--max-cost", "nan"], "nan is no finite number"),
        (["--review", "off", "--done-when", "the moon is cheese"], 'nobody would judge "the moon is cheese"'),
        (["--max-tokens", "-1"], "-1 is less than 0"),
        (["--temperature", "nan"], "nan is not between 0 and 2"),
        (["--temperature", "5"], "5 is not between 0 and 2"),
        (["--context-tokens", "0"], "0 is less than 1"),
        (["--max-reply-tokens", "0"], "0 is less than 1"),
        (["--max-time", "soon"], "write 90 (seconds), 15m or 2h"),
        (["-m", "no-such-model"], "no key and no server"),
        (["--base-url", "http://203.0.113.1/v1", "-m", "mine", "--max-cost", "1"], 'prices."mine"'),
        (["--yolo"], "--continuous (keeps the limits)"),
        (["--max-step", "3"], "--max-steps"),
        (["-w", "no-such-folder"], "no-such-folder"),
    ],
)
def test_wrong_flags_are_one_line_and_exit_2(shell: Shell, args: Sequence[str], told: str) -> None:
    ended = shell.call("run", "-c", *args, "Look")
    assert ended.returncode == 2
    assert told in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("args", [["--temperature", "nan"], ["--max-tokens", "-1"], ["--context-tokens", "0"]])
def test_a_wrong_amount_is_said_before_the_run_says_anything(shell: Shell, args: Sequence[str]) -> None:
    assert shell.call("run", "-c", *args, "Look").stderr.startswith("error: ")


def test_the_context_that_is_offered_at_its_limit_is_enough(shell: Shell) -> None:
    (shell.workspace / "a.txt").write_text("alpha\n")
    ended = shell.call("run", "-c", "-m", "offline", "--context-tokens", "10", "count alpha in a.txt")
    offered = re.search(r"--context-tokens (\d+)", ended.stderr)
    assert ended.returncode == 4
    assert offered
    assert shell.call("resume", "last", *offered[0].split()).returncode == 0


def test_a_refused_key_is_one_line_and_the_key_is_nowhere(shell: Shell) -> None:
    shell.environ["OPENAI_API_KEY"] = KEY
    with ModelServer([], api_key="another") as server:
        ended = shell.call("run", "-c", "Look", server=server)
    assert ended.returncode == 6
    assert "refused the key (401)" in ended.stderr
    assert f"autoagent resume {shell.run_id}" in ended.stderr
    kept = b"".join(path.read_bytes() for path in shell.home.rglob("*") if path.is_file())
    assert KEY.encode() not in kept + ended.stderr.encode() + ended.stdout.encode()


def test_an_endpoint_that_is_not_there_says_its_address(shell: Shell) -> None:
    shell.environ["AUTOAGENT_LIMITS_TIME"] = "1"
    ended = shell.call("run", "-c", "--base-url", "http://127.0.0.1:9/v1", "-m", "m", "Look")
    assert ended.returncode in (4, 6)
    assert "http://127.0.0.1:9/v1" in ended.stderr


def test_three_unreadable_replies_end_unreached(shell: Shell) -> None:
    with ModelServer([Repeat("I'm sorry, I can't do that.", 3)]) as server:
        assert shell.call("run", "-c", "Look", server=server).returncode == 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 5)])
def test_a_signal_pauses_at_once_while_the_model_is_silent(shell: Shell, number: signal.Signals, code: int) -> None:
    with ModelServer([Hang()]) as server:
        process = shell.start("run", "-c", "Look", server=server)
        server.wait_for_requests(1)
        process.send_signal(number)
        returned, _, err = finish(process)
    assert returned == code
    assert "Traceback" not in err
    assert f"autoagent resume {shell.run_id}" in err
    assert shell.events()[-1]["type"] == "run_paused"


def test_a_crash_of_ours_would_leave_no_dump_with_the_key(shell: Shell) -> None:
    with ModelServer([Hang()]) as server:
        process = shell.start("run", "-c", "Look", server=server)
        server.wait_for_requests(1)
        soft, _ = resource.prlimit(process.pid, resource.RLIMIT_CORE)
        process.send_signal(signal.SIGINT)
        finish(process)
    assert soft == 0


def test_a_run_can_be_stopped_from_elsewhere(shell: Shell) -> None:
    asked: list[int] = []

    def slowly(_: dict[str, object]) -> object:
        asked.append(1)
        return Reply(json.dumps(thought(f"look {len(asked)}", commands=[("list_files", {})])), delay_s=0.3)

    with ModelServer([Repeat(slowly)]) as server:
        process = shell.start("run", "-c", "Look", server=server)
        server.wait_for_requests(1)
        assert shell.call("stop", "last").returncode == 0
        code, _, err = finish(process)
    assert code == 5
    assert "autoagent resume" in err


def test_a_stop_from_elsewhere_cuts_a_call_that_hangs(shell: Shell) -> None:
    with ModelServer([Hang()]) as server:
        process = shell.start("run", "-c", "Look", server=server)
        server.wait_for_requests(1)
        shell.call("stop", "last")
        code, _, err = finish(process)
    assert code == 5
    assert "Paused: autoagent stop" in err
    assert shell.events()[-1]["type"] == "run_paused"


def test_keys_of_the_terminal_are_no_advice(shell: Shell) -> None:
    with ModelServer([WRITE]) as server:
        shell.call("run", "Write out.txt", server=server)
    for key in ("q", "e", "a", "d"):
        assert shell.call("answer", "last", key).returncode == 2


def test_a_second_process_does_not_get_a_live_run(shell: Shell) -> None:
    with ModelServer([Hang()]) as server:
        process = shell.start("run", "-c", "Look", server=server)
        server.wait_for_requests(1)
        ended = shell.call("resume", "last")
        assert ended.returncode == 2
        assert str(process.pid) in ended.stderr
        process.send_signal(signal.SIGINT)
        finish(process)


def test_a_rate_limit_is_waited_for_and_said(shell: Shell) -> None:
    with ModelServer([Failure(429, "slow down", retry_after=1), done("x")]) as server:
        ended = shell.call("run", "-c", "Look", server=server)
        first, second = (request.at for request in server.requests)
    assert ended.returncode == 0
    assert second - first >= 1
    assert "rate limit" in ended.stderr


def test_a_damaged_journal_is_refused_in_one_line(shell: Shell) -> None:
    with ModelServer([thought(commands=[("give_up", {"reason": "no"})])]) as server:
        shell.call("run", "-c", "Look", server=server)
    path = shell.run_folder / "journal.jsonl"
    damaged = bytearray(path.read_bytes())
    damaged[40] ^= 1
    path.write_bytes(damaged)
    ended = shell.call("resume", "last", "--message", "go on")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert path.read_bytes() == damaged


def test_a_state_folder_that_cannot_be_made_is_one_line(shell: Shell) -> None:
    (shell.home / "state").write_text("a file is in the way")
    with ModelServer([]) as server:
        ended = shell.call("run", "-c", "Look", server=server)
        assert not server.requests
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr


def test_without_a_model_the_planner_says_what_it_is_and_how_to_connect_one(shell: Shell) -> None:
    (shell.workspace / "a.md").write_text("The notice period is three months.\n")
    ended = shell.call("run", "-c", "What is the notice period?")
    assert ended.returncode == 0, ended.stderr
    assert "three months" in ended.stdout
    assert "no language model" in " ".join(ended.stderr.split()) or "not a language model" in " ".join(
        ended.stderr.split()
    )
    assert "export OPENAI_API_KEY=" in ended.stderr


@pytest.mark.parametrize("args", [["--version"], ["--help"], ["run", "--help"], ["runs"]])
def test_what_needs_no_run_imports_nothing_heavy(shell: Shell, args: Sequence[str]) -> None:
    shell.environ["PYTHONPROFILEIMPORTTIME"] = "1"
    ended = shell.call(*args)
    assert ended.returncode == 0
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if line.startswith("import time:")}
    heavy = ("pydantic", "openai", "httpx2", "tiktoken", "rich", "prompt_toolkit", "yaml", "regex", "asyncio")
    assert not [name for name in loaded if name.split(".")[0] in heavy]
    assert len(loaded) < 450


def test_hidden_tokens_of_a_reasoning_model_are_counted_and_shown(shell: Shell) -> None:
    with ModelServer([Reply(done("ok"), reasoning_tokens=1_200)]) as server:
        ran = shell.call("run", "-c", "Go", server=server)
    (replied,) = [event for event in shell.events() if event["type"] == "model_replied"]
    assert replied["usage"]["reasoning_tokens"] == 1_200  # type: ignore[index]
    assert "out (1.2k hidden)" in ran.stderr
    assert "(1,200 hidden)" in shell.call("show", "last", "--cost").stdout


def test_the_json_of_an_end_counts_hidden_tokens(shell: Shell) -> None:
    with ModelServer([Reply(done("ok"), reasoning_tokens=1_200)]) as server:
        ran = shell.call("run", "-c", "--output-format", "json", "Go", server=server)
    assert json.loads(ran.stdout)["reasoning_tokens"] == 1_200
