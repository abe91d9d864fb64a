"""The document of `status --json`; `docs/batchctl.md` says what each key holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from daemon.batchctl.state.batch_view import BatchView
from workflows.ids import workflow_id
from workflows.models import Waiting


def document_of(view: BatchView) -> dict[str, Any]:
    """Return the document of `status --json`, but for `retry`."""
    return {
        "id": view.id,
        "workflow_id": workflow_id(view.id),
        "run_id": view.run_id,
        "state": view.state,
        "feed": view.feed or None,
        "api": view.api or None,
        "mode": view.mode,
        "source": view.source,
        "rows": {
            "total": view.total_rows,
            "done": view.counts.records,
            "enriched": view.counts.enriched,
            **({"not_found": view.counts.not_found} if view.counts.not_found else {}),
            "fallback": view.counts.fallback,
            "rejected": view.counts.rejected,
        },
        "progress": view.progress,
        "rows_per_s": view.rows_per_s,
        "eta_s": view.eta_s,
        "waiting_on": view.waiting_on,
        "waiting": _wait(view),
        "paused": _pause(view),
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
        "waiting": _wait(retry),
        "paused": _pause(retry),
        "cancelling": retry.cancelling,
        "started_at": retry.started_at,
    }


def _pause(view: BatchView) -> dict[str, str] | None:
    pause = view.paused
    return {"by": pause.by, "reason": pause.reason, "since": pause.since} if pause else None


def _wait(view: BatchView) -> dict[str, str | None] | None:
    """Return the wait in parts, wherever `waiting_on` names one; null what is not known of it."""
    if view.waiting_on is None:
        return None
    on, _, detail = view.waiting_on.partition(": ")
    waiting = view.waiting or Waiting(on=on, since="", detail=detail)
    return {key: value or None for key, value in asdict(waiting).items()}
