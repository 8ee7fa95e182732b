"""Search engines behind one protocol: asked one at a time, at most once a second, a block never taken for nothing."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from autoagent.errors import ConfigError
from autoagent.search.engines import DEFAULT, ENGINES
from autoagent.search.provider import Provider, Unanswered
from autoagent.search.searcher import Searcher

__all__ = ["Provider", "Searcher", "Unanswered", "check_names", "make_searcher"]

PLUGINS = "autoagent.search"  # entry points, each a callable that returns a Provider


def check_names(names: Iterable[str]) -> None:
    """Raises ConfigError for a name that no engine and no installed plugin has. Imports none of them."""
    for name in names:
        _check(name, _plugins())


def make_searcher(names: Sequence[str], notify: Callable[[str], None], *, plugins: bool = True) -> Searcher:
    """`names` as in the setting `search`; empty for the default. Raises ConfigError for an unknown one.

    A plugin that does not work is named in one line and left out.
    """
    installed = _plugins() if plugins else {}
    providers: list[Provider] = []
    for name in dict.fromkeys(names or DEFAULT):
        _check(name, installed)
        try:
            providers.append(_make(name, installed))
        except Exception as error:  # noqa: BLE001  # a plugin raises anything; it is named and skipped
            notify(f"search plugin {name}: {' '.join(f'{type(error).__name__}: {error}'.split())}. Skipped")
    return Searcher(providers, notify)


def _plugins() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=PLUGINS)}


def _check(name: str, plugins: dict[str, EntryPoint]) -> None:
    if "://" in name:
        from autoagent.search.searxng import check_address

        check_address(name)
    elif name.lower() not in ENGINES and name not in plugins:
        known = sorted({*ENGINES, *plugins})
        near = difflib.get_close_matches(name.strip().lower(), known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Choose from {', '.join(known)}, or give a SearXNG address"
        raise ConfigError(f"search: there is no engine {name!r}. {hint}")


def _make(name: str, plugins: dict[str, EntryPoint]) -> Provider:
    if "://" in name:
        from autoagent.search.searxng import SearXNG

        return SearXNG(name)
    if name.lower() in ENGINES:
        from autoagent.search.keyless import Keyless

        return Keyless(name.lower())
    made: Any = plugins[name].load()()
    if not (isinstance(getattr(made, "name", None), str) and callable(getattr(made, "search", None))):
        raise TypeError("it gives no search provider")
    return made
