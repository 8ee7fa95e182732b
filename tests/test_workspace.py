"""Nothing outside the workspace is read or written, whatever the path, and whatever changes meanwhile."""

import ctypes
import errno
import hashlib
import os
import platform
import socket
import stat
import subprocess
import sys
import textwrap
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoagent.env import Entry
from autoagent.errors import ConfigError, SandboxError
from autoagent.sandbox.workspace import READ_LIMIT, Workspace, printable

LINUX = sys.platform == "linux"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
as_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
case_sensitive = pytest.mark.skipif(sys.platform == "darwin", reason="the disk may be case-insensitive")
bytes_as_names = pytest.mark.skipif(sys.platform == "darwin", reason="the disk takes UTF-8 names only")


def has_openat2() -> bool:
    how = (ctypes.c_uint64 * 3)(os.O_RDONLY | os.O_CLOEXEC, 0, 8)
    descriptor = ctypes.CDLL(None).syscall(437, -100, b".", how, 24) if LINUX else -1
    if descriptor >= 0:
        os.close(descriptor)
    return descriptor >= 0


BACKENDS = [pytest.param(True, id="openat2", marks=pytest.mark.skipif(not has_openat2(), reason="no openat2"))]
BACKENDS += [pytest.param(False, id="walk")]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """`ws/` with a few files, and beside it `OUT/secret.txt` and `ws-evil/x`, which nobody may touch."""
    (tmp_path / "ws/d").mkdir(parents=True)
    (tmp_path / "ws/a.txt").write_bytes(b"inside")
    (tmp_path / "ws/d/b.txt").write_bytes(b"inside b")
    for name in ("OUT", "ws-evil"):
        (tmp_path / name).mkdir()
    for name in ("OUT/secret.txt", "OUT/f", "OUT/SECRET", "ws-evil/x", "SECRET"):
        (tmp_path / name).write_bytes(b"SECRET")
    return tmp_path


@pytest.fixture
def ws(place: Path) -> Path:
    return place / "ws"


