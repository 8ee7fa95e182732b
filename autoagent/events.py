"""The journal's vocabulary: everything that can happen in a run, in the past tense.

Rules: events are immutable; a field may be added with a default, never renamed or reused; every effect
on the outside world is bracketed by two events, one before (intent) and one after (result).
"""

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, TypeAdapter

from autoagent.budget import Limits, Usage
from autoagent.claims import Evidence
from autoagent.criteria import Criterion, Verdict
from autoagent.programs import Layer
from autoagent.rules import Action, Rule, Scope
from autoagent.thoughts import CommandCall, Thought

FORMAT = 1
Approve = Literal["every", "acts", "sandboxed", "never"]
Review = Literal["auto", "always", "off"]
EvidenceMode = Literal["require", "mark", "off"]
Purpose = Literal["step", "summary", "review", "acceptance", "handover"]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
_YEARS = range(1970, 9999)  # that are years in every time zone


def _moment(at: str) -> str:
    if not _MOMENT.fullmatch(at) or datetime.fromisoformat(at).year not in _YEARS:
        raise ValueError(f"{at[:40]!r} is no moment such as 2026-11-29T18:44:35.123Z")
    return at


def _amounts(read: Any) -> Any:
    """What a journal says of amounts: no limit, price or count is endless or no number."""
    given = cast(dict[str, Any], read) if isinstance(read, dict) else {}
    for name, value in given.items():
        if isinstance(value, str | float) and not math.isfinite(float(value)):
            raise ValueError(f"{name} is {value}, which is no amount")
    return cast(Any, read)


_Usage = Annotated[Usage, BeforeValidator(_amounts)]
_Limits = Annotated[Limits, BeforeValidator(_amounts)]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    seq: int = 0  # position in the journal from 1, set by the journal
    at: Annotated[str, AfterValidator(_moment)] = Field(default_factory=_now)  # information only; order is `seq`


