"""What a worker process and its parent say to each other about limits that all processes of a service share.

`limit` names one: the calls in flight or the calls a second of an API or of a batch. `api` names an API.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """From a worker: it wants `wanted` of a limit that is `most` in all; 0 of both where it uses the limit no more.

    `use` counts its uses of limits, so that a grant for one that is over is not taken for the next. `searched`: less
    than `most` may be found to be best.
    """

    limit: str
    use: int
    most: int
    wanted: int
    searched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """To a worker: from now on it may use so much of a limit."""

    limit: str
    use: int
    number: int
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """From a worker: it uses no more of a limit than the grant of this number allows."""

    limit: str
    use: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """From a worker: what came of calls since it last said so.

    `answered` calls took `latency_s` seconds in sum, `saturated` of them with as many in flight as granted; `rejected`
    has the seconds that each took which the API turned away; `timed_out` were not answered in time.
    """

    limit: str
    answered: int
    saturated: int
    latency_s: float
    rejected: list[float]
    timed_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """From a worker: search for a limit from its lowest on."""

    limit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """From a worker: it uses a limit of `rate` calls a second in all from now on; 0: no more."""

    limit: str
    use: int
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WantsCalls:
    """From a worker: it would begin calls under a limit of calls a second that it uses."""

    limit: str
    use: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MayCall:
    """To a worker: it may begin so many calls under a limit of calls a second."""

    limit: str
    use: int
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsBack:
    """From a worker: so many calls that it might begin it does not need."""

    limit: str
    use: int
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Joins:
    """From a worker: it calls an API from now on."""

    api: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDown:
    """Either way: an API is down, or still is; it is to be asked in `wait_s` seconds at the soonest."""

    api: str
    detail: str
    wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiUp:
    """Either way: an API answers."""

    api: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WantsProbe:
    """From a worker: it would make the one call that asks whether an API is back."""

    api: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """To a worker: whether it may ask, by the number of what it wanted."""

    api: str
    number: int
    allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeGivenUp:
    """From a worker: it did not ask, or does not know what came of it."""

    api: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Either way: an API asked for a rest of so many seconds; 0: the rest is over."""

    api: str
    seconds: float
