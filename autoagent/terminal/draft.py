"""The model's draft of what has to be true at the end: shown before the work starts, changed by keys, and accepted."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from autoagent.criteria import Criterion, Draft, check_words
from autoagent.errors import ConfigError
from autoagent.events import Setup
from autoagent.policy import UNSANDBOXED
from autoagent.terminal.answers import latin_keys, read_answer
from autoagent.terminal.draft_text import after_key, as_text, from_text, lines_of, says_no_more
from autoagent.terminal.editing import in_editor
from autoagent.terminal.keyboard import Keyboard
from autoagent.terminal.layout import Line, Piece, foreign, line, one_line
from autoagent.terminal.look import Look
from autoagent.terminal.needs import Envelope, envelope, envelope_lines
from autoagent.terminal.words import is_planned, who_plans

HELP = """\
y or Enter  start with these          w        the same, but ask each time
e           edit (e 2: line 2)        -2       drop line 2
+ TEXT      add a line                q        pause and leave (exit 5)
+ check: COMMAND       its exit code has to be 0
+ expect: FILE ~ REGEX   the file is there, and its text holds this
+ needs host NAME      also: program NAME, folder NAME
- needs host NAME      or its number: one need less"""
NARROW_HELP = """\
y or Enter  start with these
w       the same, but ask each time
e       edit (e 2: line 2)
-2      drop line 2
+ TEXT  add a line; TEXT may be
        check: COMMAND (exit code 0)
        expect: FILE ~ REGEX
        needs host NAME
        needs program NAME
        needs folder NAME
