"""How a run ends for the program that called it: exit code, result, JSON."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from autoagent.criteria import Criterion, Verdict, check_words
from autoagent.errors import ConfigError
from autoagent.events import Event
from autoagent.journal import read, seal
from autoagent.masking import Mask
from autoagent.signals import CTRL_C
from autoagent.state import State

_CODES = {
    "reached": 0,
    "error": 1,
    "unreached": 3,
    "stalled": 3,
    "limit": 4,
    "waiting": 5,
    "paused": 5,
    "unavailable": 6,
}
CTRL_C_CODE = 130


def exit_code(state: State) -> int:
    """UX.md 12: 0 only where the goal was reached."""
    if state.status == "paused" and state.reason == CTRL_C:
        return CTRL_C_CODE
    return _CODES[state.status]


def print_event(event: Event, state: State) -> None:
    """One line of stream-json: the journal's own."""
    _write(seal(event))


def print_events(folder: Path) -> None:
    """What is in the journal already."""
    for event in read(folder):
        _write(seal(event))


def print_result(state: State, folder: Path, output_format: str, mask: Mask) -> None:
    """What standard output has: the result alone, or one JSON object."""
    if output_format == "json":
        _write(mask(json.dumps(summary(state, folder), ensure_ascii=False)).encode() + b"\n")
    elif output_format == "text" and state.status == "reached":
        result = mask(with_marks(state.result, state))
        result = _wrapped(result) if sys.stdout.isatty() else result
        _write(result.encode(errors="replace") + b"\n")


def _wrapped(text: str) -> str:
    """The text as it may stand on a terminal: inert, no row wider than that."""
    from autoagent.terminal.layout import foreign, rows

    columns = max(30, os.get_terminal_size(sys.stdout.fileno()).columns or 80)
    drawn = [row for of in foreign(text, indent=0) for row in rows(of, columns)]
    return "\n".join("".join(piece.text for piece in row) for row in drawn)


def with_marks(text: str, state: State) -> str:
    """A result with a mark behind each statement that stands in nothing the run read; as it is with --evidence off."""
    if state.evidence is None or not state.setup or state.setup.evidence == "off":
        return text
    from autoagent import evidence

    return evidence.marked(text, state.evidence, state.goal)


def summary(state: State, folder: Path) -> dict[str, Any]:
    """A run's end as JSON; `cost_usd` is null where the price is unknown."""
    usage = state.usage
    return {
        "run": state.run_id,
        "status": state.status,
        "exit_code": exit_code(state),
        "result": with_marks(state.result, state),
        "reason": state.reason,
        "files": list(state.files),
        **_proven(state),
        "steps": state.step,
        "cost_usd": None if usage.unpriced_calls else round(usage.cost_usd, 8),
        "input_tokens": usage.input_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "seconds": round(state.worked_s, 3),
        "workspace": state.setup.workspace if state.setup else "",
        "journal": str(folder / "journal.jsonl"),
    }


def _proven(state: State) -> dict[str, Any]:
    """What had to be true and what came of it; the claims looked up; where a run stands that is not at its end."""
    found, handover = state.evidence, state.handover
    verdicts = {verdict.criterion: verdict for verdict in state.verdicts}
    claims = [claim.model_dump(exclude={"start", "end"}) for claim in found.claims] if found else []
    return {
        "criteria": [_criterion(one, verdicts.get(number)) for number, one in enumerate(state.criteria, 1)],
        "evidence": found.in_words() if found else "",
        "claims": claims,
        "loose": [fact.model_dump() for fact in found.loose] if found else [],
        "not_looked_up": list(found.not_looked_up) if found else [],
        "claimed": with_marks(state.claimed, state),
        "handover": handover.model_dump(include={"done", "open", "next", "files", "by"}) if handover else None,
        "put_back": list(state.put_back),
    }


def _criterion(criterion: Criterion, verdict: Verdict | None) -> dict[str, str]:
    """`state` and `by`, who judged it, are "" for one that nobody looked at."""
    return {
        "text": criterion.text,
        "check": check_words(criterion),
        "state": verdict.state if verdict else "",
        "proof": verdict.proof if verdict else "",
        "source": verdict.source if verdict else "",
        "by": verdict.by if verdict else "",
    }


def write_result(state: State, output: Path | None, mask: Mask) -> None:
    if output and state.status == "reached":
        try:
            output.write_text(mask(with_marks(state.result, state)) + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"--output {output}: {error.strerror}. The result: autoagent show {state.run_id}"
            ) from None


def _write(content: bytes) -> None:
    """A reader who is gone neither stops a run nor changes how it ended. Raises OSError for any other loss."""
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error.__cause__ or error, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where the rest may go
