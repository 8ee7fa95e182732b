"""What is shown of a long text: the passages that a question asks for, in order, within the limit, gaps marked."""

import random
import re
import time
from itertools import pairwise
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoagent.language import unified
from autoagent.models.tokens import TokenCounter
from autoagent.passages import NOTHING, Source, beginning, excerpt, gather, passages, scores, stem

count = TokenCounter("gpt-4o").count
FILLER = [
    "The committee met in the old hall and spoke of many things that nobody wrote down.",
    "Rain fell on the gardens while the orchestra rehearsed a symphony in the pavilion.",
    "A bakery on the corner sells bread, rolls and pastries from early in the morning.",
    "Trams run along the river every few minutes and stop at the botanical gardens.",
]
KOREAN_FILLER = [
    "회의는 오래된 강당에서 열렸고 여러 이야기가 오갔지만 기록은 남지 않았다.",
    "비가 정원에 내리는 동안 관현악단은 정자에서 교향곡을 연습했다.",
    "모퉁이 빵집은 이른 아침부터 식빵과 과자를 판다.",
]


def text_with(*facts: str, filler: list[str] = FILLER, paragraphs: int = 60) -> str:
    """A page of `paragraphs` paragraphs in which the facts stand apart."""
    lines = [filler[n % len(filler)] for n in range(paragraphs)]
    for n, fact in enumerate(facts, 1):
        lines.insert(n * paragraphs // (len(facts) + 1), fact)
    return "\n\n".join(["Title: A page", "Date: 2024-01-02", *lines])


def test_a_text_that_fits_is_unchanged() -> None:
    text = " a \n\n\nb\t \n"
    assert excerpt(text, "question", 100, count) == text


ASKED = [
    ("How long does the warranty last?", "Every compressor carries a warranties card: seven years from delivery."),
    ("What are companies required to file?", "A company files its annual report before 30 June."),
    ("When was version 3.1.1 released?", "Release 3.1.1 came out on 11 March."),
    ("population 1,204,331", "Arden has 1,204,331 inhabitants."),
    ("WHAT IS THE DEFAULT PORT?", "the default port is 7710"),
    ("what does backoff_s do", "max_backoff_s bounds each wait."),
    ("Überlandleitung Länge", "Die Überlandleitung ist 48 km lang."),
]


@pytest.mark.parametrize(("question", "fact"), ASKED)
def test_the_passage_that_a_question_asks_for_is_shown(question: str, fact: str) -> None:
    shown = excerpt(text_with(fact), question, 200, count)
    assert fact in shown
    assert count(shown) <= 200


KOREAN = [
    ("보증 기간은 얼마인가요?", "압축기의 보증기간은 인도일로부터 칠 년이다."),
    ("계약을 해지하려면 어떻게 하나요?", "계약의 해지는 서면으로 알려야 한다."),
    ("막차는 몇 시까지인가요?", "막차가 밤 12시 30분에 떠난다."),
    ("개인정보보호 책임자는 누구인가요?", "개인정보 보호를 맡은 이는 법무팀장이다."),
    ("서울에서 부산까지의 요금", "요금은 서울과 부산 사이가 59,800원이다."),
]


@pytest.mark.parametrize(("question", "fact"), KOREAN)
def test_korean_is_found_whatever_particles_stand_on_it(question: str, fact: str) -> None:
    shown = excerpt(text_with(fact, filler=KOREAN_FILLER), question, 300, count)
    assert fact in shown
    assert count(shown) <= 300


@pytest.mark.parametrize(
    ("question", "fact", "filler"),
    [
        (
            "入山できる時間は？",
            "入山は午前6時から午後3時までに限られる。",
            "駅前に新しい図書館ができ、多くの人が訪れた。",
        ),
        ("保修期多长？", "压缩机的保修期为交货之日起七年。", "他们在老礼堂开会，谈了很多事情。"),
        ("キャンセル料はいくらですか", "キャンセル料は宿泊費の30%です。", "庭に雨が降り、楽団は練習していた。"),
    ],
)
def test_chinese_and_japanese_are_found_by_pairs_of_characters(question: str, fact: str, filler: str) -> None:
    shown = excerpt(text_with(fact, filler=[filler]), question, 200, count)
    assert fact in shown
    assert count(shown) <= 200


@pytest.mark.parametrize("asked", ["NFC", "NFD"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("해지 통보 기간은?", "해지 통보는 30일 전에 한다."),
        ("Où est le café Hélène ?", "Le café Hélène est au port."),
        ("パーティーはどこで開かれますか", "パーティーは港で開かれます。"),
    ],
)
def test_letters_in_parts_are_what_they_stand_for(question: str, fact: str, written: Any, asked: Any) -> None:
    filler = normalize(written, "그 주에는 비가 왔다. Il a plu à l'été. 雨が降った。\n\n" * 100)
    fact = normalize(written, fact)
    text = f"{filler}{fact}\n\n{filler}"
    shown = excerpt(text, normalize(asked, question), 200, len)
    assert fact in shown
    assert gather([Source("a", text)], normalize(asked, question), 500, len)[0].answers


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("What costs 45?", "料金は４５ユーロです。"),
        ("4,500", "料金は４，５００ユーロです。"),
        ("notice", "Ｎｏｔｉｃｅ is due in May."),
        ("パーティー", "ﾊﾟｰﾃｨｰ in May."),
        ("ＮＳ－４００", "The NS-400 is grey."),
    ],
)
def test_wide_and_half_wide_characters_are_what_they_stand_for(question: str, fact: str) -> None:
    assert fact in excerpt(text_with(fact), question, 400, len)


