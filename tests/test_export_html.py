"""The exported page: what it holds, and that nothing in it can act or load, whatever a run's texts say."""

import re
from html import escape, unescape
from html.parser import HTMLParser

import pytest
from exported import run_events
from hypothesis import given
from hypothesis import strategies as st

from autoagent.export.clipping import LEAST, MOST, ROOM, clip, limit_for
from autoagent.export.document import document
from autoagent.export.formatted import formatted
from autoagent.export.html import POLICY, as_html

HOSTILE = (
    "\"'><script>alert(1)</script></style></title></pre><img src=http://evil.example/x.png onerror=alert(1)>"
    "![b](http://evil.example/b.png)[c](javascript:alert(2)) javascript:alert(3) \u202egnp.exe\u2066 \x1b[2J"
    '<svg/onload=a> https://a.example/"onmouseover="x --> ]]> &lt;b&gt; \x00 https://bank.example@evil.example/'
    " https://evil.example/\u202egnp `````` data:text/html,<b> {{x}} ${y}"
)
ELEMENTS = re.findall(
    r"\w+",
    "html head meta title style body header nav main section article h1 h2 h3 p ul li dl dt dd div span bdi b a pre"
    " code ins del mark blockquote details summary ol table thead tbody tr th td hr strong em s h4 h5 h6",
)
ATTRIBUTES = re.findall(
    r"[\w-]+", "charset http-equiv content name lang id class href rel referrerpolicy dir aria-label value"
)
SECTIONS = ["result", "criteria", "evidence", "handover", "files", "story", "figures", "setup", "left-out"]
VOID = {"meta", "hr"}


class Page(HTMLParser):
    """The elements of a page, the text in each, and whether they are well nested."""

    def __init__(self, content: str):
        super().__init__()
        self.content = content
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.parts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(content)
        self.close()
        assert self.open == []
        self.texts = {tag: "".join(parts) for tag, parts in self.parts.items()}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.parts.setdefault(tag, []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(*, until: int | None = None, **options: str | int) -> Page:
    """The page of a run, or of its first events."""
    texts: dict[str, str] = {}
    events = run_events(texts, **options)[:until]
    return Page(as_html(document(events, texts.__getitem__, live=False)))


def section(page: Page, name: str) -> str:
    """The mark-up of one section."""
    found = page.content.index(f'<section id="{name}">')
    return page.content[found : page.content.index("</section>", found)]


def test_hostile_words_in_every_field_make_no_element_and_no_attribute() -> None:
    page = page_of(text=HOSTILE, seen=HOSTILE * 3, result=HOSTILE, path=f"a{HOSTILE}")
    assert {tag for tag, _ in page.elements} <= {*ELEMENTS}
    assert {name for _, attributes in page.elements for name in attributes} <= {*ATTRIBUTES}
    assert page.content.count("<style>") == page.content.count("</style>") == 1
    assert "alert(1)" not in page.texts["style"]
    assert HOSTILE[:30] in page.texts["main"]


def test_nothing_is_loaded_and_only_links_that_a_person_follows_lead_out() -> None:
    page = page_of(text=HOSTILE, seen=HOSTILE, result=HOSTILE)
    assert page.elements[2] == ("meta", {"charset": "utf-8"})
    assert page.elements[3] == ("meta", {"http-equiv": "Content-Security-Policy", "content": POLICY})
    assert "script-src" not in POLICY
    assert POLICY.startswith("default-src 'none'; ")
    assert not re.search(r"url\(|@import|@font-face", page.texts["style"])
    out = [link for link in page.all("a") if not (link["href"] or "").startswith("#")]
    assert out
    for link in out:
        assert re.fullmatch(r"https?://(evil|a|acme)\.example/[^\s\"<>]*|https://acme\.example", link["href"] or "")
        assert "noopener noreferrer" in (link["rel"] or "")
    assert "src=" not in re.sub(r">[^<]*<", "><", page.content)


def test_a_link_shows_where_it_goes_and_ends_where_its_address_ends() -> None:
    page = page_of(result="See (https://a.example/x_(y)?q=1&r=2). And https://b.example/한국, ok.")
    links = [link["href"] for link in page.all("a")]
    assert "https://a.example/x_(y)?q=1&r=2" in links
    assert ">https://a.example/x_(y)?q=1&amp;r=2</a>)." in page.content
    assert "https://b.example/한국" in links


def test_what_a_reader_could_not_see_is_shown() -> None:
    page = page_of(text=HOSTILE, seen=HOSTILE, result=HOSTILE)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f]", page.content)
    assert r"\u{202e}gnp.exe\u{2066} \x1b[2J" in page.texts["main"]


