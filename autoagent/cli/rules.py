"""`autoagent rules`: what a person has allowed or denied for good, and what that means for a shell line."""

import contextlib
import shlex
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from autoagent import rulebook, settings, shell
from autoagent.cli.completion import complete_run
from autoagent.cli.page import NO_LIMIT, Page, table
from autoagent.errors import ConfigError
from autoagent.journal import state_of
from autoagent.places import find_run, runs_folder
from autoagent.rules import LONGEST, SCOPES, Action, Asked, Rule, Scope, check_named, in_words, judge, named
from autoagent.terminal.layout import Line, cells, line, one_line

_DOES: dict[Action, str] = {"allow": "allow", "ask": "ask first", "deny": "deny"}


class _Rules(click.Group):
    """`rules RUN` is `rules list RUN`, as the screen says it where a rule is kept."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self.commands or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        return "list", self.commands["list"], args


@dataclass(frozen=True)
class _Entry:
    """A rule as it is listed; `origin` is the settings that it stands in, "" for one of the person's own file."""

    rule: Rule
    origin: str = ""


_workspace = click.option(
    "-w", "-C", "--workspace", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    default=Path(), help="The folder whose rules are meant; here unless given.",
)  # fmt: skip
_everywhere = click.option("--all", "everywhere", is_flag=True, help="For all runs, whatever their workspace.")


@click.group("rules", cls=_Rules, invoke_without_command=True)
@click.pass_context
def rules(ctx: click.Context) -> None:
    """What you allowed or denied for good. `rules RUN` shows the rules of a run.

    \b
    A rule is one of
      shell:git status     a program, its first words
      host:example.org     requests; host:*.NAME too
      write:docs/**        a file or a folder
      NAME                 a command, each call of it
      NAME:ARG=PATTERN     where an argument fits

    The first that covers a part of a command wins: the run's, the workspace's, then those for all. A deny wins
    over every allow. Rules only decide what is asked; the sandbox decides what is possible.
    """
    if ctx.invoked_subcommand is None:
        _show(Path())


@rules.command("list")
@click.argument("run", required=False, shell_complete=complete_run)
@_workspace
def list_rules(run: str | None, workspace: Path) -> None:
    """List the rules of RUN, or those for runs in this folder, with the numbers that `remove` takes."""
    if run is None:
        return _show(workspace)
    folder = find_run(runs_folder(), run)
    state = state_of(folder)
    found = [_Entry(rule) for rule in (*state.rules, *(state.setup.rules if state.setup else ()))]
    if not found:
        sys.stderr.write(f"Run {folder.name} has no rules.\n")
        return
    _print(found, numbered=False)


@rules.command("add")
@click.argument("rule", metavar="'allow|ask|deny RULE'", nargs=-1, required=True)
@_workspace
@_everywhere
def add(rule: Sequence[str], workspace: Path, everywhere: bool) -> None:
    """Keep a rule for this folder, or for all runs. It comes before the older ones."""
    scope: Scope = "all" if everywhere else "workspace"
    kept = rulebook.parse(" ".join(rule), scope)
    if why := _never_holds(kept):
        raise ConfigError(f"{kept.text!r} can't be allowed: {why}. It is always asked")
    _check_named(kept.text, workspace)
    with _writing():
        rulebook.add(scope, workspace, kept.action, kept.text)
    Page().print(_told("kept", kept))


@rules.command("remove")
@click.argument("rule", metavar="NUMBER|'allow|ask|deny RULE'", nargs=-1, required=True)
@_workspace
@_everywhere
def remove(rule: Sequence[str], workspace: Path, everywhere: bool) -> None:
    """Remove a rule, by its words or by its number in `autoagent rules list`."""
    text = " ".join(rule)
    if text.isdecimal():
        gone = _numbered(text, workspace)
    else:
        gone = rulebook.parse(text, "all" if everywhere else "workspace")
    with _writing():
        was_there = rulebook.remove(gone.scope, workspace, gone.action, gone.text)
    if not was_there:
        raise ConfigError(
            f"there is no rule {gone.action} {gone.text!r} for {SCOPES[gone.scope]}. See: autoagent rules"
        )
    Page().print(_told("removed", gone))


