"""What the lines of a step say: pure functions from events and state to lines."""

from autoagent import stall
from autoagent.ask import TRIES
from autoagent.events import CommandFinished, Compacted, ModelFailed, ModelReplied
from autoagent.state import Observation, State
from autoagent.terminal.layout import Line, Piece, Style, cells, cut, foreign, labelled, line, one_line
from autoagent.terminal.words import duration, joined, spent, thousands
from autoagent.thoughts import Thought, plan_mark

_PLAN_SIGNS = {"x": "✓", ">": "●", " ": "○"}
_PLAN_ROW = 66  # cells; a plan that takes more stands one item a line
_OUTCOMES: dict[str, tuple[str, Style]] = {
    "ok": ("✓", "good"),
    "failed": ("✗", "bad"),
    "refused": ("✗", "bad"),
    "unknown": ("!", "warn"),
    "skipped": ("-", "dim"),
}


def step_rule(state: State, columns: int, *, narrow: bool) -> Line:
    """`Step 4 ───── $0.08 of $1.00 · 4 of 50 steps · 2 min`"""
    title = f"Step {state.step} "
    of = state.limits.steps
    steps = (f"{state.step}/{of}" if narrow else f"{state.step} of {of} steps") if of else ""
    parts = [spent(state.usage, state.limits), steps, duration(state.worked_s)]
    while len(parts) > 1 and cells(title + joined(*parts)) + 6 > columns:
        parts.pop()
    told = joined(*parts)
    fill = "─" * max(3, columns - cells(title) - cells(told) - 1)
    return line(Piece(title, "bold"), Piece(f"{fill} ", "dim"), told)


def thought_lines(thought: Thought, *, narrow: bool, verbose: bool) -> list[Line]:
    lines = [part for text in dict.fromkeys((thought.text, thought.speak)) if text.strip() for part in foreign(text)]
    if thought.reasoning.strip() and verbose:
        first, *more = thought.reasoning.strip().split("\n")
        lines += [labelled("Why", first), *(line(text, first=9) for text in more)]
    elif thought.reasoning.strip() and not narrow:
        lines.append(labelled("Why", one_line(thought.reasoning)))
    lines += _plan_lines(thought.plan, narrow=narrow)
    if thought.criticism.strip():
        doubt = one_line(thought.criticism, 2_000 if verbose else 400)
        lines.append(line(Piece("Doubt: ", "dim"), doubt, first=2) if narrow else labelled("Doubt", doubt))
    return lines


def _plan_lines(plan: tuple[str, ...], *, narrow: bool) -> list[Line]:
    items = [(mark, one_line(text, 200)) for mark, text in map(plan_mark, plan) if text.strip()]
    if not items:
        return []
    signed = [f"{_PLAN_SIGNS[mark]} {text}" for mark, text in items]
    if narrow:
        done = sum(mark == "x" for mark, _ in items)
        now = next((text for mark, text in items if mark == ">"), "")
        told = joined(f"{done}/{len(items)}", f"now: {now}" if now else "")
        return [line(Piece("Plan ", "dim"), told, first=2)]
    if sum(map(cells, signed)) < _PLAN_ROW:
        return [labelled("Plan", "  ".join(signed))]
    return [labelled("" if i else "Plan", text) for i, text in enumerate(signed)]


def reply_lines(event: ModelReplied, state: State, *, narrow: bool, verbose: bool) -> list[Line]:
    """What the model said: a thought, why it could not be read, or a critic's review."""
    lines: list[Line] = []
    if event.purpose == "review":
        lines = [line(Piece("Critic", "bold"), first=2), *foreign(event.reply)]
    elif event.thought:
        lines = thought_lines(event.thought, narrow=narrow, verbose=verbose)
    elif event.purpose == "step":
        problem = one_line(event.problem)
        lines = [line(Piece("! ", "warn"), f"the reply can't be used, nothing ran, asked again: {problem}")]
    if verbose:
        usage = event.usage
        cached = f" ({thousands(usage.cached_tokens)} from cache)" if usage.cached_tokens else ""
        tokens = f"{usage.input_tokens:,} tokens in{cached} · {usage.output_tokens:,} out"
        lines.append(line(Piece(joined(tokens, duration(event.seconds)), "dim"), first=2))
    return lines


def failure_lines(event: ModelFailed, state: State) -> list[Line]:
    """`! waiting 12 s: rate limit, try 2 of 6`; what pauses the run is told by its ending."""
    if event.too_long:
        return [line(Piece("! ", "warn"), "the context was too long for the model")]
    if event.wait_s is None:
        return []
    return [line(Piece("! ", "warn"), f"waiting {event.wait_s:.0f} s: {failure_words(event, state)}")]


def failure_words(event: ModelFailed, state: State) -> str:
    return f"{one_line(event.problem, 300)}, try {state.failures + 1} of {TRIES}"


def compacted_line(event: Compacted, state: State) -> Line:
    """`compacted 38k to 9k · kept goal, plan, the newest step · steps 1-9 summarised; in full: autoagent show 7f3a`"""
    sizes = f"compacted {thousands(event.tokens_before)} to {thousands(event.tokens_after)}"
    last = max((step.number for step in state.steps[: event.upto]), default=0)
    by = "summarised" if event.by == "model" else "in short, without a model"
    dropped = f"steps 1-{last} {by}; in full: autoagent show {state.run_id}"
    return line(joined(sizes, f"kept {event.kept}", dropped), first=2)


def find_observation(state: State, call_id: str) -> Observation | None:
    steps = [state.pending.step] if state.pending else []
    steps += reversed(state.steps[-3:])
    return next((o for step in steps for o in step.observations if o.id == call_id), None)


def result_line(event: CommandFinished, state: State, columns: int, *, verbose: bool) -> Line:
    """`✓ read_file 0.1 s · 12 lines · # Notes…`, on one row where all went well."""
    observation = find_observation(state, event.call_id)
    name = observation.call.name if observation and observation.call else "command"
    sign, style = _OUTCOMES[event.outcome]
    took = f" {duration(event.seconds)}" if event.seconds >= 0.05 or verbose else ""
    head = f"{name}{took}"
    tokens = f"{event.tokens:,} tokens" if verbose else ""
    match event.outcome:
        case "ok":
            lines = event.text.strip("\n").split("\n")
            return line(
                Piece(f"{sign} ", style), cut(joined(head, tokens, one_line(lines[0])), columns - cells(sign) - 4)
            )
        case "failed":
            return line(Piece(f"{sign} ", style), joined(head, tokens, one_line(event.text, 300)))
        case "refused" | "skipped":
            return line(
                Piece(f"{sign} ", style), f"{name} not run: {one_line(event.text, 300).removeprefix('Not run. ')}"
            )
        case "unknown":
            return line(Piece(f"{sign} ", style), f"{name}: interrupted, outcome unknown. Look first.")


def loop_lines(state: State) -> list[Line]:
    """The loop guard in words, once a step that repeated itself is over."""
    if state.pending or not stall.warning(state):
        return []
    calls = [o.call for o in state.steps[-1].observations if o.call]
    count, name = max((stall.repetitions(state, call), call.name) for call in calls)
    told = "told to change plan" if count < stall.REFUSE else "not run again, told to review the plan"
    return [line(Piece("! ", "warn"), f"same {name} {count} times, same result · {told}")]
