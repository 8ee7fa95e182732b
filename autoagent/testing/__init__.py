"""A server that speaks the OpenAI chat API and plays a script, for tests without a model.

    from autoagent.testing import Failure, ModelServer, done, thought

    with ModelServer([Failure(429, "slow down", retry_after=2), thought(text="Look."), done("ok")]) as server:
        ...                                  # point a client at server.base_url
        server.wait_for_requests(3)          # no sleeping
        server.requests[0].body["messages"]

Each chat request plays the next item; a wrong key, a bad body or one too large for `context_tokens` plays none.
A request past the end is answered with 500, and leaving the `with` block raises AssertionError.
All names are here, in one flat namespace. `python -m autoagent.testing SCRIPT.json` plays a script by hand.
"""

from .connection import Request
from .script import (
    ContextOverflow,
    Cut,
    Drip,
    EmptyChoices,
    Failure,
    Hang,
    Html,
    Item,
    NoDone,
    Raw,
    RefusesParameter,
    Repeat,
    Reply,
    Stall,
    done,
    script_from_json,
    thought,
)
from .server import ModelServer

__all__ = [
    "ContextOverflow",
    "Cut",
    "Drip",
    "EmptyChoices",
    "Failure",
    "Hang",
    "Html",
    "Item",
    "ModelServer",
    "NoDone",
    "Raw",
    "RefusesParameter",
    "Repeat",
    "Reply",
    "Request",
    "Stall",
    "done",
    "script_from_json",
    "thought",
]
