"""The activities as domain verbs: each method is one step of a batch with its time limits and its label."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    is_cancelled_exception,
)

from workflows.contract import Activities
from workflows.errors import shortened
from workflows.models import BatchRef, CallLimits, ControlState, Cursor, Mode, Outcome, Page, Shape
from workflows.policies import (
    ENRICH_TIMEOUT,
    FILING_TIMEOUT,
    LAST_ATTEMPTS,
    LONG_PAGES_SUFFIX,
    MANIFEST_TIMEOUT,
    READ_TIMEOUT,
    RETRIES,
    SAVE_TIMEOUT,
    at_once,
    writing,
)
from workflows.requests import (
    EnrichedPage,
    EnrichPage,
    FileSource,
    KeepControlState,
    LoadedPages,
    LoadPages,
    SavedChunk,
    SavePage,
    WriteManifest,
    WrittenManifest,
)
from workflows.state import BatchRequest, BatchState, Progress

FALLBACK_PAGES_AT_ONCE = 100

Request = TypeVar("Request")
Result = TypeVar("Result")


class Steps:
    """The steps of one batch. Every method is one activity.

    Of a small file all but the calls of the API take milliseconds, and what they cost is the round trips between
    worker and server. So they are tried once as local activities, which need none of their own. Where that does not
    work at once the ordinary activity takes over: its retries are seen from outside and cost no history.
    """

    def __init__(self, batch: BatchRef, shape: Shape, *, local: bool, together: bool = False) -> None:
        self._batch = batch
        self._shape = shape
        self.are_local = local
        self._together = local and together
        self._heartbeat = timedelta(seconds=shape.heartbeat_timeout_s)
        self._last_loaded = 0
        self._load_is_kept = True
        """Whether a workflow task has ended since the last load, so that nothing repeats it any more."""

    async def load(self, cursor: Cursor, *, max_pages: int | None = None) -> LoadedPages:
        """Find the next pages at the cursor: as many as may be in flight, which costs little more than one."""
        self._load_is_kept = False
        loaded = await self._do(
            Activities.load_next_csv_page,
            LoadPages(
                batch=self._batch,
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
                batch=self._batch, cursor=cursor, page_rows=self._shape.page_rows, max_pages=FALLBACK_PAGES_AT_ONCE
            ),
            at_most=READ_TIMEOUT,
            summary=f"from page {cursor.page}",
        )

    async def enrich(
        self, page: Page, *, limits: CallLimits, probe: bool, small: bool, stopped: Callable[[], bool]
    ) -> EnrichedPage | None:
        """Enrich a page; None when `stopped` became true first and the activity was called off.

        What the called-off activity had finished is durable, so the next attempt goes on from there. Pages of a file
        that is not `small` have a queue of their own, so that nothing short ever waits for a worker to end one.
        """
        queue = workflow.info().task_queue
        handle = workflow.start_activity_method(
            Activities.enrich_chunk,
            EnrichPage(batch=self._batch, page=page, probe=probe, limits=limits, save=self._together),
            task_queue=queue if small else f"{queue}{LONG_PAGES_SUFFIX}",
            **writing(ENRICH_TIMEOUT, self._heartbeat),
            summary=f"{'probe, ' if probe else ''}page {page.number}: {page.records} rows from {page.first_row}",
        )
        try:
            await workflow.wait_condition(lambda: handle.done() or stopped())
            if not handle.done():
                handle.cancel()
            result: EnrichedPage = await handle
            self._load_is_kept = self._load_is_kept or page.number == self._last_loaded
            return result
        except asyncio.CancelledError:
            handle.cancel()
            raise
        except ActivityError as error:
            if is_cancelled_exception(error):
                return None
            raise

    async def save(self, page: Page) -> SavedChunk:
        """Make the chunk file of a page."""
        return await self._do(
            Activities.save_chunk,
            SavePage(batch=self._batch, page=page),
            at_most=SAVE_TIMEOUT,
            summary=f"page {page.number}",
        )

    async def manifest(self, request: BatchRequest, state: BatchState, mode: Mode) -> WrittenManifest:
        """Write the manifest, or learn which pages are damaged. A cancelled batch tries a limited number of times.

        Where steps go together, the source is filed with it if that may be, see `file`.
        """
        asked = WriteManifest(
            batch=self._batch,
            identity=request.identity,
            mode=mode,
            shape=self._shape,
            started_at=state.started_at,
            run_ids=state.run_ids,
            pauses=[*state.pauses, *([state.pause] if state.pause else [])],
            stats=state.stats,
            pages=state.pages,
            limits_log=state.limits_log,
            cancelled=state.cancel,
            checked=state.checked,
        )
        if self._together and self._load_is_kept and not state.cancel:
            try:
                return await workflow.execute_local_activity_method(Activities.conclude_batch, asked, **at_once())
            except FailureError as error:
                if _is_final(error):
                    raise
        return await self._do(
            Activities.write_manifest,
            asked,
            at_most=MANIFEST_TIMEOUT,
            most_attempts=LAST_ATTEMPTS if state.cancel else 0,
        )

    async def file(
        self,
        outcome: Outcome,
        state: BatchState,
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
        if outcome == "cancelled" and state.cancel:
            reason = f"cancelled by {state.cancel.by or 'an operator'}: {state.cancel.reason or 'no reason given'}"
            reason += "" if manifest else "; no manifest could be written of what was done"
        await self._do(
            Activities.file_source,
            FileSource(
                batch=self._batch,
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

    async def keep(self, control: ControlState) -> None:
        """Put the control state on disk at once, as part of the workflow task; where that fails, until it works."""
        request = KeepControlState(batch=self._batch, state=control)
        try:
            await workflow.execute_local_activity_method(Activities.keep_control_state, request, **at_once())
        except FailureError:  # a local activity raises what it failed of as it is, without an ActivityError around it
            await workflow.execute_activity_method(
                Activities.keep_control_state,
                request,
                **writing(FILING_TIMEOUT, self._heartbeat),
                summary="pause, limits, cancel",
            )

    async def _do(
        self,
        activity: Callable[[Any, Request], Awaitable[Result]],
        request: Request,
        *,
        at_most: timedelta,
        most_attempts: int = 0,
        summary: str | None = None,
        may_be_local: bool = True,
    ) -> Result:
        if may_be_local and self.are_local:
            try:
                return await workflow.execute_local_activity_method(activity, request, **at_once(), summary=summary)
            except FailureError as error:  # of a local activity it comes without an ActivityError around it
                if _is_final(error):
                    raise
        return await workflow.execute_activity_method(
            activity,
            request,
            **writing(at_most, self._heartbeat, most_attempts=most_attempts),
            summary=summary,
        )

    def details(self, progress: Progress) -> str:
        """Return the progress as the markdown that Temporal's own web page shows."""
        counts = progress.counts
        share = 100 * progress.done_bytes / max(progress.size_bytes, 1)
        lines = [
            f"**{progress.state}** - {self._batch.source.name}",
            f"{counts.records:,} rows done ({share:.0f} % of the file)",
            f"{counts.enriched:,} enriched, {counts.fallback:,} fallback, {counts.rejected:,} rejected",
        ]
        if progress.paused:
            lines.append(f"paused by {progress.paused.by or 'an operator'}: {progress.paused.reason or 'no reason'}")
        if progress.waiting:
            lines.append(f"waiting for the {progress.waiting.on} since {progress.waiting.since}")
        return "\n\n".join(lines)


def _is_final(error: FailureError) -> bool:
    """Tell whether the ordinary activity would not do better than the local one."""
    if is_cancelled_exception(error):
        return True
    cause = error.cause if isinstance(error, ActivityError) else error
    listed = RETRIES.non_retryable_error_types or ()
    return isinstance(cause, ApplicationError) and (cause.non_retryable or cause.type in listed)


def told(error: FailureError) -> str:
    """Return the message of what an activity raised: what an operator can act on, not what caused that in turn."""
    cause: BaseException = error
    while isinstance(cause, ActivityError | ChildWorkflowError) and cause.cause is not None:
        cause = cause.cause
    return shortened(getattr(cause, "message", "") or str(cause))


def error_type(error: FailureError) -> str:
    """Return the class name of what an activity raised."""
    cause = error.cause if isinstance(error, ActivityError) and error.cause else error
    return cause.type if isinstance(cause, ApplicationError) and cause.type else type(cause).__name__
