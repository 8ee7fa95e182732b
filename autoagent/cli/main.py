"""The group of sub-commands, each imported only when it is called, and the one place where errors become exit codes."""

import contextlib
import difflib
import errno
import importlib
import io
import os
import re
import sys
from typing import TYPE_CHECKING, NoReturn, TextIO, cast

import click

from autoagent import __version__
from autoagent.errors import (
    AutoagentError,
    ConfigError,
    JournalError,
    JournalLocked,
    JournalTooNew,
    NoSuchRun,
    SandboxError,
)
from autoagent.masking import Mask, secrets_in

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from click.shell_completion import CompletionItem

COMMANDS = {
    "run": ("run", "Work on a goal until it is reached."),
    "resume": ("run", "Go on with a run that was paused, stopped, or ended unreached."),
    "runs": ("runs", "List runs; `runs delete` removes them."),
    "show": ("show", "What a run did, step by step, and what the model saw."),
    "verify": ("verify", "Look up each claim of a result again in what the run read."),
    "diff": ("undo", "What a run changed in the workspace."),
    "undo": ("undo", "Take back what a run changed."),
    "export": ("export", "One file of a run to give away: HTML, Markdown or zip."),
    "costs": ("costs", "What runs cost, by run, day, model or purpose."),
    "answer": ("answer", "Answer a run's question: y, n TEXT, or advice."),
    "stop": ("answer", "Pause a run that works in another terminal."),
    "replay": ("replay", "Play a run again from its record: no network, no cost, no effect."),
    "fork": ("fork", "Begin a new run where another stood after a step."),
    "compare": ("compare", "Two runs side by side: steps, cost, results."),
    "memory": ("memory", "What runs kept for later runs: list, search, forget, export."),
    "rules": ("rules", "What is allowed, asked or denied; `rules test` tries a line."),
    "commands": ("inspect", "The commands that the model may call."),
    "prompts": ("inspect", "The prompts that are sent to the model."),
    "config": ("inspect", "Each setting, its value, and where it comes from."),
    "doctor": ("doctor", "Check the setup: model, search, folders, plugins."),
    "completion": ("completion", "Tab completion for bash, zsh or fish."),
}
OK, BUG, USAGE, PAUSED = 0, 1, 2, 130
VARIABLE = "_AUTOAGENT_COMPLETE"  # what is asked for by the script that `autoagent completion` prints


class Commands(click.Group):
    """Sub-commands by name; what is not called is not imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found = getattr(importlib.import_module(f"autoagent.cli.{COMMANDS[cmd_name][0]}"), cmd_name)
        assert isinstance(found, click.Command)
        return found

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from autoagent.cli.completion import offered_commands

        return offered_commands([(name, text) for name, (_, text) in COMMANDS.items()], incomplete)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"A goal is given as: autoagent run {' '.join(args)!r}"
            raise click.UsageError(f"there is no command {name!r}. {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="autoagent %(version)s")
@click.pass_context
def autoagent(ctx: click.Context) -> None:
    """Give it a goal in plain words; it works on its own until the goal is reached.

    \b
    autoagent run "Summarise ./notes with sources"
    autoagent run --continuous --max-cost 1 "…"
    autoagent resume last
    autoagent show last
    """
    if ctx.invoked_subcommand is None:
        run_command = autoagent.get_command(ctx, "run")
        assert run_command is not None
        with run_command.make_context("run", [], parent=ctx) as inner:
            ctx.exit(run_command.invoke(inner) or OK)


def run() -> NoReturn:
    """Run the command line; the exit code is UX.md's."""
    mask = Mask(secrets_in(os.environ))  # learns those of settings files when a command reads them
    try:
        sys.stdout, sys.stderr = _told_apart(sys.stdout), _open_error_output(sys.stderr)
        if VARIABLE in os.environ:
            importlib.import_module("autoagent.cli.completion").register()
        code = autoagent.main(prog_name="autoagent", complete_var=VARIABLE, standalone_mode=False, obj=mask)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(PAUSED)
    except click.UsageError as error:
        fail(_usage(error), USAGE, mask)
    except (ConfigError, JournalLocked, JournalTooNew, NoSuchRun, SandboxError) as error:
        fail(str(error), USAGE, mask)
    except (JournalError, AutoagentError) as error:
        fail(str(error), BUG, mask)
    except KeyboardInterrupt:
        sys.exit(PAUSED)
    except _OutputLost as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where Python's last flush may go
        if not isinstance(error.__cause__, BrokenPipeError):
            fail(f"standard output: {error}", BUG, mask)
        sys.exit(OK)
    except Exception as error:  # noqa: BLE001  # a bug of ours: kept in full, said in one line
        report = _report(error, mask)
        fail(f"{type(error).__name__}: {error}. This is a bug of autoagent's. Report: {report}", BUG, mask)
    sys.exit(code if isinstance(code, int) else OK)


