"""Which files a task is about: its words matched with what the workspace holds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from autoagent.models.offline.documents import TABLE_SUFFIXES
from autoagent.models.offline.goals import CountFiles, Summarise, Task
from autoagent.models.offline.paths import REPORT, Scope
from autoagent.models.offline.progress import Listing, Progress
from autoagent.models.offline.words import (
    SAID_OF_A_REPORT,
    SAID_OF_A_SUMMARY,
    is_stop,
    particle_variants,
    stem,
    tokens,
    vocabulary,
)

PROSE = (
    vocabulary(
        ".md .markdown .txt .text .rst .org .adoc .pdf .docx .docm .dotx .doc .hwp .hwpx .odt .rtf .pptx .ppt .odp",
        ".html .htm .xhtml .eml .epub",
    )
    | {*TABLE_SUFFIXES}
    | {""}
)
NO_TEXT = vocabulary(
    ".png .jpg .jpeg .gif .webp .bmp .ico .svgz .zip .gz .tgz .bz2 .xz .7z .rar .tar .exe .dll .so .dylib .o .a .pyc",
    ".class .jar .whl .mp3 .mp4 .wav .ogg .avi .mov .mkv .ttf .otf .woff .woff2 .sqlite .db .bin .dat .parquet .npy",
    ".pkl .pem .key",
)
MAX_FILES = 700  # 20 a reply, and a run has 50 steps unless told otherwise
MAX_BYTES = 6_000_000  # what the window holds, in the encoding that takes most
GLOBS = (
    "*.md", "*.markdown", "*.txt", "*.rst", "*.csv", "*.tsv", "*.log", "*.pdf", "*.docx", "*.json", "*.html",
    "*.xlsx", "*.xls", "*.ods", "*.eml", "*.htm",
)  # fmt: skip
_TEXT_SHARE = {".pdf": 0.3, ".docx": 0.5, ".eml": 0.5, ".html": 0.7, ".htm": 0.7, ".xlsx": 3, ".xlsm": 3, ".ods": 4}


@dataclass(frozen=True)
class Sources:
    """`unread`: files that are passed over, and why; `missing`: a path that is not there; `empty`: a folder."""

    paths: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    too_much: tuple[str, ...] = ()
    missing: str = ""
    empty: str = ""
    named: frozenset[str] = frozenset()  # the goal's words that the files were found by
    explicit: frozenset[str] = frozenset()  # the files that the goal names one by one
    folder: str = ""  # the one whose files these all are, "." for the workspace; "" where there is none


def text_bytes(path: str, size: int) -> int:
    """About how much text a file of `size` bytes holds: a workbook is packed, a PDF is fonts and pictures too.

    A text of more than a window would be read in part only, whatever is said here.
    """
    suffix = re.search(r"\.\w+$", path.casefold())
    return int(size * _TEXT_SHARE.get(suffix[0] if suffix else "", 1))


def workspace(progress: Progress) -> Listing:
    """Everything that was listed, as one."""
    whole = Listing()
    for listing in progress.listings.values():
        whole.sizes |= listing.sizes
        whole.folders |= listing.folders
        whole.links |= listing.links
        whole.cut |= listing.cut
    for path in whole.sizes:
        parts = path.split("/")[:-1]
        whole.folders.update("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
    return whole


def sources_of(task: Task, listing: Listing) -> Sources:
    """The files of one task, in the listing's order, as many as one run can read."""
    chosen: dict[str, bool] = {}  # path: whether it was named itself
    named: set[str] = set()
    for path in task.scope.paths:
        files, explicit = _at(path, listing)
        if not files and _folder(path, listing) is None:
            return Sources(missing=path)
        chosen |= dict.fromkeys(files, explicit)
    if task.scope.paths and not chosen and not isinstance(task.deed, CountFiles):
        return Sources(empty=task.scope.paths[0].rstrip("/"))
    if not task.scope.paths:
        chosen, named = _by_words(task.scope, listing)
    whole = not task.scope.paths and not chosen and (not task.scope.addresses or task.scope.everything)
    unknown = [word for word in task.scope.words if not is_stop(word)]
    if whole and unknown and isinstance(task.deed, Summarise) and not task.scope.everything:
        return Sources(missing=" ".join(unknown))
    if whole:
        chosen = dict.fromkeys(listing.sizes, False)
    if isinstance(task.deed, CountFiles):
        paths = tuple(path for path in chosen if not _hidden(path))
        return Sources(paths, named=frozenset(named), folder=_folder_of(paths, listing))
    return _readable(task, {path: explicit for path, explicit in chosen.items() if path != task.output}, listing, named)


