"""The child process that reads one document: `python -m autoagent.loaders KIND NAME CONTENT_TYPE < FILE`.

What comes out is one line of JSON, `{"kind": …, "notes": […], "size": …}`, and the text of so many bytes; or
`{"refused": "…"}` and nothing.
"""

import json
import os
import resource
import signal
import sys
from importlib import import_module
from types import ModuleType

from autoagent.errors import CommandError
from autoagent.loaders.document import NO_TEXT, Document

MEMORY = 1_536 << 20  # bytes of address space
CPU_S = 60
ALONE_S = 90  # after which it ends even where nobody is left to end it


def main() -> None:
    kind, name, content_type = sys.argv[1:4]
    out = os.dup(1)
    os.dup2(2, 1)  # what a parser prints is no answer
    _die_with_parent()
    _limit(resource.RLIMIT_AS, MEMORY)
    _limit(resource.RLIMIT_CPU, CPU_S, CPU_S + 5)  # the first ends it with a signal that says why
    _limit(resource.RLIMIT_CORE, 0)
    content = sys.stdin.buffer.read()
    try:
        reader = import_module(f"autoagent.loaders.{kind}")
        _limit(resource.RLIMIT_FSIZE, 0)  # after the import, which may keep compiled code
        answer = _answer(reader, content, name, content_type)
    except MemoryError:
        answer = _refusal(f"{name} needs more memory to be read than the {MEMORY >> 20:,} MB it may have.")
    with os.fdopen(out, "wb") as stream:
        stream.writelines(answer)
        stream.flush()
        os._exit(0)  # freeing a large document would only take time


def _answer(reader: ModuleType, content: bytes, name: str, content_type: str) -> list[bytes]:
    try:
        document: Document = reader.read(content, name=name, content_type=content_type)
    except CommandError as error:
        return _refusal(str(error))
    except MemoryError:
        raise
    except RecursionError:
        return _refusal(f"{name} is nested too deeply to be read.")
    except Exception as error:  # noqa: BLE001  a damaged file makes parsers raise anything
        why = " ".join(f"{type(error).__name__}: {error}".split())
        return _refusal(f"{name} is damaged and cannot be read ({why[:160]}).")
    text = NO_TEXT.sub("", document.text.replace("\f", "\n")).encode()
    notes = [NO_TEXT.sub("", " ".join(note.split())) for note in document.notes]
    head = json.dumps({"kind": " ".join(document.kind.split()), "notes": notes, "size": len(text)})
    return [head.encode(), b"\n", text]


def _refusal(message: str) -> list[bytes]:
    return [json.dumps({"refused": NO_TEXT.sub("", " ".join(message.split()))}).encode(), b"\n"]


def _limit(what: int, most: int, at_last: int | None = None) -> None:
    _, hard = resource.getrlimit(what)
    limits = [given if hard == resource.RLIM_INFINITY else min(given, hard) for given in (most, at_last or most)]
    try:
        resource.setrlimit(what, (limits[0], limits[1]))
    except (ValueError, OSError):  # macOS has no limit of address space
        return


def _die_with_parent() -> None:
    signal.alarm(ALONE_S)
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() == 1:  # it died before
            os._exit(1)


if __name__ == "__main__":
    main()