MIXED = st.lists(
    st.sampled_from(["각", "하", "é", "ế", "が", "４", "Ａ", "ﾊﾟ", "ｱ", "ab", "，", " ", "\n", "中"]), max_size=80
)


@given(MIXED, st.sampled_from(["NFC", "NFD"]))
def test_a_place_in_one_form_is_that_of_the_same_character_in_the_text(parts: list[str], form: Any) -> None:
    text = normalize(form, "".join(parts))
    one_form = unified(text)
    assert normalize("NFKC", one_form.text.replace("，", ",")) == normalize("NFKC", text)
    origins = [one_form.origin(at) for at in range(len(one_form.text))]
    assert origins == sorted({*origins})
    for at, origin in enumerate(origins):
        assert unified(text[origin:]).text == one_form.text[at:]


@pytest.mark.parametrize("unit", ["\u1100\u1161", "\u0301\u0323", "\u1100", "\uff76\uff9e", "\uff14\uff0c"])
def test_in_a_long_run_of_characters_in_parts_each_place_is_found(unit: str) -> None:
    one_form = unified("e" + unit * 100_000)
    origins = [one_form.origin(at) for at in range(0, len(one_form.text), 20)]
    assert origins == sorted(origins)
    assert origins[-1] < len(one_form.original)


def test_a_number_is_not_found_within_another() -> None:
    shown = excerpt(text_with("Room 1204 is closed.", "Room 204 is open."), "room 204", 110, count)
    assert "Room 204 is open." in shown
    assert scores(["1,204,331", "204.5", "12045", "204"], "204") == [0, 0, 0, pytest.approx(1.2, abs=2)]


def test_question_words_carry_no_weight() -> None:
    assert scores(["What is the how of which?", "tell me about it, please"], "Please tell me what it is about") == [
        0,
        0,
    ]
    assert scores(["무엇을 어떻게 하는 것", "얼마나"], "무엇인가요? 어떻게 얼마나?") == [0, 0]


def test_gaps_are_marked_with_the_lines_that_they_leave_out() -> None:
    text = "\n".join(["Title: T", *["filler words here"] * 50, "the zebra sleeps", *["more filler words"] * 70])
    assert excerpt(text, "zebra", 90, count).split("\n") == [
        "Title: T",
        "[… lines 2-50 left out …]",
        "filler words here",
        "the zebra sleeps",
        "more filler words",
        "[… lines 54-122 left out …]",
    ]


def test_the_lines_of_a_part_are_counted_from_where_it_begins() -> None:
    text = "\n".join([*["filler words here"] * 50, "the zebra sleeps", *["more filler words"] * 70])
    marks = [line for line in excerpt(text, "zebra", 90, count, first_line=11).split("\n") if "…" in line]
    assert marks == ["[… lines 11-59 left out …]", "[… lines 63-131 left out …]"]
    assert beginning("one\ntwo\n" * 30, 20, count, first_line=7).endswith("-66 left out …]")


