"""The people around a run, as the loop sees them: what they sent, and whether one can be waited for."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from autoagent.inbox import InboxMessage
from autoagent.models import Heard
from autoagent.programs import Progress
from autoagent.state import State


class People(Protocol):
    def messages(self) -> Iterable[InboxMessage]:
        """What came since the last look, the oldest first."""
        ...

    def taken(self, message: InboxMessage) -> None:
        """The message is in the journal, or was no longer of use: it need not be kept."""
        ...

    def wait(self, state: State) -> bool:
        """Block until a message may have come. False: nobody can answer here."""
        ...

    def edit_criteria(self, state: State) -> bool:
        """Have a person settle the criteria that the model drafted, by a message. False: nobody sits here."""
        ...

    def sleep(self, seconds: float) -> None: ...

    def hear(self, heard: Heard, /) -> None:
        """The reply of the model as it arrives, for whoever watches."""
        ...

    def watch(self, progress: Progress, /) -> None:
        """A program that runs, a few times a second, for whoever watches."""
        ...

    @property
    def stop_reason(self) -> str:
        """Why the run is to pause after the act under way ("Ctrl-C"), or ""."""
        ...

    def interruptible(self) -> AbstractContextManager[None]:
        """Inside, a request to stop raises KeyboardInterrupt at once: nothing is lost by it."""
        ...
