"""Who may do what: allow, ask or deny, with the reason. The one place that decides."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from pathlib import PurePosixPath
from typing import Literal

from autoagent import rules
from autoagent.criteria import is_read_by, is_shared, read_by_checks, steering, steers
from autoagent.events import Approve, FileChange
from autoagent.programs import Containment
from autoagent.registry import Bound
from autoagent.state import GRANTED, State
from autoagent.taint import host_of

_SECRETS = (
    ".env*", "*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx", "id_rsa*", "id_ed25519*", "id_ecdsa*", ".netrc", ".pgpass",
    ".npmrc", ".pypirc", ".git-credentials", "credentials.json", "service-account*.json", "secrets.y*ml",
    "secrets.json", "secrets.toml", ".bash_history", ".zsh_history",
)  # fmt: skip
_SECRET_FOLDERS = frozenset({".ssh", ".aws", ".gnupg", ".kube"})
_TEMPLATES = (".env.template", ".env.example", ".env.sample", ".env.dist")
_TRUSTED = (
    ".git", ".git/hooks/*", ".git/config", ".git/config.worktree", ".git/commondir", ".git/worktrees/*/commondir",
    ".git/worktrees/*/config.worktree", ".git/modules/*/config", ".git/modules/*/config.worktree",
    ".git/modules/*/commondir", ".git/modules/*/hooks/*", ".gitmodules", ".github/workflows/*",
    ".gitlab-ci.yml", ".env*", "autoagent.toml",
    "agents.md", "claude.md", ".vscode/*", ".idea/*", ".ssh/*", ".npmrc", ".pypirc", "pip.conf", ".bash*", ".profile",
    ".zsh*", ".zprofile", ".zlogin", ".zlogout", ".kshrc", ".xprofile", ".pam_environment", ".config/fish/*",
    ".gitconfig", ".config/git/*", ".config/systemd/*", ".config/autostart/*", ".local/bin/*", ".vimrc", ".exrc",
    ".gdbinit",
    ".circleci/*", ".travis.yml", "azure-pipelines.yml", "bitbucket-pipelines.yml", "jenkinsfile", ".husky/*",
    ".pre-commit-config.yaml", "lefthook.yml", ".lefthook.yml", ".devcontainer/*", ".claude/*", ".cursor/*",
    ".cursorrules", ".gemini/*", "gemini.md", ".mcp.json",
)  # fmt: skip  # programs run or obey these without being asked (CONTRACT, trusted files); lower case
_SECRET_NAME = re.compile("|".join(map(translate, _SECRETS)))
_TRUSTED_TAIL = re.compile(
    r"(?:^|/)(?!(?:" + "|".join(map(re.escape, _TEMPLATES)) + r")\Z)(?:" + "|".join(map(translate, _TRUSTED)) + ")"
)  # one search: programs have every name of a workspace looked at

BROWSE = "browse"
NOT_YOURS = "Do not try another way to send it: leave it, and go on with the goal."
ALONE = "Only a person could allow it, and nobody can be asked in this run: go on without it."
OBEYED, CHECKED = "other programs obey it", "a check of this run reads it"
STEERED = "it can tell a check of this run what to do"
UNSANDBOXED = "unsandboxed: nothing holds it, it can do on this machine whatever you can"


@dataclass(frozen=True)
class Decision:
    """`by` names the rule that decided; an `ask` waits for a person, who may keep one of `scopes` instead."""

    action: Literal["allow", "ask", "deny"]
    by: str
    reason: str = ""
    scopes: tuple[str, ...] = ()


def is_secret(path: str) -> bool:
    """Whether a workspace file usually holds keys or passwords."""
    path = _plain(path)
    name = path.rpartition("/")[2]
    if not _SECRET_FOLDERS.isdisjoint(path.split("/")):
        return True
    return bool(_SECRET_NAME.match(name)) and name not in _TEMPLATES and not name.endswith(".pub")


def is_trusted_file(path: str) -> bool:
    """Whether other programs obey a workspace file, in any folder, so that writing it is more than writing."""
    return bool(_TRUSTED_TAIL.search(_plain(path)))


def may_not_change(change: FileChange, state: State, made: Callable[[str], bool] = lambda _: False) -> str:
    """Why a program's change of a file is put back, in words; "" where it stands.

    A new file beside the tests is ordinary, but for those that decide for others. So is what a person's rule frees.
    """
    if {change.before.kind, change.after.kind} <= {"folder", "absent"}:
        holds = change.before.kind == "folder" and _is_read(f"{change.path}/any", state)
        return CHECKED if holds and change.before.mode != change.after.mode and change.after.mode else ""
    if is_trusted_file(change.path) or is_secret(change.path):
        return OBEYED
    replaces = change.before.kind != "absent"
    own = _decides_checks(change.path, state, replaces=replaces) and made(change.path)
    if not _decides_checks(change.path, state, replaces=replaces, own=own):
        return ""
    said = rules.judge(_kept(state), rules.Asked("run_shell", {}, "writes", writes=((change.path,),)))
    if _names_what_checks_read(said, change.path, state):
        return ""
    is_new = own or not replaces or change.path in state.made
    return STEERED if is_shared(change.path) and is_new else CHECKED


def _decides_checks(path: str, state: State, *, replaces: bool, own: bool = False, text: str | None = None) -> bool:
    """Whether a change of this path could make a check pass: not a new test, and not what the run made itself.

    A settings file for many programs that the run made is ordinary as long as its `text` says nothing to one that
    checks; None: nobody knows what it says.
    """
    if not path or not _is_read(path, state):
        return False
    own = own or path in state.made
    if replaces and not own:
        return True
    if not is_read_by(steering(state.criteria), path):
        return False
    return (text is None or steers(path, text)) if is_shared(path) else not own


def _is_decided_by(path: str, state: State, replaces: bool, made: Callable[[str], bool], text: str | None) -> bool:
    """As above, with what costs more to find out, only where that matters."""
    if not _decides_checks(path, state, replaces=replaces, text=text):
        return False
    return _decides_checks(path, state, replaces=replaces, own=made(path), text=text)


def _is_read(path: str, state: State) -> bool:
    return is_read_by(read_by_checks(state.criteria, state.setup.protect if state.setup else ()), path)


def _names_what_checks_read(said: rules.Verdict | None, path: str, state: State) -> bool:
    """Whether a person's rule frees a file that checks read: only one that means it, not one for all that is around."""
    if said is None or said.action != "allow":
        return False
    folder = said.rule.text.removeprefix("write:").removesuffix("**")
    return said.rule.text.startswith(("exact:", f"write:{path}")) or _is_read(f"{folder}any", state)


