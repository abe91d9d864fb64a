"""One batch as batchctl shows it, put together from the sources that know of it.

Each source has a loader that returns a `BatchView` with what it knows; a field left at its default is not known there.
`merged` makes one view of them, and `FIRST_TO_KNOW` says which source wins for each fact. Each source may be missing: a
batch that has ended is answered from its receipt or its manifest alone; for one that has not, the server says whether
it runs and the workflow how far it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from daemon.batchctl.console.printing import seconds_between
from workflows.models import Counts, Mode, Pause, State, Waiting

ENDED = frozenset({"completed", "failed", "cancelled"})
NOT_STARTED = "start"
NO_WORKER = "worker"
NO_SERVER = "temporal: no server answers"
NEARLY_DONE = 0.999_999

Origin = Literal["registry", "manifest", "chunks", "server", "workflow"]
"""The state folder, the newest manifest, the chunks saved without one, Temporal's server, the workflow's own answer."""

FIRST_TO_KNOW: dict[str, tuple[Origin, ...]] = {
    "feed": ("registry", "manifest"),
    "api": ("registry", "manifest"),
    "source": ("registry", "manifest", "workflow"),
    "mode": ("server", "manifest", "registry"),
    "run_id": ("server", "manifest"),
    "counts": ("manifest", "workflow", "server", "registry", "chunks"),
    "done_bytes": ("workflow", "manifest", "chunks"),
    # A later generation's manifest holds only its own, and a run that was continued only of its last part.
    "started_at": ("workflow", "registry", "manifest", "server"),
    "finished_at": ("registry", "manifest", "server"),
    "manifest": ("manifest",),
    "document": ("manifest",),
    "lost_manifest": ("registry", "server"),
    "error": ("registry", "server"),
    "paused": ("workflow", "registry"),
    "running": ("server",),
    "answered": ("workflow",),
    "cancelling": ("workflow",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """The facts of `status --json`, and what commands go by.

    `running`: a run of its workflow is open; `answered`: a worker answered how far the batch is;
    `heartbeat`: one gave a sign of life for it just now; `open_pages` counts pages being enriched.
    `feed` and `api` are empty where neither receipt nor manifest says them.
    `generation` is 2 or more where this is the state of a retry of a batch's fallback rows. `document` is the newest
    manifest and `manifest` its path; `lost_manifest` is where one was written that is not there any more.
    """

    id: str
    feed: str = ""
    api: str = ""
    output_dir: Path = Path()
    generation: int = 1
    state: State = "waiting"
    run_id: str | None = None
    mode: Mode | None = None
    source: dict[str, Any] = field(default_factory=lambda: {"name": None, "bytes": None, "sha256": None})
    counts: Counts = field(default_factory=Counts)
    total_rows: int | None = None
    done_bytes: int = 0
    waiting_on: str | None = None
    waiting: Waiting | None = None
    paused: Pause | None = None
    cancelling: bool = False
    running: bool = False
    answered: bool = False
    heartbeat: bool = False
    open_pages: int = 0
    started_at: str | None = None
    finished_at: str | None = None
    manifest: str | None = None
    document: dict[str, Any] = field(default_factory=dict, repr=False)
    lost_manifest: str | None = None
    error: str | None = None

    @property
    def suffix(self) -> str:
        """What follows the batch's workflow ID in that of a retry."""
        return retry_suffix(self.generation)

    @property
    def name(self) -> str:
        """The batch, or the retry of it, as messages name it."""
        return f"{self.id} (retry, generation {self.generation})" if self.generation > 1 else self.id

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED and not self.running

    @property
    def progress(self) -> float:
        """How much of the source is done, by its bytes; exactly 1 only when the batch is completed."""
        if self.state == "completed":
            return 1.0
        size_bytes = self.source["bytes"] or 0
        return round(min(self.done_bytes / size_bytes, NEARLY_DONE), 6) if size_bytes else 0.0

    @property
    def rows_per_s(self) -> float | None:
        """Rows done a second since the start; None where there is no start or no row."""
        elapsed_s = seconds_between(self.started_at, self.finished_at)
        return round(self.counts.records / elapsed_s, 1) if elapsed_s and self.counts.records else None

    @property
    def eta_s(self) -> float | None:
        """Seconds left at this speed; None unless it runs."""
        elapsed_s = seconds_between(self.started_at, self.finished_at) if self.state == "running" else None
        return round(elapsed_s * (1 - self.progress) / self.progress, 1) if elapsed_s and self.progress else None


