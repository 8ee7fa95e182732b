"""The loop guard against runs that loop and runs that work. Prints Markdown.

    .venv/bin/python benchmarks/loops.py            about two minutes; nothing but loopback is used

Each case is a policy: a generator that yields what the model asks for next, whatever it is told, and may change the
workspace in between as other people would. It is played by the real agent against the test model server, in a real
workspace, with real programs; only the web is scripted. A loop runs until the guard stops it or for 80 steps, an honest
run to its end.

Those named in HELD_OUT were not looked at while the guard's numbers were chosen: at their first look 15 of 15 loops
ended, and 1 of 12 honest runs was told (sleeping between reports of a program). Those in LATER were written when that
was mended: at their first look 12 of 13 loops ended (not the fact remembered for ever), and 1 of 10 honest runs was
told and refused (the queue that is emptied). Both were mended too.
"""

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from autoagent import build, settings, stall
from autoagent.budget import Usage
from autoagent.env import Fetched, Found, Hit
from autoagent.errors import CommandError
from autoagent.events import CommandFinished, CommandStarted, Event, ModelReplied, RunEnded, RunStarted
from autoagent.journal import read as events_of
from autoagent.places import new_run_folder
from autoagent.signals import Signals, Unattended
from autoagent.state import State, apply
from autoagent.testing import ModelServer, Repeat, done, thought
from autoagent.thoughts import CommandCall, Thought

MOST_STEPS = 80
Call = tuple[str, dict[str, Any]]
Turn = Call | list[Call] | dict[str, Any]  # one command, several, or a whole thought
SITE = "https://site.example"
WEATHER = """
rain snow hail fog dew frost wind storm heat cold sun cloud ice mist gale tide wave sand dust smoke ash
"""
CITIES = """
Seoul Busan Daegu Incheon Gwangju Daejeon Ulsan Suwon Jeju Pohang Paris Lyon Nice Lille Nantes Oslo Bergen
Rome Milan Turin
"""
BANNED = """
guarantee always never free best cheap secret miracle instant risk winner urgent bonus prize cash credit loan
offer trial click now
"""


