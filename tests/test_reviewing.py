"""What a reviewer is shown of a result within its room, and what of what it says counts."""

import json
from collections.abc import Mapping

import pytest

from autoagent.claims import Evidence, LooseFact
from autoagent.criteria import GOAL, Criterion
from autoagent.models.tokens import TokenCounter
from autoagent.passages import NOTHING
from autoagent.reviewing import Material, material, verdicts

COUNT = TokenCounter("gpt-4o").count
CHANGELOG = "# Changelog\n\n" + "".join(f"- Mend fault {n} in the reader of tables\n" for n in range(17))
LONG = "\n".join(f"Falcon flew {n} miles on that day, which is no record" for n in range(2_000))
NOISE = "\n\n".join(f"Nothing of note was said about the office in week {n}." for n in range(2_000))


def shown(
    files: Mapping[str, str], read: Mapping[str, str], *criteria: str, goal: str = "Do it", limit: int = 6_000
) -> Material:
    asked = {number: Criterion(text=text) for number, text in enumerate([*criteria, GOAL], 1)}
    return material(goal, asked, "done", None, files, read, nonce="n", limit=limit, count=COUNT)


def test_files_that_show_nothing_take_no_room_from_those_that_do() -> None:
    files = {f"objects/{n}": "" for n in range(300)} | {"CHANGELOG.md": CHANGELOG}
    assert CHANGELOG in shown(files, {"1.1": f"exit code 0\n{CHANGELOG}"}).text


def test_what_fits_stands_whole_beside_what_is_far_too_long() -> None:
    found = shown({"CHANGELOG.md": CHANGELOG, "log.txt": LONG}, {"1.1": NOISE, "2.1": "exit code 0\n12 passed"})
    assert CHANGELOG in found.text
    assert "12 passed" in found.text
    assert COUNT(found.text) <= 6_000


def test_room_that_passages_leave_lets_another_stand_whole() -> None:
    """Of the longer one only a line matters, and what it leaves is enough for the other."""
    read = {
        "1.1": "\n".join(f"Falcon {n} costs {n} euros" for n in range(280)),
        "2.1": f"{NOISE}\n\nThe budget of Zephyr is 12 euros.",
    }
    found = shown({}, read, "the budget of Zephyr", limit=4_200)
    assert read["1.1"] in found.text
    assert "The budget of Zephyr is 12 euros." in found.text
    assert COUNT(found.text) <= 4_200


def test_a_text_full_of_the_words_of_the_goal_is_not_said_to_hold_none() -> None:
    assert NOTHING not in shown({}, {"1.1": LONG}, goal="How many miles did the falcon fly?").text
    assert NOTHING in shown({}, {"1.1": LONG}, goal="계약 기간은?").text


INVENTED = "The three vendors are Acme, Boreas and Cirrus."
LOOSE = Evidence(loose=(LooseFact(kind="name", text="Boreas", where="result"),))


def judged(passage: str, evidence: Evidence | None = LOOSE) -> list[tuple[str, str]]:
    """Of a criterion about the answer and of the goal, both said to be met by this passage."""
    asked = {1: Criterion(text="the answer names three vendors"), 2: Criterion(text=GOAL)}
    result = f"{INVENTED}\nAcme costs 49 euros."
    found = material("Find vendors", asked, result, evidence, {}, {"1.1": "Acme sells sails"},
                     nonce="n", limit=6_000, count=COUNT)  # fmt: skip
    said = [{"criterion": number, "verdict": "met", "passage": passage, "source": "", "why": ""} for number in asked]
    return [(one.state, one.proof) for one in verdicts(json.dumps({"verdicts": said}), asked, "Find vendors", found)]


def test_the_result_shows_what_it_says_itself_and_no_invented_line_of_it_that_the_goal_is_reached() -> None:
    (of_answer, _), (of_goal, why) = judged(INVENTED)
    assert (of_answer, of_goal) == ("met", "unclear")
    assert "does not stand in what shows it" in why
    assert [state for state, _ in judged("Acme costs 49 euros.")] == ["met", "met"]
    assert [state for state, _ in judged("Acme sells sails")] == ["met", "met"]
    assert [state for state, _ in judged(INVENTED, None)] == ["met", "met"]


@pytest.mark.parametrize(
    ("passage", "why"),
    [
        ("Acme", "is too short to show anything"),
        ("names three vendors", "only repeats what is asked for"),
        ("Dorado costs 12 euros.", "does not stand in what shows it"),
    ],
)
def test_a_passage_that_shows_nothing_is_told_why(passage: str, why: str) -> None:
    assert [(state, why in proof) for state, proof in judged(passage)] == [("unclear", True)] * 2
