"""`replay`: the same run from its record, without a request, a program or a change; the first difference is found."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support import World, by_step, finish, in_turn

from autoagent import inbox
from autoagent.cli.undo import undo
from autoagent.errors import ConfigError, JournalCorrupt
from autoagent.events import CommandFinished, Event, ModelCalled, ModelReplied, RunEnded, RunStarted
from autoagent.inbox import InboxMessage
from autoagent.journal import artifact, read, seal
from autoagent.registry import command
from autoagent.replay import Replayed, replay
from autoagent.testing import ContextOverflow, Failure, ModelServer, Repeat, Reply, done, thought

PRICES = {"test-model": {"input": 1.0, "output": 10.0}}
Call = tuple[str, dict[str, Any]]
LOOK = thought("I look.", commands=[("list_files", {})], plan=["[>] look", "[ ] write"])
WRITE = thought("I write.", commands=[("write_file", {"path": "out.txt", "text": "one\n"})])


WRITE_CALLS: list[Call] = [
    ("write_file", {"path": "out.txt", "text": "one\n"}),
    ("run_shell", {"command": "echo two >> out.txt"}),
]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def said_yes() -> InboxMessage:
    return InboxMessage(kind="answer", by="test", allowed=True)


def said_no() -> InboxMessage:
    return InboxMessage(kind="answer", by="test", allowed=False, text="not today")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read_step(path: str, text: str = "I read.") -> dict[str, Any]:
    return thought(text, commands=[("read_file", {"path": path})])


def replayed(world: World, **options: Any) -> Replayed:
    """The only run, played again; neither its folder nor the workspace may change."""
    before = contents(world.folder), contents(world.workspace)
    found = replay(world.folder, **options)
    assert (contents(world.folder), contents(world.workspace)) == before
    return found


def is_the_same(world: World, **options: Any) -> bool:
    found = replayed(world, **options)
    assert found.difference is None, found.difference
    *_, last = read(world.folder)
    return found.whole and found.state.seq == last.seq


def rewritten(folder: Path, change: Callable[[Event], Event]) -> None:
    """The journal as somebody else would have written it."""
    lines = [seal(change(event)) for event in read(folder)]
    (folder / "journal.jsonl").write_bytes(b"".join(lines))


# What replays to the same


def test_a_run_of_several_steps_replays_without_a_request(world: World) -> None:
    world.file("a.txt", "alpha\nbeta\n")
    calls: list[Call] = [("read_file", {"path": "a.txt"}), ("list_files", {}), ("search_files", {"query": "beta"})]
    with ModelServer([thought(commands=calls), WRITE, "no json", done("It is written.", ["out.txt"])]) as server:
        assert world.run(server).status == "reached"
        sent = len(server.requests)
        assert is_the_same(world)
        assert len(server.requests) == sent


def test_without_a_server_a_key_or_the_workspace_it_is_still_the_same(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer([LOOK, WRITE, done("ok")]) as server:
        world.run(server)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(world.folder, elsewhere)
    shutil.rmtree(world.workspace)
    shutil.rmtree(world.state)
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.chdir(tmp_path)
    found = replay(elsewhere)
    assert (found.whole, found.state.result) == (True, "ok")


def test_approvals_refusals_edits_and_advice_come_when_they_came(world: World) -> None:
    advice = InboxMessage(kind="say", by="test", text="다른 이름으로 해 주세요")
    edited = InboxMessage(kind="answer", by="test", allowed=True, args={"path": "b.txt", "text": "edited"})
    answer = in_turn(said_yes(), said_no(), advice, edited, said_yes())
    script = [WRITE, WRITE, WRITE, WRITE, done("ok")]
    with ModelServer(script) as server:
        assert world.run(server, approve="acts", answer=answer).status == "reached"
    assert world.text("b.txt") == "edited"
    assert is_the_same(world)


def test_a_question_that_waits_is_where_the_replay_ends(world: World) -> None:
    with ModelServer([WRITE]) as server:
        assert world.run(server, approve="every", answer=None).status == "waiting"
    assert is_the_same(world)
    assert replayed(world).state.status == "waiting"


def test_failures_and_tries_replay(world: World) -> None:
    script = [Failure(503), Failure(429), LOOK, Failure(500), done("ok")]
    with ModelServer(script) as server:
        assert world.run(server).status == "reached"
    assert is_the_same(world)


def test_a_model_that_stays_away_and_a_resume_replay(world: World) -> None:
    with ModelServer([LOOK, Failure(401)]) as server:
        assert world.run(server).status == "unavailable"
    with ModelServer([done("ok")]) as server:
        assert world.run_again(world.folder, server).status == "reached"
    assert is_the_same(world)


@pytest.mark.parametrize("summary", ["In short.", Reply("half of a summa", finish_reason="length"), ContextOverflow()])
def test_compaction_by_the_model_or_by_a_digest_replays(world: World, summary: Any) -> None:
    long = "\n".join(f"{n} some words of a line" for n in range(60))
    steps = [thought(commands=[("write_file", {"path": f"f{n}", "text": long})]) for n in range(8)]
    with ModelServer([Repeat(by_step([*steps, done("ok")], summary))]) as server:
        assert world.run(server, context_tokens=9_000, reply_tokens=500).status in ("reached", "limit")
    assert world.events("compacted")
    assert is_the_same(world)


def test_a_context_that_the_endpoint_refuses_replays(world: World) -> None:
    with ModelServer([LOOK, read_step("none"), ContextOverflow(), "A summary.", done("ok")]) as server:
        world.run(server)
    assert world.events("model_failed")
    assert is_the_same(world)


def test_a_used_up_limit_and_what_came_after_it_replay(world: World) -> None:
    with ModelServer([LOOK, WRITE, "Done: looked. Open: the end."]) as server:
        assert world.run(server, limits__steps=2, prices=PRICES, limits__cost=1.0).status == "limit"
    with ModelServer([done("ok")]) as server:
        assert world.run_again(world.folder, server, limits__steps=5).status == "reached"
    assert is_the_same(world)


def test_a_call_that_was_too_dear_is_too_dear_again_though_nobody_knows_the_price(world: World) -> None:
    usage = {"prompt_tokens": 8_000, "completion_tokens": 10}
    script = [Reply(LOOK, usage=usage), Reply(WRITE, usage=usage), *("no",) * 3]
    with ModelServer(script) as server:
        assert world.run(server, prices=PRICES, limits__cost=0.024, reply_tokens=200).status == "limit"
    assert is_the_same(world)


@pytest.mark.parametrize("ended_after", range(2, 10))
def test_a_process_that_died_anywhere_replays_with_the_one_that_went_on(world: World, ended_after: int) -> None:
    world.file("a.txt", "alpha\n")
    script = [thought(commands=[("read_file", {"path": "a.txt"}), *WRITE_CALLS]), LOOK, done("ok")]
    with ModelServer([Repeat(by_step(script))]) as server:
        agent = world.start(server)

        def die(event: Event, _: object) -> None:
            if event.seq == ended_after:
                raise MemoryError

        agent.journal.observers.append(die)
        with pytest.raises(MemoryError):
            finish(agent)
        assert world.run_again(world.folder, server).status == "reached"
    assert is_the_same(world)


def test_a_record_replays_as_far_as_it_goes(world: World) -> None:
    with ModelServer([LOOK, WRITE, done("ok")]) as server:
        world.run(server)
    whole = (world.folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for length in range(1, len(whole)):
        (world.folder / "journal.jsonl").write_bytes(b"".join(whole[:length]) + b'{"half')
        found = replayed(world)
        assert (found.difference, found.whole, found.state.seq) == (None, True, length)


def test_what_somebody_stopped_replays(world: World) -> None:
    with ModelServer([LOOK, WRITE, done("ok")]) as server:
        agent = world.start(server)

        def stop(event: Event, _: object) -> None:
            if isinstance(event, ModelReplied):
                inbox.send(world.folder, InboxMessage(kind="stop", by="test"))

        agent.journal.observers.append(stop)
        assert finish(agent).status == "paused"
    assert is_the_same(world)


def test_a_critic_replays(world: World) -> None:
    review = InboxMessage(kind="review", by="test")
    with ModelServer([WRITE, "It is fine.", WRITE, done("ok")]) as server:
        assert world.run(server, approve="acts", answer=in_turn(review, said_yes())).status == "reached"
    assert is_the_same(world)


def test_an_undo_between_two_parts_of_a_run_replays(world: World) -> None:
    with ModelServer([WRITE, Failure(401)]) as server:
        world.run(server)
    result = CliRunner().invoke(undo, ["last", "--yes"])
    assert (result.exit_code, world.files()) == (0, {})
    with ModelServer([WRITE, done("ok")]) as server:
        assert world.run_again(world.folder, server).status == "reached"
    assert world.events("files_undone")
    assert is_the_same(world)


def test_a_call_that_was_too_dear_to_begin_with_is_so_again(world: World) -> None:
    with ModelServer([]) as server:
        assert world.run(server, prices=PRICES, limits__cost=0.05, reply_tokens=8_000).status == "limit"
    assert is_the_same(world)


def test_a_run_of_the_offline_planner_replays(world: World) -> None:
    world.file("sales.csv", "region,amount\nnorth,10\nsouth,20\nnorth,5\n")
    goal = "total of amount by region in sales.csv"
    assert world.run("", model="offline", base_url="", goal=goal).status == "reached"
    assert is_the_same(world)


def test_a_command_of_the_callers_own_replays_where_it_is_given(world: World) -> None:
    @command("reads")
    def shout(text: str) -> str:
        """Say it loud."""
        return text.upper()

    with ModelServer([thought(commands=[("shout", {"text": "hi"})]), done("ok")]) as server:
        world.run(server, commands=[shout])
    assert is_the_same(world, commands=[shout])
    found = replayed(world)
    assert found.difference
    assert found.difference.step == 1


# What does not


def first_difference(world: World, change: Callable[[Event], Event]) -> tuple[int, str, str]:
    rewritten(world.folder, change)
    found = replayed(world).difference
    assert found
    return found.step, found.event, found.field


def with_prompt(folder: Path, event: Event, more: str) -> Event:
    """The start of a run with a longer system prompt."""
    if not isinstance(event, RunStarted):
        return event
    text = artifact(folder, event.system) + more
    name = hashlib.sha256(text.encode()).hexdigest()
    (folder / "artifacts" / name).write_text(text, encoding="utf-8")
    return event.model_copy(update={"system": name})


def three_steps(world: World) -> None:
    world.file("a.txt", "alpha\nbeta\n")
    with ModelServer([read_step("a.txt"), WRITE, done("It is written.")]) as server:
        assert world.run(server).status == "reached"


def test_a_changed_system_prompt_is_the_first_difference(world: World) -> None:
    three_steps(world)
    changed = first_difference(world, lambda event: with_prompt(world.folder, event, "\nBe brief. " * 900))
    assert changed == (1, "model_called", "estimated_tokens")
    found = replayed(world).difference
    assert found
    assert found.note.startswith("Rules, commands, goal and the form of a reply took ")


def test_a_changed_observation_is_the_first_difference(world: World) -> None:
    three_steps(world)

    def change(event: Event) -> Event:
        first = isinstance(event, CommandFinished) and event.call_id == "1.1"
        return event.model_copy(update={"text": event.text.replace("alpha", "omega and more")}) if first else event  # type: ignore[union-attr]

    assert first_difference(world, change) == (1, "command_finished", "tokens")


def test_a_changed_reply_is_the_first_difference(world: World) -> None:
    three_steps(world)

    def change(event: Event) -> Event:
        second = isinstance(event, ModelReplied) and "I write." in event.reply
        return event.model_copy(update={"reply": event.reply.replace("one", "two")}) if second else event  # type: ignore[union-attr]

    assert first_difference(world, change) == (2, "model_replied", "thought.commands.1.args.text")


def test_a_changed_warning_is_shown_as_the_lines_that_differ(world: World) -> None:
    three_steps(world)

    def change(event: Event) -> Event:
        third = isinstance(event, ModelCalled) and "step 3" in event.tail
        return event.model_copy(update={"tail": event.tail.replace("This is", "That was")}) if third else event  # type: ignore[union-attr]

    assert first_difference(world, change) == (3, "model_called", "tail")
    found = replayed(world).difference
    assert found
    assert [text for text in found.lines() if text.startswith(("-", "+"))] == [
        "-That was step 3 of 50.",
        "+This is step 3 of 50.",
    ]


def test_a_changed_result_and_an_event_too_few_are_found(world: World) -> None:
    three_steps(world)
    kept = list(read(world.folder))
    lines = [event for event in kept if not (isinstance(event, ModelCalled) and "step 2" in event.tail)]
    renumbered = [event.model_copy(update={"seq": seq}) for seq, event in enumerate(lines, 1)]
    (world.folder / "journal.jsonl").write_bytes(b"".join(map(seal, renumbered)))
    found = replayed(world).difference
    assert found
    assert (found.event, found.field, found.now) == ("model_replied", "", "model_called step")
    (world.folder / "journal.jsonl").write_bytes(b"".join(map(seal, kept)))

    def change(event: Event) -> Event:
        return event.model_copy(update={"result": "Something else."}) if isinstance(event, RunEnded) else event

    assert first_difference(world, change) == (3, "run_ended", "result")


def test_a_record_of_another_version_replays_with_what_its_commands_took(world: World) -> None:
    three_steps(world)

    def change(event: Event) -> Event:
        older = event.model_copy(update={"version": "0.0.9"}) if isinstance(event, RunStarted) else event
        return with_prompt(world.folder, older, "\nMore words of then.")

    three = [event for event in read(world.folder) if isinstance(event, ModelCalled)]
    rewritten(world.folder, change)
    assert len(three) == 3
    found = replayed(world)
    assert (found.difference, found.whole) == (None, True)
    assert found.notes[0].startswith("recorded by autoagent 0.0.9; this is ")


def test_a_newer_or_damaged_record_is_refused_in_words(world: World) -> None:
    three_steps(world)
    journal = world.folder / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole.replace(b"alpha", b"omega", 1))
    with pytest.raises(JournalCorrupt, match="line 5"):
        replay(world.folder)
    journal.write_bytes(b"")
    with pytest.raises(ConfigError, match="holds no start of a run"):
        replay(world.folder)
