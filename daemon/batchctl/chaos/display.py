"""How far it is, as people see it: a bar below a line for each kill on a terminal, lines alone elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from daemon.batchctl.chaos.story import Display
from daemon.batchctl.chaos.strikes import STOPPED_S, Strike
from daemon.batchctl.console.printing import put

BAR_CELLS = 30


@contextmanager
def chaos_display(out: TextIO, rows: int, *, quiet: bool) -> Iterator[Display]:
    """Yield what fits `out`: a bar and lines, lines, or nothing where `quiet`."""
    if quiet:
        yield _Nothing()
    elif out.isatty():
        with _bar(out, rows) as bar:
            yield bar
    else:
        put(HEADING)
        yield _Lines()


HEADING = f"{'AT':>8}  {'STRUCK':<20}  {'ROWS ON DISK':>12}  {'GOES ON AFTER':>13}  PROCESS"


def line_of(strike: Strike) -> str:
    """Return the line of one kill or stop."""
    how = "kill -9" if strike.how == "kill -9" else f"stop {STOPPED_S:g} s"
    after = f"{strike.recovered_s:.1f} s" if strike.recovered_s is not None else "-"
    pids = " ".join(map(str, strike.pids))
    return f"{strike.at_s:6.1f} s  {f'{how} {strike.victim}':<20}  {strike.rows_on_disk:>12,}  {after:>13}  {pids}"


class _Nothing:
    def progress(self, rows: int, doing: str) -> None:
        """Show nothing."""

    def struck(self, done: Strike) -> None:
        """Show nothing."""


class _Lines(_Nothing):
    """A line for each kill."""

    def struck(self, done: Strike) -> None:
        """Write a line."""
        put(line_of(done))


@contextmanager
def _bar(out: TextIO, rows: int) -> Iterator[Display]:
    from rich.console import Console  # noqa: PLC0415 - loaded for a terminal alone
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    console = Console(file=out, markup=False, highlight=False, emoji=False)
    columns = (
        TimeElapsedColumn(),
        BarColumn(BAR_CELLS),
        TextColumn("{task.completed:,} of {task.total:,} rows", markup=False),
        TextColumn("{task.fields[doing]}", markup=False, style="yellow"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=rows, doing="")

        class Bar:
            """A line for each kill, above the bar."""

            def progress(self, rows: int, doing: str) -> None:
                """Move the bar."""
                progress.update(task, completed=rows, doing=doing)

            def struck(self, done: Strike) -> None:
                """Write a line above the bar."""
                console.print(line_of(done), soft_wrap=True)

        console.print(HEADING, style="bold", soft_wrap=True)
        yield Bar()
