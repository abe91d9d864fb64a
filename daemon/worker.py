"""One worker process: polls the task queue, runs workflows and activities, stops cleanly.

The limits on an API are for the whole service: beside others of it, a worker has a share in them (`daemon.shares`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from datetime import timedelta
from importlib.metadata import version
from typing import Any

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.adapter import BatchActivities
from activities.api.calls.described_calls import ApiAccess
from activities.api.client import ApiOptions, EnrichmentClient
from activities.api.clients import UNNAMED, ApiClients, ConfiguredApi
from activities.api.quota.quota import Quota
from activities.api.transport.replies import public_address
from activities.feed_folders import FeedFolders, Folders
from activities.registry.receipts import Receipts
from activities.stall_detector import StallDetector
from activities.workspace import Workspace
from daemon.api_access import api_access, api_options, quota_of
from daemon.config.configuration import Configuration
from daemon.config.feed_settings import feed_of
from daemon.config.settings import Settings
from daemon.logs.step_log import StepLog
from daemon.metrics.measured import Measured, Measuring, measurements
from daemon.metrics.sdk import sdk_metrics
from daemon.shares.other_processes import OtherProcesses
from daemon.temporal.connection import connect
from daemon.traces.interceptors import TraceSteps
from daemon.traces.opened import opened_traces
from daemon.traces.tracing import Traces
from workflows.batch_workflows import (
    CursorBatchWorkflow,
    InMemoryBatchWorkflow,
    LoadChunksWorkflow,
    RetryFailedWorkflow,
)
from workflows.contract import LONG_PAGES_SUFFIX, task_timeout
from workflows.search_attributes import BUILD

HEARTBEAT_THROTTLE = timedelta(seconds=0.3)
"""A heartbeat is how a pause reaches an activity; the SDK would hold it back for most of the heartbeat timeout."""

MOST_STICKY = timedelta(seconds=10)
"""How long at most a workflow task waits for the process that holds its workflow: the SDK's own default."""

SHORT_STEPS = 200
"""Steps and pages of small files that one worker process does at once."""

LONG_PAGES = 64
"""Pages of other files. A page can use every call there may be, so more would only be more heartbeats."""

WORKFLOWS = [CursorBatchWorkflow, InMemoryBatchWorkflow, LoadChunksWorkflow, RetryFailedWorkflow]

Apply = Callable[[Configuration], Awaitable[None]]
"""Makes another configuration take hold."""

logger = logging.getLogger(__name__)


async def work(
    configuration: Configuration,
    stop: asyncio.Event,
    *,
    number: int = 1,
    beside: OtherProcesses | None = None,
    on_ready: Callable[[Apply], None] = lambda _: None,
    on_measured: Callable[[Measured], None] = lambda _: None,
) -> None:
    """Work the task queue until `stop` is set, as the `number`th process of the service; `beside` are the others.

    What is in flight then may finish or is handed back.
    `on_ready` is called once, with what makes another configuration take hold; `on_measured` once a second, with what
    was counted since.

    Raises:
        SettingsError: a certificate or the token of an API cannot be used.
        TemporalUnreachable: no server answered within the start timeout.
    """
    settings = configuration.service
    apis = api_clients(configuration, beside)
    folders = FeedFolders(feed_folders(configuration), Receipts(settings.state_dir.absolute()))

    async def apply(new: Configuration) -> None:
        made = await asyncio.to_thread(configured_apis, new, beside.count if beside else 1)
        folders.apply(feed_folders(new))
        await apis.apply(made)

    sdk = sdk_metrics(settings, number)
    client = await connect(settings, timeout_s=settings.start_timeout_s, runtime=sdk.runtime)
    tracing = opened_traces(f"worker-{number}", calls_every=settings.trace_calls_every)
    async with apis, StallDetector() as stall_detector, tracing as traces:
        workspace = _workspace(settings, folders)
        short, long = build_workers(settings, client, BatchActivities(workspace, apis, stall_detector), traces)
        async with measurements(Measuring(workspace.tally, apis.sessions, sdk.take), on_measured), short, long:
            logger.info("worker.ready", extra={"fields": {"task_queue": settings.task_queue}})
            on_ready(apply)
            await stop.wait()
            await asyncio.gather(short.shutdown(), long.shutdown())
    logger.info("worker.stopped")