- needs NAME  one need less
q       pause and leave (exit 5)"""


WORDS = 2  # more are a sentence, which may be meant as one more line


@dataclass(frozen=True)
class Settled:
    """What a person agreed to: the criteria, theirs from now on, and rules for what the plan needs."""

    criteria: tuple[Criterion, ...]
    rules: tuple[str, ...] = ()


@dataclass
class DraftQuestion:
    """Asks at the terminal until the person starts or leaves; Ctrl-D and `q` are an EOFError."""

    look: Look
    keyboard: Keyboard
    setup: Setup
    environ: Mapping[str, str]
    until: Callable[[], bool]
    _unread: str = field(default="", init=False)  # what they wrote in the editor and was refused

    def ask(self, draft: Draft) -> Settled | None:
        """None as soon as `until` holds."""
        self._show(draft)
        self.keyboard.settle(self.until)
        while not self.until():
            typed = self.keyboard.line(until=self.until, bell=True)
            if typed is None:
                return None
            found = self._meant(draft, typed)
            if isinstance(found, Settled):
                return found
            if found is not None and found != draft:
                draft = found
                self._show(draft, changed=True)
        return None

    def _show(self, draft: Draft, *, changed: bool = False) -> None:
        self.look.write(*draft_lines(draft, self.setup, changed=changed, narrow=self.look.narrow))

    def _meant(self, draft: Draft, typed: str) -> Settled | Draft | None:
        """What a typed line does to the draft; None: it was answered here."""
        if not typed.strip(" "):
            return self._settled(draft)
        answer = read_answer(typed)
        text = unicodedata.normalize("NFKC", typed.strip())
        line_number = re.fullmatch(r"(\S+)\s*(\d{1,2})", text)
        if line_number and read_answer(line_number[1]).kind == "edit":
            return self._one_edited(draft, int(line_number[2]))
        if latin_keys(text).lower() == "w":
            return self._settled(draft, with_needs=False)
        match answer.kind:
            case "yes" if not answer.more:
                return self._settled(draft)
            case "pause":
                raise EOFError
            case "edit":
                return self._edited(draft)
            case "help":
                self.look.write(*help_lines(narrow=self.look.narrow))
            case "critic":
                self._problem("there is nothing to review yet; type y to start, or change a line")
            case "unclear" if len(text) > 1 and not text.isprintable():
                self._hint(draft)  # a paste into a plain terminal
            case _:
                return self._changed(draft, typed.strip())
        return None

    def _settled(self, draft: Draft, *, with_needs: bool = True) -> Settled:
        criteria = tuple(one.model_copy(update={"by": "person"}) for one in draft.criteria)
        return Settled(criteria, envelope(draft, self.setup.protect).rules if with_needs else ())

    def _changed(self, draft: Draft, text: str) -> Draft | None:
        head, rest = unicodedata.normalize("NFKC", text[:1]), text[1:]
        number = unicodedata.normalize("NFKC", rest) if head in "-−–" else rest
        try:
            found = after_key(draft, head + number)
        except ConfigError as error:
            return self._problem(str(error))
        if found is None:
            self._unknown(text)
            return self._hint(draft)
        return found

    def _unknown(self, text: str) -> None:
        """Say that it does nothing here, and how a sentence becomes a line of the draft."""
        said = one_line(text, 200)
        if len(text.split()) > WORDS:
            return self._problem(f"nothing was changed. To have this at the end too, type:  + {said}")
        self._problem(f"“{said}” means nothing here")

    def _edited(self, draft: Draft) -> Draft | None:
        """In their editor, or one line here."""
        editor = self.environ.get("VISUAL") or self.environ.get("EDITOR") or ""
        if not editor:
            return self._one_edited(draft, self._which(draft))
        before = self._unread or as_text(draft)
        typed = in_editor(editor, before, self.keyboard.file, name="criteria.txt")
        if not typed or typed.strip() == as_text(draft).strip():
            self.look.write(line("Nothing was changed.", first=2))
            return self._hint(draft)
        try:
            found, self._unread = from_text(typed), ""
        except ConfigError as error:
            self._unread = typed + "\n"
            return self._problem(f"{error}. e opens it again")
        return found

    def _which(self, draft: Draft) -> int:
        if len(draft.criteria) == 1:
            return 1
        self.look.write(line("Which line? Its number, or Enter to go back", first=2))
        typed = (self.keyboard.line(until=self.until) or "").strip()
        return int(typed) if typed.isdecimal() and len(typed) < 3 else 0

    def _one_edited(self, draft: Draft, number: int) -> Draft | None:
        """Its text, then how it is checked: Enter keeps each, `-` drops it."""
        if not 0 < number <= len(draft.criteria):
            return self._hint(draft)
        parts: list[str] = []
        for part in lines_of(draft.criteria[number - 1]):
            if not self.look.rich:
                self.look.write(*foreign(part.strip()), line("Anew on one line; Enter keeps it, - drops it", first=2))
            typed = self.keyboard.line(f"  {number} > ", default=part.strip(), until=self.until)
            if typed is None:
                return None
            kept = typed.strip() or part.strip()
            if kept != "-":
                parts.append(f"{'  ' if parts else ''}{kept}")
        try:
            found = from_text("\n".join(parts)).criteria
        except ConfigError as error:
            return self._problem(str(error))
        criteria = (*draft.criteria[: number - 1], *found, *draft.criteria[number:])
        edited = draft.model_copy(update={"criteria": criteria})
        return edited if found != (draft.criteria[number - 1],) else self._hint(draft)

    def _problem(self, told: str) -> None:
        self.look.write(line(Piece("! ", "warn"), told))

    def _hint(self, draft: Draft) -> None:
        self.look.write(keys_line(envelope(draft, self.setup.protect), narrow=self.look.narrow))


def draft_lines(draft: Draft, setup: Setup, *, changed: bool = False, narrow: bool) -> list[Line]:
    """Each criterion with how it is checked, what the plan needs, what a yes covers; then the keys."""
    needs = envelope(draft, setup.protect)
    told = "as you changed it" if changed else f"drafted by {who_plans(setup)}"
    lines = [line(), line(Piece("Done when", "bold"), Piece(f"  {told}", "dim"), first=2)]
    lines += [_criterion_line(number, one, setup) for number, one in enumerate(draft.criteria, 1)]
    if any(one.command for one in draft.criteria) and setup.sandbox == "none":
        lines.append(line(Piece("! ", "warn"), f"the checks run {UNSANDBOXED}", first=2, rest=4))
    lines.append(line(Piece("Needs", "bold"), first=2))
    lines += envelope_lines(needs) or [
        line(Piece("nothing that would be asked, as far as the plan goes", "dim"), first=4)
    ]
    return [*lines, line(_covers(draft, needs), first=2), line(), keys_line(needs, narrow=narrow)]


def _covers(draft: Draft, needs: Envelope) -> str:
    """What one yes is for."""
    checks = "these checks" if any(one.command for one in draft.criteria) else ""
    covered = " and ".join(part for part in (checks, "exactly this list" if needs.rules else "") if part)
    return f"One yes covers {covered}; everything else is asked." if covered else "What it does is asked as usual."


def _criterion_line(number: int, criterion: Criterion, setup: Setup) -> Line:
    how = _how(criterion, setup)
    if criterion.checkable and says_no_more(criterion):
        return line(f"{number}  ", how, first=4, rest=7)
    text = " ".join(criterion.text.split())
    return line(f"{number}  ", text, Piece(f"  ({how})", "dim"), first=4, rest=7)


def _how(criterion: Criterion, setup: Setup) -> str:
    if criterion.command and setup.sandbox == "none" and not setup.unsandboxed:
        return f"you decide: nothing here can hold `{criterion.command}`"
    if is_planned(setup) and criterion.pattern and not criterion.command:
        return f"checked in {criterion.file}"  # its text says what has to stand there; e shows the pattern
    return check_words(criterion) or ("not checked: --review off" if setup.review == "off" else "judged by a review")


def keys_line(needs: Envelope, *, narrow: bool) -> Line:
    """`w` only where a yes covers something."""
    without = "w without needs" if needs.rules else ""
    if narrow:
        keys = ("y/Enter yes", "e edit", without and "w no needs", "q leave", "? more")
        return line("  ".join(key for key in keys if key), first=2)
    keys = ("y or Enter", without, "e edit", "-2 drop", "+ add", "q leave", "? more")
    return line(Piece("Start?  ", "bold"), "  ".join(key for key in keys if key), first=2)


def help_lines(*, narrow: bool) -> Sequence[Line]:
    return [line(text, first=2) for text in (NARROW_HELP if narrow else HELP).split("\n")]
