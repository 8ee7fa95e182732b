"""How fast autoagent starts and steps, against a bare script that imports `openai`. Prints Markdown.

    .venv/bin/python benchmarks/speed.py            about two minutes; nothing but loopback is used

Cold start: process start until the first request is at the server. Overhead of a step: from one request at the server
to the next, less what the server itself takes for the same bodies from a bare client; the journal is durable (fsync).
"""

import os
import pty
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from autoagent.testing import ModelServer, Repeat, done, thought

AUTOAGENT = [str(Path(sys.executable).parent / "autoagent")]
BARE = """
import sys
from openai import OpenAI
client = OpenAI(api_key="k", base_url=sys.argv[1], max_retries=0)
client.chat.completions.create(model="test-model", messages=[{"role": "user", "content": "hi"}])
"""
ROUNDS = 15
STEPS = 1_010


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workspace = folder / "workspace"
        workspace.mkdir()
        (workspace / "a.txt").write_text("".join(f"line {n} of a file that is read\n" for n in range(5_000)))
        os.environ |= {"XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "config")}
        os.environ["OPENAI_API_KEY"] = "k"
        os.environ["AUTOAGENT_REVIEW"] = os.environ["AUTOAGENT_EVIDENCE"] = "off"  # the loop itself is timed
        print(f"{ROUNDS} rounds each, median (least to most). {os.cpu_count()} cores.\n")
        print("| what | figure |\n| --- | --- |")
        cold_start(workspace)
        steps(workspace)
        commands(workspace)
        what_it_is_made_of(folder)


def cold_start(workspace: Path) -> None:
    bare = workspace.parent / "bare.py"
    bare.write_text(BARE)
    with ModelServer([Repeat(done("x"))]) as server:

        def first_request(argv: list[str]) -> float:
            seen, began = len(server.requests), time.monotonic()
            process = subprocess.Popen(
                argv, cwd=workspace, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            server.wait_for_requests(seen + 1)
            at = server.requests[seen].at
            process.wait()
            return at - began

        run = [*AUTOAGENT, "run", "-c", "--base-url", server.base_url, "-m", "test-model", "hi"]
        pairs = [
            (first_request([sys.executable, str(bare), server.base_url]), first_request(run)) for _ in range(ROUNDS)
        ]
    print(f"| cold start, bare openai script | {shown([a for a, _ in pairs])} |")
    print(f"| cold start, autoagent | {shown([b for _, b in pairs])} |")
    print(f"| ratio, pair by pair | {statistics.median(b / a for a, b in pairs):.2f} |")


def steps(workspace: Path) -> None:
    """A run of 1,010 steps that read a different part of a file each time."""
    numbers = iter(range(STEPS))

    def reply(body: dict[str, object]) -> object:
        number = next(numbers, None)
        if "response_format" not in body:
            return "Read parts of a.txt."
        if number is None:
            return done("read")
        return thought(
            f"step {number}", commands=[("read_file", {"path": "a.txt", "offset": 1 + number * 4, "limit": 20})]
        )

    with ModelServer([Repeat(reply)]) as server:
        argv = [*AUTOAGENT, "run", "-c", "-q", "--max-steps", "2000", "--base-url", server.base_url, "-m", "test-model"]
        argv += ["--context-tokens", "60000", "read"]
        process = subprocess.Popen(argv, cwd=workspace, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, _, usage = os.wait4(process.pid, 0)
        requests = [r for r in server.requests if r.path.endswith("/chat/completions")]
        gaps = [b.at - a.at for a, b in pairwise(requests)]
        for step in (10, 100, 1_000):
            around = range(max(1, step - 10), min(step + 10, len(gaps)))
            own = statistics.median(bare_round_trip(server, requests[i].raw) for i in list(around)[::4])
            found = [gaps[i] - own for i in around if "response_format" in requests[i + 1].body]
            print(f"| overhead of a step around step {step:,} | {shown(found)} |")
    print(f"| peak memory of that run | {usage.ru_maxrss / 1024:.0f} MB |")


def bare_round_trip(server: ModelServer, body: bytes) -> float:
    """What the server and loopback take for the same body."""
    import http.client

    host, _, port = server.base_url.removeprefix("http://").removesuffix("/v1").partition(":")
    connection = http.client.HTTPConnection(host, int(port))
    connection.connect()
    began = time.monotonic()
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    connection.getresponse().read()
    took = time.monotonic() - began
    connection.close()
    return took


def commands(workspace: Path) -> None:
    with ModelServer([Repeat(done("x"))]) as server:
        for _ in range(100):
            subprocess.run(
                [*AUTOAGENT, "run", "-c", "-q", "--base-url", server.base_url, "-m", "test-model", "hi"],
                cwd=workspace,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
            )
        first = [*AUTOAGENT, "run", "-c", "--base-url", server.base_url, "-m", "test-model", "hi"]
        print(f"| first line on screen (a pty) | {shown([first_line(first, workspace) for _ in range(ROUNDS)])} |")
    print(f"| `autoagent --version` | {shown(timed([*AUTOAGENT, '--version']))} |")
    print(f"| `autoagent runs`, 100 runs | {shown(timed([*AUTOAGENT, 'runs']))} |")
    print(f"| `python -c pass`, for comparison | {shown(timed([sys.executable, '-c', 'pass']))} |")


def what_it_is_made_of(folder: Path) -> None:
    """The two largest parts of the figures above, each on its own."""
    for module in ("openai", "httpx2", "pydantic"):
        print(f"| `import {module}`, whole process | {shown(timed([sys.executable, '-c', f'import {module}']))} |")
    found: list[float] = []
    with (folder / "line").open("ab", buffering=0) as file:
        for _ in range(200):
            began = time.monotonic()
            file.write(b"x" * 700)
            os.fsync(file.fileno())
            found.append(time.monotonic() - began)
    print(f"| one line of 700 bytes appended with `fsync` here (four a step) | {shown(found)} |")


def first_line(argv: list[str], workspace: Path) -> float:
    """Until the first byte is on a real terminal."""
    ours, theirs = pty.openpty()
    began = time.monotonic()
    process = subprocess.Popen(argv, cwd=workspace, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.read(ours, 1)
    took = time.monotonic() - began
    read_rest(lambda: os.read(ours, 65_536))
    process.wait()
    os.close(ours)
    return took


def read_rest(read: Callable[[], bytes]) -> None:
    try:
        while read():
            pass
    except OSError:  # Linux says EIO when the other end of a pty is closed
        return


def timed(argv: list[str]) -> list[float]:
    found: list[float] = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
        found.append(time.monotonic() - began)
    return found


def shown(seconds: list[float]) -> str:
    middle = statistics.median(seconds)
    unit, factor = ("ms", 1_000) if middle < 1 else ("s", 1)
    return f"{middle * factor:.1f} {unit} ({min(seconds) * factor:.1f} to {max(seconds) * factor:.1f})"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