def test_a_gap_names_the_rare_words_that_there_is_no_room_for() -> None:
    long = " ".join(["the zebra keeper writes of many things"] * 9)
    text = "\n".join([*FILLER * 5, "The zebra sleeps.", *FILLER * 5, long, *FILLER * 5, "Zebra-7 eats.", *FILLER * 5])
    shown = excerpt(text, "zebra", 80, count)
    assert "The zebra sleeps." in shown
    assert '; "zebra" in line 42 …]' in shown
    assert count(shown) <= 80


def test_passages_come_in_the_order_of_the_text() -> None:
    text = text_with("First, the zebra wakes.", "Then the zebra of the zebra keeper eats.", "Last, the zebra sleeps.")
    shown = excerpt(text, "zebra keeper", 300, count)
    assert shown.index("First,") < shown.index("Then the") < shown.index("Last,")


def test_head_and_first_paragraph_are_kept_where_there_is_room() -> None:
    shown = excerpt(text_with("The zebra sleeps at noon."), "zebra", 200, count)
    assert shown.startswith("Title: A page\n\nDate: 2024-01-02\n\nThe committee met")


def test_a_passage_keeps_its_heading() -> None:
    text = text_with("## Animals", paragraphs=40).replace(
        "## Animals", f"## Animals\n\n{FILLER[0]}\n\nThe zebra sleeps."
    )
    shown = excerpt(text, "zebra", 120, count)
    assert re.search(r"## Animals\n\[… line \d+ left out …\]\nThe zebra sleeps\.|## Animals\n\nThe committee", shown)


def test_what_stands_beneath_a_heading_that_is_asked_for_is_shown() -> None:
    text = text_with("## How do I get a refund?\n\nWrite to the desk within 14 days.")
    assert "Write to the desk within 14 days." in excerpt(text, "refund", 160, count)


def test_a_line_that_stands_beneath_several_headings_is_found_beneath_the_one_that_is_asked_for() -> None:
    parts = [f"## open{n}\n\n{FILLER[n % 4]}\n\n- mode: default {n % 3}" for n in range(60)]
    shown = excerpt("\n\n".join(parts), "default mode of open41", 120, count)
    assert re.search(rf"## open41\n(?:\n{FILLER[1]}\n|\[… line 207 left out …\])\n- mode: default 2", shown)


def test_what_a_page_repeats_is_shown_once() -> None:
    text = "\n\n".join(["The zebra sleeps.", *FILLER * 5] * 8)
    assert excerpt(text, "zebra", 200, count).count("The zebra sleeps.") == 1


def test_a_row_keeps_its_header() -> None:
    rows = [f"Region {n} | {n * 1_000} | {n}.5" for n in range(300)]
    text = text_with("\n".join(["Region | Population | Unemployment", *rows]))
    shown = excerpt(text, "unemployment in region 217", 200, count)
    assert "Region | Population | Unemployment\n" in shown
    assert "Region 217 | 217000 | 217.5" in shown


def test_a_passage_keeps_the_page_that_it_stands_on() -> None:
    pages = [f"[page {n}]\n{FILLER[n % 4]}\n{FILLER[(n + 1) % 4]}" for n in range(1, 40)]
    pages[20] += "\nThe zebra sleeps at noon."
    shown = excerpt("\n\n".join(pages), "zebra", 150, count)
    assert "[page 21]" in shown
    assert "The zebra sleeps at noon." in shown


def test_code_stays_together_with_its_indentation() -> None:
    code = "```\ndef feed(zebra):\n    if zebra.hungry:\n        give(zebra, 'hay')\n\n    return zebra\n```"
    assert code in excerpt(text_with(code), "how to feed a zebra", 200, count)


def test_a_long_line_is_taken_by_its_sentences() -> None:
    line = " ".join([*FILLER * 20, "The zebra sleeps at noon.", *FILLER * 20])
    shown = excerpt(line, "zebra", 300, count)
    assert "The zebra sleeps at noon." in shown
    assert "[…]" in shown
    assert count(shown) <= 300


