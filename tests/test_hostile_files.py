"""Files that are damaged or made to do harm end as text or as one clear line, and cost this process nothing."""

import io
import os
import re
import resource
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from select import select

import docx
import openpyxl
import pytest

import autoagent
from autoagent.errors import CommandError
from autoagent.loaders import load
from autoagent.loaders.__main__ import MEMORY
from autoagent.loaders.kinds import kind_of

MADE = Path(__file__).parent / "documents"
DAMAGED_S = 5.0
FLAT_MB = 120  # by which this process may grow, with the file it was given
WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
SHEET = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def outcome(name: str, content: bytes) -> str:
    """The text of the file, or the one line that says why there is none."""
    try:
        found = load(name, content)
    except CommandError as error:
        line = str(error)
        assert line
        assert line.isprintable()
        assert len(line) < 400
        return line
    assert "\0" not in found.text
    assert all(note.isprintable() for note in found.notes)
    return found.text


def children() -> list[str]:
    """Of this process; a thread may end while it is asked."""
    found: list[str] = []
    for task in Path("/proc/self/task").glob("*"):
        with suppress(OSError):
            found += (task / "children").read_text().split()
    return found


@pytest.fixture(autouse=True)
def nothing_is_left_and_memory_stays_flat() -> Iterator[None]:
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit - before < FLAT_MB
    assert not children()


# -- damage ---------------------------------------------------------------------------------------------------------


