"""The table of calls: every request to a model, its tokens and its price."""

from collections.abc import Sequence
from typing import Any

from autoagent.budget import Usage
from autoagent.cli.page import Page, print_json, table
from autoagent.cli.step import Moment
from autoagent.events import ModelReplied, RunStarted
from autoagent.terminal.figures import price
from autoagent.terminal.layout import line
from autoagent.terminal.words import counted, joined, spent


def print_cost(chosen: Sequence[Moment], *, whole: bool, as_json: bool) -> None:
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
    hidden = f" ({used.reasoning_tokens:,} hidden)" if used.reasoning_tokens else ""
    return f"{used.input_tokens:,}", f"{used.cached_tokens:,}", f"{used.output_tokens:,}{hidden}", price(used)


def _as_json(used: Usage) -> dict[str, Any]:
    figures = used.model_dump()
    return figures | {"cost_usd": None if used.unpriced_calls else figures["cost_usd"]}
