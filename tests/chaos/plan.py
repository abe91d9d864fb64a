"""The plan of a seed: the same seed gives the same faults in the same order."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping

from chaos.catalogue import KINDS
from chaos.fault import Fault, Segment
from chaos.kinds import api_answers
from chaos.kinds.network import FAULTS as NETWORK
from chaos.kinds.pauses import DAMAGES
from chaos.kinds.random_kills import VICTIMS
from chaos.kinds.reloads import CHANGES
from chaos.kinds.temporal_ops import DONE as OPERATIONS
from chaos.places import DAEMON, DAEMON_CALLS, OF_CONTENT, WORKER, WORKER_CALLS, WRITES, passes

KEPT_NOT = [f"control.write.before:1:error:{error}" for error in ("EIO", "ENOSPC")]

TEST_PART: Mapping[str, int] = {
    "worker-call": 20,
    "daemon-call": 10,
    "short-write": 9,
    "worker-kill": 12,
    "daemon-kill": 9,
}
"""What `make test` injects of each kind: 60 faults."""

PART_SIZE = 6
"""Faults of a part that one site goes through, so that the lanes end together."""


def plan(seed: int) -> list[Segment]:
    """Return all segments of a seed."""
    return list(_segments(seed, {}))


def part(seed: int, most: Mapping[str, int] = TEST_PART) -> list[Segment]:
    """Return the segments of a part: so many faults of each kind, chosen by the seed."""
    return list(_segments(seed, most))


def _segments(seed: int, most: Mapping[str, int]) -> Iterator[Segment]:
    number = 0
    for kind, variant, lines in [*_lines(), *_moments(random.Random(seed))]:
        chosen = list(lines)
        random.Random(f"{seed} {kind} {variant}").shuffle(chosen)
        if most:
            chosen = chosen[: most.get(kind, 0)] if variant == _first_variant(kind) else []
        size = PART_SIZE if most else KINDS[kind].size
        for begin in range(0, len(chosen), size):
            lines_here = chosen[begin : begin + size]
            faults = tuple(Fault(number=number + at, kind=kind, line=line) for at, line in enumerate(lines_here, 1))
            number += len(faults)
            name = f"{kind}-{variant}-{begin // size + 1}"
            yield Segment(name=name, kind=kind, variant=variant, seed=seed, faults=faults)


def _first_variant(kind: str) -> str:
    return next(variant for each, variant, _ in [*_lines(), *_moments(random.Random(0))] if each == kind)


def _lines() -> Iterator[tuple[str, str, Iterable[str]]]:
    """Yield kind, variant and the lines of the faults of both."""
    for variant in ("cursor", "in-memory", "large"):
        yield "worker-kill", variant, [f"worker {place}:{nth}:kill" for place, nth in passes(WORKER)]
        yield "worker-call", variant, list(_calls("worker", WORKER_CALLS, (1, 2)))
        yield "short-write", variant, [f"worker {place}:{nth}:short" for place in WRITES for nth in (1, 2, 3)]
    for variant in ("content", "cursor"):
        passed = {place: count for place, count in DAEMON.items() if variant == "content" or place not in OF_CONTENT}
        yield "daemon-kill", variant, [f"daemon {place}:{nth}:kill" for place, nth in passes(passed)]
        calls = {place: errors for place, errors in DAEMON_CALLS.items() if place in passed}
        yield "daemon-call", variant, list(_calls("daemon", calls, (1,)))
    yield "worker-pair", "cursor", [f"worker {place}:1:kill" for place in WORKER]
    yield "worker-stop", "cursor", [f"worker {place}:1:stop" for place in WORKER]
    yield "daemon-stop", "content", [f"daemon {place}:1:stop" for place in DAEMON]


def _moments(chance: random.Random) -> Iterator[tuple[str, str, Iterable[str]]]:
    """Yield kind, variant and lines of faults that come at a moment of a batch."""

    def after() -> str:
        return f"after {chance.uniform(0, 1.2):.2f}"

    yield "random-kill", "service", [f"{chance.choice(VICTIMS)} {after()}" for _ in range(72)]
    yield "wipe", "service", [f"wipe {after()}" for _ in range(6)]
    cuts = [f"{between} {what}" for between in ("temporal", "api") for what in NETWORK for _ in range(6)]
    yield "network", "proxied", [f"{each} {chance.uniform(0.2, 2.5):.1f}" for each in cuts]
    yield "api", "impatient", api_answers.lines()
    kept = [f"control.{place}:1:kill" for place in ("write.before", "written")] * 3
    yield "pause", "cursor", [f"pause {each}" for each in (*kept, *KEPT_NOT, *("worker", "daemon", "nothing") * 3)]
    yield "damage", "cursor", [f"damaged {each}" for each in DAMAGES for _ in range(4)]
    yield "temporal", "cursor", [f"{each} {after()}" for each in OPERATIONS for _ in range(6)]
    limits = [f"fsize {size}" for size in (0, 600, 5_000)] + [f"nofile {more}" for more in (0, 1, 2)]
    yield "limit", "cursor", [f"{each} {chance.uniform(0.5, 2):.1f}" for each in limits for _ in range(3)]
    yield "no-start", "service", [f"no-start {chance.uniform(0.5, 2):.1f}" for _ in range(6)]
    yield "reload", "cursor", [f"reload {each}" for each in CHANGES for _ in range(4)]
    yield "worker-kill", "long-pages", [f"worker part.sync.before:{nth}:kill" for nth in (1, 2, 3)]
    yield "worker-call", "long-pages", [f"worker part.sync.before:{nth}:error:EIO" for nth in (1, 3)]


def _calls(role: str, places: Mapping[str, tuple[str, ...]], passes_aimed_at: tuple[int, ...]) -> Iterator[str]:
    for nth in passes_aimed_at:
        for place, errors in places.items():
            yield from (f"{role} {place}:{nth}:error:{error}" for error in errors)
