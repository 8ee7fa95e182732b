"""A result looked up: which claims stand on what was read, what stands nowhere, and what is said about it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from evidence_runs import Run, new_run
from hypothesis import given, settings
from hypothesis import strategies as st

from autoagent.claims import CheckedClaim, Claim, Evidence, LooseFact
from autoagent.evidence import itemised, marked
from autoagent.evidence.checking import KEPT
from autoagent.evidence.facts import facts

PRICES = "Name | Price\nAcme | 49 euros a month\nBorealis | 71 euros a month"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = new_run(tmp_path / "run")
    yield made
    made.journal.close()


def checked(run: Run, text: str, source: str, quote: str) -> CheckedClaim:
    return run.look_up("", Claim(text=text, source=source, quote=quote)).claims[0]


def test_a_claim_has_the_place_of_its_quote(run: Run) -> None:
    read = run.reads("prices.txt", PRICES)
    claim = checked(run, "Acme costs 49 euros", read, "Acme | 49 euros")

    source = run.all_reads.source(claim.observation)
    assert source is not None
    assert (claim.found, claim.problem, claim.observation) == (True, "", read)
    assert source.text[claim.start : claim.end] == "Acme | 49 euros"


@pytest.mark.parametrize(
    "source", ["1.1", "[1.1]", "observation 1.1", "prices.txt:2", "./prices.txt", "prices.txt:2-3"]
)
def test_a_source_is_named_by_id_or_file(run: Run, source: str) -> None:
    run.reads("prices.txt", PRICES)
    run.reads("copy.txt", PRICES)

    claim = checked(run, "49", source, "Acme | 49 euros")
    assert (claim.found, claim.problem, claim.source) == (True, "", source)


@pytest.mark.parametrize("url", ["https://a.test/p/", "http://www.a.test/p#top", "https://a.test/old"])
def test_a_source_is_named_by_its_address(run: Run, url: str) -> None:
    run.browses("https://a.test/p", PRICES)
    whole = f"https://a.test/p\nKind: web page\nRedirected from: https://a.test/old\n\n{PRICES}\nMore"
    run.does("browse", whole, args={"url": "https://a.test/old", "question": "?"}, outside=True)

    claim = checked(run, "49", url, "Acme | 49 euros")
    assert (claim.found, claim.problem, claim.observation) == (True, "", "2.1" if "old" in url else "1.1")


def test_a_kept_fact_of_an_earlier_run_shows_nothing_by_itself(run: Run) -> None:
    run.does("recall", f"m12 (kept 2026-05-03 by run 7, step 2):\n{PRICES}", args={"query": "prices"})

    for source in ("m12", "1.1", "prices.txt"):
        claim = checked(run, "71", source, "Borealis | 71 euros")
        assert (claim.found, claim.problem) == (False, KEPT)
    assert run.loose("71 euros") == ["71"]


def test_what_was_read_and_is_recalled_stands_where_it_was_read(run: Run) -> None:
    run.reads("prices.txt", PRICES)
    run.does(
        "recall",
        f"1.1 (read_file prices.txt, line 2):\n{PRICES}\n\nm12 (kept 2026-05-03 by run 7, prices.txt):\n{PRICES}",
        args={"query": "prices"},
    )

    named = checked(run, "71", "2.1", "Borealis | 71 euros")
    kept = checked(run, "71", "m12", "Borealis | 71 euros")
    assert (named.found, named.problem, named.observation) == (True, "", "1.1")
    assert (kept.found, kept.source) == (True, "prices.txt:3")
    assert run.loose("71 euros") == []


def test_a_page_that_links_to_an_address_is_not_its_source(run: Run) -> None:
    run.browses("https://a.test/p", f"See https://b.test/q\n{PRICES}")

    assert (
        "https://a.test/p, not in https://b.test/q" in checked(run, "49", "https://b.test/q", "Acme | 49 euros").problem
    )


def test_a_search_result_is_a_source_by_the_address_it_lists(run: Run) -> None:
    listed = "1 result of x\n1. Prices\n   https://a.test/p\n   Acme charges 49 euros a month"
    run.does("web_search", listed, args={"query": "Acme"}, outside=True)

    assert checked(run, "49", "https://a.test/p", "Acme charges 49 euros").problem == ""


def test_a_pdf_page_and_a_cell_are_named_behind_the_file(run: Run) -> None:
    run.reads("a.pdf", "[page 1]\nNothing here\n[page 2]\nAcme charges 49 euros")
    run.reads("b.xlsx", "[sheet Prices]\nName | Price\nAcme | 49 euros")

    assert checked(run, "49", "a.pdf#p2", "Acme charges 49 euros").problem == ""
    assert "page 2, not on page 1" in checked(run, "49", "a.pdf#p1", "Acme charges 49 euros").problem
    assert checked(run, "49", "b.xlsx#Prices!B2", "Acme | 49 euros").problem == ""


def test_a_quote_from_elsewhere_is_found_and_its_source_put_right(run: Run) -> None:
    run.reads("prices.txt", PRICES)
    other = run.browses("https://a.test/", "Nothing of the kind")

    for named in (other, "none.txt", "9.9", ""):
        claim = checked(run, "49", named, "Acme | 49 euros")
        assert claim.found
        assert claim.source == "prices.txt:2"
        assert "prices.txt:2" in claim.problem
    assert "line 2, not in line 30" in checked(run, "49", "prices.txt:30", "Acme | 49 euros").problem


def test_a_claim_without_a_quote_that_was_read_has_no_evidence(run: Run) -> None:
    read = run.reads("prices.txt", PRICES)

    assert checked(run, "49", read, "").problem.startswith("It has no quote")
    assert "too short" in checked(run, "It costs 49", read, "49 eu").problem
    assert "nothing that was read" in checked(run, "48", read, "Acme | 48 euros").problem
    assert "none.txt was not read" in checked(run, "48", "none.txt", "Acme | 48 euros").problem
    assert not checked(run, "It is so", read, "…").found


def test_a_cell_of_a_csv_file_is_quote_enough(run: Run) -> None:
    run.reads("sales.csv", 'Day,City,Price\n2026-01-04,Seoul,"₩414,000"')
    run.shell("cat sales.csv", 'Day,City,Price\n2026-01-04,Seoul,"₩414,000"')

    for quote, source in (("₩414,000", "sales.csv"), ("₩414,000", "2.1"), ("Seoul", "sales.csv:2")):
        assert checked(run, f"It says {quote}", source, quote).found


def test_a_short_quote_counts_only_as_a_whole_cell_of_what_is_named(run: Run) -> None:
    read = run.reads("prices.txt", "Name | Price\nAcme | 49\nIt is 71 now")
    other = run.browses("https://a.test/", "Nothing of the kind")

    assert checked(run, "49", read, "49").found
    assert not checked(run, "71", read, "71").found
    assert not checked(run, "49", other, "49").found


def test_an_id_that_says_where_something_is_from_is_no_figure(run: Run) -> None:
    read = run.reads("prices.txt", PRICES)

    assert run.loose(f"It is 49 (1.1), from {read}, source: 1.1 [1.1]; the 1st and the 2nd; mid-2026") == ["2026"]
    assert run.loose("It rose by 1.1") == ["1.1"]


def test_a_search_that_read_pages_names_the_page_of_each_passage(run: Run) -> None:
    first = "2 results of x, 2 read\n\n1. A\nRead: https://a.test/a\n\nAcme charges 49 euros"
    second = "2. B\nRead: https://b.test/b\n\nBorealis charges 71"
    run.does("web_search", f"{first}\n\n{second}", args={"query": "prices", "read": 2}, outside=True)
    wrong = checked(run, "71", "https://a.test/a", "Borealis charges 71")

    assert checked(run, "71", "https://b.test/b", "Borealis charges 71").problem == ""
    assert "https://b.test/b, not in https://a.test/a" in wrong.problem


def test_the_figures_of_a_claim_must_be_read_too(run: Run) -> None:
    run.reads("prices.txt", PRICES)
    claim = checked(run, "Acme costs 53 euros", "1.1", "Acme | 49 euros")

    assert not claim.found
    assert claim.problem.startswith("53 stands neither in its quote nor")
    assert checked(run, "Borealis costs 22 euros more than Acme's 49", "1.1", "Borealis | 71 euros").found is False
    run.python("print(71 - 49)", "22")
    assert checked(run, "Borealis costs 22 euros more than Acme's 49", "1.1", "Borealis | 71 euros").found


def test_the_facts_of_the_result_and_its_reports_are_looked_up(run: Run) -> None:
    run.reads("prices.txt", PRICES)
    result = "Acme costs 49 euros, Borealis 71, Corvus 93. See report.md and none.md."
    found = run.look_up(result, reports={"report.md": "Corvus 93, Delphi 12.5 %"}, exists=lambda path: False)

    assert [(fact.text, fact.where) for fact in found.loose] == [
        ("93", "result"), ("none.md", "result"), ("12.5 %", "report.md"),
    ]  # fmt: skip
    assert found.facts == 5
    assert found.in_words() == "3 claims, 0 with evidence, 3 without"


def test_when_all_hold_nothing_is_without(run: Run) -> None:
    run.reads("prices.txt", PRICES)
    claim = Claim(text="Acme costs 49 euros", source="1.1", quote="Acme | 49 euros")

    assert run.look_up("Acme costs 49 euros", claim).in_words() == "1 claim, 1 with evidence"
    assert run.look_up("It is done.").in_words() == ""


def test_a_fact_of_a_claim_without_evidence_is_not_counted_twice(run: Run) -> None:
    run.reads("prices.txt", PRICES)
    claim = Claim(text="Corvus costs 93 euros", source="1.1", quote="Corvus | 93 euros")

    assert run.look_up("Corvus costs 93 euros", claim).in_words() == "1 claim, 0 with evidence, 1 without"
    assert run.look_up("Corvus costs 93 euros. It is 93.", claim).in_words() == "2 claims, 0 with evidence, 2 without"


def test_a_hundred_lines_of_problems_are_said_in_forty() -> None:
    claims = tuple(CheckedClaim(text=f"c{i} " * 99, source="", quote="q", found=False, problem="No") for i in range(90))
    loose = tuple(LooseFact(kind="number", text=str(i)) for i in range(90))
    told = itemised(Evidence(claims=claims, loose=loose))

    assert len(told.split("\n")) <= 40
    assert max(map(len, told.split("\n"))) < 500
    assert "180 claims, 0 with evidence, 180 without" in told
    assert "… and 74 more" in told


def test_what_goes_back_names_each_problem_and_what_to_do(run: Run) -> None:
    run.reads("prices.txt", PRICES)
    wrong = Claim(text="Acme costs 49", source="none.txt", quote="Acme | 49 euros")
    made_up = Claim(text="Corvus is cheap", source="1.1", quote="Corvus | 5 euros")
    told = itemised(run.look_up("Acme: 49; Corvus: 55", wrong, made_up, reports={"r.md": "66"}))

    assert '"Corvus is cheap": Its quote stands in nothing that was read' in told
    assert "- number 55\n" in told
    assert "- number 66 (in r.md)" in told
    assert "It stands in prices.txt:2, not in none.txt" in told
    assert "word for word" in told


# -- marks -------------------------------------------------------------------------------------------------------------


def with_loose(*texts: str, claims: tuple[CheckedClaim, ...] = ()) -> Evidence:
    found = {fact.text: fact for text in texts for fact in facts(text)}
    loose = tuple(LooseFact(kind=fact.kind, text=fact.text) for fact in found.values())
    return Evidence(loose=loose, claims=claims)


def test_each_loose_fact_is_marked_behind_itself() -> None:
    text = "It costs $93 (93 % more), or $93. See https://a.test/93?x=93, [here](https://a.test/p) and `x 12`, **41**."
    evidence = with_loose("$93", "93 %", "https://a.test/93?x=93", "https://a.test/p", "12", "41")

    assert marked(text, evidence) == (
        "It costs $93 [unverified] (93 % [unverified] more), or $93 [unverified]. "
        "See https://a.test/93?x=93 [unverified], [here](https://a.test/p) [unverified] and `x 12` [unverified], "
        "**41** [unverified]."
    )


def test_korean_text_is_marked_in_korean_and_no_word_is_broken() -> None:
    text = "가격은 93원이고 2026년 11월 1일에 「한국전력」의 표에 있다."
    evidence = with_loose("93원", "2026년 11월 1일", "「한국전력」")

    assert marked(text, evidence) == (
        "가격은 93원이고 [확인 안 됨] 2026년 11월 1일에 [확인 안 됨] 「한국전력」의 [확인 안 됨] 표에 있다."
    )


def test_a_sentence_that_is_a_claim_without_evidence_is_marked_at_its_end() -> None:
    claim = CheckedClaim(text="Corvus is cheap", source="", quote="", found=False, problem="No")
    evidence = Evidence(claims=(claim,))

    assert marked("So **Corvus is\ncheap**. More.", evidence) == "So **Corvus is\ncheap**. [unverified] More."
    assert marked("Nothing of it.", evidence) == "Nothing of it."


def test_what_is_loose_in_one_text_is_marked_in_each() -> None:
    evidence = Evidence(loose=(LooseFact(kind="number", text="$93", where="r.md"),))

    assert marked("It is 93.0, not 93 %", evidence) == "It is 93.0 [unverified], not 93 %"
    assert marked("| 93 | 12 |", evidence) == "| 93 [unverified] | 12 |"


_PIECES = st.sampled_from(
    [
        "93",
        "$1,234.50",
        "12%",
        "2026-11-01",
        "https://a.test/93/x-41",
        "a@b.test",
        "“Big_Name”",
        "「한국」의",
        "원",
        "report.md:12",
        "**41**",
        "the",
        "[41](https://b.test/41)",
        "`41`",
        "NS400",
        "3만5천원",
        "1.",
        ".",
        ",",
        "|",
        "(",
        ")",
        "-",
        "#",
        "\n",
    ]
)


@settings(max_examples=100)
@given(st.lists(_PIECES, max_size=25), st.sampled_from([" ", ""]))
def test_marking_adds_marks_only_and_only_once(pieces: list[str], glue: str) -> None:
    text = glue.join(pieces)
    evidence = with_loose(text)
    once = marked(text, evidence)

    assert re.sub(r" \[(?:unverified|확인 안 됨)\]", "", once) == text
    assert marked(once, evidence) == once


def test_a_mark_is_in_the_language_of_the_goal_whatever_names_stand_in_the_result(run: Run) -> None:
    table = "| place | total count |\n| Seoul Head Office | 240 |"
    found = run.look_up(table)

    assert "240 [확인 안 됨]" in marked(table, found, "stock.xlsx에서 place별 count 합계")
    assert "240 [unverified]" in marked(table, found, "total of count by place")
    assert "240 [unverified]" in marked(table, found)
