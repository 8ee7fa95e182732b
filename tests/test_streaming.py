"""A reply as it arrives: whole or nothing, heard while it comes, given up at once."""

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import KEY, World

from autoagent.errors import ContextTooLong, ModelUnavailable
from autoagent.models import Heard, Message
from autoagent.models import Reply as ModelReply
from autoagent.models.openai import OpenAIModel, Patience
from autoagent.models.sse import EventStream
from autoagent.models.tokens import TokenCounter
from autoagent.testing import (
    Drip,
    Failure,
    Hang,
    Item,
    ModelServer,
    NoDone,
    Raw,
    RefusesParameter,
    Reply,
    Stall,
    done,
    thought,
)

MESSAGES: list[Message] = [{"role": "user", "content": "Say hello."}]
SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}
IMPATIENT = Patience(told_s=0.1, again_s=0.05, streamed_s=0.3, whole_s=0.3)
STREAM = "text/event-stream"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


@contextmanager
def model(server: ModelServer | str, **fields: Any) -> Iterator[OpenAIModel]:
    given: dict[str, Any] = {"name": "test-model", "api_key": KEY, "price": None, "notify": lambda _: None} | fields
    base_url = server if isinstance(server, str) else server.base_url
    made = OpenAIModel(base_url=base_url, counter=TokenCounter("gpt-4o"), **given)
    try:
        yield made
    finally:
        made.close()


def ask(
    server: ModelServer, *, heard: list[Heard] | None = None, timeout_s: float | None = 10, **fields: Any
) -> ModelReply:
    told = [] if heard is None else heard
    with model(server, **fields) as asked:
        return asked.complete(MESSAGES, schema=SCHEMA, reply_tokens=77, timeout_s=timeout_s, hear=told.append)


def failure(item: Item, **fields: Any) -> ModelUnavailable:
    with ModelServer([item]) as server, pytest.raises(ModelUnavailable) as raised:
        ask(server, **fields)
    return raised.value


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **others: Any) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return json.dumps({"object": "chat.completion.chunk", "choices": [choice]} | others, ensure_ascii=False)


def stream(*events: str, ending: str = "\n\n") -> Raw:
    return Raw("".join(f"data: {event}{ending}" for event in events), STREAM)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "model call"]


# Events out of bytes

EVENTS = {
    "one": (b"data: a\n\n", ["a"]),
    "with CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
    "with CR": (b"data: a\r\rdata: b\r\r", ["a", "b"]),
    "in several lines": (b"data: a\ndata:  b\ndata\ndata:c\n\n", ["a\n b\n\nc"]),
    "comments": (b": keep-alive\n\n:\ndata: a\n: x\n\n", ["a"]),
    "other fields": (b"event: message\nid: 1\nretry: 5\ndata: a\n\nevent: ping\n\n", ["a"]),
    "a BOM": (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
    "a second BOM is no BOM": (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", ["a"]),
    "Hangul and emoji": ("data: 한글 \U0001f600\n\n".encode(), ["한글 \U0001f600"]),
    "no UTF-8": (b"data: \xff\n\n", ["\ufffd"]),
    "not yet ended": (b"data: a\n\ndata: b\n", ["a"]),
}


@pytest.mark.parametrize("kind", EVENTS)
def test_events_are_the_same_wherever_the_bytes_are_cut(kind: str) -> None:
    content, events = EVENTS[kind]
    for at in range(len(content) + 1):
        reader = EventStream()
        assert reader.feed(content[:at]) + reader.feed(content[at:]) == events


@settings(max_examples=60)
@given(
    texts=st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1), max_size=4),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    size=st.integers(1, 9),
)
def test_any_text_survives_any_line_end_and_any_cut(texts: list[str], end: str, size: int) -> None:
    content = "".join(f"data: {text}{end}{end}" for text in texts).encode()
    reader = EventStream()
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    assert [event for part in parts for event in reader.feed(part)] == texts


def test_a_line_of_many_small_parts_takes_no_longer_than_its_bytes() -> None:
    reader = EventStream()
    began = time.process_time()
    for _ in range(200_000):
        reader.feed(b"data: 16 bytes..")
    assert reader.feed(b"\n\n")
    assert time.process_time() - began < 2


# What is heard and what is said


