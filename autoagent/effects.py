"""What a command does to the world: a file changed, a program run, and what of the workspace is different after it."""

import re
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from autoagent import policy
from autoagent.criteria import steers
from autoagent.env import ABSENT, Change, Env, Excerpt, Files
from autoagent.errors import CommandError, JournalError, SandboxError
from autoagent.events import CommandStarted, FileChange, FileState, Outcome
from autoagent.history.differences import as_text, difference
from autoagent.people import People
from autoagent.programs import Program, Programs, Progress, Ran
from autoagent.registry import Bound
from autoagent.signals import HUNG_UP, TERMINATED
from autoagent.state import State

SOMEBODYS = FileState(kind="file", kept=False)  # who wrote it since the command had ended
NAMED = 20  # changed files that the model is told by name
GRACE_S = 5.0  # for a program, once the run's own process was told to end
UNKNOWN = (
    "OUTCOME UNKNOWN: this command had started when the program stopped, and its end was not recorded. "
    "It may have taken effect fully, partly or not at all: look before you repeat it."
)
CUT = "Stopped by the person while it ran: it may have taken effect partly. Look before you repeat it."
ENDED = "Stopped, since autoagent ended while it ran: it may have taken effect partly. Look before you repeat it."
OUT_OF_TIME = "Not finished: the run's time limit is used up."
LOST = (
    "OUTCOME UNKNOWN: it was started, and what watched over it was ended by somebody else before its end was recorded. "
    "It may have taken effect fully, partly or not at all: look before you repeat it."
)
TAMPERED = "trusted files"  # the control that puts back what a program may not change
NOT_KEPT = "Not run: what it may change could not be kept for undo"


