"""Arguments edited by the person: in their editor, or on the line, as JSON."""

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO, cast

from pydantic import JsonValue

from autoagent.terminal.inert import json_escaped
from autoagent.terminal.keyboard import Keyboard
from autoagent.terminal.layout import foreign, line
from autoagent.terminal.look import Look

Args = dict[str, JsonValue]


def edit_arguments(
    look: Look, keyboard: Keyboard, args: Args, environ: Mapping[str, str], *, until: Callable[[], bool]
) -> Args | None:
    """The arguments as the person wants them; None where nothing was changed, or it is no longer asked."""
    editor = environ.get("VISUAL") or environ.get("EDITOR") or ""
    text = json_escaped(json.dumps(args, ensure_ascii=False, indent=2 if editor else None))
    if not editor and not look.rich:
        look.write(*foreign(text), line("The new arguments as JSON on one line, or Enter to go back", first=2))
    typed = in_editor(editor, text, keyboard.file) if editor else keyboard.line(default=text, until=until)
    while typed and typed.strip() and typed != text:
        problem, edited = _parse(typed)
        if edited is not None:
            return edited if edited != args else None
        look.write(line(f"{problem} Mend it, or Enter an empty line to go back.", first=2))
        typed = keyboard.line(default=" ".join(typed.split("\n")), until=until)
    return None


def in_editor(editor: str, text: str, terminal: TextIO, *, name: str = "arguments.json") -> str:
    """What the person's editor made of `text`, in a file of that name; "" where it did not start or end well."""
    with tempfile.TemporaryDirectory(prefix="autoagent-") as folder:
        file = Path(folder) / name
        file.touch(mode=0o600)
        file.write_text(text + "\n", encoding="utf-8")
        screen = os.open(os.ttyname(terminal.fileno()), os.O_WRONLY | os.O_CLOEXEC)
        try:
            done = subprocess.run([*shlex.split(editor), str(file)], stdin=terminal, stdout=screen, check=False)
            return file.read_text(encoding="utf-8").strip() if done.returncode == 0 else ""
        except (OSError, ValueError):
            return ""
        finally:
            os.close(screen)


def _parse(text: str) -> tuple[str, Args | None]:
    try:
        value: Any = json.loads(text)
    except json.JSONDecodeError as error:
        return f"That is no JSON: {error.msg}, at character {error.pos + 1}.", None
    if not isinstance(value, dict):
        return "The arguments must be a JSON object, {…}.", None
    return "", cast(Args, value)