def test_a_reply_is_asked_for_as_a_stream_with_its_usage() -> None:
    with ModelServer(["hello"]) as server:
        ask(server)
        body = server.requests[0].body
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("text", ["x" * 200, "한글 \U0001f600 é " * 20, "\u2028\u0085\r\n\0 \x1b[31m"])
def test_every_part_is_heard_as_it_comes_and_together_they_are_the_reply(text: str) -> None:
    heard: list[Heard] = []
    with ModelServer([Reply(text, cached_tokens=3, reasoning_tokens=7)]) as server:
        reply = ask(server, heard=heard)
    assert "".join(part.text for part in heard) == reply.text == text
    assert (reply.usage.cached_tokens, reply.usage.reasoning_tokens, reply.usage_estimated) == (3, 7, False)


@pytest.mark.parametrize("ending", ["\n\n", "\r\n\r\n", "\r\r", "\n: keep-alive\n\n"])
def test_a_stream_in_any_framing_is_read(ending: str) -> None:
    played = stream(chunk({"content": "한글 \U0001f600"}), chunk({}, "stop"), "[DONE]", ending=ending)
    with ModelServer([played]) as server:
        assert ask(server).text == "한글 \U0001f600"


def test_characters_that_arrive_byte_by_byte_are_whole() -> None:
    played = stream(chunk({"content": "한\U0001f600"}), chunk({}, "stop"), "[DONE]")
    with ModelServer([Raw(played.content, STREAM, every_s=0.0001)]) as server:
        assert ask(server).text == "한\U0001f600"


def test_a_character_that_comes_as_two_halves_is_one() -> None:
    halves = stream('{"choices": [{"delta": {"content": "\\ud83d"}}]}', chunk({"content": ""}), "[DONE]").content
    assert isinstance(halves, str)
    second = '{"choices": [{"delta": {"content": "\\ude00"}, "finish_reason": "stop"}]}'
    with ModelServer([Raw(halves.replace("[DONE]", second) + "data: [DONE]\n\n", STREAM)]) as server:
        assert ask(server).text == "\U0001f600"


def test_half_a_character_harms_nobody_who_listens() -> None:
    heard: list[Heard] = []
    half = '{"choices": [{"delta": {"content": "\\ud83d"}, "finish_reason": "stop"}]}'
    with ModelServer([stream(half, "[DONE]")]) as server:
        reply = ask(server, heard=heard)
    (reply.text + "".join(part.text for part in heard)).encode()


