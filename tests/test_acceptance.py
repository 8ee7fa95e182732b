"""Done means proven: a run ends as reached only where the runtime itself found every criterion met."""

import json
from pathlib import Path
from typing import Any

import pytest
from accepting import FILE, TEXT, WRITE, WRITES, asked_by, check, drafting, verdicts
from support import World, finish, no, outcomes, yes

from autoagent import build
from autoagent.criteria import GOAL, Criterion
from autoagent.journal import Journal, state_of
from autoagent.models.tokens import TokenCounter
from autoagent.places import new_run_folder
from autoagent.state import State
from autoagent.testing import ContextOverflow, ModelServer, Reply, done, thought


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("AUTOAGENT_REVIEW", "auto")
    return World(tmp_path, monkeypatch)


# What the runtime checks itself


def test_a_check_that_fails_sends_the_result_back_and_one_that_holds_ends_the_run(world: World) -> None:
    script = [done("all done"), WRITE, done("now it is")]
    state, requests = asked_by(world, script, check("grep -q Acme report.md"), review="off")
    assert (state.status, state.result) == ("reached", "now it is")
    assert outcomes(state) == [("task_complete", "failed"), ("write_file", "ok"), ("task_complete", "ok")]
    told = json.dumps(requests[1]["messages"])
    assert "grep -q Acme report.md" in told
    assert "exit code 2" in told
    assert [verdict.state for verdict in state.verdicts] == ["met"]


def test_a_file_that_is_expected_has_to_be_there_to_hold_text_and_to_hold_the_pattern(world: World) -> None:
    criterion = Criterion(text="report", file="report.md", pattern=r"Acme costs \d+", by="person")
    empty = thought(commands=[("write_file", {"path": "report.md", "text": ""})])
    wrong = thought(commands=[("write_file", {"path": "report.md", "text": "Acme is cheap"})])
    script = [done("a"), empty, done("b"), wrong, done("c"), WRITE, done("d")]
    state, _ = asked_by(world, script, criterion, review="off")
    assert (state.status, state.result) == ("reached", "d")
    refused = [o.text for step in state.steps for o in step.observations if o.outcome == "failed"]
    assert ["does not exist" in refused[0], "is empty" in refused[1], "does not hold" in refused[2]] == [True] * 3


def test_an_expected_document_is_read_by_its_kind(world: World) -> None:
    from docx import Document

    document = Document()
    document.add_paragraph("가격은 49유로입니다.")
    document.save(str(world.workspace / "보고서.docx"))
    criterion = Criterion(text="가격", file="보고서.docx", pattern="49유로", by="person")
    state, _ = asked_by(world, [done("끝")], criterion, review="off")
    assert state.status == "reached"


def test_an_expression_that_never_ends_does_not_hold_the_run(world: World) -> None:
    world.file("a.txt", "a" * 40 + "!")
    criterion = Criterion(text="a", file="a.txt", pattern=r"(a|aa)+$", by="person")
    state, _ = asked_by(world, [done("x"), thought(commands=[("give_up", {"reason": "no"})])], criterion, review="off")
    assert state.status == "unreached"


def test_what_a_check_changes_in_the_workspace_can_be_taken_back(world: World) -> None:
    state, _ = asked_by(world, [done("x")], check("echo made > by-check.txt"), review="off")
    assert state.status == "reached"
    (event,) = world.events("files_changed")
    assert [change.path for change in event.changed] == ["by-check.txt"]


def test_a_check_of_the_models_own_runs_where_programs_may_and_else_a_person_is_asked(world: World) -> None:
    drafted = drafting({"text": "it says hello", "command": "echo hello"}, commands=[("list_files", {})])
    with ModelServer([drafted, done("x")]) as server:
        state = world.run(server, review="off")
        assert state.status == "reached"
        assert state.verdicts[0].proof.startswith("exit code 0")
    with ModelServer([drafted, done("x")]) as server:
        asked = world.run(server, review="off", approve="acts")
        assert (asked.status, asked.question is not None) == ("waiting", True)
        assert "needs your yes" in asked.verdicts[0].proof


def test_killed_in_the_middle_of_its_checks_a_run_checks_again_and_ends_once(world: World) -> None:
    class Dies(Journal):
        def append(self, event: Any) -> State:
            if event.type == "criteria_judged":
                raise KeyboardInterrupt
            return super().append(event)

    drafted = drafting({"text": "counted", "command": "echo x >> count.txt"}, commands=[("list_files", {})])
    with ModelServer([drafted, done("x")]) as server:
        agent = world.start(server, review="off", journal=Dies)
        with pytest.raises(KeyboardInterrupt):
            agent.run()
        agent.journal.close()
        agent.close()
        state = world.run_again(world.folder, server)
        assert len(server.requests) == 2
    assert state.status == "reached"
    assert [event.type for event in world.events("run_ended", "criteria_judged")] == ["criteria_judged", "run_ended"]


