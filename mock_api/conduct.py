"""How the mock behaves on every face: faults on demand, failures by chance, latency, the knee."""

from __future__ import annotations

import asyncio
from random import Random

import orjson

from mock_api.asgi import Receive, Send, drip, drop, respond, until_gone
from mock_api.calls import Calls
from mock_api.faults import Fault, Faults
from mock_api.settings import MockSettings

FOR_EVER_S = 86_400.0
RUBBISH = b"<html><body>Bad gateway</body></html>"
TIMEOUT_ANSWER = b'{"error":"API timeout"}'


class Conduct:
    """What all faces share. `fault_for`, `fails` and `is_over_knee` are asked once for each call."""

    def __init__(self, settings: MockSettings, faults: Faults, calls: Calls, random: Random) -> None:
        self._settings = settings
        self._faults = faults
        self._random = random
        self.calls = calls

    def fault_for(self, path: str) -> Fault | None:
        """Return the fault on demand that this call gets."""
        return self._faults.drawn(path)

    def fails(self) -> bool:
        """Return whether this call, or this row of a bulk call, fails by chance."""
        return self._random.random() < self._settings.failure_rate

    def is_over_knee(self) -> bool:
        """Return whether this call is rejected since there are too many at once."""
        settings = self._settings
        return settings.knee > 0 and settings.knee_kind == "reject" and self.calls.in_flight > settings.knee

    async def take_time(self) -> None:
        """Wait for as long as a call takes."""
        settings = self._settings
        latency_ms = self._random.uniform(settings.latency_min_ms, settings.latency_max_ms)
        if settings.knee and self.calls.in_flight > settings.knee:
            latency_ms *= self.calls.in_flight / settings.knee
        if latency_ms:
            await asyncio.sleep(latency_ms / 1_000)


async def misbehave(fault: Fault, receive: Receive, send: Send) -> str:
    """Answer as `fault` says, and return what the answer counts as."""
    if fault.kind == "status":
        await asyncio.sleep(fault.delay_s or 0)
        extra = [] if fault.retry_after is None else [(b"retry-after", str(fault.retry_after).encode())]
        return await respond(send, fault.status, orjson.dumps({"error": "on demand"}), extra)
    if fault.kind == "rubbish":
        await asyncio.sleep(fault.delay_s or 0)
        return await respond(send, 200, RUBBISH)
    if fault.kind == "drip":
        await drip(send, TIMEOUT_ANSWER, fault.delay_s or 1.0)
        return "drip"
    if fault.kind == "hang":
        await until_gone(receive, FOR_EVER_S if fault.delay_s is None else fault.delay_s)
    drop(send)
    return fault.kind
