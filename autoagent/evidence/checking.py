"""A claim looked up: its quote in what its source names, else everywhere; its figures in whatever was read."""

import re
from collections.abc import Iterator, Sequence

from autoagent.claims import CheckedClaim, Claim
from autoagent.evidence import quotes
from autoagent.evidence.facts import facts
from autoagent.evidence.index import Index, plain_address, plain_path
from autoagent.evidence.own_words import words_of
from autoagent.evidence.reads import Reads, Source

NO_QUOTE = "It has no quote"
TOO_SHORT = "Its quote is too short to show anything: quote a whole clause, or a whole cell of a table"
SHORT_ELSEWHERE = "Its quote is too short but for a whole cell or line, and is none in what its source names"
NOT_READ = "Its quote stands in nothing that was read"
OWN_WORDS = "Its quote is your own text, which shows nothing: quote what you read, or let a program compute it"
KEPT = "Its quote is a kept fact, which shows nothing by itself: read again what it is from, and quote that"
UNSEARCHED = "Its quote was not found in the time there is: quote one whole clause that stands in few places"
_LISTS = ("web_search", "search_files", "read_many")  # what they show is of several sources, each named
_RUNS = ("run_shell", "run_python")  # whose command names what it reads
_MOST_OWN = 2 / 3  # of the words of a quote, where none of its figures is the claim's
_ID = re.compile(r"^[\[(]*\s?(?:(?:observations?|obs\.?)\s?)?#?(\d+\.\d+|p\d+|m\d+)\s?[\])]*$", re.IGNORECASE)
_FILE = re.compile(r"^(?P<path>.+?)(?::(?P<line>\d+)(?:[-–]\d+)?|#p(?P<page>\d+)|#(?P<cell>[^#]+))?$")
_RECALLED = re.compile(r"^(\d+\.\d+|p\d+) \(", re.MULTILINE)
_PAGE = re.compile(r"\[(?:page|slide) (\d+)[^\]\n]*\]")


def check(claim: Claim, reads: Reads, index: Index) -> CheckedClaim:
    """Whether the quote stands in what was read, where, and whether its figures do."""
    if not claim.quote.strip():
        return _without(claim, NO_QUOTE)
    named = _named(claim.source, reads)
    others = [source for source in reads.sources if source not in named]
    own, short, work = "", False, index.share()
    few = quotes.too_short(claim.quote)
    in_head: tuple[Source, quotes.Place] | None = None
    for source, place in index.places(claim.quote, work, named if few else [*named, *others]):
        if few and not quotes.is_whole_cell(place, source.text, commas=_has_commas(source)):
            short = True
        elif not (work.spend(source.weight(place.start, place.end)) and shows(source, place, claim.text)):
            own = KEPT if source.command == "recall" else OWN_WORDS
        elif place.start < source.head_end:  # what a loader says of a file; its own line is the better place
            in_head = in_head or (source, place)
        else:
            return _found(claim, source, place, named, index)
    if in_head:
        return _found(claim, *in_head, named, index)
    if work.is_spent:
        return _without(claim, UNSEARCHED)
    if own or short:
        return _without(claim, own or TOO_SHORT)
    return _without(claim, SHORT_ELSEWHERE if few and named else TOO_SHORT if few else _not_read(claim, named, reads))


def _without(claim: Claim, problem: str) -> CheckedClaim:
    return CheckedClaim(text=claim.text, source=claim.source, quote=claim.quote, found=False, problem=problem)


def _not_read(claim: Claim, named: Sequence[Source], reads: Reads) -> str:
    if (found := _ID.match(claim.source.strip())) and found[1] in reads.acts:
        return f"{found[1]} says what a command did, which shows nothing: quote what you read, or claim nothing of it"
    if named:
        return f"{NOT_READ}, and not in {claim.source}"
    return f"{NOT_READ}, and {f'{claim.source} was not read' if claim.source else 'no source is named'}"


def _found(claim: Claim, source: Source, place: quotes.Place, named: Sequence[Source], index: Index) -> CheckedClaim:
    where = place_of(source, place.start)
    right = source in named and _is_where(claim.source, source, where)
    problem = _wrong_line(claim.source, source, place) if right else ""
    if not right:
        problem = f"It stands in {where}, not in {claim.source or 'a source that is named'}"
    figures = [fact for fact in facts(claim.text) if fact.kind in ("number", "date")]
    missing = dict.fromkeys(fact.text for fact in figures if not index.supports(fact))
    if missing:
        problem = f"{', '.join(missing)} stands neither in its quote nor in anything that was read"
    return CheckedClaim(
        text=claim.text,
        source=claim.source if right else where,
        quote=claim.quote,
        found=not missing,
        observation=source.id,
        start=place.start,
        end=place.end,
        problem=problem,
    )


def _is_where(given: str, source: Source, where: str) -> bool:
    """Of an observation of several files or pages: whether the place is in the one that is named."""
    if source.command not in _LISTS or _ID.match(given.strip()) or where == source.id:
        return True
    if "://" in where:
        return plain_address(where) == plain_address(given)
    named, known = _FILE.match(given.strip()), _FILE.match(where)
    return named is not None and known is not None and _is_path(known["path"], plain_path(named["path"]))