def _plain(path: str) -> str:
    """In lower case, without what names nothing."""
    if "./" in path or "//" in path or path.endswith(("/", "/.")):
        path = str(PurePosixPath(path))
    return path.lower()


def decide(
    bound: Bound,
    state: State,
    *,
    approve: Approve,
    real_name: Callable[[str], str],
    known_address: Callable[[str], bool],
    containment: Containment,
    changes: Sequence[str] = (),
    replaces: bool = False,
    made: Callable[[str], bool] = lambda _: False,
    text: str | None = None,
) -> Decision:
    """Whether a call runs, is asked, or is refused. `real_name` follows links inside the workspace.

    `known_address`: whether an address can tell its host nothing of what was read (see KnownAddresses).
    `containment`: what holds the programs of this run. In continuous mode (`never`) nothing is asked: what would need
    a person is refused, and the model told. A person's deny comes first; what no rule can allow is looked at next.
    `changes`: the real names that a planned change writes, beside those that stand in the arguments. `replaces`: a
    file is there already. `made`: whether the run made a file itself, of those that its state does not name. `text`:
    what the file that is written will hold.
    """
    touched = _touched(bound, real_name, changes)
    asked = _asked(bound, touched)
    said = rules.judge(_kept(state), asked)
    if said and said.action == "deny":
        reason = f"A person's rule forbids it (deny {said.rule.text}): go on without it."
        return Decision("deny", f"rule: deny {said.rule.text}", reason)
    if certain := _whatever_rules_say(bound, {name for names in touched for name in names}, approve):
        return certain
    read = next((path for path in changes if _is_decided_by(path, state, replaces, made, text)), "")
    if read and not _names_what_checks_read(said, read, state):
        why = f"A check of this run reads {read}: changed, it could pass without the goal being reached."
        if is_read_by(read_by_checks((), state.setup.protect if state.setup else ()), read):
            why = f"A person protected {read} (--protect)."
        return _ask("read by a check", why, asked, approve, alone=ALONE)
    needs_person = _needs_person(bound, state, containment, known_address)
    if needs_person and not _is_allowed_anyway(said, by=needs_person[0]):
        by, why = needs_person
        return _ask(by, why, asked, approve, alone=NOT_YOURS if by == "new addresses" else ALONE)
    if said and said.action == "ask":
        return _ask(f"rule: ask {said.rule.text}", "", asked, approve, alone=f"A person wants to be asked. {ALONE}")
    by = _unasked(bound, approve, containment)
    if by and not needs_person:
        return Decision("allow", by)
    if said:
        return Decision("allow", f"rule: allow {said.rule.text}")
    if state.granted:
        return Decision("allow", GRANTED)
    return _ask("every command" if approve == "every" else "acts", "", asked, approve)


