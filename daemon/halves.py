"""The halves of the service, for hosts that have one of them each: `watch` (the inboxes), `work` (the task queue)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial

from temporalio.client import Client

from daemon.config.api_token import api_token
from daemon.config.configuration import Configuration
from daemon.folders import check_inboxes, prepare_folders
from daemon.intake.inboxes import Inboxes
from daemon.metrics.service_metrics import ServiceMetrics
from daemon.processes.configured_children import ConfiguredChildren
from daemon.processes.restarts import Supervisor
from daemon.processes.signs_of_life import SilentChildren
from daemon.reloader import Reloader, reloads
from daemon.service_children import as_given, until_ready, workers_of
from daemon.shares.service_shares import Shares
from daemon.signals import Signals, unless_stopped
from daemon.temporal.connection import connect
from daemon.temporal.server_probe import ServerProbe
from daemon.temporal.traced_starter import traced_starters
from daemon.traces.interceptors import carrying
from daemon.traces.opened import opened_traces
from daemon.watchdog import Signs
from daemon.worker import Apply, work


async def watch(
    configuration: Configuration,
    signals: Signals,
    metrics: ServiceMetrics,
    signs: Signs,
    *,
    on_ready: Callable[[], None],
) -> None:
    """Watch the inboxes and start batches until it is asked to stop."""
    settings = configuration.service
    prepare_folders(settings, configuration.settings_by_feed())
    async with opened_traces("daemon", calls_every=settings.trace_calls_every) as traces:
        client = await connect(settings, timeout_s=settings.start_timeout_s, interceptors=carrying(traces))
        inboxes = Inboxes(settings, await traced_starters(client, traces))
        metrics.watch(inboxes)
        reloader = Reloader("watch", configuration, lambda new: inboxes.apply(new.settings_by_feed()), check_inboxes)
        signs.inboxes, signs.reloader = inboxes, reloader
        async with _probed(client, signs), reloads(reloader, signals.hangups):
            await inboxes.run(reloader.accepted.settings_by_feed(), signals.stop, on_ready=on_ready)


async def work_all(
    configuration: Configuration,
    signals: Signals,
    metrics: ServiceMetrics,
    signs: Signs,
    *,
    on_ready: Callable[[], None],
) -> None:
    """Work the task queue until it is asked to stop, in as many processes as the settings say."""
    settings = configuration.service
    prepare_folders(settings, configuration.settings_by_feed(), makes_inbox=False)
    api_token(settings)
    client = await connect(
        settings, timeout_s=settings.start_timeout_s
    )  # what is wrong is said once, before any starts
    async with _probed(client, signs):
        if configuration.worker_processes() == 1:
            await _work_here(configuration, signals, metrics, on_ready)
        else:
            await _work_in_processes(configuration, signals, metrics, signs, on_ready)


async def _work_in_processes(
    configuration: Configuration,
    signals: Signals,
    metrics: ServiceMetrics,
    signs: Signs,
    on_ready: Callable[[], None],
) -> None:
    """Work the task queue in processes of their own."""
    settings = configuration.service
    reloader = Reloader("work", configuration, lambda new: configured.configure(*as_given(new)))
    workers, supervisor = workers_of(reloader), Supervisor()
    configured = ConfiguredChildren(workers)
    metrics.follow(workers)
    supervisor.keep("shares", Shares(workers).keep)
    signs.workers, signs.reloader = workers, reloader
    signs.silent_children = SilentChildren(workers, server_answers=lambda: signs.server_answers)
    supervisor.keep("signs of life", signs.silent_children.watch)
    try:
        for worker in workers:
            supervisor.keep(worker.name, worker.keep_running)
        if await unless_stopped(signals.stop, until_ready(workers, settings)):
            async with reloads(reloader, signals.hangups):
                on_ready()
                await signals.stop.wait()
    finally:
        await supervisor.stop()
        await asyncio.gather(*(worker.stop(settings.stop_timeout_s) for worker in workers))


@contextlib.asynccontextmanager
async def _probed(client: Client, signs: Signs) -> AsyncIterator[None]:
    """Ask all the time whether the server answers, while the block lasts."""
    signs.probe = ServerProbe(client)
    supervisor = Supervisor()
    supervisor.keep("probe", signs.probe.run)
    try:
        yield
    finally:
        await supervisor.stop()


async def _work_here(
    configuration: Configuration, signals: Signals, metrics: ServiceMetrics, on_ready: Callable[[], None]
) -> None:
    """Work the task queue in this process."""
    async with contextlib.AsyncExitStack() as stack:
        entered: list[asyncio.Task[None]] = []

        def ready(apply: Apply) -> None:
            reloading = reloads(Reloader("work", configuration, apply), signals.hangups)
            entered.append(asyncio.create_task(stack.enter_async_context(reloading)))
            on_ready()

        await work(configuration, signals.stop, on_ready=ready, on_measured=partial(metrics.totals.add, "worker"))
        await asyncio.gather(*entered)
