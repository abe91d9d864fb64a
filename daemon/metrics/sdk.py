"""The metrics of Temporal's SDK in a worker: on a port of their own, or on their way to those of the service.

The SDK hands out each change of a number; they are added up here once a second, by name and labels.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_HISTOGRAM,
    BufferedMetricUpdate,
    MetricBuffer,
    MetricBufferDurationFormat,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
)

from activities.tally import Times
from daemon.config.settings import Settings
from daemon.logs.set_up import CORE_LINES
from daemon.metrics.measured import LATENCY_BOUNDS_S, SdkNumber
from workflows.errors import SettingsError, shortened

BUFFERED_UPDATES = 200_000
"""A second of the busiest worker seen has a tenth of these. What finds no room is dropped, and logged by the SDK."""

LEFT_OUT = "service_name"
"""A label that is the same everywhere."""


@dataclass(frozen=True, slots=True)
class SdkMetrics:
    """A runtime for the client of a worker, None for the default one, and what takes away its numbers."""

    runtime: Runtime | None
    take: Callable[[], list[SdkNumber]]


def sdk_metrics(settings: Settings, process: int) -> SdkMetrics:
    """Return how the worker `process`, from 1, measures: for a port of its own, for the service, or not at all.

    Raises:
        SettingsError: the address for a port of its own cannot be used.
    """
    if settings.metrics_address:
        return SdkMetrics(_served_here(settings.metrics_address, process), list)
    if not settings.health_address:
        return SdkMetrics(None, list)
    buffer = MetricBuffer(BUFFERED_UPDATES, MetricBufferDurationFormat.SECONDS)
    runtime = Runtime(telemetry=TelemetryConfig(logging=CORE_LINES, metrics=buffer))
    return SdkMetrics(runtime, lambda: added_up(buffer.retrieve_updates()))


def added_up(updates: Sequence[BufferedMetricUpdate]) -> list[SdkNumber]:
    """Return one number for each metric and set of labels: a sum, the last value of a gauge, or a histogram."""
    by_identity: dict[tuple[int, int], list[BufferedMetricUpdate]] = {}
    for update in updates:
        by_identity.setdefault((id(update.metric), id(update.attributes)), []).append(update)
    return [_number(each) for each in by_identity.values()]


def _number(updates: list[BufferedMetricUpdate]) -> SdkNumber:
    """Return the number that updates of one metric with the same labels make."""
    metric = updates[0].metric
    labels = {name: str(value) for name, value in sorted(updates[0].attributes.items()) if name != LEFT_OUT}
    values = [update.value for update in updates]
    kind, about = metric.kind, metric.description or metric.name
    if kind == BUFFERED_METRIC_KIND_HISTOGRAM:
        times = Times.none_of(LATENCY_BOUNDS_S)
        for value in values:
            times.buckets[bisect_left(LATENCY_BOUNDS_S, value)] += 1
        times.sum_s = sum(values)
        name = f"{metric.name}_seconds" if metric.unit == "s" else metric.name
        return SdkNumber(name=name, kind="histogram", about=about, labels=labels, times=times)
    if kind == BUFFERED_METRIC_KIND_COUNTER:
        return SdkNumber(name=metric.name, kind="counter", about=about, labels=labels, value=sum(values))
    return SdkNumber(name=metric.name, kind="gauge", about=about, labels=labels, value=values[-1])


def _served_here(address: str, process: int) -> Runtime:
    """Return the runtime that serves the metrics of a worker process, each on a port of its own."""
    host, _, port = address.rpartition(":")
    own = f"{host}:{int(port) + process - 1}"
    try:
        metrics = PrometheusConfig(bind_address=own)
        return Runtime(telemetry=TelemetryConfig(logging=CORE_LINES, metrics=metrics))
    except (RuntimeError, ValueError) as error:
        raise SettingsError(f"BATCH_METRICS_ADDRESS: {own} cannot be used: {shortened(str(error), 200)}") from error
