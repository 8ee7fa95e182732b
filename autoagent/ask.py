"""One call of a model: reserved and journalled before it is sent, settled after, tried again where that helps."""

import random
import time
from dataclasses import dataclass
from typing import Any

from autoagent.budget import KEPT, Usage
from autoagent.errors import ContextTooLong, ModelUnavailable
from autoagent.events import ModelCalled, ModelFailed, ModelReplied, Purpose, RunPaused
from autoagent.journal import Journal
from autoagent.memory import Context
from autoagent.models import Model, Reply
from autoagent.people import People
from autoagent.state import State

TRIES, LONGEST_WAIT_S = 6, 120.0


@dataclass(frozen=True)
class Answer:
    reply: Reply
    seconds: float
    usage: Usage

    def event(self, purpose: Purpose, **parts: Any) -> ModelReplied:
        return ModelReplied(
            purpose=purpose,
            reply=self.reply.text,
            finish_reason=self.reply.finish_reason,
            usage=self.usage,
            usage_estimated=self.reply.usage_estimated,
            seconds=self.seconds,
            **parts,
        )


@dataclass(frozen=True)
class Call:
    """What a model is to be asked, and the most that it may answer, in tokens. `window` bounds what is sent."""

    purpose: Purpose
    model: Model
    context: Context
    schema: dict[str, Any]
    reply_tokens: int
    window: int

    @property
    def reserved(self) -> Usage:
        """The most that it may take: of our own count where the API is likely to count less, for it may be odd once."""
        tokens = max(self.context.tokens, self.context.estimated)
        input_tokens = max(tokens, min(tokens + tokens // 10 + 100, self.window))
        return priced(self.model, Usage(calls=1, input_tokens=input_tokens, output_tokens=self.reply_tokens))

    def refused(self, state: State) -> str | None:
        """Which limit forbids it, in words. A part of each is left for the hand-over, unless this is it."""
        kept = 0.0 if self.purpose == "handover" else KEPT
        return state.limits.refuses(self.reserved, after=state.usage, kept=kept)


def ask(journal: Journal, people: People, call: Call) -> Answer | None:
    """One try of a call that no limit forbids. None where there was no answer: the journal says why.

    After a failure that may pass it waits, so that asking again is the caller's whole retry.
    """
    model, context, limits = call.model, call.context, journal.state.limits
    journal.append(
        ModelCalled(
            purpose=call.purpose,
            model=model.name,
            tail=context.messages[-1]["content"],
            estimated_tokens=context.estimated,
            reserved=call.reserved,
        )
    )
    most_s = limits.time_s if call.purpose == "handover" else limits.working_s
    left_s = None if most_s is None else most_s - journal.state.worked_s
    began = time.monotonic()
    try:
        with people.interruptible():
            reply = model.complete(
                context.messages, schema=call.schema, reply_tokens=call.reply_tokens, timeout_s=left_s, hear=people.hear
            )
    except ContextTooLong as error:
        seconds = time.monotonic() - began
        journal.append(ModelFailed(problem=str(error), may_be_billed=False, too_long=True, seconds=seconds))
    except ModelUnavailable as error:
        _wait_or_pause(journal, people, call.purpose, error, time.monotonic() - began)
    except KeyboardInterrupt:
        journal.append(ModelFailed(problem="cancelled", seconds=time.monotonic() - began))
        if not people.stop_reason:
            raise
    else:
        return Answer(reply, time.monotonic() - began, priced(model, reply.usage.model_copy(update={"calls": 1})))
    return None


def priced(model: Model, usage: Usage) -> Usage:
    """`usage` with its cost, or counted as of unknown price."""
    if model.price is None:
        return usage.model_copy(update={"unpriced_calls": usage.calls})
    cost = model.price.cost(usage.input_tokens, usage.cached_tokens, usage.output_tokens)
    return usage.model_copy(update={"cost_usd": cost})


def _wait_or_pause(journal: Journal, people: People, purpose: Purpose, error: ModelUnavailable, seconds: float) -> None:
    """A hand-over is tried once: the run ends at its limit, with or without."""
    state = journal.state
    if purpose == "handover":
        billed = error.may_be_billed
        journal.append(ModelFailed(problem=str(error), may_be_billed=billed, seconds=seconds))
        return
    asked_s = error.retry_after_s or 0.0
    again = error.retryable and state.failures + 1 < TRIES and asked_s <= LONGEST_WAIT_S
    wait_s = max(asked_s, min(60.0, 2.0**state.failures) * random.uniform(0.75, 1.0)) if again else None
    if wait_s and state.limits.working_s is not None:
        wait_s = max(0.0, min(wait_s, state.limits.working_s - state.worked_s - seconds))
    journal.append(ModelFailed(problem=str(error), may_be_billed=error.may_be_billed, wait_s=wait_s, seconds=seconds))
    if wait_s is None:
        journal.append(RunPaused(status="unavailable", reason=str(error)))
        return
    try:
        with people.interruptible():
            people.sleep(wait_s)
    except KeyboardInterrupt:
        if not people.stop_reason:
            raise
