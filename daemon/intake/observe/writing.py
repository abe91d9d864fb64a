"""Whether a file is still being written: it has changed a moment ago, or somebody has it open for writing.

A file has stopped changing when its fingerprint was the same for a quiet time by our own monotonic clock. Times in the
file system are compared with each other only, never with now: `cp -p` sets them back, other hosts' clocks are off, and
a clock may jump.

A writer that pauses for longer than the settle time looks like one that has finished; its open descriptor tells them
apart, as far as `/proc` shows it to this user. Processes of other users are visible to root alone, and writers on other
hosts to nobody.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from activities.disk.fingerprint import Fingerprint
from daemon.intake.observe.entries import Entry

EMPTY_PATIENCE_S = 5.0
"""An empty file is often one whose first bytes are still on their way, so it gets at least this long."""

_PROC = "/proc"
_CAP_SYS_PTRACE = 1 << 19
"""With it a process may inspect every other one (capability.h of Linux)."""


@dataclass(slots=True)
class _Watched:
    fingerprint: Fingerprint
    quiet_since_s: float
    first_seen_s: float
    first_seen_at: str


class Settling:
    """What was seen of the files that are not yet taken."""

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._watched: dict[bytes, _Watched] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def remaining_s(self, entry: Entry, now_s: float, now_at: str = "") -> float:
        """Note how a file is now; return for how many seconds it must stay so, 0 where it has settled.

        `now_s` is the monotonic time; `now_at` the time of day, to be recorded and never compared.
        """
        watched = self._watched.get(entry.name)
        if watched is None or watched.fingerprint.inode != entry.fingerprint.inode:
            watched = _Watched(entry.fingerprint, now_s, now_s, now_at)
            self._watched[entry.name] = watched
        elif watched.fingerprint != entry.fingerprint:
            watched.fingerprint = entry.fingerprint
            watched.quiet_since_s = now_s
        wanted_s = quiet_time_s(entry.fingerprint.size_bytes, self._settle_s)
        return max(0.0, watched.quiet_since_s + wanted_s - now_s)

    def first_seen(self, name: bytes) -> tuple[float, str]:
        """Return when a file was first seen: by the monotonic clock, and as a time of day."""
        watched = self._watched[name]
        return watched.first_seen_s, watched.first_seen_at

    def keep_only(self, names: AbstractSet[bytes]) -> None:
        """Forget every file that is not among `names`."""
        for gone in self._watched.keys() - names:
            del self._watched[gone]

    def clear(self) -> None:
        """Forget everything."""
        self._watched.clear()


def quiet_time_s(size_bytes: int, settle_s: float) -> float:
    """Return for how many seconds a file must not change before it is taken."""
    return settle_s if size_bytes else max(settle_s, EMPTY_PATIENCE_S)


@dataclass(frozen=True, slots=True)
class Writer:
    """A process that can still write to a file."""

    pid: int
    command: str


def writers_of(files: Collection[Fingerprint]) -> dict[tuple[int, int], Writer]:
    """Return a writer for each of `files` that has one, by device and inode. Reads every open descriptor once."""
    wanted = {(each.device, each.inode) for each in files}
    found: dict[tuple[int, int], Writer] = {}
    if wanted:
        inodes = {inode for _, inode in wanted}
        for pid in _pids():
            for key in _written_by(pid, inodes) & wanted:
                found.setdefault(key, Writer(pid, _command(pid)))
    return found


def hidden_by(proc: Path = Path(_PROC)) -> str | None:
    """Return what hides the open files of other users' processes from this one; None where it sees them all."""
    try:
        status = (proc / "self/status").read_text().splitlines()
        mounts = [line.split() for line in (proc / "self/mountinfo").read_text().splitlines()]
    except OSError:
        return "there is no /proc here"
    capabilities = next((int(line.split()[1], 16) for line in status if line.startswith("CapEff:")), 0)
    if capabilities & _CAP_SYS_PTRACE:
        return None
    options = ",".join(mount[-1] for mount in mounts if mount[4] == _PROC).split(",")
    hidepid = next((each for each in options if each.startswith("hidepid=")), "hidepid=0")
    if hidepid not in {"hidepid=0", "hidepid=off"}:
        return f"/proc is mounted with {hidepid}"
    return "open files of other users can be seen by root alone"


def _pids() -> Iterator[int]:
    with contextlib.suppress(OSError), os.scandir(_PROC) as entries:
        for entry in entries:
            if entry.name.isdigit():
                yield int(entry.name)


def _written_by(pid: int, inodes: Collection[int]) -> set[tuple[int, int]]:
    found = set()
    folder = f"{_PROC}/{pid}/fd"
    with contextlib.suppress(OSError):
        for number in os.listdir(folder):  # noqa: PTH208 - thousands of them
            # One that has just been closed; the others still count.
            with contextlib.suppress(OSError):
                if os.readlink(f"{folder}/{number}").startswith("/") and _writes(pid, number, inodes):  # noqa: PTH115
                    status = os.stat(f"{folder}/{number}")  # noqa: PTH116 - the descriptor, not a path
                    found.add((status.st_dev, status.st_ino))
    return found


def _writes(pid: int, number: str, inodes: Collection[int]) -> bool:
    """True if a descriptor can write and may be one of ours. Kernels since 5.14 name its inode here."""
    with open(f"{_PROC}/{pid}/fdinfo/{number}", "rb") as file:  # noqa: PTH123 - thousands of them
        facts = dict(line.split(b":", 1) for line in file.read(4_096).splitlines() if b":" in line)
    can_write = int(facts.get(b"flags", b"0"), 8) & os.O_ACCMODE != os.O_RDONLY
    return can_write and (b"ino" not in facts or int(facts[b"ino"]) in inodes)


def _command(pid: int) -> str:
    with contextlib.suppress(OSError), open(f"{_PROC}/{pid}/comm", "rb") as file:  # noqa: PTH123 - as above
        return file.read(64).strip().decode("utf-8", "replace")
    return "?"
