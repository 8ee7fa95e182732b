"""A quote is found word for word, whatever became of its spaces, line breaks and marks; anything else is not."""

import random
import re
from unicodedata import normalize

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autoagent.evidence import passage
from autoagent.evidence.folding import Folded
from autoagent.evidence.quotes import is_whole_cell, places, too_short


def found(quote: str, text: str, *, numbered: bool = False) -> list[str]:
    return [text[place.start : place.end] for place in places(quote, Folded(text, numbered=numbered))]


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("the price is “49” dollars", 'But the\n  price  is "49" dollars'),
        ("important information", "impor-\ntant infor\u00admation"),
        ("a well-known and so-called case", "a well\u2011known and so–called case"),
        ("it's the firm's own", "it’s the firm´s own"),
        ("efficient fish", "eﬃcient ﬁsh"),
        ("ｶﾀｶﾅ テスト ABC 123", "カタカナ テスト ＡＢＣ １２３"),
        ("서울시의 예산은 49억원", "서울 시의 예산은 49억 원입니다"),
        (normalize("NFD", "서울시의 예산은"), "서울시의 예산은"),
        ("서울시의 예산은", normalize("NFD", "서울시의 예산은 얼마")),
        ("Café de la Paix", "Cafe\u0301 de la Paix"),
        ("Acme | 49 | monthly", "| Acme\t| 49 | **monthly** |"),
        ("Acme 49 monthly", "Acme\t49\tmonthly"),
        ("the bold claim here", "the **bold** _claim_ here"),
        ("first item second item", "- first item\n- second item"),
        ("the end of a page goes on", "the end of a page\n[page 3]\ngoes on"),
        ("ACME CHARGES", "Acme charges"),
        ("up 12% in 2019", "up 12 % in 2019"),
        ("½ of the users", "It is ½ of the users"),
        ("1/2 of the users", "It is ½ of the users"),
        ("it grew 3 1/2 percent", "it grew 3½ percent"),
        ("an area of 10² metres", "an area of 10² metres"),
        ("an area of 10 m2", "an area of 10 m²"),
        ("the total is 1 234 567", "the total is 1\u202f234\u202f567 units"),
        ("of 12 columns here", "of 12 columns here 345"),
        ("the widths 12", "the widths 12 345"),
        ("345 people came", "In 2019 345 people came"),
        ("the sum 12 345", "the sum 12 345 67"),
        ("rows 12 345", "rows 12 345\n678 900"),
    ],
)
def test_a_quote_is_found_in_the_form_that_the_text_has(quote: str, text: str) -> None:
    assert found(quote, text)


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("no table results", "notable results"),
        ("notable results", "no table results"),
        ("costs 1.5 litres", "costs 15 litres"),
        ("costs 15 litres", "costs 1.5 litres"),
        ("1.234 people came", "1,234 people came"),
        ("5 litres of milk", "1.5 litres of milk"),
        ("costs 1,234", "costs 1,234,567"),
        ("234,567 people", "1,234,567 people"),
        ("12 of the users", "½ of the users"),
        ("2 of the users", "½ of the users"),
        ("it grew 312 percent", "it grew 3½ percent"),
        ("it grew 31/2 percent", "it grew 3½ percent"),
        ("it grew 3 percent", "it grew 3½ percent"),
        ("½ percent in all", "3½ percent in all"),
        ("it grew by 3", "it grew by 3½"),
        ("an area of 102 metres", "an area of 10² metres"),
        ("the total is 1 234", "the total is 1 234 567"),
        ("the total is 1,234", "the total is 1 234 567"),
        ("234 567 units", "the total is 1 234 567 units"),
        ("the total is 1", "the total is 1\u202f234"),
        ("the total is 1'234", "the total is 1'234'567"),
        ("567 units sold", "the total is 1\u00a0567 units sold"),
        ("up 12% in all", "up 12 in all"),
        ("it fell -5 points", "it fell 5 points"),
        ("it fell 5 points", "it fell -5 points"),
        ("€49 a month", "$49 a month"),
        ("x > 5 points", "x < 5 points"),
        ("change the plan", "exchange the plan"),
        ("the plan change", "the plan changes"),
        ("400 units sold", "NS400 units sold"),
        ("예산은 49억", "예산은 94억"),
        ("か行のことば", "が行のことば"),
        ("ことばか", normalize("NFD", "ことばが")),
        ("가능하다고 위원회가 밝혔다", "불가능하다고 위원회가 밝혔다"),
        ("위원회가 밝혔다고 하", normalize("NFD", "위원회가 밝혔다고 한다")),
        ("위원회가 밝혔다고 하", "위원회가 밝혔다고 한다"),
    ],
)
def test_what_says_something_else_is_not_found(quote: str, text: str) -> None:
    assert not found(quote, text)


