"""Model servers on this machine: found by asking the usual ports what models they have."""

import http.client
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

PORTS = {"Ollama": 11434, "LM Studio": 1234, "llama.cpp": 8080, "vLLM": 8000}
TIMEOUT_S = 0.4
LONGEST_ANSWER = 1 << 20


@dataclass(frozen=True)
class LocalServer:
    name: str
    base_url: str
    models: tuple[str, ...]


def find_servers() -> list[LocalServer]:
    """Servers on loopback that answer `/v1/models` with at least one model, in the order of PORTS."""
    with ThreadPoolExecutor(len(PORTS)) as pool:
        found = list(pool.map(_ask, PORTS.keys(), PORTS.values()))
    return [server for server in found if server]


def listed_models(host: str, port: int, path: str = "/v1/models", *, timeout_s: float = TIMEOUT_S) -> Sequence[str]:
    """Names that a server lists; empty where it does not answer as the OpenAI API does."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        data: Any = json.loads(_read(response, timeout_s)) if response.status == 200 else {}
        entries = cast(dict[str, Any], data).get("data") if isinstance(data, dict) else None
        found = [cast(dict[str, Any], entry).get("id") for entry in cast(list[Any], entries or [])]
        return [name for name in found if isinstance(name, str)]
    except (OSError, http.client.HTTPException, ValueError, AttributeError, TypeError, RecursionError):
        return []
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, timeout_s: float) -> bytes:
    """The body, as far as it comes in time: the socket's own limit starts again with each byte."""
    content, until = b"", time.monotonic() + timeout_s
    while (part := response.read1(1 << 16)) and len(content) < LONGEST_ANSWER and time.monotonic() < until:
        content += part
    return content


def _ask(name: str, port: int) -> LocalServer | None:
    models = tuple(listed_models("127.0.0.1", port))
    return LocalServer(name, f"http://127.0.0.1:{port}/v1", models) if models else None
