"""Amounts in words for a person: money, time, tokens."""

from autoagent.budget import Limits, Usage, dollars
from autoagent.events import Setup

DOING = {
    "step": "thinking",
    "summary": "summarising older steps",
    "review": "a critic is looking",
    "acceptance": "reviewing the result",
    "handover": "writing the hand-over",
}  # by the purpose of a call


_OFFLINE = "offline"  # the planner's name as a model


def is_planned(setup: Setup | None) -> bool:
    """Whether rules, and no language model, plan the run."""
    return bool(setup and setup.model == _OFFLINE)


def who_plans(setup: Setup | None) -> str:
    """`the model`, or `the planner` where no language model is behind it."""
    return "the planner" if is_planned(setup) else "the model"


def spent(usage: Usage, limits: Limits) -> str:
    """`$0.08 of $1.00`; `?` for what nobody knows, "" where nothing costs anything."""
    amount = dollars(usage.cost_usd)
    if usage.unpriced_calls:
        amount = f"{amount} + ?" if usage.cost_usd else "?"
    if limits.cost_usd is not None:
        return f"{amount} of {dollars(limits.cost_usd)}"
    return amount if usage.unpriced_calls or usage.cost_usd else ""


def duration(seconds: float) -> str:
    """0.8 s, 14 s, 6 min, 2 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def thousands(tokens: int) -> str:
    """412, 4.2k, 38k, 1.3M."""
    if tokens < 1_000:
        return str(tokens)
    if tokens < 9_950:
        return f"{tokens / 1_000:.1f}".removesuffix(".0") + "k"
    return f"{tokens / 1_000:.0f}k" if tokens < 999_500 else f"{tokens / 1_000_000:.1f}M"


def counted(amount: int, noun: str) -> str:
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"


def joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)
