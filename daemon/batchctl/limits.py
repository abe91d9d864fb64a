"""`set`: how hard a running batch may press the API."""

from __future__ import annotations

import argparse
from typing import Any

from daemon.batchctl.control import said_by
from daemon.batchctl.desk import Desk
from daemon.batchctl.exits import DONE, FAILED, NotPossible
from daemon.batchctl.options import ID_HELP, add_reason, command
from daemon.batchctl.resolve import resolved
from daemon.batchctl.status_report import ENDED
from daemon.batchctl.words import say
from daemon.settings import Settings
from workflows.errors import SettingsError
from workflows.models import LimitsChange


def add_commands(commands: Any) -> None:
    """Add `set`."""
    limits = command(commands, "set", run_set, help_text="change the API limits of one running batch, or of all")
    limits.add_argument("arguments", nargs="+", metavar="ID | NAME=VALUE", help=f"{ID_HELP}; concurrency=N, rate=R")
    limits.add_argument("--all", action="store_true", help="every batch that has not ended")
    add_reason(limits)


async def run_set(settings: Settings, parsed: argparse.Namespace) -> int:
    """Change the limits and say what they are now. With `--all`, one that fails does not stop the others."""
    desk = Desk(settings)
    names = [each for each in parsed.arguments if "=" not in each]
    if parsed.all == bool(names) or len(names) > 1:
        raise SettingsError("set: give one ID, or --all, and then concurrency=N or rate=R")
    change = _change([each for each in parsed.arguments if "=" in each], parsed.reason)
    if not parsed.all:
        await _set(desk, await resolved(desk, names[0]), change)
        return DONE
    failed = 0
    for receipt in [each for each in desk.receipts.newest_first() if not each.ended]:
        try:
            await _set(desk, receipt.id, change)
        except NotPossible as error:
            say(str(error))
            failed += 1
    return FAILED if failed else DONE


async def _set(desk: Desk, identity: str, change: LimitsChange) -> None:
    report = await desk.report(identity)
    if report.state in ENDED:
        raise NotPossible(f"{identity} is {report.state}; there is nothing to limit")
    limits = await (await desk.live()).set_limits(identity, change)
    concurrency = "as the service" if limits.concurrency is None else limits.concurrency
    rate = "as the service" if limits.rate is None else f"{limits.rate:g} calls/s" if limits.rate else "no limit"
    say(f"{identity}: concurrency {concurrency}, rate {rate}")


def _change(assignments: list[str], reason: str) -> LimitsChange:
    values: dict[str, float] = {}
    for each in assignments:
        name, _, text = each.partition("=")
        if name not in {"concurrency", "rate"}:
            raise SettingsError(f"set: {name} is no limit; there are concurrency and rate")
        try:
            values[name] = int(text) if name == "concurrency" else float(text)
        except ValueError:
            raise SettingsError(f"set: {name} must be a number, it is {text!r}") from None
    control = said_by(reason)
    concurrency = values.get("concurrency")
    return LimitsChange(
        concurrency=None if concurrency is None else int(concurrency),
        rate=values.get("rate"),
        by=control.by,
        reason=control.reason,
    )
