"""AutoGPT's first run, better: one sentence becomes a name, a role and goals that the person may change."""

import contextlib
import json
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

from autoagent import prompts
from autoagent.ask import priced
from autoagent.budget import KEPT, Limits, Usage
from autoagent.cli.goal import Goal
from autoagent.errors import ConfigError, ModelError
from autoagent.models import PLAIN_TEXT, Model
from autoagent.terminal.goal import Proposal, ask_goal
from autoagent.terminal.keyboard import Keyboard
from autoagent.terminal.screen import Screen

MOST_PROPOSED = 5


def ask_person(
    screen: Screen, keyboard: Keyboard, model: Model, reply_tokens: int, limits: Limits, *, own: Path | None
) -> Goal | None:
    """One sentence, from which the model proposes name, role and goals; None where the person leaves.

    `own` is the folder of the user's prompts, where they count.

    Raises ConfigError where the model can't be asked.
    """
    usage = Usage()

    def propose(sentence: str) -> Proposal:
        nonlocal usage
        prompt = prompts.fill("goals", own, sentence=screen.look.mask(sentence))
        most = priced(model, Usage(calls=1, input_tokens=model.bound(prompt) + 100, output_tokens=reply_tokens))
        if refused := limits.refuses(most, after=usage, kept=KEPT):
            raise ConfigError(refused)
        try:
            reply = model.complete(
                [{"role": "user", "content": prompt}],
                schema=PLAIN_TEXT,
                reply_tokens=reply_tokens,
                timeout_s=None,
                hear=screen.hear,
            )
        except ModelError as error:
            raise ConfigError(f"the goals could not be proposed: {error}. Give them: autoagent run --goal …") from None
        usage += priced(model, reply.usage.model_copy(update={"calls": 1}))
        return _proposal(reply.text, sentence)

    with _ctrl_c_leaves():
        found = ask_goal(screen, keyboard, propose)
    return None if found is None else Goal(found.goals, found.name, found.role, usage=usage)


@contextlib.contextmanager
def _ctrl_c_leaves() -> Generator[None]:
    """There is no run yet that a first Ctrl-C could pause."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _proposal(reply: str, sentence: str) -> Proposal:
    """What the model proposes; where it can't be read, the sentence itself is the goal."""
    plain = Proposal("autoagent", "", (sentence,))
    try:
        data: Any = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])
    except (ValueError, RecursionError):
        return plain
    if not isinstance(data, dict):
        return plain
    data = cast(dict[str, Any], data)
    goals = cast(list[Any], data["goals"]) if isinstance(data.get("goals"), list) else []
    texts = tuple(text.strip() for text in goals if isinstance(text, str) and text.strip())[:MOST_PROPOSED]
    name, role = data.get("name"), data.get("role")
    if not texts or not isinstance(name, str) or not isinstance(role, str):
        return plain
    return Proposal(name.strip() or plain.name, role.strip(), texts)
