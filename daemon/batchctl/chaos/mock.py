"""The mock API of the installation, slow enough for the batch to last, and its own account of its calls."""

from __future__ import annotations

import json
import re
import urllib.request
from dataclasses import dataclass
from typing import Any

from daemon.batchctl.chaos.programs import Program
from daemon.batchctl.chaos.site import IN_FLIGHT, Site

FAILURE_RATE = 0.02
LEAST_LATENCY_MS, MOST_LATENCY_MS = 4.0, 2_000.0
SPREAD = 0.5
"""A call takes half as much more or less than the mean."""

ANSWER_S = 10.0
_ADDRESS = re.compile(rb"^mock API on (http://\S+) ", re.MULTILINE)
_STRAIGHT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCalls:
    """What the API saw: how often each idempotency key, and how many calls it let fail."""

    times: dict[str, int]
    failed: int

    @property
    def made(self) -> int:
        """All calls."""
        return sum(self.times.values())

    @property
    def repeated(self) -> int:
        """Calls beyond one for each row."""
        return self.made - len(self.times)


class MockApi:
    """A mock API on a port that the system has chosen; it is never killed."""

    def __init__(self, site: Site, *, seconds: float, seed: int) -> None:
        mean_ms = min(max(1_000 * seconds * IN_FLIGHT / site.rows, LEAST_LATENCY_MS), MOST_LATENCY_MS)
        variables = {
            "PORT": "0",
            "SEED": str(seed),
            "FAILURE_RATE": str(FAILURE_RATE),
            "LATENCY_MIN_MS": f"{mean_ms * (1 - SPREAD):.1f}",
            "LATENCY_MAX_MS": f"{mean_ms * (1 + SPREAD):.1f}",
        }
        named = {f"MOCK_API_{name}": value for name, value in variables.items()}
        self.program = Program(site, "mock-api.log", "mock_api", **named)

    def address(self) -> str:
        """Return where it answers; empty until it does."""
        said = _ADDRESS.search(self.program.log.read_bytes())
        return said[1].decode() if said else ""

    def calls(self) -> SeenCalls:
        """Return what it saw until now."""
        with _STRAIGHT.open(f"{self.address()}/calls?keys=true", timeout=ANSWER_S) as answer:
            seen: dict[str, Any] = json.loads(answer.read())
        return SeenCalls(times=seen["keys"], failed=seen["by_status"].get("500", 0))
