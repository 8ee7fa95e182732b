"""A model behind any endpoint that speaks the OpenAI chat API, over plain HTTP.

The `openai` SDK is not used: its import builds a thousand modules of types that one request does not need, half a
second of each start; and its retry would sleep in silence for as long as the server asks.
"""

import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from queue import Empty
from typing import Any

from autoagent.budget import Usage
from autoagent.errors import ContextTooLong, ModelUnavailable
from autoagent.models import Hear, Heard, Message, Reply, unheard
from autoagent.models.catalog import Price
from autoagent.models.completion import FUNCTION, Assembly, Completion, read_completion, sound
from autoagent.models.endpoint import Endpoint
from autoagent.models.learned import FORMATS, Format, Learned, Taken, digest
from autoagent.models.line import End, Head, Line
from autoagent.models.refusals import WEB_PAGE, explain_broken, explain_refusal
from autoagent.models.sse import EventStream
from autoagent.models.tokens import TokenCounter
from autoagent.models.vendors import (
    Refusal,
    is_markup,
    read_refusal,
    refusal_within,
    refused_parameter,
    refuses_format,
)

WHOLE_S = 3_600.0
BEGINNING = 1_024  # bytes that must tell a stream from a whole answer
ENOUGH_UNENDED = 2  # streams whose end lacks its [DONE] or its reason, and nothing else
LEAVING_S = 0.2  # for the last bytes of an answer that is complete without them
_SILENTLY = ("max_completion_tokens", "stream_options")  # left out without a word: nothing changes for anybody


@dataclass(frozen=True)
class Patience:
    """How long nothing at all may come, in seconds: when it is said, how often again, when a stream is given up.

    An answer that is not streamed comes all at once (`whole_s`). A model that thinks, or reads a long prompt, and sends
    nothing meanwhile gets twice the time at each next try, up to `whole_s`.
    """

    told_s: float = 45.0
    again_s: float = 15.0
    streamed_s: float = 120.0
    whole_s: float = 600.0


