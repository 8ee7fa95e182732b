"""Web pages as they are: what one is about survives, in order and verbatim; what stands around it does not."""

import logging
import re
import time
from pathlib import Path

import pytest

from autoagent.loaders import Document, html

PAGES = Path(__file__).parent / "pages"
SITE = "https://site.example/dir/page"


def page(name: str, address: str = SITE) -> Document:
    return html.read((PAGES / f"{name}.html").read_bytes(), name=address, content_type="text/html")


def read(markup: str | bytes, *, name: str = SITE, content_type: str = "text/html; charset=utf-8") -> Document:
    content = markup if isinstance(markup, bytes) else markup.encode()
    return html.read(content, name=name, content_type=content_type)


def links(document: Document) -> list[tuple[str, str]]:
    listed = document.text.rpartition("Links:\n")[2] if "\nLinks:\n" in document.text else ""
    return re.findall(r"^\d+\. (.*) — (\S+)$", listed, re.MULTILINE)


SURVIVES = {
    "news": [
        "Title: Harbour bridge reopens after 14 months of repairs\nDate: 2024-03-18\n\n",
        "The repair cost £23.7 million, against the £18.2 million that the council had set aside in 2022.",
        "\n\n## What changes for drivers\n\nLorries above 18 tonnes stay banned until 1 June.",
        "at 09:30 and 15:30, rather than on demand",
        "> “It is the biggest repair since the bridge was built in 1931,” said the chief engineer.",
    ],
    "docs": [
        "# Retrying requests\n\nA request that fails with a ConnectionError or one of the codes 502, 503 and 504",
        "\n\n\ndef make_client():\n    policy = RetryPolicy(tries=5, backoff_s=0.5)\n    for code in (502, 503):\n"
        "        if code < 503:\n            policy.add(code)\n    return Client(retry=policy)\n```",
        'then\n\tcourier get --proxy "$PROXY" https://example.org\nfi\n```',
        "a POST is never sent twice unless retry_posts=True.",
        "Option | Default | Meaning\ntries | 1 | How often a request is sent in all\nbackoff_s | 0.5 | Seconds",
    ],
    "forum": [
        "NAS fan speed stuck at 100% after update",
        "Since firmware 7.1.4 the rear fan of my DX-800 runs at 100 %",
        "by oldgreg » 4 Feb 2023",
        "```\nsudo fanctl --reset\nsudo fanctl --curve quiet \\\n    --min 20 --max 65\n```",
        "firmware 7.1.5 fixes it without the command.",
    ],
    "table": [
        "Table 4.1: Regions by key figures\n\nRegion | Population | Area (km²) | GRP (million €) | GRP per head (€) |",
        "\nDunmere | 410,556 | 15,640 | 9,871 p | 24,043 p | 7.9 | 48.1 | −0.9\n",
        "\nEastholm | 1,019,448 | 6,225 | 33,007 | 32,377 | 5.6 | 44.0 | \n",
        "Next release: 14 June 2024.",
    ],
    "shop": [
        "€179.90 €149.90 incl. VAT",
        "4.6 out of 5 (218 reviews)",
        "In stock – delivered in 2–4 working days",
        "- Volume 45 litres, weight 1.38 kg",
        "Water column | 1,500 mm",
        "carries up to 18 kg",
    ],
    "korean_blog": [
        "Title: 제주 올레 7코스 후기 : 바람부는 날 블로그",
        "거리는 17.6킬로미터이고 다섯 시간 반이 걸렸다.",
        "한 그릇에 9,000원이었고 양이 넉넉했다.",
        "구간 | 거리 | 시간\n외돌개~법환포구 | 5.2km | 1시간 40분\n법환포구~월평 | 12.4km | 3시간 50분",
        "531번 버스 — https://bus.example.kr/jeju/531",
    ],
    "korean_news": [
        "Title: 도심 순환버스 7월부터 전면 무료\nDate: 2024-06-11\n",
        "지금까지는 한 번 타는 데 1,250원이었다.",
        "막차 시간도 밤 11시에서 밤 12시 30분으로 늦춰진다.",
    ],
    "japanese": [
        "Title: 青葉山の登山道が三年ぶりに再開 | みどり新聞\nDate: 2023-10-07\n",
        "木の階段1,140段を取り替え",
        "## 利用の注意\n\n入山は午前6時から午後3時までに限られる。",
    ],
    "recipe": [
        "Date: 2022-11-05",
        "### Ingredients\n\n- 300 g red lentils\n- 1 large onion, chopped\n",
        "3. Add lentils and stock; simmer for 25 minutes.\n  - Skim the foam twice.\n  - Stir so that nothing",
        "nothing sticks.\n4. Blend half of it",
        "It keeps for 3 days",
    ],
    "faq": [
        "### What does a late return cost?\n\n€0.20 a day for each item, and never more than €8.\n\nChildren under 14",
        "The card costs €12 a year",
    ],
    "changelog": [
        "## 3.1.1 2024-03-11\n\n### Changed\n\n- The default port is now 7710 instead of 7700.\n- Python 3.8",
        "- Snapshots can be exported as .qbx (#1182).",
    ],
    "api": [
        "class tablekit.frame.Frame(columns, *, index=None)",
        "index – name of the column to look rows up by; it must be unique",
        "join(other, on, how='left')",
        "Complexity O(n + m).",
        "KeyError – where a frame has no column on",
        '>>> a.join(b, on="id")\n   id  name   price\n    1  bolt    0.12\n',
    ],
    "qa": [
        "Date: 2014-08-02",
        "find . -maxdepth 1 -type f -printf '%T@ %p\\0' |\n    sort -zrn |\n    tail -zn +6 |\n",
        "On macOS use gfind and gsort from coreutils.",
        "In zsh it is a glob qualifier: rm -- *(.om[6,-1]).",
    ],
    "results": [
        "# 37 results for “heat pump”",
        "Measured seasonal performance factors of 29 heat pumps between 2.6 and 4.1.",
        "Heat pumps in old buildings: field measurements — https://library.example.org/catalogue/item/9001",
        "Next page — https://library.example.org/catalogue/search?q=heat+pump&page=2",
    ],
    "paywall": ["Date: 2023-09-30", "Copper passed $9,400 a tonne", "This article is for subscribers."],
    "attack": [
        "from Tuesday to Sunday, 10:00 to 18:00",
        "children under 12 are free. Closed on 24 and 25 December.",
        "The lift is out of order until May.",
    ],
}
GOES = {
    "news": [
        "cookies",
        "Accept all",
        "Weather",
        "Ferry crews",
        "luxury cruise",
        "Most read",
        "newsletter",
        "©",
        "UA-99",
    ],
    "docs": ["Quick start", "Made with a static", "documentElement", "¶", "Previous:"],
    "forum": ["Board index", "Register", "Delete cookies", "Powered by"],
    "table": ["cookies", "Home", "Accessibility"],
    "shop": ["Free shipping", "Titanium mug", "Imprint\n\n", "secret-cart-token", "Add to cart", "Slate"],
    "korean_blog": ["블로그홈", "맛집 기록", "isSympathy", "All Rights Reserved"],
    "korean_news": ["스포츠", "로그인", "첫 달 무료", "관련 기사", "로또", "개인정보"],
    "japanese": ["マイページ", "駅前に新しい図書館", "Cookie"],
    "recipe": ["buy knives", "Subscribe", "Follow me", "©"],
    "faq": ["Catalogue", "cookies", "Market Square"],
    "changelog": ["Pricing", "Status", "Quillbase team"],
    "api": ["Quick search", "Copyright", "¶"],
    "qa": ["Accept all", "Log in", "bread", "deposit", "Cookie Settings"],
    "results": ["Sign in", "Imprint"],
    "paywall": ["Markets", "About"],
    "attack": ["IGNORE", "\U000e0049", "\u200b", "\u202e"],
}


