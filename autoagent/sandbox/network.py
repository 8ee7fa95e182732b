"""Where requests may go: public http(s) addresses only, looked up once, judged, and connected to as judged.

A proxy is used only where the environment names one (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY; NO_PROXY is respected), and
never for what it would hide: the target is looked up and judged here first, an address of this machine's network is
never given to a proxy, and neither is a name that this machine cannot look up, since nobody here would know what it
leads to. The proxy itself is the person's choice and may be anywhere. It looks the name up once more; what it then
reaches is bounded by its own rules, and for https by the certificate of the name.
"""

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies_environment

from autoagent import __version__
from autoagent.env import Fetched
from autoagent.errors import CommandError, SandboxError
from autoagent.sandbox.addresses import Kind, Target, judge, literal, read_url, refused, shown
from autoagent.sandbox.answer import BOUNDS, Bounds, Metered, read_body, status_error, too_large, too_slow

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter

PORTS = frozenset({80, 443, 8000, 8008, 8080, 8081, 8443, 8888})  # of public addresses
REDIRECTS = 10
BESIDE_DOWNLOAD = 2**20  # bytes: headers, and the sizes of chunks
_REDIRECTED = (301, 302, 303, 307, 308)
HEADERS = {
    "User-Agent": f"autoagent/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "close",
}

Resolve = Callable[[str, int], Sequence[str]]  # name and port to IP addresses; raises OSError
Connect = Callable[[str, int, float], socket.socket]  # IP address, port, seconds; raises OSError
Dial = Callable[[], socket.socket]


