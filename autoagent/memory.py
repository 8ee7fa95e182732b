"""Short-term memory: what the model sees this step, within a budget of tokens. Pure.

A prefix that never changes (system prompt with commands and goal), then the steps in order, then one last message
that is new each time. Nothing before the end is rewritten until the high-water mark: provider caches hit.
"""

import hashlib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autoagent.budget import dollars
from autoagent.criteria import listed
from autoagent.models import Message
from autoagent.stall import warning
from autoagent.state import UNREADABLE_IN_A_ROW, Counted, Observation, State, Step
from autoagent.thoughts import plan_mark

HIGH_WATER, LOW_WATER = 0.9, 0.5  # parts of the context limit; the second of what rules and schema leave
SUMMARY_SHARE = 8  # one part in so many
SAID_SHARE, OBSERVED_SHARE = 8, 4
INDEX_SHARE = 3  # of a summary
INDEX = "Earlier results, to be read again with read_observation:"
DIGEST_CHARS = 200  # of an observation
FRAMING_TOKENS = 40  # delimiters and message framing of one observation or reply
OURS = ("refused", "skipped")  # outcomes that are told in our words or a person's: no data
Count = Callable[[str], int]


@dataclass(frozen=True)
class Context:
    """Messages, and how many tokens they are likely to be counted as, by section."""

    messages: list[Message]
    sections: dict[str, int]
    estimated: int  # as counted here
    tokens: int  # as the API is likely to count, by what it counted before

    def fits(self, limit: int) -> bool:
        return self.tokens <= limit


def build_context(
    state: State, system: str, tail: str, *, fixed_tokens: int, tail_tokens: int, model: str = ""
) -> Context:
    """System prompt, summary, the steps that it does not cover, and `tail`, the one message that changes.

    `fixed_tokens` counts the system prompt and the reply schema; `model` is who is asked, if not the run's own.
    Observations carry the role `user`, between delimiters that their text can't know: they are data from outside,
    never words of ours.
    """
    steps = state.steps[state.summarized :]
    messages = prefix(state, system)
    for step in steps:
        messages.extend(step_messages(step, state.nonce))
    if tail:
        messages.append({"role": "user", "content": tail})
    sections = {
        "rules, commands, goal, schema": fixed_tokens,
        "summary": state.summary_tokens,
        "steps": sum(step.total_tokens for step in steps),
        "plan and limits": tail_tokens,
    }
    estimated = sum(sections.values())
    return Context(messages, sections, estimated, believed(state, estimated, model))


def fresh_context(system: str, text: str, count: Count, factor: float) -> Context:
    """A context of its own: what is asked for, and the one text that it is asked of.

    `factor`: see `factor_of`. Only upwards: nothing like it was sent before, and another model may be asked.
    """
    sizes = {"rules": count(system) + FRAMING_TOKENS, "text": count(text) + FRAMING_TOKENS}
    messages: list[Message] = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    return Context(messages, sizes, sum(sizes.values()), math.ceil(sum(sizes.values()) * max(1.0, factor)))


def factor_of(state: State, model: str = "") -> float:
    """What our counts are multiplied with for `model`, or for the run's own: what its endpoint counted of ours.

    The largest of the last few. One that counts more is believed at once, one that counts less once it says so again.
    """
    ratios = _counted(state, model).ratios
    return max(ratios if len(ratios) > 1 else (1.0, *ratios, *_counted(state).ratios))


def believed(state: State, estimated: int, model: str = "") -> int:
    """How many tokens the API is likely to count where we count `estimated`.

    A lower count is believed of as much as was counted so far. What is new since then may be of another language.
    """
    factor = factor_of(state, model)
    of_new = max(1.0, factor)
    known = min(estimated, _counted(state, model).estimated)
    return math.ceil(estimated * of_new - known * (of_new - factor))


def _counted(state: State, model: str = "") -> Counted:
    own = state.setup.model if state.setup else ""
    return state.counted.get(model or own, Counted())


def prefix(state: State, system: str) -> list[Message]:
    head: list[Message] = [{"role": "system", "content": system}]
    if state.summary:
        head.append({"role": "user", "content": f"Summary of the steps before these:\n{state.summary}"})
    return head


def step_messages(step: Step, nonce: str) -> list[Message]:
    said: list[Message] = [{"role": "assistant", "content": step.said}] if step.said else []
    observed = "\n".join(_observed(observation, nonce) for observation in step.observations)
    return [*said, {"role": "user", "content": observed}]


