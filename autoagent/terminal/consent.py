"""A yes or no before a run starts: whatever is no yes is none."""

from collections.abc import Callable

from autoagent.terminal.answers import read_answer
from autoagent.terminal.keyboard import Keyboard
from autoagent.terminal.layout import Piece, line
from autoagent.terminal.look import Look

NETWORK = (
    "Programs of this run would reach the network, and services on this machine: what they read can be sent anywhere."
)


def ask_network(look: Look, keyboard: Keyboard, *, until: Callable[[], bool]) -> bool | None:
    """Whether programs may reach the network; None where the person leaves instead."""
    look.write(line(Piece("! ", "warn"), NETWORK))
    return ask_yes(keyboard, "Allow it? y/N ", until=until)


def ask_yes(keyboard: Keyboard, question: str, *, until: Callable[[], bool]) -> bool | None:
    """Only a yes is one; None where the person leaves."""
    try:
        keyboard.settle(until)
        typed = keyboard.line(f"  {question}", until=until)
    except (EOFError, KeyboardInterrupt):
        return None
    return None if typed is None else read_answer(typed).kind == "yes"
