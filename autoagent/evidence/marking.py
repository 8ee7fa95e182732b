"""What has no evidence, said: itemised to the model, and marked in the text that a person reads."""

import re
from collections.abc import Iterator, Sequence

from autoagent.claims import CheckedClaim, Evidence, LooseFact
from autoagent.evidence import quotes
from autoagent.evidence.facts import ADDRESS, facts, key_of, without_end
from autoagent.evidence.folding import Folded
from autoagent.evidence.work import Work

UNVERIFIED, UNVERIFIED_KO = "[unverified]", "[확인 안 됨]"
_MOST_LINES = 40
_MOST_CLAIMS, _MOST_FACTS = 16, 14
_MOST_CHARS = 160  # of a claim or quote that is shown
_HOW = (
    "For each: quote word for word from an observation and name its id, read what it is from first, let a program "
    'compute it from what was read, say "not found", or leave it out. Your own files and words show nothing. Then give '
    "task_complete again, with the whole result."
)


def itemised(evidence: Evidence) -> str:
    """What goes back to the model: each claim and fact without evidence, and what to do about it."""
    without = [claim for claim in evidence.claims if not claim.found]
    wrong = [claim for claim in evidence.claims if claim.found and claim.problem]
    lines = [f"Not accepted yet: {evidence.in_words()}."]
    if without:
        lines.append("Claims without evidence:")
        lines += [
            f'- "{_short(claim.text)}": {claim.problem}.{_quoted(claim.quote)}' for claim in without[:_MOST_CLAIMS]
        ]
        lines += _more(len(without) - _MOST_CLAIMS)
    if evidence.loose:
        lines.append("In the result or a report, but in nothing that you read or computed:")
        lines += [f"- {fact.kind} {_short(fact.text)}{_where(fact)}" for fact in evidence.loose[:_MOST_FACTS]]
        lines += _more(len(evidence.loose) - _MOST_FACTS)
    room = _MOST_LINES - len(lines) - 2
    if wrong and room > 1:
        lines.append("Accepted, but with another source than you named:")
        lines += [f'- "{_short(claim.text)}": {claim.problem}.' for claim in wrong[: room - 1]]
    return "\n".join([*lines, _HOW])


def _quoted(quote: str) -> str:
    return f' Its quote: "{_short(quote)}"' if quote.strip() else ""


def _where(fact: LooseFact) -> str:
    return "" if fact.where == "result" else f" (in {fact.where})"


def _more(left: int) -> list[str]:
    return [f"- … and {left} more"] if left > 0 else []


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MOST_CHARS else text[: _MOST_CHARS - 1] + "…"


def marked(text: str, evidence: Evidence, goal: str = "") -> str:
    """A result or report with a mark behind each fact without evidence, and behind each sentence that is such a claim.

    No word, address, link or quotation is broken by a mark. Marking a marked text changes nothing. The mark is in the
    language of the goal, in which a result is written whatever names stand in it.
    """
    text, marks = _without_marks(text)
    mark = UNVERIFIED_KO if (_asks_in_korean(goal) if goal else _is_korean(text)) else UNVERIFIED
    loose = {key_of(fact.kind, fact.text) for fact in evidence.loose}
    for fact in facts(text) if loose else ():
        if fact.key in loose:
            marks.setdefault(_behind(text, fact.start, fact.end), mark)
    for place in claimed_without_evidence(text, evidence.claims):
        marks.setdefault(_end_of_sentence(text, place.end), mark)
    for place in sorted(marks, reverse=True):
        text = f"{text[:place]} {marks[place]}{text[place:]}"
    return text


def claimed_without_evidence(text: str, claims: Sequence[CheckedClaim]) -> list[quotes.Place]:
    """Where a text says what claims say that have no evidence: of each the first place."""
    without = [claim for claim in claims if not claim.found]
    folded, work = Folded(text), Work(quotes.MOST)
    found = (next(quotes.places(claim.text, folded, work), None) for claim in without)
    return [place for place in found if place]


_MARK = re.compile(rf"(?: (?:{re.escape(UNVERIFIED)}|{re.escape(UNVERIFIED_KO)}))+")


def _without_marks(text: str) -> tuple[str, dict[int, str]]:
    """The text without its marks, and where they stood."""
    marks, parts, length, end = dict[int, str](), list[str](), 0, 0
    for found in _MARK.finditer(text):
        parts.append(text[end : found.start()])
        length += len(parts[-1])
        marks[length], end = found[0][1:], found.end()
    return "".join([*parts, text[end:]]), marks


def _asks_in_korean(goal: str) -> bool:
    """By its words: place별 is a Korean one, whatever it is made of."""
    korean = [re.search("[가-힣\u1100-\u11ff]", word) is not None for word in goal.split()]
    return sum(korean) * 2 > len(korean)


def _is_korean(text: str) -> bool:
    hangul = len(re.findall(r"[가-힣\u1100-\u11ff]", text))
    return hangul * 2 > len(re.findall(r"[A-Za-z]", text))


_WORD = re.compile(r"[^\s|,;:!?()\[\]{}<>\"'“”‘’「」『』。、.*_`~]*")
_LINK = re.compile(r"!?\[[^\]\n]{0,400}\]\([^)\s]{0,2000}(?:\([^)\s]*\)[^)\s]*)?(?:\s+\"[^\"\n]{0,200}\")?\)")
_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
_EMPHASIS = re.compile(r"[*_~]{1,3}(?=\s|[.,;:!?)|]|$)")


def _behind(text: str, start: int, end: int) -> int:
    """The first place behind a fact where a mark breaks nothing."""
    if end < len(text) and text[end].isalnum() and (word := _WORD.match(text, end)):
        end = word.end()
    line_start = text.rfind("\n", max(0, start - _AROUND), start) + 1 or max(0, start - _AROUND)
    line = text[line_start : end + _AROUND].partition("\n")[0]
    for first, last in _unbroken(line):
        if first <= start - line_start and end - line_start < last:
            end = line_start + last
    if emphasis := _EMPHASIS.match(text, end):
        end = emphasis.end() if _closes(text[line_start:end], emphasis[0]) else end
    return end


def _closes(before: str, sign: str) -> bool:
    return before.count(sign) % 2 == 1


def _unbroken(line: str) -> Iterator[tuple[int, int]]:
    """The addresses, links and pieces of code of a line, the inner ones first."""
    for found in ADDRESS.finditer(line):
        yield found.start(), found.start() + len(without_end(found[0]))
    for pattern in (_CODE, _LINK):
        yield from (found.span() for found in pattern.finditer(line))


_AROUND = 2_000  # characters of a line on each side of a fact that are looked at
_SENTENCE_END = re.compile(r"[*_~`\"'”’」』)\]]*[.!?。！？…]*[*_~`\"'”’」』)]*")


def _end_of_sentence(text: str, end: int) -> int:
    found = _SENTENCE_END.match(text, end)
    return found.end() if found else end
