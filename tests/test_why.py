"""`autoagent show RUN --why STEP`: what decided about each command, in words, from the journal alone."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from autoagent.budget import Limits, Usage
from autoagent.cli.show import show
from autoagent.errors import AutoagentError, ConfigError
from autoagent.events import (
    ApprovalAsked,
    ApprovalGiven,
    CommandFinished,
    CommandStarted,
    Event,
    FileChange,
    FileState,
    FilesUndone,
    ModelCalled,
    ModelReplied,
    PersonSaid,
    RuleKept,
    RunEnded,
    RunStarted,
    Setup,
)
from autoagent.journal import Journal
from autoagent.places import runs_folder
from autoagent.rules import Rule
from autoagent.terminal.layout import cells
from autoagent.thoughts import CommandCall, Thought

FILE = FileState(kind="file", sha256="1", size=3)
OUTSIDE = "It acts on the world, and text from outside was read (1.1)."
BROWSE = CommandCall(name="browse", args={"url": "https://example.org/page"})
READ = CommandCall(name="read_file", args={"path": "한글.md"})
SHELL = CommandCall(name="run_shell", args={"command": "git push\x1b[2J"})
SEND = CommandCall(name="send_mail", args={"to": "a@example.org"})
ENDS = CommandCall(name="task_complete", args={"result": "ok"})


class Run:
    """A run's journal, written event by event."""

    def __init__(self, journal: Journal):
        self.journal = journal
        denies = Rule(action="deny", text="shell:git push", scope="workspace")
        setup = Setup(
            model="m", context_tokens=9_000, reply_tokens=900, workspace="/w", sandbox="bubblewrap", rules=(denies,)
        )
        started = RunStarted(
            run_id=journal.folder.name, goal="g", setup=setup, limits=Limits(), system="", nonce="n", version="0"
        )
        journal.append(started)

    def step(self, calls: Sequence[CommandCall], *events: Event) -> None:
        self.journal.append(ModelCalled(model="m", tail="", estimated_tokens=9, reserved=Usage(calls=1)))
        thought = Thought(text="I act.", commands=tuple(calls))
        self.journal.append(ModelReplied(reply="{}", usage=Usage(calls=1), thought=thought, said="s", tokens=9))
        for event in events:
            self.journal.append(event)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with Journal(runs_folder() / "7f3a") as journal:
        yield Run(journal)


def shown(*args: str, columns: int = 80) -> Result:
    result = CliRunner().invoke(show, ["7f3a", *args], env={"COLUMNS": str(columns)})
    if isinstance(result.exception, AutoagentError):
        raise result.exception
    assert result.exception is None, result.exception
    return result


def whys(step: int) -> list[dict[str, Any]]:
    return json.loads(shown("--why", str(step), "--json").stdout)


def tainted(run: Run) -> None:
    run.step(
        [BROWSE],
        CommandStarted(call_id="1.1", call=BROWSE, allowed_by="reading"),
        CommandFinished(call_id="1.1", outcome="ok", text="A page", outside=True),
    )


def ran(call_id: str, call: CommandCall, by: str, **more: Any) -> tuple[Event, Event]:
    started = CommandStarted(call_id=call_id, call=call, allowed_by=by, **more)
    return started, CommandFinished(call_id=call_id, outcome="ok", text="exit code 0")


def test_a_command_that_ran_unasked_says_what_allowed_it_and_what_held_it(run: Run) -> None:
    run.step([READ, SHELL], *ran("1.1", READ, "reading"), *ran("1.2", SHELL, "the sandbox", sandbox="bubblewrap"))
    read, shell = whys(1)
    assert (read["decision"], read["by"], read["sandbox"], read["outside"]) == ("allow", "reading", "", "")
    assert (shell["decision"], shell["by"], shell["sandbox"]) == ("allow", "the sandbox", "bubblewrap")
    text = shown("--why", "1").stdout
    assert 'allow, by "reading"' in text
    assert "only acts are asked about" in text
    assert "held by bubblewrap, no network" in text


