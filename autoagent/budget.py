"""What a run may spend, and what it has spent."""

import math

from pydantic import BaseModel, ConfigDict

STEPS, COST_USD, REPLY_TOKENS = 50, 2.00, 8_192
KEPT, KEPT_S = 0.1, 30.0  # of each limit for the hand-over that ends a run; of its time at most so many seconds


class Usage(BaseModel):
    """What calls of a model took. `input_tokens` includes cached ones, `output_tokens` reasoning ones.

    `unpriced_calls` had no known price, so `cost_usd` leaves them out and the total is unknown.
    """

    model_config = ConfigDict(frozen=True)

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        mine, theirs = self.__dict__, other.__dict__
        return Usage.model_construct(**{name: mine[name] + theirs[name] for name in mine})


class Limits(BaseModel):
    """Hard limits of one run; None means none. `time_s` is working time: waiting for a person is free."""

    model_config = ConfigDict(frozen=True)

    steps: int | None = STEPS
    cost_usd: float | None = None
    tokens: int | None = None
    time_s: float | None = None

    @property
    def working_s(self) -> float | None:
        """What of the time is for the work: the rest is kept for the hand-over."""
        return None if self.time_s is None else self.time_s - min(self.time_s * KEPT, KEPT_S)

    def exceeded(self, *, steps: int, usage: Usage, worked_s: float) -> str | None:
        """The first limit that is used up, in words, or None."""
        if self.steps is not None and steps >= self.steps:
            return f"step limit: {steps} of {self.steps} steps"
        if self.tokens is not None and usage.tokens >= self.tokens:
            return f"token limit: {usage.tokens:,} of {self.tokens:,} tokens"
        if self.cost_usd is not None and usage.cost_usd >= self.cost_usd - _CENT_DUST:
            return f"cost limit: {dollars(usage.cost_usd)} of {dollars(self.cost_usd)}"
        return self.out_of_time(worked_s)

    def out_of_time(self, worked_s: float) -> str | None:
        """Also checked between the commands of one thought."""
        if self.time_s is not None and worked_s >= (self.working_s or 0):
            return f"time limit: {worked_s:.0f} of {self.time_s:.0f} s of work"
        return None

    def refuses(self, call: Usage, *, after: Usage, kept: float) -> str | None:
        """Why a call that may take as much as `call` is not sent, in words, or None.

        `kept` is the part of each limit that it must leave.
        """
        part = 1 - kept
        if self.cost_usd is not None and after.cost_usd + call.cost_usd > self.cost_usd * part + _CENT_DUST:
            spent = f"{dollars(after.cost_usd)} of {dollars(self.cost_usd)} spent"
            return f"cost limit: {spent}; the next call could cost {dollars(call.cost_usd)}, so it was not sent"
        if self.tokens is not None and after.tokens + call.tokens > self.tokens * part:
            spent = f"{after.tokens:,} of {self.tokens:,} tokens used"
            return f"token limit: {spent}; the next call could take {call.tokens:,}, so it was not sent"
        return None


_CENT_DUST = 1e-9  # what adding floats may leave over


def dollars(amount: float) -> str:
    """$0.41; as many digits as an amount below a cent needs."""
    if amount <= 0 or amount >= 0.01:
        return f"${amount:.2f}"
    return f"${amount:.{min(8, 1 - math.floor(math.log10(amount)))}f}"
