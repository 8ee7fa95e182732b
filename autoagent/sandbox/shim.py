# ruff: noqa: PTH104, PTH108, PTH123, PTH208
"""The parent of one program: limits it, keeps its output within bounds, ends all of it, records how it ended.

Runs in a Python of its own (BOOT) so that it outlives the agent by the moment it takes to end the program. Its standard
input brings this module and one Order, and stays open as long as the agent lives and wants the program to run; its
standard output closes when the end is recorded. Every import is paid at each program: no typing, json, pathlib, signal.

In the order's folder: `started` (a process id and its start time) is there before the program runs, `exit` once
it has ended, `output.N` is what it wrote: 0 the head, then the newest pieces.
"""

from __future__ import annotations

import ctypes
import errno
import marshal
import os
import resource
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn, TypedDict

    class Order(TypedDict):
        """`leave` names a file in the folder: while it is there, and once, the program may be started.
        `wrapped`: argv[0] is bubblewrap, which would end all at once on TERM. `join` is the id of a process whose
        network the program shares. `limits` are pairs of a resource and its value. `landlock` is the path of the
        module and what its `restrict` takes."""

        folder: str
        leave: str
        argv: list[str]
        environ: dict[str, str]
        cwd: str
        files: list[str]
        wrapped: bool
        join: int
        limits: list[tuple[int, int]]
        processes: int
        timeout_s: float
        grace_s: float
        landlock: tuple[str, dict[str, Any]] | None


BOOT = "import marshal, sys; read = sys.stdin.buffer.read; exec(marshal.loads(read(int(read(8)))))"
PIECE = 512 << 10  # bytes in one file of output
NO_TIMEOUT = 0.0
FIRST_FILE = 64  # the descriptor of the first of an order's `files` in the program
_TERM, _KILL, _INT, _PIPE, _XFSZ = 15, 9, 2, 13, 25
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
_LOOK_S = 0.05  # between two looks at how many processes there are
_DRAIN_S = 1.0
_GIVE_UP_S = 10.0  # on processes that not even KILL ends, since the kernel holds them
_LINUX = sys.platform == "linux"


