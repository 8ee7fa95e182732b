"""A folder's own settings count only where a person trusts their very content, and a key goes nowhere unasked."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from home import KEY, Home
from support import HANDOVER

from autoagent import settings, trust
from autoagent.settings import Settings
from autoagent.terminal.trust import host_of
from autoagent.testing import ModelServer, done, thought
from autoagent.trust import Fingerprint

SETS = 'base_url = "{}"\nmodel = "test-model"\nplugins = ["x"]\n[limits]\nsteps = 7\n'


class Owner(Home):
    """Somebody whose workspace may bring settings of its own; `load` is what is read of them."""

    def project(self, text: str) -> None:
        (self.workspace / "autoagent.toml").write_text(text, encoding="utf-8")

    def load(self, **flags: Any) -> Settings:
        return settings.load(self.workspace, flags, {"OPENAI_API_KEY": KEY})

    def decide(self, *, trusted: bool) -> None:
        trust.remember([wish.file for wish in self.load().wishes], trusted=trusted)

    def user(self, text: str) -> None:
        folder = Path(self.environ["XDG_CONFIG_HOME"]) / "autoagent"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(text, encoding="utf-8")

    def run(self, *args: str, answers: Sequence[str] = (), command: str = "run", **environ: str) -> tuple[int, str]:
        return self.terminal(command, *args, answers=answers, **environ)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Owner:
    return Owner(tmp_path, monkeypatch)


def test_trusted_settings_count_and_nobody_is_asked_again(home: Owner) -> None:
    home.project(SETS.format("http://models.example/v1"))
    assert [wish.origin for wish in home.load().undecided] == ["autoagent.toml"]
    home.decide(trusted=True)
    found = home.load()
    assert (found.get("base_url"), found.get("plugins"), found.get("limits.steps")) == (
        "http://models.example/v1", ("x",), 7,
    )  # fmt: skip
    assert (found.undecided, found.warnings) == ((), ())


def test_refused_settings_stay_ignored_and_nobody_is_asked_again(home: Owner) -> None:
    home.project(SETS.format("http://models.example/v1"))
    home.decide(trusted=False)
    found = home.load()
    assert found.get("base_url") is None
    assert found.undecided == ()
    assert "as you decided" in found.warnings[0]


@pytest.mark.parametrize("trusted", [True, False])
def test_a_change_of_the_file_asks_again(home: Owner, trusted: bool) -> None:
    home.project(SETS.format("http://models.example/v1"))
    home.decide(trusted=trusted)
    home.project(SETS.format("http://evil.example/v1"))
    assert home.load().get("base_url") is None
    assert len(home.load().undecided) == 1


def test_trust_in_one_file_is_none_in_another(home: Owner) -> None:
    home.project('approve = "every"\n')
    home.decide(trusted=True)
    (home.workspace / ".env").write_text("OPENAI_BASE_URL=http://evil.example/v1\n")
    found = home.load()
    assert (found.get("approve"), found.get("base_url")) == ("every", None)
    assert [wish.origin for wish in found.undecided] == [".env"]


def test_trust_in_one_folder_is_none_in_another_with_the_same_file(home: Owner, tmp_path: Path) -> None:
    home.project('approve = "never"\n')
    home.decide(trusted=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/autoagent.toml").write_text('approve = "never"\n')
    assert settings.load(tmp_path / "other", {}, {}).get("approve") is None


def test_a_folder_is_the_same_by_whichever_way_it_is_named(home: Owner, tmp_path: Path) -> None:
    home.project('approve = "every"\n')
    home.decide(trusted=True)
    (tmp_path / "link").symlink_to(home.workspace)
    assert settings.load(tmp_path / "link", {}, {}).get("approve") == "every"


def test_nobody_is_asked_about_what_a_flag_decides_anyway(home: Owner) -> None:
    home.project('base_url = "http://evil.example/v1"\n')
    found = home.load(base_url="http://mine.example/v1")
    assert (found.undecided, found.warnings) == ((), ())
    assert len(home.load(model="mine").undecided) == 1


def test_a_workspace_that_only_tightens_is_nothing_to_ask_about(home: Owner) -> None:
    home.project("[limits]\nsteps = 3\n")
    assert home.load().wishes == ()
    assert home.load().get("limits.steps") == 3


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"PATH": 3}', b'{"PATH": {"sha256": 1, "trusted": true}}', b"\xff\xfe", b"[" * 9999],
)
def test_a_damaged_memory_trusts_nothing_and_takes_new_answers(home: Owner, content: bytes) -> None:
    home.project('approve = "never"\n')
    home.decide(trusted=True)
    path = str(home.workspace / "autoagent.toml").encode()
    (home.state / "trusted.json").write_bytes(content.replace(b"PATH", path))
    assert len(home.load().undecided) == 1
    home.decide(trusted=True)
    assert home.load().get("approve") == "never"


def test_answers_are_private_and_other_folders_keep_theirs(home: Owner) -> None:
    trust.remember([Fingerprint("/a/autoagent.toml", "1")], trusted=True)
    trust.remember([Fingerprint("/b/.env", "2"), Fingerprint("/\udc80/.env", "3")], trusted=False)
    assert [trust.verdict(Fingerprint(path, sha)) for path, sha in (
        ("/a/autoagent.toml", "1"), ("/b/.env", "2"), ("/\udc80/.env", "3"), ("/b/.env", "1"), ("/c/.env", "2"),
    )] == ["yes", "no", "no", "", ""]  # fmt: skip
    assert [path.name for path in home.state.iterdir()] == ["trusted.json"]
    assert (home.state / "trusted.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://api.openai.com@evil.example/v1", "evil.example"),
        ("http://user:pa55word@evil.example:81/v1", "evil.example:81"),
        ("https://аpi.openai.com/v1", "xn--pi-6kc.openai.com"),  # a Cyrillic а
        ("http://[::1", "http://[::1"),
    ],
)
def test_a_host_is_told_as_it_is_looked_up(address: str, host: str) -> None:
    assert host_of(address) == host


@pytest.mark.parametrize("terminal", [{}, {"TERM": "xterm-256color"}], ids=["plain", "rich"])
def test_a_yes_at_the_terminal_is_asked_once_and_says_where_the_key_goes(home: Owner, terminal: dict[str, str]) -> None:
    with ModelServer([done("one"), done("two")]) as server:
        home.project(SETS.format(server.base_url))
        code, screen = home.run("Do it", answers=["y\r"], **terminal)
        assert code == 0
        host = server.base_url.removeprefix("http://").removesuffix("/v1")
        assert f'base_url = "{server.base_url}"' in screen
        assert f"your OPENAI_API_KEY from the environment would be sent to {host} Use these settings? y/N" in screen
        assert 'plugins = ["x"]' in screen
        assert f"OPENAI_API_KEY (environment) goes to {host}, as autoagent.toml wants it" in screen
        code, screen = home.run("Do it", **terminal)
        assert (code, "y/N" in screen) == (0, False)
        assert f"goes to {host}" in screen
        assert len(server.requests) == 2


@pytest.mark.parametrize("typed", ["\r", "please do\r"])
def test_anything_but_a_yes_is_a_no_and_the_key_goes_where_the_user_wants(home: Owner, typed: str) -> None:
    with ModelServer([done("one")]) as mine, ModelServer([]) as theirs:
        home.user(f'base_url = "{mine.base_url}"\nmodel = "test-model"\n')
        home.project(f'base_url = "{theirs.base_url}"\n')
        code, screen = home.run("Do it", answers=[typed])
        assert (code, len(mine.requests), theirs.requests) == (0, 1, [])
    assert "base_url ignored, as you decided" in screen


@pytest.mark.parametrize(
    ("leave", "terminal"),
    [("\x03", {}), ("\x04", {"TERM": "xterm-256color"})],
    ids=["Ctrl-C, plain", "Ctrl-D, rich"],
)
def test_who_leaves_the_question_has_decided_nothing_and_started_nothing(
    home: Owner, leave: str, terminal: dict[str, str]
) -> None:
    home.project('approve = "never"\n')
    code, _ = home.run("-m", "offline", "Do it", answers=[leave], **terminal)
    assert code == 130
    assert not home.state.exists()


def test_continuous_mode_asks_nothing_and_ignores(home: Owner) -> None:
    home.project('fast_model = "other"\n')
    with ModelServer([done("one")]) as server:
        code, screen = home.run("-c", "-m", "test-model", "--base-url", server.base_url, "Do it")
    assert (code, "y/N" in screen) == (0, False)
    assert "fast_model ignored" in screen
    assert "--trust" in screen
    assert len(home.load().undecided) == 1


def test_without_a_terminal_the_flag_trusts_this_content_from_now_on(home: Owner) -> None:
    with ModelServer([done("one"), done("two")]) as theirs:
        home.project(SETS.format(theirs.base_url))
        home.decide(trusted=False)
        with ModelServer([done("mine")]) as mine:
            home.user(f'base_url = "{mine.base_url}"\nmodel = "test-model"\n')
            assert "base_url, plugins ignored" in home.script("run", "Do it").replace("model, ", "")
            assert (len(mine.requests), len(theirs.requests)) == (1, 0)
        told = home.script("run", "Do it", "--trust")
        assert f'base_url = "{theirs.base_url}"' in told
        assert "To use what it sets" not in told
        assert f'base_url = "{theirs.base_url}"' not in home.script("run", "Do it")
        assert len(theirs.requests) == 2


def test_a_resumed_run_asks_about_a_changed_file_and_keeps_what_it_was_started_with(home: Owner) -> None:
    with ModelServer([thought(commands=[]), HANDOVER, done("two")]) as server, ModelServer([]) as evil:
        home.project(SETS.format(server.base_url))
        home.script("run", "Do it", "--trust", "--max-steps", "1")
        home.project(SETS.format(evil.base_url))
        code, screen = home.run("last", "--max-steps", "5", answers=["n\r"], command="resume")
        assert (code, len(server.requests), evil.requests) == (0, 3, [])
    assert "y/N" in screen


def test_trust_and_safe_mode_exclude_each_other(home: Owner) -> None:
    assert "nothing to --trust" in home.script("run", "Do it", "--trust", "--safe-mode")


def test_config_shows_what_is_ignored_and_why(home: Owner) -> None:
    home.project('model = "theirs"\n[limits]\nsteps = 3\n')
    listed = json.loads(home.script("config", "--json", stdout=True))["settings"]
    told = [(one["name"], one["value"], one["origin"]) for one in listed]
    assert ("model", "theirs", "autoagent.toml, ignored: not trusted") in told
    assert ("limits.steps", 3, "autoagent.toml") in told
