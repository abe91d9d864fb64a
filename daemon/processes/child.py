"""A child process that is kept running and stopped cleanly.

Its standard input is a pipe: a child that reads end-of-file there knows that its parent is gone, even if the parent was
killed. Messages go to a worker over that pipe and come from it over its standard output, beside `ready` and last words.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence

from daemon.processes.messages import LONGEST_BYTES, M, Mailbox, Message, encoded
from daemon.processes.restarts import Backoff
from workflows.errors import SettingsError, shortened

BAD_SETTINGS = 2
"""The exit code of our own programs for a setting that is wrong."""

PLAIN = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"}
    | {"LD_LIBRARY_PATH", "GOMAXPROCS", "GOMEMLIMIT", "GOGC", "GODEBUG", "GOTRACEBACK"}
)
"""What any program may need of our environment; none of it is a secret."""
OF_SYSTEMD = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
PLAIN_PREFIXES = ("LC_", "PYTHON")

KEPT_LINES = 20
KEPT_LINE_BYTES = 8_192
"""The rest of a longer line is read and dropped: a child whose output nobody reads stands still."""
BLOCK_BYTES = 65_536

logger = logging.getLogger(__name__)


def plain_environment(*prefixes: str) -> dict[str, str]:
    """Return what a program that is not ours gets of our environment: no settings and no secrets of ours.

    `prefixes` name what it gets beside that.
    """
    wanted = (*PLAIN_PREFIXES, *prefixes)
    plain = {name: value for name, value in os.environ.items() if name in PLAIN or name.startswith(wanted)}
    # A user id without a name, as some containers have it: the Temporal server does not start without one.
    return {"USER": str(os.getuid())} | plain


def own_environment() -> dict[str, str]:
    """Return what a program of ours gets: everything but what is between systemd and the parent alone."""
    return {name: value for name, value in os.environ.items() if name not in OF_SYSTEMD}


class Child:
    """One supervised process. `quiet` keeps its output back, but for its last words when it fails.

    `greeting` gives the first message of each start. With `relayed` what it writes to standard error goes into our log.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        quiet: bool = False,
        relayed: bool = False,
        greeting: Callable[[], Message] | None = None,
    ) -> None:
        self.name = name
        self._greeting = greeting
        self._command = command
        self._env = env
        self._stderr = asyncio.subprocess.STDOUT if quiet else asyncio.subprocess.PIPE if relayed else None
        self._process: asyncio.subprocess.Process | None = None
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._reader: asyncio.Task[None] | None = None
        self._relay: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._ever_ready = False
        self._refusal = ""
        self._stopping = False
        self._mailbox = Mailbox()
        self.on_end: list[Callable[[], None]] = []
        """Called each time the process has ended; no message of it comes after that."""

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

    def on(self, kind: type[M], handler: Callable[[M], None]) -> None:
        """Call `handler` with each message of the class `kind` that the child sends, however often it is started."""
        self._mailbox.on(kind, handler)

    def send(self, message: Message) -> None:
        """Send a message to the child without waiting; does nothing where it does not run."""
        if self._process is not None and self._process.stdin is not None and not self.ended:
            # A pipe whose reader has just died may be closed before the end of the process is known.
            with contextlib.suppress(OSError, RuntimeError):
                self._process.stdin.write(encoded(message))

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the child; does nothing where it does not run."""
        if self._process is not None and not self.ended:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def start(self) -> None:
        """Start the process.

        Raises:
            OSError: the system cannot, as for want of memory or of processes.
        """
        self._ready.clear()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._stderr,
        )
        self._reader = asyncio.create_task(self._read_output(self._process))
        if self._process.stderr is not None:
            self._relay = asyncio.create_task(self._read(self._process.stderr, self._log_line))
        if self._greeting is not None:
            self.send(self._greeting())

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

    async def keep_running(self, on_start: Callable[[Child], Awaitable[None]] | None = None) -> None:
        """Start the child, and again whenever it ends or cannot be started, ever more slowly while that goes on.

        `on_start` is called after each start, until the child is ready. Runs until cancelled, or until the child
        refuses its settings: it was never ready and trying again cannot help.
        """
        backoff = Backoff()
        while not self._asked_to_stop():
            backoff.begin()
            event, fields = await self._run_once(on_start)
            if self._asked_to_stop() or self._refusal:
                return
            again_in_s = backoff.after_failure()
            logger.error(event, extra={"fields": {"child": self.name, **fields, "again_in_s": again_in_s}})
            await asyncio.sleep(again_in_s)

    async def _run_once(self, on_start: Callable[[Child], Awaitable[None]] | None) -> tuple[str, dict[str, object]]:
        """Return how it went once the process has ended, or could not be started: an event and its facts."""
        try:
            if self.ended:
                await self.start()
        except OSError as error:
            self._lines.append(f"cannot be started: {error.strerror or error}")
            return "child.not_started", {"error": str(error)}
        if on_start is not None and not self.is_ready:
            await on_start(self)
        assert self._process is not None  # noqa: S101 - it was started
        code = await self._process.wait()
        for each in self.on_end:
            each()
        await self._note_refusal(code)
        return "child.ended", {"code": code, "said": self.last_words()}

    async def stop(self, timeout_s: float) -> None:
        """Ask the child to end, and end it after `timeout_s` seconds."""
        self._stopping = True
        if self._process is None:
            return
        if self._process.returncode is None:
            self.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(timeout_s):
                    await self._process.wait()
            except TimeoutError:
                logger.warning("child.killed", extra={"fields": {"child": self.name, "after_s": timeout_s}})
                self._process.kill()
                await self._process.wait()
        for reading in (self._reader, self._relay):
            if reading is not None:
                await reading

    async def _note_refusal(self, code: int) -> None:
        """Keep the last words of a child that ended because of a bad setting before it was ever ready."""
        if code != BAD_SETTINGS or self._ever_ready or self._reader is None:
            return
        await self._reader
        if not self._ever_ready:
            self._refusal = f"{self.name} cannot use its settings: {self.last_words() or 'its last words are above'}"
            self._ready.set()

    def _asked_to_stop(self) -> bool:
        return self._stopping

    async def _read_output(self, process: asyncio.subprocess.Process) -> None:
        """Keep the last lines of the child; whatever it prints, it is read to its end."""
        assert process.stdout is not None  # noqa: S101 - it was asked for
        await self._read(process.stdout, lambda line: self._take_line(process, line))

    async def _read(self, output: asyncio.StreamReader, take: Callable[[bytes], None]) -> None:
        line = bytearray()
        while block := await output.read(BLOCK_BYTES):
            *ends, rest = block.split(b"\n")
            for end in ends:
                take(bytes(line + end))
                line.clear()
            line += rest[: LONGEST_BYTES - len(line)]
        if line:
            take(bytes(line))

    def _log_line(self, line: bytes) -> None:
        text = line[:KEPT_LINE_BYTES].decode(errors="replace").rstrip()
        logger.info("child.said", extra={"fields": {"child": self.name, "said": text}})

    def _take_line(self, process: asyncio.subprocess.Process, line: bytes) -> None:
        if process.returncode is None and self._mailbox.take(line):
            return
        text = line[:KEPT_LINE_BYTES].decode(errors="replace").rstrip()
        self._lines.append(text)
        if text == "ready":
            self.count_as_ready()
