"""The journal: durable or refused, whole or dropped, one writer; damage is never guessed at."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoagent.budget import Limits
from autoagent.errors import JournalCorrupt, JournalError, JournalLocked, JournalTooNew, NoSuchRun
from autoagent.events import TYPES, CommandFinished, Event, PersonSaid, RunPaused, RunResumed, RunStarted, Setup
from autoagent.journal import (
    Journal,
    artifact,
    delete_run,
    read,
    seal,
    state_of,
    unseal,
)
from autoagent.places import find_run, is_live, run_folders

as_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
SETUP = Setup(model="m", context_tokens=1000, reply_tokens=100, workspace="/w")


def started(run_id: str = "ab12") -> RunStarted:
    return RunStarted(run_id=run_id, goal="do it", setup=SETUP, limits=Limits(), system="", nonce="0", version="1")


def said(text: str = "hello") -> PersonSaid:
    return PersonSaid(text=text, by="test")


def write(folder: Path, *events: Event) -> Path:
    with Journal(folder) as journal:
        for event in events:
            journal.append(event)
    return folder / "journal.jsonl"


def line_of(fields: dict[str, Any]) -> bytes:
    """A line with a checksum that fits, whatever it says."""
    body = json.dumps(fields).encode()[:-1]
    return body + b',"crc":"%08x"}\n' % zlib.crc32(body)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The file of a journal of four events."""
    return write(tmp_path / "run", started(), said("한글"), RunPaused(status="paused", reason="x"), said("b"))


# What is written


def test_each_line_is_json_that_ends_with_the_checksum_of_what_stands_before(small: Path) -> None:
    for number, line in enumerate(small.read_bytes().splitlines(), start=1):
        fields = json.loads(line)
        assert fields["seq"] == number
        assert list(fields)[-1] == "crc"
        before = line[: line.rindex(b',"crc"')]
        assert fields["crc"] == f"{zlib.crc32(before):08x}"


def test_every_kind_of_event_survives_the_file() -> None:
    for event in read(RECORDED.parent):
        assert unseal(seal(event)[:-1], "") == event


def test_folders_and_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with Journal(tmp_path / "state/runs/ab12") as journal:
            journal.append(started())
            journal.keep("long")
    finally:
        os.umask(old)
    for path in (tmp_path / "state").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_an_event_that_cannot_follow_is_refused_and_not_written(small: Path) -> None:
    before = small.read_bytes()
    with Journal(small.parent) as journal:
        with pytest.raises(JournalCorrupt, match="no command is pending"):
            journal.append(CommandFinished(call_id="1.1", outcome="ok", text=""))
        journal.append(said("goes on"))
    assert small.read_bytes().startswith(before)
    assert state_of(small.parent).seq == 5


# What is read after a crash


def test_cut_at_any_byte_it_loads_a_prefix_of_whole_events(small: Path, tmp_path: Path) -> None:
    whole = small.read_bytes()
    events = list(read(small.parent))
    folder = tmp_path / "cut"
    folder.mkdir()
    path = folder / "journal.jsonl"
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        complete = whole[:end].count(b"\n")
        assert list(read(folder)) == events[:complete]
        with Journal(folder) as journal:
            assert journal.state.seq == complete
        assert path.read_bytes() == whole[: whole[:end].rfind(b"\n") + 1]


def test_after_a_torn_tail_it_goes_on_where_the_last_whole_event_ends(small: Path) -> None:
    whole = small.read_bytes()
    small.write_bytes(whole + b'{"seq":5,"type":"person_s')
    with Journal(small.parent) as journal:
        journal.append(said("after the crash"))
    assert [event.seq for event in read(small.parent)] == [1, 2, 3, 4, 5]
    assert small.read_bytes().startswith(whole)


def test_a_torn_tail_of_many_megabytes_is_dropped_too(small: Path) -> None:
    whole = small.read_bytes()
    small.write_bytes(whole + b"x" * (40 << 20))
    with Journal(small.parent) as journal:
        assert journal.state.seq == 4
    assert small.read_bytes() == whole


