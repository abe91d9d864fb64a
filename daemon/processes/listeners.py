"""Which process listens on a port of this host, as far as `/proc` shows it to this user."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

LOOPBACK = "127.0.0.1"
CONNECT_S = 1.0
LISTEN = "0A"
"""The state of a socket in /proc/net/tcp (include/net/tcp_states.h of Linux)."""
LOCAL, STATE, INODE = 1, 3, 9


@dataclass(frozen=True, slots=True)
class Listener:
    """A process that listens, with its command line."""

    pid: int
    command: tuple[str, ...]


def is_taken(port: int) -> bool:
    """Return whether something accepts connections on `port` of the loopback interface."""
    with socket.socket() as probe:
        probe.settimeout(CONNECT_S)
        return probe.connect_ex((LOOPBACK, port)) == 0


def listener_on(port: int) -> Listener | None:
    """Return who listens on `port`; None where nobody does, or only a process that this user may not look into.

    A server of another user is found by the `--port` of its command line, which everybody may read.
    """
    sockets = _sockets(port)
    for pid in _pids():
        if sockets & _open_sockets(pid):
            return Listener(pid, command_of(pid))
    found = (Listener(pid, command_of(pid)) for pid in _pids() if sockets)
    return next((each for each in found if ("--port", str(port)) in pairwise(each.command)), None)


def listens(pid: int, port: int) -> bool:
    """Return whether the process `pid`, of this user, is the one that listens on `port`, as far as can be known."""
    sockets = _sockets(port)
    return not sockets or bool(sockets & _open_sockets(pid))


def command_of(pid: int) -> tuple[str, ...]:
    """Return the command line of a process; empty where it is gone."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(os.fsdecode(each) for each in line.split(b"\0")[:-1])


def _sockets(port: int) -> set[str]:
    """Return the names, such as `socket:[123]`, of the sockets that listen on `port` of any address."""
    found = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/self/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[STATE] == LISTEN and int(fields[LOCAL].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{fields[INODE]}]")
    return found


def _open_sockets(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for each in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found.add(os.readlink(each.path))  # noqa: PTH115 - `socket:[123]` is no path
    return found


def _pids() -> Iterator[int]:
    return (int(each) for each in os.listdir("/proc") if each.isdigit())  # noqa: PTH208 - names are all it takes
