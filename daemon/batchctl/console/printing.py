"""What the commands print: words on standard error, data on standard output, numbers as people read them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.registry.timestamps import moment_of
from daemon.batchctl.console.streams import write, write_words
from workflows.ids import printable


def say(text: str) -> None:
    """Write one line of words to standard error; control characters are escaped."""
    write_words(f"batchctl: {printable(text)}\n")


def put(text: str) -> bool:
    """Write one line of data to standard output, control characters escaped; False where nobody reads any more."""
    return write(f"{printable(text)}\n")


def put_json(document: Any) -> None:
    """Write one JSON document to standard output."""
    write(json.dumps(document, indent=2, ensure_ascii=True, default=str) + "\n")


def put_facts(facts: list[tuple[str, str]]) -> None:
    """Write labelled facts, one a line."""
    width = max((len(label) for label, _ in facts), default=0)
    for label, text in facts:
        put(f"{label:<{width}}  {text}")


def shown_bytes(size_bytes: float) -> str:
    """Return a size such as `1.4 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1_000:  # noqa: PLR2004 - the step between units
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1_000
    return f"{size_bytes:.1f} TB"


def shown_duration(seconds: float) -> str:
    """Return a duration such as `45 s`, `3 min 05 s` or `2 h 07 min`."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - a minute
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min"


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Return the seconds from `start` to `end`, or to now where `end` is empty; None where there is no start."""
    began, ended = moment_of(start), moment_of(end) if end else datetime.now(tz=UTC)
    return max((ended - began) / timedelta(seconds=1), 0.0) if began and ended else None
