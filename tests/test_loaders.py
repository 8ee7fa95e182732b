"""Documents as lines of text: what other programs wrote is read whole, and what is missing is said."""

import datetime
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pypdf
import pytest
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfgen.canvas import Canvas

from autoagent.errors import CommandError
from autoagent.loaders import load
from autoagent.loaders.document import Document
from autoagent.loaders.kept import Kept

MADE = Path(__file__).parent / "documents"
KOREAN = "오늘은 날씨가 좋아서 산책을 갑니다"


def made(name: str) -> Document:
    return load(name, (MADE / name).read_bytes())


def pdf(pages: Sequence[str], **options: Any) -> bytes:
    """One page a text, drawn by reportlab; "" is a page with a box only."""
    file = io.BytesIO()
    canvas = Canvas(file, **options)
    for text in pages:
        canvas.rect(10, 10, 50, 50)
        for at, line in enumerate(text.splitlines()):
            canvas.drawString(72, 720 - 14 * at, line)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def workbook(fill: Callable[[openpyxl.Workbook], object]) -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    fill(book)
    book.save(file)
    return file.getvalue()


def sheet(*rows: Sequence[object]) -> bytes:
    return workbook(lambda book: [book.active.append(row) for row in rows])  # type: ignore[union-attr]


def saved(document: Any) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


# -- PDF ------------------------------------------------------------------------------------------------------------


def test_a_page_printed_by_chromium_keeps_its_words_apart() -> None:
    found = made("chromium.pdf")
    assert found.kind == "PDF, 2 pages"
    assert "서울 지역의 매출은 1,204만 원으로 지난 분기보다 12% 늘었다." in found.text.split("\n")
    assert found.text.endswith("[page 2]\n둘째 쪽\nRevenue grew by 12% in Q3. 끝.")


def test_a_document_of_libreoffice_is_read_from_its_pdf() -> None:
    lines = made("writer.pdf").text.split("\n")
    assert lines[0] == "[page 1]"
    assert "서울 지역의 매출은 12% 늘었다." in lines
    assert "1. 하나" in lines


def test_a_font_without_a_table_of_characters_is_read() -> None:
    registerFont(UnicodeCIDFont("HYSMyeongJo-Medium"))
    file = io.BytesIO()
    canvas = Canvas(file)
    canvas.setFont("HYSMyeongJo-Medium", 12)
    canvas.drawString(72, 720, KOREAN)
    canvas.save()
    assert KOREAN in load("a.pdf", file.getvalue()).text


def test_pages_without_text_are_named() -> None:
    found = load("a.pdf", pdf(["one", "", "", "four", ""]))
    assert found.notes == ("no text on pages 2-3, 5 (scanned images?)",)
    assert found.text == "[page 1]\none\n[page 2]\n[page 3]\n[page 4]\nfour\n[page 5]"


def test_a_pdf_encrypted_for_printing_only_is_read() -> None:
    writer = pypdf.PdfWriter(io.BytesIO(pdf(["open to all"])))
    writer.encrypt("", "owner", algorithm="AES-256")
    file = io.BytesIO()
    writer.write(file)
    assert "open to all" in load("a.pdf", file.getvalue()).text


def test_a_pdf_with_a_password_is_said_to_have_one() -> None:
    writer = pypdf.PdfWriter(io.BytesIO(pdf(["secret"])))
    writer.encrypt("열려라", "owner", algorithm="AES-256")
    file = io.BytesIO()
    writer.write(file)
    with pytest.raises(CommandError, match=r"^a\.pdf is a PDF locked with a password"):
        load("a.pdf", file.getvalue())


def test_what_was_filled_into_a_form_is_shown() -> None:
    file = io.BytesIO()
    canvas = Canvas(file)
    canvas.drawString(72, 720, "Application")
    canvas.acroForm.textfield(name="applicant", value="Hong Gildong", x=72, y=680)
    canvas.save()
    assert load("a.pdf", file.getvalue()).text.endswith("[form]\napplicant: Hong Gildong")


@pytest.mark.slow
def test_a_pdf_of_500_pages_is_read_whole() -> None:
    found = load("a.pdf", pdf([f"page number {n}\n" + "some words of a line\n" * 40 for n in range(1, 501)]))
    assert found.kind == "PDF, 500 pages"
    assert found.notes == ()
    assert "[page 500]\npage number 500" in found.text


def test_a_pdf_is_known_by_its_content_whatever_its_name() -> None:
    assert load("https://example.org/get?id=3", pdf(["hello"]), content_type="text/plain").kind == "PDF, 1 page"


# -- DOCX -----------------------------------------------------------------------------------------------------------


