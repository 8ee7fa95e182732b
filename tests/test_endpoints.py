"""What vendors answer in their own words, and what a person reads of it; Azure; servers on this machine."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import KEY, World

from autoagent import build
from autoagent.errors import ConfigError, ContextTooLong, ModelUnavailable
from autoagent.models import Message
from autoagent.models import Reply as ModelReply
from autoagent.models.completion import Assembly, read_completion
from autoagent.models.endpoint import Endpoint
from autoagent.models.local import Window, window_of
from autoagent.models.openai import OpenAIModel
from autoagent.models.refusals import explain_refusal
from autoagent.models.tokens import TokenCounter
from autoagent.models.vendors import Refusal, read_refusal, refusal_within
from autoagent.models.waits import wait_asked
from autoagent.testing import Failure, Html, ModelServer, Raw, done

MESSAGES: list[Message] = [{"role": "user", "content": "Say hello."}]
SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def ask(base_url: str, **fields: Any) -> ModelReply:
    given: dict[str, Any] = {"name": "test-model", "api_key": KEY, "price": None, "notify": lambda _: None} | fields
    model = OpenAIModel(base_url=base_url, counter=TokenCounter("gpt-4o"), **given)
    try:
        return model.complete(MESSAGES, schema=SCHEMA, reply_tokens=77, timeout_s=10)
    finally:
        model.close()


def error_of(status: int, body: Any, headers: dict[str, str] | None = None, **fields: Any) -> Exception:
    """The only error of a request that is answered so: nothing is learned, nothing is asked twice."""
    content = body if isinstance(body, str) else json.dumps(body)
    with ModelServer([Failure(status, body=content, headers=headers or {})]) as server:
        with pytest.raises((ModelUnavailable, ContextTooLong)) as raised:
            ask(server.base_url, **fields)
        assert len(server.requests) == 1
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500
    return raised.value


def openai(message: str, code: str | None = None, kind: str = "invalid_request_error", param: str | None = None) -> Any:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


# Too long

OVERFLOWS: dict[str, tuple[int, Any]] = {
    "OpenAI": (
        400,
        openai(
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 150021 tokens "
            "(149000 in the messages, 1021 in the functions). Please reduce the length of the messages or functions.",
            "context_length_exceeded",
            param="messages",
        ),
    ),
    "OpenAI, reasoning": (
        400,
        openai(
            "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300100 tokens. "
            "Please reduce the length of the messages.",
            "context_length_exceeded",
            param="messages",
        ),
    ),
    "Azure": (
        400,
        openai(
            "This model's maximum context length is 16385 tokens, however you requested 20000 tokens (19000 in your "
            "prompt; 1000 for the completion). Please reduce your prompt; or completion length.",
            "context_length_exceeded",
        ),
    ),
    "Anthropic": (
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "prompt is too long: 215000 tokens > 200000 maximum"},
        },
    ),
    "Anthropic, input and reply": (
        400,
        {
            "error": {
                "code": "invalid_request_error",
                "message": "input length and `max_tokens` exceed context limit: 198000 + 8192 > 200000, decrease input "
                "length or `max_tokens` and try again",
                "type": "invalid_request_error",
                "param": None,
            }
        },
    ),
    "Gemini": (
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1000).",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
    ),
    "Ollama": (
        400,
        openai("the input length exceeds the context length", None, "api_error"),
    ),
    "llama.cpp": (
        400,
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the available context size. try increasing the context size or enable "
                "context shift",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 9000,
                "n_ctx": 4096,
            }
        },
    ),
    "llama.cpp, newer": (
        400,
        {
            "error": {
                "code": 400,
                "message": "request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it",
                "type": "exceed_context_size_error",
            }
        },
    ),
    "LM Studio": (
        400,
        {
            "error": "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded "
            "with context length of only 4096 tokens, which is not enough. Try to load the model with a larger context "
            "length, or provide a shorter input"
        },
    ),
    "vLLM": (
        400,
        {
            "object": "error",
            "message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4488 "
            "in the messages, 512 in the completion). Please reduce the length of the messages or completion.",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
    ),
    "OpenRouter": (
        400,
        {
            "error": {
                "message": "This endpoint's maximum context length is 131072 tokens. However, you requested about "
                "200000 tokens (191808 of text input, 8192 in the output). Please reduce the length of either one.",
                "code": 400,
                "metadata": {"provider_name": None},
            }
        },
    ),
    "OpenRouter, its provider": (
        400,
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {"raw": '{"error":{"message":"prompt is too long: 9000 tokens"}}', "provider_name": "X"},
            }
        },
    ),
    "Mistral": (
        400,
        {
            "object": "error",
            "message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum "
            "context length",
            "type": "invalid_request_error",
            "param": None,
            "code": "3051",
        },
    ),
    "Groq": (
        400,
        openai("Please reduce the length of the messages or completion.", "context_length_exceeded"),
    ),
    "Groq, tokens a minute": (
        413,
        openai(
            "Request too large for model `llama-3.1-8b-instant` in organization `org_1` service tier `on_demand` on "
            "tokens per minute (TPM): Limit 6000, Requested 8114, please reduce your message size and try again.",
            "rate_limit_exceeded",
            "tokens",
        ),
    ),
    "OpenAI, tokens a minute": (
        429,
        openai(
            "Request too large for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Requested 40123. "
            "The input or output tokens must be reduced in order to run successfully.",
            "rate_limit_exceeded",
            "tokens",
        ),
    ),
    "Cerebras": (
        400,
        {
            "message": "Please reduce the length of the messages or completion. Current length is 9000 while limit is "
            "8192",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "context_length_exceeded",
        },
    ),
    "Together": (
        422,
        openai(
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens "
            "and 512 `max_new_tokens`"
        ),
    ),
    "DeepSeek": (
        400,
        openai(
            "This model's maximum context length is 65536 tokens. However, you requested 70000 tokens (61808 in the "
            "messages, 8192 in the completion).",
            "invalid_request_error",
        ),
    ),
    "Hugging Face TGI": (
        422,
        {
            "error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` "
            "tokens and 500 `max_new_tokens`",
            "error_type": "validation",
        },
    ),
    "Cohere": (
        400,
        {
            "message": "too many tokens: total number of tokens in the message cannot exceed 4081 tokens - received "
            "5000. Try using a shorter message"
        },
    ),
    "LiteLLM": (
        400,
        {
            "error": {
                "message": "litellm.ContextWindowExceededError: litellm.BadRequestError: OpenAIException - Your input "
                "exceeds the context window of this model.",
                "type": None,
                "param": None,
                "code": "400",
            }
        },
    ),
    "xAI": (
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
        },
    ),
    "Bedrock": (400, {"message": "Input is too long for requested model."}),
    "Moonshot": (400, openai("Invalid request: Your request exceeded model token limit: 8192", None)),
    "DashScope": (400, openai("Range of input length should be [1, 30720]", "invalid_parameter_error")),
    "nginx": (413, "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body></body></html>"),
    "Cloudflare": (413, "<!DOCTYPE html><html><head><title>413 Payload Too Large</title></head></html>"),
}


@pytest.mark.parametrize("vendor", OVERFLOWS)
def test_an_overflow_is_one_in_every_vendors_words(vendor: str) -> None:
    assert isinstance(error_of(*OVERFLOWS[vendor]), ContextTooLong)


# Everything else: the vendor's answer, what is said of it, and whether to try again


@dataclass(frozen=True)
class Case:
    status: int
    body: Any
    words: str
    retryable: bool = False
    wait_s: float | None = None
    headers: dict[str, str] | None = None


GOOGLE_QUOTA = {
    "code": 429,
    "message": "You exceeded your current quota, please check your plan and billing details.",
    "status": "RESOURCE_EXHAUSTED",
    "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}],
}
AZURE_FILTER = {
    "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
    "Please modify your prompt and retry.",
    "type": None,
    "param": "prompt",
    "code": "content_filter",
    "status": 400,
    "innererror": {
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {
            "hate": {"filtered": False, "severity": "safe"},
            "jailbreak": {"filtered": True, "detected": True},
            "violence": {"filtered": True, "severity": "high"},
        },
    },
}
CASES: dict[str, Case] = {
    "OpenAI: quota": Case(
        429,
        openai("You exceeded your current quota, please check your plan.", "insufficient_quota", "insufficient_quota"),
        "no credit left",
    ),
    "OpenAI: rate limit in words": Case(
        429,
        openai("Rate limit reached for gpt-5-mini on TPM: Please try again in 1m26.4s.", "rate_limit_exceeded"),
        "asks to wait 86 s",
        True,
        86.4,
    ),
    "OpenAI: rate limit in milliseconds": Case(
        429, openai("slow down"), "rate limit", True, 0.25, {"retry-after-ms": "250", "retry-after": "1"}
    ),
    "OpenAI: requests used up": Case(
        429,
        openai("slow down"),
        "asks to wait 62 s",
        True,
        62,
        {
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "1m2s",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-tokens": "6m0s",
        },
    ),
    "OpenAI: key": Case(
        401, openai(f"Incorrect API key: {KEY}.", "invalid_api_key"), "refused the key (401). Check OPENAI_API_KEY"
    ),
    "OpenAI: model": Case(
        404, openai("The model `test-model` does not exist or you do not have access to it.", "model_not_found"),
        "does not know the model 'test-model'",
    ),
    "OpenAI: country": Case(403, openai("Country, region, or territory not supported"), "does not allow this (403)"),
    "OpenAI: reply too long": Case(
        400,
        openai("max_tokens is too large: 77000. This model supports at most 16384 completion tokens.", "invalid_value"),
        "Lower reply_tokens in the settings",
    ),
    "OpenAI: policy": Case(
        400, openai("Your request was flagged as potentially violating our usage policy.", "invalid_prompt"),
        "content filter",
    ),
    "Azure: content filter": Case(400, {"error": AZURE_FILTER}, "refused the request (400): jailbreak, violence"),
    "Azure: deployment": Case(
        404,
        {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}},
        "does not know the model 'test-model'",
    ),
    "Azure: gateway key": Case(
        401, {"statusCode": 401, "message": "Access denied due to invalid subscription key"}, "refused the key (401)"
    ),
    "Anthropic: overloaded": Case(
        529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "overloaded (529)", True
    ),
    "Anthropic: credit": Case(
        400,
        {"error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access the API."}},
        "no credit left",
    ),
    "Gemini: key": Case(
        400, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}],
        "refused the key (400). Check OPENAI_API_KEY",
    ),
    "Gemini: quota of a minute": Case(429, [{"error": GOOGLE_QUOTA}], "asks to wait 34 s", True, 34),
    "Gemini: overloaded": Case(
        503, [{"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}],
        "overloaded (503)", True,
    ),
    "Ollama: model": Case(
        404, openai('model "test-model" not found, try pulling it first', None, "api_error"),
        "Run: ollama pull test-model",
    ),
    "Ollama: crashed": Case(500, openai("model runner has unexpectedly stopped", None, "api_error"), "stopped", True),
    "llama.cpp: loading": Case(
        503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, "Loading model", True
    ),
    "LM Studio: none": Case(
        404, {"error": {"message": "No models loaded. Please load a model.", "code": "model_not_found"}},
        "does not know the model",
    ),
    "vLLM: model": Case(
        404,
        {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404},
        "The model `x` does not exist",
    ),
    "vLLM: key": Case(401, {"error": "Unauthorized"}, "refused the key (401)"),
    "OpenRouter: credit": Case(
        402, {"error": {"message": "This request requires more credits, or fewer max_tokens.", "code": 402}},
        "no credit left",
    ),
    "OpenRouter: model": Case(
        400, {"error": {"message": "test-model is not a valid model ID", "code": 400}}, "does not know the model"
    ),
    "OpenRouter: moderation": Case(
        403, {"error": {"message": "Input was flagged by the provider", "code": 403, "metadata": {"reasons": ["x"]}}},
        "content filter",
    ),
    "DeepSeek: balance": Case(402, openai("Insufficient Balance", "invalid_request_error"), "no credit left"),
    "DeepSeek: model": Case(400, openai("Model Not Exist", "invalid_request_error"), "does not know the model"),
    "Mistral: key": Case(401, {"message": "Unauthorized", "request_id": "1"}, "refused the key"),
    "Mistral: model": Case(
        400, {"object": "error", "message": "Invalid model: test-model", "type": "invalid_model", "code": "1500"},
        "does not know the model",
    ),
    "Groq: rate limit": Case(
        429, openai("Rate limit reached. Please try again in 7.66s.", "rate_limit_exceeded", "tokens"),
        "asks to wait 8 s", True, 7.66,
    ),
    "Cohere: trial": Case(429, {"message": "You are using a Trial key, limited to 20 calls"}, "rate limit", True),
    "LiteLLM: model": Case(
        400, {"error": {"message": "Invalid model name passed in model=test-model", "code": "400"}},
        "does not know the model",
    ),
    "Bedrock gateway: throttled": Case(429, {"message": "Too many requests"}, "rate limit", True),
    "Cloudflare: down": Case(
        502, "<!DOCTYPE html><html><head><title>502: Bad gateway</title></head><body>…</body></html>",
        "502 a web page: 502: Bad gateway", True,
    ),
    "a wrong path": Case(404, "<html><head><title>404 Not Found</title></head></html>", "It usually ends in /v1"),
    "a wrong method": Case(405, {"detail": "Method Not Allowed"}, "It usually ends in /v1"),
    "a redirect": Case(
        308, "", "sends on to https://elsewhere.example/v1 (308). Set --base-url", False, None,
        {"Location": "https://user:pw@elsewhere.example/v1?key=secret"},
    ),
    "a redirect to nowhere": Case(302, "", "sends on to another address (302)"),
    "a proxy": Case(407, "<html>Proxy Authentication Required</html>", "Set HTTPS_PROXY"),
    "a time-out before": Case(504, "upstream request timeout", "504 upstream", True),
    "a stream that broke before": Case(500, openai("unexpected end of stream"), "500 unexpected end", True),
    "nothing": Case(400, "", "refused the request (400)"),
    "null": Case(400, "null", "refused the request (400)"),
    "nested without end": Case(400, "[" * 100_000, "refused the request (400)"),
    "a body of megabytes": Case(400, "model " * 700_000, "refused the request (400)"),
    "odd validation errors": Case(422, {"detail": [{"loc": 5}, "x", {"loc": 7, "msg": "odd"}]}, "(422): 7: odd"),
    "an error that is a number": Case(400, {"error": 5}, "refused the request (400)"),
    "an error that is a list": Case(400, {"error": [1, {"a": "b"}]}, "refused the request (400)"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_vendors_error_is_one_clear_line(name: str) -> None:
    case = CASES[name]
    error = error_of(case.status, case.body, case.headers)
    assert isinstance(error, ModelUnavailable)
    assert case.words in str(error)
    assert error.retryable is case.retryable
    assert error.retry_after_s == (None if case.wait_s is None else pytest.approx(case.wait_s))
    assert KEY not in str(error)
    assert "secret" not in str(error)


NAMES = (
    *("error", "message", "code", "type", "status", "param", "metadata", "raw", "details", "innererror", "detail"),
    *("content_filter_result", "loc", "msg", "failed_generation", "object", "choices", "delta", "content", "text"),
    *("tool_calls", "function", "name", "arguments", "index", "id", "usage", "prompt_tokens", "completion_tokens"),
    *("total_tokens", "prompt_tokens_details", "cached_tokens", "finish_reason", "reasoning", "refusal"),
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ANY_JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(ANY_JSON)
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_no_answer_of_any_shape_breaks_us(answer: Any) -> None:
    text = json.dumps(answer)
    endpoint = Endpoint("m", "https://models.example/v1", KEY)
    for status in (400, 404, 429):
        refusal = read_refusal(status, {}, text.encode())
        str(explain_refusal(refusal, endpoint)).encode()
    refusal_within(answer, {}, status=500)
    read_completion(answer)
    read_completion({"choices": [answer]})
    read_completion({"choices": [{"message": answer}]})
    assembly = Assembly()
    for chunk in (answer, {"choices": [answer]}, {"choices": [{"delta": answer}]}):
        with suppress(ValueError):
            assembly.add(chunk)
    assembly.completion().text.encode("utf-8", "surrogatepass")


def test_without_a_key_a_401_says_that_one_is_wanted() -> None:
    assert "wants a key (401). Set OPENAI_API_KEY" in str(error_of(401, {"error": "Unauthorized"}, api_key=""))


@pytest.mark.parametrize("name", ["OpenAI: key", "Ollama: model", "Azure: content filter", "a wrong path"])
def test_a_run_that_a_vendor_stopped_goes_on_when_it_is_mended(world: World, name: str) -> None:
    case = CASES[name]
    body = case.body if isinstance(case.body, str) else json.dumps(case.body)
    with ModelServer([Failure(case.status, body=body), done("ok")]) as server:
        state = world.run(server)
        assert (state.status, len(server.requests)) == ("unavailable", 1)
        assert case.words in state.reason
        assert world.run_again(world.folder, server).status == "reached"


def test_a_web_page_is_said_to_be_one() -> None:
    with ModelServer([Html("<!doctype html><p>Sign in")]) as server, pytest.raises(ModelUnavailable) as raised:
        ask(server.base_url)
    assert "a web page, not JSON. Is --base-url right? It usually ends in /v1" in str(raised.value)
    assert raised.value.retryable


def test_an_error_under_status_200_is_told_as_what_it_is() -> None:
    body = {"error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": "busy, try again in 3s"}}}
    with ModelServer([Raw(json.dumps(body))]) as server, pytest.raises(ModelUnavailable) as raised:
        ask(server.base_url)
    assert "rate limit" in str(raised.value)
    assert raised.value.retry_after_s == 3


@pytest.mark.parametrize("code", ["json_validate_failed", "tool_use_failed"])
def test_what_a_vendor_could_not_make_a_reply_of_is_read_by_us(world: World, code: str) -> None:
    error = openai("Failed to generate JSON. Please adjust your prompt. See 'failed_generation'.", code)
    error["error"]["failed_generation"] = f"Sure! {json.dumps(done('ok'))}"
    with ModelServer([Failure(400, body=json.dumps(error))]) as server:
        assert world.run(server).status == "reached"


@pytest.mark.parametrize(
    ("value", "seconds"), [("1s", 1), ("6m0s", 360), ("120ms", 0.12), ("1h2m3s", 3723), ("1.5", 1.5), ("soon", None)]
)
def test_every_form_of_a_reset_is_read(value: str, seconds: float | None) -> None:
    headers = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": value}
    assert wait_asked(Refusal(429, headers, "")) == seconds


# No answer


def test_a_host_that_does_not_exist_names_the_proxy_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ModelUnavailable, match="HTTPS_PROXY") as raised:
        ask("https://no-such-host.invalid/v1")
    assert not raised.value.may_be_billed


def test_a_proxy_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed.getsockname()[1]}")
    with pytest.raises(ModelUnavailable, match="Is the proxy of HTTPS_PROXY right"):
        ask("https://models.example/v1")


def test_a_proxy_that_wants_a_password_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            connection.recv(1)

    thread = threading.Thread(target=refuse)
    thread.start()
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ModelUnavailable, match=r"\(407\).*HTTPS_PROXY") as raised:
        ask("https://models.example/v1")
    assert not raised.value.retryable
    thread.join(5)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_server_on_this_machine_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as proxy, ModelServer(["hello"]) as server:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("ALL_PROXY", "nonsense://127.0.0.1:1")
        assert ask(server.base_url.replace("127.0.0.1", host)).text == "hello"


def test_an_unknown_certificate_names_the_setting_and_is_never_ignored(tmp_path: Path) -> None:
    with tls_server(tmp_path) as port, pytest.raises(ModelUnavailable, match="Set SSL_CERT_FILE") as raised:
        ask(f"https://127.0.0.1:{port}/v1")
    assert not raised.value.retryable


def test_a_server_without_tls_is_told_apart_from_none() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(ModelUnavailable, match="Should --base-url begin with http://") as raised:
        ask(f"https://127.0.0.1:{listener.getsockname()[1]}/v1")
    assert not raised.value.retryable
    thread.join(5)


def test_certificates_that_can_not_be_read_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(ModelUnavailable, match=r"SSL_CERT_FILE=.*none\.pem") as raised:
        ask("https://models.example/v1")
    assert not raised.value.retryable


@contextmanager
def tls_server(folder: Path) -> Iterator[int]:
    """A port where one TLS handshake is tried with a certificate that nobody signed."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "us")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    listener = socket.create_server(("127.0.0.1", 0))

    def shake_hands() -> None:
        with listener, listener.accept()[0] as connection, suppress(OSError):
            context.wrap_socket(connection, server_side=True).close()

    thread = threading.Thread(target=shake_hands)
    thread.start()
    yield listener.getsockname()[1]
    thread.join(5)


