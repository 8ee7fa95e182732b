"""What a model could do to end as reached all the same, and what holds it."""

import sys
from pathlib import Path
from typing import Any

import pytest
from accepting import TEXT, WRITE, WRITES, asked_by, check, drafting, verdicts
from support import World, finish, no, yes

from autoagent import build
from autoagent.criteria import GOAL
from autoagent.journal import Journal
from autoagent.places import new_run_folder
from autoagent.state import State
from autoagent.testing import ModelServer, done, thought


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("AUTOAGENT_REVIEW", "auto")
    return World(tmp_path, monkeypatch)


@pytest.mark.parametrize("draft", [{"text": "all done", "command": "true"}, {"text": "x", "file": "there.txt"}])
def test_the_goal_is_judged_beside_a_draft_that_is_too_easy(world: World, draft: dict[str, Any]) -> None:
    world.file("there.txt", "x")
    script = [drafting(draft, commands=[("list_files", {})]), done("a"), verdicts((1, "not met", "")), done("b")]
    with ModelServer([*script, verdicts((1, "not met", ""))]) as server:
        state = world.run(server)
    assert (state.status, [one.text for one in state.criteria][1:]) == ("unreached", [GOAL])


def test_a_draft_after_the_first_act_is_too_late(world: World) -> None:
    late = drafting({"text": "passes", "command": "true"}, commands=[("list_files", {})])
    with ModelServer([WRITE, late, done("x")]) as server:
        assert world.run(server, review="off").criteria == ()


EASIER = [
    ("make test", {"Makefile": "test:\n\tfalse\n"}, "printf 'test:\\n\\ttrue\\n' > Makefile"),
    ("sh './check.sh'; exit $?", {"check.sh": "exit 1\n"}, "echo 'exit 0' > check.sh"),
    ("sh run.sh", {"run.sh": "exit 1\n"}, "echo 'exit 0' > run.sh"),
    ("python3 -m checks.verify", {"checks/verify.py": "raise SystemExit(1)\n"}, "echo > checks/verify.py"),
    ("python3 test_a.py", {"test_a.py": "assert False\n"}, "mv test_a.py old.py; echo > test_a.py"),
    ("python3 tests/a.py", {"tests/a.py": "assert False\n"}, "mv tests old; mkdir tests; echo > tests/a.py"),
    (
        "python3 pkg/tests/test_a.py", {"pkg/tests/test_a.py": "assert False\n"},
        "mv pkg old && mkdir -p weak/tests && echo > weak/tests/test_a.py && ln -s weak pkg",
    ),
    ("python3 -m unittest discover tests", {"tests/test_a.py": "assert False\n"}, "chmod 000 tests"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "files", "easier"), EASIER, ids=[one[0] for one in EASIER])
def test_a_check_is_not_made_easier_by_a_program(
    world: World, command: str, files: dict[str, str], easier: str
) -> None:
    for name, content in files.items():
        world.file(name, content)
    script = [
        thought(commands=[("run_shell", {"command": easier})]),
        done("passes"),
        thought(commands=[("give_up", {"reason": "no"})]),
    ]
    state, _ = asked_by(world, script, check(command), review="off")
    assert state.status == "unreached", state.verdicts


MAKE = ("make test", {"Makefile": "test:\n\tfalse\n"})
PYTEST = (f"{sys.executable} -m pytest -q -p no:cacheprovider", {"test_a.py": "def test_a(): assert False\n"})
STEERS = [
    (MAKE, "makefile", "test:\n\ttrue\n"),
    (MAKE, "GNUmakefile", "test:\n\ttrue\n"),
    (PYTEST, "pyproject.toml", "[tool.pytest.ini_options]\naddopts = '--collect-only'\n"),
    (PYTEST, "tox.ini", "[pytest]\naddopts = --collect-only\n"),
    (PYTEST, "setup.cfg", "[tool:pytest]\naddopts = --collect-only\n"),
    (PYTEST, "pytest.toml", "[pytest]\naddopts = ['--collect-only']\n"),
]


@pytest.mark.parametrize("by_program", [False, True])
@pytest.mark.parametrize(("checked", "name", "text"), STEERS, ids=[one[1] for one in STEERS])
def test_a_check_is_not_steered_by_a_new_file(
    world: World, checked: tuple[str, dict[str, str]], name: str, text: str, by_program: bool
) -> None:
    command, files = checked
    for path, content in files.items():
        world.file(path, content)
    shell = f"cat > {name} <<'END'\n{text}END"
    new = ("run_shell", {"command": shell}) if by_program else ("write_file", {"path": name, "text": text})
    script = [thought(commands=[new]), done("passes"), thought(commands=[("give_up", {"reason": "no"})])]
    state, _ = asked_by(world, script, check(command), review="off")
    assert (state.status, name in world.files()) == ("unreached", False)


