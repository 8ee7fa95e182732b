"""`autoagent show`: the story of a run, one step of it, what the model saw to the byte, and what it cost."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support import HANDOVER, World, by_step, close, finish, no, window, yes

from autoagent import inbox
from autoagent.cli.show import show
from autoagent.cli.step import kept
from autoagent.errors import AutoagentError, ConfigError, JournalCorrupt, NoSuchRun
from autoagent.events import Compacted
from autoagent.inbox import InboxMessage
from autoagent.journal import Journal, state_of
from autoagent.terminal.layout import cells
from autoagent.testing import ContextOverflow, Failure, ModelServer, Repeat, done, thought

PRICES = {"gpt-x": {"input": 2, "output": 10}}
PAID: dict[str, Any] = {"model": "gpt-x", "prices": PRICES}
WRITE = thought("I write it.", commands=[("write_file", {"path": "out.txt", "text": "one\ntwo\n"})])
LOOK = thought("I look.", commands=[("list_files", {})], reasoning="first\nlook", plan=["[>] look", "[ ] write"])


def read(path: str) -> dict[str, Any]:
    return thought("I read.", commands=[("read_file", {"path": path})])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def shown(*args: str, columns: int | None = None) -> Result:
    result = CliRunner().invoke(show, args, env={"COLUMNS": str(columns) if columns else None})
    if isinstance(result.exception, AutoagentError):
        raise result.exception
    assert result.exception is None, result.exception
    return result


def text(*args: str, columns: int | None = 80) -> str:
    return shown("last", *args, columns=columns).stdout


def row(number: str, *args: str, columns: int = 80) -> str:
    """The first line of the story that begins so."""
    return next(line for line in text(*args, columns=columns).splitlines() if line.startswith(number))


def played(world: World, script: Sequence[Any], **flags: Any) -> list[list[dict[str, str]]]:
    """Run the script; the messages of every request."""
    with ModelServer(script) as server:
        world.run(server, **flags)
        return [request.body["messages"] for request in server.requests if request.body]


# The story


def test_the_head_says_which_run_its_goal_model_cost_and_steps(world: World) -> None:
    played(world, [LOOK, done("ok")], goal="Market study Finland", **PAID)
    first, second, *_ = text().splitlines()
    assert first == f"Run {world.folder.name} · reached · Market study Finland"
    assert "gpt-x · $0.00" in second
    assert second.endswith(" of $2.00 · 2 steps")


def test_each_step_is_a_row_with_command_and_what_came_of_it(world: World) -> None:
    world.file("a.txt", "x\n")
    played(world, [LOOK, WRITE, read("none.txt"), done("ok")], **PAID)
    assert row("STEP").split() == ["STEP", "TIME", "COST", "WHAT"]
    assert row("1 ").endswith("list_files          1 file, 0 folders")
    assert "write_file out.txt  written: 2 lines, 8 bytes." in row("2 ")
    assert "failed: 'none.txt'" in row("3 ")
    assert row("4 ").endswith("task_complete       goal reached")


def test_reading_steps_in_a_row_are_one_row(world: World) -> None:
    for name in "abc":
        world.file(name, name)
    played(world, [LOOK, read("a"), read("b"), read("c"), read("none"), WRITE, done("ok")])
    assert row("1-5").split("  ")[-2:] == ["list_files, read_file ×4", "4 read, 1 failed"]
    assert "write_file" in row("6 ")


def test_the_result_is_shown_whole_and_inert(world: World) -> None:
    played(world, [done("first line\n\n  indented \x1b[2J\nlast line")])
    assert "Result\n  first line\n\n    indented \\x1b[2J\n  last line\n" in text()


def test_what_a_person_refused_and_said_is_in_the_story(world: World) -> None:
    with ModelServer([WRITE, done("ok")]) as server:
        agent = world.start(server, approve="acts", answer=no)
        inbox.send(agent.journal.folder, InboxMessage(kind="say", by="slack", text="only EU data"))
        finish(agent)
    assert 'slack said: "only EU data"' in text()
    assert 'no: "not today"' in row("1 ")


def test_the_loop_guard_is_in_the_story(world: World) -> None:
    again = thought("again", commands=[("search_files", {"query": "zzz"})])
    played(world, [again] * 9, **PAID)
    assert "! same search_files 3 times  told to change plan" in row("3 ")
    assert "not run again" in row("5 ")
    assert "ended as stalled" in row("8 ")


def test_failed_tries_and_unreadable_replies_are_in_the_story(world: World) -> None:
    script = [Failure(500, "oops"), Failure(500, "oops"), "no json", done("ok")]
    played(world, script, **PAID)
    assert "! no reply ×2: " in row("1 ")
    assert "answered later" in text(columns=200)
    assert "! reply can't be used" in text()
    assert "asked again: The reply holds no JSON" in text(columns=200)


def test_a_compaction_is_in_the_story_with_its_price_and_in_its_step_with_its_summary(world: World) -> None:
    number = compacted(world)
    assert row(f"{number} ")
    line = next(line for line in text(columns=120).splitlines() if "compacted " in line)
    assert line.split()[0] == str(number)
    assert "$0." in line
    assert "kept goal, plan" in line
    whole = text("--step", str(number))
    assert "by model" in whole
    assert "What was done so far." in whole


def compacted(world: World) -> int:
    """A run whose older steps were summarised; the step before which they were."""
    world.file("big.txt", "\n".join(f"line {number} of a long file with words in it" for number in range(400)))
    script = [
        thought(commands=[("read_file", {"path": "big.txt", "offset": 1 + 30 * i, "limit": 30})]) for i in range(8)
    ]
    with ModelServer([Repeat(by_step([*script, done("ok")]))]) as server:
        world.run(server, context_tokens=window(1_650), reply_tokens=500, **PAID)
    count = 0
    for event in world.events():
        if event.type == "compacted":
            return count + 1
        count += event.type == "model_replied" and event.purpose == "step"
    raise AssertionError("nothing was compacted")


@pytest.mark.parametrize(
    ("journal", "told"),
    [("goal, 1 newest steps", "kept goal, 1 newest step"), ("goal, 11 newest steps", "kept goal, 11 newest steps")],
)
def test_a_single_step_that_a_compaction_kept_is_no_plural(journal: str, told: str) -> None:
    event = Compacted(upto=1, summary="", tokens=1, by="digest", tokens_before=2, tokens_after=1, kept=journal)
    assert kept(event) == told


def test_a_limit_offers_to_go_on_and_a_pause_in_between_is_told(world: World) -> None:
    played(world, [LOOK, HANDOVER], limits__steps=1)
    run = world.folder.name
    assert f"autoagent resume {run} --max-steps 2" in text()
    with ModelServer([done("ok")]) as server:
        world.run_again(world.folder, server, limits__steps=5)
    assert "limit: step limit: 1 of 1 steps" in text(columns=120)
    assert "\n               resumed" in text(columns=120) or "resumed\n" in text()


def test_a_question_is_shown_with_the_command_that_answers(world: World) -> None:
    played(world, [WRITE], approve="acts")
    run = world.folder.name
    assert text().startswith(f"Run {run} · waiting")
    assert "waits for an answer" in row("1 ")
    assert f"autoagent answer {run} y" in text()


def test_a_run_at_work_is_shown_as_far_as_it_is(world: World) -> None:
    played(world, [LOOK, WRITE, done("ok")])
    cut(world, events=6)  # the second step was asked for
    with Journal(world.folder):
        live = text()
    assert "running" in live.splitlines()[0]
    assert "2 " in live
    assert "thinking" in live
    assert f"autoagent stop {world.folder.name}" in live
    dead = text()
    assert "paused (was interrupted)" in dead.splitlines()[0]
    assert "interrupted before the reply" in dead
    assert f"autoagent resume {world.folder.name}" in dead


def cut(world: World, events: int, torn: bytes = b"") -> None:
    path = world.folder / "journal.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:events]) + torn)


def test_a_torn_last_line_is_not_shown(world: World) -> None:
    played(world, [LOOK, done("ok")])
    cut(world, events=5, torn=b'{"seq":6,"type":"model_cal')
    assert "list_files" in text()
    assert len(shown("last", "--json").stdout.splitlines()) == 5


def test_damage_is_one_line_that_names_it(world: World) -> None:
    played(world, [LOOK, done("ok")])
    path = world.folder / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"list_files", b"List_files", 1))
    with pytest.raises(JournalCorrupt, match=r"line \d+: the line is damaged"):
        text()


def test_an_unknown_run_or_step_is_said(world: World) -> None:
    with pytest.raises(NoSuchRun):
        shown("last")
    played(world, [LOOK, done("ok")])
    with pytest.raises(ConfigError, match="has no step 3; its last is 2"):
        text("--step", "3")


@pytest.mark.parametrize("columns", [50, 80, 200])
def test_the_story_fits_and_lines_up_with_hangul(world: World, columns: int) -> None:
    script = [
        thought("쓴다", commands=[("write_file", {"path": f"보고서-{'긴이름' * i}.md", "text": "가\n"})])
        for i in range(4)
    ]
    played(world, [*script, done("네 개의 보고서를 썼습니다.")], goal="네 개 공급업체의 가격을 비교해 주세요", **PAID)
    lines = text(columns=columns).splitlines()
    assert max(map(cells, lines)) <= columns
    rows = [line for line in lines if "보고서-" in line and "$" in line]
    assert len(rows) == 4
    if columns == 50:
        assert len({cells(line) for line in rows}) == 1
    else:
        assert len({cells(line.partition("write_file")[0]) for line in rows}) == 1


# One step


def test_a_step_is_shown_whole(world: World) -> None:
    full = thought(
        "What I think.",
        commands=[("write_file", {"path": "out.txt", "text": "one\ntwo\n"}), ("read_file", {"path": "no"})],
        reasoning="because\nof it", plan=["[x] done", "[ ] open"], criticism="a doubt", speak="I say",
    )  # fmt: skip
    for number in range(900):
        world.file(f"many/a file with a long name {number}.txt", "")
    wide = thought(commands=[("list_files", {})])
    with ModelServer([full, wide, done("ok")]) as server:
        world.run(server, approve="acts", answer=yes, context_tokens=window(5_000), reply_tokens=500)
    first = text("--step", "1")
    for part in (
        "Thought  What I think.", "Why      because\n           of it", "[x] done", "[ ] open", "Doubt    a doubt",
        "Says     I say", "1.1  write_file  out.txt", "      one\n      two", "asked at", "+two", "1.1: yes, by test",
        "1.1 write_file: ok", "wrote out.txt", "1.2 read_file: failed", "tokens in",
    ):  # fmt: skip
        assert part in first, part
    second = text("--step", "2")
    (artifact,) = [event.artifact for event in world.events("command_finished") if event.artifact]
    whole = (world.folder / "artifacts" / artifact).read_text()
    assert whole.count("\n") > 100
    assert all(line.expandtabs(4).strip() in second for line in whole.splitlines())


def test_a_step_says_what_was_not_run_and_why_a_reply_was_not_used(world: World) -> None:
    failing = thought(commands=[("edit_file", {"path": "no", "old": "a", "new": "b"}), ("list_files", {})])
    played(world, [failing, "garbage", done("ok")])
    assert "1.2 list_files: skipped\n    Not run" in text("--step", "1")
    assert "! the reply can't be used" in text("--step", "2")
    assert "    garbage\n" in text("--step", "2")
    assert "ended: reached\n  ok" in text("--step", "3")


# What the model saw


def requests_of(world: World, step: int) -> list[dict[str, str]]:
    found = json.loads(shown("last", "--step", str(step), "--prompt", "--json").stdout)
    return found["messages"]


def test_the_prompt_is_what_the_server_received_to_the_byte(world: World) -> None:
    world.file("a.txt", "한글\n\x1b[31m tabs\t\tand 'quotes' \\ \"\n" * 3)
    script = [LOOK, read("a.txt"), "no json", WRITE, Failure(500, "once"), done("ok")]
    sent = played(world, script, goal="Vergleiche — 네 개 ✓")
    assert len(sent) == 6
    for step, messages in zip((1, 2, 3, 4, 5), (*sent[:4], sent[5]), strict=True):
        assert requests_of(world, step) == messages
        page = shown("last", "--step", str(step), "--prompt").stdout_bytes
        for number, message in enumerate(messages, 1):
            head = f"--- {number} of {len(messages)} · {message['role']} · ".encode()
            _, _, after = page.partition(head)
            content = after.partition(b" tokens ---\n")[2]
            assert content.startswith(message["content"].encode() + b"\n")


def test_the_prompt_is_right_after_compaction_messages_resume_and_overflow(world: World) -> None:
    world.file("big.txt", "\n".join(f"line {number} of a long file with words in it" for number in range(400)))
    replies = by_step(
        [thought(commands=[("read_file", {"path": "big.txt", "offset": 1 + 30 * i, "limit": 30})]) for i in range(8)]
        + [done("ok")]
    )
    with ModelServer([replies, replies, ContextOverflow(), Repeat(replies)]) as server:
        agent = world.start(server, context_tokens=window(1_650), reply_tokens=500, limits__steps=4)
        inbox.send(agent.journal.folder, InboxMessage(kind="say", by="slack", text="only EU data"))
        finish(agent)
        world.file("big.txt", "changed while it stood\n" * 400)
        state = world.run_again(world.folder, server, limits__steps=20)
        sent = [request.body["messages"] for request in server.requests if request.body]
    assert (state.status, state.step) == ("reached", 9)
    assert world.events("compacted")
    assert world.events("model_failed")
    last_of_step: dict[int, list[dict[str, str]]] = {}
    for messages in sent:
        tail = messages[-1]["content"]
        if "This is step " in tail:
            last_of_step[int(tail.partition("This is step ")[2].split()[0])] = messages
    assert sorted(last_of_step) == list(range(1, 10))
    for step, messages in last_of_step.items():
        assert requests_of(world, step) == messages, step


def test_the_sections_add_up_to_what_was_estimated_when_it_was_sent(world: World) -> None:
    compacted(world)
    called = [event for event in world.events("model_called") if event.purpose == "step"]
    for step in (2, 5, 9):
        found = json.loads(shown("last", "--step", str(step), "--prompt", "--json").stdout)
        assert found["tokens"] == sum(found["sections"].values()) == called[step - 1].estimated_tokens
    assert found["sections"]["summary"] > 0
    page = text("--step", "9", "--prompt")
    assert "rules, commands, goal, schema" in page
    assert f"as the endpoint counted  {found['input_tokens']:>8,}".split() == next(
        line.split() for line in page.splitlines() if "endpoint" in line
    )


def test_a_step_that_asked_no_model_has_no_prompt(world: World) -> None:
    with ModelServer([]) as server:
        close(world.start(server))
    with pytest.raises(ConfigError, match="asked no model"):
        text("--prompt")


# Events and cost


def test_json_is_the_journal_to_the_byte_and_of_a_step_its_lines(world: World) -> None:
    played(world, [LOOK, WRITE, done("ok")], goal="한글")
    journal = (world.folder / "journal.jsonl").read_bytes()
    assert shown("last", "--json").stdout_bytes == journal
    lines = journal.splitlines(keepends=True)
    second = shown("last", "--json", "--step", "2").stdout_bytes
    assert second == b"".join(lines[5:9])
    assert [json.loads(line)["type"] for line in second.splitlines()] == [
        "model_called", "model_replied", "command_started", "command_finished",
    ]  # fmt: skip


def test_the_calls_add_up_to_what_the_run_has_used(world: World) -> None:
    compacted(world)
    state = state_of(world.folder)
    calls = json.loads(shown("last", "--cost", "--json").stdout)
    assert sum(call["input_tokens"] for call in calls) == state.usage.input_tokens
    assert sum(call["cost_usd"] for call in calls) == pytest.approx(state.usage.cost_usd)
    assert {call["purpose"] for call in calls} == {"step", "summary"}
    page = text("--cost")
    head = next(line for line in page.splitlines() if line.startswith("STEP"))
    assert head.split() == ["STEP", "CALL", "IN", "CACHED", "OUT", "COST"]
    assert "all of summary" in page
    assert f"{state.usage.calls} calls" in page


def test_a_call_without_a_reply_counts_with_what_was_reserved(world: World) -> None:
    played(world, [LOOK, done("ok")], **PAID)
    cut(world, events=6)
    with ModelServer([done("ok")]) as server:
        world.run_again(world.folder, server, prices=PRICES)
    calls = json.loads(shown("last", "--cost", "--json").stdout)
    assert [call["purpose"] for call in calls] == ["step", "step, no reply", "step"]
    assert sum(call["cost_usd"] for call in calls) == pytest.approx(state_of(world.folder).usage.cost_usd)
    assert "! no reply: its reply was not recorded" in text()


# Standard output


def shown_to(stdout: int) -> tuple[int, str]:
    """Exit code and standard error of `autoagent show last`."""
    command = [sys.executable, "-m", "autoagent", "show", "last"]
    done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    os.close(stdout)
    return done.returncode, done.stderr


def test_a_full_disk_under_standard_output_is_one_line_and_no_bug(world: World) -> None:
    played(world, [done("ok")])
    full = os.open("/dev/full", os.O_WRONLY)
    assert shown_to(full) == (1, "error: standard output: No space left on device\n")


def test_a_reader_that_left_ends_it_quietly(world: World) -> None:
    played(world, [done("ok")])
    reader, writer = os.pipe()
    os.close(reader)
    assert shown_to(writer) == (0, "")
