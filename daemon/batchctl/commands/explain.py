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
from daemon.batchctl.settings_in_use import SettingsInUse, chosen_feed, feeds_that_hold, known_name, listed
from daemon.batchctl.state.gone_feeds import GoneFeed, gone_feeds
from daemon.intake.explain import Explanation, Fate, RuleResult
from daemon.intake.explain import explain as explained
from workflows.ids import displayed

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
    explanation = _explanation(in_use, parsed.feed, Path(parsed.file.rstrip("/") or "/"))
    if parsed.json:
        put_json(asdict(explanation))
    else:
        _put(explanation)
    return NO_SUCH_BATCH if explanation.state == "absent" else DONE


def _explanation(in_use: SettingsInUse, wanted: str | None, file: Path) -> Explanation:
    """Explain a file: by the feed of its folder; of a name alone, by the feed that has such a file, or had the last."""
    feeds, receipts = in_use.feeds, Receipts(in_use.service.state_dir)
    if wanted in feeds or (wanted is None and feeds_that_hold(feeds, file)):
        return explained(feeds[chosen_feed(feeds, wanted, file)], file.name)
    holding = [name for name, each in feeds.items() if wanted is None and os.path.lexists(each.inbox / file.name)]
    has_folder = file.name != str(file)
    if holding and not has_folder:
        return explained(feeds[chosen_feed({name: feeds[name] for name in holding}, None)], file.name)
    if has_folder or wanted is not None or in_use.file:
        for gone in gone_feeds(in_use, receipts.newest_first()):
            if _is_in(gone, wanted, file, has_folder=has_folder):
                return _left_behind(in_use, gone, file.name)
    if wanted is not None:
        known_name("feed", wanted, {*feeds, *map(in_use.feed_of, receipts.newest_first())})
    latest = receipts.latest_of(file.name, lambda each: wanted in {None, in_use.feed_of(each)})
    if latest:
        return explained(feeds.get(in_use.feed_of(latest)) or in_use.settings_of(latest), file.name)
    return explained(feeds[chosen_feed(feeds, None)], file.name)


def _is_in(gone: GoneFeed, wanted: str | None, file: Path, *, has_folder: bool) -> bool:
    """Return whether a file lies in the folder of a feed that went."""
    in_folder = not has_folder or os.path.realpath(file.parent) == os.path.realpath(gone.inbox)
    return wanted in {None, gone.name} and in_folder and os.path.lexists(gone.inbox / file.name)


def _left_behind(in_use: SettingsInUse, gone: GoneFeed, name: str) -> Explanation:
    why = f"the feed {gone.name} is not in the configuration any more, so nobody takes files from {gone.inbox}"
    return Explanation(
        file=displayed(name),
        state="left",
        summary=f"{why}; the file stays where it is",
        todo=f"add [feed.{gone.name}] again, or move the file into the inbox of a feed ({listed(in_use.feeds)})",
    )


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