# What the model drafts


def test_criteria_are_drafted_in_the_first_reply_and_stand_in_every_last_message(world: World) -> None:
    with ModelServer([drafting(FILE, commands=[("list_files", {})]), WRITE, done("x")]) as server:
        state = world.run(server, review="off")
        tails = [request.body["messages"][-1]["content"] for request in server.requests]
    assert [criterion.text for criterion in state.criteria] == ["there is a report"]
    assert ["there is a report" in tail for tail in tails] == [False, True, True]
    assert state.status == "reached"
    assert len(world.events("criteria_set")) == 1


def test_after_an_unreadable_first_reply_the_template_asks_for_criteria_until_something_was_done(world: World) -> None:
    script = [
        Reply("I will look."),
        drafting(FILE, commands=[("list_files", {})]),
        Reply("Now I write."),
        WRITE,
        done("x"),
    ]
    with ModelServer(script) as server:
        state = world.run(server, review="off")
        told = [json.dumps(server.requests[at].body["messages"][-2:]) for at in (1, 3)]
    assert ["Answer with one JSON object" in text for text in told] == [True, True]
    assert ['\\"criteria\\": [' in text and '\\"needs\\": {' in text for text in told] == [True, False]
    assert [one.text for one in state.criteria] == ["there is a report"]


def test_a_later_draft_changes_nothing_and_criteria_of_a_person_are_never_replaced(world: World) -> None:
    first = drafting(FILE, commands=[("list_files", {})])
    second = drafting({"text": "nothing at all"}, commands=[("write_file", {"path": "report.md", "text": "x"})])
    with ModelServer([first, second, done("x")]) as server:
        assert [one.text for one in world.run(server, review="off").criteria] == ["there is a report"]
    theirs = Criterion(text="mine", file="report.md", by="person")
    state, _ = asked_by(world, [drafting(TEXT, commands=[("list_files", {})]), WRITE, done("x")], theirs)
    assert (state.status, state.criteria) == ("reached", (theirs,))


def test_more_criteria_than_seven_are_asked_for_again(world: World) -> None:
    many = drafting(*({"text": f"c{n}"} for n in range(8)), commands=[("list_files", {})])
    with ModelServer(
        [many, drafting(FILE, commands=[("write_file", {"path": "report.md", "text": "x"})]), done("x")]
    ) as server:
        state = world.run(server, review="off")
        assert "7 are allowed" in json.dumps(server.requests[1].body["messages"])
    assert state.status == "reached"


# What is judged


def test_what_no_command_decides_is_judged_by_a_context_that_never_saw_the_run(world: World) -> None:
    script = [
        drafting(TEXT, commands=WRITES),
        done("Acme costs 49 euros."),
        verdicts((1, "met", "Acme costs 49 euros.")),
    ]
    with ModelServer(script) as server:
        state = world.run(server, goal="Find the price")
        shown = server.requests[2].body["messages"]
    assert (state.status, state.verdicts[0].state, state.verdicts[0].by) == ("reached", "met", "review")
    assert [message["role"] for message in shown] == ["system", "user"]
    assert "Find the price" in shown[1]["content"]
    assert "# File report.md" in shown[1]["content"]
    assert "what I think" not in json.dumps(shown)


def test_met_counts_only_with_a_passage_that_really_stands_in_what_was_shown(world: World) -> None:
    invented, wrapped = "Acme costs 94 euros.", "“Acme  costs 49\neuros.”"
    script = [drafting(TEXT, commands=WRITES), done("ok"), verdicts((1, "met", invented))]
    script += [done("ok, 49"), verdicts((1, "met", wrapped))]
    with ModelServer(script) as server:
        state = world.run(server)
        told = json.dumps(server.requests[3].body["messages"])
    assert "cannot tell" in told
    assert (state.status, state.reviews) == ("reached", 2)


def test_after_two_rounds_what_is_not_met_ends_the_run_unreached_and_keeps_the_result(world: World) -> None:
    script = [
        drafting(TEXT, commands=WRITES),
        done("one"),
        verdicts((1, "not met", "")),
        done("two"),
        verdicts((1, "not met", "")),
    ]
    with ModelServer(script) as server:
        state = world.run(server)
        assert len(server.requests) == 5
    assert (state.status, state.result, state.claimed) == ("unreached", "", "two")
    assert "the price of Acme is given: because" in state.reason


