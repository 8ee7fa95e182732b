"""Shell lines as a person's rules see them: the words of simple commands, and which of these run or write more. Pure.

It only serves to decide what is asked. What a line can do is decided by the sandbox.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

Words = tuple[str, ...]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_KEYWORDS = _names(
    "if then elif else fi for while until do done case esac in select function time coproc { } ! [[ ]] ["
)
_SAID = {
    "$": "`$` puts in what is not in the line",
    "`": "a backtick puts in what another command prints",
    "<": "`<` reads from a file or from the line itself",
    ">": "`>` writes to a file",
    "&": "`&` runs a program in the background",
    "(": "`(` starts a shell within the shell",
    ")": "`)` belongs to a shell within the shell",
    "{": "braces stand for several words",
    "}": "braces stand for several words",
    "!": "`!` has a meaning of its own in some shells",
    "#": "`#` hides what follows",
    "~": "`~` stands for a home folder",
}
_HARMLESS = re.compile(r"(?:2>&1|[12]?>/dev/null)(?=[ \t\n|;]|&&|$)")  # redirections
_OPERATOR = re.compile(r"\|\||&&|\||;|\n")
_SINGLE = re.compile(r"'([^']*)'")
_DOUBLE = re.compile(r'"((?:[^"\\$`!]|\\[^\n])*)"')
_PUT_IN = re.compile(r"[$`]")
_WILD = "*?["

# They run their arguments, or change what later words mean: no rule of a person's covers them.
_RUNS = _names(
    """
    eval exec command builtin source . alias unalias trap enable hash export readonly declare typeset local set
    unset shopt bind complete compgen fc let read mapfile readarray getopts time env nohup nice ionice timeout
    xargs parallel setsid stdbuf unbuffer script watch sudo doas su runuser pkexec ssh sshpass scp sftp rsync
    chroot unshare nsenter setpriv capsh taskset chrt prlimit flock strace ltrace gdb valgrind perf entr busybox
    toybox npx pipx bunx uvx expect socat nc ncat at batch crontab systemd-run systemctl tmux screen
    start-stop-daemon firejail bwrap proot fakeroot dbus-run-session xvfb-run rlwrap vi vim nvim view ex ed emacs
    nano less more most man info bat run-parts pushd popd hyperfine mpirun mpiexec srun torchrun direnv mise asdf nix
    nix-shell guix nodemon concurrently cross-env dotenv foreman honcho gosu su-exec tini dumb-init coverage vagrant
    ansible
    """
)
_WRITES = _names("tee dd sponge truncate shred split csplit")
_TAKES_CODE = _names("awk gawk mawk nawk dc m4 osascript sqlite3 psql mysql gnuplot")
_INTERPRETER = re.compile(
    r"(python|pypy|perl|ruby|php|lua|node|tclsh)[\d.]*"
    r"|nodejs|deno|bun|luajit|R|Rscript|julia|wish|(ba|da|z|k|mk|a|fi|c|tc|r)?sh|pwsh|guile|sbcl|ghci|irb|groovy|scala"
)
_RUNNING_MODULES = _names("timeit pdb cProfile profile trace runpy code bdb asyncio idlelib pyperf coverage IPython")
_READERS = _names(
    """
    ls cat head tail wc echo pwd true false which type du df stat cut tr diff cmp comm nl tac rev fold fmt expand
    unexpand paste join od hexdump strings base64 md5sum sha1sum sha256sum sha512sum cksum basename dirname
    realpath readlink seq sleep whoami id uname nproc free uptime grep egrep fgrep column jq :
    """
)
_MORE: dict[str, tuple[str, tuple[str, ...]]] = {  # options that run or write something else: letters, long names
    "sort": ("oT", ("output", "compress-program", "temporary-directory")),
    "rg": ("z", ("pre", "hostname-bin", "search-zip")),
    "fd": ("xX", ("exec", "exec-batch")),
    "date": ("s", ("set",)),
    "file": ("CzZ", ("compile", "uncompress", "uncompress-noreport")),
    "tree": ("oR", ("output",)),
    "shuf": ("o", ("output",)),
    "iconv": ("o", ("output",)),
    "yq": ("i", ("inplace", "in-place")),
    "xxd": ("r", ("revert",)),
    "zip": ("T", ("test", "unzip-command")),
    "uniq": ("", ()),
    "printf": ("v", ()),
    "test": ("vR", ()),
    "find": ("", ()),
    "sed": ("", ()),
    "cd": ("", ()),
    "tar": (
        "IFP",
        (
            "to-command", "checkpoint-action", "use-compress-program", "info-script", "new-volume-script",
            "rsh-command", "rmt-command", "absolute-names",
        ),
    ),
    "make": ("fCEI", ("eval", "file", "makefile", "directory", "include-dir")),
    "npm": ("c", ("prefix", "script-shell", "node-options", "userconfig", "globalconfig", "call")),
    "pnpm": ("cC", ("dir", "script-shell", "node-options", "shell-mode")),
    "yarn": ("", ("cwd", "script-shell", "use-yarnrc")),
    "cargo": ("CZ", ("config",)),
    "apt": ("oc", ("option", "config-file")),
    "apt-get": ("oc", ("option", "config-file")),
    "git": (
        "",
        (
            "exec-path", "upload-pack", "receive-pack", "exec", "output", "output-directory", "open-files-in-pager",
            "ext-diff", "extcmd", "config", "config-env", "template", "git-dir", "work-tree", "strategy",
            "separate-git-dir",
        ),
    ),
}  # fmt: skip
_FIND_RUNS = _names("-exec -execdir -ok -okdir")
_FIND_WRITES = _names("-delete -fprint -fprint0 -fprintf -fls")
_COMPILER = _names("wrapper fplugin specs B")
_ONE_DASH = {  # options with one dash and a long name that run something else
    "go": _names("exec toolexec vettool overlay modfile"),
    **dict.fromkeys(("gcc", "g++", "cc", "c++", "clang", "clang++"), _COMPILER),
}
_GIT = _names(
    """
    status log diff show branch tag add commit push pull fetch clone checkout switch restore merge rebase reset
    revert stash mv rm blame describe rev-parse rev-list ls-files ls-tree ls-remote cat-file shortlog reflog grep
    remote init worktree cherry-pick apply am format-patch archive clean name-rev merge-base for-each-ref show-ref
    diff-tree diff-index diff-files count-objects fsck whatchanged range-diff
    """
)
_GIT_LETTERS = {
    "clone": "uc", "grep": "O", "diff": "O", "log": "O", "show": "O", "format-patch": "o", "archive": "o",
    "rebase": "xs", "merge": "s", "pull": "s", "cherry-pick": "s", "revert": "s",
}  # fmt: skip
_SUB_RUNS: dict[str, frozenset[str]] = {
    "npm": _names("exec x explore config set init create edit"),
    "pnpm": _names("exec dlx create config"),
    "yarn": _names("exec dlx create config node"),
    "pip": frozenset(["config"]),
    "pip3": frozenset(["config"]),
    "cargo": frozenset[str](),
    "docker": _names("run exec"),
    "podman": _names("run exec unshare"),
    "kubectl": _names("run exec debug edit plugin"),
    "go": _names("env tool"),
    "poetry": _names("run shell config"),
    "uv": _names("run tool x"),
    "apt": frozenset(["edit-sources"]),
    "apt-get": frozenset[str](),
    "brew": _names("sh ruby irb edit"),
    "gh": _names("alias extension api config exec"),
    "conda": _names("run config"),
    "hatch": _names("run shell config"),
    "pdm": _names("run config"),
    "pipenv": _names("run shell"),
    "rye": _names("run config"),
    "bundle": _names("exec console config"),
    "dotnet": _names("exec tool script"),
}
_WITH_SUBCOMMAND = frozenset({"git"} | _SUB_RUNS.keys())
_THREE_WORDS = frozenset(
    {("npm", "run"), ("pnpm", "run"), ("yarn", "run"), ("docker", "compose"), ("podman", "compose"), ("uv", "pip")}
    | {("gh", name) for name in ("pr", "issue", "repo", "run", "release", "workflow", "gist", "secret", "auth")}
)
_NEVER = _names("rm sudo doas su eval exec xargs")
_SENDS = _names("curl wget")  # where to and what is all in the arguments
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")
_SUBCOMMAND = re.compile(r"[A-Za-z0-9][\w:.-]*")
_OUT = re.compile(r"^/|^~|[=,]/|:/(?!/[^/])|^-[A-Za-z]+/|[=:,]~|(^|[/=:,]|^-[A-Za-z]+)\.\.(/|$)")
_SED_ADDRESS = r"(?:\d+|\$|/(?:[^/\\\n]|\\[^\n])+/)"
_SED_COMMAND = (
    rf"(?:{_SED_ADDRESS}(?:,{_SED_ADDRESS})?)?\s*(?:[pdq=]|s/(?:[^/\\\n]|\\[^\n])*/(?:[^/\\\n]|\\[^\n])*/[gpiI\d]*)\s*"
)
_SED_SCRIPT = re.compile(rf"\s*{_SED_COMMAND}(?:;\s*{_SED_COMMAND})*;?\s*")
_LONGEST_SED = 200  # characters; the time that the pattern takes grows faster than they do
_SED_OPTIONS = _names("-n -E -r -s -u -z -nE -nr -En -rn --quiet --silent --regexp-extended")


def parts(line: str) -> tuple[Words, ...] | None:
    """The words of each simple command of a line that is nothing but these, joined by | && || ; or newlines.

    None where it holds anything else, or what two shells may read differently. Words are as the programs get them,
    but for wildcards that name files of the current folder, which stay as they are written.
    """
    try:
        return tuple(_commands(line))
    except ValueError:
        return None


def is_plain(words: Words) -> bool:
    """Whether a simple command does just what its program is for, and starts or writes nothing else by its options.

    For programs that are known well their options are looked at. Another program is plain: whoever allows it by name
    allows its options too, and a program that runs what the workspace holds (make, pytest) is what it is allowed for.
    """
    return not _objection(words)


def leads_out(word: str) -> bool:
    """Whether a word may name what is not in the workspace, as an argument or as an option's value."""
    return word != "/dev/null" and bool(_OUT.search(word))