class Setup(BaseModel):
    """What a run keeps when it is resumed, unless a flag says otherwise. Never a key."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    model: str
    base_url: str = ""
    fast_model: str = ""
    temperature: float | None = None
    seed: int | None = None
    reasoning_effort: str = ""
    context_tokens: int
    reply_tokens: int
    approve: Approve = "acts"
    workspace: str
    plugins: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    search: tuple[str, ...] = ()  # providers, in the order in which they are asked
    allow_local_network: bool = False
    sandbox: Layer = "none"  # what was found to hold programs
    sandbox_network: bool = False  # programs reach the network, as a person wanted
    unsandboxed: bool = False  # a person wanted programs to run where nothing holds them
    rules: tuple[Rule, ...] = ()  # those of the workspace and for all runs, as they were when it started or went on
    review: Review = "off"  # of criteria that no command decides; runs of before there was one had none
    review_model: str = ""
    escalate_model: str = ""  # asked where the loop guard wants another plan
    evidence: EvidenceMode = "off"
    protect: tuple[str, ...] = ()  # patterns of files that checks read: the run may not change them
    safe_mode: bool = False  # no plugins, nothing of the workspace's settings, no prompts but the built-in ones


class RunStarted(_Event):
    """`system` names the artifact with the system prompt; `nonce` makes the delimiters of observations."""

    type: Literal["run_started"] = "run_started"
    v: int = FORMAT
    run_id: str
    goal: str
    name: str = ""
    role: str = ""
    setup: Setup
    limits: _Limits
    system: str
    nonce: str
    version: str
    usage: _Usage = Usage()  # calls made before the run, to propose its goals
    outside: str = ""  # what of foreign words it starts among, in words for people
    forked_from: str = ""  # "7f3a step 14"
    shared_events: int = 0  # how many of the first stand in that run's journal too


class RunResumed(_Event):
    type: Literal["run_resumed"] = "run_resumed"
    setup: Setup | None = None
    limits: _Limits | None = None
    system: str = ""
    changed: tuple[str, ...] = ()  # files that others changed while the run stood still


class RunPaused(_Event):
    """The run stands and can go on. `reason` is for people."""

    type: Literal["run_paused"] = "run_paused"
    status: Literal["paused", "waiting", "limit", "unavailable", "error"]
    reason: str
    seconds: float = 0.0  # of work that was cut and is made again
    message_id: str = ""


class RunEnded(_Event):
    """The end that the run came to by itself; with `reached` also the result of `task_complete`."""

    type: Literal["run_ended"] = "run_ended"
    status: Literal["reached", "unreached", "stalled"]
    result: str
    files: tuple[str, ...] = ()
    claimed: str = ""  # the result that was given and not accepted


class CriteriaSet(_Event):
    """What has to be true at the end: as a person gave it, or as the model drafted it and a person may have edited."""

    type: Literal["criteria_set"] = "criteria_set"
    criteria: tuple[Criterion, ...]
    by: str  # "flags", "model", "terminal", "answer", …
    message_id: str = ""


class CriteriaJudged(_Event):
    """What came of criteria when the model said that the goal is reached with the command `call_id`.

    `round` counts the reviews of the run; 0 are checks of the runtime's, or a person's word.
    """

    type: Literal["criteria_judged"] = "criteria_judged"
    call_id: str
    verdicts: tuple[Verdict, ...]
    round: int = 0
    seconds: float = 0.0


class EvidenceChecked(_Event):
    """What came of looking up the claims and figures of the result that the command `call_id` gives."""

    type: Literal["evidence_checked"] = "evidence_checked"
    call_id: str
    evidence: Evidence
    seconds: float = 0.0


class HandoverWritten(_Event):
    """Where the run stands as a limit ends it, for whoever resumes it; a digest where no call of a model fits."""

    type: Literal["handover_written"] = "handover_written"
    done: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    next: str = ""
    files: tuple[str, ...] = ()
    by: Literal["model", "digest"]


class ModelCalled(_Event):
    """Intent to ask the model, with the most that it may take. `tail` is the last message of the context."""

    type: Literal["model_called"] = "model_called"
    purpose: Purpose = "step"
    model: str
    tail: str
    estimated_tokens: int  # input as counted here, before calibration
    reserved: _Usage


class ModelReplied(_Event):
    """The reply and its price, whether or not it could be read. One with purpose `step` is a step.

    `said` is what the model sees of the reply later, `tokens` its length.
    """

    type: Literal["model_replied"] = "model_replied"
    purpose: Purpose = "step"
    reply: str
    finish_reason: str = ""
    usage: _Usage
    usage_estimated: bool = False
    seconds: float = 0.0
    thought: Thought | None = None
    problem: str = ""  # why there is no thought, written for the model
    said: str = ""
    tokens: int = 0


class ModelFailed(_Event):
    """No reply. `wait_s` is the pause before the next try, None where there is none."""

    type: Literal["model_failed"] = "model_failed"
    problem: str
    may_be_billed: bool = True
    too_long: bool = False
    wait_s: float | None = None
    seconds: float = 0.0


class ApprovalAsked(_Event):
    """A question that stands until it is answered. `digest` names the exact bytes that were shown."""

    type: Literal["approval_asked"] = "approval_asked"
    call_id: str
    call: CommandCall
    reason: str
    digest: str
    preview: str = ""
    scopes: tuple[str, ...] = ()  # the rules a person may keep instead of answering again
    decided_by: str = ""  # the name of the rule of ours or theirs that asks


class ApprovalGiven(_Event):
    """`more` allows that many further commands; `args` are the edited arguments."""

    type: Literal["approval_given"] = "approval_given"
    call_id: str
    allowed: bool
    by: str  # "policy", "terminal", "answer", …
    reason: str = ""
    more: int = 0
    args: dict[str, JsonValue] | None = None
    digest: str = ""
    message_id: str = ""


class RuleKept(_Event):
    """A person's rule. One for more than this run is also in their own files."""

    type: Literal["rule_kept"] = "rule_kept"
    rule: str
    action: Action = "allow"
    scope: Scope = "run"
    by: str
    message_id: str = ""


class NetworkAllowed(_Event):
    """A person wants programs of this run to reach the network; from then on its setup says so."""

    type: Literal["network_allowed"] = "network_allowed"
    by: str


class ReviewAsked(_Event):
    """A person wants a critic to look before the pending commands run."""

    type: Literal["review_asked"] = "review_asked"
    by: str
    message_id: str = ""


