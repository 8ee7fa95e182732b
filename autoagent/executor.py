"""Commands: bound, decided, journalled, run, observed."""

import hashlib
import io
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, BinaryIO, cast

from autoagent import memory, policy, stall
from autoagent.criteria import Criterion
from autoagent.effects import OUT_OF_TIME, Effects, Result, failed, surprise
from autoagent.env import ABSENT, Change, Completion, Env, Fetched, Files, Found, Memories, Web
from autoagent.errors import CommandError
from autoagent.events import (
    ApprovalAsked,
    CommandFinished,
    CommandStarted,
    FileChange,
    FilesChanged,
    RunEnded,
    RunPaused,
    Setup,
)
from autoagent.history.changes import INLINE, changes_json, deeds
from autoagent.journal import Journal, artifact
from autoagent.journal import read as read_journal
from autoagent.people import People
from autoagent.programs import Program, Progress
from autoagent.registry import Bound, Registry
from autoagent.state import GRANTED, Observation, Pending, PendingCall, State
from autoagent.taint import KnownAddresses, stands_apart
from autoagent.thoughts import CommandCall
from autoagent.waiting import next_of

EDITED = "edited by the person"  # what they see next is the change that it makes
CHANGED_SINCE = "What it would change is no longer as it was when you were asked."
SIDE_BY_SIDE = 8
READ_AGAIN, RUNS, APPENDS = "read_observation", "run_shell", "append_file"
NOTHING_SENT = "network guard"  # the control that lets no request go out, so that nothing comes in


