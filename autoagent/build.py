"""The only place that puts the parts together: settings in, a run and its agent out."""

import functools
import json
import math
import os
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from autoagent import __version__, policy, prompts
from autoagent.agent import Agent
from autoagent.budget import COST_USD, REPLY_TOKENS, STEPS, Limits, Usage, dollars
from autoagent.criteria import Criterion, is_read_by, read_by_checks
from autoagent.effects import Effects
from autoagent.env import Fetched, Files, Found
from autoagent.errors import ConfigError, JournalError, SandboxError
from autoagent.events import CriteriaSet, NetworkAllowed, RuleKept, RunResumed, RunStarted, Setup
from autoagent.executor import Executor, made_by
from autoagent.history import WorkspaceHistory
from autoagent.journal import Journal, artifact, make_folder
from autoagent.masking import Mask
from autoagent.models import Model
from autoagent.models.catalog import Facts, Price, look_up
from autoagent.people import People
from autoagent.places import config_folder, memories_file, prompts_folder, state_folder
from autoagent.programs import Layer
from autoagent.recall import Offered, RunMemories, Store, notes_section, offered
from autoagent.registry import Command, Registry, discover
from autoagent.rules import Action, check_named, named
from autoagent.sandbox.process import SandboxedPrograms
from autoagent.sandbox.protected import protected
from autoagent.sandbox.reach import Reach, interpreter_folders
from autoagent.sandbox.workspace import Workspace
from autoagent.settings import DEFAULT_MODEL, Settings
from autoagent.state import State

if TYPE_CHECKING:
    from autoagent.models.local import Window
    from autoagent.sandbox.network import Fetcher
    from autoagent.search import Searcher

OFFLINE = "offline"
OPENAI = "https://api.openai.com/v1"
UNKNOWN_WINDOW = 32_768  # of a model that the catalog does not know
OFFLINE_WINDOW = 1_000_000
MOST_ENTRIES = 20_000  # of a workspace, looked at for what a pattern fits
OTHER_MODELS = ("fast_model", "review_model", "escalate_model")
ROOMY = 32_768  # a window that any step fits: nothing is counted
SHORT_REPLY = 1_000  # tokens of a thought with a command or two
MEMORIES_SHARE, NOTES_SHARE = 20, 8  # of the window, one part in so many
UNTRUSTED = "this folder, which nobody trusts"
Notify = Callable[[str], None]


@dataclass(frozen=True)
class Chosen:
    """The model of a run and where it is; `words` say to a person how it came to be chosen, "" where they named it."""

    model: str
    base_url: str
    words: str = ""


def choose_model(settings: Settings) -> Chosen:
    """Named, else OpenAI's where there is a key, else a server on this machine, else the offline planner.

    Raises ConfigError where a model is named and nothing can serve it: a script must not get another quality
    than it asked for.
    """
    named, base_url = settings.get("model", ""), settings.get("base_url", "")
    if named == OFFLINE:
        return Chosen(OFFLINE, "")
    if base_url:
        _check_address(base_url)
        return Chosen(named, base_url) if named else _first_listed(base_url, settings)
    if settings.api_key:
        return Chosen(named or DEFAULT_MODEL, OPENAI)
    from autoagent.models.local import find_servers

    servers = find_servers()
    for server in servers:
        if not named:
            return Chosen(server.models[0], server.base_url, f"No OPENAI_API_KEY; using {server.name} on this machine")
        if named in server.models:
            return Chosen(named, server.base_url)
    if named:
        raise ConfigError(
            f"no key and no server for model {named!r}. Set OPENAI_API_KEY or --base-url, or use --model offline"
        )
    return Chosen(OFFLINE, "", "No model set up: OPENAI_API_KEY is not set; no local model server answers")


def _check_address(base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"--base-url {base_url!r} is no address. It looks like http://localhost:11434/v1")


def _first_listed(base_url: str, settings: Settings) -> Chosen:
    from autoagent.models.local import listed_models

    parts = urlsplit(base_url)
    if parts.scheme == "http" and not settings.api_key:
        models = listed_models(parts.hostname or "", parts.port or 80, f"{parts.path.rstrip('/')}/models", timeout_s=3)
        if models:
            return Chosen(models[0], base_url, f"No model named; {parts.netloc} lists this one first")
    return Chosen(DEFAULT_MODEL, base_url)