# Azure

AZURE = "https://name.openai.azure.com"
ADDRESSES = {
    f"{AZURE}/openai/deployments/d?api-version=2024-10-21": (
        f"{AZURE}/openai/deployments/d/chat/completions?api-version=2024-10-21"
    ),
    f"{AZURE}/openai/deployments/d/chat/completions?api-version=1": (
        f"{AZURE}/openai/deployments/d/chat/completions?api-version=1"
    ),
    f"{AZURE}/openai/v1/": f"{AZURE}/openai/v1/chat/completions",
    f"{AZURE}/openai/v1?api-version=preview": f"{AZURE}/openai/v1/chat/completions?api-version=preview",
    f"{AZURE}/": f"{AZURE}/openai/v1/chat/completions",
    f"{AZURE}/openai": f"{AZURE}/openai/v1/chat/completions",
    "https://openrouter.ai/api/v1": "https://openrouter.ai/api/v1/chat/completions",
    "http://localhost:11434/v1//": "http://localhost:11434/v1/chat/completions",
    "http://[::1]:8080/v1": "http://[::1]:8080/v1/chat/completions",
}


@pytest.mark.parametrize("base_url", ADDRESSES)
def test_an_address_is_completed_once_and_keeps_its_query(base_url: str) -> None:
    assert Endpoint("m", base_url, "k").url == ADDRESSES[base_url]


