"""Whatever a run does with what its model wrote, it never becomes evidence; and what was there stays evidence."""

import tempfile
from pathlib import Path

from evidence_runs import Run, change, new_run, state_of
from hypothesis import given, settings
from hypothesis import strategies as st

from autoagent.claims import Claim
from autoagent.events import FileChange, FilesChanged

LIE = "Acme charges 49 euros a month"
TRUTH = "Borealis charges 71 euros a month"
NAMES = ("a.md", "b.txt", "sub/c.csv")


class Workspace:
    """Files as they are, and a run that acts on them as the real commands are recorded."""

    def __init__(self, run: Run):
        self.run, self.files = run, {"prices.txt": TRUTH}

    def act(self, deed: str, path: str, target: str) -> None:
        if path in self.files or deed in ("write", "print", "recall", "find"):
            getattr(self, deed)(path, target)

    def write(self, path: str, _: str) -> None:
        self.run.writes(path, f"Notes\n{LIE}\nThe end")
        self.files[path] = f"Notes\n{LIE}\nThe end"

    def append(self, path: str, _: str) -> None:
        before = self.files[path]
        self.files[path] = f"{before}\n{LIE}\n"
        self.run.does(
            "append_file", "added", args={"path": path, "text": f"\n{LIE}\n"}, wrote=path,
            started={"path": path, "after": state_of(self.files[path]).sha256},
            seen={path: state_of(self.files[path]).sha256},
            changed=(change(path, self.files[path], before),),
        )  # fmt: skip

    def read(self, path: str, _: str) -> None:
        self.run.reads(path, self.files[path])

    def move(self, path: str, target: str) -> None:
        if target in self.files:
            return
        text = self.files.pop(path)
        self.files[target] = text
        gone = FileChange(path=path, before=state_of(text), after=state_of("").model_copy(update={"kind": "absent"}))
        started = {"path": target, "source": path, "after": state_of(text).sha256}
        self.run.does(
            "move_file", "moved", args={"source": path, "target": target}, started=started, wrote=target,
            seen={target: state_of(text).sha256}, changed=(gone, change(target, text)),
        )  # fmt: skip

    def copy(self, path: str, target: str) -> None:
        before, self.files[target] = self.files.get(target), self.files[path]
        started = {"path": target, "after": state_of(self.files[path]).sha256}
        self.run.does(
            "copy_file", "copied", args={"source": path, "target": target}, started=started, wrote=target,
            seen={target: started["after"]}, changed=(change(target, self.files[target], before),),
        )  # fmt: skip

    def program_copies(self, path: str, target: str) -> None:
        before, self.files[target] = self.files.get(target), self.files[path]
        self.run.shell(f"cp {path} {target}", "(no output)", change(target, self.files[target], before))

    def program_joins(self, path: str, target: str) -> None:
        text = "\n".join(self.files.values())
        before, self.files[target] = self.files.get(target), text
        self.run.shell("cat $(find . -type f) > out", "(no output)", change(target, text, before))

    def background(self, path: str, target: str) -> None:
        before, self.files[target] = self.files.get(target), f"Copied:\n{self.files[path]}"
        self.run.record(FilesChanged(changed=(change(target, self.files[target], before),)))

    def prints(self, path: str, _: str) -> None:
        self.run.shell(f"tr a-z A-Z < {path}", self.files[path].upper())

    def print(self, _: str, __: str) -> None:
        self.run.python("print('Acme charges', 49, 'euros a month')", LIE)

    def recall(self, _: str, __: str) -> None:
        self.run.does("remember", "Kept as m1.", args={"text": LIE})
        self.run.does("recall", f"m1 (a kept fact):\n{LIE}", args={"query": "charges"})

    def find(self, _: str, __: str) -> None:
        lines = [
            f"{path}:{number}\t{line}"
            for path, text in self.files.items()
            for number, line in enumerate(text.split("\n"), 1)
            if "charges" in line
        ]
        self.run.does("search_files", "\n".join([f"{len(lines)} matches", *lines]), args={"query": "charges"})

    def many(self, _: str, __: str) -> None:
        parts = [
            "\n".join([f"{path}, 3 lines", *(f"{n}\t{line}" for n, line in enumerate(text.split("\n"), 1))])
            for path, text in self.files.items()
        ]
        seen = {path: state_of(text).sha256 for path, text in self.files.items()}
        self.run.does("read_many", "\n".join(["3 files", *parts]), args={"paths": ["."], "question": "?"}, seen=seen)


_DEEDS = st.sampled_from(
    [
        "write",
        "append",
        "read",
        "move",
        "copy",
        "program_copies",
        "program_joins",
        "background",
        "prints",
        "print",
        "recall",
        "find",
        "many",
    ]
)
_CHAIN = st.lists(st.tuples(_DEEDS, st.sampled_from((*NAMES, "prices.txt")), st.sampled_from(NAMES)), max_size=9)


@settings(max_examples=40)
@given(_CHAIN, st.booleans())
def test_no_way_makes_evidence_of_what_the_model_wrote(chain: list[tuple[str, str, str]], read_first: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = new_run(Path(folder) / "run")
        workspace = Workspace(run)
        if read_first:
            workspace.read("prices.txt", "")
        for deed, path, target in chain:
            workspace.act(deed, path, target)
        for path in tuple(workspace.files):
            workspace.read(path, "")
        claims = [Claim(text="It is so", source="", quote=quote) for quote in (LIE, TRUTH)]
        found = run.look_up("It is 49.", *claims)
        run.journal.close()
    was_read = read_first or any(TRUTH in text for text in workspace.files.values())

    assert not found.claims[0].found
    assert found.claims[1].found or not was_read
    assert [fact.text for fact in found.loose] == ["49"]
