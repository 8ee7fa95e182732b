"""Which files and folders a goal names, and into which file the report is to go."""

import re
from dataclasses import dataclass

from autoagent.models.offline.addresses import MASK
from autoagent.models.offline.words import SAID_OF_A_REPORT, is_stop, language_of, tokens, vocabulary

REPORT = "report.md"
REPORT_SUFFIXES = (".md", ".markdown", ".txt")
_SUFFIX = (
    "md|markdown|txt|text|rst|org|adoc|csv|tsv|log|jsonl|json|yaml|yml|xml|html|htm|pdf|docx|doc|xlsx|xls|pptx|hwpx|hwp"
    "|rtf|odt|tex|py|js|ts|java|cpp|c|h|go|rs|rb|sh|toml|ini|cfg|conf|sql|eml|srt|vtt"
)
_NOT_AFTER = r"(?![A-Za-z0-9_-])(?!\.\w)"
NAME = rf"[^\s'\"`“”‘’「」,;:()<>|?*{MASK}]"
_MARK, _MARK_END = "\ue000", "\ue001"  # around a path that no pattern would tell
_QUOTABLE = rf"(?:\.(?:{_SUFFIX})|/)"
ENDS_FOLDER = r"(?=$|[\s?!.,;:)'\"]|에|의|를|을|로|안|내|폴더)"
_PATH = re.compile(
    rf"{_MARK}(?P<marked>[^{_MARK_END}]*){_MARK_END}"
    rf"|'(?P<q1>[^'\n]+{_QUOTABLE})'|\"(?P<q2>[^\"\n]+{_QUOTABLE})\"|`(?P<q3>[^`\n]+{_QUOTABLE})`"
    rf"|(?P<file>(?<![\w@]){NAME}{{1,250}}?\.(?:{_SUFFIX})){_NOT_AFTER}"
    rf"|(?P<folder>(?<![\w/.])(?:\.{{1,2}}/|/(?=\w)|~/){NAME}*"
    rf"|(?<![\w/]){NAME}*[^\s\W]/{ENDS_FOLDER}"
    rf"|(?:(?<=\bin )|(?<=\bfrom )|(?<=\bunder )|(?<=marise )|(?<=marize )){NAME}+/{NAME}+"
    rf"|{NAME}+/{NAME}+(?=\s*(?:폴더|에서)))",
    re.I,
)
_INTO = re.compile(
    r"(?:\binto|\b(?:save|write|store|put|output|record|report)\b[^.;]{0,60}?\b(?:to|in|into|as|at|under)"
    r"|(?<!according )(?<!related )\bto|\bas)"
    r"\s+(?:(?:a|the)\s+)?(?:new\s+)?(?:(?:markdown\s+)?(?:file|report)\s+)?(?:named\s+|called\s+)?$",
    re.I,
)
_INTO_KO = re.compile(
    r"^['\"`”’]?\s*(?:파일|폴더)?\s*(?:에다가|에다|에|으로|로|을|를|이라는|라는)?\s*(?:파일|이름)?\s*(?:에|로|으로)?\s*"
    r"(?:저장|써|쓰|작성|기록|남겨|남기|만들|정리|출력|넣)"
    r"|^['\"`”’]?\s*(?:파일\s*)?(?:으로|로)\s+(?:요약|간추)"
)
_INTO_ADDRESS = re.compile(rf"(?<!according )(?<!related )(?<!go )(?<!answer )\b(?:in)?to\s+{MASK}", re.I)
_OTHER_FILE_TYPE = re.compile(
    r"\b(?:as|into|to) (?:an? )?(?:pdf|word|docx|html|excel|powerpoint|slides?|json)\b(?! (?:file )?in)", re.I
)
_PLACE = re.compile(
    r"\b(?:in|from|of|under|within|inside|across|to|throughout|folder|directory|file|summari[sz]e|sum up|recap)\s+"
    r"(?:all\s+|every\s+)?(?:the\s+|my\s+|our\s+|this\s+|these\s+)*([^?.!;]+)", re.I,
)  # fmt: skip
_PLACE_OF_ANSWER = re.compile(r"\b(?:in|from|within|according to)\s+(?:the\s+|my\s+|our\s+|this\s+)*([^?.!;,]+)", re.I)
_FOLDER = re.compile(
    r"\b(?:folder|directory)\s+(?:named\s+|called\s+)?(\w+)|(\w+)\s+(?:folder|directory)\b|(\S+)\s*폴더", re.I
)
_HERE = vocabulary("current whole entire into and with for 작업 이 현재 전체 모든")
_PLACE_NOUNS = vocabulary("docs doc documents document files texts text papers 자료 문서 파일")
_PLACE_KO = re.compile(r"([^\s,]+)\s*(?:폴더|파일|문서|자료|디렉터리|디렉토리|에서|에 따르면|의(?=\s))")
_EVERYTHING = re.compile(
    r"\b(?:everything|workspace|(?:all|the|my|these|this|our)\s+(?:\w+\s+)?(?:documents|files|docs|folder|directory|texts))\b"
    r"|모든\s*(?:문서|파일|자료)|전체|문서들|(?:^|\s)(?:문서|파일|자료|폴더|작업 폴더)(?:을|를|에서|의)?\s", re.I,
)  # fmt: skip


