"""`explain`: why a file has not been taken, or what became of it."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path

from activities.registry.receipts import Receipts
from activities.registry.timestamps import readable_time
from daemon.batchctl.arguments import add_feed, add_json
from daemon.batchctl.console.printing import format_duration, put, put_json
from daemon.batchctl.console.table import Column, put_table
from daemon.batchctl.exit_codes import DONE, NO_SUCH_BATCH
from daemon.batchctl.settings_in_use import SettingsInUse, chosen_feed, feeds_that_hold
from daemon.intake.explain import Explanation, Fate, RuleResult
from daemon.intake.explain import explain as explained

MARKS = {True: "ok", False: "NO", None: "?"}
RULE_COLUMNS = [Column(heading=""), Column(heading="RULE"), Column(heading="FOUND", kind="sentence")]
FATE_COLUMNS = [
    Column(heading="BECAME"),
    Column(heading="AT", left_out=2),
    Column(heading="BATCH", kind="name", tail=13, least=18),
    Column(heading="WHERE", kind="name", tail=13, least=20, left_out=1),
    Column(heading="WHY", kind="sentence"),
]


def add_explain(parser: argparse.ArgumentParser) -> None:
    """Declare `explain`."""
    parser.add_argument("file", metavar="FILE", help="name of a file in the inbox, or its path")
    add_feed(parser, "the feed whose inbox it is in; left out: the one that has such a file")
    add_json(parser)


def run_explain(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Print every rule in order, and what became of earlier files of the name; exit code 4 where none is known."""
    file = Path(parsed.file.rstrip("/") or "/")
    explanation = explained(in_use.feeds[_feed_for(in_use, parsed.feed, file)], file.name)
    if parsed.json:
        put_json(asdict(explanation))
    else:
        _put(explanation)
    return NO_SUCH_BATCH if explanation.state == "absent" else DONE


def _feed_for(in_use: SettingsInUse, wanted: str | None, file: Path) -> str:
    """Return the feed of a file: that of its folder; of a name alone, the one that has such a file, or had it last."""
    if wanted is not None or len(in_use.feeds) == 1 or feeds_that_hold(in_use.feeds, file):
        return chosen_feed(in_use.feeds, wanted, file)
    holding = [name for name, each in in_use.feeds.items() if os.path.lexists(each.inbox / file.name)]
    if len(holding) == 1:
        return holding[0]
    latest = None if holding else Receipts(in_use.service.state_dir).latest_of(file.name)
    feed = in_use.feed_of(latest) if latest else None
    if feed is not None and feed in in_use.feeds:
        return feed
    return chosen_feed({name: in_use.feeds[name] for name in holding} or in_use.feeds, None)


def _put(explanation: Explanation) -> None:
    wait = f" ({format_duration(explanation.wait_s)} more)" if explanation.wait_s else ""
    put(f"{explanation.file} is {explanation.state}: {explanation.summary}{wait}")
    if explanation.todo:
        put(f"what to do: {explanation.todo}")
    if explanation.rules:
        put("")
        put_table(RULE_COLUMNS, [_rule(each) for each in explanation.rules])
    if explanation.fates:
        put("")
        put_table(FATE_COLUMNS, [_fate(each) for each in explanation.fates])


def _rule(rule: RuleResult) -> list[str]:
    todo = f"; {rule.todo}" if rule.todo and not rule.passed else ""
    return [MARKS[rule.passed], rule.rule, f"{rule.why}{todo}"]


def _fate(fate: Fate) -> list[str]:
    return [fate.became, readable_time(fate.at), fate.batch_id or "-", fate.where or "-", fate.why]
