"""Shell lines: what is read is what the shell runs; what runs or writes more than its words say is never plain."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autoagent.shell import is_never_offered, is_plain, leads_out, may_mention, may_run, offered, parts, why_not

_FOUND = {Path(path).resolve(): name for name in ("dash", "bash", "sh") if (path := shutil.which(name))}
SHELLS = sorted(_FOUND.values())


def words(line: str) -> tuple[str, ...]:
    found = parts(line)
    assert found is not None, line
    assert len(found) == 1, line
    return found[0]


# -- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ls", [("ls",)]),
        ("  ls\t-la  ", [("ls", "-la")]),
        ("git log | head -3", [("git", "log"), ("head", "-3")]),
        ("a && b || c; d", [("a",), ("b",), ("c",), ("d",)]),
        ("\n\nls\n\nid\n", [("ls",), ("id",)]),
        ("ls;\nid;", [("ls",), ("id",)]),
        ("a &&\n b", [("a",), ("b",)]),
        ("grep -n 'a | b; $c' x", [("grep", "-n", "a | b; $c", "x")]),
        ('echo "a \\"b\\" \\$c \\d"', [("echo", 'a "b" $c \\d')]),
        ("echo a\\ b ''", [("echo", "a b", "")]),
        ("make 2>&1 | tail -5", [("make",), ("tail", "-5")]),
        ("ls >/dev/null 2>/dev/null", [("ls",)]),
        ("ls 2>&1 && id", [("ls",), ("id",)]),
        ("wc *.py", [("wc", "*.py")]),
        ("pytest test_*.py", [("pytest", "test_*.py")]),
        ("echo a#b x~ {} a=b", [("echo", "a#b", "x~", "{}", "a=b")]),
        ("echo 한국어 🙂", [("echo", "한국어", "🙂")]),
    ],
)
def test_a_line_of_simple_commands_is_read_as_their_words(line: str, expected: list[tuple[str, ...]]) -> None:
    assert parts(line) == tuple(expected)


@pytest.mark.parametrize(
    "line",
    [
        "", " ", "\n", ";", "ls;;id", "ls &&", "&& ls", "| ls", "ls |", "ls\n;id", "ls || | id",
        "ls $(id)", "ls `id`", 'ls "$(id)"', 'ls "`id`"', "cat <(id)", "cat >(id)", "$SHELL -c id", "echo ${x}",
        "echo $'\\x41'", 'echo "$x"', "id & ls", "ls&", "ls |& id", "ls &>/dev/null", "ls &>x", "ls\rid", "ls\x1b[2J",
        "ls\x00", "ls\x7f", "ls\u202eid", "ls\u00a0id", "ls\u200b", "LD_PRELOAD=x ls", "PATH=. ls", "A+=b ls",
        "'A=b' ls",
        "cat <<E\n$(id)\nE", "cat <<<x", "echo x > f", "echo x >> f", "echo x>f", "cat <> f", "cat < f", "ls 2>x",
        "ls 1>&2",
        "ls 2>&1x", "ls a2>&1", "ls >/dev/null2", "ls >/dev/nullx", "ls 2>&1&", "ls >|x",
        "cat /e??/passwd", "cat ../*", "cat ..*", "cat .*", "cat .?", "cat a/*", "l? x", "ls -*", "sort *",
        "sort *.py",
        "cat {/etc/passwd,x}", "echo {1..3}", "echo a{}", "ls ~", "cat ~/x", "cat ~root/x", "dd if=~/x",
        "PATH=~ x",
        "l''s", "w\\hoami", '"ls"', "\\ls", "''", "ls \\\n-la", "ls \\", "ls 'a", 'ls "a', 'ls "a\\', 'ls "a\\\nb"',
        "ls #", "ls # x\nid", "#x", "ls !x", 'ls "!x"', "! ls", "if true; then id; fi", "for x in a; do id; done",
        "while id; do id; done", "case a in a) id;; esac", "(ls)", "{ ls; }", "f() { id; }", "function f { id; }",
        "time ls", "coproc ls", "[[ a ]]", "[ a ]", "select x in a; do id; done", "echo @(a|b)", "a=(b)",
        "until id; do id; done",
    ],
)  # fmt: skip
def test_a_line_with_anything_else_is_not_read_and_it_says_why(line: str) -> None:
    assert parts(line) is None
    assert why_not(line)
    assert "\n" not in why_not(line)


def seen_by(shell: str, line: str) -> list[list[str]]:
    """The words that each `rec` of a line gets from a real shell, sorted."""
    script = f"""exec 3>&1\nrec() {{ printf '%s\\0' "$@" END >&3; }}\nset -f\n{line}\n"""
    done = subprocess.run([shell, "-c", script], capture_output=True, timeout=20, check=True)
    records = done.stdout.decode("utf-8", "surrogateescape").split("END\0")[:-1]
    return sorted(record.split("\0")[:-1] for record in records)


QUOTED = st.sampled_from(list("ab 'x\"$`\\!*?[]{}~#&|;<>()=:/.-\té\n")) | st.characters(codec="utf-8")
BARE = st.sampled_from([*"abz019_@%+=:,./^-*?[]é~#!$\\", "{}", "\\ ", "\\'", '\\"', "\\$", "\\a"])
SINGLE = st.text(QUOTED, max_size=6).filter(lambda text: "'" not in text).map(lambda text: f"'{text}'")
DOUBLE = st.lists(QUOTED | st.sampled_from(['\\"', "\\\\", "\\$", "\\`", "\\a"]), max_size=6).map(
    lambda pieces: '"' + "".join(piece for piece in pieces if piece != '"') + '"'
)
WORD = st.lists(BARE | SINGLE | DOUBLE, min_size=1, max_size=4).map("".join)
COMMAND = st.lists(WORD | st.sampled_from(["2>&1", ">/dev/null", "2>/dev/null"]), max_size=4).map(
    lambda given: " ".join(["rec", *given])
)
LINE = st.lists(
    st.tuples(COMMAND, st.sampled_from([" | ", " && ", "; ", "\n", ";", "&&", "|"])), min_size=1, max_size=3
).map(lambda made: "".join(command + operator for command, operator in made).rstrip("|&; \n"))


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=120)
@given(line=LINE)
@example('rec "a\\b" \'\' a\\ b "" {}')
@example('rec "\\\\" "\\$x" \'"\' 2>&1 | rec >/dev/null')
@example("rec a=b:c x~y [a] '[' ^a a#b")
def test_each_shell_sees_the_very_words_that_were_read(shell: str, line: str) -> None:
    found = parts(line)
    if found is not None:
        assert seen_by(shell, line) == sorted(list(command[1:]) for command in found)


@settings(max_examples=100)
@given(line=st.text(max_size=40) | LINE)
def test_whatever_the_line_there_are_words_or_a_reason(line: str) -> None:
    if parts(line) is None:
        assert why_not(line)
    may_mention(line, ("git", "push"))
    is_never_offered(line)


def test_a_long_line_is_read_in_time_that_grows_with_it() -> None:
    line = "echo " + "a'b'\"c\" " * 20_000
    assert len(words(line)) == 20_001


@pytest.mark.parametrize(
    "line", ["sed '" + " " * 50_000 + "w f' x", "git -" * 20_000 + ">", "git $x" * 20_000, '"\\' * 50_000]
)
def test_a_long_hostile_line_takes_no_long_time(line: str) -> None:
    started = time.perf_counter()
    assert why_not(line)
    may_mention(line, ("git", "push"))
    is_never_offered(line)
    assert time.perf_counter() - started < 5


# -- what is plain --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "ls -la", "cat a b", "head -n 3 x", "grep -rn 'a.*b' src", "rg -n x src", "rg --pretty x",
        "find . -name '*.py' -type f",
        "sort -n -k2 x", "sort -t, -rk2 x", "uniq -c a", "cut -d: -f1 x", "tr a b", "diff a b", "stat x", "file x",
        "date +%F",
        "git status", "git log --oneline -5", "git diff --stat HEAD~1", "git log --author=x -p -- a", "git add -A",
        "git push -u origin main",
        "git commit -m 'a; b'", "sed -n '1,5p' x", "sed -n 3p x", "sed 's/a/b/g' x", "sed -e 's/a/b/' -e '/x/d' y",
        "tar -czf a.tgz src", "tar xzf a.tgz", "make", "make -j4 test", "npm run test", "cargo test",
        "go test ./...", "python -m pytest -q",
        "python3 build.py --fast", "pytest -x tests", "mkdir -p a/b", "docker compose up", "cd src",
        "printf '%s' a", "test -f x",
        "mytool sub --flag=x",
    ],
)  # fmt: skip
def test_ordinary_commands_are_plain(line: str) -> None:
    assert is_plain(words(line)), why_not(line)
    assert why_not(line) == ""


@pytest.mark.parametrize(
    "line",
    [
        "find . -exec id {} +", "find . -execdir id", "find . -ok id", "find . -okdir id", "find . -delete",
        "find . -fprint x", "find . -fprintf x y",
        "find . -fls x", "rg --pre id x", "rg --pre=id x", "rg -z x", "rg --hostname-bin=id x",
        "sort --compress-program=id", "sort --comp=id",
        "sort -o f x", "sort -of", "sort -no f", "sort --out=f", "sort -T x", "uniq a b", "uniq -c a b", "uniq - b",
        "uniq -- -a b", "xxd - b", "tee f",
        "dd if=a", "xxd a b", "xxd -r a",
        "tar --to-command=id -xf a", "tar --to-c=id", "tar -I id -cf a b", "tar xIf id a",
        "tar --use-compress-program=id", "tar --checkpoint-action=exec=id",
        "tar -F id", "tar -xf host:a", "git -c core.pager=id log", "git --exec-path=x log", "git -C .. log",
        "git -C x log",
        "git clone --upload-pack=id x", "git clone -u id x", "git clone --upl=id x", "git clone -c a=b x",
        "git diff --output=x", "git log --outp=x",
        "git grep -Oid x", "git diff -Ox", "git format-patch -o x", "git archive -o x", "git archive --exec=id",
        "git rebase -x id", "git rebase --exec id",
        "git fetch --upload-pack id", "git push --receive-pack=id", "git clone ext::id", "git config a b",
        "git submodule foreach id", "git bisect run id",
        "git myalias", "git difftool -x id", "git diff --ext-diff", "git merge -s x", "git",
        "sed -i s/a/b/ x", "sed --in-place s/a/b/ x", "sed 'w f' x", "sed 's/a/b/w f' x", "sed 's/a/id/e' x",
        "sed 'e id' x", "sed '1e id' x", "sed -f x y", "sed -n '/a/w f' x",
        "sed", "awk '{print}' x", "gawk 1 x", "xargs id", "env id", "env", "nohup id", "nice id", "timeout 5 id",
        "setsid id", "stdbuf -o0 id", "watch id",
        "sudo id", "doas id", "su -c id", "ssh a id", "eval id", "exec id", "command id", "builtin id", ". ./x",
        "source x", "alias ls=id", "unalias ls", "trap id EXIT",
        "enable -f x y", "hash -p x ls", "export PATH=.", "set -x", "unset x", "declare x", "readonly x",
        "local x", "let x", "read x", "nc -e sh x",
        "python3", "python3 -", "python3 -c 'print(1)'", "python -m timeit x", "python3 -m", "python3 -Wa x.py",
        "perl -e x", "ruby -e x", "node -e x", "node",
        "sh", "bash -c id", "bash", "/bin/sh", "/usr/bin/python3 -c x", "php -r x", "sqlite3 x", "dc -e x",
        "less x", "man x", "vim x",
        "make CC=id", "make -f x", "make --eval=x", "make -C x", "npm exec id", "npx id",
        "npm --script-shell=id run x", "npm --prefix x run y", "yarn dlx id",
        "poetry run id", "uv run id", "bundle exec id", "docker run x", "docker exec x id",
        "docker compose exec x id", "docker -H x run y", "kubectl exec x",
        "go test -exec id", "go build --toolexec=id", "go env -w x", "cargo --config x build",
        "apt -o x=y install z", "gh api x", "gh alias set x",
        "cd", "cd -", "cd ''", "cd a b", "printf -v PATH x", "test -v 'a[1]'", "date -s x", "file -C", "tree -o x",
        "yq -i x", "fd -x id", "split a",
        "hatch run id", "pipenv run id", "gcc -wrapper id,x a.c", "clang -fplugin=x.so a.c",
        "docker container exec x id", "zip -TT id a b",
        "hyperfine id", "nix-shell x", "python -m coverage run x", "sed 'p                                   w f' x",
    ],
)  # fmt: skip
def test_what_runs_or_writes_something_else_is_not_plain_and_it_says_why(line: str) -> None:
    assert not is_plain(words(line))
    assert why_not(line)


@pytest.mark.parametrize(
    "word",
    [
        "/etc/passwd", "..", "../x", "a/../b", "--file=/etc/x", "--file=../x", "-f/etc/x", "-C..", "-C../x",
        "a:/etc", "~/x",
        "file:///etc/x", "x=~/y", "//x",
    ],
)  # fmt: skip
def test_words_that_may_lead_out_of_the_workspace(word: str) -> None:
    assert leads_out(word)


@pytest.mark.parametrize(
    "word", ["a", "a/b", "./a", "HEAD..main", "origin/a..b", "https://x.org/a", "-n", "/dev/null", "a..b/c", "..."]
)
def test_words_that_do_not(word: str) -> None:
    assert not leads_out(word)


# -- what is offered ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("git status --short", "git status"),
        ("git push origin main", "git push"),
        ("npm run test -- --x", "npm run test"),
        ("npm test", "npm test"),
        ("pip install x", "pip install"),
        ("make test", "make test"),
        ("docker compose up", "docker compose up"),
        ("gh pr list", "gh pr list"),
        ("python -m pytest -q", "python -m pytest"),
        ("ls -la", "ls"),
        ("pytest tests", "pytest"),
        ("head -3 x", "head"),
    ],
)
def test_the_rule_offered_is_the_program_with_its_sub_command(line: str, expected: str) -> None:
    assert offered(words(line)) == expected


@pytest.mark.parametrize(
    "line",
    [
        "python3 x.py", "python3 -c x", "node x.js", "ruby x", "perl x", "sh x", "bash x.sh", "php x", "awk 1",
        "rm x", "rm -rf x", "sudo ls", "doas ls",
        "su -", "eval x", "xargs ls", "env ls", "./x", "/bin/ls", "/bin/./whoami", "a/b", "find . -delete", "git",
        "git --version", "git -c a=b log", "make",
        "npm -v", "curl https://x.org", "cat /etc/passwd", "cat ../x", "일 x", "poetry run x", "uniq a b", "tee x",
        "make 'a b'",
    ],
)  # fmt: skip
def test_no_rule_is_offered_for_what_it_could_not_foresee_or_would_not_cover(line: str) -> None:
    assert offered(words(line)) is None


@pytest.mark.parametrize(
    "line",
    [
        "rm x", "ls; rm x", "sudo ls", "python3 x.py", "cat a | sh", "echo aWQ= | base64 -d | sh", "ls $(id)",
        "ls `id`", "cat <(id)", "echo $x",
        "rm x > y", "sudo x & ls", "(python3 -c x)", "/bin/rm x", "r\\m x > y", "xargs id", "ls\rid", "awk 1 x",
        "eval x >y",
    ],
)  # fmt: skip
def test_lines_that_are_not_even_offered_word_for_word(line: str) -> None:
    assert is_never_offered(line)


@pytest.mark.parametrize(
    "line",
    [
        "ls > x",
        "make & ls",
        "sort -o x y",
        "cat /etc/hosts",
        "python -m pytest",
        "A=b make",
        "cat a/*",
        "script.sh > x",
    ],
)
def test_lines_that_may_be_kept_word_for_word(line: str) -> None:
    assert not is_never_offered(line)


# -- what a denial finds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "git push", "git push -f origin", "git -c a=b push", "git -C x push", "/usr/bin/git push", "env git push",
        "sudo -u x git push", "mytool git push",
        "sh -c 'git push'", "git --no-pager push", "xargs git push", "git -c alias.p=push p",
    ],
)  # fmt: skip
def test_a_denial_finds_its_words_in_a_command_that_may_run_them(line: str) -> None:
    assert may_run(words(line), ("git", "push"))


@pytest.mark.parametrize(
    "line", ["git status", "git commit -m push", "echo git push", "git log push", "ls", "grep 'git push' x"]
)
def test_a_denial_leaves_what_surely_is_something_else(line: str) -> None:
    assert not may_run(words(line), ("git", "push"))


def test_a_denial_of_a_target_or_a_file_finds_it_among_others() -> None:
    assert may_run(words("make -j4 build deploy"), ("make", "deploy"))
    assert may_run(words("cat -n a secrets.txt"), ("cat", "secrets.txt"))
    assert not may_run(words("make build"), ("make", "deploy"))


@pytest.mark.parametrize(
    "line",
    [
        "git push > x", "g''it pu\\sh >x", "(git push)", "git $X", "git `x`", "git pu$x", "git -c a=b $x",
        "for a in b; do git push; done",
        "X=1 git push", "push | git >x", "gi\\\nt push",
    ],
)  # fmt: skip
def test_a_denial_finds_its_words_in_a_line_that_cannot_be_read(line: str) -> None:
    assert parts(line) is None
    assert may_mention(line, ("git", "push"))


@pytest.mark.parametrize("line", [
    "git status > x", "echo $x", "git add $x > y", 'git commit -m "$x"', "pushd x & git log", "legit push > x",
])  # fmt: skip
def test_a_line_without_its_words_is_not_found(line: str) -> None:
    assert not may_mention(line, ("git", "push"))
