"""`autoagent show`: what a run did, what one step was, what the model saw, and what it cost."""

import json
import sys
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from autoagent import build, stall
from autoagent.budget import Usage, dollars
from autoagent.cli.runs import NO_LIMIT, Page, print_bytes, print_json, table
from autoagent.commands import COMMANDS
from autoagent.errors import ConfigError
from autoagent.events import (
    ApprovalAsked,
    ApprovalGiven,
    CommandFinished,
    CommandStarted,
    Compacted,
    Event,
    ModelCalled,
    ModelFailed,
    ModelReplied,
    PersonSaid,
    ReviewAsked,
    RuleKept,
    RunEnded,
    RunPaused,
    RunResumed,
    RunStarted,
)
from autoagent.journal import artifact, find_run, is_live, read
from autoagent.memory import FRAMING_TOKENS, Context, build_context
from autoagent.models import Model
from autoagent.places import runs_folder
from autoagent.policy import rule_words
from autoagent.runs import call_in_short
from autoagent.settings import Settings
from autoagent.state import Observation, PendingCall, State, apply
from autoagent.terminal.calls import call_lines, diff_lines
from autoagent.terminal.ending import ending
from autoagent.terminal.inert import inert, json_escaped
from autoagent.terminal.layout import Line, Piece, cells, cut, foreign, labelled, line, one_line
from autoagent.terminal.words import counted, duration, joined, spent, thousands
from autoagent.thoughts import CommandCall, plan_mark

RESULT_COLUMNS = 28  # that what came of a step keeps beside a long command
GROUPED = 3  # steps in a row that only read are one line
LABEL = 11  # columns
ENDS = {"task_complete": "goal reached", "give_up": "gave up"}


@dataclass(frozen=True)
class Moment:
    """An event, the step that it belongs to, and the states around it.

    A step begins with the first call of the model for it, or with the compaction that it needed; 0 is the start.
    """

    event: Event
    step: int
    before: State
    after: State

    @property
    def used(self) -> Usage:
        """What the event adds to the run's usage."""
        before, after = self.before.usage, self.after.usage
        return Usage.model_construct(**{name: value - getattr(before, name) for name, value in after})


@dataclass(frozen=True)
class Row:
    """A line of the story. `reads` names the commands of a step that did nothing but read, `outcomes` what they met."""

    first: int
    last: int
    at: str
    usage: Usage
    what: str
    result: str = ""
    reads: Counter[str] = field(default_factory=Counter[str])
    outcomes: Counter[str] = field(default_factory=Counter[str])


@click.command("show")
@click.argument("run", metavar="RUN")
@click.option("--step", type=click.IntRange(min=1), metavar="N", help="One step in full: thought, commands, results.")
@click.option("--prompt", is_flag=True, help="What the model saw in that step, to the byte, and tokens by section.")
@click.option("--cost", is_flag=True, help="Every call of a model: tokens in, cached, out, dollars.")
@click.option("--json", "as_json", is_flag=True, help="The events as the journal has them, one JSON object a line.")
def show(run: str, step: int | None, prompt: bool, cost: bool, as_json: bool) -> None:
    """Show what a run did, step by step. RUN may be the start of its id, or `last`; it may be at work.

    \b
    autoagent show last
    autoagent show 7f3a --step 4
    autoagent show 7f3a --step 4 --prompt
    """
    if prompt and cost:
        raise ConfigError("--prompt and --cost are two pages: ask for one of them")
    folder = find_run(runs_folder(), run)
    story = moments(folder)
    if not story:
        raise ConfigError(f"run {folder.name} never started. Delete it: autoagent runs delete {folder.name}")
    chosen = _of_step(story, step) if step else story
    if prompt:
        _print_prompt(folder, chosen, as_json=as_json)
    elif cost:
        _print_cost(chosen, whole=not step, as_json=as_json)
    elif as_json:
        _print_events(folder, {moment.event.seq for moment in chosen})
    elif step:
        page = Page()
        page.print(*step_lines(folder, chosen, step, story[-1].after))
    else:
        _print_story(folder, story)