@pytest.mark.parametrize(
    ("command", "name", "text"),
    [
        ("make test", "Makefile", "test:\n\ttrue\n"),  # there is none that it comes before
        ("test -s pyproject.toml", "pyproject.toml", "[project]\nname = 'a'\n"),
        ("python3 -c 'print()'", "tox.ini", "[tox]\n"),
    ],
)
def test_a_new_settings_file_that_steers_no_check_is_ordinary(world: World, command: str, name: str, text: str) -> None:
    script = [thought(commands=[("write_file", {"path": name, "text": text})]), done("made")]
    state, _ = asked_by(world, script, check(command), review="off")
    assert (state.status, world.text(name)) == ("reached", text)


PROJECT = "[project]\nname = 'a'\n[dependency-groups]\ndev = ['pytest>=8', 'pytest==9']\n"


@pytest.mark.parametrize("by_program", [False, True])
def test_a_new_file_of_many_settings_is_ordinary_until_it_tells_a_check_what_to_do(
    world: World, by_program: bool
) -> None:
    def writing(text: str) -> Any:
        shell = f"cat > pyproject.toml <<'END'\n{text}END"
        one = (
            ("run_shell", {"command": shell})
            if by_program
            else ("write_file", {"path": "pyproject.toml", "text": text})
        )
        return thought(commands=[one])

    world.file("test_a.py", "def test_a(): assert False\n")
    steered = PROJECT + "[tool.pytest.ini_options]\naddopts = '--collect-only'\n"
    good = thought(commands=[("write_file", {"path": "test_b.py", "text": "def test_b(): pass\n"})])
    script = [writing(PROJECT), good, writing(steered), done("x"), thought(commands=[("give_up", {"reason": "no"})])]
    state, _ = asked_by(world, script, check(f"{PYTEST[0]} test_a.py"), review="off")
    assert state.status == "unreached"
    assert world.text("pyproject.toml") == PROJECT


def test_a_package_made_from_nothing_passes_its_check(world: World) -> None:
    files = {
        "pyproject.toml": PROJECT,
        "a.py": "def f(): return 1\n",
        "test_a.py": "from a import f\ndef test_f(): f()\n",
    }
    new = [("write_file", {"path": path, "text": text}) for path, text in files.items()]
    state, _ = asked_by(world, [thought(commands=new), done("made")], check(PYTEST[0]), review="off")
    assert (state.status, world.text("pyproject.toml")) == ("reached", PROJECT)


def test_a_person_s_rule_frees_a_new_settings_file(world: World) -> None:
    name, text = "pyproject.toml", "[tool.pytest.ini_options]\naddopts = ''\n"
    script = [thought(commands=[("write_file", {"path": name, "text": text})]), done("made")]
    state, _ = asked_by(world, script, check("echo pytest"), review="off", rules=[f"allow write:{name}"])
    assert (state.status, world.text(name)) == ("reached", text)


def test_what_runs_in_the_background_can_not_exchange_what_a_check_reads(world: World) -> None:
    world.file("test_a.py", "assert False\n")
    flips = "while true; do echo pass > w; mv w test_a.py; sleep 0.1; done"
    started = thought(commands=[("run_shell", {"command": flips, "background": True})])
    script = [started, done("passes"), thought(commands=[("give_up", {"reason": "no"})])]
    state, _ = asked_by(world, script, check("sleep 0.4; python3 test_a.py"), review="off")
    assert state.status == "unreached", (state.reason, state.verdicts, state.put_back, state.steps)


@pytest.mark.parametrize("pattern", ["data/", "data", "./data/*", "data/*"])
def test_a_protected_folder_may_be_named_in_any_way(world: World, pattern: str) -> None:
    world.file("data/a.csv", "1\n")
    change = thought(commands=[("run_shell", {"command": "echo 2 > data/a.csv; echo new > data/b.csv"})])
    with ModelServer([change, done("x")]) as server:
        settings = world.settings(server, {"review": "off"})
        setup, limits = build.make_setup(settings, build.choose_model(settings), world.workspace)
        setup = setup.model_copy(update={"protect": (pattern,)})
        started = build.start_run(new_run_folder(), setup, limits, ["Go"], notify=world.notes.append)
        state = finish(world.agent(started, settings, None, ()))
    assert (world.text("data/a.csv"), state.put_back) == ("1\n", ("data/a.csv",))


SHOWS_NOTHING = [
    "# Goal",
    "goal is reached in full",
    "Criteria to judge",
    "No claim with a source is given.",
    "the",
    "of it",
]


