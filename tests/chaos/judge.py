"""Judges a site from outside once all is at rest, with `daemon.checker` and what the API and Temporal say."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from temporalio.client import Client

from chaos.fault import Fault, Strike
from chaos.site import Site
from daemon.checker.site import Evidence, check_site

_LOST = re.compile(r"([0-9]+) records are lost")
_DOUBLED = re.compile(r"([0-9]+) records are there more than once")


@dataclass(slots=True)
class Verdict:
    """What came of a segment. `recovered_s` has seconds by fault number, where a batch ended behind that fault."""

    batches: int = 0
    rows: int = 0
    failed: int = 0
    lost: int = 0
    doubled: int = 0
    repeats: int = 0
    bound: int = 0
    recovered_s: dict[int, float] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What faults of a kind may lead to: batches that fail with a reason, fallback rows, a batch run anew."""

    failed_batches: bool = False
    fallback_rows: bool = False
    further_runs: bool = False


def region(row: Mapping[str, str]) -> dict[str, str]:
    """Return what the mock API adds to a row."""
    return {"region": "NA" if row["country"] == "US" else "INTL"}


def judge(site: Site, allowed: Allowed) -> Verdict:
    """Hold I1 to I8 against a site that is at rest, its API still running."""
    ended, calls = site.drops.ended(), site.calls()["keys"]
    verdict = Verdict(batches=len(ended) + len(site.drops.namesakes))
    verdict.rows = sum(each.rows for each in [*site.drops.files.values(), *site.drops.namesakes.values()])
    verdict.bound = sum(strike.may_repeat for strike in site.strikes)
    verdict.repeats = sum(times - 1 for times in calls.values())
    evidence = Evidence(
        state_dir=site.installation.state_dir,
        calls=calls,
        most_repeats=verdict.bound,
        answer=region,
        runs=() if allowed.further_runs else _runs(site),
    )
    verdict.findings = [str(each) for each in check_site(evidence)]
    verdict.findings += [*site.drops.strays(), *_unlike_what_was_dropped(site, ended, allowed)]
    verdict.findings += _too_often(site, ended, calls)
    verdict.failed = sum(each["state"] != "completed" for each in ended.values())
    verdict.lost = _sum(_LOST, verdict.findings)
    verdict.doubled = _sum(_DOUBLED, verdict.findings)
    verdict.recovered_s = _recoveries(site, ended)
    return verdict


def _sum(pattern: re.Pattern[str], findings: list[str]) -> int:
    return sum(int(found[1]) for each in findings if (found := pattern.search(each)))


def _unlike_what_was_dropped(site: Site, ended: dict[str, dict[str, Any]], allowed: Allowed) -> list[str]:
    """Hold the receipts against what was dropped."""
    good = ("enriched", "fallback") if allowed.fallback_rows else ("enriched",)
    found = []
    for name, drop in site.drops.files.items():
        receipt = ended.get(name)
        if receipt is None:
            found.append(f"I8: {name} was dropped, and no batch of it has ended")
        elif receipt["state"] != "completed":
            found += [] if allowed.failed_batches else [f"I8: {name} is {receipt['state']}: {receipt['reason']}"]
        elif (site.installation.inbox / receipt["archived_as"]).read_text() != drop.content:
            found.append(f"I1: {name} was archived with other bytes than were dropped")
        elif sum(receipt["counts"][kind] for kind in good) != drop.rows:
            found.append(f"I1: {name} had {drop.rows} good rows, and not all are {' or '.join(good)}")
    return found


def _too_often(site: Site, ended: dict[str, dict[str, Any]], calls: Mapping[str, int]) -> list[str]:
    """I5 for each batch: what was repeated of its calls, against the faults that struck while it was open."""
    repeats: Counter[str] = Counter()
    for key, times in calls.items():
        repeats[_batch_of(key)] += times - 1
    found = []
    for name, receipt in ended.items():
        bound = sum(each.may_repeat for each in _struck(site, name, receipt))
        if repeats[receipt["id"]] > bound:
            found.append(f"I5: {repeats[receipt['id']]} calls of {name} were repeated, and {bound} may be")
    return found


def _batch_of(key: str) -> str:
    return key.rpartition("-")[0]


def _struck(site: Site, name: str, receipt: dict[str, Any]) -> list[Strike]:
    begun = site.drops.files[name].at if name in site.drops.files else 0.0
    return [each for each in site.strikes if begun <= each.at <= receipt["ended_at"]]


def _recoveries(site: Site, ended: dict[str, dict[str, Any]]) -> dict[int, float]:
    """Return how long batches took to their end, in seconds, that one fault and no other has struck.

    From the fault, or where a process was started anew from its readiness; of several batches the longest.
    """
    found: dict[int, float] = {}
    for name, receipt in ended.items():
        strikes = _struck(site, name, receipt)
        if len(strikes) == 1:
            ready = [at for at in site.readies if strikes[0].at < at <= receipt["ended_at"]]
            took_s = receipt["ended_at"] - max([strikes[0].at, *ready])
            number = strikes[0].fault.number
            found[number] = max(found.get(number, 0.0), round(took_s, 3))
    return found


def _runs(site: Site) -> tuple[tuple[str, str], ...]:
    """Return Temporal's list: each workflow of the site with the first run of its chain."""

    async def listed() -> tuple[tuple[str, str], ...]:
        client = await Client.connect(site.temporal)
        query = f'TaskQueue = "{site.installation.env["BATCH_TASK_QUEUE"]}"'
        runs = [each async for each in client.list_workflows(query)]
        return tuple((each.id, each.raw_info.first_run_id or each.run_id) for each in runs)

    return asyncio.run(listed())


def faults_of(strikes: list[Strike]) -> list[Fault]:
    """Return the faults that took place, each once."""
    return list({each.fault.number: each.fault for each in strikes}.values())
