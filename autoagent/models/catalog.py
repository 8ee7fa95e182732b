"""What a model costs and how much it can read and write, from the user's table and a small dated catalog.

The catalog (`catalog.json`, written by scripts/make_catalog.py) knows exact names only: a similar name has no price.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from ipaddress import ip_address
from math import isfinite
from typing import Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

from autoagent.errors import ConfigError


@dataclass(frozen=True)
class Price:
    """Dollars per million tokens. `origin`: the user's table, the catalog (`dated`), or a loopback endpoint."""

    input: float
    output: float
    cached: float
    origin: Literal["table", "catalog", "free"]
    dated: str = ""

    def cost(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> float:
        """Dollars for one call; `input_tokens` includes the cached ones."""
        cached = min(cached_tokens, input_tokens)
        fresh = input_tokens - cached
        return (fresh * self.input + cached * self.cached + output_tokens * self.output) / 1_000_000


@dataclass(frozen=True)
class Facts:
    """What is known of a model at an address: tokens it can hold, tokens of its longest reply, its price."""

    window: int | None
    longest_reply: int | None
    price: Price | None


class UserPrice(Protocol):
    """An entry of the settings' `prices."MODEL"`; `cached` is None where it is as dear as any input."""

    @property
    def input(self) -> float: ...
    @property
    def output(self) -> float: ...
    @property
    def cached(self) -> float | None: ...


def look_up(model: str, base_url: str, table: Mapping[str, UserPrice]) -> Facts:
    """The facts of `model` at `base_url`; None is unknown, never a guess from a similar name.

    The user's table wins, then a loopback endpoint is free, then the catalog: its price for the provider's own address,
    or for an address that it does not know. ConfigError if the table's price of this model is no price.
    """
    host = _host(base_url)
    entry = _entry(model, host)
    return Facts(
        window=entry.window if entry else None,
        longest_reply=entry.longest_reply if entry else None,
        price=_price(model, host, table.get(model)),
    )


def _price(model: str, host: str, user: UserPrice | None) -> Price | None:
    if user is not None:
        return _table_price(model, user)
    if _is_loopback(host):
        return Price(input=0, output=0, cached=0, origin="free")
    provider = _provider_at(host)
    entry = _read_catalog().providers[provider].models.get(model) if provider else _entry_of_any(model)
    if entry is None:
        return None
    return Price(entry.input, entry.output, entry.cached, origin="catalog", dated=_read_catalog().dated)


def _table_price(model: str, user: UserPrice) -> Price:
    cached = user.input if user.cached is None else user.cached
    for kind, value in (("input", user.input), ("output", user.output), ("cached", cached)):
        if not isfinite(value) or value < 0:
            raise ConfigError(
                f"The {kind} price of {model!r} is {value}. Set prices.{json.dumps(model)} "
                "to dollars per million tokens: a number, 0 or more."
            )
    return Price(user.input, user.output, cached, origin="table")


class _Entry(NamedTuple):
    """A row of the catalog, in the order of its `columns`."""

    input: float
    output: float
    cached: float
    window: int | None
    longest_reply: int | None


class _Provider(NamedTuple):
    maker: bool  # sells its own models, and named them
    hosts: tuple[str, ...]  # ".example.com" stands for every host below it
    models: dict[str, _Entry]


class _Catalog(NamedTuple):
    dated: str
    providers: dict[str, _Provider]


@cache
def _read_catalog() -> _Catalog:
    content = json.loads(resources.files("autoagent.models").joinpath("catalog.json").read_text(encoding="utf-8"))
    providers = {
        name: _Provider(
            maker=provider["maker"],
            hosts=tuple(provider["hosts"]),
            models={model: _Entry(*row) for model, row in provider["models"].items()},
        )
        for name, provider in content["providers"].items()
    }
    return _Catalog(dated=content["dated"], providers=providers)


def _entry(model: str, host: str) -> _Entry | None:
    """The model as sold at `host`; its window and longest reply are taken to be the same wherever else it runs."""
    provider = _provider_at(host)
    own = _read_catalog().providers[provider].models.get(model) if provider else None
    return own or _entry_of_any(model)


def _entry_of_any(model: str) -> _Entry | None:
    """The model as its maker sells it; of several sellers the highest price, the smallest window, the longest reply."""
    sold = [provider for provider in _read_catalog().providers.values() if model in provider.models]
    entries = [provider.models[model] for provider in sold if provider.maker] or [p.models[model] for p in sold]
    if not entries:
        return None
    replies = [entry.longest_reply for entry in entries]
    return _Entry(
        input=max(entry.input for entry in entries),
        output=max(entry.output for entry in entries),
        cached=max(entry.cached for entry in entries),
        window=min((entry.window for entry in entries if entry.window is not None), default=None),
        longest_reply=None if None in replies else max(reply for reply in replies if reply is not None),
    )


def _provider_at(host: str) -> str | None:
    for name, provider in _read_catalog().providers.items():
        if any(host.endswith(known) if known.startswith(".") else host == known for known in provider.hosts):
            return name
    return None


def _host(base_url: str) -> str:
    """In lower case, without port, user or brackets; empty if there is none, which is an address that nobody knows."""
    try:
        host = urlsplit(base_url if "://" in base_url else f"//{base_url}").hostname
    except ValueError:
        return ""
    return (host or "").rstrip(".")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
