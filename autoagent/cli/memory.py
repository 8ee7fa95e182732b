"""`autoagent memory`: the facts that runs kept for later runs, to look at, to forget, to take along."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click

from autoagent.cli.page import Page, print_bytes, print_json, table
from autoagent.env import Memory
from autoagent.errors import ConfigError
from autoagent.places import memories_file
from autoagent.recall import Store
from autoagent.terminal.header import warn_line
from autoagent.terminal.inert import inert
from autoagent.terminal.layout import Line, labelled, line, one_line
from autoagent.terminal.look import choose_look

SHOWN = 50  # facts; the others with --all
LONGEST = 4_000  # characters of a fact
FROM_OUTSIDE = "outside"

_workspace = click.option(
    "-w", "-C", "--workspace", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    help="Only what a run in this folder would be offered.",
)  # fmt: skip
_json = click.option("--json", "as_json", is_flag=True, help="All that is known of each, as a JSON array.")


@click.group("memory", invoke_without_command=True)
@click.pass_context
def memory(ctx: click.Context) -> None:
    """What runs kept for later runs: facts with date, run and source.

    A later run is offered those that matter for its goal. What was learned after text from outside was read is
    marked "outside", and taints the run that it is offered to.
    """
    if ctx.invoked_subcommand is None:
        _list(_store().all(), show_all=False)


@memory.command("list")
@_workspace
@_json
@click.option("--all", "show_all", is_flag=True, help=f"Not only the newest {SHOWN}.")
def list_memories(workspace: Path | None, as_json: bool, show_all: bool) -> None:
    """List what was kept, the newest first."""
    found = _store().all(_name(workspace))
    if as_json:
        print_json([_as_json(fact) for fact in found])
    else:
        _list(found, show_all=show_all)


@memory.command("search")
@click.argument("query", nargs=-1, required=True)
@_workspace
@_json
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=10, metavar="N", help="At most so many; 10 unless given."
)
def search(query: Sequence[str], workspace: Path | None, as_json: bool, limit: int) -> None:
    """Find facts by words in their text or tags, the best first."""
    found = [one.memory for one in _store().search(" ".join(query), limit, _name(workspace))]
    if as_json:
        print_json([_as_json(fact) for fact in found])
    elif found:
        _print(found)
    else:
        sys.stderr.write("Nothing that was kept holds these words.\n")


@memory.command("show")
@click.argument("id", metavar="ID")
@_json
def show(id: str, as_json: bool) -> None:
    """Show one fact whole, with where it is from."""
    fact = _known(_store(), id)
    if as_json:
        print_json(_as_json(fact))
        return
    Page().print(*_lines(fact))


@memory.command("forget")
@click.argument("ids", nargs=-1, metavar="[ID…]")
@click.option("--all", "everything", is_flag=True, help="All that was ever kept.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(ids: Sequence[str], everything: bool, yes: bool) -> None:
    """Forget facts for good. What runs already read stays in their journals."""
    if bool(ids) == everything:
        raise ConfigError("say which facts: autoagent memory forget m12, or --all")
    store = _store()
    if everything:
        return _forget_all(store, yes=yes)
    for id in dict.fromkeys([_known(store, id).id for id in ids]):
        store.forget(id)
        Page().print(f"forgot {id}")


@memory.command("export")
@click.option("--format", "kind", type=click.Choice(["jsonl", "md"]), default="jsonl", help="JSON lines, or Markdown.")
@_workspace
def export(kind: Literal["jsonl", "md"], workspace: Path | None) -> None:
    """Write what was kept to standard output, the oldest first."""
    found = _store().all(_name(workspace))[::-1]
    if kind == "md":
        text = inert("\n".join(["# What runs kept", "", *map(_as_markdown, found)])) if found else ""
    else:
        text = "\n".join(json.dumps(_as_json(fact), ensure_ascii=False) for fact in found)
    if text:
        shown = inert(text) if sys.stdout.isatty() else text
        print_bytes(f"{shown}\n".encode("utf-8", "backslashreplace"))


def _store() -> Store:
    def warn(text: str) -> None:
        warn_line(choose_look(sys.stderr, {}, plain=True), text)

    return Store(memories_file(), warn)


def _name(workspace: Path | None) -> str | None:
    return None if workspace is None else str(workspace.resolve()).encode("utf-8", "replace").decode()


def _known(store: Store, id: str) -> Memory:
    fact = store.get(id)
    if fact is None:
        raise ConfigError(f"there is no fact {id!r}. See: autoagent memory list")
    return fact


def _forget_all(store: Store, *, yes: bool) -> None:
    many = len(store.all())
    if not many:
        sys.stderr.write("Nothing is kept.\n")
        return
    facts = "1 fact" if many == 1 else f"all {many:,} facts"
    if not yes:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise ConfigError(f"this forgets {facts}. Without a terminal it needs --yes")
        if not click.confirm(f"Forget {facts} for good?", err=True):
            return
    Page().print(f"forgot {store.forget_all():,}")


def _list(found: Sequence[Memory], *, show_all: bool) -> None:
    if not found:
        sys.stderr.write("Nothing is kept yet. Runs keep facts with the command remember.\n")
        return
    shown = found if show_all else found[:SHOWN]
    _print(shown)
    if len(shown) < len(found):
        Page().print(f"{len(found) - len(shown):,} more: autoagent memory list --all")


def _print(found: Sequence[Memory]) -> None:
    page = Page()
    rows = [("ID", "DATE", "RUN", "WHERE", "FACT")]
    rows += [(fact.id, fact.at[:10], fact.run, _where(fact), _fact(fact)) for fact in found]
    if page.narrow:
        rows = [(id, text) for id, _, _, _, text in rows]
    page.print(*table(rows, page.columns, right=(), flexible=len(rows[0]) - 1))


def _where(fact: Memory) -> str:
    """The folder's name, and whether others' words may be in it."""
    where = Path(fact.workspace).name or fact.workspace if fact.workspace else "all"
    return f"{one_line(where, 24)}, {FROM_OUTSIDE}" if fact.outside else one_line(where, 24)


def _fact(fact: Memory) -> str:
    return one_line(f"{fact.text} [{', '.join(fact.tags)}]" if fact.tags else fact.text, LONGEST)


def _lines(fact: Memory) -> list[Line]:
    where = fact.workspace or "all workspaces"
    trust = "it may hold anybody's words: its run had read text from outside" if fact.outside else ""
    facts = {"Kept": f"{fact.at} by run {fact.run}", "Source": fact.source, "For": where, "Tags": ", ".join(fact.tags)}
    facts["Outside"] = trust
    told = [labelled(name, one_line(text, LONGEST), width=11) for name, text in facts.items() if text]
    return [line(f"{fact.id}  {one_line(fact.text, LONGEST)}"), *told]


def _as_json(fact: Memory) -> dict[str, Any]:
    return asdict(fact) | {"tags": list(fact.tags)}


def _as_markdown(fact: Memory) -> str:
    tags = f" · {', '.join(fact.tags)}" if fact.tags else ""
    outside = " · from outside text" if fact.outside else ""
    where = fact.workspace or "all workspaces"
    return f"- **{fact.id}** {fact.text}\n  {fact.at[:10]} · run {fact.run} · {fact.source} · {where}{tags}{outside}"
