"""Amounts as a person reads them."""

import io

import pytest

from autoagent.budget import Limits, Usage
from autoagent.terminal.header import error_line, limits_line, warn_line
from autoagent.terminal.look import Look
from autoagent.terminal.words import duration, spent, thousands

PRICED, UNKNOWN = Usage(calls=1, cost_usd=0.08), Usage(calls=1, unpriced_calls=1)


@pytest.mark.parametrize(
    ("usage", "limit", "words"),
    [
        (PRICED, 1.0, "$0.08 of $1.00"),
        (PRICED, None, "$0.08"),
        (Usage(calls=3), None, ""),
        (Usage(), 1.0, "$0.00 of $1.00"),
        (UNKNOWN, None, "?"),
        (UNKNOWN, 1.0, "? of $1.00"),
        (PRICED + UNKNOWN, None, "$0.08 + ?"),
        (Usage(calls=1, cost_usd=0.0004), None, "$0.00040"),
    ],
)
def test_an_unknown_price_is_never_written_as_nothing(usage: Usage, limit: float | None, words: str):
    assert spent(usage, Limits(cost_usd=limit)) == words


def test_time_and_tokens():
    assert [duration(s) for s in (0.12, 14, 360, 7_500)] == ["0.1 s", "14 s", "6 min", "2 h 5 min"]
    assert [thousands(n) for n in (412, 4_200, 9_000, 38_400, 1_300_000)] == ["412", "4.2k", "9k", "38k", "1.3M"]


def test_messages_wrap_under_their_first_word():
    look = Look(io.StringIO(), rich=False)
    error_line(look, "word " * 20)
    warn_line(look, "word " * 20)
    limits_line(look, Limits(cost_usd=2.0, time_s=1_800))
    assert isinstance(look.stream, io.StringIO)
    first, second, third, fourth, limits = look.stream.getvalue().splitlines()
    assert first.startswith("error: word")
    assert second.startswith("       word")
    assert third.startswith("! word")
    assert fourth.startswith("  word")
    assert limits == "  Limits  $2.00 · 50 steps · 30 min of work"
