"""Programs in a sandbox: each started by a shim that limits it, ends all of it and keeps what came of it."""

import functools
import json
import marshal
import os
import re
import resource
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.abc import InspectLoader
from math import ceil
from pathlib import Path
from typing import Any

from autoagent.errors import CommandError
from autoagent.programs import CODE, USUAL_S, Containment, Layer, Program, Progress, Ran, Running, Watch
from autoagent.sandbox import bubblewrap, seccomp, shim
from autoagent.sandbox.reach import Reach

_LOOK_S = 0.2  # between two calls of `watch`
_FIRST_S = 1.0  # in which a background program that fails at once is seen to
_STOP_S = 15.0  # in which a shim ends everything, or is ended itself
_LONGEST_ARGUMENT = 131_000  # bytes; the kernel takes 131,071 in one
_LONGEST_LINE = 200  # characters of Progress.last_line
_LEAVE = "leave."  # begins the name of a file that lets one shim start its program, once
_NOT_FOUND = re.compile(r"bwrap: execvp (.*): No such file or directory\n")
_SIGNALS = frozenset({*range(1, 16), 24, 25, 31})  # that end a program, and that one is ended by in practice


@dataclass(frozen=True)
class ProgramLimits:
    """What one program may use at most: each process of it, but for `processes`, which counts all of them at once.

    `memory` counts private memory that can be written (RLIMIT_DATA) and not addresses, of which Node and Java reserve
    many times what they use; shared memory it does not see. Where memory ends the kernel takes a program before us.
    """

    cpu_s: int = 60  # of a program that is given no more than USUAL_S, as many times more as it is given
    background_cpu_s: int = 3_600
    memory: int = 3 << 30  # bytes
    file: int = 1 << 30  # bytes in each file that is written; builds and databases make large ones
    open_files: int = 1_024
    processes: int = 256
    grace_s: float = 2.0  # between TERM and KILL


@dataclass
class _Call:
    """One program with its shim, in a folder that holds its end and its output."""

    folder: Path
    program: Program
    process: "subprocess.Popen[bytes]"
    began: float
    ending: threading.Lock = field(default_factory=threading.Lock)
    forgotten: bool = False  # its folder goes when it has ended

    def ended(self, wait_s: float) -> bool:
        """Whether it has, after `wait_s` seconds at most."""
        assert self.process.stdout
        if self.process.stdout.closed:
            return True
        poll = select.poll()
        poll.register(self.process.stdout, select.POLLIN)
        return bool(poll.poll(1000 * wait_s))

    def end(self) -> None:
        """Returns when nothing of it is left."""
        with self.ending, self.process:
            assert self.process.stdin
            with suppress(BrokenPipeError):
                self.process.stdin.close()
            if not self.ended(_STOP_S):
                self.process.kill()

    def ran(self) -> Ran:
        """Raises CommandError where it never started, such as on a full disk."""
        if not (self.folder / "started").exists():
            why = (self.folder / "errors").read_text(errors="replace").strip().rpartition("\n")[2]
            raise CommandError(f"The program could not be started: {why or 'its parent was ended'}.")
        return _recorded(self.folder) or _lost(self.folder)


