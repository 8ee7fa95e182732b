"""The shared suite where nothing holds programs but the shim, and what is only so there."""

from pathlib import Path

import pytest
from programs_suite import *  # noqa: F403 - the tests of every layer
from programs_suite import Box

from autoagent.errors import CommandError
from autoagent.programs import Layer

pytestmark = pytest.mark.slow  # the ordinary tests drive the same shim under bubblewrap


@pytest.fixture
def layer() -> Layer:
    return "none"


def test_the_users_path_and_home_are_kept(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert box.sh("echo $HOME").output == "/somewhere\n"


def test_an_exit_code_that_looks_like_a_signal_is_an_exit(box: Box) -> None:
    ran = box.sh("exit 137")
    assert (ran.ended, ran.code) == ("exited", 137)


def test_nothing_runs_in_the_background(box: Box) -> None:
    with pytest.raises(CommandError, match="to its end"):
        box.sh("sleep 1", background=True)


def test_it_says_that_nothing_holds(tmp_path: Path) -> None:
    assert not Box(tmp_path, "none").programs.containment.holds
