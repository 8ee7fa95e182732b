"""What a run sends, what a prompt cache would make of it, and what it still knows at the end. Prints Markdown.

    .venv/bin/python benchmarks/tokens.py           about a minute; nothing but loopback is used

Cache, simulated: the prefix that a request shares with the one before it, from 1,024 tokens on, in steps of 128, costs
a quarter of the input price. Tokens are those of o200k, prices those of gpt-5-mini in the catalog. Two runs:

- 100 steps, each of which reads another part of a file.
- 30 reads of 20 KB each, with 81 planted facts, three in each of 27 files; three files are read twice. At the end a
  fact is "in the prompt" where the last request holds it, and "one read away" where that names an observation whose
  whole text holds it. The summaries are the digests that are made without a model: a model's own may keep more.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import autoagent
from autoagent.events import CommandFinished
from autoagent.journal import artifact
from autoagent.models.catalog import look_up
from autoagent.models.tokens import TokenCounter
from autoagent.testing import ModelServer, Repeat, Reply, done, thought

MODEL = "gpt-5-mini"
LEAST, STEP, SHARE = 1_024, 128, 0.25
REPLY_TOKENS = 1_000
FILES, FACTS = 27, 3
NO_SUMMARY = Reply("", finish_reason="length")


@dataclass(frozen=True)
class Sent:
    """Of one run: `prompts` is the text of each request in order."""

    run: autoagent.Run
    prompts: tuple[str, ...]


@dataclass(frozen=True)
class Cost:
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    dollars: float
    uncached_dollars: float


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "config")}
        count = TokenCounter("gpt-5-mini").count
        print("| run | requests | tokens in | of them cached | tokens out | cost | without a cache |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        steps = parts_of_a_file(folder / "parts")
        print(row("100 steps, window 128k", steps, count))
        for window in (16_000, 128_000):
            reads = planted_facts(folder / f"facts{window}", window)
            print(row(f"30 reads of 20 KB, window {window // 1000}k", reads, count))
            kept, near = facts_left(reads)
            print(f"| … of {FILES * FACTS} planted facts | | in the last prompt: {kept} | one read away: {near} "
                  f"| together: {kept + near} | | |")  # fmt: skip


def parts_of_a_file(folder: Path) -> Sent:
    folder.mkdir()
    (folder / "a.txt").write_text("".join(f"line {n} of a file that is read\n" for n in range(2_000)))
    calls = [("read_file", {"path": "a.txt", "offset": 1 + 20 * n, "limit": 20}) for n in range(99)]
    return played(folder, 128_000, calls)


def planted_facts(folder: Path, window: int) -> Sent:
    folder.mkdir()
    for number in range(FILES):
        lines = [
            f"{n:04} of file {number}: nothing to remember stands in this line, it is only long enough."
            for n in range(240)
        ]
        for at in range(FACTS):
            lines[20 + 90 * at] = f"Remember: {fact(number * FACTS + at)}."
        (folder / f"f{number:02}.txt").write_text("\n".join(lines)[:20_480])
    order = [*range(FILES), 3, 13, 23]
    return played(folder, window, [("read_file", {"path": f"f{n:02}.txt", "limit": 300}) for n in order])


def fact(number: int) -> str:
    return f"the code of house {number:02} is {(number * 7_919 + 13) % 100_000:05}"


def played(folder: Path, window: int, calls: Sequence[tuple[str, dict[str, Any]]]) -> Sent:
    """A run that makes these calls, one a step, then ends."""
    left: Iterator[tuple[str, dict[str, Any]]] = iter(calls)

    def reply(body: dict[str, Any]) -> Any:
        if "This is step" not in body["messages"][-1]["content"]:
            return NO_SUMMARY
        call = next(left, None)
        return done("read") if call is None else thought("I read on and note what matters.", commands=[call])

    with ModelServer([Repeat(reply)], models=(MODEL,)) as server:
        run = autoagent.run(
            "Remember the code of each house", workspace=folder, model=MODEL, base_url=server.base_url, max_steps=200,
            context_tokens=window - REPLY_TOKENS, reply_tokens=REPLY_TOKENS, review="off", evidence="off",
        )  # fmt: skip
        prompts = tuple(prompt(request.body) for request in server.requests if request.method == "POST")
    assert run.status == "reached", run.reason
    return Sent(run, prompts)


def prompt(body: dict[str, Any]) -> str:
    return "\n".join(f"{message['role']}\n{message['content']}" for message in body["messages"])


def row(name: str, sent: Sent, count: Any) -> str:
    cost = cost_of(sent, count)
    return (
        f"| {name} | {len(sent.prompts)} | {cost.input_tokens:,} | {cost.cached_tokens / cost.input_tokens:.0%} "
        f"| {cost.output_tokens:,} | ${cost.dollars:.4f} | ${cost.uncached_dollars:.4f} |"
    )


def cost_of(sent: Sent, count: Any) -> Cost:
    price = look_up(MODEL, "https://api.openai.com/v1", {}).price
    assert price is not None
    sizes = [count(text) for text in sent.prompts]
    cached = [0, *(in_cache(count(common(a, b))) for a, b in pairwise(sent.prompts))]
    output = sum(count(event.reply) for event in sent.run.events() if event.type == "model_replied")
    whole = price.cost(sum(sizes), 0, output)
    less = price.cost(sum(cached), 0, 0) * (1 - SHARE)
    return Cost(sum(sizes), sum(cached), output, whole - less, whole)


def common(before: str, after: str) -> str:
    return os.path.commonprefix([before, after])  # noqa: RUF071  # character by character is what is wanted


def in_cache(tokens: int) -> int:
    return tokens // STEP * STEP if tokens >= LEAST else 0


def facts_left(sent: Sent) -> tuple[int, int]:
    """How many facts the last prompt holds, and how many more stand in an observation that it names."""
    last = sent.prompts[-1]
    facts = [fact(number) for number in range(FILES * FACTS)]
    kept = {text for text in facts if text in last}
    named = set(re.findall(r"\b\d+\.\d+\b", last))
    finished = [event for event in sent.run.events() if isinstance(event, CommandFinished) and event.call_id in named]
    near = {
        text
        for event in finished
        for text in facts
        if text in (artifact(sent.run.folder, event.artifact) if event.artifact else event.text)
    }
    return len(kept), len(near - kept)


if __name__ == "__main__":
    main()