def test_an_endpoint_that_answers_with_one_body_is_understood_and_heard() -> None:
    heard: list[Heard] = []
    whole = {"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}
    with ModelServer([Raw(json.dumps(whole))]) as server:
        assert ask(server, heard=heard).text == "hello"
    assert [part.text for part in heard] == ["hello"]


def test_a_whole_reply_under_the_name_of_a_stream_is_read() -> None:
    whole = {"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}
    with ModelServer([Raw(json.dumps(whole), STREAM)]) as server:
        assert ask(server).text == "hello"


def test_a_stream_under_another_name_is_known_by_its_beginning() -> None:
    played = stream(chunk({"content": "hello"}), chunk({}, "stop"), "[DONE]")
    with ModelServer([Raw(played.content, "text/plain")]) as server:
        assert ask(server).text == "hello"


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_no_part_of_the_reply_but_counts(name: str) -> None:
    heard: list[Heard] = []
    hidden = [chunk({name: "let me see, one more word " * 20}) for _ in range(3)]
    with ModelServer([stream(*hidden, chunk({"content": "hello"}), chunk({}, "stop"), "[DONE]")]) as server:
        reply = ask(server, heard=heard)
    assert reply.text == "".join(part.text for part in heard) == "hello"
    assert reply.usage_estimated
    assert reply.usage.reasoning_tokens > 300
    assert reply.usage.output_tokens > reply.usage.reasoning_tokens


def test_hidden_tokens_that_only_the_total_counts_are_counted() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115}
    with ModelServer([Reply("x", usage=usage)]) as server:
        reply = ask(server)
    assert (reply.usage.output_tokens, reply.usage.reasoning_tokens) == (105, 100)


def test_the_usage_of_the_last_chunk_that_has_one_counts() -> None:
    early, late = ({"prompt_tokens": 9, "completion_tokens": n} for n in (1, 3))
    events = [chunk({"content": "x"}, usage=early), chunk({}, "stop", usage=late), chunk({}, usage=None)]
    with ModelServer([stream(*events, "[DONE]")]) as server:
        assert ask(server).usage.output_tokens == 3


def test_a_stream_without_usage_is_estimated_and_never_nothing() -> None:
    with ModelServer([Reply("hello there", usage="missing")]) as server:
        reply = ask(server)
    assert reply.usage_estimated
    assert reply.usage.input_tokens > 0
    assert reply.usage.output_tokens > 0


# Tool calls

CALL = {"id": "c1", "type": "function", "function": {"name": "next_step", "arguments": json.dumps(done("ok"))}}


def calls(*deltas: dict[str, Any]) -> Raw:
    return stream(*(chunk({"tool_calls": [delta]}) for delta in deltas), chunk({}, "tool_calls"), "[DONE]")


def test_the_arguments_of_our_function_are_the_reply() -> None:
    heard: list[Heard] = []
    with ModelServer([Reply("Let me see.", tool_calls=[CALL], finish_reason="tool_calls")]) as server:
        reply = ask(server, heard=heard)
    assert json.loads(reply.text) == done("ok")
    assert "".join(part.text for part in heard) == "Let me see." + reply.text


STREAMED_CALLS = {
    "in parts": [
        {"index": 0, "id": "a", "function": {"name": "next_step", "arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ": 1}"}},
    ],
    "without an index": [
        {"id": "a", "function": {"name": "next_step", "arguments": '{"a"'}},
        {"function": {"arguments": ": 1}"}},
    ],
    "the name later": [
        {"index": 0, "id": "a", "function": {"arguments": ""}},
        {"index": 0, "function": {"name": "next_step"}},
        {"index": 0, "function": {"arguments": '{"a": 1}'}},
    ],
    "arguments as an object": [{"index": 0, "id": "a", "function": {"name": "next_step", "arguments": {"a": 1}}}],
}


@pytest.mark.parametrize("kind", STREAMED_CALLS)
def test_a_streamed_call_is_put_together(kind: str) -> None:
    with ModelServer([calls(*STREAMED_CALLS[kind])]) as server:
        assert json.loads(ask(server).text) == {"a": 1}


def test_two_calls_under_one_index_stay_two() -> None:
    deltas = [{"index": 0, "id": name, "function": {"name": name, "arguments": "{}"}} for name in ("one", "two")]
    with ModelServer([calls(*deltas)]) as server:
        made = json.loads(ask(server).text)["tool_calls"]
    assert [call["function"]["name"] for call in made] == ["one", "two"]


UNREADABLE_CALLS = {
    "no name": [{"index": 0, "id": "a", "function": {"arguments": json.dumps(done("ok"))}}],
    "arguments that are cut": [{"index": 0, "id": "a", "function": {"name": "next_step", "arguments": '{"thoug'}}],
    "no function": [{"index": 0, "id": "a"}],
    "two thoughts": [
        {"index": n, "id": str(n), "function": {"name": "next_step", "arguments": json.dumps(done(str(n)))}}
        for n in range(2)
    ],
}


@pytest.mark.parametrize("kind", UNREADABLE_CALLS)
def test_a_call_that_can_not_be_read_runs_nothing_and_is_asked_again(world: World, kind: str) -> None:
    with ModelServer([calls(*UNREADABLE_CALLS[kind]), done("ok")]) as server:
        state = world.run(server)
    assert (state.status, state.step) == ("reached", 2)
    assert state.steps[0].observations[0].call is None


def test_a_thought_in_front_of_its_reasoning_marks_is_read(world: World) -> None:
    said = f"<think>{json.dumps(done('no'))}</think>{json.dumps(done('yes'))}"
    with ModelServer([said]) as server:
        assert world.run(server).result == "yes"


# Cut, broken, refused in the middle


def test_a_stream_cut_after_any_byte_is_no_reply() -> None:
    parts = [chunk({"content": "a"}), chunk({"content": "é"}), chunk({}, "stop"), "[DONE]"]
    whole = "".join(f"data: {part}\n\n" for part in parts).encode()
    script: list[Item] = [Raw(whole[:at], STREAM) for at in range(len(whole) - len("[DONE]\n\n") + 5)]
    with ModelServer(script) as server:
        for _ in script:
            with pytest.raises(ModelUnavailable) as raised:
                ask(server)
            assert raised.value.retryable


@pytest.mark.parametrize("left_out", [1, 2])
def test_the_line_ends_after_the_last_event_may_be_missing(left_out: int) -> None:
    content = stream(chunk({"content": "a"}), chunk({}, "stop"), "[DONE]").content
    with ModelServer([Raw(content[:-left_out], STREAM)]) as server:
        assert ask(server).text == "a"


def test_a_cut_stream_executes_nothing_of_what_came(world: World) -> None:
    write = thought(commands=[("write_file", {"path": "a", "text": "x"})])
    with ModelServer(
        [NoDone(json.dumps(write), finish_reason="stop"), NoDone(json.dumps(write)), done("ok")]
    ) as server:
        state = world.run(server)
    assert (state.status, state.usage.calls) == ("reached", 3)
    assert world.files() == {}


def test_a_stream_that_is_cut_says_who_cut_it() -> None:
    error = failure(NoDone("hello"))
    assert "the stream of 127.0.0.1" in str(error)
    assert "ended early" in str(error)
    assert error.may_be_billed


def test_an_endpoint_whose_streams_never_end_well_is_asked_for_whole_replies() -> None:
    notes: list[str] = []
    script = [NoDone("one", finish_reason="stop"), NoDone("two", finish_reason="stop"), "three"]
    with ModelServer(script) as server, model(server, notify=notes.append) as asked:
        for _ in range(2):
            with pytest.raises(ModelUnavailable):
                asked.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=5)
        assert asked.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=5).text == "three"
        assert ["stream" in request.body for request in server.requests] == [True, True, False]
    assert notes == ["test-model can't be streamed; asked for whole replies from now on"]


