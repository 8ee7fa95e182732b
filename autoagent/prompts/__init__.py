"""Every prompt that is sent to a model: templates in this folder; a user's own folder overrides one by its name."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from autoagent.errors import ConfigError

NAMES = ("system", "summary", "review", "acceptance", "handover", "goals")


@dataclass(frozen=True)
class Prompts:
    """`system` is the unchanging head of the context; `summary` and `review` end one with what is asked for.

    `acceptance` is the head of a context of its own, for whoever reviews a result; `handover` all of one.
    """

    system: str
    summary: str
    review: str
    acceptance: str
    handover: str


def load(name: str, own: Path | None = None) -> str:
    """The text of a prompt, the user's own before the built-in one. Raises ConfigError for an unknown name."""
    if name not in NAMES:
        raise ConfigError(f"there is no prompt {name!r}. Prompts: {', '.join(NAMES)}")
    return path(name, own).read_text(encoding="utf-8")


def path(name: str, own: Path | None = None) -> Path:
    """Where the text of a prompt comes from."""
    if own and (own / f"{name}.md").is_file():
        return own / f"{name}.md"
    return Path(str(files(__name__) / f"{name}.md"))


def fill(name: str, own: Path | None = None, **values: str) -> str:
    """A prompt with its `$names` filled in. Raises ConfigError where a user's own one names another."""
    try:
        return Template(load(name, own)).substitute(values)
    except (KeyError, ValueError) as error:
        known = ", ".join(f"${key}" for key in values)
        raise ConfigError(f"{path(name, own)}: {error} is not known in this prompt. It may use {known}") from None
