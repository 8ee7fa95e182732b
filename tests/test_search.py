"""Searching the web, against a local server that plays the engines: ddgs' own code and HTTP client do the asking."""

import contextlib
import gzip
import importlib
import inspect
import itertools
import json
import re
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import env_with

from autoagent.build import RunWeb
from autoagent.commands import COMMANDS
from autoagent.env import Excerpt, Found, Hit, Web
from autoagent.errors import CommandError, ConfigError
from autoagent.events import Setup
from autoagent.registry import Registry
from autoagent.search import Searcher, Unanswered, check_names, make_searcher
from autoagent.search.engines import DEFAULT, ENGINES, region
from autoagent.search.hits import SNIPPET, clean, one_line, web_address
from autoagent.search.keyless import Keyless
from autoagent.search.proxy import environment_proxy
from autoagent.search.searxng import SearXNG
from autoagent.thoughts import CommandCall

PAGES = Path(__file__).parent / "search_pages"
QUICK_S = 0.3  # for an answer that never ends
REGISTRY = Registry(COMMANDS)


# A server that plays the engines


@dataclass(frozen=True)
class Answer:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def send(self, handler: "Handler") -> None:
        handler.start(self.status, {"Content-Type": "text/html; charset=UTF-8"} | self.headers)
        handler.wfile.write(self.body)


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    fields: dict[str, list[str]]
    headers: dict[str, str]


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.0: one request a connection, so that nothing stays open."""

    server: "Engines"

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        fields = parse_qs(body or parts.query, keep_blank_values=True)
        self.server.asked.append(
            Asked(self.command, parts.path, fields, {k.lower(): v for k, v in self.headers.items()})
        )
        with contextlib.suppress(OSError):
            self.server.answer(self.path).send(self)

    do_POST = do_CONNECT = do_GET

    def start(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


class Engines(ThreadingHTTPServer):
    """Answers by the first part of the path, which is an engine's name; `answers` may be lists, used up in turn."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[Asked] = []
        self.answers: dict[str, Any] = {}
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.addresses = {name: f"{self.url}/{name}" for name in ENGINES}

    def answer(self, path: str) -> Any:
        found = self.answers.get(urlsplit(path).path.split("/")[1] if path[0] == "/" else "proxy")
        return found.pop(0) if isinstance(found, list) else found

    def play(self, **answers: Any) -> "Engines":
        self.answers.update(answers)
        return self

    def engine(self, name: str) -> Keyless:
        return Keyless(name, self.addresses)

    def ask(self, name: str, answer: Any, query: str = "tea", timeout_s: float = 10) -> Found:
        return self.play(**{name: answer}).engine(name).search(query, 10, timeout_s)

    def refusal(self, name: str, answer: Any, query: str = "tea", timeout_s: float = 10) -> Unanswered:
        with pytest.raises(Unanswered) as raised:
            self.ask(name, answer, query, timeout_s)
        return raised.value


@pytest.fixture(scope="module")
def running() -> Iterator[Engines]:
    with Engines() as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def engines(running: Engines) -> Engines:
    running.asked.clear()
    running.answers.clear()
    return running


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


def page(name: str, **fields: Any) -> Answer:
    return Answer((PAGES / f"{name}.html").read_bytes(), **fields)


@dataclass(frozen=True)
class Drip:
    """A body that comes byte by byte and never ends."""

    def send(self, handler: Handler) -> None:
        handler.start(200, {"Content-Type": "text/html"})
        while not handler.server.closing.wait(0.02):
            handler.wfile.write(b" ")


@dataclass(frozen=True)
class Endless:
    def send(self, handler: Handler) -> None:
        handler.start(200, {"Content-Type": "text/html"})
        while not handler.server.closing.is_set():
            handler.wfile.write(b"<p>" * 20_000)


@dataclass(frozen=True)
class Hang:
    def send(self, handler: Handler) -> None:
        handler.rfile.read(1)  # until the client goes


@dataclass(frozen=True)
class Reset:
    """The connection is torn down, after the head of an answer or before it."""

    head: bool

    def send(self, handler: Handler) -> None:
        if self.head:
            handler.start(200, {"Content-Length": "5000"})
            handler.wfile.write(b"<html>")
            handler.wfile.flush()
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()


@dataclass(frozen=True)
class Flood:
    """More than anybody reads, small on the way: a compressed body."""

    def send(self, handler: Handler) -> None:
        body = gzip.compress(b"<p>" * 4_000_000)
        Answer(body, headers={"Content-Encoding": "gzip"}).send(handler)


# What ddgs is to us


def test_ddgs_is_the_version_whose_inside_is_known() -> None:
    import ddgs
    from ddgs.base import BaseSearchEngine
    from ddgs.http_client import HttpClient

    assert ddgs.__version__ == "9.16.1"
    assert list(inspect.signature(BaseSearchEngine.search).parameters)[:3] == ["self", "query", "region"]
    assert list(inspect.signature(BaseSearchEngine.__init__).parameters) == ["self", "proxy", "timeout", "verify"]
    assert isinstance(vars(BaseSearchEngine)["result_type"], property)
    assert {"extract_tree", "pre_process_html", "extract_results", "post_extract_results"} <= vars(
        BaseSearchEngine
    ).keys()
    assert "self.http_client.request(" in inspect.getsource(BaseSearchEngine.request)
    assert "primp.Client(" in inspect.getsource(HttpClient.__init__)


