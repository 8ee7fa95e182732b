"""The hand-over of a run that a limit ends: what is done, what is open, what comes next. Pure."""

from collections.abc import Mapping
from string import Template
from typing import Any, cast

from autoagent.criteria import listed
from autoagent.errors import ThoughtError
from autoagent.events import HandoverWritten
from autoagent.memory import Count, clip, digest
from autoagent.reading import read_object
from autoagent.state import State
from autoagent.thoughts import plan_mark

REPLY_TOKENS, MATERIAL_TOKENS = 800, 1_500
WORDS = 250
MOST = 12  # lines of each list
LONGEST = 600  # characters of a line
_TEXTS = {"type": "array", "items": {"type": "string"}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"done": _TEXTS, "open": _TEXTS, "next": {"type": "string"}},
    "required": ["done", "open", "next"],
    "additionalProperties": False,
}


def request(prompt: str, reason: str) -> str:
    """What the model is asked for."""
    return Template(prompt).safe_substitute(reason=reason, words=WORDS)


def material(state: State, limit: int, count: Count) -> str:
    """What it needs of the run in `limit` tokens, however large the run's own window is."""
    parts = [f"# Goal\n\n{clip(state.goal, limit // 4, count)}"]
    if state.criteria:
        parts.append("# What has to be true at the end\n\n" + "\n".join(listed(state.criteria, state.verdicts)))
    if state.plan:
        plan = "\n".join(f"[{mark}] {text}" for mark, text in map(plan_mark, state.plan))
        parts.append(f"# Plan\n\n{clip(plan, limit // 6, count)}")
    left = limit - count("\n\n".join(parts)) - 20
    return "\n\n".join([*parts, f"# What happened\n\n{digest(state, len(state.steps), max(left, limit // 4), count)}"])


def parse(reply: str, state: State) -> tuple[HandoverWritten | None, str]:
    """What the model wrote; None and why where that can't be read."""
    try:
        data: Mapping[str, Any] = read_object(reply)
        done, open_, next_ = _lines(data.get("done")), _lines(data.get("open")), data.get("next")
    except ThoughtError as error:
        return None, str(error)
    if not done and not open_:
        return None, "it says nothing of what is done or open"
    said = next_.strip()[:LONGEST] if isinstance(next_, str) else ""
    return HandoverWritten(done=done, open=open_, next=said, files=state.wrote, by="model"), ""


def _lines(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    found = (" ".join(str(line).split()) for line in cast(list[Any], value))
    return tuple(line[:LONGEST] for line in found if line)[:MOST]


def digest_of(state: State) -> HandoverWritten:
    """Without a model: the criteria and the plan as they stand."""
    met = {verdict.criterion for verdict in state.verdicts if verdict.state == "met"}
    plan = [plan_mark(line) for line in state.plan]
    done = [one.text for number, one in enumerate(state.criteria, 1) if number in met]
    done += [text for mark, text in plan if mark == "x"]
    open_ = [one.text for number, one in enumerate(state.criteria, 1) if number not in met]
    left = [text for mark, text in plan if mark != "x"]
    return HandoverWritten(
        done=tuple(done[:MOST]),
        open=tuple((open_ or left)[:MOST]),
        next=left[0] if left else "",
        files=state.wrote,
        by="digest",
    )