def shows(source: Source, place: quotes.Place, claim: str) -> bool:
    """Whether a quote's place holds more than the model's own words.

    No line of it may be the model's alone; and of all its words two thirds at most are, unless a figure of the claim
    is not.
    """
    if not source.regions:
        return True
    text, flags = source.text, source.flags(place.start, place.end)
    if all(own for _, own in flags):
        return False
    lines: dict[int, list[bool]] = {}
    for at, own in flags:
        lines.setdefault(text.rfind("\n", 0, at), []).append(own)
    if any(len(owns) > 1 and all(owns) for owns in lines.values()):
        return False
    if sum(own for _, own in flags) <= _MOST_OWN * len(flags):
        return True
    read = words_of(_figure(text, at) for at, own in flags if not own and text[at].isdecimal())
    return not read.isdisjoint(words_of([claim]))


def _has_commas(source: Source) -> bool:
    return source.command == "read_file" and source.of.lower().endswith(".csv")


def _figure(text: str, at: int) -> str:
    found = re.compile(r"\d+(?:[.,]\d+)*").match(text, at)
    return found[0] if found else ""


# -- sources -----------------------------------------------------------------------------------------------------------


def _named(given: str, reads: Reads) -> list[Source]:
    """What a claim's source names, the likeliest first: by id, by address, by file."""
    given = given.strip().strip("`<>\"'")
    if found := _ID.match(given):
        source, kept = reads.source(found[1]), f"{found[1]} ("  # as recall names a kept fact
        if source:
            return [source, *_recalled(source, reads)]
        return [one for one in reads.sources if one.command == "recall" and kept in one.text]
    if "://" in given or given.lower().startswith("www."):
        return _of_address(given, reads)
    named = _FILE.match(given)
    if not given or named is None:
        return []
    of_file = _of_file(named["path"], reads)
    return of_file or _of_file(given, reads)


def _recalled(source: Source, reads: Reads) -> list[Source]:
    """What `recall` showed passages of."""
    ids = _RECALLED.findall(source.text) if source.command == "recall" else ()
    return [one for one in map(reads.source, dict.fromkeys(ids)) if one]


def _of_address(given: str, reads: Reads) -> list[Source]:
    wanted = plain_address(given)
    pages = [source for source in reads.sources if source.command not in ("person", "read_file")]
    of_it = [source for source in pages if plain_address(source.of) == wanted]
    led_there = [source for source in pages if source.command == "browse" and _led_to(source, wanted)]
    lists = [source for source in pages if source.command in _LISTS and wanted in source.text]
    runs = [source for source in pages if source.command in _RUNS and wanted in source.of]
    holds = [*lists, *runs]
    return list(dict.fromkeys([*of_it, *led_there, *holds]))


def _led_to(source: Source, wanted: str) -> bool:
    """By its first line, which is the address that answered in the end."""
    return plain_address(source.text.partition("\n")[0]) == wanted


def _of_file(path: str, reads: Reads) -> list[Source]:
    wanted = plain_path(path)
    of_it = [source for source in reads.sources if source.command == "read_file" and _is_path(source.of, wanted)]
    lists = [source for source in reads.sources if source.command in _LISTS and path in source.text]
    runs = [source for source in reads.sources if source.command in _RUNS and path in source.of]
    return [*of_it, *lists, *runs]


def _is_path(of: str, wanted: str) -> bool:
    known = plain_path(of)
    return known == wanted or known.endswith(f"/{wanted}") or wanted.endswith(f"/{known}")


def place_of(source: Source, at: int) -> str:
    """A source as a claim names it: file:LINE, file#pN, an address, else the observation's id."""
    if source.command == "browse" and "://" in source.of:
        return source.of
    if source.command not in ("read_file", "read_many", "search_files", "web_search"):
        return source.id
    of, line = source.part(at)
    if page := _page(source, at) if source.command == "read_file" else 0:
        return f"{of}#p{page}"
    return f"{of}:{line}" if line else of or source.id


def _page(source: Source, at: int) -> int:
    pages = list(_PAGE.finditer(source.text, 0, at))
    return int(pages[-1][1]) if pages else 0


def _wrong_line(given: str, source: Source, place: quotes.Place) -> str:
    """In words, where a claim names a line or page of a file and the quote stands in another."""
    named = _FILE.match(given.strip())
    if source.command != "read_file" or named is None:
        return ""
    if named["line"]:
        first, last = source.part(place.start)[1], source.part(place.end - 1)[1]
        if first and not first - 1 <= int(named["line"]) <= last + 1:
            return f"It stands in line {first}, not in line {named['line']}"
    if named["page"] and (page := _page(source, place.start)) and page != int(named["page"]):
        ends = _page(source, place.end)
        return "" if ends == int(named["page"]) else f"It stands on page {page}, not on page {named['page']}"
    return ""


def lines_around(text: str, start: int, end: int, lines: int) -> Iterator[tuple[int, int]]:
    """The lines that a place touches, and some before and behind it, each by its bounds."""
    first = text.rfind("\n", 0, start) + 1
    for _ in range(lines):
        first = text.rfind("\n", 0, max(0, first - 1)) + 1 if first else 0
    last = end
    for _ in range(lines + 1):
        after = text.find("\n", last)
        if after < 0:
            last = len(text)
            break
        last = after + 1
    while first < last:
        stop = text.find("\n", first, last)
        stop = last if stop < 0 else stop
        yield first, stop
        first = stop + 1
