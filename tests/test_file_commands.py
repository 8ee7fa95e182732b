"""The file commands on real files: encodings stay, edits are exact, and what is shown is bounded and says so."""

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import openpyxl
import pytest
from support import env_with

from autoagent.commands import COMMANDS
from autoagent.commands.differences import DIFF_LINES
from autoagent.commands.files import LISTED, MATCHES
from autoagent.env import ABSENT, Change, Excerpt, fingerprint
from autoagent.errors import CommandError
from autoagent.models.tokens import TokenCounter
from autoagent.registry import Registry
from autoagent.sandbox.workspace import Workspace
from autoagent.thoughts import CommandCall

count = TokenCounter("gpt-4o").count
KOREAN = "이것은 한국어 문장입니다. 오늘은 날씨가 좋아서 산책을 갑니다.\n"
REGISTRY = Registry(COMMANDS)


@dataclass
class Desk:
    """A workspace, and what this run has seen of it."""

    root: Path
    files: Workspace
    seen: dict[str, str] = field(default_factory=dict[str, str])
    share_tokens: int = 2_000
    last: Excerpt = field(default_factory=lambda: Excerpt("", ""))

    def call(self, name: str, **args: object) -> str | Change:
        env = env_with(
            files=self.files,
            observation=self.observation,
            seen=self.seen,
            share_tokens=self.share_tokens,
            count=count,
        )
        result = REGISTRY.bind(CommandCall.model_validate({"name": name, "args": args})).run(env)
        if not isinstance(result, Excerpt):
            return cast("str | Change", result)
        self.last = result
        return result.text

    def text(self, name: str, **args: object) -> str:
        result = self.call(name, **args)
        assert isinstance(result, str)
        return result

    def change(self, name: str, **args: object) -> Change:
        """The change, made as the loop makes it."""
        result = self.call(name, **args)
        assert isinstance(result, Change)
        self.files.write_bytes(result.path, result.content, expect=result.before)
        self.seen[result.path] = result.after
        return result

    def observation(self, observation_id: str) -> str:
        if observation_id != "3.1":
            raise CommandError("There is no such observation.")
        return "one\ntwo\nthree"

    def file(self, name: str, content: bytes | str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Workspace(tmp_path) as files:
        yield Desk(tmp_path, files)


# -- encodings ------------------------------------------------------------------------------------------------------

ENCODED = {
    "UTF-8": ("utf-8", b""),
    "UTF-8 with BOM": ("utf-8", codecs.BOM_UTF8),
    "CP949": ("cp949", b""),
    "UTF-16 LE": ("utf-16-le", codecs.BOM_UTF16_LE),
    "UTF-16 BE": ("utf-16-be", codecs.BOM_UTF16_BE),
}


@pytest.mark.parametrize(("encoding", "bom"), ENCODED.values(), ids=ENCODED)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_file_is_read_edited_and_kept_in_its_encoding(desk: Desk, encoding: str, bom: bytes, newline: str) -> None:
    text = (KOREAN * 3 + "끝\n").replace("\n", newline)
    path = desk.file("가.txt", bom + text.encode(encoding))
    assert f"1\t{KOREAN}2\t{KOREAN}" in desk.text("read_file", path="가.txt")
    desk.change("edit_file", path="가.txt", old="끝\n", new="마지막\n둘\n")
    desk.change("append_file", path="가.txt", text="셋\n")
    expected = text.replace("끝", "마지막") + f"둘{newline}셋{newline}"
    assert path.read_bytes() == bom + expected.encode(encoding)
    desk.change("write_file", path="가.txt", text=KOREAN * 2)
    assert path.read_bytes() == bom + (KOREAN * 2).replace("\n", newline).encode(encoding)


def test_reading_says_an_encoding_that_is_not_utf_8(desk: Desk) -> None:
    desk.file("a.txt", KOREAN.encode("cp949"))
    assert desk.text("read_file", path="a.txt").startswith("a.txt, lines 1-1 of 1, encoding cp949\n")


def test_a_character_that_the_encoding_lacks_is_refused_by_name(desk: Desk) -> None:
    desk.file("a.txt", (KOREAN * 3).encode("cp949"))
    with pytest.raises(CommandError, match=r"cp949, which cannot hold '🙂'"):
        desk.call("append_file", path="a.txt", text="🙂")


@pytest.mark.parametrize("name", ["read_file", "edit_file", "append_file"])
def test_a_binary_file_is_named_as_one(desk: Desk, name: str) -> None:
    desk.file("a.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4)
    args = {"read_file": {}, "edit_file": {"old": "a", "new": "b"}, "append_file": {"text": "a"}}[name]
    with pytest.raises(CommandError, match="looks binary"):
        desk.call(name, path="a.png", **args)


# -- writing --------------------------------------------------------------------------------------------------------


def test_a_new_file_is_utf_8_and_its_folders_are_made(desk: Desk) -> None:
    change = desk.change("write_file", path="보고서/요약 1.md", text=KOREAN)
    assert (desk.root / "보고서/요약 1.md").read_text(encoding="utf-8") == KOREAN
    assert (change.path, change.before, change.after) == ("보고서/요약 1.md", ABSENT, fingerprint(KOREAN.encode()))
    assert "written: 1 line" in change.summary
    assert f"+{KOREAN.strip()}" in change.diff


def test_a_change_is_only_shown_until_the_loop_makes_it(desk: Desk) -> None:
    path = desk.file("a.txt", "old\n")
    change = desk.call("write_file", path="a.txt", text="new\n")
    assert isinstance(change, Change)
    assert change.diff == "--- a.txt\n+++ a.txt\n@@ -1 +1 @@\n-old\n+new"
    assert path.read_text() == "old\n"


def test_appending_adds_nothing_that_was_not_asked_for(desk: Desk) -> None:
    path = desk.file("a.txt", "no end")
    assert "+no end, and more" in desk.change("append_file", path="a.txt", text=", and more").diff
    assert path.read_text() == "no end, and more"


@pytest.mark.parametrize(("text", "more"), [("a", "\n"), ("a\n", "\n"), ("", "\n"), ("a", " ")])
def test_a_change_of_white_space_alone_is_shown(desk: Desk, text: str, more: str) -> None:
    desk.file("a.txt", text)
    assert "+" in desk.change("append_file", path="a.txt", text=more).diff.replace("+++", "")


def test_appending_makes_a_file_that_is_not_there(desk: Desk) -> None:
    desk.change("append_file", path="new.txt", text="a\n")
    assert (desk.root / "new.txt").read_text() == "a\n"


@pytest.mark.parametrize(
    ("old", "problem"),
    [
        ("gone", "does not stand"),
        ("same", "more than once"),
        ("aa", "more than once"),
        ("", "is empty"),
        ("Once", "not"),
    ],
)
def test_an_edit_must_match_exactly_once(desk: Desk, old: str, problem: str) -> None:
    path = desk.file("a.txt", "same same\naaa\nonce\n")
    with pytest.raises(CommandError, match=problem):
        desk.call("edit_file", path="a.txt", old=old, new="x")
    assert path.read_text() == "same same\naaa\nonce\n"


def test_an_edit_of_a_missing_file_says_how_to_make_one(desk: Desk) -> None:
    with pytest.raises(CommandError, match="Use write_file"):
        desk.call("edit_file", path="a.txt", old="a", new="b")


def test_an_edit_says_where_it_was_and_replaces_text_as_it_stands(desk: Desk) -> None:
    path = desk.file("a.txt", "one\ntwo\nthree\n")
    assert "replaced at line 2" in desk.change("edit_file", path="a.txt", old="two", new=r"\1 \g<0>").summary
    assert path.read_text() == "one\n\\1 \\g<0>\nthree\n"


@pytest.mark.parametrize("args", [{"name": "write_file", "text": "x"}, {"name": "edit_file", "old": "b", "new": "c"}])
def test_a_file_that_changed_since_it_was_read_is_not_overwritten(desk: Desk, args: dict[str, str]) -> None:
    path = desk.file("a.txt", "a\n")
    desk.text("read_file", path="a.txt")
    path.write_text("b\n")
    with pytest.raises(CommandError, match="was changed since you last read it"):
        desk.call(args["name"], path="./a.txt", **{key: value for key, value in args.items() if key != "name"})
    desk.text("read_file", path="a.txt")
    desk.change(args["name"], path="a.txt", **{key: value for key, value in args.items() if key != "name"})


def test_a_file_that_this_run_wrote_can_be_written_again(desk: Desk) -> None:
    for text in ("a\n", "b\n"):
        desk.change("write_file", path="a.txt", text=text)
    assert (desk.root / "a.txt").read_text() == "b\n"


def test_the_difference_is_cut_and_says_so(desk: Desk) -> None:
    diff = desk.change("write_file", path="a.txt", text="line\n" * 1_000).diff
    assert len(diff.splitlines()) == DIFF_LINES + 1
    assert diff.endswith("more lines of difference")


def test_a_huge_rewrite_is_shown_at_once(desk: Desk) -> None:
    lines = [f"line {n}\n" for n in range(20_000)]
    desk.file("a.txt", "".join(lines))
    mixed = [line if n % 2 else f"new {n}\n" for n, line in enumerate(lines)]
    diff = desk.change("write_file", path="a.txt", text="".join(mixed)).diff
    assert "-line 0\n" in diff
    assert "+new 0\n" in diff
    assert "more lines" in diff


# -- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [200, 2_000])
def test_a_large_file_is_paged_within_the_share(desk: Desk, share: int) -> None:
    desk.share_tokens = share
    lines = [f"line {n}: some words to read" for n in range(1, 180_001)]
    desk.file("a.txt", "\n".join(lines))
    shown, offset = list[str](), 1
    for _ in range(3):
        page = desk.text("read_file", path="a.txt", offset=offset, limit=10**9)
        assert count(page) <= share
        *body, more = page.split("\n")[1:]
        shown += [line.partition("\t")[2] for line in body]
        assert more == f"[… more: offset={offset + len(body)}]"
        offset += len(body)
    assert shown == lines[: len(shown)]
    last = desk.text("read_file", path="a.txt", offset=180_000)
    assert last == "a.txt, lines 180000-180000 of 180000\n180000\tline 180000: some words to read"


def test_200_lines_are_read_unless_told(desk: Desk) -> None:
    desk.share_tokens = 100_000
    desk.file("a.txt", "a\n" * 300)
    page = desk.text("read_file", path="a.txt")
    assert page.startswith("a.txt, lines 1-200 of 300\n")
    assert page.endswith("\n[… more: offset=201]")


def test_a_long_line_is_cut_and_says_how_much_is_missing(desk: Desk) -> None:
    desk.file("a.txt", "x" * 1_000_000 + "\nend\n")
    page = desk.text("read_file", path="a.txt")
    assert "[… 998,000 more characters in this line]\n2\tend" in page
    assert count(page) <= desk.share_tokens


def test_an_offset_beyond_the_end_says_where_the_end_is(desk: Desk) -> None:
    desk.file("a.txt", "a\nb\n")
    with pytest.raises(CommandError, match="has 2 lines; line 3 is beyond"):
        desk.text("read_file", path="a.txt", offset=3)


@pytest.mark.parametrize("args", [{"offset": 0}, {"limit": 0}, {"offset": -1}])
def test_lines_count_from_one(desk: Desk, args: dict[str, int]) -> None:
    desk.file("a.txt", "a\n")
    with pytest.raises(CommandError, match="count lines from 1"):
        desk.text("read_file", path="a.txt", **args)


def test_an_empty_file_is_said_to_be_empty(desk: Desk) -> None:
    desk.file("a.txt", "")
    assert desk.text("read_file", path="a.txt") == "a.txt is empty."


def test_an_observation_is_paged_like_a_file(desk: Desk) -> None:
    assert desk.text("read_observation", id="3.1", offset=2) == "observation 3.1, lines 2-3 of 3\ntwo\nthree"
    with pytest.raises(CommandError, match="no such observation"):
        desk.text("read_observation", id="9.9")


@pytest.mark.parametrize("name", ["read_file", "list_files", "search_files", "write_file", "append_file", "edit_file"])
def test_no_command_leaves_the_workspace(desk: Desk, name: str) -> None:
    args = {
        "search_files": {"query": "a"}, "write_file": {"text": ""}, "append_file": {"text": ""},
        "edit_file": {"old": "a", "new": "b"},
    }.get(name, {})  # fmt: skip
    with pytest.raises(CommandError, match="outside the workspace"):
        desk.call(name, path="../x", **args)


@pytest.mark.parametrize("name", ["read_file", "list_files", "search_files"])
def test_a_missing_file_is_named(desk: Desk, name: str) -> None:
    with pytest.raises(CommandError, match=r"'없는\.txt' does not exist"):
        desk.call(name, path="없는.txt", **({"query": "a"} if name == "search_files" else {}))


# -- listing and searching ------------------------------------------------------------------------------------------


def test_a_listing_shows_files_and_folders_with_sizes(desk: Desk) -> None:
    desk.file("b/가.md", "abc")
    desk.file("a.txt", "a")
    assert desk.text("list_files") == ".: 2 files, 1 folder\na.txt\t1 bytes\nb/\nb/가.md\t3 bytes"
    assert desk.text("list_files", pattern="*.md") == ".: 1 file, 0 folders\nb/가.md\t3 bytes"
    assert desk.text("list_files", path="b") == "b: 1 file, 0 folders\nb/가.md\t3 bytes"


def test_a_long_listing_is_cut_and_counted(desk: Desk) -> None:
    for n in range(LISTED + 5):
        desk.file(f"{n:05}.txt", "")
    listed = desk.text("list_files").splitlines()
    assert listed[0] == ".: 1,005 files, 0 folders"
    assert listed[-1].startswith("… and 5 more")
    assert len(listed) == LISTED + 2


def test_a_search_finds_lines_in_every_encoding(desk: Desk) -> None:
    desk.file("가/a.txt", (KOREAN * 3).encode("cp949"))
    desk.file("b.txt", KOREAN)
    found = desk.text("search_files", query="산책을")
    assert found.startswith("4 matches in 2 files\n")
    assert f"가/a.txt:3\t{KOREAN.strip()}" in found


def test_a_search_takes_text_as_it_stands_unless_told(desk: Desk) -> None:
    desk.file("a.txt", "a.c\nabc\nABC\n")
    assert desk.text("search_files", query="a.c").startswith("1 match in 1 file")
    assert desk.text("search_files", query="a.c", regex=True).startswith("2 matches in 1 file")
    assert desk.text("search_files", query="abc", path="a.txt").startswith("2 matches in 1 file")


def test_a_bad_expression_is_told(desk: Desk) -> None:
    with pytest.raises(CommandError, match="not valid"):
        desk.text("search_files", query="(", regex=True)


def test_a_match_far_along_a_line_is_found_and_shown(desk: Desk) -> None:
    desk.file("a.json", "x" * 500_000 + " needle " + "y" * 500_000)
    found = desk.text("search_files", query="NEEDLE")
    assert found.startswith("1 match in 1 file\n")
    assert " needle " in found
    assert len(found) < 500


def test_many_matches_are_cut_and_counted(desk: Desk) -> None:
    desk.file("a.txt", "hit\n" * 300)
    desk.file("b.txt", "hit\n" * 10)
    found = desk.text("search_files", query="hit").splitlines()
    assert found[0] == "310 matches in 2 files"
    assert found[-1].startswith("… and 110 more")
    assert len(found) == MATCHES + 2


def test_what_a_search_passes_over_is_named(desk: Desk) -> None:
    desk.file(".env", "KEY=hit")
    desk.file("sub/.ENV.local", "KEY=hit")
    desk.file("big.log", b"hit\n" * (3 << 20))
    desk.file("a.bin", b"\x7fELF\0\1\2hit")
    desk.file(".git/objects/x", "hit")
    found = desk.text("search_files", query="hit")
    assert (
        found == "0 matches: no line holds 'hit' (1 file searched)\nNot searched: .env, a.bin, big.log, sub/.ENV.local"
    )


def test_a_link_is_not_searched_through(desk: Desk) -> None:
    desk.file("secret/a.txt", "hit")
    (desk.root / "link").symlink_to("secret")
    assert desk.text("search_files", query="hit").startswith("1 match in 1 file")


# -- documents ------------------------------------------------------------------------------------------------------

DOCUMENTS = Path(__file__).parent / "documents"


def test_a_document_is_read_with_its_kind_and_what_is_missing(desk: Desk) -> None:
    desk.file("보고서.xlsx", (DOCUMENTS / "calc.xlsx").read_bytes())
    page = desk.text("read_file", path="보고서.xlsx").split("\n")
    assert page[:3] == [
        "보고서.xlsx, lines 1-7 of 7, XLSX, 2 sheets",
        "hidden in the file: sheet 숨긴 것",
        "1\t[sheet 매출 2026]",
    ]
    assert page[4] == "3\tA2\t2026-01-02\t서울 🙂\t1204.5\t0.12\t1349.04"


def test_a_long_document_is_paged_within_the_share(desk: Desk) -> None:
    desk.share_tokens = 300
    book = openpyxl.Workbook()
    assert book.active is not None
    for n in range(3_000):
        book.active.append([n, f"이름 {n}", "=A1"])
    file = io.BytesIO()
    book.save(file)
    desk.file("a.xlsx", file.getvalue())
    page = desk.text("read_file", path="a.xlsx", offset=2_000)
    assert count(page) <= 300
    assert "\n2000\tA1999\t1998\t이름 1998\t=A1 (formula)\n" in page


def test_the_shape_of_a_csv_stands_above_its_own_lines(desk: Desk) -> None:
    desk.file("a.csv", "날짜;지역\n2026-01-02;서울\n".encode("cp949"))
    assert desk.text("read_file", path="a.csv").split("\n") == [
        "a.csv, lines 1-2 of 2, CSV, 1 row, 2 columns: 날짜; 지역, delimiter ';', encoding cp949",
        "1\t날짜;지역",
        "2\t2026-01-02;서울",
    ]


def test_a_page_is_read_as_text_and_searched_in_its_source(desk: Desk) -> None:
    desk.file("a.html", f"<!doctype html><html><body>\n<h1>날씨</h1><p>{KOREAN}</p></body></html>")
    page = desk.text("read_file", path="a.html")
    assert "<h1>" not in page
    assert "산책을" in page
    assert "source=true" in page
    assert "2\t<h1>날씨</h1>" in desk.text("read_file", path="a.html", source=True)
    assert "a.html (source):2\t<h1>날씨</h1>" in desk.text("search_files", query="<h1>")


def test_a_search_finds_the_lines_of_documents_as_they_are_read(desk: Desk) -> None:
    for name in ("chromium.pdf", "writer.docx", "calc.xlsx"):
        desk.file(f"sub/{name}", (DOCUMENTS / name).read_bytes())
    desk.file("broken.pdf", b"%PDF-1.7 \0\1\2\xff")
    found = desk.text("search_files", query="서울")
    assert found.startswith("5 matches in 3 files\n")
    assert "sub/calc.xlsx:3\tA2\t2026-01-02\t서울 🙂" in found
    assert "sub/chromium.pdf:3\t서울 지역의 매출은" in found
    assert found.endswith("Not searched: broken.pdf")
    assert "3\t서울 지역의 매출은" in desk.text("read_file", path="sub/chromium.pdf")


def test_a_document_is_not_written_over_as_text(desk: Desk) -> None:
    desk.file("a.pdf", (DOCUMENTS / "chromium.pdf").read_bytes())
    desk.text("read_file", path="a.pdf")
    with pytest.raises(CommandError, match="PDF document"):
        desk.call("edit_file", path="a.pdf", old="서울", new="부산")


def test_a_whole_document_with_a_note_is_not_called_clipped(desk: Desk) -> None:
    desk.file("a.html", f"<!doctype html><html><body><h1>날씨</h1><p>{KOREAN}</p></body></html>")
    result = desk.call("read_file", path="a.html")
    assert isinstance(result, str)
    assert desk.last.whole == ""


def test_lines_that_were_asked_for_and_do_not_fit_are_kept_whole(desk: Desk) -> None:
    desk.file("a.txt", "".join(f"line {n}\n" for n in range(5_000)))
    shown = desk.text("read_file", path="a.txt", limit=4_000)
    assert "line 3999" not in shown
    assert "3999\tline 3998" in desk.last.whole


def test_an_edit_that_fits_twice_names_the_lines(desk: Desk) -> None:
    desk.file("a.txt", "same\nother\nsame\n")
    with pytest.raises(CommandError, match=r"lines 1, 3"):
        desk.call("edit_file", path="a.txt", old="same", new="x")
