"""The last lines of a run: how it stands, what it made, and the command that goes on."""

import re
from collections.abc import Sequence

from autoagent.budget import Limits
from autoagent.claims import RESULT, CheckedClaim, Evidence, LooseFact
from autoagent.figures import Figures
from autoagent.state import PendingCall, State
from autoagent.terminal.calls import call_lines
from autoagent.terminal.criteria import amount_words, asked_rows, asked_words, handover_rows, is_it_so_lines, undecided
from autoagent.terminal.figures import in_words, price
from autoagent.terminal.layout import GUTTER, Line, Piece, Style, foreign, labelled, line, one_line
from autoagent.terminal.look import Look
from autoagent.terminal.words import counted, duration, joined, spent

_TITLES: dict[str, tuple[str, Style, str]] = {
    "reached": ("✓", "good", "Goal reached"),
    "unreached": ("✗", "bad", "Goal not reached"),
    "stalled": ("✗", "bad", "Stalled"),
    "error": ("✗", "bad", "Error"),
    "unavailable": ("⏸", "warn", "Paused: the model did not answer"),
    "waiting": ("⏸", "warn", "Paused: y/n needed"),
    "limit": ("⏸", "warn", "Paused"),
    "paused": ("⏸", "warn", "Paused"),
}
_LIMIT = re.compile(r"(cost|step|token|time) limit: ")
_NEEDED = re.compile(r"a step needs ([\d,]+) context tokens")
_FLAGS = {"cost": "--max-cost", "step": "--max-steps", "token": "--max-tokens", "time": "--max-time"}
_UNTOLD = Figures()


def ending(look: Look, state: State, took: Figures = _UNTOLD, *, undo: str = "", more: Sequence[str] = ()) -> None:
    """The block that ends a run's screen; `more` are further commands to offer. The result is not in it (stdout).

    `undo` says what can be taken back. Also right for a run that did not come to an end: a second Ctrl-C.
    """
    look.write(line(), *_title(state, narrow=look.narrow), *_reason(state), *_question(state))
    if state.status == "reached" and not look.narrow:
        look.write(line())
    facts = _facts(state, took, undo, narrow=look.narrow)
    least, gap = (10, 1) if look.narrow else (11, 2)
    width = max([least, *(len(label) + GUTTER + gap for label, _ in facts)])
    asked = [] if look.narrow else _asked(state, look.columns - width)
    before = next((i for i, (label, _) in enumerate(facts) if label not in _MADE), len(facts))
    look.write(*(labelled(label, text, width=width) for label, text in facts[:before]))
    look.write(*(_beside("" if i else "Asked", row, width) for i, row in enumerate(asked)))
    look.write(*(labelled(label, text, width=width) for label, text in facts[before:]))
    commands = [*_next_commands(state), *more]
    for i, command in enumerate(commands):
        look.write(labelled("" if i else _next_label(state), Piece(command, "bold"), width=width))


def _title(state: State, *, narrow: bool) -> list[Line]:
    sign, style, title = _TITLES.get(state.status, ("⏸", "warn", "Interrupted"))
    found = _LIMIT.match(state.reason)
    if state.status == "limit":
        title = f"Paused: {found[1] if found else 'context'} limit"
    elif state.status == "paused" and state.reason:
        title = f"Paused: {state.reason}"
    elif state.question and _asks_person(state.question) and state.status == "waiting":
        title = "Paused: an answer is needed"
    steps = counted(state.step, "step") if state.status == "reached" else f"step {state.step}"
    told = joined(steps, duration(state.worked_s), spent(state.usage, state.limits))
    head = Piece(f"{sign} {title}", style if state.status != "reached" else "good")
    if narrow:
        return [line(head, f" · run {state.run_id}"), line(told, first=2)]
    return [line(head, f" · run {state.run_id} · {told}")]


def _reason(state: State) -> list[Line]:
    if state.status in ("reached", "waiting", "paused", "running", "new") or not state.reason:
        return _interrupted(state)
    told = _LIMIT.sub("", state.reason, count=1)
    if state.status == "limit":
        told = f"{told[:1].upper()}{told[1:]}. Nothing is lost."
    return [*foreign(told), *_interrupted(state)]


def _interrupted(state: State) -> list[Line]:
    """A command that had started and whose end nobody saw: it is never repeated in silence."""
    calls = state.pending.calls if state.pending else ()
    begun = [call for call in calls if call.started and not call.started.repeatable]
    return [
        line(Piece("! ", "warn"), f"{c.call.name}: interrupted, outcome unknown. Look first.", first=2) for c in begun
    ]


def _question(state: State) -> list[Line]:
    question = state.question
    if question is None or state.status not in ("waiting", "paused"):
        return []
    if _asks_person(question):
        return foreign(str(question.call.args.get("question", "")))
    if numbers := undecided(state):
        return is_it_so_lines(state, numbers)
    return call_lines(question.call)


_MADE = ("Made", "Moved", "Changed", "Removed")
_HANDED_OVER = 4  # lines of each list; `show` has them all


def _asked(state: State, room: int) -> list[Line]:
    """Each criterion with its proof, but for what the reason has said already."""
    return asked_rows(state, room, proofs=not (state.status == "unreached" and state.reason.startswith("Not met: ")))


def _beside(label: str, row: Line, width: int) -> Line:
    return line(Piece(label.ljust(width - GUTTER), "dim"), *row.pieces, first=GUTTER, rest=width + row.rest)


