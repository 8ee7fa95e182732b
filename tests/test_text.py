"""Text is read in the encoding it has and written back to the same bytes."""

import codecs
import os
import subprocess
import sys

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autoagent.errors import CommandError
from autoagent.loaders.text import Text, decode, encode

KOREAN = "이것은 한국어 문장입니다. 오늘은 날씨가 좋아서 산책을 갑니다.\n"


@pytest.mark.parametrize(
    ("text", "written", "encoding"),
    [
        ("hello\n", "ascii", "utf-8"),
        (KOREAN, "utf-8", "utf-8"),
        (KOREAN, "cp949", "cp949"),
        (KOREAN, "euc_kr", "cp949"),
        ("가나\n", "cp949", "cp949"),
        ("def f():  # 주석\n    return '값'\n", "cp949", "cp949"),
        ("한글 “따옴표” · 가운뎃점 ※ 똠방각하 펲시\n", "cp949", "cp949"),
        ("大韓民國은 民主共和國이다. 대한민국의 主權은 국민에게 있고\n", "cp949", "cp949"),
        (KOREAN, "utf-16-le", "utf-16-le"),
        (KOREAN, "utf-16-be", "utf-16-be"),
        ("hello", "utf-16-le", "utf-16-le"),
        ("C’est une phrase française : élève, garçon, œuvre. « Voilà »\n", "cp1252", "cp1252"),
        ("Änderungen müssen größer sein. Über Ärger und Öl.\n" * 3, "cp1252", "cp1252"),
        ("Ärger", "cp1252", "cp1252"),
        ("It’s a thing, don’t panic, they’re can’t; I’m we’ve you’ll isn’t\n" * 5, "cp1252", "cp1252"),
        ("これは日本語の文章です。今日は天気がいいので散歩に行きましょう。\n", "cp932", "cp932"),
        ("这是一个中文的测试文件，里面有一些普通的句子。今天天气很好，我们去公园吧。\n", "gb18030", "gb18030"),
        ("Это обычный русский текст, в котором есть несколько предложений.\n", "cp1251", "cp1251"),
        ("a café with one stray \x81 in it\n", "latin-1", "latin-1"),
        ("", "utf-8", "utf-8"),
    ],
)
def test_a_text_is_recognised_by_its_bytes(text: str, written: str, encoding: str):
    assert decode(text.encode(written)) == Text(text, encoding, b"", "\n")


@pytest.mark.parametrize(
    ("bom", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
@pytest.mark.parametrize("content", ["", KOREAN, "a\r\nb\r\n"])
def test_a_byte_order_mark_is_kept_apart_from_the_text(bom: bytes, encoding: str, content: str):
    data = bom + content.encode(encoding)
    text = decode(data)
    assert (text.text, text.encoding, text.bom) == (content.replace("\r\n", "\n"), encoding, bom)
    assert encode(text.text, text) == data


@pytest.mark.parametrize(
    ("data", "text", "newline"),
    [
        (b"a\nb\n", "a\nb\n", "\n"),
        (b"a\r\nb\r\n", "a\nb\n", "\r\n"),
        (b"a\rb\r", "a\nb\n", "\r"),
        (b"a\r\nb\n", "a\r\nb\n", "mixed"),
        (b"a\r\r\nb", "a\r\r\nb", "mixed"),
        (b"one line", "one line", "\n"),
    ],
)
def test_line_ends_are_plain_in_the_text_and_kept_in_the_file(data: bytes, text: str, newline: str):
    decoded = decode(data)
    assert (decoded.text, decoded.newline) == (text, newline)
    assert encode(decoded.text, decoded) == data


def test_an_edit_takes_the_line_ends_of_the_file():
    windows = decode(b"a\r\nb\r\n")
    assert encode("a\nnew\nlines\r\nb\n", windows) == b"a\r\nnew\r\nlines\r\nb\r\n"
    assert encode("a\nb\r\n", decode(b"a\r\nb\n")) == b"a\nb\r\n"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(12_337), "PNG image, 12,345 bytes"),
        (b"\xff\xd8\xff\xe0abc\x90\x91", "JPEG image, 9 bytes"),
        (b"GIF89a\1\0\1\0", "GIF image, 10 bytes"),
        (b"PK\3\4\x14\0\0\0", "ZIP archive, 8 bytes"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF document, 15 bytes"),
        (b"\x7fELF\2\1\1\0", "ELF program, 8 bytes"),
        (b"\x1f\x8b\x08\x00abc", "gzip archive, 7 bytes"),
        (b"abc\0def", "(7 bytes)"),
        (bytes(range(1, 256)), "(255 bytes)"),
        ("가나다\1\2".encode(), "(11 bytes)"),
        (b"\1", "(1 bytes)"),
        (b"\xff\xfea\0\0\xd8", "(6 bytes)"),
    ],
)
def test_a_binary_file_is_refused_by_its_kind(data: bytes, kind: str):
    with pytest.raises(CommandError) as refused:
        decode(data)
    assert "looks binary" in str(refused.value)
    assert kind in str(refused.value)