def test_result_criteria_evidence_story_files_and_figures_each_have_a_heading_and_an_anchor() -> None:
    page = page_of()
    sections = [attributes["id"] for attributes in page.all("section")]
    assert sections == SECTIONS
    linked = [link["href"] for link in page.all("a")]
    assert linked[: len(SECTIONS)] == [f"#{section}" for section in SECTIONS]
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert {href[1:] for href in linked if href and href.startswith("#")} <= ids
    assert {f"step-{number}" for number in (1, 2, 3)} <= ids
    assert [tag for tag, _ in page.elements if tag in ("h1", "h2")] == ["h1", *["h2"] * len(SECTIONS)]


def test_a_fact_without_evidence_is_marked_where_it_stands() -> None:
    page = page_of()
    assert "12 % <mark>[unverified]</mark>" in page.content
    assert "3,000 won. Growth" in page.texts["main"]
    assert "4 claims, 1 with evidence, 3 without" in page.content


def test_the_markdown_of_a_result_is_drawn_with_its_marks_and_links() -> None:
    page = page_of(
        result="# 결론\n**Acme**는 3,000 won, see https://acme.example\n\n| 업체 | 값 |\n|---|--:|\n| Acme | 12 % |\n\n"
        "- one\n  - two\n\n7. seven\n9. nine\n\n> a quote\n\n```py\nif a < b: c = `d`\n```\n"
    )
    drawn = section(page, "result")
    assert "<h3>결론</h3>" in drawn
    assert "<strong>Acme</strong>는 3,000 won" in drawn
    assert ">https://acme.example</a>" in drawn
    assert '<th class="right">값</th>' in drawn
    assert '<td class="right">12 % <mark>[unverified]</mark></td>' in drawn
    assert "<li>one\n<ul>\n<li>two</li>" in drawn
    assert '<li value="7">seven</li>\n<li value="9">nine</li>' in drawn
    assert "<blockquote>\n<p>a quote</p>" in drawn
    assert "<pre>if a &lt; b: c = `d`\n</pre>" in drawn


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2026. 11. 3. 회의", id="a date is no list"),
        pytest.param("+ 3 % more\n+ 4 % less", id="a sign is no bullet"),
        pytest.param("|a|b|\n|--|--|\n|1|2|3|", id="a cell too many"),
        pytest.param("\n".join(f"{'  ' * deep}- level {deep}" for deep in range(30)), id="too deep"),
        pytest.param("__init__ and 2*3*4 and *args, **kwargs in *.md, *.txt", id="signs of names and products"),
        pytest.param(r"C:\*a\* \_ &amp; &copy; [a](https://b.example) ![c](d.png) <b>", id="what leads somewhere"),
        pytest.param("1. one\n" + "x" * 200_000, id="too long"),
    ],
)
def test_where_markdown_would_lose_a_sign_the_result_stands_as_it_was_written(text: str) -> None:
    drawn = section(page_of(result=text), "result")
    shown = unescape(re.sub(r" ?<mark>.*?</mark>|<[^>]*>", "", drawn.partition("</h2>")[2]))
    assert shown.strip() == text


@given(st.text(st.sampled_from("a1 \n#*_-+>|`~.)[](:\\5가<&"), max_size=60))
def test_no_word_or_figure_of_a_result_is_lost(text: str) -> None:
    shown = unescape(re.sub(r"<[^>]*>", "", (formatted(text, escape, escape) or escape(text))))
    hidden = re.findall(r"(?m)^[ >-]*(?:\d+(?=[.)])|[`~]{3,}\S.*$)", text)  # numbers of items, names of languages
    assert len(letters(shown)) + len(letters("".join(hidden))) >= len(letters(text))


def letters(text: str) -> list[str]:
    return [character for character in text if character.isalnum()]


def test_a_claim_stands_with_its_quote_in_its_passage_and_its_source() -> None:
    seen = "\n".join(["before it", "Acme costs 3,000 won.", "behind it", *["far away"] * 9, "the end"])
    page = page_of(seen=seen)
    assert "before it\nAcme costs <b>3,000 won</b>.\nbehind it" in page.content
    assert 'observation 1.1 · <a href="#step-1">step 1</a>' in page.content
    assert "✗ not found" in page.texts["section"]