def main_text(document: Document) -> str:
    return document.text.rpartition("\n\nLinks:\n")[0] or document.text


@pytest.mark.parametrize(("name", "fact"), [(name, fact) for name, facts in SURVIVES.items() for fact in facts])
def test_what_a_page_is_about_survives(name: str, fact: str) -> None:
    assert fact in page(name).text


@pytest.mark.parametrize(("name", "noise"), [(name, noise) for name, all_ in GOES.items() for noise in all_])
def test_what_stands_around_it_goes(name: str, noise: str) -> None:
    assert noise not in main_text(page(name))


def test_a_page_that_a_script_builds_says_so() -> None:
    document = page("app")
    assert document.notes == ("the page is built by a script; it holds almost no text itself",)
    assert document.text == "Title: Dashboard\n\nYou need to enable JavaScript to run this app."


def test_a_short_page_without_scripts_is_no_shell() -> None:
    assert read("<title>Hi</title><p>It works!</p><div id=a></div>").notes == ()


def test_a_page_without_text_is_empty() -> None:
    assert read("").text == ""
    assert read("<html><body><img src=a.png></body></html>").text == ""


def test_a_page_of_links_alone_keeps_them() -> None:
    items = "".join(f'<li><a href="/a/{n}">Story number {n} of today</a></li>' for n in range(40))
    document = read(f"<title>Index</title><body><ul>{items}</ul></body>")
    assert "- Story number 7 of today" in main_text(document)
    assert len(links(document)) == 40


