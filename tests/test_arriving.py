"""What a person can read of a reply that is not whole yet."""

import json
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoagent.terminal.arriving import Arriving
from autoagent.terminal.layout import cells

THOUGHT = {
    "thoughts": {
        "text": 'Three of "네" 자료 👩‍💻 \\ are\nread.',
        "reasoning": "",
        "plan": ["[x] find", "[ ] read"],
        "speak": None,
    },
    "commands": [{"name": "read_file", "args": {"path": "a.md", "offset": 3, "deep": {"x": [True, "last"]}}}],
}
READ = 'Three of "네" 자료 👩‍💻 \\ are read. · [x] find · [ ] read · read_file · a.md · last…'


def heard(*parts: str, prose: bool = False) -> Arriving:
    arriving = Arriving(prose=prose)
    for part in parts:
        arriving.add(part)
    return arriving


@given(st.lists(st.integers(0, 400), max_size=40), st.booleans())
def test_it_reads_the_same_however_the_reply_is_cut(cuts: list[int], ascii_only: bool):
    reply = json.dumps(THOUGHT, ensure_ascii=ascii_only)
    ends = sorted({0, len(reply), *(cut for cut in cuts if cut < len(reply))})
    assert heard(*(reply[start:end] for start, end in pairwise(ends))).tail(400) == READ


@given(st.text())
def test_any_text_of_a_thought_comes_whole(text: str):
    shown = heard(json.dumps({"thoughts": {"text": text}})).tail(10_000)
    assert shown == heard(text, prose=True).tail(10_000)


@given(st.text())
def test_no_reply_can_break_it(reply: str):
    arriving = heard(*reply)
    assert cells(arriving.tail(40)) <= 40


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        (['{"thoughts": {"text": "I lo'], "I lo…"),
        (["```json\n", '{"thoughts": {"text": "I look'], "I look…"),
        (["<think>hm", "</think>", '{"text": "so'], "so…"),
        (["I am not JSON"], "I am not JSON…"),
        (["{'thoughts': {'text': 'it\\'s \"so\""], 'it\'s "so"…'),
        (['{"thoughts"'], ""),
        (['{"text": "', r"\ud83d", r"\ude42", "!"], "🙂!…"),
        (['{"text": "', r"\ud83d", "!"], "\ufffd!…"),
        (['{"text": "', r"\ude42\u00zz!"], "\ufffd\ufffd!…"),
        (['{"text": "\\u001b[2J\\r\\u202e'], "\\x1b[2J \\u{202e}…"),
    ],
)
def test_what_is_shown(parts: list[str], shown: str):
    assert heard(*parts).tail(70) == shown


def test_prose_keeps_its_braces():
    assert heard('{"a": 1} is', " the answer", prose=True).tail(70) == '{"a": 1} is the answer…'


@pytest.mark.parametrize("width", [10, 11, 24, 40, 79])
def test_the_end_fits_the_width(width: int):
    shown = heard('{"text": "' + "한국어 문장 👩‍💻 words " * 90).tail(width)
    assert cells(shown) <= width
    assert shown.startswith("…")
    assert shown.endswith("words")


def test_tokens_are_about_four_bytes_each():
    assert heard("a" * 400).tokens == 100
    assert heard("한" * 40).tokens == 30


def test_a_long_reply_costs_no_more_at_its_end():
    reply = json.dumps({"text": "한글 \n" * 60_000})
    parts = [reply[i : i + 4] for i in range(0, len(reply), 4)]
    half = len(parts) // 2
    arriving, seconds = Arriving(), list[float]()
    for some in (parts[:half], parts[half:]):
        began = time.process_time()
        for part in some:
            arriving.add(part)
        seconds.append(time.process_time() - began)
    assert seconds[1] < 3 * seconds[0] + 0.1
