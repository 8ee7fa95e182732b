"""AGENTS.md of a workspace: a person's notes for its runs, once they agreed to that very content."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autoagent.errors import ConfigError
from autoagent.passages import beginning
from autoagent.trust import Fingerprint, Verdict, verdict

NAME = "AGENTS.md"
LONGEST = 1 << 18  # bytes
HEAD = """# Notes of the person (AGENTS.md)

The person who gave the goal agreed to these notes about the workspace. Follow them; the goal and the rules above come \
first."""
CLIPPED = "Not all of it: read_file AGENTS.md shows the rest."


@dataclass(frozen=True)
class Notes:
    """What the file says now, and what the person said of that content; "" where nobody was asked."""

    file: Fingerprint
    text: str
    verdict: Verdict


def read_notes(workspace: Path) -> Notes | None:
    """None where there are none. Raises ConfigError, for people, where what is there can't be their notes."""
    path = workspace / NAME
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        if not path.resolve().is_relative_to(workspace.resolve()):
            raise ConfigError(f"{NAME} is not used: it is a link that leads out of the workspace")
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            content = file.read(LONGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{NAME} is not used: it can't be read: {error.strerror}") from None
    if len(content) > LONGEST:
        raise ConfigError(f"{NAME} is not used: it is longer than {LONGEST // 1024} KB")
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").strip()
    except UnicodeDecodeError:
        raise ConfigError(f"{NAME} is not used: it is no UTF-8") from None
    file = Fingerprint.of(path, content)
    return Notes(file, text, verdict(file)) if text else None


def notes_section(workspace: Path, share_tokens: int, count: Callable[[str], int]) -> str:
    """The notes for the system prompt, as far as they fit; "" where the person did not agree to this content."""
    try:
        notes = read_notes(workspace)
    except ConfigError:
        return ""
    if notes is None or notes.verdict != "yes":
        return ""
    whole = f"{HEAD}\n\n{notes.text}"
    if count(whole) <= share_tokens:
        return whole
    room = share_tokens - count(f"{HEAD}\n\n\n{CLIPPED}")
    shown = beginning(notes.text, room, count)
    return f"{HEAD}\n\n{shown}\n{CLIPPED}" if shown else ""
