"""The run's inbox: one JSON file a message, from any face, taken once by the process that owns the run."""

import contextlib
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from autoagent.criteria import Criterion
from autoagent.journal import make_folder, replace_file
from autoagent.rules import Scope

LONGEST_MESSAGE = 8 << 20  # bytes


def _new_id() -> str:
    return f"{time.time_ns():020d}-{secrets.token_hex(4)}"  # sorts by time


class InboxMessage(BaseModel):
    """What a person sends to a run.

    `answer` allows or refuses the standing question (`call_id` "" means whichever stands); `say` is advice or the
    answer to the model's own question; `keep_rule` allows this and what the rule covers; `review` lets a critic
    look first; `criteria` settles what has to be true at the end, with rules for what the plan needs; `stop` pauses the
    run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(default_factory=_new_id, pattern=r"^\w[\w.-]*$")  # also the name of its file
    kind: Literal["answer", "say", "keep_rule", "review", "criteria", "stop"]
    by: str
    call_id: str = ""
    allowed: bool = False
    text: str = ""  # the reason of a no, the advice, or the reason of a stop
    more: int = Field(default=0, ge=0)
    args: dict[str, JsonValue] | None = None
    rule: str = ""  # one a line
    scope: Scope = "run"
    criteria: tuple[Criterion, ...] = ()


def send(folder: Path, message: InboxMessage) -> None:
    """Put a message into the run's inbox, whole or not at all. Raises OSError."""
    make_folder(folder / "inbox")
    content = json.dumps(message.model_dump(), ensure_ascii=False).encode("utf-8", "replace")
    replace_file(folder / "inbox" / f"{message.id}.json", content)


def waiting(folder: Path) -> Iterator[InboxMessage]:
    """Messages that nobody has taken, the oldest first; what is none is set aside as `.bad`."""
    for path in sorted((folder / "inbox").glob("[!.]*.json")):
        try:
            message = InboxMessage.model_validate_json(_content(path))
            if message.id != path.stem:
                raise ValueError("a message of another name")
        except (OSError, ValueError):
            with contextlib.suppress(OSError):
                path.rename(path.with_suffix(".bad"))
        else:
            yield message


def _content(path: Path) -> bytes:
    """Of an ordinary file: a link is not followed, a pipe not waited for. Raises OSError or ValueError."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("not a file")
        return file.read(LONGEST_MESSAGE)


def remove(folder: Path, message: InboxMessage) -> None:
    (folder / "inbox" / f"{message.id}.json").unlink(missing_ok=True)
