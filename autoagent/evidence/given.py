"""What a run gave as its result, from its journal: the claims, and the reports that the model wrote."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import basename, dirname, normpath
from typing import cast

from pydantic import JsonValue, ValidationError

from autoagent.claims import Claim
from autoagent.events import (
    ApprovalGiven,
    CommandFinished,
    CommandStarted,
    Event,
    EvidenceChecked,
    FileChange,
    FilesChanged,
    FilesUndone,
    ModelReplied,
    RunStarted,
)
from autoagent.evidence.authorship import changes_of
from autoagent.thoughts import CommandCall

_REPORTS = (".md", ".markdown", ".txt", ".rst")
_DOCUMENTS = (
    ".html", ".htm", ".xhtml", ".csv", ".tsv", ".adoc", ".asciidoc", ".org", ".tex", ".rtf", ".doc", ".docx", ".odt",
    ".pdf", ".xls", ".xlsx", ".ods", ".ppt", ".pptx", ".odp", ".hwp", ".hwpx", ".epub", ".text",
)  # fmt: skip
_NO_REPORT = re.compile(  # a program's input, or a licence: nothing in it is a claim, and a note would spoil it
    r"(?i:(?:.*[-_.])?(?:requirements|constraints)[^/]*\.txt|(?:cmakelists|conanfile|robots|runtime|top_level)\.txt"
    r"|(?:licen[cs]e|copying)\.\w+)|LICEN[CS]E[^/]*|COPYING[^/]*"
)
_BRING = ("move_file", "copy_file", "download_file", "extract_archive", "delete_file")  # what somebody else wrote


def is_report(path: str) -> bool:
    """Whether a file of this name is for people to read, so that it makes claims as the result does."""
    folder, name = basename(dirname(path)).casefold(), basename(path)
    is_input = folder in ("requirements", "constraints") and name.casefold().endswith(".txt")
    return name.casefold().endswith(_REPORTS) and not is_input and not _NO_REPORT.fullmatch(name)


@dataclass(frozen=True)
class Given:
    """The last result that was given with `task_complete`, accepted or not.

    `reports` are those that the model itself wrote whole and that are still there, each with its text; `unknown` those
    of them that a program changed since: the journal does not hold their text. `passed_over` are other documents that
    the result names and the run made or changed. `known` are all the files that were read or written. `checked` is what
    was recorded when it was looked up.
    """

    call_id: str
    result: str
    claims: tuple[Claim, ...] = ()
    reports: Mapping[str, str] = field(default_factory=dict[str, str])
    unknown: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    checked: EvidenceChecked | None = None
    began: str = ""  # when the run did, in ISO 8601


def given(events: Iterable[Event], artifact: Callable[[str], str]) -> Given | None:
    """The last result, or None where none was given. `artifact` reads a text that is kept beside the journal."""
    step, calls, written = 0, dict[str, CommandCall](), _Written(artifact)
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
            case CommandFinished() if event.call_id in calls:
                if event.outcome == "ok":
                    known |= {*event.seen, event.wrote} - {""}
                written.by_command(calls[event.call_id], event)
            case FilesChanged() | FilesUndone():
                written.by_others(event)
            case EvidenceChecked():
                checked = event
            case RunStarted():
                began = event.at
            case _:
                pass
    if last is None:
        return None
    args = calls[last].args
    result, named = str(args.get("result") or ""), [normpath(path) for path in _strings(args.get("files"))]
    reports = {path: text for path, text in written.texts.items() if is_report(path)}
    return Given(
        call_id=last,
        result=result,
        claims=tuple(_claims(args.get("claims"))),
        reports={path: text for path, text in reports.items() if text is not None},
        unknown=tuple(path for path, text in reports.items() if text is None),
        passed_over=tuple(path for path in written.there if path not in reports and _is_named(path, named, result)),
        known=frozenset((*known, *named)),
        checked=checked if checked and checked.call_id == last else None,
        began=began,
    )


def _is_named(path: str, files: Sequence[str], result: str) -> bool:
    """Whether it is a document that the result speaks of, so that a person may take it for looked up."""
    name = basename(path)
    if "." not in name:  # REPORT, not Makefile
        return path in files and not name.casefold().endswith("file") and not _NO_REPORT.fullmatch(name)
    is_document = is_report(path) or name.casefold().endswith(_DOCUMENTS)
    return is_document and (path in files or name in result)


class _Written:
    """The files that the model wrote whole, as a run goes on, by path and by content: a copy of a report is one too.

    `texts` has None where a program changed one since. `there` are all files that the run made or changed.
    """

    def __init__(self, artifact: Callable[[str], str]):
        self._artifact = artifact
        self.texts: dict[str, str | None] = {}
        self.there: dict[str, None] = {}
        self._of_content: dict[str, str] = {}  # by SHA-256

    def by_command(self, call: CommandCall, event: CommandFinished) -> None:
        changes = changes_of(event, self._artifact)
        if event.outcome != "ok" or call.name not in ("write_file", "append_file", "edit_file"):
            return self._follow(changes, others=call.name in _BRING)
        path, args = event.wrote, {name: value for name, value in call.args.items() if isinstance(value, str)}
        change = next((one for one in changes if one.path == path), None)
        self.there[path] = None
        match call.name:
            case "write_file":
                text = args.get("text", "")
            case "append_file" if change and change.before.kind == "absent":
                text = args.get("text", "")
            case _ if not self._is_own(path, change):
                return self._forget(path)
            case "append_file":
                before = self._before(path, change)
                text = None if before is None else before + args.get("text", "")
            case _:
                before = self._before(path, change)
                text = None if before is None else before.replace(args.get("old", ""), args.get("new", ""), 1)
        self.texts[path] = text
        if text is not None and change and change.after.sha256:
            self._of_content[change.after.sha256] = text
        return None

    def by_others(self, event: FilesChanged | FilesUndone) -> None:
        """Programs in the background, checks, a person who takes changes back; our own note changes no words of it."""
        if isinstance(event, FilesUndone) or not event.note:
            self._follow(changes_of(event, self._artifact), others=isinstance(event, FilesUndone))

    def _is_own(self, path: str, change: FileChange | None) -> bool:
        return path in self.texts or (change is not None and change.before.sha256 in self._of_content)

    def _before(self, path: str, change: FileChange | None) -> str | None:
        """The text that was added to or edited: by its content, where that is told, for others may have changed it."""
        if change and change.before.sha256:
            return self._of_content.get(change.before.sha256)
        return self.texts.get(path)

    def _follow(self, changes: Sequence[FileChange], *, others: bool) -> None:
        """A text that is known by its content is where it went. `others`: one that is not known is somebody else's."""
        for change in changes:
            text = self._of_content.get(change.after.sha256) if change.after.kind == "file" else None
            if change.after.kind == "file":
                self.there[change.path] = None
            else:
                self.there.pop(change.path, None)
            if text is not None:
                self.texts[change.path] = text
            elif change.after.kind != "file" or others:
                self._forget(change.path)
            elif change.path in self.texts:
                self.texts[change.path] = None

    def _forget(self, path: str) -> None:
        self.texts.pop(path, None)


def _strings(value: JsonValue) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _claims(value: JsonValue) -> Iterable[Claim]:
    for item in value if isinstance(value, list) else []:
        try:
            yield Claim.model_validate(cast(object, item))
        except ValidationError:  # such a call was refused
            continue
