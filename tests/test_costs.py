"""`autoagent costs`: what runs took, by run, day, model and purpose."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support import World

from autoagent.budget import Usage
from autoagent.cli.costs import costs as command
from autoagent.events import CommandFinished, CommandStarted, Compacted, Event, ModelCalled, ModelReplied, RunStarted
from autoagent.journal import Journal
from autoagent.runs import list_runs
from autoagent.testing import ModelServer, done, thought
from autoagent.thoughts import CommandCall, Thought

LOOK = CommandCall(name="list_files", args={})
KNOWN, UNKNOWN = "gpt-4o-mini", "nobody-knows"
PRICES = f'prices."{KNOWN}" = {{input = 2, output = 10, cached = 1}}\n'
ROW = {
    "calls", "lost_calls", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost_usd",
    "unpriced_calls", "saved_usd", "model_seconds", "our_seconds", "waited_seconds",
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path, monkeypatch)
    config = tmp_path / "config/autoagent/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(PRICES)
    return made


def costs(*args: str, **environ: str) -> str:
    result = CliRunner().invoke(command, args, env=environ)
    assert result.exception is None, result.exception
    return result.stdout or result.stderr


def costs_apart(*args: str, **environ: str) -> str:
    """In a process of its own."""
    line = [sys.executable, "-m", "autoagent", "costs", *args]
    return subprocess.run(line, capture_output=True, text=True, env={**os.environ, **environ}, check=True).stdout


def as_json(*args: str, **environ: str) -> dict[str, Any]:
    return json.loads(costs(*args, "--json", **environ))


def kept(world: World, run: str, *events: Event, model: str = KNOWN, goal: str = "Compare") -> Path:
    setup = {"model": model, "base_url": "https://a.example/v1", "context_tokens": 8_000, "reply_tokens": 500}
    folder = world.state / "autoagent/runs" / run
    started = {"run_id": run, "goal": goal, "setup": {**setup, "workspace": str(world.workspace)}, "limits": {}}
    with Journal(folder) as journal:
        journal.append(RunStarted.model_validate({**started, "system": "", "nonce": "n", "version": "1"}))
        for event in events:
            journal.append(event)
    return folder


def call(
    model: str = KNOWN, *, at: str = "2026-11-29T10:00:00.000Z", purpose: Any = "step", priced: bool = True
) -> list[Event]:
    usage = Usage(
        calls=1, input_tokens=1_000_000, cached_tokens=500_000, output_tokens=1_000,
        cost_usd=1.51 if priced else 0, unpriced_calls=not priced,
    )  # fmt: skip
    thought = Thought(commands=(LOOK,)) if purpose == "step" else None
    return [
        ModelCalled(at=at, purpose=purpose, model=model, tail="", estimated_tokens=1, reserved=Usage(calls=1)),
        ModelReplied(at=at, purpose=purpose, reply="{}", usage=usage, seconds=30.0, thought=thought, said="x"),
    ]


def step(number: int, **options: Any) -> list[Event]:
    id = f"{number}.1"
    return [
        *call(**options),
        CommandStarted(call_id=id, call=LOOK, allowed_by="reading"),
        CommandFinished(call_id=id, outcome="ok", text="", seconds=4.0),
    ]


def test_each_run_is_a_row_the_newest_first_and_the_sum_stands_below(world: World) -> None:
    old = kept(world, "aaaa", *step(1), goal="시장 조사")
    kept(world, "bbbb", *step(1), *step(2))
    os.utime(old / "journal.jsonl", ns=(1, 1))
    head, first, second, _, *rest = costs(COLUMNS="100").splitlines()
    assert head.split() == ["RUN", "CALLS", "IN", "CACHED", "OUT", "COST", "SAVED", "TIME", "OURS", "GOAL"]
    assert first.split() == ["bbbb", "2", "2.0M", "50", "%", "2k", "$3.02", "$1.00", "60", "s", "8.0", "s", "Compare"]
    assert second.startswith("aaaa")
    assert second.endswith("시장 조사")
    told = " ".join(" ".join(rest).split())
    assert "All 2 runs · 3 calls · 3.0M tokens in, 50 % from cache · 3k out · $4.53" in told
    assert "Time model 90 s, commands 12 s" in told
    assert "Saved $1.50 by the provider's cache, at your own prices of today" in told


def test_an_unknown_price_is_a_question_mark_and_null_never_nothing(world: World) -> None:
    kept(world, "aaaa", *step(1, model=UNKNOWN, priced=False), model=UNKNOWN)
    kept(world, "bbbb", *step(1), *step(2, model=UNKNOWN, priced=False))
    told = costs("--by", "model", COLUMNS="100")
    unknown = next(line for line in told.splitlines() if line.startswith(UNKNOWN))
    assert unknown.split()[6:8] == ["?", "?"]
    assert "$1.51 + ?" in told
    assert "$0.00" not in told
    rows = {row["model"]: row for row in as_json("--by", "model")["rows"]}
    assert (rows[UNKNOWN]["cost_usd"], rows[UNKNOWN]["saved_usd"]) == (None, None)
    assert (rows[KNOWN]["cost_usd"], rows[KNOWN]["saved_usd"]) == (1.51, 0.5)
    assert as_json()["total"]["cost_usd"] is None


def test_the_catalog_prices_what_the_cache_saved_and_says_of_when(world: World, tmp_path: Path) -> None:
    (tmp_path / "config/autoagent/config.toml").unlink()
    kept(world, "aaaa", *step(1))
    found = as_json()
    assert found["rows"][0]["saved_usd"] > 0
    assert found["saved_at"].startswith("catalog prices of 20")
    assert f"at {found['saved_at']}" in costs(COLUMNS="200")


def test_a_day_is_that_of_the_person(world: World) -> None:
    late = "2026-11-29T20:10:00.000Z"
    kept(world, "aaaa", *step(1), *step(2, at=late))
    days = json.loads(costs_apart("--by", "day", "--json", TZ="UTC"))["rows"]
    assert [(row["day"], row["calls"]) for row in days] == [("2026-11-29", 2)]
    days = json.loads(costs_apart("--by", "day", "--json", TZ="Asia/Seoul"))["rows"]
    assert [(row["day"], row["calls"]) for row in days] == [("2026-11-30", 1), ("2026-11-29", 1)]


def test_what_each_purpose_cost_is_told_in_words_and_by_its_name(world: World) -> None:
    purposes = ("summary", "review", "acceptance", "handover")
    events = [event for purpose in purposes for event in call(purpose=purpose)]
    compacted = Compacted(upto=0, summary="s", tokens=1, by="model", tokens_before=2, tokens_after=1, kept="goal")
    kept(world, "aaaa", *events, compacted, *call())
    told = costs("--by", "purpose", COLUMNS="120")
    for words in ("steps", "compaction", "criticism", "acceptance review", "hand-over"):
        assert any(line.startswith(words) and "$1.51" in line for line in told.splitlines()), words
    assert "Of it     compaction $1.51, criticism $1.51, acceptance review $1.51, hand-over $1.51" in told
    assert {row["purpose"] for row in as_json("--by", "purpose")["rows"]} == {"step", *purposes}


@pytest.mark.parametrize("by", ["run", "day", "model", "purpose"])
def test_json_has_the_same_keys_in_every_row(world: World, by: str) -> None:
    kept(world, "aaaa", *step(1), *call(purpose="review"))
    kept(world, "bbbb", *step(1, model=UNKNOWN, priced=False))
    found = as_json("--by", by)
    assert set(found) == {"by", "rows", "total", "saved_at"}
    assert set(found["total"]) == ROW | {"runs", "unreadable_runs"}
    of_run = {"goal", "status", "model"} if by == "run" else set[str]()
    assert all(set(row) == ROW | of_run | {by} for row in found["rows"])
    assert sum(row["calls"] for row in found["rows"]) == found["total"]["calls"] == 3


def test_only_the_newest_are_shown_unless_all_are_asked_for(world: World) -> None:
    for number in range(23):
        kept(world, f"{number:04x}", *step(1))
    assert "3 older runs: autoagent costs --all" in costs()
    assert len(as_json()["rows"]) == 23
    assert "older" not in costs("--all")


def test_a_run_that_can_not_be_read_is_left_out_and_said_so(world: World) -> None:
    kept(world, "aaaa", *step(1))
    (kept(world, "bbbb") / "journal.jsonl").write_text("{}\n")
    assert "Left out  1 run that can't be read" in costs()
    assert as_json()["total"]["unreadable_runs"] == 1


def test_without_runs_it_says_how_to_start_one(world: World) -> None:
    assert "No run has asked a model yet" in costs()
    assert as_json()["rows"] == []


def test_it_fits_a_narrow_terminal(world: World) -> None:
    kept(world, "aaaa", *step(1))
    assert all(len(line) <= 40 for line in costs(COLUMNS="40").splitlines())


def test_an_index_of_before_is_made_anew_and_a_fresh_one_is_not_read_from_journals(world: World) -> None:
    folder = kept(world, "aaaa", *step(1))
    runs = world.state / "autoagent/runs"
    took = list_runs(runs)[0].took
    assert took
    path = folder / "journal.jsonl"
    content, stamp = path.read_bytes(), path.stat()
    path.write_bytes(b"x" * len(content))  # the same size and time: it is not looked into again
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert as_json()["total"]["calls"] == 1
    (runs.parent / "index.sqlite").unlink()
    assert as_json()["total"]["unreadable_runs"] == 1


def test_a_real_run_adds_up(world: World) -> None:
    with ModelServer([thought(commands=[("list_files", {})]), done("ok")]) as server:
        state = world.run(server, model=KNOWN)
    total = as_json()["total"]
    assert (total["calls"], total["input_tokens"]) == (state.usage.calls, state.usage.input_tokens)
    assert total["cost_usd"] == pytest.approx(state.usage.cost_usd, abs=1e-8)
