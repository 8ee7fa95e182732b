"""What `autoagent doctor` looks at: one function a check, each with what it found and how to mend it."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit, urlunsplit

from autoagent import build
from autoagent.ask import priced
from autoagent.budget import dollars
from autoagent.errors import AutoagentError, CommandError, ConfigError, ModelError, ModelUnavailable
from autoagent.events import Setup
from autoagent.models.endpoint import Endpoint
from autoagent.models.learned import Format, Learned, digest
from autoagent.models.openai import OpenAIModel
from autoagent.models.refusals import explain_broken
from autoagent.places import config_folder, state_folder
from autoagent.programs import Layer
from autoagent.registry import ENTRY_POINTS, discover
from autoagent.sandbox.probe import Finding, choose_layer, probe
from autoagent.settings import KEY, Settings
from autoagent.terminal.words import counted, joined

Status = Literal["ok", "warning", "failed"]
LIST_S, ANSWER_S = 3.5, 7.0  # that an endpoint's list of models, and then a reply, is waited for
COUNTED_FILES, COUNTING_S = 50_000, 1.0
LITTLE_SPACE, TOO_LITTLE_SPACE = 200 << 20, 10 << 20  # bytes
REPLY_TOKENS = 64  # some endpoints refuse less than 16, and a reasoning model thinks before its first word
DOCUMENTS = ("pypdf", "python_calamine", "docx", "trafilatura")  # what the extra "documents" installs
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROMPT = 'This checks a connection. Answer with the JSON object {"ok": true} and nothing else.'
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Check:
    """`fact` is what was found; `mend` what to do about it, "" where there is nothing to do."""

    name: str
    status: Status
    fact: str
    mend: str = ""


def check_settings(found: Settings) -> Check:
    if found.warnings:
        return Check(
            "settings", "warning", " · ".join(found.warnings), "if the folder is yours: autoagent run --trust …"
        )
    origins = dict.fromkeys(origin for name, origin in found.origins.items() if name != "api_key" and origin != "flag")
    return Check("settings", "ok", f"from {', '.join(origins)}" if origins else "none set; the defaults hold")


def check_key(found: Settings, chosen: build.Chosen | None) -> Check:
    """Where the key comes from, never the key."""
    if not found.api_key:
        if chosen and chosen.base_url and chosen.base_url != build.OPENAI:
            return Check("key", "ok", f"{KEY} is not set; {_host(chosen.base_url)} may need none")
        if chosen and not chosen.words:
            return Check("key", "ok", f"{KEY} is not set; the offline planner needs none")
        return Check("key", "warning", f"{KEY} is not set", f"export {KEY}=…  or put it into the workspace's .env")
    origin = found.origins.get("api_key", "environment")
    if found.api_key.strip().strip("'\"") != found.api_key or not found.api_key.isascii():
        fact = f"{KEY} from {origin} holds blanks, quotes or characters that no key has"
        return Check("key", "warning", fact, f"set {KEY} to the key alone")
    return Check("key", "ok", f"{KEY} from {origin}")


def check_model(found: Settings, chosen: build.Chosen, workspace: Path) -> tuple[Check, Setup | None]:
    """Which model a run would take."""
    try:
        setup, _ = build.make_setup(found, chosen, workspace)
    except ConfigError as error:
        fact, _, mend = str(error).partition("\n")
        return Check("model", "failed", fact, mend or "correct that setting"), None
    words = joined(*build.model_words(found, setup))
    if setup.model == build.OFFLINE and chosen.words:
        fact = f"no key and no local model server: a run takes the {words}"
        return Check("model", "warning", fact, CONNECT), setup
    return Check("model", "ok", joined(words, chosen.words)), setup


NO_ENDPOINT = "see that --base-url and the network are right"
CONNECT = f"export {KEY}=…, start a local server, or --base-url URL -m NAME"


def check_endpoint(found: Settings, setup: Setup) -> Check:
    """Whether the address answers, and whether it lists the model."""
    import httpx2

    address = found.get("base_url", "") or setup.base_url  # a run keeps it without its password
    endpoint = Endpoint(setup.model, address, found.api_key)
    host, parts = endpoint.host, urlsplit(endpoint.url)
    url = urlunsplit(parts._replace(path=f"{parts.path.removesuffix('/chat/completions')}/models"))
    try:
        response = httpx2.get(url, headers=dict(endpoint.headers), timeout=LIST_S, trust_env=not endpoint.here)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        fact, _, mend = str(explain_broken(error, endpoint)).partition(". ")
        return Check("endpoint", "failed", fact, mend or NO_ENDPOINT)
    if response.status_code in (401, 403):
        if not found.api_key:
            return Check("endpoint", "failed", f"{host} answers, but wants a key", f"set {KEY} to a key of {host}")
        about = f"refused the key ({response.status_code})"
        mend = f"check {KEY} ({found.origins['api_key']}): is it a key of {host}?"
        return Check("endpoint", "failed", f"{host} answers, but {about}", mend)
    if response.status_code != 200:
        return Check("endpoint", "ok", f"{host} answers; it has no list of models ({response.status_code})")
    names = _listed(response)
    if names is None:
        mend = "see that the address is right; it mostly ends in /v1"
        return Check("endpoint", "warning", f"{host} answers, but not as the OpenAI API does", mend)
    if setup.model in names or not names:
        them = f"lists {counted(len(names), 'model')}, {setup.model} among them" if names else "lists no model"
        return Check("endpoint", "ok", f"{host} answers and {them}")
    near = ", ".join(names[:3])
    return Check(
        "endpoint", "warning", f"{host} answers, but does not list {setup.model!r}", f"-m NAME, such as {near}"
    )


def _listed(response: Any) -> list[str] | None:
    try:
        data: Any = response.json()
    except (ValueError, RecursionError):
        return None
    entries: Any = cast(dict[str, Any], data).get("data") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        return None
    ids = [cast(dict[str, Any], entry).get("id") for entry in cast(list[Any], entries) if isinstance(entry, dict)]
    return [name for name in ids if isinstance(name, str)]


def check_answers(found: Settings, setup: Setup, *, call: bool) -> list[Check]:
    """The endpoint, then with `call` one real request where there is a key, or an address that may need none."""
    endpoint = check_endpoint(found, setup)
    if not call or endpoint.status == "failed" or not (found.api_key or setup.base_url.startswith("http:")):
        return [endpoint]
    return [endpoint, check_call(found, setup)]


def check_call(found: Settings, setup: Setup) -> Check:
    """One tiny real request: does the model answer, in a stream, and by a schema?"""
    notes: list[str] = []
    model = build.make_model(setup.model, setup, found, notes.append)
    assert isinstance(model, OpenAIModel)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:  # what was learned before is asked once more
        model.learned = Learned(Path(folder) / "learned")
        try:
            reply = model.complete(
                [{"role": "user", "content": _PROMPT}],
                schema=_SCHEMA,
                reply_tokens=REPLY_TOKENS,
                timeout_s=ANSWER_S,
            )
        except ModelError as error:
            return _no_reply(error, late=time.monotonic() - began >= ANSWER_S)
        finally:
            model.close()
        taken = model.learned.recall(model.base_url, model.name)
    seconds = time.monotonic() - began
    usage = priced(model, reply.usage.model_copy(update={"calls": 1}))
    others = sorted(taken.refused - {"stream", "stream_options"})
    told = joined(
        f"answered in {seconds:.1f} s",
        "does not stream" if "stream" in taken.refused else "streams",
        _FORMATS[taken.format_for(digest(_SCHEMA))],
        f"refuses {', '.join(others)}" if others else "",
        f"{usage.tokens} tokens",
        "price unknown" if usage.unpriced_calls else f"cost {dollars(usage.cost_usd)}" if usage.cost_usd else "free",
    )
    return Check("call", "ok", told)


def _no_reply(error: ModelError, *, late: bool) -> Check:
    if late:
        fact = f"no whole answer within {ANSWER_S:.0f} s"
        return Check("call", "warning", fact, "a local model may still be loading: try again")
    if isinstance(error, ModelUnavailable) and error.retry_after_s is not None:
        return Check("call", "warning", str(error), "wait, then try again")
    return Check("call", "failed", str(error), "mend what it says, then: autoagent doctor")


_FORMATS: dict[Format, str] = {
    "json_schema": "takes a reply schema",
    "tools": "takes the schema as a tool",
    "json_object": "takes JSON, but no schema",
    "text": "takes no schema, asked in words",
}


def check_tokenizer() -> Check:
    from autoagent.models.tokens import TokenCounter

    counters = [TokenCounter(model) for model in ("gpt-4o", "gpt-4")]  # one for each of the two tables
    for counter in counters:
        counter.count("ok")
    if all(counter.exact for counter in counters):
        return Check("tokenizer", "ok", "both token tables are intact")
    return Check("tokenizer", "warning", "a token table is missing or damaged: counts are only safe bounds", _REINSTALL)


_REINSTALL = "pip install --force-reinstall . in the checkout"


def check_web() -> Check:
    from autoagent.commands import WEB

    return check_libraries("web", WEB, "searches and pages")


def check_documents() -> Check:
    return check_libraries("documents", DOCUMENTS, "PDF, DOCX, XLSX and HTML")


def check_libraries(extra: str, needed: Sequence[str], use: str) -> Check:
    missing = [name for name in needed if find_spec(name) is None]
    if not missing:
        return Check(extra, "ok", f"libraries for {use} are installed")
    return Check(
        extra, "warning", f"no {use}: {', '.join(missing)} missing", f"pip install '.[{extra}]' in the checkout"
    )


def check_search(found: Settings, *, ask: bool) -> Check:
    """Which engines are set up; with `ask` one real search."""
    from autoagent.commands import WEB
    from autoagent.search import check_names, make_searcher
    from autoagent.search.engines import DEFAULT

    if any(find_spec(name) is None for name in WEB):
        return Check(
            "search", "warning", "not available without the web libraries", "pip install '.[web]' in the checkout"
        )
    try:
        names: tuple[str, ...] = found.get("search", ()) or DEFAULT
        check_names(names)
        if not ask:
            return Check("search", "ok", f"{', '.join(names)}; not tried")
        hits = make_searcher(names, lambda _: None).search("autoagent", 3)
    except ConfigError as error:
        return Check("search", "warning", str(error), "correct the setting `search`")
    except CommandError as error:
        fact = str(error).partition(". ")[0]
        return Check(
            "search",
            "warning",
            fact,
            "try again with a network (HTTPS_PROXY, SSL_CERT_FILE behind a proxy); a run goes on without searches",
        )
    if not hits.hits:
        return Check("search", "warning", f"{hits.by} answered without a result", "try again later, or set `search`")
    return Check("search", "ok", f"{hits.by} answered with {counted(len(hits.hits), 'result')}")


def check_sandbox() -> list[Check]:
    """What holds programs on this machine, found out by trying to get out of it."""
    layer = choose_layer()
    return sandbox_checks(layer, probe(layer) if layer != "none" else ())


def sandbox_checks(layer: Layer, findings: Sequence[Finding]) -> list[Check]:
    """The layer, then each way out that it leaves open."""
    if layer == "none":
        fact = 'none: nothing holds programs. A run asks for each as "unsandboxed", continuous mode refuses them'
        return [Check("sandbox", "warning", fact, NO_SANDBOX)]
    open_ways = [finding for finding in findings if not finding.held]
    fact = f"{layer}: holds {len(findings) - len(open_ways)} of {len(findings)} probes"
    mend = "" if layer == "bubblewrap" else MORE_SANDBOX
    if not open_ways:
        return [Check("sandbox", "ok", fact, mend)]
    told = [Check("sandbox", "warning", f"{layer} does not hold {one.name}: {one.words}") for one in open_ways]
    return [Check("sandbox", "warning", fact, mend), *told]


MORE_SANDBOX = (
    "bubblewrap holds more: apt install bubblewrap (or dnf, pacman). Where it is there and does not work: sysctl -w "
    "kernel.unprivileged_userns_clone=1, on Ubuntu an AppArmor profile for /usr/bin/bwrap"
)
NO_SANDBOX = f"{MORE_SANDBOX}. In a container Landlock is used, which needs Linux 6.2 and must not be switched off"


def check_workspace(workspace: Path) -> Check:
    from autoagent.sandbox.workspace import Workspace

    try:
        with Workspace(workspace, forbidden=[state_folder()]):
            pass
    except AutoagentError as error:
        return Check("workspace", "failed", str(error), "choose another folder: -w DIR")
    about = joined(str(workspace), _size(workspace), "in git" if _in_git(workspace) else "not in git")
    if workspace in (Path.home(), Path("/")):
        return Check("workspace", "warning", f"{about}: a run may read all of it", "make a folder for the run: -w DIR")
    try:
        with tempfile.TemporaryFile(dir=workspace):
            pass
    except OSError as error:
        return Check("workspace", "warning", f"{about}: can't be written ({error.strerror})", f"chmod u+w {workspace}")
    return Check("workspace", "ok", about)


def _size(folder: Path) -> str:
    """Files and bytes, as far as they are counted in a second."""
    files = size = 0
    until = time.monotonic() + COUNTING_S
    for path in _files(folder):
        files += 1
        size += path
        if files >= COUNTED_FILES or time.monotonic() > until:
            return f"more than {files:,} files"
    return f"{counted(files, 'file')}, {_bytes(size)}"


def _files(folder: Path) -> Iterator[int]:
    """The sizes of the files beneath a folder; links are not followed."""
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        yield entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue


def _bytes(size: int) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size = round(size / 1000)
    return f"{size:,} {unit}"


def _in_git(folder: Path) -> bool:
    return any((parent / ".git").exists() for parent in (folder, *folder.parents))


def check_state() -> Check:
    """The folder of the runs: kept, locked, private, with room."""
    folder = state_folder()
    mend = f"make {folder} writable, or set XDG_STATE_HOME to another folder"
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Check("state", "failed", f"{there}: can't be written or locked ({error.strerror})", mend)
    if free < TOO_LITTLE_SPACE:
        return Check("state", "failed", f"{folder}: the disk is full ({_bytes(free)} free)", "free some space")
    if there != folder:
        return Check("state", "ok", f"{folder} is made by the first run; {_bytes(free)} free")
    if open_to := [path for path in (folder, folder / "runs") if path.exists() and path.stat().st_mode & 0o077]:
        names = " ".join(map(str, open_to))
        return Check("state", "warning", f"{names}: other users of this machine may look in", f"chmod 700 {names}")
    if free < LITTLE_SPACE:
        return Check("state", "warning", f"{folder}: only {_bytes(free)} free", "free some space")
    return Check("state", "ok", f"{folder} · writable, locks work, private, {_bytes(free)} free")


def check_plugins(found: Settings) -> list[Check]:
    """Each enabled plugin, loaded or with its error; then whether the commands fit together."""
    enabled: tuple[str, ...] = found.get("plugins", ())
    checks = [_plugin(name, loaded) for name, loaded in discover(enabled)]
    idle = sorted({entry.name for entry in entry_points(group=ENTRY_POINTS)} - set(enabled))
    if idle or not checks:
        told = f"installed, not enabled: {', '.join(idle)}" if idle else "none enabled"
        checks.append(Check("plugins", "ok", told))
    notes: list[str] = []
    setup = Setup(
        model="", context_tokens=1, reply_tokens=1, workspace="",
        plugins=enabled, disabled=found.get("disabled", ()),
    )  # fmt: skip
    try:
        build.make_registry(setup, notes.append)
    except ConfigError as error:
        return [*checks, Check("commands", "failed", str(error), "correct the setting `disabled`")]
    clashes = [note for note in notes if "is named" in note]
    return [*checks, *(Check("plugins", "warning", note, "enable one of the two only") for note in clashes)]


def _plugin(name: str, loaded: "Sequence[Any] | Exception") -> Check:
    if isinstance(loaded, Exception):
        said = " ".join(str(loaded).split())[:300] or type(loaded).__name__
        return Check(
            "plugins",
            "warning",
            f"{name}: {said}. A run skips it",
            f"install or correct it, or take {name!r} out of `plugins`",
        )
    return Check(
        "plugins", "ok", f"{name}: {counted(len(loaded), 'command')} ({', '.join(cmd.name for cmd in loaded)})"
    )


def check_network(environ: Mapping[str, str]) -> Check:
    """Proxies and certificates that the environment names."""
    names = [name for wanted in PROXIES for name in (wanted, wanted.lower()) if environ.get(name)]
    told = [f"{name}={_without_password(environ[name])}" for name in names]
    given = {name: environ[name] for name in CERTIFICATES if environ.get(name)}
    lost = [f"{name}={path}" for name, path in given.items() if not Path(path).exists()]
    if lost:
        return Check("network", "warning", f"{', '.join(lost)}: no such file", "correct it or unset it")
    told += [f"{name}={path}" for name, path in given.items()]
    return Check("network", "ok", ", ".join(told) or "no proxy and no certificates of your own are set")


def _without_password(address: str) -> str:
    credentials, at, host = address.rpartition("@")
    return (
        f"{credentials.partition('://')[0]}://***@{host}"
        if at and "://" in credentials
        else f"***@{host}"
        if at
        else host
    )


def _host(base_url: str) -> str:
    return urlsplit(base_url).netloc.rpartition("@")[2] or base_url


def broken_settings(error: ConfigError) -> Check:
    return Check(
        "settings", "failed", str(error), f"correct it there; the user's file is {config_folder() / 'config.toml'}"
    )
