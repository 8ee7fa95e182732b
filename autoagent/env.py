"""What a command may touch: commands take an Env instead of reaching for globals."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal, Protocol

from autoagent.programs import Programs

if TYPE_CHECKING:  # the child that reads documents imports this module, and should not pay for pydantic
    from autoagent.claims import Claim


@dataclass(frozen=True)
class Entry:
    """One name in the workspace; `size` in bytes, `kind` is "file", "folder", "link" or "special"."""

    path: str
    kind: str
    size: int


class Files(Protocol):
    """The workspace. Paths are relative to its root, or absolute inside it; "." is the root, "~" is just a name.

    Every method raises SandboxError for a path that leads out of the workspace, is no regular file or
    cannot be used, with a message that names the path as it was given and never a host path.
    Links are followed where they stay inside; what is there may change between two calls.
    """

    def real_name(self, path: str) -> str:
        """Relative POSIX name after links inside the workspace are followed; the file need not exist.

        The case is as given: compare without it. Decide on this name and then open this name, not the link.
        """
        ...

    def read_bytes(self, path: str, *, limit: int = ...) -> bytes:
        """The whole file. Raises SandboxError where it is longer than `limit` bytes."""
        ...

    def write_bytes(self, path: str, content: bytes, *, expect: str | None = ...) -> None:
        """Replace the file atomically and durably, keeping its mode; folders are made as needed.

        A link to a file inside is written through, a hard link gets a file of its own, a read-only file is refused.
        With `expect` (a fingerprint, or "absent") the file must still be in that state.
        """
        ...

    def new_file(self, path: str) -> AbstractContextManager[BinaryIO]:
        """A file to be written in pieces: it has its name, which must be free, once the block ends without an error.

        Until then, and for ever where it ends with one, nothing is there. Folders are made as needed; no link is
        followed, so give the real name.
        """
        ...

    def fingerprint(self, path: str, *, follow: bool = ...) -> str:
        """SHA-256 of the content in hex, or "absent" where there is no such file.

        Without `follow` a link in the last part is itself meant: "link:" and the SHA-256 of its target.
        """
        ...

    def remove(self, path: str, *, expect: str) -> None:
        """Remove a file, or a link and not what it leads to; it must still have this fingerprint (without `follow`)."""
        ...

    def rename(self, source: str, target: str, *, expect: str) -> None:
        """Move a file, or a link itself, to a name that is free; folders are made as needed.

        It must still have this fingerprint (without `follow`).
        """
        ...

    def is_folder(self, path: str) -> bool:
        """False also where there is nothing."""
        ...

    def make_folder(self, path: str) -> bool:
        """Make a folder, and those above it. False where it is there already."""
        ...

    def remove_folder(self, path: str) -> None:
        """Remove a folder that is empty."""
        ...

    def entries(self, path: str = ..., *, recursive: bool = ...) -> Iterator[Entry]:
        """What a folder holds, by name, each folder before what is in it; read as far as it is iterated.

        Links are named, never followed. Paths are real names with control characters and bytes that are no
        UTF-8 escaped (`\\xff`): such a file is shown but cannot be opened by that name. Folders that cannot be
        read are passed over.
        """
        ...

    def close(self) -> None:
        """Give back what is held open."""
        ...


@dataclass(frozen=True)
class Change:
    """One file as it is to be: what a command that writes returns, so that it can be shown before it happens.

    `content` None: it is to be gone. With `source` that file is moved to `path`, and `moved` is its fingerprint.
    `before` is the fingerprint of what is at `path` now; `summary` what is told to the model afterwards.
    """

    path: str
    before: str
    content: bytes | None
    summary: str
    diff: str
    source: str = ""
    moved: str = ""

    @property
    def after(self) -> str:
        if self.source:
            return self.moved
        return ABSENT if self.content is None else fingerprint(self.content)


@dataclass(frozen=True)
class Excerpt:
    """The part of a long text that matters: what a command returns whose result is more than its share.

    `text` fits the share; `whole` is kept beside it and read with read_observation. `says_more`: the text itself tells
    how to read on. `outside`: it holds text from outside the workspace, though not all results of its command do.
    """

    text: str
    whole: str
    says_more: bool = False
    outside: bool = False


@dataclass(frozen=True)
class Memory:
    """A fact that is kept for later runs. `source` is what it was learned from, "" where nobody said.

    `at` is when, in ISO 8601; `run` learned it, for its `workspace`, or for all where that is "". `outside`: that run
    had read text from outside by then, so these may be anybody's words.
    """

    id: str
    text: str
    tags: tuple[str, ...]
    at: str
    run: str
    source: str
    workspace: str
    outside: bool


@dataclass(frozen=True)
class Recalled:
    """A passage that answers a query. `source` is the id of an observation of this run (3.1) or of a memory (m12).

    `name` says in words what it is of; `outside`: it may be anybody's words.
    """

    source: str
    name: str
    text: str
    outside: bool


class Memories(Protocol):
    """What a run can remember: all that it has read itself, and facts that earlier runs kept."""

    def recall(self, query: str, limit: int) -> tuple[Recalled, ...]:
        """The passages that answer best, of what this run read (also what was compacted away) and of kept facts."""
        ...

    def remember(self, text: str, tags: Sequence[str], source: str, *, everywhere: bool) -> Memory:
        """Keep a fact for later runs, in this workspace or in all. The same call of a run keeps it once."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Completion:
    """The end of a run, returned by the command that ends it."""

    result: str
    files: tuple[str, ...] = ()
    reached: bool = True
    claims: "tuple[Claim, ...]" = ()


