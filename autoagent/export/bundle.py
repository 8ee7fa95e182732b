"""A run as one zip that replays anywhere: its journal, the texts kept beside it, both pages; no undo copy."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime

from autoagent.events import Event
from autoagent.journal import seal

JOURNAL, ARTIFACTS = "journal.jsonl", "artifacts"


def as_zip(events: Sequence[Event], texts: Mapping[str, bytes], pages: Mapping[str, bytes]) -> bytes:
    """The same bytes for the same run: names in order, every time that of its last event. `texts` by their SHA-256."""
    at = datetime.fromisoformat(events[-1].at)
    moment = (max(1980, at.year), at.month, at.day, at.hour, at.minute, at.second)
    entries = [(name, pages[name]) for name in sorted(pages)]
    entries.append((JOURNAL, b"".join(map(seal, events))))
    entries += [(f"{ARTIFACTS}/{name}", texts[name]) for name in sorted(texts)]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            entry = zipfile.ZipInfo(name, moment)
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o600 << 16
            archive.writestr(entry, content)
    return made.getvalue()
