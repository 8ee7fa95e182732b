"""What a run gave as its result, from its journal: the claims, and the text of the files that it wrote itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from posixpath import normpath
from typing import cast

from pydantic import JsonValue, ValidationError

from autoagent.claims import Claim
from autoagent.events import (
    ApprovalGiven,
    CommandFinished,
    CommandStarted,
    Event,
    EvidenceChecked,
    ModelReplied,
    RunStarted,
)
from autoagent.thoughts import CommandCall


def is_report(path: str) -> bool:
    """Whether a file of this name is for people to read, so that it makes claims as the result does."""
    return path.casefold().endswith((".md", ".markdown", ".txt", ".rst"))


@dataclass(frozen=True)
class Given:
    """The last result that was given with `task_complete`, accepted or not.

    `reports` are the reports that the run wrote, `unknown` those whose text the journal does not hold.
    `known` are all the files that were read or written. `checked` is what was recorded when it was looked up.
    """

    call_id: str
    result: str
    claims: tuple[Claim, ...] = ()
    reports: Mapping[str, str] = field(default_factory=dict[str, str])
    unknown: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    checked: EvidenceChecked | None = None
    began: str = ""  # when the run did, in ISO 8601


def given(events: Iterable[Event]) -> Given | None:
    """The last result, or None where none was given."""
    step, calls, texts = 0, dict[str, CommandCall](), dict[str, str | None]()
    known, last, began = set[str](), None, ""
    checked: EvidenceChecked | None = None
    for event in events:
        match event:
            case ModelReplied(purpose="step"):
                step += 1
                for number, call in enumerate(event.thought.commands if event.thought else (), 1):
                    calls[f"{step}.{number}"] = call
                    if call.name == "task_complete":
                        last = f"{step}.{number}"
            case ApprovalGiven(args=dict() as args) if event.call_id in calls:
                calls[event.call_id] = calls[event.call_id].model_copy(update={"args": args})
            case CommandStarted():
                calls[event.call_id] = event.call
            case CommandFinished(outcome="ok") if event.call_id in calls:
                known |= {*event.seen, event.wrote} - {""}
                _write(texts, calls[event.call_id], event)
            case EvidenceChecked():
                checked = event
            case RunStarted():
                began = event.at
            case _:
                pass
    if last is None:
        return None
    args = calls[last].args
    named = [normpath(path) for path in _strings(args.get("files"))]
    reports = {path: text for path, text in texts.items() if text is not None and is_report(path)}
    return Given(
        call_id=last,
        result=str(args.get("result") or ""),
        claims=tuple(_claims(args.get("claims"))),
        reports=reports,
        unknown=tuple(path for path, text in texts.items() if text is None and (is_report(path) or path in named)),
        known=frozenset((*known, *named)),
        checked=checked if checked and checked.call_id == last else None,
        began=began,
    )


def _write(texts: dict[str, str | None], call: CommandCall, event: CommandFinished) -> None:
    """Follow what our own commands write; a file that anything else changed has a text that nobody knows."""
    args = {name: value for name, value in call.args.items() if isinstance(value, str)}
    path, before = event.wrote, texts.get(event.wrote)
    match call.name:
        case "write_file":
            texts[path] = args.get("text", "")
        case "append_file":
            new = bool(event.changed) and event.changed[0].before.kind == "absent"
            texts[path] = None if before is None and not new else (before or "") + args.get("text", "")
        case "edit_file":
            texts[path] = before.replace(args.get("old", ""), args.get("new", ""), 1) if before is not None else None
        case "move_file":
            texts[path] = texts.pop(normpath(args.get("source", "")), None)
        case "copy_file":
            texts[path] = texts.get(normpath(args.get("source", "")))
        case _:
            texts |= {change.path: None for change in event.changed if change.after.kind == "file"}


def _strings(value: JsonValue) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _claims(value: JsonValue) -> Iterable[Claim]:
    for item in value if isinstance(value, list) else []:
        try:
            yield Claim.model_validate(cast(object, item))
        except ValidationError:  # such a call was refused
            continue
