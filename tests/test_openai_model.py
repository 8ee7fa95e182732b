"""The model behind an endpoint, over real HTTP: what goes wrong there and what becomes of it."""

import contextlib
import json
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from support import KEY, World, finish, observations, outcomes

from autoagent.errors import ContextTooLong, ModelUnavailable
from autoagent.events import ModelFailed
from autoagent.models import Message
from autoagent.models import Reply as ModelReply
from autoagent.models.line import LONGEST_ANSWER
from autoagent.models.local import listed_models
from autoagent.models.openai import OpenAIModel
from autoagent.models.tokens import TokenCounter
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
    Raw,
    RefusesParameter,
    Repeat,
    Reply,
    done,
    thought,
)

MESSAGES: list[Message] = [{"role": "system", "content": "Be good."}, {"role": "user", "content": "Say hello."}]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


def make(base_url: str, **fields: Any) -> OpenAIModel:
    given: dict[str, Any] = {"name": "test-model", "api_key": KEY, "price": None, "notify": lambda _: None} | fields
    return OpenAIModel(base_url=base_url, counter=TokenCounter("gpt-4o"), **given)


def ask(server: ModelServer | str, *, timeout_s: float | None = 10, **fields: Any) -> ModelReply:
    model = make(server if isinstance(server, str) else server.base_url, **fields)
    try:
        return model.complete(MESSAGES, schema=SCHEMA, reply_tokens=77, timeout_s=timeout_s)
    finally:
        model.close()


def failure(item: Item, **fields: Any) -> ModelUnavailable:
    with ModelServer([item]) as server, pytest.raises(ModelUnavailable) as raised:
        ask(server, **fields)
    return raised.value


def failures(world: World) -> list[ModelFailed]:
    return world.events("model_failed")


def body_of(choice: dict[str, Any], **others: Any) -> Raw:
    return Raw(json.dumps({"choices": [choice], **others}))


# What is sent


def test_a_request_bounds_its_reply_and_carries_schema_key_and_messages() -> None:
    with ModelServer(["hello"], api_key=KEY) as server:
        assert ask(server, temperature=0.5).text == "hello"
        (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body["messages"] == MESSAGES
    assert request.body["max_completion_tokens"] == 77
    assert request.body["temperature"] == 0.5
    assert request.body["response_format"]["json_schema"]["schema"] == SCHEMA


def test_without_a_schema_or_an_option_none_is_sent() -> None:
    with ModelServer(["hello"]) as server:
        model = make(server.base_url)
        model.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=None)
        model.close()
        always = {"model", "messages", "max_completion_tokens", "stream", "stream_options"}
        assert server.requests[0].body.keys() == always


def test_seed_and_reasoning_effort_are_sent_where_they_are_set() -> None:
    with ModelServer(["hello"]) as server:
        ask(server, seed=0, reasoning_effort="low")
        body = server.requests[0].body
    assert (body["seed"], body["reasoning_effort"]) == (0, "low")


@pytest.mark.parametrize("ending", ["", "/", "//"])
def test_a_base_url_with_or_without_a_slash_is_the_same(ending: str) -> None:
    with ModelServer(["hello"]) as server:
        ask(server.base_url + ending)
        assert server.requests[0].path == "/v1/chat/completions"


def test_without_a_key_no_authorization_is_sent() -> None:
    with ModelServer(["hello"]) as server:
        ask(server, api_key="")
        assert "authorization" not in server.requests[0].headers


def test_a_key_with_a_line_end_from_a_file_works_and_never_shows() -> None:
    with ModelServer(["hello"], api_key="plain-secret-key") as server:
        assert ask(server, api_key="plain-secret-key\r\n").text == "hello"


def test_text_of_any_kind_arrives_as_it_was() -> None:
    text = "한글 \U0001f600 \x1b[31m \0 \u2028 é"
    with ModelServer([text]) as server:
        model = make(server.base_url)
        reply = model.complete([{"role": "user", "content": text}], schema={}, reply_tokens=5, timeout_s=5)
        model.close()
        assert reply.text == server.requests[0].body["messages"][0]["content"] == text


# What comes back


def test_usage_is_taken_as_reported() -> None:
    with ModelServer([Reply("x", cached_tokens=3, reasoning_tokens=7)]) as server:
        reply = ask(server)
    assert not reply.usage_estimated
    assert (reply.usage.cached_tokens, reply.usage.reasoning_tokens) == (3, 7)
    assert reply.usage.output_tokens == 8


