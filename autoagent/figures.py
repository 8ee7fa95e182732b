"""What a run took: calls, tokens, dollars and seconds, by what they were for. Pure; a fold over its events."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from autoagent.budget import Usage
from autoagent.events import (
    CommandFinished,
    CriteriaJudged,
    Event,
    EvidenceChecked,
    ModelCalled,
    ModelFailed,
    ModelReplied,
    Purpose,
    RunResumed,
    RunStarted,
    Setup,
)


class Spent(NamedTuple):
    """What calls of one model for one purpose took within a quarter of an hour: every time zone has whole ones.

    `quarter` is when it began, in UTC; "goals" are calls before the run, that proposed its goals. `lost` counts calls
    whose reply nobody saw: they count as all that was reserved for them.
    """

    quarter: str
    model: str
    base_url: str
    purpose: Purpose | Literal["goals"]
    usage: Usage
    lost: int = 0
    model_s: float = 0.0


@dataclass(frozen=True)
class Figures:
    """`model_s` are seconds waited for replies, `commands_s` those of commands, `checks_s` of our checks of a result.

    `paused_s` were waited before another try. Commands that ran side by side share the time that all took together.
    """

    spent: tuple[Spent, ...] = ()
    commands_s: float = 0.0
    checks_s: float = 0.0
    paused_s: float = 0.0

    @property
    def usage(self) -> Usage:
        return sum((one.usage for one in self.spent), Usage())

    @property
    def lost(self) -> int:
        return sum(one.lost for one in self.spent)

    @property
    def model_s(self) -> float:
        return sum(one.model_s for one in self.spent)

    @property
    def by_purpose(self) -> dict[str, Usage]:
        """What each purpose took, in the order in which they were first met."""
        sums: dict[str, Usage] = {}
        for one in self.spent:
            sums[one.purpose] = sums.get(one.purpose, Usage()) + one.usage
        return sums


def figures(events: Iterable[Event], *, own: bool = False) -> Figures:
    """Adds up to the usage of the state that these events fold to.

    `own` leaves out what a fork took over: the run that it was forked from spent that.
    """
    spent: list[Spent] = []
    shared = 0
    setup: Setup | None = None
    called: ModelCalled | None = None
    commands_s = checks_s = paused_s = 0.0

    def add(event: Event, usage: Usage, *, lost: int = 0, seconds: float = 0.0) -> None:
        model, base_url = (called.model if called else ""), (setup.base_url if setup else "")
        purpose = event.purpose if isinstance(event, ModelReplied) else called.purpose if called else "step"
        spent.append(Spent(_quarter(event.at), model, base_url, purpose, usage, lost, seconds))

    for seq, event in enumerate(events, 1):
        if own and isinstance(event, RunStarted):
            shared = event.shared_events
        if seq <= shared:
            setup = event.setup or setup if isinstance(event, RunStarted | RunResumed) else setup
            continue
        match event:
            case RunStarted():
                setup = event.setup
                if event.usage.calls:
                    spent.append(Spent(_quarter(event.at), setup.model, setup.base_url, "goals", event.usage))
            case ModelCalled():
                if called:
                    add(event, called.reserved, lost=1)
                called = event
            case ModelReplied():
                add(event, event.usage, seconds=event.seconds)
                called = None
            case ModelFailed():
                billed = called is not None and event.may_be_billed
                add(event, called.reserved if called and billed else Usage(), lost=int(billed), seconds=event.seconds)
                paused_s += event.wait_s or 0.0
                called = None
            case RunResumed():
                if called:
                    add(event, called.reserved, lost=1)
                setup, called = event.setup or setup, None
            case CommandFinished():
                commands_s += event.seconds
            case CriteriaJudged() | EvidenceChecked():
                checks_s += event.seconds
            case _:
                pass
    return Figures(_together(spent), commands_s, checks_s, paused_s)


def _quarter(at: str) -> str:
    """`2026-11-29T18:44:35.1Z` → `2026-11-29T18:30`."""
    minutes = int(at[14:16])
    return f"{at[:14]}{minutes - minutes % 15:02}"


def _together(spent: Iterable[Spent]) -> tuple[Spent, ...]:
    """One entry for all calls of the same kind, in the order in which each kind was first met."""
    found: dict[tuple[str, ...], Spent] = {}
    for one in spent:
        before = found.get(one[:4])
        found[one[:4]] = one if before is None else Spent(*one[:4], *_sums(before, one))
    return tuple(found.values())


def _sums(one: Spent, other: Spent) -> tuple[Usage, int, float]:
    return one.usage + other.usage, one.lost + other.lost, one.model_s + other.model_s


def as_text(took: Figures) -> str:
    """To be kept beside a summary of the run, and read by `from_text`."""
    spent = [[*one[:4], list(one.usage.__dict__.values()), *one[5:]] for one in took.spent]
    return json.dumps([spent, took.commands_s, took.checks_s, took.paused_s])


def from_text(text: str) -> Figures:
    """What `as_text` wrote. Raises ValueError or TypeError for anything else."""
    spent, *seconds = json.loads(text)
    names = tuple(Usage.model_fields)
    entries = (
        Spent(quarter, model, base_url, purpose, Usage(**dict(zip(names, usage, strict=True))), lost, model_s)
        for quarter, model, base_url, purpose, usage, lost, model_s in spent
    )
    return Figures(tuple(entries), *seconds)