@pytest.mark.parametrize(
    ("base_url", "key", "header"),
    [
        (f"{AZURE}/openai/v1", "abc", ("api-key", "abc")),
        ("https://eu.api.cognitive.azure.com/openai/v1", "abc", ("api-key", "abc")),
        ("https://name.cognitiveservices.azure.com/openai/v1", " abc\r\n", ("api-key", "abc")),
        ("https://gateway.azure-api.net/llm", "abc", ("api-key", "abc")),
        (f"{AZURE}/openai/v1", "eyJ0eXAi", ("Authorization", "Bearer eyJ0eXAi")),
        ("https://azure.com.evil.example/v1", "abc", ("Authorization", "Bearer abc")),
        ("https://notazure.company/v1", "abc", ("Authorization", "Bearer abc")),
    ],
)
def test_a_key_goes_where_the_host_wants_it(base_url: str, key: str, header: tuple[str, str]) -> None:
    headers = Endpoint("m", base_url, key).headers
    sent = {name: value for name, value in headers.items() if name in ("api-key", "Authorization")}
    assert sent == dict([header])


def test_a_query_of_the_address_is_sent_with_every_request() -> None:
    with ModelServer(["hello"]) as server:
        ask(f"{server.base_url}?api-version=2024-10-21")
        assert server.requests[0].path == "/v1/chat/completions?api-version=2024-10-21"


