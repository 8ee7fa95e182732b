"""Help that fits one screen, names only what there is, and comes at once."""

import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from autoagent.cli.main import COMMANDS, autoagent
from autoagent.cli.run import resume, run
from autoagent.terminal.layout import cells

GROUPED = {"run": run, "resume": resume}


def shown(*args: str, columns: int = 80) -> str:
    result = CliRunner().invoke(autoagent, args, prog_name="autoagent", terminal_width=columns)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("args", [[], ["run"], ["resume"], *([name] for name in COMMANDS if name not in GROUPED)])
def test_help_fits_a_screen_of_80_columns_and_40_lines(args: list[str]):
    lines = shown(*args, "--help").splitlines()
    assert len(lines) <= 40
    assert max(map(cells, lines)) <= 80


@pytest.mark.parametrize("name", GROUPED)
def test_the_help_is_grouped_and_ends_in_four_examples(name: str):
    text = shown(name, "--help")
    heads = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert heads == ["Goal:", "Model:", "Questions:", "Limits:", "Output:", "Examples:"]
    examples = text.partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    assert len(examples) == 4
    assert all(example.startswith(f"  autoagent {name} ") for example in examples)


@pytest.mark.parametrize("name", GROUPED)
def test_help_all_shows_every_option(name: str):
    text = shown(name, "--help-all")
    assert set(_names(GROUPED[name])) - {"--help-all"} <= set(text.replace(",", " ").split())


@pytest.mark.parametrize("name", GROUPED)
def test_every_option_stands_in_a_group(name: str):
    stray = [one.opts for one in GROUPED[name].params if isinstance(one, click.Option) and not hasattr(one, "group")]
    assert stray == [["--help-all"]]


def test_the_short_help_says_where_the_rest_is():
    text = shown("run", "--help")
    assert "--fast-model" not in text
    assert text.rstrip().endswith("All options: autoagent run --help-all")


def test_a_narrow_terminal_gets_each_option_on_its_own_line():
    lines = shown("run", "--help", columns=50).splitlines()
    options = lines[: lines.index("Examples:")]
    assert max(map(cells, options)) <= 50
    assert "  --approve MODE" in options


@pytest.mark.parametrize("args", [["--help"], ["run", "--help"], ["resume", "--help"], ["run", "--help-all"]])
def test_help_imports_nothing_heavy(args: list[str]):
    code = (
        "import sys\n"
        "from autoagent.cli.main import autoagent\n"
        f"autoagent.main({args!r}, standalone_mode=False)\n"
        "print(sorted({'pydantic', 'rich', 'httpx2', 'prompt_toolkit', 'asyncio', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("args", [["run", "--help"], ["config"], ["completion", "zsh"]])
def test_a_closed_standard_output_is_told_in_one_line(args: list[str], tmp_path: object):
    done = _closed(args, ">&-", home=str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "error: standard output: it is closed\n")


def test_with_both_outputs_closed_the_exit_code_still_tells(tmp_path: object):
    assert _closed(["config"], ">&- 2>&-", home=str(tmp_path)).returncode == 1
    assert _closed(["show", "nope"], ">&- 2>&-", home=str(tmp_path)).returncode == 2


def _closed(args: list[str], redirection: str, *, home: str) -> subprocess.CompletedProcess[str]:
    command = f'exec "$0" -m autoagent {" ".join(args)} {redirection}'
    environ = {**os.environ, "XDG_STATE_HOME": home, "XDG_CONFIG_HOME": home}
    return subprocess.run(
        ["/bin/sh", "-c", command, sys.executable], env=environ, capture_output=True, text=True, check=False
    )


def _names(command: click.Command) -> Iterator[str]:
    for param in command.params:
        if isinstance(param, click.Option):
            yield from param.opts
