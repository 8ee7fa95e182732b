"""Landlock: the kernel lets a program reach only what a list names. For where bubblewrap can't make namespaces.

Standard library only, and nothing of ours is imported at load: the child that becomes the program loads it by path.

What it can't do that bubblewrap does: a program sees that other files exist, how large they are, and the command lines
of other processes. There is no /dev/shm, so locks of Python's multiprocessing fail, and no /tmp but TMPDIR. It can
change mode and times of any file that is the user's own, but not make it set-ID. Before Linux 6.12 it can signal the
user's other processes.
"""

import ctypes
import errno
import functools
import os
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from autoagent.sandbox.reach import Reach

MOST_RULES = 12_000  # at some 40 microseconds a rule, for each program
_OLDEST = 3  # before, any file could be truncated

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_ALL_BY_ABI = {3: (1 << 15) - 1, 5: (1 << 16) - 1}
_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV  # what a rule for a file may name
_TCP, _TCP_ABI = 0b11, 4  # bind, connect
_SCOPES, _SCOPES_ABI = 0b11, 6  # abstract Unix sockets and signals stay among the program's own

_READ = _READ_FILE | _READ_DIR
_RUN = _READ | _EXECUTE
_OWN = ((1 << 15) - 1) & ~(_MAKE_CHAR | _MAKE_BLOCK)
_DEVICE = _READ_FILE | _WRITE_FILE

_DEVICES = ("null", "zero", "full", "random", "urandom")
_NAMES = ("/etc/passwd", "/etc/group", "/etc/nsswitch.conf")
_NETWORK_NAMES = ("/etc/hosts", "/etc/resolv.conf", "/etc/host.conf", "/etc/gai.conf")

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF, _OPENAT2 = 444, 445, 446, 437
_CAPSET = {"aarch64": 91}.get(os.uname().machine, 126)
_VERSION, _PATH_BENEATH = 1, 1
_AT_FDCWD, _NO_SYMLINKS = -100, 0x04
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _CLEAR_ALL = 24, 38, 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_KIND, _FOLDER = 0o170000, 0o040000  # of a mode

_TRY = """
import marshal, sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("landlock", sys.argv[1])
module = module_from_spec(spec)
spec.loader.exec_module(module)
module.restrict(marshal.load(sys.stdin.buffer))
try:
    open(sys.argv[1])
except PermissionError:
    print("held")
"""


def rules(reach: "Reach", code: "Path | None") -> dict[str, Any]:
    """What `restrict` takes; the caller adds `scratch`, a folder of the program's own for HOME and TMPDIR.

    A list of what is allowed can't except anything beneath a folder that it names. So a folder with something hidden
    at any depth can only be listed, and each other entry in it that is there when the program starts is named for
    itself. What a program notices: directly in such a folder it can't make, remove or rename anything ("Permission
    denied"); it can change the files there, and all in the other folders. It sees the names of what is hidden. With
    more rights it could replace a secret, or put files into a hidden folder, to which they extend.

    `read_only` can't be held: such files can be written. The caller sees and undoes that after the program.

    Raises CommandError where the workspace can't be held with at most MOST_RULES rules.
    """
    from autoagent.errors import CommandError
    from autoagent.sandbox import seccomp
    from autoagent.sandbox.reach import system_folders

    if str(reach.workspace) == "/":
        raise CommandError("The whole machine can't be the workspace of a sandbox. Start in a folder.")
    abi = _abi()
    hidden = _Hidden(reach.hidden)
    readable = (*system_folders(), *reach.interpreters)
    found = [rule for path in readable for rule in _beneath(os.path.realpath(path), _RUN, hidden, follow=True)]
    for grant in _beneath(str(reach.workspace), _OWN, hidden, follow=False):
        found.append(grant)
        if len(found) > MOST_RULES:
            raise CommandError(
                f"Folders with a secret in them have more than {MOST_RULES:,} entries, too many for Landlock. Move "
                "the secret (.env and the like) to a folder of its own, or install bubblewrap."
            )
    found += [(f"/dev/{name}", _DEVICE, True) for name in _DEVICES]
    found += [(name, _READ_FILE, True) for name in (*_NAMES, *(_NETWORK_NAMES if reach.network else ()))]
    found += [("/proc", _READ, True), ("/sys/devices/system/cpu", _READ, True)]
    found += [(str(code), _READ_FILE, True)] if code else []
    return _mapping(abi, found, seccomp.contained_filter(reach.network), network=reach.network)


