"""The activities as domain verbs: each method is one step of a batch with its time limits and its label."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

from workflows.contract import (
    ENRICH_TIMEOUT,
    FILING_TIMEOUT,
    LAST_ATTEMPTS,
    LONG_PAGES_SUFFIX,
    MANIFEST_TIMEOUT,
    PREPARE_TIMEOUT,
    READ_TIMEOUT,
    SAVE_TIMEOUT,
    Activities,
    at_once,
    is_final,
    writing,
)
from workflows.models import CallLimits, ControlState, Cursor, Outcome, Page
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
from workflows.state import LiveBatch

FALLBACK_PAGES_AT_ONCE = 100
CONTROL = "pause, limits, cancel"

Request = TypeVar("Request")
Result = TypeVar("Result")


class Steps:
    """The steps of one batch. Every method is one activity.

    Of a small file all but the calls of the API take milliseconds, and what they cost is the round trips between
    worker and server. So they are tried once as local activities, which need none of their own. Where that does not
    work at once the ordinary activity takes over: its retries are seen from outside and cost no history.
    """

    def __init__(self, batch: LiveBatch) -> None:
        self._batch = batch
        self._shape = batch.shape
        self.are_local = batch.request.local_steps
        self._together = self.are_local and batch.request.steps_together
        self._heartbeat = timedelta(seconds=batch.shape.heartbeat_timeout_s)
        self._last_loaded = 0
        self._load_is_kept = True
        """Whether a workflow task has ended since the last load, so that nothing repeats it any more."""

    async def prepare(self) -> PreparedBatch:
        """Make the output folder ready for a batch with a schema: what every page of it needs."""
        return await self._do(
            Activities.prepare_batch,
            PrepareBatch(batch=self._batch.ref, schema=self._batch.request.schema),
            at_most=PREPARE_TIMEOUT,
            summary="schema",
        )

    async def load(self, cursor: Cursor, *, max_pages: int | None = None) -> LoadedPages:
        """Find the next pages at the cursor: as many as may be in flight, which costs little more than one."""
        self._load_is_kept = False
        loaded = await self._do(
            Activities.load_next_csv_page,
            LoadPages(
                batch=self._batch.ref,
                cursor=cursor,
                page_rows=self._shape.page_rows,
                max_pages=max_pages or self._shape.pages_in_flight,
            ),
            at_most=READ_TIMEOUT,
            summary=f"from page {cursor.page}",
        )
        self._last_loaded = loaded.pages[-1].number if loaded.pages else 0
        return loaded

    async def load_fallbacks(self, cursor: Cursor) -> LoadedPages:
        """Find pages of the generation before that hold fallback rows, from page `cursor.page` on."""
        return await self._do(
            Activities.load_fallback_pages,
            LoadPages(
                batch=self._batch.ref, cursor=cursor, page_rows=self._shape.page_rows, max_pages=FALLBACK_PAGES_AT_ONCE
            ),
            at_most=READ_TIMEOUT,
            summary=f"from page {cursor.page}",
        )

    async def enrich(
        self, page: Page, *, limits: CallLimits, probe: bool, stopped: Callable[[], bool]
    ) -> EnrichedPage | None:
        """Enrich a page; None when `stopped` became true first and the activity was called off.

        What the called-off activity had finished is durable, so the next attempt goes on from there. Pages of a file
        that is not small have a queue of their own, so that nothing short ever waits for a worker to end one.
        """
        queue, called_off = workflow.info().task_queue, False
        handle = workflow.start_activity_method(
            Activities.enrich_chunk,
            EnrichPage(
                batch=self._batch.ref,
                page=page,
                probe=probe,
                limits=limits,
                save=self._together,
                api=self._batch.request.api,
                again=bool(self._batch.state.damaged),
            ),
            task_queue=queue if self._batch.is_small else f"{queue}{LONG_PAGES_SUFFIX}",
            **writing(ENRICH_TIMEOUT, self._heartbeat),
            summary=f"{'probe, ' if probe else ''}page {page.number}: {page.records} rows from {page.first_row}",
        )
        try:
            await workflow.wait_condition(lambda: handle.done() or stopped())
            if not handle.done():
                called_off = handle.cancel()
            result: EnrichedPage = await handle
            self._load_is_kept = self._load_is_kept or page.number == self._last_loaded
            return result
        except asyncio.CancelledError:
            handle.cancel()
            raise
        except ActivityError as error:
            if is_cancelled_exception(error) or (called_off and self._may_be_worked_again(error)):
                return None
            raise

    @staticmethod
    def _may_be_worked_again(error: ActivityError) -> bool:
        """Return whether an attempt that was called off, and ended by a kill or a failure instead, may be made anew.

        Temporal makes no further attempt of an activity that was asked to end.
        """
        return not is_final(error) and workflow.patched("a-page-called-off-may-fail")

    async def save(self, page: Page) -> SavedChunk:
        """Make the chunk file of a page."""
        return await self._do(
            Activities.save_chunk,
            SavePage(batch=self._batch.ref, page=page, again=bool(self._batch.state.damaged)),
            at_most=SAVE_TIMEOUT,
            summary=f"page {page.number}",
        )

    async def write_manifest(self) -> WrittenManifest:
        """Write the manifest, or learn which pages are damaged. A cancelled batch tries a limited number of times.

        Where steps go together, the source is filed with it if that may be, see `file_source`.
        """
        state = self._batch.state
        asked = WriteManifest(
            batch=self._batch.ref,
            identity=self._batch.request.identity,
            mode=self._batch.mode,
            shape=self._shape,
            started_at=state.started_at,
            run_ids=state.run_ids,
            pauses=[*state.pauses, *([state.pause] if state.pause else [])],
            stats=state.stats,
            pages=state.pages,
            limits_log=state.limits_log,
            cancelled=state.cancel,
            checked=state.checked,
            feed=self._batch.request.feed,
            api=self._batch.request.api,
            config_sha256=self._batch.request.config_sha256,
            schema=self._batch.request.schema,
        )
        if self._together and self._load_is_kept and not state.cancel:
            try:
                return await workflow.execute_local_activity_method(
                    Activities.conclude_batch, asked, **at_once(), summary="manifest, filing"
                )
            except FailureError as error:
                if is_final(error):
                    raise
        return await self._do(
            Activities.write_manifest,
            asked,
            at_most=MANIFEST_TIMEOUT,
            most_attempts=LAST_ATTEMPTS if state.cancel else 0,
            summary=f"{state.pages} pages",
        )

    async def file_source(
        self,
        outcome: Outcome,
        *,
        manifest: str | None = None,
        reason: str = "",
        error_type: str = "",
    ) -> None:
        """Move the source away and close the receipt.

        What local activities did is forgotten where their workflow task is lost (by a kill, or a signal that comes
        meanwhile), and is done again. A load needs the source where it was: so this is a local activity only where no
        load can be repeated with it, at the good end of a batch.
        """
        state = self._batch.state
        if outcome == "cancelled" and state.cancel:
            reason = f"cancelled by {state.cancel.by or 'an operator'}: {state.cancel.reason or 'no reason given'}"
            reason += "" if manifest else "; no manifest could be written of what was done"
        await self._do(
            Activities.file_source,
            FileSource(
                batch=self._batch.ref,
                outcome=outcome,
                reason=reason,
                error_type=error_type,
                started_at=state.started_at,
                counts=state.counts,
                manifest=manifest,
            ),
            at_most=FILING_TIMEOUT,
            summary=outcome,
            may_be_local=outcome == "completed" and self._load_is_kept,
        )

    async def keep_control_state(self, control: ControlState) -> None:
        """Put the control state on disk at once, as part of the workflow task; where that fails, until it works."""
        request = KeepControlState(batch=self._batch.ref, state=control)
        try:
            await workflow.execute_local_activity_method(
                Activities.keep_control_state, request, **at_once(), summary=CONTROL
            )
        except FailureError:  # a local activity raises what it failed of as it is, without an ActivityError around it
            await workflow.execute_activity_method(
                Activities.keep_control_state,
                request,
                **writing(FILING_TIMEOUT, self._heartbeat),
                summary=CONTROL,
            )

    async def _do(
        self,
        activity: Callable[[Any, Request], Awaitable[Result]],
        request: Request,
        *,
        at_most: timedelta,
        most_attempts: int = 0,
        summary: str,
        may_be_local: bool = True,
    ) -> Result:
        if may_be_local and self.are_local:
            try:
                return await workflow.execute_local_activity_method(activity, request, **at_once(), summary=summary)
            except FailureError as error:  # of a local activity it comes without an ActivityError around it
                if is_final(error):
                    raise
        return await workflow.execute_activity_method(
            activity,
            request,
            **writing(at_most, self._heartbeat, most_attempts=most_attempts),
            summary=summary,
        )