def flips(whole: bytes, bits: range) -> Iterator[tuple[int, bytes]]:
    for at in range(len(whole)):
        for bit in bits:
            yield at, whole[:at] + bytes([whole[at] ^ (1 << bit)]) + whole[at + 1 :]


def _refused_or_last_newline(folder: Path, whole: bytes, at: int, damaged: bytes) -> None:
    path = folder / "journal.jsonl"
    path.write_bytes(damaged)
    if at == len(whole) - 1:  # without its newline the last line was never promised
        assert len(list(read(folder))) == whole.count(b"\n") - 1
        return
    with pytest.raises(JournalCorrupt, match=r"line [1-4]"):
        Journal(folder)
    assert path.read_bytes() == damaged


def test_a_flipped_bit_in_any_byte_is_refused_and_the_file_left_alone(small: Path) -> None:
    whole = small.read_bytes()
    for number, (at, damaged) in enumerate(flips(whole, range(8))):
        if number % 8 == at % 8:  # one bit of each byte, another one each time
            _refused_or_last_newline(small.parent, whole, at, damaged)


@pytest.mark.slow
def test_any_flipped_bit_is_refused_and_the_file_left_alone(small: Path) -> None:
    whole = small.read_bytes()
    for at, damaged in flips(whole, range(8)):
        _refused_or_last_newline(small.parent, whole, at, damaged)


DAMAGE = {
    "a line is missing": lambda lines: [lines[0], *lines[2:]],
    "a line stands twice": lambda lines: [lines[0], lines[0], *lines[1:]],
    "lines are swapped": lambda lines: [lines[0], lines[2], lines[1], lines[3]],
    "the start is missing": lambda lines: lines[1:],
    "an empty line": lambda lines: [lines[0], b"\n", *lines[1:]],
    "zeros": lambda lines: [lines[0], b"\0" * 512 + b"\n", *lines[1:]],
    "not JSON, with a checksum that fits": lambda lines: [lines[0], _sealed(b'{"seq":2,"type":'), *lines[2:]],
    "not UTF-8, with a checksum that fits": lambda lines: [lines[0], _sealed(b'{"seq":2,"a":"\xff"'), *lines[2:]],
    "nested without end": lambda lines: [lines[0], _sealed(b'{"a":' + b"[" * 200_000), *lines[2:]],
    "a field is missing": lambda lines: [lines[0], line_of({"seq": 2, "type": "person_said"}), *lines[2:]],
    "an event that can't follow": lambda lines: [
        *lines, line_of({"seq": 5, "type": "review_asked", "by": "x"}),
    ],
}  # fmt: skip


def _sealed(body: bytes) -> bytes:
    return body + b',"crc":"%08x"}\n' % zlib.crc32(body)


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_before_the_last_newline_is_refused_and_left_as_it_is(small: Path, kind: str) -> None:
    damaged = b"".join(DAMAGE[kind](small.read_bytes().splitlines(keepends=True))) + b"torn"
    small.write_bytes(damaged)
    with pytest.raises(JournalCorrupt):
        Journal(small.parent)
    assert small.read_bytes() == damaged
    assert not is_live(small.parent)


@pytest.mark.parametrize(
    "newer",
    [{"v": 2}, {"v": 999}, {"v": "2.0"}, {"type": "run_forked"}, {"type": None}],
    ids=str,
)
def test_what_only_a_newer_version_can_read_is_refused_untouched(small: Path, newer: dict[str, Any]) -> None:
    first, *rest = small.read_bytes().splitlines(keepends=True)
    fields = {key: value for key, value in json.loads(first).items() if key != "crc"} | newer
    content = line_of(fields) + b"".join(rest) + b"torn"
    small.write_bytes(content)
    with pytest.raises(JournalTooNew, match="newer autoagent"):
        Journal(small.parent)
    assert small.read_bytes() == content


