"""A whole Debian with systemd, in a folder and booted by systemd-nspawn: for what only a real systemd can show.

It has a network of its own with nothing but loopback, and the Python packages of the lock in a folder.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from installation import eventually

SUITE = os.environ.get("SUITE", "trixie")
PACKAGES = ("systemd", "systemd-sysv", "dbus", "python3", "python3-venv", "ca-certificates")
BOOT_S = 90
COMMAND_S = 300
PIP = "[global]\nno-index = true\nfind-links = /wheels\n"


class Machine:
    """One Debian: made by `debootstrap`, then booted, powered off and cut from power as a test likes."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        self._console = folder / "console.log"
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def make(self) -> None:
        """Unpack a Debian; `TREE` names one that is unpacked already, and is copied."""
        tree = os.environ.get("TREE")
        if tree:
            _run("cp", "-a", f"{tree}/.", self.root)
        else:
            _run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, self.root, *_mirror())
        (self.root / "etc/hostname").write_text("batchd-test\n")
        (self.root / "etc/pip.conf").write_text(PIP)
        (self.root / "etc/machine-id").write_text("")
        for unit in ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "dpkg-db-backup.timer"):
            (self.root / "etc/systemd/system" / unit).symlink_to("/dev/null")

    @property
    def python(self) -> str:
        """The version of its Python, such as 3.13."""
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = _run("chroot", self.root, "python3", "-c", code)
        return done.stdout.strip()

    def boot(self) -> None:
        """Boot, and return once systemd has started everything."""
        command = ["systemd-nspawn", "--quiet", "--keep-unit", "--register=no", "--boot", "--private-network"]
        command += ["--link-journal=no", "--console=pipe", "--kill-signal=SIGRTMIN+4"]
        command += [f"--directory={self.root}", f"--bind-ro={self.wheels}:/wheels"]
        with self._console.open("ab") as console:
            self._nspawn = subprocess.Popen(
                command,
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        nspawn = self._nspawn
        self._leader = eventually(lambda: _child_of(nspawn.pid), "systemd runs", BOOT_S)
        eventually(
            lambda: self.sh("systemctl is-system-running", check=False).strip() in {"running", "degraded"},
            f"everything is started; the end of {self._console}",
            BOOT_S,
        )

    def power_off(self) -> None:
        """Shut down in order."""
        if self._nspawn is not None:
            self._nspawn.terminate()
            self._nspawn.wait(BOOT_S)
            self._nspawn = None

    def cut_power(self) -> None:
        """Kill everything at once."""
        if self._nspawn is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._leader, signal.SIGKILL)
            self._nspawn.wait(BOOT_S)
            self._nspawn = None

    def sh(self, script: str, *, user: str = "root", check: bool = True) -> str:
        """Return what a shell in the machine printed, its errors too; a failure fails the test with its words."""
        done = subprocess.run(
            self._inside(user, script), capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
        said = done.stdout + done.stderr
        assert not check or done.returncode == 0, f"{script}: exit code {done.returncode}\n{said}"
        return said

    def code(self, script: str, *, user: str = "root") -> int:
        """Return the exit code of a shell in the machine."""
        done = subprocess.run(self._inside(user, script), capture_output=True, timeout=COMMAND_S, check=False)
        return done.returncode

    def console(self) -> str:
        return self._console.read_text(errors="replace")[-4_000:] if self._console.exists() else ""

    def _inside(self, user: str, script: str) -> list[str]:
        enter = ["nsenter", f"--target={self._leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        clean = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
        shell = ["/bin/sh", "-c", script]
        return [*enter, *clean, *(shell if user == "root" else ["runuser", "-u", user, "--", *shell])]


def why_not() -> str:
    """Return why no machine can be booted here; empty where one can."""
    if os.geteuid() != 0:
        return "booting a Debian under systemd-nspawn needs root"
    missing = [each for each in ("debootstrap", "systemd-nspawn", "nsenter") if shutil.which(each) is None]
    if missing:
        return f"{' and '.join(missing)} missing; on Debian: apt-get install debootstrap systemd-container"
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False).returncode:  # noqa: S607
        return "this host lets root make no namespaces, so systemd-nspawn cannot boot"
    return ""


def _child_of(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    inits = [int(each) for each in children if Path(f"/proc/{each}/comm").read_text().strip() == "systemd"]
    return inits[0] if inits else 0


def _mirror() -> list[str]:
    """Return the mirror that the environment names; else debootstrap has one of its own."""
    return [os.environ["MIRROR"]] if os.environ.get("MIRROR") else []


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    words: Sequence[str] = [str(each) for each in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(words)}: {done.stdout[-2_000:]}{done.stderr[-2_000:]}"
    return done
