"""The service: everything that `batchd run` runs.

It is the parent of a process group: the embedded server, the workers, the mock API when asked for. It watches the
inboxes itself, starts again whatever of them ends, and stops them in the order that loses nothing: first the intake,
then the workers, last the server.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TypeVar

from temporalio.client import Client

from activities.registry.receipts import Receipts
from daemon.config.api_token import api_token
from daemon.config.configuration import Configuration
from daemon.folders import check_inboxes, prepare_folders
from daemon.health import Answers, health_endpoint
from daemon.intake.inboxes import Inboxes
from daemon.metrics.service_metrics import ServiceMetrics
from daemon.notify import notify, starting, stopping
from daemon.processes.child import Child
from daemon.processes.configured_children import ConfiguredChildren
from daemon.processes.restarts import Supervisor
from daemon.processes.signs_of_life import SilentChildren
from daemon.ready_report import ready_report
from daemon.reloader import Reloader, reloads
from daemon.service_children import as_given, mock_api, until_ready, workers_of
from daemon.shares.service_shares import Shares
from daemon.signals import Signals, unless_stopped
from daemon.temporal.connection import connect
from daemon.temporal.embedded_server import EmbeddedServer
from daemon.temporal.outside_server import outside_server
from daemon.temporal.server_probe import ServerProbe
from daemon.temporal.traced_starter import traced_starters
from daemon.traces.interceptors import carrying
from daemon.traces.opened import opened_traces
from daemon.traces.tracing import Traces
from daemon.watchdog import SERVER_SILENT_S, Signs, signs_for_systemd

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
        self._mock = mock_api(settings) if with_mock_api else None
        self._workers = workers_of(self._reloader)
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
        await until_ready(self._children(), self._settings)
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
        await self._configured.configure(*as_given(new))
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