def test_a_document_of_libreoffice_is_read_in_its_order() -> None:
    found = made("writer.docx")
    assert found.text.split("\n") == [
        "[header] 대외비 머리글",
        "[footer] 바닥글 1쪽",
        "# 분기 보고서 🙂",
        "서울 지역의 매출은 12% 늘었다.",
        "- 첫째",
        "- 둘째",
        "1. 하나",
        "2. 둘",
        "지역 | 매출",
        "서울 | 아래 표 / [안쪽 가 | 안쪽 나]",
        "## Second part",
        "After the table.",
        "[comments]",
        "Kim: 검토 필요",
    ]


def test_lists_are_marked_where_only_their_style_says_so() -> None:
    document = docx.Document()
    for text, style in (("점", "List Bullet"), ("하나", "List Number"), ("둘", "List Number")):
        document.add_paragraph(text, style=style)
    assert load("a.docx", saved(document)).text == "- 점\n1. 하나\n2. 둘"


def test_text_in_a_content_control_or_an_insertion_is_read_and_deleted_text_is_not() -> None:
    document = docx.Document()
    for number, tag in enumerate(("w:ins", "w:del", "w:hyperlink")):
        run = document.add_paragraph(f"{number}").add_run(" within")
        wrapper = OxmlElement(tag)
        run._element.addprevious(wrapper)
        wrapper.append(run._element)
    control, content = OxmlElement("w:sdt"), OxmlElement("w:sdtContent")
    control.append(content)
    last = document.add_paragraph("양식에 쓴 글")._element
    last.addprevious(control)
    content.append(last)
    assert load("a.docx", saved(document)).text == "0 within\n1\n2 within\n양식에 쓴 글"


def test_a_merged_cell_is_shown_once() -> None:
    document = docx.Document()
    table = document.add_table(2, 3)
    table.cell(0, 0).merge(table.cell(0, 2)).text = "제목"
    for at, text in enumerate("가나다"):
        table.cell(1, at).text = text
    assert load("a.docx", saved(document)).text == "제목\n가 | 나 | 다"


def test_hidden_text_is_left_out_and_said() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("보이는 글")
    paragraph.add_run(" 숨긴 글").font.hidden = True
    paragraph.add_run("\u200b\U000e0041.")
    found = load("a.docx", saved(document))
    assert found.text == "보이는 글."
    assert found.notes == ("5 characters of hidden text left out",)


def test_a_footnote_stands_below_with_its_mark_in_the_text() -> None:
    document = docx.Document()
    reference = OxmlElement("w:footnoteReference")
    reference.set(qn("w:id"), "2")
    document.add_paragraph("본문").add_run()._element.append(reference)
    notes = (
        '<w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        '<w:footnote w:type="separator" w:id="0"><w:p/></w:footnote>'
        '<w:footnote w:id="2"><w:p><w:r><w:t>출처: 통계청</w:t></w:r></w:p></w:footnote></w:footnotes>'
    )
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    part = Part(PackURI("/word/footnotes.xml"), kind, notes.encode(), document.part.package)
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    assert load("a.docx", saved(document)).text == "본문[^2]\n[footnotes]\n[^2] 출처: 통계청"


# -- workbooks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["xlsx", "xls", "ods"])
def test_a_workbook_of_libreoffice_is_read_with_the_values_of_its_formulas(ending: str) -> None:
    found = made(f"calc.{ending}")
    assert found.kind == f"{ending.upper()}, 2 sheets"
    assert "hidden in the file: sheet 숨긴 것" in found.notes
    error = "\t\t#DIV/0!" if ending == "xlsx" else ""  # the others do not tell, and say so
    assert found.text.split("\n") == [
        "[sheet 매출 2026]",
        "A1\t날짜\t지역\t매출\t비율\t합계",
        "A2\t2026-01-02\t서울 🙂\t1204.5\t0.12\t1349.04",
        "A3\t2026-01-03 09:30:00\t부산 / 해운대\t873\t0.3\t1134.9",
        f"A4\t합계\t\t2077.5{error}",
        "[sheet 숨긴 것]",
        "C5\t비밀 메모",
    ]
    assert any("#DIV/0!" in note for note in found.notes) == (ending != "xlsx")


def test_formulas_that_were_never_calculated_are_shown_and_named() -> None:
    found = load("a.xlsx", sheet([1, 2, "=A1+B1"], ['=IF(A1<2,"예 & 아니오","")']))
    assert found.text.split("\n")[1:] == ["A1\t1\t2\t=A1+B1 (formula)", 'A2\t=IF(A1<2,"예 & 아니오","") (formula)']
    assert found.notes == ("never calculated, so shown as (formula): 2 cells of sheet Sheet: C1, A2",)


