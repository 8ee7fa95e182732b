"""Model servers on this machine: found by asking the usual ports what models they have, and how much they give them."""

import http.client
import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, cast
from urllib.parse import urlsplit

PORTS = {"Ollama": 11434, "LM Studio": 1234, "llama.cpp": 8080, "vLLM": 8000}
TIMEOUT_S = 0.4
LONGEST_ANSWER = 1 << 20


@dataclass(frozen=True)
class LocalServer:
    name: str
    base_url: str
    models: tuple[str, ...]


@dataclass(frozen=True)
class Window:
    """How many tokens a server gives a model now, which may be fewer than the model could hold."""

    server: str
    tokens: int

    def advice(self, tokens: int) -> str:
        """How a person gives it as many."""
        match self.server:
            case "Ollama":
                return f"Start it with OLLAMA_CONTEXT_LENGTH={tokens}"
            case "llama.cpp":
                return f"Start it with -c {tokens}"
            case "vLLM":
                return f"Start it with --max-model-len {tokens}"
            case "LM Studio":
                return f"Load the model with a context length of {tokens}"
            case _:
                return f"Give it a context of {tokens}"


def find_servers() -> list[LocalServer]:
    """Servers on loopback that answer `/v1/models` with at least one model, in the order of PORTS."""
    with ThreadPoolExecutor(len(PORTS)) as pool:
        found = list(pool.map(_ask, PORTS.keys(), PORTS.values()))
    return [server for server in found if server]


def listed_models(host: str, port: int, path: str = "/v1/models", *, timeout_s: float = TIMEOUT_S) -> Sequence[str]:
    """Names that a server lists; empty where it does not answer as the OpenAI API does."""
    found = [entry.get("id") for entry in _entries(_tell(host, port, path, timeout_s=timeout_s), "data")]
    return [name for name in found if isinstance(name, str)]


def window_of(base_url: str, model: str, api_key: str = "") -> Window | None:
    """What a server on this machine, or in a private network, says of the window of `model`; None where it doesn't.

    Asked in the ways of vLLM, llama.cpp, LM Studio and Ollama, each of which answers at once or not at all.
    """
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        return None
    if parts.scheme != "http" or not _is_near(host):
        return None
    path = parts.path.rstrip("/")
    root = path.removesuffix("/v1")

    def tell(path: str, body: dict[str, Any] | None = None) -> Any:
        return _tell(host, port, path, body, api_key=api_key)

    listed = _entries(tell(f"{path}/models"), "data")
    if not listed:
        return None
    entry = _first(entry for entry in listed if entry.get("id") == model)
    if tokens := _number(entry, "max_model_len", "context_length", "context_window"):
        return Window("vLLM" if "max_model_len" in entry else "the server", tokens)
    return _window_of_llama_cpp(tell, root) or _window_of_lm_studio(tell, root, model) or _ollama(tell, root, model)


_Tell = Callable[..., Any]


def _window_of_llama_cpp(tell: _Tell, root: str) -> Window | None:
    tokens = _number(_object(_object(tell(f"{root}/props")).get("default_generation_settings")), "n_ctx")
    return Window("llama.cpp", tokens) if tokens else None


def _window_of_lm_studio(tell: _Tell, root: str, model: str) -> Window | None:
    """Only of a model that is loaded: what it will be loaded with is not told."""
    entries = _entries(tell(f"{root}/api/v0/models"), "data")
    entry = _first(entry for entry in entries if entry.get("id") == model and entry.get("state") == "loaded")
    tokens = _number(entry, "loaded_context_length", "max_context_length")
    return Window("LM Studio", tokens) if tokens else None


def _ollama(tell: _Tell, root: str, model: str) -> Window | None:
    """As loaded, else as the model's own file says; without either it depends on how the server was started."""
    running = tell(f"{root}/api/ps")
    if not isinstance(_object(running).get("models"), list):
        return None
    tagged = model if ":" in model else f"{model}:latest"
    entry = _first(entry for entry in _entries(running, "models") if entry.get("name") in (model, tagged))
    tokens = _number(entry, "context_length")
    if not tokens:
        shown = _object(tell(f"{root}/api/show", {"model": model}))
        found = re.search(r"^num_ctx\s+(\d{1,9})\s*$", str(shown.get("parameters") or ""), re.MULTILINE)
        tokens = int(found[1]) if found else 0
    return Window("Ollama", tokens) if tokens else None


def _is_near(host: str) -> bool:
    """Loopback, an address of a private network, or a bare name such as containers have for each other."""
    try:
        address = ip_address(host)
    except ValueError:
        return bool(host) and ("." not in host or host == "host.docker.internal")
    return address.is_loopback or (address.is_private and not address.is_unspecified)


def _tell(
    host: str,
    port: int,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    api_key: str = "",
    timeout_s: float = TIMEOUT_S,
) -> Any:
    """The JSON of an answer, or None where there is none in time."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    headers = {"Authorization": f"Bearer {api_key.strip()}"} if api_key.strip() else {}
    try:
        content = None if body is None else json.dumps(body).encode(errors="replace")
        connection.request("GET" if body is None else "POST", path, content, headers)
        response = connection.getresponse()
        return json.loads(_read(response, timeout_s)) if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, timeout_s: float) -> bytes:
    """The body, as far as it comes in time: the socket's own limit starts again with each byte."""
    content, until = b"", time.monotonic() + timeout_s
    while (part := response.read1(1 << 16)) and len(content) < LONGEST_ANSWER and time.monotonic() < until:
        content += part
    return content


def _object(value: Any) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _entries(answer: Any, name: str) -> list[dict[str, Any]]:
    entries = _object(answer).get(name)
    return [_object(entry) for entry in cast(list[Any], entries)] if isinstance(entries, list) else []


def _first(entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return next(iter(entries), dict[str, Any]())


def _number(entry: dict[str, Any], *names: str) -> int:
    """The first of these that is a count; 0 where none is."""
    values = [entry.get(name) for name in names]
    return next((value for value in values if isinstance(value, int) and 0 < value < 1 << 40), 0)


def _ask(name: str, port: int) -> LocalServer | None:
    models = tuple(listed_models("127.0.0.1", port))
    return LocalServer(name, f"http://127.0.0.1:{port}/v1", models) if models else None