def test_line_numbers_of_a_file_are_no_part_of_its_text() -> None:
    text = "p.md, lines 12-13 of 20\n12\tThe price of it\n13\tis 49 dollars\n"

    assert found("The price of it is 49 dollars", text, numbered=True) == ["The price of it\n13\tis 49 dollars"]
    assert found("12\tThe price of it\n13\tis 49 dollars", text, numbered=True)
    assert found("12 The price of it\n13 is 49 dollars", text, numbered=True)
    assert not found("The price of it 13 is 49 dollars", text, numbered=True)


def test_what_is_left_out_is_left_out_of_one_passage() -> None:
    near, far = "The price of it, as they say, is 49 dollars", f"The price of it {'x ' * 2_000}is 49 dollars"

    for quote in ("The price … is 49 dollars", "The price [...] is 49 dollars", "…The price of it... 49 dollars"):
        assert found(quote, near), quote
    assert not found("The price … is 49 dollars", far)
    assert not found("is 49 dollars … The price", near)
    assert not found("The price … is 48 dollars", near)


def test_a_quote_is_found_wherever_it_stands() -> None:
    assert len(found("the price is 49", "the price is 49; the price is 490; The price is 49.")) == 2


def test_a_short_quote_shows_something_only_as_a_whole_cell() -> None:
    text = "| Acme | 49 |\n| Borealis | 490 |\n2026-11-01\nIt is 49 now\n"
    cells = [is_whole_cell(place, text) for place in places("49", Folded(text))]

    assert too_short("49")
    assert too_short("가격은")
    assert not too_short("가격은 49원")
    assert not too_short("the price is")
    assert cells == [True, False]
    assert all(is_whole_cell(place, text) for place in places("2026-11-01", Folded(text)))


@pytest.mark.parametrize(
    ("quote", "line", "commas", "whole"),
    [
        ("₩414,000", '2026-01-04,Seoul,"Black, 100 g",36,"₩414,000"', False, True),
        ("₩414,000", '"₩414,000",Seoul', False, True),
        ("₩414,000", '3\tSeoul,"₩414,000 or more",36', True, False),
        ("36", "3\tSeoul,36,tea", True, True),
        ("36", "They paid 35,36,37 euros", False, False),
        ("36", "3\tSeoul,36 euros,tea", True, False),
        ("36", 'He said "36" to her', False, False),
    ],
)
def test_a_cell_of_csv_ends_at_commas_and_a_quoted_one_at_its_quotation_marks(
    quote: str, line: str, commas: bool, whole: bool
) -> None:
    text = f"Name,Price\n{line}\nEnd"
    assert [is_whole_cell(place, text, commas=commas) for place in places(quote, Folded(text))] == [whole]


def test_the_passage_of_a_quote_is_the_lines_around_it() -> None:
    text = "\n".join(f"line {number}" for number in range(1, 11))
    start = text.index("line 5")
    shown = passage(text, start, start + 6)

    assert shown.text == "line 3\nline 4\nline 5\nline 6\nline 7"
    assert (shown.text[shown.start : shown.end], shown.first_line) == ("line 5", 3)
    assert passage(text, 0, 6).text == "line 1\nline 2\nline 3"
    assert passage(text, len(text) - 7, len(text)).text == "line 8\nline 9\nline 10"
    long = "a" * 5_000 + " the quote " + "b" * 5_000
    assert passage(long, 5_001, 5_010).text[passage(long, 5_001, 5_010).start :].startswith("the quote")
    assert len(passage(long, 5_001, 5_010).text) < 3_000