def _readable(task: Task, chosen: dict[str, bool], listing: Listing, named: set[str]) -> Sources:
    paths: list[str] = []
    unread: list[tuple[str, str]] = [(path, "a link") for path in chosen if path in listing.links]
    too_much: list[str] = []
    size = 0
    for path, explicit in chosen.items():
        suffix = re.search(r"\.\w+$|$", path.rpartition("/")[2].casefold())
        kind = suffix[0] if suffix else ""
        if path in listing.links or (_hidden(path) and not explicit):
            continue
        if kind in NO_TEXT and not explicit:
            unread.append((path, "not text"))
        elif isinstance(task.deed, Summarise) and kind not in PROSE and not explicit:
            unread.append((path, "not a document"))
        elif len(paths) >= MAX_FILES or (size and size + text_bytes(path, listing.sizes.get(path, 0)) > MAX_BYTES):
            too_much.append(path)
        else:
            paths.append(path)
            size += text_bytes(path, listing.sizes.get(path, 0))
    explicit = frozenset(path for path in paths if chosen[path])
    return Sources(tuple(paths), tuple(unread), tuple(too_much), named=frozenset(named), explicit=explicit)


def _hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _plain(path: str) -> str:
    return re.sub(r"^(?:\./)+", "", path).rstrip("/")


def _folder(path: str, listing: Listing) -> str | None:
    """The listed folder that the path means; "" is the workspace itself."""
    for variant in particle_variants(path.rstrip("/")):
        plain = _plain(variant)
        if plain in ("", "."):
            return ""
        for folder in listing.folders:
            if folder.casefold() == plain.casefold():
                return folder
    return None


def _at(path: str, listing: Listing) -> tuple[list[str], bool]:
    """The files at a path, and whether it is the path of a file; a bare name may stand in any folder."""
    known = [*listing.sizes, *listing.links]
    for variant in particle_variants(_plain(path)):
        exact = [file for file in known if file == variant]
        alike = [file for file in known if file.casefold() == variant.casefold()]
        below = [file for file in known if file.casefold().endswith(f"/{variant.casefold()}")]
        if files := exact or alike or ([] if "/" in variant else below):
            return files, True
    folder = _folder(path, listing)
    if folder is None:
        return [], False
    return [file for file in known if not folder or file.startswith(f"{folder}/")], False


def _by_words(scope: Scope, listing: Listing) -> tuple[dict[str, bool], set[str]]:
    """Files in folders that a word names; else files whose names the words name in full."""
    chosen: dict[str, bool] = {}
    named: set[str] = set()
    words = [word for word in scope.words if not (scope.addresses and _about_the_report(word))]
    for word in words:
        for folder in _folders_named(word, listing):
            chosen |= {path: False for path in listing.sizes if path.startswith(f"{folder}/")}
            named.add(word)
    if chosen:
        return chosen, named
    stems = {stem(word): word for word in words}
    for path in listing.sizes:
        base = re.sub(r"\.\w+$", "", path.rpartition("/")[2])
        parts = {stem(word) for word in tokens(base) if not word.isdigit()}
        if parts and parts <= stems.keys() and not _hidden(path) and path != REPORT:
            chosen[path] = True
            named |= {stems[part] for part in parts}
    return chosen, named


def _folder_of(paths: Sequence[str], listing: Listing) -> str:
    """The folder that holds exactly these of all files that are not hidden; "" where there is none."""
    folders = [path.rpartition("/")[0].split("/") for path in paths]
    common = "/".join(part[0] for part in takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False)))
    files = [path for path in listing.sizes if not _hidden(path)]
    if set(files) == set(paths):
        return "."
    return common if {path for path in files if path.startswith(f"{common}/")} == set(paths) else ""


def _folders_named(word: str, listing: Listing) -> list[str]:
    """Folders of that name. One at the top of the workspace is the one that is meant, whatever stands deeper down."""
    names = {variant.casefold() for variant in particle_variants(word)}
    found = [folder for folder in sorted(listing.folders) if folder.rpartition("/")[2].casefold() in names]
    return [folder for folder in found if "/" not in folder] or found


def _about_the_report(word: str) -> bool:
    return word.casefold() in SAID_OF_A_SUMMARY or bool(SAID_OF_A_REPORT.match(word))
