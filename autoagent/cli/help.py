"""Help in groups that fits one screen: what is seldom needed stands only under --help-all."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import click

Group = Literal["Goal", "Model", "Questions", "Limits", "Output"]
GROUPS: tuple[Group, ...] = ("Goal", "Model", "Questions", "Limits", "Output")
NARROW = 64  # columns; below it each option has a line of its own
F = TypeVar("F", bound=Callable[..., Any])
_ALL = "autoagent.help_all"


class Option(click.Option):
    """An option that stands in a group of the help; a `rare` one only under --help-all."""

    def __init__(self, *args: Any, group: Group, rare: bool = False, **attrs: Any):
        super().__init__(*args, **attrs)
        self.group, self.rare = group, rare


def option(group: Group, *names: str, rare: bool = False, **attrs: Any) -> Callable[[F], F]:
    """`click.option`, for a command whose class is `Command`."""
    return click.option(*names, cls=Option, group=group, rare=rare, **attrs)


class Command(click.Command):
    """A command whose options are shown in groups, with `examples` below."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **attrs: Any):
        super().__init__(*args, **attrs)
        self.examples = examples
        self.params.append(
            click.Option(
                ["--help-all"], is_flag=True, expose_value=False, is_eager=True, callback=_show_all, help="All options."
            )
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        whole = ctx.meta.get(_ALL, False)
        options = [param for param in self.get_params(ctx) if isinstance(param, Option)]
        shown = {one: _record(one, ctx, whole=whole) for one in options if whole or not one.rare}
        width = max((len(names) for names, _ in shown.values()), default=0) if formatter.width >= NARROW else 0
        for group in GROUPS:
            rows = [(names.ljust(width), text) for one, (names, text) in shown.items() if one.group == group]
            if rows:
                with formatter.section(group):
                    formatter.write_dl(rows, col_max=max(10, width))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {example}\n" for example in self.examples))
        if not ctx.meta.get(_ALL, False):
            formatter.write(f"\nAll options: {ctx.command_path} --help-all\n")


def _record(one: Option, ctx: click.Context, *, whole: bool) -> tuple[str, str]:
    """The option's names and its words; of several names the first of each length, unless `whole`."""
    told, text = one.get_help_record(ctx) or ("", "")
    if whole:
        return told, text
    short, long = [n for n in one.opts if not n.startswith("--")], [n for n in one.opts if n.startswith("--")]
    value = told.rpartition((long or short)[-1])[2]
    return ", ".join([*short[:1], *long[:1]]) + value, text


def _show_all(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        ctx.meta[_ALL] = True
        click.echo(ctx.get_help())
        ctx.exit()
