"""Settings, one typed object: flags > environment > .env > the workspace's autoagent.toml > the user's file > defaults.

A workspace's files are somebody else's words until a person trusts the folder: they may bring a key and tighten
limits, nothing else.
"""

import difflib
import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from autoagent.errors import ConfigError
from autoagent.places import config_folder

DEFAULT_MODEL = "gpt-5-mini"
PREFIX = "AUTOAGENT_"
KEY, BASE_URL = "OPENAI_API_KEY", "OPENAI_BASE_URL"
WORKSPACE_FILE = "autoagent.toml"


def _seconds(value: Any) -> Any:
    """90, "90", "15m", "2h": seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", value.strip()) if isinstance(value, str) else None
    if isinstance(value, str) and not found:
        raise ValueError("write 90 (seconds), 15m or 2h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]] if found else value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _names(value: Any) -> Any:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, AfterValidator(_finite), Field(ge=0)]
Seconds = Annotated[float, BeforeValidator(_seconds), AfterValidator(_finite), Field(ge=0)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


class UserPrice(BaseModel):
    """Dollars per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Amount
    output: Amount
    cached: Amount | None = None


_TYPES: dict[str, Any] = {
    "model": str,
    "base_url": str,
    "fast_model": str,
    "temperature": Annotated[float, AfterValidator(_finite), Field(ge=0, le=2)],
    "context_tokens": Annotated[int, Field(ge=1)],
    "reply_tokens": Annotated[int, Field(ge=1)],
    "approve": Literal["every", "acts", "never"],
    "plugins": Names,
    "disabled": Names,
    "limits.steps": Count,
    "limits.cost": Amount,
    "limits.tokens": Count,
    "limits.time": Seconds,
    "prices": dict[str, UserPrice],
}
LIMITS = ("limits.steps", "limits.cost", "limits.tokens", "limits.time", "context_tokens", "reply_tokens")


@dataclass(frozen=True)
class Settings:
    """`values` by dotted name, only those that are set somewhere; `origins` says where, for people.

    `warnings` are lines for people about what was ignored.
    """

    values: dict[str, Any]
    origins: dict[str, str]
    api_key: str = field(repr=False)
    warnings: tuple[str, ...] = ()

    def get(self, name: str, default: Any = None) -> Any:
        if name not in _TYPES:
            raise KeyError(name)
        return self.values.get(name, default)

    @property
    def prices(self) -> Mapping[str, UserPrice]:
        return self.values.get("prices", {})


def names() -> tuple[str, ...]:
    return tuple(_TYPES)


def load(workspace: Path, flags: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    """All settings for a run in `workspace`; `flags` by dotted name, None where not given. Raises ConfigError."""
    environ = os.environ if environ is None else environ
    user_file = config_folder() / "config.toml"
    dotenv = _dotenv(workspace / ".env")
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    warnings: list[str] = []

    def lay(layer: Mapping[str, Any], origin: str, *, trusted: bool = True) -> None:
        for name, raw in layer.items():
            value = _checked(name, raw, origin)
            if not trusted and not _tightens(name, value, values):
                warnings.append(
                    f"{origin}: {name} ignored. A workspace's files may bring a key and tighten limits only"
                )
                continue
            values[name], origins[name] = value, origin

    lay(_toml(user_file), str(user_file))
    from_environment = _environment(environ, "environment")
    lay(_toml(workspace / WORKSPACE_FILE), WORKSPACE_FILE, trusted=False)
    lay(_environment(dotenv, ".env"), ".env", trusted=False)
    lay(from_environment, "environment")
    lay({name: value for name, value in flags.items() if value is not None}, "flag")
    key, key_origin = (environ.get(KEY), "environment") if environ.get(KEY) else (dotenv.get(KEY, ""), ".env")
    if key:
        origins["api_key"] = key_origin
    return Settings(values, origins, key or "", tuple(warnings))


def _tightens(name: str, value: Any, so_far: Mapping[str, Any]) -> bool:
    """A limit that is not above the user's own; where the user set none, a limit is always tighter."""
    return name in LIMITS and value <= so_far.get(name, _DEFAULT_LIMITS.get(name, math.inf))


_DEFAULT_LIMITS = {"limits.steps": 50, "limits.cost": 2.0, "reply_tokens": 8_192}


def _checked(name: str, raw: Any, origin: str) -> Any:
    try:
        return TypeAdapter(_TYPES[name]).validate_python(raw)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, (name, *problem["loc"])))
        raise ConfigError(f"{origin}: {where} = {raw!r}: {_words(problem['msg'])}") from None


def _words(problem: str) -> str:
    problem = problem.removeprefix("Value error, ").removeprefix("Input ")
    return problem[:1].lower() + problem[1:]


def _toml(path: Path) -> dict[str, Any]:
    """The file's settings by dotted name; an absent file has none."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None
    limits = data.pop("limits", {})
    if not isinstance(limits, dict):
        raise ConfigError(f"{path}: limits is a table: [limits]")
    flat = data | {f"limits.{name}": value for name, value in cast(dict[str, Any], limits).items()}
    for name in flat:
        _known(name, str(path))
    return flat


def _environment(environ: Mapping[str, str], origin: str) -> dict[str, Any]:
    by_variable = {PREFIX + name.replace(".", "_").upper(): name for name in _TYPES if name != "prices"}
    found: dict[str, Any] = {"base_url": environ[BASE_URL]} if environ.get(BASE_URL) else {}
    for variable, value in environ.items():
        if variable in by_variable and value:
            found[by_variable[variable]] = value
        elif variable.startswith(PREFIX) and variable not in by_variable:
            raise ConfigError(f"{origin}: unknown setting {variable}{_nearest(variable, by_variable)}")
    return found


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        return {name: value for name, value in dotenv_values(path, interpolate=False).items() if value}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: can't be read: {error}") from None


def _known(name: str, origin: str) -> None:
    if name not in _TYPES:
        raise ConfigError(f"{origin}: unknown setting {name!r}{_nearest(name, _TYPES)}")


def _nearest(name: str, names: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f". Did you mean {near[0]!r}?" if near else f". Settings: {', '.join(names)}"