@dataclass(frozen=True)
class Executor:
    """Does what a thought asks for, one command or several reading ones at a time."""

    journal: Journal
    registry: Registry
    files: Files
    web: Web
    effects: Effects
    people: People
    memories: Memories
    setup: Setup
    count: memory.Count
    known: KnownAddresses = field(default_factory=KnownAddresses)

    def act(self, pending: Pending) -> Completion | None:
        """Do the next command of a thought, or the next few at once where all of them only read.

        A Completion where it is to end the run as reached: whether it does is not decided here.
        """
        reads = self._mere_reads(pending.calls[:SIDE_BY_SIDE])
        if reads:
            return self._read_side_by_side(reads)
        call, seen = pending.calls[0], dict[str, str]()
        if known := self._after_a_crash(call, seen):
            self._finish(call, known, seen, ends_batch=known.outcome == "unknown")
            return self._pause_where_nobody_knows(call, known)
        env = self._env(seen)
        try:
            bound = self.registry.bind(call.call)
            decision = self._decide(bound)
            if decision.action == "deny":  # before it is planned: also a plan that fails would tell of what it read
                return self._refuse(call, bound, decision)
            if repeats := self._repeats(call, bound):
                refused = Result("refused", repeats)
                return self._finish(call, refused, seen, ends_batch=bound.command.effect != "reads")
            planned = bound.run(env) if bound.command.returns_change or bound.command.returns_program else None
            if isinstance(planned, Change):  # what goes into a folder is named by no argument
                decision = self._decide(bound, planned)
                if decision.action == "deny":
                    return self._refuse(call, bound, decision)
        except CommandError as error:
            command = self.registry.get(call.call.name)
            return self._finish(call, failed(error), seen, ends_batch=command is None or command.effect != "reads")
        except (Exception, SystemExit) as error:  # noqa: BLE001  # plugins raise anything; the run goes on
            return self._finish(call, surprise(error), seen, ends_batch=True)
        planned = planned if isinstance(planned, Change | Program) else None
        if bound.command.effect == "ends":
            return self._completion(call, bound, env, seen)
        allowed_by = self._allowed(call, bound, planned, decision)
        if not allowed_by:
            return None
        if bound.command.effect in ("writes", "executes"):
            self.settle()
        if refused := self.effects.keep(call.id, bound, planned):
            return self._finish(call, refused, seen, ends_batch=True)
        self.journal.append(self._started(call, bound, allowed_by, planned))
        result = self.effects.do(call.id, bound, planned, env, self._left_s(since=time.monotonic()))
        self._finish(call, result, seen, ends_batch=result.outcome != "ok" and bound.command.effect != "reads")
        if isinstance(planned, Program):
            self.effects.programs.forget(call.id)
        if result.cut:
            self.journal.append(RunPaused(status="paused", reason=self.people.stop_reason))
        return None

    def may_check(self, criterion: Criterion) -> str:
        """Why a criterion's command can't be run here, in words for a person; "" where it can."""
        held = self.effects.programs.containment
        if held.layer == "none" and not self.setup.unsandboxed:
            return f"not checked: nothing holds programs here, so `{criterion.command}` was not run"
        if criterion.by == "person":
            return ""
        try:
            bound = self.registry.bind(CommandCall(name=RUNS, args={"command": criterion.command}))
            decision = self._decide(bound)
        except CommandError as error:
            return f"not checked: {error}"
        return "" if decision.action == "allow" else f"not checked: `{criterion.command}` needs your yes"

    def run_check(self, id: str, program: Program) -> Result:
        """Run a criterion's command; what it changes in the workspace is journalled.

        What runs in the background ends first: it could change what the check reads while that runs.
        """
        self.end_programs()
        result = self.effects.check(id, program, self._left_s(since=time.monotonic()))
        self._tell_of_changes(result.changed, result.put_back)
        return result

    def add_to_file(self, id: str, path: str, text: str) -> None:
        """Add a note at the end of a file and journal that; "" where a killed process had added it already.

        Never raises: a file that cannot hold it, or that no command may add to here, stays as it is.
        """
        try:
            self.effects.history.begin(id, [path])
            if text:  # by the command of the model's that keeps a file's encoding and line ends
                call = CommandCall(name=APPENDS, args={"path": path, "text": text})
                planned = self.registry.bind(call).run(self._env({}))
                if isinstance(planned, Change) and planned.content is not None:
                    self.files.write_bytes(planned.path, planned.content, expect=planned.before)
            self._tell_of_changes(self.effects.history.end(id), (), note=True)
        except (CommandError, OSError):
            return

    def refuse_end(self, call: PendingCall, told: str) -> None:
        """The result is not accepted: the model reads why, and the run goes on."""
        self._finish(call, Result("failed", told), {})

    def close(self) -> None:
        """End programs, give back connections and folders; the journal is whoever's opened it."""
        for part in (self.effects.programs, self.effects.history, self.memories, self.files):
            part.close()

    def settle(self) -> None:
        """Journal what programs in the background changed in the workspace."""
        self._tell_of_changes(*self.effects.drift())

    def _tell_of_changes(
        self, changed: tuple[FileChange, ...], put_back: tuple[str, ...], *, note: bool = False
    ) -> None:
        if changed or put_back:
            kept = self._kept_changes(changed)
            told = FilesChanged(changed=_inline(changed), changed_artifact=kept, put_back=put_back[:INLINE], note=note)
            self.journal.append(told)

    def end_programs(self) -> None:
        """What runs in the background ends with the run, and what it changed is journalled."""
        if self.effects.programs.running():
            self.effects.programs.end_background()
            self.settle()

    def answer(self, call: PendingCall, text: str, message_id: str) -> None:
        """A person's words are the observation of the command that asked for them."""
        tokens = self.count(text) + memory.FRAMING_TOKENS
        self.journal.append(
            CommandFinished(call_id=call.id, outcome="ok", text=text, tokens=tokens, message_id=message_id)
        )

    def asks_person(self, call: PendingCall) -> bool:
        command = self.registry.get(call.call.name)
        return command is not None and command.effect == "asks"

    def _mere_reads(self, calls: Sequence[PendingCall]) -> list["_Read"]:
        """The first calls, as far as they only read and need nobody's leave."""
        found: list[_Read] = []
        for call in calls:
            try:
                bound = self.registry.bind(call.call)
                decision = self._decide(bound)
            except CommandError:
                break
            mere = bound.command.effect == "reads" and bound.command.idempotent and not call.asked
            if not mere or decision.action != "allow" or decision.by == GRANTED or self._repeats(call, bound):
                break
            found.append(_Read(call, bound, decision.by))
        return found

    def _repeats(self, call: PendingCall, bound: Bound) -> str:
        """Why the loop guard lets it not run, in words for the model, or ""."""
        told = stall.refusal(self.journal.state, call.call)
        return "" if told and self._is_changed(bound.paths) else told

    def _is_changed(self, paths: Sequence[str]) -> bool:
        """Whether a file is no longer as this run saw it: somebody else is at work, and reading it again is no loop."""
        seen = self.journal.state.seen
        try:
            real = [self.files.real_name(path) for path in paths]
            return any(path in seen and self.files.fingerprint(path) != seen[path] for path in real)
        except CommandError:
            return False

    def _read_side_by_side(self, reads: Sequence["_Read"]) -> None:
        """Run reading commands in threads; their observations keep the order of the thought.

        What the short ones leave of the room is the long ones': those run once more, within it. What comes from
        outside is asked for once, and gets an equal part at once. A stop leaves them to be run when the run goes on.
        """
        for read in reads:
            self.journal.append(self._started(read.call, read.bound, read.allowed_by, None))
        whole, began = self.setup.context_tokens // memory.OBSERVED_SHARE, time.monotonic()
        firsts = [whole // len(reads) if read.bound.command.outside else whole for read in reads]
        results = self._in_threads([read.bound for read in reads], firsts)
        if results is None:
            return
        sizes = [self.count(result.text) + memory.FRAMING_TOKENS for result, _ in results]
        shares = memory.allot(whole, sizes)
        long = [at for at, read in enumerate(reads) if sizes[at] > shares[at] and not read.bound.command.outside]
        again = self._in_threads([reads[at].bound for at in long], [shares[at] for at in long])
        if again is None:
            return
        for at, result in zip(long, again, strict=True):
            results[at] = result
        took, added = time.monotonic() - began, sum(result.seconds for result, _ in results)
        part = min(1.0, took / added) if added else 1.0  # together they took no longer than that
        for read, (result, seen), share in zip(reads, results, shares, strict=True):
            self._finish(read.call, replace(result, seconds=result.seconds * part), seen, share=share)

    def _in_threads(self, bound: Sequence[Bound], shares: Sequence[int]) -> list[tuple[Result, dict[str, str]]] | None:
        """Results in order, each with the fingerprints of what it read; None where a person wants to stop.

        Nobody waits for a thread beyond the run's time: what it reads is read again, or not needed any more.
        """
        if not bound:
            return []
        seen = [dict[str, str]() for _ in bound]
        done: SimpleQueue[tuple[int, Result]] = SimpleQueue()

        def read(at: int) -> None:
            try:
                result = self.effects.do("", bound[at], None, self._env(seen[at], shares[at]), None)
            except BaseException as error:  # noqa: BLE001  # else nobody would ever hear of it
                result = surprise(error)
            done.put((at, result))

        for at in range(len(bound)):
            threading.Thread(target=read, args=(at,), daemon=True, name=f"read {at}").start()
        began, found = time.monotonic(), dict[int, Result]()
        try:
            with self.people.interruptible():
                while len(found) < len(bound):
                    at, result = next_of(done, self._left_s(since=began))
                    found[at] = result
        except Empty:
            cut = Result("failed", OUT_OF_TIME, seconds=time.monotonic() - began)
            return [(found.get(at, cut), seen[at] if at in found else {}) for at in range(len(bound))]
        except KeyboardInterrupt:
            if not self.people.stop_reason:
                raise
            took = time.monotonic() - began
            self.journal.append(RunPaused(status="paused", reason=self.people.stop_reason, seconds=took))
            return None
        return [(found[at], seen[at]) for at in range(len(bound))]

    def _left_s(self, *, since: float) -> float | None:
        """What is left of the run's time at this moment; None where it has no limit."""
        state = self.journal.state
        if state.limits.working_s is None:
            return None
        return max(0.0, state.limits.working_s - state.worked_s - (time.monotonic() - since))

    def _decide(self, bound: Bound, planned: Change | None = None) -> policy.Decision:
        state = self.journal.state
        return policy.decide(
            bound,
            state,
            approve=self.setup.approve,
            real_name=self.files.real_name,
            known_address=lambda address: self.known.holds(address, state),
            containment=self.effects.programs.containment,
            changes=(planned.path, planned.source) if planned else (),
            made=made_by(self.journal),
            replaces=planned is not None and (bool(planned.source) or planned.before != ABSENT),
            text=planned.content.decode("utf-8", "replace") if planned and planned.content is not None else None,
        )

    def _refuse(self, call: PendingCall, bound: Bound, decision: policy.Decision) -> None:
        refused = Result("refused", f"Not run. {decision.reason}".strip(), detail=decision.by)
        self._finish(call, refused, {}, ends_batch=bound.command.effect != "reads")

    def _allowed(
        self, call: PendingCall, bound: Bound, planned: Change | Program | None, decision: policy.Decision
    ) -> str:
        """Who or what allows the call; "" where it does not run now: refused, asked, or still waiting."""
        if call.allowed is False:
            said = f"Not run. The person said no. {call.reason}".strip()
            self._finish(call, Result("refused", said, detail="a person"), {}, ends_batch=True)
            return ""
        digest = _digest(call, planned)
        if call.allowed and (call.approved == digest or (call.approved == EDITED and not isinstance(planned, Change))):
            return call.by
        if decision.action == "allow":
            return decision.by
        if call.asked != digest or call.allowed:
            preview = planned.diff if isinstance(planned, Change) else ""
            stale = call.allowed and call.approved != EDITED
            reason = decision.reason or (CHANGED_SINCE if stale else decision.by)
            self.journal.append(
                ApprovalAsked(
                    call_id=call.id,
                    call=call.call,
                    reason=reason,
                    digest=digest,
                    preview=preview,
                    scopes=decision.scopes,
                    decided_by=decision.by,
                )
            )
        elif not self.people.wait(self.journal.state):
            self.journal.append(RunPaused(status="waiting", reason=f"y/n needed: {bound.command.name}"))
        return ""

    def _after_a_crash(self, call: PendingCall, seen: dict[str, str]) -> Result | None:
        """What is known of a command that had started when the program died; None: run it (again)."""
        started, command = call.started, self.registry.get(call.call.name)
        if started is None or (command and command.idempotent):
            return None
        return self.effects.after_a_crash(call.id, started, seen)

    def _started(
        self, call: PendingCall, bound: Bound, allowed_by: str, planned: Change | Program | None
    ) -> CommandStarted:
        started = CommandStarted(call_id=call.id, call=call.call, allowed_by=allowed_by)
        match planned:
            case Change():
                about = {"path": planned.path, "before": planned.before, "after": planned.after}
                about |= {"source": planned.source, "diff": "" if call.asked else planned.diff}
                return started.model_copy(update=about)
            case Program():
                held = self.effects.programs.containment
                return started.model_copy(update={"sandbox": f"{held.layer}, network" if held.network else held.layer})
            case None:
                return started.model_copy(update={"repeatable": bound.command.idempotent})

    def _pause_where_nobody_knows(self, call: PendingCall, known: Result) -> None:
        """A program that nothing held may have done anything: in a run that nobody watches, a person looks first."""
        held = self.effects.programs.containment.holds
        ran = known.outcome == "unknown" and call.started is not None and bool(call.started.sandbox)
        if ran and not held and self.setup.approve == "never":
            reason = f"nobody knows what {call.call.name} did, and nothing held it. Look, then resume"
            self.journal.append(RunPaused(status="paused", reason=reason))

    def _completion(self, call: PendingCall, bound: Bound, env: Env, seen: dict[str, str]) -> Completion | None:
        """The result that is to end the run. Giving up ends it here; what went wrong goes back to the model."""
        try:
            completion = bound.run(env)
        except CommandError as error:
            return self._finish(call, Result("failed", str(error)), seen)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # plugins raise anything; the run goes on
            return self._finish(call, surprise(error), seen)
        assert isinstance(completion, Completion)
        completion = replace(completion, result=_whole(completion.result))
        if completion.reached:
            return completion
        self.journal.append(RunEnded(status="unreached", result=completion.result, files=completion.files))
        return None

    def _finish(
        self,
        call: PendingCall,
        result: Result,
        seen: dict[str, str],
        *,
        share: int | None = None,
        ends_batch: bool = False,
    ) -> None:
        """Record the observation; one that is longer than its share is clipped and kept whole beside."""
        said = self.journal.mask(_whole(result.text + _edits(call)))  # before it is cut: half a secret is not known
        text = memory.clip(said, share or self._share(), self.count)
        whole = _whole(result.whole) or said
        whole = self.journal.keep(whole) if whole != text else ""
        if whole and not (result.says_more and text == said) and _holds_more(_whole(result.whole) or said, text):
            text += f"\n[Clipped. The whole text: read_observation {call.id}]"
        self.journal.append(
            CommandFinished(
                call_id=call.id,
                outcome=result.outcome,
                text=text,
                tokens=self.count(text) + memory.FRAMING_TOKENS,
                artifact=whole,
                detail=_whole(result.detail),
                seconds=result.seconds,
                seen=seen,
                wrote=result.wrote,
                outside=self._is_from_outside(call, result),
                ends_batch=ends_batch,
                changed=_inline(result.changed),
                changed_artifact=self._kept_changes(result.changed),
                put_back=result.put_back[:INLINE],
            )
        )

    def _kept_changes(self, changed: Sequence[FileChange]) -> str:
        """The artifact that lists many changes; "" where they stand in the event."""
        if len(changed) <= INLINE:
            return ""
        return self.journal.keep(changes_json(changed))

    def _is_from_outside(self, call: PendingCall, result: Result) -> bool:
        """A page that failed may speak too, by where it redirects to; a text stays foreign when it is read again.

        A program that nothing holds may have fetched what it says.
        """
        command = self.registry.get(call.call.name)
        if command and command.returns_program and result.outcome != "refused":
            return not self.effects.programs.containment.holds
        if command is None or result.detail == NOTHING_SENT:
            return False
        if not (result.outcome == "ok" or (result.outcome == "failed" and command.address_params)):
            return False
        if result.outside:
            return True
        again = call.call.args.get("id") if command.name == READ_AGAIN else None
        return command.outside or (isinstance(again, str) and self._was_from_outside(again))

    def _was_from_outside(self, observation_id: str) -> bool:
        state = self.journal.state
        current = (state.pending.step,) if state.pending else ()
        return any(o.outside for step in (*state.steps, *current) for o in step.observations if o.id == observation_id)

    def _share(self) -> int:
        """Tokens that one observation may take: those of one thought share."""
        pending = self.journal.state.pending
        calls = len(pending.calls) + len(pending.step.observations) if pending else 1
        return self.setup.context_tokens // memory.OBSERVED_SHARE // calls

    def _env(self, seen: dict[str, str], share: int | None = None) -> Env:
        state = self.journal.state
        return Env(
            files=self.files,
            web=self._guarded_web(),
            programs=self.effects.programs,
            memories=self.memories,
            observation=self._observation,
            last_seen=state.seen.get,
            saw=seen.__setitem__,
            share_tokens=(share or self._share()) - memory.FRAMING_TOKENS,
            count=self.count,
        )

    def _guarded_web(self) -> Web:
        state = self.journal.state

        found: set[str] = set()  # by the search engine in this very call: its words, not the model's

        def known(address: str, state: State) -> bool:
            return address in found or self.known.holds(address, state)

        def may_redirect(asked: str, target: str) -> bool:
            return policy.may_redirect(asked, target, state, known)

        def barred(query: str, address: str) -> str:
            if stands_apart(address, query):
                found.add(address)
            return policy.barred(address, state, known)

        return GuardedWeb(self.web, may_redirect, self.people.watch, barred)

    def _observation(self, observation_id: str) -> str:
        state = self.journal.state
        current = state.pending.step.observations if state.pending else ()
        for observation in (*current, *(o for step in reversed(state.steps) for o in step.observations)):
            if observation.id == observation_id:
                return whole_text(self.journal, observation)
        raise CommandError(f"There is no observation {observation_id!r}. Their ids look like 3.1 and stand above each.")


@dataclass(frozen=True)
class GuardedWeb:
    """The web of one call: where an address redirects to is decided as what the model asks for is.

    A command's own check is added to that; it replaces nothing. `barred(query, url)` says why a search result may not
    be fetched unasked, "" where it may.
    """

    web: Web
    may_redirect: Callable[[str, str], bool]
    watch: Callable[[Progress], None]
    barred: Callable[[str, str], str]

    def fetch(self, url: str, may_redirect: Callable[[str, str], bool] | None = None) -> Fetched:
        return self.web.fetch(url, self._guard(may_redirect))

    def download(
        self, url: str, to: BinaryIO, limit: int, may_redirect: Callable[[str, str], bool] | None = None
    ) -> Fetched:
        watched = cast(BinaryIO, _Watched(to, self.watch))
        return self.web.download(url, watched, limit, self._guard(may_redirect))

    def search(self, query: str, limit: int) -> Found:
        found = self.web.search(query, limit)
        return replace(found, hits=tuple(replace(hit, barred=self.barred(query, hit.url)) for hit in found.hits))

    def _guard(self, may_redirect: Callable[[str, str], bool] | None) -> Callable[[str, str], bool]:
        def allowed(asked: str, target: str) -> bool:
            return self.may_redirect(asked, target) and (may_redirect is None or may_redirect(asked, target))

        return allowed


class _Watched(io.RawIOBase):
    """A file that tells how much was written to it."""

    def __init__(self, to: BinaryIO, watch: Callable[[Progress], None]):
        self._to, self._watch = to, watch
        self._began, self._size = time.monotonic(), 0

    def write(self, data: Any, /) -> int:
        self._size += len(data)
        self._watch(Progress(time.monotonic() - self._began, 0.0, f"{self._size / 1e6:.1f} MB"))
        return self._to.write(data)


@dataclass(frozen=True)
class _Read:
    """A call that only reads, and what allows it."""

    call: PendingCall
    bound: Bound
    allowed_by: str


def made_by(journal: Journal) -> Callable[[str], bool]:
    """Whether the run made a file: by its journal, for its state does not name all that a program made at once."""

    def made(path: str) -> bool:
        done = deeds(read_journal(journal.folder), partial(artifact, journal.folder))
        first = next((change for deed in done for change in deed.changed if change.path == path), None)
        return first is not None and first.before.kind == "absent"

    return made


def whole_text(journal: Journal, observation: Observation) -> str:
    return artifact(journal.folder, observation.artifact) if observation.artifact else observation.text


def _holds_more(whole: str, shown: str) -> bool:
    """Whether a line that says something is not shown: what only lacks empty lines is not clipped for a reader."""
    lines = {line.strip() for line in shown.split("\n")}
    return any(line.strip() not in lines and not line.strip().isdecimal() for line in whole.split("\n") if line.strip())


def _inline(changed: tuple[FileChange, ...]) -> tuple[FileChange, ...]:
    return changed if len(changed) <= INLINE else ()


def _digest(call: PendingCall, planned: Change | Program | None) -> str:
    """Names the exact bytes that a person is shown and that then run."""
    change = (planned.path, planned.source, planned.before, planned.after) if isinstance(planned, Change) else ()
    return hashlib.sha256(json.dumps([call.call.model_dump_json(), *change]).encode()).hexdigest()


def _edits(call: PendingCall) -> str:
    """What the person changed of the arguments before the command ran, in words for the model."""
    if call.asked_for is None:
        return ""
    before, after = call.asked_for.args, call.call.args
    changed = {name: after.get(name) for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return f"\nThe person changed arguments before it ran. Now: {json.dumps(changed, ensure_ascii=False)}"


def _whole(text: str) -> str:
    """Without halves of surrogate pairs, which no journal can hold."""
    return text.encode("utf-8", "replace").decode()