@rules.command("test")
@click.argument("command_line", metavar="'COMMAND LINE'")
@_workspace
def test(command_line: str, workspace: Path) -> None:
    """Say whether a shell line is allowed, asked or denied in this folder, and why.

    Nothing is run. What no rule covers is decided by the run's --approve.
    """
    kept = settings.load(workspace, {}).rules
    verdict = judge(kept, _asked(command_line))
    page = Page()
    if verdict is None:
        page.print(
            line(one_line(f"ask, unless the run says otherwise: {_why_asked(kept, command_line)}", LONGEST), rest=2)
        )
        return
    rule = verdict.rule
    page.print(
        line(one_line(f"{_DOES[verdict.action]}, by the rule {rule.text} ({SCOPES[rule.scope]})", LONGEST), rest=2)
    )


def _show(workspace: Path) -> None:
    found = _entries(workspace)
    if not found:
        sys.stderr.write("No rules yet. Keep one: autoagent rules add 'allow shell:git status'\n")
        return
    _print(found, numbered=True)


def _entries(workspace: Path) -> list[_Entry]:
    """The person's own, then those of settings that count."""
    own = rulebook.rules_of(workspace)
    loaded = settings.load(workspace, {})
    left = list(loaded.rules)
    for rule in own:
        left.remove(rule)
    return [*(_Entry(rule) for rule in own), *(_Entry(rule, "settings") for rule in left)]


def _print(found: Sequence[_Entry], *, numbered: bool) -> None:
    page = Page()
    rows: list[tuple[str, ...]] = []
    for number, entry in enumerate(found, 1):
        where = entry.origin or SCOPES[entry.rule.scope]
        rows.append((*([str(number)] if numbered else []), _DOES[entry.rule.action], entry.rule.text, where))
    fits = page.columns == NO_LIMIT or sum(max(map(cells, column)) + 2 for column in zip(*rows, strict=True)) <= (
        page.columns + 2
    )
    if fits:
        page.print(*table(rows, NO_LIMIT, right=(), flexible=len(rows[0]) - 2))
        return
    for row in rows:  # a rule is never cut: its end may be what matters
        page.print(line(one_line("  ".join(row), LONGEST), rest=4))


def _numbered(number: str, workspace: Path) -> Rule:
    found = _entries(workspace)
    at = int(number) - 1 if len(number) < 9 else -1
    if not 0 <= at < len(found):
        raise ConfigError(f"there is no rule number {number}. See: autoagent rules")
    if found[at].origin:
        raise ConfigError(f"rule {number} stands in the settings: remove it there. See: autoagent config")
    return found[at].rule


@contextlib.contextmanager
def _writing() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{rulebook.book_path()}: can't be written: {error.strerror}") from None


def _told(did: str, rule: Rule) -> Line:
    words = in_words(rule.text)
    beside = "" if rule.text == f"shell:{words}" else f" ({rule.text})"
    return line(one_line(f"{did} for {SCOPES[rule.scope]}: {_DOES[rule.action]} {words}{beside}", LONGEST), rest=2)


def _never_holds(rule: Rule) -> str:
    """Why a rule that allows would cover no command at all."""
    if rule.action != "allow" or not rule.text.startswith("shell:"):
        return ""
    return shell.why_never(rule.text.removeprefix("shell:").split()[0])


def _check_named(text: str, workspace: Path) -> None:
    """Raises ConfigError for a command that neither is built in nor comes with a plugin of the settings."""
    if not named(text):
        return
    from autoagent import build

    known, _ = build.nameable(settings.load(workspace, {}).get("plugins", ()))
    try:
        check_named(text, known)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _asked(text: str) -> Asked:
    return Asked("run_shell", {"command": text}, "executes", lines=(text,))


def _why_asked(kept: Sequence[Rule], text: str) -> str:
    if why := shell.why_not(text):
        return why
    for words in shell.parts(text) or ():
        if judge(kept, _asked(shlex.join(words))) is None:
            out = next((f": {word} is not in the workspace" for word in words if shell.leads_out(word)), "")
            return f"no rule covers {shlex.join(words)}{out}"
    return "no rule covers it"
