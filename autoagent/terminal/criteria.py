"""Criteria, their verdicts and the evidence of a result, as a person sees them."""

from collections.abc import Sequence

from autoagent.claims import Evidence, LooseFact
from autoagent.criteria import STATES, Criterion, Verdict, check_words
from autoagent.events import CriteriaJudged, CriteriaSet, HandoverWritten
from autoagent.state import State
from autoagent.terminal.layout import Line, Piece, Style, cells, cut, foreign, labelled, line, one_line
from autoagent.terminal.words import counted

HERE = "terminal"  # what an answer given on this screen says of who gave it
TEXT_CHARS, PROOF_CHARS = 200, 160
RESULT_LINES = (10, 3)  # of a result, shown from its head and its tail beside a question
_LEAST = 8  # cells of a proof that is cut
OUTPUT_LINES = (2, 2)  # of what a failing check wrote
WRITERS = {"model": "the model", "digest": "a digest"}  # of a hand-over
_STYLES: dict[str, Style] = {"met": "good", "unmet": "bad", "unclear": "warn", "person": "warn"}
_WORDS = {"unclear": "cannot tell", "person": "only a person can decide"}
_MANNERS = {"check": "checked", "review": "reviewed", "person": "decided"}


def criterion_words(criterion: Criterion, *, in_short: bool = False) -> str:
    """The criterion, and how the program checks it where it does; `in_short` without patterns, which its text tells."""
    how = "" if in_short and criterion.pattern and criterion.text else check_words(criterion)
    if not how or criterion.text in (criterion.command, criterion.file):
        return how or criterion.text
    return f"{criterion.text} ({how})"


def set_lines(event: CriteriaSet, *, in_short: bool = False) -> list[Line]:
    """What has to be true at the end, as it is settled; a person who just agreed to it has it before their eyes."""
    if not event.criteria:
        return []
    if event.by == HERE:
        return [line(Piece("✓ ", "good"), f"{amount_words(event.criteria)} to hold at the end")]
    if event.by == "answer":
        return [line(Piece("✓ ", "good"), f"answer: yes, {amount_words(event.criteria)} to hold at the end")]
    return done_when_lines(event.criteria, in_short=in_short)


def done_when_lines(criteria: Sequence[Criterion], *, in_short: bool = False) -> list[Line]:
    texts = [
        f"{number}. {criterion_words(criterion, in_short=in_short)}" for number, criterion in enumerate(criteria, 1)
    ]
    return [labelled("" if i else "Done when", text, width=13) for i, text in enumerate(texts)]


def amount_words(criteria: Sequence[Criterion]) -> str:
    """`3 criteria`"""
    return "1 criterion" if len(criteria) == 1 else f"{len(criteria)} criteria"


# Verdicts


def proof_words(verdict: Verdict) -> str:
    """What shows it, on one line: how a check ended and its last word, or the passage and where it stands."""
    proof = verdict.proof.strip()
    if verdict.by == "check" and "\n" in proof:
        ended, *output = [text for text in proof.split("\n") if text.strip() and text != "(no output)"]
        return one_line(f"{ended}: {output[-1].strip()}" if output else ended, PROOF_CHARS)
    if verdict.by == "review" and verdict.state == "met" and proof:
        where = f" ({one_line(verdict.source, 60)})" if verdict.source else ""
        return f"“{one_line(proof, PROOF_CHARS)}”{where}"
    return one_line(proof, PROOF_CHARS) or _WORDS.get(verdict.state, "")


def verdict_line(criterion: Criterion | None, verdict: Verdict) -> Line:
    """`✓ prices with a date   “…” (report.md)`"""
    text = criterion.text if criterion else f"criterion {verdict.criterion}"
    proof = proof_words(verdict)
    return line(
        _sign(verdict), one_line(text, TEXT_CHARS), Piece(f"  {proof}" if proof else "", "dim"), first=2, rest=4
    )


def _criterion(criteria: Sequence[Criterion], verdict: Verdict) -> Criterion | None:
    return criteria[verdict.criterion - 1] if 0 < verdict.criterion <= len(criteria) else None


