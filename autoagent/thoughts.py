"""What the model says: a Thought, in any of the shapes that models use for one."""

import json
import re
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from autoagent.criteria import MOST, Criterion, Draft, Needs
from autoagent.errors import ThoughtError
from autoagent.reading import SHAPE, read_embedded, read_object

MAX_REPLY_CHARS = 2_000_000
MAX_COMMANDS = 20
SHORT_CHARS = 240  # of an argument in a reply that is shortened


class CommandCall(BaseModel):
    """A request to run one command."""

    model_config = ConfigDict(frozen=True)

    name: str
    args: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])

    def shortened(self) -> "CommandCall":
        return self.model_copy(update={"args": {name: _shortened(value) for name, value in self.args.items()}})


class Thought(BaseModel):
    """One reply of the model. Thoughts stand before the commands, so that the reasoning leads to them.

    A plan line starts with `[x]` done, `[>]` now or `[ ]` open; a line without a mark is open.
    """

    model_config = ConfigDict(frozen=True)

    text: str = ""
    reasoning: str = ""
    plan: tuple[str, ...] = ()
    criticism: str = ""
    speak: str = ""
    commands: tuple[CommandCall, ...]
    draft: Draft | None = None  # of acceptance criteria, in the first reply

    def shortened(self) -> "Thought":
        """With the beginning of each long argument only: it was carried out, and need not be read again."""
        return self.model_copy(update={"commands": tuple(call.shortened() for call in self.commands)})

    def as_reply(self) -> str:
        """The reply in its one canonical form: what the model sees of what it said."""
        return json.dumps(
            {
                "thoughts": self.model_dump(exclude={"commands", "draft"}),
                "commands": [call.model_dump() for call in self.commands],
            },
            ensure_ascii=False,
        )


def parse_thought(reply: str, *, cut: bool = False) -> Thought:
    """The one object in the reply (see `reading`), whatever stands around it, as a Thought.

    `cut` says that the model ran into its reply limit: such a reply is refused even where it parses.
    Raises ThoughtError, written for the model, for everything else; never another exception.
    """
    if cut:
        raise ThoughtError("Your reply reached the length limit and was cut. Nothing ran. Say less, or write in parts.")
    if len(reply) > MAX_REPLY_CHARS:
        raise ThoughtError(f"The reply has {len(reply):,} characters; {MAX_REPLY_CHARS:,} are allowed. {SHAPE}")
    try:
        thought = _thought(read_object(reply))
        json.dumps(thought.model_dump(mode="json"), ensure_ascii=False).encode()
    except UnicodeError:
        raise ThoughtError("The reply holds half a surrogate pair. Write the character itself.") from None
    except (RecursionError, MemoryError):
        raise ThoughtError(f"The reply is nested too deeply. {SHAPE}") from None
    return thought


def _shortened(value: JsonValue) -> JsonValue:
    if not isinstance(value, str) or len(value) <= SHORT_CHARS:
        return value
    return (
        f"{value[: SHORT_CHARS // 2]}… (cut here only: {len(value):,} characters in {value.count(chr(10)) + 1} lines)"
    )


def plan_mark(line: str) -> tuple[str, str]:
    """The mark of a plan line, "x", ">" or " ", and its text."""
    found = re.match(r"\s*(?:[-*]\s*)?\[([xX> ])\]\s*(.*)", line, flags=re.DOTALL)
    return (found[1].lower(), found[2]) if found else (" ", line.strip())


def _thought(data: Any) -> Thought:
    """A Thought from any of the shapes that models use for one. Raises ThoughtError."""
    if not isinstance(data, dict):
        raise ThoughtError(f"The reply is not a JSON object. {SHAPE}")
    data = cast(dict[str, Any], data)
    thoughts = data.get("thoughts")
    if not isinstance(thoughts, dict):
        thoughts = {"text": thoughts} if isinstance(thoughts, str) else data
    return Thought(
        text=_text(thoughts, "text"),
        reasoning=_text(thoughts, "reasoning"),
        plan=_plan(cast(dict[str, Any], thoughts).get("plan")),
        criticism=_text(thoughts, "criticism"),
        speak=_text(thoughts, "speak"),
        commands=tuple(_call(item) for item in _calls(data)),
        draft=_draft(data),
    )


