"""`autoagent costs`: what all runs took, by run, day, model or purpose, out of the index of runs."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from autoagent.budget import dollars
from autoagent.cli.page import Page, print_json, table
from autoagent.figures import Figures, Spent, from_text
from autoagent.places import runs_folder
from autoagent.runs import RunSummary, list_runs
from autoagent.terminal.figures import amounts, cached_share, price, seconds_in_words
from autoagent.terminal.layout import Line, labelled, one_line
from autoagent.terminal.words import counted, duration, joined, thousands

if TYPE_CHECKING:
    from autoagent.models.catalog import Price
    from autoagent.settings import Settings

SHOWN = 20  # runs; the others with --all
By = Literal["run", "day", "model", "purpose"]
PURPOSES = {
    "step": "steps",
    "summary": "compaction",
    "review": "criticism",
    "acceptance": "acceptance review",
    "handover": "hand-over",
    "goals": "proposing goals",
}
_LABEL = 12  # columns


@click.command("costs")
@click.option("--by", type=click.Choice(["run", "day", "model", "purpose"]), default="run", help="What a row is.")
@click.option("--all", "show_all", is_flag=True, help=f"Every run, not only the newest {SHOWN}.")
@click.option("--json", "as_json", is_flag=True, help="All rows and their total, as one JSON object.")
def costs(by: By, show_all: bool, as_json: bool) -> None:
    """Show what runs cost: calls, tokens, dollars, seconds, and what the provider's cache saved.

    \b
    autoagent costs
    autoagent costs --by purpose
    autoagent costs --by day --json

    COST is what was counted when each call was made, ? where nobody knows the price. SAVED is reckoned at today's
    prices: what the tokens from the provider's cache would have cost more without it. TIME is the model's, OURS that
    of commands and checks. A fork has only what it took itself: the run that it was forked from has the rest.
    """
    runs, unreadable = _runs(list_runs(runs_folder()))
    prices = Prices()
    rows = _rows(runs, by)
    total = Row("all", _all(took for _, took in runs))
    if as_json:
        found = [_as_json(row, prices, by) for row in rows]
        whole = _as_json(total, prices) | {"runs": len(runs), "unreadable_runs": unreadable}
        print_json({"by": by, "rows": found, "total": whole, "saved_at": prices.told()})
    elif not runs:
        sys.stderr.write('No run has asked a model yet. Start one: autoagent run "Summarise ./notes with sources"\n')
    else:
        page = Page()
        shown = rows if show_all or by != "run" else rows[:SHOWN]
        page.print(*_table(shown, by, prices, page.columns, narrow=page.narrow), "")
        page.print(*_footer(total, prices, len(runs), unreadable))
        if len(shown) < len(rows):
            page.print(labelled("More", f"{len(rows) - len(shown)} older runs: autoagent costs --all", width=_LABEL))


@dataclass(frozen=True)
class Row:
    name: str
    took: Figures
    run: RunSummary | None = None


class Saved(NamedTuple):
    """Dollars; with `unknown` there is more of which nobody knows the price."""

    usd: float
    unknown: bool

    def in_words(self) -> str:
        """ "" where the cache held nothing, or nothing costs anything."""
        known = dollars(self.usd) if self.usd > 0 else ""
        return " + ".join(filter(None, (known, "?" if self.unknown else "")))


class Prices:
    """Today's prices of the models that runs asked, each looked up once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Price | None] = {}

    def saved(self, spent: Iterable[Spent]) -> "Saved":
        """What cached tokens would have cost more as others."""
        sums = [self._saved(one) for one in spent if one.usage.cached_tokens]
        known = [amount for amount in sums if amount is not None]
        return Saved(sum(known, 0.0), len(known) < len(sums))

    def told(self) -> str:
        """Where the prices are from: `catalog prices of 2026-11-01 and your own prices of today`; "" without any."""
        found = [price for price in self._found.values() if price]
        origins = sorted({price.dated for price in found if price.origin == "catalog"})
        words = [f"catalog prices of {' and '.join(origins)}"] if origins else []
        words += ["your own prices of today"] if any(price.origin == "table" for price in found) else []
        return " and ".join(words)

    def _look_up(self, model: str, base_url: str) -> "Price | None":
        from autoagent.models.catalog import look_up

        return look_up(model, base_url, self._settings.prices).price

    @cached_property
    def _settings(self) -> "Settings":
        from autoagent import settings

        return settings.load(Path.cwd(), {})

    def _saved(self, one: Spent) -> float | None:
        key = (one.model, one.base_url)
        if key not in self._found:
            self._found[key] = self._look_up(*key)
        price, usage = self._found[key], one.usage
        if price is None:
            return None
        return price.cost(usage.input_tokens, 0, 0) - price.cost(usage.input_tokens, usage.cached_tokens, 0)