def test_a_refusal_names_its_control_and_the_text_that_stands_behind_it(run: Run) -> None:
    tainted(run)
    refused = CommandFinished(call_id="2.1", outcome="refused", text=f"Not run. {OUTSIDE}", detail="outside text")
    run.step([SEND], refused)
    (why,) = whys(2)
    assert (why["decision"], why["by"], why["reason"]) == ("deny", "outside text", OUTSIDE)
    assert why["outside"] == "1.1 browse https://example.org/page"


def test_before_the_first_text_from_outside_there_was_none(run: Run) -> None:
    tainted(run)
    (why,) = whys(1)
    assert why["outside"] == ""


def test_a_question_says_who_answered_and_when(run: Run) -> None:
    run.step(
        [SHELL],
        ApprovalAsked(call_id="1.1", call=SHELL, reason="acts", digest="d", decided_by="acts"),
        ApprovalGiven(call_id="1.1", allowed=False, by="slack", reason="use csv"),
        CommandFinished(call_id="1.1", outcome="refused", text="Not run. The person said no. use csv", detail="acts"),
    )
    (why,) = whys(1)
    assert (why["decision"], why["answered_by"], why["answer"]) == ("ask", "slack", 'no · "use csv"')
    assert re.search(r'Answered +no · "use csv", by slack at \d\d:\d\d:\d\d', shown("--why", "1").stdout)


def test_a_rule_that_was_kept_is_the_answer_and_in_force_from_then_on(run: Run) -> None:
    asked = ApprovalAsked(call_id="1.1", call=SHELL, reason="acts", digest="d", scopes=("shell:git status",))
    kept = RuleKept(rule="shell:git status", by="terminal")
    run.step([SHELL], asked, kept, *ran("1.1", SHELL, "rule: allow shell:git status", sandbox="bubblewrap, network"))
    run.step([SHELL], *ran("2.1", SHELL, "rule: allow shell:git status"))
    (first,), (second,) = whys(1), whys(2)
    assert (first["answer"], first["answered_by"]) == ("always: git status", "terminal")
    assert first["rules"] == ["never: git push (this workspace)"]
    assert second["rules"] == ["git status (this run)", "never: git push (this workspace)"]
    assert second["reason"] == "a rule of yours: allow shell:git status"
    assert "held by bubblewrap, with the network" in shown("--why", "1").stdout


def test_a_rule_that_forbids_while_a_question_stands_is_what_stopped_it(run: Run) -> None:
    forbids = "Not run. A person's rule forbids it: go on without it."
    run.step(
        [SHELL],
        ApprovalAsked(call_id="1.1", call=SHELL, reason="acts", digest="d"),
        CommandFinished(call_id="1.1", outcome="refused", text=forbids, detail="rule: deny shell:git push"),
    )
    (why,) = whys(1)
    assert (why["decision"], why["by"]) == ("deny", "rule: deny shell:git push")


def test_what_never_came_to_a_decision_says_so(run: Run) -> None:
    failed = CommandFinished(call_id="1.1", outcome="failed", text="There is no argument 'x'.", ends_batch=True)
    run.step([READ, SHELL], failed)
    first, second = whys(1)
    assert (first["decision"], first["outcome"], first["reason"]) == ("", "failed", "There is no argument 'x'.")
    assert (second["decision"], second["outcome"]) == ("", "skipped")
    assert "it did not come to that" in shown("--why", "1").stdout


def test_the_rules_for_the_parts_of_a_pipe_are_one_answer_and_advice_is_one_too(run: Run) -> None:
    asked = ApprovalAsked(call_id="1.1", call=SHELL, reason="acts", digest="d")
    kept = [RuleKept(rule=rule, by="terminal") for rule in ("shell:git status", "shell:head")]
    run.step([SHELL], asked, *kept, *ran("1.1", SHELL, "rule: allow shell:head"))
    run.step([SHELL], asked.model_copy(update={"call_id": "2.1"}), PersonSaid(text="use csv", by="slack"))
    (first,), (second,) = whys(1), whys(2)
    assert first["answer"] == "always: git status, head"
    assert (second["answer"], second["answered_by"]) == ('advice instead: "use csv"', "slack")
    assert second["outcome"] == "skipped"


