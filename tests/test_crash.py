"""A crash anywhere never repeats an effect, never hides one, and the run comes to the same end."""

import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import World, by_step, close, finish, observations, outcomes, types, window, yes

from autoagent import inbox
from autoagent.effects import UNKNOWN
from autoagent.events import Event
from autoagent.inbox import InboxMessage
from autoagent.journal import Journal, read, state_of
from autoagent.registry import Command, command
from autoagent.state import State
from autoagent.testing import Hang, ModelServer, Repeat, done, thought

LONG = "\n".join(f"line {n} of a report with a few words" for n in range(70))


class Crashed(BaseException):
    """The process is gone: nothing below catches it."""


def crashing(at: int, when: str) -> type[Journal]:
    """A journal whose process dies before or after it writes the event number `at`."""

    class Crashing(Journal):
        def append(self, event: Event) -> State:
            if when == "before" and self.state.seq + 1 == at:
                raise Crashed
            state = super().append(event)
            if when == "after" and state.seq == at:
                raise Crashed
            return state

    return Crashing


@dataclass
class Case:
    """A script, the files it begins with, and a command whose effect no journal can see."""

    script: list[Any]
    flags: dict[str, Any]
    once: Command[..., Any]
    effects: Path

    def answer(self, state: State) -> InboxMessage:
        assert state.question is not None
        if state.question.call.name == "ask_person":
            return InboxMessage(kind="say", by="test", text="Blue")
        return yes(state)


@pytest.fixture
def case(world: World) -> Case:
    effects = world.root / "effects"

    @command("executes")
    def add_token(token: str) -> str:
        """Add a token to a file that no Change names."""
        with effects.open("a") as file:
            file.write(token + "\n")
        return f"added {token}"

    world.file("a.txt", "alpha\nbeta\n")
    script = [
        thought(commands=[("read_file", {"path": "a.txt"}), ("list_files", {}), ("read_file", {"path": "a.txt"})]),
        thought(commands=[("write_file", {"path": "new.txt", "text": LONG}), ("add_token", {"token": "one"})]),
        thought(commands=[("edit_file", {"path": "a.txt", "old": "alpha", "new": "ALPHA"})]),
        thought(commands=[("append_file", {"path": "a.txt", "text": "gamma\n"})] * 2),
        thought(commands=[("ask_person", {"question": "Which colour?"}), ("read_file", {"path": "new.txt"})]),
        "no JSON",
        thought(commands=[("write_file", {"path": "a.txt", "text": "new\n"}), ("read_file", {"path": "new.txt"})]),
        thought(commands=[("edit_file", {"path": "a.txt", "old": "w", "new": "wer"}), ("add_token", {"token": "2"})]),
        thought(commands=[("write_file", {"path": f"r{n}.txt", "text": LONG}) for n in range(3)]),
        thought(commands=[("append_file", {"path": "r1.txt", "text": "end"})]),
        done("All is written.", ["a.txt", "new.txt"]),
    ]  # fmt: skip
    return Case(script, {"approve": "acts", "context_tokens": window(2_980), "reply_tokens": 500}, add_token, effects)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def play(world: World, case: Case, server: ModelServer, at: int, when: str) -> State:
    """The case with a crash at one event, resumed until it ends."""
    agent = world.start(server, answer=case.answer, commands=[case.once], journal=crashing(at, when), **case.flags)
    try:
        return finish(agent)
    except Crashed:
        left = state_of(world.folder)
        if left.status == "reached":
            return left
        return world.run_again(world.folder, server, answer=case.answer, commands=[case.once])


def model(case: Case) -> Repeat:
    return Repeat(by_step(case.script))


def sane(world: World) -> None:
    """Whatever happened, the journal is whole and nothing temporary is left in the workspace."""
    events = list(read(world.folder))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert not [name for name in world.files() if name.rpartition("/")[2].startswith(".")]


def without_crash(world: World, case: Case) -> tuple[State, dict[str, bytes], list[str]]:
    with ModelServer([model(case)]) as server:
        state = play(world, case, server, 0, "never")
    assert case.effects.read_text() == "one\n2\n"
    return state, world.files(), types(world.events())


EVENTS = 93  # of the run without a crash, which test_the_case_is_as_long_as_it_is_swept checks


