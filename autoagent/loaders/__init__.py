"""The text of a file by its kind, one module a kind: what `read_file`, `browse` and the offline planner read."""

from autoagent.loaders.document import Document as Document

WITHIN_S = 60.0


def load(name: str, content: bytes, *, content_type: str = "", within_s: float = WITHIN_S) -> Document:
    """Raises CommandError for a file that holds no text, is encrypted, damaged or made to do harm.

    Documents and pages are read in a child process that has `within_s` seconds, once a content: reading the same
    again costs nothing.
    """
    from autoagent.loaders.opening import open_document  # the child imports this package and needs none of it

    return open_document(name, content, content_type, within_s)
