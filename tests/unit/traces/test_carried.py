"""The trace of a batch follows from its claim, and a header carries it as Temporal's own interceptors would."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from temporalio.converter import PayloadConverter

from daemon.traces.carried import HEADER, BatchTrace
from daemon.traces.opened import are_wanted

CLAIM = ("batch-users-0123456789ab", "2026-11-26T08:00:00.000Z")


def test_a_claim_has_one_trace_whoever_asks_and_another_claim_another() -> None:
    trace = BatchTrace.of(*CLAIM)
    assert trace == BatchTrace.of(*CLAIM)
    assert trace != BatchTrace.of(CLAIM[0], "2026-11-26T08:00:01.000Z")
    assert len({trace.trace_id, trace.file_id, trace.batch_id}) == 3
    assert trace.trace_id.bit_length() <= 128
    assert max(trace.file_id, trace.batch_id).bit_length() <= 64


def test_a_header_says_under_which_batch_the_steps_are() -> None:
    trace = BatchTrace.of(*CLAIM)
    header = trace.header()
    assert json.loads(header[HEADER].data) == {"traceparent": f"00-{trace.trace_id:032x}-{trace.batch_id:016x}-01"}
    assert BatchTrace.in_header(header) == trace


@pytest.mark.parametrize(
    "carrier",
    [{"traceparent": f"00-{'a' * 32}-{'b' * 16}-00"}, {"traceparent": "rubbish"}, {"other": 1}, {}, [], "text", 3],
)
def test_what_is_not_sampled_or_no_header_of_ours_is_no_trace(carrier: object) -> None:
    assert BatchTrace.in_header({HEADER: PayloadConverter.default.to_payloads([carrier])[0]}) is None
    assert BatchTrace.in_header({}) is None


def test_traces_are_wanted_where_an_endpoint_is_set_and_nothing_switches_them_off() -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert are_wanted(endpoint)
    assert are_wanted({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"})
    assert not are_wanted({})
    assert not are_wanted({"OTEL_SERVICE_NAME": "batchd"})
    for off in ({"OTEL_SDK_DISABLED": "TRUE"}, {"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}):
        assert not are_wanted(endpoint | off)


def test_a_service_that_is_not_asked_for_traces_imports_nothing_of_opentelemetry() -> None:
    code = "import sys, daemon.command; print([each for each in sys.modules if each.startswith('opentelemetry')])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "[]\n"
