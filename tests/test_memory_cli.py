"""`autoagent memory`: what was kept is listed, found, shown, exported and forgotten."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support import World

from autoagent.cli.main import COMMANDS
from autoagent.cli.memory import memory
from autoagent.env import Memory
from autoagent.errors import AutoagentError, ConfigError
from autoagent.places import memories_file
from autoagent.recall import Store
from autoagent.terminal.layout import cells


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    World(tmp_path, monkeypatch)
    return Store(memories_file(), print)


@pytest.fixture
def filled(store: Store, tmp_path: Path) -> Store:
    workspace = str(tmp_path / "ws")
    at = "2026-03-03T10:00:00Z"
    store.keep(Memory("", "Ship with ship.sh.", ("release",), at, "a1b2", "step 3", workspace, False), "1")
    store.keep(Memory("", "창고 임대료는 4월에 오른다.", ("월세", "인상"), at, "c3d4", "2.1", "", False), "2")
    store.keep(Memory("", "Acme moved.\x1b[31m", (), at, "e5f6", "https://acme.example", "/other/place", True), "3")
    return store


def result(*args: str, columns: int | None = None, typed: str | None = None) -> Result:
    done = CliRunner().invoke(memory, args, env={"COLUMNS": str(columns) if columns else None}, input=typed)
    if isinstance(done.exception, AutoagentError):
        raise done.exception
    return done


def lines(*args: str, columns: int | None = None) -> list[str]:
    return result(*args, columns=columns).stdout.splitlines()


def test_it_is_a_command_of_autoagent() -> None:
    assert COMMANDS["memory"][0] == "memory"


@pytest.mark.usefixtures("filled")
def test_the_list_has_the_newest_first_and_its_columns_stand_in_line() -> None:
    head, *rows = lines("list", columns=100)
    assert head.split() == ["ID", "DATE", "RUN", "WHERE", "FACT"]
    assert [row.split()[0] for row in rows] == ["m3", "m2", "m1"]
    assert rows[1].split(maxsplit=4)[1:] == ["2026-03-03", "c3d4", "all", "창고 임대료는 4월에 오른다. [월세, 인상]"]
    assert "place, outside" in rows[0]
    starts = [cells(row[: row.index(word)]) for row, word in zip(rows, ("Acme", "창고", "Ship"), strict=True)]
    assert len(set(starts)) == 1
    assert lines(columns=100) == [head, *rows]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("columns", [30, 50, 80])
def test_no_row_is_wider_than_the_terminal(columns: int) -> None:
    shown = lines("list", columns=columns)
    assert all(cells(row) <= columns for row in shown)
    assert any("창고" in row for row in shown)


@pytest.mark.usefixtures("filled")
def test_nothing_that_was_kept_reaches_a_terminal_as_a_command() -> None:
    for args in (["list"], ["show", "m3"], ["search", "acme"]):
        assert "\x1b" not in result(*args).stdout


@pytest.mark.usefixtures("filled")
def test_one_is_shown_whole_with_where_it_is_from() -> None:
    shown = "\n".join(lines("show", "m2"))
    assert shown.startswith("m2  창고 임대료는 4월에 오른다.")
    assert "2026-03-03T10:00:00Z by run c3d4" in shown
    assert "all workspaces" in shown
    assert "월세, 인상" in shown
    assert "anybody's words" not in shown
    assert "anybody's words" in result("show", "3").stdout
    assert json.loads(result("show", "m2", "--json").stdout)["tags"] == ["월세", "인상"]


@pytest.mark.usefixtures("filled")
def test_a_search_finds_by_text_and_by_tag_in_any_language() -> None:
    assert [row.split()[0] for row in lines("search", "월세")[1:]] == ["m2"]
    assert [row.split()[0] for row in lines("search", "releases")[1:]] == ["m1"]
    assert [one["id"] for one in json.loads(result("search", "acme", "--json").stdout)] == ["m3"]
    nothing = result("search", "xylophone")
    assert (nothing.stdout, nothing.exit_code) == ("", 0)
    assert "Nothing" in nothing.stderr


@pytest.mark.usefixtures("filled")
def test_a_folder_has_its_own_and_those_for_all(tmp_path: Path) -> None:
    shown = json.loads(result("list", "--json", "-w", str(tmp_path / "ws")).stdout)
    assert [one["id"] for one in shown] == ["m2", "m1"]


@pytest.mark.usefixtures("filled")
def test_an_export_holds_all_that_is_known() -> None:
    exported = [json.loads(line) for line in lines("export")]
    assert [one["id"] for one in exported] == ["m1", "m2", "m3"]
    assert exported[2] == {
        "id": "m3", "text": "Acme moved.\x1b[31m", "tags": [], "at": "2026-03-03T10:00:00Z", "run": "e5f6",
        "source": "https://acme.example", "workspace": "/other/place", "outside": True,
    }  # fmt: skip
    page = result("export", "--format", "md").stdout
    assert page.startswith("# What runs kept\n\n- **m1** Ship with ship.sh.\n  2026-03-03 · run a1b2 · step 3 · ")
    assert "from outside text" in page


def test_an_exported_page_holds_nothing_that_a_terminal_obeys(store: Store) -> None:
    fact = Memory(
        "", "Acme \x1b[31mmoved", ("a\x07b",), "2026-03-03T10:00:00Z", "a1b2", "src \x1b]0;t\x9c\u202e", "", False
    )
    store.keep(fact, "k")
    page = result("export", "--format", "md").stdout
    assert all(char.isprintable() or char == "\n" for char in page)
    assert "Acme \\x1b[31mmoved" in page
    assert "src \\x1b]0;t" in page


def test_forgetting_takes_ids_and_says_what_is_gone(filled: Store) -> None:
    assert lines("forget", "m1", "2", "m1") == ["forgot m1", "forgot m2"]
    assert [one.id for one in filled.all()] == ["m3"]


def test_an_id_that_is_none_forgets_nothing(filled: Store) -> None:
    for wrong in ("m9", "x", "-1", "m1; DROP TABLE memories", "²", "m" + "9" * 40):
        with pytest.raises(ConfigError, match="there is no fact"):
            result("forget", "m1", "--", wrong)
    assert len(filled.all()) == 3


def test_all_is_forgotten_only_with_a_yes(filled: Store) -> None:
    with pytest.raises(ConfigError, match="--yes"):
        result("forget", "--all")
    with pytest.raises(ConfigError, match="say which"):
        result("forget")
    with pytest.raises(ConfigError, match="say which"):
        result("forget", "m1", "--all")
    assert len(filled.all()) == 3
    assert lines("forget", "--all", "--yes") == ["forgot 3"]
    assert filled.all() == []


def test_where_nothing_is_kept_it_is_said_and_no_file_is_made(store: Store) -> None:
    assert "Nothing is kept yet" in result("list").stderr
    assert result("list", "--json").stdout == "[]\n"
    assert result("export").stdout == ""
    assert "Nothing is kept" in result("forget", "--all", "--yes").stderr
    assert not store.path.exists()


def test_the_newest_fifty_are_listed_and_how_many_more_there_are(store: Store) -> None:
    for n in range(53):
        store.keep(Memory("", f"Fact {n}.", (), "2026-03-03T10:00:00Z", "a1b2", "", "", False), str(n))
    shown = lines("list")
    assert len(shown) == 1 + 50 + 1
    assert shown[-1] == "3 more: autoagent memory list --all"
    assert len(lines("list", "--all")) == 1 + 53
