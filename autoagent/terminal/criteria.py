"""Criteria, their verdicts and the evidence of a result, as a person sees them."""

from collections.abc import Sequence

from autoagent.claims import Evidence
from autoagent.criteria import STATES, Criterion, Verdict, check_words
from autoagent.events import CriteriaJudged, CriteriaSet, HandoverWritten
from autoagent.state import State
from autoagent.terminal.layout import Line, Piece, Style, labelled, line, one_line
from autoagent.terminal.words import counted

_STYLES: dict[str, Style] = {"met": "good", "unmet": "bad", "unclear": "warn", "person": "warn"}
_WORDS = {"unclear": "cannot tell", "person": "only a person can decide"}


def criterion_words(criterion: Criterion) -> str:
    """The criterion, and how the program checks it where it does."""
    how = check_words(criterion)
    if not how or criterion.text in (criterion.command, criterion.file):
        return how or criterion.text
    return f"{criterion.text} ({how})"


def set_lines(event: CriteriaSet) -> list[Line]:
    """What has to be true at the end, as it is settled."""
    if not event.criteria:
        return []
    texts = [f"{number}. {criterion_words(criterion)}" for number, criterion in enumerate(event.criteria, 1)]
    return [labelled("" if i else "Done when", text, width=13) for i, text in enumerate(texts)]


def verdict_line(criterion: Criterion | None, verdict: Verdict) -> Line:
    """`✓ prices with a date   report.md holds …`"""
    text = criterion.text if criterion else f"criterion {verdict.criterion}"
    proof = one_line(verdict.proof, 160) or _WORDS.get(verdict.state, "")
    sign = Piece(f"{STATES[verdict.state]} ", _STYLES[verdict.state])
    return line(sign, one_line(text, 200), Piece(f"  {proof}" if proof else "", "dim"), first=2, rest=4)


def judged_lines(event: CriteriaJudged, state: State) -> list[Line]:
    if not event.verdicts:
        return []
    by = {"check": "checked", "review": "reviewed", "person": "you decide"}[event.verdicts[0].by]
    return [line(f"{by}:", first=2), *verdict_lines(state.criteria, event.verdicts)]


def verdict_lines(criteria: Sequence[Criterion], verdicts: Sequence[Verdict]) -> list[Line]:
    return [
        verdict_line(criteria[verdict.criterion - 1] if verdict.criterion <= len(criteria) else None, verdict)
        for verdict in verdicts
    ]


def evidence_lines(evidence: Evidence) -> list[Line]:
    """How many claims stand on what was read, and which do not."""
    told = evidence.in_words()
    if not told:
        return []
    loose = [
        f"{claim.problem}: “{one_line(claim.quote or claim.text, 100)}”" for claim in evidence.claims if not claim.found
    ]
    loose += [f"{fact.kind} not found in what was read: {one_line(fact.text, 100)}" for fact in evidence.loose]
    return [
        line(f"{told}", first=2),
        *(line(Piece("! ", "warn"), text, first=2) for text in loose[:_SHOWN]),
        *_more(loose),
    ]


_SHOWN = 6


def _more(loose: Sequence[str]) -> list[Line]:
    return [line(f"… and {len(loose) - _SHOWN} more", first=4)] if len(loose) > _SHOWN else []


def handover_lines(event: HandoverWritten) -> list[Line]:
    """What is done, what is open, what comes next, as a limit ends the run."""
    rows = [*(("Done", text) for text in event.done), *(("Open", text) for text in event.open)]
    if event.next:
        rows.append(("Next", event.next))
    shown: list[Line] = []
    before = ""
    for label, text in rows:
        shown.append(labelled("" if label == before else label, text, width=11))
        before = label
    return shown


def asked_words(state: State) -> str:
    """`3 of 4`, how many criteria are met."""
    met = sum(verdict.state == "met" for verdict in state.verdicts)
    return f"{met} of {counted(len(state.criteria), 'criterion')}".replace("criterions", "criteria")
