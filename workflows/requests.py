"""One request and one result for each activity, as they cross the boundary: see `workflows.models` for the rules."""

from dataclasses import dataclass, field
from typing import Literal

from workflows.api_spec import ApiSpec
from workflows.models import (
    BatchRef,
    CallLimits,
    CallStats,
    Checked,
    Control,
    ControlState,
    Counts,
    Cursor,
    Identity,
    LimitsChange,
    ManifestStatus,
    Mode,
    Outcome,
    Page,
    Pause,
    Shape,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPages:
    """Request of `load_next_csv_page` (the next `max_pages`) and of `load_csv_chunks` (all of a small file)."""

    batch: BatchRef
    cursor: Cursor
    page_rows: int
    max_pages: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPages:
    """The pages found, and the cursor behind them; `next` is None at the end of the file."""

    pages: list[Page]
    next: Cursor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareBatch:
    """Request of `prepare_batch`. `schema` is the canonical JSON of the Table Schema that the rows must fit."""

    batch: BatchRef
    schema: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedBatch:
    """Result of `prepare_batch`: in how many places a row repeats what a schema wants to be unique."""

    duplicates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichPage:
    """Request of `enrich_chunk`.

    `probe` asks for one row only, to learn whether the API is back. `save`: once every row has its answer, the chunk
    file is made too, as by `save_chunk`, and `again` is for that. `api` is how it is called; None where `BATCH_*` says
    it.
    """

    batch: BatchRef
    page: Page
    probe: bool = False
    limits: CallLimits = field(default_factory=CallLimits)
    save: bool = False
    api: ApiSpec | None = None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedChunk:
    """Result of `save_chunk`. `file` is None where durable rows are missing and the page must be enriched again."""

    file: str | None
    enriched: int = 0
    fallback: int = 0
    rejected: int = 0
    by_error: dict[str, int] = field(default_factory=dict)
    not_found: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichedPage:
    """Result of `enrich_chunk`.

    `outcome` is `done` when every row of the page has its durable answer; `api_down` when the API is out and rows
    wait (`retry_after_s` says when to ask again); `api_up` when a probe got through; `api_refused` when the API
    turned the credentials away; `unprepared` when what `prepare_batch` left is gone. `stats` covers every durable
    row of the page, whoever made its calls.
    `saved` is the chunk, where it was asked for with the rows and they are done.
    """

    outcome: Literal["done", "api_up", "api_down", "api_refused", "unprepared"] = "done"
    rows_done: int = 0
    stats: CallStats = field(default_factory=CallStats)
    detail: str = ""
    retry_after_s: float = 0.0
    saved: SavedChunk | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavePage:
    """Request of `save_chunk`. `again`: the page was saved before, and damaged since; its rows have been counted."""

    batch: BatchRef
    page: Page
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteManifest:
    """Request of `write_manifest` and of `conclude_batch`: what only the workflow knows. The rest is read from disk.

    `pages` is how many pages the batch has; for a cancelled one (`cancelled` says who and why), how many were saved.
    `checked` is what the answer before said. `feed`, `api`, `config_sha256` and `schema` are those of the request.
    """

    batch: BatchRef
    identity: Identity
    mode: Mode
    shape: Shape
    started_at: str
    run_ids: list[str]
    pauses: list[Pause]
    stats: CallStats
    pages: int
    limits_log: list[LimitsChange] = field(default_factory=list)
    cancelled: Control | None = None
    checked: Checked = field(default_factory=Checked)
    feed: str = ""
    api: ApiSpec | None = None
    config_sha256: str = ""
    schema: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenManifest:
    """Result of `write_manifest` and of `conclude_batch`.

    `file` is None where chunks on disk are missing or do not match what was saved: `damaged` then holds the pages
    to be worked again (at most 100 at a time), and the manifest is asked for once more after that, with `checked`, so
    that what was hashed is not hashed again. `failure` says why the batch has failed all the same: no record of the
    file is a valid row. `filed`: the source was filed as completed too.
    """

    file: str | None
    status: ManifestStatus = "complete"
    counts: Counts = field(default_factory=Counts)
    damaged: list[Page] = field(default_factory=list)
    failure: str = ""
    filed: bool = False
    checked: Checked = field(default_factory=Checked)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """Request of `file_source`: move the claimed file to `archive/` or `failed/` and close its receipt."""

    batch: BatchRef
    outcome: Outcome
    reason: str = ""
    error_type: str = ""
    started_at: str = ""
    counts: Counts = field(default_factory=Counts)
    manifest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepControlState:
    """Request of `keep_control_state`: put on disk what was set for a batch, beside its receipt."""

    batch: BatchRef
    state: ControlState
