"""`compare`: two runs side by side, and the first step in which they part."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support import World, finish

from autoagent.cli.compare import compare
from autoagent.fork import fork
from autoagent.places import run_folders, runs_folder
from autoagent.terminal.layout import cells
from autoagent.testing import ModelServer, done, thought

PRICES = {"test-model": {"input": 1.0, "output": 10.0}}
LOOK = thought("I look.", commands=[("list_files", {})])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path, monkeypatch)
    made.file("자료.txt", "첫 줄\n둘째 줄\n")
    return made


def writing(text: str, path: str = "보고서.md") -> dict[str, Any]:
    return thought(f"I write {text}.", commands=[("write_file", {"path": path, "text": text})])


def two_runs(world: World) -> tuple[str, str]:
    """A run, and a fork of it that goes another way; their names."""
    with ModelServer([LOOK, writing("하나"), done("세 업체를 비교했고 첫째가 가장 쌉니다. " * 3)]) as server:
        world.run(server, prices=PRICES, goal="비교해 주세요")
    first = world.folder
    made = fork(first, 1)
    with ModelServer(
        [writing("둘"), writing("x", "more.md"), done("The second is the cheapest of the three.")]
    ) as server:
        finish(world.resume(made.folder, server))
    return first.name, made.folder.name


def said(*args: str, columns: int | None = 80) -> str:
    result = CliRunner().invoke(compare, args, env={"COLUMNS": str(columns) if columns else None})
    assert result.exception is None, result.exception
    return result.stdout


def test_figures_stand_side_by_side(world: World) -> None:
    one, other = two_runs(world)
    text = said(one, other)
    rows = {line.split("  ")[0]: line.split() for line in text.splitlines() if line}
    assert text.splitlines()[0].split() == [one, other]
    assert rows["Status"][1:] == ["reached", "reached"]
    assert rows["Steps"][1:] == ["3", "4"]
    assert rows["Calls"][1:] == ["3", "4"]
    assert rows["Cost"][1].startswith("$0.0")
    assert f"{other} was forked from {one} step 1" in text


def test_the_first_step_that_differs_is_named_with_what_each_did(world: World) -> None:
    one, other = two_runs(world)
    text = said(one, other)
    assert "The same up to step 1. Step 2 is the first that differs: the thought." in text
    assert f"{one}  I write 하나. · write_file 보고서.md" in text
    assert f"{other}  I write 둘. · write_file 보고서.md" in text


def test_files_that_both_made_are_told_apart_by_their_content(world: World) -> None:
    one, other = two_runs(world)
    lines = [line.split() for line in said(one, other).splitlines()]
    assert ["보고서.md", "differs"] in lines
    assert ["more.md", "only", other] in lines


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_no_line_is_wider_than_the_screen_and_every_word_is_there(world: World, columns: int) -> None:
    one, other = two_runs(world)
    text = said(one, other, columns=columns)
    assert max(cells(line) for line in text.splitlines()) <= columns
    for word in ("업체를", "비교했고", "쌉니다.", "cheapest"):
        assert word in text


def test_results_stand_beside_each_other_where_there_is_room(world: World) -> None:
    one, other = two_runs(world)
    assert any("업체를" in line and "The second" in line for line in said(one, other).splitlines())
    assert not any("업체를" in line and "The second" in line for line in said(one, other, columns=50).splitlines())


def test_a_run_is_the_same_as_itself_and_another_has_nothing_in_common(world: World) -> None:
    one, _ = two_runs(world)
    assert "The same in all 3 steps." in said(one, one)
    with ModelServer([done("ok")]) as server:
        world.run(server)
    newest = run_folders(runs_folder())[0].name
    assert "Step 1 is the first that differs: the thought." in said(one, newest)


def test_an_observation_that_differs_is_where_they_part(world: World) -> None:
    names: list[str] = []
    for extra in ("a", "b"):
        world.file(extra, "x")
        with ModelServer([LOOK, done("ok")]) as server:
            world.run(server)
        names.append(run_folders(runs_folder())[0].name)
    text = said(*names)
    assert "Step 1 is the first that differs: what came of it." in text


def test_as_json_both_are_whole(world: World) -> None:
    one, other = two_runs(world)
    told = json.loads(said(one, other, "--json"))
    assert [run["run"] for run in told["runs"]] == [one, other]
    assert [run["steps"] for run in told["runs"]] == [3, 4]
    assert told["runs"][0]["cost_usd"] > 0
    assert (told["same_steps"], told["first_difference"]) == (1, {"step": 2, "what": "the thought"})
    assert {"path": "more.md", "comes_to": f"only {other}"} in told["files"]