def look_up(name: str, port: int) -> Sequence[str]:
    """What the C library says, each address once."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connect(address: str, port: int, timeout_s: float) -> socket.socket:
    return socket.create_connection((address, port), timeout_s)


class Fetcher:
    """Fetches pages; with `allow_local` also from this machine and its network, never from metadata addresses.

    Public addresses are reached on PORTS, local ones on any. No cookies, credentials or netrc are sent. Every fetch
    has connections of its own and closes them; threads may share a fetcher.
    """

    def __init__(
        self,
        *,
        allow_local: bool = False,
        resolve: Resolve = look_up,
        connect: Connect = connect,
        bounds: Bounds = BOUNDS,
    ):
        self.allow_local = allow_local
        self._resolve, self._connect, self._bounds = resolve, connect, bounds

    def fetch(self, url: str, may_redirect: Callable[[str, str], bool] | None = None) -> Fetched:
        content = io.BytesIO()
        came = self._follow(url, may_redirect, _Wanted(content, self._bounds, range(200, 300)))
        return replace(came, content=content.getvalue())

    def download(
        self, url: str, to: BinaryIO, limit: int, may_redirect: Callable[[str, str], bool] | None = None
    ) -> Fetched:
        """Other than `fetch` it takes an answer of status 200 alone: any other is not the whole of a file."""
        bounds = replace(
            self._bounds,
            sent=limit,
            unpacked=limit,
            beside=BESIDE_DOWNLOAD,
            whole_s=self._bounds.download_s,
            of="a download",
        )
        return self._follow(url, may_redirect, _Wanted(to, bounds, range(200, 201)))

    def _follow(self, url: str, may_redirect: Callable[[str, str], bool] | None, wanted: "_Wanted") -> Fetched:
        with _Deadline(wanted.bounds.whole_s) as deadline:
            visited, where = list[str](), url
            while len(visited) <= REDIRECTS:
                try:
                    target = read_url(where)
                    if target.url in visited:
                        raise CommandError(f"{shown(url)} redirects in a circle.")
                    came = self._get(target, deadline, wanted)
                except SandboxError as error:
                    if not visited:
                        raise
                    raise SandboxError(
                        f"{shown(url)} redirects to where this run may not go. {error}",
                        control="network guard, after a redirect",
                    ) from error
                except CommandError as error:
                    if not visited:
                        raise
                    raise CommandError(
                        f"{shown(url)} redirects to a page that could not be fetched. {error}"
                    ) from error
                if isinstance(came, Fetched):
                    return came
                visited.append(target.url)
                where = came
                if may_redirect and not may_redirect(url, where):
                    raise SandboxError(
                        f"{shown(url)} redirects to another site, which only a person may allow here.",
                        control="new addresses",
                    )
            raise CommandError(f"{shown(url)} redirects more than {REDIRECTS} times.")

    def _get(self, target: Target, deadline: "_Deadline", wanted: "_Wanted") -> Fetched | str:
        """The page, its content written where it is wanted; or the address it redirects to."""
        import requests

        bounds = wanted.bounds
        route = self._route(target, deadline)
        request = requests.Request("GET", target.url, headers=HEADERS).prepare()
        proxies = {target.scheme: route.proxy} if route.proxy else {}
        timeouts = (bounds.connect_s, bounds.silence_s)
        secure = target.scheme == "https" or route.proxy.startswith("https:")
        adapter = _adapter(
            lambda: self._dial(target, route, deadline),
            trust=self._trust if secure else None,
            limit=bounds.sent + bounds.beside,
            overflow=lambda: too_large(target, bounds, "sent"),
        )
        # not by a session: it would read the whole body of a redirect, and keep cookies
        with (
            _explained(target, deadline, bounds),
            closing(adapter),
            adapter.send(request, stream=True, timeout=timeouts, verify=True, proxies=proxies) as response,
        ):
            location = response.headers.get("Location")
            if location is not None and response.status_code in _REDIRECTED:
                return _joined(target.url, location.encode("latin-1").decode("utf-8", "replace"))
            if response.status_code not in wanted.statuses:
                raise status_error(target, response)
            read_body(target, response, wanted.to, lambda: deadline.over, bounds)
            return Fetched(target.url, b"", response.headers.get("Content-Type", ""))

    def _route(self, target: Target, deadline: "_Deadline") -> "_Route":
        proxy = _proxy_for(target)
        addresses = self._addresses(target, deadline, proxied=proxy is not None)
        kinds = {self._kind(target, address) for address in addresses}
        if kinds != {"local"} and target.port not in PORTS:
            ports = ", ".join(map(str, sorted(PORTS)))
            raise refused(f"Port {target.port} of {target.host} is not for the web. Ports that are: {ports}.")
        if proxy is None or kinds != {"public"}:
            return _Route(addresses, target.port)
        found = self._look_up(proxy.host, proxy.port, deadline)
        if isinstance(found, OSError):
            raise CommandError("The proxy that this machine's environment names cannot be looked up.") from found
        return _Route(found, proxy.port, proxy.url)

    def _addresses(self, target: Target, deadline: "_Deadline", *, proxied: bool) -> Sequence[str]:
        found = self._look_up(target.host, target.port, deadline)
        if not isinstance(found, OSError):
            return found
        if proxied:
            raise refused(
                f"This machine cannot look up {target.host}, so nobody can say what a proxy would reach by that name."
            ) from found
        if isinstance(found, socket.gaierror) and found.errno == socket.EAI_AGAIN:
            raise refused(f"{target.host} cannot be looked up now: no network, or no answer from DNS.") from found
        raise refused(f"There is no host {target.host}.") from found

    def _look_up(self, host: str, port: int, deadline: "_Deadline") -> Sequence[str] | OSError:
        """In a thread of its own: the C library waits for DNS as long as it likes."""
        if address := literal(host):
            return [address]
        answer = Future[Sequence[str]]()

        def ask() -> None:
            try:
                answer.set_result(self._resolve(host, port))
            except Exception as error:  # noqa: BLE001  handed to the thread that waits
                answer.set_exception(error)

        threading.Thread(target=ask, daemon=True, name="look-up").start()
        try:
            return answer.result(deadline.left()) or OSError("no address")
        except TimeoutError:
            return socket.gaierror(socket.EAI_AGAIN, "no answer in time")
        except UnicodeError:  # a name that DNS cannot hold
            return socket.gaierror(socket.EAI_NONAME, "no such name")
        except OSError as error:
            return error

    def _kind(self, target: Target, address: str) -> Kind:
        verdict = judge(address)
        if verdict.kind == "public" or (verdict.kind == "local" and self.allow_local):
            return verdict.kind
        what = target.host if target.host == address else f"{target.host} leads to {address}, which"
        hint = " A person can allow it with --allow-local-network." if verdict.kind == "local" else ""
        raise refused(f"{what} is {verdict.words}. Only public addresses can be fetched.{hint}")

    def _dial(self, target: Target, route: "_Route", deadline: "_Deadline") -> socket.socket:
        """A connection to the first judged address that answers; they share the time there is for it."""
        until = time.monotonic() + min(self._bounds.connect_s, deadline.left())

        def attempt(address: str, left: int) -> socket.socket:
            made = self._connect(address, route.port, max(0.01, (until - time.monotonic()) / left))
            made.settimeout(self._bounds.silence_s)  # what TLS and a proxy's tunnel then have
            deadline.watch(made)
            return made

        *others, last = route.addresses
        for position, address in enumerate(others):
            with suppress(OSError):
                return attempt(address, len(route.addresses) - position)
        try:
            return attempt(last, 1)
        except OSError as error:
            raise self._unreached(target, route, deadline, error) from error

    def _unreached(self, target: Target, route: "_Route", deadline: "_Deadline", error: OSError) -> CommandError:
        if deadline.over:
            return too_slow(target, deadline.seconds)
        who = "The proxy" if route.proxy else f"{target.host}, port {target.port},"
        if isinstance(error, TimeoutError):
            return CommandError(f"{who} did not answer within {self._bounds.connect_s:g} s.")
        if isinstance(error, ConnectionRefusedError):
            return CommandError(f"{who} refuses connections: no server runs there.")
        return CommandError(f"{who} cannot be reached: {error.strerror or 'no network'}.")

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        """The authorities named by SSL_CERT_FILE, SSL_CERT_DIR or REQUESTS_CA_BUNDLE, else the usual ones."""
        from requests.utils import DEFAULT_CA_BUNDLE_PATH

        named = environ.get("SSL_CERT_FILE") or environ.get("SSL_CERT_DIR") or environ.get("REQUESTS_CA_BUNDLE")
        try:
            if named and Path(named).is_dir():
                return ssl.create_default_context(capath=named)
            context = ssl.create_default_context(cafile=named or None)
            if not named:
                context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
        except OSError as error:
            raise CommandError("The certificates that SSL_CERT_FILE or the like names cannot be read.") from error
        return context


@dataclass(frozen=True)
class _Wanted:
    """Where the body of an answer goes, within which bounds, and which statuses it may have."""

    to: BinaryIO
    bounds: Bounds
    statuses: range


@dataclass(frozen=True)
class _Route:
    """What is connected to: judged addresses of the target, or those of the proxy."""

    addresses: Sequence[str]
    port: int
    proxy: str = ""


@dataclass(frozen=True)
class _Proxy:
    url: str
    host: str
    port: int


class _Deadline:
    """The end of one fetch: cuts its connections when the time is over, whatever they are waiting in."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self._until = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        for sock in self._watched:
            sock.close()

    @property
    def over(self) -> bool:
        return time.monotonic() >= self._until

    def left(self) -> float:
        return max(0.0, self._until - time.monotonic())

    def watch(self, sock: socket.socket) -> None:
        """By a second descriptor, which stays valid whatever TLS makes of the first."""
        with self._lock:
            self._watched.append(sock.dup())
        if self.over:
            self._cut()

    def _cut(self) -> None:
        with self._lock:
            for sock in self._watched:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


