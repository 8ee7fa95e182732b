"""The search engines that ddgs reads without a key, and how their pages say that there is nothing."""

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Engine:
    """`site` is where it may redirect to; `empty` the XPath of what only its page without results has.

    `empty_words` begin a paragraph of that page: for engines whose markup does not tell. With neither, a page without
    results counts as not understood, and another engine is asked.
    """

    name: str
    site: str
    empty: str = ""
    empty_words: str = ""
    kind: Literal["web", "encyclopedia"] = "web"


ENGINES = {
    "duckduckgo": Engine(
        "DuckDuckGo",
        "duckduckgo.com",
        empty="//*[contains(concat(' ', normalize-space(@class), ' '), ' no-results ')"
        " or contains(concat(' ', normalize-space(@class), ' '), ' result--no-result ')]",
    ),
    # "Not many great matches" stands above Brave's results too: it proves nothing
    "brave": Engine("Brave", "brave.com"),
    "yahoo": Engine("Yahoo", "yahoo.com", empty_words="We did not find results for"),
    "startpage": Engine("Startpage", "startpage.com"),
    "mojeek": Engine("Mojeek", "mojeek.com", empty_words="No pages found"),
    "wikipedia": Engine("Wikipedia", "wikipedia.org", kind="encyclopedia"),
    "grokipedia": Engine("Grokipedia", "grokipedia.com", kind="encyclopedia"),
}

# The page for browsers without script first, as it changes least; then a large index of its own, two that resell the
# large ones, and the smallest last. Encyclopedias know titles only, so they are asked where somebody names them.
DEFAULT = ("duckduckgo", "brave", "yahoo", "startpage", "mojeek")


def _holds(attribute: str, *words: str) -> str:
    lower = f"translate(@{attribute}, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')"
    return " or ".join(f"contains({lower}, '{word}')" for word in words)


_CHALLENGES = ("captcha", "challenges.cloudflare.com", "cdn-cgi/challenge")
WALL = (  # a captcha or consent page, told by its markup: its words could be the query
    f"//form[@id='challenge-form' or {_holds('action', 'captcha', 'consent')}]"
    f" | //*[{_holds('class', 'captcha', 'anomaly-modal')} or {_holds('id', 'captcha')}]"
    f" | //*[self::script or self::iframe][{_holds('src', *_CHALLENGES)}]"
)
WALL_ADDRESS = re.compile(r"consent|captcha|challenge|anomaly|sorry|blocked|guce", re.IGNORECASE)


def region(query: str, engine: str) -> str:
    """ddgs' region for the script of the query; DuckDuckGo has names of its own."""
    for script, of_duckduckgo, of_others in _REGIONS:
        if script.search(query):
            return of_duckduckgo if engine == "duckduckgo" else of_others
    return "wt-wt" if engine == "duckduckgo" else "us-en"


def language(query: str) -> str:
    """The language for the script of the query, "all" where many are written in it."""
    return next((other.partition("-")[2] for script, _, other in _REGIONS if script.search(query)), "all")


_REGIONS = (
    (re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]"), "kr-kr", "kr-ko"),
    (re.compile("[\u3040-\u30ff]"), "jp-jp", "jp-ja"),
    (re.compile("[\u4e00-\u9fff]"), "wt-wt", "cn-zh"),
    (re.compile("[\u0400-\u04ff]"), "wt-wt", "ru-ru"),
)
