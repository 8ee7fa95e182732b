"""Settings, one typed object: flags > environment > .env > the workspace's autoagent.toml > the user's file > defaults.

A workspace's files are somebody else's words until a person trusts the folder: they may bring a key and tighten
limits, nothing else.
"""

import difflib
import io
import math
import os
import re
import tomllib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from autoagent import rulebook, rules
from autoagent.errors import ConfigError
from autoagent.masking import Mask, secrets_in, secrets_of_address
from autoagent.places import config_folder
from autoagent.rules import Action, Rule
from autoagent.trust import Fingerprint, Verdict, verdict

DEFAULT_MODEL = "gpt-5-mini"
PREFIX = "AUTOAGENT_"
KEY, BASE_URL = "OPENAI_API_KEY", "OPENAI_BASE_URL"
WORKSPACE_FILE = "autoagent.toml"
LONGEST_FILE = 1 << 20  # bytes


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


def _lines(value: Any) -> Any:
    return [line.strip() for line in value.splitlines() if line.strip()] if isinstance(value, str) else value


def _rule(value: str) -> str:
    """ "deny shell:git push" """
    action, _, text = value.strip().partition(" ")
    if action not in get_args(Action):
        raise ValueError('a rule begins with allow, ask or deny: "deny shell:git push"')
    return f"{action} {rules.check(text)}"


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
    "review_model": str,
    "escalate_model": str,
    "review": Literal["auto", "always", "off"],
    "evidence": Literal["require", "mark", "off"],
    "temperature": Annotated[float, AfterValidator(_finite), Field(ge=0, le=2)],
    "seed": int,
    "reasoning_effort": Literal["none", "minimal", "low", "medium", "high", "xhigh"],
    "context_tokens": Annotated[int, Field(ge=1)],
    "reply_tokens": Annotated[int, Field(ge=1)],
    "approve": Literal["every", "acts", "sandboxed", "never"],
    "rules": Annotated[tuple[Annotated[str, AfterValidator(_rule)], ...], BeforeValidator(_lines)],
    "unsandboxed": bool,
    "sandbox_network": bool,
    "plugins": Names,
    "disabled": Names,
    "search": Names,
    "allow_local_network": bool,
    "limits.steps": Count,
    "limits.cost": Amount,
    "limits.tokens": Count,
    "limits.time": Seconds,
    "prices": dict[str, UserPrice],
}
LIMITS = ("limits.steps", "limits.cost", "limits.tokens", "limits.time", "context_tokens", "reply_tokens")


@dataclass(frozen=True)
class Wish:
    """What a file of the workspace sets beyond tighter limits. It counts where a person trusts that very content."""

    origin: str
    file: Fingerprint
    values: dict[str, Any]
    verdict: Verdict
    matters: bool  # whether trust would change a setting, or did

    @property
    def ignored(self) -> bool:
        return self.verdict != "yes"