class History(Protocol):
    """Keeps what commands change in the workspace, so that it can be seen and taken back."""

    def begin(self, call_id: str, paths: Sequence[str] | None) -> None:
        """Keep what is at these paths; None: at any. The first look for a call counts. Raises OSError."""
        ...

    def end(self, call_id: str, ended_ns: int = 0) -> tuple[FileChange, ...]:
        """What is different since then, and was so at `ended_ns` where that is given. Raises OSError."""
        ...

    def drift(self) -> tuple[FileChange, ...]:
        """What is different since the last look, though no command did it. Raises OSError."""
        ...

    def restore(self, changes: Sequence[FileChange]) -> None:
        """Put back what was there before. Raises OSError."""
        ...

    def content(self, path: str, state: FileState) -> bytes:
        """What was at a path in that state. Raises OSError where it was not kept."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Result:
    """What a command came to, before it is recorded; `whole` where `text` is the part of it that matters.

    `cut`: a person ended it while it ran, and the run is to pause.
    """

    outcome: Outcome
    text: str
    whole: str = ""
    says_more: bool = False
    outside: bool = False
    detail: str = ""
    wrote: str = ""
    seconds: float = 0.0
    changed: tuple[FileChange, ...] = ()
    put_back: tuple[str, ...] = ()
    cut: bool = False


@dataclass(frozen=True)
class Effects:
    """Does what was decided, and says what came of it. `forbids` says why a change of a program's is put back."""

    files: Files
    programs: Programs
    history: History
    people: People
    forbids: Callable[[FileChange], str] = lambda change: policy.may_not_change(change, State())

    def keep(self, call_id: str, bound: Bound, planned: Change | Program | None) -> Result | None:
        """Keep what the command may change, before it starts. A Result: that can't be, so it must not run."""
        if bound.command.effect not in ("writes", "executes"):
            return None
        try:
            self.history.begin(call_id, _touched(planned))
        except OSError as error:
            return Result("failed", f"{NOT_KEPT} ({error.strerror or error}).")
        return None

    def drift(self) -> tuple[tuple[FileChange, ...], tuple[str, ...]]:
        """What programs in the background changed since the last look, and what of it was put back."""
        if not self.programs.running():
            return (), ()
        try:
            changed, put_back, _ = self._put_back_obeyed(self.history.drift())
            return changed, put_back
        except OSError:  # seen at the next look
            return (), ()

    def do(
        self, call_id: str, bound: Bound, planned: Change | Program | None, env: Env, left_s: float | None
    ) -> Result:
        """Run a command. `left_s` is what is left of the run's time, None where it has no limit."""
        began = time.monotonic()
        try:
            match planned:
                case Change():
                    result = self._change(planned, env)
                case Program():
                    result = self._run(call_id, planned, left_s)
                case None:
                    came = bound.run(env)
                    part = came if isinstance(came, Excerpt) else Excerpt(str(came), "")
                    result = Result("ok", part.text, part.whole, part.says_more, part.outside)
        except CommandError as error:
            result = self._failed(planned, error)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # plugins raise anything; the run goes on
            result = surprise(error)
        seconds = time.monotonic() - began
        if bound.command.effect in ("writes", "executes"):
            result = self._with_changes(call_id, result, by_program=not isinstance(planned, Change))
        return replace(result, seconds=seconds)

    def check(self, id: str, program: Program, left_s: float | None) -> Result:
        """A program of ours that tells whether something holds; what it changes is kept as a command's is.

        One that had ended when the run's own process died is not run again, until what it came to is journalled and it
        may be forgotten; one whose end nobody saw is.
        """
        try:
            self.history.begin(id, None)
            ran = self.programs.outcome(id)
            if ran and ran.ended in ("exited", "signalled", "timed_out"):
                result = Result("ok" if _is_fine(ran) else "failed", in_words(ran, program.timeout_s))
            else:
                self.programs.forget(id)
                result = self._run(id, program, left_s)
        except CommandError as error:
            result = failed(error)
        except OSError as error:
            return Result("failed", f"{NOT_KEPT} ({error.strerror or error}).")
        return self._with_changes(id, result, by_program=True)

    def difference(self, change: FileChange) -> str:
        """A changed file as what is different, a new one as it is; "" for what is no text, or may hold secrets."""
        if policy.is_secret(change.path):
            return ""
        before, after = (self._text(change.path, state) for state in (change.before, change.after))
        if after is None or before is None:
            return ""
        return after if change.before.kind == "absent" else "\n".join(difference(before, after))

    def _text(self, path: str, state: FileState) -> str | None:
        if state.kind != "file":
            return ""
        try:
            return as_text(self.history.content(path, state))
        except OSError:
            return None

    def after_a_crash(self, call_id: str, started: CommandStarted, seen: dict[str, str]) -> Result | None:
        """What is known of a command that acts and had started when the program died; None: run it (again)."""
        ended_ns = 0
        if started.path:
            result = self._change_after_a_crash(started, seen)
        elif started.sandbox:
            ran = self.programs.outcome(call_id)
            result, ended_ns = _after_a_crash(ran), ran.ended_ns if ran else 0
        else:
            result = Result("unknown", UNKNOWN)
        return result and self._with_changes(call_id, result, by_program=bool(started.sandbox), ended_ns=ended_ns)

    def _change(self, change: Change, env: Env) -> Result:
        if change.source:
            self.files.rename(change.source, change.path, expect=change.after)
        elif change.content is None:
            self.files.remove(change.path, expect=change.before)
        else:
            self.files.write_bytes(change.path, change.content, expect=change.before)
        if change.after != ABSENT:
            env.saw(change.path, change.after)
        return Result("ok", change.summary, wrote=change.path)

    def _failed(self, planned: Change | Program | None, error: CommandError) -> Result:
        """A change may have been made before the disk failed: what is there now tells."""
        if not isinstance(planned, Change) or planned.before == planned.after:
            return failed(error)
        with suppress(CommandError):
            if self.files.fingerprint(planned.path, follow=False) != planned.after:
                return failed(error)
        return Result("unknown", f"{error} It may have been done all the same: look before you repeat it.")

    def _change_after_a_crash(self, started: CommandStarted, seen: dict[str, str]) -> Result | None:
        try:
            now = self.files.fingerprint(started.path, follow=False)
        except CommandError as error:
            return Result("unknown", f"{UNKNOWN} {error}")
        if now == started.after:
            if now != ABSENT:
                seen[started.path] = now
            done = "is written" if now != ABSENT else "is gone"
            return Result("ok", f"{started.path} {done} (the program stopped right after it).", wrote=started.path)
        if now == started.before:
            return None
        return Result("unknown", f"{UNKNOWN} {started.path} is now neither as it was before nor as it was to be.")

    def _run(self, call_id: str, program: Program, left_s: float | None) -> Result:
        cut_short = left_s is not None and left_s < program.timeout_s and not program.background
        if cut_short:
            program = replace(program, timeout_s=max(0.1, left_s or 0.0))
        asked_at: float | None = None

        def watch(progress: Progress) -> bool:
            nonlocal asked_at
            self.people.watch(progress)
            if self.people.stop_reason not in (TERMINATED, HUNG_UP):
                return True
            asked_at = asked_at or progress.seconds
            return progress.seconds - asked_at < GRACE_S

        try:
            ran = self.programs.run(call_id, program, watch)
        except KeyboardInterrupt:
            ran = self.programs.outcome(call_id)
            return Result("unknown", f"{CUT}\n{readable(ran.output) if ran else ''}".rstrip(), cut=True)
        if ran.ended == "lost":
            return Result("unknown", f"{LOST}\n{readable(ran.output)}".rstrip())
        if ran.ended == "timed_out" and cut_short:
            return Result("failed", f"{OUT_OF_TIME}\n{readable(ran.output)}")
        return Result("ok" if _is_fine(ran) else "failed", in_words(ran, program.timeout_s))

    def _with_changes(self, call_id: str, result: Result, *, by_program: bool, ended_ns: int = 0) -> Result:
        """The result with what the command did to the workspace; what other programs obey is put back."""
        try:
            changed = self.history.end(call_id, ended_ns)
        except OSError as error:
            told = f"what command {call_id} changed could not be kept for undo: {error.strerror or error}"
            raise JournalError(f"{told}. Nothing was done after it.") from error
        if not by_program:
            return replace(result, changed=changed)
        changed, put_back, note = self._put_back_obeyed(changed)
        notes = [note, f"[Changed: {_names(changed)}]" if changed else ""]
        text = "\n".join([result.text, *filter(None, notes)])
        control = TAMPERED if note else ""
        return replace(result, text=text, changed=changed, put_back=put_back, detail=result.detail or control)

    def _put_back_obeyed(self, changed: tuple[FileChange, ...]) -> tuple[tuple[FileChange, ...], tuple[str, ...], str]:
        """Puts back what programs may not change: the changes that stand, the paths that don't, notes for the model."""
        ours = [one for one in changed if one.after != SOMEBODYS]  # what others wrote since is not ours to put back
        reasons = {one.path: why for one in ours if (why := self.forbids(one)) and not self._is_harmless(one, why)}
        if not reasons:
            return changed, (), ""
        forbidden = tuple(one for one in changed if one.path in reasons)
        told = [
            (why, ", ".join([path for path, because in reasons.items() if because == why][:NAMED]))
            for why in dict.fromkeys(reasons.values())
        ]
        try:
            self.history.restore(forbidden)
        except OSError as error:
            failed_to = f"and not put back ({error.strerror})"
            return changed, (), "\n".join(f"[Changed although {why}, {failed_to}: {names}]" for why, names in told)
        kept = tuple(one for one in changed if one.path not in reasons)
        note = "\n".join(f"[Put back as it was, since {why}: {names}]" for why, names in told)
        return kept, tuple(reasons), note

    def _is_harmless(self, change: FileChange, why: str) -> bool:
        """What `git init` and `git clone` make: hooks that never run, and a configuration that names no program.

        And settings of the run's own that say nothing to a program that checks.
        """
        if change.after.kind == "absent":
            return False
        if why == policy.STEERED:
            return not steers(change.path, self._text(change.path, change.after) or "?")
        path = f"/{change.path}"
        if "/.git/hooks/" in path:
            return path.endswith(".sample")
        kind = next((pattern for name, pattern in _MADE_BY_GIT.items() if path.endswith(name)), None)
        if kind is None or change.before.kind != "absent" or change.after.kind != "file":
            return False
        try:
            text = self.files.read_bytes(change.path, limit=1 << 16).decode("utf-8", "replace")
        except CommandError:
            return False
        return all(kind.fullmatch(line) for line in text.splitlines() if line.strip())