def test_the_case_is_as_long_as_it_is_swept(world: World, case: Case) -> None:
    state, _, happened = without_crash(world, case)
    assert state.status == "reached"
    assert state.summarized > 0
    assert "compacted" in happened
    assert len(happened) == EVENTS


def check_crash(world: World, case: Case, at: int, when: str) -> None:
    expected = {
        "a.txt": b"newer\n", "new.txt": LONG.encode(), "r0.txt": LONG.encode(),
        "r1.txt": LONG.encode() + b"end", "r2.txt": LONG.encode(),
    }  # fmt: skip
    with ModelServer([model(case)]) as server:
        state = play(world, case, server, at, when)
        calls = len(server.requests)
    sane(world)
    assert state.status == "reached"
    assert state.result == "All is written."
    assert world.files() == expected
    unknown = [o for o in observations(state) if o.outcome == "unknown"]
    effects = case.effects.read_text().split()
    if unknown:
        assert [o.text for o in unknown] == [UNKNOWN]
        assert unknown[0].call is not None
        assert unknown[0].call.name == "add_token"
        assert all(effects.count(token) <= 1 for token in ("one", "2"))
    else:
        assert effects == ["one", "2"]
    assert all(o.outcome in ("ok", "unknown") for o in observations(state) if o.call)
    assert state.usage.calls >= calls  # every request is paid for in the books


SAMPLE = [(at, when) for at in range(2, EVENTS + 1) for when in ("before", "after")]


@pytest.mark.parametrize(("at", "when"), SAMPLE[::5])
def test_a_crash_never_repeats_or_loses_an_effect(world: World, case: Case, at: int, when: str) -> None:
    check_crash(world, case, at, when)


@pytest.mark.slow
@pytest.mark.parametrize(("at", "when"), [point for n, point in enumerate(SAMPLE) if n % 5])
def test_a_crash_at_any_event_never_repeats_or_loses_an_effect(world: World, case: Case, at: int, when: str) -> None:
    check_crash(world, case, at, when)


@pytest.mark.slow
@pytest.mark.parametrize("at", range(4, EVENTS, 7))
def test_a_second_crash_while_resuming_changes_nothing(world: World, case: Case, at: int) -> None:
    with ModelServer([model(case)]) as server:
        agent = world.start(
            server, answer=case.answer, commands=[case.once], journal=crashing(at, "after"), **case.flags
        )
        with pytest.raises(Crashed):
            finish(agent)
        for again in range(1, 5):
            if state_of(world.folder).status != "running":
                break
            journal = crashing(at + 2 * again, "before")
            with contextlib.suppress(Crashed):
                finish(world.resume(world.folder, server, answer=case.answer, commands=[case.once], journal=journal))
        state = world.run_again(world.folder, server, answer=case.answer, commands=[case.once])
    sane(world)
    assert state.status == "reached"
    assert world.text("a.txt") == "newer\n"
    assert all(case.effects.read_text().split().count(token) <= 1 for token in ("one", "2"))


# One command, looked at closely


def crash(world: World, server: ModelServer, kind: str, when: str, number: int = 1, **options: Any) -> None:
    """A new run that dies before or after its event number `number` of a kind is written."""
    left = [number]

    class Crashing(Journal):
        def append(self, event: Event) -> State:
            left[0] -= event.type == kind
            mine = event.type == kind and left[0] == 0
            if mine and when == "before":
                raise Crashed
            state = super().append(event)
            if mine:
                raise Crashed
            return state

    agent = world.start(server, journal=Crashing, **options)
    with pytest.raises(Crashed):
        finish(agent)


CHANGES = {
    "a new file": ("write_file", {"path": "n.txt", "text": "new"}),
    "a file that was read": ("write_file", {"path": "a.txt", "text": "new"}),
    "an appended file": ("append_file", {"path": "a.txt", "text": "more"}),
    "an edited file": ("edit_file", {"path": "a.txt", "old": "old", "new": "new"}),
    "a file in a new folder": ("write_file", {"path": "d/e/n.txt", "text": "new"}),
    "a file that stays as it is": ("write_file", {"path": "a.txt", "text": "old\n"}),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("kind", "when"), [("command_started", "after"), ("command_finished", "before")])