def test_every_engine_of_ddgs_for_text_is_known() -> None:
    from ddgs.engines import ENGINES as OF_DDGS

    assert OF_DDGS["text"].keys() == ENGINES.keys()
    for name, engine in OF_DDGS["text"].items():
        assert ENGINES[name].site in inspect.getsource(sys.modules[engine.__module__])
    assert set(DEFAULT) <= ENGINES.keys()


# What comes back


def test_results_of_duckduckgo_come_clean_and_lead_where_they_say(engines: Engines) -> None:
    found = engines.ask("duckduckgo", page("duckduckgo_results"))
    assert found == Found(
        (
            Hit(
                "The history of tea & trade",
                "https://example.org/tea?page=1&lang=en",
                "How tea came to Europe: ships, tax & smugglers. See example.org/map for a map.",
            ),
            Hit(
                "Green tea - Encyclopedia",
                "https://encyclopedia.example/wiki/Green_tea%3F",
                "Green tea is made from leaves that are not oxidised.",
            ),
            Hit("Tea houses", "https://www.example.net/a%20b/houses?q=100%25", "A list of houses."),
        ),
        "DuckDuckGo",
    )


@pytest.mark.parametrize(
    ("engine", "pages", "urls"),
    [
        ("brave", ["brave_results"], ["https://example.jp/tea", "https://example.com/black?x=1&y=2"]),
        ("yahoo", ["yahoo_results"], ["https://example.org/ceremony?part=1&of=2%23a"]),
        ("mojeek", ["mojeek_results"], ["https://example.co.uk/tea"]),
        ("startpage", ["startpage_home", "startpage_results"], ["https://example.de/tee"]),
    ],
)
def test_results_of_the_other_engines_are_read(
    engines: Engines, engine: str, pages: list[str], urls: list[str]
) -> None:
    found = engines.ask(engine, [page(name) for name in pages])
    assert [hit.url for hit in found.hits] == urls
    assert all(hit.title and hit.snippet for hit in found.hits)


def test_an_article_of_wikipedia_is_found_by_its_title(engines: Engines) -> None:
    listed = ["who", ["Who?"], [""], ["https://ko.wikipedia.org/wiki/%EB%88%84%EA%B5%AC%3F"]]
    text = {"query": {"pages": {"1": {"extract": "A question."}}}}
    found = engines.ask("wikipedia", [Answer(json.dumps(part).encode()) for part in (listed, text)], "누구")
    assert found.hits == (Hit("Who?", "https://ko.wikipedia.org/wiki/%EB%88%84%EA%B5%AC%3F", "A question."),)


@pytest.mark.parametrize("engine", ["duckduckgo", "yahoo", "mojeek"])
def test_a_page_that_says_there_is_nothing_is_an_answer(engines: Engines, engine: str) -> None:
    assert engines.ask(engine, page(f"{engine}_empty"), "qzxvkjw") == Found((), ENGINES[engine].name)


def test_an_advertisement_beside_it_does_not_change_that(engines: Engines) -> None:
    body = (PAGES / "duckduckgo_empty.html").read_text(encoding="utf-8")
    link = "//duckduckgo.com/l/?uddg=https%3A%2F%2Fduckduckgo.com%2Fy.js"
    ad = f'<div class="result__body"><h2>Ad</h2><a href="{link}">Buy</a></div>'
    assert '<div id="links" class="results">' in body
    body = body.replace('<div id="links" class="results">', f'<div id="links" class="results">{ad}')
    assert engines.ask("duckduckgo", Answer(body.encode())) == Found((), "DuckDuckGo")


def test_words_that_were_asked_for_do_not_prove_that_there_is_nothing(engines: Engines) -> None:
    repeated = Answer(b"<html><body><p>No pages found in my book</p></body></html>")
    assert "could not be understood" in str(engines.refusal("mojeek", repeated, "no pages found in my book"))


@pytest.mark.parametrize("status", [202, 401, 403, 418, 429])
@pytest.mark.parametrize("name", ["duckduckgo_anomaly", "duckduckgo_empty", "duckduckgo_results"])
def test_a_status_that_blocks_is_a_block_whatever_the_page_says(engines: Engines, status: int, name: str) -> None:
    refusal = engines.refusal("duckduckgo", page(name, status=status))
    assert str(refusal) == f"blocks searches ({status})"
    assert refusal.rest


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_error_status_is_no_answer(engines: Engines, status: int) -> None:
    assert str(engines.refusal("brave", page("brave_results", status=status))) == f"answered with an error ({status})"


@pytest.mark.parametrize(
    ("value", "seconds"), [("90", 90), ("", 0), ("soon", 0), ("-5", 0), ("9" * 400, 86_400), ("²", 0), ("1e9", 0)]
)
def test_the_wait_that_an_engine_asks_for_is_kept_where_it_makes_sense(
    engines: Engines, value: str, seconds: float
) -> None:
    answer = Answer(status=429, headers={"Retry-After": value.encode().decode("latin-1")})
    assert engines.refusal("brave", answer).retry_after_s == seconds


@pytest.mark.parametrize("engine", ["duckduckgo", "brave", "yahoo", "startpage", "mojeek"])
@pytest.mark.parametrize("name", ["captcha", "consent", "duckduckgo_anomaly"])
def test_a_captcha_or_consent_page_with_status_200_is_a_block(engines: Engines, engine: str, name: str) -> None:
    assert "blocks searches" in str(engines.refusal(engine, page(name)))