def moments(folder: Path) -> list[Moment]:
    """All that happened, in order. Raises JournalCorrupt."""
    found: list[Moment] = []
    state, step = State(), 0
    for event in read(folder):
        before, state = state, apply(state, event)
        if isinstance(event, ModelCalled | Compacted) and before.pending is None:
            step = before.step + 1
        found.append(Moment(event, step, before, state))
    return found


def _of_step(story: Sequence[Moment], step: int) -> list[Moment]:
    found = [moment for moment in story if moment.step == step]
    if not found:
        run, last = story[-1].after.run_id, story[-1].step
        raise ConfigError(f"run {run} has no step {step}; " + (f"its last is {last}" if last else "it has none yet"))
    return found


# The story


def _print_story(folder: Path, story: Sequence[Moment]) -> None:
    page, live, state = Page(), is_live(folder), story[-1].after
    page.print(*_head(story, live=live, columns=page.columns), "")
    rows = grouped(list(story_rows(story, live=live)))
    if rows:
        page.print(*_story_table(rows, page.columns, narrow=page.narrow))
    if state.status == "reached":
        page.print("", line("Result"), *foreign(state.result))
    if live and state.status == "running":
        page.print("", labelled("Stop", f"autoagent stop {state.run_id}", width=LABEL))
    else:
        ending(page, state)
    page.print(*_see(state, width=LABEL - page.narrow))


def _head(story: Sequence[Moment], *, live: bool, columns: int) -> list[Line]:
    state = story[-1].after
    status = state.status if live or state.status != "running" else "paused (was interrupted)"
    goal = one_line(state.goal, 2_000 if columns == NO_LIMIT else 400)
    began, ended = _when(story[0].event.at), _when(story[-1].event.at)
    day = "" if ended.date() == began.date() else f"{ended.day} {ended:%b} "
    until = f"-{day}{ended:%H:%M}" if f"{ended:%d%H%M}" != f"{began:%d%H%M}" else ""
    time = f"{began.day} {began:%b %H:%M}{until}"
    model = state.setup.model if state.setup else ""
    told = joined(time, model, spent(state.usage, state.limits), counted(state.step, "step"))
    return [line(joined(f"Run {state.run_id}", status, state.name, goal), rest=2), line(told, rest=2)]


def _see(state: State, *, width: int) -> list[Line]:
    """What else there is to look at, by commands that exist."""
    if not state.step:
        return []
    run = f"autoagent show {state.run_id}"
    return [
        labelled("See", f"{run} --step {state.step}", width=width),
        labelled("", f"{run} --step {state.step} --prompt", width=width),
        labelled("", f"{run} --cost   or  --json", width=width),
    ]


def _story_table(rows: Sequence[Row], columns: int, *, narrow: bool) -> list[str]:
    if narrow:
        short = [(_numbers(row), joined(row.what, row.result), _price(row.usage)) for row in rows]
        return table(short, columns, right=(2,), flexible=1)
    body = [(_numbers(row), f"{_when(row.at):%H:%M}", _price(row.usage), row.what, row.result) for row in rows]
    head = ("STEP", "TIME", "COST", "WHAT", "")
    if columns == NO_LIMIT:
        return table([head, *body], columns, right=(2,), flexible=3)
    fixed = sum(max(map(len, column)) for column in zip(*(row[:3] for row in [head, *body]), strict=True)) + 4 * 2
    results = min(RESULT_COLUMNS, max(cells(row.result) for row in rows))
    body = [(*row[:3], cut(row[3], max(20, columns - fixed - results)), row[4]) for row in body]
    return table([head, *body], columns, right=(2,), flexible=4)


