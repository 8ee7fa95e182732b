"""Move, copy and delete files of the workspace, and make folders."""

from autoagent.commands.differences import difference_of_contents
from autoagent.env import ABSENT, Change, Env, WorkspacePath
from autoagent.errors import CommandError, SandboxError
from autoagent.registry import command
from autoagent.sandbox.workspace import printable

COPIED_BYTES = 64 << 20


@command("writes")
def move_file(env: Env, source: WorkspacePath, target: WorkspacePath) -> Change:
    """Move or rename a file. `target` is a new name (folders above it are made), or a folder that is there."""
    moved = _fingerprint(env, source)
    if moved == ABSENT:
        raise CommandError(f"{source!r} does not exist.")
    target = _beneath(env, _into_folder(env, source, target))
    if env.files.fingerprint(target, follow=False) != ABSENT:
        raise CommandError(f"{target!r} exists. Choose another name, or delete it first.")
    summary = f"{printable(source)} moved to {target}."
    return Change(target, ABSENT, None, summary, f"{source} → {target}", _beneath(env, source), moved)


@command("writes")
def copy_file(env: Env, source: WorkspacePath, target: WorkspacePath) -> Change:
    """Copy a file. `target` is a name, whose file is replaced, or a folder that is there."""
    content = env.files.read_bytes(source, limit=COPIED_BYTES)
    target = env.files.real_name(_into_folder(env, source, target))
    before = env.files.fingerprint(target)
    old = b"" if before == ABSENT else env.files.read_bytes(target, limit=COPIED_BYTES)
    summary = f"{source} copied to {target}: {len(content):,} bytes."
    return Change(target, before, content, summary, difference_of_contents(target, old, content))


@command("writes")
def delete_file(env: Env, path: WorkspacePath) -> Change:
    """Delete a file, or a link and not what it leads to. A person can bring it back."""
    before = env.files.fingerprint(path, follow=False)
    if before == ABSENT:
        raise CommandError(f"{path!r} does not exist.")
    return Change(_beneath(env, path), before, None, f"{printable(path)} deleted.", _what_goes(env, path, before))


@command("writes", idempotent=True)
def make_folder(env: Env, path: WorkspacePath) -> str:
    """Make a folder, and those above it."""
    return f"{path} made." if env.files.make_folder(path) else f"{path} is there already."


def _fingerprint(env: Env, source: str) -> str:
    """Of a file or of a link itself."""
    try:
        return env.files.fingerprint(source, follow=False)
    except SandboxError:
        if env.files.is_folder(source):
            raise CommandError(f"{source!r} is a folder: move_file moves files. run_shell with mv moves it.") from None
        raise


def _into_folder(env: Env, source: str, target: str) -> str:
    """The target's name as it is to be, where a folder was given."""
    name = source.rstrip("/").rpartition("/")[2]
    folder = target.rstrip("/")
    if target.endswith("/") or env.files.is_folder(target):
        return f"{folder}/{name}" if folder else name
    return target


def _beneath(env: Env, path: str) -> str:
    """The name after links on the way, but the last part itself: it may be a link."""
    folder, _, name = path.rstrip("/").rpartition("/")
    real = env.files.real_name(folder or ".")
    return name if real == "." else f"{real}/{name}"


def _what_goes(env: Env, path: str, before: str) -> str:
    if before.startswith("link:"):
        return f"{path}: a link; what it leads to stays"
    try:
        return difference_of_contents(path, env.files.read_bytes(path, limit=COPIED_BYTES), b"")
    except CommandError:  # too large to be shown
        return f"{path}: gone"
