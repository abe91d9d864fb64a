"""The three services: `run` (everything), `watch` (the inboxes), `work` (the task queue).

`run` is the parent of a process group: the embedded server, the workers, the mock API when asked for. It watches the
inboxes itself, starts again whatever of them ends, and stops them in the order that loses nothing: first the intake,
then the workers, last the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import TypeVar

from temporalio.client import Client

from activities.registry.receipts import Receipts
from daemon.config.api_token import api_token
from daemon.config.configuration import Configuration
from daemon.config.findings import Finding
from daemon.config.settings import Settings
from daemon.folders import prepare_folders, prepare_inbox
from daemon.health import Answers, health_endpoint
from daemon.intake.inboxes import Inboxes
from daemon.logs.set_up import is_json
from daemon.metrics.service_metrics import ServiceMetrics
from daemon.notify import notify, starting, stopping
from daemon.processes.child import Child, own_environment, plain_environment
from daemon.processes.configured_children import ConfiguredChildren
from daemon.processes.messages import Configure
from daemon.processes.restarts import Supervisor
from daemon.processes.signs_of_life import SilentChildren
from daemon.ready_report import ready_report
from daemon.reloader import Reloader, reloads
from daemon.shares.service_shares import Shares
from daemon.signals import Signals
from daemon.temporal.connection import connect
from daemon.temporal.embedded_server import EmbeddedServer
from daemon.temporal.outside_server import outside_server
from daemon.temporal.server_probe import ServerProbe
from daemon.temporal.traced_starter import traced_starters
from daemon.traces.interceptors import carrying
from daemon.traces.opened import opened_traces
from daemon.traces.tracing import Traces
from daemon.watchdog import SERVER_SILENT_S, Signs, signs_for_systemd
from daemon.worker import Apply, work
from workflows.errors import SettingsError, TemporalUnreachable

MOCK_STOP_S = 3.0
T = TypeVar("T")

logger = logging.getLogger(__name__)


class Service:
    """Everything `batchd run` runs."""

    def __init__(self, configuration: Configuration, *, with_mock_api: bool = False) -> None:
        settings = self._settings = configuration.service
        self._feeds = configuration.settings_by_feed()
        self._reloader = Reloader("run", configuration, self._apply, check_inboxes)
        self._inboxes: Inboxes | None = None
        self._traces: Traces | None = None
        self._server = None if outside_server() else EmbeddedServer(settings)
        self._mock = _mock_api(settings) if with_mock_api else None
        self._workers = _workers(self._reloader)
        self._configured = ConfiguredChildren(self._workers)
        self._metrics = ServiceMetrics(Receipts(settings.state_dir.absolute()), lambda: self._feeds)
        self._metrics.follow(self._workers)
        self._shares = Shares(self._workers)
        self._supervisor = Supervisor()
        self._signs = signs = Signs()
        self._silent = SilentChildren(self._workers, server_answers=lambda: signs.server_answers)
        signs.workers, signs.silent_children = self._workers, self._silent
        signs.reloader, signs.runs_server = self._reloader, self._server is not None
        signs.server_silent_s = max(SERVER_SILENT_S, settings.start_timeout_s)

    async def serve(self, signals: Signals) -> None:
        """Run until it is asked to stop.

        Raises:
            SettingsError: a folder, a port or the token of the API cannot be used.
            TemporalUnreachable: no server answered within the start timeout.
        """
        started = time.monotonic()
        starting(self._settings)
        answers = Answers(
            standing_still=self._signs.standing_still, is_ready=self._is_ready, metrics=self._metrics.page
        )
        pages = health_endpoint(self._settings.health_address, answers)
        tracing = opened_traces("daemon", calls_every=self._settings.trace_calls_every)
        async with pages, signs_for_systemd(self._signs), tracing as self._traces:
            try:
                client = await unless_stopped(signals.stop, self._start_up())
                if client is not None:
                    async with reloads(self._reloader, signals.hangups):
                        await self._watch(client, signals.stop, started)
            finally:
                self._signs.is_ready = False
                stopping(self._settings)
                await self._shut_down()
        logger.info("daemon.stopped")

    async def _start_up(self) -> Client:
        """Return a client of the server once everything is ready."""
        prepare_folders(self._settings, self._feeds)
        api_token(self._settings)
        if self._mock:
            self._supervisor.keep(self._mock.name, self._mock.keep_running)
        if self._server:
            await self._server.start()
            self._supervisor.keep("server", self._server.keep_running)
        interceptors = carrying(self._traces)
        client = await connect(self._settings, timeout_s=self._settings.start_timeout_s, interceptors=interceptors)
        self._signs.probe = ServerProbe(client)
        self._supervisor.keep("probe", self._signs.probe.run)
        self._supervisor.keep("shares", self._shares.keep)
        self._supervisor.keep("signs of life", self._silent.watch)
        for worker in self._workers:
            self._supervisor.keep(worker.name, worker.keep_running)
        await _until_ready(self._children(), self._settings)
        return client

    async def _watch(self, client: Client, stop: asyncio.Event, started: float) -> None:
        def ready() -> None:
            self._signs.is_ready = True
            took_s = round(time.monotonic() - started, 2)
            first = next(iter(self._feeds.values()))
            watched = {"inbox": str(first.inbox.absolute())} if len(self._feeds) == 1 else {"feeds": len(self._feeds)}
            fields = {**watched, "workers": len(self._workers), "took_s": took_s}
            report = ready_report("run", self._reloader.accepted, took_s=took_s)
            logger.info("daemon.ready", extra={"fields": fields, "on_terminal": report})
            notify(f"READY=1\nSTATUS={self._signs.status()}")

        self._inboxes = Inboxes(self._settings, await traced_starters(client, self._traces))
        self._metrics.watch(self._inboxes)
        self._signs.inboxes = self._inboxes
        await self._inboxes.run(self._feeds, stop, on_ready=ready)

    async def _apply(self, new: Configuration) -> None:
        """Make a configuration take hold: workers know a new API before a batch of a new feed needs it."""
        await self._configured.configure(*_as_given(new))
        self._feeds = new.settings_by_feed()
        if self._inboxes is not None:
            await self._inboxes.apply(self._feeds)

    async def _shut_down(self) -> None:
        await self._supervisor.stop()
        await asyncio.gather(*(worker.stop(self._settings.stop_timeout_s) for worker in self._workers))
        if self._mock:
            await self._mock.stop(MOCK_STOP_S)
        if self._server:
            await self._server.stop()

    def _is_ready(self) -> bool:
        """Return whether the service is ready, and every process of it and the server are right now."""
        served = self._server is None or self._server.is_ready
        answered = self._signs.probe is not None and self._signs.probe.answers
        return self._signs.is_ready and served and answered and all(child.is_ready for child in self._children())

    def _children(self) -> list[Child]:
        return [*self._workers, *([self._mock] if self._mock else [])]


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
    reloader = Reloader("work", configuration, lambda new: configured.configure(*_as_given(new)))
    workers, supervisor = _workers(reloader), Supervisor()
    configured = ConfiguredChildren(workers)
    metrics.follow(workers)
    supervisor.keep("shares", Shares(workers).keep)
    signs.workers, signs.reloader = workers, reloader
    signs.silent_children = SilentChildren(workers, server_answers=lambda: signs.server_answers)
    supervisor.keep("signs of life", signs.silent_children.watch)
    try:
        for worker in workers:
            supervisor.keep(worker.name, worker.keep_running)
        if await unless_stopped(signals.stop, _until_ready(workers, settings)):
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


def check_inboxes(new: Configuration) -> list[Finding]:
    """Return a finding for each feed whose folders cannot be used; those that are missing are made."""
    findings = []
    for name, settings in new.settings_by_feed().items():
        try:
            prepare_inbox(settings)
        except SettingsError as error:
            line = new.file.line_of(("feed", name, "inbox")) if new.file else 0
            findings.append(Finding(file=new.file.name if new.file else "", line=line, key="", what=str(error)))
    return findings


async def unless_stopped(stop: asyncio.Event, awaited: Coroutine[None, None, T]) -> T | None:
    """Return what `awaited` returns, or None where the service is stopped first."""
    task, stopped = asyncio.create_task(awaited), asyncio.create_task(stop.wait())
    await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
    finished = task.done()
    for each in (task, stopped):
        each.cancel()
    await asyncio.gather(task, stopped, return_exceptions=True)
    return task.result() if finished else None


async def _until_ready(children: list[Child], settings: Settings) -> bool:
    """Return True once all children are ready.

    Raises:
        SettingsError: a child cannot use its settings.
        TemporalUnreachable: they are not ready within the start timeout.
    """
    try:
        async with asyncio.timeout(settings.start_timeout_s):
            await asyncio.gather(*(child.ready() for child in children))
    except TimeoutError as error:
        last = "; ".join(f"{child.name}: {child.last_words() or 'no word'}" for child in children if not child.is_ready)
        raise TemporalUnreachable(f"not ready within {settings.start_timeout_s:g} s: {last}") from error
    return True


def _workers(reloader: Reloader) -> list[Child]:
    count = reloader.accepted.worker_processes()
    command = _python("daemon.main", "work", "--exit-with-parent", "--process-of")
    numbers = range(1, count + 1)

    def greeting() -> Configure:
        return Configure(0, *_as_given(reloader.accepted))

    return [
        Child(f"worker-{each}", [*command, str(each), str(count)], env=own_environment(), greeting=greeting)
        for each in numbers
    ]


def _as_given(configuration: Configuration) -> tuple[str, str]:
    """Return path and content of the file, as they go to a worker; both empty where there is none."""
    file = configuration.file
    return (file.name, file.content.decode()) if file else ("", "")


def _mock_api(settings: Settings) -> Child:
    command = _python("mock_api", "--exit-with-parent")
    return Child("mock-api", command, env=plain_environment("MOCK_API_"), relayed=is_json(settings))


def _python(module: str, *arguments: str) -> list[str]:
    # Without -P the current folder would come first on the path, and a folder `workflows` in it before ours.
    return [sys.executable, "-P", "-m", module, *arguments]