def test_a_field_that_a_later_version_added_does_no_harm(small: Path) -> None:
    fields = {"seq": 5, "at": "2030-01-01T00:00:00Z", "type": "person_said", "text": "t", "by": "x", "mood": "good"}
    small.write_bytes(small.read_bytes() + line_of(fields))
    with Journal(small.parent) as journal:
        assert journal.state.seq == 5


# One writer, many readers

OPEN = """
import sys
from pathlib import Path
from autoagent.errors import JournalLocked
from autoagent.journal import Journal
print("ready", flush=True)
sys.stdin.readline()
try:
    journal = Journal(Path(sys.argv[1]))
except JournalLocked as error:
    print("locked", error, flush=True)
else:
    print("mine", flush=True)
    sys.stdin.readline()
"""


def opener(folder: Path) -> subprocess.Popen[str]:
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", OPEN, str(folder)], **pipes)


def tell(process: subprocess.Popen[str], line: str = "go") -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_of_eight_processes_at_once_one_gets_the_run_and_seven_are_told_who_has_it(small: Path) -> None:
    processes = [opener(small.parent) for _ in range(8)]
    try:
        for process in processes:
            assert hear(process) == "ready"
        for process in processes:
            tell(process)
        answers = {process.pid: hear(process) for process in processes}
        (owner,) = [pid for pid, answer in answers.items() if answer == "mine"]
        locked = [answer for pid, answer in answers.items() if pid != owner]
        assert locked == [f"locked run run is held by another process (pid {owner})"] * 7
        assert is_live(small.parent)
    finally:
        for process in processes:
            process.communicate()


def test_the_lock_of_a_killed_process_is_free(small: Path) -> None:
    process = opener(small.parent)
    hear(process)
    tell(process)
    assert hear(process) == "mine"
    with pytest.raises(JournalLocked, match=f"pid {process.pid}"):
        Journal(small.parent)
    process.kill()
    process.communicate()
    assert not is_live(small.parent)
    Journal(small.parent).close()


def test_who_only_looks_whether_a_run_is_live_keeps_nobody_out(small: Path) -> None:
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.0005):
            is_live(small.parent)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(200):
            Journal(small.parent).close()
    finally:
        stop.set()
        looking.join()


def test_readers_see_whole_events_only_while_it_is_written(small: Path) -> None:
    long = "x" * 100_000

    def append() -> None:
        with Journal(small.parent) as journal:
            for _ in range(60):
                journal.append(said(long))

    writer = threading.Thread(target=append)
    writer.start()
    seen = 0
    while seen < 64:
        events = list(read(small.parent))
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert len(events) >= seen
        seen = len(events)
    writer.join()


def test_reading_on_gives_what_came_after(small: Path) -> None:
    assert [event.seq for event in read(small.parent, after=2)] == [3, 4]


def test_observers_are_told_of_what_is_on_disk(small: Path) -> None:
    with Journal(small.parent) as journal:
        journal.observers.append(lambda event, state: found.append((list(read(small.parent))[-1] == event, state.seq)))
        found: list[tuple[bool, int]] = []
        journal.append(said())
    assert found == [(True, 5)]


# When the disk says no

FULL = """
import resource, signal, sys
from pathlib import Path
from autoagent.errors import JournalError
from autoagent.events import PersonSaid
from autoagent.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Journal(Path(sys.argv[1])) as journal:
    size = journal.path.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + int(sys.argv[2]), resource.RLIM_INFINITY))
    for _ in range(2):
        try:
            journal.append(PersonSaid(text="x" * 300, by="test"))
        except JournalError as error:
            print(error)
    print(journal.state.seq)
"""


@pytest.mark.parametrize("room", [0, 1, 100, 300])
def test_a_write_that_does_not_fit_is_taken_back_and_nothing_more_is_written(small: Path, room: int) -> None:
    before = small.read_bytes()
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(small.parent), str(room)], capture_output=True, text=True, check=True
    )
    first, second, seq = ran.stdout.splitlines()
    assert "Nothing was done after it" in first
    assert str(small) in first
    assert "nothing more is written" in second
    assert seq == "4"
    assert small.read_bytes() == before
    write(small.parent, said("there is room again"))
    assert state_of(small.parent).seq == 5