def _claims(state: State, *, narrow: bool) -> list[tuple[str, str]]:
    """`12 claims, 11 with evidence, 1 without (marked)`; what no report says itself; and what nobody looked at."""
    found, mode = state.evidence, state.setup.evidence if state.setup else "off"
    if found is None or mode == "off" or state.status in ("running", "limit", "stalled"):
        return []
    told, unmarked = found.in_words(), _unmarked(state, found) if state.status == "reached" else []
    if found.without and state.status == "reached" and not narrow:
        marks = found.without - len(unmarked)
        told += f" ({f'{marks} ' if unmarked else ''}marked)" if marks else ""
    unread = [f"{one_line(path)} was not looked up" for path in found.not_looked_up]
    facts = [f"{one_line(one.text, 60)} ({one_line(one.where)})" for one in unmarked if isinstance(one, LooseFact)]
    rows = [("Claims", told), ("Unverified", _first(facts)), ("Unread", _first(unread))]
    return [(label, row) for label, row in rows if row]


def _unmarked(state: State, found: Evidence) -> list[CheckedClaim | LooseFact | str]:
    """What has no evidence and stands without a mark: in a report that got no note, or in other words in the result."""
    from autoagent.evidence import claimed_without_evidence

    claims = [one for one in found.claims if not one.found and not claimed_without_evidence(state.result, [one])]
    facts = [one for one in found.loose if one.where not in (RESULT, *state.noted)]
    return [*claims, *facts, *filter(None, [found.problem])]


_NAMED = 6


def _first(items: Sequence[str]) -> str:
    return joined(*items[:_NAMED], f"{len(items) - _NAMED} more" if len(items) > _NAMED else "")


def _handed_over(state: State, took: Figures) -> list[tuple[str, str]]:
    """Where the run stands at a limit, and who wrote that."""
    handover = state.handover
    if handover is None or state.status != "limit" or state.handed_over != state.step:
        return []
    usage = took.by_purpose.get("handover", _UNTOLD.usage)
    cost = price(usage) if usage.cost_usd or usage.unpriced_calls else ""
    reserve = f"written from the reserve{f' ({cost})' if cost else ''}"
    by = reserve if handover.by == "model" else "a digest, made without a model"
    rows = [(label, one_line(text, 200)) for label, text in handover_rows(handover, _HANDED_OVER)]
    return [*rows, ("Notes", f"{by}: autoagent show {state.run_id}")]


def _facts(state: State, took: Figures, undo: str, *, narrow: bool) -> list[tuple[str, str]]:
    """Rows that have something to say."""
    facts: list[tuple[str, str]] = []
    changed = [path for path in state.wrote if path not in state.made]
    moved = [f"{source} → {target}" for source, target in state.moved]
    for label, paths in (("Made", state.made), ("Moved", moved), ("Changed", changed), ("Removed", state.removed)):
        if paths:
            facts.append((label, joined(*paths[:12], f"{len(paths) - 12} more" if len(paths) > 12 else "")))
    if state.draft and state.status == "paused":
        facts.append(("Asks", f"{amount_words(state.draft.criteria)} to hold at the end: your yes, or your own"))
    if narrow and state.verdicts:
        facts.append(("Asked", asked_words(state)))
    facts += _claims(state, narrow=narrow)
    if state.put_back:
        facts.append(("Protected", f"put back as it was: {joined(*state.put_back[:12])}"))
    if state.claimed and state.status != "reached":
        facts.append(("Result", f"given, not accepted: autoagent show {state.run_id}"))
    facts += _handed_over(state, took)
    if took.usage.tokens and state.setup:
        facts.append(("Model", joined(state.setup.model, in_words(took))))
    if undo:
        facts.append(("Undo", undo))
    return facts


def _next_label(state: State) -> str:
    if state.status == "reached":
        return "See"
    return "Answer" if state.question and state.status == "waiting" else "Go on"


def _next_commands(state: State) -> list[str]:
    resume = f"autoagent resume {state.run_id}"
    if state.status == "reached":
        return []
    if state.status == "limit":
        return [f"{resume} {_more(state)}"]
    if state.question and state.status == "waiting":
        word = '"your answer"' if _asks_person(state.question) else "y"
        answers = [f"autoagent answer {state.run_id} {word}", f"or  {resume}"]
        return [answers[0], f'autoagent answer {state.run_id} n "why not"'] if undecided(state) else answers
    if state.status in ("unreached", "stalled"):
        if state.setup and state.setup.model == "offline":  # rules do not change their mind
            return [f"{resume} -m NAME"]
        return [f'{resume} --message "what to do differently"', f"or  {resume} -m NAME"]
    return [resume, f"or  autoagent answer {state.run_id} y"] if state.draft else [resume]


def _more(state: State) -> str:
    """The flag that raises the limit which is used up, with about twice of it."""
    found = _LIMIT.match(state.reason)
    limits: Limits = state.limits
    match found[1] if found else "":
        case "cost":
            needed = re.search(r"could cost \$([\d.]+\d)", state.reason)
            least = 1.2 * (state.usage.cost_usd + float(needed[1])) if needed else 0.0
            return f"{_FLAGS['cost']} {max(2 * (limits.cost_usd or 0.5), least):.2g}"
        case "step":
            return f"{_FLAGS['step']} {2 * (limits.steps or 25)}"
        case "token":
            return f"{_FLAGS['token']} {2 * (limits.tokens or 50_000)}"
        case "time":
            return f"{_FLAGS['time']} {max(1, round((limits.time_s or 60) / 30))}m"
        case _:
            needed = _NEEDED.match(state.reason)
            least = int(needed[1].replace(",", "")) if needed else 0
            return f"--context-tokens {2 * max(least, state.setup.context_tokens if state.setup else 8_000)}"


def _asks_person(question: PendingCall) -> bool:
    return question.call.name == "ask_person"
