"""The three services: `run` (everything), `watch` (the inbox), `work` (the task queue).

`run` is the parent of a process group: the embedded server, the workers, the mock API when asked for. It watches the
inbox itself, starts again whatever of them ends, and stops them in the order that loses nothing: first the intake,
then the workers, last the server.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Coroutine

from daemon import intake
from daemon.api_token import api_token
from daemon.child import Child
from daemon.connection import connect, outside_server
from daemon.health import health_endpoint
from daemon.notify import notify
from daemon.server import EmbeddedServer
from daemon.settings import Settings
from daemon.starter import TemporalStarter
from daemon.worker import work
from workflows.errors import SettingsError, TemporalUnreachable

MOCK_STOP_S = 3.0

logger = logging.getLogger(__name__)


class Service:
    """Everything `batchd run` runs."""

    def __init__(self, settings: Settings, *, with_mock_api: bool = False) -> None:
        self._settings = settings
        self._server = None if outside_server() else EmbeddedServer(settings)
        self._mock = Child("mock-api", _python("mock_api", "--exit-with-parent")) if with_mock_api else None
        self._workers = _workers(settings)
        self._keepers: list[asyncio.Task[None]] = []
        self._ready = False

    async def serve(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set.

        Raises:
            SettingsError: a folder, a port or the token of the API cannot be used.
            TemporalUnreachable: no server answered within the start timeout.
        """
        started = time.monotonic()
        async with health_endpoint(self._settings.health_address, self._is_ready):
            try:
                await self._start_up(stop)
                await self._watch(stop, started)
            finally:
                self._ready = False
                notify("STOPPING=1")
                await self._shut_down()
        logger.info("daemon.stopped")

    async def _start_up(self, stop: asyncio.Event) -> None:
        prepare_folders(self._settings)
        api_token(self._settings)
        if self._mock:
            await self._mock.start()
            self._keep(self._mock.keep_running())
        if self._server:
            await self._server.start()
            self._keep(self._server.keep_running())
        for worker in self._workers:
            await worker.start()
            self._keep(worker.keep_running())
        await _until_ready([*self._workers, *([self._mock] if self._mock else [])], stop, self._settings)

    async def _watch(self, stop: asyncio.Event, started: float) -> None:
        def ready() -> None:
            self._ready = True
            took_s = round(time.monotonic() - started, 2)
            fields = {"inbox": str(self._settings.inbox), "workers": len(self._workers), "took_s": took_s}
            logger.info("daemon.ready", extra={"fields": fields})
            notify("READY=1")

        if not stop.is_set():
            await watch(self._settings, stop, on_ready=ready)

    async def _shut_down(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(worker.stop(self._settings.stop_timeout_s) for worker in self._workers))
        if self._mock:
            await self._mock.stop(MOCK_STOP_S)
        if self._server:
            await self._server.stop()

    def _is_ready(self) -> bool:
        """Tell whether the service is ready, and every process of it is right now."""
        children = [*self._workers, *([self._mock] if self._mock else [])]
        served = self._server is None or self._server.is_ready
        return self._ready and served and all(child.is_ready for child in children)

    def _keep(self, keeping: Coroutine[None, None, None]) -> None:
        self._keepers.append(asyncio.create_task(keeping))


async def watch(settings: Settings, stop: asyncio.Event, *, on_ready: Callable[[], None] = lambda: None) -> None:
    """Watch the inbox and start batches until `stop` is set."""
    prepare_folders(settings)
    client = await connect(settings, timeout_s=settings.start_timeout_s)
    await intake.watch(settings, TemporalStarter(client, settings.task_queue), stop, on_ready=on_ready)


async def work_all(settings: Settings, stop: asyncio.Event, *, on_ready: Callable[[], None] = lambda: None) -> None:
    """Work the task queue until `stop` is set, in as many processes as the settings say."""
    prepare_folders(settings, makes_inbox=False)
    api_token(settings)
    if settings.worker_processes() == 1:
        await work(settings, stop, on_ready=on_ready)
        return
    workers = _workers(settings)
    keepers = []
    try:
        for worker in workers:
            await worker.start()
            keepers.append(asyncio.create_task(worker.keep_running()))
        await _until_ready(workers, stop, settings)
        on_ready()
        await stop.wait()
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        await asyncio.gather(*(worker.stop(settings.stop_timeout_s) for worker in workers))


def prepare_folders(settings: Settings, *, makes_inbox: bool = True) -> None:
    """Make the inbox and the state folder where they are missing.

    Whoever only works makes no inbox: where none is, it may have to be mounted first, and batches wait for it.

    Raises:
        SettingsError: one of them cannot be made or used, or there is no output root.
    """
    needed = [("BATCH_INBOX", settings.inbox), ("BATCH_STATE_DIR", settings.state_dir)]
    if not makes_inbox and not settings.inbox.exists():
        fields = {"inbox": str(settings.inbox), "why": "it is not there", "todo": "batches wait for it"}
        logger.error("inbox.lost", extra={"fields": fields})
        del needed[0]
    for name, folder in needed:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"{name}: the folder {folder} cannot be made: {error.strerror}") from error
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise SettingsError(f"{name}: the folder {folder} must be readable and writable for this user")
    if not settings.output_root.is_dir():
        raise SettingsError(f"BATCH_OUTPUT_ROOT: there is no folder {settings.output_root}; make it first")


async def _until_ready(children: list[Child], stop: asyncio.Event, settings: Settings) -> None:
    """Wait until all children are ready or the service is stopped, whichever is first.

    Raises:
        SettingsError: a child cannot use its settings.
        TemporalUnreachable: they are not ready within the start timeout.
    """
    everyone = asyncio.create_task(_all_ready(children))
    stopped = asyncio.create_task(stop.wait())
    waiting: set[asyncio.Task[object]] = {everyone, stopped}
    done, left = await asyncio.wait(waiting, timeout=settings.start_timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    if everyone in done:
        everyone.result()
    if not done:
        words = "; ".join(f"{child.name}: {child.last_words() or 'no word'}" for child in children)
        raise TemporalUnreachable(f"not ready within {settings.start_timeout_s:g} s: {words}")


async def _all_ready(children: list[Child]) -> None:
    await asyncio.gather(*(child.ready() for child in children))


def _workers(settings: Settings) -> list[Child]:
    count = settings.worker_processes()
    command = _python("daemon.main", "work", "--exit-with-parent", "--process-of")
    return [Child(f"worker-{number}", [*command, str(number), str(count)]) for number in range(1, count + 1)]


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
