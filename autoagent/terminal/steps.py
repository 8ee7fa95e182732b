"""What the lines of a step say: pure functions from events and state to lines."""

import re
from collections.abc import Sequence

from autoagent import rules, stall
from autoagent.ask import TRIES
from autoagent.events import CommandFinished, Compacted, FileChange, FilesChanged, ModelFailed, ModelReplied, RuleKept
from autoagent.rules import Action
from autoagent.runs import call_in_short
from autoagent.state import Observation, State
from autoagent.terminal.layout import Line, Piece, Style, cells, cut, foreign, labelled, line, one_line
from autoagent.terminal.words import counted, duration, joined, spent, thousands, who_plans
from autoagent.thoughts import Thought, plan_mark

_PLAN_SIGNS = {"x": "✓", ">": "●", " ": "○"}
OUTSIDE_RULES = ("outside text", "new addresses")  # by which the policy asks or refuses because of foreign words
SHORT_OUTPUT, END_OF_OUTPUT, MORE_OUTPUT = 3, 6, 24  # lines of what a program wrote
NAMED_FILES = 6
_NOTE = re.compile(r"\[(Clipped\.|Changed: |Put back |Changed, obeyed ).*\]")  # of ours, behind the output
_SENTENCES = re.compile(r"[.?!] ")
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


def thought_lines(
    thought: Thought, before: Thought | None = None, *, narrow: bool, verbose: bool = False
) -> list[Line]:
    """What the model thinks; why and doubt only where they are others than in the thought shown `before`."""
    was = before if before and not verbose else Thought(commands=())
    lines = [part for text in dict.fromkeys((thought.text, thought.speak)) if text.strip() for part in foreign(text)]
    reasoning = "" if thought.reasoning == was.reasoning else thought.reasoning
    if reasoning.strip() and verbose:
        first, *more = reasoning.strip().split("\n")
        lines += [labelled("Why", first), *(line(text, first=9) for text in more)]
    elif reasoning.strip() and not narrow:
        lines.append(labelled("Why", one_line(reasoning)))
    lines += _plan_lines(thought.plan, was.plan, narrow=narrow)
    if thought.criticism.strip() and thought.criticism != was.criticism:
        doubt = one_line(thought.criticism, 2_000 if verbose else 400)
        lines.append(line(Piece("Doubt: ", "dim"), doubt, first=2) if narrow else labelled("Doubt", doubt))
    return lines


def _plan_lines(plan: tuple[str, ...], before: tuple[str, ...], *, narrow: bool) -> list[Line]:
    """Each item with its sign; on one short line where the items are those of `before`, whose signs may be others."""
    items = [(mark, one_line(text, 200)) for mark, text in map(plan_mark, plan) if text.strip()]
    if not items:
        return []
    signed = [f"{_PLAN_SIGNS[mark]} {text}" for mark, text in items]
    one_row = sum(map(cells, signed)) < _PLAN_ROW
    known = [text for _, text in map(plan_mark, plan)] == [text for _, text in map(plan_mark, before)]
    if narrow or (known and not one_row):
        done = sum(mark == "x" for mark, _ in items)
        now = next((text for mark, text in items if mark == ">"), "")
        told = joined(f"{done}/{len(items)}", f"now: {now}" if now else "")
        return [line(Piece("Plan ", "dim"), told, first=2) if narrow else labelled("Plan", told)]
    if one_row:
        return [labelled("Plan", "  ".join(signed))]
    return [labelled("" if i else "Plan", text) for i, text in enumerate(signed)]


def reply_lines(
    event: ModelReplied, state: State, before: Thought | None = None, *, narrow: bool, verbose: bool
) -> list[Line]:
    """What the model said: a thought, why it could not be read, or a critic's review."""
    lines: list[Line] = []
    if event.purpose == "review":
        lines = [line(Piece("Critic", "bold"), first=2), *foreign(event.reply)]
    elif event.thought:
        lines = thought_lines(event.thought, before, narrow=narrow, verbose=verbose)
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
    problem = one_line(event.problem, 300).rstrip(".")
    return f"{problem}{';' if _SENTENCES.search(problem) else ','} try {state.failures + 1} of {TRIES}"


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


