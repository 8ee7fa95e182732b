"""Loop guard: equal command and equal result again and again, counted over the state."""

from autoagent.state import State
from autoagent.thoughts import CommandCall

WARN, REFUSE, STOP = 3, 5, 8  # repetitions (UX.md: said, refused, ended)
LOOK_BACK = 60  # steps
REPEATED = "Not run again: you have the result of this command already, and no file was changed since."


def repetitions(state: State, call: CommandCall) -> int:
    """How often in a row this very call had the same outcome; calls that this guard refused count too.

    A file written in between by another command makes a new start: what is there may have changed.
    """
    count, text = 0, None
    current = (state.pending.step,) if state.pending else ()
    for step in reversed((*state.steps[max(state.guarded_from, len(state.steps) - LOOK_BACK) :], *current)):
        for observation in reversed(step.observations):
            if observation.wrote and observation.call != call:
                return count
            if observation.call != call or observation.outcome == "skipped":
                continue
            if observation.outcome == "refused" and observation.text.startswith(REPEATED):
                count += 1
            elif text is None or observation.text == text:
                text, count = observation.text, count + 1
            else:
                return count
    return count


def warning(state: State) -> str:
    """What the model is told after a step that repeated itself, or ""."""
    count, call = _worst(state)
    if count < WARN or call is None:
        return ""
    told = f"You asked for {call.name} with the same arguments {count} times, and the result is the same."
    if count < REFUSE:
        return f"{told} Change your plan."
    return f"{told} It will not be run again. Review the whole plan: take another way, or end with what you have."


def stalled(state: State) -> str:
    """Why the run ends as stalled, or ""."""
    count, call = _worst(state)
    return f"{call.name} was asked for {count} times with the same result" if call and count >= STOP else ""


def _worst(state: State) -> tuple[int, CommandCall | None]:
    """The most repeated call of the last step."""
    if not state.steps:
        return 0, None
    calls = [o.call for o in state.steps[-1].observations if o.call]
    counted = [(repetitions(state, call), call) for call in calls]
    return max(counted, key=lambda pair: pair[0], default=(0, None))
