"""Which files a program may have read, as far as its command tells: named ones, those of a pattern, or any.

Of a file that it can't have read no word is in its output, however alike a figure looks. Whatever can't be told from
the command (a script, a test runner, names put together anew) may have read every file.
"""

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from posixpath import basename

from autoagent.thoughts import CommandCall


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_READERS = _names(  # they read what stands on their line, and their standard input
    """
    awk basename bc cat comm cut date dirname du echo expand expr fold grep egrep fgrep gawk head jq join ls mawk
    md5sum nl od paste printf pwd rev sed seq sha256sum sort stat tac tail test true tr uniq wc xxd zcat [ : find cd
    sleep set python python3
    """
)
_COUNT = _names("echo printf wc grep tr sort uniq seq date basename dirname bc expr cut")
_KEYWORDS = _names("for in do done if then elif else fi while until case esac ! { } ( )")
_BEFORE_A_PROGRAM = _names("do then else elif ! { ( ) | || && ; & if while until")
_REDIRECTIONS = _names("< > >>")
_ALL_BELOW = re.compile(r"-[A-Za-z0-9]*[rRd][A-Za-z0-9]*|--(?:dereference-)?recursive|--directories.*")  # grep -r
_RUNS = _names("-exec -execdir -ok -okdir")
_PUT_IN = re.compile(r"`|<\(|\beval\b|\bsource\b|\{[^}\s]*(?:,|\.\.)[^}\s]*\}")  # braces make words
_JOINED = re.compile(r"[();<>|&]+")
_LOOP = re.compile(r"(?:^|[;&|(\n]|\bdo\b)\s*for\s+\w+\s+in\s")
_HEREDOC = re.compile(r"\s*python3?\s+(?:-\s+)?<<-?\s*(['\"]?)(\w+)\1[ \t]*\n(?P<code>.*?)\n\2\s*", re.DOTALL)

_READS = re.compile(  # whatever reads a file, by its name or by what was opened
    r"open|read\w*|load|load_workbook|loadtxt|genfromtxt|fromfile|parse|connect|Path|PurePath|joinpath"
    r"|\w*(?:[rR]eader|File|Document|Input|Dataset)"
)
_FILES = _names("file path filepath filename filepath_or_buffer io fname source")  # keywords that name one
_FIND_ANY = _names(
    """
    glob iglob rglob listdir scandir walk iterdir system popen Popen run call check_call check_output getoutput eval
    exec compile import_module __import__ argv environ input urlopen with_name with_stem with_suffix parent chr fromhex
    b64decode unhexlify
    """
)
_KNOWN_MODULES = _names(
    """
    csv json re math cmath statistics collections datetime decimal fractions itertools functools io pathlib string
    unicodedata textwrap operator typing dataclasses enum random sys time calendar locale pprint heapq bisect copy os
    pandas numpy openpyxl sqlite3 docx pypdf hashlib zipfile xml html difflib __future__
    """
)
_MODULES = _KNOWN_MODULES | _names("pd np ET openpyxl etree")


@dataclass(frozen=True)
class Reach:
    """`words` are names and patterns of files."""

    any: bool = True
    words: frozenset[str] = frozenset()

    def holds(self, path: str) -> bool:
        name = basename(path)
        return self.any or any(word == name or fnmatchcase(name, word) for word in self.words)


ANY = Reach()


def reach_of(call: CommandCall) -> Reach:
    code, line = call.args.get("code"), call.args.get("command")
    if isinstance(code, str) and code and not call.args.get("path"):
        return _of_python(code)
    return _of_shell(line) if isinstance(line, str) and not call.args.get("background") else ANY


def _named(words: Iterator[str]) -> Reach:
    return Reach(any=False, words=frozenset(basename(word.rstrip("/")) for word in words if word))


# -- shell -------------------------------------------------------------------------------------------------------------


def _of_shell(line: str) -> Reach:
    if heredoc := _HEREDOC.fullmatch(line):
        return _of_python(heredoc["code"])
    if _PUT_IN.search(line.replace("{print", "{ print")) or "<<" in line:
        return ANY
    try:
        words = _words(line)
    except ValueError:
        return ANY
    found, commands = list(words), list(_commands(words))
    if "$(" in line and not all(_names_no_file(*command) for command in commands):
        return ANY
    if any(_JOINED.fullmatch(word) and word not in _BEFORE_A_PROGRAM | _REDIRECTIONS for word in words):
        return ANY
    for program, *given in commands:
        if program not in _READERS or _reads_all_below(program, given):
            return ANY
        if program.startswith("python"):
            inner = _of_python(given[1]) if given[:1] == ["-c"] and given[1:] else ANY
            if inner.any:
                return ANY
            found += inner.words
    given_elsewhere = any(word.startswith("$") for word in found) and not _LOOP.search(line)
    elsewhere = any(word.startswith(("/", "~")) or ".." in word for word in found)
    return ANY if given_elsewhere or elsewhere else _named(iter(found))


