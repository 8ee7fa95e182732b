"""The claims of a run's result, each with the passage that shows it, in context."""

from functools import partial
from pathlib import Path
from typing import Any

from autoagent import evidence
from autoagent.claims import CheckedClaim, Evidence, LooseFact
from autoagent.cli.page import Page, print_json
from autoagent.errors import ConfigError
from autoagent.evidence.given import Given, given
from autoagent.evidence.index import plain_path
from autoagent.journal import artifact, read
from autoagent.terminal.layout import Line, Piece, line, one_line
from autoagent.terminal.words import joined

NOTHING_CLAIMED = "Nothing is claimed, and every figure and name of the result was read or computed."
NOTHING_TO_LOOK_UP = "Nothing is claimed, and the result holds no figure and no name that could be looked up."
_LONGEST = 240  # characters of one line of a passage, around the quote


def last_result(folder: Path) -> Given:
    """The last result of a run. Raises ConfigError where it gave none, and JournalCorrupt."""
    found = given(read(folder), partial(artifact, folder))
    if found is None:
        raise ConfigError(f"run {folder.name} gave no result yet: there is nothing to look up")
    return found


def reads_of(folder: Path) -> evidence.Reads:
    return evidence.reads(read(folder), partial(artifact, folder))


def looked_up(result: Given, reads: evidence.Reads) -> Evidence:
    """Everything looked up again, from the journal alone."""
    known = {plain_path(path) for path in result.known}
    recorded = result.checked.evidence if result.checked else None
    gone = {fact.text for fact in recorded.loose if fact.kind == "file"} if recorded else set[str]()

    def exists(path: str) -> bool:
        """Whether there was such a file: what was looked up then, and was not missing, was there."""
        return plain_path(path) in known or (recorded is not None and path not in gone)

    return evidence.look_up_safely(
        lambda: evidence.look_up_given(result, reads, text_of=lambda path: None, exists=exists)
    )


def claims_page(folder: Path, *, again: bool, as_json: bool) -> Evidence:
    """Print each claim with its source and the lines around its quote, then what stands nowhere; what came of it.

    With `again` all is looked up anew; otherwise as it was recorded when the result was given.
    """
    result, reads = last_result(folder), reads_of(folder)
    found = looked_up(result, reads) if again or result.checked is None else result.checked.evidence
    if as_json:
        print_json(_as_json(folder, result, reads, found))
        return found
    page = Page()
    how = "looked up again" if again or result.checked is None else "as they were looked up"
    page.print(line(joined(f"Run {folder.name}", f"claims of {result.call_id}", how), rest=2))
    for claim in found.claims:
        page.print(line(), *_claim_lines(claim, reads))
    if found.loose:
        page.print(line(), line("In nothing that was read or computed:"))
        page.print(*(_loose_line(fact) for fact in found.loose))
    for path in found.not_looked_up:
        told = ": the journal does not hold its text, so that was not looked up." if path in result.unknown else ""
        page.print(line(), line(f"{one_line(path)}{told or ' was not looked up.'}"))
    nothing = NOTHING_CLAIMED if found.facts else NOTHING_TO_LOOK_UP
    page.print(line(), line(found.in_words() or nothing))
    return found


def _claim_lines(claim: CheckedClaim, reads: evidence.Reads) -> list[Line]:
    sign = Piece("✓ ", "good") if claim.found else Piece("! ", "warn")
    lines = [line(sign, one_line(claim.text, 2_000), rest=2)]
    source = reads.source(claim.observation) if claim.observation else None
    if source and claim.end > claim.start:
        named = evidence.place_of(source, claim.start)
        of = "" if source.of and source.of in named else source.of
        where = joined(named, "" if named == source.id else source.id, one_line(of, 120))
        lines += [line(Piece(where, "dim"), first=4, rest=6), *_passage_lines(source, claim)]
    elif claim.quote:
        lines.append(line(f"“{one_line(claim.quote, 400)}” ({one_line(claim.source, 120) or 'no source'})", first=4))
    if claim.problem:
        lines.append(line(f"{one_line(claim.problem, 400)}.", first=4, rest=6))
    return lines


def _passage_lines(source: evidence.Source, claim: CheckedClaim) -> list[Line]:
    """The lines around the quote; those that hold it are marked, and the quote stands in « »."""
    shown = evidence.passage(source.text, claim.start, claim.end)
    lines, at = list[Line](), 0
    for text in shown.text.split("\n"):
        start, end = max(0, shown.start - at), min(len(text), shown.end - at)
        holds = start < len(text) and end > 0 and start < end
        pieces = _with_quote(text, start, end) if holds else (Piece(_beginning(text), "dim"),)
        lines.append(line("> " if holds else "  ", *pieces, first=4, rest=8))
        at += len(text) + 1
    return lines


def _with_quote(text: str, start: int, end: int) -> tuple[Piece, ...]:
    before, quote, after = text[:start], text[start:end], text[end:]
    before = before if len(before) <= _LONGEST else f"…{before[-_LONGEST:]}"
    return Piece(before), Piece(f"«{quote}»", "bold"), Piece(_beginning(after))


def _beginning(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _loose_line(fact: LooseFact) -> Line:
    where = "" if fact.where == "result" else f" ({one_line(fact.where)})"
    return line(Piece("! ", "warn"), f"{fact.kind} {one_line(fact.text, 400)}{where}", first=2, rest=4)


def _as_json(folder: Path, result: Given, reads: evidence.Reads, found: Evidence) -> dict[str, Any]:
    """What came of it, each claim with its passage."""
    claims: list[dict[str, Any]] = []
    for claim in found.claims:
        source = reads.source(claim.observation) if claim.observation else None
        text = evidence.passage(source.text, claim.start, claim.end).text if source else ""
        claims.append(claim.model_dump() | {"of": source.of if source else "", "passage": text})
    return {
        "run": folder.name,
        "call": result.call_id,
        "claims": claims,
        "loose": [fact.model_dump() for fact in found.loose],
        "facts": found.facts,
        "total": found.total,
        "without": found.without,
        "not_looked_up": list(found.not_looked_up),
    }
