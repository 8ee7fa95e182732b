"""The inbox: messages are whole or absent, in order, taken once; what is no message harms nobody."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from autoagent import inbox
from autoagent.inbox import InboxMessage


def say(text: str, **fields: Any) -> InboxMessage:
    return InboxMessage(kind="say", by="test", text=text, **fields)


def texts(folder: Path) -> list[str]:
    return [message.text for message in inbox.waiting(folder)]


def put(folder: Path, name: str, content: bytes) -> Path:
    (folder / "inbox").mkdir(exist_ok=True)
    path = folder / "inbox" / name
    path.write_bytes(content)
    return path


def test_messages_come_in_the_order_in_which_they_were_sent(tmp_path: Path) -> None:
    for n in range(50):
        inbox.send(tmp_path, say(str(n)))
    assert texts(tmp_path) == [str(n) for n in range(50)]


def test_a_message_comes_as_it_was_sent_and_is_gone_once_removed(tmp_path: Path) -> None:
    sent = InboxMessage(kind="answer", by="web", call_id="3.1", allowed=True, text="한글 \x1b", more=2, args={"a": [1]})
    inbox.send(tmp_path, sent)
    assert list(inbox.waiting(tmp_path)) == [sent]
    inbox.remove(tmp_path, sent)
    inbox.remove(tmp_path, sent)
    assert list(inbox.waiting(tmp_path)) == []


def test_a_run_without_an_inbox_has_no_messages(tmp_path: Path) -> None:
    assert list(inbox.waiting(tmp_path)) == []


def test_the_inbox_is_private_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        inbox.send(tmp_path / "run", say("x"))
    finally:
        os.umask(old)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "run").rglob("*")}
    assert modes.pop("inbox") == 0o700
    assert list(modes.values()) == [0o600]


def test_readers_see_whole_messages_only_while_many_write(tmp_path: Path) -> None:
    long = "x" * 200_000

    def write() -> None:
        for _ in range(15):
            inbox.send(tmp_path, say(long))

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    seen: set[str] = set()
    while len(seen) < 60:
        for message in inbox.waiting(tmp_path):
            assert message.text == long
            seen.add(message.id)
    for writer in writers:
        writer.join()
    assert not list((tmp_path / "inbox").glob("*.bad"))
    assert len(list((tmp_path / "inbox").iterdir())) == 60  # nothing temporary is left


BAD = {
    "empty": b"",
    "half": b'{"kind": "say", "by": "x", "te',
    "no object": b"[1]",
    "unknown kind": b'{"id": "m", "kind": "sudo", "by": "x"}',
    "unknown field": b'{"id": "m", "kind": "say", "by": "x", "root": true}',
    "no sender": b'{"id": "m", "kind": "say"}',
    "negative more": b'{"id": "m", "kind": "answer", "by": "x", "more": -1}',
    "no UTF-8": b'{"id": "m", "kind": "say", "by": "x", "text": "\xff"}',
    "half a surrogate pair": b'{"id": "m", "kind": "say", "by": "x", "text": "\\ud800"}',
    "no id": b'{"kind": "say", "by": "x", "text": "again and again"}',
    "empty id": b'{"id": "", "kind": "say", "by": "x"}',
    "another id": b'{"id": "n", "kind": "say", "by": "x"}',
    "an id that is a path": b'{"id": "../m", "kind": "stop", "by": "x"}',
    "deep": b'{"id": "m", "kind": "say", "by": "x", "args": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_message_is_set_aside_and_the_next_one_is_read(tmp_path: Path, kind: str) -> None:
    path = put(tmp_path, "m.json", BAD[kind])
    inbox.send(tmp_path, say("good"))
    assert texts(tmp_path) == ["good"]
    assert not path.exists()
    assert path.with_suffix(".bad").read_bytes() == BAD[kind]


def test_links_pipes_and_folders_are_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(say("secret", id="link").model_dump_json())
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox/link.json").symlink_to(secret)
    (tmp_path / "inbox/dangling.json").symlink_to(tmp_path / "none")
    os.mkfifo(tmp_path / "inbox/pipe.json")
    (tmp_path / "inbox/folder.json").mkdir()
    inbox.send(tmp_path, say("good", id="z"))  # sorts last
    assert texts(tmp_path) == texts(tmp_path) == ["good"]
    assert secret.exists()


def test_a_bad_message_that_cannot_be_set_aside_stops_nobody(tmp_path: Path) -> None:
    put(tmp_path, "m.json", b"?")
    (tmp_path / "inbox/m.bad").mkdir()
    inbox.send(tmp_path, say("good"))
    assert texts(tmp_path) == ["good"]


@pytest.mark.parametrize("name", [".hidden.json", "m.json.tmp", "m.txt", ".m.json.123.ab"])
def test_other_files_in_the_inbox_are_left_alone(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, name, json.dumps(say("no", id="m").model_dump()).encode())
    assert texts(tmp_path) == []
    assert path.exists()


def test_a_message_of_endless_length_is_not_read_into_memory(tmp_path: Path) -> None:
    path = put(tmp_path, "m.json", b"")
    with path.open("r+b") as file:
        file.truncate(1 << 40)  # sparse
    assert texts(tmp_path) == []


def test_bytes_that_no_message_can_hold_are_replaced_when_it_is_sent(tmp_path: Path) -> None:
    inbox.send(tmp_path, say("caf\udce9"))  # as Python reads an argument that is no UTF-8
    assert texts(tmp_path) == ["caf?"]


@pytest.mark.parametrize("name", ["", "../m", "a/b", ".m", "m\0", "m n"])
def test_an_id_that_is_no_plain_name_is_no_message(name: str) -> None:
    with pytest.raises(ValidationError):
        say("x", id=name)


def test_a_message_that_vanishes_while_it_is_read_is_nobodys_error(tmp_path: Path) -> None:
    first, second = say("1"), say("2")
    for message in (first, second):
        inbox.send(tmp_path, message)
    reading = inbox.waiting(tmp_path)
    assert next(reading).text == "1"
    inbox.remove(tmp_path, second)
    assert list(reading) == []