@pytest.fixture(params=BACKENDS)
def files(ws: Path, request: pytest.FixtureRequest) -> Iterator[Workspace]:
    with Workspace(ws, openat2=request.param) as workspace:
        yield workspace


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything beneath `folder` with its mode and content."""
    found: dict[str, tuple[int, bytes]] = {}
    for parent, folders, names in os.walk(folder):
        for name in folders + names:
            path = Path(parent, name)
            status = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
            found[str(path)] = (status.st_mode, content)
    return found


def outside(place: Path) -> dict[str, tuple[int, bytes]]:
    return {name: what for folder in place.iterdir() if folder.name != "ws" for name, what in tree(folder).items()}


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd" if LINUX else "/dev/fd").iterdir())


def assert_refused(act: Callable[[], object], place: Path, given_path: str) -> str:
    """Refused in under 2 s by a message without the host path, with no trace in or outside the workspace."""
    before, descriptors, start = tree(place), open_descriptors(), time.monotonic()
    with pytest.raises(SandboxError) as refused:
        act()
    message = str(refused.value)
    assert time.monotonic() - start < 2
    assert str(place) not in message.replace(given_path, "")
    assert "\n" not in message
    assert "SECRET" not in message
    assert printable(given_path[:150]) in message
    assert tree(place) == before
    assert open_descriptors() == descriptors
    return message


# --- reading ---

OUTWARD = [
    pytest.param("../OUT/secret.txt", id="001 dotdot"),
    pytest.param("d/../../OUT/secret.txt", id="002 dotdot after a real folder"),
    pytest.param("../ws-evil/x", id="003 sibling with the same prefix"),
    pytest.param("{place}/ws-evil/x", id="003 absolute sibling with the same prefix"),
    pytest.param("{place}/OUT/secret.txt", id="004 absolute"),
    pytest.param("{place}/ws/../OUT/secret.txt", id="004 absolute through the workspace"),
    pytest.param("../docker-compose.yml", id="006 docker-compose"),
    pytest.param("/app/docker-compose.yml", id="006 absolute docker-compose"),
    pytest.param("../../main.py", id="007 python file"),
    pytest.param("out", id="008 link to a file"),
    pytest.param("out_folder/secret.txt", id="009 link to a folder"),
    pytest.param("out_absolute", id="008 absolute link"),
    pytest.param("out_absolute_folder/f", id="009 absolute link to a folder"),
    pytest.param("d/up/../OUT/secret.txt", id="002 dotdot through a link to the root"),
    pytest.param("to_root/../OUT/secret.txt", id="002 dotdot through a link"),
    pytest.param("chain/secret.txt", id="009 link to a link"),
    pytest.param("/proc/self/environ", id="018 environ"),
    pytest.param("magic", id="019 magic link"),
    pytest.param("/dev/stdin", id="020 stdin"),
    pytest.param("/", id="041 root of the disk"),
    pytest.param("..", id="parent"),
    pytest.param("../ws/a.txt", id="out and in again"),
]


def make_outward_links(ws: Path) -> None:
    (ws / "out").symlink_to("../OUT/secret.txt")
    (ws / "out_folder").symlink_to("../OUT")
    (ws / "chain").symlink_to("out_folder")
    (ws / "out_absolute").symlink_to(ws.parent / "OUT/secret.txt")
    (ws / "out_absolute_folder").symlink_to(ws.parent / "OUT")
    (ws / "d/up").symlink_to("..")
    (ws / "to_root").symlink_to("d/up")
    (ws / "magic").symlink_to("/proc/self/root/etc/passwd")


@pytest.mark.parametrize("path", OUTWARD)
def test_a_path_that_leads_out_is_neither_read_nor_written_nor_listed(files: Workspace, place: Path, path: str):
    make_outward_links(place / "ws")
    path = path.format(place=place)
    for act in (files.read_bytes, files.fingerprint, files.real_name, files.entries):
        message = assert_refused(lambda act=act: act(path), place, path)
        assert "is outside the workspace. Paths are relative" in message
    assert_refused(lambda: files.write_bytes(path, b"x"), place, path)
    assert_refused(lambda: files.write_bytes(path + "/new", b"x"), place, path)


@pytest.mark.parametrize("path", ["a.txt", "./a.txt", "d/../a.txt", "d//../a.txt", "{ws}/a.txt", "link", "d/up/a.txt"])
def test_a_path_that_stays_inside_is_read(files: Workspace, ws: Path, path: str):
    make_outward_links(ws)
    (ws / "link").symlink_to("d/../a.txt")
    path = path.format(ws=ws)
    assert files.read_bytes(path) == b"inside"  # 005, 011
    assert files.real_name(path) == "a.txt"


def test_the_root_may_be_given_through_a_link(place: Path):
    (place / "alias").symlink_to("ws")
    with Workspace(place / "alias") as files:
        assert files.read_bytes(f"{place}/alias/a.txt") == b"inside"
        assert files.read_bytes(f"{place}/ws/a.txt") == b"inside"


def test_a_link_made_during_the_run_is_seen(files: Workspace, place: Path):
    files.write_bytes("d2/x", b"1")  # 012
    (place / "ws/d2/x").unlink()
    (place / "ws/d2").rmdir()
    (place / "ws/d2").symlink_to("../OUT")
    assert_refused(lambda: files.write_bytes("d2/x", b"2"), place, "d2/x")


@pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "device"])
def test_only_regular_files_are_opened(
    files: Workspace, place: Path, kind: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
):
    monkeypatch.chdir(place / "ws")  # a socket's path is short
    match kind:
        case "fifo":
            os.mkfifo("p")  # 021
        case "socket":
            server = socket.socket(socket.AF_UNIX)
            server.bind("p")
            request.addfinalizer(server.close)
        case "folder":
            Path("p").mkdir()
        case _:
            if os.geteuid():
                pytest.skip("needs root")
            os.mknod("p", 0o666 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero
    for act in (files.read_bytes, files.fingerprint, lambda path: files.write_bytes(path, b"x")):
        message = assert_refused(lambda act=act: act("p"), place, "p")
        assert ("is a folder" if kind == "folder" else "FIFO, socket or device") in message


@pytest.mark.parametrize("path", ["~/x", "$HOME/x", "C:\\x", "NUL", "a.txt:s", "．．/OUT/x", "..%2fOUT%2fx", "..\\x"])
def test_names_that_mean_something_elsewhere_are_literal(files: Workspace, place: Path, path: str):
    before = outside(place)
    with pytest.raises(SandboxError, match="does not exist"):  # 022, 023, 029, 030, 033, 035, 036
        files.read_bytes(path)
    files.write_bytes(path, b"mine")
    assert (place / "ws" / path).read_bytes() == b"mine"
    assert outside(place) == before
    assert not (Path.home() / "x").exists()


@pytest.mark.parametrize("path", ["", "a.txt\0", "\0", "\ud800", "d/\udcff"])
def test_a_path_that_is_none_is_refused(files: Workspace, place: Path, path: str):
    for act in (files.read_bytes, files.fingerprint, files.real_name, files.entries):  # 024, 025
        assert_refused(lambda act=act: act(path), place, path)
    assert_refused(lambda: files.write_bytes(path, b"x"), place, path).encode()


def test_a_name_has_at_most_255_bytes(files: Workspace, place: Path):
    assert "255 bytes" in assert_refused(lambda: files.write_bytes("a" * 256, b"x"), place, "a" * 256)  # 026
    assert "255 bytes" in assert_refused(lambda: files.write_bytes("new/" + "가" * 86, b"x"), place, "new/가")
    files.write_bytes("a" * 255, b"x")  # 027
    assert files.read_bytes("a" * 255) == b"x"


@pytest.mark.parametrize(
    "path", ["a/" * 2100 + "f", "a/" * 101 + "f", "long-name-of-a-folder" * 12 + "/" + "b/" * 5000]
)
def test_a_path_too_deep_leaves_no_tree(files: Workspace, place: Path, path: str):
    for act in (files.read_bytes, files.real_name, lambda path: files.write_bytes(path, b"x")):  # 028
        assert "too deep" in assert_refused(lambda act=act: act(path), place, path)


def test_a_hundred_links_in_a_row_end(files: Workspace, place: Path):
    for number in range(100):
        (place / f"ws/l{number}").symlink_to(f"l{number + 1}")
    (place / "ws/self").symlink_to("self")
    for path in ("l0", "self", "self/x"):
        assert "too many links" in assert_refused(lambda path=path: files.read_bytes(path), place, path)
        assert "too many links" in assert_refused(lambda path=path: files.write_bytes(path, b"x"), place, path)


@case_sensitive
def test_another_spelling_is_another_file(files: Workspace, ws: Path):
    composed, decomposed = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
    files.write_bytes(composed, b"1")
    with pytest.raises(SandboxError, match="does not exist"):  # 031
        files.read_bytes(decomposed)
    files.write_bytes("A.txt", b"2")  # 032
    assert (files.read_bytes("a.txt"), files.read_bytes("A.txt")) == (b"inside", b"2")


def test_a_file_is_read_whole_up_to_the_limit(files: Workspace, place: Path):
    content = os.urandom(1_000_000)
    files.write_bytes("big", content)
    assert files.read_bytes("big", limit=1_000_000) == content
    message = assert_refused(lambda: files.read_bytes("big", limit=999_999), place, "big")
    assert "1,000,000 bytes, more than the 999,999" in message


def test_a_huge_file_is_refused_at_once(files: Workspace, ws: Path):
    with (ws / "huge").open("wb") as huge:
        huge.truncate(READ_LIMIT + 1)
    with pytest.raises(SandboxError, match="more than the 33,554,432"):
        files.read_bytes("huge")
    os.truncate(ws / "huge", 2**40)
    with pytest.raises(SandboxError, match="more than the"):
        files.fingerprint("huge")


@pytest.mark.parametrize("path", ["a.txt/x", "a.txt/", "a.txt/.", "a.txt/..", "a.txt/../a.txt"])
def test_a_file_is_no_folder(files: Workspace, place: Path, path: str):
    assert_refused(lambda: files.read_bytes(path), place, path)
    assert_refused(lambda: files.write_bytes(path, b"x"), place, path)


@pytest.mark.parametrize("path", [".", "./", "d", "d/", "d/..", "new/", "{ws}", "{ws}/"])
def test_a_folder_is_no_file(files: Workspace, place: Path, path: str):
    path = path.format(ws=place / "ws")
    assert_refused(lambda: files.read_bytes(path), place, path)
    assert "is a folder" in assert_refused(lambda: files.write_bytes(path, b"x"), place, path)


@as_user
def test_a_file_without_permission_is_refused(files: Workspace, place: Path):
    (place / "ws/a.txt").chmod(0)
    with pytest.raises(SandboxError, match=r"^'a\.txt' cannot be used: permission denied\.$"):
        files.read_bytes("a.txt")
    (place / "ws/d").chmod(0o500)
    with pytest.raises(SandboxError, match="permission denied"):
        files.write_bytes("d/new", b"x")


def test_a_closed_workspace_refuses(ws: Path):
    files = Workspace(ws)
    files.close()
    files.close()
    for act in (files.read_bytes, files.real_name, files.fingerprint, files.entries):
        with pytest.raises(SandboxError):
            act("a.txt")


def test_a_workspace_that_is_no_folder_is_a_settings_error(ws: Path):
    for root in (ws / "none", ws / "a.txt"):
        with pytest.raises(ConfigError, match="cannot be opened"):
            Workspace(root)


# --- writing ---


def test_a_file_is_written_with_the_folders_it_needs(files: Workspace, ws: Path):
    mask = os.umask(0o027)
    try:
        files.write_bytes("x/y/z.txt", b"new")
    finally:
        os.umask(mask)
    assert (ws / "x/y/z.txt").read_bytes() == b"new"
    assert stat.S_IMODE((ws / "x/y/z.txt").stat().st_mode) == 0o640
    assert list((ws / "x/y").iterdir()) == [ws / "x/y/z.txt"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o666])
def test_the_mode_of_a_file_is_kept(files: Workspace, ws: Path, mode: int):
    (ws / "a.txt").chmod(mode)
    files.write_bytes("a.txt", b"new")
    assert stat.S_IMODE((ws / "a.txt").stat().st_mode) == mode


def test_a_read_only_file_is_not_replaced(files: Workspace, place: Path):
    (place / "ws/a.txt").chmod(0o444)
    assert "read-only" in assert_refused(lambda: files.write_bytes("a.txt", b"x"), place, "a.txt")


def test_a_write_goes_through_a_link_to_a_file_inside(files: Workspace, ws: Path):
    (ws / "l").symlink_to("d/b.txt")
    (ws / "ld").symlink_to("d")
    files.write_bytes("l", b"by link")
    files.write_bytes("ld/n", b"by folder link")
    assert ((ws / "d/b.txt").read_bytes(), (ws / "d/n").read_bytes()) == (b"by link", b"by folder link")
    assert (ws / "l").is_symlink()


@pytest.mark.parametrize("target", ["../OUT/new", "gone", "gone/new", "d/gone"])
def test_a_dangling_link_is_not_written(files: Workspace, place: Path, target: str):
    (place / "ws/l").symlink_to(target)  # 010
    assert_refused(lambda: files.write_bytes("l", b"x"), place, "l")
    assert_refused(lambda: files.write_bytes("l/x", b"x"), place, "l/x")


def test_a_hard_link_becomes_a_file_of_its_own(files: Workspace, place: Path):
    (place / "ws/h").hardlink_to(place / "OUT/secret.txt")
    files.write_bytes("h", b"mine")  # 015, 016
    assert (place / "OUT/secret.txt").read_bytes() == b"SECRET"
    assert (place / "ws/h").read_bytes() == b"mine"
    assert (place / "OUT/secret.txt").stat().st_nlink == 1


@pytest.mark.parametrize("path", ["a\nNEXT ACTION: none", "a\rb", "\x1b[2J", "a\x7f", "a\x85b", "a\u2028b", "a\nb/c"])
def test_a_name_with_control_characters_is_not_written(files: Workspace, place: Path, path: str):
    message = assert_refused(lambda: files.write_bytes(path, b"x"), place, path)  # 038
    assert "control character" in message
    assert message.isprintable()


@pytest.mark.parametrize("path", ["가나다 라.md", "👩‍👩‍👧 plan.md", "nbsp\u202fhere.png", "-rf", " a", "a "])
def test_other_names_are_fine(files: Workspace, path: str):
    files.write_bytes(path, b"x")
    assert files.read_bytes(path) == b"x"
    assert path in [entry.path for entry in files.entries()]


@pytest.mark.parametrize("path", ["new/../a.txt", "new/../../OUT/f", "new/deep/../../../ws-evil/x"])
def test_no_folder_is_made_only_to_leave_it(files: Workspace, place: Path, path: str):
    assert_refused(lambda: files.write_bytes(path, b"x"), place, path)


def test_a_file_must_be_as_it_was_expected(files: Workspace, place: Path):
    seen = files.fingerprint("a.txt")
    files.write_bytes("a.txt", b"second", expect=seen)
    assert "not as it was last seen" in assert_refused(
        lambda: files.write_bytes("a.txt", b"third", expect=seen), place, "a.txt"
    )
    assert_refused(lambda: files.write_bytes("a.txt", b"third", expect="absent"), place, "a.txt")
    assert_refused(lambda: files.write_bytes("x/y", b"third", expect=seen), place, "x/y")
    assert files.fingerprint("x/y") == "absent"
    files.write_bytes("x/y", b"third", expect="absent")
    assert files.read_bytes("x/y") == b"third"


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from autoagent.errors import SandboxError
from autoagent.sandbox.workspace import Workspace
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Workspace(Path(sys.argv[1])).write_bytes("x/y/a.txt", bytes(5000))
except SandboxError as error:
    print(error)
"""


