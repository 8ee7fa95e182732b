"""Options that `run` and `resume` share, as a typed object."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from autoagent.cli.help import option
from autoagent.errors import ConfigError

if TYPE_CHECKING:
    from autoagent.rules import Action

Format = Literal["text", "json", "stream-json"]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Options:
    """What was given on the command line; None where it was not."""

    model: str | None
    base_url: str | None
    fast_model: str | None
    review_model: str | None
    escalate_model: str | None
    review: str | None
    evidence: str | None
    temperature: float | None
    context_tokens: int | None
    continuous: bool
    approve: str | None
    max_steps: int | None
    max_cost: float | None
    max_tokens: int | None
    max_time: str | None
    max_reply_tokens: int | None
    output_format: Format
    as_json: bool
    output: Path | None
    quiet: bool
    verbose: bool
    plain: bool
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    no_sandbox: bool
    sandbox_network: bool
    allow_local_network: bool
    trust: bool
    safe_mode: bool

    @property
    def rules(self) -> "tuple[tuple[Action, str], ...]":
        """Those given here; a denial counts wherever it stands."""
        given: tuple[tuple[Action, tuple[str, ...]], ...] = (("deny", self.deny), ("allow", self.allow))
        return tuple((action, text) for action, texts in given for text in texts)

    @property
    def format(self) -> Format:
        return "stream-json" if self.as_json else self.output_format

    def check_output(self) -> None:
        """Before anything is spent: can the result be written there at the end? Raises ConfigError."""
        if self.output is None:
            return
        folder = self.output.resolve().parent
        if self.output.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            raise ConfigError(f"--output {self.output}: can't be written")

    def check_trust(self) -> None:
        """Raises ConfigError for two wishes that exclude each other."""
        if self.trust and self.safe_mode:
            raise ConfigError("--safe-mode reads no settings of the folder, so there is nothing to --trust. Give one")

    def as_settings(self) -> dict[str, Any]:
        """By the names that settings have."""
        return {
            "model": self.model,
            "base_url": self.base_url,
            "fast_model": self.fast_model,
            "review_model": self.review_model,
            "escalate_model": self.escalate_model,
            "review": self.review,
            "evidence": self.evidence,
            "temperature": self.temperature,
            "context_tokens": self.context_tokens,
            "reply_tokens": self.max_reply_tokens,
            "allow_local_network": self.allow_local_network or None,
            "approve": "never" if self.continuous else self.approve,
            "unsandboxed": self.no_sandbox or None,
            "sandbox_network": self.sandbox_network or None,
            "limits.steps": self.max_steps,
            "limits.cost": self.max_cost,
            "limits.tokens": self.max_tokens,
            "limits.time": self.max_time,
        }


def _time(_ctx: click.Context, _param: click.Parameter, given: str | None) -> str | None:
    """As the settings read it: said before a run has its first line."""
    if given is not None and not re.fullmatch(r"\s*\d+(?:\.\d+)?\s*[smh]?\s*", given):
        raise click.BadParameter(f"{given!r}: write 90 (seconds), 15m or 2h")
    return given


def _amount(_ctx: click.Context, _param: click.Parameter, given: float | None) -> float | None:
    if given is not None and not 0 <= given < inf:
        raise click.BadParameter(f"{given:g} is {'less than 0' if given < 0 else 'no finite number'}")
    return given


def _size(_ctx: click.Context, _param: click.Parameter, given: int | None) -> int | None:
    if given is not None and given < 1:
        raise click.BadParameter(f"{given} is less than 1")
    return given


def _temperature(_ctx: click.Context, _param: click.Parameter, given: float | None) -> float | None:
    if given is not None and not 0 <= given <= 2:
        raise click.BadParameter(f"{given:g} is not between 0 and 2")
    return given


def _rules(_ctx: click.Context, _param: click.Parameter, given: Sequence[str]) -> tuple[str, ...]:
    if not given:
        return ()
    from autoagent.rules import check

    try:
        return tuple(check(rule) for rule in given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_OPTIONS = [
    option("Model", "-m", "--model", metavar="NAME", help="Model; 'offline' is the planner without one."),
    option("Model", "--base-url", metavar="URL", help="Any endpoint that speaks the OpenAI API."),
    option("Model", "--fast-model", metavar="NAME", rare=True, help="For summaries, criticism and hand-overs."),
    option("Model", "--review-model", metavar="NAME", rare=True, help="Judges what no command can check."),
    option("Model", "--escalate-model", metavar="NAME", rare=True, help="Asked only where the run goes in circles."),
    option(
        "Model",
        "--temperature",
        type=float,
        callback=_temperature,
        metavar="T",
        rare=True,
        help="The model's own unless given.",
    ),
    option(
        "Model",
        "--context-tokens",
        type=int,
        callback=_size,
        metavar="N",
        rare=True,
        help="Most that is sent per step.",
    ),
    option("Questions", "-c", "--continuous", is_flag=True, help="Ask nothing; the limits stay."),
    option(
        "Questions",
        "--approve",
        type=click.Choice(["every", "acts", "sandboxed", "never"]),
        metavar="MODE",
        help="What asks: every, acts, sandboxed or never.",
    ),
    option(
        "Questions",
        "--allow",
        multiple=True,
        callback=_rules,
        metavar="RULE",
        help="Never ask: host:example.org, 'shell:git log'.",
    ),
    option("Questions", "--deny", multiple=True, callback=_rules, metavar="RULE", help="Never do: 'shell:git push'."),
    option("Questions", "--sandbox-network", is_flag=True, rare=True, help="Programs may reach the network."),
    option("Questions", "--no-sandbox", is_flag=True, rare=True, help="Run programs with nothing that holds them."),
    option(
        "Questions",
        "--allow-local-network",
        is_flag=True,
        rare=True,
        help="Web commands may reach this machine's network.",
    ),
    option("Questions", "--trust", is_flag=True, rare=True, help="Use the folder's own settings, also later."),
    option(
        "Questions",
        "--safe-mode",
        is_flag=True,
        rare=True,
        help="No plugins, folder settings or own prompts.",
    ),
    option(
        "Limits",
        "-l",
        "--max-steps",
        "--continuous-limit",
        "max_steps",
        type=int,
        callback=_amount,
        metavar="N",
        help="Default 50.",
    ),
    option(
        "Limits",
        "--max-cost",
        type=float,
        callback=_amount,
        metavar="USD",
        help="Default 2.00 where the price is known.",
    ),
    option(
        "Goal",
        "--review",
        type=click.Choice(["auto", "always", "off"]),
        metavar="MODE",
        rare=True,
        help="Who judges criteria: auto, always, off.",
    ),
    option(
        "Goal",
        "--evidence",
        type=click.Choice(["require", "mark", "off"]),
        metavar="MODE",
        rare=True,
        help="Claims without: require, mark or off.",
    ),
    option("Limits", "--max-time", callback=_time, metavar="TIME", help="Working time: 90, 15m, 2h."),
    option(
        "Limits",
        "--max-tokens",
        type=int,
        callback=_amount,
        metavar="N",
        rare=True,
        help="In and out, all calls.",
    ),
    option(
        "Limits",
        "--max-reply-tokens",
        type=int,
        callback=_size,
        metavar="N",
        rare=True,
        help="Of one reply; default 8192.",
    ),
    option(
        "Output", "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Keep the result there too."
    ),
    option(
        "Output",
        "--output-format",
        type=click.Choice(["text", "json", "stream-json"]),
        default="text",
        metavar="FORMAT",
        help="text, json, or stream-json (events).",
    ),
    option("Output", "--json", "as_json", is_flag=True, rare=True, help="The same as --output-format stream-json."),
    option("Output", "-q", "quiet", is_flag=True, help="Only errors and the ending."),
    option("Output", "-v", "verbose", is_flag=True, help="Reasoning and token counts in full."),
    option("Output", "--plain", is_flag=True, rare=True, help="No colour, no moving line."),
]


def with_options(function: F) -> F:
    """Give a command the shared options; it receives them as `options: Options`."""

    @wraps(function)
    def call(**given: Any) -> Any:
        options = Options(**{field.name: given.pop(field.name) for field in fields(Options)})
        return function(options=options, **given)

    decorated: Any = call
    for add in reversed(_OPTIONS):
        decorated = add(decorated)
    return decorated