def test_the_first_event_that_does_not_fit_leaves_an_empty_journal(tmp_path: Path) -> None:
    small = tmp_path / "run/journal.jsonl"
    Journal(small.parent).close()
    subprocess.run([sys.executable, "-c", FULL, str(small.parent), "10"], capture_output=True, check=True)
    assert small.read_bytes() == b""


def _swap_disk(journal: Journal, new: int) -> None:
    os.close(journal._file)
    journal._file = new


def test_after_a_failed_write_nothing_more_is_written(small: Path) -> None:
    with Journal(small.parent) as journal:
        _swap_disk(journal, os.open("/dev/full", os.O_RDWR))
        with pytest.raises(JournalError, match=os.strerror(errno.ENOSPC)):
            journal.append(said())
        with pytest.raises(JournalError, match="nothing more is written"):
            journal.append(said())


def test_after_a_failed_sync_nothing_more_is_written_and_the_event_counts_as_absent(small: Path) -> None:
    end, pipe = os.pipe()  # takes what is written and cannot be synced
    with Journal(small.parent) as journal:
        told: list[Event] = []
        journal.observers.append(lambda event, _: told.append(event))
        _swap_disk(journal, pipe)
        with pytest.raises(JournalError, match="Nothing was done after it"):
            journal.append(said())
        with pytest.raises(JournalError, match="nothing more is written"):
            journal.append(said())
        assert (journal.state.seq, told) == (4, [])
    os.close(end)


def test_a_signal_in_the_middle_of_a_write_never_damages_the_journal(small: Path) -> None:
    class Interrupted(BaseException): ...

    def interrupt(*_: object) -> None:
        raise Interrupted

    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        for microseconds in range(5, 400, 5):
            with Journal(small.parent) as journal:
                try:
                    signal.setitimer(signal.ITIMER_REAL, microseconds / 1e6)
                    while True:
                        journal.append(said("x"))
                except Interrupted:
                    pass
                try:
                    journal.append(said("said after the signal"))
                except JournalError:
                    assert journal._broken
            assert state_of(small.parent).seq > 4
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def open_descriptors() -> int:
    folder = Path("/dev/fd")
    return sum(1 for _ in folder.iterdir())


@pytest.mark.parametrize("way", ["runs", "runs/ab12", "runs/ab12/lock/x", "runs/ab12/journal.jsonl/x"])
def test_something_in_the_way_of_the_state_folder_is_one_clear_error(tmp_path: Path, way: str) -> None:
    blocked = tmp_path / way
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("in the way")
    before = open_descriptors()
    with pytest.raises(JournalError, match=str(tmp_path / "runs/ab12")) as raised:
        Journal(tmp_path / "runs/ab12")
    assert "\n" not in str(raised.value)
    assert open_descriptors() == before


@as_user
def test_a_state_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir(mode=0o500)
    with pytest.raises(JournalError, match="The run needs this folder"):
        Journal(tmp_path / "runs/ab12")


# Artifacts


@pytest.mark.parametrize("text", ["", "한글\n" * 1000, "half \udcff pair", "\0"])
def test_a_kept_text_comes_back_by_its_digest(tmp_path: Path, text: str) -> None:
    with Journal(tmp_path) as journal:
        name = journal.keep(text)
        assert journal.keep(text) == name
    assert artifact(tmp_path, name) == text
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == [name]


@pytest.mark.parametrize("damage", ["changed", "shorter", "missing", "folder"])
def test_a_damaged_artifact_is_refused(tmp_path: Path, damage: str) -> None:
    with Journal(tmp_path) as journal:
        name = journal.keep("the whole text")
    path = tmp_path / "artifacts" / name
    if damage in ("missing", "folder"):
        path.unlink()
        if damage == "folder":
            path.mkdir()
    else:
        path.write_text({"changed": "the whole toxt", "shorter": "the whole"}[damage])
    with pytest.raises(JournalCorrupt, match=name):
        artifact(tmp_path, name)


