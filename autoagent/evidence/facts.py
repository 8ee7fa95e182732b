"""The figures and names in a text that can be looked up: numbers, dates, addresses, e-mails, files, quoted names.

No facts are: the numbers of lists, headings, steps and footnotes where they are small and no unit is behind them, the
small counts of ordinary grammar (0 to 3 without a unit of measure), programs in a code block (its language must be one
of programs: YAML and JSON say something), and digits that are a part of something longer that is itself a fact. Nor is
the number of a line beside the name of its file; any other stands for a line that was shown, or for a figure.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Context

from autoagent.claims import FactKind
from autoagent.evidence.folding import reduced
from autoagent.evidence.values import NUMBER, Day, dates, number, without_points

ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>\"'`|\\^{}「」『』“”‘’]+", re.IGNORECASE)
EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}", re.ASCII)
_ENDINGS = (
    "md txt csv tsv json jsonl xml yaml yml toml ini cfg log pdf docx doc xlsx xls ods pptx odt rtf html htm eml py "
    "ipynb js ts tsx jsx sh bash sql java c h cpp hpp rs go rb php r swift kt css scss png jpg jpeg gif svg webp mp3 "
    "mp4 wav zip tar gz bz2 xz db sqlite parquet hwp hwpx lock"
)
FILE = re.compile(
    rf"(?<![\w@/.~+-])(?:[~.]{{0,2}}/)?(?:[\w.+-]+/)*[\w+-][\w.+-]*\.(?:{'|'.join(_ENDINGS.split())})(?![A-Za-z\d_/]|\.\w)",
    re.IGNORECASE,
)
_PLACE = re.compile(r"(?::\d+(?:-\d+)?|#p\d+|#[^#!\n]{1,80}![A-Z]+\d+)")  # behind the name of a file
_LIBRARY = re.compile(
    r"(?:Node|Vue|Next|Nuxt|Three|D3|React|Express|Ember|Backbone|Alpine|Chart|Deno)\.js$", re.IGNORECASE
)
IDENTIFIER = re.compile(  # NS400, E-27, v1.2.3; not mid-2026
    r"(?<![\w.-])(?![a-z]+-\d+\b)(?=[\w-]*[A-Za-z])(?=[\w-]*\d)[A-Za-z][A-Za-z\d]*(?:-[A-Za-z\d]+)*(?:\.\d+)*(?![A-Za-z\d])",
    re.ASCII,
)
_COMMON = re.compile(
    r"Q[1-4]|H[12]|UTF-(?:8|16|32)|SHA-?(?:1|256|512)|MD5|[A-Z]\d?", re.ASCII
)  # names of nothing in particular
_CHAIN = re.compile(
    r"(?<![\w.,/-])\d+(?:-\d+){2,}(?![\w-])|(?<![\w.,])\d+(?:\.\d+){2,}(?![\w.]\d)"
)  # 02-123-4567, 1.2.3
_TIME = re.compile(r"(?<![\w:.,])(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d)?(?![\w:])")
_QUOTED = re.compile(
    r"“(?P<a>[^“”\n]{2,400})”|„(?P<b>[^„“”\n]{2,400})[“”]|«(?P<c>[^«»\n]{2,400})»|「(?P<d>[^「」\n]{2,400})」"
    r"|『(?P<e>[^『』\n]{2,400})』|(?<![\w\"])\"(?P<f>[^\"\n]{2,400})\"(?!\w(?<![가-힣]))"
    r"|(?<!\w)‘(?P<g>[^‘’\n]{2,200})’(?![A-Za-z])|(?<![\w'])'(?P<h>[^'\n]{2,200})'(?![A-Za-z'])|《(?P<i>[^《》\n]{2,200})》"
)
_NO_UNIT = (  # behind a number: what it counts. A sign before digits is the next number's.
    r"(?![*_]{0,3}\s?(?:[%‰€$£¥₩](?!\s?\d)|(?-i:euros?|EUR|USD|KRW|GBP|dollars?|pounds?|crowns?|yen|per\s?cent|"
    r"thousand|million|billion|trillion|kg|km|kW|MW|GB|MB|TB|tons?|tonnes?)\b"
    r"|(?:원|유로|달러|퍼센트)(?:이다|입니다|[이가은는을를의로])?(?![가-힣])|[백천만억조]\s?[원명개]))"
)
_OBSERVATION = r"(?:\d{1,2}\.\d{1,2}|p\d+)"
_NUMBERING = re.compile(
    rf"^[ \t>]*(?:[-*+•]\s+)?(?:\(?\d{{1,2}}[.)](?=\s){_NO_UNIT}"  # of lists
    rf"|\*\*\d{{1,2}}(?:\.\d{{1,2}})*\.?(?=\s){_NO_UNIT}|[①-⑳])"
    rf"|^#{{1,6}}[ \t]+(?:\d{{1,2}}(?:\.\d{{1,2}})*[.):]?(?=\s){_NO_UNIT}|제\s?\d{{1,3}}\s?[장절])"
    rf"|\b(?:step|phase|table|figure|fig\.|note|option|round|attempt)\s+\d{{1,2}}\b{_NO_UNIT}"
    rf"|\d{{1,2}}\s?단계|(?:표|그림|단계)\s?\d{{1,2}}\b{_NO_UNIT}"
    rf"|\[\^?\d{{1,2}}\](?!\(){_NO_UNIT}|\[\d{{1,2}}(?:[,;–-]\s?\d{{1,2}})+\]{_NO_UNIT}"  # footnotes
    rf"|\b(?:cells?|columns?|rows?)\s+\d{{1,2}}(?:\s?(?:[-–:]|to)\s?\d{{1,2}})?\b{_NO_UNIT}"
    r"|\b(?:cells?|columns?|rows?)\s+[A-Z]{1,3}\d{1,6}(?:\s?(?:[-–:]|to)\s?[A-Z]{0,3}\d{1,6})?\b"
    rf"|\blines?\s+\d{{1,2}}(?:\s?[-–]\s?\d{{1,2}})?\b{_NO_UNIT}|(?<!\d)\d{{1,2}}\s?번째 줄"
    rf"|\[(?:\d{{1,2}}\.\d{{1,2}}|p\d+|m\d+)\]{_NO_UNIT}"
    rf"|\(?\bobservations?\s+{_OBSERVATION}(?:(?:,| and|, and)\s{_OBSERVATION})*\b{_NO_UNIT}"
    r"|^[ \t|:=-]+$",
    re.MULTILINE | re.IGNORECASE,
)
_LISTED = re.compile(rf"^[ \t>]*(?:[-*+•]\s+)?\(?(\d{{1,3}})[.)](?=\s){_NO_UNIT}", re.MULTILINE | re.IGNORECASE)
_IS_COUNTED = re.compile(_NO_UNIT.replace("(?!", "(?=", 1), re.IGNORECASE)
_OF_LINES = re.compile(rf"\b(?:lines?|rows?)\s+\d+(?:\s?[-–]\s?\d+)?\b{_NO_UNIT}|(?<!\d)\d+\s?번째 줄", re.IGNORECASE)
_LINE = re.compile(r"\blines?\s+(?:\d+\s?[-–]\s?)?$", re.IGNORECASE)
_LINE_BEHIND = re.compile(r"\s?번째 줄")
_LINE_FACT = re.compile(r"lines?\s|\d+\s?번째 줄", re.IGNORECASE)
_NEAR_FILE = 80  # characters
_FENCE = re.compile(
    r"^(?P<fence>`{3,}+|~{3,}+)[ \t]*+(?P<language>[\w+#.-]*+)[^\n]*\n(?P<code>.*?)(?:^(?P=fence)[`~]*[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
_LANGUAGES = (  # whose blocks are programs, no statements
    "python py python3 javascript js mjs jsx typescript ts tsx bash sh shell zsh fish powershell ps1 bat cmd sql java "
    "kotlin kt scala groovy c h cpp c++ cc hpp csharp cs c# fsharp f# vb go golang rust rs swift objc objective-c "
    "ruby rb php perl pl lua r julia jl matlab haskell hs ocaml elixir ex erlang clojure lisp scheme prolog dart zig "
    "nim pascal fortran cobol ada asm assembly awk sed jq vim css scss less graphql proto protobuf hcl terraform "
    "dockerfile makefile make cmake regex diff patch"
)
_PROGRAMS = frozenset(_LANGUAGES.split())
_PROSE = frozenset(("", "text", "txt", "md", "markdown", "csv", "plain", "plaintext", "quote", "console", "output"))
_UNIT = re.compile(r"\s?[A-Za-z°µ℃㎏㎞㎡]{1,3}(?:/[a-z]+)?(?![A-Za-z])")
_CURRENCY = re.compile(r"(?:[$€£¥₩₹]|\b(?:US|A|C)\$|\b(?:USD|EUR|KRW|GBP|JPY)\s)\s?$")
_ORDINALS = ("st", "nd", "rd", "th")
_GRAMMAR = re.compile("[0-3０-３]")
_PARTICLES_BEHIND = (
    "이다|입니다|이며|이고|이었다|이었고|였다|인|으로|로|을|를|이|가|은|는|의|에|과|와|도|만|간|씩|쯤|정도|이상|이하|미만|"
    "초과|이내|동안|까지|부터|마다|보다|에서|후|전|뒤|가량|남짓|짜리|다|예요|이에요|이라|라|이지만|지만|며|고|나|이나|뿐|밖에"
)
_MEASURED = re.compile(  # behind a number: that it is a measure, not a count of things or the number of one
    r"[*_]{0,3}(?:\s?(?:[€£¥₩$‰](?!\s?\d)|°\s?[CF]\b|℃)"
    r"|[\s-]?(?i:(?:years?|months?|weeks?|days?|hours?|minutes?|hrs?|yrs?|mins?)\b"
    r"|(?:decades?|seconds?|secs?|euros?|dollars?|pounds?|crowns?|yen|yuan|francs?|roubles?|rupees?|cents?|EUR|USD|KRW|GBP"
    r"|JPY|CNY|CHF|percentage\spoints?|tons?|tonnes?|kilos?|(?:kilo|milli)?grams?|ounces?|(?:kilo|centi|milli)?met(?:er|re)s?"
    r"|miles?|feet|foot|inch(?:es)?|yards?|acres?|hectares?|(?:milli)?lit(?:er|re)s?|gallons?|(?:kilo|mega|giga|tera)?bytes?"
    r"|bits?|(?:kilo|mega|giga)?watts?|degrees\s(?:celsius|fahrenheit)|people|persons)(?![\w-]))"
    r"|[\s-]?(?:kg|mg|g|t|lbs?|oz|km|cm|mm|nm|µm|m|ft|ha|[kcm]?m[²³23]|ml|mL|l|L|h|s|ms|[kKMGT]i?B|[kMG]bps|[kMGT]?W|[kMGT]Wh"
    r"|[kMG]?Hz)(?![\w-])"
    r"|\s?(?:년|개월|달|주일?|일|시간|분(?!의)|초|명|원|달러|유로|엔|위안|파운드|(?:킬로|밀리)?그램|킬로|톤|(?:킬로|센티|밀리)?미터"
    r"|(?:밀리)?리터|(?:킬로|메가|기가|테라)?바이트|헥타르|(?:킬로|메가|기가)?와트)"
    rf"(?=(?:{_PARTICLES_BEHIND}){{0,2}}(?![가-힣])))"
)
_REFERENCES = ("0", "1")  # with a unit too: 1 euro is 1.08 dollars
_EXACT = Context(prec=2_000)  # digits, more than any number has that is reckoned with


_NAMED: tuple[tuple[re.Pattern[str], FactKind], ...] = ((EMAIL, "e-mail"), (FILE, "file"))
_JOINED: tuple[tuple[re.Pattern[str], FactKind], ...] = (
    (IDENTIFIER, "name"),
    (_CHAIN, "number"),
    (_TIME, "number"),
)


@dataclass(frozen=True)
class Fact:
    """Something in a text that can be looked up. `days` are a date's; `raw` is a number without currency and unit.

    `is_line`: the number is said to be that of a line.
    """

    kind: FactKind
    text: str
    start: int
    end: int
    raw: str = ""
    days: frozenset[Day] = field(default_factory=frozenset[Day])
    is_line: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return key_of(self.kind, self.text)


def key_of(kind: FactKind, text: str) -> tuple[str, str]:
    """The same for the same fact in other words: $93 and 93.0, but not 93 %."""
    found = NUMBER.search(text) if kind == "number" else None
    if found and (_LINE_FACT.match(text) or without_points(found[0])):
        return kind, text.casefold()
    told = number(found[0]) if found else None
    if told and told.values:
        return kind, f"{min(told.values).normalize(_EXACT):f}{'%' if told.percent else ''}"
    return kind, reduced(text) or text


def facts(text: str) -> Iterator[Fact]:
    """The facts of a text, kind by kind. No two overlap, but for what stands within quotation marks."""
    taken = _Taken(text)
    for found in ADDRESS.finditer(text):
        address = without_end(found[0])
        if taken.take(found.start(), found.start() + len(address)):
            yield Fact("address", address, found.start(), found.start() + len(address))
    for pattern, kind in _NAMED:
        for found in pattern.finditer(text):
            if _LIBRARY.match(found[0]):
                continue
            behind = _PLACE.match(text, found.end())
            if taken.take(found.start(), behind.end() if behind else found.end()):
                yield Fact(kind, found[0], found.start(), found.end())
    quoted = [found for found in _QUOTED.finditer(text) if taken.is_free(found.start(), found.start() + 1)]
    quoted = [found for found in quoted if found.start() not in taken.data]  # there they quote nothing
    for found in quoted:
        name = next(group for group in found.groups() if group is not None)
        if len(reduced(name)) > 1 and not name.strip().isdecimal() and not FILE.fullmatch(name):
            yield Fact("name", name.strip(), found.start(), found.end())
    for dated in dates(text):
        if taken.take(dated.start, dated.end):
            yield Fact("date", text[dated.start : dated.end], dated.start, dated.end, days=dated.days)
    for pattern, kind in _JOINED:
        for found in pattern.finditer(text):
            if _COMMON.fullmatch(found[0]):
                taken.take(found.start(), found.end())
            elif taken.take(found.start(), found.end()):
                yield Fact(kind, found[0], found.start(), found.end())
    yield from _numbers(text, taken)


def _numbers(text: str, taken: "_Taken") -> Iterator[Fact]:
    for start, end in _places_of_numbers(text, taken):
        raw = text[start:end]
        line, behind = _LINE.search(text, max(0, start - 30), start), _LINE_BEHIND.match(text, end)
        if (line or behind) and not _IS_COUNTED.match(text, end):
            first, last = line.start() if line else start, behind.end() if behind else end
            yield Fact("number", text[first:last], first, last, raw=raw, is_line=True)
            continue
        currency = _CURRENCY.search(text, max(0, start - 5), start)
        last = _end_with_unit(text, start, end)
        is_bare = raw in _REFERENCES or (last == end and not _MEASURED.match(text, end))
        if _GRAMMAR.fullmatch(raw) and not currency and is_bare:
            continue
        first = currency.start() if currency else start
        yield Fact("number", text[first:last].strip(), first, last, raw=raw)


def _end_with_unit(text: str, start: int, end: int) -> int:
    """Where a number ends with the unit attached to it; one of 0 to 3, which is nothing without it, with any unit."""
    unit = _UNIT.match(text, end)
    if unit and not unit[0][:1].isspace() and unit[0].lower() not in _ORDINALS:
        return unit.end()
    measured = _MEASURED.match(text, end) if _GRAMMAR.fullmatch(text, start, end) else None
    return measured.end() if measured and measured[0][0] not in "*_" else end


def _places_of_numbers(text: str, taken: "_Taken") -> Iterator[tuple[int, int]]:
    """Where numbers stand. Of one that runs into a date, as in a line of CSV, the parts before it."""
    for found in NUMBER.finditer(text):
        if taken.take(*found.span()):
            yield found.span()
        elif "," in found[0]:
            for part in re.finditer(r"[^,]+", found[0]):
                place = found.start() + part.start(), found.start() + part.end()
                if part[0].isdecimal() and taken.take(*place):
                    yield place


def _is_beside_file(text: str, start: int, end: int) -> bool:
    """Whether the name of a file stands in the same line, not far away."""
    before, behind = text[max(0, start - _NEAR_FILE) : start], text[end : end + _NEAR_FILE]
    return FILE.search(before.rpartition("\n")[2]) is not None or FILE.search(behind.partition("\n")[0]) is not None


class _Taken:
    """Which places of a text already belong to a fact, or to nothing that is one."""

    def __init__(self, text: str):
        self._taken = bytearray(len(text) + 1)
        self.data = set[int]()  # places in blocks of JSON and the like
        for found in _FENCE.finditer(text):
            language = found["language"].lower()
            if language in _PROGRAMS:
                self._mark(*found.span())
                continue
            self._mark(found.start(), found.start("code"))
            if language not in _PROSE:
                self.data |= set(range(*found.span("code")))
        for found in _NUMBERING.finditer(text):
            self._mark(*found.span())
        listed = set[int]()
        for found in _LISTED.finditer(text):
            listed.add(int(found[1]))
            if int(found[1]) - 1 in listed:  # 100 only behind 99
                self._mark(*found.span())
        for found in _OF_LINES.finditer(text):
            if _is_beside_file(text, *found.span()):
                self._mark(*found.span())

    def is_free(self, start: int, end: int) -> bool:
        return not any(self._taken[start:end])

    def take(self, start: int, end: int) -> bool:
        """Mark a place; False where some of it is taken."""
        if not self.is_free(start, end):
            return False
        self._mark(start, end)
        return True

    def _mark(self, start: int, end: int) -> None:
        self._taken[start:end] = b"\x01" * (end - start)


_AFTER = ".,;:!?»*_~"
_PAIRS: Mapping[str, str] = {")": "(", "]": "["}
_PARTICLE = re.compile(r"(?<=[\x21-\x7e])(?:에서|으로|이라고|라고|입니다|이다|을|를|이|가|은|는|의|에|로|와|과|도|만)$")
_LONGEST_PARTICLE = 3


def without_end(address: str) -> str:
    """Without what only stands behind it in a sentence: a full stop, a bracket opened before it, a particle."""
    end = len(address)
    unopened = {close: address.count(close) - address.count(opened) for close, opened in _PAIRS.items()}
    while end:
        last = address[end - 1]
        if last in _AFTER or unopened.get(last, 0) > 0:
            unopened[last] = unopened.get(last, 0) - 1
            end -= 1
        elif particle := _PARTICLE.search(address, max(0, end - _LONGEST_PARTICLE), end):
            end = particle.start()
        else:
            break
    return address[:end]
