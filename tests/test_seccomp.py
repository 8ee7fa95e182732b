"""System calls under the filters, each made for real in a process that is bound by one."""

import errno
import json
import os
import platform
import signal
import socket
import subprocess
import sys

import pytest

from autoagent.sandbox import seccomp

if sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"}:
    pytest.skip("no seccomp filter for this machine", allow_module_level=True)

X86 = platform.machine() == "x86_64"
NEWUSER, NEWNET, FILES = 0x10000000, 0x40000000, 0x400
PRELUDE = """
import ctypes, errno, json, os, socket, sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("seccomp", sys.argv[1])
seccomp = module_from_spec(spec)
spec.loader.exec_module(seccomp)
seccomp.install(bytes.fromhex(sys.argv[2]))
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    "Its errno, or 0."
    result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_ulong, args))
    return ctypes.get_errno() if result == -1 else 0
def tried(act, *args):
    try:
        act(*args)
    except OSError as error:
        return error.errno
    return 0
"""
BUBBLEWRAP, CONTAINED = seccomp.bubblewrap_filter(), seccomp.contained_filter(network=False)
WITH_NETWORK = seccomp.contained_filter(network=True)


def run(code: str, filter: bytes, *args: str) -> "subprocess.CompletedProcess[str]":
    argv = (sys.executable, "-I", "-S", "-c", PRELUDE + code, seccomp.__file__, filter.hex(), *args)
    return subprocess.run(argv, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL, check=False)


def seen(code: str, filter: bytes, *args: str) -> object:
    """What the code prints, as JSON."""
    done = run(code, filter, *args)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("filter", [BUBBLEWRAP, CONTAINED, WITH_NETWORK], ids=["bubblewrap", "contained", "network"])
def test_no_call_reaches_the_machine_or_another_process(filter: bytes):
    calls = {name: numbers[0 if X86 else 1] for name, numbers in seccomp._DENIED.items()}
    calls = {name: number for name, number in calls.items() if number >= 0}
    code = (
        "print(json.dumps({name: call(number, 0, 0, 0, 0, 0, 0) for name, number in json.loads(sys.argv[3]).items()}))"
    )
    assert seen(code, filter, json.dumps(calls)) == dict.fromkeys(calls, errno.EPERM)


@pytest.mark.parametrize("filter", [BUBBLEWRAP, CONTAINED], ids=["bubblewrap", "contained"])
def test_no_namespace_can_be_made(filter: bytes):
    clone, unshare = (56, 272) if X86 else (220, 97)
    code = f"""print(json.dumps([
        call({unshare}, {NEWUSER}), call({unshare}, {NEWNET}), call({unshare}, {FILES}),
        call({clone}, {NEWUSER} | 17, 0, 0, 0, 0), call({clone}, {NEWUSER} | 17 | 1 << 32, 0, 0, 0, 0), call(435, 0, 0),
    ]))"""
    no = errno.EPERM
    assert seen(code, filter) == [no, no, 0, no, no, errno.ENOSYS]


def test_threads_and_processes_still_start():
    code = """
import subprocess, threading
found = []
thread = threading.Thread(target=lambda: found.append(subprocess.check_output(["/bin/echo", "x"]).decode()))
thread.start(); thread.join()
print(json.dumps(found))
"""
    assert seen(code, CONTAINED) == ["x\n"]


def test_nothing_is_typed_into_a_terminal_whatever_the_upper_half_of_the_request_says():
    ioctl = 16 if X86 else 29
    code = f"""
main, side = os.openpty()
byte = ctypes.create_string_buffer(b"x")
print(json.dumps([call({ioctl}, side, request, ctypes.addressof(byte)) for request in (
    0x5412, 0x5412 | 1 << 32, 0xFFFFFFFF00005412, 0x541C, 0x541C | 1 << 40)] + [tried(os.tcgetpgrp, 0)]))
"""
    assert seen(code, BUBBLEWRAP) == [errno.EPERM] * 5 + [errno.ENOTTY]


def test_protection_of_memory_stays():
    personality = 135 if X86 else 92
    values = (0xFFFFFFFF, 0x0040000, 0, 0x0400000, 0x0100000)  # ask, no randomising, Linux; executable data, page zero
    code = f"print(json.dumps([call({personality}, value) for value in {values}]))"
    assert seen(code, BUBBLEWRAP) == [0, 0, 0, errno.EPERM, errno.EPERM]