# Servers on this machine: how much they give a model

MODELS = {"data": [{"id": "qwen3", "object": "model"}, {"id": "other", "max_model_len": 1}]}
TOLD: dict[str, tuple[dict[str, Any], Window | None]] = {
    "vLLM": ({"/v1/models": {"data": [{"id": "qwen3", "max_model_len": 4096}]}}, Window("vLLM", 4096)),
    "another": ({"/v1/models": {"data": [{"id": "qwen3", "context_length": 5000}]}}, Window("the server", 5000)),
    "llama.cpp": (
        {"/v1/models": MODELS, "/props": {"default_generation_settings": {"n_ctx": 4096}}},
        Window("llama.cpp", 4096),
    ),
    "LM Studio, loaded": (
        {
            "/v1/models": MODELS,
            "/api/v0/models": {
                "data": [
                    {"id": "qwen3", "state": "loaded", "loaded_context_length": 4096, "max_context_length": 131072}
                ]
            },
        },
        Window("LM Studio", 4096),
    ),
    "LM Studio, not loaded": (
        {
            "/v1/models": MODELS,
            "/api/v0/models": {"data": [{"id": "qwen3", "state": "not-loaded", "max_context_length": 131072}]},
        },
        None,
    ),
    "Ollama, running": (
        {"/v1/models": MODELS, "/api/ps": {"models": [{"name": "qwen3:latest", "context_length": 4096}]}},
        Window("Ollama", 4096),
    ),
    "Ollama, by its file": (
        {
            "/v1/models": MODELS,
            "/api/ps": {"models": []},
            "/api/show": {"parameters": 'stop "<|im_end|>"\nnum_ctx                        8192\ntemperature 0.6'},
        },
        Window("Ollama", 8192),
    ),
    "Ollama, unknown": (
        {"/v1/models": MODELS, "/api/ps": {"models": []}, "/api/show": {"parameters": "temperature 0.6"}},
        None,
    ),
    "one that tells nothing": ({"/v1/models": MODELS}, None),
    "no such server": ({}, None),
    "odd answers": (
        {
            "/v1/models": {"data": [5, {"id": "qwen3", "context_length": "many"}]},
            "/props": [],
            "/api/v0/models": {"data": "x"},
            "/api/ps": {"models": [None]},
            "/api/show": "x",
        },
        None,
    ),
}


