"""A run played again from its record: the same loop, with a model, commands and people that answer from the journal."""

from autoagent.replay.difference import Difference
from autoagent.replay.playing import Replayed, replay
from autoagent.replay.recording import open_recording

__all__ = ["Difference", "Replayed", "open_recording", "replay"]
