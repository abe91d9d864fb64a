"""The loop of one inbox: lead, scan, wait for an event or for time, until it is to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

from daemon.config.feed_settings import feed_of
from daemon.config.settings import Settings
from daemon.intake.dispatch import Starter
from daemon.intake.inbox_now import InboxNow
from daemon.intake.leader import Leadership
from daemon.intake.observe.watcher import Watcher
from daemon.intake.scan import Intake, ScanReport
from daemon.intake.shared_work import SharedWork
from daemon.intake.sign_of_life import SignOfLife, check_inbox
from daemon.logs.context import feed_in_log
from workflows.errors import InboxMissing

STANDBY_PAUSE_S = 0.5
SHORTEST_GAP_S = 0.02
SCAN_SHARE = 4
"""A scan is followed by a rest this many times as long, however many events there are."""

LONGEST_SCAN_S = 60.0
"""A scan that takes longer hangs; that of 20,000 files takes a second."""

SLOWER = 4
"""Where scans are long, of many files or on a slow network, one hangs that takes so many times as long as the last."""

logger = logging.getLogger(__name__)


class InboxLoop:
    """Works one inbox until `stop`. With `takes_files` off, until what is claimed in it has ended."""

    def __init__(
        self,
        settings: Settings,
        starter: Starter,
        leadership: Leadership,
        watcher: Watcher,
        shared: SharedWork,
        *,
        takes_files: bool = True,
    ) -> None:
        self.settings = settings
        self.ready = asyncio.Event()
        self._takes_files = takes_files
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()
        self._intake = Intake(settings, starter, shared, holds=self._holds, takes_files=takes_files)
        self._leadership = leadership
        self._watcher = watcher
        self._shared = shared
        self._watched_id: tuple[int, int] | None = None
        self._standing_by = False
        self._sign = SignOfLife(settings)
        self._sign_failed = False
        self._scan_begun_s: float | None = None
        self._scan_ended_s = time.monotonic()
        self._scan_took_s = 0.0
        self._seen: ScanReport | None = None
        self._seen_at_s = time.monotonic()

    async def run(self) -> None:
        """Work the inbox. What is under way at the end is finished by whoever works it next."""
        feed_in_log.set(feed_of(self.settings))
        try:
            await self._work()
        finally:
            self._watcher.forget(self._wake)
            await self._intake.close()

    @property
    def inbox(self) -> Path:
        """The absolute path of the inbox."""
        return self.settings.inbox.absolute()

    def stop(self) -> None:
        """Let `run` end after the scan it is at."""
        self._stop.set()
        self._wake.set()

    @property
    def moves(self) -> bool:
        """Whether this leads and its scan does not hang, on a dead network mount say."""
        begun_s = self._scan_begun_s
        hangs = begun_s is not None and time.monotonic() - begun_s >= self._longest_scan_s
        return self._takes_files and not self._standing_by and not hangs

    @property
    def stands_still(self) -> bool:
        """Whether no scan has come to an end for longer than one can take, with the rest after it."""
        return time.monotonic() - self._scan_ended_s > self._longest_scan_s + 2 * self.settings.rescan_s

    @property
    def _longest_scan_s(self) -> float:
        return max(LONGEST_SCAN_S, SLOWER * self._scan_took_s)

    def now(self) -> InboxNow | None:
        """Return how the inbox is; None while another daemon works it."""
        if self._standing_by:
            return None
        seen = self._seen
        return InboxNow(
            feed=feed_of(self.settings),
            files=self._intake.files_now(seen) if seen else None,
            oldest_s=self._intake.oldest_s(seen) if seen else 0.0,
            scan_age_s=time.monotonic() - self._seen_at_s,
        )

    def beat(self) -> None:
        """Give a sign of life. Blocking; one that cannot be given is logged once."""
        self._give_sign(self._sign.beat)

    async def _work(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            report = await self._scan()
            self._note_who_leads(report)
            if report.leads:
                await self._follow_inbox(report)
            self.ready.set()
            if not self._takes_files and report.claimed == 0:
                return
            if report.leads:
                await self._rest(report)
            else:
                await _pause(self._stop, STANDBY_PAUSE_S)

    async def _scan(self) -> ScanReport:
        begun_s = self._scan_begun_s = time.monotonic()
        try:
            report = await self._intake.scan()
            self._seen = None if report.lost else report
            if not report.lost:
                self._seen_at_s = time.monotonic()
            return report
        except Exception:  # whatever it is, the next scan checks everything again
            logger.exception("scan.failed")
            return ScanReport()
        finally:
            self._scan_begun_s, self._scan_ended_s = None, time.monotonic()
            self._scan_took_s = self._scan_ended_s - begun_s

    def _give_sign(self, giving: Callable[[], None]) -> None:
        try:
            giving()
        except OSError as error:
            if not self._sign_failed:
                logger.warning("sign_of_life.failed", extra={"fields": {"why": str(error)}})
            self._sign_failed = True
        else:
            self._sign_failed = False

    def _note_who_leads(self, report: ScanReport) -> None:
        if report.leads == self._standing_by:
            self._standing_by = not report.leads
            event = "inbox.taken_over" if report.leads else "inbox.standby"
            logger.info(event, extra={"fields": {"inbox": str(self.settings.inbox.absolute())}})

    def _holds(self) -> bool:
        """Return whether this leads. Where there is no inbox to lead on, the scan finds that out and says it once."""
        with contextlib.suppress(OSError, InboxMissing):
            check_inbox(self.settings)
            return self._leadership.holds()
        return True

    async def _follow_inbox(self, report: ScanReport) -> None:
        """Watch the folder that stands there now: a watcher of one that was replaced is silent for ever."""
        if self._takes_files and report.inbox_id and report.inbox_id != self._watched_id:
            self._watched_id = report.inbox_id
            await self._shared.in_thread(self._give_sign, self._sign.begin)
            if self.settings.watch_events:
                self._watcher.follow(self.inbox, self._wake)

    async def _rest(self, report: ScanReport) -> None:
        longest_s = self.settings.rescan_s
        await _pause(self._stop, min(longest_s, max(SHORTEST_GAP_S, SCAN_SHARE * report.took_s)))
        await _pause(self._wake, longest_s if report.next_due_s is None else min(longest_s, report.next_due_s))


async def _pause(until: asyncio.Event, longest_s: float) -> None:
    """Sleep; `until` ends it early."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest_s):
            await until.wait()
