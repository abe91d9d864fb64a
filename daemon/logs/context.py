"""What the running task is about, for lines of the log that do not say it themselves."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

feed_in_log: ContextVar[str] = ContextVar("feed_in_log", default="")
"""The feed; empty where a service has one feed without a name."""

step_in_log: ContextVar[Mapping[str, object]] = ContextVar("step_in_log")
"""`feed`, `batch` and `page` of the step that an activity does, as far as it has them; without a value elsewhere."""