def fail(message: str, code: int, mask: Mask) -> NoReturn:
    from autoagent.terminal.header import error_line
    from autoagent.terminal.look import choose_look

    look = choose_look(sys.stderr, os.environ, plain="--plain" in sys.argv)
    look.mask = mask
    error_line(look, message)
    sys.exit(code)


class _OutputLost(OSError):
    """Standard output took no more. Has no errno: click would end a broken pipe with exit code 1 on its own."""


class _Output(io.FileIO):
    def write(self, b: "ReadableBuffer", /) -> int:
        try:
            return super().write(b)
        except OSError as error:
            raise _OutputLost("it is closed" if error.errno == errno.EBADF else error.strerror) from error


def _told_apart(stdout: TextIO | None) -> TextIO:
    """Standard output whose errors are told apart from those of other files; a closed one fails when it is written."""
    if stdout is None:
        stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), encoding="utf-8", closefd=False)
    if not isinstance(stdout, io.TextIOWrapper):
        return stdout
    return _written_by(_Output, cast(TextIO, stdout))


class _Screen(io.FileIO):
    def write(self, b: "ReadableBuffer", /) -> int:
        with contextlib.suppress(OSError):
            return super().write(b)
        return memoryview(b).nbytes


def _open_error_output(stderr: TextIO | None) -> TextIO:
    """Standard error; where it is closed or its reader is gone, what is said to a person goes nowhere.

    Else Python would turn what it could not write into an exit code of its own.
    """
    if stderr is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  # kept open
    if not isinstance(stderr, io.TextIOWrapper):
        return stderr
    return _written_by(_Screen, cast(TextIO, stderr))


def _written_by(raw: type[io.FileIO], stream: TextIO) -> TextIO:
    """The same stream, whose bytes `raw` writes."""
    return io.TextIOWrapper(
        io.BufferedWriter(raw(stream.fileno(), "wb", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        newline="\n",
        line_buffering=bool(stream.line_buffering),
    )


def _usage(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx else "autoagent"
    message = error.format_message()
    if "--yolo" in message:
        return "unknown option --yolo. For no questions: --continuous (keeps the limits)"
    for found, told in _PLAINER:
        message = found.sub(told, message)
    end = "" if message.endswith((".", "?", "!")) else "."
    return f"{message[0].lower()}{message[1:]}{end} See: {path} --help"


_PLAINER = tuple(  # what click says, in words of ours
    (re.compile(pattern), told)
    for pattern, told in (
        (r"is not a valid integer(?: range)?\b", "is not a whole number"),
        (r"is not a valid float(?: range)?\b", "is not a number"),
        (r"is not in the range x>=(\S+?)\.?$", r"is less than \1"),
        (r"is not in the range (\S+?)<=x<=(\S+?)\.?$", r"is not from \1 to \2"),
        (r"Missing argument '+(.+?)'+\.?$", r"Missing: \1."),
        (r"Got unexpected extra arguments? \((.*)\)$", r"One thing too many: \1"),
    )
)


def _report(error: Exception, mask: Mask) -> str:
    """Keep the traceback in the state folder, without secrets; its path."""
    import time
    import traceback

    from autoagent.places import state_folder

    text = mask("".join(traceback.format_exception(error)))
    os.umask(0o077)  # for the folders above as well; the program ends here
    path = state_folder() / "reports" / f"{time.time_ns()}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError:
        return f"could not be kept.\n{text}"
    return str(path)
