"""Limits are hard: what they forbid is never sent, what may have been spent is counted."""

import math
import time
from pathlib import Path
from typing import Any

import pytest
from support import HANDOVER, World, finish, in_turn, window

from autoagent import build, settings
from autoagent.budget import Limits, Usage
from autoagent.errors import ConfigError
from autoagent.inbox import InboxMessage
from autoagent.journal import read
from autoagent.testing import Failure, Hang, Html, ModelServer, Repeat, Reply, done, thought

LOOK = thought(commands=[("list_files", {})])
PRICES = {"test-model": {"input": 1.0, "output": 10.0}}  # dollars per million tokens


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def spending(input_tokens: int, output_tokens: int) -> dict[str, int]:
    return {"prompt_tokens": input_tokens, "completion_tokens": output_tokens}


def writing(number: int) -> dict[str, Any]:
    """A step that is never the same twice, so that the loop guard stays out of this."""
    return thought(commands=[("write_file", {"path": "f", "text": str(number)})])


def steps(count: int, usage: dict[str, int]) -> list[Reply]:
    return [Reply(writing(n), usage=usage) for n in range(count)]


# Money


def test_a_cost_limit_is_exact_two_calls_fit_and_a_third_is_not_sent(world: World) -> None:
    last = Reply(HANDOVER, usage=spending(100, 10))
    with ModelServer([*steps(2, spending(9000, 0)), last]) as server:  # $0.009 each
        state = world.run(server, prices=PRICES, limits__cost=0.030, reply_tokens=100)
        assert len(server.requests) == 3
    assert state.status == "limit"
    assert state.reason.startswith("cost limit: $0.02 of $0.03 spent; the next call could cost $0.0")
    assert state.usage.cost_usd == pytest.approx(0.0182)


def test_what_cached_tokens_cost_is_what_is_counted(world: World) -> None:
    usage = {"prompt_tokens": 4000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 3000}}
    prices = {"test-model": {"input": 1.0, "output": 10.0, "cached": 0.1}}
    with ModelServer([Reply(done("ok"), usage=usage)]) as server:
        state = world.run(server, prices=prices)
    assert state.usage.cost_usd == pytest.approx((1000 * 1 + 3000 * 0.1 + 100 * 10) / 1e6)


def test_a_call_whose_longest_reply_would_go_over_the_limit_is_not_sent(world: World) -> None:
    with ModelServer([]) as server:
        state = world.run(server, prices=PRICES, limits__cost=0.05, reply_tokens=8_000)  # $0.08 for the reply alone
        assert server.requests == []
    assert state.status == "limit"
    assert "so it was not sent" in state.reason
    assert state.usage == Usage()


def test_a_limit_that_is_met_to_the_cent_is_used_up(world: World) -> None:
    with ModelServer(steps(1, spending(0, 0)) + steps(9, spending(3000, 700))) as server:
        state = world.run(server, prices=PRICES, limits__cost=0.04, reply_tokens=700)
    assert state.status == "limit"
    assert state.usage.cost_usd <= 0.04


def test_a_cost_limit_without_a_known_price_is_refused_before_anything_starts(world: World) -> None:
    flags = {"model": "nobodys-model", "base_url": "http://example.invalid/v1"}
    found = settings.load(world.workspace, flags | {"limits.cost": 1.0})
    with pytest.raises(ConfigError, match='no price known for "nobodys-model"'):
        build.make_setup(found, build.choose_model(found), world.workspace)
    found = settings.load(world.workspace, flags)
    _, limits = build.make_setup(found, build.choose_model(found), world.workspace)
    assert limits.cost_usd is None


def test_a_fast_model_without_a_price_counts_too(world: World) -> None:
    flags = {"model": "gpt-5-mini", "fast_model": "nobodys-model", "base_url": "https://api.openai.com/v1"}
    found = settings.load(world.workspace, flags | {"limits.cost": 1.0})
    with pytest.raises(ConfigError, match="nobodys-model"):
        build.make_setup(found, build.choose_model(found), world.workspace)


def test_a_local_model_is_free_and_its_tokens_are_counted(world: World) -> None:
    with ModelServer([Reply(done("ok"), usage=spending(4000, 100))]) as server:
        state = world.run(server)
    assert (state.usage.cost_usd, state.usage.unpriced_calls, state.usage.tokens) == (0, 0, 4100)


