"""What the model is asked for is exact, and a call that does not fit exactly is told to it, not mended."""

import enum
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model
from support import env_with
from typing_extensions import TypedDict

from autoagent.commands import COMMANDS
from autoagent.env import Change, Completion, Env, Mark, WorkspacePath
from autoagent.errors import ConfigError, InvalidArguments, ThoughtError, UnknownCommand
from autoagent.registry import Command, Registry, command
from autoagent.thoughts import CommandCall, Thought

KNOWN = {
    "type", "properties", "required", "additionalProperties", "items", "anyOf", "$ref", "$defs", "enum", "const",
    "description",
}  # fmt: skip


def check_strict(schema: dict[str, Any], root: dict[str, Any]) -> None:
    """What OpenAI's strict structured outputs demand of a schema, at every depth."""
    assert schema.keys() <= KNOWN
    assert schema.keys() & {"type", "anyOf", "$ref", "enum", "const"}, "a schema that allows anything"
    if "$ref" in schema:
        assert schema.keys() == {"$ref"}
        assert schema["$ref"].removeprefix("#/$defs/") in root["$defs"]
    if schema.get("type") == "object":
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])
    for inner in [
        *schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", []),
        *([schema["items"]] if "items" in schema else []),
    ]:  # fmt: skip
        check_strict(inner, root)


class Inner(BaseModel):
    n: int = 3
    note: str | None = None


class Claim(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=9, pattern=".*", title="T", examples=["x"])]
    inner: Inner = Inner()
    more: list[Inner] = []


class Square(BaseModel):
    kind: Literal["square"]
    side: int


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float


class Tree(BaseModel):
    """Names that are also words of JSON Schema."""

    title: str
    default: Inner
    properties: int
    children: list["Tree"]


class Colour(enum.Enum):
    RED = "red"


class Pair(TypedDict):
    key: str
    value: int


def taking(hint: Any, *, name: str = "take", **default: Any) -> Command[..., Any]:
    """A command with the one parameter `it` of that type."""
    function: Callable[..., str]
    if default:

        def function(it: Any = default["default"]) -> str:
            return repr(it)
    else:

        def function(it: Any) -> str:
            return repr(it)

    function.__annotations__ = {"it": hint, "return": str}
    return command("reads", name=name)(function)


HINTS: dict[str, Any] = {
    "text": str,
    "bounded": Annotated[str, Field(min_length=3, pattern="a")],
    "path": WorkspacePath,
    "integer": Annotated[int, Field(ge=1, le=9, multiple_of=2)],
    "number": float,
    "list": list[list[str]],
    "optional": int | None,
    "choice": Literal["a", "b"],
    "enum": Colour,
    "model": Claim,
    "described model": Annotated[Inner, Field(description="what it is")],
    "models": list[Inner] | None,
    "typed dict": Pair,
    "union": Square | Circle,
    "discriminated": Annotated[Square | Circle, Field(discriminator="kind")],
    "recursive": Tree,
}


@pytest.mark.parametrize("hint", HINTS.values(), ids=HINTS)
@pytest.mark.parametrize("default", [{}, {"default": None}], ids=["required", "optional"])
def test_the_reply_schema_is_valid_for_strict_outputs(hint: Any, default: dict[str, None]) -> None:
    schema = Registry([taking(hint, **default)]).reply_schema()
    check_strict(schema, schema)
    call = schema["properties"]["commands"]["items"]["anyOf"][0]["properties"]["args"]["properties"]["it"]
    assert not default or {"type": "null"} in call["anyOf"]


def test_the_schema_of_the_built_in_commands_is_strict_and_thinks_first() -> None:
    schema = Registry(COMMANDS).reply_schema()
    check_strict(schema, schema)
    assert list(schema["properties"]) == ["thoughts", "criteria", "needs", "commands"]
    branches = schema["properties"]["commands"]["items"]["anyOf"]
    assert [branch["properties"]["name"] for branch in branches] == [
        {"type": "string", "const": item.name} for item in COMMANDS
    ]


def test_models_of_one_name_are_kept_apart() -> None:
    other = create_model("Inner", flag=(bool, ...))
    schema = Registry([taking(Inner, name="one"), taking(other, name="two")]).reply_schema()
    check_strict(schema, schema)
    assert set(schema["$defs"]) == {"one.Inner", "two.Inner"}
    assert set(schema["$defs"]["two.Inner"]["properties"]) == {"flag"}


def test_asking_for_the_schema_changes_no_signature() -> None:
    registry = Registry([taking(int, default=3)])
    assert registry.reply_schema() == registry.reply_schema()
    assert registry["take"].signature == "take(it?: integer)"