def test_the_story_has_thoughts_commands_answers_people_and_compactions_with_observations_folded() -> None:
    page = page_of(text="먼저 본다", seen="관찰한 것")
    story = section(page, "story")
    told_of = ("Thought", "1.1 browse", "1.2 write_file: asked", "1.2: yes, by terminal", "먼저 본다 said", "Compacted")
    for told in (*told_of, "No reply:", "Stopped: paused", "Resumed", "Criteria reviewed, round 1", "Ended: reached"):
        assert told in story, told
    assert re.search(r"<details class=\"lines\"><summary>observed[^<]*</summary>\s*<pre[^>]*>관찰한 것</pre>", story)
    assert "from outside the workspace" in story


@pytest.mark.parametrize(
    ("until", "told"),
    [(3, "0 steps"), (4, "1.1 browse"), (7, "waits for an answer"), (9, "started, its end is not known")],
    ids=["asked", "thought", "question", "write"],
)
def test_a_run_that_stands_in_the_middle_of_a_step_says_how_far_it_came(until: int, told: str) -> None:
    page = page_of(until=until)
    assert "Interrupted: its process ended" in page.texts["header"]
    assert told in page.texts["body"]


def test_each_file_has_what_became_of_it_and_the_differences_a_person_saw() -> None:
    page = page_of(text="new line")
    files = section(page, "files")
    assert "<code>report.md</code>" in files
    assert "made, 300 bytes" in files
    assert "<del>-old\n</del><ins>+new line\n</ins>" in files
    assert files.count("<details") == 2


def test_figures_and_setup_are_told_without_address_or_folder() -> None:
    page = page_of(workspace="/home/somebody/secret-place/ws")
    for told in (
        "66 % of them from the provider&#x27;s cache",
        "$0.0030",
        "of $1.00",
        "api.example.org",
        "autoagent 0.1",
    ):
        assert told in page.content, told
    assert "pass@" not in page.content
    assert "somebody" not in page.content


def test_korean_is_named_as_korean_and_english_is_not() -> None:
    page = page_of(text="세 업체를 비교한다", result="Acme: 3,000 won.", goal="세 업체를 비교한다")
    assert page.all("h1")[0]["lang"] == "ko"
    assert page.all("html")[0]["lang"] == "en"
    assert "lang" not in next(attributes for attributes in page.all("div") if attributes["class"] == "formatted")


def test_it_is_made_for_phones_for_print_and_for_the_dark() -> None:
    page = page_of()
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    style = page.texts["style"]
    for rule in (
        "overflow-wrap: anywhere",
        "@media print",
        "prefers-color-scheme: dark",
        "pre-wrap",
        "@media (max-width",
    ):
        assert rule in style


def test_a_run_of_a_hundred_long_steps_stays_small_and_says_what_is_missing() -> None:
    page = page_of(seen="Acme costs 3,000 won & <more>.\n" * 2_000, steps=100)
    assert len(page.content.encode()) < 1_500_000
    assert "more characters …]" in page.content
    assert re.search(r"characters of \d+ long texts, each cut to [\d.]+ kB: whole in the zip", page.texts["main"])


def test_short_texts_leave_their_room_to_long_ones() -> None:
    assert limit_for([100] * 50) == MOST
    assert limit_for([*[1_000] * 100, *[50_000] * 100]) == (ROOM - 100_000) // 100
    assert limit_for([50_000] * 10_000) == LEAST


def test_a_cut_text_keeps_head_and_tail_and_counts_what_is_missing() -> None:
    shown, left = clip("가" * 1_000 + "끝", 300)
    assert shown == f"{'가' * 80}\n[… 901 more characters …]\n{'가' * 19}끝"
    assert left == 901
    assert clip("whole", 300) == ("whole", 0)


def test_colours_have_enough_contrast_in_light_and_dark() -> None:
    page = page_of()
    light, dark = re.findall(r":root \{(.*?)\}", page.texts["style"], re.DOTALL)[:2]
    for palette in (light, dark):
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+)", palette))
        for ink in ("ink", "dim", "link", "good", "bad", "warn"):
            for ground in ("paper", "sheet"):
                assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        for ground in ("mark", "added", "gone"):
            assert contrast(colours["ink"], colours[ground]) >= 4.5, ground


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