def why_not(line: str) -> str:
    """Why no rule for a program can cover the line, in words; "" where one can."""
    try:
        found = tuple(_commands(line))
    except ValueError as error:
        return str(error)
    return next((why for why in map(_objection, found) if why), "")


def why_never(program: str) -> str:
    """Why no rule can allow a program, whatever its arguments; "" where one can."""
    name = program.rpartition("/")[2]
    if name in _RUNS:
        return f"`{program}` can start something else, or changes what later words mean"
    if name in _WRITES:
        return f"`{program}` writes to the files that it is given"
    return f"`{program}` takes a program as its argument" if name in _TAKES_CODE else ""


def offered(words: Words) -> str | None:
    """The rule to offer for a simple command: its program, with the sub-command where it has some.

    None where a rule would cover what cannot be foreseen (an interpreter, `rm`, a program given by its path), or not
    even this command.
    """
    program = words[0]
    if not _NAME.fullmatch(program) or program in _NEVER | _SENDS or _objection(words):
        return None
    if _INTERPRETER.fullmatch(program):
        rule = words[:3] if words[1:2] == ("-m",) else ()
    elif program in _WITH_SUBCOMMAND or program == "make":
        rule = words[: 3 if words[:2] in _THREE_WORDS else 2]
        rule = rule if len(rule) > 1 and all(map(_SUBCOMMAND.fullmatch, rule[1:])) else ()
    else:
        rule = words[:1]
    return None if not rule or any(map(leads_out, words[len(rule) :])) else " ".join(rule)