def test_a_run_that_goes_on_after_its_reviews_were_used_up_is_reviewed_anew(world: World) -> None:
    script = [drafting(TEXT, commands=WRITES), done("one"), verdicts((1, "not met", "")), done("two")]
    with ModelServer([*script, verdicts((1, "not met", ""))]) as server:
        assert world.run(server).status == "unreached"
    with ModelServer([done("three"), verdicts((1, "met", "Acme costs 49 euros"))]) as server:
        state = world.run_again(world.folder, server)
        told = json.dumps(server.requests[0].body["messages"])
    assert "Your result was not accepted. Not met: the price of Acme is given" in told
    assert (state.status, state.result) == ("reached", "three")


def test_a_review_that_can_not_be_read_is_no_yes(world: World) -> None:
    script = [
        drafting(TEXT, commands=WRITES),
        done("one"),
        Reply("All good!"),
        done("two"),
        verdicts((1, "met", "49 euros")),
    ]
    with ModelServer(script) as server:
        assert world.run(server).status == "reached"
    assert world.events("criteria_judged")[0].verdicts[0].state == "unclear"


def test_a_review_that_the_endpoint_refuses_as_too_long_is_not_asked_for_for_ever(world: World) -> None:
    script = [drafting(TEXT, commands=WRITES), done("one"), ContextOverflow(), done("two")]
    with ModelServer([*script, verdicts((1, "met", "Acme costs 49 euros"))]) as server:
        state = world.run(server)
    assert state.status == "reached"
    assert "too long" in world.events("criteria_judged")[0].verdicts[0].proof


def test_a_review_is_paid_for_and_a_limit_that_forbids_it_pauses_the_run(world: World) -> None:
    usage, most = ({"prompt_tokens": tokens, "completion_tokens": 0} for tokens in (8_000, 9_900))
    prices = {"test-model": {"input": 1.0, "output": 0.0}}
    script = [Reply(drafting(TEXT, commands=WRITES), usage=usage), Reply(done("x"), usage=most),
              {"done": ["a"], "open": ["b"], "next": "c"}]  # fmt: skip
    TokenCounter("test-model").count("x")  # the table is loaded: until then a request is bound by its bytes
    with ModelServer(script) as server:
        state = world.run(server, prices=prices, limits__cost=0.02)
    assert (state.status, state.pending is not None) == ("limit", True)
    with ModelServer([verdicts((1, "met", "49 euros"))]) as server:
        state = world.run_again(world.folder, server, limits__cost=1.0, prices=prices)
        assert len(server.requests) == 1
    assert state.status == "reached"


def test_without_any_criterion_the_goal_itself_is_judged(world: World) -> None:
    with ModelServer([done("x"), verdicts((1, "not met", "")), done("y"), verdicts((1, "not met", ""))]) as server:
        state = world.run(server)
    assert (state.status, len(state.criteria)) == ("unreached", 1)


def test_always_reviews_what_a_check_found_too_and_off_reviews_nothing(world: World) -> None:
    drafted = drafting(FILE, commands=WRITES)
    with ModelServer(
        [drafted, done("x"), verdicts((1, "not met", "")), done("y"), verdicts((1, "met", "49 euros"))]
    ) as server:
        state = world.run(server, review="always")
        assert (state.status, len(server.requests)) == ("reached", 5)
    with ModelServer([drafting(TEXT, commands=WRITES), done("x")]) as server:
        state = world.run(server, review="off")
        assert (state.status, state.verdicts) == ("reached", ())


def test_a_review_model_of_its_own_is_asked(world: World) -> None:
    script = [drafting(TEXT, commands=WRITES), done("x"), verdicts((1, "met", "49 euros"))]
    with ModelServer(script) as server:
        world.run(server, review_model="other-model")
        models = [request.body["model"] for request in server.requests]
    assert models == ["test-model", "test-model", "other-model"]


# What only a person can decide


def test_what_only_a_person_can_decide_leaves_the_run_waiting_and_their_yes_ends_it(world: World) -> None:
    script = [
        drafting({"text": "it is pretty"}, commands=WRITES),
        done("x"),
        verdicts((1, "only a person", "")),
    ]
    with ModelServer(script) as server:
        state = world.run(server)
    assert (state.status, state.reason) == ("waiting", f"y/n needed: is this so? it is pretty; {GOAL}")
    with ModelServer([]) as server:
        state = world.run_again(world.folder, server, answer=yes)
    assert (state.status, state.verdicts[0].by, state.verdicts[0].state) == ("reached", "person", "met")


