"""What came of one task."""

from dataclasses import dataclass

from autoagent.claims import Claim
from autoagent.models.offline.documents import Passage
from autoagent.models.offline.recheck import Recheck


@dataclass(frozen=True)
class Outcome:
    """`result` is what the person is told: what was found, or why nothing was. `sections` make up the report.

    `lacking`: there is a report, but not of all that the goal names, and why. `quoted` are the passages that stand in
    it, those that answer first; `rechecks` are programs that work its figures out anew, `unchecked` the files of
    figures that none can. `worked_out`: what those programs printed.
    """

    reached: bool
    result: str
    sections: tuple[str, ...] = ()
    title: str = ""
    lacking: str = ""
    quoted: tuple[Passage, ...] = ()
    rechecks: tuple[Recheck, ...] = ()
    unchecked: tuple[str, ...] = ()
    worked_out: tuple[Claim, ...] = ()