def test_a_failed_write_leaves_nothing_behind(ws: Path):
    before = tree(ws)
    done = subprocess.run([sys.executable, "-c", FULL_DISK, ws], capture_output=True, text=True, check=True)
    assert done.stdout == f"'x/y/a.txt' cannot be used: {os.strerror(errno.EFBIG)}.\n"
    assert tree(ws) == before


@as_root
@pytest.mark.skipif(not LINUX, reason="mounts a tmpfs")
def test_a_full_disk_is_told_and_the_old_file_kept(ws: Path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", ws / "d"]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount")
    try:
        with Workspace(ws) as files:
            files.write_bytes("d/a.txt", b"old")
            with pytest.raises(SandboxError, match=r"^The disk is full: 'd/a\.txt' was not written\.$"):
                files.write_bytes("d/a.txt", bytes(200_000))
            assert [entry.path for entry in files.entries("d")] == ["d/a.txt"]
            assert files.read_bytes("d/a.txt") == b"old"
    finally:
        subprocess.run(["umount", ws / "d"], check=True)


# --- what is forbidden inside ---


@pytest.mark.parametrize("path", ["state/journal", "state", "state/new", "alias/journal", "d/../state/journal"])
def test_our_own_folder_is_out_of_reach_even_inside(ws: Path, place: Path, path: str):
    (ws / "state").mkdir()
    (ws / "state/journal").write_bytes(b"SECRET")
    (ws / "alias").symlink_to("state")
    with Workspace(ws, forbidden=[ws / "state"]) as files:  # 044
        for act in (files.read_bytes, files.fingerprint, files.real_name, files.entries):
            assert "belongs to autoagent" in assert_refused(lambda act=act: act(path), place, path)
        assert_refused(lambda: files.write_bytes(path, b"x"), place, path)
        names = [entry.path for entry in files.entries(recursive=True)]
        assert names == ["a.txt", "alias", "d", "d/b.txt"]


