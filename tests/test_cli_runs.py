"""`autoagent runs`: what a person reads, what a script reads, and how little it costs."""

import json
import os
import pty
import sqlite3
import subprocess
import sys
import termios
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from home import Home
from support import World

from autoagent import build
from autoagent.budget import Limits, Usage
from autoagent.cli.runs import runs
from autoagent.errors import AutoagentError, ConfigError, JournalLocked, NoSuchRun
from autoagent.events import Setup
from autoagent.journal import Journal
from autoagent.places import new_run_folder
from autoagent.runs import list_runs
from autoagent.terminal.layout import cells
from autoagent.testing import ModelServer, done, thought

READ = thought("look", commands=[("list_files", {})])
WRITE = thought("write", commands=[("write_file", {"path": "report.md", "text": "one\n"})])
GIVE_UP = thought("no", commands=[("give_up", {"reason": "nothing there"})])
ASK = thought("which", commands=[("ask_person", {"question": "Seoul or Busan?"})])
PRICES = {"gpt-x": {"input": 2, "output": 10}}
KOREAN = "네 개 공급업체의 가격을 비교하고 출처와 함께 한국어 보고서를 작성해 주세요"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def made(world: World, script: Sequence[Any], goal: str = "Do it", **flags: Any) -> str:
    """A run that played the script; its id."""
    with ModelServer(script) as server:
        return world.run(server, goal=goal, **flags).run_id


def listed(*args: str, columns: int | None = None) -> Result:
    result = CliRunner().invoke(runs, args, env={"COLUMNS": str(columns) if columns else None})
    if isinstance(result.exception, AutoagentError):
        raise result.exception
    assert result.exception is None, result.exception
    return result


def lines(*args: str, columns: int | None = None) -> list[str]:
    return listed(*args, columns=columns).stdout.splitlines()


def truncate(folder: Path, events: int) -> None:
    """The journal of a run that died after so many events."""
    path = folder / "journal.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:events]))


def test_a_run_is_a_line_with_state_goal_steps_cost_and_age(world: World) -> None:
    run = made(world, [READ, done("ok")], "Compare four vendors", model="gpt-x", prices=PRICES)
    head, line, footer = lines(columns=80)
    assert head.split() == ["RUN", "STATE", "GOAL", "STEPS", "COST", "AGE"]
    assert line.startswith(f"{run}  reached  Compare four vendors")
    assert " 2  $0.00" in line
    assert footer.startswith("1 run · ")


def test_a_price_that_nobody_knows_is_never_zero(world: World) -> None:
    setup = Setup(model="unheard-of", context_tokens=9_000, reply_tokens=900, workspace=str(world.workspace))
    usage = Usage(calls=1, input_tokens=10, unpriced_calls=1)
    build.start_run(new_run_folder(), setup, Limits(), ["Do it"], usage=usage, notify=print).close()
    _, line, footer = lines(columns=80)
    assert " ? " in line
    assert "$" not in line
    assert footer.startswith("1 run · price unknown")
    assert json.loads(listed("--json").stdout)[0]["cost_usd"] is None


def test_a_run_that_waits_stands_on_top_with_its_question(world: World) -> None:
    waiting = made(world, [WRITE], "Write the report", approve="acts")
    asking = made(world, [ASK], "Find the vendor", approve="acts")
    made(world, [done("ok")], "The newest")
    found = lines(columns=80)
    assert found[1].startswith(f"{asking}  waiting")
    assert "asks: Seoul or Busan?" in found[1]
    assert found[2].startswith(f"{waiting}  waiting")
    assert "Write the report · y/n: write_file report.md" in found[2]
    assert f"2 wait for you: autoagent answer {asking}" in "\n".join(found)
    narrow = lines(columns=50)
    assert narrow[1].startswith(f"{waiting} waiting  y/n: write_file report.md")


