"""The first lines of a run and its messages. Imports nothing heavy: the first line must not wait."""

from typing import TYPE_CHECKING

from autoagent import __version__
from autoagent.terminal.layout import Piece, labelled, line
from autoagent.terminal.look import Look

if TYPE_CHECKING:
    from autoagent.budget import Limits, Usage
    from autoagent.events import Setup


def header(look: Look, *, run_id: str, workspace: str) -> None:
    """`autoagent 0.1.0 · run 7f3a · workspace ~/notes`; needs neither a model nor a journal."""
    where = "" if look.narrow else f" · workspace {workspace}"
    look.write(line(Piece(f"autoagent {__version__}", "bold"), f" · run {run_id}{where}"))


def model_line(look: Look, *parts: str) -> None:
    """`  Model   gpt-5-mini · api.openai.com · window 128k · catalog price`"""
    look.write(labelled("Model", " · ".join(part for part in parts if part), width=10))


def limits_line(look: Look, limits: "Limits", *, spent: "Usage | None" = None) -> None:
    """`  Limits  $2.00 · 50 steps · 30 min of work`; on resume also what is already spent."""
    from autoagent.budget import dollars
    from autoagent.terminal.words import duration, joined, thousands
    from autoagent.terminal.words import spent as money

    cost = "" if limits.cost_usd is None else dollars(limits.cost_usd)
    if spent is not None and limits.cost_usd is not None:
        cost = money(spent, limits)
    tokens = "" if limits.tokens is None else f"{thousands(limits.tokens)} tokens"
    steps = "" if limits.steps is None else f"{limits.steps} steps"
    work = "" if limits.time_s is None else f"{duration(limits.time_s)} of work"
    look.write(labelled("Limits", joined(cost, steps, tokens, work) or "none", width=10))


def sandbox_line(look: Look, setup: "Setup") -> None:
    """`  Sandbox bubblewrap · no network`; what a program can do beyond the workspace is a warning."""
    if setup.sandbox == "none":
        return warn_line(look, _unheld(setup))
    if setup.sandbox_network:
        look.write(labelled("Sandbox", f"{setup.sandbox} · with the network", width=10))
        return warn_line(look, "programs reach the network: what they read can be sent anywhere")
    look.write(labelled("Sandbox", f"{setup.sandbox} · no network", width=10))


def _unheld(setup: "Setup") -> str:
    if setup.approve != "never":
        return 'no sandbox: each program is asked "unsandboxed", and can do on this machine whatever you can'
    if setup.unsandboxed:
        return "no sandbox, as you wanted: programs can do on this machine whatever you can"
    return "no sandbox works here: programs are refused; autoagent doctor says why"


def undo_line(look: Look, words: str) -> None:
    """What undo does not cover; no line where it covers all."""
    if words:
        look.write(labelled("Undo", words.replace("not covered by undo", "not covered", 1), width=10))


def resume_line(look: Look, *, step: int, first_call: str) -> None:
    """`  Resume  after step 12 · first call about $0.05`"""
    cost = f" · first call about {first_call}" if first_call else ""
    look.write(labelled("Resume", f"after step {step}{cost}", width=10))


def error_line(look: Look, text: str) -> None:
    """`error: …`, wrapped under its first word."""
    first, *more = text.split("\n")
    look.write(line(Piece("error: ", "bad"), first, rest=7), *(line(part, first=7, rest=7) for part in more))


def warn_line(look: Look, text: str) -> None:
    """`! …`"""
    first, *more = text.split("\n")
    look.write(line(Piece("! ", "warn"), first), *(line(part, first=2) for part in more))


def hint_line(look: Look, label: str, command: str, *, width: int = 16) -> None:
    """`    check the setup  autoagent doctor`, under a warning."""
    look.write(line(Piece(f"{label.ljust(width)} ", "dim"), command, first=4, rest=6))


def no_model(look: Look, why: str) -> None:
    """UX 1: what goes on without a model, and the ways to connect one."""
    short = "Using the offline planner (it quotes, counts, compares; it is no language model)."
    long = (
        "Going on with the offline planner. It is not a language model: it finds, quotes, counts and compares, "
        "and stops when that is not enough."
    )
    warn_line(look, f"{why}. {short if look.narrow else long}")
    if look.narrow:
        look.write(line("export OPENAI_API_KEY=…  or  --base-url URL", first=4), line("autoagent doctor", first=4))
        return
    hint_line(look, "a hosted model", "export OPENAI_API_KEY=…")
    hint_line(look, "a local model", "autoagent run --base-url http://localhost:11434/v1 -m NAME")
    hint_line(look, "check the setup", "autoagent doctor")
