"""What the loop guard takes for the same in another guise, and what it takes for work."""

from collections.abc import Callable, Iterator
from itertools import count, cycle, islice

import pytest
from stall_run import A, B, Run, call, read

from autoagent.events import FileChange, FileState, Outcome
from autoagent.stall import STOP, WARN, loop, repetitions, stalled, warning
from autoagent.thoughts import CommandCall

Done = tuple[CommandCall, str] | tuple[CommandCall, str, Outcome]
LINES = [f"{n}\tline {n} of it" for n in range(1, 61)]
HITS = "\n".join(f"{n}. Rice {n}\n   https://a.example/{n}\n   words" for n in range(10))


def page(first: int, last: int) -> str:
    return "\n".join([f"a, lines {first}-{last} of 60", *LINES[first - 1 : last]])


def played(steps: Iterator[Done], most: int) -> Run:
    """As far as the guard lets it go; a call that it refuses is answered as the executor does."""
    run = Run()
    for one, text, *outcome in islice(steps, most):
        if stalled(run.state):
            break
        if run.refuses(one):
            run.refused(one)
        else:
            run.step((one, text), outcome=outcome[0] if outcome else "ok", changed=changes_of(one))
    return run


def changes_of(one: CommandCall) -> tuple[FileChange, ...]:
    if one.name not in ("write_file", "append_file", "edit_file"):
        return ()
    path = str(one.args["path"])
    return (FileChange(path=path, before=FileState(kind="file"), after=FileState(kind="file")),)


def paths_spelled_otherwise() -> Iterator[Done]:
    return ((read(path), "text") for path in cycle(["d/a", "./d/a", "d//a", "d/./a", "D/A"]))


def null_and_defaults() -> Iterator[Done]:
    return ((one, "text") for one in cycle([read("a"), read("a", offset=None), read("a", offset=1, source=False)]))


def limits_that_show_the_same() -> Iterator[Done]:
    return ((read("a", limit=60 + n), page(1, 60)) for n in count())


def parts_of_what_was_shown() -> Iterator[Done]:
    return ((read("a", offset=1 + n), page(1 + n, 60)) for n in count())


def two_pages_in_turn() -> Iterator[Done]:
    return cycle([(read("a"), page(1, 30)), (read("a", offset=31), page(31, 60))])


def a_file_and_its_observation() -> Iterator[Done]:
    yield read("a"), page(1, 60)
    while True:
        yield call("read_observation", id="1.1"), page(1, 60).replace("a, lines", "observation 1.1, lines")
        yield read("a"), page(1, 60)


def one_page_asked_otherwise() -> Iterator[Done]:
    for n in count():
        yield (
            call("browse", url="https://a.example/p", question=f"What does it cost, {n}?"),
            "the head\n\nIt is 5 euro.",
        )


def the_web_in_other_words() -> Iterator[Done]:
    return ((call("web_search", query=q), HITS) for q in cycle(["price of rice", "rice cost", "how much", "쌀값"]))


def files_in_other_words() -> Iterator[Done]:
    words = cycle(["마감일", "종료 기한", "계약 끝", "기일"])
    return ((call("search_files", query=q), "1 match in 1 file\n계약서.md:3\t마감일은 5월 3일") for q in words)


def nothing_found_in_like_words() -> Iterator[Done]:
    for query in cycle(["total budget 2026", "budget total 2026", "2026 total budget"]):
        yield call("search_files", query=query), f"0 matches: no line holds {query!r} (3 files searched)"


def one_error_with_other_numbers() -> Iterator[Done]:
    for n in count():
        yield read("a", offset=100 + n), f"'a' has 60 lines; line {100 + n} is beyond its end.", "failed"


def one_error_by_other_lines() -> Iterator[Done]:
    text = "exit code 1\nTraceback:\nModuleNotFoundError: No module named 'nosuch'"
    for line in cycle(["python3 a.py", "python3 ./a.py", "cd . && python3 a.py"]):
        yield call("run_shell", command=line), text, "failed"


def one_error_with_other_names() -> Iterator[Done]:
    for n in count():
        text = f"exit code 1\npython3: can't open file '/tmp/x{n}7f.py': No such file"
        yield call("run_shell", command=f"python3 /tmp/x{n}7f.py --now --verbose --all"), text, "failed"


def an_end_in_other_words() -> Iterator[Done]:
    for n in count():
        yield call("task_complete", result="done " * n), "These files do not exist: a.pdf. Write them.", "failed"


def a_refusal_of_the_policy() -> Iterator[Done]:
    for host in cycle(["a", "b", "c"]):
        yield call("run_shell", command=f"curl {host}.example"), "Not run. Programs reach no network here.", "refused"


def the_same_content_written() -> Iterator[Done]:
    yield call("write_file", path="a", text="x\n"), "a written: 1 line, 2 bytes."
    while True:
        yield call("write_file", path="./a", text="x\n"), "a replaced: 1 line, 2 bytes."