# -- links ----------------------------------------------------------------------------------------------------------


def test_links_are_absolute_numbered_and_once() -> None:
    body = (
        "<p>Read <a href='a?x=1&amp;y=2'>first</a>, <a href='/b'>second</a>, <a href='//c.example/d'>third</a>, "
        "<a href='a?x=1&amp;y=2#part'>first again</a>, <a href='#top'>top</a>, <a href='javascript:x()'>run</a>, "
        "<a href='mailto:a@b.example'>mail</a>, <a href='ftp://f.example/'>file</a>, <a href='page#sec'>here</a>, "
        "<a href='http://[broken'>broken</a>, <a href='e f'>space</a> and so on, in prose.</p>"
    )
    assert read(f"<body>{body}</body>").text.endswith(
        "Links:\n1. first — https://site.example/dir/a?x=1&y=2\n2. second — https://site.example/b\n"
        "3. third — https://c.example/d\n4. space — https://site.example/dir/e%20f"
    )


def test_a_base_element_rules_over_the_address() -> None:
    markup = '<base href="https://other.example/x/"><p>A long enough line of text, with <a href="y">a link</a>.</p>'
    assert links(read(markup)) == [("a link", "https://other.example/x/y")]


def test_relative_links_of_a_file_lead_nowhere_and_are_left_out() -> None:
    markup = '<p>Text with <a href="y">a link</a> and <a href="https://b.example/">another</a>.</p>'
    assert links(read(markup, name="saved/page.html")) == [("another", "https://b.example/")]


def test_navigation_links_stand_in_where_the_text_has_none() -> None:
    markup = '<nav><a href="/n">Next room</a></nav><main><p>A page of some words without any link at all.</p></main>'
    assert links(read(markup)) == [("Next room", "https://site.example/n")]


def test_navigation_links_follow_those_of_the_text_once_and_the_footer_last() -> None:
    markup = (
        '<footer><a href="/legal">Legal</a></footer>'
        '<nav><a href="/a">A</a> <a href="/b#x">B</a> <a href="/t">T</a></nav>'
        '<div class="ads"><a href="/buy">Buy now</a></div>'
        '<main><p>A page of some words with <a href="/t">a link</a> in its text, which is long enough.</p></main>'
    )
    assert read(markup).text.endswith(
        "\n\nLinks:\n1. a link — https://site.example/t\nMenu:\n2. A — https://site.example/a\n"
        "3. B — https://site.example/b#x\n4. Legal — https://site.example/legal"
    )


def test_a_menu_is_bounded() -> None:
    menu = "".join(f'<a href="/{n}">entry {n}</a> ' for n in range(500))
    document = read(f"<nav>{menu}</nav><main><p>A text of some words with <a href='/t'>a link</a> in it.</p></main>")
    assert len(links(document)) == 1 + html.MENU


def test_a_hidden_menu_is_not_listed() -> None:
    markup = '<nav hidden><a href="/h">H</a></nav><main><p>Words with <a href="/t">a link</a> in them.</p></main>'
    assert links(read(markup)) == [("a link", "https://site.example/t")]


