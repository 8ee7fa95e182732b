"""A run for tests of evidence, written event by event into a real journal."""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from autoagent import evidence
from autoagent.budget import Limits, Usage
from autoagent.claims import Claim, Evidence
from autoagent.events import (
    CommandFinished,
    CommandStarted,
    Event,
    FileChange,
    FileState,
    ModelCalled,
    ModelReplied,
    PersonSaid,
    RunEnded,
    RunStarted,
    Setup,
)
from autoagent.journal import Journal, artifact, read
from autoagent.thoughts import CommandCall, Thought

ABSENT = FileState()


def state_of(text: str) -> FileState:
    content = text.encode()
    return FileState(kind="file", sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def change(path: str, after: str, before: str | None = None) -> FileChange:
    return FileChange(path=path, before=ABSENT if before is None else state_of(before), after=state_of(after))


class Run:
    """One step a command; each call returns the id of its observation."""

    def __init__(self, journal: Journal, goal: str = "Find the prices", system: str = ""):
        self.journal, self.step = journal, 0
        setup = Setup(model="m", context_tokens=9_000, reply_tokens=900, workspace="/w", sandbox="bubblewrap")
        journal.append(
            RunStarted(
                run_id=journal.folder.name,
                goal=goal,
                setup=setup,
                limits=Limits(),
                system=system,
                nonce="n",
                version="0",
            )
        )

    def does(self, name: str, text: str, *, started: dict[str, Any] | None = None, **fields: Any) -> str:
        args: dict[str, JsonValue] = fields.pop("args", {})
        call = CommandCall(name=name, args=args)
        self.thinks(call)
        if started is not None:
            self.journal.append(CommandStarted(call_id=f"{self.step}.1", call=call, allowed_by="x", **started))
        outcome = fields.pop("outcome", "ok")
        self.journal.append(CommandFinished(call_id=f"{self.step}.1", outcome=outcome, text=text, **fields))
        return f"{self.step}.1"

    def thinks(self, *calls: CommandCall, says: str = "I act.") -> None:
        self.step += 1
        self.journal.append(ModelCalled(model="m", tail="", estimated_tokens=9, reserved=Usage(calls=1)))
        thought = Thought(text=says, commands=calls)
        self.journal.append(ModelReplied(reply="{}", usage=Usage(calls=1), thought=thought, said="s", tokens=9))

    def reads(self, path: str, content: str, *, first: int = 1) -> str:
        lines = content.split("\n")
        numbered = "\n".join(f"{number}\t{line}" for number, line in enumerate(lines, first))
        text = f"{path}, lines {first}-{first + len(lines) - 1} of {first + len(lines) - 1}\n{numbered}"
        return self.does("read_file", text, args={"path": path}, seen={path: state_of(content).sha256})

    def writes(self, path: str, text: str) -> str:
        made = {"path": path, "before": "absent", "after": state_of(text).sha256}
        return self.does(
            "write_file",
            f"{path} written: 1 line, {len(text)} bytes.",
            args={"path": path, "text": text},
            started=made,
            wrote=path,
            seen={path: made["after"]},
            changed=(change(path, text),),
        )

    def edits(self, path: str, before: str, old: str, new: str) -> str:
        after = before.replace(old, new)
        diff = "\n".join([*(f"-{line}" for line in before.split("\n")), *(f"+{line}" for line in after.split("\n"))])
        return self.does(
            "edit_file",
            f"{path}: replaced at line 1; now 1 line.",
            args={"path": path, "old": old, "new": new},
            started={"path": path, "before": "x", "after": state_of(after).sha256, "diff": diff},
            wrote=path,
            seen={path: state_of(after).sha256},
            changed=(change(path, after, before),),
        )

    def shell(self, command: str, output: str, *changed: FileChange, outcome: str = "ok") -> str:
        text = f"exit code {0 if outcome == 'ok' else 1}\n{output}"
        args: dict[str, JsonValue] = {"command": command}
        return self.does(
            "run_shell", text, args=args, started={"sandbox": "bubblewrap"}, changed=changed, outcome=outcome
        )

    def python(self, code: str, output: str) -> str:
        return self.does("run_python", f"exit code 0\n{output}", args={"code": code}, started={"sandbox": "bubblewrap"})

    def browses(self, url: str, page: str, question: str = "What?") -> str:
        whole = f"{url}\nKind: web page\n\n{page}"
        return self.does("browse", whole, args={"url": url, "question": question}, outside=True)

    def completes(self, result: str, *claims: Claim, files: Sequence[str] = (), ends: bool = True) -> None:
        args: dict[str, JsonValue] = {
            "result": result,
            "files": [*files],
            "claims": json.loads(json.dumps([claim.model_dump() for claim in claims])),
        }
        self.thinks(CommandCall(name="task_complete", args=args))
        if ends:
            self.journal.append(RunEnded(status="reached", result=result, files=tuple(files)))

    def refuses(self, told: str) -> None:
        """The result that was given last goes back to the model."""
        self.journal.append(CommandFinished(call_id=f"{self.step}.1", outcome="failed", text=told))

    def says(self, text: str) -> str:
        self.journal.append(PersonSaid(text=text, by="terminal"))
        return f"p{self.journal.state.seq}"

    def record(self, event: Event) -> None:
        self.journal.append(event)

    @property
    def all_reads(self) -> evidence.Reads:
        return evidence.reads(read(self.journal.folder), partial(artifact, self.journal.folder))

    def look_up(
        self,
        result: str,
        *claims: Claim,
        reports: dict[str, str] | None = None,
        exists: Callable[[str], bool] = lambda _: False,
    ) -> Evidence:
        return evidence.look_up(result, claims, self.all_reads, reports=reports or {}, exists=exists)

    def holds(self, quote: str, source: str = "") -> bool:
        """Whether a claim that says just what it quotes has evidence."""
        return self.look_up("", Claim(text=quote, source=source, quote=quote)).claims[0].found

    def loose(self, result: str) -> list[str]:
        return [fact.text for fact in self.look_up(result).loose]


def new_run(folder: Path, goal: str = "Find the prices", system: str = "") -> Run:
    return Run(Journal(folder), goal, system)