@pytest.mark.parametrize(
    "location",
    [
        "https://consent.yahoo.com/v2/collectConsent?sessionId=1",
        "https://guce.yahoo.com/consent",
        "/yahoo/captcha?next=1",
        "https://elsewhere.example/search",
        "http://127.0.0.2:9/search",
        "ftp://search.yahoo.com/",
    ],
)
def test_a_redirect_away_from_the_results_is_a_block_and_is_not_followed(engines: Engines, location: str) -> None:
    refusal = engines.refusal("yahoo", Answer(status=302, headers={"Location": location}))
    assert "blocks searches" in str(refusal)
    assert len(engines.asked) == 1


def test_a_redirect_within_the_engine_is_followed(engines: Engines) -> None:
    moved = Answer(status=302, headers={"Location": "https://uk.search.yahoo.com/search?p=tea"})
    assert engines.ask("yahoo", [moved, page("yahoo_results")]).hits
    assert [asked.path for asked in engines.asked][1] == "/yahoo/search"


def test_redirects_in_circles_end(engines: Engines) -> None:
    refusal = engines.refusal("brave", Answer(status=302, headers={"Location": "/brave/search"}))
    assert "in circles" in str(refusal)
    assert len(engines.asked) < 6


UNREADABLE: list[Answer] = [
    page("duckduckgo_changed"),
    page("brave_empty"),
    Answer(),
    Answer(b" \n"),
    Answer(b"\0\xff\xfe\0"),
    Answer(b"{}"),
    Answer(b"<?xml version='1.0' encoding='utf-8'?><html><body>hello</body></html>"),
    Answer(b"<html><body><p>No results found</p></body></html>"),
    Answer(b"<!-- no-results -->"),
    Answer(b"<div>" * 50_000),
]


@pytest.mark.parametrize("engine", ["duckduckgo", "brave", "mojeek"])
@pytest.mark.parametrize("answer", UNREADABLE, ids=lambda answer: repr(answer.body[-30:]))
def test_a_page_that_cannot_be_understood_is_no_empty_page(engines: Engines, engine: str, answer: Answer) -> None:
    refusal = engines.refusal(engine, answer)
    assert str(refusal) == "sent a page that could not be understood"
    assert not refusal.rest


@pytest.mark.parametrize("engine", ["wikipedia", "grokipedia"])
@pytest.mark.parametrize("body", [b"[]", b"{}", b"<html>", b"null", b'["a", []]', b"[1, 2, 3, 4]", b'{"results": [7]}'])
def test_an_encyclopedia_never_says_that_there_is_nothing(engines: Engines, engine: str, body: bytes) -> None:
    assert engines.refusal(engine, Answer(body))


@pytest.mark.parametrize("answer", [Drip(), Hang()], ids=repr)
def test_an_engine_that_takes_too_long_is_left(engines: Engines, answer: Any) -> None:
    assert str(engines.refusal("duckduckgo", answer, timeout_s=QUICK_S)) == "did not answer in time"


@pytest.mark.parametrize("answer", [Endless(), Flood()], ids=repr)
def test_a_page_without_end_is_left(engines: Engines, answer: Any) -> None:
    assert str(engines.refusal("duckduckgo", answer)) == "sent more than 4 MB"


@pytest.mark.parametrize("head", [True, False])
def test_a_connection_that_breaks_is_no_answer(engines: Engines, head: bool) -> None:
    assert engines.refusal("duckduckgo", Reset(head))


def test_an_engine_that_cannot_be_reached_is_asked_again_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unanswered, match="could not be reached") as raised:
        Keyless("brave", {"brave": f"http://127.0.0.1:{port}"}).search("tea", 5, 5)
    assert not raised.value.rest


def test_a_host_without_an_address_cannot_be_reached() -> None:
    with pytest.raises(Unanswered, match=r"could not be reached|in time"):
        Keyless("brave", {"brave": "http://nowhere.invalid"}).search("tea", 5, 5)


# Korean


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/html"},
        {"Content-Type": "text/html; charset=iso-8859-1"},
        {"Content-Type": "x; charset=nope"},
    ],
    ids=str,
)
def test_korean_results_are_read_whatever_charset_is_claimed(engines: Engines, headers: dict[str, str]) -> None:
    found = engines.ask("duckduckgo", page("duckduckgo_korean", headers=headers), "한국 차")
    assert found.hits[0] == Hit(
        "한국 차의 역사",
        "https://example.kr/%EC%B0%A8",
        "삼국 시대부터 조선까지, 차 문화가 어떻게 이어졌는지 알아봅니다.",
    )


def test_a_page_in_another_encoding_is_read_as_its_header_says(engines: Engines) -> None:
    body = (PAGES / "duckduckgo_korean.html").read_text(encoding="utf-8").encode("cp949")
    found = engines.ask("duckduckgo", Answer(body, headers={"Content-Type": "text/html; charset=EUC-KR"}), "차")
    assert found.hits[1].title == "녹차 우리는 법"


@pytest.mark.parametrize(("engine", "name"), [("duckduckgo", "q"), ("brave", "q"), ("yahoo", "p"), ("mojeek", "q")])
@pytest.mark.parametrize("query", ["한국 차 100% + a&b=c", "tea 'n' \"cake\"", "茶 🍵"])
def test_a_query_arrives_as_it_was_asked(engines: Engines, engine: str, name: str, query: str) -> None:
    with contextlib.suppress(Unanswered):
        engines.ask(engine, Answer(), query)
    assert engines.asked[0].fields[name] == [query]


