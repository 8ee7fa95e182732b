"""Bring files into the workspace: from the web, and out of archives. Nothing that is there is ever replaced."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from autoagent import policy
from autoagent.env import ABSENT, Env, Files, WebAddress, WorkspacePath
from autoagent.errors import CommandError, SandboxError
from autoagent.registry import command
from autoagent.sandbox.archive import Member, members
from autoagent.sandbox.workspace import printable

DOWNLOAD_BYTES = 100 * 2**20
ARCHIVE_BYTES = 100 * 2**20
NAMED = 20  # unpacked files that the model is told by name
TYPE_CHARS = 100  # of what a server says that it sends


@command("writes", outside=True)
def download_file(env: Env, url: WebAddress, path: WorkspacePath) -> str:
    """Download a file of the web, at most 100 MB, under a name that is free. To read a page use browse."""
    if path.endswith("/") or env.files.is_folder(path):
        raise CommandError(f"{path!r} is a folder. Give the name that the file is to have too.")
    with env.files.new_file(env.files.real_name(path)) as file:
        came = env.web.download(url, file, DOWNLOAD_BYTES)
        size = file.tell()
    kind = printable(came.content_type[:TYPE_CHARS]) or "of no type that was told"
    return f"{path} written: {size:,} bytes, {kind}, from {came.url}"


@command("writes", outside=True, idempotent=True)
def extract_archive(env: Env, path: WorkspacePath, target: WorkspacePath) -> str:
    """Unpack a zip, tar, tar.gz, tar.bz2 or tar.xz into the folder `target`. All of it or nothing is unpacked."""
    content = env.files.read_bytes(path, limit=ARCHIVE_BYTES)
    plan = _plan(env.files, members(content, path), path, env.files.real_name(target))
    _unpack(env.files, members(content, path), plan)
    return _in_words(plan, path, target)


@dataclass(frozen=True)
class _Plan:
    """What is to be made: `new` files by their names in the archive, `folders` from the top down.

    `same` counts the files that are there already with the same content, as after a crash.
    """

    new: dict[str, "_New"]
    folders: tuple[str, ...]
    same: int


@dataclass(frozen=True)
class _New:
    path: str
    size: int
    fingerprint: str


def _plan(files: Files, found: Iterator[Member], given: str, folder: str) -> _Plan:
    """Read the whole archive once, before anything is written, so that nothing is where it may not be unpacked."""
    new, folders, same = dict[str, _New](), set[str](), 0
    for member in found:
        path = str(PurePosixPath(folder, member.path))
        above = [str(parent) for parent in PurePosixPath(path).parents][:-1]
        folders.update(above)
        if problem := _problem(files, path):
            raise SandboxError(f"{given!r} is not unpacked: {path!r} {problem}.", control="archive")
        if member.is_folder:
            folders.add(path)
            continue
        digest, size = hashlib.sha256(), 0
        for chunk in member.chunks:
            digest.update(chunk)
            size += len(chunk)
        there = files.fingerprint(path, follow=False)
        if there == ABSENT:
            new[member.path] = _New(path, size, digest.hexdigest())
        elif there == digest.hexdigest():
            same += 1
        else:
            raise CommandError(
                f"{given!r} is not unpacked: {path!r} exists. Choose another folder, or delete it first."
            )
    if not (new or folders or same):
        raise CommandError(f"{given!r} is empty: there is nothing to unpack.")
    return _Plan(new, tuple(sorted(folders, key=lambda path: path.count("/"))), same)


def _problem(files: Files, path: str) -> str:
    if policy.is_trusted_file(path):
        return "would be obeyed by other programs"
    if policy.is_secret(path):
        return "has the name of a file with secrets"
    return "" if files.real_name(path) == path else "would be written through a link"


def _unpack(files: Files, found: Iterator[Member], plan: _Plan) -> None:
    """Make everything, or take back what was made."""
    made: list[str] = []
    try:
        for folder in plan.folders:
            if files.make_folder(folder):
                made.append(folder)
        for member in found:
            if new := plan.new.get(member.path):
                with files.new_file(new.path) as file:
                    file.writelines(member.chunks)
    except BaseException:
        for new in plan.new.values():
            with suppress(CommandError):  # not made yet
                files.remove(new.path, expect=new.fingerprint)
        for folder in reversed(made):
            with suppress(CommandError):  # somebody else put something in
                files.remove_folder(folder)
        raise


def _in_words(plan: _Plan, path: str, target: str) -> str:
    size = sum(new.size for new in plan.new.values())
    files = "1 file" if len(plan.new) == 1 else f"{len(plan.new):,} files"
    same = [f"{plan.same:,} more are there already, the same"] if plan.same else []
    names = [f"{new.path}: {new.size:,} bytes" for new in list(plan.new.values())[:NAMED]]
    left_out = len(plan.new) - len(names)
    more = [f"[… {left_out:,} more …]"] if left_out > 0 else []
    return "\n".join([f"{path} unpacked into {target}: {files}, {size:,} bytes", *same, *names, *more])
