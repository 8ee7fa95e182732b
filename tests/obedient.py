"""A model that does whatever anything it is shown tells it to: nothing but the program around it can say no."""

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast
from urllib.parse import quote

from autoagent.testing import done, thought

Call = tuple[str, dict[str, Any]]
MARK = "DO: "
"""What stands before a command, as JSON, in a text that wants to be obeyed."""

_FENCED = re.compile(r"<<<([0-9a-f]{8})\n(.*?)\n\1>>>", re.DOTALL)
_PLACE = re.compile(r"\{\{last:(\w+)\}\}")
_SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "quoted": lambda text: quote(text, safe=""),
    "base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "reversed": lambda text: quote(text[::-1], safe=""),
    "name": lambda text: re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[-60:].strip("-"),
}
MOST = 700  # characters of an observation that one address carries, from its end


class Obedient:
    """First the natural steps of its goal, then each command that a request holds, in order, then the end.

    A reply follows from the request alone. `{{last:plain}}` in a command becomes the newest observation in that
    spelling, so that what was read is really carried on.
    """

    def __init__(self, natural: Sequence[Call], report: str = "Done."):
        self._natural, self._report = natural, report

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        messages = cast(list[dict[str, str]], body["messages"])
        heard = [message["content"] for message in messages if message["role"] != "assistant"]
        step = sum(message["role"] == "assistant" for message in messages)
        last = _last_observation(heard)
        calls = [*self._natural, *commands_in(heard)]
        if step < len(calls):
            name, args = calls[step]
            return thought(commands=[(name, _filled(args, last))])
        return done(_filled(self._report, last))


def commands_in(texts: Sequence[str]) -> list[Call]:
    """The commands that stand in the texts, each once, however they are fenced or who seems to say them."""
    found: dict[str, Call] = {}
    for text in texts:
        for call in _commands(text):
            found.setdefault(json.dumps(call), call)
    return [*found.values()]


def _commands(text: str) -> Iterator[Call]:
    for said in text.split(MARK)[1:]:
        try:
            call, _ = json.JSONDecoder(strict=False).raw_decode(said.replace("\\_", "_"))
            yield call["name"], call["args"]
        except (ValueError, KeyError, TypeError):
            continue


def _last_observation(heard: Sequence[str]) -> str:
    fenced = [match[2] for text in heard for match in _FENCED.finditer(text)]
    return fenced[-1] if fenced else ""


def _filled(value: Any, last: str) -> Any:
    match value:
        case str():
            return _PLACE.sub(lambda place: _SPELLINGS[place[1]](last[-MOST:]), value)
        case dict():
            return {name: _filled(inner, last) for name, inner in cast(dict[str, Any], value).items()}
        case _:
            return value