@pytest.mark.skipif(not X86, reason="only x86_64 has calls of other kinds")
def test_calls_by_the_numbers_of_x32_are_refused():
    assert (
        seen("print(json.dumps([call(0x40000000 | 39), call(0x40000000 | 101, 0, 0, 0, 0)]))", BUBBLEWRAP)
        == [errno.ENOSYS] * 2
    )


@pytest.mark.skipif(not X86, reason="only x86_64 has calls of other kinds")
def test_a_call_of_32_bit_ends_the_process():
    code = """
import mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid); int 0x80; ret
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""
    ended = run(code, BUBBLEWRAP).returncode
    if ended == -signal.SIGSEGV:
        pytest.skip("this kernel has no calls of 32 bit")
    assert ended == -signal.SIGSYS


def test_without_the_network_there_are_no_sockets_but_connected_pairs():
    kinds = [(family, kind) for family in (1, 2, 10, 16, 17, 38, 40) for kind in (1, 2, 3)]
    code = f"""
print(json.dumps([sorted({{tried(socket.socket, *kind) for kind in {kinds}}}),
    tried(socket.socketpair), tried(socket.socketpair, 1, 5),
    tried(socket.socketpair, 1, 2), tried(socket.socketpair, 1, 3)]))
"""
    assert seen(code, CONTAINED) == [[errno.EACCES], 0, 0, errno.EACCES, errno.EACCES]


def test_with_the_network_there_is_ip_only():
    code = """
print(json.dumps([tried(socket.socket, 2, 1), tried(socket.socket, 2, 2), tried(socket.socket, 16, 3, 0),
    tried(socket.socket, 1, 1), tried(socket.socket, 16, 3, 15), tried(socket.socket, 17, 3),
    tried(socket.socket, 40, 1)]))
"""
    no = errno.EACCES
    assert seen(code, WITH_NETWORK) == [0, 0, 0, no, no, no, no]


def test_with_the_network_names_are_resolved_and_servers_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = """
found = socket.getaddrinfo("localhost", int(sys.argv[3]), socket.AF_INET, socket.SOCK_STREAM)
with socket.create_connection(found[0][4]):
    print(json.dumps(bool(socket.if_nameindex())))
"""
        assert seen(code, WITH_NETWORK, str(server.getsockname()[1])) is True


def test_what_the_users_programs_share_is_not_shared():
    calls = {name: numbers[0 if X86 else 1] for name, numbers in seccomp._DENIED_SHARING.items()}
    code = "print(json.dumps({name: call(number, 0, 0, 0, 0, 0) for name, number in json.loads(sys.argv[3]).items()}))"
    assert seen(code, CONTAINED, json.dumps(calls)) == dict.fromkeys(calls, errno.EPERM)


def test_no_file_becomes_set_id_or_another_users(tmp_path: os.PathLike[str]):
    code = """
os.chdir(sys.argv[3])
open("file", "w").close()
file = os.open("file", os.O_RDWR)
print(json.dumps([tried(os.chmod, "file", 0o755), tried(os.fchmod, file, 0o755),
    tried(os.chmod, "file", 0o4755), tried(os.fchmod, file, 0o2755), tried(os.chown, "file", os.getuid(), os.getgid()),
    tried(os.setxattr, "file", "user.name", b"x")]))
"""
    no = errno.EPERM
    assert seen(code, CONTAINED, str(tmp_path)) == [0, 0, no, no, no, errno.EOPNOTSUPP]


def test_no_limit_of_another_process_can_be_set():
    code = f"""
import resource
print(json.dumps([tried(resource.setrlimit, resource.RLIMIT_NOFILE, (64, 64)),
    tried(resource.prlimit, {os.getpid()}, resource.RLIMIT_NOFILE)]))
"""
    assert seen(code, CONTAINED) == [0, errno.EPERM]


def test_a_filter_stays_over_exec_and_for_children():
    unshare = 272 if X86 else 97
    code = f"""
import subprocess
again = "import ctypes; "\\
    "l = ctypes.CDLL(None, use_errno=True); print(l.syscall({unshare}, {NEWUSER}), ctypes.get_errno())"
print(json.dumps(subprocess.check_output([sys.executable, "-I", "-S", "-c", again]).decode()))
"""
    assert seen(code, CONTAINED) == f"-1 {errno.EPERM}\n"
