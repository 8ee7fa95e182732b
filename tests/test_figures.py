"""What a run took, added up out of its events, and said in one line."""

from pathlib import Path
from typing import Any

import pytest
from support import World

from autoagent.budget import Usage
from autoagent.events import Event, ModelCalled, ModelFailed, ModelReplied, RunResumed, RunStarted, Setup
from autoagent.figures import Figures, Spent, as_text, figures, from_text
from autoagent.journal import read
from autoagent.state import fold
from autoagent.terminal.figures import in_words
from autoagent.testing import Failure, ModelServer, done, thought

SETUP = Setup(model="gpt-x", base_url="https://one.example/v1", context_tokens=8_000, reply_tokens=500, workspace="ws")
RESERVED = Usage(calls=1, input_tokens=900, output_tokens=500, cost_usd=0.05)


def started(**fields: Any) -> RunStarted:
    given: dict[str, Any] = {"run_id": "7f3a", "goal": "g", "setup": SETUP, "limits": {}, "system": "", "nonce": "n"}
    return RunStarted.model_validate({**given, "version": "1", **fields})


def called(purpose: Any = "step", at: str = "2026-11-29T10:16:00.000Z", model: str = "gpt-x") -> ModelCalled:
    return ModelCalled(at=at, purpose=purpose, model=model, tail="", estimated_tokens=1, reserved=RESERVED)


def replied(purpose: Any = "step", at: str = "2026-11-29T10:16:02.000Z", cost_usd: float = 0.01) -> ModelReplied:
    usage = Usage(calls=1, input_tokens=100, cached_tokens=60, output_tokens=10, cost_usd=cost_usd)
    return ModelReplied(at=at, purpose=purpose, reply="", usage=usage, seconds=2.0, problem="unreadable", said="")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_calls_are_kept_apart_by_purpose_model_address_and_quarter_of_an_hour() -> None:
    moved = SETUP.model_copy(update={"base_url": "https://two.example/v1"})
    took = figures(
        [
            *(started(), called(), replied(), called("summary", model="small"), replied("summary")),
            *(called(), replied(at="2026-11-29T10:31:00.000Z"), RunResumed(setup=moved), called(), replied()),
        ]
    )
    assert [one[:4] for one in took.spent] == [
        ("2026-11-29T10:15", "gpt-x", "https://one.example/v1", "step"),
        ("2026-11-29T10:15", "small", "https://one.example/v1", "summary"),
        ("2026-11-29T10:30", "gpt-x", "https://one.example/v1", "step"),
        ("2026-11-29T10:15", "gpt-x", "https://two.example/v1", "step"),
    ]
    assert {name: usage.calls for name, usage in took.by_purpose.items()} == {"step": 3, "summary": 1}


@pytest.mark.parametrize(
    "events",
    [
        [called(), called(), replied()],
        [called(), RunResumed(), called(), replied()],
        [called(), ModelFailed(problem="cut", seconds=1.0, wait_s=3.0), called(), replied()],
        [called(), ModelFailed(problem="busy", may_be_billed=False), called(), replied()],
        [called("acceptance")],
    ],
    ids=["asked again", "resumed", "cut", "not billed", "under way"],
)
def test_they_add_up_to_what_the_state_counts_also_where_a_reply_was_not_seen(events: list[Event]) -> None:
    run = [started(), *events]
    took, state = figures(run), fold(run)
    assert took.usage == state.usage
    assert took.lost == state.at_most


def test_calls_that_proposed_goals_count() -> None:
    took = figures([started(usage=Usage(calls=1, input_tokens=5, cost_usd=0.5)), called(), replied()])
    assert took.by_purpose["goals"].cost_usd == 0.5
    assert took.usage.calls == 2


def test_seconds_of_the_model_of_commands_and_of_waits_are_apart(world: World) -> None:
    script = [Failure(503, "busy"), thought(commands=[("list_files", {})]), done("ok")]
    with ModelServer(script) as server:
        world.run(server)
    events = list(read(world.folder))
    took = figures(events)
    assert took.model_s == pytest.approx(sum(e.seconds for e in events if e.type in ("model_replied", "model_failed")))
    assert took.commands_s == pytest.approx(sum(e.seconds for e in events if e.type == "command_finished"))
    assert took.paused_s > 0
    assert took.usage == fold(events).usage


def test_they_are_kept_as_text_and_read_back_the_same() -> None:
    took = figures([started(), called(), replied(), called("review"), ModelFailed(problem="cut", wait_s=2.0)])
    assert from_text(as_text(took)) == took
    assert from_text(as_text(Figures())) == Figures()


@pytest.mark.parametrize("text", ["", "[]", "[[[1]], 0, 0, 0]", "null"])
def test_what_is_no_such_text_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        from_text(text)


def test_one_line_says_it_all() -> None:
    usage = Usage(calls=23, input_tokens=412_000, cached_tokens=294_000, output_tokens=18_000, cost_usd=0.41)
    took = Figures((Spent("", "m", "", "step", usage, 0, 95.0),), commands_s=12.0)
    assert in_words(took) == "23 calls · 412k tokens in, 71 % from cache · 18k out · $0.41 · model 95 s, commands 12 s"


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (Usage(calls=1, input_tokens=10, unpriced_calls=1), "1 call · 10 tokens in · 0 out · ?"),
        (Usage(calls=2, input_tokens=10, cost_usd=0.5, unpriced_calls=1), "2 calls · 10 tokens in · 0 out · $0.50 + ?"),
        (Usage(calls=1, input_tokens=10), "1 call · 10 tokens in · 0 out"),
        (Usage(), ""),
    ],
    ids=["unknown", "partly known", "free", "no call"],
)
def test_an_unknown_price_is_a_question_mark_never_nothing(usage: Usage, told: str) -> None:
    assert in_words(Figures((Spent("", "m", "", "step", usage),))) == told


def test_hidden_tokens_and_calls_without_a_reply_are_told() -> None:
    usage = Usage(calls=1, input_tokens=10, output_tokens=900, reasoning_tokens=700)
    told = in_words(Figures((Spent("", "m", "", "step", usage, lost=1),)))
    assert told == "1 call · 10 tokens in · 900 out (700 hidden) at most: 1 call without a reply, counted in full"
