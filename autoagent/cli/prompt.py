"""What the model saw: the request of a step to the byte, and its tokens by section."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from autoagent import build
from autoagent.cli.page import Page, print_bytes, print_json, table
from autoagent.cli.step import Moment
from autoagent.errors import ConfigError
from autoagent.events import ModelCalled, ModelReplied
from autoagent.journal import artifact
from autoagent.memory import FRAMING_TOKENS, Context, build_context
from autoagent.models import Model
from autoagent.settings import Settings
from autoagent.terminal.inert import inert
from autoagent.terminal.layout import line
from autoagent.terminal.words import counted, joined


def print_prompt(folder: Path, chosen: Sequence[Moment], *, as_json: bool) -> None:
    called, context, model = _prompt_of(folder, [m for m in chosen if m.step == chosen[-1].step])
    step = chosen[-1].step
    replied = next(
        (m.event for m in reversed(chosen) if isinstance(m.event, ModelReplied) and m.event.purpose == "step"), None
    )
    counted_in = replied.usage.input_tokens if replied and not replied.usage_estimated else None
    if as_json:
        facts = {"run": chosen[-1].after.run_id, "step": step, "model": called.model, "sections": context.sections}
        print_json({**facts, "tokens": context.estimated, "input_tokens": counted_in, "messages": context.messages})
        return
    page = Page()
    page.print(line(joined(f"Run {chosen[-1].after.run_id}", f"step {step}", called.model, "what the model saw")), "")
    rows = [(name, f"{tokens:,}") for name, tokens in context.sections.items()]
    rows.append(("together", f"{context.estimated:,}"))
    if counted_in is not None:
        rows.append(("as the endpoint counted", f"{counted_in:,}"))
    page.print(*(f"  {text}" for text in table([("SECTION", "TOKENS"), *rows], page.columns, right=(1,), flexible=0)))
    for i, message in enumerate(context.messages, 1):
        content = message["content"]
        page.print(
            "",
            line(
                f"--- {i} of {len(context.messages)} · {message['role']} · {counted(model.count(content), 'token')} ---"
            ),
        )
        content = inert(content) if sys.stdout.isatty() else content
        print_bytes(content.encode("utf-8", "surrogatepass") + b"\n")


def _prompt_of(folder: Path, chosen: Sequence[Moment]) -> tuple[ModelCalled, Context, Model]:
    """The last request of a step: its intent, its context made again, and the model that counts. Raises ConfigError."""
    asked = [(moment, moment.event) for moment in chosen if isinstance(moment.event, ModelCalled)]
    sent = [(moment, event) for moment, event in asked if event.purpose == "step"]
    if not sent or sent[-1][0].before.setup is None:
        raise ConfigError(f"step {chosen[-1].step} asked no model")
    moment, called = sent[-1]
    state, setup = moment.before, moment.before.setup
    assert setup
    model = build.make_model(called.model, setup, Settings({}, {}, ""), lambda _: None)
    system = artifact(folder, state.system)
    schema = json.dumps(build.make_registry(setup, lambda _: None).reply_schema())
    context = build_context(
        state,
        system,
        called.tail,
        fixed_tokens=model.count(system + schema) + FRAMING_TOKENS,
        tail_tokens=model.count(called.tail) + FRAMING_TOKENS,
    )
    return called, context, model
