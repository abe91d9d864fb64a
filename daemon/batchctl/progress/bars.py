"""Progress as people see it: bars on a terminal, a line per change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.progress import Progress, ProgressColumn, Task, TaskID
from rich.progress_bar import ProgressBar
from rich.text import Text

from activities.registry.timestamps import readable_time
from daemon.batchctl.console.printing import format_duration, put
from daemon.batchctl.console.table import CUT, GAP, cut_middle
from daemon.batchctl.state.batch_view import BatchView
from daemon.batchctl.state.waiting import exceptions, long_wait_s
from workflows.ids import DEFAULT_FEED, printable

LINE_S = 1.0
LEAST_NAME_CELLS = 18
TAIL_CELLS = 13
FACTS_CELLS = 40
BAR_CELLS = 40
LEAST_BAR_CELLS = 8
LEAST_REASON_CELLS = 40
"""Longer than any part that is a number or a state, so that only a reason is ever cut."""


class ProgressDisplay(Protocol):
    """Shows the state of batches as it changes."""

    def show(self, view: BatchView) -> bool:
        """Take in the newest state of one batch; False where nobody reads it any more."""


@contextmanager
def progress_display(out: TextIO, *, quiet: bool) -> Iterator[ProgressDisplay]:
    """Yield what fits `out`: bars, lines, or nothing where `quiet`."""
    if quiet:
        yield _Nothing()
    elif out.isatty():
        console = Console(file=out, markup=False, highlight=False, emoji=False)
        with Progress(_Line(), expand=True, console=console) as progress:
            yield _Bars(progress)
    else:
        yield _Lines()


def facts(view: BatchView) -> list[str]:
    """Return what stands behind the bar, the most important first."""
    parts: list[str] = []
    if view.state != "running":
        waits = view.waiting_on.partition(":")[0] if view.waiting_on else None
        until = f" until {readable_time(view.waiting.until)}" if view.waiting and long_wait_s(view) else ""
        parts.append(f"waiting for {waits}{until}" if waits else view.state)
    parts.append(f"{view.counts.records:,} rows")
    if view.cancelling:
        parts.append("being cancelled")
    parts += exceptions(view.counts)
    if view.state == "running" and view.rows_per_s is not None:
        parts.append(f"{view.rows_per_s:,.0f} rows/s")
    if view.eta_s is not None:
        parts.append(f"{format_duration(view.eta_s)} left")
    if view.feed not in {"", DEFAULT_FEED}:
        parts.append(f"feed {view.feed}")
    why = view.paused.reason if view.paused else (view.waiting_on or "").partition(": ")[2]
    return [printable(each) for each in (*parts, why) if each]


class _Nothing:
    def show(self, view: BatchView) -> bool:  # noqa: ARG002 - nothing is printed
        """Show nothing."""
        return True


class _Lines:
    """A line when something but the speed has changed, and at most one a second and batch while it runs."""

    def __init__(self) -> None:
        self._printed: dict[str, tuple[object, float]] = {}

    def show(self, view: BatchView) -> bool:
        """Print a line where there is news."""
        news = (view.state, view.counts, view.total_rows, view.waiting_on, view.cancelling)
        before, at = self._printed.get(view.id, (None, 0.0))
        soon = time.monotonic() - at < LINE_S
        if news == before or (soon and not view.settled):
            return True
        self._printed[view.id] = (news, time.monotonic())
        return put(f"{view.id}  {100 * view.progress:5.1f} %  {', '.join(facts(view))}")


class _Bars:
    """A bar per batch."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(self, view: BatchView) -> bool:
        """Move the bar."""
        if view.id not in self._tasks:
            self._tasks[view.id] = self._progress.add_task(view.id, total=1.0, facts=[], name_cells=len(view.id))
        self._progress.update(self._tasks[view.id], completed=view.progress, facts=facts(view))
        for each in self._tasks.values():
            self._progress.update(each, name_cells=max(map(len, self._tasks)))
        return True


class _Line(ProgressColumn):
    """Name, bar, share done and facts in one line of the window, whatever its width."""

    def render(self, task: Task) -> _FittedLine:
        """Return the line; its width is known when it is drawn."""
        return _FittedLine(task.description, task.completed, **task.fields)


@dataclass(frozen=True, slots=True)
class _FittedLine:
    name: str
    share: float
    facts: list[str]
    name_cells: int = LEAST_NAME_CELLS

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield one line: the share is whole, the name is cut, the bar is left out, then facts from the last."""
        percent = f"{100 * self.share:5.1f} %"
        room = options.max_width - len(percent) - 2 * len(GAP)
        name_cells = min(self.name_cells, max(room // 3, LEAST_NAME_CELLS))
        bar_cells = min(room - name_cells - len(GAP) - FACTS_CELLS, BAR_CELLS)
        name = cut_middle(self.name, name_cells, tail=TAIL_CELLS)
        line = Text(f"{name:<{name_cells}}{GAP}")
        if bar_cells >= LEAST_BAR_CELLS:
            _append_bar(line, self.share, bar_cells, console, options)
        line.append(f"{percent}{GAP}")
        yield line.append(_fitting(self.facts, options.max_width - len(line)))

    def __rich_measure__(self, _: Console, options: ConsoleOptions) -> Measurement:
        """Ask for the whole width."""
        return Measurement(options.max_width, options.max_width)


def _append_bar(line: Text, share: float, cells: int, console: Console, options: ConsoleOptions) -> None:
    end = len(line) + cells
    for piece in console.render(ProgressBar(completed=share, total=1.0, width=cells), options):
        line.append(piece.text.rstrip("\n"), piece.style)
    line.append(" " * (end - len(line)) + GAP)


def _fitting(parts: list[str], cells: int) -> str:
    """Return as many of the first parts as there is room for; a number or a state is never cut, a reason may be."""
    kept = ""
    for each in parts:
        longer = f"{kept}, {each}" if kept else each
        if cell_len(longer) > cells:
            is_reason = each is parts[-1] and cells - cell_len(kept) > LEAST_REASON_CELLS
            return f"{set_cell_size(longer, cells - 1)}{CUT}" if is_reason else kept
        kept = longer
    return kept