def judged_words(event: CriteriaJudged) -> str:
    """`checked: 2 of 3 hold`, `reviewed: 1 of 2 met`."""
    met = sum(verdict.state == "met" for verdict in event.verdicts)
    by = event.verdicts[0].by if event.verdicts else "check"
    return f"{_MANNERS[by]}: {met} of {len(event.verdicts)} {'hold' if by == 'check' else 'met'}"


def judged_lines(event: CriteriaJudged, state: State) -> list[Line]:
    """How many hold; those that don't, with the first and last that a failing check wrote."""
    if not event.verdicts or (event.verdicts[0].by == "person" and not event.round):
        return []  # they know what they said
    lines = [line(judged_words(event), first=2)]
    for verdict in event.verdicts:
        criterion = _criterion(state.criteria, verdict)
        if verdict.state == "met":
            continue
        output = _output(verdict)
        lines.append(verdict_line(criterion, verdict.model_copy(update={"proof": verdict.proof.split("\n")[0]})))
        lines += [line(Piece(one_line(text), "dim"), first=6, rest=6) for text in output]
    return lines


def judged_in_full(event: CriteriaJudged, state: State) -> list[Line]:
    """Every verdict with all of its proof."""
    lines = [line(judged_words(event))]
    for verdict in event.verdicts:
        head, *more = verdict.proof.strip().split("\n")
        told = verdict.model_copy(update={"proof": head if more else verdict.proof})
        lines += [verdict_line(_criterion(state.criteria, verdict), told), *_as_it_is(more)]
        if len(verdict.proof) > PROOF_CHARS and not more:
            lines += _as_it_is([verdict.proof])
    return lines


def _as_it_is(texts: Sequence[str]) -> list[Line]:
    return foreign("\n".join(texts), indent=6, style="dim") if texts else []


def _output(verdict: Verdict) -> list[str]:
    """What a failing check wrote, its head and its tail."""
    _, *output = verdict.proof.strip().split("\n")
    output = [text for text in output if text.strip() and text != "(no output)"] if verdict.by == "check" else []
    head, tail = OUTPUT_LINES
    if len(output) <= head + tail + 1:
        return output
    return [*output[:head], f"[… {counted(len(output) - head - tail, 'more line')} …]", *output[-tail:]]


# The end of a run


