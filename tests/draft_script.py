"""A run that stands at its draft, or at what only a person can decide. Run as a program by test_draft_pty.

Usage: draft_script.py FOLDER DRAFT-AS-JSON [plain] [question]
"""

import json
import os
import sys
import time
from pathlib import Path

from test_terminal_script import CALLED, PRICED, SHELL, begin

from autoagent.budget import Limits
from autoagent.criteria import Criterion, Draft, Needs, Verdict
from autoagent.events import ApprovalAsked, CommandFinished, CriteriaJudged, CriteriaSet, ModelReplied
from autoagent.journal import Journal
from autoagent.signals import Signals
from autoagent.terminal.keyboard import Keyboard
from autoagent.terminal.look import choose_look
from autoagent.terminal.people import TerminalPeople
from autoagent.terminal.screen import Screen
from autoagent.thoughts import CommandCall, Thought

DRAFT = Draft(
    criteria=(
        Criterion(text="가격마다 날짜가 있다"),
        Criterion(text="the tests pass", command="pytest -q"),
        Criterion(text="report.md is there", file="report.md"),
    ),
    needs=Needs(hosts=("example.org",), programs=("git status", "python3", "rm -rf x"), folders=("data/",)),
)


def main() -> None:
    folder, draft = Path(sys.argv[1]), Draft.model_validate_json(sys.argv[2])
    signals = Signals()
    signals.install()
    screen = Screen(choose_look(sys.stderr, os.environ, plain="plain" in sys.argv))
    journal = begin(folder, screen, Limits(steps=50))
    journal.append(CALLED)
    thought = Thought(text="Look.", commands=(SHELL,), draft=draft)
    journal.append(ModelReplied(reply="{}", usage=PRICED, thought=thought))
    keyboard = Keyboard.open(screen.look)
    assert keyboard
    print("ready", flush=True)
    time.sleep(float(os.environ.get("BEFORE", "0")))
    people = TerminalPeople(folder, signals, screen, keyboard)
    if "question" in sys.argv:
        ask_if_it_is_so(journal)
        asked = people.wait(journal.state)
    else:
        asked = people.edit_criteria(journal.state)
    messages = [message.model_dump() for message in people.messages()]
    print(json.dumps({"asked": asked, "stop": signals.stop_reason, "messages": messages}))


def ask_if_it_is_so(journal: Journal) -> None:
    end = CommandCall(name="task_complete", args={"result": "Acme costs 49."})
    journal.append(CriteriaSet(criteria=DRAFT.criteria, by="model"))
    journal.append(CommandFinished(call_id="1.1", outcome="ok", text="clean"))
    journal.append(CALLED)
    journal.append(ModelReplied(reply="{}", usage=PRICED, thought=Thought(text="Done.", commands=(end,))))
    verdict = Verdict(criterion=1, state="person", proof="only you know", by="review")
    journal.append(CriteriaJudged(call_id="2.1", verdicts=(verdict,), round=1))
    journal.append(
        ApprovalAsked(call_id="2.1", call=end, reason="… — only you know", digest="1", decided_by="criteria")
    )


if __name__ == "__main__":
    main()