def test_what_was_put_back_is_told(run: Run) -> None:
    text = "exit code 0\n[Put back as it was, since other programs obey it: .git/config]"
    started, finished = ran("1.1", SHELL, "the sandbox", sandbox="landlock")
    run.step([SHELL], started, finished.model_copy(update={"text": text, "put_back": (".git/config",)}))
    (why,) = whys(1)
    assert (why["outcome"], ".git/config" in why["put_back"]) == ("ok", True)


def test_a_question_that_nobody_answered_yet(run: Run) -> None:
    run.step([SHELL], ApprovalAsked(call_id="1.1", call=SHELL, reason="acts", digest="d"))
    text = shown("--why", "1").stdout
    assert "nobody yet" in text
    assert "waits for an answer" in text


def test_the_command_that_ended_the_run_is_allowed_by_its_result(run: Run) -> None:
    run.step([ENDS], RunEnded(status="reached", result="ok"))
    (why,) = whys(1)
    assert (why["decision"], why["by"], why["outcome"]) == ("allow", "the result", "ok")


@pytest.mark.parametrize("columns", [50, 80])
def test_it_fits_and_is_inert(run: Run, columns: int) -> None:
    tainted(run)
    refused = CommandFinished(call_id="2.1", outcome="refused", text="Not run. \x9b2J\nerror: forged", detail="acts")
    run.step([SHELL], refused)
    text = shown("--why", "2", columns=columns).stdout
    assert max(map(cells, text.splitlines())) <= columns
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "\nerror" not in text


def test_one_page_of_one_step_at_a_time(run: Run) -> None:
    tainted(run)
    with pytest.raises(ConfigError, match="are 2 pages"):
        shown("--why", "1", "--cost")
    with pytest.raises(ConfigError, match="name two steps"):
        shown("--why", "1", "--step", "2")
    with pytest.raises(ConfigError, match="has no step 9"):
        shown("--why", "9")


def test_a_step_shows_what_held_a_program_and_what_it_changed(run: Run) -> None:
    changed = (
        FileChange(path="a.py", before=FILE, after=FILE.model_copy(update={"sha256": "2"})),
        FileChange(path="b.py", before=FileState(), after=FILE),
        FileChange(path="big.iso", before=FILE.model_copy(update={"kept": False}), after=FileState()),
    )
    started, finished = ran("1.1", SHELL, "the sandbox", sandbox="bubblewrap")
    run.step([SHELL], started, finished.model_copy(update={"changed": changed}))
    run.journal.append(RunEnded(status="unreached", result="no"))
    text = shown("--step", "1", columns=120).stdout
    assert "allowed by the sandbox, held by bubblewrap, no network" in text
    assert "Changed  a.py, b.py (new), big.iso (gone) · not undoable: big.iso" in text
    story = shown().stdout
    assert "Undo     2 files can be put back; 1 file cannot" in story
    assert "autoagent undo 7f3a" in story


def test_many_changes_are_read_from_the_list_beside_the_journal(run: Run) -> None:
    changed = [FileChange(path=f"{n}.py", before=FileState(), after=FILE).model_dump() for n in range(60)]
    started, finished = ran("1.1", SHELL, "the sandbox", sandbox="bubblewrap, network")
    kept = run.journal.keep(json.dumps(changed))
    run.step([SHELL], started, finished.model_copy(update={"changed_artifact": kept}))
    run.journal.append(RunEnded(status="unreached", result="no"))
    assert "60 files can be put back; 1 program cannot" in shown().stdout


def test_rules_and_undone_files_are_in_the_story(run: Run) -> None:
    change = FileChange(path="a.py", before=FileState(), after=FILE)
    started, finished = ran("1.1", SHELL, "the sandbox", sandbox="bubblewrap")
    run.step([SHELL], started, finished.model_copy(update={"changed": (change,)}))
    run.journal.append(RuleKept(rule="shell:git push", action="deny", scope="workspace", by="--deny"))
    run.journal.append(RunEnded(status="unreached", result="no"))
    back = FileChange(path="a.py", before=FILE, after=FileState())
    run.journal.append(FilesUndone(changed=(back,), by="autoagent undo"))
    text = shown(columns=120).stdout
    assert "--deny: a rule" in text
    assert "kept for this workspace: never: git push" in text
    assert "autoagent undo: files taken back" in text
    assert "can be put back" not in text
