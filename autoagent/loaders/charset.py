"""The text of a web page out of its bytes: what the page says of its encoding, believed as far as the bytes allow."""

import codecs
import contextlib
import re
from collections.abc import Iterator

from autoagent.errors import CommandError
from autoagent.loaders.text import decode

_BOMS = (  # UTF-32 before UTF-16, whose little-endian mark it begins with
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MEANT = {  # what browsers read under a name: the larger set of characters that writers mean (WHATWG Encoding)
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "utf-16": "utf-16-le",
}
_KNOWN = frozenset(
    f"{family}{number}"
    for family, numbers in {
        "cp": (866, 874, 932, 949, *range(1250, 1259)),
        "iso8859-": (*range(2, 9), 10, *range(13, 17)),
        "": ("utf-8", "utf-16-le", "utf-16-be", "gb18030", "big5hkscs", "euc_jp", "iso2022_jp"),
        "koi8-": "ru",
        "mac-": ("roman", "cyrillic"),
    }.items()
    for number in numbers
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_META = re.compile(rb"<meta\b[^>]*?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)", re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_HEAD = 4096  # bytes in which a page says its encoding; browsers look at 1,024
_SERVERS_DEFAULT = "cp1252"  # sent in headers by servers that don't know: any bytes are valid in it, so meta goes first
_BY_CHANCE = 3  # so few characters in another encoding may be valid UTF-8; more are not
_DAMAGED = 50  # one bad character in so many foreign ones is damage; more are another encoding


def decode_page(content: bytes, content_type: str) -> str:
    """Byte order mark, header, meta, UTF-8, then a guess; never an error, for a page is shown as far as it goes."""
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            return content[len(bom) :].decode(encoding, "replace")
    declared = sorted(dict.fromkeys(_declared(content, content_type)), key=lambda name: name == _SERVERS_DEFAULT)
    utf16 = [name for name in declared if name.startswith("utf-16")]
    if b"\0" in content:
        return _guess(content) or _first_valid(content, utf16) or decode_page(content.replace(b"\0", b""), content_type)
    others = [name for name in declared if name not in utf16]
    utf8 = _first_valid(content, ["utf-8"])
    if utf8 is not None and _foreign(utf8) >= _BY_CHANCE:
        return utf8
    text = _first_valid(content, [*others, "utf-8"]) or _damaged(content, [*others, "utf-8"]) or _guess(content)
    return content.decode("latin-1") if text is None else text


def _declared(content: bytes, content_type: str) -> Iterator[str]:
    """Names of Python's codecs for what header, XML declaration and meta element say."""
    if found := _CHARSET.search(content_type):
        yield from _codec(found[1])
    head = _COMMENT.sub(b"", content[:_HEAD])
    for said in (_XML.match(head), _META.search(head)):
        if said:
            yield from _codec(said[1].decode("ascii", "ignore"))


def _codec(label: str) -> Iterator[str]:
    """Nothing for a name that no browser knows: Python also knows codecs such as "hex" or "utf-7"."""
    try:
        name = codecs.lookup(label).name
    except LookupError:
        return
    name = _MEANT.get(name, name)
    if name in _KNOWN:
        yield name


def _first_valid(content: bytes, encodings: list[str]) -> str | None:
    for encoding in encodings:
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode(encoding)
    return None


def _damaged(content: bytes, encodings: list[str]) -> str | None:
    """Text that is in the encoding but for a few bytes, such as the half of a character at a cut."""
    for encoding in encodings:
        text = content.decode(encoding, "replace")
        if text.count("\ufffd") * _DAMAGED <= _foreign(text):
            return text
    return None


def _guess(content: bytes) -> str | None:
    try:
        return decode(content).text
    except CommandError:
        return None


def _foreign(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))