@dataclass
class OpenAIModel:
    """`price` None is unknown; `notify` gets what people should know, such as a parameter that is left out.

    What the endpoint refuses (the format of a reply, a parameter) is learned once and kept in `learned`.
    """

    name: str
    base_url: str
    api_key: str = field(repr=False)
    counter: TokenCounter
    price: Price | None
    temperature: float | None = None
    seed: int | None = None
    reasoning_effort: str = ""
    notify: Callable[[str], None] = print
    learned: Learned = field(default_factory=lambda: Learned(None))
    patience: Patience = Patience()

    def __post_init__(self) -> None:
        self._endpoint = Endpoint(self.name, self.base_url, self.api_key)
        self._line: Line | None = None
        self._taken: Taken | None = None
        self._remembered = Taken()
        self._unended = 0
        self._longer = 1.0  # times the patience with a stream

    def count(self, text: str) -> int:
        return self.counter.count(text)

    def bound(self, text: str) -> int:
        return self.counter.bound(text)

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: dict[str, Any],
        reply_tokens: int,
        timeout_s: float | None,
        hear: Hear = unheard,
    ) -> Reply:
        """Sent from a thread of its own, so that Ctrl-C and `timeout_s` need not wait for the server."""
        until = time.monotonic() + min(WHOLE_S, WHOLE_S if timeout_s is None else timeout_s)
        asked = digest(schema) if schema else ""
        taken = before = self._known()
        while True:
            body = self._body(messages, schema, reply_tokens, taken.format_for(asked), taken.refused)
            answer = self._exchange(body, until, hear)
            if isinstance(answer, Completion):
                self._keep(taken)
                return self._reply(answer, messages)
            if answer.said_instead:  # the vendor could not read it; our reader may, or asks again
                return self._reply(Completion(answer.said_instead, "stop", None), messages)
            lower = _without_what_is_refused(taken, answer, body, asked)
            if lower is None:
                self._taken = before
                raise explain_refusal(answer, self._endpoint)
            self._taken = taken = lower

    def close(self) -> None:
        """Close the connection that is kept for the next call."""
        line, self._line = self._line, None
        if line:
            line.close()

    def _body(
        self,
        messages: Sequence[Message],
        schema: dict[str, Any],
        reply_tokens: int,
        wanted: Format,
        refused: frozenset[str],
    ) -> dict[str, Any]:
        bound = "max_tokens" if "max_completion_tokens" in refused else "max_completion_tokens"
        body: dict[str, Any] = {"model": self.name, "messages": messages, bound: reply_tokens}
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        optional = {
            "temperature": self.temperature,
            "seed": self.seed,
            "reasoning_effort": self.reasoning_effort or None,
        }
        body |= {name: value for name, value in optional.items() if value is not None}
        if "stream" in refused:
            refused |= {"stream_options"}
        for name in refused & body.keys():
            del body[name]
        return body | (_asking_for(schema, wanted) if schema else {})

    # One request

    def _exchange(self, body: dict[str, Any], until: float, hear: Hear) -> Completion | Refusal:
        """The whole answer. Raises ModelUnavailable where there is none; then nothing of it stays behind."""
        line, self._line = self._line or Line(self._endpoint, self.counter.load_in_background), None
        try:
            line.post(json.dumps(body, ensure_ascii=False).encode(errors="replace"))
            parts = self._parts(line, until, hear, streamed="stream" in body)
            answer = self._read(parts, hear)
            self._leave(line)
            return answer
        finally:
            if line.idle and self._line is None:
                self._line = line
            else:
                line.close()

    def _parts(self, line: Line, until: float, hear: Hear, *, streamed: bool) -> Generator[Head | bytes, None, None]:
        """What comes, as it comes. Silence is told, and at the end of all patience it ends the call."""
        patience = self.patience
        patience_s = min(patience.streamed_s * self._longer, patience.whole_s) if streamed else patience.whole_s
        last, word_s = time.monotonic(), patience.told_s if streamed else patience_s
        while True:
            try:
                said = line.receive(min(until, last + patience_s, last + word_s) - time.monotonic())
            except Empty:
                now = time.monotonic()
                if now >= until:
                    raise ModelUnavailable(f"{self._endpoint.host} sent no whole answer in time") from None
                if now - last >= patience_s:
                    self._longer *= 2
                    raise ModelUnavailable(f"{self._endpoint.host}: nothing received for {patience_s:.0f} s") from None
                hear(Heard(silent_s=now - last, patience_s=patience_s))
                word_s += patience.again_s
                continue
            if isinstance(said, End):
                if said.error:
                    raise explain_broken(said.error, self._endpoint) from said.error
                return
            if streamed and word_s > patience.told_s:
                hear(Heard())
            last, word_s = time.monotonic(), patience.told_s if streamed else patience_s
            yield said

    def _leave(self, line: Line) -> None:
        """The connection is kept only where the answer's end comes by itself."""
        until = time.monotonic() + LEAVING_S
        with suppress(Empty):
            while not line.idle and not isinstance(line.receive(until - time.monotonic()), End):
                pass

    # Its answer

    def _read(self, parts: Iterator[Head | bytes], hear: Hear) -> Completion | Refusal:
        head = next(parts)
        assert isinstance(head, Head)
        body = (part for part in parts if isinstance(part, bytes))
        if head.status != 200:
            return read_refusal(head.status, head.headers, b"".join(body))
        first = b""
        while len(first) < BEGINNING and not first.strip() and (part := next(body, b"")):
            first += part
        content_type = head.headers.get("content-type") or ""
        if _begins_a_stream(first.lstrip(b"\xef\xbb\xbf \r\n")[:1], content_type):
            return self._read_stream(chain([first], body), head, hear)
        return self._read_whole(first + b"".join(body), head, hear)

    def _read_whole(self, content: bytes, head: Head, hear: Hear) -> Completion | Refusal:
        text = content.decode("utf-8", "replace")
        try:
            data: Any = json.loads(text.removeprefix("\ufeff"))
        except (ValueError, RecursionError):
            raise self._no_completion(text) from None
        if refusal := refusal_within(data, head.headers):
            return refusal
        completion = read_completion(data)
        if completion is None:
            raise self._no_completion(text)
        hear(Heard(text=sound(completion.text)))
        return completion

    def _read_stream(self, parts: Iterable[bytes], head: Head, hear: Hear) -> Completion | Refusal:
        """Whole only with its proper end: a reason why the reply ended, then [DONE]."""
        events, assembly = EventStream(), Assembly()
        for data in chain(chain.from_iterable(map(events.feed, parts)), _late(events)):
            if data.strip() == "[DONE]":
                if not assembly.chosen:
                    raise self._no_completion(data)
                if not assembly.finish_reason:
                    self._unended += 1
                    raise ModelUnavailable(f"the stream of {self._endpoint.host} ended without a reason")
                self._unended = 0
                return assembly.completion()
            try:
                chunk: Any = json.loads(data)
                refusal = refusal_within(chunk, head.headers, status=500)
                text = "" if refusal else assembly.add(chunk)
            except (ValueError, RecursionError) as error:
                shown = self._endpoint.masked(data)[:80]
                raise ModelUnavailable(f"{self._endpoint.host} streams what can't be read: {shown!r}") from error
            if refusal and not assembly.heard:
                return refusal
            if refusal:
                raise _billed(explain_refusal(refusal, self._endpoint))
            if text:
                hear(Heard(text=text))
        if assembly.finish_reason:
            self._unended += 1
        raise ModelUnavailable(f"the stream of {self._endpoint.host} ended early")

    def _no_completion(self, text: str) -> ModelUnavailable:
        shown = WEB_PAGE if is_markup(text) else repr(" ".join(self._endpoint.masked(text)[:80].split()))
        return ModelUnavailable(f"{self._endpoint.host} answered, but with no chat completion: {shown}")

    def _reply(self, completion: Completion, messages: Sequence[Message]) -> Reply:
        host = self._endpoint.host
        if completion.finish_reason == "content_filter":
            raise ModelUnavailable(f"the content filter of {host} stopped the reply", retryable=False)
        if completion.finish_reason == "error":
            raise ModelUnavailable(f"{host} broke off the reply with an error")
        said, usage = sound(completion.text), completion.usage
        if usage is None:
            prompt = sum(self.count(message["content"]) + 4 for message in messages)
            thought = self.count(completion.reasoning)
            answered = max(1, self.count(said) + thought)
            usage = Usage(input_tokens=prompt, output_tokens=answered, reasoning_tokens=thought)
        return Reply(said, usage, completion.finish_reason, usage_estimated=completion.usage is None)

    # What it was found to take

    def _known(self) -> Taken:
        if self._taken is None:
            self._taken = self._remembered = self.learned.recall(self.base_url, self.name)
        if self._unended >= ENOUGH_UNENDED:
            self._taken = self._taken.without("stream")
        return self._taken

    def _keep(self, taken: Taken) -> None:
        """An answer came: what was left out for it was the right thing. Each is said once."""
        if taken == self._remembered:
            return
        for name in sorted(taken.refused - self._remembered.refused - {*_SILENTLY}):
            if name == "stream":
                self.notify(f"{self.name} can't be streamed; asked for whole replies from now on")
            else:
                self.notify(f'{self.name} refuses "{name}"; left out from now on')
        for schema, found in taken.formats.items():
            if found != self._remembered.formats.get(schema):
                self.notify(f"{self.name} takes no reply schema; asked {_ASKED[found]} from now on")
        self.learned.remember(self.base_url, self.name, taken)
        self._remembered = taken


