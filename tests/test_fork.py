"""`fork`: a run that stands after a step of another, with the workspace as it was then; the other stays as it is."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from home import Home
from support import World, finish

from autoagent.cli.costs import costs as costs_command
from autoagent.cli.fork import fork as fork_command
from autoagent.cli.undo import undo
from autoagent.errors import ConfigError, JournalLocked
from autoagent.events import CommandStarted, Event, RunResumed, RunStarted
from autoagent.figures import figures
from autoagent.fork import Fork, fork
from autoagent.journal import read, state_of
from autoagent.places import runs_folder
from autoagent.replay import replay
from autoagent.runs import list_runs
from autoagent.state import State
from autoagent.testing import Failure, ModelServer, done, thought

PRICES = {"test-model": {"input": 1.0, "output": 10.0}}
STEPS: list[list[tuple[str, dict[str, Any]]]] = [
    [("write_file", {"path": "보고서.md", "text": "첫 줄\n"}), ("make_folder", {"path": "sub"})],
    [("read_file", {"path": "old.txt"}), ("edit_file", {"path": "old.txt", "old": "alpha", "new": "ALPHA"})],
    [("run_shell", {"command": "mkdir -p build && printf 'x\\0y' > build/a.bin && rm gone.txt && chmod 700 tool.sh"})],
    [
        ("move_file", {"source": "old.txt", "target": "sub/new.txt"}),
        ("append_file", {"path": "보고서.md", "text": "둘\n"}),
    ],
    [("delete_file", {"path": "보고서.md"}), ("run_shell", {"command": "rm -r build && ln -s tool.sh link"})],
]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path, monkeypatch)
    made.file("old.txt", "alpha\nbeta\n")
    made.file("gone.txt", "to be removed\n")
    made.file("tool.sh", "echo hi\n").chmod(0o755)
    return made


def tree(folder: Path) -> dict[str, tuple[str, int, bytes]]:
    """Every path with its kind, mode and content."""
    found: dict[str, tuple[str, int, bytes]] = {}
    for path in folder.rglob("*"):
        name, mode = str(path.relative_to(folder)), path.lstat().st_mode & 0o777
        if path.is_symlink():
            found[name] = ("link", 0, os.fsencode(path.readlink()))
        else:
            found[name] = ("folder", mode, b"") if path.is_dir() else ("file", mode, path.read_bytes())
    return found


def played(world: World, **flags: Any) -> list[dict[str, tuple[str, int, bytes]]]:
    """The run of all steps; the workspace before the first and after each."""
    trees = [tree(world.workspace)]
    script = [thought(f"Step {n}.", commands=calls) for n, calls in enumerate(STEPS, 1)]
    with ModelServer([*script, done("ok")]) as server:
        agent = world.start(server, sandbox_network=False, unsandboxed=True, **flags)
        seen = 0

        def look(_: Event, state: State) -> None:
            nonlocal seen
            if state.step > seen and state.pending is None and state.status == "running":
                seen = state.step
                trees.append(tree(world.workspace))

        agent.journal.observers.append(look)
        assert finish(agent).status == "reached"
    return trees


def changed_files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (folder / "journal.jsonl", *(folder / "artifacts").glob("*"))}


# The workspace


def test_a_fork_at_each_step_has_the_workspace_of_that_step(world: World) -> None:
    trees = played(world)
    before, folder = tree(world.workspace), world.folder
    record = changed_files(folder)
    for step, expected in enumerate(trees):
        made = fork(folder, step)
        assert tree(made.workspace) == expected, step
        assert made.missing == ()
    assert tree(world.workspace) == before
    assert changed_files(folder) == record


def test_the_workspace_stands_beside_the_old_one_or_where_it_is_wanted(world: World, tmp_path: Path) -> None:
    played(world)
    folder = world.folder
    made = fork(folder, 2)
    assert made.workspace == tmp_path / f"ws-{made.folder.name}"
    (tmp_path / "empty").mkdir()
    assert fork(folder, 2, tmp_path / "empty").workspace == tmp_path / "empty"


@pytest.mark.parametrize(
    ("place", "told"), [("ws/inside", "is in the workspace"), ("full", "is not empty"), ("no/where", "No such file")]
)
def test_a_place_that_does_not_do_is_refused_and_nothing_is_made(
    world: World, tmp_path: Path, place: str, told: str
) -> None:
    played(world)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a").touch()
    with pytest.raises(ConfigError, match=told):
        fork(world.folder, 2, tmp_path / place)
    assert world.folder  # the only run


def test_what_undo_does_not_cover_is_as_it_is_now(world: World) -> None:
    world.file("node_modules/a.js", "old")
    with ModelServer(
        [thought(commands=[("run_shell", {"command": "echo new > node_modules/a.js"})]), done("ok")]
    ) as server:
        world.run(server, unsandboxed=True)
    made = fork(world.folder, 0)
    assert (made.workspace / "node_modules/a.js").read_text() == "new\n"


def test_a_file_that_was_too_large_to_be_kept_is_named(world: World) -> None:
    large = world.file("large.bin", "")
    os.truncate(large, (64 << 20) + 1)
    with ModelServer([thought(commands=[("run_shell", {"command": "echo small > large.bin"})]), done("ok")]) as server:
        world.run(server, unsandboxed=True)
    made = fork(world.folder, 0)
    assert made.missing == (("large.bin", "its content at that step was not kept"),)
    assert (made.workspace / "large.bin").read_text() == "small\n"


def test_own_state_in_the_workspace_is_not_copied(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(world.workspace / "state"))
    world.state = world.workspace / "state"
    with ModelServer([thought(commands=STEPS[0]), done("ok")]) as server:
        world.run(server)
    made = fork(world.folder, 1)
    assert not (made.workspace / "state/autoagent").exists()
    assert (made.workspace / "보고서.md").read_text() == "첫 줄\n"


# The run


def test_a_fork_is_a_prefix_with_its_own_name_and_workspace(world: World) -> None:
    played(world)
    folder = world.folder
    made = fork(folder, 3)
    started, *events = read(made.folder)
    assert isinstance(started, RunStarted)
    assert (started.run_id, started.forked_from) == (made.folder.name, f"{folder.name} step 3")
    assert started.setup.workspace == str(made.workspace)
    assert events[:-1] == list(read(folder))[1 : len(events)]
    assert (events[-1].type, made.state.status, made.state.step) == ("run_paused", "paused", 3)
    lines = (made.folder / "journal.jsonl").read_text()
    assert f'"workspace":"{world.workspace}"' not in lines
    assert state_of(made.folder) == made.state


def test_a_fork_goes_on_with_memory_cost_and_message(world: World) -> None:
    played(world, prices=PRICES)
    made = fork(world.folder, 2)
    spent = made.state.usage.cost_usd
    assert spent > 0
    assert state_of(world_folder(world, made)).usage.cost_usd > spent
    result = CliRunner().invoke(fork_command, [world_folder(world, made).name, "--at", "2", "--message", "짧게"])
    assert result.exception is None
    new = newest(world)
    with ModelServer(
        [thought(commands=[("append_file", {"path": "보고서.md", "text": "fork\n"})]), done("forked")]
    ) as server:
        state = finish(world.resume(new, server))
        sent = server.requests[0].body["messages"]
    assert "Step 2." in str(sent)
    assert "Step 3." not in str(sent)
    assert "짧게" in str(sent)
    assert (state.status, state.step) == ("reached", 4)
    assert state.usage.calls == 4
    assert state.usage.cost_usd >= spent
    workspace = Path(state.setup.workspace) if state.setup else Path()
    assert (workspace / "보고서.md").read_text() == "첫 줄\nfork\n"
    assert not (world.workspace / "보고서.md").exists()


def test_what_a_fork_took_over_is_not_counted_again_where_runs_are_added_up(world: World) -> None:
    played(world, prices=PRICES)
    before = total_of_runs()
    fork(world_folder(world, fork(world.folder, 2)), 1)
    assert total_of_runs() == before
    with ModelServer([done("forked", [])]) as server:
        state = finish(world.resume(newest(world), server))
    assert total_of_runs() > before
    calls, cost_usd = total_of_runs()
    took = figures(read(world.state / "autoagent/runs" / state.run_id), own=True).usage
    assert (calls, cost_usd) == (before[0] + took.calls, pytest.approx(before[1] + took.cost_usd))
    assert took.calls < state.usage.calls


def total_of_runs() -> tuple[int, float]:
    """Calls and dollars, as `costs` has them; `runs` has the same dollars."""
    result = CliRunner().invoke(costs_command, ["--json"])
    total = json.loads(result.stdout)["total"]
    assert total["cost_usd"] == pytest.approx(sum(run.own_cost_usd for run in list_runs(runs_folder())))
    return total["calls"], total["cost_usd"]


def world_folder(world: World, made: Fork) -> Path:
    """The folder of the run that was forked."""
    (folder,) = (path for path in made.folder.parent.iterdir() if _origin(path) == "")
    return folder


def _origin(folder: Path) -> str:
    started = next(iter(read(folder)))
    return started.forked_from if isinstance(started, RunStarted) else ""


def newest(world: World) -> Path:
    folders = (world.state / "autoagent/runs").iterdir()
    return max(folders, key=lambda path: (path / "journal.jsonl").stat().st_mtime_ns)


def test_a_fork_can_be_undone_replayed_and_forked_again(world: World) -> None:
    trees = played(world)
    first = fork(world.folder, 4)
    second = fork(first.folder, 1)
    assert tree(second.workspace) == trees[1]
    assert replay(second.folder).difference is None
    with ModelServer([thought(commands=STEPS[1]), done("ok")]) as server:
        assert finish(world.resume(second.folder, server)).status == "reached"
    assert tree(second.workspace) == trees[2]
    assert tree(fork(second.folder, 0).workspace) == trees[0]
    assert replay(second.folder).whole
    result = CliRunner().invoke(undo, [second.folder.name, "--yes"])
    assert result.exit_code == 0, result.output
    assert tree(second.workspace) == trees[0]


def test_a_run_that_died_in_a_command_is_forked_before_it(world: World) -> None:
    before: dict[str, tuple[str, int, bytes]] = {}
    with ModelServer([thought(commands=STEPS[0]), thought(commands=STEPS[2])]) as server:
        agent = world.start(server, unsandboxed=True)

        def die(event: Event, _: State) -> None:
            if isinstance(event, CommandStarted) and event.call_id == "2.1":
                before.update(tree(world.workspace))
                (world.workspace / "gone.txt").unlink()  # the program did that much
                raise MemoryError

        agent.journal.observers.append(die)
        with pytest.raises(MemoryError):
            finish(agent)
    folder = world.folder
    assert tree(fork(folder, 1).workspace) == before
    with pytest.raises(ConfigError, match=r"step 2 of run .* is not done"):
        fork(folder, 2)


def test_a_resumed_run_is_forked_with_the_new_workspace_everywhere(world: World) -> None:
    with ModelServer([thought(commands=STEPS[0]), Failure(401)]) as server:
        assert world.run(server).status == "unavailable"
    with ModelServer([thought(commands=STEPS[1]), done("ok")]) as server:
        world.run_again(world.folder, server)
    made = fork(world.folder, 2)
    setups = [event.setup for event in read(made.folder) if isinstance(event, RunStarted | RunResumed)]
    assert {setup.workspace for setup in setups if setup} == {str(made.workspace)}
    assert len(setups) == 2


def test_a_step_that_is_not_there_reached_the_goal_or_a_run_at_work_is_refused(world: World) -> None:
    played(world)
    with pytest.raises(ConfigError, match="has no step 9; its last is 6"):
        fork(world.folder, 9)
    with pytest.raises(ConfigError, match=r"step 6 reached the goal .* --at 5"):
        fork(world.folder, 6)
    with ModelServer([done("ok")]) as server:
        agent = world.start(server)
        with pytest.raises(JournalLocked):
            fork(agent.journal.folder, 0)
        finish(agent)


def test_a_fork_that_fails_leaves_nothing_behind(world: World, tmp_path: Path) -> None:
    played(world)
    (looks,) = world.folder.glob("undo/looks.sqlite")
    looks.write_bytes(b"no database")
    beside = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(Exception, match=r"looks.sqlite"):
        fork(world.folder, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == beside
    assert world.folder


# What is said


def said(*args: str, columns: int = 80) -> str:
    result = CliRunner().invoke(fork_command, args, env={"COLUMNS": str(columns)})
    assert result.exception is None, result.exception
    return result.stdout


@pytest.mark.parametrize("columns", [50, 80])
def test_the_command_that_goes_on_is_printed_and_nothing_is_started(world: World, columns: int) -> None:
    played(world)
    text = said("last", "--at", "2", "-m", "other model", columns=columns)
    new = newest(world).name
    assert f"run {new} forked from" in text
    assert f"autoagent resume {new} -m 'other model'" in text
    assert state_of(newest(world)).status == "paused"


def test_a_workspace_is_shown_without_dots_also_where_a_link_stands_before_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(world.root, monkeypatch)
    played(world)
    (world.root / "elsewhere/deep").mkdir(parents=True)
    (world.root / "link").symlink_to("elsewhere/deep")
    for given, shown in (("ws/../new", "new"), ("link/../new", "elsewhere/new")):
        told = home.script("fork", "last", "--at", "1", "--workspace", str(world.root / given), stdout=True)
        assert f"Workspace {world.root / shown} Go on" in told
        started = next(read(newest(world)))
        assert isinstance(started, RunStarted)
        assert started.setup.workspace == str(world.root / given)
        told = home.script("resume", "last", "-c", "--max-steps", "0")
        assert f"workspace ~/{shown} " in told


def test_as_json_it_names_the_run_its_workspace_and_what_is_not_as_it_was(world: World) -> None:
    played(world)
    told = json.loads(said("last", "--at", "2", "--json"))
    assert told["run"] == newest(world).name
    assert (told["step"], told["not_as_it_was"]) == (2, [])
    assert told["resume"] == f"autoagent resume {told['run']}"
    assert Path(told["workspace"]).is_dir()


def test_a_file_with_holes_is_copied_with_them(world: World) -> None:
    played(world)
    sparse, size = world.file("disk.img", ""), 1 << 33
    with sparse.open("r+b") as file:
        for at, words in ((1 << 20, b"first"), (1 << 32, "둘째".encode())):
            file.seek(at)
            file.write(words)
        file.truncate(size)
    copy = fork(world.folder, 1).workspace / "disk.img"
    found = copy.stat()
    assert (found.st_size, copy.stat().st_mode) == (size, sparse.stat().st_mode)
    assert found.st_blocks <= sparse.stat().st_blocks
    with copy.open("rb") as file:
        assert [os.pread(file.fileno(), 6, at) for at in (0, 1 << 20, 1 << 32, size - 3)] == [
            bytes(6),
            b"first\0",
            "둘째".encode(),
            bytes(3),
        ]


def test_a_workspace_that_became_a_link_is_not_followed(world: World, tmp_path: Path) -> None:
    played(world)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "private.txt").write_text("no")
    world.workspace.rename(tmp_path / "moved")
    world.workspace.symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="is a link now"):
        fork(world.folder, 1)
    assert not list(tmp_path.glob("ws-*"))
    assert len(list((world.state / "autoagent/runs").iterdir())) == 1
