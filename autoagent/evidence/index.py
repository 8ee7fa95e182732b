"""Whether a fact stands in something read or computed: numbers and dates by value, all else by its letters.

A figure that is rounded counts where a number that was read rounds to it: one with at least three digits, or two with a
decimal point, a scale word or a per cent sign ("about 12.3" of 12.31, "1.2 million" of 1,234,567). A per cent figure
up to 150 % also counts where the share was computed (0.123 for 12.3 %). 15.600 also counts as 15,600 where that was
read. Signs, units and currencies are not compared.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from functools import cached_property
from itertools import islice
from posixpath import normpath
from unicodedata import normalize
from urllib.parse import unquote

from autoagent.evidence import quotes
from autoagent.evidence.facts import ADDRESS, EMAIL, Fact, without_end
from autoagent.evidence.reads import Reads, Source
from autoagent.evidence.values import NUMBER, Day, Number, dates, number, parts, plain_value, without_points
from autoagent.evidence.work import Work
from autoagent.language import without_particle

_SHORT = re.compile(r"\d{1,2}(?![\d.,]*\d)")
_TRIES = 2_000  # places of one fact that are looked at
_ASKED = 200  # characters that are looked at while a source is asked for a figure
_MOST, _SHARE = 24_000_000, 8  # characters that are looked at in all; of what is left, one part in so many at a time
_ONE_OF = (
    r"second|minute|hour|day|week|month|year|person|kilo\w*|tonne|met(?:er|re)|mile|lit(?:er|re)|euro|dollar|pound"
)
_IN_WORDS = {
    "0": "zero|none|nobody|nil|free|영|없음|없다|없었다|없습니다|무료",
    "1": rf"one|single|(?:an?|per|each|every)(?=\s(?:{_ONE_OF})\b)|hourly|daily|weekly|monthly|yearly|annual(?:ly)?"
    r"|한|하나|하루\w*|매[일주월년시분초]",
    "2": r"two|두|둘|이틀\w*", "3": r"three|세|셋|석|사흘\w*",
    "4": "four|네", "5": "five|다섯", "6": "six|여섯", "7": "seven|일곱", "8": "eight|여덟", "9": "nine|아홉",
    "10": "ten|열", "11": "eleven|열한", "12": "twelve|열두", "15": "fifteen", "20": "twenty|스무|스물",
    "30": "thirty|서른", "40": "forty|마흔", "50": "fifty|쉰", "60": "sixty", "90": "ninety", "100": "hundred",
}  # fmt: skip
_MOST_PERCENT = 150  # that may be given for a share: nobody means 49 by 4,900 %
_LEAST_ROUNDED = 3  # digits of a rounded figure; two where its form says that it is one
_MOST_ROUNDED = 24  # digits, few enough that Decimal reckons exactly with them; a longer figure is rounded from nothing


class Index:
    """What was read, by what can be looked up in it; each part is made when it is first asked for.

    Beyond those parts, which grow with what was read, only so much is looked at; a fact that was not found by then
    counts as one that stands nowhere.
    """

    def __init__(self, reads: Reads, exists: Callable[[str], bool] = lambda _: False):
        self.reads, self.exists = reads, exists
        self._work = Work(_MOST)
        self._at_hand = self.share()
        self._by_own = sorted(reads.sources, key=lambda source: bool(source.regions))  # what is wholly read comes first

    def share(self) -> Work:
        """What may be looked at for one quote or figure."""
        return Work(self._work.left // _SHARE, self._work)

    def supports(self, fact: Fact) -> bool:
        self._at_hand = self.share()
        match fact.kind:
            case "number":
                return self._supports_number(fact) if fact.raw else self._holds_spelling(fact.text)
            case "date":
                return self._supports_date(fact)
            case "address":
                return self._supports_address(fact.text)
            case "e-mail":
                return fact.text.casefold() in self._emails and self._holds_words(fact.text)
            case "file":
                return self.exists(fact.text) or self._is_of(fact.text) or self._holds_words(fact.text)
            case "name":
                return self._holds_words(fact.text)

    # -- words ---------------------------------------------------------------------------------------------------------

    def _holds_spelling(self, text: str) -> bool:
        """Of an hour also with and without a 0 before it."""
        hour, colon, rest = text.partition(":")
        spellings = {text, f"{hour:0>2}:{rest}", f"{hour.lstrip('0') or '0'}:{rest}"} if colon else (text,)
        return any(self._holds_words(spelling) for spelling in spellings)

    def _holds_words(self, text: str) -> bool:
        return any(self._is_read(source, place) for source, place in self.places(text, self._at_hand))

    def places(
        self, text: str, work: Work, sources: "list[Source] | None" = None
    ) -> Iterator[tuple[Source, quotes.Place]]:
        for source in self._by_own if sources is None else sources:
            if work.is_spent:
                return
            for tries, place in enumerate(quotes.places(text, source.folded, work)):
                if tries > _TRIES:
                    break
                yield source, place

    def _is_read(self, source: Source, place: quotes.Place) -> bool:
        """Whether at least one word there is not the model's own, and each figure is not.

        A figure of two digits may be by chance in what the model wrote, where another of the same fact is not: 2026-02.
        """
        if not self._at_hand.spend(source.weight(place.start, place.end)):
            return False
        flags = source.flags(place.start, place.end)
        if not source.regions or not flags:
            return True
        figures = [(at, own) for at, own in flags if source.text[at].isdecimal()]
        by_chance = any(not own for _, own in figures)
        owned = (at for at, own in figures if own and not (by_chance and _SHORT.match(source.text, at)))
        return next(owned, None) is None and not all(own for _, own in flags)

    # -- numbers -------------------------------------------------------------------------------------------------------

    @cached_property
    def _raws(self) -> dict[str, list[Source]]:
        """Each number that stands anywhere, as it is written, and in which sources."""
        raws: dict[str, list[Source]] = defaultdict(list)
        for source in self._by_own:
            for raw in {found[0] for found in NUMBER.finditer(source.bare)}:
                raws[raw].append(source)
        return raws

    @cached_property
    def _numbers(self) -> dict[Decimal, list[str]]:
        """Each value that stands anywhere, as it is written there."""
        values: dict[Decimal, list[str]] = {}
        for raw in self._raws:
            for value in self._values(raw):
                values.setdefault(value, []).append(raw)
        return values

    def _values(self, raw: str) -> Iterable[Decimal]:
        if (value := plain_value(raw)) is not None:
            return (value,)
        read = number(raw)
        found = NUMBER.fullmatch(raw)
        first = found["first"] if found else raw
        values = set(read.values) | set(parts(first))
        return values | set(number(first).values) if read.scaled else values

    @cached_property
    def _sorted(self) -> list[Decimal]:
        return sorted(self._numbers)

    def _supports_number(self, fact: Fact) -> bool:
        told = number(fact.raw)
        if fact.is_line and any(source.shows_line(fact.raw.replace(",", "")) for source in self.reads.sources):
            return True
        if not told.values:
            return self._holds_words(fact.raw)
        if any(self._is_read_value(value) for value in self._candidates(told)):
            return True
        if (value := without_points(fact.raw)) is not None and self._is_read_value(value):
            return True
        if fact.raw in _IN_WORDS and self._holds_number_word(_IN_WORDS[fact.raw]):
            return True
        return told.scaled and told.figures >= _LEAST_ROUNDED and self._supports_mantissa(fact.raw)

    def _holds_number_word(self, words: str) -> bool:
        """Eight people are 8 people."""
        pattern = re.compile(rf"\b(?:{words})\b", re.IGNORECASE)
        return any(
            self._is_read(source, quotes.Place(*found.span()))
            for source in self._by_own
            for found in islice(pattern.finditer(source.bare), _TRIES)
        )

    def _supports_mantissa(self, raw: str) -> bool:
        """1,234.5 million, of a table in millions."""
        found = NUMBER.fullmatch(raw)
        return found is not None and any(self._is_read_value(value) for value in number(found["first"]).values)

    def _candidates(self, told: Number) -> Iterator[Decimal]:
        """Values that were read and that are the number, or round to it."""
        yield from (value for value in told.values if value in self._numbers)
        formed = told.places != 0 or told.percent
        rounds = told.figures >= _LEAST_ROUNDED - formed
        for value in told.values:
            for share in (1, 100) if told.percent and value <= _MOST_PERCENT else (1,):
                if share != 1 and value / share in self._numbers:
                    yield value / share
                if rounds:
                    yield from self._rounding_to(value, told.places, share)

    def _rounding_to(self, value: Decimal, places: int, share: int) -> Iterator[Decimal]:
        if value.adjusted() + places >= _MOST_ROUNDED:
            return
        step = Decimal(1).scaleb(-places)
        low, high = (value - step / 2) / share, (value + step / 2) / share
        at = bisect_left(self._sorted, low)
        while at < len(self._sorted) and self._sorted[at] <= high:
            exact = self._sorted[at] * share
            if any(_rounded(exact, step, how) == value for how in (ROUND_HALF_UP, ROUND_HALF_EVEN)):
                yield self._sorted[at]
            at += 1

    def _is_read_value(self, value: Decimal) -> bool:
        for raw in self._numbers.get(value, ()):
            for source in self._raws[raw]:
                if not source.regions:
                    return True
                if not self._at_hand.spend(_ASKED):
                    return False
                if not source.owns(raw) and any(self._is_read(source, at) for at in _standing(raw, source.bare)):
                    return True
        return False

    # -- dates ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _days(self) -> dict[Day, list[tuple[Source, quotes.Place]]]:
        days: dict[Day, list[tuple[Source, quotes.Place]]] = defaultdict(list)
        for source in self._by_own:
            for dated in dates(source.bare):
                place = quotes.Place(dated.start, dated.end)
                for day in dated.days:
                    for part in {day, Day(0, day.month, day.day), Day(day.year, day.month, 0)}:
                        days[part].append((source, place))
        return days

    def _supports_date(self, fact: Fact) -> bool:
        """By value; a day of a year also where the day and the year were read apart."""
        for day in fact.days:
            if self._is_read_day(day):
                return True
            apart = [place for place in self._days.get(Day(0, day.month, day.day), ()) if self._has_no_year(place)]
            read_apart = day.year and day.day and any(self._is_read(*place) for place in apart)
            if read_apart and self._is_read_value(Decimal(day.year)):
                return True
        return self._holds_as_written(fact.text)

    def _holds_as_written(self, text: str) -> bool:
        """11/3, where nothing around it says that it is a day."""
        if not (found := re.fullmatch(r"0?(\d+)/0?(\d+)", normalize("NFKC", text))):
            return False
        written = re.compile(rf"(?<![\d.,/-])0?{found[1]}/0?{found[2]}(?![\d/])")
        return any(
            self._is_read(source, quotes.Place(*found.span()))
            for source in self._by_own
            for found in islice(written.finditer(source.bare), _TRIES)
        )

    def _is_read_day(self, day: Day) -> bool:
        return any(self._is_read(source, place) for source, place in self._days.get(day, ()))

    def _has_no_year(self, found: tuple[Source, quotes.Place]) -> bool:
        source, place = found
        return all(not day.year for one in dates(source.text[place.start : place.end]) for day in one.days)

    # -- addresses and files -------------------------------------------------------------------------------------------

    @cached_property
    def _addresses(self) -> dict[str, list[tuple[Source, quotes.Place]]]:
        found: dict[str, list[tuple[Source, quotes.Place]]] = defaultdict(list)
        for source in self._by_own:
            for match in ADDRESS.finditer(source.text.replace(":// ", "://")):
                plain = plain_address(without_end(match[0]))
                found[plain].append((source, quotes.Place(*match.span())))
        return found

    def _supports_address(self, address: str) -> bool:
        wanted = {plain_address(address), plain_address(without_particle(address))}
        if any(source.command == "browse" and plain_address(source.of) in wanted for source in self.reads.sources):
            return True
        return any(self._is_read(*place) for one in wanted for place in self._addresses.get(one, ()))

    @cached_property
    def _emails(self) -> frozenset[str]:
        return frozenset(found.casefold() for source in self._by_own for found in EMAIL.findall(source.text))

    def _is_of(self, path: str) -> bool:
        wanted = plain_path(path)
        return any(source.command == "read_file" and plain_path(source.of) == wanted for source in self.reads.sources)


def _standing(raw: str, text: str) -> Iterator[quotes.Place]:
    """Where a number stands as it is written."""
    at, tries = text.find(raw), 0
    while at >= 0 and tries < _TRIES:
        found = NUMBER.match(text, at)
        if found and found[0] == raw:
            yield quotes.Place(at, at + len(raw))
        at, tries = text.find(raw, at + 1), tries + 1


def _rounded(value: Decimal, step: Decimal, how: str) -> Decimal:
    return (value / step).quantize(Decimal(1), rounding=how) * step


def plain_address(address: str) -> str:
    """One spelling of an address: without scheme, fragment, `www.` and final slash, its host in lower case."""
    address = unquote(address.strip().partition("#")[0]).rstrip("/")
    address = address.partition("://")[2] or address
    host, slash, path = address.partition("/")
    return host.lower().removeprefix("www.") + slash + path


def plain_path(path: str) -> str:
    return normpath(path.strip().removeprefix("./")).casefold()
