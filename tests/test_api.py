"""Runs from Python, as a program that uses the package makes them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import HANDOVER, World

import autoagent
from autoagent import build
from autoagent import settings as settings_module
from autoagent.places import new_run_folder
from autoagent.testing import Hang, ModelServer, Repeat, done, thought


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


@autoagent.command("reads")
def count_words(env: autoagent.Env, path: autoagent.WorkspacePath) -> str:
    """Count the words of a text file."""
    return f"{len(env.files.read_bytes(path).split())} words"


def test_a_goal_is_run_with_a_command_of_ones_own_and_its_events_are_read(world: World) -> None:
    world.file("a.txt", "one two three")
    seen: list[str] = []
    with ModelServer([thought(commands=[("count_words", {"path": "a.txt"})]), done("three", ["a.txt"])]) as server:
        run = autoagent.run(
            "How many words?",
            workspace=world.workspace,
            model="m",
            base_url=server.base_url,
            commands=[count_words],
            on_event=lambda event: seen.append(event.type),
        )
        assert "count_words(path: string)" in server.requests[0].body["messages"][0]["content"]
        assert "3 words" in json.dumps(server.requests[1].body["messages"])
    assert (run.status, run.result, run.files, run.reason) == ("reached", "three", ("a.txt",), "")
    assert [event.type for event in run.events()][1:] == seen
    assert run.folder == world.folder


def test_a_run_stops_at_its_limit_and_goes_on_with_a_higher_one(world: World) -> None:
    look = thought(commands=[("list_files", {})])
    with ModelServer([look, HANDOVER, done("ok")]) as server:
        first = autoagent.run("Go", workspace=world.workspace, model="m", base_url=server.base_url, max_steps=1)
        assert (first.status, first.result) == ("limit", "")
        assert "step" in first.reason
        again = autoagent.resume(first.id, limits__steps=5, message="go on, please")
        assert "go on, please" in json.dumps(server.requests[2].body["messages"])
    assert (again.status, again.id) == ("reached", first.id)


@pytest.mark.parametrize("in_list", [False, True])
def test_a_single_text_needs_no_list(world: World, in_list: bool) -> None:
    def one(text: str) -> str | list[str]:
        return [text] if in_list else text

    world.file("data/a.csv", "1\n")
    unsure = {"criterion": 1, "passage": "", "source": "", "why": "taste", "verdict": "only a person"}
    with ModelServer([done("ok"), {"verdicts": [unsure]}]) as server:
        run = autoagent.run(
            "Go", workspace=world.workspace, model="m", base_url=server.base_url, review="auto",
            done_when=one("it is so"), check=one("true"), expect=one("data/a.csv"), protect=one("data/*"),
            allow=one("write:out/**"), deny=one("write:data/**"),
        )  # fmt: skip
    assert [(criterion.text, criterion.command, criterion.file) for criterion, _ in run.criteria] == [
        ("it is so", "", ""), ("true", "true", ""), ("data/a.csv is there", "", "data/a.csv"),
    ]  # fmt: skip
    assert run.state.setup
    assert run.state.setup.protect == ("data/*",)
    assert [(rule.action, rule.text) for rule in run.state.rules] == [
        ("deny", "write:data/**"),
        ("allow", "write:out/**"),
    ]


def test_the_key_may_be_given_and_is_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with ModelServer([done("ok")], api_key="sk-other-0123456789") as server:
        run = autoagent.run(
            "Go", workspace=world.workspace, model="m", base_url=server.base_url, api_key="sk-other-0123456789"
        )
    assert run.status == "reached"


def test_the_cost_is_none_where_nobody_knows_the_price(world: World) -> None:
    with ModelServer([done("ok")]) as server:
        free = autoagent.run("Go", workspace=world.workspace, model="m", base_url=server.base_url)
    assert free.cost_usd == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"goal": " "}, "goal is empty"),
        ({"goal": "x", "workspace": "/nowhere/at/all"}, "no such folder"),
        ({"goal": "x", "colour": "red"}, "unknown setting 'colour'"),
        ({"goal": "x", "max_cost": -1}, "limits.cost"),
        ({"goal": "x", "allow": ["shell:"]}, "host:example.org"),
        ({"goal": "x", "commands": [len]}, "is no command"),
        ({"goal": "x", "base_url": "nowhere", "model": "m"}, "no address"),
    ],
)
def test_what_can_not_start_is_a_config_error_and_leaves_no_run(
    world: World, arguments: dict[str, object], words: str
) -> None:
    given = {"workspace": world.workspace, "model": "offline"} | arguments
    with pytest.raises(autoagent.ConfigError, match=words):
        autoagent.run(**given)  # type: ignore[arg-type]
    assert not (world.state / "autoagent/runs").exists()


def test_without_continuous_mode_a_run_waits_for_an_answer(world: World) -> None:
    with ModelServer([thought(commands=[("write_file", {"path": "x", "text": "y"})])]) as server:
        run = autoagent.run("Go", workspace=world.workspace, model="m", base_url=server.base_url, approve="acts")
    assert run.status == "waiting"
    assert not world.files()


INTERRUPTED = """
import signal, sys, threading
import autoagent
try:
    autoagent.run("Go", workspace=sys.argv[1], model="m", base_url=sys.argv[2])
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_run_in_safe_mode_stays_so_when_it_is_resumed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    look = thought(commands=[("list_files", {})])
    with ModelServer([look, done("ok")]) as server:
        settings = settings_module.load(world.workspace, {"model": "m", "base_url": server.base_url}, safe_mode=True)
        setup, limits = build.make_setup(settings, build.choose_model(settings), world.workspace)
        setup = setup.model_copy(update={"approve": "never"})
        build.start_run(new_run_folder(), setup, limits, ["Go"], notify=world.notes.append).close()
        monkeypatch.delenv("OPENAI_API_KEY")
        world.file(".env", "OPENAI_API_KEY=sk-of-the-folder-0123456789\n")
        run = autoagent.resume("last")
        assert [request.headers.get("authorization") for request in server.requests] == [None, None]
    assert run.status == "reached"


def test_ctrl_c_reaches_the_caller_and_the_run_can_go_on(world: World) -> None:
    with ModelServer([Hang(), Repeat(done("ok"))]) as server:
        command = [sys.executable, "-c", INTERRUPTED, str(world.workspace), server.base_url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            server.wait_for_requests(1)
            process.send_signal(2)
            out, _ = process.communicate(timeout=10)
        assert out == "interrupted\n"
        assert autoagent.resume("last").status == "reached"


def test_importing_the_package_is_light() -> None:
    heavy = "[name for name in sys.modules if 'pydantic' in name or 'autoagent.' in name]"
    code = f"import sys, autoagent; autoagent.__version__; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_public_name_is_there() -> None:
    assert all(getattr(autoagent, name) for name in autoagent.__all__)
    with pytest.raises(AttributeError, match="nope"):
        _ = autoagent.nope


def test_criteria_and_evidence_are_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOAGENT_EVIDENCE", "mark")
    world.file("a.txt", "Acme costs 49 euros.")
    read = thought(commands=[("read_file", {"path": "a.txt"})])
    with ModelServer([read, done("49 euros")]) as server:
        run = autoagent.run(
            "Go", workspace=world.workspace, model="m", base_url=server.base_url, expect=["a.txt ~ 49"], check=["true"]
        )
    assert [(one.text, verdict and verdict.state) for one, verdict in run.criteria] == [
        ("true", "met"),
        ("a.txt holds 49", "met"),
    ]
    assert run.evidence is not None
    assert (run.evidence.facts, run.evidence.without) == (1, 0)
