"""How well quotes and figures are looked up in what was read, and how long that takes. Prints Markdown.

    .venv/bin/python benchmarks/evidence.py          a few seconds

Texts are made anew from a fixed seed: English and Korean prose, tables, and pages as a PDF gives them (lines wrapped,
words broken at their ends, ligatures, page marks). Of each a quote is cut out and given as a model may give it (other
spaces, quotation marks, dashes, Unicode form, `…` for what is left out), and once more with one digit or word altered.
"""

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from unicodedata import normalize

from autoagent.budget import Limits, Usage
from autoagent.claims import Claim
from autoagent.events import CommandFinished, CommandStarted, Event, ModelReplied, RunStarted, Setup
from autoagent.evidence import Reads, look_up, reads
from autoagent.thoughts import CommandCall, Thought

EACH = 400  # texts of a kind; from each a true quote and an altered one
LARGE, OBSERVATIONS = 5_000_000, 200  # characters, of so many observations
_WORDS = re.compile(r"\w+")
_ENGLISH = _WORDS.findall(
    "the committee heard that harbour of Moss took in more goods by rail than road and prices for apples rose while "
    "officials expected efficient offices to finish their work before winter although nobody could confirm figures"
)
_KOREAN = _WORDS.findall(
    "위원회는 항만을 지나는 화물이 도로보다 철도로 많이 들어왔다고 밝혔고 사과 가격은 작년보다 크게 올랐으며 담당자는 "
    "겨울이 오기 전에 모든 조사를 마칠 것으로 내다보았지만 아무도 수치를 확인하지 못했다"
)
_COMPANIES = _WORDS.findall("Acme Borealis Corvus Delphi Erebus Fjord Gamma 한빛 누리 가온 다솜 새롬")


@dataclass(frozen=True)
class Sample:
    """A text as it was read, and the words of a passage of it, in order, as they were before it was laid out."""

    text: str
    words: tuple[str, ...]
    numbered: bool = False


def main() -> None:
    choose = random.Random(20261129)
    print("| text | true quotes found, at their place | altered quotes found | altered figures found |")
    print("| --- | --- | --- | --- |")
    for title, make in (("English", english), ("Korean", korean), ("tables", table), ("PDF", pdf)):
        print(f"| {title} | {' | '.join(measured(make, choose))} |")
    print("\n| look-up | time of the processor |\n| --- | --- |")
    for title, took in timed(choose):
        print(f"| {title} | {took:.2f} s |")


def measured(make: Callable[[random.Random], Sample], choose: random.Random) -> tuple[str, str, str]:
    found = wrong = figures = asked = 0
    for _ in range(EACH):
        sample = make(choose)
        run = one_read(sample)
        true = look_up("", [claim(given(sample.words, choose))], run, reports={}, exists=_nothing).claims[0]
        found += true.found and (true.start, true.end) != (0, 0) and _holds(sample, run, true.start, true.end)
        words, kind = altered(sample.words, choose)
        false = look_up("", [claim(given(words, choose))], run, reports={}, exists=_nothing).claims[0]
        wrong += false.found
        if kind == "figure":
            changed = next(new for new, old in zip(words, sample.words, strict=True) if new != old)
            if changed in sample.text:  # by chance
                continue
            asked += 1
            figures += not look_up(f"It is {changed} now", [], run, reports={}, exists=_nothing).loose
    return f"{found} of {EACH}", f"{wrong} of {EACH}", f"{figures} of {asked}"


def _nothing(_: str) -> bool:
    return False


def _holds(sample: Sample, run: Reads, start: int, end: int) -> bool:
    """Whether the place begins with the first and ends with the last word of the passage."""
    text = normalize("NFKC", run.sources[0].text[start:end]).replace("-\n", "").replace("\u00ad", "")
    return text.startswith(sample.words[0][:3]) and text.endswith(sample.words[-1][-1])


def claim(quote: str) -> Claim:
    return Claim(text="It is so", source="1.1", quote=quote)


# -- texts -------------------------------------------------------------------------------------------------------------


