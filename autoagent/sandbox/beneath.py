"""Opening a path beneath a folder, where the kernel itself refuses whatever leads out."""

import ctypes
import errno
import functools
import os
import sys
from collections.abc import Callable
from contextlib import suppress

FOLDER = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_OPENAT2 = 437  # the same number on x86-64 and ARM64
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08


def open_beneath(root: int, path: str, flags: int, *, follow: bool = True) -> int:
    """`openat2`, which refuses in the kernel whatever leads out of the root, also through a link."""
    how = _OpenHow(flags, 0, _BENEATH | _NO_MAGICLINKS | (0 if follow else _NO_SYMLINKS))
    descriptor: int = _syscall()(_OPENAT2, root, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return descriptor


@functools.cache
def _syscall() -> Callable[..., int]:
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    return syscall


def has_openat2(root: int) -> bool:
    """Whether the kernel has the call, and lets us."""
    with suppress(OSError):  # an old kernel, or a filter that forbids the call
        if sys.platform == "linux":
            os.close(open_beneath(root, ".", FOLDER))
            return True
    return False


_NOREPLACE = 1


def rename_to_free_name(old_folder: int, old: str, new_folder: int, new: str) -> None:
    """Rename in one step that takes nobody's place. Raises OSError."""
    if sys.platform == "linux":
        renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)  # not every C library has it
        if renameat2 and not renameat2(old_folder, os.fsencode(old), new_folder, os.fsencode(new), _NOREPLACE):
            return
        code = ctypes.get_errno()
        if renameat2 and code not in (errno.EINVAL, errno.ENOSYS):  # a file system or kernel that can't
            raise OSError(code, os.strerror(code))
    with suppress(FileNotFoundError):
        os.stat(new, dir_fd=new_folder, follow_symlinks=False)
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder)
