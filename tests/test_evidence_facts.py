"""What of a text can be looked up, and when it stands in what was read: figures and dates by value."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from evidence_runs import Run, new_run
from hypothesis import given, settings
from hypothesis import strategies as st

from autoagent.evidence import look_up
from autoagent.evidence.facts import facts, key_of
from autoagent.evidence.own_words import THROUGHOUT
from autoagent.evidence.reads import Reads, Region, Source
from autoagent.evidence.values import dates, number


def told(text: str, *kinds: str) -> list[str]:
    found = sorted(facts(text), key=lambda fact: fact.start)
    return [fact.text for fact in found if not kinds or fact.kind in kinds]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = new_run(tmp_path / "run")
    yield made
    made.journal.close()


def supported(run: Run, read: str, result: str) -> bool:
    run.reads(f"file{run.step}.txt", read)
    return run.loose(result) == []


def test_the_facts_of_a_text_are_its_figures_and_names() -> None:
    text = (
        "Acme costs $49 a month, 12 % less than in 2019; see https://a.test/p_(b). Ask sales@a.test by 18:42 on "
        "1 Nov 2026, or call 02-123-4567. The “Big Plan” is in plans/q3.md:12 and model NS400 weighs 5kg."
    )

    assert told(text) == [
        "$49", "12 %", "2019", "https://a.test/p_(b)", "sales@a.test", "18:42", "1 Nov 2026", "02-123-4567", "Big Plan",
        "plans/q3.md", "NS400", "5kg",
    ]  # fmt: skip


def test_the_facts_of_a_korean_text() -> None:
    text = "「한국전력」은 2026년 11월 1일에 3만 5천원을, 1억 2,000만 원을 냈다. https://a.kr/a에서 보고서.md를 보라."

    assert told(text) == ["한국전력", "2026년 11월 1일", "3만 5천", "1억 2,000만", "https://a.kr/a", "보고서.md"]


@pytest.mark.parametrize(
    "text",
    [
        "1. First\n2) Second\n  10. Tenth\n- 4. Fourth",
        "98. a\n99. b\n100. c\n101) d",
        "lines 7-12 and 3번째 줄",
        "cells B120:C130",
        "## 2.1 Prices\n### 3. More\n#### 12 Last",
        "Step 4: see Table 12 and Figure 7",
        "4단계: 표 12",
        "It is so [12], and so [3, 4] (observation 3.1).",
        "2 of the 3 stand",
        "```python\nprint(500)\n```",
        "| --- | :-: |",
        "lines 12-20 hold it",
        "~~~sql\nSELECT 500\n~~~",
        "Node.js is a runtime, and don't say it's 'a'",
    ],
)
def test_numbering_grammar_and_code_are_no_facts(text: str) -> None:
    assert told(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "2 files, 3 steps, 1 page: one of 3 options, 2 in 3 of the 3 claims; 0 errors and 2 matches, 3 times",
        "2 second-hand cars, 3 t-shirts, 2 M&A deals, 3 key points, team 2 won",
        "두 가지, 3개 파일, 2번째, 3단계, 2회, 3건, 2곳, 1위, 3가지, 2종, 3층, 2인용, 1명당",
        "3분의 2가 2분기와 3주년에 3원칙, 3차원, 2명령, 3초등, 2일자, 1일차",
    ],
)
def test_small_counts_of_things_are_no_facts(text: str) -> None:
    assert told(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("For 2 years, 3 euros and 2 kg, 3 tonnes", ["2 years", "3 euros", "2 kg", "3 tonnes"]),
        ("A 3-day trip, 2 to 3 weeks, **2** hours", ["3-day", "3 weeks", "2"]),
        ("2 €, 3 GB, 2 °C; 1 euro is 1.08 dollars, 0 people", ["2 €", "3 GB", "2 °C", "1.08"]),
        ("보증은 2년이다. 보증금은 3유로다. 3명이", ["2년", "3유로", "3명"]),
        ("2개월 이내에 3 톤을, 1시간 동안, 1달러는 1,380.5원", ["2개월", "3 톤", "1,380.5"]),
        ("2주간의 3일까지는 2달 3분짜리", ["2주", "3일", "2달", "3분"]),
    ],
)
def test_small_measures_are_facts(text: str, found: list[str]) -> None:
    assert told(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("```\n700 apples\n```", "700"),
        ("```yaml\nacme: 7431 euros\n```", "7431"),
        ('~~~json\n{"acme": 7431}\n~~~', "7431"),
        ("```console\n$ wc -l\n700\n```", "700"),
        ("743. euros is the price", "743"),
        ("74. 유로이다", "74"),
        ("743. That is the price", "743"),
        ("4. €500 is much", "€500"),
        ("## 74 euros", "74"),
        ("Acme: option 743", "743"),
        ("Acme → step 74 euros", "74"),
        ("표 74만 원", "74만"),
        ("[743] is the price", "743"),
        ("[74] euros", "74"),
        ("[743.5] is the price", "743.5"),
        ("Acme: line 7431", "line 7431"),
        ("Acme: line 74 euros", "74"),
        ("에이크미: 7431번째 줄", "7431번째 줄"),
        ("Acme: row 7431", "7431"),
        ("January 8,240", "8,240"),
    ],
)
def test_figures_in_the_clothes_of_numbering_or_code_are_looked_up(text: str, found: str) -> None:
    assert told(text) == [found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See notes/a+b.md, +c.md or ~/c++/d.py", ["notes/a+b.md", "+c.md", "~/c++/d.py"]),
        ("보고서+표.md를 보라", ["보고서+표.md"]),
        ("(see https://a.test/p_(b)).", ["https://a.test/p_(b)"]),
        ("https://a.test/b)))]에서는 https://a.kr/a를", ["https://a.test/b)))]에서는", "https://a.kr/a"]),
        ("[https://a.test/b]에서, (https://a.test/c)은", ["https://a.test/b", "https://a.test/c"]),
        ("````\n```\n700 apples\n````\n5 pears", ["700", "5"]),
        ("~~~ python\nprint(500)\n~~~\n5 pears", ["5"]),
    ],
)
def test_names_of_files_addresses_and_blocks_end_where_they_end(text: str, found: list[str]) -> None:
    assert told(text) == found


def test_the_number_of_a_line_beside_the_name_of_its_file_is_no_figure() -> None:
    assert told("Line 7431 of notes/a.md; a.csv holds it in rows 120-140", "number") == []
    assert told("notes/a.md is long.\nLine 7431 holds it", "number") == ["Line 7431"]


def test_the_number_of_a_line_is_one_that_was_shown_and_is_no_figure(run: Run) -> None:
    run.reads("a.txt", "\n".join("some words" for _ in range(20)), first=7420)
    run.does("search_files", "1 match in 1 file\nb.txt:815\tsome words", args={"query": "words"})

    assert run.loose("It is in line 7431, lines 7425-7439, and in line 815.") == []
    assert run.loose("Line 7431 costs 7431 euros, lines 7425-7440") == ["7431", "lines 7425-7440"]
    assert run.loose("It is line 7431 euros") == ["7431"]


@pytest.mark.parametrize(
    ("read", "result"),
    [
        ("1,234.50", "1234.5"),
        ("1.234,50 €", "1,234.50"),
        ("1234.50", "$1,234.5"),
        ("12%", "12 %"),
        ("12 per cent", "12%"),
        ("１２％", "12 %"),
        ("12,5 %", "12.5 percent"),
        ("1.2 million", "1,200,000"),
        ("1,200,000", "1.2 million"),
        ("$1.2M", "1.2 million dollars"),
        ("in millions: 1,234.5", "1,234.5 million"),
        ("3만 5천원", "35,000 won"),
        ("35000", "3만 5천 원"),
        ("1억 2,000만 원", "120,000,000"),
        ("2천만", "20,000,000"),
        ("5천 명", "5,000명"),
        ("12.31", "about 12.3"),
        ("1,234,567", "1.2 million"),
        ("36.8 %", "37 %"),
        ("0.1234", "12.3 %"),
        ("1\u202f234\u202f567", "1,234,567"),
        ("Acme,49,2024", "49 in 2024"),
        ("-5", "a fall by 5"),
        ("49kg", "49 kg"),
        ("제2조", "2조"),
        ("at 09:12 and 9:47", "9:12 to 09:47"),
        ("15600 crowns", "15.600 crowns"),
        ("15,600 crowns", "15.600 crowns"),
        ("January,8240", "January 8,240"),
        ("1.5", "150 %"),
        ("for two years", "2년"),
        ("두 명이 이틀간", "2 people, 2 days"),
        ("3 years", "3년"),
        ("5 euros a month, a one-year plan", "1개월에 5유로"),
        ("annual plan", "1년"),
        ("0만", "0만"),
        ("부채 0억 원, 5명", "부채 0.0억 원"),
        ("0억 5만 원", "50,000원"),
        ("3천 5백만 원", "3천 5백만 원"),
        (f"1{'0' * 30}", f"1{'0' * 30}"),
        (f"3.{'14159' * 10}", "3.14159"),
    ],
)
def test_a_number_is_found_by_its_value(run: Run, read: str, result: str) -> None:
    assert supported(run, read, result), run.loose(result)


@pytest.mark.parametrize(
    ("read", "result"),
    [
        ("1,234.50", "1,234.60"),
        ("12.31", "12.4"),
        ("12.39", "12.3"),
        ("12.31", "12.310001"),
        ("1.2 million", "1.3 million"),
        ("1,234,567", "1.3 million"),
        ("49,000", "49"),
        ("149", "49"),
        ("NS400", "400"),
        ("4.9", "49"),
        ("36.8", "37"),
        ("3만 5천", "35"),
        ("1.234", "1,234"),
        ("12.5", "5"),
        ("49", "4900 %"),
        ("19:12", "9:12"),
        ("9:12", "19:12"),
        ("15600", "15.60"),
        ("15600", "15.601"),
        ("15600", "15.600 and 15.6"),
        ("The warranty is 5 years", "The warranty is 2 years"),
        ("보증금은 8유로", "보증금은 3유로다"),
        ("twenty years", "2 years"),
        ("0억 원", "1억 원"),
        ("0만", "1만"),
        ("5.0만", "0만"),
        ("1,2,3억", "1억 원"),
        (f"{'9' * 30}8", "9" * 31),
        (f"1{'0' * 30}", f"1{'0' * 30}.5"),
    ],
)
def test_another_number_is_not_found(run: Run, read: str, result: str) -> None:
    assert not supported(run, read, result)


@pytest.mark.parametrize(
    ("read", "result"),
    [
        ("2026-11-01T10:00", "1 Nov 2026"),
        ("1st of November, 2026", "2026-11-01"),
        ("November 1, 2026", "2026년 11월 1일"),
        ("2026. 11. 1.", "Nov 1, 2026"),
        ("11/1/2026", "1 November 2026"),
        ("11/1/2026", "11 January 2026"),
        ("1.11.2026", "2026-11-01"),
        ("2026년 11월 1일", "November 2026"),
        ("2026년 11월 1일", "11월 1일"),
        ("Report of 2026. Due on Nov 1.", "1 November 2026"),
        ("会議：２０２６年１１月３日", "2026년 11월 3일"),
        ("마감: ２０２６. １１. ３.", "2026-11-03"),
        ("２０２６／１１／０３", "2026-11-03"),
        ("2026년 11월 3일", "２０２６年１１月３日"),
        ("회의: 11/3(화) 14시", "11월 3일"),
        ("회의: 11/3 14시", "11월 3일"),
        ("Meeting: 11/3 (Tue)", "3 November"),
        ("Send it by 11/3, in 2026", "11 March 2026"),
        ("11월 3일", "회의는 11/3이다"),
        ("11월 3일", "11/03까지 낸다"),
        ("3 Nov 2026", "due 11/3"),
        ("| 11/3 | 회의 |", "회의는 11/3에 열린다"),
        ("会議: １１／３（火）, １１／３（화）", "11월 3일"),
        ("회의: 26.11.3(화)", "2026년 11월 3일"),
        ("３ files", "１ file"),
    ],
)
def test_a_date_is_found_by_its_value(run: Run, read: str, result: str) -> None:
    assert supported(run, read, result)


@pytest.mark.parametrize(
    ("read", "result"),
    [
        ("2026-11-01", "2 Nov 2026"),
        ("2026-11-01", "1 Nov 2025"),
        ("November 2026", "1 Nov 2026"),
        ("1.11.2026", "11 January 2026"),
        ("Due on Nov 1, 2025. Report of 2026.", "1 November 2026"),
        ("회의는 11월 8일에 열린다", "회의는 11/3에 열린다"),
        ("meeting on 11월 8일, in 3 rooms", "회의는 11/3이다"),
        ("3월 11일", "회의는 11/3이다"),
        ("11/3", "11/30까지"),
        ("the 8 November", "by 11/3"),
        ("２０２６年１１月３日", "2026-11-04"),
        ("11/3 of it", "3 November"),
    ],
)
def test_another_date_is_not_found(run: Run, read: str, result: str) -> None:
    assert not supported(run, read, result)


@pytest.mark.parametrize(
    "text", ["2/3가 찬성했고 1/2로 줄었다", "1/3까지, 3/3에", "cut by 2/3, on 1/2 of it, from 1/3"]
)
def test_fractions_are_no_dates(text: str) -> None:
    assert told(text) == []
    assert told("docs/11/3에 있다, available on 24/7 basis", "date") == []


def test_a_version_is_no_date() -> None:
    assert [fact.kind for fact in facts("Ubuntu 24.04.3은, 26.11.3에")] == ["number", "number"]


def test_an_address_is_found_in_its_spellings(run: Run) -> None:
    run.browses("https://a.test/start", "See [more](https://www.b.test/more/) and mail x@b.test")
    run.browses("https://a.kr/표", "여기")

    assert run.loose("https://a.kr/표에서 보라") == []
    assert run.loose("https://a.test/start/ and http://B.test/more#top and X@b.test") == []
    assert run.loose("https://a.test/other and y@b.test") == ["https://a.test/other", "y@b.test"]


def test_quoted_names_and_identifiers_are_found_by_their_letters(run: Run) -> None:
    run.reads("a.txt", "The plan of Big-\nCorp  Ltd for E-27, v1.2.3, 02-123-4567 at 18:42; 한국 전력")

    assert run.loose("“BigCorp Ltd” has E-27 in v1.2.3; 02-123-4567, 18:42; 「한국전력」") == []
    assert run.loose("“BigCorp Inc” has E-28 in v1.2.4; 02-123-4568, 18:43; 「한국가스」") == [
        "BigCorp Inc", "E-28", "v1.2.4", "02-123-4568", "18:43", "한국가스",
    ]  # fmt: skip


def test_a_file_is_known_where_it_exists_or_was_read_about(run: Run) -> None:
    run.reads("docs/a.md", "as plan.csv says")
    found = run.look_up("docs/a.md:3, plan.csv, made.md, none.md", exists=lambda path: path == "made.md")

    assert [(fact.kind, fact.text) for fact in found.loose] == [("file", "none.md")]


# -- properties --------------------------------------------------------------------------------------------------------

_PIECES = (
    *"0123456789.,-/: %％만억조천백십원년월일'", "０", "１", "９", "٣", "²", "½", "million", "k", "bn", " percent",
    "Nov ", "\u00a0", "\u202f", "9" * 31, "0" * 40, "(화)", "2026", "$", "\n",
)  # fmt: skip
_NUMBERLIKE = st.lists(st.sampled_from(_PIECES), max_size=12).map("".join)


@settings(max_examples=300)
@given(_NUMBERLIKE, _NUMBERLIKE)
def test_no_text_of_figures_breaks_the_look_up(read: str, result: str) -> None:
    number(read)
    list(dates(read))
    own = Region(0, len(read), THROUGHOUT)
    for regions in ((), (own,)):
        reads = Reads((Source("1.1", "read_file", "a.txt", read, 0, "ok", regions),), {})
        look_up(f"{result} {read}", (), reads, reports={}, exists=lambda _: False)


@settings(max_examples=200)
@given(
    st.sampled_from(["0", "00", "0.0", "０"]),
    st.sampled_from(["만", "억", "조", "백만", "천", "천만", " million", "k"]),
)
def test_nothing_times_a_scale_is_nothing(nothing: str, scale: str) -> None:
    assert set(number(nothing + scale).values) == {0}


@pytest.mark.parametrize("text", ["9" * 9_000, f"0.{'0' * 9_000}1 million", f"{'1,' * 900}1만 {'7' * 9_000}억"])
def test_a_number_of_any_length_is_looked_up(text: str) -> None:
    reads = Reads((Source("1.1", "read_file", "a.txt", text, 0, "ok"),), {})
    found = look_up(f"It is {text}. And 8{text}", (), reads, reports={}, exists=lambda _: False)

    assert [fact.text[:2] for fact in found.loose] == [f"8{text}"[:2]]
    assert not number(f"{'9' * 1_000_001} million").values


def test_long_numbers_that_differ_in_one_digit_are_two_facts() -> None:
    assert key_of("number", "9" * 40) != key_of("number", f"{'9' * 39}8")
