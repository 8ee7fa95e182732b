"""A run that is killed before any of its system calls: the program under test, and the driver that kills it.

`python crash_harness.py` is the first: it imports everything once and then forks a process for each order, so that a
kill costs neither an import nor calls that are not the run's. Plain functions and no assertions: what must hold is
said by `violations`, in words.
"""

import contextlib
import ctypes
import functools
import importlib
import json
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NoReturn

from support import by_step

from autoagent.effects import LOST
from autoagent.events import CommandStarted
from autoagent.journal import read, state_of
from autoagent.state import Observation, State
from autoagent.testing import ModelServer, Repeat, done, thought

DEADLINE_S = 30.0
KEY = "sk-test-0123456789abcdefghij"

# What the run does


@dataclass(frozen=True)
class Act:
    """A command call with all that it does: `paths` are its own and no other's, `token` a line in `effects`."""

    name: str
    args: dict[str, Any]
    paths: tuple[str, ...] = ()
    token: str = ""

    @property
    def is_program(self) -> bool:
        return self.name.startswith("run_")


@dataclass(frozen=True)
class Case:
    """A short run; the acts of one tuple are one thought."""

    files: dict[str, str]
    thoughts: tuple[tuple[Act, ...], ...]

    @property
    def script(self) -> list[Any]:
        said = [thought(commands=[(act.name, act.args) for act in acts]) for acts in self.thoughts]
        return [*said, done("All is done.")]

    @property
    def acts(self) -> list[Act]:
        return [act for acts in self.thoughts for act in acts]

    def lay_out(self, workspace: Path) -> None:
        workspace.mkdir(parents=True)
        for name, text in self.files.items():
            (workspace / name).write_text(text)
        (workspace / "effects").touch()


def shell(line: str, *, paths: tuple[str, ...] = (), token: str = "") -> Act:
    return Act("run_shell", {"command": line}, paths, token)


FILES = Case(
    {"a.txt": "alpha\nbeta\n", "log.txt": "one\n", "b.txt": "moved\n", "d.txt": "dropped\n"},
    (
        (
            Act("write_file", {"path": "new/n.txt", "text": "new\n"}, ("new", "new/n.txt")),
            Act("append_file", {"path": "log.txt", "text": "two\n"}, ("log.txt",)),
            Act("edit_file", {"path": "a.txt", "old": "beta", "new": "gamma"}, ("a.txt",)),
        ),
        (
            Act("move_file", {"source": "b.txt", "target": "to/b.txt"}, ("b.txt", "to", "to/b.txt")),
            Act("delete_file", {"path": "d.txt"}, ("d.txt",)),
            Act("make_folder", {"path": "made"}, ("made",)),
        ),
    ),
)
PROGRAMS = Case(
    {"s.sh": "echo s\n"},
    (
        (
            shell("echo one >> effects", token="one"),
            shell(
                "mkdir made && echo x > made/x && ln -s x made/link && chmod 700 s.sh",
                paths=("made", "made/x", "made/link", "s.sh"),
            ),
        ),
        (Act("run_python", {"code": "open('effects', 'a').write('two\\n')"}, token="two"),),
    ),
)


# The program under test


def serve() -> None:
    """Do each order that comes on a line, in a process of its own; say when it is ready and how it ended."""
    _prctl(36, 1)  # a child subreaper: whatever a run leaves behind stays below this process
    _warm_up()
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        child = _forked(order)
        while True:
            process, status = os.waitpid(-1, 0)
            if process == child:
                break
        print(f"ended {status}", flush=True)


def _warm_up() -> None:
    """Do all once: what is imported late or found out once is there from now on."""
    with tempfile.TemporaryDirectory() as root, ModelServer([Repeat(by_step(FILES.script))]) as model:
        world = World(Path(root), FILES, model.base_url)
        FILES.lay_out(world.workspace)
        os.environ.update(world.environ)
        _do(_order(world, "start", ()))
    for module in ("autoagent.cli.main", "autoagent.cli.undo"):
        importlib.import_module(module)

    assert threading.active_count() == 1


