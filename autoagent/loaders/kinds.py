"""What a file is: by its first bytes, else by its name, else by what a server says of it."""

import re
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

from autoagent.errors import CommandError
from autoagent.loaders.text import decode

Kind = Literal["text", "csv", "json", "html", "eml", "pdf", "docx", "workbook"]

_BY_SUFFIX: dict[str, Kind] = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".json": "json", ".geojson": "json", ".eml": "eml",
    ".html": "html", ".htm": "html", ".xhtml": "html", ".pdf": "pdf", ".docx": "docx", ".docm": "docx",
    ".dotx": "docx", ".xlsx": "workbook", ".xlsm": "workbook", ".xltx": "workbook", ".xlsb": "workbook",
    ".xls": "workbook", ".ods": "workbook",
}  # fmt: skip
_BY_TYPE: dict[str, Kind] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/json": "json",
    "message/rfc822": "eml",
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "workbook",
    "application/vnd.ms-excel": "workbook",
    "application/vnd.oasis.opendocument.spreadsheet": "workbook",
}
_ZIPPED: tuple[tuple[re.Pattern[bytes], Kind | str], ...] = tuple(
    (re.compile(rb"PK(?:\x01\x02.{42}|\x03\x04.{26})" + name, re.DOTALL), kind)
    for name, kind in (
        (rb"mimetypeapplication/vnd\.oasis\.opendocument\.spreadsheet", "workbook"),
        (rb"mimetypeapplication/vnd\.oasis\.opendocument\.text", "ODT document"),
        (rb"mimetypeapplication/vnd\.oasis\.opendocument\.presentation", "ODP presentation"),
        (rb"mimetypeapplication/hwp\+zip", "HWPX document"),
        (rb"mimetypeapplication/epub\+zip", "EPUB book"),
        (rb"word/document\d*\.xml", "docx"),
        (rb"xl/workbook\d*\.(?:xml|bin)", "workbook"),
        (rb"ppt/presentation\d*\.xml", "PPTX presentation"),
    )
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the container of Office before 2007, of HWP 5 and of encrypted OOXML
_HTML = re.compile(  # possessive: comments without end are read once
    rb"\s*+(?:<\?xml[^>]*+>\s*+)?(?:<!--(?:(?!-->).)*+-->\s*+)*+<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)


def kind_of(name: str, content: bytes, content_type: str = "") -> Kind:
    """Raises CommandError for a kind of document that is known and cannot be read."""
    suffix, served = suffix_of(name), _BY_TYPE.get(content_type.partition(";")[0].strip().lower())
    named = _BY_SUFFIX.get(suffix) or served
    if content.startswith(b"%PDF-") or (named == "pdf" and b"%PDF-" in content[:1024]):
        return "pdf"
    if content.startswith(b"PK\x03\x04"):
        return _zipped(name, content, named)
    if content.startswith(_OLE):
        return _ole(name, content)
    if is_html(content) and (named in ("pdf", "docx", "workbook") or served == "html" or not suffix):
        return "html"
    if named in ("pdf", "docx", "workbook") and b"endobj" not in content and _is_text(content):
        return "text"
    return _BY_SUFFIX.get(suffix) or served or "text"


def suffix_of(name: str) -> str:
    """`.pdf` for a path or an address, in lower case."""
    path = urlsplit(name).path if re.match("https?://", name) else name
    return PurePosixPath(path).suffix.lower()


def is_named_as_document(name: str) -> bool:
    """Whether the name is that of a file which holds more bytes than text."""
    return _BY_SUFFIX.get(suffix_of(name)) in ("pdf", "docx", "workbook")


def is_html(content: bytes) -> bool:
    return _HTML.match(content[:4096].removeprefix(b"\xef\xbb\xbf")) is not None


def _is_text(content: bytes) -> bool:
    try:
        decode(content)
    except CommandError:
        return False
    return True


def _zipped(name: str, content: bytes, named: Kind | None) -> Kind:
    for pattern, kind in _ZIPPED:
        if pattern.search(content):
            match kind:
                case "docx" | "workbook":
                    return kind
                case _:
                    raise _unreadable(name, kind)
    return named if named in ("docx", "workbook") else "text"  # as text it is refused as a ZIP archive


def _ole(name: str, content: bytes) -> Kind:
    def holds(entry: str) -> bool:
        return entry.encode("utf-16-le") in content

    if holds("EncryptedPackage"):
        raise CommandError(f"{name} is locked with a password and cannot be read. Ask for a copy without one.")
    if b"HWP Document File" in content:
        raise _unreadable(name, "HWP document")
    if holds("WordDocument"):
        raise _unreadable(name, "DOC document of Word before 2007")
    if holds("PowerPoint Document"):
        raise _unreadable(name, "PPT presentation")
    if holds("Workbook") or holds("Book") or suffix_of(name) == ".xls":
        return "workbook"
    raise _unreadable(name, "file of an old Office program")


def _unreadable(name: str, kind: str) -> CommandError:
    return CommandError(f"{name} ({kind}) cannot be read here. Ask for it as PDF, DOCX or text.")
