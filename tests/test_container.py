"""The image: its Dockerfile by a linter, its entry point as a process, a real build that runs without an engine."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support import UNPROVEN

from autoagent.journal import read
from autoagent.testing import Hang, ModelServer, done, thought

ROOT = Path(__file__).parent.parent
CONTAINER = [sys.executable, str(ROOT / "scripts/container.py")]
HADOLINT = Path(sys.executable).parent / "hadolint"
MOST_S = 10  # what an engine waits after SIGTERM before it kills
WRITE = thought("I write.", commands=[("write_file", {"path": "out.txt", "text": "hello\n"})])
ANY_USER = "54321:54321"  # in no passwd file
CHILDREN = "wc -w < /proc/1/task/1/children"  # of PID 1, zombies too


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint is not made for this machine")
def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    ended = subprocess.run([HADOLINT, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "")


@pytest.mark.skipif(not Path("/usr/bin/tini").exists(), reason="tini is not installed")
def test_sigterm_to_the_entry_point_pauses_a_run_that_waits_for_the_model(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    found = re.search(r"^ENTRYPOINT (\[.+\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert found
    environ = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        **UNPROVEN,
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    with ModelServer([Hang()]) as server:
        run = [*json.loads(found[1]), *look(server)]
        process = subprocess.Popen(run, cwd=tmp_path / "work", env=environ, stderr=subprocess.PIPE, text=True)
        with ended_at_last(process):
            server.wait_for_requests(1, timeout_s=30)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=MOST_S)
    assert (process.returncode, "Traceback" in err, "WARN" in err) == (5, False, False), err
    assert last_event(tmp_path / "state") == "run_paused"


class Image:
    """A built image; each `start` is a new container of it, with a root of its own that is thrown away at the end."""

    def __init__(self, folder: Path):
        self.folder, self.root = folder, folder / "root"

    @contextlib.contextmanager
    def start(
        self, home: Path, *arguments: str, user: str = ANY_USER
    ) -> "Generator[tuple[subprocess.Popen[str], Path]]":
        """A process that stands for the container, and the file in which the pid of PID 1 will stand."""
        container = home / "container"
        container.mkdir()
        subprocess.run(["cp", "-al", self.root, self.folder / "image.json", container], check=True)
        pid_file = container / "pid"
        bound = ["--workspace", home / "work", "--state", home / "state", "--user", user, "--pid-file", pid_file]
        process = subprocess.Popen(
            [*CONTAINER, "run", container, *bound, "--", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            with ended_at_last(process):
                yield process, pid_file
        finally:
            shutil.rmtree(container)

    def call(self, home: Path, *arguments: str, user: str = ANY_USER) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of a container that ends by itself."""
        with self.start(home, *arguments, user=user) as (process, _):
            out, err = process.communicate(timeout=60)
        return process.returncode, out, err


def its_version_is_said_by_the_default_user(image: Image, home: Path) -> None:
    code, out, err = image.call(home, "--version", user="")
    assert (code, err) == (0, "")
    assert out.startswith("autoagent ")


def without_arguments_it_asks_for_a_goal(image: Image, home: Path) -> None:
    code, out, err = image.call(home)
    assert (code, out) == (2, "")
    assert "no goal" in err


def any_user_gets_a_result_and_files_of_their_own(image: Image, home: Path) -> None:
    (home / "work/a.md").write_text("The notice period is three months. 통보 기간은 석 달이다.\n")
    code, out, err = image.call(home, "run", "-c", "-m", "offline", "What is the notice period?")
    assert code == 0, err
    assert "three months" in out
    made = [home / "work/report.md", *(home / "state").rglob("*")]
    assert {path.stat().st_uid for path in made} == {54321}
    assert {path.stat().st_mode & 0o077 for path in (home / "state").rglob("*")} == {0}


def a_run_stopped_by_sigterm_goes_on_in_another_container(image: Image, home: Path) -> None:
    with ModelServer([WRITE, Hang(), done("written", ["out.txt"])]) as server:
        with image.start(home, *look(server)) as (process, _):
            server.wait_for_requests(2, timeout_s=60)
            process.send_signal(signal.SIGTERM)
            since = time.monotonic()
            _, err = process.communicate(timeout=60)
            took_s = time.monotonic() - since
        assert process.returncode == 5, err
        assert took_s < MOST_S
        assert last_event(home / "state") == "run_paused"
        code, out, err = image.call(home, "resume", "last")
    assert (code, out) == (0, "written\n"), err
    assert last_event(home / "state") == "run_ended"
    assert (home / "work/out.txt").read_text() == "hello\n"


