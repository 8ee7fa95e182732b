"""The loop: think, act, observe, until the goal is proven to be reached or a limit is."""

import json
from collections.abc import Callable
from dataclasses import replace
from string import Template

from autoagent import handover, memory, reviewing, stall
from autoagent.acceptance import Acceptance
from autoagent.ask import Answer, Call, ask
from autoagent.criteria import Draft, with_goal
from autoagent.errors import ThoughtError
from autoagent.events import (
    ApprovalGiven,
    Compacted,
    CriteriaSet,
    Event,
    PersonSaid,
    Purpose,
    ReviewAsked,
    RuleKept,
    RunEnded,
    RunPaused,
)
from autoagent.executor import EDITED, Executor
from autoagent.inbox import InboxMessage
from autoagent.journal import Journal
from autoagent.models import PLAIN_TEXT, Model
from autoagent.people import People
from autoagent.prompts import Prompts
from autoagent.reading import FIRST_SHAPE, SHAPE
from autoagent.state import UNREADABLE_IN_A_ROW, Pending, State
from autoagent.thoughts import Thought, parse_thought


class Agent:
    """One run of one goal. Everything it knows is in `state`; everything it does is in the journal."""

    def __init__(
        self,
        journal: Journal,
        model: Model,
        executor: Executor,
        people: People,
        *,
        prompts: Prompts,
        text_of: Callable[[str], str],
        fast_model: Model | None = None,
        review_model: Model | None = None,
        escalate_model: Model | None = None,
        writes_prose: bool = True,
    ):
        """`text_of` reads a file of the workspace by its kind. Where no other model is given, `model` does its work.

        `writes_prose` False: it is rules, which can't review or write a hand-over.
        """
        self.journal, self.model, self.people = journal, model, people
        self.prompts, self.fast_model = prompts, fast_model or model
        self.escalate_model, self.writes_prose = escalate_model, writes_prose
        reviewer = (review_model or model) if writes_prose or review_model else None
        self.acceptance = Acceptance(
            journal, executor, people, reviewer, self.ask_reviewer, prompts.acceptance, text_of
        )
        self.executor, self.registry = executor, executor.registry
        self.setup, self.schema = executor.setup, executor.registry.reply_schema()
        self.fixed_text, self.fixed_tokens = prompts.system + json.dumps(self.schema), 0

    @property
    def state(self) -> State:
        return self.journal.state

    def run(self) -> State:
        """Continue from wherever the journal ends; a fresh run, a resumed one and a fork are the same."""
        while self.state.status == "running":
            self.listen()
            if self.state.status != "running":
                break
            if end := self.exhausted():
                self.pause_at_limit(end.reason) if end.type == "run_paused" else self.record(end)
            elif self.state.draft:
                self.settle_criteria(self.state.draft)
            elif pending := self.state.pending:
                self.review() if pending.review else self.act(pending)
            else:
                self.think()
        self.executor.end_programs()
        return self.state

    def close(self) -> None:
        """End programs, give back connections and folders; the journal is whoever's opened it."""
        for part in (self.executor, self.model, self.fast_model, self.acceptance.reviewer, self.escalate_model):
            if part:
                part.close()

    def exhausted(self) -> RunPaused | RunEnded | None:
        """Why the run goes no further: a limit, a loop, a model that can't be understood.

        What the last thought asked for is still done, but not beyond the time limit.
        """
        state = self.state
        if state.pending:
            too_late = state.limits.out_of_time(state.worked_s)
            return RunPaused(status="limit", reason=too_late) if too_late else None
        if state.unreadable >= UNREADABLE_IN_A_ROW:
            problem = state.steps[-1].observations[-1].text
            result = f"{state.unreadable} unreadable replies in a row. The model was told: {problem}"
            return RunEnded(status="unreached", result=result)
        if repeated := stall.stalled(state):
            return RunEnded(status="stalled", result=repeated)
        used_up = state.limits.exceeded(steps=state.step, usage=state.usage, worked_s=state.worked_s)
        return RunPaused(status="limit", reason=used_up) if used_up else None

    def settle_criteria(self, draft: Draft) -> None:
        """A person at a terminal edits what has to be true before the work starts; else the draft counts as it is."""
        if self.setup.approve == "never" or not self.people.edit_criteria(self.state):
            reviewed = self.acceptance.reviews
            criteria = with_goal(draft.criteria, self.state.goal) if reviewed else draft.criteria
            self.record(CriteriaSet(criteria=criteria, by="model"))

    def act(self, pending: Pending) -> None:
        if completion := self.executor.act(pending):
            self.acceptance.advance(pending.calls[0], completion)

    def think(self) -> None:
        """Ask the model what to do next."""
        context = self.fitting_context()
        answer = self.ask("step", self.thinking_model, context) if context else None
        if answer is None:
            return
        reply = answer.reply
        thought, problem = None, ""
        try:
            thought = parse_thought(reply.text, cut=reply.finish_reason == "length")
            self.registry.check(thought)
            self.check_secrets(thought)
        except ThoughtError as error:
            drafts = not self.state.settled and not self.state.acted
            told = str(error).replace(SHAPE, FIRST_SHAPE) if drafts else str(error)
            thought, problem = None, memory.clip(told, self.setup.context_tokens // 16, self.model.count)
        share = self.setup.context_tokens // memory.SAID_SHARE // (1 if thought else 4)
        text = self.journal.mask(thought.as_reply() if thought else reply.text)
        if thought and self.model.count(text) > share:
            text = thought.shortened().as_reply()
        said = memory.clip(text, share, self.model.count)
        tokens = self.model.count(said + problem) + memory.FRAMING_TOKENS
        self.record(answer.event("step", thought=thought, problem=problem, said=said, tokens=tokens))

    @property
    def thinking_model(self) -> Model:
        return self.escalate_model if self.escalate_model and stall.escalates(self.state) else self.model

    def check_secrets(self, thought: Thought) -> None:
        """Arguments are journalled without known secrets; run as they are then, they would write `***` into files."""
        for call in thought.commands:
            given, command = call.model_dump_json(), self.registry[call.name]
            leaves = command.effect in ("writes", "executes", "sends") or command.outside
            if leaves and self.journal.mask(given) != given:
                told = (
                    f"The arguments of {call.name} hold a value that is kept secret here. Nothing ran. Do it without."
                )
                raise ThoughtError(told)

    def fitting_context(self) -> memory.Context | None:
        """The next step's context; None where steps were compacted instead, or it can't fit and the run pauses.

        One that the endpoint found too long is sent once more, halved.
        """
        limit, refused = self.setup.context_tokens, self.state.too_long
        roomy, exact = int(limit * memory.HIGH_WATER), bool(self.state.step) or self.state.limits.tokens is not None
        context = self.step_context(exact=exact)
        if not context.fits(roomy) and not exact:
            context = self.step_context(exact=True)
        if context.fits(roomy) and not refused:
            return context
        compacted = refused < 2 and self.compact(context)
        if self.state.status != "running" or (compacted and not self.state.too_long):
            return None
        if compacted:  # also where the summary was what is too long
            return self.step_context(exact=True)
        if context.fits(limit) and not refused:
            return context
        needs = f"a step needs {context.tokens:,} context tokens, the limit is {limit:,}"
        refusal = f"{self.model.name} refuses a context of {context.tokens:,} tokens as too long"
        self.pause_at_limit(refusal if refused else needs)
        return None

    def step_context(self, *, exact: bool) -> memory.Context:
        """What the model is to see in a step. The first may be bounded by its bytes: the tokenizer loads meanwhile."""
        count = self.model.count if exact else self.model.bound
        if not self.fixed_tokens or self.state.step <= 1:
            self.fixed_tokens = count(self.fixed_text) + memory.FRAMING_TOKENS
        tail = memory.volatile_tail(self.state, self.setup.context_tokens, self.fixed_tokens)
        return self.context(self.state, tail, count, self.thinking_model)

    def context(self, state: State, tail: str, count: memory.Count, model: Model) -> memory.Context:
        tail_tokens = count(tail) + memory.FRAMING_TOKENS
        return memory.build_context(
            state,
            self.prompts.system,
            tail,
            fixed_tokens=self.fixed_tokens,
            tail_tokens=tail_tokens,
            model=model.name,
        )

    def ask(self, purpose: Purpose, model: Model, context: memory.Context) -> Answer | None:
        """One try within the limits, of which a part is kept for the hand-over."""
        schemas = {"step": self.schema, "acceptance": reviewing.SCHEMA, "handover": handover.SCHEMA}
        most = handover.REPLY_TOKENS if purpose == "handover" else self.setup.reply_tokens
        schema, most = schemas.get(purpose, PLAIN_TEXT), min(most, self.setup.reply_tokens)
        call = Call(purpose, model, context, schema, most, self.setup.context_tokens)
        if refused := call.refused(self.state):
            if purpose != "handover":
                self.pause_at_limit(refused)
            return None
        return ask(self.journal, self.people, call)

    def ask_reviewer(self, model: Model, context: memory.Context) -> Answer | None:
        return self.ask("acceptance", model, context)

    def pause_at_limit(self, reason: str) -> None:
        """Write what is done and open from what is kept of the limits, then stand."""
        if self.state.step > self.state.handed_over:
            self.hand_over(reason)
        if self.state.status == "running":
            self.record(RunPaused(status="limit", reason=reason))

    def hand_over(self, reason: str) -> None:
        """By the model in a small context of its own; by a digest where that does not fit or comes to nothing."""
        room = min(handover.MATERIAL_TOKENS, self.setup.context_tokens // 2)
        written, unused = None, self.state.unused
        if unused and unused.purpose == "handover":  # the program died before anything came of it
            written, _ = handover.parse(unused.reply, self.state)
        elif self.writes_prose and not self.state.too_long:  # what refuses a step may refuse this too
            count = self.fast_model.count
            asked = handover.request(self.prompts.handover, reason)
            shown = handover.material(self.state, room, count)
            context = memory.fresh_context(asked, shown, count, memory.factor_of(self.state))
            if answer := self.ask("handover", self.fast_model, context):
                written, problem = handover.parse(answer.reply.text, self.state)
                self.record(answer.event("handover", problem=problem))
        if self.state.status == "running":
            self.record(written or handover.digest_of(self.state))

    def compact(self, context: memory.Context) -> bool:
        """Replace the oldest steps by a summary of the model's, or by a digest; False where there is nothing to."""
        limit, count, refused = self.setup.context_tokens, self.model.count, self.state.too_long
        if refused:
            limit = min(limit, context.tokens)
        factor = context.tokens / context.estimated
        upto = memory.steps_to_compact(self.state, fixed_tokens=self.fixed_tokens, limit=limit, factor=factor)
        if not upto:
            return False
        share = limit // memory.SUMMARY_SHARE
        old = replace(self.state, steps=self.state.steps[:upto], pending=None)
        instruction = Template(self.prompts.summary).substitute(words=min(share, self.setup.reply_tokens) // 2)
        asked = self.context(old, instruction, count, self.fast_model)
        answer = self.ask("summary", self.fast_model, asked) if asked.fits(limit) and not refused else None
        if answer:
            self.record(answer.event("summary"))
        elif self.state.status != "running" or self.people.stop_reason:
            return True
        by_model = answer.reply.text.strip() if answer and _is_summary(answer) else ""
        text = memory.summary(self.state, upto, share, count, by_model=by_model)
        dropped = sum(step.total_tokens for step in self.state.steps[self.state.summarized : upto])
        tokens = count(text) + memory.FRAMING_TOKENS
        self.record(
            Compacted(
                upto=upto,
                summary=text,
                tokens=tokens,
                by="model" if by_model else "digest",
                tokens_before=context.tokens,
                tokens_after=context.tokens - dropped - self.state.summary_tokens + tokens,
                kept=f"goal, plan, the newest step{'s' if len(self.state.steps) - upto > 1 else ''}",
            )
        )
        return True

    def review(self) -> None:
        """A critic looks at the pending thought; its commands don't run, and the model thinks again."""
        state = self.state
        if used_up := state.limits.exceeded(steps=0, usage=state.usage, worked_s=state.worked_s):
            return self.pause_at_limit(used_up)
        if self.state.too_long:
            return self.pause_at_limit("the model refuses the review's context as too long")
        pending = self.state.pending
        said = pending.step.said if pending else ""
        self.fixed_tokens = self.fixed_tokens or self.model.count(self.fixed_text) + memory.FRAMING_TOKENS
        asked = Template(self.prompts.review).substitute(thought=said)
        context = self.context(state, asked, self.model.count, self.fast_model)
        if answer := self.ask("review", self.fast_model, context):
            share = self.setup.context_tokens // memory.SAID_SHARE
            said = memory.clip(answer.reply.text, share, self.model.count)
            self.record(answer.event("review", said=said, tokens=self.model.count(said)))

    def listen(self) -> None:
        """Take what people sent, each once, and the wish to stop."""
        for message in self.people.messages():
            if self.state.status != "running" and message.kind != "stop":
                continue  # for when the run goes on
            if message.id not in self.state.messages and self.state.status == "running":
                self.take(message)
            self.people.taken(message)
        if self.people.stop_reason and self.state.status == "running":
            self.record(RunPaused(status="paused", reason=self.people.stop_reason))

    def take(self, message: InboxMessage) -> None:
        """Journal one message as what it means now; an answer to another question is not ours."""
        question, by, sent = self.state.question, message.by, message.id
        stale = question is None or message.call_id not in ("", question.id)
        match message.kind:
            case "stop":
                self.record(RunPaused(status="paused", reason=message.text or f"stopped by {by}", message_id=sent))
            case "say" if question and self.executor.asks_person(question):
                self.executor.answer(question, message.text, sent)
            case "say":
                tokens = self.model.count(message.text) + memory.FRAMING_TOKENS
                self.record(PersonSaid(text=message.text, by=by, tokens=tokens, message_id=sent))
            case "answer" if question and not stale and self.executor.asks_person(question):
                text = message.text or ("yes" if message.allowed else "no")
                self.executor.answer(question, text, sent)
            case "answer" if question and not stale:
                digest = question.asked if message.args is None else EDITED
                self.record(
                    ApprovalGiven(
                        call_id=question.id, allowed=message.allowed, by=by, reason=message.text,
                        more=message.more if message.allowed else 0, args=message.args, digest=digest, message_id=sent,
                    )
                )  # fmt: skip
            case "keep_rule" if not stale:
                *before, last = message.rule.split("\n")
                for rule in before:  # kept twice, where a crash comes between, it says the same
                    self.record(RuleKept(rule=rule, scope=message.scope, by=by))
                self.record(RuleKept(rule=last, scope=message.scope, by=by, message_id=sent))
            case "review" if not stale:
                self.record(ReviewAsked(by=by, message_id=sent))
            case "criteria" if self.state.draft:
                needed = filter(None, message.rule.split("\n"))  # by the plan, as far as a person allowed it
                for rule in needed:
                    self.record(RuleKept(rule=rule, scope=message.scope, by=by))
                self.record(CriteriaSet(criteria=message.criteria, by=by, message_id=sent))
            case "answer" if self.state.draft and message.allowed:
                confirmed = tuple(one.model_copy(update={"by": "person"}) for one in self.state.draft.criteria)
                self.record(CriteriaSet(criteria=confirmed, by=by, message_id=sent))
            case "answer" | "keep_rule" | "review" | "criteria":
                pass

    def record(self, event: Event) -> None:
        """The only way the state of a run ever changes."""
        self.journal.append(event)


def _is_summary(answer: Answer) -> bool:
    """Not cut, and not one more step by mistake, which would take the place of everything that was found."""
    if answer.reply.finish_reason == "length":
        return False
    try:
        parse_thought(answer.reply.text)
    except ThoughtError:
        return True
    return False
