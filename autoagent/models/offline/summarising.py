"""A summary that only quotes: the sentences whose words the documents turn on, in their own order."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autoagent.models.offline.documents import Document, Passage
from autoagent.models.offline.passages import passages
from autoagent.models.offline.words import stems

FEWEST, MOST = 3, 8  # quotes from one document
ONE_IN = 4  # passages
TOTAL = 240  # quotes from all of them
LONGEST = 600  # characters of a quote
_CUES = re.compile(
    r"\b(?:decid\w+|decision|agree[ds]?|must|shall|risks?|root cause|because|therefore|result\w*|conclu\w+|recommend\w*"
    r"|deadline|due|total|goal|important\w*|action|owner|next step|open|impact)\b"
    r"|결정|합의|원인|결과|결론|따라서|위험|목표|중요|기한|마감|조치|담당|총|예정|해야|영향|권고|문제",
    re.I,
)
_FIGURE = re.compile(r"\d")


@dataclass(frozen=True)
class Shape:
    """A table by its header and how many lines follow; of a sheet the addresses of its first and last row instead."""

    header: Passage | None
    rows: int = 0
    sheet: str = ""
    ends: tuple[str, str] | None = None


@dataclass(frozen=True)
class Summary:
    """The quotes of one document, and its tables."""

    path: str
    quotes: tuple[Passage, ...]
    shapes: tuple[Shape, ...] = ()

    @property
    def told(self) -> int:
        """How many quotes it holds."""
        return len(self.quotes) + len(self.headers)

    @property
    def headers(self) -> tuple[Passage, ...]:
        return tuple(shape.header for shape in self.shapes if shape.header)


def summarise(documents: Sequence[Document], topic: Sequence[str] = (), limit: int | None = None) -> list[Summary]:
    """A few quotes of each document; with a topic only passages that hold one of its words."""
    everything = {document.path: passages(document) for document in documents}
    csv = {document.path for document in documents if document.kind == "csv"}
    texts = {path: [p for p in found if _quotable(p)] for path, found in everything.items() if path not in csv}
    bags = {path: [Counter(stems(passage.text)) for passage in found] for path, found in texts.items()}
    seen_in = Counter(word for found in bags.values() for word in {word for bag in found for word in bag})
    summaries: list[Summary] = []
    share = max(1, TOTAL // max(1, len(texts)))
    for document in documents:
        path = document.path
        shapes = tuple(_shapes(document, everything[path], headers=not topic))
        if path in csv:
            summaries.append(Summary(path, (), shapes))
            continue
        wanted = (
            max(1, limit // len(texts))
            if limit
            else min(MOST, max(FEWEST, math.ceil(len(texts[path]) / ONE_IN)), max(share, 1))
        )
        chosen = _choose(texts[path], bags[path], seen_in, len(texts), wanted, set(topic))
        summaries.append(Summary(path, tuple(chosen), shapes))
    return summaries


def _shapes(document: Document, found: Sequence[Passage], *, headers: bool) -> Iterator[Shape]:
    """A sheet without a header has none here either."""
    if document.kind == "csv":
        yield Shape(found[0] if found and headers else None, max(0, len(found) - 1))
    for sheet in document.sheets:
        rows = (passage for passage in found if passage.heading == sheet.name)
        header = next((passage for passage in rows if passage.kind == "header"), None)
        ends = (sheet.rows[0].address(0), sheet.rows[-1].address(0)) if sheet.rows else None
        yield Shape(header if headers else None, sheet=sheet.name, ends=ends)


def _quotable(passage: Passage) -> bool:
    """A whole statement; table rows and bare labels say little out of their place."""
    words = len(passage.text.split())
    ends = passage.text.rstrip("\"'”’)*_`]")
    complete = ends.endswith((".", "!", "。", "다", "요", "음", "함", "됨", "임")) or passage.kind == "item"
    return (
        passage.kind in ("sentence", "item")
        and words >= 3
        and complete
        and len(passage.text) <= LONGEST
        and not ends.endswith(":")
    )


def _choose(
    found: list[Passage], bags: list[Counter[str]], seen_in: Counter[str], documents: int, wanted: int, topic: set[str]
) -> list[Passage]:
    """The best passages one by one, each marked down for what the chosen ones say already."""
    tf = Counter(word for bag in bags for word in bag)
    weight = {
        word: math.log(1 + times) * (1 + math.log((1 + documents) / (1 + seen_in[word]))) for word, times in tf.items()
    }
    scores = [_score(passage, bag, weight, topic) for passage, bag in zip(found, bags, strict=True)]
    left = [at for at, score in enumerate(scores) if score > 0]
    chosen: list[int] = []
    sections: Counter[str] = Counter()
    covered: set[str] = set()
    while left and len(chosen) < wanted:
        worth = {at: _worth(scores[at], bags[at], covered, sections[found[at].heading]) for at in left}
        best = max(left, key=worth.__getitem__)
        left.remove(best)
        chosen.append(best)
        sections[found[best].heading] += 1
        covered |= bags[best].keys()
    return [found[at] for at in sorted(chosen)]


def _worth(score: float, bag: Counter[str], covered: set[str], from_section: int) -> float:
    known = len(bag.keys() & covered) / len(bag) if bag else 1.0
    return score * (1 - 0.6 * known) / (1 + 0.5 * from_section)


def _score(passage: Passage, bag: Counter[str], weight: dict[str, float], topic: set[str]) -> float:
    if topic and not topic & {*bag, *stems(passage.heading)}:
        return 0.0
    score = sum(weight[word] for word in bag) / (4 + len(bag))  # a long sentence gains, but less and less
    cue, figure = bool(_CUES.search(passage.text)), bool(_FIGURE.search(passage.text))
    score *= 1.0 + 0.2 * passage.first + 0.5 * cue + 0.1 * figure
    heading = set(stems(passage.heading))
    return score * (1 + 0.5 * len(heading & bag.keys()))
