"""A port of loopback that no other run is given, and that stays free while the server on it is dead.

It lies outside of the ports that Linux gives to outgoing connections. Runs beside each other agree by a socket in the
abstract namespace (unix(7)): its name is taken by one process at a time, is no file, and goes with that process.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.processes.listeners import LOOPBACK
from workflows.errors import SettingsError

FIRST, LAST = 10_000, 60_000
GIVEN_AWAY = Path("/proc/sys/net/ipv4/ip_local_port_range")


@contextmanager
def own_port() -> Iterator[int]:
    """Yield a free port, which is this run's until the block ends.

    Raises:
        SettingsError: there is none.
    """
    for port in _candidates():
        with socket.socket(socket.AF_UNIX) as claim:
            try:
                claim.bind(f"\0batchctl-chaos-{port}")
                with socket.socket() as probe:
                    probe.bind((LOOPBACK, port))
            except OSError:
                continue
            yield port
            return
    raise SettingsError(f"there is no free port between {FIRST} and {LAST} on {LOOPBACK}")


def _candidates() -> list[int]:
    first, last = map(int, GIVEN_AWAY.read_text().split())
    every = range(FIRST, LAST)
    ports = [each for each in every if not first <= each <= last] or list(every)
    return random.sample(ports, len(ports))
