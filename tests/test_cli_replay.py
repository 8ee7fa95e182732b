"""`autoagent replay`: what a person sees and scripts get, and what other prompts would have sent."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support import World, by_step

from autoagent import prompts
from autoagent.cli.replay import replay
from autoagent.errors import ConfigError, NoSuchRun
from autoagent.events import RunEnded
from autoagent.journal import read, seal
from autoagent.testing import ModelServer, Repeat, done, thought

PRICES = {"test-model": {"input": 1.0, "output": 10.0}}
WRITE = thought("보고서를 씁니다.", commands=[("write_file", {"path": "보고서.md", "text": "하나\n"})])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def said(*args: str, columns: int = 80) -> Result:
    result = CliRunner().invoke(replay, args, env={"COLUMNS": str(columns)}, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result


def three_steps(world: World) -> None:
    look = thought("I look.", commands=[("list_files", {})])
    with ModelServer([look, WRITE, done("다 썼습니다.")]) as server:
        assert world.run(server, goal="보고서를 써 주세요", prices=PRICES).status == "reached"


# Words and exit codes


def test_the_story_is_played_and_the_verdict_is_the_output(world: World) -> None:
    three_steps(world)
    result = said("last")
    run = world.folder.name
    assert result.return_value == 0
    assert result.stdout.startswith(f"✓ replayed {run}: 3 steps, the same result · $0.00, no network · the run itself")
    assert result.stderr.startswith(f"replay of run {run}: nothing is sent, nothing is changed\n  보고서를 써 주세요\n")
    assert "✓ write_file" in result.stderr
    assert "\x1b" not in result.output


def test_quietly_only_the_verdict_is_left(world: World) -> None:
    three_steps(world)
    assert said("last", "-q").stderr == ""


def test_only_up_to_a_step(world: World) -> None:
    three_steps(world)
    result = said("last", "--until", "2")
    assert "2 steps, the same all the way · up to step 2" in result.stdout
    assert "Step 3" not in result.stderr


@pytest.mark.parametrize("columns", [50, 80])
def test_the_first_difference_is_shown_and_the_exit_code_is_3(world: World, columns: int) -> None:
    three_steps(world)
    events = [
        event.model_copy(update={"result": "아직 다 못 썼습니다."}) if isinstance(event, RunEnded) else event
        for event in read(world.folder)
    ]
    (world.folder / "journal.jsonl").write_bytes(b"".join(map(seal, events)))
    result = said("last", "-q", columns=columns)
    assert result.return_value == 3
    words = " ".join(result.stdout.split())
    assert "✗ not the same from step 3, event 12, run_ended, result on:" in words
    assert "- 아직 다 못 썼습니다." in result.stdout
    assert "+ 다 썼습니다." in result.stdout


def test_as_json_it_says_what_came_of_it(world: World) -> None:
    three_steps(world)
    told = json.loads(said("last", "--json").stdout)
    assert (told["same"], told["whole"], told["steps"], told["cost_usd"]) == (True, True, 3, 0.0)
    assert (told["result"], told["difference"]) == ("다 썼습니다.", None)


def test_a_run_that_stands_still_is_said_to(world: World) -> None:
    with ModelServer([WRITE]) as server:
        world.run(server, approve="every")
    assert "it stands as recorded: waiting" in said("last", "-q").stdout


# Records from elsewhere


def test_a_folder_and_a_zip_replay_without_the_state_folder(world: World, tmp_path: Path) -> None:
    three_steps(world)
    folder, packed = tmp_path / "기록", tmp_path / "기록.zip"
    (folder / "run").mkdir(parents=True)
    shutil.copy(world.folder / "journal.jsonl", folder / "run")
    shutil.copytree(world.folder / "artifacts", folder / "run/artifacts")
    with zipfile.ZipFile(packed, "w") as archive:
        for path in (folder / "run").rglob("*"):
            archive.write(path, f"x/{path.relative_to(folder / 'run')}")
        archive.writestr("../evil.txt", "no")
    shutil.rmtree(world.state)
    for place in (folder, folder / "run", packed):
        assert said(str(place), "-q").return_value == 0
    assert not (tmp_path / "evil.txt").exists()


def test_what_holds_no_record_is_refused_in_words(world: World, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no journal\.jsonl"):
        said(str(tmp_path))
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(ConfigError, match="holds not exactly one"):
        said(str(tmp_path / "empty.zip"))
    with pytest.raises(NoSuchRun):
        said("7f3a")


# Other prompts


def own(tmp_path: Path, name: str, change: tuple[str, str]) -> str:
    folder = tmp_path / "prompts of mine"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.md").write_text(prompts.load(name).replace(*change), encoding="utf-8")
    return str(folder)


def test_another_system_prompt_is_shown_beside_what_was_sent(world: World, tmp_path: Path) -> None:
    three_steps(world)
    folder = own(tmp_path, "system", ("# Rules", "# Rules\n\n- 짧게 답하세요. Be brief."))
    result = said("last", "--prompts", folder, "--until", "2")
    assert "step 2 · test-model · what the prompts would have sent" in result.stdout
    assert "+- 짧게 답하세요. Be brief." in result.stdout
    assert "보고서를 써 주세요" not in result.stdout  # the goal is where it was: nothing to tell
    told = json.loads(said("last", "--prompts", folder, "--until", "2", "--json").stdout)
    (request,) = told
    assert request["now"]["tokens"] > request["sent"]["tokens"]
    with ModelServer([]) as server:
        assert server.requests == []
    changed = [
        one for one, other in zip(request["sent"]["messages"], request["now"]["messages"], strict=True) if one != other
    ]
    assert [message["role"] for message in changed] == ["system"]


def test_what_is_shown_as_sent_is_what_was_sent(world: World, tmp_path: Path) -> None:
    look = thought("I look.", commands=[("list_files", {})])
    with ModelServer([look, WRITE, done("ok")]) as server:
        world.run(server)
        sent = [request.body["messages"] for request in server.requests]
    folder = own(tmp_path, "system", ("a", "a"))
    for step, messages in enumerate(sent, 1):
        (request,) = json.loads(said("last", "--prompts", folder, "--until", str(step), "--json").stdout)
        assert request["sent"]["messages"] == request["now"]["messages"] == messages


def test_another_summary_is_shown_where_one_was_asked_for(world: World, tmp_path: Path) -> None:
    long = "\n".join(f"{n} some words of a line" for n in range(60))
    steps = [thought(commands=[("write_file", {"path": f"f{n}", "text": long})]) for n in range(8)]
    with ModelServer([Repeat(by_step([*steps, done("ok")], "In short."))]) as server:
        world.run(server, context_tokens=9_000, reply_tokens=500)
        asked = next(r.body["messages"] for r in server.requests if "response_format" not in r.body)
    events = list(read(world.folder))
    before = next(event.upto for event in events if event.type == "compacted")
    folder = own(tmp_path, "summary", ("Write plain text", "Write very plain text"))
    told = [json.loads(said("last", "--prompts", folder, "--until", str(n), "--json").stdout) for n in range(before, 9)]
    summaries = [request for requests in told for request in requests if request["purpose"] == "summary"]
    assert summaries[0]["sent"]["messages"] == asked
    assert "Write very plain text" in summaries[0]["now"]["messages"][-1]["content"]
    assert "$words" not in summaries[0]["now"]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [("system", ("$goal", "$aim"), "is not known in this prompt"), ("goals", ("a", "a"), "can't be tried on a record")],
)
def test_prompts_that_do_not_do_are_refused(
    world: World, tmp_path: Path, name: str, change: tuple[str, str], told: str
) -> None:
    three_steps(world)
    with pytest.raises(ConfigError, match=told):
        said("last", "--prompts", own(tmp_path, name, change))


def test_a_folder_without_prompts_and_a_step_that_is_not_there_are_refused(world: World, tmp_path: Path) -> None:
    three_steps(world)
    (tmp_path / "none").mkdir()
    with pytest.raises(ConfigError, match="there is no prompt in it"):
        said("last", "--prompts", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="no step 9; its last is 3"):
        said("last", "--prompts", own(tmp_path, "system", ("a", "a")), "--until", "9")


def test_prompts_that_leave_too_little_room_are_told_with_the_step(world: World, tmp_path: Path) -> None:
    with ModelServer([WRITE, done("ok")]) as server:
        world.run(server, context_tokens=9_000, reply_tokens=500)
    folder = own(tmp_path, "system", ("# Rules", "# Rules\n" + "and so on " * 9_000))
    assert "from step 1 on it would not have fit" in said("last", "--prompts", folder).stdout
