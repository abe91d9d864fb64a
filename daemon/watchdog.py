"""What systemd hears of a service while it runs: a sign for its watchdog, and a line for `systemctl status`.

The sign is withheld while something stands still that a new start can mend; systemd then ends the service and starts it
anew (`WatchdogSec=` of the unit). An event loop that stands still, or a stopped process, gives no sign by itself. An
outage of somebody else's Temporal or of an API is no reason: starting anew would mend nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence

from daemon.intake.inboxes import Inboxes
from daemon.notify import notify
from daemon.processes.child import Child
from daemon.processes.signs_of_life import SilentChildren
from daemon.reloader import Reloader
from daemon.status_line import inboxes_line, workers_line
from daemon.temporal.server_probe import ServerProbe

SHARE = 4
"""So many signs are given in the time that systemd waits for one."""
STATUS_EVERY_S = 2.0
SERVER_SILENT_S = 30.0
"""The embedded server answers within milliseconds, also while its disk is full."""

logger = logging.getLogger(__name__)


class Signs:
    """What a service has that can stand still; each part is set once it runs. Lives in one event loop."""

    def __init__(self) -> None:
        self.is_ready = False
        self.workers: Sequence[Child] = ()
        self.silent_children: SilentChildren | None = None
        self.inboxes: Inboxes | None = None
        self.probe: ServerProbe | None = None
        self.runs_server = False
        """Whether the Temporal server that the probe asks is a child of this service."""
        self.server_silent_s = SERVER_SILENT_S
        """How long that server may be silent: no less than its start may take, since it is started again by itself."""
        self.reloader: Reloader | None = None

    @property
    def server_answers(self) -> bool:
        """Whether the Temporal server answers, as far as is known."""
        return self.probe is None or self.probe.answers

    def standing_still(self) -> list[str]:
        """Return what only a new start can mend, in words. Before the service is ready, and while it stops: nothing."""
        if not self.is_ready:
            return []
        found = []
        if self.inboxes is not None and self.inboxes.stand_still:
            found.append("no scan of any inbox comes to an end")
        if self.runs_server and self.probe is not None and self.probe.silent_s > self.server_silent_s:
            found.append(f"the Temporal server of this service has not answered for {self.probe.silent_s:.0f} s")
        if self.silent_children is not None:
            found += [f"{name} does not become ready" for name in self.silent_children.away]
        return found

    def status(self) -> str:
        """Return how the service is, in one line."""
        parts = []
        if not self.server_answers:
            parts.append("Temporal does not answer")
        if self.inboxes is not None:
            parts.append(inboxes_line(self.inboxes.now()))
        if self.workers:
            parts.append(workers_line(sum(each.is_ready for each in self.workers), len(self.workers)))
        if self.reloader is not None and self.reloader.note:
            parts.append(self.reloader.note)
        return "; ".join(parts) or "ready"


@contextlib.asynccontextmanager
async def signs_for_systemd(signs: Signs) -> AsyncIterator[None]:
    """Give the watchdog of systemd its signs, and `systemctl status` its line, while the block lasts."""
    if not os.environ.get("NOTIFY_SOCKET"):
        yield
        return
    giving = asyncio.create_task(_give(signs, watchdog_s(os.environ)))
    try:
        yield
    finally:
        giving.cancel()
        await asyncio.gather(giving, return_exceptions=True)


def watchdog_s(environ: Mapping[str, str]) -> float:
    """Return how long systemd waits for a sign of this process, in seconds; 0: it does not (sd_watchdog_enabled(3))."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    with contextlib.suppress(ValueError):
        return max(0, int(environ.get("WATCHDOG_USEC", "0"))) / 1_000_000
    return 0.0


async def _give(signs: Signs, patience_s: float) -> None:
    pause_s = min(patience_s / SHARE, STATUS_EVERY_S) if patience_s else STATUS_EVERY_S
    said, withheld, is_heard = "", False, True
    while True:
        still = signs.standing_still()
        if still and patience_s and not withheld:
            fields = {"why": still, "patience_s": patience_s, "todo": "systemd starts the service anew"}
            logger.error("watchdog.withheld", extra={"fields": fields})
        withheld = bool(still)
        lines = ["WATCHDOG=1"] if patience_s and not still else []
        status = "; ".join(still) or signs.status()
        if signs.is_ready and status != said:
            lines.append(f"STATUS={status}")
            said = status
        if lines:
            is_heard = notify("\n".join(lines), level=logging.WARNING if is_heard else logging.DEBUG)
        await asyncio.sleep(pause_s)
