"""What a run still knows after 20 windows, and what a later run finds of kept facts. Prints Markdown.

    .venv/bin/python benchmarks/memory.py            a few minutes; nothing but a temporary folder is used
    .venv/bin/python benchmarks/memory.py --kept     only the second part; seconds

First part: a real agent reads files until 20 windows have gone through it, with 50 facts planted in them, against a
model that plays a script. "Window" is what is left for steps beside the fixed prompt (rules, commands, schema: about
4,000 tokens), so the smallest run has a context limit of about 8,000. Steps are compacted by the program itself, in two
ways: by the digest, where no summary of a model's is to be had, and by summaries of a scripted model that copies four
of five new facts and keeps nineteen of twenty of its older ones each time, as far as its words reach. At the end each
fact is asked for: what stands in the prompt, and what one command brings back into it. The files name each firm in
hundreds of other paragraphs. So a question in all other words has only a name in common with hundreds of passages, and
no index tells them apart; a model that knows this gives other words for the same, as the command's description asks.
"""

import os
import random
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memory_facts import BESIDE, ENGLISH, KOREAN

from autoagent import build, settings
from autoagent.agent import Agent
from autoagent.commands import files as file_commands
from autoagent.commands import remembering
from autoagent.env import Env, Memory
from autoagent.executor import whole_text
from autoagent.journal import read
from autoagent.memory import FRAMING_TOKENS, HIGH_WATER, OBSERVED_SHARE
from autoagent.models.tokens import TokenCounter
from autoagent.places import new_run_folder
from autoagent.recall import RunMemories, Store, offered
from autoagent.signals import Signals, Unattended
from autoagent.state import State
from autoagent.testing import ModelServer, Repeat, Reply, thought

WINDOWS, SIZES = 20, (4_000, 8_000, 32_000)
NEW_KEPT, OLD_KEPT = 0.8, 0.95  # of a scripted summary
MODEL = "test-model"


@dataclass(frozen=True)
class Fact:
    """`question` has nothing but the name in common with `text`.

    `other` are more words for it, the first of which stands in the text, as the command's description asks for them.
    """

    text: str
    name: str
    question: str
    other: str


# -- what is read ----------------------------------------------------------------------------------------------------

FIRMS = ("Falkner", "Ostrava Labs", "Brightwater", "Quillon", "Tessaro", "Nordhavn", "Pemberley")
FIRMS_KO = ("한빛테크", "다온물산", "서림정보")
PEOPLE = ("Ines Kofler", "Marek Dvorak", "Aoife Nolan", "Jonas Wirth", "Salma Haddad", "Pia Lindqvist", "Tomas Reyes")
PEOPLE_KO = ("최가온", "윤도현", "백서진")
PLACES = ("Rotterdam", "Gdansk", "Porto", "Tampere", "Leuven", "Malmo", "Graz", "세종", "춘천", "여수")


def facts() -> list[Fact]:
    dice = random.Random(50)
    found: list[Fact] = []
    for at, firm in enumerate(FIRMS):
        fee, down, notice = dice.randint(2_000, 9_999), dice.randint(31, 299), dice.randint(21, 180)
        found += [
            Fact(
                f"{firm} charges {fee:,} euros a year for its licence.",
                firm,
                f"What is the annual fee of {firm}?",
                "licence cost price yearly euros",
            ),
            Fact(
                f"The contact at {firm} is {PEOPLE[at]}.",
                firm,
                f"Whom do we talk to at {firm}?",
                "contact person name responsible",
            ),
            Fact(
                f"{firm} keeps its data in {PLACES[at]}.",
                firm,
                f"In which place does {firm} store records?",
                "data location kept hosted city",
            ),
            Fact(
                f"An outage at {firm} lasted {down} minutes in May.",
                firm,
                f"How long was {firm} down in spring?",
                "outage downtime minutes lasted failure",
            ),
            Fact(
                f"{firm} can be left with {notice} days' notice.",
                firm,
                f"How early must we tell {firm} that we cancel?",
                "notice period days terminate leave end",
            ),
        ]
    for at, firm in enumerate(FIRMS_KO):
        fee, down, notice = dice.randint(2_000, 9_999), dice.randint(31, 299), dice.randint(21, 180)
        found += [
            Fact(
                f"{firm}의 사용료는 일 년에 {fee:,}유로이다.",
                firm,
                f"{firm}에 매년 얼마를 내나요?",
                "사용료 비용 가격 요금 유로",
            ),
            Fact(
                f"{firm}의 담당자는 {PEOPLE_KO[at]}이다.",
                firm,
                f"{firm}에서는 누구에게 연락하나요?",
                "담당자 연락처 책임자 이름",
            ),
            Fact(
                f"{firm}의 자료는 {PLACES[7 + at]}에 둔다.",
                firm,
                f"{firm}의 데이터는 어디에 보관되나요?",
                "자료 위치 장소 저장 도시",
            ),
            Fact(
                f"5월에 {firm}의 장애는 {down}분 동안 이어졌다.",
                firm,
                f"{firm}가 봄에 얼마나 멈췄나요?",
                "장애 중단 시간 고장",
            ),
            Fact(
                f"{firm}와의 계약은 {notice}일 전에 알리면 끝낼 수 있다.",
                firm,
                f"{firm}를 해지하려면 언제 말해야 하나요?",
                "계약 종료 통보 기간 전에",
            ),
        ]
    dice.shuffle(found)
    return found