def story_rows(story: Sequence[Moment], *, live: bool) -> Iterator[Row]:
    """What happened, a row for each step and for what came between; the last pause or end is not among them."""
    state, repeated = story[-1].after, _repetitions(story)
    for step, group in groupby(story, key=lambda moment: moment.step):
        failed: list[Moment] = []
        spent_on_summary: list[Moment] = []
        of_step = list(group)
        for moment in of_step:
            event = moment.event
            if event.type == "model_replied" and event.purpose == "summary":
                spent_on_summary.append(moment)
            lost = event.type in ("model_called", "run_resumed") and moment.used.calls
            if event.type == "model_failed" or lost:
                failed.append(moment)
            if failed and event.type not in ("model_called", "model_failed"):
                yield _failed_row(failed, answered=event.type == "model_replied")
                failed = []
            if event.type == "model_replied" and event.purpose == "step":
                yield _step_row(moment, of_step, state, repeated.get(step), live=live)
            elif moment is not story[-1] or event.type not in ("run_paused", "run_ended"):
                yield from _row_between(moment, spent_on_summary)
        if failed:
            yield _failed_row(failed, answered=False)
    if (called := state.open_call) and state.status == "running":
        doing = {"step": "thinking", "summary": "summarising older steps", "review": "a critic is looking"}
        number = story[-1].step
        told = f"since {_when(called.at):%H:%M:%S}" if live else "interrupted before the reply"
        yield Row(number, number, called.at, Usage(), doing[called.purpose], told)


def _row_between(moment: Moment, spent_on_summary: Sequence[Moment]) -> Iterator[Row]:
    """A row for an event that is no step."""
    event, used = moment.event, moment.used

    def row(what: str, result: str = "", *, number: int = 0, usage: Usage = used) -> Row:
        return Row(number, number, event.at, usage, what, result)

    match event:
        case Compacted():
            usage = sum((one.used for one in spent_on_summary), used)
            sizes = f"compacted {thousands(event.tokens_before)} to {thousands(event.tokens_after)}"
            yield row(sizes, f"kept {event.kept}", number=moment.step, usage=usage)
        case ModelReplied(purpose="review"):
            yield row("a critic looked", one_line(event.reply, 200), number=moment.step)
        case PersonSaid():
            yield row(f'{event.by} said: "{one_line(event.text, 200)}"')
        case RuleKept():
            yield row(f"{event.by} kept a rule", rule_words(event.rule))
        case RunPaused():
            yield row(f"{event.status}: {one_line(event.reason, 200)}")
        case RunEnded():
            yield row(f"{event.status}: {one_line(event.result, 200)}")
        case RunResumed():
            changed = f"changed by others: {', '.join(event.changed)}" if event.changed else ""
            yield row("resumed", one_line(changed, 200), usage=Usage())
        case _:
            return


def _failed_row(failed: Sequence[Moment], *, answered: bool) -> Row:
    """Tries of the model that brought no reply, as one row."""
    last = failed[-1].event
    problem = one_line(last.problem, 200) if isinstance(last, ModelFailed) else "its reply was not recorded"
    times = f" ×{len(failed)}" if len(failed) > 1 else ""
    usage = sum((moment.used for moment in failed), Usage())
    number = failed[0].step
    return Row(
        number, number, failed[0].event.at, usage, f"! no reply{times}: {problem}", "answered later" if answered else ""
    )


def _step_row(
    moment: Moment, of_step: Sequence[Moment], state: State, repeated: tuple[int, str, str] | None, *, live: bool
) -> Row:
    number, event = moment.step, moment.event
    observations, left = _came_of(state, number)
    calls = [o.call for o in observations if o.call] + [call.call for call in left]
    row = Row(number, number, event.at, moment.used, _what(calls))
    if isinstance(event, ModelReplied) and event.thought is None:
        return replace(row, what="! reply can't be used", result=f"asked again: {one_line(event.problem, 200)}")
    done = [o for o in observations if o.call]
    refusals = {
        m.event.call_id: m.event.reason for m in of_step if isinstance(m.event, ApprovalGiven) and not m.event.allowed
    }
    words = [_outcome(o, refusals) for o in done] + [_how_far(call, live=live) for call in left]
    outcomes = Counter(o.outcome for o in done)
    result = words[0] if len(words) == 1 else ", ".join([*_counted(outcomes, "ok"), *words[len(done) :][:1]])
    if repeated:
        count, name, told = repeated
        return replace(row, what=f"! same {name} {count} times", result=told)
    only_reads = not left and calls and all(call.name in _reading() for call in calls)
    return replace(
        row, result=result, reads=Counter(c.name for c in calls) if only_reads else Counter(), outcomes=outcomes
    )


