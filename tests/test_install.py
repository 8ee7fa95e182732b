"""The built wheel in an empty environment, and the example plugin: installed as a user would."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from support import UNPROVEN

from autoagent.testing import ModelServer, done, thought

ROOT = Path(__file__).parent.parent


def call(*argv: str, cwd: Path, **environ: str) -> str:
    """Standard output of a program that must succeed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI", "AUTOAGENT", "PYTHON"))}
    ended = subprocess.run(argv, cwd=cwd, env=kept | environ, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_the_wheel_runs_in_an_empty_environment_with_prompts_and_token_tables_inside(tmp_path: Path) -> None:
    call(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path / "dist"),
        str(ROOT),
        cwd=tmp_path,
    )
    wheel = next((tmp_path / "dist").glob("autoagent_cli-*.whl"))
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv/bin/python")
    requirements = str(ROOT / "requirements.txt")
    call(python, "-m", "pip", "install", "-q", "--require-hashes", "-r", requirements, cwd=tmp_path)
    call(python, "-m", "pip", "install", "-q", "--no-deps", str(wheel), cwd=tmp_path)
    (tmp_path / "work").mkdir()
    (tmp_path / "work/a.md").write_text("The notice period is three months.\n")
    homes = {**UNPROVEN, "XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    autoagent = str(tmp_path / "venv/bin/autoagent")
    assert call(autoagent, "--version", cwd=tmp_path, **homes).startswith("autoagent ")
    ask = [autoagent, "run", "-c", "-m", "offline", "What is the notice period?"]
    assert "three months" in call(*ask, cwd=tmp_path / "work", **homes)
    count = "from autoagent.models.tokens import TokenCounter as C; c = C('gpt-4o'); print(c.count('세 달'), c.exact)"
    assert call(python, "-c", count, cwd=tmp_path, **homes).split()[1] == "True"


def test_the_example_plugin_is_used_once_it_is_enabled(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    call(*install, "--target", str(site), str(ROOT / "examples/plugin"), cwd=tmp_path)
    homes = {
        **UNPROVEN,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "PYTHONPATH": str(site),
    }
    listed = [sys.executable, "-m", "autoagent", "commands"]
    assert "count_words" not in call(*listed, cwd=tmp_path, **homes)  # installed is not enabled
    (tmp_path / "config/autoagent").mkdir(parents=True)
    (tmp_path / "config/autoagent/config.toml").write_text('plugins = ["word-count"]\n')
    assert "count_words" in call(*listed, cwd=tmp_path, **homes)
    (tmp_path / "work").mkdir()
    (tmp_path / "work/a.md").write_text("tea and tea and coffee\n")
    with ModelServer([thought(commands=[("count_words", {"path": "a.md"})]), done("counted")]) as server:
        run = [
            sys.executable,
            "-m",
            "autoagent",
            "run",
            "-c",
            "--base-url",
            server.base_url,
            "-m",
            "test-model",
            "Count",
        ]
        call(*run, cwd=tmp_path / "work", **homes)
        assert "5 words, 3 different ones" in json.dumps(server.requests[1].body["messages"])


def test_a_broken_plugin_is_named_in_one_line_and_skipped(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "broken-0.1.dist-info").mkdir(parents=True)
    (site / "broken-0.1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 0.1\n")
    (site / "broken-0.1.dist-info/entry_points.txt").write_text(
        "[autoagent.commands]\nbroken = no_such_module:COMMANDS\n"
    )
    (tmp_path / "config/autoagent").mkdir(parents=True)
    (tmp_path / "config/autoagent/config.toml").write_text('plugins = ["broken"]\n')
    kept = {name: os.environ[name] for name in ("PATH",)}
    homes = {
        **UNPROVEN,
        "XDG_STATE_HOME": str(tmp_path / "s"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "PYTHONPATH": str(site),
    }
    with ModelServer([done("x")]) as server:
        run = [sys.executable, "-m", "autoagent", "run", "-c", "--base-url", server.base_url, "-m", "test-model", "Go"]
        ended = subprocess.run(run, cwd=tmp_path, env=kept | homes, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0
    assert "! plugin broken: No module named 'no_such_module'. Skipped" in ended.stderr