def _forked(order: dict[str, Any]) -> int:
    """The id of a process that waits at the gate for whoever is to watch it, and then does the order."""
    if order["alone"]:
        return _forked_alone(order)
    child = os.fork()
    if child:
        return child
    _prctl(0x59616D61, -1)  # PR_SET_PTRACER: whoever may, may trace it
    gate = _gate(order)
    print(f"waits {os.getpid()}", flush=True)
    _pass_gate_and_do(gate, order)


def _forked_alone(order: dict[str, Any]) -> int:
    """The same as process 1 of a PID namespace: all in it die with it, as in a container."""
    parent = os.fork()
    if parent:
        return parent
    _new_namespace()
    up, down = os.pipe()
    child = os.fork()
    if child:
        os.read(up, 1)
        print(f"waits {child}", flush=True)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            _die_of(os.WTERMSIG(status))
        os._exit(os.waitstatus_to_exitcode(status))
    _mount_proc()
    _prctl(0x59616D61, -1)
    gate = _gate(order)
    os.write(down, b".")
    _pass_gate_and_do(gate, order)


def _gate(order: dict[str, Any]) -> int:
    """Opened before anybody watches: a fault of this call would be one of ours."""
    return os.open(order["gate"], os.O_RDWR | os.O_CLOEXEC)


def _pass_gate_and_do(gate: int, order: dict[str, Any]) -> NoReturn:
    os.read(gate, 1)
    os.close(gate)
    code = 70
    try:
        said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.environ.update(order["environ"])
        code = _do(order)
    except BaseException:  # noqa: BLE001  # a bug: whoever reads what was said sees it
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _do(order: dict[str, Any]) -> int:
    """The exit code; what a person would be told is printed."""
    from autoagent import api
    from autoagent.errors import AutoagentError

    try:
        match order["action"]:
            case "start":
                api.run("Do it", workspace=order["workspace"], model="test-model", base_url=order["base_url"])
            case "resume":
                api.resume("last")
            case "resume carelessly":
                _resume_carelessly()
            case "undo":
                from autoagent.cli.undo import undo
                from autoagent.masking import Mask

                return undo.main(["last", "--yes"], "undo", standalone_mode=False, obj=Mask([])) or 0
            case _:
                return _do_as_typed(order["argv"], Path(order["workspace"]))
    except AutoagentError as error:
        print(error)
        return 1
    return 0


def _resume_carelessly() -> None:
    """As `api.resume` does, with the rule left out that this harness is about."""
    from autoagent import build, settings
    from autoagent.effects import Effects, Result
    from autoagent.journal import Journal
    from autoagent.places import find_run, runs_folder
    from autoagent.signals import Signals, Unattended

    class Careless(Effects):
        def after_a_crash(self, call_id: str, started: CommandStarted, seen: dict[str, str]) -> Result | None:
            return None  # whatever has no result runs again

    with Journal(find_run(runs_folder(), "last")) as journal:
        assert journal.state.setup
        found = settings.load(Path(journal.state.setup.workspace), {})
        build.resume_run(journal, *build.changed_setup(journal.state, found), print)
        agent = build.make_agent(journal, Unattended(journal.folder, Signals()), found, print)
        own = agent.executor.effects
        agent.executor = replace(agent.executor, effects=Careless(own.files, own.programs, own.history, own.people))
        with contextlib.closing(agent):
            agent.run()


def _do_as_typed(argv: list[str], workspace: Path) -> int:
    from autoagent.cli.main import run

    os.chdir(workspace)
    sys.argv = ["autoagent", *argv]
    try:
        run()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, ctypes.c_long(value), 0, 0, 0)


def _new_namespace() -> None:
    """A PID namespace for the next child; whoever is not root needs a user namespace for that."""
    new_pid, new_mounts, new_user = 0x20000000, 0x00020000, 0x10000000
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(new_pid | new_mounts | (new_user if user else 0)):
        raise OSError(ctypes.get_errno(), "unshare")
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _mount_proc() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    private_and_below = 0x40000 | 0x4000
    if libc.mount(b"none", b"/", None, private_and_below, None) or libc.mount(b"proc", b"/proc", b"proc", 0, None):
        raise OSError(ctypes.get_errno(), "mount")


def _die_of(number: int) -> None:
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


# The driver

