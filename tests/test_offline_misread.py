"""What the offline planner once misread: its own exports, columns that ask, words that say nothing, what was mended."""

import re
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from test_cli_run import Shell

from autoagent.events import RunEnded
from autoagent.inbox import InboxMessage, send
from autoagent.models.offline.goals import Summarise, Unplannable, tasks_of
from autoagent.models.offline.words import question_terms
from autoagent.state import State
from tests.support import World

TRIP = "# Trip\n\nThe hotel price is 120 euros. We booked the Hotel Baltic for June.\n"
SCHOOL = "# 학교\n\n2학기 개학은 8월 25일이다. 급식비는 한 끼에 4,500원이다. 겨울 값은 3만 원이다.\n"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def run(world: World, goal: str) -> State:
    return world.run("", goal=goal, model="offline", base_url="")


@pytest.mark.parametrize("form", ["--html", "--md"])
def test_an_export_of_a_run_is_no_source_and_is_named(tmp_path: Path, form: str) -> None:
    shell = Shell(tmp_path)
    (shell.workspace / "trip.md").write_text(TRIP)
    goal = ("run", "-m", "offline", "-c", "What is the price of the hotel?")
    assert "120 euros.\n— trip.md:3" in shell.call(*goal).stdout
    exported = shell.call("export", "last", form)
    assert exported.returncode == 0, exported.stderr
    again = shell.call(*goal)
    assert (again.returncode, again.stdout.count("\n— ")) == (0, 1), again.stdout
    (name,) = (path.name for path in shell.workspace.iterdir() if path.name not in ("trip.md", "report.md"))
    assert f"- {name}: the record of a run" in (shell.workspace / "report.md").read_text()


def test_an_export_is_never_overwritten_as_if_it_were_a_report(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    (shell.workspace / "trip.md").write_text(TRIP)
    shell.call("run", "-m", "offline", "-c", "What is the price of the hotel?")
    shell.call("export", "last", "--md", "-o", "report.md", "--overwrite")
    exported = (shell.workspace / "report.md").read_text()
    assert shell.call("run", "-m", "offline", "-c", "What is the price of the hotel?").returncode == 0
    assert (shell.workspace / "report.md").read_text() == exported


@pytest.mark.parametrize(
    ("goal", "header"),
    [
        ("total of count in stock.csv", "| total count | rows |"),
        ("stock.csv에서 place별 count 합계", "| place | 합계 count | 행 수 |"),
    ],
)
def test_a_column_called_count_is_titled_once(world: World, goal: str, header: str) -> None:
    (world.workspace / "stock.csv").write_text("place,count\nOslo,100\nMoss,40\n")
    result = run(world, goal).result
    assert header in result
    assert "count, count" not in result
    assert "count count" not in result
    assert "total, count" not in result


@pytest.mark.parametrize(
    ("goal", "figure"),
    [
        ("total of count in s.csv", "| 49 | 3 |"),
        ("average of count in s.csv", "| 16.33 | 3 |"),
        ("s.csv에서 count 합계", "| 49 | 3 |"),
        ("total of count by item in s.csv", "| nut | 30 | 1 |"),
        ("count rows in s.csv", "| 3 |"),
    ],
)
def test_a_column_called_count_is_worked_out(world: World, goal: str, figure: str) -> None:
    world.file("s.csv", "item,count,price\nbolt,12,0.5\nnut,30,0.25\ngear,7,12.4\n")
    assert run(world, goal).status == "reached"
    assert figure in world.text("report.md")


@pytest.mark.parametrize(
    ("goal", "rows"),
    [
        ("top 2 of count in s.csv", ["nut", "bolt"]),
        ("bottom 1 of count in s.csv", ["gear"]),
        ("s.csv에서 count 상위 2개", ["nut", "bolt"]),
    ],
)
def test_a_ranking_by_a_column_called_count_is_by_that_column(world: World, goal: str, rows: list[str]) -> None:
    world.file("s.csv", "item,count,price\nbolt,12,0.5\nnut,30,0.25\ngear,7,12.4\n")
    assert run(world, goal).status == "reached"
    ranked = [
        line.split(" | ")[1] for line in world.text("report.md").splitlines() if re.match(r"\| (?:line )?\d", line)
    ]
    assert ranked == rows


@pytest.mark.parametrize("name", ["who", "what", "where", "kind", "항목", "값"])
def test_a_columns_name_is_never_taken_for_a_word_that_asks(world: World, name: str) -> None:
    (world.workspace / "spend.csv").write_text(f"date,{name},euros\n1,Ann,12\n2,Ben,100\n3,Ann,50\n")
    by = f"{name}별 euros 합계, spend.csv" if name == "항목" else f"total of euros by {name} in spend.csv"
    assert "| Ann | 62 | 2 |" in run(world, by).result


def test_a_question_word_means_no_column_of_text_where_a_number_is_asked(world: World) -> None:
    (world.workspace / "spend.csv").write_text("what,euros\nfood,12\nboiler,100\n")
    assert "| 112 | 2 |" in run(world, "What is the total in spend.csv?").result


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("How much is the hotel per night?", "hotel, night"),
        ("Which hotel did we reserve?", "hotel, reserve"),
    ],
)
def test_what_was_not_found_is_named_with_the_nearest_passage(world: World, question: str, words: str) -> None:
    (world.workspace / "trip.md").write_text(TRIP)
    state = run(world, question)
    assert state.status == "unreached"
    assert f"I found no sentence with all of: {words}; the nearest passage:\n\n> The hotel" in state.reason
    assert "\n— trip.md:3\n" in state.reason
    assert "No document holds" not in state.reason


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("개학일은 언제야?", "> 2학기 개학은 8월 25일이다."),
        ("언제 개학한다고 했어?", "> 2학기 개학은 8월 25일이다."),
        ("급식비는 얼마이고 언제까지야?", "> 급식비는 한 끼에 4,500원이다."),
        ("겨울 값이 얼마야?", "> 겨울 값은 3만 원이다."),
        ("What are the prices of the hotel?", "> The hotel price is 120 euros."),
    ],
)
def test_an_answer_in_another_form_of_the_word_is_found(world: World, question: str, quoted: str) -> None:
    (world.workspace / "trip.md").write_text(TRIP)
    (world.workspace / "school.md").write_text(SCHOOL)
    assert quoted in run(world, question).result


