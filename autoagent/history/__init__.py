"""What commands change in a workspace: kept before they act, seen afterwards, put back on a person's word."""

from autoagent.history.neighbours import Presence
from autoagent.history.uncovered import Uncovered, not_covered
from autoagent.history.workspace_history import Failure, WorkspaceHistory

__all__ = ["Failure", "Presence", "Uncovered", "WorkspaceHistory", "not_covered"]