def test_our_own_folder_may_come_later_and_is_no_workspace(ws: Path, place: Path):
    with Workspace(ws, forbidden=[ws / "state"]) as files:
        assert_refused(lambda: files.write_bytes("state/journal", b"x"), place, "state/journal")
        (ws / "state").mkdir()
        assert_refused(lambda: files.write_bytes("state/journal", b"x"), place, "state/journal")
    with pytest.raises(ConfigError, match="autoagent's own"):
        Workspace(ws, forbidden=[ws / "d/.."])


@as_root
@pytest.mark.skipif(not LINUX, reason="makes a bind mount")
def test_our_own_folder_under_another_name_is_known(ws: Path, place: Path):
    (ws / "state").mkdir()
    (ws / "state/journal").write_bytes(b"SECRET")
    if subprocess.run(["mount", "--bind", ws / "state", ws / "d"], capture_output=True, check=False).returncode:
        pytest.skip("may not mount")
    try:
        with Workspace(ws, forbidden=[ws / "state"]) as files:
            assert_refused(lambda: files.read_bytes("d/journal"), place, "d/journal")
            assert [entry.path for entry in files.entries(recursive=True)] == ["a.txt"]
    finally:
        subprocess.run(["umount", ws / "d"], check=True)


# --- listing ---


def test_a_folder_is_listed_by_name_and_links_are_not_followed(files: Workspace, ws: Path):
    make_outward_links(ws)
    os.mkfifo(ws / "d/p")
    (ws / "a").mkdir()
    assert list(files.entries()) == [
        Entry("a", "folder", (ws / "a").stat().st_size),
        Entry("a.txt", "file", 6),
        Entry("chain", "link", 10),
        Entry("d", "folder", (ws / "d").stat().st_size),
        Entry("magic", "link", 26),
        *(Entry(n, "link", (ws / n).lstat().st_size) for n in ("out", "out_absolute", "out_absolute_folder")),
        Entry("out_folder", "link", 6),
        Entry("to_root", "link", 4),
    ]
    deep = [entry.path for entry in files.entries(recursive=True)]
    assert deep[:7] == ["a", "a.txt", "chain", "d", "d/b.txt", "d/p", "d/up"]
    assert not any(name.startswith(("out_folder/", "d/up/")) for name in deep)


