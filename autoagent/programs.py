"""Programs that a run starts: what is to run, what holds it, how it ended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

CODE = "{code}"  # in a Program's argv
USUAL_S = 120  # that a program is given unless told


@dataclass(frozen=True)
class Program:
    """A program as it is to run: what a command that executes returns, so that it can be shown before it starts.

    `argv[0]` is a name that the sandbox's PATH finds, or a path beneath the workspace. `code` is put into a file that
    only this program sees, whose path takes the place of CODE in `argv`. `shown` is what a person is asked about.
    """

    argv: tuple[str, ...]
    shown: str
    timeout_s: float
    code: str = ""
    background: bool = False


@dataclass(frozen=True)
class Ran:
    """How a program ended, or that it runs on (`background`).

    `code` is its exit code, or the number of the signal that ended it. `output` is what it wrote to both of its
    outputs, the head and the tail where that was much: `dropped` bytes between them are not kept. `ended_ns` is when
    all of it had ended, in ns of the epoch, of one whose run died meanwhile; 0 where nobody knows.
    """

    ended: Literal["exited", "signalled", "timed_out", "stopped", "lost", "background"]
    code: int
    output: str
    dropped: int = 0
    seconds: float = 0.0
    id: str = ""  # of one in the background
    ended_ns: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Running:
    """A program that runs in the background; `id` is a short name such as "p1"."""

    id: str
    shown: str
    seconds: float
    ended: str = ""  # how, in words; "" while it runs


Layer = Literal["bubblewrap", "landlock", "none"]


@dataclass(frozen=True)
class Containment:
    """What holds programs: the layer that works on this machine, and whether they reach the network."""

    layer: Layer
    network: bool = False

    @property
    def holds(self) -> bool:
        """Whether a program can do no harm beyond the workspace, whatever it is."""
        return self.layer != "none" and not self.network


@dataclass(frozen=True)
class Progress:
    """A program that runs: for how long, and the last line that it wrote. `timeout_s` 0: a download, and its size."""

    seconds: float
    timeout_s: float
    last_line: str = ""


Watch = Callable[[Progress], bool]


class Programs(Protocol):
    """Runs programs in the workspace and keeps what came of each under the id of its call."""

    @property
    def containment(self) -> Containment: ...

    def run(self, call_id: str, program: Program, watch: Watch) -> Ran:
        """Run a program to its end, or start it in the background.

        `watch` is called a few times a second from the calling thread; once it says False the program is ended
        ("stopped"). Nothing of a program that ended is left behind, however it ended: also where this raises.
        Raises CommandError in words for the model where it can't be started.
        """
        ...

    def outcome(self, call_id: str) -> Ran | None:
        """What became of a program of a run whose own process died: None where it never started.

        Whoever still runs is ended first. A Ran with `ended` "lost": nobody knows how far it came.
        """
        ...

    def forget(self, call_id: str) -> None:
        """What came of the call is recorded: nothing of it need be kept."""
        ...

    def running(self) -> tuple[Running, ...]:
        """The programs of this run that were started in the background, the oldest first."""
        ...

    def output(self, id: str) -> str:
        """What a background program wrote so far. Raises CommandError for an unknown id."""
        ...

    def stop(self, id: str) -> Ran:
        """End a background program. Raises CommandError for an unknown id."""
        ...

    def end_background(self) -> None:
        """End what runs in the background; it stays listed."""
        ...

    def close(self) -> None:
        """End all that runs."""
        ...