def is_never_offered(line: str) -> bool:
    """Whether not even the line word for word is offered: what it does is not in its words, or it is `rm` or `sudo`."""
    found = parts(line)
    if found is not None:
        return any(_is_never_offered(words) for words in found)
    if not _is_printable(line) or re.search(r"[$`]|[<>]\(", line):
        return True
    return any(token in _NEVER or _is_interpreter(token) for token in _tokens(_unquoted(line)))


def may_run(words: Words, wanted: Words) -> bool:
    """Whether a simple command may be the one that a denial names.

    Of a program that is known well the sub-command is compared, and the other words may have others between them. In
    any other command, which may run its arguments, the wanted words may stand anywhere.
    """
    program = words[0]
    known = program in _READERS | _MORE.keys() | _SUB_RUNS.keys()
    if not known or _objection(words):
        return may_mention(" ".join(words), wanted)
    if program != wanted[0]:
        return False
    if program in _WITH_SUBCOMMAND and len(wanted) > 1 and not (words[1:2] and words[1].startswith("-")):
        return words[1:2] == wanted[1:2] and _in_order(wanted[2:], words[2:])
    return _in_order(wanted[1:], words[1:])


def _in_order(wanted: Words, words: Words) -> bool:
    left = iter(words)
    return all(word in left for word in wanted)