@pytest.mark.parametrize("passage", SHOWS_NOTHING)
def test_words_of_the_goal_of_the_criteria_or_of_the_program_show_nothing(world: World, passage: str) -> None:
    script = [
        drafting(TEXT, commands=WRITES),
        done("x"),
        verdicts((1, "met", passage)),
        done("y"),
        verdicts((1, "met", passage)),
    ]
    with ModelServer(script) as server:
        assert world.run(server, goal="Find the price of it").status == "waiting"


def test_of_two_verdicts_on_one_criterion_the_worse_counts(world: World) -> None:
    both = verdicts((1, "met", "Acme costs 49 euros"), (1, "not met", ""), (1, "met", "Acme costs 49 euros"))
    with ModelServer([drafting(TEXT, commands=WRITES), done("x"), both, done("y"), both]) as server:
        assert world.run(server).status == "unreached"


def test_killed_between_a_review_and_its_verdicts_the_review_is_not_paid_twice(world: World) -> None:
    class Dies(Journal):
        def append(self, event: Any) -> State:
            if event.type == "criteria_judged":
                raise KeyboardInterrupt
            return super().append(event)

    script = [drafting(TEXT, commands=WRITES), done("x"), verdicts((1, "met", "Acme costs 49 euros"))]
    with ModelServer(script) as server:
        agent = world.start(server, journal=Dies)
        with pytest.raises(KeyboardInterrupt):
            agent.run()
        agent.journal.close()
        agent.close()
        assert world.run_again(world.folder, server).status == "reached"
        assert len(server.requests) == 3


def test_a_check_that_had_ended_is_not_run_again_after_a_kill_in_the_next_one(world: World) -> None:
    class Dies(Journal):
        def append(self, event: Any) -> State:
            if event.type == "criteria_judged":
                raise KeyboardInterrupt
            return super().append(event)

    criteria = [check("echo a >> one.txt"), check("echo b >> two.txt")]
    with ModelServer([done("x")]) as server:
        settings = world.settings(server, {"review": "off"})
        setup, limits = build.make_setup(settings, build.choose_model(settings), world.workspace)
        started = build.start_run(new_run_folder(), setup, limits, ["Go"], criteria=criteria, notify=print)
        started.close()
        agent = world.agent(Dies(started.folder), settings, None, ())
        with pytest.raises(KeyboardInterrupt):
            agent.run()
        agent.journal.close()
        agent.close()
        assert world.run_again(world.folder, server).status == "reached"
    assert (world.text("one.txt"), world.text("two.txt")) == ("a\n", "b\n")


def test_a_result_that_was_not_reviewed_is_not_met_by_the_review_of_another(world: World) -> None:
    script = [
        drafting(TEXT, {"text": "it is pretty"}, commands=WRITES), done("Acme costs 49 euros"),
        verdicts((1, "met", "Acme costs 49"), (2, "only a person", "")),
    ]  # fmt: skip
    with ModelServer(script) as server:
        assert world.run(server).status == "waiting"
    no_twice = [done("again"), verdicts((1, "met", "Acme costs 49"), (2, "only a person", "")), done("banana")]
    with ModelServer(no_twice) as server:
        answers = iter([no, no])
        state = world.run_again(world.folder, server, answer=lambda asked: next(answers, lambda _: None)(asked))
    assert state.status == "waiting"
    assert state.reason.startswith("y/n needed: is this so? the price of Acme is given")


def test_a_review_never_makes_good_a_check_that_was_not_run(world: World) -> None:
    drafted = drafting({"text": "passes", "command": "false"}, commands=[("list_files", {})])
    with ModelServer([drafted, done("x"), verdicts((1, "met", "0 files, 0 folders"))]) as server:
        state = world.run(server, review="always", approve="acts")
    assert (state.status, state.verdicts[0].state) == ("waiting", "person")


def test_a_yes_to_a_check_that_needed_one_runs_it(world: World) -> None:
    drafted = drafting({"text": "passes", "command": "false"}, commands=[("list_files", {})])
    with ModelServer([drafted, done("x"), thought(commands=[("give_up", {"reason": "it fails"})])]) as server:
        state = world.run(server, review="off", approve="acts", answer=yes)
    assert (state.status, state.verdicts[0].state) == ("unreached", "unmet")


def test_a_models_own_criterion_tells_nothing_of_a_secret(world: World) -> None:
    world.file(".env", "KEY=hunter2-long-enough\n")
    drafted = drafting({"text": "k", "file": ".env", "pattern": "KEY=hun"}, commands=[("list_files", {})])
    with ModelServer([drafted, done("x"), thought(commands=[("give_up", {"reason": "no"})])]) as server:
        state = world.run(server, review="off")
    assert "may hold secrets" in state.verdicts[0].proof
