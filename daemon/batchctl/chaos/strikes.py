"""What is killed, in which order, and what that did: one `Strike` each."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from daemon.batchctl.chaos.programs import send, server_of, workers_of
from daemon.batchctl.chaos.service import KeptService
from daemon.batchctl.chaos.site import HEARTBEAT_TIMEOUT_S, Site

Victim = Literal["worker", "daemon", "server", "everything"]
How = Literal["kill -9", "stop"]

PARTS: tuple[Victim, ...] = ("worker", "daemon", "server")
STOPPED_S = HEARTBEAT_TIMEOUT_S + 1.0
"""For so long a process stands still: its work has been given to another by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One kill, or one stop of `STOPPED_S` seconds.

    `at_s` counts from the moment the file was dropped. `recovered_s` is how long it took until everything ran again and
    one more row was on disk, from a kill or from the end of a stop; None where it has not come to that yet.
    """

    how: How
    victim: Victim
    at_s: float
    pids: tuple[int, ...]
    rows_on_disk: int
    recovered_s: float | None = None

    def recovered(self, after_s: float) -> Strike:
        """Return it as one that is over."""
        return replace(self, recovered_s=round(after_s, 2))


def order_of_strikes(chance: random.Random) -> Iterator[tuple[How, Victim]]:
    """Yield what to strike next, for ever: each part is killed and one of them stopped, then again in another order."""
    while True:
        of_a_round: list[tuple[How, Victim]] = [("kill -9", each) for each in PARTS]
        of_a_round.append(("stop", chance.choice(PARTS)))
        chance.shuffle(of_a_round)
        yield from of_a_round


def pids_to_strike(site: Site, service: KeptService, victim: Victim) -> tuple[int, ...]:
    """Return the processes of the victim; empty where there is none now."""
    parts: dict[Victim, Callable[[], list[int]]] = {
        "daemon": lambda: [] if service.program.ended() else [service.program.pid],
        "worker": lambda: workers_of(site),
        "server": lambda: server_of(site),
    }
    wanted: tuple[Victim, ...] = ("daemon", "worker", "server") if victim == "everything" else (victim,)
    found = [parts[each]() for each in wanted]
    return tuple(pid for each in found for pid in each) if all(found) else ()


def strike(pids: tuple[int, ...], how: How) -> None:
    """Kill or stop processes, all in the same moment."""
    for each in pids:
        send(each, signal.SIGKILL if how == "kill -9" else signal.SIGSTOP)


def let_go_on(pids: tuple[int, ...]) -> None:
    """Let stopped processes go on."""
    for each in pids:
        send(each, signal.SIGCONT)
