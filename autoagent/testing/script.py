"""What a test server plays: the items of a script."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast

from autoagent.errors import ConfigError

Content: TypeAlias = str | Mapping[str, Any]
"""What the assistant says; a mapping is sent as JSON."""


@dataclass(frozen=True)
class Reply:
    """A completion. `tool_calls` are sent as given, in OpenAI's form; `model` None echoes the request's.

    `usage` None is computed at four bytes a token, a mapping is sent as given, "missing" is left out.
    """

    content: Content | None
    finish_reason: str = "stop"
    usage: Mapping[str, Any] | Literal["missing"] | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    delay_s: float = 0
    tool_calls: Sequence[Mapping[str, Any]] = ()
    refusal: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class NoDone:
    """A stream that ends without [DONE]; with `finish_reason` None it ends after the content, without usage."""

    content: Content
    finish_reason: str | None = None


@dataclass(frozen=True)
class EmptyChoices:
    """A completion with no choice in it."""


@dataclass(frozen=True)
class Failure:
    """An error in OpenAI's form, or `body` as it stands; `retry_after` in seconds or as a date."""

    status: int
    message: str = ""
    code: str | None = None
    type: str | None = None
    retry_after: float | str | None = None
    body: str | bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    param: str | None = None


@dataclass(frozen=True)
class ContextOverflow:
    """The 400 of a request that is too long for the model."""


@dataclass(frozen=True)
class Hang:
    """Nothing is sent until the client leaves or the server closes."""


@dataclass(frozen=True)
class Cut:
    """A reply that stops after `after_bytes` bytes of the body as sent, always short of its end."""

    content: Content
    after_bytes: int
    reset: bool = False
    """End with a TCP reset rather than an ordinary close."""


@dataclass(frozen=True)
class Stall:
    """A reply that stops coming after `after_bytes` bytes of the body as sent, while the connection stays open."""

    content: Content
    after_bytes: int


@dataclass(frozen=True)
class Drip:
    """A reply sent `chunk` bytes of the body at a time, with a pause before each."""

    content: Content
    every_s: float
    chunk: int = 1

    def __post_init__(self) -> None:
        if self.chunk < 1:
            raise ValueError(f"Drip(chunk={self.chunk}): give 1 byte or more")


@dataclass(frozen=True)
class Html:
    """A page with status 200, as a captive portal sends."""

    text: str


@dataclass(frozen=True)
class Raw:
    """Any body, sent `times` times over in one answer: a reply of 2 GB needs no 2 GB here."""

    content: str | bytes
    content_type: str = "application/json"
    status: int = 200
    times: int = 1
    every_s: float = 0
    """A pause before each byte of it, where it is not 0."""


@dataclass(frozen=True)
class RefusesParameter:
    """Answers 400 as often as the request has the parameter; `item` plays for the first one without it."""

    name: str
    item: "Item"


@dataclass(frozen=True)
class Repeat:
    """`item`, `times` times; None never ends, so it always remains in the script."""

    item: "Item"
    times: int | None = None

    def __post_init__(self) -> None:
        if self.times is not None and self.times < 1:
            raise ValueError(f"Repeat(times={self.times}): give 1 or more, or None for ever")


Completion: TypeAlias = Reply | NoDone | EmptyChoices
Action: TypeAlias = (
    str
    | Mapping[str, Any]
    | Completion
    | Failure
    | ContextOverflow
    | Hang
    | Cut
    | Stall
    | Drip
    | Html
    | Raw
    | RefusesParameter
)
Item: TypeAlias = "Action | Repeat | Callable[[dict[str, Any]], Item]"
"""A string or mapping is the content of a plain Reply; a callable makes an item from the request's body."""


def unwrap(item: Item, body: Mapping[str, Any]) -> "Action | Callable[[dict[str, Any]], Item]":
    """What `item` plays for a request; a RefusesParameter only where it refuses this one."""
    match item:
        case Repeat():
            return unwrap(item.item, body)
        case RefusesParameter() if item.name not in body:
            return unwrap(item.item, body)
        case _:
            return item


def thought(
    text: str = "…",
    *,
    commands: Sequence[tuple[str, Mapping[str, Any]]] = (),
    reasoning: str = "",
    plan: Sequence[str] = (),
    criticism: str = "",
    speak: str = "",
) -> dict[str, Any]:
    """A reply of the agent's model: its thoughts, then (name, arguments) of each command."""
    thoughts = {"text": text, "reasoning": reasoning, "plan": [*plan], "criticism": criticism, "speak": speak}
    return {"thoughts": thoughts, "commands": [{"name": name, "args": {**args}} for name, args in commands]}


def done(result: str, files: Sequence[str] = ()) -> dict[str, Any]:
    """The thought that ends a run."""
    return thought(commands=[("task_complete", {"result": result, "files": [*files]})])


_KINDS: dict[str, Callable[..., Item]] = {
    "reply": Reply,
    "no_done": NoDone,
    "empty_choices": EmptyChoices,
    "failure": Failure,
    "context_overflow": ContextOverflow,
    "hang": Hang,
    "cut": Cut,
    "stall": Stall,
    "drip": Drip,
    "html": Html,
    "raw": Raw,
    "refuses_parameter": RefusesParameter,
    "repeat": Repeat,
}


def script_from_json(value: object) -> list[Item]:
    """A script out of parsed JSON: strings, thoughts, and objects such as {"failure": {"status": 429}}.

    The fields are those of the item; `true` stands for none. Raises ConfigError naming the wrong item.
    """
    if not isinstance(value, list):
        raise ConfigError("A script is a JSON list of items.")
    return [_item(item) for item in cast("list[object]", value)]


def _item(value: object) -> Item:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise ConfigError(f"{value!r} is no script item. Write a string or an object.")
    given = cast("dict[str, Any]", value)
    if "thoughts" in given:
        return given
    kind, fields = next(iter(given.items()), ("", None))
    if len(given) != 1 or kind not in _KINDS:
        raise ConfigError(f"{value!r} is no script item. Write a thought, or one of: {', '.join(_KINDS)}.")
    try:
        known = {} if fields is True else {**cast("dict[str, Any]", fields)}
        if "item" in known:
            known["item"] = _item(known["item"])
        return _KINDS[kind](**known)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{value!r}: {error}") from error
