'''autoagent: an autonomous agent whose results can be checked.

import autoagent

@autoagent.command("reads")
def count_words(env: autoagent.Env, path: autoagent.WorkspacePath) -> str:
    """Count the words of a text file."""
    return f"{len(env.files.read_bytes(path).split())} words"

run = autoagent.run("Which of the notes is the longest?", workspace="notes", commands=[count_words], max_cost=1)
print(run.status, run.result)
for event in run.events():
    print(event.seq, event.type)
'''

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoagent.api import Run, resume, run
    from autoagent.env import Change, Env, Excerpt, WebAddress, WorkspacePath
    from autoagent.errors import AutoagentError, CommandError, ConfigError
    from autoagent.registry import command

__version__ = "0.1.0"
__all__ = [
    "AutoagentError",
    "Change",
    "CommandError",
    "ConfigError",
    "Env",
    "Excerpt",
    "Run",
    "WebAddress",
    "WorkspacePath",
    "command",
    "resume",
    "run",
]
_HOMES = {
    "api": ("Run", "resume", "run"),
    "env": ("Change", "Env", "Excerpt", "WebAddress", "WorkspacePath"),
    "errors": ("AutoagentError", "CommandError", "ConfigError"),
    "registry": ("command",),
}


def __getattr__(name: str) -> Any:
    """Each name from its module, imported when it is first used: `autoagent --version` must stay instant."""
    import importlib

    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'autoagent' has no attribute {name!r}")
    return getattr(importlib.import_module(f"autoagent.{home}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
