"""The offline planner: rules behind the Model protocol, for goals that need no language model.

It quotes, finds, counts and adds; it never writes a sentence about the world of its own. What it has done it reads
from the messages, so a resumed run goes on where it stopped.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autoagent.budget import Usage
from autoagent.models import Hear, Message, Reply, unheard
from autoagent.models.offline.planning import next_thought
from autoagent.thoughts import Thought

NAME = "offline"
BYTES_PER_TOKEN = 16  # no tokenizer is behind it: what is counted only has to bound the memory that a run takes
NO_PROSE = "This is the offline planner: rules, no language model. It can't summarise or review what a run did."
_GOAL = "# Goal\n"


@dataclass(frozen=True)
class Free:
    def cost(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> float:
        return 0.0


class OfflinePlanner:
    """A Model that is none: it costs nothing and uses no tokens."""

    @property
    def name(self) -> str:
        return NAME

    @property
    def price(self) -> Free:
        return Free()

    def count(self, text: str) -> int:
        return len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN + 1

    def bound(self, text: str) -> int:
        return len(text.encode("utf-8", "replace"))

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: dict[str, Any],
        reply_tokens: int,
        timeout_s: float | None,
        hear: Hear = unheard,
    ) -> Reply:
        """The next thought. Asked for prose it says what it is, as a cut reply: the agent makes its digest then."""
        if not schema:
            return Reply(NO_PROSE, Usage(calls=1), finish_reason="length")
        thought = next_thought(_goal(messages), messages, _commands(schema))
        return Reply(_reply(thought), Usage(calls=1))

    def close(self) -> None:
        """There is nothing to give back."""


def _reply(thought: Thought) -> str:
    """With the draft of criteria beside the thoughts, which what is kept of a reply leaves out."""
    reply = json.loads(thought.as_reply())
    if thought.draft:
        criteria = [criterion.model_dump(exclude={"by"}) for criterion in thought.draft.criteria]
        reply |= {"criteria": criteria, "needs": thought.draft.needs.model_dump()}
    return json.dumps(reply, ensure_ascii=False)


def _goal(messages: Sequence[Message]) -> str:
    """What stands after the last heading "Goal" of the system message, without half characters."""
    system = next((message["content"] for message in messages if message["role"] == "system"), "")
    goal = system.rpartition(_GOAL)[2].strip()
    return goal.encode("utf-8", "replace").decode()


def _commands(schema: dict[str, Any]) -> frozenset[str] | None:
    """The commands that a reply may name, by the schema it is asked for in; None where that says nothing of them."""
    try:
        calls: list[dict[str, Any]] = schema["properties"]["commands"]["items"]["anyOf"]
        return frozenset(str(call["properties"]["name"]["const"]) for call in calls)
    except (KeyError, TypeError):
        return None