@dataclass(frozen=True)
class Settings:
    """`values` by dotted name, only those that are set somewhere; `origins` says where, for people.

    `warnings` are lines for people about what was ignored; `secrets` must be shown and kept nowhere.
    """

    values: dict[str, Any]
    origins: dict[str, str]
    api_key: str = field(repr=False)
    warnings: tuple[str, ...] = ()
    wishes: tuple[Wish, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    safe_mode: bool = False
    rules: tuple[Rule, ...] = ()  # a person's, of this workspace and for all runs; a folder's own can only add denials

    def get(self, name: str, default: Any = None) -> Any:
        if name not in _TYPES:
            raise KeyError(name)
        return self.values.get(name, default)

    @property
    def undecided(self) -> tuple[Wish, ...]:
        """What a person should be asked about: it would change something, and nobody said anything of it yet."""
        return tuple(wish for wish in self.wishes if wish.matters and not wish.verdict)

    @property
    def refused(self) -> tuple[Wish, ...]:
        """What would change something and does not count."""
        return tuple(wish for wish in self.wishes if wish.matters and wish.ignored)

    def named_by_workspace(self, base_url: str) -> str:
        """The workspace's file that names this address, perhaps masked; "" where it is the user's own choice."""
        mask, files = Mask(self.secrets), {wish.origin: wish.values.get("base_url", "") for wish in self.wishes}
        if self.origins.get("base_url") not in files and mask(self.values.get("base_url", "")) == mask(base_url):
            return ""
        return next((origin for origin, named in files.items() if named and mask(named) == mask(base_url)), "")

    @property
    def prices(self) -> Mapping[str, UserPrice]:
        return self.values.get("prices", {})


def names() -> tuple[str, ...]:
    return tuple(_TYPES)


def load(
    workspace: Path,
    flags: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
    *,
    accepted: Container[Fingerprint] = (),
    safe_mode: bool = False,
) -> Settings:
    """All settings for a run in `workspace`; `flags` by dotted name, None where not given. Raises ConfigError.

    The workspace's own files count in full where they are trusted or `accepted` now. In safe mode they are not
    read at all, and no plugin is enabled.
    """
    environ = os.environ if environ is None else environ
    project = [] if safe_mode else [_project_toml(workspace), _project_dotenv(workspace)]
    layers = [
        _Layer(str(config_folder() / "config.toml"), _toml(config_folder() / "config.toml")),
        *project,
        _Layer("environment", _environment(environ, "environment")),
        _Layer("flag", {name: value for name, value in flags.items() if value is not None}),
    ]
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    wishes: list[Wish] = []
    kept = [*rulebook.rules_of(workspace)]
    for layer in layers:
        checked = {name: _checked(name, raw, layer.origin) for name, raw in layer.values.items()}
        wished = {name: value for name, value in checked.items() if layer.file and not _tightens(name, value, values)}
        if layer.file and wished:
            said = "yes" if layer.file in accepted else verdict(layer.file)
            wishes.append(Wish(layer.origin, layer.file, wished, said, matters=True))
            checked = checked if said == "yes" else {name: checked[name] for name in checked.keys() - wished.keys()}
        kept += rulebook.from_settings(checked.get("rules", ()), "all")
        if "rules" in checked:  # they add up, where other settings replace each other
            checked["rules"] = (*values.get("rules", ()), *checked["rules"])
        values |= checked
        origins |= dict.fromkeys(checked, layer.origin)
    if safe_mode:
        values.pop("plugins", None)
        origins.pop("plugins", None)
    wishes = [replace(wish, matters=_matters(wish, values, origins)) for wish in wishes]
    dotenv = {name: value for layer in project for name, value in layer.variables.items()}
    key, key_origin = (environ[KEY], "environment") if environ.get(KEY) else (dotenv.get(KEY, ""), ".env")
    strange_endpoint = next((wish for wish in wishes if wish.ignored and "base_url" in wish.values), None)
    elsewhere = bool(key and key_origin == ".env" and strange_endpoint)  # it is that endpoint's, not for another
    key = "" if elsewhere else key
    if key:
        origins["api_key"] = key_origin
    strange = any(wish.ignored for wish in wishes)  # a stranger's values could take letters out of what is shown
    own = {KEY: dotenv.get(KEY, "")} if strange else dotenv
    secrets = (*secrets_in(environ), *secrets_in(own), *(found for layer in layers for found in _secrets(layer)))
    warnings = tuple(_ignored_words(wish) for wish in wishes if wish.ignored and wish.matters)
    if elsewhere:
        warnings += (f".env: {KEY} ignored: it belongs to the endpoint that is ignored, and goes to no other",)
    known = tuple(dict.fromkeys(secrets))
    return Settings(values, origins, key, warnings, tuple(wishes), known, safe_mode, tuple(kept))


@dataclass(frozen=True)
class _Layer:
    """The settings of one origin, unchecked; `file` where it is one of the workspace's."""

    origin: str
    values: Mapping[str, Any]
    file: Fingerprint | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])


def _project_toml(workspace: Path) -> _Layer:
    path = workspace / WORKSPACE_FILE
    content = _content(path)
    return _Layer(path.name, _parsed_toml(content, path.name), Fingerprint.of(path, content))


