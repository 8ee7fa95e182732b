"""Record a run in a real terminal: as an asciicast that can be played, and as the text that stood on the screen.

    python scripts/record.py examples/recordings/mend

The folder holds `workspace/` (what the run begins with), `recording.json` (the goal, the flags, the model's replies in
order, what a person types at which question) and gets `terminal.cast`, `terminal.txt` and `run/`, the journal with its
artifacts. The replies were given once by a model that saw nothing but the requests; here the test server gives them
again. `{site}` in a goal, a reply or a file of the site is the address of a small web site that serves `site/`, where
there is one.

    python scripts/record.py --live http://127.0.0.1:8123/v1 -m NAME examples/recordings/mend

asks that endpoint instead, and puts its replies into `recording.json`.

Play it: asciinema play examples/recordings/mend/terminal.cast
Again from its record: autoagent replay examples/recordings/mend
"""

import argparse
import contextlib
import functools
import http.server
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pexpect

from autoagent.journal import read
from autoagent.testing import ModelServer, Repeat, thought

COLUMNS, ROWS = 80, 40
NO_MORE = thought(commands=[("give_up", {"reason": "recording.json holds no further reply"})])
PAUSE_S = 1.0  # before a person types
TIMEOUT_S = 3_600  # a live model may take its time


def main(folder: Path, live: str = "", model: str = "test-model") -> int:
    recording: dict[str, Any] = json.loads((folder / "recording.json").read_text(encoding="utf-8"))
    with _home(folder.name) as home, _site(folder / "site") as site:
        workspace = home / folder.name
        shutil.copytree(folder / "workspace", workspace)
        told = json.loads(json.dumps(recording).replace("{site}", site))
        replies = iter(told.get("replies", ()))
        with ModelServer([Repeat(lambda _: next(replies, NO_MORE))]) as server:
            chunks: list[tuple[float, str]] = []
            codes: list[int] = []
            for step in told["commands"]:
                given = {"{model}": live or server.base_url, "test-model": model}
                words = [given.get(word, word) for word in step["argv"]]
                codes.append(_run(words, step.get("types", []), workspace, home, chunks, told.get("env", {})))
        _keep_record(home, folder / "run")
        if live:
            recording["replies"] = json.loads(json.dumps(_replies(home), ensure_ascii=False).replace(site, "{site}"))
            text = json.dumps(recording, ensure_ascii=False, indent=2)
            (folder / "recording.json").write_text(text + "\n", encoding="utf-8")
    shown = f"{home}/"
    text = "".join(chunk for _, chunk in chunks)
    clean = [(at, chunk.replace(shown, "~/").replace(site, "http://example.test")) for at, chunk in chunks]
    _write_cast(folder / "terminal.cast", clean, folder.name)
    (folder / "terminal.txt").write_text(_plain("".join(chunk for _, chunk in clean)), encoding="utf-8")
    print(f"{folder.name}: {len(text):,} characters, exit codes {codes}")
    return 0 if codes == [step["exit"] for step in told["commands"]] else 1


@contextlib.contextmanager
def _home(name: str) -> Generator[Path]:
    """A folder of the same name on every machine: it stands in the journal, whose lines can't be changed later."""
    home = Path(tempfile.gettempdir()).resolve() / f"autoagent-recording-{name}"
    shutil.rmtree(home, ignore_errors=True)  # of one that was killed
    home.mkdir(mode=0o700)
    try:
        yield home
    finally:
        shutil.rmtree(home)


def _newest(home: Path) -> Path:
    return max((home / ".state/autoagent/runs").iterdir(), key=lambda path: (path / "journal.jsonl").stat().st_mtime)


def _keep_record(home: Path, target: Path) -> None:
    """What `autoagent replay` needs of a run: its journal and the texts that it names."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    shutil.copy(_newest(home) / "journal.jsonl", target)
    shutil.copytree(_newest(home) / "artifacts", target / "artifacts")


def _replies(home: Path) -> list[Any]:
    """What the model said in the newest run, in order."""
    texts = [event.reply for event in read(_newest(home)) if event.type == "model_replied"]
    return [json.loads(text) if text.startswith("{") else text for text in texts]


def _run(
    argv: list[str],
    types: list[list[str]],
    workspace: Path,
    home: Path,
    chunks: list[tuple[float, str]],
    variables: dict[str, str],
) -> int:
    """One command in a terminal; `types` are pairs of what is waited for and what is typed then."""
    environ = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environ |= {"HOME": str(home), "XDG_STATE_HOME": f"{home}/.state", "XDG_CONFIG_HOME": f"{home}/.config"}
    key = os.environ.get("RECORDING_KEY", "sk-recording-0123456789")
    environ |= variables | {"OPENAI_API_KEY": key, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    began = time.monotonic() - (chunks[-1][0] + PAUSE_S if chunks else 0.0)
    shown = " ".join(f'"{word}"' if " " in word else word for word in argv if not word.startswith("http"))
    shown = re.sub(r" --base-url(?= |$)| -m \S+", "", shown)
    chunks.append((time.monotonic() - began, f"$ {shown}\r\n"))
    program = str(Path(sys.executable).parent / argv[0])
    size = (ROWS, COLUMNS)
    child: pexpect.spawn[str] = pexpect.spawn(
        program, argv[1:], cwd=str(workspace), env=environ, dimensions=size, encoding="utf-8", timeout=TIMEOUT_S
    )
    child.logfile_read = _Log(chunks, began)
    for awaited, typed in types:
        child.expect(awaited)
        time.sleep(PAUSE_S)
        child.sendline(typed)
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus if child.exitstatus is not None else -1


class _Log:
    """What a terminal receives, with the seconds since the beginning."""

    def __init__(self, chunks: list[tuple[float, str]], began: float):
        self._chunks, self._began = chunks, began

    def write(self, text: str) -> None:
        self._chunks.append((time.monotonic() - self._began, text))

    def flush(self) -> None: ...


@contextlib.contextmanager
def _site(folder: Path) -> Generator[str]:
    """The address of a server of the folder's files; "" where there is none."""
    if not folder.is_dir():
        yield "http://example.test"
        return
    with tempfile.TemporaryDirectory() as name:
        served = Path(shutil.copytree(folder, Path(name) / "site"))
        handler = functools.partial(_Quiet, directory=str(served))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            address = f"http://127.0.0.1:{server.server_port}"
            for path in served.rglob("*"):
                if path.is_file():
                    path.write_bytes(path.read_bytes().replace(b"{site}", address.encode()))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield address
            finally:
                server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


def _write_cast(path: Path, chunks: list[tuple[float, str]], title: str) -> None:
    head = {"version": 2, "width": COLUMNS, "height": ROWS, "title": title, "env": {"TERM": "xterm-256color"}}
    lines = [json.dumps(head), *(json.dumps([round(at, 3), "o", text], ensure_ascii=False) for at, text in chunks)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _plain(text: str) -> str:
    """What stays on the screen: without colours, the live line, and what was written over."""
    text = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]", "", text).replace("\r\n", "\n")
    lines = (re.split(r"\r", line)[-1].rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folders", nargs="+", type=Path)
    arguments.add_argument("--live", default="", metavar="URL")
    arguments.add_argument("-m", "--model", default="test-model", metavar="NAME")
    given = arguments.parse_args()
    sys.exit(max(main(folder, given.live, given.model) for folder in given.folders))