NO_USAGE: list[Any] = [
    "missing",
    {},
    {"prompt_tokens": 0, "completion_tokens": 0},
    {"prompt_tokens": -5, "completion_tokens": 1},
    {"prompt_tokens": "12", "completion_tokens": 1},
    {"prompt_tokens": 10**400, "completion_tokens": 1},
    {"prompt_tokens": 12, "completion_tokens": None},
    {"prompt_tokens": 1.5, "completion_tokens": 1},
]


@pytest.mark.parametrize("usage", NO_USAGE, ids=lambda usage: str(usage)[:40])
def test_usage_that_is_missing_or_makes_no_sense_is_estimated(usage: Any) -> None:
    with ModelServer([Reply("hello there", usage=usage)]) as server:
        reply = ask(server)
    assert reply.usage_estimated
    assert 0 < reply.usage.input_tokens < 50
    assert 0 < reply.usage.output_tokens < 10


@pytest.mark.parametrize("details", [None, [], "x", {"cached_tokens": None}, {"cached_tokens": -1}])
def test_odd_details_of_usage_count_as_nothing(details: Any) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": details}
    with ModelServer([Reply("x", usage=usage)]) as server:
        assert ask(server).usage.cached_tokens == 0


def test_content_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "hel"}, {"type": "image"}, "odd", {"type": "text", "text": "lo"}]
    with ModelServer([body_of({"message": {"content": parts}})]) as server:
        assert ask(server).text == "hello"


def test_a_refusal_is_what_was_said() -> None:
    with ModelServer([Reply(None, refusal="I will not.")]) as server:
        assert ask(server).text == "I will not."


def test_tool_calls_without_content_are_given_on_as_one_object() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "read_file", "arguments": '{"path": "a"}'}}
    with ModelServer([Reply(None, tool_calls=[call])]) as server:
        assert json.loads(ask(server).text) == {"tool_calls": [call]}


def test_a_tool_call_in_the_place_of_content_runs(world: World) -> None:
    world.file("a.txt", "alpha")
    call = {"id": "1", "type": "function", "function": {"name": "read_file", "arguments": '{"path": "a.txt"}'}}
    with ModelServer([Reply(None, tool_calls=[call], finish_reason="tool_calls"), done("ok")]) as server:
        state = world.run(server)
    assert outcomes(state)[0] == ("read_file", "ok")
    assert "alpha" in observations(state)[0].text


def test_a_refusal_is_an_unreadable_reply_of_the_run(world: World) -> None:
    with ModelServer([Reply(None, refusal="I will not."), done("ok")]) as server:
        state = world.run(server)
        assert "I will not." in str(server.requests[1].body["messages"])
    assert state.status == "reached"


NO_CHOICE = {
    "a page": Html("<html>Sign in to the network</html>"),
    "no choices": EmptyChoices(),
    "nothing": Raw(""),
    "a list": Raw("[1]"),
    "null": Raw("null"),
    "a word": Raw('"hello"'),
    "choices is null": Raw('{"choices": null}'),
    "choices is text": Raw('{"choices": "text"}'),
    "a choice that is text": Raw('{"choices": ["text"]}'),
    "a message that is text": Raw('{"choices": [{"message": "text"}]}'),
    "a message that is a list": Raw('{"choices": [{"message": [1]}]}'),
    "an error with status 200": Raw('{"error": {"message": "overloaded"}}'),
    "nested without end": Raw("[" * 200_000),
    "bytes that are no UTF-8": Raw(b"\xff\xfe\xfa" * 100),
    "half a JSON": Raw('{"choices": [{"message": {"content": "abc'),
}


@pytest.mark.parametrize("kind", NO_CHOICE)
def test_an_answer_without_a_completion_is_tried_again_and_shown_in_short(kind: str) -> None:
    error = failure(NO_CHOICE[kind])
    assert error.retryable
    assert error.may_be_billed
    assert "no chat completion" in str(error)
    assert len(str(error)) < 300
    str(error).encode()  # it will stand in a journal


@pytest.mark.parametrize(
    "content",
    [b'"\xff\xfe half \xed\xa0\x80"', b'"\\ud800 half a pair"', b'{"odd": 1}', b"5", b"null", b'[{"text": null}]'],
)
def test_content_of_any_bytes_and_kind_becomes_text_that_a_journal_can_hold(world: World, content: bytes) -> None:
    odd = Raw(b'{"choices": [{"message": {"content": ' + content + b"}}]}")
    with ModelServer([odd, done("ok")]) as server:
        state = world.run(server)
    assert state.status == "reached"
    assert "\ud800" not in observations(state)[0].text


