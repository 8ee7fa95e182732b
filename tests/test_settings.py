"""Where settings come from, which of them win, and what a workspace's own files may do."""

import os
from pathlib import Path

import pytest

from autoagent import build, settings
from autoagent.errors import ConfigError
from autoagent.models import local
from autoagent.testing import ModelServer


class Home:
    """A user's configuration folder and a workspace; `load` reads them with the given environment and flags."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch):
        self.workspace, self.config = root / "work", root / "config/autoagent"
        self.workspace.mkdir()
        self.config.mkdir(parents=True)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(root / "config"))

    def load(self, environ: dict[str, str] | None = None, **flags: object) -> settings.Settings:
        return settings.load(self.workspace, {k.replace("__", "."): v for k, v in flags.items()}, environ or {})

    def user(self, text: str) -> None:
        (self.config / "config.toml").write_text(text, encoding="utf-8")

    def project(self, text: str) -> None:
        (self.workspace / "autoagent.toml").write_text(text, encoding="utf-8")

    def dotenv(self, text: str) -> None:
        (self.workspace / ".env").write_text(text, encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return Home(tmp_path, monkeypatch)


def test_flags_win_over_the_environment_and_that_over_the_users_file(home: Home) -> None:
    home.user('model = "file"\nfast_model = "file"\ntemperature = 0.5\n')
    found = home.load({"AUTOAGENT_MODEL": "environment", "AUTOAGENT_FAST_MODEL": "environment"}, model="flag")
    assert (found.get("model"), found.get("fast_model"), found.get("temperature")) == ("flag", "environment", 0.5)
    assert found.origins["model"] == "flag"
    assert found.origins["fast_model"] == "environment"
    assert found.origins["temperature"].endswith("config.toml")


def test_a_workspace_may_lower_limits_and_nothing_else(home: Home) -> None:
    home.user("[limits]\nsteps = 20\n")
    home.project(
        'base_url = "http://evil.example/v1"\napprove = "never"\nplugins = ["x"]\n[limits]\nsteps = 10\ncost = 5.0\n'
    )
    found = home.load()
    assert found.get("limits.steps") == 10
    assert [found.get(name) for name in ("base_url", "approve", "plugins", "limits.cost")] == [None] * 4
    assert found.warnings == (
        "autoagent.toml: base_url, approve, plugins, limits.cost ignored, since nobody said that this folder is "
        "trusted. To use what it sets: autoagent run --trust",
    )


def test_a_pipe_or_a_folder_in_the_place_of_a_settings_file_is_none(home: Home) -> None:
    os.mkfifo(home.workspace / "autoagent.toml")
    (home.workspace / ".env").mkdir()  # a virtual environment
    assert home.load().values == {}


@pytest.mark.parametrize("name", ["autoagent.toml", ".env"])
@pytest.mark.parametrize(("content", "told"), [(b"# \xb0\xa1\n", "is no UTF-8"), (b"#" * (2 << 20), "is too long")])
def test_a_settings_file_that_can_not_be_one_is_named(home: Home, name: str, content: bytes, told: str) -> None:
    (home.workspace / name).write_bytes(content)
    with pytest.raises(ConfigError, match=f"{name}.*{told}"):
        home.load()


def test_a_byte_order_mark_is_no_part_of_a_setting(home: Home) -> None:
    home.project("\ufeff[limits]\nsteps = 3\n")
    home.dotenv("\ufeffOPENAI_API_KEY=sk-from-dotenv\n")
    assert (home.load().get("limits.steps"), home.load().api_key) == (3, "sk-from-dotenv")


def test_settings_show_no_secret_when_they_are_printed(home: Home) -> None:
    home.dotenv("OTHER_TOKEN=9f8e7d6c5b4a\n")
    home.user('base_url = "http://me:pa55word1@models.example/v1"\n')
    found = home.load({"OPENAI_API_KEY": "sk-0123456789abcdef"})
    assert {"sk-0123456789abcdef", "9f8e7d6c5b4a", "pa55word1"} <= set(found.secrets)
    assert "sk-0123456789abcdef" not in repr(found)
    assert "9f8e7d6c5b4a" not in repr(found)


def test_a_workspaces_dotenv_brings_a_key_and_lower_limits_only(home: Home) -> None:
    home.dotenv("OPENAI_API_KEY=sk-from-dotenv\nAUTOAGENT_PLUGINS=x\nAUTOAGENT_LIMITS_COST=0.5\n")
    found = home.load()
    assert (found.api_key, found.origins["api_key"]) == ("sk-from-dotenv", ".env")
    assert found.get("plugins") is None
    assert found.get("limits.cost") == 0.5


def test_a_key_beside_an_endpoint_that_is_ignored_goes_to_no_other(home: Home) -> None:
    home.dotenv("OPENAI_API_KEY=sk-from-dotenv\nOPENAI_BASE_URL=http://own.example/v1\n")
    found = home.load()
    assert (found.api_key, found.get("base_url")) == ("", None)
    assert any("goes to no other" in warning for warning in found.warnings)


def test_an_untrusted_folder_does_not_raise_the_context(home: Home) -> None:
    home.project("context_tokens = 900_000_000")
    assert home.load().get("context_tokens") is None


def test_an_untrusted_folders_values_do_not_change_what_is_shown(home: Home) -> None:
    home.dotenv("A_KEY=.evil-host.example\nOPENAI_BASE_URL=https://api.openai.com.evil-host.example/v1\n")
    assert ".evil-host.example" not in home.load().secrets


def test_the_environments_key_wins_over_the_workspaces(home: Home) -> None:
    home.dotenv("OPENAI_API_KEY=sk-from-dotenv\n")
    assert home.load({"OPENAI_API_KEY": "sk-mine"}).api_key == "sk-mine"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("modle = 'x'", "Did you mean 'model'?"),
        ("[limits]\nstep = 3", "Did you mean 'limits.steps'?"),
        ("limits = 3", "[limits]"),
        ("approve = 'always'", "approve"),
        ("[limits]\ncost = -1", "limits.cost"),
        ("[limits]\ncost = nan", "finite"),
        ("[prices.m]\ninput = 1", "prices.m.output"),
        ("[prices.m]\ninput = inf\noutput = 1", "finite"),
        ("not toml at all", "config.toml"),
    ],
)
def test_a_mistake_in_the_users_file_is_one_line_that_names_it(home: Home, text: str, told: str) -> None:
    home.user(text)
    with pytest.raises(ConfigError) as caught:
        home.load()
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('rules = ["deny shell:git push", "alow shell:x"]', "rules.1 = 'alow shell:x': a rule begins with"),
        ('[prices.mine]\ninput = 1\noutput = 2\n[prices.other]\ninput = "x"\noutput = 3', "prices.other.input = 'x': "),
        ("[prices.mine]\ninput = 1\noutput = 2\n[prices.other]\ninput = 4", "prices.other.output: "),
        ("[prices.mine]\ninput = 1\noutput = 2\nfree = true", "prices.mine.free = True: "),
        ("[limits]\nsteps = 'many'", "limits.steps = 'many': "),
    ],
)
def test_a_wrong_value_is_shown_alone_behind_its_own_key(home: Home, text: str, told: str) -> None:
    home.user(text)
    with pytest.raises(ConfigError) as caught:
        home.load()
    assert str(caught.value).partition("config.toml: ")[2].startswith(told)


def test_a_misspelt_variable_is_named_with_the_right_one(home: Home) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'AUTOAGENT_LIMITS_COST'"):
        home.load({"AUTOAGENT_LIMIT_COST": "1"})


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("1.5h", 5400)])
def test_times_have_units(home: Home, text: str, seconds: float) -> None:
    assert home.load(limits__time=text).get("limits.time") == seconds


def test_a_key_means_openais_default_model(home: Home) -> None:
    chosen = build.choose_model(home.load({"OPENAI_API_KEY": "sk"}))
    assert (chosen.model, chosen.base_url) == (settings.DEFAULT_MODEL, build.OPENAI)


def test_a_local_server_is_found_and_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer([], models=("qwen3", "gemma")) as server:
        port = int(server.base_url.rsplit(":", 1)[1].removesuffix("/v1"))
        monkeypatch.setitem(local.PORTS, "Ollama", port)
        chosen = build.choose_model(home.load())
        assert (chosen.model, chosen.base_url) == ("qwen3", server.base_url)
        assert "Ollama" in chosen.words
        assert build.choose_model(home.load(model="gemma")).model == "gemma"
        with pytest.raises(ConfigError, match="no key and no server for model 'gpt-9'"):
            build.choose_model(home.load(model="gpt-9"))


def test_without_anything_the_offline_planner_is_chosen_and_said(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(local.PORTS):
        monkeypatch.setitem(local.PORTS, name, 9)
    chosen = build.choose_model(home.load())
    assert chosen.model == build.OFFLINE
    assert "OPENAI_API_KEY is not set" in chosen.words


def test_a_known_price_brings_the_default_cost_limit_and_an_unknown_one_none(home: Home) -> None:
    known = build.make_setup(
        home.load({"OPENAI_API_KEY": "k"}), build.Chosen("gpt-5-mini", build.OPENAI), home.workspace
    )
    assert known[1].cost_usd == 2.00
    elsewhere = build.Chosen("mine", "https://models.example/v1")
    assert build.make_setup(home.load(), elsewhere, home.workspace)[1].cost_usd is None
    with pytest.raises(ConfigError, match=r'prices\."mine"'):
        build.make_setup(home.load(limits__cost=1.0), elsewhere, home.workspace)
    home.user('[prices."mine"]\ninput = 1\noutput = 2\n')
    assert build.make_setup(home.load(limits__cost=1.0), elsewhere, home.workspace)[1].cost_usd == 1.0


def test_the_reply_is_never_longer_than_the_model_allows_and_leaves_room_for_the_context(home: Home) -> None:
    setup, _ = build.make_setup(home.load(), build.Chosen("mine", "http://127.0.0.1:1/v1"), home.workspace)
    assert setup.reply_tokens == 8_192
    assert setup.context_tokens == build.UNKNOWN_WINDOW - 8_192
    small, _ = build.make_setup(
        home.load(context_tokens=3_000), build.Chosen("m", "http://127.0.0.1:1/v1"), home.workspace
    )
    assert small.context_tokens == 3_000
