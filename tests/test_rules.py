"""A person's rules: what each covers, that a deny wins, that what is offered holds, and how they are kept."""

import json
import os
import stat
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from autoagent import rulebook
from autoagent.errors import ConfigError
from autoagent.rules import Action, Asked, Rule, Scope, check, exact, in_words, judge, offered


def shell(*lines: str) -> Asked:
    return Asked("run_shell", {"command": "\n".join(lines)}, "executes", lines=lines)


def fetch(*hosts: str, effect: str = "reads") -> Asked:
    return Asked("browse", {"url": "x"}, effect, hosts=hosts)


def write(*names: str, effect: str = "writes") -> Asked:
    return Asked("write_file", {"path": names[0], "text": ""}, effect, writes=(names,))


def rule(line: str, scope: Scope = "run") -> Rule:
    return rulebook.parse(line, scope)


def said(asked: Asked, *lines: str) -> Action | None:
    verdict = judge([rule(line) for line in lines], asked)
    return verdict.action if verdict else None


# -- grammar --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("shell:git status", "shell:git status"),
        (" SHELL:  git   status * ", "shell:git status"),
        ("shell:./check.sh --fast", "shell:./check.sh --fast"),
        ("host:Example.ORG.", "host:example.org"),
        ("HOST:*.example.org", "host:*.example.org"),
        ("host:[::1]", "host:::1"),
        ("host:127.0.0.1", "host:127.0.0.1"),
        ("write:docs/**", "write:docs/**"),
        ("write:./docs//a.md", "write:docs/a.md"),
        ("write:**", "write:**"),
        ("write:./**", "write:**"),
        ("Write:한국어/보고서.md", "write:한국어/보고서.md"),
        ("write_file", "write_file"),
        ("my-plugin.send", "my-plugin.send"),
        ("read_file:path=docs/*", "read_file:path=docs/*"),
        ("send:text=a = b: c", "send:text=a = b: c"),
        ('exact:run_shell {"command": "ls > x"}', 'exact:run_shell {"command":"ls > x"}'),
    ],
)
def test_a_rule_is_kept_in_one_form(text: str, kept: str) -> None:
    assert check(text) == kept
    assert check(kept) == kept
    assert in_words(kept)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ":", "shell:", "shell:*", "shell:a;b", "shell:a $x", "shell:'a b'", "shell:a > b",
        "shell:git * status", "shell:a*",
        "host", "host:", "host:a b", "host:a:80", "host:https://a", "host:*", "host:a.*", "host:*a.org", "host:a/b",
        "hosts:a.org",
        "write:", "write:/etc/x", "write:../x", "write:a/../b", "write:~/x", "write:a/*", "write:a**", "write:a/x**",
        "write:a/", "write:.",
        "write:a\nb", "git status", "*", "a:b", "a:=x", "a:b c=d", "a:b=c\nd", "exact:x", "exact:x [1]", "exact:x {",
        "exact: {}", "a{b}", "-x",
    ],
)  # fmt: skip
def test_what_is_no_rule_says_in_one_line_what_is(text: str) -> None:
    with pytest.raises(ValueError, match="shell:git status, host:") as caught:
        check(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("host:example.org", "requests to example.org"),
        ("write:docs/**", "writes in docs/"),
        ("write:a.md", "writes to a.md"),
        ("write:**", "any write in the workspace"),
        ("shell:git status", "git status"),
        ("run_shell", "every run_shell"),
        ("read_file:path=docs/*", "read_file where path is docs/*"),
        ('exact:run_shell {"command":"ls > x"}', "this command, word for word"),
    ],
)
def test_a_rule_in_words(text: str, words: str) -> None:
    assert in_words(text) == words


# -- shell lines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ls", "allow"),
        ("ls -la src", "allow"),
        ("ls; ls", "allow"),
        ("ls 2>/dev/null | ls", "allow"),
        ("ls; id", None),
        ("ls && id", None),
        ("ls\nid", None),
        ("ls\rid", None),
        ("ls | sh", None),
        ("ls $(id)", None),
        ("ls `id`", None),
        ("ls <(id)", None),
        ("id & ls", None),
        ("LD_PRELOAD=x ls", None),
        ("/bin/ls", None),
        ("./ls", None),
        ("l''s", None),
        ("alias ls=id; ls", None),
        ("command ls", None),
        ("export PATH=.; ls", None),
        ("ls > f", None),
        ("ls /etc", None),
        ("ls ../x", None),
        ("ls /e??", None),
        ("ls {/etc,x}", None),
        ("ls #\nid", None),
        ("lsof", None),
    ],
)
def test_an_allowed_program_covers_its_own_plain_commands_and_no_other(line: str, expected: Action | None) -> None:
    assert said(shell(line), "allow shell:ls") == expected