def test_an_answer_without_end_is_cut_off() -> None:
    piece = b" " * (1 << 20)
    item = Raw(piece, times=(LONGEST_ANSWER >> 20) + 8)
    error = failure(item, timeout_s=60)
    assert "more than 64 MiB" in str(error)


# Errors in HTTP


def test_a_rate_limit_is_waited_for_as_long_as_the_server_asks_and_every_wait_is_journalled(world: World) -> None:
    busy = Failure(429, "slow down", retry_after=2)
    with ModelServer([busy, busy, done("ok")]) as server:
        state = world.run(server)
        assert len(server.requests) == 3
    assert state.status == "reached"
    assert [event.wait_s >= 2 for event in failures(world) if event.wait_s] == [True, True]
    assert world.person
    assert world.person.slept == [event.wait_s for event in failures(world)]
    assert all("asks to wait 2 s" in event.problem and not event.may_be_billed for event in failures(world))
    assert state.usage.calls == 1
    assert state.step == 1


@pytest.mark.parametrize(
    ("header", "at_least"), [("7", 7), ("0.5", 0.5), ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("soon", 0), ("-3", 0)]
)
def test_every_form_of_retry_after_is_read(header: str, at_least: float) -> None:
    wait = failure(Failure(429, retry_after=header)).retry_after_s
    assert (wait or 0) == at_least


def test_a_wait_that_is_too_long_pauses_the_run_at_once(world: World) -> None:
    with ModelServer([Failure(429, "come back tomorrow", retry_after=86_400)]) as server:
        state = world.run(server)
    assert (state.status, len(server.requests)) == ("unavailable", 1)
    assert world.person
    assert world.person.slept == []


FINAL = [
    (Failure(429, "You exceeded your current quota", code="insufficient_quota"), "no credit left"),
    (Failure(402, "Payment required"), "no credit left"),
    (Failure(401, f"Incorrect API key provided: {KEY}"), "refused the key (401). Check OPENAI_API_KEY"),
    (Failure(403, "Country not supported"), "does not allow this (403): Country not supported"),
    (Failure(404, "The model `test-model` does not exist", code="model_not_found"), "'test-model'"),
    (Failure(400, "Something is odd"), "refused the request (400): Something is odd"),
    (Failure(407, "Proxy Authentication Required"), "(407)"),
    (Failure(301, headers={"Location": "https://elsewhere.example/"}), "(301)"),
]


@pytest.mark.parametrize(("item", "words"), FINAL, ids=[words for _, words in FINAL])
def test_what_trying_again_cannot_help_pauses_after_one_call(world: World, item: Failure, words: str) -> None:
    with ModelServer([item]) as server:
        state = world.run(server)
        assert len(server.requests) == 1
    assert state.status == "unavailable"
    assert words in state.reason
    assert state.usage.calls == 0


@pytest.mark.parametrize("status", [500, 502, 503, 529, 408])
def test_a_server_in_trouble_is_tried_a_few_times_with_growing_waits(world: World, status: int) -> None:
    with ModelServer([Repeat(Failure(status, body="<busy>"))]) as server:
        state = world.run(server)
        assert len(server.requests) == 6
    assert state.status == "unavailable"
    assert world.person
    waits = world.person.slept
    assert len(waits) == 5
    assert all(0.75 * 2**n <= wait <= 2**n for n, wait in enumerate(waits))
    assert failures(world)[-1].wait_s is None
    assert str(status) in state.reason


def test_a_server_that_recovers_is_forgiven(world: World) -> None:
    trouble = Repeat(Failure(503), 5)
    with ModelServer([trouble, thought(commands=[("list_files", {})]), trouble, done("ok")]) as server:
        assert world.run(server).status == "reached"


def test_a_run_whose_provider_is_down_stays_resumable(world: World) -> None:
    with ModelServer([Failure(401), Failure(401), done("ok")]) as server:
        assert world.run(server).status == "unavailable"
        assert world.run_again(world.folder, server).status == "unavailable"
        assert world.run_again(world.folder, server).status == "reached"


KEYS = [KEY, "plainkeywithoutprefix42", "sk-proj-" + "A1b2" * 20]