def _came_of(state: State, number: int) -> tuple[Sequence[Observation], Sequence[PendingCall]]:
    """Observations of a step, and its calls that have none yet."""
    if state.pending and state.pending.step.number == number:
        return state.pending.step.observations, state.pending.calls
    return next((step.observations for step in state.steps if step.number == number), ()), ()


def _what(calls: Sequence[CommandCall]) -> str:
    if not calls:
        return "a thought, no command"
    if len(calls) <= 2:
        return ", ".join(call.name if call.name in ENDS else call_in_short(call) for call in calls)
    return _names(Counter(call.name for call in calls))


def _names(names: Counter[str]) -> str:
    return ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in names.items())


def _outcome(observation: Observation, refusals: dict[str, str]) -> str:
    """What came of a command, in a few words."""
    name = observation.call.name if observation.call else ""
    text = one_line(observation.text, 200)
    match observation.outcome:
        case "ok" if name in ENDS:
            return ENDS[name]
        case "ok" if name == "ask_person":
            return f'answered: "{text}"'
        case "ok":
            path = str(observation.call.args.get("path") or "") if observation.call else ""
            first = one_line(observation.text.strip("\n").split("\n")[0], 200)
            return first.removeprefix(f"{path or '.'}: ").removeprefix(path).lstrip(", ")
        case "refused" if observation.id in refusals:
            return f'no: "{one_line(refusals[observation.id], 200)}"' if refusals[observation.id] else "no"
        case "refused":
            return f"refused: {text.removeprefix('Not run. ').removeprefix('Refused: ')}"
        case "failed":
            return f"failed: {text}"
        case "unknown":
            return "interrupted, outcome unknown"
        case "skipped":
            return "not run"


def _how_far(call: PendingCall, *, live: bool) -> str:
    if call.started:
        return "running" if live else "interrupted, outcome unknown"
    if call.asked and call.allowed is None:
        return "waits for an answer"
    return "not run yet"


def _counted(outcomes: Counter[str], ok: str) -> list[str]:
    words = {"ok": ok, "unknown": "with unknown outcome", "skipped": "not run"}
    return [f"{count} {words.get(outcome, outcome)}" for outcome, count in outcomes.items()]


def grouped(rows: Sequence[Row]) -> list[Row]:
    """Three or more reading steps in a row as one row."""
    found: list[Row] = []
    for reads, group in groupby(rows, key=lambda row: bool(row.reads)):
        some = list(group)
        if not reads or len(some) < GROUPED:
            found += some
            continue
        usage = sum((row.usage for row in some), Usage())
        names = sum((row.reads for row in some), Counter[str]())
        outcomes = sum((row.outcomes for row in some), Counter[str]())
        told = ", ".join(_counted(outcomes, "read"))
        found.append(Row(some[0].first, some[-1].last, some[0].at, usage, _names(names), told))
    return found


def _repetitions(story: Sequence[Moment]) -> dict[int, tuple[int, str, str]]:
    """Steps that the loop guard spoke about: how often, which command, what was done about it."""
    found: dict[int, tuple[int, str, str]] = {}
    for moment in story:
        event, state = moment.event, moment.before
        ended = isinstance(event, RunEnded) and event.status == "stalled"
        asked = isinstance(event, ModelCalled) and event.purpose == "step"
        if (ended or asked) and state.steps and stall.warning(state):
            calls = [o.call for o in state.steps[-1].observations if o.call]
            count, name = max((stall.repetitions(state, call), call.name) for call in calls)
            told = "told to change plan" if count < stall.REFUSE else "not run again, told to review the plan"
            found[state.steps[-1].number] = count, name, "ended as stalled" if ended else told
    return found


@cache
def _reading() -> frozenset[str]:
    return frozenset(command.name for command in COMMANDS if command.effect == "reads")


