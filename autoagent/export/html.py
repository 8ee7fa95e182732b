"""A run as one HTML page that needs nothing: no script, no network; every text of others is inert and escaped.

The page loads nothing by itself: its policy forbids it, and no element that could is ever written. An address in a text
is a link that a person may follow.
"""

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import cache, partial
from html import escape
from importlib import resources

from autoagent.criteria import STATES
from autoagent.export.formatted import formatted
from autoagent.export.parts import (
    Block,
    Chapter,
    Document,
    Entry,
    Kind,
    Piece,
    Row,
    ShownClaim,
    ShownCriterion,
    ShownFile,
    source_words,
)
from autoagent.export.story import VERDICTS, criterion_words
from autoagent.models.offline.reports import EXPORTED
from autoagent.terminal.inert import inert
from autoagent.terminal.layout import one_line
from autoagent.terminal.words import counted, joined

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_PATH = r"[^\s()\[\]<>\"'`\\{}|^]"
_LINK = re.compile(  # to a plain host: what stands before an @ only looks like one
    rf"https?://[A-Za-z0-9.\-]++(?::\d{{1,5}})?+(?!@)(?:[/?#](?:{_PATH}|\({_PATH}*\))*)?(?<![.,;:!?»”’…])"
)
_GOAL_CHARS = 300  # of a heading; all of it stands below


def as_html(shown: Document) -> str:
    sections = [(id, title, body) for id, title, body in _sections(shown) if body]
    return "".join(
        [
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="referrer" content="no-referrer">\n<meta name="robots" content="noindex">\n'
            '<meta name="generator" content="autoagent">\n'
            '<meta name="color-scheme" content="light dark">\n'
            f"<title>{_inert(one_line(f'Run {shown.run}: {shown.goal}', 120))} · {EXPORTED}</title>\n"
            f"<style>\n{_style()}</style>\n"
            "</head>\n<body>\n",
            _head(shown, [(id, title) for id, title, _ in sections]),
            "<main>\n",
            *(f'<section id="{id}">\n<h2>{title}</h2>\n{body}</section>\n' for id, title, body in sections),
            "</main>\n</body>\n</html>\n",
        ]
    )


def _sections(shown: Document) -> Iterator[tuple[str, str, str]]:
    """Each with its anchor and its title; one without a body is left out."""
    yield "result", "Result" if shown.status == "reached" else "Why it ended", _result(shown.result)
    yield "criteria", "Criteria", _list(map(_criterion, shown.criteria))
    yield "evidence", "Evidence", _evidence(shown)
    yield "handover", "Hand-over", _rows(shown.handover)
    yield "files", "Files", _list(map(_file, shown.files))
    yield "story", "Story", _steps(shown.story) + "".join(map(_chapter, shown.story))
    yield "figures", "Figures", _rows(shown.figures)
    yield "setup", "Setup", _rows(shown.facts)
    yield "left-out", "Left out", _list(f"<li>{_inert(text)}</li>\n" for text in shown.left_out)


def _head(shown: Document, contents: Sequence[tuple[str, str]]) -> str:
    links = "".join(f'<li><a href="#{id}">{title}</a></li>' for id, title in contents)
    goal = one_line(shown.goal, _GOAL_CHARS)
    whole = "" if goal == shown.goal.strip() else _folded("The whole goal", _prose(shown.goal), "prose")
    return (
        f'<header>\n<p class="told state-{_word(shown.status)}">{_inert(shown.told)}</p>\n'
        f'<h1{_language(shown.goal)} dir="auto">{_inert(goal)}</h1>\n{whole}'
        f'<nav aria-label="Contents"><ul>{links}</ul></nav>\n</header>\n'
    )


def _result(pieces: Sequence[Piece]) -> str:
    if not pieces:
        return ""
    text = "".join(piece.text for piece in pieces)
    marks = frozenset(piece.text for piece in pieces if piece.mark)
    drawn = formatted(text, partial(_marked, marks=marks), _inert)
    kind = "prose" if drawn is None else "formatted"
    return f'<div class="{kind}"{_language(text)} dir="auto">{drawn or _marked(text, marks)}</div>\n'


def _marked(text: str, marks: Set[str]) -> str:
    """Our marks in a text stand out from its words."""
    if not marks:
        return _linked(text)
    parts = re.split(f"({'|'.join(map(re.escape, marks))})", text)
    return "".join(f"<mark>{_inert(part)}</mark>" if part in marks else _linked(part) for part in parts)


def _criterion(one: ShownCriterion) -> str:
    verdict = one.verdict
    state = verdict.state if verdict else "open"
    words = VERDICTS[verdict.state] if verdict else "not looked at"
    sign = f'<span class="sign {state}">{STATES.get(state, "○")} {words}</span>'
    text = f"<bdi{_language(one.criterion.text)}>{_inert(criterion_words(one.criterion.text, one.how))}</bdi>"
    proof = ""
    if verdict and verdict.proof:
        source = joined(verdict.source, f"by {verdict.by}")
        proof = f'{_quote(verdict.proof)}<p class="source">{_linked(source)}</p>'
    return f"<li>{sign} {text}{proof}</li>\n"


def _evidence(shown: Document) -> str:
    if not shown.claims and not shown.loose:
        return ""
    loose = [
        f'<li><span class="sign unmet">✗ not found</span> {_inert(fact.kind)} <b>{_inert(fact.text)}</b> '
        f'<span class="facts">in {_inert(fact.where)}</span></li>\n'
        for fact in shown.loose
    ]
    told = f"<p>{_inert(shown.evidence)}</p>\n"
    claims = _list(map(_claim, shown.claims))
    return told + claims + (f"<h3>Figures and names without a source</h3>\n{_list(loose)}" if loose else "")


