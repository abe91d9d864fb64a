"""Log lines: a stable event name and facts as fields, as JSON for machines or as text for people.

Where standard error is the journal, each line begins with its priority, as sd-daemon(3) has it.

Callers write `logger.info("batch.started", extra={"fields": {"id": ...}})`. Row contents and secrets are never logged.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import TextIO

from temporalio import workflow

from daemon.config.settings import Settings
from daemon.feed_in_log import feed_in_log
from daemon.step_log import is_foreseeable
from workflows.ids import printable

WITH_HEADERS = ("httpx2", "httpcore2", "hpack")
"""Libraries whose lines of level DEBUG hold addresses and headers, and so secrets: never logged, whatever is set."""

PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


def set_up_logging(settings: Settings) -> None:
    """Send log lines to standard error in the form that `BATCH_LOG_FORMAT` asks for."""
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    lines = TextLines() if text else JsonLines()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JournalLines(lines) if is_journal(sys.stderr) else lines)
    handler.addFilter(without_what_is_told)
    handler.addFilter(with_feed)
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for library in ("temporalio", "watchfiles", *WITH_HEADERS):
        logging.getLogger(library).setLevel(logging.WARNING)
    workflow.logger.workflow_info_on_message = False
    logging.getLogger("temporalio.workflow").setLevel(settings.log_level)


def with_feed(record: logging.LogRecord) -> bool:
    """Name the feed that the running task is about in a line that does not name one."""
    feed, fields = feed_in_log.get(), getattr(record, "fields", {})
    if feed and "feed" not in fields:
        record.fields = {"feed": feed, **fields}
    return True


def without_what_is_told(record: logging.LogRecord) -> bool:
    """Drop the SDK's line and traceback for an activity that failed foreseeably: `daemon.step_log` logs it."""
    failed = record.__dict__.get("__temporal_error_identifier") == "ActivityFailure"
    return not (failed and record.exc_info and is_foreseeable(record.exc_info[1]))


def is_journal(stream: TextIO) -> bool:
    """Return whether a stream leads to the journal: systemd names its device and inode in JOURNAL_STREAM."""
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


class JournalLines(logging.Formatter):
    """Each line of another form with its priority before it, such as `<4>` for a warning."""

    def __init__(self, lines: logging.Formatter) -> None:
        super().__init__()
        self._lines = lines

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or the lines of a traceback."""
        priority = next((each for level, each in PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in self._lines.format(record).splitlines())


class JsonLines(logging.Formatter):
    """One JSON object a line: `time`, `level`, `event`, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": _time(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """`12:00:00Z info batch.started id=users-0123456789ab`, with control characters escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = getattr(record, "fields", {})
        facts = "".join(f" {key}={_field_text(value)}" for key, value in fields.items())
        text = f"{_time(record):%H:%M:%SZ} {record.levelname.lower():7} {record.getMessage()}{facts}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
            return text
        return printable(text)


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, tz=UTC)


def _field_text(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text else text
