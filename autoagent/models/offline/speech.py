"""The language that a goal speaks: that of its own words, not of the names, quotations and addresses in it."""

import re

from autoagent.models.offline.addresses import without_addresses
from autoagent.models.offline.clauses import MAX_GOAL_CHARS, QUOTED
from autoagent.models.offline.paths import mask_paths
from autoagent.models.offline.words import Language, is_hangul, is_stop, language_of, tokens, vocabulary

_VERBS = vocabulary(
    "summarise summarize recap find search look locate list show count grep collect total sum average mean rank",
    "calculate compute read write save answer check open",
)


def language_spoken(goal: str) -> Language:
    """English where its verbs and small words are at least as many as the Korean words left, as with a Korean name."""
    goal = goal[:MAX_GOAL_CHARS]
    own = mask_paths(QUOTED.sub(" ", without_addresses(goal)[0]))
    if not re.search(r"[^\W\d_]", own):
        own = goal
    said = list(tokens(own))
    korean = sum(map(is_hangul, said))
    english = sum(map(_is_english, said))
    return "en" if english and english >= korean else language_of(own)


def _is_english(word: str) -> bool:
    """A word that makes an English sentence; in capitals (IT, A) it is rather a name."""
    return not is_hangul(word) and not word.isupper() and (is_stop(word) or word.casefold() in _VERBS)