@dataclass(frozen=True)
class Scope:
    """`paths` are written as such; `words` may name files or folders; `everything`: all documents were meant.

    `addresses` are pages of the web.
    """

    paths: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    everything: bool = False
    suffixes: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


def output_in(text: str) -> str | None:
    """The report's path, "" where none is named, None where it is to be of a kind that no rule can write."""
    if _OTHER_FILE_TYPE.search(_PATH.sub("", text)):
        return None
    if _INTO_ADDRESS.search(text):
        return None  # nothing can be written there
    for found in _PATH.finditer(text):
        if not _INTO.search(text[: found.start()]) and not _INTO_KO.match(text[found.end() :]):
            continue
        path = _clean(found)
        if found["folder"] or path.endswith("/"):
            return f"{path.rstrip('/')}/{REPORT}"
        return path if path.casefold().endswith(REPORT_SUFFIXES) else None
    return ""


def scope_in(text: str, output: str, addresses: tuple[str, ...] = (), *, question: bool = False) -> Scope:
    """The files and folders that a goal names; in a question only what stands after "in" and the like is a place."""
    paths = [_clean(found) for found in _PATH.finditer(text)]
    suffixes = re.findall(rf"(?<!\S)\*?(\.(?:{_SUFFIX}))(?![\w])", text, re.I)
    bare = mask_paths(text)
    folders = [word for found in _FOLDER.finditer(bare) for word in found.groups() if word]
    paths += [f"{word}/" for word in folders if not is_stop(word) and word.casefold() not in _HERE]
    named = [path for path in dict.fromkeys(paths) if not (output and output in (path, f"{path.rstrip('/')}/{REPORT}"))]
    whole = [bare] if language_of(bare) == "ko" and not question else []
    phrases = [*whole, *(_PLACE_OF_ANSWER if question else _PLACE).findall(bare), *_PLACE_KO.findall(bare)]
    found = [word for phrase in phrases for word in tokens(phrase) if not SAID_OF_A_REPORT.match(word)]
    words = [word for word in found if not is_stop(word) or word.casefold() in _PLACE_NOUNS]
    return Scope(tuple(named), tuple(dict.fromkeys(words)), bool(_EVERYTHING.search(bare)), tuple(suffixes), addresses)


def marked(path: str) -> str:
    """The path as all rules here know it for one, whatever its characters."""
    return f"{_MARK}{path}{_MARK_END}"


def mask_paths(text: str) -> str:
    """The text without its paths and addresses."""
    return " ".join(_PATH.sub(" ", text).replace(MASK, " ").split())


def _clean(found: re.Match[str]) -> str:
    path = next(filter(None, (found["marked"], found["q1"], found["q2"], found["q3"], found["file"], found["folder"])))
    return re.sub(r"^(?:\./)+(?=.)", "", path.rstrip(".!") or path)
