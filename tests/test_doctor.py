"""`autoagent doctor` as a person and a script meet it: each check with a fact, and a mend where it is not ok."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from autoagent.build import OFFLINE, OPENAI, Chosen
from autoagent.cli import checks
from autoagent.cli.checks import Check
from autoagent.events import Setup
from autoagent.sandbox.probe import Finding, choose_layer
from autoagent.settings import Settings
from autoagent.testing import Failure, Html, ModelServer, RefusesParameter, Reply

KEY = "sk-canary-0123456789abcdef"
OK = Reply('{"ok": true}', usage={"prompt_tokens": 40, "completion_tokens": 6})
KEYED = Settings({}, {"api_key": ".env"}, KEY)
KEYLESS = Settings({}, {}, "")


class Home:
    """A person's folders and environment, in which the doctor is called."""

    def __init__(self, folder: Path):
        self.folder, self.workspace = folder, folder / "work"
        self.workspace.mkdir()
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environ = kept | {
            "HOME": str(folder),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "AUTOAGENT_SEARCH": _nobody("http://127.0.0.1:{}/"),
            "PYTHONWARNINGS": "error",
        }

    def call(self, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "autoagent", "doctor", *args],
            cwd=self.workspace,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def report(self, *args: str, **environ: str) -> dict[str, dict[str, Any]]:
        """The checks by their names."""
        return {check["name"]: check for check in json.loads(self.call("--json", *args, **environ).stdout)["checks"]}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def _nobody(address: str) -> str:
    """An address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return address.format(gone.getsockname()[1])


def setup_at(base_url: str) -> Setup:
    return Setup(model="test-model", base_url=base_url, context_tokens=1_000, reply_tokens=100, workspace="/w")


# The whole command


def test_with_a_model_that_answers_a_run_can_start(home: Home):
    with ModelServer([OK], api_key=KEY) as server:
        ended = home.call("--base-url", server.base_url, "-m", "test-model", OPENAI_API_KEY=KEY)
    assert ended.returncode == 0
    assert "✓ endpoint" in ended.stdout
    assert "lists 1 model, test-model among them" in ended.stdout
    assert "streams · takes a reply schema · 46 tokens" in ended.stdout
    assert "A run can start" in ended.stdout.splitlines()[-1]
    assert KEY not in ended.stdout + ended.stderr


def test_without_a_network_it_ends_in_time_and_each_trouble_has_a_mend(home: Home):
    began = time.monotonic()
    ended = home.call("--base-url", _nobody("http://127.0.0.1:{}/v1"), "-m", "x", "--json")
    assert time.monotonic() - began < 15
    assert ended.returncode == 2
    found = json.loads(ended.stdout)
    assert found["can_start"] is False
    by_name = {check["name"]: check for check in found["checks"]}
    assert by_name["endpoint"]["status"] == "failed"
    assert by_name["search"]["status"] == "warning"
    assert "call" not in by_name
    assert all(set(check) == {"name", "status", "fact", "mend"} for check in found["checks"])
    assert all(bool(check["mend"]) == (check["status"] != "ok") for check in found["checks"])


def test_without_a_model_the_offline_planner_is_a_warning(home: Home):
    ended = home.call("--no-call", "-m", "offline")
    assert ended.returncode == 0
    assert "✓ model      offline planner" in ended.stdout
    assert "endpoint" not in ended.stdout


def test_broken_settings_fail_and_name_the_file(home: Home):
    config = home.folder / "config/autoagent/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("modell = 'x'")
    ended = home.call("--no-call", "-m", "offline")
    assert ended.returncode == 2
    assert "✗ settings" in ended.stdout
    assert str(config) in ended.stdout
    assert "Did you mean 'model'?" in ended.stdout
    assert "✓ state" in ended.stdout  # the others are checked all the same


def test_settings_of_an_untrusted_folder_are_told_with_their_mend(home: Home):
    (home.workspace / "autoagent.toml").write_text('base_url = "http://evil.example/v1"\n')
    check = home.report("--no-call", "-m", "offline")["settings"]
    assert check["status"] == "warning"
    assert "base_url ignored" in check["fact"]
    assert "--trust" in check["mend"]


def test_a_broken_plugin_is_a_warning_with_its_error(home: Home):
    check = home.report("--no-call", "-m", "offline", AUTOAGENT_PLUGINS="acme")["plugins"]
    assert check["status"] == "warning"
    assert "acme: not installed" in check["fact"]


def test_no_call_asks_neither_model_nor_search_engine(home: Home):
    with ModelServer() as server:
        found = home.report("--no-call", "--base-url", server.base_url, "-m", "test-model")
        assert [request for request in server.requests if request.method == "POST"] == []
    assert found["endpoint"]["status"] == "ok"
    assert "call" not in found
    assert found["search"]["fact"].endswith("not tried")


# Single checks


@pytest.mark.parametrize(
    ("found", "chosen", "status", "words"),
    [
        (KEYED, Chosen("m", OPENAI), "ok", "from .env"),
        (Settings({}, {}, f" {KEY}\n"), Chosen("m", OPENAI), "warning", "blanks"),
        (Settings({}, {}, f'"{KEY}"'), Chosen("m", OPENAI), "warning", "quotes"),
        (KEYLESS, Chosen(OFFLINE, "", "No model set up"), "warning", "not set"),
        (KEYLESS, Chosen(OFFLINE, ""), "ok", "needs none"),
        (KEYLESS, Chosen("qwen3", "http://localhost:11434/v1"), "ok", "localhost:11434"),
    ],
)
def test_the_key_is_told_by_its_origin_alone(found: Settings, chosen: Chosen, status: str, words: str):
    check = checks.check_key(found, chosen)
    assert check.status == status
    assert words in check.fact
    assert KEY not in check.fact + check.mend


def test_a_refused_key_fails_without_a_call():
    with ModelServer(api_key="another-key") as server:
        (check,) = checks.check_answers(KEYED, setup_at(server.base_url), call=True)
    assert (check.status, check.name) == ("failed", "endpoint")
    assert "refused the key" in check.fact
    assert "check OPENAI_API_KEY (.env)" in check.mend


def test_a_password_in_the_address_is_sent_and_never_shown():
    with ModelServer([OK]) as server:
        address = server.base_url.replace("//", "//me:s3cret-word@")
        found = Settings({"base_url": address}, {}, "", secrets=("s3cret-word",))
        told = checks.check_answers(found, setup_at(server.base_url.replace("//", "//***@")), call=True)
    assert [check.status for check in told] == ["ok", "ok"]
    assert "s3cret" not in str(told)


def test_a_model_that_is_not_listed_is_a_warning_with_those_that_are():
    with ModelServer(models=["qwen3", "llama"]) as server:
        check = checks.check_endpoint(KEYLESS, setup_at(server.base_url))
    assert check.status == "warning"
    assert "-m NAME, such as qwen3, llama" in check.mend


def test_an_endpoint_without_streams_and_schemas_is_told():
    script = [RefusesParameter("stream", RefusesParameter("response_format", RefusesParameter("tools", OK)))]
    with ModelServer(script) as server:
        check = checks.check_call(KEYLESS, setup_at(server.base_url))
    assert check.status == "ok"
    assert "does not stream" in check.fact
    assert "takes no schema, asked in words" in check.fact


@pytest.mark.parametrize(
    ("item", "status"),
    [
        (Failure(429, "slow down", retry_after=20), "warning"),
        (Failure(404, "no such model", code="model_not_found"), "failed"),
        (Failure(402, "pay first", code="insufficient_quota"), "failed"),
        (Html("<h1>Log in</h1>"), "failed"),
    ],
)
def test_a_call_that_fails_says_why(item: Any, status: str):
    with ModelServer([item]) as server:
        check = checks.check_call(KEYLESS, setup_at(server.base_url))
    assert check.status == status
    assert check.fact
    assert check.mend


# Programs


def test_what_holds_programs_is_found_out_by_trying(home: Home):
    layer = choose_layer()
    found = home.report("--no-call")["sandbox"]
    assert found["fact"].startswith("none: nothing" if layer == "none" else layer)
    assert (found["status"] == "ok") == (layer == "bubblewrap")


def test_a_layer_that_holds_all_is_ok_with_its_count():
    assert checks.sandbox_checks("bubblewrap", [Finding("TCP", True, "")] * 3) == [
        Check("sandbox", "ok", "bubblewrap: holds 3 of 3 probes")
    ]


def test_each_way_out_that_is_open_is_named_with_what_to_do():
    first, second = checks.sandbox_checks(
        "landlock", [Finding("UDP", True, ""), Finding("modes", False, "it changes modes")]
    )
    assert (first.status, first.fact) == ("warning", "landlock: holds 1 of 2 probes")
    assert "apt install bubblewrap" in first.mend
    assert second.fact == "landlock does not hold modes: it changes modes"


def test_that_nothing_holds_programs_says_what_it_means():
    (found,) = checks.sandbox_checks("none", ())
    assert found.status == "warning"
    assert "unsandboxed" in found.fact
    assert "continuous mode refuses" in found.fact
    assert "Landlock" in found.mend


def test_a_workspace_of_files_is_counted(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.txt").write_text("x" * 2_000)
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / ".git").mkdir()
    check = checks.check_workspace(tmp_path)
    assert check.status == "ok"
    assert "2 files, 2 kB" in check.fact
    assert check.fact.endswith("in git")


def test_the_home_folder_is_no_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert checks.check_workspace(tmp_path).status == "warning"


def test_the_state_folder_itself_fails_as_a_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "autoagent").mkdir()
    assert checks.check_workspace(tmp_path / "autoagent").status == "failed"


def test_a_state_folder_that_others_can_read_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = tmp_path / "autoagent"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    check = checks.check_state()
    assert (check.status, check.mend) == ("warning", f"chmod 700 {folder}")
    folder.chmod(0o700)
    assert checks.check_state().status == "ok"


def test_a_state_folder_that_cannot_be_made_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    check = checks.check_state()
    assert check.status == "failed"
    assert "XDG_STATE_HOME" in check.mend


@pytest.mark.parametrize(
    ("environ", "status", "fact"),
    [
        ({}, "ok", "no proxy and no certificates of your own are set"),
        ({"https_proxy": "http://me:secret@proxy:8080"}, "ok", "https_proxy=http://***@proxy:8080"),
        ({"HTTPS_PROXY": "proxy:8080"}, "ok", "HTTPS_PROXY=proxy:8080"),
        ({"SSL_CERT_FILE": "/no/such.pem"}, "warning", "SSL_CERT_FILE=/no/such.pem: no such file"),
    ],
)
def test_proxies_and_certificates(environ: dict[str, str], status: str, fact: str):
    check = checks.check_network(environ)
    assert (check.status, check.fact) == (status, fact)


def test_the_tables_of_the_tokenizer_are_intact():
    assert checks.check_tokenizer() == Check("tokenizer", "ok", "both token tables are intact")


def test_missing_libraries_are_named_with_the_extra_that_brings_them():
    check = checks.check_libraries("web", ("json", "no_such_library"), "searches")
    assert check.status == "warning"
    assert "no_such_library missing" in check.fact
    assert check.mend == "pip install '.[web]' in the checkout"


def test_an_unknown_search_engine_is_a_warning():
    check = checks.check_search(Settings({"search": ("duckduckgoo",)}, {}, ""), ask=False)
    assert check.status == "warning"
    assert "duckduckgo" in check.fact


def test_a_server_on_this_machine_is_reached_past_any_proxy_as_a_run_reaches_it(home: Home) -> None:
    nowhere = _nobody("http://127.0.0.1:{}")
    with ModelServer([OK]) as server:
        found = home.report(
            "--base-url", server.base_url, "-m", "test-model", HTTP_PROXY=nowhere, ALL_PROXY=nowhere, no_proxy=""
        )
    assert (found["endpoint"]["status"], found["call"]["status"]) == ("ok", "ok")
