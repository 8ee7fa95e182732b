"""Who may do what: what other programs obey or what holds secrets needs a person, in every spelling of its path."""

from pathlib import Path

import pytest

from autoagent.commands import COMMANDS
from autoagent.errors import CommandError
from autoagent.events import Approve
from autoagent.policy import Decision, decide, is_secret, is_trusted_file, may_redirect
from autoagent.programs import Containment
from autoagent.registry import Bound, Registry, command
from autoagent.rules import Action, Rule
from autoagent.sandbox.workspace import Workspace
from autoagent.state import State
from autoagent.thoughts import CommandCall

TRUSTED = [
    ".git/hooks/pre-commit", ".git/config", ".gitmodules", ".github/workflows/ci.yml", ".gitlab-ci.yml", ".env",
    ".env.local", ".env-prod", ".envrc", "autoagent.toml", "AGENTS.md", "CLAUDE.md", ".vscode/tasks.json",
    ".vscode/a/b.json", ".idea/workspace.xml", ".bashrc", ".bash_profile", ".bash_aliases", ".profile", ".zshrc",
    ".zshenv", ".zprofile", ".zlogin", ".config/fish/config.fish", ".ssh/authorized_keys", ".ssh/id.pub", ".npmrc",
    ".pypirc", "pip.conf", ".git/commondir", ".git/modules/lib/config", ".git/modules/a/b/hooks/x", ".husky/pre-commit",
    ".circleci/config.yml", "Jenkinsfile", ".mcp.json", ".claude/settings.json", ".gitconfig", ".config/git/config",
]  # fmt: skip
SECRET = [
    ".env", ".env.local", ".env-prod", ".envrc", "server.pem", "server.key", "id_rsa", "id_ed25519", ".netrc",
    ".pgpass", ".npmrc", ".pypirc", ".ssh/config", ".ssh/known_hosts", ".aws/credentials", "service-account-1.json",
    "secrets.yaml", ".git-credentials",
]  # fmt: skip
ORDINARY = [
    ".env.template", ".env.example", ".env.sample", ".env.dist", "sub/.env.example", "environment.md", "env", "a.env",
    "git/config", "config", "hooks/pre-commit", "workflows/ci.yml", "AGENTS.md.txt", "my-autoagent.toml", "notes.md",
    ".gitignore", ".git-hooks.md", "pip.conf.md", "profile",
]  # fmt: skip


KNOWN = {"https://known.example/a"}
NEW = "https://evil.example/?k=secret"


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    for folder in ("a", "ab", "sub/.git/hooks", ".git/hooks", ".github/workflows"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "link.md").symlink_to(".env")
    (tmp_path / "b-link").symlink_to("ab")
    return tmp_path


def bound(name: str, **args: object) -> Bound:
    return Registry([*COMMANDS, send]).bind(CommandCall.model_validate({"name": name, "args": args}))


@command("sends")
def send(text: str) -> str:
    """Send a text somewhere."""
    return text


def action(ws: Path, call: Bound, approve: Approve = "acts", state: State = State()) -> str:
    with Workspace(ws) as files:
        return decided(call, files, approve, state).action


def decided(
    call: Bound,
    files: Workspace,
    approve: Approve = "acts",
    state: State = State(),
    containment: Containment | None = None,
) -> Decision:
    return decide(
        call,
        state,
        approve=approve,
        real_name=files.real_name,
        known_address=KNOWN.__contains__,
        containment=containment or Containment("bubblewrap"),
    )


def kept(*texts: str, action: Action = "allow") -> tuple[Rule, ...]:
    return tuple(Rule(action=action, text=text) for text in texts)


def spellings(path: str) -> list[str]:
    return [path, path.upper(), f"sub/{path}", f"sub/deeper/{path}", f"./{path}", f"a/../{path}", f"a//..///{path}"]


@pytest.mark.parametrize("path", TRUSTED)
def test_files_that_programs_obey_are_known_in_every_spelling(path: str) -> None:
    assert [name for name in spellings(path) if not is_trusted_file(name)] == []


