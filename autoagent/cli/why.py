"""Why each command of a step was allowed or stopped, as the journal has it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from autoagent.cli.page import Page, print_json, when
from autoagent.cli.step import LABEL, Moment, came_of, held_words, how_far
from autoagent.events import (
    ApprovalAsked,
    ApprovalGiven,
    CommandFinished,
    CommandStarted,
    PersonSaid,
    ReviewAsked,
    RuleKept,
)
from autoagent.places import is_live
from autoagent.rules import SCOPES, Rule
from autoagent.state import GRANTED, Observation, State
from autoagent.terminal.calls import call_lines
from autoagent.terminal.layout import Line, Piece, labelled, line, one_line
from autoagent.terminal.steps import outside_words, put_back_words, rule_words
from autoagent.terminal.words import joined
from autoagent.thoughts import CommandCall

WIDTH = LABEL + 1
_MEANS = {  # what decides without a reason of its own
    "reading": "it only reads, and only acts are asked about",
    "the workspace": "it writes in the workspace, and what is written can be put back",
    "the sandbox": "a sandbox without network holds it",
    "continuous mode": "nobody is asked; limits and sandbox hold",
    "acts": "whatever acts is asked about",
    "every command": "every command is asked about",
    "question": "the model asks the person",
    "the result": "it only ends the run",
    GRANTED: "an earlier yes was for the next commands too",
}
_RULE = ("rule: allow ", "rule: ask ", "rule: deny ")
LOOP_GUARD = "loop guard"
ALWAYS = "always: "

Decision = Literal["allow", "ask", "deny", ""]


@dataclass(frozen=True)
class Why:
    """How one command came to run or not. `decision` "" where none was needed: it never came so far.

    `outside` is what had brought text from outside into the run by then, `rules` those of the person in force.
    """

    command: Mapping[str, JsonValue]
    call_id: str
    decision: Decision = ""
    by: str = ""
    reason: str = ""
    answer: str = ""
    answered_by: str = ""
    answered_at: str = ""
    sandbox: str = ""
    outside: str = ""
    rules: tuple[str, ...] = ()
    outcome: str = ""
    put_back: str = ""


def print_why(folder: Path, chosen: Sequence[Moment], step: int, state: State, *, as_json: bool) -> None:
    found = whys(folder, chosen, step, state)
    if as_json:
        return print_json([asdict(why) for why in found])
    page = Page()
    began = when(chosen[0].event.at)
    title = joined(f"Run {state.run_id}", f"step {step} of {state.step}", f"{began.day} {began:%b %H:%M:%S}", "why")
    page.print(line(title, rest=2))
    for why in found:
        page.print(line(), *_lines(why))
    if not found:
        page.print(line(), line("It gave no command."))


def whys(folder: Path, chosen: Sequence[Moment], step: int, state: State) -> list[Why]:
    """One for each command of the step, in its order."""
    observations, left = came_of(state, step)
    found: dict[str, Why] = {}
    for observation in observations:
        if observation.call:
            found[observation.id] = _never_came_to_it(observation)
    for call in left:
        outcome = how_far(call, live=is_live(folder))
        found[call.id] = Why(call.call.model_dump(), call.id, outcome=outcome)
    for moment in chosen:
        for call_id in _concerned(moment):
            if call_id in found:
                found[call_id] = _after(found[call_id], moment)
    return [found[call_id] for call_id in sorted(found, key=_order)]


def _order(call_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in call_id.split(".") if part.isdecimal())


def _never_came_to_it(observation: Observation) -> Why:
    assert observation.call
    if observation.outcome == "ok":  # the end of the run is one event with the command that brought it
        ends = "the result"
        return Why(observation.call.model_dump(), observation.id, "allow", ends, _meaning(ends), outcome="ok")
    reason = observation.text if observation.outcome in ("skipped", "failed") else ""
    return Why(observation.call.model_dump(), observation.id, reason=reason, outcome=observation.outcome)


def _concerned(moment: Moment) -> Iterator[str]:
    event = moment.event
    match event:
        case ApprovalAsked() | ApprovalGiven() | CommandStarted() | CommandFinished():
            yield event.call_id
        case RuleKept() | ReviewAsked() | PersonSaid() if moment.before.question:
            yield moment.before.question.id
        case _:
            return


def _after(why: Why, moment: Moment) -> Why:
    """What is known once this event happened too; the first thing that decided stays the decision."""
    event, before = moment.event, moment.before
    at = replace(why, outside=outside_words(before), rules=_rules(before))
    match event:
        case ApprovalAsked():
            by = event.decided_by or event.reason
            reason = "" if event.reason == by else event.reason
            return replace(at, decision="ask", by=by, reason=reason or _meaning(by))
        case ApprovalGiven():
            return replace(why, answer=_answer(event), answered_by=event.by, answered_at=event.at)
        case RuleKept():
            begun = f"{why.answer}, " if why.answer.startswith(ALWAYS) else ALWAYS
            answer = f"{begun}{rule_words(event.action, event.rule)}"
            return replace(why, answer=answer, answered_by=event.by, answered_at=event.at)
        case PersonSaid():
            answer = f'advice instead: "{one_line(event.text)}"'
            return replace(why, answer=answer, answered_by=event.by, answered_at=event.at)
        case ReviewAsked():
            return replace(why, answer="a critic was to look first", answered_by=event.by, answered_at=event.at)
        case CommandStarted():
            by, ran = event.allowed_by, event.call.model_dump()
            if why.decision == "ask":
                return replace(why, sandbox=event.sandbox, command=ran)
            return replace(at, sandbox=event.sandbox, command=ran, decision="allow", by=by, reason=_meaning(by))
        case CommandFinished(message_id=str(sent)) if sent:
            return replace(why, answer="in words", answered_by="the person", answered_at=event.at)
        case CommandFinished(outcome="refused") if not why.answer.startswith("no"):
            reason = event.text.removeprefix("Not run. ")
            return replace(at, decision="deny", by=event.detail or LOOP_GUARD, reason=reason)
        case CommandFinished():
            return replace(why, put_back=put_back_words(event))
        case _:
            return why


def _answer(event: ApprovalGiven) -> str:
    told = "yes" if event.allowed else "no"
    more = f"and to the next {event.more} too" if event.more else ""
    edited = "with edited arguments" if event.args is not None else ""
    return joined(told, edited, more, f'"{event.reason}"' if event.reason else "")


def _meaning(by: str) -> str:
    for begin in _RULE:
        if by.startswith(begin):
            return f"a rule of yours: {by.removeprefix('rule: ')}"
    return _MEANS.get(by, "")


def _rules(state: State) -> tuple[str, ...]:
    """A person's rules as they are in force, in words."""
    kept: tuple[Rule, ...] = (*state.rules, *(state.setup.rules if state.setup else ()))
    return tuple(f"{rule_words(rule.action, rule.text)} ({SCOPES[rule.scope]})" for rule in kept)


def _lines(why: Why) -> list[Line]:
    call = CommandCall.model_validate(why.command)
    name, *args = call_lines(call)
    lines = [replace(name, pieces=(Piece(f"{why.call_id}  "), *name.pieces), first=0), *args]
    facts = {
        "Decided": f'{why.decision}, by "{why.by}"' if why.decision else "it did not come to that",
        "Because": why.reason,
        "Answered": _answered(why),
        "Held": held_words(why.sandbox) if why.sandbox else "",
        "Outside": why.outside,
        "Rules": ", ".join(why.rules),
        "Came of it": joined(why.outcome, why.put_back),
    }
    return [*lines, *(labelled(label, text, width=WIDTH + 1) for label, text in facts.items() if text)]


def _answered(why: Why) -> str:
    if why.answer:
        return f"{why.answer}, by {why.answered_by} at {when(why.answered_at):%H:%M:%S}"
    return "nobody yet" if why.decision == "ask" and why.outcome.startswith("waits") else ""