def test_calls_that_failed_are_counted_only_where_they_may_be_billed(world: World) -> None:
    script = [Failure(429), Failure(429), Html("<p>"), done("ok")]
    with ModelServer(script) as server:
        state = world.run(server, prices=PRICES)
    reserved = world.events("model_called")[2].reserved
    (replied,) = world.events("model_replied")
    assert state.step == 1
    assert state.usage.calls == 2
    assert state.usage.cost_usd == pytest.approx(reserved.cost_usd + replied.usage.cost_usd)


def test_what_lost_calls_may_have_cost_uses_up_the_limit(world: World) -> None:
    with ModelServer([Repeat(Html("<p>"))]) as server:
        state = world.run(server, prices=PRICES, limits__cost=0.1, reply_tokens=3_000)  # over $0.03 each
        assert len(server.requests) <= 3
    assert state.status == "limit"


def test_a_summary_and_a_review_are_paid_for_too(world: World) -> None:
    long = "\n".join(f"line {n} of a report with a few words" for n in range(70))

    def reply(body: dict[str, Any]) -> Any:
        if "response_format" not in body:
            return Reply("In short.", usage=spending(1000, 50))
        step = sum(event.type == "model_replied" and event.purpose == "step" for event in read(world.folder))
        item = thought(commands=[("write_file", {"path": f"f{step}", "text": long})])
        return Reply(item if step < 9 else done("ok"))

    answers = in_turn(
        InboxMessage(kind="review", by="test"), InboxMessage(kind="keep_rule", by="test", rule="write:**")
    )
    with ModelServer([Repeat(reply)]) as server:
        state = world.run(
            server, prices=PRICES, approve="acts", answer=answers, context_tokens=window(1_000), reply_tokens=500
        )
        requests = len(server.requests)
    replies = world.events("model_replied")
    assert {event.purpose for event in replies} == {"step", "summary", "review"}
    assert state.usage.calls == len(replies) == requests
    assert state.usage.cost_usd == pytest.approx(sum(event.usage.cost_usd for event in replies))
    assert state.step == sum(event.purpose == "step" for event in replies)


# Tokens, steps, time


def test_a_token_limit_is_reserved_like_money(world: World) -> None:
    with ModelServer([*steps(3, spending(6000, 100)), HANDOVER]) as server:
        state = world.run(server, limits__tokens=19_000, reply_tokens=500)
    assert state.status == "limit"
    assert state.reason.startswith("token limit: ")
    assert state.usage.tokens <= 19_000


def test_a_step_limit_of_three_is_three_replies(world: World) -> None:
    with ModelServer([*steps(3, spending(10, 1)), HANDOVER]) as server:
        state = world.run(server, limits__steps=3)
        assert "It is the last step" in server.requests[2].body["messages"][-1]["content"]
        assert len(server.requests) == 4
    assert (state.status, state.reason) == ("limit", "step limit: 3 of 3 steps")
    assert world.text("f") == "2"  # what the last reply asked for is done


def test_an_unreadable_reply_is_a_step_and_a_retry_is_none(world: World) -> None:
    with ModelServer([Failure(503), "?", Failure(503), writing(1), HANDOVER]) as server:
        state = world.run(server, limits__steps=2)
    assert (state.status, state.step) == ("limit", 2)


def test_the_last_step_may_end_the_run(world: World) -> None:
    with ModelServer([LOOK, done("ok")]) as server:
        assert world.run(server, limits__steps=2).status == "reached"


def test_a_time_limit_cuts_a_call_that_runs(world: World) -> None:
    with ModelServer([LOOK, Hang(), Hang()]) as server:
        began = time.monotonic()
        state = world.run(server, limits__time="0.5s")
        assert time.monotonic() - began < 5
    assert state.status == "limit"
    assert state.reason.startswith("time limit")


def test_waiting_for_a_person_takes_no_working_time(world: World) -> None:
    def slow(_: Any) -> InboxMessage:
        time.sleep(0.3)  # the person thinks
        return InboxMessage(kind="answer", by="test", allowed=True)

    with ModelServer([writing(1), done("ok")]) as server:
        state = world.run(server, approve="acts", answer=slow)
    assert state.status == "reached"
    assert state.worked_s < 0.3


