"""`doctor`: everything batchd needs, checked one by one, with what to do where it is not there."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from daemon.batchctl.arguments import add_feed, add_json
from daemon.batchctl.console.printing import put_json
from daemon.batchctl.console.table import Column, put_table
from daemon.batchctl.exit_codes import DONE, FAILED
from daemon.batchctl.settings_in_use import SettingsInUse, chosen_feed


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """Declare `doctor`."""
    add_feed(parser, "only this feed and its API")
    add_json(parser)


async def run_doctor(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Print every finding; exit code 1 where one is FAIL. Wrong settings never get here: they are exit code 2."""
    from daemon.batchctl.checks.host import host_checks  # noqa: PLC0415 - loads Temporal's SDK, which no help needs
    from daemon.batchctl.checks.outside import outside_checks  # noqa: PLC0415

    feeds = [chosen_feed(in_use.feeds, parsed.feed)] if parsed.feed else list(in_use.feeds)
    apis = {in_use.api_of_feed[each] for each in feeds} if parsed.feed else in_use.apis
    findings = [*host_checks(in_use, feeds), *await outside_checks(in_use, apis)]
    if parsed.json:
        put_json(
            {"ok": not any(each.level == "FAIL" for each in findings), "checks": [asdict(each) for each in findings]}
        )
    else:
        put_table(
            [Column(heading=""), Column(heading="CHECK"), Column(heading="FOUND", kind="sentence")],
            [[each.level, each.check, each.as_text()] for each in findings],
        )
    return FAILED if any(each.level == "FAIL" for each in findings) else DONE
