"""All batches of one state folder, with the API's own log of calls and Temporal's list of runs: every rule.

I6 is the runner's to see: a file dropped afterwards is worked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.checker.documents import read_json
from daemon.checker.result import Answer, Finding, check_result

_KEY = re.compile(r"(?P<batch>[a-z0-9-]+?-[0-9a-f]{12})-(?P<row>.*)")
ENDED = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was seen from outside.

    `calls` has the times that each idempotency key was called. `most_repeats` is how many calls may be repeats in all:
    none without faults, else what was in flight at each kill. `runs` are pairs of a workflow id and the first run of
    its chain. `answer` is what the API adds to a row.
    """

    state_dir: Path
    calls: Mapping[str, int] = field(default_factory=dict)
    most_repeats: int = 0
    runs: tuple[tuple[str, str], ...] = ()
    answer: Answer | None = None


def check_site(evidence: Evidence) -> list[Finding]:
    """Return what is wrong with the batches of an installation; nothing where all holds."""
    receipts = [read_json(each) for each in sorted((evidence.state_dir / "receipts").glob("*.json"))]
    found: list[Finding] = []
    for receipt in receipts:
        found += _ended(receipt)
        if receipt["state"] == "completed":
            found += _result(receipt, evidence.answer)
    found += _one_each(receipts, evidence.runs)
    found += _repeats(evidence)
    found += _keys(receipts, evidence.calls)
    return found


def _ended(receipt: dict[str, Any]) -> Iterator[Finding]:
    """I8: a batch has ended, or says why it has not."""
    batch, state = receipt["id"], receipt["state"]
    if state not in ENDED:
        yield Finding("I8", f"{batch} is {state}{': ' + receipt['reason'] if receipt['reason'] else ', for no reason'}")
        return
    shelf = Path(receipt["inbox"]) / ("archive" if state == "completed" else "failed") / batch
    if receipt["archived_as"] and not (Path(receipt["inbox"]) / receipt["archived_as"]).is_file():
        yield Finding("I8", f"{batch}: its source is not where its receipt says")
    if state == "failed" and not (shelf / "REASON.json").is_file():
        yield Finding("I8", f"{batch} failed for no reason")
    if (Path(receipt["inbox"]) / ".processing" / batch).exists():
        yield Finding("I7", f"{batch}: its claim is left over")


def _result(receipt: dict[str, Any], answer: Answer | None) -> Iterator[Finding]:
    if not receipt["archived_as"]:
        yield Finding("I8", f"{receipt['id']}: no source was filed")
        return
    source = Path(receipt["inbox"]) / receipt["archived_as"]
    for each in check_result(Path(receipt["output_dir"]), source, answer=answer):
        yield Finding(each.rule, f"{receipt['id']}: {each.what}")


def _one_each(receipts: list[dict[str, Any]], runs: tuple[tuple[str, str], ...]) -> Iterator[Finding]:
    """I4: one batch for an identity, one chain of runs for a batch."""
    keys: dict[str, list[str]] = {}
    for receipt in receipts:
        keys.setdefault(receipt["identity"]["key"], []).append(receipt["id"])
    for ids in keys.values():
        if len(ids) > 1:
            yield Finding("I4", f"one identity has the batches {', '.join(sorted(ids))}")
    chains: dict[str, set[str]] = {}
    for workflow, first_run in runs:
        chains.setdefault(workflow, set()).add(first_run)
    for workflow, firsts in chains.items():
        if len(firsts) > 1:
            yield Finding("I4", f"{workflow} was started {len(firsts)} times")


def _repeats(evidence: Evidence) -> Iterator[Finding]:
    """I5: no more calls were repeated than were in flight at the kills."""
    repeats = sum(times - 1 for times in evidence.calls.values())
    if repeats > evidence.most_repeats:
        yield Finding("I5", f"{repeats} calls were repeated, and {evidence.most_repeats} may be")


def _keys(receipts: list[dict[str, Any]], calls: Mapping[str, int]) -> Iterator[Finding]:
    """I5: a call of a batch carried the key of one of its rows: another would let an API do the same work twice."""
    records = {each["id"]: (each.get("counts") or {}).get("records") for each in receipts}
    for key in calls:
        named = _KEY.fullmatch(key)
        if named is None or named["batch"] not in records:
            continue
        number, most = named["row"], records[named["batch"]]
        if not re.fullmatch("[1-9][0-9]*", number) or (most and int(number) > most):
            yield Finding("I5", f"a call carried the key {key}, which no row has")
            return
