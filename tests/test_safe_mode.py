"""`--safe-mode`: no plugins, no settings of the folder, no prompts but the built-in ones, also after a resume."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import HANDOVER, UNPROVEN, window

from autoagent import settings
from autoagent.testing import ModelServer, done, thought

OWN = "MY OWN PROMPT"
PLUGIN = '''
from autoagent.registry import command

@command("reads")
def consult(subject: str) -> str:
    """Consult somebody."""
    return subject

COMMANDS = [consult]
'''


class Home:
    """A user with a plugin and prompts of their own, in a folder that brings settings and a key."""

    def __init__(self, root: Path):
        self.root, self.workspace = root, root / "work"
        self.environ = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(root),
            **UNPROVEN,
            "XDG_STATE_HOME": str(root / "state"),
            "XDG_CONFIG_HOME": str(root / "config"),
            "PYTHONPATH": str(root / "site"),
        }
        self.file("site/acme-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
        self.file("site/acme-1.dist-info/entry_points.txt", "[autoagent.commands]\nacme = acme_commands:COMMANDS\n")
        self.file("site/acme_commands.py", PLUGIN)
        self.file("config/autoagent/config.toml", 'plugins = ["acme"]\nmodel = "test-model"\n')
        self.file("config/autoagent/prompts/system.md", f"{OWN} $persona $commands $date $goal")
        self.file("config/autoagent/prompts/summary.md", f"{OWN} $words")
        self.file("work/.env", "OPENAI_API_KEY=sk-of-the-folder-0123\n")
        self.file("work/autoagent.toml", "[limits]\nsteps = 1\n")

    def file(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def call(self, server: ModelServer, *args: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "autoagent", *args, "--base-url", server.base_url]
        return subprocess.run(
            argv, cwd=self.workspace, env=self.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=30,
        )  # fmt: skip

    def setup(self) -> dict[str, Any]:
        """As the newest start or resume of the only run has it."""
        (path,) = (self.root / "state/autoagent/runs").glob("*/journal.jsonl")
        events = [json.loads(text) for text in path.read_text().splitlines()]
        return [event["setup"] for event in events if event["type"] in ("run_started", "run_resumed")][-1]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def system(server: ModelServer, at: int) -> str:
    return server.requests[at].body["messages"][0]["content"]


def test_a_safe_run_has_no_plugin_no_folder_settings_and_the_built_in_prompts_also_when_resumed(home: Home) -> None:
    with ModelServer([thought(commands=[]), thought(commands=[]), HANDOVER, done("ok")]) as server:
        first = home.call(server, "run", "-c", "--safe-mode", "--max-steps", "2", "Do it")
        assert first.returncode == 4, first.stderr  # two steps, where the folder would have allowed one
        again = home.call(server, "resume", "last", "--max-steps", "5")
        assert again.returncode == 0, again.stderr
        for at in (0, 3):
            assert OWN not in system(server, at)
            assert "consult(" not in system(server, at)
            assert "authorization" not in server.requests[at].headers
    assert (home.setup()["safe_mode"], home.setup()["plugins"]) == (True, [])


def test_without_it_all_of_these_count(home: Home) -> None:
    with ModelServer([thought(commands=[]), HANDOVER]) as server:
        assert home.call(server, "run", "-c", "Do it").returncode == 4
        assert OWN in system(server, 0)
        assert "consult(" in system(server, 0)
        assert server.requests[0].headers["authorization"] == "Bearer sk-of-the-folder-0123"
    assert (home.setup()["safe_mode"], home.setup()["plugins"]) == (False, ["acme"])


def test_a_run_can_be_made_safe_when_it_goes_on_and_its_prompt_is_made_anew(home: Home) -> None:
    home.file("config/autoagent/config.toml", 'model = "test-model"\n')
    with ModelServer([thought(commands=[]), HANDOVER, done("ok")]) as server:
        home.call(server, "run", "-c", "Do it")
        assert home.call(server, "resume", "last", "--safe-mode", "--max-steps", "5").returncode == 0
        assert OWN in system(server, 0)
        assert OWN not in system(server, 2)
    assert home.setup()["safe_mode"] is True


def test_a_safe_run_summarises_with_the_built_in_prompt(home: Home) -> None:
    long = "".join(f"{number} some words to fill the window\n" for number in range(2_000))
    home.file("work/long.txt", long)
    read = thought(commands=[("read_file", {"path": "long.txt"})])
    with ModelServer([read, read, "What was done.", done("ok"), done("ok")], allow_overrun=True) as server:
        home.call(server, "run", "-c", "--safe-mode", "--context-tokens", str(window(3_000)), "Do it")
        tails = [request.body["messages"][-1]["content"] for request in server.requests]
    assert any("ummar" in tail for tail in tails)
    assert not any(OWN in tail for tail in tails)


@pytest.mark.parametrize("broken", ["not toml at all", "unknown_setting = 1"])
def test_a_broken_file_of_the_folder_is_no_obstacle_in_safe_mode(
    home: Home, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home.root / "config"))
    home.file("work/autoagent.toml", broken)
    found = settings.load(home.workspace, {}, {}, safe_mode=True)
    assert (found.get("model"), found.get("plugins"), found.api_key) == ("test-model", None, "")
