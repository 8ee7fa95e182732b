"""Build the image without a container engine or an image registry, and run it as `docker run` would.

    python scripts/container.py check               what this machine lacks for a build, if anything
    python scripts/container.py build FOLDER        the image's files in FOLDER/root, its settings in FOLDER/image.json
    python scripts/container.py run FOLDER --workspace . --state STATE --user 1000:1000 -- run "…"

Needs root and Debian's buildah, debootstrap and bubblewrap. The base is a small Debian with its own Python, in place of
the official image; packages come from the mirror and the index that apt and pip of this machine are set to. Images
and all lie in FOLDER: removing it is the way to clean up. What an engine adds to a run (seccomp, cgroups) is not there.

`run` is `docker run --rm -it --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --network host`
with the workspace and the state volume bound. SIGTERM to it goes to PID 1 inside, as `docker stop` does.
"""

import argparse
import ast
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parent.parent
TOOLS = ("buildah", "debootstrap", "bwrap", "setpriv")
PIP = [sys.executable, "-m", "pip"]
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"  # in every Debian
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check")
    building = commands.add_parser("build")
    building.add_argument("folder", type=Path)
    running = commands.add_parser("run")
    running.add_argument("folder", type=Path)
    running.add_argument("--workspace", type=Path, default=Path())
    running.add_argument(
        "--state", type=Path, required=True, help="the volume; made as an engine does where it is not there"
    )
    running.add_argument("--user", default="", metavar="UID:GID", help="default: the image's")
    running.add_argument("--env", action="append", default=[], metavar="NAME", help="passed on from here")
    running.add_argument("--pid-file", type=Path, help="where to write the pid that PID 1 has outside")
    ours, program = before_and_after(sys.argv[1:], "--")
    given = parser.parse_args(ours)
    if os.geteuid() != 0:
        sys.exit("It needs root.")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        sys.exit(f"Not installed: {', '.join(missing)}.")
    match given.command:
        case "check":
            check_rights()
            check_network()
        case "build":
            try:
                build(given.folder)
            except subprocess.CalledProcessError as error:
                sys.exit(f"Not built: {error.cmd[0]} ended with {error.returncode}; what it said stands above.")
        case _ if not (given.folder / "image.json").exists():
            sys.exit(f"{given.folder} holds no image. First: container.py build {given.folder}")
        case _:
            sys.exit(run(given, program))


