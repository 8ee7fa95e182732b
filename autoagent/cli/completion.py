"""`autoagent completion`: what makes Tab complete commands, options, their values and runs."""

import os
from collections.abc import Sequence
from typing import Literal

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

from autoagent.places import runs_folder

TAKE_A_RUN = ("show", "resume", "answer", "stop")  # as their first argument
NEWEST = 30  # runs that are offered
Shell = Literal["bash", "zsh", "fish"]
_HOW = {
    "bash": 'add to ~/.bashrc:  eval "$(autoagent completion bash)"',
    "zsh": 'add to ~/.zshrc, after compinit:  eval "$(autoagent completion zsh)"',
    "fish": "add to ~/.config/fish/config.fish:  autoagent completion fish | source",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: Shell) -> None:
    """Print what makes Tab complete autoagent's commands, options, values and runs.

    \b
    bash  add to ~/.bashrc:  eval "$(autoagent completion bash)"
    zsh   add to ~/.zshrc, after compinit:  eval "$(autoagent completion zsh)"
    fish  add to ~/.config/fish/config.fish:  autoagent completion fish | source
    """
    from autoagent.cli.main import VARIABLE, autoagent

    made = _CLASSES[shell](autoagent, {}, "autoagent", VARIABLE)
    click.echo(f"# Tab completion for autoagent; {_HOW[shell]}")
    click.echo(made.source_template % made.source_vars())


def complete_run(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """For an argument that names a run."""
    return offered_runs(incomplete)


def offered_runs(start: str) -> list[CompletionItem]:
    """`last` and the newest runs whose id starts so, by the names of their folders alone."""
    found: list[tuple[float, str]] = []
    try:
        with os.scandir(runs_folder()) as entries:
            found = [(entry.stat().st_mtime, entry.name) for entry in entries if entry.name.startswith(start)]
    except OSError:
        pass  # nobody is told of a problem while they type
    names = [name for _, name in sorted(found, reverse=True)[:NEWEST]]
    return [CompletionItem(name) for name in (["last"] if "last".startswith(start) else []) + names]


class _Quick(ShellComplete):
    """A run is offered without importing the command that takes it: half a second of it would be felt."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        if len(args) == 1 and args[0] in TAKE_A_RUN and not incomplete.startswith("-"):
            return offered_runs(incomplete)
        return super().get_completions(args, incomplete)


class _Bash(_Quick, BashComplete):
    def get_completion_args(self) -> tuple[list[str], str]:
        """Bash takes `--approve=e` for three words."""
        args, incomplete = super().get_completion_args()
        words: list[str] = []
        for word in (*args, incomplete):
            if words and (word == "=" or words[-1].endswith("=")):
                words[-1] += word
            else:
                words.append(word)
        return words[:-1], words[-1]


class _Zsh(_Quick, ZshComplete): ...


class _Fish(_Quick, FishComplete):
    source_template = FishComplete.source_template.replace(
        'string split ","', 'string split -m 1 ","'
    )  # help has commas


_CLASSES: dict[Shell, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def register() -> None:
    """Let click complete with these classes."""
    from click.shell_completion import add_completion_class

    for name, kind in _CLASSES.items():
        add_completion_class(kind, name)


def offered_commands(commands: Sequence[tuple[str, str]], start: str) -> list[CompletionItem]:
    """Sub-commands with what they are for."""
    return [CompletionItem(name, help=text) for name, text in commands if name.startswith(start)]