@pytest.mark.parametrize("question", ["quagga", "What is it about?", "?!", "무엇인가요?"])
def test_where_nothing_matches_the_beginning_is_shown_and_said(question: str) -> None:
    text = text_with()
    shown = excerpt(text, question, 100, count)
    assert shown.startswith(f"{NOTHING}\nTitle: A page\n\nDate: 2024-01-02\n\nThe committee met")
    assert shown.endswith("-123 left out …]")
    assert count(shown) <= 100


def test_a_beginning_ends_with_what_is_left_out() -> None:
    assert beginning("one\ntwo\nthree\n" * 30, 20, count).endswith("\ntwo\n[… lines 6-90 left out …]")
    assert beginning("short", 20, count) == "short"


def test_the_better_text_scores_higher() -> None:
    found = scores(["zebra crossing", "zebra feeding times", "nothing"], "When is the zebra fed? feeding times")
    assert found[1] > found[0] > found[2] == 0
    assert scores([], "zebra") == []


@pytest.mark.parametrize(
    "alike",
    [
        "run runs running",
        "company companies",
        "retry retries",
        "release released releases",
        "box boxes",
        "install installation",
        "calibrate calibrated calibrates calibrating calibration",
        "site sites",
        "dust dusty",
    ],
)
def test_forms_of_a_word_have_one_stem(alike: str) -> None:
    assert len({stem(word) for word in alike.split()}) == 1


def test_words_that_differ_keep_different_stems() -> None:
    assert len({stem(word) for word in "news new university universe bus business port portal".split()}) >= 6  # noqa: SIM905


WORDS = st.sampled_from(
    ["zebra", "계약", "入山", "# x", "a | b", "```", "[page 2]", "3.14", "word. ", " ", "\n", "\n\n", "\t"]
)


@settings(max_examples=150)
@given(st.lists(WORDS, max_size=120), st.sampled_from(["zebra", "계약은?", "入山", "x b", ""]), st.integers(1, 150))
def test_any_text_fits_any_limit(words: list[str], question: str, limit: int) -> None:
    text = " ".join(words)
    shown = excerpt(text, question, limit, len)
    assert len(shown) <= limit
    if len(text) <= limit:
        assert shown == text


@given(st.lists(WORDS, max_size=60))
def test_passages_are_the_text_without_the_space_between(words: list[str]) -> None:
    text = " ".join(words)
    found = passages(text, "zebra")
    assert "".join("".join(text[p.start : p.end] for p in found).split()) == "".join(text.split())
    assert all(before.end <= after.start for before, after in pairwise(found))


def megabyte(kind: str) -> str:
    rng = random.Random(1)
    words = ["".join(rng.choice("abcdefghijklmnop") for _ in range(rng.randint(2, 9))) for _ in range(5_000)]
    paragraphs = [" ".join(rng.choice(words) for _ in range(60)) + "." for _ in range(2_600)]
    match kind:
        case "paragraphs":
            return "\n\n".join(paragraphs)
        case "one line":
            return " ".join(paragraphs)
        case "table":
            return "Name | Age\n" + "\n".join(f"name {n} | {n}" for n in range(50_000))
        case "korean":
            return "제주 올레 코스를 걷는 사람은 많다. 계약의 보증 기간은 칠 년이다.\n" * 25_000
        case "one word":
            return "a" * 1_000_000
        case _:
            return "```\n" + "x = 1\n" * 160_000


