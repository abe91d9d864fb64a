"""Moments as text: ISO 8601 in UTC where programs read them, and one form with its zone where people do.

Local time would differ between the daemon, the one who asks, and the pages of Temporal; UTC is the same in all of them.
"""

from __future__ import annotations

from datetime import UTC, datetime


def now_text() -> str:
    """Return this moment in ISO 8601, UTC, to the millisecond."""
    return datetime.now(tz=UTC).isoformat(timespec="milliseconds")


def moment_of(text: str | None) -> datetime | None:
    """Return the moment an ISO 8601 text names, in UTC where it names no zone; None where it names none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def readable_time(text: str | None) -> str:
    """Return an ISO 8601 moment for people, such as `2026-11-23 20:07:33Z`; `-` where there is none."""
    moment = moment_of(text)
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if moment else "-"