def _adapter(
    dial: Dial, *, trust: ssl.SSLContext | None, limit: int, overflow: Callable[[], CommandError]
) -> "HTTPAdapter":
    """Sends over connections that `dial` makes; names count only for the Host header and the certificate.

    An answer of more than `limit` bytes raises `overflow()`.
    """
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    answers = list[http.client.HTTPResponse]()

    class Measured(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *given: Any, **named: Any):
            super().__init__(sock, *given, **named)
            self.fp = io.BufferedReader(Metered(self.fp.detach(), limit, overflow))
            answers.append(self)

    class Plain(HTTPConnection):
        response_class = Measured

        def _new_conn(self) -> socket.socket:
            return dial()

    class Secure(HTTPSConnection):
        response_class = Measured

        def _new_conn(self) -> socket.socket:
            return dial()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain  # pyright: ignore[reportAssignmentType]  not even its own class fits its protocol

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure  # pyright: ignore[reportAssignmentType]

    pools: dict[str, type[HTTPConnectionPool]] = {"http": PlainPool, "https": SecurePool}

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **others: Any) -> None:
            super().init_poolmanager(connections, maxsize, block, ssl_context=trust, **others)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, proxy: str, **others: Any) -> Any:
            manager = super().proxy_manager_for(proxy, ssl_context=trust, proxy_ssl_context=trust, **others)
            manager.pool_classes_by_scheme = pools
            return manager

        def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
            conn.cert_reqs = "CERT_REQUIRED"  # by `trust` alone; requests would add its own authorities

        def close(self) -> None:
            for answer in answers:
                answer.close()  # urllib3 forgets one whose headers it refuses
            for manager in (self.poolmanager, *self.proxy_manager.values()):
                for key in list(manager.pools.keys()):
                    manager.pools[key].close()  # urllib3 would leave it to the garbage collector
            super().close()

    return Adapter()


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return location  # refused where it is read


