"""Every kind of fault: what injects it, what the table calls it, which rows of the list of faults it covers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chaos.kinds import failpoints
from chaos.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """`inject` takes a site through the faults of its segment. `size` is how many of them one site goes through."""

    inject: Callable[[Site], None]
    title: str
    size: int
    may_fail: bool = False
    may_start_again: bool = False


KINDS: dict[str, Kind] = {
    "worker-kill": Kind(inject=failpoints.kills, title="worker killed at a failpoint (SIGKILL)", size=20),
    "daemon-kill": Kind(inject=failpoints.kills, title="daemon killed at a failpoint (SIGKILL)", size=20),
    "worker-pair": Kind(
        inject=failpoints.kills_beside_another, title="worker killed at a failpoint beside another worker", size=10
    ),
    "worker-stop": Kind(
        inject=failpoints.stops,
        title="worker stopped at a failpoint for three heartbeat timeouts, continued beside its successor",
        size=10,
    ),
    "daemon-stop": Kind(
        inject=failpoints.stops, title="daemon stopped at a failpoint for three seconds, continued", size=10
    ),
    "worker-call": Kind(
        inject=failpoints.failing_calls,
        title="system call of a worker failing once (EIO, ENOSPC, EMFILE, ECONNREFUSED)",
        size=10,
    ),
    "daemon-call": Kind(
        inject=failpoints.failing_calls, title="system call of the daemon failing once (EIO, ENOSPC, EMFILE)", size=10
    ),
    "short-write": Kind(inject=failpoints.failing_calls, title="write of a worker cut short", size=9),
}
