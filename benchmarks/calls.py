"""How many model calls and tokens a research goal and a documents goal take, by two ways of working. Prints Markdown.

    .venv/bin/python benchmarks/calls.py            about half a minute; nothing but loopback is used

The same goal is played twice by a script instead of a model: AutoGPT's way (search, then browse one page a reply; list
the folder, then read one file a reply), and with `web_search(read=5)` and `read_many`. Calls and prompt tokens are the
sums that the journal holds, as the endpoint counted them (four bytes a token). The script spends no time to think, so
the time is ours: from the start of the run to its end, the pages of the site each taking half a second. What is found
is the share of the facts that the goal needs which stand in the last prompt, word for word. Where the window is small,
older steps are summarised: by a model that forgets no fact that it is shown, which no real one is.
"""

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from autoagent import build, settings
from autoagent.events import CommandFinished, CommandStarted, ModelReplied
from autoagent.journal import read
from autoagent.places import new_run_folder
from autoagent.signals import Signals, Unattended
from autoagent.state import State
from autoagent.testing import ModelServer, Repeat, thought

PAGE_S = 0.5  # that a page takes to come
PAGES, NOTES = 5, 30
WINDOWS = (24_000, 128_000)
QUESTION = "What do the heat pumps cost, how loud are they, and how long is their warranty?"
ASKED_OF_NOTES = "Which team owes how much for the harbour project, and by when?"
MAKERS = ("Nordvarm", "Alpina", "Taiyo", "Borealis", "Kestrel")
TEAMS = ("survey", "dredging", "permits", "lighting", "cranes", "insurance")
WEATHER = (
    "In the week of {n} the visitors of the fair talked about lunch, trains and the weather, as they do each year."
)
NOISE = ("At night it is no louder than {} decibels.", "Next to it one measures {} decibels, which is a whisper.")
WARRANTY = (
    "Its maker gives a warranty of {} years on the compressor.",
    "Should it fail within {} years, it is mended free.",
)
TALK = "The minutes of day {n} mention lunch, the printer and who is to bring cake, and nothing that anybody has to do."


@dataclass(frozen=True)
class Goal:
    """A goal, the sentences that its result needs, and the replies of each way of working."""

    name: str
    text: str
    facts: tuple[str, ...]
    ways: Mapping[str, Sequence[Mapping[str, Any]]]


