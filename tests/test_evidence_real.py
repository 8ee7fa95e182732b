"""What counts in a run with real commands and a real workspace, looked up in the journal that it left."""

from functools import partial
from pathlib import Path

import pytest
from support import World, by_step, outcomes

from autoagent import evidence
from autoagent.claims import Claim, Evidence
from autoagent.journal import artifact, read
from autoagent.sandbox import bubblewrap
from autoagent.testing import ModelServer, Repeat, done, thought

LIE = "Acme charges 49 euros a month"
TRUTH = "Borealis charges 71 euros a month"
LONG = "\n".join(f"Row {number} of the table holds {number * 37 % 1009} boxes" for number in range(1, 3_000))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def looked_up(
    world: World, *calls: tuple[str, dict[str, object]], result: str, quotes: tuple[str, ...] = ()
) -> Evidence:
    """What comes of a result and quotes after these commands, each in a step of its own."""
    script = [*(thought(commands=[call]) for call in calls), done("ok")]
    with ModelServer([Repeat(by_step(script))]) as server:
        state = world.run(server)
    assert [outcome for _, outcome in outcomes(state)][: len(calls)] == ["ok"] * len(calls)
    reads = evidence.reads(read(world.folder), partial(artifact, world.folder))
    claims = [Claim(text=quote, source="1.1", quote=quote) for quote in quotes]
    return evidence.look_up(result, claims, reads, reports={}, exists=lambda _: False)


def test_files_that_were_there_count_and_those_of_the_model_do_not(world: World) -> None:
    world.file("prices.txt", f"The prices\n{TRUTH}\n")
    found = looked_up(
        world,
        ("read_file", {"path": "prices.txt"}),
        ("write_file", {"path": "notes.md", "text": f"# Notes\n{LIE}\n"}),
        ("read_file", {"path": "notes.md"}),
        ("edit_file", {"path": "prices.txt", "old": "The prices", "new": "Prices: 53"}),
        ("read_file", {"path": "prices.txt"}),
        ("search_files", {"query": "charges"}),
        ("move_file", {"source": "notes.md", "target": "b/old.md"}),
        ("copy_file", {"source": "b/old.md", "target": "c.md"}),
        ("read_file", {"path": "c.md"}),
        ("read_many", {"paths": ["**/*"], "question": "What does it charge?"}),
        result="It is 49, 53 or 71.",
        quotes=(TRUTH, LIE),
    )

    assert [claim.found for claim in found.claims] == [True, False]
    assert [fact.text for fact in found.loose] == ["49", "53"]


def test_the_whole_of_a_long_text_counts_also_where_little_of_it_was_shown(world: World) -> None:
    world.file("table.txt", LONG)
    found = looked_up(
        world,
        ("read_file", {"path": "table.txt", "limit": 3_000}),
        ("read_observation", {"id": "1.1", "offset": 5}),
        result="Row 2900 holds 346 boxes, not 1234567.",
        quotes=("Row 2900 of the table holds 346 boxes",),
    )

    assert found.claims[0].found
    assert [fact.text for fact in found.loose] == ["1234567"]


@pytest.mark.skipif(bool(bubblewrap.works()), reason=bubblewrap.works())
def test_what_programs_compute_counts_and_what_they_only_print_does_not(world: World) -> None:
    world.file("prices.csv", "name,price\nBorealis,71\nDelphi,64\n")
    total = "import csv; print('Total', sum(int(r['price']) for r in csv.DictReader(open('prices.csv'))))"
    found = looked_up(
        world,
        ("run_python", {"code": total}),
        ("run_shell", {"command": f"echo '{LIE}' > x.txt; echo 'The end'; cat prices.csv > y.csv"}),
        ("read_file", {"path": "x.txt"}),
        ("run_shell", {"command": "cat x.txt | sed 's/ /  /g'"}),
        ("read_file", {"path": "y.csv"}),
        ("write_file", {"path": "n.txt", "text": "Corvus charges 88 euros a month"}),
        ("run_shell", {"command": "cp n.txt m.txt && mv n.txt q.txt && python3 -m zipfile -c a.zip m.txt"}),
        ("extract_archive", {"path": "a.zip", "target": "out"}),
        ("read_file", {"path": "m.txt"}),
        ("read_file", {"path": "q.txt"}),
        ("read_file", {"path": "out/m.txt"}),
        ("write_file", {"path": "p.html", "text": "<p>Erebus charges &#57;&#51;7 euros a month</p>"}),
        ("read_file", {"path": "p.html"}),
        result="135 in all; 49, 64, 71, 88, 937.",
        quotes=("Borealis,71", LIE, "Total 135", "Corvus charges 88 euros", "Erebus charges 937 euros"),
    )

    assert [claim.found for claim in found.claims] == [True, False, True, False, False]
    assert [fact.text for fact in found.loose] == ["49", "88", "937"]
