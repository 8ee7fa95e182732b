"""HTTP on one connection: requests in, answers out, whole or broken on purpose."""

import asyncio
import json
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from .script import Action, Cut, Drip, Hang, Raw, Reply, Stall
from .wire import Response


@dataclass(frozen=True)
class Request:
    """One request as it came: header names in lower case, `body` {} where it is no JSON object, `at` monotonic."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    raw: bytes
    at: float


async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    """The next request. Raises ValueError where it is none, IncompleteReadError where the client left."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "transfer-encoding" in headers:
        raise ValueError("a chunked request")
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, _object(raw), raw, time.monotonic())


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value: object = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


async def deliver(
    action: Action | None, response: Response, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Send `response` the way `action` wants it; False where that ends the connection."""
    match action:
        case Hang():
            await reader.read()  # returns when the client leaves
            return False
        case Stall():
            writer.write(response.head + response.body[: min(action.after_bytes, len(response.body) - 1)])
            await reader.read()
            return False
        case Cut():
            writer.write(response.head + response.body[: min(action.after_bytes, len(response.body) - 1)])
            if action.reset:
                on_for_0_s = struct.pack("ii", 1, 0)  # close() then sends RST
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, on_for_0_s)
            return False
        case Drip():
            await _drip(response, writer, action.every_s, action.chunk)
            return True
        case Raw() if action.every_s:
            await _drip(response, writer, action.every_s, 1)
            return True
        case Reply():
            await asyncio.sleep(action.delay_s)
        case _:
            pass
    await send(response, writer)
    return True


async def _drip(response: Response, writer: asyncio.StreamWriter, every_s: float, chunk: int) -> None:
    writer.write(response.head)
    for start in range(0, len(response.body), chunk):
        await asyncio.sleep(every_s)
        writer.write(response.body[start : start + chunk])
        await writer.drain()


async def send(response: Response, writer: asyncio.StreamWriter) -> None:
    writer.write(response.head + response.body)  # one segment; asyncio has switched Nagle off
    await writer.drain()
    for _ in range(response.times - 1):
        writer.write(response.body)
        await writer.drain()
