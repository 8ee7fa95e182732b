"""JSON Schemas valid for strict structured outputs: every object closed, every property required, nothing optional.

The rules: https://platform.openai.com/docs/guides/structured-outputs, "Supported schemas".
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from autoagent.criteria import Needs
from autoagent.env import MARK_KEY
from autoagent.errors import ConfigError

_SHAPES = {"type", "enum", "const", "anyOf", "$ref"}
_KNOWN = _SHAPES | {"description", "properties", "required", "additionalProperties", "items", "prefixItems", "$defs"}
# What else a schema says, such as minLength, is checked when a call is bound; not every endpoint knows it.


def strict_adapter(where: str, shape: Any) -> tuple[TypeAdapter[dict[str, Any]], dict[str, Any]]:
    """What checks a call's arguments, and their schema as far as every endpoint knows it.

    Raises ConfigError, naming `where`, for a type that a strict schema can't express.
    """
    try:
        args = TypeAdapter[dict[str, Any]](shape)
        schema = args.json_schema()
    except PydanticUserError as error:
        raise ConfigError(f"{where}: {error.message}") from None
    if MARK_KEY in json.dumps(schema.get("$defs", {})):
        raise ConfigError(f"{where}: a path or address in a nested type is hidden from the policy; make it a parameter")
    _strict(schema, where)
    return args, schema


def reply_schema(arguments: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """JSON Schema of a Thought whose commands take `arguments`, by their names."""
    definitions: dict[str, Any] = {}
    calls: list[dict[str, Any]] = []
    for name, schema in arguments.items():
        args = json.loads(json.dumps(schema).replace('"#/$defs/', f'"#/$defs/{name}.'))
        definitions |= {f"{name}.{inner}": shape for inner, shape in args.pop("$defs", {}).items()}
        _require_all(args)
        for shape in definitions.values():
            _require_all(shape)
        calls.append(_closed({"name": {"type": "string", "const": name}, "args": args}))
    order = ("text", "reasoning", "plan", "criticism", "speak")
    thoughts = _closed({key: _TEXTS if key == "plan" else _TEXT for key in order})
    schema = _closed(
        {
            "thoughts": thoughts,
            "criteria": _or_null({"type": "array", "items": _closed(_CRITERION)}),
            "needs": _or_null(_closed(dict.fromkeys(Needs.model_fields, _TEXTS))),
            "commands": {"type": "array", "items": {"anyOf": calls}},
        }
    )
    return schema | ({"$defs": definitions} if definitions else {})


def _or_null(shape: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [shape, {"type": "null"}]}


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_CRITERION = {"text": _TEXT} | {name: _or_null(_TEXT) for name in ("command", "file", "pattern")}


def _strict(schema: dict[str, Any], where: str) -> None:
    """Strip what strict schemas don't know, in place. Raises ConfigError for what they can't express."""
    if "oneOf" in schema:
        schema["anyOf"] = schema.pop("oneOf")
    for key in schema.keys() - ({"$ref", "$defs"} if "$ref" in schema else _KNOWN):  # nothing may stand beside $ref
        del schema[key]
    if not schema.keys() & _SHAPES:
        raise ConfigError(f"{where}: a parameter of any type can't be asked for strictly; name its type")
    if schema.get("type") == "object":
        if "properties" not in schema and schema.get("additionalProperties") is not False:
            raise ConfigError(f"{where}: a mapping with free keys can't be asked for strictly; use a list of pairs")
        schema.setdefault("properties", {})
        schema["additionalProperties"] = False
    if "prefixItems" in schema:
        raise ConfigError(f"{where}: a tuple can't be asked for strictly; use a list or a model")
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", [])]
    for shape in [*inner, schema["items"]] if "items" in schema else inner:
        _strict(shape, where)


def _require_all(schema: Any) -> None:
    """Every property required; what was optional may be null. In place, at every depth."""
    if isinstance(schema, list):
        for item in cast(list[Any], schema):
            _require_all(item)
    if not isinstance(schema, dict):
        return
    schema = cast(dict[str, Any], schema)
    if schema.get("type") == "object":
        required = schema.get("required", [])
        for name, shape in schema["properties"].items():
            if name not in required and not _nullable(shape):
                schema["properties"][name] = _or_null(shape)
        schema["required"] = list(schema["properties"])
    for value in schema.values():
        _require_all(value)


def _nullable(shape: dict[str, Any]) -> bool:
    return {"type": "null"} in shape.get("anyOf", [])


def type_words(shape: dict[str, Any], definitions: Mapping[str, Any]) -> str:
    """A type as the model reads it: `list of string`, `{text, source, quote}` for a nested one."""
    if "enum" in shape:
        return " | ".join(json.dumps(value) for value in shape["enum"])
    if "const" in shape:
        return json.dumps(shape["const"])
    if "anyOf" in shape:
        return " | ".join(dict.fromkeys(type_words(s, definitions) for s in shape["anyOf"] if s != {"type": "null"}))
    if shape.get("type") == "array":
        return f"list of {type_words(shape['items'], definitions)}"
    if named := definitions.get(shape.get("$ref", "").rpartition("/")[2]):
        return f"{{{', '.join(named['properties'])}}}" if "properties" in named else type_words(named, definitions)
    return str(shape.get("type", "object"))