class _Output:
    """Keeps the first piece and the last two; the others are gone as soon as they are full."""

    def __init__(self, folder: str):
        self._folder, self._number, self._left = folder, 0, PIECE
        self._file = self._open(0)

    def write(self, data: bytes) -> None:
        while data:
            if not self._left:
                self._next()
            part, data = data[: self._left], data[self._left :]
            try:
                self._left -= os.write(self._file, part)
            except OSError:  # a full disk: the program runs on, its output is lost
                self._left -= len(part)

    def _next(self) -> None:
        os.close(self._file)
        self._number, self._left = self._number + 1, PIECE
        try:
            if self._number > 2:
                os.unlink(f"{self._folder}/output.{self._number - 2}")
            self._file = self._open(self._number)
        except OSError:  # as above
            self._file = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)

    def _open(self, number: int) -> int:
        return os.open(f"{self._folder}/output.{number}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)


def main() -> None:
    read = sys.stdin.buffer.read
    order: Order = marshal.loads(read(int(read(8))))
    terminated: list[bool] = []
    _on_term(terminated)
    if _LINUX:
        _prctl(_SET_CHILD_SUBREAPER, 1)
    _record_start(order)
    output, began, parent = _Output(order["folder"]), time.monotonic(), os.getpid()
    source, sink = os.pipe()
    program = os.fork()
    if not program:
        _become(order, sink, parent)
    os.close(sink)
    os.set_blocking(source, False)
    ended, status = _attend(order, program, source, output, terminated, began)
    _end_all(program, output, source)
    signal_number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    code = signal_number or os.waitstatus_to_exitcode(status)
    if ended == "exited" and signal_number:
        ended = "signalled"
    seconds = time.monotonic() - began
    _write(order["folder"], "exit", f'{{"ended": "{ended}", "code": {code}, "seconds": {seconds:.3f}}}')


def _attend(
    order: Order, program: int, source: int, output: _Output, terminated: list[bool], began: float
) -> tuple[str, int]:
    """Until the program is gone: why it ended and its wait status."""
    poll = select.poll()
    poll.register(source, select.POLLIN)
    poll.register(0, 0)  # only whether it was closed
    handle = _pidfd(program)
    if handle is not None:
        poll.register(handle, select.POLLIN)
    ended, kill_at, look_at = "exited", 0.0, began
    while True:
        seen = dict(poll.poll(1000 * _LOOK_S))
        if source in seen and not _copy(source, output):
            poll.unregister(source)
        gone, status = os.waitpid(program, os.WNOHANG)
        if gone:
            return ended, status
        now = time.monotonic()
        if kill_at:
            if now >= kill_at:
                return ended, _killed(program, order["wrapped"])
            continue
        if 0 in seen or terminated:
            ended = "stopped"
        elif order["timeout_s"] != NO_TIMEOUT and now - began >= order["timeout_s"]:
            ended = "timed_out"
        elif now >= look_at:
            look_at = now + _LOOK_S
            if sum(1 for _ in _descendants()) > order["processes"]:
                output.write(f"\n[ended: more than {order['processes']} processes at once]\n".encode())
                return "signalled", _killed(program, order["wrapped"])
        if ended != "exited":
            poll.unregister(0)
            kill_at = now + order["grace_s"]
            _signal_all(_TERM, program, order["wrapped"])


def _become(order: Order, sink: int, parent: int) -> NoReturn:
    """In the child: the program, or a line in its output that says why not."""
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, number in ((nothing, 0), (sink, 1), (sink, 2)):
            os.dup2(target, number)
        for at, name in enumerate(order["files"]):
            os.dup2(os.open(name, os.O_RDONLY), FIRST_FILE + at)
        os.closerange(3, FIRST_FILE)
        os.closerange(FIRST_FILE + len(order["files"]), 4096)
        _default_signals()
        if _LINUX:
            _prctl(_SET_PDEATHSIG, _KILL)
            if os.getppid() != parent:  # it was gone before
                os._exit(126)
            with open("/proc/self/oom_score_adj", "w") as file:  # when memory ends, this and not the agent
                file.write("1000")
        os.chdir(order["cwd"])
        if order["join"]:
            _join_network(order["join"])
        for kind, value in order["limits"]:
            _limit(kind, value)
        if order["landlock"]:
            _restrict(*order["landlock"])
        os.execvpe(order["argv"][0], order["argv"], order["environ"])
    except OSError as error:
        name = order["argv"][0]
        missing = error.errno in (errno.ENOENT, errno.EACCES) and "/" not in name  # a folder of the PATH may be closed
        os.write(2, f"{name}: {'not found' if missing else error.strerror}\n".encode())
        os._exit(127 if missing or error.errno == errno.ENOENT else 126)
    except BaseException as error:  # noqa: BLE001 - two processes must not go on
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(126)


def _limit(kind: int, value: int) -> None:
    """CPU time is warned of (SIGXCPU) before it ends; a lower limit that is set already stays."""
    _, most = resource.getrlimit(kind)
    hard = value + 5 if kind == resource.RLIMIT_CPU else value
    hard = hard if most == resource.RLIM_INFINITY else min(hard, most)
    resource.setrlimit(kind, (min(value, hard), hard))


def _restrict(module: str, rules: dict[str, Any]) -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("landlock", module)  # by path: there are no packages here
    assert spec
    assert spec.loader
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    loaded.restrict(rules)


def _join_network(holder: int) -> None:
    for kind in ("user", "net"):
        descriptor = os.open(f"/proc/{holder}/ns/{kind}", os.O_RDONLY)
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0):
            raise OSError(ctypes.get_errno(), f"the network of process {holder}")
        os.close(descriptor)