@pytest.mark.parametrize("key", KEYS, ids=["sk", "plain", "project"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_a_key_that_a_server_echoes_stands_nowhere(
    world: World, monkeypatch: pytest.MonkeyPatch, key: str, status: int
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    echo = Failure(status, f"Bearer {key} is not welcome ({key[:8]}***{key[-4:]})")
    with ModelServer([echo, Html(f"<p>Authorization: Bearer {key}</p>"), echo, Failure(401)]) as server:
        state = world.run(server)
        if status in (429, 500):
            assert len(server.requests) == 4
    everything = b"".join(path.read_bytes() for path in world.state.rglob("*") if path.is_file())
    assert key.encode() not in everything
    assert key not in state.reason + "".join(world.notes)


def test_a_password_in_the_address_is_not_shown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ModelUnavailable) as raised:
        ask(f"http://user:passw0rd@127.0.0.1:{port}/v1")
    assert f"127.0.0.1:{port}/v1" in str(raised.value)
    assert "passw0rd" not in str(raised.value)


# No answer at all


def test_a_refused_connection_names_the_address_and_costs_nothing(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    state = world.run(address)
    assert state.status == "unavailable"
    assert address in state.reason
    assert state.usage.calls == 0
    assert len(failures(world)) == 6


@pytest.mark.parametrize("address", ["no-scheme/v1", "ftp://127.0.0.1/v1", "http://"])
def test_what_is_no_address_is_said_once(address: str) -> None:
    with pytest.raises(ModelUnavailable) as raised:
        ask(address)
    assert not raised.value.retryable


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("after_bytes", [0, 40, 400])
def test_a_connection_that_breaks_is_tried_again_and_nothing_of_the_part_runs(
    world: World, after_bytes: int, reset: bool
) -> None:
    write = thought(commands=[("write_file", {"path": "a", "text": "x"})])
    with ModelServer([Cut(write, after_bytes, reset=reset), done("ok")]) as server:
        state = world.run(server)
    assert state.status == "reached"
    assert world.files() == {}
    assert state.usage.calls == 2  # what was cut may have been billed


def test_a_silent_server_is_left_at_the_runs_time_limit(world: World) -> None:
    with ModelServer([Repeat(Hang(), 9)]) as server:
        began = time.monotonic()
        state = world.run(server, limits__time=0.4)
        assert time.monotonic() - began < 5
        assert len(server.requests) == 1
    assert (state.status, state.reason) == ("limit", "time limit: 0 of 0 s of work")
    assert state.usage.calls == 1  # nobody knows what it cost


def test_a_server_that_drips_is_left_at_the_runs_time_limit(world: World) -> None:
    with ModelServer([Drip(done("ok"), every_s=0.05)]) as server:
        began = time.monotonic()
        state = world.run(server, limits__time=0.4)
        assert time.monotonic() - began < 5
    assert state.status == "limit"
    assert state.worked_s >= 0.36  # a tenth is kept for the hand-over


def test_a_wait_for_the_server_is_cut_at_the_runs_time_limit(world: World) -> None:
    with ModelServer([Failure(429, retry_after=60)]) as server:
        state = world.run(server, limits__time=5)
    assert state.status == "limit"
    assert world.person
    assert 0 < world.person.slept[0] <= 5


def test_the_next_call_does_not_wait_for_one_that_was_cut() -> None:
    with ModelServer([Hang(), "hello"]) as server:
        model = make(server.base_url)
        with pytest.raises(ModelUnavailable):
            model.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=0.2)
        assert model.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=5).text == "hello"
        model.close()
    for thread in threading.enumerate():
        if thread.name == "model call":
            thread.join(10)


# What an endpoint does not take


def test_a_refused_temperature_is_left_out_from_then_on_and_said() -> None:
    notes: list[str] = []
    with ModelServer([RefusesParameter("temperature", "one"), "two"]) as server:
        model = make(server.base_url, temperature=0.1, notify=notes.append)
        assert model.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=5).text == "one"
        assert model.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=5).text == "two"
        model.close()
        assert ["temperature" in request.body for request in server.requests] == [True, False, False]
    assert notes == ['test-model refuses "temperature"; left out from now on']


def test_an_older_endpoint_gets_max_tokens_so_that_its_reply_stays_bounded() -> None:
    with ModelServer([RefusesParameter("max_completion_tokens", "one")]) as server:
        assert ask(server).text == "one"
        bounds = [(r.body.get("max_completion_tokens"), r.body.get("max_tokens")) for r in server.requests]
    assert bounds == [(77, None), (None, 77)]


SCHEMA_REFUSALS = [
    RefusesParameter("response_format", "plain"),
    Failure(400, "'response_format.type' must be 'text'"),
    Failure(422, "json_schema is not supported"),
    Failure(500, "failed to parse grammar"),
]