def _after_a_crash(ran: Ran | None) -> Result | None:
    if ran is None:
        return None
    if ran.ended == "lost":
        return Result("unknown", f"{UNKNOWN}\nWhat it wrote until then:\n{readable(ran.output)}".rstrip())
    if ran.ended == "stopped":
        return Result("unknown", f"{ENDED}\n{readable(ran.output)}".rstrip())
    return Result("ok" if _is_fine(ran) else "failed", in_words(ran, 0.0))


def failed(error: CommandError) -> Result:
    """Told to the model; for people the name of the control that stopped it, where one did."""
    return Result("failed", str(error), detail=error.control if isinstance(error, SandboxError) else "")


def surprise(error: BaseException) -> Result:
    return Result("failed", f"{type(error).__name__}: {error}", detail=traceback.format_exc())


_SETTINGS = re.compile(
    r"\s*\[(?:core|init|user|remote \"[\w./-]+\"|branch \"[\w./-]+\")\]\s*"
    r"|\s*(?:repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode|symlinks)"
    r"\s*=\s*\w+\s*"
    r"|\s*(?:name|email|defaultbranch|remote|merge)\s*=\s*[\w@./+ -]+"
    r"|\s*url\s*=\s*(?:https?://|git://|\.{0,2}/)[\w@:./+~-]+\s*"
    r"|\s*fetch\s*=\s*\+?refs/[\w*/.-]+:refs/[\w*/.-]+\s*",
    re.IGNORECASE,
)