@pytest.mark.parametrize(
    ("query", "of_duckduckgo", "of_others"),
    [
        ("한국 차", "kr-kr", "kr-ko"),
        ("python 한글 인코딩", "kr-kr", "kr-ko"),
        ("お茶", "jp-jp", "jp-ja"),
        ("чай", "wt-wt", "ru-ru"),
        ("tea", "wt-wt", "us-en"),
    ],
)
def test_the_region_follows_the_script_of_the_query(query: str, of_duckduckgo: str, of_others: str) -> None:
    assert (region(query, "duckduckgo"), region(query, "wikipedia")) == (of_duckduckgo, of_others)


def test_the_region_is_sent(engines: Engines) -> None:
    engines.ask("duckduckgo", page("duckduckgo_korean"), "한국 차")
    assert engines.asked[0].fields["l"] == ["kr-kr"]


# Through a proxy


def test_the_proxy_of_the_environment_is_asked_and_nobody_else(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", engines.url)
    engines.play(proxy=Answer(status=502))
    with pytest.raises(Unanswered):
        Keyless("duckduckgo").search("tea", 5, 5)
    assert {asked.method for asked in engines.asked} == {"CONNECT"}


def test_a_proxy_that_is_no_address_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@[bad")
    with pytest.raises(Unanswered) as raised:
        Keyless("duckduckgo").search("tea", 5, 5)
    assert "proxy" in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("address", "proxy"),
    [
        ("https://duckduckgo.com", "http://proxy.example:3128"),
        ("http://127.0.0.1:8888", None),
        ("http://[::1]:8888", None),
        ("http://localhost:8888", None),
        ("https://inside.example", None),
        ("http://duckduckgo.com", None),
    ],
)
def test_the_proxy_is_for_the_hosts_it_is_meant_for(
    monkeypatch: pytest.MonkeyPatch, address: str, proxy: str | None
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    assert environment_proxy(address) == proxy


# SearXNG


def searxng(engines: Engines, answer: Any, query: str = "tea", timeout_s: float = 10) -> Found:
    return SearXNG(f"{engines.play(searxng=answer).url}/searxng").search(query, 10, timeout_s)


def results(*rows: Any, **others: Any) -> Answer:
    return Answer(json.dumps({"results": rows} | others).encode(), headers={"Content-Type": "application/json"})


ROW = {"title": "Tea", "url": "https://example.org/tea", "content": "Leaves &amp; water."}


@pytest.mark.parametrize("query", ["tea", "한국 차"])
def test_searxng_is_asked_for_json(engines: Engines, query: str) -> None:
    found = searxng(engines, results(ROW), query)
    assert found.hits == (Hit("Tea", "https://example.org/tea", "Leaves & water."),)
    (asked,) = engines.asked
    assert asked.path == "/searxng/search"
    assert asked.fields["q"] == [query]
    assert asked.fields["format"] == ["json"]
    assert "python" not in asked.headers["user-agent"]


def test_no_password_of_a_netrc_file_is_sent(engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    searxng(engines, results(ROW))
    assert "authorization" not in engines.asked[0].headers


@pytest.mark.parametrize("ending", ["", "/", "/search", "/search/"])
def test_the_address_of_a_searxng_may_end_as_people_write_it(engines: Engines, ending: str) -> None:
    engines.play(searxng=results(ROW))
    assert SearXNG(f"{engines.url}/searxng{ending}").search("tea", 5, 5).hits
    assert engines.asked[0].path == "/searxng/search"


@pytest.mark.parametrize("answer", [Answer(status=403), page("brave_results")], ids=["403", "html"])
def test_a_searxng_without_json_is_told_with_the_mend(engines: Engines, answer: Answer) -> None:
    with pytest.raises(Unanswered, match=r"enable `json` under search\.formats in its settings\.yml"):
        searxng(engines, answer)


def test_a_searxng_that_has_nothing_is_an_answer(engines: Engines) -> None:
    assert searxng(engines, results(unresponsive_engines=[])).hits == ()


def test_engines_of_a_searxng_that_did_not_answer_are_noted(engines: Engines) -> None:
    found = searxng(engines, results(ROW, unresponsive_engines=[["google", "CAPTCHA"], ["brave", "timeout"]]))
    assert found.notes == (
        f"SearXNG at 127.0.0.1:{engines.server_port} had no answer of google CAPTCHA, brave timeout",
    )


def test_a_searxng_whose_engines_are_blocked_never_says_that_there_is_nothing(engines: Engines) -> None:
    with pytest.raises(Unanswered, match="google CAPTCHA"):
        searxng(engines, results(unresponsive_engines=[["google", "CAPTCHA"]]))


ODD: list[Any] = [b"", b"hello", b"[]", b"null", b'{"results": 7}', b"[" * 100_000, b"\xff\xfe", b'{"query": "tea"}']


@pytest.mark.parametrize("body", ODD, ids=lambda body: repr(body[:20]))
def test_what_is_no_answer_of_a_searxng_is_told(engines: Engines, body: bytes) -> None:
    with pytest.raises(Unanswered, match="is this the address of a SearXNG"):
        searxng(engines, Answer(body))


def test_odd_results_of_a_searxng_are_passed_over(engines: Engines) -> None:
    rows: list[Any] = [7, None, [], {}, {"url": 3}, {"url": "javascript:alert(1)", "title": "x"}, {"url": ROW["url"]}]
    found = searxng(engines, results(*rows, unresponsive_engines={"a": 1}))
    assert found.hits == (Hit("example.org", "https://example.org/tea", ""),)


@pytest.mark.parametrize("location", ["http://127.0.0.2:9/search", "https://elsewhere.example/", "//other.example/x"])
def test_a_searxng_does_not_lead_to_another_host(engines: Engines, location: str) -> None:
    with pytest.raises(Unanswered, match="redirects to another host"):
        searxng(engines, Answer(status=302, headers={"Location": location}))
    assert len(engines.asked) == 1


def test_a_searxng_may_redirect_within_its_host(engines: Engines) -> None:
    moved = Answer(status=308, headers={"Location": "/searxng/search?q=tea&format=json"})
    assert searxng(engines, [moved, results(ROW)]).hits


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Drip(), "in time"),
        (Hang(), "in time"),
        (Endless(), "more than 4 MB"),
        (Flood(), "more than 4 MB"),
        (Reset(True), "broke off|reached"),
        (Reset(False), "reached"),
        (Answer(status=429), "blocks"),
        (Answer(status=500), "error"),
    ],
    ids=repr,
)
def test_a_searxng_that_fails_is_told(engines: Engines, answer: Any, words: str) -> None:
    timeout_s = QUICK_S if "time" in words else 10
    with pytest.raises(Unanswered, match=words):
        searxng(engines, answer, timeout_s=timeout_s)


