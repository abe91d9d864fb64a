"""The document of `status --json`; `docs/batchctl.md` says what each key holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from daemon.batchctl.status_report import StatusReport
from workflows.ids import workflow_id
from workflows.state import Waiting


def document_of(report: StatusReport) -> dict[str, Any]:
    """Return the document of `status --json`."""
    paused = report.paused and {"by": report.paused.by, "reason": report.paused.reason, "since": report.paused.since}
    return {
        "id": report.id,
        "workflow_id": workflow_id(report.id),
        "run_id": report.run_id,
        "state": report.state,
        "mode": report.mode,
        "source": report.source,
        "rows": asdict(report.rows),
        "progress": report.progress,
        "rows_per_s": report.rows_per_s,
        "eta_s": report.eta_s,
        "waiting_on": report.waiting_on,
        "waiting": _wait(report.waiting_on, report.waiting),
        "paused": paused,
        "started_at": report.started_at,
        "finished_at": report.finished_at,
        "output_dir": report.output_dir,
        "manifest": report.manifest,
        "error": report.error,
    }


def _wait(waiting_on: str | None, waiting: Waiting | None) -> dict[str, str | None] | None:
    """Return the wait in parts, wherever `waiting_on` names one; null what is not known of it."""
    if waiting_on is None:
        return None
    on, _, detail = waiting_on.partition(": ")
    return {key: value or None for key, value in asdict(waiting or Waiting(on=on, since="", detail=detail)).items()}
