"""One site under fire: an installation of its own beside a shared Temporal server, with its API, daemon and worker."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from installation import BIN, Installation, Process, api
from tcp_proxy import TcpProxy, tcp_proxy

from activities.disk.failpoints import LOG_VARIABLE, VARIABLE
from chaos.drops import Drops
from chaos.fault import Fault, Segment, Strike

IN_FLIGHT = 4
MOST_OPEN = 3
"""Batches that may wait for a worker before no further file is dropped for a fault."""

ALONE = 3

QUICK_MS, SLOW_MS = ("1", "5"), ("20", "60")
"""How long the API takes for an answer."""

PROGRAMS = {"worker": "work", "daemon": "watch", "service": "run"}
START_S, END_S = 40.0, 150.0
SETTINGS = {
    "BATCH_PAGE_ROWS": "8",
    "BATCH_PAGES_IN_FLIGHT": "2",
    "BATCH_API_CONCURRENCY": str(IN_FLIGHT),
    "BATCH_HEARTBEAT_TIMEOUT_S": "1",
    "BATCH_SETTLE_S": "0.1",
    "BATCH_STOP_TIMEOUT_S": "5",
}
VARIANTS: dict[str, dict[str, str]] = {
    "cursor": {"BATCH_IN_MEMORY_MAX_BYTES": "0"},
    "in-memory": {},
    "large": {"BATCH_IN_MEMORY_MAX_BYTES": "0"},
    "proxied": {"BATCH_IN_MEMORY_MAX_BYTES": "0", "BATCH_API_TIMEOUT_S": "2"},
    "impatient": {"BATCH_IN_MEMORY_MAX_BYTES": "0", "BATCH_API_TIMEOUT_S": "1"},
    "service": {"BATCH_IN_MEMORY_MAX_BYTES": "0", "BATCH_WORKERS": "2"},
    "long-pages": {"BATCH_IN_MEMORY_MAX_BYTES": "0", "BATCH_PAGE_ROWS": "100"},
    "content": {"BATCH_IDENTITY": "content", "BATCH_READY_MARKER": "{name}.done"},
}
PAD = {"large": 150_000}
"""Bytes added to a row, for files whose steps are no local activities."""


class Stopped(Exception):
    """The runner was interrupted."""


class Overdue(Exception):
    """Something that had to come has not come within its deadline."""


class Site:
    """Folders, processes, files and strikes of one segment. Used by one thread."""

    def __init__(
        self, root: Path, segment: Segment, temporal: str, stop: threading.Event, *, slow: bool = False
    ) -> None:
        self.segment = segment
        self.slow = slow or segment.variant == "long-pages"
        self.chance = random.Random(f"{segment.seed} {segment.name}")
        self.strikes: list[Strike] = []
        self.readies: list[float] = []
        self.processes: dict[str, Process] = {}
        self.installation = Installation(root, **{**SETTINGS, **VARIANTS[segment.variant]})
        self.temporal = temporal
        self.proxies: dict[str, TcpProxy] = {}
        self._proxies = contextlib.ExitStack()
        self.installation.set(BATCH_TASK_QUEUE=f"{root.parent.name}-{root.name}")
        if segment.variant == "service":
            self.temporal = f"127.0.0.1:{self.installation.env['BATCH_SERVER_PORT']}"
        else:
            self.installation.set(TEMPORAL_ADDRESS=self._proxied("temporal", temporal))
        marker = ".done" if segment.variant == "content" else ""
        self.drops = Drops(self.installation, PAD.get(segment.variant, 0), marker)
        self.api = ""
        self._stop = stop
        self._noted = 0
        self._started = 0
        self._was_alone = False

    @property
    def failpoint_log(self) -> Path:
        return self.installation.root / "failpoints.log"

    def until(self, check: Callable[[], object], what: str, deadline_s: float = END_S) -> None:
        """Return once `check` is true.

        Raises:
            Overdue: it was not within the deadline.
            Stopped: the runner was interrupted.
        """
        end = time.monotonic() + deadline_s
        while not check():
            if self._stop.is_set():
                raise Stopped
            if time.monotonic() > end:
                raise Overdue(f"not within {deadline_s:g} s: {what}")
            time.sleep(0.03)

    def start_api(self, **settings: str) -> None:
        """Start the mock API."""
        low, high = SLOW_MS if self.slow else QUICK_MS
        self.api = self.installation.mock_api(LATENCY_MIN_MS=low, LATENCY_MAX_MS=high, **settings)
        address = self.api.removeprefix("http://")
        self.installation.set(BATCH_API_URL=f"http://{self._proxied('api', address)}/enrich")

    def describe(self, api_section: str, **keys: object) -> None:
        """Write a `batchd.toml` with this section of an API, and with `keys` of its feed beside those of every site."""
        whole = {"in_memory_max_bytes": 0, "page_rows": 8, "pages_in_flight": 2, **keys}
        for key in whole:
            self.installation.env.pop(f"BATCH_{key.upper()}", None)  # what stands in the file may stand nowhere else
        self.installation.describe(api_section, **whole)

    def _proxied(self, name: str, address: str) -> str:
        """Return the address of a proxy in front of another one, where this site has any."""
        if self.segment.variant != "proxied":
            return address
        self.proxies[name] = self._proxies.enter_context(tcp_proxy(address))
        return self.proxies[name].address

    def start(self, role: str, traps: str = "") -> Process:
        """Start a worker, a daemon or a whole service, and wait until it is ready or dead of its traps."""
        self._started += 1
        command = [str(BIN / "batchd"), PROGRAMS[role]]
        armed = {VARIABLE: traps, LOG_VARIABLE: str(self.failpoint_log)} if traps else {}
        process = self.installation.start(f"{role}-{self._started}", command, **armed)
        self.until(
            lambda: self._is_ready(process) or not process.running() or self.noted(), f"{role} is ready", START_S
        )
        if not traps and not process.running():
            raise Overdue(f"{role} ended at its start: {process.log.read_text(errors='replace')[-500:]}")
        self.readies.append(time.time())
        self.processes[role] = process
        return process

    def _is_ready(self, process: Process) -> bool:
        return '"daemon.ready"' in process.log.read_text(errors="replace")

    def noted(self) -> list[tuple[float, str]]:
        """Return the traps that have acted since `strike_noted`: when, and which."""
        if not self.failpoint_log.exists():
            return []
        lines = self.failpoint_log.read_text().splitlines()[self._noted :]
        return [(float(at), trap) for at, _, trap in (line.split(" ", 2) for line in lines)]

    def forget_noted(self) -> None:
        """Take what has acted as seen."""
        self._noted += len(self.noted())

    def strike(self, fault: Fault, at: float | None = None, *, may_repeat: int = IN_FLIGHT) -> None:
        """Note that a fault took place, now or at `at`."""
        self.strikes.append(Strike(fault, time.time() if at is None else at, may_repeat))

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        with contextlib.suppress(Overdue):
            self.until(lambda: False, "time passes", seconds)

    def end(self, role: str, *, cleanly: bool = False) -> None:
        """End a process of ours that may be running: by SIGTERM, or where it may be stopped or hang by SIGKILL."""
        process = self.processes.pop(role, None)
        if process is None:
            return
        if cleanly and process.running():
            process.stop()
        process.kill_group()

    def feed(self, fault: Fault) -> None:
        """Drop a file for a fault, unless enough are open."""
        if len(self.drops.open_files()) < MOST_OPEN:
            self.drops.file(f"{self.segment.tag}-{fault.number}-{len(self.drops.files)}.csv", self.rows())

    def rows(self) -> int:
        """Return a number of rows: of three or four pages, or where batches have to last of many."""
        return self.chance.randint(160, 280) if self.slow else self.chance.randint(17, 30)

    def in_mid_batch(self, fault: Fault) -> str:
        """Return the name of a file whose batch is being worked: one that is open, or a new one.

        Every third fault has a batch that no other strikes, which shows how long that takes.
        """
        is_alone = fault.number % ALONE == 0
        if is_alone or self._was_alone:
            self.until(self.drops.at_rest, "the batches before have ended")
        self._was_alone = is_alone
        while True:
            if not self.drops.open_files():
                self.feed(fault)
            enough = self.calls()["total"] + 2 * IN_FLIGHT
            with contextlib.suppress(Overdue):
                self.until(lambda least=enough: self.calls()["total"] > least, "calls are made", 5.0)
            if found := self.drops.open_files():
                return found[0]

    def settle(self) -> None:
        """Let everything end under a worker and a daemon that nothing happens to, and then one file more.

        Then another file of its name, which is a batch of its own, and the file itself once more, which is none.

        Raises:
            Overdue: something has not ended.
        """
        for role in ("service",) if self.segment.variant == "service" else ("worker", "daemon"):
            if role not in self.processes or not self.processes[role].running():
                self.start(role)
        self.until(self.drops.at_rest, "every batch has ended")
        self.drops.file(f"{self.segment.tag}-last.csv", 17)
        self.until(self.drops.at_rest, "a file dropped after all faults is worked")
        for again in (self.drops.namesake, self.drops.duplicate):
            again()
            self.until(self.drops.at_rest, "what was dropped under its name is worked, or set aside")

    def calls(self) -> dict[str, Any]:
        """Return what the API saw, with every key."""
        seen: dict[str, Any] = api(self.api, "/calls?keys=true")
        return seen

    def close(self) -> None:
        """Kill what still runs."""
        self.installation.close()
        self._proxies.close()
