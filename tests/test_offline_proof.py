"""The offline planner proves what it does: criteria that are checked, quotes and figures that are looked up."""

import json
import re
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from test_offline_documents import put, workbook

from autoagent import build
from autoagent.claims import Claim
from autoagent.criteria import Criterion
from autoagent.events import CommandStarted, EvidenceChecked
from autoagent.models import Message
from autoagent.models.offline import OfflinePlanner
from autoagent.models.offline.claiming import MOST, claims_of
from autoagent.models.offline.documents import Passage
from autoagent.models.offline.recheck import Recheck
from autoagent.places import new_run_folder
from autoagent.reviewing import told
from autoagent.state import State
from autoagent.thoughts import parse_thought
from tests.support import World, dotted, finish, outcomes

LOG = """# The night ferry

The night ferry leaves Ardal at 22:40. It carries 310 passengers and 45 cars.

- The pier is repaired in May.
- Ilse keeps the key of the kiosk.
"""
KOREAN = """야간 여객선 안내

야간 여객선은 22시 40분에 출발한다. 승객 310명과 차량 45대를 싣는다.

부두는 5월에 수리한다. 매점 열쇠는 은서가 보관한다.
"""
FARES = """pier,kind,fare
Ardal,adult,"1,250.50"
Moss,adult,780.00
Ardal,child,410.25
Moss,child,n/a
Ardal,dog,
Total,,"2,440.75"
"""


STOCK: list[list[object]] = [["place", "amount"], ["Oslo", 100], ["Moss", 40], ["Oslo", 60], ["Moss", 40]]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path, monkeypatch)
    world.file("notes/log.md", LOG)
    world.file("notes/안내.txt", KOREAN)
    world.file("notes/fares.csv", FARES)
    return world


def run(world: World, goal: str, *criteria: Criterion, **flags: Any) -> State:
    """With the evidence looked up, as it is outside of tests; `criteria` are a person's."""
    given = {"model": "offline", "base_url": "", "evidence": "mark", "review": "auto"}
    settings = world.settings("", given | dotted(flags))
    setup, limits = build.make_setup(settings, build.choose_model(settings), world.workspace)
    folder = new_run_folder()
    journal = build.start_run(folder, setup, limits, [goal], criteria=criteria, notify=world.notes.append)
    return finish(world.agent(journal, settings, None, ()))


def expect(file: str, pattern: str = "") -> Criterion:
    return Criterion(text=file, file=file, pattern=pattern, by="person")


def holds(text: str, pattern: str) -> bool:
    return re.search(pattern, text, re.MULTILINE) is not None


def shown(state: State) -> str:
    """What the ending says of the evidence."""
    return state.evidence.in_words() if state.evidence else ""


def is_proven(state: State) -> bool:
    """Every criterion is checkable and met, every claim has evidence, nothing is loose, at the first try."""
    assert state.status == "reached", state.reason
    assert state.criteria
    assert all(one.checkable for one in state.criteria)
    assert [one.state for one in state.verdicts] == ["met"] * len(state.criteria)
    assert state.evidence is not None
    problems = [*(one.problem for one in state.evidence.claims if not one.found), *state.evidence.loose]
    assert not problems
    return not state.gaps


GOALS = [
    "Summarise the documents in notes with sources, into report.md",
    "notes 폴더의 문서를 요약해서 report.md에 저장해 줘",
    "Who keeps the key of the kiosk?",
    "매점 열쇠는 누가 보관하나요?",
    "Find 'ferry' in notes",
    "notes에서 '여객선'을 찾아줘",
    "Find 'zebra' in notes",
    "How many markdown files are there in notes?",
    "작업 폴더에 파일이 몇 개 있나요?",
    "total of fare by pier in notes/fares.csv",
    "notes/fares.csv에서 pier별 fare 평균",
    "average, minimum and maximum of fare in notes/fares.csv",
    "top 2 fare in notes/fares.csv",
    "count rows by pier in notes/fares.csv",
    "1. Summarise ./notes into a.md\n2. total of fare in notes/fares.csv\n3. Who keeps the key of the kiosk?",
]


