"""Which feed the log lines of the running task are about; empty where a service has one feed without a name."""

from __future__ import annotations

from contextvars import ContextVar

feed_in_log: ContextVar[str] = ContextVar("feed_in_log", default="")
