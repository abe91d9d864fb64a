"""Quotas that outlive the process: so many calls a minute, an hour, a day, over all workers of this host.

The scheduler asks `wait_s()` and calls `take()`, as it does with a `TokenBucket`: both only look at numbers in memory.
Behind them, blocks of calls are taken from a file (`quota_file`) in a thread, ahead of need, and what is
not spent goes back when a slice of the window ends, when no call was made for a while, and at `close`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from activities.api.quota.quota_file import Block, QuotaFile, Window
from workflows.errors import BatchdError

BLOCK_SHARE = 100
"""All processes together hold at most one call in so many that was taken and not spent: what a kill can lose."""

MAX_BLOCK = 10_000
IDLE_S = 2.0
"""Who makes no call for so long gives its block back, so that others may spend it."""

LOOK_AGAIN_S = 5.0
"""How often a quota that is used up, or a file that cannot be written, is looked at again."""

SOON_S = 0.05
"""What `wait_s` says while a block is being taken; `on_free` is called when it is there."""

logger = logging.getLogger(__name__)


class Quota:
    """The quota of one API in one process. Use it in one event loop.

    `on_free` is called when calls may go again that waited for the file. `processes` is how many share it. `clock`
    gives seconds since the epoch.
    """

    def __init__(
        self,
        file: QuotaFile,
        *,
        on_free: Callable[[], None] = lambda: None,
        processes: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self.windows = file.windows
        self.on_free = on_free
        self._clock = clock
        fewest = min(each.calls for each in file.windows)
        self._block_calls = max(1, min(MAX_BLOCK, fewest // (BLOCK_SHARE * processes)))
        self._low_calls = self._block_calls // 4
        self._block = Block(0)
        self._left = 0
        """What is left to spend of `_block`."""
        self._unspent: list[Block] = []
        """What goes back when the file is next written."""
        self._taking: asyncio.Future[Block] | None = None
        self._look_again_at = self._free_at = 0.0
        self._spent_lately = False
        self._idle_timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.why = ""
        """What calls wait for, for people; empty where they do not."""

    def wait_s(self) -> float:
        """Return the seconds until the next call may go; 0 where it may now.

        More than a few seconds are a wait worth making durable: a quota that is used up, until it is not.
        """
        now = self._clock()
        block = self._block
        if self._left > 0 and block.begins_at <= now < block.ends_at:
            if self._left <= self._low_calls and self._taking is None and now >= self._look_again_at:
                self._begin_taking(self._block_calls)
            return 0.0
        if self._taking is None and (now >= self._look_again_at or now < block.begins_at):
            self._put_back()
            self._begin_taking(self._block_calls)
        return max(SOON_S, self._free_at - now)

    def take(self) -> None:
        """Use up one call; `wait_s` has just returned 0."""
        self._left -= 1
        self._spent_lately = True

    def close(self) -> None:
        """Give back what was not spent. Blocking, for milliseconds; a second call does nothing."""
        self._closed = True
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._put_back()
        if self._unspent and self._taking is None:
            try:
                self._file.take(0, self._clock, unspent=self._unspent)
            except BatchdError as error:
                logger.warning("quota.unavailable", extra={"fields": {"why": str(error)}})
            self._unspent.clear()

    def _put_back(self) -> None:
        if self._left > 0:
            self._unspent.append(replace(self._block, calls=self._left))
            self._left = 0

    def _begin_taking(self, wanted: int) -> None:
        unspent = tuple(self._unspent)
        loop = asyncio.get_running_loop()
        self._taking = loop.run_in_executor(None, partial(self._file.take, wanted, self._clock, unspent=unspent))
        self._taking.add_done_callback(partial(self._taken, len(unspent)))

    def _taken(self, given_back: int, taking: asyncio.Future[Block]) -> None:
        self._taking = None
        if taking.cancelled():
            return
        error = taking.exception()
        if error is not None:
            self._failed(error)
            return
        del self._unspent[:given_back]
        block = taking.result()
        if block.calls:
            self._received(block)
        elif block.window is not None:
            self._used_up(block, block.window)

    def _received(self, block: Block) -> None:
        self.why = ""
        self._look_again_at = self._free_at = 0.0
        if (block.begins_at, block.ends_at) != (self._block.begins_at, self._block.ends_at):
            self._put_back()  # what is left of an earlier slice
        self._block = block
        self._left += block.calls
        if self._closed:
            self.close()
            return
        if self._idle_timer is None:
            self._watch_idleness()
        self.on_free()

    def _used_up(self, block: Block, window: Window) -> None:
        self._free_at = block.free_at
        self._look_again_at = min(block.free_at, self._clock() + LOOK_AGAIN_S)
        free_at = datetime.fromtimestamp(block.free_at, UTC)
        self.why = f"the quota {window} is used up; the next call is free at {free_at:%Y-%m-%d %H:%M:%S}Z"

    def _failed(self, error: BaseException) -> None:
        self._free_at = self._look_again_at = self._clock() + LOOK_AGAIN_S
        if self.why != str(error):
            self.why = str(error)
            logger.warning("quota.unavailable", extra={"fields": {"why": self.why}})

    def _watch_idleness(self) -> None:
        self._idle_timer = asyncio.get_running_loop().call_later(IDLE_S, self._give_back_if_idle)

    def _give_back_if_idle(self) -> None:
        self._idle_timer = None
        if self._spent_lately or self._taking is not None:
            self._spent_lately = False
            self._watch_idleness()
        elif self._left > 0:
            self._put_back()
            self._begin_taking(0)
