"""Tab completion, asked for as the shells do, and in a real bash."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from autoagent.cli.completion import NEWEST

HEAVY = {"pydantic", "rich", "httpx2", "prompt_toolkit", "asyncio"}
SHELLS = ("bash", "zsh", "fish")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    runs = tmp_path / "state/autoagent/runs"
    for number, name in enumerate(("7f3a", "7b10", "e9d2")):
        (runs / name).mkdir(parents=True)
        os.utime(runs / name, (number, number))
    return {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path)}


def offered(environ: dict[str, str], words: Sequence[str]) -> list[str]:
    """What bash would offer for the last of `words`."""
    asked = {
        "_AUTOAGENT_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("autoagent", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-m", "autoagent"], env=environ | asked, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["re"], ["resume", "replay"]),
        (["run", "--ap"], ["--approve"]),
        (["run", "--approve", ""], ["every", "acts", "sandboxed", "never"]),
        (["run", "--approve", "=", "e"], ["every"]),
        (["run", "--approve", "="], ["every", "acts", "sandboxed", "never"]),
        (["run", "--max-cost", "=", "2", "--approve", "n"], ["never"]),
        (["run", "--output-format", "s"], ["stream-json"]),
        (["show", ""], ["last", "e9d2", "7b10", "7f3a"]),
        (["resume", "7"], ["7b10", "7f3a"]),
        (["resume", "--max-cost", "2", "7f"], ["7f3a"]),
        (["answer", "l"], ["last"]),
        (["stop", "x"], []),
        (["show", "--st"], ["--step"]),
        (["runs", "delete", "e"], ["e9d2"]),
        (["runs", ""], ["delete"]),
        (["completion", ""], list(SHELLS)),
        (["doctor", "--no"], ["--no-call"]),
    ],
)
def test_what_is_offered(environ: dict[str, str], words: list[str], found: list[str]):
    assert offered(environ, words) == found


def test_only_the_newest_runs_are_offered(environ: dict[str, str]):
    runs = Path(environ["XDG_STATE_HOME"]) / "autoagent/runs"
    for number in range(100):
        (runs / f"a{number:03}").mkdir()
    assert len(offered(environ, ["show", "a"])) == NEWEST


@pytest.mark.parametrize(
    "words", ["autoagent ", "autoagent show 7", "autoagent run --", "autoagent resume --max", "autoagent doctor -"]
)
def test_it_imports_nothing_heavy(environ: dict[str, str], words: str):
    code = (
        "import sys\n"
        "from autoagent.cli.main import run\n"
        "try:\n"
        "    run()\n"
        "finally:\n"
        f"    print('heavy', sorted({HEAVY!r} & set(sys.modules)))"
    )
    asked = {
        "_AUTOAGENT_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environ | asked, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "heavy []"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_printed_and_says_where_it_goes(environ: dict[str, str], shell: str):
    command = [sys.executable, "-m", "autoagent", "completion", shell]
    script = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    assert f"autoagent completion {shell}" in script.splitlines()[0]
    assert f"_AUTOAGENT_COMPLETE={shell}_complete" in script
    if found := shutil.which(shell):
        subprocess.run([found, "-n"], input=script, text=True, check=True)


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")
def test_a_real_bash_completes_a_run(environ: dict[str, str], tmp_path: Path):
    command = tmp_path / "autoagent"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m autoagent "$@"\n')
    command.chmod(0o700)
    script = (
        'eval "$(autoagent completion bash)"\n'
        "COMP_WORDS=(autoagent show 7) COMP_CWORD=2\n"
        "_autoagent_completion autoagent 7 show\n"
        'echo "${COMPREPLY[@]}"\n'
        "complete -p autoagent"
    )
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=environ | {"PATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["7b10 7f3a", "complete -o nosort -F _autoagent_completion autoagent"]
