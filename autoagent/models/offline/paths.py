"""Which files and folders a goal names, and into which file the report is to go."""

import re
from dataclasses import dataclass

from autoagent.models.offline.words import is_stop, tokens

REPORT = "report.md"
REPORT_SUFFIXES = (".md", ".markdown", ".txt")
_SUFFIX = (
    "md|markdown|txt|text|rst|org|adoc|csv|tsv|log|jsonl|json|yaml|yml|xml|html|htm|pdf|docx|doc|xlsx|xls|pptx|hwpx|hwp|rtf"
    "|odt|tex|py|js|ts|java|cpp|c|h|go|rs|rb|sh|toml|ini|cfg|conf|sql|eml|srt|vtt"
)
_NOT_AFTER = r"(?![A-Za-z0-9_-])(?!\.\w)"
_NAME = r"[^\s'\"`“”‘’「」,;:()<>|?*]"
_PATH = re.compile(
    rf"'(?P<q1>[^'\n]+(?:\.(?:{_SUFFIX})|/))'|\"(?P<q2>[^\"\n]+(?:\.(?:{_SUFFIX})|/))\"|`(?P<q3>[^`\n]+(?:\.(?:{_SUFFIX})|/))`"
    rf"|(?P<file>(?<![\w@]){_NAME}+?\.(?:{_SUFFIX})){_NOT_AFTER}"
    rf"|(?P<folder>(?<![\w/.])(?:\.{{1,2}}/|/(?=\w)|~/){_NAME}*|(?<![\w/]){_NAME}*[^\s\W]/(?=$|[\s?!.,;:)'\"]|에|의|를|을|로|안|내|폴더)"
    rf"|(?:(?<=\bin )|(?<=\bfrom )|(?<=\bunder )|(?<=marise )|(?<=marize )){_NAME}+/{_NAME}+|{_NAME}+/{_NAME}+(?=\s*(?:폴더|에서)))",
    re.I,
)
_INTO = re.compile(
    r"(?:\binto|\b(?:save|write|store|put|output|record|report)\b[^.;]{0,60}?\b(?:to|in|into|as|at|under)|\bto|\bas)"
    r"\s+(?:(?:a|the)\s+)?(?:new\s+)?(?:(?:markdown\s+)?(?:file|report)\s+)?(?:named\s+|called\s+)?$", re.I,
)  # fmt: skip
_INTO_KO = re.compile(
    r"^['\"`”’]?\s*(?:파일|폴더)?\s*(?:에다가|에다|에|으로|로|을|를|이라는|라는)?\s*(?:파일|이름)?\s*(?:에|로|으로)?\s*"
    r"(?:저장|써|쓰|작성|기록|남겨|남기|만들|정리|출력|넣)"
)
_OTHER_FILE_TYPE = re.compile(r"\b(?:as|into|to) (?:an? )?(?:pdf|word|docx|html|excel|powerpoint|slides?|json)\b(?! (?:file )?in)", re.I)
_PLACE = re.compile(
    r"\b(?:in|from|of|under|within|inside|across|to|throughout|folder|directory|file|summari[sz]e|sum up|recap)\s+"
    r"(?:all\s+|every\s+)?(?:the\s+|my\s+|our\s+|this\s+|these\s+)*([^?.!;]+)", re.I,
)  # fmt: skip
_PLACE_KO = re.compile(r"([^\s,]+)\s*(?:폴더|파일|문서|자료|디렉터리|디렉토리|에서|에 따르면|의)")
_EVERYTHING = re.compile(
    r"\b(?:everything|workspace|(?:all|the|my|these|this|our)\s+(?:\w+\s+)?(?:documents|files|docs|folder|directory|texts))\b"
    r"|모든\s*(?:문서|파일|자료)|전체|문서들|(?:^|\s)(?:문서|파일|자료|폴더|작업 폴더)(?:을|를|에서|의)?\s", re.I,
)  # fmt: skip


@dataclass(frozen=True)
class Scope:
    """`paths` are written as such; `words` may name files or folders; `everything`: all documents were meant."""

    paths: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    everything: bool = False
    suffixes: tuple[str, ...] = ()


def output_in(text: str) -> str | None:
    """The report's path, "" where none is named, None where it is to be of a kind that no rule can write."""
    if _OTHER_FILE_TYPE.search(_PATH.sub("", text)):
        return None
    for found in _PATH.finditer(text):
        if not _INTO.search(text[: found.start()]) and not _INTO_KO.match(text[found.end() :]):
            continue
        path = _clean(found)
        if found["folder"] or path.endswith("/"):
            return f"{path.rstrip('/')}/{REPORT}"
        return path if path.casefold().endswith(REPORT_SUFFIXES) else None
    return ""


def scope_in(text: str, output: str) -> Scope:
    paths = [_clean(found) for found in _PATH.finditer(text)]
    named = [path for path in dict.fromkeys(paths) if not (output and output in (path, f"{path.rstrip('/')}/{REPORT}"))]
    suffixes = re.findall(rf"(?<!\S)\*?(\.(?:{_SUFFIX}))(?![\w])", text, re.I)
    bare = mask_paths(text)
    phrases = [*_PLACE.findall(bare), *_PLACE_KO.findall(bare)]
    words = [word for phrase in phrases for word in tokens(phrase) if not is_stop(word)]
    return Scope(tuple(named), tuple(dict.fromkeys(words)), bool(_EVERYTHING.search(bare)), tuple(suffixes))


def mask_paths(text: str) -> str:
    """The text without its paths."""
    return " ".join(_PATH.sub(" ", text).split())


def _clean(found: re.Match[str]) -> str:
    path = next(filter(None, (found["q1"], found["q2"], found["q3"], found["file"], found["folder"])))
    return path.rstrip(".!") or path
