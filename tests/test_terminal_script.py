"""A run without an agent: real events in a real journal, drawn by the real screen. Run as a program by the tests.

Usage: test_terminal_script.py FOLDER SCENE [plain|quiet|verbose …]
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

from autoagent.budget import Limits, Usage
from autoagent.events import (
    ApprovalAsked,
    ApprovalGiven,
    CommandFinished,
    CommandStarted,
    Compacted,
    Event,
    FileChange,
    FileState,
    ModelCalled,
    ModelFailed,
    ModelReplied,
    PersonSaid,
    ReviewAsked,
    RuleKept,
    RunEnded,
    RunPaused,
    RunStarted,
    Setup,
)  # fmt: skip
from autoagent.journal import Journal
from autoagent.models import Heard
from autoagent.programs import Progress
from autoagent.signals import Signals
from autoagent.terminal.ending import ending
from autoagent.terminal.goal import Proposal, ask_goal
from autoagent.terminal.header import error_line, header, limits_line, model_line, warn_line
from autoagent.terminal.keyboard import Keyboard
from autoagent.terminal.look import choose_look
from autoagent.terminal.people import TerminalPeople
from autoagent.terminal.screen import Screen
from autoagent.thoughts import CommandCall, Thought

SETUP = Setup(model="gpt-5-mini", context_tokens=128_000, reply_tokens=8_000, workspace="/w", sandbox="bubblewrap")
CALLED = ModelCalled(
    model="gpt-5-mini", tail="", estimated_tokens=41_000, reserved=Usage(calls=1, input_tokens=41_000, cost_usd=0.02)
)
PRICED = Usage(calls=1, input_tokens=18_000, cached_tokens=12_000, output_tokens=700, cost_usd=0.04)
THOUGHT = Thought(
    text="I have three of four sources. The price list is still missing.",
    reasoning="the goal asks for prices, and source 2 only gives a range",
    plan=("[x] find sources", "[x] read them", "[>] get the price list", "[ ] write the report"),
    criticism="the list may be from 2024; check its date before quoting it",
    commands=(CommandCall(name="read_file", args={"path": "notes.md"}),),
)
DIFF = "--- data/prices.csv\n+++ data/prices.csv\n@@ -1,2 +1,2 @@\n vendor,price\n-Acme,40\n+Acme,49\n"
WRITE = CommandCall(name="write_file", args={"path": "data/prices.csv", "text": "vendor,price\nAcme,49\n"})
SHELL = CommandCall(name="run_shell", args={"command": "git status", "timeout_s": 60})
BROWSE = CommandCall(name="browse", args={"url": "https://example.org/page"})
SEND = CommandCall(name="send_mail", args={"to": "a@example.org"})
PYTEST = CommandCall(name="run_shell", args={"command": "pytest -q"})
FILE = FileState(kind="file", sha256="1", size=3)
CHANGED = (
    FileChange(path="a.py", before=FILE, after=FILE.model_copy(update={"sha256": "2"})),
    FileChange(path="b.py", before=FileState(), after=FILE),
    FileChange(path="c.txt", before=FILE, after=FileState()),
)
PERSON = CommandCall(name="ask_person", args={"question": "Which vendor matters most?\nAcme or 한빛?"})


def call(thought: Thought, *commands: CommandCall) -> ModelReplied:
    thought = thought.model_copy(update={"commands": commands})
    return ModelReplied(reply="{}", usage=PRICED, seconds=14, thought=thought, said="said", tokens=10)


def story() -> list[Event]:
    read = CommandCall(name="read_file", args={"path": "notes.md"})
    return [
        CALLED,
        call(THOUGHT, read, SHELL),
        CommandStarted(call_id="1.1", call=read, allowed_by="reading"),
        CommandFinished(call_id="1.1", outcome="ok", text="# Notes\n" + "line\n" * 11, tokens=40, seconds=0.12),
        CommandStarted(call_id="1.2", call=SHELL, allowed_by="rule: run_shell"),
        CommandFinished(call_id="1.2", outcome="failed", text="Exit code 1: no such thing", tokens=9, seconds=3.2),
        CALLED,
        ModelFailed(problem="rate limit", wait_s=12.0, seconds=1.0),
        CALLED,
        ModelReplied(reply="hm", usage=PRICED, problem="The reply holds no JSON object.", said="hm", tokens=4),
        Compacted(
            upto=1, summary="s", tokens=900, by="model", tokens_before=38_000, tokens_after=9_000,
            kept="goal, plan, 3 newest steps",
        ),
        CALLED,
        call(Thought(text="Writing the report 한글 🙂 now.", commands=()), WRITE),
        ApprovalAsked(call_id="3.1", call=WRITE, reason="acts", digest="d", preview=DIFF),
        ApprovalGiven(call_id="3.1", allowed=True, by="answer", digest="d"),
        CommandStarted(call_id="3.1", call=WRITE, allowed_by="answer", path="data/prices.csv"),
        CommandFinished(
            call_id="3.1", outcome="ok", text="data/prices.csv written: 2 lines", tokens=40, seconds=0.8,
            wrote="data/prices.csv",
        ),
        PersonSaid(text="only EU data centres please", by="slack"),
    ]  # fmt: skip


def repeated() -> list[Event]:
    again: list[Event] = []
    for step in range(1, 4):
        again += [
            CALLED,
            call(Thought(text="Again.", commands=()), SHELL),
            CommandStarted(call_id=f"{step}.1", call=SHELL, allowed_by="rule"),
            CommandFinished(call_id=f"{step}.1", outcome="ok", text="the same", tokens=4, seconds=1),
        ]
    return again


def programs() -> list[Event]:
    """Programs that end well and badly, one that changes a trusted file, and a page that taints the run."""
    failed = "exit code 1\n" + "\n".join(f"test {n}" for n in range(1, 41)) + "\n1 failed\n[Changed: a.py, b.py (new)]"
    back = "[Put back as it was, since other programs obey it: .git/hooks/pre-commit]"
    return [
        CALLED,
        call(Thought(text="I test it.", commands=()), SHELL, PYTEST, SHELL, BROWSE),
        CommandStarted(call_id="1.1", call=SHELL, allowed_by="the sandbox", sandbox="bubblewrap"),
        CommandFinished(call_id="1.1", outcome="ok", text="exit code 0\nOn branch 한글 🙂\n", tokens=9, seconds=1.2),
        CommandStarted(call_id="1.2", call=PYTEST, allowed_by="the sandbox", sandbox="bubblewrap"),
        CommandFinished(call_id="1.2", outcome="failed", text=failed, tokens=9, seconds=3.2, changed=CHANGED),
        CommandStarted(call_id="1.3", call=SHELL, allowed_by="the sandbox", sandbox="bubblewrap"),
        CommandFinished(
            call_id="1.3", outcome="ok", text=f"exit code 0\nline\n{back}", tokens=9, detail="trusted files",
            put_back=(".git/hooks/pre-commit",),
        ),
        CommandStarted(call_id="1.4", call=BROWSE, allowed_by="reading"),
        CommandFinished(call_id="1.4", outcome="ok", text="A page", tokens=9, outside=True),
        CALLED,
        call(Thought(text="I send it.", commands=()), SEND),
        CommandFinished(
            call_id="2.1", outcome="refused", text="Not run. It acts on the world.", tokens=9, detail="outside text"
        ),
    ]  # fmt: skip


def hostile(text: str) -> list[Event]:
    """The same bad text in every place that a model, a file, a page or a person can reach."""
    bad = CommandCall(name=text, args={"path": text, text: text, "list": [text]})
    file = FileChange(path=text, before=FileState(), after=FILE)
    thought = Thought(text=text, reasoning=text, plan=(f"[x] {text}",), criticism=text, speak=text + "!", commands=())
    return [
        CALLED,
        call(thought, bad, SHELL),
        ApprovalAsked(call_id="1.1", call=bad, reason=text, digest="d", preview=f"+{text}", scopes=(f"write:{text}",)),
        RuleKept(rule=f"write:{text}", by=text),
        ApprovalGiven(call_id="1.1", allowed=False, by=text, reason=text),
        CommandFinished(call_id="1.1", outcome="refused", text=text, tokens=1),
        CommandFinished(call_id="1.2", outcome="ok", text=text, brief=text, tokens=1, wrote=text),
        CALLED,
        ModelFailed(problem=text, wait_s=1.0),
        CALLED,
        ModelReplied(reply="", usage=PRICED, problem=text, said="", tokens=1),
        PersonSaid(text=text, by=text),
        CALLED,
        call(thought, SHELL, SHELL, bad, bad),
        CommandStarted(call_id="3.1", call=SHELL, allowed_by=text, sandbox="bubblewrap"),
        CommandFinished(
            call_id="3.1", outcome="failed", text=f"exit code 1\n{text}\n{text}", tokens=1, changed=(file,)
        ),
        CommandStarted(call_id="3.2", call=SHELL, allowed_by=text, sandbox="bubblewrap"),
        CommandFinished(call_id="3.2", outcome="ok", text=f"{text}\n[Put back {text}]", tokens=1, put_back=(text,)),
        CommandFinished(call_id="3.3", outcome="ok", text=text, tokens=1, outside=True),
        CommandFinished(call_id="3.4", outcome="refused", text=text, tokens=1, detail="outside text"),
        CALLED,
        call(thought, bad),
        ReviewAsked(by=text),
        ModelReplied(purpose="review", reply=text, usage=PRICED),
    ]


def begin(folder: Path, screen: Screen, limits: Limits) -> Journal:
    journal = Journal(folder)
    journal.observers.append(screen.observe)
    journal.append(
        RunStarted(
            run_id="7f3a", goal="Compare vendors", setup=SETUP, limits=limits, system="", nonce="n", version="0.1.0"
        )
    )
    return journal


def main() -> None:
    folder, scene, flags = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    look = choose_look(sys.stderr, os.environ, plain="plain" in flags)
    header(look, run_id="7f3a", workspace="~/notes-project")
    if scene == "header":
        return
    limits = Limits(steps=50, cost_usd=1.0)
    model_line(look, "gpt-5-mini", "api.openai.com", "window 128k", "catalog price")
    limits_line(look, limits)
    signals = Signals()
    signals.install()
    screen = Screen(look, quiet="quiet" in flags, verbose="verbose" in flags, stop_reason=lambda: signals.stop_reason)
    if scene == "goal":
        return ask_for_a_goal(screen)
    journal = begin(folder, screen, limits)
    if scene == "reply":
        return hear_a_reply(journal, screen)
    if scene == "watch":
        return watch(journal, screen)
    if scene in ("story", "repeated", "programs", "hostile"):
        events = {"story": story, "repeated": repeated, "programs": programs}.get(scene)
        for event in events() if events else hostile(Path(os.environ["BAD_TEXT"]).read_text(errors="surrogateescape")):
            journal.append(event)
            time.sleep(float(os.environ.get("PACE", "0")))
        warn_line(look, 'gpt-5-mini refuses "temperature"; left out from now on')
        error_line(look, "api.openai.com refused the key (401). Not retried. Check OPENAI_API_KEY, then go on.")
        finish(journal, os.environ.get("END", "reached"))
    else:
        ask(journal, screen, signals, scene)
    screen.idle()
    ending(look, journal.state, more=["autoagent show 7f3a"])


def hear_a_reply(journal: Journal, screen: Screen) -> None:
    """A reply in the parts that PARTS holds, from another thread; Enter ends it."""
    journal.append(CALLED.model_copy(update={"purpose": os.environ.get("PURPOSE", "step")}))

    def speak() -> None:
        for part in json.loads(Path(os.environ["PARTS"]).read_text()):
            screen.hear(Heard(text=part) if isinstance(part, str) else Heard(**part))
            time.sleep(float(os.environ.get("PACE", "0")))
        print("said all", flush=True)

    threading.Thread(target=speak).start()
    sys.stdin.readline()
    screen.idle()
    print("the end")


def watch(journal: Journal, screen: Screen) -> None:
    """A program that writes the lines that PARTS holds, one each PACE seconds; Enter ends it."""
    journal.append(CALLED)
    journal.append(call(THOUGHT, SHELL))
    journal.append(CommandStarted(call_id="1.1", call=SHELL, allowed_by="the sandbox", sandbox="bubblewrap"))
    for last_line in json.loads(Path(os.environ["PARTS"]).read_text()):
        screen.watch(Progress(seconds=1.0, timeout_s=60.0, last_line=last_line))
        time.sleep(float(os.environ.get("PACE", "0")))
    print("said all", flush=True)
    sys.stdin.readline()
    screen.idle()
    print("the end")


def finish(journal: Journal, end: str) -> None:
    match end:
        case "reached":
            journal.append(RunEnded(status="reached", result="done", files=("report.md",)))
        case "limit":
            reason = "cost limit: $0.96 of $1.00 spent; the next call could cost $0.09, so it was not sent"
            journal.append(RunPaused(status="limit", reason=reason))
        case "unavailable":
            journal.append(RunPaused(status="unavailable", reason="api.openai.com refused the key (401)."))
        case _:
            journal.append(RunEnded(status="unreached", result=end))


def ask(journal: Journal, screen: Screen, signals: Signals, scene: str) -> None:
    """One question; what came of it is printed to stdout as JSON."""
    asked_call = {"person": PERSON, "write": WRITE, "shell": SHELL}.get(scene)
    if asked_call is None:
        asked_call = CommandCall(name="run_shell", args={"command": Path(scene).read_text()})
    preview, reason = (DIFF, "acts") if scene == "write" else ("", "question" if scene == "person" else "acts")
    scopes = ("write:data/prices.csv", "write:data/**", "write:**") if scene == "write" else ("run_shell",)
    scopes = tuple(json.loads(os.environ["SCOPES"])) if "SCOPES" in os.environ else scopes
    journal.append(CALLED)
    journal.append(call(THOUGHT, asked_call))
    journal.append(
        ApprovalAsked(call_id="1.1", call=asked_call, reason=reason, digest="d", preview=preview, scopes=scopes)
    )
    keyboard = Keyboard.open(screen.look)
    assert keyboard
    keyboard.bell_after_s = float(os.environ.get("BELL", "5"))
    time.sleep(float(os.environ.get("BEFORE", "0")))
    if "RESUMED" in os.environ:
        screen.asked = None
    people = TerminalPeople(journal.folder, signals, screen, keyboard)
    waited = people.wait(journal.state)
    messages = [message.model_dump() for message in people.messages()]
    print(json.dumps({"waited": waited, "stop": signals.stop_reason, "messages": messages}))
    if messages and messages[0]["kind"] == "answer" and scene != "person":
        sent = messages[0]
        journal.append(ApprovalGiven(call_id="1.1", allowed=sent["allowed"], by=sent["by"], reason=sent["text"]))


def ask_for_a_goal(screen: Screen) -> None:
    keyboard = Keyboard.open(screen.look)
    assert keyboard
    goals = ("Find four vendors", "Write report.md")
    found = ask_goal(screen, keyboard, lambda sentence: Proposal("Scout", f"Looks into: {sentence}", goals))
    print(json.dumps(found and [found.name, found.role, *found.goals], ensure_ascii=False))


if __name__ == "__main__":
    main()