@pytest.mark.parametrize("line", [
    "find . -exec id {} +", "sort -o f x", "uniq a b", "git -c a.b=id log", "python3 -c x", "tee f", "awk 1 x",
])  # fmt: skip
def test_no_rule_for_a_program_covers_what_runs_or_writes_something_else(line: str) -> None:
    assert said(shell(line), f"allow shell:{line.split()[0]}") is None


def test_a_rule_fits_at_whole_words_only() -> None:
    assert said(shell("git status --short"), "allow shell:git status") == "allow"
    assert said(shell("git stash"), "allow shell:git sta") is None
    assert said(shell("git"), "allow shell:git status") is None
    assert said(shell("cat /etc/hosts"), "allow shell:cat /etc/hosts") == "allow"
    assert said(shell("cat /etc/hosts /etc/shadow"), "allow shell:cat /etc/hosts") is None


def test_each_part_of_a_pipe_needs_a_rule_of_its_own() -> None:
    assert said(shell("git log | head"), "allow shell:git log") is None
    assert said(shell("git log | head"), "allow shell:git log", "allow shell:head") == "allow"
    assert said(shell("git log", "id"), "allow shell:git log") is None


@pytest.mark.parametrize(
    "line",
    [
        "git push", "ls; git push -f", "(git push)", "git push > x", "g''it pu\\sh", "sudo git push",
        "git -C x push", "sh -c 'git push'",
    ],
)  # fmt: skip
def test_a_denial_is_found_wherever_it_may_run(line: str) -> None:
    assert said(shell(line), "allow run_shell", "deny shell:git push") == "deny"


def test_a_deny_of_any_scope_wins_over_every_allow() -> None:
    kept = [rule("allow run_shell", "run"), rule("allow shell:git", "workspace"), rule("deny shell:git push", "all")]
    verdict = judge(kept, shell("git push"))
    assert verdict is not None
    assert (verdict.action, verdict.rule) == ("deny", kept[2])


def test_the_first_rule_of_the_narrowest_scope_decides() -> None:
    ask, allow = rule("ask shell:git", "workspace"), rule("allow shell:git log", "all")
    found = judge([allow, ask], shell("git log"))
    assert found is not None
    assert found.rule == ask
    assert said(shell("git log"), "allow shell:git log", "ask shell:git") == "allow"
    assert said(shell("git log; git add x"), "allow shell:git log", "ask shell:git") == "ask"


def test_a_rule_to_ask_is_found_where_a_line_cannot_be_read() -> None:
    assert said(shell("make deploy > log"), "ask shell:make deploy") == "ask"
    assert said(shell("make build > log"), "ask shell:make deploy") is None


def test_a_command_by_name_is_covered_whole_and_a_pattern_is_no_yes_to_a_line() -> None:
    assert said(shell("a > b; c"), "allow run_shell") == "allow"
    assert said(shell("git log; id"), "allow run_shell:command=git*") is None
    assert said(shell("git log; id"), "deny run_shell:command=*id*") == "deny"


# -- hosts, files, names --------------------------------------------------------------------------------------------


def test_a_host_is_covered_for_what_fetches_and_denied_for_all() -> None:
    assert said(fetch("a.example"), "allow host:a.example") == "allow"
    assert said(fetch("b.a.example"), "allow host:*.a.example") == "allow"
    assert said(fetch("ba.example", "a.example"), "allow host:*.a.example", "allow host:a.example") is None
    assert said(fetch("a.example", "b.example"), "allow host:a.example", "allow host:b.example") == "allow"
    assert said(fetch("a.example", effect="sends"), "allow host:a.example") is None
    assert said(fetch("a.example", effect="sends"), "deny host:a.example") == "deny"
    assert said(fetch("a.example", "b.example"), "allow browse", "deny host:b.example") == "deny"


@pytest.mark.parametrize(
    ("names", "text", "expected"),
    [
        (("a/x",), "write:a/x", "allow"),
        (("a/x",), "write:a/**", "allow"),
        (("ab/x",), "write:a/**", None),
        (("a/x",), "write:**", "allow"),
        (("a/link", "b/x"), "write:a/**", None),
        (("a/link", "b/x"), "write:b/**", "allow"),
    ],
)
def test_a_write_is_covered_under_the_name_that_it_really_has(
    names: tuple[str, ...], text: str, expected: Action | None
) -> None:
    assert said(write(*names), f"allow {text}") == expected
    assert said(write(*names, effect="sends"), f"allow {text}") is None


@pytest.mark.parametrize("text", ["write:a/**", "write:b/x"])
def test_a_write_is_denied_under_any_of_its_names(text: str) -> None:
    assert said(write("a/link", "b/x"), "allow write_file", f"deny {text}") == "deny"


