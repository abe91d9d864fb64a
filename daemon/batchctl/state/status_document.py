"""The document of `status --json`; `docs/batchctl.md` says what each key holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from daemon.batchctl.state.batch_view import BatchView
from workflows.ids import workflow_id
from workflows.models import Pause

if TYPE_CHECKING:
    from workflows.state import Waiting


def document_of(view: BatchView) -> dict[str, Any]:
    """Return the document of `status --json`, but for `retry`."""
    return {
        "id": view.id,
        "workflow_id": workflow_id(view.id),
        "run_id": view.run_id,
        "state": view.state,
        "mode": view.mode,
        "source": view.source,
        "rows": {
            "total": view.total_rows,
            "done": view.counts.records,
            "enriched": view.counts.enriched,
            "fallback": view.counts.fallback,
            "rejected": view.counts.rejected,
        },
        "progress": view.progress,
        "rows_per_s": view.rows_per_s,
        "eta_s": view.eta_s,
        "waiting_on": view.waiting_on,
        "waiting": _wait(view.waiting_on, view.waiting),
        "paused": _pause(view.paused),
        "started_at": view.started_at,
        "finished_at": view.finished_at,
        "output_dir": str(view.output_dir),
        "manifest": view.manifest,
        "error": view.error,
    }


def retry_document(retry: BatchView | None) -> dict[str, Any] | None:
    """Return the key `retry` of `status --json`; null where none runs."""
    if retry is None:
        return None
    return {
        "generation": retry.generation,
        "workflow_id": workflow_id(retry.id) + retry.suffix,
        "run_id": retry.run_id,
        "state": retry.state,
        "rows": {"total": retry.total_rows, "done": retry.counts.records},
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
    parts = asdict(waiting) if waiting else {"on": on, "since": "", "until": "", "detail": detail}
    return {key: value or None for key, value in parts.items()}
