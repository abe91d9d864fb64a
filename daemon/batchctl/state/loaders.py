"""What the state folder and the output folder say of a batch. A manifest outlives Temporal's memory and receipts."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from activities.disk.directory import Directory
from activities.manifest.reader import newest_generation, read_manifest
from activities.output.names import manifest_name
from activities.output.output_folder import OutputFolder
from activities.output.page_journal import entries
from activities.registry.receipts import Receipt
from daemon.batchctl.state.batch_view import NOT_STARTED, BatchView
from workflows.errors import BatchdError, OutputRefused, TransientError
from workflows.ids import DEFAULT_FEED
from workflows.models import ControlState, Counts, Outcome, State, Waiting

OUTCOMES: dict[str, Outcome] = {"cancelled": "cancelled", "partial": "failed"}
"""How a batch ended by the status of its manifest: with every record rejected, it has failed. Any other: completed."""


def from_registry(receipt: Receipt | None, control: ControlState | None = None) -> BatchView | None:
    """Return what the state folder says; `control` is what is kept there of a batch that Temporal does not know."""
    if receipt is None:
        return BatchView(id="", paused=control.pause) if control and control.pause and not control.cancel else None
    state: State = "waiting" if receipt.state == "claimed" else receipt.state
    reason = receipt.reason
    source = receipt.source
    return BatchView(
        id=receipt.id,
        state=state,
        mode=receipt.mode,
        source={"name": source.name, "bytes": source.size_bytes, "sha256": source.sha256},
        counts=receipt.counts or Counts(),
        waiting=Waiting(on=NOT_STARTED, since=receipt.claimed_at, detail=reason) if reason else None,
        paused=control.pause if control and not control.cancel else None,
        started_at=receipt.started_at or None,
        finished_at=receipt.finished_at or None,
        lost_manifest=receipt.manifest,
        error=reason or None,
    )


def from_output(output_dir: Path) -> BatchView | None:
    """Return what the newest manifest says; None where there is none yet, or it may not be read.

    Raises:
        OutputRefused: the newest manifest is damaged.
    """
    try:
        folder = OutputFolder.existing(output_dir)
    except OutputRefused:
        return None
    with folder, suppress(TransientError):
        return _newest(folder)
    return None


def finished_output(output_dir: Path) -> BatchView:
    """Return what the newest manifest says.

    Raises:
        OutputRefused: there is none, or it cannot be read.
    """
    with OutputFolder.existing(output_dir) as folder:
        newest = _newest(folder)
    if newest is None:
        raise OutputRefused(f"{output_dir} holds no manifest: the batch is not complete")
    return newest


def _newest(folder: Directory) -> BatchView | None:
    generation = newest_generation(folder)
    if not generation:
        return None
    manifest = read_manifest(folder, generation)
    return BatchView(
        id=manifest["id"],
        feed=manifest.get("feed") or DEFAULT_FEED,
        api=manifest["api"].get("name") or DEFAULT_FEED,
        output_dir=folder.path,
        generation=int(manifest["generation"]),
        state=OUTCOMES.get(manifest["status"], "completed"),
        run_id=manifest["run_ids"][-1] if manifest["run_ids"] else None,
        mode=manifest["mode"],
        source={key: manifest["source"][key] for key in ("name", "bytes", "sha256")},
        counts=Counts(**{field.name: manifest["counts"].get(field.name, 0) for field in fields(Counts)}),
        done_bytes=sum(each["source_end"] - each["source_start"] for each in manifest["chunks"]),
        started_at=manifest["timing"].get("started_at") or None,
        finished_at=manifest["timing"].get("finished_at") or None,
        manifest=str(folder.path / manifest_name(generation)),
        document=manifest,
    )


def from_chunks(output_dir: Path) -> BatchView | None:
    """Return how much of a batch without a manifest is in saved chunks."""
    try:
        with OutputFolder.existing(output_dir) as folder:
            pages = entries(folder).values()
    except BatchdError:
        return None
    counts = Counts(
        records=sum(each.counted_rows + each.rejected_rows for each in pages),
        enriched=sum(each.enriched for each in pages),
        not_found=sum(each.not_found for each in pages),
        fallback=sum(each.fallback for each in pages),
        rejected=sum(each.rejected_rows for each in pages),
    )
    return BatchView(
        id="",
        counts=counts,
        done_bytes=sum(each.page.source_end - each.page.source_start for each in pages),
    )
