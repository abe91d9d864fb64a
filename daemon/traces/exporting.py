"""Sending spans to a collector, and saying once when it does not take them and when it does again."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from workflows.errors import shortened

logger = logging.getLogger(__name__)


class TellingExporter(SpanExporter):
    """The OTLP exporter over HTTP, set up by the `OTEL_*` variables; its own lines, of each attempt, are kept back."""

    def __init__(self) -> None:
        self._exporter = OTLPSpanExporter()
        self._words = _LastWords()
        self._fails = False
        for name in ("opentelemetry.exporter", "urllib3"):
            library = logging.getLogger(name)
            library.handlers, library.propagate = [self._words], False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; those that are not taken are lost."""
        result = self._exporter.export(spans)
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self._fails:
            logger.warning("traces.unavailable", extra={"fields": {"why": self._words.last or "no reason was given"}})
        elif self._fails and not failed:
            logger.info("traces.available")
        self._fails = failed
        return result

    def shutdown(self) -> None:
        """Send nothing any more."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Do nothing: nothing is kept here."""
        return self._exporter.force_flush(timeout_millis)


class _LastWords(logging.Handler):
    """Keeps what a library said last at warning or above."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = shortened(record.getMessage(), 300)