@pytest.mark.parametrize("goal", GOALS)
def test_what_it_did_is_proven_at_the_first_try(world: World, goal: str) -> None:
    assert is_proven(run(world, goal))


def test_a_summary_has_criteria_for_each_document_in_the_language_of_the_goal(world: World) -> None:
    english = run(world, "Summarise the documents in notes into report.md")
    assert [one.text for one in english.criteria] == [
        "report.md holds quotes, each with where it stands",
        "report.md covers notes/fares.csv, or says why not",
        "report.md covers notes/log.md, or says why not",
        "report.md covers notes/안내.txt, or says why not",
    ]
    assert shown(english) == f"{len(english.evidence.claims)} claims, {len(english.evidence.claims)} with evidence"  # pyright: ignore[reportOptionalMemberAccess]
    korean = run(world, "notes 폴더의 문서를 요약해 줘")
    assert [one.text for one in korean.criteria][:1] == ["report.md에 출처가 있는 인용이 있음"]


def test_the_draft_says_where_it_writes_and_what_it_asks(world: World) -> None:
    run(world, "Find 'ferry' in notes, into out/ferry.md")
    drafts = [event.thought.draft for event in world.events("model_replied") if event.thought and event.thought.draft]
    assert drafts
    assert drafts[0].needs.folders == ("out/ferry.md",)
    assert drafts[0].needs.hosts == ()


def test_criteria_fail_on_a_report_that_holds_something_else(world: World) -> None:
    state = run(world, "Summarise the documents in notes into report.md")
    patterns = [one.pattern for one in state.criteria]
    assert all(holds(world.text("report.md"), pattern) for pattern in patterns)
    assert not any(holds("# Report\n\nnotes/log.md was read, all is well.\n", pattern) for pattern in patterns)


def test_criteria_of_a_person_stand_and_nothing_is_drafted_over_them(world: World) -> None:
    state = run(world, "Summarise ./notes", expect("report.md", "Ardal"))
    assert (state.status, [one.by for one in state.criteria]) == ("reached", ["person"])


def test_a_criterion_that_fails_is_given_up_with_what_is_missing(world: World) -> None:
    state = run(world, "Summarise ./notes", expect("other.md"))
    assert (state.status, state.step) == ("unreached", 6)
    assert state.reason.startswith("1. other.md")
    assert "other.md does not exist" in state.reason
    assert "Mend what is missing" not in state.reason
    assert "quotes from notes/" in state.reason
    assert outcomes(state)[-1] == ("task_complete", "failed") or outcomes(state)[-2] == ("task_complete", "failed")


def test_a_criterion_that_only_a_person_can_judge_leaves_the_run_waiting(world: World) -> None:
    state = run(world, "Summarise ./notes", Criterion(text="It reads well", by="person"))
    assert state.status == "waiting"
    assert "It reads well" in state.reason


def test_what_the_documents_do_not_hold_ends_unreached_with_where_it_looked(world: World) -> None:
    state = run(world, "What is the capital of France?")
    assert state.status == "unreached"
    assert "Looked in 3 files: notes/fares.csv, notes/log.md, notes/안내.txt" in state.reason
    assert not (world.workspace / "report.md").exists()


# -- figures ---------------------------------------------------------------------------------------------------------


def test_a_total_is_worked_out_again_by_a_program_from_the_file(world: World) -> None:
    state = run(world, "total of fare by pier in notes/fares.csv")
    assert ("run_python", "ok") in outcomes(state)
    assert "| Ardal | 1,660.75 | 2 |" in state.result
    assert "A program that read notes/fares.csv anew came to the same figures." in state.result
    assert state.evidence is not None
    assert [claim.quote.partition(",")[0] for claim in state.evidence.claims] == [
        "Ardal: rows 2", "Moss: rows 1", "all rows: rows 3", "left out: empty 1",
    ]  # fmt: skip
    (started,) = [one for one in world.events("command_started") if one.call.name == "run_python"]
    assert isinstance(started, CommandStarted)
    code = str(started.call.args["code"])
    assert not re.search(r"\d", code), "a figure of the program's own would not count as computed"


