"""`autoagent commands`, `prompts` and `config`: what the model may call, what it is told, and which settings hold."""

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click
from pydantic import BaseModel

from autoagent import build, settings
from autoagent import commands as built_in
from autoagent import prompts as texts
from autoagent.budget import COST_USD, REPLY_TOKENS, STEPS
from autoagent.cli.page import NO_LIMIT, Page, print_bytes, print_json, table
from autoagent.events import Setup
from autoagent.places import config_folder, prompts_folder, runs_folder
from autoagent.registry import Command
from autoagent.settings import DEFAULT_MODEL, KEY, Settings
from autoagent.terminal.header import warn_line
from autoagent.terminal.inert import inert
from autoagent.terminal.layout import Line, foreign, line
from autoagent.terminal.look import choose_look

BUILT_IN, DEFAULT = "built-in", "default"
_DEFAULTS: dict[str, tuple[Any, str]] = {
    "model": (None, f"{DEFAULT_MODEL} with a key; else a local server's, else the offline planner"),
    "base_url": (None, f"{build.OPENAI} with a key; else a local server's"),
    "fast_model": (None, "the model itself"),
    "review_model": (None, "the model itself"),
    "escalate_model": (None, "none"),
    "review": ("auto", "auto"),
    "evidence": ("mark", "mark"),
    "temperature": (None, "the model's own"),
    "seed": (None, "none"),
    "reasoning_effort": (None, "the model's own"),
    "context_tokens": (None, "the model's window less a reply"),
    "reply_tokens": (REPLY_TOKENS, f"{REPLY_TOKENS}, or less where the model's own is"),
    "approve": ("acts", "acts"),
    "rules": ([], "none"),
    "unsandboxed": (False, "no"),
    "sandbox_network": (False, "no"),
    "plugins": ([], "none"),
    "disabled": ([], "none"),
    "search": ([], "DuckDuckGo, then others"),
    "allow_local_network": (False, "no"),
    "limits.steps": (STEPS, str(STEPS)),
    "limits.cost": (COST_USD, f"{COST_USD:.2f} where the price is known"),
    "limits.tokens": (None, "none"),
    "limits.time": (None, "none"),
    "prices": ({}, "of the catalog"),
}


@dataclass(frozen=True)
class Shown:
    """A setting as a person may see it: `value` for programs, `words` for people; secrets are in neither."""

    name: str
    value: Any
    words: str
    origin: str


_workspace = click.option(
    "-w", "-C", "--workspace", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    default=Path(), help="The folder whose .env and autoagent.toml count; here unless given.",
)  # fmt: skip
_json = click.option("--json", "as_json", is_flag=True, help="As one JSON value.")


@click.command("commands")
@_workspace
@_json
def commands(workspace: Path, as_json: bool) -> None:
    """List the commands that the model may call, those of enabled plugins too.

    A ? marks an argument that may be left out. A command that changes files, runs a program or sends data is
    asked about first, unless the run is --continuous.
    """
    found = _settings(workspace)
    disabled = set(found.get("disabled", ()))
    listed = list(_registry(found).values())
    if as_json:
        print_json([_command_json(one, one.name in disabled) for one in listed])
        return
    page = Page()
    for one in listed:
        reads = "reads the web" if one.outside else _EFFECTS[one.effect]
        about = " · ".join([reads, one.origin, *(["disabled"] if one.name in disabled else [])])
        page.print(line(one.signature, rest=4), line(f"[{about}]", first=4), *_text(one.description), "")
    if missing := built_in.missing():
        names = ", ".join(one.name for one in missing)
        page.print(line(f"Not installed: {names}. Install them: pip install '.[web]' in the checkout", rest=4))


_EFFECTS = {
    "reads": "reads",
    "remembers": "keeps a fact",
    "writes": "changes files",
    "executes": "runs a program",
    "sends": "sends data",
    "asks": "asks the person",
    "ends": "ends the run",
}


@click.group("prompts")
def prompts() -> None:
    """The prompts that are sent to the model; your own in the prompts folder take the place of the built-in ones."""


@prompts.command("list")
@_json
def list_prompts(as_json: bool) -> None:
    """List the prompts and where each comes from."""
    own = prompts_folder()
    found = [(name, texts.path(name, own)) for name in texts.NAMES]
    rows = [(name, str(path) if path.parent == own else BUILT_IN) for name, path in found]
    if as_json:
        print_json(
            [
                {"name": name, "origin": origin, "path": str(path)}
                for (name, origin), (_, path) in zip(rows, found, strict=True)
            ]
        )
        return
    page = Page()
    page.print(*table([("PROMPT", "FROM"), *rows], NO_LIMIT, right=(), flexible=1))
    page.print("", line(f"Your own: copy one to {own}/NAME.md, with: autoagent prompts show NAME", rest=2))


