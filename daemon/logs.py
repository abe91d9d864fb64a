"""Log lines: a stable event name and facts as fields, as JSON for machines or as text for people.

Callers write `logger.info("batch.started", extra={"fields": {"id": ...}})`. Row contents and secrets are never logged.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from daemon.settings import Settings
from workflows.ids import printable


def set_up_logging(settings: Settings) -> None:
    """Send log lines to standard error in the form that `BATCH_LOG_FORMAT` asks for."""
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextLines() if text else JsonLines())
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    logging.getLogger("temporalio").setLevel(logging.WARNING)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)


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
        facts = "".join(f" {key}={_shown(value)}" for key, value in fields.items())
        text = f"{_time(record):%H:%M:%SZ} {record.levelname.lower():7} {record.getMessage()}{facts}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
            return text
        return printable(text)


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, tz=UTC)


def _shown(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text else text
