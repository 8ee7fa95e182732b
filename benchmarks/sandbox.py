"""What a sandbox costs: a command in it, over the same command by itself.

    python benchmarks/sandbox.py [RUNS]

Prints a Markdown table: median and 95th percentile of whole commands, start to end, runs interleaved.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from autoagent.programs import Layer, Program
from autoagent.sandbox import bubblewrap, landlock
from autoagent.sandbox.process import SandboxedPrograms
from autoagent.sandbox.reach import Reach, interpreter_folders

COMMANDS = {"/bin/true": ("/bin/true",), "python -c pass": (sys.executable, "-c", "pass")}


def plain(argv: tuple[str, ...], workspace: Path) -> None:
    subprocess.run(argv, cwd=workspace, stdin=subprocess.DEVNULL, capture_output=True, check=True)


def contained(programs: SandboxedPrograms, argv: tuple[str, ...], number: int) -> None:
    ran = programs.run(f"{number}.1", Program(argv, " ".join(argv), 60.0), lambda progress: True)
    assert (ran.ended, ran.code) == ("exited", 0), ran
    programs.forget(f"{number}.1")


def main(runs: int) -> None:
    layers: list[Layer] = ["none"]
    if not landlock.works():
        layers.insert(0, "landlock")
    if not bubblewrap.works():
        layers.insert(0, "bubblewrap")
    print("| command | plain | " + " | ".join(layers) + " |\n|---|---|" + "---|" * len(layers))
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder).resolve() / "ws"
        workspace.mkdir()
        reach = Reach(workspace, interpreters=interpreter_folders(workspace))
        made = {layer: SandboxedPrograms(Path(folder) / layer, layer, lambda: reach) for layer in layers}
        for name, argv in COMMANDS.items():
            ways: dict[str, Callable[[int], None]] = {"plain": lambda _, argv=argv: plain(argv, workspace)}
            for layer, programs in made.items():
                ways[layer] = lambda at, programs=programs, argv=argv: contained(programs, argv, at)
            took: dict[str, list[float]] = {way: [] for way in ways}
            for number in range(runs):
                for way, run in ways.items():
                    began = time.perf_counter()
                    run(number)
                    took[way].append(1000 * (time.perf_counter() - began))
            cells = [f"{statistics.median(ms):.1f} ms ({sorted(ms)[int(0.95 * runs)]:.1f})" for ms in took.values()]
            print(f"| `{name}` | " + " | ".join(cells) + " |", flush=True)
        for programs in made.values():
            programs.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
