"""The Markdown of a result as HTML that only formats: headings, lists, tables, code, emphasis.

Nothing in it leads anywhere and no word or figure is lost: links, images, HTML, entities and backslashes stand as they
were written, and a text of which Markdown would swallow or change a word is not formatted at all.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

MOST_CHARS = 200_000  # of a text that is formatted
_RULES = (
    "heading", "list", "blockquote", "fence", "code", "hr", "table", "newline", "backticks", "emphasis",
    "strikethrough", "balance_pairs",
)  # fmt: skip
_DEEPEST = 20  # what lies deeper is left out by the parser
_FIRST_LEVEL = 3  # of the result's own headings, in a section of the page
_ALIGNED = {"text-align:right": "right", "text-align:center": "center"}


def formatted(text: str, words: Callable[[str], str], code: Callable[[str], str]) -> str | None:
    """None where it can't be formatted without a loss.

    `words` and `code` give what stands between tags, escaped: the first of running text, the second of code.
    """
    if len(text) > MOST_CHARS:
        return None
    parser, env = _parser(), {"words": words, "code": code}
    tokens = parser.parse(text, env)
    if _changes_a_sign(tokens) or _letters(_content(tokens)) != _letters([text]):
        return None
    return parser.renderer.render(tokens, parser.options, env)


def _changes_a_sign(tokens: Sequence["Token"]) -> bool:
    """`2026. 11. 3.` at the beginning of a line is a date and no list in a list, `+ 3 %` is no item."""
    return any(
        one.type == "list_item_open" and (one.markup == "+" or (one.info and following.type == "ordered_list_open"))
        for one, following in pairwise(tokens)
    )


def _content(tokens: Sequence["Token"]) -> Iterator[str]:
    """Every text that is drawn or stands in its mark-up, in order."""
    for token in tokens:
        if token.type in ("list_item_open", "fence"):
            yield token.info
        if token.type == "inline":
            yield from _content(token.children or ())
        else:
            yield token.content


def _letters(texts: Iterator[str] | list[str]) -> list[str]:
    return [character for text in texts for character in text if character.isalnum()]


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("zero", {"html": False, "maxNesting": _DEEPEST}).enable(_RULES)
    parser.inline.ruler.before("emphasis", "plain_signs", _plain_signs)
    for kind, draw in _DRAWN.items():
        parser.add_render_rule(kind, draw)
    return parser


def _plain_signs(state: "StateInline", silent: bool) -> bool:
    """Signs that mean what they are: `__init__` is a name, `2*3*4` a product, and what follows a backslash nothing."""
    start, sign = state.pos, state.src[state.pos]
    if sign not in "_*\\":
        return False
    end = min(start + 2, state.posMax) if sign == "\\" else _end_of_run(state, start)
    if sign == "*" and not (start and end < state.posMax and _in_a_word(state.src, start, end)):
        return False
    if not silent:
        state.pending += state.src[start:end]
    state.pos = end
    return True


def _end_of_run(state: "StateInline", start: int) -> int:
    end = start
    while end < state.posMax and state.src[end] == state.src[start]:
        end += 1
    return end


def _in_a_word(text: str, start: int, end: int) -> bool:
    """Of Latin letters or digits: a Korean particle follows what is emphasised without a space."""
    return all(character.isascii() and character.isalnum() for character in (text[start - 1], text[end]))


def _text(_: Any, tokens: Sequence["Token"], at: int, options: Any, env: Any) -> str:
    return env["words"](tokens[at].content)


def _code(_: Any, tokens: Sequence["Token"], at: int, options: Any, env: Any) -> str:
    return f"<code>{env['code'](tokens[at].content)}</code>"


def _code_block(_: Any, tokens: Sequence["Token"], at: int, options: Any, env: Any) -> str:
    return f"<pre>{env['code'](tokens[at].content)}</pre>\n"


def _heading(_: Any, tokens: Sequence["Token"], at: int, options: Any, env: Any) -> str:
    level = min(6, int(tokens[at].tag[1:]) + _FIRST_LEVEL - 1)
    return f"<h{level}>" if tokens[at].nesting > 0 else f"</h{level}>\n"


def _item(_: Any, tokens: Sequence["Token"], at: int, options: Any, env: Any) -> str:
    """With its own number: HTML would count."""
    return f'<li value="{int(tokens[at].info)}">' if tokens[at].info else "<li>"


def _ordered(_: Any, tokens: Sequence["Token"], at: int, options: Any, env: Any) -> str:
    return "<ol>\n"


def _cell(_: Any, tokens: Sequence["Token"], at: int, options: Any, env: Any) -> str:
    aligned = _ALIGNED.get(str(tokens[at].attrGet("style")))
    return f'<{tokens[at].tag} class="{aligned}">' if aligned else f"<{tokens[at].tag}>"


_DRAWN: dict[str, Callable[..., str]] = {
    "text": _text, "code_inline": _code, "code_block": _code_block, "fence": _code_block, "heading_open": _heading,
    "heading_close": _heading, "ordered_list_open": _ordered, "list_item_open": _item, "th_open": _cell,
    "td_open": _cell,
}  # fmt: skip
