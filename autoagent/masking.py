"""Known secrets taken out of whatever is kept, shown or sent: keys, tokens in the environment, a proxy's password.

It is no guard against somebody who wants a secret out (a program that may read it can spell it backwards): it keeps
what is met by accident out of journals, screens, reports and prompts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

SHOWN = "***"
HALF = 12  # characters that are half of a long secret
BEGINNING = 4  # characters of a secret that tell it
SHORTEST = 8  # characters; what is shorter stands in ordinary text too
LONGEST_WORDS = 20  # "lm-studio", "not-needed", "production": given as a key, but nothing to hide
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|(?<!OLD)_PWD$", re.IGNORECASE)
_SETTING = re.compile(r"AUTOAGENT_\w*TOKENS$")  # a limit, however its name sounds
_WORDS = re.compile(r"(?:[a-z]+|[A-Z]+|[A-Z][a-z]+)(?:[ ._-](?:[a-z]+|[A-Z]+|[A-Z][a-z]+))*")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d*\.\d+(?:e[+-]?\d+)?|[+-]?\d+e[+-]?\d+", re.IGNORECASE)  # all digits may be a secret


class Mask:
    """Replaces every secret it knows by `***`, also where it is escaped, quoted for a URL or in base64.

    It learns more as settings are read, so that what was given it before then masks those as well. A text without
    secrets comes back as the same object.
    """

    def __init__(self, secrets: Iterable[str] = ()):
        self._spellings: tuple[str, ...] = ()  # the longest first: one may hold another
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        long = (secret for secret in secrets if len(secret) >= SHORTEST or secret.endswith("@"))
        known = set(self._spellings).union(*map(_spelled, long))
        self._spellings = tuple(sorted(known, key=lambda spelling: (-len(spelling), spelling)))

    def __call__(self, text: str) -> str:
        for spelling in self._spellings:
            if spelling in text:  # ten times as fast as one expression for all of them
                text = text.replace(spelling, f"{SHOWN}@" if spelling.endswith("@") else SHOWN)
        return text

    def finished(self, text: str) -> str:
        """The text without what it ends in, where that may be the beginning of a secret still under way."""
        longest = 0
        for spelling in self._spellings:
            for size in range(min(len(text), len(spelling) - 1), BEGINNING - 1, -1):
                if text.endswith(spelling[:size]):
                    longest = max(longest, size)
                    break
        return text[: len(text) - longest]


def secrets_in(variables: Mapping[str, str]) -> Iterator[str]:
    """The secrets among variables: those whose name says so, and passwords within addresses under any name.

    What is also part of the user's name or folder is none: every path would be hidden with it.
    """
    seen_anyway = " ".join(variables.get(name, "") for name in ("HOME", "PWD", "USER", "LOGNAME"))
    for name, value in variables.items():
        if _ADDRESS.fullmatch(value.strip()):
            yield from secrets_of_address(value)
        elif _SECRET_NAME.search(name) and not _SETTING.fullmatch(name):
            yield from (part for part in _parts(value) if _is_worth_hiding(part) and part not in seen_anyway)


def secrets_of_address(address: str) -> Iterator[str]:
    """User and password of a URL, with the @ behind them, the password alone, and keys in its query."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return
    user_and_password, at, _ = parts.netloc.rpartition("@")
    password = user_and_password.partition(":")[2]
    if password:
        yield user_and_password + at
        yield from filter(_is_worth_hiding, {password, unquote(password)})
    for name, value in parse_qsl(parts.query):
        if _SECRET_NAME.search(name):
            yield from filter(_is_worth_hiding, [value])


def _parts(value: str) -> Iterator[str]:
    """The value, and each of its lines: a screen shows them one by one."""
    yield value.strip()
    lines = value.strip().splitlines()
    if len(lines) > 1:
        yield from (line.strip() for line in lines if not line.startswith("-----"))


def _is_worth_hiding(value: str) -> bool:
    """Not what stands in ordinary text: short values, words, numbers with a point, paths that begin where one is."""
    if len(value) < SHORTEST or (_WORDS.fullmatch(value) and len(value) < LONGEST_WORDS):
        return False
    return not _NUMBER.fullmatch(value) and not _is_path(value)


def _is_path(value: str) -> bool:
    if value.startswith(("~/", "./", "../")):
        return True
    top = value.split("/", 2)[1] if value.startswith("/") else ""  # a key in base64 may begin with a slash, too
    return bool(top) and "\0" not in top and len(top) < 256 and Path("/", top).exists()


def _spelled(secret: str) -> set[str]:
    """How a secret may be spelled: plain, within JSON, within a URL, within base64; and each half of a long one."""
    import base64
    import json

    found = {secret}
    for _ in range(2):  # also in JSON that stands in JSON, as a model's reply in a journal
        found |= {json.dumps(one, ensure_ascii=ascii)[1:-1] for one in found for ascii in (True, False)}
    if len(secret) >= 2 * HALF and not secret.endswith("@"):  # cut in two where a long text was clipped
        found |= {secret[: (len(secret) + 1) // 2], secret[len(secret) // 2 :]}
    content = secret.removesuffix("@").encode("utf-8", "surrogateescape")
    found |= {quote(content), quote(content, safe=""), quote_plus(content)}
    for before in range(3):  # bytes of something else in the first group of three
        coded = base64.b64encode(bytes(before) + content).decode()
        whole = coded.rstrip("=")
        inner = whole[(0, 2, 3)[before] : len(whole) - (whole != coded)]  # without what the neighbours have a part in
        if len(inner) > SHORTEST:
            found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return found
