"""The screen: each event of a run as lines, and the live line between them."""

from collections.abc import Callable, Sequence

from autoagent.budget import Limits
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
    FilesChanged,
    FilesUndone,
    HandoverWritten,
    ModelCalled,
    ModelFailed,
    ModelReplied,
    NetworkAllowed,
    PersonSaid,
    ReviewAsked,
    RuleKept,
    RunEnded,
    RunPaused,
    RunResumed,
    RunStarted,
)
from autoagent.memory import believed
from autoagent.models import Heard
from autoagent.programs import Progress
from autoagent.state import State
from autoagent.terminal import criteria, steps
from autoagent.terminal.calls import call_lines, diff_lines
from autoagent.terminal.criteria import HERE
from autoagent.terminal.layout import Line, Piece, line, one_line
from autoagent.terminal.live import Doing, LiveLine
from autoagent.terminal.look import Look
from autoagent.terminal.words import DOING, counted, is_planned, joined, spent, thousands, who_plans
from autoagent.thoughts import CommandCall, Thought


class Screen:
    """Draws a run on the terminal. `observe` is an observer of its journal; it never changes the run.

    `quiet` leaves errors and the ending, `verbose` adds reasoning in full, tokens and seconds.
    `stop_reason` says whether a person has asked for a pause; `changed` what a command did to the workspace.
    """

    def __init__(
        self,
        look: Look,
        *,
        quiet: bool = False,
        verbose: bool = False,
        stop_reason: Callable[[], str] = lambda: "",
        changed: Callable[[CommandFinished | FilesChanged], Sequence[FileChange]] = lambda event: event.changed,
    ):
        self.look, self.quiet, self.verbose, self._changed = look, quiet, verbose, changed
        self.asked: ApprovalAsked | None = None  # the newest question
        self._live = LiveLine(look, stop_reason)
        self._shown: CommandCall | None = None  # drawn with its question
        self._running: dict[str, CommandStarted] = {}
        self._thought: Thought | None = None  # the last one that was drawn
        self._after_text = False  # a blank line stands between a thought, or what a program wrote, and the next command

    def begin(self, state: State) -> None:
        """The run as it stands: what brought text from outside into it, and the command that was under way."""
        calls = state.pending.calls if state.pending else ()
        self._running = {call.id: call.started for call in calls if call.started}
        if state.outside and not self.quiet:
            self.look.write(steps.outside_line(state, narrow=self.look.narrow))

    def observe(self, event: Event, state: State) -> None:
        """Draw what happened; then the live line goes on."""
        if isinstance(event, ApprovalAsked):
            self.asked = event
        if self.quiet:
            return
        lines = self._lines(event, state)
        now = self._doing(event, state)
        if isinstance(event, ModelCalled | CommandStarted):
            self.look.write(*lines)
            self._live.show(now)
        else:
            self._live.show(None)
            self.look.write(*lines)
            self._live.show(now)
        self._after_text = isinstance(event, ModelReplied | CriteriaSet) or (
            isinstance(event, CommandFinished) and len(lines) > 1
        )

    def hear(self, heard: Heard) -> None:
        """The reply as it arrives, on the live line."""
        if not self.quiet:
            self._live.hear(heard)

    def watch(self, progress: Progress) -> None:
        """A program that runs, on the live line."""
        if not self.quiet:
            self._live.watch(progress)

    def idle(self) -> None:
        """Take the live line away: someone else writes now, or the run is over."""
        self._live.show(None)

    def working(self, what: str) -> None:
        """A live line for work that has no events, until `idle`."""
        if not self.quiet:
            self._live.show(Doing(what, ("Ctrl-C stops it",), reply="thought"))

    def shown(self, call: CommandCall) -> None:
        """The call was drawn with its question and need not be drawn again when it runs."""
        self._shown = call

    def _lines(self, event: Event, state: State) -> list[Line]:
        columns, narrow, verbose = self.look.columns, self.look.narrow, self.verbose
        match event:
            case ModelReplied(purpose="step"):
                rule = steps.step_rule(state, columns, narrow=narrow)
                before, self._thought = self._thought, event.thought or self._thought
                return [line(), rule, *steps.reply_lines(event, state, before, narrow=narrow, verbose=verbose)]
            case ModelReplied():
                return steps.reply_lines(event, state, narrow=narrow, verbose=verbose)
            case ModelFailed():
                return steps.failure_lines(event, state)
            case Compacted():
                return [steps.compacted_line(event, state)]
            case CommandStarted():
                shown = [*call_lines(event.call, preview=event.diff), *(diff_lines(event.diff) if event.diff else [])]
                lines = [] if event.call == self._shown else shown
                return [line(), *lines] if self._after_text and lines else lines
            case CommandFinished():
                skipped = steps.skipped_lines(state) if event.ends_batch else []
                return [*self._result_lines(event, state), *skipped, *steps.loop_lines(state)]
            case ApprovalGiven() | RuleKept() | ReviewAsked() | PersonSaid():
                return _person_lines(event, state)
            case RunStarted() | RunResumed() | RunPaused() | RunEnded() | ModelCalled() | ApprovalAsked():
                return []  # the header, the ending, the live line and the question tell these
            case FilesChanged():
                if told := steps.noted_words(event):
                    return [line(joined(told, "undoable"), first=2)]
                return [
                    line(f"{steps.what_changed(state)} changed:", first=2),
                    *steps.changed_lines(self._changed(event)),
                ]
            case CriteriaSet():
                return criteria.set_lines(event, in_short=not verbose and is_planned(state.setup))
            case CriteriaJudged():
                return criteria.judged_lines(event, state)
            case EvidenceChecked():
                return criteria.evidence_lines(event.evidence)
            case HandoverWritten():
                return []  # the ending tells it
            case NetworkAllowed():
                return []  # the header says so
            case FilesUndone():
                return []  # by a command of its own, never while a run works

    def _result_lines(self, event: CommandFinished, state: State) -> list[Line]:
        started, columns = self._running.get(event.call_id), self.look.columns
        if started and started.sandbox:
            lines = steps.program_lines(event, state, self._changed(event), columns, verbose=self.verbose)
        else:
            lines = steps.result_lines(event, state, columns, verbose=self.verbose)
        first_from_outside = event.outside and state.outside == event.call_id
        return [*lines, steps.outside_line(state, narrow=self.look.narrow)] if first_from_outside else lines

    def _doing(self, event: Event, state: State) -> Doing | None:
        match event:
            case ModelCalled():
                size = state.setup.context_tokens if state.setup else 0
                used = believed(state, event.estimated_tokens, event.model)
                window = f"window {thousands(used)} of {thousands(size)}"
                part = f"{100 * used // size} %" if size else ""
                money = spent(state.usage, Limits())  # its limit stands in the line above each step
                reply = "thought" if event.purpose == "step" else "prose"
                return Doing(DOING[event.purpose], (window, "Ctrl-C pauses"), (part, money), reply=reply)
            case ModelFailed(wait_s=float() as wait_s):
                why = f": {steps.failure_words(event, state)}"
                return Doing("waiting", ("costs nothing",), (), of_s=wait_s, why=why)
            case CommandStarted():
                self._running[event.call_id] = event
            case CommandFinished():
                self._running.pop(event.call_id, None)
            case _:
                self._running.clear()
        names = [started.call.name for started in self._running.values()]
        return (
            Doing(names[0] if len(names) == 1 else counted(len(names), "command"), ("Ctrl-C pauses",))
            if names
            else None
        )