def _ask(by: str, why: str, asked: rules.Asked, approve: Approve, *, alone: str = "") -> Decision:
    """A question; in continuous mode a refusal, whose reason ends in `alone`."""
    if approve == "never":
        return Decision("deny", by, f"{why} {alone}".strip())
    return Decision("ask", by, why, scopes=tuple("\n".join(offer) for offer in rules.offered(asked)))


def _whatever_rules_say(bound: Bound, names: set[str], approve: Approve) -> Decision | None:
    """What no rule can change: special files, the model's own questions, the end of a run."""
    effect, alone = bound.command.effect, approve == "never"
    if special := _special(bound, names):
        if alone:
            return Decision("deny", "trusted files", f"{special} {ALONE}")
        return Decision("ask", "trusted files", f"{special} Only a person can allow it.")
    if effect == "asks" and alone:
        return Decision("deny", "continuous mode", "Nobody is here to answer. Decide yourself and go on.")
    if effect == "asks":
        return Decision("ask", "question", "")
    return Decision("allow", "the result") if effect == "ends" else None


def _touched(bound: Bound, real_name: Callable[[str], str], changes: Sequence[str]) -> list[tuple[str, str]]:
    """The names of each path that is touched: as it is given, and what it really is."""
    named = [(str(PurePosixPath(path)), real_name(path)) for path in bound.paths]
    known = {real for _, real in named}
    return named + [(path, path) for path in changes if path and path not in known]


def _asked(bound: Bound, writes: Sequence[tuple[str, str]]) -> rules.Asked:
    command = bound.command
    hosts = tuple(dict.fromkeys(host_of(address) for address in bound.addresses))
    written = tuple(writes) if command.effect == "writes" else ()
    return rules.Asked(command.name, bound.arguments, command.effect, hosts, written, bound.lines)


def _needs_person(
    bound: Bound, state: State, containment: Containment, known_address: Callable[[str], bool]
) -> tuple[str, str] | None:
    """What no mode allows by itself, as the rule's name and why; a rule of a person's may."""
    command = bound.command
    held = command.returns_program and containment.holds
    if leak := _leak(bound, state, known_address):
        return "new addresses", leak
    if command.returns_program and containment.layer == "none" and not _is_unsandboxed_on_purpose(state):
        return "no sandbox", f"{UNSANDBOXED}."
    if state.outside and command.effect in ("sends", "executes") and not held:
        return "outside text", f"It acts on the world, and text from outside was read ({state.outside})."
    return None