@pytest.mark.parametrize("refusal", SCHEMA_REFUSALS, ids=lambda item: getattr(item, "message", "parameter"))
def test_an_endpoint_without_reply_schemas_is_asked_by_a_tool_call(refusal: Item) -> None:
    notes: list[str] = []
    script = [refusal] if isinstance(refusal, RefusesParameter) else [refusal, "plain"]
    with ModelServer(script) as server:
        assert ask(server, notify=notes.append).text == "plain"
        assert ["response_format" in request.body for request in server.requests] == [True, False]
        assert server.requests[1].body["tools"][0]["function"]["parameters"] == SCHEMA
    assert notes == ["test-model takes no reply schema; asked by a tool call from now on"]


def test_several_refused_things_are_learned_in_one_call(world: World) -> None:
    item: Item = done("ok")
    for name in ("temperature", "max_completion_tokens", "response_format"):
        item = RefusesParameter(name, item)
    with ModelServer([item]) as server:
        state = world.run(server, temperature=1.0)
        assert len(server.requests) == 4
    assert state.status == "reached"
    assert (state.step, len(world.events("model_called"))) == (1, 1)


def test_an_endpoint_that_refuses_everything_is_not_asked_for_ever() -> None:
    refusal = Failure(400, "temperature, response_format, max_completion_tokens: unsupported")
    with ModelServer([Repeat(refusal)]) as server:
        with pytest.raises(ModelUnavailable):
            ask(server, temperature=1.0)
        assert len(server.requests) <= 4


OVERFLOWS = [
    ContextOverflow(),
    Failure(400, "This model's maximum context length is 8192 tokens."),
    Failure(413, "prompt is too long: 9000 tokens > 8192 maximum"),
    Failure(400, "the request exceeds the available context size. try increasing it"),
]


@pytest.mark.parametrize("item", OVERFLOWS, ids=lambda item: getattr(item, "message", "overflow")[:30])
def test_a_context_that_is_too_long_is_told_apart(item: Item) -> None:
    with ModelServer([item]) as server, pytest.raises(ContextTooLong):
        ask(server)


def test_a_stopped_person_does_not_wait_for_the_server(world: World) -> None:
    with ModelServer([Hang(), done("ok")]) as server:
        agent = world.start(server)
        assert world.person

        def press_ctrl_c() -> None:
            server.wait_for_requests(1)
            signal.pthread_kill(main, signal.SIGINT)

        main, presser = threading.get_ident(), threading.Thread(target=press_ctrl_c)
        before = [signal.getsignal(number) for number in SIGNALS]
        world.person.signals.install()
        try:
            presser.start()
            state = finish(agent)
        finally:
            presser.join()
            for number, handler in zip(SIGNALS, before, strict=True):
                signal.signal(number, handler)
        assert (state.status, state.reason) == ("paused", "Ctrl-C")
        assert world.run_again(world.folder, server).status == "reached"
    assert [event.problem for event in failures(world)] == ["cancelled"]


def test_the_model_says_nothing_of_its_key_when_it_is_printed() -> None:
    model = make("http://127.0.0.1:1/v1")
    assert KEY not in repr(model)


# Servers on this machine

LISTED = {
    "models": (b'{"data": [{"id": "a"}, {"id": "b"}]}', ["a", "b"]),
    "odd entries": (b'{"data": [{"id": 5}, {"id": "b"}, {}]}', ["b"]),
    "a page": (b"<html>", []),
    "no list": (b'{"data": "abc"}', []),
    "null": (b"null", []),
    "nested without end": (b"[" * 200_000, []),
    "no UTF-8": (b"\xff\xfe", []),
}


def serve(body: bytes, *, every_s: float | None = None) -> tuple[int, threading.Thread]:
    """A server for one request that sends `body`, or a byte of it at a time."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            if every_s is None:
                return connection.sendall(body)
            with contextlib.suppress(OSError):
                for byte in body:
                    connection.sendall(bytes([byte]))
                    time.sleep(every_s)

    thread = threading.Thread(target=answer)
    thread.start()
    return listener.getsockname()[1], thread


@pytest.mark.parametrize("kind", LISTED)
def test_a_server_on_this_machine_is_asked_what_it_has(kind: str) -> None:
    body, models = LISTED[kind]
    port, thread = serve(body)
    assert listed_models("127.0.0.1", port) == models
    thread.join()


def test_a_program_on_a_usual_port_that_drips_holds_up_nobody() -> None:
    port, thread = serve(b" " * 100, every_s=0.05)
    began = time.monotonic()
    assert listed_models("127.0.0.1", port, timeout_s=0.3) == []
    assert time.monotonic() - began < 2
    thread.join()


def test_where_nothing_listens_there_are_no_models() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert listed_models("127.0.0.1", port) == []