def test_a_run_whose_process_died_is_paused_and_can_be_resumed(world: World) -> None:
    run = made(world, [READ, done("ok")])
    truncate(world.folder, 5)
    _, line, *footer = lines(columns=80)
    assert line.startswith(f"{run}  paused  Do it · was interrupted")
    assert f"1 was interrupted: autoagent resume {run}" in "\n".join(footer)
    (found,) = json.loads(listed("--json").stdout)
    assert (found["status"], found["note"]) == ("paused", "was interrupted")


def test_a_live_run_is_running_and_stands_before_the_others(world: World) -> None:
    run = made(world, [READ, done("ok")])
    truncate(world.folder, 5)
    newer = made(world, [GIVE_UP])
    with Journal(world.state / "autoagent/runs" / run):
        found = lines(columns=80)
    assert found[1].startswith(f"{run}  running")
    assert found[2].startswith(f"{newer}  unreached")


def test_a_damaged_journal_is_one_line_and_the_others_are_listed(world: World) -> None:
    damaged = made(world, [READ, done("ok")])
    path = world.folder / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"list_files", b"List_files", 1))
    good = made(world, [done("ok")])
    found = lines(columns=80)
    assert found[1].startswith(f"{good}  reached")
    assert found[2].startswith(f"{damaged}  damaged  line ")
    assert json.loads(listed("--json").stdout)[1]["status"] == "error"


def test_a_journal_of_a_newer_version_is_said_to_be_one(world: World) -> None:
    run = made(world, [done("ok")])
    path = world.folder / "journal.jsonl"
    body = path.read_bytes().split(b',"crc"')[0].replace(b'"v":1', b'"v":99')
    path.write_bytes(body + b',"crc":"%08x"}\n' % zlib.crc32(body))
    assert lines(columns=80)[1].startswith(f"{run}  newer  line 1: written by a newer autoagent")


