"""Which settings files of which folders a person trusts: remembered by content, so that a change asks again."""

import contextlib
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from autoagent.journal import make_folder, replace_file
from autoagent.places import state_folder

Verdict = Literal["yes", "no", ""]
"""What a person said of a content; "" where nobody was asked."""


@dataclass(frozen=True)
class Fingerprint:
    """A settings file as it was read."""

    path: str
    sha256: str

    @staticmethod
    def of(path: Path, content: bytes) -> "Fingerprint":
        return Fingerprint(str(path.parent.resolve() / path.name), hashlib.sha256(content).hexdigest())


def verdict(file: Fingerprint) -> Verdict:
    sha256, trusted = _remembered().get(file.path, ("", False))
    if sha256 != file.sha256:
        return ""
    return "yes" if trusted else "no"


def remember(files: Iterable[Fingerprint], *, trusted: bool) -> None:
    """Keep what a person said of these contents, in place of what was said of earlier ones. Raises OSError."""
    known = _remembered() | {file.path: (file.sha256, trusted) for file in files}
    kept = {path: {"sha256": sha256, "trusted": said} for path, (sha256, said) in sorted(known.items())}
    make_folder(state_folder())
    content = json.dumps(kept, ensure_ascii=False, indent=1).encode("utf-8", "surrogateescape")
    replace_file(state_folder() / "trusted.json", content)


def _remembered() -> dict[str, tuple[str, bool]]:
    """By absolute path. What can't be read was never said: the person is asked again."""
    data: Any = None
    with contextlib.suppress(OSError, ValueError, RecursionError):
        data = json.loads((state_folder() / "trusted.json").read_bytes().decode("utf-8", "surrogateescape"))
    found: dict[str, tuple[str, bool]] = {}
    for path, entry in cast(dict[str, Any], data if isinstance(data, dict) else {}).items():
        match entry:
            case {"sha256": str(sha256), "trusted": bool(trusted)}:
                found[path] = sha256, trusted
            case _:
                pass
    return found
