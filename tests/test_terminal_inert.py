"""Cases 095-118: nothing that a model, file, page or person wrote moves the terminal or passes for our words."""

import io
import time
from pathlib import Path

import pytest
import test_terminal_script as script
from hypothesis import given
from hypothesis import strategies as st

from autoagent.budget import Limits
from autoagent.journal import Journal
from autoagent.terminal.calls import call_lines
from autoagent.terminal.ending import ending
from autoagent.terminal.header import error_line
from autoagent.terminal.inert import inert, json_escaped
from autoagent.terminal.layout import Line, cells, foreign, rows
from autoagent.terminal.look import Look
from autoagent.terminal.question import Question, question_lines
from autoagent.terminal.screen import Screen
from autoagent.thoughts import CommandCall

ORDINARY = [
    "日本語 🙂 é",
    "한글 \u1112\u1161\u11ab\u1100\u1173\u11af e\u0301",
    "👩‍👩‍👧 👩🏽‍💻 ❤️‍🔥 🏳️‍🌈 1️⃣ ❤️ 🇰🇷",
    "a\tb\nc",
    "東京\u3000 12\u00a0km",
    "葛\U000e0100城市",
]
HOSTILE = {
    "095 colour": ("\x1b[31mSYSTEM: approved\x1b[0m", "\\x1b[31mSYSTEM: approved\\x1b[0m"),
    "096 erase line": ("x\x1b[1A\x1b[2K", "x\\x1b[1A\\x1b[2K"),
    "097 title": ("\x1b]0;t\x07", "\\x1b]0;t\\x07"),
    "098 clipboard": ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
    "099 link": (
        "\x1b]8;;https://evil.example\x1b\\https://good.example\x1b]8;;\x1b\\",
        "\\x1b]8;;https://evil.example\\x1b\\https://good.example\\x1b]8;;\\x1b\\",
    ),
    "100 unterminated": ("\x1b]0;all the rest", "\\x1b]0;all the rest"),
    "101 device query": ("\x1b[6n", "\\x1b[6n"),
    "102 C1": ("\x9b2J", "\\x9b2J"),
    "102 raw byte": (b"\x9b2J".decode(errors="surrogateescape"), "\\x9b2J"),
    "103 carriage return": ("ls\rrm -rf .", "ls\\rrm -rf ."),
    "104 bidi": ("a\u202eb\u2066c", "a\\u{202e}b\\u{2066}c"),
    "105 zero width": ("https://exa\u200bmple.org", "https://exa\\u{200b}mple.org"),
    "106 tags": ("hi\U000e0041\U000e007f", "hi\\u{e0041}\\u{e007f}"),
    "108 file name": ("a\x1b[2J.txt", "a\\x1b[2J.txt"),
    "BOM": ("\ufeffx", "\\u{feff}x"),
    "lone surrogate": ("a\ud83d", "a\\u{d83d}"),
    "joiner between letters": ("pay\u200dpal", "pay\\u{200d}pal"),
    "hidden selectors": ("a\ufe01\U000e0155", "a\\u{fe01}\\u{e0155}"),
    "many selectors": ("🙂\ufe0f\ufe01\ufe02", "🙂\ufe0f\\u{fe01}\\u{fe02}"),
    "filler": ("a\u3164b\u115fc", "a\\u{3164}b\\u{115f}c"),
    "line separator": ("a\u2028b", "a\\u{2028}b"),
    "backspace and bell": ("a\bb\x7f\0", "a\\x08b\\x7f\\x00"),
}


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_unchanged(text: str):
    assert inert(text) == text


@pytest.mark.parametrize("case", HOSTILE)
def test_what_a_terminal_obeys_is_shown_and_stays_recognisable(case: str):
    text, shown = HOSTILE[case]
    assert inert(text) == shown


def test_a_sequence_split_over_two_reads_is_inert():
    assert inert("\x1b") + inert("[2J") == "\\x1b[2J"


@given(st.text())
def test_only_printable_characters_tabs_and_newlines_pass(text: str):
    assert not [c for c in inert(text) if ord(c) < 32 and c not in "\n\t"]
    assert not [
        c for c in inert(text) if 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 or "\u202a" <= c <= "\u202e"
    ]


def test_twenty_thousand_sequences_take_less_than_a_second():
    began = time.monotonic()
    assert inert("\x1b[31m\u200d\ufe0f" * 20_000).count("\\x1b") == 20_000
    inert("👩\u200d" * 20_000)
    assert time.monotonic() - began < 1


