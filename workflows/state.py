"""What a batch is, knows and reports: its start, what outlives continue-as-new, its progress, its result.

The rules of `workflows.models` hold here too, but for `LiveBatch`, which never leaves the workflow.
"""

import logging
from dataclasses import dataclass, field
from typing import Self

from temporalio import workflow

from workflows.api_spec import ApiSpec
from workflows.ids import printable
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
    Source,
    State,
    Waiting,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Answer of the query `progress`."""

    state: State
    mode: Mode
    counts: Counts
    total_rows: int | None
    done_bytes: int
    size_bytes: int
    started_at: str
    pages_in_flight: int = 0
    paused: Pause | None = None
    waiting: Waiting | None = None
    cancelling: Control | None = None
    limits: CallLimits = field(default_factory=CallLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """What survives continue-as-new. Bounded: no field grows with the file.

    `cursor` is None when every page has been loaded; `open_pages` are loaded and not yet saved. `pauses` and
    `run_ids` keep their newest entries. `asked` names the limit that the present pause asks about, `accepted` those
    that an operator let be past. `damaged` is how many saved pages were found missing or damaged on disk at the end and
    put back into the queue; `checked` is how far the files had been hashed then. `prepared`: the schema of the batch is
    in its output folder, and the duplicate rows have been found.
    """

    started_at: str = ""
    run_ids: list[str] = field(default_factory=list)
    cursor: Cursor | None = field(default_factory=Cursor)
    counts: Counts = field(default_factory=Counts)
    stats: CallStats = field(default_factory=CallStats)
    total_rows: int | None = None
    done_bytes: int = 0
    pages: int = 0
    pause: Pause | None = None
    pauses: list[Pause] = field(default_factory=list)
    asked: str = ""
    accepted: list[str] = field(default_factory=list)
    open_pages: list[Page] = field(default_factory=list)
    outage_since: str = ""
    limits: CallLimits = field(default_factory=CallLimits)
    limits_log: list[LimitsChange] = field(default_factory=list)
    cancel: Control | None = None
    damaged: int = 0
    checked: Checked = field(default_factory=Checked)
    prepared: bool = False

    @classmethod
    def begun_with(cls, control: ControlState | None) -> Self:
        """Return the state of a batch that begins as it was last held back; of a new one where that is None."""
        if control is None:
            return cls()
        return cls(
            pause=control.pause,
            limits=control.limits,
            cancel=control.cancel,
            asked=control.asked,
            accepted=control.accepted,
        )

    def control(self) -> ControlState:
        """Return the part that is kept on disk."""
        return ControlState(
            pause=self.pause, limits=self.limits, cancel=self.cancel, asked=self.asked, accepted=self.accepted
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """The one argument of all batch workflows; `state` is empty at the first run.

    `generation` is 1 for the batch itself and n + 1 for a retry of the fallback rows of generation n.

    `local_steps`: its short steps are local activities. It is said here and not by `workflow.patched`, whose mark in
    the history would cost a small file two writes of the server.

    `steps_together`: the chunk is made by the step that calls the API, and the source is filed by the one that writes
    the manifest, since each step is as much work for a worker as a few rows. Only beside `local_steps`.

    `feed`, `api` and `config_sha256` stand for what the configuration file said when the file was claimed. Where there
    was none they are empty, and the settings of the worker say how the API is called.

    `schema` is the canonical JSON of the Table Schema that rows must fit, at most 32 KiB; empty where there is none.
    Where there is one, `prepare_batch` runs before the first page.
    """

    id: str
    source: Source
    identity: Identity
    shape: Shape
    generation: int = 1
    local_steps: bool = False
    steps_together: bool = False
    feed: str = ""
    api: ApiSpec | None = None
    config_sha256: str = ""
    schema: str = ""
    state: BatchState = field(default_factory=BatchState)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadChunksRequest:
    """The argument of the child workflow."""

    batch: BatchRef
    page_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What a batch workflow returns."""

    id: str
    status: ManifestStatus
    manifest: str
    counts: Counts


class LiveBatch:
    """A running batch as every part of its workflow sees it: its request, its state now, the pages not yet saved.

    `state` is replaced as a whole, so what one part sets is what all others see next.
    """

    def __init__(self, request: BatchRequest, mode: Mode) -> None:
        self.request = request
        self.shape = request.shape
        self.mode = mode
        self.ref = BatchRef(
            id=request.id,
            source=request.source,
            csv=request.shape.csv,
            generation=request.generation,
            feed=request.feed,
        )
        self.state = request.state
        self.open_pages = {page.number: page for page in request.state.open_pages}
        self.pages_in_flight = 0
        self.outcome: Outcome | None = None

    @property
    def cancelled(self) -> bool:
        """Whether the batch is on its way to a cancelled end."""
        return self.state.cancel is not None

    @property
    def paused(self) -> bool:
        """Whether no new call may start until `resume`. A cancel ends a pause."""
        return self.state.pause is not None and not self.cancelled

    @property
    def waits_for_answer(self) -> bool:
        """Whether it is paused to ask an operator if it may go on past a limit."""
        return bool(self.state.asked) and self.paused

    @property
    def all_saved(self) -> bool:
        """Whether every page of the file has been saved."""
        return self.state.cursor is None and not self.open_pages

    @property
    def is_small(self) -> bool:
        """Whether the whole file is known to be at most as many rows as a large one has in flight."""
        rows = self.state.total_rows
        return rows is not None and rows <= self.shape.page_rows * self.shape.pages_in_flight

    @property
    def turnover_due(self) -> bool:
        """Whether this run should end and the next one go on. A cancelled batch ends in the run it is in."""
        return workflow.info().is_continue_as_new_suggested() and not self.cancelled

    def log(self, event: str, level: int = logging.INFO, **fields: str) -> None:
        """Log a change of the batch's state, once: not again when the workflow is replayed."""
        printed = {key: printable(value) for key, value in fields.items()}
        workflow.logger.log(level, event, extra={"fields": {**self.ref.log_fields, **printed}})

    @staticmethod
    def now() -> str:
        """Return the workflow's time, the same in every replay."""
        return workflow.now().isoformat(timespec="milliseconds")