def test_a_change_of_a_file_is_finished_or_found_done_exactly_once(
    world: World, change: str, kind: str, when: str
) -> None:
    world.file("a.txt", "old\n")
    name, args = CHANGES[change]
    script = by_step([
        thought(commands=[("read_file", {"path": "a.txt"})]),
        thought(commands=[(name, args)]),
        thought(commands=[("append_file", {"path": args["path"], "text": "!"}), ("edit_file", {
            "path": args["path"], "old": "!", "new": "?"})]),
        done("ok"),
    ])  # fmt: skip
    with ModelServer([Repeat(script)]) as server:
        crash(world, server, kind, when, number=2)
        state = world.run_again(world.folder, server)
    assert [outcome for _, outcome in outcomes(state)] == ["ok"] * 5
    written = args["text"] if name == "write_file" else {"append_file": "old\nmore", "edit_file": "new\n"}[name]
    assert world.text(args["path"]) == written + "?"
    assert observations(state)[1].wrote == args["path"]


@pytest.mark.parametrize(("kind", "when"), [("command_started", "after"), ("command_finished", "before")])
@pytest.mark.parametrize("name", ["write_file", "append_file", "edit_file"])
def test_what_somebody_else_wrote_meanwhile_is_reported_and_never_overwritten(
    world: World, name: str, kind: str, when: str
) -> None:
    world.file("a.txt", "old\n")
    args = {"path": "a.txt"} | ({"old": "old", "new": "new"} if name == "edit_file" else {"text": "new"})
    script = by_step([thought(commands=[(name, args), ("write_file", {"path": "b", "text": ""})]), done("ok")])
    with ModelServer([Repeat(script)]) as server:
        crash(world, server, kind, when)
        world.file("a.txt", "somebody else's\n")
        state = world.run_again(world.folder, server)
    assert world.files() == {"a.txt": b"somebody else's\n"}
    assert outcomes(state)[:2] == [(name, "unknown"), ("write_file", "skipped")]
    assert "OUTCOME UNKNOWN" in server.requests[-1].body["messages"][-2]["content"]


def test_a_file_whose_place_can_no_longer_be_used_is_reported_as_unknown(world: World) -> None:
    script = by_step([thought(commands=[("write_file", {"path": "d", "text": "new"})]), done("ok")])
    with ModelServer([Repeat(script)]) as server:
        crash(world, server, "command_started", "after")
        (world.workspace / "d").mkdir()
        state = world.run_again(world.folder, server)
    assert outcomes(state)[0] == ("write_file", "unknown")
    assert state.status == "reached"


def test_a_command_that_is_gone_when_the_run_goes_on_is_reported_as_unknown(world: World, case: Case) -> None:
    script = by_step([thought(commands=[("add_token", {"token": "t"})]), done("ok")])
    with ModelServer([Repeat(script)]) as server:
        crash(world, server, "command_finished", "before", commands=[case.once])
        state = world.run_again(world.folder, server)
    assert case.effects.read_text() == "t\n"
    assert outcomes(state)[0] == ("add_token", "unknown")


def test_an_idempotent_command_is_simply_run_again(world: World) -> None:
    runs: list[int] = []

    @command("executes", idempotent=True)
    def touch() -> str:
        """Do it as often as you like."""
        runs.append(1)
        return "touched"

    script = by_step([thought(commands=[("touch", {})]), done("ok")])
    with ModelServer([Repeat(script)]) as server:
        crash(world, server, "command_finished", "before", commands=[touch])
        state = world.run_again(world.folder, server, commands=[touch])
    assert len(runs) == 2
    assert outcomes(state)[0] == ("touch", "ok")


def test_a_crash_never_turns_a_yes_to_one_change_into_a_yes_to_another(world: World) -> None:
    world.file("a.txt", "old\n")
    script = by_step([thought(commands=[("append_file", {"path": "a.txt", "text": "new"})]), done("ok")])
    with ModelServer([Repeat(script)]) as server:
        crash(world, server, "approval_given", "after", answer=yes, approve="acts")
        world.file("a.txt", "somebody else's\n")
        state = world.run_again(world.folder, server)
    assert state.status == "waiting"
    assert world.text("a.txt") == "somebody else's\n"
    assert "somebody else's" in world.events("approval_asked")[-1].preview


