"""What one run can remember: all that it has read, indexed when it is first asked for, and facts kept for ever."""

import contextlib
import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autoagent.env import Memory, Recalled
from autoagent.errors import CommandError, JournalCorrupt, JournalError
from autoagent.journal import Journal, artifact
from autoagent.recall.index import add, make_index, search
from autoagent.recall.pieces import Piece, pieces
from autoagent.recall.store import Store
from autoagent.recall.words import Query, query_of
from autoagent.state import Observation

MOST_CHARS, MOST_TAGS, TAG_CHARS = 2_000, 12, 60
NAME_CHARS = 80  # of a path, an address or a question
LEAST = 0.3  # of the best score
ABOVE_WEIGHS = 0.6  # what a piece is of, and its heading, beside its own words
_NUMBERED = re.compile(r"(\d+)\t(.*)")
_REPEATED = ("recall", "remember", "read_observation")  # what they show was read before, or is the model's own


@dataclass(frozen=True)
class _Kept:
    """A piece of an observation, as it is indexed. `lines` are the numbers that its lines have for a reader."""

    observation: str
    of: str
    piece: Piece
    lines: Sequence[int]
    outside: bool

    def best_line(self, query: Query) -> int:
        """The number of the line that answers best, the first of several."""
        covered = [query.covered(line) for line in self.piece.text.split("\n")]
        return self.lines[covered.index(max(covered))]


class RunMemories:
    """Searches everything that the run behind `journal` read, also what was compacted away, and the store.

    Nothing is indexed until `recall` is called, and then only what is new. Of a passage that was read several times
    the newest counts.
    """

    def __init__(self, journal: Journal, store: Store, workspace: str):
        self._journal, self._store, self._workspace = journal, store, workspace
        self._lock = threading.Lock()  # reading commands of one thought run side by side
        self._index: sqlite3.Connection | None = None
        self._known: set[str] = set()
        self._kept: list[_Kept] = []
        self._newest: dict[tuple[str, str], int] = {}  # by what it is of and says

    @property
    def indexed(self) -> int:
        """How many passages have been looked through by now."""
        return len(self._kept)

    def recall(self, query: str, limit: int) -> tuple[Recalled, ...]:
        """The best of both, in turn where both hold something: their scores can't be compared."""
        with self._lock:
            read = self._search_run(query, limit)
        facts = self._search_store(query, limit)
        return tuple(_in_turn(read, facts))[:limit]

    def remember(self, text: str, tags: Sequence[str], source: str, *, everywhere: bool) -> Memory:
        """Raises CommandError for what is no fact, or where it can't be kept."""
        state, mask = self._journal.state, self._journal.mask
        text = _plain(mask(text))
        if not text:
            raise CommandError("The text is empty. Say the fact in a sentence.")
        if len(text) > MOST_CHARS:
            raise CommandError(f"A fact has at most {MOST_CHARS:,} characters. Keep what matters of it.")
        labels = tuple(dict.fromkeys(label for tag in tags if (label := _plain(mask(tag))[:TAG_CHARS])))[:MOST_TAGS]
        call = state.pending.calls[0].id if state.pending else f"{state.step}.0"
        where = self._source_in_words(_plain(mask(source))) or f"step {state.step}"
        workspace = "" if everywhere else self._workspace
        fact = Memory("", text, labels, "", state.run_id, where[:MOST_CHARS], workspace, bool(state.outside))
        try:
            return self._store.keep(fact, f"{state.run_id}:{state.nonce}:{call}")  # ids of runs are given again
        except JournalError as error:
            raise CommandError(f"It can't be kept for later runs: {error}") from None

    def close(self) -> None:
        with self._lock:
            if self._index:
                self._index.close()
            self._index = None

    def _search_run(self, query: str, limit: int) -> list[Recalled]:
        index = self._up_to_date()

        def is_newest(row: int) -> bool:
            kept = self._kept[row]
            return self._newest[kept.of, kept.piece.text] == row

        asked = query_of(query)
        ranked = search(index, asked, is_newest, tags_weigh=ABOVE_WEIGHS)
        best = [self._kept[one.row] for one in ranked[:limit] if one.score >= LEAST * ranked[0].score]
        named = [(kept, f"{kept.of}, line {kept.best_line(asked)}") for kept in best]
        return [Recalled(kept.observation, name, _shown(kept), kept.outside) for kept, name in named]

    def _search_store(self, query: str, limit: int) -> list[Recalled]:
        with contextlib.suppress(JournalError):  # what the run read is worth having without it
            found = self._store.search(query, limit, self._workspace)
            best = [one.memory for one in found if one.score >= LEAST * found[0].score]
            return [Recalled(fact.id, kept_words(fact), fact.text, fact.outside) for fact in best]
        return []

    def _up_to_date(self) -> sqlite3.Connection:
        if self._index is None:
            self._index = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
            make_index(self._index)
            self._known, self._kept, self._newest = set(), [], {}
        for observation in self._unknown():
            self._known.add(observation.id)
            of = _what_it_is_of(observation)
            text, numbers = _without_numbers(observation, self._whole(observation))
            for piece in pieces(text):
                row, size = len(self._kept), piece.text.count("\n") + 1
                lines = range(piece.line, piece.line + size)
                own = [numbers[line - 1] for line in lines] if numbers else lines
                self._kept.append(_Kept(observation.id, of, piece, own, observation.outside))
                self._newest[of, piece.text] = row
                add(self._index, row, piece.text, f"{_place(observation)}\n{piece.above}")
        return self._index

    def _unknown(self) -> Iterator[Observation]:
        for observation in self._observations():
            if observation.id not in self._known and _was_read(observation):
                yield observation

    def _observations(self) -> Iterator[Observation]:
        state = self._journal.state
        current = (state.pending.step,) if state.pending else ()
        for step in (*state.steps, *current):
            yield from step.observations

    def _source_in_words(self, source: str) -> str:
        """An id of this run says nothing to a later one: it is named with what it is of."""
        found = (one for one in self._observations() if one.id == source)
        return next((f"{source} {_what_it_is_of(one)}" for one in found), source)

    def _whole(self, observation: Observation) -> str:
        if observation.artifact:
            with contextlib.suppress(JournalCorrupt):  # what was shown of it still stands
                return artifact(self._journal.folder, observation.artifact)
        return observation.text