def _numbers(row: Row) -> str:
    if not row.first:
        return ""
    return str(row.first) if row.first == row.last else f"{row.first}-{row.last}"


def _price(usage: Usage) -> str:
    """ "" where no model was asked."""
    if not usage.calls:
        return ""
    if usage.unpriced_calls:
        return f"{dollars(usage.cost_usd)} + ?" if usage.cost_usd else "?"
    return dollars(usage.cost_usd)


def _when(at: str) -> datetime:
    return datetime.fromisoformat(at).astimezone()


# One step


def step_lines(folder: Path, chosen: Sequence[Moment], step: int, state: State) -> list[Line]:
    """Everything of a step: what was said, asked, run and seen, whole."""
    usage = sum((moment.used for moment in chosen), Usage())
    began = _when(chosen[0].event.at)
    title = joined(
        f"Run {state.run_id}", f"step {step} of {state.step}", f"{began.day} {began:%b %H:%M:%S}", _price(usage)
    )
    lines = [line(title, rest=2)]
    for moment in chosen:
        lines += _event_lines(folder, moment)
    finished = {m.event.call_id for m in chosen if isinstance(m.event, CommandFinished)}
    observations, left = _came_of(state, step)
    for observation in observations:
        if observation.call and observation.id not in finished:
            lines += [
                line(),
                *_observation_lines(observation.id, observation.call, observation.outcome, observation.text),
            ]
    lines += [line(f"{call.id} {call.call.name}: {_how_far(call, live=is_live(folder))}") for call in left]
    blank = line()
    return [one for one, before in zip(lines, [None, *lines], strict=False) if one != blank or before != blank]


def _event_lines(folder: Path, moment: Moment) -> list[Line]:
    event = moment.event
    match event:
        case ModelReplied():
            return [line(), *_reply_lines(moment, event)]
        case ModelFailed():
            again = "" if event.wait_s is None else f"tried again after {duration(event.wait_s)}"
            return [line(), line(joined(f"! no reply: {event.problem}", again, _price(moment.used)), rest=2)]
        case Compacted():
            sizes = f"compacted {thousands(event.tokens_before)} to {thousands(event.tokens_after)} tokens"
            told = joined(
                sizes, f"by {event.by}", f"kept {event.kept}", f"steps up to {event.upto} are now this summary"
            )
            return [line(), line(told, rest=2), *foreign(event.summary)]
        case ApprovalAsked():
            scopes = [labelled("Rule", rule_words(rule), width=LABEL) for rule in event.scopes]
            head = line(f"{event.call_id} {event.call.name}: asked at {_when(event.at):%H:%M:%S} ({event.reason})")
            return [line(), head, *diff_lines(event.preview, full=True)[: None if event.preview else 0], *scopes]
        case ApprovalGiven():
            more = f"and the next {event.more}" if event.more else ""
            edited = "with edited arguments" if event.args is not None else ""
            told = joined(f"{event.call_id}: {'yes' if event.allowed else 'no'}, by {event.by}", edited, more)
            args = call_lines(CommandCall(name="edited", args=event.args), full=True) if event.args is not None else []
            return [line(told, rest=2), *args, *(foreign(event.reason) if event.reason else [])]
        case CommandFinished():
            text = artifact(folder, event.artifact) if event.artifact else event.text
            call = next((call.call for call in _pending(moment.before) if call.id == event.call_id), None)
            facts = joined(
                _took(event.seconds), f"{event.tokens:,} tokens", f"wrote {event.wrote}" if event.wrote else ""
            )
            lines = [line(), *_observation_lines(event.call_id, call, event.outcome, text, facts)]
            return [*lines, *(foreign(event.detail, indent=4) if event.detail else [])]
        case CommandStarted():
            began = f"{event.call_id} {event.call.name}: started at {_when(event.at):%H:%M:%S}"
            return [line(f"{began}, allowed by {event.allowed_by}", rest=2)]
        case PersonSaid():
            return [line(), line(f"{event.by} said"), *foreign(event.text)]
        case ReviewAsked():
            return [line(f"{event.by} asked for a critic")]
        case RuleKept():
            return [line(f"{event.by} kept a rule: {rule_words(event.rule)}", rest=2)]
        case RunPaused():
            return [line(), line(f"{event.status}: {event.reason}", rest=2)]
        case RunEnded():
            return [line(), line(f"ended: {event.status}"), *foreign(event.result)]
        case RunResumed():
            changed = f" · changed by others: {', '.join(event.changed)}" if event.changed else ""
            return [line(), line(f"resumed at {_when(event.at):%H:%M:%S}{changed}", rest=2)]
        case RunStarted() | ModelCalled():
            return []


