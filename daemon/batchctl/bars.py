"""Progress as people see it: bars on a terminal, a line per change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from daemon.batchctl.status_report import StatusReport
from daemon.batchctl.words import put, shown_duration
from workflows.ids import printable

LINE_S = 1.0


class View(Protocol):
    """Shows the state of batches as it changes."""

    def show(self, report: StatusReport) -> bool:
        """Take in the newest state of one batch; False where nobody looks any more."""


@contextmanager
def progress_view(out: TextIO, *, quiet: bool) -> Iterator[View]:
    """Yield what fits `out`: bars, lines, or nothing where `quiet`."""
    if quiet:
        yield _Nothing()
    elif out.isatty():
        with _bars(out) as progress:
            yield _Bars(progress)
    else:
        yield _Lines()


def told(report: StatusReport) -> str:
    """Return what stands behind the bar."""
    parts = [f"{report.rows.done:,} rows"]
    if report.state != "running":
        parts.append(report.state if not report.waiting_on else f"waiting for {report.waiting_on}")
    if report.cancelling:
        parts.append("being cancelled")
    if report.paused and report.paused.reason:
        parts.append(report.paused.reason)
    if report.rows.fallback:
        parts.append(f"{report.rows.fallback:,} fallback")
    if report.rows.rejected:
        parts.append(f"{report.rows.rejected:,} rejected")
    if report.state == "running" and report.rows_per_s is not None:
        parts.append(f"{report.rows_per_s:,.0f} rows/s")
    if report.eta_s is not None:
        parts.append(f"{shown_duration(report.eta_s)} left")
    return printable(", ".join(parts))


class _Nothing:
    def show(self, report: StatusReport) -> bool:  # noqa: ARG002 - nothing of it is shown
        """Show nothing."""
        return True


class _Lines:
    """A line when something but the speed has changed, and at most one a second and batch while it runs."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[object, float]] = {}

    def show(self, report: StatusReport) -> bool:
        """Print a line where there is news."""
        news = (report.state, report.rows, report.waiting_on, report.cancelling)
        before, at = self._shown.get(report.id, (None, 0.0))
        soon = time.monotonic() - at < LINE_S
        if news == before or (soon and not report.settled):
            return True
        self._shown[report.id] = (news, time.monotonic())
        return put(f"{report.id}  {100 * report.progress:5.1f} %  {told(report)}")


class _Bars:
    """A bar per batch."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(self, report: StatusReport) -> bool:
        """Move the bar."""
        if report.id not in self._tasks:
            self._tasks[report.id] = self._progress.add_task(report.id, total=1.0, told="")
        self._progress.update(self._tasks[report.id], completed=report.progress, told=told(report))
        return True


def _bars(out: TextIO) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>5.1f} %", markup=False),
        TextColumn("{task.fields[told]}", markup=False),
        console=Console(file=out, markup=False, highlight=False, emoji=False),
    )