def words_of(vocabulary: list[str], amount: int, choose: random.Random) -> list[str]:
    return [figure(choose) if choose.random() < 0.15 else choose.choice(vocabulary) for _ in range(amount)]


def figure(choose: random.Random) -> str:
    value = choose.randrange(100, 10_000_000)
    return choose.choice([f"{value:,}", f"{value / 100:.2f}", str(value % 10_000 + 10), f"{value % 90 + 10}%"])


def passage_of(words: list[str], choose: random.Random) -> tuple[list[str], int, int]:
    start = choose.randrange(len(words) - 12)
    return words, start, start + choose.randrange(6, 12)


def english(choose: random.Random) -> Sample:
    words, start, end = passage_of(words_of(_ENGLISH, 120, choose), choose)
    return Sample(" ".join(words), tuple(words[start:end]))


def korean(choose: random.Random) -> Sample:
    words, start, end = passage_of(words_of(_KOREAN, 120, choose), choose)
    form = choose.choice(["NFC", "NFD"])
    return Sample(normalize(form, " ".join(words)), tuple(words[start:end]))


def table(choose: random.Random) -> Sample:
    rows = [
        [choose.choice(_COMPANIES), figure(choose), figure(choose), choose.choice(_ENGLISH + _KOREAN)]
        for _ in range(40)
    ]
    row = choose.choice(rows)
    glue = choose.choice([" | ", "\t"])
    lines = [glue.join(cells) for cells in rows]
    return Sample("\n".join(lines), tuple(" ".join(row).split()), numbered=True)


def pdf(choose: random.Random) -> Sample:
    """Lines of forty characters, long words broken at their ends, ligatures, a mark where a page begins."""
    words, start, end = passage_of(words_of(_ENGLISH, 160, choose), choose)
    lines, line = list[str](), ""
    for word in words:
        if line and len(line) + len(word) > 40:
            if word.isalpha() and len(word) > 6:
                lines.append(f"{line} {word[:4]}-")
                line = word[4:]
                continue
            lines.append(line)
            if choose.random() < 0.1:
                lines.append(f"[page {len(lines)}]")
            line = ""
        line = f"{line} {word}".strip()
    text = "\n".join([*lines, line]).replace("ffi", "ﬃ").replace("fi", "ﬁ")
    return Sample(text, tuple(words[start:end]))


# -- quotes ------------------------------------------------------------------------------------------------------------


def given(words: tuple[str, ...], choose: random.Random) -> str:
    """The words as a model may quote them."""
    glue = choose.choice([" ", " ", "  ", "\n", " | "])
    quote = glue.join(words)
    if len(words) > 8 and choose.random() < 0.25:
        quote = f"{glue.join(words[:4])} … {glue.join(words[-4:])}"
    quote = choose.choice(["{}", "“{}”", '"{}"', "…{}…", "**{}**"]).format(quote)
    return normalize(choose.choice(["NFC", "NFC", "NFD"]), quote)


def altered(words: tuple[str, ...], choose: random.Random) -> tuple[tuple[str, ...], str]:
    """The same words but for one digit or one word, near an end, where no `…` can hide it."""
    at = choose.choice([0, 1, 2, 3, len(words) - 1, len(words) - 2])
    word = words[at]
    places = [place for place, char in enumerate(word) if char.isdigit()]
    if places:
        place = choose.choice(places)
        other = choose.choice([digit for digit in "123456789" if digit != word[place]])
        new, kind = word[:place] + other + word[place + 1 :], "figure"
    else:
        new, kind = choose.choice([word for word in (*_ENGLISH, *_KOREAN) if word != words[at]]), "word"
    return (*words[:at], new, *words[at + 1 :]), kind


# -- runs --------------------------------------------------------------------------------------------------------------


def one_read(sample: Sample) -> Reads:
    return reads(events([CommandCall(name="read_file", args={"path": "a.txt"})], [shown(sample)]), str)


def shown(sample: Sample) -> str:
    if not sample.numbered:
        return sample.text
    lines = sample.text.split("\n")
    numbered = "\n".join(f"{number}\t{line}" for number, line in enumerate(lines, 1))
    return f"a.txt, lines 1-{len(lines)} of {len(lines)}\n{numbered}"