def a_thousand_orphans_leave_no_zombie_and_do_not_keep_it_from_stopping(image: Image, home: Path) -> None:
    with ModelServer([Hang()]) as server, image.start(home, *look(server)) as (process, pid_file):
        server.wait_for_requests(1, timeout_s=60)
        inside = ["nsenter", "--target", pid_file.read_text().strip(), "--mount", "--pid", "--", "/bin/sh", "-c"]
        leave = "exec 3<&0; i=0; while [ $i -lt 1000 ]; do (cat <&3 &); i=$((i+1)); done; " + CHILDREN
        with subprocess.Popen([*inside, leave], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
            assert shell.stdin
            assert shell.stdout
            assert int(shell.stdout.readline()) == 1001
            shell.stdin.close()  # now all of them end
            assert shell.stdout.read() == ""  # and the last one has
        children = "1001"
        until = time.monotonic() + 5
        while children != "1" and time.monotonic() < until:
            count = subprocess.run([*inside, CHILDREN], stdout=subprocess.PIPE, text=True)
            children = count.stdout.strip()
        assert children == "1"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=MOST_S)
    assert process.returncode == 5


def nothing_is_in_it_that_a_run_does_not_need(image: Image, home: Path) -> None:
    package = next(image.root.glob("opt/autoagent/lib/python3*/site-packages/autoagent"))
    assert list(package.glob("models/ranks/*.tiktoken"))
    names = {path.name for path in package.parent.iterdir()}
    assert not names & {"pip", "setuptools", "wheel", "hatchling", "pytest", "tests"}
    assert [tool for tool in ("gcc", "cc", "make", "git") if (image.root / "usr/bin" / tool).exists()] == []
    caches = [*image.root.glob("root/.cache"), *image.root.glob("var/lib/apt/lists/*_*"), *image.root.glob("build")]
    assert caches == []
    sources, compiled = (len(list((image.root / "opt/autoagent").rglob(name))) for name in ("*.py", "*.pyc"))
    assert sources == compiled  # no start has to compile


def the_builder_is_sent_what_it_needs_and_no_more(image: Image, home: Path) -> None:
    context = home / "context"
    given = [
        *("autoagent/__init__.py", "autoagent/models/ranks/o200k.tiktoken", "pyproject.toml", "requirements.txt"),
        *("requirements-build.txt", "README.md", "LICENSE"),
    ]
    kept_back = [
        *(".git/config", ".venv/bin/python", "tests/test_a.py", "benchmarks/RESULTS.md", ".env", ".env.local"),
        *("autoagent/.env", "autoagent/__pycache__/a.pyc", ".hypothesis/x", "report.md", "dist/a.whl", ".ci/run"),
    ]
    for name in (*given, *kept_back):
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text("x")
    shutil.copy(ROOT / ".dockerignore", context)
    (context / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    store = ["--root", home / "store", "--runroot", home / "runroot", "--storage-driver", "vfs"]
    export = ["--isolation", "chroot", "--quiet", "--output", f"type=local,dest={home / 'sent'}"]
    subprocess.run(["buildah", *store, "build", *export, context], check=True, capture_output=True)
    sent = [path.relative_to(home / "sent") for path in (home / "sent").rglob("*") if path.is_file()]
    assert sorted(map(str, sent)) == sorted(given)


CHECKS: Sequence[Callable[[Image, Path], None]] = (
    its_version_is_said_by_the_default_user,
    without_arguments_it_asks_for_a_goal,
    any_user_gets_a_result_and_files_of_their_own,
    a_run_stopped_by_sigterm_goes_on_in_another_container,
    a_thousand_orphans_leave_no_zombie_and_do_not_keep_it_from_stopping,
    nothing_is_in_it_that_a_run_does_not_need,
    the_builder_is_sent_what_it_needs_and_no_more,
)


@pytest.mark.slow
def test_the_built_image(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """One build, so one test; each check has a workspace and a state volume of its own."""
    lacking = subprocess.run([*CONTAINER, "check"], capture_output=True, text=True)
    if lacking.returncode:
        pytest.skip(f"the image can't be built here: {lacking.stderr.strip()}")
    folder = tmp_path / "image"
    try:
        built = subprocess.run([*CONTAINER, "build", folder], capture_output=True, text=True, timeout=600)
        assert built.returncode == 0, built.stderr[-3000:]
        for check in CHECKS:
            home = tmp_path / check.__name__
            (home / "work").mkdir(parents=True)
            os.chown(home / "work", 54321, 54321)
            with subtests.test(check.__name__):
                check(Image(folder), home)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def look(server: ModelServer) -> list[str]:
    return [
        "run",
        "-c",
        "--review",
        "off",
        "--evidence",
        "off",
        "--base-url",
        server.base_url,
        "-m",
        "test-model",
        "Write out.txt",
    ]


def last_event(state: Path) -> str:
    """Of the only run, whose journal must be whole."""
    (folder,) = (path for path in (state / "autoagent/runs").iterdir() if path.is_dir())
    return [*read(folder)][-1].type


@contextlib.contextmanager
def ended_at_last(process: "subprocess.Popen[Any]") -> Generator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            process.kill()  # one left behind would fail an innocent test later, by its warning
            process.communicate()
