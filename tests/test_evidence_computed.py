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
        "grep -rnA3 total .",
        "grep -rm1 total .",
        "grep --directories=recurse total .",
        "diff -rN /var/empty new",
        "diff old new",
        "cat repor{s,t}.md",
        "(cd . && ls); python3 show.py",
        "(ls)|sh x.sh",
        "ls |& xargs cat",
        "echo looking for totals; make report",
        "cat /tmp/r.txt",
        "head ../elsewhere/x",
        "python3 - <<'END'\nimport glob\nfor f in glob.glob('*'): print(open(f).read())\nEND",
        "python3 - <<'END'\nimport os\nfor f in os.listdir(): print(open(f).read())\nEND",
        "python3 - <<'END'\nname = 'rep' + 'ort.md'\nprint(open(name).read())\nEND",
    ],
)
def test_a_program_that_may_have_read_the_draft_works_nothing_out(run: Run, command: str) -> None:
    run.writes("report.md", "5,855")
    run.shell(command, "5,855")

    assert run.loose("The total is 5,855.") == ["5,855"]


@pytest.mark.parametrize(
    "code",
    [
        "out = Path('out')\nfor i in range(3): print((out / f'part{i}.md').read_text())",
        "out = Path('out')\nprint(out.joinpath(f'{n}.md').open().read())",
        "print(pd.read_fwf(f'{n}.txt'))",
        "print(open(file=name).read())",
        "for row in csv.DictReader(open('a.csv')):\n    name = row['name']\n    print(open(name).read())",
        "name = ''\nfor row in csv.DictReader(open('a.csv')):\n    name = row['name']\n    print(open(name).read())",
        "def show(p): return open(p).read()\nprint(show('a' + '.md'))",
        "print(zipfile.ZipFile(row['name']).read('x'))",
    ],
)
def test_code_that_may_open_what_it_does_not_name_works_nothing_out(run: Run, code: str) -> None:
    run.writes("report.md", "5,855")
    run.python(code, "5,855")

    assert run.loose("The total is 5,855.") == ["5,855"]


@pytest.mark.parametrize(
    "code",
    [
        "import json\nrows = json.load(open('a.json'))\nprint(sum(row['x'] for row in rows))",
        "import pandas as pd\nframe = pd.read_csv('a.csv')\nprint(frame['x'].sum())",
        "from pathlib import Path\npath = Path('data') / 'a.csv'\nprint(len(path.read_text().split()))",
        "import csv\nwith open('a.csv', newline='') as file:\n    print(len(list(csv.reader(file))))",
        "for name in ('a.csv', 'b.csv'):\n    with open(name) as file: print(name, len(file.readlines()))",
    ],
)
def test_code_that_names_what_it_opens_works_figures_out(run: Run, code: str) -> None:
    run.writes("report.md", "5,855")
    run.python(code, "5855")

    assert run.loose("The total is 5,855.") == []


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


def test_a_source_that_only_says_what_a_command_did_is_told_so(run: Run) -> None:
    id = run.writes("a.txt", "x")

    assert f"{id} says what a command did" in claimed(run, "It is written", "a.txt written: 1 line", id).problem


# -- what the goal asked for -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "result"),
    [
        ("Who will be head of the institute in 2031?", "The head of the institute in 2031: not found."),
        ("List all sales over 9,000 in sales.csv", "There are no sales over 9,000."),
        ("2031년 소장은 누구인가?", "2031년 소장은 자료에서 찾을 수 없습니다."),
    ],
)
def test_a_figure_of_the_goal_that_is_only_repeated_needs_no_evidence(tmp_path: Path, goal: str, result: str) -> None:
    run = new_run(tmp_path / "run", goal=goal)
    run.reads("sales.csv", SALES)
    loose = run.loose(result)
    run.journal.close()

    assert loose == []


@pytest.mark.parametrize(
    ("goal", "result", "told"),
    [
        ("Was the revenue 5,855 in 2031?", "Yes: the revenue was 5,855 in 2031.", ["5,855", "2031"]),
        ("Why did sales rise by 12 percent?", "Sales rose by 12 percent.", ["12 percent"]),
        ("Why was the bridge closed since 1987?", "The bridge has been closed since 1987.", ["1987"]),
        ("Did it lose 9,000 customers?", "It lost more than 9,000 customers.", ["9,000"]),
        ("Did it sell 9,000 units?", "It sold 9,000 units, not counting returns.", ["9,000"]),
        ("Did it sell 9,000 units?", "There is no doubt that it sold 9,000 units.", ["9,000"]),
        ("고객 9,000명을 잃었나?", "고객 9,000명 이상을 잃었습니다.", ["9,000"]),
    ],
)
def test_a_figure_of_the_goal_that_is_stated_needs_evidence(
    tmp_path: Path, goal: str, result: str, told: list[str]
) -> None:
    run = new_run(tmp_path / "run", goal=goal)
    loose = run.loose(result)
    run.journal.close()

    assert loose == told


def test_the_header_of_a_table_is_shown_where_it_stands_and_not_where_the_loader_names_its_columns(run: Run) -> None:
    text = "costs.csv, lines 1-2 of 2, 3 columns: «month; team; amount»\n1\tmonth,team,amount\n2\tMay,A,12"
    id = run.does("read_file", text, args={"path": "costs.csv"}, seen={"costs.csv": "x"})
    found = claimed(run, "It has a column for the team", "month,team,amount", id)

    assert text[found.start : found.end] == "month,team,amount"
    assert found.problem == ""


@pytest.mark.parametrize(
    "command", ["date -d 2031-05-06 +%F", "jq -n 2031", "perl -e 'print 1 => 2031'", "echo '<b>2031'"]
)
def test_a_figure_in_a_shell_line_is_not_computed(run: Run, command: str) -> None:
    run.shell(command, "2031-05-06" if "date" in command else "2031")

    assert run.loose("It was in 2031.") == ["2031"]