@prompts.command("show")
@click.argument("name", metavar="NAME")
def show_prompt(name: str) -> None:
    """Print a prompt as it stands, with its $names not filled in."""
    text = texts.load(name, prompts_folder())
    print_bytes((inert(text) if sys.stdout.isatty() else text).encode())


@click.command("config")
@_workspace
@_json
def config(workspace: Path, as_json: bool) -> None:
    """Show each setting, its value and where it comes from. Keys are never shown.

    A flag wins over the environment, then .env, the workspace's autoagent.toml, the user's config.toml, the default.
    """
    found = _settings(workspace)
    shown, paths = shown_settings(found), _paths(workspace)
    if as_json:
        listed = [{"name": one.name, "value": one.value, "origin": one.origin} for one in shown]
        print_json({"settings": listed, "paths": paths})
        return
    page = Page()
    rows = [(one.name, one.words, one.origin) for one in shown]
    page.print(*_config_lines(rows, page), "")
    page.print(*table([(name.replace("_", " "), path) for name, path in paths.items()], NO_LIMIT, right=(), flexible=1))


def shown_settings(found: Settings) -> list[Shown]:
    """Every setting, defaults too, what a folder asks for without being trusted, and whether there is a key."""
    user_file = str(config_folder() / "config.toml")
    shown = [Shown(KEY, bool(found.api_key), "set" if found.api_key else "not set", found.origins.get("api_key", ""))]
    for name in settings.names():
        if name in found.values:
            value = _plain(name, found.values[name])
            origin = found.origins[name]
            shown.append(Shown(name, value, _words(value), "config.toml" if origin == user_file else origin))
        else:
            value, words = _DEFAULTS[name]
            shown.append(Shown(name, value, words, DEFAULT))
        for wish in found.wishes:
            if wish.ignored and name in wish.values:
                value = _plain(name, wish.values[name])
                shown.append(Shown(name, value, _words(value), f"{wish.origin}, ignored: not trusted"))
    return shown


def _config_lines(rows: list[tuple[str, str, str]], page: Page) -> list[Line | str]:
    if not page.narrow:
        return [*table([("SETTING", "VALUE", "FROM"), *rows], page.columns, right=(), flexible=1)]
    return [
        line(f"{name}  {words}" + (f" ({origin})" if origin not in ("", DEFAULT) else ""), rest=2)
        for name, words, origin in rows
    ]


def _settings(workspace: Path) -> Settings:
    found = settings.load(workspace.resolve(), {})
    for warning in found.warnings:
        _warn(warning)
    return found


def _warn(text: str) -> None:
    warn_line(choose_look(sys.stderr, os.environ, plain=True), text)


def _registry(found: Settings) -> "dict[str, Command[..., Any]]":
    """All commands by name, disabled ones too. Raises ConfigError for a disabled name that no command has."""

    def made(disabled: tuple[str, ...], notify: Callable[[str], None]) -> "dict[str, Command[..., Any]]":
        setup = Setup(
            model="",
            context_tokens=1,
            reply_tokens=1,
            workspace="",
            sandbox=build.sandbox_layer(),
            plugins=found.get("plugins", ()),
            disabled=disabled,
        )
        return dict(build.make_registry(setup, notify))

    made(found.get("disabled", ()), lambda _: None)
    return made((), _warn)


def _command_json(one: Command[..., Any], disabled: bool) -> dict[str, Any]:
    return {
        "name": one.name,
        "signature": one.signature,
        "description": one.description,
        "effect": one.effect,
        "origin": one.origin,
        "disabled": disabled,
        "arguments": one.schema,
    }


def _text(description: str) -> list[Line]:
    """A docstring as it reads: its lines joined, its paragraphs kept."""
    paragraphs = [" ".join(part.split()) for part in description.split("\n\n") if part.strip()]
    return foreign("\n".join(paragraphs), indent=4)


def _paths(workspace: Path) -> dict[str, str]:
    return {
        "config_file": str(config_folder() / "config.toml"),
        "prompts_folder": str(prompts_folder()),
        "runs_folder": str(runs_folder()),
        "state_folder": str(runs_folder().parent),
        "workspace": str(workspace.resolve()),
    }


def _plain(name: str, value: Any) -> Any:
    """A value as JSON has it; what may be a secret is taken out of an address."""
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_none=True)
    if isinstance(value, dict):
        return {key: _plain(name, inner) for key, inner in cast(dict[str, Any], value).items()}
    if isinstance(value, tuple):
        return list(cast(tuple[Any, ...], value))
    return _without_secrets(value) if name == "base_url" else value


def _without_secrets(address: str) -> str:
    """The address without user, password and query, where some endpoints take the key."""
    return re.sub(r"\?.*", "?***", re.sub(r"//[^/]*@", "//***@", address))


def _words(value: Any) -> str:
    if isinstance(value, list | dict):
        return ", ".join(map(str, cast(list[Any], value))) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