def test_a_newline_can_be_shown_too():
    assert inert("a\nb", newlines=False) == "a\\nb"


def test_arguments_to_edit_hide_nothing_and_come_back_the_same():
    import json

    args = {"a": "x\u202ey\U000e0041\x1b[2J 한글 🙂"}
    text = json_escaped(json.dumps(args, ensure_ascii=False))
    assert "한글 🙂" in text
    assert inert(text) == text
    assert json.loads(text) == args


def test_every_foreign_line_stands_behind_the_gutter():
    for made in foreign("fine\nNEXT ACTION: approved\n✓ run_shell"):
        assert all(text_of(row).startswith("  ") for row in rows(made, 20))


def text_of(row: list[tuple[str, str]]) -> str:
    return "".join(text for text, _ in row)


def drawn(lines: list[Line], columns: int = 80) -> list[str]:
    return [text_of(row) for made in lines for row in rows(made, columns)]


def test_a_command_pushed_off_the_screen_is_wrapped_with_its_end_in_sight():
    call = CommandCall(name="run_shell", args={"command": f"ls{' ' * 300}; rm -rf ~"})
    lines = drawn(call_lines(call))
    assert "; rm -rf ~" in lines[-1]
    assert all(cells(text) <= 80 for text in lines)


def test_a_command_of_200_lines_shows_its_count_and_its_last_lines():
    command = "\n".join(f"echo {i}" for i in range(200))
    text = "\n".join(drawn(call_lines(CommandCall(name="run_shell", args={"command": command}))))
    assert "200 lines" in text
    assert "echo 199" in text
    assert "echo 0" in text
    assert "echo 100" not in text
    assert "echo 100" in "\n".join(
        drawn(call_lines(CommandCall(name="run_shell", args={"command": command}), full=True))
    )


def test_a_very_long_line_shows_its_end_and_how_much_is_missing():
    call = CommandCall(name="run_shell", args={"command": "x" * 10_000 + "; rm -rf ~"})
    text = " ".join(drawn(call_lines(call)))
    assert "; rm -rf ~" in text
    assert "more characters" in text


@pytest.mark.parametrize("case", sorted(HOSTILE.keys() - {"lone surrogate", "102 raw byte"}))
@pytest.mark.parametrize("columns", [30, 80])
def test_no_place_on_the_screen_lets_it_through(case: str, columns: int, tmp_path: Path):
    bad = HOSTILE[case][0] + "\nerror: forged\n✓ forged"
    text = draw(script.hostile(bad), tmp_path, columns)
    assert not [c for c in text if not (c.isprintable() or c in "\n\ufe0f\u200d")]
    starts = [row[:8] for row in text.split("\n")]
    assert "error: f" not in starts
    assert "✓ forged" not in starts


class Sized(Look):
    width = 80

    @property
    def columns(self) -> int:
        return self.width


def draw(
    events: list[script.Event],
    folder: Path,
    columns: int,
    *,
    verbose: bool = True,
    setup: script.Setup = script.SETUP,
) -> str:
    """What the plain screen shows of these events, with the question, the ending and an error."""
    look = Sized(io.StringIO(), rich=False)
    look.width = columns
    screen = Screen(look, verbose=verbose)
    with Journal(folder / "run") as journal:
        journal.append(
            script.RunStarted(run_id="7f3a", goal="g", setup=setup, limits=Limits(), system="", nonce="n", version="0")
        )
        journal.observers.append(screen.observe)
        for event in events:
            journal.append(event)
            if screen.asked:
                look.write(*question_lines(Question(screen.asked, journal.state), narrow=look.narrow, full=True))
                ending(look, journal.state)
        script.finish(journal, events[0].at if not events else "bad\x1b[2Jend")
        ending(look, journal.state)
    error_line(look, "\x1b[2J bad")
    assert isinstance(look.stream, io.StringIO)
    return look.stream.getvalue()


@pytest.mark.parametrize("columns", [30, 50, 64, 80, 200])
def test_no_row_is_wider_than_the_terminal(columns: int, tmp_path: Path):
    wide = "한국어와 日本語の長い文章、👩‍👩‍👧と🙂 " * 8 + "x" * 150
    for row in draw(script.hostile(wide), tmp_path, columns).split("\n"):
        assert cells(row) <= columns
