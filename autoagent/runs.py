"""All runs, one line each: what their journals add up to, in an index that may be thrown away at any time.

Nothing heavy is imported while the index is fresh: pydantic alone would double the time that a list takes.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from autoagent import __version__
from autoagent.errors import AutoagentError, JournalTooNew
from autoagent.places import is_live, reaching

if TYPE_CHECKING:
    from autoagent.state import State
    from autoagent.thoughts import CommandCall

INDEX = "index.sqlite"  # beside the folder of the runs
MAKER = f"{__version__} 4"  # summaries of another version are made anew; count up when their meaning changes
GOAL_CHARS, QUESTION_CHARS = 2_000, 300
INTERRUPTED = "was interrupted"
_MAIN = ("path", "command", "url", "query", "question", "source", "code", "id", "paths", "text")
Stamp = tuple[int, int]  # size and mtime in ns of a journal


class RunSummary(NamedTuple):
    """A run in a line. `status` is a word of CONTRACT; `problem` says why the journal can't be read, "" where it can.

    `question` is what a person is asked: "y/n: write_file report.md" or "asks: Which vendor?". `since` is when the
    status began, `changed_ns` when the journal last grew. `cost` is in words, `cost_usd` without unpriced calls.
    `took` is for `figures.from_text`: most readers leave it as it is. It and `own_cost_usd` are without what a fork
    took over, so that they can be added up over runs.
    """

    run: str
    status: str = "error"
    note: str = ""
    problem: str = ""
    goal: str = ""
    name: str = ""
    question: str = ""
    steps: int = 0
    tokens: int = 0
    cost: str = "?"
    cost_usd: float = 0.0
    own_cost_usd: float = 0.0
    unpriced_calls: int = 0
    model: str = ""
    workspace: str = ""
    started_at: str = ""
    since: str = ""
    changed_ns: int = 0
    took: str = ""


def list_runs(runs: Path) -> list[RunSummary]:
    """Every run: those that wait for a person, then those at work, then the others, the newest first.

    A run whose process died is `paused` with the note that it was interrupted: that is what can be done with it.
    """
    stamps = dict(_stamps(runs))
    if not stamps:
        with contextlib.suppress(OSError):
            (runs.parent / INDEX).unlink()
        return []
    found = [_as_it_stands(runs, summary, stamps) for summary in _summaries(runs, stamps)]
    first = {"waiting": 0, "running": 1}
    return sorted(found, key=lambda run: (first.get(run.status, 2), -run.changed_ns, run.run))


def summarise(folder: Path) -> RunSummary:
    """The run's journal in a line, read whole. Raises OSError; damage is told in `problem`."""
    try:
        return _folded(folder)
    except AutoagentError as error:
        word = "newer" if isinstance(error, JournalTooNew) else "damaged"
        told = str(error).removeprefix(f"{folder / 'journal.jsonl'}: ")
        return RunSummary(folder.name, problem=f"{word}: {told}")
    except (OSError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  # whatever one journal holds, the other runs are listed
        return RunSummary(folder.name, problem=f"damaged: {type(error).__name__}: {error}")


def _folded(folder: Path) -> RunSummary:
    from autoagent.figures import as_text, figures
    from autoagent.journal import read
    from autoagent.state import State, apply

    state, since, events = State(), "", list(read(folder))
    for event in events:
        state = apply(state, event)
        if event.type in ("run_started", "run_resumed", "run_paused", "run_ended", "approval_asked"):
            since = event.at
    own = figures(events, own=True)
    return _summary(folder.name, state, since)._replace(took=as_text(own), own_cost_usd=own.usage.cost_usd)


def call_in_short(call: "CommandCall") -> str:
    """A command by its name and its main argument: `write_file report.md`."""
    given = {name: value for name, value in call.args.items() if value is not None}
    value = next((given[name] for name in _MAIN if name in given), next(iter(given.values()), ""))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(f"{call.name} {text[:QUESTION_CHARS]}".split())


def _summary(run: str, state: "State", since: str) -> RunSummary:
    if state.setup is None:
        return RunSummary(run, problem="damaged: it has no start")
    usage, question = state.usage, _question(state)
    return RunSummary(
        run=run,
        status="waiting" if question and state.status == "running" else state.status,
        goal=state.goal if len(state.goal) <= GOAL_CHARS else f"{state.goal[:GOAL_CHARS]}…",
        name=state.name,
        question=question,
        steps=state.step,
        tokens=usage.tokens,
        cost=_cost(usage.cost_usd, usage.unpriced_calls),
        cost_usd=usage.cost_usd,
        unpriced_calls=usage.unpriced_calls,
        model=state.setup.model,
        workspace=state.setup.workspace,
        started_at=state.started_at,
        since=since,
    )


def _question(state: "State") -> str:
    if state.question is None or state.status not in ("running", "waiting"):
        return ""
    call = state.question.call
    if call.name == "ask_person":
        return f"asks: {' '.join(str(call.args.get('question', '')).split())[:QUESTION_CHARS]}"
    return f"y/n: {call_in_short(call)}"


def _cost(cost_usd: float, unpriced_calls: int) -> str:
    from autoagent.budget import dollars

    if unpriced_calls:
        return f"{dollars(cost_usd)} + ?" if cost_usd else "?"
    return dollars(cost_usd)


def _as_it_stands(runs: Path, summary: RunSummary, stamps: Mapping[str, Stamp]) -> RunSummary:
    summary = summary._replace(changed_ns=stamps[summary.run][1])
    if summary.status == "running" and not is_live(runs / summary.run):
        return summary._replace(status="paused", note=INTERRUPTED)
    return summary


def _stamps(runs: Path) -> Iterator[tuple[str, Stamp]]:
    with contextlib.suppress(FileNotFoundError), reaching(runs):
        for entry in os.scandir(runs):
            with contextlib.suppress(OSError):
                found = (runs / entry.name / "journal.jsonl").stat()
                if found.st_size:  # an empty one is a run that is just being made
                    yield entry.name, (found.st_size, found.st_mtime_ns)


def _summaries(runs: Path, stamps: Mapping[str, Stamp]) -> Iterator[RunSummary]:
    """A summary of every run: out of the index where the journal is as it was then, else made anew and kept."""
    with contextlib.closing(_open_index(runs.parent / INDEX)) as index:
        known, gone = _known(index)
        made: list[tuple[Any, ...]] = []
        for run, stamp in stamps.items():
            summary = known.get((run, stamp))
            if summary is None:
                try:
                    summary = summarise(runs / run)
                except OSError as error:
                    yield RunSummary(run, problem=f"damaged: {error.strerror}")
                    continue
                made.append((run, *stamp, MAKER, json.dumps(summary._asdict())))
            yield summary
        forget = [(run,) for run in gone - stamps.keys()]
        if made or forget:
            with contextlib.suppress(sqlite3.Error), index:  # a list without an index is only slower
                index.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)", made)
                index.executemany("DELETE FROM runs WHERE run = ?", forget)