def _project_dotenv(workspace: Path) -> _Layer:
    path = workspace / ".env"
    content = _content(path)
    variables = _parsed_dotenv(content, path.name)
    return _Layer(path.name, _environment(variables, path.name), Fingerprint.of(path, content), variables)


def _matters(wish: Wish, values: Mapping[str, Any], origins: Mapping[str, str]) -> bool:
    """A flag or a variable wins over a workspace's file, trusted or not; and it may say what holds anyway."""
    if not wish.ignored:
        return any(origins.get(name) == wish.origin for name in wish.values)
    return any(
        origins.get(name) not in ("environment", "flag") and values.get(name) != value
        for name, value in wish.values.items()
    )


def _ignored_words(wish: Wish) -> str:
    names = ", ".join(wish.values)
    why = "as you decided" if wish.verdict == "no" else "since nobody said that this folder is trusted"
    return f"{wish.origin}: {names} ignored, {why}. To use what it sets: autoagent run --trust"


def _secrets(layer: _Layer) -> Iterator[str]:
    """Passwords and keys within the addresses that a layer sets, trusted or not."""
    for value in layer.values.values():
        for text in cast(list[Any], value) if isinstance(value, list) else [value]:
            if isinstance(text, str):
                yield from secrets_of_address(text)


def _tightens(name: str, value: Any, so_far: Mapping[str, Any]) -> bool:
    """A limit that is not above the user's own, or rules that only ask or deny. Where the user set no limit, one is
    always tighter.
    """
    if name == "rules":
        return not any(rule.startswith("allow ") for rule in value)
    return name in LIMITS and value <= so_far.get(name, _DEFAULT_LIMITS.get(name, math.inf))


_DEFAULT_LIMITS = {"limits.steps": 50, "limits.cost": 2.0, "reply_tokens": 8_192, "context_tokens": 24_576}


def _checked(name: str, raw: Any, origin: str) -> Any:
    try:
        return TypeAdapter(_TYPES[name]).validate_python(raw)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, (name, *problem["loc"])))
        value = "" if problem["type"] == "missing" else f" = {problem['input']!r}"  # else it would be all beside it
        raise ConfigError(f"{origin}: {where}{value}: {_words(problem['msg'])}") from None


def _words(problem: str) -> str:
    problem = problem.removeprefix("Value error, ").removeprefix("Input ")
    return problem[:1].lower() + problem[1:]


def _content(path: Path) -> bytes:
    """The file as it is; one that is absent is empty. Raises ConfigError."""
    try:
        if not path.is_file():  # a pipe would be waited for; a folder `.env` is somebody's virtual environment
            return b""
        with path.open("rb") as file:
            content = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None
    if len(content) > LONGEST_FILE:
        raise ConfigError(f"{path}: is too long for a file of settings")
    return content


def _toml(path: Path) -> dict[str, Any]:
    return _parsed_toml(_content(path), str(path))


def _parsed_toml(content: bytes, origin: str) -> dict[str, Any]:
    """The file's settings by dotted name."""
    try:
        data = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{origin}: is no UTF-8: {error.reason} at byte {error.start}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{origin}: {error}") from None
    limits = data.pop("limits", {})
    if not isinstance(limits, dict):
        raise ConfigError(f"{origin}: limits is a table: [limits]")
    flat = data | {f"limits.{name}": value for name, value in cast(dict[str, Any], limits).items()}
    for name in flat:
        _known(name, origin)
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


def _parsed_dotenv(content: bytes, origin: str) -> dict[str, str]:
    if not content:
        return {}
    from dotenv import dotenv_values

    try:
        stream = io.StringIO(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{origin}: is no UTF-8: {error.reason} at byte {error.start}") from None
    return {name: value for name, value in dotenv_values(stream=stream, interpolate=False).items() if value}


def _known(name: str, origin: str) -> None:
    if name not in _TYPES:
        raise ConfigError(f"{origin}: unknown setting {name!r}{_nearest(name, _TYPES)}")


def _nearest(name: str, names: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f". Did you mean {near[0]!r}?" if near else f". Settings: {', '.join(names)}"