def test_a_long_line_is_searched_as_fast_as_many_short_ones() -> None:
    line = "".join(f"{number},가{number % 7}x " for number in range(40_000))
    start = line.index("39000,")

    assert [line[p.start : p.end] for p in places("39000,가3x 39001,가4x", Folded(line))] == ["39000,가3x 39001,가4x"]
    assert next(places("39000,가3x", Folded(line, numbered=True))).start == start
    solid = line.replace(" ", "")
    assert Folded(solid).letters == Folded(line).letters


# -- properties --------------------------------------------------------------------------------------------------------

_ENGLISH = re.findall(
    r"\w+", "the price of apples rose in Moss harbour while rail carried more goods than road did last autumn"
)
_KOREAN = re.findall(
    r"\w+", "서울시의 예산은 작년보다 늘었고 항만을 지나는 화물은 철도가 도로보다 많았다고 위원회가 밝혔다"
)
_WORDS = st.one_of(
    st.sampled_from(_ENGLISH + _KOREAN),
    st.integers(10, 99_999).map(str),
    st.decimals(1, 999, places=2).map(str),
    st.integers(1_000, 9_999_999).map("{:,}".format),
)
_TEXTS = st.lists(_WORDS, min_size=12, max_size=60)
_SPACES = (" ", "  ", "\n", "\t", "\u00a0", " | ", "\n\n", "\u3000")


def rewrapped(words: list[str], choose: random.Random) -> str:
    """The same words as another page may have them."""
    made = ""
    for at, word in enumerate(words):
        if word.isalpha() and word.isascii() and len(word) > 5 and choose.random() < 0.3:
            word = f"{word[:3]}{choose.choice(['-' + chr(10), chr(0xAD)])}{word[3:]}"
        elif choose.random() < 0.2:
            word = f"**{word}**"
        made += (choose.choice(_SPACES) if at else "") + normalize(choose.choice(["NFC", "NFD", "NFC"]), word)
    return made


@settings(max_examples=100)
@given(_TEXTS, st.data())
def test_a_quote_cut_out_and_wrapped_anew_is_found_at_its_place(words: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(words) - 5))
    end = data.draw(st.integers(start + 4, len(words)))
    choose = data.draw(st.randoms(use_true_random=False))
    before, quoted, after = (rewrapped(part, choose) for part in (words[:start], words[start:end], words[end:]))
    text = f"{before}\n{quoted}\n{after}"
    quote = " ".join(words[start:end])
    spans = [(place.start, place.end) for place in places(quote, Folded(text))]
    letters = re.search(r"[^\W_]", quoted)
    assert letters is not None
    at = len(before) + 1 + letters.start()

    assert at in [start for start, _ in spans]
    assert found(f"“{quote}”", text)


@settings(max_examples=100)
@given(_TEXTS, st.data())
def test_a_quote_with_one_changed_digit_or_word_is_never_found(words: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(words) - 5))
    quote = words[start : start + 5]
    at = data.draw(st.integers(0, 4))
    if quote[at][0].isdigit():
        digits = [i for i, char in enumerate(quote[at]) if char.isdigit()]
        place = data.draw(st.sampled_from(digits))
        other = data.draw(st.sampled_from("0123456789".replace(quote[at][place], "")))
        quote[at] = quote[at][:place] + other + quote[at][place + 1 :]
    else:
        quote[at] = data.draw(st.sampled_from(["never", "결코", "zebra"]))
    text = " ".join(words)
    assume(" ".join(quote) not in text)

    assert not found(" ".join(quote), text)


@settings(max_examples=100)
@given(st.text(max_size=200), st.text(min_size=1, max_size=30))
def test_no_text_and_no_quote_breaks_the_search(text: str, quote: str) -> None:
    for numbered in (False, True):
        for place in places(quote, Folded(text + quote + text, numbered=numbered)):
            assert 0 <= place.start < place.end <= len(text + quote + text)
