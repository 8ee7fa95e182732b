"""A model behind any endpoint that speaks the OpenAI chat API, over plain HTTP.

The `openai` SDK is not used: its import builds a thousand modules of types that one request does not need, half a
second of each start; and its retry would sleep in silence for as long as the server asks.
"""

import email.utils
import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from autoagent import __version__
from autoagent.budget import Usage
from autoagent.errors import ContextTooLong, ModelUnavailable
from autoagent.models import Message, Reply
from autoagent.models.catalog import Price
from autoagent.models.tokens import TokenCounter

if TYPE_CHECKING:
    import httpx2

CONNECT_S, READ_S, WHOLE_S = 10.0, 600.0, 3_600.0  # a reasoning model may send nothing for minutes
DETAIL_CHARS = 300
LONGEST_ANSWER = 64 << 20  # bytes
_ABSURD = 1 << 40  # tokens of one call
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
    _client: "httpx2.Client | None" = None

    def count(self, text: str) -> int:
        return self.counter.count(text)

    def bound(self, text: str) -> int:
        return self.counter.bound(text)

    def complete(
        self, messages: Sequence[Message], *, schema: dict[str, Any], reply_tokens: int, timeout_s: float | None
    ) -> Reply:
        """Sent from a thread of its own, so that Ctrl-C and `timeout_s` need not wait for the server."""
        until = time.monotonic() + min(WHOLE_S, WHOLE_S if timeout_s is None else timeout_s)
        while True:
            body = self._body(messages, schema, reply_tokens)
            outcome = self._send(body, max(0.0, until - time.monotonic()))
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

    def _send(self, body: dict[str, Any], timeout_s: float) -> Any:
        """The response, or the exception that came instead."""
        done: Queue[Any] = Queue()
        threading.Thread(target=lambda: done.put(self._post(body, timeout_s)), daemon=True, name="model call").start()
        try:
            return done.get(timeout=timeout_s)
        except Empty:
            self._client = None  # the next call must not wait for the abandoned one's connection
            return TimeoutError(f"no whole answer in {timeout_s:.0f} s")
        except KeyboardInterrupt:
            self._client = None
            raise

    def _post(self, body: dict[str, Any], timeout_s: float) -> bytes | Exception:
        """The body of a good answer, or the exception that came instead; for a thread, so nothing is raised."""
        client = None
        try:
            import httpx2

            client = self._client = self._client or httpx2.Client(follow_redirects=False)
            read_s = min(READ_S, timeout_s)
            headers = {"Content-Type": "application/json", "User-Agent": f"autoagent/{__version__}"}
            if self.api_key:
                headers["Authorization"] = f"Bearer {self.api_key.strip()}"
            with client.stream(
                "POST",
                f"{self.base_url.rstrip('/')}/chat/completions",
                content=json.dumps(body, ensure_ascii=False).encode(errors="replace"),
                headers=headers,
                timeout=httpx2.Timeout(READ_S, connect=CONNECT_S, read=read_s),
                extensions={"trace": self._use_the_wait},
            ) as response:
                content = _read(response)
                return content if response.status_code == 200 else _Refused(response, content)
        except Exception as error:  # noqa: BLE001  # given to the waiting thread, which explains it
            return error
        finally:
            if client and client is not self._client:
                client.close()  # nobody waits for this call any more

    def close(self) -> None:
        """Close the connection that is kept for the next call."""
        client, self._client = self._client, None
        if client:
            client.close()

    def _use_the_wait(self, step: str, _: Any) -> None:
        """Once the request is out there is time to load the token tables."""
        if step.endswith("send_request_body.complete"):
            self.counter.load_in_background()

    def _learn(self, error: Exception, body: dict[str, Any]) -> bool:
        """Whether the endpoint refused something that can be left out; it is, from now on."""
        if not isinstance(error, _Refused) or error.status not in (400, 404, 422, 500, 501):
            return False
        detail = error.detail
        for name in ("max_completion_tokens", "temperature"):
            if name in body and (error.param == name or re.search(rf"\b{name}\b", detail)):
                if not re.search(r"support|unknown|unrecognized|not permitted|extra|unexpected|invalid", detail, re.I):
                    return False
                return self._leave_out(name, f'{self.name} refuses "{name}"; left out from now on')
        if "response_format" in body and (error.param == "response_format" or _NO_FORMAT.search(detail)):
            return self._leave_out(
                "response_format", f"{self.name} takes no reply schema; asked in plain text from now on"
            )
        return False

    def _leave_out(self, name: str, words: str) -> bool:
        self.refused.add(name)
        if name != "max_completion_tokens":
            self.notify(words)
        return True

    def _reply(self, content: bytes, messages: Sequence[Message]) -> Reply:
        """The first choice of a response. Raises ModelUnavailable where there is none."""
        text = content.decode("utf-8", "replace")
        try:
            data: Any = json.loads(text)
            choice = data["choices"][0]
            said, finish_reason = _content(choice.get("message") or {}), str(choice.get("finish_reason") or "")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            shown = " ".join(self._masked(text)[:80].split())
            raise ModelUnavailable(f"{self._host} answered, but with no chat completion: {shown!r}") from None
        said = said.encode("utf-8", "replace").decode()  # JSON can spell half a surrogate pair; a journal can't
        usage = _usage(data.get("usage"))
        estimated = usage is None
        if usage is None:
            prompt = sum(self.count(m["content"]) + 4 for m in messages)
            usage = Usage(input_tokens=prompt, output_tokens=max(1, self.count(said)))
        return Reply(said, usage, finish_reason, estimated)

    def _explain(self, error: Exception) -> ModelUnavailable | ContextTooLong:
        """What went wrong, in one line for a person, and whether trying again can help."""
        if not isinstance(error, _Refused):
            return self._explain_no_answer(error)
        status, code, detail = error.status, error.code, self._masked(error.detail)
        short = " ".join(detail.split())[:DETAIL_CHARS]
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
            wait = _retry_after(error.headers)
            asked = f", asks to wait {wait:.0f} s" if wait else ""
            return ModelUnavailable(f"rate limit of {self._host}{asked}", retry_after_s=wait, may_be_billed=False)
        if status in (408, 409) or status >= 500:
            return ModelUnavailable(f"{self._host}: {status} {short}", retry_after_s=_retry_after(error.headers))
        return self._final(f"{self._host} refused the request ({status}): {short}")

    def _explain_no_answer(self, error: Exception) -> ModelUnavailable:
        short = self._masked(" ".join(str(error).split()))[:DETAIL_CHARS]
        causes = " ".join(f"{type(e).__name__} {e}" for e in _causes(error))
        if "CERTIFICATE_VERIFY_FAILED" in causes or "SSLCertVerificationError" in causes:
            return self._final(
                f"the certificate of {self._host} is signed by an unknown authority (a company proxy?). "
                "Set SSL_CERT_FILE=/path/ca.pem"
            )
        if "ConnectError" in causes or "ConnectTimeout" in causes:
            address = self.base_url.replace(urlsplit(self.base_url).netloc, self._host)  # a password may stand in it
            hint = "Is the server running?" if address.startswith("http:") else "A company proxy? Set HTTPS_PROXY"
            return ModelUnavailable(f"nothing answers at {address}. {hint}", may_be_billed=False)
        if "Timeout" in causes:
            return ModelUnavailable(f"{self._host} sent nothing in time")
        if isinstance(error, (TypeError, ValueError)) or re.search(r"InvalidURL|UnsupportedProtocol", causes):
            return self._final(f"the request to {self._host} could not be made: {short}")
        return ModelUnavailable(f"the connection to {self._host} broke: {short}")

    def _final(self, words: str) -> ModelUnavailable:
        return ModelUnavailable(words, retryable=False, may_be_billed=False)

    @property
    def _host(self) -> str:
        return urlsplit(self.base_url).netloc.rpartition("@")[2] or self.base_url

    def _masked(self, text: str) -> str:
        """Without the key, also where a server echoes it or a part of it."""
        if key := self.api_key.strip():
            text = text.replace(key, "***")
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
    if not isinstance(asked, int) or not isinstance(said, int) or not 0 < asked < _ABSURD or not 0 <= said < _ABSURD:
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


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait; RFC 9110 allows a number or a date."""
    value = headers.get("retry-after")
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


class _Refused(Exception):
    """An answer with another status than 200: what the server says is wrong."""

    def __init__(self, response: "httpx2.Response", content: bytes):
        self.status, self.headers = response.status_code, response.headers
        text = content.decode("utf-8", "replace")
        try:
            body: Any = json.loads(text)
        except (ValueError, RecursionError):
            body = {}
        error: Any = cast(dict[str, Any], body).get("error") if isinstance(body, dict) else None
        told = cast(dict[str, Any], error) if isinstance(error, dict) else {}
        self.code, self.param = str(told.get("code") or ""), str(told.get("param") or "")
        self.detail = str(told.get("message") or (error if isinstance(error, str) else "") or text)
        self.detail = self.detail.encode("utf-8", "replace").decode()
        super().__init__(self.detail)


def _read(response: "httpx2.Response") -> bytes:
    """The body, as far as an answer can be of use."""
    parts, size = list[bytes](), 0
    for part in response.iter_bytes():
        size += len(part)
        if size > LONGEST_ANSWER:
            raise ValueError(f"an answer of more than {LONGEST_ANSWER >> 20} MiB")
        parts.append(part)
    return b"".join(parts)
