"""What a typed line means."""

import pytest

from autoagent.terminal.answers import Answer, latin_keys, read_answer

MEANINGS = {
    "y": Answer("yes"), " YES ": Answer("yes"), "ok": Answer("yes"), "yes.": Answer("yes"), "ｙ": Answer("yes"),
    "ㅛ": Answer("yes"), "ㅛㄷㄴ": Answer("yes"), "ㅐㅏ": Answer("yes"), "\u116d": Answer("yes"), "네": Answer("yes"),
    "y 5": Answer("yes", more=4), "y -5": Answer("yes", more=4), "y5": Answer("yes", more=4),
    "ㅛ 3": Answer("yes", more=2), "y 0": Answer("unclear"),
    "n": Answer("no"), "no": Answer("no"), "ㅜ": Answer("no"), "ㅜㅐ": Answer("no"), "아니요": Answer("no"),
    "n use csv": Answer("no", "use csv"), "ㅜ 다른 파일": Answer("no", "다른 파일"),
    "e": Answer("edit"), "ㄷ": Answer("edit"), "a": Answer("always"), "ㅁ": Answer("always"),
    "s": Answer("critic"), "ㄴ": Answer("critic"), "d": Answer("details"), "ㅇ": Answer("details"),
    "?": Answer("help"), "q": Answer("pause"), "ㅂ": Answer("pause"), "quit": Answer("pause"),
    "벼ㅑㅅ": Answer("pause"),
    "yes but only the EU": Answer("advice", "yes but only the EU"), "한글로 써 줘": Answer("advice", "한글로 써 줘"),
    "edit it yourself": Answer("advice", "edit it yourself"),
    "": Answer("unclear"), "x": Answer("unclear"), "\x1b[200~y": Answer("unclear"), "\x1b[201~": Answer("unclear"),
}  # fmt: skip


@pytest.mark.parametrize("typed", MEANINGS)
def test_a_typed_line_means_what_it_should(typed: str):
    assert read_answer(typed) == MEANINGS[typed]


def test_composed_hangul_gives_the_keys_that_were_pressed():
    assert latin_keys("안녕") == "dkssud"
    assert latin_keys("ㄷ얏") == "edit"