@pytest.mark.parametrize("path", SECRET)
def test_files_with_secrets_are_known_in_every_spelling(path: str) -> None:
    assert [name for name in spellings(path) if not is_secret(name)] == []


@pytest.mark.parametrize("path", ORDINARY)
def test_templates_and_the_like_are_ordinary(path: str) -> None:
    assert not is_trusted_file(path)
    assert not is_secret(path)


def test_a_public_key_is_no_secret() -> None:
    assert not is_secret("keys/id_rsa.pub")


WRITES = [
    ".env", "./.env", "a/../.env", "sub/.env", ".ENV", ".git/hooks/pre-commit", ".git/hooks/../config", "link.md",
    "sub/.git/hooks/x", ".github/workflows/new.yml", "AGENTS.md", "agents.md",
]  # fmt: skip


@pytest.mark.parametrize("path", WRITES)
def test_writing_what_programs_obey_asks_whatever_was_allowed(ws: Path, path: str) -> None:
    state = State(rules=kept("write:**", f"write:{path}", "write_file"), granted=9)
    write = bound("write_file", path=path, text="x")
    assert action(ws, write, "acts", state) == "ask"
    assert action(ws, write, "every", state) == "ask"


@pytest.mark.parametrize("path", WRITES)
def test_continuous_mode_refuses_it_and_tells_the_model(ws: Path, path: str) -> None:
    with Workspace(ws) as files:
        write = bound("write_file", path=path, text="x")
        decision = decided(write, files, "never", State(granted=9))
    assert (decision.action, decision.by) == ("deny", "trusted files")
    assert "nobody can be asked in this run" in decision.reason


@pytest.mark.parametrize("path", [".env", "link.md", "sub/.ssh/config", "a/../.npmrc", "server.key"])
@pytest.mark.parametrize("name", ["read_file", "search_files"])
def test_reading_a_secret_asks_and_continuous_mode_refuses(ws: Path, path: str, name: str) -> None:
    read = bound(name, path=path, **({"query": "x"} if name == "search_files" else {}))
    assert action(ws, read, "acts", State(granted=9, rules=kept(name))) == "ask"
    assert action(ws, read, "never") == "deny"


@pytest.mark.parametrize("path", ["AGENTS.md", ".git/config", ".env.template", "a/x.md"])
def test_reading_what_is_no_secret_is_free(ws: Path, path: str) -> None:
    assert action(ws, bound("read_file", path=path)) == "allow"


@pytest.mark.parametrize(
    ("approve", "read", "write", "sending", "question", "end"),
    [
        ("every", "ask", "ask", "ask", "ask", "allow"),
        ("acts", "allow", "ask", "ask", "ask", "allow"),
        ("never", "allow", "allow", "allow", "deny", "allow"),
    ],
)
def test_each_mode_asks_for_what_it_says(
    ws: Path, approve: Approve, read: str, write: str, sending: str, question: str, end: str
) -> None:
    assert action(ws, bound("read_file", path="a/x"), approve) == read
    assert action(ws, bound("write_file", path="a/x", text=""), approve) == write
    assert action(ws, bound("send", text=""), approve) == sending
    assert action(ws, bound("ask_person", question="?"), approve) == question
    assert action(ws, bound("give_up", reason="x"), approve) == end


@pytest.mark.parametrize("approve", ["every", "acts", "never"])
def test_naming_a_trusted_file_in_the_result_needs_nobody(ws: Path, approve: Approve) -> None:
    assert action(ws, bound("task_complete", result="x", files=[".github/workflows/ci.yml"]), approve) == "allow"


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x"])
def test_a_path_out_of_the_workspace_is_refused_before_anybody_is_asked(ws: Path, path: str) -> None:
    with pytest.raises(CommandError, match="outside the workspace"):
        action(ws, bound("write_file", path=path, text=""))


def test_commands_granted_beforehand_run_as_long_as_any_are_left(ws: Path) -> None:
    write = bound("write_file", path="a/x", text="")
    assert [action(ws, write, "acts", State(granted=left)) for left in (2, 1, 0)] == ["allow", "allow", "ask"]


# -- rules ----------------------------------------------------------------------------------------------------------


