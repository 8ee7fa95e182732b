"""System calls that programs may not make: classic BPF for the kernel's seccomp, written by hand.

Standard library only and without imports of ours: the child that becomes the program loads this file by its path.
"""

import errno
import os
import struct
from collections.abc import Iterable

_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}  # AUDIT_ARCH, column of the tables below
_X32 = 0x40000000  # bit of x32 calls, which share the arch field with x86_64

# Numbers on x86_64 and aarch64; -1 where a machine has no such call.
_DENIED = {
    # other processes' memory, and what has been the way to kernel bugs
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18),
    "syslog": (103, 116),
    "modify_ldt": (154, -1),
    "uselib": (134, -1),
    # keys that are the user's
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # what is mounted, and ways to files that no path leads to
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "setns": (308, 268),
    # the machine
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "nfsservctl": (180, 42),
    "vhangup": (153, 58),
    "iopl": (172, -1),
    "ioperm": (173, -1),
}

# Without namespaces these reach what other programs of the user share with each other, and no path leads to them.
_DENIED_SHARING = {
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
}
_DENIED_BY_PATH = {  # Landlock lets them through: owner and attributes of any file of the user
    "chown": (92, -1),
    "lchown": (94, -1),
    "fchownat": (260, 54),
}
_ATTRIBUTES = {
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
}

_CLONE, _CLONE3, _UNSHARE, _IOCTL, _PERSONALITY = (56, 220), (435, 435), (272, 97), (16, 29), (135, 92)
_SOCKET, _SOCKETPAIR, _PRLIMIT = (41, 198), (53, 199), (302, 261)
_CHMOD, _FCHMOD, _FCHMODAT, _FCHMODAT2 = (90, -1), (91, 52), (268, 53), (452, 452)

_NAMESPACES = 0x7E020080  # CLONE_NEWUSER, NEWNS, NEWPID, NEWNET, NEWIPC, NEWUTS, NEWCGROUP, NEWTIME
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # type into, paste into the user's terminal
_ADDR_NO_RANDOMIZE, _ASK = 0x0040000, 0xFFFFFFFF
_SET_ID = 0o6000
_AF_INET, _AF_INET6, _AF_NETLINK = 2, 10, 16
_SOCK_STREAM, _SOCK_SEQPACKET, _SOCK_KIND = 1, 5, 0xF

_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_BITS, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NUMBER, _ARCH, _ARGS = 0, 4, 16  # offsets in struct seccomp_data

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _FILTER = 22, 38, 2

_Code = list[tuple[int, int, int, int]]  # operation, jump if true, jump if false, constant


def bubblewrap_filter() -> bytes:
    """For `bwrap --seccomp`: what namespaces leave open. Raises OSError on a machine whose calls are not known here.

    clone3 fails as if the kernel had none, since its flags are behind a pointer: libraries then use clone.
    """
    return _program(_anywhere())


def contained_filter(network: bool) -> bytes:
    """For programs that share the user's namespaces: also no sockets but, with `network`, those of IP.

    Unix sockets are refused by kind, as Landlock knows no rule for the named ones. A pair of connected stream sockets
    stays; one of datagram sockets could still be pointed at a name. Netlink is what getaddrinfo asks for addresses.
    """
    return _program(_anywhere() + _where_shared(network))


