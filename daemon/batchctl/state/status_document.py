"""The document of `status --json`; `docs/batchctl.md` says what each key holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from daemon.batchctl.state.status_report import StatusReport
from workflows.ids import workflow_id
from workflows.models import Pause
from workflows.state import Waiting


def document_of(report: StatusReport) -> dict[str, Any]:
    """Return the document of `status --json`, but for `retry`."""
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
        "paused": _pause(report.paused),
        "started_at": report.started_at,
        "finished_at": report.finished_at,
        "output_dir": report.output_dir,
        "manifest": report.manifest,
        "error": report.error,
    }


def retry_document(retry: StatusReport | None) -> dict[str, Any] | None:
    """Return the key `retry` of `status --json`; null where none runs."""
    if retry is None:
        return None
    return {
        "generation": retry.generation,
        "workflow_id": workflow_id(retry.id) + retry.suffix,
        "run_id": retry.run_id,
        "state": retry.state,
        "rows": {"total": retry.rows.total, "done": retry.rows.done},
        "waiting_on": retry.waiting_on,
        "waiting": _wait(retry.waiting_on, retry.waiting),
        "paused": _pause(retry.paused),
        "cancelling": retry.cancelling,
        "started_at": retry.started_at,
    }


def _pause(pause: Pause | None) -> dict[str, str] | None:
    return {"by": pause.by, "reason": pause.reason, "since": pause.since} if pause else None


def _wait(waiting_on: str | None, waiting: Waiting | None) -> dict[str, str | None] | None:
    """Return the wait in parts, wherever `waiting_on` names one; null what is not known of it."""
    if waiting_on is None:
        return None
    on, _, detail = waiting_on.partition(": ")
    return {key: value or None for key, value in asdict(waiting or Waiting(on=on, since="", detail=detail)).items()}