@dataclass(frozen=True)
class Fetched:
    """What an address answered with: `url` after redirects, `content` without transfer and content encoding.

    `content_type` is the header as it came, "" where there was none.
    """

    url: str
    content: bytes
    content_type: str


@dataclass(frozen=True)
class Hit:
    """One search result; `snippet` is the search engine's extract.

    `barred`: why this run may not fetch it unasked, in words for the model; "" where it may.
    """

    title: str
    url: str
    snippet: str
    barred: str = ""


@dataclass(frozen=True)
class Found:
    """Results of a search, the best first; `by` names who answered, `notes` say who did not and why."""

    hits: tuple[Hit, ...]
    by: str
    notes: tuple[str, ...] = ()


class Web(Protocol):
    """The world outside, for reading. Every method raises CommandError in words for the model."""

    def fetch(self, url: str, may_redirect: Callable[[str, str], bool] | None = None) -> Fetched:
        """A GET of a public http(s) address, redirects followed, within limits of size and time.

        `may_redirect(url, target)` is asked for each of them; a command need not give it. Raises SandboxError for an
        address that is not this run's to reach.
        """
        ...

    def download(
        self, url: str, to: BinaryIO, limit: int, may_redirect: Callable[[str, str], bool] | None = None
    ) -> Fetched:
        """As `fetch`, but the content, of at most `limit` bytes, is written to `to` as it comes and not returned."""
        ...

    def search(self, query: str, limit: int) -> Found:
        """At most `limit` results. No hits means that a search engine found none; a block raises."""
        ...


ABSENT = "absent"  # the fingerprint of a file that does not exist


def fingerprint(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Env:
    """One call's view of the world.

    `observation(id)` is the whole text of an earlier observation of this run, however long it was, and raises
    CommandError for an unknown id. `last_seen(path)` is the fingerprint of the file when this run last read or
    wrote it, or None; `saw(path, fingerprint)` records one. `share_tokens` is how much of the context window the
    result may take, measured by `count`.
    """

    files: Files
    web: Web
    programs: Programs
    memories: Memories
    observation: Callable[[str], str]
    last_seen: Callable[[str], str | None]
    saw: Callable[[str, str], None]
    share_tokens: int
    count: Callable[[str], int]


MARK_KEY = "autoagentMark"  # in the JSON Schema of a marked parameter, before it is sent


@dataclass(frozen=True)
class Mark:
    """Tells the policy what a parameter is, so that it sees what a call touches."""

    kind: Literal["path", "address", "line"]

    def __get_pydantic_json_schema__(self, shape: Any, handler: Any) -> dict[str, Any]:
        return handler(shape) | {MARK_KEY: self.kind}


WorkspacePath = Annotated[str, Mark("path")]
WebAddress = Annotated[str, Mark("address")]
ShellLine = Annotated[str, Mark("line")]
