"""What other prompts would have sent: the requests of a recorded run built again with a person's own files."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autoagent import build, prompts
from autoagent.errors import ConfigError
from autoagent.events import Compacted, Event, ModelCalled
from autoagent.journal import artifact
from autoagent.memory import FRAMING_TOKENS, HIGH_WATER, Context, build_context
from autoagent.models import Message
from autoagent.places import prompts_folder
from autoagent.replay.answers import Counter
from autoagent.replay.playing import counter
from autoagent.state import State, apply

TRIED = ("system", "summary", "review")  # what stands in requests that the record alone gives again
_NAME = re.compile(r"\$(\$|\w+)")


@dataclass(frozen=True)
class Request:
    """One request as it was sent and as other prompts make it; `limit` is the window in tokens."""

    step: int
    called: ModelCalled
    sent: Context
    now: Context
    limit: int

    @property
    def fits(self) -> bool:
        """Whether it would have been sent as it is; else older steps would have been summarised first."""
        return self.now.fits(int(self.limit * HIGH_WATER))

    def changed(self) -> list[tuple[int, Message, Message]]:
        """The messages that differ, numbered from 1."""
        pairs = enumerate(zip(self.sent.messages, self.now.messages, strict=True), 1)
        return [(number, one, other) for number, (one, other) in pairs if one != other]


def requests(folder: Path, events: Sequence[Event], own: Path, until: int) -> list[Request]:
    """The requests of the steps up to `until` with the prompts of the folder `own`. What was observed stays as it was.

    Raises ConfigError where the folder holds none, one that can't be tried, or one that names what it may not.
    """
    _check(own)
    found: list[Request] = []
    state, step = State(), 0
    for at, event in enumerate(events):
        before, state = state, apply(state, event)
        if isinstance(event, ModelCalled | Compacted) and before.pending is None:
            step = before.step + 1
        if step > until:
            break
        if isinstance(event, ModelCalled) and event.purpose in ("step", "summary", "review"):
            found.append(_request(folder, before, event, own, step, events[at + 1 :]))
    if not found or step < until:
        raise ConfigError(f"the run has no step {until}; its last is {state.step}")
    return found


def _check(own: Path) -> None:
    given = sorted(path.stem for path in own.glob("*.md") if path.stem in prompts.NAMES)
    names = ", ".join(f"{name}.md" for name in TRIED)
    if not given:
        raise ConfigError(f"{own}: there is no prompt in it. It may hold {names}")
    if others := [name for name in given if name not in TRIED]:
        raise ConfigError(f"{own}: {others[0]}.md can't be tried on a record, only {names}")


def _request(folder: Path, state: State, called: ModelCalled, own: Path, step: int, later: Sequence[Event]) -> Request:
    setup = state.setup
    assert setup is not None
    count = counter(called.model)
    schema = json.dumps(build.make_registry(setup, lambda _: None).reply_schema())
    if called.purpose == "summary":
        upto = next((event.upto for event in later if isinstance(event, Compacted)), len(state.steps))
        state = replace(state, steps=state.steps[:upto], pending=None)
    system = artifact(folder, state.system)
    tail = called.tail if called.purpose == "step" else _refilled(called.purpose, called.tail, own)
    sent = _context(state, system, called.tail, schema, count, called.model)
    now = _context(state, _refilled("system", system, own), tail, schema, count, called.model)
    return Request(step, called, sent, now, setup.context_tokens)


def _context(state: State, system: str, tail: str, schema: str, count: Counter, model: str) -> Context:
    fixed, last = count.count(system + schema) + FRAMING_TOKENS, count.count(tail) + FRAMING_TOKENS
    return build_context(state, system, tail, fixed_tokens=fixed, tail_tokens=last, model=model)


def _refilled(name: str, text: str, own: Path) -> str:
    """The person's own prompt with what the recorded one was filled with; the recorded one where they give none."""
    if not (own / f"{name}.md").is_file():
        return text
    return prompts.fill(name, own, **_values(name, text))


def _values(name: str, text: str) -> dict[str, str]:
    """What stands in a recorded prompt for each `$name` of the template that it was made of."""
    for folder in (prompts_folder(), None):
        if found := _pattern(prompts.load(name, folder)).fullmatch(text):
            return found.groupdict()
    raise ConfigError(
        f"the recorded {name} prompt was not made of the one of now (autoagent prompts show {name}), "
        "so what it was filled with is not known"
    )


def _pattern(template: str) -> re.Pattern[str]:
    parts, at, seen = list[str](), 0, set[str]()
    for found in _NAME.finditer(template):
        parts.append(re.escape(template[at : found.start()]))
        at, name = found.end(), found[1]
        parts.append(r"\$" if name == "$" else f"(?P={name})" if name in seen else f"(?P<{name}>.*?)")
        seen.add(name)
    return re.compile("".join([*parts, re.escape(template[at:])]), re.DOTALL)