@pytest.mark.parametrize("path", ["d", "./d", "d/", "d/.", "d/../d", "{ws}/d", "ld", "ld/"])
def test_entries_have_their_real_name(files: Workspace, ws: Path, path: str):
    (ws / "ld").symlink_to("d")
    assert [entry.path for entry in files.entries(path.format(ws=ws))] == ["d/b.txt"]


@bytes_as_names
def test_names_that_are_no_text_are_listed_escaped(files: Workspace, ws: Path):
    for name in (b"\xff", b"\xffd", "가\n나".encode(), b"\x1b[2J"):
        Path(os.fsdecode(os.fsencode(ws / "d") + b"/" + name)).mkdir()
    Path(os.fsdecode(os.fsencode(ws / "d/") + b"/\xffd/in")).write_bytes(b"")
    names = [entry.path for entry in files.entries("d", recursive=True)]  # 039
    assert names == ["d/\\x1b[2J", "d/b.txt", "d/가\\n나", "d/\\xff", "d/\\xffd", "d/\\xffd/in"]
    assert all(name.encode() and name.isprintable() for name in names)
    (ws / "l").symlink_to(os.fsdecode(b"d/\xff"))
    with pytest.raises(SandboxError, match="'l' leads to a name that is not valid UTF-8"):
        files.real_name("l")


def test_a_hundred_thousand_names_are_listed_as_far_as_wanted(files: Workspace, ws: Path):
    for number in range(2000):
        (ws / "d" / f"{number:04}").mkdir()
    start = open_descriptors()
    some = files.entries(recursive=True)  # 040
    assert [next(some).path for _ in range(4)] == ["a.txt", "d", "d/0000", "d/0001"]
    assert open_descriptors() == start
    assert sum(1 for _ in some) == 1999