def allowed(ws: Path, rule: str, path: str) -> bool:
    return action(ws, bound("write_file", path=path, text=""), "acts", State(rules=kept(rule))) == "allow"


@pytest.mark.parametrize("path", ["a/x", "a/b/c/x", "./a/x", "a//x", "a/./x"])
def test_a_rule_for_a_folder_covers_what_is_in_it(ws: Path, path: str) -> None:
    assert allowed(ws, "write:a/**", path)


@pytest.mark.parametrize("path", ["ab/x", "a/../b", "a/../ab/x", "x", "A/x", "sub/a/x", "a", "b-link/x", "a/../a/../x"])
def test_a_rule_for_a_folder_covers_nothing_else(ws: Path, path: str) -> None:
    assert not allowed(ws, "write:a/**", path)


def test_a_link_out_of_the_folder_is_not_covered_by_its_rule(ws: Path) -> None:
    (ws / "a/out").symlink_to("../ab")
    assert not allowed(ws, "write:a/**", "a/out/x")


def test_a_rule_for_a_file_covers_that_file_only(ws: Path) -> None:
    assert allowed(ws, "write:a/x", "a/x")
    assert not allowed(ws, "write:a/x", "a/xy")
    assert not allowed(ws, "write:a/x**", "a/xy")


def test_a_rule_for_writing_covers_neither_sending_nor_other_commands(ws: Path) -> None:
    state = State(rules=kept("write:**", "write_file"))
    assert action(ws, bound("send", text=""), "acts", state) == "ask"
    assert action(ws, bound("append_file", path="a/x", text=""), "acts", State(rules=kept("write_file"))) == "ask"


def test_the_rules_offered_are_narrow_first_and_each_covers_the_call(ws: Path) -> None:
    with Workspace(ws) as files:
        write = bound("write_file", path="a/x", text="")
        offered = decided(write, files).scopes
        assert offered == ("write:a/x", "write:a/**", "write:**")
        assert all(action(ws, write, "acts", State(rules=kept(rule))) == "allow" for rule in offered)
        assert decided(bound("write_file", path="x", text=""), files).scopes == ("write:x", "write:**")
        assert decided(bound("send", text=""), files).scopes == ("send",)


def test_the_rules_offered_for_a_link_are_those_of_the_file(ws: Path) -> None:
    with Workspace(ws) as files:
        assert decided(bound("write_file", path="b-link/x", text=""), files).scopes[0] == "write:ab/x"


# No leak by address


def test_a_run_that_has_read_nothing_from_outside_fetches_what_it_wants(ws: Path) -> None:
    assert action(ws, bound("browse", url=NEW, question="q"), "never") == "allow"


@pytest.mark.parametrize(("approve", "expected"), [("acts", "ask"), ("every", "ask"), ("never", "deny")])
def test_a_new_address_after_reading_from_outside_needs_a_person(ws: Path, approve: Approve, expected: str) -> None:
    assert action(ws, bound("browse", url=NEW, question="q"), approve, State(outside="1.1", granted=5)) == expected


def test_an_address_that_others_gave_is_fetched_unasked(ws: Path) -> None:
    call = bound("browse", url="https://known.example/a", question="q")
    assert action(ws, call, "acts", State(outside="1.1")) == "allow"
    assert action(ws, call, "never", State(outside="1.1")) == "allow"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("host:evil.example", "allow"),
        ("host:*.example", "allow"),
        ("host:*.evil.example", "deny"),
        ("host:example", "deny"),
        ("host:vil.example", "deny"),
        ("browse", "deny"),
        ("write:**", "deny"),
    ],
)
def test_a_host_that_was_allowed_is_fetched_unasked(ws: Path, rule: str, expected: str) -> None:
    state = State(outside="1.1", rules=kept(rule))
    assert action(ws, bound("browse", url=NEW, question="q"), "never", state) == expected


def test_the_rule_offered_for_a_new_address_is_its_host(ws: Path) -> None:
    with Workspace(ws) as files:
        call = bound("browse", url="https://Evil.example:8443/x", question="q")
        decision = decided(call, files, "acts", State(outside="1.1"))
    assert decision.scopes == ("host:evil.example",)
    assert "evil.example" in decision.reason