@pytest.mark.parametrize(
    ("args", "expected"),
    [({"path": "docs/a"}, "allow"), ({"path": "Docs/a"}, None), ({}, None), ({"path": 3}, None)],
)
def test_a_pattern_fits_one_argument(args: Mapping[str, object], expected: Action | None) -> None:
    assert said(Asked("send", args, "sends"), "allow send:path=docs/*") == expected


def test_a_pattern_sees_what_is_no_text_as_json() -> None:
    assert said(Asked("send", {"n": 3, "to": ["a", "b"]}, "sends"), 'allow send:to=*"b"*') == "allow"
    assert said(Asked("send", {"n": 3}, "sends"), "allow send:n=3") == "allow"


def test_a_rule_for_what_is_in_a_folder_allows_to_make_the_folder_and_nothing_else_of_it() -> None:
    made = Asked("make_folder", {}, "writes", writes=(("drafts",),))
    assert said(made, "allow write:drafts/**") == "allow"
    assert said(replace(made, name="delete_file"), "allow write:drafts/**") is None
    assert said(made, "allow write:drafts/sub/**") is None


def test_where_no_rule_says_anything_there_is_no_verdict() -> None:
    assert judge([], shell("ls")) is None
    assert (
        said(Asked("send", {}, "sends"), "allow other", "allow host:a.b", "allow write:**", "allow shell:send") is None
    )


def test_one_command_word_for_word_is_that_command_only() -> None:
    asked = shell("ls > x")
    kept = f"allow {exact(asked)}"
    assert said(asked, kept) == "allow"
    assert said(shell("ls >  x"), kept) is None
    assert said(Asked("run_shell", {**asked.args, "timeout_s": 9}, "executes", lines=asked.lines), kept) is None
    assert said(Asked("other", asked.args, "executes", lines=asked.lines), kept) is None


# -- what is offered ------------------------------------------------------------------------------------------------


def test_for_a_pipe_one_offer_stands_for_all_its_parts() -> None:
    asked = shell("git log --oneline | head -3 | head -1")
    assert offered(asked) == (("shell:git log", "shell:head"), (exact(asked),))


@pytest.mark.parametrize("line", ["ls > x", "make & ls", "ls | tee x", "cat /etc/hosts"])
def test_a_line_that_no_rule_covers_is_offered_word_for_word(line: str) -> None:
    assert offered(shell(line)) == ((exact(shell(line)),),)


@pytest.mark.parametrize("line", [
    "rm x", "ls; rm x", "sudo ls", "python3 x.py", "cat a | sh", "ls $(id)", "ls `id` | head", "eval x", "ls\rid",
])  # fmt: skip
def test_nothing_is_offered_for_what_is_never_offered(line: str) -> None:
    assert offered(shell(line)) == ()


def test_for_a_file_the_offers_widen_to_its_folder_and_the_workspace() -> None:
    assert offered(write("a/b/x")) == (("write:a/b/x",), ("write:a/b/**",), ("write:**",))
    assert offered(write("x")) == (("write:x",), ("write:**",))
    assert offered(Asked("move_file", {}, "writes", writes=(("a/x",), ("b/x",)))) == (
        ("write:a/x", "write:b/x"), ("write:a/**", "write:b/**"), ("write:**",),
    )  # fmt: skip


def test_a_name_that_no_rule_can_say_is_not_offered() -> None:
    assert offered(write("a/x\ny")) == (("write:a/**",), ("write:**",))
    assert offered(write("a*/x")) == (("write:**",),)


def test_for_a_fetch_its_hosts_are_offered_with_the_files_that_it_writes() -> None:
    assert offered(fetch("a.example", "b.example", "a.example")) == (("host:a.example", "host:b.example"),)
    assert offered(Asked("download_file", {}, "writes", hosts=("a.example",), writes=(("d/x",),)))[1] == (
        "host:a.example",
        "write:d/**",
    )


def test_for_a_command_without_parts_its_name_is_offered_but_never_that_of_an_interpreter() -> None:
    assert offered(Asked("send", {"a": 1}, "sends")) == (("send",),)
    python = Asked("run_python", {"code": "1"}, "executes")
    assert offered(python) == ((exact(python),),)
    assert offered(Asked("run_python", {"code": "1"}, "reads")) == ()


