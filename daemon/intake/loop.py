"""The loop: lead, scan, wait for an event or for time, until it is to stop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from daemon.config.settings import Settings
from daemon.intake.dispatch import Starter
from daemon.intake.leader import Leadership
from daemon.intake.observe.watcher import Watcher
from daemon.intake.scan import Intake, ScanReport
from daemon.intake.sign_of_life import BEAT_S, SignOfLife, check_inbox
from workflows.errors import InboxMissing

STANDBY_PAUSE_S = 0.5
SHORTEST_GAP_S = 0.02
SCAN_SHARE = 4
"""A scan is followed by a rest this many times as long, however many events there are."""

LONGEST_SCAN_S = 60.0
"""A scan that takes longer hangs; that of 20,000 files takes a second."""

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
        self._sign = SignOfLife(settings)
        self._sign_failed = False
        self._scan_begun_s: float | None = None

    async def run(self) -> None:
        beating = asyncio.create_task(self._beat())
        try:
            await self._work()
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _work(self) -> None:
        while not self._stop.is_set():
            if await self._leads():
                self._wake.clear()
                report = await self._scan()
                await self._follow_inbox(report)
                self._report_ready()
                await self._rest(report)
            else:
                self._report_ready()
                await self._pause(STANDBY_PAUSE_S)

    async def close(self) -> None:
        await self._watcher.stop()
        await self._intake.close()
        self._leadership.release()

    async def _scan(self) -> ScanReport:
        self._scan_begun_s = time.monotonic()
        try:
            return await self._intake.scan()
        except Exception:  # whatever it is, the next scan checks everything again
            logger.exception("scan.failed")
            return ScanReport()
        finally:
            self._scan_begun_s = None

    async def _beat(self) -> None:
        """Give signs of life while this daemon leads and its scan does not hang, on a dead network mount say."""
        while True:
            begun_s = self._scan_begun_s
            if not self._standing_by and (begun_s is None or time.monotonic() - begun_s < LONGEST_SCAN_S):
                await self._give_sign(self._sign.beat)
            await asyncio.sleep(BEAT_S)

    async def _give_sign(self, giving: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(giving)
        except OSError as error:
            if not self._sign_failed:
                logger.warning("sign_of_life.failed", extra={"fields": {"why": str(error)}})
            self._sign_failed = True
        else:
            self._sign_failed = False

    async def _leads(self) -> bool:
        try:
            leads = await asyncio.to_thread(self._holds)
        except (OSError, InboxMissing):
            return True  # there is no inbox to lead on; the scan finds that out, and says it once
        if leads == self._standing_by:
            self._standing_by = not leads
            event = "inbox.taken_over" if leads else "inbox.standby"
            logger.info(event, extra={"fields": {"inbox": str(self._settings.inbox)}})
        return leads

    def _holds(self) -> bool:
        check_inbox(self._settings)
        return self._leadership.holds()

    async def _follow_inbox(self, report: ScanReport) -> None:
        """Watch the folder that stands there now: a watcher of one that was replaced is silent for ever."""
        if report.inbox_id and report.inbox_id != self._watched_id:
            self._watched_id = report.inbox_id
            await self._give_sign(self._sign.begin)
            if self._settings.watch_events:
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

    def _report_ready(self) -> None:
        if self._on_ready:
            self._on_ready()
            self._on_ready = None
