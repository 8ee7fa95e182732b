"""Every exception autoagent raises on purpose, named by who must react.

* AutoagentError
  x ConfigError            a flag, setting or key is missing or wrong: the user, exit code 2
  x ModelError             the model did not answer: the loop
    + ModelUnavailable     retried where `retryable`, else the run pauses as unavailable
    + ContextTooLong       the request did not fit the window: compacted, once
  x ThoughtError           the reply was no valid Thought: told to the model
  x CommandError           a command was refused or failed: told to the model
    + UnknownCommand
    + InvalidArguments
    + SandboxError         the path, address or archive is not this run's to touch
    + Unanswered           a search engine gave no answer: another is asked
  x JournalError           the record cannot be written: the run stops before the act, exit code 1
    + JournalLocked        another process owns the run: exit code 2
    + JournalCorrupt       damage before the last newline: nothing is guessed, exit code 1
    + JournalTooNew        written by a newer autoagent: left untouched, exit code 2
    + NoSuchRun            no run, or more than one, has that id: exit code 2

A used-up limit, a person's no and a run that gives up are outcomes: events, not errors.
"""


class AutoagentError(Exception):
    """Base of all errors raised on purpose; the message is one line for its reader."""


class ConfigError(AutoagentError): ...


class ModelError(AutoagentError): ...


class ModelUnavailable(ModelError):
    """`retry_after_s` is what the server asked for; `may_be_billed` is False only where that is certain."""

    def __init__(
        self, message: str, *, retryable: bool = True, retry_after_s: float | None = None, may_be_billed: bool = True
    ):
        super().__init__(message)
        self.retryable, self.retry_after_s, self.may_be_billed = retryable, retry_after_s, may_be_billed


class ContextTooLong(ModelError): ...


class ThoughtError(AutoagentError): ...


class CommandError(AutoagentError): ...


class UnknownCommand(CommandError): ...


class InvalidArguments(CommandError): ...


class SandboxError(CommandError):
    """`control` names what holds, for the journal."""

    def __init__(self, message: str, *, control: str = "workspace"):
        super().__init__(message)
        self.control = control


class Unanswered(CommandError):
    """A search engine gave no answer; the message goes after its name: "blocks searches (202)", without the query.

    With `rest` the engine is left alone for a while, for `retry_after_s` at least.
    """

    def __init__(self, because: str, *, rest: bool = True, retry_after_s: float = 0):
        super().__init__(because)
        self.rest, self.retry_after_s = rest, retry_after_s


class JournalError(AutoagentError): ...


class JournalLocked(JournalError): ...


class JournalCorrupt(JournalError): ...


class JournalTooNew(JournalError): ...


class NoSuchRun(JournalError): ...
