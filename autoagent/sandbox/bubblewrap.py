"""Bubblewrap: a root of its own in which only the workspace can be written, without network or other processes."""

import functools
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from autoagent.errors import CommandError
from autoagent.sandbox.reach import Reach, system_folders

HOME = "/run/home"  # not beneath /tmp, which may be the workspace
CODE_FILE = "/run/program.py"
_SCRATCH = 512 << 20  # bytes in each folder that is gone with the program
_MOST_OPTIONS = 8_500  # bubblewrap reads 9,000
_CONTAINED = (
    *("--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"),
)


def find() -> str:
    """The distribution's own, which its AppArmor profile names; "" where there is none.

    Never from the PATH as it is: a folder in it may be the workspace's.
    """
    places = ("/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin")
    return next((f"{place}/bwrap" for place in places if os.access(f"{place}/bwrap", os.X_OK)), "")


@functools.cache
def works() -> str:
    """ "" where programs can be held, or why not, in words. Really tried, once."""
    bwrap = find()
    if not bwrap:
        return "bubblewrap is not installed. Install the package 'bubblewrap'"
    mounts = ("--size", "1048576", "--tmpfs", "/tmp", "--ro-bind", "/usr", "/usr", *_links(), "--proc", "/proc")
    try:
        tried = subprocess.run(
            (bwrap, *_CONTAINED, "--unshare-net", *mounts, "--dev", "/dev", "--", "/usr/bin/true"),
            env={},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap cannot be started: {error}"
    if not tried.returncode:
        return ""
    said = " ".join(tried.stderr.decode(errors="replace").split())[:200]
    if "Unknown option" in said:
        return f"this bubblewrap is older than 0.8 ({said})"
    return f"this system lets bubblewrap make no sandbox ({said or f'exit {tried.returncode}'})"


def options(reach: Reach, etc: Path, code: Path | None, *, shares_network: bool) -> bytes:
    """What `bwrap --args` reads. `etc` is a folder to be made, for files that stand for the system's own.

    Raises CommandError where there is more to protect than bubblewrap can.
    """
    given = [*_CONTAINED, *(() if shares_network else ("--unshare-net",)), *_root(reach, etc)]
    given += ("--bind", str(reach.workspace), str(reach.workspace))
    above = _above(reach)
    for path in sorted({*reach.read_only, *reach.hidden, *above}):
        if path in reach.hidden:
            given += _hidden(path)
        else:
            given += ("--bind" if path in above else "--ro-bind-try", str(path), str(path))
    if code:
        given += ("--ro-bind", str(code), CODE_FILE)
    given += ("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", str(reach.workspace))
    if len(given) > _MOST_OPTIONS:
        raise CommandError("The workspace has more protected files than the sandbox can hold: more than 2,500.")
    return b"".join(os.fsencode(one) + b"\0" for one in given)


def holder(bwrap: str) -> tuple[str, ...]:
    """A process of ours with a network of its own, which the programs of a run share. Prints its id, then sleeps."""
    sleeper = "echo $$; exec sleep 2147483647"
    shared = ("--unshare-user", "--unshare-net", "--die-with-parent", "--new-session", "--dev-bind", "/", "/")
    return (bwrap, *shared, "--", "/bin/sh", "-c", sleeper)


def _root(reach: Reach, etc: Path) -> list[str]:
    if reach.workspace == Path("/"):
        raise CommandError("The whole machine can't be the workspace of a sandbox. Start in a folder.")
    given = ["--proc", "/proc", "--dev", "/dev"]
    for scratch in ("/tmp", "/var/tmp", "/run", "/dev/shm"):
        given += ("--size", str(_SCRATCH), "--tmpfs", scratch)
    given += ("--dir", HOME)
    for path in system_folders():
        given += _bound(path)
    for file in _stand_ins(etc, reach.network):
        given += ("--ro-bind", str(file), f"/etc/{file.name}")
    for folder in reach.interpreters:
        given += ("--ro-bind", str(folder), str(folder))
    return given


def _above(reach: Reach) -> set[Path]:
    """Folders above what is read-only: a mount of its own can't be moved away, to put another in its place."""
    folders = {folder for path in reach.read_only for folder in path.parents if folder.is_relative_to(reach.workspace)}
    return folders - {reach.workspace, *reach.read_only}


def _bound(path: Path) -> Sequence[str]:
    """A link to another folder of the system stays one, as programs expect of /bin."""
    if path.parent == Path("/") and path.is_symlink():
        return ("--symlink", str(path.readlink()), str(path))
    return ("--ro-bind-try", str(path), str(path))


def _hidden(path: Path) -> Sequence[str]:
    """A file cannot be opened, a folder is empty."""
    if path.is_dir():
        return ("--perms", "0555", "--size", "4096", "--tmpfs", str(path), "--remount-ro", str(path))
    return ("--ro-bind", "/dev/null", str(path))


def _links() -> list[str]:
    return [
        word for path in system_folders() if path.parent == Path("/") and path != Path("/usr") for word in _bound(path)
    ]


def _stand_ins(etc: Path, network: bool) -> list[Path]:
    """Files of /etc that would tell who uses this machine and how."""
    user, group = os.getuid(), os.getgid()
    users = {0: "root", 65534: "nobody"} | ({user: "user"} if user else {})
    groups = {0: "root", 65534: "nogroup"} | ({group: "user"} if group else {})
    texts = {
        "passwd": "".join(f"{name}:x:{id}:{group if id else 0}::{HOME}:/bin/sh\n" for id, name in users.items()),
        "group": "".join(f"{name}:x:{id}:\n" for id, name in groups.items()),
        "hosts": "127.0.0.1 localhost\n::1 localhost\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }
    if network:
        texts["resolv.conf"] = _text("/etc/resolv.conf")
    etc.mkdir()
    for name, text in texts.items():
        (etc / name).write_text(text, encoding="utf-8")
    return [etc / name for name in texts]


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
