"""Claims of a result, and what came of looking their evidence up in what the run really read."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Claim(BaseModel):
    """One statement of a result, where it is from, and the words there that show it.

    `source` is an observation's id (3.1), file:LINE, file#pN, file#SHEET!CELL, or an address.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    source: str
    quote: str


class CheckedClaim(BaseModel):
    """A claim and whether its quote stands in what was read. `problem` says why not, for the model and for people.

    `observation` is the id of the observation that holds the quote; `start` and `end` are the quote's place in that
    observation's whole text, in characters. A quote that stands elsewhere than it is said to is found all the same:
    `source` is then where it stands, and `problem` says so.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    source: str
    quote: str
    found: bool
    observation: str = ""
    start: int = 0
    end: int = 0
    problem: str = ""


RESULT = "result"  # where a fact stands that is in no file
FactKind = Literal["number", "date", "address", "e-mail", "file", "name"]


class LooseFact(BaseModel):
    """A figure or name of the result that stands in nothing read or computed.

    `where` is "result" or a file; `also` are files that it stands in too.
    """

    model_config = ConfigDict(frozen=True)

    kind: FactKind
    text: str
    where: str = RESULT
    also: tuple[str, ...] = ()


class Evidence(BaseModel):
    """What came of looking up a result. A loose fact counts as a claim without evidence, a failed look-up as one.

    `not_looked_up` are documents that the result names and whose text nobody looked at. `problem` says why the look-up
    failed, "" where it did not.
    """

    model_config = ConfigDict(frozen=True)

    claims: tuple[CheckedClaim, ...] = ()
    loose: tuple[LooseFact, ...] = ()
    facts: int = 0  # figures and names of the result that were looked up, the loose ones included
    not_looked_up: tuple[str, ...] = ()
    problem: str = ""

    @property
    def total(self) -> int:
        return len(self.claims) + len(self.loose) + bool(self.problem)

    @property
    def without(self) -> int:
        return sum(not claim.found for claim in self.claims) + len(self.loose) + bool(self.problem)

    def in_words(self) -> str:
        """`12 claims, 11 with evidence, 1 without`; "" where nothing was claimed."""
        if self.problem:
            return f"not looked up: {self.problem}"
        if not self.total:
            return ""
        head = f"{self.total} claim{'s' if self.total > 1 else ''}, {self.total - self.without} with evidence"
        return f"{head}, {self.without} without" if self.without else head
