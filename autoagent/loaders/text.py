"""Text of a file in whatever encoding it has, and back to the same bytes."""

import codecs
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from autoagent.errors import CommandError

Newline = Literal["\n", "\r\n", "\r", "mixed"]

_BOMS = (  # UTF-32 before UTF-16, whose little-endian mark it begins with
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MAGIC = (
    (b"\x89PNG", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"%PDF-", "PDF document"),
    (b"\x7fELF", "ELF program"),
    (b"\x1f\x8b", "gzip archive"),
)
_CONTROL = re.compile("[\0-\7\x0e-\x1a\x1c-\x1f\x7f-\x9f]")  # tab, line ends, form feed and escape are text
_GUESSED = ["cp949", "cp932", "euc_jp", "gb18030", "big5", "cp1251", "koi8_r", "cp1253", "cp1252"]
_SAMPLE = 2**16  # bytes or characters that a guess looks at


@dataclass(frozen=True)
class Text:
    r"""`text` has "\n" for every line end unless `newline` is "mixed": then the line ends are as in the file."""

    text: str
    encoding: str
    bom: bytes
    newline: Newline


def decode(data: bytes) -> Text:
    """The text, with what `encode` needs to give the same bytes again. Raises CommandError where it is binary."""
    for encoding, bom in _encodings(data):
        try:
            content = data[len(bom) :].decode(encoding)
        except UnicodeDecodeError:
            continue
        text = _with_plain_newlines(content, encoding, bom)
        if encode(text.text, text) == data:
            if "\0" in content or len(_CONTROL.findall(content)) * 20 > len(content):
                break
            return text
    kind = next((f"{name}, " for magic, name in _MAGIC if data.startswith(magic)), "")
    raise CommandError(f"The file looks binary ({kind}{len(data):,} bytes) and cannot be read as text.")


def encode(text: str, like: Text) -> bytes:
    """`text` with the encoding, byte order mark and line ends of `like`; CommandError where it cannot hold it."""
    if like.newline in ("\r\n", "\r"):
        text = text.replace("\r\n", "\n").replace("\n", like.newline)
    try:
        return like.bom + text.encode(like.encoding)
    except UnicodeEncodeError as error:
        character = text[error.start]
        name = f"'{character if character.isprintable() else ascii(character)[1:-1]}' (U+{ord(character):04X})"
        advice = "Leave it out." if like.encoding.startswith("utf") else "Leave it out, or write the file as UTF-8."
        raise CommandError(f"The file is in {like.encoding}, which cannot hold {name}. {advice}") from error


def _with_plain_newlines(content: str, encoding: str, bom: bytes) -> Text:
    crlf = content.count("\r\n")
    cr, lf = content.count("\r") - crlf, content.count("\n") - crlf
    if not cr and not crlf:
        return Text(content, encoding, bom, "\n")
    if not cr and not lf:
        return Text(content.replace("\r\n", "\n"), encoding, bom, "\r\n")
    if not crlf and not lf:
        return Text(content.replace("\r", "\n"), encoding, bom, "\r")
    return Text(content, encoding, bom, "mixed")


def _encodings(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Encodings to try, likeliest first, each with its byte order mark; lazily, for a guess takes time."""
    yield from ((encoding, bom) for bom, encoding in _BOMS if data.startswith(bom))
    if b"\0" in data:
        yield from ((encoding, b"") for encoding in _utf16_by_its_nuls(data))
        return
    yield "utf-8", b""
    if not data.startswith(tuple(magic for magic, _ in _MAGIC)):
        yield from ((encoding, b"") for encoding in (_guess(data), "cp1252", "latin-1"))


def _utf16_by_its_nuls(data: bytes) -> Iterator[str]:
    """ASCII has its NUL on one side of each pair; Korean text has it in spaces and line ends, and a few from 가."""
    pairs = len(data) // 2
    even, odd = data[::2].count(0), data[1::2].count(0)
    if odd * 10 >= pairs and even * 4 <= odd:
        yield "utf-16-le"
    if even * 10 >= pairs and odd * 4 <= even:
        yield "utf-16-be"


def _guess(data: bytes) -> str:
    """CP949 where that gives everyday Korean, another script where charset-normalizer sees it, else cp1252."""
    korean = _korean_share(data)
    if korean >= 0.9:
        return "cp949"
    if sum(byte >= 0x80 for byte in data[:_SAMPLE]) < 16:  # too few for statistics
        return "cp949" if korean >= 0.5 else "cp1252"
    from charset_normalizer import from_bytes  # slow to import

    sample = data[:_SAMPLE].rpartition(b"\n")[0] or data[:_SAMPLE]  # not through the middle of a character
    best = from_bytes(sample, cp_isolation=_GUESSED).best()
    if best is None or best.encoding == "cp949":
        return "cp949" if korean >= 0.5 else "cp1252"
    letters = [character for character in str(best) if character.isalpha()]
    other = sum(not unicodedata.name(letter, "LATIN").startswith("LATIN") for letter in letters)
    return best.encoding if other * 5 >= max(1, len(letters)) else "cp1252"


def _korean_share(data: bytes) -> float:
    """How much of what is not ASCII is one of the 2,350 everyday syllables of KS X 1001 (rows B0 to C8).

    CP949 has 8,822 more, which Korean text hardly uses but cp1252 text hits by chance ("Ärger", "it’s").
    """
    try:
        foreign = [character for character in data.decode("cp949")[:_SAMPLE] if not character.isascii()]
    except UnicodeDecodeError:
        return 0.0
    pairs = [character.encode("cp949") for character in foreign]
    return sum(b"\xb0\xa1" <= pair <= b"\xc8\xfe" and pair[1] >= 0xA1 for pair in pairs) / max(1, len(pairs))
