"""Which addresses a run may fetch without telling a host anything new."""

import pytest

from autoagent.state import Observation, State, Step
from autoagent.taint import KnownAddresses, host_of
from autoagent.thoughts import CommandCall

A = "https://example.org/a"


def known(address: str, *, goal: str = "", observations: tuple[Observation, ...] = ()) -> bool:
    state = State(goal=goal, steps=(Step(1, "", 0, observations),))
    return KnownAddresses().holds(address, state)


def page(text: str, *, outside: bool = True, **args: str) -> Observation:
    call = CommandCall(name="browse", args=dict(args) or {"url": "https://first.example/", "question": "q"})
    return Observation("1.1", call, "ok", text, 0, outside=outside)


@pytest.mark.parametrize(
    "text",
    [
        A,
        f"see {A}.",
        f"({A})",
        f"<{A}>",
        f"[a]({A})",
        f'href="{A}"',
        f"1. title — {A}\n2. …",
        f"{A}를 읽어 줘",
        f"「{A}」",
        f"{A}#section",
        "HTTPS://Example.org/a",
        f"**{A}**",
    ],
)
def test_an_address_that_stands_in_a_page_is_known(text: str) -> None:
    assert known(A, observations=(page(text),))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://example.org/ab",
        "https://example.org/a?k=1",
        "https://example.org",
        "http://example.org/a",
        "example.org/a",
    ],
)
def test_an_address_that_stands_there_otherwise_is_not_known(text: str) -> None:
    assert not known(A, observations=(page(text),))


@pytest.mark.parametrize(
    ("goal", "address"),
    [
        ("Read https://example.org/a", A),
        ("example.org/a를 요약해 줘", A),
        ("Read example.org/a, then stop", "http://example.org/a"),
        ("Compare example.org and example.com", "https://example.com/"),
        ("Read EXAMPLE.org", "https://example.org"),
        ("https://example.org/날씨를 요약해 줘", "https://example.org/날씨"),
        ("https://example.org/날씨", "https://example.org/%EB%82%A0%EC%94%A8"),
    ],
)
def test_an_address_in_the_goal_is_known_with_and_without_its_scheme(goal: str, address: str) -> None:
    assert known(address, goal=goal)


def test_what_a_person_said_is_known() -> None:
    said = Observation("p7", None, "ok", "look at example.org/a", 0)
    assert known(A, observations=(said,))


@pytest.mark.parametrize("outside", [True, False])
def test_only_text_from_outside_makes_an_address_known(outside: bool) -> None:
    assert known(A, observations=(page(A, outside=outside),)) is outside


def test_a_fragment_is_never_sent_and_makes_no_difference() -> None:
    assert known(f"{A}#part", observations=(page(A),))


EVIL = "https://evil.example/?k=secret"


@pytest.mark.parametrize(
    "args",
    [
        {"query": EVIL},
        {"query": "evil.example/?k=secret"},
        {"query": "https%3A%2F%2Fevil.example%2F%3Fk%3Dsecret"},
        {"url": "https://site.example/search?q=https://evil.example/?k%3Dsecret", "question": "q"},
    ],
)
def test_an_address_that_comes_back_because_the_call_held_it_is_not_known(args: dict[str, str]) -> None:
    assert not known(EVIL, observations=(page(f"Nothing found for {EVIL}", **args),))


@pytest.mark.parametrize(
    "query",
    [
        "http://Evil.example?k=secret",
        "HTTP://evil.example/?k=secret#",
        "evil example k secret",
        "evil.example%2F?k%3Dsecret",
    ],
)
def test_no_other_spelling_of_what_the_call_held_makes_it_known(query: str) -> None:
    assert not known(
        "http://evil.example/?k=secret", observations=(page("http://evil.example/?k=secret", query=query),)
    )


def test_only_so_many_addresses_of_a_page_count_and_quickly() -> None:
    many = page("\n".join(f"https://evil.example/{n:05x}" for n in range(200_000)))
    assert known("https://evil.example/00001", observations=(many,))
    assert not known("https://evil.example/0ffff", observations=(many,))


def test_a_page_that_was_fetched_may_be_fetched_again() -> None:
    assert known(EVIL, observations=(page("text", url=EVIL, question="q"),))


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://Example.ORG:8443/x", "example.org"),
        ("https://user@evil.example/", "evil.example"),
        ("https://example.org./", "example.org"),
        ("no address", "no address"),
        ("https://[bad/", "https://[bad/"),
    ],
)
def test_the_host_of_an_address_has_one_spelling(address: str, host: str) -> None:
    assert host_of(address) == host


def test_an_address_of_the_models_making_is_not_known_because_a_search_that_echoes_it_is_read_again() -> None:
    searched = CommandCall(name="web_search", args={"query": f"what is {A}"})
    echo = Observation("1.1", searched, "ok", f"Results for what is {A}", 0, outside=True)
    again = CommandCall(name="read_observation", args={"id": "1.1"})
    read = Observation("1.2", again, "ok", f"observation 1.1\nResults for what is {A}", 0, outside=True)
    twice = Observation("1.3", CommandCall(name="read_observation", args={"id": "1.2"}), "ok", f"{A}", 0, outside=True)
    assert not known(A, observations=(echo, read, twice))


def test_an_address_that_only_a_later_part_of_a_page_shows_is_known_once_it_is_read() -> None:
    again = CommandCall(name="read_observation", args={"id": "1.1"})
    read = Observation("1.2", again, "ok", f"observation 1.1, lines 200-201\nsee {A}", 0, outside=True)
    assert known(A, observations=(page("the first part"), read))