def _known(index: sqlite3.Connection) -> tuple[dict[tuple[str, Stamp], RunSummary], set[str]]:
    """Summaries by run and stamp, and the names of all runs that the index has."""
    known: dict[tuple[str, Stamp], RunSummary] = {}
    names: set[str] = set()
    with contextlib.suppress(sqlite3.Error):
        for run, size, mtime_ns, maker, summary in index.execute(
            "SELECT run, size, mtime_ns, maker, summary FROM runs"
        ):
            names.add(run)
            if maker == MAKER:
                with contextlib.suppress(ValueError, TypeError):
                    known[run, (size, mtime_ns)] = RunSummary(**json.loads(summary))
    return known, names


def _open_index(path: Path) -> sqlite3.Connection:
    """The index; a damaged one is made anew, and where none can be kept it lives in memory."""
    for _ in range(2):
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            return _connect(str(path))
        except (sqlite3.OperationalError, OSError):  # read-only, or held by another list
            break
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
    return _connect(":memory:")


def _connect(path: str) -> sqlite3.Connection:
    index = sqlite3.connect(path, timeout=0.2)
    try:
        index.execute("PRAGMA synchronous = OFF")  # it can be made anew
        index.execute("PRAGMA secure_delete = ON")  # the goal of a deleted run is gone
        index.execute(
            "CREATE TABLE IF NOT EXISTS runs"
            " (run TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, maker TEXT, summary TEXT)"
        )
    except sqlite3.Error:
        index.close()
        raise
    return index