def restrict(mapping: Mapping[str, Any]) -> None:
    """Bind this process and all that it becomes, for good. Its thread must be the only one. Raises OSError.

    What is gone since the rules were written is left out. A link that took the place of one of the workspace's folders
    is not followed.
    """
    libc, seccomp = ctypes.CDLL(None, use_errno=True), _neighbour("seccomp")  # as long as it can be read
    handled = struct.pack("QQQ", mapping["files"], mapping["tcp"], mapping["scopes"])
    ruleset = _called(libc.syscall(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0))
    try:
        for path, rights, follow in mapping["rules"]:
            _allow(libc, ruleset, path, rights & mapping["files"], follow=follow)
        if "scratch" in mapping:
            _allow(libc, ruleset, mapping["scratch"], _OWN & mapping["files"], follow=True)
        _called(libc.prctl(_PR_SET_NO_NEW_PRIVS, *map(ctypes.c_ulong, (1, 0, 0, 0))))
        _called(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    _drop_capabilities(libc)
    seccomp.install(bytes.fromhex(mapping["calls"]))


@functools.cache
def works() -> str:
    """ "" where programs can be held, or why not, in words. Really tried in a child, once."""
    if sys.platform != "linux":
        return "Landlock is a part of Linux"
    import marshal
    import subprocess

    from autoagent.sandbox import seccomp
    from autoagent.sandbox.reach import system_folders

    try:
        found = [(str(path), _RUN, True) for path in system_folders() if not __file__.startswith(f"{path}/")]
        mapping = _mapping(_abi(), found, seccomp.contained_filter(network=False), network=False)
        tried = subprocess.run(
            (sys.executable, "-I", "-S", "-c", _TRY, __file__),
            input=marshal.dumps(mapping),
            env={},
            cwd="/",
            capture_output=True,
            timeout=10,
            check=False,
        )
    except OSError as error:
        return error.strerror or str(error)
    except subprocess.TimeoutExpired:
        return "a program that was held by Landlock did not end"
    if tried.stdout == b"held\n":
        return ""
    said = tried.stderr.decode(errors="replace").strip().rpartition("\n")[2][:200]
    return f"Landlock does not hold a program here ({said or f'exit {tried.returncode}'})"


class _Hidden:
    """Paths that no rule may cover, the folders on the way to each, and the files themselves under other names."""

    def __init__(self, paths: "tuple[Path, ...]"):
        self.paths = {str(path) for path in paths}
        self.above = {str(folder) for path in paths for folder in path.parents}
        self.files = {(status.st_dev, status.st_ino) for status in map(_status, self.paths) if status}

    def is_a_name_of_one(self, entry: "os.DirEntry[str]") -> bool:
        status = _status(entry.path)
        return bool(status and (status.st_dev, status.st_ino) in self.files)


def _beneath(path: str, rights: int, hidden: _Hidden, *, follow: bool) -> Iterator[tuple[str, int, bool]]:
    """Rules for all beneath a path but what is hidden."""
    if path not in hidden.above:
        yield path, rights, follow
        return
    yield path, rights & _READ_DIR, follow
    with suppress(OSError), os.scandir(path) as entries:  # gone meanwhile, or unreadable for the program as well
        for entry in entries:
            if entry.path in hidden.paths or entry.is_symlink() or hidden.is_a_name_of_one(entry):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _beneath(entry.path, rights, hidden, follow=False)
            elif entry.is_file(follow_symlinks=False):
                yield entry.path, rights & _FILE, False


def _mapping(abi: int, found: list[tuple[str, int, bool]], calls: bytes, *, network: bool) -> dict[str, Any]:
    return {
        "files": max(rights for least, rights in _ALL_BY_ABI.items() if abi >= least),
        "tcp": _TCP if abi >= _TCP_ABI and not network else 0,
        "scopes": _SCOPES if abi >= _SCOPES_ABI else 0,
        "rules": [list(rule) for rule in found],
        "calls": calls.hex(),
    }


def _abi() -> int:
    """Raises OSError, in words, where there is none or it is too old."""
    libc = ctypes.CDLL(None, use_errno=True)
    abi = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if abi >= _OLDEST:
        return abi
    if abi >= 0:
        raise OSError(errno.ENOSYS, f"this kernel's Landlock is too old (ABI {abi}, Linux 6.2 has {_OLDEST})")
    if ctypes.get_errno() == errno.EOPNOTSUPP:
        raise OSError(errno.EOPNOTSUPP, "Landlock is switched off in this kernel (boot with lsm=landlock,…)")
    raise OSError(errno.ENOSYS, "this kernel has no Landlock, or a container's seccomp profile refuses it")


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int, *, follow: bool) -> None:
    descriptor = _opened(libc, path, follow=follow)
    if descriptor < 0:
        if ctypes.get_errno() in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES):
            return
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    try:
        if os.fstat(descriptor).st_mode & _KIND != _FOLDER:
            rights &= _FILE
        if not rights:
            return
        rule = struct.pack("=Qi", rights, descriptor)
        _called(libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _opened(libc: ctypes.CDLL, path: str, *, follow: bool) -> int:
    how = struct.pack("QQQ", os.O_PATH | os.O_CLOEXEC, 0, 0 if follow else _NO_SYMLINKS)
    return libc.syscall(_OPENAT2, _AT_FDCWD, os.fsencode(path), how, ctypes.c_size_t(len(how)))


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Root's, which no rule holds: device files, other users' files and processes, the limits of the machine."""
    number = 0
    while not libc.prctl(_PR_CAPBSET_DROP, *map(ctypes.c_ulong, (number, 0, 0, 0))):
        number += 1
    libc.prctl(_PR_CAP_AMBIENT, *map(ctypes.c_ulong, (_CLEAR_ALL, 0, 0, 0)))
    _called(libc.syscall(_CAPSET, struct.pack("Ii", _CAPABILITY_VERSION_3, 0), bytes(24)))


def _neighbour(name: str) -> Any:
    """A module beside this one, by path: the child has no packages."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(name, f"{__file__.rpartition('/')[0]}/{name}.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _called(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return result


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None
