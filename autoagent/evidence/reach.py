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
    awk basename bc cat comm cut date diff dirname du echo expand expr fold grep egrep fgrep gawk head jq join ls mawk
    md5sum nl od paste printf pwd rev sed seq sha256sum sort stat tac tail test true tr uniq wc xxd zcat [ : find cd
    sleep set python python3
    """
)
_COUNT = _names("echo printf wc grep tr sort uniq seq date basename dirname bc expr cut")
_KEYWORDS = _names("for in do done if then elif else fi while until case esac ! { } ( )")
_BEFORE_A_PROGRAM = _names("do then else elif ! { ( | || && ; & if while until")
_ALL_BELOW = re.compile(r"-[a-zA-Z]*[rR][a-zA-Z]*|--(?:dereference-)?recursive")  # grep -r
_RUNS = _names("-exec -execdir -ok -okdir")
_PUT_IN = re.compile(r"`|<\(|\beval\b|\bsource\b")
_HEREDOC = re.compile(r"\s*python3?\s+(?:-\s+)?<<-?\s*(['\"]?)(\w+)\1[ \t]*\n(?P<code>.*?)\n\2\s*", re.DOTALL)

_OPENS = _names(
    """
    open Path PurePath read_csv read_excel read_json read_table read_parquet loadtxt genfromtxt load_workbook read_text
    fromfile connect PdfReader Document
    """
)
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
    if _PUT_IN.search(line) or "<<" in line:
        return ANY
    try:
        words = _words(line)
    except ValueError:
        return ANY
    found, commands = list(words), list(_commands(words))
    if "$(" in line and not all(_names_no_file(*command) for command in commands):
        return ANY
    for program, *given in commands:
        if program not in _READERS or _reads_all_below(program, given):
            return ANY
        if program.startswith("python"):
            inner = _of_python(given[1]) if given[:1] == ["-c"] and given[1:] else ANY
            if inner.any:
                return ANY
            found += inner.words
    loops = any(word == "for" for word in words)
    return ANY if not loops and any(word.startswith("$") for word in found) else _named(iter(found))


def _commands(words: list[str]) -> Iterator[list[str]]:
    """Each program of a line with its words."""
    command: list[str] = []
    in_head = False  # of a loop: for NAME in WORD …
    for word in [*words, ";"]:
        if in_head or word == "for":
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
    known = frozenset(_known_names(nodes))
    if any(_may_open_any(node, known) for node in nodes):
        return ANY
    texts = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return _named(word for text in texts if len(text) < 300 for word in (text, *text.split()))


def _known_names(nodes: list[ast.AST]) -> Iterator[str]:
    """Variables that hold a written name of a file, or one after the other of a written list of them."""
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant()):
                yield name
            case ast.For(target=ast.Name(id=name), iter=ast.List(elts=each) | ast.Tuple(elts=each)):
                yield from [name] if all(isinstance(one, ast.Constant) for one in each) else []
            case ast.comprehension(target=ast.Name(id=name), iter=ast.List(elts=each) | ast.Tuple(elts=each)):
                yield from [name] if all(isinstance(one, ast.Constant) for one in each) else []
            case ast.withitem(optional_vars=ast.Name(id=name), context_expr=ast.Call()):
                yield name  # a file that was opened by its name
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=opened))) if opened in _OPENS:
                yield name
            case _:
                pass


def _may_open_any(node: ast.AST, known: frozenset[str]) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in _FIND_ANY:
            return True
        case ast.Import(names=modules):
            return any(module.name.partition(".")[0] not in _KNOWN_MODULES for module in modules)
        case ast.ImportFrom(module=module):
            return (module or "").partition(".")[0] not in _KNOWN_MODULES
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[first, *_]) if name in _OPENS:
            return not _is_known(first, known)
        case _:
            return False


def _is_known(given: ast.expr, known: frozenset[str]) -> bool:
    match given:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return name in known
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _is_known(left, known) and _is_known(right, known)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=arguments):
            return name in _OPENS and all(_is_known(one, known) for one in arguments)
        case _:
            return False