def asked_rows(state: State, room: int, *, proofs: bool = True) -> list[Line]:
    """Each criterion, once a result was looked at: its sign and what shows it, in `room` cells; a long one on two rows.

    Without `proofs` those that are not met have none: they are told elsewhere.
    """
    verdicts = {verdict.criterion: verdict for verdict in state.verdicts}
    told: list[tuple[Piece, str, str]] = []
    unseen = "not looked at (--review off)" if state.setup and state.setup.review == "off" else "not looked at yet"
    for number, criterion in enumerate(state.criteria, 1) if verdicts or state.status == "reached" else ():
        verdict = verdicts.get(number)
        shown = proofs or verdict is None or verdict.state == "met"
        proof = "" if not shown else proof_words(verdict) if verdict else unseen
        told.append((_sign(verdict), one_line(criterion.text, TEXT_CHARS), proof))
    most = max(room * 3 // 5, 16)
    column = max((cells(text) for _, text, proof in told if proof and cells(text) <= most), default=0)
    return [row for sign, text, proof in told for row in _rows(sign, text, proof, column, room)]


def _sign(verdict: Verdict | None) -> Piece:
    return Piece(f"{STATES[verdict.state]} ", _STYLES[verdict.state]) if verdict else Piece("○ ", "dim")


def _rows(sign: Piece, text: str, proof: str, column: int, room: int) -> list[Line]:
    """The proof stands beside its criterion, or below one that fills a row; one that takes two rows is cut there."""
    if not proof or cells(text) > column:
        text = cut(text, 2 * room - 12)  # words don't fill their rows
        if not proof:
            return [line(sign, text)]
        if cells(text) + cells(proof) + 4 > room and cells(text) + 2 <= room:
            return [line(sign, text), line("  ", Piece(cut(proof, room - 2), "dim"))]
        left = max(room, 2 * room - 12) - cells(text) - 2
        return [line(sign, text, Piece(f"  {cut(proof, left)}" if left > _LEAST else "", "dim"))]
    fill = " " * (column - cells(text) + 2)
    return [line(sign, text, fill, Piece(cut(proof, max(8, room - column - 4)), "dim"))]


def asked_words(state: State) -> str:
    """`2 of 3 · ! growth figures`: how many are met, and those that are not."""
    met = sum(verdict.state == "met" for verdict in state.verdicts)
    signs = [
        f"{STATES[verdict.state]} {one_line(criterion.text, TEXT_CHARS)}"
        for verdict in state.verdicts
        if verdict.state != "met" and (criterion := _criterion(state.criteria, verdict))
    ]
    return " · ".join([f"{met} of {len(state.criteria)}", *signs])


def undecided(state: State) -> tuple[int, ...]:
    """The criteria that the standing question is about, by number: a person says whether they are met."""
    question = state.question
    if question is None or question.call.name != "task_complete":
        return ()
    named = question.asked.split()
    numbers = tuple(int(word) for word in named if word.isdecimal() and len(word) < 3)
    known = len(numbers) == len(named) and all(0 < number <= len(state.criteria) for number in numbers)
    return numbers if known else ()


def is_it_so_lines(state: State, numbers: Sequence[int], *, full: bool = True) -> list[Line]:
    """What only a person can decide, why it is asked, and the result that it is about."""
    verdicts = {verdict.criterion: verdict for verdict in state.verdicts}
    lines = [line(Piece("Only you can decide: is this so?", "bold"), first=2)]
    for number in numbers:
        lines.append(line(f"{number}  ", " ".join(state.criteria[number - 1].text.split()), first=2, rest=5))
        if (verdict := verdicts.get(number)) and verdict.proof.strip():
            lines.append(line(Piece("why asked: ", "dim"), " ".join(verdict.proof.split()), first=5, rest=7))
    call = state.question.call if state.question else None
    result = str(call.args.get("result") or "") if call else ""
    if result.strip():
        shown = _head_and_tail(result.strip().split("\n"), full=full)
        lines += [line(Piece("The result:", "dim"), first=2), *foreign("\n".join(shown), indent=4)]
    files = call.args.get("files") if call else None
    if isinstance(files, list) and files:
        lines.append(line(Piece("files: ", "dim"), ", ".join(map(str, files)), first=4, rest=6))
    return lines


def _head_and_tail(parts: list[str], *, full: bool) -> list[str]:
    head, tail = RESULT_LINES
    if full or len(parts) <= head + tail + 1:
        return parts
    return [*parts[:head], f"[… {len(parts) - head - tail:,} more lines: d shows all …]", *parts[-tail:]]


# Evidence and hand-over


def evidence_lines(evidence: Evidence) -> list[Line]:
    """How many claims stand on what was read, and which do not."""
    told = evidence.in_words()
    if not told:
        return []
    loose = [
        f"{claim.problem}: “{one_line(claim.quote or claim.text, 100)}”" for claim in evidence.claims if not claim.found
    ]
    loose += [f"{fact.kind} not found in what was read: {_loose_words(fact)}" for fact in evidence.loose]
    return [
        line(f"{told}", first=2),
        *(line(Piece("! ", "warn"), text, first=2, rest=4) for text in loose[:_SHOWN]),
        *_more(loose),
    ]


def _loose_words(fact: LooseFact) -> str:
    where = "" if fact.where == "result" else f" (in {one_line(fact.where, 60)})"
    return f"{one_line(fact.text, 100)}{where}"


_SHOWN = 6


def _more(loose: Sequence[str]) -> list[Line]:
    return [line(f"… and {len(loose) - _SHOWN} more", first=4)] if len(loose) > _SHOWN else []


def handover_rows(event: HandoverWritten, most: int = 12) -> list[tuple[str, str]]:
    """What is done, what is open, what comes next, as labelled rows; of each list at most so many."""
    rows: list[tuple[str, str]] = []
    for label, texts in (("Done", event.done), ("Open", event.open)):
        rows += [("" if i else label, one_line(text, 600)) for i, text in enumerate(texts[:most])]
        rows += [("", f"and {len(texts) - most} more")] if len(texts) > most else []
    return [*rows, ("Next", one_line(event.next, 600))] if event.next else rows


def handover_lines(event: HandoverWritten) -> list[Line]:
    return [labelled(label, text, width=11) for label, text in handover_rows(event)]