BROKEN = {
    "no JSON": stream("{oops", "[DONE]"),
    "a list": stream("[1]", "[DONE]"),
    "a number": stream("5", "[DONE]"),
    "choices is text": stream('{"choices": "text"}', "[DONE]"),
    "a delta that is text": stream('{"choices": [{"delta": "text"}]}', "[DONE]"),
    "calls that are text": stream('{"choices": [{"delta": {"tool_calls": "text"}}]}', "[DONE]"),
    "nested without end": stream("[" * 100_000, "[DONE]"),
    "nothing but the end": stream("[DONE]"),
    "no reason for its end": stream(chunk({"content": "a"}), "[DONE]"),
    "a reason that is an error": stream(chunk({"content": "a"}, "error"), "[DONE]"),
    "nothing": Raw("", STREAM),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_stream_is_tried_again(kind: str) -> None:
    error = failure(BROKEN[kind])
    assert error.retryable
    assert error.may_be_billed
    assert len(str(error)) < 200


INSIDE = {
    "a rate limit": ('{"error": {"message": "slow down", "code": 429}}', "rate limit", True),
    "an overload": ('{"error": {"type": "overloaded_error", "message": "Overloaded"}}', "overloaded", True),
    "a server's error": ('{"error": {"message": "The server had an error", "type": "server_error"}}', "500", True),
    "words alone": ('{"error": "out of memory"}', "out of memory", True),
    "vLLM's": ('{"object": "error", "message": "died", "type": "InternalServerError", "code": 500}', "died", True),
    "a key": ('{"error": {"message": "bad key", "code": "invalid_api_key"}}', "refused the key", False),
}


@pytest.mark.parametrize("kind", INSIDE)
def test_an_error_inside_a_stream_is_told_as_one_outside(kind: str) -> None:
    event, words, retryable = INSIDE[kind]
    error = failure(stream(event, "[DONE]"))
    assert words in str(error)
    assert error.retryable is retryable


def test_an_error_after_a_part_of_the_reply_may_be_billed() -> None:
    error = failure(stream(chunk({"content": "a"}), '{"error": {"message": "slow down", "code": 429}}'))
    assert error.may_be_billed


def test_an_overflow_inside_a_stream_is_one() -> None:
    event = '{"error": {"message": "maximum context length is 8192 tokens", "code": "context_length_exceeded"}}'
    with ModelServer([stream(event)]) as server, pytest.raises(ContextTooLong):
        ask(server)


@pytest.mark.parametrize("streamed", [True, False])
def test_a_reply_that_a_content_filter_stopped_is_said_and_not_tried_again(streamed: bool) -> None:
    whole = json.dumps({"choices": [{"message": {"content": "I"}, "finish_reason": "content_filter"}]})
    error = failure(Reply("I", finish_reason="content_filter") if streamed else Raw(whole))
    assert "content filter" in str(error)
    assert not error.retryable
    assert error.may_be_billed


# Endpoints that do not stream


@pytest.mark.parametrize("name", ["stream", "stream_options"])
def test_an_endpoint_that_refuses_to_stream_is_asked_without(name: str) -> None:
    with ModelServer([RefusesParameter(name, "hello"), "again"]) as server, model(server) as asked:
        for text in ("hello", "again"):
            reply = asked.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=5)
            assert reply.text == text
            assert reply.usage.input_tokens > 0
            assert reply.usage.output_tokens > 0
        assert [name in request.body for request in server.requests] == [True, False, False]