SUBJECTS = (
    "The team",
    "A reviewer",
    "The working group",
    "One of the offices",
    "The supplier",
    "The committee",
    "Nobody",
)
VERBS = ("discussed", "postponed", "questioned", "summarised", "compared", "mentioned", "accepted", "returned to")
OBJECTS = (
    "the figures of the last quarter", "the plan for the warehouse", "several open points", "the draft of the report",
    "the wording of the second chapter", "the order of meetings", "the list of suppliers", "a remark from the audit",
)  # fmt: skip
ENDS = ("without a result", "in some detail", "for the second time", "after a short break", "before the end of the day")
KOREAN_LINES = (
    "{}에 관한 논의는 다음 회의로 미루었다.", "{}에 대해서는 의견이 여럿 나왔다.", "{}의 제안서는 아직 읽지 못했다.",
)  # fmt: skip


def filler(dice: random.Random) -> str:
    """A paragraph that names the same firms and says nothing of them."""
    lines = [
        f"{dice.choice(SUBJECTS)} {dice.choice(VERBS)} {dice.choice(OBJECTS)} {dice.choice(ENDS)}." for _ in range(3)
    ]
    if dice.random() < 0.2:
        lines.append(dice.choice(KOREAN_LINES).format(dice.choice(FIRMS_KO)))
    elif dice.random() < 0.5:
        lines.append(f"{dice.choice(FIRMS)} was {dice.choice(('mentioned', 'discussed', 'on the list'))} too.")
    dice.shuffle(lines)
    return " ".join(lines)


