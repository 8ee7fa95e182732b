"""A run for tests of the loop guard, told what came of each step; nothing is asked and nothing is run."""

from autoagent.budget import Limits, Usage
from autoagent.events import (
    CommandFinished,
    CommandStarted,
    Compacted,
    Event,
    FileChange,
    FileState,
    ModelReplied,
    Outcome,
    PersonSaid,
    RunPaused,
    RunResumed,
    RunStarted,
    Setup,
)
from autoagent.stall import REPEATED, refusal
from autoagent.state import State, apply
from autoagent.thoughts import CommandCall, Thought


def call(name: str, **args: object) -> CommandCall:
    return CommandCall.model_validate({"name": name, "args": args})


def read(path: str, **more: object) -> CommandCall:
    return call("read_file", path=path, **more)


A, B = read("a"), read("b")


class Run:
    def __init__(self, disabled: tuple[str, ...] = ()) -> None:
        self.state = State()
        setup = Setup(model="m", context_tokens=8_000, reply_tokens=100, workspace="/w", disabled=disabled)
        self.add(
            RunStarted(run_id="r", goal="g", setup=setup, limits=Limits(), system="s", nonce="n", version="1"),
        )

    def add(self, event: Event) -> None:
        self.state = apply(self.state, event.model_copy(update={"seq": self.state.seq + 1}))

    def step(
        self,
        *done: tuple[CommandCall, str],
        outcome: Outcome = "ok",
        plan: tuple[str, ...] = (),
        changed: tuple[FileChange, ...] = (),
    ) -> "Run":
        """One thought with these commands and what came of each."""
        thought = Thought(commands=tuple(one for one, _ in done), plan=plan)
        self.add(ModelReplied(reply="", usage=Usage(), thought=thought, said=thought.as_reply()))
        for number, (one, text) in enumerate(done, 1):
            call_id = f"{self.state.step}.{number}"
            self.add(CommandStarted(call_id=call_id, call=one, allowed_by="reading"))
            wrote = changed[0].path if changed else ""
            self.add(CommandFinished(call_id=call_id, outcome=outcome, text=text, wrote=wrote, changed=changed))
        return self

    def wrote(self, path: str, text: str) -> "Run":
        change = FileChange(path=path, before=FileState(kind="file"), after=FileState(kind="file"))
        return self.step((call("write_file", path=path, text=text), f"{path} replaced: 1 line."), changed=(change,))

    def refuses(self, one: CommandCall) -> bool:
        return bool(refusal(self.state, one))

    def refused(self, one: CommandCall) -> "Run":
        return self.step((one, refusal(self.state, one) or f"{REPEATED} it was."), outcome="refused")

    def reviewed(self, one: CommandCall) -> None:
        """A critic looked at the thought, whose command was not run."""
        self.add(ModelReplied(reply="", usage=Usage(), thought=Thought(commands=(one,)), said="s"))
        self.add(ModelReplied(purpose="review", reply="Think.", usage=Usage()))

    def resumed(self) -> None:
        self.add(RunPaused(status="paused", reason="Ctrl-C"))
        self.add(RunResumed())

    def told(self, text: str) -> None:
        self.add(PersonSaid(text=text, by="me"))

    def compacted(self) -> None:
        """All steps are represented by a summary."""
        upto = len(self.state.steps)
        self.add(Compacted(upto=upto, summary="s", tokens=1, by="digest", tokens_before=2, tokens_after=1, kept="goal"))


def after(*steps: tuple[CommandCall, str]) -> State:
    run = Run()
    for step in steps:
        run.step(step)
    return run.state
