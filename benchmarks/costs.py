"""What the list of costs and an export take, with many runs and with a long one. Prints Markdown.

    .venv/bin/python benchmarks/costs.py            half a minute; nothing but a temporary folder is used

Each figure is a whole command in a process of its own, started as a person starts it.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from autoagent.budget import Limits, Usage
from autoagent.events import CommandFinished, CommandStarted, Event, ModelCalled, ModelReplied, RunStarted, Setup
from autoagent.journal import seal
from autoagent.thoughts import CommandCall, Thought

RUNS, STEPS, LONG = 500, 20, 100
ROUNDS = 7
SEEN = 'The quick brown fox <jumps> over & "under" the lazy dog; prices rose 4 % in 2025.\n'


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        runs = state / "autoagent/runs"
        for number in range(RUNS):
            write_run(runs / f"{number:04x}", STEPS, lines=40)
        write_run(runs / "long", LONG, lines=120)
        print(f"{RUNS} runs of {STEPS} steps and one of {LONG}; {ROUNDS} rounds, median (least to most).\n")
        print("| what | seconds |\n| --- | --- |")
        index = state / "autoagent/index.sqlite"
        print(f"| `costs`, no index yet | {took(state, 'costs', rounds=1)} |")
        print(f"| `costs` | {took(state, 'costs')} |")
        print(f"| `costs --by day --json` | {took(state, 'costs', '--by', 'day', '--json')} |")
        print(f"| `runs`, beside it | {took(state, 'runs')} |")
        for form in ("--html", "--md", "--zip"):
            print(f"| `export` of the long one, `{form}` | {took(state, 'export', 'long', form, '-o', '-')} |")
        size = len(output(state, "export", "long", "-o", "-"))
        print(f"\nThe page of the long one: {size / 10**6:.2f} MB. The index: {index.stat().st_size / 1_000:.0f} kB.")


def write_run(folder: Path, steps: int, *, lines: int) -> None:
    """A journal without the wait for the disk at each event."""
    folder.mkdir(parents=True)
    events = [event.model_copy(update={"seq": seq}) for seq, event in enumerate(run(folder.name, steps, lines), 1)]
    (folder / "journal.jsonl").write_bytes(b"".join(map(seal, events)))


def run(name: str, steps: int, lines: int) -> list[Event]:
    setup = Setup(
        model="gpt-4o-mini", base_url="https://api.openai.com/v1", context_tokens=8_000, reply_tokens=500, workspace="/"
    )
    started = RunStarted(
        run_id=name, goal=f"Compare {name}", setup=setup, limits=Limits(), system="", nonce="n", version="1"
    )
    return [started, *(event for number in range(1, steps + 1) for event in step(number, lines))]


def step(number: int, lines: int) -> list[Event]:
    call = CommandCall(name="read_file", args={"path": f"notes/{number}.txt"})
    usage = Usage(calls=1, input_tokens=3_000, cached_tokens=2_000, output_tokens=100, cost_usd=0.001)
    thought = Thought(text=SEEN * 3, reasoning=SEEN, commands=(call,))
    return [
        ModelCalled(model="gpt-4o-mini", tail=SEEN * 10, estimated_tokens=1, reserved=Usage(calls=1)),
        ModelReplied(reply=SEEN * 5, usage=usage, seconds=2.0, thought=thought, said="x", tokens=100),
        CommandStarted(call_id=f"{number}.1", call=call, allowed_by="reading"),
        CommandFinished(call_id=f"{number}.1", outcome="ok", text=SEEN * lines, tokens=20 * lines, seconds=0.1),
    ]


def took(state: Path, *args: str, rounds: int = ROUNDS) -> str:
    seconds: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        output(state, *args)
        seconds.append(time.perf_counter() - began)
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"


def output(state: Path, *args: str) -> bytes:
    environ = {**os.environ, "XDG_STATE_HOME": str(state), "XDG_CONFIG_HOME": str(state / "config")}
    command = [sys.executable, "-m", "autoagent", *args]
    return subprocess.run(command, env=environ, capture_output=True, check=True, cwd=state).stdout


if __name__ == "__main__":
    main()
