"""The shared suite under Landlock, and what only Landlock holds, or can't hold."""

import os
import shutil
import socket
from pathlib import Path

import pytest
from programs_suite import *  # noqa: F403 - the tests of every layer
from programs_suite import Box

from autoagent.errors import CommandError
from autoagent.programs import Layer
from autoagent.sandbox import landlock
from autoagent.sandbox.reach import Reach

# The ordinary tests try what this layer holds in test_sandbox_probes.py.
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(landlock.works()), reason=landlock.works())]


@pytest.fixture
def layer() -> Layer:
    return "landlock"


def test_nothing_outside_is_read_or_written(box: Box) -> None:
    secret = box.workspace.parent / "secret"
    secret.write_text("hidden words")
    ran = box.sh(
        f"cat {secret}; echo x >> {secret}; rm {secret}; ls {box.folder}; ln -s {secret} s; cat s; ln {secret} h"
    )
    assert ran.output.count("denied") == 5, ran.output
    assert ran.output.count("Invalid cross-device link") == 1
    assert secret.read_text() == "hidden words"


def test_a_link_in_the_workspace_opens_nothing(box: Box) -> None:
    (box.workspace.parent / "other").mkdir()
    (box.workspace.parent / "other" / "file").write_text("hidden words")
    (box.workspace / "link").symlink_to(box.workspace.parent / "other")
    (box.workspace / ".env").write_text("KEY=1")
    box.reach = Reach(box.workspace, hidden=(box.workspace / ".env",))
    assert "denied" in box.sh("cat link/file").output


def test_system_folders_are_read_and_not_written(box: Box) -> None:
    ran = box.sh(
        "for x in / /usr /etc /dev /opt /proc /tmp; do touch $x/new; done; touch $HOME/x $TMPDIR/y ./x && echo done"
    )
    assert ran.output.endswith("done\n")
    assert ran.output.count("touch: cannot") == 7, ran.output


def test_nothing_is_kept_in_the_scratch_folder(box: Box) -> None:
    box.sh("echo x > $HOME/kept")
    assert "No such file" in box.sh("cat $HOME/kept").output


def test_root_has_no_more_rights_than_others(box: Box) -> None:
    ran = box.sh("grep -E 'Cap(Prm|Eff|Amb)|NoNewPrivs' /proc/self/status; mknod disk b 8 0; chroot . true")
    assert ran.output.count("0000000000000000\n") == 3, ran.output
    assert "NoNewPrivs:\t1\n" in ran.output
    assert not (box.workspace / "disk").exists()


def test_other_processes_are_neither_read_nor_signalled(box: Box) -> None:
    ran = box.sh(
        f"cat /proc/{os.getpid()}/environ; cat /proc/{os.getpid()}/fd/0; kill -0 {os.getpid()}; "
        "sleep 9 & kill $! && echo own"
    )
    assert ran.output.count("denied") == 2, ran.output
    assert "not permitted" in ran.output
    assert ran.output.endswith("own\n")


@pytest.fixture
def secrets(box: Box) -> Box:
    """A workspace with a secret beside other files, and one in a folder two levels down."""
    ws = box.workspace
    for folder in ("src", "deep/keys", "deep/other"):
        (ws / folder).mkdir(parents=True)
    (ws / ".env").write_text("KEY=1")
    (ws / "deep/keys/id").write_text("KEY=2")
    for file in ("notes", "deep/file", "deep/other/file", "src/file"):
        (ws / file).write_text("words")
    box.reach = Reach(ws, hidden=(ws / ".env", ws / "deep/keys"), interpreters=box.reach.interpreters)
    return box