def _claim(one: ShownClaim) -> str:
    claim = one.claim
    sign = '<span class="sign met">✓ found</span>' if claim.found else '<span class="sign unmet">✗ not found</span>'
    text = f"<bdi{_language(claim.text)}>{_linked(claim.text)}</bdi>"
    if claim.found and one.quote:
        passage = f"{_inert(one.before)}<b>{_inert(one.quote)}</b>{_inert(one.after)}"
        proof = f'<blockquote{_language(one.quote)} dir="auto">{passage}</blockquote>'
    else:
        proof = _quote(claim.quote) if claim.quote.strip() else ""
    told = _linked(joined(source_words(claim), claim.problem))
    step = f' · <a href="#step-{one.step}">step {one.step}</a>' if one.step else ""
    source = f'<p class="source">{told}{step}</p>'
    return f"<li>{sign} {text}{proof}{source}</li>\n"


def _file(file: ShownFile) -> str:
    steps = " ".join(f'<a href="#step-{step}">step {step}</a>' for step in file.steps)
    diffs = "".join(_folded(f"difference of step {step}", _difference(text), "diff") for step, text in file.diffs)
    facts = f'<span class="facts">{_inert(file.became)} {steps}</span>'
    return f"<li><code>{_inert(file.path, newlines=False)}</code> {facts}{diffs}</li>\n"


def _steps(story: Sequence[Chapter]) -> str:
    """Links to all steps, in one paragraph."""
    links = " ".join(f'<a href="#step-{one.number}">{one.number}</a>' for one in story if one.number)
    if not links:
        return ""
    printed = '<p class="printed">What commands were given and brought is not printed.</p>'
    return f'<p class="steps">Step {links}</p>\n{printed}\n'


def _chapter(chapter: Chapter) -> str:
    title = f"Step {chapter.number}" if chapter.number else "Before the first step"
    facts = joined(chapter.at, chapter.facts)
    entries = "".join(map(_entry, chapter.entries))
    return (
        f'<article id="step-{chapter.number}">\n<h3>{title} <span class="facts">{_inert(facts)}</span></h3>\n'
        f"{entries}</article>\n"
    )


def _entry(entry: Entry) -> str:
    head = f"<bdi{_language(entry.head)}>{_inert(entry.head, newlines=False)}</bdi>"
    facts = f' <span class="facts">{_inert(entry.facts, newlines=False)}</span>' if entry.facts else ""
    blocks = "".join(map(_block, entry.blocks))
    return f'<div class="entry {entry.kind}">\n<p class="head">{head}{facts}</p>\n{blocks}</div>\n'


def _block(block: Block) -> str:
    match block.kind:
        case "prose":
            body = _prose(block.text)
        case "lines":
            body = f'<pre{_language(block.text)} dir="auto">{_inert(block.text)}</pre>\n'
        case "diff":
            body = _difference(block.text)
    if block.folded:
        return _folded(joined(block.label, counted(len(block.text), "character")), body, block.kind)
    return f'<p class="label">{_inert(block.label)}</p>\n{body}' if block.label else body


def _folded(label: str, body: str, kind: Kind) -> str:
    return f'<details class="{kind}"><summary>{_inert(label)}</summary>\n{body}</details>\n'


def _difference(text: str) -> str:
    return f'<pre class="diff">{"".join(map(_difference_line, text.rstrip(chr(10)).split(chr(10))))}</pre>\n'


def _difference_line(line: str) -> str:
    if line.startswith("+") and not line.startswith("+++"):
        return f"<ins>{_inert(line)}\n</ins>"
    if line.startswith("-") and not line.startswith("---"):
        return f"<del>{_inert(line)}\n</del>"
    return f"{_inert(line)}\n"


def _prose(text: str) -> str:
    return f'<div class="prose"{_language(text)} dir="auto">{_linked(text)}</div>\n'


def _quote(text: str) -> str:
    return f'<blockquote{_language(text)} dir="auto">{_linked(text)}</blockquote>'


def _rows(rows: Sequence[Row]) -> str:
    body = "".join(
        f"<dt>{_inert(label)}</dt><dd{_language(text)}><bdi>{_linked(text)}</bdi></dd>\n" for label, text in rows
    )
    return f"<dl>\n{body}</dl>\n" if body else ""


def _list(items: Iterable[str]) -> str:
    body = "".join(items)
    return f"<ul>\n{body}</ul>\n" if body else ""


def _linked(text: str) -> str:
    """The text, inert, with each plain address in it as a link that shows where it goes."""
    text, made, at = inert(text), list[str](), 0
    for found in _LINK.finditer(text):
        address = escape(found[0], quote=True)
        made.append(escape(text[at : found.start()], quote=True))
        made.append(
            f'<a href="{address}" rel="noopener noreferrer nofollow" referrerpolicy="no-referrer">{address}</a>'
        )
        at = found.end()
    return "".join([*made, escape(text[at:], quote=True)])


def _inert(text: str, *, newlines: bool = True) -> str:
    """The text as it may stand anywhere in the page, also between the quotes of an attribute."""
    return escape(inert(text, newlines=newlines), quote=True)


def _word(text: str) -> str:
    return re.sub(r"[^a-z]", "", text)


def _language(text: str) -> str:
    """The attribute that names the language of a text by its letters, so that the right font draws them; "" is ours."""
    if text.isascii():
        return ""
    if _HANGUL.search(text):
        return ' lang="ko"'
    if _KANA.search(text):
        return ' lang="ja"'
    return ' lang="zh"' if _HAN.search(text) else ""


_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
_KANA = re.compile("[\u3040-\u30ff]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")


@cache
def _style() -> str:
    return resources.files("autoagent.export").joinpath("page.css").read_text(encoding="utf-8")