def the_same_line_added() -> Iterator[Done]:
    for n in count(1):
        yield call("append_file", path="a", text="more\n"), f"a: 5 characters added; now {5 * n} bytes."


def to_and_fro() -> Iterator[Done]:
    return cycle([(call("write_file", path="a", text=t), f"a replaced: {t}") for t in ("1", "2")])


def to_and_fro_with_tests() -> Iterator[Done]:
    for text in cycle(["x = 1", "x = 2"]):
        yield call("write_file", path="a", text=text), "a replaced: 1 line."
        yield call("run_shell", command="pytest"), "exit code 1\nE assert x == 3\n1 failed in 0.02s", "failed"


def green_tests() -> Iterator[Done]:
    return ((call("run_shell", command="pytest"), f"exit code 0\n14 passed in 0.{n:02}s") for n in count(10))


def a_circle_of_four() -> Iterator[Done]:
    return cycle([(read(name), f"text of {name}") for name in "abcd"])


def a_circle_of_ten() -> Iterator[Done]:
    return cycle([(read(name), f"text of {name}") for name in "abcdefghij"])


def copies_of_one_text() -> Iterator[Done]:
    return ((read(f"copy{n}"), "one text") for n in count())


def a_network_that_is_down() -> Iterator[Done]:
    return ((call("browse", url="https://a.example", question="?"), "a.example cannot be reached.", "failed") for _ in count())  # fmt: skip  # noqa: E501


def a_program_that_says_nothing_more() -> Iterator[Done]:
    yield call("run_shell", command="serve", background=True), "program p1 runs in the background"
    while True:
        yield call("read_program", id="p1"), "program p1, lines 1-1 of 1\nstarted"


QUICK = [
    paths_spelled_otherwise, null_and_defaults, limits_that_show_the_same, parts_of_what_was_shown,
    a_file_and_its_observation, one_page_asked_otherwise, the_web_in_other_words, files_in_other_words,
    nothing_found_in_like_words, one_error_with_other_numbers, one_error_by_other_lines, one_error_with_other_names,
    an_end_in_other_words, a_refusal_of_the_policy, the_same_content_written, the_same_line_added, green_tests,
    a_network_that_is_down,
]  # fmt: skip
SLOWER = [
    (two_pages_in_turn, 2 * STOP), (to_and_fro, 2 * STOP + 1),
    (to_and_fro_with_tests, 4 * STOP), (a_circle_of_four, 4 * STOP),
    (a_circle_of_ten, 34), (copies_of_one_text, 25), (a_program_that_says_nothing_more, 34),
]  # fmt: skip


@pytest.mark.parametrize("steps", QUICK)
def test_the_same_in_another_guise_is_told_at_the_third_time_and_ends_at_the_eighth(
    steps: Callable[[], Iterator[Done]],
) -> None:
    assert not warning(played(steps(), WARN - 1).state)
    assert warning(played(steps(), WARN + 1).state)
    run = played(steps(), 40)
    assert stalled(run.state)
    assert run.state.step <= STOP + 1


@pytest.mark.parametrize(("steps", "most"), SLOWER)
def test_longer_ways_round_end_too(steps: Callable[[], Iterator[Done]], most: int) -> None:
    run = played(steps(), 80)
    assert stalled(run.state)
    assert run.state.step <= most


def test_a_circle_is_called_one() -> None:
    found = loop(played(cycle([(A, "a"), (B, "b")]), 2 * WARN).state)
    assert found
    assert (found.kind, found.names, found.count) == ("circle", ("read_file", "read_file"), WARN)


# Work


def paging() -> Iterator[Done]:
    return ((read("a", offset=n * 20 + 1, limit=20), f"a, lines {n}-{n} of 900\n{n}\ttext {n}") for n in count())


def a_clock() -> Iterator[Done]:
    return ((call("run_shell", command="date"), f"exit code 0\n12:00:{n:02}") for n in count())


