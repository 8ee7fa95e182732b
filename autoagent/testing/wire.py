"""Answers of the chat API as bytes."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.client import responses as phrases
from typing import Any, cast

from .script import Completion, Content, EmptyChoices, Failure, NoDone, Reply

_DELTA = 24
"""Characters in one chunk of a stream, about six tokens."""

_CREATED = 1_700_000_000
"""One instant, so that a script gives the same bytes in every run."""


@dataclass(frozen=True)
class Response:
    """One HTTP answer; `body` is framed already and sent `times` times."""

    head: bytes
    body: bytes
    times: int = 1


def respond(status: int, body: str | bytes, headers: Mapping[str, str], times: int = 1) -> Response:
    """A body of known length; JSON unless `headers` say otherwise."""
    sent = body.encode() if isinstance(body, str) else body
    framing = {"Content-Type": "application/json", "Content-Length": str(len(sent) * times)}
    return Response(_head(status, {**framing, **headers}), sent, times)


def models(names: Iterable[str]) -> Response:
    listed = [{"id": name, "object": "model", "created": _CREATED, "owned_by": "autoagent"} for name in names]
    return respond(200, json.dumps({"object": "list", "data": listed}), {})


def failure(failed: Failure) -> Response:
    kind = failed.type or ("server_error" if failed.status >= 500 else "invalid_request_error")
    error = {"message": failed.message, "type": kind, "param": failed.param, "code": failed.code}
    wait = {} if failed.retry_after is None else {"Retry-After": str(failed.retry_after)}
    body = json.dumps({"error": error}) if failed.body is None else failed.body
    return respond(failed.status, body, {**wait, **failed.headers})


def completion(played: Completion, request: Mapping[str, Any], *, number: int) -> Response:
    """`played` in the form that `request` asks for: one body, or a stream of chunks."""
    streamed = request.get("stream") is True
    reply = _as_reply(played)
    frame: dict[str, Any] = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion.chunk" if streamed else "chat.completion",
        "created": _CREATED,
        "model": reply.model or request.get("model") or "test-model",
    }
    usage = _usage(reply, request)
    if streamed:
        return _stream(_events(played, reply, frame, usage if _wants_usage(request) else None))
    message: dict[str, Any] = {"role": "assistant", "content": _text(reply.content), "refusal": reply.refusal}
    if reply.tool_calls:
        message["tool_calls"] = [*reply.tool_calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
    frame["choices"] = [] if isinstance(played, EmptyChoices) else [choice]
    return respond(200, json.dumps(frame if usage is None else {**frame, "usage": usage}), {})


def _as_reply(played: Completion) -> Reply:
    match played:
        case Reply():
            return played
        case NoDone():
            return Reply(played.content, finish_reason=played.finish_reason or "stop")
        case EmptyChoices():
            return Reply(None)


def _events(
    played: Completion, reply: Reply, frame: Mapping[str, Any], usage: Mapping[str, Any] | None
) -> Iterator[str]:
    start = json.dumps(frame)[:-1]
    end = "}" if usage is None else ', "usage": null}'

    def chunk(delta: Mapping[str, Any], finish_reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return f'{start}, "choices": [{json.dumps(choice)}]{end}'

    if isinstance(played, EmptyChoices):
        yield f'{start}, "choices": []{end}'
    else:
        yield chunk({"role": "assistant", "content": None if reply.content is None else "", "refusal": None})
        for part in _parts(_text(reply.content)):
            yield chunk({"content": part})
        for part in _parts(reply.refusal):
            yield chunk({"refusal": part})
        for call in _call_deltas(reply.tool_calls):
            yield chunk({"tool_calls": [call]})
        if isinstance(played, NoDone) and played.finish_reason is None:
            return
        yield chunk({}, reply.finish_reason)
    if usage is not None:
        yield json.dumps({**frame, "choices": [], "usage": usage})
    if not isinstance(played, NoDone):
        yield "[DONE]"


def _call_deltas(calls: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each call as OpenAI streams it: id and name first, then the arguments in parts."""
    for index, call in enumerate(calls):
        function: Mapping[str, Any] = call.get("function", {})
        yield {**call, "index": index, "function": {**function, "arguments": ""}}
        for part in _parts(function.get("arguments")):
            yield {"index": index, "function": {"arguments": part}}


def _parts(text: str | None) -> list[str]:
    return [text[start : start + _DELTA] for start in range(0, len(text), _DELTA)] if text else []


def _usage(reply: Reply, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if reply.usage == "missing":
        return None
    if reply.usage is not None:
        return reply.usage
    calls = json.dumps([*reply.tool_calls]) if reply.tool_calls else ""
    answer = _tokens(f"{_text(reply.content) or ''}{reply.refusal or ''}{calls}") + reply.reasoning_tokens
    prompt = max(_tokens(json.dumps(request.get("messages", []), ensure_ascii=False)), reply.cached_tokens)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
    }


def _tokens(text: str) -> int:
    """Four bytes a token, rounded up, never 0."""
    return max(1, -(-len(text.encode("utf-8", "surrogatepass")) // 4))


def _wants_usage(request: Mapping[str, Any]) -> bool:
    options: Any = request.get("stream_options")
    return isinstance(options, dict) and bool(cast("dict[str, Any]", options).get("include_usage"))


def _text(content: Content | None) -> str | None:
    return content if content is None or isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _stream(events: Iterable[str]) -> Response:
    framed = (f"data: {event}\n\n" for event in events)  # JSON is ASCII here: characters are bytes
    body = "".join(f"{len(event):x}\r\n{event}\r\n" for event in framed) + "0\r\n\r\n"
    return Response(_head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}), body.encode())


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {phrases.get(status, 'Unknown')}\r\n{fields}\r\n".encode("latin-1")
