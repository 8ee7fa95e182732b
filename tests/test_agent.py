"""Goal in, journal and files out: the loop, over real HTTP."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import Person, World, close, finish, in_turn, no, observations, outcomes, types, window, yes

from autoagent import inbox
from autoagent.env import Completion, Env, WorkspacePath
from autoagent.events import Event
from autoagent.inbox import InboxMessage
from autoagent.journal import Journal, read, state_of
from autoagent.memory import OBSERVED_SHARE
from autoagent.models.tokens import TokenCounter
from autoagent.places import is_live
from autoagent.registry import Effect, command
from autoagent.replay import replay
from autoagent.state import State
from autoagent.testing import ContextOverflow, Failure, ModelServer, Repeat, Reply, done, thought

SMALL_WINDOW = """
import sys
from pathlib import Path
from autoagent import build, places, settings, signals
workspace = Path(sys.argv[1])
given = {"model": "m", "base_url": sys.argv[2], "approve": "never", "context_tokens": int(sys.argv[3])}
found = settings.load(workspace, given)
setup, limits = build.make_setup(found, build.choose_model(found), workspace)
with build.start_run(places.new_run_folder(), setup, limits, ["Do it"], notify=print) as journal:
    people = signals.Unattended(journal.folder, signals.Signals())
    state = build.make_agent(journal, people, found, print).run()
    print(state.status, state.reason)
