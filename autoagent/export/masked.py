"""Events and kept texts without the secrets that are known now: a journal knew those of its own time only."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from autoagent.events import EVENT, CommandFinished, Event, FilesChanged, FilesUndone, RunResumed, RunStarted

Mask = Callable[[str], str]


def masked_events(events: Iterable[Event], mask: Mask, names: Mapping[str, str] | None = None) -> list[Event]:
    """The events without secrets; `names` are new names of kept texts, each by the one that it had."""
    return [_masked(event, mask, names or {}) for event in events]


def kept_names(event: Event) -> list[str]:
    """The kept texts that an event names."""
    match event:
        case RunStarted() | RunResumed():
            return [event.system] if event.system else []
        case CommandFinished():
            return [name for name in (event.artifact, event.changed_artifact) if name]
        case FilesChanged() | FilesUndone():
            return [event.changed_artifact] if event.changed_artifact else []
        case _:
            return []


def masked_texts(
    events: Iterable[Event], read: Callable[[str], str], mask: Mask
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Every kept text that the events name, without secrets and by the name it then has; and the names that are new.

    Raises JournalCorrupt where one is missing or damaged.
    """
    texts: dict[str, bytes] = {}
    new: dict[str, str] = {}
    for name in dict.fromkeys(name for event in events for name in kept_names(event)):
        content = mask(read(name)).encode("utf-8", "surrogatepass")
        now = hashlib.sha256(content).hexdigest()
        texts[now] = content
        if now != name:
            new[name] = now
    return texts, new


def _masked(event: Event, mask: Mask, names: Mapping[str, str]) -> Event:
    text = event.model_dump_json()
    if mask(text) == text and not any(name in text for name in names):
        return event

    def without(value: Any) -> Any:
        match value:
            case str():
                return names.get(value) or mask(value)
            case list():
                return [without(item) for item in cast(list[Any], value)]
            case dict():
                return {without(key): without(item) for key, item in cast(dict[str, Any], value).items()}
            case _:
                return value

    return EVENT.validate_python(without(event.model_dump(mode="json")) | {"type": event.type}, strict=False)
