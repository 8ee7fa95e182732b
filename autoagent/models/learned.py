"""What endpoints were found to take, remembered across runs: a refusal is met once, not at every start."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, Field

Format = Literal["json_schema", "tools", "json_object", "text"]
FORMATS: tuple[Format, ...] = get_args(Format)  # how a reply's schema is asked for, the best first
TRUSTED_DAYS = 30  # endpoints learn, too
_LONGEST_FILE = 1 << 20


@dataclass(frozen=True)
class Taken:
    """What one model at one endpoint takes: parameters that it refuses, and the best format for each schema."""

    refused: frozenset[str] = frozenset()
    formats: Mapping[str, Format] = field(default_factory=dict[str, Format])  # by the schema's digest

    def format_for(self, schema: str) -> Format:
        return self.formats.get(schema, FORMATS[0])

    def without(self, parameter: str) -> "Taken":
        return Taken(self.refused | {parameter}, self.formats)

    def with_format(self, schema: str, lower: Format) -> "Taken":
        return Taken(self.refused, {**self.formats, schema: lower})


def digest(schema: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(schema).encode()).hexdigest()[:16]


class Learned:
    """The file of all endpoints; `path` None remembers nothing. It is only a help: no trouble with it ever shows."""

    def __init__(self, path: Path | None, today: Callable[[], date] = lambda: datetime.now(UTC).date()):
        self._path, self._today = path, today

    def recall(self, base_url: str, model: str) -> Taken:
        """What was found in the last 30 days; all else is asked from the top again."""
        entry = self._read().get(_key(base_url, model), _Entry())
        return Taken(frozenset(entry.refused), {schema: found for schema, (found, _) in entry.formats.items()})

    def remember(self, base_url: str, model: str, taken: Taken) -> None:
        """Keep it beside what others keep meanwhile; what was known before keeps its date.

        Of two who write at the same moment one may be lost: it is found again.
        """
        if self._path is None:
            return
        now, key, entries = self._today(), _key(base_url, model), self._read()
        known = entries.get(key, _Entry())
        entries[key] = _Entry(
            refused={name: known.refused.get(name, now) for name in sorted(taken.refused)},
            formats={
                schema: old if (old := known.formats.get(schema)) and old[0] == found else (found, now)
                for schema, found in taken.formats.items()
            },
        )
        with contextlib.suppress(OSError):
            _replace(self._path, _File(v=1, endpoints=entries).model_dump_json(indent=1).encode())

    def _read(self) -> "dict[str, _Entry]":
        """Every entry that is not too old; none where the file is absent or no file of ours."""
        if self._path is None:
            return {}
        try:
            with self._path.open("rb") as file:
                entries = _File.model_validate_json(file.read(_LONGEST_FILE)).endpoints
        except (OSError, ValueError):
            return {}
        fresh = {key: self._fresh(entry) for key, entry in entries.items()}
        return {key: entry for key, entry in fresh.items() if entry.refused or entry.formats}

    def _fresh(self, entry: "_Entry") -> "_Entry":
        return _Entry(
            refused={name: day for name, day in entry.refused.items() if self._trusted(day)},
            formats={schema: found for schema, found in entry.formats.items() if self._trusted(found[1])},
        )

    def _trusted(self, day: date) -> bool:
        return 0 <= (self._today() - day).days <= TRUSTED_DAYS


class _Entry(BaseModel):
    """Each thing with the day on which it was found."""

    refused: dict[str, date] = Field(default_factory=dict[str, date])
    formats: dict[str, tuple[Format, date]] = Field(default_factory=dict[str, tuple[Format, date]])


class _File(BaseModel):
    v: Literal[1]
    endpoints: dict[str, _Entry]


def _key(base_url: str, model: str) -> str:
    """Readable, and exact: an address may hold a password or a version, so it stands there as its digest."""
    try:
        host = urlsplit(base_url).netloc.rpartition("@")[2]
    except ValueError:
        host = ""
    return f"{host} {model} {hashlib.sha256(base_url.encode(errors='replace')).hexdigest()[:12]}"


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(content)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