"""
WRITE = ("write_file", {"path": "out.txt", "text": "one\n"})


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def message(kind: Any, **fields: Any) -> InboxMessage:
    return InboxMessage(kind=kind, by="test", **fields)


def last_message(server: ModelServer) -> str:
    return str(server.requests[-1].body["messages"])


# The ordinary way


def test_a_goal_becomes_thoughts_commands_files_and_a_result(world: World) -> None:
    world.file("a.txt", "alpha\nbeta\n")
    script = [
        thought("look", commands=[("read_file", {"path": "a.txt"})], plan=["[>] look", "[ ] write"]),
        thought("write", commands=[WRITE, ("edit_file", {"path": "a.txt", "old": "alpha", "new": "ALPHA"})]),
        done("It is written.", ["out.txt"]),
    ]
    with ModelServer(script) as server:
        state = world.run(server, goal="Copy alpha")
    assert (state.status, state.result, state.files) == ("reached", "It is written.", ("out.txt",))
    assert world.files() == {"a.txt": b"ALPHA\nbeta\n", "out.txt": b"one\n"}
    first, second = (request.body["messages"] for request in server.requests[:2])
    assert first[0]["role"] == "system"
    assert "Copy alpha" in first[0]["content"]
    assert second[1]["role"] == "assistant"
    assert json.loads(second[1]["content"])["thoughts"]["text"] == "look"
    assert second[2]["role"] == "user"
    assert "1\talpha" in second[2]["content"]
    assert "[>] look" in second[-1]["content"]


def test_the_journal_alone_gives_the_state_again(world: World) -> None:
    with ModelServer([thought(commands=[WRITE]), "no json", done("ok")]) as server:
        state = world.run(server)
    assert state_of(world.folder) == state


def test_every_effect_stands_between_two_events(world: World) -> None:
    with ModelServer([thought(commands=[WRITE]), done("ok")]) as server:
        world.run(server)
    assert types(world.events()) == [
        "run_started", "model_called", "model_replied", "command_started", "command_finished",
        "model_called", "model_replied", "run_ended",
    ]  # fmt: skip


def test_commands_of_a_thought_run_in_their_order(world: World) -> None:
    calls = [
        ("write_file", {"path": "x", "text": "1"}),
        ("append_file", {"path": "x", "text": "2"}),
        ("read_file", {"path": "x"}),
        ("append_file", {"path": "x", "text": "3"}),
    ]
    with ModelServer([thought(commands=calls), done("ok")]) as server:
        state = world.run(server)
    assert world.text("x") == "123"
    assert [o.id for o in observations(state)][:4] == ["1.1", "1.2", "1.3", "1.4"]
    assert "1\t12" in observations(state)[2].text


def test_reads_run_at_the_same_time_and_are_observed_in_order(world: World) -> None:
    together = threading.Barrier(3, timeout=10)

    @command("reads")
    def meet(number: int) -> str:
        """Wait for the others."""
        together.wait()
        return f"met {number}"

    calls = [("meet", {"number": n}) for n in (1, 2, 3)]
    with ModelServer([thought(commands=calls), done("ok")]) as server:
        state = world.run(server, commands=[meet])
    assert [o.text for o in observations(state)][:3] == ["met 1", "met 2", "met 3"]


def test_an_acting_command_that_fails_skips_the_rest_of_its_thought(world: World) -> None:
    calls = [("edit_file", {"path": "none", "old": "a", "new": "b"}), WRITE, ("read_file", {"path": "x"})]
    with ModelServer([thought(commands=calls), done("ok")]) as server:
        state = world.run(server)
    assert [outcome for _, outcome in outcomes(state)][:3] == ["failed", "skipped", "skipped"]
    assert world.files() == {}
    assert "Not run, because" in last_message(server)


def test_a_read_that_fails_does_not_skip_the_rest(world: World) -> None:
    with ModelServer([thought(commands=[("read_file", {"path": "none"}), WRITE]), done("ok")]) as server:
        state = world.run(server)
    assert [outcome for _, outcome in outcomes(state)][:2] == ["failed", "ok"]
    assert world.text("out.txt") == "one\n"


@pytest.mark.parametrize("others", [[], [("read_file", {"path": "a.txt"})], [WRITE]])
def test_a_path_outside_the_workspace_is_told_to_the_model(world: World, others: list[Any]) -> None:
    world.file("a.txt", "x")
    (world.root / "secret").write_text("SECRET")
    with ModelServer([thought(commands=[("read_file", {"path": "../secret"}), *others]), done("ok")]) as server:
        state = world.run(server)
    assert state.status == "reached"
    assert observations(state)[0].outcome in ("refused", "failed")
    assert "SECRET" not in last_message(server)
    assert "outside the workspace" in last_message(server)


def test_whatever_a_plugin_raises_or_says_the_run_goes_on(world: World) -> None:
    @command("executes")
    def burst(kind: str) -> str:
        """Fail in a way of its own."""
        if kind == "surrogate":
            return "half a pair: \ud800."
        raise {"key": KeyError("missing"), "stop": StopIteration(), "text": ValueError("bad \udcff byte")}[kind]

    script = [thought(commands=[("burst", {"kind": kind})]) for kind in ("key", "stop", "text", "surrogate")]
    with ModelServer([*script, done("ok")]) as server:
        state = world.run(server, commands=[burst])
    assert [outcome for _, outcome in outcomes(state)][:4] == ["failed", "failed", "failed", "ok"]
    assert state.status == "reached"
    assert "KeyError: 'missing'" in last_message(server)


@pytest.mark.parametrize("effect", ["reads", "executes", "ends"])
def test_a_plugin_that_wants_to_exit_fails_and_ends_no_run(world: World, effect: Effect) -> None:
    def parse() -> Any:
        """Parse arguments as a program does."""
        sys.exit("unknown argument --nope")

    parse.__annotations__["return"] = Completion if effect == "ends" else str

    with ModelServer([thought(commands=[("parse", {})]), done("ok")]) as server:
        state = world.run(server, commands=[command(effect)(parse)])
    assert (state.status, outcomes(state)[0]) == ("reached", ("parse", "failed"))
    assert "unknown argument --nope" in last_message(server)


def test_whatever_a_reading_command_raises_somebody_hears_of_it(world: World) -> None:
    class Ended(BaseException): ...

    @command("reads")
    def peek() -> str:
        """End its thread."""
        raise Ended("no more")

    with ModelServer([thought(commands=[("peek", {})]), done("ok")]) as server:
        state = world.run(server, commands=[peek])
    assert (state.status, outcomes(state)[0]) == ("reached", ("peek", "failed"))
    assert "Ended: no more" in last_message(server)


def test_a_command_that_ends_a_run_and_fails_is_told_to_the_model(world: World) -> None:
    @command("ends")
    def explode() -> Completion:
        """End in fire."""
        raise RuntimeError("no match")

    with ModelServer([thought(commands=[("explode", {})]), done("ok")]) as server:
        state = world.run(server, commands=[explode])
    assert state.status == "reached"
    assert "RuntimeError: no match" in last_message(server)


def test_a_long_observation_is_clipped_for_the_model_and_kept_whole(world: World) -> None:
    @command("executes")
    def talk() -> str:
        """Say much."""
        return "\n".join(f"line {n} of many" for n in range(30_000))

    script = [
        thought(commands=[("talk", {})]),
        thought(commands=[("read_observation", {"id": "1.1", "offset": 20_001, "limit": 3})]),
        done("ok"),
    ]
    with ModelServer(script) as server:
        state = world.run(server, commands=[talk])
    clipped, again = observations(state)[:2]
    assert clipped.tokens <= state.setup.context_tokens // OBSERVED_SHARE + 100 if state.setup else False
    assert "left out here" in clipped.text
    assert "read_observation 1.1" in clipped.text
    assert "\nline 20000 of many" in again.text


# The end


def test_the_result_and_the_end_are_one_event(world: World) -> None:
    with ModelServer([thought(commands=[WRITE, ("task_complete", {"result": "r", "files": ["out.txt"]})])]) as server:
        state = world.run(server)
    assert (state.status, state.result, state.files) == ("reached", "r", ("out.txt",))
    assert [event.type for event in world.events()][-1] == "run_ended"
    assert len(world.events("command_started")) == 1


def test_a_command_after_the_end_makes_the_whole_reply_unusable(world: World) -> None:
    with ModelServer([thought(commands=[("task_complete", {"result": "r"}), WRITE]), done("later")]) as server:
        state = world.run(server)
    assert state.result == "later"
    assert world.files() == {}
    assert "must be the last" in last_message(server)


def test_a_result_that_names_a_missing_file_is_no_end(world: World) -> None:
    with ModelServer([done("r", ["none.txt"]), done("r")]) as server:
        state = world.run(server)
    assert state.status == "reached"
    assert state.step == 2
    assert "do not exist: none.txt" in last_message(server)


def test_giving_up_ends_unreached_with_the_reason(world: World) -> None:
    with ModelServer([thought(commands=[("give_up", {"reason": "no data"})])]) as server:
        state = world.run(server)
    assert (state.status, state.reason) == ("unreached", "no data")


def test_three_unreadable_replies_end_the_run(world: World) -> None:
    with ModelServer(["what?", '{"thoughts": {}}', '{"commands": [{"name": "rm"']) as server:
        state = world.run(server)
    assert state.status == "unreached"
    assert state.reason.startswith("3 unreadable replies")
    assert "can't" in last_message(server) or "could not be used" in last_message(server)


def test_one_readable_reply_starts_the_count_again(world: World) -> None:
    script = ["?", "?", thought(commands=[WRITE]), "?", "?", done("ok")]
    with ModelServer(script) as server:
        assert world.run(server).status == "reached"


def test_an_unknown_command_runs_nothing_of_its_reply(world: World) -> None:
    with ModelServer([thought(commands=[WRITE, ("rm_rf", {})]), done("ok")]) as server:
        state = world.run(server)
    assert world.files() == {}
    assert state.status == "reached"
    assert "There is no command 'rm_rf'" in last_message(server)


def test_a_finished_run_does_nothing_more(world: World) -> None:
    with ModelServer([done("ok")]) as server:
        agent = world.start(server)
        agent.run()
        seq = agent.state.seq
        agent.run()
        assert agent.state.seq == seq
        finish(agent)


def test_the_same_call_with_the_same_result_stalls_the_run(world: World) -> None:
    with ModelServer([Repeat(thought(commands=[("read_file", {"path": "none"})]))]) as server:
        state = world.run(server)
    assert state.status == "stalled"
    assert [o.outcome for o in observations(state)] == ["failed"] * 5 + ["refused"] * 3
    assert "Change your plan" in str(server.requests[3].body["messages"][-1])


def test_a_resumed_run_gets_its_repetitions_back(world: World) -> None:
    with ModelServer([Repeat(thought(commands=[("read_file", {"path": "none"})]), 8), done("ok")]) as server:
        assert world.run(server).status == "stalled"
        assert world.run_again(world.folder, server).status == "reached"


# People


def test_a_yes_runs_the_command_and_a_no_does_not(world: World) -> None:
    script = [thought(commands=[WRITE]), thought(commands=[("write_file", {"path": "b", "text": ""})]), done("ok")]
    with ModelServer(script) as server:
        state = world.run(server, approve="acts", answer=in_turn(yes(None), no(None)))  # type: ignore[arg-type]
    assert outcomes(state)[:2] == [("write_file", "ok"), ("write_file", "refused")]
    assert list(world.files()) == ["out.txt"]
    assert "The person said no. not today" in last_message(server)


def test_the_question_shows_the_change_and_its_digest_is_what_is_approved(world: World) -> None:
    with ModelServer([thought(commands=[WRITE]), done("ok")]) as server:
        world.run(server, approve="acts", answer=yes)
    (asked,), (given,) = world.events("approval_asked"), world.events("approval_given")
    assert "+one" in asked.preview
    assert asked.digest == given.digest
    assert asked.scopes == ("write:out.txt", "write:**")


def test_a_file_that_changes_under_a_question_is_asked_about_again(world: World) -> None:
    def meddle(state: Any) -> InboxMessage:
        if not (world.workspace / "out.txt").exists():
            world.file("out.txt", "somebody else's")
        return yes(state)

    with ModelServer([thought(commands=[WRITE]), done("ok")]) as server:
        world.run(server, approve="acts", answer=meddle)
    assert [("-somebody" in event.preview) for event in world.events("approval_asked")] == [False, True]
    assert world.text("out.txt") == "one\n"


def test_edited_arguments_are_what_runs(world: World) -> None:
    edited = message("answer", allowed=True, args={"path": "mine.txt", "text": "mine"})
    with ModelServer([thought(commands=[WRITE]), done("ok")]) as server:
        state = world.run(server, approve="acts", answer=in_turn(edited, message("answer", allowed=True)))
        assert 'The person changed arguments before it ran. Now: {"' in last_message(server)
    assert world.files() == {"mine.txt": b"mine"}
    assert "+mine" in world.events("approval_asked")[1].preview  # what the edit would write is shown before it is
    assert observations(state)[0].call.args == {"path": "mine.txt", "text": "mine"}  # type: ignore[union-attr]


def test_edited_arguments_that_do_not_fit_fail_in_words(world: World) -> None:
    edited = message("answer", allowed=True, args={"nonsense": 1})
    with ModelServer([thought(commands=[WRITE]), done("ok")]) as server:
        state = world.run(server, approve="acts", answer=in_turn(edited))
    assert outcomes(state)[0] == ("write_file", "failed")
    assert state.status == "reached"


def test_yes_and_n_more_allows_exactly_n_further_commands(world: World) -> None:
    script = [thought(commands=[("append_file", {"path": "log", "text": str(n)})]) for n in range(4)]
    with ModelServer([*script, done("ok")]) as server:
        answers = in_turn(message("answer", allowed=True, more=2), message("answer", allowed=False))
        state = world.run(server, approve="acts", answer=answers)
    assert world.text("log") == "012"
    assert outcomes(state)[3] == ("append_file", "refused")


def test_one_more_is_one_even_for_reads_side_by_side(world: World) -> None:
    world.file("a", "x")
    reads = [("read_file", {"path": "a"}) for _ in range(3)]
    script = [thought(commands=[("list_files", {})]), thought(commands=reads), done("ok")]
    with ModelServer(script) as server:
        answers = in_turn(message("answer", allowed=True, more=1), no(None), no(None))  # type: ignore[arg-type]
        state = world.run(server, approve="every", answer=answers)
    assert [outcome for _, outcome in outcomes(state)][:4] == ["ok", "ok", "refused", "skipped"]
    assert not [event for event in world.events("command_started") if event.allowed_by == "every command"]


def test_a_no_never_grants_anything(world: World) -> None:
    script = [thought(commands=[WRITE]), thought(commands=[WRITE]), done("ok")]
    with ModelServer(script) as server:
        state = world.run(server, approve="acts", answer=in_turn(message("answer", allowed=False, more=5)))
    assert (state.status, world.files()) == ("waiting", {})


def test_a_kept_rule_allows_what_it_covers_and_no_more(world: World) -> None:
    script = [
        thought(commands=[("write_file", {"path": "d/a", "text": "1"})]),
        thought(commands=[("write_file", {"path": "d/b", "text": "2"})]),
        thought(commands=[("write_file", {"path": "c", "text": "3"})]),
    ]
    with ModelServer(script) as server:
        state = world.run(server, approve="acts", answer=in_turn(message("keep_rule", rule="write:d/**")))
    assert state.status == "waiting"
    assert list(world.files()) == ["d/a", "d/b"]


def test_killed_between_two_rules_of_one_always_the_second_is_kept_too(world: World) -> None:
    class Dies(Journal):
        kept = 0

        def append(self, event: Event) -> State:
            self.kept += event.type == "rule_kept"
            if self.kept == 2:
                raise KeyboardInterrupt
            return super().append(event)

    both = message("keep_rule", rule="write:a/**\nwrite:b/**")
    writes = [("write_file", {"path": path, "text": "x"}) for path in ("a/1", "b/1")]
    with ModelServer([thought(commands=writes), done("ok")]) as server:
        agent = world.start(server, approve="acts", answer=in_turn(both), journal=Dies)
        with pytest.raises(KeyboardInterrupt):
            agent.run()
        close(agent)
        state = world.run_again(world.folder, server)
    assert (state.status, set(world.files())) == ("reached", {"a/1", "b/1"})
    assert {rule.text for rule in state.rules} == {"write:a/**", "write:b/**"}


def test_a_review_stops_the_thought_and_the_model_thinks_again(world: World) -> None:
    script = [thought(commands=[WRITE]), "The text is wrong.", done("ok")]
    with ModelServer(script) as server:
        state = world.run(server, approve="acts", answer=in_turn(message("review")))
    assert world.files() == {}
    assert state.status == "reached"
    assert "critic looked first" in last_message(server)
    assert "The text is wrong." in last_message(server)
    assert "response_format" not in server.requests[1].body


def test_a_review_that_does_not_fit_the_model_pauses(world: World) -> None:
    script = [thought(commands=[WRITE]), Repeat(ContextOverflow(), 5)]
    with ModelServer(script) as server:
        state = world.run(server, approve="acts", answer=in_turn(message("review")))
    assert state.status == "limit"
    assert len(server.requests) <= 3


def test_advice_instead_of_an_answer_runs_nothing_and_is_read_next(world: World) -> None:
    with ModelServer([thought(commands=[WRITE, WRITE]), done("ok")]) as server:
        state = world.run(server, approve="acts", answer=in_turn(message("say", text="Use CSV instead")))
    assert world.files() == {}
    assert state.status == "reached"
    assert outcomes(state)[:2] == [("write_file", "skipped"), ("write_file", "skipped")]
    assert "Message from the person who gave the goal:\\nUse CSV instead" in last_message(server)


def test_an_answer_to_an_older_question_is_not_taken_for_this_one(world: World) -> None:
    stale = message("answer", allowed=True, call_id="9.9")
    with ModelServer([thought(commands=[WRITE])]) as server:
        state = world.run(server, approve="acts", answer=in_turn(stale))
    assert (state.status, world.files()) == ("waiting", {})


def test_the_answer_to_the_models_question_is_its_observation(world: World) -> None:
    ask = ("ask_person", {"question": "Which colour?"})
    with ModelServer([thought(commands=[ask, WRITE]), done("ok")]) as server:
        answers = in_turn(message("say", text="blue"), yes(None))  # type: ignore[arg-type]
        state = world.run(server, approve="acts", answer=answers)
    assert observations(state)[0].text == "blue"
    assert outcomes(state)[:2] == [("ask_person", "ok"), ("write_file", "ok")]


def test_without_anybody_the_run_waits_and_an_answer_in_the_inbox_goes_on_with_it(world: World) -> None:
    with ModelServer([thought(commands=[WRITE]), done("ok")]) as server:
        state = world.run(server, approve="acts")
        assert (state.status, world.files()) == ("waiting", {})
        assert not is_live(world.folder)
        inbox.send(world.folder, yes(state))
        state = world.run_again(world.folder, server)
    assert (state.status, world.text("out.txt")) == ("reached", "one\n")
    assert len(world.events("approval_asked")) == 1


def test_an_approval_that_was_given_before_a_pause_is_not_asked_for_again(world: World) -> None:
    with ModelServer([thought(commands=[WRITE]), done("ok")]) as server:
        agent = world.start(server, approve="acts")
        agent.journal.observers.append(_stop_after(agent, "approval_asked", yes(None)))  # type: ignore[arg-type]
        finish(agent)
        state = world.run_again(world.folder, server)
    assert state.status == "reached"
    assert len(world.events("approval_asked")) == 1


def _stop_after(agent: Any, kind: str, *messages: InboxMessage) -> Any:
    """An observer that sends a stop, then these, when the first event of a kind stands in the journal."""

    def observe(event: Any, _: Any) -> None:
        if event.type == kind and not list(inbox.waiting(agent.journal.folder)):
            for sent in (*messages, message("stop", text="enough")):
                inbox.send(agent.journal.folder, sent)

    return observe


def test_a_stop_message_pauses_after_the_act_and_the_run_can_go_on(world: World) -> None:
    with ModelServer([thought(commands=[WRITE]), done("ok")]) as server:
        agent = world.start(server)
        agent.journal.observers.append(_stop_after(agent, "command_started"))
        state = finish(agent)
        assert (state.status, state.reason, world.text("out.txt")) == ("paused", "enough", "one\n")
        assert world.run_again(world.folder, server).status == "reached"


def test_what_was_sent_after_a_stop_is_taken_on_resume(world: World) -> None:
    with ModelServer([done("ok")]) as server:
        agent = world.start(server)
        for sent in (message("stop"), message("say", text="and be brief")):
            inbox.send(agent.journal.folder, sent)
        assert finish(agent).status == "paused"
        assert world.run_again(world.folder, server).status == "reached"
    assert "and be brief" in last_message(server)


def test_a_message_is_taken_once_even_where_its_file_cannot_be_removed(world: World) -> None:
    class Forgetful(Person):
        def taken(self, message: InboxMessage) -> None:
            pass

    with ModelServer([thought(commands=[WRITE]), done("ok")]) as server:
        agent = world.start(server)
        agent.people = Forgetful(agent.journal.folder)
        inbox.send(agent.journal.folder, message("say", text="only once"))
        finish(agent)
    assert len(world.events("person_said")) == 1


def test_continuous_mode_never_asks_and_tells_the_model_what_is_refused(world: World) -> None:
    calls = [("write_file", {"path": ".env", "text": "X=1"})]
    script = [thought(commands=calls), thought(commands=[("read_file", {"path": "id_rsa"})]), done("ok")]
    world.file("id_rsa", "SECRET")
    with ModelServer(script) as server:
        state = world.run(server, approve="never")
    assert [outcome for _, outcome in outcomes(state)][:2] == ["refused", "refused"]
    assert not world.events("approval_asked")
    assert "ask_person" not in server.requests[0].body["messages"][0]["content"]
    assert "SECRET" not in last_message(server)
    assert "nobody can be asked in this run" in last_message(server)


def test_words_of_a_thought_that_nobody_needs_are_not_sent_twice(world: World) -> None:
    with ModelServer([thought(commands=[WRITE]), thought(commands=[WRITE]), done("ok")]) as server:
        world.run(server)
    two, three = (request.body["messages"] for request in server.requests[1:])
    assert three[: len(two) - 1] == two[:-1]  # a prefix that only grows, for the provider's cache


def test_a_file_changed_while_the_run_stood_still_is_not_overwritten_unseen(world: World) -> None:
    world.file("a.txt", "old\n")
    edit = ("edit_file", {"path": "a.txt", "old": "old", "new": "new"})
    script = [thought(commands=[("read_file", {"path": "a.txt"})]), thought(commands=[edit]), done("ok")]
    with ModelServer(script) as server:
        agent = world.start(server)
        agent.journal.observers.append(_stop_after(agent, "command_finished"))
        finish(agent)
        world.file("a.txt", "old, and a person's words\n")
        state = world.run_again(world.folder, server)
    assert outcomes(state)[1] == ("edit_file", "failed")
    assert world.text("a.txt") == "old, and a person's words\n"
    assert "others changed: a.txt" in str(server.requests[1].body["messages"])


def test_the_first_step_of_a_small_window_is_counted_not_guessed(world: World) -> None:
    with ModelServer([done("ok")]) as server:
        arguments = [str(world.workspace), server.base_url, str(window(650))]
        # another process: its tokenizer is not loaded yet
        ran = subprocess.run([sys.executable, "-c", SMALL_WINDOW, *arguments], capture_output=True, text=True)
    assert ran.stdout.split() == ["reached"], ran.stdout + ran.stderr


def test_a_window_that_cannot_hold_the_goal_pauses_with_the_numbers(world: World) -> None:
    with ModelServer([]) as server:
        state = world.run(server, context_tokens=300)
    assert state.status == "limit"
    assert "the limit is 300" in state.reason


def test_old_steps_are_summarised_when_the_window_fills(world: World) -> None:
    long = "\n".join(f"{n} some words of a line" for n in range(60))
    steps = [thought(commands=[("write_file", {"path": f"f{n}", "text": long})]) for n in range(8)]
    script = [_or_summary(step) for step in steps]
    with ModelServer([*script, *[_or_summary(done("ok"))] * 6], allow_overrun=True) as server:
        state = world.run(server, context_tokens=window(1_650), reply_tokens=500)
    assert world.events("compacted")
    assert state.status == "reached"
    assert "Summary of the steps before these:" in last_message(server)


def reader(world: World, counted_of: Callable[[int, int], int], files: int = 12) -> Callable[[dict[str, Any]], Any]:
    """A model that reads a file at each step. `counted_of` a step and our count is what its endpoint counts."""
    for n in range(files):
        world.file(f"f{n}.txt", "\n".join(f"{n * line} some words of a line" for line in range(60)))
    count = TokenCounter("test-model").count

    def reply(body: dict[str, Any]) -> Reply:
        schema = body["response_format"]["json_schema"]["schema"] if "response_format" in body else ""
        ours = count("".join(message["content"] for message in body["messages"]) + json.dumps(schema))
        step = sum(event.type == "model_replied" and event.purpose == "step" for event in read(world.folder))
        tokens = counted_of(step, ours)
        usage = {"prompt_tokens": tokens, "completion_tokens": 50, "total_tokens": tokens + 50}
        more = thought(commands=[("read_file", {"path": f"f{step}.txt"})]) if step < files else done("ok")
        return Reply(more if schema else "SUMMARY", usage=usage)

    return reply


def test_a_window_is_filled_by_what_the_endpoint_counts(world: World) -> None:
    limit, sent = window(3_000), list[int]()

    def counted_of(_: int, ours: int) -> int:
        sent.append(int(ours * 0.6))
        return sent[-1]

    with ModelServer([Repeat(reader(world, counted_of))]) as server:
        state = world.run(server, context_tokens=limit, reply_tokens=500)
    assert state.status == "reached"
    assert limit * 0.7 < max(sent) <= limit
    assert len(world.events("compacted")) <= 3


@pytest.mark.parametrize("odd", range(8))
def test_one_odd_count_of_an_endpoint_overflows_no_window(world: World, odd: int) -> None:
    limit, sent = window(3_000), list[int]()

    def counted_of(step: int, ours: int) -> int:
        sent.append(ours)
        return int(ours * (0.4 if step == odd else 0.95))

    with ModelServer([Repeat(reader(world, counted_of))]) as server:
        assert world.run(server, context_tokens=limit, reply_tokens=500).status == "reached"
    assert max(sent) * 0.95 <= limit


def test_a_run_whose_window_follows_the_endpoints_count_replays_to_the_same(world: World) -> None:
    with ModelServer([Repeat(reader(world, lambda _, ours: int(ours * 0.6)))]) as server:
        world.run(server, context_tokens=window(3_000), reply_tokens=500)
    assert world.events("compacted")
    assert replay(world.folder).difference is None


def _or_summary(item: Any) -> Any:
    return lambda body: "SUMMARY" if "response_format" not in body else item


def test_a_context_that_the_endpoint_refuses_is_shortened_and_sent_once_more(world: World) -> None:
    long = "\n".join(f"{n} some words of a line" for n in range(300))
    steps = [thought(commands=[("write_file", {"path": f"f{n}", "text": long})]) for n in range(3)]
    with ModelServer([*steps, ContextOverflow(), done("ok")]) as server:
        state = world.run(server)
    assert state.status == "reached"
    assert len(server.requests[4].raw) < len(server.requests[3].raw) * 0.75
    assert [event.by for event in world.events("compacted")] == ["digest"]


def test_a_context_that_is_refused_again_pauses_at_the_limit(world: World) -> None:
    steps = [thought(commands=[("write_file", {"path": f"f{n}", "text": "x\n" * 50})]) for n in range(3)]
    with ModelServer([*steps, Repeat(ContextOverflow(), 9)]) as server:
        state = world.run(server)
    assert state.status == "limit"
    assert len(server.requests) == 5  # a digest stands for the hand-over
    assert state.handover is not None
    assert state.handover.by == "digest"


@pytest.mark.parametrize("unusable", ["", "   ", Reply("half of a summa", finish_reason="length"), ContextOverflow()])
def test_where_the_model_makes_no_summary_a_digest_stands_for_the_steps(world: World, unusable: Any) -> None:
    with ModelServer([Repeat(_filling(world, unusable))]) as server:
        state = world.run(server, context_tokens=window(1_650), reply_tokens=500)
    assert state.status == "reached"
    assert {event.by for event in world.events("compacted")} == {"digest"}


def test_an_endpoint_that_refuses_the_summary_pauses_the_run_and_loses_nothing(world: World) -> None:
    with ModelServer([Repeat(_filling(world, Failure(403, "not this model")))]) as server:
        state = world.run(server, context_tokens=window(1_650), reply_tokens=500)
    assert (state.status, world.events("compacted")) == ("unavailable", [])
    with ModelServer([Repeat(_filling(world, "In short."))]) as server:
        assert world.run_again(world.folder, server).status == "reached"


def _filling(world: World, summary: Any) -> Any:
    """A model that writes a long file at each of eight steps, then is done."""
    long = "\n".join(f"{n} some words of a line" for n in range(60))

    def reply(body: dict[str, Any]) -> Any:
        if "response_format" not in body:
            return summary
        step = sum(event.type == "model_replied" and event.purpose == "step" for event in read(world.folder))
        return thought(commands=[("write_file", {"path": f"f{step}", "text": long})]) if step < 8 else done("ok")

    return reply


def test_a_reply_that_ran_into_its_limit_never_executes(world: World) -> None:
    with ModelServer([Reply(thought(commands=[WRITE]), finish_reason="length"), done("ok")]) as server:
        state = world.run(server)
    assert world.files() == {}
    assert state.status == "reached"
    assert "was cut" in last_message(server)


def test_a_command_gets_its_view_of_the_world(world: World) -> None:
    seen: dict[str, Any] = {}

    @command("reads")
    def peek(env: Env, path: WorkspacePath) -> str:
        """Look."""
        seen["last"] = env.last_seen(path)
        seen["share"] = env.share_tokens
        return env.observation("1.1")

    world.file("a", "x")
    script = [thought(commands=[("read_file", {"path": "a"})]), thought(commands=[("peek", {"path": "a"})]), done("ok")]
    with ModelServer(script) as server:
        state = world.run(server, commands=[peek])
    assert observations(state)[1].text == observations(state)[0].text
    assert seen["last"]
    assert seen["share"] > 1_000
