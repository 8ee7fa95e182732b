"""The ZIP archive around a document: refused before it is unpacked where it would burst."""

import io
import zipfile

from autoagent.errors import CommandError

UNPACKED = 1 << 30  # bytes
PARTS = 20_000


def check_unpacked_size(content: bytes, name: str, *, limit: int = UNPACKED) -> None:
    """Sizes as the archive declares them; Python's zipfile gives no more than that, whatever is inside."""
    parts = zipfile.ZipFile(io.BytesIO(content)).infolist()
    size = sum(part.file_size for part in parts)
    if size > limit or len(parts) > PARTS:
        raise CommandError(
            f"{name} would unpack to {size:,} bytes in {len(parts):,} parts, which is more than a document needs: "
            "it is not opened."
        )
