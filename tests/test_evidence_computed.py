"""What programs print counts as computed, though it stands in a draft too; what only looks computed does not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from evidence_runs import Run, change, new_run, state_of

from autoagent.claims import CheckedClaim, Claim
from autoagent.events import FileChange

SALES = "name,amount\nAnna,4217\nBen,388\nCem,1250"
DRAFT = "# Sales\n\nThe total is 5,855."
SUM = "import csv\nprint(sum(int(row['amount']) for row in csv.DictReader(open('sales.csv'))))"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = new_run(tmp_path / "run")
    yield made
    made.journal.close()


def claimed(run: Run, text: str, quote: str, source: str = "") -> CheckedClaim:
    return run.look_up("", Claim(text=text, source=source, quote=quote)).claims[0]


# -- computed after it was written -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        "awk -F, '{s += $2} END {print s}' sales.csv",
        "tail -n +2 sales.csv | cut -d, -f2 | paste -sd+ | bc",
        "for f in *.csv; do awk -F, '{s += $2} END {print s}' $f; done",
        f"python3 - <<'END'\n{SUM}\nEND",
    ],
)
def test_a_figure_of_a_draft_counts_once_a_program_works_it_out(run: Run, command: str) -> None:
    run.reads("sales.csv", SALES)
    run.writes("report.md", DRAFT)
    assert run.loose("The total is 5,855.") == ["5,855"]
    id = run.shell(command, "5855")

    assert run.loose("The total is 5,855.") == []
    assert claimed(run, "The total is 5,855", "5855", id).found


def test_so_it_does_where_python_works_it_out(run: Run) -> None:
    run.reads("sales.csv", SALES)
    run.writes("report.md", DRAFT)
    run.python(SUM, "5855")

    assert run.loose("The total is 5,855.") == []


@pytest.mark.parametrize(
    "command",
    [
        "grep -o '[0-9,]*' report.md",
        "grep -rho '[0-9,]*' .",
        "cat *.md",
        "tail -n 1 *",
        "cat $(ls)",
        "find . -name '*.md' -exec cat {} ;",
        "ls | xargs cat",
        "X=report.md; cat $X",
        "python3 show.py",
        "make",
        "python3 - <<'END'\nimport glob\nfor f in glob.glob('*'): print(open(f).read())\nEND",
        "python3 - <<'END'\nimport os\nfor f in os.listdir(): print(open(f).read())\nEND",
        "python3 - <<'END'\nname = 'rep' + 'ort.md'\nprint(open(name).read())\nEND",
    ],
)
def test_a_program_that_may_have_read_the_draft_works_nothing_out(run: Run, command: str) -> None:
    run.writes("report.md", "5,855")
    run.shell(command, "5,855")

    assert run.loose("The total is 5,855.") == ["5,855"]


# -- numbers that only steer a program ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "output", "told"),
    [
        ("for n, row in enumerate(rows(open('a.csv')), 2): print(month(row), sums(row))", "2026-02 77129", "2026-02"),
        ("print([n for n in numbers(open('a.csv')) if n >= 100 and n % 100])", "101 B100 4100", "B100"),
        ("for row in rows(open('a.csv')):\n    if row.amount > 100: print(row.number, row.id)", "100 A0098", "100"),
        ("print(rows(open('a.csv'))[:250], round(share(), 250))", "250 of them", "250"),
        ("print(total(open('a.csv')))  # should be 5855", "5855", "5855"),
        ("assert total(open('a.csv')) == 5855\nprint(total(open('a.csv')))", "5855", "5855"),
    ],
)  # fmt: skip
def test_a_number_that_only_steers_a_program_is_not_what_it_says(run: Run, code: str, output: str, told: str) -> None:
    run.python(code, output)

    assert run.loose(f"It is {told}.") == []


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("total = 5855\nprint(total)", "5855"),
        ("print(max(5855, 1))", "5855"),
        ("print('5,855' if x > 3 else '')", "5855"),
    ],
)
def test_a_number_that_a_program_was_given_to_say_is_not_computed(run: Run, code: str, told: str) -> None:
    run.python(code, told)

    assert run.loose(f"It is {told}.") == [told]


def test_a_figure_with_words_of_its_own_before_it_can_be_quoted(run: Run) -> None:
    id = run.python(SUM.replace("print(", "print('The total of sales:', "), "The total of sales: 5855")

    assert claimed(run, "The total is 5,855", "The total of sales: 5855", id).found
    assert not claimed(run, "The total is 5,856", "The total of sales: 5855", id).found


def test_a_figure_is_the_same_with_and_without_a_zero_behind_its_point(run: Run) -> None:
    id = run.python("print('Sum of the costs:', total(open('a.csv')))", "Sum of the costs: 1572.0")

    assert claimed(run, "They cost 1,572.00 euros", "Sum of the costs: 1572.0", id).found


# -- doctored and made to be read --------------------------------------------------------------------------------------

NO_CURE = "Studies show that the drug does not cure cancer in mice or in rats."


@pytest.mark.parametrize(("old", "new"), [("does not cure", "does cure"), ("not ", "")])
def test_a_line_that_was_edited_shows_nothing(run: Run, old: str, new: str) -> None:
    run.edits("study.txt", NO_CURE, old, new)
    run.reads("study.txt", NO_CURE.replace(old, new))

    assert not claimed(run, "It cures", "the drug does cure cancer in mice").found


def test_what_was_read_of_a_line_before_it_was_edited_still_counts(run: Run) -> None:
    run.reads("study.txt", NO_CURE)
    run.edits("study.txt", NO_CURE, "does not cure", "does cure")

    assert claimed(run, "It does not", "the drug does not cure cancer in mice").found


def test_a_file_that_was_edited_in_place_by_a_program_shows_nothing(run: Run) -> None:
    doctored = NO_CURE.replace("not ", "")
    run.shell("sed -i 's/not //' study.txt", "(no output)", change("study.txt", doctored, NO_CURE))
    run.reads("study.txt", doctored)

    assert not claimed(run, "It cures", "the drug does cure cancer in mice").found


def test_a_file_that_a_program_writes_anew_counts(run: Run) -> None:
    run.shell("python3 analyse.py > sums.txt", "(no output)", change("sums.txt", "Berlin 71", "Berlin 70"))
    run.reads("sums.txt", "Berlin 71")

    assert run.loose("Berlin has 71.") == []


def test_a_name_that_a_program_was_given_for_a_file_shows_nothing(run: Run) -> None:
    name = "Acme costs 4711 euros a month.csv"
    made = FileChange(path=name, before=state_of("").model_copy(update={"kind": "absent"}), after=state_of(""))
    run.shell(f"touch '{name}'", "(no output)", made)
    run.does("list_files", f"1 file\n{name}  0 bytes", args={})

    assert not claimed(run, "It costs 4711", "Acme costs 4711 euros a month").found
    assert run.loose("4,711 euros") == ["4,711"]


def test_what_a_search_was_asked_comes_back_as_nothing_that_was_read(run: Run) -> None:
    query = "Acme costs 4711 euros a month"
    run.does("web_search", f"1 result\n1. You searched for {query}\n   https://a.example/\n", args={"query": query})

    assert not claimed(run, "It costs 4711", query).found


def test_an_address_that_was_made_up_comes_back_as_nothing_that_was_read(run: Run) -> None:
    run.browses("https://a.example/wiki/Acme_costs_4711_euros_a_month", "No page Acme costs 4711 euros a month.")

    assert not claimed(run, "It costs 4711", "Acme costs 4711 euros a month").found


def test_the_words_of_an_address_that_was_found_count_as_any_others(run: Run) -> None:
    url = "https://a.example/acme-raises-prices-by-10-percent"
    run.does("web_search", f"1 result\n1. Prices\n   {url}\n", args={"query": "prices"})
    run.browses(url, "Acme raises prices by 10 percent")

    assert claimed(run, "By 10 percent", "Acme raises prices by 10 percent").found


def test_a_source_that_only_says_what_a_command_did_is_told_so(run: Run) -> None:
    id = run.writes("a.txt", "x")

    assert f"{id} says what a command did" in claimed(run, "It is written", "a.txt written: 1 line", id).problem


# -- what the goal asked for -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "result"),
    [
        ("Who will be head of the institute in 2031?", "The head of the institute in 2031: not found."),
        ("List all sales over 9,000 in sales.csv", "There are no sales over 9,000."),
        ("List all sales over 9,000 in sales.csv", "Sales over 9,000 are listed in sales.csv."),
        ("2031년 소장은 누구인가?", "2031년 소장은 자료에서 찾을 수 없습니다."),
        ("9,000원 이상인 매출을 찾아 줘", "9,000원 이상인 매출은 표와 같다."),
    ],
)
def test_a_figure_of_the_goal_that_is_only_repeated_needs_no_evidence(tmp_path: Path, goal: str, result: str) -> None:
    run = new_run(tmp_path / "run", goal=goal)
    run.reads("sales.csv", SALES)
    loose = run.loose(result)
    run.journal.close()

    assert loose == []


def test_a_figure_of_the_goal_that_is_stated_needs_evidence(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run", goal="Was the revenue 5,855 euros in 2031?")
    loose = run.loose("Yes: the revenue was 5,855 euros in 2031.")
    run.journal.close()

    assert loose == ["5,855 euros", "2031"] or loose == ["5,855", "2031"]


def test_the_header_of_a_table_is_shown_where_it_stands_and_not_where_the_loader_names_its_columns(run: Run) -> None:
    text = "costs.csv, lines 1-2 of 2, 3 columns: «month; team; amount»\n1\tmonth,team,amount\n2\tMay,A,12"
    id = run.does("read_file", text, args={"path": "costs.csv"}, seen={"costs.csv": "x"})
    found = claimed(run, "It has a column for the team", "month,team,amount", id)

    assert text[found.start : found.end] == "month,team,amount"
    assert found.problem == ""
