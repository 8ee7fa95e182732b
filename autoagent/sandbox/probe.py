"""Which layer holds programs on this machine, and what it really holds: found out by trying to get out of it."""

import json
import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoagent.errors import CommandError
from autoagent.programs import CODE, Layer, Program
from autoagent.sandbox import bubblewrap, landlock, seccomp
from autoagent.sandbox.process import SandboxedPrograms
from autoagent.sandbox.reach import Reach, interpreter_folders

_TIMEOUT_S = 20.0

_ATTEMPTS = {
    "write outside": "a program writes files outside of the workspace",
    "secret": "a program reads a secret file outside of the workspace",
    "home": "a program sees what is in the home folder",
    "modes": "a program changes who may read files outside of the workspace",
    "hard link": "a program links a file outside into the workspace",
    "symbolic link": "a program reads a file outside through a link in the workspace",
    "hidden": "a program reads .env in the workspace",
    "read-only": "a program changes what others obey, such as .git/hooks: what undoes that comes after it",
    "environment": "a program reads the environment of the user's processes, keys included",
    "signals": "a program can end the user's other processes",
    "descriptors": "a program inherits open files",
    "TCP": "a program connects to servers",
    "UDP": "a program sends datagrams",
    "named sockets": "a program talks to the user's other programs through their sockets",
    "abstract sockets": "a program talks to the user's other programs through sockets without a file",
    "user namespaces": "a program makes itself root of a namespace, where most holes of kernels were",
    "ptrace": "a program traces another",
    "io_uring": "a program uses io_uring, which goes around filters of system calls",
    "terminal": "a program types into the terminal",
}

# Each of its functions tells whether it got out. An OSError is the sandbox's no; any other error is reported.
_SCRIPT = r"""
import ctypes, fcntl, json, os, pathlib, signal, socket, sys
given = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    result = libc.syscall(*args)
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result
def write_outside():
    pathlib.Path(given["outside"], "made").write_text("x")
def secret():
    return given["canary"] in pathlib.Path(given["secret"]).read_text()
def home():
    return not set(os.listdir(given["home"])) <= set(given["installed"])
def modes():
    os.chmod(given["secret"], 0o644)
def hard_link():
    os.link(given["secret"], "link")
def symbolic_link():
    os.symlink(given["secret"], "symlink")
    return given["canary"] in pathlib.Path("symlink").read_text()
def hidden():
    return given["canary"] in pathlib.Path(given["hidden"]).read_text()
def read_only():
    pathlib.Path(given["read_only"]).write_text("x")
def environment():
    found = any(given["canary"] in value for value in os.environ.values())
    for name in os.listdir("/proc"):
        try:
            found |= name.isdigit() and given["canary"].encode() in pathlib.Path("/proc", name, "environ").read_bytes()
        except OSError:
            pass
    return found
def signals():
    os.kill(given["process"], 0)
def descriptors():
    for number in range(3, 4096):
        try:
            os.fstat(number)
            return True
        except OSError:
            pass
    return False
def connects(family, kind, address):
    with socket.socket(family, kind) as one:
        one.settimeout(2)
        one.connect(address)
        one.send(b"x")
def tcp():
    connects(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", given["tcp"]))
def udp():
    connects(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", given["udp"]))
def named_sockets():
    connects(socket.AF_UNIX, socket.SOCK_STREAM, given["named"])
def abstract_sockets():
    connects(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + given["abstract"])
def in_child(act):
    child = os.fork()
    if child == 0:
        try:
            act()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0
def user_namespaces():
    return in_child(lambda: call({"aarch64": 97}.get(os.uname().machine, 272), 0x10000000))
def ptrace():
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        call({"aarch64": 117}.get(os.uname().machine, 101), 16, child, 0, 0)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
def io_uring():
    os.close(call(425, 1, ctypes.create_string_buffer(120)))
def terminal():
    with open("/dev/tty") as tty:
        fcntl.ioctl(tty, 0x5412, b"x")
found = {}
for name in given["attempts"]:
    try:
        found[name] = globals()[name.lower().replace(" ", "_").replace("-", "_")]() is not False
    except OSError:
        found[name] = False
    except Exception as error:
        found[name] = f"{type(error).__name__}: {error}"
pathlib.Path("folder", "made").write_text("x")
print(json.dumps(found))
"""


@dataclass(frozen=True)
class _Bait:
    """`given` is what the script is told, `heard` the socket that its datagram would come to."""

    given: dict[str, Any]
    heard: socket.socket


@dataclass(frozen=True)
class Finding:
    """One way out of the sandbox: whether it is closed, and in words what a program can do where it is open."""

    name: str
    held: bool
    words: str


def choose_layer() -> Layer:
    """The strongest layer in which a program really starts here."""
    try:
        seccomp.bubblewrap_filter()
    except OSError:  # a kind of machine for which neither is whole
        return "none"
    if not bubblewrap.works():
        return "bubblewrap"
    return "none" if landlock.works() else "landlock"


