"""What an endpoint does not take is met once: the ladder of formats, refused parameters, the memory of both."""

import json
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from support import KEY, World

from autoagent.errors import ContextTooLong, ModelUnavailable
from autoagent.models import Message
from autoagent.models.learned import FORMATS, Learned, Taken, digest
from autoagent.models.openai import OpenAIModel
from autoagent.models.tokens import TokenCounter
from autoagent.testing import Failure, Item, ModelServer, RefusesParameter, Repeat, done

MESSAGES: list[Message] = [{"role": "user", "content": "Say hello in JSON."}]
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}
OTHER: dict[str, Any] = {"type": "object", "properties": {"b": {"type": "string"}}}
TODAY = date(2026, 11, 24)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "endpoints.json"


@contextmanager
def model(server: ModelServer, **fields: Any) -> Iterator[OpenAIModel]:
    given: dict[str, Any] = {"name": "test-model", "api_key": KEY, "price": None, "notify": lambda _: None} | fields
    made = OpenAIModel(base_url=server.base_url, counter=TokenCounter("gpt-4o"), **given)
    try:
        yield made
    finally:
        made.close()


def ask(server: ModelServer, schema: dict[str, Any] = SCHEMA, **fields: Any) -> str:
    with model(server, **fields) as asked:
        return asked.complete(MESSAGES, schema=schema, reply_tokens=77, timeout_s=10).text


def format_of(body: dict[str, Any]) -> str:
    if "tools" in body:
        assert body["tool_choice"]["function"]["name"] == body["tools"][0]["function"]["name"]
        return "tools"
    return body.get("response_format", {}).get("type", "text")


def takes(*formats: str, reply: str = "hello", words: str = "") -> Callable[[dict[str, Any]], Item]:
    """An endpoint that refuses every format but these."""

    def answer(body: dict[str, Any]) -> Item:
        asked = format_of(body)
        if asked in formats:
            return reply
        parameter = "tools" if asked == "tools" else "response_format"
        return Failure(400, words or f"'{parameter}' of this kind is not supported", param=parameter)

    return answer


# The ladder


@pytest.mark.parametrize("taken", FORMATS)
def test_the_ladder_is_gone_down_to_the_first_format_that_is_taken(taken: str) -> None:
    notes: list[str] = []
    with ModelServer([Repeat(takes(taken))]) as server:
        assert ask(server, notify=notes.append) == "hello"
        asked = [format_of(request.body) for request in server.requests]
    assert asked == [*FORMATS[: FORMATS.index(taken) + 1]]  # type: ignore[arg-type]
    assert len(notes) == (taken != "json_schema")


REFUSALS = {
    "OpenAI, an older model": (
        400,
        "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
    ),
    "OpenAI, a schema too large": (
        400,
        "Invalid schema for response_format 'thought': Expected at most 100 object properties total, got 130.",
    ),
    "Gemini": (400, "The specified schema produces a constraint that has too many states for serving."),
    "Gemini, keywords": (400, 'Invalid JSON payload received. Unknown name "additionalProperties": Cannot find field.'),
    "Gemini, field": (400, "Invalid value at 'generation_config.response_schema' (oneof)"),
    "Azure, an older version": (
        400,
        "response_format value as json_schema is enabled only for api versions 2024-08-01",
    ),
    "Anthropic": (400, "output_config.format: structured outputs are not supported by this model"),
    "Groq": (400, "This model does not support response format `json_schema`."),
    "DeepSeek": (400, "This response_format type is unavailable now"),
    "LM Studio": (400, "'response_format.type' must be 'json_object' or 'text'"),
    "llama.cpp": (500, "failed to parse grammar"),
    "vLLM": (400, "The provided grammar is too complex; guided decoding with xgrammar failed"),
    "LiteLLM": (
        400,
        "litellm.UnsupportedParamsError: x does not support parameters: ['response_format'], for model=y.",
    ),
    "too many properties": (400, "too many properties"),
    "an endpoint that does not know it": (501, "json_schema: not implemented"),
    "pydantic": (422, "body -> response_format: extra fields not permitted"),
}


