"""`make chaos`: inject the faults of a seed, judge from outside, write the page. Exits 1 where a rule broke."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from installation import temporal_server

from chaos.fault import Segment
from chaos.plan import plan
from chaos.record import Entry, Record
from chaos.runner import Run
from chaos.shrink import MOST_TRIES
from chaos.table import page

ROOT = Path(__file__).resolve().parents[2]
CHAOS = ROOT / ".chaos"
PAGE = ROOT / "docs" / "reliability.md"
LANES = 4


def main() -> int:
    """Run what is not done yet of a seed; 0 where everything held, 1 where not or where it was ended before."""
    asked = _parser().parse_args()
    seed = int(asked.seed or 0) or _seed_under_way() or random.SystemRandom().randrange(1, 1_000_000)
    record = Record(CHAOS, seed)
    words = asked.only.split() or [""]
    segments = [each for each in plan(seed) if any(word in each.name for word in words)]
    if asked.faults:
        return _again(_chosen(segments, asked.faults.split()))
    if asked.again:
        record.forget()
    done = {each["segment"] for each in record.entries() if not each["findings"]}
    left = [each for each in segments if each.name not in done]
    total = sum(len(each.faults) for each in segments)
    _say(f"seed {seed}: {total} faults in {len(segments)} segments, {len(segments) - len(left)} done before")
    (CHAOS / "seed").write_text(f"{seed}\n")
    if left:
        _run_left(record.add, left, asked.lanes)
    return _ended(record, segments, write=not asked.only)


def _chosen(segments: list[Segment], numbers: list[str]) -> list[Segment]:
    """Return the segments that have some of these faults, with those alone; with `none` all, without faults."""
    few = [replace(each, faults=tuple(one for one in each.faults if str(one.number) in numbers)) for each in segments]
    return [each for each in few if each.faults or numbers == ["none"]]


def _again(segments: list[Segment]) -> int:
    """Go through some faults of segments once more, to look at them: nothing is noted, nothing is made shorter."""
    entries: list[Entry] = []
    _run_left(entries.append, segments, LANES, kept="again", most_tries=0)
    return 1 if any(each["findings"] for each in entries) else 0


def _run_left(
    note: Callable[[Entry], None],
    left: list[Segment],
    lanes: int,
    *,
    kept: str = "failed",
    most_tries: int = MOST_TRIES,
) -> None:
    """Take what is left through, with one Temporal server for all of it."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, temporal_server(Path(folder)) as address:
        run = Run(work=Path(folder), kept=CHAOS / kept, temporal=address, say=_say, note=note, most_tries=most_tries)
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: run.stop.set())
        run.go(left, lanes)


def _ended(record: Record, segments: list[Segment], *, write: bool) -> int:
    """Say how it ended; write the table where all of the plan is done."""
    wanted = {each.name for each in segments}
    entries = [each for each in record.entries() if each["segment"] in wanted]
    failed = [each["segment"] for each in entries if each["findings"]]
    if len(entries) < len(wanted):
        _say(f"ended with {len(entries)} of {len(wanted)} segments done; make chaos goes on")
        return 1
    if write:
        PAGE.write_text(page(entries))
        _say(f"{PAGE.relative_to(ROOT)} is written")
    for each in failed:
        _say(f"FAILED: {each}, kept in {CHAOS / 'failed' / each}")
    injected = sum(fault["injected"] for each in entries for fault in each["faults"])
    _say(f"{injected} faults injected, {len(failed)} segments of {len(wanted)} failed")
    return 1 if failed else 0


def _seed_under_way() -> int:
    """Return the seed of a run that has not ended, 0 for none."""
    noted = CHAOS / "seed"
    seed = int(noted.read_text()) if noted.exists() else 0
    entries = Record(CHAOS, seed).entries() if seed else []
    sound = {each["segment"] for each in entries if not each["findings"]}
    return seed if any(each.name not in sound for each in plan(seed)) else 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - what it is for


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", default="", help="the plan to run (default: the one under way, else a new one)")
    parser.add_argument("--only", default="", help="words of which the name of a segment must hold one")
    parser.add_argument("--faults", default="", help="numbers of faults to go through once more, or none for no fault")
    parser.add_argument("--lanes", type=int, default=LANES, help="sites side by side")
    parser.add_argument("--again", action="store_true", help="forget what is done of the seed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
