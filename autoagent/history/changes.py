"""What a run changed, step by step, out of its journal; and what taking it back comes to. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter, ValidationError

from autoagent.errors import JournalCorrupt
from autoagent.events import (
    CommandFinished,
    CommandStarted,
    Event,
    FileChange,
    FilesChanged,
    FileState,
    FilesUndone,
    ModelReplied,
)

_CHANGES: TypeAdapter[tuple[FileChange, ...]] = TypeAdapter(tuple[FileChange, ...])


INLINE = 50  # changes that stand in an event itself; more are an artifact


@dataclass(frozen=True)
class Deed:
    """What a command of a step changed; or what a person took back or brought back after that step."""

    step: int
    changed: tuple[FileChange, ...]
    undid: bool = False
    redid: bool = False

    @property
    def by_person(self) -> bool:
        return self.undid or self.redid


@dataclass(frozen=True)
class Wanted:
    """A path that is to be as it was: `target`. The run left it as `left`.

    `others`: somebody else changed it between two of the run's changes, and that would be lost.
    """

    path: str
    target: FileState
    left: FileState
    others: bool = False


def deeds(events: Iterable[Event], artifact: Callable[[str], str]) -> list[Deed]:
    """All that changed files, in order. `artifact` reads a kept text."""
    found: list[Deed] = []
    started: dict[str, None] = {}  # commands whose end is not recorded
    step = 0
    for event in events:
        match event:
            case ModelReplied(purpose="step"):
                step += 1
            case CommandStarted():
                step = step_of(event.call_id)
                if not event.repeatable:
                    started[event.call_id] = None
            case CommandFinished():
                started.pop(event.call_id, None)
                found.append(Deed(step_of(event.call_id), changes_of(event, artifact)))
            case FilesChanged():
                found.append(Deed(step, changes_of(event, artifact)))
            case FilesUndone():
                changed = changes_of(event, artifact)
                if started:  # it also took back what such a command had done, of which there is no other record
                    found.append(Deed(step_of(next(iter(started))), _unrecorded(found, changed)))
                found.append(Deed(step, changed, undid=not event.redo, redid=event.redo))
            case _:
                pass
    return [deed for deed in found if deed.changed]


def last_states(done: Sequence[Deed]) -> dict[str, FileState]:
    return {change.path: change.after for deed in done for change in deed.changed}


def net(done: Sequence[Deed]) -> tuple[FileChange, ...]:
    """What they come to together, by path; nothing for a path that is again as it was."""
    wanted = _wanted([change for deed in done for change in deed.changed], last_states(done))
    return tuple(FileChange(path=one.path, before=one.target, after=one.left) for one in wanted)


def back_to(done: Sequence[Deed], step: int) -> list[Wanted]:
    """Back to the state after a step, 0 for the start: as it was when the next one began.

    After the last step that changed anything it is the state before a person took anything back.
    """
    later = [i for i, deed in enumerate(done) if deed.step > step]
    undone = [i for i, deed in enumerate(done) if deed.by_person and deed.step == step]
    at = (later or undone or [len(done)])[0]
    return _wanted([change for deed in done[at:] for change in deed.changed], last_states(done))


def without_step(done: Sequence[Deed], step: int) -> tuple[list[Wanted], dict[str, int]]:
    """One step alone; and the paths that a later step changed as well, each with that step: they stand in the way."""
    own = [deed for deed in done if deed.step == step and not deed.by_person]
    after = {change.path: change.after for deed in own for change in deed.changed}
    last = last_states(done)
    wanted = _wanted([change for deed in own for change in deed.changed], after)
    later = {
        change.path: deed.step
        for deed in done
        for change in deed.changed
        if deed.step > step and not deed.by_person and last[change.path] not in (after.get(change.path), change.before)
    }
    later = {one.path: later[one.path] for one in wanted if one.path in later and last[one.path] != one.target}
    return [one for one in wanted if last[one.path].is_as(one.left)], later


def brought_back(done: Sequence[Deed]) -> list[Wanted]:
    """What the last undo took, where it was not brought back already."""
    by_person = [deed for deed in done if deed.by_person]
    if not by_person or by_person[-1].redid:
        return []
    last = last_states(done)
    return [
        Wanted(change.path, change.before, last[change.path], others=not last[change.path].is_as(change.after))
        for change in by_person[-1].changed
    ]


@dataclass(frozen=True)
class Plan:
    """What taking back does. Each change has the state to come as `before`, the state now as `after`.

    `already`: no act is needed. `theirs`: somebody else changed it since. `lost`: what was there is not kept.
    """

    acts: tuple[FileChange, ...] = ()
    already: tuple[FileChange, ...] = ()
    theirs: tuple[FileChange, ...] = ()
    lost: tuple[str, ...] = ()


def plan(wanted: Sequence[Wanted], now: Mapping[str, FileState]) -> Plan:
    acts, already, theirs, lost = list[FileChange](), list[FileChange](), list[FileChange](), list[str]()
    for one in wanted:
        change = FileChange(path=one.path, before=one.target, after=now[one.path])
        if change.after.is_as(one.target):
            already.append(FileChange(path=one.path, before=one.target, after=one.left))
        elif not one.target.kept:
            lost.append(one.path)
        elif one.others or not change.after.is_as(one.left):
            theirs.append(change)
        else:
            acts.append(change)
    return Plan(tuple(acts), tuple(already), tuple(theirs), tuple(lost))


def within(wanted: Sequence[Wanted], paths: Sequence[str]) -> list[Wanted]:
    """Those at these paths or in these folders; all where none are given."""
    return [one for one in wanted if not paths or any(holds(path, one.path) for path in paths)]


def holds(folder: str, path: str) -> bool:
    return folder in (".", path) or path.startswith(f"{folder}/")


def step_of(call_id: str) -> int:
    return int(call_id.partition(".")[0])


def changes_json(changes: Sequence[FileChange]) -> str:
    """As `changed_artifact` holds them."""
    return _CHANGES.dump_json(tuple(changes)).decode()


def changes_of(
    event: CommandFinished | FilesChanged | FilesUndone, artifact: Callable[[str], str]
) -> tuple[FileChange, ...]:
    """What it did to the workspace, also where that is a list beside the journal."""
    if not event.changed_artifact:
        return event.changed
    try:
        return _CHANGES.validate_json(artifact(event.changed_artifact), strict=False)
    except ValidationError:
        raise JournalCorrupt(f"artifacts/{event.changed_artifact}: is no list of changes") from None


def _unrecorded(done: Sequence[Deed], undone: Sequence[FileChange]) -> tuple[FileChange, ...]:
    last = last_states(done)
    made = (FileChange(path=one.path, before=last.get(one.path, one.after), after=one.before) for one in undone)
    return tuple(change for change in made if change.before != change.after)


def _wanted(changes: Sequence[FileChange], last: dict[str, FileState]) -> list[Wanted]:
    found: dict[str, Wanted] = {}
    at: dict[str, FileState] = {}
    for change in changes:
        first = found.setdefault(change.path, Wanted(change.path, change.before, last[change.path]))
        if change.path in at and not at[change.path].is_as(change.before):
            found[change.path] = replace(first, others=True)
        at[change.path] = change.after
    return sorted((one for one in found.values() if not one.target.is_as(one.left)), key=lambda one: one.path)