def a_program_that_reports_at_times() -> Iterator[Done]:
    yield call("run_shell", command="make", background=True), "program p1 runs in the background"
    for n in count():
        yield call("run_shell", command="sleep 5"), "exit code 0\n(no output)"
        yield call("read_program", id="p1"), f"program p1, lines 1-{n // 4 + 1} of {n // 4 + 1}\n" + "step\n" * (n // 4)


def a_queue_that_is_emptied() -> Iterator[Done]:
    return ((read("queue"), page(n % 58 + 1, 60).replace("of 60", f"of {59 - n}")) for n in range(50))


def a_folder_that_fills() -> Iterator[Done]:
    for n in count(1):
        yield call("list_files"), f".: {n} files, 0 folders\n" + "\n".join(f"{k}.bin\t9 bytes" for k in range(n))


def edits_and_the_same_failure() -> Iterator[Done]:
    for n in count():
        yield call("edit_file", path="a", old=f"{n}", new=f"{n + 1}"), "a: replaced at line 1; now 1 line."
        yield call("run_shell", command="pytest"), "exit code 1\nE assert total() == 5\n1 failed in 0.1s", "failed"


def searches_that_share_one_hit() -> Iterator[Done]:
    for n in count():
        own = "\n".join(f"{k}. T\n   https://a.example/{n}-{k}\n   w" for k in range(4))
        yield call("web_search", query=f"people of town{n}"), f"5 results\n9. W\n   https://w.example/\n   w\n{own}"


def pages_that_answer_at_the_third_try() -> Iterator[Done]:
    for n in count():
        page = call("browse", url=f"https://a.example/{n}", question="?")
        yield page, "a.example did not answer within 10 s.", "failed"
        yield page, "a.example did not answer within 10 s.", "failed"
        yield page, f"https://a.example/{n}\n\ntext {n}"


def numbers_looked_up_in_vain() -> Iterator[Done]:
    for n in range(1001, 1011):
        query = f"invoice number {n} paid in March"
        yield call("search_files", query=query), f"0 matches: no line holds {query!r} (3 files searched)"


def many_files() -> Iterator[Done]:
    return ((read(f"f{n}"), f"# licence\ntext {n}") for n in count())


def a_check_that_counts_up() -> Iterator[Done]:
    return ((call("run_shell", command="make check"), f"exit code 1\n{n} of 90 ready", "failed") for n in count())


def a_bisection() -> Iterator[Done]:
    return ((call("run_shell", command=f"./try {n}"), f"exit code 0\n{'good' if n % 3 else 'bad'}") for n in count())


@pytest.mark.parametrize(
    "steps",
    [
        paging, a_clock, a_program_that_reports_at_times, a_queue_that_is_emptied, a_folder_that_fills,
        edits_and_the_same_failure, searches_that_share_one_hit, pages_that_answer_at_the_third_try, many_files,
        a_check_that_counts_up, a_bisection, numbers_looked_up_in_vain,
    ],
)  # fmt: skip
def test_work_is_no_loop(steps: Callable[[], Iterator[Done]]) -> None:
    run = Run()
    for one, text, *outcome in islice(steps(), 22):
        assert not run.refuses(one)
        run.step((one, text), outcome=outcome[0] if outcome else "ok", changed=changes_of(one))
        assert not warning(run.state), run.state.step


def test_waiting_is_told_to_wait_longer_and_never_refused() -> None:
    run = Run()
    sleep = call("run_shell", command="sleep 60")
    for _ in range(15):
        assert not run.refuses(sleep)
        run.step((sleep, "exit code 0\n(no output)"))
    assert "Wait longer" in warning(run.state)
    assert not stalled(run.state)
    assert stalled(run.step((sleep, "exit code 0\n(no output)")).state)


def test_another_search_is_not_refused_for_the_hits_of_others() -> None:
    run = played(the_web_in_other_words(), 6)
    assert run.refuses(call("web_search", query="cost of rice"))
    assert not run.refuses(call("web_search", query="annual rainfall in Busan"))


def test_another_part_of_a_file_is_not_refused() -> None:
    run = Run()
    for _ in range(6):
        run.step((read("a", limit=20), "a, lines 1-20 of 60\n" + "\n".join(LINES[:20])))
    assert run.refuses(read("a", offset=3, limit=5))
    assert not run.refuses(read("a", offset=21))


def test_two_of_a_kind_in_one_reply_count_as_one_since_the_first_was_not_seen_when_the_second_was_asked_for() -> None:
    run = Run().step((A, "same"), (A, "same"))
    assert repetitions(run.state, A) == 1


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 60_000,
        "1," * 30_000,
        "-" * 60_000,
        "'" * 60_001,
        "in " + "1" * 60_000,
        ":1" * 30_000,
        "a.b-" * 15_000,
        "",
    ],
)
@pytest.mark.parametrize("name", ["web_search", "search_files", "list_files", "run_shell", "browse", "plugin"])
def test_no_text_from_outside_holds_the_guard_up(name: str, text: str) -> None:
    run = Run()
    for outcome in ("ok", "failed", "unknown"):
        run.step((call(name, query="q"), text), outcome=outcome)
    assert not loop(run.state)


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"path": None, "offset": "3", "limit": -1},
        {"path": ["a", {"b": [None, 1.5]}], "query": "\ud800"},
        {"url": "", "id": 0, "command": ["ls"], "text": {"a": "b"}},
        {"path": "/" * 5_000, "offset": 10**30, "limit": True},
    ],
)
@pytest.mark.parametrize(
    "name", ["read_file", "read_many", "read_observation", "browse", "run_shell", "web_search", "x"]
)
def test_arguments_of_any_shape_are_compared(name: str, args: dict[str, object]) -> None:
    one = CommandCall.model_construct(name=name, args=args)
    run = Run()
    for _ in range(WARN):
        run.step((one, "same"))
    assert repetitions(run.state, one) == WARN
    assert warning(run.state)