def check_rights() -> None:
    """Root of a container is often none that may do what a build does."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            os.mknod(Path(folder) / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
            Path(folder, "null").write_bytes(b"x")
        except OSError as error:
            sys.exit(f"No device can be made in {folder}: {error.strerror}.")
    probe = ["bwrap", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    probed = subprocess.run(probe, capture_output=True, text=True)
    if probed.returncode:
        sys.exit(f"No namespace can be made: {probed.stderr.strip()}")


def check_network() -> None:
    release = debian_release()
    address = f"{mirror(release)}/dists/{release}/Release"
    try:
        urllib.request.urlopen(address, timeout=30).close()
    except OSError as error:
        sys.exit(f"{address} can't be read: {error}.")
    with tempfile.TemporaryDirectory() as folder:
        fetch = ["download", "--quiet", "--no-deps", "--require-hashes", "--retries", "1", "--dest", folder]
        lock = ["--requirement", str(SOURCE / "requirements-build.txt")]
        fetched = subprocess.run([*PIP, *fetch, *lock], capture_output=True, text=True)
    if fetched.returncode:
        sys.exit(f"pip can't fetch packages: {' '.join(fetched.stderr.split())[-300:]}")


def build(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "store"
    buildah = ["buildah", "--root", str(store / "images"), "--runroot", str(store / "run"), "--storage-driver", "vfs"]
    try:
        make_base(buildah, "localhost/base")
        make_image(buildah, store / "pip.conf", "localhost/base", "localhost/autoagent")
        image = json.loads(output(*buildah, "inspect", "--type", "image", "localhost/autoagent"))
        (folder / "image.json").write_text(json.dumps(image["OCIv1"]["config"], indent=1) + "\n")
        container = output(*buildah, "from", "localhost/autoagent")
        Path(output(*buildah, "mount", container)).rename(folder / "root")  # a plain folder with this driver
    finally:
        shutil.rmtree(store)


def make_base(buildah: Sequence[str], name: str) -> None:
    """An image of this machine's mirror: Debian of the release that the Dockerfile's base has, and its Python."""
    release = debian_release()
    container = output(*buildah, "from", "scratch")
    root = Path(output(*buildah, "mount", container))
    packages = "python3,python3-venv,ca-certificates"
    call("debootstrap", "--variant=minbase", f"--include={packages}", release, str(root), mirror(release))
    for path in (*root.glob("var/cache/apt/archives/*.deb"), *root.glob("var/lib/apt/lists/*_*")):
        path.unlink()
    fetching = [line for line in output("apt-config", "dump").splitlines() if line.startswith("Acquire::")]
    (root / "etc/apt/apt.conf.d/00machine").write_text("\n".join(fetching) + "\n")
    call(*buildah, "umount", container)
    call(*buildah, "commit", "--quiet", "--rm", container, name)


def make_image(buildah: Sequence[str], pip_conf: Path, base: str, name: str) -> None:
    settings = pip_settings().values()
    pip_conf.write_text("\n".join(["[global]", f"cert = {CERTIFICATES}", *settings]) + "\n")
    call(
        *buildah,
        *("build", "--isolation", "chroot", "--pull-never", "--layers=false"),
        *("--build-arg", f"BASE={base}", "--build-arg", f"VERSION={version()}"),
        *("--secret", f"id=pip.conf,src={pip_conf}", "--volume", f"{certificates()}:{CERTIFICATES}:ro"),
        *("--tag", name, str(SOURCE)),
    )


def run(given: argparse.Namespace, arguments: Sequence[str]) -> int:
    """The exit code of PID 1: a read-only root, no capability, no new privileges, its own processes."""
    root: Path = given.folder / "root"
    image: dict[str, Any] = json.loads((given.folder / "image.json").read_text())
    user, _, group = (given.user or image["User"]).partition(":")
    if not given.state.exists():  # an engine gives a new volume the owner and the mode of what it covers
        covered = (root / "state").stat()
        given.state.mkdir()
        os.chown(given.state, covered.st_uid, covered.st_gid)
        given.state.chmod(covered.st_mode & 0o7777)
    environ = dict(variable.split("=", 1) for variable in image["Env"])
    environ |= {name: os.environ[name] for name in (*given.env, "TERM") if name in os.environ}
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the program inside
    group = group or "0"
    (info, told), (waits, go) = os.pipe(), os.pipe()
    bwrap = ["bwrap", "--die-with-parent", "--unshare-pid", "--as-pid-1", "--unshare-ipc", "--unshare-uts"]
    bwrap += ["--info-fd", str(told), "--block-fd", str(waits), "--clearenv", "--chdir", image["WorkingDir"]]
    bwrap += [
        "--ro-bind",
        str(root),
        "/",
        "--bind",
        str(given.workspace),
        "/workspace",
        "--bind",
        str(given.state),
        "/state",
    ]
    bwrap += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]
    for name, value in environ.items():
        bwrap += ["--setenv", name, value]
    drop = ["setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--pdeathsig", "KILL"]
    drop += ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "env", "--default-signal=INT"]
    process = subprocess.Popen([*bwrap, "--", *drop, *image["Entrypoint"], *arguments], pass_fds=[told, waits])
    os.close(told)
    said = b""
    while not said.endswith(b"}\n") and (more := os.read(info, 1000)):
        said += more
    pid: int = json.loads(said or b"{}").get("child-pid", 0)  # none where bwrap itself failed, and said so

    def pass_on(number: int, _: object) -> None:
        if pid:
            os.kill(pid, number)

    signal.signal(signal.SIGTERM, pass_on)
    if given.pid_file:
        given.pid_file.write_text(f"{pid}\n")
    os.write(go, b"!")  # only now does it begin, so that no signal is too early
    return process.wait()


def before_and_after(words: list[str], mark: str) -> tuple[list[str], list[str]]:
    at = words.index(mark) if mark in words else len(words)
    return words[:at], words[at + 1 :]


def debian_release() -> str:
    """The word at the end of the default base's tag."""
    found = re.search(r"^ARG BASE=\S+-([a-z]+)$", (SOURCE / "Dockerfile").read_text(), re.MULTILINE)
    assert found, "the Dockerfile names no base that ends in a release of Debian"
    return found[1]


def mirror(release: str) -> str:
    """The address from which apt of this machine gets `release`."""
    apt = Path("/etc/apt")
    files = [
        apt / "sources.list",
        *sorted(apt.glob("sources.list.d/*.list")),
        *sorted(apt.glob("sources.list.d/*.sources")),
    ]
    for path in filter(Path.exists, files):
        lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
        for source in lines if path.suffix == ".list" else "\n".join(lines).split("\n\n"):
            address = re.search(r"(?:https?|file)://?\S+", source)
            if address and release in source.split():
                return address[0]
    sys.exit(f"No source of apt has {release}.")


def pip_settings() -> dict[str, str]:
    """Lines of a pip.conf: where pip of this machine finds packages, without folders that the build can't see."""
    lines: dict[str, str] = {}
    for line in output(*PIP, "config", "list").splitlines():
        name, _, value = line.partition("=")
        name = name.rpartition(".")[2]
        reachable = [word for word in str(ast.literal_eval(value)).split() if not word.startswith("file:")]
        if name in PIP_SETTINGS and reachable:
            lines[name] = f"{name} = {' '.join(reachable)}"
    return lines


def certificates() -> str:
    """The bundle that this machine trusts: a proxy's own certificate may be in it."""
    return os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or CERTIFICATES


def version() -> str:
    found = re.search(r'__version__ = "(.+)"', (SOURCE / "autoagent/__init__.py").read_text())
    return found[1] if found else ""


def call(*argv: str) -> None:
    """Run it; its own words go to standard error."""
    subprocess.run(argv, check=True, stdout=sys.stderr)


def output(*argv: str) -> str:
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    main()
