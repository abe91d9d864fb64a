"""How many calls of an API were spent lately, on disk, for all worker processes of this host.

Calls are counted in slices, sixty to a window. A slice counts until its end is a whole window ago. So never more than
the window's calls lie in any stretch of its length, wherever the API lets its own minute, hour or day begin, and
whether it counts fixed or sliding ones. Rejected: calendar windows in UTC, of which an API whose day begins elsewhere
may see two in one of its own. What it costs: a quota that was used up in an hour comes back in that hour of the next
day, and a call is free again up to a thirtieth of the window late.

A process takes a block of calls here, durably, before it spends any. So a kill loses what was left of a block, and no
kill and no restart spends more than is allowed. A block counts in the slice after the current one and may be spent
until that ends: a slow disk leaves time for it, and to be counted late is on the safe side.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from activities.disk.atomic_files import make_folder, write_whole
from activities.disk.errors import disk_errors
from activities.disk.file_lock import FileLock
from workflows.errors import OutputRefused, TransientError

SLICES = 60
LONGEST_LOCK_S = 5.0
LOCK_PAUSE_S = 0.002
VERSION = 1

UNITS_S = {60: "min", 3_600: "h", 86_400: "day"}


@dataclass(frozen=True, slots=True)
class Window:
    """At most `calls` in any `length_s` seconds: those of a minute, an hour or a day."""

    calls: int
    length_s: int

    def __str__(self) -> str:
        return f"{self.calls}/{UNITS_S[self.length_s]}"


Spent = dict[int, dict[int, int]]
"""Calls by the length of the window in seconds and the number of the slice."""


@dataclass(frozen=True, slots=True)
class Block:
    """Calls that may be spent while `begins_at` <= time < `ends_at`, in seconds since the epoch.

    Where `calls` is 0, `free_at` is when there will be one, and `window` what is used up.
    """

    calls: int
    taken_at: float = 0.0
    begins_at: float = 0.0
    ends_at: float = 0.0
    free_at: float = 0.0
    window: Window | None = None


class QuotaFile:
    """The count of one API. Blocking; several threads and processes may use it at once."""

    def __init__(self, folder: Path, api: str, windows: tuple[Window, ...], warn_unlocked: Callable[[], None]) -> None:
        self.path = folder / f"{api}.json"
        self.windows = windows
        self._warn_unlocked = warn_unlocked

    def take(self, wanted: int, clock: Callable[[], float], *, unspent: Sequence[Block] = ()) -> Block:
        """Take up to `wanted` calls, and give back those in `unspent`. Durable on return.

        Raises:
            StorageFull, TransientError: the count cannot be read or written, or another process holds it for long.
            OutputRefused: the file is damaged.
        """
        with self._locked():
            now = clock()
            spent = self._read()
            for window in self.windows:
                slices = spent.setdefault(window.length_s, {})
                _age(slices, window, now)
                for block in unspent:
                    _add(slices, _slice_of(window, block.taken_at) + 1, -block.calls)
            taken = self._block(spent, wanted, now)
            for window in self.windows:
                _add(spent[window.length_s], _slice_of(window, now) + 1, taken.calls)
            if taken.calls or unspent:
                self._write(spent)
        return taken

    def _block(self, spent: Spent, wanted: int, now: float) -> Block:
        free = min([wanted, *(each.calls - sum(spent[each.length_s].values()) for each in self.windows)])
        begins_at = max(_begin_of(each, _slice_of(each, now)) for each in self.windows)
        ends_at = min(_begin_of(each, _slice_of(each, now) + 2) for each in self.windows)
        if free > 0 or wanted == 0:
            return Block(max(0, free), now, begins_at, ends_at)
        free_at, window = max(
            ((_free_at(spent[each.length_s], each), each) for each in self.windows), key=lambda found: found[0]
        )
        return Block(0, free_at=free_at, window=window)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with disk_errors(f"counting calls in {self.path}"):
            make_folder(self.path.parent)
            lock = FileLock(self.path.with_suffix(".lock"), warn_unlocked=self._warn_unlocked)
            deadline = time.monotonic() + LONGEST_LOCK_S
            while not lock.acquire():
                if time.monotonic() > deadline:
                    raise TransientError(f"{self.path} is in use by another process for more than {LONGEST_LOCK_S:g} s")
                time.sleep(LOCK_PAUSE_S)
            try:
                yield
            finally:
                lock.release()

    def _read(self) -> Spent:
        """Return what stands in the file. Windows that are no longer configured are kept: they may be again."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            found = json.loads(content)["spent"]
            return {int(length_s): _slices(slices) for length_s, slices in found.items()}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise OutputRefused(
                f"{self.path} is damaged, so what is left of the quota is not known; remove it to count anew"
            ) from error

    def _write(self, spent: Spent) -> None:
        write_whole(self.path, json.dumps({"version": VERSION, "spent": spent}, separators=(",", ":")).encode())


def _slices(found: Mapping[str, int]) -> dict[int, int]:
    return {int(number): int(calls) for number, calls in found.items()}


def _slice_of(window: Window, moment: float) -> int:
    return int(moment * SLICES // window.length_s)


def _begin_of(window: Window, number: int) -> float:
    return number * window.length_s / SLICES


def _age(slices: dict[int, int], window: Window, now: float) -> None:
    """Drop slices that count no more; those too far ahead, from before the clock was set back, count as taken now."""
    current = _slice_of(window, now)
    for number in list(slices):
        if number < current - SLICES:
            del slices[number]
        elif number > current + 1:
            _add(slices, current + 1, slices.pop(number))


def _add(slices: dict[int, int], number: int, calls: int) -> None:
    left = max(0, slices.get(number, 0) + calls)
    slices.pop(number, None)
    if left:
        slices[number] = left


def _free_at(slices: Mapping[int, int], window: Window) -> float:
    """Return when one call is free again; 0 where one is."""
    total = sum(slices.values())
    free_at = 0.0
    for number in sorted(slices):
        if total < window.calls:
            return free_at
        total -= slices[number]
        free_at = _begin_of(window, number + 1 + SLICES)
    return free_at
