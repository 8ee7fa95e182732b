"""`autoagent verify` and `show --claims`: claims with their passages, from a journal, in a process of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from evidence_runs import ABSENT, Run, change, state_of

from autoagent.claims import Claim
from autoagent.events import EvidenceChecked, FileChange, FilesChanged, FilesUndone
from autoagent.journal import Journal
from autoagent.places import runs_folder

PRICES = "Name | Price\nAcme | 49 euros a month\nBorealis | 71 euros a month"
TRUE = Claim(text="Acme costs 49 euros", source="prices.txt:2", quote="Acme | 49 euros")
FALSE = Claim(text="Corvus costs 93 euros", source="1.1", quote="Corvus | 93 euros\x1b[2J")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with Journal(runs_folder() / "7f3a") as journal:
        yield Run(journal)


def autoagent(*args: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "autoagent", *args]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)


def test_a_result_that_stands_on_what_was_read_is_verified(run: Run) -> None:
    run.reads("prices.txt", PRICES)
    run.completes("Acme costs 49 euros", TRUE)
    shown = autoagent("verify", "last")

    assert shown.returncode == 0, shown.stderr
    assert "✓ Acme costs 49 euros" in shown.stdout
    assert "prices.txt:2 · 1.1" in shown.stdout
    assert "> 2   «Acme | 49 euros» a month" in shown.stdout
    assert "Borealis" in shown.stdout
    assert shown.stdout.rstrip().endswith("1 claim, 1 with evidence")


def test_what_has_no_evidence_is_listed_and_the_code_is_3(run: Run) -> None:
    run.reads("prices.txt", PRICES)
    run.writes("report.md", "Delphi costs 12.5 %")
    run.completes("Acme costs 49 euros, Corvus 93, Erebus 404", TRUE, FALSE, files=["report.md"], ends=False)
    shown = autoagent("verify", "7f3a")

    assert shown.returncode == 3
    assert "! Corvus costs 93 euros" in shown.stdout
    assert "Its quote stands in nothing that was read" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "! number 404" in shown.stdout
    assert "! number 12.5 % (report.md)" in shown.stdout
    assert "5 claims, 1 with evidence, 4 without" in shown.stdout


def test_only_the_last_result_counts(run: Run) -> None:
    run.reads("prices.txt", PRICES)
    run.completes("Corvus costs 93 euros", FALSE, ends=False)
    run.refuses("Claims without evidence: 93")
    run.completes("Acme costs 49 euros", TRUE)

    assert autoagent("verify", "7f3a").returncode == 0


def test_the_texts_of_reports_are_those_that_the_run_wrote(run: Run) -> None:
    run.reads("prices.txt", PRICES)
    run.writes("report.md", "Acme costs 49 euros, Corvus 93")
    run.edits("report.md", "Acme costs 49 euros, Corvus 93", ", Corvus 93", ", Borealis 71")
    run.writes("other.md", "Borealis costs 71")
    run.completes("See report.md", files=["report.md"])

    assert autoagent("verify", "7f3a").returncode == 0


def test_a_draft_that_is_gone_and_a_file_of_a_persons_claim_nothing(run: Run) -> None:
    run.writes("draft.md", "Acme costs 4711 euros")
    run.shell("rm draft.md", "", FileChange(path="draft.md", before=state_of("Acme costs 4711 euros"), after=ABSENT))
    run.edits("README.md", "Since 1987: teh best", "teh", "the")
    run.completes("It is done.")

    assert autoagent("verify", "7f3a").returncode == 0


def test_a_report_that_moved_with_its_folder_is_looked_up_where_it_is(run: Run) -> None:
    run.writes("out/r.md", "Acme costs 4711 euros")
    gone = FileChange(path="out/r.md", before=state_of("Acme costs 4711 euros"), after=ABSENT)
    run.shell("mv out done", "", gone, change("done/r.md", "Acme costs 4711 euros"))
    run.completes("It is done.")
    shown = autoagent("verify", "7f3a")

    assert shown.returncode == 3
    assert "! number 4711 (done/r.md)" in shown.stdout


def test_a_draft_that_a_person_took_back_claims_nothing_until_they_bring_it_back(run: Run) -> None:
    text = "Acme costs 4711 euros"
    run.writes("draft.md", text)
    back = FileChange(path="draft.md", before=state_of(text), after=ABSENT)
    run.record(FilesUndone(changed=(back,), by="terminal"))
    run.completes("It is done.", ends=False)
    assert autoagent("verify", "7f3a").returncode == 0

    run.record(FilesUndone(changed=(change("draft.md", text),), redo=True, by="terminal"))
    assert autoagent("verify", "7f3a").returncode == 3


def test_the_note_at_the_end_of_a_report_is_no_change_of_what_the_model_wrote(run: Run) -> None:
    text = "Acme costs 4711 euros"
    run.writes("r.md", text)
    run.completes("It is done.", ends=False)
    run.record(FilesChanged(changed=(change("r.md", f"{text}\n\n> Unverified: 4711\n", text),), note=True))
    told = json.loads(autoagent("verify", "7f3a", "--json").stdout)

    assert ([fact["where"] for fact in told["loose"]], told["not_looked_up"]) == (["r.md"], [])
    story = autoagent("show", "7f3a").stdout
    assert "a note at the end of r.md names what has no evidence" in story


def test_a_document_that_nobody_looks_up_is_named(run: Run) -> None:
    run.writes("report.html", "<p>Acme costs 4711 euros")
    run.writes("r.md", "Acme is fine")
    run.shell("sort -o r.md r.md", "", change("r.md", "Acme is 4711", "Acme is fine"))
    run.completes("See report.html and r.md.")
    shown = autoagent("verify", "7f3a")

    assert shown.returncode == 0
    assert "report.html was not looked up." in shown.stdout
    assert "r.md: the journal does not hold its text, so that was not looked up." in shown.stdout
    assert json.loads(autoagent("verify", "7f3a", "--json").stdout)["not_looked_up"] == ["r.md", "report.html"]


def test_where_nothing_is_claimed_that_is_said(run: Run) -> None:
    run.completes("It is done.")
    shown = autoagent("verify", "7f3a")

    assert (shown.returncode, "Nothing is claimed" in shown.stdout) == (0, True)


def test_a_run_without_a_result_has_nothing_to_verify(run: Run) -> None:
    run.reads("prices.txt", PRICES)
    for args in (("verify", "7f3a"), ("show", "7f3a", "--claims")):
        shown = autoagent(*args)
        assert shown.returncode == 2
        assert "run 7f3a gave no result yet" in shown.stderr
        assert len(shown.stderr.strip().split("\n")) == 1


def test_the_claims_page_shows_what_was_recorded(run: Run) -> None:
    run.reads("prices.txt", PRICES)
    run.completes("Acme costs 49 euros", TRUE, ends=False)
    recorded = run.look_up("Acme costs 49 euros", TRUE)
    spoilt = recorded.model_copy(update={"claims": (recorded.claims[0].model_copy(update={"found": False}),)})
    run.record(EvidenceChecked(call_id="2.1", evidence=spoilt))
    shown = autoagent("show", "7f3a", "--claims")

    assert "! Acme costs 49 euros" in shown.stdout
    assert "as they were looked up" in shown.stdout
    assert "1 claim, 0 with evidence, 1 without" in shown.stdout
    assert autoagent("verify", "7f3a").returncode == 0
    assert autoagent("show", "7f3a", "--claims", "--step", "1").returncode == 2


def test_json_has_each_claim_with_its_passage(run: Run) -> None:
    run.reads("가격.txt", PRICES)
    run.completes("Acme는 49 유로", TRUE, FALSE)
    shown = autoagent("verify", "7f3a", "--json")
    told = json.loads(shown.stdout)

    assert shown.returncode == 3
    assert [claim["found"] for claim in told["claims"]] == [True, False]
    assert "Acme | 49 euros" in told["claims"][0]["passage"]
    assert told["claims"][0]["of"] == "가격.txt"
    assert (told["total"], told["without"], told["loose"]) == (2, 1, [])
    assert json.loads(autoagent("show", "7f3a", "--claims", "--json").stdout) == told