def _begins_a_stream(byte: bytes, content_type: str) -> bool:
    """The first byte of what came decides, whatever it is called: no JSON and no page begins as a field of an event."""
    return byte in (b"d", b"e", b"i", b"r", b":") or ("event-stream" in content_type and byte not in (b"{", b"[", b"<"))


def _late(events: EventStream) -> Iterator[str]:
    """The end of a stream whose last blank line is missing: only its [DONE] counts."""
    for data in events.end():
        if data.strip() == "[DONE]":
            yield data


def _billed(error: ModelUnavailable | ContextTooLong) -> ModelUnavailable | ContextTooLong:
    if isinstance(error, ModelUnavailable):
        error.may_be_billed = True  # a part of the reply was made already
    return error


_ASKED: dict[Format, str] = {
    "json_schema": "by its schema",
    "tools": "by a tool call",
    "json_object": "for a JSON object",
    "text": "in plain text",
}


def _asking_for(schema: dict[str, Any], wanted: Format) -> dict[str, Any]:
    """The part of a request that asks for a reply of this schema."""
    match wanted:
        case "json_schema":
            thought = {"name": "thought", "strict": True, "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": thought}}
        case "tools":
            about = "Say what you think and which commands run next. Call it once in every reply."
            function = {"name": FUNCTION, "description": about, "parameters": schema}
            return {
                "tools": [{"type": "function", "function": function}],
                "tool_choice": {"type": "function", "function": {"name": FUNCTION}},
            }
        case "json_object":
            return {"response_format": {"type": "json_object"}}
        case "text":
            return {}


def _without_what_is_refused(taken: Taken, refusal: Refusal, body: Mapping[str, Any], schema: str) -> Taken | None:
    """What to ask for instead; None where the refusal is about something else, or there is nothing left."""
    if name := refused_parameter(refusal, body):
        return taken.without(name)
    wanted = taken.format_for(schema)
    if not schema or not refuses_format(refusal, wanted, body["model"]):
        return None
    return taken.with_format(schema, FORMATS[FORMATS.index(wanted) + 1])
