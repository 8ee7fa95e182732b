"""The run's inbox: one JSON file a message, from any face, taken once by the process that owns the run."""

import contextlib
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from autoagent.journal import make_folder, replace_file


def _new_id() -> str:
    return f"{time.time_ns():020d}-{secrets.token_hex(4)}"  # sorts by time


class InboxMessage(BaseModel):
    """What a person sends to a run.

    `answer` allows or refuses the standing question (`call_id` "" means whichever stands); `say` is advice or the
    answer to the model's own question; `keep_rule` allows this and what the rule covers; `review` lets a critic
    look first; `stop` pauses the run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(default_factory=_new_id)
    kind: Literal["answer", "say", "keep_rule", "review", "stop"]
    by: str
    call_id: str = ""
    allowed: bool = False
    text: str = ""  # the reason of a no, the advice, or the reason of a stop
    more: int = Field(default=0, ge=0)
    args: dict[str, JsonValue] | None = None
    rule: str = ""


def send(folder: Path, message: InboxMessage) -> None:
    """Put a message into the run's inbox, whole or not at all. Raises OSError."""
    make_folder(folder / "inbox")
    replace_file(folder / "inbox" / f"{message.id}.json", message.model_dump_json().encode())


def waiting(folder: Path) -> Iterator[InboxMessage]:
    """Messages that nobody has taken, the oldest first; one that can't be read is set aside as `.bad`."""
    with contextlib.suppress(FileNotFoundError):
        for path in sorted((folder / "inbox").glob("*.json")):
            try:
                yield InboxMessage.model_validate_json(path.read_bytes())
            except ValidationError:
                path.rename(path.with_suffix(".bad"))


def remove(folder: Path, message: InboxMessage) -> None:
    (folder / "inbox" / f"{message.id}.json").unlink(missing_ok=True)