def _is_allowed_anyway(said: rules.Verdict | None, *, by: str) -> bool:
    """Whether a person's rule is their yes also here. For a new address only one that names it or its host is."""
    if said is None or said.action != "allow":
        return False
    return by != "new addresses" or said.rule.text.startswith("exact:")


def _is_unsandboxed_on_purpose(state: State) -> bool:
    return bool(state.setup and state.setup.unsandboxed and state.setup.approve == "never")


def _unasked(bound: Bound, approve: Approve, containment: Containment) -> str:
    """Which mode lets the call run without a question; "" where none does."""
    command = bound.command
    if approve == "never":
        return "continuous mode"
    if command.effect in ("reads", "remembers") and approve in ("acts", "sandboxed"):
        return "reading"
    if (
        approve == "sandboxed"
        and command.effect == "writes"
        and (command.returns_change or command.origin == "autoagent")
    ):
        return "the workspace"  # a plugin that writes by itself may write anywhere
    if approve == "sandboxed" and command.returns_program and containment.holds:
        return "the sandbox"
    return ""


def _special(bound: Bound, paths: set[str]) -> str:
    if bound.command.effect in ("asks", "ends"):
        return ""  # it only names them
    if bound.command.effect == "reads":
        found = sorted(path for path in paths if is_secret(path))
        return f"{found[0]} may hold secrets." if found else ""
    found = sorted(path for path in paths if is_trusted_file(path) or is_secret(path))
    return f"Other programs obey {found[0]}." if found else ""


def _leak(bound: Bound, state: State, known_address: Callable[[str], bool]) -> str:
    """In a run that has read text from outside, a new address may be one that carries off what else was read."""
    if not state.outside:
        return ""
    web = [address for address in bound.addresses if _WEB.match(address)]  # what else there is can't be fetched anyway
    new = [address for address in web if not known_address(address)]
    asked = [one for one in new if _said_of_host(one, state) != "allow"]
    if not asked:
        return ""
    hosts = ", ".join(dict.fromkeys(map(host_of, asked)))
    risk = f"it could carry off what was read, and text from outside ({state.outside}) may have asked for that"
    shown = ", ".join(one[:SHOWN] for one in asked)
    return f"{hosts}: the goal, search results and pages do not hold exactly this address; {risk}. Address: {shown}."


def may_redirect(asked: str, target: str, state: State, known_address: Callable[[str, State], bool]) -> bool:
    """Whether an address may lead on to another: one of the model's making could carry on what it holds."""
    said = _said_of_host(target, state)
    if said == "deny":
        return False
    if not state.outside or known_address(asked, state) or host_of(asked) == host_of(target):
        return True
    return known_address(target, state) or said == "allow"


def barred(address: str, state: State, known_address: Callable[[str, State], bool]) -> str:
    """Why an address that a search engine gave may not be fetched within the search; "" where it may.

    It is judged as a call of browse with it, for which nobody can be asked in the middle of another command.
    """
    if state.setup and BROWSE in state.setup.disabled:
        return f"{BROWSE} is disabled in this run"
    asked = rules.Asked(BROWSE, {"url": address}, "reads", hosts=(host_of(address),))
    said = rules.judge(_kept(state), asked)
    if said and said.action == "deny":
        return f"a person's rule forbids it (deny {said.rule.text})"
    if said and said.action == "ask":
        return f"a person wants to be asked of it first (ask {said.rule.text}): browse it"
    if state.outside and not known_address(address, state) and _said_of_host(address, state) != "allow":
        return "its address stands in the query, and no page or result held it before"
    return ""


def _said_of_host(address: str, state: State) -> rules.Action | None:
    """What a person's rules say of requests to the host of an address."""
    said = rules.judge(_kept(state), rules.Asked("", {}, "reads", hosts=(host_of(address),)))
    return said.action if said else None


def _kept(state: State) -> tuple[rules.Rule, ...]:
    """A person's rules: those of the run, then those of their files."""
    return (*state.rules, *(state.setup.rules if state.setup else ()))


_WEB = re.compile(r"\s*https?:", re.IGNORECASE)
SHOWN = 200  # characters of an address