def may_mention(line: str, wanted: Words) -> bool:
    """Whether a line that can't be read may run the wanted words: each stands in it, in whatever order and quoting.

    The program's name is enough where the line puts in (`$`, a backtick) what may be the other words: anywhere, but for
    a program whose sub-command stands beside it. A program whose very name is put in is not found.
    """
    text = _unquoted(line)
    there = set(_tokens(text))
    first, *others = (set(_tokens(word)) for word in wanted)
    if not first <= there:
        return False
    hidden = _hides_subcommand(text, wanted[0]) if wanted[0] in _WITH_SUBCOMMAND else bool(_PUT_IN.search(text))
    return hidden or set[str]().union(*others) <= there


def _hides_subcommand(text: str, program: str) -> bool:
    """Whether something is put in as the word behind the program's name, or anywhere behind its options."""
    words = text.split()
    last = max((at for at, word in enumerate(words) if _PUT_IN.search(word)), default=-1)
    behind = ((at + 1, words[at + 1]) for at, word in enumerate(words[:-1]) if _tokens(word)[-1:] == [program])
    return any(_PUT_IN.search(word) or (word.startswith("-") and at < last) for at, word in behind)


def _tokens(text: str) -> Sequence[str]:
    return re.findall(r"[\w.+-]+", text)


def _unquoted(line: str) -> str:
    return re.sub(r"\\\n|[\\'\"]", "", line)


# Reading a line


@dataclass(frozen=True)
class _Word:
    text: str
    quoted: bool  # in part
    wild: int | None  # where its first wildcard stands


def _commands(line: str) -> Iterator[Words]:
    """Raises ValueError with the reason, for people."""
    if not _is_printable(line):
        raise ValueError("it holds characters that can't be seen")
    command: list[_Word] = []
    empty_is_wrong = True  # after an operator that wants a command on its right
    for token in _scan(line):
        if isinstance(token, _Word):
            command.append(token)
            continue
        if command:
            yield _checked(command)
            empty_is_wrong = token in ("|", "&&", "||")
        elif token != "\n":
            raise ValueError("a command is missing beside `|`, `&` or `;`")
        command = []
    if command:
        yield _checked(command)
    elif empty_is_wrong:
        raise ValueError("a command is missing")


def _is_printable(line: str) -> bool:
    return all(char.isprintable() or char in "\t\n" for char in line)


