"""The server: one thread, one event loop, a script and a record of what came."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from . import wire
from .connection import Request, deliver, receive, send
from .script import (
    Action,
    ContextOverflow,
    Cut,
    Drip,
    EmptyChoices,
    Failure,
    Hang,
    Html,
    Item,
    NoDone,
    Raw,
    RefusesParameter,
    Repeat,
    Reply,
    Stall,
    unwrap,
)

_HEAD_LIMIT = 1 << 20
_DEFAULT_CONTEXT_TOKENS = 8192


class ModelServer:
    """Plays `script` on 127.0.0.1, one item for each chat request, and records every request.

    Leaving the `with` block raises AssertionError where requests went past the script (unless
    `allow_overrun`) or a callable in it raised. A wrong key is echoed whole in the 401, as some gateways do.
    """

    def __init__(
        self,
        script: Iterable[Item] = (),
        *,
        models: Iterable[str] = ("test-model",),
        api_key: str | None = None,
        context_tokens: int | None = None,
        port: int = 0,
        allow_overrun: bool = False,
    ) -> None:
        self.base_url = ""
        self.overrun = False
        self._models = tuple(models)
        self._api_key = api_key
        self._context_tokens = context_tokens
        self._port = port
        self._allow_overrun = allow_overrun
        self._script = list(script)
        self._requests: list[Request] = []
        self._probes: list[Request] = []
        self._left = 0
        self.connections = 0  # that were accepted so far
        self._raised: Exception | None = None
        self._changed = threading.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; `base_url` is known and requests are accepted on return."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="ModelServer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Drop every connection and end the thread; a callable that still runs is waited for."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        if error is None:
            self.check()

    @property
    def requests(self) -> list[Request]:
        """Every request to do something so far, refused ones included."""
        with self._changed:
            return [*self._requests]

    @property
    def probes(self) -> list[Request]:
        """Every GET so far: somebody asks what the server has."""
        with self._changed:
            return [*self._probes]

    @property
    def remaining(self) -> list[Item]:
        """The items not played yet."""
        with self._changed:
            return [*self._script]

    def wait_for_requests(self, n: int, timeout_s: float = 10) -> list[Request]:
        """All requests once there are `n`. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._requests) >= n, timeout_s):
                raise TimeoutError(f"{len(self._requests)} of {n} requests came within {timeout_s} s")
            return [*self._requests]

    def wait_for_leaving(self, n: int = 1, timeout_s: float = 10) -> None:
        """Until `n` clients have left a Hang or a Stall. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._left >= n, timeout_s):
                raise TimeoutError(f"{self._left} of {n} clients left within {timeout_s} s")

    def check(self) -> None:
        """Raise AssertionError where the script was not enough or a callable in it raised."""
        if self._raised is not None:
            raise AssertionError(f"the script raised {self._raised!r}") from self._raised
        if self.overrun and not self._allow_overrun:
            raise AssertionError(f"the script is used up: {len(self._requests)} requests came")

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._listen())

    async def _listen(self) -> None:
        self._listener.setblocking(False)
        self._loop.add_reader(self._listener, self._accept)
        await self._closing.wait()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        await asyncio.sleep(0)  # the last connection's task begins, so that it closes its socket when cancelled
        # asyncio.Runner cancels the tasks that are left

    def _accept(self) -> None:
        # asyncio's own server loses a connection that comes while it closes, with a traceback
        with suppress(OSError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            self.connections += 1
            task = self._loop.create_task(self._serve(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=_HEAD_LIMIT)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                while await self._serve_one(reader, writer):
                    pass
            with suppress(ConnectionError):
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()  # when cancelled, close() would wait for what is not sent yet

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer the next request; True if the connection stays open for another."""
        try:
            request = await receive(reader, writer)
        except ValueError:
            await send(wire.failure(Failure(400, "This is not an HTTP/1.1 request with a Content-Length.")), writer)
            return False
        with self._changed:
            (self._probes if request.method == "GET" else self._requests).append(request)
            number = len(self._requests)
            self._changed.notify_all()
        action: Action | None = self._refuse(request)
        try:
            if action is None and request.method == "GET":
                response = wire.models(self._models)
            else:
                action = action or await self._choose(request)
                response = self._render(action, request, number)
        except Exception as error:  # noqa: BLE001 - a test's own script may raise anything; check() reports it
            self._raised, action = error, None
            response = wire.failure(Failure(500, f"the script raised {error!r}"))
        open_still = await deliver(action, response, reader, writer)
        if isinstance(action, Hang | Stall):
            with self._changed:
                self._left += 1
                self._changed.notify_all()
        return open_still and request.headers.get("connection", "").lower() != "close"

    def _refuse(self, request: Request) -> Failure | None:
        """What is wrong with the request itself, whatever the script says."""
        path = request.path.partition("?")[0]
        given = request.headers.get("authorization") or f"Bearer {request.headers.get('api-key', '')}"
        if self._api_key is not None and given != f"Bearer {self._api_key}":
            advice = "You can find your API key at https://platform.openai.com/account/api-keys."
            message = f"Incorrect API key provided: {given.removeprefix('Bearer ')}. {advice}"
            return Failure(401, message, code="invalid_api_key")
        if request.method == "GET" and path.endswith("/models"):
            return None
        if request.method != "POST" or not path.endswith("/chat/completions"):
            return Failure(404, f"Unknown request URL: {request.method} {request.path}.", code="unknown_url")
        if not request.body:
            return Failure(400, "We could not parse the JSON body of your request.")
        if self._context_tokens is not None and len(request.raw) > 4 * self._context_tokens:
            return self._too_long(request)
        return None

    async def _choose(self, request: Request) -> Action:
        item = self._take(request.body)
        while callable(item):
            # in a thread, so that one that waits does not stop the other connections
            item = unwrap(await asyncio.to_thread(item, request.body), request.body)
        return item

    def _take(self, body: Mapping[str, Any]) -> Action | Callable[[dict[str, Any]], Item]:
        """The next item, taken off the script unless it refuses this request."""
        with self._changed:
            if not self._script:
                self.overrun = True
                return Failure(500, "the script is used up")
            first = self._script[0]
            item = unwrap(first, body)
            if isinstance(item, RefusesParameter):
                return item
            if not isinstance(first, Repeat) or first.times == 1:
                del self._script[0]
            elif first.times is not None:
                self._script[0] = replace(first, times=first.times - 1)
            return item

    def _render(self, action: Action, request: Request, number: int) -> wire.Response:
        match action:
            case Failure():
                return wire.failure(action)
            case RefusesParameter(name):
                message = f"Unsupported parameter: '{name}' is not supported with this model."
                return wire.failure(Failure(400, message, code="unsupported_parameter", param=name))
            case ContextOverflow():
                return wire.failure(self._too_long(request))
            case Html():
                return wire.respond(200, action.text, {"Content-Type": "text/html; charset=utf-8"})
            case Raw():
                return wire.respond(action.status, action.content, {"Content-Type": action.content_type}, action.times)
            case Hang():
                return wire.Response(b"", b"")
            case Cut() | Stall() | Drip():
                played = Reply(action.content)
            case Reply() | NoDone() | EmptyChoices():
                played = action
            case _:
                played = Reply(action)
        return wire.completion(played, request.body, number=number)

    def _too_long(self, request: Request) -> Failure:
        limit = self._context_tokens or _DEFAULT_CONTEXT_TOKENS
        message = (
            f"This model's maximum context length is {limit} tokens. However, your messages resulted in"
            f" {max(-(-len(request.raw) // 4), limit + 1)} tokens. Please reduce the length of the messages."
        )
        return Failure(400, message, code="context_length_exceeded", param="messages")
