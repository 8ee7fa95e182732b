"""What came of one task."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """`result` is what the person is told: what was found, or why nothing was. `sections` make up the report."""

    reached: bool
    result: str
    sections: tuple[str, ...] = ()
    title: str = ""