def _person_lines(event: ApprovalGiven | RuleKept | ReviewAsked | PersonSaid, state: State) -> list[Line]:
    by = "" if event.by == HERE else f"{one_line(event.by, 60)}: "
    match event:
        case ApprovalGiven(allowed=True) if event.args is not None:
            return [line(Piece("✓ ", "good"), f"{by}arguments edited")]
        case ApprovalGiven(allowed=True):
            more = f", and the next {event.more} too" if event.more else ""
            return [line(Piece("✓ ", "good"), f"{by}yes{more}")] if by or more else []
        case ApprovalGiven():
            reason = f", {one_line(event.reason)}" if event.reason else ""
            return [line(Piece("✗ ", "bad"), f"{by}no{reason}")] if by else []  # the refusal that follows says the rest
        case RuleKept():
            where = Piece(f"  (autoagent rules list {state.run_id})", "dim")
            return [line(Piece("✓ ", "good"), f"{by}{steps.kept_words(event)}", where)]
        case ReviewAsked():
            return [line(Piece("✓ ", "good"), f"{by}a critic looks first; nothing runs meanwhile")]
        case PersonSaid():
            said = f"{by}{one_line(event.text)}" if by else f"noted, {who_plans(state.setup)} reads it next"
            return [line(Piece("✓ ", "good"), said)]
