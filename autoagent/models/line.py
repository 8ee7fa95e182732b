"""One connection to an endpoint that can be given up at any moment: its socket is shut down, so the server sees it.

Closing a response from another thread waits for the read that is under way; shutting the socket down ends that read.
"""

import os
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from autoagent.models.endpoint import Endpoint
from autoagent.waiting import next_of

if TYPE_CHECKING:
    import httpx2

CONNECT_S = 10.0
LONGEST_ANSWER = 64 << 20  # bytes


@dataclass(frozen=True)
class Head:
    """The start of an answer; the names of `headers` in any case."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True)
class End:
    """Nothing more comes: the answer is whole as far as HTTP says so, or broke by `error`."""

    error: Exception | None = None


class GivenUpError(Exception): ...


class Line:
    """A thread moves the bytes of one answer at a time; whoever asked receives them and decides.

    The connection is kept between answers. What `httpx2` and TLS cost at first, the thread pays.
    """

    def __init__(self, endpoint: Endpoint, on_sent: Callable[[], None]):
        self._endpoint, self._on_sent = endpoint, on_sent
        self._client: httpx2.Client | None = None
        self._said: SimpleQueue[Head | bytes | End] = SimpleQueue()
        self._lock = threading.Lock()
        self._stream_socket: socket.socket | None = None  # of httpx2, who closes it
        self._socket: socket.socket | None = None  # a second handle of the same connection, which TLS leaves alone
        self._moving = self._closed = False
        self._ended = True

    @property
    def idle(self) -> bool:
        """Whether the next answer can be asked for: the last one came to its end."""
        return self._ended and not self._closed

    def post(self, content: bytes) -> None:
        self._moving, self._ended = True, False
        threading.Thread(target=self._post, args=(content,), daemon=True, name="model call").start()

    def receive(self, timeout_s: float) -> Head | bytes | End:
        """A Head, then parts, then an End; or an End alone. Raises queue.Empty where nothing comes in time."""
        said = next_of(self._said, timeout_s)
        if isinstance(said, End):
            self._ended = True
            if said.error:
                self.close()
        return said

    def close(self) -> None:
        """Whatever is under way ends now, on both sides; before there is a connection, as soon as there is one."""
        with self._lock:
            self._closed = True
            self._shut_down()
            moving = self._moving
        if not moving:
            self._close_client()

    def _post(self, content: bytes) -> None:
        end = End(self._transfer(content))
        with self._lock:
            self._moving, closed = False, self._closed
        if closed:
            self._close_client()
        self._said.put(end)

    def _close_client(self) -> None:
        client, self._client = self._client, None
        if client:
            client.close()
        self._release()

    def _transfer(self, content: bytes) -> Exception | None:
        """Put the answer on the queue; what broke it, for a thread can't raise to anybody."""
        try:
            import httpx2

            if self._client is None:
                self._client = self._connected_directly() if self._endpoint.here else httpx2.Client()
            with self._client.stream(
                "POST",
                self._endpoint.url,
                content=content,
                headers=self._endpoint.headers,
                timeout=httpx2.Timeout(None, connect=CONNECT_S),  # who receives has the patience
                extensions={"trace": self._watch},
            ) as response:
                self._said.put(Head(response.status_code, response.headers))
                size = 0
                for part in response.iter_bytes():
                    size += len(part)
                    if size > LONGEST_ANSWER:
                        raise ValueError(f"an answer of more than {LONGEST_ANSWER >> 20} MiB")
                    self._said.put(part)
        except Exception as error:  # noqa: BLE001  # given to the receiving thread, which explains it
            return error
        if self._stream_socket is None or self._stream_socket.fileno() == -1:
            self._release()  # the server wanted the connection closed
        return None

    def _connected_directly(self) -> "httpx2.Client":
        """Without any proxy; for plain HTTP also without the certificates, which take 50 ms to read."""
        import ssl

        import httpx2

        if self._endpoint.base_url.lower().startswith("http:"):
            trusts_nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            return httpx2.Client(verify=trusts_nobody, trust_env=False)
        return httpx2.Client(mounts={"all://": None, "http://": None, "https://": None})

    def _watch(self, step: str, told: Any) -> None:
        """Called by httpx2 as it goes: where the socket is, which it only tells with the answer."""
        if step.endswith("connect_tcp.started") and self._closed:
            raise GivenUpError
        if step.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._hold(told["return_value"].get_extra_info("socket"))
        if step.endswith("send_request_body.complete"):
            self._on_sent()

    def _hold(self, stream_socket: socket.socket) -> None:
        with self._lock:
            if self._socket:
                self._socket.close()
            self._stream_socket = stream_socket
            self._socket = socket.socket(fileno=os.dup(stream_socket.fileno()))
            if self._closed:
                self._shut_down()

    def _shut_down(self) -> None:
        if self._socket:
            with suppress(OSError):  # the server was faster
                self._socket.shutdown(socket.SHUT_RDWR)

    def _release(self) -> None:
        with self._lock:
            if self._socket:
                self._socket.close()
            self._socket = self._stream_socket = None