def _copy(source: int, output: _Output) -> bool:
    """What the pipe holds now. False at its end."""
    try:
        data = os.read(source, 1 << 16)
    except BlockingIOError:
        return True
    output.write(data)
    return bool(data)


def _end_all(program: int, output: _Output, source: int) -> None:
    """Whoever is left of the program, however it hid, and then what it still had to say."""
    until = time.monotonic() + _GIVE_UP_S
    _signal_all(_KILL, program, wrapped=False)
    while _reap() and time.monotonic() < until:
        _signal_all(_KILL, program, wrapped=False)
        time.sleep(0.001)
    until = time.monotonic() + _DRAIN_S
    while time.monotonic() < until:
        try:
            data = os.read(source, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            return
        output.write(data)


def _killed(program: int, wrapped: bool) -> int:
    """Its wait status after KILL. Bubblewrap goes by itself once all in it are gone."""
    began = time.monotonic()
    while time.monotonic() < began + _GIVE_UP_S:
        _signal_all(_KILL, program, wrapped and time.monotonic() < began + 1)
        gone, status = os.waitpid(program, os.WNOHANG)
        if gone:
            return status
        time.sleep(0.001)
    return _KILL


def _reap() -> bool:
    """Whether there is a child still."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _signal_all(number: int, program: int, wrapped: bool) -> None:
    if not _LINUX:
        _send(-program, number)
        return
    for one in [one for one in _descendants() if not (wrapped and one == program)]:
        _send(one, number)


def _send(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except (ProcessLookupError, PermissionError):
        return


def _descendants() -> Iterator[int]:
    if not _LINUX:
        return
    pending = [os.getpid()]
    while pending:
        found = list(_children(pending.pop()))
        yield from found
        pending += found


def _children(process: int) -> Iterator[int]:
    """Of each of its threads: a child belongs to the one that made it."""
    try:
        threads = os.listdir(f"/proc/{process}/task")
    except OSError:
        return
    for thread in threads:
        try:
            with open(f"/proc/{process}/task/{thread}/children", "rb") as file:
                yield from map(int, file.read().split())
        except OSError:
            continue


def start_time(process: int) -> str:
    """Tells two processes with one id apart; "" where there is none, or the system does not say."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return ""


def _pidfd(process: int) -> int | None:
    try:
        return os.pidfd_open(process)
    except (AttributeError, OSError):  # not Linux, or an old one: the next look will tell
        return None


def _record_start(order: Order) -> None:
    """Raises FileNotFoundError where the agent died meanwhile and whoever goes on took the leave back."""
    leave = os.open(f"{order['folder']}/{order['leave']}", os.O_WRONLY | os.O_CLOEXEC)  # never made here
    _record(leave, order["folder"], order["leave"], "started", f"{os.getpid()} {start_time(os.getpid())}")


def _write(folder: str, name: str, text: str) -> None:
    file = os.open(f"{folder}/{name}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    _record(file, folder, f"{name}.new", name, text)


def _record(file: int, folder: str, beside: str, name: str, text: str) -> None:
    """On the disk when it returns, whole or not at all."""
    os.write(file, text.encode())
    os.fsync(file)
    os.close(file)
    os.rename(f"{folder}/{beside}", f"{folder}/{name}")
    directory = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    os.fsync(directory)
    os.close(directory)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _on_term(terminated: list[bool]) -> None:
    import _signal  # pyright: ignore[reportMissingImports] - signal itself imports enum, which takes 8 ms

    _signal.signal(_TERM, lambda number, frame: terminated.append(True))  # pyright: ignore


def _default_signals() -> None:
    """Python ignores two signals and a shell may have ignored a third, which the program would inherit."""
    import _signal  # pyright: ignore[reportMissingImports]

    for number in (_TERM, _INT, _PIPE, _XFSZ):
        _signal.signal(number, _signal.SIG_DFL)  # pyright: ignore


if __name__ == "__main__":
    main()
    os._exit(0)  # taking an interpreter down takes longer than all that it did