@pytest.mark.parametrize(
    "asked",
    [
        shell("git log | head"), shell("ls > x"), shell("npm run test; make test"), shell("python -m pytest -q"),
        write("a/x"), write("x"), write("a/link", "b/x"),
        fetch("a.example", "b.example"), Asked("download_file", {}, "writes", hosts=("a.example",), writes=(("d/x",),)),
        Asked("send", {"a": ("é", 1)}, "sends"), Asked("run_python", {"code": "print('\u202e')"}, "executes"),
    ],
)  # fmt: skip
def test_whatever_is_offered_allows_the_call_that_it_was_offered_for(asked: Asked) -> None:
    for offer in offered(asked):
        assert said(asked, *(f"allow {text}" for text in offer)) == "allow"
        assert all("\n" not in text and check(text) == text for text in offer)


# -- the book -------------------------------------------------------------------------------------------------------


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    return tmp_path


def texts(workspace: Path) -> list[tuple[str, str]]:
    return [(f"{kept.action} {kept.text}", kept.scope) for kept in rulebook.rules_of(workspace)]


def test_rules_are_kept_by_workspace_and_for_all_the_newest_first(book: Path) -> None:
    rulebook.add("all", book, "deny", "shell:git push")
    rulebook.add("workspace", book / "a", "allow", "shell:git log")
    rulebook.add("workspace", book / "a", "ask", "host:a.example")
    rulebook.add("workspace", book / "a", "ask", "host:A.example")
    everywhere = ("deny shell:git push", "all")
    own = [("ask host:a.example", "workspace"), ("allow shell:git log", "workspace")]
    assert texts(book / "a") == [*own, everywhere]
    assert texts(book / "b") == [everywhere]
    (book / "link").symlink_to("a")
    assert texts(book / "link") == [*own, everywhere]


def test_a_removed_rule_is_gone_and_one_that_was_not_there_is_told(book: Path) -> None:
    rulebook.add("workspace", book / "a", "allow", "shell:git log")
    assert not rulebook.remove("all", book / "a", "allow", "shell:git log")
    assert not rulebook.remove("workspace", book / "a", "deny", "shell:git log")
    assert rulebook.remove("workspace", book / "a", "allow", "shell: git  log")
    assert texts(book / "a") == []


def test_the_book_is_the_persons_alone_and_no_file_is_left_beside_it(book: Path) -> None:
    before = os.umask(0)
    try:
        rulebook.add("all", book, "deny", "shell:git push")
    finally:
        os.umask(before)
    path = rulebook.book_path()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["rules.json"]
    assert json.loads(path.read_text()) == {"all": ["deny shell:git push"], "workspaces": {}}


def test_a_book_that_is_a_link_stays_one(book: Path) -> None:
    rulebook.add("all", book, "deny", "shell:git push")
    path = rulebook.book_path()
    path.rename(book / "kept.json")
    path.symlink_to(book / "kept.json")
    rulebook.add("all", book, "deny", "shell:make")
    assert path.is_symlink()
    assert len(texts(book / "a")) == 2


def test_a_folder_whose_name_is_no_text_has_rules_too(book: Path) -> None:
    strange = Path(os.fsdecode(os.fsencode(book) + b"/\xff\n"))
    strange.mkdir()
    rulebook.add("workspace", strange, "allow", "shell:ls")
    assert texts(strange) == [("allow shell:ls", "workspace")]


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "null", '{"all": []}', '{"all": [], "workspaces": []}', '{"all": {}, "workspaces": {}}',
        '{"all": [1], "workspaces": {}}',
        '{"all": ["deny"], "workspaces": {}}', '{"all": ["never shell:x"], "workspaces": {}}',
        '{"all": ["deny shell:a;b"], "workspaces": {}}',
        '{"all": [], "workspaces": {"/a": ["deny x y"]}}', '{"all": [], "workspaces": {}, "more": 1}', "[" * 100_000,
    ],
)  # fmt: skip
def test_a_damaged_book_is_an_error_in_one_line_and_is_never_overwritten(book: Path, content: str) -> None:
    path = rulebook.book_path()
    path.parent.mkdir(parents=True)
    path.write_text(content)
    for attempt in (lambda: rulebook.rules_of(book), lambda: rulebook.add("all", book, "deny", "shell:x")):
        with pytest.raises(ConfigError) as caught:
            attempt()
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert path.read_text() == content


def test_rules_that_are_added_at_once_are_all_kept(book: Path) -> None:
    adding = [threading.Thread(target=rulebook.add, args=("all", book, "deny", f"shell:x{n}")) for n in range(8)]
    for one in adding:
        one.start()
    for one in adding:
        one.join(20)
    assert {text for text, _ in texts(book)} == {f"deny shell:x{n}" for n in range(8)}


def test_settings_bring_rules_as_lines() -> None:
    assert rulebook.from_settings(["deny shell:git push"], "all") == (rule("deny shell:git push", "all"),)
    for wrong in ("shell:git push", "deny", "never shell:x", "deny git push"):
        with pytest.raises(ConfigError):
            rulebook.from_settings([wrong], "all")
