"""PDF: the text of each page behind its mark, and which pages have none."""

import io
import logging
import re
import time
import unicodedata
from collections.abc import Iterator
from typing import Any

from autoagent.errors import CommandError
from autoagent.loaders.document import Document, amount, joined, ranges

PAGES_S = 40.0  # after which the pages that are left are named instead of read

_NO_LETTER = re.compile("[\0-\x1f\x7f\xa0]")  # how some fonts spell a space
_ROOT = re.compile(rb"(?<!\d)(\d{1,9}) (\d{1,5}) obj\b\s*<<(?:(?!endobj).){0,2000}?/Type\s*/Catalog\b", re.DOTALL)
_LIGATURES = dict(zip(range(0xFB00, 0xFB07), ("ff", "fi", "fl", "ffi", "ffl", "st", "st"), strict=True))


def read(content: bytes, *, name: str, content_type: str = "") -> Document:
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    notes: list[str] = []
    reader = _reader(content, notes)
    if reader.is_encrypted and not reader.decrypt(""):
        raise CommandError(f"{name} is a PDF locked with a password and cannot be read. Ask for a copy without one.")
    count = len(reader.pages)
    if not count:
        raise CommandError(f"{name} is damaged: no page of the PDF can be found.")
    text = joined(_lines(reader, count, notes), notes)
    return Document(text, f"PDF, {amount(count, 'page')}", tuple(notes))


def _reader(content: bytes, notes: list[str]) -> Any:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        return PdfReader(io.BytesIO(content), strict=False)
    except PyPdfError:
        if b"/Encrypt" in content or not (mended := _mended(content)):
            raise
    notes.append("The file is cut off or damaged: text may be missing or unreadable.")
    return PdfReader(io.BytesIO(mended), strict=False)


def _mended(content: bytes) -> bytes:
    """The whole objects of the file before a new end that names their root; pypdf then finds them one by one."""
    roots = _ROOT.findall(content)
    whole = content[: content.rfind(b"endobj") + len(b"endobj")]
    return whole + b"\ntrailer\n<</Root %s %s R>>\nstartxref\n0\n%%%%EOF\n" % roots[-1] if roots else b""


def _not_a_mark(line: str) -> str:
    """A line that looks like ours, which say on what page a text stands."""
    return f" {line}" if re.fullmatch(r"\[page \d+\]", line) else line


def _lines(reader: Any, count: int, notes: list[str]) -> Iterator[str]:
    until = time.monotonic() + PAGES_S
    empty, failed = list[int](), list[int]()
    for number in range(1, count + 1):
        if time.monotonic() > until:
            notes.append(f"Pages {number:,}-{count:,} were not read: it would take too long.")
            break
        yield f"[page {number}]"
        try:
            text = reader.pages[number - 1].extract_text()
        except (MemoryError, RecursionError):
            raise
        except Exception:  # noqa: BLE001  a damaged page makes the parser raise anything; the others can be read
            failed.append(number)
            continue
        lines = [_not_a_mark(_plain(line)) for line in text.splitlines()]
        if not any(lines):
            empty.append(number)
        yield from lines
    if failed:
        notes.append(f"damaged, could not be read: page{_s(failed)} {ranges(failed)}")
    if empty:
        notes.append(f"no text on page{_s(empty)} {ranges(empty)} (scanned images?)")
    yield from _form(reader)


def _form(reader: Any) -> Iterator[str]:
    """What a person filled in: it is not part of the text of the pages."""
    try:
        fields: dict[str, Any] = reader.get_form_text_fields() or {}
    except (MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001  as above
        return
    filled = [f"{name}: {value}" for name, value in fields.items() if value]
    yield from (["[form]", *filled] if filled else [])


def _plain(line: str) -> str:
    """With letters instead of ligatures and half syllables, as a person would search for them."""
    return unicodedata.normalize("NFC", _NO_LETTER.sub(" ", line).translate(_LIGATURES)).strip()


def _s(numbers: list[int]) -> str:
    return "s" if len(numbers) > 1 else ""