def test_a_formula_that_gave_no_text_was_calculated() -> None:
    content, file = sheet(["가", "=A1"]), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for entry in old.namelist():
            part = old.read(entry)
            new.writestr(entry, part.replace(b'<c r="B1">', b'<c r="B1" t="str">').replace(b"<v />", b"<v></v>"))
    found = load("a.xlsx", file.getvalue())
    assert found.notes == ()
    assert found.text.endswith("A1\t가")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1 + 0.2, "0.3"),
        (3.0, "3"),
        (-1234567.25, "-1234567.25"),
        (123456789012, "123456789012"),
        (True, "TRUE"),
        (datetime.date(2024, 2, 29), "2024-02-29"),
        (datetime.datetime.fromisoformat("2024-02-29T23:59:30"), "2024-02-29 23:59:30"),
        (datetime.time(8, 5), "08:05:00"),
        (datetime.timedelta(hours=30, minutes=1), "30:01:00"),
        ("가\n나\t다 🙂", "가 / 나 다 🙂"),
    ],
)
def test_a_value_is_shown_as_a_person_knows_it(value: object, shown: str) -> None:
    assert load("a.xlsx", sheet([value])).text == f"[sheet Sheet]\nA1\t{shown}"


def test_columns_align_and_the_address_is_of_the_first_cell_shown() -> None:
    def fill(book: openpyxl.Workbook) -> None:
        page = book.create_sheet("표 (2)", 0)
        for address, value in (("C3", "a"), ("E3", "b"), ("D7", "c"), ("AB7", "d")):
            page[address] = value

    lines = load("a.xlsx", workbook(fill)).text.split("\n")
    assert lines[:3] == ["[sheet 표 (2)]", "C3\ta\t\tb", "C7\t\tc" + "\t" * 24 + "d"]


def test_percent_and_currency_are_their_value() -> None:
    def fill(book: openpyxl.Workbook) -> None:
        page = book.active
        assert page is not None
        for address, value, format in (("A1", 0.5, "0%"), ("B1", 1204.5, '"₩"#,##0'), ("C1", 45000, 'yyyy"년" m"월"')):
            page[address] = value
            page[address].number_format = format

    assert load("a.xlsx", workbook(fill)).text.endswith("A1\t0.5\t1204.5\t2023-03-15")


# -- CSV ------------------------------------------------------------------------------------------------------------

ROWS = [["날짜", "지역", "메모"], ["2026-01-02", "서울", "비가 왔다"], ["2026-01-03", "부산", "두\n줄"]]


