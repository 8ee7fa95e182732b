"""`read_many` on real files: what matters for a question in all of them, with the lines that read_file shows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import World, env_with, observations, outcomes

from autoagent.commands import COMMANDS
from autoagent.commands.reading import FILES, MOST_CHARS, NAMED, NOBODY
from autoagent.env import Excerpt, fingerprint
from autoagent.errors import CommandError
from autoagent.models.tokens import TokenCounter
from autoagent.registry import Registry
from autoagent.sandbox.workspace import Workspace
from autoagent.testing import ModelServer, thought
from autoagent.thoughts import CommandCall

DOCUMENTS = Path(__file__).parent / "documents"
REGISTRY = Registry(COMMANDS)
QUESTION = "What is the budget of Falcon?"
FILLER = "Nothing of note was said about the office that week.\n\n" * 30
GIVE_UP = thought(commands=[("give_up", {"reason": "enough"})])
count = TokenCounter("gpt-4o").count


@dataclass
class Desk:
    """A workspace, and what this run has seen of it."""

    root: Path
    files: Workspace
    seen: dict[str, str] = field(default_factory=dict[str, str])

    def write(self, name: str, text: str | bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def call(self, name: str, share_tokens: int, **args: object) -> Excerpt:
        env = env_with(files=self.files, seen=self.seen, share_tokens=share_tokens, count=count)
        result = REGISTRY.bind(CommandCall.model_validate({"name": name, "args": args})).run(env)
        assert isinstance(result, Excerpt)
        return result

    def read(self, *paths: str, question: str = QUESTION, share_tokens: int = 4_000) -> str:
        return self.call("read_many", share_tokens, paths=list(paths), question=question).text

    def names(self, *paths: str) -> list[str]:
        """The files that are read, in their order."""
        self.seen.clear()
        self.read(*paths)
        return list(self.seen)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "ws").mkdir()
    workspace = Workspace(tmp_path / "ws")
    yield Desk(tmp_path / "ws", workspace)
    workspace.close()


def block(text: str, name: str) -> list[str]:
    """The lines that are shown of one file, behind their numbers; notes on the file may stand above them."""
    _, _, behind = f"\n{text}".partition(f"\n{name}, ")
    found = re.match(r"[^\n]*\n(?:[^\n\t]*\n)*?((?:(?:\d+\t|…|\[…)[^\n]*(?:\n|$))+)", behind)
    return [line for line in found[1].split("\n") if re.match(r"\d+\t", line)] if found else []


def test_what_matters_of_several_files_stands_under_each(desk: Desk) -> None:
    desk.write("notes/a.md", f"# Falcon\n\n{FILLER}The budget of Falcon is 4,200 euros.\n\n{FILLER}")
    desk.write("notes/b.md", f"{FILLER}Falcon had a budget of 3,900 euros before.\n")
    desk.write("notes/c.md", FILLER)
    text = desk.read("notes/*.md", share_tokens=1_000)
    assert text.startswith("2 of 3 files answer")
    assert "63\tThe budget of Falcon is 4,200 euros." in block(text, "notes/a.md")
    assert "61\tFalcon had a budget of 3,900 euros before." in block(text, "notes/b.md")
    assert "holds none of the question's words (it may say it in others): notes/c.md" in text


def test_files_that_fit_together_are_shown_whole_whatever_language_they_are_in(desk: Desk) -> None:
    desk.write("lease.md", "# Mietvertrag\n\nDie Kündigungsfrist beträgt drei Monate.\n")
    desk.write("rooms.csv", "room,rent\n" + "".join(f"R{n},{n}00\n" for n in range(9)))
    for n in range(11):
        desk.write(f"notes/{n}.md", f"Nothing of note in week {n}.\n")
    result = desk.call("read_many", 4_000, paths=["**"], question="What is the notice period of the lease?")
    assert result.text.startswith("13 files, shown whole\n")
    assert "3\tDie Kündigungsfrist beträgt drei Monate." in block(result.text, "lease.md")
    assert block(result.text, "rooms.csv")[0] == "1\troom,rent"
    assert len(block(result.text, "rooms.csv")) == 10
    assert all(block(result.text, f"notes/{n}.md") == [f"1\tNothing of note in week {n}."] for n in range(11))
    assert set(result.whole.split("\n")) < set(result.text.split("\n"))  # so nothing is said to be clipped


FILES_OF_EVERY_KIND = {
    "a.md": f"# Falcon\n\n{FILLER}The budget is 4,200 euros.\n\n```\n{'code of the budget' * 3}\nmore\n```\n\n{FILLER}",
    "b.csv": "project,budget\n" + "".join(f"p{n},{n}\n" for n in range(40)) + "Falcon,4200\n",
    "c.html": f"<html><body><main><h1>Falcon</h1>{'<p>Rain fell on the office.</p>' * 20}<p>The budget of Falcon is "
    "4,200 euros.</p><table><tr><th>what</th><th>budget</th></tr><tr><td>Falcon</td><td>4200</td></tr></table>"
    "</main></body></html>",
    "d.json": '{"projects": [{"name": "Falcon", "budget": 4200}, {"name": "Heron", "budget": 1}]}',
    "e.txt": f"A long line. {'It rained at the office again, as it had all week. ' * 25}Falcon has a budget. End.",
    "f.txt": "\n\n\nWindows\r\nThe budget of Falcon\r\n\r\n",
}


def test_every_line_stands_as_read_file_shows_it(desk: Desk) -> None:
    for name, text in FILES_OF_EVERY_KIND.items():
        desk.write(name, text)
    for name in ("calc.xlsx", "writer.docx", "writer.pdf"):
        desk.write(f"docs/{name}", (DOCUMENTS / name).read_bytes())
    text = desk.read("**/*", question=f"{QUESTION} 서울 매출은?", share_tokens=8_000)
    for name in (*FILES_OF_EVERY_KIND, "docs/calc.xlsx", "docs/writer.docx", "docs/writer.pdf"):
        alone = desk.call("read_file", 20_000, path=name).text.split("\n")
        numbered = dict(line.split("\t", 1) for line in alone if re.match(r"\d+\t", line))
        shown = block(text, name)
        assert shown, name
        for line in shown:
            number, _, words = line.partition("\t")
            parts = [part.strip() for part in words.split("[…]")]
            assert all(part in numbered[number] for part in parts), (name, line)


def test_rows_keep_their_sheet_and_their_header(desk: Desk) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "2024"
    for row in [["project", "budget"], *([f"p{n}", n] for n in range(60)), ["Falcon", 4200]]:
        book.active.append(row)
    book.save(desk.root / "b.xlsx")
    shown = block(desk.read("b.xlsx", question="Falcon", share_tokens=500), "b.xlsx")
    assert shown[0] == "1\t[sheet 2024]"
    assert any("project\tbudget" in line for line in shown)
    assert any("A62\tFalcon\t4200" in line for line in shown)
    assert len(shown) < 20


IN_OTHER_SCRIPTS = {
    "ko.md": "그 주에는 비가 왔다.\n\n" * 40
    + "| 항목 | 금액 |\n| --- | --- |\n| 계약금 | 3,000만 원 |\n\n잔금은 유월 말일에 지급한다.\n",
    "ja.md": "その週は雨が降った。\n\n" * 40 + "次の会議は十月三日に大阪で行われます。\n",
    "zh.md": "那一周下雨了。\n\n" * 40 + "| 项目 | 金额 |\n| --- | --- |\n| 违约金 | 五万元 |\n",
}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("계약금은 얼마인가요?", "계약금 | 3,000만 원"),
        ("잔금은 언제 지급하나요", "잔금은 유월 말일에 지급한다."),
        ("会議はどこで行われますか", "次の会議は十月三日に大阪で行われます。"),
        ("违约金是多少", "违约金 | 五万元"),
    ],
)
def test_questions_in_korean_japanese_and_chinese_find_sentences_and_rows(
    desk: Desk, question: str, answer: str
) -> None:
    for name, text in IN_OTHER_SCRIPTS.items():
        desk.write(name, text)
    text = desk.read("*.md", question=question, share_tokens=1_000)
    assert answer in text
    assert text.startswith("1 of 3 files answer")


def test_a_word_that_every_file_holds_says_little(desk: Desk) -> None:
    for n in range(30):
        desk.write(f"n{n:02}.md", f"# Project {n}\n\nThe budget of the project was talked about.\n\n{FILLER}")
    desk.write("z.md", f"{FILLER}Falcon is a project, whose budget is 4,200 euros.\n")
    text = desk.read("*.md")
    assert text.startswith("1 of 31 files answer")
    assert "4,200" in text
    assert f"n{NAMED - 1:02}.md" in text
    assert f"and {30 - NAMED} more" in text


def test_what_a_file_is_named_counts_for_what_it_holds(desk: Desk) -> None:
    for name in ("heron", "falcon", "raven"):
        desk.write(f"{name}.md", f"{FILLER}budget: 4,200 ({name[0]})\n\n{FILLER}")
    shown = {name: block(desk.read("*.md", share_tokens=400), f"{name}.md") for name in ("falcon",)}
    assert any("4,200 (f)" in line for line in shown["falcon"])


def test_words_of_the_question_that_no_file_holds_are_named(desk: Desk) -> None:
    desk.write("a.md", f"{FILLER}Falcon cost 4,200 euros.\n")
    text = desk.read("*.md", question="What was Falcon's budget, 예산은?")
    assert "in none of these files: budget, 예산은. They may use other words." in text
    assert "4,200" in text
    assert "in none" not in desk.read("*.md", question="What did Falcon cost?")


def test_what_the_best_passages_of_several_files_share_finds_the_same_in_other_words(desk: Desk) -> None:
    for name, said in (("a", "It is no louder than 31 decibels."), ("b", "It is no louder than 35 decibels.")):
        desk.write(f"{name}.md", f"{FILLER}The pump costs 10.\n\n{FILLER}{said}\n\n{FILLER}")
    desk.write("c.md", f"{FILLER}The pump costs 12.\n\n{FILLER}Beside it one measures 37 decibels.\n\n{FILLER}")
    text = desk.read("*.md", question="What does the pump cost and how loud is it?")
    assert "Beside it one measures 37 decibels." in text


def test_the_better_files_get_more_of_the_room(desk: Desk) -> None:
    desk.write(
        "good.md", "".join(f"In week {n} the budget of Falcon was {n} euros.\n\nFiller.\n\n" for n in range(400))
    )
    desk.write("poor.md", f"{FILLER}Falcon is a bird.\n\n{FILLER}")
    text = desk.read("*.md", share_tokens=1_500)
    assert len(block(text, "good.md")) > 5 * len(block(text, "poor.md")) > 0
    assert "Falcon is a bird." in text


@pytest.mark.parametrize("share_tokens", [150, 300, 1_000, 4_000])
def test_all_of_it_fits_the_share(desk: Desk, share_tokens: int) -> None:
    for n in range(40):
        desk.write(f"n{n}.md", f"The budget of Falcon in week {n}.\n\n{FILLER}")
    assert count(desk.read("**", share_tokens=share_tokens)) <= share_tokens


def test_the_files_that_answer_are_kept_whole(desk: Desk) -> None:
    desk.write("a.md", f"{FILLER}The budget of Falcon is 4,200 euros.\n\n{FILLER}The last line.\n")
    desk.write("b.md", f"{FILLER}Not of it.\n")
    kept = desk.call("read_many", 400, paths=["*.md"], question=QUESTION).whole
    assert "123\tThe last line." not in desk.read("*.md", share_tokens=400)
    assert "123\tThe last line." in kept
    assert "Not of it." not in kept


def test_the_beginnings_are_shown_where_no_file_holds_a_word_of_the_question(desk: Desk) -> None:
    desk.write("a.md", f"\n# 계약서\n\n{'본문입니다. ' * 1_000}\n")
    text = desk.read("a.md", share_tokens=1_000)
    assert NOBODY in text
    assert "a.md: # 계약서" in text


def test_what_was_read_is_remembered_as_seen(desk: Desk) -> None:
    desk.write("a.md", "Falcon")
    desk.write("b.md", "nothing")
    desk.read("*.md")
    assert desk.seen == {"a.md": fingerprint(b"Falcon"), "b.md": fingerprint(b"nothing")}


def test_files_that_cannot_be_read_are_named_with_the_reason(desk: Desk) -> None:
    desk.write("a.md", "Falcon")
    desk.write("b.bin", b"\0\1\2\3" * 100)
    desk.write("c.pdf", b"%PDF-1.4 broken")
    text = desk.read("*", "gone.md")
    (line,) = [line for line in text.split("\n") if line.startswith("not read: ")]
    assert re.search(r"b\.bin: .+; c\.pdf: .+; gone\.md: does not exist", line)
    assert block(text, "a.md") == ["1\tFalcon"]


TREE = ("top.md", "notes/a.md", "notes/b.txt", "notes/deep/c.md", "notes/deep/er/d.md", "notes/[x].md", ".git/e.md")


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["*.md"], ["top.md"]),
        (["notes/*.md"], ["notes/[x].md", "notes/a.md"]),
        (["notes/**/*.md"], ["notes/[x].md", "notes/a.md", "notes/deep/c.md", "notes/deep/er/d.md"]),
        (["**/c.md"], ["notes/deep/c.md"]),
        (["notes/**/er/*"], ["notes/deep/er/d.md"]),
        (["notes/deep"], ["notes/deep/c.md", "notes/deep/er/d.md"]),
        (["notes/deep/"], ["notes/deep/c.md", "notes/deep/er/d.md"]),
        (["./notes/?.md", "notes/a.md"], ["notes/a.md"]),
        (["notes/a.md", "./notes/a.md", "top.md"], ["notes/a.md", "top.md"]),
        (["notes/[x].md"], ["notes/[x].md"]),
        (["notes/[ab].*"], ["notes/a.md", "notes/b.txt"]),
        (["not*/d*/*.md"], ["notes/deep/c.md"]),
        (["nowhere/*.md", "top.md"], ["top.md"]),
        (["**"], ["notes/[x].md", "notes/a.md", "notes/b.txt", "notes/deep/c.md", "notes/deep/er/d.md", "top.md"]),
    ],
)
def test_globs_and_folders_lead_to_files(desk: Desk, paths: list[str], expected: list[str]) -> None:
    for name in TREE:
        desk.write(name, name)
    assert sorted(desk.names(*paths)) == expected


def test_a_path_that_leads_to_nothing_is_said(desk: Desk) -> None:
    desk.write("notes/a.md", "Falcon")
    assert "*.md leads to no file; **/*.md looks into folders too." in desk.read("*.md", "notes/a.md")
    with pytest.raises(CommandError, match=r"no file to read\. nowhere/\*"):
        desk.read("nowhere/*")
    with pytest.raises(CommandError, match="no file to read"):
        desk.read()
    with pytest.raises(CommandError, match="question is empty"):
        desk.read("notes/a.md", question=" ")


@pytest.mark.parametrize("path", ["../*.md", "/etc/*", "notes/../../*"])
def test_a_glob_stays_in_the_workspace(desk: Desk, path: str) -> None:
    (desk.root.parent / "outside.md").write_text("Falcon")
    with pytest.raises(CommandError):
        desk.read(path)


@pytest.mark.parametrize("path", ["**", "**/*", ".env*", "*/.ssh/*", "notes", "**/*.yaml", "**/.env", "notes/*.k[e]y"])
def test_no_glob_and_no_folder_leads_to_a_secret(desk: Desk, path: str) -> None:
    desk.write("a.md", "Falcon")
    secrets = (".env", "notes/.env.local", "notes/secrets.yaml", "notes/.ssh/config", "notes/my.key")
    for name in secrets:
        desk.write(name, "the budget of Falcon: hunter2")
    (desk.root / "notes/link.md").symlink_to("secrets.yaml")
    text = desk.read(path, "a.md")
    assert "hunter2" not in text
    assert not desk.seen.keys() & set(secrets)
    assert "skipped, since they may hold secrets: " in text


def test_at_most_so_many_files_are_read_and_it_is_said(desk: Desk) -> None:
    for n in range(FILES + 7):
        desk.write(f"n/{n:03}.txt", f"Falcon {n}")
    text = desk.read("n")
    assert len(desk.seen) == FILES
    assert "7 more files are not read" in text


def test_more_text_than_one_reading_holds_is_said(desk: Desk) -> None:
    desk.write("a.txt", "Falcon\n")
    desk.write("big.txt", "word " * (MOST_CHARS // 5 + 1))
    assert "not read: big.txt: too much text for one reading, read it alone" in desk.read("*.txt")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text("Falcon budget|\t#\n.。예산は[…]", max_size=400), min_size=1, max_size=4),
    share_tokens=st.integers(150, 600),
)
def test_whatever_the_files_hold_it_fits_and_each_line_is_its_own(
    desk: Desk, texts: list[str], share_tokens: int
) -> None:
    for n, text in enumerate(texts):
        desk.write(f"h/{n}.txt", text)
    shown = desk.read(
        *(f"h/{n}.txt" for n in range(len(texts))), question="Falcon budget 예산", share_tokens=share_tokens
    )
    assert count(shown) <= share_tokens
    for n, text in enumerate(texts):
        if f"\nh/{n}.txt, " in shown:
            numbers = [int(line.split("\t")[0]) for line in block(shown, f"h/{n}.txt")]
            assert numbers == sorted(set(numbers))
            assert all(number <= text.count("\n") + 1 for number in numbers)


def test_in_a_run_a_secret_named_outright_is_refused_and_a_glob_reads_around_it(world: World) -> None:
    world.file("notes/a.md", "The budget of Falcon is 4,200 euros.")
    world.file(".env", "KEY=hunter2")
    both = [("read_many", {"paths": paths, "question": QUESTION}) for paths in (["**/*"], ["notes/a.md", ".env"])]
    with ModelServer([thought(commands=both), GIVE_UP]) as server:
        state = world.run(server)
    assert outcomes(state)[:2] == [("read_many", "ok"), ("read_many", "refused")]
    first = observations(state)[0]
    assert "1\tThe budget of Falcon is 4,200 euros." in first.text
    assert "hunter2" not in first.text
    assert not first.outside


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)
