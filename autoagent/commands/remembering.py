"""Recall what was read or kept, and keep a fact for later runs."""

from autoagent.env import Env, Excerpt, Recalled
from autoagent.errors import CommandError
from autoagent.memory import clip
from autoagent.registry import command

HITS, MOST_HITS = 5, 20  # passages


@command("reads")
def recall(env: Env, query: str, limit: int | None = None) -> Excerpt:
    """Search all that this run has read, also what is no longer shown, and facts kept by earlier runs.

    Give the words that the passage may hold, also other words for the same. 5 passages unless told.
    """
    if not query.strip():
        raise CommandError("The query is empty. Give words that the passage may hold.")
    found = env.memories.recall(query, max(1, min(limit or HITS, MOST_HITS)))
    if not found:
        return Excerpt("Nothing that this run read, and no kept fact, holds these words. Try other words.", "")
    return _fitting(env, found)


@command("remembers", idempotent=True)
def remember(
    env: Env, text: str, tags: list[str] | None = None, source: str | None = None, everywhere: bool = False
) -> str:
    """Keep one fact for later runs in this workspace: a whole sentence with names and dates, and where it is from.

    `tags`: other words that a later question may use. `everywhere`: for runs in any workspace.
    """
    kept = env.memories.remember(text, tags or (), source or "", everywhere=everywhere)
    return f"Kept as {kept.id}{' for all workspaces' if everywhere else ''}."


def _fitting(env: Env, found: tuple[Recalled, ...]) -> Excerpt:
    """As many as there is room for. What is left out is kept nowhere: foreign words could come back as our own."""
    for shown in range(len(found), 0, -1):
        more = f"\n[{len(found) - shown} more: no room]" if shown < len(found) else ""
        text = "\n\n".join(map(_shown, found[:shown])) + more
        if env.count(text) <= env.share_tokens:
            return Excerpt(text, "", outside=any(one.outside for one in found[:shown]))
    text = clip(_shown(found[0]), env.share_tokens, env.count)
    return Excerpt(text, "", outside=found[0].outside)


def _shown(one: Recalled) -> str:
    """With a space in addresses: one that stands here is not known from a page, but may be of the model's making."""
    return f"{one.source} ({one.name}):\n{one.text}".replace("://", ":// ")
