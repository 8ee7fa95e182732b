"""Memory that lasts: everything a run has read, and facts that are kept for later runs."""

from autoagent.recall.notes import Notes, notes_section, read_notes
from autoagent.recall.offered import Offered, offered
from autoagent.recall.run_memories import RunMemories
from autoagent.recall.store import Store

__all__ = ["Notes", "Offered", "RunMemories", "Store", "notes_section", "offered", "read_notes"]