def install(filter: bytes) -> None:
    """Bind this process and all that it starts, for good. Raises OSError."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(filter, len(filter))
    program = struct.pack("HxxxxxxP", len(filter) // 8, ctypes.addressof(code))
    zero = ctypes.c_ulong(0)
    for option, value, argument in (
        (_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero),
        (_PR_SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.c_char_p(program)),
    ):
        if libc.prctl(option, value, argument, zero, zero):
            raise OSError(ctypes.get_errno(), "The kernel takes no seccomp filter")


def _anywhere() -> _Code:
    return [
        *_deny(_DENIED.values(), errno.EPERM),
        *_deny([_CLONE3], errno.ENOSYS),
        *_call(_CLONE, [(_JUMP_BITS, 0, 1, _NAMESPACES), _fail(errno.EPERM)]),
        *_call(_UNSHARE, [(_JUMP_BITS, 0, 1, _NAMESPACES), _fail(errno.EPERM)]),
        # the kernel looks at the low half of the request only, and so does this
        *_call(
            _IOCTL, [(_JUMP_EQUAL, 1, 0, _TIOCSTI), (_JUMP_EQUAL, 0, 1, _TIOCLINUX), _fail(errno.EPERM)], argument=1
        ),
        # debuggers and sanitizers want fixed addresses for themselves; others weaken what protects memory
        *_call(_PERSONALITY, _only([0, _ADDR_NO_RANDOMIZE, _ASK], errno.EPERM)),
    ]


def _where_shared(network: bool) -> _Code:
    return [
        *_deny(_DENIED_SHARING.values(), errno.EPERM),
        *_deny(_DENIED_BY_PATH.values(), errno.EPERM),
        *_deny(_ATTRIBUTES.values(), errno.EOPNOTSUPP),  # as on a file system that has none: cp and tar go on
        # no program that others of the machine would run with this user's rights
        *_call(_CHMOD, _no_set_id(), argument=1),
        *_call(_FCHMOD, _no_set_id(), argument=1),
        *_call(_FCHMODAT, _no_set_id(), argument=2),
        *_call(_FCHMODAT2, _no_set_id(), argument=2),
        # limits of other processes of the user, the agent's among them
        *_call(_PRLIMIT, _only([0], errno.EPERM)),
        *(_call(_SOCKET, _ip_only()) if network else _deny([_SOCKET], errno.EACCES)),
        *_call(
            _SOCKETPAIR, [(_AND, 0, 0, _SOCK_KIND), *_only([_SOCK_STREAM, _SOCK_SEQPACKET], errno.EACCES)], argument=1
        ),
    ]


def _ip_only() -> _Code:
    return [
        (_JUMP_EQUAL, 5, 0, _AF_INET),
        (_JUMP_EQUAL, 4, 0, _AF_INET6),
        (_JUMP_EQUAL, 0, 2, _AF_NETLINK),
        (_LOAD, 0, 0, _ARGS + 2 * 8),
        (_JUMP_EQUAL, 1, 0, 0),  # NETLINK_ROUTE
        _fail(errno.EACCES),
    ]


def _no_set_id() -> _Code:
    return [(_JUMP_BITS, 0, 1, _SET_ID), _fail(errno.EPERM)]


def _only(values: Iterable[int], error: int) -> _Code:
    """Fails unless the argument is one of `values`."""
    values = list(values)
    return [*((_JUMP_EQUAL, len(values) - at, 0, value) for at, value in enumerate(values)), _fail(error)]


def _deny(calls: Iterable[tuple[int, int]], error: int) -> _Code:
    column = _machine()[1]
    return [part for call in calls if call[column] >= 0 for part in ((_JUMP_EQUAL, 0, 1, call[column]), _fail(error))]


def _call(call: tuple[int, int], block: _Code, *, argument: int = 0) -> _Code:
    """Of that call the low half of an argument goes through `block`, which returns, or ends: allowed."""
    number = call[_machine()[1]]
    if number < 0:
        return []
    block = [(_LOAD, 0, 0, _ARGS + argument * 8), *block, (_RETURN, 0, 0, _ALLOW)]
    return [(_JUMP_EQUAL, 0, len(block), number), *block]


def _fail(error: int) -> tuple[int, int, int, int]:
    return (_RETURN, 0, 0, _ERRNO | error)


def _program(code: _Code) -> bytes:
    """Calls of another machine (32-bit programs) end the process: their numbers mean something else."""
    arch, _ = _machine()
    whole = [
        (_LOAD, 0, 0, _ARCH),
        (_JUMP_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_AT_LEAST, 0, 1, _X32),
        _fail(errno.ENOSYS),
        *code,
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *part) for part in whole)


def _machine() -> tuple[int, int]:
    machine = os.uname().machine
    if machine not in _MACHINES:
        raise OSError(errno.ENOSYS, f"No seccomp filter for machines of kind {machine}")
    return _MACHINES[machine]
