"""A review of a result by a fresh context: what it is shown, and what it says of each criterion. Pure."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from autoagent.claims import Evidence
from autoagent.criteria import GOALS, Criterion, Verdict
from autoagent.errors import ThoughtError
from autoagent.memory import FRAMING_TOKENS, Count, clip, fenced
from autoagent.passages import excerpt
from autoagent.reading import read_object

_STATES: Mapping[str, Any] = {"met": "met", "not met": "unmet", "cannot tell": "unclear", "only a person": "person"}
ASKED = 2_000  # characters of the goal that passages are chosen by: each word of them takes time
LEAST = 20  # tokens of a part, to be of use
_SHORTEST, _SHORTEST_WITH_FIGURE = 8, 4  # letters and digits of a passage that shows anything
_TEXT = {"type": "string"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "verdicts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "criterion": {"type": "integer"},
                    "passage": _TEXT,
                    "source": _TEXT,
                    "why": _TEXT,
                    "verdict": {"type": "string", "enum": list(_STATES)},
                },
                "required": ["criterion", "passage", "source", "why", "verdict"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["verdicts"],
    "additionalProperties": False,
}  # the passage before the verdict, so that the one leads to the other


@dataclass(frozen=True)
class Material:
    """What a reviewer sees, and what a passage may be of: no words of the goal or of the program.

    `shows` is what was read or made, and the lines of the result that hold nothing without evidence. The whole `result`
    shows only what it says itself, not that it is so.
    """

    text: str
    shows: str
    result: str


def material(
    goal: str,
    criteria: Mapping[int, Criterion],
    result: str,
    evidence: Evidence | None,
    files: Mapping[str, str],
    read: Mapping[str, str],
    *,
    nonce: str,
    limit: int,
    count: Count,
) -> Material:
    """What the reviewer sees within `limit` tokens: goal, criteria to judge, result, evidence, files, what was read.

    `files` are those made or changed, by path, as a difference where they were there before; `read` the observations
    by id, each between delimiters that its text can't know. Of what is too long the passages that matter for
    the goal and the criteria are shown.
    """
    asked = "\n".join(f"{number}. {criterion.text}" for number, criterion in criteria.items())
    result = clip(result, limit // 3, count)
    looked_up = clip("\n".join(_evidence_lines(evidence)), limit // 6, count)
    head = [f"# Goal\n\n{goal}", f"# Criteria to judge\n\n{asked}", f"# Result\n\n{result}"]
    head.append(f"# Evidence\n\n{looked_up}")
    parts = {f"# File {path}": text for path, text in files.items() if text.strip()}
    parts |= {f"# Observation {id}": text for id, text in read.items() if text.strip()}
    question = " ".join([goal[:ASKED], *(criterion.text for criterion in criteria.values())])
    shown = _shown(parts, question, limit - count("\n\n".join(head)), count)
    quotes = [claim.quote for claim in (evidence.claims if evidence else ()) if claim.found]
    supported = _without(result, [fact.text for fact in (evidence.loose if evidence else ())])
    fences = [fenced(name, text, nonce) for name, text in shown.items()]
    return Material("\n\n".join([*head, *fences]), "\n".join([*shown.values(), *quotes, supported]), result)


def _shown(parts: Mapping[str, str], question: str, room: int, count: Count) -> dict[str, str]:
    """Within `room` tokens the small parts whole, then of each other its passages that matter, and whole what fits yet.

    What a small part leaves of its share is the larger ones'.
    """
    sizes = {name: count(text) for name, text in parts.items()}
    order, shown, left = sorted(parts, key=sizes.__getitem__), dict[str, str](), room
    for rank, name in enumerate(order):
        share = min(sizes[name], left // (len(order) - rank) - FRAMING_TOKENS)
        if share >= min(sizes[name], LEAST):
            shown[name] = excerpt(parts[name], question, share, count)
            left -= count(shown[name]) + FRAMING_TOKENS
    for name in order:
        more = sizes[name] - count(shown[name]) if name in shown else sizes[name] + FRAMING_TOKENS
        if more <= left:
            shown[name] = parts[name]
            left -= more
    return {name: shown[name] for name in parts if name in shown}


def _without(result: str, loose: Sequence[str]) -> str:
    """The lines of a result that hold nothing without evidence."""
    return "\n".join(line for line in result.split("\n") if not any(text in line for text in loose))


def _evidence_lines(evidence: Evidence | None) -> Iterator[str]:
    if evidence is None or not evidence.total:
        yield "No claim with a source is given."
        return
    for claim in evidence.claims:
        where = f"observation {claim.observation}" if claim.observation else claim.source
        found = f"quote found in {where}: {claim.quote}" if claim.found else f"quote not found ({claim.problem})"
        yield f"- {claim.text} — {found}"
    for fact in evidence.loose:
        yield f"- {fact.kind} {fact.text} in {fact.where}: found in nothing that was read or computed"


def verdicts(reply: str, criteria: Mapping[int, Criterion], goal: str, shown: Material) -> tuple[Verdict, ...]:
    """What the reviewer says of each criterion. A "met" counts only with a passage that really stands in `shown`.

    That the goal is reached no line of the result shows that holds something without evidence. Words of the goal or of
    a criterion show nothing. A criterion that is left out is "cannot tell"; of several verdicts on one the worst
    counts. Raises ThoughtError for a reply that can't be read.
    """
    data = read_object(reply)
    given: Any = data.get("verdicts")
    if not isinstance(given, list):
        raise ThoughtError('The reply has no list "verdicts".')
    asked = _folded(" ".join([goal, *(criterion.text for criterion in criteria.values())]))
    shows, result = _folded(shown.shows), _folded(shown.result)
    found: dict[int, Verdict] = {}
    for item in cast(list[Any], given):
        verdict = _verdict(cast(dict[str, Any], item)) if isinstance(item, dict) else None
        if verdict and verdict.criterion in criteria:
            is_goal = criteria[verdict.criterion].text in GOALS
            verdict = _with_passage(verdict, asked, shows, "" if is_goal else result)
            before = found.get(verdict.criterion, verdict)
            found[verdict.criterion] = max(before, verdict, key=lambda one: _WORSE.index(one.state))
    left_out = "the review says nothing of it"
    return tuple(
        found.get(number, Verdict(criterion=number, state="unclear", proof=left_out, by="review"))
        for number in criteria
    )


_WORSE = ("met", "person", "unclear", "unmet")


def _verdict(item: Mapping[str, Any]) -> Verdict | None:
    number, said = item.get("criterion"), str(item.get("verdict", "")).strip().lower()
    if not isinstance(number, int) or said not in _STATES:
        return None
    passage, why = str(item.get("passage") or "").strip(), str(item.get("why") or "").strip()
    proof = passage if said == "met" else why or passage
    source = str(item.get("source") or "")
    return Verdict(criterion=number, state=_STATES[said], proof=proof, source=source, by="review")


def _with_passage(verdict: Verdict, asked: str, shows: str, result: str) -> Verdict:
    """As it is, or "cannot tell" where its passage shows nothing."""
    passage = _folded(verdict.proof)
    if verdict.state != "met" or not (why := _shows_nothing(passage, asked, (shows, result))):
        return verdict
    proof = f"the passage that is to show it {why}: “{verdict.proof[:200]}”"
    return verdict.model_copy(update={"state": "unclear", "proof": proof})


def _shows_nothing(passage: str, asked: str, places: Sequence[str]) -> str:
    """Why the passage does not count; "" where it does."""
    least = _SHORTEST_WITH_FIGURE if any(char.isdecimal() for char in passage) else _SHORTEST
    if sum(char.isalnum() for char in passage) < least:
        return "is too short to show anything"
    if passage in asked:
        return "only repeats what is asked for"
    return "" if any(passage in place for place in places) else "does not stand in what shows it"


def _folded(text: str) -> str:
    """Letters, digits and signs in one spelling, without white space: a passage may be wrapped otherwise."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in plain if not char.isspace() and char not in "*_`|\"'“”‘’")


def told(criteria: Sequence[Criterion], verdicts: Sequence[Verdict]) -> str:
    """What the model reads of the criteria that are not met, itemised."""
    words = {"unmet": "not met", "unclear": "cannot tell", "person": "not met"}
    lines = ["The run goes on, because not every criterion is met:"]
    for verdict in verdicts:
        if verdict.state != "met":
            text = criteria[verdict.criterion - 1].text if verdict.criterion <= len(criteria) else ""
            lines.append(f"{verdict.criterion}. {text} — {words[verdict.state]}: {verdict.proof}")
    lines.append("Mend what is missing, then end again. Where it can't be met, say so with give_up.")
    return "\n".join(lines)
