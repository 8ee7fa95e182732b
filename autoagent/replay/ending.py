"""What a record has to hold before a result counts as reached: all that its setup asks for. Pure."""

from collections.abc import Iterator, Sequence

from autoagent.criteria import Verdict
from autoagent.events import CriteriaJudged, CriteriaSet, Event, EvidenceChecked, ModelReplied, Setup
from autoagent.state import State


def missing(state: State, before: Sequence[Event], call_id: str, *, can_judge: bool) -> str:
    """What would have come before the end that `call_id` brings, in the words of a difference; "" where nothing.

    `before` is all that was recorded up to the end; without `can_judge` nothing here reviews, a person is asked.
    """
    setup = state.setup
    assert setup is not None
    return next(_missing(state, setup, before, call_id, can_judge=can_judge), "")


def unasked(judged: CriteriaJudged, before: Sequence[Event]) -> bool:
    """Whether these are verdicts of a review of whose reply the record knows nothing."""
    reviews, replied = 0, False
    for event in before:
        if isinstance(event, CriteriaJudged) and event.round > reviews:
            reviews, replied = event.round, False
        elif isinstance(event, ModelReplied) and event.purpose == "acceptance":
            replied = True
    by_review = any(verdict.by == "review" for verdict in judged.verdicts)
    return by_review and judged.round > reviews and not replied


def _missing(state: State, setup: Setup, before: Sequence[Event], call_id: str, *, can_judge: bool) -> Iterator[str]:
    criteria, reviewed = dict(enumerate(state.criteria, 1)), setup.review != "off"
    if not criteria and reviewed and can_judge and not any(isinstance(event, CriteriaSet) for event in before):
        yield "criteria_set: the goal itself is judged"
    judged = [event for event in before if isinstance(event, CriteriaJudged)]
    for_this = [event for event in judged if event.call_id == call_id]
    checked = {verdict.criterion for event in for_this if not event.round for verdict in event.verdicts}
    for number in (number for number, one in criteria.items() if one.checkable and number not in checked):
        yield f"criteria_judged {call_id}: criterion {number} is checked first"
    found = [event for event in before if isinstance(event, EvidenceChecked) and event.call_id == call_id]
    if setup.evidence != "off" and not found:
        yield f"evidence_checked {call_id}: the result is looked up first"
    answered = {verdict.criterion for event in for_this if event.round for verdict in event.verdicts}
    for number in (number for number, one in criteria.items() if not one.checkable and number not in answered):
        if reviewed:
            yield f"criteria_judged {call_id}: criterion {number} is reviewed first"
    if criteria and setup.review == "always" and not any(event.round for event in for_this):
        yield f"criteria_judged {call_id}: the checks are reviewed first"
    newest: dict[int, Verdict] = {verdict.criterion: verdict for event in judged for verdict in event.verdicts}
    for number in (number for number in criteria if number in newest and newest[number].state != "met"):
        yield f"not reached: criterion {number} is {newest[number].state}"
    if setup.evidence == "require" and found and found[-1].evidence.without:
        yield f"not reached: {found[-1].evidence.in_words()}"
