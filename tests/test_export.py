"""`autoagent export`: where the file goes, what is masked, the Markdown, and the zip that replays."""

import hashlib
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from exported import export, export_apart, kept_run
from support import World
from test_export_html import HOSTILE, Page

from autoagent.errors import ConfigError, NoSuchRun
from autoagent.journal import artifact, read, state_of
from autoagent.testing import ModelServer, done, thought

RECORDED = Path(__file__).parent / "journals"
SECRET = "sk-live-4f9a8b7c6d5e4f3a2b1c0d9e"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path, monkeypatch)
    monkeypatch.chdir(made.workspace)
    return made


def kept(world: World, **options: str | int) -> Path:
    return kept_run(world.state / "autoagent/runs/7f3a", **options)


def unpacked(world: World, content: bytes) -> Path:
    """The zip's files in a new folder."""
    path, folder = world.root / "run.zip", world.root / "unpacked"
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        archive.extractall(folder)
    return folder


# Where it goes


@pytest.mark.parametrize(("flags", "name"), [((), "7f3a.html"), (("--md",), "7f3a.md"), (("--zip",), "7f3a.zip")])
def test_it_is_named_after_the_run_in_this_folder(world: World, flags: tuple[str, ...], name: str) -> None:
    kept(world)
    told = export("last", *flags).decode()
    assert [path.name for path in world.workspace.iterdir()] == [name]
    assert told.startswith(f"Exported run 7f3a to {name} · ")


@pytest.mark.parametrize("flags", [("--html", "--md"), ("--md", "--html"), ("--html", "--md", "--zip")])
def test_two_forms_at_once_are_refused_and_nothing_is_written(world: World, flags: tuple[str, ...]) -> None:
    kept(world)
    told = export_apart("last", *flags, code=2).stderr.decode()
    assert told == f"error: {' and '.join(sorted(flags))} are {len(flags)} files: ask for one of them\n"
    assert world.files() == {}


def test_a_file_that_is_there_is_not_overwritten_unless_that_is_said(world: World) -> None:
    kept(world)
    world.file("7f3a.html", "mine")
    told = export_apart("7f3a", code=2).stderr.decode()
    assert "7f3a.html is already there" in told
    assert world.text("7f3a.html") == "mine"
    export("7f3a", "--overwrite")
    assert world.text("7f3a.html").startswith("<!doctype html>")
    assert len(world.files()) == 1


def test_a_folder_takes_it_and_a_place_that_is_none_is_told(world: World) -> None:
    kept(world)
    (world.workspace / "out").mkdir()
    export("7f3a", "--md", "-o", "out")
    assert (world.workspace / "out/7f3a.md").exists()
    with pytest.raises(ConfigError, match="No such file or directory"):
        export("7f3a", "-o", "none/run.html")


def test_a_dash_is_standard_output_and_nothing_else_is_written_there(world: World) -> None:
    kept(world)
    assert export_apart("7f3a", "-o", "-").stdout.startswith(b"<!doctype html>")
    assert export_apart("7f3a", "--zip", "-o", "-").stdout.startswith(b"PK")
    assert world.files() == {}


def test_a_run_that_does_not_exist_or_is_damaged_is_told(world: World) -> None:
    folder = kept(world)
    with pytest.raises(NoSuchRun, match="there is no run 'none'"):
        export("none")
    name = next(event.artifact for event in read(folder) if event.type == "command_finished" and event.artifact)
    (folder / "artifacts" / name).write_text("something else")
    assert "is damaged" in export_apart("7f3a", code=1).stderr.decode()
    assert world.files() == {}


def test_a_run_at_work_can_be_exported_and_one_that_died_says_so(world: World) -> None:
    folder = kept(world)
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "journal.jsonl").write_bytes(b"".join(lines[:6]))
    assert b"Interrupted: its process ended" in export("7f3a", "-o", "-")


@pytest.mark.parametrize("recorded", sorted(RECORDED.iterdir()), ids=lambda path: path.name)
def test_a_run_of_each_released_format_can_be_exported(world: World, recorded: Path) -> None:
    folder = world.state / "autoagent/runs/aaaa"
    folder.mkdir(parents=True)
    shutil.copy(recorded / "journal.jsonl", folder)
    page = Page(export("aaaa", "-o", "-").decode())
    assert {"story", "figures", "setup"} <= {attributes["id"] for attributes in page.all("section")}
    assert outside_fences(export("aaaa", "--md", "-o", "-").decode())


# Secrets


@pytest.mark.parametrize("form", ["--html", "--md"])
def test_a_secret_of_now_that_the_journal_did_not_know_is_masked(world: World, form: str) -> None:
    kept(world, text=f"the key is {SECRET}", seen=f"{SECRET} Acme costs 3,000 won.", result=f"Used {SECRET}")
    assert SECRET.encode() in export("7f3a", form, "-o", "-")
    masked = export("7f3a", form, "-o", "-", SERVICE_API_KEY=SECRET).decode()
    assert SECRET not in masked
    assert "the key is" in masked
    assert "3,000 won" in masked


