"""Filing the sources of batches that ended without doing so themselves: terminated, timed out, or killed at the end."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from activities.disk.errors import disk_errors
from activities.file_source import ARCHIVE, FAILED, file_source, shelf_of
from activities.manifest.reader import read_result
from activities.output.names import manifest_name
from activities.output.output_folder import OutputFolder
from activities.registry.reasons import read_reason
from activities.registry.receipts import Receipt, Receipts
from activities.tally import Tally
from daemon.config.settings import Settings
from daemon.intake.dispatch import Outcome
from workflows.models import BatchRef, Counts
from workflows.models import Outcome as Ended
from workflows.requests import FileSource

_ENDS: dict[Outcome, tuple[Ended, str]] = {
    "failed": ("failed", "the workflow failed in Temporal before it could file the source"),
    "cancelled": ("cancelled", "the workflow was cancelled in Temporal"),
    "terminated": ("failed", "the workflow was terminated in Temporal, past batchd"),
    "timed_out": ("failed", "the workflow timed out in Temporal"),
}

logger = logging.getLogger(__name__)


class Endings:
    """Files the sources of one inbox. Blocking."""

    def __init__(self, settings: Settings, receipts: Receipts, tally: Tally) -> None:
        self._settings = settings
        self._receipts = receipts
        self._tally = tally
        self._inbox = settings.inbox.absolute()

    def file(self, receipt: Receipt, outcome: Outcome) -> None:
        """File the source of a batch by its receipt, else by what Temporal says of it; nothing where it still runs.

        Where a filing was interrupted after it had moved the source, the end is what it was to be.

        Raises:
            TransientError: whether it left a result cannot be seen now.
            OutputRefused: its result is damaged.
        """
        if receipt.ended:
            self._file(receipt, receipt.state, receipt.reason, receipt.error_type)  # type: ignore[arg-type]
        elif outcome == "running":
            return
        elif outcome == "completed" or self._shelf_of(receipt) == ARCHIVE:
            self._file_by_result(receipt)
        elif self._shelf_of(receipt) == FAILED:
            self._file_by_reason(receipt)
        elif outcome in _ENDS:
            ended, reason = _ENDS[outcome]
            self._file(receipt, ended, reason, outcome)

    def is_interrupted(self, receipt: Receipt) -> bool:
        """Return whether the source of a batch has been filed and its receipt is open: only its end is to be noted."""
        return not receipt.ended and self._shelf_of(receipt) is not None

    def _shelf_of(self, receipt: Receipt) -> str | None:
        return shelf_of(self._inbox, receipt.id, receipt.source)

    def _file_by_reason(self, receipt: Receipt) -> None:
        """File the source of a batch that has not ended well by the reason that was written for it."""
        reason = read_reason(self._inbox / FAILED / receipt.id)
        if reason is None:
            self._file(receipt, "failed", "the reason was not recorded", "")
        else:
            ended: Ended = "cancelled" if reason.outcome == "cancelled" else "failed"
            counted = replace(receipt, counts=Counts(records=reason.rows_done or 0))
            self._file(counted, ended, reason.what, reason.error_type)

    def _file_by_result(self, receipt: Receipt) -> None:
        """File the source of a batch that Temporal calls completed. It is so only where its manifest is here too."""
        output_dir = Path(receipt.output_dir or self._settings.output_root.absolute() / receipt.workflow_id)
        with disk_errors(f"looking for the result of {receipt.id}"):
            output_dir.parent.stat()
            there = _is_there(output_dir / manifest_name(1))
        if not there:
            reason = (
                f"Temporal says that {receipt.workflow_id} is completed, and there is no manifest in {output_dir}: "
                "another installation has worked a batch of this id, or the result was removed"
            )
            self._file(receipt, "failed", reason, "no_result")
            return
        with OutputFolder.existing(output_dir) as folder:
            result = read_result(folder, 1)
        outcome: Ended = "cancelled" if result.status == "cancelled" else "completed"
        self._file(replace(receipt, counts=result.counts), outcome, "", "")

    def _file(self, receipt: Receipt, outcome: Ended, reason: str, error_type: str) -> None:
        manifest = "manifest.json" if (Path(receipt.output_dir) / "manifest.json").is_file() else None
        file_source(
            self._inbox,
            self._receipts,
            FileSource(
                batch=BatchRef(
                    id=receipt.id,
                    source=receipt.source,
                    csv=self._settings.shape().csv,
                    feed=receipt.terms.feed if receipt.terms else "",
                ),
                outcome=outcome,
                reason=reason,
                error_type=error_type,
                counts=receipt.counts or Counts(),
                manifest=receipt.manifest or manifest,
            ),
            self._tally,
        )
        logger.warning("batch.filed", extra={"fields": {"id": receipt.id, "outcome": outcome, "why": reason}})


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True
