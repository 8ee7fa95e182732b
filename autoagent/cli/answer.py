"""`autoagent answer` and `autoagent stop`: reach a run through its inbox, from any terminal."""

import re
import sys
from collections.abc import Sequence

import click

from autoagent.cli.asking import YES
from autoagent.cli.completion import complete_run
from autoagent.cli.options import Options, with_options
from autoagent.errors import ConfigError
from autoagent.inbox import InboxMessage, send
from autoagent.journal import state_of
from autoagent.masking import Mask
from autoagent.places import find_run, is_live, runs_folder
from autoagent.state import State
from autoagent.terminal.criteria import undecided

TERMINAL_KEYS = {"a", "d", "e", "q", "w", "?", "h", "ㅁ", "ㅇ", "ㄷ", "ㅂ", "ㅈ"}
NO = {"n", "no", "ㅜ", "아니오", "아니요"}


@click.command("answer")
@click.argument("run_id", metavar="RUN", shell_complete=complete_run)
@click.argument("words", nargs=-1, required=True, metavar="y | n [TEXT] | s | TEXT")
@click.option("--resume", "resume_now", is_flag=True, help="Go on with the run at once.")
@with_options
def answer(run_id: str, words: Sequence[str], resume_now: bool, options: Options) -> int:
    """Answer the question that a run waits with: y runs it (or: it is so; or: these criteria), n TEXT refuses it,
    s asks a critic, other text is advice.
    """
    folder = find_run(runs_folder(), run_id)
    state = state_of(folder)
    if state.status == "reached":
        raise ConfigError(f"run {state.run_id} has reached its goal; it asks nothing any more")
    mask = click.get_current_context().ensure_object(Mask)
    message = parse_answer(state, mask(" ".join(words)))
    send(folder, message)
    if is_live(folder):
        _say(f"sent to run {state.run_id}: {_words_for(message, state)}")
        return 0
    if resume_now:
        from autoagent.cli.run import resume_run

        return resume_run(folder.name, options, message=None)
    _say(f"kept for run {state.run_id}: {_words_for(message, state)}. Go on: autoagent resume {state.run_id}")
    return 0


def _words_for(message: InboxMessage, state: State) -> str:
    """How the words were taken."""
    match message.kind:
        case "answer" if state.draft and not state.question:
            return "yes to what has to be true at the end; what the plan needs is asked each time"
        case "answer" if _is_it_so(state):
            return "it is so" if message.allowed else "it is not so"
        case "answer" if message.more:
            return f"yes, and to the next {message.more} too"
        case "answer" if message.allowed:
            return "the answer" if message.text else "yes"
        case "answer":
            return "no"
        case "review":
            return "a critic looks first"
        case _:
            return "advice; nothing is allowed by it"


def parse_answer(state: State, text: str) -> InboxMessage:
    """What the words mean for the run as it stands. Raises ConfigError for a y or n where nothing is asked."""
    question = state.question
    call_id = question.id if question else ""
    if question and question.call.name == "ask_person" and text.strip():
        return InboxMessage(kind="answer", by="answer", call_id=call_id, allowed=True, text=text.strip())
    first, _, rest = text.strip().partition(" ")
    more = re.fullmatch(r"-?(\d{1,4})", rest.strip())
    if first.lower() in YES and (not rest or more):
        _require(state, text, command=bool(more))
        count = int(more[1]) - 1 if more else 0
        return InboxMessage(kind="answer", by="answer", call_id=call_id, allowed=True, more=max(0, count))
    if first.lower() in NO:
        if state.draft and not state.question:
            raise ConfigError(
                f"run {state.run_id} asks what has to be true at the end. y agrees to its draft; to change it, go on "
                f"at a terminal: autoagent resume {state.run_id}"
            )
        _require(state, text)
        return InboxMessage(kind="answer", by="answer", call_id=call_id, allowed=False, text=rest.strip())
    if not text.strip():
        raise ConfigError("the answer is empty")
    if first.lower() in ("s", "ㄴ") and not rest:
        _require(state, text, command=True)
        return InboxMessage(kind="review", by="answer", call_id=call_id)
    if text.strip().lower() in TERMINAL_KEYS:
        raise ConfigError(f"{text.strip()!r} is a key of the terminal only. Here: y, n TEXT, s, or advice in words")
    return InboxMessage(kind="say", by="answer", text=text.strip())


def _is_it_so(state: State) -> bool:
    """Whether it is asked if criteria are met, not if a command may run."""
    return bool(undecided(state))


def _require(state: State, text: str, *, command: bool = False) -> None:
    """Raises ConfigError where nothing is asked; with `command`, where no command is."""
    drafted = state.draft is not None and state.question is None
    if command and (drafted or _is_it_so(state)):
        raise ConfigError(f"run {state.run_id} asks nothing to which {text!r} is an answer: y or n TEXT")
    if state.question is None and not drafted:
        raise ConfigError(f"run {state.run_id} asks nothing now, so {text!r} answers nothing. Advice needs more words")


@click.command("stop")
@click.argument("run_id", metavar="RUN", shell_complete=complete_run)
def stop(run_id: str) -> int:
    """Pause a live run after the command under way; `autoagent resume RUN` goes on."""
    folder = find_run(runs_folder(), run_id)
    if not is_live(folder):
        raise ConfigError(f"run {folder.name} is not running")
    send(folder, InboxMessage(kind="stop", by="stop", text="autoagent stop"))
    _say(f"run {folder.name} pauses after the act under way. Go on: autoagent resume {folder.name}")
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