def retry_suffix(generation: int) -> str:
    """Return how the workflow ID of the retry that makes a generation ends; nothing for the first."""
    return f"-g{generation}" if generation > 1 else ""


def merged(
    batch_id: str, output_dir: Path, origins: Mapping[Origin, BatchView | None], *, no_server: bool = False
) -> BatchView:
    """Return one view of what the sources say of a batch; `no_server` where Temporal was asked in vain."""
    known = {name: view for name, view in origins.items() if view is not None}
    unknown = BatchView(id=batch_id, output_dir=output_dir)
    facts = {
        fact: _first(fact, [known[each] for each in order if each in known], unknown)
        for fact, order in FIRST_TO_KNOW.items()
    }
    state = _state(known)
    waiting_on = _waiting_on(known, state, no_server=no_server)
    if waiting_on and state == "running":
        state = "waiting"
    view = replace(unknown, **facts, state=state, waiting_on=waiting_on)
    return replace(
        view,
        total_rows=_total_rows(known, view),
        waiting=_waiting(known, waiting_on) if state == "waiting" else None,
        paused=view.paused if state == "paused" else None,
        cancelling=view.cancelling and state in {"running", "waiting"},
        finished_at=view.finished_at if state in ENDED else None,
        lost_manifest=_lost_manifest(view) if state in ENDED else None,
        error=_error(view),
    )


def _first(fact: str, views: list[BatchView], unknown: BatchView) -> Any:
    nothing = getattr(unknown, fact)
    return next((value for each in views if (value := getattr(each, fact)) != nothing), nothing)


def _state(known: Mapping[Origin, BatchView]) -> State:
    """Return the state: the receipt of an end, then an open run, then the manifest, then a run that has closed."""
    registry, server = known.get("registry"), known.get("server")
    workflow, manifest = known.get("workflow"), known.get("manifest")
    if registry and registry.state in ENDED:
        return registry.state
    if server and server.running:
        return workflow.state if workflow else "running"
    if manifest:
        return manifest.state
    if server:
        return server.state
    return "paused" if registry and registry.paused else "waiting"


def _waiting_on(known: Mapping[Origin, BatchView], state: State, *, no_server: bool) -> str | None:
    registry, server, workflow = known.get("registry"), known.get("server"), known.get("workflow")
    if server is None and state not in ENDED:
        return NO_SERVER if no_server and registry and registry.state == "running" else NOT_STARTED
    if server is None or state not in {"running", "waiting"}:
        return None
    if workflow is None:
        return server.waiting_on or NO_WORKER
    return workflow.waiting_on or server.waiting_on


def _waiting(known: Mapping[Origin, BatchView], waiting_on: str | None) -> Waiting | None:
    if "workflow" in known:
        return known["workflow"].waiting
    return known["registry"].waiting if waiting_on == NOT_STARTED and "registry" in known else None


def _total_rows(known: Mapping[Origin, BatchView], view: BatchView) -> int | None:
    if "workflow" in known and "manifest" not in known:
        return known["workflow"].total_rows
    return view.counts.records if view.state == "completed" else None


def _lost_manifest(view: BatchView) -> str | None:
    return str(view.output_dir / view.lost_manifest) if view.lost_manifest and not view.manifest else None


def _error(view: BatchView) -> str | None:
    """Return why the batch failed, or who cancelled it."""
    if view.state == "failed":
        return view.error or "the reason is not known here"
    return view.error if view.state == "cancelled" else None