def test_without_streaming_no_stream_options_are_sent() -> None:
    refusal = Failure(400, "Your organization must be verified to stream this model.", param="stream")
    with ModelServer([refusal, "hello"]) as server:
        assert ask(server).text == "hello"
        assert not {"stream", "stream_options"} & server.requests[1].body.keys()


# Silence


def test_silence_is_told_again_and_again_and_then_given_up() -> None:
    heard: list[Heard] = []
    error = failure(Hang(), heard=heard, patience=IMPATIENT)
    assert "nothing received for 0 s" in str(error)
    assert error.retryable
    assert error.may_be_billed
    told = [part.silent_s for part in heard]
    assert len(told) >= 2
    assert told == sorted(told)
    assert 0.1 <= told[0] < 0.3
    assert all(part.patience_s == 0.3 and not part.text for part in heard)


def test_silence_in_the_middle_of_a_reply_is_given_up_too() -> None:
    heard: list[Heard] = []
    error = failure(Stall("hello " * 20, after_bytes=600), heard=heard, patience=IMPATIENT)
    assert "nothing received" in str(error)
    assert heard[0].text
    assert heard[-1].silent_s


def test_a_comment_is_a_sign_of_life() -> None:
    content = ": keep-alive\n\n" * 5 + str(stream(chunk({"content": "a"}), chunk({}, "stop"), "[DONE]").content)
    heard: list[Heard] = []
    with ModelServer([Raw(content, STREAM, every_s=0.003)]) as server:
        assert ask(server, heard=heard, patience=IMPATIENT).text == "a"
    assert not any(part.silent_s for part in heard)


def test_the_end_of_silence_is_told() -> None:
    heard: list[Heard] = []
    with ModelServer([Reply("a", delay_s=0.2)]) as server:
        ask(server, heard=heard, patience=IMPATIENT)
    silent = [bool(part.silent_s) for part in heard]
    assert silent[0]
    assert heard[silent.index(False)] == Heard()


def test_a_model_that_thinks_in_silence_gets_longer_at_the_next_try() -> None:
    patience = Patience(told_s=9, streamed_s=0.2, whole_s=2)
    with ModelServer([Hang(), Reply("a", delay_s=0.3)]) as server, model(server, patience=patience) as asked:
        with pytest.raises(ModelUnavailable):
            asked.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=5)
        assert asked.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=5).text == "a"


def test_without_streaming_silence_is_no_news() -> None:
    heard: list[Heard] = []
    refusal = RefusesParameter("stream", Reply("a", delay_s=0.3))
    with ModelServer([refusal]) as server:
        ask(server, heard=heard, patience=Patience(told_s=0.1, again_s=0.1, streamed_s=0.2, whole_s=5))
    assert heard == [Heard(text="a")]


# Given up

GIVEN_UP = {"before the first byte": Hang(), "in the middle": Stall("hello " * 20, after_bytes=600)}


@pytest.mark.parametrize("kind", GIVEN_UP)
def test_at_the_time_limit_the_server_sees_us_leave_and_no_thread_stays(kind: str) -> None:
    with ModelServer([GIVEN_UP[kind]]) as server, model(server) as asked:
        began = time.monotonic()
        with pytest.raises(ModelUnavailable):
            asked.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=0.2)
        assert time.monotonic() - began < 1
        server.wait_for_leaving(timeout_s=1)
        for thread in threads():
            thread.join(1)
        assert threads() == []


