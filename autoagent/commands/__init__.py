"""The built-in commands, one file a kind."""

from importlib.util import find_spec
from typing import Any

from autoagent.commands import calculator, control, fetching, files, moving, programs, reading, remembering, web
from autoagent.programs import Layer
from autoagent.registry import Command

WEB = ("requests", "trafilatura", "ddgs")  # what the extra "web" installs

BACKGROUND = [programs.list_programs, programs.read_program, programs.stop_program]
COMMANDS = [
    files.read_file,
    reading.read_many,
    files.write_file,
    files.append_file,
    files.edit_file,
    moving.move_file,
    moving.copy_file,
    moving.delete_file,
    moving.make_folder,
    fetching.extract_archive,
    fetching.download_file,
    files.list_files,
    files.search_files,
    files.read_observation,
    remembering.recall,
    remembering.remember,
    web.web_search,
    web.browse,
    programs.run_shell,
    programs.run_python,
    *BACKGROUND,
    control.ask_person,
    control.task_complete,
    control.give_up,
]


def available(sandbox: Layer, *, unsandboxed: bool) -> list[Command[..., Any]]:
    """The commands whose libraries are installed and that work in this sandbox.

    Where nothing holds programs and nobody wants them unheld, Python only calculates.
    """
    absent = missing() + (BACKGROUND if sandbox != "bubblewrap" else [])
    found = [cmd for cmd in COMMANDS if cmd not in absent]
    if sandbox == "none" and not unsandboxed and calculator.available():
        found = [programs.calculate if cmd is programs.run_python else cmd for cmd in found]
    return found


def missing() -> list[Command[..., Any]]:
    """The commands that need the extra "web", where that is not installed."""
    return [] if all(find_spec(name) for name in WEB) else [web.web_search, web.browse, fetching.download_file]