@dataclass
class Play:
    """What a policy acts on: a workspace, a web, and which turn it is."""

    folder: Path
    web: "ScriptedWeb"

    def file(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def add(self, name: str, text: str) -> None:
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(text)


class ScriptedWeb:
    """Pages and results by a table; an address that `fails` does so as often as it says."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.results: Callable[[str], Sequence[str]] = lambda query: ()
        self.fails: dict[str, int] = {}

    def fetch(self, url: str, may_redirect: Callable[[str, str], bool] | None = None) -> Fetched:
        if self.fails.get(url, 0) > 0:
            self.fails[url] -= 1
            raise CommandError("site.example did not answer within 10 s.")
        page = self.pages.get(url.partition("#")[0]) or self.pages.get(url.partition("?")[0] + "*")
        if page is None:
            raise CommandError(f"{url} answered with 404 (not found).")
        return Fetched(url, page.encode(), "text/plain; charset=utf-8")

    def download(
        self, url: str, to: BinaryIO, limit: int, may_redirect: Callable[[str, str], bool] | None = None
    ) -> Fetched:
        came = self.fetch(url)
        to.write(came.content)
        return came

    def search(self, query: str, limit: int) -> Found:
        if self.fails.get("search", 0) > 0:
            self.fails["search"] -= 1
            raise CommandError(
                "No search engine answered: duckduckgo blocks searches (202). This does NOT mean that nothing exists. "
                f"Try again in {30 + self.fails['search']} s, or browse a page you know."
            )
        hits = [Hit(f"About {name}", f"{SITE}/{name}", f"What is known of {name}.") for name in self.results(query)]
        return Found(tuple(hits[:limit]), "engine")


@dataclass(frozen=True)
class Case:
    """`first`: the step that is the first repeat of a loop; 0 for an honest run."""

    name: str
    policy: Callable[[Play], Iterator[Turn]]
    first: int = 0


LOOPS: list[Case] = []
HONEST: list[Case] = []


def loop(first: int = 2) -> Callable[[Callable[[Play], Iterator[Turn]]], Callable[[Play], Iterator[Turn]]]:
    def keep(policy: Callable[[Play], Iterator[Turn]]) -> Callable[[Play], Iterator[Turn]]:
        LOOPS.append(Case(policy.__name__, policy, first))
        return policy

    return keep


def honest(policy: Callable[[Play], Iterator[Turn]]) -> Callable[[Play], Iterator[Turn]]:
    HONEST.append(Case(policy.__name__, policy))
    return policy


def read(path: str, **more: Any) -> Call:
    return "read_file", {"path": path, **more}


def write(path: str, text: str) -> Call:
    return "write_file", {"path": path, "text": text}


def edit(path: str, old: str, new: str) -> Call:
    return "edit_file", {"path": path, "old": old, "new": new}


def append(path: str, text: str) -> Call:
    return "append_file", {"path": path, "text": text}


def files(path: str = ".", **more: Any) -> Call:
    return "list_files", {"path": path, **more}


def grep(query: str, **more: Any) -> Call:
    return "search_files", {"query": query, **more}


def web(query: str) -> Call:
    return "web_search", {"query": query}


def browse(name: str, question: str = "What is it?") -> Call:
    return "browse", {"url": f"{SITE}/{name}", "question": question}


def shell(line: str, **more: Any) -> Call:
    return "run_shell", {"command": line, **more}


def python(code: str) -> Call:
    return "run_python", {"code": code}


def numbered(name: str, count: int) -> str:
    return "".join(f"{name}: line {n} says {n * 7919 % 10_007}\n" for n in range(1, count + 1))


# Honest runs, of at least 20 steps


@honest
def paging_through_a_long_file(p: Play) -> Iterator[Turn]:
    p.file("long.txt", numbered("long", 4_400))
    for at in range(1, 4_400, 200):
        yield read("long.txt", offset=at)


@honest
def paging_in_small_parts_that_overlap(p: Play) -> Iterator[Turn]:
    p.file("long.txt", numbered("long", 700))
    for at in range(1, 700, 30):
        yield read("long.txt", offset=at, limit=40)


@honest
def paging_through_an_observation(p: Play) -> Iterator[Turn]:
    p.web.pages[f"{SITE}/book"] = numbered("book", 6_000)
    yield browse("book", "What does line 12 say?")
    for at in range(1, 4_000, 180):
        yield "read_observation", {"id": "1.1", "offset": at, "limit": 180}


@honest
def two_files_page_by_page_side_by_side(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 2_200))
    p.file("b.txt", numbered("b", 2_200))
    for at in range(1, 2_200, 200):
        yield read("a.txt", offset=at)
        yield read("b.txt", offset=at)


@honest
def two_files_compared_with_edits_between(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 30))
    p.file("b.txt", numbered("b", 30))
    for n in range(1, 8):
        yield read("a.txt")
        yield read("b.txt")
        yield edit("b.txt", f"b: line {n} ", f"a: line {n} ")


@honest
def polling_a_clock(p: Play) -> Iterator[Turn]:
    for _ in range(22):
        yield shell("date +%H:%M:%S.%N")


@honest
def polling_a_log_that_grows(p: Play) -> Iterator[Turn]:
    p.file("log.txt", "started\n")
    for n in range(22):
        yield shell("tail -n 3 log.txt")
        p.add("log.txt", f"item {n} of 22 done\n")


@honest
def reading_a_log_that_grows_slowly(p: Play) -> Iterator[Turn]:
    p.file("log.txt", numbered("log", 40))
    for n in range(24):
        yield read("log.txt")
        if n % 2:
            p.add("log.txt", f"item {n} of 22 done\n")


@honest
def polling_a_folder_that_fills(p: Play) -> Iterator[Turn]:
    for n in range(22):
        p.file(f"in/part-{n:02}.bin", "x" * n)
        yield files("in")


@honest
def polling_a_status_page(p: Play) -> Iterator[Turn]:
    for n in range(22):
        p.web.pages[f"{SITE}/status"] = f"Build 77\n\nrunning: {n} of 22 jobs done\n"
        yield browse("status", "How far is the build?")


@honest
def a_check_that_fails_until_all_is_ready(p: Play) -> Iterator[Turn]:
    p.file("ready.sh", 'n=$(cat n 2>/dev/null || echo 0); echo "$n of 20 ready"; test $n -ge 20\n')
    for n in range(22):
        p.file("n", f"{n}\n")
        yield shell("sh ready.sh")


@honest
def a_background_program_that_reports(p: Play) -> Iterator[Turn]:
    yield shell("for i in $(seq 60); do echo step $i; sleep 0.1; done", background=True)
    for _ in range(12):
        yield "read_program", {"id": "p1"}
        yield shell("sleep 0.25")


@honest
def a_background_program_that_is_silent(p: Play) -> Iterator[Turn]:
    yield shell("sleep 30; echo done", background=True)
    for _ in range(10):
        yield shell("sleep 0.05")
        yield "read_program", {"id": "p1"}


@honest
def a_server_that_is_started_and_asked(p: Play) -> Iterator[Turn]:
    yield shell("sleep 60", background=True)
    for n in range(10):
        yield "list_programs", {}
        yield shell(f"echo answer {n}")


@honest
def edits_and_tests_with_other_failures(p: Play) -> Iterator[Turn]:
    p.file("code.py", "".join(f"x{n} = 0\n" for n in range(12)))
    p.file(
        "test.py",
        "import code_ as c\n"
        if False
        else "t = open('code.py').read()\nprint(t.count('= 0'), 'wrong')\nassert '= 0' not in t\n",
    )
    for n in range(11):
        yield edit("code.py", f"x{n} = 0", f"x{n} = 1")
        yield shell("python3 test.py")


@honest
def edits_and_tests_with_the_same_failure(p: Play) -> Iterator[Turn]:
    p.file("code.py", "a = 0\n")
    p.file("test.py", "raise SystemExit('E   assert total() == 5\\n1 failed')\n")
    for n in range(11):
        yield edit("code.py", f"a = {n}\n", f"a = {n + 1}\n")
        yield shell("python3 test.py")


@honest
def edits_and_tests_that_stay_green(p: Play) -> Iterator[Turn]:
    p.file("code.py", "".join(f"old_{n} = {n}\n" for n in range(12)))
    for n in range(11):
        yield edit("code.py", f"old_{n} ", f"new_{n} ")
        yield shell("python3 -m py_compile code.py && echo 14 passed in 0.$RANDOM s")


@honest
def whole_files_written_and_tested(p: Play) -> Iterator[Turn]:
    for n in range(11):
        yield write("gen.py", f"print([{n} * k for k in range(3)])\n")
        yield shell("python3 gen.py")


@honest
def a_parameter_tuned(p: Play) -> Iterator[Turn]:
    p.file(
        "train.py", "import json; p = json.load(open('p.json')); print('loss', round((p['lr'] - 0.3) ** 2 + 1, 4))\n"
    )
    for n in range(11):
        yield write("p.json", f'{{"lr": {n / 20}}}\n')
        yield shell("python3 train.py")


@honest
def a_flaky_test_hunted(p: Play) -> Iterator[Turn]:
    p.file("flaky.py", "")
    for n in range(21):
        p.file("flaky.py", f"print('seed', {n * 37 % 101}); raise SystemExit({n} % 4 == 0)\n")
        yield shell("python3 flaky.py")


@honest
def a_bisection(p: Play) -> Iterator[Turn]:
    low, high = 0, 1 << 21
    while high - low > 1:
        middle = (low + high) // 2
        yield shell(f"test {middle} -lt 777777 && echo good || echo bad")
        low, high = (middle, high) if middle < 777_777 else (low, middle)


@honest
def many_searches_of_the_web(p: Play) -> Iterator[Turn]:
    p.web.results = lambda query: [f"{query.replace(' ', '-')}-{n}" for n in range(6)]
    for word in WEATHER.split():
        yield web(f"{word} measured in cities")


@honest
def searches_that_share_one_hit(p: Play) -> Iterator[Turn]:
    p.web.results = lambda query: ["encyclopedia", *(f"{query.replace(' ', '-')}-{n}" for n in range(4))]
    for city in CITIES.split():
        yield web(f"population of {city}")


@honest
def search_and_read_in_turn(p: Play) -> Iterator[Turn]:
    p.web.results = lambda query: [f"{query}-{n}" for n in range(3)]
    for n in range(8):
        for k in range(3):
            p.web.pages[f"{SITE}/topic{n}-{k}"] = numbered(f"topic {n} page {k}", 30)
        yield web(f"topic{n}")
        yield browse(f"topic{n}-0")
        yield browse(f"topic{n}-1")


@honest
def questions_to_one_long_page(p: Play) -> Iterator[Turn]:
    months = [f"month{n}" for n in range(21)]
    p.web.pages[f"{SITE}/report"] = "\n\n".join(
        f"In {m} the harvest of {m} came to {n * 31 + 7} tons.\n\n" + numbered(f"filler {n}", 300)
        for n, m in enumerate(months)
    )
    for month in months:
        yield browse("report", f"How large was the harvest of {month}?")


@honest
def pages_that_answer_at_the_third_try(p: Play) -> Iterator[Turn]:
    for n in range(7):
        p.web.pages[f"{SITE}/slow{n}"] = numbered(f"slow {n}", 10)
        p.web.fails[f"{SITE}/slow{n}"] = 2
        for _ in range(3):
            yield browse(f"slow{n}")


@honest
def a_search_engine_that_blocks_at_first(p: Play) -> Iterator[Turn]:
    p.web.results = lambda query: [f"{query}-{n}" for n in range(5)]
    for n in range(5):
        p.web.fails["search"] = 3
        for _ in range(4):
            yield web(f"subject{n}")


@honest
def downloads_tried_again(p: Play) -> Iterator[Turn]:
    for n in range(10):
        p.web.pages[f"{SITE}/data{n}.csv"] = f"a,b\n{n},{n}\n"
        p.web.fails[f"{SITE}/data{n}.csv"] = 1
        for _ in range(2):
            yield "download_file", {"url": f"{SITE}/data{n}.csv", "path": f"data{n}.csv"}


@honest
def many_files_read(p: Play) -> Iterator[Turn]:
    for n in range(24):
        p.file(f"src/mod{n}.py", f"# a licence\n# of two lines\n\ndef f{n}():\n    return {n}\n")
        yield read(f"src/mod{n}.py")


@honest
def many_small_configs_that_are_nearly_equal(p: Play) -> Iterator[Turn]:
    for n in range(22):
        p.file(f"env/{n}/config.ini", f"[main]\nname = site\nport = {8000 + n // 2}\n")
        yield read(f"env/{n}/config.ini")


@honest
def a_specification_read_before_each_file(p: Play) -> Iterator[Turn]:
    p.file("spec.md", numbered("spec", 60))
    for n in range(12):
        p.file(f"f{n}.txt", numbered(f"f{n}", 20))
        yield [read("spec.md"), read(f"f{n}.txt")] if n % 2 else read(f"f{n}.txt")
        yield grep(f"f{n}: line 3 ")


@honest
def folders_listed_after_writes(p: Play) -> Iterator[Turn]:
    for n in range(11):
        yield write(f"out/{n}.md", f"# part {n}\n")
        yield files("out")


@honest
def rows_added_one_by_one(p: Play) -> Iterator[Turn]:
    for n in range(11):
        yield append("rows.csv", f"{n},{n * n}\n")
        yield append("rows.csv", "\n")


@honest
def a_report_written_in_parts_and_read_again(p: Play) -> Iterator[Turn]:
    for n in range(11):
        yield append("report.md", f"## Part {n}\nText of part {n}.\n")
        yield read("report.md")


@honest
def columns_of_a_table_computed(p: Play) -> Iterator[Turn]:
    p.file("t.csv", "a,b,c\n" + "".join(f"{n},{n % 7},{n % 3}\n" for n in range(200)))
    code = "import csv; rows = list(csv.DictReader(open('t.csv'))); print(sum(int(r['{0}']) > {1} for r in rows))"
    for n in range(21):
        yield python(code.format("abc"[n % 3], n))


@honest
def identifiers_looked_up_in_a_table(p: Play) -> Iterator[Turn]:
    p.file("ids.csv", "".join(f"id-{n:04},name {n}\n" for n in range(500)))
    for n in range(0, 440, 20):
        yield grep(f"id-{n:04}")


@honest
def several_facts_in_one_line(p: Play) -> Iterator[Turn]:
    p.file("terms.txt", "".join(f"{n}. term{n} lasts {n} years, price{n}, place{n}\n" for n in range(12)))
    for n in range(11):
        yield grep(f"term{n} ")
        yield grep(f"place{n}\n".strip())


@honest
def a_name_changed_everywhere(p: Play) -> Iterator[Turn]:
    for n in range(11):
        p.file(f"m{n}.py", f"from lib import old_name\n\nprint(old_name({n}))\n")
    for n in range(11):
        yield grep("old_name")
        yield write(f"m{n}.py", f"from lib import new_name\n\nprint(new_name({n}))\n")


@honest
def the_same_mend_in_many_files(p: Play) -> Iterator[Turn]:
    for n in range(21):
        p.file(f"p{n}.md", f"page {n}\nteh end\n")
        yield edit(f"p{n}.md", "teh end", "the end")


@honest
def an_edit_that_fails_once_in_each_file(p: Play) -> Iterator[Turn]:
    for n in range(7):
        p.file(f"q{n}.py", f"def run{n}(a, b):\n    return a + b\n")
        yield edit(f"q{n}.py", f"def run{n}(a,b):", "def go(a, b):")
        yield read(f"q{n}.py")
        yield edit(f"q{n}.py", f"def run{n}(a, b):", "def go(a, b):")


@honest
def files_moved_into_folders(p: Play) -> Iterator[Turn]:
    for n in range(11):
        p.file(f"photo{n}.txt", f"photo {n}\n")
        yield "make_folder", {"path": f"year{n}"}
        yield "move_file", {"source": f"photo{n}.txt", "target": f"year{n}/photo{n}.txt"}


@honest
def packages_with_and_without_a_readme(p: Play) -> Iterator[Turn]:
    for n in range(11):
        p.file(f"pkg{n}/main.py", f"print({n})\n")
        if n % 3 == 0:
            p.file(f"pkg{n}/README.md", f"# Package {n}\n")
        yield read(f"pkg{n}/README.md")
        yield read(f"pkg{n}/main.py")


@honest
def words_that_must_not_occur(p: Play) -> Iterator[Turn]:
    for n in range(5):
        p.file(f"doc{n}.md", numbered(f"doc{n}", 20))
    for word in BANNED.split():
        yield grep(word)


@honest
def files_read_once_more_at_the_end(p: Play) -> Iterator[Turn]:
    for n in range(9):
        p.file(f"c{n}.md", numbered(f"chapter {n}", 25))
        yield read(f"c{n}.md")
    yield write("summary.md", "# Summary\n")
    for n in range(9):
        yield read(f"c{n}.md")
    yield append("summary.md", "All is said.\n")


@honest
def a_pipeline_whose_output_says_little(p: Play) -> Iterator[Turn]:
    p.file("run.py", "open('out.txt', 'w').write(open('p.txt').read() * 2); print('done')\n")
    for n in range(7):
        yield write("p.txt", f"value {n}\n")
        yield shell("python3 run.py")
        yield read("out.txt")


@honest
def shell_commands_of_all_kinds(p: Play) -> Iterator[Turn]:
    p.file("data.txt", numbered("data", 50))
    for n in range(1, 8):
        yield shell(f"head -n {n * 3} data.txt | tail -n 2")
        yield shell(f"grep -c {n} data.txt")
        yield shell(f"cut -c1-{n + 8} data.txt | sort | uniq | tail -n 1")


@honest
def 한국어_자료_조사(p: Play) -> Iterator[Turn]:
    p.web.results = lambda query: [f"{query.replace(' ', '-')}-{n}" for n in range(3)]
    for city in ["서울", "부산", "대구", "인천", "광주", "대전", "울산"]:
        name = f"{city}-인구-0"
        p.web.pages[f"{SITE}/{name}"] = f"{city}의 인구\n\n" + numbered(city, 12)
        yield web(f"{city} 인구")
        yield browse(name, f"{city}의 인구는 얼마인가?")
        yield append("인구.md", f"- {city}: 확인함\n")


@honest
def 한국어_문서_여러_개_읽기(p: Play) -> Iterator[Turn]:
    for n in range(11):
        p.file(f"회의록/{n}월.md", f"# {n}월 회의\n\n결정 {n}: 예산 {n * 100}만 원\n")
        yield read(f"회의록/{n}월.md")
        yield grep(f"결정 {n}:")


@honest
def 한국어_편집과_검사(p: Play) -> Iterator[Turn]:
    p.file("글.txt", "".join(f"문장 {n} 되요\n" for n in range(12)))
    for n in range(11):
        yield edit("글.txt", f"문장 {n} 되요", f"문장 {n} 돼요")
        yield shell("grep -c 되요 글.txt")


# Loops


@loop()
def the_same_file_read(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 20))
    while True:
        yield read("a.txt")


@loop()
def the_same_folder_listed(p: Play) -> Iterator[Turn]:
    p.file("a.txt", "a")
    while True:
        yield files()


@loop()
def the_same_search(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 20))
    while True:
        yield grep("deadline")


@loop()
def the_same_search_of_the_web(p: Play) -> Iterator[Turn]:
    p.web.results = lambda query: [f"hit{n}" for n in range(5)]
    while True:
        yield web("latest figures")


@loop()
def the_same_page(p: Play) -> Iterator[Turn]:
    p.web.pages[f"{SITE}/a"] = numbered("a", 20)
    while True:
        yield browse("a")


@loop()
def the_same_shell_line(p: Play) -> Iterator[Turn]:
    while True:
        yield shell("echo hello")


@loop()
def green_tests_again_and_again(p: Play) -> Iterator[Turn]:
    while True:
        yield shell("echo 14 passed in 0.$(date +%N | cut -c1-3)s")


@loop()
def the_same_failing_tests(p: Play) -> Iterator[Turn]:
    p.file("test.py", "import os\nprint('pid', os.getpid())\nassert 1 == 2\n")
    while True:
        yield shell("python3 test.py")


@loop()
def the_same_code(p: Play) -> Iterator[Turn]:
    while True:
        yield python("print(6 * 7)")


@loop()
def a_missing_file(p: Play) -> Iterator[Turn]:
    while True:
        yield read("missing.txt")


@loop()
def an_edit_that_never_fits(p: Play) -> Iterator[Turn]:
    p.file("a.py", "def f():\n    pass\n")
    while True:
        yield edit("a.py", "def g():", "def h():")


@loop()
def the_same_content_written(p: Play) -> Iterator[Turn]:
    while True:
        yield write("out.md", "# Report\n")


@loop()
def the_same_line_added(p: Play) -> Iterator[Turn]:
    while True:
        yield append("out.md", "to be continued\n")


@loop()
def the_same_folder_made(p: Play) -> Iterator[Turn]:
    while True:
        yield "make_folder", {"path": "out"}


@loop()
def a_copy_made_again(p: Play) -> Iterator[Turn]:
    p.file("a.txt", "a")
    while True:
        yield "copy_file", {"source": "a.txt", "target": "b.txt"}


@loop()
def an_end_that_is_not_accepted(p: Play) -> Iterator[Turn]:
    while True:
        yield done("All done.", ["report.pdf"])


@loop()
def an_end_in_other_words(p: Play) -> Iterator[Turn]:
    for n in itertools.count():
        yield done(f"All is done now, {'really ' * n}see the report.", ["report.pdf"])


@loop()
def a_path_in_other_spellings(p: Play) -> Iterator[Turn]:
    p.file("docs/a.txt", numbered("a", 20))
    for path in itertools.cycle(["docs/a.txt", "./docs/a.txt", "docs//a.txt", "docs/./a.txt"]):
        yield read(path)


@loop()
def a_query_in_other_spellings(p: Play) -> Iterator[Turn]:
    p.file("a.txt", "The Deadline is in May\n")
    for query in itertools.cycle(["deadline", "Deadline", "DEADLINE", "deadLine"]):
        yield grep(query)


@loop()
def an_address_in_other_spellings(p: Play) -> Iterator[Turn]:
    p.web.pages |= {f"{SITE}/a": numbered("a", 20), f"{SITE}/a/": numbered("a", 20)}
    for name in itertools.cycle(["a", "a/", "a#top", "a#end"]):
        yield browse(name)


@loop()
def a_shell_line_in_other_spellings(p: Play) -> Iterator[Turn]:
    for n in itertools.count():
        yield shell(f"ls{' ' * (n % 5 + 1)}-a", timeout_s=10 + n)


@loop()
def limits_of_a_short_file(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 30))
    for n in itertools.count():
        yield read("a.txt", limit=200 + n)


@loop()
def offsets_of_a_short_file(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 60))
    for n in itertools.count():
        yield read("a.txt", offset=1 + n % 40)


@loop()
def a_line_beyond_the_end(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 30))
    for n in itertools.count():
        yield read("a.txt", offset=100 + 50 * n)


@loop()
def an_observation_and_its_file(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 30))
    yield read("a.txt")
    while True:
        yield "read_observation", {"id": "1.1"}
        yield read("a.txt")


@loop()
def a_file_by_cat_and_by_reading(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 30))
    while True:
        yield read("a.txt")
        yield shell("cat a.txt")


@loop(3)
def two_files_in_turn(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 20))
    p.file("b.txt", numbered("b", 20))
    while True:
        yield read("a.txt")
        yield read("b.txt")


@loop(3)
def two_pages_of_one_file_in_turn(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 400))
    while True:
        yield read("a.txt")
        yield read("a.txt", offset=201)


@loop(4)
def a_circle_of_three(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 20))
    while True:
        yield files()
        yield read("a.txt")
        yield grep("zebra")


@loop(5)
def a_circle_of_four(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 20))
    p.web.results = lambda query: [f"hit{n}" for n in range(5)]
    p.web.pages[f"{SITE}/hit0"] = numbered("hit", 20)
    while True:
        yield files()
        yield read("a.txt")
        yield web("zebra")
        yield browse("hit0")


@loop(7)
def a_circle_of_six_files(p: Play) -> Iterator[Turn]:
    for n in range(6):
        p.file(f"f{n}.txt", numbered(f"f{n}", 20))
    for n in itertools.cycle(range(6)):
        yield read(f"f{n}.txt")


@loop(11)
def a_circle_of_ten_files(p: Play) -> Iterator[Turn]:
    for n in range(10):
        p.file(f"f{n}.txt", numbered(f"f{n}", 20))
    for n in itertools.cycle(range(10)):
        yield read(f"f{n}.txt")


@loop(3)
def a_file_written_to_and_fro(p: Play) -> Iterator[Turn]:
    while True:
        yield write("a.py", "mode = 1\n")
        yield write("a.py", "mode = 2\n")


@loop(3)
def an_edit_made_and_taken_back(p: Play) -> Iterator[Turn]:
    p.file("a.py", "mode = 1\n")
    while True:
        yield edit("a.py", "mode = 1", "mode = 2")
        yield edit("a.py", "mode = 2", "mode = 1")


@loop(5)
def an_edit_to_and_fro_with_tests(p: Play) -> Iterator[Turn]:
    p.file("a.py", "mode = 1\n")
    while True:
        yield edit("a.py", "mode = 1", "mode = 2")
        yield shell("grep -q 3 a.py || { echo mode is wrong; false; }")
        yield edit("a.py", "mode = 2", "mode = 1")
        yield shell("grep -q 3 a.py || { echo mode is wrong; false; }")


@loop(3)
def a_file_moved_to_and_fro(p: Play) -> Iterator[Turn]:
    p.file("a.txt", "a")
    while True:
        yield "move_file", {"source": "a.txt", "target": "b.txt"}
        yield "move_file", {"source": "b.txt", "target": "a.txt"}


@loop()
def one_error_by_many_lines(p: Play) -> Iterator[Turn]:
    for line in itertools.cycle(
        [
            "python3 -c 'import nosuch'",
            "python3  -c 'import nosuch' ",
            "cd . && python3 -c 'import nosuch'",
            "PYTHONPATH=. python3 -c 'import nosuch'",
        ]
    ):
        yield shell(line)


@loop()
def one_error_of_edits_that_differ_a_little(p: Play) -> Iterator[Turn]:
    p.file("a.py", "x = 1\n")
    for n in itertools.count():
        yield edit("a.py", "def total(values):" + " " * (n % 3) + f"  # {n}", "def total(items):")


@loop()
def a_page_that_is_not_there(p: Play) -> Iterator[Turn]:
    for n in itertools.count():
        yield browse("gone", f"What is the price, question {n}?")


@loop()
def a_network_that_is_down(p: Play) -> Iterator[Turn]:
    p.web.fails[f"{SITE}/a"] = 1_000
    while True:
        yield browse("a")


@loop()
def a_search_engine_that_always_blocks(p: Play) -> Iterator[Turn]:
    p.web.fails["search"] = 1_000
    for n in itertools.count():
        yield web(f"price of rice {['', 'today', 'now', 'in 2026'][n % 4]}".strip())


@loop()
def a_broken_expression(p: Play) -> Iterator[Turn]:
    p.file("a.txt", "a")
    for n in itertools.count():
        yield grep("(unclosed" + "." * (n % 2), regex=True)


@loop()
def a_file_that_may_not_be_read(p: Play) -> Iterator[Turn]:
    for path in itertools.cycle(["../secret.txt", "../secret.txt", "./../secret.txt"]):
        yield read(path)


@loop()
def the_web_in_other_words(p: Play) -> Iterator[Turn]:
    p.web.results = lambda query: [f"rice{n}" for n in range(6)]
    for words in itertools.cycle(
        ["price of rice", "rice cost", "how much is rice", "what does rice cost today", "rice market rates"]
    ):
        yield web(words)


@loop()
def the_web_in_other_words_with_hits_shuffled(p: Play) -> Iterator[Turn]:
    p.web.results = lambda query: [f"rice{(n + len(query)) % 10}" for n in range(10)]
    for words in itertools.cycle(
        ["price of rice", "rice cost", "how much is rice", "what does rice cost today", "rice market rates"]
    ):
        yield web(words)


@loop()
def files_in_other_words(p: Play) -> Iterator[Turn]:
    p.file("contract.md", "The deadline or due date, the last day to end and term of notice, is 3 May.\n")
    for words in itertools.cycle(["deadline", "due date", "last day", "end", "term", "notice", "3 May"]):
        yield grep(words)


@loop()
def a_folder_by_other_patterns(p: Play) -> Iterator[Turn]:
    p.file("a.md", "a")
    p.file("b.md", "b")
    for pattern in itertools.cycle(["*.md", "*.m*", "?.md", "*"]):
        yield files(pattern=pattern)


@loop()
def one_page_asked_in_other_words(p: Play) -> Iterator[Turn]:
    p.web.pages[f"{SITE}/a"] = numbered("a", 30)
    for n in itertools.count():
        yield browse("a", ["What does it cost?", "What is the price?", "How much is it?"][n % 3] + "?" * (n % 7))


@loop()
def nothing_found_in_any_words(p: Play) -> Iterator[Turn]:
    p.file("a.md", numbered("a", 20))
    for n in itertools.count():
        yield grep(["budget", "money", "cost", "price", "fee", "sum", "amount"][n % 7] + "s" * (n // 7))


@loop()
def an_address_with_a_number_that_changes(p: Play) -> Iterator[Turn]:
    p.web.pages[f"{SITE}/calendar*"] = numbered("calendar", 20)
    for n in itertools.count():
        yield browse(f"calendar?page={n}")


@loop()
def copies_of_one_text(p: Play) -> Iterator[Turn]:
    for n in itertools.count():
        p.file(f"copy{n}.txt", numbered("copy", 20))
        yield read(f"copy{n}.txt")


@loop()
def sleeping_for_ever(p: Play) -> Iterator[Turn]:
    while True:
        yield shell("sleep 0.01")


@loop()
def a_plan_that_only_changes_its_words(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 20))
    for n in itertools.count():
        yield thought(plan=[f"[>] look again, {n}", "[ ] write the report"], commands=[read("a.txt")])


@loop(2)
def two_commands_a_step(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 20))
    while True:
        yield [read("a.txt"), grep("zebra")]


@loop(17)
def a_loop_after_honest_work(p: Play) -> Iterator[Turn]:
    for n in range(15):
        yield write(f"part{n}.md", f"# {n}\n")
    while True:
        yield read("part3.md")


@loop()
def 같은_파일을_계속_읽기(p: Play) -> Iterator[Turn]:
    p.file("보고서.md", "# 보고서\n\n내용이 있다.\n")
    for path in itertools.cycle(["보고서.md", "./보고서.md"]):
        yield read(path)


@loop()
def 말만_바꾼_검색(p: Play) -> Iterator[Turn]:
    p.web.results = lambda query: [f"ssal{n}" for n in range(6)]
    for words in itertools.cycle(["쌀 가격", "쌀값 시세", "오늘 쌀 얼마", "쌀 한 가마 값", "국내 쌀 시장 가격"]):
        yield web(words)


@loop()
def 말만_바꾼_파일_검색(p: Play) -> Iterator[Turn]:
    p.file("계약서.md", "계약의 마감일, 곧 종료 기한은 5월 3일이다.\n")
    for words in itertools.cycle(["마감일", "종료", "기한", "계약의", "5월 3일"]):
        yield grep(words)


@loop()
def 없는_파일(p: Play) -> Iterator[Turn]:
    for path in itertools.cycle(["없는 파일.txt", "./없는 파일.txt"]):
        yield read(path)


@loop(3)
def 두_파일을_번갈아_읽기(p: Play) -> Iterator[Turn]:
    p.file("가.txt", numbered("가", 20))
    p.file("나.txt", numbered("나", 20))
    while True:
        yield read("가.txt")
        yield read("나.txt")


HELD_OUT = frozenset(case.name for cases in (LOOPS, HONEST) for case in cases[3::4])
_FIRST = frozenset(case.name for cases in (LOOPS, HONEST) for case in cases)

# Written when the guard was done, and played once before anything was changed for them


@honest
def a_queue_that_is_emptied(p: Play) -> Iterator[Turn]:
    for n in range(22):
        p.file("queue.txt", numbered("job", 44 - 2 * n))
        yield read("queue.txt")


@honest
def three_new_files_a_step(p: Play) -> Iterator[Turn]:
    for n in range(22):
        for k in range(3):
            p.file(f"s{n}/f{k}.txt", numbered(f"s{n} f{k}", 10))
        yield [*(read(f"s{n}/f{k}.txt") for k in range(3)), grep("TODO")]


@honest
def a_count_after_each_edit(p: Play) -> Iterator[Turn]:
    p.file("a.md", "".join(f"item {n} open\n" for n in range(12)))
    for n in range(11):
        yield edit("a.md", f"item {n} open", f"item {n} done")
        yield shell("ls | wc -l")


@honest
def inputs_that_all_pass(p: Play) -> Iterator[Turn]:
    for n in range(22):
        yield shell(f"test {n} -lt 100 && echo ok")


@honest
def notes_kept_between_files(p: Play) -> Iterator[Turn]:
    for n in range(11):
        p.file(f"n{n}.txt", numbered(f"n{n}", 12))
        yield read(f"n{n}.txt")
        yield append("notes.md", f"- n{n}: nothing of interest\n")


@honest
def times_looked_up_in_a_log(p: Play) -> Iterator[Turn]:
    p.file("app.log", "".join(f"12:{n:02} request {n}\n" for n in range(0, 60, 2)))
    for n in range(10, 32):
        yield grep(f"12:{n}")


@honest
def files_renamed_by_the_shell(p: Play) -> Iterator[Turn]:
    for n in range(22):
        p.file(f"old{n}.txt", f"{n}")
        yield shell(f"mv old{n}.txt new{n}.txt")


@honest
def questions_to_many_files_at_once(p: Play) -> Iterator[Turn]:
    for n in range(21):
        p.file(f"r/{n}.md", f"The river river{n} is {n * 17 + 3} km long.\n\n" + numbered(f"filler {n}", 80))
    for n in range(21):
        yield "read_many", {"paths": ["r"], "question": f"How long is river{n}?"}


@honest
def a_simulation_step_by_step(p: Play) -> Iterator[Turn]:
    p.file("sim.py", "n = int(open('n').read()) + 1; open('n', 'w').write(str(n)); print('generation', n)\n")
    p.file("n", "0")
    for _ in range(22):
        yield shell("python3 sim.py")


@honest
def 한국어_번역(p: Play) -> Iterator[Turn]:
    p.file("원문.txt", numbered("원문", 220))
    for n in range(11):
        yield read("원문.txt", offset=1 + 20 * n, limit=20)
        yield append("번역.txt", f"{n}번째 부분의 번역\n")


@loop()
def many_files_asked_in_other_words(p: Play) -> Iterator[Turn]:
    p.file("a.md", "The price is 5 euro.\n")
    p.file("b.md", "The colour is blue.\n")
    for words in itertools.cycle(["What is the price?", "How much is it?", "What does it cost?", "Which amount?"]):
        yield "read_many", {"paths": ["a.md", "b.md"], "question": words}


@loop()
def the_same_fact_remembered(p: Play) -> Iterator[Turn]:
    while True:
        yield "remember", {"text": "The price is 5 euro.", "tags": ["price"]}


@loop(4)
def recalling_in_other_words(p: Play) -> Iterator[Turn]:
    p.file("a.md", "The price of the rice is 5 euro a kilo.\n")
    yield read("a.md")
    for words in itertools.cycle(["price of rice", "rice price", "price of the rice", "rice kilo price"]):
        yield "recall", {"query": words}


@loop(3)
def an_end_and_a_look_in_turn(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 20))
    for n in itertools.count():
        yield done(f"Done, attempt {n}.", ["report.pdf"])
        yield read("a.txt")


@loop()
def the_same_three_in_another_order(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 20))
    p.file("b.txt", numbered("b", 20))
    for order in itertools.cycle(itertools.permutations([read("a.txt"), read("b.txt"), grep("zebra")])):
        yield list(order)


@loop(6)
def a_circle_of_five(p: Play) -> Iterator[Turn]:
    for n in itertools.cycle(range(5)):
        p.file(f"f{n}.txt", numbered(f"f{n}", 20))
        yield read(f"f{n}.txt")


@loop()
def ticks_set_and_taken_back(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 20))
    for n in itertools.count():
        marks = "x " if n % 2 else " x"
        yield thought(plan=[f"[{marks[0]}] read", f"[{marks[1]}] write"], commands=[read("a.txt")])


@loop(5)
def two_versions_tested_in_turn(p: Play) -> Iterator[Turn]:
    while True:
        for text in ("x = 1\n", "x = 2\n"):
            yield write("v.py", text)
            yield shell("grep -q 'x = 3' v.py || { echo wrong value; false; }")


@loop()
def an_error_with_a_name_that_changes(p: Play) -> Iterator[Turn]:
    while True:
        yield shell("f=$(mktemp); echo 'import nosuch' > $f; python3 $f")


@loop()
def a_server_that_never_answers(p: Play) -> Iterator[Turn]:
    for flags in itertools.cycle(["", "-v ", "-f "]):
        yield shell(f"echo {flags}>/dev/null; echo 'connect to 127.0.0.1 port 8000 failed: Connection refused'; false")


@loop(3)
def a_clock_between_the_same_reads(p: Play) -> Iterator[Turn]:
    p.file("a.txt", numbered("a", 20))
    while True:
        yield read("a.txt")
        yield shell("date +%N")


@loop()
def the_limit_of_a_search(p: Play) -> Iterator[Turn]:
    p.web.results = lambda query: [f"hit{n}" for n in range(5)]
    for n in itertools.count():
        yield "web_search", {"query": "rice", "limit": 10 + n % 15}


@loop()
def 조금씩_다른_편집_오류(p: Play) -> Iterator[Turn]:
    p.file("글.txt", "첫 문장이다.\n")
    for n in itertools.count():
        yield edit("글.txt", f"둘째 문장이 여기에 있다{'.' * (n % 4)}", "둘째 문장은 없다.")


LATER = frozenset(case.name for cases in (LOOPS, HONEST) for case in cases) - _FIRST


# Playing


@dataclass(frozen=True)
class Played:
    """Steps at which the guard first spoke, refused and ended the run; 0 where it did not."""

    case: Case
    steps: int
    told: int = 0
    refused: int = 0
    stopped: int = 0
    kinds: tuple[str, ...] = ()
    longest_words: int = 0


def play(case: Case) -> Played:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"XDG_STATE_HOME": f"{name}/state", "XDG_CONFIG_HOME": f"{name}/config", "OPENAI_API_KEY": "k"}
        (folder / "ws").mkdir()
        world = Play(folder / "ws", ScriptedWeb())
        turns = itertools.islice(case.policy(world), MOST_STEPS)

        def reply(body: dict[str, Any]) -> Any:
            if "This is step" not in body["messages"][-1]["content"]:
                return "What was done so far."
            turn = next(turns, ("give_up", {"reason": "The policy is at its end."}))
            if isinstance(turn, dict):
                return turn
            return thought(commands=turn if isinstance(turn, list) else [turn])

        with ModelServer([Repeat(reply)]) as server:
            return run(case, world, server.base_url)


def run(case: Case, world: Play, base_url: str) -> Played:
    given = {"model": "test-model", "base_url": base_url, "approve": "never", "limits.steps": 200}
    found = settings.load(world.folder, given)
    setup, limits = build.make_setup(found, build.choose_model(found), world.folder)
    goal = "Work in the workspace and with what the web says."
    rules = [("allow", "host:site.example")]
    journal = build.start_run(new_run_folder(), setup, limits, [goal], rules=rules, notify=lambda _: None)
    agent = build.make_agent(journal, Unattended(journal.folder, Signals()), found, lambda _: None)
    agent.executor = replace(agent.executor, web=world.web)
    try:
        agent.run()
    finally:
        journal.close()
        agent.close()
    return judged(case, events_of(journal.folder))


def judged(case: Case, events: Sequence[Event]) -> Played:
    state, told, refused, stopped, kinds, longest = State(), 0, 0, 0, dict[str, None](), 0
    for event in events:
        if isinstance(event, RunEnded) and event.status == "stalled":
            stopped = state.step
        before = len(state.steps)
        state = apply(state, event)
        if len(state.steps) > before and (found := stall.loop(state)):
            kinds[found.kind] = None
            told = told or state.step
            longest = max(longest, len(stall.warning(state)))
        if isinstance(event, CommandFinished) and event.outcome == "refused" and event.text.startswith(stall.REPEATED):
            refused = refused or state.step
    return Played(case, state.step, told, refused, stopped, tuple(kinds), longest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="only these cases")
    parser.add_argument("--tuning", action="store_true", help="without those that were not tuned on")
    asked = parser.parse_args()
    for title, cases in (("Loops", LOOPS), ("Honest runs", HONEST)):
        chosen = [c for c in cases if (not asked.names or c.name in asked.names)]
        chosen = [c for c in chosen if not (asked.tuning and c.name in HELD_OUT | LATER)]
        played = [play(case) for case in chosen]
        print(f"\n## {title}\n\n| case | not tuned on | steps | told | refused | ended | as |\n|{'---|' * 7}")
        for one in played:
            held = "held out" if one.case.name in HELD_OUT else "afterwards" if one.case.name in LATER else ""
            told, refused, stopped = (str(at) if at else "" for at in (one.told, one.refused, one.stopped))
            name = one.case.name.replace("_", " ")
            print(f"| {name} | {held} | {one.steps} | {told} | {refused} | {stopped} | {', '.join(one.kinds)} |")
        for part, some in parts(played):
            print_sum(title, part, some)
    if not asked.names:
        print_times()


def parts(played: Sequence[Played]) -> Iterator[tuple[str, list[Played]]]:
    yield "tuned on", [one for one in played if one.case.name not in HELD_OUT | LATER]
    yield "held out", [one for one in played if one.case.name in HELD_OUT]
    yield "written afterwards", [one for one in played if one.case.name in LATER]
    yield "all", [*played]


def print_sum(title: str, part: str, played: Sequence[Played]) -> None:
    if not played:
        return
    count = len(played)
    if title == "Honest runs":
        told, refused, ended = (sum(map(bool, ats)) for ats in zip(*map(_rungs, played), strict=True))
        steps = sum(one.steps for one in played)
        print(f"\n{part}: {count} honest runs, {steps} steps; told {told}, refused {refused}, ended {ended}")
        for one in played:
            if one.steps < 20:
                print(f"too short: {one.case.name}")
        return
    longest = max(one.longest_words for one in played)
    ended = sum(bool(one.stopped) for one in played)
    print(f"\n{part}: {ended} of {count} loops ended; longest warning {longest} characters")
    for rung, word in enumerate(("told", "refused", "ended")):
        ats = [_rungs(one)[rung] - one.case.first + 1 for one in played if _rungs(one)[rung]]
        if ats:
            figures = f"median {statistics.median(ats):g}, most {max(ats)}"
            print(f"- {word}: {len(ats)} of {count}; steps from the first repeat, {figures}")


def _rungs(one: Played) -> tuple[int, int, int]:
    return one.told, one.refused, one.stopped


def print_times() -> None:
    print("\n## Time of the guard in a step\n\n| run | step 10 | step 100 | step 1,000 |\n|---|---|---|---|")
    for name, per_step, text in (
        ("reads of 8 KB, each new", 1, lambda n: numbered(f"file {n}", 200)),
        ("ten commands a step, each new", 10, lambda n: numbered(f"file {n}", 200)),
        ("the same 8 KB again and again", 1, lambda n: numbered("file", 200)),
    ):
        print(f"| {name} | {' | '.join(f'{seconds * 1000:.2f} ms' for seconds in times(per_step, text))} |")


def times(per_step: int, text: Callable[[int], str]) -> list[float]:
    """Seconds that a step takes of the guard: the warning, the end, the screen's line and each command's refusal."""
    setup = build.Setup(model="m", context_tokens=100_000, reply_tokens=100, workspace="/w")
    state = apply(
        State(), RunStarted(run_id="r", goal="g", setup=setup, limits=build.Limits(), system="", nonce="", version="")
    )
    taken: list[float] = []
    for step in range(1, 1_011):
        calls = [CommandCall(name="read_file", args={"path": f"f{step}-{n}.txt"}) for n in range(per_step)]
        seq = state.seq + 1
        state = apply(
            state, ModelReplied(seq=seq, reply="", usage=Usage(), thought=Thought(commands=tuple(calls)), said="{}")
        )
        spent = 0.0
        for n, call in enumerate(calls):
            began = time.process_time()
            stall.refusal(state, call)
            spent += time.process_time() - began
            call_id = f"{step}.{n + 1}"
            state = apply(state, CommandStarted(seq=seq, call_id=call_id, call=call, allowed_by="reading"))
            state = apply(
                state, CommandFinished(seq=seq, call_id=call_id, outcome="ok", text=text(step * per_step + n))
            )
        began = time.process_time()
        stall.warning(state), stall.stalled(state), stall.loop(state)
        taken.append(spent + time.process_time() - began)
    return [
        statistics.median(taken[at - 10 : at + 10]) if at > 10 else statistics.median(taken[:20])
        for at in (10, 100, 1_000)
    ]


if __name__ == "__main__":
    sys.exit(main())