@pytest.mark.parametrize(("kind", "when"), [("model_called", "after"), ("model_replied", "before")])
def test_a_call_without_a_recorded_reply_is_counted_with_all_that_was_reserved(
    world: World, kind: str, when: str
) -> None:
    prices = {"test-model": {"input": 1.0, "output": 4.0}}
    with ModelServer([Repeat(by_step([done("ok")]))]) as server:
        crash(world, server, kind, when, prices=prices)
        (called,) = world.events("model_called")
        assert called.reserved.cost_usd > 0.03
        state = world.run_again(world.folder, server, prices=prices)
    (replied,) = world.events("model_replied")
    assert state.usage.calls == 2
    assert state.usage.cost_usd == pytest.approx(called.reserved.cost_usd + replied.usage.cost_usd)
    assert state.usage.tokens == called.reserved.tokens + replied.usage.tokens


def test_a_message_is_taken_once_when_the_crash_comes_before_its_file_is_removed(world: World) -> None:
    with ModelServer([Repeat(by_step([done("ok")]))]) as server:
        agent = world.start(server)
        folder = agent.journal.folder
        close(agent)
        inbox.send(folder, InboxMessage(kind="say", by="test", text="once"))
        journal = crashing(3, "after")  # after run_resumed: the message is in the journal, its file still there
        with pytest.raises(Crashed):
            finish(world.resume(folder, server, journal=journal))
        assert list(inbox.waiting(folder))
        world.run_again(folder, server)
    assert len(world.events("person_said")) == 1
    assert not list(inbox.waiting(folder))


def test_the_end_is_not_asked_for_twice(world: World) -> None:
    with ModelServer([Repeat(by_step([done("ok")]))]) as server:
        crash(world, server, "run_ended", "before")
        assert world.run_again(world.folder, server).status == "reached"
        assert len(server.requests) == 1


# A real process, killed

SLOW = """
import json, os, sys
from pathlib import Path
from autoagent import build, places, settings, signals
from autoagent.registry import command

workspace, base_url, effects = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

@command("executes")
def add_token(token: str) -> str:
    '''Add a token, then take for ever.'''
    with open(effects, "a") as file:
        file.write(token + "\\n")
        file.flush()
        os.fsync(file.fileno())
    print("acted", flush=True)
    sys.stdin.read()
    return "never"

found = settings.load(workspace, {"model": "m", "base_url": base_url, "approve": "never"})
setup, limits = build.make_setup(found, build.choose_model(found), workspace)
journal = build.start_run(places.new_run_folder(), setup, limits, ["Do it"], notify=print)
build.make_agent(journal, signals.Unattended(journal.folder, signals.Signals()), found, print, [add_token]).run()
"""


def start_slow(world: World, case: Case, server: ModelServer) -> "subprocess.Popen[str]":
    arguments = [str(world.workspace), server.base_url, str(case.effects)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", SLOW, *arguments], **pipes)


def test_kill_9_while_a_command_runs_is_told_and_its_effect_is_not_repeated(world: World, case: Case) -> None:
    script = by_step([thought(commands=[("add_token", {"token": "t"})]), done("ok")])
    with ModelServer([Repeat(script)]) as server:
        process = start_slow(world, case, server)
        assert process.stdout is not None
        assert process.stdout.readline() == "acted\n"
        process.kill()
        process.communicate()
        state = world.run_again(world.folder, server, commands=[case.once])
        told = server.requests[-1].body["messages"][-2]["content"]
    assert case.effects.read_text() == "t\n"
    assert outcomes(state)[0] == ("add_token", "unknown")
    assert "OUTCOME UNKNOWN" in told
    assert state.status == "reached"


def test_kill_9_while_the_model_is_asked_keeps_the_reservation(world: World, case: Case) -> None:
    with ModelServer([Hang(), done("ok")]) as server:
        process = start_slow(world, case, server)
        server.wait_for_requests(1)
        process.kill()
        process.communicate()
        state = world.run_again(world.folder, server)
    assert state.status == "reached"
    (lost, _) = world.events("model_called")
    (replied,) = world.events("model_replied")
    assert state.usage.tokens == lost.reserved.tokens + replied.usage.tokens


def test_the_journal_of_a_killed_run_can_be_read_by_anybody(world: World, case: Case) -> None:
    with ModelServer([Hang()]) as server:
        process = start_slow(world, case, server)
        server.wait_for_requests(1)
        process.kill()
        process.communicate()
    lines = (world.folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["run_started", "model_called"]