@pytest.mark.parametrize("vendor", REFUSALS)
def test_a_refused_schema_moves_one_rung_down(vendor: str) -> None:
    status, words = REFUSALS[vendor]
    with ModelServer([Failure(status, words), "hello"]) as server:
        assert ask(server) == "hello"
        assert [format_of(request.body) for request in server.requests] == ["json_schema", "tools"]


TOOL_REFUSALS = {
    "Ollama": (400, "registry.ollama.ai/library/gemma:2b does not support tools"),
    "OpenRouter": (404, 'No endpoints found that support tool use. Try disabling "next_step".'),
    "vLLM": (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
    "llama.cpp": (500, "tools param requires --jinja flag"),
    "DeepSeek": (400, "deepseek-reasoner does not support this tool_choice"),
    "Groq": (400, "`tool calling` is not supported with this model"),
}


@pytest.mark.parametrize("vendor", TOOL_REFUSALS)
def test_refused_tools_move_one_rung_down(vendor: str) -> None:
    status, words = TOOL_REFUSALS[vendor]
    schema = Failure(400, "response_format is not supported")
    with ModelServer([schema, Failure(status, words), "hello"]) as server:
        assert ask(server) == "hello"
        assert [format_of(request.body) for request in server.requests] == ["json_schema", "tools", "json_object"]


UNRELATED = [
    Failure(400, "Something is odd"),
    Failure(400, "Invalid image in messages[1].content"),
    Failure(401, "response_format"),
    Failure(403, "json_schema is for paying customers"),
    Failure(404, "The model `test-model` does not exist", code="model_not_found"),
    Failure(429, "json_schema requests are limited to 1 a minute"),
    Failure(500, "Internal function error"),
    Failure(503, "grammar service down"),
]


@pytest.mark.parametrize("refusal", UNRELATED, ids=lambda item: f"{item.status} {item.message}")
def test_a_refusal_of_something_else_moves_nothing(refusal: Failure) -> None:
    with ModelServer([refusal, takes("json_schema")]) as server, model(server) as asked:
        with pytest.raises(ModelUnavailable):
            asked.complete(MESSAGES, schema=SCHEMA, reply_tokens=5, timeout_s=5)
        assert asked.complete(MESSAGES, schema=SCHEMA, reply_tokens=5, timeout_s=5).text == "hello"
        assert [format_of(request.body) for request in server.requests] == ["json_schema", "json_schema"]


def test_a_model_that_is_called_after_a_format_is_not_taken_for_it() -> None:
    name = "json_schema-strict-7b"
    with ModelServer([Failure(404, f"The model `{name}` does not exist")]) as server:
        with pytest.raises(ModelUnavailable, match="does not know the model"):
            ask(server, name=name)
        assert len(server.requests) == 1


def test_an_overflow_that_names_the_tools_is_still_one() -> None:
    words = "This model's maximum context length is 8192 tokens (8000 in the messages, 900 in the functions)."
    with ModelServer([Failure(400, words)]) as server, pytest.raises(ContextTooLong):
        ask(server)


def test_where_the_lowest_rung_fails_that_is_said_and_nothing_is_kept(path: Path) -> None:
    with ModelServer([Repeat(takes())]) as server:
        for _ in range(2):
            with pytest.raises(ModelUnavailable, match="response_format"):
                ask(server, learned=Learned(path))
        assert len(server.requests) == 8
    assert not path.exists()


def test_a_schema_that_is_refused_says_nothing_of_another() -> None:
    def answer(body: dict[str, Any]) -> Item:
        return Failure(400, "schema too complex") if asked_schema(body) == SCHEMA else "hello"

    def asked_schema(body: dict[str, Any]) -> Any:
        return body.get("response_format", {}).get("json_schema", {}).get("schema")

    with ModelServer([Repeat(answer)]) as server, model(server) as asked:
        for schema in (SCHEMA, OTHER, SCHEMA):
            asked.complete(MESSAGES, schema=schema, reply_tokens=5, timeout_s=5)
        formats = [format_of(request.body) for request in server.requests]
    assert formats == ["json_schema", "tools", "json_schema", "tools"]


# Parameters

PARAMETERS = {
    "OpenAI": ("temperature", 400, "Unsupported value: 'temperature' does not support 0.5 with this model."),
    "OpenAI, effort": ("reasoning_effort", 400, "Unsupported value: 'reasoning_effort' does not support 'low'."),
    "OpenAI, no reasoning": ("reasoning_effort", 400, "Unrecognized request argument supplied: reasoning_effort"),
    "Azure": ("stream_options", 400, "Unrecognized request argument supplied: stream_options"),
    "Mistral": ("stream_options", 422, "body.stream_options: Extra inputs are not permitted"),
    "Anthropic": ("temperature", 400, "`temperature` is deprecated for this model."),
    "xAI": ("seed", 400, "Argument not supported on this model: seed"),
    "Groq": ("max_completion_tokens", 400, "property 'max_completion_tokens' is unsupported"),
    "a gateway": ("stream", 501, "Streaming is not supported"),
}


@pytest.mark.parametrize("vendor", PARAMETERS)
def test_a_refused_parameter_is_left_out_and_all_else_stays(vendor: str) -> None:
    name, status, words = PARAMETERS[vendor]
    with ModelServer([Failure(status, words), "hello"]) as server:
        assert ask(server, temperature=0.5, seed=1, reasoning_effort="low") == "hello"
        first, second = (request.body for request in server.requests)
    gone = {name, "stream_options"} if name == "stream" else {name}
    come = {"max_tokens"} if name == "max_completion_tokens" else set[str]()
    assert second.keys() == (first.keys() - gone) | come


def test_a_refusal_that_repeats_the_request_is_about_what_it_says_itself() -> None:
    said = {"type": "missing", "loc": ["body", "user"], "msg": "Field required", "input": {"temperature": "invalid"}}
    with ModelServer([Failure(422, body=json.dumps({"detail": [said]}))]) as server:
        with pytest.raises(ModelUnavailable, match=r"body\.user: Field required"):
            ask(server, temperature=0.5)
        assert len(server.requests) == 1


def test_a_place_in_the_request_names_what_is_refused() -> None:
    said = {"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": 1}
    with ModelServer([Failure(422, body=json.dumps({"detail": [said]})), "hello"]) as server:
        assert ask(server, seed=1, temperature=0.5) == "hello"
        assert "seed" not in server.requests[1].body
        assert "temperature" in server.requests[1].body


def test_one_notice_names_what_is_left_out() -> None:
    notes: list[str] = []
    script = [RefusesParameter("temperature", "hello"), "again"]
    with ModelServer(script) as server, model(server, temperature=0.5, notify=notes.append) as asked:
        for _ in range(2):
            asked.complete(MESSAGES, schema=SCHEMA, reply_tokens=5, timeout_s=5)
    assert notes == ['test-model refuses "temperature"; left out from now on']


def test_a_reply_without_any_bound_is_not_asked_for() -> None:
    script = [RefusesParameter("max_completion_tokens", RefusesParameter("max_tokens", "hello"))]
    with ModelServer(script) as server, pytest.raises(ModelUnavailable, match="max_tokens"):
        ask(server)


# Remembered


def test_a_second_run_asks_right_at_once_and_says_nothing(world: World) -> None:
    refusing: Item = done("ok")
    for name in ("temperature", "max_completion_tokens", "response_format", "tools", "stream_options"):
        refusing = RefusesParameter(name, refusing)
    with ModelServer([refusing]) as server:
        first = world.run(server, temperature=0.5)
        assert (first.status, len(server.requests)) == ("reached", 7)  # response_format is met in two rungs
        base_url = server.base_url
        port = int(base_url.rpartition(":")[2].partition("/")[0])
    assert len(world.notes) == 2
    world.notes.clear()
    with ModelServer([refusing], port=port) as server:
        second = world.run(server, temperature=0.5)
        assert (second.status, len(server.requests)) == ("reached", 1)
        assert "response_format" not in server.requests[0].body
    assert world.notes == []


def test_what_is_learned_of_one_model_or_address_says_nothing_of_another(path: Path) -> None:
    learned = Learned(path)
    learned.remember("http://a/v1", "m", Taken(frozenset({"seed"})))
    assert learned.recall("http://a/v1", "m").refused == {"seed"}
    for base_url, name in (("http://a/v1", "n"), ("http://b/v1", "m"), ("http://a/v1?api-version=2", "m")):
        assert learned.recall(base_url, name) == Taken()


def test_a_remembered_format_that_is_refused_now_is_left_for_a_lower_one(path: Path) -> None:
    with ModelServer([takes("json_object"), takes("json_object")]) as server:
        Learned(path).remember(server.base_url, "test-model", Taken(frozenset(), {digest(SCHEMA): "tools"}))
        assert ask(server, learned=Learned(path)) == "hello"
        assert Learned(path).recall(server.base_url, "test-model").format_for(digest(SCHEMA)) == "json_object"


@pytest.mark.parametrize(("days", "known"), [(0, True), (30, True), (31, False), (-1, False)])
def test_what_was_found_is_trusted_for_thirty_days(path: Path, days: int, known: bool) -> None:
    Learned(path, lambda: TODAY).remember("http://a/v1", "m", Taken(frozenset({"seed"}), {"x": "tools"}))
    found = Learned(path, lambda: TODAY + timedelta(days)).recall("http://a/v1", "m")
    assert found == (Taken(frozenset({"seed"}), {"x": "tools"}) if known else Taken())


def test_using_what_was_found_does_not_make_it_younger(path: Path) -> None:
    taken = Taken(frozenset({"seed"}), {"x": "tools"})
    Learned(path, lambda: TODAY).remember("http://a/v1", "m", taken)
    later = taken.without("temperature").with_format("y", "text")
    Learned(path, lambda: TODAY + timedelta(20)).remember("http://a/v1", "m", later)
    found = Learned(path, lambda: TODAY + timedelta(40)).recall("http://a/v1", "m")
    assert found == Taken(frozenset({"temperature"}), {"y": "text"})


DAMAGE = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'{"v": 2, "endpoints": {}}',
    b'{"v": 1}',
    b'{"v": 1, "endpoints": 5}',
    b'{"v": 1, "endpoints": {"a": {"refused": {"seed": "yesterday"}}}}',
    b'{"v": 1, "endpoints": {"a": {"formats": {"x": ["braille", "2026-11-24"]}}}}',
    b"\xff\xfe",
    b"[" * 100_000,
    b"0" * (2 << 20),
]


