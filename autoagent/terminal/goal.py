"""The first-run form: one sentence becomes a name, a role and goals that the person may change before the start."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from autoagent.terminal.answers import read_answer
from autoagent.terminal.keyboard import Keyboard
from autoagent.terminal.layout import Piece, labelled, line
from autoagent.terminal.look import Look
from autoagent.terminal.screen import Screen

MOST_GOALS = 5
HELP = (
    "Enter  start the run as it stands; y too",
    "e      edit name, role and goals, line by line",
    "q      leave; nothing has started",
    "other  words: say anew what to do, and it proposes again",
)


@dataclass(frozen=True)
class Proposal:
    """What a run would start with."""

    name: str
    role: str
    goals: tuple[str, ...]


def ask_goal(screen: Screen, keyboard: Keyboard, propose: Callable[[str], Proposal]) -> Proposal | None:
    """Ask for a sentence, show what `propose` makes of it, let each line be edited; None where the person leaves.

    What `propose` raises goes through; Ctrl-C is a KeyboardInterrupt.
    """
    look = screen.look
    look.write(line(Piece("What is the agent to do? One sentence; q leaves.", "bold")))
    keyboard.settle()
    try:
        sentence = _sentence(keyboard)
        while sentence:
            proposal = _proposed(screen, propose, sentence)
            keyboard.settle()
            sentence = ""
            while not sentence:
                _show(look, proposal)
                typed = _line(look, keyboard)
                kind = read_answer(typed).kind
                if not typed.strip() or kind == "yes":
                    return proposal
                if kind in ("pause", "no"):
                    return None
                if kind == "edit":
                    proposal = _edited(look, keyboard, proposal)
                elif kind == "advice":
                    sentence = typed.strip()
    except EOFError:
        return None
    return None


def _line(look: Look, keyboard: Keyboard) -> str:
    """A typed line; one that asks for help is answered here."""
    while read_answer(typed := keyboard.line() or "").kind == "help":
        look.write(*(line(text, first=2) for text in HELP))
    return typed


def _sentence(keyboard: Keyboard) -> str:
    """The first words typed; "" where the person leaves."""
    while True:
        typed = (keyboard.line() or "").strip()
        if read_answer(typed).kind == "pause":
            return ""
        if typed:
            return typed


def _proposed(screen: Screen, propose: Callable[[str], Proposal], sentence: str) -> Proposal:
    screen.working("thinking")
    try:
        return propose(sentence)
    finally:
        screen.idle()


def _show(look: Look, proposal: Proposal) -> None:
    look.write(line(), labelled("Name", proposal.name), labelled("Role", proposal.role))
    for i, goal in enumerate(proposal.goals, 1):
        look.write(labelled("" if i > 1 else "Goals" if len(proposal.goals) > 1 else "Goal", f"{i}  {goal}"))
    keys = "Enter starts   e edit   q leave   " + ("or say it anew" if look.narrow else "or say it in other words")
    look.write(line(), line(keys, first=2))


def _edited(look: Look, keyboard: Keyboard, proposal: Proposal) -> Proposal:
    """Each line in turn: Enter keeps it, `-` drops a goal, `+` adds goals after the last."""
    look.write(line("Enter keeps a line, - drops a goal, + adds one at the end.", first=2))
    name = _field(look, keyboard, "Name", proposal.name) or proposal.name
    role = _field(look, keyboard, "Role", proposal.role) or proposal.role
    goals: list[str] = []
    added: list[str] = []
    for number, goal in enumerate(proposal.goals, 1):
        typed = _field(look, keyboard, f"Goal {number}", goal)
        if typed.startswith("+"):
            added.append(typed)
        goals.append(goal if typed.startswith("+") else typed)
    goals = [goal for goal in (*goals, *(text[1:].strip() for text in added)) if goal]
    while len(goals) < MOST_GOALS:
        typed = _field(look, keyboard, "+ Goal" if goals else "Goal", "").removeprefix("+").strip()
        if typed:
            goals.append(typed)
        elif goals:
            break
    return replace(proposal, name=name, role=role, goals=tuple(goals[:MOST_GOALS]))


def _field(look: Look, keyboard: Keyboard, label: str, value: str) -> str:
    """The value as edited; "" where it is dropped."""
    if value and not look.rich:
        look.write(labelled(label, value))
    typed = (keyboard.line(f"  {label} > ", default=value) or "").strip()
    return "" if typed == "-" else typed or value