@pytest.mark.parametrize("kind", ["paragraphs", "one line", "table", "korean", "one word", "code"])
def test_the_time_grows_with_the_length_and_not_faster(kind: str) -> None:
    text = megabyte(kind)
    count("ready")

    def took(part: str) -> float:
        began = time.process_time()
        assert count(excerpt(part, "name of the 보증기간 contract abc 41234", 3_000, count)) <= 3_000
        return time.process_time() - began

    quarter = min(took(text[: len(text) // 4]) for _ in range(2))
    assert took(text) < 8 * quarter + 0.2  # 4 times as long; the square would be 16 times


# -- rare words -----------------------------------------------------------------------------------------------------

TOPICS = ["Storage", "Transport", "Power supply", "Display", "Filters", "Data export", "Alarms", "Spare parts"]


def manual(facts: dict[int, str]) -> str:
    """45 numbered sections of a device's handbook; all of them speak of the NS-400 and several of its calibration."""
    sections: list[str] = []
    for n in range(1, 46):
        told = facts.get(n, "")
        title, _, fact = told.partition(": ") if told else (TOPICS[n % len(TOPICS)], "", "")
        lines = [
            f"The NS-400 must be handled as part {n} of this handbook says; the NS-400 keeps a record of it.",
            "Ask the maker before you open the case of the instrument, and note the day in the log of the device.",
            *([fact] if fact else []),
            f"Step {n} is done once the display of the NS-400 shows the word ready and the lamp is green.",
        ]
        sections.append("\n\n".join([f"## {n}. {title}", *(line for line in lines for _ in range(4))]))
    return "\n\n".join(sections)


CLEAN = {
    n: f"Calibration interval {n}: In clean air the NS-400 must be calibrated once every {n + 4} months at a bench."
    for n in (8, 9, 10, 11, 12, 13, 14, 15, 16, 17)
}
DUSTY = "Dusty sites: Where stone is cut or crushed, recalibrate every 45 days."


@pytest.mark.parametrize(
    "question",
    [
        "How often must the NS-400 be calibrated on a dusty quarry site?",
        "dusty site calibration",
        "calibration interval of the NS-400 for dusty air",
    ],
)
def test_a_passage_with_the_rare_words_goes_before_those_with_common_ones(question: str) -> None:
    shown = excerpt(manual({**CLEAN, 31: DUSTY}), question, 300, count)
    assert "## 31. Dusty sites" in shown
    assert "recalibrate every 45 days" in shown


def test_each_passage_with_a_rare_word_is_shown_before_what_stands_beside_a_hit() -> None:
    facts = {5: "Mines: In coal mines use the sealed case.", 38: "Travel: Airlines want the sealed bag."}
    shown = excerpt(manual({**CLEAN, **facts}), "calibration interval when sealed", 700, count)
    assert "In coal mines use the sealed case." in shown
    assert "Airlines want the sealed bag." in shown


def test_no_more_than_one_passage_stands_on_each_side_of_a_hit() -> None:
    text = "\n".join([*(f"line {n} of filler" for n in range(200)), "the zebra", *(f"row {n}" for n in range(200))])
    assert excerpt(text, "zebra", 900, count).split("\n") == [
        "[… lines 1-199 left out …]",
        "line 199 of filler",
        "the zebra",
        "row 0",
        "[… lines 203-401 left out …]",
    ]


def test_what_stands_beside_a_hit_in_another_section_is_left_out() -> None:
    text = "\n".join([*FILLER * 30, "## Animals", "The zebra sleeps.", "## Plants", *FILLER * 30])
    assert excerpt(text, "zebra", 300, count).split("\n")[-4:] == [
        "[… lines 2-120 left out …]",
        "## Animals",
        "The zebra sleeps.",
        "[… lines 123-243 left out …]",
    ]


def test_no_more_than_the_beginning_of_a_long_section_comes_with_its_heading() -> None:
    text = "\n".join([*FILLER * 9, "## Zebras", *(f"line {n} of filler" for n in range(400))])
    shown = excerpt(text, "zebras", 1_500, count)
    assert "line 24 of filler" in shown
    assert "line 25 of filler" not in shown


def test_what_a_line_introduces_is_shown_with_it() -> None:
    items = [f"- document {n}" for n in range(6)]
    text = text_with("\n".join(["For a visa you need:", *items]))
    assert "\n".join(items) in excerpt(text, "visa", 300, count)


@pytest.mark.parametrize("spelling", ["E-27", "E27", "E 27", "e-27", "E\u201127"])
def test_an_identifier_is_one_word_in_each_of_its_spellings(spelling: str) -> None:
    text = manual({31: f"Faults: Code {spelling} means that the pump is blocked."})
    shown = excerpt(text, "What does E-27 mean?", 200, count)
    assert "the pump is blocked" in shown
    assert "## 27." not in shown


@pytest.mark.parametrize("other", ["SE-27", "E-270", "E-2", "27", "E"])
def test_an_identifier_is_not_found_within_another(other: str) -> None:
    asked, found = scores(["fault E-27", f"fault {other}"], "E-27")
    assert asked > 3 * found


def test_an_identifier_is_found_with_a_particle() -> None:
    assert scores(["오류 E-27은 펌프가 막혔다는 뜻이다", "오류"], "E-27이 무엇인가요?")[0] > 0