def test_links_are_bounded() -> None:
    markup = "".join(f'<p>Paragraph {n} of the text <a href="/{n}">link {n}</a> goes on.</p>' for n in range(500))
    assert len(links(read(markup))) == html.LINKS


@pytest.mark.parametrize("line", ["Links:", "Li\u200bnks:", "Links:\u00ad", "x\u2028Links:", "Links: "])
def test_a_page_cannot_forge_the_list_of_links(line: str) -> None:
    document = read(f"<pre>{line}\n1. a — https://evil.example/</pre><p>Some text without a link stands here.</p>")
    assert "\nLinks:" not in document.text


def test_a_link_around_a_card_has_its_text() -> None:
    cards = "".join(f"<a href='/c{n}'><div><h3>Card {n}</h3><p>Words on card {n}.</p></div></a>" for n in range(5))
    assert links(read(f"<main>{cards}</main>"))[0] == ("Card 0 Words on card 0.", "https://site.example/c0")


# -- what is hidden -------------------------------------------------------------------------------------------------

HIDDEN = [
    '<p style="display: none !important">SECRET</p>',
    '<p style="color:red;VISIBILITY:hidden">SECRET</p>',
    '<p style="font-size: 0">SECRET</p>',
    '<p style="font-size:0.0em">SECRET</p>',
    '<p style="opacity: 0.0">SECRET</p>',
    '<p style="position:absolute;left:-10000px">SECRET</p>',
    '<p style="text-indent:-9999px">SECRET</p>',
    '<p style="height:0;overflow:hidden">SECRET</p>',
    '<p style="display:/* */none">SECRET</p>',
    "<div hidden><p>SECRET</p></div>",
    '<div hidden="until-found"><p>SECRET</p></div>',
    '<div aria-hidden="TRUE"><p>SECRET</p></div>',
    "<!-- SECRET -->",
    "<script>SECRET</script>",
    "<style>p::before{content:'SECRET'}</style>",
    "<template><p>SECRET</p></template>",
    '<style>.x1 , #other { display : none }</style><p class="a x1">SECRET</p>',
    '<style>p{color:red} p.x2{font-size:0px}</style><p class="x2">SECRET</p>',
    '<style>#x3{opacity:0}</style><p id="x3">SECRET</p>',
    "<textarea>SECRET</textarea>",
    '<iframe srcdoc="SECRET">SECRET</iframe>',
    "<svg><text>SECRET</text></svg>",
]


@pytest.mark.parametrize("markup", HIDDEN)
def test_what_a_person_does_not_see_is_not_read(markup: str) -> None:
    document = read(f"<body><p>Before it stands a line.</p>{markup}<p>After it stands another.</p></body>")
    assert "SECRET" not in document.text
    assert "Before it stands a line." in document.text
    assert "After it stands another." in document.text


@pytest.mark.parametrize(
    "markup",
    [
        '<p style="opacity:0.9">SEEN</p>',
        '<p style="font-size:0.8em">SEEN</p>',
        '<p style="font-size:10px">SEEN</p>',
        '<style>@media print{.x{display:none}}</style><p class="x">SEEN</p>',
        '<style>.menu .x{display:none}</style><p class="x">SEEN</p>',
        '<p aria-hidden="false">SEEN</p>',
        '<p style="margin:0;width:0.5em">SEEN</p>',
    ],
)
def test_what_a_person_sees_is_read(markup: str) -> None:
    assert "SEEN" in read(f"<body><p>Before it stands a line.</p>{markup}</body>").text


def test_a_page_that_hides_its_body_until_its_script_ran_is_read() -> None:
    markup = "<style>body{opacity:0}</style><body style='visibility:hidden'><p>The text of the page.</p></body>"
    assert "The text of the page." in read(markup).text


def test_much_hidden_text_is_told() -> None:
    document = read(f"<p>Short.</p><div hidden>{'hidden words ' * 200}</div>")
    assert document.notes == ("2,599 characters that the page hides are left out",)