def events(calls: list[CommandCall], texts: list[str]) -> list[Event]:
    setup = Setup(model="m", context_tokens=9_000, reply_tokens=900, workspace="/w")
    made: list[Event] = [
        RunStarted(run_id="r", goal="g", setup=setup, limits=Limits(), system="", nonce="n", version="0", seq=1)
    ]
    for number, (call, text) in enumerate(zip(calls, texts, strict=True), 1):
        thought = Thought(commands=(call,))
        made.append(ModelReplied(reply="{}", usage=Usage(calls=1), thought=thought, seq=len(made) + 1))
        started = CommandStarted(call_id=f"{number}.1", call=call, allowed_by="x", seq=len(made) + 1)
        made.append(started.model_copy(update={"sandbox": "bubblewrap"} if call.name == "run_shell" else {}))
        made.append(CommandFinished(call_id=f"{number}.1", outcome="ok", text=text, seq=len(made) + 1))
    return made


def timed(choose: random.Random) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for title, kinds in (
        ("files and pages", ("read_file", "browse")),
        ("output of programs, after 50 files that the model wrote", ("run_shell",)),
    ):
        samples = [large(choose) for _ in range(OBSERVATIONS)]
        calls = [call_of(kinds[number % len(kinds)], number) for number in range(OBSERVATIONS)]
        texts = [sample.text for sample in samples]
        if kinds == ("run_shell",):
            wrote = [" ".join(words_of(_ENGLISH, 400, choose)) for _ in range(50)]
            files = [{"path": f"note{number}.md", "text": text} for number, text in enumerate(wrote)]
            calls = [*(CommandCall(name="write_file", args={**args}) for args in files), *calls]
            texts = ["written"] * 50 + texts
        claims = [claim(given(choose.choice(samples).words, choose)) for _ in range(15)]
        claims += [claim(given(altered(choose.choice(samples).words, choose)[0], choose)) for _ in range(15)]
        result = " ".join(f"It is {figure(choose)} of {choose.choice(_COMPANIES)} on 1 Nov 2026." for _ in range(60))
        journal = events(calls, texts)
        began = time.process_time()
        run = reads(journal, str)
        look_up(result, claims, run, reports={}, exists=_nothing)
        size = sum(map(len, texts)) / 1e6
        found.append((f"30 claims, 120 facts, {size:.1f} MB in {len(texts)} observations: {title}",
                      time.process_time() - began))  # fmt: skip
    return [*found, hostile(choose)]


def hostile(choose: random.Random) -> tuple[str, float]:
    """Quotes whose parts stand everywhere, in an order that stands nowhere: what is looked at has a bound."""
    rows = "\n".join(f"row {number}: value {choose.randrange(100_000)} and some words" for number in range(700))
    calls = [call_of("read_file", number) for number in range(OBSERVATIONS)]
    journal = events(calls, [rows] * OBSERVATIONS)
    claims = [claim(f"{'row … ' * 300}value {number}") for number in range(20)]
    began = time.process_time()
    look_up("", claims, reads(journal, str), reports={}, exists=_nothing)
    size = OBSERVATIONS * len(rows) / 1e6
    return f"20 claims of 300 parts that stand in every line, {size:.1f} MB", time.process_time() - began


def large(choose: random.Random) -> Sample:
    words = words_of(choose.choice([_ENGLISH, _KOREAN]), 5_000, choose)
    text = " ".join(words)
    while len(text) < LARGE // OBSERVATIONS:
        text += "\n" + " ".join(choose.sample(words, 400))
    return Sample(text[: LARGE // OBSERVATIONS], tuple(words[100:110]))


def call_of(name: str, number: int) -> CommandCall:
    match name:
        case "read_file":
            return CommandCall(name=name, args={"path": f"f{number}.txt"})
        case "browse":
            return CommandCall(name=name, args={"url": f"https://example.org/{number}", "question": "What?"})
        case _:
            return CommandCall(name="run_shell", args={"command": f"cat data/{number}.txt | sort | head -{number}"})


if __name__ == "__main__":
    main()
