"""What the output folder says of a batch. The manifest outlives Temporal's memory and the state folder."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from activities.disk.directory import Directory
from activities.manifest.reader import newest_generation, read_manifest
from activities.output.names import manifest_name
from activities.output.output_folder import OutputFolder
from activities.output.page_journal import entries
from workflows.errors import BatchdError, OutputRefused, TransientError
from workflows.models import Counts, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The newest manifest of a batch and where it is."""

    path: Path
    manifest: dict[str, Any]

    @property
    def generation(self) -> int:
        """Return which generation of the result this is."""
        return int(self.manifest["generation"])

    @property
    def counts(self) -> Counts:
        """Return the rows by what became of them."""
        told = self.manifest["counts"]
        return Counts(**{field.name: told[field.name] for field in fields(Counts)})

    @property
    def outcome(self) -> Outcome:
        """Return how the batch ended: with every record rejected, it has failed."""
        ends: dict[str, Outcome] = {"cancelled": "cancelled", "partial": "failed"}
        return ends.get(self.manifest["status"], "completed")


def result_in(directory: Path) -> Result | None:
    """Return the result in an output folder; None where there is none yet, or it may not be read.

    Raises:
        OutputRefused: the newest manifest is damaged.
    """
    try:
        folder = OutputFolder.look(directory)
    except OutputRefused:
        return None
    with folder, suppress(TransientError):
        return _newest(folder)
    return None


def finished_result(directory: Path) -> Result:
    """Return the result in an output folder.

    Raises:
        OutputRefused: there is none, or it cannot be read.
    """
    with OutputFolder.look(directory) as folder:
        newest = _newest(folder)
    if newest is None:
        raise OutputRefused(f"{directory} holds no manifest: the batch is not complete")
    return newest


def _newest(folder: Directory) -> Result | None:
    generation = newest_generation(folder)
    if not generation:
        return None
    return Result(path=folder.path / manifest_name(generation), manifest=read_manifest(folder, generation))


def saved_work(directory: Path) -> tuple[int, Counts]:
    """Return the bytes of the source and the rows that are in saved chunks, of a batch without a manifest."""
    try:
        with OutputFolder.look(directory) as folder:
            pages = entries(folder).values()
    except BatchdError:
        return 0, Counts()
    enriched, fallback = sum(each.enriched for each in pages), sum(each.fallback for each in pages)
    rejected = sum(each.rejected_rows for each in pages)
    counts = Counts(records=enriched + fallback + rejected, enriched=enriched, fallback=fallback, rejected=rejected)
    return sum(each.page.source_end - each.page.source_start for each in pages), counts
