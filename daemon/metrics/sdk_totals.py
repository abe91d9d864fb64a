"""The numbers of Temporal's SDK in all processes, added up by name and labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from activities.tally import Times
from daemon.metrics.measured import LATENCY_BOUNDS_S, SdkNumber

Labels = tuple[tuple[str, str], ...]

MOST_SERIES = 2_000
"""The SDK knows a few hundred; what comes beyond is not kept."""


class SdkTotals:
    """Sums since this process was started; gauges are those of the processes that live."""

    def __init__(self) -> None:
        self._counted: dict[tuple[str, Labels], SdkNumber] = {}
        self._now: dict[str, dict[tuple[str, Labels], SdkNumber]] = {}

    def add(self, process: str, numbers: Iterable[SdkNumber]) -> None:
        """Add what `process` has counted, and keep how its gauges are."""
        now = self._now.setdefault(process, {})
        for each in numbers:
            key = (each.name, tuple(each.labels.items()))
            kept = now if each.kind == "gauge" else self._counted
            if key in kept and each.kind != "gauge":
                kept[key] = _sum(kept[key], each)
            elif key in kept or len(kept) < MOST_SERIES:
                kept[key] = each

    def forget(self, process: str) -> None:
        """Forget the gauges of a process that has ended."""
        self._now.pop(process, None)

    def families(self) -> Iterator[Metric]:
        """Yield each metric with all its series."""
        living: dict[tuple[str, Labels], SdkNumber] = {}
        for numbers in self._now.values():
            for key, each in numbers.items():
                living[key] = _sum(living[key], each) if key in living else each
        by_name: dict[str, list[SdkNumber]] = {}
        for each in (*self._counted.values(), *living.values()):
            by_name.setdefault(each.name, []).append(each)
        for _, series in sorted(by_name.items()):
            yield _family(series)


def _sum(one: SdkNumber, other: SdkNumber) -> SdkNumber:
    times = one.times
    if times and other.times:
        times = Times(list(times.buckets), times.sum_s)
        times.add(other.times)
    return replace(one, value=one.value + other.value, times=times)


def _family(series: list[SdkNumber]) -> Metric:
    """Return a metric whose series may differ in their labels; one that a series has not is empty there."""
    first = series[0]
    names = sorted({name for each in series for name in each.labels})
    if first.kind == "histogram":
        histogram = HistogramMetricFamily(first.name, first.about, labels=names)
        for each in series:
            times = each.times or Times.none_of(LATENCY_BOUNDS_S)
            bounds = [*map(str, LATENCY_BOUNDS_S), "+Inf"]
            buckets = list(zip(bounds, map(float, accumulate(times.buckets)), strict=True))
            histogram.add_metric([each.labels.get(name, "") for name in names], buckets, times.sum_s)
        return histogram
    family = (CounterMetricFamily if first.kind == "counter" else GaugeMetricFamily)(
        first.name, first.about, labels=names
    )
    for each in series:
        family.add_metric([each.labels.get(name, "") for name in names], each.value)
    return family