@pytest.mark.parametrize("kind", GIVEN_UP)
def test_ctrl_c_ends_a_call_at_once_on_both_sides(kind: str) -> None:
    main = threading.get_ident()
    with ModelServer([GIVEN_UP[kind]]) as server, model(server) as asked:

        def press() -> None:
            server.wait_for_requests(1)
            signal.pthread_kill(main, signal.SIGINT)

        presser = threading.Thread(target=press)
        presser.start()
        with pytest.raises(KeyboardInterrupt):
            asked.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=20)
        presser.join()
        server.wait_for_leaving(timeout_s=1)
        for thread in threads():
            thread.join(1)
        assert threads() == []


def test_a_call_on_a_kept_connection_is_given_up_as_well() -> None:
    with ModelServer(["one", Hang()]) as server, model(server) as asked:
        assert asked.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=5).text == "one"
        with pytest.raises(ModelUnavailable):
            asked.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=0.2)
        server.wait_for_leaving(timeout_s=1)


def test_what_is_given_up_while_it_connects_is_never_asked() -> None:
    """A full backlog: the kernel answers no SYN, as a host behind a firewall."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        with socket.create_connection(address):
            with model(f"http://127.0.0.1:{address[1]}/v1") as asked:
                began = time.monotonic()
                with pytest.raises(ModelUnavailable):
                    asked.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=0.2)
                assert time.monotonic() - began < 1
            listener.accept()[0].close()
            listener.settimeout(5)
            with listener.accept()[0] as late:
                late.settimeout(5)
                assert late.recv(1) == b""
        for thread in threads():
            thread.join(2)
        assert threads() == []


def test_a_call_is_given_up_while_the_server_shakes_hands() -> None:
    received: list[bytes] = []
    greeted = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def keep_still() -> None:
        with listener, listener.accept()[0] as connection:
            received.append(connection.recv(65_536))
            greeted.set()
            connection.settimeout(5)
            received.append(connection.recv(65_536))

    thread = threading.Thread(target=keep_still)
    thread.start()
    with model(f"https://127.0.0.1:{listener.getsockname()[1]}/v1") as asked:
        with pytest.raises(ModelUnavailable):
            asked.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=0.4)
        thread.join(1)
        assert not thread.is_alive()
    assert greeted.is_set()
    assert received[1] == b""
    for call in threads():
        call.join(1)
    assert threads() == []


def test_calls_side_by_side_have_a_connection_each() -> None:
    both = threading.Barrier(2)

    def answer(body: dict[str, Any]) -> Item:
        both.wait(5)
        return body["messages"][0]["content"]

    said: list[str] = []
    with ModelServer([answer, answer]) as server, model(server) as asked:

        def call(text: str) -> None:
            said.append(
                asked.complete([{"role": "user", "content": text}], schema={}, reply_tokens=5, timeout_s=5).text
            )

        callers = [threading.Thread(target=call, args=(text,)) for text in "ab"]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert sorted(said) == ["a", "b"]


def test_a_server_that_sends_more_after_the_end_is_not_waited_for() -> None:
    content = str(stream(chunk({"content": "a"}), chunk({}, "stop"), "[DONE]").content) + ": more\n\n" * 200
    with ModelServer([Raw(content, STREAM, every_s=0.001)]) as server:
        began = time.monotonic()
        assert ask(server).text == "a"
        assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("whole", [False, True])
def test_one_connection_serves_call_after_call(whole: bool) -> None:
    script: list[Item] = [RefusesParameter("stream", "a"), "a", "a"] if whole else ["a", "a", "a"]
    with ModelServer(script) as server, model(server) as asked:
        for _ in range(3):
            assert asked.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=5).text == "a"
        assert server.connections == 1


def test_a_connection_that_the_server_closed_meanwhile_is_made_anew() -> None:
    reply = json.dumps({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]})
    closing = Failure(200, body=reply, headers={"Connection": "close"})
    with ModelServer([closing, "a"]) as server, model(server) as asked:
        for _ in range(2):
            assert asked.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=5).text == "a"
        assert server.connections == 2


def test_a_slow_reply_is_heard_before_it_is_whole() -> None:
    first = threading.Event()
    with ModelServer([Drip("hello " * 10, every_s=0.001, chunk=20)]) as server, model(server) as asked:
        began = time.monotonic()
        heard: list[float] = []

        def hear(part: Heard) -> None:
            heard.append(time.monotonic() - began)
            first.set()

        asked.complete(MESSAGES, schema={}, reply_tokens=5, timeout_s=10, hear=hear)
        whole = time.monotonic() - began
    assert heard[0] < whole / 2
