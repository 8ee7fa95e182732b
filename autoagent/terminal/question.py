"""The standing question as a person sees it: the command in full, why it is asked, what holds it, and the keys."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autoagent import rules
from autoagent.commands import available
from autoagent.events import ApprovalAsked
from autoagent.policy import UNSANDBOXED
from autoagent.registry import Command
from autoagent.rules import Scope
from autoagent.state import State
from autoagent.terminal.calls import call_lines, diff_lines
from autoagent.terminal.criteria import is_it_so_lines, undecided
from autoagent.terminal.layout import Line, Piece, foreign, line
from autoagent.terminal.steps import OUTSIDE_RULES, outside_words

NO_REASON = ("acts", "every command", "question")  # what the policy says where there is nothing to warn of
ASKED_BY_RULE = "rule: ask "
DELETES = ("delete_file",)
_DEEDS = {"delete_file": "Delete", "move_file": "Move", "copy_file": "Copy"}  # what a yes does; else it writes a file
HELP = """\
y        yes, this one               y 5      this and the next 4 (y -5 too)
n TEXT   no; TEXT goes to the model  e        edit the arguments first
a        always…, shows the rule     s        let a critic look first
d        full diff or arguments      q        pause and leave (exit 5)
any other text is advice: nothing runs, the model thinks again"""
NARROW_HELP = """\
y       yes, this one
y 5     this and the next 4 (y -5 too)
n TEXT  no; TEXT goes to the model
e       edit the arguments first
a       always…, shows the rule
s       let a critic look first
d       full diff or arguments
q       pause and leave (exit 5)
any other text is advice: nothing runs, the
model thinks again"""

IS_IT_SO_HELP = """\
y       it is so: the goal counts as reached
n TEXT  it is not; TEXT goes to the model
d       the whole result
q       pause and leave (exit 5)
any other text is advice: the run goes on"""


@dataclass(frozen=True)
class Question:
    """What is asked, and the run that asks it."""

    asked: ApprovalAsked
    state: State

    @property
    def is_for_a_person(self) -> bool:
        """Whether the model asks the person something, instead of waiting for a yes."""
        return self.asked.reason == "question" and not self.is_about_criteria

    @property
    def is_about_criteria(self) -> bool:
        """Whether it is asked if something is so, at the end of the run: nothing runs by the answer."""
        return self.asked.decided_by == "criteria"

    @property
    def enter_is_yes(self) -> bool:
        """Only for a file that is written and can be put back. What a program does can't be read from its line."""
        command = self.command
        if self.is_about_criteria:
            return False
        by_change = command is not None and command.returns_change and command.name not in DELETES
        return by_change and self.asked.reason in NO_REASON

    @property
    def command(self) -> Command[..., Any] | None:
        """The built-in command; None for a plugin's."""
        setup = self.state.setup
        if setup is None:
            return None
        known = available(setup.sandbox, unsandboxed=setup.unsandboxed)
        return next((one for one in known if one.name == self.asked.call.name), None)


def question_lines(question: Question, *, narrow: bool, full: bool = False) -> list[Line]:
    """The command with every argument, its diff, the warnings; then the answers."""
    if question.is_for_a_person:
        call = question.asked.call
        title = line(Piece("The agent asks", "bold"), first=2)
        hint = line(Piece("Type the answer; q alone pauses and leaves.", "dim"), first=2)
        return [line(), title, *foreign(str(call.args.get("question") or call.args), indent=4), hint]
    return [line(), *_act_lines(question, full=full), line(), answers_line(question, narrow=narrow)]


def _act_lines(question: Question, *, full: bool) -> list[Line]:
    asked = question.asked
    if question.is_about_criteria:
        return is_it_so_lines(question.state, undecided(question.state), full=full)
    lines = call_lines(asked.call, preview=asked.preview, full=full)
    if asked.preview:
        lines += diff_lines(asked.preview, full=full)
    lines += [line(Piece("! ", "warn"), warning, first=4, rest=6) for warning in _warnings(question)]
    return lines + [line(Piece(fact, "dim"), first=4, rest=6) for fact in (_place(question), _undo(question)) if fact]


