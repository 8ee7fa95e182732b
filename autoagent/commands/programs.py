"""Run programs in the workspace: a shell line, Python, and what runs in the background."""

import shutil
from collections.abc import Sequence

from autoagent.commands import calculator
from autoagent.commands.pages import LINES, page
from autoagent.env import Env, ShellLine, WorkspacePath
from autoagent.errors import CommandError
from autoagent.programs import CODE, USUAL_S, Program
from autoagent.registry import command

MOST_S = 3_600
LONGEST_CODE = 1 << 20  # characters
_AS_A_SCRIPT = (
    "import sys; sys.argv = sys.argv[1:]; sys.path[0] = ''; "
    "exec(compile(open(sys.argv[0], encoding='utf-8').read(), sys.argv[0], 'exec'))"
)  # with the workspace, and not the folder of the code, as where modules are found


@command("executes")
def run_shell(env: Env, command: ShellLine, timeout_s: int = USUAL_S, background: bool = False) -> Program:
    """Run a line of shell in the workspace, to its end or for `timeout_s` seconds. Standard input is empty.

    `background`: a program that is to run on, such as a server. Later commands of this run reach it at 127.0.0.1; see
    list_programs, read_program, stop_program.
    """
    if not command.strip():
        raise CommandError("The command is empty.")
    shell = "bash" if shutil.which("bash") else "sh"
    return Program((shell, "-c", command), command, _bounded(timeout_s), background=background)


@command("executes")
def run_python(
    env: Env, code: str = "", path: WorkspacePath = "", args: Sequence[str] = (), timeout_s: int = USUAL_S
) -> Program:
    """Run Python in the workspace: `code`, or the script at `path`, with `args`. Print what you want to see."""
    _one_of(code, path)
    if path:
        script = _script(env, path)
        return Program(("python3", script, *args), " ".join(("python3", script, *args)), _bounded(timeout_s))
    return Program(("python3", "-c", _AS_A_SCRIPT, CODE, *args), code, _bounded(timeout_s), code=code)


@command("reads", name="run_python")
def calculate(env: Env, code: str = "", path: WorkspacePath = "", args: Sequence[str] = (), timeout_s: int = 10) -> str:
    """Calculate with Python: `code`, or the script at `path`. It reaches no files, no network and few modules.

    No generators, inheritance or del; `args` are the list `argv`. Shown is what it prints and its last expression.
    """
    _one_of(code, path)
    if path:
        code = env.files.read_bytes(_script(env, path), limit=LONGEST_CODE).decode("utf-8", "replace")
    return calculator.calculate(code, args, _bounded(timeout_s))


def _one_of(code: str, path: str) -> None:
    if bool(code.strip()) == bool(path):
        raise CommandError("Give either `code` or the `path` of a script.")
    if len(code) > LONGEST_CODE:
        raise CommandError(f"The code has {len(code):,} characters, more than {LONGEST_CODE:,}. Write it to a file.")


def _script(env: Env, path: str) -> str:
    """As an argument that can't be taken for an option."""
    name = env.files.real_name(path)
    if env.files.fingerprint(name) == "absent":
        raise CommandError(f"{path!r} does not exist.")
    return f"./{name}"


def _bounded(timeout_s: int) -> float:
    if not 1 <= timeout_s <= MOST_S:
        raise CommandError(f"timeout_s is a number of seconds from 1 to {MOST_S:,}.")
    return float(timeout_s)


@command("reads")
def list_programs(env: Env) -> str:
    """List the programs that run in the background, with their ids."""
    running = env.programs.running()
    if not running:
        return "No program runs in the background."
    return "\n".join(f"{one.id}\t{one.ended or 'runs'}\t{one.seconds:.0f} s\t{one.shown}" for one in running)


@command("reads")
def read_program(env: Env, id: str, offset: int = 1) -> str:
    """Read what a background program wrote, from line `offset`. Its id, such as p1, is in list_programs."""
    return page(f"program {id}", env.programs.output(id), offset, LINES, env, "", numbered=False).text


# It only takes away what this run started itself, so nobody need be asked.
@command("reads")
def stop_program(env: Env, id: str) -> str:
    """Stop a program that runs in the background."""
    ran = env.programs.stop(id)
    return f"Program {id} is stopped. The end of what it wrote:\n{ran.output[-2_000:]}"
