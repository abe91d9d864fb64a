"""A child process that is kept running and stopped cleanly.

Its standard input is a pipe that nobody writes to: a child that reads end-of-file there knows that its parent is gone,
even if the parent was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence

from workflows.errors import SettingsError, shortened

BAD_SETTINGS = 2
"""The exit code of our own programs for a setting that is wrong."""

FIRST_BACKOFF_S = 0.2
MAX_BACKOFF_S = 10.0
STEADY_S = 30.0
KEPT_LINES = 20

logger = logging.getLogger(__name__)


class Child:
    """One supervised process. `quiet` keeps its output back, but for its last words when it fails."""

    def __init__(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str] | None = None, quiet: bool = False
    ) -> None:
        self.name = name
        self._command = command
        self._env = {**os.environ, **(env or {})}
        self._quiet = quiet
        self._process: asyncio.subprocess.Process | None = None
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._reader: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._ever_ready = False
        self._refusal = ""
        self._stopping = False

    @property
    def pid(self) -> int:
        """The process id of the running child."""
        assert self._process is not None, "start() comes first"  # noqa: S101 - a caller's mistake
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process is None or self._process.returncode is not None

    @property
    def is_ready(self) -> bool:
        """Whether the process runs and has said that it is ready."""
        return self._ready.is_set() and not self.ended

    async def start(self) -> None:
        """Start the process."""
        self._ready.clear()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT if self._quiet else None,
        )
        self._reader = asyncio.create_task(self._read_output(self._process))

    async def ready(self) -> None:
        """Return once the child has printed `ready` on its standard output.

        Raises:
            SettingsError: it ended because of a bad setting before it was ever ready; it is not started again.
        """
        await self._ready.wait()
        if self._refusal:
            raise SettingsError(self._refusal)

    def count_as_ready(self) -> None:
        """Take the child as ready, where it is not one of ours that says so itself."""
        self._ever_ready = True
        self._ready.set()

    def last_words(self) -> str:
        """Return the end of what the child printed."""
        return shortened(" / ".join(self._lines), 500)

    async def keep_running(self, on_restart: Callable[[Child], Awaitable[None]] | None = None) -> None:
        """Start the child again whenever it ends, ever more slowly while it keeps ending.

        Runs until cancelled, or until the child refuses its settings: it was never ready and trying again cannot help.
        """
        backoff_s = FIRST_BACKOFF_S
        while self._process is not None:
            started = time.monotonic()
            code = await self._process.wait()
            if self._asked_to_stop() or await self._refuses(code):
                return
            backoff_s = FIRST_BACKOFF_S if time.monotonic() - started > STEADY_S else backoff_s
            fields = {"child": self.name, "code": code, "again_in_s": backoff_s, "said": self.last_words()}
            logger.error("child.ended", extra={"fields": fields})
            await asyncio.sleep(backoff_s)
            if self._asked_to_stop():
                return
            backoff_s = min(MAX_BACKOFF_S, backoff_s * 2)
            await self.start()
            if on_restart is not None:
                await on_restart(self)

    async def stop(self, timeout_s: float) -> None:
        """Ask the child to end, and end it after `timeout_s` seconds."""
        self._stopping = True
        if self._process is None:
            return
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(timeout_s):
                    await self._process.wait()
            except TimeoutError:
                logger.warning("child.killed", extra={"fields": {"child": self.name, "after_s": timeout_s}})
                self._process.kill()
                await self._process.wait()
        if self._reader is not None:
            await self._reader

    async def _refuses(self, code: int) -> bool:
        """Tell whether the child ended because of a bad setting before it was ever ready, and note its last words."""
        if code != BAD_SETTINGS or self._reader is None:
            return False
        await self._reader
        if not self._ever_ready:
            self._refusal = f"{self.name} cannot use its settings: {self.last_words() or 'its last words are above'}"
            self._ready.set()
        return not self._ever_ready

    def _asked_to_stop(self) -> bool:
        return self._stopping

    async def _read_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        async for line in process.stdout:
            text = line.decode(errors="replace").rstrip()
            self._lines.append(text)
            if text == "ready":
                self.count_as_ready()
