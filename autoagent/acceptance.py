"""The end of a run: what has to be true is checked, what is claimed is looked up, before the goal counts as reached.

Each turn does the next thing that is missing and journals it, so that a crash repeats none of them. What fails goes
back to the model as the observation of the command that was to end the run.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoagent import reviewing
from autoagent.ask import Answer
from autoagent.claims import Evidence
from autoagent.criteria import Criterion, Verdict, steers, with_goal
from autoagent.effects import TAMPERED
from autoagent.env import ABSENT, Completion
from autoagent.errors import CommandError, ThoughtError
from autoagent.events import (
    ApprovalAsked,
    CommandStarted,
    CriteriaJudged,
    CriteriaSet,
    Event,
    EvidenceChecked,
    RunEnded,
    RunPaused,
)
from autoagent.executor import Executor, made_by
from autoagent.history.changes import deeds, net
from autoagent.journal import Journal, artifact, read
from autoagent.memory import Context, factor_of, fresh_context
from autoagent.models import Model
from autoagent.passages import scores
from autoagent.people import People
from autoagent.policy import CHECKED, STEERED, is_secret, may_not_change
from autoagent.programs import USUAL_S, Program
from autoagent.reviewing import Material
from autoagent.state import PendingCall

if TYPE_CHECKING:
    from autoagent.evidence import Reads

ROUNDS = 2  # of reviews in one run
PATTERN_S = 2.0  # that a regular expression may take
OTHERS = 12  # observations beside those that are cited, of the ones that say most of what is asked
SHOWN = 1_500  # characters of what a check wrote that the model reads
REVIEWED_SHARE = 2  # one part in so many of the window is what a reviewer sees at most
WHOSE = "only you can decide"
NAMED = 6  # changed files
ASKED = 2_000  # characters of a result by whose words passages are chosen: each word is looked for in all that was read
ADVISED = "Not accepted yet: a person said something meanwhile. Do what it asks for, then give task_complete again."
WITHOUT_EVIDENCE = "claims without evidence, which --evidence require does not accept"
Ask = Callable[[Model, Context], Answer | None]


@dataclass(frozen=True)
class Acceptance:
    """Decides whether a result ends the run. `reviewer` None: nothing here can judge; a person is asked instead.

    `text_of` reads a file of the workspace by its kind, and raises CommandError.
    """

    journal: Journal
    executor: Executor
    people: People
    reviewer: Model | None
    ask: Ask
    prompt: str
    text_of: Callable[[str], str]

    def advance(self, call: PendingCall, completion: Completion) -> None:
        """Do the next thing towards the end of the run, or send the result back."""
        state, mode = self.journal.state, self.executor.setup.evidence
        if self._is_advised():
            return self._send_back(call, ADVISED)
        if not state.criteria and self.reviews:
            return self._record(CriteriaSet(criteria=with_goal((), state.goal), by="the goal"))
        if not call.checked and any(criterion.checkable for criterion in state.criteria):
            return self._check(call)
        if failing := [one for one in self._current() if one.by == "check" and one.state == "unmet"]:
            return self._send_back(call, reviewing.told(state.criteria, failing))
        if mode != "off" and call.evidence is None:
            return self._look_up(call, completion)
        if call.evidence and call.evidence.without and not call.evidence.problem and state.gaps == 1:
            from autoagent.evidence import itemised

            return self._send_back(call, itemised(call.evidence))
        if not call.reviewed and self._to_judge():
            return self._judge(call, completion)
        if open_ones := [one for one in self._current() if one.by == "review" and one.state in ("unmet", "unclear")]:
            if state.reviews < ROUNDS:
                return self._send_back(call, reviewing.told(state.criteria, open_ones))
            if unmet := [one for one in open_ones if one.state == "unmet"]:
                return self._end(completion, unmet)
        if mode == "require" and call.evidence and call.evidence.without:
            self._note_in_reports(call, call.evidence)
            return self._end(completion, without_evidence=True)
        if undecided := [one for one in self._current() if one.state in ("person", "unclear")]:
            return self._ask_person(call, undecided)
        if any(one.kind == "say" and one.id not in state.messages for one in self.people.messages()):
            return None  # it is taken first, and the result goes back with it
        if call.evidence:
            self._note_in_reports(call, call.evidence)
        return self._end(completion)

    def _is_advised(self) -> bool:
        """Whether a person said something since the reply that gave the result: the model has to read it first."""
        pending = self.journal.state.pending
        return pending is not None and any(one.call is None for one in pending.step.observations)

    # -- what the runtime finds out itself -----------------------------------------------------------------------------

    def _check(self, call: PendingCall) -> None:
        began, found = time.monotonic(), list[Verdict]()
        changed = self._changed_that_checks_read()
        for number, criterion in enumerate(self.journal.state.criteria, 1):
            if criterion.checkable:
                found.append(self._checked(call, number, criterion, changed))
                if self.people.stop_reason:
                    return self._record(RunPaused(status="paused", reason=self.people.stop_reason))
        seconds = time.monotonic() - began
        self._record(CriteriaJudged(call_id=call.id, verdicts=tuple(found), seconds=seconds))
        for number, _ in enumerate(self.journal.state.criteria, 1):
            self.executor.effects.programs.forget(f"{call.id}-check{number}")
        return None

    def _checked(self, call: PendingCall, number: int, criterion: Criterion, changed: Sequence[str]) -> Verdict:
        """The outcome of a criterion's checks: all of them have to hold, on files that nobody made easier."""
        if criterion.file and (problem := self._file_problem(criterion)):
            return Verdict(criterion=number, state="unmet", proof=problem)
        held = f"{criterion.file} holds it" if criterion.pattern else f"{criterion.file} is there"
        if not criterion.command:
            return Verdict(criterion=number, state="met", proof=held, source=criterion.file)
        if changed:
            told = f"not as it was, though a check reads it: {', '.join(changed)}"
            return Verdict(criterion=number, state="unmet", proof=told)
        if forbidden := self.executor.may_check(criterion):
            return Verdict(criterion=number, state="person", proof=forbidden)
        shell, id = "bash" if shutil.which("bash") else "sh", f"{call.id}-check{number}"
        result = self.executor.run_check(id, Program((shell, "-c", criterion.command), criterion.command, USUAL_S))
        text = result.text if len(result.text) <= SHOWN else f"{result.text[:300]}\n…\n{result.text[300 - SHOWN :]}"
        spoiled = bool(result.put_back) or result.detail == TAMPERED
        state = "met" if result.outcome == "ok" and not spoiled else "unmet"
        return Verdict(criterion=number, state=state, proof=text.strip(), source=criterion.command)

    def _decides(self, path: str, why: str) -> bool:
        """Whether a file of this path may decide a check. Settings for many programs do by what they say."""
        if why != STEERED:
            return why == CHECKED
        try:
            return steers(path, self.executor.files.read_bytes(path).decode("utf-8", "replace"))
        except CommandError:
            return True

    def _changed_that_checks_read(self) -> list[str]:
        """Files that decide a check, are no longer as they were, and that no person's yes changed."""
        state, allowed, events = self.journal.state, set[str](), list(read(self.journal.folder))
        for event in events:
            if isinstance(event, CommandStarted) and event.path:
                allowed |= {event.path, event.source}
        made = made_by(self.journal)
        found = [change.path for change in net(deeds(events, self._artifact)) if change.path not in allowed
                 and self._decides(change.path, may_not_change(change, state, made))]  # fmt: skip
        return found[:NAMED]

    def _file_problem(self, criterion: Criterion) -> str:
        """Why the file does not do; "" where it does."""
        files, path = self.executor.files, criterion.file
        try:
            if criterion.by == "model" and is_secret(files.real_name(path)):
                return f"{path} may hold secrets: a person may ask for it, you may not"
            if files.fingerprint(path) == ABSENT:
                return f"{path} does not exist"
            text = self.text_of(path)
        except CommandError as error:
            return str(error)
        if not text.strip():
            return f"{path} is empty"
        if criterion.pattern and not _holds(text, criterion.pattern):
            return f"{path} does not hold “{criterion.pattern}”"
        return ""

    def _look_up(self, call: PendingCall, completion: Completion) -> None:
        """Find each quote, figure and name of the result in what the run read or computed."""
        began, files = time.monotonic(), self.executor.files

        def exists(path: str) -> bool:
            try:
                return files.fingerprint(path) != ABSENT
            except CommandError:
                return False

        from autoagent import evidence  # its expressions take 40 ms of a start to compile
        from autoagent.evidence.given import Given, given

        def look() -> Evidence:
            last = given(read(self.journal.folder), self._artifact) or Given(call.id, "")
            last = replace(last, result=completion.result, claims=completion.claims)
            return evidence.look_up_given(last, self._reads(), text_of=self._text, exists=exists)

        found = evidence.look_up_safely(look)
        seconds = time.monotonic() - began
        self._record(EvidenceChecked(call_id=call.id, evidence=found, seconds=seconds))

    def _reads(self) -> "Reads":
        from autoagent.evidence import reads

        return reads(read(self.journal.folder), self._artifact)

    def _artifact(self, name: str) -> str:
        return artifact(self.journal.folder, name)

    def _text(self, path: str) -> str | None:
        try:
            return self.text_of(path)
        except CommandError:
            return None

    # -- what has to be judged -----------------------------------------------------------------------------------------

    @property
    def reviews(self) -> bool:
        """Whether somebody judges here what no command decides."""
        return self.reviewer is not None and self.executor.setup.review != "off"

    def _to_judge(self) -> Mapping[int, Criterion]:
        """The criteria that no command decides; with `always` those too, for a check may be too easy."""
        if self.executor.setup.review == "off":
            return {}
        every = self.executor.setup.review == "always"
        criteria = dict(enumerate(self.journal.state.criteria, 1))
        return {number: one for number, one in criteria.items() if every or not one.checkable}

    def _judge(self, call: PendingCall, completion: Completion) -> None:
        """By a fresh context; where no rounds are left or nothing can judge, a person does."""
        state, asked = self.journal.state, self._to_judge()
        if self.reviewer is None:
            return self._judged(call, _by_a_person(asked, WHOSE), 1)
        if state.reviews >= ROUNDS:
            kept = [one for one in state.verdicts if one.criterion in asked]
            return self._judged(call, [_again(one) if one.state == "met" else one for one in kept], state.reviews)
        if state.too_long:
            return self._judged(
                call, _cannot_tell(asked, "what shows it is too long for the reviewer"), state.reviews + 1
            )
        shown = self._material(asked, completion, call)
        reply = state.unused.reply if state.unused and state.unused.purpose == "acceptance" else None
        if reply is None:
            context = fresh_context(self.prompt, shown.text, self.reviewer.count, factor_of(state))
            answer = self.ask(self.reviewer, context)
            if answer is None:
                return None
            reply = answer.reply.text
            self._record(answer.event("acceptance"))
        try:
            verdicts = reviewing.verdicts(reply, asked, state.goal, shown)
        except ThoughtError as error:
            verdicts = _cannot_tell(asked, f"the review can't be read: {error}")
        return self._judged(call, verdicts, state.reviews + 1)

    def _judged(self, call: PendingCall, verdicts: Sequence[Verdict], round: int) -> None:
        """A review may find a check too easy; it never makes good one that failed or was not run."""
        checked = {one.criterion for one in self._current() if one.by == "check" and one.state != "met"}
        checked |= {one.criterion for one in verdicts if one.state == "met" and self._is_checkable(one)}
        told = tuple(one for one in verdicts if one.criterion not in checked)
        self._record(CriteriaJudged(call_id=call.id, verdicts=told, round=round))

    def _is_checkable(self, verdict: Verdict) -> bool:
        return self.journal.state.criteria[verdict.criterion - 1].checkable

    def _material(self, asked: Mapping[int, Criterion], completion: Completion, call: PendingCall) -> Material:
        assert self.reviewer is not None
        state = self.journal.state
        cited = {claim.observation for claim in (call.evidence.claims if call.evidence else ()) if claim.found}
        texts = {source.id: source.text for source in self._reads().sources}
        wanted = " ".join([completion.result[:ASKED], *(criterion.text for criterion in asked.values())])
        others = [id for id in texts if id not in cited]
        scored = dict(zip(others, scores([texts[id] for id in others], wanted), strict=True))
        best = sorted(others, key=lambda id: -scored[id])[:OTHERS]
        observations = {id: text for id, text in texts.items() if id in cited or id in best}
        changes = net(deeds(read(self.journal.folder), self._artifact))
        files = {
            change.path: self.executor.effects.difference(change) for change in changes if change.after.kind != "folder"
        }
        limit = self.executor.setup.context_tokens // REVIEWED_SHARE
        return reviewing.material(
            state.goal, asked, completion.result, call.evidence, files, observations,
            nonce=f"{state.nonce} review", limit=limit, count=self.reviewer.count,
        )  # fmt: skip

    def _ask_person(self, call: PendingCall, undecided: list[Verdict]) -> None:
        """Exactly what only they can decide; their yes makes it met, their no goes to the model."""
        criteria = self.journal.state.criteria
        digest = " ".join(str(one.criterion) for one in undecided)
        if call.allowed and call.approved == digest:
            return self._record(CriteriaJudged(call_id=call.id, verdicts=tuple(self._settled(call, undecided))))
        if call.allowed is False:
            told = f"The person says that it is not met: {criteria[undecided[0].criterion - 1].text}. {call.reason}"
            return self._send_back(call, told.strip())
        if call.asked != digest:
            lines = [f"{criteria[one.criterion - 1].text} — {one.proof}" for one in undecided]
            return self._record(
                ApprovalAsked(
                    call_id=call.id, call=call.call, reason="\n".join(lines), digest=digest, decided_by="criteria"
                )
            )
        if not self.people.wait(self.journal.state):
            texts = "; ".join(criteria[one.criterion - 1].text for one in undecided)
            self._record(RunPaused(status="waiting", reason=f"y/n needed: is this so? {texts}"))
        return None

    def _settled(self, call: PendingCall, undecided: Sequence[Verdict]) -> Iterator[Verdict]:
        """After a person's yes: what was not checked for want of it is checked, the rest is as they say."""
        for one in undecided:
            criterion = self.journal.state.criteria[one.criterion - 1].model_copy(update={"by": "person"})
            if one.by == "check" and not self.executor.may_check(criterion):
                yield self._checked(call, one.criterion, criterion, self._changed_that_checks_read())
            else:
                yield Verdict(criterion=one.criterion, state="met", proof=f"yes, by {call.by}", by="person")

    # -- how it ends ---------------------------------------------------------------------------------------------------

    def _current(self) -> tuple[Verdict, ...]:
        return self.journal.state.verdicts

    def _send_back(self, call: PendingCall, told: str) -> None:
        self.executor.refuse_end(call, told)

    def _end(self, completion: Completion, unmet: Sequence[Verdict] = (), *, without_evidence: bool = False) -> None:
        """The result and the end of the run are one fact, so one event."""
        criteria = self.journal.state.criteria
        if not unmet and not without_evidence:
            return self._record(RunEnded(status="reached", result=completion.result, files=completion.files))
        missing = "; ".join(f"{criteria[one.criterion - 1].text}: {one.proof}" for one in unmet)
        told = f"Not met: {missing}" if missing else WITHOUT_EVIDENCE
        return self._record(
            RunEnded(status="unreached", result=told, files=completion.files, claimed=completion.result)
        )

    def _note_in_reports(self, call: PendingCall, found: Evidence) -> None:
        """A report says itself what of it has no support, at its end; where a check may read it, the ending says it."""
        if not found.without or found.problem:
            return
        from autoagent.evidence import claimed_without_evidence
        from autoagent.evidence.given import given
        from autoagent.evidence.noting import note

        last = given(read(self.journal.folder), self._artifact)
        for path in (*last.reports, *last.unknown) if last else ():
            if self._may_be_checked(path) or (text := self._text(path)) is None:
                continue
            facts = [fact.text for fact in found.loose if path in (fact.where, *fact.also)]
            claims = [one.text for one in found.claims if claimed_without_evidence(text, [one])]
            if facts or claims:
                told = note([*facts, *(f'"{claim}"' for claim in claims)], text)
                self.executor.add_to_file(f"{call.id}-note", path, "" if text.endswith(told) else told)

    def _may_be_checked(self, path: str) -> bool:
        """Whether a check reads a file, as far as anybody can tell: a command may read any."""
        real_name = self.executor.files.real_name
        criteria = self.journal.state.criteria
        try:
            return any(one.command or (one.pattern and real_name(one.file) == path) for one in criteria)
        except CommandError:
            return True

    def _record(self, event: Event) -> None:
        self.journal.append(event)


def _by_a_person(asked: Mapping[int, Criterion], why: str) -> list[Verdict]:
    return [Verdict(criterion=number, state="person", proof=why, by="person") for number in asked]


def _again(verdict: Verdict) -> Verdict:
    return verdict.model_copy(update={"state": "unclear", "proof": "the result is another than the one reviewed"})


def _cannot_tell(asked: Mapping[int, Criterion], why: str) -> tuple[Verdict, ...]:
    return tuple(Verdict(criterion=number, state="unclear", proof=why, by="review") for number in asked)


def _holds(text: str, pattern: str) -> bool:
    """Raises nothing: an expression that takes too long holds nothing."""
    import regex

    try:
        return regex.search(pattern, text, flags=regex.MULTILINE, timeout=PATTERN_S) is not None
    except (TimeoutError, regex.error):
        return False
