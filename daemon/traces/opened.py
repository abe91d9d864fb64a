"""The traces of a process, as the `OTEL_*` variables ask for them. OpenTelemetry is imported here, and only then."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping

from daemon.traces.tracing import Traces

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
SPOKEN = "http/protobuf"

FLUSH_S = 3.0
"""For so long a process that ends tries to send what it has; a collector that is away holds up no stop."""

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def opened_traces(process: str, *, calls_every: int) -> AsyncIterator[Traces | None]:
    """Yield what traces the batches of a process called `process`; None where nobody asks for it, or it cannot be had.

    What cannot be had is logged: batches matter more than their traces. At the end what is left is sent.
    """
    if not are_wanted(os.environ):
        yield None
        return
    try:
        _check_protocol(os.environ)
        from daemon.traces.spans import otel_traces  # noqa: PLC0415 - an extra, and slow to import

        traces, close = otel_traces(process, calls_every)
    except ImportError as error:
        _log_none(f"the extra is not installed ({error})", "install batchd[otel], or unset the endpoint")
        yield None
        return
    except ValueError as error:
        _log_none(str(error), "correct the OTEL_* variable and restart")
        yield None
        return
    try:
        yield traces
    finally:
        await _within(close, FLUSH_S)


def are_wanted(environ: Mapping[str, str]) -> bool:
    """Return whether an endpoint is set, and traces are not switched off."""
    is_off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    exporter = environ.get("OTEL_TRACES_EXPORTER", "otlp").strip()
    return not is_off and exporter == "otlp" and any(environ.get(each) for each in ENDPOINTS)


def _check_protocol(environ: Mapping[str, str]) -> None:
    for name in PROTOCOLS:
        if environ.get(name, SPOKEN) != SPOKEN:
            raise ValueError(f"{name} is {environ[name]}, and batchd sends {SPOKEN} alone")


def _log_none(why: str, todo: str) -> None:
    logger.warning("traces.not_opened", extra={"fields": {"why": why, "todo": todo}})


async def _within(close: Callable[[], None], seconds: float) -> None:
    """Call `close` in a thread of its own, which nobody waits for any longer than that."""
    over, loop = asyncio.Event(), asyncio.get_running_loop()

    def run() -> None:
        close()
        with contextlib.suppress(RuntimeError):  # the loop is closed by now
            loop.call_soon_threadsafe(over.set)

    threading.Thread(target=run, daemon=True).start()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await over.wait()