def main() -> None:
    with tempfile.TemporaryDirectory() as name, site() as address:
        folder = Path(name)
        workspace = folder / "workspace"
        notes(workspace / "notes")
        os.environ |= {"XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "config")}
        os.environ["OPENAI_API_KEY"] = "k"
        print("| goal | window | way | model calls | prompt tokens | our time | needed facts in the last prompt |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for goal in (research(address), documents()):
            for window in WINDOWS:
                for way, replies in goal.ways.items():
                    print(f"| {goal.name} | {window:,} | {way} | {played(goal, replies, workspace, address, window)} |")
        side_by_side(workspace, address)


# -- the two goals ---------------------------------------------------------------------------------------------------


def research(address: str) -> Goal:
    urls = [f"{address}/{n}" for n in range(PAGES)]
    one_by_one = [command("browse", url=url, question=QUESTION) for url in urls]
    return Goal(
        f"research, {PAGES} pages",
        f"Compare these heat pumps. {QUESTION}",
        tuple(fact for n in range(PAGES) for fact in facts_of(n)),
        {
            "search, browse one by one": [command("web_search", query=QUESTION), *one_by_one],
            "web_search(read=5)": [command("web_search", query=QUESTION, read=PAGES)],
        },
    )


def documents() -> Goal:
    names = [f"notes/{n:02}.md" for n in range(NOTES)]
    one_by_one = [command("read_file", path=name) for name in names]
    return Goal(
        f"documents, {NOTES} notes",
        f"Make a list. {ASKED_OF_NOTES}",
        tuple(map(debt_of, TEAMS)),
        {
            "list, read one by one": [command("list_files", path="notes"), *one_by_one],
            "read_many": [command("read_many", paths=["notes/**/*.md"], question=ASKED_OF_NOTES)],
        },
    )


def facts_of(page: int) -> tuple[str, str, str]:
    maker = MAKERS[page]
    return (
        f"The {maker} heat pump costs {8_200 + 317 * page:,} euros with its installation.",
        NOISE[page % len(NOISE)].format(31 + 2 * page),
        WARRANTY[page % len(WARRANTY)].format(5 + page),
    )


def debt_of(team: str) -> str:
    at = TEAMS.index(team)
    return f"The {team} team still owes {12_000 + 1_111 * at:,} euros for the harbour project, due on {3 + at} October."


def command(name: str, **args: Any) -> Mapping[str, Any]:
    return thought(text=f"I use {name}.", commands=[(name, args)])


def notes(folder: Path) -> None:
    """30 notes of about 700 words each; six of them hold a fact, at different places."""
    folder.mkdir(parents=True)
    for n in range(NOTES):
        lines = [TALK.format(n=day) for day in range(30)]
        if n % 5 == 2:
            lines.insert(3 + 4 * (n // 5), debt_of(TEAMS[n // 5]))
        (folder / f"{n:02}.md").write_text(f"# Note {n}\n\n" + "\n\n".join(lines) + "\n")


@contextmanager
def site() -> Generator[str]:
    """A search engine that speaks SearXNG's JSON, and what it finds: five pages, each of about 2,500 words."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/search?"):
                return self._send(json.dumps({"results": hits(f"http://{self.headers['Host']}")}), "application/json")
            time.sleep(PAGE_S)
            return self._send(page(int(self.path[1:])), "text/html; charset=utf-8")

        def _send(self, text: str, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def hits(address: str) -> list[dict[str, str]]:
    return [
        {
            "title": f"The {maker} at the fair",
            "url": f"{address}/{n}",
            "content": f"We looked at the {maker} heat pump.",
        }
        for n, maker in enumerate(MAKERS)
    ]


def page(number: int) -> str:
    paragraphs = [WEATHER.format(n=week) for week in range(120)]
    for at, fact in zip((15, 55, 95), facts_of(number), strict=True):
        paragraphs.insert(at + number, fact)
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    title = f"The {MAKERS[number]} at the fair"
    return f"<html><head><title>{title}</title></head><body><main><h1>{title}</h1>{body}</main></body></html>"


# -- playing them ----------------------------------------------------------------------------------------------------


def played(goal: Goal, replies: Sequence[Mapping[str, Any]], workspace: Path, address: str, window: int) -> str:
    """One run, as the cells of a row."""
    replying = player(replies, goal.facts)
    with ModelServer([Repeat(replying)], context_tokens=None) as server:
        began = time.monotonic()
        state, folder = run(goal.text, server.base_url, workspace, address, window)
        seconds = time.monotonic() - began
        prompt = json.dumps([request.body["messages"] for request in server.requests if is_step(request.body)][-1])
    usages = [event.usage for event in read(folder) if isinstance(event, ModelReplied)]
    assert state.step == len(replies) + 1, f"{state.status}: {state.reason}"
    found = sum(fact in prompt for fact in goal.facts)
    tokens = sum(usage.input_tokens for usage in usages)
    return f"{len(usages)} | {tokens:,} | {seconds:.1f} s | {found} of {len(goal.facts)}"


def player(replies: Sequence[Mapping[str, Any]], facts: Sequence[str]) -> Callable[[Mapping[str, Any]], Any]:
    """The replies in turn, then the end; asked for a summary, all the facts that it is shown."""
    left = iter([*replies, command("give_up", reason="all is read")])

    def reply(body: Mapping[str, Any]) -> Any:
        if is_step(body):
            return next(left)
        shown = json.dumps(body["messages"])
        return "\n".join(fact for fact in facts if fact in shown) or "Nothing was found so far."

    return reply


def is_step(body: Mapping[str, Any]) -> bool:
    return "Answer with the next JSON object." in body["messages"][-1]["content"]


def run(goal: str, base_url: str, workspace: Path, address: str, window: int) -> tuple[State, Path]:
    flags = {"model": "test-model", "base_url": base_url, "approve": "never", "search": (address,)}
    flags |= {"allow_local_network": True, "context_tokens": window, "limits.steps": 100}
    chosen = settings.load(workspace, flags)
    setup, limits = build.make_setup(chosen, build.choose_model(chosen), workspace)
    journal = build.start_run(new_run_folder(), setup, limits, [goal], notify=print)
    agent = build.make_agent(journal, Unattended(journal.folder, Signals()), chosen, print)
    try:
        return agent.run(), journal.folder
    finally:
        journal.close()
        agent.close()


def side_by_side(workspace: Path, address: str) -> None:
    """Four pages of half a second each that one thought asks for, by the times in the journal."""
    calls = [("browse", {"url": f"{address}/{n}", "question": QUESTION}) for n in range(4)]
    replies = [thought(commands=calls), command("give_up", reason="all is read")]
    with ModelServer([*replies]) as server:
        _, folder = run(QUESTION, server.base_url, workspace, address, WINDOWS[-1])
    events = [event for event in read(folder) if isinstance(event, CommandStarted | CommandFinished)]
    started = [moment(event.at) for event in events if isinstance(event, CommandStarted)][:4]
    ended = [moment(event.at) for event in events if isinstance(event, CommandFinished)][:4]
    took = max(ended) - min(started)
    print("\n| what | figure |\n| --- | --- |")
    print(f"| four pages of {PAGE_S:g} s each in one thought, from the first start to the last end | {took:.2f} s |")


def moment(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


if __name__ == "__main__":
    main()