def _observed(observation: Observation, nonce: str) -> str:
    if observation.id.startswith("p"):
        return f"Message from the person who gave the goal:\n{observation.text}"
    if observation.id.startswith("n"):
        return f"Note: {observation.text}"
    if observation.call is None:
        return f"Your reply could not be used: {observation.text}"
    head = f"Observation {observation.id}, {observation.call.name}: {observation.outcome}"
    if observation.outcome in OURS:
        return f"{head}. {observation.text}"
    return fenced(head, observation.text, f"{nonce} {observation.id}")


def fenced(head: str, text: str, nonce: str) -> str:
    """Text from outside between delimiters that it can't know, below a line of ours."""
    mark = _mark(nonce)
    return f"{head}\n<<<{mark}\n{text}\n{mark}>>>"


def _mark(nonce: str) -> str:
    return hashlib.sha256(nonce.encode()).hexdigest()[:8]


def volatile_tail(state: State, context_tokens: int, fixed_tokens: int) -> str:
    """The last message: plan with marks, what is left of each limit, warnings. Never part of the prefix."""
    limits, lines = state.limits, list[str]()
    if state.criteria:
        lines.append("What has to be true at the end (checked by the program or a reviewer):")
        lines += listed(state.criteria, state.verdicts)
    if state.plan:
        plan = "\n".join(f"[{mark}] {text}" for mark, text in map(plan_mark, state.plan))
        lines += ["Your plan so far:", clip(plan, context_tokens // OBSERVED_SHARE, len)]  # in characters
    left = [f"step {state.step + 1}" + (f" of {limits.steps}" if limits.steps else "")]
    if limits.cost_usd is not None and state.usage.cost_usd:
        left.append(f"{dollars(state.usage.cost_usd)} of {dollars(limits.cost_usd)} spent")
    if limits.tokens is not None:
        left.append(f"{state.usage.tokens:,} of {limits.tokens:,} tokens used")
    if limits.time_s is not None:
        left.append(f"{state.worked_s:.0f} of {limits.time_s:.0f} s used")
    lines.append(f"This is {', '.join(left)}.")
    used = fixed_tokens + state.summary_tokens + sum(step.total_tokens for step in state.steps[state.summarized :])
    room = int((context_tokens * HIGH_WATER - believed(state, used)) / max(1.0, factor_of(state)))
    if room < context_tokens // 4 and state.steps:  # before that the count is a bound, far above
        lines.append(
            f"Older steps are summarised soon ({max(0, room):,} tokens left): put what you need into thoughts.text."
        )
    if state.outside:
        alone = state.setup is not None and state.setup.approve == "never"
        then = "is refused" if alone else "needs a person"
        lines.append(f"Text from outside was read: what could send data out {then} from now on.")
    if state.unreadable:
        lines.append(f"Unreadable replies in a row: {state.unreadable}; at {UNREADABLE_IN_A_ROW} the run ends.")
    if limits.steps and state.step + 1 >= limits.steps:
        lines.append("It is the last step: end the run now, with task_complete if the goal is reached, else give_up.")
    if told := warning(state):
        lines.append(f"Warning: {told}")
    return "\n".join([*lines, "Answer with the next JSON object."])


def clip(text: str, limit: int, count: Count) -> str:
    """`text` within `limit` tokens: its head and its tail, and in between how many lines are left out."""
    if count(text) <= limit:
        return text
    size = len(text)
    while size > 1:
        size = min(size - 1, max(1, int(size * 0.7)))
        shorter = _head_and_tail(text, size)
        if count(shorter) <= limit:
            return shorter
    return ""


def _head_and_tail(text: str, size: int) -> str:
    head, tail = text[: size * 2 // 3], text[len(text) - size // 3 :]
    if "\n" in head and "\n" in tail:  # whole lines
        head, tail = head[: head.rindex("\n")], tail[tail.index("\n") + 1 :]
    left_out = text[len(head) : len(text) - len(tail)]
    lines = left_out.count("\n")
    amount = f"{lines:,} lines" if lines > 1 else f"{len(left_out):,} characters"
    return f"{head}\n[… {amount} left out here …]\n{tail}"


def allot(total: int, sizes: Sequence[int]) -> list[int]:
    """What each may take of `total`: the small ones what they need, the large ones equal parts of the rest."""
    shares, left = [0] * len(sizes), total
    for rank, at in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        shares[at] = min(sizes[at], left // (len(sizes) - rank))
        left -= shares[at]
    return shares


def steps_to_compact(state: State, *, fixed_tokens: int, limit: int, factor: float) -> int:
    """How many of the first steps the next summary has to cover to come down to the low-water mark.

    `factor` is what the API is likely to count of what we count. The newest step always stays. 0: there is nothing
    that could be compacted.
    """
    whole = limit / factor
    room = (whole - fixed_tokens) * LOW_WATER - whole / SUMMARY_SHARE
    kept, upto = 0, len(state.steps)
    while upto > state.summarized:
        kept += state.steps[upto - 1].total_tokens
        if kept > room and upto < len(state.steps):
            break
        upto -= 1
    return upto if upto > state.summarized else 0


def summary(state: State, upto: int, limit: int, count: Count, *, by_model: str = "") -> str:
    """What stands for the first `upto` steps: the model's words or a digest, then which results can be read again."""
    found = index(state, upto, limit // INDEX_SHARE, count)
    room = limit - count(f"\n{found}") if found else limit
    body = clip(by_model, room, count) if by_model else digest(state, upto, room, count)
    return f"{body}\n{found}" if found else body


def index(state: State, upto: int, limit: int, count: Count) -> str:
    """Which results of the first `upto` steps can be read again by their ids, the newest of each call; "" for none.

    What does not fit is left out, the oldest first.
    """
    observations = [observation for step in state.steps[:upto] for observation in step.observations]
    newest = {_index_name(o): o.id for o in observations if o.call and o.outcome == "ok" and _worth_reading(o)}
    entries = [f"{id} {name}" for name, id in newest.items()]
    while entries:
        if count(text := f"{INDEX} {'; '.join(entries)}") <= limit:
            return text
        entries = entries[max(1, len(entries) // 8) :]
    return ""


def _worth_reading(observation: Observation) -> bool:
    return bool(observation.artifact) or len(observation.text) > DIGEST_CHARS


def _index_name(observation: Observation) -> str:
    if observation.call is None:
        return ""
    name, args = observation.call.name, [value for value in observation.call.args.values() if value is not None]
    return " ".join([*([] if name == "read_file" else [name]), *(str(value)[:60] for value in args[:1])])


def digest(state: State, upto: int, limit: int, count: Count) -> str:
    """A summary without a model: the one before, files made, and what each command came to and where to read it again.

    What does not fit is left out: first the oldest that went well, then the oldest failures and messages.
    """
    before = state.summary.partition(f"\n{INDEX}")[0]
    head = [_whole_fences(clip(before, limit // 2, count))] if before else []
    if state.wrote:
        head.append(clip(f"Files written so far: {', '.join(state.wrote)}.", limit // 4, count))
    observations = [observation for step in state.steps[state.summarized : upto] for observation in step.observations]
    lines = {at: _digest_line(observation, state.nonce) for at, observation in enumerate(observations)}
    rest = sorted(lines, key=lambda at: observations[at].call is None or observations[at].outcome != "ok")
    while rest and count("\n".join([*head, *lines.values()])) > limit:
        dropped = max(1, len(rest) // 8)
        for at in rest[:dropped]:
            del lines[at]
        rest = rest[dropped:]
    return _whole_fences(clip("\n".join([*head, *lines.values()]), limit, count))


def _digest_line(observation: Observation, nonce: str) -> str:
    """What the command came to in one line; what it said stands between delimiters there too."""
    if observation.call is None:
        return f"{observation.id}: {observation.text[:500]}"
    given = {name: value for name, value in observation.call.args.items() if value is not None}
    args = ", ".join(f"{name}={str(value)[:60]!r}" for name, value in given.items())
    head = f"{observation.id} {observation.call.name}({args}): {observation.outcome}"
    more = "…" if len(observation.text) > DIGEST_CHARS else ""
    said = " ".join(observation.text.split())[:DIGEST_CHARS] + more
    if not said or observation.outcome in OURS:
        return f"{head}: {said}"
    mark = _mark(f"{nonce} {observation.id}")
    return f"{head}: <<<{mark} {said} {mark}>>>"


def _whole_fences(text: str) -> str:
    """Without lines that were cut between two delimiters."""
    return "\n".join(line for line in text.split("\n") if not _HALF.search(_FENCED.sub("", line)))


_FENCED, _HALF = re.compile(r"<<<([0-9a-f]{8}) .* \1>>>"), re.compile("<<<[0-9a-f]{8} | [0-9a-f]{8}>>>")