def test_a_folder_that_vanishes_is_passed_over(files: Workspace, ws: Path):
    (ws / "e").mkdir()
    found = files.entries(recursive=True)
    seen: list[str] = []
    for entry in found:
        seen.append(entry.path)
        if entry.path == "d":
            (ws / "d/b.txt").unlink()
            (ws / "d").rmdir()
            (ws / "d").symlink_to("../OUT")
    assert seen == ["a.txt", "d", "e"]


@as_user
def test_a_folder_that_may_not_be_read_is_passed_over(files: Workspace, ws: Path):
    (ws / "d").chmod(0)
    try:
        assert [entry.path for entry in files.entries(recursive=True)] == ["a.txt", "d"]
        with pytest.raises(SandboxError, match="permission denied"):
            files.entries("d")
    finally:
        (ws / "d").chmod(0o700)


def test_a_tree_deeper_than_any_path_is_listed_without_recursion(files: Workspace, ws: Path):
    script = "import os\nfor _ in range(3000): os.mkdir('n'); os.chdir('n')"
    subprocess.run([sys.executable, "-c", script], cwd=ws, check=True)
    assert len(list(files.entries(recursive=True))) == 103
    subprocess.run(["rm", "-rf", "n"], cwd=ws, check=True)


# --- real names ---


def test_a_real_name_is_where_the_links_lead(files: Workspace, ws: Path):
    (ws / ".env").write_bytes(b"KEY=1")
    (ws / "l").symlink_to("d/ll")
    (ws / "d/ll").symlink_to("../.env")
    (ws / "ld").symlink_to("d")
    (ws / "dangling").symlink_to("d/new")
    names = {
        "l": ".env",
        "ld/b.txt": "d/b.txt",
        "ld/../l": ".env",
        "ld/new/er": "d/new/er",
        "none/a": "none/a",
        "dangling": "d/new",
        "dangling/x": "d/new/x",
        ".": ".",
        "d/..": ".",
        "d/": "d",
        str(ws): ".",
        f"{ws}/ld": "d",
    }
    assert {path: files.real_name(path) for path in names} == names
    with pytest.raises(SandboxError, match="does not exist"):
        files.real_name("none/../a.txt")


# --- races ---

EXCHANGE = textwrap.dedent("""
    import ctypes, os, sys
    libc, number, flags = ctypes.CDLL(None), int(sys.argv[1]), 2
    os.chdir(sys.argv[2])
    print("go", flush=True)
    while os.getppid() == int(sys.argv[3]):
        for _ in range(1000):
            libc.syscall(number, -100, b"d", -100, b"swap", flags)
""")
RENAMEAT2 = {"x86_64": 316, "aarch64": 276}.get(platform.machine()) if LINUX else None


@pytest.fixture
def exchanging(place: Path) -> Iterator[None]:
    """A program exchanges the folder `d` and a link to OUT without pause."""
    if RENAMEAT2 is None:
        pytest.skip("no renameat2")
    (place / "ws/d/f").write_bytes(b"inside")
    (place / "ws/swap").symlink_to("../OUT")
    command = [sys.executable, "-c", EXCHANGE, str(RENAMEAT2), place / "ws", str(os.getpid())]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as program:
        assert program.stdout
        assert program.stdout.readline() == b"go\n"
        try:
            yield
        finally:
            program.kill()


def read_all(files: Workspace, *, times: int, seconds: float) -> dict[bytes, int]:
    """How often each content came out, "refused" included."""
    found: dict[bytes, int] = {}
    end = time.monotonic() + seconds
    for _ in range(times):
        for path in ("d/f", "d/../d/f"):
            try:
                content = files.read_bytes(path)
            except SandboxError:
                content = b"refused"
            found[content] = found.get(content, 0) + 1
        if time.monotonic() > end:
            break
    return found


def assert_only_inside(found: dict[bytes, int]) -> None:
    assert set(found) <= {b"inside", b"refused"}
    assert found.get(b"inside"), "the race never let a read through"
    assert found.get(b"refused"), "the exchange was never met"


@pytest.mark.usefixtures("exchanging")
def test_a_folder_exchanged_for_a_link_never_gives_the_outside(files: Workspace):
    assert_only_inside(read_all(files, times=4000, seconds=1))  # 013


@pytest.mark.slow
@pytest.mark.usefixtures("exchanging")
def test_twenty_thousand_reads_never_give_the_outside(files: Workspace):
    assert_only_inside(read_all(files, times=20_000, seconds=120))  # 013


@pytest.mark.usefixtures("exchanging")
def test_a_folder_exchanged_for_a_link_never_sends_a_write_outside(files: Workspace, place: Path):
    before = outside(place)  # 014
    outcomes: set[bool] = set()
    end = time.monotonic() + 1
    while time.monotonic() < end:
        for path in ("d/f", "d/new/g"):
            try:
                files.write_bytes(path, b"inside")
                outcomes.add(True)
            except SandboxError:
                outcomes.add(False)
    assert outcomes == {True, False}
    assert outside(place) == before


