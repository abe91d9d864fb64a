"""Whether the Temporal server answers right now, asked every second for `/readyz`."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError

EVERY_S = 1.0
PATIENCE = timedelta(seconds=5)


class ServerProbe:
    """Asks a server for its version, which every server answers whatever the caller may do."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.answers = True
        self._answered_at_s = time.monotonic()

    @property
    def silent_s(self) -> float:
        """Seconds since the last answer."""
        return time.monotonic() - self._answered_at_s

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                await self._client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=PATIENCE)
                self.answers = True
                self._answered_at_s = time.monotonic()
            except RPCError:
                self.answers = False
            await asyncio.sleep(EVERY_S)