def _runs(found: Sequence[RunSummary]) -> tuple[list[tuple[RunSummary, Figures]], int]:
    """Runs that asked a model, the newest first, each with what it took; and how many can't be read."""
    newest = sorted(found, key=lambda run: (-run.changed_ns, run.run))
    read = [(run, from_text(run.took)) for run in newest if not run.problem]
    return [(run, took) for run, took in read if took.spent], len(newest) - len(read)


def _all(some: Iterable[Figures]) -> Figures:
    """What several runs took together."""
    found = list(some)
    return Figures(
        tuple(one for took in found for one in took.spent),
        sum(took.commands_s for took in found),
        sum(took.checks_s for took in found),
        sum(took.paused_s for took in found),
    )


def _rows(runs: Sequence[tuple[RunSummary, Figures]], by: By) -> list[Row]:
    if by == "run":
        return [Row(run.run, took, run) for run, took in runs]
    groups: dict[str, list[Spent]] = {}
    for _, took in runs:
        for one in took.spent:
            groups.setdefault(_name(one, by), []).append(one)
    rows = [Row(name, Figures(tuple(spent))) for name, spent in groups.items()]
    if by == "day":
        return sorted(rows, key=lambda row: row.name, reverse=True)
    return sorted(rows, key=lambda row: (-row.took.usage.cost_usd, -row.took.usage.tokens, row.name))


def _name(one: Spent, by: By) -> str:
    match by:
        case "day":
            return str(datetime.fromisoformat(f"{one.quarter}+00:00").astimezone().date())
        case "model":
            return one.model
        case "purpose":
            return one.purpose
        case "run":
            raise AssertionError("a run is no part of what it took")


def _table(rows: Sequence[Row], by: By, prices: Prices, columns: int, *, narrow: bool) -> list[str]:
    """Narrow: name, calls and cost only."""
    if narrow:
        short = [(_label(row, by), counted(row.took.usage.calls, "call"), price(row.took.usage)) for row in rows]
        return table(short, columns, right=(1, 2), flexible=0)
    ours = ("OURS", "GOAL") if by == "run" else ()
    head = (by.upper(), "CALLS", "IN", "CACHED", "OUT", "COST", "SAVED", "TIME", *ours)
    body = [(_label(row, by), *_cells(row, prices), *(_of_run(row) if by == "run" else ())) for row in rows]
    flexible = len(head) - 1 if by == "run" else 0
    return table([head, *body], columns, right=range(1, flexible or len(head)), flexible=flexible)


def _label(row: Row, by: By) -> str:
    return PURPOSES.get(row.name, row.name) if by == "purpose" else row.name or "?"


def _cells(row: Row, prices: Prices) -> tuple[str, ...]:
    usage = row.took.usage
    return (
        str(usage.calls),
        thousands(usage.input_tokens),
        cached_share(row.took) if usage.cached_tokens else "",
        thousands(usage.output_tokens),
        price(usage),
        prices.saved(row.took.spent).in_words(),
        duration(row.took.model_s),
    )


def _of_run(row: Row) -> tuple[str, str]:
    return duration(row.took.commands_s + row.took.checks_s), one_line(row.run.goal if row.run else "")


def _footer(total: Row, prices: Prices, runs: int, unreadable: int) -> list[Line]:
    took = total.took
    lines = [labelled("All", joined(counted(runs, "run"), amounts(took)), width=_LABEL)]
    lines.append(labelled("Time", ", ".join(seconds_in_words(took)) or "none", width=_LABEL))
    others = [f"{PURPOSES[name]} {price(usage)}" for name, usage in took.by_purpose.items() if name != "step"]
    if others:
        lines.append(labelled("Of it", ", ".join(others), width=_LABEL))
    saved = prices.saved(took.spent).in_words()
    if saved:
        at = prices.told()
        lines.append(labelled("Saved", f"{saved} by the provider's cache{f', at {at}' if at else ''}", width=_LABEL))
    if unreadable:
        lines.append(
            labelled("Left out", f"{counted(unreadable, 'run')} that can't be read: autoagent runs", width=_LABEL)
        )
    return lines


def _as_json(row: Row, prices: Prices, by: By | None = None) -> dict[str, Any]:
    """`cost_usd` and `saved_usd` are null where a price is not known; seconds of ours where a row is no run."""
    took, usage, saved = row.took, row.took.usage, prices.saved(row.took.spent)
    whole = by in (None, "run")
    return {
        **({by: row.name} if by else {}),
        **({"goal": row.run.goal, "status": row.run.status, "model": row.run.model} if row.run else {}),
        "calls": usage.calls,
        "lost_calls": took.lost,
        "input_tokens": usage.input_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cost_usd": None if usage.unpriced_calls else round(usage.cost_usd, 8),
        "unpriced_calls": usage.unpriced_calls,
        "saved_usd": None if saved.unknown else round(saved.usd, 8),
        "model_seconds": round(took.model_s, 3),
        "our_seconds": round(took.commands_s + took.checks_s, 3) if whole else None,
        "waited_seconds": round(took.paused_s, 3) if whole else None,
    }
