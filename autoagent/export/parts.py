"""What is shown of an exported run, as plain values: a text is whole or says what is missing; none is escaped yet."""

from dataclasses import dataclass
from typing import Literal

from autoagent.claims import CheckedClaim, LooseFact
from autoagent.criteria import Criterion, Verdict

Kind = Literal["prose", "lines", "diff"]
Row = tuple[str, str]  # a label and what stands beside it


@dataclass(frozen=True)
class Piece:
    """A part of the result: the model's words, or a mark of ours behind what has no evidence."""

    text: str
    mark: bool = False


@dataclass(frozen=True)
class Block:
    """A longer text: prose, lines that keep their columns, or a difference. `folded`: shown when asked for."""

    label: str
    text: str
    kind: Kind = "prose"
    folded: bool = False


@dataclass(frozen=True)
class Entry:
    """One thing that happened: what the model thought, a command and what came of it, what a person said, the rest."""

    kind: Literal["thought", "command", "person", "note", "problem"]
    head: str
    facts: str = ""
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True)
class Chapter:
    """A step, or what came before the first one (0)."""

    number: int
    at: str
    facts: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class ShownCriterion:
    criterion: Criterion
    how: str  # the program checks it; "" where it is judged
    verdict: Verdict | None


@dataclass(frozen=True)
class ShownClaim:
    """A claim with the words around its quote and the step that read them, where that was found."""

    claim: CheckedClaim
    step: int = 0
    before: str = ""
    quote: str = ""
    after: str = ""


@dataclass(frozen=True)
class ShownFile:
    """What became of a file, and each difference that a person could see, with the step that made it."""

    path: str
    became: str
    steps: tuple[int, ...] = ()
    diffs: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Document:
    """A run as far as it is shown, in the order in which it is."""

    run: str
    goal: str
    status: str
    told: str
    result: tuple[Piece, ...] = ()
    criteria: tuple[ShownCriterion, ...] = ()
    evidence: str = ""
    claims: tuple[ShownClaim, ...] = ()
    loose: tuple[LooseFact, ...] = ()
    handover: tuple[Row, ...] = ()
    story: tuple[Chapter, ...] = ()
    files: tuple[ShownFile, ...] = ()
    figures: tuple[Row, ...] = ()
    facts: tuple[Row, ...] = ()
    left_out: tuple[str, ...] = ()


def source_words(claim: CheckedClaim) -> str:
    """Where a claim is from: `observation 3.1`, or its own words and the observation that holds it."""
    seen = f"observation {claim.observation}" if claim.observation else ""
    if claim.source == claim.observation or not seen:
        return seen or claim.source
    return f"{claim.source} · {seen}" if claim.source else seen
