"""How many tokens a text costs: OpenAI's own tables, shipped with us, and never a download.

tiktoken's loader fetches its tables at first use, and deletes a damaged one to fetch it again. So we read and check the
files ourselves and hand tiktoken the ranks: without a network, or with a damaged file, a count is a safe bound instead.
"""

import hashlib
import re
import threading
from base64 import b64decode
from dataclasses import dataclass
from importlib import resources
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

# An unknown model's tokens, from o200k's. Measured on prose, Python and JSON: Llama 3 needs 1.0 times o200k's tokens,
# Claude 1.0–1.1, Llama 2 and the first Mistral 1.0–1.35. o200k is good at Hangul, and others are not: on Korean they
# need 1.05 (Llama 3), 1.9 (Claude), 2.0 (Mistral) and 2.8 times (Llama 2), which grows with the characters outside
# ASCII. The two figures cover all of these but Llama 2 on Hangul; the API's own counts correct the rest.
_FACTOR = 1.35
_PER_NON_ASCII = 0.5

# tiktoken overflows its stack on a run of a million spaces. 20,000 characters stay far from that.
_CHUNK = 20_000
_LOOK_BACK = 2_000


def byte_bound(text: str) -> int:
    """An upper bound that needs no tables: no byte-level tokenizer spends more than one token on a byte."""
    return len(text.encode("utf-8", "surrogatepass"))


class TokenCounter:
    """Counts one model's tokens. Cheap to make: the tables (0.3–1.2 s) are loaded by `count` or in the background.

    All counters share the tables, from any thread.
    """

    def __init__(self, model: str):
        encoding = _encoding_name(model)
        self._known = encoding is not None
        self._ranks = _RANKS[encoding or "o200k_base"]

    @property
    def exact(self) -> bool:
        """False where counts are a safe estimate: not a model of OpenAI's, or the shipped tables are damaged."""
        return self._known and not self._ranks.unusable

    def count(self, text: str) -> int:
        """Tokens of `text`, loading the tables first if need be; special tokens count as ordinary text.

        Exact for any text with a word or line break every 2,000 characters; a longer run is counted in pieces and then
        lies a token or two per 20,000 characters above.
        """
        encoding = self._ranks.load()
        if encoding is None:
            return byte_bound(text)
        chunks, torn = _split(text)
        tokens = sum(len(encoding.encode_ordinary(chunk)) for chunk in chunks) + torn
        if self._known:
            return min(tokens, byte_bound(text)) if torn else tokens
        non_ascii = len(text) - len(text.encode("ascii", "ignore"))
        return min(ceil(_FACTOR * tokens + _PER_NON_ASCII * non_ascii), byte_bound(text))

    def load_in_background(self) -> None:
        """Start loading the tables on a daemon thread, once however often it is called."""
        self._ranks.load_in_background()

    def ready(self) -> bool:
        """True once `count` has nothing left to load."""
        return self._ranks.done.is_set()

    def bound(self, text: str) -> int:
        """The count if the tables are there, else the byte bound, at once: never below `count`."""
        return self.count(text) if self.ready() else byte_bound(text)


@dataclass(frozen=True)
class Table:
    """An encoding as tiktoken defines it: the digest of its rank file and how text is split before merging."""

    sha256: str
    pattern: str


TABLES = {
    "o200k_base": Table(
        sha256="446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        pattern="|".join(
            [
                r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                r"\p{N}{1,3}",
                r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
                r"\s*[\r\n]+",
                r"\s+(?!\S)",
                r"\s+",
            ]
        ),
    ),
    "cl100k_base": Table(
        sha256="223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        pattern="|".join(
            [
                r"'(?i:[sdmt]|ll|ve|re)",
                r"[^\r\n\p{L}\p{N}]?+\p{L}++",
                r"\p{N}{1,3}+",
                r" ?[^\s\p{L}\p{N}]++[\r\n]*+",
                r"\s++$",
                r"\s*[\r\n]",
                r"\s+(?!\S)",
                r"\s",
            ]
        ),
    ),
}

# tiktoken's own assignment of chat models; kept here because importing it costs 25 ms at start-up.
_MODELS = {
    "o1": "o200k_base",
    "o3": "o200k_base",
    "o4-mini": "o200k_base",
    "gpt-4.1": "o200k_base",
    "gpt-4o": "o200k_base",
    "gpt-4": "cl100k_base",
    "gpt-3.5": "cl100k_base",
    "gpt-3.5-turbo": "cl100k_base",
    "gpt-35-turbo": "cl100k_base",
}
_PREFIXES = {
    "o1-": "o200k_base",
    "o3-": "o200k_base",
    "o4-mini-": "o200k_base",
    "gpt-5": "o200k_base",
    "gpt-4.5-": "o200k_base",
    "gpt-4.1-": "o200k_base",
    "chatgpt-4o-": "o200k_base",
    "gpt-4o-": "o200k_base",
    "gpt-4-": "cl100k_base",
    "gpt-3.5-turbo-": "cl100k_base",
    "gpt-35-turbo-": "cl100k_base",
    "gpt-oss-": "o200k_base",  # its o200k_harmony differs in special tokens only
    "ft:gpt-4o": "o200k_base",
    "ft:gpt-4": "cl100k_base",
    "ft:gpt-3.5-turbo": "cl100k_base",
}


def _encoding_name(model: str) -> str | None:
    model = model.removeprefix("openai/")  # as routers call OpenAI's models
    return _MODELS.get(model) or next((name for prefix, name in _PREFIXES.items() if model.startswith(prefix)), None)


class _Ranks:
    """One encoding's tables, loaded once per process by whoever needs them first."""

    def __init__(self, name: str):
        self._name = name
        self._loading = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._encoding: Encoding | None = None
        self.done = threading.Event()

    @property
    def unusable(self) -> bool:
        return self.done.is_set() and self._encoding is None

    def load(self) -> "Encoding | None":
        """None if the shipped file is missing or damaged; it is left as it is."""
        with self._loading:
            if not self.done.is_set():
                self._encoding = _read(self._name)
                self.done.set()
        return self._encoding

    def load_in_background(self) -> None:
        with self._starting:
            if self._thread is None and not self.done.is_set():
                self._thread = threading.Thread(target=self.load, name=f"load {self._name}", daemon=True)
                self._thread.start()


_RANKS = {name: _Ranks(name) for name in TABLES}


def _read(name: str) -> "Encoding | None":
    table = TABLES[name]
    try:
        content = resources.files("autoagent.models").joinpath("ranks", f"{name}.tiktoken").read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest() != table.sha256:
        return None

    from tiktoken import Encoding

    lines = (line.split() for line in content.splitlines())
    ranks = {b64decode(token): int(rank) for token, rank in lines}
    return Encoding(name, pat_str=table.pattern, mergeable_ranks=ranks, special_tokens={})


# Where both patterns always end a piece, so that the counts of both sides add up exactly: before a single space between
# two words, and after a line break that text follows ("/" may belong to the break).
_SAFE_CUT = re.compile(r"(?<=\S)(?= \S)|(?<=\n)(?=[^\s/])")


def _split(text: str) -> tuple[list[str], int]:
    """Chunks that tiktoken can take, and how many of the cuts tore a run apart: each may hide one token."""
    chunks: list[str] = []
    torn = start = 0
    while len(text) - start > _CHUNK:
        limit = start + _CHUNK
        cuts = [cut.end() for cut in _SAFE_CUT.finditer(text, limit - _LOOK_BACK, limit)]
        end = cuts[-1] if cuts else limit
        torn += not cuts
        chunks.append(text[start:end])
        start = end
    return [*chunks, text[start:]], torn