def _scan(line: str) -> Iterator[_Word | str]:
    """Words, and operators as they are written."""
    at = 0
    while at < len(line):
        if line[at] in " \t":
            at += 1
        elif found := _HARMLESS.match(line, at):
            at = found.end()
        elif found := _OPERATOR.match(line, at):
            yield found[0]
            at = found.end()
        else:
            word, at = _word(line, at)
            yield word


def _word(line: str, at: int) -> tuple[_Word, int]:
    start, text, wild = at, "", None
    quoted = False
    while at < len(line) and line[at] not in " \t\n|;":
        char = line[at]
        if char in "'\"\\":
            piece, at = _quoted(line, at)
            text, quoted = text + piece, True
            continue
        if line.startswith("{}", at) and at == start and line[at + 2 : at + 3] in ("", " ", "\t", "\n", "|", ";"):
            return _Word("{}", quoted=False, wild=None), at + 2
        at_start = char in "#~" and at == start
        if at_start or (char == "~" and line[at - 1] in "=:") or char in "$`<>&(){}!":
            raise ValueError(_SAID[char])
        wild = len(text) if wild is None and char in _WILD else wild
        text += char
        at += 1
    return _Word(text, quoted, wild), at


def _quoted(line: str, at: int) -> tuple[str, int]:
    """What a quotation at `at` stands for, and where it ends."""
    if line[at] == "\\":
        if line[at + 1 : at + 2] in ("", "\n"):
            raise ValueError("a backslash at the end of a line joins it to the next")
        return line[at + 1], at + 2
    if found := (_SINGLE if line[at] == "'" else _DOUBLE).match(line, at):
        return (found[1] if line[at] == "'" else re.sub(r'\\([$`"\\])', r"\1", found[1])), found.end()
    raise ValueError(_why_open(line, at))


def _why_open(line: str, at: int) -> str:
    if line[at] == '"':
        for found in re.finditer(r'\\.|["$`!]', line[at + 1 :], re.DOTALL):
            if found[0] == '"' or found[0] in _SAID:
                return _SAID.get(found[0], "a backslash at the end of a line joins it to the next")
    return f"the quotation mark {line[at]} is not closed"


def _checked(command: Sequence[_Word]) -> Words:
    first = command[0]
    program = first.text
    if first.quoted:
        raise ValueError("the program's name is quoted")
    if program in _KEYWORDS or "=" in program:
        raise ValueError(f"`{program}` is no simple command")
    for word in command:
        if word.wild is not None:
            _check_wild(word, program, is_first=word is first)
    return tuple(word.text for word in command)


def _check_wild(word: _Word, program: str, *, is_first: bool) -> None:
    text = word.text
    if is_first or "/" in text or ".." in text or (text[0] == "." and word.wild == 1):
        raise ValueError(f"the wildcard in `{text}` may name what is elsewhere")
    if text[0] == "-" or (word.wild == 0 and program not in _READERS):
        raise ValueError(f"a file that `{text}` names may be taken for an option")


# What a simple command does besides


def _objection(words: Words) -> str:
    """What a simple command may run or write besides what its program is for, in words; "" for a plain one."""
    program, *args = words
    name = program.rpartition("/")[2]
    if why := why_never(program):
        return why
    if _is_interpreter(name):
        return _interpreter_objection(program, args)
    return _option_objection(name, args) or _sub_objection(name, args) or _special_objection(name, args)


def _is_interpreter(name: str) -> bool:
    return name in _TAKES_CODE or bool(_INTERPRETER.fullmatch(name))


def _interpreter_objection(program: str, args: Sequence[str]) -> str:
    """A script of the workspace, or a module, is a program of its own; all else is code in the line."""
    module = args[1] if args[:1] == ["-m"] and len(args) > 1 else ""
    if module and re.fullmatch(r"[\w.]+", module) and module.partition(".")[0] not in _RUNNING_MODULES:
        return ""
    if args and args[0] and args[0][0] != "-":
        return ""
    return f"`{program}` runs code that is given to it"


