"""The last step of a batch: the claimed file goes to `archive/` or `failed/`, and the receipt is closed.

Killed anywhere, it is done again from the start and ends the same: each move is one rename, the reason is written
before the file comes to lie beside it, and the receipt is closed after that. The folder of the claim goes last: while
the receipt is open, the daemon finds the batch by it, also where its run is gone from Temporal.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from dataclasses import replace
from pathlib import Path

from activities.disk.atomic_files import sweep, sync_folder
from activities.disk.errors import disk_errors
from activities.disk.failpoints import failpoint
from activities.disk.moves import move_into
from activities.registry.control_states import control_states_beside
from activities.registry.ending_sentence import ending_sentence
from activities.registry.reasons import Reason, place_in, what_to_do_about, write_reason
from activities.registry.receipts import Receipt, Receipts
from activities.registry.timestamps import now_text
from activities.source.inbox import check_any_here, make_in
from activities.tally import Tally
from activities.workspace import PROCESSING
from workflows.errors import SourceVanished
from workflows.ids import checked_id, printable, workflow_id
from workflows.models import Identity, Source
from workflows.requests import FileSource

ARCHIVE = "archive"
FAILED = "failed"
END_EVENTS = {"completed": "batch.completed", "failed": "batch.failed", "cancelled": "batch.cancelled"}

logger = logging.getLogger(__name__)


def file_source(inbox: Path, receipts: Receipts, request: FileSource, tally: Tally | None = None) -> None:
    """Move the claimed file to where finished sources go and close the receipt. Blocking and idempotent.

    A source that was taken out of its folder is no error here: the outcome stands, and the receipt says that no source
    was filed. A later generation has no source to move; when it ends well, the receipt names its manifest, else nothing
    changes. Of a batch that has ended already (it was reset in Temporal, say), the first end stands and nothing is
    written; nor is it where a batch fails for want of a source that has just been filed. `tally` counts the end, once.

    Raises:
        InboxMissing: neither the claim nor what an earlier attempt has filed is on this host now.
        StorageFull: there is no room for the reason or the receipt; nothing is lost.
        TransientError: the move failed; it is safe to try again.
    """
    identity = checked_id(request.batch.id)
    if request.batch.generation > 1:
        _note_generation(receipts, request)
        return
    receipt = receipts.read(identity) or _receipt_made_up(inbox, request)
    if receipt.ended and receipt.state != request.outcome:
        fields = {"id": identity, "stands": receipt.state, "came": request.outcome, "why": request.reason}
        logger.warning("batch.ended_before", extra={"fields": fields})
        return
    vanished = request.error_type == SourceVanished.__name__ and not receipt.ended
    if vanished and shelf_of(inbox, identity, request.batch.source):
        return  # another run has filed it and was interrupted: the daemon closes the receipt by what lies there
    shelf = ARCHIVE if request.outcome == "completed" else FAILED
    shelved = inbox / shelf / identity
    check_any_here(inbox / PROCESSING / identity, shelved)
    with disk_errors(f"filing the source of {identity} under {shelf}/"):
        failpoint("filing.begun")
        make_in(inbox, shelf, identity)
        if request.outcome != "completed":
            write_reason(shelved, _reason(request, receipt))
        failpoint("filing.reasoned")
        _move_all(inbox / PROCESSING / identity, shelved)
        sweep(shelved, older_than_s=0.0)
        for folder in (shelved, shelved.parent):
            sync_folder(folder)
        with contextlib.suppress(FileNotFoundError):
            sync_folder(inbox / PROCESSING / identity)
        failpoint("filing.synced")
        there = os.path.lexists(shelved / Path(request.batch.source.file).name)
    if not there:
        logger.warning("source.gone", extra={"fields": {"id": identity, "outcome": request.outcome}})
    archived_as = f"{shelf}/{identity}/{request.batch.source.name}" if there else None
    if _close(receipts, receipt, request, archived_as) and tally is not None:
        tally.count_end(request.batch.feed, request.outcome)
    with disk_errors(f"removing the claim of {identity}"):
        failpoint("filing.closed")
        _remove_folder(inbox / PROCESSING / identity)
    control_states_beside(receipts).remove(identity)
    failpoint("filing.done")


def shelf_of(inbox: Path, identity: str, source: Source) -> str | None:
    """Return where the source of a batch was filed already, `archive` or `failed`; None where it lies in its claim."""
    name = Path(source.file).name
    if os.path.lexists(inbox / PROCESSING / identity / name):
        return None
    return next((each for each in (ARCHIVE, FAILED) if os.path.lexists(inbox / each / identity / name)), None)


def _move_all(claimed: Path, shelved: Path) -> None:
    """Move every file of the claim (the source, a ready marker)."""
    try:
        names = sorted(os.listdir(claimed))  # noqa: PTH208 - names, not paths
    except FileNotFoundError:
        return
    for name in names:
        with contextlib.suppress(FileNotFoundError):  # an attempt that overlaps with this one took it
            move_into(claimed / name, shelved)
        failpoint("filing.moved")


def _remove_folder(claimed: Path) -> None:
    try:
        claimed.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        logger.warning("claim.not_empty", extra={"fields": {"folder": str(claimed)}})


def _note_generation(receipts: Receipts, request: FileSource) -> None:
    receipt = receipts.read(request.batch.id)
    if receipt is None or request.manifest is None:
        return
    generation = request.batch.generation
    if receipt.generation < generation:
        _log_end(request, receipt)
    receipts.write(replace(receipt, manifest=request.manifest, counts=request.counts, generation=generation))


def _close(receipts: Receipts, receipt: Receipt, request: FileSource, archived_as: str | None) -> bool:
    """Return whether this has ended the batch."""
    if receipt.ended:
        receipts.write(replace(receipt, archived_as=receipt.archived_as or archived_as))
        return False
    ended = replace(
        receipt,
        state=request.outcome,
        started_at=request.started_at or receipt.started_at,
        finished_at=receipt.finished_at or now_text(),
        counts=request.counts,
        manifest=request.manifest,
        reason=request.reason,
        error_type=request.error_type,
        archived_as=archived_as,
    )
    written = receipts.write(ended)
    if written:
        _log_end(request, ended)
    return written


def _log_end(request: FileSource, receipt: Receipt) -> None:
    counts = request.counts
    not_found = {"not_found": counts.not_found} if counts.not_found else {}
    rows = {"rows": counts.records, **not_found, "fallback": counts.fallback, "rejected": counts.rejected}
    why = {"why": printable(request.reason)} if request.reason else {}
    level = logging.ERROR if request.outcome == "failed" else logging.INFO
    fields = {**request.batch.log_fields, **rows, **why}
    extra = {"fields": fields, "on_terminal": [ending_sentence(request, receipt)]}
    logger.log(level, END_EVENTS[request.outcome], extra=extra)


def _receipt_made_up(inbox: Path, request: FileSource) -> Receipt:
    """Return a receipt for a batch whose own was lost: the id alone already makes the same file a duplicate."""
    return Receipt(
        id=request.batch.id,
        workflow_id=workflow_id(request.batch.id),
        identity=Identity(policy="", key=""),
        source=request.batch.source,
        state="running",
        inbox=str(inbox.absolute()),
        claimed_at=request.batch.source.claimed_at,
    )


def _reason(request: FileSource, receipt: Receipt) -> Reason:
    source = request.batch.source
    cancelled = request.outcome == "cancelled"
    what = request.reason or ("cancelled by an operator" if cancelled else "the reason was not recorded")
    return Reason(
        file=source.name,
        outcome="cancelled" if cancelled else "failed",
        what=what,
        mend=what_to_do_about("cancelled" if cancelled else request.error_type),
        retry=f'batchctl rerun {request.batch.id} --reason "..."',
        id=request.batch.id,
        error_type=request.error_type,
        rows_done=request.counts.records,
        output_dir=receipt.output_dir or None,
        sha256=source.sha256,
        size_bytes=source.size_bytes,
        row=place_in(what, "row"),
        line=place_in(what, "line"),
    )
