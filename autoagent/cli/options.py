"""Options that `run` and `resume` share, as a typed object."""

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from autoagent.errors import ConfigError

Format = Literal["text", "json", "stream-json"]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Options:
    """What was given on the command line; None where it was not."""

    model: str | None
    base_url: str | None
    fast_model: str | None
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

    def as_settings(self) -> dict[str, Any]:
        """By the names that settings have."""
        return {
            "model": self.model,
            "base_url": self.base_url,
            "fast_model": self.fast_model,
            "temperature": self.temperature,
            "context_tokens": self.context_tokens,
            "reply_tokens": self.max_reply_tokens,
            "approve": "never" if self.continuous else self.approve,
            "limits.steps": self.max_steps,
            "limits.cost": self.max_cost,
            "limits.tokens": self.max_tokens,
            "limits.time": self.max_time,
        }


_OPTIONS = [
    click.option("-m", "--model", metavar="NAME", help="Model; 'offline' is the planner without one."),
    click.option("--base-url", metavar="URL", help="Any endpoint that speaks the OpenAI API."),
    click.option("--fast-model", metavar="NAME", help="For summaries and reviews."),
    click.option("--temperature", type=float, metavar="T", help="Sampling temperature; the model's own unless given."),
    click.option("--context-tokens", type=int, metavar="N", help="Most that is sent per step, schema included."),
    click.option("-c", "--continuous", is_flag=True, help="Ask nothing; the limits stay."),
    click.option(
        "--approve",
        type=click.Choice(["every", "acts", "never"]),
        help="What is asked before it runs; never is --continuous.",
    ),
    click.option("--max-steps", "-l", "--continuous-limit", "max_steps", type=int, metavar="N", help="Default 50."),
    click.option("--max-cost", type=float, metavar="USD", help="Default 2.00 where the price is known."),
    click.option("--max-tokens", type=int, metavar="N", help="In and out, all calls."),
    click.option("--max-time", metavar="TIME", help="Working time: 90, 15m, 2h."),
    click.option("--max-reply-tokens", type=int, metavar="N", help="Of one reply; default 8192."),
    click.option(
        "--output-format",
        type=click.Choice(["text", "json", "stream-json"]),
        default="text",
        help="Of standard output: the result, one object, or events.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Events as JSON Lines (stream-json)."),
    click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the result there too."),
    click.option("-q", "quiet", is_flag=True, help="Only errors and the ending."),
    click.option("-v", "verbose", is_flag=True, help="Reasoning and token counts in full."),
    click.option("--plain", is_flag=True, help="No colour, no moving line."),
]


def with_options(function: F) -> F:
    """Give a command the shared options; it receives them as `options: Options`."""

    @wraps(function)
    def call(**given: Any) -> Any:
        options = Options(**{field.name: given.pop(field.name) for field in fields(Options)})
        return function(options=options, **given)

    decorated: Any = call
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
