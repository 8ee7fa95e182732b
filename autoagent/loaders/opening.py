"""Which module reads a file: text here, documents and pages in a child process, once a content."""

from dataclasses import replace

from autoagent.env import fingerprint
from autoagent.loaders.apart import read_apart
from autoagent.loaders.document import Document
from autoagent.loaders.kept import Kept
from autoagent.loaders.kinds import Kind, is_named_as_document, kind_of, suffix_of
from autoagent.loaders.text import Text, decode

SET_IN_LINES = 4_000_000  # characters of JSON; to set more takes too long
_MISNAMED = "The name is that of a document, but the file is text."
_kept = Kept()


def open_document(name: str, content: bytes, content_type: str, within_s: float) -> Document:
    kind = kind_of(name, content, content_type)
    if kind == "text":
        document = verbatim(decode(content))
        return replace(document, notes=(_MISNAMED,)) if is_named_as_document(name) else document
    if kind in ("csv", "json"):
        key = (kind, suffix_of(name), fingerprint(content))
        return _kept.get(key, lambda: _in_lines(kind, decode(content), suffix_of(name)))
    key = (kind, name, content_type, fingerprint(content))
    return _kept.get(key, lambda: read_apart(kind, name, content, content_type=content_type, within_s=within_s))


def _in_lines(kind: Kind, text: Text, suffix: str) -> Document:
    if kind == "csv":
        from autoagent.loaders.csv import read as read_csv

        return read_csv(text, tabbed=suffix in (".tsv", ".tab"))
    from autoagent.loaders.json import read as read_json

    if len(text.text) > SET_IN_LINES:
        return verbatim(text)
    return read_json(text.text) or verbatim(text)


def verbatim(text: Text) -> Document:
    """The text as it stands."""
    return Document(text.text, "text" if text.encoding == "utf-8" else f"text, encoding {text.encoding}")