def _took(seconds: float) -> str:
    return duration(seconds) if seconds >= 0.05 else ""


def _pending(state: State) -> Sequence[PendingCall]:
    return state.pending.calls if state.pending else ()


def _reply_lines(moment: Moment, event: ModelReplied) -> list[Line]:
    """A reply with its price: the thought and its commands, or why it could not be read, a summary, a review."""
    called, usage = moment.before.open_call, event.usage
    cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
    tokens = f"{usage.input_tokens:,} tokens in{cached}, {usage.output_tokens:,} out"
    about = "estimated" if event.usage_estimated else ""
    facts = joined(called.model if called else "", tokens, about, _took(event.seconds), _price(usage))
    lines = [labelled("Model", facts, width=LABEL)]
    if event.purpose != "step":
        text = foreign(event.reply) if event.purpose == "review" else []  # a summary is told by its compaction
        return [line(f"A {event.purpose} by the model"), *lines, *text]
    thought = event.thought
    if thought is None:
        return [*lines, line(f"! the reply can't be used: {event.problem}", rest=2), *foreign(event.reply, indent=4)]
    said = (
        ("Thought", thought.text),
        ("Why", thought.reasoning),
        ("Doubt", thought.criticism),
        ("Says", thought.speak),
    )
    plan = "\n".join(f"[{mark}] {text}" for mark, text in map(plan_mark, thought.plan))
    for label, text in (*said[:2], ("Plan", plan), *said[2:]):
        if text.strip():
            first, *more = text.strip().split("\n")
            lines += [
                labelled(label, first, width=LABEL),
                *foreign("\n".join(more), indent=LABEL)[: None if more else 0],
            ]
    for i, call in enumerate(thought.commands, 1):
        name, *args = call_lines(call, full=True)
        lines += [line(), replace(name, pieces=(Piece(f"{moment.step}.{i}  "), *name.pieces)), *args]
    return [*lines, line()]


def _observation_lines(id: str, call: CommandCall | None, outcome: str, text: str, facts: str = "") -> list[Line]:
    head = joined(f"{id} {call.name if call else 'command'}: {outcome}", facts)
    return [line(head, rest=2), *foreign(text, indent=4)]


# What the model saw


def prompt_of(folder: Path, chosen: Sequence[Moment]) -> tuple[ModelCalled, Context, Model]:
    """The last request of a step: its intent, its context made again, and the model that counts. Raises ConfigError."""
    asked = [(moment, moment.event) for moment in chosen if isinstance(moment.event, ModelCalled)]
    sent = [(moment, event) for moment, event in asked if event.purpose == "step"]
    if not sent or sent[-1][0].before.setup is None:
        raise ConfigError(f"step {chosen[-1].step} asked no model")
    moment, called = sent[-1]
    state, setup = moment.before, moment.before.setup
    assert setup
    model = build.make_model(called.model, setup, Settings({}, {}, ""), lambda _: None)
    system = artifact(folder, state.system)
    schema = json.dumps(build.make_registry(setup, lambda _: None).reply_schema())
    context = build_context(
        state,
        system,
        called.tail,
        fixed_tokens=model.count(system + schema) + FRAMING_TOKENS,
        tail_tokens=model.count(called.tail) + FRAMING_TOKENS,
    )
    return called, context, model


