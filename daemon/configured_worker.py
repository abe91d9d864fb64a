"""A worker process that works by the configuration which its parent gives it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from daemon.config.configuration import Configuration, configuration_of, load_configuration
from daemon.config.file import parsed_file
from daemon.processes.messages import Configure, Configured
from daemon.processes.parent import Parent
from daemon.worker import Apply

logger = logging.getLogger(__name__)


def configuration_given(path: str, content: str) -> Configuration:
    """Return the configuration that the parent has checked. Secrets are read when they are needed.

    Raises:
        SettingsError: it cannot be used.
    """
    if not path:
        return load_configuration()
    return configuration_of(parsed_file(Path(path), content.encode()), files=False)


class ConfiguredWorker:
    """Takes configurations from the parent. The last that came before the worker was ready takes hold then."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent
        self._apply: Apply | None = None
        self._early: Configure | None = None
        self._task: asyncio.Task[None] | None = None
        self._alone = asyncio.Lock()
        parent.on(Configure, self._take)

    def ready(self, apply: Apply) -> None:
        """Say that the worker is ready; `apply` makes a configuration take hold."""
        self._apply = apply
        self._parent.ready()
        if self._early is not None:
            self._take(self._early)

    def _take(self, given: Configure) -> None:
        if self._apply is None:
            self._early = given
        else:
            self._task = asyncio.get_running_loop().create_task(self._configure(given, self._apply))

    async def _configure(self, given: Configure, apply: Apply) -> None:
        error = ""
        try:
            async with self._alone:
                await apply(await asyncio.to_thread(configuration_given, given.path, given.content))
        except Exception as failed:
            logger.exception("configure.failed")
            error = str(failed) or type(failed).__name__
        self._parent.send(Configured(given.number, error))