# Several engines: a clock that only these tests move


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Scripted:
    """An engine as a plugin would bring it: answers in turn, the last one for ever."""

    name: str
    answers: list[Any]
    clock: Clock
    takes_s: float = 0
    asked: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])  # when, and for how long

    def search(self, query: str, limit: int, timeout_s: float) -> Found:
        self.asked.append((self.clock.now, timeout_s))
        self.clock.now += min(self.takes_s, timeout_s)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return Found(tuple(hit(n) for n in range(answer)), self.name)


def hit(number: int) -> Hit:
    return Hit(f"Title {number}", f"https://example.org/{number}", "Some text.")


@dataclass
class Desk:
    """A searcher over scripted engines A, B, …"""

    scripts: Sequence[list[Any]]
    takes_s: float = 0
    clock: Clock = field(default_factory=Clock)
    said: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.engines = [
            Scripted(name, answers, self.clock, self.takes_s)
            for name, answers in zip("ABCDE", self.scripts, strict=False)
        ]
        self.searcher = Searcher(self.engines, self.said.append, clock=self.clock, sleep=self.clock.sleep)
        self.search = self.searcher.search

    def error(self, query: str = "tea") -> str:
        with pytest.raises(CommandError) as raised:
            self.search(query, 10)
        return str(raised.value)


def blocked(retry_after_s: float = 0) -> Unanswered:
    return Unanswered("blocks searches (202)", retry_after_s=retry_after_s)


def test_one_query_a_second_is_sent_at_most() -> None:
    desk = Desk([[3]])
    for number in range(4):
        desk.search(f"tea {number}", 3)
    times = [when for when, _ in desk.engines[0].asked]
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [1, 1, 1]


def test_who_waited_anyway_waits_no_longer() -> None:
    desk = Desk([[3]])
    desk.search("tea", 3)
    desk.clock.now += 5
    desk.search("coffee", 3)
    assert desk.clock.slept == []


def test_threads_take_turns_a_second_apart() -> None:
    desk = Desk([[3]])
    waits: list[float] = []
    searcher = Searcher(desk.engines, desk.said.append, clock=lambda: 0.0, sleep=waits.append)
    together([partial(searcher.search, f"tea {number}", 3) for number in range(6)])
    assert sorted(waits) == [1, 2, 3, 4, 5]


def together(calls: Sequence[Callable[[], Any]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@dataclass
class Meeting:
    """An engine whose answer takes until two ask at once, or a moment has passed."""

    answer: Any
    name: str = "A"
    asked: list[str] = field(default_factory=list[str])
    barrier: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))

    def search(self, query: str, limit: int, timeout_s: float) -> Found:
        self.asked.append(query)
        with contextlib.suppress(threading.BrokenBarrierError):
            self.barrier.wait(QUICK_S)
        if isinstance(self.answer, Exception):
            raise self.answer
        return Found((hit(1),), self.name)


def test_the_same_query_of_several_threads_is_asked_once() -> None:
    engine, clock = Meeting(3), Clock()
    searcher = Searcher([engine], print, clock=clock, sleep=clock.sleep)
    together([partial(searcher.search, "tea", 3)] * 4)
    assert engine.asked == ["tea"]


def test_a_block_that_two_threads_meet_counts_once() -> None:
    engine, clock = Meeting(blocked()), Clock()
    searcher = Searcher([engine], print, clock=clock, sleep=clock.sleep)

    def search(query: str) -> str:
        with pytest.raises(CommandError) as raised:
            searcher.search(query, 3)
        return str(raised.value)

    together([partial(search, "tea"), partial(search, "coffee")])
    assert len(engine.asked) == 2
    clock.now += 30
    assert "Try again in 60 s" in search("cake")


@pytest.mark.parametrize("again", ["tea house", "  tea \t house\n", "tea\u200bhouse"])
def test_a_query_is_asked_once_in_a_run(again: str) -> None:
    desk = Desk([[3]])
    assert desk.search("tea house", 10) == desk.search(again, 10)
    assert len(desk.engines[0].asked) == 1


def test_both_spellings_of_hangul_are_one_query() -> None:
    desk = Desk([[3]])
    desk.search("한글", 10)
    desk.search("\u1112\u1161\u11ab\u1100\u1173\u11af", 10)
    assert len(desk.engines[0].asked) == 1


