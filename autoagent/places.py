"""Where things are kept: runs, settings, the user's own prompts. Nothing heavy is imported for it."""

import os
from pathlib import Path

from autoagent.errors import JournalError


def config_folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "autoagent"


def state_folder() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "autoagent"


def runs_folder() -> Path:
    return state_folder() / "runs"


def prompts_folder() -> Path:
    return config_folder() / "prompts"


def new_run_folder() -> Path:
    """A free folder for a run, not yet made: four hex digits, more where those are taken."""
    runs = runs_folder()
    for length in (4, 4, 4, 4, 5, 6, 8, 12):
        folder = runs / os.urandom(6).hex()[:length]
        if not folder.exists():
            return folder
    raise JournalError(f"{runs}: no free name for a new run")
