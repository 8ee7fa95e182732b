"""Which files of a run are reports, that a note at their end breaks nothing, and what was not looked up."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from accepting import asked_by, check
from support import World, finish

from autoagent.criteria import Criterion
from autoagent.evidence.given import Given, given
from autoagent.journal import Journal, artifact, read
from autoagent.state import State
from autoagent.testing import ModelServer, done, thought

FOUND = "Acme costs 4711 euros.\n"
PINNED = "flask==3.0.3\nrequests==2.32.3\n"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def writes(path: str, text: str = FOUND) -> Any:
    return thought(commands=[("write_file", {"path": path, "text": text})])


def does(name: str, **args: Any) -> Any:
    return thought(commands=[(name, args)])


def ran(world: World, *steps: Any, criteria: tuple[Criterion, ...] = (), **flags: Any) -> State:
    """A run that ends with what it did, and says so again where that is sent back."""
    flags = {"review": "off", "evidence": "mark", **flags}
    return asked_by(world, [*steps, done("It is done."), done("It is done.")][: len(steps) + 2], *criteria, **flags)[0]


def last_given(world: World) -> Given:
    found = given(read(world.folder), lambda name: artifact(world.folder, name))
    assert found is not None
    return found


def end_once(world: World, *steps: Any, result: str = "It is done.", files: list[str] | None = None) -> State:
    """A run whose result is not sent back: the script has no reply for that."""
    with ModelServer([*steps, done(result, files=files or [])]) as server:
        return world.run(server, review="off", evidence="mark")


# What is a report


@pytest.mark.parametrize(
    "name", ["requirements.txt", "dev-requirements.txt", "requirements/dev.txt", "constraints.txt", "CMakeLists.txt",
             "robots.txt", "LICENSE.md", "LICENSE-MIT.txt", "COPYING.txt"]
)  # fmt: skip
def test_an_input_of_a_program_is_no_report_and_stays_as_it_was_written(world: World, name: str) -> None:
    assert end_once(world, writes(name, PINNED)).status == "reached"
    assert world.text(name) == PINNED


def test_a_file_of_a_persons_in_which_a_word_was_mended_is_no_report_of_the_runs(world: World) -> None:
    world.file("README.md", "It is teh best of 4711, since 9 May 2021.\n")
    world.file("log.txt", "Begun in 1999.\n")
    state = end_once(
        world,
        does("edit_file", path="README.md", old="teh", new="the"),
        does("append_file", path="log.txt", text="Ended in 2003.\n"),
    )
    assert (state.status, state.evidence and state.evidence.total) == ("reached", 0)
    assert world.text("README.md") == "It is the best of 4711, since 9 May 2021.\n"
    assert world.text("log.txt") == "Begun in 1999.\nEnded in 2003.\n"


def test_what_was_copied_or_made_by_a_program_is_no_report(world: World) -> None:
    world.file("notes.md", "My own 4711 notes.\n")
    state = end_once(
        world,
        does("copy_file", source="notes.md", target="copy.md"),
        does("run_shell", command="seq 1000 1003 > out.txt; mkdir v; cp notes.md v/README.md"),
    )
    assert (state.status, world.events("files_changed")) == ("reached", [])
    assert (last_given(world).reports, last_given(world).unknown) == ({}, ())


@pytest.mark.parametrize(
    "change",
    [
        [("append_file", {"path": "r.md", "text": "Beta costs 88.\n"})],
        [("edit_file", {"path": "r.md", "old": "4711", "new": "4712"})],
        [("run_shell", {"command": "sed -i s/4711/4712/ r.md"})],
        [("move_file", {"source": "r.md", "target": "final.md"})],
        [("run_shell", {"command": "mkdir out; mv r.md out"})],
        [("run_shell", {"command": "cp r.md final.md; rm r.md"})],
    ],
)
def test_a_report_of_the_models_stays_one_however_it_is_changed_or_moved(world: World, change: list[Any]) -> None:
    state = ran(world, writes("r.md"), thought(commands=change))
    assert state.status == "reached"
    assert state.evidence is not None
    (path,) = world.files()
    assert {fact.where for fact in state.evidence.loose} == {path}
    assert "> Unverified" in world.text(path)


@pytest.mark.parametrize("change", [
    [("delete_file", {"path": "out/r.md"})],
    [("run_shell", {"command": "rm -r out"})],
    [("run_shell", {"command": "mv out kept; mv kept ../; rm -rf ../kept || rm -r kept"})],
])  # fmt: skip
def test_a_draft_that_is_gone_is_no_report_in_the_run_nor_afterwards(world: World, change: list[Any]) -> None:
    assert end_once(world, writes("out/r.md"), thought(commands=change)).status == "reached"
    assert (last_given(world).reports, last_given(world).unknown) == ({}, ())


def test_a_file_of_a_persons_that_is_written_anew_as_a_whole_is_a_report(world: World) -> None:
    world.file("r.md", "Theirs.\n")
    state = ran(world, does("read_file", path="r.md"), writes("r.md"))
    assert state.evidence is not None
    assert [fact.where for fact in state.evidence.loose] == ["r.md"]


# The note


def test_a_note_has_the_encoding_and_the_line_ends_of_its_report(world: World) -> None:
    path = world.workspace / "메모.txt"
    path.write_bytes("회의 기록입니다.\r\n오늘 참석자는 없습니다.\r\n".encode("cp949"))
    ran(world, does("read_file", path="메모.txt"), writes("메모.txt", "회의 참석자는 117명입니다.\n결석은 없습니다.\n"))
    text = path.read_bytes().decode("cp949")
    assert text.endswith("\r\n\r\n> 확인 안 됨(읽거나 계산한 어떤 자료에도 없음): 117\r\n")
    assert text.count("\n") == text.count("\r\n")


READS = "grep -qx 'Acme costs 4711 euros.' r.md && test $(wc -l < r.md) = 1"
WHOLE = Criterion(text="r", file="r.md", pattern=r"\A[^\n]*\n\Z", by="person")


@pytest.mark.parametrize("criterion", [check(READS), WHOLE])
def test_no_note_is_added_where_a_check_that_was_met_may_read_the_report(world: World, criterion: Criterion) -> None:
    state = ran(world, writes("r.md"), criteria=(criterion,))
    assert (state.status, state.noted, world.text("r.md")) == ("reached", (), FOUND)
    assert [verdict.state for verdict in state.verdicts] == ["met"]


def test_a_note_is_added_where_a_criterion_only_wants_the_report_to_be_there(world: World) -> None:
    state = ran(world, writes("r.md"), criteria=(Criterion(text="r", file="r.md", by="person"),))
    assert (state.status, state.noted) == ("reached", ("r.md",))


def test_killed_behind_its_note_a_run_adds_no_second_one_and_still_knows_of_it(world: World) -> None:
    class Dies(Journal):
        def append(self, event: Any) -> State:
            if event.type == "files_changed":
                raise KeyboardInterrupt
            return super().append(event)

    with ModelServer([writes("r.md"), done("It is done."), done("It is done.")]) as server:
        agent = world.start(server, review="off", evidence="mark", journal=Dies)
        with pytest.raises(KeyboardInterrupt):
            agent.run()
        agent.journal.close()
        agent.close()
        state = world.run_again(world.folder, server)
    assert (state.status, state.noted) == ("reached", ("r.md",))
    assert world.text("r.md").count("> Unverified") == 1


# What was not looked up


@pytest.mark.parametrize("name", ["report.html", "report.csv", "보고서.docx", "REPORT"])
def test_a_document_that_nobody_looked_up_is_named(world: World, name: str) -> None:
    state = end_once(world, writes(name), files=[name])
    assert state.evidence is not None
    assert (state.status, state.evidence.not_looked_up) == ("reached", (name,))


def test_code_and_what_the_result_does_not_speak_of_are_not_named(world: World) -> None:
    names = ["a.py", "Makefile", "requirements.txt"]
    state = end_once(world, *map(writes, [*names, "cache.csv"]), files=names)
    assert state.evidence is not None
    assert state.evidence.not_looked_up == ()


def test_a_look_up_that_fails_ends_the_run_all_the_same_and_counts_as_without_evidence(world: World) -> None:
    def breaks(path: str) -> str:
        raise RecursionError(path)

    def end(mode: str) -> State:
        changed = does("run_shell", command="echo more >> r.md")
        with ModelServer([writes("r.md"), changed, done("It is done.")]) as server:
            agent = world.start(server, review="off", evidence=mode)
            agent.acceptance = replace(agent.acceptance, text_of=breaks)
            return finish(agent)

    state = end("mark")
    assert state.evidence is not None
    assert (state.status, state.evidence.in_words()) == (
        "reached",
        "not looked up: the look-up failed (RecursionError)",
    )
    assert end("require").status == "unreached"


def test_a_figure_that_stands_in_the_result_and_in_a_report_is_named_in_both(world: World) -> None:
    again = done("Acme costs 4711 euros.")
    with ModelServer([writes("a.md", "Acme costs 4711 euros and 35 cents.\n"), again, again]) as server:
        state = world.run(server, review="off", evidence="mark")

    assert state.evidence
    assert [(fact.where, fact.also) for fact in state.evidence.loose] == [("result", ("a.md",)), ("a.md", ())]
    assert "in nothing that was read or computed: 4711" in world.text("a.md")


@pytest.mark.parametrize("mode", ["mark", "require"])
def test_a_claim_without_evidence_is_named_in_the_report_that_makes_it(world: World, mode: str) -> None:
    world.file("offer.md", "Acme costs 49 euros a month.\n")
    claim = {"text": "Beta costs 73 euros", "source": "offer.md", "quote": "Beta costs 73 euros"}
    end = thought(commands=[("task_complete", {"result": "Acme is cheaper.", "claims": [claim]})])
    text = "Acme costs 49 euros. Beta costs 73 euros a month.\n"
    with ModelServer([does("read_file", path="offer.md"), writes("a.md", text), end, end]) as server:
        state = world.run(server, review="off", evidence=mode)

    assert state.status == ("reached" if mode == "mark" else "unreached")
    assert 'read or computed: "Beta costs 73 euros"' in world.text("a.md")
