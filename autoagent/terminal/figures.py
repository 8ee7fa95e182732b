"""What a run took, in one line for a person."""

from autoagent.budget import Usage, dollars
from autoagent.figures import Figures
from autoagent.terminal.words import counted, duration, joined, thousands


def in_words(took: Figures) -> str:
    """`23 calls · 412k tokens in, 71 % from cache · 18k out · $0.41 · model 95 s, commands 12 s`; "" without calls."""
    return joined(amounts(took), ", ".join(seconds_in_words(took))) if took.usage.calls else ""


def amounts(took: Figures) -> str:
    """Calls, tokens and dollars: `?` where nobody knows them, left out where nothing costs anything."""
    usage = took.usage
    hidden = f" ({thousands(usage.reasoning_tokens)} hidden)" if usage.reasoning_tokens else ""
    at_most = f" at most: {counted(took.lost, 'call')} without a reply, counted in full" if took.lost else ""
    cached = f", {cached_share(took)} from cache" if usage.cached_tokens else ""
    return joined(
        counted(usage.calls, "call"),
        f"{thousands(usage.input_tokens)} tokens in{cached}",
        f"{thousands(usage.output_tokens)} out{hidden}{at_most}",
        price(usage) if usage.cost_usd or usage.unpriced_calls else "",
    )


def price(usage: Usage) -> str:
    """`$0.41`; `?` for what nobody knows, "" where no model was asked."""
    if not usage.calls:
        return ""
    if usage.unpriced_calls:
        return f"{dollars(usage.cost_usd)} + ?" if usage.cost_usd else "?"
    return dollars(usage.cost_usd)


def cached_share(took: Figures) -> str:
    """`71 %` of the tokens in; "" where there were none."""
    usage = took.usage
    return f"{100 * usage.cached_tokens // usage.input_tokens} %" if usage.input_tokens else ""


def seconds_in_words(took: Figures) -> list[str]:
    """`model 95 s`, `commands 12 s`, …: only what takes a tenth of a second."""
    named = (
        ("model", took.model_s),
        ("commands", took.commands_s),
        ("checks", took.checks_s),
        ("waits", took.paused_s),
    )
    return [f"{name} {duration(seconds)}" for name, seconds in named if seconds >= _TELLABLE]


_TELLABLE = 0.05  # seconds; less is 0.0 s