def test_a_secret_is_not_read_whatever_it_is_called(secrets: Box) -> None:
    lines = (
        *("cat .env", "cat src/../.env", "cat deep/keys/id", "cp .env src/a", "ln .env b; cat b"),
        *("ln .env src/c; cat src/c", "mv .env d; cat d", "mv .env src/e; cat src/e", "ln -s ../.env src/f; cat src/f"),
        *("mv deep/keys src/; cat src/keys/id", "mv src/file .env", "mv src/file deep/keys/", "echo x > .env"),
        *("rm -f .env", "echo x > deep/keys/new", "truncate -s 0 .env"),
    )
    ran = secrets.sh("\n".join(f"({line}) || echo failed" for line in lines))
    assert "KEY" not in ran.output
    assert ran.output.splitlines().count("failed") == len(lines), ran.output
    assert (secrets.workspace / ".env").read_text() == "KEY=1"
    assert os.listdir(secrets.workspace / "deep/keys") == ["id"]  # noqa: PTH208


def test_another_name_of_a_secret_beside_it_is_as_secret(secrets: Box) -> None:
    (secrets.workspace / "plain").hardlink_to(secrets.workspace / ".env")
    assert "denied" in secrets.sh("cat plain").output


def test_beside_a_secret_files_change_and_folders_are_free(secrets: Box) -> None:
    ran = secrets.sh(
        "ls -A; echo more >> notes; cat notes deep/file; "
        "echo x > src/new; mv src/new deep/other/; mkdir -p src/a/b; rm src/file"
    )
    assert (ran.code, ran.output) == (0, ".env\ndeep\nnotes\nsrc\nwordsmore\nwords")
    assert (secrets.workspace / "deep/other/new").read_text() == "x\n"


def test_beside_a_secret_nothing_is_made_removed_or_renamed(secrets: Box) -> None:
    before = sorted(os.listdir(secrets.workspace))  # noqa: PTH208
    lines = ("echo x > new", "mkdir new", "rm notes", "mv notes new", "ln -s x new", "mv src/file .", "touch deep/new")
    ran = secrets.sh("\n".join(f"({line}) || echo failed" for line in lines))
    assert ran.output.splitlines().count("failed") == len(lines), ran.output
    assert sorted(os.listdir(secrets.workspace)) == before  # noqa: PTH208


def test_trusted_files_can_be_written(box: Box) -> None:
    """It can't be held: whoever runs programs sees and undoes it."""
    (box.workspace / "Makefile").write_text("all:")
    box.reach = Reach(box.workspace, read_only=(box.workspace / "Makefile",))
    assert box.sh("echo x > Makefile").code == 0


def test_a_secret_at_the_top_of_a_large_workspace_needs_few_rules(box: Box) -> None:
    many = box.workspace / "many"
    many.mkdir()
    for number in range(500):
        (many / str(number)).touch()
    (box.workspace / ".env").touch()
    beside = len(landlock.rules(Reach(box.workspace, hidden=(box.workspace / ".env",)), None)["rules"])
    assert beside < 100
    within = len(landlock.rules(Reach(box.workspace, hidden=(many / "7",)), None)["rules"])
    assert 500 < within < 600


@pytest.mark.slow  # as many files
def test_more_rules_than_the_kernel_should_be_given_are_refused_in_words(box: Box) -> None:
    for number in range(landlock.MOST_RULES):
        os.close(os.open(f"{box.workspace}/{number}", os.O_CREAT, 0o600))
    box.reach = Reach(box.workspace, hidden=(box.workspace / "0",))
    try:
        with pytest.raises(CommandError, match="a folder of its own"):
            box.sh("true")
    finally:
        shutil.rmtree(box.workspace)


def test_what_is_gone_when_the_program_starts_is_left_out(secrets: Box) -> None:
    rules = landlock.rules(secrets.reach, None)
    assert any(path.endswith("/notes") for path, _, _ in rules["rules"])
    (secrets.workspace / "notes").unlink()
    assert secrets.sh("true").code == 0


def test_the_whole_machine_is_no_workspace(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Start in a folder"):
        landlock.rules(Reach(Path("/")), None)


def test_with_the_network_a_server_of_this_machine_is_reached_and_without_it_none(box: Box) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        line = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]})); print('reached')"
        assert "PermissionError" in box.run("python3", "-c", line).output
        line = line.replace("127.0.0.1", "localhost")
        box.reach_the_network()
        assert box.run("python3", "-c", line).output == "reached\n"
