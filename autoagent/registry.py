"""Commands: typed functions that the model may call."""

import contextlib
import difflib
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Annotated, Any, Generic, Literal, NotRequired, ParamSpec, TypeVar, cast, get_args, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from autoagent.env import Change, Completion, Env, Excerpt, Mark
from autoagent.errors import CommandError, ConfigError, InvalidArguments, ThoughtError, UnknownCommand
from autoagent.programs import Program
from autoagent.strict_schema import reply_schema, strict_adapter, type_words
from autoagent.thoughts import CommandCall, Thought

P = ParamSpec("P")
R = TypeVar("R", bound=str | Excerpt | Change | Program | Completion)
Effect = Literal["reads", "remembers", "writes", "executes", "sends", "asks", "ends"]
ENTRY_POINTS = "autoagent.commands"
MAX_SHOWN = 100  # characters of a wrong name


@dataclass(frozen=True)
class Command(Generic[P, R]):
    """A function, its argument model, and what it may do to the world.

    Its docstring is what the model reads. A command whose function returns a Change or a Program does nothing itself:
    it is shown, journalled, and then made or run by the loop. `idempotent`: safe to run again when a crash hides
    its result. `outside`: its result is text from outside the workspace, which may hold anybody's words. `origin` is
    "autoagent" or the plugin's name.
    """

    func: Callable[P, R]
    name: str
    description: str
    effect: Effect
    args: TypeAdapter[dict[str, Any]]
    schema: dict[str, Any]
    env_param: str  # "" where it takes none
    path_params: tuple[str, ...]
    address_params: tuple[str, ...]
    line_params: tuple[str, ...]
    returns_change: bool
    returns_program: bool
    idempotent: bool
    outside: bool
    origin: str = "autoagent"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.func(*args, **kwargs)

    @property
    def signature(self) -> str:
        """`read_file(path: string, offset?: integer)`, with a ? for what may be left out."""
        required, definitions = self.schema.get("required", []), self.schema.get("$defs", {})
        params = [
            f"{name}{'' if name in required else '?'}: {type_words(shape, definitions)}"
            for name, shape in self.schema["properties"].items()
        ]
        return f"{self.name}({', '.join(params)})"


def command(
    effect: Effect, *, name: str | None = None, idempotent: bool | None = None, outside: bool = False
) -> Callable[[Callable[P, R]], Command[P, R]]:
    """Turn a typed function into a Command.

    Raises ConfigError, when the module is imported, for a parameter type that a strict schema can't express.
    """

    def wrap(func: Callable[P, R]) -> Command[P, R]:
        hints = get_type_hints(func, include_extras=True)
        returned = hints.pop("return", None)
        known = returned in (str, Excerpt, Change, Program, Completion)
        if not known or (returned is Completion) != (effect == "ends"):
            raise ConfigError(
                f"{func.__qualname__}: a command returns str, Excerpt, Change or Program; one that ends, Completion"
            )
        if returned is Change and effect != "writes":
            raise ConfigError(f"{func.__qualname__}: a command that returns a Change has the effect 'writes'")
        if returned is Program and effect != "executes":
            raise ConfigError(f"{func.__qualname__}: a command that returns a Program has the effect 'executes'")
        shape, marked, env_param = _arguments(func, hints)
        args, schema = strict_adapter(func.__qualname__, shape)
        return Command(
            func=func,
            name=name or func.__name__,
            description=inspect.getdoc(func) or "",
            effect=effect,
            args=args,
            schema=schema,
            env_param=env_param,
            path_params=tuple(name for name, kind in marked.items() if kind == "path"),
            address_params=tuple(name for name, kind in marked.items() if kind == "address"),
            line_params=tuple(name for name, kind in marked.items() if kind == "line"),
            returns_change=returned is Change,
            returns_program=returned is Program,
            idempotent=effect == "reads" if idempotent is None else idempotent,
            outside=outside,
        )

    return wrap


def _arguments(func: Callable[..., Any], hints: dict[str, Any]) -> tuple[Any, dict[str, str], str]:
    """A TypedDict of the parameters: unlike a model class it has no names of its own to collide with."""
    fields: dict[str, Any] = {}
    marked: dict[str, str] = {}
    env_param = ""
    for param in inspect.signature(func).parameters.values():
        if hints.get(param.name) is Env:
            env_param = param.name
            continue
        if param.name not in hints or param.kind in (param.VAR_KEYWORD, param.VAR_POSITIONAL, param.POSITIONAL_ONLY):
            raise ConfigError(f"{func.__qualname__}: parameter {param.name!r} needs a type and a name")
        hint = hints[param.name]
        if kinds := [mark.kind for mark in _marks(hint) if isinstance(mark, Mark)]:
            marked[param.name] = kinds[0]
        shown = hint if param.default is param.empty else NotRequired[Annotated[hint, Field()]]
        fields[param.name] = shown
    shape = cast(Any, TypedDict)(func.__name__, fields)
    shape.__pydantic_config__ = ConfigDict(extra="forbid", strict=True)
    return shape, marked, env_param


def _marks(hint: Any) -> Iterator[Any]:
    yield from getattr(hint, "__metadata__", ())
    for inner in get_args(hint):
        yield from _marks(inner)


