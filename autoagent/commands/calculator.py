"""Python that only calculates, where nothing holds programs: Monty, without files, network or processes."""

import functools
import os
import sysconfig
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from autoagent.errors import CommandError

if TYPE_CHECKING:
    from pydantic_monty import Frame, ResourceLimits

MEMORY = 256 << 20  # bytes
MOST_PRINTED = 1 << 20  # bytes
DEEPEST = 500  # calls within calls
_START_S = 10.0
_LACKS = (
    "Python only calculates here: no files, network or processes; no generators, inheritance, `del` or @property; "
    "few modules: math, re, json, datetime, time, random, itertools, functools, collections, decimal, csv, base64, "
    "hashlib, bisect, copy, dataclasses. Write it without."
)  # of pydantic-monty 1.4.0


@functools.cache
def available() -> bool:
    """Whether the extra "calc" is installed, with the program that it starts."""
    return find_spec("pydantic_monty") is not None and _binary() is not None


def calculate(code: str, args: Sequence[str], timeout_s: float) -> str:
    """What the code prints, and the value of its last expression.

    `args` are the list `argv`, since Monty's `sys.argv` can't be set. Raises CommandError where the code fails, with
    what it printed until then, and where it needs what Monty lacks.
    """
    from pydantic_monty import CollectString, Monty, MontyCrashedError, MontyError, MontyRuntimeError, MontySyntaxError

    if args and "sys.argv" in code:
        raise CommandError("sys.argv can't be used here: the arguments are the list `argv`, without the script's name.")
    printed = CollectString(max_bytes=MOST_PRINTED)
    limits: ResourceLimits = {
        "max_feed_duration_secs": timeout_s,
        "max_memory": MEMORY,
        "max_recursion_depth": DEEPEST,
    }
    try:
        with (
            Monty(binary_path=_binary(), max_processes=1, request_timeout=timeout_s + _START_S) as workers,
            workers.checkout(script_name="code.py", limits=limits, os_policy={"sleep": "zero"}) as session,
        ):
            value = session.feed_run(code, inputs={"argv": list(args)}, print_callback=printed)
    except MontySyntaxError as error:
        raise CommandError(f"The code is not Python: {error.exception()}{_where(error.traceback())}.") from error
    except MontyRuntimeError as error:
        raise CommandError(_failure(error.exception(), error.traceback(), printed.output)) from error
    except MontyCrashedError as error:
        raise CommandError(
            "The calculation broke off: it took too long or too much memory. Make it smaller."
        ) from error
    except (MontyError, RuntimeError) as error:
        raise CommandError(f"The calculator can't do it: {error}.") from error
    return printed.output if value is None else f"{printed.output}{_shown(value)}"


def _shown(value: object) -> str:
    try:
        shown = repr(value)
    except (ValueError, RecursionError):  # numbers of thousands of digits, lists in lists
        shown = ""
    if not 0 < len(shown) <= MOST_PRINTED:
        raise CommandError("The last value is too long to be shown. Print the part of it that you want to see.")
    return shown


def _failure(error: BaseException, frames: "list[Frame]", printed: str) -> str:
    before = f"\nIt printed before: {printed[-2_000:]}" if printed else ""
    match error:
        case TimeoutError():
            what = "The calculation took longer than timeout_s. Make it smaller, or give it more time"
        case MemoryError():
            what = f"The calculation needs more than {MEMORY >> 20} MiB, or prints more than {MOST_PRINTED >> 20} MiB"
        case NotImplementedError() | ImportError() | PermissionError():
            what = f"{type(error).__name__}: {error}{_where(frames)}. {_LACKS}"
        case _:
            what = f"{type(error).__name__}: {error}{_where(frames)}"
    return what + before


def _where(frames: "list[Frame]") -> str:
    return f" (line {frames[-1].line})" if frames else ""


def _binary() -> Path | None:
    """Where it was installed: never what the PATH or the folder of a workspace offers."""
    folders = (sysconfig.get_path("scripts", scheme) for scheme in (sysconfig.get_default_scheme(), f"{os.name}_user"))
    return next((path for path in (Path(folder) / "monty" for folder in folders) if path.is_file()), None)
