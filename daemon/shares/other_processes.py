"""In a worker: the other workers of its service, with which it shares what each API allows and what is known of it."""

from __future__ import annotations

from daemon.processes.messages import Channel
from daemon.shares.worker_limits import WorkerLimits, WorkerShares
from daemon.shares.worker_outages import OtherWorkers, WorkerOutages


class OtherProcesses:
    """The workers of a service of `count`, as one of them sees them through its parent. Use it in one event loop."""

    def __init__(self, channel: Channel, count: int) -> None:
        self.count = count
        self._limits = WorkerLimits(channel)
        self._outages = WorkerOutages(channel)

    def shares(self, api: str) -> WorkerShares:
        """Return the part of this process in the limits of an API."""
        return self._limits.shares(api)

    def others(self, api: str) -> OtherWorkers:
        """Return the others as callers of an API."""
        return self._outages.others(api)