def _warnings(question: Question) -> Iterator[str]:
    """Why it is asked, where that is more than the mode; which text from outside may stand behind it."""
    asked, setup = question.asked, question.state.setup
    if asked.reason.startswith(ASKED_BY_RULE):
        yield f"a rule of yours asks: {rules.in_words(asked.reason.removeprefix(ASKED_BY_RULE))}"
    elif asked.reason not in NO_REASON:
        yield asked.reason
    if asked.decided_by in OUTSIDE_RULES:
        yield f"text from outside: {outside_words(question.state)}"
    if _is_program(question) and setup and setup.sandbox == "none" and "unsandboxed" not in asked.reason:
        yield UNSANDBOXED


def _place(question: Question) -> str:
    """What holds a program; "" where nothing does, which is a warning."""
    setup = question.state.setup
    if setup is None or setup.sandbox == "none" or not _is_program(question):
        return ""
    network = "reaches the network, what it reads can be sent anywhere" if setup.sandbox_network else "no network"
    return f"in the sandbox ({setup.sandbox}): {network}"


def _undo(question: Question) -> str:
    """What of it can't be taken back; "" where all of it can."""
    command, setup = question.command, question.state.setup
    if command is None:
        return "undo: only what it changes in the workspace"
    if command.address_params:
        return (
            "undo: the file yes, the request no" if command.effect == "writes" else "undo: no request can be taken back"
        )
    if not command.returns_program or setup is None:
        return ""
    if setup.sandbox == "none":
        return "undo: only what it changes in the workspace"
    return "undo: the files yes, requests no" if setup.sandbox_network else ""


def _is_program(question: Question) -> bool:
    return bool(question.command and question.command.returns_program)


def answers_line(question: Question, *, narrow: bool) -> Line:
    """The keys; `d` only where something is left out, `a` only where a rule may be kept, Enter where it is a yes."""
    details = "d all" if _act_lines(question, full=False) != _act_lines(question, full=True) else ""
    if question.is_about_criteria:
        keys = ("y yes", "n no, say why", details, "q leave", "? more")
        told = ("  " if narrow else "   ").join(key for key in keys if key)
        return line(Piece("" if narrow else "Is it so?  ", "bold"), told, first=2)
    always = "a always…" if question.asked.scopes else ""
    yes = "y or Enter" if question.enter_is_yes else "y yes"
    if narrow:
        keys = (yes, "n no", "e edit", always, details, "? more")
        return line("  ".join(key for key in keys if key), first=2)
    keys = (yes, "n no, say why", "e edit", always, details, "? more")
    return line(Piece(f"{_deed(question)} it?  ", "bold"), "   ".join(key for key in keys if key), first=2)


def _deed(question: Question) -> str:
    command = question.command
    if command is None or not command.returns_change:
        return "Run"
    return _DEEDS.get(command.name, "Write")


def help_lines(question: Question, *, narrow: bool) -> list[Line]:
    known = IS_IT_SO_HELP if question.is_about_criteria else NARROW_HELP if narrow else HELP
    return [line(text, first=2) for text in known.split("\n")]


@dataclass(frozen=True)
class Offer:
    """What may be kept instead of answering again: rules, one a line, and for how long."""

    text: str
    scope: Scope

    @property
    def words(self) -> str:
        """`git status, and head` for the parts of a pipe."""
        parts = [rules.in_words(rule) for rule in self.text.split("\n")]
        return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"


def offers(scopes: tuple[str, ...]) -> list[Offer]:
    """Each for this run, then for the workspace; one command word for word only for the run."""
    kept_longer = [text for text in scopes if not text.startswith("exact:")]
    return [*(Offer(text, "run") for text in scopes), *(Offer(text, "workspace") for text in kept_longer)]


_HEADS: dict[Scope, str] = {"run": "Always, in this run:", "workspace": "Always, in this workspace:"}


def always_lines(offered: list[Offer], *, narrow: bool) -> list[Line]:
    """The rules that may be kept, numbered, the narrowest first."""
    column = 4 if narrow else 4 + max(map(len, _HEADS.values()))
    lines: list[Line] = []
    told: Scope | None = None
    for number, offer in enumerate(offered, 1):
        head = "" if offer.scope == told else _HEADS[offer.scope]
        told = offer.scope
        if narrow and head:
            lines.append(line(Piece(head, "bold"), first=2))
        before = Piece("" if narrow else head.ljust(column - 2), "bold")
        lines.append(line(before, f"{number}  {offer.words}", first=column if narrow else 2, rest=column + 3))
    return lines
