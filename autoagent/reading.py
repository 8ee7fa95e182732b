"""The one JSON object in a reply. Lossless clean-up may execute; anything that guesses is asked again."""

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
from typing import Any, NoReturn

from autoagent.errors import ThoughtError

MAX_DEPTH = 100  # brackets; far below what Python's parsers can take
MAX_INTEGER_DIGITS = 100
MAX_OBJECTS = 20  # equal ones that are written differently
MAX_PYTHON_CHARS = 100_000  # Python's tokenizer is slow
SHAPE = 'Answer with one JSON object: {"thoughts": {…}, "commands": [{"name": …, "args": {…}}]}.'
FIRST_SHAPE = SHAPE.replace('"commands"', '"criteria": [{"text": …}], "needs": {…}, "commands"')  # before the first act


def read_object(reply: str) -> dict[str, Any]:
    """The single object that a reply holds; a fence, prose or `<think>…</think>` around it is ignored.

    Reads JSON, JSON with comments and trailing commas, Python literals, and a doubly encoded object. Raises
    ThoughtError, written for the model; RecursionError and MemoryError may pass.
    """
    return _only_object(_after_thinking(reply.lstrip("\ufeff").strip()))


def read_embedded(text: str) -> Any:
    """The object that a string holds and nothing else, {} for an empty one; any other string as it is."""
    text = text.strip() or "{}"
    return _loads(text) if list(_object_spans(text)) == [(0, len(text))] else text


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
            raise ThoughtError(f"The JSON object is cut: a quote or bracket is not closed. It ends: {text[-60:]!r}")


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