class SandboxedPrograms:
    """Programs of one run, held by one layer. What they may reach is asked before each.

    `folder` is the run's own and outside of the workspace. `environ` gives the PATH, home and language where nothing
    holds programs. With `network` programs reach what the user reaches, whatever `reach` says.
    """

    def __init__(
        self,
        folder: Path,
        layer: Layer,
        reach: Callable[[], Reach],
        *,
        limits: ProgramLimits = ProgramLimits(),
        environ: Mapping[str, str] = os.environ,
        network: bool = False,
    ):
        self._folder, self._reach, self._limits, self._environ = folder, reach, limits, environ
        self._layer: Layer = layer
        self._network = network
        self._background: dict[str, _Call] = {}
        self._holder: _Call | None = None
        self._frozen: Reach | None = None
        self._lock = threading.Lock()  # of the background programs

    @property
    def containment(self) -> Containment:
        return Containment(self._layer, self._network)

    def run(self, call_id: str, program: Program, watch: Watch) -> Ran:
        if program.background:
            return self._run_in_background(call_id, program)
        call = self._start(call_id, program)
        try:
            while not call.ended(_LOOK_S):
                seconds = time.monotonic() - call.began
                if not watch(Progress(seconds, program.timeout_s, _last_line(call.folder))):
                    break
        finally:
            call.end()
        return call.ran()

    def outcome(self, call_id: str) -> Ran | None:
        ran = self._outcome(self._folder / call_id)
        return ran and replace(ran, ended_ns=ended_ns(self._folder / call_id))

    def _outcome(self, folder: Path) -> Ran | None:
        for leave in folder.glob(f"{_LEAVE}*"):  # from now on its shim, which may be on its way, starts nothing
            leave.unlink(missing_ok=True)
        try:
            process, started = (folder / "started").read_text().split()
        except FileNotFoundError:
            return None
        except ValueError:  # a system that does not tell when a process started
            return _recorded(folder) or _lost(folder)
        until = time.monotonic() + _STOP_S
        while (alive := shim.start_time(int(process)) == started) and time.monotonic() < until:
            time.sleep(0.02)  # it knows that the agent is gone, and ends the program
        if alive:
            with suppress(ProcessLookupError):
                os.kill(int(process), 9)
        return _recorded(folder) or _lost(folder)

    def forget(self, call_id: str) -> None:
        for call in self._background.values():
            if call.folder.name == call_id:
                call.forgotten = True
                return
        shutil.rmtree(self._folder / call_id, ignore_errors=True)

    def running(self) -> tuple[Running, ...]:
        now = time.monotonic()
        return tuple(
            Running(id, call.program.shown, now - call.began, _in_words(call.ran()) if call.ended(0) else "")
            for id, call in self._background.items()
        )

    def output(self, id: str) -> str:
        return _read_output(self._known(id).folder)[0]

    def stop(self, id: str) -> Ran:
        call = self._known(id)
        call.end()
        return call.ran()

    def end_background(self) -> None:
        for call in self._background.values():
            call.end()

    def close(self) -> None:
        calls = [*self._background.values(), *([self._holder] if self._holder else [])]
        self._background, self._holder = {}, None
        for call in calls:
            call.end()
            if call.forgotten:
                shutil.rmtree(call.folder, ignore_errors=True)

    def _known(self, id: str) -> _Call:
        if id not in self._background:
            known = ", ".join(self._background) or "none was started"
            raise CommandError(f"There is no program {id!r} in the background. Choose one of: {known}.")
        return self._background[id]

    def _run_in_background(self, call_id: str, program: Program) -> Ran:
        if self._layer != "bubblewrap":
            raise CommandError(
                "Nothing here can hold a program in the background. Run it to its end, with a timeout_s."
            )
        with self._lock:
            self._hold_network()
            call = self._start(call_id, replace(program, timeout_s=shim.NO_TIMEOUT))
            if call.ended(_FIRST_S):
                call.end()
                return call.ran()
            id = f"p{len(self._background) + 1}"
            self._background[id] = call
        output, dropped = _read_output(call.folder)
        return Ran("background", 0, output, dropped, time.monotonic() - call.began, id)

    def _hold_network(self) -> None:
        """Later programs of the run reach what those in the background serve, and nothing else."""
        if self._holder_id() or self.containment.network:
            return
        argv = bubblewrap.holder(bubblewrap.find())
        order = self._order(self._made("network"), argv, {}, Path("/"), timeout_s=shim.NO_TIMEOUT)
        holder = _launch(order, Program(argv, "", shim.NO_TIMEOUT))
        holder.forgotten = True
        until = time.monotonic() + _STOP_S
        while not (said := _read_output(holder.folder)[0]).endswith("\n"):
            if holder.ended(0.002) or time.monotonic() > until:
                holder.end()
                raise CommandError(f"No network for background programs could be made: {said.strip()}")
        self._holder = holder

    def _holder_id(self) -> int:
        """The process whose network programs share; 0 where there is none."""
        holder = self._holder
        return int(_read_output(holder.folder)[0]) if holder and not holder.ended(0) else 0

    def _start(self, call_id: str, program: Program) -> _Call:
        if any(len(os.fsencode(argument)) > _LONGEST_ARGUMENT for argument in program.argv):
            raise CommandError(
                f"The command is longer than {_LONGEST_ARGUMENT:,} bytes. Write it to a file and run that."
            )
        if any("\0" in argument for argument in program.argv):
            raise CommandError("The command holds a NUL character, which no command can. Leave it out.")
        reach = self._current_reach()
        if program.background:
            self._frozen = reach
        folder = self._made(call_id)
        code = _written(folder / "program.py", program.code.encode("utf-8", "replace")) if program.code else None
        match self._layer:
            case "bubblewrap":
                order = self._in_bubblewrap(folder, program, reach, code)
            case "landlock":
                order = self._under_landlock(folder, program, reach, code)
            case "none":
                argv = _with_code(program.argv, str(code))
                order = self._order(folder, argv, self._own_environ(reach, folder), reach.workspace, program)
        return _launch(order, program)

    def _current_reach(self) -> Reach:
        """While a program runs in the background, that of its start: what it sees as mounted it can't exchange.

        Bubblewrap mounts by path. Of a folder that was made since, such a program could make a link that leads out
        just before it is mounted for the next one.
        """
        alive = any(not call.ended(0) for call in self._background.values())
        return self._frozen if alive and self._frozen else replace(self._reach(), network=self._network)

    def _made(self, call_id: str) -> Path:
        folder = self._folder / call_id
        shutil.rmtree(folder, ignore_errors=True)  # of a call that is made again
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        return folder

    def _in_bubblewrap(self, folder: Path, program: Program, reach: Reach, code: Path | None) -> "shim.Order":
        environ = _environ(reach, bubblewrap.HOME, "/tmp")
        joins = 0 if reach.network else self._holder_id()
        given = bubblewrap.options(reach, folder / "etc", code, shares_network=reach.network or bool(joins))
        files = [_written(folder / "options", given), _written(folder / "filter", seccomp.bubblewrap_filter())]
        read = ("--args", str(shim.FIRST_FILE), "--seccomp", str(shim.FIRST_FILE + 1))
        sets = [word for name, value in environ.items() for word in ("--setenv", name, value)]
        inside = _with_code(program.argv, bubblewrap.CODE_FILE)
        argv = (bubblewrap.find(), *read, *sets, "--", *inside)
        order = self._order(folder, argv, {}, Path("/"), program)
        return {**order, "files": [str(file) for file in files], "wrapped": True, "join": joins}

    def _under_landlock(self, folder: Path, program: Program, reach: Reach, code: Path | None) -> "shim.Order":
        from autoagent.sandbox import landlock

        scratch = folder / "scratch"
        scratch.mkdir()
        rules = {**landlock.rules(reach, code), "scratch": str(scratch)}
        environ = _environ(reach, str(scratch), str(scratch))
        order = self._order(folder, _with_code(program.argv, str(code)), environ, reach.workspace, program)
        return {**order, "landlock": (str(landlock.__file__), rules)}

    def _own_environ(self, reach: Reach, folder: Path) -> dict[str, str]:
        """Where nothing holds a program it may use the user's home, but gets none of the keys in the environment."""
        kept = {name: self._environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in self._environ}
        return {**_environ(reach, str(folder), "/tmp"), **kept}

    def _order(
        self,
        folder: Path,
        argv: tuple[str, ...],
        environ: dict[str, str],
        cwd: Path,
        program: Program | None = None,
        *,
        timeout_s: float = 0.0,
    ) -> "shim.Order":
        background = program is None or program.background
        limits = self._limits
        asked_s = program.timeout_s if program else timeout_s
        leave = _written(folder / f"{_LEAVE}{os.urandom(8).hex()}", b"")
        return {
            "folder": str(folder),
            "leave": leave.name,
            "argv": list(argv),
            "environ": environ,
            "cwd": str(cwd),
            "files": [],
            "wrapped": False,
            "join": 0,
            "limits": [
                (resource.RLIMIT_CORE, 0),
                (
                    resource.RLIMIT_CPU,
                    limits.background_cpu_s if background else ceil(limits.cpu_s * max(1.0, asked_s / USUAL_S)),
                ),
                (resource.RLIMIT_DATA, limits.memory),
                (resource.RLIMIT_FSIZE, limits.file),
                (resource.RLIMIT_NOFILE, limits.open_files),
                (resource.RLIMIT_NPROC, _threads_of_the_machine() + limits.processes),
            ],
            "processes": limits.processes,
            "timeout_s": asked_s,
            "grace_s": limits.grace_s,
            "landlock": None,
        }


