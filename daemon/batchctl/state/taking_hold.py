"""Whether what an operator asked of a batch has taken hold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from daemon.batchctl.state.batch_view import ENDED, BatchView

if TYPE_CHECKING:  # Temporal's SDK is loaded where it is asked
    from daemon.batchctl.state.live import LiveBatches

TAKES_HOLD_S = 5.0
POLL_S = 0.1


async def is_quiet(live: LiveBatches, view: BatchView) -> bool:
    """Return whether the workflow has taken the pause and no page is being enriched."""
    progress = await live.progress(view.id, suffix=view.suffix)
    if progress is None or not (progress.paused or progress.state in ENDED):
        return False
    run = await live.run_of(view.id, suffix=view.suffix)
    return run is None or run.open_pages == 0


async def is_going_on(live: LiveBatches, view: BatchView) -> bool:
    """Return whether the workflow has taken the end of its pause."""
    progress = await live.progress(view.id, suffix=view.suffix)
    return progress is not None and progress.paused is None


async def within(limit_s: float, check: Callable[[], Awaitable[bool]]) -> bool:
    """Return whether `check` holds before so many seconds are over."""
    end = time.monotonic() + limit_s
    while not await check():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(POLL_S)
    return True
