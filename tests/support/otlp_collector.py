"""A collector of OpenTelemetry over a real socket, and a batch's trace as it arrived there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from described_api import Answered, Asked, described_api
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

ENDED_IN_ERROR = 2


class Arrived(NamedTuple):
    """One span. Ids are as hexadecimal text; the `parent` of a root is empty."""

    trace: str
    id: str
    parent: str
    name: str
    begin_ns: int
    end_ns: int
    facts: dict[str, str | int]
    process: str
    service: str
    is_error: bool


@dataclass
class Collector:
    """`requests` counts what it was sent, `spans` is all of that."""

    url: str = ""
    requests: int = 0
    spans: list[Arrived] = field(default_factory=list)

    def named(self, name: str) -> list[Arrived]:
        return [each for each in self.spans if each.name == name]

    def below(self, parent: Arrived) -> list[Arrived]:
        return [each for each in self.spans if (each.trace, each.parent) == (parent.trace, parent.id)]


@contextmanager
def otlp_collector() -> Iterator[Collector]:
    """Serve until the block ends."""
    collector = Collector()

    def answer(asked: Asked) -> Answered:
        assert (asked.method, asked.target) == ("POST", "/v1/traces")
        request = ExportTraceServiceRequest()
        request.ParseFromString(asked.body)
        collector.requests += 1
        for resource in request.resource_spans:
            about = {each.key: each.value.string_value for each in resource.resource.attributes}
            collector.spans += [_arrived(span, about) for scope in resource.scope_spans for span in scope.spans]
        return 200, b"", {"Content-Type": "application/x-protobuf"}

    with described_api(answer) as api:
        collector.url = api.url
        yield collector


def _arrived(span: Span, about: dict[str, str]) -> Arrived:
    facts = {each.key: each.value.string_value or each.value.int_value for each in span.attributes}
    ids = [each.hex() for each in (span.trace_id, span.span_id, span.parent_span_id)]
    times = span.start_time_unix_nano, span.end_time_unix_nano
    process = about["service.instance.id"].rpartition("-")[2]
    return Arrived(*ids, span.name, *times, facts, process, about["service.name"], span.status.code == ENDED_IN_ERROR)
