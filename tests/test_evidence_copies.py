"""The model's own words in copies, archives, pages and figures put together: they stay its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from evidence_runs import ABSENT, Run, change, new_run, state_of

from autoagent.events import FileChange

LIE = "Acme charges 7431 euros a month"
TRUTH = "Borealis charges 71 euros a month"
IN_ENTITIES = "<p>Acme charges &#55;&#52;&#51;&#49; euros a month</p>"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = new_run(tmp_path / "run")
    yield made
    made.journal.close()


def test_a_programs_plain_copy_of_the_models_file_is_its_own(run: Run) -> None:
    run.writes("n.txt", LIE)
    run.shell("cp n.txt m.txt", "(no output)", change("m.txt", LIE))
    run.reads("m.txt", LIE)

    assert not run.holds(LIE)
    assert run.loose("7431 euros") == ["7431"]


def test_a_file_of_the_models_that_a_program_renamed_is_its_own(run: Run) -> None:
    run.writes("n.txt", LIE)
    gone = FileChange(path="n.txt", before=state_of(LIE), after=ABSENT.model_copy(update={"kind": "absent"}))
    run.shell("mv n.txt q.txt", "(no output)", gone, change("q.txt", LIE))
    run.reads("q.txt", LIE)

    assert not run.holds(LIE)
    assert run.loose("7431 euros") == ["7431"]


def test_what_comes_out_of_an_archive_of_the_models_file_is_its_own(run: Run) -> None:
    run.writes("n.txt", LIE)
    run.shell("python3 -m zipfile -c a.zip n.txt", "(no output)", change("a.zip", "PK"))
    args, unpacked = {"path": "a.zip", "target": "out"}, (change("out/n.txt", LIE),)
    run.does("extract_archive", "unpacked", args=args, changed=unpacked, seen={"a.zip": state_of("PK").sha256})
    run.reads("out/n.txt", LIE)

    assert not run.holds(LIE)
    assert run.loose("7431 euros") == ["7431"]


def test_a_copy_of_what_was_read_still_counts(run: Run) -> None:
    run.reads("prices.txt", TRUTH)
    run.shell("cp prices.txt p.txt", "(no output)", change("p.txt", TRUTH))
    run.reads("p.txt", TRUTH)

    assert run.holds(TRUTH, "p.txt")


@pytest.mark.parametrize("name", ["n.html", "copy.html"])
def test_what_a_loader_makes_of_the_models_own_page_is_its_own(run: Run, name: str) -> None:
    run.writes("n.html", IN_ENTITIES)
    run.shell("cp n.html copy.html", "(no output)", change("copy.html", IN_ENTITIES))
    seen = {name: state_of(IN_ENTITIES).sha256}
    run.does("read_file", f"{name}, lines 1-1 of 1\n1\t{LIE}", args={"path": name}, seen=seen)
    run.does("search_files", f"1 match in 1 file\n{name}:1\t{LIE}", args={"query": "charges"})

    assert not run.holds(LIE)
    assert run.loose("7431 euros") == ["7431"]


def test_what_others_wrote_into_the_models_file_since_counts(run: Run) -> None:
    run.writes("n.html", f"<p>{LIE}</p>")
    seen = {"n.html": state_of(f"<p>{LIE}</p><p>{TRUTH}</p>").sha256}
    run.does("read_file", f"n.html, lines 1-2 of 2\n1\t{LIE}\n2\t{TRUTH}", args={"path": "n.html"}, seen=seen)

    assert run.holds(TRUTH)
    assert not run.holds(LIE)


def test_figures_that_adjoin_in_the_models_files_or_code_are_one_of_its_own(run: Run) -> None:
    run.writes("p1", "Acme charges 74")
    run.writes("p2", "31 euros a month")
    run.shell("cat p1 p2", LIE)
    run.shell("printf 'Ac%s ch%s %d%d eu%s a mon%s' me arges 90 215 ros th", "Acme charges 90215 euros a month")
    run.python("print(f'{62}{5}{40}', 625 + 40)", "62540 665")

    assert not run.holds(LIE)
    assert run.loose("7431, 90215, 62540 and 665") == ["7431", "90215", "62540"]


def test_small_figures_that_adjoin_make_none_that_a_program_computes(run: Run) -> None:
    run.python("print(sum(range(1, 2)) + len(open('a').read()) + max(0, 5, 7))", "12 57")

    assert run.loose("12 and 57") == []


def test_facts_that_are_offered_at_the_start_show_nothing(tmp_path: Path) -> None:
    run = new_run(tmp_path / "offered", system=f"Facts kept by earlier runs:\nm3: {LIE}")

    assert not run.holds(LIE, "m3")
    assert run.loose("7431 euros") == ["7431"]
    run.journal.close()