def test_random_bytes_are_binary():
    with pytest.raises(CommandError, match="looks binary"):
        decode(os.urandom(50_000))


def test_terminal_colours_and_form_feeds_are_text():
    assert decode(b"\x1b[31mred\x1b[0m\n\f\n").newline == "\n"


def test_a_character_that_the_encoding_lacks_is_named():
    with pytest.raises(CommandError, match=r"cp949.*'é' \(U\+00E9\).*UTF-8"):
        encode("가é", decode("가나다\n".encode("cp949")))
    with pytest.raises(CommandError, match=r"utf-8.*'\\ud800' \(U\+D800\)\. Leave it out\.$"):
        encode("\ud800", decode(b""))


LINES = st.lists(
    st.tuples(st.text(st.characters(codec="utf-8")), st.sampled_from(["\n", "\r\n", "\r", ""])), max_size=6
).map(lambda lines: "".join(text + end for text, end in lines))
BOMS = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
BOMS |= {"utf-32-le": codecs.BOM_UTF32_LE, "utf-32-be": codecs.BOM_UTF32_BE}


def assert_round_trip(data: bytes) -> None:
    try:
        text = decode(data)
    except CommandError:
        return
    assert encode(text.text, text) == data
    assert text.newline == "mixed" or "\r" not in text.text


@given(st.binary(max_size=300))
def test_any_bytes_come_back_or_are_binary(data: bytes):
    assert_round_trip(data)


@given(st.sampled_from(sorted(BOMS.values())), st.binary(max_size=100))
def test_any_bytes_after_a_mark_come_back_or_are_binary(bom: bytes, data: bytes):
    assert_round_trip(bom + data)


@given(st.sampled_from(sorted(BOMS)), LINES, st.booleans())
def test_unicode_comes_back(encoding: str, text: str, marked: bool):
    assert_round_trip((BOMS[encoding] if marked else b"") + text.encode(encoding))


def alphabet(encoding: str) -> list[str]:
    """The encoding's own characters, beyond ASCII."""
    return [c for c in map(chr, range(0x80, 0x10000)) if c.encode(encoding, "ignore").decode(encoding, "ignore") == c]


@pytest.mark.parametrize("encoding", ["cp949", "cp1252", "latin-1", "cp932", "gb18030", "big5", "euc_jp", "cp1251"])
def test_older_encodings_come_back(encoding: str):
    letters = st.one_of(st.sampled_from(alphabet(encoding)), st.sampled_from("ab \n\r"))

    @settings(max_examples=50)
    @given(st.text(letters, max_size=60))
    def come_back(text: str) -> None:
        assert_round_trip(text.encode(encoding))

    come_back()


SYLLABLES = [c for c in alphabet("euc_kr") if "가" <= c <= "힣" and len(c.encode("euc_kr")) == 2]  # not those in jamo


@given(st.text(st.sampled_from(SYLLABLES), min_size=1))
def test_everyday_korean_in_cp949_is_read_as_such(text: str):
    data = text.encode("cp949")
    assume(data.decode("utf-8", "ignore").encode() != data)  # a few syllables, as in "통", are valid UTF-8 too
    assert decode(data).text == text


def test_the_detector_is_loaded_only_where_it_is_needed():
    code = (
        "import sys; from autoagent.loaders.text import decode; decode(b'a'); decode('가나'.encode('cp949'));"
        "print('charset_normalizer' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