class Opaque:
    pass


REFUSED: dict[str, Any] = {
    "any": Any,
    "object": object,
    "union with any": int | Any,
    "list of any": list[Any],
    "bare list": list,
    "JSON": JsonValue,
    "dict": dict[str, int],
    "bare dict": dict,
    "mapping": Mapping[str, str],
    "optional dict": dict[str, int] | None,
    "dict in a list": list[dict[str, int]],
    "tuple": tuple[int, str],
    "callable": Callable[[], int],
    "class without a schema": Opaque,
}


@pytest.mark.parametrize("hint", REFUSED.values(), ids=REFUSED)
def test_a_type_that_cannot_be_asked_for_is_refused_at_registration(hint: Any) -> None:
    with pytest.raises(ConfigError, match="taking"):
        taking(hint)


def test_a_dict_deep_in_a_model_is_refused_too() -> None:
    class Holder(BaseModel):
        inner: list[dict[str, int]] = []

    with pytest.raises(ConfigError, match="list of pairs"):
        taking(Holder)


def keywords(**kwargs: int) -> str:
    return ""


def positionals(*args: int) -> str:
    return ""


def positional_only(a: int, /) -> str:
    return ""


def unannotated(a) -> str:  # type: ignore[no-untyped-def]
    return ""


@pytest.mark.parametrize("function", [keywords, positionals, positional_only, unannotated])
def test_every_parameter_needs_a_name_and_a_type(function: Any) -> None:
    with pytest.raises(ConfigError, match="needs a type and a name"):
        command("reads")(function)


def test_what_a_command_returns_fits_its_effect() -> None:
    def number() -> int:
        return 1

    def ending() -> str:
        return ""

    def completing() -> Completion:
        return Completion("")

    def changing() -> Change:
        raise NotImplementedError

    for effect, function in [("reads", number), ("ends", ending), ("reads", completing), ("reads", changing)]:
        with pytest.raises(ConfigError, match="a command"):
            command(effect, name="x")(function)  # type: ignore[call-overload]


# -- binding --------------------------------------------------------------------------------------------------------