def noted_words(event: FilesChanged) -> str:
    """`a note at the end of report.md names what has no evidence`; "" where it is another change."""
    paths = [one_line(change.path) for change in event.changed] if event.note else []
    return f"a note at the end of {', '.join(paths)} names what has no evidence" if paths else ""


def what_changed(state: State) -> str:
    """Whose change it is that no command made."""
    ends = state.pending and state.pending.calls[0].call.name == "task_complete"
    return "the check of the end" if ends else "programs in the background"


def result_lines(event: CommandFinished, state: State, columns: int, *, verbose: bool) -> list[Line]:
    """`✓ read_file 0.1 s · 12 lines · # Notes…`, on one row where all went well; why a refusal had to be."""
    observation = find_observation(state, event.call_id)
    name = observation.call.name if observation and observation.call else "command"
    sign, style = _OUTCOMES[event.outcome]
    head = _took(name, event, verbose=verbose)
    tokens = f"{event.tokens:,} tokens" if verbose else ""
    match event.outcome:
        case "ok":
            told = joined(head, tokens, one_line(event.text.strip("\n").split("\n")[0]))
            return [line(Piece(f"{sign} ", style), cut(told, columns - cells(sign) - 4))]
        case "failed" if name == "task_complete" and (state.evidence or state.verdicts):
            return [line(Piece(f"{sign} ", style), f"not accepted yet; {who_plans(state.setup)} reads why")]
        case "failed":
            return [line(Piece(f"{sign} ", style), joined(head, tokens, one_line(event.text, 300)))]
        case "refused" | "skipped":
            told = f"{name} not run: {one_line(event.text, 300).removeprefix('Not run. ')}"
            because = f"text from outside: {outside_words(state)}" if event.detail in OUTSIDE_RULES else ""
            reason = [line(Piece(because, "dim"), first=4, rest=6)] if because else []
            return [line(Piece(f"{sign} ", style), told), *reason]
        case "unknown":
            return [line(Piece(f"{sign} ", style), f"{name}: interrupted, outcome unknown. Look first.")]


def program_lines(
    event: CommandFinished, state: State, changed: Sequence[FileChange], columns: int, *, verbose: bool
) -> list[Line]:
    """`✓ run_shell 1.2 s · exit code 0 · changed 3 files`, the end of what it wrote where that helps, the files."""
    after = [*changed_lines(changed), *put_back_lines(event)]
    if event.outcome not in ("ok", "failed"):
        return [*result_lines(event, state, columns, verbose=verbose), *after]
    observation = find_observation(state, event.call_id)
    name = observation.call.name if observation and observation.call else "program"
    sign, style = _OUTCOMES[event.outcome]
    ended, output = _ended_and_output(event.text)
    files = f"changed {counted(len(changed), 'file')}" if changed else ""
    short = len(output) <= SHORT_OUTPUT or event.outcome == "failed" or verbose
    amount = counted(len(output), "line") if not short else "no output" if ended == "exit code 0" and not output else ""
    tokens = f"{event.tokens:,} tokens" if verbose else ""
    told = joined(_took(name, event, verbose=verbose), one_line(ended, 300), files, amount, tokens)
    shown = MORE_OUTPUT if verbose else END_OF_OUTPUT if short else 0
    return [
        line(Piece(f"{sign} ", style), told),
        *_output_lines(output, event, state, columns, shown),
        *after,
    ]


def _took(name: str, event: CommandFinished, *, verbose: bool) -> str:
    return f"{name} {duration(event.seconds)}" if event.seconds >= 0.05 or verbose else name


def _ended_and_output(text: str) -> tuple[str, list[str]]:
    """How a program ended, and the lines that it wrote."""
    ended, *output = text.rstrip("\n").split("\n")
    while output and _NOTE.fullmatch(output[-1]):
        output.pop()
    if output == ["(no output)"]:
        output = []
    return ended.partition(". What it wrote")[0], output


