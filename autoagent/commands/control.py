"""Commands about the run itself: ask the person, end with a result, give up."""

from autoagent.claims import Claim
from autoagent.env import ABSENT, Completion, Env, WorkspacePath
from autoagent.errors import CommandError
from autoagent.registry import command


@command("asks")
def ask_person(question: str) -> str:
    """Ask the person who gave the goal, where only they can know or decide. Their answer is the observation."""
    raise CommandError("Nobody answered.")  # the loop records the answer itself; this is never reached with one


@command("ends")
def task_complete(
    env: Env, result: str, files: list[WorkspacePath] | None = None, claims: list[Claim] | None = None
) -> Completion:
    """End the run: `result` is what the person gets, in full; `files` are those you made for it. They must exist.

    `claims`: each fact of the result with its source and a quote, copied word for word from what you read.
    """
    named = tuple(files or ())
    if missing := [path for path in named if env.files.fingerprint(path) == ABSENT]:
        raise CommandError(f"These files do not exist: {', '.join(missing)}. Write them, or leave them out.")
    if not result.strip():
        raise CommandError("The result is empty. Say what was reached.")
    return Completion(result, named, claims=tuple(claims or ()))


@command("ends")
def give_up(reason: str) -> Completion:
    """End the run because the goal can't be reached: say what was found, what is missing and why."""
    return Completion(reason, reached=False)