@pytest.mark.parametrize(
    ("name", "content", "goal", "row"),
    [
        ("a.csv", "이름;값\n가;1.234,50 €\n나;2,25 €\n", "total of 값 in a.csv", "1,236.75"),
        ("b.tsv", "crew\tcost\nx\t(10)\nx\t-2.5\ny\t7\n", "total of cost by crew in b.tsv", "| x | -12.5 | 2 |"),
        ("c.csv", "지점,매출\n서울,만원\n서울,3만원\n", "c.csv에서 지점별 매출 합계", ""),
        ("d.csv", 'who,note,cost\nx,"two\nlines",5\ny,,6\n', "total of cost in d.csv", "| 11 | 2 |"),
    ],
)
def test_a_program_reads_a_table_as_the_rules_do(world: World, name: str, content: str, goal: str, row: str) -> None:
    world.file(name, content)
    state = run(world, goal)
    told = state.result or state.reason
    assert row in told
    assert "other figures" not in told
    assert "다릅니다" not in told


def test_a_file_in_an_old_korean_encoding_is_worked_out_too(world: World) -> None:
    (world.workspace / "sales.csv").write_bytes("지점,매출\n서울,1500\n부산,2700\n".encode("cp949"))
    state = run(world, "sales.csv에서 매출 합계")
    assert "다시 읽은 프로그램의 수와 같습니다" in state.result
    assert is_proven(state)


SHEETS: dict[str, tuple[list[list[object]], str]] = {
    "plain": (STOCK, "| 240 | 4 |"),
    "beneath a title": ([["Stock of 2026"], [], *STOCK], "| 240 | 4 |"),
    "not at the edge": ([[None, *row] for row in STOCK], "| 240 | 4 |"),
    "with a gap and a total": ([*STOCK, [], ["Total", 240]], "| 240 | 4 |"),
    "with a note beneath": ([*STOCK, [], ["Source: the harbour office"]], "| 240 | 4 |"),
    "of parts": ([["place", "amount"], ["Oslo", 0.1], ["Moss", 0.2], ["서울", 1e-3]], "| 0.301 | 3 |"),
    "of text": ([["place", "amount"], ["Oslo", "1,250.50 €"], ["A\nB", " (10) "], ["Moss", "n/a"]], "€1,240.50 | 2 |"),
    "with other cells": ([*STOCK, ["a", True], ["b", "=B2*2"], ["c", None], [" ", 5]], "| 245 | 5 |"),
    "of numbers that are none": ([["place", "amount"], ["Oslo", 2.5], ["Moss", "1.234,5"], ["_x0041_", 1]], "| 2 |"),
    "with years": ([["place", 2025, "amount"], ["Oslo", 7, 3], ["Moss", 9, 4]], "| 7 | 2 |"),
}


@pytest.mark.parametrize("by", ["", " by place"])
@pytest.mark.parametrize(("rows", "row"), SHEETS.values(), ids=SHEETS.keys())
def test_a_sheet_is_worked_out_again_by_a_program(world: World, rows: list[list[object]], row: str, by: str) -> None:
    put(world, "stock.xlsx", workbook(Notes=[["Ask the bursar first."]], Sheet1=rows))
    state = run(world, f"total of amount{by} in stock.xlsx")
    assert row in state.result
    assert "A program that read stock.xlsx anew came to the same figures." in state.result
    assert is_proven(state)


def test_a_program_reads_a_workbook_of_another_office_as_the_rules_do(world: World) -> None:
    put(world, "calc.xlsx", (Path(__file__).parent / "documents/calc.xlsx").read_bytes())
    state = run(world, "calc.xlsx에서 지역별 매출 합계")
    assert "| 서울 🙂 | 1,204.5 | 1 |" in state.result
    assert "다시 읽은 프로그램의 수와 같습니다" in state.result
    assert is_proven(state)


