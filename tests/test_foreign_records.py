"""Records from elsewhere, damaged or made to mislead: one clear line each, the same list of runs, nothing changed."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import World

from autoagent.errors import AutoagentError, ConfigError, JournalCorrupt, JournalTooNew
from autoagent.journal import Journal, artifact, read
from autoagent.replay import open_recording, replay
from autoagent.runs import list_runs
from autoagent.testing import ModelServer, done, thought

LOOK = thought(commands=[("list_files", {})])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path, monkeypatch)
    with ModelServer([LOOK, done("다 됐습니다")]) as server:
        world.run(server, review="off", evidence="off")
    return world


def told(*args: str) -> tuple[int, str]:
    """Exit code and standard error, on one line, of a real process."""
    command = [sys.executable, "-m", "autoagent", *args]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, stdin=subprocess.DEVNULL)
    assert "Traceback" not in ran.stderr
    assert "bug of autoagent" not in ran.stderr
    return ran.returncode, " ".join(ran.stderr.split())


def sealed(line: dict[str, Any]) -> bytes:
    body = json.dumps({name: value for name, value in line.items() if name != "crc"}).encode()[:-1]
    return body + b',"crc":"%08x"}\n' % zlib.crc32(body)


def changed(world: World, change: Callable[[list[dict[str, Any]]], None]) -> Path:
    """The only run as somebody else would have written it, in its place."""
    path = world.folder / "journal.jsonl"
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    change(lines)
    path.write_bytes(b"".join(map(sealed, lines)))
    return path


# Archives


def packed(world: World, method: int = zipfile.ZIP_STORED) -> Path:
    path = world.root / "기록.zip"
    with zipfile.ZipFile(path, "w", compression=method) as archive:
        for file in world.folder.rglob("*"):
            if file.name == "journal.jsonl" or file.parent.name == "artifacts":
                archive.write(file, str(file.relative_to(world.folder)))
    return path


def central(content: bytearray) -> int:
    return content.index(b"PK\x01\x02")


def wrong_sum(content: bytearray) -> None:
    content[300] ^= 1


def encrypted(content: bytearray) -> None:
    content[6] |= 1
    content[central(content) + 8] |= 1


def unknown_method(content: bytearray) -> None:
    content[8] = content[central(content) + 10] = 99


def cut_in_the_middle(content: bytearray) -> None:
    del content[100:900]


def cut_at_the_end(content: bytearray) -> None:
    del content[-200:]


def garbage(content: bytearray) -> None:
    content[60:400] = bytes(340)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        (wrong_sum, 1, "the .zip is damaged"),
        (encrypted, 2, "it is encrypted"),
        (unknown_method, 2, "not supported"),
        (cut_in_the_middle, 1, ".zip"),
        (cut_at_the_end, 1, "it is no whole .zip"),
        (garbage, 1, "the .zip is damaged"),
    ],
)
def test_an_archive_that_cannot_be_read_is_named_in_one_line(
    world: World, method: int, damage: Callable[[bytearray], None], code: int, words: str
) -> None:
    path = packed(world, method)
    content = bytearray(path.read_bytes())
    damage(content)
    path.write_bytes(content)
    with pytest.raises(AutoagentError) as found, open_recording(str(path)):
        pass
    assert words in str(found.value)
    assert str(found.value).startswith(f"{path}: ")
    assert isinstance(found.value, ConfigError) == (code == 2)


def test_what_is_wrong_inside_is_told_of_the_archive_and_not_of_where_it_was_unpacked(world: World) -> None:
    changed(world, lambda lines: lines[1].update(at="yesterday"))
    path = packed(world)
    code, words = told("replay", str(path))
    assert (code, "autoagent-replay-" in words) == (1, False)
    assert "line 2" in words


# Journals


Change = Callable[[list[dict[str, Any]]], None]


def everywhere(**fields: Any) -> Change:
    def change(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            line.update(fields)

    return change


def limit(value: Any) -> Change:
    return lambda lines: lines[0]["limits"].update(cost_usd=value)


def spent(value: Any) -> Change:
    def change(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            line.get("usage", {}).update(cost_usd=value)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (everywhere(type=["x"]), "written by a newer autoagent"),
        (everywhere(v=[1]), "written by a newer autoagent"),
        (everywhere(at="yesterday"), "'yesterday' is no moment"),
        (everywhere(at="0001-01-01T00:00:00Z"), "is no moment"),
        (everywhere(at="2026-13-01T00:00:00Z"), "must be in 1..12"),
        (everywhere(seconds="nan"), "finite number"),
        (limit("nan"), "cost_usd is nan"),
        (limit("inf"), "cost_usd is inf"),
        (limit(1e999), "cost_usd is inf"),
        (spent("-inf"), "cost_usd is -inf"),
    ],
)
def test_a_line_that_no_run_writes_is_damage_and_stays_as_it_is(world: World, change: Change, words: str) -> None:
    path = changed(world, change)
    before = path.read_bytes()
    for opened in (lambda: list(read(world.folder)), lambda: Journal(world.folder), lambda: replay(world.folder)):
        with pytest.raises((JournalCorrupt, JournalTooNew), match=r"line \d+: ") as found:
            opened()
        assert words in str(found.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["a\0b", "../../../../etc/passwd", "", "/dev/zero", "A" * 64])
def test_a_kept_text_is_named_by_its_sum_and_by_nothing_else(world: World, name: str) -> None:
    with pytest.raises(JournalCorrupt, match=r"journal\.jsonl: it names a kept text .* which is no SHA-256"):
        artifact(world.folder, name)


@pytest.mark.parametrize("kind", ["device", "fifo", "folder", "huge", "bytes"])
def test_a_kept_text_that_is_no_file_of_some_size_is_refused_and_never_waited_for(world: World, kind: str) -> None:
    name = "0" * 64
    path = world.folder / "artifacts" / name
    path.parent.mkdir(exist_ok=True)
    if kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 1 << 40 if kind == "huge" else 10)
    with pytest.raises(JournalCorrupt, match=name):
        artifact(world.folder, name)


@pytest.mark.parametrize("kind", ["device", "fifo"])
def test_a_journal_that_is_no_file_is_refused_and_never_waited_for(world: World, kind: str) -> None:
    path = world.folder / "journal.jsonl"
    path.unlink()
    path.symlink_to("/dev/zero") if kind == "device" else os.mkfifo(path)
    code, words = told("show", world.folder.name)
    assert (code, "is no file" in words) == (1, True)


# One among others


def test_one_damaged_run_is_shown_as_such_among_the_others(world: World) -> None:
    bad = world.folder
    good = bad.parent / "good"
    shutil.copytree(bad, good)
    path = bad / "journal.jsonl"
    lines = [json.loads(line) | {"at": "yesterday"} for line in path.read_bytes().splitlines()]
    path.write_bytes(b"".join(map(sealed, lines)))
    found = {run.run: run for run in list_runs(bad.parent)}
    assert found[bad.name].problem.startswith("damaged: line 1: ")
    assert found["good"].problem == ""
    for command in ("runs", "costs"):
        assert told(command)[0] == 0