class Teller:
    """A server that tells of itself and is asked nothing else."""

    def __init__(self, answers: dict[str, Any]):
        self.answers = answers
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        self.heads: list[str] = []
        self.thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Teller":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        self.listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            with connection:
                head = connection.recv(65_536).decode()
                self.heads.append(head)
                path = head.split(" ")[1]
                body = json.dumps(self.answers.get(path)).encode()
                status = b"200 OK" if path in self.answers else b"404 Not Found"
                connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)


@pytest.mark.parametrize("server", TOLD)
def test_a_server_on_this_machine_says_how_much_it_gives_a_model(server: str) -> None:
    answers, window = TOLD[server]
    with Teller(answers) as teller:
        assert window_of(teller.base_url, "qwen3") == window


def test_a_server_that_wants_a_key_gets_it() -> None:
    with Teller(TOLD["vLLM"][0]) as teller:
        window_of(teller.base_url, "qwen3", "secret")
    assert "Authorization: Bearer secret" in teller.heads[0]


@pytest.mark.parametrize(
    "base_url", ["https://api.example/v1", "http://8.8.8.8/v1", "http://[bad", "", "http://a.b/v1"]
)
def test_a_server_elsewhere_is_not_asked(base_url: str) -> None:
    assert window_of(base_url, "qwen3") is None


