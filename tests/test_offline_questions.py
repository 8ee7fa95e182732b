"""The offline planner on goals as people type them: particles, spoken endings, near misses, why-questions."""

import io
import re
from pathlib import Path

import openpyxl
import pytest

from autoagent.models.offline.addresses import almost_address
from autoagent.models.offline.goals import Find, Unplannable, tasks_of
from autoagent.models.offline.speech import language_spoken
from autoagent.state import State
from tests.support import World

INCIDENT = """# Orders without a receipt

## Summary

On Friday customers could order but got no receipt by mail for two hours.
Most of them called the shop.

## Root cause

The key of the mail provider had been withdrawn. Nobody read the announcement.

## Why the menu was short

The cook was ill.
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def run(world: World, goal: str) -> State:
    return world.run("", goal=goal, model="offline", base_url="")


def needle(goal: str) -> tuple[str, ...] | None:
    """What the goal wants found, or None where it has no rule."""
    tasks = tasks_of(goal)
    if isinstance(tasks, Unplannable):
        return None
    (task,) = tasks
    assert isinstance(task.deed, Find), task.deed
    return task.deed.needles


@pytest.mark.parametrize(
    ("goal", "wanted"),
    [
        ("office 라는 낱말이 몇 번 나오나요?", "office"),
        ("office라는 단어가 몇 번 나오나요?", "office"),
        ("Busan 이라는 단어를 세어 줘", "Busan"),
        ("office 단어를 세어 줘", "office"),
        ("office가 얼마나 자주 나오나요?", "office"),
        ("Black tea라는 말이 몇 번 나오나요?", "Black tea"),
        ("papers 폴더에서 나이라는 말이 몇 번 나와?", "나이"),
        ("홍길동이라는 이름을 찾아 줘", "홍길동"),
        ("notes에서 고객이라는 단어 개수", "고객"),
        ("부산이 어디에 몇 번 나오나요?", "부산"),
        ("find Busan", "Busan"),
        ("find 부산", "부산"),
        ("search the notes for Busan", "Busan"),
        ("count the word office", "office"),
        ("how often does office occur", "office"),
    ],
)
def test_the_word_to_find_is_never_its_particle(goal: str, wanted: str) -> None:
    assert needle(goal) == (wanted,)


@pytest.mark.parametrize(
    "goal",
    [
        "라는 단어가 몇 번 나오나요?",
        "단어가 몇 번 나오나요?",
        "이 단어가 몇 번 나오나요?",
        "부산 지점이라는 말이 몇 번 나오나요?",
        "count words in a.md",
        "find the cheapest flight",
    ],
)
def test_where_no_rule_tells_what_to_find_the_goal_has_none(goal: str) -> None:
    assert needle(goal) is None


def test_a_named_word_is_counted_in_a_run(world: World) -> None:
    world.file("a.txt", "The office is open.\n회사라는 곳의 office\n")
    state = run(world, "office 라는 낱말이 몇 번 나오나요?")
    assert state.status == "reached"
    assert "“office”: 2번" in state.result


@pytest.mark.parametrize(
    ("goal", "searched"),
    [
        ("office라는 낱말이 몇 번 나오나요?", "찾아본 파일 2개"),
        ("Count the mentions of office", "2 files searched"),
        ("Find mentions of office in office", "1 file searched"),
    ],
)
def test_a_word_to_find_is_no_folder_to_look_in(world: World, goal: str, searched: str) -> None:
    world.file("a.txt", "The office is open.\n")
    world.file("office/b.txt", "Nothing.\n")
    assert searched in run(world, goal).result


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("담당자는 누구야?", "박서연"),
        ("담당자 누구지?", "박서연"),
        ("이사 예산 얼마야?", "300만"),
        ("필터는 얼마나 자주 교체하나요?", "석 달"),
        ("필터는 얼마나 자주 교체해?", "석 달"),
        ("창고는 언제 열어?", "아홉 시"),
        ("Where did the cat sit?", "sat on the mat"),
        ("Who wrote the letter?", "writes the letter"),
    ],
)
def test_everyday_words_of_a_question_need_not_stand_in_the_answer(world: World, question: str, words: str) -> None:
    world.file("a.md", "담당자는 박서연 과장이다.\n\n이사 예산은 300만 원이다.\n\n필터는 석 달마다 교체한다.\n")
    world.file("b.md", "창고는 아홉 시에 연다.\n\nThe cat sat on the mat.\n\nOttilie writes the letter.\n")
    state = run(world, question)
    assert state.status == "reached", state.reason
    assert words in state.result


def test_a_noun_that_is_missing_is_still_missing(world: World) -> None:
    world.file("a.md", "이사 예산은 300만 원이다.\n")
    assert "낱말: 주차비" in run(world, "주차비는 얼마야?").reason


def test_a_why_question_quotes_the_section_that_names_the_cause(world: World) -> None:
    world.file("incident.md", INCIDENT)
    told = run(world, "Why did customers get no receipt?").result
    symptom, _, cause = told.partition("Where the same document speaks of causes:")
    assert "got no receipt" in symptom
    assert "> The key of the mail provider had been withdrawn.\n— incident.md:10" in cause
    assert "cook" not in told


@pytest.mark.parametrize(
    ("question", "text", "cause"),
    [
        ("왜 창고 이전이 늦어졌나요?", "창고 이전은 두 주 늦어졌다.\n\n비가 왔기 때문이다.\n", "비가 왔기 때문"),
        ("왜 확인 메일이 발송되지 않았나요?", "확인 메일이 나가지 않았다. 원인은 만료된 열쇠이다.\n", "열쇠"),
        ("창고 이전이 늦어진 이유는?", "창고 이전이 두 주 늦어졌다.\n\n## 원인\n\n비가 왔다.\n", "비가 왔다"),
        (
            "What was the reason for the delay?",
            "The delay took a week.\n\nIt came about since the bridge broke.\n",
            "bridge",
        ),
    ],
)
def test_a_sentence_that_gives_a_cause_is_quoted_after_the_passage(
    world: World, question: str, text: str, cause: str
) -> None:
    world.file("a.md", text)
    world.file("b.md", "The kettle broke because it fell.\n")
    state = run(world, question)
    assert state.status == "reached", state.reason
    assert cause in state.result
    assert "kettle" not in state.result


def test_a_cause_in_another_section_is_not_taken_for_this_one(world: World) -> None:
    world.file("a.md", "## Ferry\n\nThe ferry is late.\n\n## Kiosk\n\nThe kiosk closed because of rain.\n")
    assert "rain" not in run(world, "Why is the ferry late?").result


def test_only_a_why_question_brings_causes(world: World) -> None:
    world.file("incident.md", INCIDENT)
    assert "provider" not in run(world, "When did customers get no receipt?").result


def test_a_since_of_time_is_no_cause(world: World) -> None:
    world.file("a.md", "The bridge is closed.\n\nThe road has been open since May 2019.\n")
    assert "road" not in run(world, "Why is the bridge closed?").result


@pytest.mark.parametrize("goal", ["total of amount in broken.xlsx", "What is the total of amount in broken.xlsx?"])
def test_a_damaged_workbook_is_named_with_its_reason(world: World, goal: str) -> None:
    (world.workspace / "broken.xlsx").write_bytes(b"PK\x03\x04 this is no workbook")
    state = run(world, goal)
    assert state.status == "unreached"
    assert re.search(r"Could not be read, so no number is given: broken\.xlsx \(.*damaged", state.reason)
    assert "There is no CSV" not in state.reason


@pytest.mark.parametrize(
    ("goal", "language"),
    [
        ("total of amount by category in 지출.xlsx", "en"),
        ("total of amount in 6월 지출.xlsx", "en"),
        ("Find '부산' in notes", "en"),
        ("How often does 연체료 appear?", "en"),
        ("Summarise 회의록", "en"),
        ("notes/sales.csv에서 region별 amount 합계", "ko"),
        ("office라는 단어가 몇 번 나오나요?", "ko"),
        ("'Where is it?' 찾아 줘", "ko"),
        ("IT 예산?", "ko"),
        ("지출.xlsx", "ko"),
    ],
)
def test_a_goal_speaks_the_language_of_its_own_words(goal: str, language: str) -> None:
    assert language_spoken(goal) == language


def test_an_english_goal_with_a_korean_file_name_is_answered_in_english(world: World) -> None:
    book, file = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    for row in (("category", "amount"), ("tea", 3), ("tea", 4)):
        book.active.append(row)
    book.save(file)
    (world.workspace / "지출.xlsx").write_bytes(file.getvalue())
    state = run(world, "total of amount by category in 지출.xlsx")
    assert "| tea | 7 | 2 |" in state.result
    assert "Written: report.md" in state.result


@pytest.mark.parametrize(
    ("goal", "asked"),
    [
        ("notes/sales.csv에서 region별 amount 합계", "혹시 examples/notes/sales.csv인가요?"),
        ("total of amount by region in notes/sales.csv", "Did you mean examples/notes/sales.csv?"),
    ],
)
def test_a_missing_path_asks_for_its_namesake_before_it_lists(world: World, goal: str, asked: str) -> None:
    world.file("examples/notes/sales.csv", "region,amount\nSeoul,3\n")
    reason = run(world, goal).reason
    assert asked in reason
    assert re.search(rf"{re.escape(asked)} (?:The workspace holds|작업 폴더에 있는 것)", reason)


def test_a_long_listing_ends_with_a_whole_name_and_how_many_more(world: World) -> None:
    names = [f"{at:03}-{'x' * 40}.md" for at in range(60)]
    for name in names:
        world.file(name, "text\n")
    told = run(world, "Summarise nothere.md").reason
    listed, more = re.findall(r"holds: (.*) … \(\+(\d+)\)\.", told)[0]
    shown = listed.split(", ")
    assert shown == names[: len(shown)]
    assert len(shown) + int(more) == len(names)


def test_a_total_of_no_column_names_those_there_are(world: World) -> None:
    world.file("sales.csv", "region,quantity,amount\nSeoul,3,4\n")
    reason = run(world, "합계").reason
    assert "“”" not in reason
    assert "수로 된 열: quantity, amount." in reason


@pytest.mark.parametrize(
    ("goal", "meant"),
    [
        ("Summarise localhost:8765", "http://localhost:8765"),
        ("localhost:8765/a를 요약해 줘", "http://localhost:8765/a"),
        ("Summarise htp:/bad.url/x", "http://bad.url/x"),
        ("Summarise www.example.com", "http://www.example.com"),
    ],
)
def test_an_address_without_its_scheme_is_told_what_is_missing(world: World, goal: str, meant: str) -> None:
    state = run(world, goal)
    assert (state.status, state.step) == ("unreached", 1)
    assert "http://" in state.reason
    assert meant in state.reason


@pytest.mark.parametrize(
    "text",
    [
        "see minutes.md:12",
        "C:/notes/a.md",
        "at 09:12",
        "Summarise http://localhost:8765/a and https://a.example:8080/b",
        "Find 'localhost:8765' in a.md",
        "file:/notes/a.md",
    ],
)
def test_what_only_looks_like_an_address_is_none(text: str) -> None:
    assert almost_address(text) == ""


def test_a_column_of_averages_has_one_number_of_decimals(world: World) -> None:
    world.file("a.csv", "team,cost\nA,1\nA,2\nA,2\nB,900.25\nC,1440\n")
    told = run(world, "average of cost by team in a.csv").result
    for row in ("| A | 1.6667 | 3 |", "| B | 900.2500 | 1 |", "| C | 1,440.0000 | 1 |", "| All | 469.0500 | 5 |"):
        assert row in told
