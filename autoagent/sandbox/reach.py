"""What programs may touch: one workspace, the system's own files to read, and the interpreters they need."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store")
_ETC = (
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "magic",
    "mime.types",
    "pki",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
)  # what programs need that is no secret of anybody; ssl/private is


@dataclass(frozen=True)
class Reach:
    """What programs may touch. All paths are absolute and real.

    `read_only` and `hidden` are files or folders in the workspace that exist: those that other programs obey, and
    secrets. `interpreters` are folders outside of it, to be read. With `network` they reach what the user reaches.
    """

    workspace: Path
    read_only: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    interpreters: tuple[Path, ...] = ()
    network: bool = False


def system_folders() -> tuple[Path, ...]:
    """Folders and files of the system that any program may read, by the names under which they are looked for."""
    etc = (f"/etc/{name}" for name in (*_ETC, *_java()))
    return tuple(Path(name) for name in (*_FOLDERS, *etc) if os.path.exists(name))  # noqa: PTH110 - some are links


def interpreter_folders(workspace: Path) -> tuple[Path, ...]:
    """Where the Python that runs us is installed, and those that virtual environments of the workspace lead to.

    A workspace's word is checked, since a program could have written it: only a folder with a standard library counts.
    """
    ours = {Path(prefix) for prefix in (sys.prefix, sys.base_prefix, sys.base_exec_prefix)}
    theirs = {
        prefix
        for name in (".venv", "venv")
        for prefix in _prefixes(workspace / name)
        if next(prefix.glob("lib*/python3*/os.py"), None)
    }
    found = sorted({path.resolve() for path in ours | theirs if path.is_dir()})
    return tuple(path for path in found if not _is_too_much(path, workspace))


def _prefixes(environment: Path) -> Iterator[Path]:
    """Of the Python that a virtual environment was made with: by its settings and by each link of its own Python."""
    try:
        lines = (environment / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()[:100]
    except OSError:
        return
    for key, _, value in (line.partition("=") for line in lines):
        if key.strip() == "home" and value.strip().startswith("/"):
            yield Path(value.strip()).parent
    python = environment / "bin" / "python"
    for _ in range(10):
        if not python.is_symlink():
            return
        python = python.parent / python.readlink()
        yield python.parent.parent


def _is_too_much(folder: Path, workspace: Path) -> bool:
    """Seen already, or it holds what nobody means by an interpreter."""
    seen = folder.is_relative_to(workspace) or any(folder.is_relative_to(path) for path in system_folders())
    return seen or any(path.is_relative_to(folder) for path in (Path.home().resolve(), workspace))


def _java() -> list[str]:
    """Debian keeps the settings of a Java outside of /usr, one folder a version."""
    return sorted(path.name for path in Path("/etc").glob("java*"))
