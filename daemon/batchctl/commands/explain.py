"""`explain`: why a file has not been taken, or what became of it."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict

from activities.registry.timestamps import readable_time
from daemon.batchctl.arguments import add_json
from daemon.batchctl.console.printing import format_duration, put, put_json
from daemon.batchctl.console.table import Column, put_table
from daemon.batchctl.exit_codes import DONE, NO_SUCH_BATCH
from daemon.config.settings import Settings
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
    add_json(parser)


def run_explain(settings: Settings, parsed: argparse.Namespace) -> int:
    """Print every rule in order, and what became of earlier files of the name; exit code 4 where none is known."""
    explanation = explained(settings, os.path.basename(parsed.file.rstrip("/")))  # noqa: PTH119 - a name, not a path
    if parsed.json:
        put_json(asdict(explanation))
    else:
        _put(explanation)
    return NO_SUCH_BATCH if explanation.state == "absent" else DONE


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
