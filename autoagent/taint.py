"""What came from outside, and the addresses that stand in it: fetching any other could carry off what was read."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from urllib.parse import quote, unquote, urlsplit

from autoagent.state import Observation, State

_ADDRESS = re.compile(r"https?://[^\s<>\"'`|\\^{}]+", re.IGNORECASE)
_BARE = re.compile(r"(?<![\w@/.-])(?:[\w-]+\.)+[a-z]{2,}(?::\d+)?(?:/[^\s<>\"'`|\\^{}]*)?", re.IGNORECASE)
_PARTICLE = re.compile(r"(?<=[가-힣])(?:에서|으로|을|를|이|가|은|는|의|에|로|와|과|도|만)[.,)]?$")
SEARCH, READ_AGAIN = "web_search", "read_observation"
MOST_REREAD = 8  # readings of a reading
READ_LINE = re.compile(r"^(?:Read|Redirected from): (\S+)$", re.MULTILINE)  # of a search; a page's text has none
MOST_OF_ONE = 1_000  # addresses of an observation, each in up to six spellings
_AFTER = ".,;:!?)]}»”’*_"  # what stands behind an address in a sentence and is no part of it


class KnownAddresses:
    """Addresses that a run may fetch without telling a host anything new: others' words hold them, not the model's.

    Those are the goal, what people said, and what was shown of search results and pages; of one page only so many as
    a person would follow. What stands in an observation only because its own call asked for it does not count.
    """

    def __init__(self) -> None:
        self._found: dict[str, frozenset[str]] = {}

    def holds(self, address: str, state: State) -> bool:
        wanted = _plain(address)
        if wanted in _from_people(state.goal):
            return True
        current = (state.pending.step,) if state.pending else ()
        return any(
            wanted in self._in(observation, state)
            for step in reversed((*state.steps, *current))
            for observation in step.observations
        )

    def _in(self, observation: Observation, state: State) -> frozenset[str]:
        by_person = observation.id.startswith("p")
        if not (by_person or (observation.outside and observation.outcome == "ok")):
            return frozenset()
        if observation.id not in self._found:
            text = observation.text
            asked = " ".join(_words_asked(observation, state))
            found = _from_people(text) if by_person else _fetched(observation) | _foreign(text, asked)
            self._found[observation.id] = found
        return self._found[observation.id]


def _fetched(observation: Observation) -> frozenset[str]:
    """What the call itself fetched: the host knows it already."""
    if observation.call is None:
        return frozenset()
    url = observation.call.args.get("url")
    read = READ_LINE.findall(observation.text) if observation.call.name == SEARCH else ()
    return frozenset(map(_plain, [*([url] if isinstance(url, str) else []), *read]))


def stands_apart(address: str, words: str) -> bool:
    """Whether an address is not just what these words, in any spelling, hold already."""
    return _letters(address.partition("://")[2]) not in _letters(words)


def _words_asked(observation: Observation, state: State) -> Iterator[str]:
    """The words of the call, and of the calls whose results it reads again: those words come back with them."""
    known = {one.id: one for step in state.steps for one in step.observations} if _reads_again(observation) else {}
    for _ in range(MOST_REREAD):
        if observation.call is None:
            return
        yield from (value for value in observation.call.args.values() if isinstance(value, str))
        again = observation.call.args.get("id")
        if not _reads_again(observation) or not isinstance(again, str) or again not in known:
            return
        observation = known[again]


def _reads_again(observation: Observation) -> bool:
    return observation.call is not None and observation.call.name == READ_AGAIN


def _foreign(text: str, asked: str) -> frozenset[str]:
    asked = _letters(asked)
    found = islice(_addresses(text), MOST_OF_ONE)
    return frozenset(address for address in found if _letters(address.partition("://")[2]) not in asked)


def _letters(text: str) -> str:
    """What remains of an address in every spelling: letters and digits."""
    return re.sub(r"[\W_]", "", unquote(unquote(text))).casefold()


def _from_people(text: str) -> frozenset[str]:
    """Addresses in a person's words, where "example.org/a" means both schemes."""
    bare = (f"{scheme}://{found}" for found in _BARE.findall(text) for scheme in ("https", "http"))
    return frozenset(_addresses(text)) | frozenset(address for found in bare for address in _addresses(found))


def _addresses(text: str) -> Iterable[str]:
    """Every address in a text, also without what may only stand behind it: a full stop, a Korean particle."""
    for found in _ADDRESS.findall(text):
        ascii_part = re.match(r"[\x21-\x7e]+", found)
        for variant in (found, ascii_part[0] if ascii_part else found, _PARTICLE.sub("", found)):
            yield _plain(variant)
            yield _plain(variant.rstrip(_AFTER))


def _plain(address: str) -> str:
    """Without the fragment, which is never sent, and with one spelling of scheme, host and what is not ASCII."""
    address = quote(address.strip().partition("#")[0], safe="%/:?[]@!$&'()*+,;=~")
    try:
        parts = urlsplit(address)
        return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower(), path=parts.path or "/").geturl()
    except ValueError:
        return address


def host_of(address: str) -> str:
    """The host in lower case without port and user, or the whole where it is no address."""
    try:
        return (urlsplit(address.strip()).hostname or address).rstrip(".").lower()
    except ValueError:
        return address
