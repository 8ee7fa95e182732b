"""What a folder's own settings would change, and notes it brings, told to the person who decides whether they count."""

import json
from collections.abc import Callable, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from pydantic import BaseModel

from autoagent.recall.notes import NAME, Notes
from autoagent.settings import KEY, Settings, Wish
from autoagent.terminal.consent import ask_yes
from autoagent.terminal.keyboard import Keyboard
from autoagent.terminal.layout import Line, Piece, foreign, line
from autoagent.terminal.look import Look

QUESTION = "Use these settings? y/N "
NOTES_QUESTION = "Follow them as your own notes? y/N "
SHOWN_SETTINGS, SHOWN_CHARS = 30, 200  # of a file, of a value
SHOWN_LINES = 20  # of notes
NOT_NOTES = {
    "": f"{NAME} is not used as your notes, since nobody agreed to it. To use it: autoagent run --trust",
    "no": f"{NAME} is not used as your notes, as you decided. To use it: autoagent run --trust",
}


def ask_trust(
    look: Look, keyboard: Keyboard, wishes: Sequence[Wish], found: Settings, *, until: Callable[[], bool]
) -> bool | None:
    """Whether the settings may count; None where the person leaves instead. Only a yes is one."""
    look.write(*wish_lines(wishes, found))
    return ask_yes(keyboard, QUESTION, until=until)


def ask_notes(look: Look, keyboard: Keyboard, notes: Notes, *, until: Callable[[], bool]) -> bool | None:
    """Whether the run follows the notes that the folder brings; None where the person leaves instead."""
    look.write(*notes_lines(notes))
    return ask_yes(keyboard, NOTES_QUESTION, until=until)


def notes_lines(notes: Notes) -> list[Line]:
    """The notes from their beginning."""
    lines = notes.text.split("\n")
    amount = "1 line" if len(lines) == 1 else f"{len(lines):,} lines"
    shown = "\n".join(map(_clipped, lines[:SHOWN_LINES]))
    more = [line(f"… and {len(lines) - SHOWN_LINES:,} more in {NAME}", first=4)] if len(lines) > SHOWN_LINES else []
    return [line(Piece("! ", "warn"), f"This folder brings notes: {NAME}, {amount}"), *foreign(shown, indent=4), *more]


def wish_lines(wishes: Sequence[Wish], found: Settings) -> list[Line]:
    """Each file with each setting as it would be, and where the key would go."""
    lines: list[Line] = []
    for wish in wishes:
        lines.append(line(Piece("! ", "warn"), f"This folder's {wish.origin} sets"))
        for name, value in list(wish.values.items())[:SHOWN_SETTINGS]:
            lines.append(line(f"{name} = {_clipped(json.dumps(_plain(value), ensure_ascii=False))}", first=4, rest=6))
        if more := len(wish.values) - SHOWN_SETTINGS:
            lines += [line(f"… and {more} more", first=4)] if more > 0 else []
    addresses = [str(wish.values["base_url"]) for wish in wishes if "base_url" in wish.values]
    return [*lines, *(line(Piece(key_words(address, found), "bold"), first=2) for address in addresses)]


def _clipped(text: str) -> str:
    """No value pushes the last lines, which say most, off the screen."""
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]} … ({len(text):,} characters)"


def key_words(base_url: str, found: Settings) -> str:
    """Whose key would be sent to which host."""
    host = host_of(base_url)
    match found.origins.get("api_key"):
        case "environment":
            return f"your {KEY} from the environment would be sent to {host}"
        case str(origin):
            return f"the {KEY} of {origin} would be sent to {host}"
        case None:
            return f"an {KEY} that you set later would be sent to {host}"


def host_of(address: str) -> str:
    """The host, in the letters that are looked up: no name in other letters passes for a known one."""
    try:
        host = urlsplit(address).netloc.rpartition("@")[2]
        if host.isascii():
            return host
        import httpx2  # which will look it up

        return httpx2.URL(address).netloc.decode("ascii")
    except (ValueError, UnicodeError, TypeError):
        return address


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_none=True)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in cast(dict[str, Any], value).items()}
    return value
