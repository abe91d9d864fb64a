"""What the signals of the system ask a service for: to stop, or to load its configuration anew."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import TypeVar

TERMINAL = "/dev/tty"
T = TypeVar("T")


class Signals:
    """`stop` is set by SIGTERM and SIGINT, `hangups` by SIGHUP. Made in the running event loop."""

    def __init__(self) -> None:
        self.stop, self.hangups = asyncio.Event(), asyncio.Event()
        self._had_terminal = _has_terminal()
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def _hang_up(self) -> None:
        """Load anew, or stop where it is the terminal that went, as a program in the foreground does."""
        if self._had_terminal and not _has_terminal():
            self.stop.set()
        else:
            self.hangups.set()


async def unless_stopped(stop: asyncio.Event, awaited: Coroutine[None, None, T]) -> T | None:
    """Return what `awaited` returns, or None where the service is stopped first."""
    task, stopped = asyncio.create_task(awaited), asyncio.create_task(stop.wait())
    await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
    finished = task.done()
    for each in (task, stopped):
        each.cancel()
    await asyncio.gather(task, stopped, return_exceptions=True)
    return task.result() if finished else None


def _has_terminal() -> bool:
    try:
        os.close(os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
