"""Names in a goal that no pattern knows for paths: quoted where a place is named, or standing in the workspace."""

import re
from collections.abc import Collection

from autoagent.models.offline.clauses import QUOTED
from autoagent.models.offline.paths import ENDS_FOLDER, NAME, marked

_LISTED = r"(?:['\"`“‘「][^'\"`”’」]+['\"`”’」],?\s*(?:and\s+)?)*"
_BEFORE_PLACE = re.compile(
    r"(?:\b(?:in|from|under|within|inside|according to|summari[sz]e|recap|sum up|(?:summary|overview|digest) of)"
    r"(?:\s+(?:the|my|our|this))?|\b(?:folder|directory|file|document)s?(?:\s+(?:named|called))?)\s+" + _LISTED + "$",
    re.I,
)
_AFTER_PLACE = re.compile(
    r"\s*(?:folder|directory)\b|\s*(?:폴더|파일|디렉터리)|(?:을|를)?\s*(?:요약|간추)|\s*(?:에서|에\s+(?:따르면|있는)|안의|안에)",
    re.I,
)
_BEFORE_SHEET = re.compile(r"\b(?:work)?sheets?\s+(?:named\s+|called\s+)?$|(?:시트|탭)\s*$", re.I)
_AFTER_SHEET = re.compile(r"\s*(?:(?:work)?sheet\b|시트|탭)", re.I)
_SPEAKS = re.compile(r"\s+(?:say|state|mention|contain|tell)s?\b", re.I)
_ENDS_NAME = rf"(?:/{ENDS_FOLDER}|(?![A-Za-z0-9_/-])(?!\.\w))"


def with_paths_marked(text: str, files: Collection[str], folders: Collection[str], *, finds: bool, asks: bool) -> str:
    """The text with such names marked as paths.

    A quotation that says where is a path, there or not; another one only where it names something that is there and
    the goal doesn't find quoted words. Unquoted, the longest name that is there counts; a folder's, in a goal that
    finds or asks, only where it says where, since its words may be those of the question.
    """
    known = {name.casefold(): name for file in files for name in (file, file.rpartition("/")[2])}
    known |= {folder.casefold(): f"{folder}/" for folder in folders}

    def quoted(found: re.Match[str]) -> str:
        name = next(filter(None, found.groups()))
        there = known.get(name.strip("/").removeprefix("./").casefold())
        speaks = bool(_SPEAKS.match(text, found.end()))
        if _is_sheet(found):
            return found[0]
        is_path = _says_where(found) or (not finds and (there is not None or speaks))
        return marked(there or name) if is_path else found[0]

    def unquoted(found: re.Match[str]) -> str:
        there = known[found[1].casefold()]
        is_path = not there.endswith("/") or not (finds or asks) or found[0].endswith("/") or _says_where(found)
        return marked(there) if is_path else found[0]

    folded = text.casefold()
    odd = [name for name in known if name in folded and not re.fullmatch(f"{NAME}+", name)]
    if odd:
        names = "|".join(re.escape(name) for name in sorted(odd, key=len, reverse=True))
        pattern = re.compile(rf"(?<![\w/'\"`“‘「])({names}){_ENDS_NAME}", re.I)
        text = pattern.sub(unquoted, text)
    return QUOTED.sub(quoted, text)


def _is_sheet(found: re.Match[str]) -> bool:
    """The name is that of a sheet in a workbook."""
    before, after = found.string[: found.start()], found.string[found.end() :]
    return bool(_BEFORE_SHEET.search(before) or _AFTER_SHEET.match(after))


def _says_where(found: re.Match[str]) -> bool:
    before, after = found.string[: found.start()], found.string[found.end() :]
    return bool(_BEFORE_PLACE.search(before) or _AFTER_PLACE.match(after))
