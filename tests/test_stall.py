"""The loop guard: the same command with the same result is said, then refused, then ends the run. It never asks."""

import pytest

from autoagent.budget import Limits, Usage
from autoagent.events import (
    CommandFinished,
    CommandStarted,
    Event,
    ModelReplied,
    Outcome,
    PersonSaid,
    RunPaused,
    RunResumed,
    RunStarted,
    Setup,
)
from autoagent.stall import LOOK_BACK, REFUSE, REPEATED, STOP, WARN, repetitions, stalled, warning
from autoagent.state import State, apply
from autoagent.thoughts import CommandCall, Thought

SETUP = Setup(model="m", context_tokens=8_000, reply_tokens=100, workspace="/w")
START = RunStarted(run_id="r", goal="g", setup=SETUP, limits=Limits(), system="s", nonce="n", version="1")
A = CommandCall(name="read_file", args={"path": "a"})
B = CommandCall(name="read_file", args={"path": "b"})


class Run:
    """A run that is told what came of each step."""

    def __init__(self) -> None:
        self.state = State()
        self.add(START)

    def add(self, event: Event) -> None:
        self.state = apply(self.state, event.model_copy(update={"seq": self.state.seq + 1}))

    def step(self, *done: tuple[CommandCall, str], outcome: Outcome = "ok") -> "Run":
        calls = tuple(call for call, _ in done)
        self.add(ModelReplied(reply="", usage=Usage(), thought=Thought(commands=calls), said="s"))
        for number, (call, text) in enumerate(done, 1):
            call_id = f"{self.state.step}.{number}"
            self.add(CommandStarted(call_id=call_id, call=call, allowed_by="reading"))
            self.add(CommandFinished(call_id=call_id, outcome=outcome, text=text))
        return self

    def refused(self, call: CommandCall) -> "Run":
        return self.step((call, f"{REPEATED} Do something else."), outcome="refused")


def after(*steps: tuple[CommandCall, str]) -> State:
    run = Run()
    for step in steps:
        run.step(step)
    return run.state


def test_234_the_same_command_again_and_again_is_said_then_refused_then_ends_the_run() -> None:
    run, told = Run(), list[str]()
    for _ in range(STOP):
        assert not stalled(run.state)
        if repetitions(run.state, A) >= REFUSE:
            run.refused(A)
        else:
            run.step((A, "same"))
        told.append(warning(run.state))
    assert [bool(text) for text in told] == [False] * (WARN - 1) + [True] * (STOP - WARN + 1)
    assert "Change your plan" in told[WARN - 1]
    assert "will not be run again" in told[REFUSE - 1]
    assert stalled(run.state) == f"read_file was asked for {STOP} times with the same result"


def test_two_commands_in_turn_are_a_loop_too() -> None:
    state = after(*[(A, "same"), (B, "other")] * STOP)
    assert repetitions(state, A) == repetitions(state, B) == STOP
    assert stalled(state)


def test_a_failure_that_repeats_is_a_loop_too() -> None:
    run = Run()
    for _ in range(STOP):
        run.step((A, "no such file"), outcome="failed")
    assert stalled(run.state)


def test_a_changed_result_counts_anew() -> None:
    state = after(*[(A, "same")] * (STOP - 1), (A, "new"))
    assert repetitions(state, A) == 1
    assert not warning(state)
    assert not stalled(state)


def test_other_arguments_are_another_command() -> None:
    state = after(*[(CommandCall(name="read_file", args={"path": str(n)}), "same") for n in range(STOP)])
    assert not warning(state)


def test_a_call_that_the_guard_refused_counts() -> None:
    run = Run()
    for _ in range(REFUSE):
        run.step((A, "same"))
    run.refused(A)
    assert repetitions(run.state, A) == REFUSE + 1


def test_a_result_that_only_sounds_like_the_guard_does_not_count() -> None:
    assert repetitions(after((A, f"{REPEATED} 1"), (A, f"{REPEATED} 2"), (A, f"{REPEATED} 3")), A) == 1


def test_a_call_that_was_skipped_neither_counts_nor_resets() -> None:
    run = Run()
    for _ in range(WARN):
        run.step((A, "same"))
    run.add(ModelReplied(reply="", usage=Usage(), thought=Thought(commands=(A,)), said="s"))
    run.add(ModelReplied(purpose="review", reply="Think.", usage=Usage()))
    assert repetitions(run.state, A) == WARN


def test_a_resumed_run_counts_anew() -> None:
    run = Run()
    for _ in range(STOP):
        run.step((A, "same"))
    run.add(RunPaused(status="paused", reason="Ctrl-C"))
    run.add(RunResumed())
    assert repetitions(run.state, A) == 0
    assert not stalled(run.state)
    assert repetitions(run.step((A, "same")).state, A) == 1


def test_what_a_person_says_gives_the_run_another_step() -> None:
    run = Run()
    for _ in range(STOP):
        run.step((A, "same"))
    run.add(PersonSaid(text="Try b instead.", by="me"))
    assert not stalled(run.state)


def test_only_the_newest_steps_are_looked_at() -> None:
    state = after(*[(A, "same")] * 2, *[(B, str(n)) for n in range(LOOK_BACK - 1)])
    assert repetitions(state, A) == 1


@pytest.mark.parametrize("other", [(B, "new"), (B, "")])
def test_a_step_that_does_something_else_is_no_stall(other: tuple[CommandCall, str]) -> None:
    state = after(*[(A, "same")] * STOP, other)
    assert not stalled(state)
    assert not warning(state)


def test_a_run_without_steps_has_not_stalled() -> None:
    assert not warning(Run().state)
    assert not stalled(Run().state)
