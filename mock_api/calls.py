"""What was called: the mock's own log, by which tests judge from outside."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Calls:
    """Counts of calls by answer and by path, and per idempotency key how often it came."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.clear()

    def clear(self) -> None:
        """Forget everything but the calls that are not yet answered."""
        self.total = 0
        self.most_in_flight = self.in_flight
        self.by_status: Counter[str] = Counter()
        self.by_path: Counter[str] = Counter()
        self.keys: Counter[str] = Counter()

    def began(self, key: str, path: str) -> None:
        """Count a call that came in."""
        self.total += 1
        self.by_path[path] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if key:
            self.keys[key] += 1

    def ended(self, status: str) -> None:
        """Count its answer; `drop`, `hang` and the like stand where there was no status."""
        self.in_flight -= 1
        self.by_status[status] += 1

    def report(self, *, all_keys: bool) -> dict[str, Any]:
        """Return the counts; keys that came once are left out unless `all_keys`."""
        return {
            "total": self.total,
            "by_status": dict(sorted(self.by_status.items())),
            "by_path": dict(sorted(self.by_path.items())),
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
            "repeated": {key: times for key, times in self.keys.items() if times > 1},
            **({"keys": dict(self.keys)} if all_keys else {}),
        }