@pytest.mark.parametrize(("first", "second", "times"), [(10, 4, 1), (3, 10, 1), (5, 8, 2), (5, 5, 1)])
def test_an_answer_serves_a_smaller_limit_and_a_larger_one_where_there_was_no_more(
    first: int, second: int, times: int
) -> None:
    desk = Desk([[5]])
    assert len(desk.search("tea", first).hits) == min(first, 5)
    assert len(desk.search("tea", second).hits) == min(second, 5)
    assert len(desk.engines[0].asked) == times


def test_a_failure_is_not_kept() -> None:
    desk = Desk([[Unanswered("could not be reached", rest=False), 2]])
    desk.error()
    assert len(desk.search("tea", 10).hits) == 2


def test_another_engine_is_asked_and_the_change_is_said() -> None:
    desk = Desk([[blocked()], [2]])
    found = desk.search("tea", 10)
    assert (found.by, len(found.hits)) == ("B", 2)
    assert found.notes == ("A blocks searches (202)",)
    assert desk.said == ["A blocks searches (202); asking B instead"]


def test_an_engine_that_blocks_is_not_asked_while_it_rests() -> None:
    desk = Desk([[blocked(), 1], [2]])
    desk.search("one", 10)
    found = desk.search("two", 10)
    assert found.notes == ("A blocks searches (202)",)
    assert len(desk.engines[0].asked) == 1
    desk.clock.now += 30
    assert desk.search("three", 10).by == "A"


def rest_of(desk: Desk) -> int:
    """How long the only engine says that it rests."""
    found = re.search(r"Try again in (\d+) s", desk.error(f"query at {desk.clock.now}"))
    assert found
    return int(found[1])


def test_each_block_doubles_the_rest_up_to_ten_minutes() -> None:
    desk = Desk([[blocked()]])
    rests: list[int] = []
    for _ in range(7):
        rests.append(rest_of(desk))
        desk.clock.now += rests[-1]
    assert rests == [30, 60, 120, 240, 480, 600, 600]


def test_an_answer_ends_the_doubling() -> None:
    desk = Desk([[blocked(), blocked(), 1, blocked()]])
    desk.clock.now += rest_of(desk)
    desk.clock.now += rest_of(desk)
    desk.search("tea", 1)
    assert rest_of(desk) == 30


def test_an_engine_rests_as_long_as_it_asks_for() -> None:
    assert rest_of(Desk([[blocked(retry_after_s=900)]])) == 900


def test_where_all_are_blocked_it_says_that_this_proves_nothing() -> None:
    desk = Desk([[blocked()], [Unanswered("blocks searches (403)")]])
    assert desk.error() == (
        "No search engine answered: A blocks searches (202), B blocks searches (403). This does NOT mean that nothing "
        "exists. Try again in 29 s, or browse a page you know."
    )


def test_an_empty_answer_is_taken_and_its_engine_named() -> None:
    desk = Desk([[0], [3]])
    assert desk.search("tea", 10) == Found((), "A")
    assert desk.engines[1].asked == []


def test_after_a_page_that_was_not_understood_the_next_is_asked() -> None:
    desk = Desk([[Unanswered("sent a page that could not be understood", rest=False)], [0]])
    assert desk.search("tea", 10) == Found((), "B", ("A sent a page that could not be understood",))


def test_a_search_ends_in_time_however_slow_the_engines_are() -> None:
    desk = Desk([[Unanswered("did not answer in time")]] * 5, takes_s=60)
    began = desk.clock.now
    assert "D was not asked, the time was up" in desk.error()
    assert desk.clock.now - began <= 45
    assert [timeout for engine in desk.engines for _, timeout in engine.asked] == [20, 20, 5]


@dataclass
class Hanging:
    """Does not keep to its time."""

    name: str = "D"
    over: threading.Event = field(default_factory=threading.Event)

    def search(self, query: str, limit: int, timeout_s: float) -> Found:
        self.over.wait()
        return Found((), self.name)


def test_an_engine_that_hangs_is_left_to_itself() -> None:
    clock, last = Clock(), Hanging()
    late = [Unanswered("did not answer in time")]
    slow = [Scripted(name, late, clock, takes_s) for name, takes_s in (("A", 20), ("B", 20), ("C", 4.9))]
    searcher = Searcher([*slow, last], print, clock=clock, sleep=clock.sleep)
    try:
        with pytest.raises(CommandError, match="D did not answer in time"):
            searcher.search("tea", 3)
    finally:
        last.over.set()


@pytest.mark.parametrize("query", ["", " \n", "\u200b\0"])
def test_an_empty_query_is_refused_before_anybody_is_asked(query: str) -> None:
    desk = Desk([[1]])
    assert "query is empty" in desk.error(query)
    assert desk.engines[0].asked == []


def test_a_query_that_is_too_long_is_refused_without_repeating_it() -> None:
    assert "zzz" not in Desk([[1]]).error("z" * 501)


def test_the_words_of_an_engine_are_cleaned() -> None:
    desk = Desk([[Unanswered("wants a key\x1b[2J\nfrom https://evil.example/x")], [1]])
    assert desk.search("tea", 10).notes == ("A wants a key [2J from evil.example/x",)
    assert desk.said == ["A wants a key [2J from evil.example/x; asking B instead"]


def test_an_engine_that_raises_anything_is_passed_over_without_its_words() -> None:
    desk = Desk([[ValueError("tea")], [1]])
    assert desk.search("tea", 10).notes == ("A failed (ValueError)",)


NO_ANSWERS = st.sampled_from(
    [
        blocked(),
        blocked(900),
        Unanswered("did not answer in time"),
        Unanswered("could not be reached", rest=False),
        Unanswered("sent a page that could not be understood", rest=False),
        RuntimeError("broken"),
        CommandError("refused"),
    ]
)


