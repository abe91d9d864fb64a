"""In the parent: what its workers share of each API, its limits and what is known of it."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.processes.child import Child
from daemon.shares.service_limits import ServiceLimits
from daemon.shares.service_outages import ServiceOutages
from daemon.shares.service_rates import ServiceRates


class Shares:
    """What the processes of `workers` share."""

    def __init__(self, workers: Sequence[Child]) -> None:
        self._limits = ServiceLimits(workers)
        self._rates = ServiceRates(workers)
        self._outages = ServiceOutages(workers)

    async def keep(self) -> None:
        """Keep sharing, until cancelled."""
        await self._limits.take_turns()
