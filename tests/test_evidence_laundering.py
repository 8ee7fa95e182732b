"""The model's own words show nothing, whatever way they come back; what was really read beside them does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from evidence_runs import Run, change, new_run

from autoagent.claims import Claim
from autoagent.events import ApprovalGiven, CommandFinished, CommandStarted, FilesChanged
from autoagent.thoughts import CommandCall

LIE = "Acme charges 49 euros a month"
TRUTH = "Borealis charges 71 euros a month"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = new_run(tmp_path / "run")
    yield made
    made.journal.close()


def test_a_file_that_was_read_shows_what_it_says(run: Run) -> None:
    run.reads("prices.txt", f"{TRUTH}\n{LIE}")

    assert run.holds(LIE)
    assert run.loose("It is 49 or 71.") == []


def test_the_goal_and_refused_claims_show_nothing(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run", goal=f"{LIE}: is that so?")
    run.completes("49", Claim(text=LIE, source="1.1", quote=LIE), ends=False)
    run.refuses(f'Claims without evidence:\n- "{LIE}" 49')

    assert not run.holds(LIE)
    assert run.loose("49 euros") == ["49"]
    run.journal.close()


def test_a_file_that_the_model_wrote_shows_nothing_when_it_is_read(run: Run) -> None:
    run.writes("notes.md", f"# Notes\n\n{LIE}.\nTotal: 49")
    run.reads("notes.md", f"# Notes\n\n{LIE}.\nTotal: 49")

    assert not run.holds(LIE)
    assert run.loose("49 euros") == ["49"]


def test_what_an_edited_file_held_before_still_counts(run: Run) -> None:
    before = f"{TRUTH}\nThe end of it"
    run.edits("prices.txt", before, "The end of it", LIE)
    run.reads("prices.txt", f"{TRUTH}\n{LIE}")

    assert run.holds(TRUTH)
    assert not run.holds(LIE)
    assert run.loose("71 and 49 euros") == ["49"]


def test_a_digit_slipped_into_a_figure_makes_it_the_models(run: Run) -> None:
    run.edits("prices.txt", "Acme charges 39 euros", "39", "49")
    run.reads("prices.txt", "Acme charges 49 euros")
    run.edits("more.txt", "The fee is 3 euros", "3", "53")
    run.reads("more.txt", "The fee is 53 euros")
    run.edits("even.txt", "The rate is 61 points", "1", "2")
    run.reads("even.txt", "The rate is 62 points")

    assert run.loose("49, 53 and 62") == ["49", "53", "62"]


@pytest.mark.parametrize("command", ["cat notes.md", "cat notes.md | tr a-z A-Z", "cp notes.md x && cat x"])
def test_a_program_that_prints_the_models_file_shows_nothing(run: Run, command: str) -> None:
    run.writes("notes.md", LIE)
    run.shell(command, LIE.upper() if "tr" in command else LIE)

    assert not run.holds(LIE)
    assert run.loose("49 euros") == ["49"]


def test_a_program_whose_code_holds_the_words_shows_nothing(run: Run) -> None:
    run.python("print('Acme charges', 49, 'euros a month')", LIE)
    run.shell("echo Acme charges 49 euros a month", LIE)
    run.python("price = 49\nfor w in ['Acme', 'charges', price, 'euros', 'a', 'month']: print(w, end=' ')", LIE)

    assert not run.holds(LIE)
    assert run.loose("49 euros") == ["49"]


def test_the_models_words_beside_a_programs_own_show_nothing(run: Run) -> None:
    run.shell(f"echo '{LIE}'; date; cat prices.txt", f"{LIE}\nSun Nov 29 18:42:11 UTC 2026\n{TRUTH}")

    assert not run.holds(f"{LIE}\nSun Nov 29 18:42:11 UTC 2026")
    assert run.holds(TRUTH)
    assert run.loose("49 of 71") == ["49"]


def test_what_a_program_computes_counts_and_its_arguments_do_not(run: Run) -> None:
    run.python("print('Total:', 20 + 29, 'of', 500)", "Total: 49 of 500")

    assert run.loose("49 of 500") == ["500"]
    assert run.look_up("", Claim(text="49 in total", source="1.1", quote="Total: 49 of 500")).claims[0].found


def test_a_search_for_the_words_of_a_file_still_shows_its_line(run: Run) -> None:
    run.shell("grep -n 'charges 71 euros' prices.txt", f"3:{TRUTH}")
    run.does("search_files", f"1 match in 1 file\nprices.txt:3\t{TRUTH}", args={"query": "Borealis charges"})

    assert run.holds(TRUTH, "prices.txt:3")
    assert run.look_up("", Claim(text="71", source="2.1", quote=TRUTH)).claims[0].observation == "2.1"


def test_a_search_that_finds_nothing_does_not_show_what_was_looked_for(run: Run) -> None:
    run.does("search_files", f"0 matches: no line holds {LIE!r} (3 files searched)", args={"query": LIE})

    assert not run.holds(LIE)
    assert run.loose("49") == ["49"]


def test_a_search_shows_no_line_that_the_model_wrote(run: Run) -> None:
    run.writes("notes.md", LIE)
    found = f"2 matches in 2 files\nnotes.md:1\t{LIE}\nprices.txt:3\t{TRUTH}"
    run.does("search_files", found, args={"query": "charges"})

    assert not run.holds(LIE)
    assert run.holds(TRUTH)


def test_a_moved_or_copied_file_keeps_whose_words_it_holds(run: Run) -> None:
    run.writes("notes.md", LIE)
    moved = {"path": "b.md", "source": "notes.md", "before": "absent", "after": change("b.md", LIE).after.sha256}
    run.does("move_file", "notes.md moved to b.md.", args={"source": "notes.md", "target": "b.md"}, started=moved)
    copied = {"path": "c.md", "before": "absent", "after": change("c.md", LIE).after.sha256}
    run.does("copy_file", "b.md copied to c.md.", args={"source": "b.md", "target": "c.md"}, started=copied)
    run.reads("b.md", LIE)
    run.reads("c.md", LIE)

    assert not run.holds(LIE)


def test_a_copy_of_a_file_that_was_read_counts(run: Run) -> None:
    run.reads("prices.txt", TRUTH)
    run.writes("notes.md", TRUTH)
    run.shell("cp prices.txt p.txt", "(no output)", change("p.txt", TRUTH))
    copy = run.reads("p.txt", TRUTH)

    assert run.look_up("", Claim(text="71", source=copy, quote=TRUTH)).claims[0].observation == copy


def test_a_programs_copy_of_the_models_file_shows_nothing(run: Run) -> None:
    run.writes("notes.md", LIE)
    run.shell("sed s/a/a/ notes.md > x.txt", "(no output)", change("x.txt", f"From a program:\n{LIE}"))
    run.reads("x.txt", f"From a program:\n{LIE}")
    run.shell("cp notes.md node_modules/y", "(no output)")  # a folder that nobody watches
    run.reads("node_modules/y", LIE)

    assert not run.holds(LIE)
    assert run.loose("49") == ["49"]


def test_a_file_that_a_program_made_counts(run: Run) -> None:
    run.writes("sum.py", "import csv\nprint(sum(float(r[1]) for r in csv.reader(open('p.csv'))), file=open('t','w'))")
    run.shell("python3 sum.py", "(no output)", change("t", "1234.5"))
    run.reads("t", "1234.5")

    assert run.loose("1,234.50 in total") == []


def test_figures_in_a_script_that_the_model_wrote_are_not_computed(run: Run) -> None:
    run.writes("report.py", "price = 49\nname = 'Acme'\nprint(name, 'charges', price, 'euros a month')")
    run.shell("python3 report.py", LIE)

    assert not run.holds(LIE)
    assert run.loose("49") == ["49"]


def test_what_the_run_itself_remembered_shows_nothing_when_it_is_recalled(run: Run) -> None:
    run.does("remember", "Kept as m7.", args={"text": LIE})
    run.does("recall", f"m7 (kept fact):\n{LIE}\n\nm2 (kept fact):\n{TRUTH}", args={"query": "charges"})

    assert not run.holds(LIE)
    assert not run.holds(TRUTH)


def test_commands_that_only_act_or_end_say_nothing_that_counts(run: Run) -> None:
    run.does("write_file", f"{LIE}.md written: 1 line, 49 bytes.", args={"path": f"{LIE}.md", "text": "x"})
    run.does("list_files", f".: 1 file, 0 folders\n{LIE}.md\t1 bytes", args={"path": "."})
    run.does("ask_person", LIE, args={"question": "?"}, outcome="failed")

    assert not run.holds(LIE)


def test_a_persons_words_count(run: Run) -> None:
    run.does("ask_person", f"I know that {LIE}", args={"question": "What does Acme charge? 49?"})
    said = run.says(f"And {TRUTH}")

    assert run.holds(LIE)
    assert run.look_up("", Claim(text="71", source=said, quote=TRUTH)).claims[0].observation == said


def test_a_page_shows_what_it_says_but_not_what_it_was_asked(run: Run) -> None:
    run.browses("https://shop.test/search?q=Acme+charges+49+euros", f"You asked: Acme charges 49 euros\n\n{TRUTH}")
    run.browses("https://shop.test/acme-49-euros", "Acme charges 53 euros a month", question="Does it charge 53 euros?")

    assert not run.holds("Acme charges 49 euros")
    assert run.loose("49, 53 and 71 euros") == ["49"]
    assert run.holds("Acme charges 53 euros a month")


def test_arguments_that_a_person_changed_are_no_output(run: Run) -> None:
    call = CommandCall(name="run_shell", args={"command": "cat x"})
    run.thinks(call)
    edited: dict[str, str] = {"command": f"echo {LIE}"}
    run.record(ApprovalGiven(call_id="1.1", allowed=True, by="terminal", args={**edited}))
    run.record(CommandStarted(call_id="1.1", call=call.model_copy(update={"args": edited}), allowed_by="terminal"))
    told = f'exit code 0\n{LIE}\nThe person changed arguments before it ran. Now: {{"command": "echo {LIE}"}}'
    run.record(CommandFinished(call_id="1.1", outcome="ok", text=told))

    assert not run.holds(LIE)


def test_a_program_in_the_background_counts_as_any_other(run: Run) -> None:
    run.writes("notes.md", LIE)
    run.does("run_shell", "program p1 runs", args={"command": "watch.sh 53", "background": True})
    run.record(FilesChanged(changed=(change("log.txt", f"{LIE}\n{TRUTH}"),)))
    run.reads("log.txt", f"{LIE}\n{TRUTH}")
    run.does("read_program", f"program p1, lines 1-2 of 2\n{LIE}\nstarted with 53", args={"id": "p1"})

    assert not run.holds(LIE)
    assert run.holds(TRUTH)
    assert run.loose("49, 53, 71") == ["49", "53"]


def test_reading_an_observation_again_is_reading_the_first(run: Run) -> None:
    first = run.reads("prices.txt", TRUTH)
    again = run.does("read_observation", f"observation {first}, lines 1-1 of 1\n{TRUTH}", args={"id": first})
    own = run.shell(f"echo {LIE}", LIE)
    run.does("read_observation", f"observation {own}, lines 1-1 of 1\n{LIE}", args={"id": own})

    checked = run.look_up("", Claim(text="71", source=again, quote=TRUTH)).claims[0]
    assert (checked.found, checked.observation, checked.problem) == (True, first, "")
    assert not run.holds(LIE)


def test_a_failed_program_counts_and_a_failed_read_does_not(run: Run) -> None:
    run.shell("make", f"error: {TRUTH}", outcome="failed")
    run.does("read_file", f"'{LIE}' does not exist.", args={"path": LIE}, outcome="failed")

    assert run.holds(TRUTH)
    assert not run.holds(LIE)


def test_what_was_printed_before_a_file_was_written_counts(run: Run) -> None:
    run.shell("cat prices.txt", TRUTH)
    run.writes("report.md", TRUTH)
    run.shell("cat report.md", TRUTH)

    assert run.look_up("", Claim(text="71", source="3.1", quote=TRUTH)).claims[0].observation == "1.1"


def test_a_downloaded_file_counts(run: Run) -> None:
    run.does("download_file", "p.csv written: 9 bytes", args={"url": "https://a.test/p.csv", "path": "p.csv"})
    run.reads("p.csv", f"{TRUTH}")

    assert run.holds(TRUTH)


def test_words_of_a_file_put_together_anew_are_still_the_models(run: Run) -> None:
    run.writes("d.json", '{"name": "Acme", "state": "insolvent", "debt": 49}')
    code = "import json; d = json.load(open('d.json')); print(d['name'], 'is', d['state'], 'with', d['debt'])"
    run.python(code, "Acme is insolvent with 49")
    run.shell("jq -r '.name + \" is \" + .state' *.json", "Acme is insolvent now")

    assert not run.holds("Acme is insolvent with 49")
    assert not run.holds("Acme is insolvent")


def test_words_that_a_module_of_the_models_brings_along_are_its_own(run: Run) -> None:
    module = "name = 'Acme'\nstate = 'insolvent'"
    run.writes("facts.py", module)
    run.writes("main.py", "import facts\nprint(facts.name, 'is', facts.state)")
    run.shell("mv facts.py src/facts.py", "(no output)", change("src/facts.py", module))
    run.shell("python3 main.py", "Acme is insolvent")

    assert not run.holds("Acme is insolvent")


def test_a_script_that_a_program_wrote_from_the_models_words_is_the_models(run: Run) -> None:
    script = "name = 'Acme'\nprint(name, 'charges', 49, 'euros a month')"
    run.shell(f"cat > say.py <<'END'\n{script}\nEND", "(no output)", change("say.py", script))
    run.shell("python3 say.py", LIE)
    run.reads("say.py", script)

    assert not run.holds(LIE)
    assert run.loose("49 euros") == ["49"]


def test_what_a_program_of_the_run_serves_on_this_machine_is_its_own(run: Run) -> None:
    run.writes("page.html", f"<p>{LIE}</p>")
    run.does("run_shell", "program p1 runs", args={"command": "python3 -m http.server", "background": True})
    run.browses("http://127.0.0.1:8000/page.html", f"{LIE}")
    run.does("download_file", "x written", args={"url": "http://localhost:8000/page.html", "path": "x.html"})
    run.reads("x.html", LIE)

    assert not run.holds(LIE)
    assert run.loose("49 euros") == ["49"]


def test_an_archive_gives_back_whose_words_went_in(run: Run) -> None:
    inside = f"{LIE}."
    run.writes("notes.md", LIE)
    run.shell("zip a.zip notes.md", "(no output)", change("a.zip", "PK"))
    run.does("extract_archive", "unpacked", args={"path": "a.zip", "target": "b"}, changed=(change("b/n.md", inside),))
    run.reads("b/n.md", inside)

    assert not run.holds(LIE)


def test_of_many_files_read_at_once_only_those_of_others_count(run: Run) -> None:
    run.writes("notes.md", LIE)
    text = f"2 of 2 files answer to the question\nnotes.md, 1 line\n1\t{LIE}\nprices.txt, 1 line\n1\t{TRUTH}"
    seen = {"notes.md": "x", "prices.txt": "y"}
    run.does("read_many", text, args={"paths": ["*"], "question": "What? 49? 71?"}, seen=seen)
    claims = [Claim(text="71", source=source, quote=TRUTH) for source in ("prices.txt:1", "notes.md")]
    right, wrong = run.look_up("", *claims).claims

    assert not run.holds(LIE)
    assert run.loose("49 and 71") == ["49"]
    assert (right.found, right.problem) == (True, "")
    assert "prices.txt:1, not in notes.md" in wrong.problem


def test_a_figure_of_the_quote_that_is_the_models_supports_no_claim(run: Run) -> None:
    run.shell("sed 's/^/49 or /' prices.txt", f"49 or {TRUTH}")
    claims = [Claim(text=text, source="1.1", quote=f"49 or {TRUTH}") for text in ("It is 71", "It is 49")]

    assert [claim.found for claim in run.look_up("", *claims).claims] == [True, False]


def test_figures_of_a_program_count_though_some_file_of_the_models_holds_the_same_ones(run: Run) -> None:
    run.writes("test_app.py", "def test_twelve() -> None:\n    assert total([5, 7]) == 12\n")
    run.writes("sizes.json", "[\n12,\n5\n]")
    run.shell("pytest -q", "............ [100%]\n12 passed in 0.31s")
    claim = Claim(text="All 12 tests pass", source="3.1", quote="12 passed in 0.31s")

    assert run.look_up("All 12 tests pass.", claim).in_words() == "1 claim, 1 with evidence"


def test_a_line_made_only_of_words_of_the_models_files_is_its_own(run: Run) -> None:
    run.writes("Makefile", 'all:\n\t@for w in Acme charges 49 euros; do printf "$w "; done')
    run.shell("make", "Acme charges 49 euros")
    run.shell("make", "euros 49, charges Acme\n49")

    assert not run.holds("Acme charges 49 euros")
    assert run.loose("49 euros") == ["49"]
