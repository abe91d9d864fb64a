"""What came of it: the rows counted one by one, `batchctl verify`, the independent checker, the calls of the API."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from activities.registry.receipts import Receipt
from daemon.batchctl.chaos.mock import SeenCalls
from daemon.batchctl.chaos.site import IN_FLIGHT, Site
from daemon.batchctl.chaos.strikes import Strike
from daemon.batchctl.chaos.users import region
from daemon.checker.documents import read_json
from daemon.checker.site import Evidence, check_site
from daemon.results.verdict import Verdict
from daemon.results.verify import verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Calls of the API. Those `repeated_after_kills` are beyond one for each row and one for each that failed."""

    made: int
    failed: int
    repeated_after_kills: int
    most_repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Everything that is held against what was promised.

    `state` is how the batch ended, `reason` why, where it failed. `findings` are the checker's.
    """

    state: str
    reason: str
    rows_in: int
    rows_out: int
    enriched: int
    fallback: int
    lost: int
    doubled: int
    calls: Calls
    strikes: tuple[Strike, ...]
    verdict: Verdict
    findings: tuple[str, ...]

    @property
    def kills(self) -> int:
        """How often something was killed."""
        return sum(each.how == "kill -9" for each in self.strikes)

    @property
    def recoveries_s(self) -> tuple[float, float]:
        """Median and maximum of the seconds that recovering took; both 0 where nothing was struck."""
        took = [each.recovered_s for each in self.strikes if each.recovered_s is not None]
        return (statistics.median(took), max(took)) if took else (0.0, 0.0)

    def problems(self) -> list[str]:
        """Return what is not as promised, a sentence each; nothing where all is well."""
        return [*self._problems()]

    def _problems(self) -> Iterator[str]:
        if self.state != "completed":
            yield f"the batch is {self.state}: {self.reason}"
        if self.lost or self.doubled or self.rows_out != self.rows_in:
            yield f"{self.rows_in:,} rows went in, {self.rows_out:,} came out: {self.lost} lost, {self.doubled} doubled"
        if self.calls.repeated_after_kills > self.calls.most_repeats:
            yield f"{self.calls.repeated_after_kills:,} calls were repeated, and {self.calls.most_repeats:,} may be"
        if not self.verdict.ok:
            yield f"batchctl verify: {len(self.verdict.failed())} checks failed"
        if self.findings:
            yield f"batchd-checker: {len(self.findings)} findings"
        if not self.kills:
            yield "the batch had ended before anything was killed: give it more --seconds, or less --every"


def judge(site: Site, ended: Receipt, seen: SeenCalls, strikes: list[Strike]) -> Judgement:
    """Judge a batch that has ended, from what lies on disk and what the API saw."""
    folder = Path(ended.output_dir)
    rows = [row for each in sorted(folder.glob("chunk-*.json")) for row in read_json(each)]
    times = Counter(row["_row"] for row in rows)
    fallback = sum(not row["enriched"] for row in rows)
    # Each failed call is made again, but for the last one of a row that became a fallback row.
    after_failures = seen.failed - fallback
    most_repeats = IN_FLIGHT * len(strikes)
    evidence = Evidence(
        state_dir=site.state_dir, calls=seen.times, most_repeats=after_failures + most_repeats, answer=region
    )
    return Judgement(
        state=ended.state,
        reason=ended.reason,
        rows_in=site.rows,
        rows_out=len(rows),
        enriched=len(rows) - fallback,
        fallback=fallback,
        lost=sum(number not in times for number in range(1, site.rows + 1)),
        doubled=sum(count > 1 for count in times.values()),
        calls=Calls(
            made=seen.made,
            failed=seen.failed,
            repeated_after_kills=max(seen.repeated - after_failures, 0),
            most_repeats=most_repeats,
        ),
        strikes=tuple(strikes),
        verdict=verify(folder, source=site.root / "inbox" / (ended.archived_as or "")),
        findings=tuple(str(each) for each in check_site(evidence)),
    )
