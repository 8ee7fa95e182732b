"""Criteria as a person gives them on the command line, from Python, or in AutoGPT's settings file."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from support import World

import autoagent
from autoagent import asked, build
from autoagent.cli.goal import collect
from autoagent.cli.run import run
from autoagent.criteria import Criterion
from autoagent.errors import ConfigError
from autoagent.places import new_run_folder
from autoagent.testing import ModelServer


def test_each_kind_becomes_a_criterion_of_a_persons_in_order(tmp_path: Path) -> None:
    lines = tmp_path / "done.txt"
    lines.write_text("- 가격마다 날짜가 있다\n\n2. every vendor has a page\n", encoding="utf-8")
    found = asked.criteria(["it is short", f"@{lines}"], ["pytest -q"], ["report.md", "report.md ~ ^## Sources"])
    assert [one.text for one in found] == [
        "it is short", "가격마다 날짜가 있다", "every vendor has a page", "pytest -q", "report.md is there",
        "report.md holds ^## Sources",
    ]  # fmt: skip
    assert {one.by for one in found} == {"person"}
    assert [(one.command, one.file, one.pattern) for one in found[3:]] == [
        ("pytest -q", "", ""), ("", "report.md", ""), ("", "report.md", "^## Sources"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("done_when", "checks", "expected", "told"),
    [
        ([" "], [], [], "--done-when is empty"),
        (["@/nowhere/at/all"], [], [], "No such file"),
        ([], [""], [], "--check is empty"),
        ([], [], ["/etc/passwd"], "a file of the workspace"),
        ([], [], ["../x ~ y"], "a file of the workspace"),
        ([], [], ["a.md ~ ("], "is no regular expression"),
        ([], [], ["a.md ~ "], "nothing stands behind"),
        ([f"c{n}" for n in range(8)], [], [], "8 criteria"),
    ],
)
def test_what_can_never_hold_is_said_before_anything_starts(
    done_when: list[str], checks: list[str], expected: list[str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        asked.criteria(done_when, checks, expected)


@pytest.mark.parametrize("pattern", ["", "  "])
def test_an_empty_pattern_of_files_to_protect_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    world = World(tmp_path, monkeypatch)
    with pytest.raises(ConfigError, match="--protect is empty"):
        autoagent.run("Go", workspace=world.workspace, model="offline", protect=["data/*", pattern])
    told = CliRunner().invoke(run, ["-c", "-m", "offline", "-w", str(world.workspace), "--protect", pattern, "Go"])
    assert str(told.exception) == "--protect is empty"
    assert not list(world.state.rglob("journal.jsonl"))


def test_the_goals_of_autogpts_settings_are_criteria_and_those_beyond_seven_stand_in_the_last(tmp_path: Path) -> None:
    path = tmp_path / "ai_settings.yaml"
    path.write_text(
        "ai_name: A\nai_role: B\nai_goals:\n" + "".join(f"- goal {n}\n" for n in range(9)), encoding="utf-8"
    )
    found = collect((), (), None, path, "", "")
    assert len(found.goals) == 9
    assert [one.text for one in found.criteria] == [*(f"goal {n}" for n in range(6)), "goal 6; goal 7; goal 8"]


def test_a_check_that_nothing_could_hold_is_refused_and_a_pattern_that_fits_no_file_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, monkeypatch)
    world.file("data/a.csv", "1")
    with ModelServer([]) as server:
        settings = world.settings(server, {})
        setup, limits = build.make_setup(settings, build.choose_model(settings), world.workspace)
    unheld = setup.model_copy(update={"sandbox": "none"})
    with pytest.raises(ConfigError, match="nothing here can hold programs"):
        build.start_run(
            new_run_folder(), unheld, limits, ["Go"], criteria=[Criterion(text="t", command="true")], notify=print
        )
    protecting = setup.model_copy(update={"protect": ("data", "dta/*")})
    build.start_run(new_run_folder(), protecting, limits, ["Go"], notify=world.notes.append).close()
    assert world.notes == ["--protect dta/*: no file of the workspace fits it"]