def test_an_artifact_that_cannot_be_kept_stops_the_run(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        (tmp_path / "artifacts").write_text("in the way")
        with pytest.raises(JournalError, match="Nothing was done after it"):
            journal.keep("text")


# Runs


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The runs ab12, abcd and cd34, oldest first, and a few things that are none."""
    for age, name in enumerate(("ab12", "abcd", "cd34")):
        path = write(tmp_path / "runs" / name, started(name))
        os.utime(path, (age + 1, age + 1))
    (tmp_path / "runs/empty").mkdir()
    (tmp_path / "runs/file").write_text("")
    return tmp_path / "runs"


def test_runs_are_found_newest_first_and_other_things_are_not_runs(runs: Path) -> None:
    assert [folder.name for folder in run_folders(runs)] == ["cd34", "abcd", "ab12"]
    assert run_folders(runs / "none") == []


@pytest.mark.parametrize(("name", "found"), [("ab12", "ab12"), ("abc", "abcd"), ("c", "cd34"), ("last", "cd34")])
def test_a_run_is_found_by_the_start_of_its_id_or_as_the_last(runs: Path, name: str, found: str) -> None:
    assert find_run(runs, name).name == found


def test_a_whole_id_wins_over_one_that_starts_with_it(runs: Path) -> None:
    write(runs / "ab12ef", started("ab12ef"))
    assert find_run(runs, "ab12").name == "ab12"


@pytest.mark.parametrize("name", ["ab", "zz", "", "../runs/ab12", "empty", "ab12/"])
def test_no_run_or_more_than_one_is_said_so(runs: Path, name: str) -> None:
    with pytest.raises(NoSuchRun, match="2 runs start with" if name == "ab" else "there is no run|runs start with ''"):
        find_run(runs, name)


def test_the_last_of_no_runs_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(NoSuchRun):
        find_run(tmp_path, "last")


def test_a_live_run_is_not_deleted_and_a_dead_one_is(runs: Path) -> None:
    with Journal(runs / "ab12"), pytest.raises(JournalLocked):
        delete_run(runs / "ab12")
    assert (runs / "ab12/journal.jsonl").exists()
    delete_run(runs / "ab12")
    assert not (runs / "ab12").exists()


# Recorded journals: they fold for ever

RECORDED = Path(__file__).parent / "journals/v1/journal.jsonl"


def test_a_journal_of_version_1_folds_as_it_did() -> None:
    state = state_of(RECORDED.parent)
    told = {
        "status": state.status,
        "result": state.result,
        "files": list(state.files),
        "step": state.step,
        "usage": state.usage.model_dump(exclude={"cost_usd"}),
        "cost_usd": round(state.usage.cost_usd, 8),
        "summarized": state.summarized,
        "rules": [rule.text for rule in state.rules],
        "wrote": list(state.wrote),
        "plan": list(state.plan),
        "outcomes": [
            f"{o.id} {o.call.name if o.call else '-'} {o.outcome}" for step in state.steps for o in step.observations
        ],
    }
    assert told == json.loads((RECORDED.parent / "state.json").read_text(encoding="utf-8"))


LATER = {"files_changed", "files_undone", "network_allowed"}  # kinds that came after it was recorded
LATER |= {"criteria_set", "criteria_judged", "evidence_checked", "handover_written"}


def test_the_recorded_journal_holds_every_kind_of_event_of_version_1() -> None:
    assert {event.type for event in read(RECORDED.parent)} == TYPES - LATER


def test_opening_a_recorded_journal_changes_nothing_but_the_lock(tmp_path: Path) -> None:
    copy = tmp_path / "journal.jsonl"
    copy.write_bytes(RECORDED.read_bytes())
    with Journal(tmp_path) as journal:
        assert journal.state == state_of(RECORDED.parent)
        journal.append(RunResumed())
    assert copy.read_bytes().startswith(RECORDED.read_bytes())
