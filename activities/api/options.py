"""What the enrichment client may do, as the settings say."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """What the client may do.

    `rate` is in calls a second, 0 for no limit; `outage` is what rows do while the API is down: `wait` or `fallback`.
    `concurrency` and `rate` are for the whole service, whose `processes` each take an equal share.
    """

    url: str
    bulk_url: str = ""
    bulk_size: int = 50
    token: str = field(default="", repr=False)
    concurrency: int = 64
    rate: float = 0.0
    timeout_s: float = 10.0
    attempts: int = 3
    max_body_bytes: int = 1_048_576
    outage: str = "wait"
    user_agent: str = "batchd"
    processes: int = 1