def flipped(content: bytes, seed: int) -> bytes:
    """The content with a hundredth of a percent of its bits turned, at least eight."""
    damaged = bytearray(content)
    for at in range(max(8, len(content) * 8 // 10_000)):
        place = (seed * 7_919 + at * 104_729) % len(damaged)
        damaged[place] ^= 1 << (at % 8)
    return bytes(damaged)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut to 10 bytes": lambda content: content[:10],
    "cut in half": lambda content: content[: len(content) // 2],
    "without its end": lambda content: content[:-200],
    "without its beginning": lambda content: content[100:],
    "with bits turned": lambda content: flipped(content, 1),
}
NAMES = ["chromium.pdf", "writer.docx", "calc.xlsx", "calc.xls", "calc.ods"]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_ends_as_text_or_one_line(name: str, damage: str) -> None:
    started = time.monotonic()
    outcome(name, DAMAGES[damage]((MADE / name).read_bytes()))
    assert time.monotonic() - started < DAMAGED_S


@pytest.mark.parametrize(
    ("name", "wrong"), [("chromium.pdf", ".docx"), ("writer.docx", ".xlsx"), ("calc.xlsx", ".pdf")]
)
def test_a_wrong_ending_does_not_hide_what_a_file_is(name: str, wrong: str) -> None:
    content = (MADE / name).read_bytes()
    assert load(f"a{wrong}", content).text == load(name, content).text


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, "writer.pdf"])
def test_a_file_damaged_anywhere_ends_as_text_or_one_line(name: str) -> None:
    content = (MADE / name).read_bytes()
    for part in range(1, 40):
        for damaged in (content[: len(content) * part // 40], flipped(content, part)):
            started = time.monotonic()
            outcome(name, damaged)
            assert time.monotonic() - started < DAMAGED_S


def test_what_is_left_of_a_cut_pdf_is_read_and_said() -> None:
    found = load("a.pdf", (MADE / "chromium.pdf").read_bytes()[:-600])
    assert "둘째 쪽" in found.text
    assert found.notes == ("The file is cut off or damaged: text may be missing or unreadable.",)


# -- archives -------------------------------------------------------------------------------------------------------


def with_part(content: bytes, name: str, part: bytes) -> bytes:
    """The archive with one part replaced."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            new.writestr(entry, part if entry == name else old.read(entry))
    return file.getvalue()


def empty_docx() -> bytes:
    file = io.BytesIO()
    docx.Document().save(file)
    return file.getvalue()


def empty_xlsx() -> bytes:
    file, book = io.BytesIO(), openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"] = "가"
    book.save(file)
    return file.getvalue()


PARTS = [("a.docx", "word/document.xml", empty_docx), ("a.xlsx", "xl/worksheets/sheet1.xml", empty_xlsx)]


@pytest.mark.parametrize(("name", "part", "make"), PARTS, ids=["docx", "xlsx"])
def test_an_archive_that_declares_a_burst_is_not_opened(name: str, part: str, make: Callable[[], bytes]) -> None:
    """The size in the directory of the archive is set to 3 GB."""
    content = bytearray(with_part(make(), part, b" " * 1_000_000))
    entry = re.search(rb"PK\x01\x02.{42}" + part.encode(), content, re.DOTALL)
    assert entry is not None
    content[entry.start() + 24 : entry.start() + 28] = (3_000_000_000).to_bytes(4, "little")
    assert "would unpack to 3,000," in outcome(name, bytes(content))


@pytest.mark.parametrize(("name", "part", "make"), PARTS, ids=["docx", "xlsx"])
def test_an_archive_that_hides_its_size_gives_no_more_than_it_declares(
    name: str, part: str, make: Callable[[], bytes]
) -> None:
    content = bytearray(with_part(make(), part, b" " * 50_000_000))
    for mark, at in ((rb"PK\x01\x02.{42}", 24), (rb"PK\x03\x04.{26}", 22)):
        entry = re.search(mark + part.encode(), content, re.DOTALL)
        assert entry is not None
        content[entry.start() + at : entry.start() + at + 4] = (100).to_bytes(4, "little")
    assert name in outcome(name, bytes(content))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "part", "make", "head", "piece"),
    [
        (*PARTS[0], f"<w:document {WORD}><w:body>", "<w:p><w:r><w:t>x</w:t></w:r></w:p>"),
        (*PARTS[1], f"<worksheet {SHEET}><sheetData>", '<row><c t="str"><v>xxxxxxxx</v></c></row>'),
    ],
    ids=["docx", "xlsx"],
)
def test_an_archive_that_bursts_within_its_limit_is_stopped_by_memory_or_time(
    name: str, part: str, make: Callable[[], bytes], head: str, piece: str
) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(make())) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            if entry != part:
                new.writestr(entry, old.read(entry))
        with new.open(part, "w") as stream:
            stream.write(head.encode())
            for _ in range(350):
                stream.write(piece.encode() * ((1 << 20) // len(piece)))
    assert outcome(name, file.getvalue())


# -- XML ------------------------------------------------------------------------------------------------------------

LAUGHS = '<!DOCTYPE x [<!ENTITY a0 "하하하하하하하하하하">' + "".join(
    f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)
)
QUADRATIC = f'<!DOCTYPE x [<!ENTITY a11 "{"하" * 100_000}">'


@pytest.mark.parametrize("entities", [LAUGHS, QUADRATIC], ids=["billion laughs", "quadratic"])
@pytest.mark.parametrize(
    ("name", "part", "make", "xml"),
    [
        (*PARTS[0], f"<w:document {WORD}><w:body><w:p><w:r><w:t>%s</w:t></w:r></w:p></w:body></w:document>"),
        (
            *PARTS[1],
            f'<worksheet {SHEET}><sheetData><row r="1"><c r="A1" t="str"><v>%s</v></c></row></sheetData></worksheet>',
        ),
        ("a.xlsx", "xl/workbook.xml", empty_xlsx, f"<workbook {SHEET}><sheets>%s</sheets></workbook>"),
    ],
    ids=["docx", "sheet", "workbook"],
)
def test_entities_do_not_grow(name: str, part: str, make: Callable[[], bytes], xml: str, entities: str) -> None:
    bomb = f'<?xml version="1.0" encoding="UTF-8"?>{entities}]>' + xml % ("&a11;" * 10_000)
    started = time.monotonic()
    assert len(outcome(name, with_part(make(), part, bomb.encode()))) < 1_000
    assert time.monotonic() - started < DAMAGED_S


DEEP = 100_000


@pytest.mark.parametrize(
    ("name", "part", "make", "xml"),
    [
        (*PARTS[0], f"<w:document {WORD}><w:body>" + "<w:tbl><w:tr><w:tc>" * DEEP),
        (*PARTS[0], f"<w:document {WORD}><w:body>" + "<w:sdt>" * DEEP + "</w:sdt>" * DEEP + "</w:body></w:document>"),
        (*PARTS[1], f"<worksheet {SHEET}><sheetData>" + "<row>" * DEEP + "</row>" * DEEP + "</sheetData></worksheet>"),
        ("a.xlsx", "xl/workbook.xml", empty_xlsx, "<a>" * DEEP + "</a>" * DEEP),
    ],
)
def test_deep_nesting_ends_at_once(name: str, part: str, make: Callable[[], bytes], xml: str) -> None:
    started = time.monotonic()
    outcome(name, with_part(make(), part, xml.encode()))
    assert time.monotonic() - started < DAMAGED_S


def test_a_row_number_beyond_any_sheet_ends_at_once() -> None:
    sheet = (
        f'<worksheet {SHEET}><dimension ref="A1:XFD1048576"/><sheetData><row r="999999999999"><c r="A999999999999">'
        "<v>1</v></c></row></sheetData></worksheet>"
    )
    started = time.monotonic()
    outcome("a.xlsx", with_part(empty_xlsx(), "xl/worksheets/sheet1.xml", sheet.encode()))
    assert time.monotonic() - started < DAMAGED_S


def test_a_reader_that_breaks_is_one_line() -> None:
    """Cells in two far corners: a table of 17 thousand million cells ends the child in the middle of its work."""
    sheet = (
        f'<worksheet {SHEET}><sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
        '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
    )
    content = with_part(empty_xlsx(), "xl/worksheets/sheet1.xml", sheet.encode())
    assert outcome("a.xlsx", content).startswith("Reading a.xlsx broke its reader: ")


# -- JSON, CSV, mail ------------------------------------------------------------------------------------------------


def test_deeply_nested_json_is_set_in_lines() -> None:
    text = load("a.json", ('{"a":[' * DEEP + "]}" * DEEP).encode()).text
    assert text.count("\n") > DEEP
    assert len(text) < DEEP * 500


@pytest.mark.parametrize("content", ['"' + "가" * 3_000_000, '"a,' * 1_000_000, "," * 3_000_000, "\n" * 3_000_000])
def test_an_odd_csv_is_still_shown(content: str) -> None:
    started = time.monotonic()
    assert load("a.csv", content.encode()).text == content
    assert time.monotonic() - started < DAMAGED_S


def test_a_mail_of_mails_of_mails_ends_at_once() -> None:
    part = "Content-Type: multipart/mixed; boundary=b{0}\n\n--b{0}\n"
    content = "From: a@example.com\n" + "".join(part.format(n) for n in range(5_000)) + "\nhello"
    started = time.monotonic()
    outcome("a.eml", content.encode())
    assert time.monotonic() - started < DAMAGED_S


# -- PDF ------------------------------------------------------------------------------------------------------------


def pdf(*objects: str | bytes, tail: str = "") -> bytes:
    """A PDF of these objects, the first of which is its root, with a table of where they are."""
    content, places = b"%PDF-1.7\n", list[int]()
    for number, body in enumerate(objects, start=1):
        places.append(len(content))
        content += f"{number} 0 obj\n".encode() + (body if isinstance(body, bytes) else body.encode()) + b"\nendobj\n"
    start = len(content)
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"trailer\n<</Size {len(objects) + 1}/Root 1 0 R {tail}>>\nstartxref\n{start}\n%%EOF\n"
    return content + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{end}".encode()


ROOT = "<</Type/Catalog/Pages 2 0 R>>"
PAGES = "<</Type/Pages/Kids[3 0 R]/Count 1>>"
PAGE = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</Font<<>>>>>>"


def flate(size_mb: int, times: int = 1, piece: bytes = b"(a) Tj ") -> bytes:
    packer = zlib.compressobj(9)
    chunk = piece * ((1 << 20) // len(piece))
    packed = b"".join(packer.compress(chunk) for _ in range(size_mb)) + packer.flush()
    for _ in range(times - 1):
        packed = zlib.compress(packed, 9)
    filters = "/FlateDecode " * times
    return f"<</Length {len(packed)}/Filter[{filters}]>>stream\n".encode() + packed + b"\nendstream"


@pytest.mark.parametrize(
    "content",
    [
        pdf(ROOT, "<</Type/Pages/Kids[2 0 R 2 0 R]/Count 9>>"),
        pdf(ROOT, "<</Type/Pages/Kids[3 0 R]/Count 9>>", "<</Type/Pages/Kids[2 0 R 2 0 R]/Count 9>>"),
        pdf(ROOT, PAGES, PAGE, "4 0 R"),
        pdf("1 0 R"),
        pdf(ROOT, PAGES, PAGE, "[" * DEEP),
        pdf(ROOT, PAGES, PAGE, "<</a" * DEEP),
        pdf(ROOT, PAGES, PAGE, flate(1, piece=b"q [" * 4)),
        pdf(ROOT, PAGES, PAGE, "<<>>", tail="/Prev 9"),
        pdf(ROOT, PAGES, PAGE, "<<>>").replace(b"/Root", b"/Prev 200/Root"),
        pdf(ROOT, "<</Type/Pages/Kids[3 0 R]/Count 999999999999>>", PAGE, "<<>>"),
    ],
    ids=["kids", "kids in turn", "self", "root", "lists", "dicts", "operands", "prev", "prev to itself", "count"],
)
def test_a_pdf_that_goes_in_circles_ends_at_once(content: bytes) -> None:
    started = time.monotonic()
    outcome("a.pdf", content)
    assert time.monotonic() - started < DAMAGED_S


def test_a_table_of_objects_that_comes_before_itself_ends_at_once() -> None:
    content = pdf(ROOT, PAGES, PAGE, "<<>>", tail="/Prev 00000")
    start = re.search(rb"startxref\n(\d+)", content)
    assert start is not None
    started = time.monotonic()
    outcome("a.pdf", content.replace(b"/Prev 00000", b"/Prev %05d" % int(start[1])))
    assert time.monotonic() - started < DAMAGED_S


@pytest.mark.parametrize("times", [1, 2])
def test_a_stream_that_bursts_costs_its_page_only(times: int) -> None:
    started = time.monotonic()
    found = load("a.pdf", pdf(ROOT, PAGES, PAGE, flate(100, times)))
    assert found.notes == ("damaged, could not be read: page 1",)
    assert time.monotonic() - started < 2 * DAMAGED_S


# -- limits ---------------------------------------------------------------------------------------------------------


def test_what_takes_too_long_is_ended_with_all_it_started() -> None:
    started = time.monotonic()
    with pytest.raises(CommandError, match="takes longer than 0 s"):
        load("never-read-before.pdf", (MADE / "chromium.pdf").read_bytes(), within_s=0.01)
    assert time.monotonic() - started < DAMAGED_S


linux = pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux")


@linux
def test_a_reader_has_limits_and_no_environment() -> None:
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(load, "a.pdf", pdf(ROOT, PAGES, PAGE, flate(150)))
        while not (found := children()) or not _has_limits(int(found[0])):
            assert not reading.done()
        names = [line.split(b"=")[0] for line in Path(f"/proc/{found[0]}/environ").read_bytes().split(b"\0") if line]
        assert names == [b"PYTHONPATH"]
        reading.result()


@linux
def test_a_reader_dies_with_the_process_that_wanted_it() -> None:
    """The parent is killed while its child waits for the file."""
    script = (
        "import os, subprocess, sys\n"
        "read, write = os.pipe()\n"
        "child = subprocess.Popen([sys.executable, '-m', 'autoagent.loaders', 'pdf', 'a.pdf', ''], stdin=read)\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        ended = os.pidfd_open(child)
        while not _has_limits(child):
            assert parent.poll() is None
        parent.kill()
        assert select([ended], [], [], 5.0)[0]
        os.close(ended)


def _has_limits(process: int) -> bool:
    """Set after the tie to its parent."""
    return str(MEMORY) in Path(f"/proc/{process}/limits").read_text()


def test_a_missing_library_is_named_with_how_to_get_it() -> None:
    """-S: without the folder of installed packages."""
    script = "from autoagent.loaders import load\ntry: load('a.pdf', b'%PDF-1.7')\nexcept Exception as e: print(e)"
    command = [sys.executable, "-S", "-c", script]
    root = str(Path(autoagent.__file__).parents[1])
    answer = subprocess.run(command, env={"PYTHONPATH": root}, capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout == "Reading a.pdf needs: pip install '.[documents]' in the checkout of autoagent\n"


def test_comments_without_end_are_looked_at_once() -> None:
    started = time.process_time()
    kind_of("a.txt", b"<!---->" * 500 + b"<p>x")
    kind_of("a", b"<!--" + b"-" * 4_000)
    assert time.process_time() - started < 1
