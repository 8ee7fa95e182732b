"""The offline planner run again where it has worked before: nothing that a run wrote is a source of what it says."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from test_offline_documents import put, workbook
from test_offline_proof import run

from autoagent.events import CommandStarted
from autoagent.journal import read
from tests.support import World

STOCK: Sequence[Sequence[object]] = [["place", "amount"], ["Oslo", 100], ["Moss", 40], ["Oslo", 60], ["Moss", 40]]
EXPORT = "<!-- exported by autoagent -->\n# total of amount\n\nThe total of amount is 240.\n"
PAGE = (
    "<!doctype html>\n<html>\n<head>\n<title>Run 7e18: total · exported by autoagent</title>\n</head>\n"
    "<body><main><p>The total of amount is 240.</p></main></body></html>\n"
)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path, monkeypatch)
    put(world, "stock.xlsx", workbook(Stock=STOCK))
    return world


def reads(world: World) -> list[tuple[str, str]]:
    """Each file that the runs so far read, and how many lines of it were asked for."""
    folders = (world.state / "autoagent/runs").iterdir()
    calls = [one.call for folder in folders for one in read(folder) if isinstance(one, CommandStarted)]
    return [(str(call.args["path"]), str(call.args["limit"])) for call in calls if call.name == "read_file"]


@pytest.mark.parametrize("goal", ["total of amount in stock.xlsx", "stock.xlsx에서 place별 amount 합계"])
def test_the_same_goal_once_more_has_no_more_evidence_than_before(world: World, goal: str) -> None:
    flags = {"evidence": "require", "disabled": ("run_python",)}
    first, second = run(world, goal, **flags), run(world, goal, **flags)
    assert (first.status, second.status) == ("unreached", "unreached")
    assert second.evidence is not None
    assert "240" in [fact.text for fact in second.evidence.loose]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("notes/old.md", "", "an earlier report of this planner"),
        ("notes/old.md", EXPORT, "the record of a run"),
        ("notes/old.html", PAGE, "the record of a run"),
    ],
)
def test_what_a_run_wrote_into_a_folder_is_named_and_not_read(world: World, name: str, content: str, told: str) -> None:
    put(world, "notes/log.md", "The ferry carries 310 passengers.\n")
    if content:
        put(world, name, content)
    else:
        run(world, f"Summarise ./notes into {name}")
    state = run(world, "Summarise the documents in notes into new.md")
    assert state.status == "reached", state.reason
    assert {path for path, _ in reads(world)} == {"notes/log.md"}
    assert f"- {name}: {told}" in world.text("new.md")
    assert "240" not in world.text("new.md")


def test_of_a_report_that_is_there_no_more_is_read_than_shows_whose_it_is(world: World) -> None:
    run(world, "total of amount in stock.xlsx")
    run(world, "total of amount in stock.xlsx")
    assert [limit for path, limit in reads(world) if path == "report.md"] == ["3"]
    assert not re.search(r"\d", "".join(world.text("report.md").split("\n")[:3]))


def test_somebodys_own_report_is_read_whole_where_it_is_a_source(world: World) -> None:
    put(world, "report.md", "# Fares\n\nFor grown-ups.\n\nThe fare from Ardal to Moss is 31 crowns.\n")
    state = run(world, "What is the fare from Ardal to Moss?")
    assert "31 crowns.\n— report.md:5" in state.result
    assert (world.workspace / "report-2.md").exists()
