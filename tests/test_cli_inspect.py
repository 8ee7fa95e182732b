"""`autoagent commands`, `prompts`, `config`: what holds here, where it comes from, and never a secret."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from autoagent import build, settings
from autoagent import prompts as texts
from autoagent.cli.inspect import commands, config, prompts
from autoagent.commands import available
from autoagent.errors import AutoagentError, ConfigError
from autoagent.terminal.layout import cells

KEY = "sk-canary-0123456789abcdef1234"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config/autoagent/prompts").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    return tmp_path


def write(home: Path, name: str, content: str) -> None:
    (home / name).write_text(content, encoding="utf-8")


def shown(command: click.Command, home: Path, *args: str, columns: int = 80) -> Result:
    at = [] if command is prompts else ["-w", str(home / "work")]
    result = CliRunner().invoke(command, [*args, *at], env={"COLUMNS": str(columns)})
    if isinstance(result.exception, AutoagentError):
        raise result.exception
    assert result.exception is None, result.exception
    return result


def plugin(home: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """An installed package that brings commands by the entry point `acme`."""
    package = home / "site"
    folder = package / "acme-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (folder / "entry_points.txt").write_text("[autoagent.commands]\nacme = acme_commands:COMMANDS\n")
    (package / "acme_commands.py").write_text(code)
    monkeypatch.syspath_prepend(package)
    write(home, "config/autoagent/config.toml", 'plugins = ["acme"]\n')


GOOD = '''
from autoagent.registry import command

@command("sends")
def post(url: str, text: str = "") -> str:
    """Send a text somewhere."""
    return ""

COMMANDS = [post]
'''


def test_commands_are_listed_with_arguments_effect_and_origin(home: Path) -> None:
    found = shown(commands, home).stdout
    signature = "read_file(path: string, offset?: integer, limit?: integer, source?: boolean)"
    assert f"{signature}\n    [reads · autoagent]\n    Read a text" in found
    assert "write_file(path: string, text: string)\n    [changes files · autoagent]" in found
    assert all(f"{command.name}(" in found for command in available(build.sandbox_layer(), unsandboxed=False))


def test_disabled_commands_are_marked(home: Path) -> None:
    write(home, "config/autoagent/config.toml", 'disabled = ["write_file"]\n')
    assert "[changes files · autoagent · disabled]" in shown(commands, home).stdout
    found = {one["name"]: one for one in json.loads(shown(commands, home, "--json").stdout)}
    assert [name for name, one in found.items() if one["disabled"]] == ["write_file"]
    assert found["read_file"]["effect"] == "reads"
    assert set(found["read_file"]["arguments"]["properties"]) == {"path", "offset", "limit", "source"}


def test_a_disabled_name_that_is_no_command_is_an_error(home: Path) -> None:
    write(home, "config/autoagent/config.toml", 'disabled = ["write_fil"]\n')
    with pytest.raises(ConfigError, match="no command 'write_fil'"):
        shown(commands, home)


def test_commands_of_a_plugin_name_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(home, monkeypatch, GOOD)
    assert "post(url: string, text?: string)\n    [sends data · acme]\n    Send a text" in shown(commands, home).stdout


def test_a_broken_plugin_is_one_line_beside_the_list(home: Path) -> None:
    write(home, "config/autoagent/config.toml", 'plugins = ["missing"]\n')
    result = shown(commands, home)
    assert result.stderr == "! plugin missing: not installed. Skipped\n"
    assert "read_file(" in result.stdout


@pytest.mark.parametrize("columns", [50, 80])
def test_nothing_is_wider_than_the_terminal(home: Path, columns: int) -> None:
    for command in (commands, config):
        found = shown(command, home, columns=columns).stdout.partition("config file")[0]  # paths are never cut
        assert max(map(cells, found.splitlines())) <= columns


def test_prompts_say_whether_they_are_built_in_or_the_persons_own(home: Path) -> None:
    own = home / "config/autoagent/prompts/review.md"
    own.write_text("Be brief. $thought\n")
    lines = shown(prompts, home, "list").stdout.splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(texts.NAMES)]] == list(texts.NAMES)
    assert lines[1].endswith("built-in")
    assert lines[3].split() == ["review", str(own)]
    assert shown(prompts, home, "show", "review").stdout == "Be brief. $thought\n"
    assert shown(prompts, home, "show", "system").stdout == texts.load("system")
    assert json.loads(shown(prompts, home, "list", "--json").stdout)[2] == {
        "name": "review", "origin": str(own), "path": str(own),
    }  # fmt: skip


def test_an_unknown_prompt_is_an_error_that_names_the_others(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no prompt 'nope'. Prompts: system"):
        shown(prompts, home, "show", "nope")


def test_config_shows_each_setting_with_its_origin(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, "config/autoagent/config.toml", 'model = "from-file"\nbase_url = "http://a/v1"\n[limits]\nsteps = 30\n')
    write(home, "work/autoagent.toml", "[limits]\nsteps = 20\ncost = 99\n")
    write(home, "work/.env", f"OPENAI_API_KEY={KEY}\nAUTOAGENT_LIMITS_TOKENS=1000\n")
    monkeypatch.setenv("AUTOAGENT_BASE_URL", "http://b/v1")
    result = shown(config, home)
    rows = {line.split("  ")[0]: line.split() for line in result.stdout.splitlines() if line}
    assert rows["OPENAI_API_KEY"][1:] == ["set", ".env"]
    assert rows["model"][1:] == ["from-file", "config.toml"]
    assert rows["base_url"][1:] == ["http://b/v1", "environment"]
    assert rows["limits.steps"][1:] == ["20", "autoagent.toml"]
    assert rows["limits.tokens"][1:] == ["1000", ".env"]
    assert rows["approve"][1:] == ["acts", "default"]
    assert rows["config file"][-1] == str(home / "config/autoagent/config.toml")
    assert set(settings.names()) <= set(rows)
    assert "limits.cost ignored" in result.stderr


def test_config_as_json_has_values_as_they_count(home: Path) -> None:
    write(home, "config/autoagent/config.toml", 'prices."q" = {input = 1, output = 2}\n[limits]\ntime = "2h"\n')
    found = json.loads(shown(config, home, "--json").stdout)
    values = {one["name"]: (one["value"], one["origin"]) for one in found["settings"]}
    assert values["limits.time"] == (7200.0, "config.toml")
    assert values["prices"] == ({"q": {"input": 1.0, "output": 2.0}}, "config.toml")
    assert values["limits.steps"] == (50, "default")
    assert values["model"] == (None, "default")
    assert found["paths"]["prompts_folder"] == str(home / "config/autoagent/prompts")


@pytest.mark.parametrize("args", [[], ["--json"]])
def test_no_page_shows_a_secret(home: Path, monkeypatch: pytest.MonkeyPatch, args: list[str]) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"https://user:{KEY}@host.example/v1?key={KEY}")
    for columns in (50, 80):
        result = shown(config, home, *args, columns=columns)
        assert KEY[-8:] not in result.output
        assert "***@host.example/v1" in result.stdout


def test_a_wrong_settings_file_is_an_error_that_names_it(home: Path) -> None:
    write(home, "config/autoagent/config.toml", 'modl = "x"\n')
    with pytest.raises(ConfigError, match=r"config.toml: unknown setting 'modl'. Did you mean 'model'"):
        shown(config, home)