def bind(hint: Any, value: Any, **default: Any) -> Any:
    bound = Registry([taking(hint, **default)]).bind(CommandCall(name="take", args={"it": value}))
    return bound.arguments.get("it", "absent")


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (bool, "yes"), (bool, "true"), (bool, 1), (bool, 0), (int, "5"), (int, 1.0), (int, True), (float, "1.5"),
        (float, True), (str, 5), (str, ["a"]), (str, None), (int, None), (list[str], "a"), (list[str], [1]),
        (Literal["a"], "A"), (Colour, "blue"), (Inner, {"n": "3"}), (Inner, {"n": 1, "extra": 2}), (Pair, {"key": "a"}),
        (Pair, {"key": "a", "value": "1"}), (Pair, {"key": "a", "value": 1, "x": 1}), (Inner, "{}"),
        (Annotated[int, Field(ge=1)], 0), (Annotated[str, Field(min_length=3)], "ab"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("nested", [False, True], ids=["plain", "nested"])
def test_a_value_is_never_converted(hint: Any, value: Any, nested: bool) -> None:
    with pytest.raises(InvalidArguments, match="it"):
        bind(list[hint] if nested else hint, [value] if nested else value)


@pytest.mark.parametrize(
    ("hint", "value", "bound"),
    [
        (int, 5, 5), (float, 1, 1.0), (bool, True, True), (str, "", ""), (list[str], [], []), (int | None, None, None),
        (Colour, "red", Colour.RED), (Inner, {}, Inner()), (Inner, {"note": None}, Inner()), (int, 10**90, 10**90),
        (Annotated[Square | Circle, Field(discriminator="kind")], {"kind": "square", "side": 1},
         Square(kind="square", side=1)),
    ],
)  # fmt: skip
def test_a_value_that_fits_is_taken(hint: Any, value: Any, bound: Any) -> None:
    assert bind(hint, value) == bound


def test_null_means_left_out_where_a_parameter_may_be() -> None:
    assert bind(int, None, default=3) == "absent"


@pytest.mark.parametrize(
    ("value", "bound"),
    [
        ({"n": None, "note": None}, Inner()),
        ({"n": 1, "note": None}, Inner(n=1)),
        ({"n": None, "note": "x"}, Inner(note="x")),
    ],
)
def test_null_means_left_out_deeper_down_too(value: Any, bound: Inner) -> None:
    assert bind(list[Inner], [value]) == [bound]
    assert bind(Claim, {"text": "a", "inner": value, "more": None}) == Claim(text="a", inner=bound)


def test_a_missing_and_an_extra_argument_are_named() -> None:
    registry = Registry(COMMANDS)
    with pytest.raises(InvalidArguments, match=r"`path` is missing.*read_file\(path: string, offset\?: integer"):
        registry.bind(CommandCall(name="read_file"))
    with pytest.raises(InvalidArguments, match="`path`"):
        registry.bind(CommandCall(name="read_file", args={"path": None}))
    with pytest.raises(InvalidArguments, match="`mode` is not an argument"):
        registry.bind(CommandCall(name="read_file", args={"path": "a", "mode": "r"}))
    with pytest.raises(InvalidArguments, match="`mode` is not an argument"):
        registry.bind(CommandCall(name="write_file", args={"path": "a", "text": "", "mode": "a"}))


@pytest.mark.parametrize("args", [{"x" * 1_000_000: 1}, {str(n): n for n in range(50_000)}], ids=["long", "many"])
def test_the_message_about_wrong_arguments_is_short(args: dict[str, JsonValue]) -> None:
    with pytest.raises(InvalidArguments) as raised:
        Registry(COMMANDS).bind(CommandCall(name="read_file", args=args))
    assert len(str(raised.value)) < 2_000


@pytest.mark.parametrize("name", ["Read_File", "read_file ", " read_file", "r\u0435ad_file", "READ_FILE", "read-file"])
def test_a_look_alike_is_no_command_but_the_right_one_is_named(name: str) -> None:
    with pytest.raises(UnknownCommand, match="did you mean 'read_file'"):
        Registry(COMMANDS).bind(CommandCall(name=name, args={"path": "a"}))


@pytest.mark.parametrize("name", ["fly", "__class__", "os.system", "__init__", "bind", "", "None", "x" * 1_000_000])
def test_a_name_that_is_no_command_is_told_with_those_that_are(name: str) -> None:
    with pytest.raises(UnknownCommand, match="Choose one of: read_file, read_many, write_file") as raised:
        Registry(COMMANDS).bind(CommandCall(name=name))
    assert len(str(raised.value)) < 1_000


def test_a_disabled_command_is_not_asked_for_and_says_so() -> None:
    registry = Registry(COMMANDS, disabled=["write_file"])
    with pytest.raises(UnknownCommand, match="'write_file' is disabled"):
        registry.bind(CommandCall(name="write_file", args={"path": "a", "text": ""}))
    assert "write_file" not in registry
    assert "write_file" not in str(registry.reply_schema())


def test_disabling_a_command_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="did you mean 'write_file'"):
        Registry(COMMANDS, disabled=["write_fiel"])


def test_two_commands_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ConfigError, match="two commands are named 'take'"):
        Registry([taking(int), taking(str)])


@pytest.mark.parametrize("bad", [CommandCall(name="fly"), CommandCall(name="read_file", args={"path": 5})])
def test_one_call_that_does_not_fit_stops_all_of_a_thought(bad: CommandCall) -> None:
    good = CommandCall(name="read_file", args={"path": "a"})
    with pytest.raises(ThoughtError, match="Nothing ran"):
        Registry(COMMANDS).check(Thought(commands=(good, bad)))


def test_a_run_ends_only_with_the_last_command_of_a_thought() -> None:
    end, read = CommandCall(name="give_up", args={"reason": "x"}), CommandCall(name="read_file", args={"path": "a"})
    registry = Registry(COMMANDS)
    registry.check(Thought(commands=(read, end)))
    with pytest.raises(ThoughtError, match="must be the last"):
        registry.check(Thought(commands=(end, read)))


def test_the_environment_may_be_any_parameter(tmp_path: Path) -> None:
    @command("reads")
    def share(text: str, *, env: Env) -> str:
        return f"{text} {env.share_tokens}"

    env = env_with(share_tokens=7)
    assert Registry([share]).bind(CommandCall(name="share", args={"text": "a"})).run(env) == "a 7"
    assert share.signature == "share(text: string)"


@pytest.mark.parametrize("hint", [WorkspacePath, WorkspacePath | None, Annotated[str, "x", Mark("path")]])
def test_the_policy_sees_the_paths_of_a_call(hint: Any) -> None:
    bound = Registry([taking(hint)]).bind(CommandCall(name="take", args={"it": "a/b"}))
    assert bound.paths == ("a/b",)


def test_the_policy_sees_each_path_of_a_list() -> None:
    args: dict[str, JsonValue] = {"result": "done", "files": ["a", "b"]}
    assert Registry(COMMANDS).bind(CommandCall(name="task_complete", args=args)).paths == ("a", "b")