@pytest.mark.parametrize(
    "rows",
    [
        [["day", "amount"], [date(2026, 3, 1), 5], [date(2026, 3, 2), 6]],
        [["day", "amount"], ["Monday", 5], ["Tuesday", 6], [], ["boat", "load"], ["Ada", 70]],
    ],
)
def test_what_a_program_would_read_otherwise_is_said_to_be_unchecked(world: World, rows: list[list[object]]) -> None:
    put(world, "stock.xlsx", workbook(Stock=rows))
    state = run(world, "total of amount by day in stock.xlsx")
    assert "| All | 11 | 2 |" in state.result
    assert "no program checked it" in state.result
    assert ("run_python", "ok") not in outcomes(state)


@pytest.mark.parametrize(
    ("goal", "heading"),
    [
        ("Summarise stock.xlsx", "### Sheet Stock: rows A1 to A5"),
        ("stock.xlsx를 요약해 줘", "### 시트 Stock: A1 행부터 A5 행까지"),
    ],
)
def test_the_heading_of_a_sheet_says_no_more_than_was_read(world: World, goal: str, heading: str) -> None:
    put(world, "stock.xlsx", workbook(Stock=STOCK, Empty=[]))
    assert is_proven(run(world, goal))
    assert heading in world.text("report.md").split("\n")


def test_where_no_program_may_run_the_result_says_so_and_the_figures_are_marked(world: World) -> None:
    state = run(world, "total of fare in notes/fares.csv", disabled=("run_python",))
    assert state.status == "reached"
    assert "Worked out by rules from notes/fares.csv; no program checked it." in state.result
    assert state.evidence is not None
    assert [fact.text for fact in state.evidence.loose] == ["2,440.75"] or not state.evidence.loose


def test_a_figure_without_evidence_is_sent_back_once_and_then_marked(world: World) -> None:
    world.file("notes/fares.csv", FARES.replace('Total,,"2,440.75"\n', ""))
    state = run(world, "total of fare in notes/fares.csv", disabled=("run_python",))
    checked = world.events("evidence_checked")
    assert (state.status, len(checked)) == ("reached", 2)
    assert all(isinstance(event, EvidenceChecked) for event in checked)
    assert state.evidence is not None
    assert [fact.text for fact in state.evidence.loose] == ["2,440.75"]


def test_a_search_is_counted_again_by_a_program(world: World) -> None:
    state = run(world, "Find 'ferry' in notes")
    assert state.evidence is not None
    assert state.evidence.claims[0].quote == "all files: times 2, words 2, lines 2, files 1, searched 3"
    assert "A program that read the files anew came to the same figures." in state.result


def test_files_are_counted_again_by_a_program(world: World) -> None:
    world.file(".hidden/notes.md", "not counted\n")
    state = run(world, "How many files are in notes?")
    assert state.result.startswith("3 files")
    assert state.evidence is not None
    assert state.evidence.claims[0].quote == "all files: files 3"


def test_a_program_that_comes_to_other_figures_confirms_nothing() -> None:
    check = Recheck("", "a.csv", (("all rows", (("rows", Decimal(3)), ("average", Decimal("1.67")))),))
    assert check.lines("all rows: rows 3, average 1.666666666667") == ["all rows: rows 3, average 1.666666666667"]
    assert check.lines("all rows: rows 4, average 1.666666666667") is None
    assert check.lines("all rows: rows 3, average 1.664") is None
    assert check.lines("Traceback (most recent call last):") is None


# -- which documents -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("goal", ["Summarise the documents in notes", "notes 폴더의 문서를 요약해 줘"])
def test_a_folder_at_the_top_wins_over_namesakes_deeper_down(world: World, goal: str) -> None:
    world.file("old/copy/notes/private.md", "The code of the garage is cobalt, nobody else knows it.\n")
    state = run(world, goal)
    assert state.status == "reached"
    assert "private.md" not in state.result + world.text("report.md")


