"""The story of a batch, from the first page to the manifest, which all batch workflows share.

A batch is a queue of pages (`workflows.page_pool`). Everything that must outlive this run is in `BatchState`;
continue-as-new carries it, with the pages that are still open.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import ClassVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

from workflows.contract import cause_message, cause_type
from workflows.errors import PERMANENT, NoValidRow
from workflows.models import Control, Outcome, Page
from workflows.operator_signals import ControlOnDisk, OperatorSignals
from workflows.page_pool import PagePool, PageSource
from workflows.requests import WrittenManifest
from workflows.state import BatchRequest, BatchResult
from workflows.steps import Steps

KEPT_RUN_IDS = 200
DAMAGED_IN_THE_QUEUE = "damaged-pages-in-the-queue"
"""Since 0.2.0 damaged pages are worked several at once, and renew the history as others do."""
DAMAGED = "their files in the output folder are missing or not what was saved; the pages are worked again"
CANCELLED_IN_TEMPORAL = Control(by="temporal", reason="the workflow was cancelled in Temporal")

WORTH_WAITING_FOR = ("StorageFull", "InboxMissing")
"""Errors of the manifest step that a cancelled batch waits out: its source could not be filed either."""


class BatchWorkflow(OperatorSignals):
    """One batch from its first page to its manifest. Subclasses say where pages come from."""

    page_source: ClassVar[type[PageSource]]

    def __init__(self, request: BatchRequest) -> None:
        super().__init__(request)
        self._steps = Steps(self._batch)
        self._pages = PagePool(self._batch, self._steps, self._outage, self._pauses, self._publish_progress)
        self._source = self.page_source(self._batch, self._steps)
        self._control_on_disk = ControlOnDisk(self._batch, self._steps)
        self._work: asyncio.Task[BatchResult] | None = None
        self._cancelled_in_temporal = False
        self._manifest_file: str | None = None

    async def _work_to_the_end(self) -> BatchResult:
        """Work the batch. A cancel in Temporal is taken as the signal is: no step is called off half-way."""
        self._work = asyncio.create_task(self._from_first_page_to_manifest())
        while not self._work.done():
            try:
                await workflow.wait([self._work])
            except asyncio.CancelledError:
                self._cancel_in_temporal()
        result = self._work.result()
        if self._cancelled_in_temporal and result.status == "cancelled":
            raise asyncio.CancelledError
        return result

    async def _from_first_page_to_manifest(self) -> BatchResult:
        self._begin()
        try:
            await self._prepare()
            await self._work_all_pages()
            written = await self._write_manifest()
            while written.damaged:
                await self._work_again(written)
                written = await self._write_manifest()
            self._refuse_where_no_row_is_valid(written)
            await self._file_source(written)
        except FailureError as error:
            await self._fail(error)
            raise ApplicationError(cause_message(error), type="BatchFailed", non_retryable=True) from error
        return BatchResult(
            id=self._batch.request.id, status=written.status, manifest=written.file or "", counts=written.counts
        )

    def _begin(self) -> None:
        state = self._batch.state
        self._batch.state = replace(
            state,
            started_at=state.started_at or self._batch.now(),
            run_ids=[*state.run_ids, workflow.info().run_id][-KEPT_RUN_IDS:],
        )
        self._publish_progress()
        self._listed.start()
        if self._batch.request.generation == 1:  # a retry of fallback rows is started by hand, never by itself again
            self._control_on_disk.start()

    async def _prepare(self) -> None:
        state, request = self._batch.state, self._batch.request
        if not request.schema or request.generation > 1 or state.prepared or state.cancel:
            return
        preparing = asyncio.create_task(self._steps.prepare())
        await workflow.wait_condition(lambda: preparing.done() or self._batch.cancelled)
        try:
            if self._batch.cancelled:  # it may be tried again for ever
                preparing.cancel()
            await preparing
            self._batch.state = replace(self._batch.state, prepared=True)
        except (FailureError, asyncio.CancelledError):
            if not self._batch.cancelled:
                raise

    async def _work_all_pages(self) -> None:
        try:
            await self._work_pages()
        except BaseException as error:
            if not is_cancelled_exception(error):
                raise
            self._cancelled_in_temporal = True  # a batch that 0.1.0 began, see _cancel_in_temporal
            self.cancel(CANCELLED_IN_TEMPORAL)
            await self._work_pages()

    async def _work_pages(self) -> None:
        """Load, start and wait for pages until none is left; renew the history on the way where it has grown long."""
        while not self._all_done():
            if self._pages.failure:
                await self._pages.stop()
                raise self._pages.failure
            if self._batch.turnover_due:
                await self._continue_as_new()
            self._pages.start_pages()
            if self._may_load():
                self._pages.enqueue(await self._source.load())
            else:
                await workflow.wait_condition(self._something_to_do)

    def _all_done(self) -> bool:
        if self._batch.cancelled:
            return self._pages.is_idle
        return self._batch.all_saved and self._pages.is_idle and not self._batch.waits_for_answer

    def _something_to_do(self) -> bool:
        return (
            self._pages.failure is not None
            or self._all_done()
            or self._may_load()
            or (self._pages.has_pending and self._pages.may_start())
            or self._ready_to_turn_over()
        )

    def _may_load(self) -> bool:
        wanted = self._batch.state.cursor is not None and not self._pages.has_pending
        return wanted and not self._pages.is_held and not self._batch.turnover_due

    def _call_off_load(self) -> None:
        if self._work is not None:
            self._source.call_off(self._work)

    def _cancel_in_temporal(self) -> None:
        if workflow.patched("cancel-in-temporal-calls-nothing-off"):
            self._cancelled_in_temporal = True
            self.cancel(CANCELLED_IN_TEMPORAL)
        elif self._work is not None:
            self._work.cancel()

    def _ready_to_turn_over(self) -> bool:
        return self._batch.turnover_due and self._pages.is_blocked and self._control_on_disk.is_current()

    async def _continue_as_new(self) -> None:
        await workflow.wait_condition(
            lambda: self._ready_to_turn_over() or self._pages.failure is not None or self._batch.cancelled
        )
        if not self._ready_to_turn_over():
            return
        await self._pages.stop()
        await workflow.wait_condition(workflow.all_handlers_finished)
        open_pages = [page for _, page in sorted(self._batch.open_pages.items())]
        state = replace(self._batch.state, open_pages=open_pages, outage_since=self._outage.since)
        workflow.continue_as_new(replace(self._batch.request, state=state))

    async def _write_manifest(self) -> WrittenManifest:
        """Ask for the manifest until it is written; of a cancelled batch only for a while: a cancel has to end it."""
        while True:
            try:
                return await self._steps.write_manifest()
            except FailureError as error:
                kind = cause_type(error)
                if not self._batch.cancelled or kind in PERMANENT:
                    raise
                if kind not in WORTH_WAITING_FOR:
                    return WrittenManifest(file=None, status="cancelled", counts=self._batch.state.counts)

    async def _work_again(self, written: WrittenManifest) -> None:
        """Work pages again whose files were damaged on disk after they had been saved, as pages are always worked."""
        if not workflow.patched(DAMAGED_IN_THE_QUEUE):
            for page in written.damaged:
                await self._work_alone(page)
            return
        self._batch.log("batch.damaged", logging.WARNING, pages=str(len(written.damaged)), why=DAMAGED)
        self._pages.enqueue(written.damaged)
        damaged = self._batch.state.damaged + len(written.damaged)
        self._batch.state = replace(self._batch.state, damaged=damaged, checked=written.checked)
        await self._work_pages()

    async def _work_alone(self, page: Page) -> None:
        """Work one page again. Only for batches that 0.1.0 began to conclude."""
        self._pages.start(page)
        await workflow.wait_condition(lambda: self._pages.is_idle)
        if self._pages.failure:
            raise self._pages.failure

    def _refuse_where_no_row_is_valid(self, written: WrittenManifest) -> None:
        self._batch.state = replace(self._batch.state, counts=written.counts, total_rows=written.counts.records)
        if written.failure and workflow.patched("no-valid-row-fails-the-batch"):
            self._manifest_file = written.file
            raise ApplicationError(written.failure, type=NoValidRow.__name__, non_retryable=True)

    async def _file_source(self, written: WrittenManifest) -> None:
        outcome: Outcome = "cancelled" if written.status == "cancelled" else "completed"
        if not written.filed:
            await self._steps.file_source(outcome, manifest=written.file)
        self._end(outcome)  # only now: a source that cannot be filed yet is something the batch waits for

    async def _fail(self, error: FailureError) -> None:
        message, kind = cause_message(error), cause_type(error)
        await self._steps.file_source("failed", manifest=self._manifest_file, reason=message, error_type=kind)
        self._end("failed")

    def _end(self, outcome: Outcome) -> None:
        self._batch.outcome = outcome
        self._publish_progress()
        self._listed.note_end()