def test_their_no_goes_to_the_model_with_its_reason(world: World) -> None:
    script = [
        drafting({"text": "it is pretty"}, commands=WRITES),
        done("x"),
        verdicts((1, "only a person", "")),
    ]
    with ModelServer(script) as server:
        world.run(server)
    with ModelServer([thought(commands=[("give_up", {"reason": "I can't"})])]) as server:
        state = world.run_again(world.folder, server, answer=no)
        told = json.dumps(server.requests[0].body["messages"])
        assert "it is not met: it is pretty. not today" in told
    assert state.status == "unreached"


def test_a_judgement_that_stays_open_is_a_persons_too(world: World) -> None:
    script = [
        drafting(TEXT, commands=WRITES),
        done("x"),
        verdicts((1, "cannot tell", "")),
        done("y"),
        verdicts((1, "cannot tell", "")),
    ]
    with ModelServer(script) as server:
        state = world.run(server)
    assert (state.status, state.question is not None) == ("waiting", True)


# What a check reads may not be changed


def test_a_test_file_is_not_changed_to_make_a_check_pass(world: World) -> None:
    world.file("test_a.py", "assert False\n")
    read = thought(commands=[("read_file", {"path": "test_a.py"})])
    weaken = thought(commands=[("edit_file", {"path": "test_a.py", "old": "False", "new": "True"})])
    by_program = thought(commands=[("run_shell", {"command": "echo 'assert True' > test_a.py; echo new > other.txt"})])
    script = [read, weaken, by_program, done("passes"), thought(commands=[("give_up", {"reason": "it fails"})])]
    state, _ = asked_by(world, script, check("python3 test_a.py"), review="off")
    assert state.status == "unreached"
    assert world.text("test_a.py") == "assert False\n"
    assert world.text("other.txt") == "new\n"
    assert outcomes(state)[1] == ("edit_file", "refused")
    assert state.put_back == ("test_a.py",)


def test_new_tests_and_files_that_no_check_reads_are_ordinary(world: World) -> None:
    world.file("code.py", "x = 1\n")
    new = [
        ("write_file", {"path": "test_new.py", "text": "import code\n"}),
        ("write_file", {"path": "test_new.py", "text": "pass\n"}),
    ]
    state, _ = asked_by(world, [thought(commands=new), done("x")], check("python3 test_new.py"), review="off")
    assert [outcome for _, outcome in outcomes(state)] == ["ok", "ok", "ok"]


def test_a_file_that_a_person_protects_is_held_also_without_a_check_and_their_rule_may_free_it(world: World) -> None:
    world.file("prices.csv", "a,1\n")
    change = thought(
        commands=[("read_file", {"path": "prices.csv"}), ("write_file", {"path": "prices.csv", "text": "a,2\n"})]
    )

    def run(**extra: Any) -> State:
        with ModelServer([change, done("x")]) as server:
            settings = world.settings(server, {"review": "off"})
            setup, limits = build.make_setup(settings, build.choose_model(settings), world.workspace)
            setup = setup.model_copy(update={"protect": ("*.csv",)})
            started = build.start_run(new_run_folder(), setup, limits, ["Go"], notify=world.notes.append, **extra)
            return finish(world.agent(started, settings, None, ()))

    assert outcomes(run())[1] == ("write_file", "refused")
    assert outcomes(run(rules=[("allow", "write:prices.csv")]))[1] == ("write_file", "ok")


@pytest.mark.parametrize(
    ("rule", "outcome"), [("write:**", "refused"), ("write:src/**", "refused"), ("write:src/tests/**", "ok")]
)
def test_a_rule_for_all_that_is_around_does_not_free_what_a_check_reads(world: World, rule: str, outcome: str) -> None:
    world.file("src/tests/test_a.py", "assert False\n")
    change = [
        ("read_file", {"path": "src/tests/test_a.py"}),
        ("write_file", {"path": "src/tests/test_a.py", "text": ""}),
    ]
    with ModelServer([thought(commands=change), thought(commands=[("give_up", {"reason": "no"})])]) as server:
        settings = world.settings(server, {"review": "off"})
        setup, limits = build.make_setup(settings, build.choose_model(settings), world.workspace)
        started = build.start_run(
            new_run_folder(), setup, limits, ["Go"], criteria=[check("false")], rules=[("allow", rule)], notify=print
        )
        state = finish(world.agent(started, settings, None, ()))
    assert outcomes(state)[1] == ("write_file", outcome)


def test_the_state_of_criteria_is_a_fold_of_the_journal(world: World) -> None:
    state, _ = asked_by(world, [done("x"), WRITE, done("y")], check("test -s report.md"), review="off")
    assert state_of(world.folder) == state