@pytest.mark.parametrize("content", DAMAGE, ids=lambda content: str(content[:40]))
def test_a_damaged_file_is_as_none_and_is_replaced(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    learned = Learned(path)
    assert learned.recall("http://a/v1", "m") == Taken()
    learned.remember("http://a/v1", "m", Taken(frozenset({"seed"})))
    assert Learned(path).recall("http://a/v1", "m").refused == {"seed"}


def test_a_folder_that_can_not_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with ModelServer([RefusesParameter("response_format", "hello")]) as server:
        assert ask(server, learned=Learned(tmp_path / "state" / "endpoints.json")) == "hello"


def test_the_file_is_its_owners_and_holds_no_secret(path: Path) -> None:
    Learned(path).remember("https://user:passw0rd@a.example/v1?key=s3cret", "m", Taken(frozenset({"seed"})))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    content = path.read_text()
    assert "a.example m " in content
    assert "passw0rd" not in content
    assert "s3cret" not in content
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_writers_side_by_side_leave_a_whole_file(path: Path) -> None:
    def write(name: str) -> None:
        for n in range(20):
            Learned(path).remember("http://a/v1", f"{name}{n % 3}", Taken(frozenset({"seed"})))

    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert json.loads(path.read_bytes())["v"] == 1
    assert any(Learned(path).recall("http://a/v1", f"{name}{n}").refused for name in "abcd" for n in range(3))
