"""The loop: lead, scan, wait for an event or for time, until told to stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from daemon.intake.launches import Starter
from daemon.intake.leader import Leadership
from daemon.intake.scan import Intake, ScanReport
from daemon.intake.watcher import Watcher
from daemon.settings import Settings

STANDBY_LOOK_S = 0.5
SHORTEST_GAP_S = 0.02
SCAN_SHARE = 4
"""A scan is followed by a rest this many times as long, however many events there are."""

logger = logging.getLogger(__name__)


async def watch(
    settings: Settings, starter: Starter, stop: asyncio.Event, *, on_ready: Callable[[], None] | None = None
) -> None:
    """Take what comes into the inbox until `stop` is set. `on_ready` is called once: the inbox is watched or stood by.

    What is under way at the stop is finished by the next daemon, or by the one that stands by.
    """
    loop = _Loop(settings, starter, stop, on_ready or (lambda: None))
    try:
        await loop.run()
    finally:
        await loop.close()


class _Loop:
    def __init__(self, settings: Settings, starter: Starter, stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
        self._settings = settings
        self._stop = stop
        self._on_ready: Callable[[], None] | None = on_ready
        self._wake = asyncio.Event()
        self._intake = Intake(settings, starter)
        self._leadership = Leadership(settings.inbox)
        self._watcher = Watcher(settings.inbox, self._wake, longest_pause_s=settings.rescan_s)
        self._watched_id: tuple[int, int] | None = None
        self._standing_by = False

    async def run(self) -> None:
        while not self._stop.is_set():
            if await self._leads():
                self._wake.clear()
                report = await self._scan()
                await self._follow_inbox(report)
                self._tell_ready()
                await self._rest(report)
            else:
                self._tell_ready()
                await self._pause(STANDBY_LOOK_S)

    async def close(self) -> None:
        await self._watcher.stop()
        await self._intake.close()
        self._leadership.release()

    async def _scan(self) -> ScanReport:
        try:
            return await self._intake.scan()
        except Exception:  # whatever it is, the next scan looks at everything again
            logger.exception("scan.failed")
            return ScanReport()

    async def _leads(self) -> bool:
        try:
            leads = await asyncio.to_thread(self._leadership.holds)
        except OSError:
            return True  # there is no inbox to lead on; the scan finds that out, and says it once
        if leads == self._standing_by:
            self._standing_by = not leads
            event = "inbox.taken_over" if leads else "inbox.standby"
            logger.info(event, extra={"fields": {"inbox": str(self._settings.inbox)}})
        return leads

    async def _follow_inbox(self, report: ScanReport) -> None:
        """Watch the folder that stands there now: a watcher of one that was replaced is silent for ever."""
        if self._settings.watch_events and report.inbox_id and report.inbox_id != self._watched_id:
            self._watched_id = report.inbox_id
            await self._watcher.start()

    async def _rest(self, report: ScanReport) -> None:
        await self._pause(min(self._settings.rescan_s, max(SHORTEST_GAP_S, SCAN_SHARE * report.took_s)))
        longest_s = self._settings.rescan_s
        await self._pause(longest_s if report.next_due_s is None else min(longest_s, report.next_due_s), self._wake)

    async def _pause(self, longest_s: float, until: asyncio.Event | None = None) -> None:
        """Sleep; the stop ends it early, and so does `until`."""
        waits = [asyncio.ensure_future(each.wait()) for each in (self._stop, until) if each is not None]
        try:
            await asyncio.wait(waits, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _tell_ready(self) -> None:
        if self._on_ready:
            self._on_ready()
            self._on_ready = None
