"""A run for the tests of exports: every kind of event, every text of it chosen by the test."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from autoagent.budget import Limits, Usage
from autoagent.claims import CheckedClaim, Evidence, LooseFact
from autoagent.cli.export import export as command
from autoagent.criteria import Criterion, Verdict
from autoagent.events import (
    ApprovalAsked,
    ApprovalGiven,
    CommandFinished,
    CommandStarted,
    Compacted,
    CriteriaJudged,
    CriteriaSet,
    Event,
    EvidenceChecked,
    FileChange,
    FileState,
    HandoverWritten,
    ModelCalled,
    ModelFailed,
    ModelReplied,
    PersonSaid,
    RunEnded,
    RunPaused,
    RunResumed,
    RunStarted,
    Setup,
)
from autoagent.journal import Journal
from autoagent.thoughts import CommandCall, Thought

USAGE = Usage(calls=1, input_tokens=3_000, cached_tokens=2_000, output_tokens=100, cost_usd=0.001)


def export(*args: str, **environ: str) -> bytes:
    """What the command writes to standard output. Raises what it raises."""
    result = CliRunner().invoke(command, args, env=environ)
    if result.exception:
        raise result.exception
    return result.stdout_bytes


def export_apart(*args: str, code: int = 0, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """The same in a process of its own."""
    line = [sys.executable, "-m", "autoagent", "export", *args]
    ran = subprocess.run(line, capture_output=True, env={**os.environ, **environ}, check=False)
    assert ran.returncode == code, ran.stderr.decode()
    return ran


def calls(commands: tuple[CommandCall, ...], said: str) -> list[Event]:
    thought = Thought(text=said, reasoning=said, plan=(f"[x] {said}",), criticism=said, speak=said, commands=commands)
    called = ModelCalled(model=f"gpt-x{said}", tail=said, estimated_tokens=1, reserved=Usage(calls=1))
    return [called, ModelReplied(reply="{}", usage=USAGE, seconds=2.0, thought=thought, said="x", tokens=1)]


def kept_run(folder: Path, **options: Any) -> Path:
    """A run as `run_events` makes it, in its journal."""
    with Journal(folder) as journal:
        for event in _events(journal.keep, folder.name, **options):
            journal.append(event)
    return folder


def run_events(texts: dict[str, str], run: str = "7f3a", **options: Any) -> list[Event]:
    """The same without a journal: the texts kept beside it are put into `texts`."""

    def keep(text: str) -> str:
        name = hashlib.sha256(text.encode()).hexdigest()
        texts[name] = text
        return name

    events = _events(keep, run, **options)
    return [event.model_copy(update={"seq": seq}) for seq, event in enumerate(events, 1)]


def _events(
    keep: Callable[[str], str], run: str, *, text: str = "I look.", seen: str = "Acme costs 3,000 won.",
    result: str = "Acme: 3,000 won. Growth: 12 %.", steps: int = 2, quote: str = "3,000 won", goal: str = "",
    path: str = "report.md", workspace: str = "/tmp/ws",
) -> list[Event]:  # fmt: skip
    """A run that read something (`steps` times), wrote a file, was asked and told, was compacted, and reached its goal.

    `text` stands in every field that can hold foreign words, `seen` is what each command brought.
    """
    setup = Setup(
        model=f"gpt-x{text}", base_url="https://me:pass@api.example.org/v1", context_tokens=8_000, reply_tokens=500,
        workspace=workspace, evidence="mark",
    )  # fmt: skip
    system = keep(f"You work. {text}")
    events: list[Event] = [
        RunStarted(
            run_id=run, goal=goal or text, name=text, role=text, setup=setup, limits=Limits(cost_usd=1.0),
            system=system, nonce="n", version="0.1",
        ),
        CriteriaSet(criteria=(Criterion(text=text), Criterion(text="exists", file=path)), by=text),
    ]  # fmt: skip
    for number in range(1, steps + 1):
        events += _step(keep, number, text, seen, path)
    events += [
        ModelCalled(model="gpt-x", tail="", estimated_tokens=1, reserved=Usage(calls=1)),
        ModelFailed(problem=text, wait_s=2.0, seconds=0.5),
        PersonSaid(text=text, by=text),
        Compacted(upto=1, summary=text, tokens=1, by="model", tokens_before=9, tokens_after=3, kept=text),
        RunPaused(status="paused", reason=text),
        RunResumed(changed=(text,)),
        *calls((CommandCall(name="task_complete", args={"result": result}),), text),
    ]
    return [*events, *_end(f"{steps + 1}.1", text, seen, result, quote, path)]


def _step(keep: Callable[[str], str], number: int, text: str, seen: str, path: str) -> list[Event]:
    """A command that reads, and one that writes and is asked about."""
    look = CommandCall(name="browse", args={"url": "https://acme.example", "question": text})
    write = CommandCall(name="write_file", args={"path": path, "text": text})
    state = FileState(kind="file", sha256="ab" * 32, size=300)
    change = FileChange(path=path, before=FileState(kind="absent") if number == 1 else state, after=state)
    return [
        *calls((look, write), text),
        CommandStarted(call_id=f"{number}.1", call=look, allowed_by=text, sandbox="bubblewrap"),
        CommandFinished(
            call_id=f"{number}.1", outcome="ok", text=seen[:500], artifact=keep(seen), tokens=9, seconds=0.4,
            outside=True, detail=text,
        ),
        ApprovalAsked(call_id=f"{number}.2", call=write, reason=text, digest="d", preview=f"@@ -1 @@\n-old\n+{text}"),
        ApprovalGiven(call_id=f"{number}.2", allowed=True, by="terminal", reason=text),
        CommandStarted(call_id=f"{number}.2", call=write, allowed_by="terminal", path=path, before="a", after="b"),
        CommandFinished(call_id=f"{number}.2", outcome="ok", text=text, wrote=path, changed=(change,)),
    ]  # fmt: skip


def _end(call_id: str, text: str, seen: str, result: str, quote: str, path: str) -> list[Event]:
    place = {"observation": "1.1", "start": seen.find(quote), "end": seen.find(quote) + len(quote)}
    claims = (
        CheckedClaim(text=text, source="1.1", quote=quote, found=True).model_copy(update=place),
        CheckedClaim(text="Growth is 12 %", source=text, quote=text, found=False, problem=text),
    )  # fmt: skip
    verdicts = (
        Verdict(criterion=1, state="unclear", proof=text, source=text, by="review"),
        Verdict(criterion=2, state="met", proof=f"{path} exists"),
    )
    loose = (LooseFact(kind="number", text="12 %"), LooseFact(kind="name", text=text, where=text))
    return [
        CriteriaJudged(call_id=call_id, verdicts=verdicts, round=1),
        EvidenceChecked(call_id=call_id, evidence=Evidence(claims=claims, loose=loose, facts=4)),
        HandoverWritten(done=(text,), open=(text,), next=text, files=(text,), by="digest"),
        RunEnded(status="reached", result=result, files=(path,)),
    ]
