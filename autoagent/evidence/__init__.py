"""Claims of a result looked up in what the run really read or computed: pure, from the journal alone."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from autoagent.claims import Claim, Evidence, LooseFact
from autoagent.evidence.checking import check, lines_around, place_of
from autoagent.evidence.facts import Fact, facts
from autoagent.evidence.given import Given, is_report
from autoagent.evidence.index import Index, plain_path
from autoagent.evidence.marking import claimed_without_evidence, itemised, marked
from autoagent.evidence.reads import Reads, Source, reads
from autoagent.evidence.restated import is_restated
from autoagent.evidence.values import Day

__all__ = [
    "Evidence",
    "Passage",
    "Reads",
    "Source",
    "is_report",
    "itemised",
    "look_up",
    "look_up_given",
    "look_up_safely",
    "marked",
    "passage",
    "place_of",
    "reads",
]

_CONTEXT = 2  # lines on each side of a quote
_MOST_CHARS = 1_200  # of a passage on each side of a quote in one line


def look_up(
    result: str,
    claims: Sequence[Claim],
    reads: Reads,
    *,
    reports: Mapping[str, str],
    exists: Callable[[str], bool],
    began: str = "",
) -> Evidence:
    """Each claim's quote, and each figure and name of the result and of its reports (text by file), in what was read.

    `exists` says whether there is a file of that name. `began` is when the run began, in ISO 8601: the program told the
    model that day, so it needs no other evidence. A fact that stands nowhere is listed once, but not where it
    stands in the sentence of a claim that has no evidence itself.
    """
    index, today = Index(reads, exists), _days_of(began)
    asked = frozenset(fact.key for fact in facts(reads.goal))
    checked = tuple(check(claim, reads, index) for claim in claims)
    own_files = {plain_path(path) for path in reports}
    seen, loose = dict[tuple[str, str], bool](), dict[tuple[str, str], LooseFact]()
    for where, text in (("result", result), *reports.items()):
        told = claimed_without_evidence(text, checked)
        for fact in sorted(facts(text), key=lambda fact: fact.start):
            if _is_own_file(fact, own_files) or _names_source(fact, text, reads):
                continue
            if fact.key not in seen and is_restated(fact, text, asked):
                continue
            if fact.key not in seen and not any(place.start <= fact.start < place.end for place in told):
                seen[fact.key] = bool(fact.days & today) or index.supports(fact)
                if not seen[fact.key]:
                    loose[fact.key] = LooseFact(kind=fact.kind, text=fact.text, where=where)
            elif (one := loose.get(fact.key)) and where not in (one.where, *one.also):
                loose[fact.key] = one.model_copy(update={"also": (*one.also, where)})
    return Evidence(claims=checked, loose=tuple(loose.values()), facts=len(seen))


def look_up_given(
    given: Given, reads: Reads, *, text_of: Callable[[str], str | None], exists: Callable[[str], bool]
) -> Evidence:
    """A result as a run gave it. `text_of` gives the text of a report that the journal does not hold, None for none."""
    changed = {path: text_of(path) for path in given.unknown}
    reports = {**given.reports, **{path: text for path, text in changed.items() if text is not None}}
    found = look_up(given.result, given.claims, reads, reports=reports, exists=exists, began=given.began)
    without_text = (path for path, text in changed.items() if text is None)
    return found.model_copy(update={"not_looked_up": (*without_text, *given.passed_over)})


def look_up_safely(look: Callable[[], Evidence]) -> Evidence:
    """What a look-up finds; one that fails finds that, and counts as without evidence.

    What is looked up is whatever a model wrote and pages said: an input that nobody thought of breaks a calculation, a
    conversion or the stack, and would end the run, and each that resumes it, at the same place. What is no such thing,
    as a full disk or a stop, is told as what it is.
    """
    try:
        return look()
    except (ArithmeticError, ValueError, IndexError, KeyError, RecursionError) as error:
        return Evidence(problem=f"the look-up failed ({type(error).__name__})")


def _days_of(moment: str) -> frozenset[Day]:
    """The day of a moment, as it is here and as it is in UTC."""
    if not moment:
        return frozenset()
    at = datetime.fromisoformat(moment)
    return frozenset(Day(one.year, one.month, one.day) for one in (at, at.astimezone()))


_NAMING = re.compile(r"(?:[(\[]|\b(?:from|see|sources?|observation|obs\.?|출처|관찰)[:\s]\s*)$", re.IGNORECASE)


def _names_source(fact: Fact, text: str, reads: Reads) -> bool:
    """Whether it is the id of an observation, given as where something is from: (3.1), source: 3.1."""
    known = fact.kind == "number" and reads.source(fact.text) is not None
    return known and _NAMING.search(text[max(0, fact.start - 20) : fact.start]) is not None


def _is_own_file(fact: Fact, own_files: set[str]) -> bool:
    return fact.kind == "file" and plain_path(fact.text) in own_files


class Passage(NamedTuple):
    """The lines around a place, and the place in them."""

    text: str
    start: int
    end: int
    first_line: int  # of `text`, counted from 1 in the whole


def passage(source_text: str, start: int, end: int) -> Passage:
    """The lines around a quote, for people. A very long line is cut around it."""
    lines = list(lines_around(source_text, start, end, _CONTEXT))
    first = max(lines[0][0] if lines else start, start - _MOST_CHARS)
    last = min(lines[-1][1] if lines else end, end + _MOST_CHARS)
    return Passage(source_text[first:last], start - first, end - first, source_text.count("\n", 0, first) + 1)