def _draft(data: dict[str, Any]) -> Draft | None:
    """Criteria and needs beside the thoughts; an empty list is none."""
    given: Any = data.get("criteria")
    if not given:
        return None
    items = cast(list[Any], given) if isinstance(given, list) else [given]
    if len(items) > MOST:
        raise ThoughtError(f"There are {len(items)} criteria; {MOST} are allowed. Keep those that the goal asks for.")
    needs: Any = data.get("needs")
    needs = cast(dict[str, Any], needs) if isinstance(needs, dict) else {}
    listed = {key: _strings(needs.get(key), f"needs.{key}") for key in Needs.model_fields}
    return Draft(criteria=tuple(_criterion(item) for item in items), needs=Needs(**listed))


def _criterion(item: Any) -> Criterion:
    item = {"text": item} if isinstance(item, str) else item
    if not isinstance(item, dict):
        raise ThoughtError(f'A criterion must look like {{"text": "…", "command": null}}, not {_kind(item)}.')
    given = {key: _text(item, key, of="criteria") for key in ("text", "command", "file", "pattern")}
    if not any(given.values()):
        raise ThoughtError("A criterion has no text.")
    if given["pattern"] and not given["file"]:
        raise ThoughtError("A criterion's pattern needs its file.")
    given["text"] = given["text"].strip() or given["command"] or given["file"]
    return Criterion.model_validate(given)


def _strings(value: Any, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(line, str) for line in cast(list[Any], value)):
        raise ThoughtError(f"{name} must be a list of strings.")
    return tuple(cast(list[str], value))


def _text(thoughts: Any, key: str, of: str = "thoughts") -> str:
    value = thoughts.get(key)
    if value is not None and not isinstance(value, str):
        raise ThoughtError(f"{of}.{key} must be a string, not {_kind(value)}.")
    return value or ""


def _plan(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [re.sub(r"^\s*[-*]\s+", "", line) for line in value.splitlines() if line.strip()]
    return _strings(value, "thoughts.plan")


def _calls(data: dict[str, Any]) -> list[Any]:
    """The requested calls: `commands`, AutoGPT's `command`, or a tool call."""
    asked = _one_of(data, "commands", "command", "tool_calls", "function_call")
    if asked is None:
        asked = [data] if "name" in data and ("args" in data or "arguments" in data) else []
    calls = cast(list[Any], asked) if isinstance(asked, list) else [asked]
    if not calls:
        raise ThoughtError("The reply names no command. Each reply needs at least one; task_complete ends the run.")
    if len(calls) > MAX_COMMANDS:
        raise ThoughtError(f"The reply has {len(calls)} commands; {MAX_COMMANDS} are allowed at once.")
    return calls


def _one_of(data: dict[str, Any], *keys: str) -> Any:
    """The value of the one key that models write for the first of `keys`, or None."""
    present = [key for key in keys if data.get(key) is not None]
    if len(present) > 1:
        raise ThoughtError(f"The reply has both {present[0]!r} and {present[1]!r}. Use {keys[0]!r} only.")
    return data[present[0]] if present else None


_BESIDE_ARGS = {"name", "args", "arguments", "parameters", "id", "type", "index", "function"}


def _call(item: Any) -> CommandCall:
    if isinstance(item, dict) and isinstance(cast(dict[str, Any], item).get("function"), dict):
        item = cast(dict[str, Any], item)["function"]
    name: Any = cast(dict[str, Any], item).get("name") if isinstance(item, dict) else None
    if not isinstance(name, str):
        raise ThoughtError(f'A command must look like {{"name": "…", "args": {{…}}}}, not {_kind(item)}.')
    item = cast(dict[str, Any], item)
    args = _one_of(item, "args", "arguments", "parameters")
    if isinstance(args, str):
        args = read_embedded(args)
    if args is None and (beside := item.keys() - _BESIDE_ARGS):
        raise ThoughtError(f'{min(beside)[:100]!r} of {name!r} must stand in its "args": {{…}}.')
    if args is None:
        args = {}
    if not isinstance(args, dict):
        raise ThoughtError(f"The arguments of {name!r} must be an object, not {_kind(args)}.")
    return CommandCall(name=name, args=cast(dict[str, JsonValue], args))


def _kind(value: Any) -> str:
    kinds: tuple[tuple[type, str], ...] = (
        (dict, "an object"), (list, "a list"), (str, "a string"), (bool, "a boolean"), (type(None), "null"),
    )  # fmt: skip
    return next((words for kind, words in kinds if isinstance(value, kind)), "a number")