@pytest.mark.parametrize("columns", [50, 63, 64, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_columns_line_up_with_hangul_and_emoji(
    world: World, columns: int
) -> None:
    made(world, [done("ok")], KOREAN)
    made(world, [done("ok")], "Clean 🧹👩‍💻 up the inbox, sort it and report what is left in it afterwards please")
    made(world, [WRITE], "x" * 300, approve="acts")
    made(world, [GIVE_UP], "short")
    found = [line for line in lines(columns=columns) if "$" in line and "runs" not in line]
    assert len(found) == 4
    assert {cells(line.partition("$")[0]) for line in found} == {cells(found[0].partition("$")[0])}
    assert max(map(cells, lines(columns=columns))) <= columns
    assert sum("…" in line for line in found) >= (1 if columns == 120 else 2)


def test_nothing_is_cut_where_the_list_goes_to_a_file(world: World) -> None:
    goal = "a long goal " * 30
    made(world, [done("ok")], goal)
    assert goal.strip() in lines()[1]


def test_what_a_goal_says_cannot_reach_the_terminal(world: World) -> None:
    made(world, [done("ok")], "red \x1b[31m\u202e and\nmore \x9b2J")
    found = listed(columns=80).stdout
    assert "\\x1b[31m\\u{202e} and more \\x9b2J" in found
    assert not {"\x1b", "\u202e", "\x9b"} & set(found)


def test_json_has_every_run_and_the_status_words_of_the_contract(world: World) -> None:
    for _ in range(2):
        made(world, [READ, done("ok")], KOREAN, model="gpt-x", prices=PRICES)
    found = json.loads(listed("--json").stdout)
    assert [run["status"] for run in found] == ["reached", "reached"]
    assert (found[0]["goal"], found[0]["steps"], found[0]["model"]) == (KOREAN, 2, "gpt-x")
    assert found[0]["cost_usd"] > 0


def test_no_runs_is_said_beside_the_result(world: World) -> None:
    result = listed()
    assert (result.stdout, "No runs yet" in result.stderr) == ("", True)
    assert listed("--json").stdout == "[]\n"


def test_older_runs_are_counted_and_shown_with_all(world: World) -> None:
    run = made(world, [done("ok")])
    for number in range(34):
        copy(world, run, f"{number:04x}")
    found = lines(columns=80)
    assert len(found) == 1 + 30 + 1
    assert found[-1].startswith("35 runs")
    assert "5 more: autoagent runs --all" in found[-1]
    assert len(lines("--all", columns=80)) == 1 + 35 + 1


# The index


def copy(world: World, run: str, name: str) -> None:
    source, target = world.state / "autoagent/runs" / run, world.state / "autoagent/runs" / name
    target.mkdir()
    (target / "journal.jsonl").write_bytes((source / "journal.jsonl").read_bytes())


def test_the_index_is_never_a_second_truth(world: World) -> None:
    run = made(world, [READ, done("ok")])
    index = world.state / "autoagent/index.sqlite"
    before = lines(columns=80)
    assert index.stat().st_mode & 0o777 == 0o600
    assert lines(columns=80)[:2] == before[:2]
    truncate(world.state / "autoagent/runs" / run, 5)
    assert "paused" in lines(columns=80)[1]
    index.write_bytes(b"this is no database, whatever its name says" * 50)
    assert "paused" in lines(columns=80)[1]
    index.unlink()
    assert "paused" in lines(columns=80)[1]


def test_summaries_of_another_version_are_made_anew(world: World) -> None:
    made(world, [done("ok")], "The real goal")
    lines()
    with sqlite3.connect(world.state / "autoagent/index.sqlite") as index:
        index.execute("UPDATE runs SET maker = '0.0 0', summary = replace(summary, 'real', 'wrong')")
    index.close()
    assert "The real goal" in lines()[1]


def test_a_list_works_where_no_index_can_be_kept(world: World) -> None:
    made(world, [done("ok")], "Still listed")
    (world.state / "autoagent/index.sqlite").mkdir()
    assert "Still listed" in lines()[1]


@pytest.mark.parametrize("others", [0, 1])
def test_nothing_of_a_deleted_run_is_kept_in_the_index(world: World, others: int) -> None:
    run = made(world, [done("ok")], "A secret goal that nobody needs to know of")
    if others:
        made(world, [done("ok")], "Another")
    lines()
    index = world.state / "autoagent/index.sqlite"
    assert b"A secret goal" in index.read_bytes()
    lines("delete", run, "--yes")
    assert not index.exists() or b"A secret goal" not in index.read_bytes()
    assert index.exists() == bool(others)


def test_a_terminal_gets_its_own_width_and_no_control_byte(world: World) -> None:
    made(world, [done("ok")], KOREAN * 2)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 50))
    environ = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": "xterm-256color"}
    subprocess.run([sys.executable, "-m", "autoagent", "runs"], stdout=theirs, check=True, env=environ)
    os.close(theirs)
    found = os.read(ours, 10_000).decode().replace("\r\n", "\n")
    os.close(ours)
    assert not any(ord(char) < 32 and char != "\n" for char in found)
    assert "…" in found
    assert max(map(cells, found.split("\n"))) == 50


def test_a_fresh_index_needs_neither_the_core_nor_any_library(world: World) -> None:
    made(world, [done("ok")])
    program = (
        "import sys; from autoagent.__main__ import main\n"
        "sys.argv = ['autoagent', 'runs']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'pydantic', 'openai', 'httpx2', 'tiktoken', 'prompt_toolkit'} & set(sys.modules)))"
    )
    shown = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert "pydantic" in shown[0]
    assert shown[1].endswith("[]\n")


@pytest.mark.slow
def test_a_list_of_a_hundred_runs_takes_no_time_that_is_noticed(world: World) -> None:
    run = made(world, [READ, done("ok")])
    for number in range(99):
        copy(world, run, f"{number:04x}")
    took: list[float] = []
    for _ in range(8):
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "autoagent", "runs"], capture_output=True, check=True)
        took.append(time.monotonic() - began)
    assert min(took) < 0.25  # 0.08 on the machine it was written on