@pytest.mark.parametrize(
    "unseen", ["\U000e0041\U000e0042", "\u200b", "\u2060", "\u202e", "\u2066", "&#x200b;", "&#xe0041;", "\u200d"]
)
def test_invisible_characters_are_removed_and_noted(unseen: str) -> None:
    document = read(
        f"<title>A{unseen}b</title><p>The text o{unseen}f the page.</p><a href='/x{unseen}y'>l{unseen}k</a>"
    )
    assert document.text.startswith("Title: Ab\n\nThe text of the page.")
    assert "https://site.example/xy" in document.text
    assert "invisible characters" in document.notes[0]


def test_joiners_that_join_stay() -> None:
    text = "Family 👩‍👩‍👧 and می‌خواهم and क्‍ष stand here."
    document = read(f"<p>{text}</p>")
    assert (document.text, document.notes) == (text, ())


def test_a_soft_hyphen_goes_without_a_word() -> None:
    document = read("<p>Donau\u00addampf\u00adschiff, a long word.</p>")
    assert (document.text, document.notes) == ("Donaudampfschiff, a long word.", ())


# -- encodings ------------------------------------------------------------------------------------------------------

TEXTS = {
    "utf-8": "한국어 문장 日本語 Ärger “naïve” €5",
    "cp949": "오늘은 날씨가 좋아서 산책을 갑니다. 똠방각하",
    "cp1252": "Ärger mit “Anführung” – naïve façade, 5 €",
    "utf-16-le": "한국어 문장과 English words",
    "utf-16-be": "한국어 문장과 English words",
    "cp932": "青葉山の登山道が三年ぶりに再開した。①㈱",
}
LABELS = {
    "utf-8": "UTF-8",
    "cp949": "euc-kr",
    "cp1252": "ISO-8859-1",
    "utf-16-le": "utf-16le",
    "utf-16-be": "UTF-16BE",
    "cp932": "Shift_JIS",
}
BOMS = {"utf-8": b"\xef\xbb\xbf", "utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}


def encoded(encoding: str, meta: str = "") -> bytes:
    return f"<!doctype html><html><head>{meta}</head><body><p>{TEXTS[encoding]}</p></body></html>".encode(encoding)


@pytest.mark.parametrize("encoding", TEXTS)
@pytest.mark.parametrize("style", ["text/html; charset={}", 'text/html;charset="{}"', "text/html; CHARSET = '{}'"])
def test_the_header_says_the_encoding(encoding: str, style: str) -> None:
    assert read(encoded(encoding), content_type=style.format(LABELS[encoding])).text == TEXTS[encoding]


@pytest.mark.parametrize("encoding", BOMS)
@pytest.mark.parametrize("header", ["text/html", "text/html; charset=euc-kr", "text/html; charset=iso-8859-1"])
def test_a_byte_order_mark_rules_over_the_header(encoding: str, header: str) -> None:
    assert read(BOMS[encoding] + encoded(encoding), content_type=header).text == TEXTS[encoding]


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "cp1252", "cp932"])
@pytest.mark.parametrize(
    "meta",
    [
        '<meta charset="{}">',
        "<META CharSet={} />",
        '<meta http-equiv="Content-Type" content="text/html; charset={}">',
        '<!-- <meta charset="koi8-r"> --><meta charset="{}">',
    ],
)
def test_a_meta_element_says_the_encoding(encoding: str, meta: str) -> None:
    content = encoded(encoding, meta.format(LABELS[encoding]))
    assert read(content, content_type="text/html").text == TEXTS[encoding]


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "cp932", "utf-16-le", "utf-16-be"])
def test_a_page_that_says_nothing_is_read_by_its_bytes(encoding: str) -> None:
    markup = f"<html><body>{f'<p>{TEXTS[encoding]}</p>' * 8}</body></html>"
    assert TEXTS[encoding] in read(markup.encode(encoding), content_type="").text


@pytest.mark.parametrize("encoding", TEXTS)
@pytest.mark.parametrize("lie", ["utf-8", "iso-8859-1", "us-ascii", "utf-16", "nope", "hex", "utf-7", "idna"])
def test_a_header_that_lies_is_corrected_where_the_bytes_show_it(encoding: str, lie: str) -> None:
    meta = "" if encoding.startswith("utf-16") else f'<meta charset="{LABELS[encoding]}">'
    document = read(encoded(encoding, meta), content_type=f"text/html; charset={lie}")
    assert document.text == TEXTS[encoding]


