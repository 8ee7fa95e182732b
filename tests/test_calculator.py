"""Python that only calculates: what it answers, what it refuses, and that it ends."""

import time

import pytest

from autoagent.commands.calculator import available, calculate
from autoagent.errors import CommandError

pytestmark = pytest.mark.skipif(not available(), reason="the extra calc is not installed")


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("2 ** 100", "1267650600228229401496703205376"),
        ("print('a')\nprint('b')", "a\nb\n"),
        ("print('a')\n'b'", "a\n'b'"),
        ("import math\n[round(math.sqrt(n), 2) for n in (2, 3)]", "[1.41, 1.73]"),
        ("import json\njson.dumps({'이름': 1}, ensure_ascii=False)", "'{\"이름\": 1}'"),
        ("x = 1", ""),
    ],
)
def test_shown_is_what_it_prints_and_the_last_value(code: str, shown: str):
    assert calculate(code, (), 10) == shown


def test_arguments_are_a_list():
    assert calculate("sum(int(one) for one in argv)", ("1", "2"), 10) == "3"


def test_arguments_that_would_be_missed_are_pointed_out():
    with pytest.raises(CommandError, match="argv"):
        calculate("import sys\nprint(sys.argv[1:])", ("1",), 10)


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess",
        "import socket",
        "open('/etc/passwd').read()",
        "open('new', 'w')",
        "import os\nos.listdir('/')",
        "import pathlib\npathlib.Path('/etc/passwd').read_text()",
        "class A:\n    pass\nclass B(A):\n    pass",
        "def f():\n    yield 1",
    ],
)
def test_what_it_lacks_is_said_in_words(code: str):
    with pytest.raises(CommandError, match="only calculates here"):
        calculate(code, (), 10)


def test_no_key_of_the_environment_is_seen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CANARY", "sk-canary-1")
    with pytest.raises(CommandError) as refused:
        calculate("import os\nprint(os.environ)\nprint(os.getenv('CANARY'))", (), 10)
    assert "sk-canary" not in str(refused.value)


def test_an_error_tells_its_line_and_what_was_printed_before():
    with pytest.raises(CommandError, match=r"ZeroDivisionError: .*\(line 2\)\nIt printed before: before"):
        calculate("print('before')\n1 / 0", (), 10)


def test_a_slip_in_the_syntax_tells_its_line():
    with pytest.raises(CommandError, match=r"not Python: .* \(line 2\)"):
        calculate("x = 1\ny = (", (), 10)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("while True: pass", "longer than timeout_s"),
        ("x = [0]\nwhile True: x += x", "more than 256 MiB"),
        ("x = 10 ** 10 ** 9", "more than 256 MiB"),
        ("while True: print('a' * 1000)", "prints more than 1 MiB"),
        ("def f(): return f()\nf()", "RecursionError"),
        ("import re\nre.match('(a+)+$', 'a' * 40 + 'b')", ""),
    ],
)
def test_whatever_it_calculates_it_ends(code: str, words: str):
    began = time.monotonic()
    if words:
        with pytest.raises(CommandError, match=words):
            calculate(code, (), 1)
    else:
        calculate(code, (), 1)
    assert time.monotonic() - began < 8


@pytest.mark.parametrize("code", ["10 ** 6000", "[0] * 1_000_000"])
def test_a_value_that_is_too_long_is_refused_in_words(code: str):
    with pytest.raises(CommandError, match="too long to be shown"):
        calculate(code, (), 10)


def test_a_sleep_costs_no_time():
    began = time.monotonic()
    calculate("import time\ntime.sleep(1000)", (), 5)
    assert time.monotonic() - began < 5
