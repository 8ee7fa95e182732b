"""What the model says: a Thought, as JSON. Lossless clean-up may execute; anything that guesses is asked again."""

import ast
import contextlib
import io
import json
import math
import re
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NoReturn, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from autoagent.errors import ThoughtError

MAX_REPLY_CHARS = 2_000_000
MAX_DEPTH = 100  # brackets; far below what Python's parsers can take
MAX_INTEGER_DIGITS = 100
MAX_COMMANDS = 20
MAX_OBJECTS = 20  # equal ones that are written differently
MAX_PYTHON_CHARS = 100_000  # Python's tokenizer is slow
SHAPE = 'Answer with one JSON object: {"thoughts": {…}, "commands": [{"name": …, "args": {…}}]}.'


class CommandCall(BaseModel):
    """A request to run one command."""

    model_config = ConfigDict(frozen=True)

    name: str
    args: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])


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

    def as_reply(self) -> str:
        """The reply in its one canonical form: what the model sees of what it said."""
        return json.dumps(
            {
                "thoughts": self.model_dump(exclude={"commands"}),
                "commands": [call.model_dump() for call in self.commands],
            },
            ensure_ascii=False,
        )


def parse_thought(reply: str, *, cut: bool = False) -> Thought:
    """The one object in the reply; a fence, prose or `<think>…</think>` around it is ignored.

    `cut` says that the model ran into its reply limit: such a reply is refused even where it parses.
    Raises ThoughtError, written for the model, for everything else; never another exception.
    """
    if cut:
        raise ThoughtError("Your reply reached the length limit and was cut. Nothing ran. Say less, or write in parts.")
    if len(reply) > MAX_REPLY_CHARS:
        raise ThoughtError(f"The reply has {len(reply):,} characters; {MAX_REPLY_CHARS:,} are allowed. {SHAPE}")
    try:
        thought = _thought(_only_object(_after_thinking(reply.lstrip("\ufeff").strip())))
        json.dumps(thought.model_dump(mode="json"), ensure_ascii=False).encode()
    except UnicodeError:
        raise ThoughtError("The reply holds half a surrogate pair. Write the character itself.") from None
    except (RecursionError, MemoryError):
        raise ThoughtError(f"The reply is nested too deeply. {SHAPE}") from None
    return thought


def plan_mark(line: str) -> tuple[str, str]:
    """The mark of a plan line, "x", ">" or " ", and its text."""
    found = re.match(r"\s*(?:[-*]\s*)?\[([xX> ])\]\s*(.*)", line, flags=re.DOTALL)
    return (found[1].lower(), found[2]) if found else (" ", line.strip())


def _after_thinking(text: str) -> str:
    """The text after a reasoning model's `<think>` block; some chat templates leave out the opening tag."""
    if text.startswith(("{", "[", '"', "```")):
        return text
    thinking, tag, rest = text.partition("</think>")
    if text.startswith("<think>"):
        if not tag:
            raise ThoughtError(f"The reply ended inside <think>. {SHAPE}")
        return rest.strip()
    quoted = tag and any(start < len(thinking) < end for start, end in _object_spans(text))
    return rest.strip() if tag and not quoted else text  # a string of the reply may hold the tag


def _only_object(text: str, *, decoded: bool = False) -> dict[str, Any]:
    """The single JSON object that `text` holds; two equal ones count as one."""
    if text.startswith('"') and text.endswith('"') and not decoded:
        with contextlib.suppress(json.JSONDecodeError):
            return _only_object(str(json.loads(text, strict=False)).strip(), decoded=True)
    spans = list(_object_spans(text))
    objects = list(dict.fromkeys(text[start:end] for start, end in spans))
    if len(objects) > 1:
        objects = [span for span in objects if re.search(r'["\':]', span)]  # not {x} in prose
    if not objects:
        raise ThoughtError(f"The reply holds no JSON object. {SHAPE}")
    if text[: spans[0][0]].rstrip().endswith("[") and text[spans[-1][1] :].lstrip().startswith("]"):
        raise ThoughtError(f"The reply is a list. {SHAPE}")
    # compared as JSON: for Python, 1 and true are equal
    found = {json.dumps(data, sort_keys=True): data for data in map(_loads, objects[:MAX_OBJECTS])}
    if len(found) > 1 or len(objects) > MAX_OBJECTS:
        raise ThoughtError(f"The reply holds different JSON objects; it is not clear which to run. {SHAPE}")
    return found.popitem()[1]


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|\'(?:[^\'\\]|\\.)*\'?|//[^\n]*|/\*.*?(?:\*/|$)|[{}\[\]]', re.DOTALL)