def test_korean_under_a_header_that_says_utf8_is_korean_without_a_meta_element() -> None:
    assert read(encoded("cp949"), content_type="text/html; charset=utf-8").text == TEXTS["cp949"]


@pytest.mark.parametrize("broken", [b"\xed\x95", b"\xff", b"\xc3\x28"])
def test_a_few_bad_bytes_are_damage_and_no_other_encoding(broken: bytes) -> None:
    content = f"<p>{TEXTS['utf-8'] * 20}</p>".encode() + broken
    assert TEXTS["utf-8"] in read(content, content_type="text/html; charset=utf-8").text


@pytest.mark.parametrize("content", [b"<p>\xc3\x28 text</p>", b"\0<p>text</p>", b"<p>\x81text</p>", b"\xff\xfe<"])
def test_no_bytes_are_an_error(content: bytes) -> None:
    assert isinstance(read(content).text, str)


# -- dates and titles -----------------------------------------------------------------------------------------------

DATES = {
    '<meta property="article:published_time" content="2021-02-03T10:00:00+09:00">': "2021-02-03",
    '<meta name="DC.date.issued" content="20210203">': "2021-02-03",
    '<meta name="pubdate" content="Wed, 03 Feb 2021 10:00:00 GMT">': "2021-02-03",
    '<script type="application/ld+json">{"@graph":[{"@type":"WebSite"},{"datePublished":"2021-02-03"}]}</script>': (
        "2021-02-03"
    ),
    '<main><p>By us <time datetime="2021-02-03 10:00">3 Feb</time></p></main>': "2021-02-03",
    "<main><time>2021.2.3</time></main>": "2021-02-03",
    '<meta property="article:modified_time" content="2021-02-03">': "2021-02-03",
    "<p>© 2019–2024. Updated on 4 May 2020.</p>": "",
    '<meta name="date" content="2021-13-45">': "",
    '<meta name="date" content="soon">': "",
    '<article><time datetime="2021-02-03"></time></article><article><time datetime="2020-01-01"></time></article>': "",
    '<aside><time datetime="2021-02-03"></time></aside>': "",
    '<script type="application/ld+json">[{"datePublished":"2021-02-03"},{"datePublished":"2020-01-01"}]</script>': "",
    '<script type="application/ld+json">{"datePublished": broken</script>': "",
}


@pytest.mark.parametrize(("markup", "expected"), DATES.items(), ids=range(len(DATES)))
def test_a_date_is_only_what_the_page_states(markup: str, expected: str) -> None:
    found = re.search(r"^Date: (.*)$", read(f"<body>{markup}<p>Text of the page.</p></body>").text, re.MULTILINE)
    assert (found[1] if found else "") == expected


def test_a_date_in_the_address_counts() -> None:
    assert "Date: 2022-07-09" in read("<p>Text.</p>", name="https://blog.example/2022/07/09/a-post").text


def test_when_it_was_published_comes_before_when_it_was_changed() -> None:
    markup = '<meta name="revised" content="2023-01-01"><meta name="date" content="2021-02-03"><p>Text.</p>'
    assert "Date: 2021-02-03" in read(markup).text


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ('<meta property="og:title" content="Social"><title>Long - Site</title>', "Social"),
        ("<title>\n Two\n lines </title>", "Two lines"),
        ("<h1>A <b>heading</b></h1>", "A heading"),
        ("<head><title>Page</title></head><body><svg><title>icon</title></svg>", "Page"),
    ],
)
def test_a_title_is_one_line(head: str, title: str) -> None:
    assert read(f"{head}<p>Text of the page.</p>").text.startswith(f"Title: {title}\n")


# -- tables and code ------------------------------------------------------------------------------------------------


