"""The page that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from activities.tally import START_DELAY_BOUNDS_S, Times
from daemon.intake.inbox_now import FILE_STATES, InboxNow
from daemon.metrics.measured import LATENCY_BOUNDS_S, UNNAMED
from daemon.metrics.names import METRICS
from daemon.metrics.totals import Totals

OUTCOMES = ("enriched", "not_found", "fallback", "rejected")
ENDS = ("completed", "failed", "cancelled")
EXPECTED = ("200", "401", "403", "404", "407", "429", "500", "502", "503", "504", "connect", "timeout")
"""Statuses that an API has from the start, at 0: else the first refused call would be no increase of anything."""

Labels = tuple[str, ...]
Samples = Mapping[Labels, float]
"""Values by those of the labels."""


def page(families: Iterable[Metric]) -> bytes:
    """Return metrics in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(list(families)))
    return generate_latest(registry)


def counted(totals: Totals, feeds: Iterable[str]) -> Iterator[Metric]:
    """Yield what the processes have counted. What feeds and APIs have not had yet is 0, so that a first one shows."""
    none_yet = [feed or UNNAMED for feed in feeds]
    rows: dict[Labels, int] = {(feed, outcome): 0 for feed in none_yet for outcome in OUTCOMES}
    ends: dict[Labels, int] = {(feed, state): 0 for feed in none_yet for state in ENDS}
    yield _metric("batchd_rows_total", {**rows, **totals.rows})
    yield _metric("batchd_batches_total", {**ends, **totals.ends})
    calls: dict[Labels, int] = {(api, status): 0 for api in totals.known_apis for status in EXPECTED}
    yield _metric("batchd_api_calls_total", {**calls, **totals.calls})
    yield _histogram("batchd_api_latency_seconds", LATENCY_BOUNDS_S, totals.latency)
    yield _histogram("batchd_start_delay_seconds", START_DELAY_BOUNDS_S, totals.start_delay)
    apis = totals.apis()
    retries: dict[Labels, int] = {(api,): totals.retries[api] for api in totals.known_apis}
    yield _metric("batchd_api_retries_total", retries)
    yield _metric("batchd_api_in_flight", {(name,): each.in_flight for name, each in apis.items()})
    yield _metric("batchd_api_limit", {(name,): each.limit for name, each in apis.items()})
    yield _metric("batchd_api_outage", {(name,): each.outage for name, each in apis.items()})


def watched(inboxes: Iterable[InboxNow]) -> Iterator[Metric]:
    """Yield how the inboxes are that this process works; of two of one feed the sum, and the longer time."""
    files: dict[Labels, float] = {}
    oldest: dict[Labels, float] = {}
    ages: dict[Labels, float] = {}
    for each in inboxes:
        feed = each.feed or UNNAMED
        ages[feed,] = max(ages.get((feed,), 0.0), each.scan_age_s)
        if each.files is None:
            continue
        oldest[feed,] = max(oldest.get((feed,), 0.0), each.oldest_s)
        for state in FILE_STATES:
            files[feed, state] = files.get((feed, state), 0) + each.files[state]
    yield _metric("batchd_files", files)
    yield _metric("batchd_oldest_waiting_file_seconds", oldest)
    yield _metric("batchd_scan_age_seconds", ages)


def remembered(receipts: int) -> Metric:
    """Return how many batches the state folder remembers."""
    return _metric("batchd_receipts", {(): receipts})


def build(version: str) -> Metric:
    """Return what runs."""
    return _metric("batchd_build_info", {(version,): 1})


class _Given(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def _metric(name: str, samples: Samples) -> Metric:
    named = METRICS[name]
    family = (CounterMetricFamily if named.kind == "counter" else GaugeMetricFamily)(
        name, named.about, labels=named.labels
    )
    for values, value in sorted(samples.items()):
        family.add_metric(values, value)
    return family


def _histogram(name: str, bounds_s: Iterable[float], times: Times) -> Metric:
    bounds = [*map(str, bounds_s), "+Inf"]
    buckets = list(zip(bounds, map(float, accumulate(times.buckets)), strict=True))
    return HistogramMetricFamily(name, METRICS[name].about, buckets=buckets, sum_value=times.sum_s)
