"""Every kind of fault: what injects it, what the table calls it, which rows of the list of faults it covers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chaos.judge import Allowed
from chaos.kinds import (
    api_answers,
    failpoints,
    limits,
    network,
    pauses,
    random_kills,
    reloads,
    temporal_ops,
)
from chaos.site import Site

NOTHING = Allowed()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """`inject` takes a site through the faults of its segment. `size` is how many of them one site goes through.

    `slow` ones come at moments of a batch, which then has to last. `allowed` is what they may lead to.
    """

    inject: Callable[[Site], None]
    title: str
    size: int
    slow: bool = False
    allowed: Allowed = NOTHING


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
    "random-kill": Kind(
        inject=random_kills.random_kills,
        title="worker, parent, Temporal server or all at once killed at a random moment of `batchd run`",
        size=12,
        slow=True,
    ),
    "wipe": Kind(
        inject=random_kills.namespace_wipes,
        title="all of `batchd run` killed, and the database of its Temporal server removed",
        size=3,
        slow=True,
        allowed=Allowed(further_runs=True),
    ),
    "network": Kind(
        inject=network.network_faults,
        title="connection to Temporal or to the API cut, stalled, half-closed, its replies swallowed",
        size=8,
        slow=True,
        allowed=Allowed(fallback_rows=True),
    ),
    "api": Kind(
        inject=api_answers.api_answers,
        title="API: refuses, fails, hangs, drips, drops the connection, answers rubbish, asks for waits",
        size=10,
        slow=True,
        allowed=Allowed(fallback_rows=True),
    ),
    "pause": Kind(
        inject=pauses.pauses,
        title="pause in mid-batch, with a kill or an error while it is kept or while it lasts",
        size=6,
        slow=True,
    ),
    "damage": Kind(
        inject=pauses.damages,
        title="finished chunk of a paused batch torn, emptied, flipped, swapped or deleted, or its folder",
        size=6,
        slow=True,
    ),
    "temporal": Kind(
        inject=temporal_ops.temporal_ops,
        title="run terminated, cancelled or reset in Temporal itself",
        size=6,
        slow=True,
        allowed=Allowed(failed_batches=True, further_runs=True),
    ),
    "limit": Kind(
        inject=limits.limits,
        title="limit of the system met for a second or two: size of files, open files",
        size=6,
        slow=True,
    ),
    "no-start": Kind(
        inject=limits.failing_starts,
        title="workers of `batchd run` killed, and none can be started for a second or two",
        size=6,
        slow=True,
    ),
    "reload": Kind(
        inject=reloads.reloads,
        title="configuration loaded anew in mid-batch: another, a broken one, one that is gone",
        size=12,
        slow=True,
    ),
}
