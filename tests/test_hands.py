"""What a run's hands do and may not do: programs, files that go into folders, questions that stay what they were."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from support import World, finish, observations, outcomes, yes

from autoagent import build
from autoagent.events import FileChange, FilesUndone
from autoagent.inbox import InboxMessage
from autoagent.sandbox import bubblewrap
from autoagent.state import State, apply
from autoagent.testing import ModelServer, done, thought

held = pytest.mark.skipif(bool(bubblewrap.works()), reason=bubblewrap.works())


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


@pytest.fixture(autouse=True)
def layer_of_this_machine() -> Iterator[None]:
    build.sandbox_layer.cache_clear()
    yield
    build.sandbox_layer.cache_clear()


def run(world: World, *calls: tuple[str, dict[str, Any]], **flags: Any) -> State:
    script = [thought(commands=[call]) for call in calls]
    with ModelServer([*script, done("ok")]) as server:
        return world.run(server, **flags)


def shell(line: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "run_shell", {"command": line, **more}


@held
def test_a_program_works_in_the_workspace_and_its_changes_are_known(world: World) -> None:
    world.file("a.txt", "하나\n")
    state = run(world, shell("cat a.txt; echo 둘 >> a.txt; echo new > b.txt; mkdir c; exit 3"))
    (first, _) = observations(state)
    assert (first.outcome, first.text.split("\n")[:2]) == ("failed", ["exit code 3", "하나"])
    assert "[Changed: a.txt, b.txt (new), c/]" in first.text
    (finished,) = [event for event in world.events("command_finished") if event.call_id == "1.1"]
    assert [(change.path, change.before.kind) for change in finished.changed] == [
        ("a.txt", "file"), ("b.txt", "absent"), ("c", "absent"),
    ]  # fmt: skip
    assert (state.wrote, state.made) == (("a.txt", "b.txt"), ("b.txt",))
    (started,) = [event for event in world.events("command_started") if event.call_id == "1.1"]
    assert started.sandbox == "bubblewrap"


@held
def test_python_finds_the_workspace_and_its_arguments(world: World) -> None:
    world.file("mine.py", "NAME = '이름'\n")
    code = "import sys, mine\nprint(mine.NAME, sys.argv[1:])"
    state = run(world, ("run_python", {"code": code, "args": ["a b", "c"]}), ("run_python", {"path": "mine.py"}))
    assert observations(state)[0].text == "exit code 0\n이름 ['a b', 'c']"
    assert observations(state)[1].outcome == "ok"


@held
def test_what_codes_for_a_terminal_and_overwritten_lines_say_is_readable(world: World) -> None:
    state = run(world, shell(r"printf '\033[31mred\033[0m\n10%%\r100%%\na\342\200\213b\n'"))
    assert observations(state)[0].text == "exit code 0\nred\n100%\nab"


@held
def test_what_programs_in_the_background_change_is_journalled_and_they_end_with_the_run(world: World) -> None:
    line = "echo begun; sleep 1.5; echo late > late.txt; sleep 300"
    state = run(world, shell(line, background=True), shell("sleep 2; echo > other.txt"), ("list_programs", {}))
    assert [outcome for _, outcome in outcomes(state)] == ["ok", "ok", "ok", "ok"]
    assert observations(state)[0].text.startswith("program p1 runs in the background\nbegun")
    changed = {change.path for event in world.events("files_changed", "command_finished") for change in event.changed}
    assert {"late.txt", "other.txt"} <= changed


@held
def test_git_works_and_what_it_makes_by_itself_stays(world: World) -> None:
    state = run(
        world,
        shell("git init -q . && git add -A . && git commit -qm first --allow-empty && git log --oneline"),
        shell("git config core.fsmonitor 'touch ran'; printf 'x' > .git/hooks/pre-commit; true"),
    )
    assert observations(state)[0].outcome == "ok", observations(state)[0].text
    assert (world.workspace / ".git/config").is_file()
    assert "fsmonitor" not in world.text(".git/config")
    assert not (world.workspace / ".git/hooks/pre-commit").exists()


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("move_file", ".git/hooks"),
        ("move_file", ".git/hooks/"),
        ("copy_file", ".github/workflows"),
        ("copy_file", ".vscode/"),
        ("copy_file", ".git"),
        ("move_file", "link"),
    ],
)
def test_what_goes_into_a_folder_is_judged_by_the_name_that_it_gets(world: World, name: str, target: str) -> None:
    for folder in (".git/hooks", ".github/workflows", ".vscode"):
        (world.workspace / folder).mkdir(parents=True)
    (world.workspace / "link").symlink_to(".git/hooks")
    world.file("config" if target == ".git" else "post-checkout", "touch ran")
    source = "config" if target == ".git" else "post-checkout"
    before = world.files()
    state = run(world, (name, {"source": source, "target": target}))
    assert outcomes(state)[0] == (name, "refused")
    (finished, *_) = world.events("command_finished")
    assert finished.detail == "trusted files"
    assert world.files() == before


def test_a_yes_does_not_count_where_the_path_leads_elsewhere_meanwhile(world: World) -> None:
    (world.workspace / ".git/hooks").mkdir(parents=True)
    (world.workspace / "l").mkdir()
    asked: list[str] = []

    def answer(state: State) -> InboxMessage:
        asked.append(world.events("approval_asked")[-1].reason)
        if len(asked) == 1:
            (world.workspace / "l").rmdir()
            (world.workspace / "l").symlink_to(".git/hooks")
            return yes(state)
        return InboxMessage(kind="answer", by="test", allowed=False)

    run(world, ("write_file", {"path": "l/post-checkout", "text": "touch ran"}), approve="every", answer=answer)
    assert "Other programs obey" in asked[1]
    assert not (world.workspace / ".git/hooks/post-checkout").exists()


def test_a_file_that_is_moved_is_said_to_be_moved(world: World) -> None:
    world.file("a.txt", "a")
    state = run(
        world,
        ("move_file", {"source": "a.txt", "target": "b/"}),
        ("move_file", {"source": "b/a.txt", "target": "c.txt"}),
        ("write_file", {"path": "mine.txt", "text": "x"}),
        ("move_file", {"source": "mine.txt", "target": "other.txt"}),
    )
    assert state.moved == (("a.txt", "c.txt"),)
    assert state.made == ("other.txt",)


@held
def test_the_settings_of_a_person_are_nobodys_to_touch_where_they_lie_in_the_workspace(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(world.workspace / ".config"))
    path = ".config/autoagent/config.toml"
    told = "unsandboxed = true"
    state = run(
        world,
        ("write_file", {"path": path, "text": told}),
        shell(f"mkdir -p .config/autoagent; echo '{told}' > {path}; cat {path}"),
        ("make_folder", {"path": ".config/autoagent/prompts"}),
    )
    assert [outcome for _, outcome in outcomes(state)[:3:2]] == ["failed", "failed"]
    assert not (world.workspace / path).exists()
    assert not (world.workspace / ".config/autoagent/prompts").exists()


def test_what_was_deleted_is_said(world: World) -> None:
    world.file("old.txt", "x")
    state = run(world, ("delete_file", {"path": "old.txt"}), ("write_file", {"path": "tmp.txt", "text": "x"}),
                ("delete_file", {"path": "tmp.txt"}))  # fmt: skip
    assert (state.removed, state.made) == (("old.txt",), ())


def test_programs_run_unheld_where_a_person_wants_it_in_those_words(world: World) -> None:
    state = run(world, shell("touch ran"), unsandboxed=True)
    assert outcomes(state)[0] == ("run_shell", "ok")
    assert [event.sandbox for event in world.events("command_started")][:1] == ["none"]


def test_a_secret_is_hidden_from_programs(world: World) -> None:
    world.file(".env", "COLOUR_OF_CURTAINS=parrot-green\n")
    world.file(".env.template", "COLOUR_OF_CURTAINS=\n")
    state = run(world, shell("cat .env .env.template; grep -r parrot . ; true"))
    assert "parrot" not in observations(state)[0].text
    assert "COLOUR_OF_CURTAINS=" in observations(state)[0].text


def test_how_much_of_a_download_has_come_is_told_while_it_comes(world: World) -> None:
    body, told = bytes(5 << 20), list[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as site:
        serving = threading.Thread(target=site.serve_forever, daemon=True)
        serving.start()
        call = ("download_file", {"url": f"http://127.0.0.1:{site.server_port}/", "path": "x.bin"})
        with ModelServer([thought(commands=[call]), done("ok")]) as model:
            agent = world.start(model, allow_local_network=True)
            assert world.person is not None
            world.person.watch = lambda progress: told.append(progress.last_line)  # type: ignore[method-assign]
            state = finish(agent)
        site.shutdown()
        serving.join()
    assert outcomes(state)[0] == ("download_file", "ok")
    assert told[-1] == "5.2 MB"
    assert len(told) > 2


def test_what_was_taken_back_is_no_longer_said_to_be_made_or_removed(world: World) -> None:
    world.file("old.txt", "x")
    calls = [("write_file", {"path": "new.txt", "text": "n"}), ("delete_file", {"path": "old.txt"})]
    state = run(world, *calls)
    assert (state.made, state.removed) == (("new.txt",), ("old.txt",))
    done = [change for event in world.events("command_finished") for change in event.changed]
    back = tuple(FileChange(path=one.path, before=one.after, after=one.before) for one in done)
    undone = apply(state, FilesUndone(changed=back, by="test"))
    assert (undone.made, undone.wrote, undone.removed) == ((), (), ())
    again = apply(undone, FilesUndone(changed=tuple(done), redo=True, by="test"))
    assert (again.made, again.removed) == (("new.txt",), ("old.txt",))
