"""What one process has counted, on its way to the one that serves the metrics of the service."""

from __future__ import annotations

import asyncio
import contextlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from activities.api.session import Session
from activities.tally import Tally, Times

EVERY_S = 1.0

LATENCY_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_BOUNDS_MS = [each * 1_000 for each in LATENCY_BOUNDS_S]

UNNAMED = "default"
"""What a feed or an API is called that no file names."""

Table = dict[str, dict[str, int]]
"""Numbers by two names, such as a feed and an outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiNow:
    """How an API is to one process: its calls in flight, how many there may be, and whether it is taken to be down."""

    in_flight: int
    limit: int
    outage: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkNumber:
    """What changed of one series of Temporal's SDK: a sum to add, a gauge as it is now, or times to add."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    about: str
    labels: dict[str, str]
    value: float = 0.0
    times: Times | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A message: what a process has counted since the last one, and how its APIs are now.

    `rows` by feed and outcome, `ends` of batches by feed and state, `calls` by API and status, `retries` by API.
    `latency` is that of the calls that were answered. Times are None where there were none.
    """

    rows: Table = field(default_factory=dict)
    ends: Table = field(default_factory=dict)
    calls: Table = field(default_factory=dict)
    retries: dict[str, int] = field(default_factory=dict)
    latency: Times | None = None
    start_delay: Times | None = None
    apis: dict[str, ApiNow] = field(default_factory=dict)
    sdk: list[SdkNumber] = field(default_factory=list)


class Measuring:
    """Takes away what a process counts. `sessions` gives those of its APIs by name, `sdk` the numbers of the SDK."""

    def __init__(
        self,
        tally: Tally,
        sessions: Callable[[], list[tuple[str, Session]]] = list,
        sdk: Callable[[], list[SdkNumber]] = list,
    ) -> None:
        self._tally = tally
        self._sessions = sessions
        self._sdk = sdk

    def take(self) -> Measured:
        """Return what was counted since the last time, and how the APIs are now."""
        counted = self._tally.take()
        calls: defaultdict[str, dict[str, int]] = defaultdict(dict)
        retries = Counter[str]()
        latency = Times.none_of(LATENCY_BOUNDS_S)
        sessions = [(name or UNNAMED, session) for name, session in self._sessions()]
        for name, session in sessions:
            ended, again = session.tally.take()
            retries[name] += again
            for status, latencies_ms in ended.items():
                calls[name][status] = calls[name].get(status, 0) + len(latencies_ms)
                if status.isdigit():
                    latency.add(_times(latencies_ms))
        return Measured(
            rows=_table(counted.rows),
            ends=_table(counted.ends),
            calls=dict(calls),
            retries={name: again for name, again in retries.items() if again},
            latency=_unless_none(latency),
            start_delay=_unless_none(counted.start_delays),
            apis={name: _now(session) for name, session in sessions},
            sdk=self._sdk(),
        )


@contextlib.asynccontextmanager
async def measurements(measuring: Measuring, send: Callable[[Measured], None]) -> AsyncIterator[None]:
    """Send what is measured once a second while the block lasts, and at its end. Nothing new is nothing sent."""
    last = Measured()

    def send_news() -> None:
        nonlocal last
        taken = measuring.take()
        if taken != last:
            send(taken)
        last = Measured(apis=taken.apis)

    async def repeat() -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            send_news()

    repeating = asyncio.create_task(repeat())
    try:
        yield
    finally:
        repeating.cancel()
        await asyncio.gather(repeating, return_exceptions=True)
        send_news()


def _now(session: Session) -> ApiNow:
    scheduler = session.scheduler
    return ApiNow(in_flight=scheduler.in_flight, limit=scheduler.limit.value, outage=session.circuit.is_open)


def _times(latencies_ms: list[float]) -> Times:
    fallen = Counter(map(partial(bisect_left, _BOUNDS_MS), latencies_ms))
    return Times([fallen[bucket] for bucket in range(len(_BOUNDS_MS) + 1)], sum(latencies_ms) / 1_000)


def _unless_none(times: Times) -> Times | None:
    return times if any(times.buckets) else None


def _table(numbers: Mapping[tuple[str, str], int]) -> Table:
    table: Table = {}
    for (name, kind), number in numbers.items():
        table.setdefault(name or UNNAMED, {})[kind] = number
    return table