_MADE_BY_GIT = {  # what its files hold, line by line, where nobody meddled
    "/.git/config": _SETTINGS,
    "/.git": re.compile(r"gitdir: [\w./-]*(?<![\w.-])\.git/worktrees/[\w-][\w.-]*"),
    "/commondir": re.compile(r"\.\./\.\."),
}


def _touched(planned: Change | Program | None) -> Sequence[str] | None:
    """The paths that a change names; None where anything may change."""
    if not isinstance(planned, Change):
        return None
    return [path for path in (planned.path, planned.source) if path]


def _names(changed: Sequence[FileChange]) -> str:
    words = {"absent": " (gone)", "folder": "/"}
    shown = [
        f"{one.path}{words.get(one.after.kind, ' (new)' if one.before.kind == 'absent' else '')}"
        for one in changed[:NAMED]
    ]
    more = len(changed) - NAMED
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def _is_fine(ran: Ran) -> bool:
    return ran.ended == "background" or (ran.ended == "exited" and ran.code == 0)


_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)


def readable(output: str) -> str:
    """What a program wrote, as a model can read it: no codes for a terminal, of an overwritten line its last form."""
    text = _TERMINAL.sub("", output).replace("\r\n", "\n")
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _UNSEEN.sub("", "\n".join(lines))


def in_words(ran: Ran, timeout_s: float) -> str:
    """How a program ended and what it wrote, for the model."""
    output = readable(ran.output).rstrip("\n")
    if ran.dropped:
        output += f"\n[{ran.dropped:,} bytes in the middle of the output are not kept]"
    return f"{_ending(ran, timeout_s)}\n{output}" if output else f"{_ending(ran, timeout_s)}\n(no output)"


def _ending(ran: Ran, timeout_s: float) -> str:
    took = f"after {ran.seconds:.1f} s"
    match ran.ended:
        case "exited":
            return f"exit code {ran.code}"
        case "signalled":
            return f"ended by signal {ran.code}{_signal_name(ran.code)} {took}"
        case "timed_out":
            limit = f" of {timeout_s:g} s" if timeout_s else ""
            return f"stopped {took}: its time limit{limit}. What it wrote until then:"
        case "stopped":
            return f"stopped {took}, because the run is to pause"
        case "background":
            return f"program {ran.id} runs in the background"
        case "lost":
            return "its end is not known"


def _signal_name(number: int) -> str:
    try:
        return f" ({signal.Signals(number).name})"
    except ValueError:
        return ""