def _commands(words: list[str]) -> Iterator[list[str]]:
    """Each program of a line with its words."""
    command: list[str] = []
    in_head = False  # of a loop: for NAME in WORD …
    for word in [*words, ";"]:
        if in_head or (word == "for" and not command):
            in_head = word not in ("do", ";")
        elif word in _BEFORE_A_PROGRAM:
            if command:
                yield command
            command = []
        elif command:
            command.append(word)
        elif word not in _KEYWORDS and "=" not in word:
            command = [basename(word)]


def _names_no_file(program: str, *given: str) -> bool:
    """Whether what it prints, put into a line, is no name of a file."""
    lists_files = program == "grep" and any(re.fullmatch(r"-\w*[lL]\w*|--files\S*", word) for word in given)
    return program in _COUNT and not lists_files


def _reads_all_below(program: str, given: list[str]) -> bool:
    if program == "find":
        return not _RUNS.isdisjoint(given)
    return program.endswith("grep") and any(_ALL_BELOW.fullmatch(word) for word in given)


def _words(line: str) -> list[str]:
    if "$(" in line:  # what it puts in is a command like the others
        line = line.replace('"', " ").replace("$(", " ; ").replace(")", " ; ")
    reading = shlex.shlex(line.replace("\n", " ; "), posix=True, punctuation_chars=True)
    reading.whitespace_split, reading.commenters = True, ""
    return list(reading)


# -- Python ------------------------------------------------------------------------------------------------------------


def _of_python(code: str) -> Reach:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ANY
    nodes = list(ast.walk(tree))
    known = _known_names(nodes)
    if any(_may_open_any(node, known) for node in nodes):
        return ANY
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    if any(text.startswith(("/", "~")) or text.startswith("..") for text in texts):
        return ANY
    return _named(word for text in texts if len(text) < 300 for word in (text, *text.split()))


def _known_names(nodes: list[ast.AST]) -> frozenset[str]:
    """Variables that hold, wherever they are bound, the written name of a file or what was opened by one."""
    bound: dict[str, list[bool]] = {}
    names: frozenset[str] = frozenset()
    for _ in range(3):  # a name may stand for another's
        bound = {}
        for node in nodes:
            for name, is_known in _bindings(node, names):
                bound.setdefault(name, []).append(is_known)
        names = frozenset(name for name, known in bound.items() if all(known))
    return names


def _bindings(node: ast.AST, known: frozenset[str]) -> Iterator[tuple[str, bool]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((name, _is_known(value, known)) for target in targets for name in _names_in(target))
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield from ((name, _is_known(value, known)) for name in _names_in(target))
        case ast.NamedExpr(target=target) | ast.AugAssign(target=target):
            yield from ((name, False) for name in _names_in(target))
        case ast.For(target=target, iter=of) | ast.comprehension(target=target, iter=of):
            written = isinstance(of, ast.List | ast.Tuple) and all(isinstance(one, ast.Constant) for one in of.elts)
            yield from ((name, written) for name in _names_in(target))
        case ast.withitem(context_expr=of, optional_vars=ast.expr() as target):
            yield from ((name, _is_known(of, known)) for name in _names_in(target))
        case ast.arg(arg=name):
            yield name, False
        case _:
            pass


def _names_in(target: ast.AST) -> Iterator[str]:
    yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def _may_open_any(node: ast.AST, known: frozenset[str]) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in _FIND_ANY:
            return True
        case ast.Import(names=modules):
            return any(module.name.partition(".")[0] not in _KNOWN_MODULES for module in modules)
        case ast.ImportFrom(module=module):
            return (module or "").partition(".")[0] not in _KNOWN_MODULES
        case ast.Call(func=ast.Name(id=name), args=given, keywords=keywords) if _READS.fullmatch(name):
            return not _are_known([*given[:1], *_files(keywords)], known)
        case ast.Call(func=ast.Attribute(value=of, attr=name), args=given, keywords=keywords) if _READS.fullmatch(name):
            module = isinstance(of, ast.Name) and of.id in _MODULES
            return not _are_known([*given[:1], *_files(keywords), *([] if module else [of])], known)
        case _:
            return False


def _files(keywords: list[ast.keyword]) -> list[ast.expr]:
    return [keyword.value for keyword in keywords if keyword.arg is None or keyword.arg in _FILES]


def _are_known(given: list[ast.expr], known: frozenset[str]) -> bool:
    return all(_is_known(one, known) for one in given)


def _is_known(given: ast.expr, known: frozenset[str]) -> bool:
    match given:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return name in known
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _is_known(left, known) and _is_known(right, known)
        case ast.Call(func=ast.Name(id=name), args=[first, *_]) if _READS.fullmatch(name):
            return _is_known(first, known)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=of), attr=name), args=[first, *_]) if of in _MODULES:
            return _READS.fullmatch(name) is not None and _is_known(first, known)
        case ast.Call(func=ast.Attribute(value=of, attr=name)) if _READS.fullmatch(name):
            return _is_known(of, known)
        case _:
            return False
