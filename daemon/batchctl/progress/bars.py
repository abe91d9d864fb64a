"""Progress as people see it: bars on a terminal, a line per change elsewhere."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.text import Text

from activities.registry.timestamps import readable_time
from daemon.batchctl.console.cells import cells_of, first_cells
from daemon.batchctl.console.printing import format_duration, put
from daemon.batchctl.console.styled import can_be_steered, styled_console
from daemon.batchctl.console.table import CUT, GAP, cut_middle
from daemon.batchctl.progress.block import AboveBlock, Block
from daemon.batchctl.state.batch_view import BatchView
from daemon.batchctl.state.waiting import exceptions, long_wait_s
from workflows.ids import DEFAULT_FEED, printable

LINE_S = 1.0
LEAST_NAME_CELLS = 18
TAIL_CELLS = 13
FACTS_CELLS = 40
BAR_CELLS = 40
LEAST_BAR_CELLS = 8
BAR, HALF_BAR, REST_OF_BAR = "━", "╸", "─"
INTEREST = {"running": 0, "waiting": 1, "paused": 2}
LEAST_REASON_CELLS = 40
"""Longer than any part that is a number or a state, so that only a reason is ever cut."""


class ProgressDisplay(Protocol):
    """Shows the state of batches as it changes."""

    def show(self, views: Sequence[BatchView]) -> bool:
        """Take in the newest state of some batches; False where nobody reads it any more."""


@contextmanager
def progress_display(out: TextIO, *, quiet: bool) -> Iterator[ProgressDisplay]:
    """Yield what fits `out`: bars, lines, or nothing where `quiet`."""
    if quiet:
        yield _Nothing()
    elif out.isatty() and can_be_steered():
        with _drawn(_Bars(out)) as bars:
            yield bars
    else:
        yield _Lines()


@contextmanager
def _drawn(bars: _Bars) -> Iterator[_Bars]:
    """Draw bars anew when the window changes its size, and after Ctrl-Z; what is said meanwhile stands above them."""
    loop, stderr = asyncio.get_running_loop(), sys.stderr
    loop.add_signal_handler(signal.SIGWINCH, bars.block.draw)
    loop.add_signal_handler(signal.SIGCONT, bars.block.begin_anew)
    if stderr.isatty():
        sys.stderr = AboveBlock(bars.block)
    try:
        yield bars
    finally:
        sys.stderr = stderr
        loop.remove_signal_handler(signal.SIGWINCH)
        loop.remove_signal_handler(signal.SIGCONT)


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
    def show(self, views: Sequence[BatchView]) -> bool:  # noqa: ARG002 - nothing is printed
        """Show nothing."""
        return True


class _Lines:
    """A line when something but the speed has changed, and at most one a second and batch while it runs."""

    def __init__(self) -> None:
        self._printed: dict[str, tuple[object, float]] = {}

    def show(self, views: Sequence[BatchView]) -> bool:
        """Print a line for each where there is news."""
        still_read = [self._show(each) for each in views]
        return all(still_read)

    def _show(self, view: BatchView) -> bool:
        news = (view.state, view.counts, view.total_rows, view.waiting_on, view.cancelling)
        before, at = self._printed.get(view.id, (None, 0.0))
        soon = time.monotonic() - at < LINE_S
        if news == before or (soon and not view.settled):
            return True
        self._printed[view.id] = (news, time.monotonic())
        return put(f"{view.id}  {100 * view.progress:5.1f} %  {', '.join(facts(view))}")


class _Bars:
    """A bar for each batch, as many as the window has lines; where there are more, the last line counts the others."""

    def __init__(self, out: TextIO) -> None:
        self._views: dict[str, BatchView] = {}
        self._console = styled_console(out)
        self.block = Block(out, self._lines)

    def show(self, views: Sequence[BatchView]) -> bool:
        """Move the bars."""
        self._views.update({each.id: each for each in views})
        return self.block.draw()

    def _lines(self, columns: int, rows: int) -> list[str]:
        views = list(self._views.values())
        name_cells = max((len(each.id) for each in views), default=LEAST_NAME_CELLS)
        if len(views) <= rows:
            return [self._styled(bar_line(each, columns, name_cells)) for each in views]
        # What runs is seen before what waits, and that before what has ended; each stays in its place.
        by_interest = sorted(views, key=lambda each: INTEREST.get(each.state, len(INTEREST)))
        shown, hidden = {each.id for each in by_interest[: rows - 1]}, by_interest[rows - 1 :]
        lines = [self._styled(bar_line(each, columns, name_cells)) for each in views if each.id in shown]
        return [*lines, first_cells(_rest(hidden), columns)]

    def _styled(self, line: Text) -> str:
        with self._console.capture() as captured:
            self._console.print(line, end="")
        return captured.get()


def _rest(hidden: Sequence[BatchView]) -> str:
    counts = Counter(each.state for each in hidden)
    return f"{CUT} and {len(hidden)} more: {', '.join(f'{number} {state}' for state, number in counts.items())}"


def bar_line(view: BatchView, columns: int, longest_name: int) -> Text:
    """Return one line of at most `columns` cells.

    The share is whole, the name is cut, the bar is left out where there is no room, then facts from the last.
    """
    percent = f"{100 * view.progress:5.1f} %"
    room = columns - len(percent) - 2 * len(GAP)
    name_cells = min(longest_name, max(room // 3, LEAST_NAME_CELLS))
    bar_cells = min(room - name_cells - len(GAP) - FACTS_CELLS, BAR_CELLS)
    name = cut_middle(view.id, name_cells, tail=TAIL_CELLS)
    line = Text(f"{name:<{name_cells}}{GAP}")
    if bar_cells >= LEAST_BAR_CELLS:
        _append_bar(line, view.progress, bar_cells)
    line.append(f"{percent}{GAP}")
    line.append(_fitting(facts(view), columns - len(line)))
    line.rstrip()
    return line


def _append_bar(line: Text, share: float, cells: int) -> None:
    """Append a bar of so many cells, to half a cell. Without colours too it can be seen what is left to do."""
    halves = int(2 * cells * share)
    done = BAR * (halves // 2) + (HALF_BAR if halves % 2 else "")
    line.append(done, "green" if share >= 1 else "cyan")
    line.append(REST_OF_BAR * (cells - len(done)) + GAP, "bright_black")


def _fitting(parts: list[str], cells: int) -> str:
    """Return as many of the first parts as there is room for; a number or a state is never cut, a reason may be."""
    kept = ""
    for each in parts:
        longer = f"{kept}, {each}" if kept else each
        if cells_of(longer) > cells:
            is_reason = each is parts[-1] and cells - cells_of(kept) > LEAST_REASON_CELLS
            return f"{first_cells(longer, cells - 1)}{CUT}" if is_reason else kept
        kept = longer
    return kept
