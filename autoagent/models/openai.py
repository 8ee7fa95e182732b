"""A model behind any endpoint that speaks the OpenAI chat API, by the `openai` SDK's low-level client.

`chat.completions.create` walks every message on each call (58 ms of CPU at 100 steps, 455 at 1,000); `client.post`
does not. The SDK's own retry is off: it would sleep in silence for as long as the server asks.
"""

import email.utils
import gc
import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Queue
from typing import Any, cast
from urllib.parse import urlsplit

from autoagent.budget import Usage
from autoagent.errors import ContextTooLong, ModelUnavailable
from autoagent.models import Message, Reply
from autoagent.models.catalog import Price
from autoagent.models.tokens import TokenCounter

OPENAI = "https://api.openai.com/v1"
CONNECT_S, READ_S = 10.0, 600.0  # a reasoning model may send nothing for minutes
DETAIL_CHARS = 300
_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|size)|maximum context|too many tokens|prompt is too long|exceeds? the available",
    re.IGNORECASE,
)
_NO_FORMAT = re.compile(r"response_format|json_schema|structured output|grammar|strict", re.IGNORECASE)


@dataclass
class OpenAIModel:
    """`price` None is unknown; `notify` gets what people should know, such as a parameter that is left out.

    What the endpoint refuses (the reply schema, a parameter) is learned once and left out from then on.
    """

    name: str
    base_url: str
    api_key: str = field(repr=False)
    counter: TokenCounter
    price: Price | None
    temperature: float | None = None
    notify: Callable[[str], None] = print
    refused: set[str] = field(default_factory=set[str])
    _client: Any = None

    def count(self, text: str) -> int:
        return self.counter.count(text)

    def bound(self, text: str) -> int:
        return self.counter.bound(text)

    def complete(
        self, messages: Sequence[Message], *, schema: dict[str, Any], reply_tokens: int, timeout_s: float | None
    ) -> Reply:
        """Sent from a thread of its own, so that Ctrl-C and `timeout_s` need not wait for the server."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            body = self._body(messages, schema, reply_tokens)
            left_s = None if until is None else max(0.0, until - time.monotonic())
            outcome = self._send(body, left_s)
            if not isinstance(outcome, Exception):
                return self._reply(outcome, messages)
            if not self._learn(outcome, body):
                raise self._explain(outcome) from outcome

    def _body(self, messages: Sequence[Message], schema: dict[str, Any], reply_tokens: int) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.name, "messages": messages}
        body["max_tokens" if "max_completion_tokens" in self.refused else "max_completion_tokens"] = reply_tokens
        if self.temperature is not None and "temperature" not in self.refused:
            body["temperature"] = self.temperature
        if schema and "response_format" not in self.refused:
            wanted = {"name": "thought", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
        return body

    def _send(self, body: dict[str, Any], timeout_s: float | None) -> Any:
        """The response, or the exception that came instead."""
        done: Queue[Any] = Queue()
        threading.Thread(target=lambda: done.put(self._post(body, timeout_s)), daemon=True, name="model call").start()
        self.counter.load_in_background()
        try:
            return done.get(timeout=timeout_s)
        except Exception:  # noqa: BLE001  # queue.Empty
            self._client = None  # the next call must not wait for the abandoned one's connection
            return TimeoutError(f"cut after {timeout_s:.0f} s: the run's time limit")
        except KeyboardInterrupt:
            self._client = None
            raise

    def _post(self, body: dict[str, Any], timeout_s: float | None) -> Any:
        import_collects = gc.isenabled()
        gc.disable()  # importing openai makes 100,000 objects; collecting among them doubles its time
        try:
            import httpx2
            import openai
        finally:
            if import_collects:
                gc.enable()
        try:
            if self._client is None:
                self._client = openai.OpenAI(api_key=self.api_key or "none", base_url=self.base_url, max_retries=0)
            read_s = READ_S if timeout_s is None else min(READ_S, timeout_s)
            timeout = httpx2.Timeout(READ_S, connect=CONNECT_S, read=read_s)
            options: Any = {"timeout": timeout}
            return self._client.post("/chat/completions", body=body, cast_to=httpx2.Response, options=options)
        except Exception as error:  # noqa: BLE001  # given to the waiting thread, which explains it
            return error

    def _learn(self, error: Exception, body: dict[str, Any]) -> bool:
        """Whether the endpoint refused something that can be left out; it is, from now on."""
        if getattr(error, "status_code", None) not in (400, 404, 422, 500, 501):
            return False
        detail = _detail(error)
        for name in ("max_completion_tokens", "temperature"):
            if name in body and (getattr(error, "param", None) == name or re.search(rf"\b{name}\b", detail)):
                if not re.search(r"support|unknown|unrecognized|not permitted|extra|unexpected|invalid", detail, re.I):
                    return False
                return self._leave_out(name, f'{self.name} refuses "{name}"; left out from now on')
        if "response_format" in body and (
            getattr(error, "param", None) == "response_format" or _NO_FORMAT.search(detail)
        ):
            return self._leave_out(
                "response_format", f"{self.name} takes no reply schema; asked in plain text from now on"
            )
        return False

    def _leave_out(self, name: str, words: str) -> bool:
        self.refused.add(name)
        if name != "max_completion_tokens":
            self.notify(words)
        return True

    def _reply(self, response: Any, messages: Sequence[Message]) -> Reply:
        """The first choice of a response. Raises ModelUnavailable where there is none."""
        text = response.content.decode("utf-8", "surrogateescape")
        try:
            data: Any = json.loads(text)
            choice = data["choices"][0]
            message: dict[str, Any] = choice.get("message") or {}
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            shown = " ".join(self._masked(text)[:80].split())
            raise ModelUnavailable(f"{self._host} answered, but with no chat completion: {shown!r}") from None
        content = _content(message)
        usage = _usage(data.get("usage"))
        estimated = usage is None
        if usage is None:
            prompt = sum(self.count(m["content"]) + 4 for m in messages)
            usage = Usage(input_tokens=prompt, output_tokens=max(1, self.count(content)))
        return Reply(content, usage, str(choice.get("finish_reason") or ""), estimated)

    def _explain(self, error: Exception) -> ModelUnavailable | ContextTooLong:
        """What went wrong, in one line for a person, and whether trying again can help."""
        status = getattr(error, "status_code", None)
        detail = self._masked(_detail(error))
        short = " ".join(detail.split())[:DETAIL_CHARS]
        code = str(getattr(error, "code", "") or "")
        if status is None:
            return self._explain_no_answer(error, short)
        if status in (400, 413, 422) and (code == "context_length_exceeded" or _TOO_LONG.search(detail)):
            return ContextTooLong(f"{self._host}: the request is too long for {self.name}: {short}")
        if status == 401:
            return self._final(f"{self._host} refused the key (401). Set OPENAI_API_KEY")
        if status == 402 or code == "insufficient_quota":
            return self._final(f"{self._host}: the account has no credit left ({status}): {short}")
        if status == 403:
            return self._final(f"{self._host} does not allow this ({status}): {short}")
        if status == 404:
            return self._final(f"{self._host} does not know the model {self.name!r} or this address (404): {short}")
        if status == 429:
            wait = _retry_after(error)
            asked = f", asks to wait {wait:.0f} s" if wait else ""
            return ModelUnavailable(f"rate limit of {self._host}{asked}", retry_after_s=wait, may_be_billed=False)
        if status in (408, 409) or status >= 500:
            return ModelUnavailable(f"{self._host}: {status} {short}", retry_after_s=_retry_after(error))
        return self._final(f"{self._host} refused the request ({status}): {short}")

    def _explain_no_answer(self, error: Exception, short: str) -> ModelUnavailable:
        causes = " ".join(f"{type(e).__name__} {e}" for e in _causes(error))
        if "CERTIFICATE_VERIFY_FAILED" in causes or "SSLCertVerificationError" in causes:
            return self._final(
                f"the certificate of {self._host} is signed by an unknown authority (a company proxy?). "
                "Set SSL_CERT_FILE=/path/ca.pem"
            )
        if "ConnectError" in causes or "ConnectTimeout" in causes:
            return ModelUnavailable(f"nothing answers at {self.base_url} (HTTPS_PROXY?)", may_be_billed=False)
        if "Timeout" in causes:
            return ModelUnavailable(f"{self._host} sent nothing in time")
        if isinstance(error, (TypeError, ValueError)):
            return self._final(f"the request to {self._host} could not be made: {short}")
        return ModelUnavailable(f"the connection to {self._host} broke: {short}")

    def _final(self, words: str) -> ModelUnavailable:
        return ModelUnavailable(words, retryable=False, may_be_billed=False)

    @property
    def _host(self) -> str:
        return urlsplit(self.base_url).netloc.rpartition("@")[2] or self.base_url

    def _masked(self, text: str) -> str:
        """Without the key, also where a server echoes it or a part of it."""
        if self.api_key:
            text = text.replace(self.api_key, "***")
        return re.sub(r"\bsk-[\w*.-]{4,}", "***", text)


def _content(message: dict[str, Any]) -> str:
    """The text of a message; a tool call, which we did not ask for, as the JSON of one; a refusal as it is."""
    content: Any = message.get("content")
    if isinstance(content, list):
        parts = [cast(dict[str, Any], part) for part in cast(list[Any], content) if isinstance(part, dict)]
        content = "".join(str(part.get("text") or "") for part in parts)
    if message.get("tool_calls") and not content:
        return json.dumps({"tool_calls": message["tool_calls"]}, ensure_ascii=False)
    return str(content or message.get("refusal") or "")


def _usage(reported: Any) -> Usage | None:
    """Token counts as reported; None where they are missing or make no sense."""
    if not isinstance(reported, dict):
        return None
    reported = cast(dict[str, Any], reported)
    asked, said = reported.get("prompt_tokens"), reported.get("completion_tokens")
    if not isinstance(asked, int) or not isinstance(said, int) or asked <= 0 or said < 0:
        return None
    return Usage(
        input_tokens=asked,
        output_tokens=said,
        cached_tokens=min(asked, _part(reported.get("prompt_tokens_details"), "cached_tokens")),
        reasoning_tokens=_part(reported.get("completion_tokens_details"), "reasoning_tokens"),
    )


def _part(details: Any, name: str) -> int:
    value = cast(dict[str, Any], details).get(name) if isinstance(details, dict) else 0
    return value if isinstance(value, int) and value > 0 else 0


def _detail(error: Exception) -> str:
    """What the server said: the SDK gives the `error` object of the body, or the body where there is none."""
    body: Any = getattr(error, "body", None)
    found: Any = cast(dict[str, Any], body).get("message") if isinstance(body, dict) else body
    return str(found or error)


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _retry_after(error: Exception) -> float | None:
    """Seconds that the server asks to wait; RFC 9110 allows a number or a date."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None)
    value = headers.get("retry-after") if headers is not None else None
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
