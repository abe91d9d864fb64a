"""What workflows ask of activities: names, requests and results, how often one is tried, how long it may take.

Workflows call these abstract methods by reference, so mypy checks both sides and no workflow imports an activity.
`activities.adapter.BatchActivities` implements them; a test holds the two together.

Attempts are not counted: an attempt lost to a restart would count against a maximum. What may be retried is retried
until it works, and what cannot work is listed by type, so a batch either goes on by itself or fails with its reason.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    is_cancelled_exception,
)
from temporalio.workflow import ActivityCancellationType

from workflows.errors import PERMANENT, shortened
from workflows.models import Shape
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

RETRIES = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=30),
    # PayloadsTooLarge is retryable by default and would be retried for ever.
    non_retryable_error_types=[*PERMANENT, "PayloadsTooLarge"],
)

ONCE = RetryPolicy(maximum_attempts=1, non_retryable_error_types=RETRIES.non_retryable_error_types)
"""For a local activity: each retry of one would be events in the history, those of an ordinary one are not."""

READ_TIMEOUT = timedelta(minutes=30)
"""Finding a page is a matter of milliseconds; a record at its cap on a slow disk is the long case."""

ENRICH_TIMEOUT = timedelta(hours=24)
"""A page takes as long as the API and its rate limit want; a dead worker is found by the heartbeat, not by this."""

SAVE_TIMEOUT = timedelta(minutes=30)

MANIFEST_TIMEOUT = timedelta(hours=6)
"""Hashes the source and every chunk once."""

LAST_ATTEMPTS = 8
"""How often the manifest of a cancelled batch is tried, a minute and a half: its source may be what cannot be read."""

PREPARE_TIMEOUT = timedelta(hours=6)
"""Reads the whole source once, where a schema wants something to be unique."""

FILING_TIMEOUT = timedelta(minutes=30)

LOCAL_MAX_BYTES = 1_048_576
"""Files up to this many bytes are small: reading, hashing and moving them takes milliseconds."""

LOCAL_TIMEOUT = timedelta(seconds=20)
"""After this a short step is no short one, for a disk that hangs; the ordinary activity takes over."""

LONG_PAGES_SUFFIX = "-pages"
"""Behind the name of the task queue, that of the queue for pages of files that are not small."""


def writing(timeout: timedelta, heartbeat_timeout: timedelta, *, most_attempts: int = 0) -> dict[str, Any]:
    """Return the options of an activity that writes: the workflow waits until a cancelled one has really ended.

    It is tried `most_attempts` times, for ever with 0.
    """
    return {
        "start_to_close_timeout": timeout,
        "heartbeat_timeout": heartbeat_timeout,
        "retry_policy": replace(RETRIES, maximum_attempts=most_attempts),
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    }


def steps_are_local(size_bytes: int) -> bool:
    """Return whether the short steps of a file of that size are local activities."""
    return size_bytes <= LOCAL_MAX_BYTES


def at_once() -> dict[str, Any]:
    """Return the options of a local activity that is tried once, and waited for even where it is cancelled."""
    return {
        "start_to_close_timeout": LOCAL_TIMEOUT,
        "retry_policy": ONCE,
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    }


def task_timeout(shape: Shape) -> timedelta:
    """Return after how long a worker that is silent in a workflow task has lost it: as soon as one that does a page.

    The bounds are 2 s, which a busy worker may need, and 60 s, of the 120 that the server takes.
    """
    return timedelta(seconds=min(max(shape.heartbeat_timeout_s, 2.0), 60.0))


def is_final(error: FailureError) -> bool:
    """Return whether the ordinary activity would not do better than the local one."""
    if is_cancelled_exception(error):
        return True
    cause = error.cause if isinstance(error, ActivityError) else error
    listed = RETRIES.non_retryable_error_types or ()
    return isinstance(cause, ApplicationError) and (cause.non_retryable or cause.type in listed)


def cause_message(error: FailureError) -> str:
    """Return the message of what an activity raised: what an operator can act on, not what caused that in turn."""
    cause: BaseException = error
    while isinstance(cause, ActivityError | ChildWorkflowError) and cause.cause is not None:
        cause = cause.cause
    return shortened(getattr(cause, "message", "") or str(cause))


def cause_type(error: FailureError) -> str:
    """Return the class name of what an activity raised."""
    cause = error.cause if isinstance(error, ActivityError) and error.cause else error
    return cause.type if isinstance(cause, ApplicationError) and cause.type else type(cause).__name__


class Activities(ABC):
    """Everything a batch does to the world. Each method is idempotent: doing it twice leaves what once left."""

    @abstractmethod
    @activity.defn(name="prepare_batch")
    async def prepare_batch(self, request: PrepareBatch) -> PreparedBatch:
        """Put the schema of a batch into its output folder, and find the rows that repeat what is to be unique."""

    @abstractmethod
    @activity.defn(name="load_next_csv_page")
    async def load_next_csv_page(self, request: LoadPages) -> LoadedPages:
        """Find the next pages, up to `max_pages`, at the cursor."""

    @abstractmethod
    @activity.defn(name="load_csv_chunks")
    async def load_csv_chunks(self, request: LoadPages) -> LoadedPages:
        """Find all pages of a small file."""

    @abstractmethod
    @activity.defn(name="load_fallback_pages")
    async def load_fallback_pages(self, request: LoadPages) -> LoadedPages:
        """Find up to `max_pages` pages of the generation before that hold fallback rows, from `cursor.page` on."""

    @abstractmethod
    @activity.defn(name="enrich_chunk")
    async def enrich_chunk(self, request: EnrichPage) -> EnrichedPage:
        """Call the API once for each row of the page that has no durable answer yet."""

    @abstractmethod
    @activity.defn(name="save_chunk")
    async def save_chunk(self, request: SavePage) -> SavedChunk:
        """Make the chunk file, and the rejected file where there is one, from the durable rows."""

    @abstractmethod
    @activity.defn(name="write_manifest")
    async def write_manifest(self, request: WriteManifest) -> WrittenManifest:
        """Hash what is on disk and write the completion manifest, last and atomically."""

    @abstractmethod
    @activity.defn(name="file_source")
    async def file_source(self, request: FileSource) -> None:
        """Move the claimed file to where finished sources go, and close the receipt."""

    @abstractmethod
    @activity.defn(name="conclude_batch")
    async def conclude_batch(self, request: WriteManifest) -> WrittenManifest:
        """Write the manifest and, where that makes the batch complete, file the source."""

    @abstractmethod
    @activity.defn(name="keep_control_state")
    async def keep_control_state(self, request: KeepControlState) -> None:
        """Put the pause, the limits and the cancel of a running batch on disk."""