SYSCALLS = (
    "openat", "openat2", "close", "write", "pwrite64", "read", "pread64", "fsync", "fdatasync", "ftruncate", "rename",
    "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "mkdir", "mkdirat",
    "rmdir", "chmod", "fchmod", "fchmodat", "flock", "fcntl", "clone", "clone3", "fork", "vfork", "execve", "wait4",
    "pipe2", "dup2", "kill", "pidfd_open", "poll", "sendto", "recvfrom", "connect", "ioctl", "exit_group", "newfstatat",
)  # fmt: skip
Whose = Literal["agent", "any", "container"]


@dataclass(frozen=True)
class Fault:
    """What happens instead of one system call: SIGKILL, or `error`.

    `whose` call it is: the agent's; that of any process, each counted by itself; or the agent's, with whom everybody
    dies.
    """

    syscall: str
    when: int
    error: str = ""
    whose: Whose = "agent"

    def __str__(self) -> str:
        return f"{self.error or 'SIGKILL'} at {self.syscall} {self.when} ({self.whose})"


@dataclass(frozen=True)
class World:
    """One temporary home with one run in it."""

    root: Path
    case: Case
    base_url: str

    @property
    def workspace(self) -> Path:
        return self.root / "ws"

    @property
    def folder(self) -> Path | None:
        """That of the only run; None before it began."""
        runs = self.root / "state/autoagent/runs"
        found = [folder for folder in runs.iterdir() if has_begun(folder)] if runs.is_dir() else []
        return found[0] if found else None

    @property
    def environ(self) -> dict[str, str]:
        return {
            "XDG_STATE_HOME": f"{self.root}/state", "XDG_CONFIG_HOME": f"{self.root}/config", "OPENAI_API_KEY": KEY,
            "NO_COLOR": "1",
        }  # fmt: skip


def is_over(world: World) -> bool:
    return world.folder is not None and state_of(world.folder).status == "reached"


def was_lost(world: World) -> bool:
    """Whether what watches over a program was killed alone: what the program does while it dies nobody sees."""
    return world.folder is not None and any(LOST in one.text for one in observations(state_of(world.folder)))


def has_begun(run: Path) -> bool:
    """Whether the journal holds a whole line."""
    try:
        return b"\n" in (run / "journal.jsonl").read_bytes()
    except FileNotFoundError:
        return False


@dataclass
class Running:
    """One order that is being done by `process`."""

    process: int
    said_in: Path
    trace_in: Path
    fault: Fault | None
    strace: "subprocess.Popen[str] | None"
    code: int | None = None  # how it ended, as a shell has it

    @property
    def said(self) -> str:
        return self.said_in.read_text() if self.said_in.exists() else ""

    @functools.cached_property
    def trace(self) -> str:
        """Complete only when all that is traced has ended, which this waits for."""
        if self.strace is None:
            return ""
        with self.strace:
            try:
                self.strace.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.strace.kill()
                raise
        return self.trace_in.read_text(errors="replace")

    @property
    def fired(self) -> bool:
        return self.fault is not None and _has_fired(self.trace, self.fault)