def test_folders_of_one_name_deeper_down_are_all_meant_where_none_is_at_the_top(world: World) -> None:
    world.file("north/minutes/a.md", "The northern pier is closed in winter.\n")
    world.file("south/minutes/b.md", "The southern pier is open all year round.\n")
    text = run(world, "Summarise the documents in minutes").result
    assert "north/minutes/a.md, south/minutes/b.md" in text


def test_advice_on_editing_is_no_gap_in_what_was_read(world: World) -> None:
    world.file("notes/page.html", "<title>Pier</title><main><p>The pier of Moss is 212 metres long.</p></main>")
    assert "source=true" not in run(world, "What is the capital of France?").reason


def test_an_earlier_report_of_its_own_is_passed_over_and_named(world: World) -> None:
    run(world, "Summarise ./notes into notes/old.md")
    state = run(world, "Summarise ./notes into new.md")
    assert is_proven(state)
    assert "- notes/old.md: an earlier report of this planner" in world.text("new.md")


def test_somebody_elses_report_is_left_and_the_criteria_are_of_the_new_one(world: World) -> None:
    world.file("report.md", "My own notes, three days of work.\n")
    state = run(world, "Summarise ./notes")
    assert is_proven(state)
    assert {one.file for one in state.criteria} == {"report-2.md"}


# -- a page of the web -----------------------------------------------------------------------------------------------


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<title>Pier</title><main><p>The pier of Moss is 212 metres long. It was built in 1931.</p></main>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_a_page_is_quoted_by_its_address_and_its_host_is_among_the_needs(world: World) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/pier"
        state = run(world, f"How long is the pier, according to {url}?", allow_local_network=True)
        server.shutdown()
        thread.join()
    assert is_proven(state)
    assert state.evidence is not None
    assert {claim.source for claim in state.evidence.claims} == {url}
    drafts = [event.thought.draft for event in world.events("model_replied") if event.thought and event.thought.draft]
    assert drafts[0].needs.hosts == ("127.0.0.1",)


# -- the reply itself ------------------------------------------------------------------------------------------------


def test_a_reply_with_a_draft_reads_back_as_it_was_meant() -> None:
    listing = {"thoughts": {"text": ""}, "commands": [{"name": "list_files", "args": {"path": "."}}]}
    observed = (
        "Observation 1.1, list_files: ok\n<<<00000000\n.: 1 file, 1 folder\nnotes/\nnotes/a.md\t20 bytes\n00000000>>>"
    )
    messages: list[Message] = [
        {"role": "system", "content": "# Goal\n\nSummarise ./notes into out/sum.md"},
        {"role": "assistant", "content": json.dumps(listing)},
        {"role": "user", "content": observed},
    ]
    schema: dict[str, Any] = {"properties": {}}
    reply = OfflinePlanner().complete(messages, schema=schema, reply_tokens=1_000, timeout_s=None)
    drafted = parse_thought(reply.text).draft
    assert drafted is not None
    assert [one.file for one in drafted.criteria] == ["out/sum.md", "out/sum.md"]
    assert drafted.needs.folders == ("out/sum.md",)


def test_of_many_documents_the_first_quote_of_each_is_claimed_before_the_second_of_any() -> None:
    quoted = [
        Passage(f"{name}.md", line, f"{name} says {line}", "sentence", source=f"{name}.md:{line}")
        for name in ("a", "b")
        for line in range(1, MOST + 1)
    ]
    claims = claims_of(quoted, [Claim(text="all rows", source="3.1", quote="all rows")])
    assert len(claims) == MOST + 1
    assert claims[0].source == "3.1"
    assert {claim.source.partition(":")[0] for claim in claims[1:]} == {"a.md", "b.md"}
    assert sum(claim.source.startswith("b.md") for claim in claims) == MOST // 2


def test_the_planner_knows_how_the_program_says_that_a_criterion_is_not_met() -> None:
    from autoagent.models.offline.planning import NOT_MET

    assert told((), ()).startswith(NOT_MET)
