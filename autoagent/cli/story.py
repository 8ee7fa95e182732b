"""The table of steps: what a run did, a row for each step and for what came between."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby

from autoagent import stall
from autoagent.budget import Usage
from autoagent.cli.page import NO_LIMIT, table, when
from autoagent.cli.step import Moment, came_of, how_far, kept, whose
from autoagent.commands import COMMANDS
from autoagent.criteria import STATES
from autoagent.events import (
    ApprovalGiven,
    Compacted,
    CriteriaJudged,
    CriteriaSet,
    EvidenceChecked,
    FilesChanged,
    FilesUndone,
    HandoverWritten,
    ModelCalled,
    ModelFailed,
    ModelReplied,
    NetworkAllowed,
    PersonSaid,
    RuleKept,
    RunEnded,
    RunPaused,
    RunResumed,
)
from autoagent.runs import call_in_short
from autoagent.state import Observation, State
from autoagent.terminal.criteria import WRITERS, judged_words
from autoagent.terminal.figures import price
from autoagent.terminal.layout import cells, cut, one_line
from autoagent.terminal.steps import kept_words, noted_words, what_changed
from autoagent.terminal.words import DOING, counted, joined, thousands
from autoagent.thoughts import CommandCall

RESULT_COLUMNS = 28  # that what came of a step keeps beside a long command
GROUPED = 3  # steps in a row that only read are one line
ENDS = {"task_complete": "goal reached", "give_up": "gave up"}
REJECTED = "not accepted"


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


def story_table(story: Sequence[Moment], columns: int, *, live: bool, narrow: bool) -> list[str]:
    """No lines where nothing was done yet; narrow without a head and TIME."""
    rows = _grouped(list(_rows(story, live=live)))
    if not rows:
        return []
    if narrow:
        short = [(_numbers(row), joined(row.what, row.result), price(row.usage)) for row in rows]
        return table(short, columns, right=(2,), flexible=1)
    body = [(_numbers(row), f"{when(row.at):%H:%M}", price(row.usage), row.what, row.result) for row in rows]
    head = ("STEP", "TIME", "COST", "WHAT", "")
    if columns == NO_LIMIT:
        return table([head, *body], columns, right=(2,), flexible=3)
    fixed = sum(max(map(len, column)) for column in zip(*(row[:3] for row in [head, *body]), strict=True)) + 4 * 2
    results = min(RESULT_COLUMNS, max(cells(row.result) for row in rows))
    body = [(*row[:3], cut(row[3], max(20, columns - fixed - results)), row[4]) for row in body]
    return table([head, *body], columns, right=(2,), flexible=4)


def _rows(story: Sequence[Moment], *, live: bool) -> Iterator[Row]:
    """What happened, a row for each step and for what came between; the last pause or end is not among them."""
    state, repeated = story[-1].after, _repetitions(story)
    for step, group in groupby(story, key=lambda moment: moment.step):
        failed: list[Moment] = []
        asked_for: list[Moment] = []  # replies that another event tells of
        of_step = list(group)
        for moment in of_step:
            event = moment.event
            if event.type == "model_replied" and event.purpose in ("summary", "acceptance", "handover"):
                asked_for.append(moment)
            lost = event.type in ("model_called", "run_resumed") and moment.used.calls
            if event.type == "model_failed" or lost:
                failed.append(moment)
            if failed and event.type not in ("model_called", "model_failed"):
                yield _failed_row(failed, answered=event.type == "model_replied")
                failed = []
            if event.type == "model_replied" and event.purpose == "step":
                yield _step_row(moment, of_step, state, repeated.get(step), live=live)
            elif moment is not story[-1] or event.type not in ("run_paused", "run_ended"):
                yield from _row_between(moment, asked_for)
            if event.type in ("compacted", "criteria_judged", "handover_written"):
                asked_for = []
        if failed:
            yield _failed_row(failed, answered=False)
    if (called := state.open_call) and state.status == "running":
        number = story[-1].step
        told = f"since {when(called.at):%H:%M:%S}" if live else "interrupted before the reply"
        yield Row(number, number, called.at, Usage(), DOING[called.purpose], told)


def _row_between(moment: Moment, asked_for: Sequence[Moment]) -> Iterator[Row]:
    """A row for an event that is no step; `asked_for` are calls of the model that it came of."""
    event, used = moment.event, moment.used
    with_calls = sum((one.used for one in asked_for), used)

    def row(what: str, result: str = "", *, number: int = 0, usage: Usage = used) -> Row:
        return Row(number, number, event.at, usage, what, result)

    match event:
        case Compacted():
            sizes = f"compacted {thousands(event.tokens_before)} to {thousands(event.tokens_after)}"
            yield row(sizes, kept(event), number=moment.step, usage=with_calls)
        case ModelReplied(purpose="review"):
            yield row("a critic looked", one_line(event.reply, 200), number=moment.step)
        case PersonSaid():
            yield row(f'{event.by} said: "{one_line(event.text, 200)}"')
        case CriteriaSet(criteria=[]):
            return
        case CriteriaSet():
            yield row(
                f"done when, by {whose(event, moment.after)}", one_line("; ".join(c.text for c in event.criteria), 200)
            )
        case CriteriaJudged():
            if (told := _first_open(event, moment.after)) or event.round:
                yield row(judged_words(event), told, number=moment.step, usage=with_calls)
        case EvidenceChecked():
            if event.evidence.without:
                yield row("evidence looked up", event.evidence.in_words(), number=moment.step)
        case HandoverWritten():
            told = joined(f"{len(event.done)} done", f"{len(event.open)} open", f"by {WRITERS[event.by]}")
            yield row("hand-over written", told, number=moment.step, usage=with_calls)
        case NetworkAllowed():
            yield row(f"{event.by}: programs may reach the network")
        case RuleKept():
            yield row(f"{event.by}: a rule", kept_words(event))
        case FilesChanged():
            count = counted(len(event.changed), "file") if event.changed else "many files"
            if told := noted_words(event):
                yield row(told, number=moment.step)
                return
            yield row(what_changed(moment.before), f"changed {count}", number=moment.step)
        case FilesUndone():
            count = counted(len(event.changed), "file") if event.changed else "many files"
            yield row(f"{event.by}: files {'brought back' if event.redo else 'taken back'}", count)
        case RunPaused():
            yield row(f"{event.status}: {one_line(event.reason, 200)}")
        case RunEnded():
            yield row(f"{event.status}: {one_line(event.result, 200)}")
        case RunResumed():
            changed = f"changed by others: {', '.join(event.changed)}" if event.changed else ""
            yield row("resumed", one_line(changed, 200), usage=Usage())
        case _:
            return


def _first_open(event: CriteriaJudged, state: State) -> str:
    """`✗ one page per vendor`: the first that is not met; "" where all are."""
    open_one = next((one for one in event.verdicts if one.state != "met"), None)
    if open_one is None or open_one.criterion > len(state.criteria):
        return ""
    return f"{STATES[open_one.state]} {one_line(state.criteria[open_one.criterion - 1].text, 200)}"


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
    moment: Moment, of_step: Sequence[Moment], state: State, repeated: tuple[str, str] | None, *, live: bool
) -> Row:
    number, event = moment.step, moment.event
    observations, left = came_of(state, number)
    calls = [o.call for o in observations if o.call] + [call.call for call in left]
    row = Row(number, number, event.at, moment.used, _what(calls))
    if isinstance(event, ModelReplied) and event.thought is None:
        return replace(row, what="! reply can't be used", result=f"asked again: {one_line(event.problem, 200)}")
    done = [o for o in observations if o.call]
    refusals = {
        m.event.call_id: m.event.reason for m in of_step if isinstance(m.event, ApprovalGiven) and not m.event.allowed
    }
    rejected = any(isinstance(m.event, RunEnded) and m.event.claimed for m in of_step)
    words = [REJECTED if rejected and _ends(o) else _outcome(o, refusals) for o in done] + [
        how_far(call, live=live) for call in left
    ]
    outcomes = Counter(o.outcome for o in done)
    result = words[0] if len(words) == 1 else ", ".join([*_counted(outcomes, "ok"), *words[len(done) :][:1]])
    if repeated:
        same, told = repeated
        return replace(row, what=f"! {same}", result=told)
    only_reads = not left and calls and all(call.name in _reading() for call in calls)
    return replace(
        row, result=result, reads=Counter(c.name for c in calls) if only_reads else Counter(), outcomes=outcomes
    )


def _ends(observation: Observation) -> bool:
    return bool(observation.call and observation.call.name == "task_complete")


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
        case "failed" if name == "task_complete":
            return REJECTED  # the row of what failed says why
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


def _counted(outcomes: Counter[str], ok: str) -> list[str]:
    words = {"ok": ok, "unknown": "with unknown outcome", "skipped": "not run"}
    return [f"{count} {words.get(outcome, outcome)}" for outcome, count in outcomes.items()]


def _grouped(rows: Sequence[Row]) -> list[Row]:
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


def _repetitions(story: Sequence[Moment]) -> dict[int, tuple[str, str]]:
    """Steps that the loop guard spoke about: what was repeated how often, what was done about it."""
    found: dict[int, tuple[str, str]] = {}
    for moment in story:
        event, state = moment.event, moment.before
        ended = isinstance(event, RunEnded) and event.status == "stalled"
        asked = isinstance(event, ModelCalled) and event.purpose == "step"
        if (ended or asked) and (repeated := stall.loop(state)):
            found[state.steps[-1].number] = repeated.in_short, repeated.done_about_it
    return found


@cache
def _reading() -> frozenset[str]:
    return frozenset(command.name for command in COMMANDS if command.effect == "reads")


def _numbers(row: Row) -> str:
    if not row.first:
        return ""
    return str(row.first) if row.first == row.last else f"{row.first}-{row.last}"