@functools.cache
def _shim() -> bytes:
    """The module as compiled: run by its path, it would be compiled anew for each program."""
    loader = shim.__spec__ and shim.__spec__.loader
    assert isinstance(loader, InspectLoader)
    return marshal.dumps(loader.get_code(shim.__name__))


def _launch(order: "shim.Order", program: Program) -> _Call:
    began = time.monotonic()
    folder = Path(order["folder"])
    try:
        with (folder / "errors").open("wb") as errors:
            process = subprocess.Popen(
                (sys.executable, "-I", "-S", "-c", shim.BOOT),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={},
                cwd="/",
                start_new_session=True,
            )
    except OSError as error:
        raise CommandError(f"No program can be started: {error.strerror}. Try again later.") from error
    call = _Call(folder, program, process, began)
    assert process.stdin
    module, data = _shim(), marshal.dumps(dict(order))
    try:
        with suppress(BrokenPipeError):  # it ended at once: `ran` tells why
            process.stdin.write(b"%08d%b%08d%b" % (len(module), module, len(data), data))
            process.stdin.flush()
    except BaseException:
        call.end()
        raise
    return call


def _environ(reach: Reach, home: str, scratch: str) -> dict[str, str]:
    """Nothing of the user's own. Git gets a name to commit by, and takes a folder whose owner it can't see."""
    workspace, found = reach.workspace, list[str]()
    environment = next((workspace / name for name in (".venv", "venv") if (workspace / name / "bin").is_dir()), None)
    if environment:
        found.append(f"{environment}/bin")
    found += (f"{workspace}/node_modules/.bin", os.path.dirname(sys.executable))  # noqa: PTH120 - not resolved
    environ = {
        "PATH": ":".join((*found, "/usr/local/bin", "/usr/bin", "/bin")),
        "HOME": home,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",  # what a server says is read while it runs
        "GIT_AUTHOR_NAME": "autoagent",
        "GIT_AUTHOR_EMAIL": "autoagent@localhost",
        "GIT_COMMITTER_NAME": "autoagent",
        "GIT_COMMITTER_EMAIL": "autoagent@localhost",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    return environ | ({"VIRTUAL_ENV": str(environment)} if environment else {})


def _with_code(argv: tuple[str, ...], path: str) -> tuple[str, ...]:
    return tuple(path if argument == CODE else argument for argument in argv)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _threads_of_the_machine() -> int:
    """The kernel's limit counts a user's threads on all of the machine: at most these, which one read tells."""
    try:
        return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return 4_096


def ended_ns(folder: Path) -> int:
    """When the program whose spool this is had ended with all that it started; 0 where nobody knows."""
    try:
        return (folder / "exit").stat().st_mtime_ns
    except OSError:
        return 0


def _recorded(folder: Path) -> Ran | None:
    try:
        end: dict[str, Any] = json.loads((folder / "exit").read_text())
    except FileNotFoundError:
        return None
    output, dropped = _read_output(folder)
    ended, code = _as_it_was(end["ended"], end["code"], output, held=(folder / "options").exists())
    return Ran(ended, code, output, dropped, end["seconds"])


def _as_it_was(ended: Any, code: int, output: str, *, held: bool) -> tuple[Any, int]:
    """Bubblewrap says 128 + N where the program in it was ended by the signal N, and 1 where it found none.

    So does a shell of its last command, by the same convention: exit codes that mean a signal are reported as one.
    """
    if held and code - 128 in _SIGNALS:
        return "signalled" if ended == "exited" else ended, code - 128
    if held and ended == "exited" and code == 1 and _NOT_FOUND.fullmatch(output):
        return ended, 127
    return ended, code


def _lost(folder: Path) -> Ran:
    output, dropped = _read_output(folder)
    return Ran("lost", 0, output, dropped)


def _read_output(folder: Path) -> tuple[str, int]:
    """The head and the newest part of the tail, as text, and how many bytes between them are gone."""
    for _ in range(20):  # the pieces of a program that runs go while they are read
        numbers = _pieces(folder)
        with suppress(FileNotFoundError):
            head, *pieces = [(folder / f"output.{number}").read_bytes() for number in numbers] or [b""]
            break
    else:
        return "", 0
    tail = b"".join(pieces)[-shim.PIECE :]
    newest = len(pieces[-1]) if pieces else 0
    written = numbers[-1] * shim.PIECE + newest if pieces else len(head)
    return (head + tail).decode("utf-8", "replace"), written - len(head) - len(tail)


def _pieces(folder: Path) -> list[int]:
    return sorted(int(path.name.partition(".")[2]) for path in folder.glob("output.*"))


def _last_line(folder: Path) -> str:
    with suppress(FileNotFoundError):
        for number in _pieces(folder)[-1:]:
            with (folder / f"output.{number}").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 4 * _LONGEST_LINE))
                lines = file.read().decode("utf-8", "replace").splitlines()
            return next((line for line in reversed(lines) if line.strip()), "")[-_LONGEST_LINE:]
    return ""


def _in_words(ran: Ran) -> str:
    match ran.ended:
        case "exited":
            return f"ended with exit code {ran.code}"
        case "signalled":
            return f"ended by signal {ran.code}"
        case "lost":
            return "gone, nobody knows how"
        case _:
            return "stopped"
