"""What came of one task."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """`result` is what the person is told: what was found, or why nothing was. `sections` make up the report.

    `lacking`: there is a report, but not of all that the goal names, and why.
    """

    reached: bool
    result: str
    sections: tuple[str, ...] = ()
    title: str = ""
    lacking: str = ""