class PersonSaid(_Event):
    """Advice or an answer. While a question stands, nothing pending runs and the model thinks again."""

    type: Literal["person_said"] = "person_said"
    text: str
    by: str
    tokens: int = 0
    message_id: str = ""


class CommandStarted(_Event):
    """For a change of a file: its fingerprints before and after, so that a crash leaves no doubt.

    `diff` is for people, where it did not stand in a question.
    """

    type: Literal["command_started"] = "command_started"
    call_id: str
    call: CommandCall
    allowed_by: str
    repeatable: bool = False  # it runs again where its end was not recorded
    path: str = ""
    before: str = ""
    after: str = ""
    diff: str = ""
    source: str = ""  # the file that is moved to `path`
    sandbox: str = ""  # what holds a program: its layer, and "network" where it has that


Outcome = Literal["ok", "failed", "refused", "unknown", "skipped"]


class FileState(BaseModel):
    """What is at a path. The content of a file, or the target of a link, is kept for undo under its SHA-256.

    `kept` False: it is too large or in a folder that undo does not cover.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["absent", "file", "folder", "link"] = "absent"
    sha256: str = ""
    mode: int = 0  # the permission bits
    size: int = 0
    kept: bool = True

    def is_as(self, other: "FileState") -> bool:
        """Whether the same is there; a full disk may have kept a copy of the one and not of the other."""
        return self.model_copy(update={"kept": other.kept}) == other


class FileChange(BaseModel):
    """What a command did to one path of the workspace."""

    model_config = ConfigDict(frozen=True)

    path: str
    before: FileState
    after: FileState


class FilesChanged(_Event):
    """What programs in the background did to the workspace, seen between two commands or at the end.

    `note`: the runtime itself says at the end of a report what of it has no evidence.
    """

    type: Literal["files_changed"] = "files_changed"
    changed: tuple[FileChange, ...] = ()
    changed_artifact: str = ""
    put_back: tuple[str, ...] = ()  # since other programs obey it
    note: bool = False


class FilesUndone(_Event):
    """A person took changes back, or brought them back again (`redo`)."""

    type: Literal["files_undone"] = "files_undone"
    changed: tuple[FileChange, ...] = ()
    changed_artifact: str = ""
    redo: bool = False
    by: str


class CommandFinished(_Event):
    """`text` is what the model sees; `artifact` holds the whole where `text` was clipped.

    `detail` is for people only, `seen` holds the fingerprints of files read or written.
    `outside`: it is text from outside the workspace. With `ends_batch` the later commands of the thought are not run.
    `changed`: what it did to the workspace, in a JSON artifact where that is long; `put_back`: what a program did to
    files that other programs obey and that are again as they were.
    """

    type: Literal["command_finished"] = "command_finished"
    call_id: str
    outcome: Outcome
    text: str
    tokens: int = 0
    artifact: str = ""
    detail: str = ""
    seconds: float = 0.0
    seen: dict[str, str] = Field(default_factory=dict[str, str])
    wrote: str = ""
    outside: bool = False
    ends_batch: bool = False
    changed: tuple[FileChange, ...] = ()
    changed_artifact: str = ""
    put_back: tuple[str, ...] = ()
    message_id: str = ""


class Compacted(_Event):
    """The first `upto` steps are represented in the context by `summary` from now on."""

    type: Literal["compacted"] = "compacted"
    upto: int
    summary: str
    tokens: int
    by: Literal["model", "digest"]
    tokens_before: int
    tokens_after: int
    kept: str  # in words, for people


Event = (
    RunStarted
    | CriteriaSet
    | CriteriaJudged
    | EvidenceChecked
    | HandoverWritten
    | RunResumed
    | RunPaused
    | RunEnded
    | ModelCalled
    | ModelReplied
    | ModelFailed
    | ApprovalAsked
    | ApprovalGiven
    | RuleKept
    | NetworkAllowed
    | ReviewAsked
    | PersonSaid
    | CommandStarted
    | CommandFinished
    | FilesChanged
    | FilesUndone
    | Compacted
)
EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
TYPES = frozenset(kind.model_fields["type"].default for kind in Event.__args__)