@dataclass(frozen=True)
class Bound:
    """A call whose command exists and whose arguments fit."""

    command: Command[..., Any]
    arguments: dict[str, Any]

    def run(self, env: Env) -> str | Excerpt | Change | Program | Completion:
        extra = {self.command.env_param: env} if self.command.env_param else {}
        return self.command.func(**extra, **self.arguments)

    @property
    def paths(self) -> tuple[str, ...]:
        """The workspace paths among the arguments, as given."""
        return self._given(self.command.path_params)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The web addresses among the arguments, as given."""
        return self._given(self.command.address_params)

    @property
    def lines(self) -> tuple[str, ...]:
        """The shell lines among the arguments."""
        return self._given(self.command.line_params)

    def _given(self, names: tuple[str, ...]) -> tuple[str, ...]:
        values = [self.arguments.get(name) for name in names]
        return tuple(text for value in values for text in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, however deep in lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in cast(Sequence[Any], value):
            yield from _texts(item)


class Registry(Mapping[str, Command[..., Any]]):
    """The commands of one agent. Two commands of one name are a mistake, never a silent override."""

    def __init__(self, commands: Iterable[Command[..., Any]], disabled: Iterable[str] = ()):
        self._commands: dict[str, Command[..., Any]] = {}
        self.disabled = frozenset(disabled)
        for cmd in commands:
            if cmd.name in self._commands:
                raise ConfigError(
                    f"two commands are named {cmd.name!r}, of {self._commands[cmd.name].origin} and {cmd.origin}"
                )
            self._commands[cmd.name] = cmd
        for name in self.disabled - set(self._commands):
            raise ConfigError(f"disabled: there is no command {name!r}{_near(name, self._commands)}")
        for name in self.disabled:
            del self._commands[name]

    def __getitem__(self, name: str) -> Command[..., Any]:
        return self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)

    def bind(self, call: CommandCall) -> Bound:
        """Check a call against its command. Raises UnknownCommand or InvalidArguments."""
        cmd = self._commands.get(call.name)
        if call.name in self.disabled:
            raise UnknownCommand(f"The command {call.name!r} is disabled. Choose one of: {', '.join(self)}.")
        if cmd is None:
            wrong = call.name[:MAX_SHOWN]
            raise UnknownCommand(
                f"There is no command {wrong!r}{_near(wrong, self)}. Choose one of: {', '.join(self)}."
            )
        required: list[str] = cmd.schema.get("required", [])
        given = {name: value for name, value in call.args.items() if value is not None or name in required}
        try:
            return Bound(cmd, _validated(cmd, given))
        except ValidationError as error:
            names = list(cmd.schema["properties"])
            problems = "; ".join(_in_words(cast(Any, e), names) for e in error.errors(include_url=False)[:5])
            message = f"The arguments of {call.name} don't fit: {problems}. It is {cmd.signature}."
            raise InvalidArguments(message) from None

    def check(self, thought: Thought) -> None:
        """Raises ThoughtError where a call can't be bound, or the run would end before other commands."""
        bound, problems = list[Bound](), list[str]()
        for call in thought.commands:
            try:
                bound.append(self.bind(call))
            except CommandError as error:
                problems.append(str(error))
        if problems:
            raise ThoughtError(" ".join([*dict.fromkeys(problems), "Nothing ran."]))
        if any(b.command.effect == "ends" for b in bound[:-1]):
            raise ThoughtError("A command that ends the run must be the last of a reply. Nothing ran.")

    def reply_schema(self) -> dict[str, Any]:
        """JSON Schema of a Thought with these commands, valid for strict structured outputs."""
        return reply_schema({cmd.name: cmd.schema for cmd in self.values()})


def _in_words(error: Mapping[str, Any], names: Sequence[str]) -> str:
    """One problem of pydantic's, in words that name the argument."""
    name = ".".join(map(str, error["loc"]))[:MAX_SHOWN]
    match error["type"]:
        case "missing":
            return f"`{name}` is missing"
        case "extra_forbidden":
            return f"`{name}` is not an argument{_near(name, names)}"
        case _:
            told = str(error["msg"]).removeprefix("Input ")
            return f"`{name}` {told}" if name else told


def _validated(cmd: Command[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """The arguments as Python values. Deeper down, too, null is taken for "left out" where it fits nothing else."""
    try:
        return cmd.args.validate_json(json.dumps(given), strict=True, extra="forbid")
    except ValidationError:
        inner = {name: _without_nulls(value) for name, value in given.items()}
        if inner == given:
            raise
        with contextlib.suppress(ValidationError):
            return cmd.args.validate_json(json.dumps(inner), strict=True, extra="forbid")
        raise


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        items = cast(dict[str, Any], value).items()
        return {name: _without_nulls(inner) for name, inner in items if inner is not None}
    return [_without_nulls(item) for item in cast(list[Any], value)] if isinstance(value, list) else value


def _near(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.strip().lower(), list(names), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def discover(enabled: Iterable[str]) -> Iterator[tuple[str, list[Command[..., Any]] | Exception]]:
    """Commands of installed plugins that the user enabled by entry-point name; of a broken one, its error."""
    from dataclasses import replace

    available = {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
    for name in enabled:
        if name not in available:
            yield name, ConfigError(f"not installed{_near(name, available)}")
            continue
        try:
            found = list(available[name].load())
            strangers = [item for item in found if not isinstance(item, Command)]
            if strangers:
                raise ConfigError(f"{strangers[0]!r} is not a command")
            yield name, [replace(cmd, origin=name) for cmd in found]
        except Exception as error:  # noqa: BLE001  # a plugin raises anything; it is named and skipped
            yield name, error