def _output_lines(output: list[str], event: CommandFinished, state: State, columns: int, most: int) -> list[Line]:
    """The last lines of what a program wrote, each on one row."""
    if not most or not output:
        return []
    more = len(output) - most
    where = f"autoagent show {state.run_id} --step {event.call_id.partition('.')[0]}"
    head = [line(Piece(f"[{counted(more, 'more line')}: {where}]", "dim"), first=4)] if more > 0 else []
    return head + [line(Piece(cut(text, columns - 5), "dim"), first=4, rest=4) for text in output[-most:]]


def changed_lines(changed: Sequence[FileChange]) -> list[Line]:
    """`    a.py, b.py (new), c.txt (gone) · undoable`"""
    if not changed:
        return []
    more = len(changed) - NAMED_FILES
    names = ", ".join(file_words(change) for change in changed[:NAMED_FILES])
    lost = [change.path for change in changed if not change.before.kept]
    undo = f"{counted(len(lost), 'file')} not undoable: {', '.join(lost[:2])}" if lost else "undoable"
    told = joined(names + (f" and {more:,} more" if more > 0 else ""), undo)
    return [line(told, first=4, rest=6)]


def file_words(change: FileChange) -> str:
    """`b.py (new)`"""
    name = f"{change.path}/" if "folder" in (change.before.kind, change.after.kind) else change.path
    if change.after.kind == "absent":
        return f"{name} (gone)"
    return f"{name} (new)" if change.before.kind == "absent" else name


def put_back_words(event: CommandFinished) -> str:
    """What a program changed although other programs obey it, and what became of that; "" where it changed none."""
    if event.put_back:
        return f"put back as it was, since other programs obey it: {', '.join(event.put_back)}"
    notes = [text for text in event.text.split("\n") if text.startswith("[Changed, obeyed ")]
    return f"c{notes[-1].strip('[]')[1:]}" if notes and event.outcome != "refused" else ""


def put_back_lines(event: CommandFinished) -> list[Line]:
    told = put_back_words(event)
    return [line(Piece("! ", "warn"), told)] if told else []


_DOES: dict[Action, str] = {"allow": "", "ask": "ask first: ", "deny": "never: "}


def rule_words(action: Action, text: str) -> str:
    """`never: git push`"""
    return f"{_DOES[action]}{rules.in_words(text)}"


def kept_words(event: RuleKept) -> str:
    """`kept for this run: requests to example.org`"""
    return f"kept for {rules.SCOPES[event.scope]}: {rule_words(event.action, event.rule)}"


def outside_words(state: State) -> str:
    """`3.1 browse example.org/page`: what brought text from outside into the run, "" where nothing did."""
    steps = [*state.steps, *([state.pending.step] if state.pending else [])]
    known = (o.call for step in steps for o in step.observations if o.id == state.outside)
    call = next(known, None)
    return f"{state.outside} {one_line(call_in_short(call), 120)}" if call else state.outside


def outside_line(state: State, *, narrow: bool) -> Line:
    """From which moment on the run is guarded, by what, and what that means for the person."""
    alone = bool(state.setup and state.setup.approve == "never")
    meaning = f"what could send data out {'is refused' if alone else 'needs your yes'}"
    if state.setup and state.setup.sandbox_network:
        meaning += ", programs too, unless a rule allows them: --allow 'shell:NAME'"
    begin = "outside text read" if narrow else "text from outside was read"
    return line(Piece("! ", "warn"), f"{begin} ({outside_words(state)}): from here on {meaning}")


def skipped_lines(state: State) -> list[Line]:
    """The commands of a step that did not run, since one before them failed or was refused."""
    if state.pending or not state.steps:
        return []
    skipped = [o.call.name for o in state.steps[-1].observations if o.call and o.outcome == "skipped"]
    return [line(Piece(f"- {name} not run, after the one before it", "dim")) for name in skipped]


def loop_lines(state: State) -> list[Line]:
    """The loop guard in words, once a step that repeated itself is over."""
    found = stall.loop(state)
    if found is None:
        return []
    same = f"{found.in_short}, same result" if found.kind == "call" else found.in_short
    return [line(Piece("! ", "warn"), joined(same, found.done_about_it))]