def kept_words(fact: Memory) -> str:
    """Where a kept fact is from, in words."""
    words = f"kept {fact.at[:10]} by run {fact.run}, {fact.source}"
    return f"{words}, from outside text" if fact.outside else words


def _was_read(observation: Observation) -> bool:
    """What a person said, and what a command showed; no words of ours, and none of the model's own."""
    if observation.call is None:
        return observation.id.startswith("p")
    return observation.outcome in ("ok", "failed") and not observation.wrote and observation.call.name not in _REPEATED


def _without_numbers(observation: Observation, text: str) -> tuple[str, list[int]]:
    """What read_file showed without its first line and the numbers before each other, and what those were."""
    if observation.call is None or observation.call.name != "read_file":
        return text, []
    lines = [_NUMBERED.match(line) for line in text.split("\n")[1:]]
    shown = [(int(found[1]), found[2]) for found in lines if found]
    return "\n".join(line for _, line in shown), [number for number, _ in shown]


def _what_it_is_of(observation: Observation) -> str:
    if observation.call is None:
        return "message from the person"
    given = [value for value in observation.call.args.values() if isinstance(value, str) and value]
    main = _place(observation) or next(iter(given), "")
    return " ".join([observation.call.name, *main[:NAME_CHARS].split()])


def _place(observation: Observation) -> str:
    """The path or address of what was read: names that are not the model's own words."""
    args = observation.call.args if observation.call else {}
    named = [args.get(name) for name in ("path", "url", "source")]
    paths = args.get("paths")
    return ", ".join(str(name) for name in (*named, *(paths if isinstance(paths, list) else ())) if name)


def _shown(kept: _Kept) -> str:
    above = kept.piece.above
    return f"{above}\n{kept.piece.text}" if above else kept.piece.text


def _in_turn(first: Sequence[Recalled], second: Sequence[Recalled]) -> Iterator[Recalled]:
    for at in range(max(len(first), len(second))):
        yield from first[at : at + 1]
        yield from second[at : at + 1]


def _plain(text: str) -> str:
    """One line without control characters and halves of surrogate pairs: it is shown in prompts and on screens."""
    text = text.encode("utf-8", "replace").decode()
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())
