"""Whether a file has stopped changing: found unchanged over a quiet time, by our own monotonic clock.

Times written in the file system are compared with each other only, never with now: `cp -p` sets them back, other hosts'
clocks are off, and a clock may jump.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from activities.disk.fingerprint import Fingerprint
from daemon.intake.observe.entries import Entry

EMPTY_PATIENCE_S = 5.0
"""An empty file is often one whose first bytes are still on their way, so it gets at least this long."""


@dataclass(slots=True)
class _Watched:
    fingerprint: Fingerprint
    quiet_since_s: float
    first_seen_s: float
    first_seen_at: str


class Settling:
    """What was seen of the files that are not yet taken."""

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._watched: dict[bytes, _Watched] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def remaining_s(self, entry: Entry, now_s: float, now_at: str = "") -> float:
        """Note how a file is now; return for how many seconds it must stay so, 0 where it has settled.

        `now_s` is the monotonic time; `now_at` the time of day, to be recorded and never compared.
        """
        watched = self._watched.get(entry.name)
        if watched is None or watched.fingerprint.inode != entry.fingerprint.inode:
            watched = _Watched(entry.fingerprint, now_s, now_s, now_at)
            self._watched[entry.name] = watched
        elif watched.fingerprint != entry.fingerprint:
            watched.fingerprint = entry.fingerprint
            watched.quiet_since_s = now_s
        wanted_s = quiet_time_s(entry.fingerprint.size_bytes, self._settle_s)
        return max(0.0, watched.quiet_since_s + wanted_s - now_s)

    def first_seen(self, name: bytes) -> tuple[float, str]:
        """Return when a file was first seen: by the monotonic clock, and as a time of day."""
        watched = self._watched[name]
        return watched.first_seen_s, watched.first_seen_at

    def keep_only(self, names: AbstractSet[bytes]) -> None:
        """Forget every file that is not among `names`."""
        for gone in self._watched.keys() - names:
            del self._watched[gone]

    def clear(self) -> None:
        """Forget everything."""
        self._watched.clear()


def quiet_time_s(size_bytes: int, settle_s: float) -> float:
    """Return for how many seconds a file must not change before it is taken."""
    return settle_s if size_bytes else max(settle_s, EMPTY_PATIENCE_S)
