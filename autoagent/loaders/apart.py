"""A document is read in a child process: what a hostile file does to its parser, it does to nobody else."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from autoagent.errors import CommandError
from autoagent.loaders.document import TEXT_LIMIT, Document

_ANSWER_LIMIT = 4 * TEXT_LIMIT + (1 << 20)  # bytes
_LIBRARIES = {"pdf": "pypdf", "docx": "docx", "workbook": "python_calamine", "html": "trafilatura"}
_ROOM = threading.BoundedSemaphore(2)  # children at a time


def read_apart(kind: str, name: str, content: bytes, *, content_type: str, within_s: float) -> Document:
    """What `autoagent.loaders.KIND.read` makes of it, in another process. Raises CommandError."""
    library = _LIBRARIES.get(kind)
    if library and find_spec(library) is None:
        raise CommandError(f"Reading {name} needs: pip install '.[documents]' in the checkout of autoagent")
    with _ROOM:
        answer, ended = _run([kind, _argument(name), _argument(content_type)], content, within_s)
    head, _, text = answer.partition(b"\n")
    try:
        told: dict[str, Any] = json.loads(head)
        if "refused" not in told and len(text) == told["size"]:
            return Document(text.decode(), str(told["kind"]), tuple(str(note) for note in told["notes"]))
        why = str(told["refused"])
    except (ValueError, KeyError, TypeError):  # it was ended, or broke, before all was said
        raise _no_answer(name, ended, within_s) from None
    raise CommandError(why)


def _run(arguments: list[str], content: bytes, within_s: float) -> tuple[bytes, int | None]:
    """What the child wrote and how it ended, None where its time was over; it is gone when this returns."""
    try:
        process = _start(arguments)
    except OSError as error:
        raise CommandError(f"The reader of documents cannot be started: {error.strerror}.") from error
    assert process.stdin is not None
    assert process.stdout is not None
    over = threading.Event()
    timer = threading.Timer(within_s, lambda: (over.set(), _kill(process)))
    timer.daemon = True
    try:
        timer.start()
        with suppress(BrokenPipeError):
            process.stdin.write(content)
            process.stdin.close()
        answer = process.stdout.read(_ANSWER_LIMIT + 1)
    finally:
        timer.cancel()
        timer.join()
        _kill(process)  # not waited for yet, so the number is still its own
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        process.wait()
    return answer, None if over.is_set() else process.returncode


def _start(arguments: list[str]) -> subprocess.Popen[bytes]:
    """Without the environment, the folder and the terminal of this process; it finds this very package."""
    return subprocess.Popen(
        [sys.executable, "-P", "-s", "-X", "utf8", "-m", "autoagent.loaders", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        start_new_session=True,
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of one that has ended
        os.killpg(process.pid, signal.SIGKILL)


def _argument(text: str) -> str:
    """What a command line can hold of it."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:4_000]


def _no_answer(name: str, ended: int | None, within_s: float) -> CommandError:
    if ended is None or ended == -signal.SIGXCPU:
        return CommandError(
            f"Reading {name} takes longer than {within_s:.0f} s: it is huge, damaged or made to do harm."
        )
    return CommandError(f"Reading {name} broke its reader: it needs too much memory, is damaged or made to do harm.")