def write_files(
    workspace: Path, planted: Sequence[Fact], tokens: int, of_each: int, count: Callable[[str], int]
) -> int:
    """Files of about `of_each` tokens, `tokens` in all, with the facts spread over them evenly; how many."""
    many = round(tokens / of_each)
    for number in range(many):
        dice = random.Random(number)
        own = planted[number * len(planted) // many : (number + 1) * len(planted) // many]
        paragraphs, size = list[str](), 0
        while size < of_each:
            paragraphs.append(filler(dice))
            size += count(paragraphs[-1]) + 3
        for fact in own:
            at = dice.randrange(len(paragraphs))
            paragraphs[at] = f"{paragraphs[at]} {fact.text}"
        (workspace / f"minutes-{number + 1:03}.md").write_text("\n\n".join(paragraphs) + "\n", encoding="utf-8")
    return many


# -- the run ---------------------------------------------------------------------------------------------------------


def script(many: int, planted: Sequence[Fact], *, summarises: bool) -> Callable[[dict[str, Any]], Any]:
    """A model that reads one file a step and ends; asked for a summary it gives one, or nothing that can be used."""
    numbers = iter(range(1, many + 2))
    dice = random.Random(7)

    def reply(body: dict[str, Any]) -> Any:
        messages = [message["content"] for message in body["messages"]]
        if "This is not a step" in messages[-1]:
            words = int(re.findall(r"at most (\d+) words", messages[-1])[0])
            return summary(messages, planted, words, dice) if summarises else Reply("", finish_reason="length")
        number = next(numbers)
        if number > many:
            return thought("All is read.", commands=[("give_up", {"reason": "All is read."})])
        plan = [f"[x] files up to {number - 1}", f"[>] file {number}", "[ ] answer"]
        return thought(
            f"Read file {number}.",
            plan=plan,
            commands=[("read_file", {"path": f"minutes-{number:03}.md", "limit": 10_000})],
        )

    return reply


def summary(messages: Sequence[str], planted: Sequence[Fact], words: int, dice: random.Random) -> str:
    before = next((text for text in messages[1:2] if text.startswith("Summary of the steps")), "")
    rest = "\n".join(messages[1:]).replace(before, "") if before else "\n".join(messages[1:])
    kept = [fact.text for fact in planted if fact.text in before and dice.random() < OLD_KEPT]
    kept += [fact.text for fact in planted if fact.text in rest and dice.random() < NEW_KEPT]
    while sum(len(text.split()) for text in kept) > words:
        kept.pop(0)
    return "Minutes were read. Facts so far:\n" + "\n".join(f"- {text}" for text in kept)


@dataclass(frozen=True)
class Played:
    agent: Agent
    prompt: str  # the last one, without rules and goal

    @property
    def state(self) -> State:
        return self.agent.journal.state


def play(folder: Path, window: int, planted: Sequence[Fact], *, summarises: bool) -> Played:
    """A run of 20 windows of this size."""
    workspace = folder / "workspace"
    workspace.mkdir(parents=True)
    counter = TokenCounter(MODEL)
    with ModelServer([Repeat(lambda body: reply(body))], allow_overrun=True) as server:
        flags = {"model": MODEL, "base_url": server.base_url, "approve": "never", "limits.steps": 1_000}
        found = settings.load(workspace, flags)
        setup, limits = build.make_setup(found, build.choose_model(found), workspace)
        fixed = build.needs_tokens(setup) - build.SHORT_REPLY
        setup = setup.model_copy(update={"context_tokens": window + fixed})
        of_each = int(setup.context_tokens // OBSERVED_SHARE * 0.75)
        many = write_files(workspace, planted, WINDOWS * window, of_each, counter.count)
        reply = script(many, planted, summarises=summarises)
        goal = "Read all minutes and answer questions about the firms."
        journal = build.start_run(new_run_folder(), setup, limits, [goal], notify=print)
        agent = build.make_agent(journal, Unattended(journal.folder, Signals()), found, print)
        state = agent.run()
        if state.status != "unreached" or state.step != many + 1:
            raise SystemExit(f"the run went otherwise: {state.status}, {state.reason}, step {state.step} of {many + 1}")
        last = server.requests[-1].body["messages"]
    return Played(agent, "\n".join(message["content"] for message in last[1:]))


def newest_only(state: State) -> str:
    """What would stand in the prompt if nothing were kept but the newest whole steps."""
    setup = state.setup
    assert setup
    room = int(setup.context_tokens * HIGH_WATER) - (setup.context_tokens - window_of(state))
    shown: list[str] = []
    for step in reversed(state.steps):
        room -= step.total_tokens
        if room < 0:
            break
        shown += [observation.text for observation in step.observations]
    return "\n".join(shown)


def window_of(state: State) -> int:
    assert state.setup
    return state.setup.context_tokens - (build.needs_tokens(state.setup) - build.SHORT_REPLY)


def env_of(played: Played, memories: RunMemories) -> Env:
    setup, state = played.state.setup, played.state
    assert setup
    by_id = {one.id: one for step in state.steps for one in step.observations}
    nothing: Any = None
    return Env(
        files=nothing,
        web=nothing,
        programs=nothing,
        memories=memories,
        observation=lambda id: whole_text(played.agent.journal, by_id[id]),
        last_seen=lambda _: None,
        saw=lambda *_: None,
        share_tokens=setup.context_tokens // OBSERVED_SHARE - FRAMING_TOKENS,
        count=TokenCounter(MODEL).count,
    )


def read_again(played: Played, env: Env, fact: Fact) -> bool:
    """Whether one read_observation brings it back, where the id of the right one stands in the prompt."""
    for step in played.state.steps:
        for one in step.observations:
            if one.call and fact.text in whole_text(played.agent.journal, one):
                named = re.search(rf"(?<![\d.]){re.escape(one.id)}(?![\d.])", played.prompt)
                return bool(named) and fact.text in file_commands.read_observation(env, one.id)
    return False


def first_part() -> None:
    planted = facts()
    print(f"{len(planted)} facts planted over {WINDOWS} windows; of these, at the end:\n")
    columns = (
        "window", "steps, compactions", "compacted by", "newest steps only", "summary alone", "in the prompt",
        "back by one recall: question in all other words", "the name and one word of the fact",
        "question and other words for it", "in the prompt or by that recall", "back by the right read_observation",
    )  # fmt: skip
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    slow: list[str] = []
    for window in SIZES:
        for summarises in (False, True):
            with tempfile.TemporaryDirectory() as name:
                os.environ["XDG_STATE_HOME"], os.environ["XDG_CONFIG_HOME"] = f"{name}/state", f"{name}/config"
                played = play(Path(name), window, planted, summarises=summarises)
                print(row(played, planted, window, summarises, slow), flush=True)
                played.agent.journal.close()
                played.agent.close()
    print("\n" + "\n".join(slow))


def row(played: Played, planted: Sequence[Fact], window: int, summarises: bool, slow: list[str]) -> str:
    state = played.state
    memories = RunMemories(played.agent.journal, Store(Path("/nonexistent/memories.sqlite"), print), "")
    env = env_of(played, memories)
    began = time.perf_counter()
    memories.recall("anything", 5)
    made = time.perf_counter() - began
    began = time.perf_counter()
    asked = [fact.text in remembering.recall(env, fact.question).text for fact in planted]
    short = [fact.text in remembering.recall(env, f"{fact.name} {fact.other.split()[0]}").text for fact in planted]
    took = (time.perf_counter() - began) / len(planted)
    better = [fact.text in remembering.recall(env, f"{fact.question} {fact.other}").text for fact in planted]
    shown = [fact.text in played.prompt for fact in planted]
    again = [read_again(played, env, fact) for fact in planted]
    newest, told = newest_only(state), state.summary
    if not summarises:
        slow.append(
            f"Window {window:,}: {memories.indexed:,} passages; the first recall indexes them in {made * 1000:.0f} ms, "
            f"each later one takes {took * 1000:.1f} ms."
        )
    memories.close()
    compactions = sum(event.type == "compacted" for event in read(played.agent.journal.folder))
    return " | ".join(
        [
            f"| {window:,}",
            f"{state.step}, {compactions}",
            "a summary" if summarises else "the digest",
            share([fact.text in newest for fact in planted]),
            share([fact.text in told for fact in planted]),
            share(shown),
            share(asked),
            share(short),
            share(better),
            share([a or b for a, b in zip(shown, better, strict=True)]),
            share(again) + " |",
        ]
    )


def share(found: Sequence[bool]) -> str:
    return f"{100 * sum(found) / len(found):.0f} %"


# -- what a later run finds ------------------------------------------------------------------------------------------


def second_part() -> None:
    """Each fact is asked for in other words, among all the others and what lies beside them."""
    print(
        f"\n{len(ENGLISH)} English and {len(KOREAN)} Korean facts beside {len(BESIDE)} others, each asked for once:\n"
    )
    print("| kept with | index | English: first | in the first five | Korean: first | in the first five |")
    print("| --- | --- | --- | --- | --- | --- |")
    for tags, words in ((0, "no tags"), (1, "one tag"), (9, "all its tags")):
        with tempfile.TemporaryDirectory() as name:
            store = filled(Path(name), tags)
            for index, search in searches(store):
                figures = [figure for asked in (ENGLISH, KOREAN) for figure in found_of(store, asked, search)]
                print(f"| {words} | {index} | {' | '.join(figures)} |")
    third_part()
    fourth_part()


def filled(folder: Path, tags: int) -> Store:
    store = Store(folder / "memories.sqlite", print)
    rows = [(text, given) for text, given, _ in ENGLISH + KOREAN] + BESIDE
    random.Random(1).shuffle(rows)
    for number, (text, given) in enumerate(rows):
        store.keep(Memory("", text, given[:tags], "", "r", "step 1", "", False), str(number))
    return store


Search = Callable[[str], list[str]]


def searches(store: Store) -> Iterator[tuple[str, Search]]:
    """Ours, and SQLite's tokenizers as they are: any of the question's words, ranked by BM25."""
    yield "ours", lambda question: [one.memory.text for one in store.search(question, 5)]
    for tokenizer in ("porter unicode61", "trigram"):
        yield f"FTS5 {tokenizer}", plain(store, tokenizer)


def plain(store: Store, tokenizer: str) -> Search:
    db = sqlite3.connect(":memory:")
    db.execute(f"CREATE VIRTUAL TABLE plain USING fts5(text, tags, tokenize = '{tokenizer}')")
    for fact in store.all():
        db.execute("INSERT INTO plain VALUES (?, ?)", (fact.text, " ".join(fact.tags)))

    def search(question: str) -> list[str]:
        words = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", question))
        rows = db.execute("SELECT text FROM plain WHERE plain MATCH ? ORDER BY rank LIMIT 5", (words,))
        return [text for (text,) in rows]

    return search


def found_of(store: Store, asked: Sequence[tuple[str, tuple[str, ...], str]], search: Search) -> list[str]:
    found = [(text, search(question)) for text, _, question in asked]
    first, five = sum(got[:1] == [text] for text, got in found), sum(text in got for text, got in found)
    return [f"{first} of {len(asked)}", f"{five} of {len(asked)}"]


GOALS = (
    "Count the words of notes.md", "Translate readme.txt into French", "Find the newest papers on graphene",
    "Write a haiku about autumn", "Summarise ./minutes with sources", "Fix the failing test in parser.py",
    "Draw a chart of rainfall by month from rain.csv", "Which of these three laptops is the lightest?",
    "Rename all .jpeg files to .jpg", "Explain what a monad is", "메모를 요약해 줘", "날씨를 표로 만들어 줘",
)  # fmt: skip


def third_part() -> None:
    """What is offered at a start: to goals that nothing kept is of, and to those that one of the facts answers."""
    with tempfile.TemporaryDirectory() as name:
        store = filled(Path(name), 9)
        none = sum(not offered(store, goal, "", 1_600, len_in_tokens).text for goal in GOALS)
        hits = [offered(store, question, "", 1_600, len_in_tokens).text for _, _, question in ENGLISH + KOREAN]
        right = sum(text in shown for (text, _, _), shown in zip(ENGLISH + KOREAN, hits, strict=True))
        facts_shown = sum(shown.count("(kept ") for shown in hits) / len(hits)
    print(
        f"\nOffered at the start of a run, share 1,600 tokens: nothing to {none} of {len(GOALS)} goals that no fact is "
        f"of; the right fact to {right} of {len(hits)} goals that one answers, among {facts_shown:.1f} on average."
    )


def fourth_part() -> None:
    """What keeping a fact costs, durably, and looking for those of a goal among 5,000 as a run starts."""
    dice, words = random.Random(2), sorted({word for text, _, _ in ENGLISH for word in text.split()})
    with tempfile.TemporaryDirectory() as name:
        store = Store(Path(name) / "memories.sqlite", print)
        took: list[float] = []
        for number in range(5_000):
            text, tags = " ".join(dice.choices(words, k=12)), tuple(dice.choices(words, k=3))
            began = time.perf_counter()
            store.keep(Memory("", f"Fact {number}: {text}", tags, "", "r", "", "", False), str(number))
            took.append(time.perf_counter() - began)
        began = time.perf_counter()
        offered(store, " ".join(question for _, _, question in ENGLISH), "", 1_600, len_in_tokens)
        looked = time.perf_counter() - began
    kept = statistics.median(took) * 1000
    print(f"\nKeeping a fact takes {kept:.1f} ms; offering for a long goal out of 5,000 facts {looked * 1000:.0f} ms.")


def len_in_tokens(text: str) -> int:
    return len(text.encode()) // 3 + 1


if __name__ == "__main__":
    if "--kept" not in sys.argv:
        first_part()
    second_part()
