"""What each layer really holds, tried by one script that wants to get out: as this user and as an ordinary one."""

import dataclasses
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from autoagent.programs import Layer
from autoagent.sandbox import bubblewrap, landlock
from autoagent.sandbox.probe import choose_layer, probe

WORKS = {"bubblewrap": bubblewrap.works, "landlock": landlock.works, "none": lambda: ""}
# What a layer can't hold, and says so.
OPEN = {
    "bubblewrap": set[str](),
    "landlock": {"modes", "read-only"},
    "none": {
        *(
            "write outside",
            "secret",
            "home",
            "modes",
            "hard link",
            "symbolic link",
            "hidden",
            "read-only",
            "environment",
        ),
        *("signals", "TCP", "UDP", "named sockets", "abstract sockets"),
    },
}
OF_THE_MACHINE = {"user namespaces", "ptrace", "io_uring", "terminal"}  # may be closed for everybody
ORDINARY = 1001
PRINT = """
import dataclasses, json, sys
from autoagent.sandbox import bubblewrap, landlock
from autoagent.sandbox.probe import choose_layer, probe
layer = sys.argv[1]
why = {"bubblewrap": bubblewrap.works, "landlock": landlock.works}.get(layer, str)()
print(json.dumps([why, choose_layer(), [] if why else [dataclasses.astuple(one) for one in probe(layer)]]))
"""


def compare(layer: Layer, findings: list[tuple[str, bool, str]]) -> None:
    open_ways = {name for name, held, _ in findings if not held}
    allowed = OF_THE_MACHINE if layer == "none" else set[str]()
    assert open_ways - allowed == OPEN[layer], findings
    assert all(words for _, held, words in findings if not held)
    assert not [words for _, _, words in findings if "could not be tried" in words]


@pytest.mark.parametrize("layer", ["bubblewrap", "landlock", "none"])
def test_a_layer_holds_what_it_should_and_says_what_it_does_not(layer: Layer):
    if why := WORKS[layer]():
        pytest.skip(why)
    compare(layer, [dataclasses.astuple(finding) for finding in probe(layer)])


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become an ordinary user")
@pytest.mark.parametrize("layer", ["bubblewrap", "landlock", "none"])
def test_it_is_the_same_for_an_ordinary_user(layer: Layer):
    why, chosen, findings = as_an_ordinary_user(layer)
    if why:
        pytest.skip(why)
    assert chosen == choose_layer()
    compare(layer, findings)


def as_an_ordinary_user(layer: Layer) -> tuple[str, str, list[tuple[str, bool, str]]]:
    """With a Python that this user can start: ours may be in root's home."""
    python = next((path for path in (sys.executable, "/usr/bin/python3") if starts(path)), "")
    if not python:
        pytest.skip("there is no Python that an ordinary user can start with autoagent's libraries")
    done = become(python, PRINT, layer)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def starts(python: str) -> bool:
    try:
        return become(python, "import autoagent.sandbox.probe").returncode == 0
    except OSError:
        return False


def become(python: str, code: str, *args: str) -> "subprocess.CompletedProcess[str]":
    environ = {"HOME": home(), "PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        (python, "-B", "-c", code, *args),
        user=ORDINARY,
        group=ORDINARY,
        extra_groups=(),
        env=environ,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def home() -> str:
    try:
        return pwd.getpwuid(ORDINARY).pw_dir
    except KeyError:
        return str(Path("/home"))


def test_a_layer_is_chosen_that_works():
    assert WORKS[choose_layer()]() == ""