@pytest.mark.usefixtures("exchanging")
def test_a_folder_exchanged_for_a_link_is_never_listed_from_outside(files: Workspace):
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        names = {entry.path for entry in files.entries(recursive=True)}
        assert not any("SECRET" in name for name in names)


def test_threads_share_a_workspace(files: Workspace):
    files.write_bytes("x/y", b"0" * 1000)
    failures: list[object] = []

    def read() -> None:
        for _ in range(300):
            content = files.read_bytes("x/../x/y")
            if len(set(content)) != 1 or len(content) != 1000 or files.real_name("x/y") != "x/y":
                failures.append(content)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for digit in b"123":
        files.write_bytes("x/y", bytes([digit]) * 1000)
    for reader in readers:
        reader.join()
    assert not failures


# --- any path ---

SEGMENTS = [
    "..",
    "..",
    ".",
    "",
    "~",
    "a.txt",
    "d",
    "f",
    "new",
    "OUT",
    "secret.txt",
    "ws",
    "ws-evil",
    "．．",
    "‥",
    "...",
]
SEGMENTS += ["out", "out_folder", "chain", "out_absolute", "to_root", "up", "magic", "a" * 255, "a" * 256, "가" * 90]
SEGMENTS += ["\0", "a\nb", "\udcff", "..%2f", "..\\", "$HOME", "proc", "self", "etc", "passwd"]


def outcome(act: Callable[[str], object], path: str) -> str:
    try:
        return str(act(path))
    except SandboxError as error:
        return str(error)


@pytest.mark.parametrize("openat2", BACKENDS)
def test_no_path_at_all_reaches_outside(place: Path, openat2: bool):
    ws = place / "ws"
    make_outward_links(ws)
    before = outside(place)
    starts = st.sampled_from(["", "", "/", f"{ws}/", f"{place}/", f"{ws}/../", "//"])

    @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
    @given(starts, st.lists(st.sampled_from(SEGMENTS), max_size=8).map("/".join))
    def attack(start: str, rest: str) -> None:
        path = start + rest
        for act in (files.read_bytes, files.fingerprint, files.real_name, lambda p: list(files.entries(p))):
            result = outcome(act, path)
            assert "SECRET" not in result
            assert str(place) not in result or str(place) in path
        try:
            files.write_bytes(path, b"written")
        except SandboxError:
            pass
        else:
            assert files.read_bytes(path) == b"written"
            assert (ws / files.real_name(path)).read_bytes() == b"written"
        assert outside(place) == before

    with Workspace(ws, openat2=openat2) as files:
        attack()
        assert not [name for name in tree(ws) if name.endswith(".autoagent")]


# --- moving, removing, folders ---

Act = Callable[[Workspace, str], object]
READY = hashlib.sha256(b"inside").hexdigest()
LAST_PARTS: list[Act] = [
    lambda files, path: files.remove(path, expect=READY),
    lambda files, path: files.rename(path, "free", expect=READY),
    lambda files, path: files.rename("a.txt", path, expect=READY),
    lambda files, path: write_new(files, path),
    lambda files, path: files.remove_folder(path),
]
last_parts = pytest.mark.parametrize("act", LAST_PARTS, ids=["remove", "rename from", "rename to", "new", "rmdir"])


def write_new(files: Workspace, path: str) -> None:
    with files.new_file(path) as file:
        file.write(b"inside")


@last_parts
@pytest.mark.parametrize(
    "path",
    ["../OUT/secret.txt", "d/../../OUT/x", "{place}/OUT/secret.txt", "/etc/probe", "out_folder/f", "to_root/../OUT/f"],
)
def test_what_leads_out_is_neither_moved_nor_removed(files: Workspace, place: Path, act: Act, path: str):
    make_outward_links(place / "ws")
    path = path.format(place=place)
    assert_refused(lambda: act(files, path), place, path)


@last_parts
@pytest.mark.parametrize("path", [".", "/", "d/..", "", "a\0b", "x/" * 101 + "f", "x" * 256])
def test_what_is_no_file_is_neither_moved_nor_removed(files: Workspace, place: Path, act: Act, path: str):
    assert_refused(lambda: act(files, path), place, path)


@pytest.mark.parametrize("act", LAST_PARTS[2:4], ids=["rename to", "new"])
@pytest.mark.parametrize("path", ["a\nb", "a\x1b[2J", "d/", "d/b.txt", "a.txt/x"])
def test_a_name_that_is_not_free_or_not_fit_is_not_taken(files: Workspace, place: Path, act: Act, path: str):
    assert_refused(lambda: act(files, path), place, path)


def test_names_of_255_bytes_are_moved_and_made(files: Workspace, ws: Path):
    name = "é" * 127 + "x"
    files.rename("a.txt", f"new/{name}", expect=READY)
    assert files.make_folder(name)
    files.remove(f"new/{name}", expect=READY)
    files.remove_folder(name)
    assert sorted(path.name for path in ws.iterdir()) == ["d", "new"]
    for path in ("a\nb", "x" * 256, "../x", ""):
        with pytest.raises(SandboxError):
            files.make_folder(path)


