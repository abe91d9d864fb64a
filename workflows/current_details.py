"""What Temporal's own page shows of a batch, as Markdown: how far it is, what it waits for, and where the result is.

It is set when something has changed, by the workflow's own time, so it says of which moment it is. What comes from
outside, such as the words of an API, stands in code spans: it can neither link nor format.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import get_args

from workflows.ids import printable
from workflows.models import Outcome, Pause
from workflows.state import LiveBatch, Progress

ENDED = frozenset(get_args(Outcome))


def current_details(progress: Progress, batch: LiveBatch, *, output_dir: str, now: datetime) -> str:
    """Return the page of a batch at `now`; `output_dir` is empty where whoever started it did not say."""
    worked_s = seconds_worked(progress.started_at, [*batch.state.pauses, *_open(progress.paused)], now)
    lines = [
        _done(progress),
        ", ".join(f"{rows:,} {outcome}" for outcome, rows in progress.counts.outcomes().items()),
        _speed(progress, worked_s),
        f"result {'in' if progress.state == 'completed' else 'goes to'} {code_span(output_dir)}" if output_dir else "",
    ]
    head = f"**{progress.state}** {code_span(batch.request.source.name)}"
    facts = "\n".join(f"- {line}" for line in lines if line)
    return "\n\n".join([head, *_waits(progress, batch.request.id), facts, f"as of {_clock(now, day=True)}"])


def seconds_worked(started_at: str, pauses: Sequence[Pause], now: datetime) -> float:
    """Return how long a batch has been worked, without its pauses."""
    if not started_at:
        return 0.0
    paused_s = sum((_moment(each.to, now) - _moment(each.since, now)).total_seconds() for each in pauses)
    return max(0.0, (now - _moment(started_at, now)).total_seconds() - paused_s)


def code_span(text: str) -> str:
    """Return `text` as Markdown shows it and does not read it."""
    return f"`{printable(text).replace('`', chr(39))}`"


def _done(progress: Progress) -> str:
    rows, of = progress.counts.records, f" of {progress.total_rows:,}" if progress.total_rows is not None else ""
    return f"{rows:,}{of} rows done ({100 * _share(progress):.0f} % of the file)"


def _speed(progress: Progress, worked_s: float) -> str:
    """Return rows a second and, while it runs, the time left at that rate; empty where nothing is done."""
    if not (progress.counts.records and worked_s):
        return ""
    rate = f"{progress.counts.records / worked_s:,.0f} rows/s"
    share = _share(progress)
    left = f", {_duration(worked_s * (1 - share) / share)} left" if progress.state == "running" and share else ""
    return rate + left


def _waits(progress: Progress, batch_id: str) -> list[str]:
    lines = []
    if progress.state == "paused" and progress.paused:
        pause = progress.paused
        why = f": {code_span(pause.reason)}" if pause.reason else ""
        lines.append(f"paused by {code_span(pause.by or 'an operator')} since {_at(pause.since)}{why}")
        lines.append(f"`batchctl resume {batch_id}` goes on, `batchctl cancel {batch_id}` ends it")
    if progress.state == "waiting" and progress.waiting:
        wait = progress.waiting
        detail = f": {code_span(wait.detail)}" if wait.detail else ""
        lines.append(f"waits for the API since {_at(wait.since)}{detail}; it is asked again at {_at(wait.until)}")
    if progress.cancelling and progress.state not in ENDED:
        lines.append(
            f"cancelled by {code_span(progress.cancelling.by or 'an operator')}; open pages are finished first"
        )
    return lines


def _open(pause: Pause | None) -> list[Pause]:
    return [pause] if pause else []


def _share(progress: Progress) -> float:
    return min(1.0, progress.done_bytes / max(progress.size_bytes, 1))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _moment(text: str, now: datetime) -> datetime:
    return datetime.fromisoformat(text) if text else now


def _at(moment: str) -> str:
    return _clock(datetime.fromisoformat(moment)) if moment else "?"


def _clock(moment: datetime, *, day: bool = False) -> str:
    return f"{moment.astimezone(UTC):{'%Y-%m-%d ' if day else ''}%H:%M:%S} UTC"