@pytest.mark.parametrize(("delimiter", "named"), [(",", "','"), (";", "';'"), ("\t", "tab"), ("|", "'|'")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
def test_a_csv_is_described_and_stands_as_it_is(delimiter: str, named: str, encoding: str) -> None:
    text = "".join(delimiter.join(f'"{cell}"' if "\n" in cell else cell for cell in row) + "\n" for row in ROWS)
    found = load("a.csv", text.encode(encoding))
    assert found.text == text
    assert found.kind.startswith(f"CSV, 2 rows, 3 columns: 날짜; 지역; 메모, delimiter {named}")
    assert (", encoding cp949" in found.kind) == (encoding == "cp949")


def test_a_csv_without_a_header_says_so() -> None:
    assert load("a.csv", b"1,2\n3,4\n").kind == "CSV, 2 rows, 2 columns without a header, delimiter ','"


def test_commas_in_the_numbers_of_a_table_with_semicolons_are_no_delimiters() -> None:
    assert "3 columns: a; b; c, delimiter ';'" in load("a.csv", b"a;b;c\n1,5;2,5;3,5\n4,5;5;6,5\n").kind


# -- JSON, text, pages ----------------------------------------------------------------------------------------------


def test_json_on_one_line_is_set_in_lines_without_a_change_of_numbers() -> None:
    text = (
        json.dumps({"이름": ["🙂", {}, []], "n": list(range(1_000))})[:-1] + ', "x": 1.10, "y": 1e999, "z": "a\\u0007"}'
    )
    found = load("a.json", text.encode())
    assert found.kind == "JSON"
    assert found.notes == ("The file is JSON on one line; these lines are not those of the file.",)
    assert found.text.startswith('{\n  "이름": [\n    "🙂",\n    {},\n    []\n  ],\n  "n": [\n    0,\n')
    assert found.text.endswith('  "x": 1.10,\n  "y": 1e999,\n  "z": "a\\u0007"\n}')


@pytest.mark.parametrize(
    "text", ['{\n"a": 1}' + " " * 3_000, '{"a": 1}', "[" + "1," * 3_000, "{" + '"' * 3_001, "0" * 3_000]
)
def test_json_that_has_lines_is_short_or_is_no_json_stands_as_it_is(text: str) -> None:
    assert load("a.json", text.encode()) == Document(text, "text")


@pytest.mark.parametrize("name", ["a.md", "a.txt", "a.py", "README", "a.php"])
def test_text_stands_as_it_is(name: str) -> None:
    assert load(name, f"<p>{KOREAN}</p>\n".encode()) == Document(f"<p>{KOREAN}</p>\n", "text")
    assert load(name, (KOREAN * 3).encode("cp949")) == Document(KOREAN * 3, "text, encoding cp949")


def test_a_file_with_the_name_of_a_document_that_is_text_is_read_and_said() -> None:
    assert load("a.xlsx", "날짜,값\n".encode()).notes == ("The name is that of a document, but the file is text.",)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "PNG image, 264 bytes"),
        ("a.pdf", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "PNG image, 264 bytes|damaged"),
        ("a.hwp", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500 + b"HWP Document File", "HWP document"),
        (
            "a.docx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "locked with a password",
        ),
    ],
)
def test_another_binary_kind_is_refused_by_name(name: str, content: bytes, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        load(name, content)


def test_an_archive_is_no_document() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/readme.txt", KOREAN)
    with pytest.raises(CommandError, match="ZIP archive"):
        load("a.zip", file.getvalue())


# -- e-mail ---------------------------------------------------------------------------------------------------------


def message(**headers: str) -> EmailMessage:
    letter = EmailMessage()
    for name, value in (
        {"From": "홍길동 <hong@example.com>", "To": "kim@example.org", "Subject": "회의 🙂"} | headers
    ).items():
        letter[name] = value
    return letter


def test_a_mail_is_read_with_its_headers_and_attachments() -> None:
    letter = message(Date="Tue, 24 Nov 2026 09:00:00 +0900")
    letter.set_content(f"{KOREAN}\n끝.\n")
    letter.add_alternative("<p>as a page</p>", subtype="html")
    letter.add_attachment(b"x" * 1_234, maintype="application", subtype="pdf", filename="보고서.pdf")
    found = load("a.eml", bytes(letter))
    assert found.kind == "e-mail, 1 attachment"
    assert found.text.split("\n") == [
        "From: 홍길동 <hong@example.com>",
        "To: kim@example.org",
        "Date: Tue, 24 Nov 2026 09:00:00 +0900",
        "Subject: 회의 🙂",
        "",
        KOREAN,
        "끝.",
        "",
        "[attachments]",
        "- 보고서.pdf, application/pdf, 1,234 bytes",
    ]


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("euc-kr", "cp949"),
        ("ks_c_5601-1987", "cp949"),
        ("ISO-2022-KR", "iso2022_kr"),
        ("", "cp949"),
        ("x-nix", "utf-8"),
    ],
)
def test_a_mail_is_read_in_its_charset(charset: str, codec: str) -> None:
    head = f"From: a@example.com\nContent-Type: text/plain{f'; charset={charset}' if charset else ''}\n"
    body = f"{KOREAN}. 오늘은 비가 온다.\n"
    letter = f"{head}Content-Transfer-Encoding: 8bit\n\n".encode() + body.encode(codec)
    assert load("a.eml", letter).text.endswith(body.strip())


def test_a_subject_in_an_encoding_that_is_not_named_is_read() -> None:
    letter = b"From: a@example.com\nSubject: " + KOREAN.encode("cp949") + b"\n\nhello\n"
    assert f"Subject: {KOREAN}" in load("a.eml", letter).text


def test_a_mail_that_is_a_page_is_read_as_text() -> None:
    letter = message()
    letter.set_content(f"<html><body><p>{KOREAN}</p></body></html>", subtype="html", charset="euc-kr")
    found = load("a.eml", bytes(letter))
    assert KOREAN in found.text
    assert "<p>" not in found.text


# -- kept -----------------------------------------------------------------------------------------------------------


def test_threads_that_want_the_same_document_wait_for_one_reading() -> None:
    kept, made_by = Kept(), list[int]()

    def make() -> Document:
        made_by.append(1)
        return Document(KOREAN, "text")

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda _: kept.get("key", make).text, range(200))) == {KOREAN}
    assert len(made_by) == 1


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    kept, made_of = Kept(limit=25_000), list[str]()

    def get(name: str) -> None:
        def make() -> Document:
            made_of.append(name)
            return Document("x" * 10_000, "text")

        kept.get(name, make)

    for name in ("a", "b", "a", "c", "a", "b"):
        get(name)
    assert made_of == ["a", "b", "c", "b"]
