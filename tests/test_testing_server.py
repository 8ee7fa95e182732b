"""The test server, seen by the real client and by raw sockets."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from typing import Any

import openai
import pytest

from autoagent.errors import ConfigError
from autoagent.testing import (
    ContextOverflow,
    Cut,
    Drip,
    EmptyChoices,
    Failure,
    Hang,
    Html,
    Item,
    ModelServer,
    NoDone,
    Raw,
    RefusesParameter,
    Repeat,
    Reply,
    done,
    script_from_json,
    thought,
)

HI: Any = [{"role": "user", "content": "hi"}]
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "read_file", "arguments": '{"path": "a/long/name.txt"}'},
}


def ask(server: ModelServer, *, key: str = "k", timeout_s: float = 5, **options: Any) -> Any:
    """The completion, or the list of chunks of a stream."""
    with openai.OpenAI(base_url=server.base_url, api_key=key, max_retries=0, timeout=timeout_s) as client:
        answer: Any = client.chat.completions.create(**{"model": "m", "messages": HI, **options})
        return list(answer) if options.get("stream") else answer


def said(server: ModelServer, **options: Any) -> str:
    return ask(server, **options).choices[0].message.content


def connect(base_url: str) -> closing[HTTPConnection]:
    return closing(HTTPConnection(base_url.split("/")[2], timeout=5))


def post(connection: HTTPConnection, path: str = "/v1/chat/completions", **options: Any) -> bytes:
    connection.request("POST", path, json.dumps({"model": "m", "messages": HI, **options}))
    return connection.getresponse().read()


def test_items_are_played_in_order_and_requests_recorded() -> None:
    script: list[Item] = [
        "one",
        thought(text="two"),
        lambda body: f"you said {body['messages'][0]['content']}",
        done("ok"),
    ]
    with ModelServer(script) as server:
        assert said(server) == "one"
        assert json.loads(said(server))["thoughts"]["text"] == "two"
        assert said(server) == "you said hi"
        assert len(server.remaining) == 1
        assert json.loads(said(server))["commands"] == [
            {"name": "task_complete", "args": {"result": "ok", "files": []}}
        ]
        first = server.wait_for_requests(4)[0]
    assert (first.method, first.path, first.headers["authorization"]) == ("POST", "/v1/chat/completions", "Bearer k")
    assert first.body["messages"] == HI == json.loads(first.raw)["messages"]


def test_a_stream_adds_up_to_the_reply() -> None:
    reply = Reply("é" * 100, finish_reason="tool_calls", tool_calls=[CALL], cached_tokens=3, reasoning_tokens=7)
    with ModelServer([reply, reply]) as server:
        whole = ask(server)
        chunks = ask(server, stream=True, stream_options={"include_usage": True})
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == whole.choices[0].message.content == "é" * 100
    calls = [call for choice in choices for call in choice.delta.tool_calls or []]
    assert calls[0].function.name == whole.choices[0].message.tool_calls[0].function.name == "read_file"
    assert "".join(call.function.arguments for call in calls) == CALL["function"]["arguments"]
    assert choices[-1].finish_reason == whole.choices[0].finish_reason == "tool_calls"
    assert chunks[-1].usage == whole.usage
    assert whole.usage.prompt_tokens_details.cached_tokens == 3
    assert whole.usage.completion_tokens > 50 + 7


def test_usage_is_never_zero_unless_it_is_given_or_missing() -> None:
    given = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    with ModelServer(["", Reply("", usage=given), Reply("x", usage="missing"), Reply("x", usage="missing")]) as server:
        assert ask(server).usage.completion_tokens == 1
        assert ask(server).usage.total_tokens == 0
        assert ask(server).usage is None
        assert not any(c.usage for c in ask(server, stream=True, stream_options={"include_usage": True}))


def test_failures_reach_the_client_as_its_own_errors() -> None:
    script = [
        Failure(429, "slow down", code="rate_limit", retry_after=2),
        Failure(529, body="<busy>"),
        ContextOverflow(),
    ]
    with ModelServer(script) as server:
        with pytest.raises(openai.RateLimitError, match="slow down") as limited:
            ask(server)
        assert (limited.value.response.headers["retry-after"], limited.value.code) == ("2", "rate_limit")
        with pytest.raises(openai.InternalServerError) as busy:
            ask(server)
        assert busy.value.body == "<busy>"
        with pytest.raises(openai.BadRequestError, match="maximum context length is 8192 tokens") as long:
            ask(server)
        assert long.value.code == "context_length_exceeded"


def test_a_wrong_key_or_too_long_a_request_plays_nothing() -> None:
    with ModelServer(["ok"], models=("a", "b"), api_key="good", context_tokens=100) as server:
        with pytest.raises(openai.AuthenticationError, match="Incorrect API key provided: sk-bad"):
            ask(server, key="sk-bad")
        with pytest.raises(openai.BadRequestError, match="maximum context length is 100 tokens"):
            ask(server, key="good", messages=[{"role": "user", "content": "x" * 400}])
        with openai.OpenAI(base_url=server.base_url, api_key="good", max_retries=0) as client:
            assert [model.id for model in client.models.list()] == ["a", "b"]
        assert server.remaining == ["ok"]
        assert said(server, key="good") == "ok"


def test_a_refused_parameter_is_refused_until_it_is_gone() -> None:
    with ModelServer([RefusesParameter("max_tokens", RefusesParameter("seed", "ok"))]) as server:
        for name in ("max_tokens", "seed"):
            with pytest.raises(openai.BadRequestError, match=f"Unsupported parameter: '{name}' is not") as refused:
                ask(server, **{name: 5})
            assert (refused.value.param, refused.value.code) == (name, "unsupported_parameter")
        assert said(server) == "ok"


def test_repeat_plays_its_item_so_many_times() -> None:
    with ModelServer([Repeat("a", times=2), Repeat("b")]) as server:
        assert [said(server) for _ in range(4)] == ["a", "a", "b", "b"]
        assert server.remaining == [Repeat("b")]


def test_going_past_the_script_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="used up"), ModelServer([]) as server:  # noqa: PT012
        with pytest.raises(openai.InternalServerError, match="the script is used up"):
            ask(server)
        assert server.overrun
    with pytest.raises(KeyError), ModelServer([]) as server:  # noqa: PT012 - the error in flight is the one seen
        with connect(server.base_url) as connection:
            post(connection)
        raise KeyError
    with ModelServer([], allow_overrun=True) as server, pytest.raises(openai.InternalServerError):
        ask(server)


def test_an_error_in_a_callable_fails_the_test() -> None:
    def wrong(body: dict[str, Any]) -> Item:
        raise KeyError(body["model"])

    with (
        pytest.raises(AssertionError, match="KeyError"),
        ModelServer([wrong]) as server,
        pytest.raises(openai.InternalServerError),
    ):
        ask(server)


def test_odd_answers_come_as_they_are() -> None:
    script = [
        Html("<p>Log in</p>"),
        Raw(b"\xff", "text/plain", 418),
        Raw("ab", times=1000),
        EmptyChoices(),
        EmptyChoices(),
    ]
    with ModelServer(script) as server:
        with connect(server.base_url) as connection:
            assert post(connection) == b"<p>Log in</p>"
            assert post(connection) == b"\xff"
            assert post(connection) == b"ab" * 1000
        assert ask(server).choices == []
        assert [chunk.choices for chunk in ask(server, stream=True)] == [[]]


@pytest.mark.parametrize("finish_reason", [None, "stop"])
def test_a_stream_can_end_without_done(finish_reason: str | None) -> None:
    with ModelServer([Repeat(NoDone("half", finish_reason), times=3)]) as server:
        with connect(server.base_url) as connection:
            assert b"[DONE]" not in post(connection, stream=True)
        assert ask(server, stream=True)[-1].choices[0].finish_reason == finish_reason
        assert said(server) == "half"


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_body_is_an_error_to_every_client(reset: bool) -> None:
    with ModelServer([Repeat(Cut("x" * 100, after_bytes=300, reset=reset), times=3)]) as server:
        with pytest.raises(openai.APIConnectionError):
            ask(server)
        with pytest.raises(openai.APIConnectionError):
            ask(server, stream=True)
        with connect(server.base_url) as connection, pytest.raises((IncompleteRead, ConnectionResetError)):
            post(connection)


def test_a_drip_is_slow_but_whole() -> None:
    with ModelServer([Drip("a" * 50, every_s=0.001, chunk=20), Drip("b" * 50, every_s=0.001, chunk=20)]) as server:
        assert said(server) == "a" * 50
        assert "".join(c.choices[0].delta.content or "" for c in ask(server, stream=True)) == "b" * 50


def test_a_client_can_give_up_on_a_late_reply_and_ask_again(capfd: pytest.CaptureFixture[str]) -> None:
    with ModelServer([Hang(), Reply("late", delay_s=60), Drip("later", every_s=60), "ok"]) as server:
        for _ in range(3):
            with pytest.raises(openai.APITimeoutError):
                ask(server, timeout_s=0.02)
        assert said(server) == "ok"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "item", [Hang(), Drip("x" * 10_000, every_s=0.01), Reply("x", delay_s=60), Raw("x" * 10**6, times=99)]
)
def test_closing_is_prompt_and_leaves_no_thread(item: Item, capfd: pytest.CaptureFixture[str]) -> None:
    before = threading.active_count()
    with ModelServer([item]) as server, connect(server.base_url) as connection:
        connection.request("POST", "/v1/chat/completions", json.dumps({"messages": HI}))
        server.wait_for_requests(1)
        started = time.monotonic()
        server.close()
        assert time.monotonic() - started < 0.5  # a few ms, but for a busy machine
    assert threading.active_count() == before
    assert capfd.readouterr() == ("", "")


def test_a_callable_that_waits_does_not_hold_up_other_connections() -> None:
    release = threading.Event()
    with ModelServer([lambda _: "slow" if release.wait(5) else "late", "fast"]) as server:
        answers: list[str] = []
        waiting = threading.Thread(target=lambda: answers.append(said(server)))
        waiting.start()
        server.wait_for_requests(1)
        assert said(server) == "fast"
        release.set()
        waiting.join()
        assert answers == ["slow"]


def test_what_is_no_chat_request_is_told_so_and_plays_nothing() -> None:
    with ModelServer(["ok"]) as server, connect(server.base_url) as connection:
        assert b"Unknown request URL: POST /v1/completions" in post(connection, "/v1/completions")
        connection.request("POST", "/v1/chat/completions", b"[" * 100_000)
        assert b"could not parse the JSON body" in connection.getresponse().read()
        assert b'"ok"' in post(connection, "/any/prefix//chat/completions?api-version=1")
        with socket.create_connection((connection.host, connection.port)) as raw, raw.makefile("rb") as answer:
            raw.sendall(b"hello\r\n\r\n")
            assert answer.readline() == b"HTTP/1.1 400 Bad Request\r\n"


def test_waiting_for_requests_that_do_not_come_says_how_many_came() -> None:
    with ModelServer([]) as server, pytest.raises(TimeoutError, match="0 of 2 requests"):
        server.wait_for_requests(2, timeout_s=0.01)


@pytest.fixture
def by_hand(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    script = tmp_path / "script.json"
    script.write_text(json.dumps(["hi", {"failure": {"status": 429}}, {"repeat": {"times": 2, "item": thought()}}]))
    command = [sys.executable, "-m", "autoagent.testing", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_json_script_is_played_by_hand_until_a_signal(by_hand: subprocess.Popen[str], ending: signal.Signals) -> None:
    assert by_hand.stdout is not None
    with connect(by_hand.stdout.readline()) as connection:
        assert b'"hi"' in post(connection)
        assert b"invalid_request_error" in post(connection)
        assert b"thoughts" in post(connection)
    by_hand.send_signal(ending)
    assert (by_hand.wait(5), by_hand.stdout.read()) == (0, "")


@pytest.mark.parametrize("wrong", ["x", [5], [{"nope": {}}], [{"cut": {"content": "x"}}], [{"hang": 1}], [{}]])
def test_a_json_script_with_a_wrong_item_is_a_config_error(wrong: object) -> None:
    with pytest.raises(ConfigError, match=r"script|missing|mapping"):
        script_from_json(wrong)
