"""How a batch ended, as a command's last word and exit code."""

from __future__ import annotations

from daemon.batchctl.console.printing import say
from daemon.batchctl.exit_codes import DONE, FAILED
from daemon.batchctl.state.status_report import StatusReport


def tell_end(report: StatusReport) -> int:
    """Say how a batch ended and return the exit code that means."""
    rows = f"{report.rows.done:,} rows" + (f", {report.rows.fallback:,} fallback" if report.rows.fallback else "")
    rows += f", {report.rows.rejected:,} rejected" if report.rows.rejected else ""
    why = f": {report.error}" if report.error else f" ({rows})"
    say(f"{report.id} is {report.state}{why}")
    return DONE if report.state == "completed" else FAILED
