"""What all processes of a service have counted, added up: a process that ends, or is killed, takes nothing away."""

from __future__ import annotations

from collections import Counter

from activities.tally import START_DELAY_BOUNDS_S, Times
from daemon.metrics.measured import LATENCY_BOUNDS_S, ApiNow, Measured, Table
from daemon.metrics.sdk_totals import SdkTotals

Pairs = Counter[tuple[str, ...]]

MOST_STATUSES = 64
"""Statuses of one API that are counted apart; what comes beyond is counted as `other`."""
OTHER = "other"


class Totals:
    """Sums since this process was started, and how the APIs are to each process now. Lives in one event loop.

    `rows` and `ends` by feed, `calls` by API and status, `retries` by API. `known_apis` are all there ever were.
    """

    def __init__(self) -> None:
        self.rows = Pairs()
        self.ends = Pairs()
        self.calls = Pairs()
        self.retries = Counter[str]()
        self.latency = Times.none_of(LATENCY_BOUNDS_S)
        self.start_delay = Times.none_of(START_DELAY_BOUNDS_S)
        self.known_apis: set[str] = set()
        self.sdk = SdkTotals()
        self._apis: dict[str, dict[str, ApiNow]] = {}
        self._statuses: dict[str, set[str]] = {}

    def add(self, process: str, measured: Measured) -> None:
        """Add what `process` has counted; how its APIs are replaces what it said before."""
        _add(self.rows, measured.rows)
        _add(self.ends, measured.ends)
        for api, numbers in measured.calls.items():
            for status, calls in numbers.items():
                self.calls[api, self._bounded(api, status)] += calls
        self.retries.update(measured.retries)
        if measured.latency:
            self.latency.add(measured.latency)
        if measured.start_delay:
            self.start_delay.add(measured.start_delay)
        self._apis[process] = measured.apis
        self.known_apis |= measured.apis.keys()
        self.sdk.add(process, measured.sdk)

    def forget(self, process: str) -> None:
        """Forget how the APIs were to a process that has ended."""
        self._apis.pop(process, None)
        self.sdk.forget(process)

    def apis(self) -> dict[str, ApiNow]:
        """Return how each API is: its calls and its limit in all processes; down where one takes it to be down."""
        summed: dict[str, ApiNow] = {}
        for apis in self._apis.values():
            for name, each in apis.items():
                before = summed.get(name, ApiNow(in_flight=0, limit=0, outage=False))
                summed[name] = ApiNow(
                    in_flight=before.in_flight + each.in_flight,
                    limit=before.limit + each.limit,
                    outage=before.outage or each.outage,
                )
        return summed

    def _bounded(self, api: str, status: str) -> str:
        known = self._statuses.setdefault(api, set())
        if status not in known and len(known) >= MOST_STATUSES:
            return OTHER
        known.add(status)
        return status


def _add(totals: Pairs, table: Table) -> None:
    for name, numbers in table.items():
        for kind, number in numbers.items():
            totals[name, kind] += number