ADVICE = {
    "vLLM": "--max-model-len 16384",
    "llama.cpp": "-c 16384",
    "LM Studio, loaded": "context length of 16384",
    "Ollama, running": "OLLAMA_CONTEXT_LENGTH=16384",
}


@pytest.mark.parametrize("server", ADVICE)
def test_a_window_that_no_step_fits_is_said_before_the_first_call(world: World, server: str) -> None:
    answers = json.loads(json.dumps(TOLD[server][0]).replace("4096", "2048"))
    with Teller(answers) as teller, pytest.raises(ConfigError) as raised:
        start(world, teller.base_url)
    first, second = str(raised.value).split("\n")
    assert 'gives "qwen3" 2,048 tokens; a step needs about ' in first
    assert ADVICE[server] in second
    assert not any("chat/completions" in head for head in teller.heads)


def test_a_window_that_is_known_is_the_runs(world: World) -> None:
    with Teller(json.loads(json.dumps(TOLD["vLLM"][0]).replace("4096", "12000"))) as teller:
        setup, _ = start(world, teller.base_url)
    assert setup.context_tokens + setup.reply_tokens == 12_000


def start(world: World, base_url: str) -> Any:
    found = world.settings(base_url, {"model": "qwen3"})
    return build.make_setup(found, build.choose_model(found), world.workspace)