class Server:
    """The program under test, once for many orders."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            (sys.executable, str(Path(__file__))),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._expect("ready")

    def close(self) -> None:
        """End the program, and first whatever it left behind."""
        until = time.monotonic() + DEADLINE_S
        while (left := list(_below(self.process.pid))) and time.monotonic() < until:
            for line in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(line.partition(":")[0]), signal.SIGKILL)
            time.sleep(0.01)
        with self.process:
            self.process.kill()

    def start(
        self,
        world: World,
        action: str,
        argv: Sequence[str] = (),
        *,
        fault: Fault | None = None,
        count: Whose | None = None,
        alone: bool = False,
    ) -> Running:
        """Begin an order. With `count` the calls are traced and none is touched; `alone`: as process 1."""
        number = len(list(world.root.glob("said.*")))
        said, gate, trace = (world.root / f"{name}.{number}" for name in ("said", "gate", "trace"))
        said.touch()
        os.mkfifo(gate)
        whose = fault.whose if fault else count
        order = _order(world, action, argv)
        order |= {"said": str(said), "gate": str(gate), "alone": alone or whose == "container"}
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        process = int(self._expect("waits"))
        _wait_until_it_sleeps(process)
        strace = _attached(process, trace, whose, fault) if whose else None
        opened = os.open(gate, os.O_RDWR)  # for writing alone it would wait for whoever was ended at the gate
        os.write(opened, b".")
        os.close(opened)
        return Running(process, said, trace, fault, strace)

    def finish(self, running: Running) -> Running:
        """Wait for the process of an order, though not for what it leaves behind."""
        status = int(self._expect("ended"))
        running.code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)
        return running

    def has_more_to_say(self, within_s: float) -> bool:
        assert self.process.stdout
        return bool(select.select([self.process.stdout], [], [], within_s)[0])

    def do(self, world: World, action: str, *, fault: Fault | None = None, count: Whose | None = None) -> Running:
        return self.finish(self.start(world, action, fault=fault, count=count))

    def left(self) -> list[str]:
        """Command lines of what still runs below the program, after a moment in which it may go."""
        until = time.monotonic() + DEADLINE_S / 2
        while (found := list(_below(self.process.pid))) and time.monotonic() < until:
            time.sleep(0.01)
        return found

    def _expect(self, word: str) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline() if self.has_more_to_say(DEADLINE_S) else ""
        said, _, rest = line.strip().partition(" ")
        if said != word:
            raise TimeoutError(f"the program under test said {line!r} and not {word!r}")
        return rest


def _order(world: World, action: str, argv: Sequence[str]) -> dict[str, Any]:
    return {
        "action": action, "argv": list(argv), "workspace": str(world.workspace), "base_url": world.base_url,
        "environ": world.environ,
    }  # fmt: skip


def _wait_until_it_sleeps(process: int) -> None:
    """At the gate, so that what is counted from then on begins with what is behind it."""
    until = time.monotonic() + DEADLINE_S
    while Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] != "S":
        if time.monotonic() > until:
            raise TimeoutError(f"process {process} does not come to the gate")
        time.sleep(0.0005)


def _attached(process: int, trace: Path, whose: Whose, fault: Fault | None) -> "subprocess.Popen[str]":
    traced = fault.syscall if fault and not fault.error else ",".join(f"?{name}" for name in SYSCALLS)
    argv = ["strace", "-y", "-s0", "-o", str(trace), "-p", str(process), f"--trace={traced}"]
    argv += ["-f"] if whose == "any" else []
    if fault:
        what = f"error={fault.error}" if fault.error else "signal=KILL"
        argv.append(f"--inject={fault.syscall}:{what}:when={fault.when}")
    strace = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    assert strace.stderr
    line = strace.stderr.readline()
    if "attached" not in line:
        raise OSError(f"strace: {line.strip()}")
    return strace


_CALL = re.compile(r"(?:(\d+) +)?(\w+)\(")


def calls(trace: str) -> list[tuple[int, str]]:
    """Process and system call, in order."""
    return [(int(found[1] or 0), found[2]) for line in trace.splitlines() if (found := _CALL.match(line))]


def _has_fired(trace: str, fault: Fault) -> bool:
    if fault.error:
        return "(INJECTED)" in trace
    counted = Counter(process for process, name in calls(trace) if name == fault.syscall)
    killed = [int(found[1] or 0) for found in re.finditer(r"(?m)^(\d+)? *\+\+\+ killed by SIGKILL", trace)]
    return any(counted[process] == fault.when for process in killed)


def _below(process: int) -> Iterator[str]:
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == process and state != "Z":
                yield f"{status.parent.name}: {(status.parent / 'cmdline').read_text()[:80]!r}"


# What must hold

Tree = dict[str, tuple[str, int, str]]


def tree(root: Path) -> Tree:
    """Each path with its kind, its permissions and its content."""
    found: Tree = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        kind = stat.filemode(status.st_mode)[0]
        content = str(path.readlink()) if kind == "l" else path.read_text() if kind == "-" else ""
        found[str(path.relative_to(root))] = (kind, stat.S_IMODE(status.st_mode), content)
    return found


@dataclass(frozen=True)
class Whole:
    """What a run comes to that nothing disturbs: the workspace before and after, and how often the model is asked."""

    before: Tree
    after: Tree
    requests: int


@dataclass(frozen=True)
class Found:
    """What a disturbed run came to: the outcomes other than "ok", and what must not be, in words."""

    outcomes: tuple[str, ...]
    violations: tuple[str, ...]


def observations(state: State) -> list[Observation]:
    return [one for step in state.steps for one in step.observations if one.call]


def look(world: World, whole: Whole, *, requests: int, faults: int) -> Found:
    """At a run that has reached its goal."""
    wrong: list[str] = []
    if world.folder is None:
        return Found((), ("there is no run",))
    events = list(read(world.folder))
    if [event.seq for event in events] != list(range(1, len(events) + 1)):
        wrong.append("the journal has a gap")
    state = state_of(world.folder)
    if state.status != "reached":
        return Found((), (f"the run is {state.status}: {state.reason}",))
    now, told = (
        tree(world.workspace),
        {(one.call.name, str(one.call.args)): one for one in observations(state) if one.call},
    )
    tokens = Counter(now["effects"][2].split()) if "effects" in now else Counter[str]()
    outcomes: list[str] = []
    for act in world.case.acts:
        one = told.get((act.name, str(act.args)))
        outcome = one.outcome if one else "never asked for"
        outcomes.append(outcome)
        wrong += [f"{act.name} {act.args}: {words}" for words in _wrong_of(act, outcome, now, whole, tokens)]
    owned = {path for act in world.case.acts for path in act.paths} | {"effects"}
    wrong += [
        f"{path} is not as it was, though nothing was to change it"
        for path in (now.keys() | whole.before.keys()) - owned
        if now.get(path) != whole.before.get(path)
    ]
    if strange := tokens.keys() - {act.token for act in world.case.acts}:
        wrong.append(f"effects holds {strange}")
    if requests > whole.requests + faults:
        wrong.append(f"the model was asked {requests} times and not {whole.requests}, for {faults} faults")
    if state.usage.calls < requests:
        wrong.append(f"{requests} calls were made, {state.usage.calls} are in the books")
    return Found(tuple(outcome for outcome in outcomes if outcome != "ok"), tuple(wrong))


def _wrong_of(act: Act, outcome: str, now: Tree, whole: Whole, tokens: Mapping[str, int]) -> Iterator[str]:
    open_ended = outcome == "unknown" or (outcome == "failed" and act.is_program)  # a program fails half-way
    times = tokens.get(act.token, 0)
    if act.token and times not in ((0, 1) if open_ended else (1,) if outcome == "ok" else (0,)):
        yield f"is {outcome} and took effect {times} times"
    for path in act.paths:
        here, before, after = now.get(path), whole.before.get(path), whole.after.get(path)
        if outcome == "ok" and here != after:
            yield f"is ok, but {path} is {here} and not {after}"
        elif outcome != "ok" and not open_ended and here != before:
            yield f"is {outcome}, but {path} is {here} and not {before}"


# The sweep


@dataclass(frozen=True)
class Row:
    """What came of one disturbed run."""

    faults: tuple[Fault, ...]
    fired: int
    outcomes: tuple[str, ...]  # of its acts, other than "ok"
    violations: tuple[str, ...]

    @property
    def counted(self) -> tuple[str, int, bool, bool]:
        """For the table: the call, how often a fault fired, whether the run was told of it, whether all was well."""
        return (self.faults[0].syscall, self.fired, bool(self.outcomes), bool(self.violations))

    def __str__(self) -> str:
        return f"{', then '.join(map(str, self.faults))}: {'; '.join(self.violations)}"


class Bench:
    """A place for many runs of one case, each in its own world."""

    def __init__(self, root: Path, case: Case, server: Server, model: ModelServer):
        self.root, self.case, self.server, self.model = root, case, server, model
        self.worlds = 0
        world = self.new_world()
        before = tree(world.workspace)
        self.server.do(world, "start")
        self.whole = Whole(before, tree(world.workspace), len(model.requests))

    def new_world(self) -> World:
        self.worlds += 1
        world = World(self.root / str(self.worlds), self.case, self.model.base_url)
        self.case.lay_out(world.workspace)
        return world

    def most(self, whose: Whose) -> dict[str, int]:
        """How often the process that does it most often makes each call in a run that nothing disturbs."""
        counted = Counter(calls(self.server.do(self.new_world(), "start", count=whose).trace))
        found: dict[str, int] = {}
        for (_, name), times in sorted(counted.items()):
            found[name] = max(times, found.get(name, 0))
        return found

    def touching(self, whose: Whose, names: Sequence[str]) -> list[tuple[str, int]]:
        """Each of these calls, by its number, that has to do with the run's own files."""
        world, counted = self.new_world(), Counter[tuple[int, str]]()
        found: dict[tuple[str, int], None] = {}
        own = tuple(f"{world.root}/{name}" for name in ("state", "ws"))
        for line in self.server.do(world, "start", count=whose).trace.splitlines():
            if call := _CALL.match(line):
                key = (int(call[1] or 0), call[2])
                counted[key] += 1
                if call[2] in names and any(path in line for path in own):
                    found[call[2], counted[key]] = None
        return list(found)

    def disturb(self, *faults: Fault, resume: str = "resume") -> Row:
        """One run; each fault befalls one process of it, the next goes on, and in the end all of it is undone."""
        world, asked, wrong = self.new_world(), len(self.model.requests), list[str]()
        runnings: list[Running] = []
        for fault in (*faults, None, None, None):
            if is_over(world):
                break
            runnings.append(self.server.do(world, resume if world.folder else "start", fault=fault))
            wrong += _wrong_end(runnings[-1])
        found = look(world, self.whole, requests=len(self.model.requests) - asked, faults=len(faults))
        wrong += [*found.violations, *(f"left behind: {process}" for process in self.server.left())]
        undone = self.server.do(world, "undo")
        if tree(world.workspace) != self.whole.before and not was_lost(world):
            wrong.append(f"undo does not bring all back: {undone.said}")
        fired = sum(running.fired for running in runnings)
        wrong += [words for running in runnings for words in _wrong_trace(running)]
        if not wrong:
            shutil.rmtree(world.root)
        return Row(faults, fired, found.outcomes, tuple(wrong))


