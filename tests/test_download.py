"""Downloads: whole or not at all, under a free name, from where a page could be read, too."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support import World, observations, outcomes

from autoagent.testing import ModelServer, done, thought

BIG = bytes(range(256)) * 20_000


class Server:
    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                match self.path:
                    case "/big.bin":
                        self._send(200, BIG, len(BIG))
                    case "/moved":
                        self.send_response(302)
                        self.send_header("Location", "/big.bin")
                        self.send_header("Content-Length", "0")
                        self.end_headers()
                    case "/short":
                        self._send(200, b"12345", 1_000)
                    case "/huge":
                        self._send(200, b"", 200 << 20)
                    case _:
                        self._send(404, b"nothing", 7)

            def _send(self, status: int, body: bytes, length: int) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def download(world: World, url: str, path: str, **flags: Any) -> tuple[str, str]:
    call = thought(commands=[("download_file", {"url": url, "path": path})])
    with ModelServer([call, done("ok")]) as model:
        state = world.run(model, **({"allow_local_network": True} | flags))
    (first, *_) = observations(state)
    return first.outcome, first.text


def test_a_file_is_downloaded_whole_and_can_be_undone(world: World, server: Server) -> None:
    outcome, text = download(world, f"{server.url}/moved", "data/big.bin")
    assert (outcome, text.split("\n")[0]) == (
        "ok",
        f"data/big.bin written: {len(BIG):,} bytes, application/octet-stream, from {server.url}/big.bin",
    )
    assert hashlib.sha256((world.workspace / "data/big.bin").read_bytes()).digest() == hashlib.sha256(BIG).digest()
    (finished, *_) = world.events("command_finished")
    assert (finished.outside, [change.path for change in finished.changed]) == (True, ["data", "data/big.bin"])


@pytest.mark.parametrize(("path", "told"), [("/short", ""), ("/huge", "100 MB"), ("/none", "404")])
def test_what_does_not_come_whole_leaves_nothing(world: World, server: Server, path: str, told: str) -> None:
    outcome, text = download(world, f"{server.url}{path}", "data/x.bin")
    assert outcome == "failed"
    assert told in text
    assert "Error" not in text
    assert world.files() == {}


def test_a_file_that_is_there_is_never_replaced(world: World, server: Server) -> None:
    world.file("x.bin", "mine")
    outcome, text = download(world, f"{server.url}/big.bin", "x.bin")
    assert outcome == "failed"
    assert "exists" in text
    assert world.text("x.bin") == "mine"


@pytest.mark.parametrize("path", ["../x.bin", "/etc/x.bin", "a\nb", "link/x.bin"])
def test_nothing_is_written_beyond_the_workspace(world: World, server: Server, path: str) -> None:
    (world.workspace / "link").symlink_to("..")
    before = sorted(world.root.iterdir())
    outcome, _ = download(world, f"{server.url}/big.bin", path)
    assert outcome == "failed"
    assert sorted(one for one in world.root.iterdir() if one != world.state) == [
        one for one in before if one != world.state
    ]
    assert world.files() == {}


def test_only_where_pages_could_be_read_from_too(world: World, server: Server) -> None:
    outcome, text = download(world, f"{server.url}/big.bin", "x.bin", allow_local_network=False)
    assert (outcome, "Only public addresses" in text) == ("failed", True)
    (finished, *_) = world.events("command_finished")
    assert (finished.detail, finished.outside) == ("network guard", False)  # no request went out: nothing came in


def test_a_file_that_other_programs_obey_is_refused_before_anything_is_fetched(world: World, server: Server) -> None:
    call = thought(commands=[("download_file", {"url": f"{server.url}/big.bin", "path": ".git/hooks/post-checkout"})])
    with ModelServer([call, done("ok")]) as model:
        state = world.run(model, allow_local_network=True)
    assert outcomes(state)[0] == ("download_file", "refused")
    assert world.files() == {}
