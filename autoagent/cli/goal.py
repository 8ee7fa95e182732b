"""Where a goal comes from: words, options, a file, standard input, AutoGPT's settings file, or a person's answers."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from autoagent.errors import CommandError, ConfigError

if TYPE_CHECKING:
    from autoagent.budget import Usage
    from autoagent.criteria import Criterion

MOST_GOALS = 20


@dataclass(frozen=True)
class Goal:
    """What a run is for. `max_cost` is AutoGPT's `api_budget` in dollars, `usage` what proposing the goals took."""

    goals: tuple[str, ...] = ()
    name: str = ""
    role: str = ""
    max_cost: float | None = None
    usage: "Usage | None" = None
    criteria: "tuple[Criterion, ...]" = ()
    protect: tuple[str, ...] = ()


def collect(
    words: Sequence[str], goals: Sequence[str], goal_file: Path | None, ai_settings: Path | None, name: str, role: str
) -> Goal:
    """The goal as given on the command line, perhaps with no goals at all. Raises ConfigError."""
    found = Goal()
    if ai_settings:
        found = _autogpt(ai_settings)
    given = list(goals)
    if list(words) == ["-"]:
        given.append(sys.stdin.read())
    elif words:
        given.append(" ".join(words))
    if goal_file:
        given.append(_text(goal_file))
    stripped = tuple(text.strip() for text in given if text.strip())
    if given and not stripped:
        raise ConfigError("the goal is empty")
    found = replace(found, goals=(*stripped, *found.goals), name=name or found.name, role=role or found.role)
    if len(found.goals) > MOST_GOALS:
        raise ConfigError(f"{len(found.goals)} goals; at most {MOST_GOALS} in one run")
    return found


def _text(path: Path) -> str:
    from autoagent.loaders.text import decode

    try:
        return decode(path.read_bytes()).text
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except CommandError as error:
        raise ConfigError(f"{path}: {error}") from None


def _autogpt(path: Path) -> Goal:
    """AutoGPT's `ai_settings.yaml`: ai_name, ai_role, ai_goals, api_budget (0: none given)."""
    import yaml

    try:
        data: Any = yaml.safe_load(_text(path))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: must hold ai_name, ai_role, ai_goals")
    data = cast(dict[str, Any], data)
    given: Any = data.get("ai_goals")
    goals = cast(list[Any], given) if isinstance(given, list) else [given] if isinstance(given, str) else []
    if not goals:
        raise ConfigError(f"{path}: ai_goals must be a list of goals")
    try:
        budget = float(data.get("api_budget") or 0)
    except (TypeError, ValueError):
        raise ConfigError(f"{path}: api_budget must be a number of dollars") from None
    if not 0 <= budget < float("inf"):
        raise ConfigError(f"{path}: api_budget must be 0 (none given) or more dollars")
    texts = tuple(str(goal).strip() for goal in goals)
    from autoagent.asked import of_goals

    name, role = str(data.get("ai_name") or ""), str(data.get("ai_role") or "")
    return Goal(texts, name, role, budget or None, criteria=of_goals(texts))
