"""The one place where Temporal meets the work: each activity reads, acts, writes and returns a reference.

Nothing here decides. The modules that do the work know nothing of Temporal; this class hands them their request, keeps
the heartbeat going, and turns a stopping worker into a retry elsewhere. Blocking file work runs in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.api.client import Caps, EnrichmentClient, PageOutcome, PageRows, RowOutcome
from activities.api.clients import ApiClients
from activities.api.rows import RowCalls
from activities.batch_schema import Unprepared
from activities.disk.failpoints import failpoint
from activities.enrich_page import OpenPage
from activities.file_source import file_source
from activities.memory_budget import WORKER_BYTES, MemoryBudget
from activities.prepare_batch import prepare_batch
from activities.registry.control_states import keep_control_state
from activities.save_page import save_chunk
from activities.stall_detector import StallDetector
from activities.workspace import Workspace
from activities.write_manifest import conclude, finish
from workflows.contract import Activities
from workflows.errors import SettingsError, TransientError
from workflows.requests import (
    EnrichedPage,
    EnrichPage,
    FileSource,
    KeepControlState,
    LoadedPages,
    LoadPages,
    PrepareBatch,
    PreparedBatch,
    SavedChunk,
    SavePage,
    WriteManifest,
    WrittenManifest,
)

HEARTBEAT_S = 0.4
"""Pause and cancel reach an activity with a heartbeat, and must take hold within a second."""

STOOD_STILL = "StoodStill"

DELIVERY_S = 1.0
"""A page that was handed to a process before it stood still may reach its code this long after it woke up."""

MISSING_API_WAIT_S = 15.0
"""How soon a page is offered again that a worker had no API for."""

T = TypeVar("T")


class BatchActivities(Activities):
    """The activities of one worker process. They share its clients of the APIs."""

    def __init__(
        self,
        workspace: Workspace,
        clients: ApiClients,
        stall_detector: StallDetector,
        memory_bytes: int = WORKER_BYTES,
    ) -> None:
        self._workspace = workspace
        self._clients = clients
        self._stall_detector = stall_detector
        self._memory = MemoryBudget(memory_bytes)

    def all(self) -> list[Callable[..., Any]]:
        """Return every activity, for the worker."""
        return [
            self.prepare_batch,
            self.load_next_csv_page,
            self.load_csv_chunks,
            self.load_fallback_pages,
            self.enrich_chunk,
            self.save_chunk,
            self.write_manifest,
            self.file_source,
            self.conclude_batch,
            self.keep_control_state,
        ]

    @activity.defn(name="prepare_batch")
    async def prepare_batch(self, request: PrepareBatch) -> PreparedBatch:
        """Write the schema, and find the rows that repeat what is to be unique."""
        called_off = threading.Event()
        stopping = activity.is_worker_shutdown
        return await _in_thread(
            prepare_batch,
            self._workspace,
            request,
            lambda: called_off.is_set() or stopping(),
            on_cancel=called_off.set,
        )

    @activity.defn(name="load_next_csv_page")
    async def load_next_csv_page(self, request: LoadPages) -> LoadedPages:
        """Find the next pages at the cursor; nothing is written."""
        return await _in_thread(self._workspace.find_pages, request)

    @activity.defn(name="load_csv_chunks")
    async def load_csv_chunks(self, request: LoadPages) -> LoadedPages:
        """Find up to `max_pages` pages; nothing is written."""
        return await _in_thread(self._workspace.find_pages, request)

    @activity.defn(name="load_fallback_pages")
    async def load_fallback_pages(self, request: LoadPages) -> LoadedPages:
        """Find pages of the generation before that hold fallback rows; nothing is written."""
        return await _in_thread(self._workspace.find_fallback_pages, request)

    @activity.defn(name="enrich_chunk")
    async def enrich_chunk(self, request: EnrichPage) -> EnrichedPage:
        """Call the API for the rows that have no durable answer yet; each answer is on disk before the next call.

        Called again after a kill it goes on with what is left. Cancelled, it starts no further call and keeps the
        answers of those in flight.
        """
        lost = self._lost()
        with contextlib.ExitStack() as stack:
            try:
                client = stack.enter_context(self._clients.used(request.api))
                calls = client.calls_of(request.api) if request.api else None
            except SettingsError as error:  # nothing the batch can help: it waits for a worker that can
                return EnrichedPage(outcome="api_down", detail=str(error), retry_after_s=MISSING_API_WAIT_S)
            enriched = await self._enrich(request, client, calls, lost)
        if not request.save or enriched.outcome != "done":
            return enriched
        saving = SavePage(batch=request.batch, page=request.page, again=request.again)
        return replace(enriched, saved=await _in_thread(self._save, saving))

    async def _enrich(
        self, request: EnrichPage, client: EnrichmentClient, calls: RowCalls | None, lost: Callable[[], bool]
    ) -> EnrichedPage:
        try:
            return await self._enrich_opened(request, client, calls, lost)
        except Unprepared as error:
            return EnrichedPage(outcome="unprepared", detail=str(error))

    async def _enrich_opened(
        self, request: EnrichPage, client: EnrichmentClient, calls: RowCalls | None, lost: Callable[[], bool]
    ) -> EnrichedPage:
        async with self._opened(request) as work, _heartbeats(lambda: work.rows_done, each=work.sync):
            answered = None if client.answered_row else await asyncio.to_thread(work.answered_row)
            rows = PageRows(work.rows_to_call(probe=request.probe), request.probe, answered, calls, request.batch.feed)
            outcome = await _enriched(client, request, rows, work.keep, lost)
            if lost():
                raise ApplicationError("this worker stood still; another one has the page", type=STOOD_STILL)
            result = await asyncio.to_thread(work.result, outcome, probe=request.probe)
            failpoint("activity.done")
            return result

    @activity.defn(name="save_chunk")
    async def save_chunk(self, request: SavePage) -> SavedChunk:
        """Make the chunk file from the durable rows; the first writer wins."""
        return await _in_thread(self._save, request)

    @activity.defn(name="write_manifest")
    async def write_manifest(self, request: WriteManifest) -> WrittenManifest:
        """Hash what is on disk and write the manifest."""
        return await _in_thread(finish, self._workspace, request)

    @activity.defn(name="file_source")
    async def file_source(self, request: FileSource) -> None:
        """Move the source away and close the receipt."""
        await _in_thread(_file, self._workspace, request)

    @activity.defn(name="conclude_batch")
    async def conclude_batch(self, request: WriteManifest) -> WrittenManifest:
        """Write the manifest and, where that makes the batch complete, file the source."""
        return await _in_thread(conclude, self._workspace, request)

    @activity.defn(name="keep_control_state")
    async def keep_control_state(self, request: KeepControlState) -> None:
        """Put the pause, the limits and the cancel on disk. Mostly a local activity, which has no heartbeats."""
        await asyncio.to_thread(keep_control_state, self._workspace.receipts, request)

    def _save(self, request: SavePage) -> SavedChunk:
        with self._workspace.output(request.batch) as folder:
            return save_chunk(folder, request, self._workspace.tally)

    @contextlib.asynccontextmanager
    async def _opened(self, request: EnrichPage) -> AsyncIterator[OpenPage]:
        """Wait for memory and open the page, with heartbeats; called off meanwhile, no file stays open."""
        page_bytes = request.page.source_end - request.page.source_start
        async with contextlib.AsyncExitStack() as held:
            async with _heartbeats(lambda: 0):
                await held.enter_async_context(self._memory.share(page_bytes))
                opening = asyncio.ensure_future(asyncio.to_thread(OpenPage.open, self._workspace, request))
                try:
                    work = await asyncio.shield(opening)
                except asyncio.CancelledError:
                    (await opening).close()
                    raise
            held.push_async_callback(asyncio.to_thread, work.close)
            yield work

    def _lost(self) -> Callable[[], bool]:
        """Return what says whether the activity that asks has been given to another worker meanwhile."""
        timeout = activity.info().heartbeat_timeout
        patience_s = timeout.total_seconds() if timeout else float("inf")
        return partial(self._stall_detector.stalled_since, self._stall_detector.clock() - DELIVERY_S, patience_s)


async def _enriched(
    client: EnrichmentClient,
    request: EnrichPage,
    rows: PageRows,
    keep: Callable[[RowOutcome], None],
    lost: Callable[[], bool],
) -> PageOutcome:
    """Enrich `rows`; where the worker is to stop meanwhile, another one goes on."""
    caps = Caps(request.limits.concurrency, request.limits.rate)
    calls = asyncio.create_task(client.enrich(request.batch.id, rows, keep=keep, caps=caps, lost=lost))
    stopping = asyncio.create_task(activity.wait_for_worker_shutdown())
    try:
        await asyncio.wait({calls, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not calls.done():
            raise ApplicationError("the worker is stopping; another one goes on", type="WorkerStopping")
        return calls.result()
    finally:
        for task in (calls, stopping):
            task.cancel()
        await asyncio.wait({calls, stopping})


@contextlib.asynccontextmanager
async def _heartbeats(detail: Callable[[], int], *, each: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
    """Heartbeat with `detail` until the block ends, calling the blocking `each` in a thread every time.

    Heartbeats and block end together: where a beat or `each` fails, the block is cancelled and that error is raised.
    A local activity has none: it belongs to a workflow task, which the worker keeps alive by itself.
    """
    if activity.info().is_local:
        yield
        return

    async def beat() -> None:
        while True:
            # Rest first: most activities of small files end before, and each heartbeat is a write of the server.
            await asyncio.sleep(HEARTBEAT_S)
            activity.heartbeat(detail())
            await asyncio.to_thread(each)

    try:
        async with asyncio.TaskGroup() as together:
            beating = together.create_task(beat())
            try:
                yield
            finally:
                beating.cancel()
    except BaseExceptionGroup as failed:
        first = failed.exceptions[0]
    else:
        return
    raise first


def _file(workspace: Workspace, request: FileSource) -> None:
    file_source(workspace.inbox(request.batch), workspace.receipts, request, workspace.tally)


async def _in_thread(function: Callable[..., T], *arguments: object, on_cancel: Callable[[], None] = lambda: None) -> T:
    """Run blocking work in a thread with heartbeats, to its end: a thread cannot be called off half-way.

    Cancelled meanwhile, the activity ends when the thread does, which `on_cancel` may hasten, and says what came of it.
    Only an attempt that would be made again ends as cancelled: there will be no other.
    """
    async with _heartbeats(lambda: 0):
        working = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
        cancelled = await _ended(working, on_cancel)
    failpoint("activity.done")
    if cancelled and isinstance(working.exception(), TransientError):
        raise asyncio.CancelledError from working.exception()
    return working.result()


async def _ended(work: asyncio.Future[Any], on_cancel: Callable[[], None]) -> bool:
    """Wait until `work` has ended, and return whether somebody asked to be spared the wait."""
    cancelled = False
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            cancelled = True
            on_cancel()
    return cancelled
