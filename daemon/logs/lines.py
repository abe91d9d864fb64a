"""The forms of a line: text, JSON, and either of them with its priority before it, for the journal.

An event is named by the message itself, `logger.info("batch.started", extra={"fields": {"id": ...}})`. A line of
somebody else (a library, Python, Temporal's SDK) has an event that says whose it is, and what was said as its message.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

from daemon.logs.context import step_in_log
from workflows.ids import printable

EVENT = re.compile(r"[a-z_]+\.[a-z_]+")
"""What every name of an event looks like, and no message of a library does."""

OTHERS_EVENTS = {"py.warnings": "python.warning"}
OTHERS_EVENT = "library.said"
"""The events of lines that are not ours, by the name of their logger."""

PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


def line_handler(lines: logging.Formatter) -> logging.Handler:
    """Return what writes lines of a form to standard error; to the journal with their priority, see sd-daemon(3)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JournalLines(lines) if is_journal(sys.stderr) else lines)
    return handler


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
    """One JSON object a line: `time`, `level`, `logger`, `event`, `message`, fields; `batch` is the id of a batch."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields: dict[str, object] = getattr(record, "fields", {})
        line: dict[str, object] = {
            "time": _time(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _event(record) or OTHERS_EVENTS.get(record.name, OTHERS_EVENT),
            "message": _words(record),
            **_about(record, fields),
            **{name: value for name, value in fields.items() if name != "id"},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """`12:00:00Z info batch.started id=users-0123456789ab`, with control characters escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        text = f"{_time(record):%H:%M:%SZ} {record.levelname.lower():7} {_words(record)}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
            return text
        return printable(text)


class TerminalLines(TextLines):
    """Text lines for people at a terminal; a record may say it in sentences, and more lines below.

    `extra={"fields": {...}, "on_terminal": ["users.csv completed", ...]}`
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or the lines."""
        said: list[str] = getattr(record, "on_terminal", [])
        if not said:
            return super().format(record)
        head = f"{_time(record):%H:%M:%SZ} {record.levelname.lower():7} {printable(said[0])}"
        return "\n".join([head, *(f"  {printable(each)}" for each in said[1:])])


def _event(record: logging.LogRecord) -> str:
    """Return the name of the event of a line of ours; empty for a line of somebody else's."""
    return record.msg if isinstance(record.msg, str) and not record.args and EVENT.fullmatch(record.msg) else ""


def _about(record: logging.LogRecord, fields: dict[str, object]) -> dict[str, object]:
    """Return feed, batch and page: of the running step where the line is about its batch, or is not ours."""
    own: dict[str, object] = {"batch": fields["id"]} if "id" in fields else {}
    step = step_in_log.get({})
    return {**step, **own} if not _event(record) or step.get("batch") == own.get("batch") else own


def _words(record: logging.LogRecord) -> str:
    """Return what both forms say: an event with its facts, or the message of a library."""
    facts: dict[str, object] = getattr(record, "fields", {})
    return _message(record) + "".join(f" {key}={_field_text(value)}" for key, value in facts.items())


def _message(record: logging.LogRecord) -> str:
    """Return the message; one that does not fit its arguments, a library's mistake, as it stands."""
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return f"{record.msg} {record.args}"


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, tz=UTC)


def _field_text(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text else text