def test_words_of_one_syllable_are_told_from_their_particle() -> None:
    assert [term.named for term in question_terms("책을 마을 가을 값은")] == ["책", "마을", "가을", "값"]


@pytest.mark.parametrize(
    ("goal", "output", "folder"),
    [
        ("notes 폴더를 출처와 함께 요약.md로 요약해 줘", "요약.md", "notes/"),
        ("docs 폴더를 요약.md 파일로 정리해 줘", "요약.md", "docs"),
        ("docs 폴더의 문서를 모음.md에 정리해 줘", "모음.md", "docs"),
    ],
)
def test_a_name_that_is_written_to_is_the_output(goal: str, output: str, folder: str) -> None:
    tasks = tasks_of(goal)
    assert not isinstance(tasks, Unplannable)
    (task,) = tasks
    assert (type(task.deed), task.output) == (Summarise, output)
    assert folder in (*task.scope.paths, *task.scope.words)


def test_to_tidy_a_folder_is_no_summary() -> None:
    assert isinstance(tasks_of("docs 폴더를 정리해 줘"), Unplannable)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "light.html").write_text(f"<title>Light</title><p>{'The lighthouse was built in 1870 by two men. ' * 4}")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=pages)) as listening:
        thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/light.html"
        listening.shutdown()
        thread.join()


def test_a_page_that_was_refused_is_fetched_once_a_person_allows_it(world: World, site: str) -> None:
    assert "loopback" in run(world, f"Summarise {site}").reason
    send(world.folder, InboxMessage(kind="say", by="resume", text="It is allowed now."))
    state = world.run_again(world.folder, "", allow_local_network=True)
    assert state.status == "reached", state.reason
    assert "The lighthouse was built in 1870" in world.text("report.md")
    assert len([event for event in world.events() if isinstance(event, RunEnded)]) == 2
