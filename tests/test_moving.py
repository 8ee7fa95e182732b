"""Moving, copying and deleting files and making folders: what happens to links, and that nothing leads out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import env_with

from autoagent.commands.moving import copy_file, delete_file, make_folder, move_file
from autoagent.env import ABSENT, Change
from autoagent.errors import CommandError
from autoagent.registry import Registry
from autoagent.sandbox.workspace import Workspace
from autoagent.thoughts import CommandCall

REGISTRY = Registry([move_file, copy_file, delete_file, make_folder])


@dataclass
class Desk:
    root: Path
    files: Workspace

    def plan(self, name: str, **args: str) -> object:
        env = env_with(files=self.files)
        return REGISTRY.bind(CommandCall.model_validate({"name": name, "args": args})).run(env)

    def do(self, name: str, **args: str) -> Change:
        """What is planned, made as the loop makes it."""
        change = self.plan(name, **args)
        assert isinstance(change, Change)
        if change.source:
            self.files.rename(change.source, change.path, expect=change.after)
        elif change.content is None:
            self.files.remove(change.path, expect=change.before)
        else:
            self.files.write_bytes(change.path, change.content, expect=change.before)
        assert self.files.fingerprint(change.path, follow=False) == change.after
        return change


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "ws/d").mkdir(parents=True)
    (tmp_path / "ws/a.txt").write_bytes(b"one\n")
    (tmp_path / "OUT").mkdir()
    (tmp_path / "OUT/secret.txt").write_bytes(b"SECRET")
    with Workspace(tmp_path / "ws") as files:
        yield Desk(tmp_path / "ws", files)


def names(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_a_file_is_moved_to_a_new_name_and_into_a_folder(desk: Desk) -> None:
    change = desk.do("move_file", source="a.txt", target="new/b.txt")
    assert change.summary == "a.txt moved to new/b.txt."
    assert desk.do("move_file", source="new/b.txt", target="d").path == "d/b.txt"
    assert desk.do("move_file", source="d/b.txt", target="./").path == "b.txt"
    assert names(desk.root) == ["b.txt", "d", "new"]


def test_a_move_takes_nobodys_place(desk: Desk) -> None:
    (desk.root / "d/a.txt").write_bytes(b"two")
    (desk.root / "nowhere").symlink_to("missing")
    for target in ("d", "d/a.txt", "a.txt", "nowhere"):
        with pytest.raises(CommandError, match="exists"):
            desk.plan("move_file", source="a.txt", target=target)
    assert (desk.root / "d/a.txt").read_bytes() == b"two"


def test_a_name_that_is_taken_meanwhile_is_not_replaced(desk: Desk) -> None:
    change = desk.plan("move_file", source="a.txt", target="b.txt")
    assert isinstance(change, Change)
    (desk.root / "b.txt").write_bytes(b"meanwhile")
    with pytest.raises(CommandError, match="exists"):
        desk.files.rename(change.source, change.path, expect=change.after)
    assert (desk.root / "b.txt").read_bytes() == b"meanwhile"


def test_a_folder_is_moved_by_a_program(desk: Desk) -> None:
    with pytest.raises(CommandError, match=r"'d' is a folder.*run_shell with mv"):
        desk.plan("move_file", source="d", target="e")


def test_a_link_itself_is_moved_and_deleted(desk: Desk) -> None:
    (desk.root / "out").symlink_to("../OUT/secret.txt")
    (desk.root / "folder").symlink_to("../OUT")
    desk.do("move_file", source="out", target="d/out")
    assert (desk.root / "d/out").readlink() == Path("../OUT/secret.txt")
    change = desk.do("delete_file", path="d/out")
    assert "what it leads to stays" in change.diff
    desk.do("delete_file", path="folder")
    assert names(desk.root) == ["a.txt", "d"]
    assert (desk.root / "../OUT/secret.txt").read_bytes() == b"SECRET"


def test_through_a_link_inside_the_real_name_is_what_changes(desk: Desk) -> None:
    (desk.root / "into").symlink_to("d")
    assert desk.do("move_file", source="a.txt", target="into/b.txt").path == "d/b.txt"
    assert desk.do("delete_file", path="into/b.txt").path == "d/b.txt"
    assert names(desk.root) == ["d", "into"]


def test_a_copy_replaces_a_file_and_shows_how(desk: Desk) -> None:
    (desk.root / "d/a.txt").write_bytes(b"two\n")
    change = desk.do("copy_file", source="a.txt", target="d")
    assert change.path == "d/a.txt"
    assert "-two" in change.diff
    assert "+one" in change.diff
    assert (desk.root / "d/a.txt").read_bytes() == b"one\n"


def test_a_file_that_changed_meanwhile_is_not_deleted(desk: Desk) -> None:
    change = desk.plan("delete_file", path="a.txt")
    assert isinstance(change, Change)
    (desk.root / "a.txt").write_bytes(b"meanwhile")
    with pytest.raises(CommandError, match="not as it was last seen"):
        desk.files.remove(change.path, expect=change.before)
    assert change.after == ABSENT
    assert (desk.root / "a.txt").read_bytes() == b"meanwhile"


@pytest.mark.parametrize("path", [".", "/", "./", "d", "d/..", "d/", "a.txt/", "missing"])
def test_only_a_file_that_is_there_is_deleted(desk: Desk, path: str) -> None:
    before = names(desk.root)
    with pytest.raises(CommandError):
        desk.do("delete_file", path=path)
    assert names(desk.root) == before


@pytest.mark.parametrize("path", ["../OUT/secret.txt", "d/../../OUT/secret.txt", "/etc/passwd", "link/secret.txt"])
def test_nothing_outside_is_moved_copied_or_deleted(desk: Desk, path: str) -> None:
    (desk.root / "link").symlink_to("../OUT")
    before = names(desk.root.parent)
    for name, args in (
        ("move_file", {"source": path, "target": "x"}),
        ("move_file", {"source": "a.txt", "target": path + "x"}),
        ("copy_file", {"source": path, "target": "x"}),
        ("copy_file", {"source": "a.txt", "target": path}),
        ("delete_file", {"path": path}),
    ):
        with pytest.raises(CommandError, match="outside the workspace"):
            desk.do(name, **args)
    with pytest.raises(CommandError, match="outside the workspace"):
        desk.plan("make_folder", path=path + "x")
    assert names(desk.root.parent) == before


def test_a_folder_is_made_once_with_those_above_it(desk: Desk) -> None:
    assert desk.plan("make_folder", path="x/y/") == "x/y/ made."
    assert desk.plan("make_folder", path="x/y") == "x/y is there already."
    assert desk.plan("make_folder", path=".") == ". is there already."
    with pytest.raises(CommandError, match="exists and is no folder"):
        desk.plan("make_folder", path="a.txt")
