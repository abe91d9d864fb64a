"""In a worker: what the other workers find out about an API, its client hears, and they hear what that finds out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from activities.api.options import LONGEST_HELD_S
from activities.api.others import Circuit, Held, Others
from daemon.processes.messages import Channel
from daemon.shares.messages import ApiDown, ApiUp, Hold, Joins, Probe, ProbeGivenUp, WantsProbe

PATIENCE_S = 5.0
"""A parent that stands still keeps no page waiting for longer."""

NEWS_S = 0.1
"""A rest is said again only where it ends so much later than was said."""


class WorkerOutages:
    """Brings what the parent says to the API that it is about. Use it in one event loop."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._apis: dict[str, OtherWorkers] = {}
        channel.on(ApiDown, lambda said: self._tell(said.api, lambda api: api.told_down(said)))
        channel.on(ApiUp, lambda said: self._tell(said.api, lambda api: api.told_up()))
        channel.on(Hold, lambda said: self._tell(said.api, lambda api: api.told_to_hold(said)))
        channel.on(Probe, lambda said: self._tell(said.api, lambda api: api.told_of_probe(said)))

    def others(self, api: str) -> OtherWorkers:
        """Return the other workers as callers of an API."""
        self._apis[api] = OtherWorkers(self.channel, api)
        return self._apis[api]

    def _tell(self, name: str, tell: Callable[[OtherWorkers], None]) -> None:
        if api := self._apis.get(name):
            tell(api)


class OtherWorkers(Others):
    """The other workers of the service that call the same API."""

    def __init__(self, channel: Channel, api: str) -> None:
        self._channel = channel
        self._api = api
        self._circuit: Circuit | None = None
        self._held: Held | None = None
        self._held_until = 0.0
        self._probes: dict[int, asyncio.Future[bool]] = {}
        self._number = 0

    def join(self, circuit: Circuit, held: Held) -> None:
        """Hear from now on what others say, and what holds at the moment."""
        self._circuit, self._held = circuit, held
        self._channel.send(Joins(api=self._api))

    def down(self, detail: str, wait_s: float) -> None:
        """Say that the API is down, or still is, and is to be asked in `wait_s` seconds."""
        self._channel.send(ApiDown(api=self._api, detail=detail, wait_s=wait_s))

    def up(self) -> None:
        """Say that the API answers."""
        self._channel.send(ApiUp(api=self._api))

    def hold(self, seconds: float) -> None:
        """Say that the API asked for a rest."""
        seconds = min(seconds, LONGEST_HELD_S)  # a longer rest is an outage that was announced, and said as one
        until = time.monotonic() + seconds
        if until > self._held_until + NEWS_S:
            self._held_until = until
            self._channel.send(Hold(api=self._api, seconds=seconds))

    def release(self) -> None:
        """Say that the rest is over."""
        if self._held_until > time.monotonic():
            self._held_until = 0.0
            self._channel.send(Hold(api=self._api, seconds=0.0))

    async def may_probe(self) -> bool:
        """Take the right to make the one call that asks whether the API is back; `down` or `up` give it back."""
        self._number += 1
        answer = self._probes[self._number] = asyncio.get_running_loop().create_future()
        self._channel.send(WantsProbe(api=self._api, number=self._number))
        try:
            async with asyncio.timeout(PATIENCE_S):
                allowed: bool = await answer
                return allowed
        except TimeoutError:
            self.probe_given_up()
            return False
        finally:
            self._probes = {number: each for number, each in self._probes.items() if not each.done()}

    def probe_given_up(self) -> None:
        """Give the right to probe back, unused."""
        self._channel.send(ProbeGivenUp(api=self._api))

    def told_down(self, said: ApiDown) -> None:
        """Bring to the client that the API is down."""
        if self._circuit is not None:
            self._circuit.told_down(said.detail, said.wait_s)

    def told_up(self) -> None:
        """Bring to the client that the API answers."""
        if self._circuit is not None:
            self._circuit.told_up()

    def told_to_hold(self, said: Hold) -> None:
        """Bring to the client that the API asked for a rest, or that it is over."""
        if self._held is None:
            return
        self._held_until = max(self._held_until, time.monotonic() + said.seconds) if said.seconds else 0.0
        if said.seconds:
            self._held.told_to_hold(said.seconds)
        else:
            self._held.told_to_release()

    def told_of_probe(self, said: Probe) -> None:
        """Bring to who wanted to probe whether it may."""
        answer = self._probes.get(said.number)
        if answer is not None and not answer.done():
            answer.set_result(said.allowed)