def build_workers(
    settings: Settings, client: Client, activities: BatchActivities, traces: Traces | None = None
) -> tuple[Worker, Worker]:
    """Return the two halves of this process, not yet polling: what is short, and the pages of long files.

    Each has its own slots, so that no number of long files keeps a small one waiting.
    """
    options: dict[str, Any] = {
        "interceptors": [StepLog(), *([TraceSteps(traces)] if traces else [])],
        "build_id": f"{BUILD}{version('batchd')}",
        "identity": f"batchd-{version('batchd')}:{os.getpid()}@{socket.gethostname()}",
        "max_heartbeat_throttle_interval": HEARTBEAT_THROTTLE,
        "default_heartbeat_throttle_interval": HEARTBEAT_THROTTLE,
        "graceful_shutdown_timeout": timedelta(seconds=settings.stop_timeout_s * 0.8),
    }
    short = Worker(
        client,
        task_queue=settings.task_queue,
        workflows=WORKFLOWS,
        activities=activities.all(),
        # The sandbox costs a quarter of the orchestration time; replay tests and an import test hold the workflows
        # to what it would have caught.
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_concurrent_activities=SHORT_STEPS,
        # A killed process fetches no task. Another one is asked as soon as for a task that was fetched and lost.
        sticky_queue_schedule_to_start_timeout=min(task_timeout(settings.shape()), MOST_STICKY),
        **options,
    )
    long = Worker(
        client,
        task_queue=f"{settings.task_queue}{LONG_PAGES_SUFFIX}",
        activities=[activities.enrich_chunk],
        max_concurrent_activities=LONG_PAGES,
        **options,
    )
    return short, long


def api_clients(configuration: Configuration, beside: OtherProcesses | None = None) -> ApiClients:
    """Return the clients of a worker; `beside` are the other processes of the service.

    Raises:
        SettingsError: a certificate or the token of an API cannot be used.
    """
    if configuration.file is None:
        return ApiClients({UNNAMED: _client(UNNAMED, api_options(configuration.service), None, beside)})

    def new_client(name: str, api: ConfiguredApi) -> EnrichmentClient:
        return _client(name, api.access, api.quota, beside)

    made = configured_apis(configuration, beside.count if beside else 1)
    return ApiClients({name: new_client(name, api) for name, api in made.items()}, new_client)


def _client(
    name: str, api: ApiOptions | ApiAccess, quota: Quota | None, beside: OtherProcesses | None
) -> EnrichmentClient:
    shares, others = (beside.shares(name), beside.others(name)) if beside else (None, None)
    return EnrichmentClient(api, quota=quota, shares=shares, others=others)


def configured_apis(configuration: Configuration, processes: int = 1) -> dict[str, ConfiguredApi]:
    """Return what one of `processes` workers calls each API of a file with.

    Raises:
        SettingsError: a certificate of an API cannot be used.
    """
    state_dir = configuration.service.state_dir.absolute()
    return {
        name: ConfiguredApi(api_access(name, section), quota_of(name, section, state_dir, processes))
        for name, section in configuration.apis.items()
    }


def _workspace(settings: Settings, folders: FeedFolders) -> Workspace:
    return Workspace(
        folders=folders,
        receipts=Receipts(settings.state_dir.absolute()),
        api_url=public_address(settings.api_url),
        producer_version=version("batchd"),
    )


def feed_folders(configuration: Configuration) -> dict[str, Folders]:
    """Return the folders of each feed by its name, which is empty where no file names it."""
    return {
        feed_of(settings): Folders(
            inbox=settings.inbox.absolute(),
            output_root=settings.output_root.absolute(),
            settings=_shaping(settings),
        )
        for settings in configuration.settings_by_feed().values()
    }


def _shaping(settings: Settings) -> dict[str, object]:
    """Return the settings of the service, beside those of the batch, that shape a result."""
    return settings.model_dump(
        mode="json", include={"identity", "api_concurrency", "api_rate", "api_timeout_s", "api_attempts", "api_outage"}
    )