def _object_spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each outermost {…}; quotes and comments count only inside one, so prose may hold any."""
    at = 0
    while (start := text.find("{", at)) >= 0:
        depth = 0
        for token in _TOKEN.finditer(text, start):
            match token[0]:
                case "{" | "[":
                    depth += 1
                    if depth > MAX_DEPTH:
                        raise ThoughtError(f"The reply is nested deeper than {MAX_DEPTH} levels. {SHAPE}")
                case "}" | "]":
                    depth -= 1
                case _:
                    continue
            if depth == 0:
                at = token.end()
                yield start, at
                break
        else:
            raise ThoughtError(
                f"The JSON object is not complete: a quote or bracket is not closed. {_where(text, start)}"
            )


def _loads(text: str) -> Any:
    """JSON, or JSON with comments and trailing commas, or a Python literal: each read without guessing."""
    try:
        return _strict_json(text)
    except json.JSONDecodeError as error:
        problem = error
    try:
        return _strict_json(_without_comments_and_trailing_commas(text))
    except json.JSONDecodeError:
        pass
    if _is_python_literal(text):
        return _python_literal(text)
    raise ThoughtError(f"The reply is not valid JSON: {problem.msg}. {_where(text, problem.pos)}")


def _where(text: str, at: int) -> str:
    line, column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
    return f"Line {line}, column {column}, near: {text[max(0, at - 30) : at + 30]!r}"


def _strict_json(text: str) -> Any:
    # strict=False keeps a raw newline or tab in a string: nothing is guessed
    return json.loads(
        text,
        strict=False,
        object_pairs_hook=_object_of,
        parse_constant=lambda word: _refuse(f"{word} is not a JSON number"),
        parse_int=_integer,
        parse_float=_finite,
    )


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        _refuse(f"the key {twice[:100]!r} stands twice in one object")
    return data


def _integer(digits: str) -> int:
    if len(digits) > MAX_INTEGER_DIGITS:
        _refuse(f"a number has {len(digits):,} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        _refuse(f"the number {digits[:20]} is not finite")
    return number


def _refuse(problem: str) -> NoReturn:
    raise ThoughtError(f"The reply can't be used: {problem}. Nothing ran.")


def _without_comments_and_trailing_commas(text: str) -> str:
    def blank(token: re.Match[str]) -> str:
        return " " if token[0].startswith("/") else token[0]

    text = _TOKEN.sub(blank, text)
    # a string is kept, and a comma behind nothing; one before a closing bracket is not
    return re.sub(r'("(?:[^"\\]|\\.)*"|[{\[]\s*,)|,(?=\s*[}\]])', lambda found: found[1] or "", text)


def _is_python_literal(text: str) -> bool:
    """Strings in single quotes or None/True/False; no other name, no prefix, no two strings that Python would join."""
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    if len(text) > MAX_PYTHON_CHARS or not re.search(r"'|\b(None|True|False)\b", outside):
        return False
    try:
        tokens = [
            token.string if token.type in (tokenize.NAME, tokenize.STRING) else ""
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT)
        ]
    except (tokenize.TokenError, SyntaxError):
        return False
    plain = all(token in ("", "None", "True", "False") or token[0] in "'\"" for token in tokens)
    return plain and not any(one and two for one, two in pairwise(tokens))


def _python_literal(text: str) -> Any:
    try:
        with warnings.catch_warnings(action="error"):  # an unknown escape, such as \\d, is not for us to read
            tree = ast.parse(text.strip(), mode="eval")
        for node in ast.walk(tree):
            if isinstance(node, ast.Dict):
                keys = [key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
                if len(keys) < len(node.keys):
                    _refuse("a key is not a string")
                _object_of([(key, None) for key in keys])
        value = ast.literal_eval(tree)
        return _strict_json(json.dumps(value))  # a tuple becomes a list; sets and bytes are no JSON
    except (ValueError, SyntaxError, TypeError) as error:
        raise ThoughtError(f"The reply is neither JSON nor a Python literal: {error}. {SHAPE}") from None


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
    )


def _text(thoughts: Any, key: str) -> str:
    value = thoughts.get(key)
    if value is not None and not isinstance(value, str):
        raise ThoughtError(f"thoughts.{key} must be a string, not {_kind(value)}.")
    return value or ""


def _plan(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [re.sub(r"^\s*[-*]\s+", "", line) for line in value.splitlines() if line.strip()]
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(line, str) for line in cast(list[Any], value)):
        raise ThoughtError("thoughts.plan must be a list of strings.")
    return tuple(cast(list[str], value))


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
        args = args.strip() or "{}"
        args = _loads(args) if list(_object_spans(args)) == [(0, len(args))] else args
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