@given(
    scripts=st.lists(st.lists(NO_ANSWERS, min_size=1, max_size=4), min_size=1, max_size=5),
    pauses=st.lists(st.floats(0, 700), min_size=1, max_size=6),
)
@settings(max_examples=60)
def test_a_block_is_never_told_as_nothing_found(scripts: list[list[Any]], pauses: list[float]) -> None:
    desk = Desk(scripts)
    for pause in pauses:
        assert "does NOT mean that nothing exists" in desk.error()
        desk.clock.now += pause


@given(
    status=st.sampled_from([200, 202, 204, 301, 302, 303, 304, 307, 400, 403, 404, 418, 429, 451, 500, 503, 599]),
    name=st.sampled_from(sorted(path.stem for path in PAGES.iterdir())),
    cut=st.integers(0, 3_000),
    engine=st.sampled_from(["duckduckgo", "brave", "yahoo", "startpage", "mojeek"]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_the_empty_page_of_an_engine_with_status_200_is_nothing_found(
    engines: Engines, status: int, name: str, cut: int, engine: str
) -> None:
    body = (PAGES / f"{name}.html").read_bytes()[: -cut or None]
    with contextlib.suppress(Unanswered):
        if not engines.ask(engine, Answer(body, status), "qzxvkjw").hits:
            assert (status, name) == (200, f"{engine}_empty")


# Names and plugins


@pytest.mark.parametrize("names", [[], ["duckduckgo", "Brave"], ["http://127.0.0.1:8888"], ["https://s.example/x"]])
def test_right_names_pass(names: list[str]) -> None:
    check_names(names)
    make_searcher(names, print)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("duckduck", "Did you mean 'duckduckgo'"),
        ("breve", "Did you mean 'brave'"),
        ("altavista", "Choose from brave, duckduckgo"),
        ("", "Choose from"),
        ("ftp://127.0.0.1", "looks like http://127.0.0.1:8888"),
        ("http://", "looks like"),
        ("http://[bad", "looks like"),
        ("http://host:0", "looks like"),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        check_names(["duckduckgo", name])
    with pytest.raises(ConfigError, match=hint):
        make_searcher(["duckduckgo", name], print)


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str, *names: str) -> None:
    """A plugin package, as pip would leave it."""
    info = folder / "acme_search-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-search\nVersion: 1.0\n")
    lines = "\n".join(f"{name} = acme_search_plugin:{name}" for name in names)
    (info / "entry_points.txt").write_text(f"[autoagent.search]\n{lines}\n")
    (folder / "acme_search_plugin.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "acme_search_plugin", raising=False)
    importlib.invalidate_caches()


WORKING = """
from autoagent.env import Found, Hit

class Acme:
    name = "Acme\\x1b[31m"

    def search(self, query, limit, timeout_s):
        return Found((Hit("A", "https://a.example/x", "s" * 900), Hit("B", "mailto:b@example.org", "")), "x", ("n\\n",))

def acme():
    return Acme()
"""


def test_a_plugin_is_asked_by_name_and_its_answer_is_cleaned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, WORKING, "acme")
    check_names(["acme"])
    found = make_searcher(["acme"], print).search("tea", 10)
    assert (found.by, found.notes) == ("Acme [31m", ("n",))
    assert [(hit.url, len(hit.snippet)) for hit in found.hits] == [("https://a.example/x", SNIPPET)]


def test_a_plugin_that_is_not_named_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "raise SystemExit('loaded')", "acme")
    make_searcher([], print)
    check_names(["acme"])


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise RuntimeError('no\\nkey')", "RuntimeError: no key"),
        ("acme = None", "TypeError"),
        ("def acme(): return 7", "it gives no search provider"),
        ("def other(): ...", "AttributeError"),
        ("from autoagent.errors import ConfigError\ndef acme(): raise ConfigError('set ACME_KEY')", "set ACME_KEY"),
    ],
)
def test_a_broken_plugin_is_named_in_one_line_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    install(tmp_path, monkeypatch, code, "acme")
    said: list[str] = []
    searcher = make_searcher(["acme"], said.append)
    (line,) = said
    assert line.startswith("search plugin acme: ")
    assert words in line
    assert line.endswith("Skipped")
    assert "\n" not in line
    with pytest.raises(CommandError, match="No search engine is set up"):
        searcher.search("tea", 10)


# Clean text and addresses