def test_the_passage_of_a_claim_is_right_where_a_masked_secret_stands_before_it(world: World) -> None:
    kept(world, seen=f"{SECRET} and Acme costs 3,000 won.")
    masked = export("7f3a", "-o", "-", SERVICE_API_KEY=SECRET).decode()
    assert "*** and Acme costs <b>3,000 won</b>." in masked


def test_a_zip_holds_no_secret_of_now_and_still_replays(world: World) -> None:
    kept(world, text=f"the key is {SECRET}", seen=f"{SECRET} Acme costs 3,000 won.")
    folder = unpacked(world, export("7f3a", "--zip", "-o", "-", SERVICE_API_KEY=SECRET))
    for path in folder.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path
    names = [event.artifact for event in read(folder) if event.type == "command_finished" and event.artifact]
    assert names
    assert all(artifact(folder, name) == "*** Acme costs 3,000 won." for name in names)
    assert state_of(folder).goal == "the key is ***"


# The zip


def test_a_zip_is_the_run_with_both_pages_and_every_kept_text(world: World) -> None:
    folder = kept(world, seen="관찰 " * 3_000)
    content = export("7f3a", "--zip", "-o", "-")
    made = unpacked(world, content)
    names = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
    kept_texts = sorted(f"artifacts/{path.name}" for path in (folder / "artifacts").iterdir())
    assert names == ["7f3a.html", "7f3a.md", *kept_texts, "journal.jsonl"]
    assert (made / "journal.jsonl").read_bytes() == (folder / "journal.jsonl").read_bytes()
    assert state_of(made) == state_of(folder)
    for name in kept_texts:
        assert hashlib.sha256((made / name).read_bytes()).hexdigest() == Path(name).name


def test_the_same_run_is_the_same_zip_wherever_and_whenever_it_is_made(world: World) -> None:
    kept(world)
    one = export_apart("7f3a", "--zip", "-o", "-", TZ="UTC").stdout
    assert export_apart("7f3a", "--zip", "-o", "-", TZ="Asia/Seoul").stdout == one


def test_kept_copies_for_undo_are_in_no_export(world: World) -> None:
    world.file("plan.txt", "what only the copy holds\n")
    write = thought(commands=[("write_file", {"path": "plan.txt", "text": "new\n"})])
    read_it = thought(commands=[("read_file", {"path": "plan.txt", "limit": 1})])
    with ModelServer([read_it, write, done("ok")]) as server:
        world.run(server)
    assert (world.folder / "undo").is_dir()
    made = unpacked(world, export("last", "--zip", "-o", "-"))
    assert not [path for path in made.rglob("*") if "undo" in path.name]
    assert {path.name for path in made.iterdir()} == {
        "journal.jsonl", "artifacts", f"{world.folder.name}.html", f"{world.folder.name}.md"
    }  # fmt: skip


def test_a_real_run_is_told_with_its_files_and_their_difference(world: World) -> None:
    world.file("plan.txt", "old\n")
    edit = thought("I edit.", commands=[("edit_file", {"path": "plan.txt", "old": "old", "new": "새 줄"})])
    look = thought("I look.", commands=[("read_file", {"path": "plan.txt"})])
    with ModelServer([look, edit, done("끝났다")]) as server:
        world.run(server, goal="계획을 고친다")
    page = Page(export("last", "-o", "-").decode())
    assert "끝났다" in page.texts["main"]
    assert re.search(r"<del>-old\n</del>\s*<ins>\+새 줄\n</ins>", page.content)


# Markdown


def outside_fences(text: str) -> list[str]:
    """The lines that Markdown reads."""
    found: list[str] = []
    fence = ""
    for line in text.split("\n"):
        if not fence and (opened := re.match(r"(`{3,})(text|diff)$", line)):
            fence = opened[1]
        elif fence:
            fence = "" if line == fence else fence
        else:
            found.append(line)
    assert fence == ""
    return found


def test_markdown_draws_no_image_no_html_and_no_hidden_link_of_hostile_words(world: World) -> None:
    kept(world, text=HOSTILE, seen=HOSTILE, result=f"{HOSTILE}\n```\n{HOSTILE}", path=f"a{HOSTILE}")
    text = export("7f3a", "--md", "-o", "-").decode()
    mark, *lines = outside_fences(text)
    assert mark == "<!-- exported by autoagent -->"
    assert any("alert" in line for line in lines)
    for line in lines:
        active = re.sub(r"\\[^\w\s]", "", line)
        assert "<" not in active, line
        assert "](" not in active, line
        assert "[" not in active, line
        assert "`" not in active, line
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f]", text)


def test_markdown_has_the_same_sections_and_the_result_as_it_is(world: World) -> None:
    kept(world, result="# 결과\n\n- Acme: 3,000 won\n- Growth: 12 %")
    text = export("7f3a", "--md", "-o", "-").decode()
    heads = [line.removeprefix("## ") for line in outside_fences(text) if line.startswith("## ")]
    assert heads == ["Result", "Criteria", "Evidence", "Hand-over", "Files", "Story", "Figures", "Setup", "Left out"]
    assert "```text\n# 결과\n\n- Acme: 3,000 won\n- Growth: 12 % [" in text
    assert "- **✓ found**: I look." in text