def _option_objection(name: str, args: Sequence[str]) -> str:
    letters, longs = _MORE.get(name, ("", ()))
    if name == "git" and args:
        letters = _GIT_LETTERS.get(args[0], "")
    for word in args:
        if word.startswith("-") and word.lstrip("-").partition("=")[0] in _ONE_DASH.get(name, ()):
            harmful = True
        elif word.startswith("--") and len(word) > 2:
            option = word[2:].partition("=")[0]
            harmful = any(long.startswith(option) for long in longs)  # a long option may be cut short
        else:
            harmful = word.startswith("-") and not set(letters).isdisjoint(word[1:])
        if harmful:
            return f"`{word}` of {name} may run a program or write a file"
    return ""


def _special_objection(name: str, args: Sequence[str]) -> str:
    match name:
        case "find":
            return _first(args, _FIND_RUNS, "runs another program") or _first(args, _FIND_WRITES, "deletes or writes")
        case "git":
            return _git_objection(args)
        case "sed":
            return "" if _is_plain_sed(args) else "what sed is told to do may write a file or run a program"
        case "tar":
            return _tar_objection(args)
        case "uniq" | "xxd":
            return f"the second file of {name} is written" if len(_operands(args)) > 1 else ""
        case "cd":
            return "" if len(args) == 1 and args[0][:1] not in ("", "-") else "`cd` alone, or with `-`, leads elsewhere"
        case "make":
            return next((f"`{word}` changes what make runs" for word in args if "=" in word), "")
        case _:
            return ""


def _operands(args: Sequence[str]) -> Sequence[str]:
    options_end = args.index("--") if "--" in args else len(args)
    return [*(word for word in args[:options_end] if word == "-" or word[:1] != "-"), *args[options_end + 1 :]]


def _first(args: Iterable[str], found: frozenset[str], does: str) -> str:
    return next((f"`{word}` {does}" for word in args if word in found), "")


def _sub_objection(name: str, args: Sequence[str]) -> str:
    runs = _SUB_RUNS.get(name, ())
    return next((f"`{name} {word}` may run its arguments" for word in _subcommand(name, args) if word in runs), "")


def _subcommand(name: str, args: Sequence[str]) -> Sequence[str]:
    """The words that may be it: more than one where options before it may have values."""
    if not args or args[0].startswith("-"):
        return args
    return args[:2] if name in ("docker", "podman", "gh") else args[:1]


def _git_objection(args: Sequence[str]) -> str:
    if not args or args[0] not in _GIT:
        known = args and (args[0].startswith("-") or args[0] in ("config", "submodule", "bisect"))
        shown = f"`{' '.join(('git', *args[:1]))}`"
        return f"{shown} may run other programs" if known else f"{shown} may be an alias for anything"
    return next((f"`{word}` names a program as the other side" for word in args if "::" in word), "")


def _tar_objection(args: Sequence[str]) -> str:
    if args and not args[0].startswith("-") and not set("IFP").isdisjoint(args[0]):
        return f"`{args[0]}` of tar may run a program"
    return next((f"`{word}` may be a file on another machine" for word in args if ":" in word), "")


def _is_plain_sed(args: Sequence[str]) -> bool:
    scripts, operands = list[str](), list[str]()
    left = iter(args)
    for word in left:
        if word in ("-e", "-ne", "-Ee", "-re"):
            scripts.append(next(left, ""))
        elif word.startswith("-"):
            if word not in _SED_OPTIONS:
                return False
        else:
            operands.append(word)
    scripts = scripts or operands[:1]
    return bool(scripts) and all(len(one) <= _LONGEST_SED and _SED_SCRIPT.fullmatch(one) for one in scripts)


def _is_never_offered(words: Words) -> bool:
    name = words[0].rpartition("/")[2]
    if name in _NEVER | _RUNS:
        return True
    return _is_interpreter(name) and (words[1:2] != ("-m",) or bool(_objection(words)))
