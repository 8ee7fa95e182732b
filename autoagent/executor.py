"""Commands: bound, decided, journalled, run, observed."""

import hashlib
import json
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue

from autoagent import memory, policy, stall
from autoagent.env import Change, Completion, Env, Excerpt, Fetched, Files, Found, Web
from autoagent.errors import CommandError
from autoagent.events import ApprovalAsked, CommandFinished, CommandStarted, Outcome, RunEnded, RunPaused, Setup
from autoagent.journal import Journal, artifact
from autoagent.people import People
from autoagent.registry import Bound, Registry
from autoagent.state import GRANTED, Observation, Pending, PendingCall
from autoagent.taint import KnownAddresses
from autoagent.waiting import next_of

EDITED = "edited by the person"  # what they see next is the change that it makes
CHANGED_SINCE = "What it would change is no longer as it was when you were asked."
SIDE_BY_SIDE = 8
READ_AGAIN = "read_observation"
UNKNOWN = (
    "OUTCOME UNKNOWN: this command had started when the program stopped, and its end was not recorded. "
    "It may have taken effect fully, partly or not at all: look before you repeat it."
)
OUT_OF_TIME = "Not finished: the run's time limit is used up."


@dataclass(frozen=True)
class Result:
    """What a command came to, before it is recorded; `whole` where `text` is the part of it that matters."""

    outcome: Outcome
    text: str
    whole: str = ""
    says_more: bool = False
    detail: str = ""
    wrote: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Executor:
    """Does what a thought asks for, one command or several reading ones at a time."""

    journal: Journal
    registry: Registry
    files: Files
    web: Web
    people: People
    setup: Setup
    count: memory.Count
    known: KnownAddresses = field(default_factory=KnownAddresses)

    def act(self, pending: Pending) -> None:
        """Do the next command of a thought, or the next few at once where all of them only read."""
        reads = self._mere_reads(pending.calls[:SIDE_BY_SIDE])
        if reads:
            return self._read_side_by_side(reads)
        call, seen = pending.calls[0], dict[str, str]()
        if known := self._after_a_crash(call, seen):
            return self._finish(call, known, seen, ends_batch=known.outcome == "unknown")
        env = self._env(seen)
        try:
            bound = self.registry.bind(call.call)
            change = bound.run(env) if bound.command.returns_change else None
        except CommandError as error:
            return self._finish(call, Result("failed", str(error)), seen, ends_batch=True)
        except Exception as error:  # noqa: BLE001  # plugins raise anything; the run goes on
            return self._finish(call, _surprise(error), seen, ends_batch=True)
        change = change if isinstance(change, Change) else None
        if self._repeats(call):
            refused = Result("refused", f"{stall.REPEATED} Do something else with it.")
            return self._finish(call, refused, seen, ends_batch=bound.command.effect != "reads")
        allowed_by = self._allowed(call, bound, change)
        if not allowed_by:
            return None
        if bound.command.effect == "ends":
            return self._end_run(call, bound, env, seen)
        self.journal.append(_started(call, bound, allowed_by, change))
        result = self._run(bound, change, env)
        self._finish(call, result, seen, ends_batch=result.outcome != "ok" and bound.command.effect != "reads")

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
            if not mere or decision.action != "allow" or decision.by == GRANTED or self._repeats(call):
                break
            found.append(_Read(call, bound, decision.by))
        return found

    def _repeats(self, call: PendingCall) -> bool:
        return stall.repetitions(self.journal.state, call.call) >= stall.REFUSE

    def _read_side_by_side(self, reads: Sequence["_Read"]) -> None:
        """Run reading commands in threads; their observations keep the order of the thought.

        What the short ones leave of the room is the long ones': those run once more, within it. What comes from
        outside is asked for once, and gets an equal part at once. A stop leaves them to be run when the run goes on.
        """
        for read in reads:
            self.journal.append(_started(read.call, read.bound, read.allowed_by, None))
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
            done.put((at, self._run(bound[at], None, self._env(seen[at], shares[at]))))

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
        if state.limits.time_s is None:
            return None
        return max(0.0, state.limits.time_s - state.worked_s - (time.monotonic() - since))

    def _decide(self, bound: Bound) -> policy.Decision:
        state = self.journal.state
        return policy.decide(
            bound,
            state,
            approve=self.setup.approve,
            real_name=self.files.real_name,
            known_address=lambda address: self.known.holds(address, state),
        )

    def _allowed(self, call: PendingCall, bound: Bound, change: Change | None) -> str:
        """Who or what allows the call; "" where it does not run now: refused, asked, or still waiting."""
        try:
            decision = self._decide(bound)
        except CommandError as error:
            self._finish(call, Result("failed", str(error)), {}, ends_batch=bound.command.effect != "reads")
            return ""
        if decision.action == "deny" or call.allowed is False:
            said = decision.reason if decision.action == "deny" else f"The person said no. {call.reason}"
            refused = Result("refused", f"Not run. {said}".strip(), detail=decision.by)
            self._finish(call, refused, {}, ends_batch=bound.command.effect != "reads" or call.allowed is False)
            return ""
        digest = _digest(call, change)
        if call.allowed and (call.approved == digest or (call.approved == EDITED and change is None)):
            return call.by
        if decision.action == "allow":
            return decision.by
        if call.asked != digest or call.allowed:
            preview = change.diff if change else ""
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
                )
            )
        elif not self.people.wait(self.journal.state):
            self.journal.append(RunPaused(status="waiting", reason=f"y/n needed: {bound.command.name}"))
        return ""

    def _run(self, bound: Bound, change: Change | None, env: Env) -> Result:
        began = time.monotonic()
        try:
            if change:
                self.files.write_bytes(change.path, change.content, expect=change.before)
                env.saw(change.path, change.after)
                return Result("ok", change.summary, wrote=change.path, seconds=time.monotonic() - began)
            came = bound.run(env)
            part = came if isinstance(came, Excerpt) else Excerpt(str(came), "")
            return Result("ok", part.text, part.whole, part.says_more, seconds=time.monotonic() - began)
        except CommandError as error:
            return Result("failed", str(error), seconds=time.monotonic() - began)
        except Exception as error:  # noqa: BLE001  # plugins raise anything; the run goes on
            return _surprise(error)

    def _after_a_crash(self, call: PendingCall, seen: dict[str, str]) -> Result | None:
        """What is known of a command that had started when the program died; None: run it (again)."""
        started, command = call.started, self.registry.get(call.call.name)
        if started is None or (command and command.idempotent):
            return None
        if not started.path:
            return Result("unknown", UNKNOWN)
        try:
            now = self.files.fingerprint(started.path)
        except CommandError as error:
            return Result("unknown", f"{UNKNOWN} {error}")
        if now == started.after:
            seen[started.path] = now
            return Result("ok", f"{started.path} is written (the program stopped right after it).", wrote=started.path)
        if now == started.before:
            return None
        return Result("unknown", f"{UNKNOWN} {started.path} is now neither as it was before nor as it was to be.")

    def _end_run(self, call: PendingCall, bound: Bound, env: Env, seen: dict[str, str]) -> None:
        """The result and the end of the run are one fact, so one event."""
        try:
            completion = bound.run(env)
        except CommandError as error:
            return self._finish(call, Result("failed", str(error)), seen)
        except Exception as error:  # noqa: BLE001  # plugins raise anything; the run goes on
            return self._finish(call, _surprise(error), seen)
        assert isinstance(completion, Completion)
        status = "reached" if completion.reached else "unreached"
        self.journal.append(RunEnded(status=status, result=_whole(completion.result), files=completion.files))

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
        if whole and not (result.says_more and text == said):
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
            )
        )

    def _is_from_outside(self, call: PendingCall, result: Result) -> bool:
        """A page that failed may speak too, by where it redirects to; a text stays foreign when it is read again."""
        command = self.registry.get(call.call.name)
        if command is None or not (result.outcome == "ok" or (result.outcome == "failed" and command.address_params)):
            return False
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
            observation=self._observation,
            last_seen=state.seen.get,
            saw=seen.__setitem__,
            share_tokens=(share or self._share()) - memory.FRAMING_TOKENS,
            count=self.count,
        )

    def _guarded_web(self) -> Web:
        state = self.journal.state
        return GuardedWeb(self.web, lambda asked, target: policy.may_redirect(asked, target, state, self.known.holds))

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

    A command's own check is added to that; it replaces nothing.
    """

    web: Web
    may_redirect: Callable[[str, str], bool]

    def fetch(self, url: str, may_redirect: Callable[[str, str], bool] | None = None) -> Fetched:
        def allowed(asked: str, target: str) -> bool:
            return self.may_redirect(asked, target) and (may_redirect is None or may_redirect(asked, target))

        return self.web.fetch(url, allowed)

    def search(self, query: str, limit: int) -> Found:
        return self.web.search(query, limit)


@dataclass(frozen=True)
class _Read:
    """A call that only reads, and what allows it."""

    call: PendingCall
    bound: Bound
    allowed_by: str


def whole_text(journal: Journal, observation: Observation) -> str:
    return artifact(journal.folder, observation.artifact) if observation.artifact else observation.text


def _started(call: PendingCall, bound: Bound, allowed_by: str, change: Change | None) -> CommandStarted:
    if change is None:
        repeatable = bound.command.idempotent
        return CommandStarted(call_id=call.id, call=call.call, allowed_by=allowed_by, repeatable=repeatable)
    before, after = change.before, change.after
    return CommandStarted(
        call_id=call.id,
        call=call.call,
        allowed_by=allowed_by,
        path=change.path,
        before=before,
        after=after,
        diff="" if call.asked else change.diff,
    )


def _digest(call: PendingCall, change: Change | None) -> str:
    """Names the exact bytes that a person is shown and that then run."""
    shown = call.call.model_dump_json() + (f"{change.before}{change.after}" if change else "")
    return hashlib.sha256(shown.encode()).hexdigest()


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


def _surprise(error: Exception) -> Result:
    return Result("failed", f"{type(error).__name__}: {error}", detail=traceback.format_exc())
