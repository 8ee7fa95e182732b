"""What a server sends, taken within bounds: nothing in it can make it longer, larger or slower than they allow."""

import email.utils
import io
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from autoagent.errors import CommandError
from autoagent.sandbox.addresses import Target, shown

if TYPE_CHECKING:
    from requests import Response

CHUNK = 16_384  # bytes
_GZIP = 0x1F  # first byte


@dataclass(frozen=True)
class Bounds:
    """Of one fetch: bytes as sent and as unpacked; seconds in all, until connected, and without a byte.

    `beside` are bytes that a connection may send beside the body, `download_s` seconds of a download in all; `of` says
    in words what is bounded.
    """

    sent: int = 10 * 2**20
    unpacked: int = 20 * 2**20
    beside: int = 0
    whole_s: float = 60
    download_s: float = 300
    of: str = "a page"
    connect_s: float = 10
    silence_s: float = 20


BOUNDS = Bounds()


class Metered(io.RawIOBase):
    """What a connection sends, up to a limit: an answer has no part (a line, a chunk) that could get around it."""

    def __init__(self, raw: io.RawIOBase, limit: int, overflow: Callable[[], CommandError]):
        self._raw, self._left, self._overflow = raw, limit, overflow

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        size = self._raw.readinto(buffer)
        self._left -= size or 0
        if self._left < 0:
            raise self._overflow()
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


def read_body(target: Target, response: "Response", to: BinaryIO, over: Callable[[], bool], bounds: Bounds) -> None:
    """Write it to `to`, unpacked, as it comes.

    Raises CommandError where it is larger than allowed, cut short or packed in a way that was not offered.
    """
    named = {name.strip().lower() for name in response.headers.get("Content-Encoding", "").split(",")}
    packings = named - {"", "identity"}
    if packings - {"gzip", "x-gzip", "deflate"} or len(packings) > 1:
        raise CommandError(f"{target.host} packs its answer in a way that was not offered (gzip, deflate).")
    sent = _sent(target, response, over, bounds)
    size = 0
    try:
        for piece in _unpacked(sent) if packings else sent:
            size += len(piece)
            if size > bounds.unpacked:
                raise too_large(target, bounds, "unpacked" if packings else "sent")
            _write(piece, to)
    except zlib.error as error:
        raise CommandError(f"The packed answer of {target.host} is damaged.") from error


def _write(piece: bytes, to: BinaryIO) -> None:
    try:
        to.write(piece)
    except OSError as error:  # of the disk: it must not be taken for one of the connection
        raise CommandError(f"What was sent cannot be written: {error.strerror or error}.") from error


def _sent(target: Target, response: "Response", over: Callable[[], bool], bounds: Bounds) -> Iterator[bytes]:
    declared = response.headers.get("Content-Length", "")
    if declared.isascii() and declared.isdecimal() and int(declared[:20]) > bounds.sent:
        raise too_large(target, bounds, "sent")
    for part in response.raw.stream(CHUNK, decode_content=False):
        yield part
        if over():
            break
    if over():  # a connection that was cut looks like the end of a body without a length
        raise too_slow(target, bounds.whole_s)


def _unpacked(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Of gzip (any number of members), zlib or bare deflate; pieces of bounded size, however much they unpack to."""
    stream = None
    for part in parts:
        while part:
            if stream is None:
                stream = zlib.decompressobj(_window_bits(part[0]))
            elif stream.eof:
                if part[0] != _GZIP:
                    return  # padding after the end
                stream = zlib.decompressobj(_window_bits(_GZIP))
            yield stream.decompress(part, CHUNK)
            part = stream.unused_data if stream.eof else stream.unconsumed_tail
    if stream is None:
        return
    yield stream.flush()
    if not stream.eof:
        raise zlib.error("cut short")


def _window_bits(first: int) -> int:
    """Servers call bare deflate and zlib by the same name: the first byte tells."""
    if first == _GZIP:
        return 16 + zlib.MAX_WBITS
    return zlib.MAX_WBITS if first & 0x0F == 8 else -zlib.MAX_WBITS


def too_slow(target: Target, seconds: float) -> CommandError:
    return CommandError(f"{target.host} is too slow: no whole answer within {seconds:g} s.")


def too_large(target: Target, bounds: Bounds, how: Literal["sent", "unpacked"]) -> CommandError:
    limit = bounds.sent if how == "sent" else bounds.unpacked
    words = f"more than {limit / 2**20:g} MB {how}, the limit of {bounds.of}"
    return CommandError(f"{shown(target.url)} is too large: {words}.")


def status_error(target: Target, response: "Response") -> CommandError:
    """By number, never with the server's own words, which may be anything."""
    status = response.status_code
    with suppress(ValueError):
        status = f"{status} {HTTPStatus(response.status_code).phrase}"
    words = f"{shown(target.url)} answered {status}."
    match response.status_code:
        case 401 | 403:
            words += " It wants a log-in or refuses programs. Use another source."
        case 404 | 410:
            words += " There is no such page."
        case 407:
            words = "The proxy that this machine's environment names asks for a password (407)."
        case 429 | 503:
            wait = _retry_after_s(response.headers)
            words += f" It asks to wait {wait:,} s. Use another source." if wait else " It is busy. Use another source."
        case _:
            pass
    return CommandError(words)


def _retry_after_s(headers: Mapping[str, str]) -> int | None:
    given = headers.get("Retry-After", "").strip()[:40]
    if given.isascii() and given.isdecimal():
        return min(int(given), 10**9)
    try:
        return max(0, round(email.utils.parsedate_to_datetime(given).timestamp() - time.time()))
    except (ValueError, OverflowError):
        return None
