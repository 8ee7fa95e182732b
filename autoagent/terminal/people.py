"""The person at the terminal: asked where they sit, answering through the run's inbox like any other face."""

import os
from collections.abc import Mapping
from pathlib import Path

from autoagent import inbox, journal, rulebook
from autoagent.errors import ConfigError
from autoagent.events import ApprovalAsked
from autoagent.inbox import InboxMessage
from autoagent.signals import CTRL_C, Signals, Unattended
from autoagent.state import State
from autoagent.terminal.answers import Answer, read_answer
from autoagent.terminal.criteria import HERE
from autoagent.terminal.draft import DraftQuestion
from autoagent.terminal.editing import Args, edit_arguments
from autoagent.terminal.keyboard import Keyboard
from autoagent.terminal.layout import Piece, line, one_line
from autoagent.terminal.question import (
    Offer,
    Question,
    always_lines,
    answers_line,
    help_lines,
    offers,
    question_lines,
)
from autoagent.terminal.screen import Screen

LEFT = "paused by you"


class TerminalPeople(Unattended):
    """Asks at the terminal and puts the answer into the inbox; an answer from elsewhere ends the question here."""

    def __init__(
        self,
        folder: Path,
        signals: Signals,
        screen: Screen,
        keyboard: Keyboard,
        *,
        environ: Mapping[str, str] = os.environ,
    ):
        super().__init__(folder, signals, screen.hear, screen.watch)
        self.screen, self.look, self.keyboard, self.environ = screen, screen.look, keyboard, environ

    def wait(self, state: State) -> bool:
        """Ask, and come back when an answer is in the inbox or the person wants to stop."""
        asked = self._asked(state)
        if asked is None:
            return False
        self.screen.idle()
        try:
            self._ask(Question(asked, state))
        except KeyboardInterrupt:
            self.signals.stop_reason = self.signals.stop_reason or CTRL_C
        except EOFError:
            self._send(InboxMessage(kind="stop", by=HERE, text=LEFT))
        return True

    def edit_criteria(self, state: State) -> bool:
        """Ask once what has to be true at the end; a yes also keeps rules for what the plan needs."""
        if state.draft is None or state.setup is None:
            return False
        self.screen.idle()
        try:
            asked = DraftQuestion(self.look, self.keyboard, state.setup, self.environ, self._over)
            found = asked.ask(state.draft)
            if found and not self._over():
                rule = "\n".join(found.rules)
                self._send(InboxMessage(kind="criteria", by=HERE, criteria=found.criteria, rule=rule, scope="run"))
        except KeyboardInterrupt:
            self.signals.stop_reason = self.signals.stop_reason or CTRL_C
        except EOFError:
            self._send(InboxMessage(kind="stop", by=HERE, text=LEFT))
        return True

    def _asked(self, state: State) -> ApprovalAsked | None:
        """The question that stands; after a resume it is only in the journal."""
        if state.question is None:
            return None
        asked = self.screen.asked
        if asked and (asked.call_id, asked.digest) == (state.question.id, state.question.asked):
            return asked
        found: ApprovalAsked | None = None
        for event in journal.read(self.folder):
            if isinstance(event, ApprovalAsked) and event.call_id == state.question.id:
                found = event
        return found

    def _ask(self, question: Question) -> None:
        self.look.write(*question_lines(question, narrow=self.look.narrow))
        self.screen.shown(question.asked.call)
        self.keyboard.settle(self._over)
        while not self._over():
            typed = self.keyboard.line(until=self._over, bell=True)
            if typed is None:
                return
            message = self._spoken(question, typed) if question.is_for_a_person else self._message(question, typed)
            if message and not self._over():
                return self._send(message)

    def _over(self) -> bool:
        """Somebody answered elsewhere, or the run is to stop."""
        return bool(self.signals.stop_reason) or next(iter(inbox.waiting(self.folder)), None) is not None

    def _send(self, message: InboxMessage) -> None:
        inbox.send(self.folder, message)

    def _spoken(self, question: Question, typed: str) -> InboxMessage | None:
        """Free words in answer to the model's own question."""
        text = typed.strip()
        kind = read_answer(typed).kind
        if kind == "pause" and len(text) == 1:
            raise EOFError
        if not text or (kind == "unclear" and len(text) > 1):
            self.look.write(line("Type the answer; q alone pauses and leaves.", first=2))
            return None
        return _answer(question, allowed=True, text=text)

    def _message(self, question: Question, typed: str) -> InboxMessage | None:
        """What a typed line sends; None: it was answered here and the question stays."""
        if not typed.strip(" ") and question.enter_is_yes:
            return _answer(question, allowed=True)
        answer = read_answer(typed)
        if question.is_about_criteria and (answer.more or answer.kind in ("edit", "always", "critic")):
            return self._hint(question)  # there is no command to which it could apply
        match answer.kind:
            case "yes":
                return _answer(question, allowed=True, more=answer.more)
            case "no":
                return self._no(question, answer)
            case "advice":
                return InboxMessage(kind="say", by=HERE, text=answer.text)
            case "critic":
                return InboxMessage(kind="review", by=HERE, call_id=question.asked.call_id)
            case "pause":
                raise EOFError
            case "edit":
                return self._edit(question)
            case "always":
                return self._always(question)
            case "details":
                self.look.write(*question_lines(question, narrow=self.look.narrow, full=True))
            case "help":
                self.look.write(*help_lines(question, narrow=self.look.narrow))
            case "unclear":
                self._hint(question)
        return None

    def _no(self, question: Question, answer: Answer) -> InboxMessage | None:
        reason: str | None = answer.text
        if not reason:
            self.look.write(line("Why? It goes to the model; Enter for no reason.", first=2))
            reason = self.keyboard.line(until=self._over)
        return None if reason is None else _answer(question, allowed=False, text=reason.strip())

    def _edit(self, question: Question) -> InboxMessage | None:
        args = dict(question.asked.call.args)
        edited = edit_arguments(self.look, self.keyboard, args, self.environ, until=self._over)
        if edited is None:
            self.look.write(line("Nothing was changed.", first=2))
            return self._hint(question)
        return _answer(question, allowed=True, args=edited)

    def _always(self, question: Question) -> InboxMessage | None:
        offered = offers(question.asked.scopes)
        if not offered:
            self.look.write(line("This one is asked every time; no rule can allow it.", first=2))
            return self._hint(question)
        self.look.write(*always_lines(offered, narrow=self.look.narrow), line("Number, or Enter to go back", first=2))
        typed = self.keyboard.line(until=self._over)
        number = int(typed) if typed and len(typed) < 9 and typed.strip().isdecimal() else 0
        if not 0 < number <= len(offered):
            if typed and typed.strip():
                told = "only 1" if len(offered) == 1 else f"1 to {len(offered)}"
                self.look.write(line(f"There is no {one_line(typed, 40)} here, {told}. Nothing was kept.", first=2))
            return self._hint(question)
        offer = self._kept_for_later(question, offered[number - 1])
        return InboxMessage(
            kind="keep_rule", by=HERE, call_id=question.asked.call_id, rule=offer.text, scope=offer.scope
        )

    def _kept_for_later(self, question: Question, offer: Offer) -> Offer:
        """The offer as it can be kept: one for the workspace is in the person's own file before the run hears of it."""
        setup = question.state.setup
        if offer.scope != "workspace" or setup is None:
            return offer
        try:
            for text in offer.text.split("\n"):
                rulebook.add("workspace", Path(setup.workspace), "allow", text)
        except (OSError, ConfigError) as error:
            told = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self.look.write(line(Piece("! ", "warn"), f"kept for this run only, your rules can't be written: {told}"))
            return Offer(offer.text, "run")
        return offer

    def _hint(self, question: Question) -> None:
        self.look.write(answers_line(question, narrow=self.look.narrow))


def _answer(
    question: Question, *, allowed: bool, text: str = "", more: int = 0, args: Args | None = None
) -> InboxMessage:
    call_id = question.asked.call_id
    return InboxMessage(kind="answer", by=HERE, call_id=call_id, allowed=allowed, text=text, more=more, args=args)
