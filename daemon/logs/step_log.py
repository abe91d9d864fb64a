"""What the log says of steps that fail: one line when a batch begins to wait for something, one when it goes on.

A step (an activity) is tried again until it works, so each failed attempt would be a line of its own, with a traceback
by the SDK. Foreseeable failures are logged here instead; see `is_foreseeable` for the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.adapter import STOOD_STILL
from daemon.logs.context import step_in_log
from workflows.errors import BatchdError, InboxMissing, PermanentError, StorageFull, shortened
from workflows.ids import printable
from workflows.models import BatchRef

KEPT_BATCHES = 1_000
"""A batch whose failing step is done by another worker would stay here for ever."""

GIVEN_UP_S = 90.0
"""A step is tried at least every 30 s; one that is not was called off, or is done by another worker."""

logger = logging.getLogger(__name__)


def is_foreseeable(error: BaseException | None) -> bool:
    """Return whether an error is one that the log explains without a traceback."""
    return isinstance(error, BatchdError | OSError | ApplicationError | asyncio.CancelledError)


class Waits:
    """What the batches wait for, as far as one worker process has seen."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._batches: OrderedDict[str, dict[str, tuple[str, float]]] = OrderedDict()
        """By batch and step: what it waits for, and when it was last tried in vain."""

    def failed(self, batch: BatchRef, step: str, error: Exception) -> None:
        """Note that a step failed, and log it where the batch did not wait for the same thing already."""
        on, now_s = _waited_for(error), self._clock()
        steps = self._batches.setdefault(batch.id, {})
        for given_up in [each for each, (_, at_s) in steps.items() if now_s - at_s > GIVEN_UP_S]:
            del steps[given_up]
        if on not in {each for each, _ in steps.values()}:
            fields = {"on": on, "why": printable(shortened(str(error), 500))}
            logger.warning("batch.waiting", extra={"fields": {**batch.log_fields, **fields}})
        steps[step] = on, now_s
        if len(self._batches) > KEPT_BATCHES:
            self._batches.popitem(last=False)

    def done(self, batch: BatchRef, step: str) -> None:
        """Note that a step was done, and log it where it was the last that the batch waited for."""
        steps = self._batches.get(batch.id, {})
        if steps.pop(step, None) is not None and not steps:
            del self._batches[batch.id]
            logger.info("batch.running", extra={"fields": batch.log_fields})


class StepLog(Interceptor):
    """Watches the activities of a worker."""

    def __init__(self) -> None:
        self._waits = Waits()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's
        """Return what watches one activity."""
        return _WatchedStep(next, self._waits)


class _WatchedStep(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, waits: Waits) -> None:
        super().__init__(following)
        self._waits = waits

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        """Do the step, and note how it went."""
        info, batch = activity.info(), input.args[0].batch
        step_in_log.set(_about(input.args[0]))  # to the end of the task, so also for what the SDK says of it
        if info.is_local:  # tried once; where it fails, an ordinary activity follows, and is what the batch waits for
            return await self.next.execute_activity(input)
        step = f"{info.workflow_id} {info.activity_id}"
        try:
            result = await self.next.execute_activity(input)
        except PermanentError:
            raise  # the batch fails, and whoever files its source says so
        except (BatchdError, OSError) as error:
            self._waits.failed(batch, step, error)
            raise
        except ApplicationError as error:
            if error.type == STOOD_STILL:
                logger.warning("worker.stood_still", extra={"fields": {**batch.log_fields, "why": error.message}})
            raise
        self._waits.done(batch, step)
        return result


def _about(request: Any) -> dict[str, object]:
    """Return what a step is about, of what its request has."""
    feed = {"feed": request.batch.feed} if request.batch.feed else {}
    page = getattr(request, "page", None)
    return {**feed, "batch": request.batch.id, **({} if page is None else {"page": page.number})}


def _waited_for(error: Exception) -> str:
    if isinstance(error, StorageFull):
        return "disk"
    return "inbox" if isinstance(error, InboxMissing) else "retry"
