"""The sign of life of the daemon that works an inbox: a small file in the state folder, touched every two seconds.

Each feed that a configuration file names has one of its own. The lock on the inbox shows that a daemon exists; only
this shows that it moves. What the file holds is also what is remembered of the inbox over a restart: one that was there
before is missed, and never made anew in its place.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from activities.disk.atomic_files import replace_whole
from activities.workspace import PROCESSING
from daemon.config.feed_settings import feed_of
from daemon.config.settings import Settings
from daemon.intake.leader import is_watched

BEAT_S = 2.0
SILENT_S = 10.0
SILENT_ELSEWHERE_S = 60.0
"""For a daemon on another host, whose clock may be another."""

MAX_FILE_BYTES = 65_536

Attendance = Literal["watched", "silent", "unwatched", "unknown"]
"""`silent`: a daemon holds the inbox, and does not move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What the file holds. `mounted`: a file system is mounted at the inbox itself."""

    pid: int
    host: str
    inbox: str
    mounted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Whether a daemon works the inbox: how it is, and what to do where that is not well."""

    attendance: Attendance
    why: str
    todo: str = ""

    @property
    def trouble(self) -> str:
        """What is wrong and what to do, in one line; empty where nothing is known to be wrong."""
        return f"{self.why}; {self.todo}" if self.attendance in {"silent", "unwatched"} else ""


class SignOfLife:
    """The file, written by the daemon that leads. Blocking."""

    def __init__(self, settings: Settings) -> None:
        self._inbox = settings.inbox.absolute()
        self._path = _path(settings)
        self._written = False

    def begin(self) -> None:
        """Write down who works which inbox.

        Raises:
            OSError: the state folder cannot be written.
        """
        sign = Sign(
            pid=os.getpid(),
            host=socket.gethostname(),
            inbox=str(self._inbox),
            mounted=os.path.ismount(self._inbox),
        )
        replace_whole(self._path, json.dumps(asdict(sign)).encode() + b"\n", synced=False)
        self._written = True

    def beat(self) -> None:
        """Give a sign of life, once `begin` has been called. Costs no room on the disk.

        Raises:
            OSError: the state folder cannot be written.
        """
        if self._written:
            try:
                os.utime(self._path)
            except FileNotFoundError:
                self.begin()


def check_inbox(settings: Settings) -> None:
    """Return where the folder at the path of the inbox may be taken for it.

    Raises:
        OSError: a file system was mounted there when it was last worked, and only its mount point is there now.
    """
    sign = _read(settings)
    if sign is None or not sign.mounted or os.path.ismount(settings.inbox):
        return
    if not (settings.inbox / PROCESSING).exists():
        why = f"the file system that was mounted there is not (mkdir {PROCESSING} in it to do without)"
        raise OSError(errno.ENODEV, why, str(settings.inbox))


def was_worked(settings: Settings) -> bool:
    """Return whether a daemon with this state folder has worked this inbox before."""
    return _read(settings) is not None


def daemon_here(settings: Settings) -> int | None:
    """Return the process of this host that works the inbox, as far as its sign of life says; None where none does."""
    sign = _read(settings)
    return (
        sign.pid if sign and sign.host == socket.gethostname() and watch_of(settings).attendance == "watched" else None
    )


def watch_of(settings: Settings) -> Watch:
    """Return whether a daemon works the inbox and moves. Blocking."""
    inbox = settings.inbox.absolute()
    held, sign = is_watched(inbox), _read(settings)
    silent_s = _silent_s(settings)
    here = sign is not None and sign.host == socket.gethostname()
    moves = sign is not None and silent_s < (SILENT_S if here else SILENT_ELSEWHERE_S)
    if not inbox.is_dir():
        why = f"there is no {inbox} here, so who watches it cannot be seen"
        return Watch(attendance="unknown", why=why, todo="look at it where the inbox is")
    if held is False and (here or not moves):
        return Watch(attendance="unwatched", why=f"no batchd watches {inbox}", todo="start batchd run")
    if sign is None or moves:
        if held is None and sign is None:
            why = f"whether a batchd watches {inbox} cannot be seen from here"
            return Watch(attendance="unknown", why=why, todo="run this as the user of the daemon")
        return Watch(attendance="watched", why=f"a batchd watches {inbox}")
    why = (
        f"the batchd that watches {inbox} (process {sign.pid} on {sign.host}) has given no sign of life for "
        f"{silent_s:.0f} s"
    )
    return Watch(attendance="silent", why=why, todo="see what holds it up, or end it and start batchd run")


def _read(settings: Settings) -> Sign | None:
    """Return the last sign that was given for this inbox."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        with _path(settings).open("rb") as file:
            found = json.loads(file.read(MAX_FILE_BYTES))
        sign = Sign(
            pid=int(found["pid"]), host=str(found["host"]), inbox=str(found["inbox"]), mounted=bool(found["mounted"])
        )
        if sign.inbox == str(settings.inbox.absolute()):
            return sign
    return None


def _path(settings: Settings) -> Path:
    feed = feed_of(settings)
    return settings.state_dir.absolute() / (f"daemon-{feed}.json" if feed else "daemon.json")


def _silent_s(settings: Settings) -> float:
    with contextlib.suppress(OSError):
        return abs(time.time() - _path(settings).stat().st_mtime)
    return float("inf")