def _print_prompt(folder: Path, chosen: Sequence[Moment], *, as_json: bool) -> None:
    called, context, model = prompt_of(folder, [m for m in chosen if m.step == chosen[-1].step])
    step = chosen[-1].step
    replied = next(
        (m.event for m in reversed(chosen) if isinstance(m.event, ModelReplied) and m.event.purpose == "step"), None
    )
    counted_in = replied.usage.input_tokens if replied and not replied.usage_estimated else None
    if as_json:
        facts = {"run": chosen[-1].after.run_id, "step": step, "model": called.model, "sections": context.sections}
        print_json({**facts, "tokens": context.estimated, "input_tokens": counted_in, "messages": context.messages})
        return
    page = Page()
    page.print(line(joined(f"Run {chosen[-1].after.run_id}", f"step {step}", called.model, "what the model saw")), "")
    rows = [(name, f"{tokens:,}") for name, tokens in context.sections.items()]
    rows.append(("together", f"{context.estimated:,}"))
    if counted_in is not None:
        rows.append(("as the endpoint counted", f"{counted_in:,}"))
    page.print(*(f"  {text}" for text in table([("SECTION", "TOKENS"), *rows], page.columns, right=(1,), flexible=0)))
    for i, message in enumerate(context.messages, 1):
        content = message["content"]
        page.print(
            "", line(f"--- {i} of {len(context.messages)} · {message['role']} · {model.count(content):,} tokens ---")
        )
        content = inert(content) if sys.stdout.isatty() else content
        print_bytes(content.encode("utf-8", "surrogatepass") + b"\n")


# Events and cost


def _print_events(folder: Path, wanted: Container[int]) -> None:
    """The journal's own lines; on a terminal what it would obey is escaped, which keeps the JSON but not its bytes."""
    escaped = sys.stdout.isatty()
    with (folder / "journal.jsonl").open("rb") as file:
        for number, text in enumerate(file, 1):
            if number in wanted:
                print_bytes(json_escaped(text.decode()).encode() if escaped else text)


def _print_cost(chosen: Sequence[Moment], *, whole: bool, as_json: bool) -> None:
    calls = [(moment.step, *_purpose(moment), moment.used) for moment in chosen if moment.used.calls]
    if as_json:
        print_json(
            [
                {"step": step, "purpose": purpose, "model": model, **_as_json(used)}
                for step, purpose, model, used in calls
            ]
        )
        return
    state, page = chosen[-1].after, Page()
    page.print(line(joined(f"Run {state.run_id}", "calls of models"), rest=2), "")
    rows = [(str(step or ""), purpose, *_figures(used)) for step, purpose, _, used in calls]
    sums: dict[str, Usage] = {}
    for _, purpose, _, used in calls:
        sums[purpose] = sums.get(purpose, Usage()) + used
    for purpose, used in sums.items() if len(sums) > 1 else ():
        rows.append(("", f"all of {purpose}", *_figures(used)))
    total = sum(sums.values(), Usage())
    rows.append(("", counted(total.calls, "call"), *_figures(total)))
    head = ("STEP", "CALL", "IN", "CACHED", "OUT", "COST")
    page.print(*table([head, *rows], page.columns, right=(2, 3, 4, 5), flexible=1))
    if whole and state.limits.cost_usd is not None:
        page.print(line(f"{spent(state.usage, state.limits)}"))


def _purpose(moment: Moment) -> tuple[str, str]:
    """What a call was for, and its model. A call that brought no reply counts with all that was reserved for it."""
    event, called = moment.event, moment.before.open_call
    model = called.model if called else ""
    if isinstance(event, RunStarted):
        return "proposing goals", event.setup.model
    if isinstance(event, ModelReplied):
        return event.purpose, model
    return f"{called.purpose if called else 'step'}, no reply", model


def _figures(used: Usage) -> tuple[str, str, str, str]:
    return f"{used.input_tokens:,}", f"{used.cached_tokens:,}", f"{used.output_tokens:,}", _price(used)


def _as_json(used: Usage) -> dict[str, Any]:
    figures = used.model_dump()
    return figures | {"cost_usd": None if used.unpriced_calls else figures["cost_usd"]}
