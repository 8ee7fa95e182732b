"""The built-in commands, one file a kind."""

from importlib.util import find_spec
from typing import Any

from autoagent.commands import control, files, web
from autoagent.registry import Command

WEB = ("requests", "trafilatura", "ddgs")  # what the extra "web" installs

COMMANDS = [
    files.read_file,
    files.write_file,
    files.append_file,
    files.edit_file,
    files.list_files,
    files.search_files,
    files.read_observation,
    web.web_search,
    web.browse,
    control.ask_person,
    control.task_complete,
    control.give_up,
]


def available() -> list[Command[..., Any]]:
    """The commands whose libraries are installed."""
    absent = missing()
    return [cmd for cmd in COMMANDS if cmd not in absent]


def missing() -> list[Command[..., Any]]:
    """The commands that need the extra "web", where that is not installed."""
    return [] if all(find_spec(name) for name in WEB) else [cmd for cmd in COMMANDS if cmd.outside]