# Delete


def folders(world: World) -> set[str]:
    return {run.run for run in list_runs(world.state / "autoagent/runs")}


def test_delete_takes_prefixes_and_last_and_says_what_it_deleted(world: World) -> None:
    made(world, [done("ok")])
    first = world.folder.name
    copy(world, first, "beef")
    copy(world, first, "cafe")
    newest = world.state / "autoagent/runs/cafe/journal.jsonl"
    later = time.time() + 5
    os.utime(newest, (later, later))
    assert lines("delete", "bee", "last", "beef", "--yes") == ["deleted beef", "deleted cafe"]
    assert folders(world) == {first}


def test_delete_names_a_live_run_and_deletes_the_others(world: World) -> None:
    live = made(world, [done("ok")])
    copy(world, live, "beef")
    with Journal(world.state / "autoagent/runs" / live):
        result = CliRunner().invoke(runs, ["delete", live, "beef", "--yes"])
    assert isinstance(result.exception, JournalLocked)
    assert f"not deleted: {live}: it is at work" in str(result.exception)
    assert result.stdout == "deleted beef\n"
    assert folders(world) == {live}


def test_an_unknown_run_deletes_nothing(world: World) -> None:
    run = made(world, [done("ok")])
    with pytest.raises(NoSuchRun):
        listed("delete", run, "zzzz")
    assert folders(world) == {run}


def test_delete_older_than(world: World) -> None:
    run = made(world, [done("ok")])
    for name, hours in (("0001", 3), ("0002", 50), ("0003", 24 * 40)):
        copy(world, run, name)
        at = time.time() - hours * 3_600
        os.utime(world.state / "autoagent/runs" / name / "journal.jsonl", (at, at))
    assert lines("delete", "--older-than", "30d", "--yes") == ["deleted 0003"]
    assert lines("delete", "--older-than", "90m", "--yes") == ["deleted 0001", "deleted 0002"]
    assert "No run is older than 8w" in listed("delete", "--older-than", "8w").stderr
    assert folders(world) == {run}


@pytest.mark.parametrize("by", [["--older-than", "0m"], ["beef", "cafe"]])
def test_without_a_terminal_delete_says_what_goes_and_needs_a_yes(world: World, by: list[str]) -> None:
    waiting = made(world, [WRITE], approve="acts")
    (world.state / "autoagent/runs" / waiting).rename(world.state / "autoagent/runs/cafe")
    copy(world, "cafe", "beef")
    for path in world.state.rglob("journal.jsonl"):
        os.utime(path, (1, 1))
    with pytest.raises(ConfigError, match=r"this deletes 2 runs, 2 of which wait for you, and the undo .* needs --yes"):
        listed("delete", *by)
    assert folders(world) == {"cafe", "beef"}
    assert lines("delete", *by, "--yes") == ["deleted beef", "deleted cafe"]


def test_at_a_terminal_delete_asks_once_also_for_a_run_by_its_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(world, [WRITE], approve="acts")
    home = Home(world.root, monkeypatch)
    asked = f"Delete run {run}, which waits for you? What was changed stays, but its undo goes with it. y/N"
    code, screen = home.terminal("runs", "delete", run, answers=["\n"])
    assert (code, asked in screen, screen.endswith("Nothing was deleted.")) == (0, True, True)
    assert folders(world) == {run}
    code, screen = home.terminal("runs", "delete", run, answers=["y\n"])
    assert (code, asked in screen, screen.endswith(f"deleted {run}")) == (0, True, True)
    assert folders(world) == set()


@pytest.mark.parametrize("args", [[], ["--older-than", "soon"], ["--older-than", "30"], ["a", "--older-than", "1d"]])
def test_delete_without_a_clear_word_deletes_nothing(world: World, args: list[str]) -> None:
    run = made(world, [done("ok")])
    with pytest.raises(ConfigError):
        listed("delete", *args)
    assert folders(world) == {run}
