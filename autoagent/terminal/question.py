"""The standing question as a person sees it: the command in full, why it is asked, and the keys that answer."""

from autoagent.events import ApprovalAsked
from autoagent.policy import rule_words
from autoagent.terminal.calls import call_lines, diff_lines
from autoagent.terminal.layout import Line, Piece, foreign, line

NO_REASON = ("acts", "every command", "question")  # what the policy says where there is nothing to warn of
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


def is_for_a_person(asked: ApprovalAsked) -> bool:
    """Whether the model asks the person something, instead of waiting for a yes."""
    return asked.reason == "question"


def question_lines(asked: ApprovalAsked, *, narrow: bool, full: bool = False) -> list[Line]:
    """The command with every argument, its diff, the warning; then the answers."""
    if is_for_a_person(asked):
        question = str(asked.call.args.get("question") or asked.call.args)
        title = line(Piece("The agent asks", "bold"), first=2)
        hint = line(Piece("Type the answer; q alone pauses and leaves.", "dim"), first=2)
        return [line(), title, *foreign(question, indent=4), hint]
    return [line(), *_act_lines(asked, full=full), line(), answers_line(asked, narrow=narrow)]


def _act_lines(asked: ApprovalAsked, *, full: bool) -> list[Line]:
    lines = call_lines(asked.call, preview=asked.preview, full=full)
    if asked.preview:
        lines += diff_lines(asked.preview, full=full)
    if asked.reason not in NO_REASON:
        lines.append(line(Piece("! ", "warn"), asked.reason, first=4, rest=6))
    return lines


def answers_line(asked: ApprovalAsked, *, narrow: bool) -> Line:
    """The keys; `d` only where something is left out, `a` only where a rule may be kept."""
    details = "d all" if _act_lines(asked, full=False) != _act_lines(asked, full=True) else ""
    always = "a always…" if asked.scopes else ""
    if narrow:
        keys = ("y yes", "n no", "e edit", always, details, "? more")
        return line("  ".join(key for key in keys if key), first=2)
    keys = ("y yes", "n no, say why", "e edit", always, details, "? more")
    return line(Piece("Run it?  ", "bold"), "   ".join(key for key in keys if key), first=2)


def help_lines(*, narrow: bool) -> list[Line]:
    return [line(text, first=2) for text in (NARROW_HELP if narrow else HELP).split("\n")]


def always_lines(scopes: tuple[str, ...]) -> list[Line]:
    """The rules that may be kept, numbered, the narrowest first."""
    head = "Always, in this run:  "
    return [
        line(Piece("" if i > 1 else head, "bold"), f"{i}  {rule_words(rule)}", first=2 if i == 1 else 2 + len(head))
        for i, rule in enumerate(scopes, 1)
    ]