def test_a_review_is_not_asked_for_when_the_time_is_used_up(world: World) -> None:
    answers = in_turn(InboxMessage(kind="review", by="test"))
    with ModelServer([Reply(writing(1), delay_s=0.3)]) as server:
        state = world.run(server, approve="acts", answer=answers, limits__time=0.25)
        assert len(server.requests) == 1
    assert state.status == "limit"


# None at all


ZERO: list[dict[str, Any]] = [{"limits__cost": 0}, {"limits__steps": 0}, {"limits__tokens": 0}, {"limits__time": 0}]


@pytest.mark.parametrize("limit", ZERO, ids=lambda limit: next(iter(limit)))
@pytest.mark.parametrize("prices", [PRICES, {}], ids=["priced", "free"])
def test_a_limit_of_zero_is_no_call_at_all(world: World, limit: dict[str, Any], prices: Any) -> None:
    with ModelServer([]) as server:
        state = world.run(server, prices=prices, **limit)
        assert server.requests == []
    assert state.status == "limit"


@pytest.mark.parametrize("name", ["limits.cost", "limits.steps", "limits.tokens", "limits.time"])
@pytest.mark.parametrize("value", [-1, math.nan, math.inf, -math.inf, "nan", "-5", "lots"])
def test_what_is_no_limit_is_a_configuration_error(world: World, name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        settings.load(world.workspace, {name: value})


@pytest.mark.parametrize("price", [-1, math.nan, math.inf, "free"])
def test_what_is_no_price_is_a_configuration_error(world: World, price: Any) -> None:
    with pytest.raises(ConfigError, match="prices"):
        settings.load(world.workspace, {"prices": {"m": {"input": price, "output": 1}}})


# Resume


def test_a_resumed_run_with_a_used_up_limit_makes_no_call(world: World) -> None:
    with ModelServer([*steps(2, spending(10, 1)), HANDOVER]) as server:
        world.run(server, limits__steps=2)
        state = world.run_again(world.folder, server)
        assert len(server.requests) == 3
    assert (state.status, state.reason) == ("limit", "step limit: 2 of 2 steps")


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ({"limits__steps": 1}, {"limits__steps": 2}),
        ({"limits__cost": 0.03}, {"limits__cost": 1}),
        ({"limits__tokens": 9_500}, {"limits__tokens": 90_000}),
    ],
    ids=["steps", "cost", "tokens"],
)
def test_a_resumed_run_with_a_higher_limit_goes_on_and_the_journal_says_so(
    world: World, low: dict[str, Any], high: dict[str, Any]
) -> None:
    options: dict[str, Any] = {"prices": PRICES}
    with ModelServer([Reply(writing(1), usage=spending(8_000, 900)), HANDOVER]) as server:
        assert world.run(server, reply_tokens=500, **options, **low).status == "limit"
    with ModelServer([done("ok")]) as server:
        state = world.run_again(world.folder, server, **options, **high)
    assert state.status == "reached"
    assert state.usage.tokens > 8_900  # what was spent before still counts
    name, value = next(iter(high.items()))
    field = {"steps": "steps", "cost": "cost_usd", "tokens": "tokens"}[name.removeprefix("limits__")]
    assert getattr(world.events("run_resumed")[-1].limits, field) == value


def test_a_run_of_the_old_limit_stays_within_it_after_many_resumes(world: World) -> None:
    with ModelServer(steps(4, spending(2000, 100))) as server:  # $0.003 each
        for _ in range(4):
            options: dict[str, Any] = {"prices": PRICES}
            if world.state.exists():
                state = world.run_again(world.folder, server, **options)
            else:
                state = finish(world.start(server, limits__cost=0.012, reply_tokens=100, **options))
        assert state.usage.cost_usd <= 0.012
    assert state.status == "limit"


# The arithmetic itself


@pytest.mark.parametrize("cost", [0.1, 0.3, 0.7, 1 / 3])
def test_adding_small_amounts_never_spends_or_withholds_a_cent(cost: float) -> None:
    limits, spent = Limits(cost_usd=cost * 10), Usage()
    call = Usage(calls=1, cost_usd=cost)
    calls = 0
    while not limits.refuses(call, after=spent, kept=0):
        spent, calls = spent + call, calls + 1
    assert calls == 10
    assert limits.exceeded(steps=0, usage=spent, worked_s=0)