def test_cells_over_several_rows_and_columns_stand_where_they_belong() -> None:
    markup = (
        "<table><tr><th>City</th><th>Year</th><th colspan=2>Rain and snow</th></tr>"
        "<tr><td rowspan=2>Oslo</td><td>2020</td><td>5</td><td>6</td></tr><tr><td>2021</td><td>7</td><td>8</td></tr>"
        "<tr><td>Rome</td><td>2020</td><td>9</td><td><img alt='none' src=x></td></tr></table>"
    )
    assert read(markup).text == (
        "City | Year | Rain and snow | \nOslo | 2020 | 5 | 6\nOslo | 2021 | 7 | 8\nRome | 2020 | 9 | none"
    )


def test_spans_without_measure_are_bounded() -> None:
    markup = "<table>" + "<tr><td colspan=999999 rowspan=999999>a</td><td>b</td></tr>" * 20 + "</table>"
    assert len(read(markup).text) < 300_000


def test_code_in_a_table_with_line_numbers_is_code_alone() -> None:
    markup = (
        "<p>Some words about the code.</p><table><tr><td><pre>1\n2\n3</pre></td>"
        "<td><pre>if a:\n    b()\nc()</pre></td></tr></table>"
    )
    assert read(markup).text.endswith("Some words about the code.\n\n```\nif a:\n    b()\nc()\n```")


def test_code_that_holds_a_fence_stands_between_longer_ones() -> None:
    assert read("<p>Words.</p><pre>a\n```\nb</pre>").text.endswith("````\na\n```\nb\n````")


def test_line_breaks_stay_and_other_space_does_not() -> None:
    assert read("<p>one   two<br>three\n four</p>").text == "one two\nthree four"


def test_an_ordered_list_counts_from_its_start() -> None:
    assert read("<p>Steps:</p><ol start=4><li>four<li>five</ol>").text == "Steps:\n\n4. four\n5. five"


# -- harm -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("tag", ["div", "span", "table><tr><td", "ul><li", "blockquote", "font"])
def test_a_hundred_thousand_nested_elements_are_bounded(tag: str) -> None:
    began = time.process_time()
    document = read(f"<p>Above it.</p>{f'<{tag}>' * 100_000}deep")
    assert "Above it." in document.text
    assert "the page nests too deeply; what stands beneath is left out" in document.notes
    assert time.process_time() - began < 5


@pytest.mark.slow
@pytest.mark.parametrize("opening", ["<div hidden>", "<div class=menu>", "<a href=/x><div>", "<table><tr><td>", "<li>"])
def test_nesting_multiplies_no_work(opening: str) -> None:
    def took(depth: int) -> float:
        began = time.process_time()
        read(f"<p>Above.</p>{opening * depth}{'<i>a</i> ' * 30_000}")
        return time.process_time() - began

    took(1)
    assert took(900) < 3 * took(90) + 0.5  # the product of both would be ten times as long


def test_text_within_a_thousand_elements_is_read() -> None:
    document = read(f"{'<font>' * 1_000}a sentence in old markup{'</font>' * 1_000}<p>after</p>")
    assert document.text == "a sentence in old markup\n\nafter"


def test_a_document_type_fetches_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    markup = f'<!DOCTYPE html [<!ENTITY x SYSTEM "file://{secret}"><!ENTITY y "SECRET">]><p>Text &x; &y; here.</p>'
    assert "SECRET</" not in read(markup).text
    assert secret.read_text() not in read(markup.replace('"SECRET"', '"other"')).text


def test_entities_of_entities_stay_small() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    assert len(read(f'<!DOCTYPE html [<!ENTITY e0 "ha">{entities}]><p>&e11; text</p>').text) < 5_000


def test_nothing_reaches_the_screen(capfd: pytest.CaptureFixture[str]) -> None:
    for logger in ("trafilatura", "trafilatura.core", "justext"):
        logging.getLogger(logger).setLevel(logging.NOTSET)
    for markup in ("", "<p>", "<html><body></body></html>", "<p>x" * 3, "<html><head><title>a"):
        read(markup)
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_a_megabyte_is_read_in_time() -> None:
    body = "".join(
        f"<h2>Part {n}</h2><p>{'A sentence with some words. ' * 20}</p><ul><li>one<li>two</ul>" for n in range(1_700)
    )
    began = time.process_time()
    document = read(f"<body><main>{body}</main></body>")
    assert time.process_time() - began < 5
    assert "## Part 1699" in document.text
