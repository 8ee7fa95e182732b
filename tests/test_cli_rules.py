"""`autoagent rules`: what is listed, kept, removed, and what a shell line would meet."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support import World

from autoagent import build, settings
from autoagent.budget import Limits
from autoagent.cli.rules import rules
from autoagent.errors import AutoagentError, ConfigError, NoSuchRun
from autoagent.events import Setup
from autoagent.journal import Journal
from autoagent.places import new_run_folder
from autoagent.rulebook import book_path, rules_of
from autoagent.rules import Action, Rule
from autoagent.terminal.layout import cells


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path, monkeypatch)
    monkeypatch.chdir(made.workspace)
    return made


def result(*args: str, columns: int | None = None) -> Result:
    done = CliRunner().invoke(rules, args, env={"COLUMNS": str(columns) if columns else None})
    if isinstance(done.exception, AutoagentError):
        raise done.exception
    assert done.exception is None, done.exception
    return done


def lines(*args: str, columns: int | None = None) -> list[str]:
    return result(*args, columns=columns).stdout.splitlines()


def refused(*args: str) -> str:
    with pytest.raises(ConfigError) as caught:
        result(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def config(world: World, text: str) -> None:
    path = world.root / "config/autoagent/config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("args", [[], ["list"]])
def test_without_rules_it_says_how_to_keep_one(world: World, args: Sequence[str]) -> None:
    done = result(*args)
    assert done.stdout == ""
    assert "autoagent rules add 'allow shell:git status'" in done.stderr


def test_rules_are_listed_with_number_action_and_where_they_hold(world: World) -> None:
    config(world, 'rules = ["ask host:*.example.org"]')
    assert lines("add", "allow shell:git status") == ["kept for this workspace: allow git status"]
    assert lines("add", "--all", "deny", "write:docs/**") == ["kept for all runs: deny writes in docs/ (write:docs/**)"]
    assert lines() == [
        "1  allow      shell:git status    this workspace",
        "2  deny       write:docs/**       all runs",
        "3  ask first  host:*.example.org  settings",
    ]


def test_rules_of_another_workspace_are_its_own(world: World) -> None:
    other = world.root / "other"
    other.mkdir()
    lines("add", "-w", str(other), "allow shell:make test")
    assert lines() == []
    assert lines("list", "-w", str(other)) == ["1  allow  shell:make test  this workspace"]


@pytest.mark.parametrize("columns", [30, 50, 80])
def test_on_a_narrow_terminal_lines_fit_and_no_rule_is_cut(world: World, columns: int) -> None:
    lines("add", "allow shell:npm run build:production --workspace=packages/first")
    lines("add", "deny host:a.rather.long.name.of.some.host.example.org")
    shown = lines(columns=columns)
    assert all(cells(line) <= columns for line in shown)
    joined = "".join(line.strip() for line in shown).replace(" ", "")
    assert "npmrunbuild:production--workspace=packages/first" in joined
    assert "a.rather.long.name.of.some.host.example.org" in joined


def test_a_rule_is_removed_by_its_number_or_its_words(world: World) -> None:
    for kept in ("allow shell:a", "allow shell:b", "allow shell:c"):
        lines("add", kept)
    assert lines("remove", "2") == ["removed for this workspace: allow b"]
    assert lines("remove", "allow", "shell:a") == ["removed for this workspace: allow a"]
    assert lines() == ["1  allow  shell:c  this workspace"]


def test_what_cannot_be_removed_is_told_in_one_line(world: World) -> None:
    config(world, 'rules = ["ask shell:make"]')
    assert "no rule number 2" in refused("remove", "2")
    assert "stands in the settings" in refused("remove", "1")
    assert "no rule allow 'shell:a'" in refused("remove", "allow shell:a")
    assert "no rule number 0" in refused("remove", "0")


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("shell:git", "begins with allow, ask or deny"),
        ("allow git status", "It looks like shell:git status"),
        ("allow shell:sudo make", "can't be allowed: `sudo` can start something else"),
        ("allow shell:xargs", "always asked"),
        ("allow shell:tee", "writes to the files"),
    ],
)
def test_a_rule_that_could_not_hold_is_refused(world: World, rule: str, told: str) -> None:
    assert told in refused("add", rule)
    assert not book_path().exists()


@pytest.mark.parametrize("rule", ["deny shell:sudo", "allow shell:git", "allow shell:python3 build.py", "ask shell:rm"])
def test_denials_and_wide_rules_of_a_person_are_kept(world: World, rule: str) -> None:
    lines("add", rule)
    assert len(rules_of(world.workspace)) == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("git status --short", "allow, by the rule shell:git status (this workspace)"),
        ("git status && git push", "deny, by the rule shell:git push (all runs)"),
        ("(git push)", "deny, by the rule shell:git push (all runs)"),
        ("make test", "ask first, by the rule shell:make (all runs)"),
        ("git status | head -3", "ask, unless the run says otherwise: no rule covers head -3"),
        (
            "git status /x",
            "ask, unless the run says otherwise: no rule covers git status /x: /x is not in the workspace",
        ),
        ("git status > x", "ask, unless the run says otherwise: `>` writes to a file"),
        ("git status $(id)", "ask, unless the run says otherwise: `$` puts in what is not in the line"),
        ("find . -exec id {} +", "ask, unless the run says otherwise: `-exec` runs another program"),
        ("git status\rid", "ask, unless the run says otherwise: it holds characters that can't be seen"),
    ],
)
def test_a_line_is_tried_against_the_rules_without_running(world: World, line: str, told: str) -> None:
    config(world, 'rules = ["ask shell:make"]')
    lines("add", "allow shell:git status")
    lines("add", "--all", "deny shell:git push")
    assert lines("test", line) == [told]


def test_the_folders_own_settings_add_no_allow_but_may_deny(world: World) -> None:
    world.file("autoagent.toml", 'rules = ["allow shell:ls"]')
    assert lines("test", "ls") == ["ask, unless the run says otherwise: no rule covers ls"]
    world.file("autoagent.toml", 'rules = ["deny shell:ls"]')
    assert lines("test", "ls")[0].startswith("deny, by the rule shell:ls")


@pytest.mark.parametrize("by", [["list"], []])
def test_the_rules_of_a_run_are_its_own_and_those_it_started_with(world: World, by: Sequence[str]) -> None:
    kept = (Rule(action="allow", text="shell:git status", scope="workspace"),)
    setup = Setup(
        model="m", context_tokens=9_000, reply_tokens=900, workspace=str(world.workspace), rules=kept, sandbox="none"
    )
    folder = new_run_folder()
    build.start_run(folder, setup, Limits(), ["Do it"], rules=[("deny", "shell:git push")], notify=print).close()
    assert lines(*by, folder.name) == ["deny   shell:git push    this run", "allow  shell:git status  this workspace"]
    with pytest.raises(NoSuchRun):
        result(*by, "zzzz")


def started(world: World, notes: list[str], *given: tuple[Action, str], plugins: tuple[str, ...] = ()) -> None:
    setup = Setup(
        model="m", context_tokens=9_000, reply_tokens=900, workspace=str(world.workspace), sandbox="none",
        plugins=plugins, rules=settings.load(world.workspace, {}).rules,
    )  # fmt: skip
    build.start_run(new_run_folder(), setup, Limits(), ["Do it"], rules=given, notify=notes.append).close()


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("nonsense", "there is no command 'nonsense'. See: autoagent commands. A plugin's command is known once"),
        ("write_fil", "there is no command 'write_fil'. Did you mean 'write_file'?"),
        ("write_fil:path=docs/*", "Did you mean 'write_file'?"),
        ("write_file:pth=docs/*", "write_file has no argument 'pth'. Did you mean 'path'? It takes path, text"),
        ("shell", "there is no command 'shell'"),
        ('exact:write_fil {"path":"a"}', "there is no command 'write_fil'"),
    ],
)
@pytest.mark.parametrize("action", ["allow", "deny"])
def test_a_rule_for_a_command_that_is_not_there_is_refused(world: World, rule: str, told: str, action: Action) -> None:
    assert told in refused("add", f"{action} {rule}")
    assert not book_path().exists()
    with pytest.raises(ConfigError) as caught:
        started(world, [], (action, rule))
    assert str(caught.value).startswith(f"--{action} {rule}: ")
    assert told in str(caught.value)
    assert not list(world.state.rglob("journal.jsonl"))


@pytest.mark.parametrize(
    "rule", ["deny write_file", "allow write_file:path=docs/*", "deny run_python:path=*", "deny ask_person"]
)
def test_a_rule_for_a_command_that_is_there_holds_wherever_it_is_available(world: World, rule: str) -> None:
    lines("add", rule)
    notes = list[str]()
    started(world, notes)
    assert notes == []


def test_a_slip_in_a_denial_of_the_settings_stops_the_run_and_one_that_allows_is_told(world: World) -> None:
    config(world, 'rules = ["allow write_fil"]')
    notes = list[str]()
    started(world, notes)
    assert notes[0].startswith("rule allow write_fil: there is no command 'write_fil'. Did you mean 'write_file'?")
    config(world, 'rules = ["deny write_fil"]')
    with pytest.raises(ConfigError, match="rule deny write_fil: there is no command") as caught:
        started(world, [])
    assert str(caught.value).endswith("Where it stands: autoagent rules")


def test_the_command_of_a_plugin_can_be_named_once_it_is_enabled_and_its_rule_outlives_a_broken_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = world.root / "site/acme-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (folder / "entry_points.txt").write_text("[autoagent.commands]\nacme = acme_ruled_commands:COMMANDS\n")
    (world.root / "site/acme_ruled_commands.py").write_text(
        "from autoagent.registry import command\n@command('sends')\ndef post(url: str) -> str:\n"
        "    'Send.'\n    return ''\nCOMMANDS = [post]\n"
    )
    monkeypatch.setattr("sys.path", [str(world.root / "site"), *sys.path])
    assert "there is no command 'post'" in refused("add", "deny post")
    config(world, 'plugins = ["acme"]')
    assert lines("add", "deny post:url=*") == ["kept for this workspace: deny post where url is * (post:url=*)"]
    notes = list[str]()
    started(world, notes, ("deny", "post"), plugins=("acme",))
    assert notes == []
    started(world, notes, plugins=("gone",))
    assert any(note.startswith("rule deny post:url=*: there is no command 'post'") for note in notes)


def test_a_rule_for_no_command_is_refused_before_a_run_goes_on(world: World) -> None:
    started(world, [])
    (path,) = world.state.rglob("journal.jsonl")
    before = path.read_bytes()
    with Journal(path.parent) as journal:
        setup = journal.state.setup
        assert setup
        with pytest.raises(ConfigError, match="--deny write_fil: there is no command"):
            build.resume_run(journal, setup, Limits(), print, rules=[("deny", "write_fil")])
    assert path.read_bytes() == before


def test_a_damaged_book_is_told_by_every_command(world: World) -> None:
    book_path().parent.mkdir(parents=True)
    book_path().write_text("{")
    for args in ([], ["add", "deny shell:x"], ["remove", "1"], ["test", "ls"]):
        assert str(book_path()) in refused(*args)
    assert book_path().read_text() == "{"


def test_help_shows_the_kinds_of_rules_and_fits_a_screen(world: World) -> None:
    shown = lines("--help", columns=80)
    assert len(shown) <= 40
    assert any("shell:git status" in line for line in shown)
