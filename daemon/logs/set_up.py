"""The log of a process, as its settings say: on standard error, where Temporal's SDK writes too.

Row contents and secrets are never logged.
"""

from __future__ import annotations

import logging
import sys

from temporalio import workflow
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from daemon.config.settings import Settings
from daemon.logs.context import feed_in_log
from daemon.logs.first_lines import take_what_python_says
from daemon.logs.lines import JsonLines, TerminalLines, TextLines, line_handler
from daemon.logs.step_log import is_foreseeable

WITH_HEADERS = ("httpx2", "httpcore2", "hpack")
"""Libraries whose lines of level DEBUG hold addresses and headers, and so secrets: never logged, whatever is set."""

CORE_LINES = LoggingConfig(
    filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
    forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core"), append_target_to_name=False),
)
"""The native half of Temporal's SDK would write to the console in a form of its own; so its lines are ours."""


def set_up_logging(settings: Settings) -> None:
    """Send log lines to standard error in the form that `BATCH_LOG_FORMAT` asks for."""
    as_json = is_json(settings)
    as_text = TerminalLines() if sys.stderr.isatty() else TextLines()
    handler = line_handler(JsonLines() if as_json else as_text)
    handler.addFilter(without_what_is_told)
    handler.addFilter(with_feed)
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for library in ("temporalio", "watchfiles", *WITH_HEADERS):
        logging.getLogger(library).setLevel(logging.WARNING)
    workflow.logger.workflow_info_on_message = False
    logging.getLogger("temporalio.workflow").setLevel(settings.log_level)
    if as_json:
        take_what_python_says()


def set_up_core_lines() -> None:
    """Let what the native half of Temporal's SDK says be lines of the log; once in a process, before any client."""
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=CORE_LINES)))


def is_json(settings: Settings) -> bool:
    """Return whether lines are JSON: where that is asked for, and by default unless standard error is a terminal."""
    return settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())


def with_feed(record: logging.LogRecord) -> bool:
    """Name the feed that the running task is about in a line that does not name one."""
    feed, fields = feed_in_log.get(), getattr(record, "fields", {})
    if feed and "feed" not in fields:
        record.fields = {"feed": feed, **fields}
    return True


def without_what_is_told(record: logging.LogRecord) -> bool:
    """Drop the SDK's line and traceback for an activity that failed foreseeably: `daemon.logs.step_log` logs it."""
    failed = record.__dict__.get("__temporal_error_identifier") == "ActivityFailure"
    return not (failed and record.exc_info and is_foreseeable(record.exc_info[1]))