@pytest.mark.parametrize(
    ("given_url", "url"),
    [
        ("https://example.org/a?b=c&d=%26#e", "https://example.org/a?b=c&d=%26#e"),
        ("//duckduckgo.com/l/?uddg=https%3A%2F%2Fexample.org%2F%3Fa%3D1%26b%3D2&rut=x", "https://example.org/?a=1&b=2"),
        ("https://duckduckgo.com/l?uddg=http%3A%2F%2Fa.example%2F", "http://a.example/"),
        ("//duckduckgo.com/l/?rut=x", ""),
        ("//duckduckgo.com/l/?uddg=javascript%3Aalert(1)", ""),
        ("//duckduckgo.com/l/?uddg=https%3A%2F%2Fduckduckgo.com%2Fy.js%3Fad", ""),
        (
            "https://notduckduckgo.com/l/?uddg=https%3A%2F%2Fa.example",
            "https://notduckduckgo.com/l/?uddg=https%3A%2F%2Fa.example",
        ),
        ("https://duckduckgo.com/y.js?ad_domain=x", ""),
        ("//example.org/x", "https://example.org/x"),
        ("HTTPS://Example.ORG/Ä 한", "HTTPS://Example.ORG/Ä%20한"),
        ("https://example.org/it's<b>", "https://example.org/it%27s%3Cb%3E"),
        ("ftp://example.org/", ""),
        ("javascript:alert(1)", ""),
        ("/relative", ""),
        ("", ""),
        ("https://", ""),
        ("https://user:pw@example.org/", ""),
        ("https://example.org:99999/", ""),
        ("https://[bad/", ""),
        ("https://exa\nmple.org/", ""),
        ("https://example.org/\u200bx", ""),
        ("https://example.org/" + "a" * 3_000, ""),
    ],
)
def test_addresses_are_unwrapped_and_of_the_web(given_url: str, url: str) -> None:
    assert web_address(given_url) == url


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a \n\t b", "a b"),
        ("tea &amp; &#39;cake&#39;", "tea & 'cake'"),
        ("a\x1b[31mb\0\u202ec\x85d", "a [31mb c d"),
        ("see https://evil.example/?q=secret now", "see evil.example/?q=secret now"),
        ("hthttps://tps://evil.example", "ht tps://evil.example"),
        ("HTTP:///x https&#58;//y", "x y"),
        ("한글\u3000텍스트", "한글 텍스트"),
        ("\ud800x", "x"),
    ],
)
def test_text_is_one_line_without_controls_and_addresses(text: str, shown: str) -> None:
    assert one_line(text, 100) == shown


@given(st.text(max_size=600), st.integers(20, 500))
def test_text_never_holds_an_address_or_a_control_and_fits(text: str, longest: int) -> None:
    shown = one_line(f"https://x{text}", longest)
    assert len(shown) <= longest
    assert "http://" not in shown.lower()
    assert "https://" not in shown.lower()
    assert shown.isprintable() or not any(ord(char) < 32 for char in shown)


def test_a_long_text_ends_at_a_word() -> None:
    assert one_line("word " * 100, 22) == "word word word word…"


def test_each_address_is_shown_once() -> None:
    assert len(clean([hit(1), hit(1), hit(2)])) == 2


# The command


@dataclass
class SearchOnly:
    """A web of which only the search is used."""

    searcher: Any

    def search(self, query: str, limit: int) -> Found:
        return self.searcher.search(query, limit)


def web_search(web: Any, share_tokens: int = 4_000, **args: Any) -> str:
    env = env_with(web=web, share_tokens=share_tokens, count=lambda text: len(text.encode()) // 3)
    result = REGISTRY.bind(CommandCall.model_validate({"name": "web_search", "args": args})).run(env)
    assert isinstance(result, Excerpt)
    return result.text


def test_what_the_model_reads() -> None:
    assert web_search(Desk([[blocked()], [2]]).searcher, query="tea") == (
        "2 results of B\n"
        "A blocks searches (202)\n"
        "1. Title 0\n   https://example.org/0\n   Some text.\n"
        "2. Title 1\n   https://example.org/1\n   Some text."
    )


def test_what_the_model_reads_where_there_is_nothing() -> None:
    assert web_search(Desk([[blocked()], [0]]).searcher, query="tea") == "B found nothing.\nA blocks searches (202)"


@pytest.mark.parametrize(("args", "shown"), [({}, 10), ({"limit": 3}, 3), ({"limit": 500}, 30), ({"limit": 0}, 1)])
def test_ten_results_unless_told_and_thirty_at_most(args: dict[str, int], shown: int) -> None:
    text = web_search(Desk([[40]]).searcher, query="tea", **args)
    assert text.count("https://example.org/") == shown


def test_results_that_have_no_room_are_left_out_from_the_end() -> None:
    text = web_search(Desk([[10]]).searcher, 120, query="tea")
    assert len(text.encode()) // 3 <= 120
    assert "1. Title 0" in text
    shown = text.count("https://example.org/")
    assert text.startswith("10 results of A")
    assert text.endswith(f"[{10 - shown} more left out: no room]")


def test_nothing_of_the_query_is_repeated() -> None:
    secret = "https://evil.example/?q=s3cret"
    assert "s3cret" not in web_search(Desk([[blocked()], [2]]).searcher, query=secret)
    with pytest.raises(CommandError) as raised:
        web_search(Desk([[blocked()]]).searcher, query=secret)
    assert "s3cret" not in str(raised.value)


def test_a_page_that_repeats_the_query_makes_no_address_of_it(engines: Engines) -> None:
    body = (PAGES / "duckduckgo_results.html").read_text(encoding="utf-8")
    body = body.replace("A list of houses.", "https://evil.example/?q=&lt;i&gt;s3cret https://evil.example/?q=s3cret")
    searcher = Searcher([engines.play(duckduckgo=Answer(body.encode())).engine("duckduckgo")], print)
    text = web_search(searcher, query="https://evil.example/?q=<i>s3cret")
    assert "s3cret" in text
    assert "://evil.example" not in text


def test_a_run_searches_with_the_engine_of_its_setting(engines: Engines) -> None:
    engines.play(searxng=results(ROW))
    setup = Setup(model="m", context_tokens=1_000, reply_tokens=100, workspace=".", search=(f"{engines.url}/searxng",))
    web: Web = RunWeb(setup, print)
    assert web_search(web, query="tea") == (
        f"1 result of SearXNG at 127.0.0.1:{engines.server_port}\n"
        "1. Tea\n   https://example.org/tea\n   Leaves & water."
    )