def test_a_link_is_moved_and_removed_itself(files: Workspace, ws: Path, place: Path):
    make_outward_links(ws)
    before = outside(place)
    for name in ("out", "out_folder", "magic"):
        seen = files.fingerprint(name, follow=False)
        assert seen.startswith("link:")
        files.rename(name, f"d/{name}", expect=seen)
        files.remove(f"d/{name}", expect=seen)
        assert not (ws / "d" / name).is_symlink()
    assert outside(place) == before


def test_a_dangling_link_is_no_free_name(files: Workspace, place: Path):
    (place / "ws/l").symlink_to("d/new")
    for act in (*LAST_PARTS[2:4], lambda files, path: files.make_folder(path)):
        assert_refused(lambda act=act: act(files, "l"), place, "l")


def test_one_name_of_a_hard_link_goes_and_the_other_stays(files: Workspace, ws: Path, place: Path):
    (ws / "h").hardlink_to(place / "OUT/f")
    (ws / "h2").hardlink_to(place / "OUT/f")
    seen = files.fingerprint("h", follow=False)
    files.remove("h", expect=seen)
    files.rename("h2", "moved", expect=seen)
    assert (place / "OUT/f").read_bytes() == b"SECRET"


@pytest.mark.parametrize("path", ["state/journal", "state", "d/../state/journal"])
def test_our_own_folder_is_not_moved_removed_or_grown(ws: Path, place: Path, path: str):
    (ws / "state").mkdir()
    (ws / "state/journal").write_bytes(b"inside")
    with Workspace(ws, forbidden=[ws / "state"]) as files:
        for act in LAST_PARTS:
            assert_refused(lambda act=act: act(files, path), place, path)
        for act in (*LAST_PARTS[2:4], lambda files, path: files.make_folder(path)):
            assert_refused(lambda act=act: act(files, "state/new/x"), place, "state/new/x")


def test_a_folder_is_removed_only_when_it_is_empty(files: Workspace, place: Path):
    assert_refused(lambda: files.remove_folder("d"), place, "d")
    files.remove("d/b.txt", expect=hashlib.sha256(b"inside b").hexdigest())
    files.remove_folder("d")
    assert not files.is_folder("d")


def test_a_new_file_appears_whole_or_not_at_all(files: Workspace, ws: Path):
    def half() -> None:
        with files.new_file("x/y") as file:
            file.write(bytes(1_000_000))
            raise RuntimeError

    before = tree(ws)
    with pytest.raises(RuntimeError):
        half()
    assert tree(ws) == before
    with files.new_file("x/y") as file:
        file.write(b"whole")
        assert not (ws / "x/y").exists()
    assert (ws / "x/y").read_bytes() == b"whole"
    assert (ws / "x/y").stat().st_mode & 0o111 == 0
    assert len(tree(ws)) == len(before) + 2


def test_a_new_file_takes_nobodys_place_however_late(files: Workspace, ws: Path):
    def late() -> None:
        with files.new_file("n") as file:
            file.write(b"ours")
            (ws / "n").write_bytes(b"meanwhile")

    with pytest.raises(SandboxError, match="exists"):
        late()
    assert (ws / "n").read_bytes() == b"meanwhile"
    assert not list(ws.glob(".*"))


def test_a_new_file_is_not_made_through_a_link(files: Workspace, place: Path):
    (place / "ws/into").symlink_to("d")
    assert_refused(lambda: write_new(files, "into/n"), place, "into/n")


@pytest.mark.usefixtures("exchanging")
def test_a_folder_exchanged_for_a_link_never_moves_or_removes_outside(files: Workspace, place: Path):
    before = outside(place)
    inside, fingerprint = b"SECRET", hashlib.sha256(b"SECRET").hexdigest()  # as outside: it is the place that counts
    done: dict[str, int] = {}
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for name, act in (
            ("write", lambda: files.write_bytes("d/f", inside)),
            ("move", lambda: files.rename("d/f", "d/secret.txt", expect=fingerprint)),
            ("remove", lambda: files.remove("d/secret.txt", expect=fingerprint)),
            ("remove again", lambda: files.remove("d/f", expect=fingerprint)),
            ("folder", lambda: files.make_folder("d/new/er")),
            ("no folder", lambda: files.remove_folder("d/new/er")),
            ("new", lambda: write_new(files, "d/n")),
            ("gone", lambda: files.remove("d/n", expect=READY)),
        ):
            try:
                act()
            except SandboxError:
                name = "refused"
            done[name] = done.get(name, 0) + 1
    assert outside(place) == before
    assert set(done) == {"write", "move", "remove", "remove again", "folder", "no folder", "new", "gone", "refused"}