def _wrong_end(running: Running) -> Iterator[str]:
    """Killed, or ended by itself: with a line for a person where it has not done its part."""
    lines = running.said.strip().splitlines()
    if running.code not in (0, 1, 137):
        yield f"exit code {running.code}: {running.said[-500:]}"
    elif running.code == 1 and (len(lines) != 1 or running.fault is None):
        yield f"exit code 1, and said: {running.said[-500:]!r}"


def _wrong_trace(running: Running) -> Iterator[str]:
    """After a failed fsync of the journal nobody knows what is on disk: nothing more may be written to it."""
    failed = False
    for line in running.trace.splitlines():
        if "/journal.jsonl>" not in line:
            continue
        if failed and re.match(r"(\d+ +)?write\(", line):
            yield "the journal was written to after its fsync had failed"
            return
        failed = failed or ("fsync(" in line and "(INJECTED)" in line)


def spread(most: Mapping[str, int], amount: int) -> list[tuple[str, int]]:
    """About that many calls, of as many kinds as there are, each kind from its first to its last."""
    quota = dict.fromkeys(most, 0)
    while sum(quota.values()) < min(amount, sum(most.values())):
        name = min((name for name in most if quota[name] < most[name]), key=lambda name: (quota[name], name))
        quota[name] += 1
    return [(name, 1 + at * most[name] // times) for name, times in quota.items() for at in range(times)]


def table(rows: Sequence[Sequence[Any]]) -> list[str]:
    """By system call: how many runs, how often a fault fired, what the runs came to. `rows` are `Row.counted`."""
    lines = [f"{'call':<12}{'runs':>6}{'fired':>7}{'identical':>11}{'told':>6}{'violations':>12}"]
    for kind in [*sorted({row[0] for row in rows}), "all"]:
        of = [row for row in rows if kind in (row[0], "all")]
        fired, told, bad = (sum(row[at] for row in of) for at in (1, 2, 3))
        lines.append(f"{kind:<12}{len(of):>6}{fired:>7}{len(of) - told:>11}{told:>6}{bad:>12}")
    return lines


if __name__ == "__main__":
    serve()