def _proxy_for(target: Target) -> _Proxy | None:
    """What the environment names, not what the system's settings say."""
    from requests.utils import should_bypass_proxies

    named = getproxies_environment()
    given = named.get(target.scheme) or named.get("all")
    if not given or should_bypass_proxies(target.url, None):
        return None
    with suppress(ValueError, KeyError):
        parts = urlsplit(given if "://" in given else f"http://{given}")
        usual = {"http": 80, "https": 443}[parts.scheme]
        if parts.hostname:
            return _Proxy(parts.geturl(), parts.hostname, parts.port or usual)
    raise CommandError(
        "The proxy that this machine's environment names cannot be used. A person must set HTTPS_PROXY to an address "
        "that starts with http:// or https://."
    )


@contextmanager
def _explained(target: Target, deadline: _Deadline, bounds: Bounds) -> Generator[None]:
    """What went wrong on the way, in our words: those of the libraries name proxies and quote servers."""
    import requests
    from urllib3.exceptions import HTTPError, IncompleteRead

    try:
        yield
    except (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        if deadline.over:
            raise too_slow(target, bounds.whole_s) from error
        host, causes = target.host, list(_chain(error))
        refused = next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
        if refused:
            words = f"The certificate of {host} cannot be trusted: {refused.verify_message.rstrip('.')}."
        elif any(isinstance(cause, TimeoutError) for cause in causes):
            words = f"{host} is silent: it accepted the connection and then sent nothing for {bounds.silence_s:g} s."
        elif any(isinstance(cause, ssl.SSLError) for cause in causes):
            words = f"No secure connection to {host} could be made: its TLS is broken, or it speaks http only."
        elif any(isinstance(cause, requests.exceptions.ProxyError) for cause in causes):
            words = f"The proxy that this machine's environment names does not let {host} through."
        elif any(isinstance(cause, IncompleteRead) for cause in causes):
            words = f"{host} broke off: the answer is shorter than it said. Try again."
        else:
            words = f"{host} broke off, or does not answer in HTTP."
        raise CommandError(words) from error


def _chain(error: object) -> Iterator[BaseException]:
    """An error and what led to it; urllib3 tells that by an argument."""
    while isinstance(error, BaseException):
        yield error
        error = error.__cause__ or error.__context__ or next(iter(error.args), None)