def probe(layer: Layer) -> tuple[Finding, ...]:
    """Each way out, tried by a program in a workspace made for it. One that could not be tried counts as open."""
    try:
        with tempfile.TemporaryDirectory(prefix="autoagent-probe-") as name, _bait(Path(name).resolve()) as bait:
            found, error = _out_of(layer, Path(name).resolve(), bait)
    except OSError as failed:
        found, error = {}, str(failed)
    if error:
        return (Finding("programs", False, f"it could not be tried ({error})"),)
    return tuple(_finding(name, words, found.get(name)) for name, words in _ATTEMPTS.items())


def _out_of(layer: Layer, folder: Path, bait: _Bait) -> tuple[dict[str, Any], str]:
    """What the script found and what can be seen from here, or why it found nothing."""
    found, error = _attempted(layer, folder, bait.given)
    if error or not (folder / "ws" / "folder" / "made").exists():
        return {}, error or "a program writes nothing into its workspace"
    found["write outside"] = (folder / "outside" / "made").exists()  # what a root of its own keeps is no way out
    found["UDP"] = _has_come(bait.heard)  # a network of its own takes it as well
    found["read-only"] = bool(Path(bait.given["read_only"]).read_text())
    return found, ""


def _finding(name: str, words: str, found: Any) -> Finding:
    if isinstance(found, bool):
        return Finding(name, not found, "" if not found else words)
    return Finding(name, False, f"it could not be tried ({found})")


def _attempted(layer: Layer, folder: Path, given: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """What the script found, or why it found nothing."""
    workspace = folder / "ws"
    hooks, hidden = workspace / ".git" / "hooks", workspace / ".env"
    interpreters, home = interpreter_folders(workspace), Path.home().resolve()
    installed = [path.relative_to(home).parts[0] for path in interpreters if path.is_relative_to(home)]
    reach = Reach(workspace, (hooks,), (hidden,), interpreters)
    environ = {**os.environ, "CANARY": given["canary"]}
    programs = SandboxedPrograms(folder / "programs", layer, lambda: reach, environ=environ)
    argv = ("python3", CODE, json.dumps({**given, "installed": installed, "attempts": list(_ATTEMPTS)}))
    try:
        ran = programs.run("probe", Program(argv, "probe", _TIMEOUT_S, code=_SCRIPT), lambda _: True)
    except CommandError as error:
        return {}, str(error)
    finally:
        programs.close()
    with suppress(ValueError):
        return json.loads(ran.output), ""
    return {}, f"{ran.ended} {ran.code}: {' '.join(ran.output.split())[-300:]}"


@contextmanager
def _bait(folder: Path) -> Generator[_Bait]:
    """What a program would find if nothing held it: files, sockets that listen, a process with a key, an open file."""
    workspace, outside = folder / "ws", folder / "outside"
    canary = f"canary-{secrets.token_hex(8)}"
    secret, hook, hidden = outside / "secret", workspace / ".git" / "hooks" / "pre-commit", workspace / ".env"
    for made in (outside, hook.parent, workspace / "folder"):
        made.mkdir(mode=0o700, parents=True)
    hook.touch()
    for file in (secret, hidden):
        file.touch(mode=0o600)
        file.write_text(canary)
    with ExitStack() as opened:
        opened.enter_context(_inheritable(secret))
        process = opened.enter_context(_waiting(canary))
        heard = opened.enter_context(_bound(("127.0.0.1", 0)))
        yield _Bait(
            {
                "canary": canary,
                "secret": str(secret),
                "outside": str(outside),
                "home": str(Path.home()),
                "hidden": str(hidden),
                "read_only": str(hook),
                "process": process.pid,
                "tcp": opened.enter_context(_listening(socket.AF_INET, ("127.0.0.1", 0))).getsockname()[1],
                "udp": heard.getsockname()[1],
                "named": opened.enter_context(_listening(socket.AF_UNIX, str(outside / "socket"))).getsockname(),
                "abstract": opened.enter_context(_listening(socket.AF_UNIX, f"\0{canary}")).getsockname()[1:].decode(),
            },
            heard,
        )


def _listening(family: int, address: Any) -> socket.socket:
    listener = socket.socket(family)
    listener.bind(address)
    listener.listen()
    return listener


def _bound(address: tuple[str, int]) -> socket.socket:
    receiver = socket.socket(type=socket.SOCK_DGRAM)
    receiver.bind(address)
    return receiver


def _has_come(receiver: socket.socket) -> bool:
    receiver.setblocking(False)
    try:
        return bool(receiver.recv(1))
    except BlockingIOError:
        return False


@contextmanager
def _inheritable(path: Path) -> Generator[None]:
    with path.open() as file:
        os.set_inheritable(file.fileno(), True)
        yield


def _waiting(canary: str) -> "subprocess.Popen[bytes]":
    """A process of the user with a key in its environment, until its input ends."""
    return subprocess.Popen(("cat",), env={"PATH": os.defpath, "CANARY": canary}, stdin=subprocess.PIPE)