def test_what_is_no_web_address_is_left_to_who_fetches(ws: Path) -> None:
    assert action(ws, bound("browse", url="file:///etc/passwd", question="q"), "never", State(outside="1.1")) == "allow"


# Programs


HELD, NETWORKED, UNHELD = Containment("landlock"), Containment("bubblewrap", network=True), Containment("none")


def shell(line: str) -> Bound:
    return bound("run_shell", command=line)


@pytest.mark.parametrize(
    ("approve", "containment", "expected"),
    [
        ("every", HELD, "ask"),
        ("acts", HELD, "ask"),
        ("sandboxed", HELD, "allow"),
        ("never", HELD, "allow"),
        ("acts", NETWORKED, "ask"),
        ("sandboxed", NETWORKED, "ask"),
        ("never", NETWORKED, "allow"),
        ("acts", UNHELD, "ask"),
        ("sandboxed", UNHELD, "ask"),
        ("never", UNHELD, "deny"),
    ],
)
def test_a_program_runs_unasked_only_where_something_holds_it(
    ws: Path, approve: Approve, containment: Containment, expected: str
) -> None:
    with Workspace(ws) as files:
        assert decided(shell("make"), files, approve, containment=containment).action == expected


def test_a_program_that_nothing_holds_is_asked_with_that_word(ws: Path) -> None:
    with Workspace(ws) as files:
        decision = decided(shell("make"), files, "sandboxed", containment=UNHELD)
    assert (decision.by, decision.action) == ("no sandbox", "ask")
    assert "unsandboxed" in decision.reason


def test_where_text_from_outside_was_read_a_held_program_is_no_danger_but_a_networked_one_is(ws: Path) -> None:
    tainted = State(outside="1.1")
    with Workspace(ws) as files:
        assert decided(shell("make"), files, "never", tainted, HELD).action == "allow"
        decision = decided(shell("make"), files, "never", tainted, NETWORKED)
        assert (decision.action, decision.by) == ("deny", "outside text")
        allowed = State(outside="1.1", rules=kept("shell:make"))
        assert decided(shell("make"), files, "never", allowed, NETWORKED).action == "allow"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("git status", "allow"),
        ("git status --short", "allow"),
        ("git push", "ask"),
        ("git status; id", "ask"),
        ("git status && git status", "allow"),
        ("git status > x", "ask"),
        ("git status $(id)", "ask"),
        ("LD_PRELOAD=x git status", "ask"),
    ],
)
def test_a_rule_for_a_program_covers_its_plain_lines_only(ws: Path, line: str, expected: str) -> None:
    assert action(ws, shell(line), "acts", State(rules=kept("shell:git status"))) == expected


@pytest.mark.parametrize("approve", ["every", "acts", "sandboxed", "never"])
@pytest.mark.parametrize("line", ["git push", "git push origin main", "ls && git push", "cd a; git push -f"])
def test_a_denial_wins_over_every_mode_and_every_allow(ws: Path, approve: Approve, line: str) -> None:
    state = State(rules=(*kept("run_shell", "shell:git"), *kept("shell:git push", action="deny")), granted=5)
    with Workspace(ws) as files:
        decision = decided(shell(line), files, approve, state)
    assert (decision.action, decision.by) == ("deny", "rule: deny shell:git push")


@pytest.mark.parametrize(("approve", "expected"), [("acts", "ask"), ("sandboxed", "ask"), ("never", "deny")])
def test_a_rule_to_ask_is_kept_in_every_mode(ws: Path, approve: Approve, expected: str) -> None:
    state = State(rules=kept("shell:make deploy", action="ask"))
    assert action(ws, shell("make deploy"), approve, state) == expected


def test_a_redirect_to_a_host_that_is_denied_is_not_followed() -> None:
    state = State(rules=kept("host:evil.example", action="deny"))
    asked, known = "https://a.example/", lambda address, state: True
    assert may_redirect(asked, "https://b.example/", state, known)
    assert not may_redirect(asked, "https://evil.example/", state, known)
