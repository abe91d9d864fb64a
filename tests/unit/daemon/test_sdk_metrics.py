"""The numbers of Temporal's SDK are added up over all processes, as those of batchd are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from metrics_reader import samples
from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_GAUGE,
    BUFFERED_METRIC_KIND_HISTOGRAM,
    BufferedMetricUpdate,
)

from daemon.metrics import sdk_totals
from daemon.metrics.measured import Measured, SdkNumber
from daemon.metrics.page import page
from daemon.metrics.sdk import added_up
from daemon.metrics.sdk_totals import SdkTotals
from daemon.processes.messages import Mailbox, encoded


@dataclass
class _Metric:
    name: str
    kind: int
    unit: str | None = None
    description: str | None = "what it is"


@dataclass
class _Update:
    metric: _Metric
    value: float
    attributes: dict[str, Any] = field(default_factory=dict)


REQUESTS = _Metric("temporal_request", BUFFERED_METRIC_KIND_COUNTER)
SLOTS = _Metric("temporal_slots", BUFFERED_METRIC_KIND_GAUGE)
LATENCY = _Metric("temporal_latency", BUFFERED_METRIC_KIND_HISTOGRAM, "s")
HERE = {"service_name": "temporal-core-sdk", "task_queue": "q", "eager": True}


def numbers(*updates: _Update) -> list[SdkNumber]:
    return added_up(cast("list[BufferedMetricUpdate]", list(updates)))


def test_a_second_of_updates_is_one_number_for_each_series() -> None:
    updates = [_Update(REQUESTS, 1, HERE), _Update(REQUESTS, 2, HERE), _Update(SLOTS, 5, HERE), _Update(SLOTS, 3, HERE)]
    updates += [_Update(LATENCY, 0.02, HERE), _Update(LATENCY, 70.0, HERE)]
    requests, slots, latency = numbers(*updates)
    assert (requests.value, slots.value) == (3, 3)
    assert requests.labels == {"eager": "True", "task_queue": "q"}
    assert latency.times
    assert (latency.name, sum(latency.times.buckets), latency.times.buckets[-1]) == ("temporal_latency_seconds", 2, 1)


def test_processes_are_added_up_and_one_that_ended_leaves_its_counts_and_takes_its_gauges() -> None:
    totals, mailbox = SdkTotals(), Mailbox()
    mailbox.on(Measured, lambda message: totals.add("worker-1", message.sdk))
    sent = numbers(_Update(REQUESTS, 1, HERE), _Update(SLOTS, 5, HERE), _Update(LATENCY, 0.02, HERE))
    mailbox.take(encoded(Measured(sdk=sent)).strip())
    totals.add("worker-2", sent)
    totals.add("worker-2", numbers(_Update(REQUESTS, 4, {"task_queue": "other"}), _Update(SLOTS, 7, HERE)))
    found = samples(page(totals.families()))
    assert found["temporal_request_total{eager=True,task_queue=q}"] == 2
    assert found["temporal_request_total{eager=,task_queue=other}"] == 4
    assert found["temporal_slots{eager=True,task_queue=q}"] == 12
    assert found["temporal_latency_seconds_bucket{eager=True,le=0.025,task_queue=q}"] == 2
    totals.forget("worker-2")
    found = samples(page(totals.families()))
    assert found["temporal_request_total{eager=True,task_queue=q}"] == 2
    assert found["temporal_slots{eager=True,task_queue=q}"] == 5


def test_there_are_only_so_many_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk_totals, "MOST_SERIES", 10)
    totals = SdkTotals()
    for number in range(50):
        totals.add("", numbers(_Update(REQUESTS, 1, {"task_queue": str(number)})))
    assert len(samples(page(totals.families()))) == 10
