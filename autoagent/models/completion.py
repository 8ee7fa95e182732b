"""What a chat completion says: its text or call, why it ended, what it used; whole, or put together from a stream."""

import json
from dataclasses import dataclass
from typing import Any, cast

from autoagent.budget import Usage

FUNCTION = "next_step"  # the one function of a model that is asked by tool calls: its arguments are the reply
_ABSURD = 1 << 40  # tokens of one call


@dataclass(frozen=True)
class Completion:
    """`finish_reason` "" is none given; `usage` None is none that makes sense; `reasoning` is no part of the reply."""

    text: str
    finish_reason: str
    usage: Usage | None
    reasoning: str = ""


def read_completion(data: Any) -> Completion | None:
    """The first choice of a whole answer; None where there is none."""
    try:
        choice = cast(dict[str, Any], data["choices"][0])
        message = cast(dict[str, Any], choice.get("message") or {})
        text, reasoning = _reply_text(message), _reasoning(message)
        finish_reason = str(choice.get("finish_reason") or "")
    except (LookupError, TypeError, AttributeError, RecursionError):
        return None
    return Completion(text, finish_reason, read_usage(data.get("usage")), reasoning)


class Assembly:
    """The chunks of a stream, in order."""

    def __init__(self) -> None:
        self._content: list[str] = []
        self._refusal: list[str] = []
        self._thinking: list[str] = []
        self._calls: list[_Call] = []
        self._usage: Usage | None = None
        self.chosen = False  # whether there was any choice at all
        self.finish_reason = ""

    @property
    def heard(self) -> bool:
        """Whether anything was generated, which costs."""
        return bool(self._content or self._refusal or self._thinking or self._calls)

    def add(self, chunk: Any) -> str:
        """The part of the reply that it brings. Raises ValueError for what is no chunk of a completion."""
        if not isinstance(chunk, dict):
            raise ValueError("a chunk that is no object")
        chunk = cast(dict[str, Any], chunk)
        self._usage = read_usage(chunk.get("usage")) or self._usage
        choices = chunk.get("choices")
        if not choices:
            return ""  # usage alone, or what a vendor says of the prompt
        try:
            choice = cast(dict[str, Any], choices[0])
            if choice.get("index"):
                return ""
            self.chosen = True
            delta = cast(dict[str, Any], choice.get("delta") or {})
            self.finish_reason = str(choice.get("finish_reason") or self.finish_reason)
            return sound(self._add_delta(delta))
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"a chunk that is none: {error}") from error

    def completion(self) -> Completion:
        message: dict[str, Any] = {"content": "".join(self._content), "refusal": "".join(self._refusal)}
        if self._calls:
            message["tool_calls"] = [call.as_json() for call in self._calls]
        return Completion(_reply_text(message), self.finish_reason, self._usage, "".join(self._thinking))

    def _add_delta(self, delta: dict[str, Any]) -> str:
        heard: list[str] = []
        if thinking := _reasoning(delta):
            self._thinking.append(thinking)
        for kept, part in ((self._content, _plain(delta.get("content"))), (self._refusal, delta.get("refusal"))):
            if part:
                kept.append(str(part))
                heard.append(str(part))
        for part in cast(list[dict[str, Any]], delta.get("tool_calls") or []):
            function = cast(dict[str, Any], part.get("function") or {})
            call = self._call_of(part, bool(function.get("name")))
            call.id = str(part.get("id") or call.id)
            call.name += str(function.get("name") or "")
            arguments = function.get("arguments")
            if arguments:
                said = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
                call.arguments.append(said)
                heard.append(said)
        return "".join(heard)

    def _call_of(self, part: dict[str, Any], named: bool) -> "_Call":
        """The call that `part` goes on with. Some vendors leave the index out, or give each call the same."""
        index, id_ = part.get("index"), part.get("id")
        same = [call for call in self._calls if index is None or call.index == index]
        last = same[-1] if same else None
        another = last and id_ and last.id and id_ != last.id and named
        if last is None or another:
            last = _Call(index)
            self._calls.append(last)
        return last


class _Call:
    def __init__(self, index: Any):
        self.index, self.id, self.name = index, "", ""
        self.arguments: list[str] = []

    def as_json(self) -> dict[str, Any]:
        function: dict[str, Any] = {"arguments": "".join(self.arguments)}
        if self.name:
            function["name"] = self.name
        return {"id": self.id, "type": "function", "function": function}


def read_usage(reported: Any) -> Usage | None:
    """Token counts as reported; None where they are missing or make no sense.

    Some vendors leave hidden reasoning out of the completion's tokens and count it in the total only.
    """
    if not isinstance(reported, dict):
        return None
    reported = cast(dict[str, Any], reported)
    asked, said = reported.get("prompt_tokens"), reported.get("completion_tokens")
    if not isinstance(asked, int) or not isinstance(said, int) or not 0 < asked < _ABSURD or not 0 <= said < _ABSURD:
        return None
    total = _count(reported, "total_tokens")
    hidden = max(0, total - asked - said) if total < _ABSURD else 0
    cached = _count(reported.get("prompt_tokens_details"), "cached_tokens")
    return Usage(
        input_tokens=asked,
        output_tokens=said + hidden,
        cached_tokens=min(asked, cached or _count(reported, "prompt_cache_hit_tokens")),
        reasoning_tokens=max(hidden, _count(reported.get("completion_tokens_details"), "reasoning_tokens")),
    )


def sound(text: str) -> str:
    """The same text where every character can be written: JSON can spell half a surrogate pair, a journal can't.

    Two halves that came one after the other are one character.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _count(details: Any, name: str) -> int:
    value = cast(dict[str, Any], details).get(name) if isinstance(details, dict) else 0
    return value if isinstance(value, int) and value > 0 else 0


def _reply_text(message: dict[str, Any]) -> str:
    """The arguments of our function, else the content, else other calls as the JSON of them; a refusal as it is."""
    content, calls = _plain(message.get("content")), cast(list[dict[str, Any]], message.get("tool_calls") or [])
    functions = [cast(dict[str, Any], call.get("function") or {}) for call in calls]
    asked = [function.get("arguments") for function in functions if function.get("name") == FUNCTION]
    if asked:
        return "\n".join(said if isinstance(said, str) else json.dumps(said, ensure_ascii=False) for said in asked)
    if calls and not content:
        return json.dumps({"tool_calls": calls}, ensure_ascii=False)
    return content or str(message.get("refusal") or "")


def _plain(content: Any) -> str:
    """Content as text: as it is, or the text parts of a list."""
    if isinstance(content, list):
        parts = [cast(dict[str, Any], part) for part in cast(list[Any], content) if isinstance(part, dict)]
        return "".join(str(part.get("text") or "") for part in parts)
    return str(content or "")


def _reasoning(message: dict[str, Any]) -> str:
    said = message.get("reasoning_content") or message.get("reasoning")
    return said if isinstance(said, str) else ""