def make_setup(settings: Settings, chosen: Chosen, workspace: Path) -> tuple[Setup, Limits]:
    """What the run keeps, and its limits.

    Raises ConfigError for a cost limit that can't hold, or a local server that gives a model too little room.
    """
    if named := settings.get("search", ()):
        from autoagent.search import check_names

        check_names(named)
    others = {name: settings.get(name, "") for name in OTHER_MODELS}
    models = [name for name in (chosen.model, *others.values()) if name]
    facts = [_facts(name, chosen.base_url, settings) for name in models]
    given = {} if chosen.model == OFFLINE else _given_windows(models, chosen.base_url, settings)
    windows = [given[name].tokens if name in given else fact.window for name, fact in zip(models, facts, strict=True)]
    window = min(known or UNKNOWN_WINDOW for known in windows)
    longest = [fact.longest_reply for fact in facts if fact.longest_reply]
    reply_tokens = min([settings.get("reply_tokens", REPLY_TOKENS), max(1, window // 4), *longest])
    room = max(1, window - reply_tokens)
    setup = Setup(
        model=chosen.model,
        base_url=chosen.base_url,
        **others,
        temperature=settings.get("temperature"),
        seed=settings.get("seed"),
        reasoning_effort=settings.get("reasoning_effort", ""),
        context_tokens=min(settings.get("context_tokens", room), room if any(windows) else math.inf),
        reply_tokens=reply_tokens,
        approve=settings.get("approve", "acts"),
        workspace=str(workspace),
        plugins=settings.get("plugins", ()),
        disabled=settings.get("disabled", ()),
        search=settings.get("search", ()),
        allow_local_network=settings.get("allow_local_network", False),
        sandbox="none" if settings.get("unsandboxed", False) else sandbox_layer(),
        sandbox_network=settings.get("sandbox_network", False),
        unsandboxed=settings.get("unsandboxed", False),
        rules=settings.rules,
        review=settings.get("review", "auto"),
        evidence=settings.get("evidence", "mark"),
        safe_mode=settings.safe_mode,
    )
    for name, local in given.items():
        _check_room(name, local, setup)
    return setup, make_limits(settings, setup)


@functools.cache
def sandbox_layer() -> Layer:
    """What holds programs on this machine, found out by starting one in it."""
    from autoagent.sandbox.probe import choose_layer

    return choose_layer()


def _given_windows(models: Sequence[str], base_url: str, settings: Settings) -> "dict[str, Window]":
    """What a server on this machine gives each model, whatever it could hold elsewhere."""
    from autoagent.models.local import window_of

    found = {name: window_of(base_url, name, settings.api_key) for name in models}
    return {name: window for name, window in found.items() if window}


def _check_room(model: str, given: "Window", setup: Setup) -> None:
    if given.tokens >= ROOMY or given.tokens >= (needed := needs_tokens(setup)):
        return
    wanted = max(16_384, 1 << (2 * needed - 1).bit_length())
    gives = f'{given.server} gives "{model}" {given.tokens:,} tokens'
    raise ConfigError(f"{gives}; a step needs about {needed:,}.\n{given.advice(wanted)}")


def needs_tokens(setup: Setup) -> int:
    """About what a first step takes, to the next hundred: rules, commands, the reply's schema, a short reply."""
    from autoagent.models.tokens import TokenCounter

    registry = make_registry(setup, lambda _: None)
    text = _system_prompt(setup, registry, "", "", "") + json.dumps(registry.reply_schema())
    return math.ceil((TokenCounter(setup.model).count(text) + SHORT_REPLY) / 100) * 100


def make_limits(settings: Settings, setup: Setup) -> Limits:
    """The limits of a run; the default cost limit holds where the price is known and not nothing.

    Raises ConfigError for a cost limit given by hand that can't hold.
    """
    cost_usd = settings.get("limits.cost")
    prices = {name: price_of(name, setup, settings) for name in models_of(setup)}
    unknown = next((name for name, price in prices.items() if price is None), None)
    if unknown and cost_usd is not None:
        raise ConfigError(
            f'no price known for "{unknown}", so --max-cost cannot hold.\n'
            f'Add  prices."{unknown}" = {{input = 0.1, output = 0.4}}  to {config_folder() / "config.toml"}, '
            "or use --max-tokens"
        )
    if cost_usd is None and not unknown and any(price and price.origin != "free" for price in prices.values()):
        cost_usd = COST_USD
    return Limits(
        steps=settings.get("limits.steps", STEPS),
        cost_usd=cost_usd,
        tokens=settings.get("limits.tokens"),
        time_s=settings.get("limits.time"),
    )


def models_of(setup: Setup) -> tuple[str, ...]:
    """Every model that the run may ask."""
    return tuple(dict.fromkeys(filter(None, (setup.model, *(getattr(setup, name) for name in OTHER_MODELS)))))


def _facts(model: str, base_url: str, settings: Settings) -> Facts:
    if model == OFFLINE:
        return Facts(OFFLINE_WINDOW, None, Price(0, 0, 0, "free"))
    return look_up(model, base_url, settings.prices)


def price_of(model: str, setup: Setup, settings: Settings) -> Price | None:
    return _facts(model, setup.base_url, settings).price


def make_model(name: str, setup: Setup, settings: Settings, notify: Notify) -> Model:
    if name == OFFLINE:
        from autoagent.models.offline import OfflinePlanner

        return OfflinePlanner()
    from autoagent.models.learned import Learned
    from autoagent.models.openai import OpenAIModel
    from autoagent.models.tokens import TokenCounter

    return OpenAIModel(
        name=name,
        base_url=_whole_address(setup.base_url, settings),
        api_key=settings.api_key,
        counter=TokenCounter(name),
        price=price_of(name, setup, settings),
        temperature=setup.temperature,
        seed=setup.seed,
        reasoning_effort=setup.reasoning_effort,
        notify=notify,
        learned=Learned(state_folder() / "endpoints.json"),
    )


def _whole_address(kept: str, settings: Settings) -> str:
    """The address with the password that stands in it: the journal keeps it without."""
    own = settings.get("base_url", "")
    return own if own and Mask(settings.secrets)(own) == kept else kept


class RunWeb:
    """The web of one run: what fetches and what searches are imported and made when they are first used."""

    def __init__(self, setup: Setup, notify: Notify):
        self._setup, self._notify = setup, notify
        self._lock = threading.Lock()
        self._fetcher: Fetcher | None = None
        self._searcher: Searcher | None = None

    def fetch(self, url: str, may_redirect: Callable[[str, str], bool] | None = None) -> Fetched:
        return self._fetching().fetch(url, may_redirect)

    def download(
        self, url: str, to: BinaryIO, limit: int, may_redirect: Callable[[str, str], bool] | None = None
    ) -> Fetched:
        return self._fetching().download(url, to, limit, may_redirect)

    def search(self, query: str, limit: int) -> Found:
        with self._lock:
            if self._searcher is None:
                from autoagent.search import make_searcher

                safe = self._setup.safe_mode
                self._searcher = make_searcher(self._setup.search, self._notify, plugins=not safe)
        return self._searcher.search(query, limit)

    def _fetching(self) -> "Fetcher":
        with self._lock:
            if self._fetcher is None:
                from autoagent.sandbox.network import Fetcher

                self._fetcher = Fetcher(allow_local=self._setup.allow_local_network)
        return self._fetcher


def make_registry(setup: Setup, notify: Notify, commands: Sequence[Command[..., Any]] = ()) -> Registry:
    """The built-in commands, `commands`, the enabled plugins'; a broken plugin is named in one line and left out."""
    from autoagent.commands import available

    found: list[Command[..., Any]] = [*available(setup.sandbox, unsandboxed=setup.unsandboxed), *commands]
    for name, loaded in discover(setup.plugins):
        if isinstance(loaded, Exception):
            notify(f"plugin {name}: {loaded}. Skipped")
            continue
        clash = sorted({cmd.name for cmd in loaded} & {cmd.name for cmd in found})
        if clash:
            notify(f"plugin {name}: a command is named {clash[0]!r} already. Skipped")
        else:
            found.extend(loaded)
    if setup.approve == "never":
        found = [cmd for cmd in found if cmd.effect != "asks"]  # nobody would answer
    from autoagent.commands import COMMANDS

    known = {cmd.name for cmd in COMMANDS}
    return Registry(found, [name for name in setup.disabled if name in {c.name for c in found} or name not in known])


def describe(commands: Iterable[Command[..., Any]]) -> str:
    """The commands as the system prompt lists them."""
    effects = dict.fromkeys(("reads", "remembers", "asks", "ends"), "")
    effects |= {"writes": " (changes files)", "executes": " (runs a program)"}
    lines: list[str] = []
    for cmd in commands:
        description = " ".join(cmd.description.split())
        lines.append(f"- {cmd.signature}{effects.get(cmd.effect, ' (sends data)')}\n  {description}")
    return "\n".join(lines)


def nameable(
    plugins: Sequence[str], commands: Sequence[Command[..., Any]] = ()
) -> tuple[dict[str, Collection[str]], bool]:
    """The commands that a rule may name, with their arguments, and whether that is all: no plugin is broken.

    Those that are disabled, or not available here, are known too.
    """
    from autoagent.commands import COMMANDS

    loaded = [found for _, found in discover(plugins)]
    whole = [found for found in loaded if not isinstance(found, Exception)]
    known = [*COMMANDS, *commands, *(cmd for found in whole for cmd in found)]
    return {cmd.name: tuple(cmd.schema["properties"]) for cmd in reversed(known)}, len(whole) == len(loaded)


def _check_rules(
    setup: Setup, given: Sequence[tuple[Action, str]], commands: Sequence[Command[..., Any]], notify: Notify
) -> None:
    """Raises ConfigError for a rule that names no command.

    A lasting one may outlive its plugin, so it is only told where it allows or where not all plugins are here: else a
    slip in a denial would let through what it was to hold.
    """
    if not any(named(text) for text in (*(text for _, text in given), *(rule.text for rule in setup.rules))):
        return
    known, all_known = nameable(setup.plugins, commands)
    for action, text in given:
        try:
            check_named(text, known)
        except ValueError as error:
            raise ConfigError(f"--{action} {text}: {error}") from None
    for rule in setup.rules:
        try:
            check_named(rule.text, known)
        except ValueError as error:
            told = f"rule {rule.action} {rule.text}: {error}"
            if rule.action != "allow" and all_known and not setup.safe_mode:
                raise ConfigError(f"{told}. Where it stands: autoagent rules") from None
            notify(told)


def start_run(
    folder: Path,
    setup: Setup,
    limits: Limits,
    goals: Sequence[str],
    *,
    name: str = "",
    role: str = "",
    usage: Usage | None = None,
    rules: Sequence[tuple[Action, str]] = (),
    criteria: Sequence[Criterion] = (),
    commands: Sequence[Command[..., Any]] = (),
    mask: Callable[[str], str] = str,
    untrusted: bool = False,
    network_by: str = "--sandbox-network",
    notify: Notify,
) -> Journal:
    """Make the run's folder and journal its start and the rules given for it; `mask` takes secrets out.

    The files of an `untrusted` folder are text from outside from the first step on, and so is what earlier runs kept of
    such text. `network_by` is who wants programs to reach the network, where the setup says so.

    Raises JournalError where that can't be written, and ConfigError for a criterion that nothing here could decide.
    """
    _check_criteria([one for one in criteria if one.text not in goals], setup)  # a goal was not given to be judged
    for pattern in _fitting_nothing(setup):
        notify(f"--protect {pattern}: no file of the workspace fits it")
    registry = make_registry(setup, notify, commands)
    _check_rules(setup, rules, commands, notify)
    goals = [text.encode("utf-8", "replace").decode() for text in goals]  # an argument may hold any bytes
    goal = goals[0] if len(goals) == 1 else "\n".join(f"{i}. {text}" for i, text in enumerate(goals, 1))
    kept = _kept_for(setup, goal, notify)
    system = _system_prompt(setup, registry, goal, name, role, memories=kept.text, notes=_notes_for(setup))
    strange = kept.outside if kept.text in system else ""  # a person's own prompt may leave them out
    journal = Journal(folder)
    journal.mask = mask
    journal.append(
        RunStarted(
            run_id=folder.name,
            goal=goal,
            name=name,
            role=role,
            setup=setup,
            limits=limits,
            system=journal.keep(system),
            nonce=os.urandom(8).hex(),
            version=__version__,
            usage=usage or Usage(),
            outside="; ".join(filter(None, (UNTRUSTED if untrusted else "", strange))),
        )
    )
    if setup.sandbox_network:
        journal.append(NetworkAllowed(by=network_by))
    keep_rules(journal, rules)
    if criteria:
        journal.append(CriteriaSet(criteria=tuple(criteria), by="flags"))
    return journal


def _check_criteria(criteria: Sequence[Criterion], setup: Setup) -> None:
    check = next((one.command for one in criteria if one.command), "")
    if check and setup.sandbox == "none" and not setup.unsandboxed:
        raise ConfigError(f"--check {check!r}: nothing here can hold programs. Install bubblewrap, or add --no-sandbox")
    unjudged = next((one.text for one in criteria if not one.checkable), "")
    if unjudged and setup.review == "off":
        advice = "Leave the review on (--review auto), or give it as --check or --expect"
        raise ConfigError(f'with --review off nobody would judge "{unjudged[:80]}". {advice}')


def _fitting_nothing(setup: Setup) -> list[str]:
    """The patterns of protected files that no file of the workspace fits: a slip that would protect nothing."""
    left = list(setup.protect)
    if left:
        with Workspace(Path(setup.workspace), forbidden=own_folders()) as files:
            for entry in islice(files.entries(recursive=True), MOST_ENTRIES):
                left = [pattern for pattern in left if not is_read_by(read_by_checks((), (pattern,)), entry.path)]
    return left


def keep_rules(journal: Journal, rules: Sequence[tuple[Action, str]]) -> None:
    """Journal the rules of the command line, each once."""
    for action, text in rules:
        if (action, text) not in ((rule.action, rule.text) for rule in journal.state.rules):
            journal.append(RuleKept(rule=text, action=action, by=f"--{action}"))


def changed_setup(state: State, found: Settings) -> tuple[Setup, Limits]:
    """What a resumed run keeps, with what a flag changes. Raises ConfigError as `make_limits` does."""
    if state.setup is None:
        raise JournalError("the run has no start")
    flags = {name: value for name, value in found.values.items() if found.origins[name] == "flag"}
    setup = state.setup
    if {"model", "base_url", *OTHER_MODELS, "context_tokens", "reply_tokens"} & flags.keys():
        kept: dict[str, Any] = {name: getattr(setup, name) for name in ("model", "base_url", *OTHER_MODELS)}
        if "model" not in flags and "base_url" not in flags:
            kept |= {"context_tokens": setup.context_tokens, "reply_tokens": setup.reply_tokens}
        if "model" in flags and "base_url" not in flags and OFFLINE in (setup.model, flags["model"]):
            kept.pop("base_url")  # the planner has no address; another model has its own
        values = {name: value for name, value in kept.items() if value} | flags
        asked = Settings(found.values | values, found.origins, found.api_key)
        setup, _ = make_setup(asked, choose_model(asked), Path(setup.workspace))
    kept_names = ("approve", "temperature", "seed", "reasoning_effort", "plugins", "disabled", "search")
    kept_names += ("allow_local_network", "safe_mode", "sandbox_network", "unsandboxed", "review", "evidence")
    changes = {name: flags.get(name, getattr(state.setup, name)) for name in kept_names}
    changes |= {"rules": found.rules, "sandbox": "none" if changes["unsandboxed"] else sandbox_layer()}
    if found.safe_mode:
        changes |= {"safe_mode": True, "plugins": ()}
    setup = setup.model_copy(update=changes)
    return setup, make_limits(Settings(_kept_limits(state, setup, found) | flags, found.origins, found.api_key), setup)


def _kept_limits(state: State, setup: Setup, found: Settings) -> dict[str, Any]:
    """The settings with the limits of the run; its cost limit only where the model has a price."""
    limits = state.limits
    old = {"limits.steps": limits.steps, "limits.tokens": limits.tokens, "limits.time": limits.time_s}
    if all(price_of(name, setup, found) for name in models_of(setup)):
        old["limits.cost"] = limits.cost_usd
    values = {name: value for name, value in found.values.items() if not name.startswith("limits.")}
    return values | {name: value for name, value in old.items() if value is not None}


def model_words(found: Settings, setup: Setup) -> list[str]:
    """The model of a run for a person: name, where, window, where its price comes from."""
    if setup.model == OFFLINE:
        return ["offline planner: rules, no language model"]
    price = price_of(setup.model, setup, found)
    origins = {"catalog": f"catalog price of {price.dated}" if price else "", "table": "your price", "free": "free"}
    words = origins[price.origin] if price else "price unknown: ?"
    host = urlsplit(setup.base_url).netloc.rpartition("@")[2]
    return [setup.model, host, f"window {round(setup.context_tokens / 1000)}k", words]


def next_call_words(state: State, found: Settings) -> str:
    """About what the next call costs, with a cold cache; "" where nothing costs anything, "?" where nobody knows."""
    if state.setup is None:
        return ""
    price = price_of(state.setup.model, state.setup, found)
    if price is None:
        return "?"
    last = state.last_step
    cost = price.cost(last.input_tokens + last.output_tokens, 0, last.output_tokens)
    return dollars(cost) if cost else ""


def resume_run(
    journal: Journal,
    setup: Setup,
    limits: Limits,
    notify: Notify,
    commands: Sequence[Command[..., Any]] = (),
    *,
    rules: Sequence[tuple[Action, str]] = (),
    network_by: str = "--sandbox-network",
) -> None:
    """Journal that the run goes on, the rules given for it, and which files were changed since it last saw them.

    Raises ConfigError for a rule that names no command, before anything is journalled. Its prompt stays as it was
    unless its commands have changed, or it goes on in safe mode.
    """
    state = journal.state
    if state.status == "reached":
        raise ConfigError(f"run {state.run_id} has reached its goal; there is nothing to go on with")
    system = artifact(journal.folder, state.system)
    registry = make_registry(setup, notify, commands)
    _check_rules(setup, rules, commands, notify)
    safer = setup.safe_mode and state.setup is not None and not state.setup.safe_mode
    held = state.setup is None or (setup.sandbox, setup.sandbox_network) == (
        state.setup.sandbox,
        state.setup.sandbox_network,
    )
    changed = safer or not held or describe(registry.values()) not in system
    if changed:
        memories = _kept_for(setup, state.goal, notify, tainted=bool(state.outside)).text
        notes = _notes_for(setup)
        system = _system_prompt(setup, registry, state.goal, state.name, state.role, memories=memories, notes=notes)
    kept = journal.keep(system) if changed else ""
    journal.append(RunResumed(setup=setup, limits=limits, system=kept, changed=_changed_files(state)))
    if setup.sandbox_network and not (state.setup and state.setup.sandbox_network):
        journal.append(NetworkAllowed(by=network_by))
    keep_rules(journal, rules)


def _changed_files(state: State) -> tuple[str, ...]:
    """Files that somebody else changed while the run stood still."""
    if not state.seen or state.setup is None:
        return ()
    with Workspace(Path(state.setup.workspace), forbidden=own_folders()) as files:
        return tuple(path for path, seen in state.seen.items() if _fingerprint(files, path) != seen)


def _fingerprint(files: Workspace, path: str) -> str:
    try:
        return files.fingerprint(path)
    except SandboxError:
        return ""


def make_agent(
    journal: Journal,
    people: People,
    settings: Settings,
    notify: Notify,
    commands: Sequence[Command[..., Any]] = (),
) -> Agent:
    """The agent of a started run; `commands` beside the built-in ones. Raises ConfigError or SandboxError."""
    state = journal.state
    setup = state.setup
    if setup is None:
        raise JournalError(f"{journal.path}: the run has no start")
    files = Workspace(Path(setup.workspace), forbidden=own_folders())
    model = make_model(setup.model, setup, settings, notify)

    def other(name: str) -> Model | None:
        return make_model(name, setup, settings, notify) if name else None

    executor = Executor(
        journal,
        make_registry(setup, lambda _: None, commands),
        files,
        RunWeb(setup, notify),
        _make_effects(journal, setup, files, people),
        people,
        RunMemories(journal, Store(memories_file(), notify), setup.workspace),
        setup,
        model.count,
    )
    return Agent(
        journal,
        model,
        executor,
        people,
        prompts=prompts.Prompts(
            system=artifact(journal.folder, state.system),
            summary=prompts.load("summary", own_prompts(setup)),
            review=prompts.load("review", own_prompts(setup)),
            acceptance=prompts.load("acceptance", own_prompts(setup)),
            handover=prompts.load("handover", own_prompts(setup)),
        ),
        text_of=lambda path: _text_of(files, path),
        fast_model=other(setup.fast_model),
        review_model=other(setup.review_model),
        escalate_model=other(setup.escalate_model),
        writes_prose=setup.model != OFFLINE,
    )


def _text_of(files: Files, path: str) -> str:
    """The text of a file of the workspace by its kind. Raises CommandError."""
    from autoagent.loaders import load

    return load(path, files.read_bytes(path)).text


def _kept_for(setup: Setup, goal: str, notify: Notify, *, tainted: bool = True) -> Offered:
    """What earlier runs kept that matters for the goal; a store that can't be read is said, and stops nothing."""
    share = setup.context_tokens // MEMORIES_SHARE
    try:
        return offered(Store(memories_file(), notify), goal, setup.workspace, share, _about, tainted=tainted)
    except JournalError as error:
        notify(f"what earlier runs kept can't be read: {error}")
        return Offered("", "")


def _notes_for(setup: Setup) -> str:
    """A person's notes, AGENTS.md, as far as they agreed to that content."""
    if setup.safe_mode:
        return ""
    return notes_section(Path(setup.workspace), setup.context_tokens // NOTES_SHARE, _about)


def _about(text: str) -> int:
    """Rather more tokens than a text takes: the tables that count them are not loaded before the first call."""
    return len(text.encode("utf-8", "replace")) // 3 + 1


def own_folders() -> list[Path]:
    """Where our own state and a person's settings are: no run's to touch, also where they lie in its workspace."""
    return [state_folder(), config_folder()]


def _make_effects(journal: Journal, setup: Setup, files: Files, people: People) -> Effects:
    folder = journal.folder
    workspace, forbidden = Path(setup.workspace), [path.resolve() for path in own_folders()]
    for path in forbidden:
        if path.is_relative_to(workspace):
            make_folder(path)  # what is not there can't be hidden from programs
    interpreters = interpreter_folders(workspace)

    def reach() -> Reach:
        found = protected(workspace, forbidden)
        return Reach(workspace, found.read_only, found.hidden, interpreters)

    programs = SandboxedPrograms(folder / "programs", setup.sandbox, reach, network=setup.sandbox_network)
    history = WorkspaceHistory(folder / "undo", workspace, forbidden=forbidden)
    return Effects(
        files, programs, history, people, lambda change: policy.may_not_change(change, journal.state, made_by(journal))
    )


def own_prompts(setup: Setup) -> Path | None:
    """The folder with the user's own prompts; None in safe mode."""
    return None if setup.safe_mode else prompts_folder()


def _programs_words(setup: Setup, registry: Registry) -> str:
    """The rule about programs for the system prompt; "" where none can be run."""
    if "run_shell" not in registry:
        return ""
    network = "They reach the network." if setup.sandbox_network else "They have no network."
    if setup.sandbox == "none":
        told = "No sandbox holds programs: each needs a person's yes. Ask for few, and only for what the goal needs."
    else:
        told = (
            f"Programs run in a sandbox: they see the workspace and the system's programs, nothing else. {network} "
            "Of the workspace, secrets such as .env are hidden, and what other programs obey (.git/hooks, .git/config, "
            "CI and editor files) can't be changed."
        )
    if setup.sandbox == "landlock":
        told += " Beside a secret programs make no new files: use write_file, or a folder."
    return f"- {told}\n"


def _system_prompt(
    setup: Setup, registry: Registry, goal: str, name: str, role: str, *, memories: str = "", notes: str = ""
) -> str:
    who = f"You are {name}, an autonomous agent." if name else "You are an autonomous agent."
    return prompts.fill(
        "system",
        own_prompts(setup),
        persona=f"{who} {role}".strip(),
        commands=describe(registry.values()),
        programs=_programs_words(setup, registry),
        memories=f"{memories}\n\n" if memories else "",
        notes=f"{notes}\n\n" if notes else "",
        date=datetime.now(UTC).astimezone().strftime("%A, %d %B %Y"),
        goal=goal,
    )
